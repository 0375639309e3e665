"""Weights between the layouts of PyTorch and Keras."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import porting
from cnnlib.porting.numbers import numbers, state


def network():
    parts = [
        layers.Conv2D(4, 3, name="body_0"),
        layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="body_1"),
        layers.BatchNormalization(name="body_2"),
        layers.Conv2DTranspose(3, 2, strides=2, name="up"),
        layers.Flatten(),
        layers.Dense(5, name="head"),
    ]
    return keras.Sequential([keras.Input((8, 8, 2)), *parts])


LAYOUT = [
    ("body.0.weight", (4, 2, 3, 3)),
    ("body.0.bias", (4,)),
    ("body.1.weight", (8, 1, 3, 3)),
    *((f"body.2.{name}", (8,)) for name in ("weight", "bias", "running_mean", "running_var")),
    ("up.weight", (8, 3, 2, 2)),
    ("up.bias", (3,)),
    ("head.weight", (5, 192)),
    ("head.bias", (5,)),
]
STATE = state(LAYOUT)


def flat(found):
    return {f"{layer}.{entry}": array for layer, entries in found.items() for entry, array in entries.items()}


def test_there_and_back_nothing_is_lost():
    model = network()
    porting.to_keras(model, STATE)
    back = flat(porting.from_keras(model))
    assert list(back) == [name.replace("body.", "body_") for name, _ in LAYOUT]
    for (name, _), array in zip(LAYOUT, back.values()):
        np.testing.assert_array_equal(array, STATE[name])


def test_a_convolution_is_the_sum_that_pytorch_documents():
    model = keras.Sequential([keras.Input((5, 6, 2)), layers.Conv2D(3, (3, 2))])
    weight, bias, x = numbers(3, 2, 3, 2), numbers(3), numbers(1, 2, 5, 6)
    porting.to_keras(model, {"weight": weight, "bias": bias})
    came = porting.channels_first(model(porting.channels_last(x)))
    windows = {(i, j): x[:, :, i : i + 3, j : j + 5] for i in range(3) for j in range(2)}
    expected = sum(np.einsum("oc,nchw->nohw", weight[:, :, i, j], part) for (i, j), part in windows.items())
    np.testing.assert_allclose(came, expected + bias[:, None, None], atol=1e-5)


def test_layers_are_paired_by_name_or_else_in_their_order():
    one, two = layers.Dense(3, name="b"), layers.Dense(3, name="a")
    x = keras.Input((3,))
    model = keras.Model(x, two(one(x)))
    arrays = state([("a.weight", (3, 3)), ("a.bias", (3,)), ("b.weight", (3, 3)), ("b.bias", (3,))])
    porting.to_keras(model, arrays)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(one.kernel), arrays["b.weight"].T)
    porting.to_keras(model, {name.replace("a.", "x.").replace("b.", "y."): array for name, array in arrays.items()})
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(one.kernel), arrays["a.weight"].T)


def test_behind_a_flattened_map_inputs_are_put_into_the_other_order():
    model = keras.Sequential([keras.Input((2, 3, 4)), layers.Flatten(), layers.Dense(5, name="head")])
    arrays, x = state([("weight", (5, 24)), ("bias", (5,))]), numbers(2, 4, 2, 3)
    porting.to_keras(model, arrays, flattened={"head": (4, 2, 3)})
    came = keras.ops.convert_to_numpy(model(porting.channels_last(x)))
    np.testing.assert_allclose(came, x.reshape(2, -1) @ arrays["weight"].T + arrays["bias"], atol=1e-5)
    with pytest.raises(ValueError, match="24 inputs; a map of"):
        porting.to_keras(model, arrays, flattened={"head": (4, 2, 2)})
    with pytest.raises(ValueError, match="flattened names tail"):
        porting.to_keras(model, arrays, flattened={"tail": (4, 2, 3)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays: arrays.pop("body.0.bias"), "body.0 of PyTorch has weight; body_0 .* expects bias, weight"),
        (lambda arrays: [arrays.pop(f"up.{name}") for name in ("weight", "bias")], "PyTorch has 4 modules"),
        (
            lambda arrays: arrays.update({"up.weight": numbers(8, 2, 2, 2)}),
            r"shape \(2, 2, 2, 8\); up .* \(2, 2, 3, 8\)",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_set(change, said):
    model, arrays = network(), dict(STATE)
    change(arrays)
    before = flat(porting.from_keras(model))
    with pytest.raises(ValueError, match=said):
        porting.to_keras(model, arrays)
    for name, array in flat(porting.from_keras(model)).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_layer_of_another_kind_is_refused():
    model = keras.Sequential([keras.Input((4, 3)), layers.LSTM(2)])
    with pytest.raises(ValueError, match="is a LSTM"):
        porting.from_keras(model)


def test_counts_of_batches_are_passed_over():
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization()])
    arrays = state([(name, (3,)) for name in ("weight", "bias", "running_mean", "running_var")])
    porting.to_keras(model, {**arrays, "num_batches_tracked": np.array(7)})
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.layers[0].moving_mean), arrays["running_mean"])
