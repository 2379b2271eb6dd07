"""What a job prints, displays, returns and how far it is: kept in order, live, and shown elsewhere as if run there."""

import io
import json
import os
import re
import sys
import time

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ipybgjobs as bg
from ipybgjobs.client.jobs import following
from ipybgjobs.model import terminal_text
from ipybgjobs.state import attempt, current_job, outputs
from ipybgjobs.state.current_job import Bar
from ipybgjobs.state.progress import Progress
from ipybgjobs.system import private_file
from support.jobs import functions
from support.place import DEADLINE, running, until

pytestmark = pytest.mark.shared_place

NAMES = functions("shows")


@pytest.fixture
def shows(shared_place):
    shared_place.module("shows")
    shared_place.allow({"shows": NAMES, "shows.Hooked": ["run"]})
    return shared_place


@pytest.fixture
def shows_alone(place):
    """The same in a place of its own."""
    place.module("shows")
    place.allow({"shows": NAMES, "shows.Hooked": ["run"]})
    return place


def run(name, params=None, **options):
    return bg.submit(f"shows.{name}", params, **options).wait(DEADLINE)


def brief(found):
    """Outputs in few words: kind, and text or data without what has no telling."""
    short = []
    for output in found:
        nbformat.validate(output, ref=output.output_type, version=4)
        text = output.get("text") or {kind: value for kind, value in output.get("data", {}).items() if kind != "text/plain"}
        short.append((output.output_type, text))
    return short


def test_everything_printed_is_one_stream_in_order_whoever_printed_it(shows):
    job = run("streams")
    lines = "python\nC\nchild\ncomplaint\nerror stream\ndescriptor\n"
    assert job.log() == lines
    stream, result = job.outputs()
    assert (stream.text, result.output_type, result.data["text/plain"]) == (lines, "execute_result", "{'plain': 1}")


def test_displays_are_kept_in_order_with_the_text_updated_and_encoded_as_nbformat_does(shows):
    job = run("displays")
    assert brief(job.outputs()) == [
        ("stream", "first\n"),
        ("display_data", {"text/html": "<b>one</b>"}),
        ("stream", "between\n"),
        ("display_data", {"text/markdown": "after"}),
        ("display_data", {"image/png": "iVBORw=="}),
        ("display_data", {"application/json": {"a": [1]}}),
        ("stream", "last\n"),
    ]
    assert job.outputs()[5].metadata == {"m": 1}


@pytest.mark.parametrize("wait", [False, True])
def test_what_is_cleared_is_gone_at_once_or_when_the_next_comes(shows, wait):
    assert brief(run("clears", {"wait": wait}).outputs()) == ([("stream", "its place\n")] if wait else [])


def test_figures_are_kept_also_one_that_nobody_showed(shows):
    pytest.importorskip("matplotlib")
    kinds = [(output.output_type, sorted(output.get("data", {}))) for output in run("figures").outputs()]
    figure = ("display_data", ["image/png", "text/plain"])
    assert kinds == [figure, ("stream", []), figure]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("table", {"text/plain", "text/html"}), ("own_look", {"text/plain", "text/html", "image/png"})],
)
def test_a_return_value_looks_as_it_does_in_a_cell(shows, name, kinds):
    [result] = run(name).outputs()
    assert (result.output_type, set(result.data)) == ("execute_result", kinds)


def test_an_error_is_an_error_output_and_its_traceback_stands_there_once(shows):
    job = run("raises")
    shown, printed, error = job.outputs()
    assert (shown.data["text/plain"], printed.text) == ("'shown before'", "printed before\n")
    assert (error.output_type, error.ename, error.evalue) == ("error", "LookupError", "as planned")
    assert error.traceback[-1] == "LookupError: as planned"
    assert any('raise LookupError("as planned")' in line for line in error.traceback)
    assert "LookupError: as planned" in job.log()


@pytest.mark.crash
def test_what_can_not_be_kept_says_so_and_the_job_goes_on(shows):
    job = run("strange")
    assert job.result() == "done"
    first, *_, last, result = job.outputs()
    assert first.text.startswith("[a display could not be saved: TypeError: Object of type object")
    assert "\\xff\\xfe binary" in first.text
    assert first.text.count("x") >= 10_000_000
    assert (last.data["text/plain"], result.data["text/plain"]) == ("'after closing'", "'done'")
    for output in job.outputs():
        nbformat.validate(output, ref=output.output_type, version=4)


