"""Configuration files: which count, what they say together, what a broken one tells, and what a notebook may change."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

import ipybgjobs as bg
from ipybgjobs.client.client import Client
from ipybgjobs.configuration import loading, sources, traits
from ipybgjobs.configuration.live import LiveTraits
from ipybgjobs.configuration.settings import LogSettings, Settings
from ipybgjobs.configuration.sources import ConfigurationFile
from ipybgjobs.supervisor import configurations
from ipybgjobs.supervisor.helpers import Helpers
from ipybgjobs.system import roles
from ipybgjobs.targets import allowlist
from ipybgjobs.targets import context as snapshot
from support.place import until

EVERYTHING = """
c.BackgroundJobs.allowed_jobs = {
    "training.Trainer": ["fit", "evaluate"],
    "app.jobs.Sample": {"allowed_methods": ["process"], "max_attempts": 5, "timeout": "2h", "queue": "gpu",
                        "from": "/opt/shared", "retry_on": [OSError], "delay_seconds": [1, "2m"]},
}
c.BackgroundJobs.queues = {"default": 3, "gpu": 1}
c.BackgroundJobs.state_dir = "/data/jobs"
c.BackgroundJobs.secret_names = ["pin"]
c.BackgroundJobs.idle_seconds = "5m"
c.BackgroundJobs.kill_grace_seconds = 1
c.BackgroundJobs.exit_grace_seconds = 2
c.RetryPolicy.max_attempts = 4
c.RetryPolicy.delay_seconds = "30s"
c.RetryPolicy.backoff_factor = 3
c.RetryPolicy.max_delay_seconds = "1h 30m"
c.RetryPolicy.jitter = 0.25
c.RetryPolicy.retry_on = [ConnectionError, "requests.exceptions.Timeout"]
c.RetryPolicy.never_retry = ["KeyError"]
c.JobLogs.directory = "/logs"
c.JobLogs.level = "debug"
c.JobLogs.format = "%(message)s"
c.JobLogs.max_bytes = 10
c.JobLogs.backup_count = 1
"""


class Files:
    """Configuration files of one test, lowest rank first."""

    def __init__(self, folder):
        self.folder = folder
        self.sources = []

    def add(self, content, rank="user", suffix=".py"):
        path = self.folder / f"{rank}{len(self.sources)}{suffix}"
        path.write_text(textwrap.dedent(content) if isinstance(content, str) else json.dumps(content, indent=1))
        self.sources.append(ConfigurationFile(str(path), rank))
        return str(path)

    def load(self, administered=()):
        return loading.load(self.sources, user_can_write=lambda path: path not in administered)

    def refusal(self):
        with pytest.raises(bg.ConfigurationError) as caught:
            self.load()
        return str(caught.value)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def allowing(**entries):
    return {"BackgroundJobs": {"allowed_jobs": entries}}


# -- what files say together ------------------------------------------------------------------------------------------


def slots(settings):
    return {name: queue.slots for name, queue in settings.queues.items()}


def test_names_of_secrets_of_all_files_count_together_and_on_top_of_ours(files):
    files.add("c.BackgroundJobs.secret_names = ['patient']", "user")
    files.add("c.BackgroundJobs.secret_names.append('case')", "profile")
    files.add("c.BackgroundJobs.secret_names = ['patient', 'ward']", "variable")
    assert files.load().secret_names == (*Settings().secret_names, "patient", "case", "ward")


def test_a_file_sets_every_trait(files):
    files.add(EVERYTHING)
    settings = files.load()
    assert settings.targets() == ["app.jobs.Sample.process", "training.Trainer.evaluate", "training.Trainer.fit"]
    assert slots(settings) == {"default": 3, "gpu": 1}
    assert settings.state_dir == "/data/jobs"
    assert settings.secret_names == (*Settings().secret_names, "pin")
    assert (settings.idle_seconds, settings.kill_grace_seconds, settings.exit_grace_seconds) == (300, 1, 2)
    assert settings.logs == LogSettings("/logs", "DEBUG", "%(message)s", 10, 1)
    rules = settings.rules
    assert (rules.max_attempts, rules.delay_seconds, rules.backoff_factor) == (4, (30,), 3)
    assert (rules.max_delay_seconds, rules.jitter) == (5400, 0.25)
    assert (rules.retry_on, rules.never_retry) == (("ConnectionError", "requests.exceptions.Timeout"), ("KeyError",))


def test_an_entry_has_its_own_settings_and_the_policy_s_for_the_rest(files):
    files.add(EVERYTHING)
    entry = files.load().allowed["app.jobs.Sample"]
    assert (entry.timeout, entry.queue, entry.only_from) == (7200, "gpu", "/opt/shared")
    rules = entry.rules
    assert (rules.max_attempts, rules.retry_on, rules.delay_seconds) == (5, ("OSError",), (1, 120))
    assert (rules.backoff_factor, rules.jitter, rules.never_retry) == (3, 0.25, ("KeyError",))
    assert files.load().allowed["training.Trainer"].rules == files.load().rules


@pytest.mark.parametrize(
    ("line", "requested"),
    [
        ("c.RetryPolicy.max_attempts = 3", True),
        ("c.RetryPolicy.delay_seconds = 60", True),
        ("c.RetryPolicy.retry_on = []", True),
        ("c.RetryPolicy.never_retry.append('KeyError')", True),
        ("c.RetryPolicy.jitter = 0.1", False),
        ("c.RetryPolicy.backoff_factor = 3", False),
        ("c.RetryPolicy.max_delay_seconds = 5", False),
        ("", False),
    ],
)
def test_a_file_requests_retries_if_it_sets_which_or_how_many_or_a_delay(files, line, requested):
    allowed = {"a.A": ["go"], "b.B": {"allowed_methods": ["go"], "max_attempts": 3}}
    files.add(f"c.BackgroundJobs.allowed_jobs = {allowed}\n{line}")
    settings = files.load()
    assert (settings.rules.requested, settings.allowed["a.A"].rules.requested) == (requested, requested)
    assert settings.allowed["b.B"].rules.requested
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))).allowed["a.A"].rules.requested is requested


def test_no_file_means_that_nothing_may_run(files):
    files.sources.append(ConfigurationFile(str(files.folder / "none.py"), "user"))
    settings = files.load()
    assert settings.allowed == {}
    assert slots(settings) == {"default": 2}
    assert [file.status for file in settings.files] == ["absent"]


@pytest.mark.parametrize("suffixes", [(".py", ".py"), (".json", ".json"), (".py", ".json"), (".json", ".py")])
def test_allowed_jobs_of_several_files_are_united_and_the_higher_rank_decides_a_key(files, suffixes):
    low, high = allowing(**{"a.A": ["one"], "b.B": ["low"]}), allowing(**{"b.B": ["high"], "c.C": ["three"]})
    paths = []
    for content, suffix in zip((low, high), suffixes, strict=True):
        code = f"c.BackgroundJobs.allowed_jobs = {content['BackgroundJobs']['allowed_jobs']!r}\n"
        paths.append(files.add(content if suffix == ".json" else code, suffix=suffix))
    settings = files.load()
    assert settings.targets() == ["a.A.one", "b.B.high", "c.C.three"]
    assert [settings.allowed[key].source for key in ("a.A", "b.B", "c.C")] == [paths[0], paths[1], paths[1]]


def test_an_entry_of_higher_rank_may_take_every_method_away(files):
    files.add(allowing(**{"a.A": ["one"]}), suffix=".json")
    files.add(allowing(**{"a.A": []}), suffix=".json")
    assert files.load().targets() == []


def test_of_other_traits_the_file_of_higher_rank_decides(files):
    files.add("c.RetryPolicy.max_attempts = 5\nc.RetryPolicy.jitter = 0.5")
    files.add("c.RetryPolicy.max_attempts = 7")
    assert (files.load().rules.max_attempts, files.load().rules.jitter) == (7, 0.5)


def test_update_extends_what_is_the_default(files):
    files.add(
        """
        c.BackgroundJobs.allowed_jobs.update({"a.A": ["one"]})
        c.BackgroundJobs.queues.update({"gpu": 1})
        c.RetryPolicy.never_retry.append(KeyError)
        c.RetryPolicy.retry_on.append("OSError")
        c.BackgroundJobs.secret_names.extend(["pin"])
        """
    )
    settings = files.load()
    assert settings.targets() == ["a.A.one"]
    assert slots(settings) == {"default": 2, "gpu": 1}
    assert settings.rules.never_retry == (*Settings().rules.never_retry, "KeyError")
    assert settings.rules.retry_on == ("OSError",)
    assert settings.secret_names == (*Settings().secret_names, "pin")


def test_update_extends_what_a_file_of_lower_rank_has_set(files):
    files.add('c.BackgroundJobs.queues = {"default": 4, "gpu": 1}\nc.RetryPolicy.never_retry = ["ValueError"]')
    files.add('c.BackgroundJobs.queues.update({"io": 8})\nc.RetryPolicy.never_retry.append("KeyError")')
    assert slots(files.load()) == {"default": 4, "gpu": 1, "io": 8}
    assert files.load().rules.never_retry == ("ValueError", "KeyError")


def test_the_default_queue_is_always_there(files):
    files.add('c.BackgroundJobs.queues = {"gpu": 1}')
    assert slots(files.load()) == {"default": 2, "gpu": 1}


def test_other_programs_sections_are_left_alone(files):
    files.add("c.ServerApp.port = 8888\nc.InteractiveShellApp.exec_lines = ['import this']")
    settings = files.load()
    assert settings.allowed == {}
    assert settings.files[0].status == "read, contains no ipybgjobs settings"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ValueError", "ValueError"),
        ("'ValueError'", "ValueError"),
        ("json.JSONDecodeError", "json.decoder.JSONDecodeError"),
        ("'json.decoder.JSONDecodeError'", "json.decoder.JSONDecodeError"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
@pytest.mark.parametrize("trait", ["never_retry", "retry_on"])
def test_exceptions_are_given_as_classes_or_names(files, trait, written, name):
    files.add(f"import json\nc.RetryPolicy.{trait} = [{written}]")
    assert getattr(files.load().rules, trait) == (name,)


def test_settings_survive_json(files):
    files.add(EVERYTHING)
    settings = files.load()
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert Settings.from_json(json.loads(json.dumps(Settings().to_json()))) == Settings()


# -- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("c.BackgroundJobs.queues = {}\nx = = 1\n", 2, "invalid syntax"),
        ("c.BackgroundJobs.queues = {}\n\nundefined_name\n", 3, "NameError"),
        ("import no_such_module_at_all\n", 1, "No module named 'no_such_module_at_all'"),
        ("def f():\n    1 / 0\n\nf()\n", 2, "ZeroDivisionError"),
        ("c.BackgroundJobs = {'queues': {}}\n", 1, "ValueError"),
        ("\nc.BackgroundJobs.allowed_jobs['a.A'] = ['x']\n", 2, "TypeError"),
        ("import sys\nsys.exit('not on this machine')\n", 2, "not on this machine"),
    ],
)
def test_a_broken_python_file_is_named_with_its_line(files, content, line, reason):
    path = files.add(content)
    message = files.refusal()
    assert f"{path}, line {line} is broken" in message
    assert reason in message


def test_broken_json_is_named_with_its_line(files):
    path = files.add('{\n "BackgroundJobs": {\n  "queues": {,}\n }\n}', suffix=".json")
    assert f"{path}, line 3 is broken" in files.refusal()


@pytest.mark.parametrize("content", ["", "null", "[1]", "5", '"text"', '{"BackgroundJobs": 5}', '{"RetryPolicy": ["x"]}'])
def test_json_of_another_form_is_refused_by_the_file_s_name(files, content):
    path = files.add(content, suffix=".json")
    assert path in files.refusal()


def test_a_folder_in_the_place_of_a_file_is_refused(files):
    path = files.folder / "folder.py"
    path.mkdir()
    files.sources.append(ConfigurationFile(str(path), "user"))
    assert str(path) in files.refusal()


def test_a_link_to_nowhere_is_refused_and_no_absent_file(files):
    path = files.folder / "link.py"
    path.symlink_to(files.folder / "gone.py")
    files.sources.append(ConfigurationFile(str(path), "user"))
    assert str(path) in files.refusal()


@pytest.mark.parametrize(
    ("section", "name", "meant"),
    [
        ("BackgroundJobs", "alowed_jobs", "allowed_jobs"),
        ("RetryPolicy", "max_attempt", "max_attempts"),
        ("JobLogs", "levle", "level"),
    ],
)
@pytest.mark.parametrize("suffix", [".py", ".json"])
def test_an_unknown_trait_is_refused_with_file_line_and_the_nearest(files, section, name, meant, suffix):
    code = f"# a comment\nc.{section}.{name} = 5\n"
    path = files.add(code if suffix == ".py" else {section: {name: 5}}, suffix=suffix)
    line = 2 if suffix == ".py" else 3
    message = files.refusal()
    assert f"{path}, line {line}: {section}.{name} does not exist" in message
    assert f"Did you mean {meant}?" in message


@pytest.mark.parametrize(
    "setting",
    [
        "BackgroundJobs.queues = {'default': 0}",
        "BackgroundJobs.queues = {'default': 'two'}",
        "BackgroundJobs.queues = 2",
        "BackgroundJobs.allowed_jobs = ['a.A.b']",
        "BackgroundJobs.state_dir = 5",
        "BackgroundJobs.locked = 'yes'",
        "BackgroundJobs.secret_names = [5]",
        "BackgroundJobs.idle_seconds = 'soon'",
        "RetryPolicy.max_attempts = 0",
        "RetryPolicy.max_attempts = 1.5",
        "RetryPolicy.delay_seconds = '5 minutes'",
        "RetryPolicy.delay_seconds = []",
        "RetryPolicy.delay_seconds = [1, -1]",
        "RetryPolicy.backoff_factor = 0.5",
        "RetryPolicy.backoff_factor = float('nan')",
        "RetryPolicy.max_delay_seconds = None",
        "RetryPolicy.jitter = 1.5",
        "RetryPolicy.jitter = float('nan')",
        "RetryPolicy.never_retry = {'ValueError': 1}",
        "RetryPolicy.never_retry = [ValueError()]",
        "RetryPolicy.retry_on = [int]",
        "JobLogs.level = 'LOUD'",
        "JobLogs.format = '%(nothing)s'",
        "JobLogs.max_bytes = -1",
    ],
)
def test_an_ill_typed_trait_is_refused_with_file_line_and_name(files, setting):
    path = files.add(f"import os\n\nc.{setting}\n")
    name = setting.partition(" ")[0]
    assert f"{path}, line 3: {name}" in files.refusal()


@pytest.mark.parametrize(
    "before",
    [
        "# c.RetryPolicy.jitter = 0.5\n",
        "c.RetryPolicy.jitter = 0.5\n",
        "c.RetryPolicy.jitter_of_old = 1\ndel c.RetryPolicy.jitter_of_old\n",
    ],
    ids=["a comment", "set before", "a longer name"],
)
def test_the_line_named_is_the_one_that_counts(files, before):
    path = files.add(f"{before}c.RetryPolicy.jitter = 7\n")
    assert f"{path}, line {before.count(chr(10)) + 1}: RetryPolicy.jitter" in files.refusal()


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"a.A": "fit"}, "must list method names"),
        ({"a.A": None}, "must list method names"),
        ({"a.A": 5}, "must list method names"),
        ({"a.A": [5]}, "must list method names"),
        ({"a.A": {}}, "must list method names"),
        ({"a.A": {"methods": ["fit"]}}, "sets the unknown option 'methods'; the options are allowed_methods"),
        ({"a.A": {"allowed_methods": ["fit"], "max_attempt": 3}}, "Did you mean max_attempts?"),
        ({"a.A": {"allowed_methods": ["fit"], "max_attempts": 0}}, "max_attempts"),
        ({"a.A": {"allowed_methods": ["fit"], "timeout": "long"}}, "got 'long'"),
        ({"a.A": {"allowed_methods": ["fit"], "timeout": 0}}, "timeout must be longer than zero"),
        ({"a.A": {"allowed_methods": ["fit"], "queue": ["gpu"]}}, "queue"),
        ({"a.A": {"allowed_methods": ["fit"], "queue": 5}}, "queue"),
        ({"a.A": {"allowed_methods": ["fit"], "from": 5}}, "from"),
        ({"a.A": {"allowed_methods": ["fit"], "from": "shared"}}, "from"),
        ({"a.A": {"allowed_methods": ["fit"], "from": ""}}, "from"),
        ({"a.A": ["_fit"]}, "only public methods"),
        ({"a.A": ["__init__"]}, "only public methods"),
        ({"a.A": ["A.fit"]}, "by its bare name"),
        ({"a.A": ["*"]}, "by its bare name"),
        ({"a.*": ["fit"]}, "the dotted path"),
        ({"": ["fit"]}, "the dotted path"),
        ({"a b": ["fit"]}, "the dotted path"),
        ({5: ["fit"]}, "the dotted path"),
        ({"a.A": {"allowed_methods": ["fit"]}, "b.B": "go"}, "allowed_jobs['b.B']"),
    ],
    ids=lambda value: str(value)[:50].replace(" ", ""),
)
def test_allowed_jobs_of_another_form_are_refused_by_file_key_and_rule(files, entries, reason):
    path = files.add(f"\nc.BackgroundJobs.allowed_jobs = {entries!r}")
    message = files.refusal()
    assert message.startswith(f"{path}, line 2: allowed_jobs[")
    assert reason in message


def test_a_broken_file_of_any_rank_stops_everything(files):
    files.add("1 / 0")
    files.add(allowing(**{"a.A": ["one"]}), suffix=".json")
    assert "No job will start until it is fixed" in files.refusal()


# -- which files count ------------------------------------------------------------------------------------------------


def test_the_variable_names_a_file_that_must_be_there(place, monkeypatch):
    monkeypatch.setenv("IPYBGJOBS_CONFIG", str(place.root / "gone.py"))
    with pytest.raises(bg.ConfigurationError, match=r"IPYBGJOBS_CONFIG names .*gone\.py, which does not exist"):
        Client().settings()


@pytest.mark.parametrize(("prefer", "middle"), [("0", ["environment", "user"]), ("1", ["user", "environment"])])
def test_ranks_go_from_system_over_jupyter_s_own_order_and_the_profile_to_the_variable(place, monkeypatch, prefer, middle):
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", prefer)
    ranks = [source.rank for source in sources.find_files()]
    assert list(dict.fromkeys(ranks)) == ["system", *middle, "profile", "variable"]
    assert sources.find_files()[-1].path == str(place.config_file)
    assert str(place.root / "jupyter" / "ipybgjobs_config.py") in [source.path for source in sources.find_files()]
    assert str(place.root / "ipython" / "profile_default" / "ipython_config.py") in [
        source.path for source in sources.find_files()
    ]


def test_the_administrator_s_folders_are_fixed_whatever_the_environment_says(place, monkeypatch):
    for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_CONFIG_DIR", "PROGRAMDATA", "HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(place.root / "mine"))
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "1")
    system = {os.path.dirname(source.path) for source in sources.find_files() if source.rank == "system"}
    assert system == {"/etc/jupyter", "/usr/local/etc/jupyter"}


def test_files_of_the_profile_and_of_the_user_count(place):
    for folder, key in (("jupyter", "a.A"), ("ipython/profile_default", "b.B"), ("other", "c.C")):
        (place.root / folder).mkdir(parents=True)
        name = "ipybgjobs_config.py" if folder == "jupyter" else "ipython_config.py"
        (place.root / folder / name).write_text(f"c.BackgroundJobs.allowed_jobs = {{{key!r}: ['go']}}")
    assert {"a.A", "b.B"} <= set(Client().settings().allowed)
    settings = Client(profile=str(place.root / "other")).settings()
    assert {"a.A", "c.C"} <= set(settings.allowed)
    assert "b.B" not in settings.allowed


@pytest.mark.parametrize("variable", ["JUPYTER_CONFIG_PATH", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"])
@pytest.mark.parametrize("value", [".", "here"])
def test_nothing_in_the_current_folder_is_read_by_a_relative_path(place, monkeypatch, variable, value):
    here = place.root / "notebooks"
    for folder in (here, here / "here", here / "profile_default", here / "here" / "profile_default"):
        folder.mkdir(exist_ok=True, parents=True)
        for name in ("ipybgjobs_config.py", "ipython_config.py", "ipython_kernel_config.py"):
            (folder / name).write_text(f"import pathlib; pathlib.Path({str(place.root / 'trap')!r}).touch()")
    monkeypatch.chdir(here)
    monkeypatch.setenv(variable, value)
    Client().settings()
    assert not (place.root / "trap").exists()
    assert all(os.path.isabs(source.path) for source in sources.find_files())


def test_the_current_folder_is_not_read_by_default(place, monkeypatch):
    (place.root / "ipybgjobs_config.py").write_text("1 / 0")
    monkeypatch.chdir(place.root)
    assert "work" in Client().settings().allowed


def test_a_changed_file_is_read_again_at_the_next_look(place):
    client = Client()
    assert "work.Trainer" in client.settings().allowed
    place.allow({"other.Thing": ["go"]})
    assert client.settings().targets() == ["other.Thing.go"]


def test_a_file_that_appears_or_goes_is_noticed(place):
    client, path = Client(), place.root / "jupyter" / "ipybgjobs_config.json"
    assert "a.A" not in client.settings().allowed
    path.parent.mkdir()
    path.write_text(json.dumps(allowing(**{"a.A": ["go"]})))
    assert "a.A" in client.settings().allowed
    path.unlink()
    assert "a.A" not in client.settings().allowed


def test_a_file_is_not_evaluated_again_while_it_has_not_changed(place):
    place.config_file.write_text(f"with open({str(place.root / 'count')!r}, 'a') as file: file.write('x')")
    client = Client()
    assert client.settings() is client.settings()
    assert (place.root / "count").read_text() == "x"


def test_a_broken_file_that_is_mended_is_read_without_a_restart(place):
    client, good = Client(), place.config_file.read_text()
    place.config_file.write_text("1 / 0")
    for _ in range(2):
        with pytest.raises(bg.ConfigurationError, match="ZeroDivisionError"):
            client.settings()
    place.config_file.write_text(good)
    assert "work" in client.settings().allowed


@pytest.mark.parametrize(
    ("variable", "trait", "expected"), [("/a", "/b", "/a"), (None, "/b", "/b"), ("", "/b", "/b"), (None, None, "data")]
)
def test_the_state_folder_is_the_variable_s_the_trait_s_or_jupyter_s(place, monkeypatch, variable, trait, expected):
    monkeypatch.delenv("IPYBGJOBS_STATE_DIR")
    if variable is not None:
        monkeypatch.setenv("IPYBGJOBS_STATE_DIR", variable)
    where = str((place.root / "jupyter-data" / "ipybgjobs").resolve()) if expected == "data" else expected
    assert loading.state_folder(Settings(state_dir=trait)) == where


def test_a_relative_state_folder_is_refused_since_it_would_move_with_the_working_directory(place, monkeypatch):
    monkeypatch.delenv("IPYBGJOBS_STATE_DIR")
    with pytest.raises(bg.ConfigurationError, match=r"^BackgroundJobs\.state_dir must be an absolute path, .*; got 'jobs'\.$"):
        loading.state_folder(Settings(state_dir="jobs"))
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", "./jobs")
    with pytest.raises(bg.ConfigurationError, match=r"^IPYBGJOBS_STATE_DIR must be an absolute path, .*; got '\./jobs'\.$"):
        bg.submit("work.echo", {"value": 1})


def test_the_home_folder_is_expanded_in_the_state_folder_and_in_from(files, monkeypatch):
    monkeypatch.setenv("HOME", "/home/eva")
    monkeypatch.delenv("IPYBGJOBS_STATE_DIR", raising=False)
    files.add(allowing(**{"a.A": {"allowed_methods": ["go"], "from": "~/shared"}}), suffix=".json")
    assert files.load().allowed["a.A"].only_from == "/home/eva/shared"
    assert loading.state_folder(Settings(state_dir="~/jobs")) == "/home/eva/jobs"


# -- as a program -----------------------------------------------------------------------------------------------------


def evaluated(files):
    question = json.dumps(files.sources)
    with tempfile.TemporaryFile() as answer:
        command = roles.command("configuration", str(answer.fileno()))
        subprocess.run(command, input=question, capture_output=True, text=True, check=False, pass_fds=[answer.fileno()])
        answer.seek(0)
        return json.load(answer)


def test_a_process_of_its_own_evaluates_the_files_to_the_same_settings(files):
    files.add(EVERYTHING + "print('noise')")
    assert Settings.from_json(evaluated(files)["settings"]) == files.load()


@pytest.mark.parametrize("content", ["1 / 0", "import sys; sys.exit(0)", "c.RetryPolicy.jitter = 7"])
def test_a_process_of_its_own_answers_with_the_sentence_of_a_broken_file(files, content):
    path = files.add(content)
    assert path in evaluated(files)["error"]


# -- the administrator ------------------------------------------------------------------------------------------------

LOCKED = "c.BackgroundJobs.locked = True\nc.BackgroundJobs.allowed_jobs = {'a.A': ['one']}\n"
WIDENED = "c.BackgroundJobs.allowed_jobs = {'a.A': ['one', 'two'], 'b.B': ['go']}\n"


@pytest.mark.parametrize("rank", ["environment", "user", "profile", "variable"])
def test_where_the_administrator_has_locked_no_file_of_another_rank_widens_it(files, rank):
    system = files.add(LOCKED, "system")
    other = files.add(WIDENED, rank)
    settings = files.load(administered=[system])
    assert settings.targets() == ["a.A.one"]
    assert settings.locked_by == system
    assert {file.path: file.status for file in settings.files}[system] == "read"
    assert "locked by the administrator" in {file.path: file.status for file in settings.files}[other]


@pytest.mark.parametrize(("rank", "administered"), [("system", False), ("user", True), ("variable", True), ("environment", True)])
def test_locked_has_no_effect_in_a_file_that_is_not_an_administrator_s(files, rank, administered):
    path = files.add(LOCKED, rank)
    files.add(WIDENED, "variable")
    settings = files.load(administered=[path] if administered else [])
    assert settings.locked_by is None
    assert settings.targets() == ["a.A.one", "a.A.two", "b.B.go"]


def test_a_user_s_file_can_not_unlock(files):
    system = files.add(LOCKED, "system")
    files.add("c.BackgroundJobs.locked = False\n" + WIDENED, "user")
    assert files.load(administered=[system]).targets() == ["a.A.one"]


def test_several_files_of_the_administrator_are_united_under_one_lock(files):
    one, two = files.add(LOCKED, "system"), files.add("c.BackgroundJobs.allowed_jobs = {'c.C': ['go']}", "system")
    files.add(WIDENED, "user")
    assert files.load(administered=[one, two]).targets() == ["a.A.one", "c.C.go"]


def test_without_a_lock_the_user_s_file_adds_to_the_administrator_s(files):
    system = files.add("c.BackgroundJobs.allowed_jobs = {'a.A': ['one']}", "system")
    files.add("c.BackgroundJobs.allowed_jobs = {'b.B': ['go']}", "user")
    assert files.load(administered=[system]).targets() == ["a.A.one", "b.B.go"]


ANOTHER_USER = """
import json, os, sys
from ipybgjobs.configuration import loading, sources
found = [sources.ConfigurationFile(*source) for source in json.load(sys.stdin)]
before = loading.load(found).locked_by
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
settings = loading.load(found)
print(json.dumps([before, settings.locked_by, settings.targets()]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("mode", "folder_mode", "owner", "locked"),
    [
        (0o644, 0o755, 0, True),
        (0o666, 0o755, 0, False),
        (0o644, 0o777, 0, False),
        (0o444, 0o755, 65534, False),
    ],
    ids=["root's", "writable", "in a writable folder", "the user's own"],
)
def test_a_lock_counts_for_a_user_who_can_not_write_the_file(mode, folder_mode, owner, locked):
    with tempfile.TemporaryDirectory() as folder:
        system, user = f"{folder}/system.py", f"{folder}/user.py"
        for path, content in ((system, LOCKED), (user, WIDENED)):
            with open(path, "w") as file:
                file.write(content)
            os.chmod(path, 0o644)
        os.chmod(system, mode)
        os.chown(system, owner, -1)
        os.chmod(folder, folder_mode)
        question = json.dumps([[system, "system"], [user, "user"]])
        command = [sys.executable, "-c", ANOTHER_USER]
        done = subprocess.run(command, input=question, capture_output=True, text=True, check=True)
    before, locked_by, targets = json.loads(done.stdout)
    assert before is None, "root writes everything, so nobody administers root"
    assert locked_by == (system if locked else None)
    assert targets == (["a.A.one"] if locked else ["a.A.one", "a.A.two", "b.B.go"])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("open_to_others", ["the folder of what the link leads to", "a folder above", "none of them"])
def test_a_lock_in_a_file_that_a_link_leads_to_counts_if_nothing_on_the_way_can_be_exchanged(open_to_others):
    with tempfile.TemporaryDirectory() as folder:
        system, behind = Path(folder, "etc", "system.py"), Path(folder, "srv", "conf", "conf.py")
        for made in (system.parent, behind.parent):
            made.mkdir(parents=True)
        behind.write_text(LOCKED)
        system.symlink_to(behind)
        for made in (folder, system.parent, behind.parent, behind.parent.parent):
            os.chmod(made, 0o755)
        opened = {"the folder of what the link leads to": behind.parent, "a folder above": behind.parent.parent}
        if open_to_others in opened:
            os.chmod(opened[open_to_others], 0o777)
        question, command = json.dumps([[str(system), "system"]]), [sys.executable, "-c", ANOTHER_USER]
        done = subprocess.run(command, input=question, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[1] == (str(system) if open_to_others == "none of them" else None)


def test_where_the_administrator_has_locked_it_no_other_file_sets_a_command(files):
    system = files.add(LOCKED + "c.BackgroundJobs.on_finish = ['mail', '{id}']", "system")
    files.add("c.BackgroundJobs.on_finish = ['sh', '-c', 'anything']", "user")
    assert files.load().on_finish == ("sh", "-c", "anything")
    assert files.load(administered=[system]).on_finish == ("mail", "{id}")


def test_a_file_adds_to_the_command_of_files_of_lower_rank(files):
    files.add("c.BackgroundJobs.on_finish = ['mail']", "system")
    files.add("c.BackgroundJobs.on_finish.append('{id}')", "user")
    assert files.load().on_finish == ("mail", "{id}")


def test_at_launch_the_administrator_s_files_count_whatever_list_of_files_a_row_has(place, tmp_path, monkeypatch):
    (tmp_path / "ipybgjobs_config.py").write_text("c.BackgroundJobs.allowed_jobs = {'a.A': ['one']}")
    own = files_of(tmp_path / "own.py", "c.BackgroundJobs.allowed_jobs = {'b.B': ['go']}")
    monkeypatch.setattr(sources, "SYSTEM_FOLDERS", (str(tmp_path),))
    context = snapshot.current_context(own, {}, 0o22)
    found = configurations.ConfigurationCache(Helpers())
    settings = until(lambda: found.settings(context) or (found.collect(found.filenos()) and None), "the settings")
    assert settings.targets() == ["a.A.one", "b.B.go"]
    assert [file.rank for file in settings.files] == ["system", "system", "user"]


def files_of(path, content):
    path.write_text(content)
    return [(str(path), "user")]


# -- what a notebook sets ---------------------------------------------------------------------------------------------


class Notebook:
    """A notebook's traits, and a client that they narrow."""

    def __init__(self):
        self.jobs, self.retry, self.logs = traits.BackgroundJobs(), traits.RetryPolicy(), traits.JobLogs()
        self.client = Client(live=LiveTraits(self.jobs, self.retry, self.logs))

    def config(self, section, **values):
        """As ``%config`` does it."""
        [instance] = [each for each in (self.jobs, self.retry, self.logs) if type(each).__name__ == section]
        instance.update_config(Config({section: values}))

    @property
    def settings(self):
        return self.client.settings()


@pytest.fixture
def notebook(place):
    place.allow({"a.A": ["one", "two"], "b.B": {"allowed_methods": ["go"], "queue": "gpu"}}, BackgroundJobs__queues={"gpu": 1})
    return Notebook()


def test_a_notebook_that_sets_nothing_has_the_files_settings(notebook):
    assert notebook.settings == Client().settings()


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({"a.A": ["one"]}, ["a.A.one"]),
        ({"a.A": ["one", "evil"], "os": ["system"]}, ["a.A.one"]),
        ({"a.A": ["evil"]}, []),
        ({"b.B": {"allowed_methods": ["go"], "timeout": "1s", "from": "/evil"}}, ["b.B.go"]),
        ({}, []),
    ],
    ids=str,
)
def test_a_notebook_narrows_what_the_files_allow_and_never_widens_it(notebook, asked, allowed):
    notebook.jobs.allowed_jobs = {"first": ["something"]}
    notebook.jobs.allowed_jobs = asked
    assert notebook.settings.targets() == allowed
    assert all(entry.only_from is None for entry in notebook.settings.allowed.values())
    assert Client().settings().targets() == ["a.A.one", "a.A.two", "b.B.go"]


