"""Image files as they come from strangers: odd ones and damaged ones, made by a seeded generator.

PYTHONPATH=. python tests/support/odd_images.py     # writes docs/odd_images.md: what each kind gets
"""

from __future__ import annotations

import collections
import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image


class OddFile(NamedTuple):
    """Bytes of a file, what is odd about them, and what they should get: "answer", "error", or "either".

    "either" is for damage at random places, which may or may not hit what a decoder looks at.
    """

    kind: str
    name: str
    data: bytes
    expected: str


def odd_files(count: int = 200, seed: int = 0) -> Iterator[OddFile]:
    """``count`` files, all kinds in turn."""
    rng = np.random.default_rng(seed)
    kinds = list(KINDS.items())
    for number in range(count):
        kind, (make, expected) = kinds[number % len(kinds)]
        data, suffix = make(rng)
        yield OddFile(kind, f"{number:03d}.{suffix}", data, expected)


# --- pictures --------------------------------------------------------------------------------------------------------


def picture(rng: np.random.Generator, height: int | None = None, width: int | None = None) -> Image.Image:
    """Smooth colours with a few blobs, so that JPEG has something to do."""
    height, width = height or int(rng.integers(20, 120)), width or int(rng.integers(20, 120))
    y, x = np.mgrid[:height, :width]
    planes = []
    for _ in range(3):
        a, b, c = rng.uniform(-0.2, 0.2, 3)
        planes.append(127 + 100 * np.sin(a * x + b * y + 6 * c) + rng.normal(0, 6, (height, width)))
    return Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _plain(kind: str, suffix: str, **options) -> Callable:
    return lambda rng: (saved(picture(rng), kind, **options), suffix)


def _converted(mode: str, kind: str, suffix: str) -> Callable:
    return lambda rng: (saved(picture(rng).convert(mode), kind), suffix)


def _oriented(rng):
    exif = Image.Exif()
    exif[0x0112] = int(rng.integers(2, 9))
    return saved(picture(rng), "JPEG", exif=exif), "jpg"


def _strange_exif(rng):
    exif = Image.Exif()
    exif[0x0112] = int(rng.choice([0, 9, 77]))
    data = bytearray(saved(picture(rng), "JPEG", exif=exif))
    place = data.index(b"Exif") + 14
    data[place : place + 6] = rng.bytes(6)
    return bytes(data), "jpg"


def _sixteen(rng):
    values = rng.integers(0, 65536, (30, 40)).astype(np.uint16)
    return saved(Image.fromarray(values), "PNG" if rng.random() < 0.5 else "TIFF"), "png"


def _floats(rng):
    return saved(Image.fromarray(rng.random((20, 30)).astype("float32")), "TIFF"), "tif"


def _floats_out_of_range(rng):
    return saved(Image.fromarray((rng.normal(size=(20, 30)) * 100).astype("float32")), "TIFF"), "tif"


def _alpha(rng):
    image = picture(rng)
    image.putalpha(Image.fromarray(rng.integers(0, 256, (image.size[1], image.size[0])).astype(np.uint8)))
    return saved(image, str(rng.choice(["PNG", "WEBP"]))), "png"


def _palette(rng):
    image = picture(rng).quantize(int(rng.integers(2, 200)))
    options = {"transparency": 0} if rng.random() < 0.5 else {}
    return saved(image, "PNG", **options), "png"


def _animated(kind: str, suffix: str) -> Callable:
    def make(rng):
        frames = [picture(rng, 40, 50) for _ in range(3)]
        return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50), suffix

    return make


def _of_size(height: int, width: int) -> Callable:
    return lambda rng: (saved(picture(rng, height, width), str(rng.choice(["PNG", "JPEG"]))), "png")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _bomb(rng):
    """A PNG of a few hundred bytes that announces up to 2.5 billion pixels."""
    side = int(rng.integers(10_000, 50_001))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b""), "png"


