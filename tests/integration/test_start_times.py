"""Jobs that start after a delay, or at a time of the calendar."""

import datetime as dt
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs.job_list import JobList
from support.attempts import started

pytestmark = pytest.mark.shared_place


@pytest.fixture
def zone(monkeypatch):
    """Half an hour off everybody else's."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield dt.timezone(dt.timedelta(hours=5, minutes=30))
    monkeypatch.undo()
    time.tzset()


@pytest.mark.crash
def test_a_job_starts_at_a_time_of_the_calendar_and_says_it_with_its_zone(control, zone):
    west = dt.timezone(dt.timedelta(hours=-3))
    written = [lambda at: str(at.replace(tzinfo=None)), lambda at: at, lambda at: at.astimezone(west).isoformat()]
    tomorrow = dt.datetime.now(zone) + dt.timedelta(days=1)
    late = [bg.submit("control.note", at=write(tomorrow)) for write in written]
    assert {job.status for job in late} == {f"queued, starts at {tomorrow:%Y-%m-%d %H:%M:%S} IST"}
    times, jobs = [], []
    for write in written:  # a time anew for each, since a submission may take a while
        times.append(dt.datetime.now(zone) + dt.timedelta(seconds=1.2))
        jobs.append(bg.submit("control.note", at=write(times[-1])))
    control.crash()
    assert all(started(job.wait(60)) >= at.timestamp() - 0.001 for job, at in zip(jobs, times, strict=True))
    JobList(late).cancel()


def test_a_clock_s_time_is_the_next_one(control, zone):
    then = dt.datetime.now(zone) - dt.timedelta(minutes=2)
    job = bg.submit("control.note", at=f"{then:%H:%M}")
    assert job.status == f"queued, starts at {then + dt.timedelta(days=1):%Y-%m-%d %H:%M}:00 IST"
    job.cancel()


@pytest.mark.crash
def test_a_delay_is_kept_whatever_the_supervisor_goes_through(control):
    before = time.time()
    job = bg.submit("control.note", delay="3s")
    assert job.status.startswith("queued, starts at ")
    control.crash()
    job.result(60)
    assert started(job) >= before + 3
