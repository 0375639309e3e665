"""tools/experiments_page.py: the table of experiments of the course, and faults planted on purpose."""

import json

import experiments_page
import numpy as np
import pytest
from _lessons import ROOT
from experiments_page import Result, amiss, at_best, effect, entries, make, out_of_step, page

from cnnlib.results import Runs

RUNS = [{"seed": seed, "plain": 0.5 + seed / 10, "deep": [0.1, 0.7 + seed / 10]} for seed in (1, 0, 2)]
HEAD = {"experiment": "03_depth", "lesson": "03_training", "command": "python tools/run_experiments.py --lesson 03"}
HEAD |= {"date": "2026-11-20", "setting": {"backend": "tensorflow 2.21.0", "Keras": "3.15.1", "device": "cpu"}}
ENTRY = {
    "question": "Is deeper better?",
    "changes": "the depth",
    "held": "all else",
    "chosen": "the rate of each | of three",
    "controls": "skips",
    "effect": [{"says": "deep minus plain", "value": "100 * (stored['deep'][:, -1] - stored['plain'])"}],
}


def result(**more) -> Result:
    return Result("03_depth", "03", {**HEAD, "runs": RUNS, **more})


def said(**more):
    return {"03_depth": ("03", {**ENTRY, **more})}


# --- the course -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made():
    return make()


def test_the_page_is_in_step_with_the_results(made):
    assert out_of_step(made[0]) == []


def test_every_result_has_its_entry(made):
    """But for lessons of 01 to 13 that are not revised and have no file of entries yet."""
    assert made[1] == []


def test_every_stored_experiment_is_on_the_page(made):
    waiting = experiments_page.not_described()
    for each in experiments_page.results():
        assert f"`{each.name}`" in made[0] or each.lesson in waiting, each.name


# --- what an effect is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("100 * (stored['deep'][:, -1] - stored['plain'])", "20.0 (20.0 to 20.0), n = 3"),
        ("stored['plain']", "0.600 (0.500 to 0.700), n = 3"),
        ("-1000 * stored['plain']", "\u2212600 (\u2212700 to \u2212500), n = 3"),
        ("12345 * stored['plain']", "7,407 (6,172 to 8,642), n = 3"),
        ("1e-6 * stored['plain']", "6.0e\u221207 (5.0e\u221207 to 7.0e\u221207), n = 3"),
        ("0 * stored['plain']", "0 (0 to 0), n = 3"),
        ("stored['plain'] > 0.55", "in 2 of 3 runs"),
        ("[max(row) for row in stored['deep']]", "0.800 (0.700 to 0.900), n = 3"),
        ("np.sort(stored['plain'])", "0.600 (0.500 to 0.700), n = 3"),
    ],
)
def test_an_effect_has_mean_spread_and_number(value, shown):
    assert effect(result(), value) == shown


def test_one_run_has_no_spread():
    assert effect(result(runs=RUNS[:1]), "stored['plain']") == "0.600, one run"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("stored['plain'].mean()", r"an array of shape \(\) is not one number for each of 3 runs"),
        ("stored['deep']", r"shape \(3, 2\)"),
        ("stored['plan']", "KeyError: .*there is no 'plan'"),
        ("stored['plain'", "SyntaxError"),
        ("stored['plain'] / 0 * 0", "NaN"),
        ("['a', 'b', 'c']", "not one number"),
        ("open('x')", "NameError"),
    ],
)
def test_an_effect_that_cannot_be_computed_says_why(value, complaint):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=complaint):
        effect(result(), value)


def test_the_rate_is_chosen_on_validation_data():
    validation = Runs([{"0.1": 0.5, "1": 0.6}, {"0.1": 0.5, "1": 0.3}])
    test = Runs([{"0.1": 0.7, "1": 0.9}, {"0.1": 0.8, "1": 0.9}])
    assert at_best(validation, test).tolist() == [0.7, 0.8]


