"""The panel's scripts: the log's small terminal, the order of jobs, the words, in a real Chromium; and how they are joined."""

import re
from importlib import resources

import pytest

from ipybgjobs.panel import web
from ipybgjobs.panel.rows import COLUMNS
from support.browser import chromium


@pytest.fixture(scope="module")
def page():
    """A page with the scripts' names in `window.ours`."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    script = (
        web.script("widget")
        + "\nwindow.ours = { Terminal, Jobs, duration, size, status, waits, described,"
        + " stateWords, pausedWords, far, mount, dressOutputs };\n"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        made = browser.new_page()
        made.add_script_tag(content=script, type="module")
        made.wait_for_function("window.ours")
        yield made
        browser.close()


#: What is written, piece by piece, and what stands there then.
TEXTS = [
    (["one\ntwo\n"], "one\ntwo\n"),
    (["10%\r50%\r100%\n"], "100%\n"),
    (["long line\rshort\x1b[K\n"], "short\n"),
    (["a\nb\n\x1b[2Ac\n"], "c\nb\n"),
    (["\x1b[?25lhidden\x1b[?25h \x1b(Bplain\n"], "hidden plain\n"),
    (["\x1b]0;title\x07text\n"], "text\n"),
    (["\x1b[3", "1mred\x1b[", "0m\n"], "red\n"),
    (["x\b\by\n"], "y\n"),
    (["<b>text</b>\n"], "<b>text</b>\n"),
]


@pytest.mark.parametrize(("pieces", "shown"), TEXTS)
def test_a_log_looks_as_in_a_terminal(page, pieces, shown):
    script = """pieces => { const node = document.createElement("pre"); document.body.replaceChildren(node);
        const terminal = new ours.Terminal(node); pieces.forEach((piece) => terminal.write(piece)); return node.innerText; }"""
    assert page.evaluate(script, pieces).rstrip("\n") == shown.rstrip("\n")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("31", "t-fore-red"),
        ("92", "t-fore-green"),
        ("38;5;4", "t-fore-blue"),
        ("38;5;31", ""),
        ("38;2;0;200;4", ""),
        ("1;34", "t-bold t-fore-blue"),
    ],
)
def test_colours_are_those_that_are_meant(page, code, name):
    script = """code => { const node = document.createElement("pre"); document.body.replaceChildren(node);
        new ours.Terminal(node).write(`\\x1b[${code}mtext\\x1b[0m`); return (node.querySelector("span") || node).className; }"""
    assert page.evaluate(script, code) == name


def test_a_frame_that_is_still_loading_is_passed_over_and_the_others_take_the_colours(page):
    script = """() => { const node = document.createElement("div"), loading = document.createElement("iframe");
        const loaded = document.createElement("iframe"); document.body.replaceChildren(node);
        node.style.color = "rgb(1, 2, 3)"; node.append(loading, loaded);
        loading.contentDocument.documentElement.remove(); ours.dressOutputs(node);
        return loaded.contentDocument.documentElement.style.color; }"""
    assert page.evaluate(script) == "rgb(1, 2, 3)"


def test_a_line_that_never_ends_and_a_log_that_is_long_stay_small(page):
    script = """() => { const node = document.createElement("pre"); document.body.replaceChildren(node);
        const terminal = new ours.Terminal(node);
        terminal.write("\\x1b[500C".repeat(10000) + "x".repeat(20000)); terminal.write("line\\n".repeat(5000));
        return [node.childNodes.length, Math.max(...[...node.childNodes].map((line) => line.textContent.length))]; }"""
    lines, longest = page.evaluate(script)
    assert lines <= 2001
    assert longest <= 4000


#: Rows as `panel/rows.py` writes them.
JOBS = """
    const jobs = new ours.Jobs(() => 1000);
    const row = (id, state, more = {}) => [
        id, state, more.name ?? null, "m.f()", more.queue ?? "default", more.priority ?? 0, 100, more.started ?? null,
        more.ended ?? null, more.due ?? null, more.attempt ?? 0, 3];
