"""Explanations against maps derived by hand, split models, finite sums, and from backend to backend."""

import gc
import importlib.util
import itertools
import os
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest
from explain_case import branching, images
from keras import layers, ops

from cnnlib import explain, gradients

BACKENDS = ("tensorflow", "jax", "torch")


@pytest.fixture(scope="module")
def model():
    return branching()


@pytest.fixture(scope="module")
def batch():
    return images()


def ending(*end) -> keras.Model:
    """A small classifier of 8x8 pictures with the given last layers."""
    keras.utils.set_random_seed(3)
    body = [keras.Input((8, 8, 1)), layers.Conv2D(4, 3, name="conv"), layers.GlobalAveragePooling2D()]
    return keras.Sequential([*body, *end])


# Layers


def test_layers_within_models_are_found_by_name_and_by_path(model):
    last = model.get_layer("backbone").get_layer("last")
    assert explain.find_layer(model, "last") is last
    assert explain.find_layer(model, "backbone/last") is last
    assert explain.find_layer(model, last) is last
    assert explain.last_convolution(model) is last


def test_an_unknown_layer_is_refused_with_those_near_it(model):
    with pytest.raises(ValueError, match="no layer 'lst'. Near it are .*backbone/last"):
        explain.find_layer(model, "lst")
    with pytest.raises(ValueError, match="not part of model 'nested'"):
        explain.find_layer(model, layers.Conv2D(1, 1, name="last"))


def test_a_name_that_occurs_twice_needs_a_path():
    inner = [keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 1, name="conv")], name=n) for n in "ab"]
    model = keras.Sequential([keras.Input((4, 4, 1)), *inner, layers.Flatten()])
    with pytest.raises(ValueError, match="2 layers are called 'conv'. Take a path: a/conv, b/conv"):
        explain.find_layer(model, "conv")
    assert explain.find_layer(model, "b/conv") is inner[1].layers[0]


def test_a_model_without_convolutions_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="no convolution"):
        explain.grad_cam(model, np.zeros((1, 4, 4, 1), "float32"))


# Grad-CAM


def test_grad_cam_on_paper():
    """Maps A1 = x and A2 = -2x of a picture [[1, -1], [3, 0]], pooled; score 0 is 1 A1 + 2 A2, score 1 is 4 A1 - 1 A2.

    The derivative of a score by a map is its weight over 4 places. So the map of score 0 is relu(x / 4 - 4x / 4), and
    that of score 1 relu(4x / 4 + 2x / 4).
    """
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Conv2D(2, 1, use_bias=False),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, use_bias=False),
        ]
    )
    model.set_weights([np.array([[[[1.0, -2.0]]]]), np.array([[1.0, 4.0], [2.0, -1.0]])])
    picture = np.array([[[[1.0], [-1.0]], [[3.0], [0.0]]]])
    np.testing.assert_allclose(explain.grad_cam(model, picture, 0), [[[0, 0.75], [0, 0]]], atol=1e-6)
    np.testing.assert_allclose(explain.grad_cam(model, picture, 1), [[[1.5, 0], [4.5, 0]]], atol=1e-6)


@pytest.mark.parametrize("layer", ["last", "norm", "sum", "maps"])
def test_grad_cam_equals_that_of_the_model_cut_in_two(model, batch, layer):
    """The head as a function of the layer's output, written out, and differentiated."""
    backbone, scores = model.get_layer("backbone"), model.get_layer("scores")
    parts = {n: backbone.get_layer(n) for n in ("first", "last", "norm", "sum", "maps")}
    stages = [parts["first"](batch)]
    stages.append(parts["last"](stages[0]))
    stages.append(parts["norm"](stages[1], training=False))
    stages.append(stages[0] + stages[2])
    stages.append(ops.relu(stages[3]))
    place = ["first", "last", "norm", "sum", "maps"].index(layer)

    def head(maps, shortcut):
        x = parts["norm"](maps, training=False) if place <= 1 else maps
        x = shortcut + x if place <= 2 else x
        x = ops.relu(x) if place <= 3 else x
        return ops.sum(scores(ops.mean(x, axis=(1, 2)))[:, 3])

    maps, shortcut = (ops.convert_to_numpy(stages[n]) for n in (place, 0))
    _, gradient = gradients.value_and_grad(head)(maps, shortcut)
    expected = np.maximum((maps * gradient.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0)
    assert expected.max() > 0.01
    np.testing.assert_allclose(explain.grad_cam(model, batch, 3, layer=layer), expected, atol=1e-6)


def test_nothing_before_the_layer_is_differentiated():
    @ops.custom_gradient
    def forward_only(x):
        def grad(*args, upstream=None):
            raise AssertionError("the derivative went back beyond the layer")

        return x * 1.0, grad

    class Below(layers.Layer):
        def call(self, x):
            return forward_only(x)

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), Below(), layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)]
    )
    picture = np.random.default_rng(0).normal(size=(1, 6, 6, 1))
    assert explain.grad_cam(model, picture, 0).shape == (1, 4, 4)
    with pytest.raises(AssertionError, match="beyond the layer"):
        explain.saliency(model, picture, 0)


