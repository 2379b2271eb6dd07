"""The supervisor: one detached process for each state folder and place, on demand; it ends when idle.

It holds no truth in memory, and never runs user code. One `tick` collects what has ended, decides all that is due in one
transaction, and does what was decided. Starting up after a crash is an ordinary first tick.

Modules
-------
aftermath
    What the end of a job means for others: dependents, hooks, notification.
attempts
    The attempts that the supervisor is handling.
clock_changes
    Delays and deadlines that move when the clock is set.
collection
    The first step of a tick: which attempts have ended.
configurations
    The configuration files, read in a child at the moment of launch.
decisions
    What one transaction decides.
effects
    What a transaction decided, done after its commit.
heartbeat
    When a supervisor has to report next.
helpers
    Starting the children that answer questions.
job_logs
    Background_jobs.log and background_jobs_errors.log.
judgement
    How attempts ended, determined before the transaction that records it.
launch_backoff
    How long launches pause after a failed one.
launches
    Launching what was claimed.
log_limit
    Keeping logs within their limit.
loop
    The tick: collect, decide, act.
main
    The process: its lock, and what is started before all else.
notification
    The command of `on_finish`.
origins
    Finding out where an attempt's code comes from.
retention
    Removing what is no longer needed, in small steps.
running
    One attempt that holds a slot.
service
    Waiting, working, and shutting down.
start_status
    Whether and when an attempt has begun, by its folder.
starts
    Which queued jobs start now.
takeovers
    When to look for places that are gone.
transaction
    A transaction that runs only its statements.
unlogged_ends
    Ends that were recorded and not yet written to the log.
verdict
    From an attempt folder and an exit status to how it ended.
"""
