"""Record what the published TensorFlow.js graphs of SSDLite and DeepLab answer: tests/data/tfjs_tensors.npz.

    NODE_PATH=FOLDER/node_modules python tests/support/record_tfjs.py PACKAGES

PACKAGES is the folder of the packages of tools/prepare_data.py; FOLDER is where ``npm install @tensorflow/tfjs@4.22.0``
was run. The graphs run in node, on the CPU, with their original float32 weights; nothing of cnnlib's networks is used.
Only a part of the large tensors is kept: every 17th row of the class logits, every 5th point of the maps.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]
ROWS, POINTS = 17, 5
# Which graph on which photograph: as published, or with its weights rounded as the course stores them.
RUNS = (("cat", False), ("astronaut", False), ("cat", True))


def rounded_tensors(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rounded to float16, kernels to 8 bits of fraction; a depthwise kernel after its scale, which becomes 1."""
    from _weights import round_fraction
    from prepare_data import CONSTANTS

    def rounded(array: np.ndarray) -> np.ndarray:
        halves = array.astype("<f2")
        return (round_fraction(halves, 8) if array.ndim > 1 else halves).astype("<f4")

    new = {
        name: rounded(a) if a.dtype == "<f4" and not name.startswith(CONSTANTS) else a for name, a in tensors.items()
    }
    for name, kernel in tensors.items():
        for scale in ("BatchNorm/batchnorm/mul", "BatchNorm/FusedBatchNorm/Scaled"):
            scale = name.replace("depthwise_weights", scale)
            if scale != name and scale in tensors:
                new[name], new[scale] = rounded(kernel * tensors[scale][:, None]), np.ones_like(tensors[scale])
    return new


def run(package, folder: str, image: np.ndarray, names: tuple[str, ...], stored: bool) -> list[np.ndarray]:
    """The tensors ``names`` of the graph in ``folder`` of an opened package, for one uint8 image (h, w, 3)."""
    from _tfjs import read_tensors

    model = json.loads(package.read(f"{folder}/model.json"))
    tensors = read_tensors(package.read, folder)
    tensors = rounded_tensors(tensors) if stored else tensors
    (group,) = model["weightsManifest"]
    group["paths"] = ["weights"]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        (place / "model.json").write_text(json.dumps(model))
        (place / "weights").write_bytes(b"".join(tensors[w["name"]].tobytes() for w in group["weights"]))
        (place / "image").write_bytes(np.ascontiguousarray(image, np.uint8).tobytes())
        sizes = [str(side) for side in image.shape[:2]]
        command = ["node", str(HERE / "tfjs_reference.js"), temporary, str(place / "image"), *sizes]
        subprocess.run([*command, ",".join(names), temporary], check=True)
        shapes = [json.loads((place / f"{i}.json").read_text()) for i in range(len(names))]
        return [np.fromfile(place / f"{i}.bin", "<f4").reshape(shape) for i, shape in enumerate(shapes)]


def as_bytes(batch: np.ndarray) -> np.ndarray:
    """The picture that a preprocessed batch of one was made from."""
    return np.round((batch[0] + 1) * 127.5).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    packages = parser.parse_args().packages
    sys.path.insert(0, str(HERE.parent / "tools"))
    from _packages import open_package
    from prepare_data import DEEPLAB_FOLDER, SSDLITE_FOLDER

    from cnnlib import datasets
    from cnnlib.models import deeplab, ssdlite

    found = {}
    package = open_package("ssdlite", packages)
    for name, stored in RUNS:
        image = as_bytes(ssdlite.preprocess(datasets.photograph(name)))
        tensors = ("Squeeze", "concat_1", "Postprocessor/ExpandDims_1", "Postprocessor/Tile")
        offsets, logits, boxes, anchors = run(package, SSDLITE_FOLDER, image, tensors, stored)
        key = f"ssdlite/{'stored' if stored else 'original'}/{name}"
        found[f"{key}/offsets"] = offsets[0]
        found[f"{key}/logits"] = logits[0, ::ROWS]
        found[f"{key}/best"] = logits[0, :, 1:].argmax(-1).astype(np.uint8) + 1
        found[f"{key}/boxes"] = boxes[0, ::ROWS, 0]
    found["ssdlite/anchors"] = anchors[0]
    package = open_package("deeplab", packages)
    for name, stored in RUNS:
        batch, (height, width) = deeplab.preprocess(datasets.photograph(name))
        tensors = ("logits/semantic/BiasAdd", "ResizeBilinear_3", "SemanticPredictions")
        logits, enlarged, labels = run(package, DEEPLAB_FOLDER, as_bytes(batch)[:height, :width], tensors, stored)
        key = f"deeplab/{'stored' if stored else 'original'}/{name}"
        found[f"{key}/logits"] = logits[0, ::POINTS, ::POINTS]
        found[f"{key}/enlarged"] = enlarged[0, :: 8 * POINTS, :: 8 * POINTS]
        found[f"{key}/labels"] = labels[0].astype(np.uint8)
    np.savez_compressed(HERE / "data" / "tfjs_tensors.npz", **found)


if __name__ == "__main__":
    main()