def test_what_the_files_no_longer_allow_a_notebook_can_not_keep(notebook, place):
    notebook.jobs.allowed_jobs = {"a.A": ["one", "two"]}
    place.allow({"a.A": ["two"]})
    assert notebook.settings.targets() == ["a.A.two"]


def test_a_notebook_that_asks_in_another_form_is_told_so(notebook):
    notebook.jobs.allowed_jobs = {"a.A": "one"}
    with pytest.raises(bg.ConfigurationError, match=r"this notebook: allowed_jobs.* must list method names"):
        notebook.settings  # noqa: B018 - reading is what raises


def test_a_notebook_sets_the_retry_policy_of_its_own_jobs(notebook):
    notebook.config("RetryPolicy", max_attempts=7, never_retry=[KeyError])
    rules = notebook.settings.allowed["a.A"].rules
    assert (rules.max_attempts, rules.never_retry, rules.delay_seconds) == (7, ("KeyError",), (0.2,))
    assert Client().settings().allowed["a.A"].rules.max_attempts == 1


def test_a_notebook_requests_retries_as_a_file_does(notebook, place):
    place.allow({"a.A": ["one"]}, retries=False)
    notebook.config("RetryPolicy", jitter=0.5)
    assert not notebook.settings.allowed["a.A"].rules.requested
    notebook.config("RetryPolicy", max_attempts=3)
    assert notebook.settings.allowed["a.A"].rules.requested


