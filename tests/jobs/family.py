"""A job with children in its session and in others."""

import os
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent


def family(wait: bool = True):
    """Starts a child in its session, and one in a session of its own, which its shell has left."""
    near = subprocess.Popen(["sleep", "600"])
    subprocess.run(["sh", "-c", f"setsid sleep 600 >/dev/null 2>&1 & echo $! > {HERE}/far"], check=True)
    alive = (HERE / "pids").read_text().split() if (HERE / "pids").exists() else []
    alive = [pid for pid in alive if os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split()[2] != "Z"]
    (HERE / "pids").write_text(f"{near.pid} {(HERE / 'far').read_text().strip()}")
    print("family", alive, flush=True)
    while wait and not alive and not (HERE / "second").exists():
        time.sleep(0.02)
    return alive
