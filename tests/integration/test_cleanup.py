"""Reuse, retry by hand, remove, clean and retention, resource use: in Python and in a terminal, by the real supervisor."""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time

import pandas as pd
import pytest

import ipybgjobs as bg
from ipybgjobs.cli import main
from ipybgjobs.folder import StateFolder
from ipybgjobs.settings import Settings
from ipybgjobs.store.database import Database
from ipybgjobs.supervisor import tidying
from support.jobs import functions, source
from support.place import ALLOWED, DEADLINE, Place, running, until

NAMES = functions("calc")


@pytest.fixture
def calc(place):
    place.module("calc")
    permit(place)
    return place


def permit(place: Place, **settings) -> None:
    """Allow everything, in two queues; with other settings of `BackgroundJobs`."""
    settings = {"queues": {"default": 2, "gpu": 1}, "idle_seconds": 0.1} | settings
    place.allow(
        ALLOWED | {"calc": NAMES, "calc.Model": ["fit"]}, **{f"BackgroundJobs__{name}": value for name, value in settings.items()}
    )


def store(place: Place, sql: str, values=()) -> list:
    """Look at the store, or change it, past all code of ours."""
    connection = sqlite3.connect(place.state / "jobs.db", timeout=30)
    try:
        found = connection.execute(sql, values).fetchall()
        connection.commit()
    finally:
        connection.close()
    return found


def age(place: Place, job: bg.Job, seconds: float) -> None:
    """Let a job have ended so much longer ago."""
    store(place, "UPDATE jobs SET ended_at = ended_at - ? WHERE id = ?", (seconds, job.id))


def folders(place: Place) -> list[str]:
    return sorted(os.listdir(place.state / "jobs"))


def idle(place: Place) -> None:
    """Wait until the supervisor has ended, so that the next one starts with what the files say now."""
    until(lambda: place.supervisor_pid() is None and not place.processes(), "the supervisor's end")


def everything(place: Place) -> list:
    """All that a verb might change."""
    attempts = "SELECT job_id, number, folder, outcome, ending, error FROM attempts ORDER BY 1"  # their origin comes after
    tables = ("jobs", "groups", "requests", "paused")
    return [store(place, attempts), *(store(place, f"SELECT * FROM {table} ORDER BY 1") for table in tables)]


def one_sentence(text: str) -> str:
    assert "\n" not in text
    assert text[-1] in ".)?"
    return text


DAY = 86_400.0


# -- reuse ------------------------------------------------------------------------------------------------------------


def test_the_same_call_gives_the_job_that_has_succeeded_back(calc, capsys):
    call = ("calc.Model.fit", {"lr": 0.5})
    first = bg.submit(*call, init={"depth": 2}, reuse=True)
    assert first.result(60) == [2, 0.5, None]
    capsys.readouterr()
    again = bg.submit(*call, init={"depth": 2}, reuse=True, name="ignored", queue="gpu")
    assert (again, again.id) == (first, first.id)
    assert capsys.readouterr().err == f"reused job 1, {time.strftime('%H:%M', time.localtime(first.attempts[0].ended_at))}\n"
    assert again.result(0) == [2, 0.5, None]
    assert len(bg.jobs()) == 1
    assert len(first.attempts) == 1
    for without in (None, False):
        assert bg.submit(*call, init={"depth": 2}, reuse=without).id != first.id
    assert bg.job(3).wait(60)
    assert bg.submit(*call, init={"depth": 2}, reuse=True).id == 3


@pytest.mark.parametrize(
    ("target", "params", "init"),
    [
        ("calc.Model.fit", {"lr": 0.6}, {"depth": 2}),
        ("calc.Model.fit", {}, {"depth": 2}),
        ("calc.Model.fit", {"lr": 0.5}, {"depth": 3}),
        ("calc.Model.fit", {"lr": 0.5}, None),
        ("calc.Model.fit", {"lr": 0.5, "data": pd.DataFrame({"x": [1]})}, {"depth": 2}),
        ("calc.fails", {"lr": 0.5}, None),
    ],
)
def test_another_parameter_constructor_or_target_is_another_job(calc, capsys, target, params, init):
    bg.submit("calc.Model.fit", {"lr": 0.5}, init={"depth": 2}).wait(60)
    assert bg.submit(target, params, init=init, reuse=True).wait(60).id == 2
    assert "reused" not in capsys.readouterr().err


def test_pickled_parameters_are_compared_by_content(calc):
    def submit(*numbers):
        return bg.submit("calc.Model.fit", {"data": pd.DataFrame({"x": list(numbers)})}, reuse=True).wait(60)

    assert [submit(1, 2).id, submit(1, 2).id, submit(1, 3).id, submit(1, 2).id, submit(1, 3).id] == [1, 1, 2, 1, 2]
    assert len(folders(calc)) == 2


def test_a_set_is_the_same_parameter_in_the_next_kernel(calc):
    """The order of a set of texts is another in each process."""
    script = "import ipybgjobs as bg; bg.submit('work.echo', {'value': set('abcdefgh')}, reuse=True).wait(60)"
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "-c", script], env=calc.environment | {"PYTHONHASHSEED": seed}, cwd=calc.code, check=True)
    assert len(bg.jobs()) == 1


