"""tools/build.py and what it stands on, with a small lesson that needs no Keras."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import _execute
import build
import nbformat
import pytest
from _checks import STORED
from _lessons import choose, lessons
from sample_lesson import SETUP, SOMEBODYS, sample

# The sample lesson without Keras.
QUICK = (SETUP, "import math")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sample lesson, built once: (lesson, bytes of its notebook)."""
    lesson = sample(tmp_path_factory.mktemp("course"), QUICK)
    assert build.main(["--lesson", "90"], lesson.root) == 0
    return lesson, lesson.path.read_bytes()


@pytest.fixture
def notebook(built):
    """A fresh copy of the built notebook."""
    return nbformat.reads(built[1].decode("utf-8"), as_version=4)


def test_answers_are_cut_and_stubs_left(notebook):
    sources = "\n".join(cell.source for cell in notebook.cells)
    assert "return a if a > b" not in sources
    assert "SOLUTION" not in sources
    stub = next(cell.source for cell in notebook.cells if cell.source.startswith("def larger"))
    assert stub == 'def larger(a: float, b: float) -> float:\n    """The larger one of a and b."""\n    ...'
    assert "answer = ..." in [cell.source for cell in notebook.cells]


def test_outputs_are_stored_in_order(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert code[1].outputs[0].data["text/plain"] == "5"
    assert [complaint for check in STORED for complaint in check(notebook)] == []


def test_a_second_build_changes_nothing_but_measured_times(built):
    lesson, first = built
    assert build.main(["--lesson", "90"], lesson.root) == 0
    second = lesson.path.read_bytes()

    def untimed(content):
        return re.sub(r"≈ [\d.e-]+ s", "≈ TIME s", content.decode("utf-8"))

    assert untimed(first) == untimed(second)
    assert "≈ TIME s" in untimed(first)


def test_the_file_is_the_same_on_every_system(built):
    content = built[1]
    assert b"\r" not in content
    assert content.endswith(b"}\n")
    assert "✔".encode() in content, "text is stored as text, not as escapes"


def test_metadata_holds_no_more_than_it_must(notebook):
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.id for cell in notebook.cells][:2] == ["90-001", "90-002"]
    assert [dict(cell.metadata) for cell in notebook.cells if cell.metadata] == [{"tags": ["nbval-ignore-output"]}]


COLLAPSED = ("# %%\ntotal = 2 + 3", '# %% jupyter={"source_hidden": true}\ntotal = 2 + 3')


def test_a_collapsed_cell_stays_collapsed(tmp_path):
    lesson = sample(tmp_path, QUICK, COLLAPSED)
    build.build(lesson)
    cell = next(c for c in nbformat.read(lesson.path, 4).cells if c.source.startswith("total"))
    assert cell.metadata == {"jupyter": {"source_hidden": True}}
    assert build.out_of_step(lesson) is None
    opened = sample(tmp_path, QUICK)
    assert "-[code collapsed]\n+[code]\n" in build.out_of_step(opened)


def test_a_lesson_may_ask_for_nothing_else_of_jupyter(tmp_path):
    lesson = sample(tmp_path, ("# %%\ntotal = 2 + 3", '# %% jupyter={"outputs_hidden": true}\ntotal = 2 + 3'))
    with pytest.raises(ValueError, match="90_sums, cell 4: its metadata is jupyter={'outputs_hidden': True}"):
        lesson.notebook()


def test_streams_are_merged_and_their_order_kept(tmp_path):
    lines = "for i in range(3):\n    print(i, flush=True)\ndisplay(1)\nprint(3)"
    lesson = sample(tmp_path, QUICK, ('print("✔ the sum is 5")', lines))
    build.build(lesson)
    cell = next(c for c in nbformat.read(lesson.path, 4).cells if c.source.startswith("for i"))
    assert [(o.output_type, o.get("text")) for o in cell.outputs] == [
        ("stream", "0\n1\n2\n"),
        ("display_data", None),
        ("stream", "3\n"),
    ]


