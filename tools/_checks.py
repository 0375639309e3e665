"""What a stored notebook must fulfil beside what nbval compares.

nbval passes a cell that was never executed, any picture at all, and whatever metadata. Each function here closes one
such hole: it takes a notebook and returns complaints, none if all is well. `tests/lessons/test_notebooks.py` applies
them to all lessons, and each of them to a notebook that was broken on purpose. The build refuses to store what `STORED`
finds.
"""

import ast
import getpass
import html
import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat
from _execute import CHECK
from _lessons import KERNELSPEC, ROOT, SLIDES, is_hidden, read_opening
from _terms import bold_complaints, formula_complaints, page_of
from nbformat import NotebookNode

from cnnlib.exercises.course import NUMBER

LARGEST = 1_000_000  # bytes of a notebook
PREFIX = "Figure: "
PIXELS = re.compile(r"data:image/[\w+;,]*base64,[A-Za-z0-9+/=]*")
ALT = re.compile(r'<img\b[^>]*?\salt="([^"]*)"[^>]*\ssrc="data:image/')  # as plotting.core.image_html writes it
IGNORED = "nbval-ignore-output"
CLOSING = ("Recap", "Explain it", "What comes next", "References")

# Loose bounds around the house numbers of the course: a page far outside them is not one a learner enjoys.
SITTING = 30  # minutes of a part, reading and exercises
CELLS = (10, 110)
CODE_LINES = (20, 450)
MEDIAN_CELL = 7
LONG_CELL = 18  # nine of ten code cells are not longer
WORDS_PER_LINE = (3.0, 25.0)
# The house numbers themselves, for a lesson that asks for predictions (`is_revised`).
LEAN_CELLS = (35, 70)
LEAN_LINES = (20, 220)
LEAN_MEDIAN = (4, 6)
PREDICTIONS = 5  # in each of the lessons 01 to 13, at least
WANTS_PREDICTIONS = {f"{number:02d}" for number in range(1, 14)}
EXPECTED = re.compile(r"(●{1,3}○{0,2}) · (\d+) min")  # what an exercise says to expect
ASKED = re.compile(r"^predict\(", re.MULTILINE)

# A path is a defect wherever it stands: it differs between machines, and may hold a name.
PATH = re.compile(
    r"(?<![\w.:/-])/(?:home|Users|root|tmp|var|opt|usr|mnt|srv|work|workspaces?|private|content|kaggle|builds|github)/"
    r"[\w.~-]+|\b[A-Za-z]:\\{1,2}(?!n\b)[\w.~ -]+\\|\b(?:site|dist)-packages\b"
)
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{7,16}\b")
# Names that are words, or belong to no person: a page may well speak of a root.
NO_PERSON = {"admin", "administrator", "build", "docker", "jovyan", "root", "runner", "runneradmin", "test", "user"}
# What measures time, and the report on the machine.
TIMING = re.compile(
    r"\b(?:perf_counter|process_time|monotonic|timeit|stopwatch|seconds|milliseconds)\w*|\btime_\w+|\w+_time\b"
    r"|\breport\(\)|\bper_second\(|\bmeasure_latency\(|\bdeploy\.(?:latency|compare|machine|layer_profile)\("
)
DIGIT = re.compile(r"\d")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)  # code in the text: net[2:](maps) is no link
CHECKED = re.compile(r"\b(claim|measured)\(")


