"""An exported job under interrupts, kills and a full disk: the file is whole, or what was there before."""

import os
import random
import signal
import subprocess
import time
import zipfile

import pytest

import ipybgjobs as bg
from support.interrupts import Interrupt

EARLIER = "an earlier file"


@pytest.fixture
def path(tmp_path):
    """A file that is replaced, alone in its folder."""
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "job.zip").write_text(EARLIER)
    return folder / "job.zip"


@pytest.fixture
def ctrl_c():
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGALRM, before)


def is_written(path, *, alone=True):
    """Whether it is a whole report; else it is the earlier file."""
    assert not alone or os.listdir(path.parent) == [path.name]
    if not zipfile.is_zipfile(path):
        assert path.read_text() == EARLIER
        return False
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert "doctor.txt" in archive.namelist()
    return True


def test_an_interrupt_at_any_call_leaves_the_earlier_file_or_says_that_it_was_written(bench, path):
    job = bench.ended()
    job.export(path.parent.parent / "loaded.zip")
    for number in range(1, 100):
        interrupt = Interrupt(number, "call", "client/jobs/bug_report.py")
        stopped = interrupt.during(lambda: job.export(path, force=True))
        if stopped is None:
            break
        assert is_written(path) == ("was written" in str(stopped)), interrupt.where
    assert is_written(path)
    assert number > 5


def test_signals_at_random_moments_leave_the_earlier_file_or_say_that_it_was_written(bench, path, ctrl_c):
    job, draw = bench.ended(), random.Random(7)
    job.export(path, force=True)
    began = time.perf_counter()
    job.export(path, force=True)
    usual, stopped = time.perf_counter() - began, 0
    for _ in range(100):
        if stopped > 5:  # on a busy machine few signals come in time
            break
        path.write_text(EARLIER)
        try:
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-6, 1.2 * usual))
            job.export(path, force=True)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt as error:
            stopped += 1
            said = str(error)
            assert is_written(path) == ("was written" in said) or not said  # it may come after the return
        else:
            assert is_written(path)
    assert stopped > 5


@pytest.mark.parametrize("call", ["write", "replace"])
def test_a_kill_while_it_is_written_leaves_the_earlier_file(bench, path, call):
    job = bench.ended()
    pid = os.fork()
    if pid == 0:
        real = getattr(os, call)

        def deadly(first, *rest, **options):
            if call == "replace" or os.readlink(f"/proc/self/fd/{first}").startswith(str(path)):
                os.kill(os.getpid(), signal.SIGKILL)
            return real(first, *rest, **options)

        setattr(os, call, deadly)
        job.export(path, force=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert not is_written(path, alone=False)
    assert job.export(path, force=True) == str(path)
    assert is_written(path, alone=False)


def test_a_full_disk_leaves_the_earlier_file_and_is_told_in_one_sentence(bench, path):
    job = bench.ended()
    path.unlink()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(path.parent)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        path.write_text(EARLIER)
        with pytest.raises(bg.StoreError) as told:
            job.export(path, force=True)
        assert str(told.value) == f"Can't write {path}: No space left on device."
        assert not is_written(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path.parent)], check=True)
