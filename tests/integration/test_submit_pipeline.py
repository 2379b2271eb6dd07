"""One way from a request to jobs, alone or in a group: the look at the target, `on_submit`, unique keys, names, code by value."""

import importlib
import json
import os
import sys
import time

import nbformat
import pytest
from nbformat import v4

import ipybgjobs as bg
from ipybgjobs.client.client import client
from ipybgjobs.commands.cli import main
from ipybgjobs.configuration.settings import Settings
from ipybgjobs.model import serialization
from ipybgjobs.targets import allowlist, demands, inspection, target_rules
from ipybgjobs.targets.inspection_steps import InspectionRequest
from support.place import ALLOWED, running
from support.sweep import one_sentence

pytestmark = pytest.mark.shared_place

NET = """
    import os, time

    class Fetcher:
        def fetch(self, url: str, tries: int = 3):
            return [url, tries]

        @classmethod
        def on_submit(cls, method, params):
            with open("called", "a") as file:
                file.write(f"{os.getpid()} {params['url']}\\n")
            if params["url"] == "bad":
                raise ValueError("bad is not safe")
            return {**params, "url": params["url"] + "!"}

    class Numbering:
        def run(self, n: int, data: str = "", extra=None):
            return [n, data, extra]

        @classmethod
        def on_submit(cls, method, params):
            data = params.pop("data", "")
            return params if data == "dropped" else {**params, "data": f"{data}{params['n']}"}

    class Plain:
        def run(self, n: int, names: list[str] | None = None, table=None):
            return [n, names, table]

    def nap(n: int, data=None):
        print("napping", flush=True)
        time.sleep(300)

    def number(n: int, data=None):
        return n
"""


@pytest.fixture
def net(place, monkeypatch):
    """A place with classes that prepare their parameters, in whose folder the tests run."""
    place.module("net", NET)
    place.allow(
        ALLOWED
        | {"net.Fetcher": ["fetch"], "net.Numbering": ["run"], "net.Plain": ["run"], "net": ["nap", "number"]}
        | {"ipybgjobs.Notebook": ["run"]},
        BackgroundJobs__allowed_notebooks=[f"{place.root}/**/*.ipynb"],
        BackgroundJobs__queues={"default": 4},
        BackgroundJobs__kill_grace_seconds=0.2,
    )
    monkeypatch.chdir(place.code)
    return place


def calls_of_on_submit(place):
    """Who called `Fetcher.on_submit`, and with which address."""
    path = place.code / "called"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def import_here(place):
    """Import the module in this process, as a notebook does that uses it, from a file that is older than the process."""
    os.utime(place.code / "net.py", (1, 1))
    importlib.import_module("net")


def edited(place, source):
    """Write the module anew, as somebody would who edits it after its import."""
    path = place.module("net", source)
    date = time.time() + 5
    os.utime(path, (date, date))


# -- on_submit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_edited", [False, True], ids=["as imported", "edited since"])
def test_an_explanation_does_not_call_on_submit_and_says_so(net, is_edited):
    if is_edited:
        client().explain("net.Plain.run", {"n": 1})
        edited(net, NET + "\n    # edited\n")
    found = client().explain("net.Fetcher.fetch", {"url": "bad", "tries": "5"})
    assert found.allowed
    assert "submit hook   net.Fetcher.on_submit was not called: at submit it may change or refuse these parameters" in str(found)
    values = found.to_json()
    assert values["submit_hook"] == "not called"
    assert [(each["name"], each["value"], each["from"]) for each in values["params"]] == [
        ("url", "'bad'", "as given, converted by the annotation str"),
        ("tries", "5", "as given, converted by the annotation int"),
    ]
    assert calls_of_on_submit(net) == []


def test_the_command_line_explains_without_on_submit_too(net, capsys):
    assert main(["submit", "--explain", "--json", "net.Fetcher.fetch", "url=a"]) == 0
    assert json.loads(capsys.readouterr().out)["submit_hook"] == "not called"
    assert calls_of_on_submit(net) == []


