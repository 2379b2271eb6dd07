"""What a notebook says of the magics when it is asked, and what its messages tell one to type: only what works there."""

import os
import signal

import pytest

from support.magics import loaded
from support.place import until


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    with loaded(tmp_path_factory.mktemp("notebook")) as opened:
        opened.ok("bg.submit('studio.describe', {'value': 1}, name='my name').wait(60)")
        yield opened


def asked(notebook, code):
    """The text of the pager that ``magic?`` opens."""
    pages = []
    answer = notebook.client.execute_interactive(code, timeout=60, output_hook=pages.append)["content"]
    assert answer["status"] == "ok"
    return answer["payload"][0]["data"]["text/plain"]


@pytest.mark.parametrize(
    ("code", "head"),
    [
        ("%bgjob --help", "usage: %bgjob [options]"),
        ("%bgjob -h", "usage: %bgjob [options]"),
        ("j = %bgjob --queue gpu --help", "usage: %bgjob [options]"),
        ("%%bgjob --help\n1", "usage: %%bgjob [options]"),
        ("%bgjobs --help", "usage: %bgjobs [-h]"),
        ("%bgjobs -h", "usage: %bgjobs [-h]"),
        ("%bgjobs list --help", "usage: %bgjobs list"),
        ("%bgjobs cancel -h", "usage: %bgjobs cancel"),
        ("%bgjobs submit --help", "usage: %bgjobs submit"),
    ],
)
def test_help_is_output_with_options_and_examples(notebook, code, head):
    before = notebook.jobs()
    said = notebook.ok(code)
    assert said.stdout.startswith(head)
    assert "-h, --help" in said.stdout
    magic = code.split("%")[-1].split()[0]
    assert said.stdout.partition("examples:")[2].count(f"%{magic}") >= 3
    assert "jupyter bgjobs" not in said.stdout
    assert (said.stderr, said.displays, said.live, notebook.jobs()) == ("", [], [], before)


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("%bgjob?", ["--queue QUEUE", "--into NAME", "%bgjob training.Trainer.fit epochs=50", "usage: %%bgjob", "--in NAMES"]),
        ("%%bgjob?", ["usage: %%bgjob", "%%bgjob --in df,epochs --out model"]),
        ("%bgjobs?", ["usage: %bgjobs", "cancel", "%bgjobs list --state failed"]),
    ],
)
def test_a_question_mark_shows_the_same(notebook, code, parts):
    text = asked(notebook, code)
    assert [part for part in parts if part not in text] == []


def test_quotes_are_taken_off_a_verb_s_words(notebook):
    shown = notebook.ok("%bgjobs show 'my name'").stdout
    assert shown == notebook.ok('%bgjobs show "my name"').stdout == notebook.ok("%bgjobs 1").stdout
    assert shown.startswith("job 1 · my name · ")
    assert notebook.ok('%bgjobs list --name "my name"').stdout.startswith("job 1")
    notebook.ok("%bgjobs retry 'my name' value=\"a b\"")
    assert notebook.value("bg.jobs(limit=1)[0].wait(60).params") == {"value": "a b"}


def test_messages_name_what_works_in_a_notebook(notebook):
    assert "`%bgjobs list` shows the existing jobs" in notebook.refuses("%bgjobs show 999")
    assert "`%bgjobs list` shows the existing jobs" in notebook.run("bg.job(999)").evalue
    assert "`%bgjobs priority 5 --to 3` gives job 5 the priority 3" in notebook.refuses("%bgjobs priority 5 3")
    notebook.ok("j = %bgjob --unique=one --delay 1h studio.describe value=1")
    refused = notebook.refuses("%bgjob --unique=one studio.describe value=2")
    assert "submit with --on-duplicate existing or --on-duplicate replace." in refused
    assert 'on_duplicate="existing"' in notebook.run("bg.submit('studio.describe', {'value': 1}, unique='one')").evalue
    notebook.ok("j.cancel()")
    assert "or use --after-any" in notebook.refuses("%bgjob --after $j studio.describe value=1")
    assert "--on-duplicate applies only to a job with a unique key: add --unique." in notebook.refuses(
        "%bgjob --on-duplicate replace studio.describe value=1"
    )
    assert "%bgjobs config show" in notebook.run("%config BackgroundJobs.queues = {'x': 1}\nbg.submit('studio.describe')").evalue
    notebook.ok("%reload_ext ipybgjobs")


def test_after_the_extension_is_unloaded_messages_name_what_works_in_a_script(notebook):
    notebook.ok("%unload_ext ipybgjobs")
    assert "`bg.jobs()` shows the existing jobs" in notebook.run("bg.job(999)").evalue
    notebook.ok("%load_ext ipybgjobs")


def of_folder(notebook, folder):
    return [pid for pid, line in notebook.place.processes().items() if str(folder) in line]


def test_the_demo_and_the_dashboard_leave_the_notebook_as_it_is(notebook):
    for module in ("sklearn", "nbclient"):
        pytest.importorskip(module)
    notebook.ok("import os; before = dict(os.environ), os.getcwd(), len(bg.jobs())")
    folder = notebook.place.root / "demo"
    try:
        said = notebook.ok(f"%bgjobs demo --folder '{folder}'").stdout
    finally:
        until(
            lambda: not [os.kill(pid, signal.SIGKILL) for pid in of_folder(notebook, folder)], "the end of the demo's processes"
        )
    assert "was killed with SIGKILL" in said
    assert f"Both notebooks are saved in {folder}" in said
    assert notebook.value("before == (dict(os.environ), os.getcwd(), len(bg.jobs()))")
    assert "run jupyter bgjobs dashboard in a terminal; here, %bgjobs shows the same." in notebook.refuses("%bgjobs dashboard")
