"""Train the two small networks that lesson 18 ships, and put them into data/weights.

    python tools/train_beyond.py diffusion --steps 1500
    python tools/train_beyond.py vit --steps 600

diffusion   from the 10,000 bundled pictures of Fashion-MNIST; the lesson samples from it.
vit         from the 8,000 bundled pictures of CIFAR-10, at the rate that is best in data/results/beyond_rates.json;
            the lesson looks at its attention.

The cards say with which command, and what came out.
"""

import argparse
import datetime
import os
import platform
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import measure_beyond
import prepare_data
from _weights import model_arrays, pack_weights

from cnnlib import runtime

FILES = {"diffusion": "diffusion_fashion_mnist", "vit": "vit_cifar10"}
SOURCE = "trained by tools/train_beyond.py"


def diffusion(steps: int, seed: int):
    """The network, its call, and what to say of it."""
    from cnnlib import datasets
    from cnnlib.beyond import diffusion

    data = datasets.fashion_mnist(test_size=1)
    model = diffusion.unet()
    losses = diffusion.train(model, data.x_train * 2 - 1, data.y_train, steps, seed=seed)
    return model, "cnnlib.beyond.diffusion.unet()", {"loss": round(sum(losses[-200:]) / len(losses[-200:]), 5)}


def vit(steps: int, seed: int):
    """The network, its call, and what to say of it."""
    from cnnlib import datasets
    from cnnlib.beyond import study

    data = datasets.cifar10()
    rate = measure_beyond.best_rates()["ViT"]
    model = study.network("ViT", seed)
    x, new = study.colours(data.x_train), study.colours(data.x_test)
    study.train(model, x, data.y_train, rate=rate, steps=steps, size=study.BATCH, seed=seed, prepare=study.augmented)
    found = study.accuracy(model, new, data.y_test)
    return model, "cnnlib.beyond.vit.vit()", {"rate": rate, "test_accuracy": round(found, 4)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=FILES)
    parser.add_argument("--steps", type=int, required=True, help="of 64 pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of the result (data/weights)")
    options = parser.parse_args(arguments)
    runtime.setup(seed=options.seed)
    begun = time.process_time()
    model, build, said = {"diffusion": diffusion, "vit": vit}[options.name](options.steps, options.seed)
    minutes = (time.process_time() - begun) / 60
    out = options.out or runtime.data_dir() / "weights"
    out.mkdir(parents=True, exist_ok=True)
    packed = pack_weights(model_arrays(model), bits=8)
    file, card_file = out / f"{FILES[options.name]}.npz", out / f"{FILES[options.name]}.json"
    prepare_data.write(file, packed)
    card = {
        "build": build,
        **said,
        "parameters": model.count_params(),
        "bytes": len(packed),
        "command": f"python {SOURCE.split()[-1]} {options.name} --steps {options.steps} --seed {options.seed}",
        "seed": options.seed,
        "backend": runtime.backend(),
        "device": f"CPU ({platform.machine()}, 1 thread)",
        "minutes": round(minutes, 1),
        "date": datetime.date.today().isoformat(),
        "versions": {package: runtime._version(package) for package in ("keras", "torch", "numpy")},
    }
    prepare_data.write(card_file, prepare_data.as_json(card))
    if out.resolve().is_relative_to(runtime.data_dir().resolve()):
        prepare_data.register([file, card_file], runtime.data_dir(), SOURCE)
    print(card)
    return 0


if __name__ == "__main__":
    sys.exit(main())
