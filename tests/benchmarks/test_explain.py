"""The benchmark of Grad-CAM: it runs, compares the maps first, and reports ratios."""

import keras
import pytest

from cnnlib import explain

pytestmark = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="its floor is written in TensorFlow")


@pytest.fixture
def benchmark(load_benchmark, monkeypatch):
    module = load_benchmark("explain")
    monkeypatch.setattr(module, "PEERS", {})
    return module


@pytest.mark.slow
def test_it_runs_and_prints_a_ratio_for_each(benchmark, capsys):
    assert benchmark.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in ("floor", benchmark.OURS, benchmark.NESTED):
        ratios = [line for line in lines if line.split("   (")[0].endswith(f"  {name}") and "maps" not in line]
        assert len(ratios) == 2  # two sizes of batch
        assert all(float(line.split()[0]) > 0 for line in ratios)


@pytest.mark.slow
def test_maps_that_differ_end_it(benchmark, capsys, monkeypatch):
    right = explain.grad_cam
    monkeypatch.setattr(explain, "grad_cam", lambda *given, **options: 1.001 * right(*given, **options))
    assert benchmark.main(["--quick"]) == 1
    assert "differs from the floor by 1.0e-03 of the maximum" in capsys.readouterr().out
