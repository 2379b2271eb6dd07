"""Values that a job records, so that jobs can be compared: `bg.record`, `job.values`, their columns, and their limits."""

import json
import math
import threading

import numpy as np
import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from ipybgjobs.model import scalars
from ipybgjobs.panel import recorded
from ipybgjobs.state import recorded_values, recording
from ipybgjobs.system import private_file
from support.place import DEADLINE, until

pytestmark = pytest.mark.shared_place


@pytest.fixture
def trials(place):
    place.module("grids")
    place.module(
        "records",
        """
        import math, os, pathlib, time
        import ipybgjobs as bg

        def holds(path: str):
            bg.record(auc=0.25, phase="first")
            while not os.path.exists(path):
                time.sleep(0.02)
            bg.record(auc=0.75)

        def fails_at_first(marker: str):
            bg.record(auc=0.1, only_first=True)
            if not os.path.exists(marker):
                pathlib.Path(marker).touch()
                raise bg.Retry(after=0)
            bg.record(auc=0.9)

        def forks():
            bg.record(auc=1)
            if not (pid := os.fork()):
                bg.record(auc=2)
                os._exit(0)
            os.waitpid(pid, 0)

        def forks_first():
            if not (pid := os.fork()):
                bg.record(auc=2)
                os._exit(0)
            os.waitpid(pid, 0)

        def odd():
            bg.record(loss=math.nan, most=math.inf, large=10**400, long="x" * 5000, word="s3cret-word", api_token="abc", tokens=5)

        def wrong():
            bg.record(model=object())

        def killed():
            bg.record(auc=0.5)
            time.sleep(0.5)
            os.kill(os.getpid(), 9)
        """,
    )
    functions = ["holds", "fails_at_first", "forks", "forks_first", "odd", "wrong", "killed"]
    place.allow({"grids.Trial": ["measure"], "records": functions}, BackgroundJobs__idle_seconds=0.1)
    return place


def test_the_latest_value_of_each_name_counts_and_numbers_of_numpy_are_numbers(trials):
    job = bg.submit("grids.Trial.measure", {"lr": 0.5, "epochs": 3})
    assert job.result(DEADLINE) == "done"
    assert job.values == {"auc": 1.0, "epoch": 2, "phase": "training", "best": True}
    assert {name: type(value) for name, value in job.values.items()} == {"auc": float, "epoch": int, "phase": str, "best": bool}


def test_values_are_there_while_the_job_runs(trials, tmp_path):
    job = bg.submit("records.holds", {"path": str(tmp_path / "go")})
    until(lambda: job.values == {"auc": 0.25, "phase": "first"}, "the first values")
    assert job.state == "running"
    (tmp_path / "go").touch()
    job.wait(DEADLINE)
    assert job.values == {"auc": 0.75, "phase": "first"}


def test_the_values_of_the_last_attempt_count(trials, tmp_path):
    job = bg.submit("records.fails_at_first", {"marker": str(tmp_path / "marker")}, retry=2).wait(DEADLINE)
    assert len(job.attempts) == 2
    assert job.values == {"auc": 0.9, "only_first": True}
    assert bg.submit("records.killed").wait(DEADLINE).values == {"auc": 0.5}


@pytest.mark.own_place
def test_runs_are_compared_by_their_values(trials):
    group = bg.submit_many("grids.Trial.measure", [*bg.grid(lr=[0.5, 0.25], epochs=[3]), {"epochs": 2, "fails": True}]).wait(
        DEADLINE
    )
    frame = group.to_frame()
    assert frame["values.auc"].tolist() == pytest.approx([1.0, 0.5, 0.1])
    assert frame.sort_values("values.auc")["job"].tolist() == [3, 2, 1]
    assert list(frame.columns)[-7:] == ["seconds", "values.auc", "values.epoch", "values.phase", "values.best", "result", "error"]


