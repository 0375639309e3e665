"""Train the small detectors whose weights come with the course. Maintainers only: learners never need it.

    python tools/train_detector.py scenes               train, evaluate, write to data/weights
    python tools/train_detector.py crowns --out FOLDER  write there instead
    python tools/train_detector.py --hold-out 256       try a recipe of crowns: keep the last rows of the training area

The detector of lesson 11 (`cnnlib.detection.crowns`) learns from rendered scenes, by the recipe of the lesson. That of
tree crowns first learns from scenes, too. Then it learns from random parts of the training area of
`cnnlib.datasets.tree_crowns`: of random size, turned, mirrored, with other colours. To choose a recipe hold a part of
the training area out. A card tells how good the weights are as they are stored (float16), on each area or on scenes for
testing.
"""

import argparse
import datetime
import platform
import sys
import time
from pathlib import Path

import numpy as np
import prepare_data
from _packages import PackageError
from _weights import model_arrays, pack_weights

from cnnlib import runtime

NAMES = {"crowns": "crowns_resnet18", "scenes": "scenes_resnet18"}
SOURCE = "made by this course: tools/train_detector.py"
BATCH = 16
SCENES, PASSES = 6000, 3  # to learn from, and how often each of them is seen
TESTED = 300  # scenes for testing
WARM_UP = 100  # steps
SIDES = (96, 192)  # of a part that is cut out, in pixels of the photograph
LEAST = 0.5  # a crown counts if at least this share of its box is in the part


