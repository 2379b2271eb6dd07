"""Submitting what one has in hand: functions, methods of classes and of instances, and what is refused with what to pass."""

import importlib
import math
import sys

import pytest

import ipybgjobs as bg
from support.jobs import functions
from support.place import until
from support.refusals import refused

pytestmark = pytest.mark.shared_place

METHODS = ["fit", "alone", "best", "add", "traced"]

ALLOWED = {
    "inhand": [*functions("inhand"), "cached", "other_name"],
    "inhand.Base": METHODS,
    "inhand.Child": METHODS,
    "inhand.Required": ["fit"],
    "inhand.Locked": ["fit"],
    "inhand.Secretive": ["fit"],
    "math": ["sqrt"],
    "shelf": ["read"],
    "shelf.Book": ["open"],
}


@pytest.fixture
def inhand(place):
    place.module("inhand")
    allow(place)
    return importlib.import_module("inhand")


def allow(place, *, notebook_code=True, allowed=ALLOWED):
    place.allow(allowed, BackgroundJobs__allow_notebook_code=notebook_code, RetryPolicy__max_attempts=2)


# -- functions and methods of classes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "target", "result"),
    [
        (lambda it: it.plain, "inhand.plain", 1),
        (lambda it: it.decorated, "inhand.decorated", ["logged", 1]),
        (lambda it: it.cached, "inhand.cached", 1),
        (lambda it: it.later, "inhand.later", 1),
        (lambda it: it.Required.fit, "inhand.Required.fit", [0.2, 3]),
        (lambda it: it.Child.alone, "inhand.Child.alone", "Child alone"),
        (lambda it: it.Base.best, "inhand.Base.best", ["Base", 1]),
        (lambda it: it.Child.best, "inhand.Child.best", ["Child", 1]),
        (lambda it: it.Base(lr=3).best, "inhand.Base.best", ["Base", 1]),
        (lambda it: "inhand.plain", "inhand.plain", 1),
    ],
)
def test_a_callable_is_found_by_its_name(inhand, given, target, result):
    job = bg.submit(given(inhand), {}, init={"lr": 0.1} if "Required" in target else None)
    assert (job.target, job.instance) == (target, None)
    assert job.result(60) == result


def test_a_function_in_c_is_found_by_its_name(inhand):
    assert bg.submit(math.sqrt, {"x": 9}).result(60) == 3


def test_parameters_and_options_are_those_of_text(inhand):
    job = bg.submit(inhand.Required.fit, {"epochs": 5}, init={"lr": 2}, name="mine", priority=3)
    assert (str(job.record().call), job.name, job.priority) == ("inhand.Required(lr=2.0).fit(epochs=5)", "mine", 3)
    assert job.result(60) == [4.0, 5]


def test_many_jobs_and_a_call_here_take_callables_too(inhand):
    assert bg.submit_many(inhand.plain, [{"x": 1}, {"x": 2}]).results() == [1, 2]
    assert bg.run_here(inhand.plain, {"x": 4}) == 4
    assert bg.run_background_job(inhand.plain, params={"x": 4}).result(60) == 4
    assert bg.run_background_job(inhand.Base, "fit").result(60) == ["Base", 0.1, 3]


def test_what_is_exported_is_found_where_it_is_allowed_or_exported(place, inhand):
    (place.code / "shelf").mkdir()
    (place.code / "shelf" / "__init__.py").write_text("from ._impl import Book, read\n")
    (place.code / "shelf" / "_impl.py").write_text(
        "class Book:\n    def open(self):\n        return 'opened'\n\ndef read():\n    return 'read'\n"
    )
    shelf = importlib.import_module("shelf")
    assert [bg.submit(each).result(60) for each in (shelf.read, shelf.Book.open)] == ["read", "opened"]
    allow(place, allowed={})
    with pytest.raises(bg.JobNotAllowed, match=r"^shelf\.Book\.open is not on the allowlist"):
        bg.submit(shelf.Book.open)
    with pytest.raises(bg.JobNotAllowed, match=r"^ipybgjobs\.Notebook\.run is not on the allowlist"):
        bg.submit(bg.Notebook.run, {"path": "x.ipynb"})


def test_a_module_that_was_loaded_again_still_has_the_function(inhand):
    before = inhand.Required.fit
    importlib.reload(inhand)
    assert inhand.Required.fit is not before
    assert bg.submit(before, init={"lr": 1}).result(60) == [2.0, 3]


