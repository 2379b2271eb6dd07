"""Many jobs are removed by rules: when somebody asks for it, or by the supervisor."""

import json
import os
import re
import time

import pandas as pd
import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from support.cleanup import DAY, age, everything, folders, idle, one_sentence, permit, store
from support.place import running, until

# -- clean --------------------------------------------------------------------------------------------------------------


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
    said, done = bg.clean(**rule), bg.clean(**rule, dry_run=False)
    assert (done.jobs, done.bytes, done.removed) == (len(gone), said.bytes, True)
    assert str(done).startswith(f"removed {len(gone)} job")
    assert {job.id for job in bg.jobs()} == {1, 2, 3, 4, 5} - gone
    assert not {uids[each] for each in gone} & set(folders(ended))
    assert bg.job(5).result() == 3
    assert bg.clean(**rule, dry_run=False).jobs == 0


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
    ({"dry_run": None}, ["dry_run", "None", "True or False"]),
    ({"dry_run": 0}, ["dry_run", "0"]),
]


def test_a_clean_that_makes_no_sense_is_refused_and_removes_nothing(calc):
    bg.submit("calc.add", {"a": 1}).wait(60)
    before = everything(calc)
    for rule, names in NO_RULES:
        with pytest.raises(bg.InvalidParameters) as error:
            bg.clean(**{"dry_run": False} | rule)
        said = one_sentence(str(error.value))
        assert [name for name in names if name not in said] == []
        assert everything(calc) == before


def test_clean_counts_jobs_that_ended_at_the_same_moment_one_by_one(calc):
    group = bg.submit_many("calc.add", bg.grid(a=range(20)), delay="1h").cancel()
    assert bg.clean(keep_jobs=5).jobs == 15
    assert bg.clean(keep_jobs=5, dry_run=False).jobs == 15
    assert [job.params["a"] for job in group] == [15, 16, 17, 18, 19]


def test_clean_leaves_live_jobs_alone(calc):
    live = [running(bg.submit("calc.nap")), bg.submit("calc.add", {"a": 1}, delay="1h")]
    bg.submit("calc.add", {"a": 2}).wait(60)
    assert bg.clean(dry_run=False, keep_jobs=0).jobs == 1
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
    done = bg.clean(dry_run=False)
    assert (done.jobs, str(done)) == (1000, "removed 1,000 jobs, 0 B on disk") or str(done).startswith("removed 1,000 jobs, ")
    assert folders(calc) == []
    assert store(calc, "SELECT count(*) FROM groups") == [(0,)]


# -- retention ----------------------------------------------------------------------------------------------------------


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


@pytest.mark.crash
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


# -- sizes --------------------------------------------------------------------------------------------------------------


@pytest.mark.crash
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
    kept = bg.submit("calc.writes", {"size": 200_000}).wait(60).keep()
    main(["doctor"])
    assert re.search(r"clean +would free 3\d\d kB of 1 finished job: `jupyter bgjobs clean --yes`", capsys.readouterr().out)
    kept.keep(False).remove()
    assert bg.submit("calc.add", {"a": 1}, delay="1h").cancel().disk_bytes == 0


@pytest.mark.parametrize("value", [pd.DataFrame({"x": range(5000)}), "x" * 40_000, [0.5] * 8000], ids=["frame", "text", "list"])
def test_a_submit_that_copies_a_large_parameter_says_so(calc, capsys, value):
    permit(calc, warn_param_bytes=30_000)
    bg.submit("work.echo", {"value": 1}, delay="1h").cancel()
    assert "copied" not in capsys.readouterr().err
    bg.submit("work.echo", {"value": value}, delay="1h").cancel()
    [note] = re.findall("Note: The parameters take .* and are copied.*", capsys.readouterr().err)
    assert re.search(r"\b4\d kB", note)
    assert "value" in note
    assert "path" in note
