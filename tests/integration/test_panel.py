"""What a panel is sent and what it asks for: over a session as a widget and a page have it, with the real store and real jobs."""

import json
import re
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.commands import digest
from ipybgjobs.panel import board, feed, session, static, transfers
from ipybgjobs.panel.rows import COLUMNS
from ipybgjobs.panel.session import Session
from ipybgjobs.state import last_look
from ipybgjobs.store import changes as watching
from support.place import DEADLINE, until

pytestmark = pytest.mark.shared_place


class Panel:
    """The other side: what a browser would know."""

    def __init__(self, **options):
        self.messages = []
        self.session = Session(client_module.client(), self.take, **options)
        self.session.begin(self.show)

    def show(self, first):
        json.dumps(first)
        self.first = first

    def take(self, message):
        json.dumps(message)  # what is sent is JSON
        self.messages.append(message)

    def kinds(self):
        return [message["kind"] for message in self.messages]

    def of(self, kind):
        return [message for message in list(self.messages) if message["kind"] == kind]

    def rows(self):
        """The newest row of each job that was sent."""
        found = {}
        for message in [self.first, *self.messages]:
            for row in message.get("rows", []):
                found[row[0]] = dict(zip(COLUMNS, row, strict=False))
            for gone in message.get("gone", []):
                found.pop(gone, None)
        return found

    def receive(self, message):
        """A message of the panel's scripts."""
        self.session.receive({**message, "version": session.VERSION})

    def look(self, **changes):
        self.receive({"kind": "look", "view": "one", "visible": True, "seq": None, "whole": False} | changes)

    def ask(self, verb, **options):
        """Press a button, and return what came of it."""
        cid = f"c{len(self.messages)}"
        self.receive({"kind": "command", "cid": cid, "verb": verb, **options})
        return until(lambda: next((each for each in self.of("answer") if each["cid"] == cid), None), "an answer")

    def close(self):
        self.session.close()


@pytest.fixture
def panel(place, monkeypatch):
    for module in (feed, session):  # what has closed is noticed at the next check
        monkeypatch.setattr(module, "IDLE", 0.5)
    made = Panel()
    yield made
    made.close()
    until(lambda: not feed_threads(), "the end of the feed")


def feed_threads():
    return [thread for thread in threading.enumerate() if thread.name == "ipybgjobs-panel"]


def file_job(place):
    """A job that goes on when a file is there, and that file."""
    place.module("panel_jobs")
    place.allow({"panel_jobs": ["gate"], "work": ["echo"], "work.Trainer": ["fit", "fail", "sleep"]})
    return place.root / "gate"


# -- what is sent ----------------------------------------------------------------------------------------------------------


def test_a_panel_begins_with_the_newest_rows_and_then_hears_only_of_what_changes(panel, place):
    gate = file_job(place)
    old = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    panel.look()
    until(lambda: panel.of("rows"), "all rows")
    job = bg.submit("panel_jobs.gate", {"path": str(gate)}, name="train", queue="default", priority=3)
    until(lambda: panel.rows().get(job.id, {}).get("state") == "running", "its row")
    row = panel.rows()[job.id]
    assert (row["name"], row["queue"], row["priority"], row["attempt"], row["allowed"]) == ("train", "default", 3, 1, 1)
    assert row["call"].startswith("panel_jobs.gate(path=")
    progress = until(lambda: [far for delta in panel.of("delta") for far in delta.get("progress", [])], "its progress")
    job_id, share, done, total, unit, _, _, message = progress[-1]
    assert (job_id, share, done, total, unit, message) == (job.id, 0.25, 1.0, 4.0, "", "half way to the half")
    mark = len(panel.messages)
    gate.touch()
    job.wait(DEADLINE)
    until(lambda: panel.rows()[job.id]["state"] == "succeeded", "its end")
    assert panel.rows()[job.id]["memory"] > 1_000_000
    since = panel.messages[mark:]
    assert {row[0] for message in since for row in message.get("rows", [])} == {job.id}
    assert old.id not in {row[0] for message in since for row in message.get("rows", [])}


def test_a_row_names_the_notebook_that_a_job_came_from_its_group_and_what_has_a_title(panel, place, monkeypatch):
    file_job(place)
    panel.look()
    monkeypatch.setenv("JPY_SESSION_NAME", str(place.root / "day" / "cells.ipynb"))
    group = bg.submit_many("work.echo", [{"value": 1}, {"value": 2}], name="sweep")
    first, last = (job.id for job in group.jobs)
    until(lambda: {first, last} <= panel.rows().keys(), "their rows")
    assert {(panel.rows()[key]["group_name"], panel.rows()[key]["notebook"]) for key in (first, last)} == {
        ("sweep", "cells.ipynb")
    }
    panel.look(open=first)
    said = until(lambda: panel.of("detail"), "its details")
    assert said[-1]["facts"]["notebook"] == str(place.root / "day" / "cells.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", "console-1")  # which is no file
    other = bg.submit("work.echo", {"value": 1})
    until(lambda: other.id in panel.rows(), "its row")
    assert panel.rows()[other.id].get("notebook") is None
    assert "whole" not in panel.rows()[other.id]


