"""Running the command of `on_finish`: nobody's child, without a shell, in the job's environment; its fate changes nothing."""

import json
import shutil

from ..folder import StateFolder
from ..process import launch
from .effects import Notice


def run(notice: Notice, folder: StateFolder) -> str | None:
    """Run a command, and don't wait for it.

    Returns
    -------
    str or None
        Why it can't be run; None if it was started.
    """
    environment = json.loads(notice.environment)
    program = shutil.which(notice.command[0], path=environment.get("PATH"))
    if program is None:
        return f"job {notice.job_id}: on_finish can't be run: there is no program {notice.command[0]}"
    try:
        launch.detached([program, *notice.command[1:]], errors=folder.errors, environment=environment, cwd=notice.cwd)
    except (OSError, ValueError) as error:
        return f"job {notice.job_id}: on_finish can't be run: {error}"
    return None
