"""What a saved notebook says of jobs is true: as of when, kept current, as wide as the cell, and alive after `%load_ext`."""

import re

import nbformat
import pytest

from support.browser import APPS, SHOWN, opened, shot
from support.place import until

pytestmark = pytest.mark.timeout(300)


def saved(notebook, number):
    """The markup that the file has below a cell; none while it is being written."""
    notebook.save()
    try:
        cell = nbformat.read(notebook.server.folder / notebook.name, as_version=4).cells[number]
    except nbformat.reader.NotJSONError:
        return ""
    return "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)


def state(card):
    return card.locator(".b-state").first.inner_text()


def hold(path, rest=""):
    return f"%bgjob grids.Trial.hold path={path} steps=3 {rest}"


def test_a_saved_card_says_as_of_when_and_is_refreshed_when_the_job_starts_and_ends(server, page, home):
    go = home.root / "go-saved"
    group = f"bg.submit_many('grids.Trial.hold', bg.grid(lr=[0.1, 0.2]), common={{'path': {str(go)!r}}}, name='saved')"
    notebook = opened(server, page, "lab", "saved", hold(go), group)
    notebook.run(1)
    notebook.run(2)
    stamp = r"as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    until(
        lambda: re.search(rf"running, .*{stamp} \w+; <code>bg\.job\(\d+\)</code> shows it now", saved(notebook, 1)), "a true card"
    )
    until(
        lambda: re.search(rf"2 jobs: 2 running · {stamp} \w+; <code>bg\.group\(\d+\)</code> shows", saved(notebook, 2)),
        "a true group",
    )
    go.touch()
    until(lambda: "succeeded" in saved(notebook, 1) and "as of" not in saved(notebook, 1), "its end")
    until(lambda: "2 jobs: 2 succeeded" in saved(notebook, 2) and "as of" not in saved(notebook, 2), "the end of the group")


def test_what_is_saved_is_refreshed_although_the_page_is_hidden(server, page, home):
    go = home.root / "go-hidden"
    notebook = opened(server, page, "lab", "hidden", hold(go))
    notebook.run(1)
    until(lambda: "running" in saved(notebook, 1), "a card that runs")
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden'})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    go.touch()
    until(lambda: "succeeded" in saved(notebook, 1), "its end")


@pytest.mark.parametrize("app", APPS)
def test_saved_cards_live_again_after_the_extension_is_loaded_in_a_reopened_notebook(server, page, home, app):
    go = home.root / f"go-again-{app}"
    group = f"bg.submit_many('grids.Trial.hold', bg.grid(lr=[0.1, 0.2]), common={{'path': {str(go)!r}}}, name='again')"
    notebook = opened(server, page, app, f"again-{app}", hold(go), group, "%bgjobs")
    for number in (1, 2, 3):
        notebook.run(number)
    until(lambda: "running" in saved(notebook, 1) and "2 running" in saved(notebook, 2), "saved states")
    server.end_kernels()
    page.reload()
    notebook.wait_until_ready()
    assert page.locator(f"{SHOWN} .ipybgjobs").count() == 0
    assert "as of" in notebook.output(1).inner_text()
    frame = "node => ['borderTopStyle', 'fontSize'].map((each) => getComputedStyle(node.parentElement)[each])"
    assert notebook.output(2).locator("details").first.evaluate(frame) == ["solid", "13px"]  # as that of a job
    shot(page, f"{app}-reopened", notebook.cell(1))
    shot(page, f"{app}-reopened-group", notebook.cell(2))
    notebook.run(0)
    card, panel = notebook.panel(1), notebook.panel(3)
    until(lambda: card.count() and state(card) == "running", "a card that lives again")
    until(lambda: "running" in panel.locator(".b-job .b-of-state").first.inner_text(), "a panel that lives again")
    assert "as of" not in notebook.output(1).inner_text()
    assert "widget" not in notebook.output(1).inner_text().lower()
    shot(page, f"{app}-revived", notebook.cell(1))
    until(lambda: notebook.panel(2).locator("tbody tr").count() == 2, "its jobs")
    colours = (
        "node => [...node.querySelectorAll('tbody tr:not([data-best])')].map((row) => getComputedStyle(row).backgroundColor)"
    )
    assert set(notebook.panel(2).evaluate(colours)) == {"rgba(0, 0, 0, 0)"}  # as in a new one
    shot(page, f"{app}-revived-group", notebook.cell(2))
    width = panel.bounding_box()["width"]
    shot(page, f"{app}-revived-panel", notebook.cell(3))
    notebook.run(3)
    until(lambda: notebook.panel(3).locator(".b-job").count(), "a new panel")
    assert abs(notebook.panel(3).bounding_box()["width"] - width) <= 1
    card.get_by_role("button", name="Show log, outputs and attempts").click()
    until(lambda: "step 2" in card.locator(".b-pane-log").inner_text(), "its log")
    go.touch()
    until(lambda: state(card) == "succeeded", "its end")
    until(lambda: "2 succeeded" in notebook.panel(2).locator(".b-counts").inner_text(), "the end of the group")


