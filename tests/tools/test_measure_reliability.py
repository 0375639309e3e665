"""tools/measure_reliability.py: small runs of every experiment, and the files that they make."""

import json

import measure_reliability as tool
import numpy as np
import pytest

from cnnlib import datasets, reliability, results


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Results go here, and only the smallest network is measured."""
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    monkeypatch.setattr(tool, "NETWORKS", {"ResNet-20": tool.NETWORKS["ResNet-20"]})
    return tmp_path


def test_a_temperature_is_fitted_on_one_half_and_judged_on_the_other(folder, monkeypatch):
    few = tool.calibration
    monkeypatch.setitem(tool.EXPERIMENTS, "calibration", lambda seed: few(seed, 200))
    assert tool.main(["calibration", "--seeds", "1", "0"]) == 0
    content = json.loads((folder / "reliability_calibration.json").read_text(encoding="utf-8"))
    assert content["command"] == "python tools/measure_reliability.py calibration --seeds 0 1"
    assert {"lesson", "date", "setting"} <= set(content)
    first, second = content["runs"]
    assert (first["seed"], second["seed"]) == (0, 1)
    found = first["ResNet-20"]
    assert found["temperature"] != second["ResNet-20"]["temperature"], "another division"
    assert found["before"]["brier"] != found["after"]["brier"]
    model = tool.NETWORKS["ResNet-20"]()
    data = datasets.cifar10(test_size=200)
    fit, judge = tool.splits.random_split(200, test=0.5, seed=0)
    logits = tool.logits_of(model, data.x_test)
    assert found["temperature"] == pytest.approx(reliability.fit_temperature(logits[fit], data.y_test[fit]), rel=1e-4)
    after = reliability.softmax(logits[judge], found["temperature"])
    assert found["after"]["nll"] == pytest.approx(
        reliability.negative_log_likelihood(after, data.y_test[judge]), rel=1e-4
    )
    assert "CNNLIB_RECORD" not in tool.os.environ


def test_small_trainings_have_every_corruption(monkeypatch):
    arms = {"and noise": (tool.noisy, 32), "small": (tool.flip_and_shift, 16)}
    monkeypatch.setattr(tool, "ARMS", arms)
    run = tool.trainings(0, judged=20, epochs=1, count=400)
    for name in arms:
        assert set(run[name]["corrupted"]) == set(reliability.CORRUPTIONS)
        assert all(len(values) == 5 for values in run[name]["corrupted"].values())
        assert run[name]["epoch"] == 1
        assert {"clean", "validation"} <= set(run[name])


def test_no_two_seeds_share_images():
    sets = [set(tool.own_images(seed, 500)) for seed in range(4)]
    assert len(set.union(*sets)) == 2000
    with pytest.raises(ValueError, match="seeds 0 to 3"):
        tool.own_images(4, 500)


@pytest.mark.parametrize("augment", [arm[0] for arm in tool.ARMS.values()])
def test_augmentation_keeps_shape_and_range_and_follows_its_generator(augment):
    images = np.random.default_rng(0).random((6, 32, 32, 3)).astype("float32")
    first, again = (augment(images, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == images.shape
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 1


def test_a_shift_of_the_margin_is_the_image():
    images = np.random.default_rng(0).random((1, 8, 8, 3)).astype("float32")
    rng = np.random.default_rng(0)
    seen = [tool.flip_and_shift(images, rng, margin=1)[0] for _ in range(60)]
    assert any(np.array_equal(image, images[0]) for image in seen)
    assert any(np.array_equal(image, images[0][:, ::-1]) for image in seen)


def test_images_are_shrunk_by_area():
    images = np.random.default_rng(0).random((2, 32, 32, 3)).astype("float32")
    means = images.reshape(2, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(tool.shrunk(images, 16), means, atol=1e-5)
    assert tool.shrunk(images, 24).shape == (2, 24, 24, 3)
    assert tool.shrunk(images, 32) is images


def test_an_unknown_experiment_is_named(capsys):
    with pytest.raises(SystemExit):
        tool.main(["weather"])
    assert "unknown weather" in capsys.readouterr().err


def test_a_missing_file_names_this_tool():
    with pytest.raises(FileNotFoundError, match="measure_reliability.py weather"):
        results.load(results.path("reliability_weather"))
