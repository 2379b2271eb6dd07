"""Jobs that misbehave: each ends with exactly one outcome, frees its slot, and harms nothing but itself."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

import ipybgjobs as bg
from support.jobs import functions
from support.place import until

NAMES = functions("hostile")


@pytest.fixture
def hostile(shared_place):
    shared_place.module("hostile")
    shared_place.allow({"hostile": NAMES}, BackgroundJobs__idle_seconds=0.1, BackgroundJobs__exit_grace_seconds=0.5)
    return shared_place


@pytest.fixture
def hostile_alone(place):
    """The same in a place of its own."""
    place.module("hostile")
    place.allow({"hostile": NAMES}, BackgroundJobs__idle_seconds=0.1, BackgroundJobs__exit_grace_seconds=0.5)
    return place


def ended(name, params=None, **options):
    """Submit, wait, and check that one attempt has one outcome."""
    job = bg.submit(f"hostile.{name}", params, **options).wait(60)
    [attempt] = job.attempts
    return job, attempt


# -- ends without a word ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_that_leaves_without_a_word_is_lost(hostile, code):
    job, attempt = ended("leaves", {"code": code})
    assert (job.state, attempt.outcome, attempt.exit_code, attempt.signal) == ("failed", "lost", code, None)
    with pytest.raises(bg.JobLost, match=f"exited with code {code} without reporting an outcome"):
        job.result(60)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_a_job_that_is_killed_is_lost_and_the_signal_is_shown(hostile, number):
    job, attempt = ended("kills_itself", {"number": int(number)})
    assert (attempt.outcome, attempt.exit_code, attempt.signal) == ("lost", None, number)
    assert re.fullmatch(rf"the process was killed by signal {int(number)} \({number.name}\), peak memory [\d.]+ MB", job.error)
    assert job.traceback == "Its last lines:\nbefore\n"
    assert job.log() == "before\n"


def test_a_job_that_crashes_in_c_is_lost(hostile):
    job, attempt = ended("crashes")
    assert (attempt.outcome, attempt.signal) == ("lost", signal.SIGSEGV)
    assert job.log().startswith("before\n")


def test_a_lost_attempt_counts_and_is_retried_by_rule(hostile):
    job = bg.submit("hostile.kills_itself", {"number": 9}, retry={"max_attempts": 2, "delay_seconds": 0}).wait(60)
    assert [attempt.outcome for attempt in job.attempts] == ["lost", "lost"]


# -- sys.exit ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, None])
def test_a_job_that_exits_with_zero_has_succeeded(hostile, code):
    job, attempt = ended("exits", {"code": code})
    assert (job.state, job.result(60), attempt.exit_code) == ("succeeded", None, 0)


@pytest.mark.parametrize("code", [3, "text", 256, -1])
def test_a_job_that_exits_with_another_code_has_failed(hostile, code):
    job, attempt = ended("exits", {"code": code})
    assert (job.state, attempt.outcome, job.error) == ("failed", "error", f"SystemExit: sys.exit({code!r})")
    with pytest.raises(SystemExit) as caught:
        job.result(60)
    assert caught.value.code == code


# -- return values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "words", "representation"),
    [
        ("lock", "_thread.lock) could not be saved: TypeError", "<unlocked _thread.lock"),
        ("generator", "(generator) could not be saved", "<generator object"),
        ("bad repr", "(list) could not be saved", "<list, whose repr raises RuntimeError>"),
        ("bad reduce", "BadReduce) could not be saved: OSError", "<hostile.BadReduce object"),
    ],
)
def test_a_return_value_that_can_not_be_kept_leaves_its_repr(hostile, what, words, representation):
    job, attempt = ended("returns", {"what": what})
    assert (job.state, attempt.outcome, attempt.exit_code) == ("succeeded", "succeeded", 0)
    assert words in attempt.error
    with pytest.raises(bg.ResultNotKept, match=re.escape(words)) as caught:
        job.result(60)
    assert caught.value.representation.startswith(representation)


def test_a_return_value_that_can_not_be_loaded_says_so(hostile):
    job, _ = ended("returns", {"what": "bad load"})
    assert job.state == "succeeded"
    with pytest.raises(bg.ResultNotKept, match="can't be loaded here: ValueError"):
        job.result(60)


def test_a_return_value_that_raises_whatever_it_is_asked_is_one_that_can_not_be_kept(hostile):
    job, attempt = ended("gives", {"kind": "Proxy"})
    assert (job.state, attempt.outcome) == ("succeeded", "succeeded")
    with pytest.raises(bg.ResultNotKept, match=r"\(hostile\.Proxy\) could not be saved: RuntimeError: unbound"):
        job.result(60)


def test_what_exits_as_it_is_loaded_does_not_end_who_asks_for_it(hostile):
    job, _ = ended("gives", {"kind": "ExitsAsLoaded"})
    with pytest.raises(bg.ResultNotKept, match="can't be loaded here: SystemExit: 3"):
        job.result(60)
    job, _ = ended("throws", {"kind": "ExitsAsLoaded"})
    with pytest.raises(bg.JobFailed, match="ExitsAsLoaded: as it is loaded"):
        job.result(60)
    import hostile as module

    job, _ = ended("square", {"number": module.ExitsAsLoaded("as a parameter")})
    with pytest.raises(bg.ParametersNotLoaded, match="SystemExit: 3"):
        _ = job.params


@pytest.mark.parametrize(
    ("what", "is_right"),
    [
        ("huge", lambda value: value == 10**5000),
        ("huge inside", lambda value: value == [10**5000]),
        ("surrogate", lambda value: value == "\udcff"),
        ("recursive", lambda value: value[0] is value),
        ("nan", lambda value: value != value),  # noqa: PLR0124 - nan alone differs from itself
        ("long", lambda value: value == "x" * 10_000_000),
        ("lambda", lambda value: value() == 42),
        ("loop", lambda value: value[0] == 1),
    ],
)
def test_a_strange_return_value_comes_back(hostile, what, is_right):
    job, attempt = ended("returns", {"what": what})
    assert (attempt.outcome, attempt.exit_code) == ("succeeded", 0)
    assert is_right(job.result(60))


# -- exceptions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("unpicklable", "Pickles: kept as text"),
        ("picky", "Picky: 1 and 2"),
        ("mute", "Mute: <its message could not be shown: RuntimeError>"),
        ("bad code", "SystemExit: "),
        ("huge", "ValueError: <its message could not be shown: ValueError>"),
    ],
)
def test_an_exception_that_can_not_be_sent_leaves_its_text(hostile, what, error):
    job, attempt = ended("raises", {"what": what})
    assert (job.state, attempt.outcome) == ("failed", "error")
    assert job.error.startswith(error)
    assert ", in raises" in job.traceback
    with pytest.raises(BaseException) as caught:
        job.result(60)
    if what in ("unpicklable", "picky"):
        assert type(caught.value) is bg.JobFailed
        assert error in str(caught.value)


def test_an_exception_of_a_type_that_can_not_be_imported_here_leaves_its_text(hostile_alone, monkeypatch):
    (hostile_alone.root / "there").mkdir()
    (hostile_alone.root / "there" / "only_there.py").write_text("class Error(Exception): pass\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(hostile_alone.root / "there"))
        job, _ = ended("raises", {"what": "unimportable"})
    with pytest.raises(bg.JobFailed, match="Error: from there") as caught:
        job.result(60)
    assert "only_there.Error: from there" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("deep", RecursionError),
        ("memory", MemoryError),
        ("exhausted", MemoryError),
        ("surrogate", ValueError),
        ("lines", ValueError),
        ("nul", ValueError),
        ("long", ValueError),
        ("base", BaseException),
        ("interrupt", KeyboardInterrupt),
        ("group", ExceptionGroup),
    ],
)
def test_an_exception_of_any_kind_is_recorded_in_one_line_and_raised_again(hostile, what, kind):
    job, attempt = ended("raises", {"what": what})
    assert (job.state, attempt.outcome) == ("failed", "error")
    assert job.error.startswith(kind.__name__)
    assert job.error.isprintable()
    assert len(job.error) < 1000
    with pytest.raises(BaseException) as caught:
        job.result(60)
    assert type(caught.value) is kind


# -- streams and descriptors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["fd 1", "every fd", "sys.stdout", "both", "none"])
def test_a_job_that_closes_its_streams_still_ends(hostile, what):
    job, attempt = ended("closes", {"what": what})
    assert (job.state, job.result(60), attempt.exit_code) == ("succeeded", what, 0)
    assert job.log().startswith("before\n")


@pytest.mark.parametrize("what", ["fd 1", "every fd", "both", "none"])
def test_a_job_that_closes_its_streams_can_still_fail(hostile, what):
    job, _ = ended("fails_after_closing", {"what": what})
    assert job.error == "ValueError: after closing"
    assert "in fails_after_closing" in job.traceback


def test_output_of_two_hundred_megabytes_is_there_where_it_may_be_and_its_end_is_read_quickly(hostile_alone):
    hostile_alone.allow({"hostile": NAMES}, BackgroundJobs__idle_seconds=0.1, BackgroundJobs__max_output_bytes=None)
    job, _ = ended("prints", {"megabytes": 200, "line": "x" * 99})
    began = time.monotonic()
    assert job.log(tail=1) == "the last line\n"
    assert job.log(tail=2) == "x" * 99 + "\nthe last line\n"
    assert time.monotonic() - began < 1
    assert len(job.log()) == 200_000_000 + len("the last line\n")


def test_the_end_of_one_very_long_line_is_read_quickly(hostile):
    job, _ = ended("prints_one_line", {"megabytes": 16})
    began = time.monotonic()
    assert job.log(tail=1) == "x" * 16_000_000
    assert time.monotonic() - began < 1


def test_output_that_is_no_utf_8_is_shown(hostile):
    job, _ = ended("prints_bytes")
    assert job.log() == "caf\\xe9 \\xff\\xfe \\xf0\\x9f\n\\udcff ✓\n"


@pytest.mark.parametrize("way", ["fork", "fresh process"])
def test_output_of_c_code_and_child_processes_is_there_in_order(hostile, monkeypatch, way):
    waiting = bg.submit("hostile.prints_from_everywhere", delay="1h")  # its supervisor stays
    until(hostile.supervisor_pid, "a supervisor")
    if way == "fresh process":
        monkeypatch.setenv("PYTHONHASHSEED", "7")
    job, attempt = ended("prints_from_everywhere")
    waiting.cancel()
    assert attempt.launched_by == way
    assert job.log().splitlines() == [
        "1 python",
        "2 C",
        "3 python",
        "4 child",
        "5 C without a new line",
        "6 error",
        "7 shell",
        "8 C",
    ]


def test_warnings_logging_and_redirected_output_are_as_anywhere(hostile):
    job, _ = ended("swaps_streams")
    assert job.log() == "shown held back\n"
    job, _ = ended("warns_and_logs")
    assert "UserWarning: be warned" in job.log()
    assert "WARNING:root:logged" in job.log()


@pytest.mark.parametrize("what", ["input", "readline", "for", "breakpoint"])
def test_a_job_that_asks_the_keyboard_is_told_that_there_is_none(hostile, what):
    job, attempt = ended("asks", {"what": what})
    assert attempt.outcome == "error"
    assert "A background job has no keyboard: pass the value as a parameter" in job.error


def test_standard_input_is_empty(hostile):
    job, _ = ended("reads_descriptor")
    assert job.result(60) == ""


# -- the job's own error, whatever it has used up or made odd --------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("descriptors", "OSError: .*Too many open files.*"),
        ("every descriptor there may be", "OSError: .*Too many open files.*"),
        ("memory that no frame holds", "MemoryError: all of it"),
        ("notes", "Noted: odd"),
        ("links", "Unlinked: odd"),
    ],
)
def test_a_job_that_leaves_nothing_to_write_with_or_raises_what_can_not_be_looked_at_fails_by_its_own_error(hostile, what, error):
    job, attempt = ended("uses_up", {"what": what})
    assert (attempt.outcome, attempt.exit_code) == ("error", 1)
    assert re.fullmatch(error, attempt.error)
    assert re.search(error, attempt.traceback)
    assert error.partition(":")[0] in job.log()


@pytest.mark.parametrize("name", ["RLIMIT_NOFILE", "RLIMIT_FSIZE"])
def test_a_job_that_lowers_a_limit_of_its_process_can_still_say_how_it_ended(hostile, name):
    job, attempt = ended("lowers_a_limit", {"name": name, "then": "returns"})
    assert (attempt.outcome, job.result(60)) == ("succeeded", ("kept", "apart"))
    job, attempt = ended("lowers_a_limit", {"name": name, "then": "raises"})
    assert (attempt.outcome, attempt.error) == ("error", "ValueError: its own")


def test_a_job_that_may_no_longer_write_its_outcome_is_said_to_have_given_up_the_right(hostile):
    job, attempt = ended("gives_up_its_rights")
    assert attempt.outcome == "lost"
    assert job.error.startswith("its outcome could not be written: its process may no longer write there")


def test_a_long_chain_of_exceptions_is_recorded_at_once_with_its_two_ends(hostile):
    began = time.monotonic()
    job, attempt = ended("raises_a_chain", {"length": 20_000})
    assert time.monotonic() - began < 8
    assert (attempt.outcome, attempt.error) == ("error", "KeyError: 19999")
    assert len(re.findall(r"^KeyError: \d+$", attempt.traceback, re.MULTILINE)) == 19
    assert "ValueError: the first" in attempt.traceback
    assert "19,981 more exceptions in this chain are omitted here" in attempt.traceback
    assert attempt.traceback in job.log()


def test_a_large_group_of_exceptions_is_recorded_at_once(hostile):
    began = time.monotonic()
    _, attempt = ended("raises_a_group", {"size": 200_000})
    assert time.monotonic() - began < 8
    assert "199,985 more exceptions in this group are omitted here" in attempt.traceback


# -- processes and threads --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("child_waits", [0, 0.4])
def test_a_job_that_forks_and_returns_twice_has_one_outcome(hostile_alone, child_waits):
    job, attempt = ended("forks", {"child_waits": child_waits})
    until(lambda: not hostile_alone.processes(), "the end of the child")
    assert sorted(job.log().split()) == ["child", "parent"]
    assert (attempt.outcome, job.result(60), len(job.attempts)) == ("succeeded", "parent", 1)


def test_a_failure_in_a_fork_is_not_the_jobs(hostile):
    job, attempt = ended("forks_and_the_child_fails")
    assert (job.result(60), attempt.outcome) == ("parent", "succeeded")


ENDS = ["returns", "raises", "is interrupted", "leaves a thread", "sys.exit(3)", "sys.exit(0)", "sys.exit(None)",
        "sys.exit('bye')", "sys.exit(259)", "sys.exit(True)"]  # fmt: skip


def test_a_fork_in_a_job_ends_as_the_fork_of_a_script_does(hostile_alone):
    hostile_alone.module("forked")
    script = hostile_alone.module("fork_script")
    jobs = [bg.submit("hostile.forks_and_the_child_ends", {"how": how}) for how in ENDS]
    for how, job in zip(ENDS, jobs, strict=True):
        plain = subprocess.run([sys.executable, script, how], capture_output=True, text=True, check=False, cwd=script.parent)
        expected, _, status = plain.stdout.rpartition("status ")
        assert job.result(60) == int(status), how
        assert _without_frames(job.log()) == _without_frames(plain.stderr + expected), how


def _without_frames(text):
    """The lines that a process printed, but for the frames of a traceback, which lead to the fork in another way."""
    return sorted(line for line in text.splitlines() if not line.startswith("  "))


def test_a_fork_that_stays_behind_records_nothing(hostile_alone):
    job, attempt = ended("forks_and_vanishes")
    until(lambda: not hostile_alone.processes(), "the end of the child")
    assert (job.state, attempt.outcome, job.attempts) == (
        "failed",
        "lost",
        [replace(attempt, origin_id=job.attempts[0].origin_id)],
    )


def test_a_fork_that_is_told_to_end_at_once_ends_as_it_would_anywhere(hostile):
    job, _ = ended("ends_its_forks", {"times": 200})
    assert job.result(60) == "all ended"


@pytest.mark.parametrize(
    ("module", "name", "call", "outcome"),
    [
        ("worker.run", "_leave_if_fork", 1, "error"),
        ("worker.outcome", "succeeded", 1, "error"),
        ("worker.run", "_leave_if_fork", 2, "error"),
        ("state.current_job", "finish", 1, "succeeded"),
        ("system.private_file", "write_json", 1, "succeeded"),
        ("system.worker", "linger_while_ending", 1, "succeeded"),
    ],
)
def test_an_interrupt_as_a_job_ends_is_told_or_too_late(hostile, module, name, call, outcome):
    job, attempt = ended("is_interrupted_as_it_ends", {"module": module, "name": name, "call": call})
    assert (attempt.outcome, attempt.error) == (outcome, None if outcome == "succeeded" else "KeyboardInterrupt")
    assert job.log().splitlines()[0] == "nearly done"
    assert ("Traceback" in job.log()) == (outcome == "error")


@pytest.mark.parametrize("name", ["leaves_threads", "hangs_at_exit"])
def test_threads_and_handlers_that_never_end_hold_the_slot_for_the_grace_alone(hostile_alone, name):
    hostile_alone.allow(
        {"hostile": NAMES},
        BackgroundJobs__queues={"default": 1},
        BackgroundJobs__idle_seconds=0.1,
        BackgroundJobs__exit_grace_seconds=0.5,
    )
    job = bg.submit(f"hostile.{name}")
    after = bg.submit("hostile.exits", {"code": 0})
    assert job.result(60) == "returned"
    assert job.attempts[0].outcome == "succeeded"
    assert after.wait(60).attempts[0].started_at >= job.attempts[0].ended_at >= job.attempts[0].started_at + 0.5


def test_a_daemon_left_behind_does_not_hold_the_job(hostile):
    job, _ = ended("leaves_a_daemon")
    daemon = job.result(60)
    assert pathlib.Path(f"/proc/{daemon}").exists()
    os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works_inside_a_job(hostile, method):
    job, _ = ended("has_children", {"method": method})
    assert job.result(60) == [0, 1, 4, 9]
    assert sorted(job.log().splitlines()) == [f"child {number}" for number in range(4)]


def test_a_job_that_ignores_every_signal_still_ends_by_itself(hostile):
    job, _ = ended("sets_signals")
    assert job.result(60) == "ignored"


def test_a_job_that_changes_folder_mask_path_and_variables_still_ends(hostile):
    job, _ = ended("wanders", {"folder": "/"})
    assert job.result(60) == "/"
    assert bg.submit("hostile.reads_descriptor").result(60) == ""
