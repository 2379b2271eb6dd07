"""Many jobs at once: groups by one call, lists of jobs, and the filters of `bg.jobs`; all in the store, seen from any process."""

import itertools
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import textwrap
import time

import pandas as pd
import pytest
from conftest import ALLOWED, DEADLINE, Place, running, until

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.jobs.group import Group
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.model.call import Call
from ipybgjobs.model.records import JobState, Owner
from ipybgjobs.model.retry import RetryRules
from ipybgjobs.store import submissions
from ipybgjobs.store.database import Database
from ipybgjobs.store.submissions import NewGroup, Submission, Surroundings
from ipybgjobs.system import identity

SWEEP = """
    import os, time

    def train(lr: float, seed: int = 0, state: str = "new", data=None, label: str = ""):
        if seed == 13:
            raise ValueError(f"seed {seed} with {lr}")
        return {"score": round(lr * seed, 6), "rows": None if data is None else len(data)}

    def number(n: int):
        return n

    def nap(seconds: float = 300.0):
        print("napping", flush=True)
        time.sleep(seconds)
        return seconds

    def waits_for(path: str, n: int = 0):
        print("waiting", flush=True)
        while not os.path.exists(path):
            time.sleep(0.01)
        return n

    def fails_at_first(folder: str, n: int):
        marker = f"{folder}/{n}"
        if n % 2 and not os.path.exists(marker):
            open(marker, "w").close()
            raise RuntimeError(f"first run of {n}")
        return n

    def opens(n: int, token: str = "", password: str = ""):
        return [n, len(token), len(password)]

    def lambda_of(n: int):
        return (lambda: n) if n % 2 else (each for each in ())
"""

NAMES = re.findall(r"def (\w+)\(", SWEEP)


@pytest.fixture
def sweep(place):
    """A place with a module for sweeps, and slots for eight."""
    place.module("sweep", SWEEP)
    place.allow(ALLOWED | {"sweep": NAMES}, BackgroundJobs__queues={"default": 8, "one": 1}, BackgroundJobs__idle_seconds=0.1)
    return place


def rows(place: Place, sql: str) -> list:
    """What the store holds, read past all code of ours."""
    connection = sqlite3.connect(place.state / "jobs.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def folders(place: Place) -> list[str]:
    jobs = place.state / "jobs"
    return sorted(os.listdir(jobs)) if jobs.exists() else []


def one_sentence(error) -> str:
    """What a refusal says: one line that ends as a sentence does."""
    text = str(error.value)
    assert "\n" not in text
    assert text[-1] in ".?…"
    return text


# -- grid -------------------------------------------------------------------------------------------------------------


def test_a_grid_has_every_combination_and_its_last_name_varies_fastest():
    assert bg.grid(lr=[0.1, 0.2], seed=range(2)) == [
        {"lr": 0.1, "seed": 0},
        {"lr": 0.1, "seed": 1},
        {"lr": 0.2, "seed": 0},
        {"lr": 0.2, "seed": 1},
    ]
    assert bg.grid(seed=(n for n in (3, 4))) == [{"seed": 3}, {"seed": 4}]
    assert bg.grid(seed=[]) == []


@pytest.mark.parametrize("value", [3, "abc", b"abc", None, 0.5])
def test_a_grid_refuses_a_name_without_several_values(value):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.grid(lr=[0.1], seed=value)
    said = one_sentence(error)
    assert "seed" in said
    assert repr(value) in said
    assert "list" in said


# -- all or nothing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "common", "options", "names"),
    [
        ([{"n": 1}, {"n": "two"}, {"n": 3}], None, {}, ["n"]),
        ([{"n": 1}, {"m": 2}], None, {}, ["m"]),
        ([{"n": 1}, {}], None, {}, ["n"]),
        ([{"n": 1}, 5], None, {}, ["call 1", "dict", "int"]),
        ([{"n": 1}, None, {"n": 2}], {"n": 3}, {}, ["n", "common", "call 0"]),
        ([{}], {"x": 1}, {}, ["x"]),
        ([{}], ["n"], {}, ["common", "dict", "list"]),
        ([], None, {}, ["list of parameters"]),
        ({"n": 1}, None, {}, ["list of parameters"]),
        ("abc", None, {}, ["list of parameters"]),
        (5, None, {}, ["list of parameters"]),
        ([{"n": 1}], None, {"queue": "nope"}, ["nope", "default"]),
        ([{"n": 1}], None, {"name": "7"}, ["name", "7"]),
        ([{"n": 1}], None, {"delay": -1}, ["delay", "-1"]),
        ([{"n": 1}], None, {"prioritty": 1}, ["prioritty", "Did you mean priority?"]),
        ([{"n": 1}], None, {"unique": "key"}, ["unique", "one by one"]),
        ([{"n": 1}], None, {"reuse": True}, ["reuse", "one by one"]),
        ([{"n": 1}], None, {"on_duplicate": "existing"}, ["on_duplicate", "unique"]),
        ([{"n": 1}], None, {"after": 77}, ["77"]),
        ([{"n": 1}, {"n": 2}], None, {"init": {"lr": 1}}, ["constructor"]),
    ],
)
def test_one_bad_call_or_option_refuses_all_of_them(sweep, calls, common, options, names):
    with pytest.raises(bg.BackgroundJobError) as error:
        bg.submit_many("sweep.number", calls, common=common, **options)
    said = one_sentence(error)
    assert [name for name in names if name not in said] == []
    assert bg.jobs() == []
    assert folders(sweep) == []
    assert rows(sweep, "SELECT count(*) FROM groups") == [(0,)]