def test_a_job_whose_output_can_not_be_written_goes_on_and_its_record_says_what_was_lost(shows):
    job = run("full")
    assert job.result() == "done"
    assert re.fullmatch(r"[\d.]+ kB of its output and 1 displays could not be written: .*", job.error)
    assert [output.output_type for output in job.outputs()] == ["stream", "display_data", "stream", "execute_result"]
    assert job.log().startswith("small")
    assert "succeeded" in repr(job)


@pytest.mark.crash
def test_an_outcome_that_can_not_be_written_is_told(shows):
    job = run("no_room")
    assert (job.state, job.attempts[0].outcome, job.attempts[0].exit_code) == ("failed", "lost", 74)
    assert job.error.startswith("its outcome could not be written: the disk is full, or the attempt's folder no longer exists")


def test_a_job_that_displays_nothing_pays_nothing(shows):
    assert run("no_ipython").result() == []


def test_a_hook_shows_where_its_job_has_shown(shows):
    job = run("Hooked.run")
    until(lambda: job.hook and job.hook.outcome, "the hook")
    assert brief(job.outputs()) == [("stream", "in the job\nin the hook\n"), ("display_data", {"text/html": "<b>hook</b>"})]


# -- shown again ------------------------------------------------------------------------------------------------------


def test_show_prints_text_and_what_is_rich_as_text_where_there_is_no_notebook(shows, capsys):
    run("displays").show()
    said = capsys.readouterr().out.splitlines()
    assert (said[0], said[2], said[-1]) == ("first", "between", "last")
    run("raises").show()
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["'shown before'", "printed before"]
    assert captured.err.rstrip().endswith("LookupError: as planned")


def test_a_saved_notebook_is_valid_and_says_what_the_job_was(shows, tmp_path):
    secret = bg.submit("shows.twice", {"marker": str(tmp_path / "marker")}, retry={"max_attempts": 2, "delay_seconds": 0}).wait(
        DEADLINE
    )
    secret.save_notebook(tmp_path / "kept.ipynb")
    notebook = nbformat.read(tmp_path / "kept.ipynb", as_version=4)
    nbformat.validate(notebook)
    title, cell = notebook.cells
    assert title.source.startswith(f"# job {secret.id}: shows.twice")
    assert cell.outputs[0].text == "this time\n"
    assert [each["outcome"] for each in notebook.metadata.ipybgjobs.attempts] == ["error", "succeeded"]
    again = {}
    exec(cell.source, again)
    assert again["job"].wait(DEADLINE).params == secret.params


@pytest.mark.parametrize("path", ["no/such/folder/x.ipynb", "."])
def test_a_notebook_that_can_not_be_written_is_told_in_one_sentence(shows, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bg.StoreError, match=r"^Can't write .*: [A-Z]"):
        run("streams").save_notebook(path)


# -- a log that is too long -------------------------------------------------------------------------------------------


def test_of_a_log_that_is_too_long_head_and_tail_are_kept_and_what_was_dropped_is_said(shows_alone):
    shows_alone.allow({"shows": NAMES}, BackgroundJobs__max_output_bytes=1_000_000)
    job = bg.submit("shows.floods", {"hold": "go", "lines": 200_000})
    path = shows_alone.state / "jobs" / job.uid / "1" / "output.log"
    until(lambda: path.exists() and path.stat().st_size > 10_000_000, "the flood")
    until(lambda: path.stat().st_blocks * 512 < 1_200_000, "the limit, while it runs")
    text = job.log()
    assert text.startswith("line 0 ")
    assert re.search(r"\n… [\d.]+ MB of output was dropped here \(BackgroundJobs.max_output_bytes\) …\n", text)
    assert "\0" not in text
    assert len(text) < 1_300_000
    (shows_alone.code / "go").touch()
    job.wait(DEADLINE)
    assert job.log().endswith("the end\n")
    assert job.log(tail=2).splitlines()[1] == "the end"
    assert path.stat().st_blocks * 512 < 1_200_000
    first, shown, last = job.outputs()
    assert (first.text[:7], shown.data["text/plain"], last.text) == ("line 0 ", "'in the middle'", "the end\n")
    assert "of output was dropped here" in first.text
    seen = io.StringIO()
    for text in following.follow(job):
        seen.write(text)
    assert seen.getvalue().count("of output was dropped here") == 1
    assert seen.getvalue().endswith("the end\n")


# -- progress ---------------------------------------------------------------------------------------------------------


