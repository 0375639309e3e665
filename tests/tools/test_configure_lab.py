"""Sources of lessons as notebooks in JupyterLab: they open on double click, and saving one changes nothing."""

import json
from pathlib import Path

import configure_lab
import jupytext
import nbformat
import pytest
from jupyterlab.commands import get_app_dir
from jupyterlab_server.settings_utils import get_settings
from jupytext.config import load_jupytext_config
from sample_lesson import BODY, HEADER

ROOT = Path(__file__).resolve().parents[2]
# What JupyterLab adds to a notebook that it opens.
ADDED = {"name": "python", "version": "3.12.1", "codemirror_mode": {"name": "ipython", "version": 3}}


def saved(path: Path) -> str:
    """The text of a file after JupyterLab opened it as a notebook and saved it."""
    config = load_jupytext_config(str(path))
    notebook = jupytext.read(path, config=config)
    notebook.metadata.setdefault("kernelspec", {"display_name": "Python 3 (ipykernel)", "name": "python3"})
    notebook.metadata["language_info"] = nbformat.from_dict(ADDED)
    return jupytext.writes(notebook, fmt=notebook.metadata["jupytext"]["text_representation"], config=config)


@pytest.mark.parametrize("path", sorted((ROOT / "solutions").glob("*.py")), ids=lambda path: path.stem)
def test_saving_a_lesson_as_a_notebook_changes_nothing(path):
    assert saved(path) == path.read_text(encoding="utf-8")


def test_without_the_settings_of_the_folder_saving_would_change_a_lesson(tmp_path):
    path = tmp_path / "90_sums.py"
    path.write_text(HEADER + BODY, encoding="utf-8")
    assert "jupytext_version" in saved(path)


def test_a_learners_notebook_is_not_paired_with_a_script():
    config = load_jupytext_config(str(ROOT / "notebooks" / "00_start_here.ipynb"))
    assert config is None or not config.default_formats(str(ROOT / "notebooks" / "00_start_here.ipynb"))


def test_the_setting_is_written_once(tmp_path):
    path = configure_lab.configure(tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"] == {"python": "Jupytext Notebook"}
    before = path.stat().st_mtime_ns
    configure_lab.configure(tmp_path)
    assert path.stat().st_mtime_ns == before
    path.write_text("{}", encoding="utf-8")
    configure_lab.configure(tmp_path)
    assert json.loads(path.read_text(encoding="utf-8")) == content


@pytest.mark.parametrize(
    ("plugin", "setting", "expected"),
    [
        ("docmanager-extension:plugin", "defaultViewers", {"python": "Jupytext Notebook"}),
        ("apputils-extension:notification", "fetchNews", "false"),
        ("apputils-extension:notification", "checkForUpdates", False),
    ],
)
def test_jupyterlab_reads_the_setting(tmp_path, plugin, setting, expected):
    path = configure_lab.configure(tmp_path)
    settings, _ = get_settings(
        app_settings_dir=str(path.parents[1]),
        schemas_dir=str(Path(get_app_dir()) / "schemas"),
        settings_dir=str(tmp_path / "of-the-person"),
        schema_name=f"@jupyterlab/{plugin}",
    )
    assert settings["schema"]["properties"][setting]["default"] == expected
