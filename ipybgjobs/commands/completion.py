"""Tab completion for ``%bgjob``: allowed targets, then the target's parameters; imports no new modules."""

import inspect
import sys
from typing import Any

from ..client import client
from ..errors import BackgroundJobError
from . import cell_line, job_line

_PATTERN = r".*%bgjob\s"


def complete(line: str) -> list[str]:
    """Return the possible completions of a line, as whole words.

    Parameters
    ----------
    line : str
        The text up to the cursor.
    """
    before, _, text = line.rpartition("%bgjob")
    typed, cell = _words(text), before.endswith("%")
    word = "" if line[-1:].isspace() or not typed else typed.pop()
    try:
        settings = client.client().settings()
    except BackgroundJobError:
        return []
    targets = {target: target for target in settings.targets()}
    targets |= {".".join(target.split(".")[-2:]): target for target in targets if target.count(".") > 1}
    chosen = next((targets[name] for name in map(_without_constructor, typed) if name in targets), None)
    if word.startswith("-"):
        offered = job_line.option_strings(cell_line.parser() if cell else job_line.magic_parser())
    elif cell:
        offered = []
    elif chosen is None:
        offered = list(targets)
    else:
        offered = [f"{name}=" for name in _parameters(chosen)]
    return sorted({each for each in offered if each.startswith(word)})


def _words(text: str) -> list[str]:
    try:
        return job_line.words(text)
    except job_line.UsageFault:
        return text.split()  # a quote or bracket is still open


def _without_constructor(word: str) -> str:
    head, _, rest = word.partition("(")
    return head + rest.rpartition(")")[2]


def _parameters(target: str) -> list[str]:
    """Return the parameters of a target whose module the kernel has already imported."""
    owner, _, method = target.rpartition(".")
    module, _, cls = owner.rpartition(".")
    found = sys.modules.get(owner) or getattr(sys.modules.get(module), cls, None)
    try:
        names = list(inspect.signature(getattr(found, method)).parameters)
    except (AttributeError, TypeError, ValueError):
        return []
    return [name for name in names if name != "self"]


def _hook(_shell: Any, event: Any) -> list[str]:
    text = getattr(event, "text_until_cursor", None) or event.line
    return complete(text)


def install(shell: Any) -> None:
    """Install the completions in a shell."""
    shell.set_hook("complete_command", _hook, re_key=_PATTERN)


def remove(shell: Any) -> None:
    """Remove the completions from a shell."""
    dispatcher = shell.strdispatchers.get("complete_command")
    for pattern in [pattern for pattern in getattr(dispatcher, "regexs", {}) if pattern.pattern == _PATTERN]:
        del dispatcher.regexs[pattern]