def test_a_changed_source_is_another_job_and_the_old_source_the_old_one(calc):
    first = bg.submit("calc.add", {"a": 1}, reuse=True)
    assert first.result(60) == 1
    calc.module("calc", source("calc").replace("return a + b", "return a + b + 100"))
    changed = bg.submit("calc.add", {"a": 1}, reuse=True)
    assert (changed.id, changed.result(60)) == (2, 101)
    calc.module("calc")
    assert bg.submit("calc.add", {"a": 1}, reuse=True).id == 1


def test_a_job_whose_source_was_edited_between_submit_and_run_is_never_reused(calc):
    bg.pause()
    first = bg.submit("calc.add", {"a": 1}, reuse=True)
    calc.module("calc", source("calc").replace("return a + b", "return a + b + 100"))
    bg.resume()
    assert first.result(60) == 101
    calc.module("calc")
    again = bg.submit("calc.add", {"a": 1}, reuse=True)
    assert (again.id, again.result(60)) == (2, 1)
    assert bg.submit("calc.add", {"a": 1}, reuse=True).id == 2


def test_only_a_job_that_has_succeeded_and_whose_result_is_kept_is_reused(calc):
    for number, (target, params) in enumerate([("calc.fails", {}), ("calc.lost_result", {}), ("work.echo", {"value": 1})]):
        first = bg.submit(target, params, delay="1h" if target == "work.echo" else None)
        if target == "work.echo":
            first.cancel()
        first.wait(60)
        second = bg.submit(target, params, reuse=True).wait(60)
        assert (first.id, second.id) == (2 * number + 1, 2 * number + 2)
    live = running(bg.submit("calc.nap"))
    other = bg.submit("calc.nap", reuse=True)
    assert other.id != live.id
    assert {str(job.state) for job in bg.jobs(target="calc.nap").cancel()} == {"cancelled"}


def test_a_job_that_succeeded_when_it_was_tried_again_by_hand_is_reused(calc):
    call = ("calc.once", {"marker": str(calc.root / "marker")})
    first = bg.submit(*call).wait(60)
    assert first.state == "failed"
    assert first.retry().result(60) == "second run"
    assert bg.submit(*call, reuse=True) == first


def test_a_job_that_succeeded_at_its_second_attempt_is_reused(calc):
    call = ("calc.once", {"marker": str(calc.root / "marker")})
    first = bg.submit(*call, retry={"max_attempts": 2, "delay_seconds": 0})
    assert first.result(60) == "second run"
    assert bg.submit(*call, reuse=True) == first


def test_reuse_takes_an_age(calc, capsys):
    first = bg.submit("calc.add", {"a": 1}).wait(60)
    age(calc, first, 8 * DAY)
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() - 8 * DAY))[:10]
    assert bg.submit("calc.add", {"a": 1}, reuse="9d").id == 1
    assert re.search(rf"^reused job 1, {day} \d\d:\d\d$", capsys.readouterr().err, re.MULTILINE)
    assert bg.submit("calc.add", {"a": 1}, reuse=True).id == 1
    second = bg.submit("calc.add", {"a": 1}, reuse="7d").wait(60)
    assert second.id == 2
    assert bg.submit("calc.add", {"a": 1}, reuse="7d").id == 2
    age(calc, second, 1 * DAY)
    capsys.readouterr()
    assert bg.submit("calc.add", {"a": 1}, reuse=7 * DAY).id == 2
    assert capsys.readouterr().err.startswith("reused job 2, yesterday ")


@pytest.mark.parametrize("reuse", ["soon", -1, "-7d", float("nan"), [7], "7 fortnights"])
def test_an_age_that_cannot_be_read_is_refused(calc, reuse):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.submit("calc.add", {"a": 1}, reuse=reuse)
    assert "reuse" in one_sentence(str(error.value))
    assert bg.jobs() == []


def test_reuse_and_unique_together_make_run_all_harmless(calc):
    def run_all():
        return bg.submit("calc.nap", {"seconds": 0.3}, reuse=True, unique=True, on_duplicate="existing")

    ids = {run_all().id for _ in range(5)}
    run_all().wait(60)
    ids |= {run_all().id for _ in range(5)}
    assert ids == {1}
    assert len(bg.job(1).attempts) == 1


def test_a_removed_job_is_not_reused(calc):
    bg.submit("calc.add", {"a": 1}).wait(60).remove()
    assert bg.submit("calc.add", {"a": 1}, reuse=True).wait(60).id == 2


# -- retry by hand ----------------------------------------------------------------------------------------------------


def test_a_retry_with_other_parameters_is_a_new_job_with_the_same_options(calc):
    options = {"name": "mine", "queue": "gpu", "priority": 7, "timeout": "5m", "retry": {"max_attempts": 2, "delay_seconds": [0]}}
    data = pd.DataFrame({"x": [1, 2]})
    old = bg.submit("calc.needs", {"lr": 0.5, "data": data, "token": "s3cret-token"}, **options).wait(60)
    assert (old.state, len(old.attempts)) == ("failed", 2)
    new = old.retry(params={"lr": 2})
    assert new.result(60) == [2, 2, 12]
    assert (new.id, new.retried_from, old.retried_from) == (2, 1, None)
    columns = "name, queue, priority, timeout, rules, allowed_attempts"
    assert store(calc, f"SELECT {columns} FROM jobs WHERE id = 2") == store(calc, f"SELECT {columns} FROM jobs WHERE id = 1")
    assert (new.params["lr"], new.params["token"]) == (2, "s3cret-token")
    pd.testing.assert_frame_equal(new.params["data"], data)
    assert "s3cret" not in repr(new) + calc.log()
    assert (old.state, len(old.attempts), old.params["lr"]) == ("failed", 2, 0.5)


