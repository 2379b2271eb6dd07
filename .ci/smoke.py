"""Use the package as a new user does, with no extras, in the environment that runs this: ``python -I smoke.py``.

It runs a job from the command line and from Python, and imports every module, so a dependency that is not declared fails here.
"""

import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

#: Modules that need an extra, by its first module that is missing.
WITH_EXTRA = {"ipybgjobs.panel.dashboard": "jupyter_server"}

JOBS = "def double(value):\n    print('doubling', value)\n    return 2 * value\n"

SESSION = """
import ipybgjobs as bg
job = bg.submit("smoke_jobs.double", {"value": 21})
assert job.result(60) == 42, job
assert job.log() == "doubling 21\\n", job.log()
"""


def command(*arguments: str) -> str:
    """Run a program of this environment, and return what it printed."""
    program = os.path.join(os.path.dirname(sys.executable), arguments[0])
    done = subprocess.run([program, *arguments[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"`{' '.join(arguments)}` failed: {done.stdout}{done.stderr}")
    return done.stdout


def check_installed() -> None:
    """Check that the installed package is imported, in the version that its metadata name."""
    import ipybgjobs

    assert Path(ipybgjobs.__file__).is_relative_to(sys.prefix), ipybgjobs.__file__
    assert ipybgjobs.__version__ == metadata.version("ipybgjobs")
    assert command("jupyter", "bgjobs", "--version") == f"{ipybgjobs.__version__}\n"


def check_modules() -> None:
    """Import every module; one may be missing only where an extra is needed."""
    import ipybgjobs

    for module in pkgutil.walk_packages(ipybgjobs.__path__, "ipybgjobs.", onerror=lambda _name: None):
        extra = next((missing for name, missing in WITH_EXTRA.items() if module.name.startswith(name)), None)
        if module.name not in ("ipybgjobs.__main__", "ipybgjobs.start"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name != extra:
                    raise


def check_jobs() -> None:
    """Allow a function, and run it as a job from the command line, from Python and from IPython."""
    Path("smoke_jobs.py").write_text(JOBS)
    command("jupyter", "bgjobs", "allow", "smoke_jobs.double")
    command("jupyter", "bgjobs", "submit", "smoke_jobs.double", "value=4")
    assert json.loads(command("jupyter", "bgjobs", "wait", "1", "--json"))
    assert command("jupyter", "bgjobs", "result", "1") == "8\n"
    command("python", "-c", SESSION)
    Path("session.ipy").write_text("%load_ext ipybgjobs\njob = %bgjob smoke_jobs.double value=5\nassert job.result(60) == 10\n")
    command("ipython", "session.ipy")


def main() -> None:
    """Check all, in a home of its own."""
    home = tempfile.mkdtemp()
    for name in [name for name in os.environ if name.startswith(("IPYBGJOBS_", "JUPYTER_", "XDG_"))]:
        del os.environ[name]
    os.environ.update(HOME=home, IPYTHONDIR=home, PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    os.chdir(home)
    check_installed()
    check_modules()
    check_jobs()
    shutil.rmtree(home)
    print(f"ipybgjobs {metadata.version('ipybgjobs')} works in {sys.prefix}.")


if __name__ == "__main__":
    main()
