"""Variables of the notebook in the line of a verb: ``%bgjobs show $job``, ``%bgjobs cancel $job.id``.

A job or group stands for its id, several jobs for several words. A name in quotes stays text.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..client.jobs.group import Group
from ..client.jobs.job import Job
from ..errors import BackgroundJobError
from ..model.redaction import cut, one_line
from . import verb_words
from .usage import UsageFault

#: A variable, and attributes of it, as the whole word or as an option's value.
_VARIABLE = re.compile(r"(?P<option>--[a-z-]+=)?\$(?P<name>[^\W\d]\w*)(?P<attributes>(?:\.[^\W\d]\w*)*)")


def filled(words: Sequence[str], variables: Mapping[str, Any]) -> list[str]:
    """Return the words of a verb without their quotes, with the values of the variables in them.

    Parameters
    ----------
    words : sequence of str
        As typed.
    variables : mapping
        The notebook's variables.

    Raises
    ------
    UsageFault
        If there is no such variable, or it is nothing that a verb takes.
    """
    return [each for word in words for each in _filled(word, variables)]


def _filled(word: str, variables: Mapping[str, Any]) -> list[str]:
    found = _VARIABLE.fullmatch(word)
    if found is None:
        return [verb_words.unquoted(word)]
    texts = _texts(found, variables)
    if found["option"] and len(texts) != 1:
        raise UsageFault(f"{cut(word)} stands for {len(texts)} jobs: {found['option'][:-1]} takes one value.")
    return [f"{found['option'] or ''}{text}" for text in texts]


def _texts(found: re.Match[str], variables: Mapping[str, Any]) -> list[str]:
    value = value_of(found["name"], found["attributes"], variables)
    if isinstance(value, (list, tuple)) and value and all(isinstance(each, Job) for each in value):
        return [str(each.id) for each in value]
    if isinstance(value, (Job, Group)):
        return [str(value.id)]
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return [str(value)]
    name = cut(found["name"] + found["attributes"])
    raise UsageFault(
        f"${name} is of type {type(value).__name__}: write a job, a group, an id or a name, such as $job or $job.id."
    )


def value_of(name: str, attributes: str, variables: Mapping[str, Any]) -> Any:
    """Return what a variable, or an attribute of it, holds.

    Parameters
    ----------
    name : str
        The variable.
    attributes : str
        ``.first.second``, or nothing.
    variables : mapping
        The notebook's variables.

    Raises
    ------
    UsageFault
        If there is none.
    """
    if name not in variables:
        raise UsageFault(f'${cut(name)}: this notebook has no variable {cut(name)}; for the text itself, write "${cut(name)}".')
    value, so_far = variables[name], name
    for attribute in filter(None, attributes.split(".")):
        try:
            value = getattr(value, attribute)
        except BackgroundJobError:
            raise
        except Exception as error:
            said = "" if isinstance(error, AttributeError) else f" ({cut(one_line(str(error)))})"
            raise UsageFault(f"${cut(so_far)}.{cut(attribute)}: {cut(so_far)} has no attribute {cut(attribute)}{said}.") from None
        so_far += f".{attribute}"
    return value
