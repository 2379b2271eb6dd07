"""The panel's scripts: the log's small terminal, the order of jobs, the words, in a real Chromium; and how they are joined."""

import re
from importlib import resources

import pytest

from ipybgjobs.panel import web
from ipybgjobs.panel.rows import COLUMNS
from ipybgjobs.panel.session import VERSION
from support.browser import chromium


@pytest.fixture(scope="module")
def page():
    """A page with the scripts' names in `window.ours`."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    script = (
        web.script("widget")
        + "\nwindow.ours = { Terminal, Jobs, duration, size, status, waits, described,"
        + " stateWords, pausedWords, far, mount, dressOutputs, VERSION, piecesOf, commonOf, codeOf, momentOf, markdown };\n"
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        made = browser.new_page()
        made.add_style_tag(content=web.style())
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


def test_many_jobs_at_once_leave_the_same_order_and_counts_as_sorting_all_anew(page):
    script = """() => {
        let seed = 7; const draw = (n) => (seed = (seed * 16807) % 2147483647) % n;
        const states = ["queued", "running", "failed", "succeeded"];
        const told = (jobs) =>
            [jobs.order, STATES.map((name) => jobs.counts[name]), jobs.entries, [...jobs.groups.shown.values()]];
        const STATES = Object.keys((() => { JOBS return jobs.counts; })());
        for (const column of ["id", "state", "elapsed", "priority", "queue", "job"]) for (const descending of [true, false]) {
            JOBS
            const drawn = () => [...row(1 + draw(900), states[draw(4)], {
                priority: draw(5), queue: "q" + draw(3), name: "n" + draw(9), started: draw(50) }),
                null, null, draw(3) ? 1 + draw(9) : null];
            jobs.sort = { column, descending };
            if (draw(2)) jobs.filter.phases.add("failed").add("queued");
            if (draw(2)) jobs.filter.type("n1", 1000);
            for (let turn = 0; turn < 12; turn++) {
                jobs.take(Array.from({ length: turn % 3 ? 150 : 3 }, drawn));
                const found = JSON.stringify(told(jobs)); jobs.arrange();
                if (found !== JSON.stringify(told(jobs))) return [column, descending, turn];
            }
        }
        return "same";
    }"""
    assert page.evaluate(script.replace("JOBS", JOBS)) == "same"


def test_a_part_of_the_rows_costs_the_same_however_many_are_there(page):
    script = """() => {
        JOBS
        let looks = 0; const passes = jobs.filter.passesRest.bind(jobs.filter);
        jobs.filter.passesRest = (job) => (looks++, passes(job));
        const costs = [];
        for (let top = 5000; top > 0; top -= 1000) {
            looks = 0; jobs.take(Array.from({ length: 1000 }, (_, n) => row(top - n, "succeeded"))); costs.push(looks);
        }
        return [new Set(costs).size, jobs.order.length];
    }"""
    assert page.evaluate(script.replace("JOBS", JOBS)) == [1, 5000]


def test_a_change_within_a_group_arranges_nothing_anew_and_is_seen_in_its_row(page):
    script = f"""() => {{ {MOCK}
        const line = (id, state) => [...row(id, state), null, null, id < 6 ? 8 : null];
        const panel = ours.mount(root, transport, first([7, 6, 5, 4, 3].map((id) => line(id, "running")))); panel.draw();
        const words = () => root.querySelector(".b-of-counts").textContent;
        const seen = [words()], {{ version }} = panel.jobs;
        take({{ kind: "delta", base: 1, seq: 2, rows: [line(4, "failed")] }}); panel.draw();
        return [...seen, words(), panel.jobs.version === version]; }}"""
    assert page.evaluate(script) == ["3 jobs: 3 running", "3 jobs: 1 failed, 2 running", True]


def test_what_neighbours_have_in_common_is_worked_out_once_for_many_rows(page):
    script = f"""() => {{ {LOOP}
        root.style.width = "848px";
        const lines = Array.from({{ length: 900 }}, (_, n) => line(900 - n, `m.E.f(s=2.0, i=${{n}})`));
        const panel = ours.mount(root, transport, first(lines)), {{ neighbours }} = panel.table;
        let many = 0; const find = neighbours.find.bind(neighbours); neighbours.find = (job) => (many++, find(job));
        panel.draw();
        const rows = [...root.querySelectorAll(".b-job .b-of-job")];
        return [many, rows.length > 15, rows.every((node) => node.textContent.endsWith(")s=2.0"))]; }}"""
    assert page.evaluate(script) == [1, True, True]


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
        listen: (function_) => { take = (message) => function_({ version: ours.VERSION, ...message }); return () => {}; } };
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


def test_a_part_that_was_lost_is_asked_for_with_what_the_page_has_and_one_that_comes_twice_is_not(page):
    script = f"""() => {{ {MOCK}
        const panel = ours.mount(root, transport, {{ ...first([row(9, "queued")]), whole: false, oldest: 9 }});
        const asked = () => sent.splice(0).map(({{ kind, seq, whole, oldest, gap }}) => [kind, seq, whole, oldest, gap]);
        const part = (before, ids, whole = false) =>
            take({{ kind: "older", before, rows: ids.map((id) => row(id, "queued")), whole }});
        panel.link.look(); const seen = [asked()];
        take({{ ...first([row(9, "queued"), row(8, "queued")]), seq: 2, whole: false, oldest: 8 }});
        part(8, [7, 6]); part(8, [7, 6]); seen.push(asked());
        panel.link.look(); seen.push(asked());
        part(4, [3, 2]); seen.push(asked(), panel.jobs.order.join());
        part(6, [5, 4]); part(4, [3, 2], true); panel.link.look(); seen.push(asked(), panel.jobs.order.join());
        take({{ kind: "delta", base: 5, seq: 6, rows: [] }}); seen.push(asked());
        return seen; }}"""
    assert page.evaluate(script) == [
        [["look", 1, False, None, False]],
        [],
        [["look", 2, False, 6, False]],
        [["look", 2, False, 6, True]],
        "9,8,7,6",
        [["look", 2, True, 2, False]],
        "9,8,7,6,5,4,3,2",
        [["look", 2, False, None, False]],
    ]


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
    assert (asked, focus, newest) == ([["outputs", 1, 2]], "2", "Loading…")
    assert [line for line in shown if line] == ["of the second"]


# -- calls, groups, filters, selection -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "shown"),
    [
        (["sweep.Exp.slow(seconds=60, i=1)", "sweep.Exp.slow(seconds=60, i=2)"], ["Exp.slow(i=1)", "seconds=60"]),
        (["a.b.func(b=1, a=1499)"], ["b.func(b=1, a=1499)", ""]),
        (
            ["a.Exp(lr=0.1, n=(1, 2)).fit(x='a, b)')", "a.Exp(lr=0.2, n=(1, 2)).fit(x='a, b)')"],
            ["Exp(lr=0.1).fit()", "n=(1, 2), x='a, b)'"],
        ),
        (["a.f(x=[1, {'k': 'it\\'s, (so'}], y=2)", "a.f(x=[], y=2)"], ["a.f(x=[1, {'k': 'it\\'s, (so'}])", "y=2"]),
        (["a.f(x='cut in the mid…dle, y=3)"], ["a.f(x='cut in the mid…dle, y=3))", ""]),
        (["f()"], ["f()", ""]),
    ],
)
def test_of_a_call_what_differs_comes_first_and_the_module_is_left_out(page, calls, shown):
    script = """calls => { const all = calls.map((call) => ours.piecesOf({ call }));
        const { target, given, rest } = ours.codeOf(all[0], all.length > 1 ? ours.commonOf(all) : undefined);
        return [target + given, rest]; }"""
    assert page.evaluate(script, calls) == shown


#: Jobs 1 to 9: those of group 8 ("sweep") are 2 to 5, that of group 9 is 6.
GROUPED = """
    const jobs = new ours.Jobs(() => 1e6);
    const row = (id, state, group = null, more = {}) => [
        id, state, null, `m.E.f(s=1, i=${id})`, more.queue ?? "default", 0, 1e6 - 60 * id,
        1, null, null, 1, 3, null, null, group, null, null, null, null, group === 8 ? "sweep" : null, more.notebook ?? null];
    const rows = [row(1, "failed"), ...[2, 3, 4, 5].map((id) => row(id, id % 2 ? "running" : "queued", 8)), row(6, "running", 9),
        row(7, "queued", null, { queue: "gpu" }), row(8, "queued", null, { notebook: "day one.ipynb" }), row(9, "queued")];
    jobs.take(rows);
    const typed = (text) => { jobs.filter.type(text, 1e6); jobs.arrange(); return jobs.order.join(); };
