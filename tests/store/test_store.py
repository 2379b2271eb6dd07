"""The store: opened by any number of processes, migrated once, changed by guarded transitions, harmed by nothing."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from importlib import resources

import pytest

import ipybgjobs as bg
from ipybgjobs.model.call import Call
from ipybgjobs.model.records import JobState, Outcome, Owner
from ipybgjobs.model.retry import RetrySettings
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.store import columns, controls, listing, queries, schedule, submissions, supervisors
from ipybgjobs.store.database import SCHEMA, Database
from ipybgjobs.store.requests import CancelRequest, RetryRequest
from ipybgjobs.store.scheduled_job import Environment
from ipybgjobs.store.submissions import NewGroup, SubmitContext
from ipybgjobs.store.transitions import LaunchMode, Verdict
from support.place import TESTS
from support.store import HERE, SURROUNDINGS, Store, submission

ELSEWHERE = Owner("elsewhere", "another-host")


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "jobs.db")
    yield made
    made.database.close()


def refusal(path):
    with pytest.raises(bg.StoreError) as caught:
        Database(str(path), durable=True)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) not in [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")], "left open"
    return str(caught.value)


def raw(path):
    return contextlib.closing(sqlite3.connect(path))


# -- opening and migrating --------------------------------------------------------------------------------------------


def test_a_new_store_has_the_newest_schema_and_a_write_ahead_log(store):
    assert store.database.read("PRAGMA user_version")[0][0] == SCHEMA
    assert store.database.read("PRAGMA journal_mode")[0][0] == "wal"
    assert store.database.read("PRAGMA synchronous")[0][0] == 2


def test_no_number_has_two_migrations_and_the_newest_is_the_schema():
    numbers = sorted(int(file.name[:3]) for file in resources.files("ipybgjobs.store").joinpath("sql").iterdir())
    assert len({*numbers}) == len(numbers)
    assert (numbers[0], numbers[-1]) == (1, SCHEMA)


def test_a_store_that_is_opened_again_keeps_what_it_has(store):
    job = store.submit(name="kept")
    before = store.rows()
    with contextlib.closing(Database(str(store.path), durable=False)) as again:
        assert queries.job(again, job).name == "kept"
    assert store.rows() == before


def test_an_empty_file_which_a_crash_may_have_left_becomes_a_store(tmp_path):
    (tmp_path / "jobs.db").touch()
    store = Store(tmp_path / "jobs.db")
    assert store.submit() == 1
    store.database.close()


def test_a_store_of_a_newer_version_is_refused_in_one_sentence_and_unharmed(store):
    store.submit()
    store.database.close()
    with raw(store.path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = store.path.read_bytes()
    message = refusal(store.path)
    assert f"newer version of ipybgjobs (schema {SCHEMA + 1}, this one is {SCHEMA})" in message
    assert "upgrade ipybgjobs" in message
    assert store.path.read_bytes() == before


def test_a_migration_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "jobs.db"
    with raw(path) as connection:
        connection.execute("CREATE TABLE requests (whose INTEGER)")
    assert "already exists" in refusal(path)
    with raw(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("requests",)]


def test_a_file_that_is_no_database_is_refused_and_unharmed(tmp_path):
    path = tmp_path / "jobs.db"
    path.write_bytes(b"these are somebody's notes " * 100)
    assert "The file is damaged: `jupyter bgjobs doctor` reports what can be saved" in refusal(path)
    assert path.read_bytes() == b"these are somebody's notes " * 100


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "jobs.db").mkdir()
    assert "unable to open database file. Make sure that you can write to the folder." in refusal(tmp_path / "jobs.db")


def test_a_folder_that_is_gone_is_told(tmp_path):
    assert "No such file or directory" in refusal(tmp_path / "gone" / "jobs.db")


def test_a_state_folder_that_can_not_be_made_is_told_with_what_to_set(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(bg.StoreError, match=r"state folder .*file/state can't be used: Not a directory.*IPYBGJOBS_STATE_DIR"):
        StateFolder(str(tmp_path / "file" / "state")).create()


def test_a_file_where_the_state_folder_should_be_is_refused_and_nothing_is_submitted(place):
    place.state.write_text("mine")
    with pytest.raises(bg.StoreError, match="state folder"):
        bg.submit("work.echo", {"value": 1})
    assert place.state.read_text() == "mine"
    assert not place.processes()


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_a_folder_that_can_not_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "Permission denied" in refusal(tmp_path / "jobs.db")
    finally:
        tmp_path.chmod(0o700)


def test_folder_and_files_are_the_user_s_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = StateFolder(str(tmp_path / "state"))
        folder.create()
        store = Store(tmp_path / "state" / "jobs.db")
        store.submit()
        modes = {
            os.path.relpath(path, tmp_path): stat.S_IMODE(os.stat(path).st_mode)
            for where, folders, files in os.walk(tmp_path / "state")
            for path in [where, *(os.path.join(where, name) for name in (*folders, *files))]
        }
        store.database.close()
    finally:
        os.umask(before)
    assert {"state/jobs.db", "state/jobs.db-wal", "state/jobs.db-shm"} <= set(modes)
    assert {mode for path, mode in modes.items() if os.path.basename(path).startswith("jobs.db")} == {0o600}
    locks = {path for path in modes if path.endswith(".lock")}
    assert {modes[path] for path in locks} == {0o600}
    assert {mode for path, mode in modes.items() if not os.path.basename(path).startswith("jobs.db") and path not in locks} == {
        0o700
    }


def test_a_state_folder_that_others_could_open_is_closed_to_them(tmp_path):
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state").chmod(0o755)
    StateFolder(str(tmp_path / "state")).create()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


# -- many at once -----------------------------------------------------------------------------------------------------


def test_processes_that_create_the_store_and_insert_at_once_are_never_locked_out_and_lose_nothing(tmp_path):
    path, each = tmp_path / "jobs.db", 20
    command = [sys.executable, "-m", "support.crowd", str(path), str(each)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": TESTS}
    with contextlib.ExitStack() as ended:
        processes = []
        for _ in range(8):
            processes.append(ended.enter_context(subprocess.Popen(command, **pipes)))
            ended.callback(processes[-1].kill)
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=120) for process in processes]
    assert [complaint for _, complaint in answers] == [""] * 8
    given = [int(line) for answer, _ in answers for line in answer.split()]
    assert sorted(given) == list(range(1, 8 * each + 1))
    store = Store(path)
    names = [job.name for job in listing.jobs(store.database, 1000)]
    assert len(set(names)) == len(names) == 8 * each
    assert [len(rows) for rows in store.rows()] == [8 * each, 0, 0, 1, 1]
    store.database.close()


def test_a_writer_waits_for_another_s_transaction_and_readers_do_not(store):
    started, written = threading.Event(), threading.Event()

    def write():
        started.set()
        other = Store(store.path)
        other.submit(name="second")
        other.database.close()
        written.set()

    thread = threading.Thread(target=write)
    with store.database.transaction() as connection:
        connection.execute("UPDATE jobs SET name = 'first'")
        thread.start()
        assert started.wait(60)
        with contextlib.closing(Database(str(store.path), durable=False)) as reader:
            assert listing.jobs(reader, 10) == []
        assert not written.is_set()
    thread.join(60)
    assert written.is_set()
    assert store.ids(name="second") == [1]


def test_each_thread_has_a_connection_of_its_own(store):
    seen = []

    def look():
        seen.append(store.database.connection)
        store.database.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(60)
    assert seen[0] is not store.database.connection
    assert store.database.connection is store.database.connection


def test_a_commit_of_another_connection_is_noticed(store):
    before = store.database.changed()
    assert store.database.changed() == before
    other = Store(store.path)
    other.submit()
    other.database.close()
    assert store.database.changed() != before


# -- transactions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, sqlite3.OperationalError])
def test_a_transaction_that_raises_leaves_nothing_and_the_next_one_works(store, error):
    def fail():
        with store.database.transaction() as connection:
            connection.execute("INSERT INTO contexts (body) VALUES ('x')")
            raise error

    with pytest.raises((error, bg.StoreError)):
        fail()
    assert store.rows() == [[], [], [], [], []]
    assert store.submit() == 1


def test_a_full_disk_is_told_and_nothing_is_lost(store):
    job = store.submit(name="kept")
    pages = store.database.read("PRAGMA page_count")[0][0]
    store.database.read(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(bg.StoreError, match=r"The disk is full: free some space\. Nothing was changed\."):
        store.submit(name="x" * 100_000)
    store.database.read("PRAGMA max_page_count = 1000000")
    assert store.ids() == [job]
    assert store.submit() == job + 1


def test_a_store_that_can_only_be_read_says_so(store):
    store.database.read("PRAGMA query_only = ON")
    with pytest.raises(bg.StoreError, match=r"readonly database\. Make sure that you can write to the folder\."):
        store.submit()


# -- what clients write -----------------------------------------------------------------------------------------------


def test_a_job_reads_as_it_was_submitted(store):
    job = submission(
        call=Call("a.B.c", {"lr": 0.1}, {"ä": [1, None, "\u2028"]}, {"params.df": "<DataFrame 3×2>"}, ("pin",)),
        name="nächtlich",
        queue="gpu",
        priority=-3,
        not_before=150.5,
        retry_settings=RetrySettings(max_attempts=7, delay_seconds=(1.0, 2.0), retry_on=("OSError",), never_retry=()),
        timeout=2.5,
        owner=ELSEWHERE,
    )
    record = queries.job(store.database, submissions.submit(store.database, job, SURROUNDINGS)[0])
    for name in ("uid", "call", "name", "queue", "priority", "not_before", "submitted_at", "retry_settings", "timeout", "owner"):
        assert getattr(record, name) == getattr(job, name), name
    assert (record.id, record.state, record.attempt, record.allowed_attempts) == (1, "queued", 0, 7)
    assert (record.started_at, record.ended_at, record.error) == (None, None, None)


def test_a_uid_can_not_be_used_twice(store):
    store.submit(uid="same")
    with pytest.raises(bg.StoreError, match="UNIQUE"):
        store.submit(uid="same")
    assert store.ids() == [1]


def test_an_id_is_never_given_again(store):
    assert [store.submit(), store.submit()] == [1, 2]
    with store.database.transaction() as connection:
        connection.execute("DELETE FROM jobs")
    assert store.submit() == 3


def test_jobs_of_one_caller_share_its_surroundings_and_those_of_another_have_their_own(store):
    other = SubmitContext('{"cwd": "/"}', '{"HOME": "/root"}', "another")
    for surroundings in (SURROUNDINGS, SURROUNDINGS, other):
        store.submit(surroundings)
    jobs = store.database.read("SELECT context, environment FROM jobs ORDER BY id")
    assert [tuple(row) for row in jobs] == [(1, 1), (1, 1), (2, 2)]
    assert store.change("environment", 2) == Environment(other.environment)


def test_an_environment_goes_with_the_last_that_needs_it(store):
    first, second = store.submit(), store.submit()
    [environment] = store.change("environment_of", first)
    assert store.change("cancel_queued", first)
    assert store.change("environment_of", first) == []
    assert not store.change("release_environment", environment)
    controls.request_retry(store.database, {first: SURROUNDINGS}, HERE, 300.0)
    assert store.change("cancel_queued", second)
    assert not store.change("release_environment", environment), "the request needs it"
    [request] = store.change("requests")
    store.change("delete_request", request.id)
    assert store.change("release_environment", environment)
    assert store.rows()[3] == []


def test_nothing_of_a_released_environment_stays_in_the_files(store):
    secret = "KEY-0123456789-abcdef"
    job = store.submit(SubmitContext("{}", f'{{"API_KEY": "{secret}"}}', "secret"))
    assert any(secret.encode() in path.read_bytes() for path in store.path.parent.iterdir())
    [environment] = store.change("environment_of", job)
    store.change("cancel_queued", job)
    store.change("release_environment", environment)
    assert store.database.checkpoint()
    assert not any(secret.encode() in path.read_bytes() for path in store.path.parent.iterdir())


def test_folding_the_log_waits_for_nobody_who_reads(store):
    store.submit()
    with contextlib.closing(Database(str(store.path), durable=False)) as reader:
        reader.connection.execute("BEGIN")
        reader.connection.execute("SELECT count(*) FROM jobs").fetchone()
        store.submit()
        assert not store.database.checkpoint()
        reader.connection.execute("COMMIT")
    assert store.database.checkpoint()


def test_requests_are_answered_by_their_host_oldest_first_and_then_forgotten(store):
    job, other, ended = store.submit(), store.submit(owner=ELSEWHERE), store.job_in("failed")
    assert controls.request_cancel(store.database, [job, ended], 2.5, 300.0) == 1
    assert controls.request_cancel(store.database, [other], None, 301.0) == 1
    assert controls.request_cancel(store.database, [job], None, 299.0) == 1
    found = store.change("requests")
    assert [(each.id, each.asked) for each in found] == [(1, CancelRequest(2.5)), (3, CancelRequest(None))]
    store.change("delete_request", 1)
    assert [each.id for each in store.change("requests")] == [3]


# -- transitions ------------------------------------------------------------------------------------------------------

OTHER = RetryRequest(context=1, environment=1)

VERBS = {
    "claim": ((2, "f", LaunchMode("fork")), ["retrying"]),
    "end_job": (("succeeded", None), ["running"]),
    "queue_again": ((500.0, "again"), ["running"]),
    "cancel_queued": ((), ["queued", "retrying"]),
    "deny": ((9, "denied"), ["queued", "retrying"]),
    "retry": ((OTHER,), ["failed", "cancelled", "retrying"]),
}


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("verb", VERBS)
def test_a_state_is_entered_only_from_where_it_may_be_and_only_once(store, verb, state):
    arguments, allowed = VERBS[verb]
    job = store.job_in(state)
    before = store.rows()
    assert store.change(verb, job, *arguments) is (state in allowed)
    assert (store.rows() == before) is (state not in allowed)
    before = store.rows()
    assert store.change(verb, job, *arguments) is False
    assert store.rows() == before


@pytest.mark.parametrize("state", list(JobState))
def test_only_a_queued_job_is_claimed_and_only_for_its_next_attempt(store, state):
    job = store.job_in(state)
    assert store.change("claim", job, 1, "f", LaunchMode("fork")) is (state == "queued")
    assert store.change("claim", job, 1, "f", LaunchMode("fork")) is False
    assert store.change("claim", 99, 1, "f", LaunchMode("fork")) is False
    assert queries.job(store.database, job).attempt == (0 if state == "cancelled" else 1)


def states_of(store, job):
    """A job's state in every way of reading it."""
    by_filter = [state for state in JobState if job in store.ids(state=state)]
    return {
        *by_filter,
        queries.state(store.database, job),
        queries.job(store.database, job).state,
        *listing.states(store.database),
    }


