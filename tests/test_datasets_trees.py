"""The tree crowns: areas apart from each other, tiles and their boxes, and the reading of Pascal VOC."""

import numpy as np
import prepare_data
import pytest

from cnnlib import datasets, runtime

SIZES = {"train": (1035, 832), "area": (1035, 353), "image": (640, 649), "site": (400, 400)}
COUNTS = {"train": 197, "area": 67, "image": 72, "site": 61}


@pytest.mark.parametrize("area", datasets.TREE_AREAS)
def test_an_area_as_a_whole(area):
    whole = datasets.tree_crowns(area, size=None)
    assert whole.images.shape == (1, *SIZES[area], 3)
    assert whole.images.dtype == np.uint8
    (boxes,) = whole.boxes
    assert boxes.shape == (COUNTS[area], 4)
    assert boxes.dtype == np.float32
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= SIZES[area][::-1]).all()
    assert 20 < np.median(boxes[:, 2:] - boxes[:, :2]) < 60  # pixels: a crown of a few metres
    assert whole.images[0].std() > 20  # a picture, not one grey


@pytest.mark.parametrize("area", datasets.TREE_AREAS)
@pytest.mark.parametrize(("size", "step"), [(128, None), (200, 64), (97, 97)])
def test_tiles_show_what_their_boxes_say(area, size, step):
    tiles = datasets.tree_crowns(area, size, step)
    whole = datasets.tree_crowns(area, None)
    step = step or size
    height, width = SIZES[area]
    assert len(tiles.images) == ((height - size) // step + 1) * ((width - size) // step + 1) == len(tiles.boxes)
    for image, boxes, (y, x) in zip(tiles.images, tiles.boxes, tiles.corners.tolist()):
        np.testing.assert_array_equal(image, whole.images[0, y : y + size, x : x + size])
        expected = []
        for x1, y1, x2, y2 in whole.boxes[0].tolist():
            cut = max(x1 - x, 0), max(y1 - y, 0), min(x2 - x, size), min(y2 - y, size)
            shown = max(cut[2] - cut[0], 0) * max(cut[3] - cut[1], 0)
            if shown >= 0.5 * (x2 - x1) * (y2 - y1):
                expected.append(cut)
        np.testing.assert_array_equal(boxes, np.array(expected, "float32").reshape(-1, 4))


def test_no_area_shares_a_pixel_with_another():
    parts = list(prepare_data.AREAS.values())
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            if first.source == second.source:
                assert first.box[2] + 64 <= second.box[0]


def test_it_stays_within_its_budget():
    folder = runtime.root() / "data" / "trees"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 0.9e6


def test_boxes_of_pascal_voc_count_from_one():
    xml = "<annotation>{}</annotation>"
    rows = [(1, 1, 1, 1), (11, 21, 30, 40), (90, 90, 130, 95), (200, 200, 210, 210)]
    objects = "".join(
        f"<object><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in rows
    )
    found = prepare_data.crowns(xml.format(objects).encode(), (0, 0, 100, 100))
    assert found == [[0, 0, 1, 1], [10, 20, 30, 40]]  # the third has its middle outside
    assert prepare_data.crowns(xml.format(objects).encode(), (10, 10, 120, 120)) == [[0, 10, 20, 30], [79, 79, 110, 85]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"area": "test"}, "choose one of 'train', 'area', 'image', 'site'"),
        ({"area": "site", "size": 401}, "400 pixels wide and 400 high"),
        ({"size": 0}, "size=0"),
        ({"step": 0}, "step=0"),
        ({"least": 0}, "a share in"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        datasets.tree_crowns(**options)
