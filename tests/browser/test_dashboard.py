"""The panel as a page of its own: `jupyter bgjobs dashboard` on loopback, with a token; its server, and in a real browser."""

import asyncio
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

import ipybgjobs as bg
from ipybgjobs.commands import cli
from ipybgjobs.panel.session import VERSION
from support.browser import SHOTS, chromium
from support.place import DEADLINE, until


class Dashboard:
    """The command, running."""

    def __init__(self, place, *options):
        command = [sys.executable, "-m", "ipybgjobs", "dashboard", "--no-browser", "--port", "0", *options]
        self.errors = place.root / "dashboard.err"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=place.code)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"Dashboard: (http://127\.0\.0\.1:(\d+)/bgjobs/)\?token=(\w+)  \(Ctrl-C .*\)\n", line)
        assert found, f"{line}{self.errors.read_text()}"
        self.address, self.port, self.token = found[1], int(found[2]), found[3]

    def get(self, path="", token=None):
        """The status and the body of an answer."""
        headers = {} if token is None else {"Authorization": f"token {token}"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.address + path, headers=headers), timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode(), answer.url
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "", error.url

    def close(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(DEADLINE) == 0
        self.process.stdout.close()


@pytest.fixture
def dashboard(place):
    made = Dashboard(place)
    yield made
    made.close()


def test_only_who_has_the_token_sees_anything(dashboard):
    status, page, _ = dashboard.get(token=dashboard.token)
    assert status == 200
    assert "<title>Background jobs</title>" in page
    for path in ("", "panel.js", "panel.css"):
        for token in (None, "wrong"):
            status, body, url = dashboard.get(path, token)
            assert status == 403 or "/login" in url
            assert "Background jobs</title>" not in body
            assert "class Panel" not in body
    assert dashboard.get("panel.js", dashboard.token)[1].count("class Panel ") == 1
    assert dashboard.get("panel.css", dashboard.token)[1].startswith("/* Looks like JupyterLab")
    assert dashboard.get("socket")[0] == 403


def test_it_listens_on_loopback_alone_and_serves_no_kernels_and_no_files_whatever_a_configuration_says(place, monkeypatch):
    folder = place.root / "jupyter"
    folder.mkdir(exist_ok=True)
    (folder / "jupyter_server_config.py").write_text(
        "c.ServerApp.ip = '0.0.0.0'\nc.IdentityProvider.token = ''\nc.ServerApp.disable_check_xsrf = True\n"
    )
    dashboard = Dashboard(place)
    try:
        inodes = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {each[1] for each in inodes if each[3] == "0A" and int(each[1].split(":")[1], 16) == dashboard.port}
        assert listening == {f"0100007F:{dashboard.port:04X}"}
        assert dashboard.get()[0] == 403 or "/login" in dashboard.get()[2]
        for path in ("../api/kernels", "../api/contents", "../api/terminals", "../files/x", "../tree"):
            assert dashboard.get(path, dashboard.token)[0] == 404
    finally:
        dashboard.close()


async def connect(address, token, headers=None):
    """Open a panel's socket."""
    headers = headers or {"Authorization": f"token {token}"}
    return await websocket_connect(HTTPRequest(address.replace("http", "ws") + "socket", headers=headers))


async def talk(address, token, *messages, headers=None):
    """Say something over the socket; return what came until each kind that is waited for was there."""
    connection = await connect(address, token, headers)
    try:
        found = [json.loads(await connection.read_message())]
        for message, kind in messages:
            await connection.write_message(json.dumps(message))
            while found[-1]["kind"] != kind:
                found.append(json.loads(await asyncio.wait_for(connection.read_message(), DEADLINE)))
        return found
    finally:
        await shut(connection)


async def shut(connection):
    """Close a socket, and wait until it is."""
    connection.close()
    while await asyncio.wait_for(connection.read_message(), DEADLINE) is not None:
        pass


def test_its_socket_speaks_as_a_notebooks_panel_does(dashboard):
    job = bg.submit("work.Trainer.sleep", {"seconds": 300.0})
    until(lambda: job.state == "running", "a running job")
    look = {"kind": "look", "view": "v", "visible": True, "seq": None, "whole": False, "version": VERSION}
    cancel = {"kind": "command", "cid": "1", "verb": "cancel", "jobs": [job.id], "version": VERSION}
    messages = asyncio.run(talk(dashboard.address, dashboard.token, (look, "rows"), (cancel, "answer")))
    assert messages[0]["kind"] == "first"
    assert messages[0]["first"]["kind"] == "rows"
    assert messages[0]["first"]["rows"][0][:2] == [job.id, "running"]
    assert messages[-1] == {"kind": "answer", "cid": "1", "ok": True, "text": f"job {job.id} was cancelled", "version": VERSION}
    assert job.state == "cancelled"


def test_a_socket_without_the_token_or_from_another_page_is_refused(dashboard):
    with pytest.raises(HTTPClientError) as error:
        asyncio.run(talk(dashboard.address, "wrong"))
    assert error.value.code == 403
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(f"{dashboard.address}?token={dashboard.token}", timeout=DEADLINE).close()
    [jar] = [handler.cookiejar for handler in opener.handlers if hasattr(handler, "cookiejar")]
    cookies = {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)}
    own = f"http://127.0.0.1:{dashboard.port}"
    assert asyncio.run(talk(dashboard.address, None, headers=cookies | {"Origin": own}))[0]["kind"] == "first"
    with pytest.raises(HTTPClientError) as error:  # another page in the same browser, which would send the cookie along
        asyncio.run(talk(dashboard.address, None, headers=cookies | {"Origin": "http://evil.example"}))
    assert error.value.code == 403


