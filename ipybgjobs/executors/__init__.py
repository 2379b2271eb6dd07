"""How an attempt is launched, and how its end is noticed. New executors go here.

An executor knows attempt folders; it never opens the store.

Modules
-------
channel
    The channel between supervisor and fork server.
forkserver
    The process that forks: single-threaded, without user code.
fresh
    A launch without a fork.
local
    Attempts on this machine.
orphans
    What dead workers left behind, and whose it was.
server
    One fork server, as its supervisor sees it.
succession
    Who follows a supervisor that has died.
"""
