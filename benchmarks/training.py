"""A training step of ResNet-20 as the lessons train it, against plain PyTorch and plain Keras: images a second.

    python benchmarks/training.py               # batches of 128 images of 32 x 32 x 3
    python benchmarks/training.py --threads 1   # the same on one core: steadier on a busy machine
    python benchmarks/training.py --quick       # a small batch and few turns, to see that it runs

Each of the three has a process of its own; they train in turns, so that a slow minute of the machine slows all of them
alike, and each turn gives a ratio. All start from the same weights, and train first on the same batch: losses that
differ end the run with exit status 1. PyTorch takes part if it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from convolution import THREADS

OURS = "cnnlib.training.fit"
ARRAYS = "model.fit on arrays"
TORCH = "PyTorch, channels_last"
TARGET = 0.80  # of what PyTorch does
PARAMETERS = 269_722
RATE, MOMENTUM = 0.05, 0.9
COMPARED = 3  # steps whose losses are compared

Turn = Callable[[], None]


# --- the three -------------------------------------------------------------------------------------------------------


def keras_network(weights: Path):
    """ResNet-20 of the course, compiled; its initial weights are written to ``weights`` unless they are there."""
    import keras

    from cnnlib import models, runtime

    runtime.setup(0)
    model = models.CifarResNet(20)
    if weights.exists():
        with np.load(weights) as archive:
            model.set_weights([archive[key] for key in archive.files])
    else:
        np.savez(weights, **{f"{i:03}": array for i, array in enumerate(model.get_weights())})
    assert sum(math.prod(w.shape) for w in model.trainable_variables) == PARAMETERS
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE, MOMENTUM), loss)
    return model


def keras_turns(weights: Path, images: np.ndarray, labels: np.ndarray, batch: int, ours: bool):
    """Losses of the first steps, and a function that trains one epoch."""
    from cnnlib import training

    model = keras_network(weights)
    losses = [float(model.train_on_batch(images[:batch], labels[:batch])) for _ in range(COMPARED)]
    if not ours:
        return losses, lambda: model.fit(images, labels, batch_size=batch, verbose=0)
    return losses, lambda: training.fit(model, images, labels, batch_size=batch)


def torch_network(weights: Path):
    """The same network as one writes it in PyTorch, with the same weights."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False)
            self.norm1 = nn.BatchNorm2d(filters)
            self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
            self.norm2 = nn.BatchNorm2d(filters)
            self.stride, self.missing = stride, filters - channels

        def forward(self, x):
            y = functional.relu(self.norm1(self.conv1(x)), inplace=True)
            y = self.norm2(self.conv2(y))
            if self.missing:
                half = self.missing // 2
                x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, self.missing - half))
            return functional.relu(x + y, inplace=True)

    blocks = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    channels = 16
    for filters in (16, 32, 64):
        for _ in range(3):
            blocks.append(Block(channels, filters, stride=1 if channels == filters else 2))
            channels = filters
    network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS

    with np.load(weights) as archive, torch.no_grad():
        arrays = iter([archive[key] for key in archive.files])
        for module in network.modules():  # in the order of the layers, as in Keras
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(torch.from_numpy(next(arrays).transpose(3, 2, 0, 1).copy()))
            elif isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = 1e-5, 0.1
                for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                    tensor.copy_(torch.from_numpy(next(arrays)))
            elif isinstance(module, nn.Linear):
                module.weight.copy_(torch.from_numpy(next(arrays).T.copy()))
                module.bias.copy_(torch.from_numpy(next(arrays)))
    return network.to(memory_format=torch.channels_last)


def torch_turns(weights: Path, images: np.ndarray, labels: np.ndarray, batch: int):
    """Losses of the first steps, and a function that trains one epoch."""
    import torch

    network = torch_network(weights)
    optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)  # NCHW in name, NHWC in memory: what channels_last means
    y = torch.from_numpy(labels)

    def step(x, y) -> torch.Tensor:
        loss = torch.nn.functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    def epoch() -> None:
        order = torch.randperm(len(x))
        for start in range(0, len(x), batch):
            chosen = order[start : start + batch]
            step(x[chosen].contiguous(memory_format=torch.channels_last), y[chosen])

    return [step(x[:batch], y[:batch]).item() for _ in range(COMPARED)], epoch


