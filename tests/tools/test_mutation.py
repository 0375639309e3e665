"""tools/mutate.py: what it changes, that it finds a weak check, and a sample of the mutants of every exercise."""

import ast
import textwrap
from pathlib import Path

import mutate
import numpy as np
import pytest

from cnnlib import runtime
from cnnlib.exercises import (
    Case,
    CheckExercise,
    FunctionExercise,
    Misconception,
    ValueExercise,
    Wrong,
    catalogue,
    replay,
)
from cnnlib.exercises import source as lessons

LESSON = '''
# %%
import numpy as np

# %%
SHIFT = 1

# %%
def output_size(size, kernel, stride=1):
    """The size."""
    ### BEGIN SOLUTION
    if kernel > size:
        raise ValueError("too wide")
    return (size - kernel) // stride + SHIFT
    ### END SOLUTION

# %%
exercise("01.1").check(output_size)

# %%
### BEGIN SOLUTION
share = 0.25
### END SOLUTION

# %%
exercise("01.2").check(share)

# %%
def endless(n):
    ### BEGIN SOLUTION
    total = 0
    while n > 0:
        total += n
        n -= 1
    return total
    ### END SOLUTION

# %%
exercise("01.3").check(endless)
'''


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "01_sizes.py"
    path.write_text(LESSON)
    return replay.Lesson("01", path)


def output_size(size, kernel, stride=1):
    if kernel > size:
        raise ValueError
    return (size - kernel) // stride + 1


def strong(rng):
    for size, kernel, stride in ((8, 3, 1), (8, 3, 2), (9, 3, 2), (7, 7, 3), *rng.integers(1, 9, size=(20, 3))):
        if kernel <= size:
            yield Case((int(size), int(kernel)), {"stride": int(stride)})
    yield Case((3, 4), raises=ValueError)


def weak(rng):
    yield Case((8, 3))


def lucky(rng):
    yield Case((8, 3), {"stride": int(rng.integers(1, 3))})
    yield Case((3, 9), raises=ValueError)


def made(cases):
    return FunctionExercise("01.1", "Size", reference=output_size, cases=cases)


def changed(body):
    """The mutants of the body of a function, as the text of their changed lines."""
    text = "def f(a, b):\n    ### BEGIN SOLUTION\n"
    text += textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n    ### END SOLUTION"
    found = mutate.mutants(text)
    assert len({mutant.name for mutant in found}) == len(found)
    return [mutant.after for mutant in found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a + 2", ["return a - 2", "return a * 2", "return a", "return 2", "return a + 3", "return a + 1"]),
        ("return a // b", ["return a / b", "return a * b", "return a % b", "return b // a", "return a // a", "return"]),
        ("return a - b", ["return a + b", "return b - a", "return b", "return a - a"]),
        ("return a ** 2", ["return a * 2", "return 2 ** a", "return a ** 3"]),
        ("return a @ b", ["return a * b", "return b @ a"]),
        ("return a % b", ["return a // b"]),
        ("return -a", ["return a", "return -b"]),
        ("return not a", ["return a"]),
        ("return a < b", ["return a <= b", "return a >= b", "return a != b"]),
        ("return a >= b", ["return a > b", "return a < b", "return a == b"]),
        ("return a == b", ["return a != b", "return a <= b"]),
        ("return a != b", ["return a == b"]),
        ("return a in b", ["return a not in b"]),
        ("return a is None", ["return a is not None"]),
        ("return a and b", ["return a or b", "return b", "return a"]),
        ("return True", ["return False"]),
        ("return 0.5", ["return 0.55", "return -0.5"]),
        ("return 0", ["return 1", "return -1"]),
        ("return a[1:b]", ["return a[:b]", "return a[1:]", "return a[2:b]", "return a[0:b]",
         "return a[1:b + 1]", "return a[1:b - 1]"]),
        ("return a[::2]", ["return a[:]", "return a[::3]"]),
        ("return a[b]", ["return a[b + 1]", "return a[b - 1]"]),
        ("return a.sum(axis=0)", ["return a.sum()", "return a.sum(axis=1)", "return a.sum(axis=-1)",
         "return a.mean(axis=0)", "return a"]),
        ("return max(a, b)", ["return min(a, b)", "return a", "return max(b, b)"]),
        ("return np.maximum(a, 0)", ["return np.minimum(a, 0)", "return np.maximum(a, 1)", "return a"]),
        ("return pow(a, b)", ["return pow(b, a)", "return pow(a)", "return a"]),
        ("return a.T", ["return a"]),
        ("return a, b", ["return (b, a)"]),
        ("return list(range(a))", ["return list(range(a + 1))", "return list(range(a - 1))", "return range(a)"]),
        ("return [x for x in a if x > b]", ["return [x for x in a]", "return [x for x in a if x >= b]"]),
        ("return 1 if a else 2", ["return 1 if not a else 2", "return 1 if True else 2", "return 1 if False else 2"]),
        ("return np.pad(a, 1, mode='reflect')", ["return np.pad(a, 1, mode='symmetric')", "return np.pad(a, 1)"]),
        ("x = a\nx += b\nreturn x", ["x -= b", "x = b", "(nothing)", "x += a"]),
        ("while a < 3:\n    a += 1\nreturn a", ["while False:", "while a <= 3:", "while not a < 3:", "a -= 1", "pass"]),
        ("for x in a:\n    if x:\n        break\nreturn x", ["continue", "if not x:", "pass"]),
        ("if a:\n    raise ValueError('no')\nreturn b", ["raise TypeError", "if not a:", "if False:", "pass"]),
        ("h, w = a\nreturn h / w", ["w, h = a", "return h / h", "return w / w", "return w / h"]),
        ("x = [a, b]\nreturn x", ["x = [b, a]"]),
    ],
)  # fmt: skip
def test_what_is_changed(body, expected):
    found = changed(body)
    missing = [each for each in expected if each not in found]
    assert not missing, found


