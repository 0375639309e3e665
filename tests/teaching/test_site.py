"""The site's own code: links, anchors, pictures, explorers, and what it refuses. Needs no Sphinx and no browser."""

import base64
import io
import json
import re
import types

import build_site
import ipywidgets
import numpy as np
import pytest
from _lessons import ROOT, lessons
from PIL import Image
from website import check, explorers, pages

from cnnlib import plotting

PAGES = {
    "notebooks/01_a.ipynb": "notebooks/01_a.ipynb",
    "docs/glossary.md": "docs/glossary.md",
    "README.md": "index.md",
}


@pytest.fixture
def links(tmp_path):
    for name in (*PAGES, "docs/figure.png", "cnnlib/trace.py", "data/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('<a id="grad-cam"></a>\n<a id="grad-cam++"></a>\n' if "glossary" in name else "")
    return pages.Links(tmp_path, PAGES | {"data/README.md": "data/README.md"})


def png(width=3, height=2):
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


# --- links and anchors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("[a](../notebooks/01_a.ipynb)", "[a](./../notebooks/01_a.html)"),
        ("[a](../notebooks/01_a.ipynb#Part-1-·-A-window)", "[a](./../notebooks/01_a.html#at-part1awindow)"),
        ("[a](../notebooks/01_a.ipynb#cell-id=01-009)", "[a](./../notebooks/01_a.html#at-01009)"),
        ("[`a`](../notebooks/01_a.ipynb)", "[`a`](./../notebooks/01_a.html)"),
        ("[b](#channel)", "[b](./glossary.html#at-channel)"),
        ("[b](#grad-cam)", "[b](./glossary.html#id-grad-cam)"),
        ("[b](#grad-cam++)", "[b](./glossary.html#id-grad-cam++)"),
        ("[map](../README.md#the-course)", "[map](./../index.html)"),
        ("[data](../data)", "[data](./../data/README.html)"),
        ("[t](../cnnlib/trace.py)", "t"),
        ("[out](https://keras.io/)", "[out](https://keras.io/)"),
        ("![f](figure.png)", "![f](figure.png)"),
        ("`[a](b)` and\n```\n[a](b)\n```\n", "`[a](b)` and\n```\n[a](b)\n```\n"),
        ("[see [1]](../cnnlib/trace.py)", "see [1]"),
    ],
)
def test_links_of_the_checkout_become_links_of_the_site(links, given, made):
    assert links.mend(given, "docs/glossary.md") == made


def test_a_file_that_is_no_page_is_linked_where_the_repository_is(links):
    links.address = "https://github.com/me/course"
    made = links.mend("[t](../cnnlib/trace.py)", "docs/glossary.md")
    assert made == "[t](https://github.com/me/course/blob/main/cnnlib/trace.py)"


@pytest.mark.parametrize("given", ["[a](../nowhere.md)", "![a](none.png)"])
def test_a_dead_link_is_refused(links, given):
    with pytest.raises(pages.PageError, match="docs/glossary.md"):
        links.mend(given, "docs/glossary.md")


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("Part 1 · A window that slides", "Part-1-·-A-window-that-slides"),
        ("Part 1 · A window that slides", "part-1--a-window-that-slides"),
        ("What `same` and `valid` mean", "What-same-and-valid-mean"),
        ("What would please it most?", "What-would-please-it-most%3F"),
        ("[Cards](x.md) of 1x1", "Cards-of-1x1"),
        ("mobilenetv2_imagenet.npz", "mobilenetv2_imagenetnpz"),
    ],
)
def test_a_heading_is_found_whoever_made_the_fragment(heading, fragment):
    assert pages.anchor(heading) == pages.anchor(fragment)


def test_only_what_is_linked_to_gets_an_anchor():
    text = '# Title\n\n<a id="a-b"></a>\n\n' + "## One\n\ntext\n\n```\n## Two\n```\n\n## Two\n"
    made, there = pages.with_anchors(text, {"at-two": "x", "at-01001": "x"}, "at-01001")
    assert there == {"at-two", "at-01001", "id-a-b"}
    assert made.startswith('# Title\n\n<span id="at-01001"></span>')
    assert made.count("<span") == 3
    assert made.endswith('<span id="at-two"></span>\n\n## Two\n')


# --- lessons ----------------------------------------------------------------------------------------------------------


def test_pictures_become_files_and_keep_their_texts(tmp_path):
    markup = f'<img class="x" alt="two lines &amp; a dot" src="data:image/png;base64,{png()}">'
    made = pages.pictures_out(markup, tmp_path, "../figures", "01")
    (file,) = tmp_path.iterdir()
    assert f'src="../figures/{file.name}"' in made
    assert 'alt="two lines &amp; a dot"' in made
    assert 'width="3" height="2"' in made
    assert Image.open(file).size == (3, 2)


