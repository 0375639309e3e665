"""Terrain that wears down: a time step of an equation is a convolution, and a kernel stands for an equation. Lesson 18.

Fields are (rows, columns); rows go south, columns east. Kernels are correlated, as Keras has it: ``kernel[0, 0]`` meets
the neighbour to the north-west.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

_SHA256 = "0c7e9f894eb7c8d444ca4475e64249e060d96c90ab63fdf439a0381c590ed502"
_METRES = 111_320.0  # of a degree of latitude


class Terrain(NamedTuple):
    """Elevation in metres, float32 (rows, columns), and the metres between two rows, and between two columns."""

    height: np.ndarray
    dy: float
    dx: float


def terrain(rows: slice = slice(None), columns: slice = slice(None)) -> Terrain:
    """Hills at the Jacksboro fault, Tennessee, 344 x 403 points, from the sample data of Matplotlib.

    The grid is one of degrees: 3 seconds of arc. At 36.6 degrees north these are 93 m to the south, 74 m to the east.

    Raises:
        DataError: Matplotlib has other data under this name.
    """
    from matplotlib import cbook

    from cnnlib import datasets

    file = cbook.get_sample_data("jacksboro_fault_dem.npz")
    height = np.ascontiguousarray(file["elevation"])
    if hashlib.sha256(height.astype("<i2").tobytes()).hexdigest() != _SHA256:
        raise datasets.DataError(
            "Matplotlib's sample jacksboro_fault_dem.npz has other elevations than this course was written with. "
            "Install the version that requirements.txt names."
        )
    middle = np.radians((float(file["ymin"]) + float(file["ymax"])) / 2)
    degrees = float(file["dx"])
    return Terrain(
        height[rows, columns].astype("float32"), degrees * _METRES, degrees * _METRES * float(np.cos(middle))
    )


def step_kernel(
    dt: float, dy: float, dx: float, diffusivity: float, velocity: tuple[float, float] = (0.0, 0.0), decay: float = 0.0
) -> np.ndarray:
    """The 3x3 kernel of one explicit step of ``u_t = D (u_xx + u_yy) - v_y u_y - v_x u_x - r u``.

    Central differences in space, a forward difference in time.

    Args:
        dt: length of the step.
        dy, dx: distance of two rows, and of two columns.
        diffusivity: D, an area over a time.
        velocity: (v_y, v_x) of the flow, to the south and to the east.
        decay: r, one over a time.
    """
    if not (dt > 0 and dy > 0 and dx > 0 and diffusivity >= 0):
        raise ValueError(f"dt={dt}, dy={dy}, dx={dx}, diffusivity={diffusivity}: expected positive numbers.")
    kernel = np.zeros((3, 3))
    for axis, (distance, speed) in enumerate(zip((dy, dx), velocity)):
        line = diffusivity * dt / distance**2 * np.array([1, -2, 1]) - speed * dt / (2 * distance) * np.array(
            [-1, 0, 1]
        )
        if axis == 0:
            kernel[:, 1] += line
        else:
            kernel[1] += line
    kernel[1, 1] += 1 - decay * dt
    return kernel


def longest_step(dy: float, dx: float, diffusivity: float) -> float:
    """The longest stable step of explicit diffusion: 1 / (2 D (1/dx² + 1/dy²))."""
    return 1 / (2 * diffusivity * (1 / dx**2 + 1 / dy**2))


def advanced(field: np.ndarray, kernel: np.ndarray, steps: int = 1) -> np.ndarray:
    """The field after some steps; beyond its border it goes on as it is at the border. float64, of the same shape."""
    field, reach = np.asarray(field, float), len(kernel) // 2
    for _ in range(steps):
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(field, reach, "edge"), kernel.shape)
        field = np.einsum("hwij,ij->hw", windows, kernel)
    return field


def fitted_kernel(before: np.ndarray, after: np.ndarray, size: int = 3) -> np.ndarray:
    """The kernel of that size that comes nearest to the change from one field to the next, by least squares.

    This is a convolution layer with one filter and no bias, trained to the end. The border is left out.
    """
    reach = size // 2
    if before.shape != after.shape or size % 2 == 0 or min(before.shape) < size:
        raise ValueError(
            f"fields of {before.shape} and {after.shape}, size {size}: expected the same shape, an odd size."
        )
    seen = np.lib.stride_tricks.sliding_window_view(np.asarray(before, float), (size, size)).reshape(-1, size * size)
    inner = slice(reach, -reach or None)
    mean = float(np.mean(before))  # far from zero a mean of hundreds of metres drowns the differences
    change = (after - before)[inner, inner].ravel()
    seen = np.concatenate([seen - mean, np.ones((len(seen), 1))], 1)
    kernel = np.linalg.lstsq(seen, change, rcond=None)[0][:-1].reshape(size, size)
    kernel[reach, reach] += 1
    return kernel


def largest_factor(kernel: np.ndarray, frequencies: int = 65) -> float:
    """By what a step magnifies the wave that it magnifies most (von Neumann): above 1 errors grow without bound."""
    reach = len(kernel) // 2
    angle = np.linspace(-np.pi, np.pi, frequencies)
    wave = np.exp(1j * np.outer(angle, np.arange(-reach, reach + 1)))
    return float(np.abs(wave @ kernel @ wave.T).max())
