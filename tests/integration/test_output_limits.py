"""One limit for all that a job shows: displays and a notebook's cells as well as text; what is dropped is said."""

# ruff: noqa: E501 - cells are read by the row

import errno
import json
import os
import re
import threading
import time
import tracemalloc

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import v4

import ipybgjobs as bg
from ipybgjobs.notebooks import serialization
from ipybgjobs.notebooks.output_limits import Bounds, size_of
from ipybgjobs.state import attempt, display_records, outputs
from ipybgjobs.system.lock import FileLock
from ipybgjobs.worker import output_file
from ipybgjobs.worker.output_file import OutputFile
from support.jobs import functions
from support.place import DEADLINE

pytestmark = pytest.mark.shared_place

LIMIT = 1_000_000


NAMES = functions("limited")


@pytest.fixture
def limited(place):
    place.module("limited")
    place.allow({"limited": NAMES}, BackgroundJobs__max_output_bytes=LIMIT)
    return place


def run(name, **params):
    job = bg.submit(f"limited.{name}", params).wait(DEADLINE)
    assert job.state == "succeeded", job.error
    return job


def taken(place, job):
    """Bytes of the displays that a job has left."""
    return os.path.getsize(f"{place.state}/jobs/{job.uid}/1/{attempt.OUTPUTS}")


def texts(found):
    return [output.get("text") or output["data"].get("text/html") or output["data"]["text/plain"] for output in found]


@pytest.mark.parametrize("name", ["replaces", "updates"])
def test_displays_that_others_have_replaced_take_no_room(limited, name):
    job = run(name, count=400, size=20_000)
    assert taken(limited, job) < LIMIT
    [shown] = texts(job.outputs())
    assert shown.startswith("399 ")


def test_of_too_many_displays_the_first_and_the_last_are_kept_and_a_note_says_what_was_dropped(limited):
    job = run("adds", count=500, size=10_000)
    assert taken(limited, job) < LIMIT
    found = texts(job.outputs())
    numbers = [int(text.split()[1]) for text in found if text.startswith("display ")]
    notes = [text for text in found if "were dropped here (BackgroundJobs.max_output_bytes)" in text]
    assert (found[0], found[-1]) == ("the beginning\n", "{1, 2}")
    assert numbers[:30] == list(range(30))
    assert numbers[-10:] == list(range(490, 500))
    [note] = notes
    said = re.search(r"… (\d+) displays \((\S+) MB\) were dropped here", note)
    assert int(said[1]) == 500 - len(numbers)
    assert float(said[2]) == pytest.approx(int(said[1]) * 0.0101, abs=0.3)
    assert "in the middle\n" in note  # text that was printed between stays


def test_a_display_that_is_too_large_for_the_limit_is_named_and_not_kept(limited):
    job = run("large", size=2_000_000)
    [shown] = texts(job.outputs())
    assert shown == "before\n\n… 1 display (2.0 MB) was dropped here (BackgroundJobs.max_output_bytes) …\nafter\n"


def test_forks_that_display_at_once_lose_nothing(limited):
    job = run("forks", count=200, size=3_000)
    assert job.result() == [0, 0, 0]
    assert taken(limited, job) < LIMIT
    shown = {text.split()[0] for text in texts(job.outputs()[:-1])}
    assert {f"{child}.{number}" for child in range(3) for number in range(195, 200)} <= shown
    assert not [name for name in os.listdir(f"{limited.state}/jobs/{job.uid}/1") if name.endswith(".part")]


def test_a_result_has_no_limit(limited):
    assert len(run("returns", size=5 * LIMIT).result()) == 5 * LIMIT


def test_what_a_cell_s_job_prints_is_in_the_log_and_not_in_its_memory(place):
    place.allow({}, BackgroundJobs__allow_notebook_code=True)
    job = bg.submit("ipybgjobs.Cell.run", {"code": "for i in range(200): print('x' * 1_000_000)"}).wait(DEADLINE)
    assert job.state == "succeeded", job.error
    assert job.attempts[0].peak_memory < 180_000_000


