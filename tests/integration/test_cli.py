"""The command line: every verb, its JSON and its exit status; the user's configuration files; doctor and demo."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

import ipybgjobs as bg
from ipybgjobs.commands import completion
from ipybgjobs.commands.cli import main
from ipybgjobs.configuration import loading, sample, sources
from ipybgjobs.configuration.settings import Settings
from support.place import ALLOWED, DEADLINE, REPOSITORY, running, until

pytestmark = pytest.mark.shared_place

MODULE = [sys.executable, "-m", "ipybgjobs"]
JUPYTER = [str(Path(sys.executable).parent / "jupyter"), "bgjobs"]


@pytest.fixture
def cli(place, capfd, monkeypatch):
    """Runs a command line in the folder of the modules: by its entry in a process of its own, else in this one."""

    def within(*words):
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(place.code)
            try:
                status = main([str(word) for word in words])
            except SystemExit as left:  # help, and the version
                status = left.code
        return subprocess.CompletedProcess(words, status, *capfd.readouterr())

    def run(*words, entry=None, status=0, seconds=DEADLINE, **variables):
        done = (
            within(*words)
            if entry is None and not variables
            else command(*words, entry=entry or MODULE, seconds=seconds, **variables)
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr or words[0] == "result"
        return done

    def command(*words, entry, seconds, **variables):
        return subprocess.run(
            [*entry, *map(str, words)],
            cwd=place.code,
            env=place.environment | variables,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    return run


@pytest.fixture
def kinds(place):
    place.module("kinds")
    place.allow(ALLOWED | {"kinds": ["nothing", "keyed", "chatters", "keeps"]})
    return place


def strict(text):
    """Parse what other programs can parse too: JSON has no NaN."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def refused(done):
    """What a command said that was refused: one line, and nothing on standard output."""
    return one_line(done.stdout, done.stderr)


def one_line(output, errors):
    assert output == ""
    assert errors.count("\n") == 1
    return errors.rstrip("\n")


# -- jobs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.crash
@pytest.mark.own_place
@pytest.mark.parametrize("entry", [MODULE, JUPYTER], ids=["python -m ipybgjobs", "jupyter bgjobs"])
def test_a_job_is_submitted_and_looked_at_from_a_terminal(place, cli, entry):
    said = cli("submit", "work.Trainer(lr=0.5).fit", "epochs=2", "--name", "night run", entry=entry)
    assert "job 1 · night run · work.Trainer(lr=0.5).fit(epochs=2)" in said.stdout
    assert cli("result", 1, entry=entry).stdout == "{'epochs': 2, 'lr': 0.5}\n"
    assert cli("log", "night run", entry=entry).stdout == "epoch 0\nepoch 1\n"
    assert "succeeded" in cli("list", entry=entry).stdout


def test_text_reaches_a_job_as_the_shell_gives_it(cli):
    cli("submit", "work.Trainer.fit", "epochs=0", "note=it's (late) #1; $HOME")
    assert bg.job(1).params == {"epochs": 0, "note": "it's (late) #1; $HOME"}
    cli("submit", "work.Trainer.fit", "epochs=0", "note=")
    assert bg.job(2).params == {"epochs": 0, "note": ""}
    assert [bg.job(number).wait(60).state for number in (1, 2)] == ["succeeded"] * 2


def test_options_stand_before_between_or_after(cli):
    for words in (
        ["--name", "x", "--priority", "-3", "work.echo", "value=1"],
        ["work.echo", "--name", "x", "--priority", "-3", "value=1"],
        ["work.echo", "value=1", "--name=x", "--priority=-3"],
    ):
        said = strict(cli("submit", "--json", *words).stdout)
        assert (said["name"], said["priority"], said["call"]) == ("x", -3, "work.echo(value=1)")
        assert bg.job(said["id"]).result(60) == 1


def test_what_submit_says_as_json(cli):
    said = strict(cli("submit", "work.echo", "value=[1]", "--retry", 2, "--delay", "1h", "--json").stdout)
    job = bg.job(said["id"])
    assert (said["uid"], said["target"], said["state"]) == (job.uid, "work.echo", "queued")
    assert said["not_before"] > said["submitted_at"]
    assert said["attempts"] == []
    job.cancel()


@pytest.mark.own_place
def test_list_shows_the_newest_first_and_filters(place, cli):
    for number in range(3):
        bg.submit("work.echo", {"value": number}, name=f"n{number}").wait(60)
    bg.submit("work.Trainer.fail").wait(60)
    assert re.findall(r"^job (\d)", cli("list").stdout, re.MULTILINE) == ["4", "3", "2", "1"]
    ids = {
        words: [job["id"] for job in strict(cli("list", "--json", *words.split()).stdout)]
        for words in ("--limit 2", "--state failed", "--name n1", "--target work.echo", "--queue none")
    }
    assert list(ids.values()) == [[4, 3], [4], [2], [3, 2, 1], []]
    assert cli("list", "--queue", "none").stdout == "No matching jobs.\n"


