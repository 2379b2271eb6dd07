"""Decide whether and when a failed attempt is retried: pure functions of the policy and the failure.

If retries were not requested, only a failure that may pass by itself is followed by another attempt. Never reads a clock and
draws no random number of its own: the draw is passed in.
"""

from collections.abc import Sequence
from typing import Any, Self

from msgspec import Struct

#: Errors in the code: another attempt would fail the same way.
FAULTS_OF_THE_CODE = ("TypeError", "NameError", "AttributeError", "ImportError", "SyntaxError", "AssertionError")

#: Exceptions that may pass by themselves, beside ``Retry``, and their subclasses that do not.
PASSING = ("ConnectionError", "TimeoutError", "OSError")
LASTING = (
    "FileNotFoundError",
    "FileExistsError",
    "IsADirectoryError",
    "NotADirectoryError",
    "PermissionError",
    "io.UnsupportedOperation",
)

#: The settings that ask for retries; the others only say when an attempt follows.
REQUESTING = ("max_attempts", "delay_seconds", "retry_on", "never_retry")

#: The exception of a notebook whose cell raised; its bases name those of the cell's exception too.
_CELL_FAILED = "ipybgjobs.errors.CellFailed"


class RetrySettings(Struct, frozen=True):
    """The retry policy of one job, as plain values.

    Parameters
    ----------
    max_attempts : int
        Maximum number of attempts, including the first; at least 1.
    delay_seconds : tuple of float
        One number: the delay before the second attempt, multiplied by `backoff_factor` for each further one.
        Several: each delay in turn, the last one repeating, not multiplied.
    backoff_factor : float
        At least 1.
    max_delay_seconds : float
        No delay is longer than this, jitter included.
    jitter : float
        Largest random addition, as a fraction of the delay, 0 to 1.
    retry_on : tuple of str
        Exception names that are retried; empty: all that `never_retry` does not name.
    never_retry : tuple of str
        Exception names that are not retried; subclasses are included, as with ``except``.
    requested : bool
        Whether a file, an entry or a submit set one of `REQUESTING`. Otherwise only `PASSING` failures are retried, whatever
        `retry_on` and `never_retry` say.
    """

    max_attempts: int = 3
    delay_seconds: tuple[float, ...] = (60.0,)
    backoff_factor: float = 2.0
    max_delay_seconds: float = 3600.0
    jitter: float = 0.0
    retry_on: tuple[str, ...] = ()
    never_retry: tuple[str, ...] = FAULTS_OF_THE_CODE
    requested: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the rules as JSON values."""
        return {name: getattr(self, name) for name in self.__struct_fields__}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Rebuild rules from `to_json`; those of an older version, which always retried, count as requested."""
        lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(**{"requested": True, **lists})


class Failure(Struct, frozen=True):
    """How an attempt failed, as far as it matters to the retry policy.

    Parameters
    ----------
    names : tuple of str
        Names of the exception's class and its bases, bare and dotted; empty if nothing was raised
        (``lost``, ``timeout``).
    fatal : bool
        Whether the job raised ``Fail``.
    retry_requested : bool
        Whether the job raised ``Retry``.
    after : float or None
        Seconds, if set by ``Retry(after=…)``.
    lost : bool
        Whether its process vanished.
    out_of_memory : bool
        Whether it vanished because memory likely ran out.
    of_cell : bool
        Whether the code of a notebook's cell raised.
    """

    names: tuple[str, ...] = ()
    fatal: bool = False
    retry_requested: bool = False
    after: float | None = None
    lost: bool = False
    out_of_memory: bool = False
    of_cell: bool = False


def delay_before(settings: RetrySettings, attempt: int, draw: float) -> float:
    """Return the seconds to wait before attempt number `attempt`.

    ``min(max_delay, delay * factor ** (attempt - 2) * (1 + jitter * draw))``

    Parameters
    ----------
    settings : RetrySettings
        The policy.
    attempt : int
        2 for the second attempt.
    draw : float
        A random number in [0, 1).
    """
    step = attempt - 2
    if len(settings.delay_seconds) > 1:
        delay = settings.delay_seconds[min(step, len(settings.delay_seconds) - 1)]
    else:
        delay = _grown(settings.delay_seconds[0], settings.backoff_factor, step)
    return min(settings.max_delay_seconds, delay * (1 + settings.jitter * draw))


def _grown(delay: float, factor: float, step: int) -> float:
    try:
        return delay * factor**step
    except OverflowError:
        return float("inf") if delay else 0.0


def next_delay(settings: RetrySettings, made: int, failure: Failure, draw: float) -> float | None:
    """Decide what follows a failed attempt.

    Parameters
    ----------
    settings : RetrySettings
        The policy.
    made : int
        Number of attempts so far, including the failed one.
    failure : Failure
        How it failed.
    draw : float
        A random number in [0, 1).

    Returns
    -------
    float or None
        Seconds to wait before the next attempt; None: there is none.
    """
    if made >= settings.max_attempts or failure.fatal:
        return None
    if failure.retry_requested:
        return delay_before(settings, made + 1, draw) if failure.after is None else failure.after
    retried = _fits(settings, failure.names) if settings.requested else _may_pass(failure)
    return delay_before(settings, made + 1, draw) if retried else None


def _fits(settings: RetrySettings, names: Sequence[str]) -> bool:
    """Return whether a failure is one of those for which retries were requested; one without an exception is."""
    if not names:
        return True
    if any(name in settings.never_retry for name in names):
        return False
    return not settings.retry_on or any(name in settings.retry_on for name in names)


def _may_pass(failure: Failure) -> bool:
    """Return whether another attempt may succeed although nothing was changed."""
    if failure.lost:
        return not failure.out_of_memory
    if failure.of_cell or _CELL_FAILED in failure.names:
        return False
    return any(name in PASSING for name in failure.names) and not any(name in LASTING for name in failure.names)
