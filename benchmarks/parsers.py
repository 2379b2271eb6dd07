"""The time of each parser for a megabyte, compared with a quarter of one: python benchmarks/parsers.py [parser].

A parser that reads a text once takes four times as long for four times the text; one that reads it repeatedly, sixteen times.
Medians of three runs in CPU time; times below a hundredth of a second are not meaningful, and have no ratio.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
ROOT = tempfile.mkdtemp()
for name in ("IPYBGJOBS_STATE_DIR", "IPYBGJOBS_CONFIG", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
    os.environ[name] = f"{ROOT}/{name.lower()}"
Path(os.environ["IPYBGJOBS_CONFIG"]).write_text("")

from support.parsers import PARSERS, processor_seconds  # noqa: E402 - after the variables that it reads

SHORT, LONG, RUNS = 250_000, 1_000_000, 3


def median(name, begin, part, end, length):
    text = begin + part * (length // len(part)) + end
    return statistics.median(processor_seconds(name, text) for _ in range(RUNS))


def main():
    print(f"{'parser':18} {'text':28} {'0.25 MB':>9} {'1 MB':>9} {'ratio':>6}")
    worst = 0.0
    for name, parser in PARSERS.items():
        for begin, part, end in parser.long if name in (sys.argv[1:] or PARSERS) else ():
            short, long = (median(name, begin, part, end, length) for length in (SHORT, LONG))
            ratio = long / short if short > 0.01 else 0.0
            worst = max(worst, ratio)
            shown = ascii(f"{begin[:8]}({part[:8]})*{end[:6]}")[1:-1]
            print(f"{name:18} {shown:28.28} {short:7.3f} s {long:7.3f} s {ratio or '':6.3}")
    print(f"worst ratio: {worst:.1f}")


main()
