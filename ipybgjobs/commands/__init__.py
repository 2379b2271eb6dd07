"""What a user types: ``%bgjob``, ``%%bgjob``, ``%bgjobs`` and ``jupyter bgjobs``. New verbs and wordings go here.

They parse, call what a script would call, and word the result; they never access the store or a job's files themselves.

Modules
-------
allowing
    What ``allow`` and ``disallow`` check, write and say.
assignment
    Variables set to what a job returned.
candidates
    What completion can offer.
cell_code
    The code of a cell before it runs.
cell_line
    The line above a cell's code.
cli
    The command line ``jupyter bgjobs VERB``.
commas
    A comma that separates parameters, refused.
completer
    Tab completion in IPython.
completion
    What completes a line of ``%bgjob`` or ``%bgjobs``.
dashboard
    ``jupyter bgjobs dashboard``.
digest
    Jobs that finished since the user last looked.
doctor
    ``jupyter bgjobs doctor``: what is installed, and what is wrong.
help_text
    The help of the magics and of the verbs.
job_line
    A job as a user types it.
live_outputs
    A job's outputs, live below its cell.
magics
    ``%bgjob`` and ``%bgjobs``.
notebook_line
    The part of a line that is about a notebook's file as the target.
parameter_names
    What a target takes, for completion.
submitted_line
    One line about the jobs that a cell has submitted without a card.
target_checks
    Whether targets exist that are allowed, or are to be.
target_names
    What the Python files here define, for completion.
typed_pairs
    The values of parameters as a user types them.
usage
    How what can't be parsed is refused.
user_files
    What the command line writes into configuration files.
verb_variables
    Variables of the notebook in the line of a verb.
verb_words
    The words of a verb, without their quotes.
verbs
    The verbs, one function each.
wording
    A job as a user reads it in a terminal.
"""
