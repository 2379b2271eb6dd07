"""The checks of a run: each is named after the promise that it checks, and yields what breaks it, with the ids.

It reads the evidence and results, and changes nothing.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ipybgjobs import errors
from ipybgjobs.state import results

from .evidence import Event, Evidence
from .jobs import large_of, value_of
from .rows import AttemptRow, JobRow

#: Methods that leave without an outcome by themselves, that return no number, that return nothing.
_VANISH, _LARGE, _NOTHING, _UNKEPT = "vanishes", "large", "exits", "unkept"

#: Longest time without a supervisor while work waits, in seconds; a client that looks starts one, once a second.
_UNSUPERVISED = 15.0

#: Longest time in which no job ends while work waits, in seconds, though a supervisor is killed every few of them.
_STANDSTILL = 45.0

#: Job folders that are looked through for the secret, and how much of each file.
_FOLDERS, _BYTES = 2000, 1 << 20


@dataclass(frozen=True)
class Violation:
    """A promise that was broken."""

    promise: str
    what: str
    ids: list = field(default_factory=list)

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.ids[:12])) + (" …" if len(self.ids) > 12 else "")
        return f"{self.promise}: {self.what}" + (f" ({len(self.ids)}: {shown})" if self.ids else "")


Finding = tuple[str, object]
Check = Callable[[Evidence], Iterable[Finding]]

_CHECKS: list[Check] = []


def _check(function: Check) -> Check:
    _CHECKS.append(function)
    return function


def judge(evidence: Evidence) -> list[Violation]:
    """Make all checks; findings of one sort are told together."""
    violations = []
    for check in _CHECKS:
        found = defaultdict(list)
        for what, each in check(evidence):
            found[what].append(each)
        violations += [Violation(_promise(check), what, ids) for what, ids in found.items()]
    return violations


def promises() -> list[str]:
    """What is checked."""
    return [_promise(check) for check in _CHECKS]


def _promise(check: Check) -> str:
    return check.__name__.replace("_", " ")


def _method(job: JobRow) -> str:
    return job.target.rpartition(".")[2]


def _accepted(evidence: Evidence) -> Iterator[int]:
    """Jobs that clients were promised: `submit` returned them, or an interrupt said that they were submitted."""
    yield from (event["job"] for event in evidence.said("accepted"))
    groups = set()
    for event in evidence.said("interrupted"):
        for kind, number in re.findall(r"\b(job|group) (\d+) (?:with .*)?was submitted", event["said"]):
            if kind == "group":
                groups.add(int(number))
            else:
                yield int(number)
    yield from (job.id for job in evidence.rows.jobs.values() if job.group_id in groups)


# -- promise 1: once submit has returned, the job is on disk and will run ----------------------------------------------


@_check
def every_accepted_job_has_a_row(evidence: Evidence) -> Iterator[Finding]:
    for job in _accepted(evidence):
        if job not in evidence.rows.jobs and job not in evidence.removed:
            yield "no row", job


@_check
def every_job_ends(evidence: Evidence) -> Iterator[Finding]:
    for job in evidence.rows.jobs.values():
        if job.state in ("queued", "running"):
            yield f"still {job.state}", job.id
    for attempt in evidence.rows.attempts.values():
        if attempt.outcome is None:
            yield "an attempt without an end", (attempt.job, attempt.number)
    if evidence.rows.requests:
        yield "requests that nobody has answered", evidence.rows.requests


@_check
def a_row_that_nobody_was_promised_is_an_interrupted_client_s(evidence: Evidence) -> Iterator[Finding]:
    refused = {event["token"] for event in evidence.said("refused")}
    for event in unpromised(evidence):
        if event["token"].partition("-")[0] in refused:  # a job of a group bears the group's token and a number
            yield "submitted although its client was told that it was not", event["job"]


@_check
def parameters_are_whole(evidence: Evidence) -> Iterator[Finding]:
    for (job, number), attempt in evidence.rows.attempts.items():
        if attempt.outcome == "error" and "parameters.pkl" in (attempt.error or ""):
            yield "its pickled parameters are gone", (job, number)


# -- promise 2: an attempt's process starts at most once, and a method runs again only by rule or by request -------------


@_check
def a_method_begins_once_an_attempt(evidence: Evidence) -> Iterator[Finding]:
    known = {job.uid: job for job in evidence.rows.jobs.values()}
    for (uid, number), events in evidence.told["began"].items():
        job = known.get(uid)
        if len(events) > 1:
            yield "began more than once", (events[0]["job"], number)
        if job is None and events[0]["job"] not in evidence.removed:
            yield "ran, but has no row", (events[0]["job"], number)
        if job is not None and (job.id, number) not in evidence.rows.attempts:
            yield "ran, but has no attempt", (job.id, number)


@_check
def a_job_ran_as_often_as_its_attempts_say(evidence: Evidence) -> Iterator[Finding]:
    for job, attempt in _attempts(evidence):
        began, ended, raised = (evidence.of(what, job.uid, attempt.number) for what in ("began", "ended", "raised"))
        where = (job.id, attempt.number)
        if attempt.outcome == "succeeded" and not (began and ended):
            yield "succeeded, but its method did not come through", where
        if attempt.outcome == "error" and not raised and not _was_struck(evidence, attempt):
            yield f"failed by what its method did not raise: {(attempt.error or '')[:80]}", where
        if attempt.outcome == "denied":
            yield "denied", where


@_check
def another_attempt_comes_by_rule_or_by_request(evidence: Evidence) -> Iterator[Finding]:
    asked = evidence.asked("retry")
    for job in evidence.rows.jobs.values():
        attempts = evidence.rows.of(job.id)
        if [attempt.number for attempt in attempts] != list(range(1, job.attempt + 1)):
            yield "attempts are missing", job.id
        if len(attempts) > job.most + len(asked.get(job.id, ())):
            yield "more attempts than its rule and requests allow", job.id
        for before, after in itertools.pairwise(attempts):
            if before.outcome == "succeeded" or (before.outcome == "cancelled" and job.id not in asked):
                yield f"an attempt after one that was {before.outcome}", (job.id, after.number)
            if (before.ended_at or 0.0) > after.started_at:
                yield "two attempts at once", (job.id, after.number)


@_check
def nothing_is_lost_by_itself(evidence: Evidence) -> Iterator[Finding]:
    for job, attempt in _attempts(evidence):
        if attempt.outcome != "lost":
            continue
        started = evidence.started(attempt.folder)
        if "process" not in started:
            yield f"counted, though it never started: {attempt.error}", (job.id, attempt.number)
        elif _method(job) != _VANISH and not _was_struck(evidence, attempt):
            yield f"lost, though nobody struck it: {attempt.error}", (job.id, attempt.number)


@_check
def a_hook_is_called_once(evidence: Evidence) -> Iterator[Finding]:
    folders = defaultdict(list)
    for event in evidence.ran:
        if event["what"] == "hook":
            folders[event["uid"], event["folder"]].append(event)
            if not event["right"]:
                yield "was told something wrong", event["job"]
    for events in folders.values():
        if len(events) > 1:
            yield "called more than once for one end", events[0]["job"]


# -- what a record says is true ------------------------------------------------------------------------------------------


@_check
def results_are_right(evidence: Evidence) -> Iterator[Finding]:
    for job in evidence.rows.jobs.values():
        if job.state != "succeeded":
            continue
        attempt = evidence.rows.of(job.id)[-1]
        try:
            value = results.value(str(evidence.place.state / (attempt.folder or "")), job.id)
        except errors.ResultNotKept:
            value = _UNKEPT
        except Exception as error:
            yield f"can't be read: {type(error).__name__}: {error}"[:100], job.id
            continue
        if not _is_right(job, value):
            yield "another value", job.id


def _is_right(job: JobRow, value: object) -> bool:
    if _method(job) == _LARGE:
        return isinstance(value, bytes) and value == large_of(job.token, len(value) // 4 * 4)
    expected = {_NOTHING: None, _UNKEPT: _UNKEPT}
    return value == expected.get(_method(job), value_of(job.token))


@_check
def the_state_is_what_a_person_asked_for(evidence: Evidence) -> Iterator[Finding]:
    cancels, retries = evidence.asked("cancel"), evidence.asked("retry")
    for job in evidence.rows.jobs.values():
        if job.state == "cancelled" and job.id not in cancels and not job.replaced and job.id not in retries:
            yield "cancelled, though nobody asked", job.id
    for event in evidence.said("told"):
        job = evidence.rows.jobs.get(event["job"])
        if event["state"] == "cancelled" and job is not None and job.state != "cancelled" and job.id not in retries:
            yield "was cancelled and is so no longer", job.id
    for job, attempt in _attempts(evidence):
        caught = evidence.of("caught", job.uid, attempt.number)
        if caught and attempt.ending and attempt.outcome == "succeeded" and _was_told(evidence, attempt):
            yield f"ended for its {attempt.ending}, returned, and counts as succeeded", (job.id, attempt.number)


def _was_told(evidence: Evidence, attempt: AttemptRow) -> bool:
    """Whether the end was announced before the worker's outcome: a supervisor may be killed between its commit and that."""
    folder = evidence.place.state / (attempt.folder or "")
    try:
        return (folder / "ending.json").stat().st_mtime <= (folder / "outcome.json").stat().st_mtime
    except FileNotFoundError:
        return False


