"""The class server for real: hub, proxy, culler and three learners with accounts of their own: `sudo make hubtest`.

It makes four accounts on this machine (cnnhub-1 to cnnhub-4) and removes them, with their homes, at the end. Some
minutes; needs root, Node.js, and for one test a browser.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
import pytest
from browser import browser, programs

ROOT = Path(__file__).resolve().parents[2]
USERS = ("cnnhub-1", "cnnhub-2", "cnnhub-3")
IDLE = "cnnhub-4"
TOKEN = "of-the-test-" + "0" * 20
PATIENCE = 300  # seconds, for a busy machine
CONFIG = f"""
c.JupyterHub.services.append({{"name": "test", "api_token": "{TOKEN}"}})
c.JupyterHub.load_roles.append({{
    "name": "of-the-test", "services": ["test"],
    "scopes": ["admin:users", "admin:servers", "access:servers"],
}})
"""

# Lets in by name, without a password: in this test only, at 127.0.0.1.
BY_NAME = 'c.JupyterHub.authenticator_class = "dummy"'

pytest.importorskip("jupyterhub", reason="make hubtest installs JupyterHub")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="makes accounts: sudo make hubtest"),
    pytest.mark.skipif(shutil.which("useradd") is None, reason="needs useradd"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="the proxy needs Node.js and npm"),
]


def wait(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.3)
    raise AssertionError(f"after {seconds} s: {what}")


def free_port():
    while True:
        with contextlib.ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in range(3)]
            probes[0].bind(("127.0.0.1", 0))
            port = probes[0].getsockname()[1]
            try:
                probes[1].bind(("127.0.0.1", port + 1))
                probes[2].bind(("127.0.0.1", port + 81))
            except (OSError, OverflowError):
                continue
            return port


class Hub:
    """A running server, and what the test asks it."""

    def __init__(self, folder, *more, config=CONFIG + BY_NAME):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        (folder / "class.txt").write_text("\n".join((*USERS, IDLE)))
        (folder / "more.py").write_text(config)
        command = [sys.executable, ROOT / "teaching/server/launch.py", "--users", folder / "class.txt"]
        command += ["--port", self.port, "--config", folder / "more.py", "--state", folder / "state", *more]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        headers = {"Authorization": f"token {TOKEN}"}
        self.client = httpx.Client(headers=headers, timeout=120, trust_env=False)
        wait(self._answers, "the hub does not answer")

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(httpx.HTTPError):
            return self.api("GET", "").is_success

    def api(self, method, path):
        return self.client.request(method, f"{self.address}/hub/api/{path}")

    def server(self, name, method, path, **content):
        response = self.client.request(method, f"{self.address}/user/{name}/api/{path}", **content)
        assert response.is_success, f"{name} {path}: {response.status_code} {response.text[:300]}"
        return response.json() if response.content else None

    def start(self, names=USERS):
        for name in names:
            assert self.api("POST", f"users/{name}").status_code in (201, 409)
            assert self.api("POST", f"users/{name}/server").status_code in (201, 202)
        for name in names:
            wait(lambda name=name: self.ready(name), f"{name}'s server is not ready:\n{self.log.read_text()[-3000:]}")

    def ready(self, name):
        return self.api("GET", f"users/{name}").json().get("servers", {}).get("", {}).get("ready", False)

    def pid(self, name):
        # The process of the account whose command is the server.
        listed = subprocess.run(["ps", "-ww", "-u", name, "-o", "pid=,args="], capture_output=True, text=True).stdout
        return next(int(line.split()[0]) for line in listed.splitlines() if "jupyterhub-singleuser" in line)

    def kernel(self, name):
        return Kernel(self, name)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(90)
        finally:
            self.client.close()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # only what this test started is in the group


class Kernel:
    """A kernel of a learner, reached as JupyterLab does: by a web socket through the proxy."""

    def __init__(self, hub, name, running=None):
        self.hub, self.name = hub, name
        started = {"name": "python3", "path": "notebooks"}
        self.id = running or hub.server(name, "POST", "kernels", json=started)["id"]
        self.session = uuid.uuid4().hex

    def run(self, *cells, seconds=PATIENCE):
        """What the cells print, or "dead" if the kernel ended.

        Raises:
            AssertionError: a cell failed.
        """
        import asyncio

        return asyncio.run(asyncio.wait_for(self._run(cells), seconds))

    async def _run(self, cells):
        from tornado.httpclient import HTTPRequest
        from tornado.websocket import websocket_connect

        address = f"ws://127.0.0.1:{self.hub.port}/user/{self.name}/api/kernels/{self.id}/channels"
        request = HTTPRequest(f"{address}?session_id={self.session}", headers={"Authorization": f"token {TOKEN}"})
        connection = await websocket_connect(request)
        printed = []
        for code in cells:
            number = uuid.uuid4().hex
            header = {"msg_id": number, "session": self.session, "username": "", "version": "5.3"}
            header |= {"msg_type": "execute_request", "date": "2026-01-01T00:00:00Z"}
            content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
            message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
            await connection.write_message(json.dumps(message))
            while True:
                answer = json.loads(await connection.read_message())
                kind, said = answer["msg_type"], answer["content"]
                if kind == "status" and said["execution_state"] in ("restarting", "dead"):
                    connection.close()
                    return "dead"
                if answer["parent_header"].get("msg_id") != number:
                    continue
                if kind == "stream":
                    printed.append(said["text"])
                elif kind == "error":
                    raise AssertionError(f"{code[:80]}: {said['ename']}: {said['evalue']}")
                elif kind == "status" and said["execution_state"] == "idle":
                    break
        connection.close()
        return "".join(printed)

    def end(self):
        self.hub.server(self.name, "DELETE", f"kernels/{self.id}")


def megabytes(*pids):
    """Memory of processes, with their share of what they hold in common (PSS)."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith("Pss:")) / 1e3


