"""The filters of `bg.jobs`."""

import copy
import itertools
import pickle
import random

import pytest

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.commands.cli import main
from ipybgjobs.model.call import Call
from ipybgjobs.model.records import JobState, Owner
from ipybgjobs.model.retry import RetrySettings
from ipybgjobs.panel import overview
from ipybgjobs.store import submissions
from ipybgjobs.store.columns import STATE
from ipybgjobs.store.database import Database
from ipybgjobs.store.submissions import NewGroup, Submission, SubmitContext
from ipybgjobs.system import identity
from support.place import running
from support.sweep import one_sentence, rows

TARGETS = ("work.echo", "work.Trainer.fit", "sweep.number")


QUEUES = ("default", "gpu", "a queue's name")


LABELS = (None, "one", "two", "it's \N{SNOWMAN}")


@pytest.fixture
def crowd(place):
    """Several hundred jobs of another host, in every state, of every target, queue, name and group; nobody runs them."""
    folder = client_module.client().folder()
    database = Database(folder.database, durable=False)
    draw = random.Random(17)
    owner = Owner("elsewhere", "another")
    surroundings = SubmitContext("{}", "{}", "digest")

    def made(target):
        return Submission(
            uid=draw.randbytes(16).hex(),
            call=Call(target, {}, {"n": 1}, {}),
            positional=(),
            name=draw.choice(LABELS),
            queue=draw.choice(QUEUES),
            priority=draw.randrange(3),
            not_before=0.0,
            submitted_at=100.0,
            retry_settings=RetrySettings(),
            timeout=None,
            owner=owner,
        )

    for number in range(6):
        target = draw.choice(TARGETS)
        group = NewGroup(draw.randbytes(16).hex(), f"g{number % 2}", Call(target, {}, {}, {}), 100.0)
        submissions.submit_group(database, group, [made(target) for _ in range(draw.randrange(1, 40))], surroundings)
        for _ in range(20):
            submissions.submit(database, made(draw.choice(TARGETS)), surroundings)
    with database.transaction() as connection:
        for job_id in range(1, connection.execute("SELECT max(id) FROM jobs").fetchone()[0] + 1):
            state = draw.choice(list(JobState))
            stored = ("queued", 150.0) if state == "retrying" else (state, None)
            connection.execute("UPDATE jobs SET state = ?, started_at = ? WHERE id = ?", (*stored, job_id))
    database.close()
    return place


def naive(every, limit, filters):
    """What the filters mean, job by job."""
    found = [job for job in every if all(job[column] == value for column, value in filters.items())]
    return [job["id"] for job in found[::-1]][:limit]


def test_any_combination_of_filters_finds_what_a_look_at_each_job_finds(crowd):
    columns = ("id", "state", "queue", "target", "name", "group")
    every = [
        dict(zip(columns, row, strict=True))
        for row in rows(crowd, f"SELECT id, {STATE}, queue, target, name, group_id FROM jobs")
    ]
    every.sort(key=lambda job: job["id"])
    choices = {
        "state": [None, "failed", "queued", "retrying"],
        "queue": [None, *QUEUES[1:], "nowhere"],
        "target": [None, TARGETS[0], "work.nothing"],
        "name": [None, *LABELS[2:]],
        "group": [None, 1, 4],
    }
    sizes = set()
    for values in itertools.product(*choices.values()):
        filters = {name: value for name, value in zip(choices, values, strict=True) if value is not None}
        for limit in (5, 1000):
            found = [job.id for job in bg.jobs(**filters, limit=limit)]
            assert found == naive(every, limit, filters), (filters, limit)
            sizes.add(len(found))
    assert {0, 1, 5, len(every)} <= sizes
    assert len(bg.jobs()) == 50


def test_a_limit_of_any_size_is_a_limit(crowd):
    total = rows(crowd, "SELECT count(*) FROM jobs")[0][0]
    for limit, expected in ((0, 0), (1, 1), (10**6, total), (10**30, total)):
        assert len(bg.jobs(limit=limit)) == expected
    for filters in ({"state": "failed", "queue": "gpu"}, {"state": "failed"}, {"target": TARGETS[0], "state": "running"}):
        assert bg.jobs(**filters, limit=0) == []
        assert bg.jobs(**filters, limit=10**30) == bg.jobs(**filters, limit=1000) != []


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"state": "done"}, ["done", "succeeded", "cancelled"]),
        ({"state": ""}, ["''", "queued"]),
        ({"limit": -1}, ["limit", "-1", "at least 0"]),
        ({"limit": 1.5}, ["limit", "1.5", "integer"]),
        ({"limit": True}, ["limit", "True"]),
        ({"limit": "ten"}, ["limit", "ten"]),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(place, filters, names):
    with pytest.raises(bg.InvalidParameters) as error:
        bg.jobs(**filters)
    said = one_sentence(error)
    assert [name for name in names if name not in said] == []


def test_a_filter_that_nothing_can_match_finds_nothing(place):
    bg.submit("work.echo", {"value": 1}, name="x").wait(60)
    for filters in ({"queue": "\ud800"}, {"name": "\ud800"}, {"target": "no\0thing"}, {"queue": "\ud800", "state": "failed"}):
        assert bg.jobs(**filters) == []


def test_filters_follow_a_real_job_through_its_states(sweep):
    group = bg.submit_many("sweep.nap", [{"seconds": 300.0}], name="follow")
    job = running(group.jobs[0])
    where = {"target": "sweep.nap", "queue": "default", "group": group}
    assert bg.jobs(state="running", **where) == [job]
    assert bg.jobs(state="queued", **where) == []
    group.cancel()
    assert bg.jobs(state="running", **where) == []
    assert bg.jobs(state="cancelled", **where) == [job]
    assert identity.host() in {row[0] for row in rows(sweep, "SELECT host FROM jobs")}


def test_a_list_that_its_limit_has_cut_says_how_many_more_there_are(crowd, capsys):
    total = len(bg.jobs(limit=10_000))
    assert total > 60
    text = display(bg.jobs())
    assert text[-1] == f"… and {total - 50:,} more: bg.jobs(limit={total}) returns all"
    assert f"… and {total - 50:,} more: bg.jobs(limit={total}) returns all" in bg.jobs()._repr_html_()
    some = bg.jobs(target="work.echo", queue="gpu", limit=3)
    every = bg.jobs(target="work.echo", queue="gpu", limit=10_000)
    assert display(some)[-1].startswith(f"… and {len(every) - 3} more: ")
    for whole in (every, bg.jobs(limit=total), every[:2], copy.copy(some), pickle.loads(pickle.dumps(some))):
        assert not display(whole)[-1].startswith("…")
    main(["list", "--limit", "4"])
    lines = capsys.readouterr().out.splitlines()
    entries = int(lines[-1].rpartition("--limit ")[2].split()[0])
    assert (len(lines), lines[-1]) == (5, f"… and {entries - 4:,} more; --limit {entries} shows all")
    main(["list", "--limit", str(entries)])
    assert len(capsys.readouterr().out.splitlines()) == entries
    main(["list", "--queue", "gpu", "--limit", "2"])
    beyond = len(bg.jobs(queue="gpu", limit=10_000)) - 2
    assert capsys.readouterr().out.splitlines()[-1] == f"… and {beyond:,} more; --limit {beyond + 2} shows all"
    assert f"more: %bgjobs list --limit {entries}" in overview.html(5)


def display(jobs):
    from IPython.lib.pretty import pretty

    return pretty(jobs).splitlines()
