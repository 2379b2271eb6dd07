"""What a user holds in the hand: jobs, groups and lists, and how they read, wait and show themselves.

They never hold state of their own: everything is read live, and changes go through the client.

Modules
-------
as_json
    A job as JSON values, for programs.
attempt_folders
    Which folder belongs to which attempt.
batch
    Several jobs of one state folder, read and watched together.
controls
    What a person may change about jobs, for one and for many.
dataframe
    Jobs as a pandas data frame.
deadlock
    Jobs that wait for each other, found before they wait for ever.
following
    Following what a job prints.
group
    `Group`: jobs that were submitted together.
html
    Jobs as static HTML.
job
    `Job`: a handle on one job.
job_client
    What these objects need of the client, as a protocol.
job_list
    `JobList`: several jobs, with the verbs of one for all.
leftover_processes
    Processes that attempts have left running.
notebook_export
    A job as a notebook.
outcome
    What a job that has ended returned or raised.
reopening
    Handles that come out of a pickle.
supervision
    Makes sure that a supervisor runs while live jobs are read or awaited.
view
    What a job is and how it is, read only.
waiting
    Waiting for jobs to end.
"""
