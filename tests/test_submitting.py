"""Submitting: what is refused, with nothing started for it; what is accepted, and arrives as it was given."""

import asyncio
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import ipybgjobs as bg
from ipybgjobs.system import private_file
from ipybgjobs.targets import inspection_process

SHAPES = """
    import abc, pathlib
    from typing import Literal

    class Base:
        def inherited(self, n: int):
            return [type(self).__name__, n]

    class Child(Base):
        pass

    class Model:
        colour = "red"

        def __init__(self, size: int, *, label: str = "m"):
            self.size, self.label = size, label

        def describe(self):
            return f"{self.label}{self.size}"

        @property
        def summary(self):
            return "summary"

        @classmethod
        async def made(cls, n):
            return [cls.__name__, n]

        class Part:
            def weigh(self):
                return "light"

    class Abstract(abc.ABC):
        @abc.abstractmethod
        def run(self): ...

    def positional(a, b=2, c=3, /, d=4):
        return [a, b, c, d]

    def anything(first, **rest):
        return [first, rest]

    def typed(n: int = 0, mode: Literal["fast", "slow"] = "fast", pin: int = 0):
        return [n, mode]

    def file(path: pathlib.Path):
        return [type(path).__mro__[1].__name__, str(path)]

    def total(table, array):
        return [type(table).__name__, float(table["x"].sum()), array.tolist()]

    def kinds(values):
        return [type(value).__name__ for value in values]

    def generate(marker):
        open(marker, "w").close()
        yield 1
"""

SHAPES_ALLOWED = {
    "shapes": ["positional", "anything", "typed", "file", "total", "kinds", "generate", "absent"],
    "shapes.Model": ["describe", "made", "colour", "summary", "absent"],
    "shapes.Model.Part": ["weigh"],
    "shapes.Child": ["inherited"],
    "shapes.Abstract": ["run"],
}


@pytest.fixture
def shapes(place):
    place.module("shapes", SHAPES)
    place.allow(SHAPES_ALLOWED, BackgroundJobs__idle_seconds=0.1)
    return place


def leftovers(place):
    return list((place.state / "jobs").rglob("*"))


