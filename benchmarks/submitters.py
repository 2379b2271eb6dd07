"""The rate of finishing jobs while many processes submit without pause, compared with jobs submitted beforehand.

    python benchmarks/submitters.py [processes] [seconds]

Prints both rates and their ratio, which is the figure that matters, since machines differ.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MANY = int(sys.argv[1]) if len(sys.argv) > 1 else 8
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
BEFOREHAND = 600

root = Path(tempfile.mkdtemp(prefix="ipybgjobs-bench-"))
(root / "noop.py").write_text("def nothing():\n    return None\n")
(root / "config.py").write_text("c.BackgroundJobs.allowed_jobs = {'noop': ['nothing']}\nc.BackgroundJobs.idle_seconds = 1\n")
os.environ |= {
    "IPYBGJOBS_CONFIG": str(root / "config.py"),
    "IPYBGJOBS_STATE_DIR": str(root / "state"),
    "PYTHONPATH": os.pathsep.join([str(root), *sys.path[1:]]),
}
sys.path.insert(0, str(root))

import ipybgjobs as bg  # noqa: E402 - after the environment is set

SUBMITTER = """
import os, sys, time
import ipybgjobs as bg
bg.submit("noop.nothing").wait()
print("ready", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
count, end = 0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    bg.submit("noop.nothing")
    count += 1
print(count)
"""


def ask(sql):
    connection = sqlite3.connect(root / "state" / "jobs.db", timeout=60)
    try:
        return connection.execute(sql).fetchone()
    finally:
        connection.close()


bg.pause("default")
group = bg.submit_many("noop.nothing", [{}] * BEFOREHAND)
bg.resume("default")
group.wait()
first, last = ask("SELECT min(started_at), max(ended_at) FROM attempts")
calm = BEFOREHAND / (last - first)

command = [sys.executable, "-c", SUBMITTER, root / "go", str(SECONDS)]
submitters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(MANY)]
for each in submitters:
    assert each.stdout.readline() == "ready\n"
began = time.time()
(root / "go").touch()
submitted = sum(int(each.communicate()[0]) for each in submitters)
[ended] = ask(f"SELECT count(*) FROM attempts WHERE ended_at BETWEEN {began} AND {began + SECONDS}")
busy = ended / SECONDS
print(f"beforehand: {calm:.0f} jobs a second")
print(f"{MANY} submitters: {submitted / SECONDS:.0f} submitted and {busy:.0f} ended a second; ratio {busy / calm:.2f}")
bg.pause("default")  # jobs that are still waiting need not run
for job in bg.jobs(state="queued", limit=100_000):
    job.cancel()
