"""Runs one attempt: it knows an attempt folder, and nothing of the store.

========  ==========================================================
module    what it is for
========  ==========================================================
context   becoming the caller: environment, folder, path
run       claim, call, record, leave
outcome   what is written about the end: result or exception
imports   acting the moment the job imports something
outputs   what the job displays, as records
shell     IPython in a job, once the job imports it
bars      tqdm's bars as progress, once the job imports it
========  ==========================================================

Every import here costs each job; so only the standard library's lightest modules are imported at the top.
"""
