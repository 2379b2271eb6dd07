"""What a job finds around it: the caller's folder, path, mask, variables and interpreter; and secrets, which nobody sees."""

import os
import pathlib
import shutil
import signal
import site
import stat
import subprocess
import sys

import pytest

import ipybgjobs as bg
from support.place import running, until

pytestmark = pytest.mark.shared_place

#: A value that must be seen nowhere, as a parameter, and as a variable.
GIVEN, VARIABLE = "hunter2-hunter2", "env-s3cr3t-value"


@pytest.fixture
def around(place, monkeypatch):
    place.module("around")
    place.allow(
        {"around": ["look", "fetches", "numbers", "returns"], "around.Login": ["fails", "waits"]},
        BackgroundJobs__idle_seconds=0.1,
    )
    monkeypatch.setenv("API_TOKEN", VARIABLE)
    return place


@pytest.fixture
def supervised(around):
    """A supervisor that was started in this environment, and stays."""
    waiting = bg.submit("around.returns", {"value": 0}, delay="1h")
    assert bg.submit("around.returns", {"value": 0}).result(60)
    yield around
    waiting.cancel()


def how(job):
    [attempt] = job.attempts
    return attempt.launched_by, attempt.launch_reason


# -- the caller's surroundings ----------------------------------------------------------------------------------------


def test_a_job_finds_the_callers_folder_path_mask_and_variables(supervised, monkeypatch):
    folder = supervised.root / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MINE", "two\nlines")
    monkeypatch.delenv("GONE", raising=False)
    monkeypatch.setitem(os.environb, b"ODD", b"\xff\xfe")
    monkeypatch.syspath_prepend("relative")
    mask = os.umask(0o027)
    try:
        job = bg.submit("around.look")
    finally:
        os.umask(mask)
    found = job.result(60)
    assert found["cwd"] == str(folder)
    assert found["path"] == [os.path.abspath(entry) for entry in sys.path]
    assert found["path"][0] == str(folder / "relative")
    assert found["umask"] == 0o027
    assert (found["variables"]["MINE"], found["variables"]["GONE"], found["bytes"]) == ("two\nlines", None, b"\xff\xfe")
    assert how(job) == ("fork", None)


