"""Handles stay the same job when they are copied, pickled and sent; what can't be loaded says so; earlier attempts are read."""

import copy
import itertools
import multiprocessing
import pickle
import shutil
import subprocess
import sys

import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.commands import cli
from support.place import ALLOWED, DEADLINE, until

NAMES = ["earlier", "untyped", "several", "itself", "configured", "gives", "raises"]


def allow_handles(place):
    place.module("handled")
    place.allow(ALLOWED | {"handled.Uses": NAMES}, BackgroundJobs__queues={"default": 3})
    return place


@pytest.fixture
def handles(shared_place):
    return allow_handles(shared_place)


@pytest.fixture
def handles_alone(place):
    """The same in a place of its own."""
    return allow_handles(place)


def echo(value):
    return bg.submit("work.echo", {"value": value}).wait(DEADLINE)


WAYS = {
    "pickled": lambda value: pickle.loads(pickle.dumps(value)),
    "pickled by the oldest protocol": lambda value: pickle.loads(pickle.dumps(value, 0)),
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_copy_of_a_handle_is_the_same_job_group_or_list(handles, way):
    job = echo(5)
    group = bg.submit_many("work.echo", [{"value": 1}, {"value": 2}])
    jobs = bg.jobs()
    assert (way(job), way(job).id, way(job).result()) == (job, job.id, 5)
    assert way(group) == group
    assert way(group).results(DEADLINE) == [1, 2]
    assert type(way(jobs)) is JobList
    assert way(jobs) == jobs
    assert way({"nested": [job]}) == {"nested": [job]}


def test_a_handle_of_a_removed_job_or_group_is_copied_and_says_that_it_was_removed(handles):
    job, group = echo(5), bg.submit_many("work.echo", [{"value": 1}]).wait(DEADLINE)
    job.remove()
    group.remove()
    assert "removed" in repr(pickle.loads(pickle.dumps(job)))
    assert "removed" in repr(copy.deepcopy(group))


def test_an_id_as_text_is_the_id(handles):
    group = bg.submit_many("work.echo", [{"value": 1}, {"value": 2}], name="pair")
    job = group.jobs[1].wait(60)
    assert bg.job(str(job.id)) == job
    assert bg.group(str(group.id)).jobs == group.jobs
    for key in ("999999999999", "9" * 18, "9" * 5000, "²", "٣"):
        with pytest.raises(bg.UnknownJob):
            bg.job(key)


def test_a_handle_whose_store_is_gone_is_loaded_and_its_use_makes_no_store(handles_alone):
    content = pickle.dumps(echo(5))
    bg.client.client.client().close()
    until(lambda: not handles_alone.processes(), "the end of the supervisor")
    shutil.move(handles_alone.state, f"{handles_alone.state}.moved")
    code = "import pickle, sys; job = pickle.load(sys.stdin.buffer); print('loaded', job.id); job.state"
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, check=False)
    assert done.stdout == b"loaded 1\n"
    assert f"StoreError: The store {handles_alone.state}/jobs.db can't be opened: No such file" in done.stderr.decode()
    assert not handles_alone.state.exists()


def test_a_handle_is_found_by_its_uid_where_its_id_is_another_s(handles):
    first, second = echo(1), echo(2)
    function, (kind, client, path, _, uid) = second.__reduce__()
    loaded = function(kind, client, path, first.id, uid)
    assert (loaded.id, loaded.result()) == (second.id, 2)


def test_a_job_takes_handles_of_other_jobs_and_reads_them(handles):
    job, group = echo(7), bg.submit_many("work.echo", [{"value": 1}, {"value": 2}])
    assert bg.submit("handled.Uses.earlier", {"job": job}).result(DEADLINE) == (job.id, 7)
    assert bg.submit("handled.Uses.untyped", {"job": job, "group": group}).result(DEADLINE) == (7, [1, 2], 2)
    assert bg.submit("handled.Uses.several", {"jobs": group.jobs}).result(DEADLINE) == 3
    assert bg.submit("handled.Uses.several", {"jobs": [job, job]}).result(DEADLINE) == 14


def test_a_job_may_return_a_handle_and_its_parameters_give_handles_back(handles):
    job = bg.submit("handled.Uses.itself")
    assert job.result(DEADLINE) == job
    user = bg.submit("handled.Uses.earlier", {"job": job}).wait(DEADLINE)
    assert user.params == {"job": job}


def state_of(job):
    return job.id, str(job.state), job.result()


def test_a_handle_is_used_in_a_fork_of_its_process(handles):
    job = echo("there")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(state_of, (job,)) == (job.id, "succeeded", "there")


def test_a_handle_is_used_in_another_process(handles):
    code = "import pickle, sys; job = pickle.load(sys.stdin.buffer); print(job.id, job.state, job.result())"
    job = echo("there")
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(job), capture_output=True, check=True)
    assert done.stdout.decode() == f"{job.id} succeeded there\n"


# -- earlier attempts ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retried_once(kept_place, tmp_path_factory):
    """A job that nobody changes."""
    allow_handles(kept_place)
    marker = tmp_path_factory.mktemp("retried") / "marker"
    job = bg.submit("work.once_failing", {"marker": str(marker)}, retry=2).wait(DEADLINE)
    assert (job.state, len(job.attempts)) == ("succeeded", 2)
    return job


@pytest.fixture
def retried(handles, retried_once):
    return retried_once


