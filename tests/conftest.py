"""What tests of several modules share."""

import pytest


@pytest.fixture
def shown(monkeypatch):
    """What was shown: (figure, alt text), each also rendered once as it would be in a notebook."""
    from cnnlib.plotting import core  # not before the settings of the tests stand

    figures = []

    def show(fig, alt):
        assert core.png(fig)[:4] == b"\x89PNG"
        figures.append((fig, core._check_alt(alt)))

    monkeypatch.setattr(core, "show", show)
    return figures


@pytest.fixture
def undrawn():
    """Initial values that need neither time nor memory, for tests that build large networks and do not train them."""
    from cnnlib.models import common

    with common.without_drawing():
        yield
