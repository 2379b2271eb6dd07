"""Jobs that misbehave, each in its own way."""

import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time


def leaves(code):
    os._exit(code)


def exits(code):
    sys.exit(code)


def is_interrupted_as_it_ends(module, name, call):
    """Have a signal come within one of our own functions, when it is called for the nth time from now on."""
    module = sys.modules[f"ipybgjobs.{module}"]
    whole, calls = getattr(module, name), iter(range(1, 100))

    def interrupted(*arguments, **options):
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGINT)
        return whole(*arguments, **options)

    setattr(module, name, interrupted)
    print("nearly done")
    return "done"


class BadRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


class BadReduce:
    def __reduce__(self):
        raise OSError("no pickle")


class BadLoad:
    def __reduce__(self):
        return (int, ("not a number",))


class Pickles(Exception):
    def __reduce__(self):
        raise RuntimeError("no pickle")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Picky(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def returns(what):
    class Loop(list):
        def __len__(self):
            raise RuntimeError("no length")

    recursive = []
    recursive.append(recursive)
    return {
        "lock": threading.Lock,
        "generator": lambda: (n for n in ()),
        "bad repr": lambda: [BadRepr(), threading.Lock()],
        "bad reduce": BadReduce,
        "bad load": BadLoad,
        "huge": lambda: 10**5000,
        "huge inside": lambda: [10**5000],
        "surrogate": lambda: "\udcff",
        "recursive": lambda: recursive,
        "nan": lambda: float("nan"),
        "long": lambda: "x" * 10_000_000,
        "lambda": lambda: lambda: 42,
        "loop": lambda: Loop([1]),
    }[what]()


def raises(what):
    if what == "bad code":
        sys.exit(BadRepr())
    if what == "deep":
        return raises(what)
    if what == "memory":
        return bytearray(1 << 60)
    if what == "exhausted":
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (64 << 20), resource.RLIM_INFINITY))
        held, size = [], 1 << 20
        while True:
            try:
                held.append(bytearray(size))
            except MemoryError:
                if size < 64:
                    raise
                size //= 2
    if what == "unimportable":
        import only_there

        raise only_there.Error("from there")
    raise {
        "unpicklable": lambda: Pickles("kept as text"),
        "mute": Mute,
        "picky": lambda: Picky(1, 2),
        "surrogate": lambda: ValueError("no file \udcff"),
        "lines": lambda: ValueError("one\ntwo\x1b[31m\u2028three"),
        "nul": lambda: ValueError("a\0b"),
        "base": lambda: BaseException("base"),
        "interrupt": KeyboardInterrupt,
        "group": lambda: ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
        "huge": lambda: ValueError(10**5000),
        "long": lambda: ValueError("x" * 10_000_000),
    }[what]()


def closes(what):
    print("before", flush=True)
    if what == "fd 1":
        os.close(1)
    elif what == "every fd":
        os.closerange(0, 256)
    elif what == "sys.stdout":
        sys.stdout.close()
    elif what == "both":
        sys.stdout.close()
        sys.stderr.close()
    else:
        sys.stdout = sys.stderr = sys.stdin = None
    return what


def fails_after_closing(what):
    closes(what)
    raise ValueError("after closing")


def forks(child_waits):
    pid = os.fork()
    if not pid:
        time.sleep(child_waits)
        print("child", flush=True)
        return "child"
    if not child_waits:
        os.waitpid(pid, 0)
    print("parent", flush=True)
    return "parent"


def forks_and_the_child_fails():
    if not os.fork():
        raise ValueError("in the child")
    os.wait()
    return "parent"


def forks_and_the_child_ends(how):
    import forked

    pid = os.fork()
    if not pid:
        return forked.end(how)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Noted(Exception):
    @property
    def __notes__(self):
        raise RuntimeError("no notes")


class Unlinked(Exception):
    @property
    def __cause__(self):
        raise RuntimeError("no cause")

    @property
    def __traceback__(self):
        raise RuntimeError("no traceback")


held = []


