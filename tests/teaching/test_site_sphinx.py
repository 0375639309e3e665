"""Settings of Sphinx, on a site of two pages: buttons that open a lesson; formulas, outputs and links in a page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}

pytestmark = pytest.mark.slow


@pytest.fixture
def page(tmp_path):
    """Build a site with a lesson; its page as text."""
    pytest.importorskip("sphinx_book_theme", reason="Sphinx and its theme are in the extra site: make sitetest")

    def build(**settings):
        source = tmp_path / "pages"
        for name in ("notebooks", "_static"):
            (source / name).mkdir(parents=True)
        index = "# Course\n\n```{toctree}\nnotebooks/01_a\n```\n"
        (source / "index.md").write_text(index, encoding="utf-8")
        output = new_output("display_data", data={"text/html": '<img alt="a line" src="../_static/a.png">'})
        cells = [
            new_markdown_cell(
                '# 01 · A\n\n$$y = x^2$$\n\n<span id="at-here"></span>\n\n## Here\n\n[on](./../index.html#x)'
            ),
            new_code_cell("raise ValueError('never run')", outputs=[output], metadata={"tags": ["hide-input"]}),
        ]
        nbformat.write(new_notebook(cells=cells, metadata=KERNEL), source / "notebooks" / "01_a.ipynb")
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", str(ROOT / "teaching" / "website")]
        done = subprocess.run(
            [*command, str(source), str(tmp_path / "out")],
            env=os.environ | {"SITE_STATIC": str(source / "_static")} | settings,
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return (tmp_path / "out" / "notebooks" / "01_a.html").read_text(encoding="utf-8")

    return build


def test_without_an_address_a_lesson_can_be_downloaded_and_nothing_else(page):
    text = page(SITE_ADDRESS="", SITE_HUB="")
    assert "_sources/notebooks/01_a.ipynb" in text
    for word in ("mybinder", "colab", "git-pull", "github.com/me"):
        assert word not in text
    assert "\\[y = x^2\\]" in text
    assert '<img alt="a line" src="../_static/a.png">' in text
    assert 'id="at-here"' in text
    assert 'href="./../index.html#x"' in text
    assert re.search(r"<details[^>]*>\s*<summary", text)
    assert "_static/mathjax/tex-chtml.js" in text


def test_one_address_gives_every_button(page):
    text = page(SITE_ADDRESS="https://github.com/me/course", SITE_HUB="https://hub.school.example")
    assert "https://mybinder.org/v2/gh/me/course/main?urlpath=lab/tree/notebooks/01_a.ipynb" in text
    assert "https://colab.research.google.com/github/me/course/blob/main/notebooks/01_a.ipynb" in text
    assert "https://hub.school.example/hub/user-redirect/git-pull?" in text
    assert "_sources/notebooks/01_a.ipynb" in text