def test_the_login_ends_with_the_browser_and_follows_no_link_from_another_page(dashboard):
    with urllib.request.urlopen(f"{dashboard.address}?token={dashboard.token}", timeout=DEADLINE) as answer:
        [login] = [cookie for cookie in answer.headers.get_all("Set-Cookie") if cookie.startswith("username-")]
    assert "SameSite=Strict" in login
    assert "HttpOnly" in login
    assert "expires" not in login.lower()


def test_a_message_that_is_nested_too_deeply_leaves_the_socket_open(dashboard):
    look = {"kind": "look", "view": "v", "visible": True, "seq": None, "whole": False, "version": VERSION}

    async def deep():
        connection = await connect(dashboard.address, dashboard.token)
        await connection.write_message("[" * 100_000)
        await connection.write_message(json.dumps(look))
        while json.loads(await asyncio.wait_for(connection.read_message(), DEADLINE))["kind"] != "here":
            pass
        await shut(connection)

    asyncio.run(deep())


def test_ctrl_c_that_another_thread_receives_ends_it_too(dashboard):
    """Nothing wakes the main thread then; as if the signal came just before it began to wait."""
    process = dashboard.process.pid

    async def interrupt():
        connection = await connect(dashboard.address, dashboard.token)
        await connection.write_message(json.dumps({"kind": "look", "view": "v", "visible": True, "version": VERSION}))
        while json.loads(await asyncio.wait_for(connection.read_message(), DEADLINE))["kind"] != "here":
            pass
        [*_, other] = sorted(int(name) for name in os.listdir(f"/proc/{process}/task"))
        assert other != process  # the thread that watches for changes
        assert ctypes.CDLL(None).tgkill(process, other, signal.SIGINT) == 0
        until(lambda: dashboard.process.poll() == 0, "the end of the dashboard", 20)  # nothing is sent meanwhile
        await shut(connection)

    asyncio.run(interrupt())


@pytest.fixture
def opened(place):
    """A dashboard of somebody whose files open their own Jupyter server to others."""
    folder = place.root / "jupyter"
    folder.mkdir(exist_ok=True)
    ran = place.root / "ran"
    settings = "c.ServerApp.allow_origin = '*'\nc.ServerApp.allow_remote_access = True\nc.ServerApp.disable_check_xsrf = True\n"
    for name in ("jupyter", "jupyter_ipybgjobs", "jupyter_server"):
        (folder / f"{name}_config.py").write_text(f"{settings}open({str(ran)!r}, 'a').write({name!r})\n")
    (folder / "jupyter_ipybgjobs_config.json").write_text('{"ServerApp": {"allow_origin": "*", "allow_remote_access": true}}')
    made = Dashboard(place)
    yield made
    made.close()
    assert not ran.exists()


def test_no_configuration_of_a_jupyter_server_opens_it_to_other_pages(opened):
    authorized = {"Authorization": f"token {opened.token}"}
    request = urllib.request.Request(opened.address, headers=authorized)
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        assert not answer.headers["Access-Control-Allow-Origin"]
    with pytest.raises(urllib.error.HTTPError) as error:  # a name of somebody else's that leads to this machine
        urllib.request.urlopen(urllib.request.Request(opened.address, headers={"Host": "evil.example"}), timeout=DEADLINE)
    with error.value:
        assert error.value.code == 403
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(f"{opened.address}?token={opened.token}", timeout=DEADLINE).close()
    [jar] = [handler.cookiejar for handler in opener.handlers if hasattr(handler, "cookiejar")]
    headers = {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar), "Origin": "http://evil.example"}
    with pytest.raises(HTTPClientError) as refused:
        asyncio.run(talk(opened.address, None, headers=headers))
    assert refused.value.code == 403