def code_cells(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Number (from 1, all cells counted) and cell of each code cell."""
    return ((number, cell) for number, cell in enumerate(notebook.cells, start=1) if cell.cell_type == "code")


def markdown(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((number, cell) for number, cell in enumerate(notebook.cells, start=1) if cell.cell_type == "markdown")


def outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    return ((number, output) for number, cell in code_cells(notebook) for output in cell.outputs)


def texts(output: NotebookNode) -> Iterator[str]:
    """What an output says in words (pictures left out)."""
    if output.output_type == "stream":
        yield output.text
    elif output.output_type == "error":
        yield from (output.ename, output.evalue, *output.traceback)
    else:
        words = (str(value) for kind, value in output.data.items() if not kind.startswith("image/"))
        yield from (PIXELS.sub("data:image/", text) for text in words)


def has_figure(output: NotebookNode) -> bool:
    data = output.get("data", {})
    return any(kind.startswith("image/") for kind in data) or "data:image/" in str(data.get("text/html", ""))


# --- what is stored ---------------------------------------------------------------------------------------------------


def executed_in_order(notebook: NotebookNode) -> list[str]:
    """Every code cell was executed, from the first to the last, in a fresh kernel."""
    complaints = []
    for expected, (number, cell) in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != expected:
            complaints.append(f"cell {number} has the execution count {cell.execution_count}, not {expected}")
        for output in cell.outputs:
            if output.output_type == "execute_result" and output.execution_count != expected:
                complaints.append(f"cell {number}: its result has the execution count {output.execution_count}")
    return complaints


def no_errors(notebook: NotebookNode) -> list[str]:
    """No cell stores an error."""
    return [
        f"cell {number} stores an error: {output.ename}: {output.evalue}"
        for number, output in outputs(notebook)
        if output.output_type == "error"
    ]


def no_stderr(notebook: NotebookNode) -> list[str]:
    """No cell stores what was written to stderr: warnings, log lines, progress bars."""
    return [
        f"cell {number} stores stderr: {output.text.strip()[:200]!r}"
        for number, output in outputs(notebook)
        if output.output_type == "stream" and output.name == "stderr"
    ]


def no_trace_of_a_machine(notebook: NotebookNode) -> list[str]:
    """No absolute path, no user name, no memory address: in sources, outputs and metadata."""
    parts = [(f"cell {number}", cell.source) for number, cell in enumerate(notebook.cells, start=1)]
    parts += [(f"the metadata of cell {number}", str(cell.metadata)) for number, cell in enumerate(notebook.cells, 1)]
    for number, output in outputs(notebook):
        parts += [(f"an output of cell {number}", text) for text in [*texts(output), str(output.get("metadata", ""))]]
    parts.append(("the notebook's metadata", str(notebook.metadata)))
    patterns = {"the absolute path": PATH, "the memory address": ADDRESS}
    if person := _person():
        patterns["the user name"] = re.compile(rf"\b{re.escape(person)}\b")
    complaints = []
    for place, text in parts:
        for what, pattern in patterns.items():
            if match := pattern.search(text):
                complaints.append(f"{place} holds {what} {match.group(0)!r}")
        complaints += [f"{place} holds the folder {folder!r}" for folder in _folders() if folder in text]
    return complaints


def _person() -> str | None:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may have a user without a name
        return None
    return None if len(name) < 3 or name.lower() in NO_PERSON else name


def _folders() -> set[str]:
    folders = {str(ROOT), str(ROOT.as_posix()), str(Path.home()), str(Path.home().as_posix())}
    return {folder for folder in folders if len(folder) > 3 and folder not in ("/root", "/home")}


def metadata_is_normal(notebook: NotebookNode) -> list[str]:
    """Metadata says nothing that changes from build to build: times, widget states, versions, random ids."""
    complaints = []
    allowed = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    if notebook.metadata != allowed:
        complaints.append(f"the notebook's metadata is {dict(notebook.metadata)}, not {allowed}")
    ids = [cell.get("id", "") for cell in notebook.cells]
    lesson = ids[0].partition("-")[0] if ids else ""
    expected = [f"{lesson}-{position:03d}" for position in range(1, len(ids) + 1)]
    complaints += [f"cell {i} has the id {a!r}, not {b!r}" for i, (a, b) in enumerate(zip(ids, expected), 1) if a != b]
    for number, cell in enumerate(notebook.cells, start=1):
        kept = {"tags", "jupyter"} if is_hidden(cell) and cell.cell_type == "code" else {"tags"}
        if set(cell.metadata) - kept:
            complaints.append(f"cell {number} has the metadata {', '.join(sorted(set(cell.metadata) - kept))}")
        elif is_hidden(cell) and CHECK.search(cell.source):
            complaints.append(f"cell {number} is collapsed and holds the check of an exercise")
    for number, output in outputs(notebook):
        if any("widget" in kind for kind in output.get("data", {})):
            complaints.append(f"cell {number} stores a widget; in stored outputs an explorer shows its static figure")
    return complaints


def small_enough(notebook: NotebookNode) -> list[str]:
    """The file is under 1 MB, so that it opens at once and can be read on the web."""
    size = len(nbformat.writes(notebook).encode())
    return [f"the notebook is {size:,} bytes; the limit is {LARGEST:,}"] if size > LARGEST else []


def figures_are_described(notebook: NotebookNode) -> list[str]:
    """Every figure says in words what one sees: for those who cannot, and because nbval compares words only."""
    complaints = []
    for number, output in outputs(notebook):
        if not has_figure(output):
            continue
        text = output.data.get("text/plain", "")
        told = [html.unescape(alt) for alt in ALT.findall(output.data.get("text/html", ""))]
        if not text.startswith(PREFIX):
            complaints.append(f"cell {number}: a figure without alt text; end it in plotting.show(fig, alt=...)")
        elif told != [text[len(PREFIX) :]]:
            complaints.append(f"cell {number}: the picture itself has no alt text, or another; build the lesson again")
        elif len(text[len(PREFIX) :].split()) < 4:
            complaints.append(f"cell {number}: the alt text {text!r} says too little")
    for number, output in outputs(notebook):
        said = list(texts(output))
        if any("<Figure size" in text for text in said):
            complaints.append(f"cell {number} prints a figure; end it in plotting.show(fig, alt=...)")
        if any("<svg" in text for text in said):
            complaints.append(f"cell {number} hides a picture in HTML, where it has no alt text that is compared")
    return complaints


def numbers_are_plain(notebook: NotebookNode) -> list[str]:
    """No output shows a NumPy number by its representation: nobody meant to print all of its digits."""
    return [
        f"cell {number} shows {match.group(0)!r}; end the cell in something to read, or print the number"
        for number, output in outputs(notebook)
        for text in texts(output)
        if (match := re.search(r"\bnp\.(?:float|int|uint|bool|str)\w*\(", text))
    ]


def results_are_meant(notebook: NotebookNode) -> list[str]:
    """No cell shows how many characters its last line wrote into a file: nobody wants to read that."""
    return [
        f"cell {number} shows what its last line, a write to a file, returned; assign it to _"
        for number, cell in code_cells(notebook)
        if any(output.output_type == "execute_result" for output in cell.outputs)
        and re.search(r"\.write\w*\([^\n]*\)?\Z|\.write\w*\(\n(    [^\n]*\n)+\)\Z", cell.source.strip())
    ]


STORED: tuple[Callable[[NotebookNode], list[str]], ...] = (
    executed_in_order,
    no_errors,
    no_stderr,
    no_trace_of_a_machine,
    metadata_is_normal,
    small_enough,
    figures_are_described,
    numbers_are_plain,
    results_are_meant,
)


# --- how a lesson is made ---------------------------------------------------------------------------------------------


def figures_stand_beside_claims(notebook: NotebookNode) -> list[str]:
    """A figure's own cell, the one before or one of the two after it checks a number: nothing compares the picture."""
    cells = notebook.cells
    complaints = []
    for number, cell in code_cells(notebook):
        if any(has_figure(output) for output in cell.outputs):
            beside = cells[max(0, number - 2) : number + 2]
            if not any(_checks_a_number(other) for other in beside):
                complaints.append(f"cell {number}: a figure with no claim and no checked number beside it")
    return complaints


def _checks_a_number(cell: NotebookNode) -> bool:
    """Whether the cell claims something, or stores a number that nbval compares (an alt text does not count)."""
    if cell.cell_type != "code" or IGNORED in cell.metadata.get("tags", []):
        return False
    if CHECKED.search(cell.source):
        return True
    said = [text for output in cell.outputs for text in texts(output)]
    return any(DIGIT.search(text) for text in said if not text.startswith(PREFIX))


def opens_well(notebook: NotebookNode) -> list[str]:
    """The first cell has number, title, question, objectives, minutes and links; the first code cell is the set-up."""
    first = notebook.cells[0]
    if first.cell_type != "markdown":
        return ["the first cell is not markdown"]
    complaints = []
    try:
        opening = read_opening(first.source)
    except ValueError as error:
        return [str(error)]
    if not 3 <= len(opening.objectives) <= 5:
        complaints.append(f"the first cell has {len(opening.objectives)} objectives, not three to five")
    if not 1 <= opening.reading <= 90 or not 0 <= opening.exercises <= 120:
        complaints.append(f"{opening.reading} min of reading and {opening.exercises} min of exercises are no lesson")
    if "](../README.md" not in first.source:
        complaints.append("the first cell does not link to the course map, ../README.md")
    code = [cell.source for _, cell in code_cells(notebook)]
    setup = ["from cnnlib import runtime", f'runtime.setup(lesson="{opening.number}")']
    if not code or [line for line in code[0].splitlines() if line] != setup:
        complaints.append(f"the first code cell is not {setup[0]!r} and {setup[1]!r}")
    return complaints


def parts_are_sittings(notebook: NotebookNode) -> list[str]:
    """Where a lesson has parts, its sections lie in them; with minutes, none is longer than a sitting, and they add up.

    Minutes stand in the headings (`## Part 1 · The ladder (20 min)`), in a table of the first cell, or in its words
    ("four parts, each of about 25 min").
    """
    first, text = notebook.cells[0].source, "\n".join(cell.source for _, cell in markdown(notebook))
    headings = re.findall(r"^## (.*)$", FENCED.sub("", text), re.MULTILINE)
    numbered = [heading for heading in headings if heading.startswith("Part ")]
    if not numbered:
        return []
    inside = headings[headings.index(numbered[0]) :]
    complaints = [f"'## {each}' lies in a part: '### {each}'" for each in inside if each not in (*numbered, *CLOSING)]
    minutes = [match for heading in numbered for match in re.findall(r"\((\d+) min\)$", heading)]
    minutes = minutes or re.findall(r"^\| \d.*\| (\d+) \|$", first, re.MULTILINE)
    minutes = minutes or re.findall(r"each\s+of\s+about\s+(\d+)\s+min", first) * len(numbered)
    parts = [int(each) for each in minutes]
    complaints += [f"a part of {each} min is longer than a sitting, {SITTING}" for each in parts if each > SITTING]
    try:
        opening = read_opening(first)
    except ValueError:  # told by opens_well
        return complaints
    whole = opening.reading + opening.exercises
    if parts and abs(sum(parts) - whole) > 0.1 * whole:
        complaints.append(f"the parts take {sum(parts)} min together, reading and exercises {whole}")
    return complaints


def is_revised(notebook: NotebookNode) -> bool:
    """Whether the lesson was revised to be lean: as soon as it asks for a prediction, all of that is held."""
    return any(ASKED.search(cell.source) for _, cell in code_cells(notebook))


def parts_are_whole(notebook: NotebookNode) -> list[str]:
    """A revised lesson has parts: a table of them in its opening, and in each a question at the top and "So far".

    The minutes of the table add up to reading and exercises.
    """
    if not is_revised(notebook):
        return []
    first = notebook.cells[0].source
    text = FENCED.sub("", "\n".join(cell.source for _, cell in markdown(notebook)))
    pieces = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    parts = [(title, body) for title, body in zip(pieces[1::2], pieces[2::2]) if title.startswith("Part ")]
    if not parts:
        return ["a revised lesson has parts of at most 30 min each: '## Part 1 · Title'"]
    complaints = []
    rows = re.findall(r"^\| (\d+) .*\| (\d+) \|$", first, re.MULTILINE)
    if "| part | question | minutes |" not in first:
        complaints.append("the first cell has no table '| part | question | minutes |'")
    elif [int(number) for number, _ in rows] != list(range(1, len(parts) + 1)):
        complaints.append(f"the table of the first cell has the rows {[n for n, _ in rows]} for {len(parts)} parts")
    for number, (title, body) in enumerate(parts, start=1):
        if not title.startswith(f"Part {number} · "):
            complaints.append(f"'## {title}' is not '## Part {number} · Title'")
        if not re.match(r"\s*\*\*[^*]+\?\*\*\s", body):
            complaints.append(f"'## {title}' does not begin with its question in bold")
        if not re.search(r"^\*\*So far\*\*:", body, re.MULTILINE):
            complaints.append(f"'## {title}' has no recap, '**So far**: ...'")
    try:
        opening = read_opening(first)
    except ValueError:  # told by opens_well
        return complaints
    took, whole = sum(int(minutes) for _, minutes in rows), opening.reading + opening.exercises
    if rows and took != whole:
        complaints.append(f"the table's minutes are {took} together, reading and exercises {whole}")
    return complaints


def exercises_say_what_to_expect(notebook: NotebookNode) -> list[str]:
    """In a revised lesson the heading of an exercise is followed by `●●○ · 10 min`, and the minutes add up."""
    if not is_revised(notebook):
        return []
    complaints, minutes = [], 0
    for number, cell in markdown(notebook):
        for match in re.finditer(r"^### Exercise (\S+).*$", cell.source, re.MULTILINE):
            below = cell.source[match.end() :].strip().partition("\n")[0].strip()
            expected = EXPECTED.fullmatch(below)
            if not expected or len(expected[1]) != 3:
                complaints.append(
                    f"cell {number}: exercise {match[1]} does not say what to expect: '●●○ · 10 min' below its heading"
                )
            else:
                minutes += int(expected[2])
    try:
        stated = read_opening(notebook.cells[0].source).exercises
    except ValueError:  # told by opens_well
        return complaints
    if not complaints and minutes != stated:
        complaints.append(f"the exercises take {minutes} min together, the first cell says {stated}")
    return complaints


def predictions_are_whole(notebook: NotebookNode) -> list[str]:
    """Each prediction stands alone under the text that asks, and one later cell reveals it with a computed value.

    Letters count up from a. A reveal that was not asked for is a complaint as well, and so is one that did not run.
    """
    complaints: list[str] = []
    asked: dict[str, int] = {}
    revealed: dict[str, list[int]] = {}
    trees = {number: _parsed(cell.source) for number, cell in code_cells(notebook)}
    constants = _constant_names(trees.values())
    for number, cell in code_cells(notebook):
        for call in _calls(trees[number], "predict"):
            ident = _text(call.args[0]) if call.args else None
            complaints += _asked_well(notebook, number, trees[number], call)
            if ident in asked:
                complaints.append(f"cell {number} asks for the prediction {ident} again")
            elif ident is not None:
                asked[ident] = number
        for call in _calls(trees[number], "reveal"):
            ident = _text(call.args[0]) if call.args else None
            if ident is None:
                complaints.append(f"cell {number}: a reveal names its prediction in the call: reveal('03.a', value)")
                continue
            revealed.setdefault(ident, []).append(number)
            if len(call.args) < 2 or not _is_computed(call.args[1], constants):
                complaints.append(f"cell {number}: the value of the reveal {ident} is not computed")
            said = [text for output in cell.outputs for text in texts(output)]
            if not any(f"{ident} · It is " in text for text in said):
                complaints.append(f"cell {number}: the reveal {ident} is not in its stored output")
    lesson = _number(notebook)
    expected = [f"{lesson}.{chr(ord('a') + position)}" for position in range(len(asked))]
    if list(asked) != expected:
        complaints.append(f"the predictions are {', '.join(asked)}, not {', '.join(expected)}")
    for ident, number in asked.items():
        where = revealed.get(ident, [])
        if len(where) != 1:
            complaints.append(f"cell {number}: the prediction {ident} is revealed {len(where)} times, not once")
        elif where[0] <= number:
            complaints.append(f"cell {where[0]} reveals {ident} before cell {number} asks for it")
    complaints += [f"cell {where[0]} reveals {each}, which no cell asks for" for each, where in revealed.items()
                   if each not in asked]  # fmt: skip
    if asked and lesson in WANTS_PREDICTIONS and len(asked) < PREDICTIONS:
        complaints.append(f"the lesson asks for {len(asked)} predictions; {PREDICTIONS} is the least")
    return complaints


def predictions_of(notebook: NotebookNode) -> list[str]:
    """The ids of the predictions that a page asks for."""
    calls = [call for _, cell in code_cells(notebook) for call in _calls(_parsed(cell.source), "predict")]
    return [ident for call in calls if call.args and (ident := _text(call.args[0])) is not None]


def _asked_well(notebook: NotebookNode, number: int, tree: ast.Module, call: ast.Call) -> list[str]:
    """What is amiss with a cell that asks for a prediction."""
    complaints = []
    alone = len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) and tree.body[0].value is call
    if not alone:
        complaints.append(f"cell {number}: a prediction is asked for in a cell of its own")
    before = notebook.cells[number - 2] if number > 1 else None
    if before is None or before.cell_type != "markdown" or "**Predict**" not in before.source:
        complaints.append(f"cell {number}: a prediction stands right below the text that asks, '**Predict**: ...'")
    if len(call.args) != 2 or any(_text(each) is None for each in call.args):
        complaints.append(f"cell {number}: predict('03.a', 'question?') has an id and a question in its call, no guess")
    if any(keyword.arg == "guess" for keyword in call.keywords):
        complaints.append(f"cell {number} holds a guess")
    return complaints


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:  # a magic of IPython
        return ast.Module([], [])


