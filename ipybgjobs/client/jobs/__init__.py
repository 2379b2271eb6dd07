"""The objects that a user works with: jobs, groups and lists, and how they are read, awaited and displayed.

They never hold state of their own: everything is read live, and changes go through the client.

Modules
-------
as_json
    A job as JSON values, for programs.
attempt_folders
    Which folder belongs to which attempt.
batch
    Several jobs of one state folder, read and watched together.
bug_report
    A job as a zip file for a bug report.
controls
    The changes that a user may make to jobs, to one or to many.
dataframe
    Jobs as a pandas data frame.
deadlock
    Jobs that wait for each other, found before they wait forever.
following
    Following what a job prints.
group
    `Group`: jobs that were submitted together.
html
    Jobs as static HTML.
job
    `Job`: a handle to one job.
job_client
    What these objects need of the client, as a protocol.
job_list
    `JobList`: several jobs, with the verbs of one for all.
job_status
    The states of jobs in words, and why they wait.
leftover_processes
    Processes that attempts left running.
notebook_export
    A job as a notebook.
outcome
    What a finished job returned or raised.
reopening
    Handles restored from a pickle.
retry_notes
    Tells who waits for several jobs that some of them wait for a retry.
supervision
    Makes sure that a supervisor runs while live jobs are read or awaited.
view
    A job's call and its state, read-only.
waiting
    Waiting for jobs to finish.
"""
