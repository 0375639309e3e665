"""Answers: what is in them is right, and the JSON is as the schema says."""

import base64
import copy
import dataclasses
import io
import json

import jsonschema
import numpy as np
import pytest
from PIL import Image
from pipeline_case import GRID, softmax
from scipy import ndimage

from cnnlib import detection
from cnnlib.pipeline import (
    Calibration,
    Pipeline,
    Preprocessing,
    Specification,
    answer,
    answer_schema,
    differences,
    place,
)
from cnnlib.segmentation import rle_decode

SCHEMA = answer_schema()


def validate(document: dict) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(document, allow_nan=False)))


def changed(pipeline: Pipeline, **settings) -> Pipeline:
    return Pipeline(pipeline.model, dataclasses.replace(pipeline.specification, **settings), boxes=pipeline._boxes)


# --- the schema ------------------------------------------------------------------------------------------------------


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_answer_is_valid_and_has_its_parts(each, picture):
    said = each(picture)
    validate(said)
    assert said["found"]
    assert said["image"] | {"notes": 0} == {"name": None, "format": "array", "width": 60, "height": 40, "notes": 0}
    assert said["model"]["weights_sha256"] == each.specification.weights_sha256
    assert said["preprocessing"]["version"] == each.specification.preprocessing.version
    nothing = changed(each, threshold=1.0)(picture)
    validate(nothing)
    assert (nothing["found"], nothing["results"]) == (False, [])


@pytest.mark.parametrize(
    "damage",
    [
        lambda said: said.pop("task"),
        lambda said: said.update(found=not said["found"]),
        lambda said: said.update(more=1),
        lambda said: said["results"][0].update(score=1.2),
        lambda said: said["results"][0].pop("label"),
        lambda said: said["model"].update(weights_sha256="0"),
        lambda said: said.update(error={"code": "empty", "message": ""}),
        lambda said: said["image"].update(width=0),
    ],
)
def test_the_schema_refuses_what_is_none(classify, picture, damage):
    said = copy.deepcopy(classify(picture))
    damage(said)
    with pytest.raises(jsonschema.ValidationError):
        validate(said)


def test_tasks_require_their_fields(detect, segment, picture):
    for own, key in ((detect, "box"), (segment, "mask"), (segment, "area")):
        said = copy.deepcopy(own(picture))
        del said["results"][0][key]
        with pytest.raises(jsonschema.ValidationError):
            validate(said)


# --- classify --------------------------------------------------------------------------------------------------------


def test_probabilities_and_uncertainty(classify, picture):
    said = classify(picture)
    logits = 10 * classify.specification.preprocess(picture)[0].mean((0, 1))
    p = softmax(logits)
    order = np.argsort(-p)
    assert [result["number"] for result in said["results"]] == order.tolist()
    assert np.allclose([result["score"] for result in said["results"]], p[order], atol=1e-5)
    entropy = -(p * np.log(p)).sum() / np.log(3)
    wanted = {"probability": p.max(), "margin": np.sort(p)[-1] - np.sort(p)[-2], "entropy": entropy}
    assert {key: pytest.approx(value, abs=1e-5) for key, value in wanted.items()} == said["uncertainty"]
    assert not said["calibrated"]


def test_temperature_softens_and_says_so(classify, picture):
    soft = changed(classify, calibration=Calibration(5.0, "validation"))(picture)
    hard = classify(picture)
    assert soft["calibrated"]
    assert soft["results"][0]["label"] == hard["results"][0]["label"]
    logits = 10 * classify.specification.preprocess(picture)[0].mean((0, 1))
    assert soft["results"][0]["score"] == pytest.approx(softmax(logits / 5).max(), abs=1e-5)
    assert soft["uncertainty"]["entropy"] > hard["uncertainty"]["entropy"]


def test_below_the_threshold_nothing_is_found_and_the_nearest_is_told(classify, picture):
    best = classify(picture)["results"][0]
    nothing = changed(classify, threshold=best["score"] + 0.01)(picture)
    assert nothing["nearest_miss"] == best
    assert changed(classify, threshold=best["score"] - 0.01)(picture)["nearest_miss"] is None
    assert len(changed(classify, top=2)(picture)["results"]) == 2


def test_networks_that_give_probabilities_and_networks_of_one_output():
    two = Specification("n", "classify", ("no", "yes"), Preprocessing(8))
    said = answer.classes_in(np.array([1.5]), two)["results"]
    assert [result["label"] for result in said] == ["yes", "no"]
    assert said[0]["score"] == pytest.approx(1 / (1 + np.exp(-1.5)), abs=1e-6)
    given = dataclasses.replace(two, outputs="probabilities")
    assert answer.classes_in(np.array([0.3, 0.7]), given)["results"][0]["score"] == pytest.approx(0.7)
    assert answer.classes_in(np.array([0.2]), given)["results"][0] == {"label": "no", "number": 0, "score": 0.8}


