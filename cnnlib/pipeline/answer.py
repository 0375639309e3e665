"""From a network's numbers to a structured answer: scores, boxes and masks in pixels of the image. Lesson 14."""

from __future__ import annotations

import base64
import io

import numpy as np

from cnnlib.detection.suppression import batched_nms
from cnnlib.pipeline.decoding import Decoded, ImageError
from cnnlib.pipeline.geometry import Placement
from cnnlib.pipeline.schema import SCHEMA_ID
from cnnlib.pipeline.specification import UNUSED, Specification

__all__ = ["classes_in", "failure", "objects_in", "probabilities", "regions_in", "whole"]

CANDIDATES = 2000  # boxes of one image that reach NMS
NEAR = 0.05  # the least score of an object that is told as having missed the threshold
COMPETES = 0.05  # a class that reaches this probability in some cell of the map may win a pixel
STRIP = 2_000_000  # probabilities computed at once, so that a large photograph needs no gigabytes
DIGITS = 6  # of a score in the answer


def probabilities(outputs: np.ndarray, specification: Specification) -> np.ndarray:
    """Calibrated probabilities (..., classes) of a network's outputs; one output alone says yes or no (2 classes)."""
    logits = _logits(outputs, specification)
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def _logits(outputs: np.ndarray, specification: Specification) -> np.ndarray:
    """Float64 logits, already divided by the temperature, one for each label."""
    logits = np.asarray(outputs, np.float64)
    if specification.outputs == "probabilities":
        if logits.shape[-1] == 1 and specification.task != "detect":
            logits = np.concatenate([1 - logits, logits], -1)
        logits = np.log(np.clip(logits, 1e-12, 1))
    elif logits.shape[-1] == 1 and specification.task != "detect":
        logits = np.concatenate([np.zeros_like(logits), logits], -1)
    return logits / specification.calibration.temperature


def whole(decoded: Decoded, specification: Specification, found: dict) -> dict:
    """The complete answer around what was found."""
    from cnnlib import __version__

    height, width = decoded.size
    return {
        "schema": SCHEMA_ID,
        "task": specification.task,
        "image": {
            "name": decoded.name,
            "format": decoded.format,
            "width": width,
            "height": height,
            "notes": list(decoded.notes),
        },
        "found": bool(found["results"]),
        **found,
        "threshold": float(specification.threshold),
        "calibrated": specification.calibration.fitted_on is not None,
        "model": {
            "name": specification.name,
            "version": specification.version,
            "weights_sha256": specification.weights_sha256,
            "labels_sha256": specification.labels_sha256,
        },
        "preprocessing": {"version": specification.preprocessing.version},
        "software": {"cnnlib": __version__},
    }


def failure(name: str | None, task: str, error: ImageError) -> dict:
    """What stands in the place of an answer where an image has none."""
    return {
        "schema": SCHEMA_ID,
        "task": task,
        "image": {"name": name},
        "error": {"code": error.code, "message": str(error)},
    }


def _score(value: float) -> float:
    return round(min(1.0, max(0.0, float(value))), DIGITS)


def _named(number: int, score: float, specification: Specification) -> dict:
    return {"label": specification.labels[number], "number": int(number), "score": _score(score)}


def _uncertainty(sorted_probabilities: np.ndarray, entropy: float) -> dict:
    best, second = (*sorted_probabilities[:2], 0.0)[:2]
    return {"probability": _score(best), "margin": _score(best - second), "entropy": _score(entropy)}


def _entropy(p: np.ndarray) -> np.ndarray:
    """As a share of the greatest there can be, over the last axis."""
    terms = p * np.log(np.where(p > 0, p, 1))
    return -terms.sum(-1) / np.log(max(2, p.shape[-1]))


# --- classify --------------------------------------------------------------------------------------------------------


def classes_in(outputs: np.ndarray, specification: Specification) -> dict:
    """The most probable classes of one image, from its outputs (classes,), if the first reaches the threshold."""
    p = probabilities(outputs, specification)
    order = np.argsort(-p, kind="stable")[: specification.top]
    best = [_named(number, p[number], specification) for number in order]
    reached = p[order[0]] >= specification.threshold
    return {
        "results": best if reached else [],
        "nearest_miss": None if reached else best[0],
        "uncertainty": _uncertainty(np.sort(p)[::-1], _entropy(p)),
    }


