"""Try a parser with what atheris makes up, guided by what the parser's code does: ``python -m tests.fuzz PARSER --minutes 10``.

``all`` tries each in turn; `parsers.py` has the table. Atheris isn't a dependency: ``pip install atheris``. What breaks
a parser is printed, kept in a file, and ends the command with 1.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    """Try one parser, or each in a process of its own."""
    asked = _arguments()
    if asked.parser != "all":
        return _try(asked.parser, asked.minutes * 60, asked.corpus)
    from .support.parsers import PARSERS

    failed = []
    for name in PARSERS:
        command = [sys.executable, "-m", "tests.fuzz", name, "--minutes", str(asked.minutes)]
        if subprocess.run([*command, *(["--corpus", asked.corpus] if asked.corpus else [])], check=False).returncode:
            failed.append(name)
    print(f"broken: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(prog="python -m tests.fuzz")
    made.add_argument("parser", help="a name of the table in tests/support/parsers.py, or all")
    made.add_argument("--minutes", type=float, default=1.0, help="for each parser")
    made.add_argument("--corpus", help="a folder that keeps what was found worth trying, for the next time")
    return made.parse_args()


def _try(name: str, seconds: float, corpus: str | None) -> int:
    import atheris

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for variable in ("IPYBGJOBS_STATE_DIR", "IPYBGJOBS_CONFIG", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        os.environ[variable] = str(folder / variable.lower())
    (folder / "ipybgjobs_config").write_text("")
    with atheris.instrument_imports(include=["ipybgjobs"]):
        from .support.parsers import PARSERS, read_all
    if name not in PARSERS:
        print(f"There is no parser {name!r}; there are {', '.join(PARSERS)}.")
        return 2
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in PARSERS[name].parts if len(word) < 60))
    known = Path(corpus or folder) / name.replace(" ", "-").replace("'", "")
    known.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={int(seconds)}", f"-dict={words}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=4096"]
    print(f"{name}: {seconds:.0f} s", flush=True)
    atheris.Setup(
        [sys.argv[0], *options, "-print_final_stats=1", f"-artifact_prefix={folder}/", str(known)],
        lambda data: read_all(name, _text(data)),
    )
    atheris.Fuzz()  # ends this process
    return 0


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    sys.exit(main())
