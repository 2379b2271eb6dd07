"""Compare what the source text tells of a target with what importing it tells."""

import importlib
import pkgutil
import sys
import types

from ipybgjobs.configuration.settings import AllowedEntry
from ipybgjobs.errors import InvalidTarget
from ipybgjobs.targets import resolve, source_text, target_signature
from ipybgjobs.targets.allowlist import Permission
from ipybgjobs.targets.binding import UNREAD, UnreadDefault


def text_of(key, method, path=None, only_from=None):
    """What the text tells of a target; None if it does not."""
    permission = Permission(AllowedEntry(key, (method,), "a file", only_from=only_from), method)
    return source_text.read(permission, sys.path if path is None else path)


def imported(key, method):
    """What importing a target tells; None if it can't be a job."""
    try:
        return target_signature.of(resolve.resolve(key), method, {})
    except InvalidTarget:
        return None


def targets(name):
    """Every public target of a module, as key and method."""
    module = importlib.import_module(name)
    for each, value in list(vars(module).items()):
        if each.startswith("_"):
            continue
        if isinstance(value, types.FunctionType):
            yield name, each
        elif isinstance(value, type):
            key = f"{name}.{each}"
            yield from ((key, method) for method in dir(value) if not method.startswith("_"))


def facts(signature, other):
    """A signature as values that can be compared, leaving out what one of two could not read."""
    if signature is None:
        return None
    found = [signature.name, signature.method, signature.needs_instance, signature.source, signature.hooks, signature.demand]
    return [*found, signature.submit_hook, *map(_takes, *_pairs(signature, other))]


def _pairs(one, other):
    return (one.constructor, one.parameters), (other and other.constructor, other and other.parameters)


def _takes(one, other):
    if one is None or other is None:
        return one
    others = {each.name: each for each in other.parameters}
    return one.what, one.takes_any_name, [_parameter(each, others.get(each.name, each)) for each in one.parameters]


def _parameter(one, other):
    is_unread = UNREAD in (one.annotation, other.annotation)
    has_default = not (isinstance(one.default, UnreadDefault) or isinstance(other.default, UnreadDefault))
    default = repr(one.default) if has_default else None
    return one.name, None if is_unread else repr(one.annotation), one.required, one.positional, default


def submodules(package):
    """The public modules of a package."""
    module = importlib.import_module(package)
    names = [each.name for each in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}.", onerror=lambda _: None)]
    return [package, *(name for name in names if not any(part.startswith("_") for part in name.split(".")))]


def differences(name):
    """What differs between text and import in a module, and how many targets the text tells."""
    found, told = [], 0
    for key, method in targets(name):
        answer = text_of(key, method)
        if answer is None:
            continue
        told += 1
        other = imported(key, method)
        one = facts(answer.signature, other)
        if one != facts(other, answer.signature):
            found.append((key, method, one, facts(other, answer.signature)))
    return found, told