@contextlib.contextmanager
def refused(place, kind, words):
    """What stands inside is refused in one line, and nothing was started or kept for it."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert re.search(words, message), message
    assert "\n" not in message
    assert len(message) < 800
    assert bg.jobs() == []
    assert not leftovers(place)
    assert not place.processes()


# -- the allowlist ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("other.Thing.run", r"other\.Thing\.run is not on the allowlist.*ipybgjobs allow other\.Thing\.run"),
        ("work.Trainer.predict", r"which has fit, fail, .* for work\.Trainer"),
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
        ("work.Trainer.fit()", "is not a target"),
        ("work.Trainer.fit\n", "is not a target"),
        (" work.echo", "is not a target"),
        ("work..echo", "is not a target"),
        ("work:echo", "is not a target"),
        ("echo", "is not a target"),
        ("", "is not a target"),
        ("__main__.Trainer.fit", r"Trainer\.fit is defined in the notebook.*put it in a module"),
    ],
)
def test_a_target_that_is_not_listed_is_refused(place, target, words):
    with refused(place, bg.JobNotAllowed, words):
        bg.submit(target, {})


@pytest.mark.parametrize("target", [None, 3, ["work.echo"], print])
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


# -- the target -------------------------------------------------------------------------------------------------------


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


# -- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"epoch": 1}, r"no parameter epoch; it takes epochs, note\. Did you mean epochs\?"),
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
    with refused(place, bg.InvalidParameters, "needs a, b; give a=…, b=…"):
        bg.submit("work.Trainer.add")


def test_a_value_outside_a_choice_is_refused(shapes):
    with refused(shapes, bg.InvalidParameters, "mode='warp' does not fit"):
        bg.submit("shapes.typed", {"mode": "warp"})


def test_a_constructor_that_needs_parameters_says_how_to_give_them(shapes):
    with refused(shapes, bg.InvalidParameters, r"The constructor Model\(\) needs size; give size=….*init="):
        bg.submit("shapes.Model.describe")


def test_a_parameter_of_the_constructor_is_asked_for_where_it_belongs(place):
    words = r"^lr is a parameter of the constructor: write %bgjob Trainer\(lr=value\)\.fit …, or init={…} in Python\.$"
    with refused(place, bg.InvalidParameters, words):
        bg.submit("work.Trainer.fit", {"epochs": 1, "lr": 0.2})


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
    with refused(place, bg.InvalidParameters, r"^value is a .*, which can't be (looked at|sent to another process): "):
        bg.submit("work.echo", {"value": make()})
    with refused(place, bg.InvalidParameters, r"^value is a .*, which can't be (looked at|sent to another process): "):
        bg.submit_many("work.echo", [{"value": 1}, {"value": make()}])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue": "gpu"}, "no queue 'gpu'; the configuration has default"),
        ({"priority": "high"}, "priority is 'high'; it is a whole number"),
        ({"priority": 1.5}, "priority is 1.5"),
        ({"priority": True}, "priority is True"),
        ({"priority": 2**70}, "priority is"),
        ({"delay": -1}, "delay is -1"),
        ({"delay": "soon"}, "delay is 'soon'"),
        ({"delay": float("nan")}, "delay is nan"),
        ({"delay": [1]}, r"delay is \[1\]"),
        ({"delay": 1e300}, "delay is"),
        ({"timeout": -1}, "timeout is -1"),
        ({"timeout": "an hour"}, "timeout is 'an hour'"),
        ({"timeout": 0}, "timeout is 0, in which nothing can run; give more, or leave it out for no limit"),
        ({"timeout": "0s"}, "timeout is '0s', in which nothing can run"),
        ({"timeout": float("inf")}, "timeout is inf"),
        ({"retry": 0}, "max_attempts"),
        ({"retry": "often"}, "max_attempts"),
        ({"retry": True}, "max_attempts"),
        ({"retry": {"max_attempt": 3}}, "no setting 'max_attempt'"),
        ({"retry": {"delay_seconds": -1}}, "delay_seconds"),
        ({"retry": {"delay_seconds": []}}, "delay_seconds"),
        ({"retry": {"backoff_factor": 0.5}}, "backoff_factor"),
        ({"retry": {"jitter": 2}}, "jitter"),
        ({"retry": {"never_retry": [int]}}, "no exception"),
        ({"name": "12"}, "name is '12'"),
        ({"name": " "}, "name is ' '"),
        ({"name": 3}, "name is 3"),
        ({"name": "\udcff"}, "name is"),
    ],
)
def test_an_option_of_a_wrong_value_is_refused(place, options, words):
    with refused(place, bg.InvalidParameters, words):
        bg.submit("work.echo", {"value": 1}, **options)


# -- the configuration ------------------------------------------------------------------------------------------------


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
        ("c.BackgroundJobs.allowed_jobs = {'work': {'allowed_methods': ['echo'], 'tries': 3}}", "sets 'tries'; it may set"),
        ("c.RetryPolicy.max_attempts = 0", "line 1: RetryPolicy.max_attempts"),
        ("c.BackgroundJobs.queues = {'default': 0}", "line 1: BackgroundJobs.queues"),
        ("c.JobLogs.level = 'LOUD'", "level is 'LOUD'"),
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


# -- what is accepted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "params", "options", "expected"),
    [
        ("work.echo", {"value": [1, {"a": None}]}, {}, [1, {"a": None}]),
        ("work.Trainer.add", {"a": 1, "b": "2"}, {}, 3),
        ("work.Trainer.name_of_class", None, {}, "Trainer"),
        ("work.Trainer.later", {"value": "x"}, {}, "x"),
        ("Trainer.fit", {"epochs": 0}, {"init": {"lr": "0.5"}}, {"epochs": 0, "lr": 0.5}),
    ],
)
def test_functions_and_methods_of_every_kind_run(place, target, params, options, expected):
    job = bg.submit(target, params, **options)
    assert job
    assert job.result(60) == expected


@pytest.mark.parametrize(
    ("target", "params", "init", "expected"),
    [
        ("shapes.positional", {"a": 1, "b": 5, "d": 6}, None, [1, 5, 3, 6]),
        ("shapes.positional", {"a": 1, "c": 5}, None, [1, 2, 5, 4]),
        ("shapes.anything", {"first": 1, "second": 2, "third": [3]}, None, [1, {"second": 2, "third": [3]}]),
        ("shapes.Model.describe", {}, {"size": 3, "label": "big"}, "big3"),
        ("shapes.Model.made", {"n": 4}, None, ["Model", 4]),
        ("shapes.Model.Part.weigh", {}, None, "light"),
        ("shapes.Child.inherited", {"n": 1}, None, ["Child", 1]),
        ("shapes.typed", {"n": "7", "mode": "slow"}, None, [7, "slow"]),
    ],
)
def test_parameters_arrive_where_they_belong(shapes, target, params, init, expected):
    assert bg.submit(target, params, init=init).result(60) == expected


def test_a_path_is_expanded_and_arrives_as_one(shapes):
    job = bg.submit("shapes.file", {"path": "~/data.csv"})
    assert job.params == {"path": pathlib.Path("~/data.csv").expanduser()}
    assert job.result(60) == ["Path", str(pathlib.Path("~/data.csv").expanduser())]


def test_a_table_and_an_array_are_sent_by_value(shapes):
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    table = pandas.DataFrame({"x": [1, 2, 3]})
    job = bg.submit("shapes.total", {"table": table, "array": numpy.array([1, 2])})
    table.loc[0, "x"] = 100
    assert "table=<DataFrame 3×1>, array=<ndarray 2>" in repr(job)
    assert job.result(60) == ["DataFrame", 6.0, [1, 2]]


def test_values_that_json_would_change_keep_their_types(shapes):
    values = [(1, 2), {1, 2}, b"x", 1j, True, 1, 1.0, None, {1: 2}, "\udcff", 10**5000]
    assert bg.submit("shapes.kinds", {"values": values}).result(60) == [type(value).__name__ for value in values]


VALUES = {"inf": float("inf"), "long": 2**70, "huge": 10**5000, "surrogate": "\udcff", "lines": "a\nb", "nul": "\0", "text": "é✓"}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_comes_back_as_it_was_given(place, value):
    job = bg.submit("work.echo", {"value": value})
    assert repr(job.params["value"] == value) == "True"
    assert job.result(60) == value
    assert "\n" not in repr(job)


def test_the_classic_helper_takes_a_class_a_function_or_their_names(place):
    import work

    jobs = [
        bg.run_background_job(work.Trainer, "fit", {"epochs": 1}),
        bg.run_background_job("work.Trainer", "fit", {"epochs": 1}),
        bg.run_background_job("Trainer", "fit", {"epochs": 1}),
        bg.run_background_job(work.echo, None, {"value": 1}),
        bg.run_background_job("work", "echo", {"value": 1}),
    ]
    assert [job.target for job in jobs] == ["work.Trainer.fit"] * 3 + ["work.echo"] * 2
    assert [job.result(60) for job in jobs] == [{"epochs": 1, "lr": 0.1}] * 3 + [1] * 2


# -- a module that counts from one folder only ------------------------------------------------------------------------


def library(folder, text, marker=None):
    folder.mkdir(parents=True, exist_ok=True)
    line = f"open({str(marker)!r}, 'w').close()\n" if marker else ""
    (folder / "library.py").write_text(f"{line}class Thing:\n    def run(self):\n        return {text!r}\n")


def test_a_module_is_taken_from_the_folder_that_its_entry_names(place):
    library(place.root / "shared", "the right one")
    library(place.code, "another", place.root / "ran")
    place.allow({"library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    assert bg.submit("library.Thing.run").result(60) == "the right one"
    assert not (place.root / "ran").exists()


@pytest.mark.parametrize("allowed_folder", ["shared", "cod"])
def test_a_module_found_anywhere_else_is_refused_and_its_code_does_not_run(place, allowed_folder):
    (place.root / allowed_folder).mkdir()
    library(place.code, "another", place.root / "ran")
    place.allow({"library.Thing": {"allowed_methods": ["run"], "from": str(place.root / allowed_folder)}})
    with refused(place, bg.JobNotAllowed, f"library is allowed only from .*{allowed_folder}, and it is not there"):
        bg.submit("library.Thing.run")
    assert not (place.root / "ran").exists()


@pytest.mark.parametrize("kind", ["package", "namespace"])
def test_code_from_elsewhere_does_not_run_in_the_place_of_a_folder_without_init(place, kind):
    library(place.root / "shared" / "pack", "the right one")
    library(place.code / "pack", "another", place.root / "ran")
    if kind == "package":
        (place.code / "pack" / "__init__.py").write_text(f"open({str(place.root / 'ran')!r}, 'w').close()\n")
    else:
        (place.root / "shared" / "pack" / "library.py").unlink()
    place.allow({"pack.library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    with contextlib.suppress(bg.JobNotAllowed, bg.InvalidTarget):
        assert bg.submit("pack.library.Thing.run").result(60) == "the right one"
    assert not (place.root / "ran").exists()


@pytest.mark.parametrize("link", ["library.py", "pack/library.py", "pack/__init__.py"])
def test_a_module_that_is_a_link_out_of_its_folder_is_refused_before_it_runs(place, link):
    library(place.root / "elsewhere", "another", place.root / "ran")
    target = place.root / "shared" / link
    (place.root / "shared" / "pack").mkdir(parents=True)
    (place.root / "shared" / "pack" / "__init__.py").touch()
    target.unlink(missing_ok=True)
    target.symlink_to(place.root / "elsewhere" / "library.py")
    key = {"library.py": "library.Thing", "pack/library.py": "pack.library.Thing", "pack/__init__.py": "pack.Thing"}[link]
    place.allow({key: {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    with refused(place, bg.JobNotAllowed, "is allowed only from .*shared; it was found in .*elsewhere/library.py"):
        bg.submit(f"{key}.run")
    assert not (place.root / "ran").exists()


def test_a_folder_without_init_below_a_package_of_the_named_folder_is_a_part_of_it(place):
    library(place.root / "shared" / "pack" / "part", "the right one")
    (place.root / "shared" / "pack" / "__init__.py").touch()
    place.allow({"pack.part.library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    assert bg.submit("pack.part.library.Thing.run").result(60) == "the right one"


# -- edited source ----------------------------------------------------------------------------------------------------


def test_an_edited_module_just_works(place):
    place.module("draft", "def run(a): return ['old', a]")
    place.allow({"draft": ["run"]})
    assert bg.submit("draft.run", {"a": 1}).result(60) == ["old", 1]
    place.module("draft", "def run(a, b): return ['new', a, b]")
    assert bg.submit("draft.run", {"a": 1, "b": 2}).result(60) == ["new", 1, 2]
    with pytest.raises(bg.InvalidParameters, match="needs b"):
        bg.submit("draft.run", {"a": 1})


def test_an_edited_base_class_in_another_module_just_works(place):
    place.module("base", "class Base:\n    def run(self, a): return ['old', a]")
    place.module("draft", "from base import Base\nclass Draft(Base): pass")
    place.allow({"draft.Draft": ["run"]})
    assert bg.submit("draft.Draft.run", {"a": 1}).result(60) == ["old", 1]
    place.module("base", "class Base:\n    def run(self, a, b): return ['new', a, b]")
    assert bg.submit("draft.Draft.run", {"a": 1, "b": 2}).result(60) == ["new", 1, 2]


def test_a_module_that_was_broken_works_once_it_is_mended(place):
    place.module("draft", "def run(:")
    place.allow({"draft": ["run"]})
    with refused(place, bg.InvalidTarget, "SyntaxError"):
        bg.submit("draft.run")
    place.module("draft", "def run(): return 'mended'")
    assert bg.submit("draft.run").result(60) == "mended"


@pytest.fixture
def looks(monkeypatch):
    """The fresh processes that were asked; each runs."""
    found, ask = [], inspection_process.ask
    monkeypatch.setattr(inspection_process, "ask", lambda question: found.append(1) or ask(question))
    return found


def later(path, seconds):
    """Give a file a date that no file had before it."""
    date = time.time() + seconds
    os.utime(path, (date, date))


def test_a_module_that_was_only_touched_is_not_looked_at_in_a_fresh_process(place, looks):
    path = place.module("draft", "def run(a): return a")
    place.allow({"draft": ["run"]})
    bg.submit("draft.run", {"a": 1})
    for seconds in (5, 10):
        later(path, seconds)
        bg.submit("draft.run", {"a": 2})
    assert looks == []


def test_an_edited_module_is_imported_once_in_a_fresh_process_and_not_at_every_submit(place, looks):
    path = place.module("draft", "def run(a): return a")
    place.allow({"draft": ["run"]})
    bg.submit("draft.run", {"a": 1})
    place.module("draft", "def run(a: int, b: list[int] | None = None): return [a, b]")
    later(path, 5)
    assert bg.submit("draft.run", {"a": "1"}).result(60) == [1, None]
    later(path, 10)  # a touch
    assert bg.submit("draft.run", {"a": "2", "b": ["3"]}).result(60) == [2, [3]]
    with pytest.raises(bg.InvalidParameters, match=r"run\(\): a='x' does not fit int"):
        bg.submit("draft.run", {"a": "x"})
    assert len(looks) == 1
    place.module("draft", "def run(c): return c")
    later(path, 15)
    assert bg.submit("draft.run", {"c": 4}).result(60) == 4
    assert len(looks) == 2


@pytest.mark.parametrize(
    "source",
    [
        "import enum\nclass Kind(enum.Enum):\n    A = 'a'\ndef run(a: Kind = Kind.A): return a.value",
        "class Job:\n    def run(self, a='a'): return a\n    @classmethod\n    def on_submit(cls, method, params): return params",
    ],
    ids=["a type of its own", "parameters that the class prepares"],
)
def test_what_only_the_edited_module_itself_can_say_is_asked_each_time(place, looks, source):
    target = "draft.Job.run" if "Job" in source else "draft.run"
    path = place.module("draft", source)
    place.allow({"draft": ["run"], "draft.Job": ["run"]})
    bg.submit(target)
    place.module("draft", f"{source}  # edited")
    later(path, 5)
    assert [bg.submit(target, {"a": "a"}).result(60) for _ in range(2)] == ["a", "a"]
    assert len(looks) == 2


def test_a_module_from_a_named_folder_is_looked_at_once(place, looks):
    library(place.root / "shared", "the right one")
    place.allow({"library.Thing": {"allowed_methods": ["run"], "from": str(place.root / "shared")}})
    jobs = [bg.submit("library.Thing.run") for _ in range(3)]
    assert [job.result(60) for job in jobs] == ["the right one"] * 3
    assert len(looks) == 1


# -- finding jobs -----------------------------------------------------------------------------------------------------


def test_a_job_is_found_by_id_uid_and_name(place):
    first = bg.submit("work.echo", {"value": 1}, name="mine").wait(60)
    second = bg.submit("work.echo", {"value": 2}, name="mine").wait(60)
    assert bg.job(first.id) == bg.job(first.uid) == first
    assert bg.job("mine") == second != first


def test_a_name_of_any_text_stays_on_its_line(place):
    name = "two\nlines \x1b[31m\u2028"
    job = bg.submit("work.echo", {"value": 1}, name=name).wait(60)
    assert repr(job).isprintable()
    assert (bg.job(name), job.name) == (job, name)


@pytest.mark.parametrize("key", [99, -1, 2**70, "nobody", "f" * 32])
def test_a_job_that_is_not_there_is_unknown(place, key):
    with refused(place, bg.UnknownJob, "There is no job with"):
        bg.job(key)


def test_jobs_are_filtered_and_newest_first(place):
    place.allow({"work": ["echo"], "work.Trainer": ["fail"]}, BackgroundJobs__queues={"gpu": 1})
    a = bg.submit("work.echo", {"value": 1}, name="a")
    b = bg.submit("work.Trainer.fail", queue="gpu")
    c = bg.submit("work.echo", {"value": 1}, delay="1h")
    a.wait(60)
    b.wait(60)
    assert bg.jobs() == [c, b, a]
    assert bg.jobs(limit=2) == [c, b]
    assert bg.jobs(state="failed") == bg.jobs(queue="gpu") == bg.jobs(target="work.Trainer.fail") == [b]
    assert bg.jobs(state="queued") == [c]
    assert bg.jobs(name="a") == bg.jobs(target="work.echo", state="succeeded") == [a]
    with pytest.raises(bg.InvalidParameters, match="no state 'done'; the states are queued, running"):
        bg.jobs(state="done")
    c.cancel()


# -- from threads, from a loop, many ----------------------------------------------------------------------------------


def test_a_job_can_be_awaited(place):
    async def both():
        first, second = bg.submit("work.echo", {"value": 1}), bg.submit("work.echo", {"value": 2})
        return await asyncio.gather(first, second)

    assert asyncio.run(both()) == [1, 2]


def test_an_awaited_job_that_failed_raises(place):
    async def wait():
        return await bg.submit("work.Trainer.fail", {"message": "no data"})

    with pytest.raises(ValueError, match="no data"):
        asyncio.run(wait())


def test_jobs_are_submitted_and_waited_for_in_threads(place):
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda n: bg.submit("work.echo", {"value": n}), range(24)))
        assert list(pool.map(lambda job: job.result(60), jobs)) == list(range(24))


def test_threads_may_write_the_same_file_at_once(place):
    path = place.root / "file"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: private_file.write_whole(str(path), b"whole"), range(500)))
    assert path.read_bytes() == b"whole"
    assert list(place.root.glob("file?*")) == []


def test_a_thread_that_has_ended_leaves_no_connection_open(place):
    script = """