def test_an_explanation_of_a_class_without_on_submit_says_nothing_of_it(net):
    assert "submit_hook" not in client().explain("net.Plain.run", {"n": 1}).to_json()


def test_a_notebook_is_explained_as_it_would_be_submitted_since_its_on_submit_is_our_own(net):
    path = notebook(net, "train.ipynb")
    values = client().explain("ipybgjobs.Notebook.run", {"path": path.name}).to_json()
    assert values["submit_hook"] == "called"
    assert values["notebook"] == {"pattern": f"{net.root}/**/*.ipynb"}
    assert values["params"][0]["value"] == str(path)


def test_on_submit_is_called_once_for_each_call_and_only_when_all_of_them_fit(net):
    import_here(net)
    with pytest.raises(bg.InvalidParameters, match=r"call 1: .*tries"):
        bg.submit_many("net.Fetcher.fetch", [{"url": "a"}, {"url": "b", "tries": "many"}])
    assert calls_of_on_submit(net) == []
    group = bg.submit_many("net.Fetcher.fetch", [{"url": "a"}, {"url": "b"}])
    assert calls_of_on_submit(net) == [[str(os.getpid()), "a"], [str(os.getpid()), "b"]]
    assert group.results(60) == [["a!", 3], ["b!", 3]]


def test_on_submit_runs_in_a_process_of_its_own_if_the_module_is_not_imported_here(net):
    assert bg.submit("net.Fetcher.fetch", {"url": "a"}).result(60) == ["a!", 3]
    [(elsewhere, _)] = calls_of_on_submit(net)
    assert int(elsewhere) != os.getpid()
    assert "net" not in sys.modules


def test_on_submit_of_a_module_that_was_edited_runs_in_a_process_of_its_own(net):
    import_here(net)
    bg.submit("net.Fetcher.fetch", {"url": "a"})
    edited(net, NET.replace('+ "!"', '+ "?"'))
    assert bg.submit("net.Fetcher.fetch", {"url": "b"}).result(60) == ["b?", 3]
    [(here, _), (elsewhere, url)] = calls_of_on_submit(net)
    assert (int(here), url) == (os.getpid(), "b")
    assert int(elsewhere) != os.getpid()


def test_what_on_submit_makes_of_a_common_parameter_is_kept_for_each_job(net):
    group = bg.submit_many("net.Numbering.run", [{"n": 1}, {"n": 2}], common={"data": "x", "extra": 7})
    assert [job.params for job in group] == [{"n": 1, "data": "x1", "extra": 7}, {"n": 2, "data": "x2", "extra": 7}]
    assert group.results(60) == [[1, "x1", 7], [2, "x2", 7]]
    dropped = bg.submit_many("net.Numbering.run", [{"n": 1}], common={"data": "dropped"})
    assert dropped.results(60) == [[1, "", None]]


# -- groups -----------------------------------------------------------------------------------------------------------