def test_what_changes_while_a_panel_appears_is_sent_after_what_it_begins_with(place):
    place.allow({"work": ["echo"]})
    said, sent, told = [], threading.Event(), threading.Event()

    def send(message):
        said.append(message["kind"])
        sent.set()

    def show(first):
        bg.submit("work.echo", {"value": 1})
        assert told.wait(DEADLINE), "the feed has seen the change"
        sent.wait(0.2)  # what must not come: for as long as it would take by far
        said.append("first")

    one = Session(client_module.client(), send)
    original = one.take_changes

    def turn(delta):
        if delta is not None:
            told.set()
        return original(delta)

    one.take_changes = turn
    one.begin(show)
    until(lambda: "delta" in said, "the change")
    assert said[0] == "first"
    one.close()
    until(lambda: not feed_threads(), "the end of the feed")


@pytest.mark.own_place
def test_nothing_is_sent_when_nothing_changes_also_by_commits_that_change_no_job(panel, place):
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    panel.look()
    until(lambda: panel.of("rows"), "all rows")
    until(lambda: place.supervisor_pid() is None, "the end of the supervisor, which writes")
    panel.look(seq=panel.of("rows")[-1]["seq"], whole=True)
    until(lambda: len(panel.of("here")) == 2, "the answer to a sign of life")
    database = client_module.client().database(client_module.client().folder())
    newest = watching.newest_change(database)
    until(lambda: any(delta.get("seq") == newest for delta in panel.of("delta") if "view" not in delta), "the feed's last delta")
    until(lambda: panel.of("disk"), "the disk space")
    count = len(panel.messages)
    with database.transaction() as connection:
        connection.execute("UPDATE supervisors SET heard_at = heard_at + 1")
    looked = threading.Event()
    panel.session._on_changes = lambda _: looked.set()
    assert looked.wait(DEADLINE)
    assert panel.messages[count:] == []


def test_a_panel_that_nobody_sees_is_sent_nothing_and_costs_no_thread(panel, place):
    panel.look()
    panel.receive({"kind": "look", "view": "one", "visible": False})
    until(lambda: not feed_threads(), "the end of the feed")
    count = len(panel.messages)
    job = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    assert panel.messages[count:] == []
    panel.look(seq=panel.first["seq"], whole=True)  # it is seen again, and has missed something
    until(lambda: panel.rows().get(job.id, {}).get("state") == "succeeded", "what it has missed")
    assert [message["kind"] for message in panel.messages[count:]][:2] == ["here", "delta"]


def test_a_view_that_has_long_been_silent_is_taken_for_gone_unless_a_cell_runs(place, monkeypatch):
    monkeypatch.setattr(session, "SILENCE", 0.0)
    monkeypatch.setattr("ipybgjobs.panel.feed.IDLE", 0.05)
    busy = [True]
    panel = Panel(busy=lambda: busy[0])
    panel.look()
    job = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    until(lambda: panel.rows().get(job.id, {}).get("state") == "succeeded", "a change while a cell runs")
    busy[0] = False
    until(lambda: not feed_threads(), "the end of the feed")
    panel.close()


def test_who_was_away_for_too_long_is_sent_everything(panel, place):
    panel.look()
    until(lambda: panel.of("rows"), "all rows")
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    database = client_module.client().database(client_module.client().folder())
    with database.transaction() as connection:
        connection.executemany("INSERT INTO changes (job_id) VALUES (?)", [(1,)] * 10_500)
    assert watching.changed(database, 1) is None
    assert 10_000 <= database.read("SELECT count(*) FROM changes")[0][0] < 10_256
    count = len(panel.of("rows"))
    panel.look(seq=1, whole=True)
    until(lambda: len(panel.of("rows")) > count, "everything")


def test_a_view_that_comes_later_learns_when_others_were_heard(panel):
    panel.look()
    assert panel.of("here")[-1]["heard"] is None
    panel.look(view="two")
    assert panel.of("here")[-1]["heard"] == panel.of("here")[0]["now"]
    panel.look(view="two")
    assert panel.of("here")[-1]["heard"] is None


@pytest.mark.own_place
def test_older_rows_come_in_pieces_and_end_at_what_a_panel_holds(place, monkeypatch):
    monkeypatch.setattr(board, "CHUNK", 10)
    monkeypatch.setattr(board, "MOST", 35)
    monkeypatch.setattr(transfers, "_PAUSE", 0.0)
    monkeypatch.setattr(session, "FIRST", 5)
    place.allow({"work": ["echo"]}, BackgroundJobs__queues={"default": 1})
    bg.pause("default")
    bg.submit_many("work.echo", [{"value": number} for number in range(42)])
    panel = Panel()
    assert [row[0] for row in panel.first["rows"]] == [42, 41, 40, 39, 38]
    assert not panel.first["whole"]
    panel.look()
    until(lambda: any(message.get("whole") for message in panel.of("older")), "the last piece")
    pieces = [[row[0] for row in message["rows"]] for message in panel.messages if "rows" in message]
    assert [len(piece) for piece in pieces] == [10, 10, 10, 5]
    assert [number for piece in pieces for number in piece] == list(range(42, 7, -1))
    panel.close()
    bg.group(1).cancel()


