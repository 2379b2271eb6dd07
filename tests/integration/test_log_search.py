"""Lines of a log that match a pattern: from Python, in a terminal, in a log of any size."""

import json
import re
import tracemalloc

import pytest

import ipybgjobs as bg
from ipybgjobs.commands.cli import main
from ipybgjobs.state import attempt, log_search
from ipybgjobs.state.text_log import TextLog
from support.place import DEADLINE

pytestmark = pytest.mark.shared_place


@pytest.fixture
def job(place):
    place.module(
        "prints",
        """
        def epochs(count: int):
            for epoch in range(1, count + 1):
                print(f"epoch {epoch}: loss={1 / epoch:.2f}")
            print("Done.")
    """,
    )
    place.allow({"prints": ["epochs"]})
    return bg.submit("prints.epochs", {"count": 12}).wait(DEADLINE)


def test_the_lines_that_match_have_their_numbers_and_the_tail_counts_matches(job):
    assert job.log(grep="loss=0.5") == "2:epoch 2: loss=0.50\n"
    assert job.log(grep=r"^epoch 1\d?:", tail=2) == "11:epoch 11: loss=0.09\n12:epoch 12: loss=0.08\n"
    assert job.log(grep=r"(?i)DONE\.$", attempt=1) == "13:Done.\n"
    assert (job.log(grep="absent"), job.log(grep="loss", tail=0)) == ("", "")
    assert [match.number for match in job.log_matches("epoch")] == list(range(1, 13))


def test_a_pattern_that_is_none_is_refused_in_one_sentence(job):
    for pattern in ("(", "a{99999999999}", 3):
        with pytest.raises(bg.InvalidParameters, match=r"grep must be ") as refused:
            job.log(grep=pattern)
        assert "\n" not in str(refused.value)
    with pytest.raises(bg.InvalidParameters, match=r"There is no attempt 2"):
        job.log(grep="x", attempt=2)


def test_in_a_terminal_the_same_lines_and_as_json(job, capsys):
    main(["log", str(job.id), "--grep", "epoch 3"])
    assert capsys.readouterr().out == "3:epoch 3: loss=0.33\n"
    main(["log", str(job.id), "--grep", "epoch", "--tail", "1", "--json"])
    assert json.loads(capsys.readouterr().out) == {"matches": [{"line": 12, "text": "epoch 12: loss=0.08"}]}
    main(["log", str(job.id), "--grep", "absent"])
    assert capsys.readouterr().out == "No matching lines.\n"
    assert main(["log", str(job.id), "--grep", "("]) == 1
    assert main(["log", str(job.id), "--grep", "x", "--follow"]) == 2
    assert "leave out" in capsys.readouterr().err


def test_a_large_log_is_read_in_pieces(tmp_path):
    line = b"x" * 99 + b"\n"
    with open(tmp_path / attempt.OUTPUT, "wb") as file:
        for _ in range(64):
            file.write(line * 10_000)
            file.write(b"here\n")
    tracemalloc.start()
    found = log_search.matches(TextLog(str(tmp_path)), re.compile("here"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [match.number for match in found] == [10_001 * number for number in range(1, 65)]
    assert peak < 16 << 20  # of 64 MB


def test_a_log_of_one_endless_line_is_searched_in_parts(tmp_path):
    (tmp_path / attempt.OUTPUT).write_bytes(b"y" * (5 << 20) + b"needle")
    [found] = log_search.matches(TextLog(str(tmp_path)), re.compile("needle"))
    assert found.number == 1
    assert len(found.text) < 3 << 20


def test_line_numbers_are_those_of_the_log_as_it_is_returned(tmp_path):
    (tmp_path / attempt.OUTPUT).write_bytes("first\nsecond ä\r\nthird\xff\nlast".encode("latin-1"))
    log = TextLog(str(tmp_path))
    every = log_search.matches(log, re.compile(""))
    assert [match.number for match in every] == [1, 2, 3, 4]
    assert [match.text for match in every] == [line.removesuffix("\r") for line in log.text().split("\n")]
