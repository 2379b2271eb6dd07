"""A Jupyter server with jobs to compare, and a page of a browser, for test files that bring no server of their own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from support.browser import Server, chromium
from support.place import DEADLINE, Place, end


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A state folder, allowed jobs and an environment for a whole server."""
    place = Place(tmp_path_factory.mktemp("home"))
    place.module("grids")
    place.allow(
        {"grids.Trial": ["fit", "score", "measure", "hold"]},
        BackgroundJobs__queues={"default": 3},
        BackgroundJobs__allow_notebook_code=True,
    )
    runtime = tempfile.mkdtemp(prefix="bgjobs-")
    place.variables = os.environ | {
        "IPYBGJOBS_STATE_DIR": str(place.state),
        "IPYBGJOBS_CONFIG": str(place.config_file),
        "JUPYTER_CONFIG_DIR": str(place.root / "jupyter"),
        "JUPYTER_DATA_DIR": str(place.root / "jupyter-data"),
        "JUPYTER_RUNTIME_DIR": runtime,
        "IPYTHONDIR": str(place.root / "ipython"),
        "PYTHONPATH": os.pathsep.join([str(place.code), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    yield place
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(scope="module")
def server(home):
    """A Jupyter server with JupyterLab and Notebook 7."""
    chromium()
    made = Server(home.root, home.variables)
    yield made
    made.close()
    end(home)


@pytest.fixture(scope="module")
def browser():
    """A browser."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture
def page(browser, server, home):
    """A page of its own; what fails in it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    made = context.new_page()
    made.set_default_timeout(DEADLINE * 1000)
    errors = []
    made.on("pageerror", lambda error: errors.append(f"{error}\n{error.stack}"))
    yield made
    context.close()
    server.end_kernels()
    server.forget_theme()
    _end_all(home)
    assert not [
        error for error in errors if "blob:" in error
    ]  # where a widget's script is; the applications have faults of their own


def _end_all(home):
    """Cancel what a test has left waiting or running."""

    def said(*words):
        command = [sys.executable, "-m", "ipybgjobs", *words]
        return subprocess.run(command, env=home.variables, cwd=home.code, capture_output=True, text=True, check=False).stdout

    left = [str(job["id"]) for job in json.loads(said("list", "--json")) if job["state"] in ("queued", "retrying", "running")]
    if left:
        said("cancel", *left)