def uses_up(what):
    if what == "descriptors":
        while True:
            held.append(open("/dev/null"))
    if what == "every descriptor there may be":
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
        return uses_up("descriptors")
    if what == "memory that no frame holds":
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (64 << 20), resource.RLIM_INFINITY))
        size = 1 << 20
        while size > 64:
            try:
                held.append(bytearray(size))
            except MemoryError:
                size //= 2
        raise MemoryError("all of it")
    raise {"notes": Noted, "links": Unlinked}[what]("odd")


def raises_a_chain(length):
    error = ValueError("the first")
    for number in range(length):
        try:
            raise KeyError(number) from error if number % 2 else None
        except KeyError as second:
            second.__context__ = error
            second.__suppress_context__ = False
            error = second
    raise error


def raises_a_group(size):
    raise ExceptionGroup("many", [ValueError(number) for number in range(size)])


def forks_and_vanishes():
    if os.fork():
        os._exit(0)
    time.sleep(0.3)
    return "child"


def ends_its_forks(times):
    for _ in range(times):
        pid = os.fork()
        if not pid:
            time.sleep(5)
            os._exit(1)
        os.kill(pid, signal.SIGTERM)
        if os.waitpid(pid, 0)[1] != signal.SIGTERM:
            return "a fork did not hear"
    return "all ended"


def leaves_threads():
    for _ in range(3):
        threading.Thread(target=time.sleep, args=(300,)).start()
    return "returned"


def hangs_at_exit():
    import atexit

    atexit.register(time.sleep, 300)
    return "returned"


def prints(megabytes, line):
    block = (line.encode() + b"\n") * (1_000_000 // (len(line) + 1))
    for _ in range(megabytes):
        os.write(1, block)
    print("the last line")


def prints_one_line(megabytes):
    for _ in range(megabytes):
        os.write(1, b"x" * 1_000_000)


def prints_bytes():
    os.write(1, b"caf\xe9 \xff\xfe \xf0\x9f\n")
    print("\udcff \u2713")


def asks(what):
    print("before")
    if what == "input":
        return input("name? ")
    if what == "readline":
        return sys.stdin.readline()
    if what == "for":
        return list(sys.stdin)
    breakpoint()


def reads_descriptor():
    return os.read(0, 10).decode()


def kills_itself(number):
    print("before")
    os.kill(os.getpid(), number)
    time.sleep(60)


def crashes():
    print("before")
    ctypes.string_at(0)


def wanders(folder):
    os.chdir(folder)
    os.umask(0)
    sys.path.clear()
    os.environ.clear()
    return os.getcwd()


def leaves_a_daemon():
    daemon = subprocess.Popen(["sleep", "300"], start_new_session=True)
    daemon.returncode = 0
    return daemon.pid


def square(number):
    os.write(1, f"child {number}\n".encode())  # at once, also where PYTHONUNBUFFERED is set
    return number * number


def has_children(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(square, range(4))


def prints_from_everywhere():
    libc = ctypes.CDLL(None)
    print("1 python")
    libc.puts(b"2 C")
    print("3 python")
    subprocess.run([sys.executable, "-c", "print('4 child')"])
    libc.printf(b"5 C without a new line")
    os.write(1, b"\n")
    print("6 error", file=sys.stderr)
    subprocess.run("echo 7 shell", shell=True)
    libc.puts(b"8 C")


def swaps_streams():
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as held:
        print("held back")
    print("shown", held.getvalue().strip())


def sets_signals():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    return "ignored"


class Proxy:
    """As an unbound one is: whatever it is asked, it raises."""

    def __getattr__(self, name):
        raise RuntimeError(f"unbound: {name}")

    __class__ = property(lambda self: self.unbound)


class ExitsAsLoaded(Exception):
    def __reduce__(self):
        return (sys.exit, (3,))


def gives(kind):
    return globals()[kind]()


def throws(kind):
    raise globals()[kind]("as it is loaded")


def lowers_a_limit(name, then):
    which = getattr(resource, name)
    resource.setrlimit(which, (0, resource.getrlimit(which)[1]))
    if then == "raises":
        raise ValueError("its own")
    return ("kept", "apart")


def gives_up_its_rights():
    import ipybgjobs

    os.chmod(ipybgjobs.current_job().folder, 0o500)
    if os.geteuid() == 0:
        os.setuid(65534)


def warns_and_logs():
    import logging
    import warnings

    warnings.warn("be warned")
    logging.warning("logged")
