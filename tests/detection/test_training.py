"""Anchors, matching, losses, pyramid, detector: by hand, against Keras, on every family, on a set learnt by heart."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from cnnlib import detection, models
from cnnlib.detection import anchors as anchor_tools
from cnnlib.detection import detector as detector_tools

FAMILIES = {
    "LeNet5": (lambda: models.LeNet5((28, 28, 1)), (2,)),
    "AlexNet": (lambda: models.AlexNet((127, 127, 3)), (8, 16)),
    "SmallVGG": (lambda: models.SmallVGG((32, 32, 3)), (2, 4)),
    "ResNet": (lambda: models.ResNet(18, (64, 64, 3), width=0.25), (4, 8, 16)),
    "CifarResNet": (lambda: models.CifarResNet(8, (32, 32, 3)), (2, 4)),
    "SmallInception": (lambda: models.SmallInception((32, 32, 3)), (2,)),
    "DenseNet": (lambda: models.DenseNet(), (2, 4)),
    "MobileNetV2": (lambda: models.MobileNetV2((64, 64, 3), width=0.35), (8, 16, 32)),
    "EfficientNet": (lambda: models.EfficientNet(), (8, 16, 32)),
    "EfficientNetLite0": (lambda: models.EfficientNetLite0(input_shape=(64, 64, 3)), (8, 16)),
    "ConvNeXt": (lambda: models.ConvNeXt(), (4, 8)),
}


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(0)
    return detection.Detector(models.ResNet(18, (64, 64, 3), width=0.25), 3, (4, 8), channels=16)


# --- anchors ---------------------------------------------------------------------------------------------------------


def test_anchors_lie_row_after_row_around_their_places():
    grid = detection.anchor_grid((40, 60), [(2, 3), (1, 1)], [10, 40], scales=[1, 2], ratios=[1, 4])
    assert grid.shape == (2 * 3 * 4 + 4, 4)
    assert grid[0].tolist() == [5, 5, 15, 15]  # the middle of the first place is (10, 10)
    assert grid[1].tolist() == [7.5, 0, 12.5, 20]  # ratio 4: half as wide, twice as high
    assert grid[4].tolist() == [25, 5, 35, 15]
    assert grid[12].tolist() == [5, 25, 15, 35]
    np.testing.assert_allclose(
        (grid[:, 2] - grid[:, 0]) * (grid[:, 3] - grid[:, 1]), [100, 100, 400, 400] * 6 + [1600, 1600, 6400, 6400]
    )


def slow_match(anchors, boxes, positive: float, negative: float) -> list[int]:
    overlap = detection.iou(anchors, boxes)
    found = []
    for row in overlap:
        best = int(np.argmax(row))
        found.append(best if row[best] >= positive else -1 if row[best] < negative else -2)
    for j in sorted(range(len(boxes)), key=lambda j: overlap[:, j].max()):
        if overlap[:, j].max() > 0:
            found[int(overlap[:, j].argmax())] = j
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
@settings(deadline=None)
def test_each_anchor_takes_the_object_of_the_rule(seed, count):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 40, (count, 2))], 1).astype("float32")
    grid = detection.anchor_grid((64, 64), [(8, 8), (4, 4)], [16, 32])
    found = detection.match(grid, boxes, 0.5, 0.4)
    assert found.tolist() == slow_match(grid, boxes, 0.5, 0.4)


def test_no_object_is_forgotten_and_no_object_is_an_answer():
    grid = detection.anchor_grid((64, 64), [(8, 8)], [16])
    assert (detection.match(grid, [[1, 1, 3, 3]]) == 0).sum() == 1
    assert (detection.match(grid, []) == anchor_tools.BACKGROUND).all()
    table = anchor_tools.targets(grid, [], [])
    assert (table[:, 4] == -1).all()
    flat = anchor_tools.targets(grid, [[5, 5, 5, 9]], [0])  # without area: nothing to learn from
    assert (flat[:, 4] == -1).all()


def test_targets_lead_back_to_the_objects():
    grid = detection.anchor_grid((64, 64), [(8, 8), (4, 4)], [16, 32])
    boxes, labels = np.array([[3, 5, 20, 22], [30, 20, 62, 60]], "float32"), np.array([2, 1])
    table = anchor_tools.targets(grid, boxes, labels)
    for label, box in zip(labels, boxes):
        mine = table[:, 4] == label
        assert mine.any()
        np.testing.assert_allclose(
            detection.decode(grid[mine], table[mine, :4]), np.tile(box, (mine.sum(), 1)), atol=1e-3
        )
    assert set(table[:, 4]) <= {-2, -1, 1, 2}


def test_bad_anchors_are_refused():
    with pytest.raises(ValueError, match="2 shapes and 1 sides"):
        detection.anchor_grid((64, 64), [(8, 8), (4, 4)], [16])
    with pytest.raises(ValueError, match="all must be > 0"):
        detection.anchor_grid((64, 64), [(8, 8)], [16], ratios=[0])
    with pytest.raises(ValueError, match="negative <= positive"):
        detection.match([[0, 0, 1, 1]], [[0, 0, 1, 1]], 0.3, 0.5)
    with pytest.raises(ValueError, match="one for each box"):
        anchor_tools.targets(np.array([[0, 0, 1, 1]]), [[0, 0, 1, 1]], [1, 2])


# --- losses ----------------------------------------------------------------------------------------------------------


def test_losses_are_those_of_keras():
    rng = np.random.default_rng(0)
    targets, logits = rng.integers(0, 2, (6, 5)).astype("float32"), rng.normal(0, 2, (6, 5)).astype("float32")
    for gamma in (0.0, 1.5, 2.0):
        ours = ops.mean(detection.focal_loss(targets, logits, gamma, 0.25), -1)
        theirs = keras.losses.binary_focal_crossentropy(
            targets, logits, apply_class_balancing=True, alpha=0.25, gamma=gamma, from_logits=True
        )
        np.testing.assert_allclose(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), rtol=1e-4)
    far = ops.convert_to_numpy(detection.focal_loss(np.array([1.0, 0.0]), np.array([-90.0, 90.0]), 2.0, None))
    np.testing.assert_allclose(far, [90, 90], rtol=1e-5)
    ours = ops.mean(detection.smooth_l1(targets, logits, 0.5), -1)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours),
        ops.convert_to_numpy(keras.losses.huber(targets, logits, delta=0.5)) / 0.5,
        rtol=1e-4,
    )
    with pytest.raises(ValueError, match="beta=0"):
        detection.smooth_l1(targets, logits, 0)


def test_giou_loss_is_one_minus_giou():
    rng = np.random.default_rng(0)
    first, second = (np.sort(rng.uniform(0, 9, (7, 2, 2)), 1).reshape(7, 4).astype("float32") for _ in range(2))
    found = ops.convert_to_numpy(detection.giou_loss(first, second))
    np.testing.assert_allclose(found, 1 - np.diag(detection.giou(first, second)), atol=1e-5)


def test_the_detection_loss_by_hand():
    """Two anchors with an object, one of background, one ignored; divided by the two."""
    rng = np.random.default_rng(0)
    truth = np.concatenate([rng.normal(size=(1, 4, 4)), np.array([1, 0, -1, -2]).reshape(1, 4, 1)], -1).astype(
        "float32"
    )
    guess = rng.normal(size=(1, 4, 6)).astype("float32")
    one_hot = np.array([[0, 1], [1, 0], [0, 0], [0, 0]], "float32")
    focal = ops.convert_to_numpy(detection.focal_loss(one_hot, guess[0, :, 4:]))[:3].sum()
    box = ops.convert_to_numpy(detection.smooth_l1(truth[0, :, :4], guess[0, :, :4], 1 / 9))[:2].sum()
    loss = detection.DetectionLoss(box_weight=3.0)
    assert float(loss(truth, guess)) == pytest.approx((focal + 3 * box) / 2, rel=1e-4)
    empty = truth * [[[1, 1, 1, 1, 0]]] + [[[0, 0, 0, 0, -1]]]
    assert np.isfinite(float(loss(empty.astype("float32"), guess)))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()


# --- the network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_any_backbone_of_the_course_will_do(name, undrawn):
    build, strides = FAMILIES[name]
    backbone = build()
    found = detection.Detector(backbone, 4, strides, channels=8, extra=1 if name == "ResNet" else 0)
    assert found.model.output_shape == (None, len(found.anchors), 8)
    maps = detection.feature_maps(backbone, strides)
    height = backbone.inputs[0].shape[1]
    for tensor, stride in zip(maps, strides):
        assert stride / 1.5 < height / tensor.shape[1] < stride * 1.5
    assert not {layer.name for layer in found.model.layers} & {"gap", "logits"}  # the classifier is left out


def test_the_pyramid_hands_coarse_maps_down():
    inputs = [keras.Input((8, 8, 3)), keras.Input((4, 4, 5))]
    network = keras.Model(inputs, detection.feature_pyramid(inputs, 6, extra=1, norm=False))
    assert [tensor.shape for tensor in network.outputs] == [(None, 8, 8, 6), (None, 4, 4, 6), (None, 2, 2, 6)]
    rng = np.random.default_rng(0)
    fine, coarse = (rng.normal(size=(1, *x.shape[1:])).astype("float32") for x in inputs)
    moved = network.predict_on_batch([fine, coarse + 1])
    still = network.predict_on_batch([fine, coarse])
    assert np.abs(moved[0] - still[0]).max() > 1e-3
    up = network.predict_on_batch([fine + 1, coarse])
    np.testing.assert_allclose(up[1], still[1], atol=1e-6)  # nothing goes up


def test_strides_that_are_not_there_are_refused():
    backbone = models.CifarResNet(8, (32, 32, 3))
    with pytest.raises(ValueError, match=r"no map of stride \[8\]; it has: 1 \(32x32\), 2 \(16x16\), 4 \(8x8\)"):
        detection.Detector(backbone, 2, (4, 8))
    with pytest.raises(ValueError, match="finest first"):
        detection.Detector(backbone, 2, (4, 2))
    with pytest.raises(ValueError, match="smaller than the coarsest stride, 64"):
        detection.Detector(backbone, 2, (2, 4), extra=4)
    with pytest.raises(ValueError, match="fixed height and width"):
        detection.Detector(models.CifarResNet(8, (None, None, 3)), 2, (2, 4))
    with pytest.raises(ValueError, match="num_classes=0"):
        detection.Detector(backbone, 0, (2, 4))


def test_an_untrained_head_says_background(small):
    raw = ops.convert_to_numpy(small.model(np.zeros((1, 64, 64, 3), "float32"), training=False))
    assert np.abs(1 / (1 + np.exp(-raw[..., 4:])) - detector_tools.PRIOR).max() < 0.02
    (found,) = small.predict(np.zeros((1, 64, 64, 3)))
    assert (found.boxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))


def test_boxes_come_in_pixels_of_the_image_that_was_given(small, monkeypatch):
    """A head that always says the same object: in an image twice as large and not square it lies elsewhere."""
    box = np.array([[16, 24, 32, 40]], "float32")
    table = anchor_tools.targets(small.anchors, box, [1])
    raw = np.full((len(small.anchors), 7), -20, "float32")
    raw[:, :4] = table[:, :4]
    raw[table[:, 4] == 1, 5] = 4
    monkeypatch.setattr(small.model, "predict_on_batch", lambda batch: np.stack([raw] * len(batch)))
    plain, wide = small.predict([np.zeros((64, 64, 3)), np.zeros((64, 128, 3))], batch_size=1)
    np.testing.assert_allclose(plain.boxes, box, atol=1e-3)
    np.testing.assert_allclose(wide.boxes, [[32, 16, 64, 48]], atol=1e-3)  # 16 rows of padding above, half the size
    assert plain.labels.tolist() == [1]
    assert plain.scores[0] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-5)


def test_letterbox_says_where_each_point_went():
    image = np.zeros((30, 50, 3), "float32")
    image[10:20, 20:40] = 1
    picture, (scale, shift) = detector_tools.letterbox(image, (100, 100))
    ys, xs = np.nonzero(picture[..., 0] > 0.5)
    (x1, y1), (x2, y2) = np.array([20, 10]) * scale + shift, np.array([40, 20]) * scale + shift
    assert (xs.min(), xs.max() + 1, ys.min(), ys.max() + 1) == (x1, x2, y1, y2)
    assert picture[: int(shift[1])].max() == 0


def test_bad_images_and_objects_are_refused(small):
    assert small.predict([]) == []
    for image, message in (
        (np.zeros((0, 5, 3)), "at least one pixel"),
        (np.zeros((64, 64)), r"shape \(64, 64\); expected \(height, width, 3\)"),
        (np.zeros((64, 64, 1)), "expected .height, width, 3."),
        (np.full((64, 64, 3), np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            small.predict([image])
    with pytest.raises(ValueError, match="score_threshold=2"):
        small.predict([np.zeros((64, 64, 3))], score_threshold=2)
    assert len(small.predict([np.zeros((64, 64, 3))], score_threshold=1.0)[0].boxes) == 0
    assert len(small.predict([np.zeros((64, 64, 3))], score_threshold=0.0, max_boxes=7)[0].boxes) == 7
    with pytest.raises(ValueError, match="labels from 3 to 3; expected 0 to 2"):
        small.targets([[[0, 0, 9, 9]]], [[3]])
    with pytest.raises(ValueError, match="x2 < x1"):
        small.targets([[[9, 0, 0, 9]]], [[0]])
    with pytest.raises(ValueError, match="one entry for each"):
        small.targets([[[0, 0, 9, 9]]], [])


@pytest.mark.slow
def test_it_learns_a_few_scenes_by_heart():
    keras.utils.set_random_seed(1)
    scenes = detection.render(8, 64, objects=(1, 2), scale=(0.4, 0.6), occlusion=(0, 0), seed=1)
    found = detection.Detector(models.ResNet(18, (64, 64, 3), width=0.25), 10, (4, 8), 32, size=4.0)
    targets = found.targets(scenes.boxes, scenes.labels)
    assert targets.shape == (8, len(found.anchors), 5)
    found.compile(keras.optimizers.Adam(3e-3))
    images = scenes.images.astype("float32") / 255
    history = found.model.fit(images, targets, epochs=60, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.2 * history[0]
    # Batch normalisation has seen eight images: what counts is that the pipeline from target to box closes.
    result = detection.coco_evaluation(scenes.truth, [d._asdict() for d in found.predict(images, 0.05)], 10)
    assert result.ap50 > 0.8
