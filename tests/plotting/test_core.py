"""The plotting core and the explorer: what is displayed, how it looks, and what bad input is told."""

import base64
import html
import io
import itertools
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cnnlib import plotting, runtime
from cnnlib.plotting import core, explorer

RNG = np.random.default_rng(0)


@pytest.fixture
def shown(monkeypatch):
    """Figures that a cell would show, as (PNG bytes, alt text)."""
    figures = []
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    monkeypatch.setattr(core, "display_png", lambda data, alt, **_: figures.append((data, alt)))
    return figures


@pytest.fixture
def drawn(monkeypatch):
    """Figures that are about to be shown, as (Figure, alt text)."""
    figures = []
    monkeypatch.setattr(core, "show", lambda fig, alt: figures.append((fig, alt)))
    return figures


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# --- colours and style -----------------------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour: str) -> np.ndarray:
    channels = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear RGB, by which a distance of some 2.3 is just noticeable."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(np.maximum(xyz, 1e-9)), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("name", plotting.COLOURS)
def test_every_colour_stands_out_from_white(name):
    luminance = linear(plotting.COLOURS[name]) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) >= 3


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize(
    "together",
    [
        ("input", "kernel", "output", "accent", "reference"),
        ("train", "validation", "reference", "accent", "muted"),
        ("input", "kernel", "output", "muted"),
    ],
)
def test_colours_that_appear_together_are_told_apart_with_any_colour_vision(together, vision):
    seen = {name: lab(np.array(VISION[vision]) @ linear(plotting.COLOURS[name])) for name in together}
    for one, other in itertools.combinations(together, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 10, (one, other)


def test_letters_are_readable_and_the_card_is_white():
    fig, ax = plotting.figure()
    names = ("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize")
    assert min(float(matplotlib.rcParams[name]) for name in names) >= 9
    assert fig.get_facecolor() == (1, 1, 1, 1)
    assert ax.figure is fig


# --- figure, show, png -----------------------------------------------------------------------------------------------


def test_figure_gives_one_axes_or_an_array_of_them():
    assert plotting.figure(4, 2)[0].get_size_inches().tolist() == [4, 2]
    assert plotting.figure(columns=3)[1].shape == (3,)
    assert plotting.figure(rows=2)[1].shape == (2,)
    assert plotting.figure(columns=3, rows=2, sharey=True)[1].shape == (2, 3)
    with pytest.raises(ValueError, match="must be positive"):
        plotting.figure(width=-1)


def test_show_displays_the_picture_and_its_text_once(monkeypatch):
    import IPython.display

    displays = []
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", lambda data, **more: displays.append((data, more)))
    fig, ax = plotting.figure(3, 2)
    ax.plot([0, 1])
    assert plotting.show(fig, 'a "line" that\n   rises') is None
    ((data, more),) = displays
    assert set(data) == {"text/html", "text/plain"}
    assert data["text/plain"] == 'Figure: a "line" that rises'
    found = re.fullmatch(r'<img class="[\w-]+" alt="([^"]+)" src="data:image/png;base64,([^"]+)">', data["text/html"])
    assert html.unescape(found[1]) == 'a "line" that rises'
    assert opened(base64.b64decode(found[2])).size == (300, 200)
    assert more == {"raw": True}


def test_outside_a_notebook_show_prints_the_text(capsys):
    plotting.show(plotting.figure()[0], "Figure: an empty plane")
    assert capsys.readouterr().out == "Figure: an empty plane\n"


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_a_figure_without_a_text_is_refused(alt):
    with pytest.raises(ValueError, match="every figure needs a sentence"):
        plotting.show(plotting.figure()[0], alt)


def test_show_refuses_what_is_no_figure():
    with pytest.raises(TypeError, match=r"expected a matplotlib Figure, got ndarray"):
        plotting.show(np.zeros((3, 3)), "x")
    with pytest.raises(TypeError, match=r"Use its \.figure"):
        plotting.show(plotting.figure()[1], "x")


def test_show_closes_figures_of_pyplot(shown):
    from matplotlib import pyplot

    fig = pyplot.figure(figsize=(2, 2))
    plotting.show(fig, "nothing")
    assert not pyplot.get_fignums()
    assert len(shown) == 1


def test_png_is_the_same_each_time_small_and_true_to_the_colours():
    def draw():
        fig, axes = plotting.figure(7, 3, columns=2)
        axes[0].imshow(np.linspace(0, 1, 90 * 120 * 3).reshape(90, 120, 3) ** 2)
        axes[1].barh([0, 1], [2, 3], color=list(plotting.COLOURS.values())[:2])
        return fig

    first, second = plotting.png(draw()), plotting.png(draw())
    assert first == second
    image = opened(first)
    assert image.mode == "P"
    assert image.size == (700, 300)
    assert len(first) < 60_000
    found = {colour for _, colour in image.convert("RGB").getcolors(2**20)}
    for name in ("input", "kernel"):
        wanted = np.array(matplotlib.colors.to_rgb(plotting.COLOURS[name])) * 255
        assert min(np.abs(wanted - colour).max() for colour in found) <= 6


def test_a_photograph_does_not_tint_letters_and_background():
    fig, ax = plotting.figure(4, 3)
    ax.imshow(RNG.random((60, 80, 3)) * [1.0, 0.6, 0.3])
    image = opened(plotting.png(fig)).convert("RGB")
    assert image.getpixel((1, 1)) == (255, 255, 255)
    pixels = np.asarray(image).reshape(-1, 3)
    written = pixels[(pixels.max(axis=1) < 90) & (np.ptp(pixels, axis=1) < 3)]
    assert len(written) > 20  # the numbers along the axes are grey, as they were drawn
    assert len(np.unique(pixels, axis=0)) <= 256


@pytest.mark.parametrize("colours", [256, 128, 64])
def test_fewer_colours_are_fewer_bytes_and_leave_the_letters(colours):
    fig, ax = plotting.figure(4, 3)
    ax.imshow(np.random.default_rng(1).random((60, 80, 3)))
    data = plotting.png(fig, colours=colours)
    image = opened(data).convert("RGB")
    assert len(image.getcolors(2**20)) <= colours
    assert image.getpixel((1, 1)) == (255, 255, 255)
    if colours < 256:
        assert len(data) < 0.9 * len(plotting.png(fig))


@pytest.mark.parametrize("colours", [63, 257])
def test_too_few_colours_are_refused(colours):
    with pytest.raises(ValueError, match=f"colours={colours}; expected 64 to 256"):
        plotting.png(plotting.figure()[0], colours=colours)


def test_colours_that_are_read_off_are_kept():
    scale = [(200 + 2 * step, 230 - 9 * step, 20) for step in range(10)]
    fig, ax = plotting.figure(4, 3)
    ax.imshow(np.random.default_rng(1).random((60, 80, 3)) * [1.0, 0.4, 0.2])
    for step, colour in enumerate(scale):
        ax.axhspan(step, step + 1, xmax=0.2, color=np.array(colour) / 255)
    for keep in ([], scale):
        image = opened(plotting.png(fig, colours=96, keep=keep)).convert("RGB")
        found = {colour for _, colour in image.getcolors(2**20)}
        assert (found >= set(scale)) == bool(keep)
    with pytest.raises(ValueError, match="expected 74 to 256"):
        plotting.png(fig, colours=73, keep=scale)


def overlay(alpha: float | None, maps: int = 1):
    """A smooth map over a smooth picture."""
    y, x = np.mgrid[:120, :160] / 160
    fig, ax = plotting.figure(5, 4)
    ax.imshow(np.stack([x, x, x], axis=-1))
    for _ in range(maps):
        ax.imshow(y, cmap="viridis", alpha=alpha)
    return fig


def test_a_map_over_a_picture_is_not_drawn_in_steps():
    drawn = np.asarray(core._drawn(overlay(0.7), core.DPI), float)
    stored = {"webp": core.webp(overlay(0.7)), "png": plotting.png(overlay(0.7))}
    apart = {
        name: np.abs(np.asarray(opened(data).convert("RGB"), float) - drawn).mean() for name, data in stored.items()
    }
    assert apart["webp"] < 1.5 < apart["png"]
    assert len(stored["webp"]) < len(stored["png"])
    assert core.webp(overlay(0.7)) == stored["webp"]


@pytest.mark.parametrize(
    ("alpha", "maps", "kind"), [(0.7, 1, "webp"), (None, 1, "png"), (1.0, 1, "png"), (0.7, 0, "png")]
)
def test_only_what_shines_through_takes_the_place_of_a_palette(alpha, maps, kind, monkeypatch):
    figures = []
    monkeypatch.setattr(core, "display_png", lambda data, alt, **_: figures.append(core.image_html(data, alt)))
    monkeypatch.setattr(core.runtime, "in_notebook", lambda: True)
    core.show(overlay(alpha, maps), "a map over a picture")
    assert f"data:image/{kind};base64," in figures[0]


def test_a_map_with_a_fourth_channel_shines_through():
    fig, ax = plotting.figure(2, 2)
    ax.imshow(np.zeros((4, 4, 3)))
    ax.imshow(np.full((4, 4, 4), 0.5))
    assert core.lays_maps_over_pictures(fig)
    ax.images[1].set_data(np.ones((4, 4, 4)))
    assert not core.lays_maps_over_pictures(fig)


def test_no_grid_is_drawn_over_a_picture():
    fig, axes = plotting.figure(columns=2)
    axes[0].imshow(np.zeros((4, 4)))
    axes[1].plot([0, 1])
    plotting.png(fig)
    assert not any(line.get_visible() for line in axes[0].get_xgridlines())
    assert all(line.get_visible() for line in axes[1].get_xgridlines())


def test_a_flat_figure_keeps_its_exact_colours():
    fig, ax = plotting.figure(2, 2)
    ax.set_axis_off()
    ax.set_facecolor("white")
    assert opened(plotting.png(fig)).convert("RGB").getcolors() == [(200 * 200, (255, 255, 255))]


# --- images ----------------------------------------------------------------------------------------------------------

ACCEPTED = {
    "a batch": (RNG.random((4, 8, 8, 3)), 4),
    "a grey batch": (RNG.random((7, 8, 8, 1)), 7),
    "a stack": (RNG.random((5, 8, 6)), 5),
    "one": (RNG.random((8, 6, 3)), 1),
    "one grey": (RNG.random((8, 6)), 1),
    "a list of sizes": ([RNG.random((8, 6)), RNG.integers(0, 256, (30, 40, 3), dtype="uint8")], 2),
    "a dict": ({"a": RNG.random((8, 8)), "b": RNG.random((8, 8)) > 0.5}, 2),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_images_takes_batches_stacks_lists_and_one(name, drawn):
    given, count = ACCEPTED[name]
    plotting.images(given, alt="noise")
    ((fig, alt),) = drawn
    assert alt == "noise"
    assert sum(len(ax.images) for ax in fig.axes) == count
    assert fig.get_size_inches()[0] <= 7.001


def test_images_shows_the_same_for_bytes_and_floats(drawn):
    pixels = RNG.integers(0, 256, (8, 8, 3), dtype="uint8")
    plotting.images([pixels, pixels / 255, pixels.astype("int64")], alt="x")
    first, *others = [ax.images[0].get_array() for ax in drawn[0][0].axes]
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-6)


@pytest.mark.parametrize(
    ("value_range", "expected"),
    [("each", [(0, 1), (0, 1)]), ("shared", [(0, 0.75), (0.25, 1)]), ((-4, 4), [(0.25, 0.625), (0.375, 0.75)])],
)
def test_images_stretches_maps_as_asked(value_range, expected, drawn):
    plotting.images([np.array([[-2.0, 1.0]]), np.array([[-1.0, 2.0]])], alt="x", value_range=value_range)
    for ax, (low, high) in zip(drawn[0][0].axes, expected):
        assert float(ax.images[0].get_array().min()) == pytest.approx(low)
        assert float(ax.images[0].get_array().max()) == pytest.approx(high)


def test_images_writes_titles_and_fills_rows_evenly(drawn):
    plotting.images(RNG.random((8, 4, 4)), titles=range(8), alt="x")
    fig = drawn[0][0]
    assert [ax.get_title() for ax in fig.axes] == [str(i) for i in range(8)]
    assert len({round(ax.get_subplotspec().rowspan.start) for ax in fig.axes}) == 2
    plotting.images(RNG.random((8, 4, 4)), columns=8, alt="x")
    assert len({ax.get_subplotspec().rowspan.start for ax in drawn[1][0].axes}) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros(5), r"shape \(5,\): expected \(n, height, width, channels\)"),
        ([np.zeros((3, 8, 8))], "looks channels-first.*moveaxis"),
        (np.zeros((2, 3, 8, 8)), "looks channels-first"),
        ([np.zeros((8, 8, 4))], "four channels"),
        (np.zeros((2, 8, 8, 16)), "16 channels; a picture has 1 or 3"),
        ([np.zeros((2, 8, 8, 3))], "Is it a batch of images inside a list"),
        ([np.zeros((0, 8))], "no pixels"),
        ([], "the list is empty"),
        (np.full((8, 8), 200.0), "looks like 0..255 as floats: divide by 255"),
        (np.full((8, 8), -0.5), "value_range='each'"),
        (np.full((8, 8), 1.5), "value_range='each'"),
        (np.full((8, 8), 300), "integers from 300 to 300"),
        (np.full((8, 8), np.nan), "NaN or infinity"),
    ],
)
def test_images_says_what_is_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        plotting.images(given, alt="x")