def test_a_removed_job_is_gone_from_the_panel(panel, place):
    job = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    panel.look()
    until(lambda: job.id in panel.rows(), "its row")
    job.remove()
    until(lambda: job.id not in panel.rows(), "its removal")


def test_a_card_hears_of_its_own_job_only(place):
    mine = bg.submit("work.echo", {"value": 1})
    card = Panel(only=mine.id)
    assert card.first["only"] == mine.id
    card.look(seq=card.first["seq"], whole=True)
    other = bg.submit("work.echo", {"value": 2}).wait(DEADLINE)
    mine.wait(DEADLINE)
    until(lambda: card.rows()[mine.id]["state"] == "succeeded", "its end")
    assert other.id not in card.rows()
    card.close()


def test_secrets_and_control_characters_are_not_sent(panel, place):
    place.module("work", "class Trainer:\n    def fit(self, password: str, note: str): print(note)\n")
    place.allow({"work.Trainer": ["fit"]})
    job = bg.submit("work.Trainer.fit", {"password": "hunter2!", "note": "a\x1b[31m\nb"}, name="two\nlines").wait(DEADLINE)
    panel.look(open=job.id)
    until(lambda: panel.of("detail") and panel.of("log"), "the detail")
    assert "hunter2!" not in json.dumps([panel.first, *panel.messages])
    assert "\n" not in panel.rows()[job.id]["call"] + panel.rows()[job.id]["name"]


@pytest.mark.own_place
def test_paused_queues_are_told_when_they_change(panel, place):
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)  # its supervisor knows how long to be idle
    panel.look()
    bg.pause("default")
    until(lambda: any(message.get("paused") == ["default"] for message in panel.messages), "the pause")
    bg.resume("default")
    until(lambda: panel.of("delta")[-1].get("paused") == [], "its end")


@pytest.mark.own_place
def test_a_pause_that_ends_before_the_feed_looks_is_left_to_no_view(panel, place, monkeypatch):
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    panel.look()
    until(lambda: panel.of("delta"), "the first answer")
    looks, again = threading.Event(), feed._ChangeTracker.poll
    with monkeypatch.context() as held:
        held.setattr(feed._ChangeTracker, "poll", lambda self: looks.wait(DEADLINE) and again(self))
        bg.pause("default")
        panel.look(view="late")
        until(lambda: any(message.get("view") == "late" and "paused" in message for message in panel.messages), "its answer")
        bg.resume("default")
        looks.set()
    until(lambda: [message["paused"] for message in list(panel.messages) if "paused" in message][-1] == [], "no pause")


@pytest.mark.own_place
def test_each_view_is_sent_all_rows_also_while_another_is(place, monkeypatch):
    monkeypatch.setattr(board, "CHUNK", 10)
    monkeypatch.setattr(transfers, "_PAUSE", 0.05)
    bg.pause("default")
    bg.submit_many("work.echo", [{"value": number} for number in range(42)])
    panel = Panel()
    for view in ("one", "two", "three"):
        panel.look(view=view)
    for view in ("one", "two", "three"):
        ended = lambda view=view: any(each.get("whole") for each in panel.messages if each.get("view") == view)  # noqa: E731
        until(ended, "all rows of a view")
        ids = [row[0] for each in panel.messages if each.get("view") == view for row in each.get("rows", [])]
        assert ids == list(range(42, 0, -1))
    panel.close()
    bg.group(1).cancel()


@pytest.mark.own_place
def test_what_changes_while_rows_come_in_pieces_is_never_overwritten_by_an_older_row(place, monkeypatch):
    monkeypatch.setattr(board, "CHUNK", 5)
    monkeypatch.setattr(transfers, "_PAUSE", 0.1)
    monkeypatch.setattr("ipybgjobs.panel.feed.SHORTEST", 0.01)
    bg.pause("default")
    group = bg.submit_many("work.echo", [{"value": number} for number in range(60)])
    panel = Panel()
    panel.look()
    for number in range(40):
        for job in group.jobs[:8]:
            job.set_priority(number)
    until(lambda: any(each.get("whole") for each in panel.messages), "all rows")
    until(lambda: all(panel.rows()[job.id]["priority"] == 39 for job in group.jobs[:8]), "the newest truth")
    panel.close()
    group.cancel()


@pytest.fixture
def transfer(place, monkeypatch):
    """A panel of forty jobs, which are sent in parts of ten, and what lets a number of parts go."""
    steps = threading.Semaphore(0)
    monkeypatch.setattr(transfers, "time", SimpleNamespace(sleep=lambda _: steps.acquire(timeout=DEADLINE)))
    monkeypatch.setattr(board, "CHUNK", 10)
    monkeypatch.setattr(board, "MOST", 35)
    monkeypatch.setattr(session, "FIRST", 5)
    bg.pause("default")
    group = bg.submit_many("work.echo", [{"value": number} for number in range(40)])
    made = Panel()
    made.look()
    until(lambda: made.of("rows"), "the first rows")
    yield made, steps.release
    steps.release(20)
    made.close()
    group.cancel()
    bg.resume("default")


