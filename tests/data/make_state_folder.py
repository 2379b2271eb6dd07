"""Makes a state folder with the version of ipybgjobs that is installed, an old one, and packs it; see README.md beside it.

Run it as ``python make_state_folder.py ARCHIVE``. It writes into its own folder, the home folder and /srv.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import nbformat
from nbformat import v4
from weather import Reading

import ipybgjobs as bg

HERE = Path(__file__).parent
STATE = HERE / "state"
NOTEBOOKS = Path("/srv")  # every machine has it, and the kernel of a queued notebook starts in the notebook's folder
MOMENT = 1_795_737_600  # the date of every packed file
DEADLINE = 120.0

CONFIGURATION = {
    "BackgroundJobs.state_dir": str(STATE),
    "BackgroundJobs.idle_seconds": 0.5,
    "BackgroundJobs.allowed_jobs": {
        "weather": ["echo", "measure", "warmest", "receive", "refuse", "draw"],
        "ipybgjobs.Notebook": ["run"],
    },
    "BackgroundJobs.allowed_notebooks": [f"{NOTEBOOKS}/*.ipynb"],
    "RetryPolicy.delay_seconds": 0.1,
    "RetryPolicy.max_attempts": 1,
}


def configure():
    file = Path.home() / ".jupyter" / "ipybgjobs_config.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"c.{name} = {value!r}\n" for name, value in CONFIGURATION.items()))


def write_notebook(name, *sources):
    cells = [v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = NOTEBOOKS / name
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return str(path)


def run_jobs():
    """Run what ends; the names are what the tests ask for."""
    report = write_notebook("report.ipynb", "months = 3", "print('months', months)")
    broken = write_notebook("broken.ipynb", "months = 3", "print('about to fail')\nmonths / 0")
    submit("plain", "weather.echo", {"value": {"sunny": [1, 2.5, None]}})
    submit("pickled", "weather.measure", {"city": "Oslo", "celsius": -3.5})
    submit("shown", "weather.draw")
    submit("retried", "weather.receive", {"station": "Jan Mayen"}, retry=2)
    submit("refused", "weather.refuse")
    submit("notebook", "ipybgjobs.Notebook.run", {"path": report, "parameters": {"months": 5}, "output": f"{HERE}/"})
    submit("broken notebook", "ipybgjobs.Notebook.run", {"path": broken, "output": f"{HERE}/"})
    readings = (Reading("Oslo", -3.5), Reading("Rome", 18.0))
    calls = [{"above": each} for each in (-10.0, 0.0, 30.0)]
    bg.submit_many("weather.warmest", calls, common={"readings": readings}, name="warm")
    wait_until_all_have_ended()
    if "__reduce__" in vars(bg.Job):  # before, a handle could not be pickled
        submit("handles", "weather.echo", {"value": {"job": bg.job("pickled"), "group": bg.group("warm")}})
        wait_until_all_have_ended()


def queue_jobs():
    """Leave jobs queued: one of them, and those of a group, hold a notebook as it was at submit."""
    report = str(NOTEBOOKS / "report.ipynb")
    bg.pause("default")
    submit("queued plain", "weather.echo", {"value": 7})
    submit("queued pickled", "weather.warmest", {"readings": (Reading("Bergen", 6.0),), "above": 1.0})
    submit("queued notebook", "ipybgjobs.Notebook.run", {"path": report, "parameters": {"months": 7}, "output": f"{HERE}/"})
    common = {"path": report, "output": f"{HERE}/"}
    calls = [{"parameters": {"months": each}} for each in (8, 9)]
    bg.submit_many("ipybgjobs.Notebook.run", calls, common=common, name="queued notebooks")
    for path in NOTEBOOKS.glob("*.ipynb"):
        path.unlink()


def submit(name, target, params=None, **options):
    return bg.submit(target, params or {}, name=name, **options)


def wait_until(condition, what):
    limit = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > limit:
            sys.exit(f"{what}: not within {DEADLINE} s")
        time.sleep(0.05)


def wait_until_all_have_ended():
    wait_until(lambda: all(job.state in ("succeeded", "failed") for job in bg.jobs()), "the end of all jobs")


def supervisors():
    """PIDs of the supervisors of the state folder."""
    lines = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout.splitlines()
    return [int(line.split()[0]) for line in lines if " supervisor " in line and str(STATE) in line]


def leave():
    """End the supervisor, which would wait for the queued jobs; then fold the write-ahead log, so that it need not be packed."""
    for pid in supervisors():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not supervisors(), "the end of the supervisor")
    connection = sqlite3.connect(STATE / "jobs.db")
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()


def as_packed(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = MOMENT
    is_left_out = member.name.endswith(("-wal", "-shm")) or not (member.isfile() or member.isdir())
    return None if is_left_out else member


def main():
    shutil.rmtree(STATE, ignore_errors=True)
    configure()
    run_jobs()
    queue_jobs()
    leave()
    with tarfile.open(sys.argv[1], "w:xz", preset=9) as archive:
        archive.add(STATE, "state", filter=as_packed)
    print(f"ipybgjobs {bg.__version__}, {len(bg.jobs())} jobs, {os.path.getsize(sys.argv[1])} bytes")


if __name__ == "__main__":
    main()
