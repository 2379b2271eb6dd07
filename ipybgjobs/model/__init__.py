"""The values that the other rooms share, all frozen, and pure functions on text.

It never opens a file, starts a process, reads a clock or draws a random number. It imports only `errors`.

Modules
-------
by_value
    Sending classes and functions by value, with cloudpickle.
call
    What is called, with which parameters, and how that is shown.
durations
    "30s", "5m", "1h 30m" and seconds.
former_names
    Where names that older versions pickled are found now.
globs
    Patterns of absolute paths.
hashing
    SHA-256 of short texts.
ipython_syntax
    IPython's magics and shell commands as Python.
job_key
    Ids, names and uids of jobs, as typed.
json_text
    Untrusted JSON, parsed whole or refused.
moments
    Times of the calendar, typed and shown.
path_with_content
    A path that takes the file's content with it.
records
    Jobs and attempts as the store keeps them, and the words for their states.
redaction
    What may be shown: secrets blanked, one line kept one line.
retry
    When a failed attempt is followed by another, and after how long.
scalars
    Values that are one number, text or boolean, to compare jobs by.
sealing
    Sealing values that a process passes on without importing their classes.
serialization
    Which values are plain JSON, and which need a pickle.
sizes
    Sizes in bytes, as text for users.
source
    The file that a target comes from, as it was at one moment.
suggestion
    The known name that a wrong one resembles.
surface
    How commands and options are written where one is.
terminal_text
    Text as a terminal would leave it.
title
    How a job is titled where its call says little.
usual_time
    How long a target usually runs, and when an attempt is overdue.
"""
