"""Explain what a submit would do: which entry allows it, what would be called, when and how often; or why it would be refused.

An explanation is a value with a text and a JSON form, made from the findings of the preparation; it starts nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from ...configuration import loading
from ...configuration.settings import QueueSettings, Settings
from ...model import durations, moments, redaction, retry, serialization
from ...model.call import Call
from ...model.path_with_content import PathWithContent
from ...model.retry import RetrySettings
from ...state.folder import StateFolder
from ...store.submissions import SubmitPreview
from ...targets import target_rules
from ...targets.allowlist import Permission
from ...targets.binding import RawValue
from ...targets.inspection_steps import InspectionResult
from .options import Options
from .stages import PreparationTrace

#: Most attempts that are listed.
_SHOWN = 10


class Fact(Struct, frozen=True):
    """One line of an explanation: a name, a text for users, a value for programs; facts of the same name extend a list."""

    name: str
    text: str
    value: Any


class Explanation(Struct, frozen=True):
    """An explanation of what a submit would do.

    Parameters
    ----------
    target : str
        The full dotted path; as typed if it was not found.
    refusal : str or None
        Why nothing would be submitted.
    facts : tuple of Fact
        What is known so far; secrets blanked.
    """

    target: str
    refusal: str | None
    facts: tuple[Fact, ...]

    @property
    def allowed(self) -> bool:
        """Whether a job would be submitted, or an existing one returned."""
        return self.refusal is None

    def __str__(self) -> str:
        """Return the explanation as lines of text."""
        head = f"{self.target} would run" if self.allowed else f"{self.target} would be refused: {self.refusal}"
        return "\n".join([redaction.one_line(head), *(f"  {fact.name:14}{redaction.one_line(fact.text)}" for fact in self.facts)])

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON values."""
        found: dict[str, Any] = {"target": self.target, "allowed": self.allowed, "refusal": self.refusal}
        for fact in self.facts:
            key = fact.name.replace(" ", "_")
            found[key] = [*found.get(key, []), *fact.value] if isinstance(fact.value, list) else fact.value
        return found


class ExplainContext(Struct, frozen=True):
    """What an explanation needs besides the findings of the preparation.

    Parameters
    ----------
    target : str
        As typed.
    given : mapping of str to mapping
        The values passed as ``init`` and as ``params``.
    refusal : str or None
        Why the preparation, or the store, refused it.
    settings : Settings or None
        What the configuration files say; None if they can't be read.
    preview : SubmitPreview
        What it would find in the store.
    now : float
        Seconds since the epoch.
    paused : bool
        Whether its queue is paused.
    withheld : sequence of str
        Which of this process's limits the running supervisor can't grant.
    """

    target: str
    given: Mapping[str, Mapping[str, Any]]
    refusal: str | None
    settings: Settings | None
    preview: SubmitPreview
    now: float
    paused: bool = False
    withheld: Sequence[str] = ()


def explain(trace: PreparationTrace, context: ExplainContext) -> Explanation:
    """Return an explanation of what is known."""
    found: list[Fact] = []
    if trace.permission is not None:
        found.append(_allowed_by(trace.permission))
    if trace.permission is not None and trace.inspected is not None and trace.call is not None:
        found += _pattern(trace.inspected, context.settings)
        found += _call(trace.permission, trace.inspected, trace.call, context.given)
        found += _submit_hook(trace.permission, trace.inspected)
    if trace.options is not None and context.settings is not None:
        found += _schedule(trace.options, context.settings.queues[trace.options.queue], context)
    found += [Fact("withheld", f"{each}: the running supervisor can't grant more", [each]) for each in context.withheld]
    if context.settings is not None:
        found += _log_paths(context.settings)
    target = trace.permission.target if trace.permission else context.target
    return Explanation(target, context.refusal, tuple(found))


def _allowed_by(permission: Permission) -> Fact:
    allowed_by, file = permission.allowed_by, permission.entry.source
    return Fact("allowed by", f"{allowed_by} in {file}", {"rule": allowed_by, "file": file})


def _pattern(inspected: InspectionResult, settings: Settings | None) -> Iterator[Fact]:
    """Yield the pattern by which a notebook may run, if the target runs one."""
    allowed_by = target_rules.of(inspected.signature.demand)
    pattern = None if settings is None else allowed_by.pattern(inspected.calls[0].params, settings)
    if pattern is not None:
        yield Fact("notebook", f"matches {pattern!r} in allowed_notebooks", {"pattern": pattern})


def _submit_hook(permission: Permission, inspected: InspectionResult) -> Iterator[Fact]:
    """Yield whether the class's `on_submit`, which may be the user's code, was called."""
    owner = permission.entry.key
    text = {
        "called": f"{owner}.on_submit was called and prepared these parameters, as at submit",
        "not called": f"{owner}.on_submit was not called: at submit it may change or refuse these parameters",
    }.get(inspected.submit_hook)
    if text is not None:
        yield Fact("submit hook", text, inspected.submit_hook)


