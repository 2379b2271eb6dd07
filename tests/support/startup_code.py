"""Code that every interpreter of a test runs first."""

import pytest

from .place import Place


def hooked(place: Place, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each interpreter that starts run some code first."""
    site = place.root / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(site))