def test_only_the_answer_is_changed():
    text = '''
def f(a, b=1):
    """Text with 3 words."""
    c = 5
    ### BEGIN SOLUTION
    """No docstring."""
    d = c + 1
    ### END SOLUTION
    return d * 7
'''
    found = mutate.mutants(text)
    assert found
    for mutant in found:
        assert "c = 5" in mutant.source
        assert "return d * 7" in mutant.source
        assert "b=1" in mutant.source
        assert "3 words" in mutant.source


def test_every_mutant_is_valid_and_different():
    text = LESSON.split("# %%")[3]
    found = mutate.mutants(text)
    assert len(found) > 20
    assert len({mutant.source for mutant in found}) == len(found)
    assert len({mutant.name for mutant in found}) == len(found)
    for mutant in found:
        assert ast.unparse(ast.parse(mutant.source)) == mutant.source
        assert mutant.source != ast.unparse(ast.parse(text))
    assert "raise ValueError('too wid')" not in [mutant.after for mutant in found], (
        "the text of an error is not checked"
    )


def test_a_strong_check_lets_nothing_pass(lesson):
    report = mutate.attack(made(strong), lesson, {}, seeds=3)
    assert report.clean, report
    assert report.tried == report.killed > 20


def test_a_weak_check_is_found_out(lesson):
    report = mutate.attack(made(weak), lesson, {}, seeds=2, many=2)
    survived = [mutant.after for mutant in report.survived]
    assert "return (size - kernel) * stride + SHIFT" in survived
    assert "return size - kernel + SHIFT" in survived
    assert "if kernel >= size:" in survived
    assert "return (size - kernel) // stride" not in survived
    assert report.killed + len(report.survived) == report.tried
    assert not report.clean


def only(after):
    """Tries the one mutant of the small answer that has this line: many draws of all of them take a minute."""
    numbers = [n for n, mutant in enumerate(mutate.mutants(LESSON.split("# %%")[3])) if mutant.after == after]
    assert len(numbers) == 1
    return lambda number: number == numbers[0]


def test_a_check_that_sometimes_lets_a_mistake_pass_is_found_out(lesson):
    report = mutate.attack(made(lucky), lesson, {}, seeds=5, only=only("return size - kernel + SHIFT"))
    found = {mutant.after: (passed, draws) for mutant, passed, draws in report.lucky}
    passed, draws = found["return size - kernel + SHIFT"]
    assert draws == mutate.MANY
    assert 10 < passed < 30