@pytest.mark.parametrize("alt", ["", 'alt="" '])
def test_a_picture_without_a_text_is_refused(tmp_path, alt):
    with pytest.raises(pages.PageError, match="lesson 01"):
        pages.pictures_out(f'<img {alt}src="data:image/png;base64,{png()}">', tmp_path, "x", "lesson 01")


def test_answers_are_refused():
    cell = {"cell_type": "code", "source": ["x = 1\n", "### BEGIN SOLUTION\n", "y = 2\n", "### END SOLUTION"]}
    with pytest.raises(pages.PageError, match="01_a, cell 1: an answer"):
        pages.learner_notebook({"cells": [cell]}, "01_a")


def test_the_notebooks_of_the_course_have_no_answers():
    for lesson in lessons():
        pages.learner_notebook(json.loads(lesson.path.read_text(encoding="utf-8")), lesson.name)


def test_a_page_shows_outputs_without_widgets_and_collapses_what_is_hidden(links, tmp_path):
    data = {
        "text/html": f'<img alt="a" src="data:image/png;base64,{png()}">',
        "text/plain": "Figure: a",
        "application/vnd.jupyter.widget-view+json": {},
    }
    hidden = {"cell_type": "code", "metadata": {"jupyter": {"source_hidden": True}}, "source": "x"}
    other = {"text/html": f'<img alt="another" src="data:image/png;base64,{png()}">'}
    outputs = [{"output_type": "display_data", "data": each} for each in (other, data)]
    notebook = {"cells": [hidden | {"outputs": outputs}]}
    lesson = types.SimpleNamespace(name="01_a", number="01")
    control = {"name": "kernel", "kind": "box", "labels": ["no", "yes"], "start": 1}
    explorer = {"cell": 1, "controls": [control], "texts": ["b", "a"], "frames": [(0, 0), (1, 1)]}
    made = pages.lesson_page(notebook, lesson, links, tmp_path / "figures", [explorer])
    (cell,) = made["cells"]
    assert cell["metadata"] == {"tags": ["hide-input"]}
    assert set(cell["outputs"][1]["data"]) == {"text/html"}
    assert ['data-name="01-1"' in each["data"]["text/html"] for each in cell["outputs"]] == [False, True]
    with pytest.raises(pages.PageError, match="0 stored pictures"):
        pages.lesson_page(
            {"cells": [{"cell_type": "code", "metadata": {}, "source": "x", "outputs": []}]},
            lesson, links, tmp_path, [explorer],
        )  # fmt: skip


# --- pages that are made ----------------------------------------------------------------------------------------------


def test_every_lesson_is_in_one_part():
    named = [number for _, numbers in pages.PARTS for number in numbers]
    assert sorted(named) == sorted(lesson.number for lesson in lessons())


def test_every_exercise_is_in_the_index_with_its_minutes():
    found = {id: spent for lesson in lessons() for id, _, dots, spent in pages.exercises_of(lesson)}
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "solutions").glob("[0-9A-Z]*_*.py"))
    assert set(found) == set(re.findall(r"### Exercise (\w+\.\d+) ·", text))
    assert len(found) > 100
    assert found["01.1"] == 10


def test_the_api_shows_every_public_module_and_no_checks():
    made = pages.api_pages(ROOT / "cnnlib")
    text = "\n".join(made.values())
    assert ".. automodule:: cnnlib.detection.boxes\n   :members:" in text
    assert ".. automodule:: cnnlib.arithmetic\n   :members:" in text
    assert "cnnlib.checks" not in text
    assert "cnnlib.broken.causes" not in text


# --- explorers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slider", "kind", "labels", "start"),
    [
        ((1, 4, 1, 2), "range", ["1", "2", "3", "4"], 1),
        ((0.0, 1.0, 0.5), "range", ["0", "0.5", "1"], 0),
        (True, "box", ["no", "yes"], 1),
        (["b", "a"], "menu", ["b", "a"], 0),
        ({"one": 1, "two": 2}, "menu", ["one", "two"], 0),
    ],
)
def test_what_the_page_knows_of_a_slider(slider, kind, labels, start):
    made = explorers.control("most_overlap", slider)
    assert (made["name"], made["kind"], made["labels"], made["start"]) == ("most overlap", kind, labels, start)


def test_a_widget_with_options_is_a_slider_and_any_other_is_refused():
    made = explorers.control("rate", ipywidgets.SelectionSlider(options=[("0.1", 0.1), ("1", 1.0)], value=1.0))
    assert (made["labels"], made["values"], made["start"]) == (["0.1", "1"], [0.1, 1.0], 1)
    with pytest.raises(ValueError, match="rate="):
        explorers.control("rate", ipywidgets.FloatSlider())


@pytest.mark.parametrize(("count", "start", "most"), [(101, 50, 8), (19, 5, 10), (101, 0, 3), (101, 100, 3)])
def test_places_are_spread_and_the_start_is_among_them(count, start, most):
    made = explorers.stops(count, start, most)
    assert len(made) == most
    assert {0, start, count - 1} <= set(made)


