"""The command line ``jupyter bgjobs VERB``, also ``python -m ipybgjobs``; the same verbs serve ``%bgjobs``.

Exit status: 0 success, 1 the job failed or was refused, 2 wrong usage.
"""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from .._version import __version__
from ..errors import BackgroundJobError
from ..model import durations, job_key, redaction, suggestion, surface
from ..model.surface import Surface
from ..system import interrupt_shield
from . import digest, help_text, job_line, notebook_line, usage, verbs
from .usage import UsageFault

FAILED, WRONG_USAGE = 1, 2

_PORTS = 1 << 16


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        said = redaction.cut(redaction.typed(message), usage.LONGEST_COMPLAINT)
        hint = usage.meant_as_parameter(message) if self.prog.endswith(" submit") else ""
        raise UsageFault(f"{self.prog}: {said}{hint} ({usage.one_usage(self)})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb, and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode is not an error
    before = surface.use(Surface.TERMINAL)
    try:
        return _run_and_flush(sys.argv[1:] if arguments is None else arguments)
    except UsageFault as fault:
        print(fault, file=sys.stderr)
        return WRONG_USAGE
    except (BackgroundJobError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.filename is not None:  # which what is printed has not
            raise
        _tell_unwritten(error)
        return FAILED
    except KeyboardInterrupt as interrupt:
        print(interrupt, end="\n" if str(interrupt) else "", file=sys.stderr)  # what was done before the interrupt
        return 130
    finally:
        surface.use(before)


def _run_and_flush(arguments: Sequence[str]) -> int:
    """Run one verb, and write all its output while a failure to write can still be reported."""
    status = run(arguments)
    if sys.stdout is not None:
        sys.stdout.flush()
    return status


def _tell_unwritten(error: OSError) -> None:
    """Report that the output can't be written, and keep Python's final flush from reporting it again."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    with contextlib.suppress(OSError):  # standard error may be full too
        print(f"The output can't be written: {error.strerror or error}.", file=sys.stderr)


#: Verbs that show how jobs ended.
_LOOKS = {"list", "show", "log", "result", "wait"}


@interrupt_shield.explains_interrupts
def run(arguments: Sequence[str], prog: str = "jupyter bgjobs") -> int:
    """Run one verb; its errors are raised.

    Parameters
    ----------
    arguments : sequence of str
        The verb and its arguments.
    prog : str
        Name of the command, for messages.
    """
    top = parser(prog)
    given = _with_verb(top, list(arguments))
    parsed, left = top.parse_known_args(job_line.with_values(given) if given[:1] == ["submit"] else given)
    if left and (parsed.verb != "submit" or any(word.startswith("-") for word in left)):
        parsed.parser.error(f"unrecognized arguments: {' '.join(left)}")
    if left:
        parsed.words += left  # parameters that follow an option
    with surface.flags():
        status: int = parsed.function(parsed)
    if parsed.verb in _LOOKS:
        digest.record_look()
    return status


def _with_verb(top: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """Return the words of a command line, the first of them a verb or an option: a number shows that job, ``help`` is ``--help``.

    Raises
    ------
    UsageFault
        If the first word is neither.
    """
    known = verbs_of(top)
    first = words[0] if words else "-"
    if job_key.is_whole(first):
        return ["show", *words]
    if first == "help":
        return [*words[1:2], "--help"]
    if first not in known and not first.startswith("-"):
        hint = suggestion.did_you_mean(first, known)
        raise UsageFault(f"{redaction.quoted(first)} is not a verb of {top.prog}: {top.prog} --help lists them.{hint}")
    return words


def verbs_of(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the verbs by name."""
    actions = top._actions  # noqa: SLF001 - argparse has no other way
    return next(action.choices for action in actions if isinstance(action.choices, dict))


def parser(prog: str = "jupyter bgjobs") -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    top = _Parser(
        prog=prog,
        description=help_text.filled(f"Background jobs that outlive the notebook. {_alone(prog)}"),
        epilog=f"{help_text.of_verb(prog)}\n\n{prog} VERB --help has the options of a verb.",
        formatter_class=help_text.formatter(prog),
    )
    top.add_argument("--version", action="version", version=__version__)
    added_verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, function: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        text = (function.__doc__ or "").splitlines()[0]
        made = added_verbs.add_parser(
            name,
            help=help_text.first_clause(text),
            description=help_text.filled(text),
            epilog=help_text.of_verb(prog, name),
            formatter_class=help_text.formatter(prog),
        )
        made.set_defaults(function=function, parser=made)
        made.add_argument("--json", action="store_true", help="print JSON")
        return made

    added = verb("submit", verbs.submit)
    job_line.add_options(added)
    notebook_line.add_options(added)
    added.add_argument("words", nargs="+", metavar="Class.method key=value", help="the target, or a notebook, and its parameters")
    _reading_verbs(verb)
    _changing_verbs(verb)
    _more_verbs(verb)
    return top


def _alone(prog: str) -> str:
    """Return what a command does without a verb."""
    return f"{prog} 12 shows job 12" + (f", and {prog} alone all jobs, live." if prog.startswith("%") else ".")


_Verb = Callable[[str, Callable[[argparse.Namespace], int]], argparse.ArgumentParser]


def _reading_verbs(verb: _Verb) -> None:
    added = verb("list", verbs.list_)
    for name, which in {"state": "in", "queue": "in", "target": "with", "name": "with", "group": "of"}.items():
        added.add_argument(f"--{name}", help=f"only jobs {which} this {name}")
    added.add_argument("--limit", type=_jobs, metavar="JOBS", default=50, help="maximum number of jobs (default: 50)")
    _with_job(verb("show", verbs.show))
    added = _with_job(verb("log", verbs.log))
    added.add_argument("--tail", type=_lines, metavar="LINES", help="print only this many lines, from the end")
    added.add_argument(
        "--grep",
        metavar="PATTERN",
        help="print only the lines, with their numbers, in which this regular expression is found; --tail then counts these",
    )
    added.add_argument(
        "--attempt", type=usage.whole_number, metavar="NUMBER", help="print the log of this attempt (default: the newest)"
    )
    added.add_argument("-f", "--follow", action="store_true", help="keep printing until the job finishes")
    added = _with_job(verb("export", verbs.export))
    added.add_argument("file", nargs="?", metavar="FILE", help="the zip file (default: job-ID.zip in this folder)")
    added.add_argument("--force", action="store_true", help="replace a file that exists")
    _with_wait(_with_job(verb("result", verbs.result)))
    _with_wait(_with_jobs(verb("wait", verbs.wait)))


def _changing_verbs(verb: _Verb) -> None:
    added = _with_jobs(verb("cancel", verbs.cancel))
    added.add_argument("--all", action="store_true", help="all jobs that have not finished")
    added.add_argument(
        "--grace", metavar="DURATION", help="time allowed after the interrupt, and again after the terminate signal"
    )
    added = _with_jobs(verb("adopt", verbs.adopt))
    added.add_argument("--all", action="store_true", help="all jobs whose machine or container does not appear to be alive")
    added = _with_jobs(verb("retry", verbs.retry), "JOB or key=value", "id, name or uid; or a parameter to change")
    added.add_argument("--failed", action="store_true", help="all failed jobs")
    added = _with_jobs(verb("priority", verbs.priority))
    added.add_argument("--to", type=usage.whole_number, metavar="PRIORITY", help="the new priority; higher runs first")
    for name, function in (("pause", verbs.pause), ("resume", verbs.resume)):
        verb(name, function).add_argument("queue", nargs="?", help="the queue (default: all queues)")
    _with_jobs(verb("remove", verbs.remove))
    added = _with_jobs(verb("keep", verbs.keep))
    added.add_argument("--no", action="store_true", help="end the exemption")
    added = verb("clean", verbs.clean)
    added.add_argument("--state", action="append", help="only jobs in this state; can be repeated")
    added.add_argument("--older-than", metavar="DURATION", help='only jobs that finished longer ago than this, such as "30d"')
    added.add_argument("--keep-jobs", type=int, metavar="N", help="keep the N most recently finished jobs")
    added.add_argument("--yes", action="store_true", help="remove them, not only report them")


def _more_verbs(verb: _Verb) -> None:
    from .. import demo
    from . import allowing, dashboard, doctor, user_files

    what = "module.Class.method, module.Class.* for its public methods, a notebook, or a pattern of notebooks in quotes"
    for name, function in (("allow", allowing.allow), ("disallow", allowing.disallow)):
        verb(name, function).add_argument("target", nargs="+", help=what)
    added = verb("config", user_files.config)
    added.add_argument("action", choices=["init", "show", "check"])
    verb("doctor", doctor.run).add_argument(
        "--rescue", action="store_true", help="save what can be saved of a damaged store, and jobs known only from their folders"
    )
    added = verb("dashboard", dashboard.run)
    added.add_argument("--port", type=_port, default=8890, help="local port to listen on (default: 8890, or the next free one)")
    added.add_argument("--no-browser", action="store_true", help="print the address without opening a browser")
    added = verb("demo", demo.run)
    added.add_argument("--folder", help="where to save the demo's notebooks (default: a new temporary folder)")


def _with_job(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    made.add_argument("job", metavar="JOB", help="id, name or uid")
    return made


def _with_jobs(made: argparse.ArgumentParser, what: str = "JOB", text: str = "id, name or uid") -> argparse.ArgumentParser:
    made.add_argument("jobs", nargs="*", metavar=what, help=text)
    made.add_argument("--group", help="all jobs of this group, by id, name or uid")
    return made


def _with_wait(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    made.add_argument(
        "--timeout", type=_patience, metavar="DURATION", help='stop waiting after this long, such as "5m"; the job keeps running'
    )
    return made


def _port(text: str) -> int:
    if not (job_key.is_whole(text) and int(text) < _PORTS):
        raise argparse.ArgumentTypeError(f"{redaction.quoted(text)} is not a port: pass a number from 0 to {_PORTS - 1}")
    return int(text)


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and text.strip("0")):
        raise argparse.ArgumentTypeError(f"{redaction.quoted(text)} is not a number of jobs: pass a number of at least 1")
    return int(text)


def _lines(text: str) -> int:
    if not job_key.is_whole(text):
        raise argparse.ArgumentTypeError(f"{redaction.quoted(text)} is not a number of lines")
    return int(text)


def _patience(text: str) -> float:
    try:
        return durations.seconds(text, "it")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from None