def test_a_job_that_the_policy_queued_is_retrying_until_it_is_claimed(store):
    job = store.submit()
    assert states_of(store, job) == {"queued"}
    store.start(job)
    assert states_of(store, job) == {"running"}
    store.retrying(job)
    assert states_of(store, job) == {"retrying"}
    assert store.database.read("SELECT state FROM jobs")[0][0] == "queued"
    store.start(job, 2)
    assert states_of(store, job) == {"running"}
    store.change("give_back", job, 2, None, None)
    assert states_of(store, job) == {"retrying"}, "nothing of its second attempt ran"


def test_a_launch_that_failed_is_no_attempt_after_which_a_job_is_retrying(store):
    job = store.submit()
    store.start(job)
    store.change("give_back", job, 1, 300.0, "no process")
    assert states_of(store, job) == {"queued"}


@pytest.mark.parametrize("state", ["failed", "retrying"])
def test_a_job_that_is_retried_by_hand_is_queued(store, state):
    job = store.job_in(state)
    assert store.change("retry", job, OTHER, now=300.0)
    record = queries.job(store.database, job)
    assert states_of(store, job) == {"queued"}
    assert (record.not_before, record.ready, record.allowed_attempts) == (300.0, True, 3 if state == "retrying" else 2)


def test_a_retrying_job_of_another_place_is_left_alone(store):
    job = store.job_in("retrying")
    assert not store.change("retry", job, OTHER, owner=ELSEWHERE)
    assert states_of(store, job) == {"retrying"}


