"""The pipeline against the bare minimum: Pillow, a compiled forward pass, and NMS, written down in a row.

    python benchmarks/pipeline.py               # three tasks, one image at a time and four
    python benchmarks/pipeline.py --threads 1   # the same on one core: steadier on a busy machine
    python benchmarks/pipeline.py --quick       # few repetitions, to see that it runs

The floor does for each image what cannot be left out: Pillow decodes and resizes a JPEG file, NumPy normalises, the
network computes (compiled once, by the function that the pipeline calls), and the result is the top class, boxes after
``cnnlib.detection.nms``, or a label map. It checks nothing, and says nothing of uncertainty, versions or what was not
found. Results are compared first. Times are medians of repetitions in turns. Each is measured twice: with the forward
pass, and besides it, where both are handed the same outputs, computed before.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from convolution import THREADS

TARGET = 1.2  # our time as a multiple of the floor's, at most
OURS = "cnnlib.pipeline"
PICTURES = ("coffee", "cat", "astronaut", "rocket", "clock", "coins", "camera", "shuttle")


def files() -> list[bytes]:
    """Photographs as a camera of today might send them, small: JPEG files of 800 pixels on the longer side."""
    from PIL import Image

    from cnnlib import datasets

    found = []
    for name in PICTURES:
        picture = Image.fromarray(datasets.photograph(name))
        scale = 800 / max(picture.size)
        picture = picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=90)
        found.append(file.getvalue())
    return found


# --- the floor -------------------------------------------------------------------------------------------------------


def opened(data: bytes):
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")


def bare_classify(run: Callable, own) -> Callable:
    """The shorter side made 256, and the middle 224 cut out."""
    from PIL import Image

    def batch(datas: list[bytes]) -> list:
        rows = []
        for data in datas:
            image = opened(data)
            width, height = (256 * side // min(image.size) for side in image.size)
            left, top = round((width - 224) / 2), round((height - 224) / 2)
            whole = image.resize((width, height), Image.Resampling.BICUBIC)
            small = whole.crop((left, top, left + 224, top + 224))
            rows.append((np.asarray(small, "float32") - 127) / 128)
        logits = run(np.stack(rows))
        p = np.exp(logits - logits.max(-1, keepdims=True))
        return [int(row.argmax()) for row in p / p.sum(-1, keepdims=True)]

    return batch


def bare_detect(run: Callable, own) -> Callable:
    from PIL import Image

    from cnnlib import detection
    from cnnlib.models import ssdlite

    spec = own.specification

    def batch(datas: list[bytes]) -> list:
        rows, sizes = [], []
        for data in datas:
            image = opened(data)
            sizes.append(image.size[::-1])
            small = image.resize((300, 300), Image.Resampling.BILINEAR)
            rows.append(np.asarray(small, "float32") / 127.5 - 1)
        outputs = run(np.stack(rows))
        found = []
        for offsets, logits, size in zip(outputs["boxes"], outputs["logits"], sizes):
            boxes = ssdlite.decode(offsets, size)
            scores = 1 / (1 + np.exp(-logits))
            objects = []
            for label in range(1, scores.shape[1]):
                sure = np.flatnonzero(scores[:, label] >= spec.threshold)
                if len(sure):
                    kept = sure[detection.nms(boxes[sure], scores[sure, label], spec.overlap)]
                    objects += [(label, float(scores[i, label])) for i in kept]
            found.append(sorted(objects, key=lambda pair: -pair[1]))
        return found

    return batch


def bare_segment(run: Callable, own) -> Callable:
    """The label map as lesson 12 makes it: logits enlarged to the input, then to the image, then the best class."""
    from keras import ops
    from PIL import Image

    from cnnlib.models import deeplab

    def batch(datas: list[bytes]) -> list:
        rows, insides, sizes = [], [], []
        for data in datas:
            image = opened(data)
            scale = 513 / max(image.size)
            width, height = (max(1, round(side * scale)) for side in image.size)
            row = np.zeros((513, 513, 3), "float32")
            row[:height, :width] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), "float32")
            row[:height, :width] = row[:height, :width] / 127.5 - 1
            rows.append(row)
            insides.append((height, width))
            sizes.append(image.size[::-1])
        logits = run(np.stack(rows))
        found = []
        for own, (height, width), size in zip(logits, insides, sizes):
            large = deeplab.upsample(own[None], (513, 513))[:, :height, :width]
            large = ops.image.resize(large, size, interpolation="bilinear", data_format="channels_last")
            labels = np.bincount(ops.convert_to_numpy(ops.argmax(large[0], -1)).ravel(), minlength=21)
            found.append({int(label) for label in np.flatnonzero(labels > 0.002 * labels.sum()) if label})
        return found

    return batch


BARE = {"classify": bare_classify, "detect": bare_detect, "segment": bare_segment}


def short(task: str, answers: list[dict]) -> list:
    """Our answers in the floor's terms."""
    if task == "classify":
        first = [answer["results"] or [answer["nearest_miss"]] for answer in answers]
        return [results[0]["number"] for results in first]
    if task == "detect":
        return [[(found["number"], found["score"]) for found in answer["results"]] for answer in answers]
    least = 0.002
    return [
        {
            found["number"]
            for found in answer["results"]
            if found["area"] > least * answer["image"]["width"] * answer["image"]["height"]
        }
        for answer in answers
    ]


