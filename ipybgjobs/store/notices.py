"""Notices of a supervisor about what keeps jobs from starting, all of them or those of one context; as text of a column.

A text of an older version is read as one notice for all jobs.
"""

import json
from collections.abc import Mapping

from msgspec import Struct, field

from ..model import json_text


class Notices(Struct, frozen=True):
    """The reasons that keep jobs from starting.

    Parameters
    ----------
    general : str or None
        Concerns every job.
    contexts : mapping of int to str
        Concerns the jobs of one context, by the context's id.
    """

    general: str | None = None
    contexts: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str | None) -> "Notices":
        """Parse the text of a row."""
        try:
            value = json_text.parse(text or "{}")
            contexts = {int(key): str(said) for key, said in value.get("contexts", {}).items()}
            return cls(value.get("general"), contexts)
        except (ValueError, AttributeError):
            return cls(text)

    def to_text(self) -> str | None:
        """Return the text for a row; None if nothing keeps jobs from starting."""
        if not self.contexts:
            return self.general
        return json.dumps({"general": self.general, "contexts": {str(key): said for key, said in self.contexts.items()}})

    def of(self, context: int) -> str | None:
        """Return the notice for the jobs of a context."""
        return self.general or self.contexts.get(context)

    def lines(self) -> list[str]:
        """Return all notices, each sentence once."""
        return list(dict.fromkeys([*([self.general] if self.general else []), *self.contexts.values()]))
