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
from collections.abc import Callable, Sequence
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
    norms: Sequence[str] = ("group", "batch"),
    devices: int = 2,
    steps: int = 3,
    batch: int = 64,
    seed: int | None = None,
) -> dict[str, Devices]:
    """Train `steps` steps of plain gradient descent on one device and on several, from the same weights and batches.

    Args:
        norms: normalisations of the network, each a training of its own.
        devices: how many are simulated.
        steps, batch: of the training.
        seed: of weights and batches; that of `runtime.setup` if not given.

    Returns:
        Normalisation -> what came out.

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
    job = {"norms": list(norms), "devices": devices, "steps": steps, "batch": batch}
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
            found = {name: file[name].astype("float64") for name in file.files}
    result = {}
    for norm in norms:
        one, several = found[f"{norm} one"], found[f"{norm} several"]
        moved = np.linalg.norm(one[1:] - one[:1], axis=1)
        result[norm] = Devices(MEANS[backend], devices, np.linalg.norm(several[1:] - one[1:], axis=1) / moved)
    return result


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

# Keras imports them where it finds them, 220 MB in each process of PyTorch; nothing here uses them.
NOT_NEEDED = ("jax", "matplotlib", "sklearn")


def main(job: dict) -> None:
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        _make_logical_devices(job["devices"])
    if os.environ["KERAS_BACKEND"] == "torch" and "keras" not in sys.modules:
        sys.modules.update(dict.fromkeys(NOT_NEEDED))  # to import one is now an ImportError, as if it were not there
    runtime.setup(job["seed"])
    import keras

    from cnnlib.parallel import study

    make = {"tensorflow": _Tensorflow, "jax": _Jax, "torch": _Torch}[keras.backend.backend()]
    x, y = study.images(max(1024, job["batch"]))
    chosen = [study.batch(step, len(x), job["batch"], job["seed"]) for step in range(job["steps"])]
    batches = [(x[each], y[each]) for each in chosen]
    means, found = make(job), {}
    for norm in job["norms"]:
        found[f"{norm} one"] = means.one(norm, batches)
        found[f"{norm} several"] = means.several(norm, batches)
    means.close()
    if os.environ["RANK"] == "0":
        with open(Path(job["folder"]) / "weights.npz", "wb") as out:
            np.savez(out, **found)


def _compiled(norm: str, seed: int):
    import keras

    from cnnlib.parallel import study

    model = study.network(norm, seed=seed)
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


def _make_logical_devices(devices: int) -> None:
    """Divide the CPU, before the first operation of TensorFlow."""
    import tensorflow as tf

    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(devices)]
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)


class _Tensorflow:
    """Logical CPUs, each with a copy of the network."""

    def __init__(self, job: dict):
        import tensorflow as tf

        self.seed = job["seed"]
        self.strategy = tf.distribute.MirroredStrategy([f"/cpu:{i}" for i in range(job["devices"])])

    def one(self, norm: str, batches: list) -> np.ndarray:
        return _fitted(_compiled(norm, self.seed), batches)

    def several(self, norm: str, batches: list) -> np.ndarray:
        with self.strategy.scope():
            model = _compiled(norm, self.seed)
        return _fitted(model, batches)

    def close(self) -> None:
        pass


class _Jax:
    """Host devices, and one program on arrays that are divided among them."""

    def __init__(self, job: dict):
        from keras import distribution

        self.seed, self.devices = job["seed"], distribution.list_devices()
        if len(self.devices) != job["devices"]:
            raise RuntimeError(f"{len(self.devices)} devices are there, {job['devices']} were asked for")

    def one(self, norm: str, batches: list) -> np.ndarray:
        from keras import distribution

        distribution.set_distribution(None)
        return _fitted(_compiled(norm, self.seed), batches)

    def several(self, norm: str, batches: list) -> np.ndarray:
        from keras import distribution

        distribution.set_distribution(distribution.DataParallel(devices=self.devices))
        return _fitted(_compiled(norm, self.seed), batches)

    def close(self) -> None:
        pass


class _Torch:
    """A process for each device, each with a copy of the network; this is one of them."""

    def __init__(self, job: dict):
        import torch
        from torch import distributed

        self.seed, self.members, self.rank = job["seed"], job["devices"], int(os.environ["RANK"])
        torch.set_num_threads(1)
        if sys.platform in ("linux", "darwin"):  # the machine's own interface: its name may lead nowhere
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
        store = (Path(job["folder"]) / "meeting-place").as_uri()
        distributed.init_process_group("gloo", init_method=store, rank=self.rank, world_size=self.members)

    def one(self, norm: str, batches: list) -> np.ndarray:
        # In all of them: Keras numbers the names of layers, and by names the processes agree on what is whose.
        return self._train(norm, batches, lambda model: model, slice(None))

    def several(self, norm: str, batches: list) -> np.ndarray:
        from torch.nn.parallel import DistributedDataParallel

        from cnnlib.parallel import averaging

        own = averaging.shards(len(batches[0][0]), self.members)[self.rank]
        return self._train(norm, batches, DistributedDataParallel, own)

    def _train(self, norm: str, batches: list, wrap: Callable, own: slice) -> np.ndarray:
        import torch

        from cnnlib.parallel import study

        model = study.network(norm, seed=self.seed)
        called = wrap(model)
        optimizer = torch.optim.SGD([v.value for v in model.trainable_variables], lr=study.RATE)
        found = [_weights(model)]
        for x, y in batches:
            value = study.loss()(torch.from_numpy(y[own]), called(torch.from_numpy(x[own]), training=True))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            found.append(_weights(model))
        return np.stack(found)

    def close(self) -> None:
        from torch import distributed

        distributed.destroy_process_group()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
