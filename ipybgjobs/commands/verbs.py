"""The verbs of the command line, one function each: ``jupyter bgjobs VERB`` and ``%bgjobs VERB`` mean the same.

Each calls what a script would call, prints the result, and returns the exit status: 0 success, 1 the job failed or was refused.
"""

import argparse
import contextlib
import json
import pprint
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from ..api import housekeeping, reading, submitting
from ..client import adoption
from ..client.client import client
from ..client.jobs import as_json
from ..client.jobs.job import Job
from ..client.jobs.job_list import JobList
from ..errors import BackgroundJobError, RemoteTraceback
from ..model import job_key, redaction, surface
from ..model.records import JobState
from ..panel import overview
from ..targets import context
from . import job_line, notebook_line, target_checks, wording
from .usage import UsageFault

FAILED = 1

_EVERY = 1 << 40


def _chosen(arguments: argparse.Namespace) -> JobList:
    """Return the jobs that a verb applies to: those named, or those of a group."""
    if arguments.group is not None:
        if arguments.jobs:
            raise UsageFault("name jobs or use --group, not both.")
        return reading.group(arguments.group).jobs
    if not arguments.jobs:
        raise UsageFault("name the jobs by id, name or uid, or use --group.")
    return JobList(dict.fromkeys(map(reading.job, arguments.jobs)))


def _say(arguments: argparse.Namespace, text: str, value: Any) -> None:
    print(json.dumps(value, indent=2, default=repr) if arguments.json else text)


