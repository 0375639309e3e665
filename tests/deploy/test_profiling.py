"""Profiles: each layer has a row, slow ones stand out, and the model is as it was afterwards."""

import time

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import deploy

IMAGES = np.zeros((2, 8, 8, 3), "float32")


@keras.saving.register_keras_serializable(package="tests")
class Slow(layers.Layer):
    def call(self, x):
        time.sleep(0.02)
        return x


def model():
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 1, name="inside")], name="inner")
    relu = layers.ReLU(name="relu")
    x = image = keras.Input((8, 8, 3))
    x = relu(layers.Conv2D(4, 3, name="conv", padding="same")(x))
    x = relu(inner(x))
    return keras.Model(image, Slow(name="slow")(x))


def test_every_layer_has_a_row_and_the_slow_one_stands_out():
    profile = deploy.layer_profile(model(), IMAGES, repetitions=2)
    assert [row.name for row in profile] == ["conv", "relu", "inside", "slow"]
    times = {row.name: row.milliseconds for row in profile}
    assert times["slow"] >= 20
    assert next(iter(profile.by_type())) == "Slow"
    assert profile.total == pytest.approx(sum(times.values()))
    assert profile.whole >= 20
    assert "Slow" in str(profile)
    assert profile[0].type == "Conv2D"


def test_the_model_is_as_it_was():
    network = model()
    before = network.predict(IMAGES, verbose=0)
    deploy.layer_profile(network, IMAGES, 1)
    assert not any("call" in vars(layer) for layer in network.layers)
    np.testing.assert_array_equal(network.predict(IMAGES, verbose=0), before)


def test_the_model_is_as_it_was_after_an_error():
    network = model()
    with pytest.raises(Exception):  # noqa: B017, PT011 - each backend raises its own
        deploy.layer_profile(network, np.zeros((1, 8, 8, 5), "float32"), 1)
    assert not any("call" in vars(layer) for layer in network.layers)


def test_no_repetition_is_refused():
    for look in (lambda: deploy.layer_profile(model(), IMAGES, 0), lambda: deploy.onnx_profile("x.onnx", IMAGES, 0)):
        with pytest.raises(ValueError, match="repetitions=0"):
            look()
