"""The benchmark of a training step: it runs, compares the losses first, and reports ratios."""

import importlib.util

import pytest


@pytest.fixture
def benchmark(load_benchmark):
    return load_benchmark("training")


@pytest.mark.slow
def test_it_runs_and_prints_a_ratio_for_each(benchmark, capsys):
    assert benchmark.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("  ")[-1] for line in lines[2:]]
    assert names == [name for name in (benchmark.OURS, benchmark.ARRAYS, benchmark.TORCH) if name in names]
    assert names[:2] == [benchmark.OURS, benchmark.ARRAYS]
    assert (benchmark.TORCH in names) == (importlib.util.find_spec("torch") is not None)
    assert float(lines[-1].split()[0]) == 1.0


def test_losses_that_differ_end_it(benchmark, capsys, monkeypatch):
    class Worker:
        def __init__(self, name, *_):
            self.losses = [2.3, 2.0 + 0.1 * (name == benchmark.ARRAYS)]
            self.process = self

        def kill(self):
            pass

    monkeypatch.setattr(benchmark, "Worker", Worker)
    assert benchmark.main(["--quick"]) == 1
    said = capsys.readouterr().out
    assert "disagree" in said
    assert benchmark.ARRAYS in said


def test_ratios_are_taken_turn_by_turn(benchmark, capsys):
    seconds = {benchmark.OURS: [2.0, 4.0, 10.0], benchmark.ARRAYS: [1.0, 4.0, 8.0], benchmark.TORCH: [1.0, 3.0, 8.0]}
    benchmark.report(seconds, 128, 3, quick=False)
    lines = capsys.readouterr().out.splitlines()
    assert "1.00 = 128 images/s (PyTorch, channels_last)" in lines[1]
    assert lines[2].split() == ["0.75", "(0.50", "to", "0.80)", "cnnlib.training.fit", "(target", "0.80)"]
    assert lines[3].split() == ["1.00", "(0.75", "to", "1.00)", "model.fit", "on", "arrays"]
