"""The context in which a job that somebody retries runs again."""

import os
import sys

from msgspec.structs import replace

from ipybgjobs.targets import context


def context_of(**changes):
    return replace(context.current_context([("/etc/a.py", "system")], os.environ, 0o22), **changes)


def test_a_retry_keeps_the_job_s_folder_and_path_and_adds_what_is_new_on_that_of_who_asks(tmp_path):
    own = context_of(cwd=str(tmp_path), path=("/job", "/both"), umask=0o77, sources=(("/etc/own.py", "user"),))
    now = context_of(path=("/asks", "/both"), startup="now")
    assert context.retried(own, now, {}) == replace(own, path=("/job", "/both", "/asks"), startup="now")


def test_a_retry_keeps_the_job_s_interpreter_and_starts_it_afresh(tmp_path):
    interpreter = tmp_path / "python"
    interpreter.touch()
    own = context_of(executable=str(interpreter), path=("/job",))
    again = context.retried(own, context_of(), {"LD_PRELOAD": "x"})
    assert again == replace(own, startup=again.startup)
    assert again.startup not in {own.startup, context.retried(own, context_of(), {}).startup}


def test_an_interpreter_that_is_gone_is_replaced_with_what_lay_outside_of_it_still_on_the_path(tmp_path):
    gone = str(tmp_path / "gone")
    own = context_of(executable=f"{gone}/bin/python", prefix=gone, path=("/job", f"{gone}/lib"), cwd=str(tmp_path))
    again = context.retried(own, context_of(path=("/asks",)), {})
    assert (again.executable, again.prefix, again.cwd, again.path) == (
        sys.executable,
        sys.prefix,
        str(tmp_path),
        ("/job", "/asks"),
    )


def test_a_folder_that_is_gone_is_replaced_with_that_of_who_asks(tmp_path):
    assert context.retried(context_of(cwd=str(tmp_path / "gone")), context_of(), {}).cwd == os.getcwd()