def test_a_bad_parameter_is_refused_with_the_number_of_its_call(sweep):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.submit_many("sweep.number", [{"n": n} for n in range(20)] + [{"n": "many"}])
    assert "call 20" in one_sentence(error)


def test_a_parameter_that_cannot_be_sent_leaves_no_folder_of_the_others_behind(sweep):
    frame = pd.DataFrame({"x": [1]})
    with pytest.raises(bg.InvalidParameters, match="data is a generator"):
        bg.submit_many("sweep.train", [{"lr": 1, "data": frame}, {"lr": 1, "data": (n for n in range(3))}])
    assert folders(sweep) == []
    with pytest.raises(bg.UnknownJob, match="77"):
        bg.submit_many("sweep.train", [{"lr": 1, "data": frame}], common={"label": "x"}, after=77)
    assert folders(sweep) == []
    assert bg.jobs() == []


def test_a_target_that_is_not_allowed_is_refused_before_anything_else(sweep):
    with pytest.raises(bg.JobNotAllowed, match=r"sweep\.other"):
        bg.submit_many("sweep.other", [{"n": 1}])


def test_a_store_that_refuses_in_the_middle_leaves_nothing_behind(sweep):
    bg.jobs()
    refusal = """CREATE TRIGGER refusal BEFORE INSERT ON jobs WHEN (SELECT count(*) FROM jobs) = 1
        BEGIN SELECT raise(ABORT, 'database or disk is full'); END"""
    rows(sweep, refusal)
    with pytest.raises(bg.StoreError, match="disk is full"):
        bg.submit_many("sweep.train", bg.grid(lr=[0.1, 0.2]), common={"data": pd.DataFrame({"x": [1]})})
    assert bg.jobs() == []
    assert folders(sweep) == []
    assert rows(sweep, "SELECT count(*) FROM groups") == [(0,)]


# -- what is stored ---------------------------------------------------------------------------------------------------


def test_common_parameters_are_stored_once_and_shown_in_every_job(sweep):
    frame = pd.DataFrame({"x": range(50)})
    group = bg.submit_many(
        "sweep.train", bg.grid(lr=[0.5], seed=range(3)), common={"data": frame, "label": "the common one"}, name="night"
    )
    assert [result["rows"] for result in group.results(60)] == [50] * 3
    assert [result["score"] for result in group.results(60)] == [0.0, 0.5, 1.0]
    for seed, job in enumerate(group):
        assert set(job.params) == {"lr", "seed", "data", "label"}
        assert (job.params["lr"], job.params["seed"], job.params["label"]) == (0.5, seed, "the common one")
        pd.testing.assert_frame_equal(job.params["data"], frame)
        assert "the common one" in repr(job)
        assert "data=<DataFrame 50×1>" in repr(job)
        assert job.group == group
    stored = rows(sweep, "SELECT params || pickled FROM jobs")
    assert not any("the common one" in text or "DataFrame" in text for (text,) in stored)
    pickles = list(sweep.state.glob("jobs/*/parameters.pkl"))
    assert [path.parent.name for path in pickles] == [group.uid]


def test_what_differs_between_the_jobs_of_a_group_is_shown_first(sweep):
    group = bg.submit_many("sweep.train", bg.grid(seed=[1, 2]), common={"lr": 0.5, "label": "the common one"})
    assert [str(bg.job(job.id)).split(" · ")[1] for job in group.jobs] == [
        f"sweep.train(seed={seed}, lr=0.5, label='the common one')" for seed in (1, 2)
    ]


def test_a_pickled_parameter_of_a_job_stands_beside_the_common_ones(sweep):
    frames = [pd.DataFrame({"x": range(size)}) for size in (2, 3)]
    group = bg.submit_many("sweep.train", bg.grid(data=frames), common={"lr": 1, "label": {"a"}.pop()})
    assert [result["rows"] for result in group.results(60)] == [2, 3]
    for job, frame in zip(group, frames, strict=True):
        pd.testing.assert_frame_equal(job.params["data"], frame)
        assert job.params["lr"] == 1


