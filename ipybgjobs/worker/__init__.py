"""Runs one attempt: it reads and writes an attempt folder.

It never opens the store. Every import here costs each job, so only the lightest modules of the standard library are imported at
the top.

Modules
-------
context
    Taking on the submitter's environment, folder, path and limits.
descriptions
    Describing an exception or a value as text, whatever its own methods do.
displays
    What the job displays, as records.
import_hooks
    Acting as soon as the job has imported a module.
outcome
    What is recorded at the end: result or exception.
output_file
    ``outputs.jsonl`` within its limit.
plotting
    Making matplotlib and plotly draw as in a kernel.
run
    Claim the start, call, record, leave.
shell
    IPython in a job, once the job imports it.
streams
    Standard output and error, when the disk is full.
tqdm_bars
    Tqdm's bars as progress.
"""