def test_the_time_between_attempts_is_not_part_of_the_duration_of_a_job(store):
    job = store.submit()

    def seconds(now):
        return queries.job(store.database, job).elapsed(now)

    assert seconds(199.0) is None
    store.start(job)  # at 200
    assert seconds(203.0) == 3
    store.retrying(job, now=205.0)
    assert seconds(390.0) == 5
    assert store.change("claim", job, 2, "f", LaunchMode("fork"), now=400.0)
    assert seconds(401.0) == 6
    store.change("give_back", job, 2, None, None, now=450.0)
    assert seconds(500.0) == 5, "nothing of its second attempt ran"
    assert store.change("claim", job, 2, "f", LaunchMode("fork"), now=500.0)
    store.change("end_attempt", job, 2, Verdict(Outcome.ERROR), now=502.0)
    store.change("end_job", job, "failed", None, now=502.0)
    assert seconds(900.0) == 7
    store.change("retry", job, OTHER, now=600.0)
    assert seconds(601.0) is None
    assert store.change("claim", job, 3, "f", LaunchMode("fork"), now=700.0)
    assert seconds(701.0) == 1


def test_a_job_that_is_cancelled_while_it_waits_for_a_retry_took_no_longer(store):
    job = store.submit()
    store.start(job)
    store.retrying(job, now=205.0)
    store.change("cancel_queued", job, now=300.0)
    assert queries.job(store.database, job).elapsed(900.0) == 5


