"""int8: one tensor by hand, folded normalisations against Keras, and whole networks."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from cnnlib import deploy, models

tensors = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=30).map(lambda v: np.array(v, "float32"))
quick = settings(max_examples=200, deadline=None, derandomize=True)


@quick
@given(tensors)
def test_the_ends_and_zero_are_met_and_no_value_is_more_than_half_a_step_off(x):
    by = deploy.scheme(x)
    assert by.quantise(x).dtype == np.int8
    assert by.rounded(np.float32(0)) == 0
    step = float(by.scale)
    # Half a step for the value, and at most half a step because the zero point is rounded, too.
    assert np.abs(by.rounded(x) - x).max() <= step * 1.01
    assert -128 <= int(by.zero_point) <= 127


@quick
@given(tensors)
def test_a_symmetric_scheme_has_zero_at_zero(x):
    by = deploy.scheme(x, symmetric=True)
    assert by.zero_point == 0
    assert np.abs(by.quantise(x).astype(int)).max() <= 127
    assert np.abs(by.rounded(x) - x).max() <= float(by.scale) * 0.501


def test_numbers_by_hand():
    by = deploy.scheme(np.array([-1.0, 0.0, 1.55]))
    assert by.scale == pytest.approx(0.01)
    assert by.zero_point == -28
    assert by.quantise([-1.0, 0.0, 0.5, 1.55, 9.0]).tolist() == [-128, -28, 22, 127, 127]
    assert by.dequantise(np.int8(22)) == pytest.approx(0.5)


def test_a_channel_has_a_scale_of_its_own():
    x = np.stack([np.linspace(-1, 1, 9), np.linspace(-100, 100, 9)], -1)
    by = deploy.scheme(x, axis=-1, symmetric=True)
    np.testing.assert_allclose(by.scale.ravel(), [1 / 127, 100 / 127], rtol=1e-6)
    whole = deploy.quantisation_errors(x[:, :1], deploy.scheme(x, symmetric=True))["both"]
    own = deploy.quantisation_errors(x[:, :1], deploy.scheme(x[:, :1], symmetric=True))["both"]
    assert whole > 20 * own


def test_the_two_errors_are_told_apart():
    x = np.array([0.0] * 50 + [1.0] * 49 + [10.0])
    full, cut = deploy.scheme(x), deploy.scheme(x, share=0.98)
    assert deploy.quantisation_errors(x, full)["clipping"] == pytest.approx(0, abs=1e-6)
    lost = deploy.quantisation_errors(x, cut)
    assert lost["clipping"] > 0.1
    assert lost["both"] == pytest.approx(np.hypot(lost["rounding"], lost["clipping"]), rel=0.2)


@pytest.mark.parametrize(
    ("x", "options", "says"),
    [
        (np.array([]), {}, "at least one"),
        (np.array([1.0, np.nan]), {}, "finite"),
        (np.ones(3), {"share": 0.5}, "share=0.5"),
        (np.ones(3), {"share": 1.1}, "share=1.1"),
    ],
)
def test_what_cannot_be_quantised_is_refused(x, options, says):
    with pytest.raises(ValueError, match=says):
        deploy.scheme(x, **options)


# A whole network ------------------------------------------------------------------------------------------------------


def lively(model, seed=0):
    """Normalisations with statistics of their own; a new one would be hardly more than a copy."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, v.shape) for v in layer.get_weights()])
    return model


def small(norm=True):
    x = image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="first")(x)
    x = layers.BatchNormalization(name="first_norm")(x) if norm else x
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, strides=2, name="thin")(x)
    x = layers.BatchNormalization(scale=False, name="thin_norm")(x)
    x = layers.Conv2D(5, 1, activation="relu", name="active")(x)
    x = layers.BatchNormalization(name="kept")(x)
    return lively(keras.Model(image, layers.Dense(4, name="logits")(layers.GlobalAveragePooling2D()(x))))


IMAGES = np.random.default_rng(1).normal(size=(20, 8, 8, 3)).astype("float32")


def test_folding_changes_nothing_but_the_layers():
    model = small()
    folded = deploy.fold_batch_norm(model)
    names = [layer.name for layer in folded.layers]
    assert "first_norm" not in names
    assert "thin_norm" not in names
    assert "kept" in names, "behind an activation it cannot be folded"
    assert deploy.parity(deploy.load(folded), model, IMAGES, tolerance=1e-5).holds


def test_folding_leaves_a_convolution_that_two_layers_read():
    image = keras.Input((8, 8, 3))
    maps = layers.Conv2D(3, 3, padding="same", name="shared")(image)
    model = lively(keras.Model(image, layers.Add()([maps, layers.BatchNormalization(name="norm")(maps)])))
    folded = deploy.fold_batch_norm(model)
    assert "norm" in [layer.name for layer in folded.layers]
    np.testing.assert_allclose(folded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        lambda: models.CifarResNet(8),
        lambda: models.MobileNetV2((32, 32, 3), num_classes=10, width=0.25, small_images=True),
    ],
)
def test_folding_the_families(model):
    model = lively(model())
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    ours, theirs = deploy.fold_batch_norm(model).predict(images, verbose=0), model.predict(images, verbose=0)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_nested_models_are_refused():
    image = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="holds another model"):
        deploy.fold_batch_norm(keras.Model(image, small()(image)))


def test_nothing_rounded_is_the_network_itself_and_all_rounded_is_near():
    model = small()
    by = deploy.Int8(model, IMAGES)
    assert by.layers == ("first", "thin", "active", "logits")
    exact = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(by.only().predict(IMAGES), exact, atol=1e-5)
    moved = {name: np.abs(by.only(name).predict(IMAGES) - exact).max() for name in by.layers}
    assert min(moved.values()) > 1e-4, "each layer alone shows"
    together = np.abs(by.only(*by.layers).predict(IMAGES) - exact).max()
    assert max(moved.values()) / 3 < together < 0.1 * np.abs(exact).max()
    np.testing.assert_allclose(
        by.without(["first"]).predict(IMAGES), by.only("thin", "active", "logits").predict(IMAGES)
    )


def test_a_layer_is_rounded_as_by_hand():
    image = keras.Input((4,))
    model = keras.Model(image, layers.Dense(3, name="logits")(image))
    x = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
    kernel, bias = model.get_layer("logits").get_weights()
    inputs, weights = deploy.scheme(x), deploy.scheme(kernel, axis=1, symmetric=True)
    expected = inputs.rounded(x) @ weights.rounded(kernel) + bias
    np.testing.assert_allclose(deploy.Int8(model, x).predict(x), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_per_tensor_is_coarser_for_the_channels_beside_a_wide_one(seed):
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Conv2D(6, 3, name="logits")(image))
    kernel, bias = model.get_layer("logits").get_weights()
    kernel[..., 0] *= 50
    model.get_layer("logits").set_weights([kernel, bias])
    beside = model.predict(IMAGES, verbose=0)[..., 1:]
    apart = [np.abs(deploy.Int8(model, IMAGES, way).predict(IMAGES)[..., 1:] - beside).mean() for way in (True, False)]
    assert 5 * apart[0] < apart[1]


def test_unknown_layers_and_no_calibration_are_refused():
    by = deploy.Int8(small(), IMAGES)
    with pytest.raises(ValueError, match="no 'second' to round"):
        by.only("second")
    with pytest.raises(ValueError, match="no 'second' to leave out"):
        by.without(["second"])
    with pytest.raises(ValueError, match="calibration is empty"):
        deploy.Int8(small(), IMAGES[:0])
