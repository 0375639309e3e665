"""``python -m cnnlib.pipeline.web``: load the networks, take a port, open the page, serve until Ctrl+C."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from cnnlib import network, runtime
from cnnlib.pipeline.web.application import Limits, application, require
from cnnlib.pipeline.web.server import PORT, address_of, listen, uvicorn_server, warm


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        require()  # before anything that takes time
        limits = Limits(
            bytes=round(options.max_megabytes * 1e6),
            pixels=round(options.max_megapixels * 1e6),
            waiting=options.waiting,
        )
        listening = listen(options.address, options.port)
    except (ValueError, ModuleNotFoundError) as error:
        return _refused(error)
    except OSError as error:
        where = f"{options.address}, port {PORT if options.port is None else options.port}"
        return _refused(f"{where} cannot be used ({error.strerror or error}). --port names another one, 0 any.")
    with listening:
        _say_where(options, listening)
        local = _is_local(options.address)
        try:
            runtime.backend()  # imports Keras without the noise that backends write
            pipelines = list(_loaded(options, limits))
            app = application(pipelines, limits, hosts=[*options.allow_host, options.address], local=local)
            own = uvicorn_server(app)
        except (ValueError, ModuleNotFoundError, FileNotFoundError) as error:
            return _refused(error)
        except KeyboardInterrupt:
            return 130
        address = address_of(listening)
        print(f"{address}  (Ctrl+C stops it)", flush=True)
        if not options.no_browser and _has_browser():
            webbrowser.open(address)
        network.block()  # after the browser was started, which must not inherit it
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends cleanly, then says again what stopped it
            own.run(sockets=[listening])
    print("stopped", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cnnlib.pipeline.web",
        description="A page on this machine that answers to images: what is in them, where, and how sure that is.",
    )
    parser.add_argument(
        "--model",
        metavar="NAME|FOLDER",
        action="append",
        default=[],
        help="a task (classify, detect, segment), a bundled network, or a folder that a pipeline was saved in; give it "
        "once for each task (default: the three tasks)",
    )
    parser.add_argument("--port", type=_port, help=f"0: any (default: {PORT}, or the next that is free)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    parser.add_argument(
        "--max-megabytes", type=float, default=Limits.bytes / 1e6, help="of a file (default: %(default)g)"
    )
    parser.add_argument(
        "--max-megapixels", type=float, default=Limits.pixels / 1e6, help="of an image (default: %(default)g)"
    )
    parser.add_argument("--waiting", type=int, default=Limits.waiting, help="images in line (default: %(default)d)")
    parser.add_argument(
        "--address",
        default="127.0.0.1",
        help="of the network card to listen on, 0.0.0.0 for all: others can then reach the page (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a further name that the page may be opened by, as behind a proxy",
    )
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError(f"{number}: a port is a number from 0 to 65535")
    return number


def _loaded(options: argparse.Namespace, limits: Limits):
    """The pipelines that are asked for, each warmed; what is done is printed, since it takes a while."""
    from cnnlib import pipeline
    from cnnlib.datasets import DataError
    from cnnlib.pipeline.bundled import DEFAULTS

    for name in options.model or DEFAULTS:
        try:
            own = pipeline.Pipeline.load(name) if Path(name).is_dir() else pipeline.ready(name)
        except DataError as error:
            raise ValueError(str(error)) from error
        warm(own)
        spec = own.specification
        print(f"{spec.task}: {spec.name} {spec.version}, {len(spec.labels)} labels", flush=True)
        yield own


def _say_where(options: argparse.Namespace, listening) -> None:
    port = listening.getsockname()[1]
    if options.port is None and port != PORT:
        print(f"port {PORT} is taken; this is port {port}", flush=True)
    if not _is_local(options.address):
        print(
            f"warning: --address {options.address} lets everyone who reaches this machine use the page. It asks for no "
            "password and nothing is encrypted.",
            file=sys.stderr,
            flush=True,
        )


def _is_local(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _has_browser() -> bool:
    """Whether a window can open: a browser for terminals would take this one over."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _refused(error: object) -> int:
    print(error, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
