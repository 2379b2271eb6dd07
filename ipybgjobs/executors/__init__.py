"""How an attempt is launched, and how its end is noticed; an executor knows attempt folders, nothing of the store.

==========  ====================================================================================
module      what it is for
==========  ====================================================================================
local       this machine: hands launches to fork servers, reports ends, replaces one that is silent
server      one fork server, as its supervisor sees it
channel     what the two say to each other
forkserver  the process that forks: single-threaded, without user code, without a database
fresh       a launch without a fork, where the fork server has several threads
orphans     what dead workers left behind, and whose it was
succession  who follows a supervisor that has died
==========  ====================================================================================
"""
