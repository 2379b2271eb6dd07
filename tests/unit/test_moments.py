"""Times of the calendar: local, read without guessing, whatever the clocks do."""

import datetime as dt
import time

import pytest

from ipybgjobs.model import moments

#: 2026-11-24 12:00:00 UTC.
NOW = 1_795_521_600.0


@pytest.fixture
def zone(monkeypatch):
    def set_to(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_to
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-24 22:30", "2026-11-24 21:30:00"),
        ("2026-11-24T22:30:15", "2026-11-24 21:30:15"),
        ("2026-11-24 22:30+05:00", "2026-11-24 17:30:00"),
        ("2026-11-24 22:30Z", "2026-11-24 22:30:00"),
        ("2026-12-01", "2026-11-30 23:00:00"),
        ("22:30", "2026-11-24 21:30:00"),
        ("13:00:01", "2026-11-24 12:00:01"),
        ("13:00", "2026-11-25 12:00:00"),
        ("09:15", "2026-11-25 08:15:00"),
        ("2027-07-01 12:00", "2027-07-01 10:00:00"),
        (dt.datetime.fromisoformat("2026-11-24 22:30"), "2026-11-24 21:30:00"),
        (dt.datetime(2026, 11, 24, 22, 30, tzinfo=dt.UTC), "2026-11-24 22:30:00"),
    ],
)
def test_a_time_is_local_unless_it_has_an_offset(zone, text, utc):
    zone("Europe/Berlin")
    assert dt.datetime.fromtimestamp(moments.parse(text, NOW), dt.UTC).strftime("%Y-%m-%d %H:%M:%S") == utc


def test_of_two_times_of_the_same_name_the_first_is_meant_and_an_offset_says_the_other(zone):
    zone("Europe/Berlin")
    before = dt.datetime(2026, 10, 24, tzinfo=dt.UTC).timestamp()
    first = moments.parse("2026-10-25 02:30", before)
    assert moments.show(first) == "2026-10-25 02:30:00 CEST"
    second = moments.parse("2026-10-25 02:30+01:00", before)
    assert (second - first, moments.show(second)) == (3600, "2026-10-25 02:30:00 CET")


def test_a_time_that_daylight_saving_leaves_out_is_refused(zone):
    zone("Europe/Berlin")
    with pytest.raises(ValueError, match=r"at is '2027-03-28 02:30:00', which does not exist here.*another time, or an offset"):
        moments.parse("2027-03-28 02:30", NOW)
    assert moments.parse("2027-03-28 02:30+01:00", NOW) == moments.parse("2027-03-28 03:30", NOW)


@pytest.mark.parametrize("text", ["tomorrow", "", "25:00", "2026-13-01", "2026-11-24 22:60", 5, None, 1.5, b"22:30", "now", "\n"])
def test_what_is_no_time_is_refused_in_one_sentence(text):
    with pytest.raises(ValueError, match=r"at must be a time such as") as caught:
        moments.parse(text, NOW)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["2026-11-24 11:59Z", "1969-12-31", "2026-11-24 12:00:00+00:00"])
def test_a_time_that_is_past_is_refused(text):
    with pytest.raises(ValueError, match=r"must be a time in the future; got "):
        moments.parse(text, NOW)


@pytest.mark.parametrize("moment", ["0001-01-01", dt.datetime.min.replace(tzinfo=dt.UTC)])
def test_a_time_beyond_the_clocks_is_refused(zone, moment):
    zone("Asia/Tokyo")
    with pytest.raises(ValueError, match=r"at (is|must be a time in the future; got) '0001-01-01"):
        moments.parse(moment, NOW)


def test_a_moment_near_now_is_shown_as_people_say_it(zone):
    zone("Europe/Berlin")
    assert moments.show_near(NOW - 3600, NOW) == "12:00"
    assert moments.show_near(NOW - 86400, NOW) == "yesterday 13:00"
    assert moments.show_near(NOW - 13 * 3600 - 1, NOW) == "yesterday 23:59"
    assert moments.show_near(NOW - 5 * 86400, NOW) == "2026-11-19 13:00"
