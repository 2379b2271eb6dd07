"""The cost of 20,000 jobs in the browser: python benchmarks/panel_browser.py [jobs]; needs playwright and a Chromium.

The panel's own scripts over a transport that sends nothing: taking all rows, taking and drawing one change, drawing one step of
scrolling (including layout, without painting); medians and maxima in milliseconds.
"""

import shutil
import sys

from playwright.sync_api import sync_playwright

from ipybgjobs.panel import web

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000

MEASURE = """async (count) => {
    const root = document.createElement("div"); root.style.width = "1000px"; document.body.append(root);
    const row = (id, state) => [
        id, state, id % 3 ? null : `name ${id}`, `training.Trainer.fit(epochs=${id}, path='/data/set.parquet')`, "default",
        0, 1e9, 1e9, state === "running" ? null : 1e9 + 60, null, 1, 3, 5e7];
    let take = null;
    const transport = { other: "kernel", send: () => {}, listen: (each) => { take = each; return () => {}; } };
    const panel = ours.mount(root, transport,
        { kind: "rows", now: 1e9, seq: 1, rows: [], count, most: count, oldest: 0, whole: true, paused: [] });
    const time = (work) => {
        const began = performance.now(); work(); root.getBoundingClientRect(); return performance.now() - began;
    };
    const said = (times) => [times.sort((a, b) => a - b)[times.length >> 1], times.at(-1)].map((each) => Number(each.toFixed(2)));
    const rows = Array.from({ length: count }, (_, number) => row(count - number, number % 50 ? "succeeded" : "running"));
    const all = time(() => {
        for (let at = 0; at < count; at += 1000) {
            take({ version: 2, kind: "older", before: panel.link.oldest, rows: rows.slice(at, at + 1000) });
        }
        panel.draw();
    });
    const changes = [], steps = [];
    for (let number = 0; number < 200; number++) {
        changes.push(time(() => {
            const changed = row(count - number, number % 2 ? "failed" : "succeeded");
            take({ version: 2, kind: "delta", base: number + 1, seq: number + 2, rows: [changed] });
            panel.draw();
        }));
        steps.push(time(() => { panel.table.grid.scrollTop += 400; panel.table.draw(); }));
    }
    const filter = time(() => { panel.toolbar.text.value = "name 19"; panel.toolbar.filter(); });
    return { all: Number(all.toFixed(1)), change: said(changes), scroll: said(steps), filter: Number(filter.toFixed(1)),
        nodes: root.querySelectorAll("*").length, held: panel.jobs.all.size };
}"""


def main():
    path = next(path for name in ("chromium", "google-chrome", "chrome") if (path := shutil.which(name)))
    script = web.script("widget") + "\nwindow.ours = { mount };\n"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.add_style_tag(content=web.style())
        page.add_script_tag(content=script, type="module")
        page.wait_for_function("window.ours")
        found = page.evaluate(MEASURE, JOBS)
        browser.close()
    print(f"{found['held']:,} rows taken and drawn: {found['all']} ms; {found['nodes']:,} elements")
    print(f"one change taken and drawn: {found['change'][0]} ms, at most {found['change'][1]}")
    print(
        f"one step of scrolling: {found['scroll'][0]} ms, at most {found['scroll'][1]}; a filter over all: {found['filter']} ms"
    )


if __name__ == "__main__":
    main()
