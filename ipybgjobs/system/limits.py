"""The resources of a process and its children (limits, niceness, processors), and taking on those of another process.

A process may always take less. Resources that the kernel refuses to give back are returned, never raised. POSIX:
`getrlimit`, `getpriority`; Linux: `sched_getaffinity`, `prlimit`, capabilities in ``/proc``.
"""

import contextlib
import os
import resource
from typing import Any, NamedTuple, Self

#: Limits by their names in `resource`, without the prefix; OFILE is NOFILE's old name, LOCKS has the mark (see `process_mark`).
_LIMITS = {
    name.removeprefix("RLIMIT_"): getattr(resource, name)
    for name in sorted(dir(resource))
    if name.startswith("RLIMIT_") and name not in ("RLIMIT_OFILE", "RLIMIT_LOCKS")
}

#: Names of limits for users.
_NAMES = {
    "AS": "address space",
    "CORE": "core file size",
    "CPU": "CPU seconds",
    "DATA": "data segment",
    "FSIZE": "file size",
    "MEMLOCK": "locked memory",
    "NOFILE": "open files",
    "NPROC": "processes",
    "STACK": "stack",
}

#: Bits of capabilities(7): to lower a niceness, to raise a hard limit.
_SYS_NICE, _SYS_RESOURCE = 1 << 23, 1 << 24


class Allotment(NamedTuple):
    """The resources of a process."""

    limits: dict[str, tuple[int, int]]  #: soft and hard, in the units of `resource`, by name; -1: none
    niceness: int  #: from -20 to 19; a higher value waits longer for a processor
    processors: tuple[int, ...]  #: processors that it may run on

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, the same for equal allotments."""
        return self._asdict()

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Rebuild an allotment from `to_json`.

        Raises
        ------
        ValueError, TypeError, KeyError
            If the values were not returned by `to_json`.
        """
        limits = {str(name): (int(soft), int(hard)) for name, (soft, hard) in values["limits"].items()}
        return cls(limits, int(values["niceness"]), tuple(map(int, values["processors"])))


def loosen() -> None:
    """Raise this process's limits as far as its hard limits permit, since it works for other processes than its starter.

    The limits on the stack and on core files stay, since they prevent nothing from working.
    """
    for name, number in _LIMITS.items():
        hard = resource.getrlimit(number)[1]
        if name not in ("STACK", "CORE"):
            with contextlib.suppress(OSError, ValueError):  # a sandbox forbids it
                resource.setrlimit(number, (hard, hard))


def current() -> Allotment:
    """Return the resources of this process."""
    limits = {name: resource.getrlimit(number) for name, number in _LIMITS.items()}
    return Allotment(limits, os.getpriority(os.PRIO_PROCESS, 0), tuple(sorted(os.sched_getaffinity(0))))


def of(pid: int) -> Allotment | None:
    """Return the resources of another process of this user; None if it is gone or can't be inspected."""
    try:
        limits = {name: resource.prlimit(pid, number) for name, number in _LIMITS.items()}
        return Allotment(limits, os.getpriority(os.PRIO_PROCESS, pid), tuple(sorted(os.sched_getaffinity(pid))))
    except OSError:
        return None


def take(wanted: Allotment) -> list[str]:
    """Apply an allotment to this process, as far as the kernel permits.

    Returns
    -------
    list of str
        The differences from what was wanted, such as ``niceness 15, not 0``.
    """
    have = current()
    withheld = [each for name, limits in wanted.limits.items() if (each := _take_limit(name, limits, have.limits.get(name)))]
    if wanted.niceness != have.niceness:
        withheld += _take_niceness(wanted.niceness, have.niceness)
    if wanted.processors != have.processors:
        withheld += _take_processors(wanted.processors)
    return withheld


def _take_limit(name: str, wanted: tuple[int, int], have: tuple[int, int] | None) -> str | None:
    if have is None or have == wanted:
        return None
    try:
        resource.setrlimit(_LIMITS[name], wanted)
    except (OSError, ValueError):  # the hard limit can't be raised
        hard = _least(wanted[1], have[1])
        soft = _least(wanted[0], hard)
        try:
            resource.setrlimit(_LIMITS[name], (soft, hard))
        except (OSError, ValueError):
            soft, hard = have
        return _limit_text(name, (soft, hard), wanted)
    return None


def _take_niceness(wanted: int, have: int) -> list[str]:
    try:
        os.setpriority(os.PRIO_PROCESS, 0, wanted)
    except OSError:
        return [_niceness_text(have, wanted)]
    return []


def _take_processors(wanted: tuple[int, ...]) -> list[str]:
    with contextlib.suppress(OSError, ValueError):  # all of them are outside the control group's set of processors
        os.sched_setaffinity(0, wanted)
    got = tuple(sorted(os.sched_getaffinity(0)))
    return [] if got == wanted else [_processors_text(got, wanted)]


def out_of_reach(wanted: Allotment, pid: int) -> list[str]:
    """Return the parts of an allotment that a descendant of a process could not apply, like `take`; none if that is unknown."""
    have = of(pid)
    if have is None:
        return []
    capabilities = _capabilities(pid)
    withheld = []
    for name, limits in wanted.limits.items():
        hard = have.limits.get(name, limits)[1]
        if not capabilities & _SYS_RESOURCE and _least(limits[1], hard) != limits[1]:
            withheld.append(_limit_text(name, (_least(limits[0], hard), hard), limits))
    if wanted.niceness < have.niceness and not capabilities & _SYS_NICE and not _may_lower(have, wanted.niceness):
        withheld.append(_niceness_text(have.niceness, wanted.niceness))
    return withheld


def _may_lower(have: Allotment, niceness: int) -> bool:
    """Return whether RLIMIT_NICE of getrlimit(2) allows an unprivileged process a niceness: its value is 20 minus that."""
    limit = have.limits.get("NICE", (0, 0))[0]
    return limit == resource.RLIM_INFINITY or 20 - niceness <= limit


def _capabilities(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1], 16) for line in file if line.startswith("CapEff:")), 0)
    except OSError:
        return 0


def _least(first: int, second: int) -> int:
    """Return the lower of two limits; -1 is the highest."""
    finite = [limit for limit in (first, second) if limit != resource.RLIM_INFINITY]
    return min(finite, default=resource.RLIM_INFINITY)


def _limit_text(name: str, has: tuple[int, int], wanted: tuple[int, int]) -> str:
    which = 0 if has[0] != wanted[0] else 1
    kind = "" if which == 0 else "hard "
    return f"{kind}limit on {_NAMES.get(name, name)} {_shown(has[which])}, not {_shown(wanted[which])}"


def _shown(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)


def _niceness_text(has: int, wanted: int) -> str:
    return f"niceness {has}, not {wanted}"


def _processors_text(has: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return f"processors {', '.join(map(str, has))}, not {', '.join(map(str, wanted))}"
