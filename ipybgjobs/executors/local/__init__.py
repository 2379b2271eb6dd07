"""Attempts on this machine: a fork server launches them and sees them end; what it can't see, a process handle does.

It never opens the store. Only `registry` and the fork server's own start know this package.

Modules
-------
channel
    The channel between supervisor and fork server.
cleanup
    An attempt whose process has gone, until all of its end is known.
executor
    `LocalExecutor`: the executor itself.
finding
    How an attempt is found again, by its folder.
forkserver
    The process that forks: single-threaded, without user code.
fresh
    A launch without a fork.
launch_kinds
    Whether a fork can run a job, and why not.
leftovers
    Ending what an attempt has left running.
server
    One fork server, as its supervisor sees it.
succession
    Who follows a supervisor that has died.
termination
    Ending an attempt's processes step by step.
"""
