"""The usual times of unfinished jobs: which attempts count, and that their number does not matter."""

import pytest

from ipybgjobs.model.call import Call
from ipybgjobs.model.records import JobState, Outcome
from ipybgjobs.store import listing, usual_times
from ipybgjobs.store.transitions import LaunchMode, Verdict
from support.store import Store


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "jobs.db")
    yield made
    made.database.close()


def ran(store, seconds, outcome=Outcome.SUCCEEDED, state=JobState.SUCCEEDED, **changes):
    """A job that ran for some time."""
    job = store.submit(**changes)
    store.start(job)
    assert store.change("end_attempt", job, 1, Verdict(outcome), now=200.0 + seconds)
    assert store.change("end_job", job, state, None, now=200.0 + seconds)
    return job


def usual(store, job):
    found = usual_times.of_jobs(store.database, listing.jobs(store.database, 1000))
    return None if job not in found else (found[job].seconds, found[job].longest, found[job].runs)


def of(target, **more):
    return {"call": Call(target, {}, {}, {}), **more}


def test_the_last_five_that_succeeded_count_whatever_their_queue(store):
    for seconds in (1000.0, 10.0, 20.0, 30.0):
        ran(store, seconds)
    for seconds in (40.0, 50.0):
        ran(store, seconds, queue="gpu")
    ran(store, 7.0, Outcome.ERROR, JobState.FAILED)
    ran(store, 8.0, **of("work.Other.fit"))
    assert usual(store, store.submit()) == (30.0, 50.0, 5)
    assert usual(store, store.submit(queue="new")) == (30.0, 50.0, 5)
    assert usual(store, store.submit(**of("work.Other.fit"))) == (8.0, 8.0, 1)
    assert usual(store, store.submit(**of("work.Third.fit"))) is None


def test_a_finished_job_has_none(store):
    assert usual(store, ran(store, 10.0)) is None


def test_notebooks_and_cells_are_compared_by_name(store):
    ran(store, 10.0, **of("ipybgjobs.Notebook.run", name="report"))
    ran(store, 90.0, **of("ipybgjobs.Notebook.run", name="training"))
    ran(store, 70.0, **of("ipybgjobs.Cell.run"))
    assert usual(store, store.submit(**of("ipybgjobs.Notebook.run", name="report"))) == (10.0, 10.0, 1)
    assert usual(store, store.submit(**of("ipybgjobs.Notebook.run", name="other"))) is None
    assert usual(store, store.submit(**of("ipybgjobs.Cell.run"))) is None


def test_of_a_retried_job_only_the_attempt_that_succeeded_counts(store):
    job = store.submit()
    store.start(job)
    assert store.change("end_attempt", job, 1, Verdict(Outcome.ERROR), now=900.0)
    assert store.change("queue_again", job, 950.0, "ValueError", now=900.0)
    store.change("promote", now=1000.0)
    assert store.change("claim", job, 2, f"jobs/{job}/2", LaunchMode("fork"), now=1000.0)
    assert store.change("end_attempt", job, 2, Verdict(Outcome.SUCCEEDED), now=1005.0)
    assert store.change("end_job", job, JobState.SUCCEEDED, None, now=1005.0)
    assert usual(store, store.submit()) == (5.0, 5.0, 1)
