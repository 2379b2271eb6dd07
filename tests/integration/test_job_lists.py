"""Lists of jobs: how they look, and as a data frame."""

import re
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import ipybgjobs as bg
from ipybgjobs.client.jobs import attempt_folders
from ipybgjobs.client.jobs.job_list import JobList
from ipybgjobs.panel import overview
from support.sweep import pretty

# -- how they look ------------------------------------------------------------------------------------------------------


def test_a_group_is_one_line_that_opens(sweep):
    group = bg.submit_many("sweep.train", bg.grid(lr=[1], seed=[1, 13]), name="<b>bold</b>").wait(60)
    assert repr(group) == "<group 1 · <b>bold</b> · sweep.train · 2 jobs: 1 succeeded, 1 failed>"
    html = group._repr_html_()
    assert html.count("<details>") == html.count("</details>") == 1
    summary = html.partition("<summary>")[2].partition("</summary>")[0]
    assert summary == "group 1 · &lt;b&gt;bold&lt;/b&gt; · sweep.train · 2 jobs: 1 succeeded, 1 failed"
    opened = html.partition("</summary>")[2]
    assert "sweep.train(<wbr>lr=1.0, seed=13)" in opened
    assert "ValueError: seed 13 with 1.0" in opened
    assert "<b>bold" not in html


def test_the_table_of_a_notebook_is_small_however_many_jobs_and_groups_there_are(sweep):
    for _ in range(12):
        bg.submit_many("sweep.number", [{"n": n} for n in range(8)], delay="1h")
    for n in range(60):
        bg.submit("sweep.number", {"n": n}, delay="1h")
    bg.submit_many("sweep.number", [{"n": n} for n in range(8)], name="newest", delay="1h")
    html = overview.html(50)
    assert len(html) < 60_000
    assert html.count("bg.group(") == 2, "the newest group says when it was read, and how its other jobs are found"
    rows = html.count("<tr>") - 2  # the heads
    assert rows == 50
    assert "and 3 more: <code>" in html
    assert "… and 28 more: %bgjobs list --limit 73" in html
    bg.jobs(limit=1000).cancel()
    groups = overview.html(12)
    assert groups.count("<tr>") <= 12 + 2


def test_a_column_that_is_empty_in_all_rows_is_left_out(sweep):
    jobs = JobList([bg.submit("sweep.number", {"n": 1}, delay="1h")])
    heads = re.findall(r">([a-z]+)</th>", jobs._repr_html_())
    assert heads == ["id", "job", "state", "submitted"]
    assert '<code style="padding:0">' in jobs._repr_html_()
    jobs.cancel()


def test_a_name_with_line_breaks_stays_on_its_line(sweep):
    group = bg.submit_many("sweep.number", [{"n": 1}], name="two\nlines\x1b[31m").wait(60)
    assert "\n" not in repr(group)
    assert "\x1b" not in repr(group) + group._repr_html_()


def test_a_list_of_jobs_shows_itself_as_a_table_in_html_and_in_text(sweep):
    bg.submit("work.Trainer.fail", {"message": "<script>alert(1)</script>"}, name="<i>x</i>").wait(60)
    bg.submit("work.echo", {"value": "line\nbreak"}).wait(60)
    jobs = bg.jobs()
    assert isinstance(jobs, JobList)
    html = jobs._repr_html_()
    assert html.count("<tr>") == 3
    assert [f">{title}</th>" in html for title in ("id", "job", "state", "submitted", "elapsed", "error")] == [True] * 6
    assert re.search(r">2</td>.*work\.echo.*succeeded.*>1</td>.*fail.*failed", html, re.DOTALL)
    assert "<script>" not in html
    assert "<i>" not in html
    lines = pretty(jobs).splitlines()
    assert [line.split(" · ")[0] for line in lines] == ["job 2", "job 1"]
    assert pretty(bg.jobs(state="queued")) == "no jobs"
    assert ">no jobs<" in bg.jobs(state="queued")._repr_html_()


