"""The bundled data: shapes, balance, order, names; the complete sets; and an answer to every kind of damage."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnlib import datasets, runtime

LOADERS = {"fashion_mnist": datasets.fashion_mnist, "cifar10": datasets.cifar10}
SHAPES = {"fashion_mnist": (10_000, 2_000, 28, 28, 1), "cifar10": (8_000, 2_000, 32, 32, 3)}

# sha256 of x_train and x_test (uint8), so that a new way to store the pictures cannot change them unnoticed.
CONTENT = {
    "fashion_mnist": "62a3175a45898b5f165c355e42b2be8895d048cf9cd527e3939229dc075eb0e5",
    "cifar10": "6cca326153235d68961275117f917222f2cefb90d064be86672a252d2b7c64b3",
}


@pytest.fixture(params=LOADERS)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def complete() -> dict[str, datasets.Dataset]:
    return {name: load(dtype="uint8") for name, load in LOADERS.items()}


# --- what is loaded --------------------------------------------------------------------------------------------------


def test_shapes_types_and_balance(name, complete):
    data = complete[name]
    train, test, *shape = SHAPES[name]
    assert data.x_train.shape == (train, *shape)
    assert data.x_test.shape == (test, *shape)
    assert data.x_train.dtype == data.x_test.dtype == np.uint8
    for y, count in ((data.y_train, train), (data.y_test, test)):
        assert y.shape == (count,)
        assert y.dtype == np.int64
        assert np.bincount(y).tolist() == [count // 10] * 10
    assert len(data.class_names) == len(set(data.class_names)) == 10


def test_content_is_what_it_was(name, complete):
    data = complete[name]
    assert hashlib.sha256(data.x_train.tobytes() + data.x_test.tobytes()).hexdigest() == CONTENT[name]


def test_no_picture_is_in_both_splits(name, complete):
    data = complete[name]
    train = {image.tobytes() for image in data.x_train}
    assert not any(image.tobytes() in train for image in data.x_test)


def test_classes_differ_by_their_mean_picture(name, complete):
    """Labels belong to the pictures: the nearest class mean is right far more often than one time in ten."""
    data = complete[name]
    flat = data.x_train.reshape(len(data.x_train), -1).astype("float32")
    means = np.stack([flat[data.y_train == c].mean(0) for c in range(10)])
    test = data.x_test[:500].reshape(500, -1).astype("float32")
    nearest = ((test[:, None] - means) ** 2).sum(-1).argmin(1)
    assert np.mean(nearest == data.y_test[:500]) > {"fashion_mnist": 0.6, "cifar10": 0.2}[name]


def test_floats_lie_between_0_and_1(name, complete):
    data = LOADERS[name](size=20, test_size=10)
    assert data.x_train.dtype == np.float32
    np.testing.assert_allclose(data.x_train, complete[name].x_train[:20] / 255.0, atol=1e-7)
    assert data.x_train.min() >= 0
    assert 0.9 < data.x_train.max() <= 1


@pytest.mark.parametrize("size", [1, 7, 10, 1_999, 2_000, 2_001])
def test_a_smaller_set_is_balanced_and_the_beginning_of_a_larger_one(name, size, complete):
    data = LOADERS[name](size=size, test_size=size if size <= 2_000 else None, dtype="uint8")
    np.testing.assert_array_equal(data.x_train, complete[name].x_train[:size])
    np.testing.assert_array_equal(data.y_train, complete[name].y_train[:size])
    assert len(data.y_test) == min(size, 2_000)
    counts = np.bincount(data.y_train, minlength=10)
    assert counts.max() - counts.min() <= 1


def test_only_the_sheets_needed_are_read(name, monkeypatch):
    paths = []
    read = datasets.read
    monkeypatch.setattr(datasets, "read", lambda path: paths.append(path) or read(path))
    LOADERS[name](size=2_001, test_size=5)
    assert paths == [f"{name}/train_1.webp", f"{name}/train_2.webp", f"{name}/test_1.webp"]


def test_every_call_gives_arrays_of_its_own(name):
    first = LOADERS[name](size=10, test_size=10)
    first.x_train[:] = 0
    assert LOADERS[name](size=10, test_size=10).x_train.max() > 0


def test_a_dataset_unpacks_and_prints_briefly():
    data = datasets.fashion_mnist(size=10, test_size=10)
    x_train, y_train, x_test, y_test, class_names = data
    assert x_train is data.x_train
    assert class_names[9] == "Ankle boot"
    assert repr(data) == "Dataset(x_train (10, 28, 28, 1) float32, x_test (10, 28, 28, 1), 10 classes)"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"size": 0}, ValueError, "1 to 10000"),
        ({"size": 10_001}, ValueError, "full=True"),
        ({"size": -5}, ValueError, "size=-5"),
        ({"size": 100.0}, TypeError, "whole number"),
        ({"size": True}, TypeError, "whole number"),
        ({"test_size": 2_001}, ValueError, "test_size=2001"),
        ({"dtype": "float16"}, ValueError, "'float32'.*'uint8'"),
    ],
)
def test_bad_arguments(settings, error, message):
    with pytest.raises(error, match=message):
        datasets.fashion_mnist(**settings)


def test_loading_needs_no_keras_and_importing_no_pillow():
    code = (
        "import sys; from cnnlib import datasets; assert 'PIL' not in sys.modules; "
        "datasets.fashion_mnist(size=1, test_size=1); assert 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=runtime.root())


# --- photographs and names -------------------------------------------------------------------------------------------


def test_photographs_are_colour_pictures():
    pictures = datasets.photographs()
    assert tuple(pictures) == datasets.photograph_names()
    assert 6 <= len(pictures) <= 12
    for picture in pictures.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
        assert min(picture.shape[:2]) >= 150
        assert picture.std() > 5


def test_grey_photographs_have_equal_channels():
    grey = [name for name in datasets.photograph_names() if "grey" in datasets.photograph_facts(name)["shows"]]
    assert len(grey) == 4
    for name in datasets.photograph_names():
        picture = datasets.photograph(name)
        assert (np.ptp(picture, axis=-1).max() == 0) == (name in grey)


def test_photograph_sizes():
    assert datasets.photograph("cat", 224).shape == (224, 224, 3)
    assert datasets.photograph("cat", (96, 128)).shape == (96, 128, 3)
    assert datasets.photograph("cat", np.int64(64)).shape == (64, 64, 3)
    np.testing.assert_array_equal(datasets.photograph("cat", (300, 451)), datasets.photograph("cat"))


def test_a_part_is_cut_from_the_centre_without_distortion():
    np.testing.assert_array_equal(datasets.photograph("cat", (300, 301)), datasets.photograph("cat")[:, 75:376])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("dog",), ValueError, "no photograph 'dog'; there are: cat, coffee"),
        (("cat", 0), ValueError, "size=0"),
        (("cat", (10, 20, 3)), ValueError, "height, width"),
        (("cat", "large"), ValueError, "height, width"),
        (("cat", 10.5), ValueError, "height, width"),
    ],
)
def test_bad_photographs(arguments, error, message):
    with pytest.raises(error, match=message):
        datasets.photograph(*arguments)


def test_facts_name_author_licence_and_classes():
    names = datasets.imagenet_classes()
    classes = {name: [names[i] for i in datasets.photograph_facts(name)["imagenet"]] for name in datasets.photographs()}
    assert classes["cat"] == ["tabby", "tiger cat", "Egyptian cat"]
    assert classes["coffee"] == ["espresso"]
    assert classes["astronaut"] == []
    for name in datasets.photograph_names():
        facts = datasets.photograph_facts(name)
        assert facts["author"]
        assert facts["licence"] in ("CC0", "public domain", "no known copyright restrictions")
    with pytest.raises(ValueError, match="no photograph"):
        datasets.photograph_facts("dog")


def test_imagenet_names():
    names, synsets = datasets.imagenet_classes(), datasets.imagenet_synsets()
    assert len(names) == len(set(names)) == len(synsets) == 1000
    assert synsets == sorted(synsets)
    known = {0: "tench", 134: "crane (bird)", 281: "tabby", 517: "crane (machine)", 639: "tank suit", 967: "espresso"}
    assert {i: names[i] for i in known} == known
    assert (synsets[0], synsets[281]) == ("n01440764", "n02123045")
    names.clear()
    assert len(datasets.imagenet_classes()) == 1000


def test_summary_lists_the_sets():
    text = " ".join(repr(datasets.summary()).split())
    assert "Fashion-MNIST 10,000 2,000" in text
    assert "CIFAR-10" in text
    assert "photographs 10" in text
    assert "nuclei 6 3 160x160x1" in text
    assert "pets 5" in text
    assert "tree crowns 1 area 3 areas" in text


# --- pictures with masks ---------------------------------------------------------------------------------------------


def test_nuclei_are_split_by_region():
    nuclei = datasets.nuclei()
    assert nuclei.x_train.shape == (6, 160, 160, 1)
    assert nuclei.x_test.shape == (3, 160, 160, 1)
    assert nuclei.y_train.shape == (6, 160, 160)
    assert nuclei.x_train.dtype == np.float32
    assert nuclei.y_test.dtype == np.int32
    assert nuclei.x_train.min() >= 0
    assert 0.5 < nuclei.x_train.max() <= 1
    train, test = (set(np.unique(y)) - {0} for y in (nuclei.y_train, nuclei.y_test))
    assert not train & test, "a nucleus is on both sides"
    assert len(train) > 80
    assert len(test) > 30
    assert repr(nuclei) == "Nuclei(x_train (6, 160, 160, 1) float32, x_test (3, 160, 160, 1))"


def test_nuclei_have_their_masks_on_them():
    image, labels = datasets.nuclei_image()
    assert image.shape == (512, 512, 1)
    assert len(np.unique(labels)) == 126
    assert image[labels > 0].mean() > 2 * image[labels == 0].mean()
    (left, _), (right, _) = datasets.nuclei_image("train"), datasets.nuclei_image("test")
    np.testing.assert_array_equal(left, image[:, :320])
    np.testing.assert_array_equal(right, image[:, 352:])


@pytest.mark.parametrize(("tile", "train", "test"), [(64, 40, 16), (128, 8, 4), (16, 640, 320)])
def test_nuclei_in_smaller_tiles(tile, train, test):
    nuclei = datasets.nuclei(tile)
    assert nuclei.x_train.shape == (train, tile, tile, 1)
    assert nuclei.y_test.shape == (test, tile, tile)
    image, labels = datasets.nuclei_image("train")
    np.testing.assert_array_equal(nuclei.x_train[0], image[:tile, :tile])
    np.testing.assert_array_equal(nuclei.y_train[-1], labels[-tile:, -tile:])


def test_nuclei_refuse():
    for tile in (15, 161, 64.0, True):
        with pytest.raises(ValueError, match="from 16 to 160"):
            datasets.nuclei(tile)
    with pytest.raises(ValueError, match="'train', 'test' or None"):
        datasets.nuclei_image("left")


def test_pets():
    pets = datasets.pets()
    assert [pet.species for pet in pets] == ["cat", "cat", "dog", "cat", "cat"]
    assert len({pet.name for pet in pets}) == 5
    for pet in pets:
        assert pet.species in datasets.VOC_CLASSES
        assert pet.species in datasets.COCO_CLASSES
        height, width = pet.mask.shape
        assert pet.image.shape == (height, width, 3)
        assert max(height, width) <= 400
        assert set(np.unique(pet.mask)) == {0, 1, 255}
        x0, y0, x1, y1 = pet.box
        inside = pet.mask == 1
        assert inside.sum() == inside[y0:y1, x0:x1].sum()
        assert inside[y0].any()
        assert inside[y1 - 1].any()
        assert inside[:, x0].any()
        assert inside[:, x1 - 1].any()
        a, b, c, d = pet.head
        assert 0 <= a < c <= width
        assert 0 <= b < d <= height
        assert inside[b:d, a:c].mean() > 0.4, "the head is a part of the animal"


# --- the complete sets -----------------------------------------------------------------------------------------------


@pytest.fixture
def complete_sets(monkeypatch, complete):
    """Stand-ins for keras.datasets: the bundled part in a shuffled order, with the sha256 that this has."""
    import keras

    served = {}
    for name, bundle in (("fashion_mnist", "_FASHION_MNIST"), ("cifar10", "_CIFAR10")):
        data = complete[name]
        # All of class 9 first, then of class 8: the order inside a class is that of the bundled set.
        arrays = []
        for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
            order = np.argsort(-y, kind="stable")
            labels = y[order].astype(np.uint8)
            arrays.append((x[order].squeeze(), labels if name == "fashion_mnist" else labels[:, None]))
        digest = hashlib.sha256(b"".join(array.tobytes() for pair in arrays for array in pair)).hexdigest()
        sizes = (len(data.y_train), len(data.y_test))
        monkeypatch.setattr(datasets, bundle, getattr(datasets, bundle)._replace(full_sizes=sizes, full_sha256=digest))
        served[name] = arrays
        monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda name=name: served[name])
    return served


def test_full_agrees_with_the_bundled_part(name, complete, complete_sets):
    data = LOADERS[name](full=True, dtype="uint8")
    np.testing.assert_array_equal(data.x_train, complete[name].x_train)
    np.testing.assert_array_equal(data.y_train, complete[name].y_train)
    np.testing.assert_array_equal(data.x_test, complete[name].x_test)
    assert data.y_test.dtype == np.int64
    part = LOADERS[name](size=50, test_size=30, full=True)
    np.testing.assert_allclose(part.x_train, complete[name].x_train[:50] / 255.0, atol=1e-7)


def test_full_is_verified(name, complete_sets):
    complete_sets[name][0][0][5] ^= 1
    with pytest.raises(datasets.DataError, match="damaged or incomplete.*sha256"):
        LOADERS[name](full=True)


def test_full_knows_its_own_size():
    with pytest.raises(ValueError, match="1 to 50000"):
        datasets.cifar10(size=60_000, full=True)


OFFLINE = """
from pathlib import Path
from cnnlib import datasets, runtime
runtime.setup()