def test_the_command_line_has_the_values(trials, capsys):
    job = bg.submit("records.odd").wait(DEADLINE)
    capsys.readouterr()
    main(["show", str(job.id), "--json"])
    assert json.loads(capsys.readouterr().out)["values"]["loss"] == "nan"
    main(["show", str(job.id)])
    assert "  values     loss=nan, most=inf, large=inf" in capsys.readouterr().out


def test_odd_values_are_kept_within_limits_and_without_secrets(trials):
    trials.allow({"records": ["odd"]}, BackgroundJobs__idle_seconds=0.1, BackgroundJobs__secret_names=["word"])
    values = bg.submit("records.odd").wait(DEADLINE).values
    assert math.isnan(values["loss"])
    assert (values["most"], values["large"]) == (math.inf, math.inf)
    assert len(values["long"]) == 1000
    assert (values["word"], values["api_token"], values["tokens"]) == ("•••", "•••", 5)


def test_a_value_of_another_type_is_refused_in_one_sentence(trials):
    job = bg.submit("records.wrong").wait(DEADLINE)
    assert job.error == "TypeError: record takes numbers, texts and booleans; model is of type object."
    with pytest.raises(TypeError, match="record takes numbers, texts and booleans; many is of type ndarray"):
        bg.record(many=np.zeros(3))


def test_outside_of_a_job_nothing_is_recorded():
    assert bg.record(auc=np.float32(1), done=np.True_, text=np.str_("x"), one=np.array(2)) is None


def test_a_fork_of_a_job_records_nothing(trials):
    assert bg.submit("records.forks").wait(DEADLINE).values == {"auc": 1}
    assert bg.submit("records.forks_first").wait(DEADLINE).values == {}


def test_values_are_written_a_few_times_a_second_and_the_last_ones_too(tmp_path, monkeypatch):
    writes = []
    monkeypatch.setattr(private_file, "write_json", lambda folder, name, value: writes.append(value["n"]))
    recorder = recording.Recorder(str(tmp_path))
    for n in range(1000):
        recorder.take({"n": n})
    assert writes[:1] == [0]
    assert len(writes) < 20
    until(lambda: writes[-1] == 999, "the last value")


def test_threads_lose_no_name(tmp_path):
    recorder = recording.Recorder(str(tmp_path))
    threads = [threading.Thread(target=lambda n=n: recorder.take({f"n{n}": n})) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.flush()
    assert recorded_values.of_attempt(str(tmp_path)) == {f"n{n}": n for n in range(20)}


def test_too_many_names_are_refused(tmp_path):
    recorder = recording.Recorder(str(tmp_path))
    recorder.take({f"n{n}": n for n in range(scalars.MOST)})
    with pytest.raises(ValueError, match="at most 200 values"):
        recorder.take({"another": 1})
    with pytest.raises(ValueError, match="1 to 200 characters; one has 300"):
        bg.record(**{"x" * 300: 1})


def test_a_card_shows_no_secret_that_a_job_has_returned(trials, monkeypatch):
    monkeypatch.setenv("LOGIN_PASSWORD", "of-the-environment")
    trials.module(
        "logins",
        """
        import os
        import numpy as np

        def echo(password: str):
            return {"seen": f"as {password}", "api_token": "abcdef", "url": "https://me:hunter22@x/", "auc": 0.5}

        def pickled(password: str):
            return {"seen": os.environ["LOGIN_PASSWORD"], "api_token": "abcdef", "auc": np.float64(0.5)}
        """,
    )
    trials.allow({"logins": ["echo", "pickled"]})
    plain, pickled = (bg.submit(f"logins.{name}", {"password": "open-sesame"}).wait(DEADLINE) for name in ("echo", "pickled"))
    found = dict(recorded.of_jobs(plain.client.database(plain.state_folder), plain.state_folder, [plain.id, pickled.id]))
    assert found[plain.id] == {
        "result.seen": "as •••",
        "result.api_token": "•••",
        "result.url": "https://me:•••@x/",
        "result.auc": 0.5,
    }
    assert found[pickled.id] == {"result.seen": "•••", "result.api_token": "•••", "result.auc": 0.5}
    assert plain.result()["seen"] == "as open-sesame"
