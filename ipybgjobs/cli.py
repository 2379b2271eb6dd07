"""The command line ``jupyter bgjobs VERB``, also ``python -m ipybgjobs``; the same verbs serve ``%bgjobs``.

Exit status: 0 fine, 1 the job failed or was refused, 2 wrong usage.
"""

import argparse
import datetime as dt
import io
import json
import os
import pprint
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import __version__, client, jobline
from .errors import BackgroundJobError, RemoteTraceback
from .handle import Job
from .jobline import UsageFault
from .models import Attempt, JobState

FAILED, WRONG_USAGE = 1, 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageFault(f"{self.prog}: {message} ({jobline.one_usage(self)})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb, and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode is no error
    try:
        return run(sys.argv[1:] if arguments is None else arguments)
    except UsageFault as fault:
        print(fault, file=sys.stderr)
        return WRONG_USAGE
    except (BackgroundJobError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def run(arguments: Sequence[str], prog: str = "jupyter bgjobs") -> int:
    """Run one verb; its errors are raised.

    Parameters
    ----------
    arguments : sequence of str
        The verb and what it takes.
    prog : str
        Name of the command, for messages.
    """
    top = parser(prog)
    parsed, left = top.parse_known_args(list(arguments))
    if left and (parsed.verb != "submit" or any(word.startswith("-") for word in left)):
        top.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        parsed.words += left  # parameters that follow an option
    status: int = parsed.function(parsed)
    return status


def parser(prog: str = "jupyter bgjobs") -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    top = _Parser(prog=prog, description="Background jobs that outlive the notebook.")
    top.add_argument("--version", action="version", version=__version__)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(function=function)
        made.add_argument("--json", action="store_true", help="print JSON")
        return made

    added = verb("submit", _submit, "submit a job: submit [options] Class.method key=value ...")
    jobline.add_options(added)
    added.add_argument("words", nargs="+", metavar="Class.method key=value")
    added = verb("list", _list, "list jobs, newest first")
    for name in ("state", "queue", "target", "name"):
        added.add_argument(f"--{name}", help=f"only jobs with this {name}")
    added.add_argument("--limit", type=int, default=50, help="at most so many; default 50")
    _with_job(verb("show", _show, "show one job with its attempts"))
    added = _with_job(verb("log", _log, "print what a job printed"))
    added.add_argument("--tail", type=int, metavar="LINES", help="only the last lines")
    _with_wait(_with_job(verb("result", _result, "wait for a job and print what it returned")))
    _with_wait(verb("wait", _wait, "wait until jobs have ended")).add_argument("jobs", nargs="+", metavar="JOB")
    added = verb("cancel", _cancel, "cancel jobs, and wait until they have ended")
    added.add_argument("jobs", nargs="+", metavar="JOB")
    added.add_argument("--grace", type=float, metavar="SECONDS", help="for each of interrupt and terminate")
    verb("retry", _retry, "add an attempt to jobs that failed or were cancelled").add_argument("jobs", nargs="+", metavar="JOB")
    _more_verbs(verb)
    return top


def _more_verbs(verb: Callable[..., argparse.ArgumentParser]) -> None:
    from . import demo, doctor, userfiles

    verb("allow", userfiles.allow, "add a target to the allowlist in the user's file").add_argument("target")
    added = verb("config", userfiles.config, "init: write a commented sample; show: what counts; check: is it sound?")
    added.add_argument("action", choices=["init", "show", "check"])
    verb("doctor", doctor.run, "look for problems; exit status 1 if there is one")
    added = verb("demo", demo.run, "a real notebook submits a job, its kernel is killed, a second one shows the result")
    added.add_argument("--folder", help="where to keep the demo's notebooks; default a new temporary folder")


def _with_job(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    made.add_argument("job", metavar="JOB", help="id, name or uid")
    return made


def _with_wait(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    made.add_argument("--timeout", type=float, metavar="SECONDS", help="give up waiting; the job goes on")
    return made


def _job(key: str) -> Job:
    return client.job(int(key) if key.isdigit() else key)


def _say(arguments: argparse.Namespace, text: str, value: Any) -> None:
    print(json.dumps(value, indent=2, default=repr) if arguments.json else text)


def _submit(arguments: argparse.Namespace) -> int:
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: a module in this folder is found
    target, init, params = jobline.parse_words(arguments.words)
    job = client.submit(target, params, init=init, **jobline.given_options(arguments))
    _say(arguments, _line(job), job_json(job))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    found = client.jobs(arguments.state, arguments.queue, arguments.target, arguments.name, arguments.limit)
    text = "\n".join(map(_line, found)) or "No jobs. Submit one with: jupyter bgjobs submit Class.method key=value"
    _say(arguments, text, [job_json(job) for job in found])
    return 0


def _show(arguments: argparse.Namespace) -> int:
    job = _job(arguments.job)
    record = job._record()  # noqa: SLF001 - its own package
    lines = [_line(job), f"  uid        {job.uid}", f"  queue      {record.queue}, priority {record.priority}"]
    lines += [f"  submitted  {_clock(record.submitted_at)}"]
    lines += [_attempt_line(each) for each in job.attempts]
    trace = job.traceback
    if trace and record.state is not JobState.SUCCEEDED:
        lines += ["", trace.rstrip()]
    _say(arguments, "\n".join(lines), job_json(job))
    return 0


def _log(arguments: argparse.Namespace) -> int:
    text = _job(arguments.job).log(arguments.tail)
    if arguments.json:
        _say(arguments, "", {"log": text})
    else:
        sys.stdout.write(text)
    return 0


def _result(arguments: argparse.Namespace) -> int:
    job = _job(arguments.job)
    try:
        value = job.result(arguments.timeout)
    except (BackgroundJobError, TimeoutError):
        raise
    except BaseException as error:
        if not isinstance(error.__cause__, RemoteTraceback):
            raise
        _say(arguments, "", {"error": job.error, "traceback": error.__cause__.text}) if arguments.json else None
        print(error.__cause__.text.rstrip(), file=sys.stderr)
        return FAILED
    _say(arguments, pprint.pformat(value), {"result": _jsonable(value)})
    return 0


def _jsonable(value: Any) -> Any:
    """A value that any program can parse; the repr of one that JSON can't hold."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return repr(value)
    return value


def _wait(arguments: argparse.Namespace) -> int:
    found = [_job(key).wait(arguments.timeout) for key in arguments.jobs]
    _say(arguments, "\n".join(map(_line, found)), [job_json(job) for job in found])
    return 0 if all(job.state is JobState.SUCCEEDED for job in found) else FAILED


def _cancel(arguments: argparse.Namespace) -> int:
    found = [_job(key).cancel(arguments.grace) for key in arguments.jobs]
    _say(arguments, "\n".join(map(_line, found)), [job_json(job) for job in found])
    return 0


def _retry(arguments: argparse.Namespace) -> int:
    found = [_job(key).retry() for key in arguments.jobs]
    _say(arguments, "\n".join(map(_line, found)), [job_json(job) for job in found])
    return 0


def _line(job: Job) -> str:
    return job._record().line(time.time())  # noqa: SLF001 - its own package


def _attempt_line(attempt: Attempt) -> str:
    facts = [attempt.outcome or "running", attempt.error, attempt.launched_by]
    if attempt.signal is not None:
        facts.append(f"signal {attempt.signal}")
    if attempt.peak_memory is not None:
        facts.append(f"{attempt.peak_memory / 1e6:.0f} MB")
    return f"  attempt {attempt.number}  {_clock(attempt.started_at)}  " + " · ".join(fact for fact in facts if fact)


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(seconds))


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def job_json(job: Job) -> dict[str, Any]:
    """Return what the command line says of a job, as JSON values; secrets blanked."""
    record = job._record()  # noqa: SLF001 - its own package
    return {
        "id": record.id,
        "uid": record.uid,
        "target": record.call.target,
        "call": str(record.call),
        "name": record.name,
        "queue": record.queue,
        "priority": record.priority,
        "state": record.state,
        "status": job.status,
        "error": record.error,
        "submitted_at": _iso(record.submitted_at),
        "started_at": _iso(record.started_at),
        "ended_at": _iso(record.ended_at),
        "not_before": _iso(record.not_before),
        "attempts": [_attempt_json(attempt) for attempt in job.attempts],
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "started_at": _iso(attempt.started_at),
        "ended_at": _iso(attempt.ended_at),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "peak_memory": attempt.peak_memory,
        "cpu_seconds": attempt.cpu_seconds,
        "launched_by": attempt.launched_by,
        "launch_reason": attempt.launch_reason,
    }
