"""The panel and the card as users meet them: in a real JupyterLab and Notebook 7, in a real Chromium, by mouse and by keyboard.

One server, one browser; each test has a notebook and a kernel of its own. Screenshots stay as output of the tests.
"""

import contextlib
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.image import imread

from support.accessibility import violations
from support.browser import APPS, SHOWN, TOKEN, Notebook, opened, shot
from support.place import DEADLINE, until

pytestmark = pytest.mark.timeout(300)

FLAKY = """
import os

def flaky(marker: str):
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise ConnectionError("no route to the data")
    return "second run"
"""


@pytest.fixture(scope="module")
def permit():
    def write(place):
        place.module("gates")
        place.module("patient", FLAKY)
        place.allow(
            {
                "gates": ["ok", "gate", "fail", "flaky", "shows", "talk", "train_the_model_with_a_long_name"],
                "patient": {"allowed_methods": ["flaky"], "max_attempts": 3, "delay_seconds": 3600},
                "ipybgjobs.Notebook": ["run"],
            },
            BackgroundJobs__queues={"default": 2, "gpu": 1},
            BackgroundJobs__allow_notebook_code=True,
            BackgroundJobs__allowed_notebooks=[f"{place.root}/**/*.ipynb"],
        )

    return write


@pytest.fixture(params=APPS)
def app(request):
    return request.param


def row(panel, job_id):
    """The row of a job."""
    return panel.locator(f'.b-job:has(.b-of-id:text-is("{job_id}"))')


def state(panel, job_id):
    return row(panel, job_id).locator(".b-of-state").inner_text()


def said(panel):
    return panel.locator(".b-status").inner_text()


def wait_in(path):
    """A cell that runs until a file is there, and lets nothing else run in the kernel's main thread."""
    return f"while not os.path.exists({str(path)!r}): time.sleep(0.01)"


# -- states, cancel and retry, while a cell runs -------------------------------------------------------------------------


def test_states_arrive_and_buttons_work_while_a_long_cell_runs(server, page, desk, home, app):
    gate, go = home.root / f"gate-{app}", home.root / f"go-{app}"
    first = desk.submitted("gates.gate", f"path={gate}", "--name", "train")
    second = desk.submitted("gates.gate", f"path={gate}.never")
    broken = desk.submitted("gates.fail", "message=no such file")
    notebook = opened(server, page, app, f"busy-{app}", "%bgjobs", wait_in(go))
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: "running" in state(panel, first), "the first job running")
    assert "queued" in state(panel, broken)
    notebook.start(2)
    assert notebook.prompt(2) == "[*]:"
    gate.touch()  # the first ends, and the third gets its slot: all of it while the cell runs
    until(lambda: "succeeded" in state(panel, first), "its end")
    until(lambda: "failed" in state(panel, broken), "the end of the third")
    row(panel, second).get_by_role("button", name=f"Cancel job {second}").click()
    panel.locator(".b-confirm").get_by_role("button", name="Yes").click()  # since it runs: what it has done would be lost
    until(lambda: "cancelled" in state(panel, second), "the cancel")
    until(lambda: said(panel) == f"job {second} was cancelled", "what came of it")
    row(panel, broken).get_by_role("button", name=f"Retry job {broken}").click()
    until(lambda: said(panel) == f"job {broken} retried", "the retry")
    until(lambda: "failed, 2 of 2" in state(panel, broken), "its second attempt")
    assert notebook.prompt(2) == "[*]:"
    shot(page, f"{app}-busy")
    go.touch()
    until(lambda: notebook.prompt(2) != "[*]:", "the end of the cell")
    assert [desk.show(key)["state"] for key in (first, second, broken)] == ["succeeded", "cancelled", "failed"]


def test_a_retrying_job_is_counted_filtered_and_retried_now_in_its_row_its_detail_and_its_card(server, page, desk, home):
    jobs = [
        desk.submitted("patient.flaky", f"marker={home.root / f'marker-{number}'}", "--name", f"try {number}") for number in "abc"
    ]
    other = desk.submitted("gates.ok")
    for job in jobs:
        until(lambda job=job: desk.show(job)["state"] == "retrying", "a retry")
    notebook = opened(server, page, "lab", "retrying", "%bgjobs", f"bg.job({jobs[2]})")
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: "retrying, 2 of 3" in state(panel, jobs[0]), "its state")
    assert "no route to the data" in row(panel, jobs[0]).locator(".b-of-far").inner_text()
    assert row(panel, jobs[0]).locator(".b-of-far").inner_text().startswith("at ")
    chip = panel.locator('.b-phase[data-phase="retrying"]')
    assert chip.inner_text() == "3 retrying"
    assert panel.locator('.b-phase[data-phase="queued"]').inner_text() == "0 queued"
    chip.click()
    until(lambda: row(panel, other).count() == 0, "the filter")
    assert [row(panel, job).count() for job in jobs] == [1, 1, 1]
    assert row(panel, jobs[0]).get_by_role("button", name=f"Cancel job {jobs[0]}").is_visible()
    shot(page, "lab-retrying", panel)
    row(panel, jobs[0]).get_by_role("button", name=f"Retry job {jobs[0]} now").click()
    until(lambda: said(panel) == f"job {jobs[0]} retried", "the retry")
    until(lambda: chip.inner_text() == "2 retrying", "its end")
    row(panel, jobs[1]).get_by_role("button", name=f"Open job {jobs[1]}").click()
    detail = panel.locator(".b-detail")
    assert detail.get_by_role("button", name="Cancel this job").is_visible()
    assert detail.get_by_role("button", name="Remove this job").is_hidden()
    now = detail.get_by_role("button", name="Retry this job now")
    assert now.inner_text() == "Retry now"
    shot(page, "lab-retrying-detail", panel)
    now.click()
    until(lambda: chip.inner_text() == "1 retrying", "its end")
    notebook.run(2)
    card = notebook.panel(2)
    until(lambda: "retrying, 2 of 3" in card.inner_text(), "the card")
    assert re.search(r"\bat (\d{4}-\d\d-\d\d \d\d:\d\d|\d\d:\d\d:\d\d)\b", card.inner_text())
    assert "no route to the data" in card.inner_text()
    shot(page, "lab-retrying-card", card)
    card.get_by_role("button", name="Retry this job now").click()
    until(lambda: "succeeded" in card.inner_text(), "its end")
    assert [desk.show(job)["state"] for job in jobs] == ["succeeded"] * 3