def test_frames_are_drawn_once_and_in_order(tmp_path):
    def draw(kernel, bold):
        if kernel == 3:
            raise ValueError("too large")
        fig, ax = plotting.figure(2, 1)
        ax.plot([0, kernel])
        return fig

    alt = lambda kernel, bold: f"kernel {kernel}"  # noqa: E731
    made = explorers.frames(draw, alt, {"kernel": (1, 3), "bold": True}, tmp_path)
    assert [pictures for pictures, _ in made["frames"]] == [0, 0, 1, 1, -1, -1]
    assert made["texts"] == ["kernel 1", "kernel 2", "These values have no figure: too large"]
    assert sorted(made["pictures"]) == sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ValueError, match="more than 2000"):
        explorers.frames(draw, alt, dict.fromkeys("abcd", (1, 10)), tmp_path)


def test_the_lessons_that_have_explorers_are_found_with_what_they_need():
    assert explorers.lessons_with_explorers() == ["01", "02", "03", "11", "12"]
    chosen = explorers.needed(explorers.cells("01"))
    assert "import" in chosen[0][1]
    assert explorers.has_explorer(chosen[-1][1])
    assert len(chosen) < 8
    assert not explorers.has_explorer("def rate_explorer(): pass\nexplored = 1")


def test_an_explorer_is_recorded_as_the_lesson_opens_it(tmp_path, monkeypatch):
    code = [(2, "import numpy as np\nfrom cnnlib import plotting"), (4, "grey = np.zeros((4, 4))"), (6, "1 / 0")]
    opens = "plotting.explore(lambda kernel: plotting.figure(1, 1)[0], alt='seen', kernel=(1, 2))\nnot_defined"
    monkeypatch.setattr(explorers, "cells", lambda lesson: [*code, (8, opens + "(grey)")])
    (made,) = explorers.record("07", tmp_path, lambda text: None)
    assert (made["cell"], len(made["frames"]), made["texts"]) == (8, 2, ["seen"])
    monkeypatch.setattr(explorers, "cells", lambda lesson: [*code, (8, "def explore(): pass\nexplore()")])
    with pytest.raises(ValueError, match="cell 8 opens no explorer"):
        explorers.record("07", tmp_path, lambda text: None)
    assert plotting.explore.__module__ == "cnnlib.plotting.explorer"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["github.com/me/course", "https://github.com/me", "https://a.b/c/d e", "ftp://a/b/c"]
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(build_site.SiteError, match="expected something like"):
        build_site.checked(address, "the address", build_site._ADDRESS)


def test_an_address_loses_its_ending():
    checked = [
        build_site.checked(each, "it", build_site._ADDRESS) for each in ("", "https://github.com/me/c.git", None)
    ]
    assert checked == ["", "https://github.com/me/c", ""]


def test_where_sphinx_is_missing_the_command_says_so(capsys, monkeypatch):
    monkeypatch.setattr(build_site, "NEEDED", ("sphinx_that_is_not_there",))
    assert build_site.main([]) == 1
    assert "make site" in capsys.readouterr().err


def test_frames_are_drawn_again_when_the_lesson_changes(tmp_path, monkeypatch):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "cnnlib").mkdir()
    lesson = tmp_path / "solutions" / "01_a.py"
    lesson.write_text("a")
    monkeypatch.setattr(build_site, "ROOT", tmp_path)
    before = build_site.fingerprint("01")
    assert build_site.fingerprint("01") == before
    lesson.write_text("b")
    assert build_site.fingerprint("01") != before


# --- the check of what was built --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        ('<a href="b.html">', "leads to no file"),
        ('<a href="#nowhere">', "leads to no place"),
        ('<a href="/a.html">', "root of its host"),
        ('<script src="https://cdn.example/x.js"></script>', "from afar"),
        ('<img alt="x" src="none.png">', "loads what is not there"),
        ('<img src="data:image/png;base64,AA">', "without alt"),
        ('<p id="x"></p><p id="x"></p>', "twice"),
    ],
)
def test_faults_of_a_site_are_found(tmp_path, markup, fault):
    (tmp_path / "a.html").write_text(markup)
    (said,) = check.faults(tmp_path)
    assert said.startswith("a.html: ")
    assert fault in said


def test_a_sound_site_has_no_faults(tmp_path):
    (tmp_path / "a.html").write_text('<p id="x"><a href="sub/b.html#y">b</a><a href="https://keras.io/">k</a>')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.html").write_text('<p id="y"><a href="../a.html#x">a</a><img alt="" src="c.png">')
    (tmp_path / "sub" / "c.png").write_bytes(np.zeros(3, "uint8").tobytes())
    assert check.faults(tmp_path) == []
