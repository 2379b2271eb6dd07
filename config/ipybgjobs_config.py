# Configuration of ipybgjobs. Everything here is commented out; what is shown is the default.
# It is looked for as ipybgjobs_config.py or .json on the Jupyter configuration path (`jupyter --paths`), lowest rank first:
# system, environment, user; then in the IPython profile's own files; then in the file that IPYBGJOBS_CONFIG names.
# `jupyter bgjobs config show` tells which files count, `jupyter bgjobs config check` whether they are sound.

c = get_config()  #noqa

# What may run. Nothing does until it stands here:
#
# c.BackgroundJobs.allowed_jobs = {
#     "training.Trainer": ["fit", "evaluate"],
#     "training": ["prepare"],                 # functions of a module
#     "app.jobs.SampleJob": {
#         "allowed_methods": ["process"],
#         "max_attempts": 5,                   # and whatever else RetryPolicy has
#         "timeout": "2h",
#         "queue": "gpu",
#         "from": "/opt/shared",               # a class found anywhere else under that name is refused
#     },
# }
# c.BackgroundJobs.queues = {"default": 2, "gpu": 1}

#------------------------------------------------------------------------------
# BackgroundJobs(Configurable) configuration
#------------------------------------------------------------------------------
## Which jobs may run, how many at once, and where their state is kept.

## Whether code that stands in a notebook may run: cells (%%bgjob), and classes
#  and functions that are defined there, which are sent by value. Whoever can
#  submit can then run anything, as in a cell. A running notebook can only switch
#  it off. Default: False.
#  Default: False
# c.BackgroundJobs.allow_notebook_code = False

## What may run: {"module.Class": ["method", ...]} or {"module.Class":
#  {"allowed_methods": [...], ...}}. A module as key allows functions of it. In
#  the second form an entry may also set max_attempts, delay_seconds,
#  backoff_factor, max_delay_seconds, jitter, retry_on, never_retry (as
#  RetryPolicy does), timeout (a duration for each attempt; None: no limit),
#  queue (its default queue) and from (a folder: a module found anywhere else is
#  refused). Default: nothing may run. Entries of several files are united; the
#  file of higher rank decides a key.
#  Default: {}
# c.BackgroundJobs.allowed_jobs = {}

## Which notebooks ipybgjobs.Notebook.run may run, where allowed_jobs allows it:
#  patterns of absolute paths, with ~, * for what is between two slashes and **
#  for any number of folders, such as "~/work/**/*.ipynb". Links in a notebook's
#  path are resolved first. Default: [], none. The patterns of several files are
#  united.
#  Default: []
# c.BackgroundJobs.allowed_notebooks = []

## Whether processes that a job has left running end with it when it returns or
#  raises: they are asked to terminate, and killed after kill_grace_seconds; the
#  job holds its slot until then. After a cancel, a time-out or the death of the
#  job's process they end in any case. Default: False; `jupyter bgjobs show`
#  names them while they run.
#  Default: False
# c.BackgroundJobs.end_children = False

## Seconds that threads and exit handlers of a job that has ended are given; then
#  its process ends anyway. Default: 30.
#  Default: 30.0
# c.BackgroundJobs.exit_grace_seconds = 30.0

## Seconds after which a supervisor without work ends; the next submit starts
#  one. Default: 60.
#  Default: 60.0
# c.BackgroundJobs.idle_seconds = 60.0

## Days after which an ended job is removed with its outputs. None (default):
#  never. A job that was told `job.keep()` stays.
#  Default: None
# c.BackgroundJobs.keep_days = None

## Ended jobs that are kept, the newest; older ones are removed with their
#  outputs. None (default): all.
#  Default: None
# c.BackgroundJobs.keep_jobs = None

## Seconds that a cancelled or timed-out job is given to clean up after the
#  interrupt, and once more after it is asked to terminate; then its processes
#  are killed. Default: 10.
#  Default: 10.0
# c.BackgroundJobs.kill_grace_seconds = 10.0

## In an administrator's file on the system path, which users can't write: no
#  user's file, profile or environment variable widens what it allows. Without
#  effect anywhere else. Default: False.
#  Default: False
# c.BackgroundJobs.locked = False

## Size in bytes that the text log of an attempt may take on disk, that its
#  displays may take, and that the outputs of its notebook may take. Of what is
#  longer, beginning and end are kept, and a note between them says what was
#  dropped. Results have no limit. None: no limit. Default: 100,000,000.
#  Default: 100000000
# c.BackgroundJobs.max_output_bytes = 100000000

## A command that is run when a job has ended, as a list of program and
#  arguments, without a shell, in the job's environment; {id}, {uid}, {name},
#  {target}, {state}, {error}, {queue} and {elapsed} are filled in. Example:
#  ["notify-send", "job {id} {state}", "{target} {error}"]. Where an
#  administrator's file is locked, only the administrators' files set it.
#  Default: [], none.
#  Default: []
# c.BackgroundJobs.on_finish = []

