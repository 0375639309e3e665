"""The look of the course, and the figures that every lesson needs.

All sizes are inches at 100 pixels an inch, the size at which a notebook shows them. Figures are made without pyplot:
nothing is left open, no window system is touched, and the result is the same on every machine.
"""

import base64
import html
import io
import math
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from cnnlib import runtime

DPI = 100

# From the palettes of Okabe and Ito (2008) and Tol (2021): told apart with any colour vision, and each at least 3:1
# against white. The same thing has the same colour in every lesson.
COLOURS = {
    "input": "#0072B2",
    "kernel": "#D55E00",
    "output": "#009E73",
    "train": "#332288",
    "validation": "#CC3311",
    "reference": "#222222",
    "accent": "#882255",
    "muted": "#767676",
}
# For series that have no role. Neighbours differ in lightness too, so that they part in grey print.
CYCLE = ("#0072B2", "#D55E00", "#332288", "#009E73", "#882255", "#767676")
_DASHES = ("-", "--", "-.", ":")

_STYLE = {
    "figure.facecolor": "white",  # a white card in a dark theme as well
    "axes.facecolor": "white",
    "figure.dpi": DPI,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every system draws the same letters
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "figure.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.labelcolor": "#222222",
    "text.color": "#222222",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 5,
    "image.cmap": "gray",
    "axes.prop_cycle": matplotlib.cycler(color=CYCLE),
}


def use_style() -> None:
    """Set the look of the course for figures made from here on."""
    matplotlib.rcParams.update(_STYLE)


def figure(width: float = 7.0, height: float = 3.2, columns: int = 1, rows: int = 1, **grid: object):
    """An empty figure in the look of the course.

    Args:
        width: inches; 7 fills a notebook's column.
        height: inches.
        columns: axes side by side.
        rows: rows of axes.
        **grid: passed to :meth:`matplotlib.figure.Figure.subplots`, as ``sharey=True`` or ``width_ratios=(2, 1)``.

    Returns:
        ``(figure, axes)``: one Axes, or an array of them, of shape (columns,), (rows,) or (rows, columns).
    """
    if not (width > 0 and height > 0 and columns >= 1 and rows >= 1):
        raise ValueError(
            f"a figure of {width} x {height} inches with {rows} x {columns} axes: all of these must be positive."
        )
    use_style()
    fig = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return fig, fig.subplots(rows, columns, **grid)


# --- the end of every figure -----------------------------------------------------------------------------------------


def show(fig: Figure, alt: str, colours: int = 256, keep: Sequence[tuple[int, int, int]] = ()) -> None:
    """Display a figure once, with its alternative text, and close it.

    In a notebook the output is an ``<img>`` with that text as its ``alt``, and ``text/plain`` ("Figure: ...").
    Elsewhere the text alone is printed.

    Args:
        fig: the figure.
        alt: what a reader should see in it, with its numbers; a number that differs between machines after "≈".
        colours, keep: how many colours the file has, and which among them, as in `png`. A map laid over a picture has
            too many colours for any palette: such a figure is stored as `webp`.
    """
    _check_figure(fig)
    alt = _check_alt(alt)
    text = f"Figure: {alt}"
    if runtime.in_notebook():
        display_png(webp(fig) if lays_maps_over_pictures(fig) else png(fig, colours=colours, keep=keep), alt)
    else:
        print(text)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(fig)


def display_png(data: bytes, alt: str, **further: object) -> None:
    """Display PNG or WebP bytes in a notebook with alternative text; ``further`` adds other forms of the same.

    The picture is HTML: JupyterLab, and nbconvert's pages and slides, show an ``image/png`` without its text.
    """
    from IPython.display import display

    display({"text/html": image_html(data, alt), "text/plain": f"Figure: {alt}", **further}, raw=True)


def image_html(data: bytes, alt: str) -> str:
    """An ``<img>`` that holds its PNG or WebP bytes; the class gives it a light ground in a dark JupyterLab."""
    kind = "webp" if data[:4] == b"RIFF" else "png"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<img class="jp-needs-light-background" alt="{html.escape(alt)}" src="{source}">'


