"""What a training needs: memory on each device, FLOPs, hours and money (lesson 17)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """Bytes on one device, by what they hold."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.activations


# Bytes of each parameter: weights, gradients, and what the optimizer keeps.
PRECISIONS = {
    ("float32", "sgd"): (4, 4, 0),
    ("float32", "momentum"): (4, 4, 4),
    ("float32", "adam"): (4, 4, 8),
    ("mixed", "sgd"): (2, 2, 4),  # float16 or bfloat16 to compute with; the optimizer keeps a copy in float32
    ("mixed", "momentum"): (2, 2, 8),
    ("mixed", "adam"): (2, 2, 12),
}


def memory(
    parameters: float,
    devices: int = 1,
    sharded: int = 0,
    precision: str = "float32",
    optimizer: str = "adam",
    activations: float = 0.0,
) -> Memory:
    """Bytes on each device of a training whose batch is divided among `devices`.

    Args:
        parameters: how many weights are trained.
        devices: how many share the work.
        sharded: what is divided instead of copied, as the stages of ZeRO (Rajbhandari and others 2020): 0 nothing, 1
            the optimizer's state, 2 gradients too, 3 weights too.
        precision: "float32", or "mixed": weights and gradients of 2 bytes, a float32 copy with the optimizer.
        optimizer: "sgd", "momentum" or "adam".
        activations: bytes of what one device keeps for the backward pass; they depend on its own images.

    Raises:
        ValueError: an option that is not known, or no device.
    """
    if (precision, optimizer) not in PRECISIONS:
        raise ValueError(f"{precision!r} with {optimizer!r}: expected one of {sorted(PRECISIONS)}.")
    if sharded not in (0, 1, 2, 3) or devices < 1:
        raise ValueError(f"sharded={sharded} on {devices} devices: expected 0, 1, 2 or 3, and 1 device or more.")
    weights, gradients, state = (parameters * size for size in PRECISIONS[precision, optimizer])
    return Memory(
        weights / (devices if sharded >= 3 else 1),
        gradients / (devices if sharded >= 2 else 1),
        state / (devices if sharded >= 1 else 1),
        activations,
    )


def pipeline_bubble(stages: int, parts: int) -> float:
    """The share of time that a pipeline of `stages` devices stands idle if a batch is cut into `parts` (GPipe, 2019).

    The last stage waits for stages - 1 parts before it can begin, and the first at the end: (p - 1) / (m + p - 1).
    """
    if stages < 1 or parts < 1:
        raise ValueError(f"{stages} stages and {parts} parts: expected 1 or more of each.")
    return (stages - 1) / (parts + stages - 1)


def training_flops(macs: float, examples: float, epochs: float = 1) -> float:
    """FLOPs of a training: each multiply-accumulate is two, and the backward pass takes twice the forward pass."""
    if macs <= 0 or examples <= 0 or epochs <= 0:
        raise ValueError(f"{macs} MACs, {examples} examples, {epochs} epochs: all must be positive.")
    return 3 * 2 * macs * examples * epochs


def cost(flops: float, peak: float, utilisation: float, price: float = 0.0, devices: int = 1) -> tuple[float, float]:
    """Hours that the run takes, and what it costs.

    Args:
        flops: of the whole run.
        peak: FLOP/s of one device, as its data sheet gives them for the precision in use.
        utilisation: the share of them that is reached, all devices together.
        price: of one device for one hour.
        devices: how many.

    Returns:
        (hours by the clock, price). More devices make it shorter, not cheaper: not even that, once utilisation falls.
    """
    if flops <= 0 or peak <= 0 or devices < 1 or not 0 < utilisation <= 1 or price < 0:
        raise ValueError(
            f"{flops} FLOPs, {peak} FLOP/s, utilisation {utilisation}, {devices} devices, price {price}: expected "
            "positive numbers, and a utilisation of at most 1. Is it in percent?"
        )
    hours = flops / (peak * utilisation * devices) / 3600
    return hours, hours * devices * price