def rarely(rng):
    """Lets a mistake pass in one draw of about twelve, and not in the first five."""
    stride = max(int(n) for n in rng.integers(1, 13, size=1))
    yield Case((40, 3), {"stride": stride}, about=f"{stride}")
    yield Case((3, 9), raises=ValueError)


def test_acceptance_that_depends_on_the_draw_is_found_where_the_first_draws_reject(lesson):
    first = [int(np.random.default_rng(seed).integers(1, 13, size=1)[0]) for seed in range(5)]
    assert 1 not in first, "a stride of 1 would accept the mistake at once"
    report = mutate.attack(made(rarely), lesson, {}, seeds=5, only=only("return size - kernel + SHIFT"))
    found = {mutant.after: (passed, draws) for mutant, passed, draws in report.lucky}
    passed, draws = found["return size - kernel + SHIFT"]
    assert draws == mutate.MANY
    assert 0 < passed < 10
    few = mutate.attack(made(rarely), lesson, {}, seeds=5, many=5, only=only("return size - kernel + SHIFT"))
    assert few.tried == 1
    assert few.lucky == []


def test_no_more_is_drawn_where_the_same_case_rejects_a_mistake_each_time(lesson):
    drawn = []

    def cases(rng):
        drawn.append(1)
        yield Case((8, 3))
        yield Case((3, 9), raises=ValueError)

    mutate.attack(made(cases), lesson, {}, seeds=3, only=lambda number: number == 0)
    assert len(drawn) == 3


# Each operator on a check that is weak in just this: the answer, its reference, weak cases, the mutant that passes,
# strong cases, which reject it.
WEAK = {
    "the type of an argument": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION",
        lambda x: x / 2,
        lambda rng: [Case((np.array([2.0, 5.0]),))],
        "return np.asarray(x / 2).astype(np.asarray(x).dtype)",
        lambda rng: [Case((np.array([2, 5]),))],
    ),
    "whole numbers only": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x + 1\n    ### END SOLUTION",
        lambda x: x + 1,
        lambda rng: [Case((np.array([2.0, 5.0]),))],
        "return np.asarray(x + 1).astype(int)",
        lambda rng: [Case((np.array([2.5, 5.0]),))],
    ),
    "a cast left out": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x.astype(float) + x\n    ### END SOLUTION",
        lambda x: x.astype(float) + x,
        lambda rng: [Case((np.array([3, 7], "uint8"),))],
        "return x + x",
        lambda rng: [Case((np.array([200, 7], "uint8"),))],
    ),
    "one result for all": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x * 2\n    ### END SOLUTION",
        lambda x: x * 2,
        lambda rng: [Case((np.full((3, 2), 4.0),))],
        "return np.broadcast_to(np.mean(x * 2, axis=0, keepdims=True), np.shape(x * 2))",
        lambda rng: [Case((np.arange(6.0).reshape(3, 2),))],
    ),
    "in reverse order": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x * 2\n    ### END SOLUTION",
        lambda x: x * 2,
        lambda rng: [Case((np.array([1.0, 2.0, 1.0]),))],
        "return np.asarray(x * 2)[::-1]",
        lambda rng: [Case((np.array([1.0, 2.0, 3.0]),))],
    ),
    "a median": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return np.mean(x)\n    ### END SOLUTION",
        np.mean,
        lambda rng: [Case((np.array([1.0, 2.0, 3.0]),))],
        "return np.median(x)",
        lambda rng: [Case((np.array([1.0, 2.0, 9.0]),))],
    ),
    "the last of equals": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return int(np.argmax(x))\n    ### END SOLUTION",
        lambda x: int(np.argmax(x)),
        lambda rng: [Case((np.array([1, 3, 2]),))],
        "np.argmax(np.flip(each, axis), axis=axis))(np.asarray(x), None))",
        lambda rng: [Case((np.array([1, 3, 3]),))],
    ),
    "ties in a sorted order": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return np.argsort(x, kind='stable')\n    ### END SOLUTION",
        lambda x: np.argsort(x, kind="stable"),
        lambda rng: [Case((np.array([3, 1, 2]),))],
        "kind='stable'))(np.asarray(x), -1)",
        lambda rng: [Case((np.array([3, 1, 1]),))],
    ),
    "ties of a key": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return sorted(x, key=len)\n    ### END SOLUTION",
        lambda x: sorted(x, key=len),
        lambda rng: [Case((["aa", "b"],))],
        "return sorted(list(x)[::-1], key=len)",
        lambda rng: [Case((["a", "b"],))],
    ),
    "the order of a loop": (
        "def f(x):\n    ### BEGIN SOLUTION\n    for each in x:\n        if each > 1:\n            return each\n"
        "    return 0\n    ### END SOLUTION",
        lambda x: next((each for each in x if each > 1), 0),
        lambda rng: [Case(([1, 2, 0],)), Case(([0, 1],))],
        "for each in list(x)[::-1]:",
        lambda rng: [Case(([1, 2, 3],)), Case(([0, 1],))],
    ),
    "rounding up as one more": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return -(-x // 2)\n    ### END SOLUTION",
        lambda x: -(-x // 2),
        lambda rng: [Case((5,)), Case((7,))],
        "return x // 2 + 1",
        lambda rng: [Case((5,)), Case((6,))],
    ),
    "rounding up as one more, by name": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return np.ceil(x / 2)\n    ### END SOLUTION",
        lambda x: np.ceil(x / 2),
        lambda rng: [Case((5,)), Case((7,))],
        "return np.floor(x / 2) + 1",
        lambda rng: [Case((5,)), Case((6,))],
    ),
    "a part of the equations": (
        "def f(a, b):\n    ### BEGIN SOLUTION\n    return np.linalg.lstsq(a, b)[0]\n    ### END SOLUTION",
        lambda a, b: np.linalg.lstsq(a, b)[0],
        lambda rng: [Case((np.eye(3)[:, :2], np.array([1.0, 2.0, 0.0])))],
        "return np.linalg.lstsq(a[:a.shape[1]], b[:a.shape[1]])[0]",
        lambda rng: [Case((np.ones((3, 2)) + np.eye(3)[:, :2], np.array([1.0, 2.0, 9.0])))],
    ),
}


