"""Run lengths of masks, against pycocotools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib.segmentation import rle_area, rle_decode, rle_encode, run_lengths

coco = pytest.importorskip("pycocotools.mask")


@st.composite
def masks(draw):
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.random((height, width)) < draw(st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]))


@settings(max_examples=200, deadline=None)
@given(masks())
def test_the_same_text_as_pycocotools(mask):
    ours = rle_encode(mask)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert np.array_equal(rle_decode(ours), mask)
    assert np.array_equal(coco.decode(ours).astype(bool), mask)
    assert rle_area(ours) == mask.sum() == coco.area(theirs)


def test_long_runs_and_large_differences():
    mask = np.zeros((3000, 2000), bool)
    mask[17:2900, 5] = mask[1000, 1999] = mask[0, 0] = True
    assert rle_encode(mask)["counts"] == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert np.array_equal(rle_decode(rle_encode(mask)), mask)


def test_run_lengths_go_down_the_columns_and_begin_with_zeros():
    mask = np.array([[1, 0, 0], [1, 1, 0]])
    assert run_lengths(mask).tolist() == [0, 2, 1, 1, 2]
    assert run_lengths(np.zeros((2, 2))).tolist() == [4]
    assert run_lengths(np.zeros((0, 4))).sum() == 0
    assert np.array_equal(rle_decode({"size": [2, 3], "counts": [0, 2, 1, 1, 2]}), mask)


def test_what_is_no_mask_and_what_is_no_text():
    with pytest.raises(ValueError, match="one mask"):
        rle_encode(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="threshold"):
        rle_encode(np.full((2, 3), 0.5))
    good = rle_encode(np.eye(5))
    with pytest.raises(ValueError, match="height, width"):
        rle_decode({"size": [5, 6], "counts": good["counts"]})
    with pytest.raises(ValueError, match="no place"):
        rle_decode({"size": [5, 5], "counts": good["counts"] + "~~"})
    with pytest.raises(ValueError, match="middle of a number"):
        rle_decode({"size": [5, 5], "counts": good["counts"] + "P"})
    with pytest.raises(ValueError, match="add up"):
        rle_decode({"size": [2, 2], "counts": [5, -1]})