# -- what has no name ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda it: it.square, r"^A lambda has no name: write def"),
        (lambda it: it.half, r"^A partial has no name: pass plain itself, and its parameters as a mapping, \{\"x\": …\}\.$"),
        (lambda it: it.make(), r"^inner is defined inside make\(\), .* top level of a module"),
        (lambda it: it.Base, r"^Base is a class: name the method to call, such as Base\.fit\.$"),
        (lambda it: it.Callable(), r"^An instance of Callable can be called, but has no name: .* such as Callable\.fit\.$"),
        (lambda it: it.other_name, r"^plain is not what inhand has by that name"),
        (
            lambda it: it.Base.fit,
            r"^Base\.fit does not say of which class, since Child inherits it: .* \"inhand\.Base\.fit\" or ",
        ),
        (lambda it: it.Child.fit, r" \"inhand\.Base\.fit\" or \"inhand\.Child\.fit\"\.$"),
        (lambda it: it.Child.add, r"\"inhand\.Child\.add\""),
        (lambda it: it, r"^A target is text, a function or a method; got <module 'inhand'"),
        (lambda it: 3, r"^A target is text, a function or a method; got 3\.$"),
        (lambda it: print, r"^builtins\.print is not on the allowlist"),
        (lambda it: str.upper, r"^str\.upper does not say of which class"),
        (lambda it: "text".upper, r"^builtins\.str\.upper is not on the allowlist"),
        (lambda it: [].append, r"^builtins\.list\.append is not on the allowlist"),
    ],
)
@pytest.mark.own_place
def test_what_a_job_could_not_find_is_refused_with_what_to_pass(place, inhand, given, words):
    with refused(place, bg.BackgroundJobError, words):
        bg.submit(given(inhand), {})


# -- methods of instances ------------------------------------------------------------------------------------------------


def test_a_method_of_an_instance_gets_the_instance(inhand):
    trainer = inhand.Required(lr=4.0)
    job = bg.submit(trainer.fit, {"epochs": 2})
    trainer.lr = 100.0  # later, which changes nothing
    assert job.result(60) == [8.0, 2]
    assert (job.target, job.instance.lr, job.init, job.params) == ("inhand.Required.fit", 4.0, {}, {"epochs": 2})
    assert str(job.record().call) == "inhand.Required(<instance>).fit(epochs=2)"
    until(lambda: job.hook is not None and job.hook.ended_at, "the hook")
    assert "hook 4.0 [8.0, 2]" in job.log()


def test_an_inherited_method_of_an_instance_is_that_of_its_class(inhand):
    job = bg.submit(inhand.Child(lr=7).fit)
    assert (job.target, job.result(60)) == ("inhand.Child.fit", ["Child", 7, 3])
    assert bg.submit(inhand.Base(lr=7).traced).result(60) == ["logged", [7, 1]]


def test_each_attempt_and_each_retry_begins_with_the_instance_as_it_was_sent(inhand):
    job = bg.submit(inhand.Required(lr=4.0).fit).wait(60)
    again = job.retry({"epochs": 9})
    assert (again.result(60), again.instance.lr, again.retried_from) == ([8.0, 9], 4.0, job.id)
    assert job.run_here() == [8.0, 3]
    assert job.run_here() == [8.0, 3]


def test_the_jobs_of_a_group_get_copies_of_one_instance(inhand):
    group = bg.submit_many(inhand.Required(lr=1.0).fit, [{"epochs": 1}, {"epochs": 2}])
    assert group.results() == [[2.0, 1], [2.0, 2]]
    assert [job.instance.lr for job in group.jobs] == [1.0, 1.0]


def test_a_call_here_gets_a_copy(inhand):
    trainer = inhand.Required(lr=4.0)
    assert bg.run_here(trainer.fit) == [8.0, 3]
    assert trainer.lr == 4.0


def test_reuse_and_unique_compare_the_state(inhand):
    first = bg.submit(inhand.Required(lr=6.0).fit, reuse=True)
    first.wait(60)
    assert bg.submit(inhand.Required(lr=6.0).fit, reuse=True) == first
    assert bg.submit(inhand.Required(lr=6.5).fit, reuse=True) != first
    assert bg.submit(inhand.Required.fit, init={"lr": 6.0}, reuse=True) != first
    held = bg.submit(inhand.Required(lr=6.0).fit, unique=True, delay="1h")
    with pytest.raises(bg.DuplicateJob):
        bg.submit(inhand.Required(lr=6.0).fit, unique=True)
    other = bg.submit(inhand.Required(lr=6.5).fit, unique=True, delay="1h")
    for job in (held, other):
        job.cancel()


