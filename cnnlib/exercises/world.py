"""The world around the learner's code: what it prints is caught, what it must not do is forbidden, and what it changed
is put back.
"""

import builtins
import contextlib
import io
import operator
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from . import course

# Calls within each other. What a call costs on the C stack depends on how Python was built and on how the call is
# written: 20,000 of `answer(*args)` end the process on Debian's 3.11, which has 8 MB.
DEEPEST = 3000

_set_signal = signal.signal

# --- output ----------------------------------------------------------------------------------------------------------


class BoundedText(io.TextIOBase):
    """A text file that keeps the first characters written to it and forgets the rest."""

    def __init__(self, kept: int):
        super().__init__()
        self._left = kept
        self._parts: list[str] = []
        self.dropped = False
        self.encoding_name = "utf-8"

    @property
    def encoding(self) -> str:
        return self.encoding_name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes text; {type(text).__name__} was given")
        if self._left > 0:
            part = str(text[: self._left])
            self._parts.append(part)
            self._left -= len(part)
            self.dropped |= len(part) < len(text)
        else:
            self.dropped |= bool(text)
        return len(text)

    def close(self) -> None:
        """Stay open: the learner's code may close its output, the check goes on."""

    def text(self) -> str:
        """What was kept, with a sign where the rest was dropped."""
        return "".join(self._parts) + (" …" if self.dropped else "")


@contextlib.contextmanager
def redirected(output: BoundedText) -> Iterator[None]:
    """Standard output and error into ``output``; standard input empty."""
    saved = sys.stdout, sys.stderr, sys.stdin
    sys.stdout = sys.stderr = output
    sys.stdin = io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr, sys.stdin = saved


# --- what is forbidden -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def forbidden() -> Iterator[None]:
    """Replace, for the time being, what would end the process, wait for the keyboard, or switch the time limit off."""

    def leave(*args: object, **kwargs: object) -> None:
        raise SystemExit(*args[:1])

    def no_input(*args: object) -> None:
        raise EOFError("input() has nobody to ask during a check")

    def no_debugger(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a debugger cannot be opened during a check; call the function in a cell of its own")

    def not_here(*args: object, **kwargs: object) -> None:
        raise PermissionError("this is not available during a check")

    set_limit = sys.setrecursionlimit
    deepest = max(DEEPEST, sys.getrecursionlimit())

    def other_signals(number: int, handler: Any) -> Any:
        if number == getattr(signal, "SIGALRM", signal.SIGINT):
            raise PermissionError("the time limit of a check uses this signal")
        return _set_signal(number, handler)

    replaced: list[tuple[Any, str, Any]] = [
        (os, "_exit", leave),
        (os, "abort", leave),
        (os, "kill", not_here),
        (os, "killpg", not_here),
        (signal, "raise_signal", not_here),
        (signal, "pthread_kill", not_here),
        (os, "fork", not_here),
        (os, "execv", not_here),
        (os, "execve", not_here),
        (builtins, "exit", leave),
        (builtins, "quit", leave),
        (builtins, "input", no_input),
        (sys, "breakpointhook", no_debugger),
        (sys, "setrecursionlimit", lambda limit: set_limit(min(int(limit), deepest))),
        (sys, "unraisablehook", lambda report: None),
        (threading, "excepthook", lambda report: None),
        (signal, "signal", other_signals),
        (signal, "setitimer", not_here),
        (signal, "alarm", not_here),
    ]
    shell = running_shell()
    if shell is not None:
        replaced.append((shell, "ask_exit", leave))  # what exit() calls in a notebook
        # What is displayed has no bound on its amount, and a figure takes long to draw.
        replaced.append((shell.display_pub, "publish", lambda *args, **kwargs: None))
        replaced.append((shell.display_formatter, "format", lambda *args, **kwargs: ({}, {})))
    with contextlib.ExitStack() as stack:
        for owner, name, value in replaced:
            if hasattr(owner, name):
                stack.enter_context(_attribute(owner, name, value))
        yield


@contextlib.contextmanager
def _attribute(owner: Any, name: str, value: Any) -> Iterator[None]:
    own = name in vars(owner)
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


def running_shell() -> Any:
    """The IPython shell this runs in, or None."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


# --- putting the world back ------------------------------------------------------------------------------------------

_RESTORED_MODULES = (
    "builtins",
    "math",
    "os",
    "os.path",
    "random",
    "signal",
    "sys",
    "threading",
    "time",
    "warnings",
    "copy",
    "numpy",
    "numpy.linalg",
    "numpy.random",
    "numpy.testing",
    "keras",
    "keras.ops",
    "keras.layers",
)

_ENGINE = tuple(f"{__package__}.{name}" for name in (
    "base", "compare", "custom", "errors", "figures", "function", "limits", "lines", "outcome", "sandbox", "stopping",
    "suggest", "value", "world",
))  # fmt: skip


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Put back what the learner's code may have changed: random state, settings, and functions of modules."""
    owners = [(owner, dict(vars(owner))) for owner in _owners()]
    saved_random, saved_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the global one)
    errors, printing = np.geterr(), np.get_printoptions()
    recursion, folder, path = sys.getrecursionlimit(), _folder(), list(sys.path)
    environment, loaded = dict(os.environ), dict(sys.modules)
    settings = _keras_settings()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, module in loaded.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
        for owner, before in owners:
            _put_back(owner, before)
        for setting, value in settings:
            setting(value)
        random.setstate(saved_random)
        np.random.set_state(saved_numpy)  # noqa: NPY002
        np.seterr(**errors)
        if np.get_printoptions() != printing:
            np.set_printoptions(**printing)
        if sys.getrecursionlimit() != recursion:
            sys.setrecursionlimit(recursion)
        if folder is not None and _folder() != folder:
            os.chdir(folder)
        if sys.path != path:
            sys.path[:] = path
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)