def test_where_the_kernel_can_not_hear_a_click_the_panel_says_so(server, page, desk, home):
    job = desk.submitted("gates.gate", f"path={home.root / 'deaf'}")
    stop = "import signal; os.kill(os.getpid(), signal.SIGSTOP)"
    notebook = opened(server, page, "lab", "deaf", "%bgjobs", "print(os.getpid())", stop)
    notebook.run(1)
    notebook.run(2)
    pid = int(notebook.output(2).inner_text())
    panel = notebook.panel(1)
    until(lambda: "running" in state(panel, job), "the job running")
    notebook.start(3)
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "a kernel that stands still")
    row(panel, job).get_by_role("button", name=f"Cancel job {job}").click()
    panel.locator(".b-confirm").get_by_role("button", name="Yes").click()
    until(lambda: "Waiting for the kernel" in said(panel), "the panel's word")
    assert "cancelling" in state(panel, job)
    assert said(panel).endswith(f"In a terminal: jupyter bgjobs cancel {job}")
    shot(page, "lab-waiting", panel)
    os.kill(pid, signal.SIGCONT)  # it goes on, and hears the click
    until(lambda: "cancelled" in state(panel, job), "the cancel")
    until(lambda: said(panel) == f"job {job} was cancelled", "what came of it")


# -- what it shows ---------------------------------------------------------------------------------------------------------


def test_the_detail_has_the_log_as_it_comes_the_traceback_attempts_outputs_and_the_call(server, page, desk, home):
    gate = home.root / "gate-detail"
    job = desk.submitted("gates.gate", f"path={gate}", "steps=8", "--name", "long one")
    broken = desk.submitted("gates.fail", "message=no such column")
    notebook = opened(server, page, "lab", "detail", "%bgjobs")
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: "50 %" in row(panel, job).inner_text(), "its progress")
    row(panel, job).get_by_role("button", name=f"Open job {job}").click()
    log = panel.locator(".b-pane-log .b-log")
    until(lambda: "green waits" in log.inner_text() and "50%" in log.inner_text(), "its log")
    assert log.locator(".t-fore-green").inner_text() == "green"
    assert log.inner_text().count("steps:") == 1  # a bar that is drawn again stays one line
    shot(page, "lab-detail")
    gate.touch()
    until(lambda: "100%" in log.inner_text() and "succeeded" in state(panel, job), "its end")
    panel.get_by_role("tab", name="Attempts").click()
    until(lambda: "succeeded" in panel.locator(".b-pane-attempts").inner_text(), "the attempt's end, which comes after the row's")
    panel.get_by_role("tab", name="Call").click()
    code = panel.locator(".b-pane-call pre").inner_text()
    assert "bg.submit(" in code
    assert f"{gate}" in code
    until(lambda: not panel.get_by_role("tab", name="Error").is_visible(), "no tab for an error")
    row(panel, broken).dblclick()
    until(lambda: "Traceback" in panel.locator(".b-pane-error").inner_text(), "the traceback")
    assert "ValueError: no such column" in panel.locator(".b-pane-error .b-error").inner_text()
    assert violations(page) == []


def test_what_the_panel_copies_as_code_submits_the_job_again(server, page, desk):
    job = desk.submitted("gates.ok", "n=7")
    desk.run("wait", str(job))
    notebook = opened(server, page, "lab", "code", "%bgjobs", "exec(open('code.txt').read()); print(job.result())")
    notebook.run(1)
    panel = notebook.panel(1)
    row(panel, job).dblclick()
    panel.get_by_role("tab", name="Call").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.get_by_role("button", name="Copy as code").click()
    until(lambda: "Copied" in said(panel), "the copy")
    (server.folder / "code.txt").write_text(page.evaluate("navigator.clipboard.readText()"))
    notebook.run(2)
    assert notebook.output(2).inner_text().strip() == "7"


def test_job_data_is_text_and_markup_that_a_job_displays_runs_no_script(server, page, desk):
    evil = "<img src=x onerror=\"document.title='hacked'\">"
    job = desk.submitted("gates.shows", "--name", evil, f"markup=<b>bold</b>{evil}<script>document.title='hacked'</script>")
    failed = desk.submitted("gates.fail", f"message={evil}")
    desk.run("wait", str(job), str(failed))
    notebook = opened(server, page, "lab", "markup", "%bgjobs", f"bg.job({failed})")
    notebook.run(1)
    notebook.run(2)
    panel = notebook.panel(1)
    assert evil in row(panel, job).inner_text()
    assert evil in row(panel, failed).inner_text()
    row(panel, job).dblclick()
    panel.get_by_role("tab", name="Outputs").click()
    frame = panel.frame_locator(".b-pane-outputs iframe")
    frame.locator("b").wait_for()
    assert frame.locator("b").inner_text() == "bold"
    assert "a line" in panel.locator(".b-pane-outputs").inner_text()
    assert evil in notebook.panel(2).inner_text()
    assert page.locator(".ipybgjobs img").count() == 0
    assert page.evaluate("document.title") != "hacked"


