"""Jobs of the module `control`, which leave a line for each run and may be held; how they are allowed, counted and let go."""

import os
import signal

import ipybgjobs as bg

from .attempts import is_alive
from .jobs import functions
from .place import until

CONTROL = functions("control")


class Control:
    """What a test does with its place."""

    def __init__(self, place):
        self.place = place

    def configure(self, names=CONTROL, **settings):
        """Write the configuration whole, since a supervisor may read it at any moment."""
        settings = {"queues": {"default": 4, "one": 1, "probe": 1}, "idle_seconds": 0.1, "kill_grace_seconds": 0.3} | settings
        final = self.place.config_file
        self.place.config_file = final.with_suffix(".new")
        self.place.allow({"control": list(names)}, **{f"BackgroundJobs__{name}": value for name, value in settings.items()})
        os.replace(self.place.config_file, final)
        self.place.config_file = final

    def go(self, *names):
        """Let jobs go on that hold."""
        for name in names:
            (self.place.code / f"go.{name}").touch()

    def runs(self, name):
        """How often something was marked."""
        path = self.place.code / f"ran.{name}"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def held(self, called="hold", **options):
        """A job that runs until it may go on."""
        job = bg.submit("control.hold", {"name": called}, **options)
        until(lambda: self.runs(called), f"the run of {called}")
        return job

    def probe(self):
        """When this returns, the supervisor has decided anew what starts: a job of another queue has run."""
        bg.submit("control.note", {"name": "probe"}, queue="probe").result(60)

    def crash(self):
        """Kill the supervisor; the fork server, or whoever waits for a job, sees to another."""
        pid = until(self.place.supervisor_pid, "a supervisor")
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid), "its end")


def one_sentence(text):
    """Whether a refusal is what a person can read at a glance; a usage may follow it."""
    return "\n" not in str(text).strip() and len(str(text).partition(" (usage: ")[0]) < 400