def test_a_retry_with_other_parameters_keeps_the_constructor_and_replaces_pickled_ones(calc):
    data = pd.DataFrame({"x": [1, 2]})
    old = bg.submit("calc.Model.fit", {"data": data}, init={"depth": 4})
    assert old.result(60) == [4, 0.1, 3]
    assert old.retry(params={"lr": 0.5}).result(60) == [4, 0.5, 3]
    assert old.retry(params={"data": pd.DataFrame({"x": [9]})}).result(60) == [4, 0.1, 9]
    assert old.retry(params={"data": None}).result(60) == [4, 0.1, None]
    assert old.retry(params={}).result(60) == [4, 0.1, 3]
    old.remove()
    assert [job.retried_from for job in bg.jobs()] == [1] * 4


def test_a_retry_with_other_parameters_keeps_the_unique_key(calc):
    old = bg.submit("calc.needs", {"lr": 0.5}, unique="nightly").wait(60)
    holder = running(bg.submit("calc.nap", unique="nightly"))
    with pytest.raises(bg.DuplicateJob, match=f"job {holder.id}"):
        old.retry(params={"lr": 2})
    holder.cancel()
    assert old.retry(params={"lr": 2}).result(60) == [2, None, 0]


def test_a_retry_with_other_parameters_comes_after_the_same_jobs(calc):
    first = bg.submit("calc.once", {"marker": str(calc.root / "marker")}, delay=0.3)
    second = bg.submit("calc.add", {"a": 2}, after=first).wait(60)
    assert second.state == "failed"
    with pytest.raises(bg.InvalidRequest, match="job 2 comes after job 1, which did not succeed: retry job 1 first"):
        second.retry(params={"a": 3})
    first.retry()
    third = second.retry(params={"a": 3})
    assert third.after == [first.id]
    assert (first.result(60), third.result(60)) == ("second run", 3)
    first.remove()
    assert second.retry(params={"a": 4}).result(60) == 4


def test_a_running_job_is_tried_again_in_no_way(calc):
    job = running(bg.submit("calc.nap"))
    waiting = bg.submit("calc.add", {"a": 1}, delay="1h")
    before = everything(calc)
    for each in (job, waiting):
        for params in (None, {"seconds": 1}):
            with pytest.raises(bg.InvalidRequest) as error:
                each.retry(params=params)
            assert f"job {each.id} is {each.state}" in one_sentence(str(error.value))
            assert "cancel" in str(error.value)
    assert everything(calc) == before
    job.cancel()
    waiting.cancel()


@pytest.mark.parametrize("params", [{"rate": 1}, {"lr": "fast"}, {"lr": None}, ["lr"], "lr=2"])
def test_other_parameters_that_do_not_fit_are_refused(calc, params):
    job = bg.submit("calc.needs", {"lr": 0.5}).wait(60)
    with pytest.raises(bg.InvalidParameters) as error:
        job.retry(params=params)
    one_sentence(str(error.value))
    assert len(bg.jobs()) == 1
    assert len(job.attempts) == 1


def test_a_job_that_has_succeeded_is_not_tried_again_without_a_change(calc):
    job = bg.submit("calc.add", {"a": 1}).wait(60)
    with pytest.raises(bg.InvalidRequest) as error:
        job.retry()
    assert "job 1 is succeeded" in one_sentence(str(error.value))
    assert job.retry(params={"a": 5}).result(60) == 5


# -- remove -----------------------------------------------------------------------------------------------------------


def test_a_removed_job_leaves_no_row_no_attempt_and_no_folder(calc):
    job = bg.submit("calc.Model.fit", {"data": pd.DataFrame({"x": [1]})}).wait(60)
    other = bg.submit("calc.writes", {"size": 10_000}).wait(60)
    assert len(folders(calc)) == 2
    assert job.remove() is None
    assert [store(calc, f"SELECT count(*) FROM {table}") for table in ("jobs", "attempts")] == [[(1,)], [(1,)]]
    assert folders(calc) == [other.uid]
    assert other.result() == 10_000
    for look in (lambda: bg.job(job.id), lambda: bg.job(job.uid), job.remove, job.retry, job.result, job.cancel):
        with pytest.raises(bg.UnknownJob) as error:
            look()
        assert str(job.id) in str(error.value) or job.uid in str(error.value)
    assert bg.submit("calc.add", {"a": 1}).wait(60).id == 3


def test_a_removed_job_can_still_be_looked_at_in_a_notebook(calc):
    job = bg.submit("calc.add", {"a": 1}).wait(60)
    group = bg.submit_many("calc.add", bg.grid(a=[1])).wait(60)
    job.remove()
    group.remove()
    for each in (job, group):
        assert "removed" in repr(each)
        assert "removed" in each._repr_html_()


def test_a_live_job_is_not_removed(calc):
    jobs = [running(bg.submit("calc.nap")), bg.submit("calc.add", {"a": 1}, delay="1h")]
    before = everything(calc)
    for job in jobs:
        with pytest.raises(bg.InvalidRequest) as error:
            job.remove()
        assert f"job {job.id} is {job.state}" in one_sentence(str(error.value))
        assert "cancel it" in str(error.value)
    assert everything(calc) == before
    for job in jobs:
        job.cancel().remove()
    assert (bg.jobs(), folders(calc)) == ([], [])


