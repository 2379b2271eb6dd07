"""Options and verbs that do not fit are refused in one sentence, and nothing is there."""

import pytest

import ipybgjobs as bg
from ipybgjobs.cli import main
from support.attempts import outcomes
from support.control import one_sentence

_PAST = "2020-01-01 10:00"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"queue": "gpu"}, r"There is no queue 'gpu'; the configuration has default, one, probe \(BackgroundJobs\.queues\)\."),
        ({"priority": "high"}, "priority is 'high'; it is a whole number"),
        ({"priority": 1.0}, r"priority is 1\.0; it is a whole number"),
        ({"delay": -1}, "delay is -1; a duration is finite and not negative"),
        ({"delay": "-5m"}, "delay is '-5m'; give seconds or text such as"),
        ({"delay": "soon"}, "delay is 'soon'"),
        ({"delay": float("inf")}, "delay is inf"),
        ({"delay": True}, "delay is True"),
        ({"delay": 1, "at": "22:30"}, "delay and at both say when the job starts; give one of them"),
        ({"at": "tomorrow"}, "at is 'tomorrow'; give a time such as"),
        ({"at": "2026-13-01 10:00"}, "at is '2026-13-01 10:00'; give a time"),
        ({"at": "25:00"}, "at is '25:00'; give a time"),
        ({"at": 5}, "at is '?5'?; give a time"),
        ({"at": _PAST}, f"at is '{_PAST}', which is past .* give a time that is still to come"),
        ({"timeout": -1}, "timeout is -1; a duration is finite and not negative"),
        ({"timeout": "long"}, "timeout is 'long'"),
        ({"retry": -1}, "max_attempts.*-1"),
        ({"retry": 0}, "max_attempts.*0"),
        ({"retry": True}, "retry is True"),
        ({"retry": {"attempts": 3}}, "retry has no setting 'attempts'"),
        ({"retry": {"delay_seconds": -3}}, "delay_seconds"),
        ({"retry_until": -1}, "retry_until is -1; a duration is finite and not negative"),
        ({"retry_until": "soon"}, "retry_until is 'soon'; give a duration such as \"2h\", or a time"),
        ({"retry_until": _PAST}, f"retry_until is '{_PAST}', which is past"),
        ({"retry_until": True}, "retry_until is True"),
        ({"retry_until": "10m", "delay": "1h"}, "retry_until is .*, before the start at "),
        ({"after": 99}, "no job .*99"),
        ({"after": -1}, "no job .*-1"),
        ({"after": 1 << 70}, "no job"),
        ({"after": "nobody"}, "nobody"),
        ({"after_any": [99]}, "no job .*99"),
        ({"after": 1.5}, r"after names 1\.5; give a job, its id, its name, or a group"),
        ({"after": [None]}, "after names None"),
        ({"after": [True]}, "after names True"),
        ({"after_any": [{1: 2}]}, r"after(_any)? names \{1: 2\}"),
        ({"unique": ""}, "unique is ''; it is a key, as text, or True"),
        ({"unique": 5}, "unique is 5"),
        ({"unique": "key", "on_duplicate": "ignore"}, "on_duplicate is 'ignore'; it is one of reject, existing, replace"),
        ({"on_duplicate": "replace"}, "give unique=True or a key too"),
        ({"reuse": -1}, "reuse is -1"),
        ({"reuse": "old"}, "reuse is 'old'"),
        ({"name": "12"}, "name is '12'; a name is text, and not a number"),
        ({"name": ""}, "name is ''"),
        ({"name": 7}, "name is 7"),
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
    with pytest.raises(bg.InvalidParameters, match=r"There is no option time_out; .* Did you mean timeout\?"):
        bg.submit_many("control.note", [{}], time_out=3)
    assert bg.jobs() == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("submit control.note --queue gpu", 1, "There is no queue 'gpu'"),
        ("submit control.note --delay -5m", 2, "--delay"),
        ("submit control.note --delay=-5m", 1, "delay is '-5m'"),
        ("submit control.note --at later", 1, "at is 'later'"),
        ("submit control.note --timeout=-1", 1, "timeout is '-1'"),
        ("submit control.note --retry=-1", 1, "max_attempts"),
        ("submit control.note --retry-until never", 1, "retry_until is 'never'"),
        ("submit control.note --after 99", 1, "no job with id 99"),
        ("submit control.note --after-any 99", 1, "no job with id 99"),
        ("submit control.note --unique=key --on-duplicate ignore", 2, "ignore"),
        ("submit control.note --on-duplicate replace", 1, "give unique=True or a key too"),
        ("submit control.note --priority high", 2, "invalid int value: 'high'"),
        ("cancel 99", 1, "no job with id 99"),
        ("cancel", 2, "say which"),
        ("cancel --group 5", 1, "no group 5"),
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
    ("submit control.note --after {cancelled}", 1, "job {cancelled} was cancelled, so nothing can come after its success"),
    ("submit control.note --after {done},{cancelled}", 1, "job {cancelled} was cancelled"),
    ("submit control.note --unique=key", 1, "job {live} (control.note) is queued and holds this unique key"),
    ("cancel {done}", 1, "job {done} has succeeded already; only"),
    ("cancel {cancelled}", 1, "job {cancelled} "),
    ("cancel {live} --grace=-1", 1, "grace is '-1'"),
    ("cancel {live} 99", 1, "no job with id 99"),
    ("cancel {live} --group 1", 2, "give jobs or --group, not both"),
    ("cancel {live} {done}", 1, "job {done} has succeeded already"),
    ("retry {live}", 1, "job {live} is queued; only one that failed or was cancelled can be retried"),
    ("retry {running}", 1, "job {running} is running; only one that failed or was cancelled can be retried"),
    ("retry {done}", 1, "job {done} is succeeded"),
    ("retry {running} name=other", 1, "job {running} is running; wait for its end or cancel it"),
    ("retry {cancelled} {done}", 1, "job {done} is succeeded"),
    ("priority {done} --to 3", 1, "job {done} is succeeded; only a queued job"),
    ("priority {running} --to 3", 1, "job {running} is running; only a queued job"),
    ("priority {live} --to high", 2, "invalid int value: 'high'"),
    ("priority {live}", 2, "--to"),
    ("priority {live} {done} --to 3", 1, "job {done} is succeeded; only a queued job"),
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
