"""Interrupts a writer at each of its steps in turn, and looks after each at what it left: no job or a whole one, nothing blocked.

Run by hand it does so before every opcode of every writer, and prints the counts: python -m tests.support.interrupts
"""

import contextlib
import gc
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.client import Client
from ipybgjobs.client.jobs import waiting
from ipybgjobs.model import serialization
from ipybgjobs.system import interrupt_shield, place
from ipybgjobs.system.lock import FileLock

from .writers import NAMES, WITHIN, Writers

PACKAGE = str(Path(bg.__file__).parent)


class Interrupt:
    """Raises KeyboardInterrupt at one step of this thread within our modules; counts them where `at` is never reached.

    `within` names a module or folder, or several.
    """

    def __init__(self, at, event, within=""):
        self.at, self.event, self.count = at, event, 0
        self.within = tuple(f"{PACKAGE}/{each}" for each in ([within] if isinstance(within, str) else within))
        self.where = "none of them"
        self.places = []  #: where `at` is 0: where each step was

    def __call__(self, frame, event, _argument):
        if not frame.f_code.co_filename.startswith(self.within):
            return None
        frame.f_trace_opcodes = self.event == "opcode"
        if event == self.event:
            self.count += 1
            if not self.at:
                self.places.append(self._place(frame))
            if self.count == self.at:
                self.where = f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
                raise KeyboardInterrupt
        return self

    def _place(self, frame):
        """A line with the one that led to it, or an opcode."""
        if self.event == "opcode":
            return frame.f_code, frame.f_lasti
        return frame.f_code, frame.f_lineno, frame.f_back.f_code, frame.f_back.f_lineno

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
        self.other = sqlite3.connect(self.folder.database, timeout=1.0, isolation_level=None)
        self.anchor = bg.submit("work.echo", {"value": 0}).id
        self.other.execute("PRAGMA synchronous = OFF")
        self.turns = 0

    def close(self):
        self.other.close()
        self.turn.close()

    @contextlib.contextmanager
    def answering(self):
        """While requests are answered, as by a supervisor; whoever waits sees to one at each look."""
        over, before = threading.Event(), waiting._BEAT
        waiting._BEAT = 0.0
        supervisor = threading.Thread(target=self._answer, args=(over,))
        supervisor.start()
        try:
            yield
        finally:
            over.set()
            supervisor.join()
            waiting._BEAT = before

    def _answer(self, over):
        """Answer requests a moment after they were made."""
        store = sqlite3.connect(self.folder.database, timeout=60.0, isolation_level=None)
        store.execute("PRAGMA synchronous = OFF")
        while not over.wait(0.001):
            if not store.execute("SELECT count(*) FROM requests").fetchone()[0]:
                continue
            time.sleep(0.001)
            store.execute("BEGIN IMMEDIATE")
            for job, verb in store.execute("SELECT job_id, verb FROM requests").fetchall():
                store.execute(ANSWERS[verb], {"job": job, "place": place.here()})
            store.execute("DELETE FROM requests")
            store.execute("COMMIT")
        store.close()

    def ids(self):
        return {row[0] for row in self.other.execute("SELECT id FROM jobs")}

    def end(self, *jobs):
        """Let jobs have failed; return the last of them."""
        for job in jobs:
            self.other.execute("UPDATE jobs SET state = 'failed', ended_at = 1.0, attempt = 1 WHERE id = ?", (job.id,))
        return jobs[-1]

    def ended(self):
        """A job with a folder of its own that has failed."""
        return self.end(bg.submit("work.echo", {"value": {1}}))

    def elsewhere(self, job):
        """Let a job be in a place of which nobody is seen."""
        self.other.execute("UPDATE jobs SET place = 'gone', host = 'far-away' WHERE id = ?", (job.id,))
        return job

    def clear(self):
        """Forget every job that is not needed any more."""
        self.other.execute("DELETE FROM requests")
        self.other.execute("DELETE FROM jobs WHERE id > ?", (self.anchor,))
        self.other.execute("DELETE FROM groups")
        self.folder.remove(set(os.listdir(self.folder.jobs)) - self.needed())

    def needed(self):
        """The uids of the jobs that have a folder."""
        return {row[0] for row in self.other.execute("SELECT uid FROM jobs WHERE pickled != '{}'")}

    @contextlib.contextmanager
    def instead(self, state):
        """Within another state folder."""
        os.environ["IPYBGJOBS_STATE_DIR"] = str(state)
        try:
            yield
        finally:
            os.environ["IPYBGJOBS_STATE_DIR"] = self.folder.path

    def damaged(self):
        """A state folder whose store is damaged: a copy of one that is made once."""
        made, copy = Path(f"{self.folder.path}-damaged"), Path(f"{self.folder.path}-copy")
        if not made.exists():
            self.clear()
            for number in range(9):
                bg.submit("work.echo", {"value": f"{number}" * 5000})
            shutil.copytree(self.folder.path, made, ignore=shutil.ignore_patterns("*.sock"))
            with contextlib.closing(sqlite3.connect(made / "jobs.db")) as store:
                store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            content = (made / "jobs.db").read_bytes()
            page = content.index(b"3" * 1000) // 4096 * 4096
            (made / "jobs.db").write_bytes(content[:page] + bytes(4096) + content[page + 4096 :])
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(made, copy)
        return copy

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
        self.client.keep(self.folder, [self.anchor], kept=bool(self.turns % 2))
        assert not self.client.database(self.folder).connection.in_transaction, where
        assert set(os.listdir(self.folder.jobs)) == self.needed(), f"{where}: folders and rows differ"

    def check_new(self, before, where):
        """The parameters of each new job can be read."""
        for job_id in self.ids() - before:
            job = bg.job(job_id)
            content = Path(self.folder.job(job.uid), "parameters.pkl").read_bytes()
            assert serialization.load(content), where

    def sweep(self, prepare, event="line", within="", *, once=False):
        """Interrupt what `prepare` returns at each of its lines or opcodes in turn; return what came of it.

        `once`: at each line once, not from each place that leads to it.
        """
        found = Swept()
        with self.answering(), warnings.catch_warnings(record=True) as unclosed:
            warnings.simplefilter("always", ResourceWarning)
            action, _ = prepare()
            action()  # once uninterrupted, so that modules are loaded
            for number in self._steps(prepare, event, within, once):
                self._turn(prepare, Interrupt(number, event, within), found)
            gc.collect()
        found.unclosed += sorted({str(each.message) for each in unclosed})
        return found

    def _steps(self, prepare, event, within, once):
        """When an action comes to a line, from each place that leads to it, or to an opcode for the first and the last time."""
        action, done = prepare()
        interrupt = Interrupt(0, event, within)
        interrupt.during(action)
        done()
        first, last = {}, {}
        for number, place_of in enumerate(interrupt.places, 1):
            first.setdefault(place_of[:2] if once else place_of, number)
            last[place_of] = number
        return sorted(first.values() if once else {*first.values(), *last.values()})

    def _turn(self, prepare, interrupt, found):
        action, done = prepare()
        before, found.count = self.ids(), found.count + 1
        stopped = interrupt.during(action)
        where = f"{interrupt.event} {interrupt.at}, in {interrupt.where}"
        self.check(where)
        self.check_new(before, where)
        happened, said = done(), bool(stopped is not None and str(stopped))
        if happened is not None:
            assert happened or not (stopped is None or said), f"{where}: {stopped!r}, but nothing was done"
            found.said += said
            found.done += bool(happened and stopped is not None)
            found.unsaid += [where] if happened and stopped is not None and not said else []


