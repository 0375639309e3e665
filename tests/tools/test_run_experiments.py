"""tools/run_experiments.py: one run of a lesson for each seed, one file for each experiment."""

import json

import pytest
import run_experiments
from sample_lesson import SETUP, sample

from cnnlib import results

SETTING = {"backend": "tensorflow 2.21.0", "device": "cpu"}


def line(experiment="90_sums", seed=0, setting=None, **values):
    return {"experiment": experiment, "seed": seed, "setting": setting or SETTING, "values": values}


def grouped(*lines):
    return run_experiments.group(list(lines), "90_sums", "python tools/run_experiments.py --lesson 90", "2031-02-03")


def test_a_file_holds_where_its_runs_come_from():
    (content,) = grouped(line(total=5)).values()
    assert content == {
        "experiment": "90_sums",
        "lesson": "90_sums",
        "command": "python tools/run_experiments.py --lesson 90",
        "date": "2031-02-03",
        "setting": SETTING,
        "runs": [{"seed": 0, "total": 5}],
    }


def test_runs_are_sorted_by_seed_and_experiments_kept_apart():
    files = grouped(line(seed=2, n=1), line(seed=0, n=2), line("90_other", seed=2, n=3))
    assert files["90_sums"]["runs"] == [{"seed": 0, "n": 2}, {"seed": 2, "n": 1}]
    assert files["90_other"]["runs"] == [{"seed": 2, "n": 3}]


def test_values_recorded_in_several_cells_become_one_run():
    files = grouped(line(a=1), line(b=2), line(seed=1, a=3, b=4))
    assert files["90_sums"]["runs"] == [{"seed": 0, "a": 1, "b": 2}, {"seed": 1, "a": 3, "b": 4}]


def test_contradictions_are_errors():
    with pytest.raises(ValueError, match="seed 0 records a twice, with different values"):
        grouped(line(a=1), line(a=2))
    with pytest.raises(ValueError, match="different settings"):
        grouped(line(a=1), line(seed=1, a=2, setting={"device": "gpu"}))
    with pytest.raises(ValueError, match="seed 1 did not record b, other seeds did"):
        grouped(line(a=1, b=2), line(seed=1, a=2))


def test_files_are_small_stable_and_read_back(tmp_path, monkeypatch):
    files = grouped(line(seed=1, loss=[0.5, 0.25]), line(seed=0, loss=[0.6, float("nan")]))
    (path,) = run_experiments.write(files, tmp_path / "results")
    text = path.read_bytes()
    assert run_experiments.write(files, tmp_path / "results") == [path]
    assert path.read_bytes() == text
    assert b'\n  {"seed": 0, "loss": [0.6, NaN]},\n  {"seed": 1, "loss": [0.5, 0.25]}\n' in text, (
        "one line for each run"
    )
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    monkeypatch.delenv("CNNLIB_RECORD", raising=False)
    assert results.stored("90_sums")[1] == {"seed": 1, "loss": [0.5, 0.25]}
    assert results.load(path)["command"].startswith("python tools/run_experiments.py")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The tool, with the sample lesson as the only one, and a folder for its results."""

    def make(*changes):
        lesson = sample(tmp_path, *changes)
        monkeypatch.setattr(run_experiments, "choose", lambda words: [lesson])
        monkeypatch.setattr(run_experiments, "ROOT", tmp_path)
        monkeypatch.setattr(run_experiments, "RESULTS", tmp_path / "data" / "results")
        return tmp_path / "data" / "results"

    return make


def test_a_lesson_that_fails_leaves_the_stored_results_alone(course, capsys):
    folder = course((SETUP, "import math"), ("total = 2 + 3", "1 / 0"))
    assert run_experiments.main(["--lesson", "90", "--seeds", "1"]) == 1
    assert "90_sums with seed 1 on tensorflow: cell 4, line 1: ZeroDivisionError" in capsys.readouterr().err
    assert not folder.exists()


def test_a_false_claim_is_told_and_the_runs_are_kept(course, capsys):
    claiming = (
        "from cnnlib.claims import claim\nfrom cnnlib.results import Experiment\n\n"
        "Experiment('90_sums').keep(total=5)\nclaim('runs differ from seed to seed', False)"
    )
    folder = course(("total = 2 + 3\ntotal", "total = 5"), ('print("✔ the sum is 5")', claiming))
    assert run_experiments.main(["--lesson", "90", "--seeds", "1"]) == 0
    assert "90_sums with seed 1, cell 7: ✘ runs differ from seed to seed\n" in capsys.readouterr().out
    assert json.loads((folder / "90_sums.json").read_text(encoding="utf-8"))["runs"] == [{"seed": 1, "total": 5}]


def test_a_lesson_is_run_once_for_each_seed(course, capsys):
    recording = (
        "from cnnlib.results import Experiment\n\n"
        "sums = Experiment('90_sums')\n"
        "sums.keep(total=5 * runtime.seed(), parts=sums.pick(stored=2, live=1))\ntotal"
    )
    folder = course(("total = 2 + 3\ntotal", "total = 5"), ('print("✔ the sum is 5")', recording))
    assert run_experiments.main(["--lesson", "90", "--seeds", "3", "1"]) == 0
    content = json.loads((folder / "90_sums.json").read_text(encoding="utf-8"))
    assert content["runs"] == [{"seed": 1, "total": 5, "parts": 2}, {"seed": 3, "total": 15, "parts": 2}]
    assert content["command"].endswith("--lesson 90 --seeds 1 3 --backend tensorflow --profile cpu")
    assert content["setting"]["profile"] == "cpu"
    assert "tensorflow" in content["setting"]["backend"]
    assert "data/results/90_sums.json" in capsys.readouterr().out


def test_one_experiment_of_several_is_recorded(course, capsys):
    recording = (
        "from cnnlib.results import Experiment\n\n"
        "sums, others = Experiment('90_sums'), Experiment('90_others')\n"
        "sums.keep(total=sums.pick(stored=5, live=2))\nothers.keep(total=others.pick(stored=5, live=2))"
    )
    folder = course(("total = 2 + 3\ntotal", "total = 5"), ('print("✔ the sum is 5")', recording))
    assert run_experiments.main(["--lesson", "90", "--seeds", "1", "--only", "90_sums"]) == 0
    content = json.loads((folder / "90_sums.json").read_text(encoding="utf-8"))
    assert content["runs"] == [{"seed": 1, "total": 5}]
    assert content["command"].endswith("--profile cpu --only 90_sums")
    assert [path.name for path in folder.iterdir()] == ["90_sums.json"]
    assert run_experiments.main(["--lesson", "90", "--seeds", "1", "--only", "90_sums", "90_sumz"]) == 1
    assert "90_sums recorded no 90_sumz" in capsys.readouterr().err


def test_a_lesson_that_records_nothing_is_said(course, capsys):
    course((SETUP, "import math"))
    assert run_experiments.main(["--lesson", "90", "--seeds", "0"]) == 0
    assert "records nothing" in capsys.readouterr().out
