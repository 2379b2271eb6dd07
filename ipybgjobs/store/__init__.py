"""The store: one SQLite file, the truth about jobs and attempts.

============  ============================================================  =====================
module        what it is for                                                who uses it
============  ============================================================  =====================
database      opening, migrating, transactions; every error of SQLite       the others
records       reading one job, its attempts, and what concerns it           everybody
listing       reading many jobs, newest first, and groups                   clients
submissions   new jobs and groups                                           clients
controls      requests, priorities, pauses                                  clients
removals      jobs that go, with their attempts                             clients, the supervisor
schedule      what may start, and what waits for what                       the supervisor
notices       what keeps jobs from starting, as a row says it           everybody
holder        who holds the write lock                                      everybody
transitions   what happens to jobs                                          the supervisor
============  ============================================================  =====================
"""
