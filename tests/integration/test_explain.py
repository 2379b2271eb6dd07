"""What a submit would do, and by which rule, or why it would be refused; nothing is started and nothing is written."""

import contextlib
import json
import shlex
import sqlite3

import pytest

import ipybgjobs as bg
from ipybgjobs.client.client import client
from ipybgjobs.commands.cli import main
from support.place import until


@pytest.fixture
def calls(place):
    place.module("calls")
    entry = {"allowed_methods": ["fit"], "timeout": "2h", "queue": "gpu", "max_attempts": 4, "delay_seconds": 60, "jitter": 0.5}
    place.allow({"calls.Net": entry, "work": ["echo"]}, BackgroundJobs__queues={"default": 2, "gpu": 1})
    return place


@pytest.fixture
def explain(calls, capsys):
    """Explains by the command line; returns the exit status and the JSON."""

    def run(line):
        capsys.readouterr()  # an earlier submit may have told of a container
        status = main(["submit", "--explain", "--json", *shlex.split(line)])
        said = capsys.readouterr()
        assert said.err == ""
        return status, json.loads(said.out)

    return run


def everything(place):
    """All that the store holds."""
    with contextlib.closing(sqlite3.connect(place.state / "jobs.db")) as connection:
        return list(connection.iterdump())


def test_an_allowed_call_is_explained_with_its_rule_its_code_and_where_everything_goes(calls, explain):
    status, found = explain("'calls.Net(lr=1).fit' epochs=3 note=1.10")
    assert (status, found["allowed"], found["refusal"]) == (0, True, None)
    assert found["allowed_by"] == {"rule": "allowed_jobs['calls.Net']", "file": str(calls.config_file)}
    assert found["callable"] == {"name": "calls.Net.fit", "file": str(calls.code / "calls.py"), "by_value": False}
    assert found["call"] == "calls.Net(lr=1.0).fit(epochs=3, note='1.10')"
    assert found["init"] == [
        {"name": "lr", "value": "1.0", "type": "float", "from": "a literal, converted by the annotation float"}
    ]
    assert [(each["value"], each["type"]) for each in found["params"]] == [("3", "int"), ("'1.10'", "str")]
    assert found["queue"] == {"name": "gpu", "slots": 1, "paused": False}
    assert (found["priority"], found["timeout"]) == (0, 7200.0)
    assert found["logs"] == [f"{calls.state}/logs/background_jobs.log", f"{calls.state}/logs/background_jobs_errors.log"]
    assert found["state_folder"] == str(calls.state)


def test_it_starts_nothing_and_makes_no_store(calls, explain):
    explain("calls.Net.fit")
    assert not calls.state.exists()
    assert not calls.processes()


def test_beside_a_store_it_writes_nothing(calls, explain):
    bg.submit("work.echo", {"value": 1}).wait(60)
    until(lambda: not calls.processes(), "the end of the supervisor")
    before = everything(calls)
    assert explain("work.echo value=2 --unique=key --on-duplicate replace --after 1")[0] == 0
    assert everything(calls) == before
    assert not calls.processes()


def test_each_attempt_has_its_delay_and_its_earliest_moment(explain):
    _, found = explain("calls.Net.fit --at 2040-01-01T00:00:00Z")
    assert [each["delay_seconds"] for each in found["attempts"]] == [0, 60, 120, 240]
    assert [each["earliest"][11:19] for each in found["attempts"]] == ["00:00:00", "00:01:00", "00:03:00", "00:07:00"]
    assert found["start"]["not_before"].startswith("2040-01-01T00:00:00")


def test_which_failures_would_be_retried_is_said(calls, explain):
    said = explain("calls.Net.fit")[1]["retried"]
    assert (said["requested"], said["on"], "TypeError" in said["never"]) == (True, [], True)
    rule = {"retry_on": ["OSError"], "never_retry": ["KeyError"]}
    text = str(client().explain("calls.Net.fit", retry=rule))
    assert "  retried       OSError, time-outs and lost processes, but never KeyError\n" in text
    text = str(client().explain("calls.Net.fit"))
    assert "  retried       every exception, time-outs and lost processes, but never TypeError, NameError, " in text
    calls.allow({"calls.Net": ["fit"]}, retries=False)
    said = explain("calls.Net.fit")[1]["retried"]
    assert (said["requested"], said["on"]) == (False, ["ConnectionError", "TimeoutError", "OSError"])
    assert "PermissionError" in said["never"]
    assert "  retried       only what may pass by itself, since no file" in str(client().explain("calls.Net.fit"))
    assert "retried" not in explain("calls.Net.fit --retry 1")[1]


