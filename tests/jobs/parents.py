"""Jobs that wait for jobs that they have submitted."""

import asyncio
import os
import time

import ipybgjobs as bg


def parent(queue="default", how="result", go=None):
    while go and not os.path.exists(go):
        time.sleep(0.01)
    target, params = ("work.Trainer.sleep", {}) if queue == "other" else ("work.echo", {"value": 5})
    job = bg.submit(target, params, queue=queue)
    if how == "await":
        return asyncio.run(waits(job))
    if how == "time-out":
        try:
            return job.result(6)
        except TimeoutError:
            return "late"
    if how == "as_completed":
        return [each.result() for each in bg.as_completed([job])]
    if how == "group":
        return bg.submit_many("work.echo", [{"value": 1}, {"value": 2}], queue=queue).results()
    return getattr(job, how)()


async def waits(job):
    return await job


def itself():
    return bg.job(bg.current_job().id).wait()
