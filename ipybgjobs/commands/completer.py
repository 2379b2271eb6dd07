"""Tab completion in IPython and its frontends: what asks `completion`, which is loaded by the first Tab.

It knows nothing about jobs.
"""

from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

_IDENTIFIER = "ipybgjobs"

#: Before all others of IPython, which are not asked if it has something to offer.
_PRIORITY = 1000


class _Answer(list[SimpleCompletion]):
    """An answer that is final even if it is empty: IPython asks its other matchers if this one has nothing."""

    def __len__(self) -> int:
        return max(1, super().__len__())


def _logical_line(context: CompletionContext) -> str:
    """Return the text before the cursor, with the lines that it continues."""
    lines = context.full_text.split("\n")[: context.cursor_line + 1]
    lines[-1] = lines[-1][: context.cursor_position]
    found = lines.pop()
    while lines and lines[-1].endswith("\\"):
        found = lines.pop()[:-1] + " " + found
    return found


def _kind(text: str) -> str:
    """Return what a frontend shows beside a completion."""
    return "param" if text.endswith("=") else "option" if text.startswith("-") and "=" not in text else "value"


def _variables_of(shell: Any) -> dict[str, Any]:
    hidden = shell.user_ns_hidden
    return {name: value for name, value in shell.user_ns.items() if name not in hidden or hidden[name] is not value}


def install(shell: Any) -> None:
    """Install the completions in a shell."""

    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        from .completion import complete

        offer = complete(_logical_line(context), _variables_of(shell))
        if offer is None:
            return SimpleMatcherResult(completions=[])
        found = _Answer(SimpleCompletion(text, type=_kind(text)) for text in offer.texts)
        return SimpleMatcherResult(completions=found, matched_fragment=offer.word, suppress=True, ordered=True)

    remove(shell)
    shell.Completer.custom_matchers.append(context_matcher(priority=_PRIORITY, identifier=_IDENTIFIER)(matcher))


def remove(shell: Any) -> None:
    """Remove the completions from a shell."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", None) != _IDENTIFIER]
