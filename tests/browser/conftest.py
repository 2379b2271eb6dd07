"""A Jupyter server, the jobs of its user, and a page of a browser, for test files that bring none of their own."""

import os

import pytest

from support.browser import Desk, Server, chromium
from support.place import DEADLINE


@pytest.fixture(scope="module")
def permit():
    """Writes the modules and the configuration of the server's user: jobs to compare, unless a file has others."""

    def write(place):
        place.module("grids")
        place.allow(
            {"grids.Trial": ["fit", "score", "measure", "hold"]},
            BackgroundJobs__queues={"default": 3},
            BackgroundJobs__allow_notebook_code=True,
        )

    return write


@pytest.fixture(scope="module")
def home(kept_place, permit):
    """A state folder, allowed jobs and an environment for a whole server."""
    permit(kept_place)
    path = os.pathsep.join([str(kept_place.code), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept_place.variables = os.environ | {"PYTHONPATH": path}
    return kept_place


@pytest.fixture(scope="module")
def server(home):
    """A Jupyter server with JupyterLab and Notebook 7."""
    chromium()
    made = Server(home.root, home.variables)
    yield made
    made.close()


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
def desk(home):
    """The jobs of the server's user; what a test has left of them is ended."""
    made = Desk(home)
    yield made
    made.end_all()


@pytest.fixture
def page(browser, server, desk):
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
    assert not [
        error for error in errors if "blob:" in error
    ]  # where a widget's script is; the applications have faults of their own
