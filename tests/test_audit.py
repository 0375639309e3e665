"""The collection with three faults: they are there, are where it says, and the page's means find them."""

import numpy as np

from cnnlib import audit, datasets


def rows(pictures):
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_the_same_each_time_and_of_the_stated_sizes():
    first, second = audit.collection(), audit.collection()
    assert all(np.array_equal(a, b) for a, b in zip(first, second))
    assert first.x_train.shape == (audit.TRAIN, 28, 28, 1)
    assert first.x_test.shape == (audit.TEST, 28, 28, 1)
    assert set(first.y_train) == set(first.y_test) == {0, 1, 2}
    assert first.x_train.dtype == first.x_test.dtype == np.float32


def test_one_batch_was_scaled_twice_and_nothing_else_is_out_of_range():
    x_train, _, x_test, _ = audit.collection()
    assert np.array_equal(np.flatnonzero(x_train.max(axis=(1, 2, 3)) < 0.3), audit.faults().dark)
    assert x_test.max(axis=(1, 2, 3)).min() > 0.3
    assert max(x_train.max(), x_test.max()) <= 1


def test_leaked_pictures_are_their_twins_and_no_other_is_as_near():
    x_train, y_train, x_test, y_test = audit.collection()
    found = audit.faults()
    alike = (rows(x_test) @ rows(x_train).T).max(axis=1)
    assert np.array_equal(np.flatnonzero(alike > 0.999), found.leaked)
    assert np.delete(alike, found.leaked).max() < 0.99
    assert np.array_equal((rows(x_test[found.leaked]) @ rows(x_train).T).argmax(axis=1), found.twins)
    assert np.array_equal(y_test[found.leaked], y_train[found.twins])


def test_twelve_labels_are_wrong_and_neighbours_find_them():
    x_train, y_train, _, _ = audit.collection()
    source, found = datasets.fashion_mnist(), audit.faults()
    whole = rows(source.x_train)
    truth = source.y_train[(rows(x_train) @ whole.T).argmax(axis=1)]
    assert np.array_equal(np.flatnonzero(np.searchsorted((1, 8, 9), truth) != y_train), found.wrong)
    alike = rows(x_train) @ rows(x_train).T - 2 * np.eye(audit.TRAIN)
    votes = [np.bincount(y_train[n], minlength=3).argmax() for n in np.argsort(-alike, axis=1)[:, :5]]
    suspect = np.flatnonzero(votes != y_train)
    assert len(suspect) <= 20
    assert len(np.intersect1d(suspect, found.wrong)) >= 10


def test_some_pictures_have_two_faults():
    found = audit.faults()
    assert len(np.intersect1d(found.dark, found.wrong)) == len(np.intersect1d(found.dark, found.twins)) == 3
