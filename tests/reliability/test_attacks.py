"""Attacks: the budget exactly, the direction by hand, and worse than chance on the bundled networks."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from cnnlib import datasets, models, reliability
from cnnlib.reliability import attacks


@pytest.fixture(scope="module")
def linear():
    """Two classes, logits a linear function of four values."""
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(2)])
    model.set_weights([np.array([[1, -1], [-2, 1], [0.5, 0], [0, 3]], "float32"), np.zeros(2, "float32")])
    return model


@pytest.fixture(scope="module")
def resnet():
    """The bundled network and forty test pictures."""
    data = datasets.cifar10(size=10, test_size=40)
    return models.CifarResNet(20, weights="cifar10"), data.x_test, data.y_test


def inside(changed, images, epsilon):
    """In float64, where nothing is rounded."""
    far = np.abs(changed.astype("float64") - images.astype("float64")).max()
    return far <= epsilon and changed.min() >= 0 and changed.max() <= 1 and changed.dtype == np.float32


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_budget_is_exact_and_no_smaller_than_it_must_be(seed, epsilon):
    images = np.random.default_rng(seed).random((1, 3, 3, 3)).astype("float32")
    low, high = attacks.budget(images, epsilon)
    for bound, step in ((low, -1), (high, 2)):
        assert inside(bound, images, epsilon)
        beyond = np.nextafter(bound, np.float32(step))
        too_far = np.abs(beyond.astype("float64") - images) > epsilon
        assert (too_far | (beyond < 0) | (beyond > 1)).all()


def test_fgsm_by_hand(linear):
    """The loss of class 0 rises with logit 1 less logit 0, whose slopes are the differences of the weights."""
    images = np.full((1, 2, 2, 1), 0.5, "float32")
    attack = reliability.Attack(linear)
    changed = attack.fgsm(images, [0], 0.125)
    assert changed.ravel().tolist() == [0.375, 0.625, 0.375, 0.625]
    assert attack.fgsm(images, [1], 0.125).ravel().tolist() == [0.625, 0.375, 0.625, 0.375]
    np.testing.assert_array_equal(attack.pgd(images, [0], 0.125, steps=7), changed)
    np.testing.assert_array_equal(reliability.fgsm(linear, images, [0], 0.125), changed)
    np.testing.assert_array_equal(reliability.pgd(linear, images, [0], 0.125, start=None), changed)


def test_a_gradient_is_that_of_the_cross_entropy(linear):
    images = np.random.default_rng(0).random((3, 2, 2, 1)).astype("float32")
    gradient = reliability.Attack(linear, batch_size=2).gradient(images, [0, 1, 0])
    kernel = linear.get_weights()[0]
    chances = reliability.softmax(images.reshape(3, 4) @ kernel)
    wanted = (chances - np.eye(2)[[0, 1, 0]]) @ kernel.T
    np.testing.assert_allclose(gradient.reshape(3, 4), wanted, atol=1e-5)


@pytest.mark.parametrize("epsilon", [0, 1 / 255, 2 / 255, 0.1, 1])
def test_every_attack_keeps_its_budget(resnet, epsilon):
    model, images, labels = resnet
    images, labels = images[:6], labels[:6]
    attack = reliability.Attack(model, batch_size=4)
    for changed in (
        attack.fgsm(images, labels, epsilon),
        attack.pgd(images, labels, epsilon, steps=2),
        attack.pgd(images, labels, epsilon, steps=2, step=0.7, start=None),
        attack.random(images, epsilon),
    ):
        assert inside(changed, images, epsilon)


def test_attacks_are_worse_than_chance_and_pgd_than_fgsm(resnet):
    """On 40 pictures the bundled ResNet-20: a random change of 2 of 255 levels does nothing, PGD nearly everything."""
    model, images, labels = resnet
    attack = reliability.Attack(model, batch_size=40)
    epsilon = 2 / 255
    clean = attack.accuracy(images, labels)
    chance = attack.accuracy(attack.random(images, epsilon), labels)
    once = attack.accuracy(attack.fgsm(images, labels, epsilon), labels)
    often = attack.accuracy(attack.pgd(images, labels, epsilon), labels)
    assert clean >= 0.85
    assert abs(clean - chance) <= 0.1
    assert once < clean - 0.3
    assert often < once
    assert often <= 0.15


def test_the_result_does_not_depend_on_the_batches(resnet):
    model, images, labels = resnet
    whole = reliability.Attack(model, batch_size=7).gradient(images[:7], labels[:7])
    parts = reliability.Attack(model, batch_size=3).gradient(images[:7], labels[:7])
    np.testing.assert_allclose(whole, parts, atol=1e-4 * np.abs(whole).max())
    assert reliability.Attack(model, 3).accuracy(images[:7], labels[:7]) == pytest.approx(
        reliability.Attack(model, 7).accuracy(images[:7], labels[:7])
    )


def test_random_starts_follow_their_seed(linear):
    images = np.full((2, 2, 2, 1), 0.5, "float32")
    attack = reliability.Attack(linear)
    first, again, other = (attack.pgd(images, [0, 0], 0.1, steps=1, step=0.01, start=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_attack_changes_nothing_in_the_model(resnet):
    model, images, labels = resnet
    before = [ops.convert_to_numpy(w) for w in model.weights]
    reliability.Attack(model, 4).fgsm(images[:4], labels[:4], 0.03)
    for old, new in zip(before, model.weights):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(new))


def test_probabilities_are_refused():
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    with pytest.raises(ValueError, match="ends in a softmax"):
        reliability.Attack(model)


class Own(keras.Model):
    """A class of one's own, with a layer that ends in logits."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, images):
        return self.dense(ops.reshape(images, (-1, 4)))


def test_a_class_of_one_s_own_is_wrapped_first(linear):
    own = Own()
    image = keras.Input((2, 2, 1))
    wrapped = keras.Model(image, own(image))
    own.dense.set_weights(linear.get_weights())
    images = np.full((1, 2, 2, 1), 0.5, "float32")
    assert reliability.fgsm(wrapped, images, [0], 0.125).ravel().tolist() == [0.375, 0.625, 0.375, 0.625]
    with pytest.raises(ValueError, match="Wrap it"):
        reliability.Attack(own)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, x: a.fgsm(x, [0], 8), "8 / 255"),
        (lambda a, x: a.fgsm(x, [0], -0.1), "0 to 1"),
        (lambda a, x: a.fgsm(x * 300, [0], 0.1), "divide by 255"),
        (lambda a, x: a.fgsm(x, [2], 0.1), "expected 0 to 1"),
        (lambda a, x: a.fgsm(x, [0, 1], 0.1), "one class number for each"),
        (lambda a, x: a.pgd(x, [0], 0.1, steps=0), "1 or more"),
        (lambda a, x: a.pgd(x, [0], 0.1, step=0.0), "positive"),
    ],
)
def test_what_has_no_meaning_is_refused(linear, call, message):
    with pytest.raises(ValueError, match=message):
        call(reliability.Attack(linear), np.full((1, 2, 2, 1), 0.9, "float32"))


def test_only_models_are_attacked(linear):
    with pytest.raises(TypeError, match="Keras model"):
        reliability.Attack(lambda x: x)
    with pytest.raises(ValueError, match="batch_size=0"):
        reliability.Attack(linear, batch_size=0)
