"""Figures of lesson 01: what a convolution layer reads, computes and costs.

Grids of numbers are drawn cell by cell, with row 0 at the top, in the colours of the course: what is read in the input
colour, the window in the kernel colour, results in the output colour, and what nobody reads in the accent colour.
Every public function ends in `cnnlib.plotting.show`, except `layer_geometry`, which returns its figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnlib import arithmetic
from cnnlib.plotting import core, explorer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "channel_sum",
    "channel_wiring",
    "cost_bars",
    "coverage",
    "dilation_taps",
    "filter_gallery",
    "gridding",
    "layer_explorer",
    "layer_geometry",
    "matrices",
    "sliding_window",
    "stamps",
    "window_matrix",
]


WIDE = 8.4  # inches, for figures of many small grids


# Parts ----------------------------------------------------------------------------------------------------------------


def _panels(width: float, height: float, ratios: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure with one row of bare, square-celled axes whose widths are as ``ratios``."""
    fig, first = core.figure(width=width, height=height)
    first.remove()
    fig.set_layout_engine("none")
    grid = fig.add_gridspec(1, len(ratios), width_ratios=list(ratios), left=0.01, right=0.99, bottom=0.04, top=0.84)
    axes = [fig.add_subplot(cell) for cell in grid]
    for ax in axes:
        ax.set_aspect("equal")
        ax.axis("off")
    return fig, axes


def _title(ax: Axes, text: str) -> None:
    """What a panel shows, in the style of `cnnlib.plotting.images`."""
    ax.set_title(text, fontsize=9, fontweight="normal", loc="center", pad=4)


def _number(value: float, digits: int = 2) -> str:
    """``value`` as short as it can be read: 4, -0.5, 0.33."""
    text = f"{float(value):.{digits}f}".rstrip("0").rstrip(".") if digits else f"{float(value):.0f}"
    return "0" if text in ("-0", "") else text.replace("-", "\N{MINUS SIGN}")


def _cells(ax: Axes, values: np.ndarray, colour: str, text: bool = True, size: float = 9, digits: int = 2) -> None:
    """Draw ``values`` (rows, columns) as outlined cells with their numbers, tinted ``colour``."""
    from matplotlib.patches import Rectangle

    rows, columns = values.shape
    for row in range(rows):
        for column in range(columns):
            ax.add_patch(
                Rectangle((column, row), 1, 1, facecolor=(colour, 0.12), edgecolor=core.COLOURS["muted"], linewidth=0.7)
            )
            if text:
                label = _number(values[row, column], digits)
                ax.text(column + 0.5, row + 0.5, label, ha="center", va="center", fontsize=size)
    ax.set_xlim(-0.1, columns + 0.1)
    ax.set_ylim(rows + 0.1, -0.1)


