"""tools/measure_parallel.py: a file for each experiment, written after each seed."""

import json

import measure_parallel
import pytest

from cnnlib import parallel, results, runtime


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(measure_parallel, "RESULTS", tmp_path)
    monkeypatch.setattr(runtime, "setup", lambda seed: None)
    return tmp_path


def test_runs_of_all_seeds_are_in_the_file_with_their_command(folder, monkeypatch):
    monkeypatch.setitem(measure_parallel.EXPERIMENTS, "longer", lambda seed: {"0.2": 0.5 + seed / 10})
    assert measure_parallel.main(["longer", "--seeds", "1", "0"]) == 0
    content = json.loads((folder / "parallel_longer.json").read_text(encoding="utf-8"))
    assert content["runs"] == [{"seed": 0, "0.2": 0.5}, {"seed": 1, "0.2": 0.6}]
    assert content["command"] == "python tools/measure_parallel.py longer --seeds 0 1"
    assert content["lesson"] == measure_parallel.LESSON


def test_what_is_interrupted_keeps_the_seeds_before(folder, monkeypatch):
    def fails(seed):
        if seed:
            raise KeyboardInterrupt
        return {"0.2": 0.5}

    monkeypatch.setitem(measure_parallel.EXPERIMENTS, "longer", fails)
    with pytest.raises(KeyboardInterrupt):
        measure_parallel.main(["longer", "--seeds", "0", "1"])
    assert len(json.loads((folder / "parallel_longer.json").read_text(encoding="utf-8"))["runs"]) == 1


def test_every_batch_has_its_rates_and_the_large_ones_a_warm_up(monkeypatch):
    class Sweep:
        def __init__(self, seed):
            pass

        def train(self, size, rate, warmup=False):
            return {"validation": rate + warmup, "test": rate}

    monkeypatch.setattr(parallel, "Sweep", Sweep, raising=False)
    found = measure_parallel.batches(0)
    assert list(found["constant"]["validation"]) == ["32", "125", "500", "2000"]
    assert list(found["warm-up"]["test"]) == ["500", "2000"]
    assert found["warm-up"]["validation"]["500"]["0.4"] == 1.4


def test_an_experiment_that_is_not_there_is_named(folder, capsys):
    with pytest.raises(SystemExit):
        measure_parallel.main(["width"])
    assert "unknown width" in capsys.readouterr().err


def test_the_stored_runs_are_whole_and_a_missing_one_says_how_it_is_made(tmp_path):
    for name in measure_parallel.EXPERIMENTS:
        assert [run["seed"] for run in results.Experiment(f"parallel_{name}").stored] == [0, 1, 2]
    with pytest.raises(FileNotFoundError, match="python tools/measure_parallel.py width"):
        results.load(tmp_path / "parallel_width.json")
