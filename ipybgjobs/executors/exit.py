"""How an attempt's process ended, as far as it was observed; what that means is decided elsewhere."""

from msgspec import Struct, field

from ..state import reports
from ..system import exit_status
from ..system.identity import ProcessIdentity


class Exit(Struct, frozen=True):
    """The end of an attempt's process; unknown values are None.

    Parameters
    ----------
    folder : str
        The attempt folder.
    exit_code : int or None
        Its exit code; None if a signal ended it.
    signal : int or None
        The number of the signal that ended it.
    peak_memory : int or None
        Bytes.
    cpu_seconds : float or None
        Seconds of processor time.
    left : tuple of ProcessIdentity
        Processes that its end made orphans.
    begun : bool
        Whether it is known to have begun, whatever its start marker says.
    """

    folder: str
    exit_code: int | None = None
    signal: int | None = None
    peak_memory: int | None = None
    cpu_seconds: float | None = None
    left: tuple[ProcessIdentity, ...] = field(default=())
    begun: bool = False

    @property
    def was_seen(self) -> bool:
        """Whether it is known how the process ended."""
        return self.exit_code is not None or self.signal is not None


def recorded(folder: str) -> Exit:
    """Return the end of an attempt as recorded by an orphaned fork server; unknown if it wrote nothing."""
    left = reports.exit_report(folder) or reports.ExitReport()
    code, signal = exit_status.decode(left.status)
    orphans = tuple(ProcessIdentity(*each) for each in left.orphans)
    return Exit(folder, code, signal, left.peak_memory, left.cpu_seconds, orphans, left.begun)