def test_grad_cam_plus_plus_by_its_formula(model, batch):
    """Equation 19 of the paper, with the exponential of the score: first, second and third derivative."""
    maps = explain.activations(model, batch, "maps")
    kernel = model.get_layer("scores").get_weights()[0][:, 1]
    slope = np.broadcast_to(kernel / 144, maps.shape)  # pooled over 12 x 12 places
    y = np.exp(model.predict_on_batch(batch)[:, 1])[:, None, None, None]
    share = y * slope**2 / (2 * y * slope**2 + maps.sum(axis=(1, 2), keepdims=True) * y * slope**3)
    weights = (share * np.maximum(y * slope, 0)).sum(axis=(1, 2), keepdims=True)
    expected = np.maximum((weights * maps).sum(axis=-1), 0)
    found = explain.grad_cam(model, batch, 1, layer="maps", plus_plus=True)
    np.testing.assert_allclose(found * y[:, :, :, 0], expected, rtol=1e-4)


def test_classes_default_to_the_answer_and_may_differ(model, batch):
    answer = model.predict_on_batch(batch).argmax(axis=-1)
    assert len(set(answer.tolist())) > 1
    np.testing.assert_allclose(explain.grad_cam(model, batch), explain.grad_cam(model, batch, answer), atol=1e-7)
    single = [explain.grad_cam(model, batch[n : n + 1], int(answer[n]))[0] for n in range(len(batch))]
    np.testing.assert_allclose(explain.grad_cam(model, batch), single, atol=1e-6)


@pytest.mark.parametrize("method", [explain.grad_cam, explain.saliency])
def test_batches_change_nothing(model, batch, method):
    np.testing.assert_allclose(method(model, batch, batch_size=2), method(model, batch), atol=1e-6)


def test_new_weights_are_seen(batch):
    model = branching()
    before = explain.grad_cam(model, batch, 0, layer="maps")
    kernel, bias = model.get_layer("scores").get_weights()
    model.get_layer("scores").set_weights([2 * kernel, bias])
    np.testing.assert_allclose(explain.grad_cam(model, batch, 0, layer="maps"), 2 * before, rtol=1e-5)


def test_the_model_is_left_as_it_was(batch):
    model = branching()
    before = model.predict_on_batch(batch)
    explain.grad_cam(model, batch, layer="last")
    explain.penultimate(model, batch)
    assert "call" not in vars(model.get_layer("backbone").get_layer("last"))
    np.testing.assert_array_equal(model.predict_on_batch(batch), before)


def test_a_model_that_was_explained_can_be_let_go(batch):
    model = branching()
    explain.grad_cam(model, batch)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_layer_that_runs_twice_is_refused():
    shared = layers.Conv2D(1, 3, padding="same", name="shared")
    image = keras.Input((6, 6, 1))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(shared(shared(image))))
    with pytest.raises(ValueError, match="'shared' runs more than once"):
        explain.grad_cam(model, np.zeros((1, 6, 6, 1), "float32"))