def png(fig: Figure, dpi: int = DPI, colours: int = 256, keep: Sequence[tuple[int, int, int]] = ()) -> bytes:
    """The figure as PNG bytes with at most 256 colours: a third of the usual size, and the same bytes each time.

    Half of the colours save a sixth of a figure of many photographs, a quarter of them a third; letters and lines keep
    theirs, and so do the colours (red, green, blue; 0 ... 255) of ``keep``, as those of a scale that is read off.
    ValueError unless ``colours`` is 64 ... 256, that many more than are kept.
    """
    if not 64 + len(keep) <= colours <= 256:
        raise ValueError(f"colours={colours}; expected {64 + len(keep)} to 256: some are kept for letters and lines.")
    quantised = _with_palette(_drawn(fig, dpi), colours, keep)
    buffer = io.BytesIO()
    quantised.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def webp(fig: Figure, dpi: int = DPI) -> bytes:
    """The figure as WebP bytes with all of its colours, slightly smoothed: half the size of a palette of 256.

    For a map laid over a picture. Its colours vary in two ways, by the map and by the picture below, and a palette
    draws both in steps.
    """
    buffer = io.BytesIO()
    _drawn(fig, dpi).save(buffer, format="WEBP", quality=90, method=6)
    return buffer.getvalue()


def lays_maps_over_pictures(fig: Figure) -> bool:
    """Whether in one of the axes an image lets another one below it shine through."""
    return any(_shines_through(image) for ax in fig.axes for image in ax.images[1:])


def _shines_through(image: AxesImage) -> bool:
    alpha, values = image.get_alpha(), np.asarray(image.get_array())
    if values.ndim == 3 and values.shape[-1] == 4 and alpha is None:
        alpha = values[..., 3] / (1 if values.dtype.kind == "f" else 255)
    return alpha is not None and bool(np.any((np.asarray(alpha) > 0) & (np.asarray(alpha) < 1)))


def _drawn(fig: Figure, dpi: int) -> Image.Image:
    _check_figure(fig)
    if fig.get_layout_engine() is None:
        fig.set_layout_engine("constrained")
    for ax in fig.axes:
        if ax.images:  # matplotlib draws the grid over a picture
            ax.grid(visible=False)
    fig.set_dpi(dpi)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _with_palette(pixels: Image.Image, colours: int, keep: Sequence[tuple[int, int, int]]) -> Image.Image:
    """The picture with at most so many colours, some kept for letters and lines lest photographs tint them."""
    if pixels.getcolors(colours) is not None:
        return pixels.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    greys = [(level, level, level) for level in range(0, 256, 15)]
    kept = [*greys, *(tuple(round(255 * part) for part in to_rgb(colour)) for colour in COLOURS.values()), *keep]
    chosen = pixels.quantize(colours - len(kept), method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*np.ravel(kept).tolist(), *chosen.getpalette()])
    quantised = pixels.quantize(palette=palette, dither=Image.Dither.NONE)
    # Pillow's search for the nearest colour is approximate: white must not become nearly white.
    indices, codes = np.array(quantised), np.asarray(pixels) @ (1, 256, 65536)
    for index, colour in enumerate(kept):
        indices[codes == np.dot(colour, (1, 256, 65536))] = index
    exact = Image.fromarray(indices)
    exact.putpalette(quantised.getpalette())
    return exact


def _check_figure(fig: object) -> None:
    if not isinstance(fig, Figure):
        hint = " Use its .figure." if isinstance(fig, Axes) else ""
        raise TypeError(f"expected a matplotlib Figure, got {type(fig).__name__}.{hint}")


def _check_alt(alt: object) -> str:
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            f"alt={alt!r}: every figure needs a sentence that says what to see in it, for readers who cannot see it."
        )
    return " ".join(alt.split()).removeprefix("Figure: ")


# --- images ----------------------------------------------------------------------------------------------------------


