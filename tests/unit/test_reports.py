"""What the files of an attempt folder say, whoever wrote them: every reader of one returns, and never waits."""

import contextlib
import errno
import json
import math
import os
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipybgjobs.errors import ResultNotKept
from ipybgjobs.executors import exit as ends
from ipybgjobs.executors.executor import AttemptStatus
from ipybgjobs.executors.local import finding
from ipybgjobs.model import scalars
from ipybgjobs.state import attempt, outputs, progress, recorded_values, reports, results
from ipybgjobs.state.text_log import TextLog
from ipybgjobs.supervisor import log_limit, start_status
from ipybgjobs.supervisor.verdict import judge
from ipybgjobs.system import identity, private_file

#: Machines are slow and shared; each example writes its files anew.
PATIENT = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

#: Words that mean something in one of the files.
KEYS = re.findall(
    r"\w+",
    """
    void process launcher host pid_namespace monotonic pid start_time boot status result source lost bytes displays reason
    type message traceback names fatal asked after pickled interrupted plain repr unshown from to peak cpu bars at kind
    offset began wait data metadata display_id name scalars scalar described
    """,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["succeeded", "error", "display"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=8),
    max_leaves=12,
)

NAMES = [attempt.STARTED, attempt.OUTCOME, attempt.EXIT, attempt.DROPPED, attempt.PROGRESS, attempt.VALUES]
NAMES += [attempt.OUTPUTS, attempt.ENDING]


def watch_nothing(_folder, process):
    """What an executor does that has nothing to watch with."""
    return identity.is_alive(process)


def read_all(folder):
    """Have every reader look at a folder."""
    reports.start_marker(folder)
    reports.exit_report(folder)
    reports.outcome(folder)
    reports.dropped(folder)
    str(progress.of_attempt(folder))
    scalars.show(recorded_values.of_attempt(folder))
    results.without_pickle(folder)
    found = outputs.of_attempt(folder)
    report = reports.outcome(folder)
    outputs.of_result(report.result if report else {})
    TextLog(folder).text()
    TextLog(folder).tail(3)
    TextLog(folder).piece(0, 10)
    json.dumps(found, default=str)
    log_limit.shorten(folder, 4096)
    start_status.began(folder, None)
    finding.is_gone_elsewhere(folder)
    for outcome in ("error", "cancelled", "timeout", "lost"):
        assert isinstance(results.exception(folder, outcome, "job 1", None), BaseException)
    with contextlib.suppress(ResultNotKept):
        results.value(folder, 1)
    judge(ends.recorded(folder), None)


@pytest.mark.crash
@PATIENT
@given(contents=st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES)))
def test_whatever_json_the_files_hold_every_reader_returns(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("attempt")
    (folder / attempt.OUTPUT).write_bytes(b"x" * 20_000)
    for name, value in contents.items():
        lines = value if name == attempt.OUTPUTS and isinstance(value, list) else [value]
        (folder / name).write_text("\n".join(map(json.dumps, lines)))
    read_all(str(folder))


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def endless(path):
    with open(path, "wb") as file:
        os.truncate(file.fileno(), 10 << 30)


def nested(path):
    path.write_text("[" * 200_000)


def nested_and_whole(path):
    """What Python reads since 3.12, and no function of Python can follow."""
    path.write_text('{"kind": "display", "status": "error", "data": ' + "[" * 5000 + "]" * 5000 + "}")


def numbers(path):
    path.write_text('{"status": ' + "9" * 10_000 + ', "process": {"pid": 1e999}}')


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make", [pipe, folder, endless, nested, nested_and_whole, numbers, device], ids=lambda make: make.__name__
)
def test_whatever_stands_in_the_place_of_a_file_is_not_waited_for(tmp_path, make):
    for name in [*NAMES, attempt.OUTPUT, attempt.RESULT, attempt.EXCEPTION]:
        if make is not endless or name not in (attempt.OUTPUT, attempt.OUTPUTS, attempt.RESULT):  # those may be long
            make(tmp_path / name)
    read_all(str(tmp_path))


