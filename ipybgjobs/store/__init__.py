"""The store: one SQLite file, the truth about jobs and attempts. All SQL is here.

It never starts a process and never decides what should happen to a job: clients and the supervisor do. No row leaves it, only
frozen values. A new column is a file in ``sql/``, a key of the row that `submissions` or `transitions` writes, and a field of the
value that `queries` or `scheduled_job` reads.

Modules
-------
changes
    What changed since the last check.
columns
    Columns of a row, checked.
connection
    A thread's connection, which no fork inherits.
controls
    Requests, priorities, pauses: what users change about jobs.
database
    Opening, migrating, transactions.
duplicates
    Existing jobs to use instead of a new one.
insertion
    INSERT statements from a mapping of columns to values.
journal
    Which journal fits the file system.
listing
    Reading many jobs, newest first, and groups.
lock_holder
    Who holds the write lock.
notices
    The reasons that keep jobs from starting, as text of a column.
places
    The places that jobs belong to.
queries
    Reading one job, its attempts, and everything related to it.
removals
    Removing jobs with their attempts.
requests
    Users' requests to the supervisor of a job's place.
restoring
    Writing what was saved of a damaged store into a sound one.
row_cache
    Rows parsed before a transaction, so that it runs only its statements.
salvage
    Reading what can be read of a damaged store.
schedule
    Which jobs may start, and what the others wait for.
scheduled_job
    A job as the supervisor handles it.
selection
    Several chosen jobs, read by one statement.
sqlite_errors
    What SQLite's errors mean, and what to do.
submissions
    New jobs and groups.
supervisors
    Which supervisor each place has or had.
takeover
    Taking over the jobs of places that are gone.
transitions
    Every change of a job's state.
usual_times
    How long unfinished jobs usually run.
waiting_jobs
    What unfinished jobs wait for.
write_queue
    The order in which processes write.
"""