def _keras_settings() -> list[tuple[Callable[[Any], None], Any]]:
    """What sets each global setting of Keras, and its value now."""
    if "keras" not in sys.modules:
        return []
    config = sys.modules["keras"].config
    return [
        (config.set_floatx, config.floatx()),
        (config.set_epsilon, config.epsilon()),
        (config.set_image_data_format, config.image_data_format()),
        (config.set_dtype_policy, config.dtype_policy()),
    ]


def _owners() -> list[ModuleType]:
    """The modules whose functions are put back."""
    ours = (__package__, *course.current().packages)
    inside = tuple(f"{each}." for each in ours)
    own = [name for name in sys.modules if name in ours or name.startswith(inside)]
    names = [*_RESTORED_MODULES, *own]
    return [sys.modules[name] for name in names if isinstance(sys.modules.get(name), ModuleType)]


def mender(still: Callable[[], bool]) -> Callable[[], None]:
    """What puts back, between two calls, the engine itself and what it works with; needs none of it to do so.

    ``still`` says whether the sandbox is open: code that was left behind may end much later. It runs after each call:
    what stands as it did is passed over without a loop in Python.
    """
    owners = [sys.modules[name] for name in _ENGINE if name in sys.modules]
    owners += [value for owner in owners for value in vars(owner).values() if _is_engine_class(value)]
    everything = len(owners)  # whatever is not callable may change for good reasons, but for the engine's own
    owners += [builtins, os, signal, sys, threading, time]
    found = []
    for number, owner in enumerate(owners):
        names, values = tuple(vars(owner)), tuple(vars(owner).values())
        found.append((owner, vars(owner).values, vars(owner).get, names, values, number < everything))

    def mend(all=all, callable=callable, len=len, map=map, same=operator.is_, setattr=setattr, zip=zip) -> None:
        if still():
            for owner, now, get, names, before, every in found:
                if len(now()) < len(before) or not all(map(same, now(), before)):  # or in another order only
                    for name, value in zip(names, before):
                        if get(name) is not value and (every or callable(value)):
                            setattr(owner, name, value)

    return mend


def _is_engine_class(value: Any) -> bool:
    return isinstance(value, type) and value.__module__ in _ENGINE


def _put_back(owner: ModuleType, before: dict[str, Any]) -> None:
    """Restore the functions and classes of a module; its other values may change for good reasons."""
    now = vars(owner)
    for name, value in before.items():
        if now.get(name) is not value and callable(value):
            setattr(owner, name, value)


def _folder() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None