def test_bars_of_tqdm_are_the_progress_of_the_job(shows_alone):
    pytest.importorskip("tqdm")
    job = bg.submit("shows.bars", {"within": "go.on", "after": "go"})
    until(lambda: job.progress and len(job.progress.bars) == 2, "two bars")
    outer, inner = job.progress.bars
    assert (outer.label, outer.total, inner.label, inner.total) == ("outer", 2, "inner", 3)
    (shows_alone.code / "go.on").touch()
    until(lambda: job.progress.fraction == 1.0 and len(job.progress.bars) == 1, "the end of the loops")
    assert re.fullmatch(r"running, 100 %, \S+ it/s: outer", job.status)
    (shows_alone.code / "go").touch()
    job.wait(DEADLINE)
    [stream] = job.outputs()
    assert stream.text.splitlines()[0].startswith("outer: 100%")
    assert "inner" not in stream.text, "a bar that did not stay has gone"


def test_a_job_says_how_far_it_is_and_who_it_is(shows_alone):
    job = running(bg.submit("shows.reports", {"hold": "go"}, name="counted"))
    until(lambda: job.progress, "the report")
    assert (job.progress.done, job.progress.total, job.progress.fraction) == (3, 4, 0.75)
    assert re.fullmatch(r"running, 75 %(, .* left)?: three of four", job.status)
    assert job.log() == f"{job.id} counted 1 True\n"
    (shows_alone.code / "go").touch()
    assert job.result(DEADLINE) == sum(range(200_000))
    assert [(bar.label, bar.done) for bar in job.progress.bars] == [("", 3)], "the inner loop has gone"


def test_a_loop_that_follows_another_takes_its_place(tmp_path):
    clock = {"now": 0.0}
    reporter = current_job.Reporter(str(tmp_path), lambda: clock["now"])

    def bars():
        reporter.flush()
        return [bar[0] for bar in private_file.read_json(str(tmp_path), attempt.PROGRESS)["bars"]]

    for who, label in ((1, "first"), (2, "in it")):
        reporter.show(who, Bar(label, 1, 2, "it", 1.0, 1.0))
    assert bars() == ["first", "in it"]
    reporter.close(2)
    reporter.close(1)
    reporter.close(9)
    assert bars() == ["first"]
    reporter.show(3, Bar("second", 1, 2, "it", 1.0, 1.0))
    assert bars() == ["second"]


def test_a_report_of_a_message_alone_leaves_the_loops_as_they_are(place):
    place.module(
        "saying",
        """
        import ipybgjobs as bg

        def run():
            bg.report(1, 4, "first")
            bg.report("saving")
            bg.report("phase", message="2")
            bg.report(2, "ending")
        """,
    )
    place.allow({"saying": ["run"]})
    job = bg.submit("saying.run").wait(60)
    assert (job.state, job.progress.message, job.progress.fraction) == ("succeeded", "ending", None)


def test_outside_of_a_job_progress_is_the_loop_alone():
    assert bg.report("phase 1") is None
    assert (list(bg.progress([1, 2])), bg.report(1, 2), bg.current_job()) == ([1, 2], None, None)


def test_progress_is_written_a_few_times_a_second_however_fast_the_loop_is(tmp_path, monkeypatch):
    writes, clock = [], {"now": 100.0}
    monkeypatch.setattr(private_file, "write_json", lambda folder, name, value: writes.append(value["bars"][0][1]))
    reporter = current_job.Reporter(str(tmp_path), lambda: clock["now"])
    for number in range(1000):
        clock["now"] = 100.0 + number / 1000
        reporter.show(1, Bar("", number, 1000, "it", 1.0, 1.0))
    assert writes == [0, 250, 500, 750]
    reporter.flush()
    reporter.flush()
    assert writes[4:] == [999]


@pytest.mark.parametrize(
    ("bars", "message", "said"),
    [
        ([], "", ""),
        ([], "loading", "loading"),
        ([Bar("", 5, None, "it", 1.0, None)], "", "5 it"),
        ([Bar("fit", 25, 100, "it", 5.0, 5.0)], "", "25 %, 15 s left, 5 it/s: fit"),
        ([Bar("fit", 100, 100, "it", 5.0, 5.0)], "", "100 %, 5 it/s: fit"),
        ([Bar("fit", 5, 0, "it", 5.0, 5.0)], "", "5 it, 5 it/s: fit"),
        ([Bar("fit", 1, 4, "it", 5.0, None), Bar("in", 1, 2, "it", 1.0, None)], "epoch\n2", "38 %: epoch\\n2"),
    ],
)
def test_progress_is_said_in_a_few_words_on_one_line(bars, message, said):
    assert str(Progress(tuple(bars), message, 0.0)) == said


