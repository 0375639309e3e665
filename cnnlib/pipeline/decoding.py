"""From a path, bytes, a Pillow image or an array to eight-bit RGB pixels, or an error that says why not. Lesson 14.

Files come from strangers. Whatever is in them, `decode` gives a picture or an `ImageError` with a code, in bounded
memory: sizes are read from the header before a pixel is. What Pillow leaves to its caller is settled here: the
orientation that a camera wrote beside the pixels is undone, transparency is laid on a ground, sixteen bits become
eight, of an animation the first frame counts.
"""

from __future__ import annotations

import functools
import io
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CODES", "Decoded", "ImageError", "decode", "name_of"]

# What can be wrong with an image, as `ImageError.code`.
CODES = {
    "missing": "there is no such file",
    "unreadable": "the file cannot be opened or read",
    "empty": "there is nothing in it: no bytes, or no pixels",
    "not_an_image": "the bytes are no image of a kind that is read here",
    "truncated": "the image ends before all its pixels have come",
    "damaged": "the bytes begin as an image and cannot be decoded",
    "unsupported": "an image of a kind that has no defined meaning as RGB",
    "too_large": "more pixels or bytes than are allowed",
    "bad_array": "an array whose shape, type or values are not those of one image",
}

MAX_PIXELS = 64_000_000  # 192 MB as RGB; the largest camera with a sensor of 24 x 36 mm gives 61 million
MAX_BYTES = 256_000_000
# Not among them: what runs another program (EPS), and what is no picture (PDF, video).
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "TGA", "ICO")
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP", b"RIFF")
ORIENTATION = 0x0112  # the EXIF tag
WHITE = (255, 255, 255)


class ImageError(ValueError):
    """An image that has no answer. ``code`` is one of `CODES`, for programs; the message is for people."""

    def __init__(self, code: str, message: str):
        if code not in CODES:
            raise ValueError(f"code={code!r}: an ImageError has one of {', '.join(CODES)}.")
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Decoded:
    """A decoded picture.

    Attributes:
        image: Pillow image, mode "RGB", turned as it is meant to be seen.
        name: the file's name without its folder, None of bytes and arrays.
        format: "JPEG", "PNG", ...; "array" or "image" of what was no file.
        notes: what was settled on the way, in words, as "EXIF orientation 6 undone".
    """

    image: Any
    name: str | None = None
    format: str = "array"
    notes: tuple[str, ...] = field(default=())

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.size[1], self.image.size[0]

    @property
    def pixels(self) -> np.ndarray:
        """uint8 (height, width, 3)."""
        return np.asarray(self.image)


def decode(
    source, *, background: tuple[int, int, int] = WHITE, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES
) -> Decoded:
    """One picture from a path, bytes, an open binary file, a Pillow image, or an array.

    Arrays are (height, width), (height, width, 1), (h, w, 3) or (h, w, 4) with the range of their type: uint8 0..255,
    uint16 0..65535, floats and bool 0..1. The same holds for the numbers in files: 16 bits are divided by 257.

    Args:
        source: see above.
        background: what shines through transparent pixels, RGB.
        max_pixels: the most that are decoded; a file that announces more is refused before it is.
        max_bytes: the most that are read of a file.

    Raises:
        ImageError: there is no picture; ``code`` says why.
        TypeError: ``source`` is something else altogether.
    """
    from PIL import Image

    if isinstance(source, Decoded):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _from_bytes(_read(path, max_bytes), path.name, background, max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(source), None, background, max_pixels, max_bytes)
    if isinstance(source, Image.Image):
        return _from_image(source, _of_file(source), source.format or "image", background, max_pixels)
    if isinstance(source, np.ndarray):
        image, notes = _from_array(source)
        return _finished(image, None, "array", notes, background)
    if hasattr(source, "read"):
        data = source.read(max_bytes + 1)
        if not isinstance(data, bytes):
            raise TypeError("decode: the open file gives text, not bytes. Open it with mode 'rb'.")
        return _from_bytes(data, name_of(source), background, max_pixels, max_bytes)
    if hasattr(source, "__array__"):  # a tensor of a backend
        image, notes = _from_array(np.asarray(source))
        return _finished(image, None, "array", notes, background)
    raise TypeError(
        f"decode: {type(source).__name__} is no image; expected a path, bytes, an open binary file, a Pillow image or "
        "an array (height, width, 3). Of several images give one at a time."
    )


