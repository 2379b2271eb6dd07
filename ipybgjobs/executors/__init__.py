"""Launch attempts and notice their ends; an executor knows attempt folders, and never the store.

==========  ====================================================================================
module      what it is for
==========  ====================================================================================
local       this machine: hands launches to fork servers, reports ends, replaces one that is silent
server      one fork server, as its supervisor sees it
channel     the messages between supervisor and fork server
forkserver  the process that forks: single-threaded, without user code, without a database
fresh       a launch without a fork, for a fork server that has several threads
orphans     processes that dead workers left behind, and which worker each belonged to
succession  starts a new supervisor after one has died
==========  ====================================================================================
"""