# -- following --------------------------------------------------------------------------------------------------------


def test_a_job_is_followed_as_it_prints_and_to_its_end(shows_alone, capsys, monkeypatch):
    job = bg.submit("shows.slowly", {"hold": "go"})
    seen = io.StringIO()

    def write(text):
        seen.write(text)
        if seen.getvalue() == "one\nzwei: ä":
            (shows_alone.code / "go").touch()

    monkeypatch.setattr(sys.stdout, "write", write)
    job.follow()
    assert seen.getvalue() == "one\nzwei: ä\nthree\n"
    assert job.state == "succeeded"


@pytest.mark.crash
def test_a_job_that_is_retried_is_followed_through_its_attempts(shows, capsys, tmp_path):
    bg.submit("shows.twice", {"marker": str(tmp_path / "m")}, retry={"max_attempts": 2, "delay_seconds": 0.1}).follow()
    said = capsys.readouterr().out
    assert said.startswith("this time\nTraceback")
    assert said.endswith("RuntimeError: first run\n--- attempt 2 ---\nthis time\n")


def test_an_interrupt_leaves_the_job_running_and_says_so(shows_alone, capsys, monkeypatch):
    from ipybgjobs.system.watch import FolderWatch

    job = running(bg.submit("shows.slowly", {"hold": "go"}))

    def interrupted(self, seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(FolderWatch, "wait", interrupted)
    job.follow()
    assert capsys.readouterr().out.endswith(
        f"job {job.id} continues (running); job.follow() follows it again, job.cancel() stops it.\n"
    )
    monkeypatch.undo()
    assert job.state == "running"
    (shows_alone.code / "go").touch()
    job.wait(DEADLINE)


def test_a_watch_gives_notice_of_a_change_and_of_nothing_else(tmp_path):
    import threading

    from ipybgjobs.system.watch import FolderWatch

    notice = FolderWatch(str(tmp_path))
    began = time.monotonic()
    notice.wait(0.05)
    assert time.monotonic() - began >= 0.04
    threading.Timer(0.05, (tmp_path / "file").touch).start()
    notice.wait(DEADLINE)
    assert (tmp_path / "file").exists()
    notice.close()


# -- the pure parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stands"),
    [
        ("plain\ntext", "plain\ntext"),
        ("one\rtwo\n", "two\n"),
        ("three\rfo\n", "foree\n"),
        ("a\r\nb", "a\nb"),
        ("\r\r", ""),
        ("ab\bc", "ac"),
        ("ab\b\b\b\bc", "cb"),
        (" 1/2\b\b\b\b 2/2\n", " 2/2\n"),
        ("10%\b\b\b20%", "20%"),
        ("a\x1b]8;;x.org\x07link\rA", "A\x1b]8;;x.org\x07link"),
        ("one\ntwo\x1b[Athree", "onethree\ntwo"),
        ("50%\n  x\r\x1b[A\r100%\n", "100%\n  x"),
        ("hello\r\x1b[Kbye", "bye"),
        ("hello\x1b[2K\rbye", "bye"),
        ("\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n"),
        ("\x1b[31mred\rblue\x1b[0m\n", "blue\x1b[0m\n"),
        ("\x1b[9Aup", "up"),
        ("a\x1b[2Bdown", "a\n\n down"),
        ("a\r\nb\n50%\r100%\nc\n", "a\nb\n100%\nc\n"),
        ("\x1b[1mbold\rnew\x1b[0m\nplain", "newd\x1b[0m\nplain"),
    ],
)
def test_text_stands_as_a_terminal_would_leave_it(written, stands):
    assert terminal_text.settled(written) == stands


def test_records_that_a_crash_has_cut_short_are_passed_over(tmp_path):
    (tmp_path / "output.log").write_bytes(b"text")
    whole = '{"kind": "display", "offset": 2, "data": {"text/plain": "x"}, "metadata": {}, "display_id": null}'
    (tmp_path / "outputs.jsonl").write_text(f'{whole}\n[1]\nnull\n{{"kind": "unknown", "offset": 3}}\n{whole[:40]}')
    assert [(each["output_type"], each.get("text")) for each in outputs.of_attempt(str(tmp_path))] == [
        ("stream", "te"),
        ("display_data", None),
        ("stream", "xt"),
    ]
    assert outputs.of_attempt(str(tmp_path / "nothing")) == []
    assert os.listdir(tmp_path)


# -- what a review found ----------------------------------------------------------------------------------------------


