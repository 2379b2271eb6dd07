"""A list or a group does what a job does for all of them: by one request a state folder, and with the job's own sentences."""

import contextlib
import copy
import os
import sqlite3
from dataclasses import dataclass

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.commands.cli import main
from ipybgjobs.panel import commands
from ipybgjobs.store.database import Database
from support.place import ALLOWED, DEADLINE

pytestmark = pytest.mark.shared_place


@pytest.fixture
def lists(place):
    yield place
    for folder in {place.state, place.root / "second"}:
        if folder.exists():
            with in_folder(folder):
                bg.jobs(limit=1000).cancel()


@contextlib.contextmanager
def in_folder(path):
    """What is submitted and listed meanwhile is in another state folder."""
    before = os.environ["IPYBGJOBS_STATE_DIR"]
    os.environ["IPYBGJOBS_STATE_DIR"] = str(path)
    try:
        yield
    finally:
        os.environ["IPYBGJOBS_STATE_DIR"] = before


def done(value=1):
    return bg.submit("work.echo", {"value": value})


def waiting(**options):
    return bg.submit("work.echo", {"value": 1}, delay="1h", **options)


def failing_once(place, **options):
    return bg.submit("work.once_failing", {"marker": str(place.root / "marker")}, **options)


def elsewhere(place, job):
    """Let a job be in a place of which nobody is seen."""
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db", timeout=DEADLINE)) as store, store:
        store.execute("UPDATE jobs SET place = 'gone', host = 'far-away' WHERE id = ?", (job.id,))


def forget(place, job):
    """Delete a job that no supervisor would cancel or end."""
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db", timeout=DEADLINE)) as store, store:
        store.execute("DELETE FROM jobs WHERE id = ?", (job.id,))


def sentences(skipped):
    return {job.id: str(reason) for job, reason in skipped.items()}


@pytest.fixture
def transactions(monkeypatch):
    """The state folders in which this process has written, one entry for each transaction."""
    seen, begin = [], Database.transaction

    def counted(self):
        seen.append(self.folder)
        return begin(self)

    monkeypatch.setattr(Database, "transaction", counted)
    return seen


@dataclass
class Verb:
    """One verb: whom it fits, whom not, and how it is called."""

    fit: object
    unfit: object
    call: object


VERBS = {
    "cancel": Verb(waiting, done, lambda one: one.cancel()),
    "retry": Verb(lambda: bg.submit("work.Trainer.fail"), done, lambda one: one.retry()),
    "remove": Verb(done, waiting, lambda one: one.remove()),
    "set_priority": Verb(waiting, done, lambda one: one.set_priority(7)),
}


@pytest.mark.parametrize("name", VERBS)
def test_a_list_changes_those_that_fit_at_once_and_says_of_the_others_what_their_job_would(lists, transactions, name):
    verb = VERBS[name]
    fit, unfit = [verb.fit() for _ in range(3)], [verb.unfit() for _ in range(2)]
    for job in [*fit, *unfit]:
        if not job.record().not_before > job.record().submitted_at:
            job.wait(DEADLINE)
    jobs = JobList([fit[0], unfit[0], *fit[1:], unfit[1], fit[0]])
    with pytest.raises(bg.InvalidRequest) as strict:
        jobs_strictly(name, jobs)
    transactions.clear()
    changed = verb.call(jobs)
    assert list(changed) == fit
    assert len(transactions) == 1
    for job, reason in changed.skipped.items():
        with pytest.raises(type(reason)) as alone:
            verb.call(job)
        assert str(alone.value) == str(reason)
    assert list(changed.skipped) == unfit
    assert str(strict.value) == str(changed.skipped[unfit[0]])


def jobs_strictly(name, jobs):
    return jobs.set_priority(7, strict=True) if name == "set_priority" else getattr(jobs, name)(strict=True)


@pytest.mark.own_place
def test_what_is_strict_changes_nothing_where_one_does_not_fit(lists):
    jobs = JobList([waiting(), waiting(), done().wait(DEADLINE)])
    for name in ("cancel", "set_priority"):
        with pytest.raises(bg.InvalidRequest, match=f"job {jobs[2].id} "):
            jobs_strictly(name, jobs)
    assert [job.state for job in jobs] == ["queued", "queued", "succeeded"]
    assert [job.priority for job in jobs] == [0, 0, 0]
    with pytest.raises(bg.InvalidRequest, match=f"job {jobs[0].id} is queued; only a finished job can be removed"):
        jobs.remove(strict=True)
    assert len(bg.jobs()) == 3


@pytest.mark.own_place
def test_jobs_are_kept_and_no_longer_kept_together(lists, transactions):
    jobs = JobList(done().wait(DEADLINE) for _ in range(3))
    transactions.clear()
    assert jobs.keep() == jobs
    assert len(transactions) == 1
    assert bg.clean(dry_run=False).jobs == 0
    jobs[:2].keep(False)
    assert bg.clean(dry_run=False).jobs == 2
    again = jobs.keep()
    assert again == [jobs[2]]
    assert [type(reason) for reason in again.skipped.values()] == [bg.UnknownJob] * 2


