"""Whatever stands in a text that somebody else wrote: its parser gives a value or a documented error, and reads it once."""

import json
import threading

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

import ipybgjobs as bg
from ipybgjobs.client import client as client_module
from ipybgjobs.commands import cli, job_line
from ipybgjobs.commands.usage import UsageFault
from ipybgjobs.model import durations
from ipybgjobs.notebooks import document
from ipybgjobs.panel import answers
from ipybgjobs.panel.session import VERSION, Session
from support.parsers import PARSERS, processor_seconds, read_all
from support.place import DEADLINE, until

#: Machines are slow and shared; some parsers read a file.
PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))

#: Length of a long text, in characters; `benchmarks/parsers.py` compares a megabyte with a quarter.
LONG = 100_000

#: Processor time that one long text may take, in seconds, on a slow machine: what reads it again and again takes minutes.
MOST = 20


def nearly_right(name):
    """Texts of words that mean something to a parser, with anything between."""
    return st.lists(st.sampled_from(PARSERS[name].parts) | st.text(max_size=3), max_size=16).map("".join)


def repeated(name):
    """Words that mean something, many times, since a stack has an end; a long word is not repeated until it is a book."""
    counts = st.sampled_from([3, 100, 1001, 5000])

    def text(before, part, count, after):
        most = PARSERS[name].lines if "\n" in part else 5000
        return before + part * min(count, most, max(3, LONG // len(part))) + after

    return st.builds(text, nearly_right(name), st.sampled_from(PARSERS[name].parts), counts, nearly_right(name))


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_gives_a_value_or_one_sentence_of_a_documented_kind(name, place):
    @PATIENT
    @given(st.text() | nearly_right(name) | repeated(name))
    def whatever_it_reads(text):
        read_all(name, text)

    whatever_it_reads()


@pytest.mark.crash
@pytest.mark.parametrize("name", [name for name, parser in PARSERS.items() if parser.long])
def test_a_long_text_is_read_once(name, place):
    for begin, part, end in PARSERS[name].long:
        assert processor_seconds(name, begin + part * (LONG // len(part)) + end) < MOST, (begin, part, end)


@pytest.mark.parametrize("name", ["code of cells", "parameters cells"])
def test_a_null_byte_in_a_cell_is_refused_before_ipython_sees_it(name, place, monkeypatch):
    """CPython 3.13's tokenizer raises SystemError for it in a process that is being monitored."""
    monkeypatch.setattr(TransformerManager, "transform_cell", lambda *_: pytest.fail("IPython was asked"))
    assert "null byte" in PARSERS[name]("%time x = 1\0")


# -- what hypothesis would find too seldom ------------------------------------------------------------------------------


#: What is neither text nor a number of anything; and numbers that no store can hold.
ODD = [{}, [], ["a"], ["default"], 5, 1.5, True, b"x", 10**5000, object()]


@pytest.mark.parametrize(
    "call",
    [
        lambda value: bg.submit("work.echo", {"value": 1}, queue=value),
        bg.pause,
        bg.resume,
        bg.job,
        bg.group,
        lambda value: bg.jobs(state=value),
        lambda value: bg.jobs(queue=value),
        lambda value: bg.jobs(target=value),
        lambda value: bg.jobs(name=value),
        lambda value: bg.jobs(group=value),
        lambda value: bg.submit("work.echo", {"value": 1}, name=value),
        lambda value: bg.submit("work.echo", {"value": 1}, unique="a", on_duplicate=value),
        lambda value: bg.submit("work.echo", {"value": 1}, priority=[value]),
        lambda value: bg.submit("work.echo", {"value": 1}, timeout=[value]),
        lambda value: bg.submit("work.echo", {"value": 1}, at=[value]),
        lambda value: bg.submit("work.echo", {"value": 1}, after=[object(), value]),
        lambda value: bg.clean(state=[value]),
        lambda value: bg.clean(older_than=[value]),
        bg.submit,
    ],
)  # fmt: skip
def test_an_argument_of_another_kind_is_refused_in_one_sentence(place, call):
    for value in ODD:
        with pytest.raises((bg.InvalidParameters, bg.UnknownJob, bg.JobNotAllowed)) as caught:
            call(value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
    assert bg.jobs() == []


@pytest.mark.parametrize("key", ["\ud800", "a\0b", "²", "9" * 5000, -1, 1 << 70])
def test_what_no_store_can_hold_is_in_none(place, key):
    for look in (bg.job, bg.group):
        with pytest.raises(bg.UnknownJob):
            look(key)
    if isinstance(key, str):
        assert bg.jobs(name=key) == bg.jobs(queue=key) == bg.jobs(target=key) == []
        with pytest.raises(bg.InvalidParameters):
            bg.resume(key)
        with pytest.raises((bg.UnknownJob, UsageFault)):
            cli.run(["show", key])


def test_no_path_holds_a_nul_and_no_user_s_name_either(place):
    place.module("paths", "import pathlib\ndef takes(path: pathlib.Path): return str(path)\n")
    place.allow({"paths": ["takes"]})
    with pytest.raises(bg.InvalidParameters, match="a path can't contain a NUL"):
        bg.submit("paths.takes", {"path": "~a\0"})


def test_a_refused_line_of_several_lines_is_told_on_one(place):
    with pytest.raises(UsageFault) as caught:
        job_line.parse('work.echo x="a\nb', {})
    assert "\n" not in str(caught.value)
    with pytest.raises(bg.InvalidParameters, match=r"The notebook /no\\nsuch.ipynb can't be read"):
        document.load("/no\nsuch.ipynb")


def test_a_zero_has_no_sign():
    assert durations.show(durations.seconds("-0")) == durations.show(durations.seconds(-0.0)) == "0.0 s"


@pytest.mark.parametrize("depth", [900, 200_000])
def test_a_notebook_that_is_nested_too_deeply_is_refused(tmp_path, depth):
    path = tmp_path / "deep.ipynb"
    deep = '{"a":' * depth + "1" + "}" * depth
    path.write_text(f'{{"nbformat":4,"nbformat_minor":5,"cells":[],"metadata":{deep}}}')
    assert document.author(str(path)) is None
    with pytest.raises(bg.InvalidParameters, match="too deeply nested"):
        document.load(str(path))


#: What a panel's message may hold in the place of anything.
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.lists(st.integers(), max_size=2)
    | st.just({})
)

MESSAGES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["look", "leave", "outputs", "command"]) | ANYTHING},
    optional={
        "view": ANYTHING, "visible": ANYTHING, "open": ANYTHING, "seq": ANYTHING, "whole": ANYTHING, "job": ANYTHING,
        "oldest": ANYTHING, "gap": ANYTHING,
        "cid": ANYTHING,
        "verb": st.sampled_from(["cancel", "retry", "remove", "priority", "pause", "resume"]) | ANYTHING,
        "jobs": st.lists(ANYTHING, max_size=3) | ANYTHING, "to": ANYTHING, "queue": ANYTHING,
    },
)  # fmt: skip


def test_whatever_a_panel_sends_costs_no_thread_its_life(place, monkeypatch):
    died = []
    monkeypatch.setattr(threading, "excepthook", lambda told: died.append(told.exc_value))
    panel = Session(client_module.client(), json.dumps)
    panel.begin(json.dumps)

    @PATIENT
    @given(MESSAGES | ANYTHING)
    @example({"kind": "look", "view": "a", "visible": True, "seq": -(1 << 70), "whole": True})
    @example({"kind": "look", "view": "a", "visible": True, "seq": 0, "oldest": 1 << 70})
    @example({"kind": "outputs", "job": 1 << 70})
    @example({"kind": "lines", "job": 1, "before": 1 << 70})
    @example({"kind": "piece", "job": 1, "from": 1 << 70})
    @example({"kind": "look", "view": "a", "visible": True, "open": 1 << 70})
    def whatever_it_sends(message):
        panel.receive({**message, "version": VERSION} if isinstance(message, dict) else message)

    whatever_it_sends()
    until(lambda: not panel._tasks._waiting and panel._tasks._free == panel._tasks._threads, "all answers")
    panel.close()
    assert died == []


def test_a_panel_that_asks_five_hundred_times_is_answered_by_a_few_threads(place):
    answered, held, others = [], threading.Event(), set(threading.enumerate())
    panel = Session(
        client_module.client(), lambda message: message["kind"] == "answer" and held.wait() and answered.append(message)
    )
    panel.begin(lambda first: None)
    for number in range(500):
        panel.receive({"kind": "command", "cid": number, "verb": "nothing", "version": VERSION})
    threads = [thread for thread in set(threading.enumerate()) - others if thread.name == "ipybgjobs-panel-answer"]
    held.set()
    until(lambda: len(answered) == 500, "all answers")
    panel.close()
    assert len(threads) <= answers.MOST
    assert {message["cid"] for message in answered} == set(range(500))


def test_an_answer_that_takes_long_holds_up_no_other(place):
    held, some = threading.Event(), answers.BackgroundTasks()
    done = []
    for _ in range(10):
        some.submit(lambda: held.wait(DEADLINE))
    for number in range(100):
        some.submit(lambda number=number: done.append(number))
    until(lambda: len(done) == 100, "those behind it")
    held.set()
    until(lambda: some._free == some._threads, "the rest")
