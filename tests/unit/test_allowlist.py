"""The allowlist: what is found, what is refused, and what the refusal tells."""

import shlex
import sys

import pytest

import ipybgjobs as bg
from ipybgjobs.configuration.settings import AllowedEntry, Settings
from ipybgjobs.targets import allowlist


def settings(**listed):
    listed = {
        "training.Trainer": ("fit", "evaluate"),
        "lab.jobs.Sample": ("process",),
        "one.Twin": ("run",),
        "two.Twin": ("run",),
        "helpers": ("clean", "os"),
        "Plain": ("go",),
        "deep.Plain": ("other",),
    } | listed
    return Settings(allowed={key: AllowedEntry(key, tuple(methods), "/etc/x.py") for key, methods in listed.items()})


def refusal(target, given=None):
    with pytest.raises(bg.JobNotAllowed) as caught:
        allowlist.find_permission(target, given or settings())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("training.Trainer.fit", "training.Trainer.fit"),
        ("training.Trainer.evaluate", "training.Trainer.evaluate"),
        ("helpers.clean", "helpers.clean"),
        ("Trainer.fit", "training.Trainer.fit"),
        ("Sample.process", "lab.jobs.Sample.process"),
        ("two.Twin.run", "two.Twin.run"),
        ("Plain.go", "Plain.go"),
    ],
)
def test_a_listed_method_is_found_by_its_path_or_by_the_bare_name_of_its_class(typed, target):
    permission = allowlist.find_permission(typed, settings())
    assert permission.target == target
    assert permission.entry.key == target.rpartition(".")[0]


def test_a_bare_name_of_several_classes_is_refused_with_their_paths():
    assert "(one.Twin, two.Twin)" in refusal("Twin.run")


def test_an_exact_key_goes_before_a_bare_name():
    assert "other is not" in refusal("Plain.other")


@pytest.mark.parametrize("target", ["jobs.Sample.process", "Trainer", "trainer.fit", "training.fit", "ng.Trainer.fit"])
def test_a_part_of_a_path_is_no_name(target):
    refusal(target)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "helpers.os.system",
        "helpers.subprocess.run",
        "training.os.system",
        "training.Trainer.fit.os.system",
        "builtins.eval",
        "training.Trainer.save",
        "helpers.clean.mro",
    ],
)
def test_what_a_listed_module_merely_reaches_is_not_allowed(target):
    assert "is not on the allowlist" in refusal(target)


@pytest.mark.parametrize(
    "target",
    [
        "Trainer.__init__",
        "training.Trainer.__class__",
        "training.Trainer.fit.__globals__",
        "training.Trainer.__globals__.system",
        "training.Trainer._fit",
        "_training.Trainer.fit",
        "helpers.__builtins__.eval",
    ],
)
def test_private_names_are_refused_as_such(target):
    assert "private name" in refusal(target)


def test_a_private_name_is_refused_even_where_the_settings_list_it():
    assert "private name" in refusal("helpers.__reduce__", settings(helpers=("__reduce__",)))


@pytest.mark.parametrize(
    "target",
    [
        "",
        ".",
        "fit",
        ".fit",
        "Trainer.",
        "training..fit",
        "Trainer.fit()",
        "Trainer fit",
        "a b.c",
        "os;x.y",
        "Trainer.fit\n",
    ],
)
def test_what_is_no_dotted_name_is_refused_with_the_form(target):
    assert "write module.Class.method or module.function" in refusal(target)


@pytest.mark.parametrize("target", [None, 5, ["training.Trainer.fit"], print, b"Trainer.fit"], ids=repr)
def test_what_is_no_text_is_refused_in_one_sentence(target):
    refusal(target)


@pytest.mark.parametrize("target", ["__main__.Trainer.fit", "__main__.fit"])
def test_a_class_of_the_notebook_is_told_to_move_into_a_module(target):
    message = refusal(target)
    assert "a .py file beside the notebook" in message
    assert "__main__" not in message


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("training.Trainer.fitt", "training.Trainer.fit"),
        ("Trainer.evalute", "training.Trainer.evaluate"),
        ("trainin.Trainer.fit", "training.Trainer.fit"),
        ("lab.job.Sample.process", "lab.jobs.Sample.process"),
    ],
)
def test_a_near_miss_is_answered_with_what_may_be_meant(target, meant):
    assert f"Did you mean {meant}?" in refusal(target)


def test_something_far_off_suggests_nothing():
    assert "Did you mean" not in refusal("pandas.DataFrame.to_csv")


def test_an_unlisted_method_is_told_what_is_listed_for_its_class_and_where():
    assert "which lists fit, evaluate for training.Trainer (/etc/x.py)" in refusal("Trainer.save")


@pytest.mark.parametrize(
    ("target", "allowed"),
    [("pandas.read_csv", "pandas.read_csv"), ("Trainer.save", "training.Trainer.save"), ("training.Trainer.save",) * 2],
)
def test_a_refusal_prints_the_line_that_allows_it_for_this_very_interpreter(target, allowed):
    message = refusal(target)
    assert message.endswith(f": {sys.executable} -m ipybgjobs allow {allowed}")


def test_an_interpreter_whose_path_has_a_space_is_quoted(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/my env/bin/python")
    line = allowlist.allow_command("a.b")
    assert shlex.split(line) == ["/opt/my env/bin/python", "-m", "ipybgjobs", "allow", "a.b"]


@pytest.mark.parametrize("target", ["pandas.read_csv", "Trainer.save"])
def test_where_the_administrator_has_locked_it_the_refusal_names_the_file_and_no_command(target):
    locked = Settings(allowed=settings().allowed, locked_by="/etc/jupyter/ipybgjobs_config.py")
    message = refusal(target, locked)
    assert "/etc/jupyter/ipybgjobs_config.py is locked" in message
    assert "ipybgjobs allow" not in message


def test_nothing_is_allowed_by_default():
    refusal("training.Trainer.fit", Settings())


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("training.Trainer.fit", True),
        ("helpers.clean", True),
        ("Trainer.fit", False),
        ("training.Trainer.save", False),
        ("training.Trainer", False),
        ("os.system", False),
        ("fit", False),
        ("", False),
    ],
)
def test_the_check_at_launch_knows_full_paths_only(target, allowed):
    assert allowlist.is_allowed(target, settings()) is allowed


def test_nothing_of_the_user_s_is_imported_before_the_allowlist_has_passed_it(place):
    place.module("trap", "raise SystemExit('imported')")
    with pytest.raises(bg.JobNotAllowed):
        bg.submit("trap.Class.method")
    assert "trap" not in sys.modules
    assert not place.processes()
