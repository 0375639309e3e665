"""Train the networks whose weights come with the course. Maintainers only: learners never need it.

    python tools/train_weights.py resnet20_cifar10 --source PACKAGES     train, evaluate, write to data/weights
    python tools/train_weights.py resnet20_cifar10 --source PACKAGES --epochs 10 --seed 1 --out FOLDER
    python tools/train_weights.py resnet20_cifar10 --source PACKAGES --hold-out 5000     try a recipe, write nothing
    python tools/train_weights.py --table                                write the table of data/weights/README.md

PACKAGES is the folder of tools/prepare_data.py; each package is verified by its sha256. Training takes the complete
official training set; the 10,000 official test images are looked at once, when it is over, with the weights as they
are stored (float16). To choose a recipe, hold training images out instead.

A run saves itself every hundred steps: the same command goes on where a killed run stopped, and one that is complete
is only evaluated and written again. The learning rate is constant until the last third of the epochs, so a run that
has not come so far may be continued with another number of epochs, and is then what it would have been from its start.

PyTorch does the training, on a GPU if it sees one (tools/_torch_network.py), Keras the evaluation.
"""

import argparse
import datetime
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")  # one framework in the process is enough

import keras
import numpy as np
import prepare_data
from _packages import PACKAGES, PackageError, fetch, open_package
from _weights import model_arrays, pack_weights

from cnnlib import datasets, runtime
from cnnlib.models import lenet, mobilenet, resnet, vgg

SOURCE = "made by this course: tools/train_weights.py"
ARRAYS = {"cifar10": prepare_data.cifar10_arrays, "fashion_mnist": prepare_data.fashion_mnist_arrays}


class Recipe(NamedTuple):
    """How one network is built and trained.

    ``options`` are those that a learner gives the constructor beside ``weights``. ``relaxed`` replaces some of them in
    training: a short run of a small network underfits, and dropout, which has no weights, would only slow it down.
    """

    family: Callable[..., keras.Model]
    options: dict
    data: str
    epochs: int
    rate: float  # the highest; see learning_rate
    relaxed: dict = {}
    decay: float = 5e-4  # of kernels; not of biases and scales
    batch_size: int = 128
    crop: int = 4  # random shift in pixels; the margin is a reflection
    early_size: int | None = None  # pixels that are cut out while the rate is constant: cheaper; then the whole image
    smoothing: float = 0.0  # of labels


