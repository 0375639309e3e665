"""Targets, losses, decoding and weights of several heads: there and back, against NumPy, and switched off."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from cnnlib import detection
from cnnlib.detection import heads

KINDS = (0, 1, 0, 2, 0, 3, 0, 3, 4, 3)


@pytest.fixture(scope="module")
def scenes():
    return detection.render(24, size=64, objects=(1, 1), scale=(0.4, 0.7), occlusion=(0.0, 0.1), seed=3)


@pytest.fixture(scope="module")
def several():
    return detection.render(24, size=64, objects=(2, 3), scale=(0.3, 0.5), occlusion=(0.0, 0.1), seed=4)


def logit(p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


# --- targets ---------------------------------------------------------------------------------------------------------


def test_targets_lead_back_to_the_objects(scenes):
    targets = detection.head_targets(scenes, KINDS, jitter=0)
    found = detection.find_objects(logit(targets["class"]), targets["box"][..., :4], most=1)
    for one, boxes, labels in zip(found, scenes.boxes, scenes.labels):
        np.testing.assert_allclose(one["boxes"], boxes, atol=1e-4)
        assert one["labels"].tolist() == [KINDS[label] for label in labels]
    masks = np.repeat(targets["mask"], 1, axis=1)
    scores = detection.head_scores(
        scenes, KINDS, logit(targets["class"]), targets["box"][..., :4], targets["keypoint"], masks
    )
    assert scores["class"] == scores["keypoint"] == 1
    assert scores["box"] == pytest.approx(1)
    assert scores["mask"] > 0.93  # 16 x 16 cells cannot draw every pixel of a box


def test_targets_of_several_objects(several):
    targets = detection.head_targets(several, KINDS, places=4)
    counts = [len(boxes) for boxes in several.boxes]
    assert targets["there"].sum(1).tolist() == counts
    assert ((targets["class"] == 1).sum((1, 2, 3)) <= counts).all()
    for i, boxes in enumerate(several.boxes):
        extent = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        off = np.abs(targets["rois"][i, : len(boxes)] - boxes)
        assert (off <= 0.1 * extent + 1e-4).all()
        assert off.max() > 0
        assert not targets["mask"][i, len(boxes) :].any()
        filled = targets["box"][i][targets["box"][i, ..., 4] == 1]
        sizes = filled[:, :2] + filled[:, 2:4]  # left + right, top + bottom
        assert np.isin(np.round(sizes[:, 0]), np.round(boxes[:, 2] - boxes[:, 0])).all()


def test_hidden_keypoints_are_not_drawn(scenes):
    hidden = [points.copy() for points in scenes.keypoints]
    for points in hidden:
        points[:, 0, 2] = 1
    changed = detection.Scenes(scenes.images, scenes.boxes, scenes.labels, scenes.masks, hidden, scenes.hidden)
    assert not detection.head_targets(changed, KINDS)["keypoint"][..., 0].any()


@pytest.mark.parametrize(
    ("options", "message"), [({"stride": 5}, "stride=5"), ({"places": 1}, "places=1"), ({"kinds": (0, 1)}, "2 entries")]
)
def test_targets_that_do_not_fit_are_refused(several, options, message):
    with pytest.raises(ValueError, match=message):
        detection.head_targets(several, **{"kinds": KINDS, **options})


def test_batches_hold_what_belongs_together(scenes):
    targets = detection.head_targets(scenes, KINDS)
    batches = detection.SceneBatches(scenes.images, targets, 10, seed=1)
    assert len(batches) == 2, "the smaller rest is left out"
    inputs, wanted = batches[1]
    order = batches.order(0)[10:20]
    assert np.array_equal(inputs["images"], scenes.images[order])
    assert np.array_equal(inputs["rois"], targets["rois"][order])
    assert np.array_equal(wanted["mask"], targets["mask"][order])
    with pytest.raises(ValueError, match="another number of scenes"):
        detection.SceneBatches(scenes.images[:5], targets)


# --- decoding --------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 20))
def test_a_pasted_mask_is_what_interpolation_says(seed, side):
    rng = np.random.default_rng(seed)
    x1, y1 = rng.uniform(-4, 12, 2)
    box = np.array([x1, y1, x1 + rng.uniform(2, 20), y1 + rng.uniform(2, 20)], "float32")
    cells = rng.random((1, side, side)).astype("float32")
    pasted = detection.paste_masks(cells, box[None], (24, 20))[0]
    for y, x in rng.integers(0, (24, 20), (40, 2)):
        inside = box[0] <= x + 0.5 < box[2] and box[1] <= y + 0.5 < box[3]
        u = np.clip((x + 0.5 - box[0]) / (box[2] - box[0]) * side - 0.5, 0, side - 1)
        v = np.clip((y + 0.5 - box[1]) / (box[3] - box[1]) * side - 0.5, 0, side - 1)
        i, j = min(int(v), side - 2), min(int(u), side - 2)
        a, b = u - j, v - i
        upper = (1 - a) * cells[0, i, j] + a * cells[0, i, j + 1]
        value = (1 - b) * upper + b * ((1 - a) * cells[0, i + 1, j] + a * cells[0, i + 1, j + 1])
        if abs(value - 0.5) > 1e-4:
            assert pasted[y, x] == (inside and value >= 0.5)


def test_peaks_are_found_and_their_slopes_are_not():
    logits = np.full((1, 6, 6, 2), -6.0)
    logits[0, 2, 2, 1], logits[0, 2, 3, 1], logits[0, 5, 5, 0] = 2, 1, 0
    sides = np.full((1, 6, 6, 4), 5.0)
    (found,) = detection.find_objects(logits, sides, stride=4)
    assert found["labels"].tolist() == [1, 0]
    assert found["boxes"].tolist() == [[5, 5, 15, 15], [17, 17, 24, 24]]  # the second is cut at the border
    np.testing.assert_allclose(found["scores"], [1 / (1 + np.exp(-2)), 0.5], rtol=1e-5)
    assert len(detection.find_objects(logits, sides, most=1)[0]["scores"]) == 1
    assert len(detection.find_objects(logits, -sides, threshold=0.9)[0]["scores"]) == 0
    with pytest.raises(ValueError, match="expected"):
        detection.find_objects(logits, sides[..., :3])


def test_each_box_has_its_own_points(several):
    maps = detection.head_targets(several, KINDS)["keypoint"]
    for i, boxes in enumerate(several.boxes):
        found = detection.points_in_boxes(maps[i], boxes)
        assert found.shape == (len(boxes), 4, 2)
        low, high = boxes[:, None, :2] - 9, boxes[:, None, 2:] + 9
        assert ((found >= low) & (found <= high)).all()


def test_rois_are_padded_and_too_many_refused():
    boxes = [np.array([[1, 2, 3, 4]]), np.zeros((0, 4))]
    rois = detection.pad_rois(boxes, 2, 16)
    assert rois.tolist() == [[[1, 2, 3, 4], [0, 0, 16, 16]], [[0, 0, 16, 16]] * 2]
    with pytest.raises(ValueError, match="3 boxes"):
        detection.pad_rois([np.zeros((3, 4))], 2, 16)
    with pytest.raises(ValueError, match="one for each"):
        detection.paste_masks(np.zeros((2, 4, 4)), np.zeros((1, 4)), (8, 8))


# --- losses ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def batch(several):
    targets = detection.head_targets(several, KINDS, places=4)
    rng = np.random.default_rng(0)
    said = {
        "class": rng.normal(-2, 2, targets["class"].shape).astype("float32"),
        "box": rng.normal(10, 4, (*targets["box"].shape[:3], 4)).astype("float32"),
        "mask": rng.normal(0, 2, (4 * len(several), 16, 16)).astype("float32"),
        "keypoint": rng.normal(-2, 2, targets["keypoint"].shape).astype("float32"),
    }
    return targets, said


def expected(name, targets, said):
    if name == "box":
        counts = targets["box"][..., 4] == 1
        return np.abs(targets["box"][..., :4] - said["box"])[counts].mean()
    p = 1 / (1 + np.exp(-said[name].astype(float)))
    if name == "class":
        heat = targets["class"].astype(float)
        one = heat == 1
        return (-((1 - p) ** 2) * np.log(p))[one].sum() / one.sum() - ((1 - heat) ** 4 * p**2 * np.log(1 - p))[
            ~one
        ].sum() / one.sum()
    wanted = targets[name].reshape(p.shape)
    entropy = -wanted * np.log(p) - (1 - wanted) * np.log(1 - p)
    return entropy.mean() if name == "keypoint" else entropy[targets["there"].ravel() == 1].mean()


@pytest.mark.parametrize("name", heads.HEADS)
def test_a_loss_is_its_formula(batch, name):
    targets, said = batch
    assert float(heads.LOSSES[name](targets, ops.convert_to_tensor(said[name]))) == pytest.approx(
        expected(name, targets, said), rel=1e-4
    )


def test_no_object_is_no_loss(batch):
    targets, said = batch
    empty = {name: np.zeros_like(array) for name, array in targets.items()}
    assert float(heads.box_loss(empty, ops.convert_to_tensor(said["box"]))) == 0
    assert float(heads.mask_loss(empty, ops.convert_to_tensor(said["mask"]))) == 0
    assert np.isfinite(float(heads.class_loss(empty, ops.convert_to_tensor(said["class"]))))


def test_the_layer_cuts_each_box_out_of_its_own_image():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3, 8, 8, 2)).astype("float32")
    boxes = np.array([[[4, 4, 20, 12], [0, 0, 8, 30]]] * 3, "float32") + np.arange(3, dtype="float32")[:, None, None]
    layer = detection.RoIAlign(cells=5, stride=4)
    found = ops.convert_to_numpy(layer(features, boxes)).reshape(3, 2, 5, 5, 2)
    for i in range(3):
        alone = detection.roi_align(features[i : i + 1], boxes[i], np.zeros(2, "int32"), 5, 1 / 4)
        np.testing.assert_allclose(found[i], ops.convert_to_numpy(alone), atol=1e-5)
    again = detection.RoIAlign.from_config(layer.get_config())
    assert (again.cells, again.stride) == (5, 4)


# --- several losses --------------------------------------------------------------------------------------------------


def two_tasks(**options):
    keras.utils.set_random_seed(0)
    x = keras.Input((3,))
    y = layers.Dense(4, name="backbone")(x)
    network = keras.Model(x, {"a": layers.Dense(1, name="a")(y), "b": layers.Dense(1, name="b")(y)})
    losses = {
        "a": lambda targets, output: ops.mean((output - targets["a"]) ** 2),
        "b": lambda targets, output: 10 * ops.mean(ops.abs(output - targets["b"])),
    }
    task = detection.MultiTask(network, losses, **options)
    task.compile(keras.optimizers.SGD(0.01))
    return task


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(32, 3)).astype("float32"), {n: rng.normal(size=(32, 1)).astype("float32") for n in "ab"}


def test_the_loss_is_the_weighted_sum_and_each_is_reported():
    x, y = data()
    logs = two_tasks(weights={"a": 3.0, "b": 0.5}).train_on_batch(x, y, return_dict=True)
    assert logs["loss"] == pytest.approx(3 * logs["a_loss"] + 0.5 * logs["b_loss"], rel=1e-4)


def test_a_head_that_is_off_learns_nothing_and_a_restart_forgets_all():
    x, y = data()
    task = two_tasks(weights={"b": 0.0})
    before = task.network.get_weights()
    task.train_on_batch(x, y)
    changed = {w.path for w, old in zip(task.network.weights, before) if not np.array_equal(w.numpy(), old)}
    assert any("backbone" in path for path in changed)
    assert any(path.startswith("a/") for path in changed)
    assert not any(path.startswith("b/") for path in changed)
    task.restart()
    assert all(np.array_equal(w.numpy(), old) for w, old in zip(task.network.weights, before))
    assert int(task.optimizer.iterations.numpy()) == 0
    task.weigh({"a": 0.0})
    task.train_on_batch(x, y)
    assert not np.array_equal(task.network.get_layer("b").get_weights()[0], before[-2])


def test_learnt_weights_come_to_one_over_the_loss():
    x, y = data()
    task = two_tasks(uncertainty=True)
    task.network.trainable = False  # the losses stay as they are
    task.compile(keras.optimizers.SGD(0.003))
    for _ in range(150):
        logs = task.train_on_batch(x, y, return_dict=True)
    assert task.task_weights["a"] == pytest.approx(1 / logs["a_loss"], rel=0.02)
    assert task.task_weights["b"] == pytest.approx(1 / logs["b_loss"], rel=0.02)
    task.weigh({"a": 2.0})
    assert task.task_weights == {"a": 2.0, "b": 1.0}


def test_weights_without_a_task_are_refused():
    with pytest.raises(ValueError, match="c, which are no tasks"):
        two_tasks(weights={"c": 1.0})
    with pytest.raises(ValueError, match="worse on purpose"):
        two_tasks(weights={"a": -1.0})
    network = keras.Model(x := keras.Input((3,)), {"a": layers.Dense(1)(x)})
    with pytest.raises(ValueError, match="none for b"):
        detection.MultiTask(network, {"b": lambda targets, output: 0.0})
