"""What anybody may have written into an attempt folder or a row of the store costs that attempt, and no other job anything."""

import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ipybgjobs as bg
from ipybgjobs.client.client import client
from ipybgjobs.client.jobs.job_status import FullQueues
from ipybgjobs.commands import cli
from ipybgjobs.panel import board, overview
from ipybgjobs.store import queries, scheduled_job
from ipybgjobs.store.database import Database
from ipybgjobs.store.schedule import Schedule, newest_context
from support.place import DEADLINE, Place, until
from support.processes import kill, kill_helpers, of_role, the_supervisor, wake
from support.requests import request_cancel
from support.rows import copied_row, open_store, rows, state_of

NAMES = ["writes", "dies_unmarked", "writes_later", "adds", "raises", "raises_with_a_secret", "waits"]


@pytest.fixture
def odd(place):
    place.module("odd")
    place.allow({"odd": NAMES}, BackgroundJobs__idle_seconds=0.3, BackgroundJobs__kill_grace_seconds=0.2)
    return place


def complaints(place: Place) -> str:
    """What a crash of a process of ours said."""
    path = place.state / "supervisor.err"
    return path.read_text() if path.exists() else ""


def writing(name: str, content: str) -> bg.Job:
    job = bg.submit("odd.writes", {"name": name, "content": content})
    until(lambda: "written" in job.log() or name == "output.log", "what it writes")
    return job


OWN = os.readlink("/proc/self/ns/pid")


def cancel(job: bg.Job) -> None:
    """Cancel, and wait no longer than a test may."""
    request_cancel(job, 0.1)
    job.wait(DEADLINE)


MARKERS = {
    "deep": "[" * 200_000,
    "other keys": json.dumps({"process": {"a": 1}, "pid_namespace": OWN}),
    "a PID that is text": json.dumps({"process": {"pid": "x", "start_time": "y", "boot": 5}, "pid_namespace": OWN}),
    "a process that has ended": json.dumps({"process": {"pid": 2**22, "start_time": 1, "boot": "b"}, "pid_namespace": OWN}),
    "elsewhere": json.dumps({"process": {"pid": 1, "start_time": 1, "boot": "b"}, "pid_namespace": "pid:[1]"}),
    "void": json.dumps({"void": True}),
    "gone": "gone",
    "a pipe": "a pipe",
    "a folder": "a folder",
    "ten gigabytes": "ten gigabytes",
}


@pytest.mark.parametrize("marker", MARKERS)
def test_a_job_that_spoils_its_start_marker_can_be_cancelled_and_keeps_no_other_from_running(odd, marker):
    go = odd.root / "go"
    other = bg.submit("odd.waits", {"path": str(go)})  # while it runs, no supervisor ends because it is idle
    job = writing("started.json", MARKERS[marker])
    supervisor = the_supervisor(odd)
    cancel(job)
    assert (job.state, [each.outcome for each in job.attempts]) == ("cancelled", ["cancelled"])
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3
    assert (the_supervisor(odd), complaints(odd)) == (supervisor, "")
    go.touch()
    assert other.result(DEADLINE) == "released"


@pytest.mark.parametrize("name", ["started.json", "outcome.json", "dropped.json", "exit.json"])
def test_a_job_that_spoils_a_file_of_its_own_costs_itself_alone_also_when_supervisors_change(odd, name):
    odd.allow({"odd": NAMES}, BackgroundJobs__max_output_bytes=65_536, BackgroundJobs__kill_grace_seconds=0.2)
    job = writing(name, MARKERS["deep"] if name != "dropped.json" else '{"x": 1}')
    first = the_supervisor(odd)
    kill(first)
    open_store()
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3
    assert job.state == "running"
    cancel(job)
    assert job.attempts[0].outcome == "cancelled"
    assert complaints(odd) == ""


UNMARKED = ["gone", "void", "no folder"]


@pytest.mark.parametrize("marker", ["gone", "void"])
def test_a_job_that_takes_its_start_marker_away_runs_on_once_when_supervisors_change(odd, marker):
    job = writing("started.json", MARKERS[marker])
    first = the_supervisor(odd)
    kill(first)
    open_store()
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3
    assert (job.state, rows(odd, "SELECT launches FROM attempts WHERE job_id = ?", (job.id,))) == ("running", [(1,)])
    cancel(job)
    assert job.attempts[0].outcome == "cancelled"