# The networks whose weights are shipped, with what their constructors are given.
RECIPES = {
    "lenet5_fashion_mnist": Recipe(
        lenet.LeNet5, {"variant": "modern", "input_shape": (28, 28, 1)}, "fashion_mnist", 12, 0.05, crop=2
    ),
    "resnet20_cifar10": Recipe(resnet.CifarResNet, {"depth": 20}, "cifar10", 8, 0.2, early_size=24),
    "small_vgg_cifar10": Recipe(vgg.SmallVGG, {}, "cifar10", 8, 0.1, {"dropout": 0.0}, early_size=24),
    "mobilenetv2_cifar10": Recipe(
        mobilenet.MobileNetV2,
        {"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.5, "small_images": True},
        "cifar10",
        5,
        0.1,
        {"dropout": 0.0},
        early_size=24,
    ),
}
MOMENTUM = 0.9
WARM_UP = 200  # steps
SAVE_EVERY = 100  # steps


def decay_begins(epochs: int) -> int:
    """The epoch, counted from 0, from which the learning rate falls."""
    return epochs - max(1, round(epochs / 3))


def learning_rate(recipe: Recipe, steps: int, step: int) -> float:
    """At ``step``, of ``steps`` in each epoch: up in a straight line, constant, and down in one to 0 at the end.

    The first two parts do not depend on the number of epochs (Hägele et al. 2024, "Scaling laws and compute-optimal
    training beyond fixed training durations", find it as good as a cosine).
    """
    end, turn = recipe.epochs * steps, decay_begins(recipe.epochs) * steps
    up = min(1.0, (step + 1) / WARM_UP)
    return recipe.rate * min(up, (end - step) / (end - turn))


class Split(NamedTuple):
    """uint8 images (n, height, width, channels) and labels (n,)."""

    images: np.ndarray
    labels: np.ndarray


def load(data: str, packages: Path) -> tuple[Split, Split]:
    """The complete official training and test set, from the verified package."""
    complete = ARRAYS[data](open_package(data, packages))
    channels = 1 if data == "fashion_mnist" else 3
    splits = [
        Split(images.reshape(*images.shape[:3], channels), labels.astype("int64"))
        for images, labels in (complete["train"], complete["test"])
    ]
    return splits[0], splits[1]


def augmented(split: Split, recipe: Recipe, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches of one epoch: float32 images, shifted and half of them mirrored; a function of seed and epoch."""
    rng = np.random.default_rng([seed, epoch])
    early = recipe.early_size and epoch < decay_begins(recipe.epochs)
    size = recipe.early_size if early else split.images.shape[1]
    margin = 0 if early else recipe.crop
    padded = np.pad(split.images, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    order = rng.permutation(len(padded))
    for start in range(0, len(order), recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        top, left = rng.integers(0, padded.shape[1] - size + 1, (2, len(chosen)))
        rows = top[:, None] + np.arange(size)
        columns = left[:, None] + np.arange(size)
        mirrored = rng.random(len(chosen)) < 0.5
        columns[mirrored] = columns[mirrored, ::-1]
        images = padded[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        yield images.astype("float32") / 255, split.labels[chosen]


def build(recipe: Recipe, relaxed: bool = False) -> keras.Model:
    """The network of a recipe with random weights; ``relaxed`` as it is trained."""
    return recipe.family(**recipe.options, **(recipe.relaxed if relaxed else {}))


class Run(NamedTuple):
    """A finished training: what it cost, and training loss and accuracy of each epoch (on augmented images)."""

    minutes: float
    history: list[dict[str, float]]


def train(model: keras.Model, split: Split, recipe: Recipe, seed: int, folder: Path, log: Callable = print) -> Run:
    """Train ``model`` for ``recipe.epochs``, going on from the save in ``folder`` if there is one.

    Minutes are of processor time on a CPU, where other programs may run beside it, and of the clock on a GPU.

    Raises:
        ValueError: the save was made with a learning rate that was falling, for another number of epochs.
    """
    import torch
    from _torch_network import TorchNetwork

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = TorchNetwork(model).to(device, memory_format=torch.channels_last).train()
    kernels, others = network.decayed_and_other()
    groups = [{"params": kernels, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, recipe.rate, MOMENTUM, nesterov=True)
    clock = time.process_time if device == "cpu" else time.perf_counter
    steps = math.ceil(len(split.images) / recipe.batch_size)

    state = {"step": 0, "seconds": 0.0, "epochs": recipe.epochs, "history": [], "loss": 0.0, "right": 0}
    file = folder / "last.pt"
    if file.exists():
        saved = torch.load(file, map_location=device, weights_only=True)
        network.load_state_dict(saved.pop("network"))
        optimizer.load_state_dict(saved.pop("optimizer"))
        turns = [decay_begins(epochs) * steps for epochs in (saved["epochs"], recipe.epochs)]
        if saved["epochs"] != recipe.epochs and saved["step"] > min(turns):
            raise ValueError(
                f"{file} is {saved['step']} steps into a run of {saved['epochs']} epochs, whose rate falls from step "
                f"{turns[0]} on; with {recipe.epochs} epochs from step {turns[1]} on. Go on with {saved['epochs']} "
                "epochs, or delete it."
            )
        state = saved | {"epochs": recipe.epochs}
        log(f"going on after step {state['step']} of {steps * recipe.epochs}")

    def save() -> None:
        torch.save(state | {"network": network.state_dict(), "optimizer": optimizer.state_dict()}, folder / "next.pt")
        os.replace(folder / "next.pt", file)

    for epoch in range(state["step"] // steps, recipe.epochs):
        begun = clock()
        for step, (images, labels) in enumerate(augmented(split, recipe, seed, epoch), start=epoch * steps):
            if step < state["step"]:
                continue
            # NHWC in memory, NCHW in name: what PyTorch calls channels last.
            x = torch.from_numpy(images).permute(0, 3, 1, 2).to(device)
            y = torch.from_numpy(labels).to(device)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, steps, step)
            torch.manual_seed(seed + 1_000_003 * step)  # of dropout
            with torch.autocast(device, dtype=torch.bfloat16):
                logits = network(x)
            loss = torch.nn.functional.cross_entropy(logits.float(), y, label_smoothing=recipe.smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            batch_loss = loss.item()
            state["loss"] += batch_loss * len(labels)
            state["right"] += int((logits.argmax(1) == y).sum())
            state["step"] = step + 1
            if state["step"] % steps == 0:
                means = {"loss": state["loss"] / len(split.labels), "accuracy": state["right"] / len(split.labels)}
                state["history"].append({name: round(value, 4) for name, value in means.items()})
                state["loss"], state["right"] = 0.0, 0
            if state["step"] % steps == 0 or state["step"] % SAVE_EVERY == 0:
                state["seconds"] += clock() - begun
                begun = clock()
                save()
                log(
                    f"{time.strftime('%H:%M:%S')} step {state['step']} of {steps * recipe.epochs}, loss "
                    f"{batch_loss:.3f}, {state['seconds']:.0f} s busy"
                )
        log(f"epoch {epoch + 1}/{recipe.epochs}: {state['history'][-1]}")
    network.write_back()
    return Run(state["seconds"] / 60, state["history"])


def accuracy(model: keras.Model, split: Split) -> float:
    """The share of images of ``split`` that ``model`` gives the right class."""
    right = 0
    for start in range(0, len(split.images), 500):
        logits = model.predict_on_batch(split.images[start : start + 500].astype("float32") / 255)
        right += int(np.sum(logits.argmax(-1) == split.labels[start : start + 500]))
    return right / len(split.images)


def device_name() -> str:
    """What the training ran on, as the card names it."""
    import torch

    if torch.cuda.is_available():
        return f"GPU ({torch.cuda.get_device_name()}), bfloat16"
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} thread{'s' * (threads > 1)}), bfloat16"


def write_weights(name: str, model: keras.Model, test: Split, facts: dict, out: Path) -> dict:
    """Write ``name``.npz and its card ``name``.json into ``out``; the accuracy is that of the stored weights."""
    packed = pack_weights(model_arrays(model))
    prepare_data.write(out / f"{name}.npz", packed)
    for variable in model.weights:  # as they are when read back
        variable.assign(keras.ops.convert_to_numpy(variable).astype("float16").astype("float32"))
    card = {
        "accuracy": accuracy(model, test),
        "parameters": sum(int(np.prod(v.shape)) for v in model.trainable_variables),
        "bytes": len(packed),
        **facts,
        "date": datetime.date.today().isoformat(),
        "versions": {package: runtime._version(package) for package in ("keras", "torch", "numpy")},
    }
    prepare_data.write(out / f"{name}.json", prepare_data.as_json(card))
    if out.resolve().is_relative_to(runtime.data_dir().resolve()):
        prepare_data.register([out / f"{name}.npz", out / f"{name}.json"], runtime.data_dir(), SOURCE)
    return card


# --- the table of data/weights/README.md -----------------------------------------------------------------------------

BEGIN, END = "<!-- made by tools/train_weights.py --table: begin -->", "<!-- end -->"


def table(cards: dict[str, dict]) -> str:
    """The cards as rows of Markdown."""
    rows = ["| file | accuracy | parameters | kB | epochs | minutes | device | seed | date |", "|---" * 9 + "|"]
    for name, card in cards.items():
        epochs = f"{card['epochs']} of {card['train_images']:,} images"
        if card["preliminary"]:
            epochs += ", preliminary"
        rows.append(
            f"| `{name}.npz` | {card['accuracy']:.2%} | {card['parameters']:,} | {card['bytes'] / 1e3:.0f} | {epochs} "
            f"| {card['minutes']:.0f} | {card['device']} | {card['seed']} | {card['date']} |"
        )
    return "\n".join(rows)


def write_table(readme: Path) -> None:
    """Put the table of the cards that are there between its two marks."""
    text = readme.read_text("utf-8")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    cards = {name: datasets.weights_card(name) for name in RECIPES if (readme.parent / f"{name}.json").exists()}
    prepare_data.write(readme, f"{before}\n{table(cards)}\n{after}".encode())


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=RECIPES, help="which network")
    parser.add_argument("--source", type=Path, metavar="PACKAGES", help="folder of the packages of prepare_data.py")
    parser.add_argument("--fetch", action="store_true", help="download the package into that folder if it is missing")
    parser.add_argument("--epochs", type=int, help="instead of those of the recipe; the schedule depends on it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="of the processor, for training")
    parser.add_argument("--out", type=Path, help="folder of the result (data/weights)")
    parser.add_argument("--saves", type=Path, help="folder of the saves (build/weights)")
    parser.add_argument("--images", type=int, help="train on the first images only: preliminary weights")
    parser.add_argument("--hold-out", type=int, metavar="N", help="keep the last N training images, report on them")
    parser.add_argument("--table", action="store_true", help="write the table of data/weights/README.md from the cards")
    options = parser.parse_args(arguments)
    if not options.table and (options.name is None or options.source is None):
        parser.error("give the name of a network and --source with the folder of the packages, or --table")
    return options


def command(options: argparse.Namespace, recipe: Recipe) -> str:
    """What to type to make these weights again."""
    parts = [f"python tools/train_weights.py {options.name} --source PACKAGES --epochs {recipe.epochs}"]
    parts.append(f"--seed {options.seed}")
    parts += [f"--images {options.images}"] * bool(options.images)
    return " ".join(parts)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    weights = runtime.data_dir() / "weights"
    if options.table:
        write_table(weights / "README.md")
        return 0
    recipe = RECIPES[options.name]
    recipe = recipe._replace(epochs=options.epochs or recipe.epochs)
    if options.fetch:
        fetch(recipe.data, options.source)
    split, test = load(recipe.data, options.source)
    if options.hold_out:
        test = Split(split.images[-options.hold_out :], split.labels[-options.hold_out :])
        split = Split(split.images[: -options.hold_out], split.labels[: -options.hold_out])
    if options.images:
        split = Split(split.images[: options.images], split.labels[: options.images])
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)

    run = f"{options.name}-{len(split.images)}-images-seed-{options.seed}"
    saves = (options.saves or runtime.root() / "build" / "weights") / run
    saves.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(options.seed)
    relaxed = build(recipe, relaxed=True)
    print(f"{run}: {relaxed.count_params():,} numbers, on {device_name()}", flush=True)
    done = train(relaxed, split, recipe, options.seed, saves, log=lambda line: print(line, flush=True))
    if options.hold_out:
        print(f"accuracy on {len(test.images)} held-out training images: {accuracy(relaxed, test):.4f}")
        return 0

    model = build(recipe)  # as learners build it: same weights, in the same order
    model.set_weights(relaxed.get_weights())
    facts = {
        "network": f"{recipe.family.__name__}({', '.join(f'{k}={v!r}' for k, v in recipe.options.items())})",
        "data": f"{PACKAGES[recipe.data].title}: official training set; accuracy on the 10,000 official test images",
        "train_images": len(split.images),
        "preliminary": bool(options.images),
        "command": command(options, recipe),
        "seed": options.seed,
        "epochs": recipe.epochs,
        "device": device_name(),
        "minutes": round(done.minutes, 1),
        "recipe": {k: v for k, v in recipe._asdict().items() if k not in ("family", "options", "data", "epochs")},
        "history": done.history,
    }
    card = write_weights(options.name, model, test, facts, options.out or weights)
    print(f"accuracy on the 10,000 official test images, with the stored weights: {card['accuracy']:.4f}")
    if options.out is None:
        write_table(weights / "README.md")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PackageError as error:
        sys.exit(str(error))