import gc, threading
import ipybgjobs as bg
thread = threading.Thread(target=lambda: bg.submit("work.echo", {"value": 1}).result(60))
thread.start()
thread.join()
gc.collect()
"""
    command = [sys.executable, "-W", "always::ResourceWarning", "-c", script]
    environment = {**place.environment, "PYTHONPATH": str(place.code)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "unclosed" not in done.stderr


def test_two_hundred_submits_in_a_loop_run_in_order(place):
    jobs = [bg.submit("work.echo", {"value": n}) for n in range(200)]
    assert [job.result(60) for job in jobs] == list(range(200))
    started = [job.attempts[0].started_at for job in jobs]
    assert started == sorted(started)
    assert {len(job.attempts) for job in jobs} == {1}


PREPARED = """
    class Fetcher:
        def fetch(self, url: str, tries: int = 3):
            return [url, tries]

        @classmethod
        def on_submit(cls, method, params):
            if not params["url"].startswith("https:"):
                raise ValueError(f"{params['url']} is not safe")
            return {**params, "url": params["url"] + "?by=" + method, "tries": params.get("tries", 3) + 1}

    class Form:
        def on_submit(self):
            return "a method of its own"
"""


def test_a_class_may_check_and_prepare_parameters_at_submit(place):
    place.module("net", PREPARED)
    place.allow({"net.Fetcher": ["fetch"], "net.Form": ["on_submit"]})
    with pytest.raises(bg.InvalidParameters, match=r"Fetcher.fetch\(\) refuses: http://a is not safe"):
        bg.submit("net.Fetcher.fetch", {"url": "http://a"})
    with pytest.raises(bg.InvalidParameters, match=r"call 1: Fetcher.fetch\(\) refuses: b is not safe"):
        bg.submit_many("net.Fetcher.fetch", [{"url": "https://a"}, {"url": "b"}])
    assert bg.jobs() == []
    job = bg.submit("net.Fetcher.fetch", {"url": "https://a", "tries": "5"})
    assert job.params == {"url": "https://a?by=fetch", "tries": 6}
    assert job.result(60) == ["https://a?by=fetch", 6]
    assert bg.submit("net.Form.on_submit").result(60) == "a method of its own"


def test_a_commit_that_fails_after_it_was_made_leaves_the_copy_of_the_parameters(place, monkeypatch):
    from ipybgjobs.errors import StoreError
    from ipybgjobs.store import submissions

    submit = submissions.submit

    def commits_and_fails(*arguments):
        submit(*arguments)
        raise StoreError("the disk failed after the commit")

    with monkeypatch.context() as patch:
        patch.setattr(submissions, "submit", commits_and_fails)
        with pytest.raises(StoreError, match="after the commit"):
            bg.submit("work.echo", {"value": {1, 2}})
    assert bg.job(1).result(60) == {1, 2}
