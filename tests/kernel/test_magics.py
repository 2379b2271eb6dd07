"""The magics as a notebook shows them: one real kernel, what its cells print, show and refuse."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ipybgjobs as bg
from support.kernels import Kernel
from support.magics import ALLOWED, loaded


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with loaded(tmp_path_factory.mktemp("notebook")) as notebook:
        notebook.ok("%bgjob studio.Model.fit")  # the first submit may tell of a container
        yield notebook


@pytest.fixture
def notebook(opened):
    opened.allow()
    return opened


@pytest.fixture
def configured(notebook):
    """A notebook whose %config lasts for one test."""
    yield notebook
    notebook.ok("for name in ('BackgroundJobs', 'RetryPolicy', 'JobLogs'):\n    get_ipython().config.pop(name, None)")
    notebook.ok("%reload_ext ipybgjobs")


# -- the card ------------------------------------------------------------------------------------------------------------


def test_the_card_is_shown_once_and_its_value_is_the_job(notebook):
    shown = notebook.shows_one_card("%bgjob studio.Model.fit epochs=2")
    assert "studio.Model.fit(epochs=2)" in shown["text/plain"]
    assert "studio.Model.fit(epochs=2)" in shown["text/html"]
    assert notebook.value("_.result(60)") == [0.1, (), 2, ""]


def test_a_job_with_a_name_to_itself_costs_a_line_and_shows_its_card_when_it_is_asked_for(notebook):
    reply = notebook.ok("job = %bgjob studio.Model.fit epochs=2")
    assert (reply.stdout, reply.live) == ("", [])
    assert reply.displays == [{"text/plain": f"job {notebook.value('job.id')} submitted: studio.Model.fit(epochs=2)"}]
    notebook.shows_one_card("job")
    notebook.shows_one_card("job")


@pytest.mark.parametrize("code", ["bg.Panel()", "%bgjobs"])
def test_a_panel_brings_a_table_for_where_it_is_not_alive(notebook, code):
    shown = notebook.shows_one_card(code)
    assert "studio.Model.fit" in shown["text/plain"]
    assert "<table" in shown["text/html"]


def test_what_is_shown_again_begins_with_what_is_so_then(notebook):
    notebook.ok("%bgjobs")
    notebook.ok("late = %bgjob studio.Model.fit epochs=2;")
    notebook.ok("late.wait(60)")
    notebook.ok("import time; time.sleep(0.3)")  # what was shown a moment ago is current
    notebook.ok("%bgjobs")
    notebook.ok("from ipybgjobs.panel import display")
    first = "next(shown.first['rows'][0] for (_, job, group), shown in display._shown.items() if job is group is None)"
    assert notebook.value(f"{first}[:2] == [late.id, 'succeeded']")


def test_a_panel_of_one_job_brings_a_card(notebook):
    notebook.ok("job = %bgjob studio.Model.fit epochs=2;")
    assert "studio.Model.fit(epochs=2)" in notebook.shows_one_card("bg.Panel(job.id)")["text/plain"]


def test_in_a_terminal_a_panel_is_a_table_of_text(place):
    bg.submit("work.echo", {"value": 1}).wait(60)
    code = "import ipybgjobs as bg; display(bg.Panel())"
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place.code)
    assert "work.echo(value=1) · succeeded" in done.stdout


def test_a_loop_shows_one_line_and_no_cards(notebook):
    before = notebook.jobs()
    reply = notebook.ok("for number in range(5):\n    %bgjob studio.describe value=$number")
    assert (reply.stdout, reply.live, len(reply.displays)) == ("", [], 1)
    first = notebook.value("bg.jobs(limit=5)[-1].id")
    assert reply.updates[-1] == {"text/plain": f"5 jobs submitted: {first} to {first + 4}"}
    assert notebook.jobs() == before + 5
    assert notebook.value("[job.params['value'] for job in bg.jobs(limit=5)]") == [4, 3, 2, 1, 0]


def test_jobs_whose_cards_are_shown_are_not_mentioned_again(notebook):
    reply = notebook.ok("first = %bgjob studio.describe value=1\n%bgjob studio.describe value=2")
    assert [set(each) for each in reply.displays] == [{"text/plain"}, {"text/plain", "text/html"}]
    assert re.fullmatch(r"job \d+ submitted: studio\.describe\(value=1\)", reply.displays[0]["text/plain"])
    assert reply.updates == []
    notebook.shows_one_card("job = %bgjob studio.describe value=1\njob")


def test_the_line_about_a_job_comes_before_what_the_rest_of_the_cell_prints(notebook):
    reply = notebook.ok("job = %bgjob studio.describe value=1\nprint('later')\nnumber = 1")
    assert [kind for kind, _ in reply.order] == ["display_data", "stream"]
    assert reply.order[0][1]["text/plain"].startswith("job ")


def test_in_a_terminal_the_first_job_has_its_line_at_once_and_the_sum_comes_at_the_end(place):
    place.allow({"work": ["echo"]})
    cells = ["%load_ext ipybgjobs", "for i in range(3):\n    %bgjob work.echo value=$i\nprint('later')"]
    code = f"for cell in {cells}: get_ipython().run_cell(cell)"
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place.code)
    lines = [line for line in done.stdout.splitlines() if "submitted" in line or line == "later"]
    assert [line.partition(":")[0] for line in lines] == ["job 1 submitted", "later", "3 jobs submitted"]


def test_variables_of_the_notebook_stand_in_the_line_of_a_verb(notebook):
    notebook.ok("one = %bgjob --delay 1h --name 'the one' studio.describe value=1;")
    notebook.ok("both = bg.submit_many('studio.describe', [{'value': 1}, {'value': 2}], delay='1h')")
    identity = notebook.value("one.id")
    for word in ("$one", "$one.id", "$one.uid", "$one.name"):
        assert notebook.ok(f"%bgjobs show {word}").stdout.startswith(f"job {identity}"), word
    ids = notebook.value("[job.id for job in both]")
    listed = notebook.ok("%bgjobs list --group=$both").stdout
    assert all(f"job {each}" in listed for each in ids)
    said = notebook.ok("%bgjobs cancel $one $both.jobs").stdout
    assert [int(each) for each in re.findall(r"^job (\d+)", said, re.MULTILINE)] == [identity, *ids]
    notebook.ok("both.remove()")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show $missing", 'this notebook has no variable missing; for the text itself, write "$missing".'),
        ("show $number.nothing", "number has no attribute nothing."),
        ("cancel $thing", "$thing is of type dict: write a job, a group, an id or a name, such as $job or $job.id."),
    ],
)
def test_a_variable_that_is_no_job_costs_one_sentence(notebook, line, said):
    notebook.ok("number, thing = 7, {}")
    assert notebook.refuses(f"%bgjobs {line}").endswith(said)


def test_one_configuration_file_is_one(notebook):
    assert notebook.ok("%bgjobs config check").stdout.startswith("1 configuration file read, ")


def test_a_target_that_is_nowhere_is_not_offered_to_be_allowed(notebook):
    assert notebook.refuses("%bgjob Nope.run") == (
        "Nope.run is not on the allowlist; there is no module Nope here. Put its file beside the notebook, or install it."
    )
    assert notebook.run("bg.submit('studoi.describe')").evalue.endswith("Did you mean studio.describe?")


def test_a_silenced_line_in_a_loop_says_nothing(notebook):
    notebook.shows_nothing("for number in range(2):\n    %bgjob studio.describe value=$number;")


@pytest.mark.parametrize("end", [";", " ;", ";  ", "; # for later"])
def test_a_semicolon_silences_and_the_value_is_still_the_job(notebook, end):
    notebook.shows_nothing(f"%bgjob studio.describe value=1{end}")
    assert notebook.value("(_.target, _.params)") == ("studio.describe", {"value": 1})


def test_a_semicolon_silences_its_own_line_only(notebook):
    notebook.shows_nothing("job = %bgjob studio.describe value=1;")
    notebook.shows_one_card("job")


@pytest.mark.parametrize("line", ["value=1 # a comment", "value=1 # it's one; with a ' and a [", "value=1 #"])
def test_a_comment_is_no_part_of_the_line(notebook, line):
    shown = notebook.shows_one_card(f"%bgjob studio.describe {line}")
    assert "studio.describe(value=1)" in shown["text/plain"]


def test_names_and_parameters_are_shown_as_text(notebook):
    evil = "<img src=x onerror=alert(1)>"
    shown = notebook.shows_one_card(f"%bgjob studio.fails message='{evil}' --name '{evil} & co'")
    notebook.ok("_.wait(60)")
    panel = notebook.ok("%bgjobs").displays[0]
    for text in (shown["text/html"], panel["text/html"]):
        assert "<img" not in text
        assert html.escape(evil) in text


# -- values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("50", 50),
        ("True", True),
        ("None", None),
        ("'a b'", "a b"),
        ('"a # b; c"', "a # b; c"),
        ("fast", "fast"),
        ("[64, 32]", [64, 32]),
        ("{'a': 1}", {"a": 1}),
        ("{'a': {'b': [1, (2, 3)]}}", {"a": {"b": [1, (2, 3)]}}),
        ('"{number}"', "{number}"),
        ('"$number"', "$number"),
        ("{number}", None),
        ("$number", 7),
        ("[$number, 2]", [7, 2]),
        ("{'n': $number}", {"n": 7}),
        ("$pair", {"deep": [1, {2}]}),
    ],
)
def test_a_value_is_a_literal_a_word_or_a_variable_by_value(notebook, typed, value):
    notebook.ok("number = 7\npair = {'deep': [1, {2}]}")
    line = f"%bgjob studio.describe value={typed}"
    if typed == "{number}":  # IPython would put 7 in its place
        assert "{number}" in notebook.refuses(line)
    else:
        notebook.ok(f"job = {line}\npair['deep'].append('later')")
        assert notebook.value("job.result(60)") == [type(value).__name__, repr(value)]


def test_a_table_is_sent_by_value(notebook):
    pytest.importorskip("pandas")
    notebook.ok("import pandas\ntable = pandas.DataFrame({'a': [1.5, 2.5]})")
    notebook.ok("job = %bgjob studio.total table=$table\ntable['a'] = 0.0")
    assert notebook.value("job.result(60)") == ["DataFrame", 4.0]


def test_a_local_variable_of_a_function_is_found(notebook):
    notebook.ok(
        "local = 'global'\ndef send(local):\n    job = %bgjob studio.describe value=$local\n    return job\nsent = send([1])"
    )
    assert notebook.value("sent.result(60)") == ["list", "[1]"]


def test_the_annotation_decides_what_a_text_means(notebook):
    notebook.ok("job = %bgjob studio.tag version=1.10 path=~/data.csv")
    assert notebook.value("job.result(60)") == ["1.10", str(Path("~/data.csv").expanduser())]
    notebook.ok("job = %bgjob studio.Model.fit epochs=3 note=true")
    assert notebook.value("job.result(60)") == [0.1, (), 3, "true"]


@pytest.mark.parametrize(
    "line",
    [
        "--name 'my run' --priority 3 studio.Model.fit epochs=2",
        "studio.Model.fit epochs=2 --name='my run' --priority=3",
        '--priority 3 studio.Model.fit --name "my run" epochs=2',
    ],
)
def test_options_stand_before_or_after_the_target(notebook, line):
    notebook.ok(f"job = %bgjob {line}")
    assert notebook.value("(job.name, job.priority, job.params)") == ("my run", 3, {"epochs": 2})


def test_a_constructor_s_parameters_stand_in_brackets(notebook):
    notebook.ok("depth = 3\njob = %bgjob Model(lr=0.5, layers=[64, $depth]).fit note='a b'")
    assert notebook.value("job.result(60)") == [0.5, [64, 3], 1, "a b"]


def test_a_class_may_have_another_name_in_the_notebook(notebook):
    notebook.ok("from studio import Model as Net\njob = %bgjob Net.fit epochs=4")
    assert notebook.value("job.result(60)[2]") == 4


def test_an_imported_class_is_found_by_the_path_that_the_allowlist_has(notebook):
    notebook.ok("from shelf import Book\njob = %bgjob Book.read")
    assert notebook.value("job.result(60)") == "read"
    assert notebook.value("bg.run_background_job(Book, 'read').result(60)") == "read"


def test_a_job_can_be_awaited_in_a_cell(notebook):
    reply = notebook.ok("job = %bgjob studio.describe value=1\nawait job")
    assert reply.displays[-1]["text/plain"] == "['int', '1']"


def test_what_a_job_raised_is_raised_in_the_cell_with_the_traceback_of_the_job(notebook):
    notebook.ok("job = %bgjob studio.fails message='no such row' --retry 1")
    reply = notebook.run("job.result(60)")
    assert (reply.ename, reply.evalue) == ("LookupError", "no such row")
    assert "studio.py" in reply.traceback
    assert "in fails" in reply.traceback


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "A job needs a target"),
        ("# nothing", "A job needs a target"),
        ("value=1", "A job needs a target"),
        ("studio.describe", "describe() is missing the required parameter value: pass value=…"),
        ("studio.describe 1", "'1' is not a parameter: write key=value"),
        ("studio.describe value = 1", 'with no spaces around "="'),
        ("studio.describe value=", 'value= has no value; for the empty text, write value=""'),
        ("studio.describe value=1 value=2", "value is given twice"),
        ("studio.describe valeu=1", "Did you mean value?"),
        ("studio.describe value=true", 'write value=True for the value, or value="true" for the text'),
        ("studio.describe value=null", 'write value=None for the value, or value="null" for the text'),
        ("studio.describe value=number", 'Write value=$number for its value, or value="number" for the text'),
        ("studio.describe value=$missing", "this notebook has no variable missing"),
        ("studio.describe value=number.bit_length()", "neither a Python literal nor a bare word"),
        ("studio.describe value='a", "' is not closed in"),
        ("studio.describe value=[1, 2", "A bracket is not closed in"),
        ("studio.Model.fit epochs=many", "epochs='many' does not fit int"),
        ("studio.Model(lr=fast).fit", "lr='fast' does not fit float"),
        ("studio.Model(0.5).fit", "'0.5' is not a parameter"),
        ("studio.describe value=$thread", "can't be sent to another process"),
        ("--frob studio.describe value=1", "--frob"),
        ("studio.describe value=1 --priority high", "'high' is not a whole number"),
        ("studio.describe value=1 --name", "expected one argument"),
        ("studio.describe value=1 --delay soon", "got 'soon'"),
        ("studio.describe value=1 --queue gpu", "There is no queue 'gpu'"),
        ("studio.Model._hidden", "_hidden is a private name"),
        ("studio.Model.fitt", "Did you mean studio.Model.fit?"),
        ("studio", "is not a valid target"),
    ],
)
def test_a_wrong_line_costs_one_line(notebook, line, said):
    notebook.ok("import threading\nnumber, thread = 7, threading.Lock()")
    assert said in notebook.refuses(f"%bgjob {line}".rstrip())


def test_a_refusal_prints_the_line_that_allows_it(notebook):
    notebook.place.module("extra", "def run():\n    return 'ran'\n")
    refusal = notebook.refuses("%bgjob extra.run")
    command = "%bgjobs allow extra.run"
    assert refusal == f"extra.run is not on the allowlist. To allow it: {command}"
    said = notebook.ok(command).stdout
    assert said.startswith("extra.run is allowed (")
    assert said.endswith(f": a function in {notebook.place.code}/extra.py.\n")
    notebook.ok("job = %bgjob extra.run")
    assert notebook.value("job.result(60)") == "ran"
    assert "extra" not in notebook.value("sorted(__import__('sys').modules)")
    assert notebook.ok("%bgjobs disallow extra.run").stdout.startswith("extra.run is no longer allowed (")
    assert notebook.refuses("%bgjob extra.run") == refusal


SLOW = """
class Slow:
    pass