# --- a process each --------------------------------------------------------------------------------------------------


def worker(name: str, weights: Path, batch: int, steps: int) -> None:
    """Print the losses of the first steps; then train one epoch for each line read, and print its seconds."""
    from cnnlib import datasets

    answers, sys.stdout = sys.stdout, sys.stderr  # the progress line is not an answer
    data = datasets.cifar10(size=batch * steps, test_size=1)
    images, labels = data.x_train, data.y_train
    if name == TORCH:
        losses, epoch = torch_turns(weights, images, labels, batch)
    else:
        losses, epoch = keras_turns(weights, images, labels, batch, ours=name == OURS)
    epoch()  # compiles, and fills the caches
    print(json.dumps(losses), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        epoch()
        print(time.perf_counter() - start, file=answers, flush=True)


class Worker:
    """A process that trains when it is asked to, and waits meanwhile."""

    def __init__(self, name: str, weights: Path, batch: int, steps: int):
        command = [sys.executable, __file__, "--worker", name, str(weights), str(batch), str(steps)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        settings = {"KERAS_BACKEND": "tensorflow", "CNNLIB_STATIC": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(command, text=True, env=os.environ | settings, **pipes)
        self.losses = json.loads(self._answer())

    def _answer(self) -> str:
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a worker ended: run {' '.join(self.process.args)} to see why")
        return answer

    def train(self) -> float:
        """Seconds of one epoch."""
        print(file=self.process.stdin, flush=True)
        return float(self._answer())


def disagreements(losses: dict[str, list[float]]) -> list[str]:
    """Who does not lose as the first of them does, to 1 % of the first loss."""
    (first, expected), *others = losses.items()
    return [
        f"{name}: {came}, {first}: {expected}"
        for name, came in others
        if not np.allclose(came, expected, atol=0.01 * expected[0])
    ]


def measure(quick: bool, turns: int) -> int:
    """Compare the losses, then print the ratios; 1 if the losses disagree, else 0."""
    batch, steps = (16, 2) if quick else (128, 10)
    names = [OURS, ARRAYS] + [TORCH] * bool(importlib.util.find_spec("torch"))
    with tempfile.TemporaryDirectory() as folder:
        workers = {name: Worker(name, Path(folder) / "weights.npz", batch, steps) for name in names}
        try:
            wrong = disagreements({name: worker.losses for name, worker in workers.items()})
            if wrong:
                print("The losses disagree:", *wrong, sep="\n  ")
                return 1
            seconds = {name: [] for name in names}
            for _ in range(turns):
                for name, process in workers.items():
                    seconds[name].append(process.train())
        finally:
            for process in workers.values():
                process.process.kill()
    report(seconds, batch, steps, quick)
    return 0


def report(seconds: dict[str, list[float]], batch: int, steps: int, quick: bool) -> None:
    floor = TORCH if TORCH in seconds else ARRAYS
    speed = batch * steps / statistics.median(seconds[floor])
    turns = len(seconds[floor])
    print(f"ResNet-20, {PARAMETERS:,} parameters, batches of {batch}, float32; the losses of {COMPARED} steps agree")
    print(f"1.00 = {speed:.0f} images/s ({floor}); median of {turns} turns, and from which to which they went")
    for name, values in seconds.items():
        ratios = sorted(base / value for base, value in zip(seconds[floor], values))
        target = f"   (target {TARGET:.2f})" if name == OURS and floor == TORCH and not quick else ""
        print(f"{statistics.median(ratios):9.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})  {name}{target}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small batch and few turns")
    parser.add_argument("--repetitions", type=int, help="turns, of which the median counts (9; quick: 2)")
    parser.add_argument("--threads", type=int, help="threads of every library; without it each takes what it likes")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        name, weights, batch, steps = options.worker
        worker(name, Path(weights), int(batch), int(steps))
        return 0
    if options.threads:
        os.environ.update(dict.fromkeys(THREADS, str(options.threads)))
    return measure(options.quick, options.repetitions or (2 if options.quick else 9))


if __name__ == "__main__":
    sys.exit(main())
