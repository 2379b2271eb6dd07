"""The demo, from its first line to its last: jobs, notebooks and a process that is killed."""

import os
import re
import signal
import subprocess
import sys

import nbformat
import pytest

from support.place import until


def test_the_demo_runs_to_its_end_and_shows_the_result(place, tmp_path):
    for module in ("sklearn", "nbclient", "ipykernel"):
        pytest.importorskip(module)
    folder = tmp_path / "demo"
    try:
        command = [sys.executable, "-m", "ipybgjobs", "demo", "--folder", folder]
        said = subprocess.run(command, cwd=place.code, capture_output=True, text=True, timeout=170, check=True).stdout
        assert re.search(r"process \d+, was killed with SIGKILL", said)
        assert re.search(r"'accuracy': 0\.9\d*", said)
        assert "epoch 20 accuracy" in said
        for name in ("1-submit", "2-tomorrow"):
            nbformat.validate(nbformat.read(folder / f"{name}.ipynb", as_version=4))
        assert not place.state.exists()  # nor does it touch the user's jobs
    finally:
        until(lambda: [os.kill(pid, signal.SIGKILL) for pid in place.processes()] == [], "the end of the demo's processes")
