"""Who may ask, and what browsers are told: the outermost layer of the application. Lesson 14.

A server on one's own machine can be reached by every page that is open in a browser there. Three checks keep these out:
a name in ``Host`` that is not the server's own means that some other site's name was pointed at this machine (DNS
rebinding); an ``Origin`` that is not the page's own means that some other page sends the request; and no header allows
another page to read an answer (CORS).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["Guard", "Problem"]

METHODS = ("GET", "POST")
LOCAL = ("127.0.0.1", "localhost", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Problem(Exception):
    """A request that gets no: ``record`` is what it gets instead, as JSON."""

    def __init__(self, status: int, code: str, message: str, headers: dict | None = None, record: dict | None = None):
        super().__init__(message)
        self.status, self.code, self.headers = status, code, dict(headers or {})
        self.record = record or {"error": {"code": code, "message": message}}


class Guard:
    """ASGI middleware: methods, ``Host`` and ``Origin`` are checked, and headers that protect are added.

    Args:
        app: what stands behind it.
        hosts: names that the server answers to beside those of this machine.
        local: whether it answers to no other addresses in numbers than this machine's. These are no danger: DNS
            rebinding needs a name.
    """

    def __init__(self, app, hosts: Iterable[str] = (), local: bool = True):
        self.app, self.hosts, self.local = app, {*LOCAL, *(host.lower() for host in hosts)}, local

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def guarded(message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *own]}
            await send(message)

        problem = self._problem(scope)
        if problem is None:
            return await self.app(scope, receive, guarded)
        body = json.dumps(problem.record, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        headers = [(name.lower().encode(), value.encode()) for name, value in {**headers, **problem.headers}.items()]
        await guarded({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _problem(self, scope) -> Problem | None:
        if scope["method"] not in METHODS:
            message = f"{scope['method']} is not taken here; there are {' and '.join(METHODS)}."
            return Problem(405, "bad_request", message, {"Allow": ", ".join(METHODS)})
        hosts, origins = (
            [value.decode("latin-1").strip() for name, value in scope["headers"] if name == wanted]
            for wanted in (b"host", b"origin")
        )
        name = _host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not self._known(name):
            shown = ", ".join(hosts)[:100]
            return Problem(
                403,
                "wrong_host",
                f"this server does not answer to the name {shown!r}. Open it by the address that it printed when it "
                "started. If the name is meant, start it with --allow-host NAME.",
            )
        for origin in origins:
            if urlsplit(origin).netloc.lower() != hosts[0].lower():
                return Problem(403, "wrong_origin", f"a page of {origin[:100]!r} may not ask this server.")
        return None

    def _known(self, name: str) -> bool:
        return name in self.hosts or (not self.local and _is_address(name))


def _host_name(host: str) -> str | None:
    """What stands before the port, in small letters and without the brackets of IPv6; None if it is no host."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  raises if it is no number
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return None
    return parts.hostname.rstrip(".") if parts.hostname else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