def test_images_refuses_wrong_titles_ranges_and_types():
    with pytest.raises(ValueError, match="1 images but 2 titles"):
        plotting.images(np.zeros((8, 8)), titles=["a", "b"], alt="x")
    with pytest.raises(ValueError, match="expected 'each', 'shared'"):
        plotting.images(np.zeros((8, 8)), value_range="all", alt="x")
    with pytest.raises(ValueError, match="must be below"):
        plotting.images(np.zeros((8, 8)), value_range=(1, 0), alt="x")
    with pytest.raises(TypeError, match="expected numbers"):
        plotting.images([np.array([["a"]])], alt="x")


def test_images_takes_a_constant_map(drawn):
    plotting.images(np.full((8, 8), 3.0), alt="x", value_range="each")
    assert float(drawn[0][0].axes[0].images[0].get_array().max()) == 0


# --- bars, curves, heatmap -------------------------------------------------------------------------------------------


def test_bars_write_names_and_values_from_the_top(drawn):
    plotting.bars({"dense": 9_633_856, "convolution": 1_792}, alt="x", xlabel="weights", form="{:,}", log=True)
    ax = drawn[0][0].axes[0]
    assert [bar.get_width() for bar in ax.patches] == [9_633_856, 1_792]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dense", "convolution"]
    assert {"9,633,856", "1,792"} <= {text.get_text() for text in ax.texts}
    assert ax.yaxis_inverted()
    assert ax.get_xscale() == "log"