def test_values_are_converted_as_for_a_single_job(sweep):
    group = bg.submit_many("sweep.train", [{"seed": "4"}, {"seed": 5}], common={"lr": "0.5"})
    assert [job.params for job in group] == [{"lr": 0.5, "seed": 4}, {"lr": 0.5, "seed": 5}]
    assert [result["score"] for result in group.results(60)] == [2.0, 2.5]


def test_options_and_constructor_hold_for_every_job_and_the_name_for_the_group(sweep):
    group = bg.submit_many(
        "work.Trainer.fit", bg.grid(epochs=[0, 1]), init={"lr": 0.7}, name="both", queue="one", priority=4, timeout="5m", retry=2
    )
    assert group.results(60) == [{"epochs": epochs, "lr": 0.7} for epochs in (0, 1)]
    assert [(job.queue, job.priority, job.init, job.name) for job in group] == [("one", 4, {"lr": 0.7}, None)] * 2
    assert rows(sweep, "SELECT DISTINCT timeout, allowed_attempts FROM jobs") == [(300.0, 2)]
    assert group.name == "both"


def test_secrets_are_blanked_wherever_a_group_is_shown(sweep):
    group = bg.submit_many(
        "sweep.opens",
        [{"n": 1, "token": "own-s3cret"}, {"n": 2, "token": "own-s3cret"}],
        common={"password": "common-s3cret"},
        name="safe",
    )
    assert group.results(60) == [[1, 10, 13], [2, 10, 13]]
    shown = [repr(group), group._repr_html_(), group.jobs._repr_html_(), bg.jobs()._repr_html_(), str(group.to_frame().to_dict())]
    shown += [repr(job) + job._repr_html_() for job in group]
    shown += [sweep.log(), pretty(group.jobs)]
    assert not any("s3cret" in text for text in shown)
    assert all("•••" in repr(job) for job in group)
    assert group.to_frame()["password"].tolist() == ["•••"] * 2
    assert group.jobs[0].params == {"n": 1, "token": "own-s3cret", "password": "common-s3cret"}


def test_a_pickled_secret_that_jobs_share_is_blanked_too(sweep):
    group = bg.submit_many("work.echo", [{}], common={"value": {1, 2}})
    assert group.results(60) == [{1, 2}]
    sweep.allow(ALLOWED | {"sweep": NAMES}, BackgroundJobs__secret_names=["data"])
    group = bg.submit_many("sweep.train", [{"lr": 1}], common={"data": {"deep-s3cret"}})
    assert group.results(60) == [{"score": 0.0, "rows": 1}]
    assert "s3cret" not in repr(group.jobs[0]) + group._repr_html_() + str(group.to_frame().to_dict()) + sweep.log()


def test_large_parameters_that_are_copied_are_told_of_common_and_own(sweep, capsys):
    sweep.allow(ALLOWED | {"sweep": NAMES}, BackgroundJobs__warn_param_bytes=20_000)
    frame = pd.DataFrame({"x": range(5000)})

    def said(calls, **common):
        bg.submit_many("sweep.train", calls, common=common, delay="1h").cancel()
        return re.findall(r"Note: (.+ of parameters are copied.*)\n", capsys.readouterr().err)

    [note] = said([{"lr": 1}], data=frame)
    assert re.fullmatch(r"4\d kB of parameters .*data <DataFrame 5000×1>.* a path .*", note)
    assert said([{"lr": 1, "data": {1}}]) == []
    [note] = said([{"lr": 1, "data": frame}, {"lr": 2, "data": frame}])
    assert "data" in note


# -- their ends -------------------------------------------------------------------------------------------------------


def test_three_hundred_jobs_complete_and_their_results_are_in_order(sweep):
    numbers = list(range(300))
    random.Random(3).shuffle(numbers)
    group = bg.submit_many("sweep.number", [{"n": n} for n in numbers], name="many")
    assert len(group) == 300
    assert group.results(120) == numbers
    assert group.counts == {"succeeded": 300}
    assert rows(sweep, "SELECT count(*), count(DISTINCT job_id) FROM attempts") == [(300, 300)]
    html = group._repr_html_()
    assert html.count("<tr>") == 51
    assert "and 250 more" in html
    assert len(bg.jobs(group=group)) == 50
    assert len(bg.jobs(group=group, limit=1000)) == 300


