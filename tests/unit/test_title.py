"""How a job is titled in lists, cards and tables."""

import pytest

from ipybgjobs.model import title
from ipybgjobs.model.call import Call


def call(target, **params):
    return Call(target, {}, params, {}, tuple(name for name in params if name == "token"))


TITLES = [
    (None, call("work.Exp.slow", i=3), "work.Exp.slow(i=3)"),
    ("first", call("work.Exp.slow", i=3), "first · work.Exp.slow(i=3)"),
    ("waves", call("ipybgjobs.Cell.run", code="import time\ntime.sleep(3)"), "waves"),
    (None, call("ipybgjobs.Cell.run", code="\n  import time\ntime.sleep(3)"), "import time"),
    (None, call("ipybgjobs.Cell.run", code=""), "cell"),
    ("train.ipynb", call("ipybgjobs.Notebook.run", path="/home/eva/train.ipynb"), "train.ipynb"),
    (
        "train.ipynb",
        call("ipybgjobs.Notebook.run", path="/home/eva/train.ipynb", parameters={"alpha": 0.1, "password": "x"}, output="/o/"),
        "train.ipynb(alpha=0.1, password='•••')",
    ),
    ("nightly", call("ipybgjobs.Notebook.run", path="/home/eva/train.ipynb"), "nightly · train.ipynb"),
    ("two\nlines", call("work.echo"), "two\\nlines · work.echo()"),
]


@pytest.mark.parametrize(("name", "called", "shown"), TITLES)
def test_the_title_says_what_tells_a_job_apart(name, called, shown):
    assert title.of_job(name, called) == shown


@pytest.mark.parametrize(
    ("name", "called", "shown"),
    [
        ("first", call("work.Exp.slow", i=3), "work.Exp.slow"),
        ("waves", call("ipybgjobs.Cell.run", code="1 / 0"), "waves"),
        ("n.ipynb", call("ipybgjobs.Notebook.run", path="/home/eva/n.ipynb"), "n.ipynb"),
    ],
)
def test_a_message_names_the_target_but_of_notebooks_and_cells_the_title(name, called, shown):
    assert title.in_sentence(name, called) == shown


@pytest.mark.parametrize("params", [{"path": 3}, {}, {"path": "/x/n.ipynb", "parameters": [1]}])
def test_a_notebook_whose_parameters_have_another_form_is_titled_too(params):
    assert title.of_job(None, Call(title.NOTEBOOK_RUN, {}, params, {}))
