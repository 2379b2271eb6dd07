"""Real kernels and a real Jupyter server, as a notebook has them."""

import ast
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from jupyter_client import BlockingKernelClient, KernelManager

from .place import DEADLINE, until

LIVE = "application/vnd.jupyter.widget-view+json"


class Reply:
    """What one cell printed, showed and raised."""

    def __init__(self):
        self.displays, self.stdout, self.stderr = [], "", ""
        self.live = []  #: panels and cards, which a frontend would draw
        self.updates = []  #: of what is displayed
        self.order = []  #: what was printed and displayed, as it came
        self.status = self.ename = self.evalue = None
        self.traceback = ""

    def take(self, message):
        kind, content = message["header"]["msg_type"], message["content"]
        if kind in ("stream", "display_data"):
            self.order.append((kind, content.get("data", content)))
        if kind == "update_display_data":
            self.updates.append(content["data"])
        elif kind == "stream":
            setattr(self, content["name"], getattr(self, content["name"]) + content["text"])
        elif kind in ("display_data", "execute_result"):
            (self.live if LIVE in content["data"] else self.displays).append(content["data"])
        elif kind == "error":
            self.traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(content["traceback"]))

    @property
    def everything(self):
        return f"{self.stdout}{self.stderr}{self.traceback}{self.displays}"


class Session:
    """A client of a running kernel."""

    def __init__(self, client):
        self.client = client
        client.start_channels()
        until(self.is_ready, "a kernel's start")

    def is_ready(self):
        with contextlib.suppress(RuntimeError):  # no heartbeat yet
            self.client.wait_for_ready(timeout=DEADLINE)
            return True

    def run(self, code, **options):
        """Run a cell, and return what came of it."""
        reply = Reply()
        answer = self.client.execute_interactive(code, timeout=DEADLINE, output_hook=reply.take, **options)["content"]
        reply.status, reply.ename, reply.evalue = answer["status"], answer.get("ename"), answer.get("evalue")
        return reply

    def ok(self, code):
        """Run a cell that has no error."""
        reply = self.run(code)
        assert reply.status == "ok", reply.everything
        return reply

    def value(self, expression):
        """Return the value of an expression, which is a literal."""
        printed = self.ok(f"print(repr({expression}))").stdout
        return ast.literal_eval(printed.splitlines()[0])  # a line about submitted jobs may follow


class Kernel(Session):
    """A kernel in a process of its own; `close` ends it."""

    def __init__(self, environment, folder):
        self.folder = tempfile.mkdtemp(prefix="kernel-")
        self.manager = KernelManager(transport="ipc", connection_file=f"{self.folder}/k.json")
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(env=environment, cwd=str(folder))
        self.pid = self.manager.provisioner.pid
        try:
            super().__init__(self.manager.blocking_client())
        except BaseException:
            self.close()
            raise

    def close(self):
        """End it, however it is."""
        with contextlib.suppress(AttributeError):
            self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Server:
    """A Jupyter server, asked by its REST interface."""

    def __init__(self, place):
        self.runtime = Path(tempfile.mkdtemp(prefix="server-"))
        self.log = place.root / "server.log"
        command = [sys.executable, "-m", "jupyter_server", "--ServerApp.ip=127.0.0.1", "--port=0", "--allow-root"]
        command += ["--no-browser", "--IdentityProvider.token=secret", f"--ServerApp.root_dir={place.code}"]
        command += ["--KernelManager.transport=ipc"]
        environment = place.environment | {"JUPYTER_RUNTIME_DIR": str(self.runtime)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def ask(self, verb, path, content=None):
        file = self.runtime / f"jpserver-{self.process.pid}.json"
        address = json.loads(file.read_text())["url"] + path
        body = json.dumps(content).encode() if content else None
        request = urllib.request.Request(address, body, {"Authorization": "token secret"}, method=verb)
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return json.loads(answer.read() or "null")

    def is_ready(self):
        with contextlib.suppress(OSError, ValueError):
            return self.ask("GET", "api/status")

    def kernel(self):
        """Open a notebook, and return its kernel's id and a client."""
        notebook = {"path": "first.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        name = self.ask("POST", "api/sessions", notebook)["kernel"]["id"]
        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{name}.json"))
        client.load_connection_file()
        return name, Session(client)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.runtime, ignore_errors=True)


def gone(pid):
    return not Path(f"/proc/{pid}").exists()
