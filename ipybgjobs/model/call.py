"""A call: its target and parameters, and how it is shown, on one line with secrets blanked."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from . import serialization
from .redaction import BLANK, blanked, cut, one_line


class Call(Struct, frozen=True):
    """The target of a call, and its parameters.

    Parameters
    ----------
    target : str
        Dotted path of the callable: ``module.Class.method`` or ``module.function``.
    init : dict
        Constructor parameters that are plain JSON; None in place of the others, so that all are in order.
    params : dict
        Parameters that are plain JSON; None in place of the others.
    pickled : dict of str to str
        The others: a key (`serialization.key`: ``init.df``, ``params.df``; ``code.Trainer``: a class that is sent by value;
        ``instance.self``: the instance whose method is called), and a short description of the value.
    secrets : tuple of str
        Names of parameters whose values are never shown.
    hidden : tuple of str
        The secret values as text, to be blanked wherever they appear.
    """

    target: str
    init: dict[str, Any]
    params: dict[str, Any]
    pickled: dict[str, str]
    secrets: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write the call as code, with secrets blanked and long values cut; always one line."""
        constructor = "<instance>" if self.has_instance else self._arguments("init", self.init)
        owner, _, method = self.target.rpartition(".")
        head = f"{owner}({constructor}).{method}" if constructor else self.target
        return f"{head}({self._arguments('params', self.params)})"

    @property
    def has_instance(self) -> bool:
        """Return whether the method is called on an instance that is sent by value."""
        return serialization.INSTANCE_KEY in self.pickled

    def shown(self, group: str) -> dict[str, Any]:
        """Return the parameters (``init`` or ``params``), with secrets blanked, and descriptions of values that are not plain."""
        plain: dict[str, Any] = blanked(self.init if group == "init" else self.params, self.secrets)
        described = serialization.of_part(self.pickled, group)
        return plain | {name: text for name, text in described.items() if plain.get(name) is None}  # a path with content is both

    def plain(self, group: str) -> dict[str, Any]:
        """Return the parameters (``init`` or ``params``) that the row has: without those that are only pickled."""
        values, described = self.init if group == serialization.INIT else self.params, serialization.of_part(self.pickled, group)
        return {name: value for name, value in values.items() if value is not None or name not in described}

    def _arguments(self, group: str, plain: Mapping[str, Any]) -> str:
        shown = {name: cut(repr(blanked(value, self.secrets))) for name, value in plain.items()}
        shown |= serialization.of_part(self.pickled, group)
        return ", ".join(f"{one_line(name)}={BLANK if name in self.secrets else one_line(text)}" for name, text in shown.items())