def test_removed_jobs_are_shown_as_such_and_skipped(lists):
    jobs = JobList(done(number).wait(DEADLINE) for number in range(2))
    jobs[0].remove()
    assert f"job {jobs[0].id} was removed" in jobs._repr_html_()
    assert sentences(jobs.remove().skipped) == {jobs[0].id: f"Job {jobs[0].id} is no longer in {lists.state / 'jobs.db'}."}
    assert "was removed" in jobs._repr_html_()
    with pytest.raises(bg.UnknownJob):
        jobs.to_frame()


def test_a_list_is_still_a_list_from_which_a_job_can_be_taken_out(lists):
    jobs = JobList([done().wait(DEADLINE), done().wait(DEADLINE)])
    first = jobs[0]
    jobs.remove(first)
    assert first not in jobs
    assert first.state == "succeeded"


def test_jobs_are_retried_with_what_they_depend_on_and_others_wait_for_theirs(lists):
    before = waiting()
    first = failing_once(lists, after_any=before)
    second = bg.submit("work.echo", {"value": "second"}, after=first)
    before.cancel()
    for job in (first, second):
        job.wait(DEADLINE)
    alone = JobList([second]).retry()
    assert alone == []
    assert sentences(alone.skipped) == {
        second.id: f"job {second.id} depends on job {first.id}, which did not succeed: retry job {first.id} first."
    }
    both = JobList([second, first]).retry()
    assert (both, both.skipped) == ([second, first], {})
    assert [both[0].result(DEADLINE), both[1].state] == ["second", "succeeded"]


def test_a_job_whose_unique_key_is_taken_is_not_retried_and_the_holder_is_named(lists):
    jobs = JobList(waiting(unique="one").cancel() for _ in range(2))
    holder = waiting(unique="one")
    retried = JobList([*jobs, waiting().cancel()]).retry()
    assert len(retried) == 1
    said = "job {} holds the unique key of job {}: wait for it to finish, or cancel it."
    assert sentences(retried.skipped) == {job.id: said.format(holder.id, job.id) for job in jobs}
    assert {type(reason) for reason in retried.skipped.values()} == {bg.DuplicateJob}


@pytest.mark.own_place
def test_of_two_failed_jobs_with_one_unique_key_the_first_is_retried(lists):
    jobs = JobList(waiting(unique="one").cancel() for _ in range(2))
    lists.allow(ALLOWED, BackgroundJobs__queues={"default": 1})
    bg.pause("default")
    retried = jobs.retry()
    assert retried == jobs[:1]
    assert f"job {jobs[0].id} holds the unique key of job {jobs[1].id}" in sentences(retried.skipped)[jobs[1].id]
    bg.resume("default")


def test_results_and_exceptions_of_a_list_are_in_its_order(lists):
    jobs = JobList([done("b"), bg.submit("work.Trainer.fail"), done("a")])
    assert [type(error) for error in jobs.exceptions(DEADLINE)] == [type(None), ValueError, type(None)]
    first, error, last = jobs.results(DEADLINE, return_exceptions=True)
    assert (first, str(error), last) == ("b", "broken", "a")
    with pytest.raises(ValueError, match="broken"):
        jobs.results()
    with pytest.raises(TimeoutError, match=r"^2 jobs did not finish within 0\.01 s: 2 queued\.$"):
        JobList([waiting(), waiting(), *jobs]).results("10ms")


def test_a_list_keeps_what_was_skipped_when_it_is_copied_and_shows_the_first_of_it(lists):
    jobs = JobList(done(number).wait(DEADLINE) for number in range(6))
    cancelled = jobs.cancel()
    assert cancelled == []
    assert sentences(copy.deepcopy(cancelled).skipped) == sentences(cancelled.skipped)
    shown = cancelled._repr_html_()
    assert f"job {jobs[0].id} has already succeeded; only an unfinished job can be cancelled." in shown
    assert "… and 3 more" in shown
    assert "No jobs yet" not in shown


# -- of several state folders -----------------------------------------------------------------------------------------


@pytest.fixture
def two(lists):
    """Two jobs of each of two state folders, with the same ids."""
    here = [waiting(), done("here")]
    with in_folder(lists.root / "second"):
        there = [waiting(), done("there")]
    assert [job.id for job in here] == [job.id for job in there]
    return JobList([here[0], there[0], here[1], there[1]])


@pytest.mark.own_place
def test_jobs_of_two_state_folders_are_changed_by_one_request_in_each(two, transactions):
    quick = two[2:]
    assert quick.wait(DEADLINE).results() == ["here", "there"]
    transactions.clear()
    assert two.keep() == two
    assert len(transactions) == len(set(transactions)) == 2
    assert [job.priority for job in two.set_priority(3)] == [3, 3]
    cancelled = two.cancel()
    assert cancelled == two[:2]
    assert list(cancelled.skipped) == quick
    assert [str(job.state) for job in two] == ["cancelled", "cancelled", "succeeded", "succeeded"]
    retried = two.retry()
    assert (retried, retried.results(DEADLINE)) == (two[:2], [1, 1])
    assert list(two.to_frame(results=True)["result"]) == [1, 1, "here", "there"]
    assert two._repr_html_().count("<tr>") == 5
    assert two.remove() == two
    assert bg.jobs() == []


