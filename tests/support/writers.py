"""Each writer that an interrupt may meet, by its name: what makes it ready for one turn, and what tells whether it was done.

A method returns the action, and what says after it whether it has been done: None where there is nothing to be done.
"""

import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

import nbformat

import ipybgjobs as bg
from ipybgjobs.client import adoption
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.commands import cli
from ipybgjobs.panel import commands
from ipybgjobs.system import place
from ipybgjobs.system.lock import FileLock

#: Of writers that read the configuration anew each time, or look at much else, the modules that write.
WITHIN = {
    "retry_changed": "client/jobs/job.py",
    "allow": "commands/allowing.py",
    "config": "commands/user_files.py",
    "rescue": "commands/doctor.py",
    "save_notebook": ["client/jobs/", "system/"],
    **dict.fromkeys(("panel_priority", "panel_cancel", "panel_retry", "panel_remove"), "panel/commands.py"),
}

#: Those of which nothing is to be said: they change nothing of their own. Each of their lines is interrupted once.
SILENT = {"opening", "status", "wait", "result", "as_completed", "run_here", "explain"}

#: Longest that a reader here waits, in seconds: for one pause.
_MOMENT = 0.003


def silently(*words):
    """A verb of the command line, without what it prints."""
    with contextlib.redirect_stdout(None):
        cli.run(words)


