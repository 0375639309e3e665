"""In a kernel: lines of cells, exits, input, displays, and cells that failed."""

import os
import textwrap

import pytest

CELLS = [
    """
    from cnnlib.exercises import Case, FunctionExercise
    twice = FunctionExercise("01.9", "Twice", reference=lambda x: 2 * x, cases=lambda rng: [Case((3,))], time_limit=0.5)
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
]


@pytest.fixture(scope="module")
def kernel_outputs(tmp_path_factory):
    import nbformat
    from nbclient import NotebookClient

    cells = [nbformat.v4.new_code_cell(textwrap.dedent(text).strip()) for text in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    environment = {**os.environ, "CNNLIB_PROGRESS": "off"}
    NotebookClient(notebook, timeout=120).execute(env=environment)
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