"""


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("jobs.take([row(1, 'queued'), row(3, 'queued'), row(2, 'queued')]); return jobs.order;", [3, 2, 1]),
        (
            (
                "jobs.sort = {column: 'priority', descending: true};"
                "jobs.take([row(1, 'queued'), row(2, 'queued', {priority: 5})]);"
                "jobs.take([row(1, 'queued', {priority: 9})]); return jobs.order;"
            ),
            [1, 2],
        ),
        (
            (
                "jobs.filter.phases.add('running'); jobs.take([row(1, 'running'), row(2, 'queued')]);"
                "jobs.take([row(2, 'running')]);"
                "jobs.take([row(1, 'failed')]); return jobs.order;"
            ),
            [2],
        ),
        (
            "jobs.take([row(1, 'retrying'), row(2, 'queued', {attempt: 1})]); return [jobs.counts.retrying, jobs.counts.queued];",
            [1, 1],
        ),
        (
            "jobs.take([row(1, 'running')]); jobs.drop([1]); jobs.drop([1]); return [jobs.order.length, jobs.counts.running];",
            [0, 0],
        ),
        (
            (
                "jobs.take([row(1, 'running', {attempt: 1})]); jobs.takeProgress([[1, 0.6, 6, 10, 'it', 1, 4, '']]);"
                "jobs.take([row(1, 'running', {attempt: 2})]); return jobs.progress.size;"
            ),
            0,
        ),
        (
            (
                "jobs.take(Array.from({length: 1200}, (_, n) => row(n + 1, n ? 'queued' : 'running'))); jobs.trim(100);"
                "return [jobs.all.size, jobs.all.has(1), jobs.all.has(2), jobs.order[0]];"
            ),
            [101, True, False, 1200],
        ),
    ],
)
def test_jobs_stay_in_order_and_are_counted_as_they_change(page, script, result):
    assert page.evaluate(f"() => {{ {JOBS} {script} }}") == result


def test_a_change_of_any_kind_leaves_the_same_order_as_sorting_all_anew(page):
    script = """() => {
        let seed = 7; const draw = (n) => (seed = (seed * 16807) % 2147483647) % n;
        const states = ["queued", "running", "failed", "succeeded"];
        for (const column of ["id", "state", "priority", "queue", "job"]) {
            JOBS
            jobs.sort = { column, descending: draw(2) === 1 };
            for (let turn = 0; turn < 400; turn++) {
                const id = 1 + draw(60);
                if (draw(10) === 0) jobs.drop([id]);
                else jobs.take([row(id, states[draw(4)], { priority: draw(5), queue: "q" + draw(3), name: "n" + draw(9) })]);
            }
            const found = jobs.order.join(); jobs.arrange();
            if (found !== jobs.order.join()) return column;
        }
        return "same";
    }"""
    assert page.evaluate(script.replace("JOBS", JOBS)) == "same"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("ours.duration(0.012)", "12 ms"),
        ("ours.duration(200)", "3 m 20 s"),
        ("ours.size(4200)", "4.2 kB"),
        ("ours.size(37e6)", "37 MB"),
        ("ours.status({state: 'retrying', attempt: 1, allowed: 3})", "retrying, 2 of 3"),
        ("ours.status({state: 'queued', attempt: 2, allowed: 3})", "queued"),
        ("ours.status({state: 'running', attempt: 2, allowed: 3})", "running, 2 of 3"),
        ("ours.status({state: 'running', attempt: 1, allowed: 3, elsewhere: 'node7'})", "running on node7"),
        ("ours.waits({state: 'queued', blockers: 2, after: [4, 7]}, HELD)", "after job 4, job 7"),
        ("ours.waits({state: 'queued', blockers: 9, after: [4, 7, 8]}, HELD)", "after job 4, job 7, job 8 and 6 more"),
        ("ours.waits({state: 'retrying', blockers: 1, after: [4]}, HELD)", "after job 4"),
        ("ours.waits({state: 'queued', queue: 'cpu'}, HELD)", "queue cpu is paused"),
        ("ours.waits({state: 'queued', queue: 'gpu'}, HELD)", "slots taken: job 3, job 5 and 1 more"),
        ("ours.waits({state: 'queued', queue: 'default'}, HELD)", ""),
        ("ours.waits({state: 'running', queue: 'gpu'}, HELD)", ""),
        ("ours.described({state: 'running', attempt: 1, USUAL}, HELD, 399)", "running · usually 2 m"),
        ("ours.described({state: 'running', attempt: 1, USUAL}, HELD, 401)", "running · overdue · usually 2 m"),
        ("ours.described({state: 'succeeded', attempt: 1, USUAL}, HELD, 401)", "succeeded"),
        ("ours.stateWords({state: 'running', attempt: 2, allowed: 3, USUAL}, 401)", "overdue, 2 of 3"),
        ("ours.stateWords({state: 'running', attempt: 1, USUAL}, 399)", "running"),
        ("ours.pausedWords(['gpu'])", "Queue gpu is paused."),
        ("ours.pausedWords(['a', 'b', 'c'])", "Queues a, b and c are paused."),
        ("ours.far({share: 0.456, done: 1, total: 2, unit: 'it', rate: 2.123, left: 65})", "46 % · 1 m 5 s left · 2.12 it/s"),
    ],
)
def test_the_words_are_those_of_the_command_line(page, script, words):
    script = script.replace("HELD", "{paused: ['cpu'], full: {gpu: [3, 3, 5]}}").replace("USUAL", "usual: ['usually 2 m', 400]")
    assert page.evaluate(script) == words


#: A panel over a transport that only notes what is sent.
MOCK = """
    const sent = []; let take = null;
    const transport = { send: (message) => { if (window.broken) throw new Error(); sent.push(message); },
        listen: (function_) => { take = function_; return () => {}; } };
    window.broken = false;
    const row = (id, state, more = {}) => [id, state, null, "m.f()", more.queue ?? "default", 0, 100, 900, null, null, 1, 3];
    const root = document.createElement("div"); document.body.replaceChildren(root);
    const first = (rows) => ({ kind: "rows", now: Date.now() / 1000, seq: 1, rows, count: rows.length, most: 20000, whole: true,
        oldest: 1, paused: [] });