@pytest.mark.own_place
def test_jobs_of_two_state_folders_are_given_out_as_they_end(two):
    given = bg.as_completed(two, DEADLINE)
    assert {next(given).result(), next(given).result()} == {"here", "there"}
    with in_folder(two[1].state_folder.path):
        two[1].cancel()
    assert next(given) == two[1]
    two[0].cancel()
    assert list(given) == [two[0]]


# -- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_does_what_a_job_does(lists, transactions):
    group = bg.submit_many("work.echo", bg.grid(value=range(3)), delay="1h")
    transactions.clear()
    changed = group.set_priority(5)
    assert (changed, len(transactions)) == (group.jobs, 1)
    assert {job.priority for job in group} == {5}
    assert group.keep() is group
    assert (len(transactions), {job.record().kept for job in group}) == (2, {True})
    assert group.cancel() is group
    assert len(transactions) == 3
    assert [type(error) for error in group.exceptions(DEADLINE)] == [bg.JobCancelled] * 3
    assert list(group.set_priority(1).skipped) == group.jobs
    assert (group.record().counts, group.keep(False).remove()) == ({"cancelled": 3}, 3)
    assert len(transactions) == 5


def test_jobs_that_are_out_of_reach_are_skipped_by_a_list_and_refused_by_a_group(lists, capsys):
    group = bg.submit_many("work.echo", bg.grid(value=range(3)), delay="1h")
    jobs = group.jobs
    elsewhere(lists, jobs[1])
    try:
        reason = rf"job {jobs[1].id} is queued.* elsewhere \(far-away, .*: it can only be cancelled there"
        for refused in (group.cancel, jobs[1].cancel, lambda: jobs.cancel(strict=True)):
            with pytest.raises(bg.InvalidRequest, match=reason):
                refused()
        assert group.counts == {"queued": 3}
        said = commands.run(client.client(), jobs[0].state_folder, "cancel", {"jobs": [jobs[0].id, jobs[1].id]})
        assert said.startswith(f"1 job cancelled; 1 not: job {jobs[1].id} is queued, starts at")
        assert main(["cancel", "--group", str(group.id)]) == 1
        assert "it can only be cancelled there" in capsys.readouterr().err
        assert [str(job.state) for job in jobs] == ["cancelled", "queued", "cancelled"]
    finally:
        forget(lists, jobs[1])


# -- the skins --------------------------------------------------------------------------------------------------------


@pytest.mark.own_place
def test_a_terminal_changes_all_named_jobs_or_says_why_not_and_of_a_group_those_that_fit(lists, capsys):
    group = bg.submit_many("work.echo", bg.grid(value=range(2)))
    group.wait(DEADLINE)
    queued = waiting()
    assert main(["priority", str(queued.id), "1", "--to", "4"]) == 1
    assert "job 1 is not queued (succeeded); only the priority of a queued job can be changed." in capsys.readouterr().err
    assert queued.priority == 0
    assert main(["priority", "--group", str(group.id), "--to", "4"]) == 0
    assert main(["remove", str(queued.id), "1"]) == 1
    assert f"job {queued.id} is queued; only a finished job can be removed: cancel it first." in capsys.readouterr().err
    assert main(["retry", "1", str(queued.id)]) == 1
    assert (
        "job 1 can't be retried (succeeded); only a failed, cancelled or retrying job can: submit it again."
        in capsys.readouterr().err
    )
    assert main(["keep", "1", "2"]) == 0
    assert [job.record().kept for job in group] == [True, True]
    assert main(["remove", "--group", str(group.id)]) == 0
    assert "removed job 1, job 2" in capsys.readouterr().out


@pytest.mark.own_place
def test_a_panel_says_of_many_why_the_first_was_left_and_of_one_why_it_was(lists):
    jobs = [done().wait(DEADLINE), waiting(), waiting()]
    act = lambda verb, **given: commands.run(client.client(), jobs[0].state_folder, verb, given)  # noqa: E731 - named for the reader
    ids = [job.id for job in jobs]
    said = act("priority", jobs=ids, to=3)
    assert (
        said
        == "2 jobs given priority 3; 1 not: job 1 is not queued (succeeded); only the priority of a queued job can be changed"
    )
    with pytest.raises(bg.InvalidRequest, match="job 1 is not queued"):
        act("priority", jobs=[1], to=3)
    said = act("cancel", jobs=ids)
    assert said == "2 jobs cancelled; 1 not: job 1 has already succeeded; only an unfinished job can be cancelled"
    said = act("retry", jobs=ids)
    assert said.startswith(
        "2 jobs retried; 1 not: job 1 can't be retried (succeeded); only a failed, cancelled or retrying job can: "
    )
    assert JobList(jobs[1:]).results(DEADLINE) == [1, 1]
