"""A class that never was: notebooks of one lesson with right answers, wrong ones from its tests, stubs, and oddities.

python tests/support/synthetic_class.py 01 FOLDER --learners 30
"""

import argparse
import importlib.util
import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "tests" / "support")]

from _lessons import choose  # noqa: E402

from cnnlib.exercises import source  # noqa: E402

NAMES = [
    "Ada", "Đặng Thị Hoa", "王小明", "Олена Шевченко", "محمد علي", "O'Brien, Síle", "<b>Bobby", "=1+1",
    "José Núñez", "שרה כהן", "さくら", "Ωμέγα", "김민준", "Zoë",
]  # fmt: skip


def write(number: str, folder: Path, learners: int, seed: int = 0) -> dict[tuple[str, str], str]:
    """The notebooks; learner and exercise -> "right", "wrong" or "stub"."""
    (lesson,) = choose([number])
    wrong = _wrong(number)
    draw = random.Random(seed)
    told = {}
    for count in range(learners):
        learner = NAMES[count] if count < len(NAMES) else f"learner {count:02d}"
        book = lesson.notebook(answered=False)
        texts = {cell.source: cell for cell in book.cells}
        for id in source.checked_ids(lesson.source):
            parts = source.answer_cells(id, lesson.source)
            kind = draw.choices(["right", "wrong", "stub"], [6, 3, 1])[0]
            if kind == "wrong" and not wrong[id]:
                kind = "stub"
            if kind == "right":
                for part in parts:
                    texts[source.make_stub(part.source)].source = source.without_markers(part.source)
            elif kind == "wrong":
                texts[source.make_stub(parts[0].source)].source = draw.choice(wrong[id])
            told[learner, id] = kind
        name = ["{n}.ipynb", "Lesson {n} (final) v2.ipynb", "homework.ipynb"][count % 3].format(n=lesson.name)
        path = folder / learner / ("" if count % 2 else "week 1/mine") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(book), encoding="utf-8")
    return told


def _wrong(number: str) -> dict[str, list[str]]:
    """The wrong answers of the lesson's tests that are text, and of one cell."""
    from exercise_harness import cell

    path = ROOT / "tests" / "checks" / f"test_lesson_{number}.py"
    spec = importlib.util.spec_from_file_location("tests_of_the_lesson", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {id: [a.text for a, _ in pairs if isinstance(a, cell)] for id, pairs in module.WRONG.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lesson")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--learners", type=int, default=30)
    options = parser.parse_args()
    told = write(options.lesson, options.folder, options.learners)
    print(json.dumps([[*key, kind] for key, kind in told.items()], ensure_ascii=False))
