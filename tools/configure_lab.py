"""Make JupyterLab open the sources of lessons (solutions/*.py) as notebooks on double click, and ask for no news.

    python tools/configure_lab.py

Writes one small file into the environment that runs this (share/jupyter/lab/settings/overrides.d/cnnlib.json);
settings of the person and of other environments stay as they are. "Open With > Editor" still shows the text. The
question whether to fetch news would stand over the first page a learner sees, and the course works without a network.
"""

import json
import sys
from pathlib import Path

SETTINGS = {
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"python": "Jupytext Notebook"}},
    "@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"},
}


def configure(environment: Path = Path(sys.prefix)) -> Path:
    """Write the setting unless it stands there already; return the file."""
    path = environment / "share" / "jupyter" / "lab" / "settings" / "overrides.d" / "cnnlib.json"
    text = json.dumps(SETTINGS, indent=2) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return path


if __name__ == "__main__":
    configure()