def test_an_id_alone_shows_that_job(cli):
    job = bg.submit("work.echo", {"value": 1}).wait(60)
    assert cli(job.id).stdout == cli("show", job.id).stdout
    assert strict(cli(job.id, "--json").stdout)["uid"] == job.uid


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("list --limit 0", "'0' is not a number of jobs: pass a number of at least 1"),
        ("list --limit -1", "'-1' is not a number of jobs"),
        ("priority 5 3", "the new priority follows --to: `jupyter bgjobs priority 5 --to 3` gives job 5 the priority 3."),
        (
            "priority 5 6 3",
            "the new priority follows --to: `jupyter bgjobs priority 5 6 --to 3` gives these jobs the priority 3.",
        ),
        ("priority nightly", "`jupyter bgjobs priority nightly --to 5` gives job nightly the priority 5."),
        ("cancel 1 --all", "name jobs, or use --group or --all: only one of them."),
        ("show 1 --all", "jupyter bgjobs show: unrecognized arguments: --all (usage: jupyter bgjobs show"),
    ],
)
def test_what_could_mean_two_things_is_refused_with_what_to_write(cli, words, said):
    assert said in refused(cli(*words.split(), status=2))


@pytest.mark.own_place
def test_cancel_all_cancels_what_has_not_finished(cli):
    done = bg.submit("work.echo", {"value": 1}).wait(60)
    waiting = [bg.submit("work.echo", {"value": 2}, delay="1h"), *bg.submit_many("work.echo", [{"value": 3}], delay="1h").jobs]
    said = cli("cancel", "--all").stdout
    assert [job.state for job in (done, *waiting)] == ["succeeded", "cancelled", "cancelled"]
    assert said.count("· cancelled\n") == 2
    assert cli("cancel", "--all").stdout == "nothing to cancel\n"


def test_messages_name_the_command_of_a_terminal(cli):
    assert "`jupyter bgjobs list` shows the existing jobs" in refused(cli("show", "nothing", status=1))
    key = ("submit", "work.echo", "value=1", "--unique=key", "--delay", "1h")
    cli(*key)
    assert "or submit with --on-duplicate existing or --on-duplicate replace." in refused(cli(*key, status=1))
    with pytest.raises(bg.UnknownJob, match=r"`bg\.jobs\(\)` shows the existing jobs"):
        bg.job("nothing")
    bg.jobs(state="queued").cancel()


@pytest.mark.own_place
def test_list_of_a_store_that_is_not_there_yet(cli):
    assert "No jobs yet. Submit one with: jupyter bgjobs submit" in cli("list").stdout
    assert cli("list", "--json").stdout == "[]\n"


def test_show_has_the_attempts_and_the_traceback(cli):
    job = bg.submit("work.Trainer.fail", {"message": "no data"}, name="bad").wait(60)
    said = cli("show", "bad").stdout
    for part in (job.uid, "queue      default, priority 0", "attempt 1", "ValueError: no data", "in fail"):
        assert part in said
    shown = strict(cli("show", job.uid, "--json").stdout)
    assert [(each["outcome"], each["exit_code"], each["launched_by"]) for each in shown["attempts"]] == [("error", 1, "fork")]
    assert shown["error"] == "ValueError: no data"


@pytest.mark.own_place
def test_log_prints_what_a_job_printed_whole_or_its_end(cli):
    bg.submit("work.Trainer.fit", {"epochs": 3}).wait(60)
    assert cli("log", 1).stdout == "epoch 0\nepoch 1\nepoch 2\n"
    assert cli("log", 1, "--tail", 1).stdout == "epoch 2\n"
    assert strict(cli("log", 1, "--json").stdout) == {"log": "epoch 0\nepoch 1\nepoch 2\n"}


