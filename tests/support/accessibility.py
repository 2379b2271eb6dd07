"""What axe-core finds wrong in a page."""

from importlib import resources


def violations(page, selector=".ipybgjobs"):
    """What axe-core finds wrong in the panel."""
    page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(f"axe.run({selector!r}, {{resultTypes: ['violations']}})")
    assert found["passes"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"]], each["help"]) for each in found["violations"]]
