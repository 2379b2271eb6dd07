"""The operating system: processes, locks, signals, files. The only room with platform-specific calls.

It knows nothing about jobs, stores or state folders. It is written and tested for Linux; each module says what another platform
has to provide. A worker loads part of it, so it imports next to nothing.

Modules
-------
child
    A short-lived child process that answers a question in JSON.
children
    The children of a process that forks, and what each leaves behind.
exit_status
    Decoding the exit status of a process.
filesystem
    What kind of file system a folder is on, and whether locks work across machines there.
forked
    A fork of this process that takes another role.
identity
    Who a process is: PID and start time, within one boot and one PID namespace.
installed
    What is installed for this interpreter, as a fingerprint.
interrupt_shield
    Work that an interrupt can't break.
launch
    Starting processes that outlive the one that started them.
lifetime
    What may end every process here at once: a container, a batch job, a session.
limits
    Resource limits, niceness and processors, read and applied.
lock
    A lock held until its holder's process is gone.
oom
    The kernel's count of processes killed for lack of memory.
open_folder
    A folder held open, so that what goes into it follows it wherever it is moved.
place
    Where processes see each other: one boot, one PID namespace.
private_file
    Files written whole or not at all, and read without waiting.
process_mark
    A mark by which everything that an attempt has started is found.
roles
    The command line of a process of this package.
sparse
    Holes in files: disk space given back while a log is written.
tree
    Finding and ending all of a worker's processes.
wakeup
    A hint that the store has changed, which is never waited for.
watch
    Notice of changes in a folder.
worker
    What a worker's process sets up before user code.
"""
