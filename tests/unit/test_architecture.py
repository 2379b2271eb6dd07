"""The house as the design draws it: imports run one way, platform code stands in one place, the public names are these."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import ipybgjobs
from support.place import until

PACKAGE = Path(ipybgjobs.__file__).parent

#: The rooms, lowest first: a module imports only from its own room or from rooms above it in this list.
ROOMS = [
    "_version",
    "tracebacks",
    "errors",
    "model",
    "system",
    "state",
    "configuration",
    "targets",
    "store",
    "worker",
    "notebooks",
    "executors",
    "executors.local",
    "supervisor",
    "client.submit",
    "client.jobs",
    "client",
    "api",
    "panel.web",
    "panel",
    "panel.dashboard",
    "demo",
    "commands",
    "__main__",
    "start",
]
ROW = {name: row for row, name in enumerate(ROOMS)}

#: What belongs to a platform, and so into `system` alone: modules, names of modules that are everywhere (as regular expressions:
#: what typeshed says is not there on Windows, and what sends signals), options of `subprocess.Popen`, fields of a `stat`, paths.
PLATFORM_MODULES = {
    "_winapi", "ctypes", "fcntl", "grp", "msvcrt", "nt", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "winreg",
}  # fmt: skip
PLATFORM_NAMES = {
    "os": r"""
        O_(?!(RDONLY|WRONLY|RDWR|APPEND|CREAT|EXCL|TRUNC)$)\w+ | W[A-Z]+ | NGROUPS_MAX | SEEK_(DATA|HOLE)
        | (EX|P|SCHED|RTLD|ST|POSIX|PRIO|MFD|EFD|GRND|SPLICE_F|XATTR|CLD|RWF)_\w+ | F_(T|U)?LOCK | F_TEST
        | [fl]?ch(own|root|flags) | fchmod | fchdir | fork(pty)? | wait\w* | kill(pg)? | nice | mk(fifo|nod)
        | makedev | major | minor
        | openpty | login_tty | pipe2 | set_blocking | register_at_fork | spawn[lv]pe? | posix_\w+ | pidfd_open | eventfd\w*
        | (get|set)(e|re|res)?[ug]id | (get|set)(groups|pgid|pgrp|priority|sid) | initgroups | getgrouplist
        | getloadavg | getrandom
        | f?statvfs | f?pathconf\w* | sysconf\w* | confstr\w* | uname | environb | getenvb | ctermid | ttyname | tc[gs]etpgrp
        | p(read|write)v? | readv | writev | lockf | sendfile | splice | sync | fdatasync | copy_file_range | memfd_create | fwalk
        | (get|set|list|remove)xattr | sched_\w+
    """,
    "signal": r"""
        SIG(?!(ABRT|BREAK|FPE|ILL|INT|SEGV|TERM|_DFL|_IGN)$)[A-Z_0-9]+ | ITIMER\w+ | alarm | pause | [gs]etitimer | pidfd_\w+
        | pthread_\w+ | sig(interrupt|pending|wait|timedwait|waitinfo) | set_wakeup_fd
    """,
    "select": r"(?!(select|error)$)\w+",
    "socket": r"AF_(UNIX|NETLINK|PACKET|VSOCK|ALG) | (send|recv)_fds",
    "time": r"CLOCK_\w+ | clock_\w+ | tzset | pthread_\w+",
}
PLATFORM_OPTIONS = {"creationflags", "pass_fds", "preexec_fn", "process_group", "start_new_session", "startupinfo"}
PLATFORM_FIELDS = {"st_blocks", "st_blksize", "st_rdev", "st_flags"}
PLATFORM_PATHS = re.compile(r"/(proc|sys|dev)(/|$)|/bin/")


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room(path):
    """The folder that a module belongs to, dotted; of a module right below the package its own name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1]) or parts[0]


