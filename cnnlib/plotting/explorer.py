"""A figure with sliders where there is a kernel to answer them, and the same figure without elsewhere."""

import html
import importlib.util
from collections.abc import Callable, Mapping, Sequence

from matplotlib.figure import Figure

from cnnlib import runtime
from cnnlib.plotting import core


def explore(draw: Callable[..., Figure], alt: str | Callable[..., str] | None = None, **sliders: object) -> None:
    """Let the reader move sliders and see the figure follow. Stored outputs keep the figure at the start values.

    Args:
        draw: called as ``draw(**values)``, returns a Figure (not yet shown). A ValueError that it raises is shown as
            text in place of the figure.
        alt: what to see: a text, or a function of the same values that returns it. It stands below the figure.
        **sliders: for each value one of

            - ``(lowest, highest)``, ``(lowest, highest, step)`` or ``(lowest, highest, step, start)``: a slider; the
              step is 1 for whole numbers and a hundredth of the range otherwise, the start is the lowest;
            - a list of options, or a dict of label and option: a menu that starts at the first;
            - ``True`` or ``False``: a box to tick;
            - any ipywidget with a ``value``.

    In a script, where ``CNNLIB_STATIC=1``, and where ipywidgets is not installed (``pip install "cnnlib[lab]"`` brings
    it), the figure at the start values is all that appears.
    """
    starts = {name: _start(name, slider) for name, slider in sliders.items()}
    describe = _describer(draw, alt)
    if runtime.is_static() or not runtime.in_notebook() or importlib.util.find_spec("ipywidgets") is None:
        core.show(draw(**starts), describe(**starts))
        return
    _explore_live(draw, describe, sliders, starts)


def _describer(draw: Callable, alt: str | Callable[..., str] | None) -> Callable[..., str]:
    if callable(alt):
        return alt
    if alt is None:
        name = getattr(draw, "__name__", "figure").strip("_").replace("_", " ")
        return lambda **values: f"{name} at {', '.join(f'{key} {value}' for key, value in values.items())}"
    return lambda **_: alt


def _start(name: str, slider: object) -> object:
    """The value that the figure starts with."""
    if hasattr(slider, "value") and hasattr(slider, "observe"):
        return slider.value
    if isinstance(slider, bool):
        return slider
    if isinstance(slider, Mapping) and slider:
        return next(iter(slider.values()))
    if isinstance(slider, list) and slider:
        return slider[0]
    if isinstance(slider, tuple) and 2 <= len(slider) <= 4 and slider[0] < slider[1]:
        start = slider[3] if len(slider) == 4 else slider[0]
        if slider[0] <= start <= slider[1]:
            return start
    raise ValueError(
        f"{name}={slider!r}: expected (lowest, highest), (lowest, highest, step), (lowest, highest, step, start), "
        "a list or dict of options, True or False, or an ipywidget."
    )


def _control(name: str, slider: object, start: object):
    """The ipywidget for one value."""
    import ipywidgets

    look = {"description": name.replace("_", " "), "style": {"description_width": "110px"}}
    if hasattr(slider, "value") and hasattr(slider, "observe"):
        return slider
    if isinstance(slider, bool):
        return ipywidgets.Checkbox(value=start, **look)
    if isinstance(slider, (list, Mapping)):
        options = list(slider.items()) if isinstance(slider, Mapping) else [(str(option), option) for option in slider]
        return ipywidgets.Dropdown(options=options, value=start, **look)
    look["layout"] = {"width": "440px"}
    if all(isinstance(part, int) for part in slider):
        step = slider[2] if len(slider) > 2 else 1
        return ipywidgets.IntSlider(min=slider[0], max=slider[1], step=step, value=start, **look)
    step = slider[2] if len(slider) > 2 else (slider[1] - slider[0]) / 100
    digits = max(0, len(f"{step:.6f}".rstrip("0").partition(".")[2]))
    return ipywidgets.FloatSlider(
        min=slider[0], max=slider[1], step=step, value=start, readout_format=f".{digits}f", **look
    )


def _explore_live(draw: Callable, describe: Callable, sliders: Mapping, starts: Mapping) -> None:
    import ipywidgets

    controls = {name: _control(name, slider, starts[name]) for name, slider in sliders.items()}
    # An Image widget keeps its place while its bytes change, so nothing flickers, and the browser sends the next value
    # only when the kernel has answered the last one, so that no queue of old values builds up.
    picture = ipywidgets.Image(format="png", layout={"align_self": "flex-start", "max_width": "100%"})
    caption = ipywidgets.HTML()

    def redraw(_: object = None) -> None:
        values = {name: control.value for name, control in controls.items()}
        try:
            picture.value, text = _rendered(draw, describe, values)
        except ValueError as error:
            text = f"These values have no figure: {error}"
        caption.value = f'<span role="status" style="line-height: 1.4">{html.escape(text)}</span>'

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    box = ipywidgets.VBox([*controls.values(), picture, caption])
    # The picture goes along with the widget: a notebook that is opened later, without its kernel, still shows it.
    views = {kind: view for kind, view in box._repr_mimebundle_().items() if kind != "text/plain"}
    data, text = _rendered(draw, describe, starts)
    core.display_png(data, text, **views)


def _rendered(draw: Callable, describe: Callable, values: Mapping) -> tuple[bytes, str]:
    fig = draw(**values)
    return core.png(fig), describe(**values)


__all__: Sequence[str] = ("explore",)
