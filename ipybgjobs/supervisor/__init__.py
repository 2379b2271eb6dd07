"""The supervisor: one detached process for each state folder and place, on demand; it ends when idle.

It holds no truth in memory: one `tick` collects what has ended, enforces time-outs and cancels, answers requests, and starts
what has a slot. Starting up after a crash is just the first tick.

==========  ======================================================================
module      what it is for
==========  ======================================================================
main        the process: the lock for life, waiting, ending in the right order
loop        the tick: look, decide in one transaction, do
deciding    what that transaction decides, in named steps
starting    which queued jobs start: slots, priorities, the allowlist once more
aftermath   what the end of a job means for others: order, hooks, notification
effects     the transaction under way, and what is to follow it
notifying   the command of `on_finish`
limiting    logs that grow too long
origins     where the code of an attempt comes from
backoff     how long launches wait after one that could not be made
running     the attempts under way, and finding them again after a crash
verdict     from an attempt folder and an exit status to how the attempt ended
ending      ending a tree step by step, without ever waiting
leaving     attempts whose process has gone, until nothing of them is left
policies    the configuration files again, in a short-lived child
tidying     retention, and folders that belong to no job, in small steps
joblogs     background_jobs.log and background_jobs_errors.log
==========  ======================================================================
"""