def attempt(load):
    try:
        load(full=True)
    except datasets.DataError as error:
        print("DataError:", error)

attempt(datasets.cifar10)
attempt(datasets.fashion_mnist)
folder = Path({folder!r}, "datasets", "fashion-mnist")
folder.mkdir(parents=True, exist_ok=True)
for name in ("train-labels-idx1", "train-images-idx3", "t10k-labels-idx1", "t10k-images-idx3"):
    (folder / f"{{name}}-ubyte.gz").write_bytes(b"\\x1f\\x8b\\x08\\0\\0\\0\\0\\0\\0\\xff")
attempt(datasets.fashion_mnist)
"""


def test_full_says_so_when_offline_or_when_the_download_was_cut(tmp_path):
    """The real keras.datasets with an empty cache and the network blocked: in another process, for its cache folder.

    Keras keeps a truncated Fashion-MNIST for good, as it knows no checksum of it.
    """
    import keras

    settings = {"KERAS_HOME": str(tmp_path), "CNNLIB_OFFLINE": "1", "KERAS_BACKEND": keras.backend.backend()}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE.format(folder=str(tmp_path))],
        env=os.environ | settings | {"PYTHONUTF8": "1"},
        cwd=runtime.root(),
        capture_output=True,
        encoding="utf-8",
    )
    messages = done.stdout.split("DataError: ")[1:]
    assert len(messages) == 3, done.stdout + done.stderr
    for message, title in zip(messages, ("CIFAR-10", "Fashion-MNIST")):
        assert message.startswith(f"The complete {title} is downloaded once, and the download failed")
        assert "CNNLIB_OFFLINE=1" in message
        assert "leave out full=True" in message
    assert "The downloaded copy of Fashion-MNIST is damaged or incomplete" in messages[2]
    assert "Delete fashion-mnist" in messages[2]


# --- damage ----------------------------------------------------------------------------------------------------------

FILE = "photographs/brick.webp"


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A small copy of the course as git would leave it, with the photographs only; its folder data/."""
    source = runtime.root() / "data"
    (tmp_path / ".git").mkdir()
    shutil.copytree(source / "photographs", tmp_path / "data" / "photographs")
    shutil.copy(source / "manifest.json", tmp_path / "data")
    shutil.copy(source / "imagenet_classes.txt", tmp_path / "data")
    monkeypatch.delenv("CNNLIB_DATA", raising=False)
    monkeypatch.setattr(runtime, "root", lambda: tmp_path)
    return tmp_path / "data"