def _calls(tree: ast.Module, name: str) -> list[ast.Call]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [node for node in found if isinstance(node.func, ast.Name) and node.func.id == name]  # no method of a model
    return sorted(named, key=lambda node: node.lineno)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_computed(value: ast.expr, constants: set[str]) -> bool:
    """Whether a value comes from a run: it holds a call, or a name that is not merely another word for a constant."""
    if isinstance(value, ast.Name):
        return value.id not in constants
    return any(isinstance(node, (ast.Call, ast.Name)) for node in ast.walk(value))


def _constant_names(trees: Iterable[ast.Module]) -> set[str]:
    """The names that the page gives nothing but constants."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    given: dict[str, list[bool]] = {}  # of each name: whether what it is given is a constant
    plainly: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.Assign):
            fixed = not any(isinstance(part, (ast.Call, ast.Name)) for part in ast.walk(node.value))
            for target in node.targets:
                if isinstance(target, ast.Name):
                    plainly.add(id(target))
                    given.setdefault(target.id, []).append(fixed)
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in plainly:
            given.setdefault(node.id, []).append(False)  # in a loop, in a tuple, with +=
    return {name for name, each in given.items() if all(each)}


def closes_well(notebook: NotebookNode) -> list[str]:
    """The last headings are Recap, Explain it (with answers folded away), What comes next, References."""
    text = "\n".join(cell.source for _, cell in markdown(notebook))
    headings = tuple(re.findall(r"^## +(.+?) *$", text, re.MULTILINE))
    complaints = []
    if headings[-len(CLOSING) :] != CLOSING:
        complaints.append(f"the last headings are {', '.join(headings[-4:])}; they should be {', '.join(CLOSING)}")
    explain = text.partition("\n## Explain it")[2].partition("\n## ")[0]
    answers = len(re.findall(r"<details>\s*<summary>Model answer</summary>", explain))
    if not 2 <= answers <= 4 or explain.count("</details>") != answers:
        complaints.append(f"'Explain it' has {answers} folded model answers; it should have two to four")
    if not text.partition("\n## References")[2].strip():
        complaints.append("there are no references")
    return complaints


def links_lead_somewhere(notebook: NotebookNode, folder: Path = ROOT / "notebooks") -> list[str]:
    """Every relative link of the page is a file of the course; a link to a heading is one of this page."""
    text = "\n".join(cell.source for _, cell in markdown(notebook))
    headings = {heading.strip().replace(" ", "-") for heading in re.findall(r"^#+ +(.+)$", text, re.MULTILINE)}
    complaints = []
    for number, cell in markdown(notebook):
        prose = FENCED.sub("", cell.source)
        for target in re.findall(r"\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"", prose):
            link = "".join(target)
            if re.match(r"[a-z]+:", link):
                continue
            file, _, heading = link.partition("#")
            if file and not (folder / file).exists():
                complaints.append(f"cell {number} links to {link}, which does not exist")
            elif not file and heading not in headings:
                complaints.append(f"cell {number} links to the heading {heading!r}, which is not on the page")
    return complaints


def bold_is_a_definition(notebook: NotebookNode) -> list[str]:
    """What is set in bold is a term where it is defined, or belongs to the frame: labels, questions, traps.

    The glossary is made of it. That no term is defined twice or used too early is a question to all lessons together:
    `tools/reference_pages.py`.
    """
    return bold_complaints(page_of((number, cell.source) for number, cell in markdown(notebook)))


def formulas_are_named(notebook: NotebookNode) -> list[str]:
    """A displayed formula stands in a lesson, beside a sentence that says what it is."""
    return formula_complaints(page_of((number, cell.source) for number, cell in markdown(notebook)))


def exercises_are_whole(notebook: NotebookNode, known: dict[str, str]) -> list[str]:
    """Each exercise is a statement, a stub and a check, and is known to cnnlib; `known` maps its ids to titles.

    Ids count up from 1, and what is known but not on the page is a complaint too.
    """
    complaints = []
    stated = []
    for number, cell in markdown(notebook):
        for ident, title in re.findall(r"^### Exercise (\S+)(?: · (.+?))? *$", cell.source, re.MULTILINE):
            stated.append(ident)
            if not title:
                complaints.append(f"cell {number}: exercise {ident} has no title (### Exercise {ident} · Title)")
            elif ident in known and known[ident] != title:
                complaints.append(f"exercise {ident} is {title!r} on the page and {known[ident]!r} in cnnlib.exercises")
            complaints += _stub_and_check(ident, notebook.cells[number:])
    checked = CHECK.findall("\n".join(cell.source for _, cell in code_cells(notebook)))
    if checked != stated:
        complaints.append(f"the page states the exercises {stated} and checks {checked}")
    if sorted(known) != sorted(stated):
        complaints.append(f"the page states the exercises {stated}; cnnlib.exercises knows {sorted(known)}")
    expected = [f"{_number(notebook)}.{i}" for i in range(1, len(stated) + 1)]
    if stated != expected:
        complaints.append(f"the exercises are numbered {stated}, not {expected}")
    return complaints


def _stub_and_check(ident: str, following: list[NotebookNode]) -> list[str]:
    """What is amiss between the statement of an exercise and the next heading."""
    stub = False
    for cell in following:
        if cell.cell_type == "markdown" and re.search(r"^#+ ", cell.source, re.MULTILINE):
            break
        if cell.cell_type == "code" and ident in CHECK.findall(cell.source):
            return [] if stub else [f"exercise {ident} has no '...' to replace before its check"]
        stub = stub or (cell.cell_type == "code" and re.search(r"^\s*(\S+ = )?\.\.\.$", cell.source, re.MULTILINE))
    return [f'exercise {ident} has no cell that calls exercise("{ident}").check before the next heading']


def _number(notebook: NotebookNode) -> str:
    match = re.match(rf"# ({NUMBER})\b", notebook.cells[0].source)
    return match.group(1) if match else "??"


def answers_are_cut(notebook: NotebookNode) -> list[str]:
    """Nothing of an answer, and no marker of one, is left."""
    return [
        f"cell {number} holds a marker of an answer"
        for number, cell in enumerate(notebook.cells, start=1)
        if re.search(r"#\s*(BEGIN|END) SOLUTION", cell.source)
    ]


def exercises_are_open(notebook: NotebookNode) -> list[str]:
    """A learner who opens the page finds every exercise unanswered: neither right nor wrong nor crashed."""
    complaints = []
    for number, cell in code_cells(notebook):
        said = " ".join(text for output in cell.outputs for text in texts(output))
        for ident in CHECK.findall(cell.source):
            if not re.search(rf"Not attempted.*{re.escape(ident)}", said):
                complaints.append(f"cell {number}: exercise {ident} is stored as {said[:80]!r}, not as not attempted")
    return complaints


def only_times_are_ignored(notebook: NotebookNode) -> list[str]:
    """Outputs are left uncompared only where time is measured, and nothing else of nbval is switched off."""
    complaints = []
    for number, cell in enumerate(notebook.cells, start=1):
        tags = {tag for tag in cell.metadata.get("tags", []) if tag not in SLIDES}
        if tags - {IGNORED}:
            complaints.append(f"cell {number} has the tags {sorted(tags - {IGNORED})}")
        if cell.cell_type != "code":
            continue
        if re.search(r"^\s*#+\s*(PYTEST_VALIDATE|NBVAL_)", cell.source, re.MULTILINE):
            complaints.append(f"cell {number} switches nbval off in a comment")
        if IGNORED in tags and not TIMING.search(cell.source):
            complaints.append(f"cell {number} is tagged {IGNORED} and measures no time")
    return complaints


def house_numbers(notebook: NotebookNode) -> list[str]:
    """Cells short enough to read, and prose that leads. Code that is collapsed does not count.

    A revised lesson is held to the house numbers, the others to loose bounds around them.
    """
    visible = [cell.source for _, cell in code_cells(notebook) if not is_hidden(cell)]
    lengths = [_lines(source) for source in visible]
    words = sum(len(cell.source.split()) for _, cell in markdown(notebook))
    total = sum(lengths)
    if is_revised(notebook):
        # A cell that only asks for a prediction is no code to read.
        middle = statistics.median([_lines(source) for source in visible if not ASKED.match(source)] or [0])
        cells, lines, median = LEAN_CELLS, LEAN_LINES, LEAN_MEDIAN
    else:
        middle = statistics.median(lengths or [1])
        cells, lines, median = CELLS, CODE_LINES, (1, MEDIAN_CELL)
    complaints = _outside("cells", len(notebook.cells), *cells) + _outside("lines of code", total, *lines)
    if len(lengths) > 1:
        complaints += _outside("lines in the median code cell", middle, *median)
        long = statistics.quantiles(lengths, n=10, method="inclusive")[-1]
        complaints += _outside("lines in the 90th percentile of code cells", long, 1, LONG_CELL)
    if total:
        complaints += _outside("words of prose per line of code", words / total, *WORDS_PER_LINE)
    return complaints


def _lines(source: str) -> int:
    """Lines of code: neither empty nor only a comment."""
    return sum(1 for line in source.splitlines() if line.strip() and not line.strip().startswith("#"))


def _outside(what: str, value: float, low: float, high: float) -> list[str]:
    return [] if low <= value <= high else [f"{value:.3g} {what}: the bounds are {low:g} to {high:g}"]


MADE: tuple[Callable[[NotebookNode], list[str]], ...] = (
    figures_stand_beside_claims,
    opens_well,
    parts_are_sittings,
    parts_are_whole,
    predictions_are_whole,
    exercises_say_what_to_expect,
    closes_well,
    links_lead_somewhere,
    bold_is_a_definition,
    formulas_are_named,
    answers_are_cut,
    exercises_are_open,
    only_times_are_ignored,
    house_numbers,
)