## Jobs running at once, by queue. Default: two in the queue "default", which is
#  always there. A queue may also set environment variables by the number of the
#  slot, from 0, so that no two jobs share a card: {"gpu": {"slots": 2, "env":
#  {"CUDA_VISIBLE_DEVICES": "{slot}"}}}. A change counts at once.
#  Default: {'default': 2}
# c.BackgroundJobs.queues = {'default': 2}

## Parameters whose values are shown nowhere, as patterns of their names, at any
#  depth; case and underscores don't count. Those of all files count together,
#  and on top of ours: passwords, tokens, keys and their like.
#  Default: ['*password*', '*passwd*', '*passphrase*', '*secret*', 'token', '*_token', '*authtoken*', '*apitoken*', '*accesstoken*', '*apikey*', '*credential*', '*privatekey*', '*accesskey*', '*sshkey*', '*sessionkey*', '*signingkey*', '*encryptionkey*', '*masterkey*', '*accountkey*', '*sharedkey*', '*deploykey*', '*authkey*', '*connectionstring*', '*connstring*']
# c.BackgroundJobs.secret_names = ['*password*', '*passwd*', '*passphrase*', '*secret*', 'token', '*_token', '*authtoken*', '*apitoken*', '*accesstoken*', '*apikey*', '*credential*', '*privatekey*', '*accesskey*', '*sshkey*', '*sessionkey*', '*signingkey*', '*encryptionkey*', '*masterkey*', '*accountkey*', '*sharedkey*', '*deploykey*', '*authkey*', '*connectionstring*', '*connstring*']

## Folder of the store, the jobs' outputs and the logs, as an absolute path. None
#  (default): ipybgjobs/ in Jupyter's data folder. The environment variable
#  IPYBGJOBS_STATE_DIR overrides it.
#  Default: None
# c.BackgroundJobs.state_dir = None

## Size in bytes of pickled parameters from which on submit says that it copies
#  them. Default: 10,000,000.
#  Default: 10000000
# c.BackgroundJobs.warn_param_bytes = 10000000

#------------------------------------------------------------------------------
# RetryPolicy(Configurable) configuration
#------------------------------------------------------------------------------
## When a failed job is tried again; an entry of `allowed_jobs` may set the same
#  for its jobs.

## Each further delay is this many times the one before. Default: 2.0 (60, 120,
#  240 ...).
#  Default: 2.0
# c.RetryPolicy.backoff_factor = 2.0

## Delay before the second run, in seconds or as text such as "5m"; it grows by
#  backoff_factor. A list gives each delay in turn, the last one repeating,
#  without growth. Default: 60.
#  Default: 60.0
# c.RetryPolicy.delay_seconds = 60.0

## Share of the delay added at random, 0 to 1. Default: 0.0, none.
#  Default: 0.0
# c.RetryPolicy.jitter = 0.0

## Runs in all, the first one counted. Default: 3; 1: never again.
#  Default: 3
# c.RetryPolicy.max_attempts = 3

## No delay is longer than this, in seconds. Default: 3600.
#  Default: 3600.0
# c.RetryPolicy.max_delay_seconds = 3600.0

## Exceptions that are not retried, as classes or names; subclasses count.
#  Default: faults of the code, which would fail again the same way.
#  Default: ['TypeError', 'NameError', 'AttributeError', 'ImportError', 'SyntaxError', 'AssertionError']
# c.RetryPolicy.never_retry = ['TypeError', 'NameError', 'AttributeError', 'ImportError', 'SyntaxError', 'AssertionError']

## Exceptions that are retried, as classes or names; subclasses count. Default:
#  [], every one that never_retry does not name.
#  Default: []
# c.RetryPolicy.retry_on = []

#------------------------------------------------------------------------------
# JobLogs(Configurable) configuration
#------------------------------------------------------------------------------
## The files background_jobs.log (all that happened) and
#  background_jobs_errors.log (failures, with traceback).

## Rotated files kept. Default: 3.
#  Default: 3
# c.JobLogs.backup_count = 3

## Folder of the two files. None (default): logs/ in the state folder.
#  Default: None
# c.JobLogs.directory = None

## Format of a record, as in Python's logging. Default: time, level, message.
#  Default: '%(asctime)s %(levelname)s %(message)s'
# c.JobLogs.format = '%(asctime)s %(levelname)s %(message)s'

## What background_jobs.log records: DEBUG, INFO, WARNING or ERROR. Default:
#  INFO.
#  Default: 'INFO'
# c.JobLogs.level = 'INFO'

## Size in bytes at which a file is rotated; 0: never. Default: 5,000,000.
#  Default: 5000000
# c.JobLogs.max_bytes = 5000000
