"""What tests of several modules share."""

import importlib.util
import os
import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """First weights and other draws without a seed are those of the test, whatever ran before it, and in each run."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(zlib.crc32(item.nodeid.encode()))


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """A test that leaves TensorFlow in a graph is named by an error of its own: what follows it fails too."""
    framework = sys.modules.get("tensorflow")
    if framework is not None and not getattr(framework, "executing_eagerly", lambda: True)():
        pytest.fail("TensorFlow was left in a graph: by this test, or by the first one with this error")


@pytest.fixture
def shown(monkeypatch):
    """What was shown: (figure, alt text), each also rendered once as it would be in a notebook."""
    from cnnlib.plotting import core  # not before the settings of the tests stand

    figures = []

    def show(fig, alt, colours=256, keep=()):
        assert core.png(fig, colours=colours, keep=keep)[:4] == b"\x89PNG"
        figures.append((fig, core._check_alt(alt)))

    monkeypatch.setattr(core, "show", show)
    return figures


@pytest.fixture
def undrawn():
    """Initial values that need neither time nor memory, for tests that build large networks and do not train them."""
    from cnnlib.models import common

    with common.without_drawing():
        yield


@pytest.fixture
def load_benchmark(monkeypatch):
    """Imports a program of benchmarks/ by its name, anew for this test."""

    def load(name: str):
        monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
        spec = importlib.util.spec_from_file_location(f"benchmark_of_{name}", ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def assign_original(monkeypatch):
    """Gives a model the tensors of the package that its bundled weights were made from, not rounded."""
    if "CNNLIB_PACKAGES" not in os.environ:
        pytest.skip("CNNLIB_PACKAGES names no folder of packages")

    def assign(model, name: str) -> None:
        monkeypatch.syspath_prepend(str(ROOT / "tools"))
        import prepare_data
        from _packages import open_package

        package = open_package(name, Path(os.environ["CNNLIB_PACKAGES"]))
        convert, folder = {
            "deeplab": (prepare_data.deeplab_from_tfjs, prepare_data.DEEPLAB_FOLDER),
            "ssdlite": (prepare_data.ssdlite_from_tfjs, prepare_data.SSDLITE_FOLDER),
        }[name]
        arrays = convert(prepare_data.tfjs_tensors(package.read, folder))
        for variable in model.weights:
            variable.assign(arrays.pop(variable.path))
        assert not arrays, "some arrays have no place in the network"

    return assign
