"""Rows stay in the store: what leaves it is frozen and typed, and what goes in is one mapping of column to value."""

import ast
import contextlib
import enum
import inspect
import os
import re
import sqlite3
import typing
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import fields, replace

import ipybgjobs
from ipybgjobs.model.call import Call
from ipybgjobs.model.records import Attempt, JobRecord, Outcome, Owner
from ipybgjobs.model.retry import RetrySettings
from ipybgjobs.model.source import SourceFile
from ipybgjobs.store import controls, duplicates, insertion, places, queries, requests, submissions, supervisors
from ipybgjobs.store.database import Database
from ipybgjobs.store.insertion import insert, insert_many, insert_selected
from ipybgjobs.store.requests import AdoptRequest, CancelRequest, Request, RetryRequest, UnreadableRequest
from ipybgjobs.store.schedule import Schedule
from ipybgjobs.store.scheduled_job import Environment, ScheduledJob
from ipybgjobs.store.submissions import NewGroup, Submission, SubmitContext
from ipybgjobs.store.transitions import LaunchMode, Transitions, Verdict
from ipybgjobs.targets.context import Context

PACKAGE = Path(ipybgjobs.__file__).parent
HERE = Owner("here", "this-host")
SOURCE = SourceFile("/code/work.py", 5, 200, "s" * 64)
CONTEXT = Context("/python", "/", "/packages", "/code", ("/code",), 0o022, "startup", (), (), {"nice": 0})

SQL = re.compile(r"\b(SELECT|INSERT (OR \w+ )?INTO|REPLACE INTO|UPDATE\s.*\bSET|DELETE FROM|PRAGMA)\b", re.DOTALL)


def modules(*, store):
    inside = PACKAGE / "store"
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.is_relative_to(inside) is store]


def strings(path):
    """String constants of a module, but for docstrings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    first = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    docstrings = {node.value for node in first if isinstance(node, ast.Expr)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node.value for node in found if node not in docstrings]


# -- no SQL and no row outside the store ------------------------------------------------------------------------------


def test_the_pattern_finds_sql():
    found = [text for path in modules(store=True) for text in strings(path) if SQL.search(text)]
    assert len(found) > 100
    assert not SQL.search("Select a kernel, then update the settings of the set.")


def test_no_sql_stands_outside_the_store():
    assert not {path: found for path in modules(store=False) if (found := [each for each in strings(path) if SQL.search(each)])}


def test_no_module_outside_the_store_works_with_sqlite():
    """It may name SQLite's version and its errors, and hand a connection from one function of the store to another."""
    for path in modules(store=False):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.module == "sqlite3"), path
            if isinstance(node, ast.Attribute):
                owner, name = ast.unparse(node.value), node.attr
                assert owner != "sqlite3" or name in {"Error", "sqlite_version"}, path
                is_store = re.search(r"\b_?(database|connection)(\(.*\))?$", owner)
                assert not (is_store and name in {"read", "execute", "executemany", "executescript", "cursor"}), path


def used_of_the_store():
    """Functions and classes of the store that other rooms use, each by its module and name."""
    for path in modules(store=False):
        tree = ast.parse(path.read_text())
        imported = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "store":
                module = (node.module or "").partition(".")[2]
                imported |= {alias.name for alias in node.names} if not module else set()
                yield from ((module, alias.name) for alias in node.names if module)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
                yield node.value.id, node.attr


def test_nothing_that_other_rooms_use_of_the_store_returns_a_row():
    found = set(used_of_the_store())
    assert {("queries", "job_record"), ("queries", "known"), ("schedule", "Schedule")} - found == {("queries", "job_record")}
    for module, name in found:
        used = getattr(__import__(f"ipybgjobs.store.{module}", fromlist=[name]), name)
        if inspect.isclass(used):
            methods = [each for each in vars(used).values() if inspect.isfunction(each) and not each.__name__.startswith("_")]
            annotations = [
                typing.get_type_hints(each).get("return") for each in methods if (used, each) != (Database, Database.read)
            ]
        else:
            annotations = [typing.get_type_hints(used).get("return")] if inspect.isfunction(used) else []
        assert "sqlite3.Row" not in str(annotations), (module, name)


