"""An interrupt leaves no job or a whole one, and a client that works, wherever it comes."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import sqlite3
import statistics
import tempfile
import threading
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.store import submissions
from ipybgjobs.store.database import Database
from ipybgjobs.system import interrupt_shield
from support.interrupts import MEMORY, Bench, Interrupt
from support.place import until
from support.writers import NAMES, SILENT, WITHIN, Writers


@pytest.fixture
def bench(place, monkeypatch):
    root = tempfile.mkdtemp(dir=MEMORY)
    monkeypatch.setenv("IPYBGJOBS_STATE_DIR", f"{root}/state")
    place.module("more", "def added():\n    return 1\n")
    made = Bench()
    yield made
    made.close()
    shutil.rmtree(root)


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupt_at_any_line_of_a_writer_leaves_all_or_nothing_and_a_client_that_works(bench, name):
    found = bench.sweep(getattr(Writers(bench), name), within=WITHIN.get(name, ""), once=name in SILENT)
    assert found.count > 5
    assert (found.unsaid, found.unclosed) == ([], [])
    assert found.said == found.done
    assert found.said or name in SILENT


# -- real signals ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def interrupted_after(seconds):
    """Ctrl-C after so many seconds; what it stops is expected to raise."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def ctrl_c():
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGALRM, before)


def test_signals_at_random_moments_leave_whole_jobs_also_within_the_commit(bench, ctrl_c):
    draw, claimed, stopped = random.Random(5), set(), 0
    times = [time.perf_counter()]
    for _ in range(10):
        bg.submit("work.echo", {"value": {1}})
        times.append(time.perf_counter())
    usual = statistics.median(after - before for before, after in itertools.pairwise(times))  # the first one starts a supervisor
    before = bench.ids()
    for number in range(3000):
        if number > 300 and stopped > 30:  # on a busy machine few signals come in time
            break
        try:
            with interrupted_after(draw.uniform(1e-6, 1.2 * usual)):
                claimed.add(bg.submit("work.echo", {"value": {1, 2}}).id)
        except KeyboardInterrupt as error:
            stopped += 1
            if str(error):
                claimed.add(int(str(error).split()[1]))
    bench.check("after all")
    bench.check_new(before, "after all")
    assert claimed <= bench.ids() - before
    assert len(bench.ids() - before - claimed) <= 3  # a signal may come after the return, and before this test has the id
    assert stopped > 30


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_an_interrupt_while_a_request_is_waited_for_says_that_it_stands(bench, ctrl_c, verb):
    job = bench.ended() if verb == "retry" else bg.submit("work.echo", {"value": 1})
    said = {
        "retry": f"the retry of job {job.id} was requested, and continues",
        "cancel": f"job {job.id} is being cancelled; the cancellation continues",
    }[verb]
    with pytest.raises(KeyboardInterrupt) as caught, interrupted_after(0.3):
        getattr(job, verb)()
    assert str(caught.value) == said
    assert bench.other.execute("SELECT verb FROM requests WHERE job_id = ?", (job.id,)).fetchall() == [(verb,)]


def test_whoever_waits_for_anothers_lock_is_interrupted_at_once_and_nothing_is_submitted_later(bench, ctrl_c):
    before = bench.ids()
    bench.other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as caught, interrupted_after(0.2):
        bg.submit("work.echo", {"value": {1}})
    assert time.monotonic() - began < 10
    assert not str(caught.value)
    bench.other.execute("COMMIT")
    new = bg.submit("work.echo", {"value": {2}})  # at once, whatever the one that was given up still does
    until(lambda: len(os.listdir(bench.folder.jobs)) == 1, "the copies of what was given up gone")
    assert bench.ids() - before == {new.id}


def test_an_interrupt_that_comes_too_late_for_a_commit_waits_for_it_and_says_what_was_done(ctrl_c):
    decided, done = threading.Event(), []

    def effect():
        interrupt_shield.commit_point()
        decided.set()
        time.sleep(0.3)
        done.append(1)
        return 12

    with pytest.raises(KeyboardInterrupt) as caught, interrupted_after(0.1):
        interrupt_shield.run(effect, lambda number: f"job {number} was submitted")
    assert decided.is_set()
    assert done
    assert str(caught.value) == "job 12 was submitted"


def test_an_effect_that_hangs_and_was_given_up_is_in_nobodys_way(ctrl_c):
    go_on, after = threading.Event(), []

    def effect():
        go_on.wait(60)
        interrupt_shield.commit_point()
        after.append("decided")

    with pytest.raises(KeyboardInterrupt), interrupted_after(0.05):
        interrupt_shield.run(effect)
    assert interrupt_shield.run(lambda: "next") == "next"
    go_on.set()
    assert interrupt_shield.run(lambda: "another") == "another"
    assert not after


def test_a_fork_does_its_own_work(bench):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if interrupt_shield.run(lambda: 7) == 7 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_an_error_of_an_effect_is_its_callers(bench):
    with pytest.raises(ZeroDivisionError):
        interrupt_shield.run(lambda: 1 / 0)


# -- what is read, and what is remembered ----------------------------------------------------------------------------------