def test_a_notebook_may_set_what_is_the_default_where_a_file_says_otherwise(notebook):
    notebook.config("RetryPolicy", max_attempts=3, delay_seconds=60)
    rules = notebook.settings.allowed["a.A"].rules
    assert (rules.max_attempts, rules.delay_seconds) == (3, (60,))


def test_a_notebook_that_sets_allowed_jobs_to_nothing_allows_nothing(notebook):
    notebook.config("BackgroundJobs", allowed_jobs={})
    assert notebook.settings.targets() == []


def test_a_notebook_adds_names_of_secrets_and_takes_none_away(notebook):
    notebook.jobs.secret_names = ["pin"]
    assert notebook.settings.secret_names == (*Settings().secret_names, "pin")


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("BackgroundJobs", "queues", {"default": 50}),
        ("BackgroundJobs", "state_dir", "/elsewhere"),
        ("BackgroundJobs", "locked", True),
        ("BackgroundJobs", "idle_seconds", 1),
        ("BackgroundJobs", "kill_grace_seconds", 1),
        ("BackgroundJobs", "exit_grace_seconds", 1),
        ("BackgroundJobs", "end_children", True),
        ("JobLogs", "level", "DEBUG"),
        ("JobLogs", "directory", "/elsewhere"),
    ],
)
def test_what_counts_only_in_a_file_is_refused_in_a_notebook(notebook, section, name, value):
    notebook.config(section, **{name: value})
    with pytest.raises(bg.ConfigurationError, match=f"{name} takes effect only in a configuration file"):
        notebook.settings  # noqa: B018 - reading is what raises


