"""A look of a panel or a saved card that fails, or is interrupted, loses nothing: the next one shows what it had found."""

import contextlib

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.client.jobs.job_status import FullQueues
from ipybgjobs.panel import static
from ipybgjobs.panel.feed import _ChangeTracker
from support.interrupts import Interrupt
from support.place import until


@contextlib.contextmanager
def unreadable(bench, table):
    """Within it, the store lacks a table, so that whoever reads that fails."""
    bench.other.execute(f"ALTER TABLE {table} RENAME TO hidden")
    try:
        yield
    finally:
        bench.other.execute(f"ALTER TABLE hidden RENAME TO {table}")


def test_a_look_of_the_feed_that_fails_loses_no_change_that_it_had_found(bench):
    """The queues are read last, after the changes of the jobs."""
    client = client_module.client()
    tracker = _ChangeTracker(bench.folder, lambda: client.database(bench.folder), FullQueues(client, bench.folder))
    tracker.poll()
    job = bg.submit("work.echo", {"value": {1}})
    with unreadable(bench, "paused"):
        assert "trouble" in (tracker.poll() or {})
    found = tracker.poll() or {}
    assert found["trouble"] is None
    assert job.id in [row[0] for row in found["rows"]]


@pytest.fixture
def shown(monkeypatch):
    """The texts that were shown, with pauses of a moment."""
    found = []
    monkeypatch.setattr(static, "_SOON", 0.01)
    monkeypatch.setattr(static, "publish_display_data", lambda data, **_: found.append(data["text/plain"]))
    return found


def card(job):
    """The static form of a job's card, and the looks at the store that have failed."""
    failed = []

    def make():
        try:
            return {"text/html": job.to_html(), "text/plain": job.status}
        except bg.StoreError:
            failed.append(1)
            raise

    return static.StaticView(make, f"{static.JOB} {job.uid}"), failed


def at_next_turn(view, shown):
    """What is shown last, once the feed has had another turn."""
    view.take(None)
    return shown[-1] if shown else ""


def test_a_refresh_of_a_saved_card_that_fails_is_repeated_though_nothing_changes_any_more(bench, shown):
    job = bench.ended()
    view, failed = card(job)
    view.publish()
    with unreadable(bench, "jobs"):
        view.take({"rows": [[job.id]]})
        until(lambda: view.take(None) and failed, "a refresh that fails")
    bench.other.execute("UPDATE jobs SET state = 'cancelled' WHERE id = ?", (job.id,))
    until(lambda: at_next_turn(view, shown) == "cancelled", "a refresh that succeeds", 5)


def test_an_interrupt_at_any_call_of_a_refresh_leaves_a_card_that_is_refreshed(bench, shown):
    job = bench.ended()
    for number in range(1, 1000):
        view, _ = card(job)
        view.publish()
        view.take({"rows": [[job.id]]})
        shown.clear()
        interrupt = Interrupt(number, "call", "client/jobs/")
        stopped = interrupt.during(lambda view=view: view.publish(update=True))
        until(
            lambda view=view: view.take(None) in (True, False) and shown, f"a refresh after an interrupt in {interrupt.where}", 5
        )
        if stopped is None:
            break
    assert number > 10
