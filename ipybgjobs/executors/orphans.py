"""Processes left behind by dead workers: orphans become children of the fork server, which tells whose they were.

A worker adopts the orphans of its descendants, so a process whose worker is alive never appears here.
"""

from collections.abc import Container
from typing import Any

from ..system import identity, mark, tree
from ..system.identity import ProcessState


class Orphans:
    """The children of this process that are not its own workers, remembered from one reaping to the next."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def of(self, reaped: int, workers: Container[int], folder: str | None) -> list[dict[str, Any]]:
        """Return the processes that this process inherited from a dead child.

        Parameters
        ----------
        reaped : int
            PID of the child, which has just been waited for.
        workers : container of int
            PIDs of the workers that are alive or still to be reaped.
        folder : str or None
            The attempt folder of a worker; None if the child was not a worker: what an orphan leaves belongs to no attempt.

        Returns
        -------
        list of dict
            The identity of each new process that carries the attempt's mark. Of the processes without a mark that several
            workers may have left, only those in the session of this one.
        """
        everybody = tree.children()
        children = [state for state in everybody if state.pid not in workers]
        new = [state for state in children if state.pid not in self._known]
        ambiguous = any(state.pid in workers and state.state == "Z" for state in everybody)
        worn = None if folder is None or not new else mark.of_attempt(folder)
        mine = [state for state in new if _is_of(state, reaped, worn, ambiguous=ambiguous)]
        self._known = {state.pid for state in children if state not in new or state in mine}
        return [] if folder is None else [identity.of(state).to_json() for state in mine]


def _is_of(state: ProcessState, worker: int, worn: int | None, *, ambiguous: bool) -> bool:
    """Return whether a process was left by a given dead worker."""
    found = mark.of_process(state.pid)
    return (state.session == worker or not ambiguous) if found is None else found == worn
