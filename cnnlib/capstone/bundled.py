"""Images to begin with, cut from what the course bundles: class folders of files, as your own would be. Lesson 19."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnlib import datasets

__all__ = ["IMAGES", "write_images"]

PATCH = 48  # pixels of a crown patch; half of the crowns are between 28 and 42 pixels wide
BLOCK = 256  # pixels of what is one place
PHOTOGRAPHS = {"airplane": 240, "bird": 90, "car": 160, "truck": 160}  # of each class


def crowns(folder: Path) -> None:
    """Patches of aerial photographs: a tree crown in the middle, or ground. Named by place: ``yell-0-1_crown_017.png``.

    Into ``images/`` from one photograph of Yellowstone and a second one of it; into ``elsewhere/`` from Florida.
    """
    for areas, where in (
        ({"train": "yell-a", "area": "yell-b", "image": "yell-c"}, "images"),
        ({"site": "osbs"}, "elsewhere"),
    ):
        for area, place in areas.items():
            tiles = datasets.tree_crowns(area, size=None)
            photo, boxes = tiles.images[0], tiles.boxes[0]
            middles = np.stack([boxes[:, [0, 2]].mean(1), boxes[:, [1, 3]].mean(1)], axis=1)
            inside = [m for m in middles if _fits(m, photo)]
            kinds = {"crown": inside, "ground": _ground(photo, boxes, len(inside))}
            for kind, points in kinds.items():
                for number, point in enumerate(points):
                    x, y = (round(v - PATCH / 2) for v in point)
                    block = f"{place}-{int(point[1]) // BLOCK}-{int(point[0]) // BLOCK}"
                    _write(photo[y : y + PATCH, x : x + PATCH], folder / where / kind / f"{block}_{number:03}.png")


def _fits(point: np.ndarray, photo: np.ndarray) -> bool:
    half = PATCH / 2
    return half <= point[0] <= photo.shape[1] - half and half <= point[1] <= photo.shape[0] - half


def _ground(photo: np.ndarray, boxes: np.ndarray, count: int) -> list[np.ndarray]:
    """Places whose middle third shows no part of a crown, by chance, none closer to another than half a patch."""
    rng, found = np.random.default_rng(0), []
    core = PATCH / 6
    for _ in range(200 * count):
        point = rng.uniform((PATCH / 2, PATCH / 2), (photo.shape[1] - PATCH / 2, photo.shape[0] - PATCH / 2))
        x1, y1, x2, y2 = boxes.T
        free = (point[0] + core < x1) | (point[0] - core > x2) | (point[1] + core < y1) | (point[1] - core > y2)
        if free.all() and all(np.abs(point - other).max() > PATCH / 2 for other in found):
            found.append(point)
        if len(found) == count:
            break
    return found


def photographs(folder: Path) -> None:
    """Photographs of 32 pixels (CIFAR-10): what a camera on an airfield might see. Birds are the rarest, as there."""
    data = datasets.cifar10(size=8000, test_size=10, dtype="uint8")
    names = {"airplane": "airplane", "automobile": "car", "bird": "bird", "truck": "truck"}
    for number, name in enumerate(data.class_names):
        if name in names:
            own = names[name]
            for place, image in enumerate(data.x_train[data.y_train == number][: PHOTOGRAPHS[own]]):
                _write(image, folder / "images" / own / f"{own}_{place:04}.png")


IMAGES = {"crowns": crowns, "photographs": photographs}


def write_images(name: str, folder: str | Path) -> None:
    """Write bundled images into ``folder/images``, one folder a class.

    Raises:
        ValueError: there are none of that name.
        FileExistsError: there are images already.
    """
    if name not in IMAGES:
        raise ValueError(f"there are no images {name!r}; there are: {', '.join(IMAGES)}.")
    if (Path(folder) / "images").exists():
        raise FileExistsError(f"{Path(folder).name}/images is there already; nothing was written.")
    IMAGES[name](Path(folder))


def _write(pixels: np.ndarray, file: Path) -> None:
    from PIL import Image

    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