def test_bars_say_what_is_wrong():
    with pytest.raises(ValueError, match="values is empty"):
        plotting.bars({}, alt="x")
    with pytest.raises(ValueError, match="finite"):
        plotting.bars({"a": float("nan")}, alt="x")
    with pytest.raises(ValueError, match="logarithmic axis has no place for 0"):
        plotting.bars({"a": 0, "b": 1}, alt="x", log=True)


def test_curves_have_their_role_s_colour_and_a_legend(drawn):
    series = {"train": [3, 2, 1], "validation": [3, float("nan"), 2], "other": [1, 1, 1]}
    plotting.curves(
        series,
        x=[1, 10, 100],
        xlabel="step",
        ylabel="loss",
        alt="x",
        logx=True,
        bands={"train": ([2, 1, 0], [4, 3, 2])},
    )
    ax = drawn[0][0].axes[0]
    assert [line.get_label() for line in ax.lines] == list(series)
    assert ax.lines[0].get_color() == plotting.COLOURS["train"]
    assert ax.lines[1].get_color() == plotting.COLOURS["validation"]
    assert len({line.get_linestyle() for line in ax.lines}) == 3  # told apart without colour too
    assert len(ax.collections) == 1
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")
    plotting.curves({"a": [1, 2]}, xlabel="x", ylabel="y", alt="x")
    assert drawn[1][0].axes[0].get_legend() is None
    assert drawn[1][0].axes[0].lines[0].get_xdata().tolist() == [1, 2]


