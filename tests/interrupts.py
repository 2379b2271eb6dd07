"""Interrupts a writer at each of its steps in turn, and looks after each at what it left: no job or a whole one, nothing blocked.

Run by hand it does so before every opcode of every writer, and prints the counts: python tests/interrupts.py
"""

import contextlib
import gc
import itertools
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
from ipybgjobs.process import place
from ipybgjobs.process.lock import FileLock

PACKAGE = str(Path(bg.__file__).parent)


class Interrupt:
    """Raises KeyboardInterrupt at one step of this thread within our modules; counts them where `at` is never reached."""

    def __init__(self, at, event, within=""):
        self.at, self.event, self.count, self.within = at, event, 0, f"{PACKAGE}/{within}"

    def __call__(self, frame, event, _argument):
        if not frame.f_code.co_filename.startswith(self.within):
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
        gc.disable()  # a finalizer that it happens to run would swallow the interrupt
        sys.settrace(self)
        try:
            action()
        except KeyboardInterrupt as error:
            stopped = error
        finally:
            sys.settrace(before)
            gc.enable()
        return stopped


class Bench:
    """A store in which nothing starts, since this process keeps every supervisor away, and a look from outside."""

    def __init__(self):
        self.client = client_module.client()
        self.folder = self.client.folder()
        self.turn = FileLock.acquire(self.folder.next_lock(place.here()), wait=False)
        self.client.database(self.folder)
        self.other = sqlite3.connect(self.folder.database, timeout=0.0, isolation_level=None)
        self.anchor = bg.submit("work.echo", {"value": 0}).id
        self.other.execute("PRAGMA synchronous = OFF")
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

    def sweep(self, prepare, event="line", within=""):
        """Interrupt what `prepare` returns at each step; return how many steps there are, and how many interrupts said something.

        `prepare` makes ready for one turn, and returns the action, and what tells whether it has been done.
        """
        action, _ = prepare()
        action()  # once uninterrupted, so that modules are loaded
        said = 0
        for number in itertools.count(1):
            action, done = prepare()
            before, where = self.ids(), f"{event} {number}"
            interrupt = Interrupt(number, event, within)
            stopped = interrupt.during(action)
            self.check(where)
            self.check_new(before, where)
            happened = done()
            said += bool(stopped is not None and str(stopped))
            assert happened or not (stopped is None or str(stopped)), f"{where}: {stopped!r}, but nothing was done"
            if interrupt.count < number:
                return number - 1, said
        raise AssertionError  # unreachable


#: Of writers that read the configuration anew each time, the module that writes.
WITHIN = {"allow": "userfiles.py"}

#: In memory: nothing here is about what survives a crash, and each turn would wait for the disk several times.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


def writers(bench):
    """Each writer's name, and what makes ready for one turn."""
    client, folder = bench.client, bench.folder
    row = lambda sql, *values: bench.other.execute(sql, values).fetchone()[0]  # noqa: E731 - one look, named

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
        asked = lambda: bool(row("SELECT count(*) FROM requests WHERE job_id = ? AND verb = 'cancel'", job.id))  # noqa: E731 - one look, named
        return lambda: client.cancel(folder, [job.id], None), asked

    def cancel_group():
        group = bg.submit_many("work.echo", [{"value": {1}}])
        job = group.jobs[0].id
        asked = lambda: bool(row("SELECT count(*) FROM requests WHERE job_id = ? AND verb = 'cancel'", job))  # noqa: E731 - one look, named
        return lambda: client.cancel_group(folder, group.id, None), asked

    def retry():
        job = bench.ended()
        asked = lambda: bool(row("SELECT count(*) FROM requests WHERE job_id = ? AND verb = 'retry'", job.id))  # noqa: E731 - one look, named
        return lambda: client.retry(folder, [job.id]), asked

    def remove():
        job = bench.ended()
        return job.remove, lambda: job.id not in bench.ids()

    def priority():
        job = bg.submit("work.echo", {"value": {1}})
        return lambda: job.set_priority(7), lambda: row("SELECT priority FROM jobs WHERE id = ?", job.id) == 7

    def panel():
        job = bg.submit("work.echo", {"value": {1}})
        command = lambda: commands.run(client, folder, "priority", {"jobs": [job.id], "to": 9})  # noqa: E731 - one look, named
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
        for each in bg.jobs(state="failed"):  # else each turn takes more lines than the one before
            each.remove()
        job = bench.ended()
        return lambda: bg.clean("failed", yes=True), lambda: job.id not in bench.ids()

    def allow():
        file = Path(os.environ["JUPYTER_CONFIG_DIR"], "ipybgjobs_config.json")
        file = next(iter(file.parent.glob("*.json")), file)
        with contextlib.suppress(FileNotFoundError):
            file.unlink()

        def silently():
            with contextlib.redirect_stdout(None):
                cli.run(["allow", "more.added"])

        return silently, lambda: any("added" in each.read_text() for each in file.parent.glob("*.json"))

    def opening():
        client.close()
        client._databases.clear()
        return lambda: client.database(folder), lambda: True

    made = [submit, submit_many, cancel, cancel_group, retry, remove, priority, panel, keep, pause, resume, clean, allow, opening]
    return {each.__name__: each for each in made}


def main():
    from conftest import ALLOWED, JOBS, Place

    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        place = Place(Path(root))
        os.environ |= {"IPYBGJOBS_STATE_DIR": str(place.state), "IPYBGJOBS_CONFIG": str(place.config_file)}
        os.environ |= {"JUPYTER_CONFIG_DIR": f"{root}/jupyter", "IPYTHONDIR": f"{root}/ipython"}
        sys.path.insert(0, str(place.code))
        place.module("work", JOBS)
        place.module("more", "def added():\n    return 1\n")
        place.allow(ALLOWED)
        client_module.use(Client())
        chosen = sys.argv[1:]
        for name in writers(bench := Bench()):
            if chosen and name not in chosen:
                continue
            began = time.monotonic()
            count, said = bench.sweep(writers(bench)[name], "opcode", WITHIN.get(name, ""))
            print(f"{name:13}{count:6} opcodes, {said:5} said what was done, {time.monotonic() - began:5.0f} s", flush=True)
            bench.other.execute("DELETE FROM jobs WHERE id != ?", (bench.anchor,))
            bench.folder.remove(os.listdir(bench.folder.jobs))
            gc.collect()
        bench.close()
        unbroken.run(bench.client.close)


if __name__ == "__main__":
    main()