def test_rows_and_cards_say_why_a_job_waits_how_long_it_usually_runs_and_when_it_is_overdue(server, page, desk, home):
    gate = home.root / "gate-usual"
    gate.touch()
    for _ in range(3):
        desk.run("wait", str(desk.submitted("gates.gate", f"path={gate}", "--queue", "gpu")))
    with contextlib.closing(sqlite3.connect(home.state / "jobs.db")) as connection, connection:
        connection.execute("UPDATE attempts SET started_at = ended_at - 720")
    gate.unlink()
    runs = desk.submitted("gates.gate", f"path={gate}", "--queue", "gpu", "--name", "train")
    ahead = desk.submitted("gates.ok", "--queue", "gpu", "--priority", "3")
    waits = desk.submitted("gates.gate", f"path={gate}", "--queue", "gpu")
    after = desk.submitted("gates.ok", "n=3", "--after", str(runs))
    notebook = opened(server, page, "lab", "usual", "%bgjobs", "%bgjob --queue gpu gates.ok n=9", f"bg.job({waits})", "bg.jobs()")
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: "running" in state(panel, runs), "the job running")
    until(lambda: f"slots taken: job {runs}" in row(panel, waits).inner_text(), "who holds the slot")
    assert f"after job {runs}" in row(panel, after).inner_text()
    assert "usually 12 m (last " in row(panel, waits).inner_text()
    assert row(panel, waits).locator(".b-of-state").get_attribute("title").startswith("queued · slots taken: job ")
    until(lambda: "clean would free" in said(panel), "the disk space")
    notebook.run(2)
    card = notebook.panel(2)
    until(lambda: f"slots taken: job {runs}" in card.inner_text(), "the same on a card")
    desk.run("pause")
    until(
        lambda: "queue gpu is paused" in card.inner_text() and "Queues default and gpu are paused." in panel.inner_text(),
        "a pause",
    )
    desk.run("resume")
    with contextlib.closing(sqlite3.connect(home.state / "jobs.db")) as connection, connection:
        connection.execute("UPDATE attempts SET started_at = started_at - 3600 WHERE job_id = ?", (runs,))
        connection.execute("UPDATE jobs SET started_at = started_at - 3600 WHERE id = ?", (runs,))  # which is a change to tell
    until(lambda: "overdue" in state(panel, runs), "the mark")
    row(panel, runs).dblclick()
    until(lambda: panel.locator(".b-detail .b-state").inner_text() == "overdue", "the same in the details")
    assert panel.locator(".b-detail .b-bar-of .b-words").first.inner_text().startswith("usually 12 m (last ")
    notebook.run(3)
    shot(page, "lab-reasons")
    notebook.run(4)
    assert f"the slot of the queue gpu is taken by job {runs}" in notebook.output(4).inner_text()
    notebook.output(4).scroll_into_view_if_needed()
    shot(page, "lab-reasons-table")
    assert f"the slot of the queue gpu is taken by job {runs}" in desk.run("list")
    assert f"{ahead}" in desk.run("show", str(ahead))
    gate.touch()
    panel.scroll_into_view_if_needed()  # out of sight it hears nothing
    until(lambda: "succeeded" in state(panel, waits), "the end")
    assert violations(page) == []


def test_filter_sort_and_selection_and_what_is_done_with_many(server, page, desk, home):
    gate = home.root / "gate-many"
    runs = [desk.submitted("gates.gate", f"path={gate}") for _ in range(2)]
    waits = [desk.submitted("gates.ok", f"n={number}", "--name", f"batch {number}") for number in range(3)]
    other = desk.submitted("gates.ok", "--queue", "gpu")
    desk.run("wait", str(other))
    notebook = opened(server, page, "lab", "many", "%bgjobs")
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: all("running" in state(panel, job) for job in runs), "two jobs running")
    ids = lambda: [int(text) for text in panel.locator(".b-job .b-of-id").all_inner_texts()]  # noqa: E731
    shown = lambda: sorted(ids(), reverse=True)  # noqa: E731
    panel.get_by_label("Filter by text").fill("batch")
    until(lambda: shown() == waits[::-1], "those that match the text")
    panel.get_by_label("Filter by text").fill("")
    panel.locator('.b-phase[data-phase="running"]').click()
    until(lambda: shown() == runs[::-1], "those that run")
    panel.locator('.b-phase[data-phase="running"]').click()
    panel.get_by_label("Queue", exact=True).select_option("gpu")
    until(lambda: ids() == [other] or other in ids(), "those of a queue")
    assert not {*runs, *waits} & {*ids()}
    panel.get_by_role("button", name="Pause queue gpu").click()
    until(lambda: "Queue gpu is paused." in panel.inner_text(), "the pause")
    held = desk.submitted("gates.ok", "--queue", "gpu")
    until(lambda: row(panel, held).count() == 1 and "queued" in state(panel, held), "a job that the pause holds")
    panel.get_by_role("button", name="Resume queue gpu").click()
    until(lambda: "Queue gpu is paused." not in panel.inner_text(), "the end of the pause")
    until(lambda: "succeeded" in state(panel, held), "the end of what was held")
    panel.get_by_label("Queue", exact=True).select_option("")
    for job in waits:
        row(panel, job).locator(".b-box").click()
    assert "3 selected" in panel.inner_text()
    panel.get_by_label("Filter by text").fill("batch 1")
    until(lambda: "1 selected, 2 more not shown" in panel.inner_text(), "what would be acted on")
    panel.get_by_label("Filter by text").fill("")
    until(lambda: "3 selected" in panel.inner_text(), "all three again")
    panel.get_by_label("Priority of the selected jobs").fill("7")
    panel.locator(".b-chosen").get_by_role("button", name="Set priority").click()
    until(lambda: [desk.show(job)["priority"] for job in waits] == [7, 7, 7], "their priority")
    panel.locator(".b-chosen").get_by_role("button", name="Cancel the selected jobs").click()
    panel.locator(".b-confirm", has_text="Cancel 3 queued jobs?").get_by_role("button", name="Yes").click()
    until(lambda: all("cancelled" in state(panel, job) for job in waits), "the cancel of all three")
    shot(page, "lab-many", panel)
    panel.locator(".b-chosen").get_by_role("button", name="Remove the selected jobs").click()
    panel.locator(".b-confirm").get_by_role("button", name="No").click()
    assert row(panel, waits[0]).count() == 1
    panel.locator(".b-chosen").get_by_role("button", name="Remove the selected jobs").click()
    panel.locator(".b-confirm").get_by_role("button", name="Yes").click()
    until(lambda: not {*waits} & {*ids()}, "the removal")
    panel.get_by_role("button", name="Sort by id").click()
    until(lambda: ids() == sorted(ids()), "the oldest first")
    gate.touch()


