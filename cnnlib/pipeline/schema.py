"""The answer's JSON: its schema, and when two answers are the same. Lesson 14.

``answer.schema.json`` beside this file describes every field (JSON Schema, draft 2020-12). `differences` compares an
answer with a stored one, a **golden file**: labels and geometry exactly or nearly, scores within a tolerance, since
backends round differently.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np

from cnnlib.segmentation.rle import rle_decode

__all__ = ["SCHEMA_ID", "answer_schema", "differences"]

SCHEMA_ID = "cnnlib.pipeline/answer-1"


@functools.cache
def _text() -> str:
    return (Path(__file__).parent / "answer.schema.json").read_text(encoding="utf-8")


def answer_schema() -> dict:
    """The JSON Schema of an answer, and of the record of an image without one."""
    return json.loads(_text())


def differences(
    answer: dict, golden: dict, score: float = 0.001, pixels: float = 0.5, mask: float = 0.99, versions: bool = True
) -> list[str]:
    """What differs between an answer and a stored one, in words; an empty list if they are the same.

    Args:
        answer, golden: two answers of a pipeline to the same image.
        score: how far scores, margins and entropies may be apart.
        pixels: how far the sides of boxes may be.
        mask: the least IoU of two masks.
        versions: whether the versions of model and preprocessing count: off to compare what two versions say.
    """
    found: list[str] = []
    for key in ("task", "found", "error"):
        if answer.get(key) != golden.get(key):
            found.append(f"{key}: {answer.get(key)!r} instead of {golden.get(key)!r}")
    image, other = answer.get("image", {}), golden.get("image", {})
    for key in ("width", "height"):
        if image.get(key) != other.get(key):
            found.append(f"image {key}: {image.get(key)} instead of {other.get(key)}")
    if versions:
        for part, key in (("model", "name"), ("model", "version"), ("preprocessing", "version")):
            ours, theirs = answer.get(part, {}).get(key), golden.get(part, {}).get(key)
            if ours != theirs:
                found.append(f"{part} {key}: {ours!r} instead of {theirs!r}")
    results, stored = answer.get("results", []), golden.get("results", [])
    if len(results) != len(stored):
        found.append(f"{len(results)} results instead of {len(stored)}")
    for place, (one, two) in enumerate(zip(results, stored)):
        found += [f"result {place}: {text}" for text in _result(one, two, score, pixels, mask)]
    found += _numbers(answer.get("uncertainty") or {}, golden.get("uncertainty") or {}, score)
    return found


def _result(one: dict, two: dict, score: float, pixels: float, mask: float) -> list[str]:
    found = []
    if one["label"] != two["label"]:
        found.append(f"{one['label']!r} instead of {two['label']!r}")
    found += _numbers({"score": one["score"]}, {"score": two["score"]}, score)
    if ("box" in one) != ("box" in two) or ("mask" in one) != ("mask" in two):
        return [*found, "a box or a mask is there in one only"]
    if "box" in one:
        apart = float(np.abs(np.subtract(one["box"], two["box"])).max())
        if apart > pixels:
            found.append(f"a side of the box is {apart:.1f} pixels off")
    if "mask" in one:
        ours, theirs = rle_decode(one["mask"]), rle_decode(two["mask"])
        if ours.shape != theirs.shape:
            return [*found, f"a mask of {ours.shape} instead of {theirs.shape}"]
        shared = float((ours & theirs).sum() / max(1, (ours | theirs).sum()))
        if shared < mask:
            found.append(f"the masks share an IoU of {shared:.3f}")
    return found


def _numbers(ours: dict, theirs: dict, tolerance: float) -> list[str]:
    found = []
    for key in sorted(set(ours) | set(theirs)):
        one, two = ours.get(key), theirs.get(key)
        if one is None or two is None or abs(one - two) > tolerance:
            found.append(f"{key}: {one} instead of {two}")
    return found
