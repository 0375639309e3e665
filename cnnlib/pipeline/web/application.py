"""The application behind the page: its addresses, its limits, and how it says no. Lesson 14.

====================================  =================================================================================
``GET /``                             the page
``POST /api/answer``                  the image is the body; the answer as `answer_schema` describes it
``POST /api/picture``                 the image as it was decoded, small enough to be shown
``POST /api/overlay``                 the image with the answer drawn on it, a JPEG
``GET /api/schema``                   the JSON Schema of the answer
``GET /api/about``                    tasks, networks, limits, versions
``GET /healthz``                      whether it answers, and how many images are in line
``GET /photographs/NAME.webp``        the bundled photographs
====================================  =================================================================================

``POST`` takes, in the address: ``task``, ``threshold`` (0 to 1), ``name`` (of the file, as the answer is to call it),
``soft_masks=1``. An image without an answer gets the record of its failure, as `answer_schema` describes it, with
status 422 (413: too large); whatever else goes wrong gets ``{"error": {"code", "message"}}`` too. The times of the
stages stand in the header ``Server-Timing``.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import importlib.util
import io
import json
import math
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cnnlib.pipeline.web.guard import Guard, Problem

__all__ = ["Limits", "application", "require"]

PACKAGES = ("starlette", "uvicorn")
PAGE = Path(__file__).parent / "page"
# What the page consists of. Types are written out: those that Windows knows can be changed by any program.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
PARAMETERS = ("task", "threshold", "name", "soft_masks")
SHOWN = 1600  # pixels, the longer side of what the page shows
EXACT = 256 * 256  # pixels up to which it is shown without loss
NAME = 200  # characters of a file's name


@dataclass(frozen=True)
class Limits:
    """What one request may cost.

    Args:
        bytes: of an image file; more are not read.
        pixels: of an image; the header is looked at first.
        waiting: images in line, the one that is computed among them. Who comes later is told that the server is busy.
        seconds: that an upload may take.
    """

    bytes: int = 32_000_000
    pixels: int = 64_000_000
    waiting: int = 8
    seconds: float = 60.0

    def __post_init__(self):
        if min(self.bytes, self.pixels, self.waiting) < 1 or not self.seconds > 0:
            raise ValueError(f"{self}: expected more than 0 of each.")


def application(pipelines: Iterable, limits: Limits | None = None, hosts: Iterable[str] = (), local: bool = True):
    """The ASGI application (Starlette behind a `Guard`) that serves pipelines.

    Args:
        pipelines: `Pipeline` objects, one for each task at most.
        limits: see `Limits`.
        hosts: further names that the server may be called by in the address of a browser.
        local: whether only this machine may call it by an address in numbers, or any may.

    Raises:
        ModuleNotFoundError: a package is not installed; the message has the command that does.
        ValueError: two pipelines have the same task, or there is none.
    """
    require()
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    site = _Site(_by_task(pipelines), limits or Limits())
    routes = [Route(path, site.page, methods=["GET"]) for path in FILES]
    routes += [
        Route(path, function, methods=[method])
        for method, path, function in (
            ("POST", "/api/answer", site.answer),
            ("POST", "/api/picture", site.picture),
            ("POST", "/api/overlay", site.overlay),
            ("GET", "/api/schema", site.schema),
            ("GET", "/api/about", site.about),
            ("GET", "/healthz", site.health),
            ("GET", "/photographs/{name}.webp", site.photograph),
        )
    ]
    told = {Problem: _told, HTTPException: _no_such, Exception: _failed}
    # Around all of it, not as one of its middlewares: what the server says of its own defects passes none of these.
    return Guard(Starlette(routes=routes, exception_handlers=told), hosts, local)


def require() -> None:
    """Raise ModuleNotFoundError with the command that installs it, if a package that the page needs is missing."""
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(
                f"The web page needs {name}, which is not installed. Install it with\n"
                '    python -m pip install -e ".[web]"\n'
                "in the folder of the course.",
                name=name,
            )


def _by_task(pipelines: Iterable) -> dict:
    found: dict = {}
    for each in pipelines:
        spec = each.specification
        if spec.task in found:
            first = found[spec.task].specification.name
            raise ValueError(f"{first!r} and {spec.name!r} are both to {spec.task}; the page has one network a task.")
        found[spec.task] = each
    if not found:
        raise ValueError("there is no pipeline to serve; give at least one.")
    return found


# --- what is served --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Question:
    """What a request asks, before its image has come."""

    ask: Callable
    name: str | None
    soft: bool


class _Site:
    def __init__(self, pipelines: dict, limits: Limits):
        self.pipelines, self.limits = pipelines, limits
        self.line = _Line(limits.waiting)
        self.files = {path: (PAGE / name).read_bytes() for path, (name, _) in FILES.items()}
        self.photographs = _photographs()

    # Each function takes a Starlette request and returns a response.

    async def page(self, request):
        path = request.url.path
        return _response(self.files[path], FILES[path][1])

    async def schema(self, request):
        from cnnlib.pipeline.schema import answer_schema

        return _json(answer_schema())

    async def about(self, request):
        from cnnlib.pipeline.decoding import CODES
        from cnnlib.pipeline.drawing import COLOURS

        return _json(
            {
                "tasks": [_described(each.specification) for each in self.pipelines.values()],
                "limits": {"bytes": self.limits.bytes, "pixels": self.limits.pixels},
                "photographs": self.photographs,
                "colours": [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in COLOURS],
                "codes": CODES,
                "software": _software(),
            }
        )

    async def health(self, request):
        return _json({"status": "ok", "in_line": self.line.inside, "tasks": list(self.pipelines)})

    async def photograph(self, request):
        from cnnlib import datasets

        name = request.path_params["name"]
        if name not in [each["name"] for each in self.photographs]:
            raise Problem(404, "not_found", f"there is no photograph {name!r} here.")
        return _response(await asyncio.to_thread(datasets.read, f"photographs/{name}.webp"), "image/webp")

    async def answer(self, request):
        question = self._question(request)
        async with self.line.place():
            source = await self._image(request, question)
            answer = await self._computed(request, question, lambda: question.ask(source, soft_masks=question.soft))
        return _json(answer, headers={"Server-Timing": _timing(question.ask.latency)})

    async def picture(self, request):
        question = self._question(request)
        async with self.line.place():
            source = await self._image(request, question)
            data, kind = await self._computed(request, question, lambda: _small(self._decoded(source, question.ask)))
        return _response(data, kind)

    async def overlay(self, request):
        from cnnlib.pipeline.drawing import overlay

        def drawn():
            decoded = self._decoded(source, question.ask)
            return _jpeg(overlay(decoded, question.ask(decoded)), 92)

        question = self._question(request)
        async with self.line.place():
            source = await self._image(request, question)
            data = await self._computed(request, question, drawn)
        return _response(data, "image/jpeg")

    # --- the parts of a request --------------------------------------------------------------------------------------

    def _question(self, request) -> _Question:
        """Everything that can be refused without the image."""
        given = request.query_params
        unknown = sorted(set(given) - set(PARAMETERS))
        if unknown:
            raise Problem(400, "bad_request", f"{unknown[0]!r} is unknown here; there are {', '.join(PARAMETERS)}.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            raise Problem(
                415,
                "bad_request",
                "the body is a form; send the bytes of the image alone, as curl does with --data-binary @FILE.",
            )
        task = given.get("task", next(iter(self.pipelines)))
        if task not in self.pipelines:
            raise Problem(400, "bad_request", f"task={task!r}; this server can {', '.join(self.pipelines)}.")
        soft_masks = given.get("soft_masks", "0")
        if soft_masks not in ("0", "1"):
            raise Problem(400, "bad_request", f"soft_masks={soft_masks!r}; expected 0 or 1.")
        name = "".join(c for c in given.get("name", "") if c.isprintable())[-NAME:] or None
        return _Question(_own(self.pipelines[task], self.limits, _threshold(given)), name, soft_masks == "1")

    async def _image(self, request, question: _Question) -> io.BytesIO:
        """The body, if it is not too large and comes in time."""
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self.limits.bytes:
            raise self._too_large(f"{int(announced):,}", question)
        source = io.BytesIO()
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for chunk in request.stream():
                    source.write(chunk)
                    if source.tell() > self.limits.bytes:  # the rest is not waited for
                        raise self._too_large(f"more than {self.limits.bytes:,}", question)
        except TimeoutError:
            raise Problem(
                408, "too_slow", f"the image did not come within {self.limits.seconds:g} s.", {"Connection": "close"}
            ) from None
        source.seek(0)
        source.name = question.name
        return source

    def _too_large(self, size: str, question: _Question) -> Problem:
        from cnnlib.pipeline.decoding import ImageError

        message = f"{question.name or 'the image'}: {size} bytes; at most {self.limits.bytes:,} are taken here."
        return _image_problem(ImageError("too_large", message), question, {"Connection": "close"})

    def _decoded(self, source: io.BytesIO, ask):
        from cnnlib.pipeline.decoding import decode

        return decode(source, background=ask.specification.preprocessing.background, max_pixels=self.limits.pixels)

    async def _computed(self, request, question: _Question, function: Callable):
        """What a function gives, computed when its turn has come: the network takes all cores anyway."""
        from cnnlib.pipeline.decoding import ImageError

        async with self.line.turn:
            if await request.is_disconnected():
                raise Problem(499, "gone", "nobody waits for this answer any more.")
            try:
                return await asyncio.to_thread(function)
            except ImageError as error:
                raise _image_problem(error, question) from None


class _Line:
    """One image is computed at a time, a few wait, and who comes then is sent away."""

    def __init__(self, most: int):
        self.most, self.inside, self.turn = most, 0, asyncio.Lock()

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        if self.inside >= self.most:
            raise Problem(
                503,
                "busy",
                f"the server is busy: {self.inside} images are in line. Try again in a moment.",
                {"Retry-After": "2", "Connection": "close"},
            )
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


def _own(pipeline, limits: Limits, threshold: float | None):
    """The pipeline for one request: the same network, with times and a threshold of its own."""
    own = copy.copy(pipeline)
    own.latency = type(pipeline.latency)()
    own.max_pixels = min(pipeline.max_pixels, limits.pixels)
    if threshold is not None:
        own.specification = dataclasses.replace(pipeline.specification, threshold=threshold)
    return own


def _threshold(given) -> float | None:
    text = given.get("threshold")
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        value = float(text)
        if 0 <= value <= 1:
            return value
    raise Problem(400, "bad_request", f"threshold={text[:40]!r}; expected a number from 0 to 1.")


# --- what is said ----------------------------------------------------------------------------------------------------


def _described(spec) -> dict:
    return {
        "task": spec.task,
        "model": spec.name,
        "version": spec.version,
        "labels": len(spec.labels),
        "threshold": spec.threshold,
        "calibrated": spec.calibration.fitted_on is not None,
    }


def _software() -> dict[str, str]:
    import keras
    from PIL import __version__ as pillow

    from cnnlib import __version__, runtime

    return {"cnnlib": __version__, "keras": keras.__version__, "backend": runtime.backend(), "pillow": pillow}


def _photographs() -> list[dict]:
    """What there is to try; nothing where the package is installed without the course."""
    from cnnlib import datasets

    try:
        facts = {name: datasets.photograph_facts(name) for name in datasets.photograph_names()}
    except (datasets.DataError, OSError):
        return []
    return [
        {"name": name, **{key: fact[key] for key in ("shows", "author", "licence")}} for name, fact in facts.items()
    ]


def _timing(latency) -> str:
    """The times of the stages as the header Server-Timing has them (W3C), in milliseconds."""
    return ", ".join(
        f"{stage};dur={value:.2f}"
        for stage, row in latency.percentiles([50]).items()
        for value in row.values()
        if math.isfinite(value)
    )


def _small(decoded) -> tuple[bytes, str]:
    """A decoded image for the page: exact if it is small, else a JPEG of at most `SHOWN` pixels."""
    image = decoded.image
    if image.size[0] * image.size[1] <= EXACT and max(image.size) <= SHOWN:
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue(), "image/png"
    image = image.copy()
    image.thumbnail((SHOWN, SHOWN))
    return _jpeg(image, 90), "image/jpeg"


def _jpeg(image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _response(content: bytes, kind: str, status: int = 200, headers: dict | None = None):
    from starlette.responses import Response

    return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, kind)


def _json(content: dict, status: int = 200, headers: dict | None = None):
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return _response(text.encode(), "application/json", status, headers)


def _image_problem(error, question: _Question, headers: dict | None = None) -> Problem:
    """An image without an answer: the record of `answer_schema`, with the pipeline's own code and sentence."""
    from cnnlib.pipeline.answer import failure

    record = failure(question.name, question.ask.specification.task, error)
    return Problem(413 if error.code == "too_large" else 422, error.code, str(error), headers, record)


async def _told(request, problem: Problem):
    return _json(problem.record, problem.status, problem.headers)


async def _no_such(request, error):
    """What Starlette refuses by itself."""
    said = {
        404: ("not_found", f"there is nothing at {request.url.path}; the page is at /."),
        405: ("bad_request", f"{request.url.path} does not take {request.method}."),
    }
    code, message = said.get(error.status_code, ("bad_request", str(error.detail)))
    return await _told(request, Problem(error.status_code, code, message, error.headers))


async def _failed(request, error: Exception):
    """A defect of the server: its own terminal has the trace, the caller does not."""
    return await _told(request, Problem(500, "failed", "the server failed; the terminal it runs in says why."))