@pytest.mark.own_place
def test_a_reader_that_goes_away_is_no_error(kinds, monkeypatch):
    bg.submit("kinds.chatters", {"lines": 50_000}).wait(60)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    command = subprocess.Popen([*MODULE, "log", "1"], env=kinds.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout.readline() == "0 \N{CHECK MARK}\n".encode()
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait(DEADLINE) == 0


@pytest.mark.crash
@pytest.mark.own_place
def test_a_terminal_without_unicode_is_no_error(kinds, cli):
    bg.submit("kinds.chatters", {"lines": 1}).wait(60)
    for words in (["list"], ["show", 1], ["log", 1]):
        assert cli(*words, PYTHONIOENCODING="ascii").stdout.isascii()


@pytest.mark.own_place
def test_result_of_a_failed_job_prints_its_traceback_and_has_status_1(cli):
    bg.submit("work.Trainer.fail", {"message": "no data"}).wait(60)
    said = cli("result", 1, status=1)
    assert said.stdout == ""
    assert said.stderr.startswith("Traceback")
    assert said.stderr.endswith("ValueError: no data\n")
    assert "ipybgjobs/commands/cli.py" not in said.stderr
    said = strict(cli("result", 1, "--json", status=1).stdout)
    assert said["error"] == "ValueError: no data"
    assert "in fail" in said["traceback"]


@pytest.mark.own_place
def test_result_of_a_cancelled_job_is_one_line_and_status_1(cli):
    bg.submit("work.echo", {"value": 1}, delay="1h").cancel()
    assert "job 1 was cancelled" in refused(cli("result", 1, status=1))


@pytest.mark.own_place
@pytest.mark.parametrize("function", ["nothing", "keyed"])
def test_any_result_is_printed_as_json_that_parses(kinds, cli, function):
    bg.submit(f"kinds.{function}").wait(60)
    assert "result" in strict(cli("result", 1, "--json").stdout)


def test_wait_says_by_its_status_whether_all_have_succeeded(cli):
    good, bad = bg.submit("work.echo", {"value": 1}), bg.submit("work.Trainer.fail")
    assert "succeeded" in cli("wait", good.id).stdout
    assert [job["state"] for job in strict(cli("wait", "--json", good.id, bad.id, status=1).stdout)] == [
        "succeeded",
        "failed",
    ]


def test_a_wait_that_runs_out_leaves_the_job_alone(cli):
    job = running(bg.submit("work.Trainer.sleep"))
    for verb in ("wait", "result"):
        assert "still running" in refused(cli(verb, job.id, "--timeout", 0.05, status=1))
    assert job.state == "running"
    assert "cancelled" in cli("cancel", job.id, "--grace", 5).stdout


@pytest.mark.own_place
def test_a_retry_of_all_that_failed_says_which_are_left_alone_and_why(cli, place):
    needed = bg.submit("work.echo", {"value": 1}, delay="1h")
    other = bg.submit("work.echo", {"value": 2}, after=needed)
    needed.cancel().remove()
    assert other.wait(60).state == "failed"
    said = cli("retry", "--failed")
    assert said.stdout == ""
    assert said.stderr.startswith(f"not changed: job {other.id} depends on job {needed.id}, which did not succeed and was")
    assert json.loads(cli("retry", "--failed", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "said"), [(["help"], "VERB --help has the options"), (["help", "show"], "usage: jupyter bgjobs show")]
)
def test_help_is_a_verb_too(cli, words, said):
    assert said in cli(*words).stdout


def test_cancel_returns_when_the_jobs_have_ended(cli):
    jobs = [bg.submit("work.Trainer.sleep"), bg.submit("work.echo", {"value": 1}, delay="1h")]
    running(jobs[0])
    said = strict(cli("cancel", "--json", *(job.id for job in jobs)).stdout)
    assert [job["state"] for job in said] == ["cancelled", "cancelled"]
    assert [job.state for job in jobs] == ["cancelled", "cancelled"]
    assert "job 1 " in refused(cli("cancel", 1, status=1))


def test_retry_adds_an_attempt(place, cli):
    job = bg.submit("work.once_failing", {"marker": str(place.root / "marker")}).wait(60)
    assert job.state == "failed"
    assert strict(cli("retry", job.id, "--json").stdout)[0]["id"] == job.id
    assert job.result(60) == "second run"
    assert "submit it again" in refused(cli("retry", job.id, status=1))


@pytest.mark.own_place
def test_a_secret_is_in_no_output(kinds, cli):
    said = cli("submit", "kinds.keeps", "password=hunter2").stdout + cli("result", 1).stdout
    for words in (["list"], ["show", 1], ["list", "--json"], ["show", 1, "--json"]):
        said += cli(*words).stdout
    assert "hunter2" not in said
    assert "•••" in said


# -- status 1: refused; status 2: wrong usage ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("submit work.Trainer.predict", "not on the allowlist"),
        ("submit work.echo", "is missing the required parameter value"),
        ("submit work.Trainer.fit epochs=many", "does not fit int"),
        ("submit work.echo value=1 --queue gpu", "There is no queue 'gpu'"),
        ("list --state sleeping", "got 'sleeping'"),
        ("log 99", "no job with id 99"),
        ("show nobody", "nobody"),
        ("allow work.Trainer._hidden", "_hidden is a private name"),
        ("allow work.__dict__.items", "__dict__ is a private name"),
        ("allow Trainer", "is not a valid target"),
        ("demo --folder /proc/demo", "The demo can't write to /proc/demo: No such file or directory; choose another --folder."),
        ("allow __main__.Mine.fit", "move it to a module"),
    ],
)
def test_what_is_refused_is_told_in_one_line_with_status_1(place, capsys, words, said):
    assert main(words.split()) == 1
    assert said in one_line(*capsys.readouterr())
    assert not (place.root / "jupyter").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "required: VERB"),
        ("frob", "'frob' is not a verb of jupyter bgjobs"),
        ("lst", "is not a verb of jupyter bgjobs: jupyter bgjobs --help lists them. Did you mean list?"),
        ("submit", "required: Class.method"),
        ("submit work.echo value", "'value' is not a parameter"),
        ("submit work.echo value=1 value=2", "value is given twice"),
        ("submit work.echo value=1 --priority high", "'high' is not a whole number"),
        ("submit work.echo --frob", "--frob"),
        ("submit work.echo --value 3", "--value 3 (a parameter is written without hyphens: value=…)"),
        ("priority 1 --to x", "--to: 'x' is not a whole number"),
        ("log", "required: JOB"),
        ("log 1 --tail many", "--tail: 'many' is not a number of lines"),
        ("dashboard --port 65536", "--port: '65536' is not a port: pass a number from 0 to 65535"),
        ("dashboard --port many", "--port: 'many' is not a port"),
        ("log 1 --tail -1", "--tail: '-1' is not a number of lines"),
        ("log 1 --tail 1.5", "--tail: '1.5' is not a number of lines"),
        ("wait 1 --timeout soon", "--timeout: it must be seconds or text such as"),
        ("result 1 --timeout nan", "--timeout: it must be seconds or text such as"),
        ("wait", "name the jobs by id, name or uid"),
        ("config frob", "invalid choice: 'frob'"),
        ("allow", "required: target"),
    ],
)
def test_wrong_usage_is_told_in_one_line_with_status_2(place, capsys, words, said):
    assert main(words.split()) == 2
    assert said in one_line(*capsys.readouterr())


