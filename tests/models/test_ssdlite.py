"""SSDLite: equal to the published graph, what float16 costs, anchors, boxes in pixels, refusals.

tests/data/tfjs_tensors.npz holds what the original graphs answered in node (tests/support/record_tfjs.py).
"""

import math
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlib import datasets, models
from cnnlib.models import ssdlite

HERE = Path(__file__).parents[1]
ROWS = 17  # every 17th row of the logits was recorded
PHOTOGRAPHS = ("cat", "astronaut")
ORDER = [1, 0, 3, 2]  # the graph has y, x, height, width
TOLERANCE = 1e-3  # the largest difference seen is 5e-5


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(HERE / "data" / "tfjs_tensors.npz") as archive:
        return {name: archive[name] for name in archive.files if name.startswith("ssdlite")}


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return models.SSDLite(weights="coco")


def batch(name: str) -> np.ndarray:
    return ssdlite.preprocess(datasets.photograph(name))


# --- the original graph ----------------------------------------------------------------------------------------------


def test_equal_to_the_original_graph_with_its_own_tensors(recorded, assign_original):
    model = models.SSDLite(weights="coco")
    assign_original(model, "ssdlite")
    for name in PHOTOGRAPHS:
        compare(model.predict_on_batch(batch(name)), recorded, f"ssdlite/original/{name}")


def test_equal_to_the_original_graph_with_the_stored_tensors(network, recorded):
    """The graph was run once more, in node, with its weights rounded as those that are bundled."""
    compare(network.predict_on_batch(batch("cat")), recorded, "ssdlite/stored/cat")


def compare(output, recorded, key):
    np.testing.assert_allclose(output["boxes"][0], recorded[f"{key}/offsets"][:, ORDER], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(output["logits"][0][::ROWS], recorded[f"{key}/logits"], rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(output["logits"][0][:, 1:].argmax(-1) + 1, recorded[f"{key}/best"])


def test_anchors_are_those_of_the_graph(recorded):
    y0, x0, y1, x1 = recorded["ssdlite/anchors"].T
    expected = np.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], axis=1)
    np.testing.assert_allclose(ssdlite.anchors(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_decode_gives_the_boxes_of_the_graph(name, recorded):
    boxes = ssdlite.decode(recorded[f"ssdlite/original/{name}/offsets"][:, ORDER], (200, 100))
    y0, x0, y1, x1 = recorded[f"ssdlite/original/{name}/boxes"].T
    expected = np.stack([x0 * 100, y0 * 200, x1 * 100, y1 * 200], axis=1)
    np.testing.assert_allclose(boxes[::ROWS], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_what_storing_costs(name, network, recorded):
    """8 bits of fraction: the same class at every anchor with a score above 0.5, boxes within 4 of 300 pixels."""
    output = network.predict_on_batch(batch(name))
    offsets, logits = (
        recorded[f"ssdlite/original/{name}/offsets"][:, ORDER],
        recorded[f"ssdlite/original/{name}/logits"],
    )
    moved = np.abs(output["logits"][0][::ROWS] - logits)
    assert 0.01 < moved.max() < 1.5
    assert moved.mean() < 0.1
    # Detections from the recorded offsets and the stored network's, at the same anchors
    scores = 1 / (1 + np.exp(-output["logits"][0][:, 1:].max(-1)))
    sure = scores > 0.5
    assert sure.any()
    np.testing.assert_array_equal(
        output["logits"][0][sure, 1:].argmax(-1) + 1, recorded[f"ssdlite/original/{name}/best"][sure], "another class"
    )
    shift = np.abs(ssdlite.decode(output["boxes"][0], (300, 300)) - ssdlite.decode(offsets, (300, 300)))[sure]
    assert shift.max() < 4


# --- detections ------------------------------------------------------------------------------------------------------


def overlap(a, b) -> float:
    sides = [min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1)]
    shared = math.prod(max(side, 0) for side in sides)
    return shared / (sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)) - shared)


