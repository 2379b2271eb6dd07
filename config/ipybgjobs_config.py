# Configuration of ipybgjobs. Every setting here is commented out and shows its default.
# ipybgjobs reads ipybgjobs_config.py or .json on the Jupyter configuration path (`jupyter --paths`), lowest rank first:
# system, environment, user; then the IPython profile's own files; then the file that IPYBGJOBS_CONFIG names.
# `jupyter bgjobs config show` lists the files that are read; `jupyter bgjobs config check` checks them for errors.

c = get_config()  #noqa

# What may run. Nothing may until it is listed here:
#
# c.BackgroundJobs.allowed_jobs = {
#     "training.Trainer": ["fit", "evaluate"],
#     "training": ["prepare"],                 # functions of a module
#     "app.jobs.SampleJob": {
#         "allowed_methods": ["process"],
#         "max_attempts": 5,                   # and any other setting of RetryPolicy
#         "timeout": "2h",
#         "queue": "gpu",
#         "from": "/opt/shared",               # a class of that name found anywhere else is refused
#     },
# }
# c.BackgroundJobs.queues = {"default": 2, "gpu": 1}

#------------------------------------------------------------------------------
# BackgroundJobs(Configurable) configuration
#------------------------------------------------------------------------------
## Which jobs may run, how many at once, and where their state is kept.

## Whether code written in a notebook may run: cells (%%bgjob), and classes and
#  functions defined in the notebook, which are sent by value. Anyone who can
#  submit can then run anything, as in a cell. A running notebook can only switch
#  this off. Default: False.
#  Default: False
# c.BackgroundJobs.allow_notebook_code = False

## What may run: {"module.Class": ["method", ...]} or {"module.Class":
#  {"allowed_methods": [...], ...}}. If the key is a module, its functions are
#  allowed. In the second form, an entry can also set max_attempts,
#  delay_seconds, backoff_factor, max_delay_seconds, jitter, retry_on,
#  never_retry (as in RetryPolicy), timeout (a duration for each attempt; None:
#  no limit), queue (its default queue) and from (a folder: a module found
#  anywhere else is refused). Default: nothing may run. Entries of several files
#  are merged; for the same key, the file of higher rank wins.
#  Default: {}
# c.BackgroundJobs.allowed_jobs = {}

## Notebooks that ipybgjobs.Notebook.run may run, if allowed_jobs allows it:
#  patterns of absolute paths, with ~ for the home folder, * for anything between
#  two slashes and ** for any number of folders, such as "~/work/**/*.ipynb".
#  Links in a notebook's path are resolved first. Default: [], none. The patterns
#  of several files are combined.
#  Default: []
# c.BackgroundJobs.allowed_notebooks = []

## Whether processes that a job leaves running end with it when it returns or
#  raises: they are asked to terminate, and killed after kill_grace_seconds; the
#  job holds its slot until then. After a cancel, a timeout or the death of the
#  job's process, they are always ended. Default: False; `jupyter bgjobs show`
#  lists them while they run.
#  Default: False
# c.BackgroundJobs.end_children = False

## Seconds that the threads and exit handlers of a finished job have to end; then
#  its process exits anyway. Default: 30.
#  Default: 30.0
# c.BackgroundJobs.exit_grace_seconds = 30.0

## Seconds after which an idle supervisor exits; the next submit starts a new
#  one. Default: 60.
#  Default: 60.0
# c.BackgroundJobs.idle_seconds = 60.0

## Days after which a finished job is removed with its outputs. None (default):
#  never. A job marked with `job.keep()` is never removed.
#  Default: None
# c.BackgroundJobs.keep_days = None

## Number of newest finished jobs to keep; older ones are removed with their
#  outputs. None (default): all.
#  Default: None
# c.BackgroundJobs.keep_jobs = None

## Seconds that a cancelled or timed-out job has to clean up after it is
#  interrupted, and again after it is asked to terminate; then its processes are
#  killed. Default: 10.
#  Default: 10.0
# c.BackgroundJobs.kill_grace_seconds = 10.0

## Set in an administrator's file on the system path, which users can't write: no
#  user's file, profile or environment variable can then allow more than it does.
#  Ignored anywhere else. Default: False.
#  Default: False
# c.BackgroundJobs.locked = False

## Largest size in bytes on disk of an attempt's text log; the same limit applies
#  to its displays, and to the outputs of its notebook. Anything longer keeps its
#  beginning and end, with a note between them of what was dropped. Results have
#  no limit. None: no limit. Default: 100,000,000.
#  Default: 100000000
# c.BackgroundJobs.max_output_bytes = 100000000

## Command to run when a job has finished: a list of the program and its
#  arguments, run without a shell, in the job's environment; {id}, {uid}, {name},
#  {target}, {state}, {error}, {queue} and {elapsed} are filled in. Example:
#  ["notify-send", "job {id} {state}", "{target} {error}"]. If an administrator's
#  file is locked, only administrators' files can set this. Default: [], none.
#  Default: []
# c.BackgroundJobs.on_finish = []

## Number of jobs that run at once, by queue. Default: two in the queue
#  "default", which always exists. A queue can also set environment variables by
#  slot number, counted from 0, so that no two jobs share a GPU: {"gpu":
#  {"slots": 2, "env": {"CUDA_VISIBLE_DEVICES": "{slot}"}}}. Changes take effect
#  at once.
#  Default: {'default': 2}
# c.BackgroundJobs.queues = {'default': 2}

