"""How an attempt is launched, and how its end is noticed; an executor knows attempt folders, nothing of the store.

==========  ==============================================================================
module      what it is for
==========  ==============================================================================
local       this machine: hands launches to a fork server, reports ends
forkserver  the process that forks: single-threaded, without user code, without a database
==========  ==============================================================================
"""
