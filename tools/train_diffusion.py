"""Train the small diffusion network that lesson 18 samples from, and put it into data/weights.

    python tools/train_diffusion.py --steps 1500 --seed 0

It learns from the 10,000 bundled pictures of Fashion-MNIST. The card says with which command, and what came out.
"""

import argparse
import datetime
import os
import platform
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import prepare_data
from _weights import model_arrays, pack_weights

from cnnlib import runtime

NAME = "diffusion_fashion_mnist"
SOURCE = "trained by tools/train_diffusion.py"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500, help="of 64 pictures")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of the result (data/weights)")
    options = parser.parse_args(arguments)
    runtime.setup(seed=options.seed)
    from cnnlib import datasets
    from cnnlib.beyond import diffusion

    data = datasets.fashion_mnist(test_size=1)
    begun = time.process_time()
    model = diffusion.unet()
    losses = diffusion.train(
        model, data.x_train * 2 - 1, data.y_train, options.steps, rate=options.rate, seed=options.seed
    )
    minutes = (time.process_time() - begun) / 60
    out = options.out or runtime.data_dir() / "weights"
    out.mkdir(parents=True, exist_ok=True)
    packed = pack_weights(model_arrays(model), bits=8)
    file, card_file = out / f"{NAME}.npz", out / f"{NAME}.json"
    prepare_data.write(file, packed)
    card = {
        "build": "cnnlib.beyond.diffusion.unet()",
        "loss": round(sum(losses[-200:]) / len(losses[-200:]), 5),
        "parameters": model.count_params(),
        "bytes": len(packed),
        "command": f"python {SOURCE.split()[-1]} --steps {options.steps} --rate {options.rate} --seed {options.seed}",
        "seed": options.seed,
        "backend": runtime.backend(),
        "device": f"CPU ({platform.machine()}, 1 thread)",
        "minutes": round(minutes, 1),
        "date": datetime.date.today().isoformat(),
        "versions": {package: runtime._version(package) for package in ("keras", "tensorflow", "torch", "numpy")},
    }
    prepare_data.write(card_file, prepare_data.as_json(card))
    if out.resolve().is_relative_to(runtime.data_dir().resolve()):
        prepare_data.register([file, card_file], runtime.data_dir(), SOURCE)
    print(card)
    return 0


if __name__ == "__main__":
    sys.exit(main())