def test_a_job_that_takes_its_folder_away_can_be_cancelled(odd):
    job = bg.submit("odd.writes", {"name": "started.json", "content": "no folder"})
    until(lambda: job.state == "running" and not (odd.state / "jobs" / job.uid / "1").exists(), "what it does")
    cancel(job)
    assert (job.state, [each.outcome for each in job.attempts]) == ("cancelled", ["cancelled"])


def runs(place: Place) -> list[int]:
    """The workers that ran `dies_unmarked`."""
    path = place.code / "runs"
    return list(map(int, path.read_text().split())) if path.exists() else []


@pytest.mark.parametrize("marker", UNMARKED)
@pytest.mark.parametrize("way", ["forked", "fresh"])
def test_a_job_that_takes_its_start_marker_away_and_dies_has_run_and_is_lost(odd, monkeypatch, marker, way):
    other = bg.submit("odd.waits", {"path": str(odd.root / "other")})
    until(lambda: other.state == "running", "the supervisor, which has another environment than the job")
    if way == "fresh":
        monkeypatch.setenv("PYTHONHASHSEED", "5")
    job = bg.submit("odd.dies_unmarked", {"name": "started.json", "content": MARKERS.get(marker, marker)}).wait(DEADLINE)
    [attempt] = job.attempts
    assert (job.state, attempt.outcome, attempt.exit_code, len(runs(odd))) == ("failed", "lost", 3, 1)
    assert attempt.launched_by == ("fork" if way == "forked" else "fresh process")
    (odd.root / "other").touch()


@pytest.mark.parametrize("role", ["supervisor", "forkserver"])
def test_it_has_run_also_where_a_helper_died_meanwhile(odd, role):
    go = odd.root / "go"
    job = bg.submit("odd.dies_unmarked", {"name": "started.json", "content": "gone", "go": str(go)})
    until(lambda: "written" in job.log(), "what it writes")
    [helper] = of_role(odd, role)
    kill(helper)
    open_store()
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3
    go.touch()
    job.wait(DEADLINE)
    assert (job.state, [each.outcome for each in job.attempts], len(runs(odd))) == ("failed", ["lost"], 1)


def test_a_job_that_spoils_its_marker_after_its_supervisor_was_replaced_can_be_cancelled(odd):
    """Now its process is watched by a handle, and no fork server of the supervisor's knows it."""
    go = odd.root / "go"
    content = MARKERS["a process that has ended"]
    job = bg.submit("odd.writes_later", {"path": str(go), "name": "started.json", "content": content})
    until(lambda: "waiting" in job.log(), "its start")
    first = the_supervisor(odd)
    kill(first)
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3
    go.touch()
    until(lambda: "written" in job.log(), "what it writes")
    cancel(job)
    assert [each.outcome for each in job.attempts] == ["cancelled"]
    assert complaints(odd) == ""


def test_what_a_job_leaves_in_the_place_of_its_log_and_outputs_is_not_waited_for(odd):
    for name in ("output.log", "outputs.jsonl", "result.pkl"):
        job = bg.submit("odd.writes", {"name": name, "content": "a pipe", "seconds": 0.0})
        assert job.result(DEADLINE) == "returned"
        assert [each["output_type"] for each in job.outputs()][-1:] == ["execute_result"]
        assert isinstance(job.log(), str)


COLUMNS = {
    "params": "[1]", "init": "5", "positional": "[[[", "rules": "{}", "hooks": "5", "timeout": "abc", "deadline": "x",
    "pickled": "{{", "secrets": "5", "hidden": "{}", "source": "5", "environment": 9999, "context": 9999, "priority": "high",
    "attempt": "x", "allowed_attempts": "x", "uid": "../../../x", "name": 5.5, "blockers": "x",
}  # fmt: skip


