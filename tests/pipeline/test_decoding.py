"""Decoding: a picture or an ImageError with a code, whatever the bytes are."""

import collections
import io
import re
import struct
from pathlib import Path

import numpy as np
import odd_images
import pytest
from PIL import Image, ImageOps

from cnnlib.pipeline import CODES, Decoded, ImageError, Preprocessing, decode, decoding

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (9, 13, 3)).astype(np.uint8)


def saved(image, kind="PNG", **options) -> bytes:
    return odd_images.saved(image if isinstance(image, Image.Image) else Image.fromarray(image), kind, **options)


def code_of(source, **options) -> str:
    with pytest.raises(ImageError) as caught:
        decode(source, **options)
    assert str(caught.value)
    return caught.value.code


# --- what is given ---------------------------------------------------------------------------------------------------


def test_every_form_of_one_picture_is_the_same(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(PICTURE))
    forms = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), io.BytesIO(path.read_bytes()), PICTURE]
    forms += [
        Image.open(path),
        Image.fromarray(PICTURE),
        PICTURE.astype("float32") / 255,
        PICTURE.astype("uint16") * 257,
    ]
    for form in forms:
        found = decode(form)
        assert np.array_equal(found.pixels, PICTURE)
        assert found.size == (9, 13)
        assert found.image.mode == "RGB"
    assert decode(path).name == "a.png"
    assert decode(path).format == "PNG"
    assert decode(path.read_bytes()).name is None
    assert decode(decode(path)).name == "a.png"


def test_what_is_no_image_at_all_is_a_mistake_of_the_program():
    with pytest.raises(TypeError, match="NoneType is no image"):
        decode(None)
    with pytest.raises(TypeError, match="mode 'rb'"):
        decode(io.StringIO("text"))


def test_files(tmp_path):
    assert code_of(tmp_path / "none.png") == "missing"
    assert code_of(tmp_path) == "unreadable"
    assert code_of("with\0zero.png") in ("missing", "unreadable")
    (tmp_path / "empty.png").write_bytes(b"")
    assert code_of(tmp_path / "empty.png") == "empty"
    (tmp_path / "long.png").write_bytes(saved(PICTURE))
    assert code_of(tmp_path / "long.png", max_bytes=20) == "too_large"
    assert code_of(saved(PICTURE), max_bytes=20) == "too_large"
    assert code_of(io.BytesIO(saved(PICTURE)), max_bytes=20) == "too_large"


def test_codes_are_a_closed_list():
    assert "empty" in CODES
    with pytest.raises(ValueError, match="has one of"):
        ImageError("other", "text")


# --- kinds of pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone_as_pillow_does(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(PICTURE, "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    found = decode(data)
    assert np.array_equal(found.pixels, np.asarray(expected))
    assert (f"EXIF orientation {orientation} undone" in found.notes) == (orientation > 1)


def test_cmyk_palette_grey_and_one_bit():
    image = Image.fromarray(PICTURE)
    cmyk = decode(saved(image.convert("CMYK"), "TIFF"))
    assert np.abs(cmyk.pixels.astype(int) - PICTURE).max() <= 1
    assert "CMYK" in cmyk.notes[0]
    assert np.array_equal(decode(saved(image.convert("L"))).pixels[..., 0], np.asarray(image.convert("L")))
    few = image.quantize(20)
    assert np.array_equal(decode(saved(few)).pixels, np.asarray(few.convert("RGB")))
    assert set(np.unique(decode(saved(image.convert("1"))).pixels)) <= {0, 255}


def test_sixteen_bits_are_divided_by_257():
    values = RNG.integers(0, 65536, (9, 13)).astype(np.uint16)
    values[0, :3] = 0, 65535, 257 * 9
    expected = np.round(values / 257).astype(int)
    for data in (saved(values), saved(values, "TIFF")):
        found = decode(data)
        assert np.array_equal(found.pixels[..., 1], expected)
        assert found.notes == ("16 bits as 8: divided by 257",)
    assert np.array_equal(decode(values).pixels[..., 2], expected)


def test_alpha_is_laid_on_the_background():
    rgba = np.dstack([PICTURE, np.zeros(PICTURE.shape[:2], np.uint8)])
    rgba[:4, :, 3], rgba[4, :, 3] = 255, 128
    for form in (saved(rgba), rgba):
        white, black = decode(form), decode(form, background=(0, 0, 0))
        assert np.array_equal(white.pixels[:4], PICTURE[:4])
        assert (white.pixels[5:] == 255).all()
        assert (black.pixels[5:] == 0).all()
        half = (PICTURE[4] * 128.0 + 255 * 127) / 255
        assert np.abs(white.pixels[4] - half).max() <= 1
        assert "transparency" in white.notes[0]