# --- detect ----------------------------------------------------------------------------------------------------------


def objects_in(boxes: np.ndarray, outputs: np.ndarray, where: Placement, specification: Specification) -> dict:
    """The objects of one image.

    Args:
        boxes: (anchors, 4) in pixels of the input.
        outputs: (anchors, classes), one logit for each class: a sigmoid makes them scores.
        where: how the image lies in the input.
    """
    labels, background = specification.labels, specification.background
    columns = np.array([i for i, label in enumerate(labels) if i != background and label != UNUSED])
    raw = np.asarray(outputs, np.float32)[:, columns]
    if specification.outputs == "probabilities":
        raw = np.log(np.clip(raw, 1e-7, 1 - 1e-7) / (1 - np.clip(raw, 1e-7, 1 - 1e-7)))
    temperature = specification.calibration.temperature
    # Compared as logits, so that the exponential is computed of the few that count.
    least = temperature * _logit(specification.threshold)
    kept, missed = [], None
    rows, places = np.nonzero(raw >= min(least, temperature * _logit(NEAR)))
    if len(rows):
        if len(rows) > CANDIDATES:
            best = np.argsort(-raw[rows, places], kind="stable")[:CANDIDATES]
            rows, places = rows[best], places[best]
        own = where.to_image(boxes[rows])
        visible = np.flatnonzero((own[:, 2] > own[:, 0]) & (own[:, 3] > own[:, 1]))  # not those in a letterbox's border
        rows, places, own = rows[visible], places[visible], own[visible]
        scores = _sigmoid(raw[rows, places] / temperature)
        kept = batched_nms(own, scores, places, specification.overlap)
        reached = raw[rows[kept], places[kept]] >= least
        kept, below = kept[reached][: specification.most], kept[~reached]
        if len(below):
            missed = _named(columns[places[below[0]]], scores[below[0]], specification)
    results = []
    for i in kept:
        score = scores[i]
        others = np.delete(raw[rows[i]], places[i])
        second = float(_sigmoid(others.max() / temperature)) if len(others) else 0.0
        entropy = _entropy(np.array([score, 1 - score], np.float64))
        results.append(
            {
                **_named(columns[places[i]], score, specification),
                "box": [round(float(side), 2) for side in own[i]],
                "uncertainty": {
                    "probability": _score(score),
                    "margin": _score(score - second),
                    "entropy": _score(entropy),
                },
            }
        )
    return {"results": results, "nearest_miss": missed}


def _logit(p: float) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log(p) - np.log1p(-p))


def _sigmoid(logits):
    return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))


# --- segment ---------------------------------------------------------------------------------------------------------


def regions_in(outputs: np.ndarray, where: Placement, specification: Specification, soft_masks: bool = False) -> dict:
    """The classes that own pixels of one image, from its map (h, w, classes), largest first.

    The logits are interpolated at the middle of every pixel of the image. Classes that reach 5 % in no cell cannot win
    one, and count together.
    """
    logits = _logits(outputs, specification)
    maps, numbers = _competitors(logits)
    height, width = where.size
    winner, best, margin, entropy = _in_the_image(maps, len(numbers), logits.shape[-1], where, specification.aligned)
    results, miss = [], None
    least = max(1, specification.smallest * height * width)
    for place, number in enumerate(numbers):
        if number == specification.background:
            continue
        mask = (winner == place) & (best >= specification.threshold)
        area = int(np.count_nonzero(mask))
        if area < least:
            reached = float(best[winner == place].mean()) if (winner == place).any() else 0.0
            if reached and (miss is None or reached > miss["score"]):
                miss = _named(number, reached, specification)
            continue
        results.append(_region(mask, area, number, best, margin, entropy, specification))
        if soft_masks:
            soft = _soft_mask(maps, place, where, specification.aligned)
            results[-1]["soft_mask"] = soft
    results.sort(key=lambda result: -result["area"])
    return {"results": results, "nearest_miss": miss}


def _region(mask, area: int, number: int, best, margin, entropy, specification: Specification) -> dict:
    from cnnlib.segmentation.rle import rle_encode

    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
    score = best[mask].mean()
    return {
        **_named(number, score, specification),
        "box": box,
        "area": area,
        "mask": rle_encode(mask),
        "uncertainty": {
            "probability": _score(score),
            "margin": _score(margin[mask].mean()),
            "entropy": _score(entropy[mask].mean()),
        },
    }


