"""The verdict would notice: what a run in peace has left is falsified, a promise at a time, and its check says so."""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos import verdict
from chaos.evidence import Event, Evidence
from chaos.place import Place
from chaos.processes import Process, Role
from chaos.rows import JobRow
from chaos.run import Run
from chaos.violence import Strength
from chaos.watch import Watched


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    root = tmp_path_factory.mktemp("peace")
    Run(root, 200, 3, Strength(rate=0.0), limit=60.0).go()
    return Evidence.gather(Place(root), [], Watched())


def with_rows(evidence: Evidence, **changes: object) -> Evidence:
    return dataclasses.replace(evidence, rows=dataclasses.replace(evidence.rows, **changes))


def with_job(evidence: Evidence, which: Callable[[JobRow], bool], **changes: object) -> Evidence:
    """One of the jobs says something else."""
    job = next(job for job in evidence.rows.jobs.values() if which(job))
    return with_rows(evidence, jobs=evidence.rows.jobs | {job.id: dataclasses.replace(job, **changes)})


def with_attempt(evidence: Evidence, **changes: object) -> Evidence:
    """The only attempt of a job that has succeeded says something else."""
    job = next(job for job in evidence.rows.jobs.values() if is_plain(job))
    attempt = dataclasses.replace(evidence.rows.attempts[job.id, 1], **changes)
    return with_rows(evidence, attempts=evidence.rows.attempts | {(job.id, 1): attempt})


def is_plain(job: JobRow) -> bool:
    return job.target.endswith(".plain") and job.state == "succeeded" and job.attempt == 1


def without_a_row(evidence: Evidence) -> Evidence:
    gone = next(job for job in evidence.rows.jobs if job not in evidence.removed)
    return with_rows(evidence, jobs={job: row for job, row in evidence.rows.jobs.items() if job != gone})


def refused_after_all(evidence: Evidence) -> Evidence:
    [event, *others] = evidence.said("accepted")
    token = event["token"].partition("-")[0]
    others = [other for other in others if other["job"] != event["job"]]
    return dataclasses.replace(evidence, promised=[*others, {"what": "refused", "token": token}])


def told(evidence: Evidence, change: Callable[[Event], list[Event]]) -> Evidence:
    """What jobs have said, each line replaced by others."""
    return dataclasses.replace(evidence, ran=[new for event in evidence.ran for new in change(event)])


def began_too_early(evidence: Evidence) -> Evidence:
    job = next(job for job, _, anyway in evidence.rows.needs if not anyway and evidence.rows.jobs[job].state == "succeeded")
    return told(evidence, lambda event: [event | {"at": 0.0} if event["what"] == "began" and event["job"] == job else event])


def elsewhere(evidence: Evidence) -> Evidence:
    """The same with a copy of the folder, whose files may be falsified."""
    root = evidence.place.root
    copy = Path(tempfile.mkdtemp(prefix="copy-", dir=root.parent))
    shutil.copytree(root, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
    return dataclasses.replace(evidence, place=Place(copy))


def strays(evidence: Evidence) -> Evidence:
    there = elsewhere(evidence)
    for number in range(20):
        (there.place.state / "jobs" / f"stray-{number}").mkdir()
    return there


def without_output(evidence: Evidence) -> Evidence:
    there = elsewhere(evidence)
    job = next(job for job in evidence.rows.jobs.values() if job.target.endswith(".prints") and job.state == "succeeded")
    (there.place.state / (evidence.rows.of(job.id)[-1].folder or "") / "output.log").write_text("half of i")
    return there


def secret_in_a_log(evidence: Evidence) -> Evidence:
    there = elsewhere(evidence)
    (there.place.state / "logs" / "background_jobs.log").write_text(f"started with {there.place.secret}")
    return there


def locked(evidence: Evidence) -> Evidence:
    there = elsewhere(evidence)
    there.place.errors(0).write_text("sqlite3.OperationalError: database is locked")
    return there


def same_key(evidence: Evidence) -> Evidence:
    jobs = {job: dataclasses.replace(row, unique_key="one for all") for job, row in evidence.rows.jobs.items()}
    return with_rows(evidence, jobs=jobs)


#: How each check is deceived: by its name without underscores.
FALSE = {
    "every accepted job has a row": without_a_row,
    "every job ends": lambda evidence: with_job(evidence, is_plain, state="running"),
    "a row that nobody was promised is an interrupted client s": refused_after_all,
    "parameters are whole": lambda evidence: with_attempt(evidence, outcome="error", error="No such file: 'parameters.pkl'"),
    "a method begins once an attempt": lambda evidence: told(evidence, lambda event: [event] * (1 + (event["what"] == "began"))),
    "a job ran as often as its attempts say": lambda evidence: told(
        evidence, lambda event: [] if event["what"] == "ended" else [event]
    ),
    "another attempt comes by rule or by request": lambda evidence: with_job(evidence, is_plain, most=0),
    "nothing is lost by itself": lambda evidence: with_attempt(evidence, outcome="lost"),
    "a hook is called once": lambda evidence: told(evidence, lambda event: [event] * (1 + (event["what"] == "hook"))),
    "results are right": lambda evidence: with_job(evidence, is_plain, token="somebody else's"),
    "the state is what a person asked for": lambda evidence: with_job(evidence, is_plain, state="cancelled"),
    "what comes after begins after": began_too_early,
    "one job at a time holds a unique key": same_key,
    "somebody supervises where work waits": lambda evidence: dataclasses.replace(evidence, watched=Watched(60.0, 0.0)),
    "work that waits goes on": lambda evidence: dataclasses.replace(evidence, watched=Watched(0.0, 600.0)),
    "no process is left": lambda evidence: dataclasses.replace(evidence, left=[Process(1, 0, Role.CHILD, "sleep")]),
    "an attempt begins without its forerunner s children": lambda evidence: told(
        evidence, lambda event: [event, event | {"what": "company"}]
    ),
    "no folder is left": strays,
    "output is whole": without_output,
    "no client is told of trouble": locked,
    "the store is sound": lambda evidence: with_rows(evidence, integrity="row 7 missing from index jobs_ready"),
    "no secret is left": secret_in_a_log,
}


@pytest.mark.parametrize("promise", FALSE)
def test_a_check_notices_that_its_promise_was_broken(evidence, promise):
    assert promise in {violation.promise for violation in verdict.judge(FALSE[promise](evidence))}


def test_no_check_cries_wolf_after_a_run_in_peace(evidence):
    assert not verdict.judge(evidence)


def test_every_check_has_been_deceived_once():
    assert set(verdict.promises()) == set(FALSE)
