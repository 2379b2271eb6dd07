"""Jobs as a pandas data frame, with one row per job; pandas is imported only when one is requested."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InvalidRequest
from ...model.records import JobRecord

if TYPE_CHECKING:
    import pandas as pd

#: Fixed columns; a parameter of the same name becomes ``params.NAME``.
_OURS = ("job", "name", "target", "queue", "state", "attempts", "submitted", "seconds", "result", "error")


def frame(records: Sequence[JobRecord], result: Callable[[JobRecord], Any] | None) -> "pd.DataFrame":
    """Return a data frame with a row for each job, its parameters as columns.

    Parameters
    ----------
    records : sequence of JobRecord
        The jobs.
    result : callable or None
        Gives the return value of a job; None: no such column.

    Raises
    ------
    InvalidRequest
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise InvalidRequest("to_frame() needs pandas: pip install pandas") from None
    now = time.time()
    rows = [_row(record, now, result) for record in records]
    parameters = list(dict.fromkeys(key for row in rows for key in row if key not in _OURS))
    ours = [column for column in _OURS if column != "result" or result is not None]
    table = pd.DataFrame(rows, columns=[ours[0], *parameters, *ours[1:]])
    table["submitted"] = pd.to_datetime(table["submitted"], unit="s", utc=True)
    return table


def _row(record: JobRecord, now: float, result: Callable[[JobRecord], Any] | None) -> dict[str, Any]:
    call = record.call
    shown = call.shown("params")
    row = {f"params.{key}" if key in _OURS else key: value for key, value in shown.items()}
    row |= {
        "job": record.id,
        "name": record.name,
        "target": call.target,
        "queue": record.queue,
        "state": str(record.state),
        "attempts": record.attempt,
        "submitted": record.submitted_at,
        "seconds": record.elapsed(now),
        "error": record.error,
    }
    return row if result is None else {**row, "result": result(record)}