def test_cards_live_again_after_a_restart_of_the_kernel_without_reloading_the_page(server, page, home):
    go = home.root / "go-restart"
    notebook = opened(server, page, "lab", "restart", hold(go), "%bgjob grids.Trial.fit")
    notebook.run(1)
    until(lambda: "running" in saved(notebook, 1), "a card that runs")
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.keyboard.press("0")
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    until(lambda: "running" not in notebook.prompt(0) and notebook.is_connected(), "the new kernel")
    notebook.run(0)
    until(
        lambda: notebook.cell(1).locator(".ipybgjobs:visible").count() == 1 and state(notebook.panel(1)) == "running",
        "one live card",
    )
    notebook.run(2)
    go.touch()
    until(lambda: state(notebook.cell(1).locator(".ipybgjobs:visible")) == "succeeded", "its end")
    until(lambda: notebook.cell(2).locator(".ipybgjobs:visible").count() == 1, "one card of the new job")


def restart(page, notebook):
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.keyboard.press("0")
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    until(lambda: "running" not in notebook.prompt(0) and notebook.is_connected(), "the new kernel")


#: What is seen of each card, group and panel below a cell: whether it is live, and its text.
FORMS = """cell => [...cell.querySelectorAll(".ipybgjobs, [data-bgjobs-of]")].filter((node) => node.offsetHeight > 0)
    .map((node) => [node.classList.contains("ipybgjobs"), node.innerText])"""


def test_each_restart_of_the_kernel_leaves_one_card_of_each(server, page, home):
    go = home.root / "go-thrice"
    forms = lambda number: notebook.cell(number).evaluate(FORMS)  # noqa: E731
    group = f"bg.submit_many('grids.Trial.hold', bg.grid(lr=[0.1]), common={{'path': {str(go)!r}}}, name='thrice')"
    notebook = opened(
        server, page, "lab", "thrice", hold(go), group, "%bgjob grids.Trial.fit --name short", "%bgjobs", "%reload_ext ipybgjobs"
    )
    for number in (1, 2, 3, 4):
        notebook.run(number)
    until(lambda: "running" in saved(notebook, 1) and "succeeded" in saved(notebook, 3), "saved states")
    server.end_kernels()
    page.reload()
    notebook.wait_until_ready()
    notebook.run(0)

    def live(number):
        seen = forms(number)
        return len(seen) == 1 and seen[0][0] and "Waiting for" not in seen[0][1]

    for again in ("at first", "once", "twice"):
        for number in (1, 2, 3, 4):
            notebook.cell(number).scroll_into_view_if_needed()
            until(lambda number=number: live(number), f"one live form below cell {number} ({again})")
        if again != "twice":
            restart(page, notebook)
            notebook.run(5 if again == "once" else 0)  # elsewhere, what the one before has drawn is still there
    go.touch()
    notebook.cell(1).scroll_into_view_if_needed()
    until(lambda: live(1) and "succeeded" in forms(1)[0][1], "its end")