def images(
    images: object,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    *,
    alt: str,
    size: float | None = None,
    cmap: str | Colormap = "gray",
    value_range: tuple[float, float] | str | None = None,
) -> None:
    """Show images side by side.

    Args:
        images: a batch (n, height, width, channels), a stack of single-channel images (n, height, width), one image
            (height, width) or (height, width, channels), a list of images of any sizes, or a dict of title and image.
            Channels are 1 or 3 and come last. Floats are in [0, 1], integers in 0..255.
        titles: one per image.
        columns: images in a row; chosen so that the figure is at most 7 inches wide if not given.
        alt: what to see.
        size: width of one image in inches.
        cmap: colour map of single-channel images.
        value_range: for what is no picture, as feature maps or kernels: ``(lowest, highest)`` value shown, ``"each"``
            to stretch every image to its own range, or ``"shared"`` to stretch all by their common range.

    Raises:
        ValueError: a rank, channel order or value range that is no image; the message names the likely cause.
    """
    if isinstance(images, Mapping):
        titles, images = list(images), list(images.values())
    pictures = [_as_picture(picture, i) for i, picture in enumerate(_as_list(images))]
    if not pictures:
        raise ValueError("there is no image to show: the list is empty.")
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"{len(pictures)} images but {len(titles)} titles: give one title per image.")
    limits = _limits(pictures, value_range)

    count = len(pictures)
    columns = min(count, columns or _good_columns(count, size))
    rows = math.ceil(count / columns)
    size = size or min(3.0, 7.0 / columns)
    tallest = max(picture.shape[0] / picture.shape[1] for picture in pictures)
    wrapped = [_wrap(title, size) for title in titles] if titles is not None else [""] * count
    lines = max(title.count("\n") + 1 for title in wrapped) if any(wrapped) else 0
    fig, axes = figure(columns * size, rows * (size * min(tallest, 3.0) + 0.16 * lines + 0.08), columns, rows)
    for ax in np.ravel(axes):
        ax.set_axis_off()
        ax.set_anchor("N")
    for ax, picture, title, (low, high) in zip(np.ravel(axes), pictures, wrapped, limits):
        ax.imshow(_stretched(picture, low, high), cmap=cmap, vmin=0, vmax=1)
        ax.set_title(title, fontsize=9, fontweight="normal", loc="center", pad=3)
    show(fig, alt)


def _as_list(images: object) -> list:
    """Separate images, whichever way they were given."""
    if isinstance(images, (list, tuple)):
        return list(images)
    array = np.asarray(images)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (1, 3)):
        return [array]
    if array.ndim in (3, 4):
        return list(array)
    raise ValueError(
        f"images of shape {array.shape}: expected (n, height, width, channels), (n, height, width), or one image "
        "(height, width) or (height, width, channels)."
    )


def _as_picture(image: object, position: int) -> np.ndarray:
    """One image as (height, width) or (height, width, 3); integers and booleans scaled to [0, 1]."""
    image = np.asarray(image)
    which = f"image {position} of shape {image.shape}"
    if image.ndim == 3 and image.shape[-1] not in (1, 3):
        if image.shape[0] in (1, 3):
            raise ValueError(
                f"{which} looks channels-first. The course keeps channels last: use np.moveaxis(image, 0, -1)."
            )
        if image.shape[-1] == 4:
            raise ValueError(f"{which} has four channels, the last likely transparency: drop it with image[..., :3].")
        raise ValueError(
            f"{which} has {image.shape[-1]} channels; a picture has 1 or 3. For feature maps show one channel each: "
            "np.moveaxis(maps, -1, 0)."
        )
    if image.ndim not in (2, 3):
        hint = " Is it a batch of images inside a list? Pass the batch itself." if image.ndim == 4 else ""
        raise ValueError(f"{which}: expected (height, width) or (height, width, channels).{hint}")
    if 0 in image.shape:
        raise ValueError(f"{which} has no pixels.")
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.dtype.kind == "b":
        return image.astype("float32")
    if image.dtype.kind in "iu":
        if image.min() < 0 or image.max() > 255:
            raise ValueError(
                f"{which} holds integers from {image.min()} to {image.max()}; a picture has 0..255. For other values "
                "say which to show: value_range='each'."
            )
        return image.astype("float32") / 255
    if image.dtype.kind != "f":
        raise TypeError(f"{which} has dtype {image.dtype}; expected numbers.")
    if not np.isfinite(image).all():
        raise ValueError(f"{which} holds NaN or infinity, which no colour can show.")
    return image.astype("float32")


def _limits(pictures: list[np.ndarray], value_range: tuple[float, float] | str | None) -> list[tuple[float, float]]:
    """The values drawn as darkest and brightest, for each picture."""
    ranges = [(float(picture.min()), float(picture.max())) for picture in pictures]
    if value_range is None:
        for position, (low, high) in enumerate(ranges):
            if low < -1e-4 or high > 1 + 1e-4:
                raise ValueError(_out_of_range(position, low, high))
        return [(0.0, 1.0)] * len(pictures)
    if value_range == "each":
        return ranges
    if value_range == "shared":
        return [(min(low for low, _ in ranges), max(high for _, high in ranges))] * len(pictures)
    if isinstance(value_range, str):
        raise ValueError(f"value_range={value_range!r}: expected 'each', 'shared' or (lowest, highest).")
    low, high = value_range
    if not low < high:
        raise ValueError(f"value_range={value_range}: the lowest value must be below the highest.")
    return [(float(low), float(high))] * len(pictures)


