"""The server: a port, one warmed network a task, a clean end. Lesson 14."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Iterable, Iterator

from cnnlib.pipeline.web.application import Limits, application, require

__all__ = ["PORT", "listen", "running", "uvicorn_server", "warm"]

PORT = 8140
TRIED = 20  # ports above it
LAST = 10.0  # seconds that requests have to end when the server is stopped


def listen(address: str = "127.0.0.1", port: int | None = None) -> socket.socket:
    """A socket that listens: on the port that is asked for (0: any), else on `PORT` or the next free one above it.

    Raises:
        OSError: the port is taken or may not be used, or the address is none of this machine's.
    """
    *tried, last = [port] if port is not None else [*range(PORT, PORT + TRIED), 0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for number in tried:
        try:
            return socket.create_server((address, number), family=family, backlog=128)
        except OSError as error:
            # Windows says that access is denied where a port is another program's alone.
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    return socket.create_server((address, last), family=family, backlog=128)


def address_of(listening: socket.socket) -> str:
    """The address to open in a browser of this machine."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def uvicorn_server(app):
    """A uvicorn server for an application; ``run(sockets=[...])`` serves until a signal, or ``should_exit``."""
    require()
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,  # names of files are nobody's business
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=int(LAST),
        )
    )


def warm(pipeline) -> None:
    """One answer, so that what is compiled at the first call is compiled."""
    import numpy as np

    pipeline(np.full((64, 64, 3), 128, np.uint8))
    pipeline.latency.clear()


@contextlib.contextmanager
def running(pipelines: Iterable, limits: Limits | None = None, port: int = 0) -> Iterator[str]:
    """Serve pipelines on this machine from a thread, as in a notebook; the address of the page.

    >>> with running([pipeline.ready("detect")]) as address:
    ...     httpx.post(f"{address}api/answer", content=open("photo.jpg", "rb").read()).json()
    """
    pipelines = list(pipelines)
    own = uvicorn_server(application(pipelines, limits))
    for each in pipelines:
        warm(each)
    with listen(port=port) as listening:
        thread = threading.Thread(target=own.run, kwargs={"sockets": [listening]}, daemon=True, name="web page")
        thread.start()
        try:
            while not own.started and thread.is_alive():
                time.sleep(0.01)
            yield address_of(listening)
        finally:
            own.should_exit = True
            thread.join(LAST + 5)