# -- a store with some of everything ----------------------------------------------------------------------------------


def submission(**changes):
    job = Submission(
        uid=os.urandom(16).hex(),
        call=Call("work.Trainer.fit", {"seed": 1}, {"epochs": 3, "token": "t0p"}, {"params.df": "a table"}, ("token",), ("t0p",)),
        positional=("epochs",),
        name="nightly",
        queue="gpu",
        priority=7,
        not_before=150.0,
        submitted_at=100.0,
        retry_settings=RetrySettings(max_attempts=4, delay_seconds=(5.0,), retry_on=("OSError",)),
        timeout=60.0,
        owner=HERE,
        is_calendar_time=True,
        deadline=1e9,
        deadline_is_calendar_time=True,
        unique_key=None,
        fingerprint="f" * 64,
        source=tuple(SOURCE.to_json()),
        retried_from=None,
        hooks=("on_success",),
        booted_at=50.0,
    )
    return replace(job, **changes)


@pytest.fixture
def around():
    return SubmitContext(CONTEXT.to_text(), '{"HOME": "/home/eva"}', "digest")


@pytest.fixture
def database(tmp_path):
    with contextlib.closing(Database(str(tmp_path / "jobs.db"), durable=False)) as made:
        yield made


def change(database, verb, *arguments, now=200.0, owner=HERE):
    with database.transaction() as connection:
        return verb(Transitions(connection, owner, now), *arguments)


@pytest.fixture
def busy(database, around):
    """Two jobs that wait, of which one is unique and one comes after it, one that runs, one that has a hook to call; a group."""
    unique, _ = submissions.submit(database, submission(unique_key="k", not_before=0.0), around)
    submissions.submit(database, submission(after=((unique, 0),)), around)
    running, _ = submissions.submit(database, submission(not_before=0.0), around)
    hooked, _ = submissions.submit(database, submission(), around)
    group = NewGroup("a" * 32, "sweep", Call("work.Trainer.fit", {}, {"size": 1}, {"params.x": "an x"}, (), ("h",)), 100.0)
    submissions.submit_group(database, group, [submission(after=((unique, 1),)) for _ in range(3)], around)
    for job in (running, hooked):
        assert change(database, Transitions.claim, job, 1, f"jobs/{job}/1", LaunchMode("fork", slot=0))
    assert change(database, Transitions.end_attempt, hooked, 1, Verdict(Outcome.SUCCEEDED, exit_code=0, source=SOURCE.to_json()))
    assert change(database, Transitions.end_job, hooked, "succeeded", None, "on_success")
    controls.request_cancel(database, [running], 3.0, 200.0)
    controls.request_retry(database, {hooked: around}, HERE, 200.0)
    controls.request_adoption(database, {running: "was adopted"}, HERE, 200.0)
    change(
        database,
        Transitions.record_heartbeat,
        1,
        "0.1",
        10.0,
        '{"general": "no disk", "contexts": {"2": "no configuration"}}',
        5.0,
    )
    return database


# -- what leaves the store --------------------------------------------------------------------------------------------

#: What each reading of a schedule is asked.
ASKED = {
    "promote": (),
    "next_due": (),
    "overdue": (),
    "follow_clock": (60.0, 1.0),
    "has_other_clock": (60.0, 1.0),
    "adopt_clock": (60.0,),
    "requests": (),
    "queues": (),
    "occupied": (),
    "due": ("gpu",),
    "hooks": (4,),
    "job": (1,),
    "jobs": ([1, 2, 3, 4],),
    "claimed": (3, 1),
    "environment": (1,),
}