def test_results_come_in_the_order_of_the_calls_whoever_ends_first(sweep):
    gates = [sweep.root / f"gate{n}" for n in range(3)]
    group = bg.submit_many("sweep.waits_for", [{"path": str(gate), "n": n} for n, gate in enumerate(gates)])
    jobs = list(group)
    for job in jobs:
        running(job)
    assert group.counts == {"running": 3}
    for n in (2, 0, 1):
        gates[n].touch()
        jobs[n].wait(60)
        assert group.counts.get("succeeded", 0) == 3 - group.counts.get("running", 0)
    assert group.results(60) == [0, 1, 2]


def test_results_raise_what_the_first_failed_job_raised_or_return_errors_in_their_place(sweep):
    group = bg.submit_many("sweep.train", bg.grid(lr=[2], seed=[1, 13, 3]))
    with pytest.raises(ValueError, match="seed 13 with 2"):
        group.results(60)
    first, error, third = group.results(60, errors="return")
    assert (first["score"], third["score"]) == (2, 6)
    assert (type(error), str(error)) == (ValueError, "seed 13 with 2.0")
    assert group.counts == {"succeeded": 2, "failed": 1}
    with pytest.raises(bg.InvalidParameters, match=r"errors is 'ignore'; it is \"raise\" or \"return\"\."):
        group.results(errors="ignore")


def test_a_result_that_is_not_kept_and_a_cancelled_job_are_errors_in_their_place(sweep):
    group = bg.submit_many("sweep.lambda_of", bg.grid(n=[1, 2]))
    kept, lost = group.results(60, errors="return")
    assert kept() == 1
    assert isinstance(lost, bg.ResultNotKept)
    cancelled = bg.submit_many("sweep.number", [{"n": 1}], delay="1h").cancel()
    assert [type(each) for each in cancelled.results(60, errors="return")] == [bg.JobCancelled]
    with pytest.raises(bg.JobCancelled):
        cancelled.results(60)


def test_waiting_for_a_group_has_a_limit_and_leaves_the_jobs_alone(sweep):
    group = bg.submit_many("sweep.nap", [{"seconds": 300.0}, {"seconds": 0.0}], name="slow")
    until(lambda: group.counts == {"running": 1, "succeeded": 1}, "one at its end")
    for wait in (group.wait, group.results, group.jobs.wait):
        with pytest.raises(TimeoutError) as error:
            wait(0.05)
        assert "0.05 s" in str(error.value) or "0.0" in str(error.value)
    with pytest.raises(TimeoutError, match=r"group 1 · slow · .* 1 running, 1 succeeded; not all have ended in 0 s\."):
        group.wait(0)
    assert group.counts == {"running": 1, "succeeded": 1}
    assert group.cancel() is group
    assert group.wait() is group
    assert group.counts == {"succeeded": 1, "cancelled": 1}


def test_cancelling_a_group_ends_the_running_and_the_queued_and_leaves_those_that_have_ended(sweep):
    sweep.allow(ALLOWED | {"sweep": NAMES}, BackgroundJobs__queues={"default": 2})
    group = bg.submit_many("sweep.nap", [{"seconds": 0.0}] + [{"seconds": 300.0}] * 20)
    jobs = list(group)
    jobs[0].wait(60)
    running(jobs[1])
    running(jobs[2])
    group.cancel()
    assert group.counts == {"succeeded": 1, "cancelled": 20}
    assert all(job.attempts == [] for job in jobs[3:])
    assert group.cancel().counts == {"succeeded": 1, "cancelled": 20}
    with pytest.raises(bg.InvalidParameters, match="grace"):
        group.cancel(grace="soon")


def test_the_failed_ones_of_a_group_are_tried_again_and_no_others(sweep):
    marks = sweep.root / "marks"
    marks.mkdir()
    group = bg.submit_many("sweep.fails_at_first", bg.grid(n=range(4)), common={"folder": str(marks)})
    assert group.wait(60).counts == {"succeeded": 2, "failed": 2}
    retried = group.retry()
    assert [job.params["n"] for job in retried] == [1, 3]
    assert group.results(60) == [0, 1, 2, 3]
    assert [len(job.attempts) for job in group] == [1, 2, 1, 2]
    assert group.retry() == []


def test_one_job_of_a_group_with_other_parameters_is_a_new_job_of_its_own(sweep):
    frame = pd.DataFrame({"x": [1, 2]})
    group = bg.submit_many("sweep.train", bg.grid(seed=[13, 2]), common={"lr": 3, "data": frame}).wait(60)
    new = group.jobs[0].retry(params={"seed": 14})
    assert new.result(60) == {"score": 42, "rows": 2}
    assert (new.group, new.retried_from) == (None, group.jobs[0].id)
    assert len(group) == 2


