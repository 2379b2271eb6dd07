"""A folder of the job, kept across its attempts: the example of docs/checkpoints.md, killed and resumed."""

import os
import re
import signal
from pathlib import Path

import ipybgjobs as bg
from support.place import REPOSITORY, until

PAGE = REPOSITORY / "docs" / "checkpoints.md"


def example() -> str:
    [found] = re.findall(r"<!-- example: training.py -->\s+```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return found


def epochs(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"epoch (\d+)", text)]


def test_the_example_goes_on_where_it_was_killed(place):
    place.module("training", example())
    place.allow({"training.Trainer": ["fit"]}, RetryPolicy__max_attempts=2, RetryPolicy__delay_seconds=0)
    job = bg.submit("training.Trainer.fit", {"epochs": 40})
    until(lambda: len(epochs(job.log())) >= 3, "three epochs")
    [worker] = [pid for pid, line in place.processes().items() if os.path.exists(f"/proc/{pid}/task") and _is_worker(pid, line)]
    os.kill(worker, signal.SIGKILL)
    loss = job.result(60)
    first, second = (epochs((place.state / each.folder / "output.log").read_text()) for each in job.attempts)
    assert [each.outcome for each in job.attempts] == ["lost", "succeeded"]
    assert second[0] in (first[-1] + 1, first[-1] + 2)  # it may have been killed between the checkpoint and the line
    assert second[0] > 3
    assert abs(loss - 0.9**40) < 1e-9


def _is_worker(pid: int, line: str) -> bool:
    """Whether a process is a fork of the fork server that leads a session of its own."""
    return " forkserver " in line and _parent_line(pid) != "" and " forkserver " in _parent_line(pid)


def _parent_line(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    parent = re.search(r"PPid:\s+(\d+)", status)
    return Path(f"/proc/{parent[1]}/cmdline").read_bytes().replace(b"\0", b" ").decode() if parent else ""


def test_the_folder_goes_with_the_job_and_is_not_the_attempts(place):
    place.module(
        "keeping", "import ipybgjobs as bg\n\ndef keep():\n    me = bg.current_job()\n    return me.folder, me.folder_of_job\n"
    )
    place.allow({"keeping": ["keep"]})
    job = bg.submit("keeping.keep")
    attempt, kept = job.result(60)
    assert os.path.dirname(attempt) == os.path.dirname(kept)
    assert os.path.isdir(kept)
    job.remove()
    assert not os.path.exists(kept)
