"""The pipeline: one image, batches, streams, threads, saved answers, latency."""

import itertools
import json
import threading

import jsonschema
import numpy as np
import odd_images
import pytest
from PIL import Image

from cnnlib import pipeline
from cnnlib.pipeline import (
    ImageError,
    Latency,
    Pipeline,
    SpecificationError,
    answer_schema,
    check_golden,
    differences,
    measure_latency,
    overlay,
    record_golden,
)

VALIDATOR = jsonschema.Draft202012Validator(answer_schema())


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [np.asarray(odd_images.picture(rng)) for _ in range(count)]


# --- batches and streams ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_batches_and_streams_say_what_single_images_say(each, batch_size):
    images = pictures(7)
    alone = [each(image) for image in images]
    for said in (
        each.answers(images, batch_size=batch_size),
        list(each.stream(images, batch_size=batch_size, workers=2)),
    ):
        assert len(said) == 7
        assert [differences(one, two, score=1e-4) for one, two in zip(said, alone)] == [[]] * 7


def test_one_shape_is_computed_whatever_the_number_of_images(classify):
    shapes = []
    forward = classify._forward
    classify._forward = lambda batch: shapes.append(len(batch)) or forward(batch)
    list(classify.stream(pictures(7), batch_size=4))
    classify(pictures(1)[0])
    classify.answers(pictures(3), batch_size=4)
    assert shapes == [4, 4, 1, 4]


def test_a_stream_goes_on_after_what_is_no_image(classify, tmp_path):
    good = tmp_path / "good.png"
    Image.fromarray(pictures(1)[0]).save(good)
    sources = [good, b"", tmp_path / "none.png", good, b"not an image", good]
    said = list(classify.stream(sources, batch_size=2))
    assert [one.get("error", {}).get("code") for one in said] == [None, "empty", "missing", None, "not_an_image", None]
    assert said[2]["image"] == {"name": "none.png"}
    assert said[0]["results"] == said[5]["results"]
    for one in said:
        VALIDATOR.validate(one)
    assert list(classify.stream([b"", b""])) != []
    assert list(classify.stream([])) == []
    with pytest.raises(ImageError):
        classify.answers(sources)
    with pytest.raises(ValueError, match="1 or more"):
        next(classify.stream(sources, batch_size=0))


def test_a_stream_may_be_endless_and_may_be_left(classify):
    asked = itertools.count()

    def endless():
        for image in itertools.cycle(pictures(3)):
            next(asked)
            yield image

    stream = classify.stream(endless(), batch_size=4)
    assert len(list(itertools.islice(stream, 6))) == 6
    stream.close()
    assert next(asked) <= 12
    assert not [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("decode") and not thread.daemon and thread.is_alive() and _waits_long(thread)
    ]


def _waits_long(thread: threading.Thread) -> bool:
    thread.join(5)
    return thread.is_alive()


def test_mistakes_of_the_program_stop_a_stream(classify):
    with pytest.raises(TypeError):
        list(classify.stream([None]))


def test_several_threads_may_ask_at_once(each):
    images = pictures(6)
    expected = [each(image) for image in images]
    found: dict[int, dict] = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: each(images[i])})) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [differences(found[i], expected[i], score=1e-5) for i in range(6)] == [[]] * 6


def test_two_hundred_odd_files_get_an_answer_or_a_record(each):
    files = list(odd_images.odd_files(200))
    said = list(each.stream([file.data for file in files], batch_size=16))
    assert len(said) == 200
    for file, one in zip(files, said):
        VALIDATOR.validate(one)
        if file.expected != "either":
            assert ("error" in one) == (file.expected == "error"), file.kind


def test_a_detector_needs_a_decoder(detect):
    with pytest.raises(SpecificationError, match="boxes="):
        Pipeline(detect.model, detect.specification)


def test_it_says_what_it_is(classify):
    assert repr(classify) == "Pipeline(colours 1, classify, 3 labels, 16x16)"


def test_images_beyond_the_limit(classify):
    small = Pipeline(classify.model, classify.specification, max_pixels=100)
    with pytest.raises(ImageError, match="raise max_pixels"):
        small(odd_images.saved(Image.new("RGB", (11, 10)), "PNG"))