def test_a_deadline_leaves_no_attempt_after_it(explain):
    _, found = explain("calls.Net.fit --at 2040-01-01T00:00:00Z --retry-until 2040-01-01T00:02:00Z")
    assert len(found["attempts"]) == 2


def test_a_secret_is_blanked_wherever_it_stands(explain):
    _, found = explain("calls.Net.fit api_token=hunter22 note='with hunter22 in it'")
    assert "hunter22" not in json.dumps(found)
    assert {"name": "api_token", "value": "•••", "type": "str", "from": "a bare word"} in found["params"]


def test_a_value_that_is_pickled_is_described(calls):
    found = client().explain("calls.Net.fit", {"table": {(1, 2)}}).to_json()
    assert found["params"] == [{"name": "table", "value": "{(1, 2)}", "type": "set", "from": "as given"}]


def test_the_text_has_a_line_for_each_fact(calls):
    text = str(client().explain("calls.Net.fit", {"epochs": "3"}, priority=5))
    head, *lines = text.splitlines()
    assert head == "calls.Net.fit would run"
    said = {line[:16].strip(): line[16:] for line in reversed(lines)}
    assert said["allowed by"] == f"allowed_jobs['calls.Net'] in {calls.config_file}"
    assert said["params"] == "epochs=3: int, as given, converted by the annotation int"
    assert said["queue"] == "gpu, 1 slot"
    assert said["attempts"].startswith("1 of 4: at the start, not before ")
    assert "2 of 4: 1 m after attempt 1 fails, plus up to 50% jitter, not before " in text
    assert said["timeout"] == "2 h for each attempt"


def test_a_paused_queue_is_said_to_be(explain):
    bg.pause("gpu")
    assert explain("calls.Net.fit")[1]["queue"]["paused"] is True


def test_what_it_would_meet_in_the_store_is_said(explain):
    first = bg.submit("work.echo", {"value": 1}, unique="key", delay="1h")
    status, found = explain("work.echo value=2 --unique=key")
    assert (status, found["allowed"]) == (1, False)
    assert f"job {first.id} (work.echo) is queued and holds this unique key" in found["refusal"]
    assert explain("work.echo value=2 --unique=key --on-duplicate existing")[1]["serves"] == first.id
    assert explain("work.echo value=2 --unique=key --on-duplicate replace")[1]["replaces"] == first.id
    assert first.state == "queued"
    first.cancel()
    assert f"job {first.id} was cancelled" in explain(f"work.echo value=2 --after {first.id}")[1]["refusal"]


def test_a_job_that_would_be_reused_is_named(explain):
    done = bg.submit("work.echo", {"value": 1}).wait(60)
    assert explain("work.echo value=1 --reuse")[1]["serves"] == done.id
    assert "serves" not in explain("work.echo value=2 --reuse")[1]


@pytest.mark.parametrize(
    ("line", "refusal", "known"),
    [
        ("calls.Net.fitt", "Did you mean calls.Net.fit?", set()),
        ("nowhere.run", "nowhere.run is not on the allowlist", set()),
        ("calls.Net.fit epochs=many", "epochs='many' does not fit int", {"allowed_by", "queue", "attempts"}),
        ("calls.Net.fit --queue cpu", "There is no queue 'cpu'", {"allowed_by"}),
        ("work.echo", "echo() is missing the required parameter value", {"allowed_by", "queue"}),
        ("work.echo value=1 --after 7", "There are no jobs yet", {"allowed_by", "call", "callable", "params"}),
        ("__main__.Mine.fit", "c.BackgroundJobs.allow_notebook_code = True", set()),
    ],
)
def test_a_refusal_is_explained_as_far_as_it_goes(explain, line, refusal, known):
    status, found = explain(line)
    assert (status, found["allowed"]) == (1, False)
    assert refusal in found["refusal"]
    assert known <= set(found)
    assert ("allowed_by" in found) is bool(known)
    assert "state_folder" in found


def test_a_broken_configuration_file_is_explained(calls, capsys):
    calls.config_file.write_text("(")
    assert main(["submit", "--explain", "work.echo", "value=1"]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"work.echo would be refused: The configuration file {calls.config_file}, line 1 is broken")
    assert said.out.count("\n") == 1


def test_what_is_explained_is_what_is_submitted(calls):
    found = client().explain("work.echo", {"value": [1]}, queue="gpu", priority=3).to_json()
    job = bg.submit("work.echo", {"value": [1]}, queue="gpu", priority=3)
    assert (found["call"], found["queue"]["name"], found["priority"]) == (str(job.record().call), job.queue, job.priority)
    job.wait(60)
