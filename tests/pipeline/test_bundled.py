"""The pipelines of the bundled networks: golden answers on every backend, and what the lessons have used so far."""

import dataclasses
import json

import golden_answers
import jsonschema
import keras
import numpy as np
import pytest

from cnnlib import datasets, detection, pipeline
from cnnlib.models import deeplab, ssdlite
from cnnlib.pipeline import READY, Pipeline, Preprocessing, answer_schema, check_golden
from cnnlib.segmentation import rle_decode

SMALL = ["resnet20_cifar10", "small_vgg_cifar10", "mobilenetv2_cifar10", "lenet5_fashion_mnist"]


@pytest.fixture(scope="module")
def ready():
    built = {}

    def get(name: str) -> Pipeline:
        if name not in built:
            built[name] = pipeline.ready(name)
        return built[name]

    return get


@pytest.mark.parametrize("name", golden_answers.PICTURES)
def test_golden_answers(ready, name):
    """Recorded on TensorFlow. On one backend they are the same to rounding; between backends scores move by 1e-4."""
    sources, file = golden_answers.sources(name), golden_answers.file_of(name)
    for answer in json.loads(file.read_text(encoding="utf-8")).values():
        jsonschema.validate(answer, answer_schema())
    assert check_golden(ready(name), sources, file) == {}


SKEWS = {
    "colours in another order": {"channels": "bgr"},
    "another range": {"spread": 255.0, "mean": 0.0},
    "another kernel": {"kernel": "nearest"},
    "another policy": {"policy": "letterbox"},
}


@pytest.mark.parametrize("skew", SKEWS)
def test_golden_answers_find_each_skew(ready, skew):
    own = ready("detect")
    settings = dataclasses.replace(own.specification.preprocessing, **SKEWS[skew])
    skewed = Pipeline(own.model, dataclasses.replace(own.specification, preprocessing=settings))
    found = check_golden(skewed, golden_answers.sources("detect"), golden_answers.file_of("detect"), versions=False)
    assert found, "the golden answers do not notice"


def test_the_detector_says_what_lesson_11_has_it_say(ready):
    picture = datasets.photograph("coffee")
    said = ready("detect")(picture)["results"]
    expected = ssdlite.detect(picture, nms=lambda boxes, scores, overlap: detection.nms(boxes, scores, overlap))
    assert [result["label"] for result in said] == [found.name for found in expected]
    assert np.allclose([result["box"] for result in said], [found.box for found in expected], atol=0.05)
    assert np.allclose([result["score"] for result in said], [found.score for found in expected], atol=1e-4)


def test_regions_are_those_of_lesson_12(ready):
    pet = datasets.pets()[0]
    said = ready("segment")(pet.image)["results"]
    labels = np.zeros(pet.image.shape[:2], int)
    for result in said:
        labels[rle_decode(result["mask"])] = result["number"]
    assert (labels == deeplab.segment(pet.image)).mean() > 0.998


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_answer_as_on_arrays(ready, name):
    own = ready(name)
    data = (datasets.fashion_mnist if "fashion" in name else datasets.cifar10)(size=1, test_size=40, dtype="uint8")
    said = [answer["results"][0]["number"] for answer in own.answers(list(data.x_test), batch_size=20)]
    logits = own.model.predict(data.x_test.astype("float32") / 255, verbose=0)
    assert said == logits.argmax(-1).tolist()
    assert np.mean(np.array(said) == data.y_test) > 0.6


def test_a_blank_picture_shows_nothing(ready):
    blank = np.full((200, 300, 3), 128, np.uint8)
    for task in ("detect", "segment"):
        answer = ready(task)(blank)
        assert (answer["found"], answer["results"]) == (False, [])


@pytest.mark.parametrize("name", READY)
def test_each_is_built_with_its_weights(ready, name):
    own = ready(name)
    assert own.specification.name == name
    assert isinstance(own.model, keras.Model)
    stated = own.specification.preprocessing
    assert isinstance(stated, Preprocessing)
    assert own.specification.calibration.fitted_on is None or "first 1,000" in own.specification.calibration.fitted_on
