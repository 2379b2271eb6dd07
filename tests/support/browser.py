"""A real JupyterLab or Notebook 7, driven in a real headless Chromium: what tests and screenshots of the panel share."""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from ipybgjobs.commands.cli import main

from .place import DEADLINE, until

TOKEN = "token-of-the-tests"

#: The applications, and where each opens a notebook; in JupyterLab, in a workspace of its own: no tabs of another.
APPS = {"lab": "lab/workspaces/{name}/tree", "notebook": "notebooks"}

#: The first cell of each notebook.
LOAD = "%load_ext ipybgjobs\nimport ipybgjobs as bg, os, time"

#: The notebook that is seen.
SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"

#: Where a browser may be.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

#: The states of jobs that have not finished.
WAITING_OR_RUNNING = ("queued", "retrying", "running")

#: Screenshots are kept here, as output of the tests.
SHOTS = Path(os.environ.get("IPYBGJOBS_SCREENSHOTS", Path(tempfile.gettempdir()) / "ipybgjobs-screenshots"))


def browser_path():
    """The browser; None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def chromium():
    """A browser; without one these tests are left out, but never where everything must run."""
    if browser_path() is None and not os.environ.get("CI"):
        pytest.skip("no browser here: apt-get install chromium, or any Chrome, and these tests run")
    assert browser_path() is not None, "CI has no browser"
    return browser_path()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A Jupyter server whose notebooks are in one folder; `close` ends it with its kernels."""

    def __init__(self, folder, environment, *arguments):
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        self.settings.mkdir(parents=True, exist_ok=True)
        (self.settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
        options = [f"--ServerApp.port={self.port}", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"]
        options += ["--ServerApp.open_browser=False", "--allow-root", f"--ServerApp.root_dir={folder}"]
        self.log = (folder / "server.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *(arguments or ("jupyterlab",)), *options],
            env=environment | {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")},
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
        )
        until(lambda: self.get("/api/status") is not None, "the server's start")

    def get(self, path, method="GET"):
        """What the server answers; None if it doesn't."""
        request = urllib.request.Request(f"{self.address}{path}", method=method, headers={"Authorization": f"token {TOKEN}"})
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return json.loads(answer.read() or b"null")
        except OSError:
            return None

    def notebook(self, name, *cells):
        """Write a notebook of code cells."""
        path = self.folder / name
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        nbformat.write(made, path)
        return path

    def forget_theme(self):
        """The next page is light again."""
        (self.settings / "themes.jupyterlab-settings").unlink(missing_ok=True)

    def end_kernels(self):
        for session in self.get("/api/sessions") or []:
            self.get(f"/api/sessions/{session['id']}", "DELETE")

    def close(self):
        self.end_kernels()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)
        self.log.close()


class Notebook:
    """A notebook open in a page."""

    def __init__(self, page, server, name, app="lab"):
        self.page, self.server, self.name = page, server, name
        page.goto(f"{server.address}/{APPS[app].format(name=name.partition('.')[0])}/{name}?token={TOKEN}")
        self.wait_until_ready()

    def wait_until_ready(self):
        """Until it is drawn and its kernel idle: a key pressed before is lost."""
        self.page.locator(f"{SHOWN} .jp-CodeCell").first.wait_for(timeout=DEADLINE * 1000)
        until(self.is_connected, "a kernel for the notebook")

    def session(self):
        return next((each for each in self.server.get("/api/sessions") or [] if each["path"] == self.name), None)

    def is_connected(self):
        session = self.session()
        return session and session["kernel"]["connections"] >= 1 and session["kernel"]["execution_state"] == "idle"

    def cell(self, number):
        return self.page.locator(f"{SHOWN} .jp-CodeCell").nth(number)

    def prompt(self, number):
        return self.cell(number).locator(".jp-InputArea-prompt").inner_text().strip()

    def start(self, number):
        """Run a cell, and do not wait for its end."""
        before = self.prompt(number)
        for _ in range(5):
            self.cell(number).locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")
            limit = time.monotonic() + 3
            while time.monotonic() < limit:
                if self.prompt(number) != before:
                    return
                time.sleep(0.05)

    def run(self, number):
        self.start(number)
        until(lambda: "*" not in self.prompt(number) and self.prompt(number) != "[ ]:", f"the end of cell {number}")

    def panel(self, number):
        """The live panel or card below a cell."""
        return self.cell(number).locator(".ipybgjobs").last

    def output(self, number):
        return self.cell(number).locator(".jp-OutputArea").first

    def save(self):
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")


def opened(server, page, app, name, *cells):
    """A new notebook, open in an application, whose first cell has loaded the extension."""
    server.notebook(f"{name}.ipynb", LOAD, *cells)
    notebook = Notebook(page, server, f"{name}.ipynb", app)
    notebook.run(0)
    return notebook


def shot(page, name, locator=None):
    """Keep a picture of a page, or of a part of it."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    (locator or page).screenshot(path=str(SHOTS / f"{name}.png"))


class Desk:
    """The jobs of the server's user, from outside: from another process than the kernels'."""

    def __init__(self, place):
        self._place = place

    def run(self, *words):
        """Run a command line in the folder of the modules; return what it prints."""
        with contextlib.chdir(self._place.code), contextlib.redirect_stdout(io.StringIO()) as said:
            main(list(words))
        return said.getvalue()

    def submitted(self, *words):
        """Submit a job, and return its id."""
        return json.loads(self.run("submit", "--json", *words))["id"]

    def show(self, key):
        return json.loads(self.run("show", str(key), "--json"))

    def end_all(self):
        """Cancel what waits or runs, and let queues go on."""
        left = [str(job["id"]) for job in json.loads(self.run("list", "--json")) if job["state"] in WAITING_OR_RUNNING]
        if left:
            self.run("cancel", *left)
        self.run("resume")