# -- keyboard, screen reader, themes, widths -------------------------------------------------------------------------------


def test_everything_goes_by_keyboard_and_no_key_reaches_the_notebook(server, page, desk, home, app):
    job = desk.submitted("gates.gate", f"path={home.root / f'gate-keys-{app}'}")
    notebook = opened(server, page, app, f"keys-{app}", "%bgjobs", "1 + 1")
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: "running" in state(panel, job), "the job running")
    cells = page.locator(".jp-Notebook .jp-CodeCell").count()
    panel.get_by_label("Filter by text").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "treegrid"
    page.keyboard.press("ArrowDown")
    active = page.evaluate("document.activeElement.getAttribute('aria-activedescendant')")
    assert page.locator(f"#{active}").locator(".b-of-id").inner_text() == str(job)
    for key in "ddxab":
        page.keyboard.press(key)
    page.keyboard.press("Space")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")  # opens it, and the focus is in its detail
    until(lambda: panel.locator(".b-detail").is_visible(), "the detail")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Close details"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Cancel this job"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Yes: Cancel running job")
    page.keyboard.press("Enter")
    until(lambda: "cancelled" in state(panel, job), "the cancel")
    page.keyboard.press("Escape") if panel.locator(".b-detail").is_visible() else None
    panel.get_by_role("tab", name="Log").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    until(lambda: not panel.locator(".b-detail").is_visible(), "the detail closed")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "treegrid"
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == cells
    assert notebook.prompt(2) == "[ ]:"
    file = server.folder / notebook.name
    assert "data-bgjobs" not in file.read_text()
    panel.get_by_label("Filter by text").focus()
    page.keyboard.press("Control+s")
    until(lambda: "data-bgjobs" in file.read_text(), "the notebook saved")
    page.keyboard.type("ab")
    page.keyboard.press("Escape")
    assert panel.get_by_label("Filter by text").input_value() == ""
    page.keyboard.press("Escape")
    until(lambda: not page.evaluate("Boolean(document.activeElement.closest('.ipybgjobs'))"), "the focus out of the panel")
    page.keyboard.press("b")  # a shortcut of the notebook's again
    until(lambda: page.locator(".jp-Notebook .jp-CodeCell").count() == cells + 1, "a cell below")


def test_axe_finds_nothing_wrong_light_and_dark(server, page, desk, home, app):
    gate = home.root / f"gate-axe-{app}"
    desk.submitted("gates.gate", f"path={gate}", "--name", "train")
    desk.run("wait", str(desk.submitted("gates.fail", "--queue", "gpu")))
    last = desk.submitted("gates.ok", "--delay", "1h")
    notebook = opened(server, page, app, f"axe-{app}", "%bgjobs", f"bg.job({last})")
    notebook.run(1)
    notebook.run(2)
    panel = notebook.panel(1)
    until(lambda: "50 %" in panel.inner_text(), "progress")
    row(panel, last).locator(".b-box").click()
    row(panel, last).dblclick()
    panel.get_by_role("tab", name="Call").click()
    until(lambda: "bg.submit" in panel.inner_text(), "the detail")
    assert violations(page) == []
    shot(page, f"{app}-light")
    dark(page)
    until(lambda: brightness(page, panel) < 100, "the dark theme")
    assert violations(page) == []
    shot(page, f"{app}-dark")
    gate.touch()


def test_markup_that_a_job_displays_is_seen_in_either_theme(server, page, desk):
    job = desk.submitted("gates.shows", "markup=<b>bold</b>")
    desk.run("wait", str(job))
    notebook = opened(server, page, "lab", "themes", "%bgjobs")
    notebook.run(1)
    panel = notebook.panel(1)
    row(panel, job).dblclick()
    panel.get_by_role("tab", name="Outputs").click()
    frame = panel.locator(".b-pane-outputs iframe")
    panel.frame_locator(".b-pane-outputs iframe").locator("b").wait_for()
    paper, darkest, _ = shades(frame)
    assert paper > 250
    assert darkest < 100
    dark(page)
    until(lambda: shades(frame)[0] < 50, "the panel's black")
    until(lambda: shades(frame)[2] > 200, "light letters on it")


def shades(locator):
    """How bright most of something is, and its darkest and its brightest pixel, from 0 to 255."""
    picture = until(lambda: _picture(locator), "a picture")
    pixels = imread(io.BytesIO(picture), format="png")[..., :3].mean(axis=-1) * 255
    return np.median(pixels), pixels.min(), pixels.max()


def _picture(locator):
    """A picture of something; None while it is drawn anew."""
    from playwright.sync_api import Error

    with contextlib.suppress(Error):
        return locator.screenshot()