@pytest.fixture(scope="module")
def accounts():
    there = [name for name in (*USERS, IDLE) if any(each.pw_name == name for each in pwd.getpwall())]
    if there:
        pytest.fail(
            f"{there} are accounts of this machine already: from a run that broke off? sudo userdel -r {there[0]}"
        )
    made = []
    try:
        for name in (*USERS, IDLE):
            subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True)
            made.append(name)
        yield
    finally:
        for name in made:
            subprocess.run(["userdel", "--remove", name], check=False, capture_output=True)


@pytest.fixture(scope="module")
def hub(accounts, tmp_path_factory):
    running = Hub(tmp_path_factory.mktemp("hub"), "--memory", "2G")
    try:
        begun = time.monotonic()
        running.start()
        print(f"\nthree servers after {time.monotonic() - begun:.0f} s")
        yield running
    finally:
        running.stop()


def test_each_server_answers_and_has_the_course(hub):
    for name in USERS:
        assert hub.server(name, "GET", "status")["kernels"] == 0
        handed = {each["name"] for each in hub.server(name, "GET", "contents/notebooks")["content"]}
        assert handed >= {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
        linked = hub.server(name, "GET", "contents/docs/glossary.md?content=0")
        assert linked["name"] == "glossary.md"
        uid = pwd.getpwnam(name).pw_uid
        assert os.stat(f"/proc/{hub.pid(name)}").st_uid == uid
        folder = Path(pwd.getpwnam(name).pw_dir, "course")
        assert all(each.stat().st_uid == uid for each in (folder, *folder.glob("notebooks/*")))
    sizes = ", ".join(f"{megabytes(hub.pid(name)):.0f}" for name in USERS)
    # Hub, proxy and culler: the process that was started, and what it started that belongs to root.
    below = subprocess.run(["pgrep", "-P", str(hub.process.pid), "-u", "root"], capture_output=True, text=True).stdout
    print(f"\nMB: hub, proxy, culler {megabytes(hub.process.pid, *below.split()):.0f}; servers {sizes}")


def test_the_first_cells_of_a_lesson_run_for_each(hub):
    import nbformat

    lesson = nbformat.read(ROOT / "notebooks" / "01_convolution_arithmetic.ipynb", as_version=4)
    cells = [cell.source for cell in lesson.cells if cell.cell_type == "code"][:4]
    for name in USERS:
        kernel = hub.kernel(name)
        more = "from cnnlib.exercises import journal; print('kept in', journal.file())"
        said = kernel.run(*cells, more)
        assert "120,847,089,664 weights" in said  # a claim of the lesson
        assert f"kept in {pwd.getpwnam(name).pw_dir}/.cnnlib/progress.json" in said
        kernel.end()


def test_learners_see_no_files_of_each_other_and_cannot_change_the_course(hub):
    secret = Path(pwd.getpwnam(USERS[0]).pw_dir, "course", "notebooks", "mine.txt")
    one, other = hub.kernel(USERS[0]), hub.kernel(USERS[1])
    assert (
        one.run(f"open({str(secret)!r}, 'w').write('my answer'); print(open({str(secret)!r}).read())") == "my answer\n"
    )
    attempt = "try:\n    open({!r}, {!r})\nexcept PermissionError:\n    print('refused')"
    for path, mode in (
        (secret, "r"),
        (ROOT / "notebooks" / "00_start_here.ipynb", "a"),
        (ROOT / "cnnlib" / "new.py", "w"),
        (Path(sys.prefix) / "new", "w"),
        (hub.log.parent / "state" / "cookie_secret", "r"),
    ):
        assert other.run(attempt.format(str(path), mode)) == "refused\n", path
    # The sockets of the kernel are files of the learner, not ports that everybody on the machine can listen to.
    said = other.run("import ipykernel; print(open(ipykernel.get_connection_file()).read())")
    assert json.loads(said)["transport"] == "ipc"
    one.end(), other.end()


def test_a_cell_that_takes_too_much_memory_ends_its_kernel_and_nothing_else(hub):
    others = {name: hub.kernel(name) for name in USERS[1:]}
    greedy = hub.kernel(USERS[0])
    before = hub.pid(USERS[0])
    assert all(kernel.run("kept = 42") == "" for kernel in others.values())
    begun = time.monotonic()
    assert greedy.run("import numpy; taken = numpy.ones(3 * 2**30, 'uint8'); print('all of it')") == "dead"
    print(f"\nthe kernel that took 3 GB at a limit of 2G was dead after {time.monotonic() - begun:.0f} s")
    assert hub.pid(USERS[0]) == before, "the server went with the kernel"
    assert hub.server(USERS[0], "GET", "status")
    assert all(kernel.run("print(kept)") == "42\n" for kernel in others.values())
    # The kernel is started anew, and less than the limit can be had.
    wait(
        lambda: greedy.run("import numpy; taken = numpy.ones(2**30, 'uint8'); print('less')") == "less\n",
        "no new kernel",
    )
    for kernel in (greedy, *others.values()):
        kernel.end()


@pytest.mark.skipif(programs() is None, reason="needs chromedriver and a browser that it drives")
def test_a_learner_logs_in_with_a_browser(hub, tmp_path):
    with browser(tmp_path) as window:
        window.open(f"{hub.address}/hub/login?next=%2Fhub%2Fspawn")
        window.wait(lambda: window.visible("#username_input"), "no page to log in")
        window.run(
            "document.querySelector('#username_input').value = arguments[0];"
            "document.querySelector('#password_input').value = 'x'; document.querySelector('form').submit()",
            USERS[2],
        )
        opened = "return document.querySelector('.jp-Notebook')?.innerText ?? ''"
        end = time.monotonic() + PATIENCE
        while "How does this course work" not in window.run(opened) and time.monotonic() < end:
            time.sleep(1)
        assert "How does this course work" in window.run(opened), window.run("return document.body.innerText")
        assert f"/user/{USERS[2]}/lab/tree/notebooks/00_start_here.ipynb" in window.run("return location.pathname")
        window.picture().save(hub.log.parent / "lab.png")
        print(f"\nseen: {hub.log.parent / 'lab.png'}")
        # What a learner sees when a cell takes more than there is.
        sessions = wait(lambda: hub.server(USERS[2], "GET", "sessions"), "the notebook has no kernel")
        greedy = Kernel(hub, USERS[2], sessions[0]["kernel"]["id"])
        assert greedy.run("import numpy; taken = numpy.ones(3 * 2**30, 'uint8')") == "dead"
        window.wait(lambda: window.visible(".jp-Dialog"), "JupyterLab says nothing of the dead kernel")
        assert "appears to have died" in window.text(".jp-Dialog")
        print(f"\nJupyterLab says: {window.text('.jp-Dialog')!r}")
        window.picture().save(hub.log.parent / "dead.png")


def login(hub, name, password):
    """The status that the page answers with, once it has led on to where it leads."""
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=120) as client:
        assert client.get(f"{hub.address}/hub/login").is_success
        said = {"username": name, "password": password, "_xsrf": client.cookies.get("_xsrf", path="/hub/")}
        return client.post(f"{hub.address}/hub/login?next=%2Fhub%2Ftoken", data=said).status_code


