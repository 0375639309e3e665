"""The networks trained by this course: as good on the bundled test images as their cards say, and built as told."""

import math

import keras
import numpy as np
import pytest

from cnnlib import datasets, models, runtime

NETWORKS = {
    "lenet5_fashion_mnist": (models.LeNet5, {"variant": "modern", "input_shape": (28, 28, 1)}),
    "resnet20_cifar10": (models.CifarResNet, {"depth": 20}),
    "small_vgg_cifar10": (models.SmallVGG, {}),
    "mobilenetv2_cifar10": (
        models.MobileNetV2,
        {"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.5, "small_images": True},
    ),
}
CARD = {"accuracy", "parameters", "command", "seed", "device", "minutes", "epochs", "data", "date", "versions"}
by_name = pytest.mark.parametrize("name", NETWORKS)


def loaded(name: str) -> keras.Model:
    family, options = NETWORKS[name]
    model = family(**options)
    datasets.load_weights(model, name)
    return model


def standard_errors(model: keras.Model, name: str) -> float:
    """How many standard errors of a sample lie between the accuracy on the bundled images and that of the card."""
    images = (datasets.cifar10 if name.endswith("cifar10") else datasets.fashion_mnist)(size=1)
    right = np.mean(model.predict(images.x_test, batch_size=250, verbose=0).argmax(-1) == images.y_test)
    stated = datasets.weights_card(name)["accuracy"]
    return abs(right - stated) / math.sqrt(stated * (1 - stated) / len(images.y_test))


@by_name
def test_the_accuracy_is_that_of_the_card_and_a_damaged_weight_shows(name):
    model = loaded(name)
    assert standard_errors(model, name) <= 3
    kernels = [variable for variable in model.trainable_variables if variable.path.endswith("kernel")]
    middle = kernels[len(kernels) // 2]
    middle.assign(np.roll(keras.ops.convert_to_numpy(middle), 1, axis=2 if len(middle.shape) == 4 else 0))
    assert standard_errors(model, name) > 3


@by_name
def test_the_card(name):
    card = datasets.weights_card(name)
    assert set(card) >= CARD
    assert 0.1 < card["accuracy"] < 1
    family, options = NETWORKS[name]
    model = family(**options)
    assert card["parameters"] == sum(math.prod(v.shape) for v in model.trainable_variables)
    assert card["network"] == f"{family.__name__}({', '.join(f'{k}={v!r}' for k, v in options.items())})"
    assert f"train_weights.py {name} " in card["command"]
    assert f"--epochs {card['epochs']} --seed {card['seed']}" in card["command"]


@by_name
def test_the_constructor_loads_them(name):
    family, options = NETWORKS[name]
    expected = datasets.weights(name)
    for variable in family(**options, weights=name.split("_", 1)[1].removeprefix("vgg_")).weights:
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), expected[variable.path])


def test_an_unknown_card_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="no weights 'efficientnet_lite0_imagenet' with a card.*resnet20_cifar10"):
        datasets.weights_card("efficientnet_lite0_imagenet")


def test_they_are_small():
    folder = runtime.root() / "data" / "weights"
    assert sum((folder / f"{name}.npz").stat().st_size for name in NETWORKS) < 3.5e6