def test_a_group_comes_after_another(sweep):
    gate = sweep.root / "gate"
    first = bg.submit_many("sweep.waits_for", bg.grid(n=range(2)), common={"path": str(gate)})
    second = bg.submit_many("sweep.number", bg.grid(n=range(2)), after=first)
    running(first.jobs[0])
    assert [job.after for job in second] == [[job.id for job in first]] * 2
    assert second.counts == {"queued": 2}
    gate.touch()
    assert second.results(60) == [0, 1]
    assert max(job.attempts[0].ended_at for job in first) <= min(job.attempts[0].started_at for job in second)


def test_a_group_whose_first_group_fails_fails_with_the_reason(sweep):
    first = bg.submit_many("sweep.train", bg.grid(seed=[13]), common={"lr": 1}, delay=0.3)
    second = bg.submit_many("sweep.number", bg.grid(n=range(3)), after=first)
    assert second.wait(60).counts == {"failed": 3}
    for error in second.results(errors="return"):
        assert "job 1 (sweep.train), which it comes after, has failed" in str(error)


# -- as they end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["group", "function", "list"])
def test_each_job_is_given_out_once_as_it_ends(sweep, way):
    gates = [sweep.root / f"gate{n}" for n in range(4)]
    group = bg.submit_many("sweep.waits_for", [{"path": str(gate), "n": n} for n, gate in enumerate(gates)])
    given = {
        "group": lambda: group.as_completed(60),
        "function": lambda: bg.as_completed(group, timeout=60),
        "list": lambda: bg.as_completed((job for job in [*group, *group]), 60),
    }[way]()
    seen = []
    for n in (3, 1, 0, 2):
        gates[n].touch()
        seen.append(next(given).result())
    assert seen == [3, 1, 0, 2]
    assert list(given) == []


def test_as_completed_gives_out_what_has_ended_then_says_that_the_time_is_up(sweep):
    group = bg.submit_many("sweep.nap", [{"seconds": 300.0}, {"seconds": 0.0}])
    group.jobs[1].wait(60)
    for given in (group.as_completed(0.05), bg.as_completed(group, 0.05)):
        assert next(given).id == 2
        with pytest.raises(TimeoutError, match=r"1 jobs? (has|have) not ended in 0\.05 s; (it goes|they go) on"):
            next(given)
    assert group.counts == {"running": 1, "succeeded": 1}
    group.cancel()
    assert sorted(job.id for job in group.as_completed(0)) == [1, 2]
    assert list(bg.as_completed([])) == []


def test_jobs_of_several_submits_end_in_one_loop_failed_and_cancelled_ones_too(sweep):
    jobs = [
        bg.submit("work.echo", {"value": 1}),
        bg.submit("work.Trainer.fail"),
        bg.submit("work.echo", {"value": 1}, delay="1h").cancel(),
    ]
    ended = {job.id: str(job.state) for job in bg.as_completed(jobs, 60)}
    assert ended == {1: "succeeded", 2: "failed", 3: "cancelled"}


# -- found again ------------------------------------------------------------------------------------------------------


def test_a_group_is_found_by_id_uid_and_name_the_newest_so_named(sweep):
    old, new = (bg.submit_many("sweep.number", [{"n": n}], name="twice") for n in (1, 2))
    assert (bg.group(1), bg.group(old.uid)) == (old, old)
    assert bg.group("twice") == new != old
    assert hash(bg.group("twice")) == hash(new)
    assert [type(bg.group(key)) for key in (1, "twice", new.uid)] == [Group] * 3
    assert [len(bg.jobs(group=key)) for key in (old, old.id, old.uid, "twice")] == [1] * 4
    assert [job.id for job in bg.jobs(group="twice")] == [2]
    assert bool(new)
    assert new.wait(60).results() == [2]


@pytest.mark.parametrize("key", [9, "nine", "", -1, 10**30, "\ud800"])
def test_a_group_that_is_not_there_is_refused_by_name(sweep, key):
    for call in (bg.group, lambda key: bg.jobs(group=key)):
        with pytest.raises(bg.UnknownJob) as error:
            call(key)
        said = one_sentence(error)
        assert repr(key) in said
        assert "jupyter bgjobs list" in said


def test_a_group_is_found_from_another_process(sweep):
    group = bg.submit_many(
        "sweep.train", bg.grid(seed=[1, 13, 2]), common={"lr": 2, "data": pd.DataFrame({"x": [1]})}, name="far"
    )
    script = """
        import ipybgjobs as bg
        group = bg.group("far").wait(60)
        print(group)
        print([str(each) for each in group.results(errors="return")])
        print([list(job.params["data"]["x"]) for job in group])
        print(group.to_frame()["state"].tolist())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        cwd=sweep.code,
    )
    assert (done.returncode, done.stderr) == (0, "")
    line, results, data, states = done.stdout.splitlines()
    assert line == repr(group) == "<group 1 · far · sweep.train · 3 jobs: 2 succeeded, 1 failed>"
    assert results == str(["{'score': 2.0, 'rows': 1}", "seed 13 with 2.0", "{'score': 4.0, 'rows': 1}"])
    assert data == "[[1], [1], [1]]"
    assert states == "['succeeded', 'failed', 'succeeded']"


def test_a_group_whose_submitter_was_killed_runs_to_its_end(sweep):
    script = """
        import os, signal
        import ipybgjobs as bg
        bg.submit_many("sweep.number", bg.grid(n=range(30)), name="orphans")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=sweep.code, timeout=DEADLINE, check=False)
    assert done.returncode == -9
    assert bg.group("orphans").results(60) == list(range(30))


