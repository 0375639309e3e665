"""The detector of tree crowns: as good as its card says, and taught with boxes that stay on their crowns."""

import re

import coco_case
import keras
import numpy as np
import pytest
import train_detector

from cnnlib import datasets, detection, runtime, transfer
from cnnlib.detection import crowns

CARD = {"ap50", "parameters", "bytes", "network", "data", "command", "seed", "steps", "device", "minutes", "date"}


@pytest.fixture(scope="module")
def found():
    return crowns.crown_detector()


@pytest.mark.parametrize("area", ["area", "image", "site"])
def test_it_is_as_good_as_its_card_says(found, area):
    tiles = datasets.tree_crowns(area, size=128)
    stated = datasets.weights_card("crowns_resnet18")["ap50"][area]
    assert crowns.judged(found, tiles.images, tiles.boxes).ap50 == pytest.approx(stated, abs=0.01)


def test_a_damaged_weight_shows(found):
    tiles = datasets.tree_crowns("area", size=128)
    kernel = found.model.get_layer("head_boxes").kernel
    before = keras.ops.convert_to_numpy(kernel)
    kernel.assign(np.roll(before, 1, axis=2))
    spoilt = crowns.judged(found, tiles.images, tiles.boxes).ap50
    kernel.assign(before)
    assert spoilt < datasets.weights_card("crowns_resnet18")["ap50"]["area"] - 0.05


def test_the_card_and_the_file(found):
    card = datasets.weights_card("crowns_resnet18")
    assert set(card) >= CARD
    assert card["parameters"] == found.model.count_params()
    file = runtime.root() / "data" / "weights" / "crowns_resnet18.npz"
    assert card["bytes"] == file.stat().st_size < 550_000
    assert "train_detector.py --steps" in card["command"]


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match="expected 'crowns' or None"):
        crowns.crown_detector("coco")


def test_the_scenes_hand_over_all_but_the_classes():
    keras.utils.set_random_seed(0)
    scenes, found = detection.small_detector(48, 10), crowns.crown_detector(weights=None)
    assert transfer.hand_over(scenes.model, found.model) == ["head_classes"]
    for name in ("stem_conv", "stage2_2_b_norm", "pyramid1_smooth", "head_boxes"):
        for one, other in zip(scenes.model.get_layer(name).get_weights(), found.model.get_layer(name).get_weights()):
            np.testing.assert_array_equal(one, other)
    assert scenes.model.get_layer("head_classes").get_weights()[0].shape == (3, 3, 48, 40)


# --- the tool --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_boxes_stay_on_their_crowns(seed, monkeypatch):
    """Crowns are white squares on black here: after all turns, each box is full of white, and has all of it."""
    monkeypatch.setattr(train_detector, "recoloured", lambda tile, rng: tile)
    picture, boxes = np.zeros((300, 300, 3), np.uint8), []
    for x, y, w, h in ((20, 30, 40, 24), (120, 60, 30, 50), (200, 180, 60, 40), (60, 200, 50, 50), (150, 140, 26, 20)):
        picture[y : y + h, x : x + w] = 255
        boxes.append((x, y, x + w, y + h))
    rng = np.random.default_rng(seed)
    for _ in range(5):
        tile, own = train_detector.part(picture, np.array(boxes, float), 128, rng)
        assert tile.shape == (128, 128, 3)
        for x1, y1, x2, y2 in own:
            inside = tile[int(np.ceil(y1)) + 1 : int(y2) - 1, int(np.ceil(x1)) + 1 : int(x2) - 1]
            assert inside.size == 0 or inside.mean() > 250
            edge = tile[max(0, int(y1) - 3) : max(0, int(y1) - 2), int(x1) + 2 : int(x2) - 2]
            assert edge.size == 0 or edge.mean() < 250


def test_another_light_stays_in_range_and_changes():
    rng = np.random.default_rng(0)
    tile = rng.uniform(0, 255, (16, 16, 3)).astype("float32")
    again = [train_detector.recoloured(tile, rng) for _ in range(20)]
    assert min(each.min() for each in again) >= 0
    assert max(each.max() for each in again) <= 255
    assert np.std([each.mean() for each in again]) > 5


# --- the lesson's numbers --------------------------------------------------------------------------------------------


def test_the_numbers_of_pycocotools_in_the_lesson_are_its_own():
    pytest.importorskip("pycocotools")
    source = (runtime.root() / "solutions" / "11_object_detection.py").read_text("utf-8")
    cells = re.split(r"^# %%.*\n", source, flags=re.MULTILINE)
    case = next(cell for cell in cells if "forty = " in cell)
    stored = next(cell for cell in cells if "pycocotools = [" in cell).split("claim(")[0]
    names = {"np": np, "detection": detection}
    exec(case + stored, names)
    evaluation = coco_case.pycocotools(*coco_case.as_coco(names["forty"], names["guesses"], 10))
    np.testing.assert_allclose(names["pycocotools"], evaluation.stats, atol=1e-7)
