"""Segmentation: losses and metrics against definitions written out, U-Net, decoders, refusals."""

import itertools
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib import segmentation
from cnnlib.segmentation import losses, metrics

NAN = float("nan")


def drawn(seed: int, shape=(2, 5, 6), classes: int = 3, ignored: float = 0.2):
    """Labels with some ignored pixels, and logits."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(shape) < ignored, 255, rng.integers(0, classes, shape))
    return labels, rng.normal(size=(*shape, classes)).astype("float32")


# --- losses ----------------------------------------------------------------------------------------------------------


def soft_counts(labels, probabilities, label):
    """TP, FP and FN of one class, pixel by pixel, as sums of probabilities."""
    hit = invented = missed = 0.0
    for at in np.ndindex(labels.shape):
        if labels[at] == 255:
            continue
        p = float(probabilities[(*at, label)])
        if labels[at] == label:
            hit, missed = hit + p, missed + 1 - p
        else:
            invented += p
    return hit, invented, missed


def softmax(logits):
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 4),
    st.floats(0, 1),
    st.floats(0.1, 1),
    st.sampled_from([0.0, 1.0, 7.5]),
)
def test_tversky_against_its_definition(seed, classes, alpha, beta, smooth):
    labels, logits = drawn(seed, classes=classes)
    expected = []
    for label in range(classes):
        hit, invented, missed = soft_counts(labels, softmax(logits), label)
        expected.append(1 - (hit + smooth) / max(hit + alpha * invented + beta * missed + smooth, 1e-7))
    came = losses.TverskyLoss(alpha, beta, smooth)(labels, logits)
    assert float(came) == pytest.approx(np.mean(expected), abs=1e-5)


def test_alpha_is_the_price_of_false_positives():
    """And not, as in the code of keras.losses.Tversky 3.15, of false negatives."""
    labels = np.array([[[1, 1, 0, 0, 0, 0]]])
    everything, nothing = (np.full((1, 1, 6, 1), z, "float32") for z in (9.0, -9.0))
    for price in (losses.TverskyLoss(0.9, 0.1), losses.TverskyLoss(0.1, 0.9)):
        assert 0 < float(price(labels, everything)) < 1
    invented = [float(losses.TverskyLoss(a, 1 - a)(labels, everything)) for a in (0.1, 0.5, 0.9)]
    assert invented == sorted(invented)
    assert invented[0] < invented[2]
    missed = [float(losses.TverskyLoss(a, 1 - a)(labels, nothing)) for a in (0.1, 0.5, 0.9)]
    assert missed == sorted(missed, reverse=True)


def test_dice_equals_keras_where_they_mean_the_same():
    labels, logits = drawn(1, ignored=0)
    one_hot, p = np.eye(3, dtype="float32")[labels], softmax(logits)
    expected = keras.ops.mean(keras.losses.dice(one_hot, p, axis=(0, 1, 2)))
    assert float(losses.DiceLoss(smooth=0)(labels, logits)) == pytest.approx(float(expected), abs=1e-6)


def test_cross_entropy_equals_keras_where_they_mean_the_same():
    labels, logits = drawn(2, ignored=0)
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert float(losses.PixelCrossEntropy()(labels, logits)) == pytest.approx(float(expected), abs=1e-6)
    binary, z = np.minimum(labels, 1), logits[..., :1]
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(binary[..., None], z)
    assert float(losses.PixelCrossEntropy()(binary, z)) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_class_weights_and_ignored_pixels(channels):
    labels, logits = drawn(3, classes=3)
    if channels == 1:
        labels, logits = np.where(labels == 2, 1, labels), logits[..., :1]
    weights = (0.5, 2.0, 7.0)[: max(channels, 2)]
    p = softmax(logits) if channels > 1 else np.concatenate([1 / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))], -1)
    total = weight = 0.0
    for at in np.ndindex(labels.shape):
        if labels[at] != 255:
            total -= weights[labels[at]] * math.log(p[(*at, labels[at])])
            weight += weights[labels[at]]
    came = losses.PixelCrossEntropy(weights)
    assert float(came(labels, logits)) == pytest.approx(total / weight, rel=1e-5)
    assert float(came(labels[..., None], logits)) == pytest.approx(total / weight, rel=1e-5)


LOSSES = [losses.PixelCrossEntropy(), losses.DiceLoss(), losses.TverskyLoss()]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_perfect_answer_costs_nothing_and_an_empty_one_is_defined(loss):
    labels, _ = drawn(4, ignored=0.1)
    perfect = 40 * np.eye(3, dtype="float32")[np.where(labels == 255, 0, labels)]
    assert float(loss(labels, perfect)) == pytest.approx(0, abs=1e-5)
    ignored = np.full((1, 4, 4), 255)
    assert float(loss(ignored, np.zeros((1, 4, 4, 3), "float32"))) == pytest.approx(0, abs=1e-5)
    empty = np.zeros((1, 4, 4), int)
    assert float(loss(empty, np.full((1, 4, 4, 1), -40, "float32"))) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_masks_of_another_size_are_refused(loss):
    with pytest.raises(ValueError, match="same height and width"):
        loss(np.zeros((1, 4, 5), int), np.zeros((1, 4, 4, 2), "float32"))
    with pytest.raises(ValueError, match="same height and width"):
        loss(np.zeros((1, 4, 4, 2), int), np.zeros((1, 4, 4, 2), "float32"))
    with pytest.raises(ValueError, match="expected .n, height, width, classes."):
        loss(np.zeros((4, 4), int), np.zeros((4, 4, 2), "float32"))


def test_sum_of_losses_trains_saves_and_loads(tmp_path):
    labels, _ = drawn(5, (2, 8, 8), 2, 0)
    total = losses.SumOfLosses([losses.PixelCrossEntropy((1, 2)), losses.DiceLoss()], (1, 0.5))
    logits = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    parts = [float(loss(labels, logits)) for loss in total.losses]
    assert float(total(labels, logits)) == pytest.approx(parts[0] + 0.5 * parts[1], rel=1e-6)
    copy = losses.SumOfLosses.from_config(total.get_config())
    assert float(copy(labels, logits)) == pytest.approx(float(total(labels, logits)))
    keras.utils.set_random_seed(0)
    model = segmentation.UNet((8, 8, 1), 2, depth=1, width=4)
    model.compile(keras.optimizers.Adam(0.03), total)
    x = (labels[..., None] == 1).astype("float32")
    history = model.fit(x, labels, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(x, labels, verbose=0) == pytest.approx(model.evaluate(x, labels, verbose=0), rel=1e-4)


def test_settings_without_meaning_are_refused():
    for make in (
        lambda: losses.TverskyLoss(0, 0),
        lambda: losses.TverskyLoss(-1, 1),
        lambda: losses.PixelCrossEntropy((1, -1)),
        lambda: losses.SumOfLosses([]),
        lambda: losses.SumOfLosses(LOSSES, [1]),
        lambda: losses.PixelCrossEntropy((1, 2))(np.zeros((1, 2, 2), int), np.zeros((1, 2, 2, 3), "float32")),
    ):
        with pytest.raises(ValueError, match="expected|one for each"):
            make()


# --- metrics ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([(4, 5), (2, 3, 4), (1, 1)]))
def test_scores_against_sets_of_pixels(seed, classes, shape):
    rng = np.random.default_rng(seed)
    true = np.where(rng.random(shape) < 0.2, 255, rng.integers(0, classes, shape))
    pred = rng.integers(0, classes, shape)
    matrix = metrics.confusion_matrix(true, pred, classes)
    sets = [
        [{at for at in np.ndindex(shape) if true[at] != 255 and y[at] == c} for c in range(classes)]
        for y in (true, pred)
    ]
    for i, j in itertools.product(range(classes), repeat=2):
        assert matrix[i, j] == len(sets[0][i] & sets[1][j])
    both = [(len(a & b), len(a | b), len(a) + len(b)) for a, b in zip(*sets)]
    expected = [a / b if b else NAN for a, b, _ in both]
    np.testing.assert_allclose(metrics.iou(true, pred, classes), expected)
    np.testing.assert_allclose(metrics.dice(true, pred, classes), [2 * a / c if c else NAN for a, _, c in both])
    np.testing.assert_allclose(
        metrics.mean_iou(true, pred, classes), np.nanmean([*expected, NAN]) if any(b for _, b, _ in both) else NAN
    )
    counted = (true != 255).sum()
    right = ((true == pred) & (true != 255)).sum()
    np.testing.assert_allclose(metrics.pixel_accuracy(true, pred, classes), right / counted if counted else NAN)


def test_mean_iou_equals_keras():
    true, pred = (np.random.default_rng(i).integers(0, 4, (3, 9, 9)) for i in (0, 1))
    metric = keras.metrics.MeanIoU(4)
    metric.update_state(true, pred)
    assert metrics.mean_iou(true, pred, 4) == pytest.approx(float(metric.result()), abs=1e-6)


def brute_boundary_f(true, pred, label, tolerance):
    """The definition, pixel by pixel; nothing is ignored."""

    def outline(y):
        h, w = y.shape
        return [
            (i, j)
            for i, j in np.ndindex(h, w)
            if y[i, j] == label
            and any(
                0 <= a < h and 0 <= b < w and y[a, b] != label
                for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))
            )
        ]

    a, b = outline(true), outline(pred)
    if not a and not b:
        return NAN
    if not a or not b:
        return 0.0
    near = [sum(min(math.dist(p, q) for q in y) <= tolerance for p in x) / len(x) for x, y in ((a, b), (b, a))]
    return 2 * near[0] * near[1] / sum(near) if sum(near) else 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 1.5, 2, 3]))
def test_boundary_f_score_against_its_definition(seed, tolerance):
    rng = np.random.default_rng(seed)
    true, pred = (np.kron(rng.integers(0, 3, (3, 3)), np.ones((3, 3), int)) for _ in "ab")
    expected = [brute_boundary_f(true, pred, label, tolerance) for label in range(3)]
    np.testing.assert_allclose(metrics.boundary_f_score(true, pred, 3, tolerance), expected)


def test_boundary_f_score_counts_a_shift_and_the_batch_together():
    true = np.zeros((20, 20), int)
    true[5:15, 5:15] = 1
    scores = [metrics.boundary_f_score(true, np.roll(true, shift, 1), tolerance=2)[1] for shift in (0, 2, 4, 6)]
    assert scores[:2] == [1, 1]
    assert 0.3 < scores[3] < scores[2] < 1
    assert metrics.boundary_f_score(np.stack([true, true]), np.stack([true, true]))[1] == 1
    # Against pixels that do not count there is no outline.
    ring = true.copy()
    ring[3:17, 3:17][ring[3:17, 3:17] == 0] = 255
    assert np.isnan(metrics.boundary_f_score(ring, true)[1])
    larger = np.zeros((20, 20), int)
    larger[3:17, 3:17] = 1  # its outline lies in the ring
    assert np.isnan(metrics.boundary_f_score(ring, larger)[1])


def test_empty_images_have_no_score():
    empty = np.zeros((0, 4), int)
    assert np.isnan(metrics.iou(empty, empty, 3)).all()
    assert np.isnan(metrics.mean_iou(empty, empty, 3))
    assert np.isnan(metrics.pixel_accuracy(empty, empty, 3))
    assert np.isnan(metrics.boundary_f_score(empty, empty, 3)).all()
    nothing = np.zeros((4, 4), int)
    np.testing.assert_array_equal(metrics.dice(nothing, nothing, 2), [1, NAN])


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.array([[0, 3]]), np.array([[0, 1]]), "y_true hold 3; with num_classes=3 expected 0 to 2, or 255"),
        (np.array([[0, -1]]), np.array([[0, 1]]), "y_true hold -1"),
        (np.array([[0, 1]]), np.array([[0, 255]]), "y_pred hold 255"),
        (np.array([[0, 1]]), np.array([[0.5, 1]]), "argmax"),
        (np.array([[0, NAN]]), np.array([[0, 1]]), "NaN"),
        (np.zeros((2, 2), int), np.zeros((2, 3), int), "resized"),
        (np.zeros((2, 2), int), np.zeros((2, 2, 3), int), "argmax"),
        (np.array([["a"]]), np.array([[0]]), "whole numbers|invalid literal"),
    ],
)
@pytest.mark.parametrize("score", [metrics.iou, metrics.boundary_f_score])
def test_bad_label_maps_are_refused(score, true, pred, message):
    with pytest.raises(ValueError, match=message):
        score(true, pred, 3)
    with pytest.raises(ValueError, match="num_classes=0"):
        score(np.zeros((1, 1), int), np.zeros((1, 1), int), 0)


# --- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", ["resize", "transposed"])
@pytest.mark.parametrize(
    ("depth", "classes", "norm", "skips"), [(1, 1, "group", True), (3, 4, "batch", False), (2, 2, None, True)]
)
def test_unet_gives_logits_for_every_pixel(depth, classes, norm, skips, decoder):
    model = segmentation.UNet((None, None, 2), classes, depth, 4, decoder, skips, norm, dropout=0.1)
    x = np.zeros((2, 16, 24, 2), "float32")
    assert model.predict_on_batch(x).shape == (2, 16, 24, classes)
    assert model.layers[-1].activation is keras.activations.linear
    assert any(isinstance(layer, keras.layers.Concatenate) for layer in model.layers) == skips
    assert model.get_layer("bottoma_conv").filters == 4 * 2**depth


def test_unet_of_the_paper_has_its_size(undrawn):
    """Depth 4 and width 64: 31 million parameters, most of them at the bottom."""
    model = segmentation.UNet((64, 64, 1), 2, 4, 64, "transposed", norm=None)
    wider = sum((9 - 4) * (128 << i) * (64 << i) for i in range(4))  # 3x3 here, 2x2 in the paper
    assert model.count_params() - wider == 31_030_658


@pytest.mark.parametrize("decoder", ["resize", "transposed"])
@pytest.mark.parametrize("skips", [True, False])
def test_unet_takes_images_of_any_size(decoder, skips):
    """Also smaller than its strides, one after another, and the same as with a fixed size."""
    keras.utils.set_random_seed(0)
    model = segmentation.UNet((None, None, 1), 2, 3, 2, decoder, skips, "batch")
    rng = np.random.default_rng(0)
    for height, width in ((16, 24), (10, 13), (1, 1), (24, 9), (7, 32)):
        x = rng.normal(size=(1, height, width, 1)).astype("float32")
        came = model.predict_on_batch(x)
        assert came.shape == (1, height, width, 2)
        assert np.isfinite(came).all()
    fixed = segmentation.UNet((24, 9, 1), 2, 3, 2, decoder, skips, "batch")
    fixed.set_weights(model.get_weights())
    x = rng.normal(size=(1, 24, 9, 1)).astype("float32")
    np.testing.assert_allclose(fixed.predict_on_batch(x), model.predict_on_batch(x), atol=1e-5)
    even = segmentation.UNet((16, 8, 1), 2, 3, 2, decoder, skips)
    assert not any("crop" in layer.name for layer in even.layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (4, 8, 1)}, "at least 8"),
        ({"depth": 0}, "depth=0"),
        ({"width": 1.5}, "width=1.5"),
        ({"decoder": "bilinear"}, "'resize', 'transposed'"),
        ({"norm": "instance"}, "'batch', 'group'"),
        ({"num_classes": 0}, "num_classes=0"),
    ],
)
def test_unet_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        segmentation.UNet(**arguments)


# --- decoders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["resize", "transposed"])
def test_upsample_enlarges(kind):
    x = keras.Input((5, 7, 3))
    assert segmentation.upsample(x, 4, kind, name="up", factor=3).shape == (None, 15, 21, 4)
    with pytest.raises(ValueError, match="factor=0"):
        segmentation.upsample(x, 4, kind, name="other", factor=0)


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [(5, 3, 2), (5, 4, 2), (4, 2, 2), (3, 5, 3), (4, 2, 3), (1, 1, 1)]
)
def test_overlap_counts_are_what_a_kernel_of_ones_gives(size, kernel, stride):
    layer = keras.layers.Conv2DTranspose(1, (1, kernel), (1, stride), "same", kernel_initializer="ones")
    counts = keras.ops.convert_to_numpy(layer(np.ones((1, 1, size, 1), "float32")))[0, 0, :, 0]
    np.testing.assert_array_equal(segmentation.overlap_counts(size, kernel, stride), counts)


def test_a_kernel_that_is_a_multiple_of_the_stride_covers_evenly():
    assert set(segmentation.overlap_counts(8, 3, 2)[2:-2]) == {1, 2}
    assert set(segmentation.overlap_counts(8, 4, 2)[2:-2]) == {2}
    with pytest.raises(ValueError, match="kernel=0"):
        segmentation.overlap_counts(4, 0, 2)


def test_checkerboard_of_known_patterns():
    y, x = np.mgrid[:32, :32]
    rng = np.random.default_rng(0)
    assert segmentation.checkerboard((x + y) % 2.0) == pytest.approx(1)
    assert segmentation.checkerboard((x % 2) * (y % 2) * 3.0 + 5) == pytest.approx(1)
    assert segmentation.checkerboard(np.full((32, 32), 3.0)) == 0
    wide = np.zeros((16, 40))
    wide[:, 20:] = np.arange(20) % 2  # half of it has stripes: seen only if the columns are not cut like the rows
    assert segmentation.checkerboard(wide) == pytest.approx(math.sqrt(1 / 3), abs=0.03)
    noise = rng.normal(size=(4, 64, 64, 3))
    assert segmentation.checkerboard(noise) < 0.05
    mixed = noise + ((np.add(*np.mgrid[:64, :64]) % 2) * 2 - 1)[None, :, :, None]
    assert segmentation.checkerboard(mixed) == pytest.approx(math.sqrt(0.5), abs=0.03)
    assert segmentation.checkerboard((x % 4 == 0) * 1.0, period=4) == pytest.approx(1)


def test_only_the_transposed_decoder_leaves_a_checkerboard():
    """Untrained, on a constant map: what varies inside is the grid, and nothing else."""
    found = {}
    for kind in ("resize", "transposed"):
        keras.utils.set_random_seed(0)
        x = keras.Input((16, 16, 4))
        model = keras.Model(x, segmentation.upsample(x, 6, kind, name="up"))
        found[kind] = model.predict_on_batch(np.ones((1, 16, 16, 4), "float32"))
    assert segmentation.checkerboard(found["transposed"]) == pytest.approx(1)
    assert segmentation.checkerboard(found["resize"]) == 0


@pytest.mark.parametrize("maps", [np.zeros((11, 11)), np.zeros(30), np.full((30, 30), NAN), np.zeros((0, 30, 30, 1))])
def test_checkerboard_refuses(maps):
    with pytest.raises(ValueError, match="expected|two cells|NaN"):
        segmentation.checkerboard(maps)


def test_the_package_knows_its_names():
    assert "UNet" in dir(segmentation)
    for name in segmentation.__all__:
        assert getattr(segmentation, name) is not None