def test_a_look_for_a_module_and_finders_of_the_job_do_not_keep_it_from_displaying(shows_alone):
    shows_alone.module(
        "finders",
        """
        import importlib.util, sys

        class Delegating:
            def find_spec(self, name, path=None, target=None):
                for finder in sys.meta_path:
                    if finder is not self and hasattr(finder, "find_spec"):
                        spec = finder.find_spec(name, path, target)
                        if spec is not None:
                            return spec

        class Wrapping:
            looking = False
            def find_spec(self, name, path=None, target=None):
                if self.looking or name != "IPython":
                    return None
                self.looking = True
                try:
                    return importlib.util.find_spec(name)
                finally:
                    self.looking = False

        def run(kind: str):
            if kind == "delegating":
                sys.meta_path.insert(0, Delegating())
            elif kind == "wrapping":
                sys.meta_path.insert(1, Wrapping())
            elif kind == "probing":
                importlib.util.find_spec("IPython")
                importlib.util.find_spec("tqdm.std")
            from IPython.display import HTML, display
            display(HTML("<b>x</b>"))
        """,
    )
    shows_alone.allow({"finders": ["run"]})
    for kind in ("probing", "delegating", "wrapping"):
        job = bg.submit("finders.run", {"kind": kind}).wait(DEADLINE)
        assert brief(job.outputs()) == [("display_data", {"text/html": "<b>x</b>"})], (kind, job.error)


def test_what_is_said_of_progress_harms_neither_the_job_nor_who_looks(shows_alone):
    shows_alone.module(
        "says",
        """
        import os, threading, time
        import ipybgjobs as bg

        class Long:
            def __len__(self): raise RuntimeError("no length")
            def __iter__(self): return iter(range(2))

        def run(hold: str):
            bg.report(1, float("inf"), "endless")
            list(bg.progress(Long()))
            threads = [threading.Thread(target=lambda: [list(bg.progress(range(3))) for _ in range(200)]) for _ in range(4)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            if os.fork() == 0:
                list(bg.progress(range(5), label="child"))
                os._exit(0)
            os.wait()
            bg.report(2, 10, "newest")
            while not os.path.exists(hold):
                time.sleep(0.01)
        """,
    )
    shows_alone.allow({"says": ["run"]})
    job = bg.submit("says.run", {"hold": str(shows_alone.code / "go")})
    until(lambda: job.progress and job.progress.message == "newest", "the newest report, though nothing follows it")
    assert [(bar.label, bar.done) for bar in job.progress.bars] == [("", 2)]
    assert job.status.startswith("running, 20 %")
    (shows_alone.code / "go").touch()
    job.result(DEADLINE)


@pytest.mark.parametrize(
    "text", ['{"a": 1}', '{"bars": [[1]], "message": "", "at": 0}', "[]", '{"bars": [["", NaN, Infinity, "", 1, 1]], ']
)
def test_progress_that_makes_no_sense_is_none(tmp_path, text):
    from ipybgjobs.state import progress

    (tmp_path / "progress.json").write_text(text)
    assert progress.of_attempt(str(tmp_path)) is None
    endless = '{"bars": [["", NaN, Infinity, "", 1, 1e-300]], "message": "m", "at": 0}'
    (tmp_path / "progress.json").write_text(endless)
    assert str(progress.of_attempt(str(tmp_path))) == "0: m"


def test_a_secret_is_blanked_in_outputs_and_in_the_notebook(shows_alone, tmp_path):
    shows_alone.module(
        "leaky", "def run(token: str):\n    print('using', token)\n    raise ValueError('bad token ' + token + ' \\ud800')\n"
    )
    shows_alone.allow({"leaky": ["run"]})
    job = bg.submit("leaky.run", {"token": "a-very-secret-token"}).wait(DEADLINE)
    job.save_notebook(tmp_path / "kept.ipynb")
    assert "a-very-secret-token" not in str(job.outputs()) + (tmp_path / "kept.ipynb").read_text()
    assert "•••" in job.outputs()[0].text


def test_a_log_that_is_shortened_while_it_is_read_shows_no_zeros(tmp_path, monkeypatch):
    from ipybgjobs.state.text_log import TextLog
    from ipybgjobs.supervisor import log_limit
    from ipybgjobs.system import sparse

    path = tmp_path / "output.log"
    path.write_bytes(b"line of text\n" * 100_000)
    log = TextLog(str(tmp_path))
    log_limit.shorten(str(tmp_path), 65_536)
    assert "\0" not in log.text()
    with path.open("ab") as file:
        file.write(b"more\n" * 100_000)
    monkeypatch.setattr(sparse, "punch", lambda *_: False)
    log_limit.shorten(str(tmp_path), 65_536)
    assert "\0" not in TextLog(str(tmp_path)).text()


