"""Options and verbs that do not fit are refused in one sentence, and nothing is there."""

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from support.attempts import outcomes
from support.control import one_sentence

pytestmark = pytest.mark.shared_place

_PAST = "2020-01-01 10:00"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"queue": "gpu"}, r"There is no queue 'gpu'; the configured queues are default, one, probe \(BackgroundJobs\.queues\)"),
        ({"priority": "high"}, "priority must be an integer .*; got 'high'"),
        ({"priority": 1.0}, r"priority must be an integer .*; got 1\.0"),
        ({"delay": -1}, "delay must be finite and not negative; got -1"),
        ({"delay": "-5m"}, "delay must be seconds or text such as .*; got '-5m'"),
        ({"delay": "soon"}, "delay must be .*; got 'soon'"),
        ({"delay": float("inf")}, "delay must be .*; got inf"),
        ({"delay": True}, "delay must be .*; got True"),
        ({"delay": 1, "at": "22:30"}, "delay and at both set the start time: pass only one of them"),
        ({"at": "tomorrow"}, "at must be a time such as .*; got 'tomorrow'"),
        ({"at": "2026-13-01 10:00"}, "at must be a time such as .*; got '2026-13-01 10:00'"),
        ({"at": "25:00"}, "at must be a time such as .*; got '25:00'"),
        ({"at": 5}, "at must be a time such as .*; got '?5'?"),
        ({"at": _PAST}, f"at must be a time in the future; got '{_PAST}' "),
        ({"timeout": -1}, "timeout must be finite and not negative; got -1"),
        ({"timeout": "long"}, "timeout must be .*; got 'long'"),
        ({"retry": -1}, "max_attempts.*-1"),
        ({"retry": 0}, "max_attempts.*0"),
        ({"retry": True}, "retry must be .*; got True"),
        ({"retry": {"attempts": 3}}, "retry has no setting 'attempts'"),
        ({"retry": {"delay_seconds": -3}}, "delay_seconds"),
        ({"retry_until": -1}, "retry_until must be finite and not negative; got -1"),
        ({"retry_until": "soon"}, "retry_until must be a duration such as \"2h\", or a time such as .*; got 'soon'"),
        ({"retry_until": _PAST}, f"retry_until must be a duration such as \"2h\", or a time in the future; got '{_PAST}'"),
        ({"retry_until": True}, "retry_until must be .*; got True"),
        ({"retry_until": "10m", "delay": "1h"}, "retry_until is .*, which is before the start at "),
        ({"after": 99}, "no job .*99"),
        ({"after": -1}, "no job .*-1"),
        ({"after": 1 << 70}, "no job"),
        ({"after": "nobody"}, "nobody"),
        ({"after_any": [99]}, "no job .*99"),
        ({"after": 1.5}, r"after takes a job, its id, its name, or a group; got 1\.5"),
        ({"after": [None]}, "after takes .*; got None"),
        ({"after": [True]}, "after takes .*; got True"),
        ({"after_any": [{1: 2}]}, r"after takes .*; got \{1: 2\}"),
        ({"unique": ""}, r"unique must be a key \(text\), or True for target and parameters; got ''"),
        ({"unique": 5}, "unique must be .*; got 5"),
        ({"unique": "key", "on_duplicate": "ignore"}, "on_duplicate must be one of reject, existing, replace; got 'ignore'"),
        ({"on_duplicate": "replace"}, "add unique"),
        ({"reuse": -1}, "reuse must be .*; got -1"),
        ({"reuse": "old"}, "reuse must be .*; got 'old'"),
        ({"name": "12"}, r"name must be text that is not a number \(numbers are job ids\); got '12'"),
        ({"name": ""}, "name must be .*; got ''"),
        ({"name": 7}, "name must be .*; got 7"),
    ],
    ids=str,
)
def test_an_option_that_does_not_fit_is_refused_in_one_sentence_and_nothing_is_there(control, options, said):
    with pytest.raises(bg.BackgroundJobError, match=said) as refused:
        bg.submit("control.note", **options)
    assert one_sentence(refused.value), refused.value
    assert bg.jobs() == []
    many = {key: value for key, value in options.items() if key not in ("unique", "on_duplicate", "reuse")}
    if many:
        with pytest.raises(bg.BackgroundJobError, match=said):
            bg.submit_many("control.note", [{}, {}], **many)
    assert bg.jobs() == []
    assert not control.place.processes()


