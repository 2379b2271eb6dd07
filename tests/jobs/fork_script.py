"""A script that forks, beside which a job is compared."""

import os
import sys

import forked

pid = os.fork()
if not pid:
    forked.end(sys.argv[1])
    sys.exit()
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