def test_an_interrupt_at_any_opcode_of_a_read_leaves_no_old_view_of_the_store(tmp_path):
    path = str(tmp_path / "jobs.db")
    database, other = interrupt_shield.run(lambda: Database(path, durable=True)), sqlite3.connect(path, isolation_level=None)
    many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, paused_at FROM n, paused"
    other.execute("INSERT INTO paused (queue, paused_at) VALUES ('q', 0)")

    def look():
        with database.reading() as connection:
            return connection.execute(many).fetchone()

    for action in (lambda: database.read(many), look, database.changed):
        for number in range(1, 1000):
            interrupt = Interrupt(number, "opcode")
            stopped = interrupt.during(action)  # its traceback keeps every frame
            other.execute("UPDATE paused SET paused_at = ?", (number,))
            assert database.read("SELECT paused_at FROM paused")[0][0] == number
            with database.transaction() as connection:
                connection.execute("UPDATE paused SET queue = 'q'")
            if stopped is None:
                break
        assert interrupt.count < number
    database.close()
    other.close()


def test_a_transaction_that_something_left_open_is_rolled_back_by_the_next(tmp_path):
    database = Database(str(tmp_path / "jobs.db"), durable=True)
    left = database.transaction()
    left.__enter__().execute("INSERT INTO paused (queue, paused_at) VALUES ('left', 0)")
    with database.transaction() as connection:
        connection.execute("INSERT INTO paused (queue, paused_at) VALUES ('new', 0)")
    assert [row[0] for row in database.read("SELECT queue FROM paused")] == ["new"]
    database.close()


def test_a_transaction_does_no_work_but_its_statements(bench, monkeypatch):
    """No JSON is made, no iterable of a caller is drawn from, while others wait for the store."""
    seen, within = [], []

    def dumps(value, real=submissions.json.dumps, **options):
        seen.append(bool(within))
        return real(value, **options)

    def statements(sql):
        if sql.startswith("BEGIN"):
            within.append(1)
        elif sql in ("COMMIT", "ROLLBACK"):
            within.clear()

    def traced():
        bench.client.database(bench.folder).connection.set_trace_callback(statements)

    interrupt_shield.run(traced)
    monkeypatch.setattr(submissions.json, "dumps", dumps)
    drawn = []

    def calls():
        for number in range(20):
            drawn.append(bool(within))
            yield {"value": {number}}

    group = bg.submit_many("work.echo", calls(), after=bench.anchor)
    bg.submit("work.echo", {"value": {1}}, unique="one")
    bg.submit("work.echo", {"value": {1}}, unique="one", on_duplicate="replace")
    bench.client.cancel(bench.folder, [job.id for job in group.jobs], 3.0)
    bench.client.cancel_group(bench.folder, group.id, None)
    assert len(seen) > 100
    assert not any(seen)
    assert drawn == [False] * 20
    assert [job.params["value"] for job in group.jobs] == [{number} for number in range(20)]
    assert bench.other.execute("SELECT count(*) FROM dependencies WHERE on_id = ?", (bench.anchor,)).fetchone() == (20,)
    assert all(job.state == "queued" for job in group.jobs)


def test_an_interrupt_ends_the_process_that_looks_at_a_target(place, ctrl_c, tmp_path):
    file = tmp_path / "pid"
    place.module(
        "slow",
        f"import os, time\nopen({str(file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)\n@staticmethod\ndef run(): pass\n",
    )
    place.allow({"slow": {"allowed_methods": ["run"], "from": str(place.code)}})

    def interrupt():
        until(lambda: file.exists() and file.read_text(), "the look")
        os.kill(os.getpid(), signal.SIGALRM)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with pytest.raises(KeyboardInterrupt):
        bg.submit("slow.run")
    sender.join()
    until(lambda: not os.path.exists(f"/proc/{file.read_text()}"), "the end of the process that looks")


def test_a_context_is_never_remembered_by_anothers_name(bench, monkeypatch, tmp_path):
    """The folder is changed at each opcode's interrupt in turn: what is submitted next has the folder of now."""
    camera = bench.client._context_cache
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    for number in range(1, 400):
        monkeypatch.chdir(first)
        camera.current([], {}, 0)
        monkeypatch.chdir(second)
        interrupt = Interrupt(number, "opcode", "targets/context.py")
        stopped = interrupt.during(lambda: camera.current([], {}, 0))
        assert str(second) in camera.current([], {}, 0)
        if stopped is None:
            return
    raise AssertionError("never done")


# -- a notebook ------------------------------------------------------------------------------------------------------------


def test_a_time_out_that_a_signal_handler_raises_is_not_taken_for_an_error_of_the_system(bench):
    class Alarm(Interrupt):
        def __call__(self, *event):
            try:
                return super().__call__(*event)
            except KeyboardInterrupt:
                raise TimeoutError("alarm") from None

    database = bench.client.database(bench.folder)
    for number in range(1, 200):
        alarm = Alarm(number, "line", "store/database.py")
        try:
            alarm.during(lambda: database.is_there() and database.read("SELECT 1"))
        except TimeoutError:
            continue
        assert alarm.count < number, f"line {number}: swallowed"
        break
    assert number > 10


def test_an_error_that_a_signal_handler_raises_after_the_commit_says_what_was_done():
    @interrupt_shield.explains_interrupts
    def submit_and_be_late():
        interrupt_shield.run(lambda: 12, lambda number: f"job {number} was submitted")
        raise TimeoutError

    with pytest.raises(TimeoutError) as caught:
        submit_and_be_late()
    assert caught.value.__notes__ == ["job 12 was submitted"]
