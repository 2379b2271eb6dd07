"""What a job records, and its progress, under interrupts, kills and a full disk: nothing lost, nothing half-written."""

import itertools
import os
import signal

import pytest

import ipybgjobs as bg
from ipybgjobs.state import attempt, current_job, recorded_values, recording, throttled_file
from ipybgjobs.system import private_file
from support.interrupts import Interrupt
from support.place import DEADLINE, until


@pytest.fixture
def quick(monkeypatch):
    """Files are written fifty times a second."""
    monkeypatch.setattr(throttled_file, "INTERVAL", 0.02)


def values(folder):
    return recorded_values.of_attempt(str(folder))


@pytest.mark.parametrize("since", ["a moment", "long"])
def test_an_interrupt_at_any_call_of_a_record_loses_no_value_and_stops_no_later_write(tmp_path, quick, since):
    """It comes while the values are written, or while a thread is started that writes them a little later."""
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        folder.mkdir()
        recorder = recording.Recorder(str(folder))
        recorder.take({"old": 0})
        if since == "long":
            recorder._file._written_at = 0.0
        interrupt = Interrupt(number, "call")
        stopped = interrupt.during(lambda recorder=recorder: recorder.take({"word": "new"}))
        recorder.flush()
        found = values(folder)
        assert found in ({"old": 0}, {"old": 0, "word": "new"}), interrupt.where
        recorder.take({"next": 1})
        until(lambda folder=folder: "next" in values(folder), f"the next value, after an interrupt in {interrupt.where}", 5)
        assert values(folder) == {**found, "next": 1}, f"{interrupt.where}: what was recorded was not written"
        assert os.listdir(folder) == [attempt.VALUES], interrupt.where
        if stopped is None:
            break
    assert found == {"old": 0, "word": "new"}
    assert number > 3


def test_an_interrupt_at_any_call_of_a_report_of_progress_loses_no_message(tmp_path, quick):
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        folder.mkdir()
        reporter = current_job.Reporter(str(folder))
        interrupt = Interrupt(number, "call")
        stopped = interrupt.during(lambda reporter=reporter: reporter.say("new"))
        reporter.flush()
        message = (private_file.read_json(str(folder), attempt.PROGRESS) or {}).get("message", "")
        assert message == reporter._message, interrupt.where
        if stopped is None:
            break
    assert message == "new"
    assert number > 3


@pytest.mark.parametrize("call", ["write", "replace"])
def test_a_process_killed_while_it_writes_a_value_leaves_the_earlier_ones(tmp_path, call):
    private_file.write_json(str(tmp_path), attempt.VALUES, {"old": 0})
    pid = os.fork()
    if pid == 0:
        recorder = recording.Recorder(str(tmp_path))
        setattr(os, call, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        recorder.take({"new": 1})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert values(tmp_path) == {"old": 0}


def test_values_recorded_while_the_disk_is_full_are_written_once_there_is_space(place):
    """A limit on the size of files stands for the disk."""
    place.module(
        "filled",
        """
        import json, os, resource, signal
        import ipybgjobs as bg

        def run():
            bg.record(first=1)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
            bg.record(second="x" * 500)
            from ipybgjobs.state import current_job
            current_job.finish()
            with open(f"{bg.current_job().folder}/values.json") as file:
                meanwhile = json.load(file)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            return meanwhile
        """,
    )
    place.allow({"filled": ["run"]})
    job = bg.submit("filled.run").wait(DEADLINE)
    assert job.result() == {"first": 1}
    assert job.values == {"first": 1, "second": "x" * 500}