# -- records -------------------------------------------------------------------------------------------------------------

ID = st.sampled_from([None, "a", "b", ""])
DATA = st.integers(0, 99).map(lambda number: {"text/plain": str(number)})
RECORD = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["display", "update"]), "data": DATA, "metadata": st.just({}), "display_id": ID}
    ),
    st.fixed_dictionaries({"kind": st.just("clear"), "wait": st.booleans()}),
    st.fixed_dictionaries({"kind": st.sampled_from(["begin"])}),
    st.fixed_dictionaries({"kind": st.just("lost"), "reason": st.just("why")}),
    st.fixed_dictionaries({"kind": st.just("result"), "data": DATA, "metadata": st.just({})}),
    st.fixed_dictionaries(
        {
            "kind": st.just("error"),
            "name": st.just("E"),
            "message": st.just("m"),
            "traceback": st.just(["t"]),
            "back": st.integers(0, 3),
        }
    ),
)


def written(folder, found):
    """Write records, each after so many characters of text, and return their file."""
    text = ""
    with open(f"{folder}/{attempt.OUTPUTS}", "w") as file:
        for length, record in found:
            text += "".join(chr(97 + len(text) % 26) for _ in range(length))
            said = {key: value for key, value in record.items() if key != "back"} | {"offset": len(text)}
            if "back" in record:
                said["began"] = len(text) - min(length, record["back"])
            file.write(json.dumps(said) + "\n")
    (folder / attempt.OUTPUT).write_text(text)


@settings(max_examples=150, deadline=None)
@given(
    found=st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 4]), RECORD), max_size=14),
    more=st.lists(st.tuples(st.sampled_from([0, 2]), RECORD), max_size=6),
)
def test_what_is_shown_is_the_same_after_what_is_not_was_taken_out_also_of_what_comes_later(tmp_path_factory, found, more):
    folder = tmp_path_factory.getbasetemp() / "records"
    folder.mkdir(exist_ok=True)
    written(folder, found + more)
    right = outputs.of_attempt(str(folder))
    lines = (folder / attempt.OUTPUTS).read_bytes().splitlines(keepends=True)
    (folder / attempt.OUTPUTS).write_bytes(b"".join(lines[: len(found)]))
    file = OutputFile(f"{folder}/{attempt.OUTPUTS}", None)
    shorten(file)
    for line in lines[len(found) :]:
        file.append(line, "display")
    assert outputs.of_attempt(str(folder)) == right
    shorten(file)
    assert outputs.of_attempt(str(folder)) == right


def shorten(file):
    with open(file._path, "rb") as opened:
        file._shorten(opened.fileno())


