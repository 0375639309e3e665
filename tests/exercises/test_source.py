"""Lessons as text: cells, answers, stubs."""

import re

import pytest
from engine_case import (
    LESSON,
    write_lesson,
)

from cnnlib.exercises import (
    source,
)


def test_cells(tmp_path):
    found = source.cells(write_lesson(tmp_path))
    assert [each.kind for each in found] == [
        "markdown", "code", "code", "code", "code", "markdown", "code", "code", "markdown", "code", "code",
    ]  # fmt: skip
    assert found[0].source == "# 01 · A lesson\n\nText."
    assert found[1].source == "from cnnlib import runtime\nruntime.setup()"
    assert found[4].tags == ("nbval-ignore-output", "x")
    assert all(LESSON.splitlines()[each.line - 2].startswith("# %%") for each in found)


def test_answers_and_stubs(tmp_path):
    path = write_lesson(tmp_path)
    assert source.answer_source("01.2", path).endswith("    room = size - kernel\n\n    return room + BASE - 1")
    assert source.stub_source("01.2", path) == 'def output_size(size, kernel):\n    """The size."""\n    ...'
    assert source.stub_source("01.3", path) == "first = ...\nsecond = ..."
    assert source.checked_expressions("01.2", path) == ["output_size"]
    assert source.checked_expressions("01.3", path) == ["first", "second"]
    assert source.checked_ids(path) == ["01.2", "01.3"]
    assert source.titles(path) == {"01.2": "Output size", "01.3": "Values"}
    with pytest.raises(source.MarkerError, match="no cell asks for"):
        source.answer_source("01.9", path)
    with pytest.raises(FileNotFoundError, match="no file 77_"):
        source.lesson_file("77.1", tmp_path)


STUBS = {
    "a function": ("def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION", "def f(x):\n    ..."),
    "code around it": (
        "def f(x):\n    y = 1\n    ### BEGIN SOLUTION\n    z = y\n    ### END SOLUTION\n    return z",
        "def f(x):\n    y = 1\n    ...\n    return z",
    ),
    "a method": (
        "class A:\n    def f(self):\n        ### BEGIN SOLUTION\n        return 1\n"
        "        ### END SOLUTION\n\n    b = 1",
        "class A:\n    def f(self):\n        ...\n\n    b = 1",
    ),
    "a class's attribute": (
        "class A:\n    ### BEGIN SOLUTION\n    size = 3\n    ### END SOLUTION",
        "class A:\n    size = ...",
    ),
    "assignments": (
        "### BEGIN SOLUTION\na = b = 1\nc: int = 2\n### END SOLUTION\nprint(a)",
        "a = ...\nb = ...\nc = ...\nprint(a)",
    ),
    "tuples": ("### BEGIN SOLUTION\na, (b, *c) = 1, (2, 3)\na = 2\n### END SOLUTION", "a = ...\nb = ...\nc = ..."),
    "attributes and keys": (
        "### BEGIN SOLUTION\nx.rate = 1\nd['a'] = 2\nd['b'][0] = 3\n### END SOLUTION",
        "x.rate = ...\nd['a'] = ...\nd['b'][0] = ...",
    ),
    "blocks": (
        "### BEGIN SOLUTION\nfor i in range(3):\n    a = i\nif a:\n    b = 1\nelse:\n    c = 1\n"
        "with x as y:\n    d = 1\n### END SOLUTION",
        "a = ...\nb = ...\nc = ...\nd = ...",
    ),
    "no name": ("### BEGIN SOLUTION\nprint(1)\n### END SOLUTION", "..."),
    "two answers": (
        "a = 1\n### BEGIN SOLUTION\nb = 1\n### END SOLUTION\nc = 1\n### BEGIN SOLUTION\nd = 1\n### END SOLUTION",
        "a = 1\nb = ...\nc = 1\nd = ...",
    ),
    "a block in a function": (
        "def f(x):\n    if x:\n        ### BEGIN SOLUTION\n        return 1\n        ### END SOLUTION\n    return 2",
        "def f(x):\n    if x:\n        ...\n    return 2",
    ),
    "a block in the module": (
        "if True:\n    ### BEGIN SOLUTION\n    a = 1\n    ### END SOLUTION",
        "if True:\n    a = ...",
    ),
    "a function inside an answer": (
        "def f(x):\n    ### BEGIN SOLUTION\n    def g(y):\n        return y\n\n    return g(x)\n    ### END SOLUTION",
        "def f(x):\n    ...",
    ),
    "comments behind the code": (
        "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    # why\n\n    ### END SOLUTION\n\n\ny = 1",
        "def f(x):\n    ...\n\n\ny = 1",
    ),
    "markers in a string": ('x = """\n### BEGIN SOLUTION\n"""', 'x = """\n### BEGIN SOLUTION\n"""'),
    "no markers": ("x = 1\n\n", "x = 1\n\n"),
    "a text over several lines": (
        'def f(x):\n    ### BEGIN SOLUTION\n    text = """a\nb"""\n    return text\n    ### END SOLUTION',
        "def f(x):\n    ...",
    ),
}


@pytest.mark.parametrize("name", list(STUBS))
def test_stubs(name):
    text, stub = STUBS[name]
    assert source.make_stub(text) == stub


@pytest.mark.parametrize("name", [name for name in STUBS if "marker" not in name])
def test_a_stub_keeps_nothing_of_the_answer_and_a_solution_everything(name):
    text, _ = STUBS[name]
    without = source.without_markers(text)
    assert [line for line in text.splitlines() if "SOLUTION" not in line] == without.splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("### BEGIN SOLUTION\na = 1", "without '### END SOLUTION'"),
        ("a = 1\n### END SOLUTION", "line 2: '### END SOLUTION' without"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\na = 1\n### END SOLUTION", "line 2: '### BEGIN SOLUTION' inside"),
        ("a = 1 ### BEGIN SOLUTION\n### END SOLUTION", "on a line of its own"),
        ("### BEGIN SOLUTION\n\n### END SOLUTION", "nothing stands between"),
        ("### BEGIN SOLUTION\n# hm\n### END SOLUTION", "nothing stands between"),
        ("### BEGIN SOLUTION\ndef f(x):\n    return x\n### END SOLUTION", "the answer defines 'f'"),
        ("### BEGIN SOLUTION\nclass A:\n    pass\n### END SOLUTION", "the answer defines 'A'"),
        ("a = (\n### BEGIN SOLUTION\n1\n### END SOLUTION\n)", "not whole statements"),
        ("if a:\n    b = 1\n### BEGIN SOLUTION\nelse:\n    c = 1\n### END SOLUTION", "not whole statements"),
        ("if a:\n    b = 1\n### BEGIN SOLUTION\n    c = 1\n### END SOLUTION", "differently from the answer"),
        ("def f(x):\n    ### BEGIN SOLUTION\n    return x\n### END SOLUTION", "indented differently"),
        ("def f(x)\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION", "not valid Python"),
        ("if x:\n    ### BEGIN SOLUTION\n    a = 1\n    ### END SOLUTION\n  b = 2", "not valid Python"),
        ("x = [1,\n### BEGIN SOLUTION\n2]\n### END SOLUTION", "not whole statements"),
    ],
)
def test_markers_that_make_no_stub(text, message):
    with pytest.raises(source.MarkerError, match=re.escape(message)):
        source.make_stub(text)