"""


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("return jobs.entries;", [9, 8, 7, 6, "g8", 1]),
        ("jobs.toggle(8); return jobs.entries;", [9, 8, 7, 6, "g8", 5, 4, 3, 2, 1]),
        ("jobs.toggle(8); jobs.toggle(8); return jobs.entries;", [9, 8, 7, 6, "g8", 1]),
        ("return jobs.idsOf('g8');", [5, 4, 3, 2]),
        ("jobs.entries; return jobs.groups.shown.get('g8').counts;", {"running": 2, "queued": 2}),
        ("jobs.entries; jobs.take([row(4, 'failed', 8)]); jobs.entries; return jobs.groups.shown.get('g8').counts.failed;", 1),
        ("jobs.drop([3, 4, 5]); return jobs.entries;", [9, 8, 7, 6, 2, 1]),
        ("typed('state:running'); return jobs.entries;", [6, "g8"]),
        ("typed('i=4'); return jobs.entries;", [4]),
        ("return typed('group:8');", "5,4,3,2"),
        ("return typed('group:swe i=3');", "3"),
        ("return typed('sweep');", "5,4,3,2"),
        ("return typed('group:9');", "6"),
        ("return typed('queue:gpu');", "7"),
        ("return typed('gpu');", "7"),
        ("return typed('notebook:\"day one\"');", "8"),
        ("return typed('day one');", "8"),
        ("return typed('since:3m');", "3,2,1"),
        ("return [typed('since:3'), jobs.filter.fault];", ["", "3 is not a time: 30m, 2h, 3d, 14:00 or 2026-11-27."]),
        ("typed('queue:'); return jobs.filter.any;", False),
        ("jobs.filter.span = 180; return typed('');", "3,2,1"),
        ("return [...jobs.groups.commonIn(8, jobs.all).keys()];", ["0 s=1"]),
        ("jobs.groups.commonIn(8, jobs.all); jobs.drop([2, 3, 4]); return jobs.groups.commonIn(8, jobs.all) ?? 'one';", "one"),
    ],
)
def test_jobs_of_a_group_are_one_entry_that_unfolds_and_filters_know_groups_queues_notebooks_and_times(page, script, result):
    assert page.evaluate(f"() => {{ {GROUPED} {script} }}") == result


@pytest.mark.parametrize(
    ("text", "seconds"), [("2h", 7200), ("30m", 1800), ("1.5d", 129600), ("2x", None), ("", None), ("2026-13-40", None)]
)
def test_a_time_is_typed_as_a_span(page, text, seconds):
    found = page.evaluate("text => { const at = ours.momentOf(text, 1e9); return at === null ? null : 1e9 - at; }", text)
    assert found == seconds


def test_a_time_of_the_day_is_the_last_one(page):
    script = """text => { const now = Date.now() / 1000, at = ours.momentOf(text, now);
        return [now - at, new Date(at * 1000).getHours()]; }"""
    ago, hour = page.evaluate(script, "14:00")
    assert 0 <= ago <= 86400
    assert hour == 14


#: A panel of the same jobs; what was sent is in `sent`.
GROUPED_PANEL = (
    MOCK
    + GROUPED.replace("const row = ", "const line = ").replace("row(", "line(")
    + """
    const panel = ours.mount(root, transport, { ...first([]), rows }); panel.draw();
    const { table } = panel, { selection } = table;
    const commands = () => sent.filter(({ kind }) => kind === "command").map(({ verb, jobs }) => [verb, jobs]);
    const key = (name, more = {}) => table.grid.dispatchEvent(new KeyboardEvent("keydown", { key: name, ...more }));
    const box = (entry) => table.rows.get(entry).node.querySelector(".b-box");
    const click = (node, more = {}) => node.dispatchEvent(new MouseEvent("click", { bubbles: true, ...more }));
    const chosen = () => selection.chosen.sort((a, b) => a - b).join();
    const all = () => table.all.getAttribute("aria-checked");