def test_a_group_goes_with_its_last_job_and_so_does_what_they_shared(calc):
    data = pd.DataFrame({"x": [1]})
    group = bg.submit_many("calc.needs", bg.grid(lr=[0.1, 1, 2]), common={"data": data}, name="shared").wait(60)
    jobs = list(group)
    jobs[0].remove()
    assert group.counts == {"succeeded": 2}
    assert [result[1] for result in group.results(60)] == [1, 1]
    assert group.uid in folders(calc)
    assert group.remove() == 2
    assert folders(calc) == []
    assert store(calc, "SELECT count(*) FROM groups") == [(0,)]
    for look in (lambda: bg.group("shared"), lambda: group.counts, lambda: group.uid):
        with pytest.raises(bg.UnknownJob):
            look()


def test_removing_a_group_leaves_its_live_jobs(calc):
    group = bg.submit_many("calc.nap", [{"seconds": 0.0}, {"seconds": 300.0}])
    group.jobs[0].wait(60)
    live = running(group.jobs[1])
    assert group.remove() == 1
    assert (group.counts, len(group)) == ({"running": 1}, 1)
    live.cancel()
    assert group.remove() == 1


def test_what_came_after_a_removed_job_goes_on(calc):
    first = bg.submit("calc.add", {"a": 1}).wait(60)
    second = bg.submit("calc.add", {"a": 2}, after=first, delay=0.5)
    first.remove()
    assert second.result(60) == 2
    with pytest.raises(bg.UnknownJob):
        bg.submit("calc.add", {"a": 3}, after=first)


# -- clean ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ended(calc):
    """Jobs 1 to 5: two that succeeded, one each that failed, was cancelled and is kept; ended a day apart, the oldest first."""
    jobs = [
        bg.submit("calc.add", {"a": 1}).wait(60),
        bg.submit("calc.fails").wait(60),
        bg.submit("calc.add", {"a": 1}, delay="1h").cancel(),
        bg.submit("calc.add", {"a": 2}).wait(60),
        bg.submit("calc.add", {"a": 3}).wait(60).keep(),
    ]
    for days, job in enumerate(jobs[::-1], 1):
        age(calc, job, days * DAY - 3600)
    return calc


#: Rules, and which of the jobs go by them.
RULES = [
    ({}, {1, 2, 3, 4}),
    ({"state": "succeeded"}, {1, 4}),
    ({"state": ["failed", "cancelled"]}, {2, 3}),
    ({"state": []}, set()),
    ({"older_than": "3d"}, {1, 2}),
    ({"older_than": 3 * DAY, "state": "failed"}, {2}),
    ({"older_than": "30d"}, set()),
    ({"keep_jobs": 0}, {1, 2, 3, 4}),
    ({"keep_jobs": 1}, {1, 2, 3}),
    ({"keep_jobs": 4}, set()),
    ({"keep_jobs": 10**30}, set()),
    ({"keep_jobs": 1, "older_than": "3d", "state": "succeeded"}, {1}),
]


def test_clean_says_what_would_go_with_sizes_and_changes_nothing(ended):
    before, sizes = everything(ended), {job.id: job.disk_bytes for job in bg.jobs()}
    for rule, gone in RULES:
        said = bg.clean(**rule)
        assert (said.jobs, said.bytes, said.removed) == (len(gone), sum(sizes[number] for number in gone), False), rule
        assert str(said).endswith(" would be removed")
    assert everything(ended) == before
    assert len(folders(ended)) == 4  # a job that was cancelled before it started has left none


@pytest.mark.parametrize("number", [1, 2, 4, 8, 11])
def test_clean_removes_what_it_said_and_no_more(ended, number):
    rule, gone = RULES[number]
    uids = {job.id: job.uid for job in bg.jobs()}
    said, done = bg.clean(**rule), bg.clean(**rule, yes=True)
    assert (done.jobs, done.bytes, done.removed) == (len(gone), said.bytes, True)
    assert str(done).startswith(f"removed {len(gone)} job")
    assert {job.id for job in bg.jobs()} == {1, 2, 3, 4, 5} - gone
    assert not {uids[each] for each in gone} & set(folders(ended))
    assert bg.job(5).result() == 3
    assert bg.clean(**rule, yes=True).jobs == 0


#: Rules that make no sense, and what the refusal names.
NO_RULES = [
    ({"state": "running"}, ["running", "succeeded, failed, cancelled", "Live jobs"]),
    ({"state": "queued"}, ["queued"]),
    ({"state": ["failed", "lost"]}, ["lost"]),
    ({"state": 5}, ["state", "5"]),
    ({"older_than": "soon"}, ["older_than", "soon"]),
    ({"older_than": -1}, ["older_than", "-1"]),
    ({"keep_jobs": -1}, ["keep_jobs", "-1", "at least 0"]),
    ({"keep_jobs": "all"}, ["keep_jobs", "all"]),
]


def test_a_clean_that_makes_no_sense_is_refused_and_removes_nothing(calc):
    bg.submit("calc.add", {"a": 1}).wait(60)
    before = everything(calc)
    for rule, names in NO_RULES:
        with pytest.raises(bg.InvalidParameters) as error:
            bg.clean(**rule, yes=True)
        said = one_sentence(str(error.value))
        assert [name for name in names if name not in said] == []
        assert everything(calc) == before


def test_clean_counts_jobs_that_ended_at_the_same_moment_one_by_one(calc):
    group = bg.submit_many("calc.add", bg.grid(a=range(20)), delay="1h").cancel()
    assert bg.clean(keep_jobs=5).jobs == 15
    assert bg.clean(keep_jobs=5, yes=True).jobs == 15
    assert [job.params["a"] for job in group] == [15, 16, 17, 18, 19]


