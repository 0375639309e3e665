"""An answer drawn on its image, for people. Lesson 14."""

from __future__ import annotations

import numpy as np

from cnnlib.pipeline.decoding import Decoded, decode
from cnnlib.segmentation.rle import rle_decode

__all__ = ["overlay"]

# Of Okabe and Ito (2008) and Tol (2021), told apart with any colour vision; white text is read on each.
COLOURS = ((213, 94, 0), (0, 114, 178), (51, 34, 136), (0, 125, 90), (136, 34, 85), (105, 105, 105))
TINT = 0.5  # of a mask
SMALLEST_TEXT = 11  # pixels


def overlay(source, answer: dict):
    """A Pillow image with the boxes, masks and labels of an answer on it.

    Args:
        source: the image that was asked about, in any form that `decode` takes.
        answer: what the pipeline said about it; of a failure the picture is left as it is.

    Raises:
        ImageError: the source is no image.
        ValueError: the answer is about an image of another size.
    """
    decoded = source if isinstance(source, Decoded) else decode(source)
    height, width = decoded.size
    told = answer.get("image", {})
    if "error" not in answer and (told.get("height"), told.get("width")) != (height, width):
        raise ValueError(
            f"overlay: the answer is about an image of {told.get('width')}x{told.get('height')} pixels, this one has "
            f"{width}x{height}. Is it another image?"
        )
    results = answer.get("results", [])
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dict.fromkeys(r["label"] for r in results))}
    picture = _tinted(decoded.image, results, colours)
    if answer.get("task") == "classify":
        _listed(picture, answer)
    else:
        _outlined(picture, results, colours)
        if not results and "error" not in answer:
            _text(picture, (0, 0), "nothing found", COLOURS[-1])
    return picture


def _tinted(image, results, colours):
    from PIL import Image

    if not any("mask" in result for result in results):
        return image.copy()
    pixels = np.asarray(image).astype(np.float32)
    for result in results:
        if "mask" in result:
            mask = rle_decode(result["mask"])
            pixels[mask] = (1 - TINT) * pixels[mask] + TINT * np.array(colours[result["label"]], np.float32)
    return Image.fromarray(np.round(pixels).astype(np.uint8))


def _outlined(picture, results, colours) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    thick = max(1, round(max(picture.size) / 300))
    for result in sorted(results, key=_area, reverse=True):  # small ones lie on top
        x1, y1, x2, y2 = result["box"]
        right, bottom = max(x1, x2 - 1), max(y1, y2 - 1)
        draw.rectangle((x1 - thick, y1 - thick, right + thick, bottom + thick), outline="white", width=thick)
        draw.rectangle((x1, y1, right, bottom), outline=colours[result["label"]], width=thick)
    for result in results:
        text = f"{result['label']} {result['score']:.2f}"
        _text(picture, (result["box"][0], result["box"][1]), text, colours[result["label"]])


def _area(result: dict) -> float:
    x1, y1, x2, y2 = result["box"]
    return (x2 - x1) * (y2 - y1)


def _listed(picture, answer: dict) -> None:
    top = 0.0
    for result in answer["results"] or [None]:
        text = "nothing found" if result is None else f"{result['label']} {result['score']:.2f}"
        top += _text(picture, (0, top), text, COLOURS[-1] if top or result is None else COLOURS[0])


def _text(picture, corner: tuple[float, float], text: str, colour) -> float:
    """White text on a ground, its upper left at ``corner``, moved so that it stays inside; its height."""
    from PIL import ImageDraw, ImageFont

    size = max(SMALLEST_TEXT, round(max(picture.size) / 45))
    font, draw = ImageFont.load_default(size), ImageDraw.Draw(picture)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    wide, high = right - left + 4, bottom - top + 4
    x = max(0, min(corner[0], picture.size[0] - wide))
    y = max(0, min(corner[1], picture.size[1] - high))
    draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=tuple(colour))
    draw.text((x + 2 - left, y + 2 - top), text, fill="white", font=font)
    return high
