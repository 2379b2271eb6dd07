"""What a job raises, is given and is called is shown without secrets, and can not pass for another line."""

import pytest

import ipybgjobs as bg

pytestmark = pytest.mark.shared_place


@pytest.mark.parametrize(
    "params",
    [
        {"password": "hunter22"},
        {"password": "hun'ter\\22"},
        {"config": {"db": {"password": "hunter22"}}},
        {"credentials": {"key": "hunter22"}},
        {"config": ({"password": "hunter22"},)},
    ],
    ids=["plain", "with quotes", "at depth", "inside of a secret", "in a tuple"],
)
def test_a_secret_that_a_job_raises_is_in_no_text_that_is_shown(place, params):
    place.module("vault")
    place.allow({"vault": ["unlock"]})
    job = bg.submit("vault.unlock", params).wait(60)
    assert job.error.startswith("KeyError")
    texts = [
        repr(job),
        job._repr_html_(),
        job.error,
        job.traceback,
        place.log(),
        place.log("background_jobs_errors.log"),
    ]
    assert not [text for text in texts if "hun" in text.replace("unlock", "")]
    assert "got it" in job.log()


@pytest.mark.parametrize("value", [({"password": "hunter22"},), {1: {"password": "hunter22"}}], ids=["tuple", "numbered"])
def test_a_secret_inside_of_a_value_that_is_pickled_is_not_shown(place, value):
    job = bg.submit("work.echo", {"value": value}).wait(60)
    assert "hunter22" not in repr(job)
    assert "hunter22" not in place.log()


def test_a_job_s_name_can_not_forge_a_line(place):
    name = "nightly\nERROR forged"
    try:
        job = bg.submit("work.echo", {"value": 1}, name=name).wait(60)
    except bg.InvalidParameters:
        return
    assert repr(job).isprintable()
    assert "\nERROR forged" not in place.log()


def test_an_error_that_is_no_unicode_is_kept_and_ends_the_job(place):
    place.module("files", "def find(): raise FileNotFoundError('no ' + b'caf\\xe9'.decode('utf-8', 'surrogateescape'))")
    place.allow({"files": ["find"]})
    job = bg.submit("files.find").wait(30)
    assert job.state == "failed"
    assert "caf\\udce9" in job.error
    assert "FileNotFoundError" in job.traceback
    with pytest.raises(FileNotFoundError):
        job.result()
