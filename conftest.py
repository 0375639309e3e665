"""One pytest run over tests/ and notebooks/: what both share.

The settings of the person who runs the tests must not reach them, and theirs must not reach that person: no kernel
or process started here sees or changes the learner's progress. Notebooks are compared with their stored outputs on
TensorFlow in the cpu profile with seed 0, where these were made; elsewhere they are executed and their claims checked.
What is added to nbval's tests of notebooks stands in tests/support/whole_lesson.py.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
pytest_plugins = ["whole_lesson"]  # tests/support/whole_lesson.py

STORED_WITH = {"KERAS_BACKEND": "tensorflow", "CNNLIB_PROFILE": "cpu"}


def pytest_configure(config: pytest.Config) -> None:
    folder = Path(tempfile.mkdtemp(prefix="cnnlib-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, value in STORED_WITH.items():
        os.environ.setdefault(name, value)
    os.environ.update(
        CNNLIB_OFFLINE="1",
        CNNLIB_STATIC="1",
        CNNLIB_PROGRESS=str(folder / "progress.json"),
        IPYTHONDIR=str(folder / "ipython"),
        PYTHONHASHSEED="0",
    )
    for name, value in {"TF_ENABLE_ONEDNN_OPTS": "1", "OMP_WAIT_POLICY": "PASSIVE"}.items():
        os.environ.setdefault(name, value)  # as runtime.setup does, for tests that import Keras themselves
    for name in ("CNNLIB_RECORD", "CNNLIB_CHECK_SEED", "MPLBACKEND"):
        os.environ.pop(name, None)
    elsewhere = any(os.environ[name] != value for name, value in STORED_WITH.items())
    if getattr(config.option, "nbval", False):
        if elsewhere or os.environ.get("CNNLIB_SEED", "0") != "0":
            config.option.nbval_lax = True  # execute, and compare nothing
        if config.option.nbval_sanitize_with:  # the option names it from here, wherever pytest was called
            config.option.nbval_sanitize_with = str(ROOT / config.option.nbval_sanitize_with)