@settings(max_examples=100, deadline=None)
@given(found=st.lists(st.tuples(st.sampled_from([0, 1]), RECORD), max_size=40), limit=st.integers(400, 3000))
def test_what_stays_is_within_the_limit_and_with_what_was_dropped_makes_all(found, limit):
    lines = [json.dumps(record | {"offset": index}).encode() for index, (_, record) in enumerate(found)]
    heads = [display_records.head(display_records.parsed(line), len(line)) for line in lines]
    every, kept = display_records.kept(heads, None), display_records.kept(heads, limit)
    size = sum(
        display_records._size(heads, one) for one in kept if one.place >= 0 and heads[one.place].kind not in ("begin", "clear")
    )
    newest = display_records._size(heads, every[-1]) if every else 0
    assert size <= max(limit, limit // 2 + newest)
    dropped = sum(one.displays for one in kept if one.place < 0)
    assert len(every) == len([one for one in kept if one.place >= 0]) + dropped
    assert [one.place for one in kept if one.place >= 0] == sorted(one.place for one in kept if one.place >= 0)


def test_a_file_that_is_full_of_what_stays_is_not_looked_through_for_each_line(tmp_path, monkeypatch):
    looks = []
    original = OutputFile._shorten
    monkeypatch.setattr(OutputFile, "_shorten", lambda self, descriptor: (looks.append(1), original(self, descriptor)))
    file = OutputFile(str(tmp_path / "o"), 50_000)
    for number in range(6_000):
        line = json.dumps({"kind": ("begin", "clear")[number % 2], "offset": number, "wait": True}) + "\n"
        file.append(line.encode(), "begin")
    assert len(looks) < 12


def test_where_the_file_can_not_be_made_anew_each_line_is_kept_and_it_is_tried_again_later(tmp_path, monkeypatch):
    looks = []

    def full(*_):
        looks.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(OutputFile, "_replace", full)
    file = OutputFile(str(tmp_path / "o"), 10_000)
    for number in range(1000):
        file.append((json.dumps({"kind": "lost", "offset": 0, "reason": f"{number:30}"}) + "\n").encode(), "lost")
    assert len((tmp_path / "o").read_text().splitlines()) == 1000
    assert 2 < len(looks) < 50


def test_threads_that_write_at_once_lose_no_line(tmp_path):
    file = OutputFile(str(tmp_path / "o"), None)

    def write(name):
        for number in range(1500):
            file.append(f"{name} {number}\n".encode(), "display")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert sorted((tmp_path / "o").read_text().splitlines()) == sorted(
        f"{name} {number}" for name in "abcd" for number in range(1500)
    )


@pytest.mark.parametrize("number", ["-1", "1e400", "9" * 400, '"1"', "null", "[]", "true"])
def test_a_note_that_nobody_of_ours_wrote_is_passed_over_or_shown(tmp_path, number):
    note = f'{{"kind": "dropped", "offset": 0, "displays": {number}, "bytes": {number}}}'
    (tmp_path / attempt.OUTPUTS).write_text(note + "\n")
    assert len(outputs.of_attempt(str(tmp_path))) == (number == "true")


def test_nobody_waits_for_ever_for_whoever_was_stopped_while_it_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(output_file, "_PATIENCE", 0.2)
    file, held = OutputFile(str(tmp_path / "o"), 1000), FileLock.acquire(str(tmp_path / "o"), wait=True)
    began = time.monotonic()
    for number in range(200):
        file.append(f"line {number}\n".encode(), "display")
    assert 0.2 <= time.monotonic() - began < 5
    assert (tmp_path / "o").read_text().split()[1::2] == [str(number) for number in range(200)]
    held.close()


# -- notebooks -----------------------------------------------------------------------------------------------------------

CELLS = [
    "from IPython.display import display\nh = display('small', display_id='one')\nprint('kept whole')",
    "for i in range(40_000): print('line', i, 'x' * 90)",
    "_ = [display({'text/plain': f'display {i} ' + 'x' * 10_000}, raw=True) for i in range(300)]; last = display('before', display_id='two')",
    "print('a line')\nfor i in range(40): display({'text/plain': 'x' * 15_000}, raw=True)",
    "h.update('updated'); last.update('after')",
]


@pytest.mark.crash
def test_of_a_notebook_that_shows_too_much_each_cell_says_what_was_dropped_of_it(place):
    place.allow(
        {"ipybgjobs.Notebook": ["run"]}, BackgroundJobs__allowed_notebooks=["/**/*.ipynb"], BackgroundJobs__max_output_bytes=LIMIT
    )
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS]), place.code / "much.ipynb")
    job = bg.submit("ipybgjobs.Notebook.run", {"path": str(place.code / "much.ipynb"), "output": str(place.root / "out.ipynb")})
    assert job.wait(DEADLINE).state == "succeeded", job.error
    assert (place.root / "out.ipynb").stat().st_size < LIMIT * 1.3
    written = nbformat.read(place.root / "out.ipynb", 4)
    nbformat.validate(written)
    small, lines, displays, large, _ = (cell.outputs for cell in written.cells)
    assert texts(small) == ["'updated'", "kept whole\n"]
    head, note, tail = texts(lines)
    assert head.startswith("line 0 ")
    assert tail.splitlines()[-1].startswith("line 39999 ")
    assert float(re.fullmatch(r"\n… (\S+) MB of output was dropped here \(BackgroundJobs.max_output_bytes\) …\n", note)[1]) > 3
    assert (texts(displays)[0][:10], texts(displays)[-1]) == ("display 0 ", "'after'")
    [note] = [text for text in texts(displays) if "dropped" in text]
    said = re.fullmatch(
        r"\n… (\S+) MB of output, including (\d+) displays, was dropped here \(BackgroundJobs.max_output_bytes\) …\n", note
    )
    assert int(said[2]) == 301 - (len(displays) - 1)
    assert texts(large)[0] == "a line\n"


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


