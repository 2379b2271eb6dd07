"""`jupyter bgjobs demo`: a real notebook submits a job, its kernel is killed, a second kernel shows log and result.

The job trains a classifier on the handwritten digits that scikit-learn ships. The demo has its own configuration and state
folder, so that it changes none of the user's files.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets.config import Application

from .errors import InvalidRequest, InvalidTarget

if TYPE_CHECKING:
    from nbformat import NotebookNode

_CONFIG = 'c = get_config()\nc.BackgroundJobs.allowed_jobs = {"ipybgjobs.demo.Digits": ["train"]}\n'

_FIRST = [
    "# First notebook: start a long job, and lose the kernel",
    "%load_ext ipybgjobs",
    "job = %bgjob ipybgjobs.demo.Digits.train epochs=20 --name digits\njob",
    "import time\nwhile 'epoch 3' not in job.log():\n    time.sleep(0.05)\nprint(job.log())",
]

_SECOND = [
    "# Second notebook, another kernel: everything is there",
    "%load_ext ipybgjobs\nimport ipybgjobs as bg",
    "job = bg.job('digits')\njob.wait(120)",
    "print(job.log(tail=5))",
    "job.result()",
    "%bgjobs",
]


class Digits:
    """A classifier of handwritten digits."""

    def train(self, epochs: int = 20, pause: float = 0.2) -> dict[str, Any]:
        """Train on 1,347 images, test on 450, and print the accuracy.

        Parameters
        ----------
        epochs : int
            Passes over the training images.
        pause : float
            Seconds to wait after each, so that there is time to kill the kernel.

        Returns
        -------
        dict
            Accuracy on the test images (0 to 1), epochs, and images of each kind.
        """
        from sklearn.datasets import load_digits
        from sklearn.linear_model import SGDClassifier
        from sklearn.model_selection import train_test_split

        data = load_digits()
        train_x, test_x, train_y, test_y = train_test_split(data.data, data.target, test_size=450, random_state=0)
        model = SGDClassifier(random_state=0)
        for epoch in range(1, epochs + 1):
            model.partial_fit(train_x, train_y, classes=range(10))
            print(f"epoch {epoch} accuracy {model.score(test_x, test_y):.3f}", flush=True)
            time.sleep(pause)
        score = float(model.score(test_x, test_y))
        return {"accuracy": round(score, 3), "epochs": epochs, "train": len(train_y), "test": len(test_y)}


def run(arguments: argparse.Namespace) -> int:
    """Run the demo, and print what happens.

    Raises
    ------
    InvalidTarget
        If what the demo needs is not installed.
    InvalidRequest
        If the folder can't be written to.
    """
    if Application.initialized():  # a notebook's process has a loop of its own, and what the demo imports may set variables
        return _run_in_process(arguments)
    try:
        import nbclient  # noqa: F401 - checked before anything starts
        import nbformat  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InvalidTarget(f"The demo needs {error.name}: pip install 'ipybgjobs[demo]'.") from None
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="ipybgjobs-demo-")).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ipybgjobs_config.py").write_text(_CONFIG)
    except OSError as error:
        raise InvalidRequest(f"The demo can't write to {folder}: {error.strerror}; choose another --folder.") from None
    asyncio.run(_play(folder))
    return 0


def _run_in_process(arguments: argparse.Namespace) -> int:
    """Run the demo in a process of its own, print what it prints, and end it if this is interrupted."""
    folder = ["--folder", arguments.folder] if arguments.folder else []
    command = [sys.executable, "-u", "-m", "ipybgjobs", "demo", *folder]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as process:
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
        except BaseException:
            process.terminate()
            raise
    return process.returncode


async def _play(folder: Path) -> None:
    print("1. A notebook, in a kernel of its own, submits a job and follows its log:")
    pid = await _execute(_FIRST, folder / "1-submit.ipynb", kill=True)
    print(f"2. Its kernel, process {pid}, was killed with SIGKILL. The job keeps running.")
    print("3. A second notebook, in a new kernel, finds it:")
    await _execute(_SECOND, folder / "2-tomorrow.ipynb", kill=False)
    print(f"Both notebooks are saved in {folder}")


async def _execute(cells: list[str], path: Path, *, kill: bool) -> int:
    """Run the cells in a new kernel, print their outputs, save the notebook; `kill`: kill the kernel with SIGKILL."""
    import nbformat
    from nbclient import NotebookClient

    title, *code = cells
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(title)])
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in code]
    client = NotebookClient(notebook, kernel_name="", resources={"metadata": {"path": str(path.parent)}})
    kernel: Any = client.create_kernel_manager()
    kernel.kernel_spec.argv[0] = sys.executable  # this environment's kernel, whatever is registered
    variables = {"IPYBGJOBS_CONFIG": str(path.parent / "ipybgjobs_config.py"), "IPYBGJOBS_STATE_DIR": str(path.parent / "state")}
    async with client.async_setup_kernel(stderr=subprocess.DEVNULL, env={**os.environ, **variables}):
        pid = int(kernel.provisioner.pid)
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                await client.async_execute_cell(cell, index)
                _print_cell(cell)
        if kill:
            await kernel.provisioner.kill()
            with contextlib.suppress(Exception):
                await kernel.shutdown_kernel(now=True)
    nbformat.write(notebook, path)
    return pid


def _print_cell(cell: "NotebookNode") -> None:
    for number, line in enumerate(cell.source.splitlines()):
        print(f"   {'In:  ' if number == 0 else '     '}{line}")
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        for line in text.rstrip().splitlines():
            print(f"        {line}")
