"""One of the processes that submit to a new store at once: ``python -m support.crowd STORE JOBS``; it waits for a line first."""

import os
import sys

from ipybgjobs.store import submissions
from ipybgjobs.store.database import Database

from .store import SURROUNDINGS, submission


def main(path: str, jobs: int) -> None:
    """Submit jobs, and print the number of each."""
    print("ready", flush=True)
    sys.stdin.readline()
    database = Database(path, durable=True)
    for number in range(jobs):
        job = submission(uid=os.urandom(16).hex(), name=f"{os.getpid()} {number}")
        print(submissions.submit(database, job, SURROUNDINGS)[0])
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
