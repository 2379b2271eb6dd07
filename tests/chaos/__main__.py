"""The long run: ``python -m tests.chaos --jobs 50000 --seed 7``.

Where a promise was broken it says how, keeps the run's folder, and ends with 1.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from .run import Run
from .violence import Strength


def main() -> int:
    """Run once, and say what came of it."""
    asked = _arguments()
    root = Path(tempfile.mkdtemp(prefix="chaos-", dir=asked.folder))
    print(f"seed {asked.seed}, folder {root}", flush=True)
    run = Run(root, asked.jobs, asked.seed, Strength(asked.rate, tuple(asked.spare)), asked.minutes * 60)
    result = run.go()
    print(result.figures.table())
    print(json.dumps(result.figures.values | {"seed": asked.seed, "violations": [str(each) for each in result.violations]}))
    for violation in result.violations:
        print("BROKEN", violation)
    if result.violations or asked.keep:
        print(f"kept: {root}")
    else:
        shutil.rmtree(root)
    print("every promise was kept" if not result.violations else f"{len(result.violations)} ways in which a promise was broken")
    return bool(result.violations)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="how many jobs the clients submit")
    parser.add_argument("--seed", type=int, default=1, help="of every choice")
    parser.add_argument("--minutes", type=float, default=60, help="after which the clients submit no more")
    parser.add_argument("--rate", type=float, default=1.5, help="kills, stops and interrupts a second")
    parser.add_argument(
        "--spare", action="append", default=[], help="a role that is not struck, such as `client`; may be repeated"
    )
    parser.add_argument("--folder", help="where the run's folder is made; by default where temporary files go")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder in any case")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
