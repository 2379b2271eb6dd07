"""An interrupted cell leaves all or nothing, and a notebook that works."""

import os
import random
import signal
import sqlite3
import threading
import time

import ipybgjobs as bg
from support import notebook_writers
from support.place import ALLOWED, DEADLINE, TESTS, until

SWEEP = """
import sys; sys.path.append({tests!r})
from support import interrupts, notebook_writers
bench = interrupts.Bench()
"""


def test_an_interrupt_at_any_line_of_what_a_cell_does_leaves_all_or_nothing_and_a_notebook_that_works(place, kernels):
    place.allow(ALLOWED, BackgroundJobs__allow_notebook_code=True)
    bg.submit("work.echo", {"value": {7}}, name="finished").wait(DEADLINE)
    until(lambda: not place.processes(), "the end of the supervisor")
    kernel = kernels()
    kernel.ok("%load_ext ipybgjobs\nimport ipybgjobs as bg" + SWEEP.format(tests=str(TESTS)))
    for name in notebook_writers.NAMES:
        count, done, said, unsaid = kernel.value(f"notebook_writers.sweep(bench, {name!r})")
        assert count > 3
        assert (unsaid, said) == ([], done)
        assert said or name in notebook_writers.SILENT
    kernel.ok("bench.close()")


LOOP = """
told = []
for number in range(5000):
    told.append(get_ipython().run_line_magic("bgjob", "work.echo value=$ready").id)
"""


def test_an_interrupted_cell_says_which_job_was_submitted_and_the_next_one_works(place, kernels):
    kernel = kernels()
    kernel.ok("%load_ext ipybgjobs\nimport ipybgjobs as bg\nbg.pause(); ready = {1, 2}")
    store = sqlite3.connect(f"{place.state}/jobs.db", isolation_level=None, check_same_thread=False)
    ids = lambda: {row[0] for row in store.execute("SELECT id FROM jobs")}  # noqa: E731 - one look, named
    draw = random.Random(3)
    try:
        for _ in range(6):
            before, moment = ids(), draw.uniform(0.0, 0.03)

            def interrupt(before=before, pause=moment):
                until(lambda: len(ids() - before) > 1, "jobs of the loop")
                time.sleep(pause)
                os.kill(kernel.pid, signal.SIGINT)

            sender = threading.Thread(target=interrupt)
            sender.start()
            reply = kernel.run(LOOP)
            sender.join()
            assert reply.ename == "KeyboardInterrupt", reply.everything
            unsaid = ids() - before - set(kernel.value("told"))
            assert len(unsaid) <= 1
            if reply.evalue:
                assert reply.evalue in reply.traceback
            if unsaid:
                assert reply.evalue == f"job {min(unsaid)} was submitted"
            assert kernel.value("bg.submit('work.echo', {'value': 1}).state") == "queued"
    finally:
        kernel.run("bg.jobs(limit=100000).cancel(); bg.resume()")
        store.close()
