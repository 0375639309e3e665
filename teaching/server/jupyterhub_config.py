"""The configuration that JupyterHub reads; the launcher (launch.py) starts it, with what it was asked for in a file."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from server.settings import Settings, configure

c = get_config()  # noqa: F821 - JupyterHub provides it
settings = Settings.read(Path(os.environ["COURSE_HUB"]))
configure(c, settings)
if settings.more:
    load_subconfig(settings.more)  # noqa: F821 - as above
