"""A job that leaves a process behind, and goes on until a file is there."""

import subprocess
import time
from pathlib import Path


def loud():
    here = Path(__file__).parent
    subprocess.run(["sh", "-c", f"setsid sleep 600 & echo $! > {here}/pids"], check=True)
    print("loud", flush=True)
    while not (here / "second").exists():
        time.sleep(0.02)
