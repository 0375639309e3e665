"""cnnlib.splits against scikit-learn's semantics, plain loops and networks of friends; fingerprints against Pillow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import cnnlib
from cnnlib import datasets, runtime, splits

many = settings(deadline=None, derandomize=True, max_examples=200)
SHARES = st.floats(0.05, 0.9)


def is_partition(train, test, count):
    assert sorted([*train, *test]) == list(range(count))
    assert list(train) == sorted(train)
    assert list(test) == sorted(test)
    assert len(train)
    assert len(test)


# --- splits ----------------------------------------------------------------------------------------------------------


@many
@given(st.integers(2, 200), SHARES, st.integers(0, 2**31))
def test_random_split_is_a_partition_of_the_asked_size(count, share, seed):
    held_out = int(np.ceil(share * count))
    if held_out >= count:
        with pytest.raises(ValueError, match="none is left to train on"):
            splits.random_split(count, share, seed)
        return
    train, test = splits.random_split(count, share, seed)
    is_partition(train, test, count)
    assert len(test) == held_out
    again = splits.random_split(count, share, seed)
    assert np.array_equal(again[1], test)


def test_random_split_gives_every_example_its_chance():
    times = np.zeros(20)
    for seed in range(400):
        times[splits.random_split(20, 0.25, seed)[1]] += 1
    assert np.all(np.abs(times - 100) < 45)  # 5 standard deviations of a binomial


@many
@given(st.lists(st.integers(-5, 25), min_size=2, max_size=120), SHARES, st.integers(0, 2**31))
def test_grouped_split_keeps_every_group_on_one_side(groups, share, seed):
    groups = np.array(groups)
    names = set(groups.tolist())
    held_out = int(np.ceil(share * len(names)))
    if held_out >= len(names):
        with pytest.raises(ValueError, match="none is left to train on"):
            splits.grouped_split(groups, share, seed)
        return
    train, test = splits.grouped_split(groups, share, seed)
    is_partition(train, test, len(groups))
    assert not set(groups[train]) & set(groups[test])
    assert len(set(groups[test])) == held_out


@many
@given(st.lists(st.integers(-5, 25), min_size=2, max_size=120), SHARES, st.integers(0, 2**31))
def test_grouped_split_holds_out_as_many_groups_as_scikit_learn(groups, share, seed):
    """Which ones they are is each library's own draw."""
    selection = pytest.importorskip("sklearn.model_selection")
    groups = np.array(groups)
    theirs = selection.GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    try:
        train, test = next(theirs.split(groups, groups=groups))
    except ValueError:
        with pytest.raises(ValueError, match="none is left to train on"):
            splits.grouped_split(groups, share, seed)
        return
    ours = splits.grouped_split(groups, share, seed)
    assert [len(set(groups[side])) for side in ours] == [len(set(groups[side])) for side in (train, test)]


def test_groups_may_be_texts_and_stand_in_any_order():
    groups = ["ann", "bob", "ann", "cid", "bob", "dee", "ann", "eve"]
    train, test = splits.grouped_split(groups, 0.4, seed=1)
    is_partition(train, test, 8)
    assert not {groups[i] for i in train} & {groups[i] for i in test}
    assert len({groups[i] for i in test}) == 2


def test_every_group_has_its_chance():
    held_out = {tuple(splits.grouped_split([0, 0, 1, 2, 3], 0.25, seed)[1]) for seed in range(60)}
    assert held_out == {(0, 1), (2,), (3,), (4,)}


@many
@given(st.lists(st.integers(0, 30), min_size=2, max_size=80), SHARES)
def test_time_split_puts_the_latest_into_the_test(times, share):
    wanted = int(np.ceil(share * len(times)))
    first_of_test = sorted(times)[max(len(times) - wanted, 0)]
    if wanted >= len(times) or min(times) == first_of_test:
        with pytest.raises(ValueError, match="train on"):
            splits.time_split(times, share)
        return
    train, test = splits.time_split(times, share)
    is_partition(train, test, len(times))
    assert max(times[i] for i in train) < min(times[i] for i in test)
    assert len(test) >= wanted
    # No smaller set of the latest times would do.
    assert sum(times[i] > first_of_test for i in test) < wanted