def test_the_kernel_sees_the_settings_of_the_build_only(tmp_path, monkeypatch):
    mine = {
        "CNNLIB_SEED": "5",
        "CNNLIB_PROFILE": "smoke",
        "KERAS_BACKEND": "jax",
        "MPLBACKEND": "x",
        "CNNLIB_PROGRESS": "p",
    }
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    ours = "('CNNLIB', 'KERAS', 'MPL', 'PYTHONH')"
    shown = f"import os\n{{k: v for k, v in os.environ.items() if k.startswith({ours})}}"
    run = build.run(sample(tmp_path, QUICK, ("total = 2 + 3\ntotal", shown)))
    cell = next(c for c in run.notebook.cells if c.source.startswith("import os"))
    settings = eval(cell.outputs[0].data["text/plain"])
    assert settings.pop("CNNLIB_PROGRESS") not in ("p", os.environ["CNNLIB_PROGRESS"])
    assert settings == {
        "CNNLIB_OFFLINE": "1",
        "CNNLIB_PROFILE": "cpu",
        "CNNLIB_STATIC": "1",
        "KERAS_BACKEND": "tensorflow",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
    }


def test_the_kernel_is_this_python(tmp_path):
    lesson = sample(tmp_path, QUICK, ("total = 2 + 3\ntotal", "import sys\nsys.executable"))
    run = build.run(lesson)
    cell = next(c for c in run.notebook.cells if c.source.startswith("import sys"))
    assert eval(cell.outputs[0].data["text/plain"]) == sys.executable


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("total = 2 + 3\ntotal", "total = 2 +\ntotal"), r"solutions/90_sums\.py:\d+: cell 4, line 1: SyntaxError"),
        (
            ("total = 2 + 3\ntotal", "def f(x):\n    return 1 / x\n\n\ntotal = f(0)"),
            r"solutions/90_sums\.py:\d+: cell 4, line 2: ZeroDivisionError: division by zero\n    return 1 / x",
        ),
        (
            ("total = 2 + 3", "import sys\nprint('careful', file=sys.stderr)\ntotal = 5"),
            "cell 4 stores stderr: 'careful'",
        ),
        (
            ("total = 2 + 3\ntotal", f"import math\nmath.__spec__.loader.__class__, '{SOMEBODYS}/x'"),
            "the absolute path",
        ),
        (("total = 2 + 3\ntotal", "object()"), "the memory address"),
        (("total = 2 + 3\ntotal", "print('x' * 1_200_000)"), "the limit is 1,000,000"),
        (('"text/plain": f"Figure: {ALT}"', '"text/plain": "<img>"'), "without alt text"),
        (("### END SOLUTION", "### THE END"), "FAILED.*without '### END SOLUTION'"),
    ],
)
def test_what_is_unfit_is_not_stored(tmp_path, capsys, change, complaint):
    lesson = sample(tmp_path, QUICK, change)
    assert build.main([], tmp_path) == 1
    said = capsys.readouterr().err
    assert re.search(complaint, said), said
    assert not lesson.path.exists()


def test_the_line_of_a_failure_is_that_of_the_source(tmp_path):
    lesson = sample(tmp_path, QUICK, ("total = 2 + 3", "total = 2\ntotal += nothing"))
    number = 1 + lesson.text().splitlines().index("total += nothing")
    assert build.failure(lesson, build.run(lesson)).startswith(
        f"solutions/90_sums.py:{number}: cell 4, line 2: NameError"
    )


def test_a_cell_that_hangs_and_a_kernel_that_dies_are_named(tmp_path):
    lesson = sample(tmp_path, QUICK, ("total = 2 + 3", "import time\ntime.sleep(60)"))
    run = build.run(lesson, timeout=2)
    assert "cell 4: Timeout: the cell ran for more than 2 s" in build.failure(lesson, run)
    lesson = sample(tmp_path, QUICK, ("total = 2 + 3", "import os\nos._exit(3)"))
    assert "cell 4: DeadKernel" in build.failure(lesson, build.run(lesson))


def test_a_failed_build_leaves_the_stored_notebook_alone(built, tmp_path, capsys):
    lesson = sample(tmp_path, QUICK, ("total = 2 + 3", "1 / 0"))
    lesson.path.parent.mkdir()
    lesson.path.write_bytes(built[1])
    assert build.main([], tmp_path) == 1
    assert lesson.path.read_bytes() == built[1]
    assert [path.name for path in lesson.path.parent.iterdir()] == ["90_sums.ipynb"], "no half-written file is left"


def test_the_answered_notebook(tmp_path):
    lesson = sample(tmp_path, QUICK)
    assert build.main(["--solutions"], tmp_path) == 0
    assert not lesson.path.exists()
    stored = nbformat.read(tmp_path / "build" / "solutions" / "90_sums.ipynb", as_version=4)
    outputs = {cell.source: cell.outputs for cell in stored.cells if cell.cell_type == "code"}
    assert outputs["larger(2, 3)"][0].data["text/plain"] == "3"
    assert outputs["answer"][0].data["text/plain"] == "42"
    assert "](../../README.md)" in stored.cells[0].source, "links lead one folder further up"


