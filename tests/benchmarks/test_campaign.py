"""The benchmark of campaigns: it runs, compares the results first, and reports ratios."""

import pytest


@pytest.fixture
def benchmark(load_benchmark):
    return load_benchmark("campaign")


@pytest.mark.slow
def test_it_runs_and_prints_a_ratio_for_each_number_of_workers(benchmark, capsys, monkeypatch):
    monkeypatch.setattr(benchmark.importlib.util, "find_spec", lambda name: None)
    assert benchmark.main(["--quick"]) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert "one after the other" in first
    assert [float(line.split()[0]) > 0 for line in lines] == [True, True, True]
    assert "this machine, 2 workers" in lines[1]
    assert "Dask is not installed" in last


def test_results_that_differ_end_it(benchmark, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "in_a_row", lambda commands: (1.0, {"seed 0": {"accuracy": 0.5}}))
    monkeypatch.setattr(benchmark, "campaign", lambda *_: (1.0, {"seed 0": {"accuracy": 0.6}}))
    assert benchmark.main(["--quick"]) == 1
    assert "the results differ" in capsys.readouterr().out
