"""A figure's alternative text reaches the reader: of JupyterLab, of nbconvert's pages and slides, of the site.

GitHub's page is made by GitHub. It shows the HTML of an output as the templates `basic` and `classic` of nbconvert do,
without scripts and styles; what is tested is that nothing else is needed.
"""

import html.parser
import os
import socket
import subprocess
import sys

import nbformat
import pytest
from browser import browser, programs
from nbformat.v4 import new_code_cell, new_notebook, new_output

from cnnlib import plotting
from cnnlib.plotting import core

ALT = 'Two lines: "a" rises to ≈ 0.9, b stays < 0.2 & flat'


@pytest.fixture(scope="module")
def notebook():
    """A notebook as a lesson is stored: one cell that shows two figures."""
    outputs = []
    for alt in (ALT, "one line that falls"):
        fig, ax = plotting.figure(3, 2)
        ax.plot([0, 1])
        data = {"text/html": core.image_html(core.png(fig), alt), "text/plain": f"Figure: {alt}"}
        outputs.append(new_output("display_data", data=data))
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return new_notebook(cells=[new_code_cell("draw()", outputs=outputs, execution_count=1)], metadata=kernel)


class Images(html.parser.HTMLParser):
    def __init__(self, page: str):
        super().__init__()
        self.alts = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alts.append(dict(attributes).get("alt"))


@pytest.mark.parametrize("template", ["lab", "classic", "basic", "reveal"])
def test_pages_and_slides_of_nbconvert(notebook, template, caplog):
    nbconvert = pytest.importorskip("nbconvert", reason="nbconvert comes with JupyterLab (extra lab)")
    exporter = nbconvert.SlidesExporter() if template == "reveal" else nbconvert.HTMLExporter(template_name=template)
    page, _ = exporter.from_notebook_node(notebook)
    assert Images(page).alts == [ALT, "one line that falls"]
    assert "Alternative text is missing" not in caplog.text


def test_page_of_sphinx(notebook, tmp_path):
    pytest.importorskip("myst_nb", reason="myst-nb is in the extra site")
    (tmp_path / "conf.py").write_text(
        'extensions = ["myst_nb"]\nnb_execution_mode = "off"\nhtml_theme = "basic"\n', encoding="utf-8"
    )
    nbformat.write(notebook, tmp_path / "index.ipynb")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(tmp_path), str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert Images((tmp_path / "out" / "index.html").read_text(encoding="utf-8")).alts == [ALT, "one line that falls"]


@pytest.mark.slow
@pytest.mark.skipif(programs() is None, reason="needs chromedriver and a browser that it drives")
def test_jupyterlab_shows_it_in_a_notebook_that_is_not_trusted(notebook, tmp_path):
    pytest.importorskip("jupyterlab", reason="JupyterLab is in the extra lab")
    nbformat.write(notebook, tmp_path / "page.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    flags = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", "--ServerApp.token=abc"]
    flags += [f"--ServerApp.root_dir={tmp_path}", f"--LabApp.workspaces_dir={tmp_path / 'workspaces'}"]
    with open(tmp_path / "log", "wb") as log:
        lab = subprocess.Popen([sys.executable, "-m", "jupyterlab", *flags], env=os.environ | own, stderr=log)
    try:
        with browser(tmp_path) as page:
            # The server answers once its log says so; until then the connection is refused.
            log = tmp_path / "log"
            page.wait(lambda: b"is running at" in log.read_bytes(), "JupyterLab does not start")
            page.open(f"http://127.0.0.1:{port}/doc/tree/page.ipynb?token=abc")
            found = "return [...document.querySelectorAll('.jp-OutputArea img')].map(e => [e.alt, e.naturalWidth])"
            page.wait(lambda: len(page.run(found)) == 2, "there are not two figures")
            assert page.run(found) == [[ALT, 300], ["one line that falls", 300]]
    finally:
        lab.kill()  # at once: an orderly end waits for a kernel that nobody needs; the kernel ends by itself
        lab.wait(30)
