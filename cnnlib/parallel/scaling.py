"""How fast n devices can be: Amdahl, Gustafson, the ring all-reduce, and where one more stops paying (lesson 17).

Seconds, bytes, and bytes a second. The models leave out what they do not name: reading data, stragglers, memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def amdahl(devices, serial: float):
    """Speed-up of a job of fixed size, of which the share `serial` cannot be divided (Amdahl 1967)."""
    devices = _devices(devices)
    return 1 / (_share(serial) + (1 - serial) / devices)


def gustafson(devices, serial: float):
    """Speed-up where each device brings work of its own: how much more is done in the same time (Gustafson 1988).

    Here `serial` is the share of the *parallel* run that every device spends on what cannot be divided.
    """
    devices = _devices(devices)
    return _share(serial) + (1 - serial) * devices


def serial_share(seconds_one: float, seconds: float, devices: int) -> float:
    """The share that cannot be divided, as it follows from two measured times (Karp and Flatt 1990).

    Raises:
        ValueError: a time is not positive, or there are fewer than two devices.
    """
    if seconds_one <= 0 or seconds <= 0 or devices < 2:
        raise ValueError(
            f"{seconds_one} s on one device and {seconds} s on {devices}: expected positive times, and two devices."
        )
    return (seconds / seconds_one - 1 / devices) / (1 - 1 / devices)


def ring_bytes(size: float, devices):
    """Bytes that each device sends in a ring all-reduce of `size` bytes (Patarasuk and Yuan 2009).

    The array is cut into as many chunks as there are devices; in n - 1 steps sums travel round, in n - 1 more the
    totals do: 2 (n - 1) / n of the array, so never twice its size.
    """
    devices = _devices(devices)
    return 2 * (devices - 1) / devices * size


def ring_seconds(size: float, devices, bandwidth: float, latency: float = 0.0):
    """Seconds of a ring all-reduce: its bytes over the bandwidth of one link, and a latency for each of its steps.

    Raises:
        ValueError: the bandwidth is not positive, or the latency negative.
    """
    if bandwidth <= 0 or latency < 0:
        raise ValueError(
            f"bandwidth {bandwidth} bytes/s and latency {latency} s: expected a positive and a non-negative number. "
            "Is the bandwidth in bits? Divide by 8."
        )
    return ring_bytes(size, devices) / bandwidth + 2 * (_devices(devices) - 1) * latency


def step_seconds(devices, compute: float, size: float, bandwidth: float, latency: float = 0.0, overlap: float = 0.0):
    """Seconds of one step of a fixed batch on n devices: the computing is divided, the all-reduce is added.

    Args:
        devices: how many; a number or an array.
        compute: seconds that one device needs for the whole batch.
        size: bytes of the gradient.
        bandwidth, latency: of one link, in bytes a second and seconds.
        overlap: the share of the exchange that happens while the backward pass still computes.
    """
    devices = _devices(devices)
    return compute / devices + (1 - _share(overlap)) * ring_seconds(size, devices, bandwidth, latency)


def worth_it(seconds: Sequence[float], efficiency: float = 0.5) -> int:
    """The largest number of devices whose efficiency is at least `efficiency`; `seconds` are those of 1, 2, 3, ...

    Raises:
        ValueError: there are no seconds, or one is not positive.
    """
    seconds = np.asarray(seconds, float)
    if seconds.ndim != 1 or not len(seconds) or seconds.min() <= 0:
        raise ValueError(f"seconds {seconds}: expected the positive times of 1, 2, 3, ... devices.")
    devices = np.arange(1, len(seconds) + 1)
    good = seconds[0] / (devices * seconds) >= efficiency
    return int(devices[good].max(initial=1))


def linear_rate(step: int, rate: float, factor: float, warmup: int = 0) -> float:
    """The learning rate at a step (from 0) by the linear rule with a gradual warm-up (Goyal and others 2017).

    The batch is `factor` times that for which `rate` was chosen. In `warmup` steps the rate climbs in equal parts from
    `rate` to `factor * rate`, which step `warmup` is the first to have.
    """
    if step < 0 or rate <= 0 or factor <= 0 or warmup < 0:
        raise ValueError(f"step {step}, rate {rate}, factor {factor}, warmup {warmup}: none may be negative.")
    return rate * (factor if step >= warmup else 1 + (factor - 1) * step / warmup)


def _devices(devices):
    devices = np.asarray(devices)
    if devices.size == 0 or devices.min() < 1:
        raise ValueError(f"{devices} devices: expected 1 or more.")
    return devices if devices.ndim else devices.item()


def _share(share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share}: expected 0 to 1. Is it in percent?")
    return share