"""
)


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("click(box(9)); click(box(6), { shiftKey: true }); return chosen();", "6,7,8,9"),
        ("click(box(9)); click(box(6), { shiftKey: true }); click(box(8), { shiftKey: true }); return chosen();", "8,9"),
        ("click(table.rows.get(9).node); click(table.rows.get(7).node, { shiftKey: true }); return chosen();", "7,8,9"),
        (
            "key('ArrowDown'); key('ArrowDown', { shiftKey: true }); key('ArrowDown', { shiftKey: true }); return chosen();",
            "7,8,9",
        ),
        (
            "key('ArrowDown'); key('End', { shiftKey: true }); key('ArrowUp', { shiftKey: true }); return chosen();",
            "2,3,4,5,6,7,8,9",
        ),
        (
            "click(box('g8')); return [chosen(), box('g8').closest('[role=row]').getAttribute('aria-selected')];",
            ["2,3,4,5", "true"],
        ),
        ("panel.table.fold(8); click(box(3)); return table.rows.get('g8').node.dataset.mixed;", "true"),
        (
            (
                "const seen = [all()]; click(box(9)); seen.push(all()); click(table.all); seen.push(all());"
                "click(table.all); return [...seen, all()];"
            ),
            ["false", "mixed", "true", "false"],
        ),
        (
            "typed('gpu'); panel.jobs.filter.type('gpu', 1e6); panel.refilter(); click(table.all); return [all(), chosen()];",
            ["true", "7"],
        ),
        (
            (
                "click(box('g8')); panel.jobs.filter.type('i=3', 1e6); panel.refilter();"
                "return [chosen(), panel.toolbar.many.textContent];"
            ),
            ["3", "1 selected, 3 more not shown"],
        ),
    ],
)
def test_ranges_groups_and_all_are_selected_by_mouse_and_keyboard(page, script, result):
    assert page.evaluate(f"() => {{ {GROUPED_PANEL} {script} }}") == result


def test_jobs_that_an_action_moves_out_of_view_stay_selected_and_counted(page):
    script = f"""async () => {{ {GROUPED_PANEL}
        const change = (state) => {{
            const rows = [7, 8, 9].map((id) => line(id, state)); for (const each of rows) each[10] = 0;
            take({{ kind: "delta", base: 1, seq: 2, rows }}); panel.draw();
        }};
        take({{ kind: "delta", base: 1, seq: 2, rows: [2, 4].map((id) => line(id, "failed", 8)) }});
        change("queued"); panel.toolbar.press("queued"); click(table.all);
        const before = panel.toolbar.many.textContent;
        change("cancelled");
        const after = panel.toolbar.many.textContent;
        panel.actOnSelected("remove", {{}}, panel.toolbar.verbs[2]);
        return [before, after, panel.confirm.text.textContent]; }}"""
    assert page.evaluate(script) == [
        "3 selected",
        "3 selected, no longer shown",
        "Permanently remove 3 jobs with results, outputs and logs?",
    ]


def test_a_folded_group_is_acted_on_as_its_jobs_and_unfolds_by_keyboard(page):
    script = f"""async () => {{ {GROUPED_PANEL}
        click(table.rows.get("g8").cancel);
        const asked = panel.confirm.text.textContent;
        panel.confirm.yes.click(); await null; await null;
        for (let step = 0; step < 5; step++) key("ArrowDown");
        const folded = table.active; key("ArrowRight");
        const drawn = table.rows.has(4); key("ArrowDown"); key("ArrowLeft");
        return [asked, commands(), folded, drawn, table.active, table.rows.has(4)]; }}"""
    asked, sent, folded, drawn, active, still = page.evaluate(script)
    assert asked == "Cancel 4 jobs, of which 2 are running and would lose unfinished work?"
    assert sent == [["cancel", [5, 4, 3, 2]]]
    assert (folded, drawn, active, still) == ("g8", True, "g8", False)


@pytest.mark.parametrize(
    ("states", "question"),
    [
        (["queued"], None),
        (["queued", "succeeded"], None),
        (["queued", "queued"], "Cancel 2 queued jobs?"),
        (["retrying", "retrying", "failed"], "Cancel 2 retrying jobs?"),
        (["queued", "retrying"], "Cancel 2 queued and retrying jobs?"),
        (["running"], "Cancel running job 1? Unfinished work will be lost."),
        (["running", "failed"], "Cancel running job 1? Unfinished work will be lost."),
        (["running", "running"], "Cancel 2 running jobs? Unfinished work will be lost."),
        (["running", "queued", "cancelled"], "Cancel 2 jobs, of which 1 is running and would lose unfinished work?"),
        (["succeeded", "failed"], None),
    ],
)
@pytest.mark.parametrize("board", ["panel", "group"])
def test_the_question_before_a_cancel_counts_the_jobs_that_it_would_cancel(page, board, states, question):
    more = ", group: { id: 8, title: 'group 8', labels: {} }" if board == "group" else ""
    script = f"""(states) => {{ {MOCK}
        const rows = states.map((state, index) => row(index + 1, state));
        const board = ours.mount(root, transport, {{ ...first(rows){more} }}); board.draw();
        board.request("cancel", states.map((_, index) => index + 1), {{}}, root.querySelector("button"));
        const {{ node, text }} = board.confirm;
        return [node.hidden ? null : text.textContent, sent.some(({{ kind }}) => kind === "command")]; }}"""
    assert page.evaluate(script, states) == [question, question is None]


@pytest.mark.parametrize(
    ("states", "question", "removed"),
    [
        (["failed"], "Permanently remove job 1 with results, outputs and logs?", [1]),
        (["succeeded", "failed"], "Permanently remove 2 jobs with results, outputs and logs?", [1, 2]),
        (
            ["succeeded", "queued", "running", "cancelled"],
            "Permanently remove 2 jobs with results, outputs and logs? 2 jobs that have not finished stay.",
            [1, 4],
        ),
        (
            ["retrying", "failed"],
            "Permanently remove job 2 with results, outputs and logs? 1 job that has not finished stays.",
            [2],
        ),
        (["queued", "running"], None, [1, 2]),
    ],
)
def test_the_question_before_a_removal_counts_the_jobs_that_it_would_remove(page, states, question, removed):
    script = f"""async (states) => {{ {MOCK}
        const panel = ours.mount(root, transport, first(states.map((state, index) => row(index + 1, state)))); panel.draw();
        const done = panel.request("remove", states.map((_, index) => index + 1), {{}}, root.querySelector("button"));
        const {{ node, text, yes }} = panel.confirm, asked = node.hidden ? null : text.textContent;
        if (asked) yes.click();
        await new Promise((soon) => setTimeout(soon));
        return [asked, sent.find(({{ kind }}) => kind === "command").jobs]; }}"""
    assert page.evaluate(script, states) == [question, removed]


def test_the_row_of_a_named_group_shows_its_number_since_several_may_have_one_name(page):
    script = f"""() => {{ {GROUPED_PANEL} return table.rows.get("g8").name.textContent; }}"""
    assert page.evaluate(script) == "sweep · group 8"


#: The card of a group with a recorded value.
GROUP = (
    MOCK
    + """
    const board = (rows, values = []) => { const made = ours.mount(root, transport,
        { ...first(rows), values, group: { id: 8, title: "group 8", labels: {} } }); made.draw(); return made; };
