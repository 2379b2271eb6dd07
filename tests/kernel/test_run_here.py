"""A call in the kernel itself: `%bgjob --here` and `job.run_here()`, for `%debug` and breakpoints; recorded as nothing."""

import os
import textwrap

import pytest

import ipybgjobs as bg
from support.jobs import module_text
from support.kernels import Kernel

ALLOWED = {"bench.Bench": ["times", "later"], "bench": ["gives_up"]}


@pytest.fixture
def bench(place):
    os.utime(place.module("bench"), (1e9, 1e9))  # older than any process
    place.allow(ALLOWED)
    return place


@pytest.fixture
def kernel(bench):
    made = Kernel(bench.environment, bench.code)
    made.ok("%load_ext ipybgjobs\nimport ipybgjobs as bg")
    yield made
    made.close()


def test_a_line_runs_in_this_kernel_with_the_parameters_of_a_job_and_is_recorded_as_nothing(kernel):
    kernel.ok("rows = ['mine']")
    assert kernel.value("get_ipython().run_line_magic('bgjob', '--here Bench(factor=3).times number=4 rows=$rows')") == [
        12,
        ["mine", "changed by the job"],
        "int",
    ]
    assert kernel.value("rows") == ["mine"], "a job gets a copy"
    kernel.ok("value = %bgjob --here --queue default --unique bench.Bench.times number=2")
    assert kernel.value("value") == [2, None, "int"]
    assert kernel.value("len(bg.jobs())") == 0


def test_what_it_raises_is_raised_with_its_own_traceback_and_debug_stands_where_it_happened(kernel):
    reply = kernel.run("%bgjob --here bench.Bench.times number=7 fail=True")
    assert (reply.ename, reply.evalue) == ("ZeroDivisionError", "here it is 7")
    assert 'raise ZeroDivisionError(f"here it is {local}")' in reply.traceback
    assert kernel.value("__import__('sys').last_value.__traceback__ is not None")
    depth = "t = __import__('sys').last_value.__traceback__\nwhile t.tb_next: t = t.tb_next"
    kernel.ok(depth)
    assert kernel.value("t.tb_frame.f_locals['local']") == 7
    assert kernel.run("%bgjob --here bench.gives_up").ename == "Fail", "an error of the job is no usage error"


def test_only_what_is_allowed_and_fits_runs_here_too(kernel):
    for line, said in (("os.getcwd", "not on the allowlist"), ("Bench.times number=x", "number='x' does not fit int")):
        reply = kernel.run(f"%bgjob --here {line}")
        assert reply.ename == "UsageError" or "UsageError" in reply.stderr, reply.everything
        assert said in reply.everything


def test_a_file_that_was_edited_is_imported_again_and_that_is_said(kernel, bench):
    kernel.ok("import bench")
    assert kernel.value("bg.run_here('bench.Bench.times', {'number': 2})")[0] == 2
    bench.module("bench", module_text("bench").replace("number * self.factor", "number * self.factor + 100"))
    reply = kernel.ok("print(bg.run_here('bench.Bench.times', {'number': 2})[0])")
    assert reply.stdout.splitlines() == ["Note: bench has changed since it was imported here, so it was imported again.", "102"]
    assert kernel.ok("print(bg.run_here('bench.Bench.times', {'number': 3})[0])").stdout == "103\n"


def test_an_async_method_gives_what_is_to_be_awaited_in_a_notebook_and_its_value_in_a_script(kernel):
    kernel.ok("value = await bg.run_here('bench.Bench.later', {'number': 1})")
    assert kernel.value("value") == 2
    assert bg.run_here("bench.Bench.later", {"number": 1}) == 2


def test_a_job_that_failed_is_run_here_with_what_it_was_given(bench):
    pd = pytest.importorskip("pandas")
    job = bg.submit("bench.Bench.times", {"number": 5, "rows": [pd.DataFrame({"a": [1]})]}, init={"factor": 2}).wait(60)
    number, rows, kind = job.run_here()
    assert (number, kind, rows[1]) == (10, "int", "changed by the job")
    assert len(bg.jobs()) == 1
    again = bg.submit("bench.Bench.times", {"number": 5, "fail": True}).wait(60)
    with pytest.raises(ZeroDivisionError, match="here it is 5") as caught:
        again.run_here()
    assert caught.traceback[-1].frame.f_locals["local"] == 5


def test_it_runs_in_this_process(bench):
    bench.module("who", textwrap.dedent("import os\ndef am_i():\n    return os.getpid()\n"))
    bench.allow({"who": ["am_i"]})
    assert bg.run_here("who.am_i") == os.getpid()
