"""tools/measure_beyond.py: a file for each experiment, and rates that are the best of those tried."""

import json

import measure_beyond
import pytest

from cnnlib import results, runtime


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(measure_beyond, "RESULTS", tmp_path)
    monkeypatch.setattr(runtime, "setup", lambda seed: None)
    return tmp_path


def test_runs_of_all_seeds_are_in_the_file_with_their_command(folder, monkeypatch):
    monkeypatch.setitem(measure_beyond.EXPERIMENTS, "pretext", lambda seed: {"turned": 0.3 + seed / 10})
    assert measure_beyond.main(["pretext", "--seeds", "1", "0"]) == 0
    content = json.loads((folder / "beyond_pretext.json").read_text(encoding="utf-8"))
    assert content["runs"] == [{"seed": 0, "turned": 0.3}, {"seed": 1, "turned": 0.4}]
    assert content["command"] == "python tools/measure_beyond.py pretext --seeds 0 1"
    assert content["lesson"] == measure_beyond.LESSON


def test_the_best_rate_is_that_of_the_highest_validation_accuracy(monkeypatch):
    tried = results.Runs([{"seed": 0, "CNN": {"0.001": 0.4, "0.01": 0.5}, "ViT": {"0.001": 0.3, "0.01": 0.1}}])
    monkeypatch.setattr(results.Experiment, "stored", tried)
    assert measure_beyond.best_rates() == {"CNN": 0.01, "ViT": 0.001}


def test_the_stored_runs_are_whole_and_a_missing_one_says_how_it_is_made(tmp_path):
    for name in measure_beyond.EXPERIMENTS:
        seeds = [0] if name == "rates" else [0, 1, 2]
        assert [run["seed"] for run in results.Experiment(f"beyond_{name}").stored] == seeds
    with pytest.raises(FileNotFoundError, match="python tools/measure_beyond.py width"):
        results.load(tmp_path / "beyond_width.json")
