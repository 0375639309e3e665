"""The speed index and what follows from it."""

import json

import pytest

from cnnlib import runtime, speed
from cnnlib.exercises.course import numbered

TIMINGS = {
    "processors": {
        "fast": {"index": 1.0, "lessons": {"04": {"seconds": 20.0}, "05": {"seconds": 10.0}}},
        "slow": {"index": 0.25, "lessons": {"04": {"seconds": 80.0}}},
    }
}


def test_a_measurement_is_a_number_and_takes_what_it_may():
    runtime.backend()
    assert 0.01 < speed.measure(0.3) < 20


@pytest.mark.parametrize(
    ("lesson", "index", "seconds"),
    [
        ("04", 1.0, 20), ("04", 0.25, 80), ("04", 0.5, 40), ("04", 2.0, 10), ("04", 0.125, 160),
        ("05", 1.0, 10), ("05", 0.5, 20), ("05", 2.0, 5),
    ],
)  # fmt: skip
def test_what_a_lesson_takes_lies_where_the_index_lies(lesson, index, seconds):
    assert speed.expected(lesson, index, TIMINGS) == pytest.approx(seconds)


def test_between_two_processors_the_lesson_s_own_ratio_counts():
    timings = json.loads(json.dumps(TIMINGS))
    timings["processors"]["slow"]["lessons"]["04"]["seconds"] = 45.0
    assert speed.expected("04", 0.5, timings) == pytest.approx((20 * 45) ** 0.5)
    assert speed.expected("04", 0.125, timings) == pytest.approx(90)


def test_a_lesson_that_was_not_measured_gets_no_estimate():
    assert speed.expected("19", 1.0, TIMINGS) is None
    assert speed.expected("04", 1.0, {}) is None


def test_an_index_of_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0; 0 was given"):
        speed.expected("04", 0, TIMINGS)


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"\xff"])
def test_without_a_table_there_is_no_estimate_and_no_error(tmp_path, content):
    path = tmp_path / "timings.json"
    if content is not None:
        path.write_bytes(content)
    assert speed.load(path) == {}


def test_the_course_map_s_table_knows_the_lessons_there_are():
    timings = speed.load(runtime.data_dir() / "timings.json")
    names = {path.name.partition("_")[0] for path in numbered(runtime.root() / "solutions")}
    assert set(timings.get("processors", {})) <= {"fast", "slow"}
    for kind in timings.get("processors", {}).values():
        assert set(kind["lessons"]) == names
        assert kind["index"] > 0
        assert kind["processor"]


def test_the_processor_has_a_name_without_a_path():
    assert speed.processor()
    assert "/" not in speed.processor().replace("w/", "")
    assert speed.instructions() in ("AVX-512", "AVX2", "")


def test_onednn_kept_to_avx2_is_said(monkeypatch):
    if speed.instructions() != "AVX-512":
        pytest.skip("this processor has no AVX-512")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx2")
    assert speed.instructions() == "AVX2"
