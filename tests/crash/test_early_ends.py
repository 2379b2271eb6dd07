"""A worker that is ended, or ends itself, while it does something other than the method: each is told as what it was."""

import os
import signal

import pytest

import ipybgjobs as bg
from support.place import DEADLINE, until
from support.requests import request_cancel

BUSY = "print('at', os.getpid(), flush=True); time.sleep(300)"


@pytest.fixture
def early(place):
    place.module("early")
    place.allow({"early.Job": ["run"], "early": ["takes"]}, BackgroundJobs__kill_grace_seconds=5.0)
    return place


def at_import(place, code):
    (place.code / "at_import").write_text(code)


def busy(job):
    """The PID of its worker, once it is where it is to be ended."""
    until(lambda: job.log().startswith("at "), "its start")
    return int(job.log().split()[1])


WHERE = {"import": {}, "__init__": {"init": {"do": "sleeps"}}, "method": {"params": {"do": "sleeps"}}}

ENDED = {
    signal.SIGTERM: "Terminated: the process was sent SIGTERM",
    signal.SIGINT: "KeyboardInterrupt",
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("number", ENDED, ids=lambda number: number.name)
def test_a_worker_that_is_sent_a_signal_says_so_wherever_it_is(early, number, where):
    if where == "import":
        at_import(early, BUSY)
    job = bg.submit("early.Job.run", **WHERE[where])
    os.kill(busy(job), number)
    job.wait(DEADLINE)
    assert (job.state, job.attempts[0].outcome, job.error) == ("failed", "error", ENDED[number])


def test_a_job_that_is_cancelled_while_its_module_is_imported_is_cancelled(early):
    at_import(early, f"try:\n    {BUSY}\nexcept KeyboardInterrupt:\n    time.sleep(300)")
    job = bg.submit("early.Job.run")
    busy(job)
    request_cancel(job, 0.3)
    job.wait(DEADLINE)
    assert (job.state, job.attempts[0].outcome, job.error) == ("cancelled", "cancelled", "cancelled")
    assert "Terminated: the process was sent SIGTERM" in job.traceback


@pytest.mark.parametrize("code", [0, None, 3])
def test_a_module_that_exits_as_it_is_imported_has_not_run_the_job(early, code):
    at_import(early, f"sys.exit({code})")
    job = bg.submit("early.Job.run").wait(DEADLINE)
    said = f"InvalidTarget: early can't be imported: SystemExit: sys.exit({code})."
    assert (job.state, job.attempts[0].outcome, job.error) == ("failed", "error", said)


def test_a_parameter_that_exits_as_it_is_loaded_has_not_run_the_job(early):
    os.utime(early.code / "early.py", (1e9, 1e9))  # so that no process of its own has to look, which it would end, too
    import early as module

    job = bg.submit("early.takes", {"value": module.Exits("loading")}).wait(DEADLINE)
    assert (job.state, job.attempts[0].outcome, job.error) == ("failed", "error", "SystemExit: sys.exit(0)")


def test_a_parameter_that_exits_as_a_process_of_its_own_loads_it_is_refused(early):
    import early as module

    said = r"^early\.Job could not be inspected in a separate process: it ended with exit code 0\.$"
    with pytest.raises(bg.InvalidTarget, match=said):
        bg.submit("early.Job.run", {"value": module.Exits("loading")})


def test_a_result_that_exits_as_it_is_pickled_is_one_that_can_not_be_kept(early):
    job = bg.submit("early.Job.run", {"do": "can't be pickled"}).wait(DEADLINE)
    assert (job.state, job.error) == (
        "succeeded",
        "its return value (early.Exits) could not be saved: SystemExit: sys.exit(0)",
    )


def test_a_class_that_exits_at_submit_refuses(early):
    with pytest.raises(bg.InvalidParameters, match=r"^Job\.run\(\) refuses: sys\.exit\(0\)$"):
        bg.submit("early.Job.run", {"do": "exits at submit"})
    assert bg.jobs() == []


def test_a_worker_that_is_sent_signals_as_it_writes_its_outcome_has_written_it(early):
    job = bg.submit("early.Job.run", {"do": "is ended as it writes its outcome"}).wait(DEADLINE)
    assert (job.state, job.attempts[0].outcome, job.error) == ("succeeded", "succeeded", None)
