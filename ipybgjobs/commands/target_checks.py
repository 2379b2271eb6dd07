"""Whether targets that are to be allowed, or are allowed, exist; and how that is said."""

import sys
from collections.abc import Sequence

from ..client.client import client
from ..errors import InvalidTarget
from ..targets import allowlist, context, inspection_process, lookup
from ..targets.lookup import Lookup


def find_modules_here() -> None:
    """Have modules of the working directory found, as ``python -m`` does; a program that is installed does not."""
    here = context.working_directory()
    if here is not None and not {here, ""} & set(sys.path):
        sys.path.insert(0, here)


def looked_up(paths: Sequence[str]) -> list[Lookup | InvalidTarget]:
    """Return what each dotted path names, or why its module can't be imported.

    What the text of the source does not tell, a process of its own does.

    Parameters
    ----------
    paths : sequence of str
        Dotted paths.
    """
    find_modules_here()
    found: list[Lookup | InvalidTarget] = [lookup.by_text(path) for path in paths]
    doubtful = [number for number, one in enumerate(found) if isinstance(one, Lookup) and one.kind == "unknown"]
    if doubtful:
        answers = inspection_process.look_up([paths[number] for number in doubtful], client().tell)
        for number, answer in zip(doubtful, answers, strict=True):
            found[number] = answer
    return found


def refusal(found: Lookup) -> str:
    """Return why a target can't be a job, with what may be meant."""
    if found.is_file:
        return f"{found.target} is a file: {found.reason}.{allowlist.offered(found)}"
    if found.kind == "missing":
        hint = f" Did you mean {found.nearest}?" if found.nearest else allowlist.offered(found)
        return f"{found.target} does not exist: {found.reason}.{hint}"
    if found.kind == "class":
        return f"{found.target} is a class: name methods, or write {found.target}.* for all of them.{allowlist.offered(found)}"
    return f"{found.target} can't be a job: {found.reason}.{allowlist.offered(found)}"


def faults(targets: Sequence[str]) -> list[str]:
    """Return a sentence for each allowed target that can't be submitted, as far as that is known here."""
    found = zip(targets, looked_up(targets), strict=True)
    return [fault for fault in (_fault(target, one) for target, one in found) if fault is not None]


def _fault(target: str, found: Lookup | InvalidTarget) -> str | None:
    if isinstance(found, InvalidTarget):
        return f"Allowed, but not known to exist: {target}. {found}"
    if found.is_elsewhere and not found.nearest:
        return f"Allowed, but not found from here: {target}; {found.reason}."
    return None if found.is_callable else f"Allowed, but of no use: {refusal(found)}"