def test_a_saved_card_whose_job_was_removed_is_the_only_one_after_a_restart(server, page, home):
    notebook = opened(server, page, "lab", "removed", "%bgjob grids.Trial.fit --name removed", "bg.job('removed').remove()")
    notebook.run(1)
    until(lambda: "succeeded" in saved(notebook, 1), "a saved card")
    notebook.run(2)
    restart(page, notebook)
    notebook.run(0)
    until(lambda: [form[0] for form in notebook.cell(1).evaluate(FORMS)] == [False], "what was saved, alone")


def test_a_notebook_without_saved_cards_shows_nothing_when_the_extension_is_loaded(server, page, home):
    notebook = opened(server, page, "lab", "fresh", "%bgjob grids.Trial.fit")
    assert notebook.cell(0).locator("[data-bgjobs], .jupyter-widgets").count() == 0


def test_after_a_page_reload_the_outputs_of_a_cell_that_runs_as_a_job_are_shown_once(server, page, home):
    go = home.root / "go-once"
    wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.05)"
    cell = f"%%bgjob\nimport os, time\nprint('tick 0', flush=True)\n{wait}\nprint('tick 1')"
    notebook = opened(server, page, "lab", "once", cell)
    notebook.run(1)
    until(lambda: "tick 0" in notebook.output(1).inner_text(), "the first output")
    until(lambda: "running" in saved(notebook, 1), "the saved card, without which there is none after the reload")
    page.reload()
    notebook.wait_until_ready()
    card = notebook.panel(1)
    until(lambda: "tick 0" in card.locator(".b-pane-outputs").inner_text(), "the outputs in the card")
    assert notebook.output(1).inner_text().count("\ntick 0") == 1
    shot(page, "lab-once", notebook.cell(1))
    go.touch()
    until(lambda: "tick 1" in card.locator(".b-pane-outputs").inner_text(), "the last output")
    assert notebook.output(1).inner_text().count("\ntick 1") == 1


@pytest.mark.parametrize("app", APPS)
def test_tables_of_jobs_fit_the_cell(server, page, home, app):
    many = "bg.submit_many('grids.Trial.measure', bg.grid(lr=[0.1, 0.2], fails=[True]), name='a name of several words')"
    one = f"bg.submit('grids.Trial.measure', {{'lr': 0.123456789, 'epochs': 123456}}, name={'n' * 90!r}, delay='1h')"
    submit = f"{many}.wait(60)\nlate = {one}\nbg.jobs()"
    show = "from ipybgjobs.panel import overview\nfrom IPython.display import HTML\nlate.cancel(); HTML(overview.html(50))"
    waits = "for _ in range(4): last = bg.submit('grids.Trial.fit', {}, after=last)"
    waits = f"last = bg.submit('grids.Trial.fit', {{}}, delay='1h')\n{waits}\nbg.jobs(state='queued')"
    notebook = opened(server, page, app, f"wide-{app}", submit, show, waits)
    for number in (1, 2, 3):
        notebook.run(number)
    for number in (1, 2):
        table, area = notebook.cell(number).locator("table").first, notebook.output(number)
        assert table.bounding_box()["width"] <= area.bounding_box()["width"]
        assert notebook.cell(number).evaluate(
            "node => [...node.querySelectorAll('td')].every((cell) => cell.scrollWidth <= cell.clientWidth + 1)"
        )
        shot(page, f"{app}-table-{number}", notebook.cell(number))
    rows = "node => [...node.querySelectorAll('tr')].filter((row) => /queued/.test(row.innerText)).map((row) => row.offsetHeight)"
    assert max(notebook.cell(3).evaluate(rows)) < 50  # two lines
    shot(page, f"{app}-table-3", notebook.cell(3))
