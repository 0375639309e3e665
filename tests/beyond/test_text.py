"""Pieces of text, groups of letters, and what counts them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.beyond import text


@given(st.text(text.ALPHABET, max_size=40))
def test_letters_come_back(letters):
    assert text.decoded(text.encoded(letters)) == letters


def test_a_letter_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="ü"):
        text.encoded("tür")


def test_parts_have_as_much_of_each_language_and_no_piece_in_common():
    parts = {part: text.snippets(part) for part in text.PARTS}
    for each in parts.values():
        assert each.x.shape[1] == 32
        assert len(set(np.bincount(each.y))) == 1
        assert len(each.languages) == 16 == each.y.max() + 1
    pieces = [{text.decoded(row) for row in each.x} for each in parts.values()]
    assert len(pieces[0] | pieces[1] | pieces[2]) > 0.995 * sum(map(len, pieces))  # a formula of law may come back
    assert "all human beings are born free" in " ".join(pieces[0])
    with pytest.raises(ValueError, match="choose one of"):
        text.snippets("all")
    with pytest.raises(ValueError, match="no piece of that length"):
        text.snippets("train", 10_000)


@given(st.integers(1, 4), st.integers(4, 9), st.integers(0, 2**16))
def test_groups_have_numbers_of_base_27(size, length, seed):
    x = np.random.default_rng(seed).integers(0, 27, (2, length))
    found = text.groups(x, size)
    assert found.shape == (2, length - size + 1)
    for row, numbers in zip(x, found):
        for start, number in enumerate(numbers):
            assert number == int("".join(np.base_repr(v, 27) for v in row[start : start + size]), 27)


def test_naive_bayes_is_a_sum_of_logarithms_of_counts():
    x = np.stack([text.encoded(piece) for piece in ("abab", "abba", "bccb", "cccc")])
    y = np.array([0, 0, 1, 1])
    says = text.naive_bayes(x, y, 2, add=0.5)
    for piece in ("abcc", "bbab", "ccab"):
        scores = []
        for language in (0, 1):
            rows = [text.decoded(row) for row in x[y == language]]
            count = Counter(row[i : i + 2] for row in rows for i in range(3))
            total = sum(count.values()) + 0.5 * 27**2
            scores.append(sum(np.log((count[piece[i : i + 2]] + 0.5) / total) for i in range(3)))
        assert says(text.encoded(piece)[None]) == np.argmax(scores)


def test_a_filter_answers_most_to_its_favourite():
    model = text.network(3, length=3, filters=5)
    kernel, bias = model.get_layer("letters").get_weights()
    for number, letters in enumerate(text.favourites(kernel)):
        rows = np.eye(27)[text.encoded(letters)]
        best = (rows * kernel[..., number]).sum()
        assert best == pytest.approx(kernel[..., number].max(1).sum(), abs=1e-5)
    assert np.asarray(model(text.encoded("abc")[None])).shape == (1, 16)
