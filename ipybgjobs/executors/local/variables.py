"""The environment variables of a fork server, which its forks inherit: those of the attempt that it launches next.

Attempts mostly follow others of the same submitter, so what a change costs is spent once, and not in each fork.
"""

import os

from ...system import worker


class Variables:
    """The variables of this process, and those that it was started with."""

    def __init__(self) -> None:
        self._own = dict(os.environ)
        self.problem: str | None = None  #: why the process does not have the variables that it was to take

    def take(self, variables: dict[str, str]) -> None:
        """Replace the variables of this process."""
        try:
            os.environ.clear()
            os.environ.update(variables)
            self.problem = None
        except ValueError as error:  # a name or value that no process can have, for example from a queue's settings
            self.problem = f"its environment variables can't be set: {error}"
        worker.use_time_zone()

    def restore(self) -> None:
        """Return to the variables that this process was started with."""
        self.take(self._own)
