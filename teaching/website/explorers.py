"""The explorers of a lesson as pictures: a frame for each of their settings, for a page that has no kernel.

    python teaching/website/explorers.py 01 FOLDER

Runs of the lesson what each explorer needs, and in the place of the widget draws what the reader could choose.
FOLDER gets the frames, each named by its content, and ``explorers.json``: a list of what `frames` returns.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import io
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

MOST = 2000  # frames of one explorer
# How many places of a slider are drawn; each place multiplies the frames. Ten where nothing is said.
STOPS = {"position": 3, "down": 8, "right": 8}
SMALL = 30_000  # bytes of a frame that is stored as it is; a larger one is a photograph


class Recorded(Exception):
    """An explorer was called: the rest of its cell is not needed."""


def cells(lesson: str) -> list[tuple[int, str]]:
    """The code cells of a lesson with their numbers from 1, markdown cells counted too; answers filled in."""
    from cnnlib.exercises import source

    found = source.cells(source.lesson_file(f"{lesson}.1", ROOT / "solutions"))
    return [(number, each.source) for number, each in enumerate(found, start=1) if each.kind == "code"]


def has_explorer(text: str) -> bool:
    """Whether a cell opens an explorer: it calls ``explore``, or a function called ``..._explorer``."""
    if "explore" not in text:
        return False
    called = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    names = (getattr(each, "attr", getattr(each, "id", "")) for each in called)
    return any(name == "explore" or name.endswith("_explorer") for name in names)


def control(name: str, slider: object) -> dict[str, Any]:
    """What the page needs of one slider: ``name``, ``kind``, ``values`` with their ``labels``, and ``start``, an index.

    Raises:
        ValueError: a kind of slider that the page does not have.
    """
    label = name.replace("_", " ")
    if hasattr(slider, "options") and hasattr(slider, "value"):  # an ipywidget to select from
        options = [each if isinstance(each, tuple) else (str(each), each) for each in slider.options]
        start = [value for _, value in options].index(slider.value)
        return _control(label, "range", options, start)
    if isinstance(slider, bool):
        return _control(label, "box", [("no", False), ("yes", True)], int(slider))
    if isinstance(slider, Mapping):
        return _control(label, "menu", list(slider.items()), 0)
    if isinstance(slider, list):
        return _control(label, "menu", [(str(each), each) for each in slider], 0)
    if not isinstance(slider, tuple):
        raise ValueError(f"{name}={slider!r}: the site has sliders, menus, boxes and ipywidgets with options")
    low, high = slider[:2]
    whole = all(isinstance(each, int) for each in slider)
    step = slider[2] if len(slider) > 2 else 1 if whole else (high - low) / 100
    places = [low + step * n for n in range(int(round((high - low) / step, 6)) + 1)]
    start = places.index(min(places, key=lambda each: abs(each - (slider[3] if len(slider) > 3 else low))))
    kept = stops(len(places), start, STOPS.get(name, 10))
    places = [places[n] if whole else round(places[n], 6) for n in kept]
    return _control(label, "range", [(f"{each:g}", each) for each in places], kept.index(start))


def _control(name: str, kind: str, options: Sequence[tuple[str, object]], start: int) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "labels": [label for label, _ in options],
        "values": [value for _, value in options],
        "start": start,
    }


def stops(count: int, start: int, most: int) -> list[int]:
    """At most so many of ``count`` places, evenly spread, the start among them."""
    if count <= most:
        return list(range(count))
    even = [round(n * (count - 1) / (most - 1)) for n in range(most)]
    nearest = min(range(most), key=lambda n: abs(even[n] - start))
    even[nearest] = start
    return sorted(set(even))


def frames(draw: Callable, alt: Callable[..., str], sliders: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """Draw every setting of an explorer into a folder.

    Returns:
        ``controls`` as `control` gives them, without their values; ``pictures``, names of files, and ``texts``; and
        ``frames``, for each setting in the order of `itertools.product` the numbers of its picture (-1: it has none)
        and of its text.
    """
    controls = [control(name, slider) for name, slider in sliders.items()]
    settings = list(itertools.product(*(each.pop("values") for each in controls)))
    if len(settings) > MOST:
        raise ValueError(f"{len(settings)} settings of {', '.join(sliders)}: more than {MOST}. Give some fewer STOPS.")
    pictures: dict[str, int] = {}
    texts: dict[str, int] = {}
    numbers = []
    for setting in settings:
        values = dict(zip(sliders, setting))
        try:
            name, text = _stored(draw(**values), folder), alt(**values)
        except ValueError as error:
            name, text = "", f"These values have no figure: {error}"
        numbers.append((pictures.setdefault(name, len(pictures)) if name else -1, texts.setdefault(text, len(texts))))
    return {"controls": controls, "pictures": list(pictures), "texts": list(texts), "frames": numbers}


def _stored(figure: Any, folder: Path) -> str:
    """Write a figure as WebP, unless it is there already; its name says its content.

    As `cnnlib.plotting.core.png` draws it, without the search for the smallest palette, which is half of the time.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    from cnnlib.plotting import core

    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    for ax in figure.axes:
        if ax.images:
            ax.grid(visible=False)
    figure.set_dpi(core.DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.frombytes("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    name = f"{hashlib.sha256(picture.tobytes()).hexdigest()[:12]}.webp"
    if not (folder / name).exists():
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", lossless=True, method=1)
        if buffer.tell() > SMALL:
            buffer = io.BytesIO()
            picture.save(buffer, "WEBP", quality=82, method=3)
        (folder / name).write_bytes(buffer.getvalue())
    return name


def record(lesson: str, folder: Path, tell: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """The explorers of a lesson, in order; ``cell`` is the number of the cell that opens one.

    Raises:
        ValueError: a cell that seems to open an explorer does not, or an explorer cannot be drawn.
    """
    from cnnlib.plotting import explorer

    found: list[dict[str, Any]] = []

    def keep(draw: Callable, alt: Any = None, **sliders: object) -> None:
        tell(f"{lesson}: {', '.join(sliders)}")
        found.append(frames(draw, explorer._describer(draw, alt), sliders, folder))
        raise Recorded

    folder.mkdir(parents=True, exist_ok=True)
    given, explorer.explore = explorer.explore, keep
    try:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for number, text in needed(cells(lesson)):
            opens, before = has_explorer(text), len(found)
            with contextlib.suppress(Recorded), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(text, f"<lesson {lesson}, cell {number}>", "exec"), namespace)
            if opens and len(found) == before:
                raise ValueError(f"lesson {lesson}, cell {number} opens no explorer")
            for each in found[before:]:
                each["cell"] = number
    finally:
        explorer.explore = given
    return found


def needed(code: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The cells that open explorers and those that define what they use, in order; all imports first, as cell 0."""
    from cnnlib.exercises import replay, source

    earlier = [source.Cell("code", text, 0) for _, text in code]
    chosen: set[int] = set()
    for at, (_, text) in enumerate(code):
        if has_explorer(text):
            chosen |= {at} | replay.needed_cells(text, earlier[:at], set())
        elif "runtime.setup(" in text:
            chosen.add(at)
    nodes = (node for _, text in code for node in ast.parse(text).body)
    imports = "\n".join(ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)))
    return [(0, imports), *(code[at] for at in sorted(chosen))]


def lessons_with_explorers() -> list[str]:
    """The numbers of the lessons that have one."""
    from cnnlib.exercises.course import numbered

    numbers = [path.name.partition("_")[0] for path in numbered(ROOT / "solutions")]
    return [each for each in numbers if any(has_explorer(text) for _, text in cells(each))]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lesson", help="its number")
    parser.add_argument("folder", type=Path, help="where the frames go")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as own:
        os.environ["CNNLIB_PROGRESS"] = str(Path(own) / "progress.json")
        told = sys.stdout
        found = record(options.lesson, options.folder, lambda text: print(text, file=told, flush=True))
    (options.folder / "explorers.json").write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
