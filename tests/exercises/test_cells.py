"""In a kernel: lines of cells, exits, input, displays, and cells that failed."""

import os
import textwrap

import pytest

from cnnlib.exercises import cells

CELLS = [
    """
    from cnnlib.exercises import Case, FunctionExercise
    twice = FunctionExercise("01.9", "Twice", reference=lambda x: 2 * x, cases=lambda rng: [Case((3,))], time_limit=0.5)
    exercise = lambda id: twice
    def show(result):
        print(result.outcome, "|", result.message)
    """,
    """
    def answer(x):
        y = x
        return y / 0
    """,
    "show(twice.check(answer))",
    "def leaving(x):\n    exit()",
    "show(twice.check(leaving))",
    "def asking(x):\n    return input('?')",
    "show(twice.check(asking))",
    "def endless(x):\n    while True:\n        display(x)",
    "show(twice.check(endless))",
    "twice.check(lambda x: x + x)",
    "class Box:\n    def inside(self):\n        return 1\ndef objects(x):\n    return Box()",
    "show(twice.check(objects))",
    "def redone(x):\n    return x + 3",
    "show(twice.check(redone))",
    "def redone(x):\n    return x + x)",
    'show(exercise("01.9").check(redone))',
    "show(twice.check(redone))",
    "import no_such_module\ndef redone(x):\n    return 2 * x",
    'show(exercise("01.9").check(redone))',
    "def redone(x):\n    return 2 * x\nredone(undefined)",
    'show(exercise("01.9").check(redone))',
    "value = 3\nother = 4",
    "value = 5\nother = (6",
    'show(exercise("01.9").check(value))',
    "value = 5\nother = 6",
    'show(exercise("01.9").check(value))',
    "import matplotlib.pyplot as plt\nbefore = plt.figure()\ndef drawn(x):\n    plt.figure().gca().plot([x])\n"
    "    plt.show()\n    return 2 * x\nshow(twice.check(drawn))\nprint(len(plt.get_fignums()))\nplt.close('all')",
]


@pytest.fixture(scope="module")
def kernel_outputs(tmp_path_factory):
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(textwrap.dedent(text).strip()) for text in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    environment = {**os.environ, "CNNLIB_PROGRESS": "off"}
    NotebookClient(notebook, timeout=120, allow_errors=True).execute(env=environment)
    return [cell.outputs for cell in notebook.cells]


def kernel_text(kernel_outputs, number):
    return "".join(each.get("text", "") for each in kernel_outputs[number])


def test_in_a_kernel_the_line_of_the_cell_is_shown(kernel_outputs):
    said = kernel_text(kernel_outputs, 2)
    assert said.startswith("CRASHED | Something is divided by zero.")
    assert "in `answer`, line 3 of its cell: `return y / 0`" in said
    assert "ipykernel" not in said


def test_in_a_kernel_exit_does_not_exit(kernel_outputs):
    assert kernel_text(kernel_outputs, 4).startswith("CRASHED | The code asks Python to exit.")


def test_in_a_kernel_input_does_not_wait(kernel_outputs):
    assert "cannot answer `input()`" in kernel_text(kernel_outputs, 6)


def test_in_a_kernel_endless_displays_are_stopped_and_not_shown(kernel_outputs):
    assert kernel_text(kernel_outputs, 8).startswith("CRASHED | Your code was still running after 0.5 seconds")
    assert len(kernel_outputs[8]) == 1


def test_in_a_kernel_the_result_is_text_and_a_card(kernel_outputs):
    (output,) = kernel_outputs[9]
    assert set(output["data"]) == {"text/plain", "text/html"}
    assert output["data"]["text/plain"].startswith("✔ Right · Exercise 01.9 · Twice")


def test_in_a_kernel_objects_are_described(kernel_outputs):
    assert "a Box object" in kernel_text(kernel_outputs, 11)


# --- cells that failed -----------------------------------------------------------------------------------------------


def test_the_function_of_an_older_cell_is_not_checked(kernel_outputs):
    assert kernel_text(kernel_outputs, 13).startswith("RIGHT")
    for number in (15, 16):  # named in the cell of the check, or by itself
        said = kernel_text(kernel_outputs, number)
        assert said.startswith("CRASHED | The cell that should have defined `redone` last stopped with an error")
        assert "SyntaxError: unmatched ')'" in said
        assert "Your line: line 2 of its cell: `return x + x)`" in said
        assert "Mend that cell, run it, then run this one." in said


def test_a_cell_that_failed_above_the_definition_is_named(kernel_outputs):
    said = kernel_text(kernel_outputs, 18)
    assert said.startswith("CRASHED | The cell that should have defined `redone`")
    assert "ModuleNotFoundError" in said
    assert "line 1 of its cell: `import no_such_module`" in said


def test_a_cell_that_failed_below_the_definition_has_defined_it(kernel_outputs):
    assert kernel_text(kernel_outputs, 20).startswith("RIGHT")


def test_values_of_an_older_cell_are_not_checked_either(kernel_outputs):
    assert "The cell that should have defined `value` last stopped with an error" in kernel_text(kernel_outputs, 23)
    assert "The check needs the function itself, and was given 5" in kernel_text(kernel_outputs, 25)


def test_in_a_kernel_figures_of_an_answer_are_not_shown(kernel_outputs):
    assert kernel_text(kernel_outputs, 26).startswith("RIGHT")
    assert kernel_text(kernel_outputs, 26).endswith("\n1\n")
    assert [output for output in kernel_outputs[26] if output["output_type"] != "stream"] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "def f(x):\n    return (x\nclass A:\n    b = 1\nc = 2\nd: int = 3\nif c == 2:\n    e = 1\n",
            ["f", "A", "c", "d"],
        ),
        ("a, b = 1, 2\nfor i in a:\n    c = [x for x in b]\nwith a as d:\n    pass\n", ["a", "b", "i", "c", "d"]),
        ("a.b = 1\na[0] = 2\nprint(a == 1)", []),
    ],
)
def test_what_a_cell_defines(text, names):
    assert list(cells._definitions(text)) == names


def test_the_names_in_the_cell_of_a_check():
    text = 'exercise("01.2").check(f, 3, g)\nexercise("01.3").check(h)'
    assert cells._names_asked(text, "01.2") == ["f", None, "g"]
    assert cells._names_asked(text, "01.3") == ["h"]
    assert cells._names_asked(text, "01.4") == []
    assert cells._names_asked("not python (", "01.4") == []
