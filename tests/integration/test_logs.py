"""background_jobs.log and background_jobs_errors.log."""

import os
import re
import signal
import stat

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.store import supervisors
from support.place import ALLOWED, DEADLINE, running, until
from support.processes import worker

ERRORS = "background_jobs_errors.log"
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (INFO|WARNING|ERROR) job \d+ .*")


def lines(text):
    assert text.endswith("\n")
    return text.split("\n")[:-1]


def log(folder, name="background_jobs.log"):
    path = folder / name
    return path.read_text() if path.exists() else ""


def end_of(path):
    return path.read_bytes()[-2000:].decode()


def notices():
    client = client_module.client()
    return [each.notices.to_text() for each in supervisors.read_all(client.database(client.folder()))]


@pytest.fixture
def logs(place):
    """Configure the logs by traits; the supervisor ends soon."""

    def configure(**traits):
        place.allow(ALLOWED, BackgroundJobs__idle_seconds=0.1, **{f"JobLogs__{name}": value for name, value in traits.items()})
        return place

    configure()
    return configure


@pytest.fixture
def staying(logs):
    """A supervisor that stays."""
    waiting = bg.submit("work.echo", {"value": 1}, delay="1h")
    assert bg.submit("work.echo", {"value": 1}).result(60) == 1
    yield logs
    waiting.cancel()


def test_what_happens_to_a_job_is_recorded(logs):
    place = logs()
    job = bg.submit("work.Trainer.fit", {"epochs": 1}, init={"lr": 0.5}).wait(60)
    call = "work.Trainer(lr=0.5).fit(epochs=1)"
    wanted = [f"job {job.id} attempt 1 of 1 {call} started", f"job {job.id} attempt 1 of 1 {call} succeeded"]
    until(lambda: "succeeded" in place.log(), "the last record")
    assert [line.partition(" INFO ")[2] for line in lines(place.log())] == wanted
    assert place.log(ERRORS) == ""


def test_a_failure_is_in_both_files_with_its_traceback(logs):
    place = logs()
    bg.submit("work.Trainer.fail", {"message": "no data"}).wait(60)
    until(lambda: place.log(ERRORS).endswith("\n"), "the record")
    [line] = lines(place.log(ERRORS))
    assert RECORD.fullmatch(line)
    assert "work.Trainer.fail(message='no data') failed (error): ValueError: no data | Traceback (most recent call last):" in line
    assert ", in fail\\n" in line
    assert line.endswith("ValueError: no data")
    assert lines(place.log())[-1] == line


def test_a_failure_that_is_tried_again_says_when(logs):
    place = logs()
    retry = {"max_attempts": 2, "delay_seconds": "300ms"}
    bg.submit("work.once_failing", {"marker": str(place.root / "marker")}, retry=retry).wait(60)
    until(lambda: "succeeded" in place.log(), "the last record")
    assert "attempt 1 of 2" in place.log(ERRORS)
    assert "; next attempt in 0.3 s" in place.log(ERRORS)
    assert "attempt 2 of 2" in lines(place.log())[-1]


TEXTS = ["a\nb", "a\r\nb", "a\x1b[31mb", "a\u2028b\x85c", "a\udcffb", "a\0b", "%s %(x)s {0}", "a" * 100_000]


@pytest.mark.crash
def test_every_record_is_one_line_whatever_stands_in_it(logs):
    place = logs()
    for text in TEXTS:
        bg.submit("work.echo", {"value": text}).wait(60)
        bg.submit("work.Trainer.fail", {"message": text}).wait(60)
    until(lambda: place.log(ERRORS).count("\n") >= len(TEXTS) and place.log(ERRORS).endswith("\n"), "the records")
    assert len(lines(place.log())) == 4 * len(TEXTS)
    assert len(lines(place.log(ERRORS))) == len(TEXTS)
    for line in lines(place.log()) + lines(place.log(ERRORS)):
        assert RECORD.fullmatch(line)
        assert line.isprintable()


def test_the_end_of_an_attempts_time_is_recorded(logs):
    place = logs()
    bg.submit("work.Trainer.sleep", timeout=1).wait(60)
    until(lambda: "timeout" in place.log(ERRORS), "the record")
    assert "failed (timeout): took longer than its timeout" in lines(place.log())[-1]


def test_what_users_ask_for_is_recorded_before_what_comes_of_it(logs):
    place = logs()
    job = running(bg.submit("work.Trainer.sleep", delay="1h").cancel().retry()).cancel()
    call = "work.Trainer.sleep()"
    wanted = [
        f"job {job.id} was cancelled before it started",
        f"job {job.id} queued for a manual retry",
        f"job {job.id} attempt 1 of 1 {call} started",
        f"job {job.id} attempt 1 of 1 {call} was cancelled",
    ]
    until(lambda: f"{call} was cancelled" in place.log(), "the last record")
    assert [line.partition(" INFO ")[2] for line in lines(place.log())] == wanted


