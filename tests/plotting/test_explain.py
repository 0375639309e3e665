"""The figures of lesson 10 say what they show."""

import numpy as np
import pytest

from cnnlib import plotting
from cnnlib.plotting import explain


def pictures(count: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(0).random((count, height, width, 3)).astype("float32")


def panels(figure) -> list:
    """The axes that show pictures, without the scale at the right."""
    return [ax for ax in figure.axes if ax.images]


def test_few_pictures_stand_in_rows_and_their_maps_beside_them(shown):
    maps = np.random.default_rng(1).random((2, 4, 5))
    plotting.laid_over(pictures(2), {"first": maps, "second": 2 * maps}, names=["a", "b"], alt="Two rows.")
    figure, alt = shown[0]
    axes = panels(figure)
    assert alt == "Two rows."
    assert [ax.get_title(loc="center") for ax in axes[:3]] == ["picture", "first", "second"]
    assert [axes[0].get_ylabel(), axes[3].get_ylabel()] == ["a", "b"]
    assert [len(ax.images) for ax in axes] == [1, 2, 2, 1, 2, 2]
    for ax in axes[1:3]:  # each stretched to its own range, at the size of the picture
        laid = ax.images[1]
        assert laid.get_array().min() == pytest.approx(0)
        assert laid.get_array().max() == pytest.approx(1)
        assert laid.get_extent() == [-0.5, 29.5, 19.5, -0.5]
        np.testing.assert_allclose(laid.get_array(), axes[1].images[1].get_array())


def test_many_pictures_stand_side_by_side(shown):
    plotting.laid_over(pictures(3), {"map": np.ones((3, 4, 5))}, names=["a", "b", "c"], alt="Three columns.")
    axes = panels(shown[0][0])
    assert [ax.get_title(loc="center") for ax in axes[:3]] == ["a", "b", "c"]
    assert [axes[0].get_ylabel(), axes[3].get_ylabel()] == ["picture", "map"]
    assert (np.asarray(axes[3].images[1].get_array()) == 0).all()  # a constant map is nowhere high


def test_below_a_map_the_picture_is_grey_and_its_lightness_is_not_mistaken_for_the_map():
    dimmed = explain._dimmed(pictures(1)[0])
    assert np.ptp(dimmed, axis=-1).max() == 0
    assert dimmed.min() >= 0.25
    assert dimmed.max() <= 0.7501
    from matplotlib import colormaps

    red, green, blue, _ = colormaps[explain.CMAP](np.linspace(0, 1, 50)).T
    assert (np.diff(0.2126 * red + 0.7152 * green + 0.0722 * blue) > 0).all()


def test_a_point_marks_the_highest_place_and_a_box_lies_where_it_should(shown):
    maps = np.zeros((1, 4, 5))
    maps[0, 3, 1] = 1
    plotting.laid_over(pictures(1), {"map": maps}, boxes=[(3, 4, 13, 10)], points=True, alt="A point.")
    picture, laid = panels(shown[0][0])
    (line,) = laid.lines
    assert line.get_xydata()[0] == pytest.approx([1.5 * 6 - 0.5, 3.5 * 5 - 0.5])
    assert not picture.lines
    for ax in (picture, laid):
        assert ax.patches[0].get_bbox().bounds == pytest.approx((2.5, 3.5, 10, 6))


def test_a_fine_map_is_stretched_to_what_one_pixel_in_a_hundred_reaches(shown):
    maps = np.full((1, 20, 30), 0.2)
    maps[0, :, 15:] = 1.0
    maps[0, 0, 0] = 1000.0
    plotting.laid_over(pictures(1), {"map": maps}, alt="Fine.")
    drawn = np.asarray(panels(shown[0][0])[1].images[1].get_array())
    assert drawn.shape == (10, 15)
    assert (drawn[:, 8:] > 0.9).all()  # one wild pixel does not make the rest dark


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": np.zeros((2, 8, 8))}, "height, width, 3"),
        ({"pictures": np.full((2, 8, 8, 3), -0.9)}, "not what was preprocessed"),
        ({"maps": {"m": np.zeros((3, 4, 4))}}, "for 2 pictures"),
        ({"maps": {"m": np.full((2, 4, 4), np.nan)}}, "NaN"),
        ({"names": ["one"]}, "1 names for 2 pictures"),
        ({"boxes": [(0, 0, 1, 1)] * 3}, "3 boxes for 2 pictures"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {"pictures": pictures(2), "maps": {"m": np.zeros((2, 4, 4))}, **change}
    with pytest.raises(ValueError, match=message):
        plotting.laid_over(given.pop("pictures"), given.pop("maps"), alt="x", **given)


def test_whole_numbers_are_pictures_too(shown):
    plotting.laid_over(np.full((1, 4, 4, 3), 51, "uint8"), {"m": np.ones((1, 2, 2))}, alt="Bytes.")
    assert np.asarray(panels(shown[0][0])[0].images[0].get_array()) == pytest.approx(0.2)


def test_cascade_begins_at_one_and_names_the_ends(shown):
    plotting.cascade(("top", "bottom"), {"first": [0.5, 0.25], "edges": [1.0, 1.0]})
    figure, alt = shown[0]
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert [line.get_ydata().tolist() for line in lines] == [[1.0, 0.5, 0.25], [1.0, 1.0, 1.0]]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["as learnt", "top", "bottom"]
    assert "first ≈ 0.25; edges ≈ 1.0" in alt
    with pytest.raises(ValueError, match="'first' has 1 values for 2 stages"):
        plotting.cascade(("top", "bottom"), {"first": [0.5]})


def test_embedding_gives_each_class_one_look_and_no_two_the_same(shown):
    labels = np.arange(30) % 10
    plane = np.random.default_rng(0).random((30, 2))
    plotting.embedding({"a": plane, "b": -plane}, labels, [f"c{k}" for k in range(10)], alt="Points.")
    first, second = shown[0][0].axes
    looks = set()
    for k, (here, there) in enumerate(zip(first.collections, second.collections)):
        np.testing.assert_allclose(here.get_offsets(), plane[labels == k])
        np.testing.assert_allclose(there.get_offsets(), -plane[labels == k])
        assert (here.get_facecolor() == there.get_facecolor()).all()
        looks.add((tuple(here.get_facecolor()[0]), here.get_paths()[0].vertices.tobytes()))
    assert len(looks) == 10
    with pytest.raises(ValueError, match="expected \\(30, 2\\)"):
        plotting.embedding({"a": plane[:5]}, labels, ["c"], alt="x")


def test_pointers_show_the_shares_beside_a_guess(shown):
    plotting.pointers({"saliency": 0.7, "Grad-CAM": 0.93}, chance=0.25)
    figure, alt = shown[0]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.7, 0.93]
    assert figure.axes[0].lines[0].get_xdata()[0] == 0.25
    assert "saliency ≈ 0.70, Grad-CAM ≈ 0.93; a guess 0.25" in alt
    for hits in ({}, {"a": 1.2}):
        with pytest.raises(ValueError, match="between 0 and 1"):
            plotting.pointers(hits, chance=0.25)


def test_recipes_draw_mean_range_and_this_run(shown):
    stored = [
        {f"{row} {m}": 0.1 * k + seed / 10 for row in ("x", "y") for k, m in enumerate(("p", "q"))} for seed in (0, 2)
    ]
    plotting.recipes(stored, {"x p": 0.15}, rows=("x", "y"), measures={"p": "P", "q": "Q"}, xlabel="share", chance=0.5)
    figure, alt = shown[0]
    ranges = [list(line.get_xdata()) for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert [pytest.approx(r) for r in ranges[:4]] == [[0, 0.2], [0, 0.2], [0.1, 0.3], [0.1, 0.3]]
    diamonds = [
        line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "D" and len(line.get_xdata())
    ]
    assert 0.15 in diamonds
    assert "x, P ≈ 0.10; y, P ≈ 0.10; x, Q ≈ 0.20" in alt
    with pytest.raises(ValueError, match="at least one stored run"):
        plotting.recipes([], {}, rows=("x",), measures={"p": "P"}, xlabel="share")


def test_recipes_leave_room_for_the_markers_of_few_rows(shown):
    stored = [{"x p": 0.92, "y p": 0.94}, {"x p": 0.93, "y p": 0.95}]
    plotting.recipes(stored, {}, rows=("x", "y"), measures={"p": "P"}, xlabel="share", limits=None)
    axes = shown[0][0].axes[0]
    assert axes.get_ylim() == (1.5, -0.5)
    assert 0.9 < axes.get_xlim()[0] < 0.92
