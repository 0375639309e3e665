"""Packages whose modules load when first used."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping


def exports(package: str, modules: Iterable[str], names: Mapping[str, str]) -> tuple[Callable, Callable, list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package (PEP 562).

    Args:
        package: its ``__name__``.
        modules: its modules.
        names: functions and classes that the package offers as its own -> the module each is in.
    """
    modules = tuple(modules)
    public = sorted([*modules, *names])

    def get(name: str):
        if name in names:
            return getattr(importlib.import_module(f"{package}.{names[name]}"), name)
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has: {', '.join(public)}")

    def directory() -> list[str]:
        return sorted({*vars(sys.modules[package]), *public})

    return get, directory, public