# -- how they look ----------------------------------------------------------------------------------------------------


def pretty(value) -> str:
    from IPython.lib.pretty import pretty as show

    return show(value)


def test_a_group_is_one_line_that_opens(sweep):
    group = bg.submit_many("sweep.train", bg.grid(lr=[1], seed=[1, 13]), name="<b>bold</b>").wait(60)
    assert repr(group) == "<group 1 · <b>bold</b> · sweep.train · 2 jobs: 1 succeeded, 1 failed>"
    html = group._repr_html_()
    assert html.count("<details>") == html.count("</details>") == 1
    summary = html.partition("<summary>")[2].partition("</summary>")[0]
    assert summary == "group 1 · &lt;b&gt;bold&lt;/b&gt; · sweep.train · 2 jobs: 1 succeeded, 1 failed"
    opened = html.partition("</summary>")[2]
    assert "sweep.train(lr=1.0, seed=13)" in opened
    assert "ValueError: seed 13 with 1.0" in opened
    assert "<b>bold" not in html


def test_a_name_with_line_breaks_stays_on_its_line(sweep):
    group = bg.submit_many("sweep.number", [{"n": 1}], name="two\nlines\x1b[31m").wait(60)
    assert "\n" not in repr(group)
    assert "\x1b" not in repr(group) + group._repr_html_()


def test_a_list_of_jobs_shows_itself_as_a_table_in_html_and_in_text(sweep):
    bg.submit("work.Trainer.fail", {"message": "<script>alert(1)</script>"}, name="<i>x</i>").wait(60)
    bg.submit("work.echo", {"value": "line\nbreak"}).wait(60)
    jobs = bg.jobs()
    assert isinstance(jobs, JobList)
    html = jobs._repr_html_()
    assert html.count("<tr>") == 3
    assert [f">{title}</th>" in html for title in ("id", "job", "state", "submitted", "elapsed", "error")] == [True] * 6
    assert re.search(r">2</td>.*work\.echo.*succeeded.*>1</td>.*fail.*failed", html, re.DOTALL)
    assert "<script>" not in html
    assert "<i>" not in html
    lines = pretty(jobs).splitlines()
    assert [line.split(" · ")[0] for line in lines] == ["job 2", "job 1"]
    assert pretty(bg.jobs(state="queued")) == "no jobs"


def test_slices_of_a_list_of_jobs_are_lists_of_jobs(sweep):
    group = bg.submit_many("sweep.number", bg.grid(n=range(5))).wait(60)
    jobs = group.jobs
    assert [type(part) for part in (jobs[1:3], jobs[::-1], jobs[:0])] == [JobList] * 3
    assert [job.params["n"] for job in jobs[1:3]] == [1, 2]
    assert [job.params["n"] for job in jobs[::-1]] == [4, 3, 2, 1, 0]
    assert isinstance(jobs[0], bg.Job)
    assert isinstance(jobs[-1], bg.Job)
    assert jobs[1:3].wait(60) == jobs[1:3]
    assert jobs[1:3].to_frame()["n"].tolist() == [1, 2]


def test_a_list_of_jobs_takes_the_verbs_of_a_job(sweep):
    marks = sweep.root / "marks"
    marks.mkdir()
    bg.submit_many("sweep.fails_at_first", bg.grid(n=[1, 3]), common={"folder": str(marks)}).wait(60)
    waiting = bg.submit("work.echo", {"value": 1}, delay="1h")
    assert [job.id for job in bg.jobs().cancel()] == [waiting.id]
    assert bg.jobs().cancel() == []
    retried = bg.jobs(state="failed").retry()
    assert {job.id for job in retried} == {1, 2}
    assert retried.wait(60)
    assert {str(job.state) for job in retried} == {"succeeded"}


def test_trying_all_failed_ones_again_takes_a_chain_in_its_order(sweep):
    marker = sweep.root / "marker"
    first = bg.submit("work.once_failing", {"marker": str(marker)}, delay=0.3)
    second = bg.submit("work.echo", {"value": 2}, after=first)
    assert second.wait(60).state == "failed"
    bg.jobs(state="failed").retry().wait(60)
    assert (first.result(60), second.result(60)) == ("second run", 2)