def test_a_notebook_s_word_is_checked_by_the_trait(notebook):
    with pytest.raises(TraitError):
        notebook.config("RetryPolicy", max_attempts=0)
    assert notebook.settings == Client().settings()


# -- code of a notebook --------------------------------------------------------------------------------------------------

ON, OFF = (f"c.BackgroundJobs.allow_notebook_code = {on}" for on in (True, False))


def test_code_of_a_notebook_is_not_allowed_unless_a_file_says_so(files):
    assert Settings().notebook_code is None
    files.add("c.BackgroundJobs.allowed_jobs = {'a.A': ['one']}", "user")
    assert files.load().notebook_code is None
    path = files.add(ON, "variable")
    assert files.load().notebook_code == path
    assert files.load().targets() == ["a.A.one"]


def test_the_file_of_the_highest_rank_that_says_anything_switches_code_of_a_notebook(files):
    files.add(ON, "user")
    files.add("c.BackgroundJobs.keep_jobs = 5", "variable")
    assert files.load().notebook_code
    files.add(OFF, "variable")
    assert files.load().notebook_code is None


@pytest.mark.parametrize(("administrator", "allowed"), [("", False), (OFF, False), (ON, True)], ids=["silent", "off", "on"])
def test_under_a_lock_only_the_administrator_switches_code_of_a_notebook(files, administrator, allowed):
    system = files.add(f"{LOCKED}\n{administrator}\n", "system")
    files.add(ON, "user")
    settings = files.load(administered=[system])
    assert settings.notebook_code == (system if allowed else None)
    if not allowed:
        with pytest.raises(bg.JobNotAllowed, match=r"only c\.BackgroundJobs\.allow_notebook_code = True in that file"):
            allowlist.find_permission("ipybgjobs.Cell.run", settings)


