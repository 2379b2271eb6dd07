"""The examples in the docstrings of public names."""

import doctest
import inspect

import ipybgjobs

NAMES = [name for name in ipybgjobs.__all__ if name != "__version__"]


def example(name: str) -> doctest.DocTest:
    """The example of a public name, ready to run."""
    text = inspect.cleandoc(getattr(ipybgjobs, name).__doc__).partition("Examples\n--------\n")[2]
    return doctest.DocTestParser().get_doctest(text, {"ipybgjobs": ipybgjobs}, name, None, 0)
