"""The live card of a group in a real JupyterLab and Notebook 7: its bar, order and actions, and the job that a click opens."""

import pytest

from support.accessibility import violations
from support.browser import APPS, opened, shot
from support.place import until

pytestmark = pytest.mark.timeout(300)


def counts(card):
    return card.locator(".b-count:visible").all_inner_texts()


def ids(card):
    return [int(text) for text in card.locator(".b-members .b-open").all_inner_texts()]


def row(card, job):
    return card.locator(f'.b-members tr:has([aria-label="Open job {job}"])')


def words(card, job):
    return row(card, job).inner_text()


@pytest.mark.parametrize("app", APPS)
def test_a_sweep_is_compared_while_it_runs_and_acted_on_as_a_whole(server, page, home, app):
    go, sweep = home.root / f"go-{app}", f"sweep-{app}"
    calls = f"bg.grid(lr=[0.1, 0.3, 0.2, 0.5, 0.4]), common={{'path': {str(go)!r}}}"
    submit = f"group = bg.submit_many('grids.Trial.hold', {calls}, name={sweep!r})\ngroup"
    broken = "bad = bg.submit_many('grids.Trial.measure', bg.grid(lr=[0.1, 0.2], fails=[True, False], epochs=[3]))\nbad.wait(60)"
    notebook = opened(server, page, app, f"group-{app}", submit, broken)
    notebook.run(1)
    card = notebook.panel(1)
    until(lambda: counts(card) == ["3 running", "2 queued"], "three running jobs")
    first = min(ids(card))
    until(lambda: ids(card)[:3] == [first + 1, first + 2, first], "the best one, then the others by their value")
    assert "running · best" in words(card, first + 1)
    assert "path" not in card.locator(".b-members").inner_text()  # they all have the same
    shot(page, f"{app}-group-running", card)
    card.get_by_label("Priority of the queued jobs").fill("4")
    setter = card.get_by_role("button", name="Set priority").first
    assert setter.evaluate("node => getComputedStyle(node).borderTopColor") != "rgba(0, 0, 0, 0)"  # it looks like a button
    setter.click()
    until(lambda: "2 jobs given priority 4" in card.locator(".b-status").inner_text(), "what came of it")
    row(card, first).click()
    until(lambda: "step 0" in card.locator(".b-pane-log").inner_text(), "the log of the job")
    card.get_by_role("button", name="Close details").click()
    card.get_by_role("button", name="Cancel the unfinished jobs").click()
    question = "Cancel 5 jobs, of which 3 are running and would lose unfinished work?"
    assert question in card.locator(".b-confirm").inner_text()
    card.locator(".b-confirm").get_by_role("button", name="No").click()
    go.touch()
    until(lambda: counts(card) == ["5 succeeded"], "the end of all")
    until(lambda: "0.25" in words(card, first + 3), "a value of a result")
    until(lambda: ids(card) == [first + 3, first + 4, first + 1, first + 2, first], "all by their value")
    assert "result.f1" in card.locator(".b-members thead").inner_text()
    shot(page, f"{app}-group-ended", card)
    notebook.run(2)
    failed = notebook.panel(2)
    until(lambda: counts(failed) == ["2 failed", "2 succeeded"], "two failed jobs")
    assert "ValueError: diverged" in words(failed, ids(failed)[0])
    assert "fails=True" in words(failed, ids(failed)[0])
    failed.get_by_role("button", name="Retry the failed and cancelled jobs").click()
    until(lambda: "2 jobs retried" in failed.locator(".b-status").inner_text(), "the retry")
    assert violations(page) == []


def test_a_group_without_values_and_one_that_was_cancelled(server, page, home):
    submit = "group = bg.submit_many('grids.Trial.fit', bg.grid(lr=[0.5], epochs=range(12)), delay='1h')\ngroup"
    notebook = opened(server, page, "lab", "group-plain", submit, "group.cancel()\ngroup.remove()")
    notebook.run(1)
    card = notebook.panel(1)
    until(lambda: counts(card) == ["12 queued"], "the counts")
    assert len(ids(card)) == 8
    card.get_by_role("button", name="Show all 12").click()
    assert len(ids(card)) == 12
    shot(page, "lab-group-all", card)
    notebook.run(2)
    until(lambda: "(removed)" in card.inner_text(), "the end of the group")


def test_the_group_card_in_a_narrow_cell_and_a_dark_theme(server, page, home):
    (server.settings / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')
    calls = "bg.grid(lr=[0.1, 0.2, 0.3], fails=[False, True], epochs=[3])"
    submit = f"bg.submit_many('grids.Trial.measure', {calls}, name='dark').wait(60)"
    notebook = opened(server, page, "lab", "group-dark", submit)
    notebook.run(1)
    card = notebook.panel(1)
    until(lambda: counts(card) == ["3 failed", "3 succeeded"], "the end of all")
    shot(page, "lab-group-dark", card)
    assert violations(page) == []
