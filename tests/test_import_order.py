"""Arrows between the modules of cnnlib go one way: each needs only what stands above it, wherever it imports it."""

import house
import pytest

# Top to bottom: a module may import those above it, and its own package. A new module takes its place here.
ORDER = [
    *(
        "_lazy",
        "cnnlib",
        "claims",
        "network",
        "speed",
        "runtime",
        "results",
        "splits",
        "arithmetic",
        "reference",
        "gradients",
        "trace",
    ),
    *(
        "datasets",
        "models",
        "training",
        "transfer",
        "beyond",
        "explain",
        "suspects",
        "audit",
        "detection",
        "segmentation",
        "pipeline",
        "reliability",
        "porting",
        "broken",
    ),
    *("deploy", "parallel", "beyond", "plotting", "capstone", "exercises", "checks"),
]
RESULTS = {"trace", "training", "transfer", "explain", "segmentation", "models", "datasets"}  # plotting knows none


@pytest.fixture(scope="module")
def imports():
    return house.imports(house.sources())


def test_the_whole_package_is_read(imports):
    assert {"cnnlib.trace.walk", "cnnlib.plotting.receptive", "cnnlib.checks.lesson_00", "cnnlib"} <= set(imports)
    assert "cnnlib.gradients" in imports["cnnlib.trace.effective"]  # in a function
    assert {house.room(name) for name in imports} <= set(ORDER), "a module without a place in ORDER"


def test_every_module_needs_only_modules_above_it(imports):
    against = [
        f"{name} imports {target}"
        for name, targets in imports.items()
        for target in targets
        if ORDER.index(house.room(target)) > ORDER.index(house.room(name))
    ]
    assert not against, "\n".join(against)


def test_no_module_waits_for_itself(imports):
    """Not only between rooms: the files inside a package form no cycle either."""
    assert house.cycles(imports) == []


def test_plotting_knows_results_by_their_attributes(imports):
    known = {target for name in imports if house.room(name) == "plotting" for target in imports[name]}
    assert not {house.room(target) for target in known} & RESULTS


def test_reading_finds_imports_of_every_kind():
    text = """
import cnnlib.arithmetic
from cnnlib import runtime as own, trace
from . import losses
from .boxes import iou
if TYPE_CHECKING:
    from cnnlib.training import fit
def late():
    from cnnlib.models.resnet import resnet
"""
    files = {
        "cnnlib/detection/heads.py": text,
        **dict.fromkeys(
            [
                *(f"cnnlib/{name}.py" for name in ("__init__", "arithmetic", "runtime", "training")),
                *(f"cnnlib/detection/{name}.py" for name in ("__init__", "losses", "boxes")),
                *("cnnlib/trace/__init__.py", "cnnlib/models/__init__.py", "cnnlib/models/resnet.py"),
            ],
            "",
        ),
    }
    names = ("arithmetic", "runtime", "trace", "detection.losses", "detection.boxes", "training", "models.resnet")
    assert house.imports(files)["cnnlib.detection.heads"] == {f"cnnlib.{name}" for name in names}


def test_cycles_are_found():
    ring = {"cnnlib.a": {"cnnlib.b"}, "cnnlib.b": {"cnnlib.c"}, "cnnlib.c": {"cnnlib.a"}, "cnnlib.d": {"cnnlib.a"}}
    assert house.cycles(ring) == [["cnnlib.a", "cnnlib.b", "cnnlib.c"]]
    assert house.cycles({"cnnlib.a": {"cnnlib.b"}, "cnnlib.b": set()}) == []
