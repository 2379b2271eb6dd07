"""Runs one attempt: it knows an attempt folder, and never the store.

========  ==========================================================
module    what it is for
========  ==========================================================
context   taking on the caller's environment, folder and path
run       claim, call, record, exit
outcome   recording the end: result or exception
imports   acting as soon as the job imports a module
outputs   displays of the job, as records
shell     IPython in a job, once the job imports it
bars      tqdm's bars as progress, once the job imports it
========  ==========================================================

Every import here slows down each job, so only the lightest modules of the standard library are imported at the top.
"""
