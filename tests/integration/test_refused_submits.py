"""Submitting what is refused: by the allowlist, the target, its parameters or the configuration; nothing is started for it."""

import sys
import threading

import pytest

import ipybgjobs as bg
from support.refusals import refused

pytestmark = pytest.mark.shared_place

# -- the allowlist ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("other.Thing.run", r"other\.Thing\.run is not on the allowlist; there is no module other here"),
        ("work.Trainer.predict", r"which lists fit, fail, .* for work\.Trainer"),
        ("work.Trainer.fitt", r"Did you mean work\.Trainer\.fit\?"),
        ("work.Trianer.fit", r"Did you mean work\.Trainer\.fit\?"),
        ("work.Trainer._hidden", "_hidden is a private name"),
        ("work.Trainer.__init__", "__init__ is a private name"),
        ("work.__dict__.fit", "__dict__ is a private name"),
        ("work.Trainer.fit.__globals__", "__globals__ is a private name"),
        ("work.Trainer.fit.__call__", "__call__ is a private name"),
        ("work.Trainer.fit.other", "not on the allowlist"),
        ("work.os.system", "not on the allowlist"),
        ("os.system", "not on the allowlist"),
        ("work.Trainer.mro", "not on the allowlist"),
        ("work.Trainer", "not on the allowlist"),
        ("w\u043erk.echo", "not on the allowlist"),
        ("work.Trainer.fit()", "is not a valid target"),
        ("work.Trainer.fit\n", "is not a valid target"),
        (" work.echo", "is not a valid target"),
        ("work..echo", "is not a valid target"),
        ("work:echo", "is not a valid target"),
        ("work.py", r"^work\.py is a file: write work\.Class\.method, or work\.function\.$"),
        ("code/my-work.py", r"^code/my-work\.py is a file: write module\.Class\.method"),
        ("echo", "is not a valid target"),
        ("", "is not a valid target"),
        ("__main__.Trainer.fit", r"Trainer\.fit is defined in the notebook.*move it to a module"),
    ],
)
def test_a_target_that_is_not_listed_is_refused(place, target, words):
    with refused(place, bg.JobNotAllowed, words):
        bg.submit(target, {})


@pytest.mark.parametrize("target", [None, 3, ["work.echo"]])
def test_a_target_that_is_no_text_is_refused(place, target):
    with refused(place, bg.BackgroundJobError, "target"):
        bg.submit(target, {"value": 1})


def test_the_module_of_a_refused_target_is_not_imported(place):
    place.module("other", f"open({str(place.root / 'imported')!r}, 'w').close()")
    with refused(place, bg.JobNotAllowed, "not on the allowlist"):
        bg.submit("other.run")
    assert "other" not in sys.modules
    assert not (place.root / "imported").exists()


def test_a_class_of_the_notebook_is_refused(place):
    local = type("Local", (), {"__module__": "__main__", "fit": lambda self: 1})
    with refused(place, bg.JobNotAllowed, r"Local\.fit is defined in the notebook"):
        bg.run_background_job(local, "fit")


def test_an_instance_is_refused_in_the_place_of_a_class(place):
    import work

    with refused(place, bg.JobNotAllowed, "not an instance"):
        bg.run_background_job(work.Trainer(), "fit")


def test_a_method_of_an_instance_is_refused_since_the_instance_would_not_be_sent(place):
    import work

    with refused(place, bg.BackgroundJobError, "instance"):
        bg.run_background_job(work.Trainer(lr=0.9).fit)


def test_a_bare_name_that_several_classes_bear_is_refused(place):
    place.allow({"work.Trainer": ["fit"], "other.Trainer": ["fit"]})
    with refused(place, bg.JobNotAllowed, r"several allowed classes \(work\.Trainer, other\.Trainer\)"):
        bg.submit("Trainer.fit")


# -- the target ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "There is no module bad .*put it beside the notebook"),
        ("def run(:\n", r"bad can't be imported: SyntaxError: .*line 1"),
        ("1 / 0\n", "bad can't be imported: ZeroDivisionError"),
        ("raise RuntimeError('first line\\nsecond line')\n", "bad can't be imported: RuntimeError: first line"),
        ("import not_there_at_all\n", "bad can't be imported: No module named 'not_there_at_all'"),
        ("import sys; sys.exit(3)\n", "bad can't be imported: SystemExit"),
    ],
)
def test_a_module_that_can_not_be_imported_is_refused(place, source, words):
    if source is not None:
        place.module("bad", source)
    place.allow({"bad": ["run"]})
    with refused(place, bg.InvalidTarget, words):
        bg.submit("bad.run")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("shapes.Model.colour", "colour can't be called: it is of type str"),
        ("shapes.Model.summary", "summary can't be called: it is of type property"),
        ("shapes.Model.absent", "Model has no method absent"),
        ("shapes.absent", "shapes has no function absent"),
        ("shapes.Abstract.run", "it is abstract"),
    ],
)
def test_a_listed_name_that_can_not_be_called_is_refused(shapes, target, words):
    with refused(shapes, bg.InvalidTarget, words):
        bg.submit(target, init={"size": 1} if "Model" in target else None)