class Swept:
    """What came of all interrupts of one writer."""

    def __init__(self):
        self.count = 0  #: steps
        self.done = 0  #: interrupts that came when it was done
        self.said = 0  #: of these, those that said so
        self.unsaid = []  #: where the others came
        self.unclosed = []  #: what nobody closed


#: What becomes of a job by each request.
ANSWERS = {
    "cancel": "UPDATE jobs SET state = 'cancelled', ended_at = 1.0 WHERE id = :job",
    "retry": "UPDATE jobs SET state = 'queued', attempt = attempt + 1 WHERE id = :job",
    "adopt": "UPDATE jobs SET place = :place WHERE id = :job",
}

#: In memory: nothing here is about what survives a crash, and each turn would wait for the disk several times.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None


def main():
    from .place import ALLOWED, Place

    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        place = Place(Path(root))
        os.environ |= {"IPYBGJOBS_STATE_DIR": str(place.state), "IPYBGJOBS_CONFIG": str(place.config_file)}
        os.environ |= {"JUPYTER_CONFIG_DIR": f"{root}/jupyter", "IPYTHONDIR": f"{root}/ipython"}
        sys.path.insert(0, str(place.code))
        place.module("work")
        place.module("more", "def added():\n    return 1\n")
        place.allow(ALLOWED)
        client_module.use(Client())
        bench = Bench()
        for name in sys.argv[1:] or NAMES:
            began = time.monotonic()
            try:
                found = bench.sweep(getattr(Writers(bench), name), "opcode", WITHIN.get(name, ""))
            except AssertionError as error:
                print(f"{name:16}{error}", flush=True)
                continue
            print(f"{name:16}{found.count:6} opcodes, {found.done:5} when it was done, {found.said:5} said so", end="")
            print(f", {time.monotonic() - began:5.0f} s", *found.unsaid, *found.unclosed, sep="\n    ", flush=True)
            bench.clear()
        bench.close()
        interrupt_shield.run(bench.client.close)


if __name__ == "__main__":
    main()
