"""Answers in the place of their cells."""

import pytest
from engine_case import (
    write_lesson,
)

from cnnlib.exercises import (
    replay,
    source,
)


def test_the_cells_that_an_answer_uses_are_found(tmp_path):
    earlier = [each for each in source.cells(write_lesson(tmp_path)) if each.kind == "code"][:4]
    answer = source.answer_source("01.2", tmp_path / "01_a_lesson.py")
    assert replay.needed_cells(answer, earlier, {"math", "np"}) == {2}
    assert replay.needed_cells("x = unused + BASE", earlier, {"math"}) == {2, 3}
    assert replay.needed_cells("def f(size):\n    BASE = 1\n    return len(size) + BASE", earlier, set()) == set()
    assert replay.needed_cells("def f():\n    return [BASE for BASE in range(3)]", earlier, set()) == set()
    assert replay.needed_cells("def f():\n    return lambda x: x + BASE", earlier, {"math"}) == {2}


def test_an_answer_runs_in_the_place_of_its_cell(tmp_path):
    lesson = replay.Lesson("01", write_lesson(tmp_path))
    (output_size,) = lesson.reference("01.2")
    assert output_size(5, 3) == 3
    (stub,) = lesson.stub("01.2")
    assert stub(5, 3) is None
    assert lesson.answers("01.3", "first = 1\nsecond = first + 1") == (1, 2)
    assert lesson.reference("01.3") == (3, [4])
    assert "unused" not in lesson.before("01.2")


@pytest.mark.parametrize(
    ("cell", "others"),
    [
        ("for rate in rates:\n    print(rate)", {"print", "rates"}),
        ("x = 1\ny = x + z", {"z"}),
        ("y = x\nx = 1", {"x"}),
        ("total += 1", {"total"}),
        ("with opened as file:\n    text = file.read()\nuse(text)", {"opened", "use"}),
        ("if ready:\n    a = b\nelse:\n    a = c\nprint(a)", {"ready", "b", "c", "print"}),
        ("try:\n    a = b\nexcept Missing:\n    a = c", {"b", "Missing", "c"}),
        ("def f(n):\n    return n * factor\nf(2)", {"factor"}),
    ],
)
def test_what_a_cell_gives_a_value_itself_is_not_looked_for_elsewhere(cell, others):
    assert replay._looked_up_from_outside(cell) == others