def error_of(action) -> str:
    with pytest.raises(datasets.DataError) as caught:
        action()
    return str(caught.value)


def load_brick() -> str:
    return error_of(lambda: datasets.photograph("brick"))


MEND = "git checkout -- data/manifest.json data/photographs/brick.webp"


def test_the_copy_is_sound(checkout):
    assert datasets.photograph("brick").shape == (256, 256, 3)


def test_a_missing_file(checkout):
    (checkout / FILE).unlink()
    message = load_brick()
    assert "data/photographs/brick.webp is missing" in message
    assert MEND in message


def test_a_truncated_file(checkout):
    data = (checkout / FILE).read_bytes()
    (checkout / FILE).write_bytes(data[:-1])
    message = load_brick()
    assert f"data/photographs/brick.webp is truncated: {len(data) - 1} of {len(data)} bytes" in message
    assert MEND in message


def test_an_empty_file(checkout):
    (checkout / FILE).write_bytes(b"")
    assert "is truncated: 0 of" in load_brick()


def test_a_file_that_grew(checkout):
    """As when line endings are translated."""
    (checkout / FILE).write_bytes((checkout / FILE).read_bytes() + b"\r")
    assert "is too long" in load_brick()


@pytest.mark.parametrize("position", [0, 1000, -1])
def test_one_byte_altered(checkout, position):
    data = bytearray((checkout / FILE).read_bytes())
    data[position] ^= 1
    (checkout / FILE).write_bytes(data)
    message = load_brick()
    assert "data/photographs/brick.webp was altered" in message
    assert MEND in message