def test_where_no_hole_can_be_made_the_head_is_kept_and_what_comes_after_and_the_file_is_within_its_limit(tmp_path, monkeypatch):
    from ipybgjobs.state.text_log import TextLog
    from ipybgjobs.supervisor import log_limit
    from ipybgjobs.system import sparse

    monkeypatch.setattr(sparse, "punch", lambda *_: False)
    path = tmp_path / "output.log"
    with path.open("ab", buffering=0) as file:  # as a job holds it
        for number in range(3):
            file.write(b"line of text\n" * 100_000)
            log_limit.shorten(str(tmp_path), 65_536)
            assert path.stat().st_blocks * 512 <= 65_536
            file.write(b"after %d\n" % number)
    text = TextLog(str(tmp_path)).text()
    assert text.startswith("line of text\n")
    assert "MB of output was dropped here" in text
    assert text.endswith("\nafter 2\n")
    assert "\0" not in text
    assert TextLog(str(tmp_path)).tail(1) == "after 2\n"


def test_sequences_that_would_fill_the_memory_are_bounded():
    assert len(terminal_text.settled("\x1b[20000000Bx")) < 1000
    assert terminal_text.settled("\x1b[" + "9" * 5000 + "B\x1b[9999Aup").startswith("up")


@pytest.mark.parametrize("piece", ["\x1b[500B", "\x1b[31m", "x\x1b[A", "\x1b[Bx", "\n\x1b[500B\x1b[999A", "\b", "\x1b]8;;x\x07"])
@pytest.mark.parametrize("before", ["x\r", "\n" * 2000 + "x" * 50_000 + "\r\x1b[999A" * 3])
def test_what_stands_takes_no_more_room_than_its_text_and_a_constant(before, piece):
    """Each of these made gigabytes of a megabyte, or hours of seconds."""
    text = before + piece * (1_000_000 // len(piece))
    stands = terminal_text.settled(text)
    assert len(stands) <= len(text) + 101_000
    assert stands.count("\n") <= text.count("\n") + 500


@settings(deadline=None)
@given(st.text(st.sampled_from("ab[]0;8KABJHm\\ <(\r\n\b\x07\x1b")))
def test_a_text_that_stands_stays_as_it_is(text):
    stands = terminal_text.settled(text)
    assert terminal_text.settled(stands) == stands
    assert "\b" not in stands


def attempt_of(folder, *records):
    """What an attempt has displayed, written by anybody."""
    (folder / attempt.OUTPUTS).write_text("".join(json.dumps(record) + "\n" for record in records))
    return outputs.of_attempt(str(folder))


def shown_as(text, name="same", kind="display"):
    return {"kind": kind, "offset": 0, "data": {"text/plain": text}, "metadata": {}, "display_id": name}


def test_displays_of_one_id_all_look_like_the_last_and_each_costs_the_same_however_many_there_are(tmp_path):
    many = 20_000  # each of which changed all before it: 200,000,000 changes
    found = attempt_of(tmp_path, *(shown_as(number) for number in range(many)), shown_as("end", kind="update"))
    assert [each["data"]["text/plain"] for each in found] == ["end"] * many
    assert all(each.keys() == {"output_type", "data", "metadata"} for each in found)


def test_an_update_of_what_was_cleared_shows_nothing(tmp_path):
    clear = {"kind": "clear", "offset": 0, "wait": False}
    found = attempt_of(tmp_path, shown_as("old"), clear, shown_as("new", kind="update"), shown_as("other", "other"))
    assert [each["data"]["text/plain"] for each in found] == ["other"]


def test_a_look_that_exits_does_not_unmake_a_success(shows_alone):
    shows_alone.module(
        "looks",
        "import sys\nclass Exits:\n    def _repr_html_(self): sys.exit(3)\n    def __repr__(self): return 'Exits()'\n"
        "def run():\n    return Exits()\n",
    )
    shows_alone.allow({"looks": ["run"]})
    assert bg.submit("looks.run").wait(DEADLINE).state == "succeeded"


def test_a_job_that_is_removed_while_it_is_followed_is_told_in_one_line(shows, capsys):
    job = run("streams")
    job.remove()
    job.follow()
    assert "is no longer in" in capsys.readouterr().out