def test_a_generator_function_is_refused_since_calling_it_runs_nothing(shapes):
    with refused(shapes, bg.InvalidTarget, "generator"):
        bg.submit("shapes.generate", {"marker": str(shapes.root / "ran")})


# -- parameters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"epoch": 1}, r"no parameter epoch; it takes epochs, note, and its constructor takes lr\. Did you mean epochs\?"),
        ({"epochs": "many"}, "epochs='many' does not fit int"),
        ({"epochs": 1.5}, "epochs=1.5 does not fit int"),
        ({"epochs": None}, "epochs=None does not fit int"),
        ({"epochs": "a\nb"}, r"epochs='a\\nb' does not fit int"),
        ({"self": 1}, "no parameter self"),
        ([1, 2], "params must be a dict .*; it is of type list"),
        ({1: 2}, "params must be a dict of names and values, such as .*; 1 is not a name"),
        ({"epochs": 1, None: 2}, "params must be a dict of names and values, such as .*; None is not a name"),
        ("epochs=1", "params must be a dict"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(place, params, words):
    with refused(place, bg.InvalidParameters, words):
        bg.submit("work.Trainer.fit", params)


def test_a_missing_parameter_is_named(place):
    with refused(place, bg.InvalidParameters, "is missing the required parameters a, b: pass a=…, b=…"):
        bg.submit("work.Trainer.add")


def test_a_value_outside_a_choice_is_refused(shapes):
    with refused(shapes, bg.InvalidParameters, "mode='warp' does not fit"):
        bg.submit("shapes.typed", {"mode": "warp"})


def test_a_constructor_that_needs_parameters_says_how_to_give_them(shapes):
    with refused(
        shapes, bg.InvalidParameters, r"^The constructor Model\(\) is missing the required parameter size: pass size=…$"
    ):
        bg.submit("shapes.Model.describe")


def test_a_parameter_that_only_the_constructor_has_is_not_given_twice(place):
    words = r"^lr is in init and in the other parameters, and only the constructor has it: pass it once\.$"
    with refused(place, bg.InvalidParameters, words):
        bg.submit("work.Trainer.fit", {"epochs": 1, "lr": 0.2}, init={"lr": 0.1})


def test_a_name_that_neither_constructor_nor_method_has_is_refused_with_the_nearest_of_both(place):
    words = r"^Trainer\.fit\(\) has no parameter lrr; it takes epochs, note, and its constructor takes lr\. Did you mean lr\?$"
    with refused(place, bg.InvalidParameters, words):
        bg.submit("work.Trainer.fit", {"epochs": 1, "lrr": 0.2})


def test_constructor_parameters_without_a_constructor_are_refused(place):
    with refused(place, bg.InvalidParameters, "called without an instance"):
        bg.submit("work.Trainer.add", {"a": 1, "b": 2}, init={"lr": 1})


@pytest.mark.parametrize("make", [threading.Lock, lambda: (n for n in ()), lambda: {"lock": [threading.Lock()]}])
def test_a_value_that_can_not_be_pickled_is_refused_by_the_name_of_its_parameter(place, make):
    with refused(place, bg.InvalidParameters, "value is a .*can't be sent to another process"):
        bg.submit("work.echo", {"value": make()})


class Classless:
    """Raises when it is asked for its class, as an unbound proxy does."""

    __class__ = property(lambda _: 1 / 0)  # type: ignore[assignment]


class Itemless(dict):
    """Raises when it is asked for what it holds."""

    def items(self):
        raise RuntimeError("no items")


class Named(type):
    """A class that raises when it is asked for its name."""

    __name__ = property(lambda _: 1 / 0)  # type: ignore[assignment]


class Exits:
    """Ends who pickles it."""

    def __reduce__(self):
        sys.exit(3)


def _nameless():
    return Named("Nameless", (), {})()


def _endless():
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "make",
    [Classless, Itemless, _nameless, Exits, _endless, lambda: {"a": Classless()}, lambda: [Exits()]],
)
def test_a_value_that_raises_when_it_is_looked_at_is_refused_by_the_name_of_its_parameter(place, make):
    with refused(place, bg.InvalidParameters, r"^value is a .*, which can't be (inspected|sent to another process): "):
        bg.submit("work.echo", {"value": make()})
    with refused(place, bg.InvalidParameters, r"^value is a .*, which can't be (inspected|sent to another process): "):
        bg.submit_many("work.echo", [{"value": 1}, {"value": make()}])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue": "gpu"}, "no queue 'gpu'; the configured queues are default"),
        ({"priority": "high"}, "priority must be an integer .*; got 'high'"),
        ({"priority": 1.5}, "priority must be .*; got 1.5"),
        ({"priority": True}, "priority must be .*; got True"),
        ({"priority": 2**70}, "priority must be"),
        ({"delay": -1}, "delay must be .*; got -1"),
        ({"delay": "soon"}, "delay must be .*; got 'soon'"),
        ({"delay": float("nan")}, "delay must be .*; got nan"),
        ({"delay": [1]}, r"delay must be .*; got \[1\]"),
        ({"delay": 1e300}, "delay must be"),
        ({"timeout": -1}, "timeout must be .*; got -1"),
        ({"timeout": "an hour"}, "timeout must be .*; got 'an hour'"),
        ({"timeout": 0}, "timeout must be longer than zero, or left out for no limit; got 0"),
        ({"timeout": "0s"}, "timeout must be longer than zero, or left out for no limit; got '0s'"),
        ({"timeout": float("inf")}, "timeout must be .*; got inf"),
        ({"retry": 0}, "max_attempts"),
        ({"retry": "often"}, "max_attempts"),
        ({"retry": True}, "max_attempts"),
        ({"retry": {"max_attempt": 3}}, "no setting 'max_attempt'"),
        ({"retry": {"delay_seconds": -1}}, "delay_seconds"),
        ({"retry": {"delay_seconds": []}}, "delay_seconds"),
        ({"retry": {"backoff_factor": 0.5}}, "backoff_factor"),
        ({"retry": {"jitter": 2}}, "jitter"),
        ({"retry": {"never_retry": [int]}}, "is not an exception"),
        ({"name": "12"}, "name must be .*; got '12'"),
        ({"name": " "}, "name must be .*; got ' '"),
        ({"name": 3}, "name must be .*; got 3"),
        ({"name": "\udcff"}, "name must be"),
    ],
)
def test_an_option_of_a_wrong_value_is_refused(place, options, words):
    with refused(place, bg.InvalidParameters, words):
        bg.submit("work.echo", {"value": 1}, **options)


