"""The server of the web page, over real connections: answers, limits, who may ask. In a browser: test_web_page.py."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import jsonschema
import numpy as np
import odd_images
import pytest
from PIL import Image
from pipeline_case import served_pipelines

from cnnlib import datasets
from cnnlib.pipeline import CODES, ImageError, answer_schema, decode
from cnnlib.pipeline.latency import STAGES
from cnnlib.segmentation import rle_decode

pytest.importorskip("starlette", reason="the web page is an extra: pip install -e '.[web]'")
pytest.importorskip("uvicorn", reason="the web page is an extra: pip install -e '.[web]'")
httpx = pytest.importorskip("httpx")

from cnnlib.pipeline.web import Limits, application, listen, running  # noqa: E402
from cnnlib.pipeline.web import __main__ as command  # noqa: E402
from cnnlib.pipeline.web.guard import HEADERS, Guard  # noqa: E402
from cnnlib.pipeline.web.server import address_of  # noqa: E402

LIMITS = Limits(bytes=200_000, pixels=100_000, waiting=32)
VALIDATOR = jsonschema.Draft202012Validator(answer_schema())


@pytest.fixture(scope="module")
def pipelines():
    return served_pipelines()


@pytest.fixture(scope="module")
def address(pipelines):
    with running(pipelines.values(), LIMITS) as address:
        yield address


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def file(picture, tmp_path):
    path = tmp_path / "red and blue.png"
    Image.fromarray(picture).save(path)
    return path


def png(pixels) -> bytes:
    return odd_images.saved(Image.fromarray(np.asarray(pixels, np.uint8)), "PNG")


def post(client, path, content, **query):
    return client.post(path, content=content, params=query)


def error_of(response) -> dict:
    """The error of a response, after what all of them have in common was checked."""
    assert response.headers["content-type"] == "application/json"
    assert "Traceback" not in response.text
    error = response.json()["error"]
    assert len(error["message"]) > 15
    return error


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classify", "detect", "segment"])
def test_the_answer_is_that_of_the_function(client, pipelines, file, task):
    timed = len(pipelines[task].latency)
    response = post(client, "api/answer", file.read_bytes(), task=task, name=file.name)
    assert response.status_code == 200
    assert len(pipelines[task].latency) == timed  # the times are the request's own
    answer = response.json()
    VALIDATOR.validate(answer)
    assert answer["found"]
    assert answer == pipelines[task](file)
    stages = dict(part.split(";dur=") for part in response.headers["server-timing"].split(", "))
    assert list(stages) == list(STAGES)
    assert all(float(value) >= 0 for value in stages.values())


def test_without_further_words_it_is_the_first_task(client, pipelines, file):
    answer = post(client, "api/answer", file.read_bytes()).json()
    assert answer == pipelines["classify"](file.read_bytes())
    assert answer["image"]["name"] is None


def test_a_threshold_is_for_one_request(client, pipelines, file):
    before = pipelines["detect"].specification.threshold
    none = post(client, "api/answer", file.read_bytes(), task="detect", threshold="1").json()
    VALIDATOR.validate(none)
    assert (none["found"], none["results"], none["threshold"]) == (False, [], 1.0)
    assert none["nearest_miss"]["label"] in ("red", "blue")
    again = post(client, "api/answer", file.read_bytes(), task="detect").json()
    assert again["found"]
    assert again["threshold"] == pipelines["detect"].specification.threshold == before


def test_soft_masks(client, file):
    answer = post(client, "api/answer", file.read_bytes(), task="segment", soft_masks="1").json()
    VALIDATOR.validate(answer)
    assert all("soft_mask" in result for result in answer["results"])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"task": "count"}, "classify, detect, segment"),
        ({"treshold": "0.5"}, "'treshold' is unknown here; there are task, threshold"),
        *(({"threshold": value}, "from 0 to 1") for value in ("half", "", "-0.1", "1.01", "nan", "inf")),
        ({"soft_masks": "yes"}, "0 or 1"),
    ],
)
def test_what_the_address_may_not_say(client, file, query, said):
    response = post(client, "api/answer", file.read_bytes(), **query)
    assert response.status_code == 400
    assert said in error_of(response)["message"]


def test_a_form_is_told_how_it_is_done(client, file):
    response = client.post("api/answer", files={"image": file.read_bytes()})
    assert response.status_code == 415
    assert "--data-binary" in error_of(response)["message"]


@pytest.mark.parametrize(
    ("given", "called"),
    [("a/b\nc.png", "bc.png"), ("<b>.png", "<b>.png"), ("x" * 500 + ".png", "x" * 196 + ".png"), ("", None)],
)
def test_names_of_files(client, file, given, called):
    answer = post(client, "api/answer", file.read_bytes(), name=given).json()
    assert answer["image"]["name"] == called


# --- images that are none --------------------------------------------------------------------------------------------


def test_odd_and_damaged_files(client):
    """One of every kind: an answer, or the record of a failure, as the function gives them; never anything else."""
    codes = set()
    for odd in odd_images.odd_files(len(odd_images.KINDS), seed=1):
        response = post(client, "api/answer", odd.data, task="detect", name=odd.name)
        record = response.json()
        VALIDATOR.validate(record)
        if response.status_code == 200:
            assert odd.expected != "error", odd.kind
        else:
            assert odd.expected != "answer", odd.kind
            assert response.status_code == (413 if record["error"]["code"] == "too_large" else 422)
            codes.add(error_of(response)["code"])
            named = io.BytesIO(odd.data)
            named.name = odd.name
            with pytest.raises(ImageError) as raised:
                decode(named, max_pixels=LIMITS.pixels, max_bytes=LIMITS.bytes)
            assert record["error"] == {"code": raised.value.code, "message": str(raised.value)}
    # The others are of files and arrays, which no upload can be.
    assert codes >= set(CODES) - {"missing", "unreadable", "bad_array", "truncated"}


def test_a_truncated_file(client):
    data = odd_images.saved(odd_images.picture(np.random.default_rng(0), 60, 80), "JPEG")
    response = post(client, "api/answer", data[: len(data) // 2], name="cut.jpg")
    assert (response.status_code, error_of(response)["code"]) == (422, "truncated")


@pytest.mark.parametrize("path", ["api/answer", "api/picture", "api/overlay"])
def test_too_many_pixels(client, path):
    response = post(client, path, png(np.zeros((400, 251))), name="large.png")
    assert response.status_code == 413
    assert "400" in error_of(response)["message"]
    assert "100,000" in error_of(response)["message"]
    assert post(client, path, png(np.zeros((400, 250)))).status_code == 200


# --- uploads ---------------------------------------------------------------------------------------------------------


def connected(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def head(address: str, *lines: str, path: str = "/api/answer") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", f"Host: {urlsplit(address).netloc}", *lines, "", ""]).encode()


def all_of(own: socket.socket) -> bytes:
    """What the server says until it closes the connection."""
    return b"".join(iter(lambda: own.recv(65536), b""))


def test_an_announced_size_is_refused_before_a_byte_is_sent(address):
    with connected(address) as own:
        own.sendall(head(address, "Content-Length: 200001"))
        said = all_of(own).decode()
    assert said.startswith("HTTP/1.1 413")
    assert "200,001 bytes; at most 200,000" in said
    assert "connection: close" in said.lower()


def test_an_upload_without_an_end_is_cut(address):
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent, said = 0, b""
    with connected(address) as own:
        own.sendall(head(address, "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            while sent < 100_000_000:
                own.sendall(chunk)
                sent += len(chunk)
        with contextlib.suppress(OSError):
            said = own.recv(65536)
    # Far more than the limit fits into the buffers of the system; without the cut, all of it would be taken.
    assert sent < 20_000_000
    assert said == b"" or said.startswith(b"HTTP/1.1 413")


def test_the_largest_upload_that_is_taken(client):
    data = png(np.zeros((10, 10)))
    assert post(client, "api/answer", data + bytes(LIMITS.bytes - len(data))).status_code == 200
    response = post(client, "api/answer", iter([data, bytes(LIMITS.bytes - len(data)), b"1"]))
    assert (response.status_code, error_of(response)["code"]) == (413, "too_large")
    VALIDATOR.validate(response.json())


def test_an_upload_that_does_not_come(pipelines, file):
    with running([pipelines["classify"]], Limits(seconds=0.3, waiting=1)) as address, connected(address) as own:
        own.sendall(head(address, "Content-Length: 100") + b"abc")
        said = all_of(own).decode()
        assert said.startswith("HTTP/1.1 408")
        assert "within 0.3 s" in said
        # Its place in line is free again.
        assert httpx.post(f"{address}api/answer", content=file.read_bytes(), trust_env=False).status_code == 200


# --- several at once -------------------------------------------------------------------------------------------------


def test_requests_at_once_each_get_their_own_answer(client, pipelines):
    rng = np.random.default_rng(0)
    asked = []
    for number in range(24):
        pixels = np.zeros((20 + number, 30, 3), np.uint8)
        pixels[:] = rng.integers(0, 256, 3)
        asked.append(
            (["classify", "detect", "segment"][number % 3], f"{number}.png", png(pixels), [0.2, 0.6][number % 2])
        )

    def ask(one):
        task, name, data, threshold = one
        return post(client, "api/answer", data, task=task, name=name, threshold=threshold).json()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, asked))
    alone = [ask(one) for one in asked]
    assert answers == alone
    assert len({json.dumps(answer) for answer in answers}) == 24


class Stub:
    """In place of a pipeline: it waits until it may go on, then raises or answers."""

    def __init__(self, own, raises=None):
        self.specification, self.latency, self.max_pixels = own.specification, own.latency, own.max_pixels
        self.own, self.raises, self.may, self.calls = own, raises, threading.Event(), []

    def __call__(self, source, **options):
        self.calls.append(options)
        if len(self.calls) > 1:  # the first is the warming up
            assert self.may.wait(30)
            if self.raises:
                raise self.raises
        return self.own(source, **options)


def test_a_busy_server_says_so(pipelines, file):
    stub = Stub(pipelines["classify"])
    with (
        running([stub], Limits(waiting=2)) as address,
        httpx.Client(base_url=address, timeout=60, trust_env=False) as own,
    ):
        with ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(post, own, "api/answer", file.read_bytes()) for _ in range(2)]
            until(lambda: own.get("healthz").json()["in_line"] == 2)
            sent_away = post(own, "api/answer", file.read_bytes())
            stub.may.set()
            assert [job.result().status_code for job in waiting] == [200, 200]
        assert sent_away.status_code == 503
        assert sent_away.headers["retry-after"] == "2"
        assert error_of(sent_away)["code"] == "busy"
        assert own.get("healthz").json() == {"status": "ok", "in_line": 0, "tasks": ["classify"]}
        assert post(own, "api/answer", file.read_bytes()).status_code == 200


def test_who_has_gone_is_not_computed_for(pipelines, file):
    stub = Stub(pipelines["classify"])
    with running([stub], Limits(waiting=5)) as address, ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.post, f"{address}api/answer", content=file.read_bytes(), timeout=60, trust_env=False)
        until(lambda: len(stub.calls) == 2)
        with connected(address) as own:
            own.sendall(head(address, f"Content-Length: {file.stat().st_size}") + file.read_bytes())
            until(lambda: in_line(address) == 2)
        stub.may.set()
        assert first.result().status_code == 200
        until(lambda: in_line(address) == 0)
        assert len(stub.calls) == 2


def in_line(address) -> int:
    return httpx.get(f"{address}healthz", trust_env=False).json()["in_line"]


def until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_defect_is_told_without_its_trace(pipelines, file, capfd, tmp_path):
    stub = Stub(pipelines["classify"], raises=RuntimeError(str(tmp_path / "secret")))
    stub.may.set()
    with running([stub]) as address:
        response = httpx.post(f"{address}api/answer", content=file.read_bytes(), trust_env=False)
        assert response.status_code == 500
        assert error_of(response)["code"] == "failed"
        assert "secret" not in response.text
        assert tmp_path.name not in response.text
        assert_guarded(response)
        assert in_line(address) == 0
    assert "secret" in capfd.readouterr().err


# --- pictures --------------------------------------------------------------------------------------------------------


def opened(response) -> Image.Image:
    assert response.status_code == 200
    return Image.open(io.BytesIO(response.content))


def test_a_small_picture_is_shown_exactly(client, picture):
    for image in (Image.fromarray(picture), Image.fromarray(picture).convert("RGBA")):
        shown = opened(post(client, "api/picture", odd_images.saved(image, "PNG")))
        np.testing.assert_array_equal(np.asarray(shown), picture)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = opened(post(client, "api/picture", odd_images.saved(Image.fromarray(picture), "PNG", exif=exif)))
    np.testing.assert_array_equal(np.asarray(turned), np.rot90(picture, -1))


def test_a_large_picture_is_shown_smaller(pipelines):
    image = odd_images.picture(np.random.default_rng(0), 1000, 2000)
    with running([pipelines["classify"]]) as address:
        shown = opened(httpx.post(f"{address}api/picture", content=odd_images.saved(image, "TIFF"), trust_env=False))
    assert (shown.format, shown.size) == ("JPEG", (1600, 800))
    apart = np.asarray(shown, float) - np.asarray(image.resize((1600, 800)), float)
    assert np.abs(apart).mean() < 6


def test_a_picture_of_one_line(client):
    assert opened(post(client, "api/picture", png(np.zeros((1, 20_000))))).size == (1600, 1)


def test_the_picture_with_the_answer(client, picture):
    drawn = opened(post(client, "api/overlay", png(picture), task="segment"))
    assert drawn.size == (60, 40)
    apart = np.abs(np.asarray(drawn, float) - picture).mean(-1)
    answer = post(client, "api/answer", png(picture), task="segment").json()
    mask = np.any([rle_decode(result["mask"]) for result in answer["results"]], axis=0)
    assert apart[mask].mean() > 20


# --- what else is there ----------------------------------------------------------------------------------------------


def test_the_page_and_what_it_consists_of(client):
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    parts = re.findall(r'(?:src|href)="([^#"][^"]*)"', page.text)
    assert sorted(parts) == ["icon.svg", "page.css", "page.js"]
    kinds = {name: client.get(name).headers["content-type"].partition(";")[0] for name in parts}
    assert kinds == {"icon.svg": "image/svg+xml", "page.css": "text/css", "page.js": "text/javascript"}


def test_nothing_of_the_page_is_elsewhere(client):
    for name in ("", "page.css", "page.js", "icon.svg"):
        found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", client.get(f"/{name}").text))
        assert found <= {"http://www.w3.org"}, name  # a namespace, which nobody fetches


def test_about(client, pipelines):
    about = client.get("api/about").json()
    assert [each["task"] for each in about["tasks"]] == ["classify", "detect", "segment"]
    assert about["tasks"][1]["threshold"] == pipelines["detect"].specification.threshold
    assert about["limits"] == {"bytes": LIMITS.bytes, "pixels": LIMITS.pixels}
    assert about["codes"] == CODES
    assert [each["name"] for each in about["photographs"]] == list(datasets.photograph_names())
    assert set(about["software"]) == {"cnnlib", "keras", "backend", "pillow"}
    assert client.get("api/schema").json() == answer_schema()
    assert client.get("healthz").json()["status"] == "ok"


def test_photographs(client):
    for name in datasets.photograph_names():
        response = client.get(f"photographs/{name}.webp")
        assert response.headers["content-type"] == "image/webp"
        assert response.content == datasets.read(f"photographs/{name}.webp")
    for path in (
        "photographs/none.webp",
        "photographs/..%2fmanifest.webp",
        "photographs/photographs.json",
        "manifest.json",
    ):
        response = client.get(path)
        assert response.status_code == 404
        error_of(response)


# --- who may ask -----------------------------------------------------------------------------------------------------


def assert_guarded(response) -> None:
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value], name
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_every_response_has_the_headers_that_protect(client, file):
    responses = [
        *(client.get(path) for path in ("/", "/page.js", "/api/about", "/none", "/photographs/cat.webp")),
        post(client, "api/answer", file.read_bytes()),
        post(client, "api/answer", b""),
        client.get("/", headers={"Host": "evil.example"}),
        client.put("/"),
    ]
    assert [response.status_code for response in responses] == [200, 200, 200, 404, 200, 200, 422, 403, 405]
    for response in responses:
        assert_guarded(response)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(client, method):
    response = client.request(method, "/api/answer")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


def test_methods_in_the_wrong_place(client):
    assert client.get("api/answer").status_code == 405
    assert "does not take POST" in error_of(client.post("api/about"))["message"]


def status_with(address: str, *lines: str) -> int:
    """Of a GET with these headers and no other, as no library would send them."""
    with connected(address) as own:
        own.sendall("\r\n".join(["GET /healthz HTTP/1.1", *lines, "Connection: close", "", ""]).encode())
        return int(own.recv(65536).split()[1])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("127.0.0.1", "localhost", "LOCALHOST:99", "[::1]:80", "localhost.")),
        *((host, 403) for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.7")),
        *(
            (host, 403)
            for host in ("127.0.0.1@evil.example", "evil.example#127.0.0.1", "127.0.0.1:x", "[::1", "0.0.0.0", "")
        ),
    ],
)
def test_the_host_is_this_machine(address, host, status):
    assert status_with(address, f"Host: {host}") == status


def test_there_is_one_host(address):
    assert status_with(address, "Host: localhost", "Host: evil.example") in (400, 403)
    assert status_with(address) in (400, 403)
    # uvicorn refuses both by itself; another server might not.
    for hosts in ([], [b"localhost", b"evil.example"], [b"evil.example", b"localhost"]):
        scope = {"type": "http", "method": "GET", "headers": [(b"host", host) for host in hosts]}
        assert Guard(None)._problem(scope).code == "wrong_host"
    assert Guard(None)._problem({"type": "http", "method": "GET", "headers": [(b"host", b"localhost")]}) is None


def test_only_the_page_itself_may_ask(client, address, file):
    own = f"http://{urlsplit(address).netloc}"
    for origin, status in [(own, 200), ("http://evil.example", 403), ("null", 403), ("http://localhost:1", 403)]:
        response = client.post("api/answer", content=file.read_bytes(), headers={"Origin": origin})
        assert response.status_code == status, origin
    assert error_of(response)["code"] == "wrong_origin"


def test_other_names_and_addresses_if_they_are_allowed(pipelines):
    import asyncio

    def status(app, host: str) -> int:
        async def ask():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as own:
                return (await own.get("/healthz", headers={"Host": host})).status_code

        return asyncio.run(ask())

    own = [pipelines["classify"]]
    assert status(application(own, hosts=["Lab.example"]), "lab.example:80") == 200
    anywhere = application(own, local=False)
    assert status(anywhere, "192.168.0.7:80") == 200
    assert status(anywhere, "evil.example") == 403


# --- the server ------------------------------------------------------------------------------------------------------


def test_pipelines_that_cannot_be_served(pipelines):
    with pytest.raises(ValueError, match="both to classify"):
        application([pipelines["classify"]] * 2)
    with pytest.raises(ValueError, match="no pipeline"):
        application([])
    with pytest.raises(ValueError, match="more than 0"):
        Limits(waiting=0)


def test_without_the_library_the_error_says_how_to_install_it(pipelines, monkeypatch, capsys):
    from importlib import util

    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "uvicorn" else find(name, *rest))
    with pytest.raises(ModuleNotFoundError, match=re.escape('pip install -e ".[web]"')):
        application([pipelines["classify"]])
    assert command.main([]) == 2
    assert "needs uvicorn" in capsys.readouterr().err


def test_a_port_that_is_taken(monkeypatch, capsys):
    from cnnlib.pipeline.web import server

    with listen(port=0) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORT", number)
        with listen() as own:  # the default is taken: another one
            assert own.getsockname()[1] != number
            assert address_of(own) == f"http://127.0.0.1:{own.getsockname()[1]}/"
        assert command.main(["--port", str(number)]) == 2  # this one was asked for
        assert f"port {number} cannot be used" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["--port", "65536"])


@pytest.mark.parametrize("exposed", [False, True])
def test_what_the_command_does_in_which_order(pipelines, monkeypatch, capsys, exposed):
    """The browser starts before the network is blocked, and the network is blocked before anything is served."""
    done = []

    class Server:
        def run(self, sockets):
            done.append("run")
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_loaded", lambda options, limits: [pipelines["classify"]])
    monkeypatch.setattr(command, "uvicorn_server", lambda app: Server())
    monkeypatch.setattr(command, "_has_browser", lambda: True)
    monkeypatch.setattr(command.webbrowser, "open", done.append)
    monkeypatch.setattr(command.network, "block", lambda: done.append("block"))
    assert command.main(["--port", "0", *(["--address", "0.0.0.0"] if exposed else [])]) == 0
    output = capsys.readouterr()
    address = re.match(r"http://127\.0\.0\.1:\d+/", output.out)[0]
    assert done == [address, "block", "run"]
    assert ("lets everyone who reaches this machine use the page" in output.err) == exposed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C cannot be sent to one process alone there")
def test_as_a_program(pipelines, file, tmp_path):
    """In a process of its own, the network blocked, the default port taken: which port, an answer, Ctrl+C."""
    pipelines["classify"].save(tmp_path / "model")
    arguments = ["--model", str(tmp_path / "model"), "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnlib.pipeline.web", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CNNLIB_OFFLINE": "1"},
    )
    try:
        assert process.stdout.readline() == "classify: colours 1, 3 labels\n"
        address = process.stdout.readline().split()[0]
        response = httpx.post(
            f"{address}api/answer?name={file.name}", content=file.read_bytes(), timeout=60, trust_env=False
        )
        assert response.json() == pipelines["classify"](file)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert output == "stopped\n"
    assert errors == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)