def notebook(place, name):
    path = place.code / name
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [v4.new_code_cell("alpha = 1", metadata={"tags": ["parameters"]})]
    nbformat.write(v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


@pytest.mark.own_place
def test_the_jobs_of_a_group_are_named_after_their_notebooks_and_the_group_if_it_is_one(net):
    first, second = str(notebook(net, "a.ipynb")), str(notebook(net, "b.ipynb"))
    bg.pause()
    sweep = bg.submit_many("ipybgjobs.Notebook.run", [{"parameters": {"alpha": n}} for n in (1, 2)], common={"path": first})
    assert (sweep.name, [job.name for job in sweep]) == ("a.ipynb", ["a.ipynb", "a.ipynb"])
    several = bg.submit_many("ipybgjobs.Notebook.run", [{"path": first}, {"path": second}])
    assert (several.name, [job.name for job in several]) == (None, ["a.ipynb", "b.ipynb"])
    named = bg.submit_many("ipybgjobs.Notebook.run", [{"path": second}], name="mine")
    assert (named.name, [job.name for job in named]) == ("mine", ["b.ipynb"])
    bg.jobs().cancel()


@pytest.mark.own_place
@pytest.mark.parametrize("data", ["plain", {1, 2}], ids=["plain", "pickled"])
def test_in_a_group_unique_is_the_key_of_each_job_and_a_duplicate_refuses_all_by_its_call(net, data):
    held = running(bg.submit("net.nap", {"n": 1, "data": data}, unique=True))
    with pytest.raises(
        bg.DuplicateJob, match=rf"^call 1: job {held.id} \(net\.nap\) is running and holds this unique key: "
    ) as error:
        bg.submit_many("net.nap", [{"n": 0}, {"n": 1}], common={"data": data}, unique=True)
    one_sentence(error)
    assert bg.jobs() == [held]
    assert len(list((net.state / "jobs").iterdir())) == 1
    bg.pause()
    [job] = bg.submit_many("net.nap", [{"n": 2}], common={"data": data}, unique=True)
    with pytest.raises(bg.DuplicateJob, match=f"job {job.id} "):
        bg.submit("net.nap", {"n": 2, "data": data}, unique=True)
    bg.jobs().cancel()


@pytest.mark.own_place
def test_two_calls_of_a_group_can_not_hold_one_unique_key(net):
    with pytest.raises(bg.InvalidParameters, match="call 2 has the same parameters as call 0") as error:
        bg.submit_many("net.number", [{"n": 1}, {"n": 2}, {"n": "1"}], unique=True)
    one_sentence(error)
    assert bg.jobs() == []


@pytest.mark.own_place
def test_jobs_of_a_group_replace_those_that_hold_their_keys_and_start_when_these_have_ended(net):
    held = running(bg.submit("net.nap", {"n": 1}, unique=True))
    bg.pause()
    others = bg.submit_many("net.nap", [{"n": 1}, {"n": 2}], unique=True, on_duplicate="replace")
    assert held.wait(60).state == "cancelled"
    assert [job.state for job in others] == ["queued", "queued"]
    newest = bg.submit_many("net.nap", [{"n": 2}, {"n": 1}], unique=True, on_duplicate="replace")
    assert [job.wait(60).state for job in others] == ["cancelled", "cancelled"]
    bg.resume()
    for job in newest:
        running(job)
    newest.cancel()


@pytest.mark.own_place
def test_a_job_that_replaces_waits_for_the_one_it_replaces_and_its_neighbours_do_not(net):
    held = running(bg.submit("net.nap", {"n": 1}, unique=True))
    group = bg.submit_many("net.nap", [{"n": 1}, {"n": 2}], unique=True, on_duplicate="replace")
    first, second = group
    running(second)
    assert held.wait(60).state == "cancelled"
    running(first)
    assert first.attempts[0].started_at >= held.attempts[0].ended_at
    group.cancel()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"unique": "key"}, "unique='key' is a key that only one job can hold: for a group pass unique=True"),
        (
            {"unique": True, "on_duplicate": "existing"},
            'submit_many does not take on_duplicate="existing", which would put an earlier job into the group: ',
        ),
        ({"reuse": "1h"}, "submit_many does not take reuse, which would put an earlier job into the group: "),
    ],
)
def test_what_would_put_an_earlier_job_into_a_group_is_refused(net, options, said):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.submit_many("net.number", [{"n": 1}], **options)
    assert one_sentence(error).startswith(said)
    assert str(error.value).endswith("submit those jobs one by one.")


@pytest.mark.parametrize("data", ["plain", {1, 2}], ids=["plain", "pickled"])
def test_a_job_of_a_group_is_reused_like_any_other(net, data):
    group = bg.submit_many("net.number", [{"n": 1}, {"n": 2}], common={"data": data}).wait(60)
    assert bg.submit("net.number", {"n": 2, "data": data}, reuse=True) == group.jobs[1]
    assert bg.submit("net.number", {"n": 3, "data": data}, reuse=True) not in list(group)