def test_images_of_any_size_and_models_written_as_a_class():
    class Written(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(3, 3, name="conv")
            self.scores = layers.Dense(2)

        def call(self, x):
            return self.scores(ops.mean(self.conv(x), axis=(1, 2)))

    keras.utils.set_random_seed(0)
    model = Written()
    for size in (6, 9):
        assert explain.grad_cam(model, np.ones((2, size, size, 1), "float32"), 0).shape == (2, size - 2, size - 2)
    anysize = keras.Sequential(
        [keras.Input((None, None, 1)), layers.Conv2D(3, 3), layers.GlobalMaxPooling2D(), layers.Dense(2)]
    )
    for size in (6, 9):
        assert explain.grad_cam(anysize, np.ones((1, size, 7, 1), "float32"), 0).shape == (1, size - 2, 5)


# Softmax and sigmoid


@pytest.mark.parametrize(
    "end",
    [
        lambda: [layers.Dense(3, activation="softmax")],
        lambda: [layers.Dense(3), layers.Softmax()],
        lambda: [layers.Dense(3), layers.Activation("softmax")],
        lambda: [keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])],
        lambda: [layers.Dense(3, activation="sigmoid")],
    ],
)
def test_scores_before_the_last_activation_are_explained(end):
    plain, squashed = ending(layers.Dense(3)), ending(*end())
    squashed.set_weights(plain.get_weights())
    pictures = np.random.default_rng(0).normal(size=(3, 8, 8, 1))
    with pytest.warns(UserWarning, match="ends in a s.*; the scores before it are explained"):
        found = explain.grad_cam(squashed, pictures, 1)
    np.testing.assert_allclose(found, explain.grad_cam(plain, pictures, 1), atol=1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # said once
        np.testing.assert_allclose(explain.saliency(squashed, pictures, 1), explain.saliency(plain, pictures, 1))
    assert squashed.predict_on_batch(pictures).max() <= 1


# By the pixels


def test_saliency_is_the_gradient(model, batch):
    target = gradients.input_gradient(model)
    expected = np.abs(target(batch, np.eye(4)[[2]])).max(axis=-1)
    np.testing.assert_allclose(explain.saliency(model, batch, 2), expected, atol=1e-6)


def test_smooth_grad_without_noise_and_of_constant_images_is_saliency(model, batch):
    np.testing.assert_allclose(
        explain.smooth_grad(model, batch, noise=0.0, samples=2), explain.saliency(model, batch), atol=1e-6
    )
    flat = np.full_like(batch, 0.5)
    np.testing.assert_allclose(explain.smooth_grad(model, flat, samples=2), explain.saliency(model, flat), atol=1e-6)


def test_smooth_grad_averages_before_it_takes_the_length(model, batch):
    rng = np.random.default_rng(5)
    spread = 0.15 * np.ptp(batch, axis=(1, 2, 3), keepdims=True)
    noisy = [batch + (spread * rng.standard_normal(batch.shape)).astype("float32") for _ in range(4)]
    mean = np.mean([explain.image_gradient(model, copy, 1) for copy in noisy], axis=0)
    found = explain.smooth_grad(model, batch, 1, samples=4, seed=5)
    np.testing.assert_allclose(found, np.abs(mean).max(axis=-1), atol=1e-6)


@pytest.mark.parametrize("baseline", [0.0, 1.0, images(1, seed=9)[0]])
def test_integrated_gradients_are_complete(batch, baseline):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((12, 12, 3)), layers.Conv2D(4, 3, activation="tanh"), layers.Flatten(), layers.Dense(3)]
    )
    parts = explain.integrated_gradients(model, batch, 1, baseline=baseline, steps=64)
    start = np.broadcast_to(np.float32(baseline), batch.shape)
    rise = model.predict_on_batch(batch)[:, 1] - model.predict_on_batch(start)[:, 1]
    np.testing.assert_allclose(parts.sum(axis=(1, 2, 3)), rise, atol=2e-3)
    assert np.abs(rise).max() > 0.1


def test_integrated_gradients_of_a_linear_model_are_exact():
    model = ending(layers.Dense(2))
    pictures = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    expected = pictures * explain.image_gradient(model, pictures, 0)
    np.testing.assert_allclose(explain.integrated_gradients(model, pictures, 0, steps=1), expected, atol=1e-6)


# By trying


def reads_one_corner() -> keras.Model:
    """Two classes; the score of class 1 is 8 times the pixel at the top left."""
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    kernel = np.zeros((64, 2))
    kernel[0, 1] = 8
    model.set_weights([kernel, np.zeros(2)])
    return model


