"""Platform-specific code, one module per subject; nothing outside this package imports a POSIX-only module.

========  =====================================================
module    what it is for
========  =====================================================
lock      a lifelong lock on a file
wakeup    a hint that the store has changed
identity  identifying a process; never by PID alone
place     the scope in which processes see each other; never a host name
launch    starting detached processes
tree      finding and ending all of a worker's processes
question  a short-lived child that answers a question
worker    the setup of a worker's process
========  =====================================================

Only Linux is implemented and tested; each module says what another platform has to provide.
"""