def part(picture: np.ndarray, boxes: np.ndarray, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random square of ``picture`` at ``size`` pixels, turned, mirrored and recoloured, and the boxes in it."""
    from PIL import Image

    side = int(rng.integers(SIDES[0], min(SIDES[1], *picture.shape[:2]) + 1))
    y, x = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
    tile = Image.fromarray(picture[y : y + side, x : x + side]).resize((size, size), Image.Resampling.BILINEAR)
    tile = np.asarray(tile, "float32")
    cut = np.clip(boxes - np.array([x, y, x, y]), 0, side)
    shown = (cut[:, 2:] - cut[:, :2]).prod(1) >= LEAST * (boxes[:, 2:] - boxes[:, :2]).prod(1)
    cut = cut[shown] * (size / side)
    if rng.random() < 0.5:
        tile, cut = tile[:, ::-1], np.stack([size - cut[:, 2], cut[:, 1], size - cut[:, 0], cut[:, 3]], 1)
    for _ in range(rng.integers(4)):  # a quarter turn to the left: (x, y) goes to (y, size - x)
        tile, cut = np.rot90(tile), np.stack([cut[:, 1], size - cut[:, 2], cut[:, 3], size - cut[:, 0]], 1)
    return recoloured(tile, rng), cut.astype("float32")


def recoloured(tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another light: gamma, contrast, brightness, balance of colours, saturation; values stay in 0..255."""
    tile = 255 * (tile / 255) ** np.exp(rng.uniform(-0.4, 0.4))
    grey = tile.mean(axis=-1, keepdims=True)
    tile = grey + (tile - grey) * rng.uniform(0.4, 1.4)
    tile = (tile - tile.mean()) * rng.uniform(0.7, 1.4) + tile.mean() * rng.uniform(0.7, 1.3)
    return np.clip(tile * rng.uniform(0.85, 1.15, 3), 0, 255).astype("float32")


def learn_scenes(found, scenes, warm_up: int) -> float:
    """Train the detector ``found`` on scenes; the loss of the last pass."""
    import keras

    from cnnlib import training

    y = found.targets(scenes.boxes, scenes.labels)
    steps = PASSES * -(-len(y) // BATCH)
    found.compile(keras.optimizers.AdamW(training.warmup_cosine(3e-3, steps, warm_up), weight_decay=1e-4))
    x = scenes.images / np.float16(255)  # in half precision it takes half the memory
    done = training.fit(found.model, x, y, epochs=PASSES, batch_size=BATCH, label="scenes")
    return float(done.history["loss"][-1])


def train(found, picture: np.ndarray, boxes: np.ndarray, steps: int, rate: float, rng: np.random.Generator) -> float:
    """Train the detector ``found`` on parts of ``picture``; the loss of the last hundred steps."""
    import keras

    from cnnlib import training

    found.compile(keras.optimizers.AdamW(training.warmup_cosine(rate, steps, WARM_UP), weight_decay=1e-3))
    losses = []
    for step in range(steps):
        images, own = zip(*(part(picture, boxes, found.size[0], rng) for _ in range(BATCH)))
        y = found.targets(own, [np.zeros(len(each), int) for each in own])
        losses.append(float(found.model.train_on_batch(np.stack(images) / 255, y)))
        if (step + 1) % 100 == 0:
            now = time.strftime("%H:%M:%S")
            print(f"{now} step {step + 1} of {steps}, loss {np.mean(losses[-100:]):.3f}", flush=True)
    return float(np.mean(losses[-100:]))


def scenes_detector(options):
    """The detector of scenes, trained as in the lesson, and what its card says of the training."""
    from cnnlib import detection

    found = detection.scene_detector(weights=None)
    scenes = detection.small_scenes(SCENES, seed=options.seed)
    steps = PASSES * -(-SCENES // BATCH)
    return found, {"steps": steps, "loss": round(learn_scenes(found, scenes, warm_up=steps // 10), 4)}


def scenes_scores(found, seed: int) -> dict:
    """How good the detector is on scenes for testing, which show other items on other photographs."""
    from cnnlib import detection

    scenes = detection.small_scenes(TESTED, split="test", seed=seed)
    boxes = found.predict(scenes.images.astype("float32") / 255, score_threshold=0.01)
    result = detection.coco_evaluation(scenes.truth, [each._asdict() for each in boxes], len(scenes.class_names))
    return {
        "ap50": {"test": round(result.ap50, 4)},
        "ap": {"test": round(result.ap, 4)},
        "network": "cnnlib.detection.scene_detector()",
        "data": f"{SCENES:,} scenes of cnnlib.detection.small_scenes; AP on {TESTED} with split='test', seed {seed}",
    }


def crowns_detector(options):
    """The detector of tree crowns, trained on scenes and then on crowns, and what its card says of the training."""
    from cnnlib import datasets, detection, transfer
    from cnnlib.detection import crowns

    whole = datasets.tree_crowns("train", size=None)
    picture, boxes = whole.images[0], whole.boxes[0]
    if options.hold_out:
        edge = len(picture) - options.hold_out
        inner = boxes[(boxes[:, 1] + boxes[:, 3]) / 2 < edge]
        picture, boxes = picture[:edge], np.minimum(inner, [1e9, edge, 1e9, edge])
    found, scenes = crowns.crown_detector(weights=None), crowns.small_detector(48, 10)
    rendered = detection.render(SCENES, 48, objects=(1, 2), scale=(0.5, 0.8), occlusion=(0, 0.1), seed=options.seed)
    learn_scenes(scenes, rendered, WARM_UP)
    transfer.hand_over(scenes.model, found.model)
    loss = train(found, picture, boxes, options.steps, options.rate, np.random.default_rng(options.seed))
    return found, {"steps": options.steps, "loss": round(loss, 4)}


def crowns_scores(found, seed: int) -> dict:
    """How good the detector is on each area."""
    from cnnlib import datasets
    from cnnlib.detection import crowns

    areas = {area: datasets.tree_crowns(area, size=128) for area in datasets.TREE_AREAS}
    return {
        "ap50": {area: round(crowns.judged(found, t.images, t.boxes).ap50, 4) for area, t in areas.items()},
        "network": "cnnlib.detection.crowns.crown_detector()",
        "data": "tree crowns: the area 'train'; AP50 on tiles of 128 pixels of each area, without overlap",
    }


def held_out(found, rows: int) -> float:
    """AP50 on tiles of the last rows of the training area."""
    from cnnlib import datasets
    from cnnlib.detection import crowns

    edge = len(datasets.tree_crowns("train", size=None).images[0]) - rows
    tiles = datasets.tree_crowns("train", size=128, step=64)
    inside = np.flatnonzero(tiles.corners[:, 0] >= edge)
    return crowns.judged(found, tiles.images[inside], [tiles.boxes[i] for i in inside]).ap50


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="crowns", choices=NAMES, help="which detector (crowns)")
    parser.add_argument("--steps", type=int, default=2500, help=f"of crowns: steps of {BATCH} tiles")
    parser.add_argument("--rate", type=float, default=2e-3, help="of crowns: the highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hold-out", type=int, metavar="ROWS", help="of the training area: report on them, no weights")
    parser.add_argument("--out", type=Path, help="folder of the result (data/weights)")
    options = parser.parse_args(arguments)
    if options.hold_out and options.name != "crowns":
        parser.error("--hold-out holds a part of the training area of the tree crowns out; scenes have none")
    runtime.setup(seed=options.seed)
    import keras

    begun = time.process_time()
    found, trained = (scenes_detector if options.name == "scenes" else crowns_detector)(options)
    minutes = (time.process_time() - begun) / 60
    print(f"{found}\n{minutes:.1f} minutes of a core")
    if options.hold_out:
        print(f"held out: AP50 {held_out(found, options.hold_out):.3f}")
        return 0
    out = options.out or runtime.data_dir() / "weights"
    file, packed = out / f"{NAMES[options.name]}.npz", pack_weights(model_arrays(found.model))
    prepare_data.write(file, packed)
    for variable in found.model.weights:  # as they are when read back
        variable.assign(keras.ops.convert_to_numpy(variable).astype("float16").astype("float32"))
    scores = (scenes_scores if options.name == "scenes" else crowns_scores)(found, options.seed)
    settings = f" --steps {options.steps} --rate {options.rate}" if options.name == "crowns" else ""
    card = {
        **{key: scores.pop(key) for key in ("ap50", "ap") if key in scores},
        "parameters": found.model.count_params(),
        "bytes": len(packed),
        **scores,
        "command": f"python {SOURCE.split()[-1]} {options.name}{settings} --seed {options.seed}",
        "seed": options.seed,
        **trained,
        "device": f"CPU ({platform.machine()}, 1 thread)",
        "minutes": round(minutes, 1),
        "date": datetime.date.today().isoformat(),
        "versions": {package: runtime._version(package) for package in ("keras", "tensorflow", "numpy")},
    }
    card_file = file.with_suffix(".json")
    prepare_data.write(card_file, prepare_data.as_json(card))
    if out.resolve().is_relative_to(runtime.data_dir().resolve()):
        prepare_data.register([file, card_file], runtime.data_dir(), SOURCE)
    print(card["ap50"], card["bytes"])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PackageError as error:
        sys.exit(str(error))
