"""What a type checker must accept, with the types that it must find; it is checked by `test_typing`, and never run."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Unpack, assert_type

import ipybgjobs as bg
from ipybgjobs import Deadlock, Group, Job, SubmitManyOptions, SubmitOptions


class Trainer:
    def fit(self, epochs: int) -> float:
        return 1 / epochs

    @classmethod
    def best(cls) -> float:
        return 1.0


def train(epochs: int) -> float:
    return 1 / epochs


# -- submitting

job = bg.submit("training.Trainer.fit", {"epochs": 3}, init={"lr": 0.1}, name="nightly", queue="gpu", priority=5)
assert_type(job, Job)
bg.submit("training.fit", delay="10m", timeout=60, retry=3, retry_until="6h", unique=True, on_duplicate="replace", reuse="1d")
bg.submit(
    "training.fit",
    at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC),
    retry={"max_attempts": 5},
    retry_until=dt.datetime(2030, 1, 2, tzinfo=dt.UTC),
)
bg.submit(
    "training.fit", name=None, queue=None, delay=None, at=None, after=None, timeout=None, retry=None, unique=None, reuse=None
)

# -- what is called, in hand

assert_type(bg.submit(train, {"epochs": 3}, name="nightly"), Job)
assert_type(bg.submit(Trainer.fit, {"epochs": 3}, init={}), Job)
bg.submit(Trainer.best)
bg.submit(Trainer().fit, {"epochs": 3})
assert_type(bg.submit_many(train, bg.grid(epochs=range(3))), Group)
assert_type(bg.run_here(Trainer().fit, {"epochs": 3}), Any)
assert_type(bg.submit("training.fit").instance, Any)

group = bg.submit_many("training.fit", bg.grid(epochs=range(3), lr=[0.1, 0.2]), common={"seed": 1}, name="sweep", priority=1)
assert_type(group, Group)
assert_type(bg.run_background_job(Trainer, "fit", {"epochs": 3}, init={}, timeout="2h"), Job)
assert_type(bg.run_here("training.fit", {"epochs": 3}), Any)

# -- whatever a job may depend on

bg.submit("training.fit", after=job)
bg.submit("training.fit", after=group)
bg.submit("training.fit", after=3, after_any="nightly")
bg.submit("training.fit", after=[job, group, 3, "nightly"], after_any=group.jobs)

# -- options that are passed on

chosen: SubmitOptions = {"timeout": "2h", "unique": "report", "on_duplicate": "existing"}
bg.submit("training.fit", **chosen)
for_each: SubmitManyOptions = {"timeout": "2h", "after": job}
bg.submit_many("training.fit", [], **for_each)


def nightly(target: str, **options: Unpack[SubmitOptions]) -> Job:
    return bg.submit(target, **options)


nightly("training.fit", queue="gpu", priority=3)

# -- reading jobs

assert_type(bg.job(3), Job)
assert_type(bg.group("sweep"), Group)
assert_type(bg.jobs(state="failed", group=group)[0], Job)
assert_type(list(bg.as_completed(group)), list[Job])
assert_type(job.wait("5m"), Job)
assert_type(job.exception(), BaseException | None)
assert_type(job.attempts, list[bg.Attempt])
assert_type(group.counts, dict[str, int])
assert_type(group.results(return_exceptions=True), list[Any])
assert_type(bg.pause("gpu"), list[str])
assert_type(bg.clean(older_than="30d").jobs, int)


async def awaited() -> Any:
    return await job


# -- inside a job

current = bg.current_job()
if current is not None:
    assert_type(current.attempt, int)
assert_type(bg.progress([1.5, 2.5], label="fit"), Iterator[float])
bg.report(1, 3, "loading")
bg.report("saving")

# -- errors

assert_type(bg.Retry("busy", after="5m").after, float | str | None)
errors: list[type[bg.BackgroundJobError]] = [bg.JobFailed, bg.JobLost, bg.KernelDied, bg.DuplicateJob, Deadlock]
run: Callable[..., Any] = bg.Notebook().run
shown: bg.Panel = bg.Panel()
