"""Lessons of this course, graded from the command line as an instructor does."""

import csv
import json
import sys

import pytest
from _lessons import choose
from grading import jail

from cnnlib.exercises import exercises_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(jail.works()), reason=f"bubblewrap: {jail.works()}"),
]


def marks(folder):
    with open(folder / "marks.csv", encoding="utf-8-sig") as file:
        return {line[0]: line[1:] for line in csv.reader(file)}


@pytest.mark.parametrize("number", ["00", "01"])
def test_right_answers_get_all_points_stubs_none_and_a_second_start_goes_on(number, tmp_path, capsys):
    import grade as tool

    (lesson,) = choose([number])
    for learner, answered in (("ada", True), ("Đặng Thị Hoa", False)):
        path = tmp_path / "in" / learner / "mine.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(lesson.notebook(answered)), encoding="utf-8")
    assert tool.main([str(tmp_path / "in"), "--hidden"]) == 0
    count = str(len(exercises_of(number)))
    assert marks(tmp_path / "in-graded") == {
        "learner": [f"{number} (of {count})", "points"], "ada": [count, count], "Đặng Thị Hoa": ["0", "0"],
    }  # fmt: skip
    capsys.readouterr()
    assert tool.main([str(tmp_path / "in"), "--hidden"]) == 0
    assert "2 of 2 notebooks are graded already" in capsys.readouterr().out
    assert "secret" not in " ".join(sys.argv)