def test_a_group_counts_its_retrying_jobs_and_names_the_next(store):
    call = Call("work.Trainer.fit", {}, {}, {})
    jobs = [submission() for _ in range(4)]
    submissions.submit_group(store.database, NewGroup("a" * 32, None, call, 100.0), jobs, SURROUNDINGS)
    for job, due in ((1, 500.0), (2, 450.0)):
        store.start(job)
        store.retrying(job, due=due, error=f"ValueError: {job}")
    store.start(3)
    record = listing.group(store.database, 1)
    assert (record.counts, record.live) == ({"queued": 1, "retrying": 2, "running": 1}, 4)
    clock = time.strftime("%H:%M:%S", time.localtime(450.0))
    assert record.line().endswith(f" · 4 jobs: 1 queued, 2 retrying, next at {clock}: ValueError: 2, 1 running")
    store.change("promote", now=460.0)
    assert "2 retrying, next as soon as a slot is free: ValueError: 2" in listing.group(store.database, 1).line()
    assert (
        listing.retrying(store.database, [1, 3]).line()
        == f"next at {time.strftime('%H:%M:%S', time.localtime(500.0))}: ValueError: 1"
    )
    assert listing.retrying(store.database, [3, 4]) is None


def test_the_retrying_jobs_are_found_without_a_look_at_the_others(store):
    plans = [
        f"jobs_retrying WHERE {columns.RETRYING} AND queue = 'x' ORDER BY id DESC LIMIT 5",
        f"jobs_retrying_group WHERE group_id = 1 AND {columns.RETRYING} ORDER BY not_before",
    ]
    for plan in plans:
        found = store.database.read(f"EXPLAIN QUERY PLAN SELECT id FROM jobs INDEXED BY {plan}")
        said = " ".join(row["detail"] for row in found)
        assert "INDEX jobs_retrying" in said
        assert "TEMP B-TREE" not in said


