"""Turn whatever a learner's code returns into plain data, compare it with what was expected, and describe it.

The data that a check works with are Python numbers (fractions and decimals too), strings, lists, dictionaries and NumPy
arrays of exactly these types, never of a subclass, so that no method of the learner's objects takes part in the
comparison.
"""

import contextlib
import inspect
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

_MAX_ITEMS = 200_000  # of nested lists; arrays may be larger
_MAX_BYTES = 512 * 1024**2
_DEPTH = 20
_EXACT = frozenset({bool, int, float, complex, str, bytes, type(None)})
_TENSOR_MODULES = ("torch", "jax", "jaxlib", "tensorflow", "keras")


@dataclass(frozen=True)
class Opaque:
    """Something that is no data: ``what`` says in words what it is."""

    what: str


# --- to plain data ---------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """``value`` as plain data; tensors of every backend become arrays, what is no data becomes an :class:`Opaque`.

    May run the learner's code (``__array__``, a property), so it is called where that is safe.
    """
    return _plain(value, [_MAX_ITEMS], _DEPTH)


def _plain(value: Any, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth < 0:
        return Opaque("a list too long or too deep to look at")
    kind = type(value)
    if value is Ellipsis or kind in _EXACT:
        return value
    for base, exact in _EXACTLY:
        if issubclass(kind, base):
            return exact(value)
    if issubclass(kind, (np.ndarray, np.generic)):
        return _plain_array(value, left, depth)
    if issubclass(kind, (list, tuple)):
        iterate = list.__iter__ if issubclass(kind, list) else tuple.__iter__
        kinds = set(map(type, iterate(value)))
        if kinds <= _EXACT:
            items = list(iterate(value))
            return _compact(items) if len(items) > 1000 and kinds <= {int, float} else items
        return [_plain(item, left, depth - 1) for item in _limited(iterate(value), left)]
    if issubclass(kind, dict):
        return {_key(k): _plain(v, left, depth - 1) for k, v in _limited(dict.items(value), left)}
    if issubclass(kind, (set, frozenset)):
        base = set if issubclass(kind, set) else frozenset
        return frozenset(_key(item) for item in _limited(base.__iter__(value), left))
    if kind is range or kind in (type({}.keys()), type({}.values()), type({}.items())):
        return [_plain(item, left, depth - 1) for item in _limited(iter(value), left)]
    array = _tensor(value)
    if array is not None:
        return _plain_array(array, left, depth)
    number = _number_of_another_kind(value)
    if number is not None:
        return number
    return Opaque(_what(value))


def _fraction(value: Fraction) -> Fraction:
    return Fraction(*(int.__index__(part.__get__(value)) for part in (Fraction._numerator, Fraction._denominator)))


# Kinds of numbers and texts, each with what makes of a subclass the thing itself, without a method of the subclass.
_EXACTLY: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__index__),
    (float, float.__pos__),
    (complex, complex.__pos__),
    (str, str.__str__),
    (Fraction, _fraction),
    (Decimal, Decimal),
)


def _number_of_another_kind(value: Any) -> Any:
    """A number of a class that says it is one, such as those of a library for symbols; None if it is none."""
    try:
        if isinstance(value, numbers.Rational):
            return Fraction(int(value.numerator), int(value.denominator))
        if isinstance(value, numbers.Real):
            return float(value)
        return complex(value) if isinstance(value, numbers.Complex) else None
    except Exception:
        return None


def _compact(items: list) -> Any:
    """A long list of numbers as an array, which is faster to work with and the same to a comparison."""
    array = np.array(items)
    return items if array.dtype.kind == "O" else array


def _limited(items: Iterable, left: list[int]) -> Iterable:
    for item in items:
        if left[0] < 0:
            return
        yield item


def _key(value: Any) -> Any:
    """A key of a dictionary or a member of a set: a number or a string as such, a tuple of them, or its description."""
    simple = _plain(value, [1000], 3)
    if isinstance(simple, np.ndarray) and simple.shape == ():
        simple = simple.item()
    if isinstance(simple, list):
        return tuple(_key(item) for item in simple)
    with contextlib.suppress(TypeError):
        hash(simple)
        return simple
    return describe(simple)


def _plain_array(value: Any, left: list[int], depth: int) -> Any:
    if issubclass(type(value), np.generic):
        value = np.generic.__array__(value)
    array = np.ndarray.view(value, np.ndarray)
    if array.nbytes > _MAX_BYTES:
        return Opaque(f"an array of shape {array.shape}, {array.nbytes / 1024**3:.1f} GB, too large to look at")
    if array.dtype.kind in "OV" and array.dtype.names is None and array.dtype.kind == "O":
        return _plain(array.tolist(), left, depth - 1)
    if array.dtype.kind == "V":  # bfloat16 and its kin, or a structured array
        try:
            array = array.astype(np.float32)
        except (TypeError, ValueError):
            return Opaque(f"an array of type {array.dtype}")
    if array.dtype.kind in "US":
        return array.tolist()
    return np.array(array, copy=True, order="C")


def _tensor(value: Any) -> np.ndarray | None:
    """The values of a tensor of any backend, or of something else that NumPy can read; None if it is neither."""
    module = str(getattr(type(value), "__module__", "")).split(".")[0]
    if module in _TENSOR_MODULES and "keras" in sys.modules:
        from keras import KerasTensor, Variable, ops

        if isinstance(value, KerasTensor):
            return None
        with contextlib.suppress(Exception):
            if isinstance(value, Variable) or ops.is_tensor(value):
                return np.asarray(ops.convert_to_numpy(value))
    if not hasattr(type(value), "__array__"):
        return None
    with contextlib.suppress(Exception):
        if hasattr(value, "detach"):  # a PyTorch tensor while Keras runs on another backend
            value = value.detach().cpu()
        array = np.asarray(value)
        if array.dtype.kind != "O":
            return array
    return None


def _what(value: Any) -> str:
    """What kind of thing a value is that is no data, in words."""
    name = type.__dict__["__name__"].__get__(type(value))
    if isinstance(value, type):
        return f"the class {type.__dict__['__name__'].__get__(value)!r}"
    if inspect.isgenerator(value):
        return "a generator (its values are not computed until it is put into list(…))"
    if name in ("map", "filter", "zip", "enumerate", "reversed") or name.endswith("iterator"):
        return f"a {name} object (its values are not computed until it is put into list(…))"
    if inspect.iscoroutine(value):
        value.close()  # or Python complains later that it was never awaited
        return "a coroutine (a call of an async function)"
    if inspect.isroutine(value):
        return f"the function {str(getattr(value, '__name__', '?'))!r} itself (is a pair of parentheses missing?)"
    if name == "KerasTensor":
        return "a symbolic Keras tensor, which has a shape but no values"
    if inspect.ismodule(value):
        return "a module"
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name} object"


# --- comparison ------------------------------------------------------------------------------------------------------


def times(shape: Iterable[int]) -> str:
    """A shape in short: (8, 8, 32) is 8x8x32."""
    return "x".join(map(str, shape))


def difference(came: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-6) -> str | None:
    """How ``came`` differs from ``expected``, in words; None if they are equal.

    Both are plain data. Lists, tuples and arrays of the same values are equal, and so are ``3`` and ``3.0``. Numbers
    that are expected to be whole must be whole; others may differ by ``atol + rtol * abs(expected)``.
    """
    return _differ(came, plain(expected), rtol, atol, "")


def equal(came: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-6) -> bool:
    """Whether two values are equal in the sense of :func:`difference`; they need not be plain data."""
    return difference(plain(came), expected, rtol, atol) is None


def _differ(came: Any, expected: Any, rtol: float, atol: float, where: str) -> str | None:
    if isinstance(expected, Mapping):
        return _differ_mapping(came, expected, rtol, atol, where)
    if isinstance(expected, list):
        return _differ_list(came, expected, rtol, atol, where)
    if isinstance(expected, np.ndarray) and expected.shape != ():
        return _differ_array(came, expected, rtol, atol, where)
    if isinstance(expected, (bool, numbers.Number, np.ndarray)):
        return _differ_number(came, expected, rtol, atol, where)
    if isinstance(expected, frozenset):
        if isinstance(came, list):
            came = frozenset(_key(item) for item in came)
        same = isinstance(came, frozenset) and came == expected
        return None if same else _at(where, f"{describe(came)} instead of {describe(expected)}")
    if isinstance(came, Opaque) or type(came) is not type(expected) or came != expected:
        return _at(where, f"{describe(came)} instead of {describe(expected)}")
    return None


def _differ_mapping(came: Any, expected: Mapping, rtol: float, atol: float, where: str) -> str | None:
    if not isinstance(came, Mapping):
        return _at(where, f"{describe(came)} instead of a dictionary with the keys {describe(list(expected))}")
    missing = [key for key in expected if key not in came]
    if missing:
        return _at(where, f"the key {missing[0]!r} is missing")
    extra = [key for key in came if key not in expected]
    if extra:
        return _at(where, f"there is a key {describe(extra[0])} too many")
    for key, value in expected.items():
        found = _differ(came[key], value, rtol, atol, f"{where}[{key!r}]")
        if found:
            return found
    return None


def _differ_list(came: Any, expected: list, rtol: float, atol: float, where: str) -> str | None:
    if isinstance(came, np.ndarray) and came.ndim:
        came = list(came)
    if not isinstance(came, list):
        return _at(where, f"{describe(came)} instead of a list of {len(expected)}")
    if len(came) != len(expected):
        return _at(where, f"{len(came)} values instead of {len(expected)}")
    if len(expected) > 2000:
        arrays = as_numeric(came), as_numeric(expected)
        if arrays[0] is not None and arrays[1] is not None:
            return _differ_array(*arrays, rtol, atol, where)
    for index, (left, right) in enumerate(zip(came, expected, strict=True)):
        found = _differ(left, right, rtol, atol, f"{where}[{index}]")
        if found:
            return found
    return None


def _differ_array(came: Any, expected: np.ndarray, rtol: float, atol: float, where: str) -> str | None:
    array = as_numeric(came)
    if array is None:
        return _at(where, f"{describe(came)} instead of an array of shape {expected.shape}")
    if array.shape != expected.shape:
        return _at(where, f"the shape {array.shape} instead of {expected.shape}")
    if array.dtype.kind == "b" and expected.dtype.kind != "b":
        return _at(where, "an array of truth values instead of numbers")
    wrong = ~_close(array, expected, rtol, atol)
    if not wrong.any():
        return None
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    index = where + "[" + ", ".join(map(str, first)) + "]"
    said = f"{_number(array[first])} instead of {_number(expected[first])} at {index}"
    count = f"; {int(wrong.sum())} of {expected.size} values differ"
    if np.isnan(array[wrong]).any() and not np.isnan(expected).any():
        count += ", some are NaN"
    return said + count


def _differ_number(came: Any, expected: Any, rtol: float, atol: float, where: str) -> str | None:
    if isinstance(came, np.ndarray) and came.shape == ():
        came = came.item()
    if isinstance(expected, np.ndarray):
        expected = expected.item()
    if isinstance(came, np.ndarray):
        return _at(where, f"an array of shape {came.shape} instead of a single number")
    if not isinstance(came, (bool, numbers.Number)):
        return _at(where, f"{describe(came)} instead of {describe(expected)}")
    if isinstance(came, bool) and not isinstance(expected, bool):
        return _at(where, f"{came}, a truth value, instead of a number")
    if isinstance(came, (int, Fraction)) and isinstance(expected, int):
        same = came == expected
    else:
        same = bool(_close(_wide(came), _wide(expected), rtol, atol))
    return None if same else _at(where, f"{describe(came)} instead of {describe(expected)}")


def _wide(value: Any) -> np.ndarray:
    """A Python number as an array; whole numbers beyond 64 bits, fractions and decimals as floats."""
    array = np.asarray(value)
    if array.dtype.kind != "O":
        return array
    try:
        return np.asarray(float(value))
    except (OverflowError, ValueError):  # beyond all floats, or a decimal's signal
        return np.asarray(np.nan if isinstance(value, Decimal) else np.inf if value > 0 else -np.inf)


def _close(came: np.ndarray, expected: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Elementwise: equal within the tolerance; NaN equals NaN; what must be whole may only differ by float noise."""
    with np.errstate(all="ignore"):
        if expected.dtype.kind in "iub":
            if came.dtype.kind in "iub":
                return np.asarray(came == expected)
            rtol, atol = 1e-7, 1e-6
        kind = complex if "c" in (came.dtype.kind, expected.dtype.kind) else np.float64
        left, right = came.astype(kind), expected.astype(kind)
        same = np.abs(left - right) <= atol + rtol * np.abs(right)
        return (same & np.isfinite(right)) | (left == right) | (np.isnan(left) & np.isnan(right))


