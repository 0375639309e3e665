"""Masks as run lengths, in the form that COCO's tools read and write. Lesson 14.

A mask is read column by column, from the top of the left column on, and stored as the lengths of its runs: of zeros, of
ones, of zeros, ... The first length is 0 if the mask begins with a one. COCO packs the lengths into text (Lin et al.
2014, ``pycocotools.mask``): five bits a character, and from the fourth length on only the difference to the last
length but one.
"""

import numpy as np

__all__ = ["rle_area", "rle_decode", "rle_encode", "run_lengths"]

BITS, MORE, SIGN, FIRST = 5, 0x20, 0x10, 48  # of a character: what it carries, its flags, and the code of zero


def run_lengths(mask) -> np.ndarray:
    """Lengths of the runs of a mask (h, w), column by column, zeros first: int64 (k,), whose sum is h * w.

    Raises:
        ValueError: the mask is not two-dimensional, or holds other values than 0 and 1.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"run_lengths: the mask has shape {mask.shape}; expected one mask, (height, width).")
    if mask.dtype != bool:
        if not np.isin(mask, (0, 1)).all():
            raise ValueError("run_lengths: a mask holds 0 and 1 only. Compare probabilities with a threshold first.")
        mask = mask.astype(bool)
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], changes, [flat.size]])
    lengths = np.diff(starts)
    return np.concatenate([[0], lengths]) if flat.size and flat[0] else lengths


def rle_encode(mask) -> dict:
    """A mask (h, w) of zeros and ones as ``{"size": [h, w], "counts": text}``: what ``pycocotools`` calls RLE.

    Raises:
        ValueError: as `run_lengths`.
    """
    lengths = run_lengths(mask).tolist()
    text = []
    for place, length in enumerate(lengths):
        left = length - lengths[place - 2] if place > 2 else length
        while True:
            bits, left = left & 0x1F, left >> BITS
            more = left != (-1 if bits & SIGN else 0)
            text.append(chr((bits | MORE if more else bits) + FIRST))
            if not more:
                break
    height, width = np.shape(mask)
    return {"size": [int(height), int(width)], "counts": "".join(text)}


def rle_decode(rle: dict) -> np.ndarray:
    """The mask of such a dictionary, bool (h, w). Its counts may also be a list of lengths, or bytes.

    Raises:
        ValueError: the lengths do not fit the size, or the text is none of COCO's.
    """
    lengths = _lengths(rle)
    height, width = rle["size"]
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def rle_area(rle: dict) -> int:
    """The number of ones of such a mask, without unpacking it."""
    return int(_lengths(rle)[1::2].sum())


def _lengths(rle: dict) -> np.ndarray:
    counts = rle["counts"]
    counts = counts.decode("ascii") if isinstance(counts, bytes) else counts
    lengths = np.array(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)
    height, width = rle["size"]
    if lengths.min(initial=0) < 0 or lengths.sum() != height * width:
        raise ValueError(
            f"the run lengths of a mask add up to {lengths.sum()}; expected {height} x {width} = {height * width}. "
            "Is its size (height, width), and is the text whole?"
        )
    return lengths


def _unpacked(text: str) -> list[int]:
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - FIRST
        if not 0 <= bits < 64:
            raise ValueError(f"{character!r} has no place in the counts of a COCO mask.")
        value |= (bits & 0x1F) << shift
        shift += BITS
        if not bits & MORE:
            value -= (1 << shift) if bits & SIGN else 0
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("the counts of a COCO mask end in the middle of a number. Is the text whole?")
    return lengths