def test_what_one_caller_has_changed_is_not_seen_by_the_next(supervised, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("MINE", "first")
        first = bg.submit("around.look")
    second = bg.submit("around.look")
    assert [job.result(60)["variables"]["MINE"] for job in (first, second)] == ["first", None]


def test_a_module_beside_the_notebook_is_found(around, monkeypatch):
    (around.root / "notebooks").mkdir()
    (around.root / "notebooks" / "helper.py").write_text("VALUE = 'found'")
    monkeypatch.chdir(around.root / "notebooks")
    monkeypatch.syspath_prepend("")
    assert bg.submit("around.fetches").result(60) == "found"


def test_a_retry_by_hand_takes_the_callers_surroundings(around, monkeypatch):
    job = bg.submit("around.fetches").wait(60)
    assert "No module named 'helper'" in job.error
    (around.root / "later").mkdir()
    (around.root / "later" / "helper.py").write_text("VALUE = 'found'")
    monkeypatch.syspath_prepend(str(around.root / "later"))
    assert job.retry().result(60) == "found"


# -- other interpreters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("PYTHONHASHSEED", "7"), ("LANG", "C.UTF-8"), ("PYTHONUTF8", "1")])
def test_variables_that_act_at_the_start_of_python_need_a_fresh_process(supervised, monkeypatch, name, value):
    if os.environ.get(name) == value:
        monkeypatch.setenv("PYTHONHASHSEED", "8")
    monkeypatch.setenv(name, value)
    job = bg.submit("around.look")
    found = job.result(60)
    launched_by, reason = how(job)
    assert launched_by == "fresh process"
    assert "variable that acts when it starts" in reason
    assert found["path"] == [os.path.abspath(entry) for entry in sys.path]
    if name == "PYTHONHASHSEED":
        here = subprocess.run([sys.executable, "-c", "print(hash('text'))"], capture_output=True, text=True, check=True)
        assert found["hash"] == int(here.stdout)
    if name == "LANG":
        assert found["variables"]["LANG"] == value


def test_a_job_of_another_virtual_environment_runs_in_it(supervised):
    folder = supervised.root / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    root = pathlib.Path(bg.__file__).parents[1]
    (packages / "theirs.pth").write_text("\n".join([str(root), *site.getsitepackages()]))
    script = (
        f"import sys; sys.path.insert(0, {str(supervised.code)!r}); import ipybgjobs; print(ipybgjobs.submit('around.look').id)"
    )
    before = supervised.supervisor_pid()
    done = subprocess.run([folder / "bin" / "python", "-c", script], capture_output=True, text=True, check=True)
    job = bg.job(int(done.stdout))
    assert os.path.realpath(job.result(60)["prefix"]) == os.path.realpath(folder)
    launched_by, reason = how(job)
    assert launched_by == "fresh process"
    assert "its interpreter" in reason
    assert supervised.supervisor_pid() == before
    assert bg.submit("around.look").result(60)["prefix"] == sys.prefix


# -- what is gone at launch -------------------------------------------------------------------------------------------


@pytest.mark.own_place
def test_a_folder_that_is_gone_at_launch_is_named(around, monkeypatch):
    bg.pause()
    folder = around.root / "soon gone"
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        job = bg.submit("around.look")
    folder.rmdir()
    bg.resume()
    job.wait(60)
    assert job.state == "failed"
    assert str(folder) in job.error
    assert "working directory" in job.error


@pytest.mark.own_place
def test_a_submit_from_a_folder_that_is_gone_is_refused(around, monkeypatch):
    folder = around.root / "gone"
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        folder.rmdir()
        with pytest.raises(bg.BackgroundJobError, match="working directory"):
            bg.submit("around.look")
    assert bg.jobs() == []
    assert not around.processes()


# -- secrets ----------------------------------------------------------------------------------------------------------


SECRETS = {
    "plain": {"params": {"password": GIVEN}},
    "number": {"params": {"password": 8675309867}},
    "nested": {"params": {"config": {"user": "me", "login": [{"password": GIVEN}]}}},
    "pickled": {"params": {"password": GIVEN.encode()}},
    "nested and pickled": {"params": {"config": {"password": GIVEN, "port": (1, 2)}}},
    "constructor": {"init": {"api_key": GIVEN}},
    "lines": {"params": {"config": {"private_key": f"begin\n{GIVEN}\nend"}}},
}


def hides(*texts):
    return not [secret for secret in (GIVEN, "8675309867", VARIABLE) for text in texts if secret in text]


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_seen_nowhere_when_a_job_fails(around, kind):
    job = bg.submit("around.Login.fails", **SECRETS[kind])
    assert hides(repr(job), job._repr_html_())
    job.wait(60)
    until(lambda: around.log("background_jobs_errors.log"), "the record")
    assert "RuntimeError: " in repr(job)
    assert "RuntimeError: " in job.traceback
    assert hides(job.error, job.traceback, repr(job), job._repr_html_())
    assert hides(around.log(), around.log("background_jobs_errors.log"), (around.state / "supervisor.err").read_text())


def test_the_traceback_beside_a_raised_exception_hides_secrets_too(around):
    job = bg.submit("around.Login.fails", {"password": GIVEN})
    with pytest.raises(RuntimeError) as caught:
        job.result(60)
    assert ", in fails" in str(caught.value.__cause__)
    assert hides(str(caught.value.__cause__))


def test_secrets_are_in_no_command_line(around):
    job = running(bg.submit("around.Login.waits", {"password": GIVEN}, init={"api_key": GIVEN}))
    lines = " ".join(around.processes().values())
    assert "supervisor" in lines
    assert GIVEN not in lines
    assert VARIABLE not in lines
    job.cancel()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"password": GIVEN}, "password=••• does not fit int"),
        ({"passwort": GIVEN}, "no parameter passwort"),
        ({"pin": GIVEN}, "pin=••• does not fit int"),
    ],
)
def test_secrets_are_in_no_refusal(around, params, words):
    with around.config_file.open("a") as file:
        file.write("c.BackgroundJobs.secret_names = ['*password*', 'PIN']\n")
    with pytest.raises(bg.InvalidParameters, match=words) as caught:
        bg.submit("around.numbers", params)
    assert GIVEN not in str(caught.value)


