"""A store without supervisor and jobs, and short words for what tests do with it."""

import os

from msgspec.structs import replace

from ipybgjobs.model.call import Call
from ipybgjobs.model.records import Outcome, Owner
from ipybgjobs.model.retry import RetrySettings
from ipybgjobs.store import listing, queries, submissions
from ipybgjobs.store.database import Database
from ipybgjobs.store.schedule import Schedule
from ipybgjobs.store.submissions import Submission, SubmitContext
from ipybgjobs.store.transitions import LaunchMode, Transitions, Verdict

HERE = Owner("here", "this-host")


SURROUNDINGS = SubmitContext("{}", '{"HOME": "/home/eva"}', "digest")


def submission(**changes):
    job = Submission(
        uid=os.urandom(16).hex(),
        call=Call("work.Trainer.fit", {}, {"epochs": 3}, {}),
        positional=(),
        name=None,
        queue="default",
        priority=0,
        not_before=0.0,
        submitted_at=100.0,
        retry_settings=RetrySettings(),
        timeout=None,
        owner=HERE,
    )
    return replace(job, **changes)


class Store:
    """A store, and short words for what tests do with it."""

    def __init__(self, path):
        self.path = path
        self.database = Database(str(path), durable=True)

    def submit(self, surroundings=SURROUNDINGS, **changes):
        return submissions.submit(self.database, submission(**changes), surroundings)[0]

    def change(self, verb, *arguments, now=200.0, owner=HERE):
        with self.database.transaction() as connection:
            place = Transitions if hasattr(Transitions, verb) else Schedule
            return getattr(place(connection, owner, now), verb)(*arguments)

    def start(self, job, number=1):
        assert self.change("claim", job, number, f"jobs/{job}/{number}", LaunchMode("fork"))

    def end(self, job, state, number=1, outcome=Outcome.ERROR):
        assert self.change("end_attempt", job, number, Verdict(outcome))
        assert self.change("end_job", job, state, None)

    def retrying(self, job, number=1, due=400.0, error="lost", now=200.0):
        assert self.change("end_attempt", job, number, Verdict(Outcome.LOST), now=now)
        assert self.change("queue_again", job, due, error, now=now)

    def job_in(self, state):
        job = self.submit()
        if state == "cancelled":
            self.change("cancel_queued", job)
        elif state != "queued":
            self.start(job)
            if state == "retrying":
                self.retrying(job)
            elif state != "running":
                self.end(job, state)
        assert queries.state(self.database, job) == state
        return job

    def rows(self):
        tables = ("jobs", "attempts", "requests", "environments", "contexts")
        return [[tuple(row) for row in self.database.read(f"SELECT * FROM {table}")] for table in tables]

    def ids(self, limit=50, **filters):
        return [job.id for job in listing.jobs(self.database, limit, **filters)]
