"""Figures that the learner's code opens: closed again, never shown, and apart from those that were open before.

Matplotlib is not imported here: where it is not loaded, there are no figures.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def kept_apart() -> Iterator[None]:
    """Hide the figures that are open; at the end close those that were opened since, and show the hidden ones again.

    ``show`` of the plotting library does nothing meanwhile: it would draw every figure, or wait for a window.
    """
    figures = _open_figures()
    hidden = dict(figures) if figures is not None else {}
    if figures is not None:
        figures.clear()
    plotting = sys.modules.get("matplotlib.pyplot")
    shown = getattr(plotting, "show", None)
    if plotting is not None:
        plotting.show = lambda *args, **kwargs: None
    try:
        yield
    finally:
        close()
        if plotting is not None:
            plotting.show = shown
        if hidden:
            figures.update(hidden)


def any_open() -> bool:
    """Whether figures are open, other than the hidden ones."""
    return bool(_open_figures())


def close() -> bool:
    """Close the figures that are open, other than the hidden ones; True when it is done."""
    figures = _open_figures()
    if figures:
        with contextlib.suppress(Exception):
            sys.modules["matplotlib.pyplot"].close("all")
        figures.clear()
    return True


def _open_figures() -> Any:
    """The plotting library's own dictionary of open figures, None if it is not loaded."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    return getattr(getattr(helpers, "Gcf", None), "figs", None)
