"""Jobs that draw, show and fail as in a kernel."""

import subprocess
import sys


def variables():
    import matplotlib.pyplot

    ask = "import os; print(os.environ.get('MPLBACKEND'), os.environ.get('PLOTLY_RENDERER'))"
    child = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    return matplotlib.get_backend(), child


def draw(backend: str):
    import matplotlib.pyplot as plt

    plt.switch_backend(backend)
    plt.plot([1, 2])
    plt.show()


def interactive():
    import matplotlib.pyplot as plt

    plt.switch_backend("nbAgg")
    plt.ion()
    plt.plot([1, 2])


def figures():
    import plotly.graph_objects as go

    for _ in range(3):
        go.Figure(go.Scatter(y=[1, 2, 3])).show()


class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": "<b>", "text/plain": "b"}


class Own:
    def _ipython_display_(self):
        from IPython.display import HTML, display

        display(HTML("<i>"))


def bundle():
    return Bundle()


def own():
    return Own()


def clears():
    from IPython.display import clear_output

    print("gone")
    clear_output(wait=True)
    return 5


def without_streams(fails: bool = False):
    del sys.stdout, sys.stderr
    if fails:
        raise ValueError("on purpose")
    return "done"


def prints_nowhere():
    del sys.stdout
    print("lost")