def test_times_may_be_dates():
    days = np.array(["2024-03-01", "2024-01-01", "2024-02-01", "2024-04-01"], dtype="datetime64[D]")
    train, test = splits.time_split(days, 0.25)
    assert list(train) == [0, 1, 2]
    assert list(test) == [3]


def test_without_a_seed_the_seed_of_the_run_counts(monkeypatch):
    monkeypatch.setattr(runtime, "_seed", None)
    monkeypatch.setenv("CNNLIB_SEED", "3")
    assert np.array_equal(splits.random_split(50)[1], splits.random_split(50, seed=3)[1])
    assert np.array_equal(splits.grouped_split(range(50))[1], splits.grouped_split(range(50), seed=3)[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: splits.random_split(10, 0), "share between 0 and 1"),
        (lambda: splits.random_split(10, 1.0), "share between 0 and 1"),
        (lambda: splits.random_split(10, 20), "share between 0 and 1"),
        (lambda: splits.grouped_split([1, 1, 1]), "1 groups with test=0.2"),
        (lambda: splits.grouped_split([]), "one value for each example"),
        (lambda: splits.grouped_split([[1, 2], [3, 4]]), "one value for each example"),
        (lambda: splits.time_split([1.0, float("nan"), 2.0]), "NaN"),
        (lambda: splits.time_split(np.array(["NaT", "2024-01-01"], dtype="datetime64[D]")), "NaN"),
        (lambda: splits.time_split([5, 5, 5, 5]), "Is the time too coarse"),
        (lambda: splits.time_split(3), "one value for each example"),
    ],
)
def test_a_bad_split_says_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- fingerprints ----------------------------------------------------------------------------------------------------


def slow_hash(image, size):
    """The definition, in loops over a picture enlarged until every cell is whole pixels."""
    grey = np.asarray(image, dtype=float)
    grey = grey.mean(axis=-1) if grey.ndim == 3 else grey
    large = np.kron(grey, np.ones((size, size + 1)))
    height, width = grey.shape
    bits = []
    for row in range(size):
        cells = [large[row * height : (row + 1) * height, c * width : (c + 1) * width].mean() for c in range(size + 1)]
        bits += [right - left > 1e-5 * np.abs(cells).max() for left, right in zip(cells, cells[1:])]
    return bits


@many
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.booleans(), st.integers(0, 2**31))
def test_the_hash_is_what_the_definition_says(height, width, size, colour, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (2, height, width, *([3] if colour else []))).astype("uint8")
    ours = splits.perceptual_hash(images, size)
    assert ours.shape == (2, size * size)
    assert ours.dtype == bool
    small = splits._shrunk(images.mean(-1) if colour else images, size)
    sure = np.abs(np.diff(small, axis=2)).reshape(2, -1) > 0.02  # a tie may fall to either side
    assert np.array_equal(ours[sure], np.array([slow_hash(image, size) for image in images])[sure])


def test_shrinking_agrees_with_pillow():
    # 8 times 37 rows and 9 times 50 columns: Pillow counts a pixel on the border of two cells to one of them.
    photograph = datasets.photograph("cat")[:296, :450].mean(axis=-1).astype("float32")
    theirs = np.asarray(Image.fromarray(photograph).resize((9, 8), Image.Resampling.BOX))
    assert np.allclose(splits._shrunk(photograph[None], 8)[0], theirs, atol=0.01)


