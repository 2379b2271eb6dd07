"""The store: one SQLite file, the single source of truth about jobs and attempts.

============  ============================================================  =====================
module        what it is for                                                who uses it
============  ============================================================  =====================
database      opening, migrating, transactions; every error of SQLite       the others
records       reading one job, its attempts and its dependencies            all
listing       reading many jobs, newest first, and groups                   clients
submissions   new jobs and groups                                           clients
controls      requests, priorities, pauses                                  clients
removals      removing jobs with their attempts                             clients, the supervisor
schedule      jobs that may start, and what the others wait for             the supervisor
notices       reasons that keep jobs from starting, stored as text          all
holder        the process that holds the write lock                         all
transitions   changes of a job's state                                      the supervisor
============  ============================================================  =====================
"""