def agree(task: str, ours: list, theirs: list) -> bool:
    if task != "detect":
        return ours == theirs
    return all(
        [label for label, _ in a] == [label for label, _ in b]
        and np.allclose([score for _, score in a], [score for _, score in b], atol=1e-3)
        for a, b in zip(ours, theirs)
    )


# --- measuring -------------------------------------------------------------------------------------------------------


class Remembered:
    """A forward pass that has been computed before, in the order in which it is asked for."""

    def __init__(self, run: Callable):
        self.run, self.outputs, self.turn = run, [], None

    def __call__(self, batch):
        if self.turn is None:
            self.outputs.append(self.run(batch))
            return self.outputs[-1]
        self.turn += 1
        return self.outputs[self.turn % len(self.outputs)]

    def replay(self) -> None:
        self.turn = -1


def measure(task: str, datas: list[bytes], batch: int, repetitions: int) -> int:
    from cnnlib import pipeline

    own = pipeline.ready(task)
    parts = [datas[i : i + batch] for i in range(0, len(datas), batch)]
    forward = own._forward
    remembered = {name: Remembered(forward) for name in ("bare", "pipeline")}
    for kind in ("with the forward pass", "besides it"):
        whole = kind.startswith("with")
        bare = BARE[task](forward if whole else remembered["bare"], own)
        own._forward = forward if whole else remembered["pipeline"]
        methods: dict[str, Callable] = {
            "bare": lambda bare=bare: [bare(part) for part in parts],
            OURS: lambda: [own.answers(part, batch_size=batch) for part in parts],
        }
        ours = short(task, [answer for part in methods[OURS]() for answer in part])
        theirs = [answer for part in methods["bare"]() for answer in part]
        if not agree(task, ours, theirs):
            print(f"{task}: the pipeline says {ours}, the bare computation {theirs}: not the same")
            return 1
        if not whole:
            for each in remembered.values():
                each.replay()
        seconds: dict[str, list[float]] = {name: [] for name in methods}
        for _ in range(repetitions):
            for name, run in methods.items():
                start = time.perf_counter()
                run()
                seconds[name].append((time.perf_counter() - start) / len(datas))
        ratios = [ours / floor for ours, floor in zip(seconds[OURS], seconds["bare"])]
        low, high = np.percentile(ratios, (10, 90))
        floor = 1000 * statistics.median(seconds["bare"])
        print(
            f"{task}, {batch} at a time, {kind}: 1.00 = {floor:.2f} ms an image, median of {repetitions} in turns\n"
            f"{statistics.median(ratios):9.2f}  {OURS}   (target {TARGET}; {low:.2f} to {high:.2f})"
        )
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--threads", type=int, help="cores to use")
    parser.add_argument("--tasks", nargs="+", choices=list(BARE), default=list(BARE))
    options = parser.parse_args(arguments)
    if options.threads:  # read at import
        environment = os.environ | dict.fromkeys(THREADS, str(options.threads))
        command = [sys.executable, __file__, *(["--quick"] if options.quick else []), "--tasks", *options.tasks]
        return subprocess.run(command, env=environment, check=False).returncode
    from cnnlib import runtime

    print(f"Keras on {runtime.backend()}")
    datas = files()[: 2 if options.quick else None]
    for task in options.tasks:
        for batch in (1,) if options.quick else (1, 4):
            if measure(task, datas, batch, 2 if options.quick else 9):
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
