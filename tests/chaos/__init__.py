"""Clients submit all kinds of jobs while whatever runs is killed, stopped and interrupted; afterwards each promise is checked.

``python -m tests.chaos --jobs 50000 --seed 7`` is the long run; `tests/crash/test_chaos.py` the short one of every test run.

==========  ==================================================================================================
module      what it is for
==========  ==================================================================================================
place       one run's folder: configuration, environment, ledger, state folder
ledger      the independent record: what clients were promised, what jobs really did
jobs        what runs: jobs that return, fail, print, fork, catch, exit, kill themselves
plan        what a client does next, drawn from the seed
client      the process that submits, asks, reads, and is killed and interrupted meanwhile
processes   who is alive, and in which role
violence    kills, stops and interrupts, drawn from the seed
watch       how long a supervisor was missing, and nothing ended, while work waited
rows        what the store says, read by plain SQL
evidence    rows and ledger side by side
verdict     the checks, each named after the promise that it checks
figures     how much of what happened
run         the order of it all
==========  ==================================================================================================
"""
