"""What counts as not attempted."""

import linecache

import pytest
from engine_case import (
    CRASHED,
    LESSON,
    NOT_ATTEMPTED,
    WRONG,
    sizes,
)

from cnnlib.exercises import (
    Case,
    CheckExercise,
    ValueExercise,
    source,
)


@pytest.mark.parametrize("answer", [None, ...])
@pytest.mark.parametrize("make", [sizes, lambda: ValueExercise("01.1", "A value", expected=3)])
def test_no_answer_is_not_attempted(make, answer):
    result = make().check(answer)
    assert result.outcome == NOT_ATTEMPTED
    assert repr(result).startswith("○ Not attempted yet · Exercise 01.")
    assert "Write your answer" in result.message


@pytest.mark.parametrize(
    "body",
    ["...", "pass", '"""Doc."""', '"""Doc."""\n    ...', "return", "return None", "return ...",
     "# only a comment\n    ...",
     "raise NotImplementedError", "raise NotImplementedError()", 'raise NotImplementedError("later")'],
)  # fmt: skip
def test_an_empty_body_is_not_attempted(body):
    namespace = {}
    exec(f"def answer(size, kernel, stride=1, padding=0):\n    {body}", namespace)
    assert sizes().check(namespace["answer"]).outcome == NOT_ATTEMPTED


@pytest.mark.parametrize(
    "body", ["return 0", "return size", "size + 1", "x = 1", "raise ValueError", "return kernel, None"]
)
def test_a_body_with_anything_in_it_is_an_attempt(body):
    namespace = {}
    exec(f"def answer(size, kernel, stride=1, padding=0):\n    {body}", namespace)
    assert sizes().check(namespace["answer"]).outcome in (WRONG, CRASHED)


def test_a_class_with_an_empty_method_is_not_attempted():
    class Block:
        def __init__(self):
            self.size = 3

        def call(self, x): ...

    check = CheckExercise("99.4", "A class", check=lambda answer, rng: None)
    result = check.check(Block)
    assert result.outcome == NOT_ATTEMPTED
    assert "`call`" in result.message


@pytest.mark.parametrize("answer", [{"a": ..., "b": ...}, [..., ...], (..., None)])
def test_collections_of_stubs_are_not_attempted(answer):
    assert ValueExercise("01.1", "Values", expected={"a": 1, "b": 2}).check(answer).outcome == NOT_ATTEMPTED


def test_a_half_filled_collection_says_how_much_is_left():
    result = ValueExercise("01.1", "Values", expected={"a": 1, "b": 2}).check({"a": 1, "b": ...})
    assert result.outcome == NOT_ATTEMPTED
    assert "1 of 2" in result.message


def test_the_stub_with_code_around_it_is_not_attempted(tmp_path, monkeypatch):
    path = tmp_path / "01_a_lesson.py"
    path.write_text(
        LESSON.replace("    ### BEGIN SOLUTION\n    room", "    extra = 1\n    ### BEGIN SOLUTION\n    room", 1)
    )
    monkeypatch.setattr(source, "lesson_file", lambda *args: path)
    stub = source.stub_source("01.2")
    assert "extra = 1\n    ..." in stub
    file = tmp_path / "learner.py"
    for text, outcome in ((stub, NOT_ATTEMPTED), (stub.replace("...", "return extra"), WRONG)):
        file.write_text(text)
        namespace = {}
        exec(compile(text, str(file), "exec"), namespace)

        linecache.checkcache()
        cases = lambda rng: [Case((5, 3))]  # noqa: E731
        assert sizes(cases=cases).check(namespace["output_size"]).outcome == outcome
