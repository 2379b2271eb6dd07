"""The store: one SQLite file, the truth about jobs and attempts.

============  ============================================================  =================
module        what it is for                                                who uses it
============  ============================================================  =================
database      opening, migrating, transactions; every error of SQLite       the other three
records       reading jobs and attempts                                     everybody
submissions   new jobs and requests                                         clients
transitions   what happens to jobs                                          the supervisor
============  ============================================================  =================
"""