def test_nobody_else_can_log_in(hub):
    assert login(hub, USERS[0], "x") == 200
    assert login(hub, "root", "x") == 403


def test_an_idle_server_is_ended_and_what_ran_in_it_too(accounts, tmp_path):
    hub = Hub(tmp_path, "--memory", "2G", "--idle", "1", config=CONFIG)  # as a class has it: with passwords
    subprocess.run(["chpasswd"], input=f"{IDLE}:right-{TOKEN}", text=True, check=True)
    try:
        assert login(hub, IDLE, "wrong") == 403
        assert login(hub, IDLE, f"right-{TOKEN}") == 200
        hub.start([IDLE])
        kernel = hub.kernel(IDLE)
        kernel.run("import subprocess; left = subprocess.Popen(['sleep', '1000'], start_new_session=True)")
        begun = time.monotonic()
        wait(lambda: not hub.ready(IDLE), "the idle server still runs")
        print(f"\nended {time.monotonic() - begun:.0f} s after the last cell, at --idle 1 (minute)")
        owned = ["pgrep", "-u", IDLE]
        wait(lambda: not subprocess.run(owned, capture_output=True, text=True).stdout, "processes are left", 90)
        # What the learner had is there at the next start, unchanged.
        notebook = Path(pwd.getpwnam(IDLE).pw_dir, "course", "notebooks", "00_start_here.ipynb")
        notebook.write_text("my answers")
        hub.start([IDLE])
        assert notebook.read_text() == "my answers"
    finally:
        hub.stop()