def test_two_that_claim_the_same_attempt_make_one_attempt(store):
    job = store.submit()
    assert [store.change("claim", job, 1, "f", LaunchMode("fork")) for _ in range(2)] == [True, False]
    assert len(queries.attempts(store.database, job)) == 1


def test_the_first_start_is_kept_when_a_job_runs_again(store):
    job = store.submit()
    store.start(job)
    store.change("end_attempt", job, 1, Verdict(Outcome.LOST))
    store.change("queue_again", job, 400.0, "lost")
    assert store.change("claim", job, 2, "jobs/2", LaunchMode("fresh process", "why"), now=500.0)
    record = queries.job(store.database, job)
    assert (record.started_at, record.not_before, record.error, record.attempt) == (200.0, 400.0, "lost", 2)
    first, second = queries.attempts(store.database, job)
    assert (first.number, first.outcome, first.ended_at) == (1, "lost", 200.0)
    assert (second.number, second.outcome, second.launched_by, second.launch_reason) == (
        2,
        None,
        "fresh process",
        "why",
    )


def test_how_an_attempt_ended_is_recorded_once(store):
    job = store.submit()
    store.start(job)
    verdict = Verdict(Outcome.ERROR, "ValueError: x", "Traceback…", None, 9, 1 << 40, 2.5)
    assert store.change("end_attempt", job, 1, verdict, now=300.0)
    assert not store.change("end_attempt", job, 1, Verdict(Outcome.SUCCEEDED), now=400.0)
    [attempt] = queries.attempts(store.database, job)
    assert (attempt.started_at, attempt.ended_at, attempt.outcome, attempt.error) == (
        200.0,
        300.0,
        "error",
        "ValueError: x",
    )
    assert (attempt.traceback, attempt.exit_code, attempt.signal) == ("Traceback…", None, 9)
    assert (attempt.peak_memory, attempt.cpu_seconds, attempt.owner) == (1 << 40, 2.5, HERE)