def _mark(ax: Axes, row: float, column: float, rows: float = 1, columns: float = 1, **style: object) -> None:
    """Lay a rectangle of ``rows`` x ``columns`` cells over a grid."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((column, row), columns, rows, **style))


def _two_dimensional(name: str, array: object) -> np.ndarray:
    array = np.asarray(array, dtype=float)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must be a grid of numbers (height, width), got shape {array.shape}. Pass one channel of one image."
        )
    return array


def _correlate(image: np.ndarray, kernel: np.ndarray, stride: int = 1, dilation: int = 1) -> np.ndarray:
    """What the figures write into output cells: plain cross-correlation, valid."""
    spans = [arithmetic.effective_kernel(k, dilation) for k in kernel.shape]
    rows, columns = (arithmetic.output_size(n, k, stride, 0, dilation) for n, k in zip(image.shape, kernel.shape))
    windows = np.lib.stride_tricks.sliding_window_view(image, spans)[::stride, ::stride, ::dilation, ::dilation]
    return np.einsum("ijuv,uv->ij", windows[:rows, :columns], kernel)


# Sliding a window -----------------------------------------------------------------------------------------------------


def sliding_window(
    image: object,
    kernel: object,
    stops: Sequence[tuple[int, int]] = ((0, 0), (0, 1), (2, 2)),
    stride: int = 1,
    names: tuple[str, str, str] = ("kernel", "image", "output"),
) -> None:
    """Draw ``kernel`` (kh, kw) at some stops of its way over ``image`` (h, w), with every number.

    Args:
        image: what is read.
        kernel: what slides; small numbers in the lower corners of the cells under the window are its taps.
        stops: the (row, column) *of the output* for which the window is drawn.
        stride: pixels between two stops.
        names: what the three grids are called in titles and alt text.

    Raises:
        ValueError: if an array is not a grid, or a stop lies outside the output.
    """
    image, kernel = _two_dimensional(names[1], image), _two_dimensional(names[0], kernel)
    output = _correlate(image, kernel, stride)
    for stop in stops:
        if not (0 <= stop[0] < output.shape[0] and 0 <= stop[1] < output.shape[1]):
            raise ValueError(f"stop {tuple(stop)} lies outside the output, which has shape {output.shape}.")
    widths = [kernel.shape[1], *[image.shape[1]] * len(stops), output.shape[1]]
    fig, axes = _panels(WIDE, WIDE * max(image.shape[0], 4) / sum(widths) * 0.9 + 0.4, widths)
    colours = core.COLOURS
    _cells(axes[0], kernel, colours["kernel"])
    _title(axes[0], names[0])
    for ax, (row, column) in zip(axes[1:], stops):
        _cells(ax, image, colours["input"])
        top, left = row * stride, column * stride
        _mark(ax, top, left, *kernel.shape, facecolor=(colours["kernel"], 0.3), edgecolor=colours["kernel"], lw=2.5)
        for (u, v), tap in np.ndenumerate(kernel):
            ax.text(left + v + 0.93, top + u + 0.9, f"×{_number(tap)}", ha="right", fontsize=5.5)
        _title(ax, f"{names[2]}[{row}, {column}] = {_number(output[row, column])}")
    _cells(axes[-1], output, colours["output"])
    for row, column in stops:
        _mark(axes[-1], row, column, facecolor=(colours["output"], 0.35), edgecolor=colours["output"], lw=2)
    _title(axes[-1], names[2])
    steps = ", ".join(f"[{r}, {c}] = {_number(output[r, c])}" for r, c in stops)
    rows = "; ".join(" ".join(_number(v) for v in line) for line in output)
    core.show(
        fig,
        f"{names[0]} of {kernel.shape[0]}x{kernel.shape[1]} laid over {names[1]} of {image.shape[0]}x{image.shape[1]}, "
        f"multiplied and summed: {names[2]} {steps}. All of {names[2]}, row by row: {rows}.",
    )


def window_matrix(image: object, kernel: object) -> None:
    """Draw im2col: the windows of ``image`` (h, w) as rows of a matrix, times ``kernel`` (kh, kw) as a column."""
    image, kernel = _two_dimensional("image", image), _two_dimensional("kernel", kernel)
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape).reshape(-1, kernel.size)
    output = windows @ kernel.reshape(-1, 1)
    fig, axes = _panels(8, 3.9, [image.shape[1], 1.2, kernel.size, 1.2, 1.2, 1.2, 1.6])
    colours = core.COLOURS
    _cells(axes[0], image, colours["input"], size=8)
    _mark(axes[0], 0, 0, *kernel.shape, fill=False, edgecolor=colours["kernel"], lw=2.5)
    _title(axes[0], "image")
    _cells(axes[2], windows, colours["input"], size=8)
    _mark(axes[2], 0, 0, 1, kernel.size, fill=False, edgecolor=colours["kernel"], lw=2.5)
    _title(axes[2], "one window per row")
    _cells(axes[4], kernel.reshape(-1, 1), colours["kernel"], size=8)
    _title(axes[4], "kernel")
    _cells(axes[6], output, colours["output"], size=8)
    _title(axes[6], "output")
    for ax, sign in ((axes[1], "→"), (axes[3], "×"), (axes[5], "=")):
        ax.set_aspect("auto")
        ax.text(0.5, 0.5, sign, ha="center", va="center", fontsize=16, transform=ax.transAxes)
    core.show(
        fig,
        f"The {len(windows)} windows of the image, unrolled into the rows of a {len(windows)}x{kernel.size} matrix, "
        f"times the kernel as a column of {kernel.size}, give the {len(output)} outputs: "
        f"{', '.join(_number(v) for v in output[:, 0])}.",
    )


# What a window reads --------------------------------------------------------------------------------------------------


def coverage(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> None:
    """Draw one row of ``size`` pixels, the windows that read it, and the pixels that no window reads.

    A long row is cut in the middle. The dashed window is the one that the floor drops, because it would not fit.

    Raises:
        ValueError: if the dilated kernel is wider than the padded row.
    """
    outputs = arithmetic.output_size(size, kernel, stride, padding, dilation)
    lost = size - arithmetic.covered(size, kernel, stride, padding, dilation)
    span = arithmetic.effective_kernel(kernel, dilation)
    first, last = -padding, size + padding  # pixel positions, padding included
    reach = span + 3 * stride
    shown = range(first, last) if last - first <= 36 else [*range(first, first + reach), *range(last - reach - 4, last)]
    place = {pixel: n + (0 if pixel == first + n else 2) for n, pixel in enumerate(shown)}  # a gap of two where cut
    read = {stop * stride + tap * dilation - padding for stop in range(outputs) for tap in range(kernel)}
    dropped = (last - first - span) % stride > 0  # the floor drops a window that would not fit
    stops = [stop for stop in range(outputs + dropped) if _is_drawn(stop * stride - padding, span, place, last)]

    tracks = -(-span // stride)
    fig, ax = core.figure(width=min(WIDE, 0.5 * len(place) + 2), height=1.15 + 0.18 * tracks)
    ax.axis("off")
    colours = core.COLOURS
    for pixel, x in place.items():
        inside, seen = 0 <= pixel < size, pixel in read
        style = {"facecolor": (colours["input"], 0.45), "edgecolor": "white"}
        if not inside:
            style = {"facecolor": "white", "edgecolor": colours["muted"], "linestyle": ":"}
        elif not seen:
            style = {"facecolor": "white", "edgecolor": colours["accent"], "hatch": "xxxx"}
        _mark(ax, 0, x, 1, 0.94, **style)
    if len(place) < last - first:
        ax.text(reach + 1 - 0.03, 0.5, "…", ha="center", va="center", fontsize=16)
    few = len(place) <= 20
    ticks = [p for p in place if 0 <= p < size and (few or p < 3 or p > size - 4 or p % 5 == 0)]
    for pixel in ticks:
        ax.text(place[pixel] + 0.47, -0.25, str(pixel), ha="center", va="bottom", fontsize=7, color=colours["muted"])
    for stop in stops:
        start, y = place[stop * stride - padding], 1.5 + 0.75 * (stop % tracks)
        fits = stop < outputs
        colour = colours["kernel"] if fits else colours["accent"]
        ax.plot([start + 0.47, start + span - 0.53], [y, y], color=colour, lw=2, ls="-" if fits else "--")
        taps = [start + tap * dilation + 0.47 for tap in range(kernel)]
        ax.plot(taps, [y] * kernel, "o", ms=4, color=colour, mfc=colour if fits else "white")
    right = max([*place.values(), *(place[s * stride - padding] + span - 1 for s in stops)]) + 1.2
    ax.set_xlim(-0.2, right)
    ax.set_ylim(1.5 + 0.75 * tracks, -1)
    settings = f"{size} pixels, kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation}"
    result = f"{outputs} windows, {lost} {'pixel' if lost == 1 else 'pixels'} never read"
    _title(ax, f"{settings}: {result}")
    core.show(fig, f"One row of {settings}: {result} (crossed out).")


def _is_drawn(start: int, span: int, place: Mapping[int, int], last: int) -> bool:
    """Whether a window that begins at pixel ``start`` begins and ends among the drawn pixels, or runs off the end."""
    end = start + span - 1
    if start not in place:
        return False
    if end >= last:
        return True
    return end in place and place[end] - place[start] == end - start


def layer_geometry(
    image: object,
    kernel: int = 3,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    position: float = 0.0,
    weights: object | None = None,
) -> Figure:
    """Draw one layer on the pixels of a small grey image: what a window reads, and the output.

    Made for `layer_explorer`: settings that fit nowhere give a figure that says so, not an error.

    Args:
        image: (n, n) in [0, 1], small enough for its pixels to be seen.
        kernel, stride, padding, dilation: of the layer, along both axes.
        position: how far the window has come, from 0 (first stop) to 1 (last).
        weights: (kernel, kernel); the mean of the taps if not given.

    Returns:
        The figure, not shown.
    """
    image = _two_dimensional("image", image)
    size = image.shape[0]
    fig, axes = core.figure(width=7.6, height=4.0, columns=2)
    left, right = axes
    colours = core.COLOURS
    padded = np.pad(image, padding)
    span = arithmetic.effective_kernel(kernel, dilation)
    for ax in axes:
        ax.axis("off")
    left.imshow(padded, cmap="gray", vmin=0, vmax=1, extent=(0, len(padded), len(padded), 0))
    _mark(left, padding, padding, size, size, fill=False, edgecolor=colours["input"], lw=2)
    if padding:
        for at in ((0, 0, padding, None), (size + padding, 0, padding, None)):
            _mark(left, at[0], 0, padding, len(padded), facecolor="white", edgecolor=colours["muted"], alpha=0.85)
            _mark(left, padding, at[0], size, padding, facecolor="white", edgecolor=colours["muted"], alpha=0.85)
    top = f"⌊({size} + 2·{padding} − {dilation}·({kernel} − 1) − 1) / {stride}⌋ + 1"
    if span > len(padded):
        _title(left, f"a kernel of {span} pixels does not fit into {len(padded)}")
        right.text(0.5, 0.5, "no output", ha="center", va="center", fontsize=16, color=colours["accent"])
        return fig
    weights = np.full((kernel, kernel), 1 / kernel**2) if weights is None else _two_dimensional("weights", weights)
    output = _correlate(padded, weights, stride, dilation)
    outputs = len(output)
    read = {stop * stride + tap * dilation for stop in range(outputs) for tap in range(kernel)}
    for pixel in sorted(set(range(padding, size + padding)) - read):
        style = {"facecolor": "none", "edgecolor": colours["accent"], "hatch": "xxx", "linewidth": 0}
        _mark(left, padding, pixel, size, 1, **style)
        _mark(left, pixel, padding, 1, size, **style)
    stop = min(int(position * outputs**2), outputs**2 - 1)
    row, column = divmod(stop, outputs)
    _mark(left, row * stride, column * stride, span, span, fill=False, edgecolor=colours["kernel"], lw=2.5)
    for u in range(kernel):
        for v in range(kernel):
            where = (row * stride + u * dilation, column * stride + v * dilation)
            _mark(left, *where, facecolor=(colours["kernel"], 0.4), edgecolor=colours["kernel"], lw=1)
    lost = size - arithmetic.covered(size, kernel, stride, padding, dilation)
    _title(left, f"{size} × {size} pixels, rows and columns never read: {lost}")
    right.imshow(output, cmap="gray", extent=(0, outputs, outputs, 0))
    _mark(right, row, column, fill=False, edgecolor=colours["output"], lw=2.5)
    margin = max(len(padded) - outputs, 0) / 2  # pixels as large as those of the input
    right.set_xlim(-margin, outputs + margin)
    right.set_ylim(outputs + margin, -margin)
    _title(right, f"{top} = {outputs}")
    return fig


def layer_explorer(image: object) -> None:
    """Sliders for `layer_geometry` on a small grey image (n, n) in [0, 1], starting with a window of 3 and stride 2."""
    size = len(_two_dimensional("image", image))

    def one_layer(kernel: int, stride: int, padding: int, dilation: int, position: float) -> Figure:
        return layer_geometry(image, kernel, stride, padding, dilation, position)

    def describe(kernel: int, stride: int, padding: int, dilation: int, position: float) -> str:
        settings = (
            f"kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation} on {size} by {size} pixels"
        )
        if arithmetic.effective_kernel(kernel, dilation) > size + 2 * padding:
            return f"{settings}: the kernel does not fit, there is no output."
        outputs = arithmetic.output_size(size, kernel, stride, padding, dilation)
        lost = size - arithmetic.covered(size, kernel, stride, padding, dilation)
        return f"{settings}: {outputs} by {outputs} outputs, {lost} of {size} rows and columns are never read."

    explorer.explore(
        one_layer,
        alt=describe,
        kernel=(1, 7, 1, 3),
        stride=(1, 4, 1, 2),
        padding=(0, 3),
        dilation=(1, 4),
        position=(0.0, 1.0, 0.01),
    )


def dilation_taps(kernel: int = 3, dilations: Sequence[int] = (1, 2, 3)) -> None:
    """Draw where the taps of a kernel (``kernel`` x ``kernel``) lie for each dilation."""
    spans = [arithmetic.effective_kernel(kernel, dilation) for dilation in dilations]
    fig, axes = _panels(1.2 + 0.36 * sum(spans), 0.8 + 0.36 * max(spans), spans)
    colours = core.COLOURS
    for ax, span, dilation in zip(axes, spans, dilations):
        _cells(ax, np.zeros((span, span)), colours["input"], text=False)
        for u in range(kernel):
            for v in range(kernel):
                _mark(ax, u * dilation, v * dilation, facecolor=(colours["kernel"], 0.75), edgecolor="white")
        _title(ax, f"dilation {dilation}: spans {span}")
    facts = ", ".join(f"dilation {d} spans {s} pixels" for d, s in zip(dilations, spans))
    core.show(fig, f"A kernel of {kernel}x{kernel} always has {kernel**2} taps; {facts}.")


def gridding(counts: Mapping[str, object]) -> None:
    """Draw, for some stacks of layers, how many paths lead from each input pixel to one output pixel.

    Args:
        counts: name of the stack -> (n, n) number of paths from each pixel; 0 is a pixel that is not read.
    """
    grids = {name: _two_dimensional(name, grid) for name, grid in counts.items()}
    fig, axes = core.figure(width=2.8 * len(grids), height=3.2, columns=len(grids))
    facts = []
    for ax, (name, grid) in zip(np.atleast_1d(axes), grids.items()):
        seen = int(np.count_nonzero(grid))
        ax.pcolormesh(np.where(grid > 0, grid, np.nan), cmap="viridis", vmin=0, edgecolors="white", linewidth=0.8)
        ax.set_aspect("equal")
        ax.invert_yaxis()
        ax.grid(visible=False)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        _title(ax, f"{name}\nreads {seen} of {grid.size} pixels")
        facts.append(f"{name} reads {seen} of {grid.size} pixels of its {len(grid)}x{len(grid)} field")
    core.show(fig, f"Which input pixels reach one output pixel, white where none: {'; '.join(facts)}.")


# What a layer computes ------------------------------------------------------------------------------------------------


def filter_gallery(
    image: object, kernels: Mapping[str, object], outputs: Mapping[str, object], columns: int = 3
) -> None:
    """Draw a grey photograph and what each kernel makes of it, the kernel's numbers in the corner.

    Args:
        image: (h, w) in [0, 1].
        kernels: name -> (kh, kw).
        outputs: name -> (h', w'). A kernel with a negative mean response is drawn around mid-grey, so that 0 is grey.
        columns: pictures side by side.
    """
    names = list(kernels)
    rows = -(-(len(names) + 1) // columns)
    fig, axes = core.figure(width=6.6, height=2.38 * rows, columns=columns, rows=rows)
    for ax in axes.flat:
        ax.axis("off")
    panels = iter(axes.flat)
    photo = next(panels)
    photo.imshow(np.asarray(image), cmap="gray", vmin=0, vmax=1)
    _title(photo, "photograph")
    for name, ax in zip(names, panels):
        kernel, output = _two_dimensional(name, kernels[name]), np.asarray(outputs[name])
        signed = kernel.sum() < 0.5  # such filters answer 0 to a flat area: show 0 as mid-grey
        limits = (-1, 1) if signed else (0, 1)
        ax.imshow(output, cmap="gray", vmin=limits[0], vmax=limits[1])
        _title(ax, f"{name} (weights sum to {_number(kernel.sum())})")
        inset = ax.inset_axes((0.66, 0.02, 0.32, 0.32))
        inset.set_aspect("equal")
        inset.patch.set_facecolor("white")
        inset.tick_params(length=0, labelbottom=False, labelleft=False)
        inset.grid(visible=False)
        few = kernel.shape[1] <= 3
        _cells(inset, kernel, core.COLOURS["kernel"], text=few, size=7)
        if not few:  # no room for a number in each cell
            equal = np.allclose(kernel, kernel.flat[0])
            label = f"each\n{_number(kernel.flat[0])}" if equal else f"{kernel.shape[0]} × {kernel.shape[1]}"
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            inset.text(0.5, 0.5, label, ha="center", va="center", size=7.5, transform=inset.transAxes, bbox=paper)
    sums = ", ".join(f"{name} {_number(np.asarray(kernels[name]).sum())}" for name in names)
    core.show(fig, f"A grey photograph and the same filtered with {len(names)} kernels whose weights sum to: {sums}.")


def channel_sum(image: object, filter_weights: object, responses: object, total: object) -> None:
    """Draw how one filter reads a colour photograph: a slice for each channel, the responses, and their sum.

    Args:
        image: (h, w, channels) in [0, 1].
        filter_weights: (kh, kw, channels).
        responses: (h', w', channels), each channel filtered with its own slice.
        total: (h', w'), their sum.
    """
    image, filter_weights = np.asarray(image, float), np.asarray(filter_weights, float)
    responses, total = np.asarray(responses, float), np.asarray(total, float)
    channels = image.shape[-1]
    if filter_weights.shape[-1] != channels or responses.shape[-1] != channels:
        raise ValueError(
            f"the image has {channels} channels, the filter {filter_weights.shape[-1]} and the responses "
            f"{responses.shape[-1]}; a filter has one slice for each input channel."
        )
    names = ["red", "green", "blue"] if channels == 3 else [f"channel {c}" for c in range(channels)]
    fig, axes = core.figure(width=6.6, height=3.5, columns=channels + 1, rows=2)
    limit = float(np.abs(responses).max())
    for ax in axes.flat:
        ax.axis("off")
    for c, name in enumerate(names):
        axes[0, c].imshow(image[..., c], cmap="gray", vmin=0, vmax=1)
        _title(axes[0, c], f"{name} channel")
        axes[1, c].imshow(responses[..., c], cmap="gray", vmin=-limit, vmax=limit)
        weights = filter_weights[..., c]
        flat = np.allclose(weights, weights.flat[0])
        _title(axes[1, c], f"× its slice{f', all {_number(weights.flat[0])}' if flat else ''}")
        axes[1, c].text(1.09, 0.5, "=" if c == channels - 1 else "+", transform=axes[1, c].transAxes, fontsize=18,
                        ha="center", va="center")  # fmt: skip
    axes[0, -1].imshow(np.clip(image, 0, 1) if channels == 3 else image.mean(axis=-1), cmap="gray")
    _title(axes[0, -1], "photograph")
    bound = float(np.abs(total).max())
    axes[1, -1].imshow(total, cmap="gray", vmin=-bound, vmax=bound)
    _title(axes[1, -1], "sum: one feature map")
    core.show(
        fig,
        f"The {channels} channels of a photograph, each filtered with its own slice of one "
        f"{'x'.join(map(str, filter_weights.shape))} filter, and the sum of the {channels} results: one feature map.",
    )


def matrices(grids: Mapping[str, object], alt: str, digits: int = 2) -> None:
    """Draw small grids of numbers side by side: red above zero, blue below.

    Args:
        grids: title -> (rows, columns).
        alt: what a reader should see.
        digits: decimals of the numbers.
    """
    arrays = {name: _two_dimensional(name, grid) for name, grid in grids.items()}
    widths = [array.shape[1] for array in arrays.values()]
    tallest = max(array.shape[0] for array in arrays.values())
    fig, axes = _panels(min(WIDE, 0.55 * sum(widths) + 0.5 * len(widths)), 0.55 * tallest + 0.5, widths)
    for ax, (name, array) in zip(axes, arrays.items()):
        ax.axis("on")
        core.draw_heatmap(ax, np.round(array, digits), form=f"{{:.{digits}f}}")  # rounded first: no minus before a 0
        _title(ax, name)
    core.show(fig, alt)


def stamps(image: object, kernel: object, stride: int = 1) -> None:
    """Draw a transposed convolution: every input pixel lays down the kernel, scaled by its value, and stamps add up.

    Args:
        image: (h, w), a handful of pixels.
        kernel: (kh, kw).
        stride: output pixels between two stamps.
    """
    image, kernel = _two_dimensional("image", image), _two_dimensional("kernel", kernel)
    if image.size > 6:
        raise ValueError(f"one panel is drawn for each input pixel; {image.size} are too many, use at most 6.")
    shape = [(n - 1) * stride + k for n, k in zip(image.shape, kernel.shape)]
    layers = []
    for row, column in np.ndindex(image.shape):
        layer = np.zeros(shape)
        top, left = row * stride, column * stride
        layer[top : top + kernel.shape[0], left : left + kernel.shape[1]] = image[row, column] * kernel
        layers.append(((row, column), layer))
    total = sum(layer for _, layer in layers)
    widths = [max(image.shape[1], 2), kernel.shape[1], *[shape[1]] * len(layers), shape[1]]
    fig, axes = _panels(WIDE, WIDE * max(shape) / sum(widths) * 0.85 + 0.4, widths)
    colours = core.COLOURS
    _cells(axes[0], image, colours["input"], size=8)
    _title(axes[0], "input")
    _cells(axes[1], kernel, colours["kernel"], size=8)
    _title(axes[1], "kernel")
    for ax, ((row, column), layer) in zip(axes[2:], layers):
        _cells(ax, layer, "white", text=False)
        top, left = row * stride, column * stride
        _mark(ax, top, left, *kernel.shape, facecolor=(colours["kernel"], 0.3), edgecolor=colours["kernel"], lw=2)
        for (u, v), _ in np.ndenumerate(kernel):
            label = _number(layer[top + u, left + v])
            ax.text(left + v + 0.5, top + u + 0.5, label, ha="center", va="center", fontsize=8)
        _title(ax, f"{_number(image[row, column])} × kernel")
    _cells(axes[-1], total, colours["output"], size=8)
    _title(axes[-1], "sum")
    rows = "; ".join(" ".join(_number(v) for v in line) for line in total)
    core.show(
        fig,
        f"Each of the {image.size} input pixels stamps the kernel, times its value, {stride} "
        f"{'pixel' if stride == 1 else 'pixels'} apart; the stamps add up to a {shape[0]}x{shape[1]} output: {rows}.",
    )


# What a layer costs ---------------------------------------------------------------------------------------------------


def channel_wiring(layers: Mapping[str, int], channels: int = 8) -> None:
    """Draw which input channels feed which output channels, for a number of groups each.

    Args:
        layers: name -> groups (1 is an ordinary convolution, ``channels`` a depthwise one).
        channels: input and output channels.
    """
    for name, groups in layers.items():
        if groups < 1 or channels % groups:
            raise ValueError(f"{name}: groups={groups} must divide the {channels} channels.")
    fig, axes = _panels(2.4 * len(layers), 2.8, [1] * len(layers))
    facts = []
    for ax, (name, groups) in zip(axes, layers.items()):
        _cells(ax, np.zeros((channels, channels)), "white", text=False)
        share = channels // groups
        for group in range(groups):
            at = group * share
            _mark(ax, at, at, share, share, facecolor=(core.COLOURS["kernel"], 0.7), edgecolor="white")
        _title(ax, f"{name}\n{channels * share} kernel slices")
        ax.text(channels / 2, channels + 0.2, "input channel", ha="center", va="top", fontsize=8)
        ax.text(-0.2, channels / 2, "output channel", ha="right", va="center", rotation=90, fontsize=8)
        ax.set_xlim(-0.9, channels + 0.1)
        ax.set_ylim(channels + 0.9, -0.1)
        facts.append(f"{name}: {channels * share} of {channels**2}")
    core.show(fig, f"Which of {channels} input channels each of {channels} output channels reads. {'; '.join(facts)}.")


def cost_bars(layers: Sequence[tuple[str, int, int]], title: str) -> None:
    """Draw parameters and multiply-accumulates of a network, layer by layer.

    Args:
        layers: (name, parameters, multiply-accumulates), first layer first.
        title: the network.
    """
    names = [name for name, _, _ in layers]
    fig, axes = core.figure(width=7.8, height=0.22 * len(names) + 1.0, columns=2, sharey=True)
    parts = (("parameters, millions", 1, 1e6, "kernel"), ("multiply-accumulates, billions", 2, 1e9, "output"))
    facts = []
    for ax, (label, index, unit, colour) in zip(axes, parts):
        values = np.array([layer[index] for layer in layers], dtype=float)
        ax.barh(names, values / unit, color=core.COLOURS[colour])
        ax.set_xlabel(label)
        for y, value in enumerate(values / unit):
            ax.text(value, y, f" {value:.2f}", va="center", fontsize=7)
        ax.margins(x=0.12)
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
        facts.append(f"{label}: {values.sum() / unit:.2f} in all, {values.max() / unit:.2f} in the costliest layer")
    axes[0].invert_yaxis()
    axes[0].set_title(title)
    core.show(fig, f"{title}, layer by layer: {'; '.join(facts)}.")
