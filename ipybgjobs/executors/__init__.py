"""How attempts are launched, and how their ends are noticed. New executors go here, each a package beside ``local``.

An executor knows attempt folders; it never opens the store. A supervisor uses `executor` and `registry`, and knows no executor
by name.

Modules
-------
local
    Attempts on this machine.
conformance
    What every executor must do, as tests.
events
    What an executor reports.
executor
    The protocol of an executor.
exit
    How an attempt's process ended.
launch_request
    An attempt to be launched, and the kinds of launch.
registry
    The executors, by name.
"""
