"""What a person types: ``%bgjob``, ``%%bgjob``, ``%bgjobs`` and ``jupyter bgjobs``. New verbs and wordings go here.

They parse, call what a script would call, and word the answer; they never touch the store or a job's files themselves.

Modules
-------
assignment
    Variables that get what a job has returned.
cell_code
    The code of a cell before it runs.
cell_line
    The line above a cell's code.
cli
    The command line ``jupyter bgjobs VERB``.
completion
    Tab completion of ``%bgjob``.
dashboard
    ``jupyter bgjobs dashboard``.
digest
    What ended since its user last looked.
doctor
    ``jupyter bgjobs doctor``: what is there, what is wrong.
job_line
    A job as a user types it.
live_outputs
    What a job shows, live below its cell.
magics
    ``%bgjob`` and ``%bgjobs``.
user_files
    What the command line writes into configuration files.
verbs
    The verbs, one function each.
wording
    A job as a person reads it in a terminal.
"""
