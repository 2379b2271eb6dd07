"""What the panel in a browser shows: jobs that wait at a gate, fail, draw, or do not matter."""

import os
import time


def ok(n: int = 1):
    print("hello", n)
    return n


def gate(path: str, steps: int = 4):
    """Goes on when a file is there."""
    from tqdm import tqdm

    print("\x1b[32mgreen\x1b[0m waits", flush=True)
    for step in tqdm(range(steps), desc="steps", unit="step"):
        time.sleep(0.11)  # tqdm looks at its clock ten times a second
        while step == steps // 2 and not os.path.exists(path):
            time.sleep(0.02)
    return "through"


def fail(message: str = "broken"):
    raise ValueError(message)


def train_the_model_with_a_long_name(rate: float, path: str = ""): ...


def talk(lines: int = 9000):
    for number in range(1, lines + 1):
        print("this is line", number)


def flaky(marker: str):
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise RuntimeError("first run")
    return "second run"


def shows(markup: str = ""):
    from IPython.display import HTML, display

    print("a line")
    display(HTML(markup))
    return {"a": 1}