def test_curves_say_what_is_wrong():
    labels = {"xlabel": "x", "ylabel": "y", "alt": "x"}
    with pytest.raises(ValueError, match="series is empty"):
        plotting.curves({}, **labels)
    with pytest.raises(ValueError, match="'a' has 2 values at 3 positions"):
        plotting.curves({"a": [1, 2]}, x=[1, 2, 3], **labels)
    with pytest.raises(ValueError, match=r"bands or colours name \['b'\]"):
        plotting.curves({"a": [1, 2]}, bands={"b": ([0, 0], [1, 1])}, **labels)
    with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
        plotting.curves({"a": [[1, 2]]}, **labels)


def test_heatmap_writes_its_values_and_centres_zero(drawn):
    plotting.heatmap([[-1.0, 2.0], [-0.0, 1.0]], alt="x", rows=["a", "b"], columns=["c", "d"], form="{:g}")
    ax = drawn[0][0].axes[0]
    assert [text.get_text() for text in ax.texts] == ["-1", "2", "0", "1"]
    assert ax.collections[0].norm(0.0) == pytest.approx(0.5)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["c", "d"]
    plotting.heatmap(np.zeros((20, 20)), alt="x")
    assert not drawn[1][0].axes[0].texts


def test_heatmap_letters_stand_out_from_their_cell(drawn):
    plotting.heatmap([[0.0, 1.0]], alt="x")
    light, dark = drawn[0][0].axes[0].texts
    assert light.get_color() == "#222"
    assert dark.get_color() == "white"


