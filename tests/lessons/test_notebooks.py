"""What nbval does not see in a stored notebook; every such check is itself tried on a notebook broken on purpose.

nbval passes a cell that was never executed, any picture, and whatever metadata. The checks are in tools/_checks.py.
"""

import importlib
import inspect
import re
from pathlib import Path

import _checks
import build
import nbformat
import pytest
from _lessons import Lesson, lessons
from nbformat.v4 import new_output
from sample_lesson import JANES, SOMEBODYS, sample

LESSONS = lessons()
NAMES = [lesson.name for lesson in LESSONS]


def known_exercises(number: str) -> dict[str, str]:
    """The exercises that cnnlib has checks for: id to title."""
    try:
        module = importlib.import_module(f"cnnlib.checks.lesson_{number}")
    except ModuleNotFoundError as error:
        if error.name != f"cnnlib.checks.lesson_{number}":
            raise
        return {}
    return {exercise.id: exercise.title for exercise in module.EXERCISES}


def stored(lesson: Lesson) -> nbformat.NotebookNode:
    if not lesson.path.exists():
        pytest.fail(f"{lesson.path.name} is missing: python tools/build.py --lesson {lesson.number}")
    return nbformat.read(lesson.path, as_version=4)


# --- the lessons of the course ----------------------------------------------------------------------------------------


def test_notebooks_and_sources_belong_together():
    assert LESSONS, "there are no lessons in solutions/"
    assert build.orphans() == []
    assert len({lesson.number for lesson in LESSONS}) == len(LESSONS), "two lessons have the same number"


@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_a_notebook_is_in_step_with_its_source(lesson):
    complaint = build.out_of_step(lesson)
    assert complaint is None, f"out of step\n{complaint}"


@pytest.mark.parametrize("check", [*_checks.STORED, *_checks.MADE], ids=lambda check: check.__name__)
@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_a_lesson_is_sound(lesson, check):
    assert check(stored(lesson)) == [], inspect.getdoc(check)


@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_exercises_are_whole(lesson):
    assert _checks.exercises_are_whole(stored(lesson), known_exercises(lesson.number)) == []


@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_the_opening_names_the_lesson(lesson):
    opening = lesson.opening()
    assert opening.number == lesson.number
    assert lesson.name.split("_")[1] in opening.title.lower(), "the file is named by a word of the title"


# --- each check can fail ----------------------------------------------------------------------------------------------

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = f'<img alt="{{}}" src="data:image/png;base64,{PIXEL}">'
PYTHON = "python" + "3"
TITLES = {"90.1": "The larger one", "90.2": "A number"}


def figure(text: str = "Figure: one dark pixel, alone in the frame") -> nbformat.NotebookNode:
    alt = text.removeprefix("Figure: ")
    return new_output("display_data", data={"text/html": IMAGE.format(alt), "text/plain": text})


def stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return new_output("stream", name=name, text=text)


@pytest.fixture
def sound(tmp_path):
    """The sample lesson's notebook as an execution would leave it: nothing to complain about."""
    checks = [("# %%\nlarger(2, 3)", '# %%\nexercise("90.1").check(larger)')]
    checks += [("# %%\nanswer\n", '# %%\nexercise("90.2").check(answer)\n')]
    lesson = sample(tmp_path, *checks)
    lesson.path.parent.mkdir()
    notebook = lesson.notebook()
    for count, (_, cell) in enumerate(_checks.code_cells(notebook), start=1):
        cell.execution_count = count
    cells = code(notebook)
    cells[0].outputs = [stream("Keras 3.15.1 · tensorflow · cpu profile · seed 0\n")]
    cells[1].outputs = [new_output("execute_result", data={"text/plain": "5"}, execution_count=2)]
    cells[2].outputs = [stream("≈ 0.001 s\n")]
    cells[3].outputs = [figure()]
    cells[4].outputs = [stream("✔ the sum is 5\n")]
    cells[6].outputs = [stream("○ Not attempted yet · Exercise 90.1 · The larger one\n")]
    cells[8].outputs = [stream("○ Not attempted yet · Exercise 90.2 · A number\n")]
    return notebook


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def every_complaint(notebook, folder: Path) -> list[str]:
    found = [complaint for check in _checks.STORED for complaint in check(notebook)]
    for check in _checks.MADE:
        found += check(notebook, folder) if check is _checks.links_lead_somewhere else check(notebook)
    return found + _checks.exercises_are_whole(notebook, TITLES)