@_check
def what_comes_after_begins_after(evidence: Evidence) -> Iterator[Finding]:
    ended = defaultdict(list)
    for events in evidence.told["ended"].values():
        ended[events[0]["job"]].append(events[0]["at"])
    retried = evidence.asked("retry")
    for job_id, earlier_id, anyway in evidence.rows.needs:
        job, earlier = evidence.rows.jobs[job_id], evidence.rows.jobs.get(earlier_id)
        for attempt in evidence.rows.of(job_id):
            for event in evidence.of("began", job.uid, attempt.number):
                if not anyway and not any(at < event["at"] for at in ended[earlier_id]):
                    yield "began before the success that it needs", (job_id, earlier_id)
                if anyway and earlier and earlier_id not in retried and not _is_over(evidence, earlier, event["at"]):
                    yield "began before the end that it comes after", (job_id, earlier_id)


def _is_over(evidence: Evidence, job: JobRow, moment: float) -> bool:
    attempts = evidence.rows.of(job.id)
    return all(attempt.ended_at is not None and attempt.ended_at <= moment for attempt in attempts)


@_check
def one_job_at_a_time_holds_a_unique_key(evidence: Evidence) -> Iterator[Finding]:
    spans = defaultdict(list)
    for job, attempt in _attempts(evidence):
        began = evidence.of("began", job.uid, attempt.number)
        if job.unique_key is None or not began:
            continue
        ended = [*evidence.of("ended", job.uid, attempt.number), *evidence.of("raised", job.uid, attempt.number)]
        end = ended[0]["at"] if ended else attempt.ended_at or float("inf")
        spans[job.unique_key].append((began[0]["at"], end, job.id))
    for held in spans.values():
        held.sort()
        for (_, end, first), (begin, _, second) in itertools.pairwise(held):
            if begin < end:
                yield "two jobs of one key at once", (first, second)