def test_heatmap_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"shape \(3,\): expected \(rows, columns\)"):
        plotting.heatmap([1, 2, 3], alt="x")
    with pytest.raises(ValueError, match="1 labels for 2 rows"):
        plotting.heatmap(np.zeros((2, 2)), rows=["a"], alt="x")


# --- explore ---------------------------------------------------------------------------------------------------------


def parabola(power: int = 2, scale: float = 1.0, grid: bool = True) -> Figure:
    if power == 9:
        raise ValueError("nine is too steep")
    fig, ax = plotting.figure(3, 2)
    ax.plot(np.arange(5) ** power * scale)
    ax.grid(visible=grid)
    return fig


def test_explore_static_is_the_figure_at_the_start_values(monkeypatch, shown):
    """In a notebook too: what a widget shows cannot be stored."""
    monkeypatch.setenv("CNNLIB_STATIC", "1")
    seen = []
    plotting.explore(
        lambda **values: seen.append(values) or parabola(), alt="x", power=(2, 5), scale=(0.5, 2.0, 0.5, 1)
    )
    assert seen == [{"power": 2, "scale": 1}]
    assert [alt for _, alt in shown] == ["x"]


def test_explore_without_ipywidgets_is_the_figure_at_the_start_values(monkeypatch, shown):
    monkeypatch.setenv("CNNLIB_STATIC", "0")
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    monkeypatch.setattr(explorer.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    plotting.explore(lambda **values: parabola(), alt="x", power=(2, 5))
    assert [alt for _, alt in shown] == ["x"]


@pytest.mark.parametrize(
    ("slider", "start"),
    [((1, 5), 1), ((1, 5, 2, 3), 3), (["a", "b"], "a"), ({"A": 10, "B": 20}, 10), (True, True), (False, False)],
)
def test_explore_starts_where_the_slider_says(slider, start, capsys):
    seen = []
    plotting.explore(lambda value: seen.append(value) or parabola(), value=slider)
    assert seen == [start]
    assert f"value {start}" in capsys.readouterr().out


@pytest.mark.parametrize("slider", [(5, 1), (1,), (1, 5, 1, 9), [], {}, "abc", 3])
def test_explore_says_what_a_slider_is(slider):
    with pytest.raises(ValueError, match="value=.*expected"):
        plotting.explore(parabola, value=slider)


@pytest.fixture
def live(monkeypatch):
    """The widgets that a live explorer displays, as (box, bundle)."""
    boxes, bundles = [], []
    import ipywidgets

    monkeypatch.setenv("CNNLIB_STATIC", "0")
    monkeypatch.setattr(runtime, "in_notebook", lambda: True)
    monkeypatch.setattr(core, "display_png", lambda data, alt, **more: bundles.append((data, alt, more)))
    make = ipywidgets.VBox
    monkeypatch.setattr(ipywidgets, "VBox", lambda children: boxes.append(make(children)) or boxes[-1])
    return boxes, bundles


def test_explore_live_redraws_when_a_slider_moves(live):
    boxes, bundles = live
    plotting.explore(parabola, alt=lambda **v: f"power {v['power']}", power=(2, 9), scale=(0.5, 2.0), grid=True)
    ((data, alt, more),) = bundles
    power, scale, grid, picture, caption = boxes[0].children
    assert (power.value, scale.value, grid.value) == (2, 0.5, True)
    assert scale.step == pytest.approx(0.015)
    assert picture.value == data
    assert alt == "power 2"
    assert "power 2" in caption.value
    assert list(more) == ["application/vnd.jupyter.widget-view+json"]

    power.value = 3
    assert picture.value == plotting.png(parabola(3, 0.5))
    assert "power 3" in caption.value
    power.value = 9
    assert "These values have no figure: nine is too steep" in caption.value
    power.value = 3
    assert "power 3" in caption.value


def test_explore_live_takes_menus_and_widgets(live):
    import ipywidgets

    boxes, _ = live
    seen = []
    slider = ipywidgets.IntSlider(4, 2, 8)
    plotting.explore(lambda **v: seen.append(v) or parabola(), alt="x", a=slider, b={"B": 1, "C": 2}, c=["p", "q"])
    assert seen[0] == {"a": 4, "b": 1, "c": "p"}
    a, b, c, *_ = boxes[0].children
    assert a is slider
    b.label = "C"
    c.value = "q"
    assert seen[-1] == {"a": 4, "b": 2, "c": "q"}
    assert explorer._control("rate", (0.0, 1.0, 0.25), 0.0).readout_format == ".2f"


# --- the package -----------------------------------------------------------------------------------------------------


def test_names_come_from_the_modules_of_the_package():
    assert plotting.show is core.show
    assert plotting.explore is explorer.explore
    assert set(plotting.__all__) <= set(dir(plotting))
    with pytest.raises(AttributeError, match="plotting has no 'pie'; it has: .*bars"):
        _ = plotting.pie
    for name in dir(plotting):
        assert getattr(plotting, name) is not None


def test_no_plotting_library_is_loaded_before_a_figure_is_drawn():
    code = "import sys; from cnnlib import plotting; print('matplotlib' in sys.modules); plotting.bars; "
    code += "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
