"""Jobs that take and give handles."""

import ipybgjobs as bg


class Config:
    def __init__(self, rate):
        self.rate = rate


class Trained(Exception):
    pass


class Uses:
    def earlier(self, job: bg.Job):
        return job.id, job.result(60)

    def untyped(self, job, group):
        return job.result(60), [each.result(60) for each in group], len(group)

    def several(self, jobs: list):
        return sum(job.result(60) for job in jobs)

    def itself(self):
        return bg.job(bg.current_job().id)

    def configured(self, config, note=""):
        return config.rate

    def gives(self):
        return Config(3)

    def raises(self):
        raise Trained("on purpose")
