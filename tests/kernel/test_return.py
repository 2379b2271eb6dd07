"""Back in a notebook: outputs in another kernel, results in variables, following in a cell, and what ended meanwhile."""

import contextlib
import os
import signal
import threading

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from support.kernels import Kernel
from support.place import DEADLINE, until


@pytest.fixture
def back(place):
    place.module("back")
    place.allow({"back": ["held", "rich"]})
    return place


@pytest.fixture
def start(back):
    """Starts kernels with the extension loaded; returns the kernel and what loading said."""
    started = []

    def begin():
        kernel = Kernel(back.environment, back.code)
        started.append(kernel)
        kernel.ok("import ipybgjobs as bg")
        return kernel, kernel.ok("%load_ext ipybgjobs").stdout

    yield begin
    for kernel in started:
        kernel.close()


def test_outputs_are_shown_in_another_kernel_after_the_first_was_killed_as_if_run_there(start, back):
    first, _ = start()
    first.ok("job = %bgjob back.rich --name kept")
    os.kill(first.pid, signal.SIGKILL)
    second, _ = start()
    shown = second.ok("bg.job('kept').wait(60).show()")
    assert shown.stdout == "python\nC\nchild\n"
    bold, table = shown.displays
    assert bold["text/html"] == "<b>shown</b>"
    assert table["text/plain"] == "   a\n0  1"
    assert "<table" in table["text/html"]


def test_a_variable_gets_the_result_between_two_cells_and_never_within_one(start, back):
    kernel, _ = start()
    kernel.ok("%bgjob --into answer back.held name=one value=42;")
    assert "answer" not in kernel.ok("print([name for name in globals() if name == 'answer'])").stdout
    within = "open('one', 'w').close()\nbg.job(1).wait(60)\nprint('answer' in globals())"
    assert kernel.ok(within).stdout == "False\nanswer is the result of job 1\n"
    assert kernel.value("answer") == 42
    kernel.ok("%bgjob --into answer back.held name=two fail=True;\nopen('two', 'w').close()")
    bg.job(2).wait(DEADLINE)
    said = kernel.ok("1;").stdout
    assert said == "answer was not set: job 2 failed: ValueError: as planned\n"
    assert kernel.value("answer") == 42


def test_the_later_job_for_a_variable_counts_and_a_wrong_name_is_refused(start, back):
    kernel, _ = start()
    kernel.ok(
        "%bgjob --into answer back.held name=never;\n%bgjob --into answer back.held name=now value=7;\nopen('now', 'w').close()"
    )
    bg.job(2).wait(DEADLINE)
    assert kernel.ok("1;").stdout == "answer is the result of job 2\n"
    reply = kernel.run("%bgjob --into 1x back.held name=now")
    assert "'1x' is not a valid variable name" in reply.stderr
    bg.job(1).cancel()


def test_a_job_is_followed_in_its_cell_and_an_interrupt_leaves_it_running(start, back):
    kernel, _ = start()
    (back.code / "soon").touch()
    reply = kernel.ok("job = %bgjob --wait back.held name=soon\njob.state")
    assert reply.stdout.endswith("begun\n"), "after the first submit's note"
    assert reply.displays == [{"text/plain": "'succeeded'"}]

    def interrupt():
        until(lambda: len(bg.jobs()) == 2 and bg.job(2).log(), "the second job")
        os.kill(kernel.pid, signal.SIGINT)  # the manager would make this thread an event loop, and leave it open

    thread = threading.Thread(target=interrupt)
    thread.start()
    reply = kernel.run("job = %bgjob --wait back.held name=late")
    thread.join()
    assert reply.status == "ok", reply.everything
    said = "job 2 continues (running); job.follow() follows it again, job.cancel() stops it.\n"
    assert reply.stdout in (f"begun\n\n{said}", f"\n{said}"), "it may come before the first line is shown"
    assert bg.job(2).state == "running"
    bg.job(2).cancel()


def test_loading_says_in_one_line_what_ended_since_the_last_look(start, back):
    kernel, said = start()
    assert said == ""
    kernel.ok("%bgjob back.held name=good;\n%bgjob back.held name=bad fail=True;")
    kernel.close()
    for name in ("good", "bad"):
        (back.code / name).touch()
    for number in (1, 2):
        bg.job(number).wait(DEADLINE)
    kernel, said = start()
    assert said == (
        "While you were away: 1 succeeded, 1 failed; job 2 (back.held): ValueError: as planned. %bgjobs shows them.\n"
    )
    _, said = start()
    assert said == ""
    (back.code / "third").touch()
    kernel.ok("bg.submit('back.held', {'name': 'third'}).wait(60)")
    kernel.ok("%bgjobs")
    with contextlib.suppress(FileNotFoundError):
        kernel.close()
    _, said = start()
    assert said == "", "it was looked at"


def test_what_was_cancelled_or_ended_while_cells_ran_or_was_listed_is_no_news(start, back):
    kernel, _ = start()
    kernel.ok("job = bg.submit('back.held', {'name': 'here'}); open('here', 'w').close(); job.wait(60);")
    _, said = start()
    assert said == "", "a cell waited for it"
    kernel.ok("bg.submit('back.held', {'name': 'late'}); bg.submit('back.held', {'name': 'never'});")
    main(["cancel", "3"])
    _, said = start()
    assert said == "", "the user did that"
    (back.code / "late").touch()
    bg.job(2).wait(DEADLINE)
    main(["list"])
    _, said = start()
    assert said == "", "the list has shown it"


def test_the_line_of_many_failures_is_short(start, back):
    kernel, _ = start()
    kernel.ok("bg.submit_many('back.held', [{'name': 'go', 'fail': True}] * 3);")
    kernel.close()
    (back.code / "go").touch()
    for number in (1, 2, 3):
        bg.job(number).wait(DEADLINE)
    _, said = start()
    assert said.startswith("While you were away: 3 failed; job ")
    assert said.count("back.held") == 1
    assert said.count("\n") == 1
    assert len(said) < 140


def test_a_mark_that_can_not_be_read_is_as_good_as_none(start, back):
    bg.submit("back.held", {"name": "x"})
    (back.code / "x").touch()
    bg.job(1).wait(DEADLINE)
    (back.state / "seen.json").write_text("[")
    _, said = start()
    assert said == ""