def test_the_sound_notebook_is_sound(sound, tmp_path):
    assert every_complaint(sound, tmp_path / "notebooks") == []


def swap(position, old, new):
    """Replace text in the source of a cell (all cells if position is None)."""

    def change(notebook):
        cells = notebook.cells if position is None else [notebook.cells[position]]
        assert any(old in cell.source for cell in cells), f"nothing holds {old!r}"
        for cell in cells:
            cell.source = cell.source.replace(old, new)

    return change


def collapsed(position, hidden=True):
    """Give a code cell the mark with which JupyterLab shows it collapsed."""

    def change(notebook):
        code(notebook)[position].metadata["jupyter"] = {"source_hidden": hidden}

    return change


def put(position, *outputs):
    """Give a code cell other outputs."""

    def change(notebook):
        code(notebook)[position].outputs = list(outputs)

    return change


def written(source):
    """Let a code cell end in a write to a file, and show its result."""

    def change(notebook):
        code(notebook)[1].source = source
        code(notebook)[1].outputs = [new_output("execute_result", data={"text/plain": "1485"}, execution_count=2)]

    return change


def error_output(notebook):
    code(notebook)[1].outputs = [new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])]


def never_executed(notebook):
    code(notebook)[1].execution_count = None
    code(notebook)[1].outputs = []


def executed_twice(notebook):
    code(notebook)[2].execution_count = 9


def other_result(notebook):
    code(notebook)[1].outputs[0].execution_count = 7


def kernel_of_a_person(notebook):
    notebook.metadata.kernelspec = {"display_name": "my-env", "language": "python", "name": "my-env"}


def widget_state(notebook):
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def timestamps(notebook):
    code(notebook)[0].metadata["execution"] = {"iopub.status.busy": "2031-01-01T00:00:00"}


def random_id(notebook):
    notebook.cells[2].id = "1f6a0b3c"


def tag(name, position=1):
    def change(notebook):
        code(notebook)[position].metadata["tags"] = [name]

    return change


def drop(position):
    def change(notebook):
        del notebook.cells[position]

    return change


def no_check_nearby(notebook):
    """The claim and the other numbers around the figure are gone."""
    code(notebook)[2].outputs = []
    code(notebook)[4].outputs = []


def long_cells(notebook):
    for cell in code(notebook):
        cell.source = "\n".join(f"x{i} = {i}" for i in range(19))