def test_every_pet_is_found_where_it_is():
    for pet in datasets.pets():
        best = ssdlite.detect(pet.image)[0]
        assert best.name == pet.species, pet
        assert best.score > 0.6
        assert overlap(best.box, pet.box) > 0.6, pet


def test_the_photographs():
    found = {name: ssdlite.detect(datasets.photograph(name)) for name in ("cat", "coffee", "camera", "brick")}
    assert [d.name for d in found["cat"]] == ["cat"]
    assert [d.name for d in found["coffee"]] == ["cup", "dining table"]
    assert [d.name for d in found["camera"]] == ["person"]
    assert found["brick"] == []
    height, width = datasets.photograph("coffee").shape[:2]
    for detection in found["coffee"]:
        x0, y0, x1, y1 = detection.box
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height


def test_nothing_is_an_empty_list():
    assert ssdlite.detect(np.full((40, 50, 3), 127, np.uint8), threshold=0.9) == []


def test_a_non_maximum_suppression_of_ones_own_is_used():
    calls = []

    def nms(boxes, scores, limit):
        calls.append((boxes.shape[1], len(boxes) == len(scores), limit))
        return [int(np.argmax(scores))]

    found = ssdlite.detect(datasets.photograph("cat"), threshold=0.3, overlap=0.4, nms=nms)
    assert calls
    assert set(calls) == {(4, True, 0.4)}
    assert len({d.name for d in found}) == len(found)


def test_greedy_against_a_plain_loop():
    rng = np.random.default_rng(0)
    for _ in range(20):
        corner = rng.uniform(0, 50, (30, 2))
        boxes, scores = np.concatenate([corner, corner + rng.uniform(1, 40, (30, 2))], 1), rng.permutation(30) / 30
        kept: list[int] = []
        for i in np.argsort(-scores):
            if all(overlap(boxes[i], boxes[j]) <= 0.5 for j in kept):
                kept.append(i)
        assert ssdlite._greedy(boxes, scores, 0.5) == kept


# --- structure and refusals ------------------------------------------------------------------------------------------


def test_shapes(undrawn):
    model = models.SSDLite(num_classes=4, width=0.5, norm="batch")
    shapes = {name: tuple(tensor.shape) for name, tensor in model.output.items()}
    assert shapes == {"boxes": (None, 1917, 4), "logits": (None, 1917, 4)}
    assert any(layer.name == "stem_norm" for layer in model.layers)
    assert ssdlite.anchors().shape == (1917, 4)


def test_class_names():
    assert len(datasets.COCO_CLASSES) == 91
    assert datasets.COCO_CLASSES.count("-") == 10
    assert len(set(datasets.COCO_CLASSES)) == 82
    assert [datasets.COCO_CLASSES[i] for i in (1, 17, 18, 44, 62, 67, 90)] == [
        *("person", "cat", "dog", "bottle", "chair", "dining table", "toothbrush")
    ]


def test_every_logit_of_an_unused_number_is_low(network):
    logits = network.predict_on_batch(batch("cat"))["logits"][0]
    unused = [i for i, name in enumerate(datasets.COCO_CLASSES) if name == "-"]
    assert logits[:, unused].max() < logits[:, 17].max() - 3


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((0, 5, 3), np.uint8), "at least one pixel"),
        (np.zeros((5, 5), np.uint8), "np.repeat"),
        (np.zeros((1, 5, 5, 3), np.uint8), "one image"),
        (np.full((5, 5, 3), np.nan), "NaN"),
        (np.full((5, 5, 3), 0.5), "by 255"),
    ],
)
def test_bad_images_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        ssdlite.detect(image)


def test_bad_offsets_and_settings_are_refused():
    with pytest.raises(ValueError, match=r"expected \(..., 1917, 4\)"):
        ssdlite.decode(np.zeros((1916, 4)))
    with pytest.raises(ValueError, match="trained with num_classes=91"):
        models.SSDLite(num_classes=5, weights="coco")
    with pytest.raises(ValueError, match="there is: 'coco'"):
        models.SSDLite(weights="voc")
    with pytest.raises(ValueError, match="at least 32"):
        models.SSDLite(input_shape=(16, 300, 3))