# --- what is amiss ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (said(question=" "), "03.toml, 03_depth: no question"),
        (said(controls=""), "no controls"),
        (said(effect=[]), "no effect"),
        (said(control="x"), "'control' is no word of an entry"),
        (said(effect=[{"says": "x"}]), "an effect has 'says' and 'value', not says"),
        (said(effect=[{"says": "x", "value": "stored['plan']"}]), "there is no 'plan'"),
        ({}, "data/results/03_depth.json has no entry in tools/experiments/03.toml"),
        ({"03_depth": ("04", ENTRY)}, "04.toml, 03_depth: it belongs to lesson 03"),
        ({**said(), "03_width": ("03", ENTRY)}, "03.toml speaks of 03_width, and nothing is stored of it"),
    ],
)
def test_what_is_amiss_is_said(entry, complaint):
    found = amiss([result()], entry, set())
    assert any(complaint in each for each in found), found


def test_what_is_well_is_no_complaint():
    assert amiss([result()], said(), set()) == []
    assert amiss([result()], {"03_depth": ("03", {"exempt": "a measurement of time"})}, set()) == []
    assert amiss([result()], {}, {"03"}) == []


# --- the page ---------------------------------------------------------------------------------------------------------


def test_a_row_of_the_table():
    text = page([result()], said(), {"02": "02 · Maps", "03": "03 · Training"})
    assert "## 02" not in text
    (row,) = (line for line in text.splitlines() if line.startswith("| `03_depth`"))
    assert row.count(" | ") == 5
    assert "rate of each \\| of three" in row
    assert row.endswith("| deep minus plain: 20.0 (20.0 to 20.0), n = 3 |")
    assert "- `03_depth`: seeds 0, 1, 2, Keras 3.15.1, tensorflow 2.21.0, cpu, 2026-11-20; `python tools/run" in text


def test_what_is_exempt_and_what_is_to_come_is_said():
    text = page([result()], {"03_depth": ("03", {"exempt": "it measures time"})}, {"03": "03 · Training"})
    assert "- `03_depth`: it measures time." in text
    assert "| experiment" not in text
    assert "Not described yet: the experiments of the lessons 03." in page([result()], {}, {"03": "03 · Training"})


def test_from_the_files_to_the_page_and_back(tmp_path, monkeypatch, capsys):
    for folder in ("data/results", "tools/experiments", "docs", "solutions"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/results/03_depth.json").write_text(json.dumps({**HEAD, "runs": RUNS}))
    monkeypatch.setattr(experiments_page, "lessons", lambda root: [])
    assert experiments_page.main(["--check"], tmp_path) == 1
    assert "has no entry in tools/experiments/03.toml" in capsys.readouterr().out
    (tmp_path / "tools/experiments/03.toml").write_text('[03_depth]\nexempt = "it measures time"\n')
    assert experiments_page.main(["--check"], tmp_path) == 1
    assert "docs/experiments.md is out of step" in capsys.readouterr().out
    assert experiments_page.main([], tmp_path) == 0
    assert experiments_page.main(["--check"], tmp_path) == 0
    (tmp_path / "tools/experiments/03.toml").write_text("[03_depth\n")
    assert experiments_page.main([], tmp_path) == 1
    assert "03.toml: " in capsys.readouterr().out


def test_no_two_files_speak_of_one_experiment(tmp_path):
    (tmp_path / "tools/experiments").mkdir(parents=True)
    for name in ("03", "04"):
        (tmp_path / f"tools/experiments/{name}.toml").write_text('[03_depth]\nexempt = "x"\n')
    with pytest.raises(ValueError, match=r"04.toml speaks of 03_depth, and 03.toml does, too"):
        entries(tmp_path)


def test_the_page_is_where_readers_are_told_of_it():
    assert "docs/experiments.md" in (ROOT / "README.md").read_text(encoding="utf-8")
