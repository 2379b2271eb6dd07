"""The main road: submit, wait, result, log, from one process and from the next."""

import subprocess
import sys

import pytest

import ipybgjobs as bg
from support.place import until


def test_a_job_returns_what_its_method_returned(place):
    job = bg.submit("work.Trainer.fit", {"epochs": 2}, init={"lr": 0.5})
    assert job.result(60) == {"epochs": 2, "lr": 0.5}
    assert job.state == "succeeded"
    assert job.log() == "epoch 0\nepoch 1\n"
    assert [(a.number, a.outcome, a.exit_code, a.launched_by) for a in job.attempts] == [(1, "succeeded", 0, "fork")]


def test_another_process_sees_the_same_job(place):
    job = bg.submit("work.Trainer.fit", {"epochs": 1}, name="tomorrow").wait(60)
    script = "import ipybgjobs as bg; j = bg.job('tomorrow'); print(j.uid, j.result(), j.log())"
    seen = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert seen.stdout == f"{job.uid} {{'epochs': 1, 'lr': 0.1}} epoch 0\n\n"


def test_the_supervisor_ends_when_idle_and_comes_back(place):
    assert bg.submit("work.echo", {"value": 1}).result(60) == 1
    until(lambda: not place.processes(), "the end of the supervisor")
    assert bg.submit("work.echo", {"value": 2}).result(60) == 2


def test_a_failed_job_raises_its_own_exception_with_the_remote_traceback(place):
    job = bg.submit("work.Trainer.fail", {"message": "no data"})
    with pytest.raises(ValueError, match="no data") as caught:
        job.result(60)
    assert "in fail" in str(caught.value.__cause__)
    assert job.error == "ValueError: no data"
    until((place.state / "logs" / "background_jobs_errors.log").exists, "the log, which is written after the job's end")