def _out_of_range(position: int, low: float, high: float) -> str:
    likely = (
        "It looks like 0..255 as floats: divide by 255."
        if low >= 0 and 1 < high <= 255 and high > 2
        else "If it is no picture but a map or a kernel, say which values to show: value_range='each'."
    )
    return f"image {position} has floats from {low:.4g} to {high:.4g}; a picture has [0, 1]. {likely}"


def _stretched(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((picture - low) / (high - low if high > low else 1), 0, 1)


def _good_columns(count: int, size: float | None) -> int:
    """As many columns as fit, evenly filled: 8 images in 4 + 4 rather than 6 + 2."""
    fit = max(1, int(7.0 / size)) if size else (count if count <= 5 else 6)
    rows = math.ceil(count / fit)
    return math.ceil(count / rows)


def _wrap(title: object, size: float) -> str:
    """Break a title of 9 points into lines that fit above an image."""
    characters = max(8, int(size * 14))
    return "\n".join("\n".join(textwrap.wrap(line, characters)) for line in str(title).split("\n"))


# --- bars, curves, heatmaps ------------------------------------------------------------------------------------------


def bars(
    values: Mapping[str, float],
    *,
    alt: str,
    xlabel: str = "",
    title: str = "",
    log: bool = False,
    form: str | Callable[[float], str] = "{:,.4g}",
    colours: Mapping[str, str] | str = COLOURS["input"],
    width: float = 7.0,
    limits: tuple[float, float] | None = None,
) -> None:
    """Horizontal bars, each with its name on the left and its value at its end.

    Args:
        values: name and value, drawn from top to bottom.
        alt: what to see.
        xlabel: what the values are, with their unit.
        title: above the bars.
        log: logarithmic axis; all values must be positive.
        form: how a value is written, as a format string or a function.
        colours: one colour, or one per name.
        width: inches.
        limits: of the axis, as (0, 1) for probabilities.
    """
    if not values:
        raise ValueError("there is nothing to draw: values is empty.")
    numbers = [float(value) for value in values.values()]
    if not np.isfinite(numbers).all():
        raise ValueError(f"values must be finite, got {dict(values)}.")
    if log and min(numbers) <= 0:
        raise ValueError(f"a logarithmic axis has no place for {min(numbers)}: use log=False.")
    write = form if callable(form) else form.format
    fig, ax = figure(width, 0.55 + 0.34 * len(values) + (0.3 if title else 0) + (0.25 if xlabel else 0))
    fills = [colours if isinstance(colours, str) else colours.get(name, COLOURS["muted"]) for name in values]
    drawn = ax.barh(range(len(numbers)), numbers, color=fills, height=0.68)
    ax.bar_label(drawn, [write(value) for value in values.values()], padding=4, fontsize=9.5)
    ax.set_yticks(range(len(numbers)), [str(name) for name in values], fontsize=10)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    if log:
        ax.set_xscale("log")
    ax.margins(x=0.12)  # room for the value at the end of the longest bar
    if limits is not None:
        ax.set_xlim(*limits)
    ax.set_xlabel(xlabel)
    ax.set_title(title)
    show(fig, alt)


def curves(
    series: Mapping[str, Sequence[float]],
    x: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    *,
    xlabel: str,
    ylabel: str,
    alt: str,
    logx: bool = False,
    logy: bool = False,
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    title: str = "",
    markers: bool = False,
    colours: Mapping[str, str] | None = None,
    width: float = 7.0,
    height: float = 3.2,
) -> None:
    """Lines over a common axis. A series named as a role of :data:`COLOURS` ("train", "validation") has its colour.

    Args:
        series: name and values. NaN leaves a gap, as where a training run diverged.
        x: the values' positions, one sequence for all or one per name; 1, 2, 3... if not given.
        xlabel: what the horizontal axis is, with its unit.
        ylabel: what the values are, with their unit.
        alt: what to see.
        logx, logy: logarithmic axes.
        bands: for some names a shaded region ``(lower, upper)``, as the range over seeds.
        title: above the lines.
        markers: a dot at each value; for few values.
        colours: for some names a colour.
        width, height: inches.
    """
    if not series:
        raise ValueError("there is nothing to draw: series is empty.")
    unknown = sorted({*(bands or {}), *(colours or {})} - set(series))
    if unknown:
        raise ValueError(f"bands or colours name {unknown}, which is no series; these are: {list(series)}.")
    fig, ax = figure(width, height)
    for number, (name, values) in enumerate(series.items()):
        values = np.asarray(values, dtype=float)
        places = _places(x, name, values)
        colour = (colours or {}).get(name) or COLOURS.get(name, CYCLE[number % len(CYCLE)])
        ax.plot(places, values, _DASHES[number % 4], color=colour, label=name, marker="o" if markers else None)
        if bands and name in bands:
            lower, upper = bands[name]
            ax.fill_between(places, lower, upper, color=colour, alpha=0.18, linewidth=0)
    if logx:
        ax.set_xscale("log")
    if logy:
        ax.set_yscale("log")
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title)
    if len(series) > 1:
        ax.legend()
    show(fig, alt)