def test_a_file_that_cannot_be_read(checkout):
    (checkout / FILE).unlink()
    (checkout / FILE).mkdir()  # reading it fails for every user, the superuser included
    message = load_brick()
    assert "data/photographs/brick.webp cannot be read" in message
    assert MEND in message


def test_a_read_only_folder_is_enough(checkout):
    for path in [*checkout.rglob("*"), checkout]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert datasets.photograph("brick").shape == (256, 256, 3)
    finally:
        for path in [checkout, *checkout.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_file_of_another_version(checkout):
    """A file that the manifest does not know, as after copying new code over old data."""
    manifest = json.loads((checkout / "manifest.json").read_text("utf-8"))
    del manifest["files"][FILE]
    (checkout / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    message = load_brick()
    assert "data/photographs/brick.webp is not in data/manifest.json" in message
    assert MEND in message


def test_a_manifest_of_another_version(checkout):
    manifest = json.loads((checkout / "manifest.json").read_text("utf-8"))
    (checkout / "manifest.json").write_text(json.dumps(manifest | {"version": 2}), "utf-8")
    message = load_brick()
    assert "data/manifest.json has version 2, this cnnlib reads version 1" in message
    assert "git checkout -- data" in message


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 1, "files": []}', '{"version": 1, "files": {"a": {}}}']
)
def test_a_damaged_manifest(checkout, text):
    (checkout / "manifest.json").write_text(text, "utf-8")
    message = load_brick()
    assert "data/manifest.json is damaged" in message
    assert "git checkout -- data" in message


def test_a_missing_manifest_and_a_missing_folder(checkout):
    (checkout / "manifest.json").unlink()
    assert "data/manifest.json is missing" in load_brick()
    shutil.rmtree(checkout)
    assert "data/manifest.json is missing" in load_brick()


def test_not_a_git_checkout(checkout):
    (checkout.parent / ".git").rmdir()
    (checkout / FILE).unlink()
    message = load_brick()
    assert "not a git checkout: download it again" in message
    assert "python tools/prepare_data.py packages --fetch" in message


def test_data_moved_elsewhere(checkout, tmp_path, monkeypatch):
    other = tmp_path / "elsewhere"
    shutil.copytree(checkout, other)
    (other / FILE).unlink()
    monkeypatch.setenv("CNNLIB_DATA", str(other))
    message = load_brick()
    assert (other / FILE).as_posix() in message
    assert "unset it" in message


def test_damage_is_seen_also_after_a_first_load(checkout):
    datasets.imagenet_classes()
    assert datasets.photograph("brick").shape == (256, 256, 3)
    data = bytearray((checkout / FILE).read_bytes())
    data[500] ^= 1
    (checkout / FILE).write_bytes(data)
    assert "was altered" in load_brick()
