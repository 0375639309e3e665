"""NMS, IoU and COCO's average precision against their peers: time as a multiple of one of them.

    python benchmarks/detection.py               # 100, 1,000 and 10,000 boxes; 1,000 images
    python benchmarks/detection.py --threads 1   # the same on one core: steadier on a busy machine
    python benchmarks/detection.py --quick       # small cases and few repetitions, to see that it runs

Peers that are installed take part: pycocotools, faster-coco-eval and hotcoco for average precision,
``tf.image.non_max_suppression`` and lsnms for NMS, beside a NumPy loop. Results are compared first: ours must be
pycocotools' twelve numbers to 1e-6 and the loop's boxes exactly, or the run ends with exit status 1. Boxes are drawn in
two ways: clustered, as a detector gives them (fifty around each object), and sparse (few overlap). Times are medians of
repetitions in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from convolution import THREADS

THRESHOLD = 0.5
# Our time as a share of the floor's, at most.
TARGETS = {"nms": 1.0, "iou": 1.0, "ap": 0.15}
OURS = {"nms": "cnnlib.detection.nms", "iou": "cnnlib.detection.iou", "ap": "cnnlib.detection.coco_evaluation"}


def installed(package: str) -> bool:
    if importlib.util.find_spec(package) is None:
        print(f"{package} is not installed: left out")
        return False
    return True


# --- non-maximum suppression -----------------------------------------------------------------------------------------


def boxes_and_scores(count: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    if kind == "clustered":
        objects = max(1, count // 50)
        middle = rng.uniform(50, 950, (objects, 2))[rng.integers(0, objects, count)] + rng.normal(0, 4, (count, 2))
        side = 40 * np.exp(rng.normal(0, 0.15, (count, 2)))
    else:
        middle = rng.uniform(0, 1000 * (count / 1000) ** 0.5, (count, 2))
        side = rng.uniform(20, 60, (count, 2))
    boxes = np.concatenate([middle - side / 2, middle + side / 2], 1).astype("float32")
    return boxes, rng.random(count).astype("float32")


def nms_loop(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What one finds in many repositories: the best box against all that are left, in NumPy."""
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1) * (y2 - y1)
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[order]) - np.maximum(x1[best], x1[order])
        height = np.minimum(y2[best], y2[order]) - np.maximum(y1[best], y1[order])
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        order = order[inter / (areas[best] + areas[order] - inter) <= THRESHOLD]
    return np.array(kept)


def nms_methods() -> dict[str, Callable]:
    from cnnlib import detection

    methods = {}
    if installed("tensorflow"):
        import tensorflow as tf

        methods["tf.image.non_max_suppression"] = lambda boxes, scores: tf.image.non_max_suppression(
            boxes, scores, len(boxes), THRESHOLD
        ).numpy()
    methods["NumPy loop"] = nms_loop
    methods[OURS["nms"]] = lambda boxes, scores: detection.nms(boxes, scores, THRESHOLD)
    if installed("lsnms"):
        import lsnms

        methods["lsnms"] = lambda boxes, scores: lsnms.nms(
            boxes.astype("float64"), scores.astype("float64"), THRESHOLD, 0.0
        )
    return methods