def _places(x: object, name: str, values: np.ndarray) -> np.ndarray:
    if values.ndim != 1:
        raise ValueError(f"series {name!r} has shape {values.shape}; expected one value after another, shape (n,).")
    if x is None:
        return np.arange(1, len(values) + 1)
    places = np.asarray(x[name] if isinstance(x, Mapping) else x, dtype=float)
    if places.shape != values.shape:
        raise ValueError(f"series {name!r} has {len(values)} values at {places.size} positions x: these must agree.")
    return places


def heatmap(
    matrix: object,
    *,
    alt: str,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    form: str = "{:.3g}",
    annotate: bool | None = None,
    cmap: str | None = None,
    limits: tuple[float, float] | None = None,
    size: float | None = None,
) -> None:
    """A matrix as coloured cells.

    Args:
        matrix: (rows, columns) of numbers.
        alt: what to see.
        rows, columns: labels.
        xlabel, ylabel: axis labels.
        title: above the cells.
        form: how a value is written in its cell.
        annotate: write the values; if not given, done up to 15 x 15.
        cmap: colour map; if not given, blues, or for values of both signs red and blue around a white zero.
        limits: values of the lightest and the darkest colour.
        size: width of a cell in inches.
    """
    values = np.asarray(matrix, dtype=float)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"a heatmap of shape {values.shape}: expected (rows, columns).")
    for labels, count, name in ((rows, values.shape[0], "rows"), (columns, values.shape[1], "columns")):
        if labels is not None and len(labels) != count:
            raise ValueError(f"{len(labels)} labels for {count} {name}: give one each.")
    annotate = max(values.shape) <= 15 if annotate is None else annotate
    size = size or min(0.6, 6.0 / values.shape[1])
    longest = max((len(str(name)) for name in columns or ()), default=0)  # letters of a name that is written upwards
    around = 0.8 + (0.3 if title and longest > 8 else 0)
    fig, ax = figure(min(7.0, 1.6 + values.shape[1] * size), max(1.4, around + values.shape[0] * min(size, 0.6)))
    draw_heatmap(ax, values, form=form if annotate else None, cmap=cmap, limits=limits)
    _label_cells(ax, rows, columns)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title)
    show(fig, alt)


def draw_heatmap(
    ax: Axes,
    matrix: object,
    *,
    form: str | None = "{:g}",
    cmap: str | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw a matrix (rows, columns) as coloured cells into given axes, each with its value unless ``form`` is None."""
    values = np.asarray(matrix, dtype=float)
    low, high = limits or (np.nanmin(values), np.nanmax(values))
    if limits is None and low < 0 < high:
        low, high = -max(-low, high), max(-low, high)
    cmap = matplotlib.colormaps[cmap or ("RdBu_r" if low < 0 < high else "Blues")]
    normal = matplotlib.colors.Normalize(low, high if high > low else low + 1)
    ax.pcolormesh(values, cmap=cmap, norm=normal, edgecolors="white", linewidth=1 if form else 0)
    ax.set_aspect("equal")
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    if form is None:
        return
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = cmap(normal(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        text = "" if math.isnan(value) else form.format(value + 0.0)  # no minus before a zero
        ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9, color="white" if dark else "#222")


def _label_cells(ax: Axes, rows: Sequence[str] | None, columns: Sequence[str] | None) -> None:
    if rows is not None:
        ax.set_yticks(np.arange(len(rows)) + 0.5, [str(name) for name in rows])
    if columns is not None:
        longest = max(len(str(name)) for name in columns)
        ax.set_xticks(np.arange(len(columns)) + 0.5, [str(name) for name in columns], rotation=90 if longest > 5 else 0)
    ax.tick_params(length=0)


use_style()