"""
)


@pytest.mark.parametrize(
    "states", [["succeeded"] * 6, ["failed"], ["succeeded"] * 5 + ["failed"], ["running", "queued", "cancelled"]]
)
def test_the_bar_of_a_group_is_full(page, states):
    script = f"""async (states) => {{ {GROUP} root.style.width = "848px";
        const card = board(states.map((state, index) => row(index + 1, state)));
        await Promise.all(card.bar.getAnimations({{ subtree: true }}).map(({{ finished }}) => finished));
        const right = (node) => node.getBoundingClientRect().right;
        const ends = [...card.bar.children].filter((node) => node.offsetWidth).map(right);
        return Math.abs(Math.max(...ends) - right(card.bar)) < 0.1; }}"""
    assert page.evaluate(script, states) is True


@pytest.mark.parametrize(("name", "best"), [("loss", 2), ("auc", 3)])
def test_the_best_job_of_a_group_is_the_best_in_either_order(page, name, best):
    values = f"[[1, {{ {name}: 0.5 }}], [2, {{ {name}: 0.1 }}], [3, {{ {name}: 0.9 }}]]"
    script = f"""() => {{ {GROUP}
        const card = board([1, 2, 3].map((id) => row(id, "succeeded")), {values});
        const name = (each) => each.querySelector(".b-open").textContent + (each.dataset.best ? " best" : "");
        const seen = () => [...card.body.rows].map(name);
        const before = seen(); card.sortBy("{name}"); return [before, seen()]; }}"""
    first = [f"{best} best", "1", f"{5 - best}"]
    assert page.evaluate(script) == [first, first[::-1]]


def test_a_panel_without_jobs_has_no_empty_line_for_their_states(page):
    script = f"""() => {{ {MOCK}
        const panel = ours.mount(root, transport, first([])); panel.draw();
        const before = panel.toolbar.states.offsetHeight;
        take({{ kind: "delta", base: 1, seq: 2, rows: [row(1, "queued")] }}); panel.draw();
        return [before, panel.toolbar.states.offsetHeight > 0]; }}"""
    assert page.evaluate(script) == [0, True]


@pytest.mark.parametrize("name", ["loc", "Mine.run"])
def test_what_a_notebook_defines_is_named_as_it_names_it(page, name):
    script = f"""() => {{ {MOCK}
        const mine = row(1, "queued"); mine[3] = "__main__.{name}(q=3)";
        const panel = ours.mount(root, transport, first([mine])); panel.draw();
        const seen = panel.table.rows.get(1).cells.job.textContent;
        const below = root.appendChild(document.createElement("div"));
        const card = ours.mount(below, transport, {{ ...first([mine]), only: 1 }}); card.draw();
        return [seen, card.title.textContent]; }}"""
    assert page.evaluate(script) == [f"{name}(q=3)", f"job 1 · {name}(q=3)"]


@pytest.mark.parametrize(
    ("of", "states", "hint"),
    [
        ("only: 7", ["running"], "In a terminal: jupyter bgjobs cancel 7"),
        ("only: 7", ["succeeded"], ""),
        (
            "group: { id: 8, title: 'group 8', labels: {} }",
            ["running", "succeeded", "queued"],
            "In a terminal: jupyter bgjobs cancel 7 9",
        ),
        ("", ["failed"], ""),
        ("", ["queued"] * 9, "In a terminal: jupyter bgjobs cancel JOB"),
    ],
)
def test_without_a_kernel_the_page_says_what_brings_it_back_and_no_time_goes_on(page, of, states, hint):
    script = f"""async (states) => {{ {MOCK}
        const rows = states.map((state, index) => row(index + 7, state));
        for (const each of rows) each[7] = Date.now() / 1000 - 5;
        const board = ours.mount(root, {{ ...transport, other: "kernel" }}, {{ ...first(rows), {of} }}); board.draw();
        board.link.look({{ visible: true }}); board.link.wait();
        const words = board.status.textContent, before = root.innerText;
        await new Promise((later) => setTimeout(later, 2300));
        return [words.replace(/.*Last update: [\\d:]*\\. /, ""), root.innerText === before]; }}"""
    restarted = "After a restart, save the notebook and load the extension: %load_ext ipybgjobs"
    assert page.evaluate(script, states) == [" · ".join(filter(None, [restarted, hint])), True]


def test_a_kernel_that_answers_late_is_not_called_busy_or_gone_at_once(page):
    script = f"""async () => {{ {MOCK}
        const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
        const panel = ours.mount(root, transport, first([row(1, "running")])); panel.link.look({{ visible: true }});
        await later(2000); const early = panel.status.textContent; await later(4000);
        return [early, panel.status.dataset.kind]; }}"""
    assert page.evaluate(script) == ["1 job", "waiting"]


@pytest.mark.parametrize("of", ["", "only: 1", "group: { id: 8, title: 'group 8', labels: {} }"])
def test_what_a_page_knows_from_earlier_is_not_shown_until_it_has_heard_more(page, of):
    script = f"""async () => {{ {MOCK}
        const old = {{ ...first([row(1, "running")]), now: Date.now() / 1000 - 300, {of} }};
        const board = ours.mount(root, transport, old); board.link.look({{ visible: true }}); board.draw();
        const seen = () => [root.innerText.includes("m.f"), board.status.textContent.slice(0, 8)];
        const before = seen();
        take({{ kind: "here", view: board.link.view, now: Date.now() / 1000 }}); board.draw();
        const heard = seen();
        take({{ ...first([row(1, "failed")]), view: board.link.view, {of} }}); board.draw();
        const known = seen();
        const dead = ours.mount(document.body.appendChild(document.createElement("div")), transport, old);
        dead.draw(); dead.link.wait();
        return [before, heard, known, dead.root.innerText.includes("m.f")]; }}"""
    loading, done = ("", "") if of else ("Loading…", "1 job")
    assert page.evaluate(script) == [[False, loading], [False, loading], [True, done], True]


def test_the_head_of_an_opened_job_keeps_its_buttons_in_one_line_and_has_the_reason_below(page):
    script = f"""() => {{ {MOCK}
        root.style.width = "800px";
        const job = row(2, "queued"); job[3] = "training.Trainer.scored(lr=0.3, epochs=40)";
        const panel = ours.mount(root, transport, first([row(1, "running"), job])); panel.open(2);
        const {{ title, closer, reason, actions, node }} = panel.detail;
        reason.textContent = "slots taken: job 238, job 239 and 12 more · usually 1 h 12 m (last 20 runs)";
        const place = (each) => each.getBoundingClientRect();
        const middles = [title, actions.cancel, closer].map((each) => Math.round(place(each).top + place(each).height / 2));
        return [new Set(middles).size, place(reason).top >= place(closer).bottom, title.scrollWidth <= title.clientWidth,
            place(closer).right <= place(node).right]; }}"""
    assert page.evaluate(script) == [1, True, True, True]


def test_a_second_button_that_is_pressed_while_a_question_is_open_asks_its_own_and_no_row_moves(page):
    script = f"""async () => {{ {GROUPED_PANEL}
        const places = () => [...root.querySelectorAll(".b-body > *")].map((node) => node.getBoundingClientRect().top).join();
        const before = places();
        click(table.rows.get(6).cancel); const first_ = panel.confirm.text.textContent;
        click(table.rows.get("g8").cancel); const second = panel.confirm.text.textContent;
        click(table.rows.get(6).cancel); const again = panel.confirm.text.textContent;
        const shown = !panel.confirm.node.hidden; click(box(9));
        return [first_, second, again, shown, places() === before]; }}"""
    assert page.evaluate(script) == [
        "Cancel running job 6? Unfinished work will be lost.",
        "Cancel 4 jobs, of which 2 are running and would lose unfinished work?",
        "Cancel running job 6? Unfinished work will be lost.",
        True,
        True,
    ]


def test_a_group_that_has_gone_since_it_was_drawn_breaks_no_click(page):
    script = f"""() => {{ {GROUPED_PANEL}
        let broken = null; window.addEventListener("error", ({{ message }}) => (broken = message));
        const {{ node }} = table.rows.get("g8"), retry = table.rows.get("g8").retry;
        take({{ kind: "delta", base: 1, seq: 2, rows: [], gone: [2, 3, 4, 5] }});
        click(node.querySelector(".b-box")); click(retry); click(node); panel.draw();
        return [chosen(), commands(), table.rows.has("g8"), broken]; }}"""
    assert page.evaluate(script) == ["", [], False, None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state:faild", "faild is not a state: running, queued, retrying, failed, succeeded, cancelled."),
        ("since:zzz", "zzz is not a time: 30m, 2h, 3d, 14:00 or 2026-11-27."),
        ("since:", None),
        ("state:fail", None),
    ],
)
def test_a_word_that_means_nothing_shows_no_job_and_is_named_below_the_box(page, text, words):
    script = f"""text => {{ {GROUPED_PANEL}
        panel.toolbar.text.value = text; panel.toolbar.filter();
        const below = table.empty.hidden ? null : table.empty.innerText;
        return [below, panel.toolbar.text.getAttribute("aria-invalid"), panel.jobs.order.length > 0]; }}"""
    assert page.evaluate(script, text) == [words, "true" if words else None, words is None]


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("", ["3 running", "5 queued", "1 failed"]),
        ("text('sweep');", ["2 running", "2 queued", "0 failed"]),
        ("text('sweep'); panel.toolbar.press('running');", ["2 running", "2 queued", "0 failed"]),
        ("panel.toolbar.press('running');", ["3 running", "5 queued", "1 failed"]),
        (
            "text('sweep'); take({ kind: 'delta', base: 1, seq: 2, rows: [line(4, 'running', 8), line(9, 'running')] });",
            ["3 running", "1 queued", "0 failed"],
        ),
    ],
)
def test_the_states_count_the_jobs_that_the_other_filters_leave(page, script, shown):
    script = f"""() => {{ {GROUPED_PANEL}
        const text = (typed) => {{ panel.toolbar.text.value = typed; panel.toolbar.filter(); }};
        {script} panel.draw();
        return [...root.querySelectorAll(".b-phase:not([hidden])")].map((node) => node.innerText); }}"""
    assert page.evaluate(script) == shown


def test_the_actions_on_selected_jobs_cover_no_filter_and_move_nothing(page):
    script = f"""() => {{ {GROUPED_PANEL} root.style.width = "848px";
        const places = () => [...root.querySelectorAll(".b-phase, .b-filters > *, .b-body > *")].map((node) => {{
            const {{ left, top }} = node.getBoundingClientRect(); return [left, top]; }}).join();
        const free = (node) => {{ const {{ left, top, width, height }} = node.getBoundingClientRect();
            return node.contains(document.elementFromPoint(left + width / 2, top + height / 2)); }};
        const before = places(); click(box(9));
        const bar = panel.toolbar.chosen.getBoundingClientRect(), head = table.grid.firstChild.getBoundingClientRect();
        return [places() === before, bar.height > 0 && bar.bottom <= head.bottom + 1,
            [...root.querySelectorAll(".b-phase:not([hidden]), .b-filters > :not([hidden])")].every(free), free(table.all),
            panel.toolbar.verbs.every(free)]; }}"""
    assert page.evaluate(script) == [True, True, True, True, True]


def test_until_all_rows_are_here_the_states_count_those_of_the_store(page):
    script = f"""() => {{ {MOCK}
        const counts = {{ succeeded: 167, failed: 11, queued: 1 }};
        const begin = {{ ...first([row(179, "queued")]), whole: false, count: 179, counts, oldest: 179 }};
        const panel = ours.mount(root, transport, begin);
        const said = () => {{ panel.draw();
            return [...root.querySelectorAll(".b-phase:not([hidden])")].map((node) => node.innerText).join(); }};
        const seen = [said(), panel.status.innerText];
        take({{ kind: "delta", base: 1, seq: 2, rows: [row(181, "queued"), row(180, "queued"), row(179, "running")] }});
        seen.push(said());
        const rest = Array.from({{ length: 178 }}, (_, n) => row(178 - n, n < 11 ? "failed" : "succeeded"));
        take({{ kind: "older", before: 179, rows: rest, whole: true }});
        return [...seen, said(), panel.rest()]; }}"""
    assert page.evaluate(script) == [
        "1 queued,11 failed,167 succeeded",
        "1 of 179 jobs, loading older ones…",
        "1 running,2 queued,11 failed,167 succeeded",
        "1 running,2 queued,11 failed,167 succeeded",
        "181 jobs",
    ]


#: A panel of jobs that belong to no group.
LOOP = (
    MOCK
    + """
    const line = (id, call, more = {}) => [id, more.state ?? "queued", more.name ?? null, call, "default", 0, 100,
        more.started ?? null, null, null, more.attempt ?? 0, 3];
    const shown = (lines) => { const panel = ours.mount(root, transport, first(lines)); root.style.width = "848px"; panel.draw();
        return [...root.querySelectorAll(".b-job")].map((node) => node.querySelector(".b-of-job").textContent); };
