"""The small detectors: as good as their cards say, and taught with boxes that stay on their crowns."""

import json
import re

import coco_case
import keras
import numpy as np
import pytest
import train_detector

from cnnlib import datasets, detection, models, runtime, transfer
from cnnlib.detection import crowns

CARD = {"ap50", "parameters", "bytes", "network", "data", "command", "seed", "steps", "device", "minutes", "date"}
DETECTORS = {"crowns_resnet18": crowns.crown_detector, "scenes_resnet18": crowns.scene_detector}


@pytest.fixture(scope="module")
def found():
    return crowns.crown_detector()


@pytest.fixture(scope="module")
def of_scenes():
    return crowns.scene_detector()


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


def test_on_scenes_it_is_as_good_as_its_card_says_and_a_damaged_weight_shows(of_scenes):
    card = datasets.weights_card("scenes_resnet18")
    scenes = detection.small_scenes(train_detector.TESTED, split="test", seed=card["seed"])

    def score():
        seen = of_scenes.predict(scenes.images.astype("float32") / 255, score_threshold=0.01)
        return detection.coco_evaluation(scenes.truth, [each._asdict() for each in seen], 7)

    whole = score()
    assert whole.ap50 == pytest.approx(card["ap50"]["test"], abs=0.01)
    assert whole.ap == pytest.approx(card["ap"]["test"], abs=0.01)
    kernel = of_scenes.model.get_layer("head_boxes").kernel
    before = keras.ops.convert_to_numpy(kernel)
    kernel.assign(np.roll(before, 1, axis=2))
    spoilt = score().ap50
    kernel.assign(before)
    assert spoilt < whole.ap50 - 0.05


@pytest.mark.parametrize("name", DETECTORS)
def test_the_card_and_the_file(name):
    card = datasets.weights_card(name)
    assert set(card) >= CARD
    assert card["parameters"] == DETECTORS[name](weights=None).model.count_params()
    assert card["network"].endswith(f"{DETECTORS[name].__name__}()")
    file = runtime.root() / "data" / "weights" / f"{name}.npz"
    assert card["bytes"] == file.stat().st_size < 550_000
    assert card["command"].startswith("python tools/train_detector.py ")
    assert card["command"].endswith(f"--seed {card['seed']}")


@pytest.mark.parametrize(("name", "known"), [("crown_detector", "crowns"), ("scene_detector", "scenes")])
def test_other_weights_are_refused(name, known):
    with pytest.raises(ValueError, match=f"expected '{known}' or None"):
        getattr(crowns, name)("coco")


def test_the_detector_of_the_lesson_is_that_of_the_weights():
    """The lesson builds it by hand, from the same numbers."""
    source = (runtime.root() / "solutions" / "11_object_detection.py").read_text("utf-8")
    line = next(line for line in source.splitlines() if line.startswith("backbone = models.ResNet(18, (48"))
    parts = source[source.index(line) :].split("\n")[:2]
    names = {"models": models, "detection": detection, "shape": {"scales": (1, 1.41), "ratios": (0.6, 1.6)}}
    assert 'shape = [(12, 12), (6, 6)], {"scales": (1, 1.41), "ratios": (0.6, 1.6)}' in source
    exec("\n".join(parts), names)
    theirs, ours = names["detector"].model, crowns.scene_detector(weights=None).model
    assert [(v.path, tuple(v.shape)) for v in theirs.weights] == [(v.path, tuple(v.shape)) for v in ours.weights]


def test_the_scenes_hand_over_all_but_the_classes():
    keras.utils.set_random_seed(0)
    scenes, found = crowns.scene_detector(weights=None), crowns.crown_detector(weights=None)
    assert transfer.hand_over(scenes.model, found.model) == ["head_classes"]
    for name in ("stem_conv", "stage2_2_b_norm", "pyramid1_smooth", "head_boxes"):
        for one, other in zip(scenes.model.get_layer(name).get_weights(), found.model.get_layer(name).get_weights()):
            np.testing.assert_array_equal(one, other)
    assert scenes.model.get_layer("head_classes").get_weights()[0].shape == (3, 3, 48, 28)


# --- the tool --------------------------------------------------------------------------------------------------------


def test_from_the_command_line_to_the_card(tmp_path, monkeypatch):
    """Both detectors, from few scenes and in few steps; another folder leaves the course's data alone."""
    monkeypatch.setattr(train_detector, "SCENES", 16)
    monkeypatch.setattr(train_detector, "PASSES", 1)
    monkeypatch.setattr(train_detector, "TESTED", 4)
    monkeypatch.setattr(train_detector, "WARM_UP", 0)
    before = (runtime.data_dir() / "manifest.json").read_bytes()
    for name, more in (("scenes", []), ("crowns", ["--steps", "2"])):
        assert train_detector.main([name, *more, "--seed", "3", "--out", str(tmp_path)]) == 0
        card = json.loads((tmp_path / f"{name}_resnet18.json").read_text("utf-8"))
        assert set(card) >= CARD
        assert card["seed"] == 3
        assert card["steps"] == {"scenes": 1, "crowns": 2}[name]
        assert card["bytes"] == (tmp_path / f"{name}_resnet18.npz").stat().st_size
    assert (runtime.data_dir() / "manifest.json").read_bytes() == before


def test_no_part_of_scenes_can_be_held_out(capsys):
    with pytest.raises(SystemExit):
        train_detector.main(["scenes", "--hold-out", "256"])
    assert "scenes have none" in capsys.readouterr().err


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
    cell = next(cell for cell in cells if "forty = " in cell and "pycocotools = [" in cell)
    names = {"np": np, "detection": detection}
    exec(cell[cell.index("wobble = ") :].split("claim(")[0], names)
    evaluation = coco_case.pycocotools(*coco_case.as_coco(names["forty"], names["guesses"], 10))
    np.testing.assert_allclose(names["pycocotools"], evaluation.stats, atol=1e-7)
