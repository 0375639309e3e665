"""The same training on one device and on several simulated ones, by the backend's own means (lesson 17).

How many devices a backend sees is settled before it starts, so this runs in processes of its own, each started as
``python -m cnnlib.parallel.simulated``: TensorFlow with logical CPUs and ``tf.distribute.MirroredStrategy``, JAX with
host devices and ``keras.distribution.DataParallel``, PyTorch with one process for each device and
``DistributedDataParallel`` over gloo.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnlib import runtime

MEANS = {
    "tensorflow": "tf.distribute.MirroredStrategy",
    "jax": "keras.distribution.DataParallel",
    "torch": "torch.nn.parallel.DistributedDataParallel",
}


@dataclass(frozen=True)
class Devices:
    """One training on one device and on several.

    Attributes:
        means: what divided the batch.
        devices: how many devices it used.
        differences: after each step, how far the weights of several devices are from those of one: the length of the
            difference over the length of what the steps have changed so far, (steps,).
    """

    means: str
    devices: int
    differences: np.ndarray


def on_devices(
    norm: str = "group", devices: int = 2, steps: int = 3, batch: int = 64, seed: int | None = None
) -> Devices:
    """Train `steps` steps of plain gradient descent on one device and on several, from the same weights and batches.

    Args:
        norm: normalisation of the network, "group" or "batch".
        devices: how many are simulated.
        steps, batch: of the training.
        seed: of weights and batches; that of `runtime.setup` if not given.

    Raises:
        ValueError: numbers that do not fit.
        RuntimeError: a process fails; the message has its last words.
    """
    from cnnlib.parallel.group import ONE_THREAD, child_environment

    if devices < 2 or batch % devices or steps < 1:
        raise ValueError(
            f"{steps} steps of {batch} examples on {devices} devices: expected 1 step or more, 2 devices or more, and "
            "a batch that they can divide."
        )
    backend = runtime.backend()
    job = {"norm": norm, "devices": devices, "steps": steps, "batch": batch}
    job["seed"] = runtime.seed() if seed is None else seed
    env = child_environment(**ONE_THREAD)
    if backend == "jax":
        flags = f"--xla_force_host_platform_device_count={devices} {os.environ.get('XLA_FLAGS', '')}"
        env |= {"XLA_FLAGS": flags.strip(), "JAX_PLATFORMS": "cpu"}
    with tempfile.TemporaryDirectory(prefix="devices-", ignore_cleanup_errors=True) as folder:
        members = devices if backend == "torch" else 1
        command = [sys.executable, "-m", "cnnlib.parallel.simulated", json.dumps({**job, "folder": folder})]
        processes, noises = [], []
        for rank in range(members):
            noises.append(open(Path(folder) / f"noise-{rank}.txt", "w+b"))  # noqa: SIM115
            pipes = {"stdout": subprocess.DEVNULL, "stderr": noises[-1], "stdin": subprocess.DEVNULL}
            processes.append(subprocess.Popen(command, env={**env, "RANK": str(rank)}, **pipes))
        try:
            _wait(processes, noises)
        finally:
            for process, noise in zip(processes, noises):
                process.kill()
                process.wait()
                noise.close()
        with np.load(Path(folder) / "weights.npz") as file:
            one, several = file["one"].astype("float64"), file["several"].astype("float64")
    moved = np.linalg.norm(one[1:] - one[:1], axis=1)
    return Devices(MEANS[backend], devices, np.linalg.norm(several[1:] - one[1:], axis=1) / moved)


def _wait(processes: list, noises: list) -> None:
    """Until all have ended well; RuntimeError as soon as one has not."""
    left = dict(enumerate(processes))
    while left:
        for rank, process in list(left.items()):
            try:
                status = process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            del left[rank]
            if status:
                noises[rank].seek(0)
                last = " / ".join(noises[rank].read().decode(errors="replace").strip().splitlines()[-4:])
                raise RuntimeError(f"simulated device {rank} ended with status {status}. Its last words: {last}")


# --- in the processes -------------------------------------------------------------------------------------------------


def main(job: dict) -> None:
    runtime.setup(job["seed"])
    import keras

    from cnnlib.parallel import study

    means = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()]
    x, y = study.images(max(1024, job["batch"]))
    chosen = [study.batch(step, len(x), job["batch"], job["seed"]) for step in range(job["steps"])]
    found = means(job, [(x[each], y[each]) for each in chosen])
    if found:
        with open(Path(job["folder"]) / "weights.npz", "wb") as out:
            np.savez(out, one=found[0], several=found[1])


def _compiled(job: dict):
    import keras

    from cnnlib.parallel import study

    model = study.network(job["norm"], seed=job["seed"])
    model.compile(keras.optimizers.SGD(study.RATE), study.loss())
    return model


def _weights(model) -> np.ndarray:
    from keras import ops

    from cnnlib.parallel import averaging

    return averaging.flat([ops.convert_to_numpy(v.value) for v in model.trainable_variables])


def _fitted(model, batches) -> np.ndarray:
    """The weights before the first step and after each of them, (steps + 1, n)."""
    found = [_weights(model)]
    for x, y in batches:
        model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)
        found.append(_weights(model))
    return np.stack(found)


def _tensorflow(job: dict, batches: list) -> tuple[np.ndarray, np.ndarray]:
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_visible_devices([], "GPU")
    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(job["devices"])]
    tf.config.set_logical_device_configuration(cpu, parts)
    one = _fitted(_compiled(job), batches)
    strategy = tf.distribute.MirroredStrategy([f"/cpu:{i}" for i in range(job["devices"])])
    with strategy.scope():
        model = _compiled(job)
    return one, _fitted(model, batches)


def _jax(job: dict, batches: list) -> tuple[np.ndarray, np.ndarray]:
    import keras

    one = _fitted(_compiled(job), batches)
    devices = keras.distribution.list_devices()
    if len(devices) != job["devices"]:
        raise RuntimeError(f"{len(devices)} devices are there, {job['devices']} were asked for")
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return one, _fitted(_compiled(job), batches)


def _torch(job: dict, batches: list) -> tuple[np.ndarray, np.ndarray] | None:
    import torch
    from torch import distributed

    from cnnlib.parallel import averaging, study

    rank, members = int(os.environ["RANK"]), job["devices"]
    torch.set_num_threads(1)
    if "GLOO_SOCKET_IFNAME" not in os.environ and sys.platform in ("linux", "darwin"):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else "lo0"

    def train(replicated: bool) -> np.ndarray:
        model = study.network(job["norm"], seed=job["seed"])
        called = torch.nn.parallel.DistributedDataParallel(model) if replicated else model
        optimizer = torch.optim.SGD([v.value for v in model.trainable_variables], lr=study.RATE)
        found = [_weights(model)]
        for x, y in batches:
            own = averaging.shards(len(x), members)[rank] if replicated else slice(None)
            value = study.loss()(torch.from_numpy(y[own]), called(torch.from_numpy(x[own]), training=True))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            found.append(_weights(model))
        return np.stack(found)

    one = train(replicated=False) if rank == 0 else None
    store = (Path(job["folder"]) / "meeting-place").as_uri()
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=members)
    several = train(replicated=True)
    distributed.destroy_process_group()
    return None if one is None else (one, several)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
