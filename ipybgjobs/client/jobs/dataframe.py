"""Jobs as a pandas data frame, with one row per job; pandas is imported only when one is requested."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ...configuration.settings import NOTEBOOK_CLASS
from ...errors import InvalidRequest
from ...model.call import Call
from ...model.records import JobRecord
from ...model.scalars import Scalar

if TYPE_CHECKING:
    import pandas as pd

#: Columns before those that the jobs recorded and returned, and after them; a parameter of the same name is ``params.NAME``.
_FIRST, _LAST = ("name", "target", "queue", "state", "attempts", "submitted", "seconds"), ("error",)
_OURS = ("job", *_FIRST, "result", *_LAST)

#: Prefixes of columns that no parameter may have.
_PREFIXES = ("params.", "init.", "values.", "result.")

#: From here on an integer does not fit a column of integers.
_LARGEST = 1 << 63

#: Most keys of a dict that become columns.
_MOST_KEYS = 200


class FrameRow(Struct, frozen=True):
    """One job of a data frame.

    Parameters
    ----------
    record : JobRecord
        The job.
    values : mapping
        The values that it has recorded.
    result : object
        What it returned; None if it has not succeeded.
    """

    record: JobRecord
    values: Mapping[str, Scalar] = field(default_factory=dict)
    result: Any = None


def frame(rows: Sequence[FrameRow], *, results: bool) -> "pd.DataFrame":
    """Return a data frame with a row for each job, with its parameters, recorded values and result as columns.

    Parameters
    ----------
    rows : sequence of FrameRow
        The jobs.
    results : bool
        Whether there are columns for results.

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
    parameters = [parameters_of(row.record.call) for row in rows]
    values = [{f"values.{name}": value for name, value in dict(row.values).items()} for row in rows]
    returned = [_result(row.result) if results else {} for row in rows]
    columns = ["job", *_names(parameters), *_FIRST, *_names(values), *_result_columns(returned, results=results), *_LAST]
    cells = [
        {**given, **recorded, **result, **_facts(row.record, now)}
        for row, given, recorded, result in zip(rows, parameters, values, returned, strict=True)
    ]
    table = pd.DataFrame(cells, columns=columns)
    for name in _names(parameters):
        if _are_whole_with_gaps([given.get(name) for given in parameters]):
            table[name] = table[name].astype("Int64")  # otherwise 29 is 29.0 where another job has no such parameter
    table["submitted"] = pd.to_datetime(table["submitted"], unit="s", utc=True)
    return table


def _are_whole_with_gaps(values: Sequence[Any]) -> bool:
    """Return whether some values are None, and all others integers that a column holds."""
    found = [value for value in values if value is not None]
    return 0 < len(found) < len(values) and all(type(value) is int and abs(value) < _LARGEST for value in found)


def _names(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of all columns, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in cells for name in row))


def _result_columns(returned: Sequence[Mapping[str, Any]], *, results: bool) -> list[str]:
    """Return the columns of results: `result` itself only if a job returned something else than a dict, or none returned one."""
    names = _names(returned)
    keys = [name for name in names if name != "result"]
    others = any(row.get("result") is not None for row in returned)
    return ([] if keys and not others else ["result"]) + keys if results else []


def _result(value: Any) -> dict[str, Any]:
    """Return the columns of one result: one for each key of a dict, unless it has very many."""
    if isinstance(value, dict) and 0 < len(value) <= _MOST_KEYS:
        return {"result": None} | {f"result.{key}": item for key, item in value.items()}
    return {"result": value}


def parameters_of(call: Call) -> dict[str, Any]:
    """Return a call's parameters by the name of their column: the method's, the constructor's, and those of a notebook."""
    method, constructor = call.shown("params"), call.shown("init")
    found = {_column("params", name): value for name, value in constructor.items() if name not in method}
    found |= {f"init.{name}": value for name, value in constructor.items() if name in method}
    of_notebook = method.get("parameters") if call.target == f"{NOTEBOOK_CLASS}.run" else None
    if not isinstance(of_notebook, dict):
        return found | {_column("params", name): value for name, value in method.items()}
    own = {_column("params", name): value for name, value in method.items() if name != "parameters"}
    return {f"params.{name}" if name in own else _column("params", name): value for name, value in of_notebook.items()} | own


def _column(part: str, name: str) -> str:
    """Return the column of a parameter, another one than those that every data frame has."""
    return f"{part}.{name}" if name in _OURS or name.startswith(_PREFIXES) else name


def _facts(record: JobRecord, now: float) -> dict[str, Any]:
    return {
        "job": record.id,
        "name": record.name,
        "target": record.call.target,
        "queue": record.queue,
        "state": str(record.state),
        "attempts": record.attempt,
        "submitted": record.submitted_at,
        "seconds": record.elapsed(now),
        "error": record.error,
    }
