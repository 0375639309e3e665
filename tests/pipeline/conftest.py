"""Pipelines of small networks, and a picture for them."""

import numpy as np
import pytest
from pipeline_case import SIDE, cell_detector, cells, colour_classifier, colour_map

from cnnlib.pipeline import Pipeline, Preprocessing, Specification


@pytest.fixture
def picture():
    """uint8 (40, 60, 3): a red and a blue part on grey."""
    image = np.full((40, 60, 3), 128, np.uint8)
    image[5:25, 10:30] = 220, 30, 30
    image[20:38, 40:58] = 30, 30, 220
    return image


@pytest.fixture
def classify():
    return Pipeline(
        colour_classifier(), Specification("colours", "classify", ("red", "green", "blue"), Preprocessing(SIDE))
    )


@pytest.fixture
def segment():
    own = Specification(
        "map", "segment", ("background", "red", "blue"), Preprocessing(SIDE, "letterbox", fill=128), background=0
    )
    return Pipeline(colour_map(), own)


@pytest.fixture
def detect():
    own = Specification(
        "cells",
        "detect",
        ("background", "red", "blue"),
        Preprocessing(SIDE, "letterbox", fill=128),
        background=0,
        threshold=0.5,
    )
    return Pipeline(cell_detector(), own, boxes=cells)


@pytest.fixture(params=["classify", "detect", "segment"])
def each(request):
    return request.getfixturevalue(request.param)