"""


def test_a_command_that_can_not_be_sent_says_so_and_leaves_no_job_waiting(page):
    script = f"""async () => {{ {MOCK}
        const panel = ours.mount(root, transport, first([row(1, "queued")])); panel.draw();
        window.broken = true; await panel.act("cancel", [1]); window.broken = false;
        return [panel.said, panel.table.busy.size]; }}"""
    assert page.evaluate(script) == ["Not connected: the request was not sent.", 0]


def test_the_clock_of_the_other_side_is_learned_from_each_sign_of_life(page):
    script = f"""() => {{ {MOCK}
        const panel = ours.mount(root, transport, {{ ...first([row(1, "running")]), now: 1000 }});
        take({{ kind: "here", view: panel.link.view, now: Date.now() / 1000 }});
        return Math.abs(panel.offset) < 5; }}"""
    assert page.evaluate(script) is True


def test_what_is_meant_for_another_view_changes_nothing_and_a_lost_piece_is_asked_for(page):
    script = f"""() => {{ {MOCK}
        const panel = ours.mount(root, transport, {{ ...first([row(9, "queued")]), whole: false, oldest: 9 }});
        take({{ kind: "rows", view: "another", seq: 5, rows: [], oldest: 0, whole: true }});
        const before = [panel.jobs.all.size, panel.link.whole];
        sent.length = 0;
        take({{ kind: "older", view: panel.link.view, before: 7, rows: [row(6, "queued")], whole: true }});
        return [...before, panel.jobs.all.size, panel.link.whole, sent.map(({{ kind, whole }}) => [kind, whole])]; }}"""
    assert page.evaluate(script) == [1, False, 1, False, [["look", False]]]


def test_jobs_are_counted_as_they_come_and_go_without_asking(page):
    script = f"""() => {{ {MOCK}
        const panel = ours.mount(root, transport, {{ ...first([row(9, "queued")]), count: 30 }});
        take({{ kind: "delta", base: 1, seq: 2, rows: [row(10, "queued"), row(9, "running"), row(3, "failed")], gone: [4, 5] }});
        take({{ kind: "delta", base: 2, seq: 3, rows: [row(10, "running")], gone: [] }});
        return panel.count; }}"""
    assert page.evaluate(script) == 29


def test_the_queue_that_is_chosen_stays_chosen_when_its_last_job_goes(page):
    script = f"""() => {{ {MOCK}
        const panel = ours.mount(root, transport, first([row(1, "queued"), row(2, "queued", {{ queue: "gpu" }})])); panel.draw();
        panel.toolbar.queue.value = "gpu"; panel.toolbar.filter();
        take({{ kind: "delta", base: 1, seq: 2, rows: [], gone: [2] }}); panel.draw();
        return [panel.toolbar.queue.value, panel.jobs.filter.queue, panel.jobs.order.length]; }}"""
    assert page.evaluate(script) == ["gpu", "gpu", 0]


def test_a_card_of_a_job_that_is_gone_names_it(page):
    script = f"""() => {{ {MOCK}
        const card = ours.mount(root, transport, {{ ...first([]), only: 7 }}); card.draw(); return root.innerText; }}"""
    assert "job 7 (removed)" in page.evaluate(script)


def test_what_an_earlier_attempt_has_shown_is_asked_for_and_stays_when_the_attempts_are_drawn_again(page):
    script = f"""() => {{ {MOCK}
        const panel = ours.mount(root, transport, first([row(1, "failed")])); panel.draw(); panel.open(1);
        const attempt = (number) => ({{ number, outcome: "error", started_at: "2026-01-01T00:00:00Z", signal: null }});
        const detail = {{ kind: "detail", job: 1, code: "", facts: {{}}, attempts: [attempt(1), attempt(2), attempt(3)] }};
        take(detail);
        panel.detail.choose("attempts");
        const buttons = [...root.querySelectorAll("[data-attempt]")];
        sent.length = 0;
        buttons[1].focus(); buttons[1].click();
        const text = {{ output_type: "stream", name: "stdout", text: "of the second\\n" }};
        take({{ kind: "outputs", job: 1, attempt: 2, outputs: [text] }});
        take(detail);
        return [buttons.map((each) => each.title), sent.map(({{ kind, job, attempt }}) => [kind, job, attempt]),
            panel.detail.panes.attempts.innerText.split("\\n").slice(-2), document.activeElement.dataset.attempt,
            panel.detail.panes.outputs.innerText]; }}"""
    titles, asked, shown, focus, newest = page.evaluate(script)
    assert titles == ["Show log and outputs of attempt 1", "Show log and outputs of attempt 2"]
    assert (asked, focus, newest) == ([["outputs", 1, 2]], "2", "")
    assert [line for line in shown if line] == ["of the second"]


# -- how the files are joined ------------------------------------------------------------------------------------------------


def test_the_script_is_one_module_without_imports_and_no_name_stands_in_two_of_its_files():
    parts = [web.read(f"{name}.js") for name in web._PARTS]
    names = [
        name
        for text in parts
        for name in re.findall(r"^(?:export )?(?:const|let|class|function|async function) (\w+)", text, re.MULTILINE)
    ]
    assert sorted(names) == sorted(set(names))
    for entry in ("widget", "page"):
        script = web.script(entry)
        assert not re.search(r"^\s*import ", script, re.MULTILINE)
        own = re.findall(r"^(?:const|let|class|function) (\w+)", web.read(f"{entry}.js"), re.MULTILINE)
        assert not set(own) & set(names)
    assert len(re.findall(r"^export ", web.script("widget"), re.MULTILINE)) == 1


def test_every_name_that_a_file_imports_is_exported_by_the_other_and_stands_before_it():
    for place_, name in enumerate(web._PARTS):
        for names, other in re.findall(r'^import \{([^}]*)\} from "\./(\w+)\.js";', web.read(f"{name}.js"), re.MULTILINE):
            exported = re.findall(r"^export (?:const|class|function|async function) (\w+)", web.read(f"{other}.js"), re.MULTILINE)
            assert {each.strip() for each in names.split(",") if each.strip()} <= set(exported), (name, other)
            assert web._PARTS.index(other) < place_


def test_the_scripts_never_set_markup():
    for name in [*web._PARTS, "widget", "page"]:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", web.read(f"{name}.js")), name


def test_rows_are_read_in_the_order_in_which_they_are_written():
    listed = re.search(r"const COLUMNS = \[(.*?)\];", web.read("jobs.js"), re.DOTALL)
    assert re.findall(r'"(\w+)"', listed[1]) == list(COLUMNS)
    assert resources.files("ipybgjobs.panel.web").joinpath("panel.css").is_file()
