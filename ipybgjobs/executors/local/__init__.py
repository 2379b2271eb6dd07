"""Attempts on this machine: a fork server launches them and sees them end; process handles watch those that it can't.

It never opens the store. Only `registry` and the start of the fork server refer to this package.

Modules
-------
channel
    The channel between supervisor and fork server.
cleanup
    An attempt whose process has gone, until all of its end is known.
executor
    `LocalExecutor`: the executor itself.
finding
    Finding an attempt again, by its folder.
forkserver
    The process that forks: single-threaded, without user code.
fresh
    Launching without a fork.
launch_kinds
    Whether a fork can run a job, and if not, why.
leftovers
    Ending what an attempt has left running.
server
    One fork server, as its supervisor sees it.
server_process
    Its process and the channel to it.
succession
    Replacing a supervisor that has died.
termination
    Ending an attempt's processes step by step.
variables
    The environment variables that forks inherit.
"""