@many
@given(st.integers(0, 2**31), st.floats(0.3, 1), st.floats(0, 60))
def test_brightness_and_contrast_do_not_matter(seed, contrast, brightness):
    image = np.random.default_rng(seed).random((1, 16, 18, 3)).astype("float32") * 255
    small = np.abs(np.diff(splits._shrunk(image.mean(-1), 8), axis=2)).ravel()
    changed = splits.perceptual_hash(contrast * image + brightness)[0]
    assert np.array_equal(changed[small > 0.1], splits.perceptual_hash(image)[0][small > 0.1])


def test_a_flat_image_has_no_bits():
    assert not splits.perceptual_hash(np.full((3, 33, 31, 3), 0.7, dtype="float32")).any()


def test_a_list_of_images_of_any_sizes_and_a_batch_agree():
    images = np.random.default_rng(0).random((3, 20, 24, 3)).astype("float32")
    listed = splits.perceptual_hash([*images, datasets.photograph("coffee")])
    assert listed.shape == (4, 64)
    assert np.array_equal(listed[:3], splits.perceptual_hash(images))
    assert splits.perceptual_hash([]).shape == (0, 64)


def test_an_image_is_nearer_to_itself_moved_than_to_others():
    photographs = list(datasets.photographs(size=96).values())
    moved = [np.clip(photograph[2:, :-3] * 1.1 + 5, 0, 255) for photograph in photographs]
    first, second = splits.perceptual_hash(photographs), splits.perceptual_hash(moved)
    distances = (first[:, None] != second[None]).sum(axis=-1)
    assert (distances.argmin(axis=1) == np.arange(len(photographs))).all()


@many
@given(st.integers(0, 30), st.integers(1, 10), st.integers(0, 5), st.integers(0, 2**31))
def test_near_duplicates_are_those_of_a_double_loop(count, bits, distance, seed):
    hashes = np.random.default_rng(seed).random((count, bits)) < 0.5
    expected = [(i, j) for i in range(count) for j in range(i + 1, count) if np.sum(hashes[i] != hashes[j]) <= distance]
    assert [tuple(pair) for pair in splits.near_duplicates(hashes, distance)] == expected


def test_near_duplicates_across_blocks():
    hashes = np.random.default_rng(0).random((2500, 64)) < 0.5
    hashes[2400] = hashes[7]
    hashes[1999] = hashes[1000]
    assert splits.near_duplicates(hashes, 4).tolist() == [[7, 2400], [1000, 1999]]


@many
@given(st.integers(1, 30), st.data())
def test_groups_are_what_friends_of_friends_are(count, data):
    pair = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = data.draw(st.lists(pair, max_size=25))
    reached = [{i} for i in range(count)]
    for _ in range(count):
        for i, j in pairs:
            together = reached[i] | reached[j]
            reached[i], reached[j] = together, together
    for _ in range(count):
        reached = [set().union(*(reached[j] for j in group)) for group in reached]
    groups = splits.duplicate_groups(np.array(pairs, dtype=int).reshape(-1, 2), count)
    assert groups.tolist() == [min(group) for group in reached]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: splits.perceptual_hash(np.zeros((2, 8, 8)), size=0), "size=0"),
        (lambda: splits.perceptual_hash(np.zeros((2, 0, 8))), "no pixels"),
        (lambda: splits.perceptual_hash([np.zeros(5)]), "expected .height, width."),
        (lambda: splits.near_duplicates(np.zeros((3, 64))), "expected bool"),
        (lambda: splits.near_duplicates(np.zeros(64, dtype=bool)), "expected bool"),
        (lambda: splits.near_duplicates(np.zeros((3, 64), dtype=bool), -1), "0 or more bits"),
        (lambda: splits.duplicate_groups(np.array([[0, 5]]), 5), "there are 5 images"),
        (lambda: splits.duplicate_groups(np.array([0, 1]), 5), r"expected \(n, 2\)"),
    ],
)
def test_a_bad_call_says_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_module_loads_when_it_is_used():
    assert cnnlib.splits is splits