def imported(path):
    """Modules of ours that a module imports, wherever in it, each as its path."""
    inside = ["ipybgjobs", *path.relative_to(PACKAGE).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level] if node.level else []
            source = base + (node.module.split(".") if node.module else [])
            names = [[*source, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        yield from filter(None, (_module(name[1:]) for name in names if name[0] == "ipybgjobs"))


def _module(parts):
    """The file that holds a name: its own module, or the one that it is imported from."""
    for known in (parts, parts[:-1]):
        for path in (PACKAGE.joinpath(*known).with_suffix(".py"), PACKAGE.joinpath(*known, "__init__.py")):
            if known and path.exists():
                return path
    return None


def imported_rooms(path):
    return {room(each) for each in imported(path)}


def test_there_are_few_rooms_and_each_has_its_place():
    assert {room(path) for path in modules()} - {"__init__"} == set(ROOMS)
    compiled = {path for path in PACKAGE.rglob("*") if "__pycache__" in path.parts}  # they outlive a folder that is gone
    assert len({path.relative_to(PACKAGE).parts[0] for path in {*PACKAGE.glob("*/**/*")} - compiled if path.is_file()}) <= 14
    assert len([path for path in PACKAGE.iterdir() if path.is_file()]) <= 8


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    if room(path) == "__init__":
        return  # it loads the public names lazily
    upwards = {name for name in imported_rooms(path) if ROW[name] > ROW[room(path)]}
    assert not upwards, f"{path.name} is below {upwards}"


def test_no_two_classes_have_one_name():
    named = [node.name for path in modules() for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    assert not {name for name in named if named.count(name) > 1 and not name.startswith("_")}


def test_no_module_imports_itself_in_a_circle():
    graph = {path: set(imported(path)) - {path} for path in modules() if room(path) != "__init__"}
    while leaves := [path for path, needs in graph.items() if not needs & graph.keys()]:
        for path in leaves:
            del graph[path]
    assert not graph


@pytest.mark.parametrize("folder", sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE))
def test_each_room_says_what_it_is_for_what_it_never_does_and_lists_its_modules(folder):
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    held = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    held -= {"__init__"}
    listed = re.findall(r"^(\w+)\n    \S", said.partition("Modules\n-------\n")[2], re.MULTILINE)
    assert re.search(r"\b(never|neither|nothing)\b", said.partition("Modules\n")[0])
    assert listed == sorted(listed, key=lambda name: (not (folder / name).is_dir(), name))
    assert set(listed) == held


@pytest.mark.parametrize("folder", ["worker", "executors"])
def test_workers_and_executors_never_import_the_store(folder):
    assert all("store" not in imported_rooms(path) for path in (PACKAGE / folder).rglob("*.py"))


def test_only_the_start_of_a_process_knows_an_executor_by_name():
    """All others know the protocol and its values; the registry finds an executor by a text, as it will find others' own."""
    known = {path for path in modules() if "executors.local" in imported_rooms(path) and room(path) != "executors.local"}
    assert known == {PACKAGE / "start.py"}
    named = {
        path for path in (PACKAGE / "supervisor").glob("*.py") if re.search(r"LocalExecutor|[\"']local[\"']", path.read_text())
    }
    assert not named


def test_only_the_supervisor_writes_transitions():
    assert {room(path) for path in modules() if "transitions" in _imported_names(path)} == {"supervisor"}


def _imported_names(path):
    tree = ast.parse(path.read_text())
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {part for node in froms for part in [*(node.module or "").split("."), *(alias.name for alias in node.names)]}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_belongs_to_a_platform_stands_in_the_room_for_it(path):
    if room(path) == "system":
        return
    found = sorted(set(of_a_platform(ast.parse(path.read_text()))))
    assert not found, f"{path.name}: give these a function in system/"


def of_a_platform(tree):
    """What of a module belongs to a platform."""
    described = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, described) and ast.get_docstring(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in PLATFORM_MODULES)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names if is_of_a_platform(node.module, alias.name))
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in PLATFORM_FIELDS or is_of_a_platform(owner, node.attr):
                yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.keyword) and node.arg in PLATFORM_OPTIONS:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from [node.value] if PLATFORM_PATHS.match(node.value) else []


def is_of_a_platform(module, name):
    return module in PLATFORM_MODULES or bool(re.fullmatch(PLATFORM_NAMES.get(module, "(?!)"), name, re.VERBOSE))


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os, fcntl", ["fcntl"]),
        ("from os import fork, path", ["os.fork"]),
        ("os.getuid(); os.O_NONBLOCK; os.O_RDWR; os.WNOHANG; os.walk; os.execve", ["os.O_NONBLOCK", "os.WNOHANG", "os.getuid"]),
        ("signal.SIGKILL; signal.SIGINT; signal.Signals(9)", ["signal.SIGKILL"]),
        ("socket.AF_UNIX; socket.socketpair(); select.select; select.poll()", ["select.poll", "socket.AF_UNIX"]),
        ("time.tzset(); time.time()", ["time.tzset"]),
        ("status.st_blocks; status.st_size", ["status.st_blocks"]),
        ("Popen(words, pass_fds=[3], stdin=None)", ["pass_fds"]),
        ("open(f'/proc/{pid}/stat'); 'a/proc/'; '/process'", ["/proc/"]),
        ("'/proc/self is read'", []),
    ],
)
def test_what_belongs_to_a_platform_is_found(code, found):
    assert sorted(set(of_a_platform(ast.parse(code)))) == found


def test_the_public_names_are_importable_sorted_and_lazy():
    names = [name for name in ipybgjobs.__all__ if name != "__version__"]
    assert names == sorted(names)
    assert all(getattr(ipybgjobs, name).__name__ == name for name in names)
    loaded = _fresh("import ipybgjobs")
    assert not {name for name in loaded if name.startswith("ipybgjobs.")}


def test_importing_the_package_imports_no_jupyter():
    loaded = _fresh("import ipybgjobs; ipybgjobs.submit; ipybgjobs.Job")
    assert not {"IPython", "ipywidgets", "nbformat", "pydantic", "zmq"} & {name.partition(".")[0] for name in loaded}


def _fresh(code):
    code += "; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