# -- promise 3: a supervisor wherever there is work -----------------------------------------------------------------------


@_check
def somebody_supervises_where_work_waits(evidence: Evidence) -> Iterator[Finding]:
    if evidence.watched.unsupervised > _UNSUPERVISED:
        yield f"for {evidence.watched.unsupervised:.0f} s no supervisor was there", 0


@_check
def work_that_waits_goes_on(evidence: Evidence) -> Iterator[Finding]:
    if evidence.watched.standstill > _STANDSTILL:
        yield f"for {evidence.watched.standstill:.0f} s no job ended", 0


# -- promises 3, 4 and 5: nothing is left ----------------------------------------------------------------------------------


@_check
def no_process_is_left(evidence: Evidence) -> Iterator[Finding]:
    for process in evidence.left:
        yield f"a {process.role} lives on", (process.pid, process.line[-60:])


@_check
def an_attempt_begins_without_its_forerunner_s_children(evidence: Evidence) -> Iterator[Finding]:
    for (_, number), events in evidence.told["company"].items():
        yield "children of an earlier attempt lived on beside it", (events[0]["job"], number)


@_check
def no_folder_is_left(evidence: Evidence) -> Iterator[Finding]:
    strays = evidence.folders - {job.uid for job in evidence.rows.jobs.values()} - evidence.rows.groups
    excuses = len(evidence.said("interrupted")) + len(evidence.said("born"))
    if len(strays) > excuses:
        yield f"{len(strays)} folders without a row, by {excuses} interrupts and deaths of clients", min(strays)


