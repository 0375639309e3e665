"""Marks for tests of what the oldest supported releases do not have yet."""

import keras
import pytest


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def needs_keras(version: str) -> pytest.MarkDecorator:
    """Skip where the installed Keras is older than `version` ("3.13")."""
    return pytest.mark.skipif(_numbers(keras.__version__) < _numbers(version), reason=f"new in Keras {version}")