def _call(
    permission: Permission, inspected: InspectionResult, call: Call, given: Mapping[str, Mapping[str, Any]]
) -> Iterator[Fact]:
    bound, annotations, source = inspected.calls[0], inspected.signature.annotations, inspected.signature.source
    written = redaction.without(str(call), call.hidden)
    yield Fact("call", written, written)
    where = "sent by value" if permission.by_value else f"in {source}" if source else "with no source file"
    value = {"name": permission.target, "file": source, "by_value": permission.by_value}
    yield Fact("callable", f"{permission.target}, {where}", value)
    for group, values in ((serialization.INIT, bound.init), (serialization.PARAMS, bound.params)):
        for name, value in values.items():
            origin = _origin(given[group], name, annotations.get(serialization.key(group, name)))
            text, kind = (
                _shown(call, group, name),
                "file, sent with the job" if isinstance(value, PathWithContent) else type(value).__name__,
            )
            yield Fact(group, f"{name}={text}: {kind}, {origin}", [{"name": name, "value": text, "type": kind, "from": origin}])


def _shown(call: Call, group: str, name: str) -> str:
    """Return a value as text, or its description if it is not plain; secrets blanked."""
    value = call.shown(group)[name]
    whole = serialization.key(group, name) in call.pickled or value == redaction.BLANK
    return redaction.without(value if whole else redaction.cut(repr(value)), call.hidden)


def _origin(given: Mapping[str, Any], name: str, annotation: str | None) -> str:
    """Return where a value comes from, and what converted it."""
    if name not in given:
        return "the default"
    value = given[name]
    typed = ("a bare word" if value.bare else "a literal") if isinstance(value, RawValue) else "as given"
    return f"{typed}, converted by the annotation {annotation}" if annotation else typed


def _schedule(options: Options, queue: QueueSettings, context: ExplainContext) -> Iterator[Fact]:
    """Yield where the job would wait, when it would start, how often, and for how long."""
    paused = ", paused" if context.paused else ""
    slots = f"{queue.slots} slot{'s' if queue.slots > 1 else ''}"
    value = {"name": options.queue, "slots": queue.slots, "paused": context.paused}
    yield Fact("queue", f"{options.queue}, {slots}{paused}", value)
    yield Fact("priority", str(options.priority), options.priority)
    yield _start(options, context.now)
    yield from _attempts(options, context.now)
    timeout = "none" if options.timeout is None else f"{durations.show(options.timeout)} for each attempt"
    yield Fact("timeout", timeout, options.timeout)
    yield from _store_facts(options, context.preview)


def _start(options: Options, now: float) -> Fact:
    later = options.not_before > now
    text = f"not before {moments.show(options.not_before)}" if later else "as soon as a slot is free"
    text += ", after the jobs that it depends on" if options.after else ""
    return Fact("start", text, {"not_before": moments.iso(options.not_before), "after": [str(each) for each, _ in options.after]})


def _attempts(options: Options, now: float) -> Iterator[Fact]:
    """Yield each attempt, with its delay and its earliest start; without jitter."""
    rules, earliest = options.retry_settings, max(options.not_before, now)
    for number in range(1, min(rules.max_attempts, _SHOWN) + 1):
        delay = retry.delay_before(rules, number, 0.0) if number > 1 else 0.0
        earliest += delay
        if options.deadline is not None and earliest >= options.deadline:
            break
        jitter = f", plus up to {rules.jitter:.0%} jitter" if rules.jitter and delay else ""
        when = f"{durations.show(delay)} after attempt {number - 1} fails{jitter}" if number > 1 else "at the start"
        value = {"number": number, "delay_seconds": delay, "earliest": moments.iso(earliest)}
        yield Fact("attempts", f"{number} of {rules.max_attempts}: {when}, not before {moments.show(earliest)}", [value])
    if rules.max_attempts > 1:
        yield _retried(rules)
    if options.deadline is not None:
        yield Fact(
            "deadline",
            f"{moments.show(options.deadline)}: no attempt starts or keeps running after it",
            moments.iso(options.deadline),
        )


def _retried(rules: RetrySettings) -> Fact:
    """Return which failures are followed by another attempt."""
    value = {"requested": rules.requested, "on": list(rules.retry_on), "never": list(rules.never_retry)}
    if not rules.requested:
        return Fact("retried", _PASSING_ONLY, value | {"on": list(retry.PASSING), "never": list(retry.LASTING)})
    which = f"{', '.join(rules.retry_on)}, " if rules.retry_on else "every exception, "
    never = f", but never {', '.join(rules.never_retry)}" if rules.never_retry else ""
    return Fact("retried", f"{which}time-outs and lost processes{never}", value)


#: What is retried if retries were not requested.
_PASSING_ONLY = (
    "only what may pass by itself, since no file, entry or option asks for retries: bg.Retry, ConnectionError, TimeoutError and "
    "other OSErrors (but no missing file or permission), and lost processes unless memory ran out; never what a cell raises"
)


def _store_facts(options: Options, preview: SubmitPreview) -> Iterator[Fact]:
    """Yield what the job would find in the store."""
    if options.unique:
        key = "target and parameters" if options.unique is True else options.unique
        yield Fact("unique", f"{key}; on a duplicate: {options.on_duplicate}", {"key": key, "on_duplicate": options.on_duplicate})
    if preview.existing is not None:
        yield Fact("serves", f"job {preview.existing} would be returned instead: nothing would be started", preview.existing)
    if preview.replaces is not None:
        yield Fact("replaces", f"job {preview.replaces}, which would be cancelled first", preview.replaces)


def _log_paths(settings: Settings) -> Iterator[Fact]:
    folder = StateFolder(loading.state_folder(settings))
    read = [file.path for file in settings.files if file.status != "absent"]
    yield Fact("files", ", ".join(read) or "no configuration file was read", read)
    logs = settings.logs.files(folder.logs)
    yield Fact("logs", ", ".join(logs), list(logs))
    yield Fact("state folder", folder.path, folder.path)
