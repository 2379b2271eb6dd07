"""How an attempt is launched here: by a fork if that is safe, otherwise as a fresh process. It launches nothing."""

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
        self._is_sound = identity.is_single_threaded()  # code that starts a thread here also does so in a fork server

    def choose(self, startup: str, variables: Iterable[str]) -> LaunchChoice:
        """Choose a kind of launch; see `Executor.choose`."""
        reason = self._reason_against_fork(startup, variables)
        return LaunchChoice(LaunchKind.FORK) if reason is None else LaunchChoice(LaunchKind.FRESH, reason)

    def _reason_against_fork(self, startup: str, variables: Iterable[str]) -> str | None:
        if startup != self._startup:
            return "its interpreter, or an option or variable that acts when it starts, differs from the supervisor's"
        if not self._is_sound:
            return "something starts a thread when this interpreter starts (sitecustomize, a .pth file), so forking is unsafe"
        if any(map(acts_at_start, variables)):
            return "its queue sets variables that act when an interpreter starts"
        return None
