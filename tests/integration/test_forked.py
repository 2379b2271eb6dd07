"""A fork that takes another role: its command line, its descriptors, its end, and the command where that is impossible."""

import json
import subprocess
import sys

import pytest

#: Forks itself, and prints what the fork wrote, its exit status, and the descriptors that the fork was to have.
_PARENT = """
import json, os, signal, sys
from ipybgjobs.system import forked

def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True

def show():
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().rstrip(b"\\0").decode().split("\\0")
    opened = [number for number in range(256) if is_open(number)]
    facts = {"words": words, "argv": sys.argv, "opened": opened, "leads": os.getsid(0) == os.getpid()}
    os.write(kept, json.dumps(facts).encode())
    END

reading, writing = os.pipe()
kept = os.dup2(writing, 57)
os.close(writing)
other = os.dup2(0, 91)
null, errors = os.open(os.devnull, os.O_RDWR), os.dup(2)
child = forked.start(COMMAND, show, (null, null, errors), kept)
os.close(kept)
status = child.wait()
print(json.dumps({"status": status, "polled": child.poll(), "said": os.read(reading, 9999).decode()}))
"""


def fork(command: list[str], end: str = "pass", room: int = 400) -> tuple[dict, str]:
    """Run the parent, whose own command line has some room, and return what it printed, and what the fork said as an error."""
    code = _PARENT.replace("END", end).replace("COMMAND", repr(command))
    words = [sys.executable, "-c", f"exec({code!r})" if room else "import os; exec(os.environ['CODE'])", "x" * room]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, env={"CODE": code, "PATH": ""})
    return json.loads(done.stdout), done.stderr


def test_it_has_the_command_line_of_its_role_and_no_descriptor_but_those_it_was_given():
    command = [sys.executable, "start.py", "role", "a state folder"]
    printed, errors = fork(command)
    said = json.loads(printed["said"])
    assert (printed["status"], errors) == (0, "")
    assert said == {"words": command, "argv": command[1:], "opened": [0, 1, 2, 57], "leads": True}


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('the store is damaged')", 1, "the store is damaged\n"),
        ("raise OSError('no room')", 1, "OSError: no room\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
    ],
)
def test_it_ends_as_an_interpreter_would(end, status, said):
    printed, errors = fork(["role"], end)
    assert (printed["status"], printed["polled"]) == (status, status)
    assert errors.endswith(said) if said.startswith("OSError") else errors == said


def test_where_the_command_line_has_no_room_the_command_is_executed_with_the_same_descriptors():
    code = "import os, sys; os.write(57, ' '.join(sys.argv).encode()); sys.exit(4)"
    printed, errors = fork([sys.executable, "-c", code, "y" * 500], room=0)
    assert (printed["said"], printed["status"], errors) == (f"-c {'y' * 500}", 4, "")
