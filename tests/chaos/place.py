"""One run's folder: configuration, environment, ledger and state folder. It starts nothing."""

import os
import sys
import tempfile
from pathlib import Path

from .jobs import ALLOWED, LEDGER, SECRET
from .ledger import Ledger

#: The folder that holds this package.
ROOT = Path(__file__).resolve().parent.parent

#: What the secret begins with; it stands nowhere else.
_SECRET = "the-secret-of-the-chaos"

#: Queues and their slots; together a little more than two processors can do.
QUEUES = {"default": 4, "fast": 3, "narrow": 1}

_CONFIGURATION = f"""
c.BackgroundJobs.allowed_jobs = {ALLOWED!r}
c.BackgroundJobs.queues = {QUEUES!r}
c.BackgroundJobs.idle_seconds = 2.0
c.BackgroundJobs.kill_grace_seconds = 1.0
c.RetryPolicy.max_attempts = 5
c.RetryPolicy.delay_seconds = 0.1
c.RetryPolicy.backoff_factor = 1.5
c.JobLogs.max_bytes = 0
"""


class Place:
    """Names what is in one run's folder.

    Parameters
    ----------
    root : Path
        The folder, which exists and is empty.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.database = self.state / "jobs.db"
        self.ran = Ledger(str(root / "ran.jsonl"))
        self.violence = Ledger(str(root / "violence.jsonl"))

    def client(self, number: int) -> Ledger:
        """What one client was promised."""
        return Ledger(str(self.root / f"client.{number}.jsonl"))

    def errors(self, number: int) -> Path:
        """What one client printed on standard error."""
        return self.root / f"client.{number}.err"

    @property
    def secret(self) -> str:
        """What must be found in no file afterwards."""
        return f"{_SECRET}-{self.root.name}"

    def prepare(self) -> dict[str, str]:
        """Write the configuration, and return the environment of the clients."""
        configuration = self.root / "configuration.py"
        configuration.write_text(_CONFIGURATION)
        names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return variables | {
            **{name: str(self.root / name.lower()) for name in names},
            "JUPYTER_RUNTIME_DIR": tempfile.mkdtemp(prefix="chaos-"),  # short, since sockets' addresses are
            "IPYBGJOBS_STATE_DIR": str(self.state),
            "IPYBGJOBS_CONFIG": str(configuration),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            LEDGER: self.ran.path,
            SECRET: self.secret,
        }

    def command(self, module: str, *arguments: object) -> list[str]:
        """The command line of a process of the harness."""
        return [sys.executable, "-m", f"chaos.{module}", str(self.root), *map(str, arguments)]