def test_entropy_of_certainty_and_of_ignorance():
    own = Specification("n", "classify", tuple("abcd"), Preprocessing(8))
    assert answer.classes_in(np.zeros(4), own)["uncertainty"] == {"probability": 0.25, "margin": 0.0, "entropy": 1.0}
    assert answer.classes_in(np.array([900.0, 0, 0, 0]), own)["uncertainty"]["entropy"] == 0


# --- detect ----------------------------------------------------------------------------------------------------------


def test_objects_are_where_they_are(detect, picture):
    said = detect(picture)
    assert {result["label"] for result in said["results"]} == {"red", "blue"}
    scores = [result["score"] for result in said["results"]]
    assert scores == sorted(scores, reverse=True)
    true = {"red": (10, 5, 30, 25), "blue": (40, 20, 58, 38)}
    for result in said["results"]:
        x1, y1, x2, y2 = result["box"]
        left, top, right, bottom = true[result["label"]]
        assert min(x2, right) - max(x1, left) >= 5  # a cell is 15 pixels of the picture wide
        assert min(y2, bottom) - max(y1, top) >= 5
        assert 0 <= x1 < x2 <= 60
        assert 0 <= y1 < y2 <= 40


def test_objects_against_a_computation_of_its_own(detect, picture):
    where = place((40, 60), (16, 16), "letterbox")
    logits = np.asarray(detect.model.predict_on_batch(detect.specification.preprocess(picture)))[0]
    scores = 1 / (1 + np.exp(-logits[:, 1:]))
    boxes = where.to_image(GRID)
    expected = []
    for label in range(2):
        for i in detection.nms(boxes, scores[:, label], 0.5):
            if scores[i, label] >= 0.5 and detection.area(boxes[i : i + 1])[0] > 0:
                expected.append((scores[i, label], label + 1, boxes[i]))
    expected.sort(key=lambda found: -found[0])
    said = detect(picture)["results"]
    assert [result["number"] for result in said] == [number for _, number, _ in expected]
    assert np.allclose([result["score"] for result in said], [score for score, _, _ in expected], atol=1e-5)
    assert np.allclose([result["box"] for result in said], [box for _, _, box in expected], atol=0.01)


def test_overlapping_boxes_of_one_class_and_of_two():
    own = Specification("n", "detect", ("a", "b"), Preprocessing(10), threshold=0.5, overlap=0.5, most=10)
    where = place((10, 10), (10, 10), "stretch")
    boxes = np.array([[0, 0, 8, 8], [0, 0, 8, 7], [0, 0, 8, 7]], "float32")
    outputs = np.array([[3, -9], [2, -9], [-9, 1]], "float32")
    said = answer.objects_in(boxes, outputs, where, own)
    assert [(result["label"], result["box"][3]) for result in said["results"]] == [("a", 8.0), ("b", 7.0)]
    assert said["nearest_miss"] is None  # the second box of class a is the first one's double
    apart = boxes + np.array([[0, 0, 0, 0], [8, 8, 2, 3], [0, 0, 0, 0]], "float32")
    outputs[1, 0] = -1
    said = answer.objects_in(apart, outputs, where, own)
    assert said["nearest_miss"] == {"label": "a", "number": 0, "score": pytest.approx(1 / (1 + np.e), abs=1e-5)}
    assert len(answer.objects_in(boxes, outputs, where, dataclasses.replace(own, most=1))["results"]) == 1


def test_numbers_without_a_class_and_boxes_in_the_border_are_no_objects():
    own = Specification("n", "detect", ("-", "a"), Preprocessing(10, "letterbox"), threshold=0.5)
    where = place((5, 10), (10, 10), "letterbox")
    boxes = np.array([[0, 0, 10, 2], [0, 3, 10, 6]], "float32")
    said = answer.objects_in(boxes, np.array([[9.0, 8.0], [9.0, 7.0]], "float32"), where, own)
    assert [result["label"] for result in said["results"]] == ["a"]
    assert said["results"][0]["box"] == [0, 1, 10, 4]


def test_thresholds_of_nothing_and_of_everything():
    own = Specification("n", "detect", ("a",), Preprocessing(10), threshold=0.0)
    where = place((10, 10), (10, 10), "stretch")
    said = answer.objects_in(GRID, np.full((16, 1), -70.0, "float32"), where, own)
    assert len(said["results"]) == 9  # of sixteen cells those that begin within 10x10 pixels
    none = dataclasses.replace(own, threshold=1.0)
    assert answer.objects_in(GRID, np.full((16, 1), -70.0, "float32"), where, none)["results"] == []


