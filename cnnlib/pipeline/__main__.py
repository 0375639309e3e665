"""``python -m cnnlib.pipeline IMAGE... --task detect --json out.json --overlay out.png``

Answers to image files and to folders of them. A bad file does not stop the others: it is listed at the end, and the
exit status is 1. Status 2: nothing could be done at all.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from cnnlib import runtime

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".jp2"),
    *(".avif", ".tga", ".ico", ".mpo"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    runtime.backend()  # imports Keras without the noise that backends write
    from cnnlib import pipeline
    from cnnlib.datasets import DataError
    from cnnlib.pipeline.bundled import DEFAULTS

    parser = _parser(DEFAULTS, pipeline.READY)
    options = parser.parse_args(arguments)
    files, absent = _files(options.images)
    if not files and not absent:
        print("there is no image file in the folders that were given", file=sys.stderr)
        return 2
    try:
        own = _pipeline(options)
    except (ValueError, DataError) as error:
        print(error, file=sys.stderr)
        return 2
    target = _overlay_target(options.overlay, len(files))
    names = _overlay_names(files, target) if target else {}
    done: list[dict] = []
    progress = _Progress(len(files), options.quiet)
    for file, answer in zip(files, own.stream(files, batch_size=options.batch, soft_masks=options.soft_masks)):
        progress.step()
        done.append({"file": file.as_posix(), **answer})
        if target and "error" not in answer:
            drawn = pipeline.overlay(file, answer)
            drawn.save(names[file])
        if options.json != "-" and not options.quiet:
            progress.say(_line(file, answer))
    progress.close()
    done += [{"file": path.as_posix(), **_absent(path, own.specification.task)} for path in absent]
    if options.json is not None:
        text = json.dumps([{k: v for k, v in d.items() if k != "file"} for d in done], indent=1, ensure_ascii=False)
        if options.json == "-":
            print(text)
        else:
            Path(options.json).write_text(text + "\n", encoding="utf-8", newline="\n")
    if options.latency:
        print(own.latency, file=sys.stderr)
    return _report([d for d in done if "error" in d], len(done))


def _parser(tasks: Iterable[str], ready: Iterable[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cnnlib.pipeline",
        description="Answers to image files: what is in them, where, and how sure that is.",
        epilog="Exit status: 0 all files have an answer, 1 some have none, 2 nothing could be done.",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="files, or folders of them")
    parser.add_argument("--task", choices=list(tasks), default="classify", help="what is asked (default: classify)")
    parser.add_argument(
        "--model",
        metavar="NAME|FOLDER",
        help=f"in place of the task's own network: a folder that a pipeline was saved in, or {', '.join(ready)}",
    )
    parser.add_argument("--threshold", type=float, help="scores below are not reported (default: as specified)")
    parser.add_argument("--json", metavar="FILE", help="write all answers as a JSON list; - for standard output")
    parser.add_argument("--overlay", metavar="PATH", type=Path, help="draw the answers: a file for one image, a folder")
    parser.add_argument("--soft-masks", action="store_true", help="of segment: also the probability of each pixel")
    parser.add_argument("--batch", type=int, default=8, help="images in one forward pass (default: 8)")
    parser.add_argument("--latency", action="store_true", help="print percentiles of each stage")
    parser.add_argument("--quiet", action="store_true", help="no lines for each image and no progress bar")
    return parser


def _pipeline(options: argparse.Namespace):
    import dataclasses

    from cnnlib import pipeline

    if options.batch < 1:
        raise ValueError(f"--batch {options.batch}: expected 1 or more images.")
    name = options.model or options.task
    if options.model and Path(options.model).is_dir():
        own = pipeline.Pipeline.load(options.model)
        if options.threshold is not None:
            changed = dataclasses.replace(own.specification, threshold=options.threshold)
            own = pipeline.Pipeline(own.model, changed)
        return own
    specification = pipeline.bundled_specification(name)
    if options.threshold is not None:
        specification = dataclasses.replace(specification, threshold=options.threshold)
    return pipeline.ready(name, specification)


def _files(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Files as given, and those of folders in the order of their names; and what is not there."""
    files, absent = [], []
    for path in paths:
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
        elif path.exists():
            files.append(path)
        else:
            absent.append(path)
    return files, absent


def _absent(path: Path, task: str) -> dict:
    from cnnlib.pipeline.answer import failure
    from cnnlib.pipeline.decoding import ImageError

    return failure(path.name, task, ImageError("missing", f"{path.name}: there is no such file."))


# --- what is drawn ---------------------------------------------------------------------------------------------------


def _overlay_target(path: Path | None, count: int) -> Path | None:
    """The folder, made if need be, or the one file."""
    if path is None:
        return None
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        if count > 1:
            raise SystemExit(f"--overlay {path}: {count} images need a folder, not a file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
    path.mkdir(parents=True, exist_ok=True)
    return path


def _overlay_names(files: Iterable[Path], target: Path) -> dict[Path, Path]:
    """One name for each image: files of several folders may be called alike."""
    if not target.is_dir():
        return dict.fromkeys(files, target)
    names: dict[Path, Path] = {}
    taken: set[str] = set()
    for file in files:
        name, number = file.stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{file.stem}-{number}"
        taken.add(name.lower())
        names[file] = target / f"{name}.png"
    return names


# --- what is said ----------------------------------------------------------------------------------------------------


def _line(file: Path, answer: dict) -> str:
    if "error" in answer:
        return f"{file.name}: {answer['error']['code']}"
    found = [f"{result['label']} {result['score']:.2f}" for result in answer["results"][:5]]
    more = len(answer["results"]) - len(found)
    return f"{file.name}: {', '.join(found) or 'nothing found'}{f' and {more} more' if more > 0 else ''}"


def _report(failed: list[dict], total: int) -> int:
    if not failed:
        return 0
    print(f"\n{len(failed)} of {total} files have no answer:", file=sys.stderr)
    for each in failed:
        print(f"  {each['file']}: {each['error']['code']}: {each['error']['message']}", file=sys.stderr)
    return 1


class _Progress:
    """A bar on standard error, where that is a terminal; silent elsewhere."""

    WIDTH = 24

    def __init__(self, total: int, quiet: bool):
        self.total, self.done, self.started, self.drawn = total, 0, time.perf_counter(), 0.0
        self.moves = not quiet and total > 1 and sys.stderr.isatty()

    def step(self) -> None:
        self.done += 1
        now = time.perf_counter()
        if self.moves and (now - self.drawn > 0.1 or self.done == self.total):
            self.drawn = now
            filled = round(self.WIDTH * self.done / self.total)
            left = (now - self.started) / self.done * (self.total - self.done)
            bar = "━" * filled + "─" * (self.WIDTH - filled)
            print(f"\r{bar} {self.done}/{self.total}, {left:.0f} s left ", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        if self.moves:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        print(text, flush=True)

    def close(self) -> None:
        if self.moves:
            print(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
