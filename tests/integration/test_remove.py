"""Jobs are removed with all that is theirs."""

import pandas as pd
import pytest

import ipybgjobs as bg
from support.cleanup import everything, folders, one_sentence, store
from support.place import running


def test_a_removed_job_leaves_no_row_no_attempt_and_no_folder(calc):
    job = bg.submit("calc.Model.fit", {"data": pd.DataFrame({"x": [1]})}).wait(60)
    other = bg.submit("calc.writes", {"size": 10_000}).wait(60)
    assert len(folders(calc)) == 2
    assert job.remove() is None
    assert [store(calc, f"SELECT count(*) FROM {table}") for table in ("jobs", "attempts")] == [[(1,)], [(1,)]]
    assert folders(calc) == [other.uid]
    assert other.result() == 10_000
    for look in (lambda: bg.job(job.id), lambda: bg.job(job.uid), job.remove, job.retry, job.result, job.cancel):
        with pytest.raises(bg.UnknownJob) as error:
            look()
        assert str(job.id) in str(error.value) or job.uid in str(error.value)
    assert bg.submit("calc.add", {"a": 1}).wait(60).id == 3


def test_a_removed_job_can_still_be_looked_at_in_a_notebook(calc):
    job = bg.submit("calc.add", {"a": 1}).wait(60)
    group = bg.submit_many("calc.add", bg.grid(a=[1])).wait(60)
    job.remove()
    group.remove()
    for each in (job, group):
        assert "removed" in repr(each)
        assert "removed" in each._repr_html_()


def test_a_live_job_is_not_removed(calc):
    jobs = [running(bg.submit("calc.nap")), bg.submit("calc.add", {"a": 1}, delay="1h")]
    before = everything(calc)
    for job in jobs:
        with pytest.raises(bg.InvalidRequest) as error:
            job.remove()
        assert f"job {job.id} is {job.state}" in one_sentence(str(error.value))
        assert "cancel it" in str(error.value)
    assert everything(calc) == before
    for job in jobs:
        job.cancel().remove()
    assert (bg.jobs(), folders(calc)) == ([], [])


def test_a_group_goes_with_its_last_job_and_so_does_what_they_shared(calc):
    data = pd.DataFrame({"x": [1]})
    group = bg.submit_many("calc.needs", bg.grid(lr=[0.1, 1, 2]), common={"data": data}, name="shared").wait(60)
    jobs = list(group)
    jobs[0].remove()
    assert group.counts == {"succeeded": 2}
    assert [result[1] for result in group.results(60)] == [1, 1]
    assert group.uid in folders(calc)
    assert group.remove() == 2
    assert folders(calc) == []
    assert store(calc, "SELECT count(*) FROM groups") == [(0,)]
    for look in (lambda: bg.group("shared"), lambda: group.counts, lambda: group.uid):
        with pytest.raises(bg.UnknownJob):
            look()


def test_removing_a_group_leaves_its_live_jobs(calc):
    group = bg.submit_many("calc.nap", [{"seconds": 0.0}, {"seconds": 300.0}])
    group.jobs[0].wait(60)
    live = running(group.jobs[1])
    assert group.remove() == 1
    assert (group.counts, len(group)) == ({"running": 1}, 1)
    live.cancel()
    assert group.remove() == 1


def test_what_came_after_a_removed_job_goes_on(calc):
    first = bg.submit("calc.add", {"a": 1}).wait(60)
    other = bg.submit("calc.add", {"a": 1}, delay="1h")
    second = bg.submit("calc.add", {"a": 2}, after=first, after_any=other)
    first.remove()
    other.cancel()
    assert second.result(60) == 2
    with pytest.raises(bg.UnknownJob):
        bg.submit("calc.add", {"a": 3}, after=first)