@pytest.mark.parametrize(("status", "words"), [(0, "list"), (1, "log 99"), (2, "frob"), (2, "")])
def test_a_shell_gets_the_status(cli, status, words):
    cli(*words.split(), status=status)


@pytest.mark.own_place
def test_help_and_version_are_no_errors(cli):
    verbs = set(re.findall(r"^ {4}(\w+) ", cli("--help").stdout, re.MULTILINE))
    assert verbs >= {"submit", "list", "show", "log", "result", "wait", "cancel", "retry", "allow", "config", "doctor", "demo"}
    assert "--priority" in cli("submit", "--help").stdout
    assert cli("--version").stdout == f"{bg.__version__}\n"


def open_files(pid):
    names = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.add(descriptor.readlink().name)
    return names


@pytest.mark.crash
@pytest.mark.own_place
def test_an_interrupted_wait_has_the_status_of_an_interrupt(place):
    job = running(bg.submit("work.Trainer.sleep"))
    waiting = subprocess.Popen([sys.executable, "-m", "ipybgjobs", "wait", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: "jobs.db" in open_files(waiting.pid), "its look at the store")
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate(timeout=DEADLINE)[1] == b""
    assert waiting.returncode == 130
    assert job.state == "running"
    job.cancel(grace=5)


# -- allow ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def user(place):
    """The user's configuration folder, with an entry of each kind in its .py file."""
    place.module("extra", "def run():\n    return 'ran'\n\ndef other():\n    return 'other'\n")
    folder = place.root / "jupyter"
    folder.mkdir()
    (folder / "ipybgjobs_config.py").write_text(
        "c = get_config()\n"
        "c.BackgroundJobs.allowed_jobs = {\n"
        "    'extra': {'allowed_methods': ['other'], 'timeout': '2h', 'never_retry': [KeyError], 'max_attempts': 5},\n"
        "    'app.Sample': ('process',),\n"
        "}\n"
    )
    return folder


def written(user):
    return json.loads((user / "ipybgjobs_config.json").read_text())


@pytest.mark.own_place
def test_what_allow_allows_can_be_submitted(user, cli):
    assert "not on the allowlist" in refused(cli("submit", "extra.run", status=1))
    assert f"extra.run is allowed ({user}/ipybgjobs_config.json)" in cli("allow", "extra.run").stdout
    cli("submit", "extra.run")
    assert bg.job(1).result(60) == "ran"


@pytest.mark.own_place
@pytest.mark.crash
@pytest.mark.own_place
@pytest.mark.parametrize("entry", [MODULE, JUPYTER], ids=["python -m ipybgjobs", "jupyter bgjobs"])
def test_allow_finds_a_module_of_the_working_directory_by_each_entry(user, cli, entry):
    """The search path of a program that is installed begins with the program's folder."""
    said = cli("allow", "extra.run", entry=entry)
    assert f"extra.run is allowed ({user}/ipybgjobs_config.json)" in said.stdout
    assert said.stderr == ""


def test_allow_takes_along_what_the_py_file_says_of_the_same_class(user, cli):
    cli("allow", "extra.run")
    assert written(user)["BackgroundJobs"]["allowed_jobs"] == {
        "extra": {"allowed_methods": ["other", "run"], "timeout": "2h", "never_retry": ["KeyError"], "max_attempts": 5}
    }
    shown = strict(cli("config", "show", "--json").stdout)
    assert shown["allowed"]["extra"]["methods"] == ["other", "run"]
    assert shown["allowed"]["extra"]["timeout"] == 7200
    assert shown["allowed"]["app.Sample"]["methods"] == ["process"]


def test_allow_changes_nothing_else_in_the_user_s_file(user, cli):
    before = {
        "BackgroundJobs": {"allowed_jobs": {"other.Thing": {"allowed_methods": ["go"], "queue": "default"}}},
        "RetryPolicy": {"max_attempts": 2},
        "NotebookApp": {"port": 1},
    }
    (user / "ipybgjobs_config.json").write_text(json.dumps(before))
    cli("allow", "app.Sample.more")
    cli("allow", "other.Thing.come")
    before["BackgroundJobs"]["allowed_jobs"] = {
        "other.Thing": {"allowed_methods": ["go", "come"], "queue": "default"},
        "app.Sample": ["process", "more"],
    }
    assert written(user) == before


def test_a_folder_given_as_a_path_is_taken_along(user, cli):
    file = user / "ipybgjobs_config.py"
    file.write_text(file.read_text().replace("'timeout': '2h'", "'from': __import__('pathlib').Path('/opt/shared')"))
    cli("allow", "extra.run")
    assert written(user)["BackgroundJobs"]["allowed_jobs"]["extra"]["from"] == "/opt/shared"


def test_what_is_allowed_already_is_not_written_again(user, cli):
    assert "is allowed" in cli("allow", "app.Sample.process").stdout
    assert "is allowed" in cli("allow", "work.echo").stdout
    assert not (user / "ipybgjobs_config.json").exists()


@pytest.mark.own_place
def test_allow_says_where_another_file_decides(place, user, cli):
    refusal = refused(cli("allow", "work.Trainer.predict", status=1))
    assert f"{place.config_file} ranks higher and decides work.Trainer: add it there" in refusal
    assert "not on the allowlist" in refused(cli("submit", "work.Trainer.predict", status=1))


def test_allow_with_a_broken_file_changes_nothing(user, cli):
    file = user / "ipybgjobs_config.json"
    file.write_text("{")
    assert str(file) in refused(cli("allow", "extra.run", status=1))
    assert file.read_text() == "{"


def test_allow_as_json(user, cli):
    said = strict(cli("allow", "extra.run", "--json").stdout)
    assert said == {"allowed": "extra.run", "file": str(user / "ipybgjobs_config.json")}


@pytest.mark.crash
def test_two_that_allow_at_once_lose_nothing(place, user):
    targets = [f"app.jobs.Sample{number}.run" for number in range(6)]
    started = [
        subprocess.Popen([*MODULE, "allow", target], env=place.environment, stdout=subprocess.DEVNULL) for target in targets
    ]
    assert [process.wait(DEADLINE) for process in started] == [0] * 6
    assert {f"{key}.run" for key in written(user)["BackgroundJobs"]["allowed_jobs"]} == set(targets)


STUDIO = """
    open("imported", "a").close()

    class Base:
        def load(self):
            return "loaded"

    class Model(Base):
        def fit(self, epochs: int = 1):
            return epochs

        def _hidden(self):
            pass

        def on_success(self, result):
            pass

    def train(n: int):
        return n
"""


@pytest.fixture
def studio(place, user, monkeypatch):
    monkeypatch.chdir(place.code)
    place.module("atelier", STUDIO)
    return place


@pytest.mark.own_place
def test_allow_looks_and_says_what_it_allows(studio, user, cli):
    said = cli("allow", "atelier.Model.fit", "atelier.train").stdout
    file = user / "ipybgjobs_config.json"
    source = studio.code / "atelier.py"
    assert said == (
        f"atelier.Model.fit is allowed: a method in {source}.\n"
        f"atelier.train is allowed: a function in {source}.\n"
        f"They are in {file}.\n"
    )
    assert not (studio.code / "imported").exists()
    cli("submit", "atelier.train", "n=3")
    assert bg.job(1).result(60) == 3


def test_allow_of_a_class_lists_its_methods_one_by_one_in_the_answer_and_in_the_file(studio, user, cli):
    said = cli("allow", "atelier.Model.*").stdout
    assert [line.partition(" is allowed")[0] for line in said.splitlines()[:-1]] == ["atelier.Model.fit", "atelier.Model.load"]
    assert written(user)["BackgroundJobs"]["allowed_jobs"] == {"atelier.Model": ["fit", "load"]}
    studio.module("atelier", STUDIO + "\n    Model.more = lambda self: 1\n")
    assert "not on the allowlist" in refused(cli("submit", "atelier.Model.more", status=1))
    values = strict(cli("allow", "atelier.Model.*", "--json").stdout)
    assert values["allowed"] == ["atelier.Model.fit", "atelier.Model.load", "atelier.Model.more"]


def test_a_module_that_takes_long_is_named_meanwhile_and_not_in_the_answer(studio, user, cli):
    studio.module("atelier", STUDIO + "\n    import time\n    time.sleep(1.5)\n    Model.more = lambda self: 1\n")
    done = cli("allow", "atelier.Model.*", "--json")
    assert strict(done.stdout)["allowed"] == ["atelier.Model.fit", "atelier.Model.load", "atelier.Model.more"]
    assert done.stderr == "Importing atelier.Model in a process of its own, to see what it takes …\n"


NOT_ALLOWED = {
    "atelier.Modle.fit": "atelier.Modle.fit does not exist: atelier has no Modle. Did you mean atelier.Model.fit?",
    "atelier.Model.fitt": "atelier.Model.fitt does not exist: atelier.Model has no fitt. Did you mean atelier.Model.fit?",
    "ateleir.Model.fit": "ateleir.Model.fit does not exist: there is no module ateleir here. Did you mean atelier.Model.fit?",
    "atelier.Model.save": "atelier.Model.save does not exist: atelier.Model has no save. It has fit, load.",
    "atelier.Model": "atelier.Model is a class: name methods, or write atelier.Model.* for all of them. It has fit, load.",
    "atelier.py": "atelier.py is a file: write atelier.Class.method or atelier.function. It has Base, Model, train.",
    "nowhere_here.py": "nowhere_here.py is not a target: name a function or a method, such as module.Class.method",
    "atelier.train.*": "atelier.train is not a class, so it has no methods.",
    "atelier.*": "atelier is not a class, so it has no methods. It has Base, Model, train.",
    "atelier.Model._hidden": "atelier.Model._hidden can't run as a job: _hidden is a private name",
}


@pytest.mark.parametrize(("target", "said"), NOT_ALLOWED.items())
def test_what_is_not_there_is_not_allowed_and_nothing_else_of_the_line_either(studio, user, cli, target, said):
    refusal = refused(cli("allow", "atelier.train", target, status=1))
    assert said in refusal
    assert refusal.endswith(" Nothing was changed: none of the 2 is allowed.")
    assert "Nothing was changed" not in refused(cli("allow", target, status=1))
    assert not (user / "ipybgjobs_config.json").exists()


def test_a_module_that_is_elsewhere_is_allowed_with_a_note(studio, user, cli):
    said = cli("allow", "nowhere_here.Model.fit").stdout
    assert said.endswith("Note: there is no module nowhere_here here; put it beside the notebook, or install it.\n")
    assert written(user)["BackgroundJobs"]["allowed_jobs"] == {"nowhere_here.Model": ["fit"]}


def test_what_the_text_does_not_tell_a_process_of_its_own_does(studio, user, cli):
    studio.module("decorated", "import functools\n@functools.cache\ndef run(): pass\nrate = 1\ndef plain(): pass")
    assert "decorated.run is allowed" in cli("allow", "decorated.run").stdout
    assert refused(cli("allow", "decorated.rate", status=1)) == "decorated.rate can't be a job: it can't be called."


def test_a_refused_typo_offers_the_right_name_and_not_to_allow_the_typo(studio, cli):
    said = refused(cli("submit", "atelier.Modle.fit", status=1))
    assert said == "atelier.Modle.fit is not on the allowlist; atelier has no Modle. Did you mean atelier.Model.fit?"
    assert not (studio.code / "imported").exists()
    said = refused(cli("submit", "atelier.Model.fit", status=1))
    assert (
        said == f"atelier.Model.fit is not on the allowlist. To allow it: {sys.executable} -m ipybgjobs allow atelier.Model.fit"
    )


def test_disallow_takes_back_what_allow_has_written(studio, user, cli):
    cli("allow", "atelier.Model.*", "atelier.train")
    said = cli("disallow", "atelier.Model.load", "atelier.train").stdout
    file = user / "ipybgjobs_config.json"
    assert said == f"atelier.Model.load is no longer allowed.\natelier.train is no longer allowed.\nThey were in {file}.\n"
    assert written(user)["BackgroundJobs"]["allowed_jobs"] == {"atelier.Model": ["fit"]}
    assert "not on the allowlist" in refused(cli("submit", "atelier.train", "n=1", status=1))
    assert strict(cli("disallow", "atelier.Model.*", "--json").stdout)["disallowed"] == "atelier.Model.fit"
    assert written(user)["BackgroundJobs"]["allowed_jobs"] == {}


def test_disallow_names_the_file_that_it_can_not_change(studio, user, cli):
    said = refused(cli("disallow", "extra.other", status=1))
    assert said == (
        f"extra.other is allowed by {user}/ipybgjobs_config.py, which `allow` has not written: take it out of that file."
    )
    cli("allow", "app.Sample.more")
    said = refused(cli("disallow", "app.Sample.*", status=1))
    assert said.startswith(
        f"app.Sample.process was taken out of {user}/ipybgjobs_config.json, but {user}/ipybgjobs_config.py still"
    )
    said = refused(cli("disallow", "atelier.train", status=1))
    assert said == f"atelier.train is not allowed in {user}/ipybgjobs_config.json; nothing was changed."
    cli("allow", "atelier.train")
    assert refused(cli("disallow", "atelier.trian", status=1)).endswith("; nothing was changed. Did you mean atelier.train?")


def test_disallow_takes_back_a_pattern_of_notebooks(studio, user, cli):
    cli("allow", "'deep/**/*.ipynb'")
    assert written(user)["BackgroundJobs"]["allowed_notebooks"] == [f"{studio.code}/deep/**/*.ipynb"]
    cli("disallow", "deep/**/*.ipynb")
    assert written(user)["BackgroundJobs"]["allowed_notebooks"] == []


def test_disallow_says_what_still_allows_a_notebook(studio, user, cli):
    studio.code.joinpath("deep").mkdir()
    notebook = studio.code / "deep" / "one.ipynb"
    notebook.write_text("{}")
    cli("allow", "deep/one.ipynb", "'deep/*.ipynb'")
    file, pattern = user / "ipybgjobs_config.json", f"{studio.code}/deep/*.ipynb"
    (user / "ipybgjobs_config.json").write_text(json.dumps({"BackgroundJobs": {"allowed_notebooks": [str(notebook), pattern]}}))
    said = refused(cli("disallow", "deep/one.ipynb", status=1))
    assert said == f"{notebook} was taken out of {file}, but the pattern {pattern} still allows it: take that out too."
    assert written(user)["BackgroundJobs"]["allowed_notebooks"] == [pattern]


def test_disallow_takes_what_is_named_twice_out_once(studio, user, cli):
    cli("allow", "atelier.Model.*", "'deep/**/*.ipynb'")
    words = ["atelier.Model.fit", "atelier.Model.*", "deep/**/*.ipynb", "'deep/**/*.ipynb'"]
    assert len(cli("disallow", *words).stdout.splitlines()) == 4  # each once, and where they were
    assert written(user)["BackgroundJobs"] == {"allowed_jobs": {"ipybgjobs.Notebook": ["run"]}, "allowed_notebooks": []}


def test_config_check_says_which_allowed_targets_are_not_there(studio, user, cli):
    (user / "ipybgjobs_config.json").write_text(
        json.dumps({"BackgroundJobs": {"allowed_jobs": {"atelier.Modle": ["fit"], "atelier.Model": ["fit"], "nowhere.A": ["b"]}}})
    )
    first, *rest = cli("config", "check").stdout.splitlines()
    assert first.endswith("targets allowed, no errors found.")
    assert (
        "Allowed, but of no use: atelier.Modle.fit does not exist: atelier has no Modle. Did you mean atelier.Model.fit?" in rest
    )
    assert "Allowed, but not found from here: nowhere.A.b; there is no module nowhere here." in rest
    assert not any("atelier.Model.fit does" in line or "work." in line for line in rest)


# -- config --------------------------------------------------------------------------------------------------------------


def test_config_init_writes_the_sample_once(place, cli):
    file = place.root / "jupyter" / "ipybgjobs_config.py"
    assert str(file) in cli("config", "init").stdout
    assert file.read_text() == sample.text()
    file.write_text("# mine\n")
    assert f"{file} already exists" in refused(cli("config", "init", status=1))
    assert file.read_text() == "# mine\n"


def test_config_init_as_json_and_the_result_is_sound(place, cli):
    assert strict(cli("config", "init", "--json").stdout) == {"file": str(place.root / "jupyter" / "ipybgjobs_config.py")}
    assert "no errors found" in cli("config", "check").stdout


def test_the_repository_has_the_same_sample():
    assert (REPOSITORY / "config" / "ipybgjobs_config.py").read_text() == sample.text()


def load(file, text):
    file.write_text(text)
    return loading.load([sources.ConfigurationFile(str(file), "user")])


def test_the_sample_as_it_is_changes_no_default(tmp_path):
    settings = load(tmp_path / "ipybgjobs_config.py", sample.text())
    assert settings.to_json() | {"files": []} == Settings().to_json() | {"files": []}


def test_every_default_that_the_sample_shows_is_the_default(tmp_path):
    text, count = re.subn(r"^# +(c\.\w+\.\w+ = .*[^{]$)", r"\1", sample.text(), flags=re.MULTILINE)
    text = text.replace('c.BackgroundJobs.queues = {"default": 2, "gpu": 1}', "")
    assert count > 20
    settings = load(tmp_path / "ipybgjobs_config.py", text)
    assert settings.rules.requested, "what is written is asked for"
    settings = replace(settings, rules=replace(settings.rules, requested=False))
    assert settings.to_json() | {"files": []} == Settings().to_json() | {"files": []}


def test_the_example_in_the_sample_can_be_used(tmp_path):
    example = re.search(r"^# c\.BackgroundJobs\.allowed_jobs = \{\n(#.*\n)+", sample.text(), re.MULTILINE)[0]
    uncommented = "c = get_config()\n" + re.sub("^# ?", "", example, flags=re.MULTILINE)
    settings = load(tmp_path / "ipybgjobs_config.py", uncommented)
    assert {"training.Trainer.fit", "app.jobs.SampleJob.process"} < set(settings.targets())
    assert (settings.allowed["app.jobs.SampleJob"].timeout, settings.queues["gpu"].slots) == (7200, 1)


def test_config_show_tells_what_counts_and_from_where(place, user, cli):
    said = cli("config", "show").stdout
    assert re.search(rf"variable +{place.config_file}  \[read\]", said)
    assert re.search(rf"user +{user}/ipybgjobs_config.py  \[read\]", said)
    assert "work.Trainer: fit, fail" in said
    assert f"state_dir: {place.state}" in said
    shown = strict(cli("config", "show", "--json").stdout)
    assert shown["state_dir"] == str(place.state)
    assert {file["status"] for file in shown["files"]} == {"read", "absent"}


def test_config_check_counts_files_and_targets(cli):
    assert "no errors found" in cli("config", "check").stdout
    assert "work.Trainer.fit" in strict(cli("config", "check", "--json").stdout)["allowed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("c = get_config()\nc.BackgroundJobs.allowed_jobs = {\n", "line 2"),
        ("c = get_config()\n\nc.RetryPolicy.max_attempts = 0\n", "line 3: RetryPolicy.max_attempts"),
        ("c = get_config()\nc.BackgroundJobs.allowed_job = {}\n", "line 2.*Did you mean allowed_jobs"),
        ("1 / 0\n", "line 1 is broken: ZeroDivisionError"),
    ],
)
def test_a_broken_file_is_named_with_its_line(place, cli, text, said):
    place.config_file.write_text(text)
    for words in (["config", "check"], ["config", "show"], ["submit", "work.echo", "value=1"]):
        assert re.search(f"{place.config_file}.*{said}", refused(cli(*words, status=1)))


# -- doctor and demo -----------------------------------------------------------------------------------------------------


@pytest.mark.crash
@pytest.mark.own_place
def test_doctor_finds_no_problem_and_changes_nothing(place, cli):
    said = cli("doctor").stdout
    assert "No problems found." in said
    assert not place.state.exists()
    assert bg.submit("work.echo", {"value": 1}).result(60) == 1
    said = strict(cli("doctor", "--json").stdout)
    assert said["problems"] == []
    facts = dict(said["facts"])
    assert (facts["state folder"], facts["jobs"]) == (str(place.state), "1 succeeded")
    assert facts["python"].endswith(f"({sys.executable})")


@pytest.mark.crash
def test_doctor_names_a_broken_configuration_file(place, cli):
    place.config_file.write_text("c = get_config(\n")
    said = cli("doctor", status=1).stdout
    assert re.search(rf"^PROBLEM .*{place.config_file}, line \d", said, re.MULTILINE)
    assert "No problem" not in said
    assert str(place.config_file) in strict(cli("doctor", "--json", status=1).stdout)["problems"][0]


@pytest.mark.crash
def test_doctor_names_a_state_folder_that_is_open_to_others(place, cli):
    bg.submit("work.echo", {"value": 1}).wait(60)
    place.state.chmod(0o755)
    assert f"chmod 700 {place.state}" in cli("doctor", status=1).stdout


@pytest.mark.crash
@pytest.mark.own_place
def test_doctor_shows_the_last_errors(cli):
    bg.submit("work.Trainer.fail", {"message": "no data"}).wait(60)
    assert "no data" in cli("doctor").stdout


@pytest.mark.timeout(300)
def test_a_submit_from_a_folder_that_is_gone_is_refused_in_one_sentence(place):
    gone = place.root / "gone"
    gone.mkdir()
    command = ["sh", "-c", f'rmdir "{gone}" && exec "$0" "$@"', *MODULE, "submit", "work.echo", "value=1"]
    done = subprocess.run(
        command, cwd=gone, env=place.environment | {"PYTHONPATH": str(place.code)}, capture_output=True, text=True, check=False
    )
    said = "The working directory no longer exists: change to an existing one and submit again.\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.crash
@pytest.mark.own_place
@pytest.mark.parametrize("words", ["list", "list --json", "show 1", "log 1", "result 1", "doctor"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_can_not_be_written_is_told_in_one_line(kinds, words, unbuffered):
    bg.submit("kinds.chatters", {"lines": 3}).wait(60)
    with open("/dev/full", "w") as full:
        environment = kinds.environment | {"PYTHONUNBUFFERED": unbuffered}
        command = subprocess.run(
            [*MODULE, *words.split()], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (command.returncode, command.stderr) == (1, "The output can't be written: No space left on device.\n")


@pytest.mark.crash
@pytest.mark.parametrize("words", ["list", "log 1", "log 1 --json"])
def test_a_terminal_that_is_closed_is_no_error(kinds, words):
    bg.submit("kinds.chatters", {"lines": 3}).wait(60)
    shell = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *MODULE, *words.split()]
    command = subprocess.run(shell, env=kinds.environment, stderr=subprocess.PIPE, text=True, check=False)
    assert (command.returncode, command.stderr) == (0, "")


def test_completion_offers_no_short_name_that_several_targets_have(place):
    place.allow({"one.Trainer": ["fit", "load"], "other.Trainer": ["fit"], "one.deep.Net": ["run"]})
    found = completion.complete("%bgjob ").texts
    assert {"one.Trainer.fit", "other.Trainer.fit", "one.deep.Net.run", "Net.run", "one.Trainer.load"} <= set(found)
    assert not {"Trainer.fit", "Trainer.load"} & set(found)
