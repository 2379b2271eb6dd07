"""A job that tells what limits its process has."""

import os
import resource
import sys
import time


def look():
    return {
        "open files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "niceness": os.getpriority(os.PRIO_PROCESS, 0),
        "processors": sorted(os.sched_getaffinity(0)),
        "zone": time.strftime("%Z", time.localtime(0)),
        "optimize": sys.flags.optimize,
        "warnings": sys.warnoptions,
        "utf8": sys.flags.utf8_mode,
        "asserts": __debug__,
    }
