"""cnnlib.results: what is recorded comes back; damage is named."""

import json

import numpy as np
import pytest

from cnnlib import results, runtime


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


def test_the_files_of_the_course_are_whole():

    for file in (runtime.root() / "data" / "results").glob("*.json"):
        content = results.load(file)
        assert content["experiment"] == file.stem
        assert {"lesson", "command", "date", "setting", "runs"} <= set(content), file.name
        assert len({run["seed"] for run in content["runs"]}) == len(content["runs"]) > 0, file.name
        assert file.stat().st_size < 200_000, f"{file.name} is no small file"