@pytest.mark.parametrize(
    "process",
    [None, {}, [], "x", {"pid": "1", "start_time": 1, "boot": "b"}, {"pid": 0, "start_time": 1, "boot": "b"},
     {"pid": 1 << 40, "start_time": 1, "boot": "b"}, {"pid": True, "start_time": 1, "boot": "b"}, {"pid": 1, "boot": "b"},
     {"pid": -1, "start_time": 1, "boot": "b"}],
)  # fmt: skip
def test_what_can_not_be_a_process_is_none(tmp_path, process):
    private_file.write_json(str(tmp_path), attempt.STARTED, {"process": process, "pid_namespace": identity.pid_namespace()})
    assert reports.start_marker(str(tmp_path)) == reports.StartMarker(pid_namespace=identity.pid_namespace())
    assert finding.find(str(tmp_path), watch_nothing) is AttemptStatus.GONE


def test_a_marker_that_names_the_supervisor_itself_leads_to_no_process(tmp_path):
    own = {"process": identity.current().to_json(), "pid_namespace": identity.pid_namespace()}
    private_file.write_json(str(tmp_path), attempt.STARTED, own)
    assert reports.start_marker(str(tmp_path)).process == tuple(identity.current())
    assert finding.find(str(tmp_path), watch_nothing) is AttemptStatus.GONE


def watch_without_descriptors(_folder, _process):
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_an_attempt_that_can_not_be_looked_at_for_want_of_descriptors_is_looked_at_again(tmp_path):
    launcher = {"process": identity.current(os.getppid()).to_json(), "pid_namespace": identity.pid_namespace()}
    private_file.write_json(str(tmp_path), attempt.STARTED, launcher)
    assert finding.find(str(tmp_path), watch_without_descriptors) is AttemptStatus.UNCLEAR


def test_only_what_has_left_neither_marker_nor_outcome_has_never_started(tmp_path):
    silent, told, marked, voided = (str(tmp_path / name) for name in ("silent", "told", "marked", "voided"))
    for folder in (silent, told, marked, voided):
        os.mkdir(folder)
    private_file.write_json(told, attempt.OUTCOME, {"status": "succeeded"})
    private_file.write_json(marked, attempt.STARTED, {"process": identity.current().to_json()})
    private_file.write_json(voided, attempt.STARTED, {"void": True})
    found = [start_status.never_started(folder) for folder in (silent, told, marked, voided, f"{tmp_path}/gone")]
    assert found == [True, False, False, True, False]
    assert not attempt.claim_start(silent, {"pid": 1})


def test_what_a_worker_writes_is_read_as_it_was_written(tmp_path):
    folder = str(tmp_path)
    private_file.write_json(folder, attempt.OUTCOME, {
        "status": "error", "type": "work.Broken", "message": "broken", "traceback": "Traceback …",
        "names": ["Broken", "Exception"],
        "asked": True, "after": 2, "pickled": True, "interrupted": True, "source": ["/a.py", 5, 6, "ab12"],
        "lost": {"bytes": 7, "displays": 1, "reason": "full"},
    })  # fmt: skip
    assert reports.outcome(folder) == reports.OutcomeReport(
        interrupted=True, source=["/a.py", 5, 6, "ab12"], lost_output=reports.LostOutput(7, 1, "full"), kind="work.Broken",
        message="broken", traceback="Traceback …", names=("Broken", "Exception"), retry_requested=True, after=2.0,
        pickled=True,
    )  # fmt: skip
    private_file.write_json(folder, attempt.EXIT, {"status": 9, "peak": 1 << 40, "cpu": 0.25})
    assert reports.exit_report(folder) == (9, 1 << 40, 0.25, (), False)
    private_file.write_json(folder, attempt.EXIT, {"status": 9, "begun": True})
    assert reports.exit_report(folder) == (9, None, None, (), True)
    private_file.write_json(folder, attempt.OUTCOME, {"status": "succeeded", "result": {"plain": math.inf}})
    assert results.value(folder, 1) == math.inf