def test_slices_of_a_list_of_jobs_are_lists_of_jobs(sweep):
    group = bg.submit_many("sweep.number", bg.grid(n=range(5))).wait(60)
    jobs = group.jobs
    assert [type(part) for part in (jobs[1:3], jobs[::-1], jobs[:0])] == [JobList] * 3
    assert [job.params["n"] for job in jobs[1:3]] == [1, 2]
    assert [job.params["n"] for job in jobs[::-1]] == [4, 3, 2, 1, 0]
    assert isinstance(jobs[0], bg.Job)
    assert isinstance(jobs[-1], bg.Job)
    assert jobs[1:3].wait(60) == jobs[1:3]
    assert jobs[1:3].to_frame()["n"].tolist() == [1, 2]


def test_a_list_of_jobs_takes_the_verbs_of_a_job(sweep):
    marks = sweep.root / "marks"
    marks.mkdir()
    bg.submit_many("sweep.fails_at_first", bg.grid(n=[1, 3]), common={"folder": str(marks)}).wait(60)
    waiting = bg.submit("work.echo", {"value": 1}, delay="1h")
    assert [job.id for job in bg.jobs().cancel()] == [waiting.id]
    assert bg.jobs().cancel() == []
    retried = bg.jobs(state="failed").retry()
    assert {job.id for job in retried} == {1, 2}
    assert retried.wait(60)
    assert {str(job.state) for job in retried} == {"succeeded"}


def test_trying_all_failed_ones_again_takes_a_chain_in_its_order(sweep):
    marker = sweep.root / "marker"
    bg.pause()
    first = bg.submit("work.once_failing", {"marker": str(marker)})
    second = bg.submit("work.echo", {"value": 2}, after=first)
    bg.resume()
    assert second.wait(60).state == "failed"
    bg.jobs(state="failed").retry().wait(60)
    assert (first.result(60), second.result(60)) == ("second run", 2)


# -- as a data frame ----------------------------------------------------------------------------------------------------


def test_a_group_as_a_data_frame_has_parameters_state_duration_and_result(sweep):
    group = bg.submit_many(
        "sweep.train", bg.grid(lr=[0.5], seed=[2, 13], state=["mine"]), common={"label": "c"}, queue="one"
    ).wait(60)
    frame = group.to_frame()
    assert list(frame.columns) == [
        "job",
        "lr",
        "seed",
        "params.state",
        "label",
        "name",
        "target",
        "queue",
        "state",
        "attempts",
        "submitted",
        "seconds",
        "result.score",
        "result.rows",
        "error",
    ]
    first, second = frame.to_dict("records")
    assert (first["job"], first["lr"], first["seed"], first["params.state"]) == (1, 0.5, 2, "mine")
    assert (first["state"], first["result.score"]) == ("succeeded", 1.0)
    assert pd.isna(first["result.rows"])
    assert pd.isna(first["error"])
    assert second["state"] == "failed"
    assert pd.isna(second["result.score"])
    assert second["error"] == "ValueError: seed 13 with 0.5"
    assert (frame["queue"].tolist(), frame["attempts"].tolist(), frame["label"].tolist()) == (["one"] * 2, [1] * 2, ["c"] * 2)
    assert (frame["seconds"] >= 0).all()
    assert str(frame["submitted"].dtype).endswith("UTC]")
    assert abs(frame["submitted"].iloc[0].timestamp() - time.time()) < 600


def test_a_data_frame_holds_results_of_any_type_and_jobs_without_one(sweep):
    frames = [pd.DataFrame({"x": [1]}), [1, 2], {"a": 1}, {3}, None]
    group = bg.submit_many("work.echo", [{"value": value} for value in frames]).wait(60)
    frame = group.to_frame(results="load")
    pd.testing.assert_frame_equal(frame["result"].iloc[0], frames[0])
    assert frame["result"].tolist()[1:] == [[1, 2], None, {3}, None]
    assert frame["result.a"].iloc[2] == 1
    waiting = bg.submit_many("sweep.number", [{"n": 1}], delay="1h")
    row = waiting.to_frame().iloc[0]
    assert (row["state"], row["result"]) == ("queued", None)
    assert pd.isna(row["seconds"])
    waiting.cancel()


