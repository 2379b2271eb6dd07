"""Many jobs by one call: all or none are stored, and they end, are found again and looked at together."""

import json
import random
import re
import subprocess
import sys
import textwrap

import pandas as pd
import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs.group import Group
from support.place import ALLOWED, DEADLINE, running, until
from support.sweep import SWEEP, folders, one_sentence, pretty, rows

pytestmark = pytest.mark.shared_place

# -- grid ---------------------------------------------------------------------------------------------------------------


def test_a_grid_has_every_combination_and_its_last_name_varies_fastest():
    assert bg.grid(lr=[0.1, 0.2], seed=range(2)) == [
        {"lr": 0.1, "seed": 0},
        {"lr": 0.1, "seed": 1},
        {"lr": 0.2, "seed": 0},
        {"lr": 0.2, "seed": 1},
    ]
    assert bg.grid(seed=(n for n in (3, 4))) == [{"seed": 3}, {"seed": 4}]
    assert bg.grid(seed=[]) == []


@pytest.mark.own_place
@pytest.mark.parametrize("value", [3, "abc", b"abc", None, 0.5])
def test_a_grid_refuses_a_name_without_several_values(value):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.grid(lr=[0.1], seed=value)
    said = one_sentence(error)
    assert "seed" in said
    assert repr(value) in said
    assert "list" in said


# -- all or nothing -----------------------------------------------------------------------------------------------------


@pytest.mark.own_place
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


@pytest.mark.own_place
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


@pytest.mark.own_place
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


# -- what is stored -----------------------------------------------------------------------------------------------------


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


@pytest.mark.own_place
def test_options_and_constructor_hold_for_every_job_and_the_name_for_the_group(sweep):
    group = bg.submit_many(
        "work.Trainer.fit", bg.grid(epochs=[0, 1]), init={"lr": 0.7}, name="both", queue="one", priority=4, timeout="5m", retry=2
    )
    assert group.results(60) == [{"epochs": epochs, "lr": 0.7} for epochs in (0, 1)]
    assert [(job.queue, job.priority, job.init, job.name) for job in group] == [("one", 4, {"lr": 0.7}, None)] * 2
    assert rows(sweep, "SELECT DISTINCT timeout, allowed_attempts FROM jobs") == [(300.0, 2)]
    assert group.name == "both"


@pytest.mark.own_place
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
    sweep.allow(ALLOWED | {"sweep": SWEEP}, BackgroundJobs__secret_names=["data"])
    group = bg.submit_many("sweep.train", [{"lr": 1}], common={"data": {"deep-s3cret"}})
    assert group.results(60) == [{"score": 0.0, "rows": 1}]
    assert "s3cret" not in repr(group.jobs[0]) + group._repr_html_() + str(group.to_frame().to_dict()) + sweep.log()


def test_large_parameters_that_are_copied_are_told_of_common_and_own(sweep, capsys):
    sweep.allow(ALLOWED | {"sweep": SWEEP}, BackgroundJobs__warn_param_bytes=20_000)
    frame = pd.DataFrame({"x": range(5000)})

    def said(calls, **common):
        bg.submit_many("sweep.train", calls, common=common, delay="1h").cancel()
        return re.findall(r"Note: (The parameters take .+ and are copied.*)\n", capsys.readouterr().err)

    [note] = said([{"lr": 1}], data=frame)
    assert re.fullmatch(r"The parameters take 4\d kB \(.*data <DataFrame 5000×1>.*\) .* a path .*", note)
    assert said([{"lr": 1, "data": {1}}]) == []
    [note] = said([{"lr": 1, "data": frame}, {"lr": 2, "data": frame}])
    assert "data" in note


# -- their ends ---------------------------------------------------------------------------------------------------------


@pytest.mark.own_place
@pytest.mark.crash
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
    first, error, third = group.results(60, return_exceptions=True)
    assert (first["score"], third["score"]) == (2, 6)
    assert (type(error), str(error)) == (ValueError, "seed 13 with 2.0")
    assert group.counts == {"succeeded": 2, "failed": 1}


def test_a_result_that_is_not_kept_and_a_cancelled_job_are_errors_in_their_place(sweep):
    group = bg.submit_many("sweep.lambda_of", bg.grid(n=[1, 2]))
    kept, lost = group.results(60, return_exceptions=True)
    assert kept() == 1
    assert isinstance(lost, bg.ResultNotKept)
    cancelled = bg.submit_many("sweep.number", [{"n": 1}], delay="1h").cancel()
    assert [type(each) for each in cancelled.results(60, return_exceptions=True)] == [bg.JobCancelled]
    with pytest.raises(bg.JobCancelled):
        cancelled.results(60)


@pytest.mark.own_place
def test_waiting_for_a_group_has_a_limit_and_leaves_the_jobs_alone(sweep):
    group = bg.submit_many("sweep.nap", [{"seconds": 300.0}, {"seconds": 0.0}], name="slow")
    until(lambda: group.counts == {"running": 1, "succeeded": 1}, "one at its end")
    for wait in (group.wait, group.results, group.jobs.wait):
        with pytest.raises(TimeoutError) as error:
            wait(0.05)
        assert "0.05 s" in str(error.value) or "0.0" in str(error.value)
    with pytest.raises(TimeoutError, match=r"group 1 · slow · .* 1 running, 1 succeeded; not all of them finished within 0 s\."):
        group.wait(0)
    assert group.counts == {"running": 1, "succeeded": 1}
    assert group.cancel() is group
    assert group.wait() is group
    assert group.counts == {"succeeded": 1, "cancelled": 1}


def test_cancelling_a_group_ends_the_running_and_the_queued_and_leaves_those_that_have_ended(sweep):
    sweep.allow(ALLOWED | {"sweep": SWEEP}, BackgroundJobs__queues={"default": 2})
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


@pytest.mark.crash
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


@pytest.mark.own_place
def test_a_group_whose_first_group_fails_fails_with_the_reason(sweep):
    bg.pause()
    first = bg.submit_many("sweep.train", bg.grid(seed=[13]), common={"lr": 1})
    second = bg.submit_many("sweep.number", bg.grid(n=range(3)), after=first)
    bg.resume()
    assert second.wait(60).counts == {"failed": 3}
    for error in second.results(return_exceptions=True):
        assert "job 1 (sweep.train), which it depends on, failed" in str(error)


# -- found again --------------------------------------------------------------------------------------------------------


@pytest.mark.own_place
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


@pytest.mark.own_place
@pytest.mark.parametrize("key", [9, "nine", "", -1, 10**30, "\ud800"])
def test_a_group_that_is_not_there_is_refused_by_name(sweep, key):
    for call in (bg.group, lambda key: bg.jobs(group=key)):
        with pytest.raises(bg.UnknownJob) as error:
            call(key)
        said = one_sentence(error)
        assert repr(key) in said
        assert "jupyter bgjobs list" in said


@pytest.mark.crash
@pytest.mark.own_place
def test_a_group_is_found_from_another_process(sweep):
    group = bg.submit_many(
        "sweep.train", bg.grid(seed=[1, 13, 2]), common={"lr": 2, "data": pd.DataFrame({"x": [1]})}, name="far"
    )
    script = """
        import ipybgjobs as bg
        group = bg.group("far").wait(60)
        print(group)
        print([str(each) for each in group.results(return_exceptions=True)])
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


@pytest.mark.crash
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


# -- in a terminal ------------------------------------------------------------------------------------------------------


@pytest.mark.own_place
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
    assert capsys.readouterr().out == "No matching jobs.\n"
    assert main(["wait", "--group", "thirty"]) == 0
