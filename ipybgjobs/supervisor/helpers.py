"""Start the short-lived children that answer the supervisor's questions; it runs no user code itself.

Such a child is a fork of the supervisor where that can't be told from a new interpreter: the same one, with the same package, and
nothing installed since. It loads what it needs itself.
"""

import sys
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from ..system import installed
from ..system.child import JsonChild
from ..system.roles import PACKAGE_ROOT, command


class Helpers(Struct, frozen=True):
    """Starts children.

    Parameters
    ----------
    installed : tuple
        Fingerprint of what was installed when this process started.
    """

    installed: tuple[tuple[str, int], ...] = field(default_factory=installed.fingerprint)

    def ask(self, role: str, executable: str, root: str, question: Any, longest: float) -> JsonChild:
        """Start a child.

        Parameters
        ----------
        role : str
            Its role, one of `RUNS`.
        executable, root : str
            Its interpreter, and the folder that holds the package there.
        question : object
            Its standard input, as JSON.
        longest : float
            Seconds after which it is abandoned.

        Raises
        ------
        OSError
            If it can't be started.
        """
        words = command(role, executable=executable, root=root)
        is_same = (executable, root) == (sys.executable, PACKAGE_ROOT) and self.installed == installed.fingerprint()
        return JsonChild(words, question, longest, RUNS[role] if is_same else None)


def _evaluate_configuration(descriptor: int) -> None:
    """Evaluate configuration files, in a fork; see `loading.main`."""
    from ..configuration import loading  # in the fork only: it loads traitlets

    loading.main(descriptor)


def _find_origin(descriptor: int) -> None:
    """Find out where code comes from, in a fork; see `origin.main`."""
    from ..targets import origin

    origin.main(descriptor)


#: What a fork does for each role, with the descriptor for its answer.
RUNS: dict[str, Callable[[int], None]] = {"configuration": _evaluate_configuration, "origin": _find_origin}