@settings(max_examples=60, deadline=None)
@given(
    given_cells=st.lists(st.lists(st.one_of(st.integers(0, 40_000), st.integers(-40_000, -1)), max_size=8), max_size=4),
    rounds=st.integers(1, 3),
)
def test_outputs_that_are_shortened_are_within_the_limit_and_found_where_they_are_said_to_be(given_cells, rounds):
    bounds = Bounds(50_000)
    cells = {place: [] for place in range(len(given_cells))}
    shown = 0
    for _ in range(rounds):
        for place, given_sizes in enumerate(given_cells):
            for size in given_sizes:
                output = stream("x\n" * (size // 2)) if size >= 0 else v4.new_output("display_data", {"text/plain": "y" * -size})
                shown += size_of(output)
                cells[place].append(output)
                due = bounds.add(output)
                if due:
                    before = {number: list(outputs) for number, outputs in cells.items()}
                    moved = bounds.shorten(cells)
                    assert all(
                        cells[number][new] is before[number][old] for number in moved for old, new in moved[number].items()
                    )
    held = sum(size_of(output) for outputs in cells.values() for output in outputs if not bounds.is_note(output))
    assert held <= max(50_000, 4 * 4096) + 1000
    dropped = sum(note.size for place, note in bounds._notes.items())
    assert held + dropped == shown


TEXT = st.text(st.sampled_from("ab\r\n\v\f\x1c\x85\u2028é"), max_size=30)


@settings(max_examples=150, deadline=None)
@given(text=TEXT, data=st.dictionaries(st.sampled_from(["text/plain", "image/png", "image/svg+xml", "application/x+json"]), TEXT))
def test_a_notebook_is_written_as_nbformat_writes_it(text, data):
    code = v4.new_code_cell(
        text, outputs=[stream(text), v4.new_output("display_data", data), v4.new_output("error", ename=text, traceback=[text])]
    )
    code.metadata.trusted = True
    notebook = v4.new_notebook(
        cells=[code, v4.new_markdown_cell(text), v4.new_raw_cell(text)],
        metadata={"signature": "s", "kernelspec": {"name": text, "display_name": text}},
    )
    notebook.cells[1]["attachments"] = {"a.png": dict(data)}
    notebook.cells[1]["outputs"] = []  # odd, and nbclient runs it
    assert b"".join(serialization.pieces(notebook)).decode() == v4.writes(notebook)
    assert code.outputs[0].text == text


# -- reading -------------------------------------------------------------------------------------------------------------


def test_to_read_displays_takes_little_more_memory_than_they_are(tmp_path):
    line = json.dumps({"kind": "display", "offset": 0, "data": {"text/plain": "x" * 20_000}, "metadata": {}, "display_id": None})
    (tmp_path / attempt.OUTPUTS).write_text(f"{line}\n" * 500)
    tracemalloc.start()
    try:
        found = outputs.without_secrets(outputs.of_attempt(str(tmp_path)), ["a secret"])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 500
    assert most < 13_000_000