def no_prose(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = "Words."


def metadata_of_an_output(notebook):
    code(notebook)[3].outputs[0].metadata = {"text/html": {"path": f"{SOMEBODYS}/figure.png"}}


# Which check says what of which damage.
BROKEN = [
    (_checks.executed_in_order, never_executed, "execution count None, not 2"),
    (_checks.executed_in_order, executed_twice, "execution count 9, not 3"),
    (_checks.executed_in_order, other_result, "its result has the execution count 7"),
    (_checks.no_errors, error_output, "stores an error: ValueError: no"),
    (_checks.no_stderr, put(1, stream("careful\n", "stderr")), "stores stderr: 'careful'"),
    (_checks.no_trace_of_a_machine, put(1, stream(f"{SOMEBODYS}/x.png")), f"an output of cell 4.*'{SOMEBODYS}'"),
    (_checks.no_trace_of_a_machine, put(1, stream("in /tmp/lesson-1/x")), "absolute path '/tmp/lesson-1'"),
    (_checks.no_trace_of_a_machine, put(1, stream(r"C:\Users\Someone\x")), "absolute path 'C:"),
    (_checks.no_trace_of_a_machine, put(1, stream("lib/site-packages/keras")), "absolute path 'site-packages'"),
    (_checks.no_trace_of_a_machine, put(1, stream("<object at 0x7f10ab34cd>")), "memory address '0x7f10ab34cd'"),
    (_checks.no_trace_of_a_machine, put(1, stream("by jane.doe today")), "user name 'jane.doe'"),
    (_checks.no_trace_of_a_machine, put(1, stream(str(_checks.ROOT / "data"))), "holds the folder|absolute path"),
    (_checks.no_trace_of_a_machine, swap(2, "Adding", f"{JANES}/x: adding"), "cell 3 holds the absolute path"),
    (_checks.no_trace_of_a_machine, metadata_of_an_output, "an output of cell 6 holds the absolute path"),
    (_checks.metadata_is_normal, kernel_of_a_person, "my-env"),
    (_checks.metadata_is_normal, widget_state, "widgets"),
    (_checks.metadata_is_normal, timestamps, "cell 2 has the metadata execution"),
    (_checks.metadata_is_normal, collapsed(1, False), "cell 4 has the metadata jupyter"),
    (_checks.metadata_is_normal, collapsed(6), "cell 10 is collapsed and holds the check of an exercise"),
    (_checks.metadata_is_normal, random_id, "cell 3 has the id '1f6a0b3c', not '90-003'"),
    (
        _checks.metadata_is_normal,
        put(1, new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"})),
        "cell 4 stores a widget",
    ),
    (_checks.small_enough, put(1, stream("x" * 1_000_000)), "the limit is 1,000,000"),
    (
        _checks.figures_are_described,
        put(3, figure("<Figure size 640x480 with 1 Axes>")),
        "without alt",
    ),
    (_checks.figures_are_described, put(3, figure("Figure: a plot")), "says too little"),
    (
        _checks.numbers_are_plain,
        put(1, new_output("execute_result", data={"text/plain": "{'a': np.float64(0.1)}"}, execution_count=2)),
        r"np.float64\(",
    ),
    (_checks.figures_are_described, put(3, new_output("display_data", data={"image/png": PIXEL})), "without alt text"),
    (_checks.figures_are_described, put(1, stream("<Figure size 640x480 with 1 Axes>")), "prints a figure"),
    (
        _checks.figures_are_described,
        put(1, new_output("display_data", data={"text/html": f"<img src='data:image/png;base64,{PIXEL}'>"})),
        "without alt text",
    ),
    (
        _checks.figures_are_described,
        put(1, new_output("display_data", data={"image/png": PIXEL, "text/plain": "Figure: one dark pixel, alone"})),
        "the picture itself has no alt text",
    ),
    (
        _checks.figures_are_described,
        put(
            1,
            new_output(
                "display_data", data={"text/html": IMAGE.format("x"), "text/plain": "Figure: one dark pixel, alone"}
            ),
        ),
        "the picture itself has no alt text",
    ),
    (
        _checks.figures_are_described,
        put(1, new_output("display_data", data={"text/html": "<svg></svg>", "text/plain": "x"})),
        "hides a picture in HTML",
    ),
    (_checks.results_are_meant, written("file.write_text('x')"), "cell 4 shows what its last line"),
    (_checks.results_are_meant, written("file.write_text(\n    'x',\n)"), "cell 4 shows what its last line"),
    (_checks.figures_stand_beside_claims, no_check_nearby, "cell 6: a figure with no claim"),
    (_checks.opens_well, swap(0, "# 90 · Sums", "# Sums"), "no title"),
    (_checks.opens_well, swap(0, "**What does a sum cost?**", "Sums cost."), "no question"),
    (_checks.opens_well, swap(0, "- draw it\n", ""), "2 objectives"),
    (_checks.opens_well, swap(0, "**Reading** 3 min", ""), "Reading"),
    (_checks.opens_well, swap(0, "**Reading** 3 min", "**Reading** 300 min"), "no lesson"),
    (_checks.opens_well, swap(0, "../README.md", "README.md"), "course map"),
    (_checks.opens_well, swap(1, 'runtime.setup(lesson="90")', "runtime.setup()"), "first code cell"),
    (_checks.opens_well, drop(0), "first cell is not markdown"),
    (
        _checks.parts_are_sittings,
        swap(2, "## Two numbers", "## Part 1 · Two numbers (31 min)"),
        "31 min is longer than a sitting",
    ),
    (_checks.parts_are_sittings, swap(2, "## Two numbers", "## Part 1 · Two numbers (20 min)"), "20 min together"),
    (
        _checks.parts_are_sittings,
        swap(2, "## Two numbers", "## Part 1 · Two\n\n## Numbers"),
        "'## Numbers' lies in a part",
    ),
    (_checks.closes_well, swap(-1, "## Recap", "## Summary"), "last headings are Summary"),
    (_checks.closes_well, swap(-1, "## References", "## More"), "last headings"),
    (_checks.closes_well, swap(-1, "- Euclid (about 300 BC). *Elements*.", ""), "no references"),
    (_checks.closes_well, swap(-1, "<summary>Model answer</summary>", "<summary>Answer</summary>"), "0 folded"),
    (_checks.closes_well, swap(-1, "</details>", ""), "folded model answers"),
    (_checks.links_lead_somewhere, swap(0, "../README.md", "../READ.md"), "READ.md, which does not exist"),
    (_checks.links_lead_somewhere, swap(2, "## Two numbers", "[that](#Nowhere)"), "heading 'Nowhere'"),
    (_checks.bold_is_a_definition, swap(2, "Adding", "**Adding is the first thing.** It"), "ends in '.'"),
    (_checks.bold_is_a_definition, swap(2, "Adding", "**42** is"), "cell 3: \\*\\*42\\*\\* is no term"),
    (_checks.bold_is_a_definition, swap(2, "Adding", "**`sum`** is"), "is no term"),
    (_checks.bold_is_a_definition, swap(2, "Adding", "**What is it?** Adding"), "ends in '\\?'"),
    (
        _checks.bold_is_a_definition,
        swap(2, "Adding", "**what one gets who adds two numbers**"),
        "is no term; bold is for a term at its definition",
    ),
    (_checks.bold_is_a_definition, swap(2, "## Two numbers", "## Two **numbers**"), "stands in a heading"),
    (_checks.bold_is_a_definition, swap(-1, "A sum has", "A **sum** has"), "stands under 'Recap'"),
    (_checks.formulas_are_named, swap(2, "## Two", "$$a + b$$\n\n## Two"), "cell 3: .*without a sentence"),
    (_checks.formulas_are_named, swap(0, "# 90 · Sums", "Sums\n\n$$a + b$$\n\nis"), "stands in no lesson"),
    (_checks.answers_are_cut, swap(8, "...", "### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"), "marker"),
    (
        _checks.exercises_are_open,
        put(6, stream("✘ Not right yet · Exercise 90.1")),
        "90.1 is stored as",
    ),
    (_checks.exercises_are_open, put(8), "90.2 is stored as ''"),
    (_checks.only_times_are_ignored, tag("nbval-ignore-output"), "cell 4 is tagged nbval-ignore-output"),
    (_checks.only_times_are_ignored, tag("nbval-skip"), "tags \\['nbval-skip'\\]"),
    (_checks.only_times_are_ignored, tag("raises-exception"), "tags \\['raises-exception'\\]"),
    (_checks.only_times_are_ignored, swap(3, "total", "# NBVAL_IGNORE_OUTPUT\ntotal"), "switches nbval off"),
    (_checks.house_numbers, long_cells, "lines in the median code cell"),
    (_checks.house_numbers, no_prose, "words of prose per line of code"),
    (_checks.house_numbers, lambda notebook: notebook.cells.__delitem__(slice(3, None)), "cells: the bounds"),
    (_checks.exercises_are_whole, swap(7, " · The larger one", ""), "90.1 has no title"),
    (_checks.exercises_are_whole, swap(7, "The larger one", "The smaller one"), "'The smaller one' on the page"),
    (_checks.exercises_are_whole, drop(8), "90.1 has no '...' to replace"),
    (_checks.exercises_are_whole, swap(9, '"90.1"', '"90.7"'), "90.1 has no cell that calls"),
    (_checks.exercises_are_whole, drop(9), "checks \\['90.2'\\]"),
    (_checks.exercises_are_whole, swap(None, "90.2", "90.3"), "cnnlib.exercises knows|numbered"),
    (_checks.exercises_are_whole, swap(8, "...", "return 1"), "no '...' to replace"),
]


# --- a revised lesson -------------------------------------------------------------------------------------------------


@pytest.fixture
def revised(sound):
    """The sound notebook, made into a lesson that has parts, a prediction and house numbers."""
    cells = sound.cells
    cells[0].source = cells[0].source.replace(
        "[Course map]",
        "| part | question | minutes |\n|---|---|--:|\n| 1 Two numbers | Is it five? | 8 |\n\n[Course map]",
    )
    cells[2].source = cells[2].source.replace("## Two numbers", "## Part 1 · Two numbers\n\n**Is it five?**")
    cells[2].source += "\n\n**Predict**: how much are 2 and 3?"
    cells[3].source = cells[3].source.replace("2 + 3", "sum([2, 3])") + '\nreveal("90.a", total)'
    cells[3].outputs.append(stream("90.a · It is ≈ 5.\n"))
    for cell in cells:
        cell.source = re.sub(r"(### Exercise 90.1 .*)", r"\1\n●○○ · 2 min", cell.source)
        cell.source = re.sub(r"(### Exercise 90.2 .*)", r"\1\n\n●●○ · 3 min", cell.source)
    closing = next(number for number, cell in enumerate(cells) if cell.source.startswith("## Recap"))
    cells[closing].source = "**So far**: a sum has a result.\n\n" + cells[closing].source
    filler = [nbformat.v4.new_code_cell("\n".join(f"x{i} = {i}" for i in range(5))) for _ in range(25)]
    cells[closing:closing] = [*filler, nbformat.v4.new_markdown_cell("Many words. " * 300)]
    cells.insert(3, nbformat.v4.new_code_cell('predict("90.a", "How much are 2 and 3?")'))
    for number, cell in enumerate(cells, start=1):
        cell.id = f"90-{number:03d}"
    for count, cell in enumerate(code(sound), start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return sound


def test_the_revised_notebook_is_sound(revised, tmp_path):
    assert _checks.is_revised(revised)
    assert every_complaint(revised, tmp_path / "notebooks") == []


def test_what_is_held_of_a_revised_lesson_is_not_held_of_another(sound):
    assert not _checks.is_revised(sound)
    for check in (_checks.parts_are_whole, _checks.predictions_are_whole, _checks.exercises_say_what_to_expect):
        assert check(sound) == []


def moved(source, target):
    def change(notebook):
        notebook.cells.insert(target, notebook.cells.pop(source))

    return change


def another_prediction(notebook):
    notebook.cells[3:3] = [nbformat.v4.new_markdown_cell("**Predict**: x?"), *notebook.cells[3:4]]


def of_lesson(number):
    return swap(None, "90", number)


def more_cells(source, count, kind=nbformat.v4.new_code_cell):
    def change(notebook):
        notebook.cells[-1:-1] = [kind(source) for _ in range(count)]

    return change


PREDICTED, EXPECT, PARTS = (
    _checks.predictions_are_whole,
    _checks.exercises_say_what_to_expect,
    _checks.parts_are_whole,
)
LOST = [
    (PREDICTED, swap(3, "predict(", "x = 1\npredict("), "cell 4: a prediction is asked for in a cell of its own"),
    (PREDICTED, swap(2, "**Predict**", "Say"), "cell 4: a prediction stands right below the text that asks"),
    (PREDICTED, moved(2, 8), "cell 3: a prediction stands right below the text that asks"),
    (PREDICTED, swap(3, '3?")', '3?", 5)'), "cell 4: predict\\(.* no guess"),
    (PREDICTED, swap(3, '3?")', '3?", guess=5)'), "cell 4 holds a guess"),
    (PREDICTED, swap(3, '"How much are 2 and 3?"', "question"), "cell 4: predict\\(.* an id and a question"),
    (PREDICTED, swap(4, "reveal", "tell"), "cell 4: the prediction 90.a is revealed 0 times"),
    (PREDICTED, swap(4, 'reveal("90.a", total)', 'reveal("90.a", total)\nreveal("90.a", total)'), "revealed 2 times"),
    (PREDICTED, swap(4, '"90.a", total', '"90.a", 5'), "cell 5: the value of the reveal 90.a is not computed"),
    (PREDICTED, swap(4, '"90.a", total', '"90.a", 100 * (2 + 3)'), "cell 5: the value of the reveal 90.a is not"),
    (PREDICTED, swap(4, "sum([2, 3])", "2 + 3"), "cell 5: the value of the reveal 90.a is not computed"),
    (PREDICTED, swap(4, '"90.a", total', '"90.a"'), "cell 5: the value of the reveal 90.a is not computed"),
    (PREDICTED, swap(4, '"90.a"', "name"), "cell 5: a reveal names its prediction in the call"),
    (PREDICTED, swap(4, '"90.a"', '"90.b"'), "cell 5 reveals 90.b, which no cell asks for"),
    (PREDICTED, moved(4, 2), "cell 3 reveals 90.a before cell 5 asks for it"),
    (PREDICTED, swap(None, "90.a", "90.b"), "the predictions are 90.b, not 90.a"),
    (PREDICTED, swap(None, "90.a", "91.a"), "the predictions are 91.a, not 90.a"),
    (PREDICTED, another_prediction, "asks for the prediction 90.a again"),
    (PREDICTED, put(2, stream("5")), "cell 5: the reveal 90.a is not in its stored output"),
    (PREDICTED, of_lesson("03"), "the lesson asks for 1 predictions; 5 is the least"),
    (EXPECT, swap(None, "●○○ · 2 min", "Write."), "exercise 90.1 does not say what to expect"),
    (EXPECT, swap(None, "●○○ · 2 min", "●○ · 2 min"), "exercise 90.1 does not say what to expect"),
    (EXPECT, swap(None, "●○○ · 2 min", "○○○ · 2 min"), "exercise 90.1 does not say what to expect"),
    (EXPECT, swap(None, "●○○ · 2 min", "●○○ · two min"), "exercise 90.1 does not say what to expect"),
    (EXPECT, swap(None, "●○○ · 2 min", "●○○ · 4 min"), "take 7 min together, the first cell says 5"),
    (PARTS, swap(0, "| part | question | minutes |", "| a | b | c |"), "has no table"),
    (PARTS, swap(0, "| 1 Two numbers", "| 2 Two numbers"), "has the rows \\['2'\\] for 1 parts"),
    (PARTS, swap(0, "| 8 |", "| 7 |"), "minutes are 7 together, reading and exercises 8"),
    (PARTS, swap(2, "## Part 1 · ", "## "), "a revised lesson has parts"),
    (PARTS, swap(2, "## Part 1 · ", "## Part 2 · "), "is not '## Part 1 · Title'"),
    (PARTS, swap(2, "**Is it five?**", "Is it five?"), "does not begin with its question"),
    (PARTS, swap(-1, "**So far**", "So far"), "has no recap"),
    (_checks.house_numbers, more_cells("x = 1", 40), "81 cells: the bounds are 35 to 70"),
    (_checks.house_numbers, lambda notebook: notebook.cells.__delitem__(slice(12, 20)), "33 cells"),
    (_checks.house_numbers, more_cells("\n".join(["x = 1"] * 17), 9), "lines of code: the bounds are 20 to 220"),
    (_checks.house_numbers, more_cells("x = 1", 33), "lines in the median code cell: the bounds are 4 to 6"),
]


@pytest.mark.parametrize(
    ("check", "damage", "complaint"), LOST, ids=[f"{c.__name__}-{i}" for i, (c, *_) in enumerate(LOST)]
)
def test_a_check_sees_what_a_revised_lesson_lost(revised, check, damage, complaint):
    damage(revised)
    found = check(revised)
    assert any(re.search(complaint, text) for text in found), found


def test_values_that_are_computed_are_no_complaint(revised):
    for value in ("total * 100", "float(total)", "100 * np.mean(x)", "shares[0]", "-total", "a > b"):
        before = revised.cells[4].source
        revised.cells[4].source = before.replace('"90.a", total', f'"90.a", {value}')
        assert _checks.predictions_are_whole(revised) == []
        revised.cells[4].source = before


def test_cells_that_only_ask_do_not_count_as_code_to_read(revised):
    median = "lines in the median code cell"
    more_cells('predict("90.a", "x?")', 30)(revised)
    assert not any(median in each for each in _checks.house_numbers(revised))


def test_the_course_asks_for_sixty_predictions():
    """Over the lessons 01 to 13; as long as not all of them are revised, five for each that is."""
    pages = {lesson.number: stored(lesson) for lesson in LESSONS if lesson.number in _checks.WANTS_PREDICTIONS}
    revised = [page for page in pages.values() if _checks.is_revised(page)]
    least = 60 if len(revised) == len(pages) else _checks.PREDICTIONS * len(revised)
    assert sum(len(_checks.predictions_of(page)) for page in pages.values()) >= least


def test_code_that_is_collapsed_does_not_count_as_long(sound):
    long_cells(sound)
    assert _checks.house_numbers(sound)
    for cell in code(sound):
        cell.metadata["jupyter"] = {"source_hidden": True}
    assert not [each for each in _checks.house_numbers(sound) if "code cell" in each]


@pytest.mark.parametrize(
    ("check", "damage", "complaint"), BROKEN, ids=[f"{check.__name__}-{i}" for i, (check, *_) in enumerate(BROKEN)]
)
def test_a_check_sees_damage(sound, tmp_path, monkeypatch, check, damage, complaint):
    monkeypatch.setattr(_checks.getpass, "getuser", lambda: "jane.doe")
    damage(sound)
    more = {_checks.links_lead_somewhere: [tmp_path / "notebooks"], _checks.exercises_are_whole: [TITLES]}
    found = check(sound, *more.get(check, []))
    assert any(re.search(complaint, text) for text in found), found


def test_every_check_is_tried():
    tried = {check for check, *_ in [*BROKEN, *LOST]}
    assert tried == {*_checks.STORED, *_checks.MADE, _checks.exercises_are_whole}


def test_what_is_no_damage_is_left_alone(sound):
    """Words that look like paths or names, and do not belong to a machine."""
    text = "the square root, and/or 3/4; kernel 3/1/1 at https://example.org/tmp/x; conv/root/1; 0x1F"
    put(1, stream(text))(sound)
    assert _checks.no_trace_of_a_machine(sound) == []


def test_code_in_the_text_holds_no_links(sound, tmp_path):
    sound.cells[2].source += "\n\n```python\nnet[2:](maps)\n```\n"
    assert _checks.links_lead_somewhere(sound, tmp_path / "notebooks") == []
    sound.cells[2].source += "\nnet[2:](maps)\n"
    assert _checks.links_lead_somewhere(sound, tmp_path / "notebooks") == ["cell 3 links to maps, which does not exist"]


def test_nothing_else_is_in_the_folder_of_notebooks():
    extra = [path.name for path in (_checks.ROOT / "notebooks").iterdir() if path.suffix != ".ipynb"]
    assert [name for name in extra if name != ".ipynb_checkpoints"] == []