@pytest.mark.parametrize("key", ["ipybgjobs.Cell", "__main__", "__main__.Mine"])
def test_no_entry_allows_code_of_a_notebook(files, key):
    files.add(f"c.BackgroundJobs.allowed_jobs = {{{key!r}: ['run']}}", "user")
    with pytest.raises(bg.ConfigurationError, match=r"set c\.BackgroundJobs\.allow_notebook_code = True instead"):
        files.load()


def test_the_switch_survives_its_way_to_the_supervisor():
    settings = Settings(notebook_code="/etc/x.py")
    again = Settings.from_json(json.loads(json.dumps(settings.to_json())))
    assert allowlist.is_allowed("__main__.Mine.fit", again)
    assert not allowlist.is_allowed("__main__.Mine._fit", again)
    assert not allowlist.is_allowed("ipybgjobs.Cell.other", again)


def test_a_notebook_s_retry_policy_counts_for_its_own_code(notebook, place):
    place.allow({}, BackgroundJobs__allow_notebook_code=True)
    notebook.config("RetryPolicy", max_attempts=7)
    assert allowlist.find_permission("ipybgjobs.Cell.run", notebook.settings).entry.rules.max_attempts == 7
    notebook.config("BackgroundJobs", allow_notebook_code=False)
    assert notebook.settings.notebook_code is None


