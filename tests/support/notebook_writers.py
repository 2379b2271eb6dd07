"""What a notebook's cells write, swept in a kernel in which the extension is loaded."""

import contextlib
import io
import json
from pathlib import Path

from IPython.core.getipython import get_ipython

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.commands import digest as away
from ipybgjobs.commands import magics
from ipybgjobs.commands.assignment import PendingAssignment, PendingAssignments
from ipybgjobs.configuration import traits

#: What is interrupted; what these call of the client is swept without a notebook.
WITHIN = {
    "line": "commands/magics.py",
    "into": "commands/magics.py",
    "cell": "commands/magics.py",
    "display": "commands/live_outputs.py",
    "card": "panel/widget.py",
    "variables": "commands/assignment.py",
    "away": "commands/digest.py",
    "loading": "commands/magics.py",
    "unloading": "commands/magics.py",
}

#: Those of which nothing is to be said: they change nothing that outlives the kernel.
SILENT = {"variables", "away", "loading", "unloading"}


class NotebookWriters:
    """What is tried in the shell of this process."""

    def __init__(self, bench):
        self._bench = bench
        self._shell = get_ipython()
        self._shell.user_ns |= {"ready": {1, 2}, "x": {3}}

    def _into(self):
        found = {callback.__self__ for callback in self._shell.events.callbacks["post_run_cell"] if hasattr(callback, "__self__")}
        [into] = [each for each in found if isinstance(each, PendingAssignments)]
        return into

    def _one_new(self):
        before = self._bench.ids()

        def done():
            new = self._bench.ids() - before
            assert len(new) <= 1
            return bool(new)

        return done

    def line(self):
        return lambda: self._shell.run_line_magic("bgjob", "work.echo value=$ready"), self._one_new()

    def into(self):
        return lambda: self._shell.run_line_magic("bgjob", "work.echo value=$ready --into got"), self._one_new()

    def cell(self):
        self._bench.clear()  # else what shows a job goes on to look at it
        return lambda: self._shell.run_cell_magic("bgjob", "--in x --out y", "y = x"), self._one_new()

    display = card = cell

    def away(self):
        """What ended since the last look is said; what an interrupt has kept from being said is said by the next."""

        def done():
            assert away.digest() is None or "While you were away" in away.digest()
            assert json.loads(Path(self._bench.folder.last_look_file()).read_text())["at"] > 0

        return away.digest, done

    def variables(self):
        """A job has succeeded between two cells: its variables are set, or wait for the end of the next cell."""
        into, job = self._into(), bg.job("finished")
        into.waiting = {"got": PendingAssignment(job)}
        self._shell.user_ns.pop("got", None)

        def done():
            into._assign_ready()
            assert self._shell.user_ns["got"] == {7}
            assert not into.waiting

        return into._assign_ready, done

    def loading(self):
        magics.unload_ipython_extension(self._shell)
        return lambda: magics.load_ipython_extension(self._shell), self._loaded

    def unloading(self):
        magics.unload_ipython_extension(self._shell)
        magics.load_ipython_extension(self._shell)
        return lambda: magics.unload_ipython_extension(self._shell), self._loaded

    def _loaded(self):
        """Whatever has come of it, to load it anew gives a notebook that works, with nothing there twice."""
        magics.load_ipython_extension(self._shell)
        self._into()
        assert len([each for each in self._shell.configurables if isinstance(each, traits.CLASSES)]) == len(traits.CLASSES)
        self._shell.run_line_magic("bgjob", "work.echo value=1 --delay 9h")
        client_module.use(self._bench.client)


#: All of them.
NAMES = [name for name in vars(NotebookWriters) if not name.startswith("_")]


def sweep(bench, name, event="line"):
    """Sweep one of them; return how many steps there were, how often it was done and said so, and where it was not."""
    with contextlib.redirect_stdout(io.StringIO()):
        found = bench.sweep(getattr(NotebookWriters(bench), name), event, WITHIN[name])
    NotebookWriters(bench)._into().waiting.clear()
    bench.clear()
    return found.count, found.done, found.said, found.unsaid
