"""A job for the tutorial that prints, draws, shows its progress and returns a table; the data are made up."""

import ctypes
import subprocess
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from tqdm.auto import tqdm


class Station:
    """A weather station that does not exist."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)

    def year(self, pause: float = 0.2) -> pd.DataFrame:
        """Measure a year, month by month, and return its mean temperatures."""
        print("the station starts")
        ctypes.CDLL(None).puts(b"a line from C")
        ctypes.CDLL(None).fflush(None)
        subprocess.run(["echo", "a line from a child process"], check=True)
        headline = display(Markdown("*measuring …*"), display_id=True)
        rows = []
        for month in tqdm(range(1, 13), desc="months"):
            days = 10 - 10 * np.cos(2 * np.pi * (month - 0.5) / 12) + self.random.normal(0, 3, 30)
            rows.append({"month": month, "mean": days.mean().round(1), "warmest": days.max().round(1)})
            time.sleep(pause)
        table = pd.DataFrame(rows).set_index("month")
        headline.update(Markdown(f"**warmest month: {table['mean'].idxmax()}**"))
        table.plot(figsize=(6, 2.5), ylabel="°C", title="A year")
        plt.show()
        return table