def test_text_that_is_no_unicode_is_kept_escaped(store):
    job = store.submit()
    store.start(job)
    assert store.change("end_attempt", job, 1, Verdict(Outcome.ERROR, "no caf\udce9", "in caf\udce9"))
    assert store.change("queue_again", job, 400.0, "no caf\udce9")
    store.change("record_heartbeat", 1, "0.1", 10.0, "/caf\udce9 is broken", 5.0)
    [attempt] = queries.attempts(store.database, job)
    assert (attempt.error, attempt.traceback) == ("no caf\\udce9", "in caf\\udce9")
    assert queries.job(store.database, job).error == "no caf\\udce9"
    assert supervisors.read_all(store.database)[0].notices.general == "/caf\\udce9 is broken"


def test_the_first_reason_for_ending_an_attempt_stays_and_none_comes_after_its_end(store):
    job = store.submit()
    store.start(job)
    assert store.change("begin_ending", job, 1, Outcome.CANCELLED, 5.0)
    assert not store.change("begin_ending", job, 1, Outcome.TIMEOUT, 1.0)
    claim = store.change("claimed", job, 1)
    assert (claim.ending, claim.grace) == ("cancelled", 5.0)
    assert schedule.live_attempts(store.database.connection, "here") == [(job, 1)]
    store.end(job, "cancelled", outcome=Outcome.CANCELLED)
    other = store.job_in("failed")
    assert not store.change("begin_ending", other, 1, Outcome.CANCELLED, 5.0)


def test_a_voided_launch_is_the_same_attempt_again_and_an_ended_one_is_not(store):
    job = store.submit()
    store.start(job)
    assert store.change("relaunch", job, 1, "jobs/1.2", LaunchMode("fork"))
    claim = store.change("claimed", job, 1)
    assert (claim.folder, claim.launches, claim.number) == ("jobs/1.2", 2, 1)
    store.end(job, "failed")
    assert not store.change("relaunch", job, 1, "jobs/1.3", LaunchMode("fork"))


