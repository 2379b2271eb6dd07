"""What users ask the supervisor of a job's place for: to cancel a job, to retry it, to adopt it; as a row, and back."""

import dataclasses
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import columns
from .columns import UnreadableRow
from .insertion import SqlValue


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """To cancel a job."""

    grace: float | None = None  #: seconds that each step of its end is given; None: as is configured


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """To retry a job where and how somebody submits now: the rows of a context and of environment variables."""

    context: int
    environment: int


@dataclass(frozen=True, slots=True)
class AdoptRequest:
    """To make a job this place's whose own place is gone."""

    note: str  #: who says so


#: What may be asked for; the fields are what the column ``options`` says.
JobRequest = CancelRequest | RetryRequest | AdoptRequest


@dataclass(frozen=True, slots=True)
class Request:
    """A request about one job."""

    id: int
    job_id: int
    asked: JobRequest


@dataclass(frozen=True, slots=True)
class UnreadableRequest:
    """A request that no client of ipybgjobs wrote."""

    id: int
    job_id: int | None


#: The word in the column ``verb``.
_VERBS = {CancelRequest: "cancel", RetryRequest: "retry", AdoptRequest: "adopt"}


def request_columns(asked: JobRequest, now: float) -> dict[str, SqlValue]:
    """Return what the row of a request says, but for its job and that job's place."""
    return {
        "verb": _VERBS[type(asked)],
        "options": json.dumps(dataclasses.asdict(asked)),
        "environment": asked.environment if isinstance(asked, RetryRequest) else None,  # kept until it is answered
        "requested_at": now,
    }


def of_row(row: sqlite3.Row) -> Request | UnreadableRequest:
    """Read a request."""
    request_id, job_id = int(row["id"]), row["job_id"]
    if not isinstance(job_id, int):
        return UnreadableRequest(request_id, None)
    try:
        return Request(request_id, job_id, _READERS[columns.text(row, "verb")](columns.mapping(row, "options")))
    except (UnreadableRow, KeyError, ValueError):
        return UnreadableRequest(request_id, job_id)


def _cancel(options: dict[str, Any]) -> CancelRequest:
    grace = options.get("grace")
    if grace is not None and type(grace) not in (int, float):
        raise ValueError(grace)
    return CancelRequest(grace)


def _retry(options: dict[str, Any]) -> RetryRequest:
    return RetryRequest(_whole(options["context"]), _whole(options["environment"]))


def _adopt(options: dict[str, Any]) -> AdoptRequest:
    if not isinstance(options["note"], str):
        raise ValueError(options["note"])  # noqa: TRY004 - a row is wrong, no program
    return AdoptRequest(options["note"])


_READERS: dict[str, Callable[[dict[str, Any]], JobRequest]] = {"cancel": _cancel, "retry": _retry, "adopt": _adopt}


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError(value)
    return value
