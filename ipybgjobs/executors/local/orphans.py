"""What dead workers left behind: their orphans become children of the fork server, which tells whose they were.

A worker adopts what its descendants orphan, so a process whose worker lives is never seen here.
"""

from collections.abc import Container
from typing import Any

from ...system import identity, mark, tree
from ...system.identity import ProcessState


class Orphans:
    """The children of this process that are no workers of its own, known from one reaping to the next."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def of(self, reaped: int, workers: Container[int], folder: str | None) -> list[dict[str, Any]]:
        """Return what the death of a child has left to this process.

        Parameters
        ----------
        reaped : int
            PID of the child, which has just been waited for.
        workers : container of int
            PIDs of the workers that live or are still to be waited for.
        folder : str or None
            The attempt folder of a worker; None where the child was no worker: what an orphan leaves is nobody's.

        Returns
        -------
        list of dict
            The identity of each process that was not known before and bears the attempt's mark. Of those without a mark that
            several workers may have left, only the ones in the session of this one.
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
    """Whether a worker that has died has left a process."""
    found = mark.of_process(state.pid)
    return (state.session == worker or not ambiguous) if found is None else found == worn
