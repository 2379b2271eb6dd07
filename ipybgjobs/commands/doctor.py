"""`jupyter bgjobs doctor`: prints the diagnosis; exit status 1 if there is a problem.

It changes nothing, except with ``--rescue``.
"""

import argparse
import json

from ..client import diagnosis, rescue
from ..client.client import client
from ..client.diagnosis import Report
from ..client.rescue import Salvageable
from ..configuration import loading
from ..state.folder import StateFolder
from ..system import interrupt_shield


def run(arguments: argparse.Namespace) -> int:
    """Report versions, configuration and store, and what is wrong with them."""
    if arguments.rescue:
        return _rescue(json_wanted=arguments.json)
    report = examine()
    if arguments.json:
        print(json.dumps({"facts": report.facts, "problems": report.problems}, indent=2))
    else:
        print(report)
    return 1 if report.problems else 0


def examine() -> Report:
    """Examine everything that this process's client sees."""
    return diagnosis.examine(client)


def _rescue(*, json_wanted: bool) -> int:
    """Save what can be saved, and report it."""
    here = client()
    folder = StateFolder(loading.state_folder(here.settings()))
    own_context = here.submit_context()

    def said(saved: tuple[Salvageable, str | None]) -> str | None:
        found, aside = saved
        moved = f"; the damaged store was moved to {aside}, unchanged" if aside else ""
        return f"saved in {folder.database}: {found.saved()}{moved}" if found.any else None

    saved = interrupt_shield.run(lambda: rescue.rescue(folder, own_context), said)
    found, aside = saved
    if json_wanted:
        print(json.dumps({"saved": len(found.folders) + len(found.salvaged.rows.get("jobs", ())), "aside": aside}))
    else:
        text = said(saved) or "there is nothing to save"
        print(f"{text[0].upper()}{text[1:]}.")
    return 0