# -- as a data frame --------------------------------------------------------------------------------------------------


def test_a_group_as_a_data_frame_has_parameters_state_duration_and_result(sweep):
    group = bg.submit_many(
        "sweep.train", bg.grid(lr=[0.5], seed=[2, 13], state=["mine"]), common={"label": "c"}, queue="one"
    ).wait(60)
    frame = group.to_frame()
    assert list(frame.columns) == [
        "job",
        "lr",
        "seed",
        "params.state",
        "label",
        "name",
        "target",
        "queue",
        "state",
        "attempts",
        "submitted",
        "seconds",
        "result",
        "error",
    ]
    first, second = frame.to_dict("records")
    assert (first["job"], first["lr"], first["seed"], first["params.state"]) == (1, 0.5, 2, "mine")
    assert (first["state"], first["result"]) == ("succeeded", {"score": 1.0, "rows": None})
    assert pd.isna(first["error"])
    assert (second["state"], second["result"]) == ("failed", None)
    assert second["error"] == "ValueError: seed 13 with 0.5"
    assert (frame["queue"].tolist(), frame["attempts"].tolist(), frame["label"].tolist()) == (["one"] * 2, [1] * 2, ["c"] * 2)
    assert (frame["seconds"] >= 0).all()
    assert str(frame["submitted"].dtype).endswith("UTC]")
    assert abs(frame["submitted"].iloc[0].timestamp() - time.time()) < 600


def test_a_data_frame_holds_results_of_any_type_and_jobs_without_one(sweep):
    frames = [pd.DataFrame({"x": [1]}), [1, 2], {"a": 1}, {3}, None]
    group = bg.submit_many("work.echo", [{"value": value} for value in frames]).wait(60)
    results = group.to_frame()["result"].tolist()
    pd.testing.assert_frame_equal(results[0], frames[0])
    assert results[1:] == [[1, 2], {"a": 1}, {3}, None]
    waiting = bg.submit_many("sweep.number", [{"n": 1}], delay="1h")
    row = waiting.to_frame().iloc[0]
    assert (row["state"], row["result"]) == ("queued", None)
    assert pd.isna(row["seconds"])
    waiting.cancel()


def test_any_jobs_as_a_data_frame_with_results_if_asked(sweep):
    bg.submit("sweep.number", {"n": 4}).wait(60)
    bg.submit("work.echo", {"value": pd.DataFrame({"x": [1]})}, name="pickled").wait(60)
    frame = bg.jobs().to_frame()
    assert frame["job"].tolist() == [2, 1]
    assert "result" not in frame
    assert frame["value"].iloc[0] == "<DataFrame 1×1>"
    assert pd.isna(frame["value"].iloc[1])
    assert frame["name"].tolist()[0] == "pickled"
    assert bg.jobs(target="sweep.number").to_frame(results=True)["result"].tolist() == [4]
    empty = bg.jobs(state="queued").to_frame()
    assert (len(empty), "state" in empty) == (0, True)


def test_without_pandas_a_data_frame_is_refused_and_all_else_works(sweep, monkeypatch):
    group = bg.submit_many("sweep.number", [{"n": 1}]).wait(60)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(bg.InvalidRequest, match="pip install pandas"):
        group.to_frame()
    assert group.results() == [1]


# -- filters ----------------------------------------------------------------------------------------------------------

TARGETS = ("work.echo", "work.Trainer.fit", "sweep.number")
QUEUES = ("default", "gpu", "a queue's name")
LABELS = (None, "one", "two", "it's \N{SNOWMAN}")


@pytest.fixture
def crowd(place):
    """Several hundred jobs of another host, in every state, of every target, queue, name and group; nobody runs them."""
    folder = client_module.client().folder()
    database = Database(folder.database, durable=False)
    draw = random.Random(17)
    owner = Owner("elsewhere", "another")
    surroundings = Surroundings("{}", "{}", "digest")

    def made(target):
        return Submission(
            uid=draw.randbytes(16).hex(),
            call=Call(target, {}, {"n": 1}, {}),
            positional=(),
            name=draw.choice(LABELS),
            queue=draw.choice(QUEUES),
            priority=draw.randrange(3),
            not_before=0.0,
            submitted_at=100.0,
            rules=RetryRules(),
            timeout=None,
            owner=owner,
        )

    for number in range(6):
        target = draw.choice(TARGETS)
        group = NewGroup(draw.randbytes(16).hex(), f"g{number % 2}", Call(target, {}, {}, {}), 100.0)
        submissions.submit_group(database, group, [made(target) for _ in range(draw.randrange(1, 40))], surroundings)
        for _ in range(20):
            submissions.submit(database, made(draw.choice(TARGETS)), surroundings)
    with database.transaction() as connection:
        for job_id in range(1, connection.execute("SELECT max(id) FROM jobs").fetchone()[0] + 1):
            connection.execute("UPDATE jobs SET state = ? WHERE id = ?", (draw.choice(list(JobState)), job_id))
    database.close()
    return place


