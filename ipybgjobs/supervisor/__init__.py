"""The supervisor: one detached process for each state folder and place, started on demand; it exits when idle.

It keeps no state of record in memory: one `tick` collects ended attempts, enforces timeouts and cancels, answers requests, and
starts jobs that have a slot. Starting up after a crash is just the first tick.

==========  ======================================================================
module      what it is for
==========  ======================================================================
main        the process: the lifelong lock, waiting, shutting down in order
loop        the tick: observe, decide in one transaction, act
deciding    the decisions of that transaction, in named steps
starting    the queued jobs to start: slots, priorities, the allowlist once more
aftermath   consequences of a job's end: dependencies, hooks, notification
effects     the current transaction, and the actions to follow it
notifying   the command of `on_finish`
limiting    shortening logs that grow too long
origins     finding out where the code of an attempt comes from
backoff     the pause after a launch that failed
running     the current attempts, and finding them again after a crash
verdict     determining how an attempt ended, from its folder and exit status
ending      ending a process tree step by step, without ever waiting
leaving     attempts whose process is gone, until nothing of them is left
policies    evaluating the configuration files again, in a short-lived child
tidying     retention, and removing folders without a job, in small steps
joblogs     background_jobs.log and background_jobs_errors.log
==========  ======================================================================
"""