def test_a_message_that_is_no_json_closes_nothing_else(dashboard):
    async def garbage():
        connection = await connect(dashboard.address, dashboard.token)
        await connection.read_message()
        await connection.write_message("{no json")
        await connection.write_message(json.dumps({"kind": "look", "view": "v", "visible": True, "version": VERSION}))
        while json.loads(await asyncio.wait_for(connection.read_message(), DEADLINE))["kind"] != "here":
            pass
        await shut(connection)

    asyncio.run(garbage())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_the_jobs_live_and_its_buttons_work(dashboard, place, scheme):
    path = chromium()
    from playwright.sync_api import sync_playwright

    for number in range(3):
        bg.submit("work.Trainer.fit", {"epochs": number}).wait(DEADLINE)
    bg.submit("work.Trainer.fail", name="<b>broken</b>").wait(DEADLINE)
    job = bg.submit("work.Trainer.sleep", name="train")
    errors, sockets = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1180, "height": 640}, color_scheme=scheme)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("websocket", lambda one: sockets.append(one))  # noqa: PLW0108 - playwright takes no builtin
        page.goto(f"{dashboard.address}?token={dashboard.token}")
        row = page.locator(f'.b-job:has(.b-of-id:text-is("{job.id}"))')
        row.wait_for(timeout=DEADLINE * 1000)
        assert page.url == dashboard.address  # the token is gone from it
        until(lambda: "running" in row.inner_text(), "the job running")
        row.dblclick()
        until(lambda: "sleeping" in page.locator(".b-pane-log").inner_text(), "its log")
        from support.accessibility import violations

        assert violations(page, "html") == []
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(SHOTS / f"dashboard-{scheme}.png"))
        page.get_by_role("button", name=f"Cancel job {job.id}").click()
        page.locator(".b-confirm").get_by_role("button", name="Yes").click()
        until(lambda: "cancelled" in row.inner_text(), "the cancel")
        assert page.locator(".ipybgjobs b", has_text="broken").count() == 0
        browser.close()
    assert errors == []
    assert len(sockets) == 1  # all came over the first; one that is connected again would hide what was missing


def test_after_the_dashboard_has_gone_the_page_says_so_and_jobs_go_on(place):
    dashboard = Dashboard(place)
    job = bg.submit("work.Trainer.sleep")
    until(lambda: job.state == "running", "a running job")
    dashboard.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", dashboard.port)) != 0
    assert job.state == "running"
    job.cancel()


def test_a_page_whose_store_could_not_be_read_shows_the_jobs_when_it_can(dashboard, place):
    path = chromium()
    from playwright.sync_api import sync_playwright

    bg.submit("work.Trainer.fit", {"epochs": 1}).wait(DEADLINE)
    until(lambda: place.supervisor_pid() is None, "the end of the supervisor")
    place.state.rename(place.root / "away")
    place.state.write_text("in its place")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"{dashboard.address}?token={dashboard.token}")
        until(lambda: str(place.state) in page.locator("main").inner_text(), "what is wrong")
        place.state.unlink()
        (place.root / "away").rename(place.state)
        page.locator(".b-job").wait_for(timeout=DEADLINE * 1000)
        browser.close()


def test_a_jupyter_server_that_runs_serves_the_page_once_the_extension_is_enabled(place):
    from support.browser import TOKEN, Server

    server = Server(place.root, dict(os.environ), "jupyter_server", "--ServerApp.jpserver_extensions={'ipybgjobs': True}")
    try:
        request = urllib.request.Request(f"{server.address}/bgjobs/", headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            assert b"<title>Background jobs</title>" in answer.read()
        messages = asyncio.run(talk(f"{server.address}/bgjobs/", TOKEN))
        assert messages[0]["kind"] == "first"
    finally:
        server.close()


def test_a_socket_that_answers_pings_stays_open(place):
    from support.browser import TOKEN, Server

    configuration = place.root / "jupyter_server_config.py"
    configuration.write_text(PINGS)
    enabled = "--ServerApp.jpserver_extensions={'ipybgjobs': True}"
    server = Server(place.root, dict(os.environ), "jupyter_server", f"--config={configuration}", enabled)

    async def listen():
        connection = await connect(f"{server.address}/bgjobs/", TOKEN)
        answered = 0
        while answered < 5:
            message = await asyncio.wait_for(connection.read_message(), DEADLINE)
            assert message is not None, f"closed after {answered} answers"
            answered += json.loads(message)["kind"] == "answered"
        await shut(connection)

    try:
        asyncio.run(listen())
    finally:
        server.close()


#: As always, but sooner; and who answers is told so.
PINGS = """
from ipybgjobs.panel.dashboard.handlers import SocketHandler
SocketHandler.ping_interval = SocketHandler.ping_timeout = 0.2
SocketHandler.on_pong = lambda self, data: self.write_message('{"kind": "answered"}')
"""


def test_without_jupyter_server_the_command_says_what_to_install(place, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyter_server.extension.application", None)
    monkeypatch.delitem(sys.modules, "ipybgjobs.panel.dashboard.server", raising=False)
    assert cli.main(["dashboard"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pip install 'ipybgjobs[dashboard]'" in said