def naive(every, limit, filters):
    """What the filters mean, job by job."""
    found = [job for job in every if all(job[column] == value for column, value in filters.items())]
    return [job["id"] for job in found[::-1]][:limit]


def test_any_combination_of_filters_finds_what_a_look_at_each_job_finds(crowd):
    columns = ("id", "state", "queue", "target", "name", "group")
    every = [
        dict(zip(columns, row, strict=True)) for row in rows(crowd, "SELECT id, state, queue, target, name, group_id FROM jobs")
    ]
    every.sort(key=lambda job: job["id"])
    choices = {
        "state": [None, "failed", "queued"],
        "queue": [None, *QUEUES[1:], "nowhere"],
        "target": [None, TARGETS[0], "work.nothing"],
        "name": [None, *LABELS[2:]],
        "group": [None, 1, 4],
    }
    sizes = set()
    for values in itertools.product(*choices.values()):
        filters = {name: value for name, value in zip(choices, values, strict=True) if value is not None}
        for limit in (5, 1000):
            found = [job.id for job in bg.jobs(**filters, limit=limit)]
            assert found == naive(every, limit, filters), (filters, limit)
            sizes.add(len(found))
    assert {0, 1, 5, len(every)} <= sizes
    assert len(bg.jobs()) == 50


def test_a_limit_of_any_size_is_a_limit(crowd):
    total = rows(crowd, "SELECT count(*) FROM jobs")[0][0]
    for limit, expected in ((0, 0), (1, 1), (10**6, total), (10**30, total)):
        assert len(bg.jobs(limit=limit)) == expected
    for filters in ({"state": "failed", "queue": "gpu"}, {"state": "failed"}, {"target": TARGETS[0], "state": "running"}):
        assert bg.jobs(**filters, limit=0) == []
        assert bg.jobs(**filters, limit=10**30) == bg.jobs(**filters, limit=1000) != []


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"state": "done"}, ["done", "succeeded", "cancelled"]),
        ({"state": ""}, ["''", "queued"]),
        ({"limit": -1}, ["limit", "-1", "at least 0"]),
        ({"limit": 1.5}, ["limit", "1.5", "whole number"]),
        ({"limit": True}, ["limit", "True"]),
        ({"limit": "ten"}, ["limit", "ten"]),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(place, filters, names):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.jobs(**filters)
    said = one_sentence(error)
    assert [name for name in names if name not in said] == []


def test_a_filter_that_nothing_can_match_finds_nothing(place):
    bg.submit("work.echo", {"value": 1}, name="x").wait(60)
    for filters in ({"queue": "\ud800"}, {"name": "\ud800"}, {"target": "no\0thing"}, {"queue": "\ud800", "state": "failed"}):
        assert bg.jobs(**filters) == []


def test_filters_follow_a_real_job_through_its_states(sweep):
    group = bg.submit_many("sweep.nap", [{"seconds": 300.0}], name="follow")
    job = running(group.jobs[0])
    where = {"target": "sweep.nap", "queue": "default", "group": group}
    assert bg.jobs(state="running", **where) == [job]
    assert bg.jobs(state="queued", **where) == []
    group.cancel()
    assert bg.jobs(state="running", **where) == []
    assert bg.jobs(state="cancelled", **where) == [job]
    assert identity.host() in {row[0] for row in rows(sweep, "SELECT host FROM jobs")}


# -- in a terminal ----------------------------------------------------------------------------------------------------


def test_a_group_is_one_line_of_the_list_and_opens_by_its_name(sweep, capsys):
    from ipybgjobs.commands.cli import main

    bg.submit("work.echo", {"value": 1}).wait(60)
    bg.submit_many("sweep.number", bg.grid(n=range(30)), name="thirty").wait(60)
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "group 1 · thirty · sweep.number · 30 jobs: 30 succeeded"
    assert lines[1].startswith("job 1 · work.echo(value=1) · succeeded")
    assert len(lines) == 2
    for key in ("thirty", "1"):
        assert main(["list", "--group", key, "--json", "--limit", "100"]) == 0
        assert [job["id"] for job in json.loads(capsys.readouterr().out)] == list(range(31, 1, -1))
    assert main(["list", "--group", "thirty", "--state", "failed"]) == 0
    assert capsys.readouterr().out == "No such jobs.\n"
    assert main(["wait", "--group", "thirty"]) == 0
