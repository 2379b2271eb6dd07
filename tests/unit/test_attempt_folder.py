"""The attempt folder: written whole or not at all, claimed by one, read whatever a crash has left."""

import contextlib
import json
import os
import stat
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ipybgjobs.state import attempt, request
from ipybgjobs.system import private_file

#: Machines are slow and shared.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

RACE = """
    import os, sys
    from ipybgjobs.state import attempt, request
    folder, count = sys.argv[1], int(sys.argv[2])
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    sys.stdin.readline()
    won = [n for n in range(count) if attempt.claim_start(f"{folder}/{n}", {"by": os.getpid()})]
    print(os.getpid(), *won)
"""

FULL = """
    import resource, signal, sys
    from ipybgjobs.system import private_file
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        private_file.write_whole(sys.argv[1], b"x" * 100_000, durable=True)
    except OSError as error:
        print(type(error).__name__)
"""


def run(script, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, **options)


# -- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_written_whole_for_its_owner_alone(tmp_path, durable):
    before = os.umask(0)
    try:
        private_file.write_whole(f"{tmp_path}/file", b"one", durable=durable)
        private_file.write_whole(f"{tmp_path}/file", b"two", durable=durable)
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_write_that_fails_midway_leaves_the_old_content_and_nothing_else(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    assert run(FULL, tmp_path / "file").stdout == "OSError\n"
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_write_that_can_not_take_its_place_leaves_nothing(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        private_file.write_whole(f"{tmp_path}/file", b"content")
    assert os.listdir(tmp_path) == ["file"]


def test_a_write_of_what_is_no_bytes_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        private_file.write_whole(f"{tmp_path}/file", "text")
    assert os.listdir(tmp_path) == []


def test_a_write_into_a_folder_that_is_gone_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        private_file.write_whole(f"{tmp_path}/gone/file", b"content")


def test_what_json_refuses_leaves_the_old_file(tmp_path):
    private_file.write_json(str(tmp_path), attempt.OUTCOME, {"status": "succeeded"})
    with pytest.raises(TypeError):
        private_file.write_json(str(tmp_path), attempt.OUTCOME, {"status": object()})
    assert private_file.read_json(str(tmp_path), attempt.OUTCOME) == {"status": "succeeded"}
    assert os.listdir(tmp_path) == [attempt.OUTCOME]


# -- the start marker -------------------------------------------------------------------------------------------------


def test_of_many_processes_that_claim_a_start_exactly_one_wins(tmp_path):
    count, racers = 40, 6
    for number in range(count):
        (tmp_path / str(number)).mkdir()
    command = [sys.executable, "-c", textwrap.dedent(RACE), str(tmp_path), str(count)]
    with contextlib.ExitStack() as ended:
        start = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [ended.enter_context(subprocess.Popen(command, **start)) for _ in range(racers)]
        for process in processes:
            ended.callback(process.kill)
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60)[0].split() for process in processes]
    winners = {number: pid for pid, *won in answers for number in won}
    assert sorted(map(int, (number for _, *won in answers for number in won))) == list(range(count))
    for number in map(str, range(count)):
        assert private_file.read_json(f"{tmp_path}/{number}", attempt.STARTED) == {"by": int(winners[number])}
        assert os.listdir(tmp_path / number) == [attempt.STARTED]


def test_a_voided_attempt_can_not_be_started(tmp_path):
    assert attempt.claim_start(str(tmp_path), {"void": True})
    assert not attempt.claim_start(str(tmp_path), {"pid": 1})
    assert private_file.read_json(str(tmp_path), attempt.STARTED) == {"void": True}
    assert os.listdir(tmp_path) == [attempt.STARTED]


def test_a_claim_is_no_more_than_its_owner_s_to_read(tmp_path):
    before = os.umask(0)
    try:
        attempt.claim_start(str(tmp_path), {"pid": 1})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / attempt.STARTED).stat().st_mode) == 0o600


def test_a_claim_in_a_folder_that_is_gone_is_no_win(tmp_path):
    with pytest.raises(FileNotFoundError):
        attempt.claim_start(f"{tmp_path}/gone", {})


def test_a_claim_keeps_what_was_sent_and_what_holds_it(tmp_path):
    sent = b'{"key": "a.b", "params": {"\\u00e9": [1, null]}}'
    assert attempt.claim_start(str(tmp_path), {"pid": 1}, lambda _: False, sent)
    said = private_file.read_json(str(tmp_path), attempt.STARTED)
    device = tmp_path.stat().st_dev
    assert said == {"pid": 1, "device": device, "held": False, "request": {"key": "a.b", "params": {"é": [1, None]}}}
    assert request.kept(str(tmp_path)) == said["request"]


def test_a_request_too_long_for_a_claim_is_kept_in_its_own_file(tmp_path):
    content = json.dumps({"params": "x" * (1 << 16)}).encode()
    assert not request.fits_in_marker(content)
    request.write(str(tmp_path), content)
    attempt.claim_start(str(tmp_path), {"pid": 1}, lambda _: True)
    assert request.kept(str(tmp_path)) == request.parse(request.in_folder(str(tmp_path))) == json.loads(content)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"[" * 5000, b"\xff"], ids=repr)
