"""A worker's process is the submitter's, whoever started the supervisor: time zone, limits, niceness, processors, options."""

import json
import os
import resource
import shutil
import subprocess
import sys

import pytest

import ipybgjobs as bg
from support.place import until

SUBMIT = """
import json, sys, ipybgjobs as bg
job = bg.submit("limits.look", delay=sys.argv[1] or None)
found = None if sys.argv[1] else job.result(60)
print(json.dumps([found, job.withheld, job.attempts and job.attempts[0].launched_by]))
"""


@pytest.fixture
def around(place):
    place.module("limits")
    place.allow({"limits": ["look"]})
    return place


def submitted(
    around, *before: str, flags: tuple[str, ...] = (), delay: str | None = None, **variables: str
) -> tuple[dict, list, str]:
    """What a job finds that is submitted by a process started with a prefix such as ``nice -n 5``."""
    command = [*before, sys.executable, *flags, "-c", SUBMIT, delay or ""]
    environment = {**around.environment, "PYTHONPATH": str(around.code), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def modest(around):
    """A supervisor whose starter had little: few open files, a high niceness, one processor, another zone."""
    limits = ["sh", "-c", 'ulimit -S -n 256; ulimit -S -c 0; exec "$@"', "sh"]
    waiting = started_by(around, *limits, "nice", "-n", "7", "taskset", "-c", "0", TZ="Asia/Tokyo")
    assert os.getpriority(os.PRIO_PROCESS, around.supervisor_pid()) == 7
    yield around
    waiting.cancel()


def started_by(around, *before: str, **variables: str) -> bg.Job:
    """A job that waits for its time, and keeps the supervisor that a process started with a prefix has started."""
    submitted(around, *before, delay="1h", **variables)
    until(around.supervisor_pid, "a supervisor")
    return bg.job(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="to lower a niceness takes a privilege")
def test_a_job_has_its_submitters_limits_niceness_and_processors_and_not_those_of_the_supervisors_starter(modest):
    found, withheld, launched_by = submitted(modest, "sh", "-c", 'ulimit -S -n 512; exec "$@"', "sh")
    assert found["open files"][0] == 512
    assert found["niceness"] == os.getpriority(os.PRIO_PROCESS, 0)
    assert found["processors"] == sorted(os.sched_getaffinity(0))
    assert (withheld, launched_by) == ([], "fork")


def test_what_one_submitter_has_is_not_what_the_next_one_gets(modest):
    less, _, _ = submitted(modest, "sh", "-c", 'ulimit -n 300; exec "$@"', "sh", "nice", "-n", "12")
    more, _, _ = submitted(modest, "nice", "-n", "9")
    assert (less["open files"], less["niceness"]) == ([300, 300], 12)
    assert (more["open files"][0] > 300, more["niceness"]) == (True, 9)


def test_the_clock_of_a_job_is_in_its_submitters_zone(modest):
    zones = [submitted(modest, TZ=zone)[0]["zone"] for zone in ("America/New_York", "UTC")]
    assert zones == ["EST", "UTC"]


def test_options_of_the_submitting_interpreter_count_and_need_a_fresh_process(modest):
    found, _, launched_by = submitted(modest, flags=("-O", "-W", "error::UserWarning", "-X", "utf8=1"))
    assert (found["optimize"], found["asserts"], found["utf8"], launched_by) == (1, False, 1, "fresh process")
    assert "error::UserWarning" in found["warnings"]


def test_an_option_that_a_job_could_not_notice_costs_no_fresh_process(modest):
    assert submitted(modest, flags=("-X", "frozen_modules=off"))[2] == "fork"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes root, who gives his privileges away")
def test_what_the_system_withholds_is_said_and_keeps_no_job_from_running(around):
    without = ["setpriv", "--bounding-set=-sys_nice,-sys_resource", "--inh-caps=-sys_nice,-sys_resource"]
    less = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", "nice", "-n", "5"]
    waiting = started_by(around, *without, *less)
    found, withheld, _ = submitted(around, *without)
    assert (found["open files"], found["niceness"]) == ([256, 256], 5)
    assert any(each.startswith("limit on open files 256, not ") for each in withheld)
    assert "niceness 5, not 0" in withheld
    shown = subprocess.run(
        [sys.executable, "-m", "ipybgjobs", "show", "2"], env=around.environment, capture_output=True, text=True, check=True
    ).stdout
    assert "withheld by the system: niceness 5, not 0" in shown
    for verb in (["submit", "--explain", "limits.look"], ["doctor"]):
        said = subprocess.run(
            [*without, sys.executable, "-m", "ipybgjobs", *verb],
            env=around.environment | {"PYTHONPATH": str(around.code)},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        assert "niceness 5, not 0: the running supervisor can't grant more" in said
    waiting.cancel()


def test_a_context_that_an_older_version_has_taken_changes_no_limit(around):
    from ipybgjobs.targets.context import Context, current_context

    text = json.loads(current_context([], {}, 0o22).to_text())
    del text["allotment"], text["flags"]
    assert Context.from_text(json.dumps(text)).allotment is None
    assert bg.submit("limits.look").result(60)["optimize"] == sys.flags.optimize


def test_limits_of_who_started_the_supervisor_keep_no_one_elses_job_waiting(around):
    waiting = started_by(around, "sh", "-c", 'ulimit -S -n 16; exec "$@"', "sh")
    found, withheld, _ = submitted(around)
    assert found["open files"] == list(resource.getrlimit(resource.RLIMIT_NOFILE))
    assert withheld == []
    waiting.cancel()