def test_a_denied_job_has_failed_without_a_launch(store):
    job = store.submit()
    assert store.change("deny", job, 1, "not on the allowlist")
    record = queries.job(store.database, job)
    assert (record.state, record.error, record.attempt, record.started_at) == (
        "failed",
        "not on the allowlist",
        1,
        None,
    )
    [attempt] = queries.attempts(store.database, job)
    assert (attempt.outcome, attempt.error, attempt.folder, attempt.exit_code) == (
        "denied",
        "not on the allowlist",
        None,
        None,
    )


@pytest.mark.parametrize(("state", "attempts"), [("failed", 2), ("cancelled", 3)], ids=["failed once", "never started"])
def test_a_retry_by_hand_gives_one_more_attempt_or_all_of_them_where_none_was_made(store, state, attempts):
    job = store.job_in(state)
    assert store.change("retry", job, OTHER, now=700.0, owner=ELSEWHERE)
    record = queries.job(store.database, job)
    assert (record.state, record.allowed_attempts, record.not_before) == ("queued", attempts, 700.0)
    assert (record.ended_at, record.owner) == (None, ELSEWHERE)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "denied"])
def test_the_environment_is_let_go_at_every_end(store, end):
    job = store.submit()
    if end == "denied":
        store.change("deny", job, 1, "no")
    else:
        store.start(job)
        assert store.change("environment_of", job) == [1]
        store.end(job, end)
    assert store.change("environment_of", job) == []


def test_a_job_that_waits_for_a_retry_keeps_its_environment(store):
    job = store.job_in("running")
    store.change("queue_again", job, 400.0, "error")
    assert store.change("environment_of", job) == [1]


# -- what is next -----------------------------------------------------------------------------------------------------


def due(store, queue="default", skip=(), **options):
    found = store.change("due", queue, skip, **options)
    return found and found.id


def test_a_higher_priority_goes_first_and_then_the_oldest(store):
    for priority in (0, 5, 0, 5, -1):
        store.submit(priority=priority)
    order = []
    while (job := due(store)) is not None:
        order.append(job)
        store.start(job)
    assert order == [2, 4, 1, 3, 5]


def test_a_job_that_is_not_due_is_passed_over_and_known_for_later(store):
    store.submit(not_before=300.0, priority=9)
    store.submit(not_before=250.0, queue="gpu")
    store.submit()
    assert due(store) == 3
    store.start(3)
    assert due(store) is None
    assert store.change("next_due") == 250.0
    assert store.change("promote", now=249.0) == 0
    assert store.change("promote", now=250.0) == 1
    assert store.change("next_due") == 300.0
    assert store.change("promote", now=300.0) == 1
    assert due(store, now=300.0) == 1
    assert store.change("next_due") is None
    store.submit(not_before=400.0, owner=ELSEWHERE)
    assert store.change("next_due") is None


def test_queues_hosts_and_surroundings_are_kept_apart(store):
    store.submit(owner=ELSEWHERE)
    store.submit(queue="gpu")
    store.submit(SubmitContext('{"cwd": "/"}', "{}", "x"))
    assert (due(store), due(store, "gpu"), due(store, owner=ELSEWHERE)) == (3, 2, 1)
    assert due(store, skip=[2]) is None
    assert due(store, skip=[1]) == 3


def test_queues_with_ready_jobs_and_slots_that_are_taken_are_known(store):
    for queue in ("default", "default", "gpu", "done"):
        store.submit(queue=queue)
    store.submit(owner=ELSEWHERE, queue="other")
    store.submit(not_before=1e12, queue="later")
    store.start(1)
    assert store.change("claim", 4, 1, "jobs/4/1", LaunchMode("fork", slot=3))
    assert store.change("queues") == ["default", "gpu"]
    assert store.change("occupied") == {"default": [None], "done": [3]}
    controls.pause(store.database, ["gpu"], 1.0)
    assert store.change("queues") == ["default"]


