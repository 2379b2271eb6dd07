"""How an attempt is launched here: by a fork where that is sound, else as a fresh process. It launches nothing."""

from collections.abc import Iterable, Mapping

from ...system import identity
from ...targets.context import acts_at_start, startup_key
from ..launch_request import LaunchChoice, LaunchKind


class LaunchKinds:
    """Chooses the kind of launch.

    Parameters
    ----------
    environment : mapping
        Environment variables of this process, which its fork servers are started with.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._startup = startup_key(environment)
        self._is_sound = identity.is_single_threaded()  # whoever starts a thread here does it in a fork server, too

    def choose(self, startup: str, variables: Iterable[str]) -> LaunchChoice:
        """Choose; see `Executor.choose`."""
        reason = self._reason_against_fork(startup, variables)
        return LaunchChoice(LaunchKind.FORK) if reason is None else LaunchChoice(LaunchKind.FRESH, reason)

    def _reason_against_fork(self, startup: str, variables: Iterable[str]) -> str | None:
        if startup != self._startup:
            return "another interpreter, or its options or variables that act at its start differ from the supervisor's"
        if not self._is_sound:
            return "something starts a thread at this interpreter's start (sitecustomize, a .pth file); a fork would not be sound"
        if any(map(acts_at_start, variables)):
            return "its queue sets variables that act at an interpreter's start"
        return None