# --- golden files ----------------------------------------------------------------------------------------------------


def test_golden_files_find_what_changed(each, picture, tmp_path):
    import dataclasses

    sources = {"picture": picture, "mirrored": picture[:, ::-1].copy()}
    file = tmp_path / "golden.json"
    record_golden(each, sources, file)
    assert check_golden(each, sources, file) == {}
    skewed = dataclasses.replace(each.specification.preprocessing, channels="bgr")
    other = Pipeline(each.model, dataclasses.replace(each.specification, preprocessing=skewed), boxes=each._boxes)
    found = check_golden(other, sources, file, versions=False)
    assert set(found) == {"picture", "mirrored"}
    with pytest.raises(ValueError, match="has answers to"):
        check_golden(each, {"picture": picture}, file)


def test_golden_files_of_paths(classify, picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "a.png")
    record_golden(classify, [tmp_path / "a.png"], tmp_path / "golden.json")
    assert list(json.loads((tmp_path / "golden.json").read_text())) == ["a.png"]
    assert check_golden(classify, [str(tmp_path / "a.png")], tmp_path / "golden.json") == {}


# --- latency ---------------------------------------------------------------------------------------------------------


def test_percentiles_of_known_times():
    latency = Latency(("one", "two"))
    for n in range(1, 101):
        latency.add("one", n / 1000)
    latency.add("two", 0.8, images=4)
    found = latency.percentiles((50, 99))
    assert found["one"] == {50: pytest.approx(50.5), 99: pytest.approx(99.01)}
    assert found["two"][50] == pytest.approx(200)
    assert latency.shares()["one"] == pytest.approx(5.05 / 5.85)
    assert len(latency) == 4
    assert "p99" in str(latency)
    latency.clear()
    assert str(latency) == "nothing was measured yet"
    with pytest.raises(ValueError, match="'one'"):
        latency.add("three", 1)


def test_times_of_old_images_are_forgotten_and_failures_do_not_count():
    latency = Latency(("one",), kept=3)
    for n in range(10):
        latency.add("one", n)
    assert latency.seconds("one").tolist() == [7, 8, 9]
    with pytest.raises(KeyError), latency.timed("one"):
        raise KeyError
    assert latency.seconds("one").tolist() == [7, 8, 9]


def test_every_stage_of_every_image_is_measured(classify):
    classify.answers(pictures(5), batch_size=2)
    assert len(classify.latency) == 5
    assert all((classify.latency.seconds(stage) > 0).all() for stage in pipeline.latency.STAGES)
    found = measure_latency(classify, pictures(3), repetitions=4)
    assert len(found) == 12
    assert len(classify.latency) == 5  # its own times are left as they were


# --- drawn -----------------------------------------------------------------------------------------------------------


def test_an_overlay_marks_what_was_found(each, picture):
    said = each(picture)
    drawn = np.asarray(overlay(picture, said))
    assert drawn.shape == picture.shape
    assert (drawn != picture).any()
    assert np.array_equal(np.asarray(overlay(picture, {"error": {}, "task": "detect"})), picture)


def test_an_overlay_of_masks_and_boxes_is_where_they_are(segment, detect, picture):
    said = segment(picture)
    drawn = np.asarray(overlay(picture, said)).astype(int)
    from cnnlib.pipeline.drawing import COLOURS
    from cnnlib.segmentation import rle_decode

    mask = rle_decode(said["results"][1]["mask"])
    assert (np.abs(drawn - picture).sum(-1) > 0)[mask].mean() > 0.9
    x1, y1, x2, y2 = (round(side) for side in detect(picture)["results"][0]["box"])
    drawn = np.asarray(overlay(picture, detect(picture)))
    assert tuple(drawn[y2 - 1, (x1 + x2) // 2]) in COLOURS


def test_an_overlay_of_another_image_is_a_mistake(classify, picture):
    with pytest.raises(ValueError, match="another image"):
        overlay(picture[:-1], classify(picture))


def test_an_overlay_of_tiny_and_thin_images(each):
    for size in ((1, 1), (1, 500), (500, 1), (3, 7)):
        image = np.full((*size, 3), 90, np.uint8)
        assert overlay(image, each(image)).size == size[::-1]