class Writers:
    """What is tried; `bench` is a store in which nothing starts."""

    def __init__(self, bench):
        self._bench = bench
        self._client, self._folder = bench.client, bench.folder
        self._called = []

    def _row(self, sql, *values):
        return self._bench.other.execute(sql, values).fetchone()[0]

    def _asked(self, verb, *jobs):
        """What tells whether something was asked for, of one job as of all, and possibly answered by now."""
        state = {"cancel": "jobs.state = 'cancelled'", "retry": "jobs.attempt > 1", "adopt": "jobs.place != 'gone'"}[verb]
        asked = "EXISTS (SELECT 1 FROM requests WHERE job_id = jobs.id AND verb = ?)"
        sql = f"SELECT count(*) FROM jobs WHERE id IN ({','.join('?' * len(jobs))}) AND ({state} OR {asked})"

        def told():
            count = self._row(sql, *(job.id for job in jobs), verb)
            assert count in (0, len(jobs))
            return bool(count)

        return told

    def _new(self, count):
        before = self._bench.ids()

        def whole():
            new = len(self._bench.ids() - before)
            assert new in (0, count)
            return new == count

        return whole

    def _queued(self, **given):
        return bg.submit("work.echo", {"value": {1}}, **given)

    # -- new ones -----------------------------------------------------------------------------------------------------

    def submit(self):
        return lambda: bg.submit("work.echo", {"value": {1, 2}}), self._new(1)

    def submit_many(self):
        return lambda: bg.submit_many("work.echo", [{"value": {number}} for number in range(3)]), self._new(3)

    def retry_changed(self):
        job = self._bench.ended()
        return lambda: job.retry({"value": {3}}), self._new(1)

    # -- of jobs ------------------------------------------------------------------------------------------------------

    def cancel(self):
        job = self._queued()
        return job.cancel, self._asked("cancel", job)

    def cancel_list(self):
        jobs = bg.submit_many("work.echo", [{"value": 1}, {"value": 2}]).jobs
        return jobs.cancel, self._asked("cancel", *jobs)

    def cancel_group(self):
        group = bg.submit_many("work.echo", [{"value": {1}}, {"value": 2}])
        return group.cancel, self._asked("cancel", *group.jobs)

    def retry(self):
        job = self._bench.ended()
        return job.retry, self._asked("retry", job)

    def retry_group(self):
        group = bg.submit_many("work.echo", [{"value": {1}}, {"value": 2}])
        self._bench.end(*group.jobs)
        return group.retry, self._asked("retry", *group.jobs)

    def adopt(self):
        job = self._bench.elsewhere(self._queued())
        return lambda: adoption.adopt(self._client, [job], time.time()), self._asked("adopt", job)

    def adopt_all(self):
        self._bench.clear()  # else what a turn has left is adopted by the next
        job = self._bench.elsewhere(self._queued())
        return lambda: adoption.adopt_all(self._client, time.time()), self._asked("adopt", job)

    def remove(self):
        job = self._bench.ended()
        return job.remove, lambda: job.id not in self._bench.ids()

    def remove_group(self):
        group = bg.submit_many("work.echo", [{"value": {1}}])
        job = self._bench.end(*group.jobs)
        return group.remove, lambda: job.id not in self._bench.ids()

    def priority(self):
        job = self._queued()
        return lambda: job.set_priority(7), lambda: self._row("SELECT priority FROM jobs WHERE id = ?", job.id) == 7

    def priority_of_list(self):
        jobs = JobList([self._queued(), self._queued()])
        sql = "SELECT count(*) FROM jobs WHERE id IN (?, ?) AND priority = 7"
        return lambda: jobs.set_priority(7), lambda: self._both(sql, jobs)

    def keep_list(self):
        jobs = JobList([self._queued(), self._queued()])
        return jobs.keep, lambda: self._both("SELECT count(*) FROM jobs WHERE id IN (?, ?) AND kept", jobs)

    def remove_list(self):
        jobs = JobList([self._bench.ended(), self._bench.ended()])
        return jobs.remove, lambda: not self._both("SELECT count(*) FROM jobs WHERE id IN (?, ?)", jobs)

    def _both(self, sql, jobs):
        """Whether a count of two jobs is two, which it is for both or for none."""
        count = self._row(sql, *(job.id for job in jobs))
        assert count in (0, 2)
        return bool(count)

    def keep(self):
        job = self._queued()
        return job.keep, lambda: bool(self._row("SELECT kept FROM jobs WHERE id = ?", job.id))

    def clean(self):
        self._bench.clear()  # else each turn takes more lines than the one before
        job = self._bench.ended()
        return lambda: bg.clean("failed", dry_run=False), lambda: job.id not in self._bench.ids()

    def callback(self):
        job, called = self._queued(), []
        self._called.append(called)

        def done():
            waiting = self._client._callbacks[self._folder.path]._waiting
            return job.id in waiting or bool(called)

        return lambda: job.add_done_callback(called.append), done

    # -- of queues ----------------------------------------------------------------------------------------------------

    def pause(self):
        self._bench.other.execute("DELETE FROM paused")
        return bg.pause, lambda: bool(self._row("SELECT count(*) FROM paused"))

    def resume(self):
        self._bench.other.execute("INSERT OR REPLACE INTO paused (queue, paused_at) VALUES ('default', 1.0)")
        return bg.resume, lambda: not self._row("SELECT count(*) FROM paused")

    # -- of a panel ---------------------------------------------------------------------------------------------------

    def panel_priority(self):
        job = self._queued()
        command = lambda: commands.run(self._client, self._folder, "priority", {"jobs": [job.id], "to": 9})  # noqa: E731 - one look, named
        return command, lambda: self._row("SELECT priority FROM jobs WHERE id = ?", job.id) == 9

    def panel_cancel(self):
        jobs = [self._queued(), self._queued()]
        command = lambda: commands.run(self._client, self._folder, "cancel", {"jobs": [job.id for job in jobs]})  # noqa: E731 - likewise
        return command, self._asked("cancel", *jobs)

    def panel_retry(self):
        jobs = [self._bench.ended(), self._bench.ended()]
        command = lambda: commands.run(self._client, self._folder, "retry", {"jobs": [job.id for job in jobs]})  # noqa: E731 - likewise
        return command, self._asked("retry", *jobs)

    def panel_remove(self):
        jobs = [self._bench.ended(), self._bench.ended()]
        command = lambda: commands.run(self._client, self._folder, "remove", {"jobs": [job.id for job in jobs]})  # noqa: E731 - likewise
        return command, lambda: not {job.id for job in jobs} & self._bench.ids()

    def panel_pause(self):
        self._bench.other.execute("DELETE FROM paused")
        return lambda: commands.run(self._client, self._folder, "pause", {}), lambda: bool(
            self._row("SELECT count(*) FROM paused")
        )

    def panel_resume(self):
        self._bench.other.execute("INSERT OR REPLACE INTO paused (queue, paused_at) VALUES ('default', 1.0)")
        return lambda: commands.run(
            self._client, self._folder, "resume", {}
        ), lambda: not self._row("SELECT count(*) FROM paused")

    # -- of files -----------------------------------------------------------------------------------------------------

    def allow(self):
        folder = Path(os.environ["JUPYTER_CONFIG_DIR"])
        for file in folder.glob("*.json"):
            file.unlink()
        return lambda: silently("allow", "more.added"), lambda: any("added" in each.read_text() for each in folder.glob("*.json"))

    def config(self):
        folder = Path(os.environ["JUPYTER_CONFIG_DIR"])
        for file in folder.glob("*.py"):
            file.unlink()

        def done():
            made = list(folder.glob("*"))
            assert not [each for each in made if each.suffix not in (".py", ".json")]
            return any(each.suffix == ".py" for each in made)

        return lambda: silently("config", "init"), done

    def save_notebook(self):
        job, path = self._bench.ended(), Path(self._folder.path).parent / f"saved-{os.getpid()}.ipynb"
        path.unlink(missing_ok=True)

        def done():
            assert not [each for each in path.parent.iterdir() if each.name.startswith(path.name) and each != path]
            return path.exists() and bool(nbformat.read(path, 4).cells)

        return lambda: job.save_notebook(path), done

    def rescue(self):
        state = self._bench.damaged()

        def act():
            with self._bench.instead(state):
                silently("doctor", "--rescue")

        def done():
            aside = list(state.glob("jobs.db.damaged-*"))
            lock = FileLock.acquire(f"{state}/supervisor.{place.here()}.lock", wait=False)
            assert lock is not None
            lock.close()
            with contextlib.closing(sqlite3.connect(state / "jobs.db")) as store:
                [[count]] = store.execute("SELECT count(*) FROM jobs") if aside else [[0]]
            assert not aside or count
            assert not list(state.glob("rescue.*"))
            shutil.rmtree(state)
            return bool(aside)

        return act, done

    # -- what changes nothing of its own ------------------------------------------------------------------------------

    def opening(self):
        self._client.close()
        self._client._databases.clear()
        return lambda: self._client.database(self._folder), lambda: None

    def status(self):
        job = self._queued()
        return lambda: job.status, lambda: None

    def wait(self):
        job = self._queued()
        return lambda: self._for_a_moment(job.wait), lambda: None

    def result(self):
        job = self._queued()
        return lambda: self._for_a_moment(job.result), lambda: None

    def as_completed(self):
        jobs = [self._bench.ended(), self._queued()]
        return lambda: self._for_a_moment(lambda seconds: list(bg.as_completed(jobs, seconds))), lambda: None

    def _for_a_moment(self, wait):
        with contextlib.suppress(TimeoutError):
            wait(_MOMENT)

    def run_here(self):
        return lambda: bg.run_here("work.echo", {"value": {1}}), lambda: None

    def explain(self):
        return lambda: self._client.explain("work.echo", {"value": {1}}), lambda: None


#: All of them.
NAMES = [name for name in vars(Writers) if not name.startswith("_")]