def test_what_is_no_request_is_none(tmp_path, content):
    assert request.parse(content) is None
    request.write(str(tmp_path), content)
    assert request.kept(str(tmp_path)) is None


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"status": "succ',
        b'{"a": 1}{',
        b"[]",
        b"null",
        b"3",
        b'"text"',
        b"\0" * 10,
        b"\0" * 4096,
        b"\xff\xfe{",
        b'{"\xff": 1}',
    ],
    ids=repr,
)
def test_what_is_not_a_whole_json_object_reads_as_nothing(tmp_path, content):
    (tmp_path / attempt.OUTCOME).write_bytes(content)
    assert private_file.read_json(str(tmp_path), attempt.OUTCOME) is None


def test_an_absent_file_an_absent_folder_and_a_folder_in_its_place_read_as_nothing(tmp_path):
    (tmp_path / attempt.EXIT).mkdir()
    assert private_file.read_json(str(tmp_path), attempt.OUTCOME) is None
    assert private_file.read_json(str(tmp_path), attempt.EXIT) is None
    assert private_file.read_json(f"{tmp_path}/gone", attempt.OUTCOME) is None


def test_names_that_are_no_text_survive_the_json_files(tmp_path):
    private_file.write_json(str(tmp_path), attempt.REQUEST, {"cwd": "/data/\udcff", "é": [1, None]})
    assert private_file.read_json(str(tmp_path), attempt.REQUEST) == {"cwd": "/data/\udcff", "é": [1, None]}


# -- the log ----------------------------------------------------------------------------------------------------------


def log(folder, content):
    (folder / attempt.OUTPUT).write_bytes(content)
    return f"{folder}/{attempt.OUTPUT}"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(None, "a\nb\nc\n"), (0, ""), (-1, ""), (1, "c\n"), (2, "b\nc\n"), (3, "a\nb\nc\n"), (99, "a\nb\nc\n")],
)
def test_a_log_is_read_whole_or_by_its_last_lines(tmp_path, lines, expected):
    assert private_file.tail(log(tmp_path, b"a\nb\nc\n"), lines) == expected


def test_a_last_line_without_an_end_counts(tmp_path):
    assert private_file.tail(log(tmp_path, b"a\nb\nc"), 2) == "b\nc"


def test_empty_lines_count(tmp_path):
    assert private_file.tail(log(tmp_path, b"a\n\n\n"), 2) == "\n\n"


def test_an_absent_log_is_empty(tmp_path):
    assert private_file.tail(f"{tmp_path}/none", 3) == private_file.tail(f"{tmp_path}/none") == ""


@pytest.mark.parametrize("length", [65534, 65535, 65536, 65537, 131072, 200_000])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_ends_at_or_crosses_a_block_is_whole(tmp_path, length, end):
    path = log(tmp_path, b"before\nfirst\n" + b"x" * length + end)
    assert private_file.tail(path, 1) == "x" * length + end.decode()
    assert private_file.tail(path, 2) == "first\n" + "x" * length + end.decode()


def test_a_character_that_crosses_a_block_is_whole(tmp_path):
    for shift in range(3):
        line = "€" * 40_000 + "." * shift
        assert private_file.tail(log(tmp_path, f"first\n{line}\n".encode()), 1) == f"{line}\n"


def test_only_the_end_of_a_long_log_is_read(tmp_path):
    path = log(tmp_path, b"")
    with open(path, "r+b") as file:
        file.truncate(1 << 40)  # a hole of a terabyte
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast line\n")
    assert private_file.tail(path, 1) == "last line\n"


def test_what_is_no_text_is_shown_escaped(tmp_path):
    assert private_file.tail(log(tmp_path, b"a\xff\x00b\n\xe2\x82\n"), 5) == "a\\xff\x00b\n\\xe2\\x82\n"


def test_a_progress_bar_is_one_line_of_the_tail(tmp_path):
    path = log(tmp_path, b"loss 0.3\n" + b"".join(b"\r%d%%" % n for n in range(100)) + b"\nbye\n")
    assert private_file.tail(path, 3).startswith("loss 0.3\n")
    assert private_file.tail(path, 1) == "bye\n"


@PATIENT
@given(st.lists(st.sampled_from([b"", b"a", b"\r", b"a\rb", b"\xff\0"]), max_size=8), st.integers(1, 10), st.integers(1, 7))
def test_the_tail_does_not_depend_on_the_size_of_a_block(tmp_path_factory, pieces, lines, block):
    path = tmp_path_factory.getbasetemp() / f"tail-{os.getpid()}"
    path.write_bytes(b"\n".join(pieces))
    with open(path, "rb") as file:
        assert private_file._last_lines(file, lines, block=block) == private_file._last_lines(file, lines)
