"""Check that the lowest declared versions are those that are tested: ``bounds.py PINS``, where uv has written what it resolved.

A bound below what another package demands is never installed, so nothing shows that it works.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

#: Extras that users install.
EXTRAS = ("dashboard", "demo", "frames")


def parsed(text: str) -> dict[str, str]:
    """Return the version of each package in lines such as ``name>=1.2`` or ``name==1.2``, without zeros at its end."""
    found = re.findall(r"^([\w.-]+)[>=]=([\d.]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): re.sub(r"(\.0)+$", "", version) for name, version in found}


def main(pins: str) -> int:
    """Print each declared version that is not the tested one; return the exit status."""
    optional = [line for extra in EXTRAS for line in PROJECT["optional-dependencies"][extra]]
    declared = parsed("\n".join(PROJECT["dependencies"] + optional))
    tested = parsed(Path(pins).read_text())
    wrong = {name: version for name, version in declared.items() if tested[name] != version}
    for name, version in wrong.items():
        print(f"{name}>={version} is declared, but the lowest version that can be installed is {tested[name]}: raise the bound.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