def test_margin_and_entropy_of_an_object():
    own = Specification("n", "detect", ("a", "b"), Preprocessing(10), threshold=0.5, outputs="probabilities")
    where = place((10, 10), (10, 10), "stretch")
    said = answer.objects_in(GRID[:1], np.array([[0.8, 0.3]]), where, own)["results"][0]
    entropy = -(0.8 * np.log2(0.8) + 0.2 * np.log2(0.2))
    assert said["uncertainty"] == {
        "probability": pytest.approx(0.8, abs=1e-5),
        "margin": pytest.approx(0.5, abs=1e-5),
        "entropy": pytest.approx(entropy, abs=1e-5),
    }


# --- segment ---------------------------------------------------------------------------------------------------------


def test_regions_are_where_they_are(segment, picture):
    said = segment(picture, soft_masks=True)
    validate(said)
    true = {"red": np.zeros((40, 60), bool), "blue": np.zeros((40, 60), bool)}
    true["red"][5:25, 10:30] = true["blue"][20:38, 40:58] = True
    assert [result["label"] for result in said["results"]] == ["red", "blue"]
    for result in said["results"]:
        mask = rle_decode(result["mask"])
        own = true[result["label"]]
        assert (mask & own).sum() > 0.95 * own.sum()
        around = ndimage.binary_dilation(own, iterations=4)  # a pixel of the input is 3.75 of the picture
        assert not (mask & ~around).any()
        assert mask.sum() == result["area"]
        rows, columns = np.nonzero(mask)
        assert result["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        soft = np.asarray(Image.open(io.BytesIO(base64.b64decode(result["soft_mask"]["data"]))))
        assert soft.shape == mask.shape
        assert soft[mask].mean() / 255 == pytest.approx(result["score"], abs=0.01)
        assert soft[~mask].max() <= 140
    assert "soft_mask" not in segment(picture)["results"][0]


def test_strips_of_a_large_image_are_the_whole(segment, picture, monkeypatch):
    whole = segment(picture, soft_masks=True)
    monkeypatch.setattr(answer, "STRIP", 7 * 60 * 3)
    assert differences(segment(picture, soft_masks=True), whole, score=1e-5, mask=0.999) == []


def test_small_regions_and_uncertain_pixels_are_left_out(segment, picture):
    areas = {result["label"]: result["area"] for result in segment(picture)["results"]}
    between = (areas["blue"] + areas["red"]) / 2 / 2400
    said = changed(segment, smallest=between)(picture)
    assert [result["label"] for result in said["results"]] == ["red"]
    assert said["nearest_miss"]["label"] == "blue"
    strict = {result["label"]: result["area"] for result in changed(segment, threshold=0.9)(picture)["results"]}
    assert strict["red"] < areas["red"]


def test_a_constant_map_is_constant_for_any_size():
    own = Specification("n", "segment", ("background", "a"), Preprocessing(16, "letterbox"), background=0)
    outputs = np.zeros((4, 4, 2), "float32")
    outputs[..., 1] = 2
    for size in ((1, 1), (3, 300), (300, 3), (64, 64)):
        for aligned in (False, True):
            where = place(size, (16, 16), "letterbox")
            said = answer.regions_in(outputs, where, dataclasses.replace(own, aligned=aligned))["results"]
            assert [result["area"] for result in said] == [size[0] * size[1]]
            assert said[0]["score"] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-5)


def test_a_map_of_one_output():
    own = Specification("n", "segment", ("background", "nucleus"), Preprocessing(8), background=0)
    outputs = np.full((8, 8, 1), -5.0, "float32")
    outputs[:, :4] = 5
    said = answer.regions_in(outputs, place((8, 8), (8, 8), "stretch"), own)["results"]
    assert [(result["label"], result["area"], result["box"]) for result in said] == [("nucleus", 32, [0, 0, 4, 8])]


# --- golden ----------------------------------------------------------------------------------------------------------


def test_differences_name_what_differs(detect, segment, picture):
    said = segment(picture)
    assert differences(said, copy.deepcopy(said)) == []
    other = copy.deepcopy(said)
    other["results"][0]["score"] += 0.01
    other["results"][1]["label"] = "green"
    assert [text.split(":")[0] for text in differences(said, other)] == ["result 0", "result 1"]
    moved = np.roll(rle_decode(said["results"][0]["mask"]), 3, 1)
    from cnnlib.segmentation import rle_encode

    other = copy.deepcopy(said)
    other["results"][0]["mask"] = rle_encode(moved)
    assert "IoU" in differences(said, other)[0]
    said = detect(picture)
    other = copy.deepcopy(said)
    other["results"][0]["box"][2] += 2
    assert "2.0 pixels off" in differences(said, other)[0]
    other = copy.deepcopy(said)
    other["results"].pop()
    other["image"]["width"] += 1
    assert len(differences(said, other)) == 2
    other = copy.deepcopy(said)
    other["preprocessing"]["version"] = "0" * 12
    assert "preprocessing version" in differences(said, other)[0]
    assert differences(said, other, versions=False) == []
