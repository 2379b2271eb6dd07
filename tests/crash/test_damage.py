"""Results are deleted only by what somebody asked for: damaged, moved and replaced stores, what is saved of them, and strays."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.commands import cli as cli_module
from ipybgjobs.state.folder import StateFolder
from ipybgjobs.state.removal_notes import Removal
from ipybgjobs.store.database import Database
from support.place import ALLOWED, Place, until

DAY = 86_400.0


@pytest.fixture
def kept(place: Place) -> Place:
    """A place whose supervisor ends as soon as it has nothing to do."""
    place.module("waits")
    place.allow(ALLOWED | {"waits": ["until_there", "login"]}, BackgroundJobs__idle_seconds=0.05)
    return place


def idle(place: Place) -> None:
    until(lambda: place.supervisor_pid() is None and not place.processes(), "the supervisor's end")


def forget(place: Place) -> None:
    """Go on as another process would."""
    client_module.client().close()
    client_module.use(client_module.Client())


def move_aside(place: Place) -> None:
    """Do what the advice says."""
    forget(place)
    for path in place.state.glob("jobs.db*"):
        path.rename(path.with_name(f"old-{path.name}"))


def age(place: Place, days: float) -> None:
    for path in (place.state / "jobs").iterdir():
        os.utime(path, (time.time() - days * DAY,) * 2)


def run(capsys, *words: str) -> tuple[int, str]:
    capsys.readouterr()
    status = cli_module.main(list(words))
    said = capsys.readouterr()
    return status, said.out + said.err


def store(place: Place, sql: str, *values) -> list:
    connection = sqlite3.connect(place.state / "jobs.db", timeout=30)
    try:
        found = connection.execute(sql, values).fetchall()
        connection.commit()
    finally:
        connection.close()
    return found


def spoil(path: Path, mark: bytes) -> None:
    """Write zeros over each page of a database that holds a text."""
    connection = sqlite3.connect(path)
    [size] = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    assert mark in content
    for start in range(size, len(content), size):
        if mark in content[start : start + size]:
            content[start : start + size] = bytes(size)
    path.write_bytes(content)


def overwrite(path: Path, start: int, size: int) -> None:
    """Spoil a database that is open, in another process: closing the file in this one would drop the locks of its connections."""
    code = "import sys; file = open(sys.argv[1], 'r+b'); file.seek(int(sys.argv[2])); file.write(b'\\xff' * int(sys.argv[3]))"
    subprocess.run([sys.executable, "-c", code, path, str(start), str(size)], check=True)


def locked(path: Path) -> bool:
    """Whether this process holds a lock of SQLite on a file."""
    mark = f" {os.getpid()} "
    inode = f":{path.stat().st_ino} "
    return any("POSIX" in line and mark in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


# -- a new store beside job folders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["moved aside", "emptied"])
def test_a_new_store_beside_job_folders_says_so_and_touches_none_of_them(kept, capsys, how):
    first = bg.submit("work.echo", {"value": {1, 2}}).wait(60)
    second = bg.submit("work.Trainer.fit", {"epochs": 1}).wait(60)
    idle(kept)
    move_aside(kept)
    if how == "emptied":
        (kept.state / "jobs.db").touch()
    age(kept, 30)
    capsys.readouterr()
    assert bg.submit("work.echo", {"value": 3}).result(60) == 3
    assert f"Note: 2 job folders in {kept.state}/jobs belong to a store that no longer exists" in capsys.readouterr().err
    idle(kept)
    assert bg.submit("work.echo", {"value": 4}).result(60) == 4  # another supervisor has looked for strays, too
    assert "no longer exists" not in capsys.readouterr().err
    idle(kept)
    assert (kept.state / "jobs" / first.uid / "1" / "outcome.json").exists()
    status, said = run(capsys, "doctor")
    assert status == 1
    assert "2 jobs have no row, and can be restored from their folders. `jupyter bgjobs doctor --rescue` saves them." in said
    assert run(capsys, "doctor", "--rescue") == (
        0,
        f"Saved in {kept.state}/jobs.db: 2 jobs known only from their folders.\n",
    )
    assert bg.job(first.uid).result(0) == {1, 2}
    assert bg.job(second.uid).result(0) == {"epochs": 1, "lr": 0.1}
    assert "epoch 0" in bg.job(second.uid).log()
    assert [job.id for job in bg.jobs()] == [4, 3, 2, 1]  # the numbers that they had are others' by now
    assert run(capsys, "doctor")[0] == 0


def test_doctor_names_job_folders_without_any_store_and_makes_none(kept, capsys):
    bg.submit("work.echo", {"value": 1}).wait(60)
    idle(kept)
    move_aside(kept)
    assert "1 job has no row, and can be restored from their folders" in run(capsys, "doctor")[1]
    assert not (kept.state / "jobs.db").exists()


def test_a_job_that_only_its_folder_tells_of_shows_no_secret(kept, capsys):
    job = bg.submit("waits.login", {"password": "hunter2-long"}).wait(60)
    idle(kept)
    move_aside(kept)
    assert run(capsys, "doctor", "--rescue")[0] == 0
    again = bg.job(job.uid)
    assert (again.state, again.id, again.target) == ("failed", job.id, "waits.login")
    assert "hunter2" not in f"{again} {again.error} {again.traceback}"
    assert isinstance(again.exception(), ValueError)


# -- strays --------------------------------------------------------------------------------------------------------------


def test_a_removal_that_was_cut_short_is_finished_and_no_other_folder_goes(kept):
    gone, stays = (bg.submit("work.echo", {"value": value}).wait(60) for value in (1, 2))
    idle(kept)
    Removal(StateFolder(str(kept.state))).announce([gone.uid, stays.uid])
    store(kept, "DELETE FROM jobs WHERE id = ?", gone.id)
    store(kept, "PRAGMA application_id = 1")
    lost = bg.submit("work.echo", {"value": 3}).wait(60)
    idle(kept)
    store(kept, "DELETE FROM jobs WHERE id = ?", lost.id)  # as damage would
    age(kept, 30)
    bg.submit("work.echo", {"value": 4}).wait(60)
    until(lambda: not (kept.state / "jobs" / gone.uid).exists(), "the removal finished")
    idle(kept)
    assert stays.result(0) == 2
    assert (kept.state / "jobs" / lost.uid / "1").exists()


def test_a_removal_that_an_older_store_announced_removes_nothing_of_a_new_one(kept):
    job = bg.submit("work.echo", {"value": 1}).wait(60)
    idle(kept)
    Removal(StateFolder(str(kept.state))).announce([job.uid])
    age(kept, 0.5)
    move_aside(kept)
    bg.submit("work.echo", {"value": 2}).wait(60)
    idle(kept)
    assert (kept.state / "jobs" / job.uid / "1").exists()


@pytest.mark.parametrize("uid", ["", ".", "..", "../logs", "a/../.."])
def test_a_row_whose_uid_is_none_takes_no_other_folder_away(kept, uid):
    job = bg.submit("work.echo", {"value": 1}).wait(60)
    StateFolder(str(kept.state)).remove([uid])
    assert (kept.state / "logs").exists()
    assert job.result(0) == 1


# -- what is saved of a damaged store ------------------------------------------------------------------------------------


def test_what_can_be_read_of_a_damaged_store_is_saved_and_the_rest_comes_from_the_folders(kept, capsys):
    jobs = [bg.submit("work.echo", {"value": f"value-{number}"}, name="n" * 1500).wait(60) for number in range(8)]
    bg.pause()
    waiting = bg.submit("work.echo", {"value": "waiting"})
    until(kept.supervisor_pid, "a supervisor for what waits")
    until(lambda: not kept.processes() or _end(kept), "no supervisor, and no fork server that starts another")
    forget(kept)
    spoil(kept.state / "jobs.db", b'"value-3"')
    damaged = (kept.state / "jobs.db").read_bytes()
    status, said = run(capsys, "doctor")
    assert status == 1
    counts = re.search(r"(\d) jobs can be read, up to (\d) can't; (\d) jobs? ha\w+ no row", said)
    assert counts, said
    readable, unreadable, folders = map(int, counts.groups())
    assert (readable + folders, unreadable) == (9, folders)
    assert (kept.state / "jobs.db").read_bytes() == damaged
    status, said = run(capsys, "doctor", "--rescue")
    assert status == 0, said
    [aside] = kept.state.glob("jobs.db.damaged-????????-??????")
    assert aside.read_bytes() == damaged
    assert str(aside) in said
    assert [job.result(0) for job in (bg.job(job.uid) for job in jobs)] == [f"value-{number}" for number in range(8)]
    assert sorted(job.id for job in bg.jobs()) == list(range(1, 10))
    assert bg.job(waiting.uid).state == "queued"
    bg.resume()
    assert bg.job(waiting.uid).result(60) == "waiting"
    assert bg.submit("work.echo", {"value": 1}).wait(60).id == 10
    idle(kept)
    assert run(capsys, "doctor")[0] == 0


def _end(place: Place) -> bool:
    """End a supervisor and its fork server, which starts another when its own was killed."""
    for pid in place.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return False


def test_of_a_store_that_is_no_database_any_more_all_comes_from_the_folders(kept, capsys):
    job = bg.submit("work.echo", {"value": {1}}).wait(60)
    idle(kept)
    forget(kept)
    (kept.state / "jobs.db").write_bytes(b"these are somebody's notes " * 1000)
    with pytest.raises(bg.StoreError, match="The file is damaged: `jupyter bgjobs doctor` reports what can be saved"):
        bg.jobs()
    answer = json.loads(run(capsys, "doctor", "--rescue", "--json")[1])
    assert answer["saved"] == 1
    assert Path(answer["aside"]).read_bytes().startswith(b"these are somebody's notes")
    assert bg.job(job.uid).result(0) == {1}


def test_nothing_is_rescued_beside_a_supervisor_or_a_job_that_runs(kept, capsys, tmp_path):
    job = bg.submit("waits.until_there", {"path": str(tmp_path / "go")})
    until(lambda: job.state == "running", "the job running")
    status, said = run(capsys, "doctor", "--rescue")
    assert (status, said.count("\n")) == (1, 1)
    assert "A supervisor is working on" in said
    (tmp_path / "go").touch()
    job.wait(60)


# -- under a living supervisor -------------------------------------------------------------------------------------------


def test_a_supervisor_whose_store_is_damaged_lets_go_and_says_so_and_what_runs_goes_on(kept, capsys, tmp_path):
    job = bg.submit("waits.until_there", {"path": str(tmp_path / "go")})
    until((kept.state / "jobs" / job.uid / "1" / "started.json").exists, "the job running")
    pid = kept.supervisor_pid()
    until(lambda: store(kept, "PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0, "all in the file")
    overwrite(kept.state / "jobs.db", 100, (kept.state / "jobs.db").stat().st_size - 100)
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the supervisor's end")
    assert "malformed" in (kept.state / "damage.json").read_text()
    assert "The supervisor has closed it; running jobs continue." in kept.log("background_jobs_errors.log")
    forget(kept)
    with pytest.raises(bg.StoreError, match="damaged"):
        bg.submit("work.echo", {"value": 1})
    status, said = run(capsys, "doctor", "--rescue")
    assert status == 1
    assert "is running: wait for it to finish, then rescue" in said
    (tmp_path / "go").touch()
    until((kept.state / "jobs" / job.uid / "1" / "outcome.json").exists, "the job's end")
    idle(kept)  # the fork server has waited for it, and has started nothing
    assert run(capsys, "doctor", "--rescue")[0] == 0
    assert bg.job(job.uid).result(0) == "came"


def test_damage_that_only_a_supervisor_meets_is_told_at_the_next_verb_and_what_runs_and_waits_is_saved(kept, capsys, tmp_path):
    job = bg.submit("waits.until_there", {"path": str(tmp_path / "go")})
    until(lambda: job.state == "running", "the job running")
    pid = kept.supervisor_pid()
    until(lambda: store(kept, "PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0, "all in the file")
    [(size,), (page,)] = (
        store(kept, sql)[0] for sql in ("PRAGMA page_size", "SELECT rootpage FROM sqlite_master WHERE name = 'requests'")
    )
    overwrite(kept.state / "jobs.db", (page - 1) * size, size)
    bg.pause("default")
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the supervisor's end")
    doctor = subprocess.run([sys.executable, "-m", "ipybgjobs", "doctor"], capture_output=True, text=True, check=False)
    assert "1 job can be read" in doctor.stdout
    assert kept.log("background_jobs_errors.log").count("has closed it") == 1  # no other supervisor has come meanwhile
    bg.resume("default")
    waiting = bg.submit("work.echo", {"value": 2})
    assert "The file is damaged: `jupyter bgjobs doctor` reports what can be saved" in capsys.readouterr().err
    until(lambda: kept.supervisor_pid() is None, "no supervisor, and none that is started again and again")
    assert locked(kept.state / "jobs.db")
    assert "2 jobs can be read" in run(capsys, "doctor")[1]
    assert locked(kept.state / "jobs.db"), "what reads the file for the doctor leaves the locks of this process alone"
    status, said = run(capsys, "doctor", "--rescue")
    assert (status, "2 jobs of the damaged store" in said) == (0, True), said
    (tmp_path / "go").touch()
    assert waiting.result(60) == 2
    assert job.result(60) == "came"
    assert [each.outcome for each in job.attempts] == ["succeeded"]
    idle(kept)


@pytest.mark.parametrize("client", ["that had it open", "that opens it anew"])
def test_a_write_ahead_log_that_was_removed_loses_no_job_and_the_next_one_runs(kept, tmp_path, client):
    before = bg.submit("work.echo", {"value": 1}).wait(60)
    job = bg.submit("waits.until_there", {"path": str(tmp_path / "go")})
    until(lambda: job.state == "running", "the job running")
    if client == "that opens it anew":
        forget(kept)
    beside = Database(f"{kept.state}/jobs.db", durable=True)  # so that the end of no other folds the log
    (kept.state / "jobs.db-wal").unlink()
    assert bg.submit("work.echo", {"value": 2}).result(60) == 2
    beside.close_stale()
    (tmp_path / "go").touch()
    assert job.result(60) == "came"
    assert before.result(0) == 1
    idle(kept)
    assert store(kept, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("what", ["empty", "gone"])
def test_a_log_whose_database_is_gone_is_kept(kept, tmp_path, what):
    job = bg.submit("waits.until_there", {"path": str(tmp_path / "go")})
    until(lambda: job.state == "running", "the job running")
    content = (kept.state / "jobs.db-wal").read_bytes()
    (tmp_path / "go").touch()
    job.wait(60)
    idle(kept)
    forget(kept)
    for path in kept.state.glob("jobs.db*"):
        path.unlink()
    (kept.state / "jobs.db-wal").write_bytes(content)
    if what == "empty":
        (kept.state / "jobs.db").touch()
    assert len(bg.jobs()) == 0
    [left] = kept.state.glob("jobs.db-wal.left-*")
    assert left.read_bytes() == content


def test_a_store_that_is_moved_away_under_a_living_supervisor_is_followed_by_a_new_one(kept, capsys, tmp_path):
    job = bg.submit("waits.until_there", {"path": str(tmp_path / "go")})
    until(lambda: job.state == "running", "the job running")
    pid = kept.supervisor_pid()
    for path in kept.state.glob("jobs.db*"):
        path.rename(path.with_name(f"old-{path.name}"))
    capsys.readouterr()
    after = bg.submit("work.echo", {"value": 2})  # nobody waits for it, which would start a supervisor
    until((kept.state / "jobs" / after.uid / "1" / "outcome.json").exists, "the next job's end", seconds=20)
    assert "1 job folder in" in capsys.readouterr().err
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the supervisor's end")
    (tmp_path / "go").touch()
    until((kept.state / "jobs" / job.uid / "1" / "outcome.json").exists, "the job's end")
    idle(kept)
    assert run(capsys, "doctor", "--rescue")[0] == 0
    assert bg.job(job.uid).result(0) == "came"


def test_a_state_folder_that_is_moved_away_ends_its_supervisor_without_a_traceback(kept, tmp_path):
    job = bg.submit("waits.until_there", {"path": str(tmp_path / "go")})
    until(lambda: job.state == "running", "the job running")
    pid = kept.supervisor_pid()
    moved = kept.state.rename(tmp_path / "moved")
    until(lambda: not os.path.exists(f"/proc/{pid}"), "the supervisor's end")
    (tmp_path / "go").touch()
    idle(kept)
    assert "Traceback" not in (moved / "supervisor.err").read_text()
