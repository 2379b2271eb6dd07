"""What ran: the target's file with its hash, the git commit, interpreter and packages of each attempt; and what has changed."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time

import pytest

import ipybgjobs as bg
from ipybgjobs.commands import cli
from ipybgjobs.model.source import SourceFile
from ipybgjobs.store import queries
from ipybgjobs.store.database import Database
from ipybgjobs.targets import bytecode, origin, source
from ipybgjobs.targets.origin import Origin
from support.jobs import module_text
from support.place import DEADLINE, until


def git(folder, *words):
    settings = ["-c", "user.name=Eva", "-c", "user.email=eva@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", folder, *settings, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(place):
    place.module("coded")
    place.allow({"coded": ["work", "dies"]})
    git(place.code, "init", "-q")
    git(place.code, "add", "coded.py")
    git(place.code, "commit", "-qm", "first")
    return place


def edit(place, version):
    """Change the module, and its date for sure."""
    path = place.module("coded", module_text("coded").replace("Version 1", f"Version {version}"))
    os.utime(path, (1e9 + version, 1e9 + version))


def known(place, job):
    """Wait until it is known where the code of the last attempt came from."""
    job.wait(DEADLINE)
    database = Database(f"{place.state}/jobs.db", durable=True)
    try:
        until(lambda: job.attempts[-1].origin_id, "its origin")
        return queries.origin(database, job.attempts[-1].origin_id)
    finally:
        database.close()


def idle(place):
    until(lambda: not place.processes(), "the supervisor's end")


def test_each_attempt_records_its_file_commit_interpreter_and_packages_each_distinct_set_once(repository):
    jobs = [bg.submit("coded.work") for _ in range(3)]
    found = known(repository, jobs[0])
    assert (found.commit, found.dirty) == (git(repository.code, "rev-parse", "HEAD"), False)
    assert found.python == sys.version.split()[0]
    assert found.packages["pytest"] == pytest.__version__
    for job in jobs:
        known(repository, job)
        assert job.attempts[0].source == source.read(str(repository.code / "coded.py"))
        assert job.changes() == []
    assert {job.attempts[0].origin_id for job in jobs} == {1}


def test_a_look_at_a_repository_takes_no_lock_of_its_index_and_writes_nothing(repository):
    os.utime(repository.code / "coded.py", (2e9, 2e9))  # git would write down that it is the same all the same
    index = repository.code / ".git" / "index"
    before = (index.read_bytes(), index.stat().st_mtime_ns)
    found = known(repository, bg.submit("coded.work"))
    assert (found.commit, found.dirty) == (git(repository.code, "rev-parse", "HEAD"), False)
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


@pytest.mark.crash
def test_a_failure_says_what_has_changed_since_the_last_success_of_its_target(repository, capsys):
    good = bg.submit("coded.work")
    known(repository, good)
    idle(repository)
    edit(repository, 2)
    bad = bg.submit("coded.work", {"fail": True})
    assert known(repository, bad).dirty
    path = repository.code / "coded.py"
    assert bad.changes() == [f"changed since job {good.id}, which succeeded: the code ({path}), uncommitted changes"]
    idle(repository)
    git(repository.code, "commit", "-qam", "second")
    worse = bg.submit("coded.work", {"fail": True})
    known(repository, worse)
    [said] = worse.changes()
    assert said.startswith(f"changed since job {good.id}, which succeeded: the code ({path}), commit ")
    assert " → " in said
    cli.main(["show", str(worse.id)])
    assert said in capsys.readouterr().out
    cli.main(["show", str(worse.id), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["changes"] == [said]
    assert shown["attempts"][0]["source"] == {"path": str(path), "sha256": source.read(str(path)).digest}


@pytest.mark.crash
def test_a_success_says_what_has_changed_since_the_one_before(repository):
    first = bg.submit("coded.work")
    known(repository, first)
    idle(repository)
    edit(repository, 5)
    second = bg.submit("coded.work")
    known(repository, second)
    path = repository.code / "coded.py"
    assert second.changes() == [f"changed since job {first.id}, which succeeded: the code ({path}), uncommitted changes"]
    third = bg.submit("coded.work")
    known(repository, third)
    assert (first.changes(), third.changes()) == ([], [])


def test_a_job_that_another_removes_meanwhile_is_nothing_to_compare_with(place, monkeypatch):
    place.allow({"work": ["echo"]})
    first, second = (bg.submit("work.echo", {"value": 1}).wait(DEADLINE) for _ in range(2))
    find = queries.last_success

    def removed_when_found(*asked):
        found = find(*asked)
        first.remove()
        return found

    monkeypatch.setattr(queries, "last_success", removed_when_found)
    assert second.changes() == []


def test_code_that_changed_after_submit_is_told(repository):
    bg.pause()
    job = bg.submit("coded.work")
    edit(repository, 3)
    bg.resume()
    known(repository, job)
    assert job.changes() == [f"the code changed between submit and attempt 1: {repository.code / 'coded.py'}"]


def test_what_changed_between_two_attempts_is_told(repository, tmp_path):
    job = bg.submit("coded.work", {"mark": str(tmp_path / "mark")}, retry={"max_attempts": 2, "delay_seconds": 300})
    until(lambda: job.attempts and job.attempts[0].outcome and job.attempts[0].origin_id, "the first attempt")
    edit(repository, 4)
    job.cancel()
    job.retry()
    known(repository, job)
    assert job.changes()[-1].startswith(f"changed since attempt 1: the code ({repository.code / 'coded.py'})")


def test_a_process_that_vanished_has_run_the_file_of_the_submit_if_that_is_still_the_same(repository):
    job = bg.submit("coded.dies")
    known(repository, job)
    assert job.attempts[0].source == source.read(str(repository.code / "coded.py"))


def test_where_there_is_no_repository_the_rest_is_known(place):
    job = bg.submit("work.echo", {"value": 1})
    found = known(place, job)
    assert (found.commit, found.dirty) == (None, None)
    assert found.packages


def test_however_quickly_it_is_edited_what_ran_is_the_file_as_it_was_and_its_hash_is_recorded(place, monkeypatch):
    """Python knows bytecode by the second and the size of its source: 8 of 40 such edits ran what the file had said before."""
    place.allow({"twice": ["number"]})
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for number in range(10, 18):
        path = place.module("twice", f"def number(): return {number}\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))  # all in one second
        job = bg.submit("twice.number")
        assert job.result(60) == number
        assert job.attempts[0].source == SourceFile(
            str(path), 1_700_000_000 * 10**9, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
        )


def load(path, name="quick"):
    """Import a file; return the module and what is known of its source."""
    spec = importlib.util.spec_from_loader(name, bytecode.Loader(name, str(path)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, bytecode.source_of(module)


def test_bytecode_is_trusted_only_where_it_was_written_well_after_the_last_edit(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "quick.py"
    path.write_text("number = 10\n")
    load(path)
    cached = importlib.util.cache_from_source(str(path))
    compiled = []
    monkeypatch.setattr(
        bytecode.SourceFileLoader, "source_to_code", lambda *given, **_: compiled.append(1) or compile("", "", "exec")
    )
    load(path)
    assert compiled == [1], "written at once"
    later = time.time() + 10
    os.utime(cached, (later, later))
    compiled.clear()
    _, seen = load(path)
    assert (compiled, seen[3]) == ([], hashlib.sha256(b"number = 10\n").hexdigest())


def test_a_source_that_changes_while_its_bytecode_is_loaded_has_no_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "quick.py"
    path.write_text("number = 10\n")
    load(path)
    later = time.time() + 10
    os.utime(importlib.util.cache_from_source(str(path)), (later, later))
    found = bytecode.SourceFileLoader.get_data

    def edited(loader, name):
        content = found(loader, name)
        path.write_text("number = 200\n")
        return content

    monkeypatch.setattr(bytecode.SourceFileLoader, "get_data", edited)
    module, seen = load(path)
    assert module.number == 10
    assert seen is None


def test_a_file_that_is_gone_or_has_changed_since_leaves_its_hash_unknown(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("1")
    first = source.read(str(path))
    assert source.as_run(first.to_json(), None) == source.as_run(None, first) == first
    path.write_text("22")
    assert source.as_run(first.to_json(), source.read(str(path))) == first, "what the worker has loaded"
    assert source.as_run(None, first) is None
    path.unlink()
    assert source.as_run(None, first) is None
    assert source.as_run(None, None) is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (Origin("3.11.7"), Origin("3.11.7"), []),
        (None, Origin("3.11.7"), []),
        (Origin("3.11.7"), Origin("3.12.1"), ["Python 3.11.7 → 3.12.1"]),
        (Origin("3", {"a": "1"}), Origin("3", {"a": "2", "b": "1"}), ["a 1 → 2", "b absent → 1"]),
        (Origin("3", {"a": "1"}), Origin("3"), ["a 1 → absent"]),
        (Origin("3", commit="a" * 40, dirty=True), Origin("3", commit="b" * 40, dirty=False), 2),
        (Origin("3", commit=None), Origin("3", commit="b" * 40, dirty=False), 2),
    ],
)
def test_differences_are_said_in_a_few_words(before, after, said):
    found = origin.differences(before, after)
    assert (len(found) if isinstance(said, int) else found) == said


def test_a_source_is_read_again_only_where_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "m.py"
    path.write_text("one")
    first = source.read(str(path))
    opened = []
    monkeypatch.setattr("builtins.open", lambda *arguments, **_: opened.append(arguments))
    assert source.read(str(path)) is first
    monkeypatch.undo()
    assert opened == []
    assert isinstance(first, SourceFile)
    assert source.read(None) is None
    assert source.read(str(tmp_path / "absent")) is None