def test_an_option_that_does_not_exist_is_refused_with_the_one_that_was_meant(control):
    with pytest.raises(bg.InvalidParameters, match=r"time_out is not an option of submit_many\. Did you mean timeout\?"):
        bg.submit_many("control.note", [{}], time_out=3)
    assert bg.jobs() == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("submit control.note --queue gpu", 1, "There is no queue 'gpu'"),
        ("submit control.note --delay -5m", 2, "--delay"),
        ("submit control.note --delay=-5m", 1, "delay must be seconds or text such as"),
        ("submit control.note --at later", 1, "at must be a time such as"),
        ("submit control.note --timeout=-1", 1, "timeout must be seconds or text such as"),
        ("submit control.note --retry=-1", 1, "max_attempts"),
        ("submit control.note --retry-until never", 1, "retry_until must be a duration such as"),
        ("submit control.note --after 99", 1, "no job with id 99"),
        ("submit control.note --after-any 99", 1, "no job with id 99"),
        ("submit control.note --unique=key --on-duplicate ignore", 2, "ignore"),
        ("submit control.note --on-duplicate replace", 1, "add --unique"),
        ("submit control.note --priority high", 2, "'high' is not a whole number"),
        ("cancel 99", 1, "no job with id 99"),
        ("cancel", 2, "name the jobs by id, name or uid"),
        ("cancel --group 5", 1, "no group '5'"),
        ("retry 99", 1, "no job with id 99"),
        ("priority 99 --to 3", 1, "no job with id 99"),
        ("pause gpu", 1, "There is no queue 'gpu'"),
        ("resume gpu", 1, "There is no queue 'gpu'"),
        ("resume one", 1, "The queue one is not paused"),
        ("clean --older-than soon", 1, "'soon'"),
        ("clean --keep-jobs=-1", 1, "-1"),
    ],
)
def test_what_a_terminal_is_refused_is_one_sentence_with_its_status_and_nothing_is_there(control, capsys, words, status, said):
    assert main(words.split()) == status
    printed = capsys.readouterr()
    assert said in printed.err
    assert one_sentence(printed.err), printed.err
    assert (printed.out, bg.jobs(), control.place.processes()) == ("", [], {})


_REFUSED = [
    (
        "submit control.note --after {cancelled}",
        1,
        "job {cancelled} was cancelled, so a job that depends on its success can't run",
    ),
    ("submit control.note --after {done},{cancelled}", 1, "job {cancelled} was cancelled"),
    ("submit control.note --unique=key", 1, "job {live} (control.note) is queued and holds this unique key"),
    ("cancel {done}", 1, "job {done} has already succeeded; only"),
    ("cancel {cancelled}", 1, "job {cancelled} "),
    ("cancel {live} --grace=-1", 1, "grace must be seconds or text such as"),
    ("cancel {live} 99", 1, "no job with id 99"),
    ("cancel {live} --group 1", 2, "name jobs or use --group, not both"),
    ("cancel {live} {done}", 1, "job {done} has already succeeded"),
    ("retry {live}", 1, "job {live} can't be retried (queued); only a failed, cancelled or retrying job can"),
    ("retry {running}", 1, "job {running} can't be retried (running); only a failed, cancelled or retrying job can"),
    ("retry {done}", 1, "job {done} can't be retried (succeeded); only"),
    ("retry {running} name=other", 1, "job {running} can't be retried (running): wait for it to finish"),
    ("retry {cancelled} {done}", 1, "job {done} can't be retried (succeeded); only"),
    ("priority {done} --to 3", 1, "job {done} is not queued (succeeded); only the priority"),
    ("priority {running} --to 3", 1, "job {running} is not queued (running); only the priority"),
    ("priority {live} --to high", 2, "'high' is not a whole number"),
    ("priority {live}", 2, "--to"),
    ("priority {live} {done} --to 3", 1, "job {done} is not queued (succeeded); only the priority"),
    ("remove {running}", 1, "job {running} is running; only"),
    ("remove {cancelled} {live}", 1, "job {live} is queued; only"),
]


def test_a_verb_that_does_not_fit_a_job_s_state_is_refused_in_one_sentence_and_changes_nothing(control, capsys):
    jobs = {
        "done": bg.submit("control.note").wait(60),
        "cancelled": bg.submit("control.note", delay="1h").cancel(),
        "live": bg.submit("control.note", delay="1h", unique="key"),
        "running": control.held(),
    }
    ids = {name: job.id for name, job in jobs.items()}
    wrong = []
    now = [(job.state, job.priority, outcomes(job)) for job in jobs.values()]
    capsys.readouterr()
    for words, status, said in _REFUSED:
        found = main(words.format(**ids).split())
        printed = capsys.readouterr()
        before, now = now, [(job.state, job.priority, outcomes(job)) for job in jobs.values()]
        fits = said.format(**ids) in printed.err and one_sentence(printed.err) and not printed.out
        if not fits or found != status or now != before or len(bg.jobs()) != len(jobs):
            wrong.append((words, found, printed, now))
    control.go("hold")
    bg.jobs().cancel()
    assert not wrong
