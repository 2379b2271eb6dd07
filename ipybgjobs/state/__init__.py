"""The state folder, all but its database: its names, its files, and what they say.

It never opens the database and imports no user code. Workers load part of it, so its imports are few.

Modules
-------
attempt
    The attempt folder: the protocol between supervisor and worker.
current_job
    What a job calls while it runs: progress, report, current_job.
damage
    The note about a damaged database, kept beside it.
disk_usage
    How much space folders take.
display_records
    The records of ``outputs.jsonl``, and which of them still matter.
folder
    Names everything in the state folder, and makes it the user's alone.
last_look
    When the user last looked at jobs.
log_search
    Searching a log for a pattern, line by line.
occupancy
    Which places have the store open, by their locks.
outputs
    What a job printed and displayed, as a notebook's outputs.
ownership
    Who owns the state folder, checked before anything in it is trusted.
progress
    The progress of a job.
recorded_values
    The values that an attempt has recorded.
recording
    What a job calls to record values: record.
removal_notes
    Notes about job folders that are being removed, so that a crash leaves no doubt.
replay
    Showing outputs in a notebook or a terminal.
reports
    What the files of an attempt say, as frozen values.
request
    What a worker has to do, sent to it or in its folder.
results
    The return value, or what was raised.
text_log
    An attempt's log as text, with a note where its middle was dropped.
throttled_file
    Writing a file at most a few times a second.
unclaimed
    Job folders that no row of the database knows.
wake
    Waking the supervisor, or starting one.
"""
