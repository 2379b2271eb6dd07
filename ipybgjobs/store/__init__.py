"""The store: one SQLite file, the truth about jobs and attempts. All SQL is here.

It never starts a process and never decides what should happen to a job: clients and the supervisor do. No row leaves it, only
frozen values. A new column is a file in ``sql/``, a key of the row that `submissions` or `transitions` writes, and a field of the
value that `queries` or `scheduled_job` reads.

Modules
-------
changes
    What changed since the last look.
columns
    Columns of a row, checked.
connection
    A thread's connection, which no fork inherits.
controls
    Requests, priorities, pauses: what users change about jobs.
database
    Opening, migrating, transactions.
duplicates
    Jobs that serve as well as a new one.
insertion
    One mapping of column to value makes an INSERT.
journal
    Which journal fits the file system.
listing
    Reading many jobs, newest first, and groups.
lock_holder
    Who holds the write lock.
notices
    What keeps jobs from starting, as a column says it.
places
    The places that jobs belong to.
queries
    Reading one job, its attempts, and what concerns it.
removals
    Jobs that go, with their attempts.
requests
    What users ask the supervisor of a job's place for.
restoring
    Writing what was saved of a damaged store into a sound one.
row_cache
    Rows parsed before a transaction, so that it does only its statements.
salvage
    Reading what can be read of a damaged store.
schedule
    What may start, and what waits for what.
scheduled_job
    A job as the supervisor works with it.
selection
    Several chosen jobs, read by one statement.
sqlite_errors
    What SQLite's errors mean, and what to do.
submissions
    New jobs and groups.
supervisors
    Who supervises which place, or did.
takeover
    Taking over the jobs of places that are gone.
transitions
    Every change of a job's state.
write_queue
    Whose turn it is to write.
"""