def test_log_and_outputs_of_an_earlier_attempt_are_reached_by_its_number(retried, capsys):
    assert "RuntimeError: first run" in retried.log(attempt=1)
    assert retried.log(tail=1, attempt=1) == "RuntimeError: first run\n"
    assert [output.output_type for output in retried.outputs(attempt=1)] == ["error"]
    assert (retried.log(attempt=2), retried.log()) == ("", "")
    assert [output.data["text/plain"] for output in retried.outputs(attempt=2)] == ["'second run'"]
    assert retried.outputs(2) == retried.outputs()
    retried.show(attempt=1)
    assert "RuntimeError: first run" in capsys.readouterr().err


@pytest.mark.parametrize("tail", [-1, "1", 1.5, True])
def test_a_tail_that_is_not_a_number_of_lines_is_refused(retried, tail):
    with pytest.raises(bg.InvalidParameters) as caught:
        retried.log(tail=tail)
    assert str(caught.value) == f"tail must be an integer of at least 0; got {tail!r}."


def test_a_tail_of_no_lines_is_empty(retried):
    assert retried.log(tail=0, attempt=1) == ""


WAITS = {
    "wait": lambda job, timeout: job.wait(timeout),
    "result": lambda job, timeout: job.result(timeout),
    "exception": lambda job, timeout: job.exception(timeout),
    "a list": lambda job, timeout: JobList([job]).wait(timeout),
    "as they end": lambda job, timeout: list(bg.as_completed([job], timeout)),
}


@pytest.mark.parametrize("timeout", ["soon", float("nan"), True, [1]])
@pytest.mark.parametrize("how", WAITS)
def test_a_wait_says_what_it_may_last(retried, how, timeout):
    with pytest.raises(bg.InvalidParameters, match=r"timeout must be (seconds or text such as|finite and not negative)"):
        WAITS[how](retried, timeout)


@pytest.mark.parametrize("timeout", [None, 60, 60.5, "1m", float("inf"), -1, 0])
@pytest.mark.parametrize("how", WAITS)
def test_a_wait_for_what_has_ended_is_over_whatever_it_may_last(retried, how, timeout):
    WAITS[how](retried, timeout)


@pytest.mark.parametrize("timeout", [-1, "0s"])
def test_a_wait_of_no_time_is_over_at_once(handles, timeout):
    job = bg.submit("work.echo", {"value": 1}, delay="1h")
    for wait in WAITS.values():
        with pytest.raises(TimeoutError):
            wait(job, timeout)
    group = bg.submit_many("work.echo", [{"value": 1}], delay="1h")
    with pytest.raises(TimeoutError):
        group.wait(timeout)
    with pytest.raises(bg.InvalidParameters):
        group.results("soon")
    (group.cancel(), job.cancel())


def test_an_attempt_that_there_is_not_is_refused_and_the_refusal_says_which_there_are(retried):
    looks = (retried.log, retried.outputs, retried.show)
    for look, number in itertools.product(looks, (0, 3, -1, "1", True, 1.0)):
        with pytest.raises(bg.InvalidParameters) as caught:
            look(attempt=number)
        assert str(caught.value) == f"There is no attempt {number!r}: job {retried.id} has attempts 1 to 2."


def test_the_command_line_prints_an_earlier_attempt_s_log(retried, capsys):
    assert cli.main(["log", str(retried.id), "--attempt", "1", "--tail", "1"]) == 0
    assert capsys.readouterr().out == "RuntimeError: first run\n"
    assert cli.main(["log", str(retried.id), "--attempt", "3"]) == 1
    assert capsys.readouterr().err == f"There is no attempt 3: job {retried.id} has attempts 1 to 2.\n"
    assert cli.main(["log", str(retried.id), "--attempt", "1", "-f"]) == 2


# -- what can't be loaded ------------------------------------------------------------------------------------------------

ELSEWHERE = """
import sys
import ipybgjobs as bg

def said(look):
    try:
        return look()
    except bg.BackgroundJobError as error:
        return f"{type(error).__name__}: {error}"

sent, given, raised = map(bg.job, map(int, sys.argv[1:]))
print(said(lambda: sent.params))
print(said(lambda: sent.retry(params={"note": "x"})))
print(said(sent.run_here))
print(said(given.result))
print(said(lambda: raised.exception()).__class__.__name__)
print(sent, sent.target, len(sent.outputs()), repr(sent.log()), len(bg.jobs().to_frame(results=True)))
"""


@pytest.mark.crash
def test_where_a_class_is_gone_every_reader_says_what_is_missing_and_what_to_do(handles_alone):
    import handled

    sent = bg.submit("handled.Uses.configured", {"config": handled.Config(2)}).wait(DEADLINE)
    given, raised = bg.submit("handled.Uses.gives").wait(DEADLINE), bg.submit("handled.Uses.raises").wait(DEADLINE)
    (handles_alone.code / "handled.py").unlink()
    shutil.rmtree(handles_alone.code / "__pycache__", ignore_errors=True)
    numbers = [str(job.id) for job in (sent, given, raised)]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *numbers], capture_output=True, text=True, check=False, env=handles_alone.environment
    )
    assert done.returncode == 0, done.stderr
    params, retried, here, result, exception, _ = done.stdout.splitlines()
    reason = "ModuleNotFoundError: No module named 'handled'"
    sentence = f"ParametersNotLoaded: The parameters of job {sent.id} can't be loaded here: {reason}. They"
    assert all(line.startswith(sentence) for line in (params, retried, here))
    assert params.endswith("importable under the same names, or submit the job again.")
    assert result.startswith(
        f"ResultNotKept: job {given.id} succeeded, but its return value can't be loaded here: ModuleNotFound"
    )
    assert exception == "JobFailed"
