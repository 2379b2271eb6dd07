"""What belongs to the platform, one module a thing; nothing outside this package imports a POSIX-only module.

========  =====================================================
module    what it is for
========  =====================================================
lock      a lock held for life, by file
wakeup    a hint that the store has changed
identity  who a process is; never a PID alone
place     where processes see each other; never a host name
launch    processes that are nobody's children
tree      finding and ending all of a worker's processes
question  a short-lived child that is asked something
worker    what a worker's process sets up for itself
========  =====================================================

Linux is what has been written and run; each module says what another platform has to provide.
"""
