"""The user's side: submits jobs, changes them, and reads them; the one writer besides the supervisor.

It never runs a job and never changes a job's state itself: it commits rows and requests.

Modules
-------
jobs
    The objects a user holds: Job, Group, lists and how they are shown.
submit
    From a requested call to a job that can be stored.
adoption
    Adopting the jobs of a place that a user says is gone.
callbacks
    Functions to call when jobs finish.
cleaning
    Removing finished jobs by state, age and count.
client
    The entry point: submit, read, change.
current_settings
    The settings that apply now.
dependencies
    What a new job depends on, named by id, name or object.
diagnosis
    What `doctor` reports: what is installed, which files are read, what is wrong.
disk_totals
    How much disk space jobs take, and how much of it clean would free.
known_keys
    By what jobs and groups can be named, for completion.
rescue
    Saving what a damaged store still holds.
user_notes
    Notes to the user besides the result of a call.
writer
    Committing a client's changes, whole or not at all.
"""
