"""The notebooks in notebooks/ run from top to bottom in a real kernel, and say what they claim."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


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
    assert text(refusal) == "UsageError: Trainer.fit() has no parameter epoch; it takes epochs. Did you mean epochs?\n"