@pytest.mark.parametrize("name", list(WEAK))
def test_each_operator_finds_the_check_that_is_weak_in_it(name, tmp_path):
    answer, reference, weak_cases, after, strong_cases = WEAK[name]
    path = tmp_path / "01_f.py"
    path.write_text(f'# %%\nimport numpy as np\n\n# %%\n{answer}\n\n# %%\nexercise("01.1").check(f)\n')
    lesson = replay.Lesson("01", path)

    def survivors(cases):
        exercise = FunctionExercise("01.1", "f", reference=reference, cases=cases)
        report = mutate.attack(exercise, lesson, {}, seeds=1, many=1)
        return [mutant.after for mutant in report.survived if after in mutant.after]

    assert survivors(weak_cases), mutate.mutants(answer)
    assert not survivors(strong_cases)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("layers.Conv2D(8, 3)", ["activation='tanh'", "use_bias=False", "padding='same'"]),
        ("layers.Conv2D(8, 3, padding='valid')", ["activation='tanh'", "padding='same'"]),
        ("layers.ReLU()", ["max_value=6.0"]),
        ("layers.BatchNormalization()", ["scale=False", "center=False"]),
        ("layers.MaxPooling2D(2)", ["padding='same'"]),
        ("layers.UpSampling2D(2)", ["interpolation='bilinear'"]),
    ],
)
def test_layers_get_settings_that_nobody_asked_for(call, expected):
    found = changed(f"return {call}")
    for each in expected:
        assert [text for text in found if each in text], found


def test_equivalent_mutants_are_counted_apart_and_the_list_is_kept_right(lesson):
    first = mutate.attack(made(weak), lesson, {}, seeds=1, many=1)
    name = next(mutant.name for mutant in first.survived if "(size - kernel) * stride" in mutant.after)
    killed = "return (size - kernel) // stride + SHIFT  ->  return (size + kernel) // stride + SHIFT"
    known = {name: "a reason", killed: "wrong", "return 1  ->  return 2": "of another answer"}
    report = mutate.attack(made(weak), lesson, known, seeds=1, many=1)
    assert report.equivalent == 1
    assert name not in [mutant.name for mutant in report.survived]
    assert sorted(report.unneeded) == sorted([killed, "return 1  ->  return 2"])