"""
)


@pytest.mark.parametrize(
    ("calls", "shown"),
    [
        (["m.E.f(s=2.0, i=1)", "m.E.f(s=2.0, i=2)"], ["E.f(i=2)s=2.0", "E.f(i=1)s=2.0"]),
        (["m.E.f(s=2.0, i=1)", "m.E.g(s=2.0)", "m.E.f(s=2.0, i=2)"], ["E.f(s=2.0, i=2)", "E.g(s=2.0)", "E.f(s=2.0, i=1)"]),
        (["m.E.f(s=2.0)", "m.E.f(s=2.0)"], ["E.f(s=2.0)", "E.f(s=2.0)"]),
    ],
)
def test_what_differs_comes_first_among_neighbours_that_call_the_same(page, calls, shown):
    script = f"calls => {{ {LOOP} return shown(calls.map((call, place) => line(place + 1, call))); }}"
    assert page.evaluate(script, calls) == shown


@pytest.mark.parametrize("width", [430, 600, 848, 1000])
def test_a_row_has_room_for_its_state_and_its_buttons_touch_nothing(page, width):
    script = f"""width => {{ {LOOP}
        const [retrying, succeeded] = [{{ state: "retrying", attempt: 1, started: 90 }}, {{ state: "succeeded", started: 90 }}];
        shown([line(1, "m.f()", retrying), line(2, "m.g()", succeeded)]);
        root.style.width = `${{width}}px`;
        return [...root.querySelectorAll(".b-job")].map((node) => {{
            const cell = node.querySelector(".b-of-state"), queue = node.querySelector(".b-of-queue").getBoundingClientRect();
            const buttons = [...node.querySelectorAll(".b-of-actions .b-button:not([hidden])")];
            const left = Math.min(...buttons.map((each) => each.getBoundingClientRect().left));
            const before = queue.width ? queue : node.querySelector(".b-of-far").getBoundingClientRect();
            return [cell.innerText, cell.scrollWidth <= cell.clientWidth, left >= before.right];
        }}); }}"""
    done, retrying = page.evaluate(script, width)
    assert done == ["succeeded", True, True]
    assert retrying == ["retrying, 2 of 3", width > 520, True]


def test_what_a_job_waits_for_has_the_room_of_its_time(page):
    script = f"""() => {{ {LOOP}
        const lines = [line(1, "m.f()"), line(2, "m.f()", {{ state: "running", started: 90 }})]; lines[0][15] = 1;
        shown(lines); root.style.width = "1280px";
        const far = (node) => node.querySelector(".b-of-far").getBoundingClientRect().right;
        const queue = (node) => node.querySelector(".b-of-queue").getBoundingClientRect().left;
        const [running, queued] = root.querySelectorAll(".b-job");
        return [queue(queued) === queue(running), far(queued) === queue(queued), far(running) < queue(running)]; }}"""
    assert page.evaluate(script) == [True, True, True]


#: The texts that are cut in each row.
ROOM = """() => [...root.querySelectorAll(".b-job, .b-group-row")].map((node) => {
    const names = [".b-name", ".b-target", ".b-given", ".b-rest", ".b-of-far", ".b-of-counts"];
    const parts = names.map((name) => node.querySelector(name)).filter(Boolean);
    return parts.filter((part) => part.scrollWidth > part.clientWidth).map(({ className }) => className);
}).reverse()"""


def test_at_the_width_of_a_notebook_nothing_is_cut_beside_empty_room(page):
    error = "'ConnectionRefusedError: no route to the host'"
    script = f"""() => {{ {LOOP}
        const ended = {{ state: "succeeded", started: 90 }}, failed = {{ state: "failed", started: 90 }};
        const lines = [line(1, "training.Trainer(<instance>).fit(epochs=3, lr=0.01, seed=4)", ended),
            line(2, "x", {{ ...ended, name: "cell [11] of a_notebook_with_a_rather_long_name.ipynb" }}),
            line(3, "training.Trainer.boom()", failed),
            line(4, "training.Trainer.fit(epochs=30, lr=0.25)", {{ state: "running", started: 90 }}),
            line(5, "m.E.slow(i=1, s=0.25)", ended), line(6, "m.E.slow(i=2, s=0.25)", ended)];
        lines[1][21] = "ipybgjobs.Cell.run(code='x')"; lines[2][13] = {error};
        for (const each of lines.slice(4)) {{ each[14] = 8; each[19] = "slowsweep"; }}
        shown(lines);
        return ({ROOM})(); }}"""
    assert page.evaluate(script) == [[], [], [], [], []]


@pytest.mark.parametrize("width", [300, 400, 500, 600, 848])
def test_how_many_jobs_are_selected_is_said_whole_and_the_choices_of_a_filter_are_too(page, width):
    script = f"""(width) => {{ {GROUPED_PANEL} root.style.width = `${{width}}px`;
        panel.toolbar.fill({{ chosen: 3, unseen: 3, hidden: 0 }});
        const whole = (node) => node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight + 1;
        const inside = [...panel.toolbar.chosen.children].every((node) =>
            node.getBoundingClientRect().right <= panel.toolbar.chosen.getBoundingClientRect().right);
        const natural = (select) => {{
            const copy = select.cloneNode(true);
            copy.style.cssText = "max-width: none; position: absolute";
            select.after(copy); const {{ width }} = copy.getBoundingClientRect(); copy.remove(); return width; }};
        const shown = [...root.querySelectorAll(".b-select")].filter((each) => each.offsetWidth);
        const cut = shown.filter((each) => each.offsetWidth < natural(each) - 1);
        return [whole(panel.toolbar.many), panel.toolbar.many.clientHeight <= 28, inside, cut.length]; }}"""
    assert page.evaluate(script, width) == [True, True, True, 0]


def test_the_footer_tells_shown_of_all(page):
    script = f"""() => {{ {GROUPED_PANEL} const all_ = panel.rest(); panel.jobs.filter.type("sweep", 1e6); panel.refilter();
        return [all_, panel.rest()]; }}"""
    assert page.evaluate(script) == ["9 jobs", "4 of 9 jobs"]


def test_a_side_of_another_version_is_told_by_the_panel_and_nothing_of_it_is_shown(page):
    script = f"""() => {{ {GROUPED_PANEL}
        take({{ version: ours.VERSION + 1, kind: "delta", base: 1, seq: 2, rows: [], gone: [9] }}); panel.draw();
        return [panel.status.textContent, panel.jobs.all.has(9)]; }}"""
    assert page.evaluate(script) == ["This page and the undefined have different versions of ipybgjobs: reload the page.", True]


# -- the log and the outputs -----------------------------------------------------------------------------------------------

LOG = (
    MOCK
    + """
    const panel = ours.mount(root, transport, first([row(1, "succeeded")]));
    panel.draw(); panel.open(1); panel.detail.choose("log");
    const { log } = panel.detail;
    const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => `line ${from + n}\n`).join("");
    const tail = (from, to) =>
        take({ kind: "log", job: 1, text: lines(from, to), from_start: true, first_line: from, outputs: "" });