# --- --check ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def course(built, tmp_path):
    """A course of one lesson whose notebook is in step."""
    lesson = sample(tmp_path, QUICK)
    lesson.path.parent.mkdir()
    lesson.path.write_bytes(built[1])
    return lesson


def test_check_is_content_with_what_was_built(course, capsys):
    assert build.main(["--check"], course.root) == 0
    assert "1 notebooks are in step" in capsys.readouterr().out


def test_check_does_not_mind_other_outputs(course):
    notebook = nbformat.read(course.path, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, course.path)
    assert build.main(["--check"], course.root) == 0


@pytest.mark.parametrize(
    "change",
    [
        ("total = 2 + 3", "total = 3 + 2"),
        ("# - draw it", "# - draw it well"),
        (' tags=["nbval-ignore-output"]', ""),
        ("# %%\ntotal", "# %% [markdown]\ntotal"),
        ("# %%\nanswer\n", ""),
        ("# %%\nanswer\n", "# %%\nanswer\n\n# %%\nanswer\n"),
        ("answer = 42", "reply = 42"),
    ],
)
def test_check_sees_every_change_of_a_source(course, capsys, change):
    sample(course.root, QUICK, change)
    assert build.main(["--check"], course.root) == 1
    assert re.search(r"notebooks/90_sums.ipynb is out of step from cell \d+", capsys.readouterr().out)


def test_check_does_not_see_a_changed_answer_since_learners_do_not(course):
    sample(course.root, QUICK, ("a if a > b else b", "max(a, b)"))
    assert build.main(["--check"], course.root) == 0


def test_check_shows_the_difference_and_the_command(course, capsys):
    sample(course.root, QUICK, ("total = 2 + 3", "total = 3 + 2"))
    build.main(["--check"], course.root)
    said = capsys.readouterr().out
    assert "from cell 4 on" in said
    assert "python tools/build.py --lesson 90" in said
    assert "-total = 2 + 3" in said
    assert "+total = 3 + 2" in said


def test_check_sees_missing_orphaned_and_damaged_notebooks(course, capsys):
    content = course.path.read_bytes()
    course.path.rename(course.path.with_name("91_old.ipynb"))
    assert build.main(["--check"], course.root) == 1
    said = capsys.readouterr().out
    assert "notebooks/90_sums.ipynb is missing" in said
    assert "notebooks/91_old.ipynb has no source" in said
    course.path.with_name("91_old.ipynb").unlink()
    course.path.write_bytes(content[:1000])
    assert build.main(["--check"], course.root) == 1
    assert "90_sums.ipynb cannot be read" in capsys.readouterr().out


# --- the lessons as files --------------------------------------------------------------------------------------------


def test_lessons_are_found_by_number_and_name(tmp_path, capsys):
    lesson = sample(tmp_path)
    (tmp_path / "solutions" / "notes.py").touch()
    assert lessons(tmp_path) == [lesson]
    for word in ("90", "90_sums", "solutions/90_sums.py"):
        assert choose([word], tmp_path) == [lesson]
    assert build.main(["--lesson", "7"], tmp_path) == 1
    assert "there is no lesson '7'; there are: 90_sums" in capsys.readouterr().err


def test_the_opening_is_read(tmp_path):
    opening = sample(tmp_path).opening()
    assert (opening.number, opening.title, opening.question) == ("90", "Sums", "What does a sum cost?")
    assert opening.objectives == ("add two numbers", "say what a sum costs", "draw it")
    assert (opening.reading, opening.exercises) == (3, 5)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (("# # 90 · Sums", "# # Sums"), "title"),
        (("# **What does a sum cost?**", "# What does a sum cost?"), "question"),
        (("**Reading** 3 min", "**Reading** a little"), "Reading"),
        (("**Exercises** 5 min", ""), "Exercises"),
        (("**Before this**", "Before"), "Before this"),
        (("you can\n# - add", "you can\n# + add"), "objectives|list"),
        (("# When you have worked through this page you can\n", ""), "you can"),
    ],
)
def test_an_opening_that_lacks_something_says_what(tmp_path, change, missing):
    lesson = sample(tmp_path, change)
    if "+ add" in change[1]:
        lesson = sample(tmp_path, change, ("# - say what a sum costs\n# - draw it\n", ""))
    with pytest.raises(ValueError, match=missing):
        lesson.opening()