def test_occlusion_finds_the_one_pixel_that_counts():
    picture = np.ones((1, 8, 8, 1), "float32")
    fall = explain.occlusion(reads_one_corner(), picture, 1, window=2, stride=2, fill=0.0)[0]
    assert fall[:2, :2] == pytest.approx(1 / (1 + np.exp(-8)) - 0.5, abs=1e-6)
    assert np.abs(fall).sum() == pytest.approx(np.abs(fall[:2, :2]).sum())


def test_occlusion_averages_over_the_squares_that_hide_a_pixel():
    fall = explain.occlusion(reads_one_corner(), np.ones((1, 8, 8, 1), "float32"), 1, window=4, stride=2, fill=0.0)[0]
    full = 1 / (1 + np.exp(-8)) - 0.5
    assert fall[0, 0] == pytest.approx(full, abs=1e-6)  # one square hides it, and that counts
    assert fall[2, 2] == pytest.approx(full / 4, abs=1e-6)  # one of four
    assert fall[7, 7] == 0


def test_occlusion_of_a_constant_image_by_its_own_colour_is_nothing(model):
    flat = np.full((1, 12, 12, 3), 0.3, "float32")
    assert np.abs(explain.occlusion(model, flat, window=5, stride=3)).max() < 1e-6


def test_squares_reach_the_border():
    assert explain._starts(10, 4, 3) == [0, 3, 6]
    assert explain._starts(11, 4, 3) == [0, 3, 6, 7]


def test_maximise_raises_what_it_is_asked_for(model):
    for layer, channel in (("last", 2), (None, 3)):
        image = explain.maximise(model, channel, layer=layer, steps=20, jitter=1)
        assert image.min() >= 0
        assert image.max() <= 1
        both = np.stack([image, np.full_like(image, 0.5)])
        values = model.predict_on_batch(both) if layer is None else explain.activations(model, both, layer)
        values = values.reshape(2, -1, values.shape[-1]).mean(axis=1)[:, channel]
        assert values[0] > values[1] + 0.2


def test_maximise_several_channels_at_once(model):
    several = explain.maximise(model, [2, 0], layer="last", steps=12, jitter=1)
    assert several.shape == (2, *model.input_shape[1:])
    grey = np.full_like(several[:1], 0.5)
    values = explain.activations(model, np.concatenate([several, grey]), "last").mean(axis=(1, 2))
    assert values[0, 2] > values[2, 2] + 0.2
    assert values[1, 0] > values[2, 0] + 0.2
    one = explain.maximise(model, 2, layer="last", steps=12, jitter=1)
    np.testing.assert_allclose(explain.maximise(model, [2], layer="last", steps=12, jitter=1)[0], one, atol=1e-6)
    with pytest.raises(ValueError, match="channel -1 is out of range"):
        explain.maximise(model, [2, -1], layer="last", steps=1)


def test_maximise_the_middle_changes_only_what_the_middle_sees(model):
    settings = {"layer": "first", "steps": 3, "jitter": 0, "blur": 0}
    start = explain.maximise(model, 1, **{**settings, "steps": 0}, centre=True)
    middle, everywhere = (explain.maximise(model, 1, **settings, centre=centre) for centre in (True, False))
    changed = [(np.abs(image - start).max(axis=-1) > 0).sum() for image in (middle, everywhere)]
    assert 0 < changed[0] < changed[1]


def test_blur_is_a_gaussian():
    scipy = pytest.importorskip("scipy.ndimage")
    pictures = images(2)
    expected = scipy.gaussian_filter(pictures, (0, 1.2, 1.2, 0), mode="nearest", truncate=4 / 1.2)
    np.testing.assert_allclose(explain._blurred(pictures, 1.2), expected, atol=1e-5)


# Activations, filters, maps


def test_activations_of_any_layer(model, batch):
    pooled = explain.activations(model, batch, "maps").mean(axis=(1, 2))
    np.testing.assert_allclose(explain.activations(model, batch, "pool"), pooled, atol=1e-6)
    np.testing.assert_allclose(explain.penultimate(model, batch), pooled, atol=1e-6)
    scores = explain.activations(model, batch, model.get_layer("scores"), batch_size=2)
    np.testing.assert_allclose(scores, model.predict_on_batch(batch), atol=1e-5)