def _say_jobs(arguments: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Print jobs, and beside that why a verb left others alone."""
    reasons = jobs.reasons() if isinstance(jobs, JobList) else []
    if jobs or arguments.json or not reasons:
        _say(arguments, wording.lines(jobs), as_json.of_jobs(jobs))
    for reason in reasons:
        client().tell(f"not changed: {reason}")


def submit(arguments: argparse.Namespace) -> int:
    """Submit a job."""
    context.check_working_directory()
    target_checks.find_modules_here()
    target, init, params = job_line.parse_words(arguments.words, notebook_line.given_options(arguments))
    if arguments.explain:
        found = client().explain(target, params, init=init, **job_line.given_options(arguments))
        _say(arguments, str(found), found.to_json())
        return 0 if found.allowed else FAILED
    job = submitting.submit(target, params, init=init, **job_line.given_options(arguments))
    _say(arguments, wording.line(job), as_json.as_json(job))
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """List jobs, newest first; without a filter, a group takes one line."""
    filters = {name: getattr(arguments, name) for name in ("state", "queue", "target", "name", "group")}
    if not arguments.json and not any(filters.values()):
        print(overview.text(arguments.limit, surface.submit_command()))
        return 0
    found = reading.jobs(**filters, limit=arguments.limit)
    beyond, total = found.beyond_limit()
    lines = wording.lines_with_size(found) + ([f"… and {beyond:,} more; --limit {total} shows all"] if beyond else [])
    text = "\n".join(lines) or "No matching jobs."
    _say(arguments, text, as_json.of_jobs(found))
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show one job with its attempts."""
    job = reading.job(arguments.job)
    _say(arguments, "\n".join(wording.details(job)), as_json.in_full(job))
    return 0


def log(arguments: argparse.Namespace) -> int:
    """Print the log of a job."""
    job = reading.job(arguments.job)
    if arguments.follow and (
        arguments.json or arguments.tail is not None or arguments.attempt is not None or arguments.grep is not None
    ):
        raise UsageFault("--follow prints the whole log as it is written: leave out --tail, --grep, --attempt and --json.")
    if arguments.follow:
        job.follow()
        return 0
    if arguments.grep is not None:
        found = job.log_matches(arguments.grep, arguments.tail, arguments.attempt)
        text = "\n".join(map(str, found)) or "No matching lines."
        _say(arguments, text, {"matches": [{"line": match.number, "text": match.text} for match in found]})
        return 0
    text = job.log(arguments.tail, arguments.attempt)
    if arguments.json:
        _say(arguments, "", {"log": text})
    else:
        print(text, end="")
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write a zip file for a bug report: call, attempts, logs, outputs, doctor's report; without secrets."""
    from ..client.jobs import bug_report

    written = bug_report.write(reading.job(arguments.job), arguments.file, force=arguments.force)
    _say(arguments, str(written), {"path": written.path, "files": written.files, "bytes": written.size})
    return 0


def result(arguments: argparse.Namespace) -> int:
    """Wait for a job and print what it returned."""
    job = reading.job(arguments.job)
    try:
        with _notes_aside(arguments):
            value = job.result(arguments.timeout)
    except (BackgroundJobError, TimeoutError):
        raise
    except BaseException as error:
        if not isinstance(error.__cause__, RemoteTraceback):
            raise
        _say(arguments, "", {"error": job.error, "traceback": error.__cause__.text}) if arguments.json else None
        print(error.__cause__.text.rstrip(), file=sys.stderr)
        return FAILED
    _say(arguments, pprint.pformat(value), {"result": wording.jsonable(value)})
    return 0


def _notes_aside(arguments: argparse.Namespace) -> AbstractContextManager[object]:
    """Print what is said during a wait to standard error, if standard output is JSON."""
    return contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext()


def wait(arguments: argparse.Namespace) -> int:
    """Wait until jobs have finished."""
    with _notes_aside(arguments):
        found = _chosen(arguments).wait(arguments.timeout)
    _say_jobs(arguments, found)
    return 0 if all(job.state is JobState.SUCCEEDED for job in found) else FAILED


def cancel(arguments: argparse.Namespace) -> int:
    """Cancel jobs, and wait until they have finished."""
    if arguments.all and (arguments.jobs or arguments.group):
        raise UsageFault("name jobs, or use --group or --all: only one of them.")
    chosen = _unfinished() if arguments.all else _chosen(arguments)
    cancelled = chosen.cancel(arguments.grace, strict=arguments.group is None and not arguments.all)
    _say(arguments, wording.lines(cancelled) or "nothing to cancel", [as_json.as_json(job) for job in cancelled])
    for job, reason in cancelled.skipped.items():
        if not job.state.ended:  # it is elsewhere, out of reach
            raise reason
    return 0


def _unfinished() -> JobList:
    """Return all jobs that have not finished."""
    live = [state for state in JobState if not state.ended]
    return JobList(job for state in live for job in reading.jobs(state=state, limit=_EVERY))


def adopt(arguments: argparse.Namespace) -> int:
    """Take over jobs whose machine or container is gone. A process that is still running there is not killed."""
    if arguments.all and (arguments.jobs or arguments.group):
        raise UsageFault("name jobs, or use --group or --all: only one of them.")
    now = time.time()
    adopted = adoption.adopt_all(client(), now) if arguments.all else adoption.adopt(client(), _chosen(arguments), now)
    _say(arguments, wording.lines(adopted) or "nothing to adopt", as_json.of_jobs(adopted))
    return 0


def retry(arguments: argparse.Namespace) -> int:
    """Add an attempt to failed or cancelled jobs, start retrying ones now; or, with changed parameters, submit new ones."""
    keys = [word for word in arguments.jobs if "=" not in word]
    changed = job_line.parameters([word for word in arguments.jobs if "=" in word])
    if arguments.failed:
        if keys or arguments.group:
            raise UsageFault("name jobs, or use --group or --failed: only one of them.")
        chosen = reading.jobs(state=JobState.FAILED, limit=_EVERY)
    else:
        chosen = _chosen(argparse.Namespace(jobs=keys, group=arguments.group))
    _say_jobs(arguments, _retried_changed(chosen, changed) if changed else chosen.retry(strict=bool(keys)))
    return 0


def _retried_changed(jobs: JobList, params: dict[str, Any]) -> list[Job]:
    """Submit each job again with changed parameters; if one has not finished, raise before any is submitted."""
    live = [job for job in jobs if not job.state.ended]
    return [job.retry(params) for job in live[:1] or jobs]


def priority(arguments: argparse.Namespace) -> int:
    """Change the priority of queued jobs."""
    if arguments.to is None:
        raise UsageFault(_without_priority(arguments.jobs))
    _say_jobs(arguments, _chosen(arguments).set_priority(arguments.to, strict=arguments.group is None))
    return 0


def _without_priority(jobs: Sequence[str]) -> str:
    *first, last = jobs or ["JOB"]
    named, to = (first, last) if first and job_key.is_whole(last) else (jobs or ["JOB"], "5")
    shown = redaction.cut(" ".join(named))
    gets = "gives these jobs" if len(named) > 1 else f"gives job {shown}"
    return f"the new priority follows --to: {surface.command(f'priority {shown} --to {to}')} {gets} the priority {to}."


def pause(arguments: argparse.Namespace) -> int:
    """Pause a queue: none of its jobs start until it is resumed, and running jobs continue."""
    paused = housekeeping.pause(arguments.queue)
    _say(arguments, f"paused: {', '.join(paused)}; running jobs continue", {"paused": paused})
    return 0


def resume(arguments: argparse.Namespace) -> int:
    """Resume a paused queue."""
    resumed = housekeeping.resume(arguments.queue)
    _say(arguments, f"resumed: {', '.join(resumed) or 'nothing was paused'}", {"resumed": resumed})
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Remove finished jobs."""
    removed = [job.id for job in _chosen(arguments).remove(strict=True)]
    _say(arguments, f"removed {', '.join(f'job {each}' for each in removed)}", {"removed": removed})
    return 0


def keep(arguments: argparse.Namespace) -> int:
    """Exempt jobs from clean and retention; --no ends the exemption."""
    _say_jobs(arguments, _chosen(arguments).keep(not arguments.no, strict=True))
    return 0


def clean(arguments: argparse.Namespace) -> int:
    """Report how many finished jobs would be removed, and their size; with --yes, remove them."""
    done = housekeeping.clean(arguments.state, arguments.older_than, arguments.keep_jobs, dry_run=not arguments.yes)
    hint = "" if done.removed or not done.jobs else "; add --yes to remove them"
    _say(arguments, f"{done}{hint}", {"jobs": done.jobs, "bytes": done.bytes, "removed": done.removed})
    return 0