# -- promise 6: what was printed before a crash can be read after it ---------------------------------------------------------


@_check
def output_is_whole(evidence: Evidence) -> Iterator[Finding]:
    for job, attempt in _attempts(evidence):
        expected = _expected_output(evidence, job, attempt)
        if expected is not None and (evidence.place.state / (attempt.folder or "") / "output.log").read_text() != expected:
            yield "what it printed is not there", (job.id, attempt.number)


def _expected_output(evidence: Evidence, job: JobRow, attempt: AttemptRow) -> str | None:
    """What stands in the log; None where that is not known."""
    printed = evidence.of("printed", job.uid, attempt.number)
    if printed and attempt.outcome == "succeeded":
        lines = [f"{job.token} line {number}\n" for number in range(printed[0]["lines"])]
        return "".join(lines) + (f"{job.token} from a child\n" if printed[0]["child"] else "")
    by_itself = attempt.outcome == "lost" and not _was_struck(evidence, attempt)
    return f"{job.token} was here\n" if _method(job) == _VANISH and by_itself else None


# -- promise 7: nobody is told of a locked database --------------------------------------------------------------------------


@_check
def no_client_is_told_of_trouble(evidence: Evidence) -> Iterator[Finding]:
    for event in evidence.said("trouble"):
        yield f"{event['verb']}: {event['said'].strip().splitlines()[-1][:160]}", f"client {event['client']}"
    for event in evidence.said("interrupted"):
        if "locked" in event["said"]:
            yield event["said"][:160], f"client {event['client']}"
    for path in sorted(evidence.place.root.glob("client.*.err")):
        text = _IGNORED.sub(_ours, path.read_text(errors="replace"))
        for mark in ("database is locked", "Traceback"):
            if mark in text:
                yield f"{mark!r} on standard error: {text.strip().splitlines()[-1][:120]}", path.name


#: An interrupt that Python lets nobody see, since it fell into a callback of its own, such as a lock of an import.
_IGNORED = re.compile(r"Exception ignored in: .*?\nKeyboardInterrupt: ?\n", re.DOTALL)


def _ours(found: re.Match[str]) -> str:
    """What is left of it: all where one of our frames is in it, else nothing."""
    return found[0] if "/ipybgjobs/" in found[0] else ""


@_check
def the_store_is_sound(evidence: Evidence) -> Iterator[Finding]:
    if evidence.rows.integrity != "ok":
        yield f"integrity_check: {evidence.rows.integrity[:120]}", 0


# -- promise 8: secrets are in no file ---------------------------------------------------------------------------------------


@_check
def no_secret_is_left(evidence: Evidence) -> Iterator[Finding]:
    if evidence.rows.environments:
        yield "rows of environment variables are left", evidence.rows.environments
    state, mark = evidence.place.state, evidence.place.secret.encode()
    files = [path for path in state.iterdir() if path.is_file()] + [*(state / "logs").iterdir()]
    for name in sorted(evidence.folders)[:_FOLDERS]:
        files += [path for path in (state / "jobs" / name).rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        if mark in (content if path.parent == state else content[:_BYTES]):
            yield "an environment variable stands in a file", path.relative_to(state)


def _attempts(evidence: Evidence) -> Iterator[tuple[JobRow, AttemptRow]]:
    """Every attempt with its job, hooks apart."""
    for job in evidence.rows.jobs.values():
        yield from ((job, attempt) for attempt in evidence.rows.of(job.id))


def _was_struck(evidence: Evidence, attempt: AttemptRow) -> bool:
    """Whether the process of an attempt was killed, interrupted or terminated by the violence."""
    return evidence.started(attempt.folder).get("process", {}).get("pid") in evidence.struck


def unpromised(evidence: Evidence) -> list[Event]:
    """Rows that no client was promised: of clients that were interrupted or killed."""
    promised = set(_accepted(evidence))
    return [{"job": job.id, "token": job.token} for job in evidence.rows.jobs.values() if job.id not in promised]
