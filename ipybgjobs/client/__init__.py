"""The user's side: submits jobs, changes them, and reads them; the one writer besides the supervisor.

It never runs a job and never changes a job's state itself: it commits rows and requests.

Modules
-------
jobs
    The objects a user holds: Job, Group, lists and how they are shown.
submit
    From a call as asked for to a job that can be stored.
adoption
    Jobs of a place that is gone, adopted because a person says so.
callbacks
    Functions called when jobs end.
cleaning
    Removing ended jobs by state, age and count.
client
    The way in: submit, read, change.
current_settings
    The settings as they are now.
dependencies
    What a new job depends on, named by id, name or object.
rescue
    Saving what a damaged store still holds.
user_notes
    Notes to the user beside what was asked for.
writer
    Everything that a client commits, whole or not at all.
"""
