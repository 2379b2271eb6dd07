"""Jobs that print, display, return and report progress."""

import ctypes
import os
import subprocess
import sys
import time

HERE = os.path.dirname(__file__)


def streams():
    print("python")
    ctypes.CDLL(None).puts(b"C")
    ctypes.CDLL(None).fflush(None)
    subprocess.run(["sh", "-c", "echo child; echo complaint >&2"])
    print("error stream", file=sys.stderr)
    os.write(1, b"descriptor\n")
    return {"plain": 1}


def displays():
    from IPython.display import HTML, Markdown, display, update_display

    print("first")
    display(HTML("<b>one</b>"))
    print("between")
    handle = display(Markdown("before"), display_id="here")
    handle.update(Markdown("after"))
    update_display(Markdown("nobody"), display_id="nowhere")
    display({"image/png": b"\x89PNG", "text/plain": "picture"}, raw=True)
    display({"application/json": {"a": [1]}, "text/plain": "json"}, raw=True, metadata={"m": 1})
    print("last")


def clears(wait: bool):
    from IPython.display import clear_output, display

    print("gone")
    display("gone too")
    clear_output(wait=wait)
    if wait:
        print("its place")


def figures():
    import matplotlib.pyplot as plt

    plt.plot([1, 2])
    plt.show()
    print("between figures")
    plt.plot([2, 1])


def table():
    import pandas as pd

    return pd.DataFrame({"a": [1, 2]})


def own_look():
    class Look:
        def _repr_html_(self):
            return "<i>look</i>"

        def _repr_png_(self):
            return b"\x89PNG"

        def _repr_svg_(self):
            raise RuntimeError("no svg")

        def __repr__(self):
            return "Look()"

    return Look()


def raises():
    from IPython.display import display

    display("shown before")
    print("printed before")
    raise LookupError("as planned")


def strange():
    from IPython.display import display

    display({"application/json": object(), "text/plain": "an object"}, raw=True)
    os.write(1, b"\xff\xfe binary \x00\n")
    os.write(1, b"x" * 10_000_000)
    sys.stdout.close()
    display("after closing")
    return "done"


def full():
    import resource
    import signal

    from IPython.display import HTML, display

    print("small")
    display("fits")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    print("x" * 5000)
    print("y" * 5000)
    display(HTML("z" * 5000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return "done"


def no_room():
    import shutil

    import ipybgjobs as bg

    shutil.rmtree(bg.current_job().folder)


def bars(within: str, after: str):
    """Two bars, one in the other; holds within both and after them until these files are there."""
    from tqdm.auto import tqdm

    for _ in tqdm(range(2), desc="outer"):
        for _ in tqdm(range(3), desc="inner", leave=False):
            time.sleep(0.12)
            wait_for(within)
    wait_for(after)


def wait_for(name):
    while not os.path.exists(f"{HERE}/{name}"):
        time.sleep(0.01)


def reports(hold: str):
    import ipybgjobs as bg

    me = bg.current_job()
    print(me.id, me.name, me.attempt, os.path.isdir(me.folder), flush=True)
    bg.report(3, 4, "three of four")
    while not os.path.exists(f"{HERE}/{hold}"):
        time.sleep(0.01)
    return sum(bg.progress(range(200_000), label="summing"))


def no_ipython():
    return sorted(name for name in sys.modules if name.partition(".")[0] in ("IPython", "nbformat", "ipywidgets", "base64"))


def slowly(hold: str):
    print("one")
    print("zwei: ä", end="", flush=True)
    while not os.path.exists(f"{HERE}/{hold}"):
        time.sleep(0.01)
    print("\nthree")


def twice(marker: str):
    print("this time", flush=True)
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise RuntimeError("first run")


def floods(hold: str, lines: int):
    from IPython.display import display

    for number in range(lines):
        print("line", number, "x" * 50)
    sys.stdout.flush()
    while not os.path.exists(f"{HERE}/{hold}"):
        time.sleep(0.01)
    display("in the middle")
    print("the end")


class Hooked:
    def run(self):
        print("in the job")

    def on_success(self, result):
        from IPython.display import HTML, display

        print("in the hook")
        display(HTML("<b>hook</b>"))
