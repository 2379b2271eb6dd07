"""What completes a line of ``%bgjob``, ``%%bgjob`` or ``%bgjobs``: targets, parameters, options and their values, verbs, jobs.

It imports none of the user's modules: a parameter is known from a module that is imported, or from the text of its file.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..model.records import JobState
from ..model.surface import Surface
from . import cell_line, cli, job_line, notebook_line, usage
from .candidates import Candidates
from .parameter_names import TypedParameter

#: What may be open at the end of a word.
_CLOSING = ('"', "'", ")", "]", "}")


class Offer(NamedTuple):
    """What completes a word.

    Parameters
    ----------
    word : str
        What is typed of it.
    texts : list of str
        Whole words, in the order in which they are shown.
    """

    word: str
    texts: list[str]


def complete(line: str, variables: Mapping[str, Any] | None = None) -> Offer | None:
    """Return what completes the end of a line; None if it is the line of no magic of this package.

    Parameters
    ----------
    line : str
        The text up to the cursor.
    variables : mapping, optional
        The notebook's variables.
    """
    head, found, rest = line.rpartition("%bgjob")
    is_cell, is_verbs = head.endswith("%"), rest.startswith("s")
    before, rest = head.removesuffix("%").strip(), rest.removeprefix("s")
    if not found or (before and not before.endswith("=")) or not rest[:1].isspace():
        return None
    typed, word = _split(rest)
    candidates = Candidates(variables or {})
    if is_verbs:
        return Offer(word, _of_verbs(typed, word, candidates))
    return Offer(
        word, _of_job(cell_line.parser() if is_cell else job_line.magic_parser(), typed, word, candidates, is_cell=is_cell)
    )


def _split(rest: str) -> tuple[list[str], str]:
    """Return the words before the cursor, and the one that it is in."""
    for closing in ("", *_CLOSING):
        try:
            words = job_line.words(rest + closing)
        except usage.UsageFault:
            continue
        if words and (closing or not rest[-1:].isspace()):
            *typed, last = words
            return typed, last.removesuffix(closing) if closing else last
        return words, ""
    *typed, last = rest.split() or [""]  # more than one thing is open
    return typed, last


def _of_verbs(typed: Sequence[str], word: str, candidates: Candidates) -> list[str]:
    parser = cli.parser(Surface.NOTEBOOK)
    verbs = cli.verbs_of(parser)
    if not typed:
        return _options(parser, typed, word) if word.startswith("-") else [each for each in verbs if each.startswith(word)]
    verb, made = typed[0], verbs.get(typed[0])
    if made is None:
        return []
    if verb == "submit":
        return _of_job(made, typed[1:], word, candidates)
    typed, expected = _positional(made, typed[1:])
    if (found := _of_option(made, typed, expected, word, candidates)) is not None:
        return found
    return _of_positional(made, verb, typed, word, candidates)


def _of_job(
    parser: argparse.ArgumentParser, typed: Sequence[str], word: str, candidates: Candidates, *, is_cell: bool = False
) -> list[str]:
    positional, expected = _positional(parser, typed)
    if (found := _of_option(parser, typed, expected, word, candidates)) is not None or is_cell:
        return found or []
    if positional and notebook_line.is_notebook(positional[0].strip("\"'")):
        return _of_pairs(candidates.of_notebook(positional[0]), positional, word, candidates)
    targets = {**candidates.targets(), **candidates.own_targets()}
    chosen = next((targets[name] for name in map(_without_constructor, positional) if name in targets), None)
    if chosen is not None:
        known = candidates.call(chosen, with_constructor=not any("(" in each.partition("=")[0] for each in positional))
        return _of_pairs(known, positional, word, candidates, is_path=chosen == _NOTEBOOK)
    if positional:
        return []
    if "(" in word:
        return _of_constructor(word, targets, candidates)
    return sorted(each for each in targets if each.startswith(word)) + (candidates.paths(word, ".ipynb") if word else [])


def _of_pairs(
    parameters: Sequence[TypedParameter], positional: Sequence[str], word: str, candidates: Candidates, *, is_path: bool = False
) -> list[str]:
    """Return what completes ``name=value``; `is_path`: whether the parameter ``path`` is a notebook."""
    name, equals, value = word.partition("=")
    if not equals:
        given = {each.partition("=")[0] for each in positional}
        return [f"{each.name}=" for each in parameters if each.name.startswith(word) and each.name not in given]
    values = [each for known in parameters if known.name == name for each in known.values if each.startswith(value)]
    values += candidates.sent(value) if value.startswith("$") else []
    if is_path and name == "path":
        values += candidates.paths(value, ".ipynb")
    elif not values and value:
        values += candidates.paths(value)
    return [f"{name}={each}" for each in values]


def _of_constructor(word: str, targets: Mapping[str, str], candidates: Candidates) -> list[str]:
    """Return what completes the constructor's parameters in a target: ``Class(lr=0.1, la``."""
    owner, _, inner = word.partition("(")
    target = next((full for name, full in targets.items() if name.rpartition(".")[0] == owner), None)
    last = inner.rpartition(",")[2].lstrip()
    if target is None or ")" in inner or "=" in last:
        return []
    start = word.removesuffix(last) if last else word
    return [f"{start}{each.name}=" for each in candidates.parameters(target, is_constructor=True) if each.name.startswith(last)]


