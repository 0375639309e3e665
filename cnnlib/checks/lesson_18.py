"""The checks of lesson 18, beyond."""

from __future__ import annotations

from cnnlib.checks import lesson_18_grids

EXERCISES = [*lesson_18_grids.EXERCISES]
