"""Write the specifications of the bundled networks, ``data/pipelines/*.json``, and enter them in the manifest.

    python tools/write_specifications.py            # all of them
    python tools/write_specifications.py --check    # write nothing, and say what would change

Here stands what each network was trained with, from its card in ``data/weights/README.md``. The sha256 of weights and
labels are computed, and the temperature of the networks for CIFAR-10 and Fashion-MNIST is fitted, on the first half of
the bundled test images; whoever wants to know how well it does looks at the second half. The bundled *training* images
are no use for that: the networks know them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import prepare_data

from cnnlib import datasets, runtime
from cnnlib.pipeline import Calibration, Preprocessing, Specification
from cnnlib.pipeline.bundled import READY

HALF = 1000  # bundled test images that the temperature is fitted on

SMALL = {"task": "classify", "top": 3}
IMAGES = {
    "resnet20_cifar10": datasets.cifar10,
    "small_vgg_cifar10": datasets.cifar10,
    "mobilenetv2_cifar10": datasets.cifar10,
    "lenet5_fashion_mnist": datasets.fashion_mnist,
}
SETTINGS = {
    "efficientnet_lite0_imagenet": {
        "task": "classify",
        "threshold": 0.1,
        "preprocessing": Preprocessing(
            224, "shortest_side", shortest_side=256, kernel="bicubic", mean=127.0, spread=128.0
        ),
    },
    "ssdlite_mobilenetv2_coco": {
        "task": "detect",
        "threshold": 0.5,
        "overlap": 0.6,
        "background": 0,
        "decoder": "ssdlite",
        "preprocessing": Preprocessing(300, "stretch", mean=127.5, spread=127.5),
    },
    "deeplabv3_mobilenetv2_voc": {
        "task": "segment",
        "background": 0,
        "aligned": True,
        "preprocessing": Preprocessing(513, "letterbox", anchor="corner", fill=127.5, mean=127.5, spread=127.5),
    },
    "resnet20_cifar10": SMALL | {"preprocessing": Preprocessing(32)},
    "small_vgg_cifar10": SMALL | {"preprocessing": Preprocessing(32)},
    "mobilenetv2_cifar10": SMALL | {"preprocessing": Preprocessing(32)},
    "lenet5_fashion_mnist": SMALL | {"preprocessing": Preprocessing(28, channels="grey")},
    "crowns_resnet18": {
        "task": "detect",
        "threshold": 0.3,
        "decoder": "crowns",
        "preprocessing": Preprocessing(128, "letterbox", fill=0),
    },
}


def specification(name: str) -> Specification:
    """The specification of one bundled network, complete."""
    model, labels = READY[name].build(), READY[name].labels()
    plain = Specification(name=name, labels=labels, **SETTINGS[name])
    if name in IMAGES:
        data = IMAGES[name](size=1, dtype="uint8")
        x, y = plain.preprocess(data.x_test[:HALF]), data.y_test[:HALF]
        fitted = Calibration(
            round(temperature(model.predict(x, batch_size=250, verbose=0), y), 3),
            f"the first {HALF:,} bundled test images",
        )
        plain = Specification(name=name, labels=labels, calibration=fitted, **SETTINGS[name])
    return plain.for_model(model)


def temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The number that logits are divided by for the least negative log-likelihood."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(value: float) -> float:
        return -log_softmax(logits.astype("float64") / value, -1)[np.arange(len(labels)), labels].mean()

    return float(minimize_scalar(loss, bounds=(0.2, 5), method="bounded").x)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--only", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    options = parser.parse_args(arguments)
    folder = runtime.data_dir()
    changed, paths = [], []
    for name in options.only:
        path = folder / "pipelines" / f"{name}.json"
        data = prepare_data.as_json(specification(name).as_dict())
        if not path.exists() or path.read_bytes() != data:
            changed.append(name)
            paths.append(path)
            if not options.check:
                prepare_data.write(path, data)
        print(f"{name}: {'changed' if name in changed else 'as it was'}")
    if paths and not options.check:
        prepare_data.register(paths, folder, "tools/write_specifications.py")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