def as_numeric(value: Any) -> np.ndarray | None:
    """Plain data as an array of numbers; None if it is none, a ragged list for example."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (bool, numbers.Number)):
        return _wide(value)
    if not isinstance(value, list):
        return None
    kinds = set(map(type, value))
    if kinds and kinds <= {int, float} or kinds == {bool}:
        array = np.array(value)
        if array.dtype.kind != "O":
            return array
    parts = [as_numeric(item) for item in value]
    if any(part is None for part in parts) or len({part.shape for part in parts}) > 1:
        return None
    return np.stack(parts) if parts else np.zeros((0,))


def _at(where: str, said: str) -> str:
    return f"{said} at {where}" if where else said


# --- description -----------------------------------------------------------------------------------------------------


def describe(value: Any, limit: int = 160) -> str:
    """A value in a few words: short things as they are, large arrays by shape, type and range."""
    value = plain(value) if not isinstance(value, Opaque) else value
    if isinstance(value, Opaque):
        return value.what
    if value is Ellipsis:
        return "..."
    if isinstance(value, np.ndarray):
        return _describe_array(value)
    if isinstance(value, (float, complex)) or isinstance(value, int) and abs(value) >= 10**15:
        return _number(value)
    if isinstance(value, list):
        return _shorten(_describe_list(value), limit)
    if isinstance(value, dict):
        inside = ", ".join(f"{k!r}: {describe(v, 40)}" for k, v in list(value.items())[:12])
        return _shorten("{" + inside + (", …" if len(value) > 12 else "") + "}", limit)
    if isinstance(value, frozenset):
        inside = ", ".join(sorted(repr(item) for item in list(value)[:12]))
        return _shorten("{" + inside + (", …" if len(value) > 12 else "") + "}", limit)
    if isinstance(value, (str, bytes)) and len(value) > limit:
        return f"{value[: limit // 2]!r}… ({len(value):,} characters)"
    return _shorten(repr(value), limit)


def _describe_list(value: list) -> str:
    array = as_numeric(value)
    if array is not None and array.size > 16:
        return f"a list of shape {array.shape}{_range(array)}"
    inside = ", ".join(describe(item, 60) for item in value[:16])
    return f"[{inside}, … {len(value):,} in all]" if len(value) > 16 else f"[{inside}]"


def _describe_array(array: np.ndarray) -> str:
    if array.shape == ():
        return _number(array[()])
    if array.size <= 16 and array.ndim <= 2:
        text = np.array2string(array, separator=", ", formatter={"all": _number}, max_line_width=10_000, threshold=100)
        return " ".join(text.split())
    return f"an array of shape {array.shape}{_range(array)}"


def _range(array: np.ndarray) -> str:
    if not array.size or array.dtype.kind not in "iuf":
        return ""
    finite = array[np.isfinite(array)]
    if not finite.size:
        return f", {array.dtype}, no finite value"
    broken = "" if finite.size == array.size else f", {array.size - finite.size:,} values NaN or infinite"
    return f", {array.dtype}, from {_number(finite.min())} to {_number(finite.max())}{broken}"


def _number(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else f"a whole number of {_digits(value)} digits"
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"nan": "NaN", "inf": "infinity", "-inf": "-infinity"}[str(value)]
        return f"{value:.1f}" if value == int(value) and abs(value) < 1e6 else f"{value:.7g}"
    return str(value)


def _digits(value: int) -> int:
    return int(abs(value).bit_length() * math.log10(2)) + 1


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