@pytest.mark.own_place
def test_environment_variables_are_kept_nowhere_once_no_job_needs_them(around):
    bg.pause()
    job = bg.submit("around.returns", {"value": 1})
    assert holding(around, VARIABLE)
    bg.resume()
    job.wait(60)
    until(lambda: not around.processes(), "the end of the supervisor")
    assert holding(around, VARIABLE) == []
    assert bg.submit("around.look").result(60)


@pytest.mark.own_place
def test_environment_variables_are_kept_for_a_retry_and_go_when_it_is_cancelled(around):
    job = bg.submit("around.returns", {"value": 1}, delay="1h")
    failing = bg.submit("around.fetches", retry={"max_attempts": 2, "delay_seconds": 300, "never_retry": []})
    until(lambda: failing.state == "retrying", "the first failure")
    job.cancel()
    assert holding(around, VARIABLE)
    failing.cancel()
    until(lambda: not around.processes(), "the end of the supervisor")
    assert holding(around, VARIABLE) == []


def holding(place, secret):
    """Files of the state folder that hold the secret; another process looks, since closing the store's file drops its locks."""
    done = subprocess.run(["grep", "-rlaF", secret, str(place.state)], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


# -- how long a supervisor stays --------------------------------------------------------------------------------------


def test_a_supervisor_may_stay_for_a_month(around):
    around.allow({"around": ["returns"]}, BackgroundJobs__idle_seconds="30d")
    seen = set()
    try:
        for number in range(3):
            assert bg.submit("around.returns", {"value": number}).result(60)
            seen.add(around.supervisor_pid())
        assert len(seen) == 1
        assert (around.state / "supervisor.err").read_text() == ""
    finally:
        for role in ("forkserver", "supervisor"):  # in this order: a fork server starts a supervisor where one dies
            for pid in [pid for pid, line in around.processes().items() if f" {role} " in line]:
                os.kill(pid, signal.SIGKILL)


# -- the state folder -------------------------------------------------------------------------------------------------


def test_the_state_folder_is_the_users_alone_whatever_the_mask(around):
    mask = os.umask(0)
    try:
        job = bg.submit("around.returns", {"value": (1, 2)})
        bg.submit("around.Login.fails").wait(60)
        job.wait(60)
    finally:
        os.umask(mask)
    paths = [around.state, *around.state.rglob("*")]
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in paths if path.exists()}
    assert {path: mode for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}
    assert len(modes) > 10


@pytest.mark.own_place
def test_a_state_folder_that_is_open_to_others_is_closed(around):
    around.state.mkdir(mode=0o755)
    bg.submit("around.returns", {"value": 1}).wait(60)
    assert stat.S_IMODE(around.state.stat().st_mode) == 0o700


@pytest.mark.own_place
def test_a_state_folder_in_the_place_of_a_file_is_refused(around):
    around.state.write_text("")
    with pytest.raises(bg.StoreError, match=r"The state folder .*state can't be used"):
        bg.submit("around.returns", {"value": 1})


@pytest.mark.crash
def test_a_state_folder_that_was_removed_is_made_anew(around):
    assert bg.submit("around.returns", {"value": 1}).result(60)
    until(lambda: not around.processes(), "the end of the supervisor")
    shutil.rmtree(around.state)
    assert bg.submit("around.returns", {"value": 2}).result(60) == [2, {1}]
