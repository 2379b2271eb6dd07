"""What a job has used: memory and processor time, of it and of its children."""

import json
import re

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main


def test_what_each_attempt_used_is_kept_and_shown(calc, capsys):
    job = bg.submit("calc.works", {"seconds": 0.3}).wait(60)
    [attempt] = job.attempts
    assert 0.3 <= attempt.cpu_seconds < 5
    assert 5e6 < attempt.peak_memory < 5e8
    assert attempt.ended_at - attempt.started_at >= 0.3
    assert main(["show", "1"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "attempt 1" in line)
    assert re.search(r"succeeded · fork · [\d.]+ s · [\d.]+ s CPU · [\d.]+ MB peak$", line)
    assert main(["show", "1", "--json"]) == 0
    [shown] = json.loads(capsys.readouterr().out)["attempts"]
    assert (shown["cpu_seconds"], shown["peak_memory"]) == (attempt.cpu_seconds, attempt.peak_memory)


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV")])
def test_a_process_that_vanished_is_told_of_by_signal_peak_memory_and_last_lines(calc, capsys, number, name):
    job = bg.submit("calc.vanishes", {"number": number}).wait(60)
    [attempt] = job.attempts
    assert (attempt.outcome, attempt.signal, attempt.exit_code) == ("lost", number, None)
    assert attempt.peak_memory > 60e6
    assert re.fullmatch(rf"the process was killed by signal {number} \({name}\), peak memory [\d.]+ MB", job.error)
    assert "out of memory" not in job.error
    last = [f"line {line}" for line in range(5, 15)]
    assert [line for line in job.traceback.splitlines() if line.startswith("line ")] == last
    assert main(["show", "1"]) == 0
    said = capsys.readouterr().out
    assert f"signal {number}" in said
    assert "MB peak" in said
    assert "\n".join(last) in said
    assert main(["result", "1"]) == 1
    assert name in capsys.readouterr().err
    with pytest.raises(bg.JobLost, match=name):
        job.result()


def test_the_last_lines_of_a_vanished_process_show_no_secret(calc):
    calc.module(
        "leaky",
        """
        import os
        def vanishes(token: str):
            print("my token is", token, flush=True)
            os.kill(os.getpid(), 9)
    """,
    )
    calc.allow({"leaky": ["vanishes"]})
    job = bg.submit("leaky.vanishes", {"token": "s3cret-token"}).wait(60)
    assert "my token is •••" in job.traceback
    assert "s3cret" not in job.traceback + calc.log() + calc.log("background_jobs_errors.log")
