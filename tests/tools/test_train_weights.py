"""The tool that trains the shipped weights: schedule, batches, resuming, cards, and PyTorch equal to Keras."""

import importlib.util
import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import train_weights
from keras import layers
from train_weights import RECIPES, Recipe, Split

from cnnlib import datasets, runtime

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
# The optimizers of PyTorch import Triton, and where TensorFlow is in the process already, that ends it (a segmentation
# fault): the tool keeps to one framework, and so do these tests.
trains = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or keras.backend.backend() != "torch", reason="needs KERAS_BACKEND=torch"
)


@pytest.fixture
def network():
    """TorchNetwork, imported where PyTorch is."""
    from _torch_network import TorchNetwork

    return TorchNetwork


def small_network(input_shape=(8, 8, 1), num_classes=2, dropout=0.0) -> keras.Model:
    x = inputs = keras.Input(input_shape)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(momentum=0.5, name="norm")(x)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x))


SMALL = Recipe(small_network, {}, "cifar10", 3, 0.1, batch_size=32, crop=1)


def stripes(n: int = 128, seed: int = 0) -> Split:
    """8x8 pictures of stripes that lie (class 0) or stand (class 1), with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    lying = np.broadcast_to((np.arange(8) % 2 * 150)[:, None], (8, 8))
    images = np.where(labels[:, None, None] == 0, lying, lying.T) + rng.integers(0, 100, (n, 8, 8))
    return Split(images[..., None].astype("uint8"), labels.astype("int64"))


# --- recipe ----------------------------------------------------------------------------------------------------------


def test_the_rate_climbs_stays_and_falls():
    rates = np.array([train_weights.learning_rate(SMALL._replace(epochs=9), 100, step) for step in range(900)])
    assert rates[0] == pytest.approx(0.1 / 200)
    np.testing.assert_allclose(rates[199:600], 0.1)
    np.testing.assert_allclose(np.diff(rates[600:]), -0.1 / 300)
    assert rates[-1] == pytest.approx(0.1 / 300)


def test_until_it_falls_the_rate_does_not_depend_on_the_number_of_epochs():
    for epochs in (6, 12, 30):
        for step in range(0, 400, 7):
            recipe = SMALL._replace(epochs=epochs)
            assert train_weights.learning_rate(recipe, 100, step) == train_weights.learning_rate(
                SMALL._replace(epochs=99), 100, step
            )


def numbered(n: int = 200, size: int = 12) -> Split:
    """Pictures of one value each, which is their label: a shifted, mirrored one still tells which it was."""
    return Split(np.repeat(np.arange(n, dtype=np.uint8), size * size).reshape(n, size, size, 1), np.arange(n))


def test_an_epoch_visits_every_image_once_with_its_label():
    seen = []
    for images, labels in train_weights.augmented(numbered(), SMALL, 0, 0):
        assert images.dtype == np.float32
        assert images.shape == (len(labels), 12, 12, 1)
        np.testing.assert_array_equal(np.rint(images * 255), np.broadcast_to(labels[:, None, None, None], images.shape))
        seen += list(labels)
    assert sorted(seen) == list(range(200))


def test_batches_depend_on_seed_and_epoch_alone():
    def epoch(seed, number):
        return np.concatenate([x.ravel() for x, _ in train_weights.augmented(stripes(), SMALL, seed, number)])

    np.testing.assert_array_equal(epoch(1, 2), epoch(1, 2))
    assert not np.array_equal(epoch(1, 2), epoch(1, 3))
    assert not np.array_equal(epoch(1, 2), epoch(2, 2))


def test_half_of_the_images_are_mirrored_and_all_are_shifted():
    row = np.arange(20, dtype=np.uint8)
    split = Split(np.broadcast_to(row[None, None, :, None], (1000, 20, 20, 1)).copy(), np.zeros(1000, "int64"))
    recipe = SMALL._replace(crop=3, batch_size=1000)
    ((images, _),) = train_weights.augmented(split, recipe, 0, 0)
    middle = np.rint(images[:, 10, 9:12, 0] * 255)
    rising = middle[:, 2] > middle[:, 0]
    assert 430 < rising.sum() < 570
    assert set(middle[rising, 0]) == {6, 7, 8, 9, 10, 11, 12}  # 9 - 3 to 9 + 3


def test_early_epochs_see_a_part_and_late_ones_the_whole():
    recipe = SMALL._replace(epochs=6, early_size=8)
    sizes = [next(train_weights.augmented(numbered(), recipe, 0, epoch))[0].shape[1] for epoch in range(6)]
    assert sizes == [8, 8, 8, 8, 12, 12]


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_relaxed_for_training_changes_no_weights(name):
    recipe = RECIPES[name]
    shipped, trained = train_weights.build(recipe), train_weights.build(recipe, relaxed=True)
    assert [(w.path, w.shape) for w in shipped.weights] == [(w.path, w.shape) for w in trained.weights]
    assert recipe.early_size is None or recipe.early_size % 8 == 0


# --- PyTorch in the place of Keras -----------------------------------------------------------------------------------


def mixed_network(input_shape=(9, 12, 3)) -> keras.Model:
    """Every kind of layer, with the one-sided padding that strides cause in Keras."""
    x = inputs = keras.Input(input_shape)
    x = layers.Conv2D(6, 3, 2, padding="same", activation="tanh")(x)
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    y = layers.Activation("silu")(layers.BatchNormalization(epsilon=0.01)(y))
    y = layers.Conv2D(6, 5, padding="same", groups=2)(y)
    x = layers.Add()([layers.ZeroPadding2D(((1, 0), (0, 1)))(x), layers.ZeroPadding2D(((1, 0), (0, 1)))(y)])
    x = layers.DepthwiseConv2D(2, 2, padding="same", use_bias=False)(x)
    x = layers.AveragePooling2D((1, 2))(layers.MaxPooling2D(2, 1)(x))
    x = layers.Dense(7, activation="relu6")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(4, use_bias=False)(layers.Dropout(0.5)(x)))


def randomise(model: keras.Model) -> None:
    rng = np.random.default_rng(0)
    for variable in model.weights:
        low, high = (0.5, 2) if "moving_variance" in variable.path else (-0.3, 0.5)
        variable.assign(rng.uniform(low, high, variable.shape).astype("float32"))


@needs_torch
@pytest.mark.parametrize("name", ["mixed", *RECIPES])
def test_pytorch_computes_what_keras_computes(name, network):
    import torch

    model = mixed_network() if name == "mixed" else train_weights.build(RECIPES[name])
    randomise(model)
    images = np.random.default_rng(1).random((3, *model.input_shape[1:]), np.float32)
    expected = model.predict_on_batch(images)
    twin = network(model).eval()
    with torch.no_grad():
        came = twin(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(came, expected, atol=1e-4 * np.abs(expected).max())

    before = model.get_weights()
    for variable in model.weights:
        variable.assign(keras.ops.zeros_like(variable))
    twin.write_back()
    for array, was in zip(model.get_weights(), before):
        np.testing.assert_array_equal(array, was)


@needs_torch
def test_an_unknown_layer_is_named(network):
    inputs = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match="turn is a Permute, which .* does not know"):
        network(keras.Model(inputs, layers.Permute((2, 1, 3), name="turn")(inputs)))


@needs_torch
def test_kernels_decay_and_nothing_else(network):
    twin = network(small_network())
    kernels, others = twin.decayed_and_other()
    assert [tuple(p.shape) for p in kernels] == [(8, 1, 3, 3), (2, 8)]
    assert [tuple(p.shape) for p in others] == [(8,), (8,), (2,)]


# --- training --------------------------------------------------------------------------------------------------------


def trained(folder: Path, recipe: Recipe = SMALL, log=lambda line: None):
    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    model = train_weights.build(recipe)
    run = train_weights.train(model, stripes(), recipe, 0, folder, log)
    return model, run


@trains
def test_it_learns(tmp_path):
    model, run = trained(tmp_path, SMALL._replace(epochs=12))
    assert train_weights.accuracy(model, stripes(seed=1)) > 0.9
    assert len(run.history) == 12
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    assert run.minutes > 0


class Killed(Exception):
    pass


@trains
@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_a_killed_run_ends_where_it_would_have_ended(tmp_path, monkeypatch, after):
    monkeypatch.setattr(train_weights, "SAVE_EVERY", 3)
    recipe = SMALL._replace(options={"dropout": 0.3})
    whole, run = trained(tmp_path / "whole", recipe)
    saves = 0

    def kill(line):
        nonlocal saves
        saves += "step" in line
        if saves == after:
            raise Killed

    with pytest.raises(Killed):
        trained(tmp_path / "parts", recipe, kill)
    lines = []
    parts, resumed = trained(tmp_path / "parts", recipe, lines.append)
    assert "going on after step" in lines[0]
    assert resumed.history == run.history
    for array, expected in zip(parts.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(array, expected, atol=1e-5)


@trains
def test_a_run_may_be_made_longer_until_its_rate_falls(tmp_path, monkeypatch):
    def kill(line):
        if line.startswith("epoch 2/3"):
            raise Killed

    with pytest.raises(Killed):
        trained(tmp_path / "parts", SMALL, kill)
    longer, run = trained(tmp_path / "parts", SMALL._replace(epochs=4))
    whole, expected = trained(tmp_path / "whole", SMALL._replace(epochs=4))
    assert run.history == expected.history
    for array, was in zip(longer.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(array, was, atol=1e-5)
    with pytest.raises(ValueError, match="a run of 4 epochs, whose rate falls.*Go on with 4 epochs, or delete"):
        trained(tmp_path / "parts", SMALL._replace(epochs=5))


# --- cards -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "weights").mkdir(parents=True)
    marks = f"# Weights\n\n{train_weights.BEGIN}\n{train_weights.END}\nafter\n"
    (tmp_path / "data" / "weights" / "README.md").write_text(marks, "utf-8")
    return tmp_path / "data"


@trains
def test_from_the_command_line_to_the_card(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "small", SMALL)
    monkeypatch.setattr(train_weights, "load", lambda name, packages: (stripes(), stripes(64, seed=1)))
    arguments = ["small", "--source", "PACKAGES", "--epochs", "4", "--saves", str(tmp_path / "saves")]
    assert train_weights.main([*arguments, "--hold-out", "28"]) == 0
    assert "28 held-out training images" in capsys.readouterr().out
    assert not list((data / "weights").glob("small*"))

    assert train_weights.main(arguments) == 0
    card = datasets.weights_card("small")
    assert card["epochs"] == 4
    assert card["train_images"] == 128
    assert card["preliminary"] is False
    assert card["network"] == "small_network()"
    model = small_network()
    datasets.load_weights(model, "small")
    assert card["accuracy"] == train_weights.accuracy(model, stripes(64, seed=1)), "that of the stored weights"
    assert card["bytes"] == (data / "weights" / "small.npz").stat().st_size
    assert card["parameters"] == 8 * 9 + 2 * 8 + 8 * 2 + 2
    again = train_weights.parse(card["command"].split()[2:])
    assert (again.name, again.epochs, again.seed, again.images) == ("small", 4, 0, None)
    readme = (data / "weights" / "README.md").read_text("utf-8")
    assert f"| `small.npz` | {card['accuracy']:.2%} | 106 |" in readme
    assert readme.endswith("after\n")

    assert train_weights.main([*arguments, "--images", "64", "--out", str(tmp_path / "out")]) == 0
    preliminary = json.loads((tmp_path / "out" / "small.json").read_text("utf-8"))
    assert preliminary["preliminary"] is True
    assert preliminary["command"].endswith("--images 64")
    assert "preliminary" in train_weights.table({"small": preliminary})
    assert datasets.weights_card("small") == card, "another folder leaves the course's data alone"


def test_a_name_and_packages_are_asked_for(capsys):
    for arguments in ([], ["resnet20_cifar10"]):
        with pytest.raises(SystemExit):
            train_weights.main(arguments)
        assert "--source" in capsys.readouterr().err


def test_the_table_of_the_readme_is_that_of_the_cards():
    readme = (runtime.root() / "data" / "weights" / "README.md").read_text("utf-8")
    shown = re.search(f"{train_weights.BEGIN}\n(.*)\n{train_weights.END}", readme, re.DOTALL)[1]
    assert shown == train_weights.table({name: datasets.weights_card(name) for name in RECIPES})