def measure_nms(sizes: tuple[int, ...], repetitions: int) -> int:
    methods = nms_methods()
    for count in sizes:
        for kind in ("clustered", "sparse"):
            case = boxes_and_scores(count, kind)
            expected = nms_loop(*case)
            for name, run in methods.items():
                found = run(*case)
                if not np.array_equal(found, expected):
                    print(f"{name} keeps {len(found)} boxes, the loop {len(expected)}, not the same")
                    if name == OURS["nms"]:
                        return 1
            # A small case is repeated within a turn, so that the clock is fine enough.
            report(
                f"NMS, {count:,} boxes, {kind}, {len(expected):,} kept",
                {name: lambda run=run, case=case: run(*case) for name, run in methods.items()},
                repetitions,
                TARGETS["nms"],
                OURS["nms"],
                inner=max(1, 2000 // count),
            )
    return 0


# --- intersection over union -----------------------------------------------------------------------------------------


def measure_iou(count: int, repetitions: int) -> int:
    import keras

    from cnnlib import detection

    boxes, _ = boxes_and_scores(count, "clustered")
    others, _ = boxes_and_scores(count + 1, "clustered")
    others = others[:count]

    def broadcast():
        low, high = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
        inter = np.prod(np.maximum(high - low, 0), -1)
        areas = [np.prod(b[:, 2:] - b[:, :2], -1) for b in (boxes, others)]
        return inter / (areas[0][:, None] + areas[1] - inter)

    methods = {
        "NumPy, (n, m, 2) at once": broadcast,
        OURS["iou"]: lambda: detection.iou(boxes, others),
        "keras.utils.bounding_boxes.compute_iou": lambda: keras.ops.convert_to_numpy(
            keras.utils.bounding_boxes.compute_iou(boxes, others, "xyxy")
        ),
    }
    if installed("pycocotools"):
        from pycocotools import mask

        first, second = (np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], 1).astype("float64") for b in (boxes, others))
        methods["pycocotools"] = lambda: mask.iou(first, second, np.zeros(count, np.uint8))
    expected = broadcast()
    for name, run in methods.items():
        apart = np.abs(run() - expected).max()
        if apart > 1e-4:
            print(f"{name} differs by {apart:.1e}")
            if name == OURS["iou"]:
                return 1
    report(f"IoU, {count:,} x {count:,}", methods, repetitions, TARGETS["iou"], OURS["iou"])
    return 0


# --- average precision -----------------------------------------------------------------------------------------------


def detections(images: int, classes: int) -> tuple[list[dict], list[dict]]:
    """Truth with crowds, and 30 detections an image on average, most of them near an object."""
    rng = np.random.default_rng(0)
    truth, found = [], []
    for _ in range(images):
        count, number = int(rng.integers(1, 15)), int(rng.integers(1, 60))
        corner, side = rng.uniform(0, 500, (count, 2)), np.exp(rng.uniform(2, 5.5, (count, 2)))
        boxes = np.concatenate([corner, corner + side], 1)
        labels = rng.integers(0, classes, count)
        truth.append({"boxes": boxes, "labels": labels, "crowd": rng.random(count) < 0.05})
        source = rng.integers(0, count, number)
        near = boxes[source] + rng.normal(0, 0.1, (number, 4)) * np.tile(side[source], 2)
        near = np.concatenate([np.minimum(near[:, :2], near[:, 2:]), np.maximum(near[:, :2], near[:, 2:])], 1)
        guess = np.where(rng.random(number) < 0.7, labels[source], rng.integers(0, classes, number))
        found.append({"boxes": near, "labels": guess, "scores": rng.random(number)})
    return truth, found


def as_coco(truth: list[dict], found: list[dict], classes: int) -> tuple[dict, list[dict]]:
    def corner_and_size(box) -> list[float]:
        x1, y1, x2, y2 = map(float, box)
        return [x1, y1, x2 - x1, y2 - y1]

    annotations = []
    for image, objects in enumerate(truth):
        for box, label, crowd in zip(objects["boxes"], objects["labels"], objects["crowd"]):
            bbox = corner_and_size(box)
            entry = {"id": len(annotations) + 1, "image_id": image, "category_id": int(label), "bbox": bbox}
            annotations.append(entry | {"area": bbox[2] * bbox[3], "iscrowd": int(crowd)})
    results = [
        {"image_id": image, "category_id": int(label), "bbox": corner_and_size(box), "score": float(score)}
        for image, objects in enumerate(found)
        for box, label, score in zip(objects["boxes"], objects["labels"], objects["scores"])
    ]
    categories = [{"id": k, "name": str(k)} for k in range(classes)]
    images = [{"id": i, "height": 1000, "width": 1000} for i in range(len(truth))]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}, results