# -- the configuration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c.BackgroundJobs.allowed_jobs = {", "test_config.py, line 1 is broken"),
        ("\n\nraise KeyError('x')", "test_config.py, line 3 is broken: KeyError"),
        (
            "\nc.BackgroundJobs.allowed_job = {}",
            "test_config.py, line 2: BackgroundJobs.allowed_job does not exist.*Did you mean",
        ),
        ("c.BackgroundJobs.allowed_jobs = {'work': 'echo'}", "must list method names"),
        ("c.BackgroundJobs.allowed_jobs = {'work': ['_echo']}", "lists '_echo'; only public methods"),
        (
            "c.BackgroundJobs.allowed_jobs = {'work': {'allowed_methods': ['echo'], 'tries': 3}}",
            "sets the unknown option 'tries'; the options are",
        ),
        ("c.RetryPolicy.max_attempts = 0", "line 1: RetryPolicy.max_attempts"),
        ("c.BackgroundJobs.queues = {'default': 0}", "line 1: BackgroundJobs.queues"),
        ("c.JobLogs.level = 'LOUD'", "got 'LOUD'"),
    ],
)
def test_with_a_broken_configuration_file_nothing_is_submitted(place, text, words):
    place.config_file.write_text(text)
    with refused(place, bg.ConfigurationError, words):
        bg.submit("work.echo", {"value": 1})


def test_a_mended_configuration_file_counts_at_once(place):
    sound = place.config_file.read_text()
    place.config_file.write_text("c.BackgroundJobs.allowed_jobs = {")
    with refused(place, bg.ConfigurationError, "broken"):
        bg.submit("work.echo", {"value": 1})
    place.config_file.write_text(sound)
    assert bg.submit("work.echo", {"value": 1}).result(60) == 1