def test_filters_are_pictures(model):
    kernel = model.get_layer("backbone").get_layer("first").get_weights()[0]
    pictures = explain.filters(model)
    assert pictures.shape == (6, 3, 3, 3)
    assert pictures.min(axis=(1, 2, 3)) == pytest.approx(0)
    assert pictures.max(axis=(1, 2, 3)) == pytest.approx(1)
    assert pictures[4].argmax() == kernel[..., 4].argmax()
    with pytest.raises(ValueError, match="no kernel"):
        explain.filters(model, "pool")


def test_scaled_maps():
    maps = np.array([[[1.0, 3.0]], [[2.0, 2.0]], [[0.0, 0.0]]])
    np.testing.assert_array_equal(explain.scaled(maps), [[[0, 1]], [[0.5, 0.5]], [[0, 0]]])


def test_enlarged_keeps_a_constant_map_and_the_place_of_the_maximum():
    assert explain.enlarged(np.full((1, 3, 3), 0.7), (9, 12))[0] == pytest.approx(0.7)
    maps = np.zeros((1, 4, 4))
    maps[0, 1, 2] = 1
    large = explain.enlarged(maps, (16, 16))[0]
    assert np.unravel_index(large.argmax(), large.shape)[0] // 4 == 1
    assert np.unravel_index(large.argmax(), large.shape)[1] // 4 == 2


# Is it to be believed?


def test_randomised_keeps_the_values_and_loses_what_was_learnt(model, batch):
    other = explain.randomised(model)
    for ours, theirs in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(np.sort(ours, axis=None), np.sort(theirs, axis=None))
    assert np.abs(other.predict_on_batch(batch) - model.predict_on_batch(batch)).max() > 0.05
    one = explain.randomised(model, ["backbone/last"])
    changed = [not np.array_equal(a, b) for a, b in zip(model.get_weights(), one.get_weights())]
    assert [v.path.split("/")[-2] for v, c in zip(model.weights, changed) if c] == ["last", "last"]


def test_shuffled_within_is_the_randomised_copy_and_is_put_back(model, batch):
    before, wanted = model.predict_on_batch(batch), explain.randomised(model, seed=3).predict_on_batch(batch)
    with explain.shuffled(model, seed=3):
        np.testing.assert_allclose(model.predict_on_batch(batch), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(batch), before, rtol=1e-6)
    with pytest.raises(ValueError, match="nothing"), explain.shuffled(model, ["scores", "nothing"]):
        pass
    np.testing.assert_allclose(model.predict_on_batch(batch), before, rtol=1e-6)


def test_shuffling_from_the_top_goes_down_and_puts_everything_back(model, batch):
    before = [w.copy() for w in model.get_weights()]
    names = [v.path.split("/")[-2] for v in model.weights]
    seen = []
    for stage in explain.shuffled_from_the_top(model, ("scores", "backbone/last"), seed=1):
        changed = {n for n, old, new in zip(names, before, model.get_weights()) if not np.array_equal(old, new)}
        seen.append((stage, changed))
        for old, new in zip(before, model.get_weights()):
            np.testing.assert_array_equal(np.sort(old, axis=None), np.sort(new, axis=None))
    assert seen == [("scores", {"scores"}), ("backbone/last", {"scores", "last"})]
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_shuffling_takes_normalisation_along_if_it_is_told_to():
    keras.utils.set_random_seed(1)
    body = [layers.Conv2D(6, 3, name="top_conv"), layers.BatchNormalization(name="top_bn"), layers.ReLU()]
    net = keras.Sequential(
        [keras.Input((8, 8, 1)), *body, layers.GlobalAveragePooling2D(), layers.Dense(2, name="out")]
    )
    norm = net.get_layer("top_bn")
    learnt = np.arange(24.0).reshape(4, 6)
    norm.set_weights(list(learnt))
    for way in (False, True):
        for _ in explain.shuffled_from_the_top(net, ("out", "top"), normalisation=way):
            seen = np.array(norm.get_weights())
        assert np.array_equal(seen, learnt) != way
        np.testing.assert_array_equal(np.diff(seen, axis=0), 6)  # the four numbers of a channel stay together
        np.testing.assert_array_equal(np.array(norm.get_weights()), learnt)


