"""The depthwise convolution that is computed as a sum of shifted images where JAX runs on a CPU."""

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from cnnlib import gradients
from cnnlib.models import common, efficientnet_lite
from cnnlib.trace import trace

ROOT = Path(__file__).parents[2]
ONE_OF_THEM = st.sampled_from([{}, {"strides": 2}, {"strides": 3}, {"dilation_rate": 2}, {"dilation_rate": (1, 3)}])


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    step=ONE_OF_THEM,
    padding=st.sampled_from(["same", "valid"]),
    size=st.tuples(st.integers(10, 13), st.integers(10, 13)),
    channels=st.integers(1, 3),
    batch=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_shifted_images_add_up_to_the_convolution_of_keras(kernel, step, padding, size, channels, batch, seed):
    ours = common.DepthwiseConv2D(kernel, padding=padding, use_bias=False, **step)
    theirs = layers.DepthwiseConv2D(kernel, padding=padding, use_bias=False, **step)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, *size, channels), "float32")
    values = rng.standard_normal((*kernel, channels, 1), "float32")
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.set_weights([values])
    shifted = keras.ops.convert_to_numpy(ours._shifted(keras.ops.convert_to_tensor(x)))
    np.testing.assert_allclose(shifted, keras.ops.convert_to_numpy(theirs(x)), atol=2e-5)


@pytest.mark.parametrize("shape", [(8, None, 3), (8, 9, 3)])
def test_shapes_that_are_open_and_multipliers_are_left_to_keras(shape):
    image = keras.Input(shape)
    model = keras.Model(image, common.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")(image))
    found = model.predict(np.ones((2, 8, 9, 3)), verbose=0)
    assert found.shape == (2, 6, 7, 6)
    assert found.min() >= 0


def test_it_is_traced_as_that_of_keras():
    image = keras.Input((16, 16, 3))
    ours, theirs = (
        trace(keras.Model(image, kind(5, strides=2, padding="same")(image)))
        for kind in (common.DepthwiseConv2D, layers.DepthwiseConv2D)
    )
    assert ours.total_macs == theirs.total_macs == 8 * 8 * 25 * 3
    assert ours[-1].receptive_field == theirs[-1].receptive_field == 5
    assert ours[-1].type == "DepthwiseConv2D"


def test_models_hold_it_and_saved_ones_load(tmp_path):
    model = efficientnet_lite.EfficientNetLite0(None, (32, 32, 3), num_classes=3)
    depthwise = [layer for layer in model.layers if isinstance(layer, layers.DepthwiseConv2D)]
    assert len(depthwise) == 16
    assert all(type(layer) is common.DepthwiseConv2D for layer in depthwise)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).standard_normal((2, 32, 32, 3))
    np.testing.assert_allclose(again.predict_on_batch(x), model.predict_on_batch(x), rtol=1e-5)


def test_an_array_is_not_traced():
    assert not gradients.is_traced(np.zeros(3))
    assert not gradients.is_traced(keras.ops.zeros(3))


@pytest.mark.slow
def test_on_jax_compiled_and_eager_calls_and_gradients_agree():
    """Eager calls are computed by Keras, compiled ones by shifted images; both kernels' ways of writing them."""
    if not importlib.util.find_spec("jax"):
        pytest.skip("jax is not installed")
    code = """
        import jax, keras, numpy as np
        from cnnlib.models import common
        rng = np.random.default_rng(0)
        x = rng.standard_normal((2, 9, 8, 5)).astype("float32")
        counted, shifted = [], common.DepthwiseConv2D._shifted
        common.DepthwiseConv2D._shifted = lambda layer, x: counted.append(1) or shifted(layer, x)
        for kernel, stride in ((3, 1), (3, 2), (5, 2)):
            settings = {"strides": stride, "padding": "same", "bias_initializer": "normal", "activation": "elu"}
            ours = common.DepthwiseConv2D(kernel, **settings)
            theirs = keras.layers.DepthwiseConv2D(kernel, **settings)
            for layer in (ours, theirs):
                layer.build(x.shape)
            theirs.set_weights(ours.get_weights())
            assert not counted
            np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)
            assert not counted, "an eager call would compile anew each time"
            np.testing.assert_allclose(jax.jit(ours)(x), theirs(x), atol=1e-5)
            assert counted, "a compiled call is not computed by shifted images"

            def slopes(layer):
                values = [v.value for v in layer.trainable_variables]
                call = lambda values, x: (layer.stateless_call(values, [], x)[0] ** 2).sum()
                return jax.tree.leaves(jax.jit(jax.grad(call, (0, 1)))(values, x))

            for mine, reference in zip(slopes(ours), slopes(theirs), strict=True):
                np.testing.assert_allclose(mine, reference, atol=1e-4)
            counted.clear()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