def has(panel):
    """What a page says that it has."""
    rows = [row for message in panel.messages if message["kind"] in ("rows", "older") for row in message["rows"]]
    return {"seq": panel.of("rows")[-1]["seq"], "oldest": rows[-1][0]}


def parts(panel):
    """The rows of each part, as the first and the last."""
    return [(message["rows"][0][0], message["rows"][-1][0]) for message in panel.messages if message["kind"] in ("rows", "older")]


def answers_under_way(panel):
    tasks = panel.session._tasks
    return len(tasks._waiting) + tasks._threads - tasks._free


@pytest.mark.own_place
def test_a_sign_of_life_while_rows_are_on_their_way_begins_nothing_anew(transfer):
    panel, go = transfer
    go(1)
    until(lambda: len(parts(panel)) == 2, "the second part")
    for _ in range(3):
        panel.look(**has(panel))
    until(lambda: answers_under_way(panel) == 1, "an end of all answers but the rows")
    go(9)
    until(lambda: any(each["whole"] for each in panel.of("older")), "the last part")
    assert parts(panel) == [(40, 31), (30, 21), (20, 11), (10, 6)]


@pytest.mark.own_place
def test_a_panel_that_was_out_of_sight_while_rows_were_on_their_way_is_sent_the_rest(transfer):
    panel, go = transfer
    go(1)
    until(lambda: len(parts(panel)) == 2, "the second part")
    panel.look(visible=False)
    go(1)
    until(lambda: not panel.session._transfers.is_under_way("one"), "the end of the transfer")
    bg.job(35).set_priority(7)
    panel.look(**has(panel))
    go(9)
    until(lambda: any(each["whole"] for each in panel.of("older")), "the last part")
    assert parts(panel) == [(40, 31), (30, 21), (20, 11), (10, 6)]
    until(lambda: panel.rows()[35]["priority"] == 7, "what has changed meanwhile")


@pytest.mark.own_place
def test_parts_are_sent_again_from_the_one_that_was_lost(transfer):
    panel, go = transfer
    before = has(panel)
    go(2)
    until(lambda: len(parts(panel)) == 3, "the third part")
    first = panel.session._transfers._under_way["one"]
    panel.look(**before, gap=True)
    until(lambda: panel.session._transfers._under_way["one"] is not first, "another transfer")
    go(9)
    until(lambda: any(each["whole"] for each in panel.of("older")), "the last part")
    assert parts(panel) == [(40, 31), (30, 21), (20, 11), (30, 21), (20, 11), (10, 6)]


@pytest.mark.own_place
def test_a_view_that_appears_hears_what_is_paused_also_where_no_job_has_changed(panel, place):
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    other = Panel()
    other.look(view="other")
    panel.look(seq=panel.first["seq"], whole=True)
    panel.look(visible=False)
    bg.pause("default")
    until(lambda: any(message.get("paused") == ["default"] for message in other.messages), "the pause")
    count = len(panel.messages)
    panel.look(seq=max(message.get("seq", 0) for message in [panel.first, *other.messages]), whole=True)
    until(lambda: any(message.get("paused") == ["default"] for message in panel.messages[count:]), "the pause, here")
    bg.resume("default")
    other.close()


@pytest.mark.own_place
def test_what_runs_is_among_the_first_rows_however_much_came_after_it(place, monkeypatch):
    monkeypatch.setattr(session, "FIRST", 3)
    gate = file_job(place)
    place.allow({"panel_jobs": ["gate"], "work": ["echo"]}, BackgroundJobs__queues={"default": 1})
    job = bg.submit("panel_jobs.gate", {"path": str(gate)})
    until(lambda: job.state == "running", "a running job")
    bg.submit_many("work.echo", [{"value": number} for number in range(10)])
    panel = Panel()
    assert panel.rows()[job.id]["state"] == "running"
    assert len(panel.first["rows"]) == 4
    panel.close()
    gate.touch()
    bg.jobs().wait(DEADLINE)


@pytest.mark.own_place
def test_a_panel_whose_rows_are_still_missing_has_the_counts_of_the_store(place, monkeypatch):
    monkeypatch.setattr(session, "FIRST", 3)
    bg.submit_many("work.echo", [{"value": number} for number in range(10)]).wait(DEADLINE)
    panel = Panel()
    assert (len(panel.first["rows"]), panel.first["counts"]) == (3, {"succeeded": 10})
    panel.close()
    monkeypatch.setattr(session, "FIRST", 10)
    panel = Panel()
    assert (panel.first["whole"], panel.first["counts"]) == (True, None)
    panel.close()


@pytest.mark.own_place
def test_an_end_that_a_visible_panel_has_shown_is_no_news_elsewhere(panel, place):
    job = bg.submit("work.echo", {"value": 1})
    last_look.record(client_module.client().folder(), 0.0)
    panel.look()
    job.wait(DEADLINE)
    until(lambda: panel.rows().get(job.id, {}).get("state") == "succeeded", "its end in the panel")
    until(lambda: digest.digest() is None, "a look that is noted")
    last_look.record(client_module.client().folder(), 0.0)
    assert digest.digest() == "While you were away: 1 succeeded. %bgjobs shows them."


