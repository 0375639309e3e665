"""The block of the network: what is refused, what still works, and the ways round it."""

import http.client
import http.server
import os
import socket
import threading
import urllib.request

import pytest

from cnnlib import network


@pytest.fixture
def blocked(monkeypatch):
    """The network blocked for one test, with a proxy in the settings; afterwards as it was."""
    was = network.blocked()
    network.unblock()
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "localhost")
    network.block()
    yield
    network.unblock()
    if was:
        network.block()


@pytest.fixture
def server():
    """A small web server on this machine that answers every request: its port, and what it was asked for."""
    asked = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from this machine")

        do_CONNECT = do_GET

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1], asked
        running.shutdown()


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
        lambda: socket.create_connection(("example.org", 443), timeout=1),
        lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
        lambda: socket.getaddrinfo(b"example.org", 80),
    ],
    ids=["address", "name", "connect_ex", "IPv6", "look-up"],
)
def test_a_blocked_network_refuses_what_is_not_this_machine(blocked, attempt):
    network.block()  # a second call changes nothing
    with pytest.raises(network.NetworkBlocked, match="CNNLIB_OFFLINE=1"):
        attempt()


def test_a_blocked_network_still_reaches_this_machine(blocked, server):
    port, asked = server
    for host in ("127.0.0.1", "localhost"):
        assert urllib.request.urlopen(f"http://{host}:{port}/page?next=http://example.org/").read()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"http://127.0.0.1:{port}/whole")
    assert connection.getresponse().status == 200
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) == 0
    left, right = socket.socketpair()
    left.close(), right.close()
    assert len(asked) == 3


def test_a_proxy_on_this_machine_is_no_way_out(blocked, server):
    port, asked = server
    proxy = f"http://127.0.0.1:{port}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    os.environ.pop("no_proxy"), os.environ.pop("NO_PROXY")  # as if a program had chosen its proxy itself
    for address in ("http://example.org/", "https://example.org/", "http://192.0.2.1/"):
        with pytest.raises(OSError, match="CNNLIB_OFFLINE=1"):  # urllib makes it an error of its own
            opener.open(address, timeout=5)
    connection = http.client.HTTPSConnection("127.0.0.1", port)
    with pytest.raises(network.NetworkBlocked):
        connection.set_tunnel("example.org:443")
    connection.set_tunnel("[::1]:443")
    connection.set_tunnel("localhost")
    assert asked == []


def test_settings_that_name_a_proxy_are_out_of_force_and_come_back(blocked):
    assert [name for name in os.environ if name.lower().endswith("_proxy")] == ["no_proxy", "NO_PROXY"]
    assert os.environ["no_proxy"] == "*"
    network.unblock()
    network.unblock()
    assert os.environ["HTTPS_PROXY"] == os.environ["http_proxy"] == "http://127.0.0.1:9"
    assert os.environ["no_proxy"] == "localhost"
    assert "NO_PROXY" not in os.environ


def test_nothing_is_left_of_it_when_it_is_undone():
    was = network.blocked()
    network.unblock()
    before = socket.socket.connect, socket.getaddrinfo, http.client.HTTPConnection.putrequest
    network.block()
    assert network.blocked()
    assert socket.socket.connect is not before[0]
    network.unblock()
    assert (socket.socket.connect, socket.getaddrinfo, http.client.HTTPConnection.putrequest) == before
    if was:
        network.block()