def test_a_queued_row_that_no_client_wrote_is_denied_or_never_due_and_keeps_no_other_from_running(odd, capsys):
    bg.submit("odd.adds", {"a": 1, "b": 1}).wait(DEADLINE)
    numbers = {
        name: copied_row(odd, **{name: value}) for name, value in COLUMNS.items() if name not in ("blockers", "environment")
    }
    numbers["environment"] = copied_row(odd, environment=9999)
    [[context]] = rows(odd, "SELECT body FROM contexts WHERE id = 1")
    numbers["bytes"] = copied_row(odd)
    rows(odd, "UPDATE jobs SET params = CAST(X'7BFF7D' AS TEXT) WHERE id = ?", (numbers["bytes"],))
    forged = json.dumps(json.loads(context) | {"executable": 5})
    rows(odd, "INSERT INTO contexts (id, body) VALUES (77, ?)", (forged,))
    numbers["context.executable"] = copied_row(odd, context=77)
    good = bg.submit("odd.adds", {"a": 2, "b": 2})
    assert good.result(DEADLINE) == 4
    for name, number in numbers.items():
        until(lambda number=number: state_of(odd, number) == "failed", f"the end of the row with {name}", 20)
        [[error]] = rows(odd, "SELECT error FROM jobs WHERE id = ?", (number,))
        assert "its database row was not written by ipybgjobs" in error, name
    assert complaints(odd) == ""
    listed = {job.id: repr(job) for job in bg.jobs(limit=100)}
    assert set(numbers.values()) | {1, good.id} == set(listed)
    assert "can't be read: its column params" in listed[numbers["params"]]
    assert cli.main(["list", "--limit", "100"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{number}" in shown for number in numbers.values())
    with pytest.raises(bg.StoreError, match=rf"Job {numbers['params']} in .* can't be read: its column params"):
        bg.job(numbers["params"])


@pytest.mark.parametrize("column", ["params", "source", "timeout", "environment", "context"])
def test_a_running_row_that_can_no_longer_be_read_ends(odd, column):
    path = odd.root / "go"
    job = bg.submit("odd.waits", {"path": str(path)})
    until((odd.state / "jobs" / job.uid / "1" / "started.json").exists, "its start")
    rows(odd, f"UPDATE jobs SET {column} = ? WHERE id = ?", (COLUMNS[column], job.id))
    kill(the_supervisor(odd))
    open_store()
    until(lambda: of_role(odd, "supervisor"), "the next supervisor")
    path.touch()
    until(lambda: state_of(odd, job.id) != "running", "its end")
    sql = "SELECT state, outcome, attempts.error FROM jobs JOIN attempts ON job_id = id WHERE id = ?"
    [(ended, outcome, error)] = rows(odd, sql, (job.id,))
    assert (ended, outcome) == (("succeeded", "succeeded") if column == "environment" else ("failed", "lost"))
    assert error is None if column == "environment" else "its row in the store can't be read: its column" in error
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3
    assert complaints(odd) == ""


def test_a_request_that_no_client_wrote_is_told_and_keeps_no_other_from_being_answered(odd):
    job = bg.submit("odd.waits", {"path": str(odd.root / "never")})
    until(lambda: job.state == "running", "its start")
    place = rows(odd, "SELECT place FROM jobs")[0][0]
    for verb, options in (("cancel", "[[["), ("cancel", '{"grace": "x"}'), ("retry", "{}"), ("dance", "{}"), ("retry", "5")):
        sql = "INSERT INTO requests (job_id, place, verb, options, requested_at) VALUES (?, ?, ?, ?, 0)"
        rows(odd, sql, (job.id, place, verb, options))
    cancel(job)
    assert job.state == "cancelled"
    assert odd.log().count("can't be read: it was not written by ipybgjobs") == 5
    assert complaints(odd) == ""


#: Machines are slow and shared.
PATIENT = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

CELLS = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20).filter(lambda text: "\0" not in text),
    st.binary(max_size=8), st.sampled_from(["{}", "[]", "[1]", '{"a": 1}', "[" * 5000, "null",
                     "[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000, '{"path": 5, "sources": 5}']),
)  # fmt: skip


def test_whatever_a_row_holds_reading_it_returns_a_job_or_says_why_not(odd):
    bg.submit("odd.adds", {"a": 1, "b": 1}).wait(DEADLINE)
    kill_helpers(odd)
    database = Database(str(odd.state / "jobs.db"), durable=False)
    names = [row[1] for row in rows(odd, "PRAGMA table_info(jobs)") if row[1] != "id"]
    schedule = Schedule(database.connection, queries.job(database, 1).owner, time.time())

    @PATIENT
    @given(name=st.sampled_from(names), value=CELLS)
    def look(name, value):
        connection = database.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            with contextlib.suppress(Exception):  # what SQLite itself refuses
                connection.execute("PRAGMA ignore_check_constraints = 1")
                connection.execute(f"UPDATE jobs SET {name} = ? WHERE id = 1", (value,))
            found = schedule.job(1)
            assert isinstance(found, scheduled_job.ScheduledJob | scheduled_job.UnreadableJob)
            schedule.overdue()
            schedule.next_due()
            newest_context(connection, schedule._place)
            assert isinstance(schedule.claimed(1, 1), scheduled_job.Claim)
            [row] = connection.execute(f"{queries.JOBS} WHERE jobs.id = 1").fetchall()
            str(queries.shown(row).line(time.time()))
        finally:
            connection.execute("ROLLBACK")

    look()
    database.close()


#: What no client writes, by table and column: one row of each makes no list, and no other job, unreadable.
ODD = [
    *(("jobs", column, 1 << 62) for column in ("not_before", "submitted_at", "started_at", "ended_at", "deadline", "attempt")),
    *(("jobs", column, "a\0\x1b[31mb") for column in ("state", "uid", "target", "name", "queue", "place", "host", "error")),
    *(("jobs", column, b"\xff\0") for column in ("state", "uid", "target", "name", "queue", "place", "ended_at")),
    *(("attempts", column, 1 << 62) for column in ("started_at", "ended_at", "number", "slot", "peak_memory", "cpu_seconds")),
    *(("attempts", column, "a\0\x1b[31mb") for column in ("number", "folder", "outcome", "error", "host", "launched_by")),
    ("attempts", "folder", "../../../etc"),
    ("attempts", "folder", "/etc"),
    ("attempts", "number", -1),
    *(("groups", column, "a\0\x1b[31mb") for column in ("uid", "name", "target", "common", "submitted_at")),
    *(("groups", column, b"\xff\0") for column in ("uid", "name", "target", "common", "submitted_at")),
    *(("group_counts", "jobs", value) for value in (b"\xff", 1 << 62, -1)),
    *(("group_counts", "state", value) for value in (b"\xff", "a\0\x1b[31mb")),
    *(("supervisors", column, "a\0\x1b[31mb") for column in ("place", "host", "version", "pid", "heard_at", "notice")),
    *(("supervisors", "heard_at", value) for value in (b"\xff", 1 << 62)),
    *(("paused", "queue", value) for value in (b"\xff", "a\0\x1b[31mb")),
    *(("changes", "job_id", value) for value in (b"\xff", 1 << 62, "x")),
]


def test_whatever_one_row_holds_every_verb_shows_the_rest(odd, capsys):
    group = bg.submit_many("odd.adds", [{"a": 1, "b": 1}])
    group.wait(DEADLINE)
    [job] = group.jobs
    bg.pause("default")
    until(lambda: not odd.processes(), "the end of the idle supervisor")
    full = FullQueues(client(), client().folder())
    looks = [lambda: job.state, job.log, lambda: job.attempts, job.outputs, lambda: job.result(DEADLINE)]
    looks += [lambda: repr(bg.jobs()), lambda: repr(group), lambda: group.counts, lambda: board.first(store(), 100, full)]
    looks += [lambda: board.changes(store(), 0), lambda: bg.jobs()._repr_html_(), lambda: overview.html(50)]
    verbs = [
        ["list"],
        ["list", "--json"],
        ["list", "--group", str(group.uid)],
        ["show", "1"],
        ["log", "1"],
        ["result", "1"],
        ["doctor"],
    ]

    def store():
        return client().database(client().folder())

    def look():
        assert all(cli.main(verb) in (0, 1) for verb in verbs)
        for each in looks:
            with contextlib.suppress(bg.BackgroundJobError):
                each()

    with contextlib.closing(sqlite3.connect(odd.state / "jobs.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for table, column, value in ODD:
            connection.execute("DELETE FROM group_counts WHERE jobs = 0")
            before = connection.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone()
            connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
            with odd_row(table, column, value):
                look()
            connection.execute(f"UPDATE {table} SET {column} = ?", before)
            printed = capsys.readouterr()
            assert not {"\0", "\x1b"} & set(printed.out + printed.err), (table, column, value)
            assert "Traceback" not in printed.err, (table, column, value)
    bg.resume("default")
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3


@contextlib.contextmanager
def odd_row(*what):
    """Have whatever is raised say which row was odd."""
    try:
        yield
    except BaseException as error:
        error.add_note(repr(what))
        raise


def test_a_pipe_in_the_place_of_a_log_file_keeps_no_job_from_running_and_is_told(odd):
    (odd.state / "logs").mkdir(parents=True)
    os.mkfifo(odd.state / "logs" / "background_jobs.log")
    assert bg.submit("odd.adds", {"a": 1, "b": 2}).result(DEADLINE) == 3
    until(lambda: "background_jobs.log can't be written" in str(rows(odd, "SELECT notice FROM supervisors")), "the notice")


# -- long texts -------------------------------------------------------------------------------------------------------


def test_a_very_long_message_is_cut_and_the_log_has_all_of_it(odd):
    job = bg.submit("odd.raises", {"size": 100_000_000})
    supervisor = the_supervisor(odd)
    peak, longest = 0, 0.0
    while not job.state.ended:
        began = time.monotonic()
        rows(odd, "BEGIN IMMEDIATE")  # as any other writer does
        longest = max(longest, time.monotonic() - began)
        peak = max(peak, _resident(supervisor))
        time.sleep(0.005)
    [attempt] = job.attempts
    assert attempt.error.startswith("ValueError: xxx")
    assert len(attempt.error) <= 500
    assert "the middle of this text is omitted here; the job's log has the full text" in attempt.traceback
    assert len(attempt.traceback) <= 101_000
    assert (peak < 150 << 20, longest < 2.0) == (True, True), (peak, longest)
    assert (odd.state / "jobs" / job.uid / "1" / "output.log").stat().st_size > 100_000_000
    assert (odd.state / "jobs" / job.uid / "1" / "outcome.json").stat().st_size < 1 << 20
    assert len(str(job.exception())) == 100_000_000


def _resident(pid: int) -> int:
    """Memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_secret_at_the_edge_of_a_cut_is_not_shown(odd):
    """Half of it before the place where a text is cut: by the worker or by the supervisor, in the message or in the traceback."""
    secret = "SECRET-0123456789-abcdefghij"
    said = "ValueError: "

    def raised(length):
        return bg.submit("odd.raises_with_a_secret", {"length": length, "password": secret}).wait(DEADLINE)

    frames = raised(0).traceback.index(said) + len(said)
    half = len(secret) // 2
    edges = [125 - half, 249 - len(said) - half, 24_999 - half, *(edge - frames - half for edge in (25_000, 50_000, 150_000))]
    for job in map(raised, edges):
        shown = f"{job.error} {job.traceback} {odd.log()} {odd.log('background_jobs_errors.log')}"
        assert not [at for at in range(len(secret) - 6) if secret[at : at + 6] in shown]


# -- what never ran is not counted ----------------------------------------------------------------------------------------


def test_a_launch_that_dies_before_it_has_started_is_repeated_and_not_counted(odd):
    """The folder can't be written for a moment: no log can be made in it, and no start marker."""
    blocked = bg.submit("odd.waits", {"path": str(odd.root / "go")}, queue="default")
    until(lambda: blocked.state == "running" and blocked.attempts, "its start")
    bg.pause()
    job = bg.submit("odd.adds", {"a": 1, "b": 2})
    folder = odd.state / "jobs" / job.uid / "1"
    folder.mkdir(parents=True)
    (folder / "request.json").write_text("")
    (folder / "output.log").symlink_to("/nonexistent/folder/output.log")
    bg.resume()
    (odd.root / "go").touch()
    assert job.result(DEADLINE) == 3
    [attempt] = job.attempts
    assert (attempt.number, attempt.outcome) == (1, "succeeded")
    assert rows(odd, "SELECT launches FROM attempts WHERE job_id = ?", (job.id,)) == [(2,)]
    wake(odd)