def name_of(source) -> str | None:
    """How a source is called in answers and messages: the name of its file, None if it has none."""
    if isinstance(source, (str, os.PathLike)):
        return Path(source).name
    if isinstance(source, Decoded):
        return source.name
    name = getattr(source, "name", None) or getattr(source, "filename", None)
    return os.path.basename(name) if isinstance(name, str) and name else None


def _of_file(image) -> str | None:
    name = getattr(image, "filename", "")
    return os.path.basename(name) if isinstance(name, str) and name else None


# --- files -----------------------------------------------------------------------------------------------------------


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        if path.is_dir():
            raise ImageError("unreadable", f"{path.name}: this is a folder; give the files in it.")
        size = path.stat().st_size
        if size > max_bytes:
            raise ImageError("too_large", f"{path.name}: {size:,} bytes; at most {max_bytes:,} are read.")
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError("missing", f"{path.name}: there is no such file. Is the folder right?") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        if isinstance(error, ImageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ImageError("unreadable", f"{path.name}: the file cannot be read ({reason}).") from error


def _from_bytes(
    data: bytes, name: str | None, background: tuple, max_pixels: int, max_bytes: int = MAX_BYTES
) -> Decoded:
    from PIL import Image, UnidentifiedImageError

    what = name or "the image"
    if not data:
        raise ImageError("empty", f"{what}: 0 bytes. Was the upload or the copy cut short?")
    if len(data) > max_bytes:
        raise ImageError("too_large", f"{what}: more than {max_bytes:,} bytes.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large images, of odd EXIF: both are settled here
        try:
            image = Image.open(io.BytesIO(data), formats=_formats())
        except Image.DecompressionBombError:
            raise _bomb(what, "it announces hundreds of millions of", max_pixels) from None
        except UnidentifiedImageError:
            raise _unknown(what, data) from None
        except Exception as error:  # a header of strange bytes may make a decoder raise anything
            raise ImageError("damaged", f"{what}: its header cannot be read ({_said(error)}).") from error
        return _from_image(image, name, image.format or "image", background, max_pixels)


def _from_image(image, name: str | None, kind: str, background: tuple, max_pixels: int) -> Decoded:
    what = name or "the image"
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageError("empty", f"{what}: {width}x{height} pixels.")
    if width * height > max_pixels:
        raise _bomb(what, f"{width}x{height} = {width * height:,}", max_pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image.load()
            notes: list[str] = []
            turn = _orientation(image, notes)
            rgb = _rgb(image, notes, background, what)
            rgb = rgb if turn is None else rgb.transpose(turn)
            _count_frames(image, notes)
        except ImageError:
            raise
        except MemoryError:
            raise ImageError("too_large", f"{what}: {width}x{height} pixels do not fit into memory.") from None
        except Exception as error:  # whatever a decoder raises on strange bytes: OSError, SyntaxError, IndexError, ...
            cut = "truncat" in str(error).lower() or isinstance(error, EOFError)
            if cut:
                raise ImageError(
                    "truncated", f"{what}: the file ends before its last pixel. Was the copy cut short?"
                ) from error
            raise ImageError("damaged", f"{what}: its pixels cannot be decoded ({_said(error)}).") from error
    return Decoded(rgb, name, kind, tuple(notes))


def _finished(image, name, kind: str, notes: list[str], background: tuple) -> Decoded:
    return Decoded(_rgb(image, notes, background, name or "the image"), name, kind, tuple(notes))


@functools.cache
def _formats() -> list[str]:
    """Those of FORMATS that this build of Pillow reads."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _bomb(what: str, pixels: str, most: int) -> ImageError:
    return ImageError(
        "too_large",
        f"{what}: {pixels} pixels; at most {most:,} are decoded. A small file may announce more pixels than fit into "
        "memory. If this picture is meant, raise max_pixels.",
    )


def _unknown(what: str, data: bytes) -> ImageError:
    if data.startswith(BEGINNINGS):
        return ImageError("damaged", f"{what}: it begins as an image, and its header is broken or cut short.")
    shown = data[:8]
    kind = ""
    if data[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"{", b"<?xml", b"<svg")):
        kind = " It is text: has a server sent a page in its place?"
    elif data.startswith((b"%PDF", b"%!PS")):
        kind = " It is a document: render its pages to images first."
    return ImageError("not_an_image", f"{what}: no image that is read here; it begins with {shown!r}.{kind}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


# --- what Pillow leaves to its caller --------------------------------------------------------------------------------


def _orientation(image, notes: list[str]):
    """The transposition that undoes the EXIF orientation, or None. Broken EXIF is no reason to refuse the pixels."""
    from PIL import Image

    methods = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:
        notes.append("EXIF damaged, left out")
        return None
    if orientation not in methods:
        return None
    notes.append(f"EXIF orientation {orientation} undone")
    return methods[orientation]


def _rgb(image, notes: list[str], background: tuple, what: str):
    """Any mode as RGB."""
    from PIL import Image

    mode = image.mode
    if mode in ("I", "F") or mode.startswith("I;16"):
        image = _eight_bits(np.asarray(image), mode, notes, what)
        mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return image
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        if rgba.getextrema()[3][0] == 255:
            return rgba.convert("RGB")
        notes.append(f"transparency laid on {tuple(background)}")
        ground = Image.new("RGBA", rgba.size, (*background, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    if mode == "CMYK":
        notes.append("CMYK converted without its colour profile")
    elif mode not in ("1", "L", "P", "YCbCr", "RGBX", "HSV"):
        raise ImageError("unsupported", f"{what}: its colours are {mode!r}, which Pillow cannot turn into RGB.")
    return image.convert("RGB")


def _eight_bits(values: np.ndarray, mode: str, notes: list[str], what: str):
    """Grey of more than eight bits, by the range of its type."""
    from PIL import Image

    if mode == "F":
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise ImageError("unsupported", f"{what}: grey floats in {_range(values)}; expected [0, 1].")
        notes.append("floats of 0..1 as 8 bits")
        return Image.fromarray(np.round(values * 255).astype(np.uint8))
    if values.min() < 0 or values.max() > 65535:
        raise ImageError("unsupported", f"{what}: grey numbers in {_range(values)}; expected 0..65535.")
    notes.append("16 bits as 8: divided by 257")
    return Image.fromarray(_divided(values))


def _divided(values: np.ndarray) -> np.ndarray:
    """0..65535 to 0..255, rounded: 257 is 65535 / 255."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _range(values: np.ndarray) -> str:
    return f"[{values.min():g}, {values.max():g}]"


def _count_frames(image, notes: list[str]) -> None:
    try:
        frames = getattr(image, "n_frames", 1) if getattr(image, "is_animated", False) else 1
    except Exception:  # later frames may be damaged; the first has been decoded
        frames = 1
    if frames > 1:
        notes.append(f"the first of {frames} frames")


# --- arrays ----------------------------------------------------------------------------------------------------------


def _from_array(array: np.ndarray):
    """A Pillow image of an array, and notes; ImageError if it is no image."""
    from PIL import Image

    shape = array.shape
    if 0 in shape:
        raise ImageError("empty", f"the array has shape {shape}: no pixels.")
    if array.ndim == 4:
        raise ImageError("bad_array", f"the array has shape {shape}, a batch. Give its images one at a time.")
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[-1] not in (1, 3, 4)):
        hint = ""
        if array.ndim == 3 and shape[0] in (1, 3, 4):
            hint = " Its channels seem to come first: np.moveaxis(image, 0, -1)."
        raise ImageError("bad_array", f"the array has shape {shape}; expected (height, width, 3), or 1 or 4.{hint}")
    notes: list[str] = []
    if array.dtype == np.uint16:
        array, notes = _divided(array), ["16 bits as 8: divided by 257"]
    elif array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
        if not np.isfinite(array.sum(dtype=np.float64)):
            raise ImageError("bad_array", "the array holds NaN or infinity. Find out where they come from.")
        if array.min() < 0 or array.max() > 1:
            raise ImageError(
                "bad_array",
                f"floats in {_range(array)}; expected [0, 1]. Values of 0..255 are given as uint8; normalised ones not "
                "at all: the pipeline does that.",
            )
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ImageError(
            "bad_array",
            f"the array is {array.dtype}; expected uint8 (0..255), uint16 (0..65535), or floats in [0, 1].",
        )
    array = array[..., 0] if array.ndim == 3 and shape[-1] == 1 else array
    return Image.fromarray(np.ascontiguousarray(array)), notes