def test_the_call_as_code_submits_the_instance_again(inhand, tmp_path):
    job = bg.submit(inhand.Required(lr=4.0).fit, {"epochs": 2}).wait(60)
    job.save_notebook(tmp_path / "job.ipynb")
    import nbformat

    source = nbformat.read(tmp_path / "job.ipynb", 4).cells[1].source
    assert "of inhand.Required, sent by value" in source
    known: dict = {}
    exec(source, known)
    assert known["job"].result(60) == [8.0, 2]


def test_secrets_of_an_instance_are_blanked(inhand):
    job = bg.submit(inhand.Secretive("hunter2-hunter2").fit)
    job.wait(60)
    assert "hunter2" not in f"{job!r} {job.outputs()}"


def test_the_constructor_is_not_asked_for(inhand):
    with pytest.raises(bg.InvalidParameters, match=r"^init is for a new instance"):
        bg.submit(inhand.Required(1).fit, init={"lr": 3})
    with pytest.raises(bg.InvalidParameters, match=r"^Required\.fit\(\) has no parameter lr; it takes epochs\.$"):
        bg.submit(inhand.Required(1).fit, {"lr": 3})


def test_an_instance_is_not_sent_where_notebook_code_is_not_allowed(place, inhand):
    allow(place, notebook_code=False)
    words = (
        r"^Required\.fit is the method of an instance, .* init=\{…\}\. To allow it: put c\.BackgroundJobs\.allow_notebook_code"
    )
    with pytest.raises(bg.JobNotAllowed, match=words):
        bg.submit(inhand.Required(1).fit)


def test_the_class_must_be_allowed_too(place, inhand):
    allow(place, allowed={})
    with pytest.raises(bg.JobNotAllowed, match=r"^inhand\.Required\.fit is not on the allowlist"):
        bg.submit(inhand.Required(1).fit)


def test_an_instance_that_can_not_be_sent_is_refused_with_what_to_pass(inhand):
    words = r"^The method's instance is a Locked whose 'guard' is a lock, which can't be sent .* class Locked, .* init=\{…\}\.$"
    with pytest.raises(bg.InvalidParameters, match=words):
        bg.submit(inhand.Locked().fit)


@pytest.mark.own_place
def test_a_waiting_job_is_denied_once_notebook_code_is_off(place, inhand):
    bg.pause()
    job = bg.submit(inhand.Required(1).fit)
    allow(place, notebook_code=False)
    bg.resume()
    job.wait(60)
    assert job.state == "failed"
    assert "its instance was sent by value, and allow_notebook_code is off" in job.error


# -- keywords ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("submit", "words"),
    [
        (
            lambda it: bg.submit(it.plain, x=3),
            r"^x is not an option of submit: parameters are one mapping: bg\.submit\(plain, \{'x': 3\}\)\.$",
        ),
        (lambda it: bg.submit("inhand.plain", {"y": 1}, x=3), r"bg\.submit\('inhand\.plain', \{'y': 1, 'x': 3\}\)\.$"),
        (lambda it: bg.submit(it.plain, timout="2h"), r"^timout is not an option of submit\. Did you mean timeout\?$"),
        (lambda it: bg.submit(it.plain, password="hunter2"), r"\{'password': '•••'\}"),
        (lambda it: bg.submit_many(it.plain, [], x=3), r"bg\.submit_many\(plain, calls, common=\{'x': 3\}\)\.$"),
        (
            lambda _: bg.submit("deep/a.ipynb", {"alpha": 1}, output="runs/"),
            (
                r"^output is a parameter of ipybgjobs\.Notebook\.run, not of the notebook: "
                r"bg\.submit\('ipybgjobs\.Notebook\.run', \{'path': 'deep/a\.ipynb', 'parameters': \{'alpha': 1\}, "
                r"'output': 'runs/'\}\)\.$"
            ),
        ),
        (
            lambda _: bg.submit_many("a.ipynb", [{"alpha": 1}], kernel="r"),
            r"\[\{'parameters': each\} for each in calls\], common=\{'path': 'a\.ipynb', 'kernel': 'r'\}\)\.$",
        ),
        (lambda it: bg.run_background_job(it.Base, "fit", x=3), r"bg\.run_background_job\(Base, method, \{'x': 3\}\)\.$"),
    ],
)
def test_an_unknown_keyword_is_refused_with_the_mapping_to_write(inhand, submit, words):
    with pytest.raises(bg.InvalidParameters, match=words):
        submit(inhand)


def test_nothing_of_this_imports_the_module_of_a_text(place):
    place.module("inhand")
    allow(place, allowed={})
    with pytest.raises(bg.JobNotAllowed):
        bg.submit("inhand.plain")
    assert "inhand" not in sys.modules