def test_any_jobs_as_a_data_frame_with_results_unless_they_are_not_wanted(sweep):
    bg.submit("sweep.number", {"n": 4}).wait(60)
    bg.submit("work.echo", {"value": pd.DataFrame({"x": [1]})}, name="pickled").wait(60)
    frame = bg.jobs().to_frame()
    assert frame["job"].tolist() == [2, 1]
    assert frame["result"].tolist() == ["<DataFrame 1×1>", 4]
    assert "result" not in bg.jobs().to_frame(results=False)
    assert frame["value"].iloc[0] == "<DataFrame 1×1>"
    assert pd.isna(frame["value"].iloc[1])
    assert frame["name"].tolist()[0] == "pickled"
    empty = bg.jobs(state="queued").to_frame()
    assert (len(empty), "state" in empty) == (0, True)


def test_the_keys_of_results_are_columns_to_sort_by_also_for_numbers_of_numpy(place):
    place.module("grids")
    place.allow({"grids.Trial": ["score"]}, BackgroundJobs__idle_seconds=0.1)
    bg.submit_many("grids.Trial.score", [*bg.grid(lr=[0.25, 0.75, 0.5], epochs=[1]), {"epochs": -1}]).wait(60)
    frame = bg.jobs().to_frame().sort_values("result.auc")
    assert frame["result.auc"].tolist()[:3] == [0.25, 0.5, 0.75]
    assert frame["lr"].tolist()[:3] == [0.25, 0.5, 0.75]
    assert pd.isna(frame["result.auc"].iloc[3])
    assert frame["result.rows"].tolist()[:3] == [1, 1, 1]
    assert "result.model" not in frame
    assert "result" not in frame
    assert bg.jobs().to_frame(results="load")["result.model"].iloc[1] is object


def test_whole_numbers_stay_whole_where_another_job_has_no_such_parameter(sweep):
    bg.submit_many("sweep.number", [{"n": 1 << 40}]).wait(60)
    bg.submit("work.echo", {"value": 2.5}).wait(60)
    frame = bg.jobs().to_frame().sort_values("job")
    assert frame["n"].tolist() == [1 << 40, pd.NA]
    assert frame["value"].dtype == float


def test_a_data_frame_of_a_list_that_its_limit_cut_says_so(sweep):
    bg.submit_many("sweep.number", [{"n": n} for n in range(3)]).wait(60)
    with pytest.warns(UserWarning, match=r"^to_frame\(\) has 2 of 3 jobs: bg.jobs\(limit=3\).to_frame\(\) has all$"):
        assert len(bg.jobs(limit=2).to_frame()) == 2


def test_a_data_frame_unpickles_no_result(place):
    place.module("grids")
    place.allow({"grids.Trial": ["score"]}, BackgroundJobs__idle_seconds=0.1)
    job = bg.submit("grids.Trial.score", {"epochs": 2}).wait(60)
    (Path(attempt_folders.newest(job.state_folder, job.attempts)) / "result.pkl").write_bytes(b"not a pickle")
    assert bg.jobs().to_frame()["result.rows"].tolist() == [2]
    assert bg.jobs().to_frame(results="load")["result"].tolist() == [None]


def test_a_constructor_parameter_that_the_method_has_too_has_a_column_of_its_own(place):
    place.module("grids")
    place.allow({"grids.Trial": ["fit"]}, BackgroundJobs__idle_seconds=0.1)
    bg.submit("grids.Trial.fit", {"lr": 0.5, "seed": 1}, init={"seed": 2}).wait(60)
    frame = bg.jobs().to_frame()
    assert frame[["lr", "seed", "init.seed", "result"]].to_numpy().tolist() == [[0.5, 1, 2, [0.5, 2, 1, 1]]]


def test_without_pandas_a_data_frame_is_refused_and_all_else_works(sweep, monkeypatch):
    group = bg.submit_many("sweep.number", [{"n": 1}]).wait(60)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(bg.InvalidRequest, match="pip install pandas"):
        group.to_frame()
    assert group.results() == [1]
