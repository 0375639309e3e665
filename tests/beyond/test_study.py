"""cnnlib.beyond.study: a training that learns, pictures that are shifted, turned and permuted."""

import keras
import numpy as np
import pytest

from cnnlib.beyond import study, vit


def test_a_training_learns_and_is_that_of_the_seed():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = (rng.normal(size=(60, 8, 8, 1)) + 2 * (y - 1)[:, None, None, None]).astype("float32")
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = vit.small_cnn(8, 1, widths=(4, 4, 4, 4), classes=3)
        study.train(model, x, y, rate=0.01, steps=40, size=20)
        weights.append(model.get_weights())
    assert study.accuracy(model, x, y) > 0.8
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(*weights))
    with pytest.raises(ValueError, match="expected as many"):
        study.train(model, x, y[:5], rate=0.1, steps=1)


def test_shifted_pictures_are_parts_of_the_picture_mirrored_or_not():
    x = np.arange(2 * 6 * 6).reshape(2, 6, 6, 1).astype("float32")
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    parts = [
        padded[0, t : t + 6, a : a + 6, 0][:, ::s] for t in range(3) for a in range(3) for s in (1, -1)
    ]  # of the first picture
    drawn = [study.augmented(x, np.random.default_rng(seed), shift=1)[0, ..., 0] for seed in range(60)]
    found = {next(k for k, part in enumerate(parts) if np.array_equal(part, one)) for one in drawn}
    assert len(found) > 12


def test_pictures_are_turned_by_quarters():
    x = np.arange(9).reshape(1, 3, 3, 1)
    turned, quarters = study.rotated(x)
    assert turned.shape == (4, 3, 3, 1)
    assert quarters.tolist() == [0, 1, 2, 3]
    assert np.array_equal(turned[1, ..., 0], np.rot90(x[0, ..., 0]))
    with pytest.raises(ValueError, match="square"):
        study.rotated(np.zeros((1, 2, 3, 1)))


def test_a_permutation_is_one_order_for_all():
    x = np.random.default_rng(0).normal(size=(3, 4, 4, 2))
    mixed = study.permutation(x, seed=1)
    assert not np.array_equal(mixed, x)
    order = [int(np.argmax((x[0].reshape(16, 2) == pixel).all(1))) for pixel in mixed[0].reshape(16, 2)]
    assert sorted(order) == list(range(16))
    assert np.array_equal(x.reshape(3, 16, 2)[:, order], mixed.reshape(3, 16, 2))


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match="CNN, ViT"):
        study.network("MLP", 0)
