"""Refusing every connection beyond this machine: the proof that a lesson needs no network.

``runtime.setup()`` blocks the network where ``CNNLIB_OFFLINE=1``; tests and the build set that.
"""

import http.client
import ipaddress
import os
import socket
from urllib.parse import urlsplit


class NetworkBlocked(ConnectionError):
    """Raised for every connection beyond this machine after :func:`block`."""


_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
_saved: dict[str, object] = {}
_environment: dict[str, str | None] = {}


def blocked() -> bool:
    """Whether :func:`block` is in force."""
    return bool(_saved)


def block() -> None:
    """Refuse every connection beyond this machine, with an error that says so. Loopback and local sockets still work.

    A proxy on this machine is a way out: settings that name one are taken out of the environment, so that neither this
    process nor those that it starts use it, and a request that asks a local proxy for another machine is refused too.
    """
    if _saved:
        return
    _saved.update(
        connect=socket.socket.connect,
        connect_ex=socket.socket.connect_ex,
        getaddrinfo=socket.getaddrinfo,
        putrequest=http.client.HTTPConnection.putrequest,
        set_tunnel=http.client.HTTPConnection.set_tunnel,
    )

    def connect(self: socket.socket, address: object):
        _refuse_remote(self.family, address)
        return _saved["connect"](self, address)

    def connect_ex(self: socket.socket, address: object):
        _refuse_remote(self.family, address)
        return _saved["connect_ex"](self, address)

    def getaddrinfo(host: object, *args: object, **kwargs: object):
        _refuse_remote(socket.AF_INET, (host,))
        return _saved["getaddrinfo"](host, *args, **kwargs)

    def putrequest(self: http.client.HTTPConnection, method: str, url: str, *args: object, **kwargs: object):
        # Only a proxy is asked for a whole address; a server is asked for a path.
        _refuse_remote(socket.AF_INET, (urlsplit(url).hostname,))
        return _saved["putrequest"](self, method, url, *args, **kwargs)

    def set_tunnel(self: http.client.HTTPConnection, host: str, *args: object, **kwargs: object):
        _refuse_remote(socket.AF_INET, (urlsplit(f"//{host}").hostname,))
        return _saved["set_tunnel"](self, host, *args, **kwargs)

    socket.socket.connect, socket.socket.connect_ex = connect, connect_ex
    socket.getaddrinfo = getaddrinfo
    http.client.HTTPConnection.putrequest, http.client.HTTPConnection.set_tunnel = putrequest, set_tunnel
    for name in [name for name in os.environ if name.lower() in _PROXIES]:
        _environment[name] = os.environ.pop(name)
    for name in ("no_proxy", "NO_PROXY"):  # what the system's own settings name is left out as well
        _environment[name] = os.environ.get(name)
        os.environ[name] = "*"


def unblock() -> None:
    """Undo :func:`block`."""
    if not _saved:
        return
    socket.socket.connect, socket.socket.connect_ex = _saved["connect"], _saved["connect_ex"]
    socket.getaddrinfo = _saved["getaddrinfo"]
    http.client.HTTPConnection.putrequest = _saved["putrequest"]
    http.client.HTTPConnection.set_tunnel = _saved["set_tunnel"]
    for name, value in _environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _saved.clear()
    _environment.clear()


def _refuse_remote(family: int, address: object) -> None:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = address[0] if isinstance(address, tuple) and address else address
    if not _is_local(host):
        raise NetworkBlocked(
            f"Something tried to reach {host!r}, but the network is blocked (CNNLIB_OFFLINE=1). The lessons run "
            "without it. For what does need it (full=True, bigger weights), unset CNNLIB_OFFLINE and restart the "
            "kernel."
        )


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:  # a name: looking it up would already be a use of the network
        return False
    return address.is_loopback or address.is_unspecified