# -- a user whom the system does not know, without a home folder ------------------------------------------------------


def run_as_unknown(place, *arguments, **variables):
    """Run the command line as a user without an entry and without HOME, as from cron or in a cluster's container."""
    done = subprocess.run(
        ["unshare", "--user", "--map-user=54321", sys.executable, "-m", "ipybgjobs", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{place.code}:{os.pathsep.join(sys.path)}", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no user namespace is to be had: {done.stderr.strip()}")
    return done


def test_a_user_without_a_home_needs_none_where_variables_name_what_is_needed(place):
    place.state.mkdir(mode=0o700)
    done = run_as_unknown(
        place, "submit", "work.echo", "value=1", IPYBGJOBS_STATE_DIR=str(place.state), IPYBGJOBS_CONFIG=str(place.config_file)
    )
    assert (done.returncode, "queued" in done.stdout) == (0, True), done.stderr
    assert run_as_unknown(place, "wait", "1", IPYBGJOBS_STATE_DIR=str(place.state)).returncode == 0


@pytest.mark.parametrize("arguments", [["list"], ["allow", "work.echo"], ["config", "init"]], ids=" ".join)
def test_a_user_without_a_home_is_told_in_a_sentence_which_variable_to_set(place, arguments):
    done = run_as_unknown(place, *arguments)
    [line] = done.stderr.strip().splitlines()
    assert "User 54321 has no home folder" in line
    assert "set HOME or " in line