def dark(page):
    """Choose the dark theme, as its menu does."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Theme").first.hover()
    page.locator(".lm-Menu-itemLabel", has_text="JupyterLab Dark").first.click()


def brightness(page, locator):
    colour = locator.evaluate("node => getComputedStyle(node).backgroundColor")
    return sum(int(part) for part in colour.strip("rgba()").split(",")[:3]) / 3


#: The titles that have not enough room.
CUT_OFF = "header => [...header.children].filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent)"


def test_in_a_narrow_cell_columns_go_and_nothing_is_cut_off(server, page, desk, home):
    job = desk.submitted("gates.gate", f"path={home.root / 'narrow'}", "--name", "a job with a long name, since names are long")
    notebook = opened(server, page, "notebook", "narrow", "%bgjobs")
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: "running" in state(panel, job), "the job running")
    for width in (1500, 760, 480, 300, 250):
        page.set_viewport_size({"width": width, "height": 800})
        until(lambda width=width: panel.bounding_box()["width"] < width, "the page as wide")
        nothing_is_cut_off(panel, job)
        row(panel, job).dblclick()
        until(lambda: panel.locator(".b-detail").is_visible(), "the detail")
        assert panel.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
        assert violations(page) == []
        shot(page, f"width-{width}", panel)
        panel.get_by_role("button", name="Close details").click()


def nothing_is_cut_off(panel, job):
    assert row(panel, job).get_by_role("button", name=f"Cancel job {job}").is_visible()
    until(lambda: row(panel, job).get_by_role("progressbar").is_visible(), "its progress")
    box, button = panel.bounding_box(), row(panel, job).get_by_role("button", name=f"Open job {job}").bounding_box()
    assert button["x"] + button["width"] <= box["x"] + box["width"]
    assert panel.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    assert panel.locator(".b-grid").evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    assert panel.locator(".b-header").evaluate(CUT_OFF) == []


SWEEP = (
    "group = bg.submit_many('gates.train_the_model_with_a_long_name', bg.grid(rate=[round(0.001 * n, 3) for n in range(1, 31)]), "
    "common={'path': '/data/sets/2026/all-of-the-images'}, delay='1h')\ngroup.id"
)

#: What of the jobs' calls is seen, cut at the end of its cell.
SEEN = """panel => [...panel.querySelectorAll(".b-job .b-given")].map((given) => {
    if (given.scrollWidth <= given.clientWidth) return given.textContent;
    const range = document.createRange(), text = given.firstChild, end = given.getBoundingClientRect().right - 8;
    for (let length = text.length; ; length--) {
        range.setStart(text, 0);
        range.setEnd(text, length);
        if (length === 0 || range.getBoundingClientRect().right <= end) return text.data.slice(0, length);
    }
})"""


@pytest.mark.parametrize("width", [848, 500])
def test_a_sweep_is_one_row_that_unfolds_into_rows_that_differ(server, page, desk, home, width):
    page.set_viewport_size({"width": 1280 if width > 800 else width, "height": 1000})
    notebook = opened(server, page, "lab" if width > 800 else "notebook", f"sweep-{width}", SWEEP, "%bgjobs", "group.cancel();")
    notebook.run(1)
    notebook.run(2)
    panel = notebook.panel(2)
    group = panel.locator(".b-group-row").first
    until(lambda: "30 jobs" in group.inner_text(), "the group as one row")
    assert "30 queued" in group.get_by_role("gridcell").nth(3).get_attribute("title")
    assert panel.get_by_text("path='/data/sets", exact=False).count() >= 1
    shot(page, f"sweep-{width}-folded", panel)
    group.get_by_role("button", name="Unfold group").click()
    until(lambda: panel.locator('.b-job[aria-level="2"]').count() > 8, "the rows")
    seen = [text for text in panel.evaluate(SEEN) if "rate=" in text]
    shot(page, f"sweep-{width}", panel)
    assert len(seen) > 8
    assert len({*seen}) == len(seen)
    assert violations(page) == []
    group.get_by_role("button", name="Cancel the 30 unfinished jobs of group").click()
    question = panel.locator(".b-confirm")
    assert question.inner_text().startswith("Cancel 30 queued jobs?")
    question.get_by_role("button", name="Yes").click()
    until(lambda: "30 cancelled" in group.get_by_role("gridcell").nth(3).get_attribute("title"), "the cancel of all")
    notebook.run(3)


def test_a_question_is_asked_beside_the_button_and_moves_nothing_and_the_next_click_counts(server, page, desk, home):
    jobs = [desk.submitted("gates.gate", f"path={home.root / 'question'}", "--name", f"question {number}") for number in range(2)]
    notebook = opened(server, page, "lab", "question", "%bgjobs", f"bg.job({jobs[0]})")
    notebook.run(1)
    notebook.run(2)
    panel, card = notebook.panel(1), notebook.panel(2)
    until(lambda: all("running" in state(panel, job) for job in jobs), "two jobs running")
    cancel = [row(panel, job).get_by_role("button", name=f"Cancel job {job}") for job in jobs]
    places = [button.bounding_box() for button in cancel]
    cancel[0].click()
    question = panel.locator(".b-confirm")
    assert f"job {jobs[0]}" in question.inner_text()
    box, button = question.bounding_box(), places[0]
    assert box["x"] + box["width"] <= button["x"]  # beside it
    assert box["y"] <= button["y"] + button["height"] / 2 <= box["y"] + box["height"]
    shot(page, "lab-question", panel)
    assert violations(page) == []
    cancel[1].click()
    assert f"job {jobs[1]}" in question.inner_text()
    assert [each.bounding_box() for each in cancel] == places
    row(panel, jobs[0]).locator(".b-box").click()
    assert not question.is_visible()
    assert [each.bounding_box() for each in cancel] == places
    cancel[1].click()
    question.get_by_role("button", name="Yes").click()
    until(lambda: "cancelled" in state(panel, jobs[1]), "the cancel")
    assert cancel[0].bounding_box() == places[0]
    height = card.bounding_box()["height"]
    card.get_by_role("button", name="Cancel this job").click()
    shot(page, "lab-question-card", card)
    assert card.bounding_box()["height"] == height
    assert card.locator(".b-confirm").get_by_role("button", name="Yes").is_visible()
    page.keyboard.press("Escape")
    (home.root / "question").touch()


def test_a_long_log_is_searched_saved_copied_and_shown_from_its_beginning(server, page, desk, home):
    job = desk.submitted("gates.talk")
    desk.run("wait", str(job))
    notebook = opened(server, page, "lab", "long-log", "%bgjobs")
    notebook.run(1)
    panel = notebook.panel(1)
    row(panel, job).dblclick()
    bar, log = panel.locator(".b-log-bar"), panel.locator(".b-pane-log .b-log")
    until(lambda: "Lines 7,001 to 9,000 of 9,000" in bar.inner_text(), "which lines are shown")
    shot(page, "lab-log", panel)
    bar.get_by_role("button", name="Show earlier lines").click()
    until(lambda: "Lines 5,001 to 9,000 of 9,000" in bar.inner_text(), "earlier lines")
    bar.get_by_label("Search the log").fill("line 42")
    until(lambda: "Enter searches earlier lines" in bar.inner_text(), "no such line here")
    page.keyboard.press("Enter")
    until(lambda: "100 of 100" in bar.inner_text(), "those with the text: 4200 to 4299")
    assert log.locator(".b-current").inner_text().strip() == "this is line 4299"
    shot(page, "lab-log-search", panel)
    assert violations(page) == []
    with page.expect_download() as saved_:
        bar.get_by_role("button", name="Download the whole log").click()
    assert Path(saved_.value.path()).read_text() == "".join(f"this is line {number}\n" for number in range(1, 9001))
    assert saved_.value.suggested_filename == f"job-{job}.log"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    bar.get_by_role("button", name="Copy the lines that are shown").click()
    until(lambda: "Copied" in said(panel), "the copy")
    assert page.evaluate("navigator.clipboard.readText()").strip().endswith("this is line 9000")
    silent = desk.submitted("gates.train_the_model_with_a_long_name", "rate=1.0")
    desk.run("wait", str(silent))
    until(lambda: row(panel, silent).count(), "its row")
    row(panel, silent).dblclick()
    until(lambda: log.evaluate("node => getComputedStyle(node, '::before').content") == '"No output."', "that there is none")


def test_cells_are_shown_by_name_and_found_by_their_notebook(server, page, desk, home):
    cells = ["%%bgjob\nimport time\nprint(1)", "%%bgjob\n# draw the waves\nprint(2)", "%%bgjob --name waves\nprint(3)", "%bgjobs"]
    notebook = opened(server, page, "lab", "day-of-cells", *cells)
    for number in range(1, 5):
        notebook.run(number)
    names = [
        job["name"] for job in json.loads(desk.run("list", "--json")) if (job["notebook"] or "").endswith("day-of-cells.ipynb")
    ]
    titles = [next(name for name in names if name.startswith("cell [")), "draw the waves", "waves"]
    assert titles[0].endswith("] of day-of-cells.ipynb")
    until(lambda: f" · {titles[2]}" in notebook.panel(3).inner_text(), "its card")
    assert "ipybgjobs.Cell" not in notebook.panel(3).inner_text()
    panel = notebook.panel(4)
    panel.get_by_label("Filter by text").fill("notebook:day-of")
    jobs = panel.locator(".b-job .b-of-job")
    until(lambda: sorted(jobs.all_inner_texts()) == sorted(titles), "the jobs of this notebook")
    until(lambda: said(panel).startswith("3 of "), "how many these are")
    panel.get_by_label("Filter by text").fill("")
    panel.get_by_label("Notebook", exact=True).select_option("day-of-cells.ipynb")
    until(lambda: jobs.count() == 3, "the same, chosen")
    shot(page, "lab-cells", panel)


def test_markdown_that_a_job_displays_is_drawn_and_nothing_scrolls_in_what_scrolls(server, page, desk, home):
    code = "from IPython.display import Markdown, display\ndisplay(Markdown('# Report\\n- **42** rows'))"
    code += "\nfor n in range(60): print(n)"
    notebook = opened(server, page, "lab", "markdown", f"%%bgjob --name md\n{code}", "%bgjobs")
    notebook.run(1)
    desk.run("wait", "md")
    notebook.run(2)
    panel = notebook.panel(2)
    panel.locator(".b-job").first.dblclick()
    panel.get_by_role("tab", name="Outputs").click()
    shown = panel.locator(".b-pane-outputs")
    until(lambda: shown.locator("li strong").count() == 1, "its Markdown")
    assert shown.locator("li").inner_text() == "42 rows"
    inner = """node => [...node.querySelectorAll("*")].filter((each) =>
        each.clientHeight && each.scrollHeight > each.clientHeight + 2).length"""
    assert shown.evaluate(inner) == 0
    shot(page, "lab-markdown", panel)


# -- reload, restart, several, no kernel -----------------------------------------------------------------------------------


def test_after_a_reload_of_the_page_the_panel_lives_again(server, page, desk, home):
    gate = home.root / "gate-reload"
    job = desk.submitted("gates.gate", f"path={gate}")
    notebook = opened(server, page, "lab", "reload", "%bgjobs", f"bg.job({job})")
    notebook.run(1)
    notebook.run(2)
    until(lambda: "running" in state(notebook.panel(1), job), "the job running")
    saved(notebook)
    page.reload()
    notebook.wait_until_ready()
    until(lambda: notebook.cell(1).locator(".ipybgjobs").count() == 1, "the panel after the reload")
    until(lambda: "running" in state(notebook.panel(1), job), "the job after the reload")
    gate.touch()
    until(lambda: "succeeded" in state(notebook.panel(1), job), "its end, live")
    until(lambda: "succeeded" in notebook.panel(2).inner_text(), "its end, on the card")
    notebook.panel(2).get_by_role("button", name="Show log").click()
    until(lambda: "green waits" in notebook.panel(2).inner_text(), "its log, on the card")


def saved(notebook):
    """Save the notebook, and wait until it is."""
    path = notebook.server.folder / notebook.name
    before = path.stat().st_mtime_ns
    notebook.cell(0).locator(".jp-InputPrompt").click()
    notebook.save()
    until(lambda: path.stat().st_mtime_ns != before and is_whole(path), "the saved file")


def is_whole(path):
    """Whether a file is a notebook: a server writes it in place."""
    try:
        return "cells" in json.loads(path.read_text())
    except ValueError:
        return False


def test_a_restarted_kernel_leaves_a_snapshot_that_says_so_and_a_new_panel_shows_the_same_truth(server, page, desk, home):
    gate = home.root / "gate-restart"
    job = desk.submitted("gates.gate", f"path={gate}")
    notebook = opened(server, page, "lab", "restart", "%bgjobs", "%reload_ext ipybgjobs\n%bgjobs")
    notebook.run(1)
    until(lambda: "running" in state(notebook.panel(1), job), "the job running")
    server.get(f"/api/kernels/{notebook.session()['kernel']['id']}/restart", "POST")
    until(notebook.is_connected, "the kernel again")
    until(lambda: notebook.prompt(1) != "[*]:", "an idle notebook")
    old = notebook.cell(1).locator(".ipybgjobs")
    if old.count():  # JupyterLab keeps what it drew: it must not pretend to be live
        row(notebook.panel(1), job).get_by_role("button", name=f"Cancel job {job}").click()
        notebook.panel(1).locator(".b-confirm").get_by_role("button", name="Yes").click()
        until(lambda: "Waiting for the kernel" in said(notebook.panel(1)), "the old panel's word")
    notebook.run(0)
    notebook.run(2)
    until(lambda: "running" in state(notebook.panel(2), job), "the same job")
    row(notebook.panel(2), job).get_by_role("button", name=f"Cancel job {job}").click()
    notebook.panel(2).locator(".b-confirm").get_by_role("button", name="Yes").click()
    panel = notebook.panel(2)  # JupyterLab calls a subshell of the kernel before, where it was restarted from elsewhere
    until(lambda: "cancelled" in state(panel, job) or "Waiting for" in said(panel), "the cancel, or a word")
    gate.touch()
    until(lambda: not state(panel, job).startswith("running"), "its end")
    until(lambda: "cancelled" in state(panel, job) or "reload this page" in said(panel), "the cancel, or what to do")


def test_several_panels_and_several_kernels_show_the_same(server, page, browser, desk, home):
    gate = home.root / "gate-two"
    notebook = opened(server, page, "lab", "one", "%bgjobs", "%bgjobs")
    notebook.run(1)
    notebook.run(2)
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    other = opened(server, context.new_page(), "notebook", "two", "%bgjobs")
    other.run(1)
    panels = [notebook.panel(1), notebook.panel(2), other.panel(1)]
    job = desk.submitted("gates.gate", f"path={gate}")
    until(lambda: all(row(panel, job).count() and "running" in state(panel, job) for panel in panels), "the job in all three")
    row(panels[2], job).get_by_role("button", name=f"Cancel job {job}").click()
    panels[2].locator(".b-confirm").get_by_role("button", name="Yes").click()
    until(lambda: all("cancelled" in state(panel, job) for panel in panels), "its cancel in all three")
    context.close()


def test_a_notebook_without_a_kernel_shows_the_last_table_and_no_loading_widget(server, page, browser, desk, app):
    job = desk.submitted("gates.ok", "n=3", "--name", "kept in the file")
    desk.run("wait", str(job))
    notebook = opened(server, page, app, f"kept-{app}", "%bgjobs", f"bg.job({job})")
    notebook.run(1)
    notebook.run(2)
    until(lambda: row(notebook.panel(1), job).count(), "the panel")
    assert notebook.output(1).locator("[data-bgjobs]").is_hidden()  # the static table, while the panel is alive
    saved(notebook)
    server.end_kernels()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    alone = context.new_page()
    for what in ("sessions", "kernels"):
        alone.route(f"**/api/{what}*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    alone.goto(f"{server.address}/{APPS[app].format(name='alone')}/{notebook.name}?token={TOKEN}")
    cell = alone.locator(f"{SHOWN} .jp-CodeCell").nth(1)
    table = cell.locator("[data-bgjobs] table").first  # another one holds those that are folded away
    table.wait_for(timeout=DEADLINE * 1000)
    assert "kept in the file" in table.inner_text()
    assert "Loading widget" not in cell.inner_text()
    card = alone.locator(f"{SHOWN} .jp-CodeCell").nth(2)
    card.scroll_into_view_if_needed()  # a busy application leaves what is out of sight for later
    until(lambda: "kept in the file" in card.inner_text(), "the card, which is drawn a moment later")
    shot(alone, f"{app}-no-kernel")
    context.close()


def test_an_exported_notebook_is_readable(server, page, desk, home):
    job = desk.submitted("gates.ok", "n=3", "--name", "exported")
    desk.run("wait", str(job))
    notebook = opened(server, page, "lab", "export", "%bgjobs", f"bg.job({job})")
    notebook.run(1)
    notebook.run(2)
    saved(notebook)
    path = server.folder / "export.ipynb"
    nbformat.validate(nbformat.read(path, as_version=4))
    for kind in ("html", "markdown"):
        command = [sys.executable, "-m", "nbconvert", "--to", kind, "--stdout", "--log-level=ERROR", str(path)]
        text = subprocess.run(command, env=home.variables, capture_output=True, text=True, check=True).stdout
        assert text.count("exported") >= 2
        assert "<ipybgjobs" not in text
        assert "Panel(" not in text
        assert "Loading widget" not in text


# -- cells and notebooks as jobs -------------------------------------------------------------------------------------------


def test_what_a_cell_shows_as_a_job_appears_below_it_live_and_is_there_after_a_reload(server, page, desk, home):
    go = home.root / "go-cell"
    code = f"""
        %%bgjob --name cell --out total
        import os, time
        from IPython.display import HTML, display
        print("before")
        display(HTML("<b>bold</b>"))
        while not os.path.exists({str(go)!r}): time.sleep(0.02)
        print("after")
        total = 6 * 7
    """
    notebook = opened(server, page, "lab", "celljob", textwrap.dedent(code).strip(), "total")
    notebook.run(1)
    below = notebook.output(1)
    until(lambda: "before" in below.inner_text() and below.locator("b", has_text="bold").count() == 1, "its outputs, live")
    until(lambda: "running" in notebook.panel(1).inner_text(), "its card")
    saved(notebook)
    page.reload()
    notebook.wait_until_ready()
    until(lambda: "before" in notebook.output(1).inner_text(), "what it had shown, after the reload")
    until(lambda: "running" in notebook.panel(1).inner_text(), "its card, live again")
    shown = notebook.panel(1).locator(".b-pane-outputs")
    until(lambda: "before" in shown.inner_text(), "what it shows from now on, in its card: the page knows nothing of the cell")
    there = page.url
    page.goto("about:blank")
    go.touch()
    desk.run("wait", "cell")
    page.goto(there)
    notebook.wait_until_ready()
    until(lambda: "after" in shown.inner_text(), "what it has shown while nobody looked")
    assert "succeeded" in notebook.panel(1).inner_text()
    notebook.run(2)
    assert "42" in notebook.output(2).inner_text()
    shot(page, "lab-cell")
    page.reload()
    notebook.wait_until_ready()
    until(lambda: "succeeded" in notebook.panel(1).inner_text(), "its card")
    notebook.panel(1).get_by_role("button", name="Show log").click()  # which is heard after what comes by itself
    assert notebook.panel(1).get_by_role("tab", name="Log").get_attribute("aria-selected") == "true"


def test_the_output_of_a_notebook_that_ran_as_a_job_opens_in_jupyterlab_with_its_figures(server, page, desk, home):
    cells = ["steps = 3", "import matplotlib.pyplot as plt", "plt.plot(range(steps)); plt.show()", "print('last', steps)"]
    path = server.notebook("work.ipynb", *cells)
    made = nbformat.read(path, as_version=4)
    made.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(made, path)
    job = desk.submitted(
        "ipybgjobs.Notebook.run", f"path={path}", "parameters={'steps': 5}", f"output={server.folder}/done.ipynb"
    )
    desk.run("wait", str(job))
    assert desk.show(job)["state"] == "succeeded"
    notebook = Notebook(page, server, "done.ipynb")
    until(lambda: notebook.page.locator(f"{SHOWN} .jp-CodeCell img").count() == 1, "its figure")
    assert "last 5" in page.locator(SHOWN).inner_text()
    shot(page, "lab-notebook-job")


# -- twenty thousand -------------------------------------------------------------------------------------------------------

FILL = textwrap.dedent(
    """
    import sys
    from ipybgjobs.client.client import client
    folder = client().folder()
    database = client().database(folder)
    [job] = database.read("SELECT * FROM jobs WHERE name = 'pattern'")
    columns = [name for name in job.keys() if name not in ("id", "uid", "name")]
    names, values = ", ".join(columns), [job[name] for name in columns]
    marks = ", ".join("?" * (len(columns) + 2))
    with database.transaction() as connection:
        connection.executemany(
            f"INSERT INTO jobs (uid, name, {names}) VALUES ({marks})",
            [(f"{number:032}", f"old {number}", *values) for number in range(int(sys.argv[1]))],
        )
    """
)


#: Notes which rows are touched at all.
WATCH_ROWS = """node => {
    window.changes = new Set();
    const note = ({ target }) => {
        const row = (target.nodeType === 1 ? target : target.parentElement).closest(".b-job");
        if (row) window.changes.add(row.id);
    };
    const all = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver((changes) => changes.forEach(note)).observe(node, all);
}"""


def test_twenty_thousand_jobs_scroll_with_a_handful_of_rows_and_one_change_redraws_one(server, page, desk, home):
    desk.run("wait", str(desk.submitted("gates.ok", "--name", "pattern")))
    subprocess.run([sys.executable, "-c", FILL, "20500"], env=home.variables, check=True)
    gate = home.root / "gate-20000"
    job = desk.submitted("gates.gate", f"path={gate}", "--name", "the newest")
    notebook = opened(server, page, "lab", "twenty", "%bgjobs")
    notebook.run(1)
    panel = notebook.panel(1)
    until(lambda: said(panel).startswith("The newest 20,000 of 20,"), "all that a panel holds", 120)
    until(lambda: "running" in state(panel, job), "the job running")
    rows = panel.locator(".b-job")
    assert rows.count() < 40
    panel.locator(".b-grid").evaluate("node => { node.scrollTop = 300000; }")
    until(lambda: "old " in rows.first.inner_text() and rows.count() < 40, "rows in the middle")
    panel.locator(".b-grid").evaluate("node => { node.scrollTop = 0; }")
    until(lambda: row(panel, job).count() == 1, "the newest again")
    panel.evaluate(WATCH_ROWS)
    gate.touch()
    until(lambda: "succeeded" in state(panel, job), "its end")
    assert len(page.evaluate("[...window.changes]")) == 1
    panel.get_by_label("Filter by text").fill("old 19999")
    until(lambda: rows.count() == 1, "the one that matches")
    shot(page, "lab-20000", panel)


def test_closing_the_panel_ends_the_work_for_it_and_showing_it_again_begins_it(server, page, desk):
    threads = "import threading; print([t.name for t in threading.enumerate() if t.name == 'ipybgjobs-panel'])"
    notebook = opened(server, page, "lab", "closing", "%bgjobs", threads, "%bgjobs")
    notebook.run(1)
    until(lambda: notebook.panel(1).is_visible(), "the panel")
    notebook.run(2)
    assert "ipybgjobs-panel" in notebook.output(2).inner_text()
    page.evaluate(
        "() => { document.querySelectorAll('.jp-Notebook .jp-CodeCell')[1].querySelector('.ipybgjobs').scrollIntoView(); }"
    )
    clear_output(page, notebook, 1)

    def ended():
        notebook.run(2)
        return "ipybgjobs-panel" not in notebook.output(2).inner_text()

    until(ended, "the end of the thread")
    notebook.run(3)
    job = desk.submitted("gates.ok")
    until(lambda: row(notebook.panel(3), job).count() and "succeeded" in state(notebook.panel(3), job), "a live panel again")


def clear_output(page, notebook, number):
    notebook.cell(number).locator(".jp-InputPrompt").click()
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Clear Cell Output").first.click()
    until(lambda: notebook.cell(number).locator(".ipybgjobs").count() == 0, "an empty output")


def test_nothing_is_loaded_from_elsewhere(server, page, desk):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    notebook = opened(server, page, "lab", "offline", "%bgjobs")
    notebook.run(1)
    until(lambda: notebook.panel(1).is_visible(), "the panel")
    elsewhere = [url for url in asked if not url.startswith((server.address, "data:", "blob:"))]
    assert elsewhere == []
