"""The cost of a panel of 20,000 jobs: python benchmarks/panel.py [jobs].

Bytes and CPU of its first rows, of all rows, of one change, and of idling; the CPU time is that of this process, which acts as
the kernel. Medians; the bytes of a message are its JSON, without the envelope of Jupyter's protocol.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
CHANGES = 40

#: What the scripts of this version send; others do not read it.
VERSION = {"version": 2}


class Wire:
    """Counts sent messages."""

    def __init__(self):
        self.messages = []
        self.arrived = threading.Event()

    def show(self, first):
        self.first = first

    def send(self, message):
        self.messages.append((message["kind"], len(json.dumps(message, separators=(",", ":")))))
        self.arrived.set()


def fill(client, folder, count):
    database = client.database(folder)
    [job] = database.read("SELECT * FROM jobs ORDER BY id LIMIT 1")
    columns = [name for name in job.keys() if name not in ("id", "uid", "state")]  # noqa: SIM118 - a row is not a dict
    sql = f"INSERT INTO jobs (uid, state, {', '.join(columns)}) VALUES ({', '.join('?' * (len(columns) + 2))})"
    values = [job[name] for name in columns]
    with database.transaction() as connection:
        connection.executemany(sql, [(f"{number:032}", "succeeded", *values) for number in range(count)])


def prepare():
    """Create a state folder with finished jobs; return the client and the folder."""
    root = tempfile.mkdtemp()
    os.environ["IPYBGJOBS_STATE_DIR"] = f"{root}/state"
    os.environ["IPYBGJOBS_CONFIG"] = f"{root}/ipybgjobs_config.py"
    with open(os.environ["IPYBGJOBS_CONFIG"], "w") as file:
        file.write("c.BackgroundJobs.allowed_jobs = {'training.Trainer': ['fit']}\nc.BackgroundJobs.idle_seconds = 1\n")
    with open(f"{root}/training.py", "w") as file:
        file.write("class Trainer:\n    def fit(self, epochs=3, path='/data/set.parquet'): return epochs\n")
    sys.path.insert(0, root)
    import ipybgjobs as bg
    from ipybgjobs.client.client import client

    bg.submit("training.Trainer.fit", {"epochs": 50}).wait(60)
    fill(client(), client().folder(), JOBS)
    return client(), client().database(client().folder())


def everything(session, wire, first):
    """Measure sending all rows, in parts."""
    began, clock = time.process_time(), time.perf_counter()
    session.receive({"kind": "look", "view": "v", "visible": True, "seq": first["seq"], "whole": False, **VERSION})
    while sum(kind == "older" for kind, _ in wire.messages) < (JOBS - 1) // 1000:
        time.sleep(0.05)
    cpu, wall = 1000 * (time.process_time() - began), time.perf_counter() - clock
    sizes = [size for _, size in wire.messages]
    print(f"all rows: {sum(sizes):,} bytes in {len(sizes)} messages, the largest {max(sizes):,}; {cpu:.0f} ms CPU, {wall:.1f} s")


def one_change(wire, client):
    """Measure a change of one row by another process, like the supervisor, to the panel, including all checks of the store."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, client.folder().database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    sizes, waits = [], []
    began = time.process_time()
    for number in range(CHANGES):
        wire.messages.clear()
        wire.arrived.clear()
        print(number, file=writer.stdin)
        clock = float(writer.stdout.readline())
        wire.arrived.wait(10)
        waits.append(1000 * (time.monotonic() - clock))
        time.sleep(1.2)  # until it stops checking, so that no two changes are sent together
        sizes.append(sum(size for _, size in wire.messages))
    cost = 1000 * (time.process_time() - began) / CHANGES
    writer.communicate()
    wait = statistics.median(waits)
    print(f"one change: {statistics.median(sizes):.0f} bytes, {cost:.2f} ms of CPU, received {wait:.1f} ms after its commit")


#: Changes a row for each line that it reads, and prints when the commit was done.
WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
connection.execute("PRAGMA synchronous = FULL")
for line in sys.stdin:
    connection.execute("UPDATE jobs SET priority = ? WHERE id = 1000", (int(line),))
    print(time.monotonic(), flush=True)
"""


def nothing(session, wire, database):
    """Measure ten seconds without changes, and two with no panel visible."""
    time.sleep(2)
    wire.messages.clear()
    began = time.process_time()
    time.sleep(10)
    print(f"idle for ten seconds: {len(wire.messages)} messages, {1000 * (time.process_time() - began):.2f} ms of CPU")
    session.receive({"kind": "look", "view": "v", "visible": False, **VERSION})
    while any(thread.name == "ipybgjobs-panel" for thread in threading.enumerate()):
        time.sleep(0.1)
    with database.transaction() as connection:
        connection.execute("UPDATE jobs SET priority = 9 WHERE id = 1")
    began = time.process_time()
    time.sleep(2)
    print(f"with no panel visible: {threading.active_count() - 1} threads, {1000 * (time.process_time() - began):.2f} ms of CPU")


def main():
    client, database = prepare()
    from ipybgjobs.panel.session import Session

    wire = Wire()
    began = time.process_time()
    session = Session(client, wire.send)
    session.begin(wire.show)
    first = wire.first
    cpu = 1000 * (time.process_time() - began)
    print(f"the first {len(first['rows'])} of {JOBS:,} rows: {len(json.dumps(first)):,} bytes, {cpu:.1f} ms of CPU")
    everything(session, wire, first)
    one_change(wire, client)
    nothing(session, wire, database)


if __name__ == "__main__":
    main()
