"""A kernel in a place of its own, with the extension loaded."""

import contextlib
import os

from .kernels import LIVE, Kernel
from .place import Place, end

ALLOWED = {
    "studio.Model": ["fit"],
    "studio": ["describe", "tag", "total", "fails"],
    "shelf.Book": ["read"],
}


@contextlib.contextmanager
def loaded(root):
    """A notebook for all tests of a file; what they have left queued is cancelled."""
    notebook = Notebook(root)
    try:
        notebook.ok("import ipybgjobs as bg")
        notebook.ok("%load_ext ipybgjobs")
        yield notebook
    finally:
        notebook.allow()  # the last test may have left a broken file, which holds what is queued
        notebook.ok("bg.jobs(state='queued').cancel()")
        notebook.close()
        end(notebook.place)


class Notebook(Kernel):
    """A kernel in a place of its own, with the extension loaded."""

    def __init__(self, root):
        self.place = Place(root)
        self.place.module("studio")
        (self.place.code / "shelf").mkdir()
        (self.place.code / "shelf" / "__init__.py").write_text("from ._impl import Book\n")
        (self.place.code / "shelf" / "_impl.py").write_text("class Book:\n    def read(self):\n        return 'read'\n")
        self.allow()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IPYBGJOBS_")}
        environment |= {"IPYBGJOBS_STATE_DIR": str(self.place.state), "IPYBGJOBS_CONFIG": str(self.place.config_file)}
        environment |= {name: str(root / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
        super().__init__(environment, self.place.code)

    def allow(self):
        self.place.allow(ALLOWED, RetryPolicy__max_attempts=2, RetryPolicy__delay_seconds=0)

    def jobs(self):
        return self.value("len(bg.jobs(limit=10_000))")

    def shows_nothing(self, code):
        reply = self.ok(code)
        assert (reply.displays, reply.live, reply.stdout, reply.stderr) == ([], [], "", "")

    def shows_one_card(self, code):
        reply = self.ok(code)
        assert (reply.stdout, reply.stderr) == ("", "")
        [shown] = reply.displays
        assert set(shown) == {"text/plain", "text/html"}
        assert [set(view) for view in reply.live] == [{LIVE, "text/plain"}]  # below it, where a frontend draws it
        return shown

    def refuses(self, code):
        """Run a cell that is refused in one line, without a traceback and without a job; return what it says."""
        before = self.jobs()
        reply = self.run(code)
        assert (reply.status, reply.ename) == ("error", "UsageError"), reply.everything
        assert reply.stderr == f"UsageError: {reply.evalue}\n"
        assert "\n" not in reply.evalue
        assert (reply.displays, reply.stdout, reply.traceback) == ([], "", "")
        assert self.jobs() == before
        return reply.evalue

    def complete(self, code):
        """Return the texts that may come of completing a text at its end; some are IPython's own."""
        answer = self.client.complete(code, reply=True, timeout=60)["content"]
        return [code[: answer["cursor_start"]] + match + code[answer["cursor_end"] :] for match in answer["matches"]]
