"""Interrupts a writer at each of its steps in turn, and looks after each at what it left: no job or a whole one, nothing blocked.

Run by hand it does so before every opcode of every writer, and prints the counts: python tests/interrupts.py
"""

import contextlib
import gc
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import ipybgjobs as bg
from ipybgjobs import cli, plain, unbroken
from ipybgjobs import client as client_module
from ipybgjobs.client import Client
from ipybgjobs.panel import commands
from ipybgjobs.process import identity
from ipybgjobs.process.lock import FileLock

PACKAGE = str(Path(bg.__file__).parent)


class Interrupt:
    """Raises KeyboardInterrupt at one step of this thread within our modules; counts them where `at` is never reached."""

    def __init__(self, at, event):
        self.at, self.event, self.count = at, event, 0

    def __call__(self, frame, event, _argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = self.event == "opcode"
        if event == self.event:
            self.count += 1
            if self.count == self.at:
                raise KeyboardInterrupt
        return self

    def during(self, action):
        """Do something under this interrupt; return what stopped it, which keeps all its frames alive."""
        before, stopped = sys.gettrace(), None
        sys.settrace(self)
        try:
            action()
        except KeyboardInterrupt as error:
            stopped = error
        finally:
            sys.settrace(before)
        return stopped


class Bench:
    """A store in which nothing starts, since this process keeps every supervisor away, and a look from outside."""

    def __init__(self):
        self.client = client_module.client()
        self.folder = self.client.folder()
        self.turn = FileLock.acquire(self.folder.next_lock(identity.host()), wait=False)
        self.client.database(self.folder)
        self.other = sqlite3.connect(self.folder.database, timeout=0.0, isolation_level=None)
        self.anchor = bg.submit("work.echo", {"value": 0}).id
        self.turns = 0

    def close(self):
        self.other.close()
        self.turn.close()

    def ids(self):
        return {row[0] for row in self.other.execute("SELECT id FROM jobs")}

    def ended(self):
        """A job with a folder of its own that has failed."""
        job = bg.submit("work.echo", {"value": {1}})
        self.other.execute("UPDATE jobs SET state = 'failed', ended_at = 1.0, attempt = 1 WHERE id = ?", (job.id,))
        return job

    def check(self, where):
        """Nobody is blocked, nothing is stale, and each job has what it needs, and nothing is there without a job."""
        self.turns += 1
        try:
            self.other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise AssertionError(f"{where}: others are blocked: {error}") from None
        self.other.execute("UPDATE jobs SET priority = ? WHERE id = ?", (self.turns, self.anchor))
        self.other.execute("COMMIT")
        assert bg.job(self.anchor).priority == self.turns, f"{where}: a stale read"
        self.client.keep(self.folder, self.anchor, kept=bool(self.turns % 2))
        assert not self.client.database(self.folder).connection.in_transaction, where
        wanted = {row[0] for row in self.other.execute("SELECT uid FROM jobs WHERE pickled != '{}'")}
        assert set(os.listdir(self.folder.jobs)) == wanted, f"{where}: folders and rows differ"

    def check_new(self, before, where):
        """The parameters of each new job can be read."""
        for job_id in self.ids() - before:
            job = bg.job(job_id)
            content = Path(self.folder.job(job.uid), "parameters.pkl").read_bytes()
            assert plain.load(content), where

    def sweep(self, prepare, event="line", step=1):
        """Interrupt what `prepare` returns at each step in turn; return how many steps, and how many interrupts said what was done.

        `prepare` makes ready for one turn, and returns the action, and a check that is told whether it was to be done.
        """
        action, _ = prepare()
        action()  # once uninterrupted, so that modules are loaded
        action, _ = prepare()
        counted = Interrupt(0, event)
        counted.during(action)
        said = 0
        for number in range(1, counted.count + 1, step):
            action, done = prepare()
            before = self.ids()
            where = f"{event} {number} of {counted.count}"
            stopped = Interrupt(number, event).during(action)
            self.check(where)
            self.check_new(before, where)
            if done is not None:
                happened = done()
                assert not (stopped is not None and str(stopped) and not happened), f"{where}: {stopped}, which is not so"
                assert happened or stopped is not None, f"{where}: nothing was done, and nothing said"
            said += bool(stopped is not None and str(stopped))
        return counted.count, said


def writers(bench):
    """Each writer's name, and what makes ready for one turn."""
    client, folder = bench.client, bench.folder
    row = lambda sql, *values: bench.other.execute(sql, values).fetchone()[0]

    def submit():
        before = bench.ids()
        return lambda: bg.submit("work.echo", {"value": {1, 2}}), lambda: len(bench.ids() - before) == 1

    def submit_many():
        before = bench.ids()

        def whole():
            new = len(bench.ids() - before)
            assert new in (0, 3)
            return new == 3

        return lambda: bg.submit_many("work.echo", [{"value": {number}} for number in range(3)]), whole

    def cancel():
        job = bg.submit("work.echo", {"value": {1}})
        asked = lambda: bool(row("SELECT count(*) FROM requests WHERE job_id = ? AND verb = 'cancel'", job.id))
        return lambda: client.cancel(folder, [job.id], None), asked

    def cancel_group():
        group = bg.submit_many("work.echo", [{"value": {1}}])
        job = group.jobs[0].id
        asked = lambda: bool(row("SELECT count(*) FROM requests WHERE job_id = ? AND verb = 'cancel'", job))
        return lambda: client.cancel_group(folder, group.id, None), asked

    def retry():
        job = bench.ended()
        asked = lambda: bool(row("SELECT count(*) FROM requests WHERE job_id = ? AND verb = 'retry'", job.id))
        return lambda: client.retry(folder, [job.id]), asked

    def remove():
        job = bench.ended()
        return job.remove, lambda: job.id not in bench.ids()

    def priority():
        job = bg.submit("work.echo", {"value": {1}})
        return lambda: job.set_priority(7), lambda: row("SELECT priority FROM jobs WHERE id = ?", job.id) == 7

    def panel():
        job = bg.submit("work.echo", {"value": {1}})
        command = lambda: commands.run(client, folder, "priority", {"jobs": [job.id], "to": 9})
        return command, lambda: row("SELECT priority FROM jobs WHERE id = ?", job.id) == 9

    def keep():
        job = bg.submit("work.echo", {"value": {1}})
        return job.keep, lambda: bool(row("SELECT kept FROM jobs WHERE id = ?", job.id))

    def pause():
        bench.other.execute("DELETE FROM paused")
        return bg.pause, lambda: bool(row("SELECT count(*) FROM paused"))

    def resume():
        bench.other.execute("INSERT OR REPLACE INTO paused (queue, paused_at) VALUES ('default', 1.0)")
        return bg.resume, lambda: not row("SELECT count(*) FROM paused")

    def clean():
        job = bench.ended()
        return lambda: bg.clean("failed", yes=True), lambda: job.id not in bench.ids()

    def allow():
        file = Path(os.environ["JUPYTER_CONFIG_DIR"], "ipybgjobs_config.json")
        file = next(iter(file.parent.glob("*.json")), file)
        with contextlib.suppress(FileNotFoundError):
            file.unlink()

        def silently():
            with contextlib.redirect_stdout(None):
                cli.run(["allow", "work.once_failing_too"])

        return silently, lambda: any("once_failing_too" in each.read_text() for each in file.parent.glob("*.json"))

    def opening():
        client.close()
        client._databases.clear()
        return lambda: client.database(folder), None

    made = [submit, submit_many, cancel, cancel_group, retry, remove, priority, panel, keep, pause, resume, clean, allow, opening]
    return {each.__name__: each for each in made}


def main():
    from conftest import ALLOWED, JOBS, Place

    with tempfile.TemporaryDirectory() as root:
        place = Place(Path(root))
        os.environ |= {"IPYBGJOBS_STATE_DIR": str(place.state), "IPYBGJOBS_CONFIG": str(place.config_file)}
        os.environ |= {"JUPYTER_CONFIG_DIR": f"{root}/jupyter", "IPYTHONDIR": f"{root}/ipython"}
        sys.path.insert(0, str(place.code))
        place.module("work", JOBS + "\n    def once_failing_too():\n        return 1\n")
        place.allow(ALLOWED)
        client_module.use(Client())
        chosen = sys.argv[1:]
        for name in writers(bench := Bench()):
            if chosen and name not in chosen:
                continue
            began = time.monotonic()
            count, said = bench.sweep(writers(bench)[name], "opcode")
            print(f"{name:13}{count:6} opcodes, {said:5} said what was done, {time.monotonic() - began:5.0f} s", flush=True)
            bench.other.execute("DELETE FROM jobs WHERE id != ?", (bench.anchor,))
            bench.folder.remove(os.listdir(bench.folder.jobs))
            gc.collect()
        bench.close()
        unbroken.run(bench.client.close)


if __name__ == "__main__":
    main()
