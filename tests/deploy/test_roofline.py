"""The roofline: counts by hand, and a machine whose numbers are known."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import deploy
from cnnlib.trace import trace


def traced(layer, shape=(56, 56, 64)):
    image = keras.Input(shape)
    return trace(keras.Model(image, layer(image)))


def test_a_convolution_by_hand():
    (cost,) = deploy.intensities(traced(layers.Conv2D(64, 3, padding="same", use_bias=False, name="c"))).values()
    assert cost.operations == 2 * 56 * 56 * 9 * 64 * 64
    assert cost.moved == 4 * (2 * 56 * 56 * 64 + 9 * 64 * 64)
    assert cost.intensity == pytest.approx(131.9, abs=0.1)


def test_a_batch_shares_the_weights_and_bytes_count():
    dense = traced(layers.Dense(1000, use_bias=False, name="d"), (1280,))
    one, many = (deploy.intensities(dense, batch)["d"] for batch in (1, 32))
    assert many.operations == 32 * one.operations
    assert many.moved == 4 * (32 * 2280 + 1_280_000)
    assert deploy.intensities(dense, bytes_each=1)["d"].intensity == pytest.approx(4 * one.intensity)


def test_layers_that_do_not_multiply_have_no_row():
    image = keras.Input((8, 8, 3))
    maps = layers.ReLU()(layers.Conv2D(4, 3, name="c")(image))
    assert list(deploy.intensities(trace(keras.Model(image, maps)))) == ["c"]


def test_two_inputs_are_both_read():
    image = keras.Input((8, 8, 3))
    both = layers.Concatenate()([image, layers.ReLU()(image)])
    model = keras.Model(image, layers.Conv2D(4, 1, use_bias=False, name="c")(both))
    assert deploy.intensities(trace(model))["c"].moved == 4 * (64 * 6 + 64 * 4 + 24)


def test_the_roof_has_a_slope_and_a_top():
    machine = deploy.Machine(peak=100e9, bandwidth=10e9)
    assert machine.ridge == 10
    np.testing.assert_allclose(machine.roof([1, 10, 100]), [10e9, 100e9, 100e9])
    assert machine.seconds(22e6, 9.2e6) == pytest.approx(0.92e-3)
    assert machine.seconds(40e6, 0.8e6) == pytest.approx(0.4e-3)
    assert str(machine) == "100 G operations/s, 10.0 GB/s, ridge at 10.0 operations per byte"


def test_this_machine_is_measured():
    machine = deploy.machine(0.2)
    assert 1e8 < machine.peak < 1e15
    assert 1e8 < machine.bandwidth < 1e13


def test_another_product_can_be_measured():
    calls = []
    deploy.machine(0.01, multiply=lambda a, b: calls.append(a.shape))
    assert set(calls) == {(512, 512), (1024, 1024)}


@pytest.mark.parametrize("options", [{"batch": 0}, {"bytes_each": 0}])
def test_counts_below_one_are_refused(options):
    with pytest.raises(ValueError, match="expected 1 or more"):
        deploy.intensities(traced(layers.Dense(2), (3,)), **options)


def test_no_time_is_refused():
    with pytest.raises(ValueError, match="seconds=0"):
        deploy.machine(0)