"""
)


def test_a_part_of_a_log_says_which_lines_it_shows_and_earlier_ones_come_before_it(page):
    script = f"""() => {{ {LOG}
        tail(901, 1000); const said = [log.range.textContent];
        sent.length = 0; log.earlier.click();
        const asked = sent.map(({{ kind, before }}) => [kind, before]);
        take({{ kind: "lines", job: 1, before: 901, first_line: 801, text: lines(801, 900) }}); said.push(log.range.textContent);
        take({{ kind: "lines", job: 1, before: 801, first_line: 1, text: lines(1, 800) }}); said.push(log.range.textContent);
        const text = log.node.innerText;
        return [said, asked, text.trim().split("\\n").length, text.startsWith("line 1\\n"), log.earlier.hidden]; }}"""
    said, asked, many, begins, hidden = page.evaluate(script)
    assert said == ["Lines 901 to 1,000 of 1,000", "Lines 801 to 1,000 of 1,000", "1,000 lines"]
    assert asked == [["lines", 901]]
    assert (many, begins, hidden) == (1000, True, True)


def test_a_log_that_grows_while_earlier_lines_are_shown_has_no_gap(page):
    script = f"""() => {{ {LOG}
        tail(3001, 5000); take({{ kind: "lines", job: 1, before: 3001, first_line: 2001, text: lines(2001, 3000) }});
        log.node.scrollTop = log.node.scrollHeight;
        take({{ kind: "log", job: 1, text: lines(5001, 5500), from_start: false, outputs: "" }});
        const numbers = log.node.innerText.trim().split("\\n").map((line) => Number(line.slice(5)));
        return [log.range.textContent, numbers[0], numbers.every((number, place) => number === numbers[0] + place)]; }}"""
    said, begin, follows = page.evaluate(script)
    assert (said, follows) == (f"Lines {begin:,} to 5,500 of 5,500", True)


def test_a_search_marks_lines_and_goes_on_in_earlier_ones(page):
    script = f"""async () => {{ {LOG}
        tail(901, 1000); log.search.value = "line 99"; log.find(0);
        const found = [log.found.textContent, log.current.textContent];
        const enter = (more = {{}}) => log.search.dispatchEvent(new KeyboardEvent("keydown", {{ key: "Enter", ...more }}));
        enter(); found.push(log.found.textContent);
        log.search.value = "line 850"; log.find(0); found.push(log.found.textContent);
        sent.length = 0; enter();
        found.push(sent.map(({{ kind }}) => kind).join());
        take({{ kind: "lines", job: 1, before: 901, first_line: 801, text: lines(801, 900) }});
        return [...found, log.found.textContent, log.current.textContent]; }}"""
    assert page.evaluate(script) == [
        "10 of 10 in the lines shown",
        "line 999",
        "9 of 10 in the lines shown",
        "none here; Enter searches earlier lines",
        "lines",
        "1 of 1; Enter searches earlier lines",
        "line 850",
    ]


def test_a_search_that_has_found_all_in_the_lines_shown_goes_on_in_earlier_ones(page):
    script = f"""async () => {{ {LOG}
        tail(901, 1000); log.search.value = "line 9"; log.find(0);
        const enter = (more = {{}}) => log.search.dispatchEvent(new KeyboardEvent("keydown", {{ key: "Enter", ...more }}));
        log.search.value = "0"; log.search.value = "line 99"; log.find(0);
        for (let press = 0; press < 9; press++) enter();
        const found = [log.found.textContent];
        sent.length = 0; enter(); enter();
        found.push(sent.map(({{ kind }}) => kind).join());
        take({{ kind: "lines", job: 1, before: 901, first_line: 1, text: lines(1, 900) }});
        return [...found, log.found.textContent, log.current.textContent]; }}"""
    assert page.evaluate(script) == ["1 of 10; Enter searches earlier lines", "lines", "1 of 11", "line 99"]


def test_a_search_that_finds_nothing_more_in_earlier_lines_stays_where_it_was(page):
    script = f"""async () => {{ {LOG}
        tail(901, 1000); log.search.value = "line 950"; log.find(0);
        log.search.dispatchEvent(new KeyboardEvent("keydown", {{ key: "Enter" }}));
        take({{ kind: "lines", job: 1, before: 901, first_line: 1, text: lines(1, 900) }});
        return [log.found.textContent, log.current.textContent, log.seeking]; }}"""
    assert page.evaluate(script) == ["1 of 1", "line 950", 0]


@pytest.mark.parametrize(
    ("state", "words"), [("succeeded", "No output."), ("failed", "No output."), ("running", "No output so far.")]
)
def test_a_log_without_output_says_whether_any_may_come(page, state, words):
    script = f"""() => {{ {LOG} panel.detail.fill({{ ...panel.jobs.all.get(1), state: "{state}" }});
        return [getComputedStyle(log.node, "::before").content, log.node.dataset.empty]; }}"""
    assert page.evaluate(script) == [f'"{words}"', words]


@pytest.mark.parametrize(("state", "follows"), [("running", True), ("succeeded", False)])
def test_the_outputs_of_a_running_job_follow_their_end_until_one_scrolls_up(page, state, follows):
    script = f"""async () => {{ {MOCK}
        const panel = ours.mount(root, transport, first([row(1, "{state}")])); panel.draw(); panel.open(1);
        panel.detail.choose("outputs");
        const pane = panel.detail.panes.outputs, settled = () => new Promise((done) => setTimeout(done, 50));
        const ticks = (many) => take({{ kind: "outputs", job: 1, outputs: [{{ output_type: "stream", name: "stdout",
            text: Array.from({{ length: many }}, (_, n) => `tick ${{n}}\n`).join("") }}] }});
        const atEnd = () => pane.scrollHeight > pane.clientHeight && pane.scrollHeight - pane.scrollTop - pane.clientHeight < 2;
        ticks(60); await settled(); const seen = [atEnd()];
        ticks(90); await settled(); seen.push(atEnd());
        pane.scrollTop = 100; await settled(); ticks(120); await settled(); seen.push(pane.scrollTop);
        return seen; }}"""
    assert page.evaluate(script) == [follows, follows, 100]


def test_outputs_that_have_not_arrived_are_said_to_be_loading(page):
    script = f"""() => {{ {LOG} panel.detail.choose("outputs"); const before = panel.detail.panes.outputs.innerText;
        take({{ kind: "outputs", job: 1, outputs: [] }}); return [before, panel.detail.panes.outputs.innerText]; }}"""
    assert page.evaluate(script) == ["Loading…", "Nothing was displayed."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "# Title\n\nSome *slanted* and **strong** `code`.",
            '<p class="b-heading">Title</p><p>Some <em>slanted</em> and <strong>strong</strong> <code>code</code>.</p>',
        ),
        ("- one\n- two\n\n1. first", "<ul><li>one</li><li>two</li></ul><ol><li>first</li></ol>"),
        ("```python\nx < 1\n```\nafter", '<pre class="b-log">x &lt; 1</pre><p>after</p>'),
        (
            "|a|b|\n|-|:-:|\n|1|2|",
            '<table><tr><th scope="col">a</th><th scope="col">b</th></tr><tr><td>1</td><td>2</td></tr></table>',
        ),
        (
            "[a](https://x.org/) [b](javascript:alert(1))",
            '<p><a href="https://x.org/" target="_blank" rel="noopener noreferrer">a</a> [b](javascript:alert(1))</p>',
        ),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>"),
        ("a\n\n---\nb", "<p>a</p><hr><p>b</p>"),
    ],
)
def test_markdown_is_drawn_without_any_markup_of_its_own(page, text, shown):
    assert page.evaluate("text => ours.markdown(text).innerHTML", text) == shown


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


def test_both_sides_speak_the_same_version():
    assert re.search(r"const VERSION = (\d+);", web.read("link.js"))[1] == str(VERSION)


def test_rows_are_read_in_the_order_in_which_they_are_written():
    listed = re.search(r"const COLUMNS = \[(.*?)\];", web.read("jobs.js"), re.DOTALL)
    assert re.findall(r'"(\w+)"', listed[1]) == list(COLUMNS)
    assert resources.files("ipybgjobs.panel.web").joinpath("panel.css").is_file()


def test_saved_cards_of_another_notebook_are_left_alone_though_the_output_is_drawn_before_it_is_put_into_its_own(page):
    script = web.script("revive").replace("export default", "window.revive =")
    page.add_script_tag(content=script, type="module")
    page.wait_for_function("window.revive")
    script = """async () => {
        const notebook = (id) => {
            const node = document.createElement("div"), form = document.createElement("div");
            node.className = "jp-Notebook"; form.dataset.bgjobsOf = `job ${id}`; form.dataset.bgjobs = id;
            node.append(form); document.body.append(node);
            return node;
        };
        const [ours_, other] = [notebook("ours"), notebook("other")], sent = [], el = document.createElement("div");
        const close = window.revive.render({ model: { send: ({ of }) => sent.push(of), on() {}, off() {} }, el });
        const before = [...sent];
        ours_.append(el);
        await new Promise((done) => setTimeout(done, 100));
        close(); ours_.remove(); other.remove();
        return [before, sent]; }"""
    assert page.evaluate(script) == [[], ["job ours"]]
