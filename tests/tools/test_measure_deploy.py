"""tools/measure_deploy.py: small runs of what needs no further package, and the files that they make."""

import json

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow")
if keras.config.backend() != "tensorflow":
    pytest.skip("it measures Keras on TensorFlow", allow_module_level=True)

import measure_deploy as tool

from cnnlib import results


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    return tmp_path


def test_seeds_that_are_stored_are_left_as_they_are(folder, monkeypatch):
    calls = []
    monkeypatch.setitem(tool.EXPERIMENTS, "pruning", lambda seed: calls.append(seed) or {"value": 10.0 + seed})
    assert tool.main(["pruning", "--seeds", "0", "2"]) == 0
    assert tool.main(["pruning", "--seeds", "0", "1"]) == 0
    assert calls == [0, 2, 1]
    content = json.loads((folder / "deploy_pruning.json").read_text(encoding="utf-8"))
    assert content["command"] == "python tools/measure_deploy.py pruning --seeds 0 1 2"
    assert [(run["seed"], run["value"]) for run in content["runs"]] == [(0, 10), (1, 11), (2, 12)]
    assert tool.main(["pruning", "--seeds", "1", "--again"]) == 0
    assert calls[-1] == 1


def test_zeros_stay_zero_while_training_goes_on():
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 40)
    model = tool.deploy.without_weights(tool.models.SmallVGG(filters=(4, 4, 4)), 0.8)
    before = [w.copy() for w in model.get_weights()]
    tool.tuned(model, x, y, seed=0)
    moved = False
    for old, new in zip(before, model.get_weights()):
        if old.ndim > 1:
            assert not new[old == 0].any()
            moved |= not np.array_equal(old, new)
    assert moved


def test_softer_probabilities_keep_their_order_and_their_sum():
    logits = np.random.default_rng(0).normal(0, 5, (20, 10))
    sharp, soft = tool.softened(logits, 1.0), tool.softened(logits, 5.0)
    np.testing.assert_allclose(sharp, np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    np.testing.assert_allclose(soft.sum(-1), 1)
    assert (soft.argsort(-1) == sharp.argsort(-1)).all()
    assert (soft.max(-1) < sharp.max(-1)).all()
    assert np.isfinite(tool.softened(1e4 * logits, 1.0)).all()


def test_images_held_out_are_others_and_each_seed_has_its_own():
    own, held = tool.images_of(0, 300, 100)
    assert (len(own), len(held)) == (300, 100)
    assert len({*own, *held}) == 400
    assert set(tool.images_of(1, 300, 100)[0]) != set(own)


def test_a_teacher_is_followed(monkeypatch):
    """Targets, and they alone, depend on the arm: a teacher that always says 3 has a student that always says 3."""
    said = np.zeros((2, 8000, 10), "float32")
    said[..., 3] = 9.0
    monkeypatch.setattr(tool, "teacher_logits", lambda: said)
    images = tool.datasets.cifar10(test_size=40).x_test
    chosen, _ = tool.images_of(0, 200, 10)
    taught = tool.student("teacher", (0.012, 2), chosen, 0, 3)
    assert set(taught.predict(images, verbose=0).argmax(-1)) == {3}
    plain = tool.student("labels", (0.012, None), chosen, 0, 1)
    again = tool.student("labels", (0.012, None), chosen, 0, 1)
    np.testing.assert_array_equal(plain.get_weights()[0], again.get_weights()[0])


def test_an_unknown_experiment_is_named(capsys):
    with pytest.raises(SystemExit):
        tool.main(["weather"])
    assert "unknown weather" in capsys.readouterr().err


def test_a_missing_file_names_this_tool():
    with pytest.raises(FileNotFoundError, match="measure_deploy.py weather"):
        results.load(results.path("deploy_weather"))
