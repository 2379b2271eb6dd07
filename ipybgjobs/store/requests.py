"""Users' requests to the supervisor of a job's place: to cancel a job, retry it or adopt it; converted to rows and back."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from . import columns
from .columns import UnreadableRow
from .insertion import SqlValue


class CancelRequest(Struct, frozen=True):
    """A request to cancel a job."""

    grace: float | None = None  #: seconds for each step; None: as configured


class RetryRequest(Struct, frozen=True):
    """A request to retry a job in the user's current context, given by the ids of its row and its environment's."""

    context: int
    environment: int


class AdoptRequest(Struct, frozen=True):
    """A request to move a job to this place, because its own place is gone."""

    note: str  #: who confirmed that


#: The kinds of request; their fields are stored in the column ``options``.
JobRequest = CancelRequest | RetryRequest | AdoptRequest


class Request(Struct, frozen=True):
    """A request about one job."""

    id: int
    job_id: int
    asked: JobRequest


class UnreadableRequest(Struct, frozen=True):
    """A request that no client of ipybgjobs wrote."""

    id: int
    job_id: int | None


#: The word in the column ``verb``.
_VERBS = {CancelRequest: "cancel", RetryRequest: "retry", AdoptRequest: "adopt"}


def request_columns(asked: JobRequest, now: float) -> dict[str, SqlValue]:
    """Return the columns of a request's row, except for the job and its place."""
    return {
        "verb": _VERBS[type(asked)],
        "options": json.dumps(asdict(asked)),
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
        raise ValueError(options["note"])  # noqa: TRY004 - the row is wrong, not the program
    return AdoptRequest(options["note"])


_READERS: dict[str, Callable[[dict[str, Any]], JobRequest]] = {"cancel": _cancel, "retry": _retry, "adopt": _adopt}


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError(value)
    return value
