"""Starting processes that are nobody's children: they outlive the caller, and hold nothing of it.

POSIX: through a shell that forks and exits, in a session of its own; so the new process belongs to init, is in no group
that Jupyter signals, and is no zombie in the kernel. Windows: a double spawn (both hops detached, breaking away from the
job object where that is allowed).
"""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

#: What a detached process of ours needs of its starter's environment; never all of it, since it holds secrets.
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE")
_KEPT_PREFIXES = ("LC_", "LD_", "PYTHON", "MALLOC_", "GLIBC_", "IPYBGJOBS_", "XDG_")


def lean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables that a process of ours needs to start as its starter did."""
    return {name: value for name, value in environment.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def detached(
    command: Sequence[str],
    *,
    errors: str,
    keep: Sequence[int] = (),
) -> None:
    """Start a command as nobody's child.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    errors : str
        File that gets its standard error, appended.
    keep : sequence of int
        Descriptors that it inherits; no others.

    Raises
    ------
    OSError
        If it can't be started.
    """
    import subprocess  # here, since fork servers load this module and seldom start anything

    descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=descriptor,
            env=lean_environment(os.environ),
            cwd="/",
            pass_fds=keep,
            start_new_session=True,
        )
        shell.wait()
    finally:
        os.close(descriptor)


def in_session(command: Sequence[str], errors: str, environment: Mapping[str, str], cwd: str) -> "subprocess.Popen[bytes]":
    """Start a command as a child in a session of its own, so that it outlives this process.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    errors : str
        File that gets what it prints, appended.
    environment : mapping
        Its environment variables.
    cwd : str
        Its working directory.

    Raises
    ------
    OSError
        If it can't be started.
    """
    import subprocess

    descriptor = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def settle() -> None:
    """Make this process, just started by `detached`, independent for good: own session, own signals, files of its own."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.getsid(0) != os.getpid():
        os.setsid()
    os.umask(0o077)
