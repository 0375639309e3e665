"""The figures of lesson 01 say the right numbers and draw as many windows and lost pixels as there are."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from cnnlib import arithmetic, plotting
from cnnlib.plotting import convolution

IMAGE = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
KERNEL = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
PHOTO = np.linspace(0, 1, 14 * 14).reshape(14, 14)


def drawn_texts(fig: Figure) -> list[str]:
    return [text.get_text() for ax in fig.axes for text in ax.texts if text.get_text()]


def titles(fig: Figure) -> list[str]:
    return [ax.get_title(loc=loc) for ax in fig.axes for loc in ("left", "center") if ax.get_title(loc=loc)]


def hatched(fig: Figure) -> int:
    return sum(bool(patch.get_hatch()) for ax in fig.axes for patch in ax.patches)


def test_every_function_is_reachable_from_plotting():
    for name in convolution.__all__:
        assert getattr(plotting, name) is getattr(convolution, name)


def test_the_window_of_the_lesson_first_sums_to_4(shown):
    plotting.sliding_window(IMAGE, KERNEL, stops=[(0, 0), (2, 2)])
    fig, alt = shown[0]
    assert "output [0, 0] = 4, [2, 2] = 4" in alt
    assert "4 3 4; 2 4 3; 2 3 4" in alt
    assert titles(fig) == ["kernel", "output[0, 0] = 4", "output[2, 2] = 4", "output"]
    assert drawn_texts(fig)[-9:] == list("434243234")


def test_a_window_with_a_stride_stands_where_the_stride_puts_it(shown):
    plotting.sliding_window(np.arange(25).reshape(5, 5), np.array([[1]]), stops=[(1, 2)], stride=2)
    assert "output [1, 2] = 14" in shown[0][1]


def test_a_stop_outside_the_output_is_refused():
    with pytest.raises(ValueError, match=r"stop \(3, 0\) lies outside the output, which has shape \(3, 3\)"):
        plotting.sliding_window(IMAGE, KERNEL, stops=[(3, 0)])


def test_an_image_with_channels_is_refused():
    with pytest.raises(ValueError, match=r"image must be a grid of numbers .* got shape \(5, 5, 1\)"):
        plotting.sliding_window(IMAGE[..., None], KERNEL)


def test_the_window_matrix_gives_the_same_outputs(shown):
    plotting.window_matrix(IMAGE, KERNEL)
    assert "9x9 matrix" in shown[0][1]
    assert shown[0][1].endswith("4, 3, 4, 2, 4, 3, 2, 3, 4.")


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation"),
    [(8, 3, 2, 0, 1), (7, 3, 2, 0, 1), (9, 3, 3, 1, 2), (12, 1, 4, 0, 1), (10, 3, 2, 0, 2), (5, 5, 1, 0, 1)],
)
def test_coverage_draws_each_window_and_crosses_out_each_lost_pixel(shown, size, kernel, stride, padding, dilation):
    plotting.coverage(size, kernel, stride, padding, dilation)
    fig, alt = shown[0]
    windows = arithmetic.output_size(size, kernel, stride, padding, dilation)
    lost = size - arithmetic.covered(size, kernel, stride, padding, dilation)
    assert f"{windows} windows, {lost} pixel" in alt
    assert hatched(fig) == lost
    spans = [line for line in fig.axes[0].lines if line.get_marker() == "None"]
    assert sum(line.get_linestyle() == "-" for line in spans) == windows
    padded = size + 2 * padding
    cut = (padded - arithmetic.effective_kernel(kernel, dilation)) % stride > 0 and windows * stride < padded
    assert sum(line.get_linestyle() == "--" for line in spans) == cut


def test_a_long_row_is_cut_in_the_middle_but_loses_no_lost_pixel(shown):
    plotting.coverage(224, kernel=7, stride=2)
    fig, alt = shown[0]
    assert "109 windows, 1 pixel never read" in alt
    assert hatched(fig) == 1
    assert "…" in drawn_texts(fig)
    assert len(fig.axes[0].patches) < 40


def test_coverage_of_a_row_too_short_for_the_kernel_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        plotting.coverage(4, kernel=3, dilation=2)


@pytest.mark.parametrize("kernel", [1, 4, 7])
@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("dilation", [1, 4])
def test_the_explorer_has_a_figure_for_every_setting(kernel, stride, padding, dilation):
    for position in (0.0, 1.0):
        fig = plotting.layer_geometry(PHOTO, kernel, stride, padding, dilation, position)
        span, padded = dilation * (kernel - 1) + 1, 14 + 2 * padding
        if span > padded:
            assert titles(fig) == [f"a kernel of {span} pixels does not fit into {padded}"]
            continue
        outputs = arithmetic.output_size(14, kernel, stride, padding, dilation)
        lost = 14 - arithmetic.covered(14, kernel, stride, padding, dilation)
        assert titles(fig)[1].endswith(f"+ 1 = {outputs}")
        assert titles(fig)[0].endswith(f"never read: {lost}")
        assert hatched(fig) == 2 * lost


def test_the_last_position_of_the_explorer_is_the_last_window():
    fig = plotting.layer_geometry(PHOTO, kernel=3, stride=2, position=1.0)
    marked = fig.axes[1].patches[-1]
    assert marked.get_xy() == (5, 5)


def test_the_explorer_starts_with_a_lost_row_and_describes_every_setting(monkeypatch):
    asked = {}
    monkeypatch.setattr(
        convolution.explorer, "explore", lambda draw, alt, **sliders: asked.update(draw=draw, alt=alt, **sliders)
    )
    plotting.layer_explorer(PHOTO)
    assert asked["alt"](3, 2, 0, 1, 0.0).endswith("6 by 6 outputs, 1 of 14 rows and columns are never read.")
    assert asked["alt"](7, 1, 0, 4, 0.0).endswith("the kernel does not fit, there is no output.")
    assert titles(asked["draw"](3, 2, 0, 1, 0.5))[1].endswith("= 6")
    assert (asked["kernel"][3], asked["stride"][3]) == (3, 2)


def test_dilation_taps_are_as_many_at_every_dilation(shown):
    plotting.dilation_taps(kernel=3, dilations=(1, 2, 4))
    fig, alt = shown[0]
    assert "dilation 4 spans 9 pixels" in alt
    orange = [patch for ax in fig.axes for patch in ax.patches if patch.get_facecolor()[3] == 0.75]
    assert len(orange) == 3 * 9


def test_gridding_counts_what_is_read(shown):
    plotting.gridding({"holes": np.array([[1, 0], [0, 2]]), "all": np.ones((3, 3))})
    assert "holes reads 2 of 4 pixels of its 2x2 field; all reads 9 of 9 pixels" in shown[0][1]


def test_the_gallery_says_what_the_weights_sum_to(shown):
    kernels = {"mean": np.full((3, 3), 1 / 9), "edge": np.array([[-1, 0, 1]])}
    plotting.filter_gallery(PHOTO, kernels, dict.fromkeys(kernels, PHOTO))
    assert shown[0][1].endswith("mean 1, edge 0.")


def test_the_sum_over_channels_needs_a_slice_for_each(shown):
    photo = np.dstack([PHOTO] * 3)
    plotting.channel_sum(photo, np.ones((3, 3, 3)), photo, PHOTO)
    assert "The 3 channels" in shown[0][1]
    with pytest.raises(ValueError, match="one slice for each input channel"):
        plotting.channel_sum(photo, np.ones((3, 3, 2)), photo, PHOTO)


def test_matrices_write_no_minus_before_a_zero(shown):
    plotting.matrices({"a": [[-0.004, 1.25], [-2, 0]]}, alt="four numbers and their signs", digits=1)
    assert drawn_texts(shown[0][0]) == ["0.0", "1.2", "-2.0", "0.0"]


def test_stamps_add_up_to_a_transposed_convolution(shown):
    plotting.stamps([[1, 2], [3, 4]], KERNEL, stride=2)
    assert "5x5 output: 1 0 3 0 2; 0 1 0 2 0; 4 0 10 0 6; 0 3 0 4 0; 3 0 7 0 4." in shown[0][1]
    with pytest.raises(ValueError, match="one panel is drawn for each input pixel; 9 are too many"):
        plotting.stamps(np.ones((3, 3)), KERNEL)


def test_wiring_counts_the_slices(shown):
    plotting.channel_wiring({"ordinary": 1, "2 groups": 2, "depthwise": 4}, channels=4)
    assert "ordinary: 16 of 16; 2 groups: 8 of 16; depthwise: 4 of 16" in shown[0][1]
    with pytest.raises(ValueError, match="groups=3 must divide the 4 channels"):
        plotting.channel_wiring({"odd": 3}, channels=4)


def test_cost_bars_say_the_totals(shown):
    plotting.cost_bars([("a", 1_000_000, 2_000_000_000), ("b", 500_000, 0)], title="A network")
    alt = shown[0][1]
    assert "parameters, millions: 1.50 in all, 1.00 in the costliest layer" in alt
    assert "multiply-accumulates, billions: 2.00 in all" in alt