import time
time.sleep(1.5)
Slow.fit = lambda self: 1
"""


def test_what_is_said_beside_an_answer_is_not_red(notebook):
    notebook.place.module("slowly", SLOW)
    allowed = notebook.ok("%bgjobs allow slowly.Slow.fit")
    notebook.ok("%bgjobs disallow slowly.Slow.fit")
    assert allowed.stdout.startswith(
        "Importing slowly.Slow.fit in a process of its own, to see what it takes …\nslowly.Slow.fit is"
    )
    notebook.ok("needed = bg.submit('studio.describe', {'value': 1}, delay='1h')")
    notebook.ok("other = bg.submit('studio.describe', {'value': 2}, after=needed)")
    notebook.ok("needed.cancel().remove(); other.wait(60);")
    retried = notebook.ok("%bgjobs retry --failed")
    assert f"not changed: job {notebook.value('other.id')} depends on" in retried.stdout
    assert (allowed.stderr, retried.stderr) == ("", "")


def test_a_typo_is_told_the_right_name_alone(notebook):
    notebook.place.module("extra", "def run():\n    return 'ran'\n")
    assert notebook.refuses("%bgjob extra.rum") == (
        "extra.rum is not on the allowlist; extra has no rum. Did you mean extra.run?"
    )
    assert notebook.refuses("%bgjobs allow extra.rum") == "extra.rum does not exist: extra has no rum. Did you mean extra.run?"


def test_a_class_of_the_notebook_is_told_to_move_into_a_module(notebook):
    notebook.ok("class Mine:\n    def fit(self):\n        return 1")
    for refusal in (
        notebook.refuses("%bgjob Mine.fit"),
        notebook.run("bg.run_background_job(Mine, 'fit')").evalue,
        notebook.run("bg.submit('__main__.Mine.fit')").evalue,
    ):
        assert refusal.startswith("Mine.fit is defined in the notebook")
        assert "move it to a module" in refusal


def test_an_error_of_the_api_is_no_usage_error_but_has_the_same_words(notebook):
    notebook.place.module("extra", "def other():\n    return 'ran'\n")
    reply = notebook.run("bg.submit('extra.other')")
    assert (reply.status, reply.ename) == ("error", "JobNotAllowed")
    assert "To allow it: %bgjobs allow extra.other" in reply.evalue


# -- %config -------------------------------------------------------------------------------------------------------------


def test_config_narrows_what_the_files_allow(configured):
    configured.ok("%config BackgroundJobs.allowed_jobs = {'studio': ['describe', 'other'], 'extra': ['run']}")
    configured.ok("job = %bgjob studio.describe value=1")
    for target in ("studio.Model.fit", "studio.tag", "studio.other", "extra.other"):
        assert "not on the allowlist" in configured.refuses(f"%bgjob {target}")
    assert "%bgjob studio.describe" in configured.complete("%bgjob studio.de")
    assert "%bgjob studio.Model.fit" not in configured.complete("%bgjob studio.")


@pytest.mark.parametrize("widened", ["{'os': ['system']}", "{'studio': ['describe', '__init__']}", "{'os.*': ['*']}"])
def test_config_never_widens_what_the_files_allow(configured, widened):
    configured.ok(f"%config BackgroundJobs.allowed_jobs = {widened}")
    configured.refuses("%bgjob os.system command='true'")
    configured.refuses("%bgjob studio.__init__")


def test_what_the_notebook_itself_has_narrowed_is_refused_as_that(configured):
    configured.ok("%config BackgroundJobs.allowed_jobs = {'studio': ['describe']}")
    for target in ("studio.Model.fit", "studio.tag"):
        refusal = configured.refuses(f"%bgjob {target}")
        assert "%config" in refusal
        assert "ipybgjobs allow" not in refusal  # it would say that it is allowed already


def test_a_retry_policy_of_the_notebook_counts(configured):
    configured.ok("first = %bgjob studio.fails")
    configured.ok("%config RetryPolicy.max_attempts = 1")
    configured.ok("second = %bgjob studio.fails")
    assert configured.value("[len(job.wait(60).attempts) for job in (first, second)]") == [2, 1]


def test_secret_names_of_the_notebook_count(configured):
    configured.ok("%config BackgroundJobs.secret_names = ['note']")
    shown = configured.shows_one_card("%bgjob studio.Model.fit note=hunter2")
    assert "hunter2" not in f"{shown}"
    assert "•••" in shown["text/html"]


def test_config_lists_the_traits_with_their_help(notebook):
    for section, trait in (("BackgroundJobs", "allowed_jobs"), ("RetryPolicy", "delay_seconds"), ("JobLogs", "level")):
        assert f"{section}.{trait}=<" in notebook.ok(f"%config {section}").stdout
        assert section in notebook.ok("%config").stdout


@pytest.mark.parametrize("setting", ["BackgroundJobs.queues = {'gpu': 1}", "JobLogs.level = 'DEBUG'"])
def test_what_only_a_file_can_set_is_refused_as_such(configured, setting):
    configured.ok(f"%config {setting}")
    trait = setting.partition(" ")[0]
    assert f"{trait} takes effect only in a configuration file" in configured.refuses("%bgjob studio.describe value=1")


def test_a_wrong_value_changes_nothing_and_the_extension_can_be_loaded_again(configured):
    assert "max_attempts" in configured.run("%config RetryPolicy.max_attempts = 0").everything
    configured.ok("%bgjob studio.describe value=1;")
    configured.ok("%reload_ext ipybgjobs")
    configured.ok("%bgjob studio.describe value=1;")


# -- %bgjobs -------------------------------------------------------------------------------------------------------------


def test_the_list_of_jobs_is_one_table(notebook):
    notebook.ok("%bgjob studio.describe value=1 --name listed;")
    shown = notebook.shows_one_card("%bgjobs")
    assert " listed " in shown["text/plain"].splitlines()[0]
    assert shown["text/html"].count("<table") == 1


def test_the_verbs_of_the_command_line_serve_in_a_cell(notebook):
    notebook.ok("job = %bgjob studio.Model.fit epochs=2 --name verbs")
    assert notebook.value("job.result(60)[2]") == 2
    assert " verbs " in notebook.ok("%bgjobs list --limit 1").stdout
    assert notebook.ok("%bgjobs log verbs").stdout == "fitting\n"
    assert notebook.ok("%bgjobs result verbs").stdout == "[0.1, (), 2, '']\n"
    assert "attempt 1" in notebook.ok("%bgjobs show verbs").stdout
    assert "succeeded" in notebook.ok("%bgjobs wait verbs").stdout
    assert "usage: %bgjobs" in notebook.ok("%bgjobs --help").stdout


def test_a_job_submitted_by_a_verb_is_a_job_of_this_notebook(notebook):
    before = notebook.jobs()
    notebook.ok("%bgjobs submit studio.describe value=1")
    assert notebook.jobs() == before + 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("frob", "'frob' is not a verb of %bgjobs"),
        ("log", "required: JOB"),
        ("log 999999", "no job with id 999999"),
        ("cancel no-such-name", "no-such-name"),
        ("list --limit many", "'many' is not a number of jobs"),
        ("list --state sleeping", "got 'sleeping'"),
        ("log 'x", "' is not closed in"),
        ("log 1 --tail=-3", "'-3' is not a number of lines"),
        (
            "submit studio.describe value=$number",
            'value=$number: %bgjobs does not send variables; use %bgjob, or job.retry({"value": number}).',
        ),
        ("retry 1 value=$number", "value=$number: %bgjobs does not send variables"),
        ("dashboard --no-browser", "The dashboard must run in its own process"),
    ],
)
def test_a_wrong_verb_costs_one_line(notebook, line, said):
    notebook.ok("number = 7")
    assert said in notebook.refuses(f"%bgjobs {line}")


# -- the extension -------------------------------------------------------------------------------------------------------


def test_with_a_broken_configuration_file_a_line_says_which_and_old_jobs_are_still_shown(notebook):
    file = notebook.place.config_file
    file.write_text("c = get_config()\nc.BackgroundJobs.allowed_jobs = {'studio': ['describe'\n")
    refusal = notebook.refuses("%bgjob studio.describe value=1")
    assert f"{file}, line 2 is broken" in refusal
    assert notebook.ok("%bgjobs list").stdout
    notebook.ok("%reload_ext ipybgjobs")
    notebook.allow()
    notebook.ok("job = %bgjob studio.describe value=1")
    assert notebook.value("job.result(60)") == ["int", "1"]


def test_a_profile_that_sets_a_trait_wrongly_costs_no_traceback(place, tmp_path):
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("c = get_config()\nc.RetryPolicy.max_attempts = 0\n")
    kernel = Kernel(place.environment, place.code)
    try:
        loaded = kernel.run("%load_ext ipybgjobs")
        assert loaded.status == "ok", loaded.everything
        reply = kernel.run("%bgjob work.echo value=1")
        assert reply.ename == "UsageError"
        assert re.search(r"ipython_config\.py, line 2: RetryPolicy\.max_attempts", reply.evalue)
    finally:
        kernel.close()


def test_loading_twice_is_harmless(notebook):
    assert "already loaded" in notebook.ok("%load_ext ipybgjobs").stdout
    notebook.ok("%reload_ext ipybgjobs\n%reload_ext ipybgjobs")
    notebook.shows_one_card("%bgjob studio.describe value=1")
    names = "[type(each).__name__ for each in get_ipython().configurables]"
    assert notebook.value(f"{names}.count('BackgroundJobs')") == 1
    assert notebook.complete("%bgjob studio.de").count("%bgjob studio.describe") == 1


def test_an_unloaded_extension_leaves_nothing(notebook):
    notebook.ok("%unload_ext ipybgjobs")
    try:
        for line in ("%bgjob studio.describe value=1", "%bgjobs", "%config BackgroundJobs"):
            assert notebook.run(line).ename == "UsageError"
        assert "%bgjob studio.Model.fit" not in notebook.complete("%bgjob studio.Model.f")
    finally:
        notebook.ok("%load_ext ipybgjobs")
    notebook.shows_one_card("%bgjob studio.describe value=1")


# -- completion ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "job = ", "number = 1\n", "for i in range(3):\n    "])
def test_targets_are_completed(notebook, before):
    describe, fit = (f"{before}%bgjob studio.{name}" for name in ("describe", "Model.fit"))
    assert describe in notebook.complete(f"{before}%bgjob studio.d")
    assert fit not in notebook.complete(f"{before}%bgjob studio.d")
    assert {describe, fit} <= set(notebook.complete(f"{before}%bgjob "))


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("%bgjob Mod", "%bgjob Model.fit"),
        ("%bgjob studio.Model.fit epo", "%bgjob studio.Model.fit epochs="),
        ("%bgjob studio.Model.fit epochs=2 no", "%bgjob studio.Model.fit epochs=2 note="),
        ("%bgjob Model.fit epo", "%bgjob Model.fit epochs="),
        ("%bgjob Model(lr=0.5).fit epo", "%bgjob Model(lr=0.5).fit epochs="),
        ("%bgjob Model(lr=0.5, layers=3).fit epo", "%bgjob Model(lr=0.5, layers=3).fit epochs="),
        ("%bgjob --name x studio.Model.fit epo", "%bgjob --name x studio.Model.fit epochs="),
        ("%bgjob studio.Model.fit --pri", "%bgjob studio.Model.fit --priority"),
    ],
)
def test_parameters_and_options_are_completed(notebook, line, completed):
    notebook.ok("import studio")
    assert completed in notebook.complete(line)


def test_completion_imports_nothing(notebook):
    notebook.place.module("heavy", "def run(size): ...")
    notebook.place.allow(ALLOWED | {"heavy": ["run"]})
    assert "%bgjob heavy.run" in notebook.complete("%bgjob hea")
    assert "%bgjob heavy.run size=" in notebook.complete("%bgjob heavy.run si")  # read from its text
    assert notebook.value("'heavy' in __import__('sys').modules") is False


def test_completion_with_a_broken_configuration_file_prints_nothing(notebook):
    notebook.place.config_file.write_text("(")
    notebook.complete("%bgjob studio.")
    assert notebook.ok("1;").everything == "[]"


def test_other_lines_are_completed_as_ever(notebook):
    notebook.ok("number_of_things = 7")
    assert "number_of_things" in notebook.complete("number_of_th")
    assert any(line.endswith("%bgjobs") for line in notebook.complete("%bgjo"))
