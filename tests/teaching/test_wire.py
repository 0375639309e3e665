"""What crosses the border of the sandbox."""

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from grading import wire

from cnnlib.exercises import compare


def there_and_back(value):
    sent = json.loads(json.dumps(wire.encode(value, compare.Opaque, compare.plain)))
    return wire.decode(sent, compare.Opaque)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2**70, -(2**70), 1.5, float("inf"), 1 + 2j, "text", b"bytes", Fraction(1, 3), Decimal("0.1"),
        [1, [2.0, "x"]], (1, (2, 3)), {"a": 1, 2: [3]}, {(1, 2): 3}, frozenset({1, 2}), Ellipsis,
    ],
    ids=repr,
)  # fmt: skip
def test_plain_data_comes_as_it_went(value):
    came = there_and_back(value)
    assert came == value
    assert type(came) is type(value)


@pytest.mark.parametrize("kind", ["uint8", "float32", "bool", "complex64", "int64", "float16"])
def test_arrays_keep_type_and_shape(kind):
    value = np.arange(6).reshape(2, 3).astype(kind)
    came = there_and_back(value)
    assert came.dtype == value.dtype
    assert np.array_equal(came, value)
    assert there_and_back(np.zeros((0, 3))).shape == (0, 3)


def test_nan_and_what_is_no_data():
    assert np.isnan(there_and_back(float("nan")))
    assert there_and_back(object()).what == "an object object"


@pytest.mark.parametrize(
    "sent",
    [
        {"array": ["O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [2], "AAAAAAAAAAA="]},
        {"array": ["<f8", [-1, -1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [10**9, 10**9], ""]},
        {"array": ["V8", [1], "AAAAAAAAAAA="]},
        {"array": 3},
        {"pickle": "gASVAAAA"},
        {"a": 1, "b": 2},
        {"dict": [[[{"dict": []}], 1]]},
        {"set": [{"set": [{"dict": []}]}, [{"dict": []}]]},
        {"fraction": "1/0"},
        {"int": "0xzz"},
        json.loads("[" * 100 + "]" * 100),
    ],
    ids=lambda sent: str(sent)[:40],
)
def test_anything_else_is_an_error_of_one_kind(sent):
    with pytest.raises(wire.WireError):
        wire.decode(sent, compare.Opaque)