def test_a_schedule_gives_out_nothing_but_frozen_values(busy):
    named = {name for name, each in vars(Schedule).items() if inspect.isfunction(each) and not name.startswith("_")}
    assert named == {*ASKED, "release_after"}
    with busy.transaction() as connection:
        given = {name: getattr(Schedule(connection, HERE, 1e10), name)(*arguments) for name, arguments in ASKED.items()}
        given["release_after"] = Schedule(connection, HERE, 1e10).release_after(1, succeeded=False)
    for name, value in given.items():
        assert_frozen(value, name)
    assert {type(given["due"]), type(given["job"]), *map(type, given["hooks"]), *map(type, given["jobs"])} == {ScheduledJob}
    assert given["claimed"].job == given["jobs"][2]
    assert given["environment"] == Environment('{"HOME": "/home/eva"}')


def assert_frozen(value, where):
    """A value is plain, or a frozen record of such; lists and dictionaries that hold them are the caller's own."""
    if isinstance(value, list | tuple | set):
        for each in value:
            assert_frozen(each, where)
    elif isinstance(value, Mapping):
        for each in value.values():
            assert_frozen(each, where)
    elif isinstance(value, msgspec.Struct):
        assert value.__struct_config__.frozen, (where, type(value))
        for each in fields(value):
            assert_frozen(getattr(value, each.name), f"{where}.{each.name}")
    else:
        assert isinstance(value, str | int | float | enum.Enum | None), (where, type(value))


def test_what_a_submission_says_is_what_a_task_says(database, around):
    job = submission()
    job_id, _ = submissions.submit(database, job, around)
    with database.transaction() as connection:
        task = Schedule(connection, HERE, 200.0).job(job_id)
    same = {field.name for field in fields(Submission)} & {field.name for field in fields(JobRecord)}
    assert same >= {"uid", "call", "name", "queue", "priority", "not_before", "timeout", "owner", "deadline", "unique_key"}
    assert {name: getattr(task.record, name) for name in same} == {name: getattr(job, name) for name in same}
    assert (task.positional, task.hooks, task.source) == (job.positional, job.hooks, SOURCE)
    assert task.context.to_text() == around.context
    assert task.pickles == (job.uid,)


def test_what_a_group_says_comes_with_each_of_its_jobs(busy):
    first = queries.job(busy, 5)
    assert first.call.params == {"epochs": 3, "token": "t0p", "size": 1}
    assert first.call.pickled == {"params.df": "a table", "params.x": "an x"}
    assert first.call.hidden == ("h", "t0p")


def test_both_looks_for_a_job_that_serves_as_well_find_the_same(busy, around):
    unique = submission(unique_key="k")
    with busy.transaction() as connection:
        holder = duplicates.key_holder(connection, "k")
        assert duplicates.key_holder(connection, None) is None
        reused = duplicates.reusable(connection, "f" * 64, 0.0)
        assert duplicates.reusable(connection, "f" * 64, None) is None
    assert (holder.id, holder.state, holder.place, holder.host) == (1, "queued", "here", "this-host")
    assert submissions.submit(busy, replace(unique, on_duplicate="existing"), around) == (1, holder.uid)
    assert (reused.id, reused.state) == (4, "succeeded")
    assert submissions.submit(busy, submission(reuse_since=0.0), around) == (4, reused.uid)


def test_a_job_whose_row_can_not_be_read_is_not_reused(busy, around):
    with busy.transaction() as connection:
        connection.execute("UPDATE jobs SET params = '[[[' WHERE id = 4")
    assert submissions.preview(busy, submission(reuse_since=0.0)).existing is None
    assert submissions.submit(busy, submission(reuse_since=0.0), around)[0] > 7


