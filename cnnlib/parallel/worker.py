"""One member of a group that trains together: a process of its own (lesson 17).

`cnnlib.parallel.Group` starts it as ``python -m cnnlib.parallel.worker`` and speaks with it in lines of JSON, jobs on
its standard input and events on its standard output::

    ready    the port on which it waits for its left neighbour, and the seconds that its start took
    step     a step is done: its number, the loss of the worker's own shard, seconds computed and exchanged
    broken   a neighbour is gone in the middle of a step; the worker waits for a new job
    done     the job is done, and the weights are in a file

Each worker computes the gradient of its shard, the ring averages it, and each takes the same step. Weights and momentum
are saved by the first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    begun = time.perf_counter()
    events, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no event

    def tell(event: str, **more) -> None:
        print(json.dumps({"event": event, **more}), file=events, flush=True)

    setting = json.loads(sys.stdin.readline())
    if os.environ.get("CNNLIB_OFFLINE", "") not in ("", "0"):
        from cnnlib import network

        network.block()
    member = _Member(setting)
    tell("ready", port=member.listener.address[1], seconds=time.perf_counter() - begun)
    for line in sys.stdin:
        member.run(json.loads(line), tell)


class _Member:
    def __init__(self, setting: dict):
        from cnnlib.parallel import study
        from cnnlib.parallel.ring import Ring

        self.seed, self.size = setting["seed"], setting["batch"]
        self.key = os.environ["CNNLIB_GROUP_KEY"].encode()
        self.x, self.y = study.images()
        self.first = study.first_weights(self.seed)
        self.listener = Ring.listener(self.key)

    def run(self, job: dict, tell) -> None:
        from cnnlib.parallel.ring import BROKEN, Ring

        if job["rank"] >= job["workers"]:
            return
        ring = None
        try:
            if job["workers"] > 1:
                ring = Ring(job["rank"], job["workers"], self.listener, job["right"], self.key)
            self.train(job, ring, tell)
        except BROKEN as error:
            tell("broken", why=f"{type(error).__name__}: {error}")
        finally:
            if ring:
                ring.close()

    def train(self, job: dict, ring, tell) -> None:
        from cnnlib.parallel import averaging, study

        folder, rank = Path(job["folder"]), job["rank"]
        weights, momentum, start = self.begin(folder, job["resume"], job["forget"])
        skipped = start if "order" in job["forget"] else 0
        own = averaging.shards(self.size, job["workers"])[rank]
        for step in range(start, job["steps"]):
            chosen = study.batch(step - skipped, len(self.x), self.size, self.seed)[own]
            times = [time.perf_counter()]
            value, gradient = study.loss_and_gradient(self.shaped(weights), self.x[chosen], self.y[chosen])
            vector = averaging.flat(gradient)
            times.append(time.perf_counter())
            vector = ring.average(vector) if ring else vector
            times.append(time.perf_counter())
            momentum = study.MOMENTUM * momentum - np.float32(study.RATE) * vector
            weights = weights + momentum
            computed, exchanged = np.diff(times).tolist()
            if rank == 0 and job["save"] and (step + 1) % job["save"] == 0:
                _write(folder / f"save-{step + 1:05d}.npz", weights=weights, momentum=momentum, step=step + 1)
            tell("step", step=step + 1, loss=value, computed=computed, exchanged=exchanged)
            if job["hold"] == step + 1:
                time.sleep(60)  # here it is killed
        _write(folder / f"weights-{rank}.npz", weights=weights)
        tell("done", sent=ring.sent if ring else 0)

    def begin(self, folder: Path, resume: int | None, forget: list[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """Weights, momentum and step to start from: those of a save, or of the beginning."""
        from cnnlib.parallel import averaging

        weights, step = averaging.flat(self.first), 0
        momentum = np.zeros_like(weights)
        if resume:
            with np.load(folder / f"save-{resume:05d}.npz") as save:
                weights, step = save["weights"], int(save["step"])
                momentum = momentum if "momentum" in forget else save["momentum"]
        return weights, momentum, step

    def shaped(self, vector: np.ndarray) -> list[np.ndarray]:
        """All numbers as the arrays of the network."""
        ends = np.cumsum([array.size for array in self.first])
        return [part.reshape(array.shape) for part, array in zip(np.split(vector, ends[:-1]), self.first)]


def _write(path: Path, **arrays) -> None:
    """A file that is whole or not there, whenever the process dies."""
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with open(unfinished, "wb") as out:
        np.savez(out, **arrays)
    os.replace(unfinished, path)


if __name__ == "__main__":
    main()