def test_the_table_in_a_notebook_is_refreshed_at_intervals_and_a_card_soon(monkeypatch):
    now, published = [1000.0], []
    monkeypatch.setattr(static, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(static, "publish_display_data", lambda *_, **options: published.append((now[0], options["update"])))

    def times(of):
        view = static.StaticView(lambda: {"text/html": "", "text/plain": ""}, of)
        view.publish()
        published.clear()
        begin = now[0]
        for _ in range(120):  # a minute in which jobs start and end
            now[0] += 0.5
            view.take({"rows": [[1]]})
        return [when - begin for when, _ in published]

    assert len(times(static.JOBS)) in (5, 6)
    assert len(times(f"{static.JOB} x")) > 30
    view = static.StaticView(lambda: {"text/html": "", "text/plain": ""}, static.JOBS)
    view.publish()
    assert not view.take({"progress": [[1, 0.5]]}), "the table shows no progress"


@pytest.mark.own_place
def test_a_panel_acts_on_the_store_that_it_shows_whatever_store_is_used_now(panel, place, monkeypatch):
    shown = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    panel.look()
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", str(place.root / "other"))
    other = bg.submit("work.echo", {"value": 2}).wait(DEADLINE)
    assert other.id == shown.id
    assert panel.ask("remove", jobs=[shown.id])["ok"]
    assert other.state == "succeeded"
    with pytest.raises(bg.UnknownJob):
        _ = shown.state
    refused = panel.ask("pause", queue="default")
    assert (
        refused["text"]
        == f"This panel shows {place.state}, but the state folder is now {place.root / 'other'}: open a new panel."
    )


def test_a_panel_that_breaks_harms_no_other(panel, place):
    def broken(_delta):
        raise ZeroDivisionError

    other = Panel(on_changes=broken)
    other.look()
    panel.look()
    job = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    until(lambda: panel.rows().get(job.id, {}).get("state") == "succeeded", "a change")
    other.close()


# -- the detail ------------------------------------------------------------------------------------------------------------


def test_an_opened_job_is_followed_from_the_end_of_its_log_and_a_closed_one_is_not(panel, place):
    gate = file_job(place)
    job = bg.submit("panel_jobs.gate", {"path": str(gate)})
    panel.look(open=job.id)
    until(lambda: any("waits" in message["text"] for message in panel.of("log")), "its log")
    assert panel.of("log")[0]["from_start"]
    detail = panel.of("detail")[-1]
    assert detail["job"] == job.id
    assert detail["attempts"][0]["outcome"] is None
    assert "bg.submit(" in detail["code"]
    gate.touch()
    until(lambda: panel.of("detail")[-1]["attempts"][0]["outcome"] == "succeeded", "its last attempt")
    panel.look(open=None)
    until(lambda: not panel.session._opened._now(), "nothing open")


def test_a_view_that_opens_a_job_again_is_sent_its_log_again(panel, place):
    job = bg.submit("work.Trainer.fit", {"epochs": 2}).wait(DEADLINE)
    for view in ("one", "two"):
        count = len(panel.of("log"))
        panel.look(view=view, open=job.id)
        until(lambda count=count: len(panel.of("log")) > count, "its log")
        assert panel.of("log")[-1]["from_start"]
        assert "epoch 1" in panel.of("log")[-1]["text"]


def test_of_a_long_log_the_end_is_sent_from_the_beginning_of_a_line(panel, place):
    place.module("long", "def talk():\n    for number in range(40_000): print('line', number)\n")
    place.allow({"long": ["talk"]})
    job = bg.submit("long.talk").wait(DEADLINE)
    panel.look(open=job.id)
    until(lambda: panel.of("log"), "its log")
    text = "".join(message["text"] for message in panel.of("log"))
    assert len(text) < 70_000
    assert text.endswith("line 39999\n")
    assert re.match(r"line \d+\n", text)


def test_earlier_lines_of_a_log_are_numbered_and_follow_each_other_up_to_its_beginning(panel, place):
    place.module("long", "def talk():\n    for number in range(1, 40_001): print('line', number)\n")
    place.allow({"long": ["talk"]})
    job = bg.submit("long.talk").wait(DEADLINE)
    panel.look(open=job.id)
    first = until(lambda: panel.of("log"), "its log")[0]
    lines = first["text"].splitlines()
    assert (lines[0], len(lines)) == (f"line {first['first_line']}", 2000)
    begin = first["first_line"]
    while begin > 1:
        panel.receive({"kind": "lines", "job": job.id, "before": begin})
        part = until(lambda: next((each for each in panel.of("lines") if each["before"] == begin), None), "earlier lines")  # noqa: B023
        numbers = [int(line.removeprefix("line ")) for line in part["text"].splitlines()]
        assert numbers == list(range(part["first_line"], begin))
        assert len(numbers) <= 2000
        begin = part["first_line"]
    assert begin == 1


def test_a_whole_log_is_sent_in_pieces_that_fit_together(panel, place):
    place.module("long", "def talk():\n    for number in range(60_000): print('líne', number)\n")
    place.allow({"long": ["talk"]})
    job = bg.submit("long.talk").wait(DEADLINE)
    position, text = 0, ""
    while position is not None:
        panel.receive({"kind": "piece", "job": job.id, "from": position})
        piece = until(lambda: next((each for each in panel.of("piece") if each["from"] == position), None), "a piece")  # noqa: B023
        assert len(piece["text"].encode()) <= 256 * 1024
        text, position = text + piece["text"], piece["next"]
    assert text == job.log()


def test_outputs_that_are_too_large_are_named_and_the_newest_are_kept(panel, place):
    place.module(
        "shows",
        """
        def show():
            from IPython.display import HTML, display
            display(HTML("x" * 3_000_000))
            display(HTML("<b>small</b>"))
        """,
    )
    place.allow({"shows": ["show"]})
    job = bg.submit("shows.show").wait(DEADLINE)
    panel.look()
    panel.receive({"kind": "outputs", "job": job.id})
    until(lambda: panel.of("outputs"), "its outputs")
    large, small = panel.of("outputs")[0]["outputs"]
    assert (
        large["text"] == f"[text/plain, text/html, 3.0 MB, is too large to show here: bg.job({job.id}).show() shows everything]\n"
    )
    assert small["data"]["text/html"] == "<b>small</b>"


def test_outputs_of_an_earlier_attempt_are_sent_and_a_number_that_there_is_not_is_told(panel, place):
    job = bg.submit("work.once_failing", {"marker": str(place.root / "marker")}, retry=2).wait(DEADLINE)
    panel.look()
    panel.receive({"kind": "outputs", "job": job.id, "attempt": 1})
    until(lambda: panel.of("outputs"), "its outputs")
    [answer] = panel.of("outputs")
    assert (answer["attempt"], answer["outputs"][0]["ename"]) == (1, "RuntimeError")
    panel.receive({"kind": "outputs", "job": job.id, "attempt": "x"})
    until(lambda: panel.of("trouble"), "the refusal")
    assert panel.of("trouble")[-1]["text"] == f"There is no attempt 'x': job {job.id} has attempts 1 to 2."


# -- what it asks for ------------------------------------------------------------------------------------------------------


@pytest.mark.own_place
def test_buttons_do_what_the_api_does_and_say_what_came_of_it(panel, place):
    failed = bg.submit("work.Trainer.fail").wait(DEADLINE)
    running = bg.submit("work.Trainer.sleep", {"seconds": 300.0})
    until(lambda: running.state == "running", "a running job")
    assert panel.ask("cancel", jobs=[running.id])["text"] == f"job {running.id} was cancelled"
    assert panel.ask("retry", jobs=[failed.id])["text"] == f"job {failed.id} retried"
    failed.wait(DEADLINE)
    assert len(failed.attempts) == 2
    assert panel.ask("pause", queue="default")["text"] == "queue default paused; running jobs continue"
    waiting = bg.submit("work.echo", {"value": 1})
    assert panel.ask("priority", jobs=[waiting.id], to=4)["text"] == "1 job given priority 4"
    assert waiting.priority == 4
    assert panel.ask("resume", queue="default")["text"] == "queue default resumed"
    waiting.wait(DEADLINE)
    assert panel.ask("remove", jobs=[waiting.id, failed.id])["text"] == "2 jobs removed"
    assert [job.id for job in bg.jobs()] == [running.id]
    assert [message["kind"] for message in panel.messages if message.get("cid")][:2] == ["heard", "answer"]


def test_of_many_those_that_are_gone_or_can_not_be_are_counted_and_the_rest_is_done(panel, place):
    ended = [bg.submit("work.echo", {"value": number}).wait(DEADLINE) for number in range(2)]
    running = bg.submit("work.Trainer.sleep")
    until(lambda: running.state == "running", "a running job")
    answer = panel.ask("remove", jobs=[ended[0].id, ended[1].id, running.id, 99])
    reason = f"job {running.id} is running; only a finished job can be removed: cancel it first"
    assert answer["text"] == f"2 jobs removed; 1 not: {reason}; 1 had been removed"
    answer = panel.ask("cancel", jobs=[running.id, 98])
    assert answer["text"] == f"job {running.id} was cancelled; 1 had been removed"


def test_of_those_that_can_not_be_a_reason_of_each_kind_is_given(panel, place):
    ended = [bg.submit("work.echo", {"value": number}).wait(DEADLINE) for number in range(2)]
    running = bg.submit("work.Trainer.sleep")
    until(lambda: running.state == "running", "a running job")
    waiting = [bg.submit("work.echo", {"value": number}, delay=3600) for number in range(3)]
    text = panel.ask("retry", jobs=[job.id for job in [running, *waiting, *ended]])["text"]
    only = "only a failed, cancelled or retrying job can"
    later = "wait for it to finish, or cancel it"
    assert text == (
        f"0 jobs retried; 6 not: job {ended[0].id} can't be retried (succeeded); {only}: submit it again (and 1 more); "
        f"job {running.id} can't be retried (running); {only}: {later}; "
        f"job {waiting[0].id} can't be retried (queued); {only}: {later} (and 2 more)"
    )
    panel.ask("cancel", jobs=[running.id, *[job.id for job in waiting]])


REFUSED = [
    ("cancel", {"jobs": [1]}, "job 1 has already succeeded; only an unfinished job can be cancelled."),
    (
        "retry",
        {"jobs": [1]},
        "job 1 can't be retried (succeeded); only a failed, cancelled or retrying job can: submit it again.",
    ),
    ("remove", {"jobs": [99]}, "There is no job with id 99 in "),
    ("priority", {"jobs": [1], "to": 3}, "job 1 is not queued (succeeded); only the priority of"),
    ("priority", {"jobs": [1], "to": "high"}, "got 'high'"),
    ("resume", {"queue": "default"}, "The queue default is not paused; its jobs start as soon as a slot is free."),
    ("pause", {"queue": "nowhere"}, "nowhere"),
    ("cancel", {"jobs": []}, "cancel needs jobs: pass their ids as a list."),
    ("cancel", {"jobs": "all"}, "cancel needs jobs: pass their ids as a list."),
    ("cancel", {"jobs": [True]}, "cancel needs jobs: pass their ids as a list."),
    ("explode", {}, "Unknown command 'explode'; available: cancel, retry, remove, priority, pause, resume."),
]


@pytest.mark.own_place
def test_what_can_not_be_done_is_said_in_one_sentence_and_changes_nothing(panel, place):
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    for verb, options, sentence in REFUSED:
        answer = panel.ask(verb, **options)
        assert not answer["ok"]
        assert sentence in answer["text"]
        assert "\n" not in answer["text"]
        assert [job.state for job in bg.jobs()] == ["succeeded"]


@pytest.mark.parametrize(
    "message", [None, 3, "look", [], {}, {"kind": "x"}, {"kind": "look"}, {"kind": "look", "visible": True, "open": "1"}]
)
def test_a_message_of_the_wrong_form_harms_nothing(panel, message):
    panel.receive(message) if isinstance(message, dict) else panel.session.receive(message)
    panel.look()
    until(lambda: panel.of("here"), "an answer")


@pytest.mark.parametrize("version", [None, session.VERSION - 1, session.VERSION + 1])
def test_a_page_of_another_version_is_told_to_reload_and_nothing_that_it_asks_for_is_done(panel, place, version):
    file_job(place)
    job = bg.submit("panel_jobs.gate", {"path": str(place.root / "never")})
    command = {"kind": "command", "cid": "c", "verb": "cancel", "jobs": [job.id], "version": version}
    panel.session.receive({"kind": "look", "view": "one", "visible": True, "version": version})
    panel.session.receive(command)
    try:
        _check_refused(panel)
    finally:
        job.cancel()


def _check_refused(panel):
    assert [message["text"] for message in panel.of("trouble")] == [session.OTHER_VERSION]
    assert [(message["cid"], message["ok"], message["text"]) for message in panel.of("answer")] == [
        ("c", False, session.OTHER_VERSION)
    ]
    assert {*panel.kinds()} <= {"delta", "trouble", "answer"}  # it still hears of changes, as each view that appears
    assert {message["version"] for message in [panel.first, *panel.messages]} == {session.VERSION}


def put_back(folder, where):
    """Move a folder to where it was; whoever looks at that moment may have made a new one there."""
    try:
        folder.rename(where)
    except OSError:
        shutil.rmtree(where, ignore_errors=True)
        return False
    return True


def test_a_store_that_can_not_be_read_is_told_and_the_panel_goes_on_when_it_can(panel, place):
    panel.look()
    until(lambda: panel.of("rows"), "all rows")
    place.state.rename(place.root / "away")
    place.state.write_text("in its place")
    bg_error = until(
        lambda: panel.look() or panel.of("trouble") or [m for m in panel.of("delta") if "trouble" in m], "the trouble"
    )
    assert str(place.state) in json.dumps(bg_error)
    place.state.unlink()
    until(lambda: put_back(place.root / "away", place.state), "its return")
    count = len(panel.of("rows"))
    until(lambda: panel.look() or len(panel.of("rows")) > count, "its end")
    job = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    until(lambda: panel.look() or panel.rows().get(job.id, {}).get("state") == "succeeded", "a row again")


@pytest.mark.own_place
def test_a_state_folder_that_was_made_anew_is_the_one_that_is_shown_and_submitted_to(panel, place):
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    panel.look()
    until(lambda: panel.of("rows"), "all rows")
    until(lambda: not place.processes(), "the end of the supervisor")
    # At once, not file by file: the panel reads on, for which SQLite makes files beside the store's.
    shutil.rmtree(place.state.rename(place.root / "gone"))
    command = [sys.executable, "-m", "ipybgjobs", "submit", "--name", "elsewhere", "work.echo", "value=2"]
    for _ in range(2):
        subprocess.run(command, check=True, capture_output=True, cwd=place.code)
    assert [job.name for job in bg.jobs()] == ["elsewhere", "elsewhere"]
    until(lambda: any(delta.get("lost") for delta in panel.of("delta")), "the word that all is to be asked for")
    panel.look()
    until(lambda: {row[2] for row in panel.of("rows")[-1]["rows"]} == {"elsewhere"}, "its jobs in the panel")
    job = bg.submit("work.echo", {"value": 3}).wait(DEADLINE)
    assert job.id == 3
    until(lambda: panel.rows().get(3, {}).get("state") == "succeeded", "a change in the panel")


def test_a_job_that_is_tried_again_shows_its_own_time_and_not_how_it_failed_before(panel, place):
    gate = file_job(place)
    job = bg.submit("panel_jobs.gate", {"path": str(gate)})
    until(lambda: job.state == "running", "the job running")
    job.cancel()
    first = job.wait(DEADLINE).record()
    panel.ask("retry", jobs=[job.id])
    until(lambda: job.state == "running", "its next attempt")
    again = job.record()
    assert again.started_at >= first.ended_at
    assert again.error == "cancelled"
    assert "cancelled" not in again.line(again.started_at + 1)
    assert "cancelled" not in job._repr_html_()
    panel.look()
    until(lambda: panel.rows().get(job.id, {}).get("attempt") == 2, "its row")
    assert panel.rows()[job.id].get("error") is None
    gate.touch()
    job.wait(DEADLINE)


@pytest.mark.parametrize("of_group", [False, True], ids=["job", "group"])
def test_a_card_says_which_change_each_follows_so_that_a_lost_one_is_noticed(place, of_group):
    gate = file_job(place)
    if of_group:
        group = bg.submit_many("panel_jobs.gate", [{"path": str(gate)}])
        [job], card = group.jobs, Panel(group=group.id)
    else:
        job = bg.submit("panel_jobs.gate", {"path": str(gate)})
        card = Panel(only=job.id)
    until(lambda: job.state == "running", "the job running")
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    gate.touch()
    job.wait(DEADLINE)
    until(lambda: card.rows()[job.id]["state"] == "succeeded", "the end")
    told = [card.first, *(each for each in card.of("delta") if "seq" in each)]
    assert len(told) > 1
    assert [each["base"] for each in told[1:]] == [each["seq"] for each in told[:-1]]
    card.close()


# -- why a job waits, and how long it usually runs ------------------------------------------------------------------------


@pytest.mark.own_place
def test_a_row_names_what_a_job_waits_for_and_the_panel_hears_which_queues_are_full(panel, place):
    gate = file_job(place)
    place.allow({"panel_jobs": ["gate"], "work": ["echo"]}, BackgroundJobs__queues={"default": 1, "other": 1})
    holder = bg.submit("panel_jobs.gate", {"path": str(gate)})
    until(lambda: holder.state == "running", "the job that holds the slot")
    panel.look()
    until(lambda: panel.of("rows"), "all rows")
    until(lambda: full_queues(panel) == {"default": [1, holder.id]}, "the full queue")
    card = Panel(only=bg.submit("work.echo", {"value": 1}).id)
    assert card.first["full"] == {"default": [1, holder.id]}
    later = bg.submit("work.echo", {"value": 2}, after=holder, queue="other")
    until(lambda: panel.rows().get(later.id, {}).get("after") == [holder.id], "its row")
    gate.touch()
    later.wait(DEADLINE)
    until(lambda: full_queues(panel) == {} and panel.rows()[later.id]["state"] == "succeeded", "the end")
    assert panel.rows()[later.id].get("after") is None
    until(lambda: full_queues(card) != {"default": [1, holder.id]}, "the free slot, on the card")  # its own job may have had it
    card.close()


def full_queues(panel):
    """The full queues, as the panel heard of them last."""
    return [message["full"] for message in [panel.first, *panel.messages] if "full" in message][-1]


@pytest.mark.own_place
def test_a_row_has_the_usual_time_and_from_when_on_its_job_is_overdue(panel, place):
    gate = file_job(place)
    gate.touch()
    for _ in range(3):
        bg.submit("panel_jobs.gate", {"path": str(gate)}).wait(DEADLINE)
    database = client_module.client().database(client_module.client().folder())
    with database.transaction() as connection:
        connection.execute("UPDATE attempts SET started_at = ended_at - 720")
    gate.unlink()
    panel.look()
    until(lambda: panel.of("rows"), "all rows")
    job = bg.submit("panel_jobs.gate", {"path": str(gate)})
    until(lambda: panel.rows().get(job.id, {}).get("state") == "running", "its row")
    words, overdue_at = panel.rows()[job.id]["usual"]
    assert words == "usually 12 m (last 3 runs)"
    assert overdue_at == pytest.approx(job.attempts[0].started_at + 1440, abs=0.01)
    gate.touch()
    job.wait(DEADLINE)
    until(lambda: panel.rows()[job.id]["state"] == "succeeded", "its end")
    assert panel.rows()[job.id].get("usual") is None


@pytest.mark.own_place
def test_a_panel_hears_how_much_disk_space_the_jobs_take_and_how_much_clean_would_free(panel, place):
    place.allow({"work": ["echo"]})
    job = bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    panel.look()
    [said] = until(lambda: panel.of("disk"), "the disk space")
    assert re.fullmatch(r"[\d.]+ kB on disk, of which clean would free [\d.]+ kB", said["text"])
    panel.look(seq=panel.of("rows")[-1]["seq"], whole=True)
    until(lambda: len(panel.of("here")) == 2, "the answer to a sign of life")
    assert len(panel.of("disk")) == 1  # it has not been measured again
    job.remove()
