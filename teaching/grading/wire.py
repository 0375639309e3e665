"""Plain data as JSON, bounded, and nothing else: what comes out of the sandbox.

Numbers, texts, lists, tuples, dictionaries, sets and arrays of numbers. No pickle, no class: whatever bytes the
learner's code sends, the worst that can come of them is a `WireError`.
"""

from __future__ import annotations

import base64
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

MOST_BYTES = 64 * 1024**2
_DEPTH = 25
_KINDS = "biufc"


class WireError(ValueError):
    """What came is no plain data, or too much of it."""


def encode(value: Any, opaque: type, plain: Any) -> Any:
    """A value as something that `json` can write.

    Args:
        value: whatever the learner's code returned.
        opaque: the engine's class for what is no data.
        plain: the engine's function that makes plain data of a value.
    """
    if type(value) is tuple:
        return {"tuple": [encode(item, opaque, plain) for item in value]}
    return _encode(plain(value), opaque)


def _encode(value: Any, opaque: type) -> Any:
    if isinstance(value, opaque):
        return {"opaque": str(value.what)[:500]}
    if value is None or isinstance(value, (bool, str)):
        return value
    if value is Ellipsis:
        return {"ellipsis": 1}
    if isinstance(value, int):
        return value if abs(value) < 2**53 else {"int": hex(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, (Fraction, Decimal)):
        return {type(value).__name__.lower(): str(value)}
    if isinstance(value, np.ndarray):
        raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": [value.dtype.str, list(value.shape), raw]}
    if isinstance(value, tuple):
        return {"tuple": [_encode(item, opaque) for item in value]}
    if isinstance(value, list):
        return [_encode(item, opaque) for item in value]
    if isinstance(value, frozenset):
        return {"set": [_encode(item, opaque) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_encode(key, opaque), _encode(item, opaque)] for key, item in value.items()]}
    return {"opaque": f"a {type(value).__name__}"}


def decode(value: Any, opaque: type, depth: int = _DEPTH) -> Any:
    """The plain data of what came as JSON.

    Raises:
        WireError: it is not what `encode` writes.
    """
    try:
        return _decode(value, opaque, depth)
    except WireError:
        raise
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, MemoryError) as error:
        raise WireError(f"{type(error).__name__}: {error}"[:200]) from None


def _decode(value: Any, opaque: type, depth: int) -> Any:
    if depth < 0:
        raise WireError("nested too deep")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_decode(item, opaque, depth - 1) for item in value]
    if not isinstance(value, dict) or len(value) != 1:
        raise WireError("not one of the forms")
    ((form, held),) = value.items()
    if form == "tuple":
        return tuple(_decode(item, opaque, depth - 1) for item in held)
    if form == "dict":
        return {_key(_decode(key, opaque, depth - 1)): _decode(item, opaque, depth - 1) for key, item in held}
    if form == "set":
        return frozenset(_key(_decode(item, opaque, depth - 1)) for item in held)
    if form == "array":
        return _array(*held)
    if form == "opaque":
        return opaque(str(held)[:500])
    if form == "ellipsis":
        return Ellipsis
    simple = {
        "int": lambda text: int(text[:4000], 16),
        "float": lambda text: float(text[:40]),
        "complex": lambda parts: complex(float(parts[0][:40]), float(parts[1][:40])),
        "bytes": lambda text: base64.b64decode(text, validate=True),
        "fraction": lambda text: Fraction(text[:200]),
        "decimal": lambda text: Decimal(text[:200]),
    }
    if form not in simple:
        raise WireError("not one of the forms")
    return simple[form](held)


def _key(value: Any) -> Any:
    return tuple(map(_key, value)) if isinstance(value, (list, tuple)) else value


def _array(kind: Any, shape: Any, raw: Any) -> np.ndarray:
    dtype = np.dtype(str(kind)[:10])
    if dtype.kind not in _KINDS or dtype.hasobject:
        raise WireError("an array of something else than numbers")
    shape = tuple(int(n) for n in shape)
    data = base64.b64decode(raw, validate=True)
    if len(shape) > 32 or any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise WireError("an array whose size is not that of its data")
    return np.frombuffer(data, dtype).reshape(shape).copy()
