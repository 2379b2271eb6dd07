"""Names of functions and methods that the Python files of the working directory define, for completion; nothing is imported."""

import os
import pkgutil

from ..targets import lookup

#: Most modules whose text is read for one completion; of more, only the names are offered.
_MOST = 8


def beginning_with(word: str) -> list[str]:
    """Return the targets that begin with a word, and ``Class.*`` for all methods of a class.

    Parameters
    ----------
    word : str
        What is typed of a dotted path.
    """
    modules = _modules(word)
    if len(modules) > _MOST:
        return [f"{each}." for each in modules]
    found = [each for module in modules for each in lookup.targets_in(module)]
    return sorted(each for each in found if each.startswith(word))


def _modules(word: str) -> list[str]:
    """Return the modules whose targets may begin with a word: those that it names, and those that begin with it."""
    parts = word.split(".")
    found = []
    for length in range(len(parts)):
        package = parts[:length]
        for name in _submodules(os.path.join(os.getcwd(), *package)):
            module = ".".join([*package, name])
            if module.startswith(word) or word.startswith(f"{module}."):
                found.append(module)
    return found


def _submodules(folder: str) -> list[str]:
    try:
        return sorted(each.name for each in pkgutil.iter_modules([folder]) if not each.name.startswith("_"))
    except OSError:
        return []
