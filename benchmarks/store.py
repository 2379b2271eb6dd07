"""The store with a million finished jobs compared with one of a thousand, in one run: python benchmarks/store.py [jobs].

Submit, claim and list must be as fast in one as in the other (ratio at most 1.2), and a claim with 10,000 queued jobs must take
less than a millisecond. Measurements of the two stores take turns; medians are printed.
"""

import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time

from ipybgjobs.model.call import Call
from ipybgjobs.model.records import Owner
from ipybgjobs.model.retry import RetrySettings
from ipybgjobs.store import listing, submissions
from ipybgjobs.store.database import Database
from ipybgjobs.store.schedule import Schedule
from ipybgjobs.store.submissions import NewGroup, Submission, SubmitContext
from ipybgjobs.store.transitions import LaunchMode, Transitions
from ipybgjobs.targets.context import Context

LARGE = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
SMALL = 1000
QUEUED = 10_000
OWNER = Owner("here", "this-host")
CONTEXT = Context("/usr/bin/python", "/usr", "/packages", "/home/eva", ("/home/eva",), 0o022, "startup", ()).to_text()
SURROUNDINGS = SubmitContext(CONTEXT, "{}", "digest")
STATES, QUEUES = ("succeeded", "failed", "cancelled"), ("default", "gpu", "io")
TARGETS = [f"module.Class{number}.run" for number in range(20)]
_RULES = json.dumps(RetrySettings().to_json())


def submission(**changes):
    job = {
        "uid": os.urandom(16).hex(),
        "call": Call("module.Class1.run", {}, {"epochs": 3, "path": "/data/set.parquet"}, {}),
        "positional": (),
        "name": None,
        "queue": "default",
        "priority": 0,
        "not_before": 100.0,
        "submitted_at": 100.0,
        "rules": RetrySettings(),
        "timeout": None,
        "owner": OWNER,
        "fingerprint": os.urandom(32).hex(),
    }
    return Submission(**(job | changes))


def finished(count):
    """Return rows of finished jobs: most succeeded, some have a name; states, queues and targets in no order."""
    draw = random.Random(1)
    for number in range(1, count + 1):
        state = draw.choices(STATES, (80, 15, 5))[0]
        target = draw.choice(TARGETS)
        name = f"nightly-{target}" if number % 3 == 0 else None
        times = (float(number), float(number), float(number) + 1, float(number) + 2)
        fingerprint = f"{number * 7919 % 10**9:064}"
        yield f"{number:032}", target, name, draw.choice(QUEUES), state, *times, fingerprint


def fill(database, count):
    constants = f"'{{}}', '{{\"epochs\": 3}}', '{{}}', '[]', '[]', '[]', 0, 1, 3, '{_RULES}', 'here', 'this-host', 1"
    with database.transaction() as connection:
        connection.execute("INSERT INTO contexts (id, body) VALUES (1, ?)", (CONTEXT,))
        connection.executemany(
            f"""INSERT INTO jobs (uid, target, name, queue, state, not_before, submitted_at, started_at, ended_at, fingerprint,
                init, params, pickled, positional, secrets, hidden, priority, attempt, allowed_attempts, rules, place,
                host, context) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {constants})""",
            finished(count),
        )
        connection.execute(
            """INSERT INTO attempts
                (job_id, number, folder, started_at, ended_at, outcome, launched_by, place, host, slot)
            SELECT id, 1, 'jobs/' || uid || '/1', started_at, ended_at,
                CASE state WHEN 'failed' THEN 'error' ELSE state END, 'fork', place, host, 0 FROM jobs"""
        )


def queue(database, count):
    """Insert queued jobs: half of them in one group, some with a priority, some that wait for their start time."""
    common = Call("module.Class1.run", {}, {}, {})
    jobs = [submission(not_before=1e12 if number % 4 == 3 else 100.0, priority=number % 5) for number in range(count)]
    submissions.submit_group(database, NewGroup(os.urandom(16).hex(), "sweep", common, 100.0), jobs, SURROUNDINGS)


def milliseconds(action, repeat):
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        action()
        times.append((time.perf_counter() - began) * 1000)
    return times


def compare(what, action, stores, rounds=20, repeat=10):
    """Print the medians of an action on both stores, which take turns, and their ratio."""
    times = {name: [] for name in stores}
    for _ in range(rounds):
        for name, store in stores.items():
            times[name] += milliseconds(lambda store=store: action(store), repeat)
    small, large = (statistics.median(times[name]) for name in stores)
    print(f"{what:44}{small:10.3f}{large:10.3f} ms{large / small:8.2f} x")
    return large / small


def claim(database):
    with database.transaction() as connection:
        schedule, change = Schedule(connection, OWNER, 200.0), Transitions(connection, OWNER, 200.0)
        schedule.promote()
        [first, *_] = schedule.queues()
        schedule.occupied()
        task = schedule.due(first)
        assert change.claim(task.id, 1, f"jobs/{task.record.uid}/1", LaunchMode("fork", slot=0))


def main():
    root = tempfile.mkdtemp(prefix="ipybgjobs-bench-")
    stores = {}
    for name, count in (("small", SMALL), ("large", LARGE)):
        began = time.monotonic()
        stores[name] = Database(f"{root}/{name}.db", durable=True)
        fill(stores[name], count)
        stores[name].checkpoint()
        size = os.path.getsize(f"{root}/{name}.db") / 1e6
        print(f"{count:,} finished jobs: created in {time.monotonic() - began:.0f} s, {size:.0f} MB")
    print(f"{'':44}{SMALL:10,}{LARGE:10,}")
    worst = [compare("submit, durable", lambda store: submissions.submit(store, submission(), SURROUNDINGS), stores)]
    filters = {"state": "failed", "queue": "gpu", "target": TARGETS[7], "name": f"nightly-{TARGETS[7]}"}
    for length in range(len(filters) + 1):
        for chosen in itertools.combinations(filters, length):
            wanted = {name: filters[name] for name in chosen}
            what = "newest 50" + (f" by {', '.join(chosen)}" if chosen else "")
            there = len(listing.jobs(stores["small"], 50, **wanted))  # as many from the large one, although it has more
            what += f" ({there} of them)" if there < 50 else ""

            def newest(store, wanted=wanted, there=there):
                assert len(listing.jobs(store, there, **wanted)) == there

            if there:
                worst.append(compare(what, newest, stores, rounds=8, repeat=5))
    worst.append(
        compare("newest 50 jobs and groups", lambda store: (listing.alone(store, 50), listing.groups(store, 50)), stores)
    )
    for store in stores.values():
        queue(store, QUEUED)
    quick = {name: Database(f"{root}/{name}.db", durable=False) for name in stores}
    worst.append(compare(f"claim, {QUEUED:,} queued", claim, quick, rounds=20, repeat=5))
    worst.append(
        compare(f"submit, {QUEUED:,} queued", lambda store: submissions.submit(store, submission(), SURROUNDINGS), stores)
    )
    print(f"worst ratio {max(worst):.2f} (limit: 1.2)")
    for database in (*stores.values(), *quick.values()):
        database.close()


main()