## Patterns of parameter names whose values are never shown, at any depth; case
#  and underscores are ignored. The patterns of all files are combined, in
#  addition to the built-in ones for passwords, tokens, keys and the like.
#  Default: ['*password*', '*passwd*', '*passphrase*', '*secret*', 'token', '*_token', '*authtoken*', '*apitoken*', '*accesstoken*', '*apikey*', '*credential*', '*privatekey*', '*accesskey*', '*sshkey*', '*sessionkey*', '*signingkey*', '*encryptionkey*', '*masterkey*', '*accountkey*', '*sharedkey*', '*deploykey*', '*authkey*', '*connectionstring*', '*connstring*']
# c.BackgroundJobs.secret_names = ['*password*', '*passwd*', '*passphrase*', '*secret*', 'token', '*_token', '*authtoken*', '*apitoken*', '*accesstoken*', '*apikey*', '*credential*', '*privatekey*', '*accesskey*', '*sshkey*', '*sessionkey*', '*signingkey*', '*encryptionkey*', '*masterkey*', '*accountkey*', '*sharedkey*', '*deploykey*', '*authkey*', '*connectionstring*', '*connstring*']

## Absolute path of the folder for the store, the jobs' outputs and the logs.
#  None (default): ipybgjobs/ in Jupyter's data folder. The environment variable
#  IPYBGJOBS_STATE_DIR overrides it.
#  Default: None
# c.BackgroundJobs.state_dir = None

## Size in bytes of pickled parameters above which submit warns that it copies
#  them. Default: 10,000,000.
#  Default: 10000000
# c.BackgroundJobs.warn_param_bytes = 10000000

#------------------------------------------------------------------------------
# RetryPolicy(Configurable) configuration
#------------------------------------------------------------------------------
## When a failed job is retried; an entry of `allowed_jobs` can set the same for
#  its jobs.
#
#  As long as neither a file, nor an entry, nor an option of a submit sets
#  max_attempts, delay_seconds, retry_on or never_retry, only what may pass by
#  itself is retried: ipybgjobs.Retry, ConnectionError, TimeoutError and other
#  OSErrors, except FileNotFoundError, FileExistsError, IsADirectoryError,
#  NotADirectoryError, PermissionError and io.UnsupportedOperation; and a process
#  that was lost, unless memory likely ran out. Never the error of a cell or a
#  notebook, SystemExit, or a timeout of an attempt.

## Factor by which the delay grows from one attempt to the next. Default: 2.0
#  (60, 120, 240 ...).
#  Default: 2.0
# c.RetryPolicy.backoff_factor = 2.0

## Delay before the second attempt, in seconds or as text such as "5m"; it grows
#  by backoff_factor. A list sets each delay in turn, without growth; the last
#  one repeats. Setting it asks for retries, as max_attempts does. Default: 60.
#  Default: 60.0
# c.RetryPolicy.delay_seconds = 60.0

## Largest random addition, as a fraction of the delay, 0 to 1. Default: 0.0,
#  none.
#  Default: 0.0
# c.RetryPolicy.jitter = 0.0

## Number of attempts, including the first. Default: 3, for what may pass by
#  itself; once this is set, for every exception that never_retry does not list,
#  and for timeouts. 1: never retry.
#  Default: 3
# c.RetryPolicy.max_attempts = 3

## Longest delay, in seconds. Default: 3600.
#  Default: 3600.0
# c.RetryPolicy.max_delay_seconds = 3600.0

## Exceptions that are not retried, as classes or names; subclasses are included.
#  Setting it asks for retries, as max_attempts does. Default: errors in the
#  code, which would fail again in the same way.
#  Default: ['TypeError', 'NameError', 'AttributeError', 'ImportError', 'SyntaxError', 'AssertionError']
# c.RetryPolicy.never_retry = ['TypeError', 'NameError', 'AttributeError', 'ImportError', 'SyntaxError', 'AssertionError']

## Exceptions that are retried, as classes or names; subclasses are included.
#  Setting it asks for retries, as max_attempts does. Default: [], all that
#  never_retry does not list.
#  Default: []
# c.RetryPolicy.retry_on = []

#------------------------------------------------------------------------------
# JobLogs(Configurable) configuration
#------------------------------------------------------------------------------
## The files background_jobs.log (all events) and background_jobs_errors.log
#  (failures, with traceback).

## Number of rotated files to keep. Default: 3.
#  Default: 3
# c.JobLogs.backup_count = 3

## Folder of the two log files. None (default): logs/ in the state folder.
#  Default: None
# c.JobLogs.directory = None

## Format of a record, as in Python's logging. Default: time, level, message.
#  Default: '%(asctime)s %(levelname)s %(message)s'
# c.JobLogs.format = '%(asctime)s %(levelname)s %(message)s'

## Lowest level that background_jobs.log records: DEBUG, INFO, WARNING or ERROR.
#  Default: INFO.
#  Default: 'INFO'
# c.JobLogs.level = 'INFO'

## Size in bytes at which a log file is rotated; 0: never. Default: 5,000,000.
#  Default: 5000000
# c.JobLogs.max_bytes = 5000000