def test_the_exercise_is_left_as_it_was(lesson):
    exercise = made(strong)
    exercise.misconceptions = (Misconception(lambda *args: 0, "zero"),)
    mutate.attack(exercise, lesson, {}, seeds=1, only=lambda number: number < 2)
    assert exercise.time_limit == 5.0
    assert len(exercise.misconceptions) == 1


def test_values_are_attacked(lesson):
    report = mutate.attack(ValueExercise("01.2", "Share", expected=0.25), lesson, {}, seeds=1)
    assert report.clean
    assert report.tried == 3  # left out, ten per cent more, of the other sign
    report = mutate.attack(ValueExercise("01.2", "Share", expected=0.25, rtol=0.2), lesson, {}, seeds=1)
    assert [mutant.after for mutant in report.survived] == ["share = 0.275"]


def test_mutants_that_do_not_end_are_killed(lesson, monkeypatch):
    monkeypatch.setattr(mutate, "TIME_LIMIT", 0.1)

    def check(answer, rng):
        n = int(rng.integers(3, 9))
        if answer(n) != n * (n + 1) / 2:
            raise Wrong("no")

    exercise = CheckExercise("01.3", "Sum", check=check, time_limit=0.2)
    same = ("while n >= 0:", "while n != 0:", "while n > -1:")  # n falls by one, and 0 adds nothing
    known = {f"while n > 0:  ->  {each}": "adds nothing" for each in same}
    for kind in ("int", "np.asarray(n).dtype"):
        known[f"return total  ->  return np.asarray(total).astype({kind})"] = "it is a whole number"
    report = mutate.attack(exercise, lesson, known, seeds=2)
    assert report.clean, report
    assert report.killed > 8


def test_the_command_reports_survivors(monkeypatch, capsys, lesson):
    monkeypatch.setattr(catalogue, "listed", lambda: {"01.1": "Size"})
    monkeypatch.setattr(catalogue, "exercise", lambda id: made(weak))
    monkeypatch.setattr(replay, "lesson", lambda number: lesson)
    monkeypatch.setattr(mutate, "EQUIVALENT", Path("none"))
    monkeypatch.setattr(mutate, "equivalents", dict)
    monkeypatch.setattr(mutate, "MANY_SECONDS", 0)  # no more draws than asked for
    assert mutate.main(["--lesson", "1", "--seeds", "1"]) == 1
    said = capsys.readouterr().out
    assert "+ return (size - kernel) * stride + SHIFT" in said
    monkeypatch.setattr(catalogue, "exercise", lambda id: made(strong))
    assert mutate.main(["--exercise", "01.1", "--seeds", "1", "-v"]) == 0
    said = capsys.readouterr().out
    assert "killed                       return (size - kernel) // stride + SHIFT" in said
    with pytest.raises(SystemExit):
        mutate.main(["--lesson", "77"])


# --- the exercises of the course -------------------------------------------------------------------------------------


def answers(id, subtle=True):
    path = replay.lesson(id.split(".")[0]).path
    return [mutant for cell in lessons.answer_cells(id, path) for mutant in mutate.mutants(cell.source, subtle)]


def test_the_list_of_equivalent_mutants_names_mutants_and_gives_reasons():
    for id, known in mutate.equivalents().items():
        names = {mutant.name for mutant in answers(id)}
        for name, reason in known.items():
            assert name in names, f"{id}: no such mutant: {name}"
            assert len(reason) > 10, f"{id}: {name} needs a reason"


@pytest.mark.parametrize("id", list(catalogue.listed()))
def test_a_sample_of_mutants_is_rejected(id):
    """All of them are tried by ``python tools/mutate.py``, which takes minutes."""
    runtime.setup()
    known = mutate.equivalents().get(id, {})
    names = [mutant.name for mutant in answers(id, subtle=False)]
    step = max(1, len(names) // 8)
    chosen = {n for n in range(0, len(names), step) if names[n] not in known}
    lesson = replay.lesson(id.split(".")[0])
    report = mutate.attack(catalogue.exercise(id), lesson, {}, seeds=2, many=2, only=lambda number: number in chosen)
    passed = [mutant.name for mutant in [*report.survived, *(mutant for mutant, _, _ in report.lucky)]]
    assert not passed
    assert report.tried
    assert np.isfinite(report.seconds)
