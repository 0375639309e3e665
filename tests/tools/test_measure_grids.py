"""tools/measure_grids.py: what is measured, and that it is stored."""

import json

import measure_grids
import pytest

from cnnlib import results, runtime


def test_each_seed_is_written_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(measure_grids, "RESULTS", tmp_path)
    monkeypatch.setattr(runtime, "setup", lambda seed: None)
    monkeypatch.setitem(measure_grids.EXPERIMENTS, "letters", lambda seed: {"test": {"3": seed}})
    assert measure_grids.main(["letters", "--seeds", "1", "0"]) == 0
    content = json.loads((tmp_path / "grids_letters.json").read_text(encoding="utf-8"))
    assert content["runs"] == [{"seed": 0, "test": {"3": 0}}, {"seed": 1, "test": {"3": 1}}]
    assert content["command"] == "python tools/measure_grids.py letters --seeds 0 1"
    assert content["lesson"] == measure_grids.LESSON


@pytest.mark.parametrize("name", measure_grids.EXPERIMENTS)
def test_the_stored_runs_have_all_seeds_and_each_choice_has_rates_on_both_sides_of_none(name):
    stored = results.Experiment(f"grids_{name}").stored
    assert [run["seed"] for run in stored] == [0, 1, 2]
    for run in stored:
        assert {choice: list(rates) for choice, rates in run["validation"].items()} == {
            choice: list(rates) for choice, rates in run["test"].items()
        }


def test_a_missing_file_says_how_it_is_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="python tools/measure_grids.py width"):
        results.load(tmp_path / "grids_width.json")
