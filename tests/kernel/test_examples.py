"""The notebooks in notebooks/ run from top to bottom in a real kernel, and say what they claim."""

import asyncio
import re
import shutil
import subprocess
import sys

import nbformat
from nbclient import NotebookClient

from support.place import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"


def run(name, folder):
    """Run a copy of a notebook in this environment's kernel."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    kernel = client.create_kernel_manager()
    kernel.kernel_spec.argv[0] = sys.executable
    asyncio.run(client.async_execute(stderr=subprocess.DEVNULL))
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(cell):
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def test_the_first_job(place, monkeypatch):
    monkeypatch.delenv("IPYBGJOBS_CONFIG")  # the notebook allows its own job, in the user's file
    shutil.copy(NOTEBOOKS / "training.py", place.code)
    (place.root / "jupyter").mkdir()
    (place.root / "jupyter" / "ipybgjobs_config.py").write_text("c.BackgroundJobs.idle_seconds = 0.5\n")
    _, allow, submit, result, log, jobs, refusal = run("first_job.ipynb", place.code)
    assert "training.Trainer.fit is allowed" in text(allow)
    assert "training.Trainer(alpha=0.001).fit(epochs=5)" in text(submit)
    assert re.search(r"'accuracy': 0\.[89]", text(result))
    assert text(log).count("epoch") == 5
    assert "succeeded" in text(jobs)
    words = "Trainer.fit() has no parameter epoch; it takes epochs, and its constructor takes alpha. Did you mean epochs?"
    assert text(refusal) == f"UsageError: {words}\n"


def test_many_jobs(place, monkeypatch):
    monkeypatch.delenv("IPYBGJOBS_CONFIG")  # as above
    shutil.copy(NOTEBOOKS / "training.py", place.code)
    (place.root / "jupyter").mkdir()
    (place.root / "jupyter" / "ipybgjobs_config.py").write_text("c.BackgroundJobs.idle_seconds = 0.5\n")
    _, _, sweep, late, ended, frame, last, again, jobs, clean = run("many_jobs.ipynb", place.code)
    assert re.search(r"group 1 · sweep · training.Trainer.score · 12 jobs", text(sweep))
    assert re.search(
        r"job 14 · late .*(queued, starts at \d{4}-\d\d-\d\d 23:30:00 \w+|cancelled)", text(late)
    )  # by the last cell
    assert len(set(re.findall(r"^(\d+) \{'alpha'", text(ended), re.MULTILINE))) == 12
    assert text(frame).split()[:3] == ["mean", "min", "max"]
    assert re.fullmatch(r"0\.[89]\d*", text(last))
    assert "Reusing job 13 (finished " in text(again)
    assert text(again).endswith("True")
    assert re.search(r"job 14 .* cancelled\n", text(jobs))
    assert "12 succeeded" in text(jobs)
    assert text(clean) == "<0 jobs, 0 B on disk would be removed>"


def test_outputs_of_a_job_in_another_notebook_after_the_first_kernel_has_gone(place, monkeypatch):
    monkeypatch.delenv("IPYBGJOBS_CONFIG")  # as above
    shutil.copy(NOTEBOOKS / "weather.py", place.code)
    (place.root / "jupyter").mkdir()
    (place.root / "jupyter" / "ipybgjobs_config.py").write_text("c.BackgroundJobs.idle_seconds = 0.5\n")
    *_, submit, status = run("outputs_today.ipynb", place.code)
    assert "weather.Station().year()" in text(submit) or "weather.Station.year()" in text(submit)
    assert re.search(r"running, (25|33|42|50) %, .* left, \S+ it/s: months", text(status))
    _, shown, july, _ = run("outputs_tomorrow.ipynb", place.code)
    printed, headline, bar, figure, table = shown.outputs
    assert printed.text == "the station starts\na line from C\na line from a child process\n"
    assert headline.data["text/markdown"].startswith("**warmest month: ")
    assert bar.text.startswith("months: 100%")
    assert set(figure.data) == {"image/png", "text/plain"}
    assert "<table" in table.data["text/html"]
    assert text(july).startswith("mean ")
    kept = nbformat.read(place.code / "year.ipynb", as_version=4)
    nbformat.validate(kept)
    kinds = ["stream", "display_data", "stream", "display_data", "execute_result"]
    assert [output.output_type for output in kept.cells[1].outputs] == kinds
