"""The cost of progress per iteration, compared with bare tqdm in one process: python benchmarks/progress.py [iterations].

Loops take turns; medians of nanoseconds per iteration, and ratios. The limit: 1.2 x bare tqdm.
"""

import os
import statistics
import sys
import tempfile
import time

from tqdm.std import tqdm

from ipybgjobs.state import current_job
from ipybgjobs.worker import tqdm_bars

ITERATIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000


class Watched(tqdm):
    """tqdm as a job sees it."""


def timed(iterable):
    began = time.perf_counter()
    for _ in iterable:
        pass
    return (time.perf_counter() - began) / ITERATIONS * 1e9


def main():
    folder = tempfile.mkdtemp(prefix="ipybgjobs-bench-")
    current_job.enter({"id": 1, "uid": "u", "name": None, "attempt": 1}, folder)
    tqdm_bars.install(Watched)
    times = {"tqdm": [], "tqdm in a job": [], "bg.progress": []}
    with open(os.devnull, "w") as nowhere:
        for _ in range(9):
            times["tqdm"].append(timed(tqdm(range(ITERATIONS), file=nowhere)))
            times["tqdm in a job"].append(timed(Watched(range(ITERATIONS), file=nowhere)))
            times["bg.progress"].append(timed(current_job.progress(range(ITERATIONS))))
    bare = statistics.median(times["tqdm"])
    for name, measured in times.items():
        middle = statistics.median(measured)
        print(f"{name:16}{middle:8.1f} ns an iteration{middle / bare:8.2f} x")


main()