# --- running ---------------------------------------------------------------------------------------------------------


def test_seconds_and_memory_are_measured(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import time\nblock = bytearray(300_000_000)\ntime.sleep(1)\ndel block")]
    )
    with _execute.kernel_environment() as env:
        run = _execute.execute(notebook, tmp_path, env)
    assert 1 < run.seconds < 60
    assert 300 < run.peak_megabytes < 1000, "the peak counts, although the memory was given back"


def test_memory_of_child_processes_counts(tmp_path):
    child = "import time; block = bytearray(300_000_000); time.sleep(1.5)"
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(
                f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}]).returncode"
            )
        ]
    )
    with _execute.kernel_environment() as env:
        run = _execute.execute(notebook, tmp_path, env)
    assert run.failures == []
    assert run.peak_megabytes > 330


def test_with_keep_going_all_failures_are_found(tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in ("1 / 0", "x = 1", "assert x == 2, 'two'")]
    with _execute.kernel_environment() as env:
        run = _execute.execute(nbformat.v4.new_notebook(cells=cells), tmp_path, env, keep_going=True)
    assert [str(failure) for failure in run.failures] == [
        "cell 1, line 1: ZeroDivisionError: division by zero",
        "cell 3, line 1: AssertionError: two",
    ]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_an_interrupt_ends_the_tool_and_not_only_the_cell(tmp_path, kind):
    started = tmp_path / "started"
    lesson = sample(
        tmp_path, QUICK, ("total = 2 + 3", f"open({str(started)!r}, 'w').close()\nimport time\ntime.sleep(60)")
    )
    code = f"import build; from pathlib import Path; print('ended with', build.main([], Path({str(lesson.root)!r})))"
    tools = Path(build.__file__).parent
    tool = subprocess.Popen([sys.executable, "-c", code], cwd=tools, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not started.exists() and tool.poll() is None:
        time.sleep(0.1)
    tool.send_signal(kind)
    out, err = tool.communicate(timeout=30)
    assert tool.returncode != 0
    assert b"KeyboardInterrupt" in err
    assert b"ended with" not in out
    assert not lesson.path.exists()


def test_stored_notebooks_are_valid(built):
    nbformat.validate(json.loads(built[1]))


# --- what a build replaces ---


def save_as_jupyterlab_does(path, source="my_answer = 42"):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source = source
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1", "file_extension": ".py"}
    nbformat.write(notebook, path)


def test_a_learner_s_notebook_is_kept_when_a_build_replaces_it(notebook, tmp_path, capsys):
    path, folder = tmp_path / "90_sums.ipynb", tmp_path / "replaced"
    build.write(notebook, path)
    assert build.keep_work(path, notebook, folder) is None, "a notebook that was built is nobody's work"
    for number in (1, 2):
        save_as_jupyterlab_does(path, f"my_answer = {number}")
        copy = build.keep_work(path, notebook, folder)
        assert copy == folder / f"90_sums-{number}.ipynb"
        assert f"my_answer = {number}" in copy.read_text(encoding="utf-8")
        assert f"replaced/90_sums-{number}.ipynb" in capsys.readouterr().out
    path.write_text("{ cut short", encoding="utf-8")
    assert build.keep_work(path, notebook, folder).read_text(encoding="utf-8") == "{ cut short"
    path.unlink()
    assert build.keep_work(path, notebook, folder) is None


def test_a_build_asks_for_it(course):
    lesson = course
    save_as_jupyterlab_does(lesson.path)
    build.build(lesson)
    assert "my_answer" not in lesson.path.read_text(encoding="utf-8")
    (copy,) = (lesson.root / ".cnnlib" / "replaced").glob("*.ipynb")
    assert "my_answer = 42" in copy.read_text(encoding="utf-8")


# --- --text: new text beside old outputs ---

# The sample lesson without the cell whose output is another each time.
UNTIMED = (
    """# %% tags=["nbval-ignore-output"]
import time

start = time.perf_counter()
sum(range(1000))
print(f"≈ {time.perf_counter() - start:.2g} s")

""",
    "",
)
TEXT = (
    "# Adding is the first thing",
    "# New words.\n#\n# A paragraph, “quoted”.\n\n# %% [markdown]\n# A new cell.\n#\n# Adding is the first thing",
)


def test_new_text_gives_the_bytes_of_a_whole_build(tmp_path):
    lesson = sample(tmp_path, QUICK, UNTIMED)
    assert build.main([], tmp_path) == 0
    before = lesson.path.read_bytes()
    sample(tmp_path, QUICK, UNTIMED, TEXT)
    assert build.main(["--text"], tmp_path) == 0
    retexted = lesson.path.read_bytes()
    assert retexted != before
    assert build.main(["--check"], tmp_path) == 0
    assert build.main([], tmp_path) == 0
    assert lesson.path.read_bytes() == retexted


def test_new_text_keeps_every_output(course, capsys):
    outputs = [cell.outputs for cell in nbformat.read(course.path, 4).cells if cell.cell_type == "code"]
    sample(course.root, QUICK, TEXT, ("# ## Recap", "# A last word.\n#\n# ## Recap"))
    assert build.main(["--text"], course.root) == 0
    assert "new text, outputs kept" in capsys.readouterr().out
    notebook = nbformat.read(course.path, 4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code"] == outputs
    assert [cell.id for cell in notebook.cells] == [f"90-{n:03d}" for n in range(1, len(notebook.cells) + 1)]
    assert build.out_of_step(course) is None


def test_a_tag_that_is_about_slides_is_taken_in_as_text_is(course):
    sample(course.root, QUICK, ("# %%\ntotal = 2 + 3", '# %% tags=["slide-code"]\ntotal = 2 + 3'))
    assert "out of step" in build.out_of_step(course)
    before = [cell.get("outputs") for cell in nbformat.read(course.path, 4).cells]
    assert build.main(["--text"], course.root) == 0
    assert build.out_of_step(course) is None
    notebook = nbformat.read(course.path, 4)
    assert [cell.get("outputs") for cell in notebook.cells] == before
    assert [cell.metadata["tags"] for cell in notebook.cells if "slide-code" in cell.metadata.get("tags", [])]


def test_text_that_did_not_change_is_left_alone(course, capsys):
    before = course.path.read_bytes()
    assert build.main(["--text"], course.root) == 0
    assert course.path.read_bytes() == before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("total = 2 + 3", "total = 3 + 2"), r"cell 4 is not the code cell of solutions/90_sums.py:\d+"),
        ((' tags=["nbval-ignore-output"]', ""), "cell 5 is not the code cell"),
        (COLLAPSED, "cell 4 is not the code cell"),
        (("# %%\nanswer\n", ""), "has 9 code cells, its source 8"),
        (("# %%\nanswer\n", "# %%\nanswer\n\n# %%\n1\n"), "has 9 code cells, its source 10"),
        (("answer = 42", "reply = 42"), "is not the code cell"),
    ],
)
def test_text_is_refused_where_code_has_changed(course, capsys, change, complaint):
    before = course.path.read_bytes()
    sample(course.root, QUICK, TEXT, change)
    assert build.main(["--text"], course.root) == 1
    said = capsys.readouterr().err
    assert re.search(complaint, said), said
    assert "build it whole: python tools/build.py --lesson 90" in said
    assert course.path.read_bytes() == before


