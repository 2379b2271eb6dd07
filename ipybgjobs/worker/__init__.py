"""Runs one attempt: it reads and writes an attempt folder.

It never opens the store. Every import here costs each job, so only the lightest modules of the standard library are imported at
the top.

Modules
-------
context
    Becoming the submitter: environment, folder, path, limits.
descriptions
    What an exception or a value says of itself, whatever it does when asked.
displays
    What the job displays, as records.
import_hooks
    Acting the moment the job has imported a module.
outcome
    What is written about the end: result or exception.
output_file
    ``outputs.jsonl`` within its limit.
plotting
    Matplotlib and plotly draw as in a kernel.
run
    Claim the start, call, record, leave.
shell
    IPython in a job, once the job imports it.
streams
    Standard output and error, when the disk is full.
tqdm_bars
    Tqdm's bars as progress.
"""
