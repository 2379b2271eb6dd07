"""Check what is in the sdist and the wheel against the files that git knows: ``contents.py FOLDER``."""

import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: Only of use in a checkout.
NOT_SHIPPED = (".github/", ".pre-commit-config.yaml")


def tracked() -> set[str]:
    """Return the files of the checkout, as git knows them."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split("\0")) - {""}


def compare(archive: Path, has: Iterable[str], should: Iterable[str]) -> list[str]:
    """Return a line for each file that an archive lacks, or has without need."""
    lacks, extra = set(should) - set(has), set(has) - set(should)
    return [f"{archive.name} lacks {name}" for name in sorted(lacks)] + [
        f"{archive.name} contains {name}" for name in sorted(extra)
    ]


def of_sdist(archive: Path, files: set[str]) -> list[str]:
    """Compare an sdist with the checkout: a packager needs all of it."""
    with tarfile.open(archive) as opened:
        has = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
    return compare(archive, has - {"PKG-INFO"}, {name for name in files if not name.startswith(NOT_SHIPPED)})


def of_wheel(archive: Path, files: set[str]) -> list[str]:
    """Compare a wheel with the package: its modules, SQL and web files, and nothing else beside the metadata."""
    with zipfile.ZipFile(archive) as opened:
        has = {name for name in opened.namelist() if ".dist-info/" not in name}
    return compare(archive, has, {name for name in files if name.startswith("ipybgjobs/")})


def relative_links(wheel: Path) -> list[str]:
    """Return a line for each link or picture of the description that leads nowhere from the package index."""
    with zipfile.ZipFile(wheel) as opened:
        [metadata] = [name for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
        description = opened.read(metadata).decode().partition("\n\n")[2]
    found = re.findall(r"\]\(((?!https://|#)[^)]*)\)", description)
    return [f"{wheel.name} has a description with the relative link {link}" for link in found]


def main(folder: str) -> int:
    """Print what is wrong with the two archives of a folder; return the exit status."""
    [sdist], [wheel] = Path(folder).glob("*.tar.gz"), Path(folder).glob("*.whl")
    files = tracked()
    wrong = of_sdist(sdist, files) + of_wheel(wheel, files) + relative_links(wheel)
    print("\n".join(wrong) or f"{sdist.name} and {wheel.name} contain what they should.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