def test_shuffling_puts_back_when_the_loop_breaks_off(model, batch):
    before = model.predict_on_batch(batch)
    cascade = explain.shuffled_from_the_top(model, ("scores", "backbone"))
    next(cascade)
    assert np.abs(model.predict_on_batch(batch) - before).max() > 0
    cascade.close()
    np.testing.assert_allclose(model.predict_on_batch(batch), before, rtol=1e-6)
    with pytest.raises(ValueError, match="begins with 'nothing'"):
        next(explain.shuffled_from_the_top(model, ("scores", "nothing")))


def test_rank_correlation_is_that_of_scipy():
    from scipy import stats

    rng = np.random.default_rng(0)
    maps, others = rng.integers(0, 5, (2, 4, 3, 6))
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(maps, others)]
    np.testing.assert_allclose(explain.rank_correlation(maps, others), expected, atol=1e-12)
    np.testing.assert_allclose(explain.rank_correlation(maps, np.exp(maps)), 1)
    assert explain.rank_correlation(maps[:1], np.zeros((1, 3, 6))).tolist() == [0]
    with pytest.raises(ValueError, match="expected the same shape"):
        explain.rank_correlation(maps, others[:2])


def test_occlusion_compiles_one_shape_only(model, batch, monkeypatch):
    shapes = []
    own = explain._probabilities

    def watched(*asked):
        run = own(*asked)
        return lambda images: (shapes.append(len(images)), run(images))[1]

    monkeypatch.setattr(explain, "_probabilities", watched)
    small = explain.occlusion(model, batch, 0, window=4, stride=4, batch_size=4)
    assert set(shapes) == {4}
    np.testing.assert_allclose(small, explain.occlusion(model, batch, 0, window=4, stride=4), atol=1e-6)
    assert set(shapes) == {4, 10}


def test_pointing_game():
    maps = np.zeros((4, 4, 4))
    maps[0, 1, 2] = maps[1, 1, 2] = maps[2, 3, 0] = 1  # the last map points nowhere
    boxes = [[2, 1, 3, 2], [0, 0, 2, 4], [0, 3, 1, 4], [0, 0, 4, 4]]
    assert explain.pointing_game(maps, boxes).tolist() == [True, False, True, False]
    assert explain.pointing_game(maps, 8 * np.array(boxes), size=(32, 32)).tolist() == [True, False, True, False]
    with pytest.raises(ValueError, match="no area"):
        explain.pointing_game(maps[:1], [[2, 1, 2, 2]])
    with pytest.raises(ValueError, match=r"expected \(n, height, width\) and \(n, 4\)"):
        explain.pointing_game(maps, boxes[:2])


def test_pca_is_that_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    features = np.random.default_rng(0).normal(size=(30, 5)) * [5, 1, 3, 0.5, 2]
    ours, theirs = explain.project(features), decomposition.PCA(2).fit_transform(features)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-6)
    assert explain.project(np.arange(3.0)[:, None]).shape == (3, 2)


def test_tsne_keeps_groups_together():
    groups = np.repeat([[0.0] * 8, [20.0] * 8], 12, axis=0)
    plane = explain.project(groups + np.random.default_rng(0).normal(size=(24, 8)), "tsne")
    means = plane[:12].mean(axis=0), plane[12:].mean(axis=0)
    assert np.linalg.norm(means[0] - means[1]) > 2 * plane[:12].std()


def test_tsne_finds_rings_that_no_plane_shows():
    rng = np.random.default_rng(0)
    centres = 6 * np.eye(5)
    labels = np.arange(5).repeat(20)
    features = centres[labels] + rng.normal(0, 1, (100, 5))

    def same(plane):
        distances = explain._squared_distances(plane)
        np.fill_diagonal(distances, np.inf)
        return np.mean(labels[distances.argmin(axis=1)] == labels)

    assert same(explain.project(features, "tsne")) > 0.97
    assert same(explain.project(features, "pca")) < 0.9


def test_neighbour_shares_have_the_perplexity_asked_for():
    features = np.random.default_rng(0).normal(size=(50, 3)) * np.array([1, 10, 0.1])
    distances = explain._squared_distances(features)
    shares = explain._neighbour_shares(features, 7.0)
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(shares, shares.T)
    assert (np.diag(shares) == 0).all()
    assert distances[shares > 1e-3].mean() < distances.mean() / 2
    entropy = -np.sum(shares * 50 * np.log(np.maximum(shares * 50, 1e-300)), axis=1)
    assert 6 < np.exp(np.median(entropy)) < 10  # symmetrised, so about 7


# Bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": np.zeros((12, 12, 3))}, ValueError, r"One image: x\[None\]"),
        ({"images": np.zeros((1, 12, 12))}, ValueError, r"One image: x\[None\]"),
        ({"images": np.zeros((0, 12, 12, 3))}, ValueError, "n of 1 or more"),
        ({"images": np.zeros((1, 12, 12, 3), "uint8")}, TypeError, "preprocessed as the model wants"),
        ({"images": np.full((1, 12, 12, 3), np.nan)}, ValueError, "NaN or infinity"),
        ({"images": np.zeros((1, 10, 12, 3))}, ValueError, r"shape \(10, 12, 3\); model 'nested' takes \(12, 12, 3\)"),
        ({"images": np.full((1, 12, 12, 3), 255.0), "value_range": (0, 1)}, ValueError, "not at all"),
        ({"classes": 4}, ValueError, "class 4 is out of range: the model has 4 classes"),
        ({"classes": -1}, ValueError, "class -1 is out of range"),
        ({"classes": [0, 1]}, ValueError, "5 of them, one for each image"),
        ({"classes": "cat"}, ValueError, "Names and one-hot rows"),
        ({"layer": "pool"}, ValueError, "without height and width.*such as 'last'"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
    ],
)
def test_bad_input_of_grad_cam(model, batch, change, error, message):
    with pytest.raises(error, match=message):
        explain.grad_cam(**({"model": model, "images": batch} | change))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: explain.smooth_grad(m, x, samples=0), "samples=0"),
        (lambda m, x: explain.smooth_grad(m, x, noise=-1), "no negative noise"),
        (lambda m, x: explain.integrated_gradients(m, x, steps=0), "steps=0"),
        (lambda m, x: explain.integrated_gradients(m, x, baseline=np.zeros((7, 7))), "does not fit images"),
        (lambda m, x: explain.occlusion(m, x, window=4, stride=5), "never be hidden"),
        (lambda m, x: explain.occlusion(m, x, window=13), "window <= 12"),
        (lambda m, x: explain.maximise(m, 4), "class 4 is out of range"),
        (lambda m, x: explain.maximise(m, 6, layer="last"), "channel 6 is out of range: layer 'last' has 6"),
        (lambda m, x: explain.project(x), "expected"),
        (lambda m, x: explain.project(x.reshape(5, -1), "umap"), "choose 'pca' or 'tsne'"),
        (lambda m, x: explain.activations(m, x, "nothing"), "no layer 'nothing'"),
    ],
)
def test_other_bad_input(model, batch, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, batch)


def test_a_model_that_returns_maps_has_no_score():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    with pytest.raises(ValueError, match="expected one score per class"):
        explain.saliency(model, np.zeros((1, 8, 8, 1), "float32"))


# Backends


@pytest.fixture(scope="module")
def results_by_backend(tmp_path_factory):
    """The fixed case of explain_case.py, each installed backend in a process of its own."""
    folder, processes = tmp_path_factory.mktemp("backends"), {}
    for backend in BACKENDS:
        if importlib.util.find_spec(backend):
            command = [
                sys.executable,
                str(Path(__file__).parent / "support" / "explain_case.py"),
                str(folder / backend),
            ]
            environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            processes[backend] = subprocess.run(command, env=environment, capture_output=True, text=True)
    return folder, processes


@pytest.mark.parametrize("pair", list(itertools.combinations(BACKENDS, 2)), ids="-".join)
def test_backends_agree(results_by_backend, pair):
    folder, processes = results_by_backend
    for backend in pair:
        if backend not in processes:
            pytest.skip(f"{backend} is not installed")
        assert processes[backend].returncode == 0, processes[backend].stderr
    first, second = (np.load(folder / f"{backend}.npz") for backend in pair)
    assert set(first.files) == set(second.files)
    assert len(first.files) == 13
    for name in first.files:
        assert np.abs(first[name]).max() > 1e-3, name
        np.testing.assert_allclose(first[name], second[name], atol=1e-4, err_msg=name)