@pytest.mark.parametrize("asked", [CancelRequest(), CancelRequest(2.5), CancelRequest(0), RetryRequest(1, 2), AdoptRequest("é")])
def test_a_request_is_read_as_it_was_written(database, around, asked):
    job, _ = submissions.submit(database, submission(), around)
    environment = submissions.SubmitContext("another", "{}", "another")
    with database.transaction() as connection:
        submissions.environment_id(connection, environment)
        insert(connection, "requests", {"job_id": job, "place": "here", **requests.request_columns(asked, 200.0)})
        assert Schedule(connection, HERE, 200.0).requests() == [Request(1, job, asked)]
        [[kept]] = connection.execute("SELECT environment FROM requests").fetchall()
    assert kept == (2 if isinstance(asked, RetryRequest) else None)


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("dance", "{}"),
        (b"cancel", "{}"),
        ("cancel", "[]"),
        ("cancel", '{"grace": true}'),
        ("retry", '{"context": 1}'),
        ("retry", '{"context": 1, "environment": true}'),
        ("adopt", "{}"),
        ("adopt", '{"note": 5}'),
        ("adopt", 5),
    ],
)
def test_a_request_that_no_client_wrote_can_not_be_read(database, around, verb, options):
    job, _ = submissions.submit(database, submission(), around)
    with database.transaction() as connection:
        row = {"job_id": job, "place": "here", "verb": verb, "options": options, "requested_at": 1.0}
        insert(connection, "requests", row)
        assert Schedule(connection, HERE, 200.0).requests() == [UnreadableRequest(1, job)]


def test_who_supervises_is_read_with_what_it_said(busy):
    change(busy, Transitions.record_heartbeat, 2, "0.2", 15.0, None, 5.0, now=300.0, owner=Owner("there", "that-host"))
    with busy.transaction() as connection:
        connection.execute("INSERT INTO supervisors SELECT 'odd', host, 'x', version, 0, 0, NULL, 0 FROM supervisors LIMIT 1")
    assert [each.place for each in supervisors.read_all(busy)] == ["there", "here"]
    here = supervisors.read(busy, "here")
    assert (here.pid, here.host, here.heard_at) == (1, "this-host", 200.0)
    assert (here.notices.general, here.notices.contexts) == ("no disk", {2: "no configuration"})
    assert supervisors.read(busy, "elsewhere") is None


def test_the_ends_of_the_last_transaction_are_attempts(busy):
    [end] = queries.recent_ends(busy, "here")
    assert isinstance(end, Attempt)
    assert (end.job_id, end.number, end.outcome) == (4, 1, Outcome.SUCCEEDED)
    with busy.transaction() as connection:
        connection.execute("UPDATE attempts SET error = x'00' WHERE job_id = 4")
    assert queries.recent_ends(busy, "here") == []


@pytest.mark.parametrize("text", ["[[[", "[]", '{"HOME": 5}', "5"])
def test_variables_that_no_client_wrote_are_refused(text):
    with pytest.raises(ValueError):
        Environment(text).variables()


# -- what goes into the store -----------------------------------------------------------------------------------------

#: Columns that have their default in a new row. A new column stands here or in the row that is written.
LEFT_OUT = {
    "attempts": {"ended_at", "outcome", "ending", "ending_at", "ending_grace", "error", "traceback", "exit_code", "signal",
                 "peak_memory", "cpu_seconds", "source", "origin", "adopted", "pid_namespace"},
    "contexts": {"id"},
    "dependencies": set(),
    "environments": {"id"},
    "groups": {"id"},
    "jobs": {"id", "started_at", "ended_at", "error", "attempt", "replaced", "kept", "hook", "void_launches", "pid_namespace",
             "retrying_since", "waited"},
    "origins": {"id"},
    "paused": set(),
    "places": set(),
    "requests": {"id", "host"},
    "supervisors": set(),
}  # fmt: skip