def test_clean_leaves_live_jobs_alone(calc):
    live = [running(bg.submit("calc.nap")), bg.submit("calc.add", {"a": 1}, delay="1h")]
    bg.submit("calc.add", {"a": 2}).wait(60)
    assert bg.clean(yes=True, keep_jobs=0).jobs == 1
    assert {job.id for job in bg.jobs()} == {1, 2}
    for job in live:
        assert job.cancel().state == "cancelled"


def test_keep_is_taken_back(calc):
    job = bg.submit("calc.add", {"a": 1}).keep()
    job.wait(60)
    assert bg.clean().jobs == 0
    assert job.keep(False) is job
    assert bg.clean().jobs == 1
    job.keep()
    job.remove()  # a person who names it means it
    with pytest.raises(bg.UnknownJob):
        job.keep()
    assert bg.jobs() == []


def test_clean_takes_many_jobs_and_all_that_is_left_of_a_group(calc):
    group = bg.submit_many("calc.needs", bg.grid(lr=range(1000)), common={"data": {1}}, delay="1h")
    assert len(folders(calc)) == 1
    group.cancel()
    done = bg.clean(yes=True)
    assert (done.jobs, str(done)) == (1000, "removed 1,000 jobs, 0 B on disk") or str(done).startswith("removed 1,000 jobs, ")
    assert folders(calc) == []
    assert store(calc, "SELECT count(*) FROM groups") == [(0,)]


# -- retention --------------------------------------------------------------------------------------------------------


def test_the_supervisor_keeps_so_many_jobs_and_all_that_are_to_be_kept(calc):
    kept = bg.submit("calc.add", {"a": 0}).wait(60).keep()
    group = bg.submit_many("calc.needs", bg.grid(lr=range(1, 31)), common={"data": {1}}).wait(60)
    idle(calc)
    permit(calc, keep_jobs=3)
    live = running(bg.submit("calc.nap"))
    until(lambda: len(bg.jobs(limit=100)) == 5, "three jobs, the kept one and the live one")
    assert {kept.id, live.id} <= {job.id for job in bg.jobs()}
    ends = store(calc, "SELECT min(ended_at) FROM jobs WHERE group_id = 1")[0][0]
    assert ends >= sorted(job.attempts[0].ended_at for job in group)[-3]
    until(lambda: set(folders(calc)) == {group.uid, *(job.uid for job in bg.jobs())}, "the end of the folders, which go after")
    assert group.counts == {"succeeded": 3}
    live.cancel()


def test_the_supervisor_keeps_jobs_for_so_many_days(ended):
    idle(ended)
    permit(ended, keep_days=2.5)
    live = running(bg.submit("calc.nap"))
    until(lambda: {job.id for job in bg.jobs()} == {4, 5, live.id}, "what is older than two and a half days gone")
    assert set(folders(ended)) == {bg.job(4).uid, bg.job(5).uid, live.uid}
    live.cancel()


def test_retention_reaches_the_jobs_of_a_session_that_is_over_at_the_next_short_one(calc):
    """The supervisor of a short session may be gone within a second; the files say so from its first look on."""
    bg.submit_many("calc.add", bg.grid(a=range(5))).wait(60)
    idle(calc)
    permit(calc, keep_jobs=2)
    for number in range(3):
        bg.submit("calc.add", {"a": number}).wait(60)
        idle(calc)
    assert len(bg.jobs()) <= 3


def test_without_a_rule_every_job_is_kept(ended):
    idle(ended)
    bg.submit("calc.add", {"a": 9}).wait(60)
    idle(ended)
    assert len(bg.jobs()) == 6


def test_the_folder_that_a_submit_left_before_its_commit_goes_by_age_and_no_other(calc):
    job = bg.submit("calc.add", {"a": 1}).wait(60)
    group = bg.submit_many("calc.needs", [{"lr": 1}], common={"data": {1}}).wait(60)
    idle(calc)
    root = calc.state / "jobs"
    stray, young, older, ran = (letter * 32 for letter in "abcd")
    for name in (stray, young, older, ran):
        (root / name).mkdir()
        (root / name / "parameters.pkl").write_bytes(b"x")
    (root / ran / "1").mkdir()
    (root / ran / "1" / "outcome.json").write_text("{}")
    for name in (stray, ran, job.uid, group.uid):
        os.utime(root / name, (time.time() - 2 * DAY,) * 2)
    os.utime(root / older, (time.time() - 4 * DAY,) * 2)
    cut_short, under_way = (root / f"{digit * 16}.removing.7.8.part" for digit in "12")
    for note in (cut_short, under_way):
        note.write_text("[")
    os.utime(cut_short, (time.time() - 2 * DAY,) * 2)
    store(calc, f"PRAGMA application_id = {int(time.time() - 3 * DAY)}")  # when the store was made
    live = running(bg.submit("calc.nap"))
    until(lambda: stray not in folders(calc) and not cut_short.exists(), "the old folder and the old note gone")
    assert under_way.exists()
    under_way.unlink()
    assert {young, older, ran, job.uid, group.uid} <= set(folders(calc))
    assert job.result() == 1
    live.cancel()


