"""Specifications: saved beside the weights, and held against them."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from cnnlib import datasets
from cnnlib.pipeline import (
    READY,
    Calibration,
    Pipeline,
    Preprocessing,
    Specification,
    SpecificationError,
    bundled_specification,
    labels_sha256,
    weights_sha256,
)
from cnnlib.pipeline.specification import FILE, LABELS

BASE = {"name": "n", "task": "classify", "labels": ("a", "b"), "preprocessing": Preprocessing(8)}


def test_a_saved_pipeline_gives_the_same_answer(each, picture, tmp_path):
    each.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model.keras", FILE, LABELS}
    options = {"boxes": each._boxes} if each.specification.task == "detect" else {}
    again = Pipeline.load(tmp_path, **options)
    assert again.specification == each.specification
    assert again(picture) == each(picture)


def test_training_and_serving_prepare_alike(classify, picture):
    """By construction: the batch that one trains on is the batch that the network is served."""
    served = []
    forward = classify._forward
    classify._forward = lambda batch: served.append(batch.copy()) or forward(batch)
    classify(picture)
    assert np.array_equal(served[0], classify.specification.preprocess([picture]))


def test_a_stale_label_map_is_an_error(classify, tmp_path):
    classify.save(tmp_path)
    good = (tmp_path / LABELS).read_text()
    for stale in ("red\nblue\ngreen\n", "red\ngreen\n", "red\ngreen\nblue\nblack\n", "Red\ngreen\nblue\n"):
        (tmp_path / LABELS).write_text(stale)
        with pytest.raises(SpecificationError, match="label map is stale"):
            Pipeline.load(tmp_path)
    (tmp_path / LABELS).write_text(good)
    Pipeline.load(tmp_path)
    with pytest.raises(SpecificationError, match="3 outputs and the label map 2 labels"):
        Pipeline(classify.model, dataclasses.replace(classify.specification, labels=("a", "b"), labels_sha256=None))


def test_other_weights_are_an_error(classify, tmp_path):
    classify.save(tmp_path)
    kernel = classify.model.get_layer("logits").kernel
    kernel.assign(kernel.value * 1.001)
    with pytest.raises(SpecificationError, match="trained on since"):
        Pipeline(classify.model, classify.specification)
    classify.model.save(tmp_path / "model.keras")
    with pytest.raises(SpecificationError, match="trained on since"):
        Pipeline.load(tmp_path)


def test_another_input_is_an_error(classify):
    other = dataclasses.replace(classify.specification, preprocessing=Preprocessing(24))
    with pytest.raises(SpecificationError, match=r"takes \(16, 16, 3\), and its preprocessing gives \(24, 24, 3\)"):
        Pipeline(classify.model, other)
    grey = dataclasses.replace(classify.specification, preprocessing=Preprocessing(16, channels="grey"))
    with pytest.raises(SpecificationError):
        Pipeline(classify.model, grey)


def test_files_that_are_missing_or_no_specification(classify, tmp_path):
    with pytest.raises(SpecificationError, match="specification.json cannot be read"):
        Specification.load(tmp_path)
    classify.save(tmp_path)
    (tmp_path / "model.keras").unlink()
    with pytest.raises(SpecificationError, match="model.keras is missing"):
        Pipeline.load(tmp_path)
    for text, says in (
        ("{", "no JSON"),
        ("{}", "no specification"),
        (json.dumps({"format": 2}), "no specification"),
        (json.dumps({"format": 1, "name": "n"}), "other entries"),
        (json.dumps(classify.specification.as_dict() | {"more": 1}), "other entries"),
    ):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(SpecificationError, match=says):
            Specification.load(tmp_path)


def test_it_survives_json():
    own = Specification(
        **BASE, threshold=0.3, calibration=Calibration(1.5, "some validation data"), background=1, decoder="own"
    )
    again = Specification.from_dict(json.loads(json.dumps(own.as_dict())), own.labels)
    assert again == dataclasses.replace(own, labels_sha256=labels_sha256(own.labels))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"task": "classification"}, "'classify'"),
        ({"outputs": "softmax"}, "'probabilities'"),
        ({"labels": ()}, "a name for each"),
        ({"labels": ("a\nb",)}, "line breaks"),
        ({"threshold": 1.5}, r"\[0, 1\]"),
        ({"top": 0}, "1 or more"),
        ({"background": 2}, "one of the 2"),
        ({"task": "segment", "preprocessing": Preprocessing(8, "shortest_side", shortest_side=9)}, "no answer"),
        ({"labels_sha256": "0" * 64}, "stale"),
    ],
)
def test_settings_without_a_meaning(settings, says):
    with pytest.raises(ValueError, match=says):
        Specification(**(BASE | settings))
    with pytest.raises(ValueError, match="more than 0"):
        Calibration(0)


def test_the_hash_of_weights_sees_values_and_shapes_and_not_names():
    def model(name, units=3):
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, name=name), keras.layers.Dropout(0.5)])

    one, two = model("one"), model("two")
    assert weights_sha256(one) == weights_sha256(two)
    assert weights_sha256(one) != weights_sha256(model("one", 4))
    two.layers[0].bias.assign([0, 0, 1e-7])
    assert weights_sha256(one) != weights_sha256(two)


@pytest.mark.parametrize("name", READY)
def test_bundled_specifications_are_whole(name):
    own = bundled_specification(name)
    assert own.name == name
    assert len(own.weights_sha256) == len(own.labels_sha256) == 64
    assert own.labels == tuple(READY[name].labels())


def test_a_label_map_of_the_course_that_changes_is_noticed(monkeypatch):
    changed = list(datasets.CIFAR10_CLASSES)
    changed[1], changed[2] = changed[2], changed[1]
    monkeypatch.setattr(datasets, "CIFAR10_CLASSES", tuple(changed))
    with pytest.raises(SpecificationError, match="stale"):
        bundled_specification("resnet20_cifar10")
    with pytest.raises(ValueError, match="there is no pipeline 'resnet'"):
        bundled_specification("resnet")