def test_each_column_is_written_or_left_to_its_default_on_purpose(database, around, monkeypatch):
    written = {}

    def note(table, columns):
        assert written.setdefault(table, set(columns)) == set(columns), f"rows of {table} are written with different columns"

    statement, selected = insertion._statement, insertion.insert_selected
    monkeypatch.setattr(
        insertion, "_statement", lambda table, columns, *rest: note(table, columns) or statement(table, columns, *rest)
    )

    def note_selected(connection, table, columns, *rest):
        note(table, columns)
        return selected(connection, table, columns, *rest)

    for module in (controls, submissions):
        monkeypatch.setattr(module, "insert_selected", note_selected)
    job, _ = submissions.submit(database, submission(not_before=0.0, unique_key="k"), around)
    submissions.submit(database, submission(after=((job, 0),)), around)
    group = NewGroup("a" * 32, None, Call("work.Trainer.fit", {}, {}, {}), 100.0)
    submissions.submit_group(database, group, [submission(after=((job, 0),)), submission()], around)
    submissions.submit(database, submission(unique_key="k", on_duplicate="replace"), around)
    controls.request_cancel(database, [job], None, 200.0)
    controls.request_cancel_of_group(database, 1, None, 200.0)
    controls.request_retry(database, {job: around}, HERE, 200.0)
    controls.request_adoption(database, {job: "was adopted"}, HERE, 200.0)
    controls.pause(database, ["gpu"], 200.0)
    change(database, Transitions.claim, job, 1, "jobs/1", LaunchMode("fork"))
    change(database, Transitions.note_origin, "{}", [(job, 1)])
    change(database, Transitions.record_heartbeat, 1, "0.1", 10.0, None, 5.0)
    known = {row[0] for row in database.read("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")}
    assert known == {*LEFT_OUT, "changes", "group_counts"}, "the others are kept by triggers"
    for table, left_out in LEFT_OUT.items():
        columns = {row["name"] for row in database.read(f"PRAGMA table_info({table})")}
        assert written[table] | left_out == columns, table
        assert not written[table] & left_out, table


def test_no_statement_inserts_by_position():
    by_position = re.compile(r"\bINSERT\b.*\bVALUES\b", re.DOTALL)
    others = [path for path in modules(store=True) if path.name != "insertion.py"]
    assert not {path: found for path in others if (found := [each for each in strings(path) if by_position.search(each)])}


@pytest.fixture
def table():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE, size INTEGER DEFAULT 5)")
    yield connection
    connection.close()


def things(connection):
    return connection.execute("SELECT id, name, size FROM things ORDER BY id").fetchall()


def test_a_row_is_inserted_by_its_names_whatever_their_order(table):
    assert insert(table, "things", {"size": 1, "name": "a"}) == 1
    assert insert(table, "things", {"name": "b"}) == 2
    insert_many(table, "things", [{"name": "c", "size": 2}, {"size": 3, "name": "d"}])
    assert things(table) == [(1, "a", 1), (2, "b", 5), (3, "c", 2), (4, "d", 3)]


def test_a_shared_column_wins_over_a_row_s_own(table):
    insert_many(table, "things", [{"name": "a", "size": 1}, {"name": "b", "size": 2}], {"size": 9})
    assert things(table) == [(1, "a", 9), (2, "b", 9)]


def test_no_rows_are_no_statement(table):
    insert_many(table, "things", [], {"no such column": 1})
    assert things(table) == []


@pytest.mark.parametrize("other", [{"name": "b"}, {"name": "b", "size": 1, "id": 7}, {"name": "b", "id": 7}])
def test_rows_with_different_columns_are_refused_before_any_is_inserted(table, other):
    with pytest.raises(ValueError, match="different columns"):
        insert_many(table, "things", [{"name": "a", "size": 1}, other])
    assert things(table) == []


def test_a_row_that_is_in_the_way_stays_or_goes_as_is_asked(table):
    insert(table, "things", {"name": "a", "size": 1})
    with pytest.raises(sqlite3.IntegrityError):
        insert(table, "things", {"name": "a", "size": 2})
    insert(table, "things", {"name": "a", "size": 3}, or_else="IGNORE")
    assert things(table) == [(1, "a", 1)]
    insert_many(table, "things", [{"name": "a", "size": 4}], or_else="REPLACE")
    assert [row[1:] for row in things(table)] == [("a", 4)]


def test_rows_are_inserted_from_what_a_query_finds(table):
    insert_many(table, "things", [{"name": "a", "size": 1}, {"name": "b", "size": 2}])
    columns = {"name": "name || :ending", "size": ":size"}
    assert (
        insert_selected(table, "things", columns, "FROM things WHERE size > :least", {"ending": "!", "size": 0, "least": 1}) == 1
    )
    assert things(table)[-1] == (3, "b!", 0)


def test_a_place_is_noted_and_read_again(database):
    with database.transaction() as connection:
        places.record_own(connection, database.folder)
    [place] = places.others(database, "another", idle=True)
    assert place == places.place.current(database.folder)