def test_a_transparent_palette_and_opaque_alpha():
    few = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    few.putpalette([255, 0, 0, 0, 0, 255])
    found = decode(saved(few, transparency=0)).pixels
    assert found[0].tolist() == [[255, 255, 255], [0, 0, 255]]
    assert decode(np.dstack([PICTURE, np.full(PICTURE.shape[:2], 255, np.uint8)])).notes == ()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert found.pixels[4, 4].tolist() == [255, 0, 0]
    assert "the first of 3 frames" in found.notes


def test_sizes_at_the_edges():
    assert decode(saved(PICTURE[:1, :1])).size == (1, 1)
    assert decode(saved(np.zeros((1, 20000, 3), np.uint8))).size == (1, 20000)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    def load(self):
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", load)
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    for _ in range(5):
        assert code_of(odd_images._bomb(RNG)[0]) == "too_large"
    assert code_of(saved_large(), max_pixels=100) == "too_large"


def saved_large() -> bytes:
    header = struct.pack(">IIBBBBB", 11, 10, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + odd_images._chunk(b"IHDR", header) + odd_images._chunk(b"IDAT", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_file_that_is_cut_short(kind):
    data = saved(odd_images.picture(RNG, 80, 80), kind)
    assert code_of(data[: len(data) // 2]) in ("truncated", "damaged")
    assert code_of(data[:6]) in ("damaged", "not_an_image")


def test_truncated_files_say_so():
    for kind in ("JPEG", "PNG", "BMP"):
        data = saved(odd_images.picture(RNG, 80, 80), kind)
        assert code_of(data[: len(data) // 2]) == "truncated"


def test_what_is_no_image_says_what_it_may_be():
    with pytest.raises(ImageError, match="a page in its place"):
        decode(odd_images.PAGE)
    with pytest.raises(ImageError, match="render its pages"):
        decode(b"%PDF-1.7 and so on")
    assert code_of(b"hello") == "not_an_image"
    assert code_of(saved(Image.fromarray(PICTURE).convert("LAB"), "TIFF")) == "unsupported"


def test_postscript_is_not_run():
    assert "EPS" not in decoding._formats()
    assert code_of(saved(PICTURE, "EPS")) == "not_an_image"


@pytest.mark.parametrize(
    ("array", "code", "says"),
    [
        (np.zeros((0, 5, 3), np.uint8), "empty", "no pixels"),
        (np.zeros((2, 5, 5, 3), np.uint8), "bad_array", "a batch"),
        (np.zeros((3, 20, 20), np.uint8), "bad_array", "moveaxis"),
        (np.zeros(5, np.uint8), "bad_array", "expected"),
        (np.zeros((5, 5, 2), np.uint8), "bad_array", "expected"),
        (np.full((5, 5, 3), 7.0), "bad_array", "uint8"),
        (np.full((5, 5, 3), -0.1), "bad_array", "normalised"),
        (np.full((5, 5, 3), np.nan), "bad_array", "NaN"),
        (np.zeros((5, 5, 3), np.int64), "bad_array", "int64"),
        (np.zeros((5, 5, 3), object), "bad_array", "object"),
    ],
)
def test_arrays_that_are_no_image(array, code, says):
    with pytest.raises(ImageError, match=says) as caught:
        decode(array)
    assert caught.value.code == code


def test_arrays_are_not_changed():
    for array in (PICTURE.copy(), PICTURE / 255):
        before = array.copy()
        decode(array)
        assert np.array_equal(array, before)


# --- two hundred strangers -------------------------------------------------------------------------------------------


def outcome(file: odd_images.OddFile):
    """The decoded picture, or the code of the error; what is defined must be as defined."""
    try:
        found = decode(file.data)
    except ImageError as error:
        found = error.code
    if file.expected != "either":
        assert isinstance(found, str) == (file.expected == "error"), f"{file.kind} ({file.name}): {found}"
    return found


def test_two_hundred_odd_files_get_a_picture_or_a_code():
    """No crash, and the preprocessing takes whatever comes out."""
    settings = [Preprocessing(32), Preprocessing(32, "letterbox"), Preprocessing(32, "shortest_side", shortest_side=36)]
    got = collections.defaultdict(set)
    for file in odd_images.odd_files(200):
        found = outcome(file)
        got[file.kind].add(found if isinstance(found, str) else "answer")
        if isinstance(found, Decoded):
            assert found.pixels.shape == (*found.size, 3)
            for each in settings:
                batch = each(found)
                assert batch.shape == (1, 32, 32, 3)
                assert np.isfinite(batch).all()
    assert set(got) == set(odd_images.KINDS)
    assert set().union(*got.values()) <= {"answer", *CODES}
    assert got["decompression bomb"] == {"too_large"}
    assert got["empty"] == {"empty"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_more_strangers(seed):
    for file in odd_images.odd_files(78, seed):
        outcome(file)


def test_the_table_in_the_docs_has_every_kind():
    text = (Path(__file__).resolve().parents[2] / "docs" / "odd_images.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) \|", text, re.M)[1:]
    assert rows == list(odd_images.KINDS)
