"""Predictions in JupyterLab itself, driven in a real browser: field, buttons, keyboard, and what is saved."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import browser as browsers
import nbformat
import pytest

for package in ("jupyterlab", "ipywidgets", "httpx"):
    pytest.importorskip(package, reason="JupyterLab is an extra: pip install -e '.[lab,dev]'")
if browsers.programs() is None:
    pytest.skip("no Chromium with chromedriver is installed", allow_module_level=True)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
CELLS = [
    "from cnnlib.exercises import predict, reveal",
    'predict("03.a", "What share is still active?", unit="%")',
    'predict("03.b", "Which ends lower?", choices=["constant", "cosine"])',
    'reveal("03.a", 0.3)\nreveal("03.b", "cosine")',
]


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab with a notebook `page.ipynb`; its widgets are allowed, its progress is its own."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "page.ipynb")
    env = {name: value for name, value in os.environ.items() if name != "CNNLIB_STATIC"}
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        env[name] = str(tmp_path / name)
    env |= {"CNNLIB_PROGRESS": str(tmp_path / "progress.json"), "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    process = subprocess.Popen(
        [*command, f"--ServerApp.root_dir={tmp_path}"], env=env, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        found = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)
        yield next(filter(None, found))[0]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_learner_commits_with_keyboard_and_mouse_and_is_told(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(browsers, "PATIENCE", 120.0)  # a server, a page and a kernel start on a busy machine
    with browsers.browser(tmp_path) as window:
        window.open(f"{lab}/doc/tree/page.ipynb")
        window.wait(
            lambda: window.run("return !!window.jupyterapp && document.querySelectorAll('.jp-CodeCell').length === 4"),
            "the notebook is not open",
        )
        window.wait_for_text("body", "| Idle")  # the kernel listens

        def run_next():
            window.run("void window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')")

        window.run("document.querySelector('.jp-CodeCell .cm-content').focus()")
        for _ in CELLS[:3]:
            run_next()
        window.wait(lambda: window.run("return document.querySelectorAll('.jp-OutputArea input').length"), "no field")
        field, button = ".jp-OutputArea input[type=text]", ".jp-OutputArea button.jupyter-button"
        window.wait(lambda: window.run(f"return document.querySelectorAll('{button}').length === 3"), "no buttons")
        assert ("textbox", "Your guess") in window.controls(), "a screen reader is told what to write"
        assert {"Commit", "constant", "cosine"} <= {name for role, name in window.controls() if role == "button"}
        assert "No prediction yet" not in window.text(".jp-Notebook"), "the text is for where no widget is"

        window.click(field)
        window.press("4", "0", "enter")
        window.wait_for_text(".jp-Notebook", "You predicted 40 %.")
        window.run(f"document.querySelectorAll('{button}')[2].focus()")
        window.press("space")
        window.wait_for_text(".jp-Notebook", "You predicted cosine.")
        assert window.run(f"return [...document.querySelectorAll('{button}')].every(each => each.disabled)")

        run_next()
        window.wait_for_text(".jp-Notebook", "far off, 40 points too high.")
        window.wait_for_text(".jp-Notebook", "You predicted cosine. It is cosine: right.")
        window.run("return window.jupyterapp.commands.execute('docmanager:save')")
    kept = json.loads((tmp_path / "progress.json").read_text())["predictions"]
    assert [event["event"] for event in kept["03.a"]] == ["guess", "reveal"]
    saved = nbformat.read(tmp_path / "page.ipynb", as_version=4)
    for cell in saved.cells[1:3]:  # whoever opens it without a kernel reads the text
        assert cell.outputs[0].data["text/plain"].startswith(("03.a · No prediction yet", "03.b · No prediction yet"))
