"""The first submit of a session, whose target's module imports scikit-learn: python benchmarks/first_submit.py [times].

Prints medians in milliseconds: of ``bg.submit`` in a fresh process after ``import ipybgjobs``, in a fresh kernel after the same,
and in a fresh kernel after ``%load_ext ipybgjobs``; beside them what importing the module takes. Bytecode is written, as it is
for users.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from jupyter_client.manager import start_new_kernel

TIMES = int(sys.argv[1]) if len(sys.argv) > 1 else 7

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
root = Path(tempfile.mkdtemp(prefix="ipybgjobs-bench-"))
(root / "training.py").write_text(
    "import sklearn.ensemble\n\n\nclass Trainer:\n    def __init__(self, lr: float = 0.1):\n        self.lr = lr\n\n"
    "    def fit(self, epochs: int = 3, names: list[str] | None = None):\n        return epochs\n"
)
(root / "config.py").write_text(
    'c.BackgroundJobs.allowed_jobs = {"training.Trainer": ["fit"]}\nc.BackgroundJobs.idle_seconds = 60\n'
)
os.environ |= {"IPYBGJOBS_CONFIG": str(root / "config.py"), "IPYBGJOBS_STATE_DIR": str(root / "state")}

SUBMIT = """
import sys, time
began = time.perf_counter()
job = bg.submit("training.Trainer.fit", {"epochs": 3, "names": ["a"]})
took = time.perf_counter() - began
assert "sklearn" not in sys.modules
print("took", took * 1000)
"""


def in_process():
    return float(_output(f"import ipybgjobs as bg\n{SUBMIT}").split()[-1])


def _output(code):
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout


def in_kernel(before):
    manager, client = start_new_kernel(cwd=str(root))
    said = []
    try:
        for code in (before, SUBMIT):
            client.execute_interactive(code, output_hook=lambda message: said.append(message["content"].get("text", "")))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return float("".join(said).rpartition("took")[2])


def of_import():
    code = "import time\nbegan = time.perf_counter()\nimport training\nprint((time.perf_counter() - began) * 1000)"
    return float(_output(code))


def median(measure):
    found = [measure() for _ in range(TIMES)]
    return f"{statistics.median(found):8.1f} ms   ({min(found):.1f} to {max(found):.1f})"


in_process()  # it starts the supervisor and writes bytecode
print("import of the module     ", median(of_import))
print("process, after import    ", median(in_process))
print("kernel, after import     ", median(lambda: in_kernel("import ipybgjobs as bg")))
print("kernel, after %load_ext  ", median(lambda: in_kernel("%load_ext ipybgjobs\nimport ipybgjobs as bg")))