@pytest.mark.own_place
def test_a_class_of_the_notebook_goes_by_value_with_a_group_once(net):
    net.allow(ALLOWED, BackgroundJobs__allow_notebook_code=True)
    namespace = vars(sys.modules["__main__"])
    exec("class Doubler:\n    def run(self, n: int):\n        return 2 * n\n", namespace)  # as in a notebook's cell
    try:
        group = bg.submit_many("__main__.Doubler.run", [{"n": 1}, {"n": "2"}], unique=True)
        assert group.results(60) == [2, 4]
        assert sorted(each.name for each in (net.state / "jobs").glob("*/parameters.pkl")) == ["parameters.pkl"]
        with pytest.raises(bg.InvalidParameters, match=r"reuse compares source files, but Doubler\.run is defined in"):
            bg.submit_many("__main__.Doubler.run", [{"n": 1}], reuse=True)
    finally:
        del namespace["Doubler"]


# -- the look at a target ---------------------------------------------------------------------------------------------


def inspected(net, target, *calls, preview=False):
    permission = allowlist.find_permission(target, client().settings())
    return inspection.inspect(InspectionRequest(permission, {}, calls, preview=preview))


def test_a_target_has_one_frozen_signature_whatever_tells_it(net, monkeypatch):
    read, remembered = (inspected(net, "net.Plain.run", {"n": "1"}) for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(inspection, "_SOURCES", inspection._SOURCES[-1:])
        elsewhere = inspected(net, "net.Plain.run", {"n": "1"})
    assert "net" not in sys.modules
    import_here(net)
    here = inspected(net, "net.Plain.run", {"n": "1"})
    assert here == elsewhere == read == remembered
    with pytest.raises(AttributeError):
        here.signature.method = "other"


def test_a_signature_that_only_its_own_process_can_bind_by_is_described(net):
    found = inspected(net, "net.Fetcher.fetch", {"url": "a"})
    assert found.calls[0].params == {"url": "a!"}
    assert found.submit_hook == "called"
    assert found.signature.portable() is None
    assert found.signature.annotations == {"params.url": "str", "params.tries": "int"}
    assert serialization.load(serialization.dump(found)) == found


# -- what our own classes ask -----------------------------------------------------------------------------------------


def test_what_a_notebook_asks_stands_in_one_object_for_submit_launch_and_explanation(tmp_path):
    path = str(tmp_path / "a.ipynb")
    settings = Settings(allowed_notebooks=(f"{tmp_path}/*.ipynb",))
    rule = target_rules.of(demands.NOTEBOOK)
    assert rule is target_rules.of_name("ipybgjobs.Notebook.run")
    rule.check("ipybgjobs.Notebook.run", {"path": path}, settings)
    assert rule.denial({"path": path}, settings) is None
    assert rule.pattern({"path": path}, settings) == f"{tmp_path}/*.ipynb"
    assert rule.job_name({"path": path}) == "a.ipynb"
    assert target_rules.extra_permissions({"path": path}, settings) == (demands.NOTEBOOK,)
    assert rule.denial({"path": path}, Settings()) == f"no pattern in allowed_notebooks matches '{path}' (any more)"
    assert target_rules.extra_permissions({"path": path}, Settings()) == ()


def test_any_other_class_asks_nothing():
    rule = target_rules.of(None)
    assert rule is target_rules.of_name("work.echo")
    rule.check("work.echo", {"path": "/x.ipynb"}, Settings())
    rule.check_group([{"output": "same"}, {"output": "same"}])
    assert (rule.denial({}, Settings()), rule.pattern({}, Settings()), rule.job_name({"path": "/a"})) == (None, None, None)
