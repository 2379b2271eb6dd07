"""Submitting what is accepted: it arrives as it was given, from threads, from a loop, and many at once; and is found again."""

import asyncio
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from ipybgjobs.system import private_file
from support.refusals import refused

pytestmark = pytest.mark.shared_place

# -- what it costs --------------------------------------------------------------------------------------------------------


def test_a_first_submit_loads_nothing_that_it_does_not_need(place):
    code = "import sys, ipybgjobs as bg; job = bg.submit('work.echo', {'value': 1}); print(job.id, *sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place.code, env=place.environment)
    identity, *loaded = done.stdout.split()
    assert bg.job(int(identity)).result(60) == 1
    unneeded = {"asyncio", "pydantic", "jsonschema", "nbformat", "IPython", "ssl"}
    assert not unneeded & {*loaded}
    assert len(ours(loaded)) <= 165, "each takes a quarter of a millisecond"


def test_the_extension_loads_no_panel_and_no_verb_before_they_are_used(place):
    code = "from IPython.testing.globalipapp import start_ipython; shell = start_ipython(); import sys; before = set(sys.modules)"
    code += "; shell.run_line_magic('load_ext', 'ipybgjobs'); print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=place.environment)
    loaded = done.stdout.split()
    assert "ipybgjobs.commands.magics" in loaded
    unneeded = {"anywidget", "ipybgjobs.commands.cli", "ipybgjobs.panel.board", "pydantic"}
    assert not unneeded & {*loaded}
    assert len(ours(loaded)) <= 185


def ours(loaded):
    return [name for name in loaded if name.startswith("ipybgjobs.")]


# -- what is accepted ---------------------------------------------------------------------------------------------------


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


# -- finding jobs -------------------------------------------------------------------------------------------------------


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


@pytest.mark.own_place
@pytest.mark.parametrize("key", [99, -1, 2**70, "nobody", "f" * 32])
def test_a_job_that_is_not_there_is_unknown(place, key):
    with refused(place, bg.UnknownJob, "There is no job with"):
        bg.job(key)


@pytest.mark.own_place
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
    with pytest.raises(bg.InvalidParameters, match=r"state must be one of queued, retrying, running, .*; got 'done'"):
        bg.jobs(state="done")
    c.cancel()


# -- from threads, from a loop, many ------------------------------------------------------------------------------------


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


@pytest.mark.crash
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


@pytest.mark.crash
def test_sixty_submits_in_a_loop_run_in_order(place):
    jobs = [bg.submit("work.echo", {"value": n}) for n in range(60)]
    assert [job.result(60) for job in jobs] == list(range(60))
    started = [job.attempts[0].started_at for job in jobs]
    assert started == sorted(started)
    assert {len(job.attempts) for job in jobs} == {1}


@pytest.mark.own_place
def test_a_class_may_check_and_prepare_parameters_at_submit(place):
    place.module("net")
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


@pytest.mark.own_place
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


@pytest.mark.own_place
def test_the_first_submit_says_in_one_short_sentence_what_ends_jobs_and_no_other_does(place, monkeypatch, capsys):
    place.allow({"work": ["echo"]})
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    for _ in range(2):
        bg.submit("work.echo", {"value": 1}).wait(60)
    said = "Note: Jobs here run in a Slurm allocation and end with it; `jupyter bgjobs doctor` says more.\n"
    assert capsys.readouterr().err == said
    main(["doctor"])
    assert "Running in a Slurm allocation: when it ends, running attempts end too." in capsys.readouterr().out
