"""What a notebook's user has in hand, submitted by `submit` and by the magic; and how a refusal looks there."""

import re
import subprocess
import sys

import pytest

from support.kernels import Kernel
from support.place import Place, end

DEFINED = """
class Mine:
    rate = 2

    def __init__(self, start=1):
        self.start = start

    def run(self, x: int = 1):
        return [type(self).__name__, self.start * factor, x]

    @classmethod
    def best(cls):
        return cls.rate


factor = 10

def triple(x: int = 1):
    return x * 3

square = lambda x: x * x
"""


def allow(place, **settings):
    place.allow({"work.Trainer": ["fit", "add"], "work": ["echo"], "loader": ["load"], "ipybgjobs.Notebook": ["run"]}, **settings)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("notebook")
    place = Place(root)
    place.module("work")
    place.module("loader", "def load():\n    return 1\n\nraise NameError('the user\\'s own line')\n")
    allow(place)
    variables = {"IPYBGJOBS_STATE_DIR": str(place.state), "IPYBGJOBS_CONFIG": str(place.config_file)}
    variables |= {name: str(root / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    session = Kernel(place.environment | variables, place.code)
    session.place = place
    try:
        session.ok("import ipybgjobs as bg\n%load_ext ipybgjobs")
        session.ok(DEFINED)
        yield session
        session.ok("bg.jobs(state='queued').cancel()")
    finally:
        session.close()
        end(place)


@pytest.fixture
def session(opened):
    allow(opened.place, BackgroundJobs__allow_notebook_code=True)
    return opened


# -- what is submitted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "target", "result"),
    [
        ("bg.submit(triple, {'x': 2})", "__main__.triple", 6),
        ("bg.submit('triple', {'x': 2})", "__main__.triple", 6),
        ("bg.submit(Mine.run, {'x': 3}, init={'start': 4})", "__main__.Mine.run", ["Mine", 40, 3]),
        ("bg.submit('Mine.run', {'x': 3})", "__main__.Mine.run", ["Mine", 10, 3]),
        ("bg.submit(Mine(start=7).run, {'x': 3})", "__main__.Mine.run", ["Mine", 70, 3]),
        ("bg.submit(Mine.best)", "__main__.Mine.best", 2),
        ("bg.submit_many(Mine(start=7).run, [{'x': 3}]).jobs[0]", "__main__.Mine.run", ["Mine", 70, 3]),
    ],
)
def test_what_the_notebook_defines_is_submitted_as_the_magic_does(session, code, target, result):
    session.ok(f"job = {code}")
    assert session.value("(job.target, job.result(60))") == (target, result)


def test_what_the_notebook_has_imported_is_submitted_by_name(session):
    session.ok("from work import Trainer, echo")
    assert session.value("[bg.submit(each, {'value': 1}).result(60) for each in (echo, 'echo')]") == [1, 1]
    assert session.value("bg.submit(Trainer.fit, {'epochs': 1}).target") == "work.Trainer.fit"
    assert session.value("bg.submit('Trainer.fit', {'epochs': 1}, init={'lr': 2}).result(60)") == {"epochs": 1, "lr": 2.0}
    session.ok("job = %bgjob echo value=3")
    assert session.value("(job.target, job.result(60))") == ("work.echo", 3)


def test_a_module_is_not_taken_for_the_class_or_function_of_its_name(session):
    session.place.module(
        "alike", "class alike:\n    pass\n\ndef same():\n    return 1\n\nclass Inner:\n    def run(self):\n        return 2\n"
    )
    session.place.allow({"alike": ["same"], "alike.Inner": ["run"]})
    session.ok("from alike import alike")
    assert session.value("bg.submit('alike.Inner.run').result(60)") == 2


def test_an_instance_is_read_and_sent_again_in_this_notebook_and_in_the_next(session):
    session.ok("job = bg.submit(Mine(start=7).run, {'x': 3}).wait(60)")
    assert session.value("(type(job.instance) is Mine, job.instance.start)") == (True, 7)
    assert session.value("job.retry({'x': 4}).result(60)") == ["Mine", 70, 4]
    assert session.value("job.run_here()") == ["Mine", 70, 3]
    session.ok("class Mine:\n    def run(self, x=1):\n        return 'another'")
    try:
        assert session.value("job.retry({'x': 5}).result(60)") == ["Mine", 70, 5]
    finally:
        session.ok(DEFINED)


def test_an_instance_of_a_class_that_was_redefined_is_refused(session):
    session.ok("old = Mine()")
    session.ok(DEFINED)
    reply = session.run("bg.submit(old.run)")
    assert reply.evalue == "Mine has since been redefined or deleted in this notebook: pass a method of a new instance."


def test_what_the_configuration_does_not_allow_is_refused(session):
    allow(session.place)
    session.ok("from work import Trainer")
    for given in ("Mine.run", "'Mine.run'", "Mine().run", "triple", "'triple'"):
        reply = session.run(f"bg.submit({given})")
        assert "is defined in the notebook" in reply.evalue, given
    assert session.run("bg.submit(Trainer().fit)").evalue.startswith("Trainer.fit is the method of an instance, which is sent")


def test_a_lambda_is_told_to_be_a_def(session):
    said = "A lambda has no name: write def instead."
    assert [session.run(code).evalue for code in ("%bgjob square x=2", "bg.submit(square, {'x': 2})", "bg.submit('square')")] == [
        said,
        said,
        said,
    ]


@pytest.mark.parametrize("line", ["%bgjob {} x=2", "bg.submit('{}', {{'x': 2}})", "%bgjobs submit {} x=2"])
def test_a_name_that_can_not_be_submitted_as_text_is_refused_with_what_to_write(session, line):
    session.ok("import functools\nmine = Mine()\nbound = mine.run\nhalf = functools.partial(triple, x=2)\nnumber = 3")
    said = {
        name: session.run(line.format(name)).evalue for name in ("mine.run", "bound", "half", "Mine", "number", "number.real")
    }
    assert said["mine.run"] == "mine.run is the method of an instance, which text can't name: write bg.submit(mine.run, {…})."
    assert said["bound"] == "bound is the method of an instance, which text can't name: write bg.submit(bound, {…})."
    assert said["half"].startswith("A partial has no name: pass triple itself, ")
    assert said["Mine"] == "Mine is a class: name the method to call, such as Mine.run."
    assert said["number"].startswith("'number' is not a valid target")
    assert said["number.real"].startswith("number.real is not on the allowlist")


def test_a_module_of_an_instance_s_name_is_not_hidden(session):
    session.place.module("twin", "def run(x=1):\n    return 'the module'\n")
    session.place.allow({"twin": ["run"]}, BackgroundJobs__allow_notebook_code=True)
    session.ok("twin = Mine()\njob = %bgjob twin.run")
    assert session.value("job.result(60)") == "the module"


# -- how a refusal looks -------------------------------------------------------------------------------------------------

CALLS = [
    "bg.submit(square, {'x': 2})",
    "bg.submit('nowhere.f')",
    "bg.submit(triple, {'y': 2})",
    "bg.submit(triple, y=2)",
    "bg.submit_many(triple, 3)",
    "bg.run_background_job(Mine, 'nothing')",
    "bg.run_here('nowhere.f')",
    "bg.job('nobody')",
    "bg.jobs(limit=-1)",
    "bg.group('nobody')",
    "bg.pause('no queue')",
    "bg.clean(older_than='soon')",
    "bg.submit(triple, timeout='soon')",
    "bg.submit(triple).wait(60).cancel()",
    "bg.submit(triple, delay='1h').cancel().result()",
    "bg.submit(triple, delay='1h').wait(0.1)",
    "bg.submit(triple, delay='1h').result('0.1s')",
    "bg.submit_many(triple, [{'x': 1}], delay='1h').wait(0.1)",
    "bg.submit_many(triple, [{'x': 1}], delay='1h').results(0.1)",
    "list(bg.as_completed([bg.submit(triple, delay='1h')], timeout=0.1))",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_refusal_shows_its_sentence_and_the_user_s_own_line(session, call):
    reply = session.run(f"first = 1\nanswer = {call}  # my line\n")
    assert reply.status == "error"
    lines = reply.traceback.splitlines()
    assert any(re.match(r"-+> 2 answer = .*# my line$", line) for line in lines), reply.traceback
    assert lines[-1] == f"{reply.ename}: {reply.evalue}"
    assert "ipybgjobs/" not in reply.traceback.replace("ipybgjobs_config", "")
    assert len(lines) < 9, reply.traceback


def test_the_user_s_frames_are_all_there_also_those_of_a_module(session):
    session.place.module("caller", "import ipybgjobs as bg\n\ndef go():\n    return bg.submit('nowhere.f')\n")
    reply = session.run("import caller\n\ndef outer():\n    return caller.go()\n\nouter()  # my line")
    for line in ("outer()  # my line", "return caller.go()", "return bg.submit('nowhere.f')"):
        assert line in reply.traceback
    assert "api/submitting.py" not in reply.traceback


def test_the_line_of_the_user_s_module_that_fails_is_shown(session):
    reply = session.run("bg.run_here('loader.load')  # my line")  # which imports it here
    assert reply.ename == "InvalidTarget"
    assert "raise NameError('the user\\'s own line')" in reply.traceback
    assert "# my line" in reply.traceback
    assert "resolve.py" not in reply.traceback
    assert "importlib" not in reply.traceback


def test_what_a_job_raised_is_shown_with_its_own_traceback(session):
    session.ok("def fails(x):\n    return 1 / x")
    reply = session.run("bg.submit(fails, {'x': 0}).result(60)")
    assert reply.ename == "ZeroDivisionError"
    assert "return 1 / x" in reply.traceback
    assert "RemoteTraceback" in reply.traceback


@pytest.mark.parametrize("call", ["bg.submit(fails, {'x': 0}).result(60)", "bg.submit_many(fails, [{'x': 0}]).results(60)"])
def test_above_the_traceback_of_a_job_is_the_user_s_own_line_alone(session, call):
    session.ok("def fails(x):\n    return 1 / x")
    reply = session.run(f"first = 1\n{call}  # my line")
    remote, _, here = reply.traceback.partition("The above exception was the direct cause")
    assert "return 1 / x" in remote
    assert "# my line" in here
    assert "ipybgjobs/" not in here
    assert session.value("type(_e).__name__ if (_e := __import__('sys').last_value) else None") == "ZeroDivisionError"


def test_a_wait_that_takes_too_long_is_a_timeout_error_and_one_of_ours(session):
    session.ok("job = bg.submit(triple, delay='1h')")
    caught = "try:\n    job.wait(0.1)\nexcept {} as error:\n    print(type(error).__name__)"
    for name in ("TimeoutError", "bg.BackgroundJobError", "bg.WaitTimeout"):
        assert session.ok(caught.format(name)).stdout == "WaitTimeout\n"


def test_an_error_of_ours_shows_everything(session):
    session.ok("from ipybgjobs.targets import allowlist\nkept, allowlist.find_permission = allowlist.find_permission, None")
    try:
        reply = session.run("bg.submit(triple)")
    finally:
        session.ok("allowlist.find_permission = kept")
    assert reply.ename == "TypeError"
    assert "preparation.py" in reply.traceback


def test_the_whole_traceback_is_there_for_tb_and_the_debugger(session):
    session.run("bg.submit('nowhere.f')  # my line")
    again = session.ok("%tb")
    assert "# my line" in again.everything
    assert "JobNotAllowed" in again.everything
    frames = "import sys, traceback\nprint([each.name for each in traceback.extract_tb(sys.last_value.__traceback__)])"
    assert "find_permission" in session.ok(frames).stdout


def test_a_terminal_shows_the_same_and_the_debugger_works(session, place):
    lines = [
        "import ipybgjobs as bg",
        "value = 42",
        "bg.submit('nowhere.f')  # my line",
        "%debug",
        *["up"] * 9,
        "p 'value is', value",
        "q",
    ]
    typed = "\n".join([*lines, ""])
    command = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "--simple-prompt", "--no-confirm-exit"]
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, check=False, cwd=place.code, env=place.environment, timeout=60
    )
    shown = done.stdout.partition("JobNotAllowed")[2].partition("ipdb>")[0]
    assert "# my line" in shown, done.stdout
    assert "submitting.py" not in shown.partition("JobNotAllowed: ")[0]
    assert "('value is', 42)" in done.stdout