def test_files_are_rotated_at_their_size(logs):
    place = logs(max_bytes=600, backup_count=2)
    for number in range(8):
        bg.submit("work.echo", {"value": number}).wait(60)
    until(lambda: "value=7) succeeded" in place.log(), "the last record")
    files = sorted((place.state / "logs").iterdir())
    assert [file.name for file in files] == ["background_jobs.log", "background_jobs.log.1", "background_jobs.log.2"]
    assert all(0 < file.stat().st_size <= 600 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    whole = lines("".join(file.read_text() for file in reversed(files)))
    assert all(RECORD.fullmatch(line) for line in whole)
    assert whole == sorted(whole)


@pytest.mark.parametrize(("level", "counts"), [("ERROR", (1, 1)), ("warning", (1, 1)), ("INFO", (4, 1)), ("DEBUG", (4, 1))])
def test_the_level_decides_what_the_first_file_records(logs, level, counts):
    place = logs(level=level)
    bg.submit("work.echo", {"value": 1}).wait(60)
    bg.submit("work.Trainer.fail").wait(60)
    until(lambda: place.log(ERRORS).endswith("\n"), "the record")
    assert (len(lines(place.log())), len(lines(place.log(ERRORS)))) == counts


@pytest.mark.parametrize(
    ("style", "pattern"),
    [
        ("%(levelname)s|%(message)s", r"INFO\|job 1 attempt 1 of 1 work\.echo\(value=1\) started"),
        ("%(message)s\n%(levelname)s", r"job 1 .* started\\nINFO"),
        ("%(asctime)s [%(process)d] %(message)s", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \[\d+\] job 1 .* started"),
    ],
)
def test_the_format_is_kept_on_one_line(logs, style, pattern):
    place = logs(format=style)
    bg.submit("work.echo", {"value": 1}).wait(60)
    until(lambda: "succeeded" in place.log(), "the last record")
    assert re.fullmatch(pattern, lines(place.log())[0])


def test_the_files_are_in_the_folder_that_is_asked_for(logs, monkeypatch):
    place = logs(directory="~/a/b")
    monkeypatch.setenv("HOME", str(place.root))
    bg.submit("work.Trainer.fail").wait(60)
    folder = place.root / "a" / "b"
    until(lambda: log(folder, ERRORS).endswith("\n"), "the record")
    assert sorted(path.name for path in folder.iterdir()) == ["background_jobs.log", ERRORS]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert place.log() == ""


def test_a_job_that_never_started_is_recorded_where_the_configuration_says(logs):
    place = logs(directory=str(logs().root / "elsewhere"))
    job = bg.submit("work.echo", {"value": 1}, delay="1h").cancel()
    until(lambda: f"job {job.id} was cancelled before it started" in log(place.root / "elsewhere"), "the record", 10)


def test_changed_settings_count_for_the_next_job_without_a_restart(staying):
    place = staying(directory=str(staying().root / "elsewhere"), format="NEW %(message)s")
    pid = place.supervisor_pid()
    bg.submit("work.echo", {"value": 2}).wait(60)
    until(lambda: "succeeded" in log(place.root / "elsewhere"), "the record")
    assert [line[:4] for line in lines(log(place.root / "elsewhere"))] == ["NEW ", "NEW "]
    assert "value=2" not in place.log()
    assert place.supervisor_pid() == pid


def test_a_folder_that_can_not_be_written_harms_no_job_and_is_told(staying):
    place = staying(directory=str(staying().root / "blocked" / "logs"))
    (place.root / "blocked").write_text("a file in the place of the folder")
    assert bg.submit("work.echo", {"value": 2}).result(60) == 2
    assert bg.submit("work.Trainer.fail").wait(60).error == "ValueError: broken"
    [notice] = until(lambda: all(notices()) and notices(), "the notice", 15)
    assert re.fullmatch(r".*blocked/logs/background_jobs(_errors)?\.log can't be written: .*", notice)
    (place.root / "blocked").unlink()
    assert bg.submit("work.echo", {"value": 3}).result(60) == 3
    until(lambda: "value=3) succeeded" in log(place.root / "blocked" / "logs"), "the record")
    until(lambda: notices() == [None], "the end of the notice", 15)


def test_a_broken_record_can_not_be_forged(logs):
    place = logs()
    forged = "x\n2030-01-01 00:00:00,000 INFO job 99 attempt 1 of 1 work.echo() succeeded"
    bg.submit("work.Trainer.fail", {"message": forged}).wait(60)
    until(lambda: place.log(ERRORS).endswith("\n"), "the record")
    assert not [line for line in lines(place.log()) + lines(place.log(ERRORS)) if line.startswith("2030")]


@pytest.mark.crash
def test_an_end_that_a_supervisor_recorded_and_did_not_live_to_tell_is_told_once_by_the_next(place):
    log, errors = place.state / "logs" / "background_jobs.log", place.state / "logs" / "background_jobs_errors.log"
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    failed = bg.submit("work.Trainer.fail", {"message": "broken"}).wait(DEADLINE)
    until(lambda: not place.processes(), "the supervisor's end")
    ends = [line for line in log.read_text().splitlines() if "job 2 attempt 1 of 1" in line and "failed" in line]
    assert len(ends) == 1
    log.write_text(log.read_text().replace(f"{ends[0]}\n", ""))  # it died before this line
    errors.unlink()
    for number in (3, 4):
        bg.submit("work.echo", {"value": number}).wait(DEADLINE)
        until(lambda: not place.processes(), "the supervisor's end")
    told = [line for line in log.read_text().splitlines() if "job 2 attempt 1 of 1" in line and "failed" in line]
    assert [line.partition("ERROR")[2] for line in told] == [ends[0].partition("ERROR")[2]]
    assert "ValueError: broken" in errors.read_text()
    assert log.read_text().count("job 1 attempt 1 of 1") == 2
    failed.remove()


@pytest.mark.crash
@pytest.mark.parametrize("configuration", ["slow", "broken"])
def test_no_file_is_rotated_by_a_supervisor_that_has_not_read_the_configuration_yet(place, configuration):
    place.module("hold")
    place.allow({"hold": ["hold"]}, JobLogs__max_bytes=0)
    log, read = place.state / "logs" / "background_jobs.log", place.root / "read"
    job = bg.submit("hold.hold", {"path": str(place.root / "release")})
    until(lambda: job.state == "running" and worker(place, job.id), "the start")
    os.kill(place.supervisor_pid(), signal.SIGKILL)
    with log.open("a") as file:
        file.write("x" * 6_000_000 + "\n")  # more than what is rotated by default
    first = f"import os, time\nwhile not os.path.exists({str(read)!r}): time.sleep(0.05)" if configuration == "slow" else "1 / 0"
    good = place.config_file.read_text()
    place.config_file.write_text(f"{first}\n{good}")
    (place.root / "release").touch()
    until(lambda: job.state == "succeeded", "the end of the attempt")
    assert log.stat().st_size > 6_000_000
    read.touch()
    until(lambda: "attempt 1 of 1 hold.hold(" in end_of(log) and "succeeded" in end_of(log), "the line")
    assert not log.with_name("background_jobs.log.1").exists()
    place.config_file.write_text(good)
    bg.submit("hold.hold", {"path": str(read)}).wait(DEADLINE)  # so that the supervisor knows when it is to end


def test_an_end_that_nobody_told_is_told_where_the_configuration_says_and_nowhere_else(place):
    mine = place.root / "mine"
    place.allow(ALLOWED, JobLogs__directory=str(mine))
    bg.submit("work.echo", {"value": 1}).wait(DEADLINE)
    until(lambda: not place.processes(), "the supervisor's end")
    log = mine / "background_jobs.log"
    log.write_text("".join(line for line in log.read_text().splitlines(keepends=True) if "succeeded" not in line))
    bg.submit("work.echo", {"value": 2}).wait(DEADLINE)
    until(lambda: not place.processes(), "the supervisor's end")
    assert "job 1 attempt 1 of 1 work.echo(value=1) succeeded" in log.read_text()
    assert not list((place.state / "logs").glob("background_jobs*.log"))


@pytest.mark.crash
def test_an_attempt_that_is_to_be_retried_and_whose_end_nobody_told_is_told_by_the_next_supervisor(place):
    place.allow(ALLOWED, RetryPolicy__delay_seconds=3600.0)
    log = place.state / "logs" / "background_jobs.log"
    job = bg.submit("work.Trainer.fail", retry=2)
    until(lambda: "job 1 attempt 1 of 2" in place.log() and "failed (error)" in place.log(), "the end of the first attempt")
    log.write_text("".join(line for line in log.read_text().splitlines(keepends=True) if "failed (error)" not in line))
    assert "failed (error)" not in place.log()
    os.kill(place.supervisor_pid(), signal.SIGKILL)
    assert job.state == "retrying"
    until(lambda: "job 1 attempt 1 of 2" in place.log() and "failed (error)" in place.log(), "the line")
    job.cancel()