def test_a_folder_of_jobs_that_somebody_has_removed_keeps_no_job_from_running(calc):
    bg.submit("calc.add", {"a": 1}).wait(60)
    idle(calc)
    for uid in folders(calc):
        for path in sorted((calc.state / "jobs" / uid).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (calc.state / "jobs" / uid).rmdir()
    (calc.state / "jobs").rmdir()
    assert bg.submit("calc.add", {"a": 2}).result(30) == 2


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_what_a_job_takes_on_disk_is_shown_wherever_one_looks(calc, capsys):
    job = bg.submit("calc.writes", {"size": 300_000}).wait(60)
    assert 300_000 <= job.disk_bytes < 400_000
    number = str(round(job.disk_bytes / 1000))
    for words in (["list"], ["list", "--state", "succeeded"], ["show", "1"], ["clean"], ["doctor"]):
        assert main(words) == 0
        said = capsys.readouterr().out
        assert f"{number} kB" in said or (words == ["doctor"] and re.search(r"disk +3\d\d kB", said)), (words, said)
    assert main(["show", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["disk_bytes"] == job.disk_bytes
    assert bg.submit("calc.add", {"a": 1}, delay="1h").cancel().disk_bytes == 0


@pytest.mark.parametrize("value", [pd.DataFrame({"x": range(5000)}), "x" * 40_000, [0.5] * 8000], ids=["frame", "text", "list"])
def test_a_submit_that_copies_a_large_parameter_says_so(calc, capsys, value):
    permit(calc, warn_param_bytes=30_000)
    bg.submit("work.echo", {"value": 1}, delay="1h").cancel()
    assert "copied" not in capsys.readouterr().err
    bg.submit("work.echo", {"value": value}, delay="1h").cancel()
    [note] = re.findall("Note: .* of parameters are copied.*", capsys.readouterr().err)
    assert re.search(r"\b4\d kB", note)
    assert "value" in note
    assert "path" in note


# -- resource use -----------------------------------------------------------------------------------------------------


def test_what_each_attempt_used_is_kept_and_shown(calc, capsys):
    job = bg.submit("calc.works", {"seconds": 0.3}).wait(60)
    [attempt] = job.attempts
    assert 0.3 <= attempt.cpu_seconds < 5
    assert 5e6 < attempt.peak_memory < 5e8
    assert attempt.ended_at - attempt.started_at >= 0.3
    assert main(["show", "1"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "attempt 1" in line)
    assert re.search(r"succeeded · fork · [\d.]+ s · [\d.]+ s CPU · \d+ MB peak$", line)
    assert main(["show", "1", "--json"]) == 0
    [shown] = json.loads(capsys.readouterr().out)["attempts"]
    assert (shown["cpu_seconds"], shown["peak_memory"]) == (attempt.cpu_seconds, attempt.peak_memory)


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV")])
def test_a_process_that_vanished_is_told_of_by_signal_peak_memory_and_last_lines(calc, capsys, number, name):
    job = bg.submit("calc.vanishes", {"number": number}).wait(60)
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal, attempt.exit_code) == ("lost", number, None)
    assert attempt.peak_memory > 60e6
    assert re.fullmatch(rf"the process was ended by signal {number} \({name}\), at its peak it used \d+ MB", job.error)
    assert "out of memory" not in job.error
    last = [f"line {line}" for line in range(5, 15)]
    assert [line for line in job.traceback.splitlines() if line.startswith("line ")] == last
    assert main(["show", "1"]) == 0
    said = capsys.readouterr().out
    assert f"signal {number}" in said
    assert "MB peak" in said
    assert "\n".join(last) in said
    assert main(["result", "1"]) == 1
    assert name in capsys.readouterr().err
    with pytest.raises(bg.JobLost, match=name):
        job.result()


def test_the_last_lines_of_a_vanished_process_show_no_secret(calc):
    calc.module(
        "leaky",
        """
        import os
        def vanishes(token: str):
            print("my token is", token, flush=True)
            os.kill(os.getpid(), 9)
    """,
    )
    calc.allow({"leaky": ["vanishes"]})
    job = bg.submit("leaky.vanishes", {"token": "s3cret-token"}).wait(60)
    assert "my token is •••" in job.traceback
    assert "s3cret" not in job.traceback + calc.log() + calc.log("background_jobs_errors.log")


# -- in a terminal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(calc, capsys):
    """Runs a command line; returns what it printed, parsed where it is JSON."""

    def command(line, status=0):
        words = line.split()
        capsys.readouterr()
        found = main(words)
        said = capsys.readouterr()
        assert found == status, said
        if status:
            assert said.out == ""
            assert said.err.count("\n") == 1, said.err
            return said.err.rstrip("\n")
        return json.loads(said.out) if "--json" in words else said.out

    return command


def test_the_verbs_work_through_the_module_with_their_exit_statuses(calc):
    def command(*words):
        done = subprocess.run(
            [sys.executable, "-m", "ipybgjobs", *words],
            cwd=calc.code,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    bg.submit("calc.needs", {"lr": 0.5}).wait(60)
    status, said, _ = command("retry", "1", "lr=2", "--json")
    assert (status, [job["retried_from"] for job in json.loads(said)]) == (0, [1])
    assert bg.job(2).result(60) == [2, None, 0]
    status, said, _ = command("clean")
    assert status == 0
    assert re.fullmatch(r"2 jobs, \d+ kB on disk would be removed; --yes removes them\n", said)
    assert command("remove", "1")[:2] == (0, "removed job 1\n")
    assert command("remove", "1")[0] == 1
    assert command("remove")[0] == 2
    assert [job.id for job in bg.jobs()] == [2]


def test_remove_in_a_terminal(run):
    bg.submit_many("calc.add", bg.grid(a=range(3)), name="three").wait(60)
    bg.submit("calc.add", {"a": 1}, name="named").wait(60)
    assert run("remove named --json") == {"removed": [4]}
    assert run("remove 1") == "removed job 1\n"
    assert run("remove --group three") == "removed job 2, job 3\n"
    assert bg.jobs() == []


def test_a_job_that_is_named_twice_is_removed_once(run):
    bg.submit("calc.add", {"a": 1}, name="named").wait(60)
    assert run("remove 1 named") == "removed job 1\n"
    assert bg.jobs() == []


def test_clean_in_a_terminal(run, calc):
    bg.submit("calc.add", {"a": 1}).wait(60)
    bg.submit("calc.fails").wait(60)
    age(calc, bg.submit("calc.add", {"a": 2}).wait(60), 9 * DAY)
    said = run("clean --json")
    assert (said["jobs"], said["removed"]) == (3, False)
    assert said["bytes"] > 0
    assert run("clean --older-than 7d --json")["jobs"] == 1
    assert run("clean --state failed --state cancelled --json")["jobs"] == 1
    assert run("clean --keep-jobs 1 --json")["jobs"] == 2
    assert len(bg.jobs()) == 3
    assert re.fullmatch(r"removed 1 job, [\d.]+ kB on disk\n", run("clean --older-than 1w --yes"))
    assert run("clean --yes --json")["removed"] is True
    assert bg.jobs() == []
    assert run("clean") == "0 jobs, 0 B on disk would be removed\n"


def test_keep_in_a_terminal(run):
    bg.submit("calc.add", {"a": 1}).wait(60)
    assert [job["kept"] for job in run("keep 1 --json")] == [True]
    assert "kept       yes" in run("show 1")
    assert run("clean --json")["jobs"] == 0
    assert [job["kept"] for job in run("keep 1 --no --json")] == [False]
    assert "kept" not in run("show 1")
    assert run("clean --json")["jobs"] == 1


def test_retry_in_a_terminal(run, calc):
    bg.submit("calc.needs", {"lr": 0.5}).wait(60)
    bg.submit("calc.needs", {"lr": 0.25}, name="second").wait(60)
    [new] = run("retry 1 lr=2 token=abcd --json")
    assert (new["id"], new["retried_from"]) == (3, 1)
    assert bg.job(3).result(60) == [2, None, 4]
    assert "retry of   1" in run("show 3")
    assert {job["id"] for job in run("retry --failed --json")} == {1, 2}
    bg.jobs().wait(60)
    assert [len(bg.job(number).attempts) for number in (1, 2, 3)] == [2, 2, 1]
    assert [job["id"] for job in run("retry second --json")] == [2]
    bg.job(2).wait(60)
    assert {job["retried_from"] for job in run("retry --failed lr=5 --json")} == {1, 2}
    assert {job.result(60)[0] for job in bg.jobs(limit=2)} == {5}
    bg.jobs(state="failed").wait(60)
    for job in bg.jobs(state="failed"):
        job.remove()
    assert run("retry --failed --json") == []


def test_retry_of_a_group_in_a_terminal(run):
    group = bg.submit_many("calc.needs", bg.grid(lr=[0.5, 1]), name="g").wait(60)
    assert [job["id"] for job in run("retry --group g --json")] == [1]
    group.wait(60)
    assert [len(job.attempts) for job in group] == [2, 1]


def test_priority_pause_and_resume_in_a_terminal(run):
    assert run("pause gpu --json") == {"paused": ["gpu"]}
    job = bg.submit("calc.add", {"a": 1}, queue="gpu", name="held")
    bg.submit("calc.add", {"a": 2}, queue="gpu")
    assert bg.submit("calc.add", {"a": 3}).wait(60)
    assert [(each["priority"], each["state"]) for each in run("priority held 2 --to 5 --json")] == [(5, "queued")] * 2
    assert run("priority 1 --to -3") == "job 1 · held · calc.add(a=1) · queued, held: the queue gpu is paused\n"
    assert "the queue gpu is paused" in run("list")
    assert "gpu" in run("doctor")
    assert run("resume gpu") == "resumed: gpu\n"
    job.wait(60)
    bg.job(2).wait(60)
    assert job.attempts[0].started_at > bg.job(2).attempts[0].started_at
    assert run("pause") == "paused: default, gpu; running jobs go on\n"
    assert run("resume --json") == {"resumed": ["default", "gpu"]}
    assert run("resume") == "resumed: nothing was paused\n"


def test_cancel_and_list_of_a_group_in_a_terminal(run):
    group = bg.submit_many("calc.nap", [{"seconds": 0.0}, {"seconds": 300.0}, {"seconds": 300.0}], name="g")
    group.jobs[0].wait(60)
    running(group.jobs[1])
    assert len(run("list --group g").splitlines()) == 3
    assert {job["id"] for job in run("cancel --group g --grace 5s --json")} == {2, 3}
    assert [(job["id"], job["state"]) for job in run("list --group g --json")] == [
        (3, "cancelled"),
        (2, "cancelled"),
        (1, "succeeded"),
    ]
    assert [job["id"] for job in run("list --group 1 --state cancelled --json")] == [3, 2]


def test_the_priority_of_a_group_is_that_of_the_jobs_that_still_wait(run):
    bg.submit_many("calc.nap", [{"seconds": 0.0}], name="g").wait(60)
    group = bg.submit_many("calc.nap", [{"seconds": 300.0}] * 4, name="g")
    running(group.jobs[0])
    running(group.jobs[1])
    assert {job["id"] for job in run("priority --group g --to 5 --json")} == {4, 5}
    assert [job.priority for job in group] == [0, 0, 5, 5]
    group.cancel()


@pytest.fixture
def four(calc):
    """Job 1 has succeeded, 2 has failed, 3 runs, 4 waits."""
    bg.submit("calc.add", {"a": 1}).wait(60)
    bg.submit("calc.fails").wait(60)
    running(bg.submit("calc.nap"))
    bg.submit("calc.add", {"a": 1}, delay="1h")
    yield calc
    bg.jobs().cancel()


#: Command lines that make no sense, by verb: exit status, and what the refusal names.
REFUSED = {
    "remove": [
        ("remove 3", 1, ["job 3 is running", "cancel it"]),
        ("remove 1 4", 1, ["job 4 is queued", "cancel it"]),
        ("remove 99", 1, ["99", "bgjobs list"]),
        ("remove 1 99", 1, ["99"]),
        ("remove nobody", 1, ["nobody"]),
        ("remove", 2, ["--group"]),
        ("remove 1 --group g", 2, ["not both"]),
        ("remove --group g", 1, ["no group 'g'"]),
        ("remove --group 99999999999999999999999", 1, ["no group '99999999999999999999999'"]),
    ],
    "clean": [
        ("clean --state running --yes", 1, ["running", "Live jobs"]),
        ("clean --older-than soon --yes", 1, ["older_than", "soon"]),
        ("clean --keep-jobs -1 --yes", 1, ["keep_jobs", "-1"]),
        ("clean --keep-jobs many --yes", 2, ["--keep-jobs", "many"]),
        ("clean 1", 2, ["1"]),
    ],
    "keep": [
        ("keep 99", 1, ["99"]),
        ("keep", 2, ["--group"]),
    ],
    "retry": [
        ("retry 1", 1, ["job 1 is succeeded"]),
        ("retry 3", 1, ["job 3 is running"]),
        ("retry 3 seconds=1", 1, ["job 3 is running"]),
        ("retry 4", 1, ["job 4 is queued"]),
        ("retry 2 3", 1, ["job 3 is running"]),
        ("retry 2 rate=1", 1, ["rate"]),
        ("retry 2 lr=fast", 1, ["lr", "fast"]),
        ("retry 1 2 lr=5", 1, ["lr"]),
        ("retry lr=2", 2, ["--group"]),
        ("retry", 2, ["--group"]),
        ("retry 2 --failed", 2, ["--failed"]),
        ("retry --failed --group g", 2, ["--failed"]),
        ("retry 2 =5", 2, ["=5"]),
    ],
    "priority": [
        ("priority 4", 2, ["--to"]),
        ("priority 4 --to high", 2, ["high"]),
        ("priority 4 --to 99999999999999999999", 1, ["priority", "99999999999999999999"]),
        ("priority 1 --to 5", 1, ["job 1 is succeeded", "queued"]),
        ("priority 4 3 --to 5", 1, ["job 3 is running"]),
    ],
    "pause": [
        ("pause nowhere", 1, ["nowhere", "default, gpu"]),
    ],
    "resume": [
        ("resume nowhere", 1, ["nowhere", "default, gpu"]),
        ("resume gpu", 1, ["gpu is not paused"]),
    ],
    "cancel": [
        ("cancel 1", 1, ["job 1 has succeeded already"]),
        ("cancel 4 1", 1, ["job 1 has succeeded already"]),
        ("cancel 4 --grace soon", 1, ["grace", "soon"]),
        ("cancel 4 --grace -1", 1, ["grace", "-1"]),
        ("cancel --group nobody", 1, ["no group 'nobody'"]),
    ],
    "list": [
        ("list --state done", 1, ["done", "succeeded"]),
        ("list --limit -1", 1, ["limit", "-1"]),
        ("list --group nobody", 1, ["no group 'nobody'"]),
    ],
}


@pytest.mark.parametrize("verb", REFUSED)
def test_a_command_that_makes_no_sense_is_one_sentence_and_changes_nothing(four, run, verb):
    before = everything(four)
    for line, status, names in REFUSED[verb]:
        said = run(line, status)
        assert [name for name in names if name not in said] == []
        assert everything(four) == before, line


def test_a_job_that_was_cancelled_is_said_to_have_been(run):
    bg.submit("calc.add", {"a": 1}, delay="1h").cancel()
    assert "job 1 was cancelled already" in run("cancel 1", 1)


def test_a_limit_of_any_size_lists_everything(run):
    bg.submit("calc.add", {"a": 1}).wait(60)
    for line in ("list --limit 99999999999999999999", "list --state succeeded --limit 99999999999999999999"):
        assert run(line).startswith("job 1 · ")
    assert run("list --limit 0") != ""


def test_a_tidier_that_has_nothing_to_do_keeps_no_supervisor_from_ending(calc, monkeypatch):
    bg.submit("calc.add", {"a": 1}).wait(60)
    idle(calc)
    monkeypatch.setattr(tidying, "_LATER", tidying._SOON)  # so that its next look is always near
    folder = StateFolder(str(calc.state))
    with contextlib.closing(Database(folder.database, durable=False)) as database:
        tidier, settings = tidying.Tidier(folder, database), Settings()
        assert tidier.busy
        until(lambda: (tidier.step(settings), not tidier.busy)[1], "the end of its work")
        for _ in range(3):
            tidier.step(settings)
            assert not tidier.busy