def _competitors(logits: np.ndarray) -> tuple[list, list[int]]:
    """Maps (h, w) float32 of the classes that may win, and one of all others together; the numbers of the former."""
    highest = logits.max(-1, keepdims=True)
    p = np.exp(logits - highest)
    p /= p.sum(-1, keepdims=True)
    numbers = np.flatnonzero(p.reshape(-1, p.shape[-1]).max(0) >= COMPETES)
    maps = [logits[..., number] for number in numbers]
    if len(numbers) < logits.shape[-1]:
        rest = np.delete(logits, numbers, -1)
        top = rest.max(-1, keepdims=True)
        maps.append(np.log(np.exp(rest - top).sum(-1)) + top[..., 0])
    return [_picture(np.asarray(each, np.float32)) for each in maps], numbers.tolist()


def _picture(values: np.ndarray):
    from PIL import Image

    return Image.fromarray(values)


def _box(shape: tuple[int, int], where: Placement, aligned: bool, top: int, bottom: int) -> tuple[float, ...]:
    """The part of a map of ``shape`` (height, width) that rows ``top`` to ``bottom`` of the image lie on."""
    (left, upper), (across, down) = where.shift, where.scale
    x = np.array([left, left + where.size[1] * across])
    y = np.array([upper + top * down, upper + bottom * down])
    found = []
    for values, cells, side in ((x, shape[1], where.input_size[1]), (y, shape[0], where.input_size[0])):
        if aligned and side > 1:
            values = (values - 0.5) * (cells - 1) / (side - 1) + 0.5
        else:
            values = values * cells / side
        found.append(np.clip(values, 0, cells))
    return float(found[0][0]), float(found[1][0]), float(found[0][1]), float(found[1][1])


def _enlarged(picture, where: Placement, aligned: bool, top: int, bottom: int) -> np.ndarray:
    """Rows of a map at the pixels of the image: float32 (bottom - top, width)."""
    from PIL import Image

    box = _box((picture.size[1], picture.size[0]), where, aligned, top, bottom)
    return np.asarray(picture.resize((where.size[1], bottom - top), Image.Resampling.BILINEAR, box=box))


def _strips(where: Placement, maps: int) -> list[tuple[int, int]]:
    height, width = where.size
    step = max(1, STRIP // (width * maps))
    return [(top, min(height, top + step)) for top in range(0, height, step)]


def _in_the_image(maps: list, competitors: int, classes: int, where: Placement, aligned: bool):
    """For each pixel of the image: the place of the winner among the maps, its probability, margin and entropy."""
    winner = np.empty(where.size, np.uint8)
    best, margin, entropy = (np.empty(where.size, np.float32) for _ in range(3))
    for top, bottom in _strips(where, len(maps)):
        rows = slice(top, bottom)
        logits = np.stack([_enlarged(each, where, aligned, top, bottom) for each in maps])
        winner[rows] = logits[:competitors].argmax(0)
        logits -= logits.max(0)
        p = np.exp(logits)
        total = p.sum(0)
        p /= total
        # The entropy is log(sum of exponentials) - sum of p * logits: one logarithm a pixel, not one for each class.
        logits *= p
        entropy[rows] = (np.log(total) - logits.sum(0)) / np.log(max(2, classes))
        first, second = p[0], np.zeros_like(p[0])
        for each in p[1:]:
            second = np.maximum(second, np.minimum(first, each))
            first = np.maximum(first, each)
        best[rows] = p[:competitors].max(0)
        margin[rows] = np.where(best[rows] == first, first - second, 0)
    return winner, best, margin, entropy


def _soft_mask(maps: list, place: int, where: Placement, aligned: bool) -> dict:
    from PIL import Image

    strips = []
    for top, bottom in _strips(where, len(maps)):
        logits = np.stack([_enlarged(each, where, aligned, top, bottom) for each in maps])
        p = np.exp(logits - logits.max(0))
        strips.append(np.round(p[place] / p.sum(0) * 255).astype(np.uint8))
    file = io.BytesIO()
    Image.fromarray(np.concatenate(strips)).save(file, "PNG")
    return {"encoding": "png;base64", "data": base64.b64encode(file.getvalue()).decode("ascii")}