def test_text_is_refused_where_two_code_cells_have_changed_places(course, capsys):
    first, second = "# %%\nlarger(2, 3)\n", "# %%\nanswer\n"
    sample(course.root, QUICK, (first, "# %%\nHERE\n"), (second, first), ("# %%\nHERE\n", second))
    assert build.main(["--text"], course.root) == 1
    assert "is not the code cell of" in capsys.readouterr().err


def test_text_is_refused_where_code_in_it_has_changed(course, capsys):
    fenced = "# Adding is\n#\n# ```python\n# 1 + 1\n# ```\n#\n# "
    sample(course.root, QUICK, ("# Adding is ", fenced))
    assert build.main(["--text"], course.root) == 1
    assert "code that stands in the text has changed" in capsys.readouterr().err


def test_text_is_refused_for_a_notebook_that_was_not_built(course, capsys):
    sample(course.root, QUICK, TEXT)
    save_as_jupyterlab_does(course.path)
    assert build.main(["--text"], course.root) == 1
    assert "was saved by somebody since it was built" in capsys.readouterr().err
    course.path.write_text("{ cut short", encoding="utf-8")
    assert build.main(["--text"], course.root) == 1
    assert "cannot be read" in capsys.readouterr().err
    course.path.unlink()
    assert build.main(["--text"], course.root) == 1
    assert "90_sums.ipynb is missing: build it whole" in capsys.readouterr().err