#: The target whose parameter ``path`` is a notebook.
_NOTEBOOK = "ipybgjobs.Notebook.run"


def _without_constructor(word: str) -> str:
    head, _, rest = word.partition("(")
    return head + rest.rpartition(")")[2]


# -- options -------------------------------------------------------------------------------------------------------------


def _positional(parser: argparse.ArgumentParser, typed: Iterable[str]) -> tuple[list[str], argparse.Action | None]:
    """Return the words that are neither options nor their values, and the option whose value is to follow."""
    found: list[str] = []
    expected: argparse.Action | None = None
    by_flag = {flag: action for action in _actions(parser) for flag in action.option_strings}
    for word in typed:
        if expected is not None:
            expected = None
        elif not word.startswith("-"):
            found.append(word)
        elif (action := by_flag.get(word)) is not None and _takes_word(word, action):
            expected = action
    return found, expected


def _takes_word(flag: str, action: argparse.Action) -> bool:
    """Return whether the word after an option is its value; an optional one is written after an equals sign."""
    return action.nargs != 0 and job_line.with_values([flag]) == [flag]


def _of_option(
    parser: argparse.ArgumentParser, typed: Sequence[str], expected: argparse.Action | None, word: str, candidates: Candidates
) -> list[str] | None:
    """Return what completes an option or its value; None if the word is neither."""
    if expected is not None:
        return _values(expected, word, candidates)
    flag, equals, value = word.partition("=")
    if not word.startswith("-"):
        return None
    if not equals:
        return _options(parser, typed, word)
    action = next((each for each in _actions(parser) if flag in each.option_strings), None)
    return [] if action is None else [f"{flag}={each}" for each in _values(action, value, candidates)]


def _options(parser: argparse.ArgumentParser, typed: Sequence[str], word: str) -> list[str]:
    """Return the options that a line does not have yet."""
    given = {each.partition("=")[0] for each in typed}
    actions = [each for each in _actions(parser) if each.dest in _AGAIN or not given & set(each.option_strings)]
    flags = sorted(flag for action in actions for flag in action.option_strings if flag.startswith("--"))
    return [flag for flag in flags if flag.startswith(word)]


#: Options that can be given again.
_AGAIN = ("after", "after_any", "sent", "wanted", "state")


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse has no other way


def _values(action: argparse.Action, word: str, candidates: Candidates) -> list[str]:
    """Return the values of an option."""
    if action.choices is not None:
        return [each for each in map(str, action.choices) if each.startswith(word)]
    several, comma, last = word.rpartition(",")
    offer = _OFFERS.get(action.dest)
    if offer is None:
        return []
    if action.dest not in _SEVERAL:
        return offer(candidates, word)
    return [f"{several}{comma}{each}" for each in offer(candidates, last)]


def _states(_: Candidates, word: str) -> list[str]:
    return [state for state in JobState if state.startswith(word)]


def _allowed(candidates: Candidates, word: str) -> list[str]:
    return sorted({each for each in candidates.targets().values() if each.startswith(word)})


def _variables(candidates: Candidates, word: str) -> list[str]:
    return [each[1:] for each in candidates.sent(f"${word}")]


#: What the values of an option, by its name in a namespace, are taken from.
_OFFERS: Mapping[str, Callable[[Candidates, str], list[str]]] = {
    "queue": Candidates.queues,
    "after": Candidates.dependencies,
    "after_any": Candidates.dependencies,
    "state": _states,
    "target": _allowed,
    "name": lambda candidates, word: candidates.names(word),
    "group": lambda candidates, word: candidates.groups(word),
    "sent": _variables,
    "output": lambda candidates, word: candidates.paths(word),
    "file": lambda candidates, word: candidates.paths(word),
    "folder": lambda candidates, word: candidates.paths(word),
}

#: Options that take several values, separated by commas.
_SEVERAL = ("after", "after_any", "sent")


# -- verbs ---------------------------------------------------------------------------------------------------------------


def _of_positional(
    parser: argparse.ArgumentParser, verb: str, typed: Sequence[str], word: str, candidates: Candidates
) -> list[str]:
    """Return what completes the argument of a verb."""
    action = next((each for each in _actions(parser) if not each.option_strings), None)
    if action is None or (typed and action.nargs not in ("*", "+")):
        return []
    if action.choices is not None:
        return [each for each in map(str, action.choices) if each.startswith(word)]
    if action.dest in ("job", "jobs"):
        return [each for each in candidates.jobs(word, verb) if each not in typed]
    if action.dest in ("target", "targets"):
        offer = {"allow": candidates.new_targets, "disallow": candidates.allowed_in_user_file}.get(verb)
        return _allowed(candidates, word) if offer is None else [each for each in offer(word) if each not in typed]
    return _values(action, word, candidates)