#: What a worker may have loaded before the user's code: nothing that takes time or memory.
HEAVY = {
    "asyncio", "cloudpickle", "concurrent", "dataclasses", "email", "importlib.metadata", "inspect", "IPython", "ipywidgets",
    "logging", "multiprocessing", "nbformat", "numpy", "pathlib", "pickle", "psutil", "pydantic", "random", "sqlite3",
    "threading", "traitlets", "typing_extensions", "urllib", "uuid", "zmq",
}  # fmt: skip


@pytest.mark.parametrize("variables", [{}, {"PYTHONHASHSEED": "7"}], ids=["fork", "fresh process"])
def test_a_worker_starts_with_next_to_nothing(place, monkeypatch, variables):
    place.module("inside", "import sys\ndef loaded():\n    return sorted(sys.modules)\n")
    place.allow({"inside": ["loaded"], "work": ["echo"]})
    waiting = ipybgjobs.submit("work.echo", {"value": 1}, delay="1h")  # keeps a supervisor, with other variables
    until(place.supervisor_pid, "a supervisor")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    job = ipybgjobs.submit("inside.loaded")
    loaded = set(job.result(60))
    waiting.cancel()
    assert job.attempts[0].launched_by == ("fresh process" if variables else "fork")
    assert not loaded & HEAVY, loaded & HEAVY
    ours = {name for name in loaded if name.startswith("ipybgjobs.")}
    rooms = {"store", "supervisor", "client", "configuration"}
    assert {name for name in ours if name.split(".")[1] in rooms} <= STARTER


#: What a supervisor has loaded when it forks its fork server.
STARTER = {"ipybgjobs.supervisor", "ipybgjobs.supervisor.main", "ipybgjobs.supervisor.heartbeat"}


def test_every_file_of_the_package_is_installed():
    assert os.path.exists(PACKAGE / "store" / "sql" / "001_initial.sql")
    assert os.path.exists(PACKAGE / "py.typed")


def test_modules_are_small_and_say_what_they_are_for():
    for path in modules():
        text = path.read_text()
        assert text.count("\n") <= 420, path
        assert ast.get_docstring(ast.parse(text)), path


def test_a_started_process_uses_the_copy_of_the_package_that_started_it(tmp_path):
    """Not another one that the interpreter would find first: a checkout beside an installation, say."""
    shutil.copytree(PACKAGE, tmp_path / "ipybgjobs", ignore=shutil.ignore_patterns("__pycache__"))
    code = f"""
import runpy
runpy.run_path({str(tmp_path / "ipybgjobs" / "start.py")!r})["import_own_package"]()
from ipybgjobs.system import roles
print(roles.PACKAGE_ROOT)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path)


#: A checkout's; where the tests run beside an installation, what is declared is still read here.
PROJECT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").exists())


def declared():
    """The packages that this one depends on, also those of an extra for users: canonical names."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in ("test", "check")]
    return {canonical(re.match(r"[\w.-]+", line)[0]) for line in sum(extras, project["dependencies"])}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


#: Modules of the standard library that only later versions of Python have.
OF_LATER_VERSIONS = ("_sha2",)


def packages_imported(path):
    """Names of other people's packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        else:
            continue
        yield from {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"ipybgjobs", *OF_LATER_VERSIONS}


@pytest.mark.crash
def test_every_package_that_is_imported_is_declared():
    distributions = metadata.packages_distributions()
    missing = {
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in modules()
        for name in packages_imported(path)
        if not {canonical(each) for each in distributions.get(name, [name])} & declared()
    }
    assert not missing


def test_the_version_stands_in_one_place():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert (PROJECT / project["tool"]["hatch"]["version"]["path"]).read_text().count(ipybgjobs.__version__) == 1
    assert metadata.version("ipybgjobs") == ipybgjobs.__version__
    elsewhere = re.compile(rf"(?<![\d.]){re.escape(ipybgjobs.__version__)}(?![\d.])")
    assert [path.name for path in modules() if elsewhere.search(path.read_text())] == ["_version.py"]


def imported_at_start(path):
    """Modules of ours that are imported as soon as a module is: not those that a function imports, or a type checker."""
    inside = path.relative_to(PACKAGE).with_suffix("").parts
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*inside[: len(inside) - node.level], *(node.module or "").split(".")]
            base = [part for part in base if part]
            yield from (module_at([*base, alias.name]) or module_at(base) for alias in node.names)


def module_at(parts):
    """The file of a module by the parts of its name; None if it is the package itself, or no module."""
    at = PACKAGE.joinpath(*parts)
    return next((path for path in (at.with_suffix(".py"), at / "__init__.py") if parts and path.exists()), None)


def test_no_imports_run_in_a_circle():
    left = {path: set(imported_at_start(path)) - {None, path} for path in modules()}
    while ready := {path for path, needed in left.items() if not needed & left.keys()}:
        for path in ready:
            del left[path]
    assert not left, f"a circle among {sorted(str(path.relative_to(PACKAGE)) for path in left)}"