def with_coco_api(coco, evaluation, data: dict, results: list[dict]) -> Callable:
    """The twelve numbers by a package that has the interface of pycocotools; loading counts, as it does for ours."""

    def run():
        with contextlib.redirect_stdout(io.StringIO()):
            truth = coco(data)
            judge = evaluation(truth, truth.loadRes(results), "bbox")
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        return np.asarray(judge.stats)[:12]

    return run


def ap_methods(images: int, classes: int) -> dict[str, Callable]:
    from cnnlib import detection

    truth, found = detections(images, classes)
    data, results = as_coco(truth, found, classes)
    methods = {}
    if installed("pycocotools"):
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        def of_dict(data):
            coco = COCO()
            coco.dataset = data
            coco.createIndex()
            return coco

        methods["pycocotools"] = with_coco_api(of_dict, COCOeval, data, results)
    methods[OURS["ap"]] = lambda: detection.coco_evaluation(truth, found, classes).stats
    if installed("faster_coco_eval"):
        from faster_coco_eval import COCO as FasterCOCO
        from faster_coco_eval import COCOeval_faster

        methods["faster-coco-eval"] = with_coco_api(FasterCOCO, COCOeval_faster, data, results)
    if installed("hotcoco"):
        import hotcoco

        methods["hotcoco"] = with_coco_api(hotcoco.COCO, hotcoco.COCOeval, data, results)
    return methods


def measure_ap(images: int, classes: int, repetitions: int) -> int:
    methods = ap_methods(images, classes)
    if "pycocotools" not in methods:
        print("without pycocotools there is nothing to compare with")
        return 0
    expected = methods["pycocotools"]()
    for name in list(methods):
        try:
            apart = np.abs(methods[name]() - expected).max()
        except Exception as error:  # a peer that does not work here is a result, too
            print(f"{name} fails: {type(error).__name__}: {str(error).splitlines()[0][:90]}")
            del methods[name]
            continue
        print(f"  numbers of {name}: within {apart:.0e}")
        if name == OURS["ap"] and apart > 1e-6:
            print(f"{name} differs from pycocotools by {apart:.1e}")
            return 1
    report(f"average precision, {images:,} images, {classes} classes", methods, repetitions, TARGETS["ap"], OURS["ap"])
    return 0


# --- report ----------------------------------------------------------------------------------------------------------


def report(title: str, methods: dict[str, Callable], repetitions: int, target: float, ours: str, inner: int = 1):
    """Time ``methods`` in turns and print each as a multiple of the first."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(repetitions):
        for name, run in methods.items():
            start = time.perf_counter()
            for _ in range(inner):
                run()
            seconds[name].append((time.perf_counter() - start) / inner)
    floor = next(iter(methods))
    print(f"{title}: 1.00 = {1000 * statistics.median(seconds[floor]):.2f} ms, median of {repetitions} in turns")
    for name, values in seconds.items():
        ratio = statistics.median(value / low for value, low in zip(values, seconds[floor]))
        print(f"{ratio:9.2f}  {name}{f'   (target {target})' if name == ours else ''}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="cores that every library may use")
    parser.add_argument("--quick", action="store_true", help="small cases, to see that it runs")
    options = parser.parse_args(arguments)
    if options.threads:  # read at import
        environment = os.environ | dict.fromkeys(THREADS, str(options.threads))
        command = [sys.executable, __file__, *(["--quick"] if options.quick else [])]
        return subprocess.run(command, env=environment).returncode
    if options.quick:
        return measure_nms((100, 300), 3) or measure_iou(50, 3) or measure_ap(10, 3, 2)
    return measure_nms((100, 1_000, 10_000), 15) or measure_iou(1_000, 15) or measure_ap(1_000, 80, 5)


if __name__ == "__main__":
    sys.exit(main())