@pytest.mark.parametrize("what", ["queued", "delayed", "running", "ended without its attempt", "requested"])
def test_whatever_a_supervisor_must_do_counts_as_work(store, what):
    assert not queries.has_work(store.database, "here")
    job = store.submit(not_before=1e12 if what == "delayed" else 0.0)
    if what in ("running", "ended without its attempt"):
        store.start(job)
    if what == "ended without its attempt":
        store.change("end_job", job, "failed", None)
    if what == "requested":
        store.change("cancel_queued", job)
        assert not queries.has_work(store.database, "here")
        controls.request_retry(store.database, {job: SURROUNDINGS}, HERE, 1.0)
    assert queries.has_work(store.database, "here")
    assert not queries.has_work(store.database, "elsewhere")


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_is_no_work(store, state):
    store.job_in(state)
    assert not queries.has_work(store.database, "here")


def test_a_place_has_one_supervisor_in_the_store(store):
    store.change("record_heartbeat", 1, "0.1", 10.0, None, 5.0, now=20.0)
    store.change("record_heartbeat", 2, "0.1", 25.0, "a notice", 15.0, now=30.0)
    store.change("record_heartbeat", 3, "0.1", 5.0, None, 1.0, now=10.0, owner=ELSEWHERE)
    found = [(each.place, each.pid, each.heard_at, each.notices.general) for each in supervisors.read_all(store.database)]
    assert found == [("here", 2, 30.0, "a notice"), ("elsewhere", 3, 10.0, None)]


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def listed(store):
    jobs = [("default", "a", "m.C.f"), ("gpu", "b", "m.C.f"), ("gpu", "a", "m.C.g"), ("default", None, "m.C.g")]
    for queue, name, target in jobs:
        store.submit(queue=queue, name=name, call=Call(target, {}, {}, {}))
    store.change("cancel_queued", 3)
    store.start(1)
    return store


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, [4, 3, 2, 1]),
        ({"limit": 2}, [4, 3]),
        ({"limit": 0}, []),
        ({"state": "queued"}, [4, 2]),
        ({"state": "running"}, [1]),
        ({"state": "cancelled"}, [3]),
        ({"state": "failed"}, []),
        ({"queue": "gpu"}, [3, 2]),
        ({"name": "a"}, [3, 1]),
        ({"target": "m.C.f"}, [2, 1]),
        ({"queue": "gpu", "target": "m.C.f", "state": None}, [2]),
        ({"queue": "gpu", "name": "a", "limit": 1}, [3]),
        ({"name": "' OR 1=1 --"}, []),
    ],
    ids=str,
)
def test_jobs_are_listed_newest_first_and_by_what_is_asked(listed, filters, ids):
    assert listed.ids(**filters) == ids


def test_a_job_is_found_by_id_uid_or_name_the_newest_so_named(listed):
    uid = queries.job(listed.database, 2).uid
    assert [queries.job(listed.database, key).id for key in (2, uid, "b", "a")] == [2, 2, 2, 3]


def test_a_uid_goes_before_a_name(listed):
    uid = queries.job(listed.database, 1).uid
    listed.submit(name=uid)
    assert queries.job(listed.database, uid).id == 1


@pytest.mark.parametrize("key", [99, 0, -1, 1 << 70, "nobody", "", "999", "\udcff", "a\0"], ids=repr)
def test_a_job_that_is_not_there_is_told_with_the_store(listed, key):
    with pytest.raises(bg.UnknownJob, match="There is no job with"):
        queries.job(listed.database, key)


def test_the_state_of_a_job_that_is_gone_is_told(store):
    with pytest.raises(bg.UnknownJob, match="Job 7 is no longer in"):
        queries.state(store.database, 7)


def test_attempts_are_listed_oldest_first_and_those_of_one_job_only(store):
    for job in (store.submit(), store.submit()):
        for number in (1, 2):
            store.start(job, number)
            store.change("end_attempt", job, number, Verdict(Outcome.ERROR))
            store.change("queue_again", job, 0.0, None)
    assert [(attempt.job_id, attempt.number) for attempt in queries.attempts(store.database, 2)] == [(2, 1), (2, 2)]
    assert queries.attempts(store.database, 99) == []
