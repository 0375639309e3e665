"""What a lesson is made of, and the page of progress."""

import subprocess
import sys

import pytest

from cnnlib.exercises import catalogue, journal, outline, page, predict, progress, reveal

LESSON = """# %% [markdown]
# # 03 · Small things
#
# ## Part 1 · The first <part>

# %%
predict("03.a", "How many?")

# %%
exercise("03.1").check(first)

# %% [markdown]
# ## Part 2 · The second part

# %%
predict("03.b", "Which?", choices=["one", "two"])
exercise("03.2").check(second)

# %% [markdown]
# ## Explain it
#
# **Why is
# that so?**
#
# <details><summary>Model answer</summary>
#
# Because of *this*.
#
# </details>
#
# **And what follows?**
#
# <details><summary>Model answer</summary>
#
# Nothing.
#
# </details>
#
# ## References
#
# **No question**, and no answer.
"""


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A course of one lesson with two parts."""
    path = tmp_path / "03_small.py"
    path.write_text(LESSON, encoding="utf-8")
    monkeypatch.setattr(outline, "lessons", lambda: {"03": path})
    monkeypatch.setattr(catalogue, "listed", lambda: {"03.1": "One <b>", "03.2": "Two", "03.3": "Not in the lesson"})
    return path


def test_the_outline_of_a_lesson(lesson):
    assert outline.title(lesson) == "Small things"
    assert outline.parts(lesson) == [
        outline.Part("Part 1 · The first <part>", ("03.1",), ("03.a",)),
        outline.Part("Part 2 · The second part", ("03.2",), ("03.b",)),
    ]
    assert outline.predictions(lesson) == ["03.a", "03.b"]
    assert outline.questions("03", lesson) == [
        outline.Question("03 · 1", "Why is that so?", "Because of *this*."),
        outline.Question("03 · 2", "And what follows?", "Nothing."),
    ]


def test_a_lesson_without_parts_is_one(tmp_path):
    path = tmp_path / "04_plain.py"
    path.write_text('# %%\nexercise("04.1").check(x)\n', encoding="utf-8")
    assert outline.title(path) == ""
    assert outline.parts(path) == [outline.Part("", ("04.1",), ())]
    assert outline.questions("04", path) == []


def test_every_lesson_of_this_course_has_a_title_questions_and_its_exercises():
    known = catalogue.listed()
    for number, path in outline.lessons().items():
        assert outline.title(path)
        assert 2 <= len(outline.questions(number, path)) <= 6
        told = [id for part in outline.parts(path) for id in part.exercises]
        assert told == [id for id in known if id.split(".")[0] == number]


def test_the_page_shows_what_was_done_by_part(lesson, file, tmp_path):
    journal.note_attempt("03.1", True)
    journal.note_attempt("03.2", False)
    predict("03.a", "How many?", 12)
    reveal("03.a", 30)
    predict("03.b", "Which?", "one", choices=["one", "two"])
    path = page.write_page(tmp_path / "deep" / "page.html")
    text = path.read_text(encoding="utf-8")
    first, second, third = text.split("<tr><th scope=")[2:]
    assert "The first &lt;part&gt;" in first
    assert 'aria-label="solved">✔</span> 03.1 One &lt;b&gt; <small>(on ' in first
    assert "◇</span> 03.a How many? <small>(you predicted 12, it was 30)" in first
    assert 'aria-label="tried, not solved yet">✘</span> 03.2 Two <small>(1 attempt)' in second
    assert "◈</span> 03.b Which? <small>(you predicted one)" in second
    assert "the whole lesson" in third
    assert "03.3 Not in the lesson" in third
    assert "<script" not in text
    assert '<span class="marks" aria-hidden="true">' in text
    assert page.write_page(path) == path, "its own page is written anew"


def test_a_file_of_somebody_else_is_left_alone(lesson, tmp_path):
    path = tmp_path / "mine.html"
    path.write_text("my own page", encoding="utf-8")
    with pytest.raises(FileExistsError, match="is not a page of progress: name another file"):
        page.write_page(path)
    assert path.read_text(encoding="utf-8") == "my own page"


def test_the_command_line_writes_the_page(file, tmp_path):
    journal.note_attempt("01.1", True)
    command = [sys.executable, "-m", "cnnlib.exercises", "progress", "--page"]
    path = tmp_path / "page.html"
    run = subprocess.run([*command, path], capture_output=True, encoding="utf-8", timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(repr(progress()))
    assert "✔" in path.read_text(encoding="utf-8")
    path.write_text("mine", encoding="utf-8")
    run = subprocess.run([*command, path], capture_output=True, encoding="utf-8", timeout=120)
    assert run.returncode == 1
    assert "The page was not written" in run.stderr
