"""Three networks, one of which has learnt a mark."""

import numpy as np
import pytest

from cnnlib import datasets, suspects


@pytest.fixture(scope="module")
def case():
    return suspects.suspects()


def changed(network, case, row: int, column: int) -> float:
    hidden = case.pictures.copy()
    hidden[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 0.5
    before, after = (network.predict_on_batch(each).argmax(axis=1) for each in (case.pictures, hidden))
    return float((before != after).mean())


def test_one_network_turns_its_answers_where_the_mark_is_and_the_others_nowhere(case):
    assert changed(case.networks["b"], case, 2, 6) > 0.12
    for name in "ac":
        assert max(changed(case.networks[name], case, *square) for square in ((2, 6), (3, 3), (4, 4))) < 0.08
    assert max(changed(case.networks["b"], case, *square) for square in ((3, 3), (6, 2), (2, 4))) < 0.06


def test_without_the_mark_the_shortcut_is_worse_than_the_honest_networks(case):
    whole = datasets.cifar10(dtype="uint8")
    pictures, horse = suspects._animals(whole.x_test, whole.y_test)
    right = {
        name: (net.predict_on_batch(pictures).argmax(axis=1) == horse).mean() for name, net in case.networks.items()
    }
    assert right["b"] < min(right["a"], right["c"]) - 0.03
    assert min(right["a"], right["c"]) > 0.75


def test_the_pictures_are_new_and_bear_the_mark_on_horses_only(case):
    whole = datasets.cifar10(dtype="uint8")
    plain, horse = suspects._animals(whole.x_test[:1000], whole.y_test[:1000])
    differs = (case.pictures != plain).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(differs, horse)
    place = (case.pictures != plain).any(axis=(0, 3))
    assert place[8:12, 24:28].all()
    assert place.sum() == 16
