"""cnnlib.results: what is recorded comes back; damage is named."""

import json
import re

import numpy as np
import pytest

from cnnlib import results, runtime
from cnnlib.results import Experiment, Runs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of stored results, empty."""
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    monkeypatch.delenv("CNNLIB_RECORD", raising=False)
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """Record into a file; returns a function that reads its lines."""
    file = tmp_path / "recorded.jsonl"
    monkeypatch.setenv("CNNLIB_RECORD", str(file))
    monkeypatch.setenv("CNNLIB_SEED", "7")
    monkeypatch.setattr(runtime, "_seed", None)  # an earlier test may have set up with another seed
    return lambda: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def store(folder, runs, name="03_rates"):
    (folder / f"{name}.json").write_text(json.dumps({"experiment": name, "runs": runs}), encoding="utf-8")


def test_in_a_lesson_nothing_is_written(folder):
    assert results.record("03_rates", loss=0.5, steps=[1, 2]) == {"loss": 0.5, "steps": [1, 2]}
    assert list(folder.iterdir()) == []


def test_recording_adds_a_line_and_returns_the_values_as_they_are(recording):
    loss = np.array([1.0, 0.5])
    assert results.record("03_rates", loss=loss)["loss"] is loss
    results.record("03_sizes", n=3)
    first, second = recording()
    assert first["experiment"] == "03_rates"
    assert first["seed"] == 7
    assert first["values"] == {"loss": [1.0, 0.5]}
    assert second["values"] == {"n": 3}


def test_the_setting_tells_backend_device_and_versions(recording):
    import keras

    results.record("03_rates", n=1)
    setting = recording()[0]["setting"]
    assert setting["Keras"] == keras.__version__
    assert keras.backend.backend() in setting["backend"]
    assert {"NumPy", "Python", "device", "profile", "CPU cores"} <= set(setting)


def test_a_lesson_knows_whether_it_is_being_recorded(recording, monkeypatch):
    assert results.recording() is True
    monkeypatch.setenv("CNNLIB_RECORD", "")
    assert results.recording() is False
    monkeypatch.delenv("CNNLIB_RECORD")
    assert results.recording() is False


def test_some_experiments_can_be_recorded_while_the_others_are_as_in_a_lesson(folder, recording, monkeypatch):
    monkeypatch.setenv("CNNLIB_RECORD_ONLY", "03_rates 03_curves")
    store(folder, [{"seed": 0, "n": 3}], name="03_sizes")
    rates, sizes = Experiment("03_rates"), Experiment("03_sizes")
    assert rates.pick(stored=[1, 2], live=[1]) == [1, 2]
    assert sizes.pick(stored=[1, 2], live=[1]) == [1]
    rates.keep(n=1)
    sizes.keep(n=2)
    assert [line["experiment"] for line in recording()] == ["03_rates"]
    assert rates.stored["n"].tolist() == [1]
    assert sizes.stored["n"].tolist() == [3]
    assert results.recording()
    assert results.recording("03_curves")
    assert not results.recording("03_sizes")


def test_numbers_are_short_and_arrays_are_lists(recording):
    import keras

    results.record(
        "x",
        pi=np.float32(np.pi),
        third=1 / 3,
        tiny=1.23456789e-12,
        grid=np.arange(4, dtype="uint8").reshape(2, 2),
        flag=np.bool_(True),
        count=np.int64(12345678),
        tensor=keras.ops.ones((2,)),
        nested={"a": (1, 2.5), 3: None},
    )
    assert recording()[0]["values"] == {
        "pi": 3.14159,
        "third": 0.333333,
        "tiny": 1.23457e-12,
        "grid": [[0, 1], [2, 3]],
        "flag": True,
        "count": 12345678,
        "tensor": [1.0, 1.0],
        "nested": {"a": [1, 2.5], "3": None},
    }


def test_a_diverged_run_is_kept(recording):
    results.record("x", loss=[1.0, float("inf"), float("nan")])
    loss = recording()[0]["values"]["loss"]
    assert loss[1] == float("inf")
    assert np.isnan(loss[2])


def test_what_cannot_be_stored_is_named(recording):
    with pytest.raises(TypeError, match="model=.*object"):
        results.record("x", model=object())


def test_recording_nothing_is_an_error():
    with pytest.raises(ValueError, match="nothing to record"):
        results.record("x")


@pytest.mark.parametrize("name", ["", "../x", "A b", "x.json", 3])
def test_a_name_must_be_fit_for_a_file(name):
    with pytest.raises(ValueError, match="cannot name an experiment"):
        results.record(name, n=1)
    with pytest.raises(ValueError, match="cannot name an experiment"):
        results.stored(name)


def test_stored_runs_come_in_order_of_seeds(folder):
    store(folder, [{"seed": 2, "n": 5}, {"seed": 0, "n": 4}])
    assert results.stored("03_rates") == [{"seed": 0, "n": 4}, {"seed": 2, "n": 5}]


def test_while_recording_there_are_no_stored_runs(folder, recording):
    store(folder, [{"seed": 2, "n": 5}])
    assert results.stored("03_rates") == []
    assert results.stored("03_other") == []


def test_a_missing_file_is_named_with_the_command_that_makes_it(folder):
    store(folder, [], name="03_sizes")
    with pytest.raises(FileNotFoundError, match=r"'03_rates'.*Stored are: 03_sizes\..*run_experiments.py --lesson 03"):
        results.stored("03_rates")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"runs": [{}]}', '{"runs": [{"seed": "0"}]}', '{"runs": 3}', "\x00\xff"]
)
def test_a_damaged_file_is_named_with_what_mends_it(folder, text):
    (folder / "03_rates.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"03_rates.json.*damaged.*git checkout data/results/03_rates.json"):
        results.stored("03_rates")


@pytest.mark.parametrize("lesson", sorted(path.stem for path in (runtime.root() / "solutions").glob("*.py")))
def test_a_lesson_says_its_experiments_in_a_line(lesson):
    text = (runtime.root() / "solutions" / f"{lesson}.py").read_text(encoding="utf-8")
    assert not re.search(r"\bresults\.(recording|record|stored|load)\(", text)


def test_the_files_of_the_course_are_whole():

    for file in (runtime.root() / "data" / "results").glob("*.json"):
        content = results.load(file)
        assert content["experiment"] == file.stem
        assert {"lesson", "command", "date", "setting", "runs"} <= set(content), file.name
        assert len({run["seed"] for run in content["runs"]}) == len(content["runs"]) > 0, file.name
        assert file.stat().st_size < 200_000, f"{file.name} is no small file"


# --- experiments: what is run live, and what is stored ----------------------------------------------------------------


@pytest.fixture
def seed(monkeypatch):
    """Give this run a seed."""
    return lambda number: monkeypatch.setattr(runtime, "_seed", number)


def test_a_table_of_runs_has_rows_and_columns():
    runs = Runs([{"seed": 0, "right": {"a": [1, 2], "b": [3, 4]}}, {"seed": 2, "right": {"a": [5, 6], "b": [7, 9]}}])
    assert runs[1]["seed"] == 2
    assert runs["seed"].tolist() == [0, 2]
    assert runs["right"] == [{"a": [1, 2], "b": [3, 4]}, {"a": [5, 6], "b": [7, 9]}]
    assert runs["right"]["a"][:, -1].tolist() == [2, 6], "the runs along the first axis"
    assert (runs["right"]["b"] - runs["right"]["a"])[:, -1].tolist() == [2, 3]
    assert runs[:1]["right"]["b"].tolist() == [[3, 4]]
    columns = runs["right"].columns()
    assert list(columns) == ["a", "b"]
    assert columns["b"].tolist() == [[3, 4], [7, 9]]
    assert list(runs["right"].columns(["b"])) == ["b"]
    assert list(runs.columns()) == ["right"], "a seed is no value"


def test_values_of_different_lengths_stay_a_list():
    assert Runs([{"loss": [1, 2]}, {"loss": [3]}])["loss"] == [[1, 2], [3]]


def test_a_table_without_runs_has_empty_columns():
    assert Runs([])["a"].shape == (0,)
    assert Runs([]).columns() == {}


def test_a_value_that_a_run_lacks_is_named_with_the_run():
    runs = Runs([{"seed": 0, "a": {"x": 1}, "b": 2}, {"seed": 3, "a": {"x": 1}}])
    with pytest.raises(KeyError, match="no 'b' in the run of seed 3; it has seed, a"):
        runs["b"]
    with pytest.raises(KeyError, match="no 'y' in one of the runs; it has x"):
        runs["a"]["y"]


def test_live_a_part_is_run_and_the_stored_runs_have_the_whole(folder, seed):
    store(folder, [{"seed": 1, "n": {"8": 5, "20": 6}}, {"seed": 0, "n": {"8": 3, "20": 4}}])
    seed(0)
    rates = Experiment("03_rates")
    assert rates.pick(stored=["8", "20"], live=["8"]) == ["8"]
    loss = np.array(2.123456789)
    rates.keep(n={"8": loss})
    assert rates.live["n"]["8"] is loss, "as it was given"
    assert rates.stored["seed"].tolist() == [0, 1]
    assert rates.stored["n"]["20"].tolist() == [4, 6]
    assert list(folder.iterdir()) == [folder / "03_rates.json"], "a lesson stores nothing"


@pytest.mark.parametrize(("own", "others", "values"), [(0, [1], [9, 5]), (1, [0], [3, 9]), (7, [0, 1], [3, 5, 9])])
def test_each_seed_counts_once(folder, seed, own, others, values):
    store(folder, [{"seed": 0, "n": 3}, {"seed": 1, "n": 5}])
    seed(own)
    rates = Experiment("03_rates")
    rates.keep(n=9)
    assert rates.others["seed"].tolist() == others
    assert rates.all["n"].tolist() == values
    assert rates.stored["n"].tolist() == [3, 5]


def test_what_this_run_left_out_is_no_part_of_all(folder, seed):
    store(folder, [{"seed": 0, "n": {"8": 5, "20": 6}}, {"seed": 1, "n": {"8": 3, "20": 4}}])
    seed(0)
    rates = Experiment("03_rates")
    rates.keep(n={"8": 1})
    assert rates.all["n"]["8"].tolist() == [1, 3]
    with pytest.raises(KeyError, match="no '20' in one of the runs"):
        rates.all["n"]["20"]


def test_while_it_is_recorded_this_run_stands_for_the_stored_ones(folder, recording):
    store(folder, [{"seed": 0, "n": 3}])
    rates = Experiment("03_rates")
    assert rates.pick(stored=["8", "20"], live=["8"]) == ["8", "20"]
    rates.keep(n=np.float32(1 / 3))
    rates.keep(m=[1, 2])
    assert rates.stored == rates.all == [{"seed": 7, "n": 0.333333, "m": [1, 2]}]
    assert rates.others == []
    assert [line["values"] for line in recording()] == [{"n": 0.333333}, {"m": [1, 2]}]


def test_the_experiment_of_another_lesson_is_read_while_one_is_recorded(folder, recording):
    store(folder, [{"seed": 0, "n": 3}], name="02_before")
    assert Experiment("02_before").stored["n"].tolist() == [3]


def test_an_experiment_says_what_is_wrong(folder, seed):
    seed(0)
    with pytest.raises(ValueError, match="cannot name an experiment"):
        Experiment("../x")
    rates = Experiment("03_rates")
    with pytest.raises(ValueError, match="nothing to record"):
        rates.keep()
    for runs in ("stored", "others", "all"):
        with pytest.raises(FileNotFoundError, match="run_experiments.py --lesson 03"):
            getattr(rates, runs)
    assert "measured nothing yet" in repr(rates)
    rates.keep(n=1)
    assert repr(rates) == "Experiment('03_rates'): this run has n"