def _no_pixels(rng):
    header = struct.pack(">IIBBBBB", 0, int(rng.integers(0, 9)), 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IEND", b""), "png"


# --- damage ----------------------------------------------------------------------------------------------------------


def _some(rng) -> tuple[bytes, str]:
    kind, suffix = [("JPEG", "jpg"), ("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp"), ("BMP", "bmp"), ("TIFF", "tif")][
        int(rng.integers(6))
    ]
    return saved(picture(rng, 60, 80), kind), suffix


def _cut(low: float, high: float) -> Callable:
    def make(rng):
        data, suffix = _some(rng)
        return data[: max(1, int(len(data) * rng.uniform(low, high)))], suffix

    return make


def _flipped(rng):
    data, suffix = _some(rng)
    values = bytearray(data)
    for place in rng.integers(0, len(values), max(1, len(values) // 200)):
        values[place] ^= int(rng.integers(1, 256))
    return bytes(values), suffix


def _overwritten(rng):
    data, suffix = _some(rng)
    place = int(rng.integers(0, max(1, len(data) - 40)))
    return data[:place] + rng.bytes(40) + data[place + 40 :], suffix


def _zeros_at_the_end(rng):
    data, suffix = _some(rng)
    place = int(len(data) * rng.uniform(0.3, 0.9))
    return data[:place] + bytes(len(data) - place), suffix


def _trailing(rng):
    data, suffix = _some(rng)
    return data + rng.bytes(int(rng.integers(1, 500))), suffix


def _shuffled(rng):
    data, suffix = _some(rng)
    middle = np.frombuffer(data[64:], np.uint8).copy()
    rng.shuffle(middle)
    return data[:64] + middle.tobytes(), suffix


def _wrong_suffix(rng):
    data, suffix = _some(rng)
    return data, "png" if suffix != "png" else "jpg"


def _noise(rng):
    return b"~" + rng.bytes(int(rng.integers(1, 3000))), "jpg"


def _header_and_noise(rng):
    start = [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"RIFF\x10\0\0\0WEBP", b"BM"]
    return start[int(rng.integers(len(start)))] + rng.bytes(int(rng.integers(0, 400))), "png"


PAGE = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
KINDS: dict[str, tuple[Callable, str]] = {
    "JPEG": (_plain("JPEG", "jpg"), "answer"),
    "PNG": (_plain("PNG", "png"), "answer"),
    "progressive JPEG": (_plain("JPEG", "jpg", progressive=True), "answer"),
    "EXIF orientation": (_oriented, "answer"),
    "strange EXIF": (_strange_exif, "answer"),
    "CMYK JPEG": (_converted("CMYK", "JPEG", "jpg"), "answer"),
    "CMYK TIFF": (_converted("CMYK", "TIFF", "tif"), "answer"),
    "YCbCr TIFF": (_converted("YCbCr", "TIFF", "tif"), "answer"),
    "LAB TIFF": (_converted("LAB", "TIFF", "tif"), "error"),
    "grey": (_converted("L", "PNG", "png"), "answer"),
    "one bit": (_converted("1", "PNG", "png"), "answer"),
    "16-bit grey": (_sixteen, "answer"),
    "floats in [0, 1]": (_floats, "answer"),
    "floats beyond": (_floats_out_of_range, "error"),
    "alpha": (_alpha, "answer"),
    "grey with alpha": (_converted("LA", "PNG", "png"), "answer"),
    "palette": (_palette, "answer"),
    "animated GIF": (_animated("GIF", "gif"), "answer"),
    "animated WebP": (_animated("WEBP", "webp"), "answer"),
    "several pages": (_animated("TIFF", "tif"), "answer"),
    "1x1": (_of_size(1, 1), "answer"),
    "20000x1": (_of_size(1, 20_000), "answer"),
    "1x20000": (_of_size(20_000, 1), "answer"),
    "decompression bomb": (_bomb, "error"),
    "no pixels": (_no_pixels, "error"),
    "empty": (lambda rng: (b"", "png"), "error"),
    "noise": (_noise, "error"),
    "a page in place of a file": (lambda rng: (PAGE, "jpg"), "error"),
    "a document": (lambda rng: (b"%PDF-1.7\n" + rng.bytes(200), "png"), "error"),
    "header, then noise": (_header_and_noise, "error"),
    "cut in the header": (_cut(0.0, 0.02), "error"),
    "cut in the middle": (_cut(0.3, 0.8), "either"),
    "last bytes missing": (_cut(0.95, 0.995), "either"),
    "bytes flipped": (_flipped, "either"),
    "40 bytes overwritten": (_overwritten, "either"),
    "zeros at the end": (_zeros_at_the_end, "either"),
    "bytes shuffled": (_shuffled, "either"),
    "bytes after the end": (_trailing, "answer"),
    "another suffix": (_wrong_suffix, "answer"),
}


# --- the table -------------------------------------------------------------------------------------------------------


def table(count: int = 200, seed: int = 0) -> str:
    """What `cnnlib.pipeline.decode` makes of ``count`` files, by kind, as Markdown."""
    import PIL

    from cnnlib.pipeline import ImageError, decode

    got: dict[str, collections.Counter] = {kind: collections.Counter() for kind in KINDS}
    notes: dict[str, set] = {kind: set() for kind in KINDS}
    for file in odd_files(count, seed):
        try:
            found = decode(file.data)
        except ImageError as error:
            got[file.kind][f"`{error.code}`"] += 1
        else:
            got[file.kind]["a picture"] += 1
            notes[file.kind] |= {re.sub(r"[2-8](?= undone)", "n", note) for note in found.notes}
    lines = [
        "# What odd and damaged image files get",
        "",
        f"{count} files made by `tests/support/odd_images.py` (seed {seed}), given to `cnnlib.pipeline.decode` with "
        f"Pillow {PIL.__version__}: none",
        "raises anything but an `ImageError` with one of the codes below. What damage at random places gets depends on "
        "where it hits.",
        "",
        "| kind | what it gets | notes in the answer |",
        "|---|---|---|",
    ]
    for kind, counter in got.items():
        said = ", ".join(f"{what} ({number})" for what, number in counter.most_common())
        lines.append(f"| {kind} | {said} | {'; '.join(sorted(notes[kind]))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / "docs" / "odd_images.md"
    target.write_text(table(), encoding="utf-8", newline="\n")
    print(target.read_text(encoding="utf-8"))
