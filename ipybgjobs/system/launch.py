"""Start detached processes: they outlive the caller, and keep none of its resources open.

POSIX: through a shell that forks and exits, in its own session; so the new process belongs to init, is not in a group
that Jupyter signals, and does not become a zombie of the kernel. Windows: a double spawn (both steps detached, breaking away
from the job object if that is allowed).
"""

import contextlib
import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from . import forked, private_file, process_mark

if TYPE_CHECKING:
    import subprocess

    from .forked import ForkedProcess

#: Variables that a detached process of this package needs from its starter; never all of them, since they include secrets.
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE")
_KEPT_PREFIXES = ("LC_", "LD_", "PYTHON", "MALLOC_", "GLIBC_", "IPYBGJOBS_", "XDG_")

#: Size in bytes at which an error file is moved aside.
_LARGEST_ERRORS = 1 << 20

#: Why a process can't be started, and the fix, for errors whose system message does not explain it.
_REASONS = {
    errno.EAGAIN: "the limit on processes is reached: end some, or raise it (ulimit -u, pids.max)",
    errno.ENOMEM: "there is not enough memory for another process: end some",
    errno.EMFILE: "too many files are open: close some, or raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine: close some, or raise the limit (fs.file-max)",
}


def reason(error: OSError) -> str:
    """Explain why a process can't be started."""
    known = _REASONS.get(error.errno or 0)
    if known is not None:
        return known
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def lean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a process of this package needs to start as its starter did."""
    return {name: value for name, value in environment.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def detached(
    command: Sequence[str],
    *,
    errors: str,
    keep: Sequence[int] = (),
) -> None:
    """Start a command as a detached process.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    errors : str
        File to which its standard error is appended.
    keep : sequence of int
        Descriptors that it inherits; no others.

    Raises
    ------
    OSError
        If it can't be started.
    """
    import subprocess  # here, since fork servers load this module and rarely start anything

    descriptor = _opened(errors)
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


def helper(
    command: Sequence[str], errors: str, channel: int, run: Callable[[], None] | None = None
) -> "subprocess.Popen[bytes] | ForkedProcess":
    """Start a helper as a child in its own session, which communicates over one inherited descriptor.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    errors : str
        File to which its standard error is appended.
    channel : int
        The descriptor.
    run : callable, optional
        What a fork of this process may do instead of the command.

    Raises
    ------
    OSError
        If it can't be started.
    """
    with open(os.devnull, "r+b", buffering=0) as nothing, os.fdopen(_opened(errors), "ab", buffering=0) as said:
        return child(command, (nothing.fileno(), nothing.fileno(), said.fileno()), channel, run)


def child(
    command: Sequence[str], streams: tuple[int, int, int], kept: int, run: Callable[[], None] | None = None
) -> "subprocess.Popen[bytes] | ForkedProcess":
    """Start a child in its own session and in the root folder, with the variables that a process of this package needs.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    streams : tuple of int
        The descriptors of its standard input, output and error output.
    kept : int
        Another descriptor that it inherits.
    run : callable, optional
        What a fork of this process may do instead of the command.

    Raises
    ------
    OSError
        If it can't be started.
    """
    if run is not None and forked.is_possible():
        return forked.start(command, run, streams, kept)
    import subprocess

    given, output, errors = streams
    return subprocess.Popen(
        command,
        stdin=given,
        stdout=output,
        stderr=errors,
        env=lean_environment(os.environ),
        cwd="/",
        pass_fds=[kept],
        start_new_session=True,
    )


def piped(command: Sequence[str], request: int, answers: int) -> "subprocess.Popen[bytes]":
    """Start a child whose input is a request, whose outputs are pipes, and which answers on a descriptor that it inherits.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    request : int
        The descriptor of the request.
    answers : int
        The descriptor for the answer.

    Raises
    ------
    OSError
        If it can't be started.
    """
    import subprocess

    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=request, stdout=pipe, stderr=pipe, pass_fds=[answers])


def _opened(errors: str) -> int:
    """Open an error file for appending; one that has grown large is moved aside first, replacing the previous one."""
    with contextlib.suppress(OSError):
        if os.stat(errors).st_size > _LARGEST_ERRORS:
            os.replace(errors, f"{errors}.old")
    return private_file.open_private(errors, os.O_WRONLY | os.O_APPEND)


def in_session(
    command: Sequence[str], errors: str, environment: Mapping[str, str], cwd: str, *, keep: Sequence[int] = ()
) -> "subprocess.Popen[bytes]":
    """Start a command as a child in its own session, so that it outlives this process.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    errors : str
        File to which its output is appended.
    environment : mapping
        Its environment variables.
    cwd : str
        Its working directory.
    keep : sequence of int
        Descriptors that it inherits; no others.

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
            pass_fds=keep,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def become_independent() -> None:
    """Make this process, just started by `detached`, fully independent: own session, signals and files, no mark."""
    process_mark.remove()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.getsid(0) != os.getpid():
        os.setsid()
    os.umask(0o077)
