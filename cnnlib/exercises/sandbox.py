"""Run a learner's code so that whatever it does, the notebook goes on.

Inside ``with Sandbox(seconds) as sandbox:`` each ``sandbox.call(function, *args)`` gives an :class:`Attempt`: the value
as plain data, or the error with the learner's own line. Code that runs too long or takes too much memory is stopped,
what it prints is kept up to a bound, exits do not exit, and what it changed of the world (random state, warning
filters, functions of NumPy, the working folder, ...) is put back at the end.

How running code is stopped. In the main thread of Linux and macOS a timer signal raises :class:`TimeLimit` inside it.
Code that catches it (``except: pass`` in a loop) gets it again: when the handler lets go of the exception, its
finalizer sees to it that the next line that runs raises it anew, and that line is further out. Signals at irregular
moments do the rest. On Windows, which has no timer signal, a thread raises an interrupt instead. Outside the main
thread the code runs in a thread of its own, which is left behind if it does not stop.
"""

import builtins
import contextlib
import copy
import ctypes
import io
import itertools
import linecache
import math
import os
import random
import signal
import sys
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from cnnlib.exercises import compare

KEPT_CHARACTERS = 4000
MEMORY = 2 * 1024**3
# Calls within each other. What a call costs on the C stack depends on how Python was built and on how the call is
# written: 20,000 of `answer(*args)` end the process on Debian's 3.11, which has 8 MB.
DEEPEST = 3000
_TICK = 0.25  # seconds between looks at the clock and at the memory
_PAUSE = 0.5  # longer than that between two looks, and something else than the learner's code held it up
_LOOKS = 1.0  # seconds for all looks at errors of the learner's own making
_GRACE = 1.5  # seconds that a thread gets to stop before it is left behind

# The engine's own: while the learner's code runs, these are replaced, and it may have replaced others before.
_now = time.monotonic
_set_signal = signal.signal
_set_timer = getattr(signal, "setitimer", None)
_set_trace = sys.settrace
_raise_signal = signal.raise_signal
_kill_thread = getattr(signal, "pthread_kill", None)


class TimeLimit(BaseException):
    """Raised inside the learner's code when its time is up; no ``Exception``, so that fewer handlers catch it."""


@dataclass(frozen=True)
class Line:
    """A line of the learner's code: the function it stands in, its number in the cell, its text (maybe empty)."""

    function: str
    number: int
    text: str
    file: str = ""


@dataclass(frozen=True)
class Attempt:
    """What came of one call.

    ``value`` is plain data. ``error`` is what the code raised, ``line`` where; both None if it returned.
    """

    value: Any = None
    error: BaseException | None = None
    line: Line | None = None
    message: str = ""  # the error's own text
    stopped: str = ""  # "time", "memory" or "left behind" if the code had to be stopped
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether there is no value."""
        return self.error is not None


@dataclass
class _Watch:
    """What the interrupting side and the interrupted side share.

    Time is counted in looks that are at most ``_PAUSE`` apart, so that a laptop that sleeps, or a process that is held
    up, is not the learner's endless loop.
    """

    seconds: float
    memory: int  # bytes of the process
    mend: Callable[[], None] = lambda: None  # called as soon as the code has ended
    armed: bool = False
    fired: int = 0
    why: str = ""
    elapsed: float = 0.0
    delays: Iterator[float] = field(default_factory=lambda: itertools.cycle((1e-4, 3e-4, 1.7e-4, 7e-4, 2.3e-3)))

    def __post_init__(self) -> None:
        self.last = _now()

        def caught(error: BaseException) -> None:
            if self.armed:
                _raise_at_next_line(sys._getframe(1), self)

        # A class of its own, since an asynchronous exception is raised by its class.
        self.error = type("TimeLimit", (TimeLimit,), {"__del__": caught})

    def reason(self) -> str:
        """Why the code has to stop now; empty if it may go on."""
        self.count()
        if not self.why and self.elapsed >= self.seconds:
            self.why = "time"
        elif not self.why and _memory_in_use() > self.memory:
            self.why = "memory"
        return self.why

    def count(self) -> None:
        """Add the time since the last look."""
        now = _now()
        self.elapsed += min(now - self.last, _PAUSE)
        self.last = now

    @property
    def left(self) -> float:
        """Seconds to the end of the time, but a little more than none."""
        return max(1e-3, self.seconds - self.elapsed - (_now() - self.last))


class Sandbox:
    """A time within which the learner's code may run; see the module's text.

    Args:
        seconds: how long all calls together may take.
        memory: how many bytes they may take beyond what was in use before.
    """

    def __init__(self, seconds: float, memory: int = MEMORY):
        self.seconds = seconds
        self.memory = _affordable(memory)
        self.output = BoundedText(KEPT_CHARACTERS)
        self.left_behind = 0  # threads that still run
        self._used = 0.0
        self._open = False
        self._looks = _LOOKS
        self._stack = contextlib.ExitStack()
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Sandbox":
        self._threads = set(threading.enumerate())
        with contextlib.ExitStack() as stack:
            stack.enter_context(_restored_world())
            stack.enter_context(_forbidden())
            stack.enter_context(_redirected(self.output))
            stack.enter_context(_address_space_limit())
            self._mend = _mender(lambda: self._open)
            self._open = True
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._stack.close()
        self.left_behind = _end_threads(self._threads)

    @property
    def remaining(self) -> float:
        """Seconds that are left of the time."""
        return self.seconds - self._used

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Attempt:
        """Call the learner's function and turn its result into plain data."""
        return self.run(lambda: compare.plain(function(*args, **kwargs)))

    def run(self, job: Callable[[], Any], besides: Callable[..., Any] | None = None, at_least: float = 0.0) -> Attempt:
        """Call ``job``, which calls the learner's code; the attempt's value is what it returns, untouched.

        The lines of the function ``besides`` are not the learner's. ``at_least`` so many seconds are given, even if
        the time is over: for the engine's own look at a learner's object.
        """
        seconds = max(self.remaining, at_least)
        if seconds <= 0:
            return Attempt(error=TimeLimit(), stopped="time")
        watch = _Watch(seconds, _memory_in_use() + self.memory, self._mend)
        value, error = self._stoppable(job, watch)
        watch.count()
        self._used += watch.elapsed
        if watch.why and error is None:  # it swallowed the interrupt and returned something
            error = TimeLimit()
        if error is None:
            return Attempt(value, seconds=watch.elapsed)
        line = learners_line(error.__traceback__, getattr(besides, "__code__", None))
        stopped = "left behind" if isinstance(error, _LeftBehind) else watch.why
        message = "" if stopped else self._text_of(error)
        if not self._look(lambda: _forget_frames(error)):  # which runs finalizers, the learner's too
            stopped = stopped or "time"
        return Attempt(error=error, line=line, message=message, stopped=stopped, seconds=watch.elapsed)

    def _stoppable(self, job: Callable[[], Any], watch: "_Watch") -> tuple[Any, BaseException | None]:
        if not self._main:
            return _in_thread(job, watch)
        return _with_timer_signal(job, watch) if _set_timer is not None else _with_interrupt(job, watch)

    def _text_of(self, error: BaseException) -> str:
        """What an error says; its class may be the learner's, with a ``__str__`` that fails or does not end."""
        return self._look(lambda: str.__str__(str(error))[:2000]) or ""

    def _look(self, job: Callable[[], Any]) -> Any:
        """A short look at something of the learner's; None if it fails or the time for all looks is over."""
        if self._looks <= 0:
            return None
        watch = _Watch(min(0.3, self._looks), sys.maxsize, self._mend)
        value, error = self._stoppable(job, watch)
        watch.count()
        self._looks -= watch.elapsed
        return None if error is not None or watch.why else value


# --- stopping --------------------------------------------------------------------------------------------------------


def _guarded(job: Callable[[], Any], watch: _Watch) -> tuple[Any, BaseException | None]:
    """Call ``job`` while the watch is armed. Between an exception and the next statement no signal is handled, so
    that the first statement of each handler, which disarms the watch, is reached."""
    value, error = None, None
    try:
        try:
            watch.armed = True
            value = job()
        finally:
            watch.armed = False
    except BaseException as caught:
        watch.armed = False
        error = caught
    watch.mend()
    return value, error


def _with_timer_signal(job: Callable[[], Any], watch: _Watch) -> tuple[Any, BaseException | None]:
    """In the main thread of Linux and macOS."""

    def on_alarm(signum: int, frame: FrameType | None) -> None:
        if not watch.armed or not watch.reason():
            return
        watch.fired += 1
        if watch.fired > 2:  # it catches the interrupt: repeat fast, and within its handlers too
            _set_timer(signal.ITIMER_REAL, next(watch.delays))
            _raise_at_next_line(frame, watch)
        raise watch.error()

    previous = signal.getsignal(signal.SIGALRM)
    trace = sys.gettrace()
    _set_signal(signal.SIGALRM, on_alarm)
    first = min(_TICK, watch.left)
    before, interval = _set_timer(signal.ITIMER_REAL, first, min(first, 0.05))
    try:
        return _guarded(job, watch)
    finally:
        watch.armed = False
        _set_timer(signal.ITIMER_REAL, 0)
        _set_trace(trace)
        _set_signal(signal.SIGALRM, previous if previous is not None else signal.SIG_DFL)
        if before:
            _set_timer(signal.ITIMER_REAL, before, interval)


def _raise_at_next_line(frame: FrameType | None, watch: _Watch) -> None:
    """Make the next line that runs in any frame of the learner's code raise: that line may belong to its handler."""
    frames = []
    while frame is not None and frame.f_code is not _guarded.__code__:
        frames.append(frame)
        frame = frame.f_back
    if frame is None or frame.f_locals.get("watch") is not watch:
        return  # the interpreter collects garbage while something else runs

    def trace(traced: FrameType, event: str, argument: Any) -> Any:
        if not watch.armed or traced.f_code.co_filename == __file__:
            return None
        if event in ("line", "call"):
            raise watch.error()
        return trace

    for each in frames:
        each.f_trace = trace
    _set_trace(trace)


def _with_interrupt(job: Callable[[], Any], watch: _Watch) -> tuple[Any, BaseException | None]:
    """In the main thread of Windows: a thread sends the interrupt that the stop button sends."""

    def on_interrupt(signum: int, frame: FrameType | None) -> None:
        if watch.why and not watch.armed:
            return
        if watch.why:
            watch.fired += 1
            if watch.fired > 2:
                _raise_at_next_line(frame, watch)
            raise watch.error()
        raise KeyboardInterrupt

    done = threading.Event()

    def watcher() -> None:
        wait = _TICK
        while not done.wait(wait if watch.why else min(wait, watch.left)):
            if watch.armed and watch.reason():
                wait = 0.05 if watch.fired < 3 else next(watch.delays)
                _interrupt_main()

    previous = signal.getsignal(signal.SIGINT)
    trace = sys.gettrace()
    thread = threading.Thread(target=watcher, name="cnnlib time limit", daemon=True)
    _set_signal(signal.SIGINT, on_interrupt)
    thread.start()
    try:
        return _guarded(job, watch)
    finally:
        watch.armed = False
        done.set()
        thread.join()
        _set_trace(trace)
        time.sleep(0)  # an interrupt that is still on its way meets a watch that is not armed
        _set_signal(signal.SIGINT, previous if previous is not None else signal.default_int_handler)


def _interrupt_main() -> None:
    """Interrupt the main thread as Ctrl-C does, out of a ``time.sleep`` too."""
    if sys.platform == "win32":
        _raise_signal(signal.SIGINT)
    else:
        _kill_thread(threading.main_thread().ident, signal.SIGINT)


class _LeftBehind(TimeLimit):
    """The code did not stop, so its thread was left running."""


def _in_thread(job: Callable[[], Any], watch: _Watch) -> tuple[Any, BaseException | None]:
    """Outside the main thread: in a thread of its own, which is left behind if it does not stop."""
    box: list[tuple[Any, BaseException | None]] = []
    thread = threading.Thread(target=lambda: box.append(_guarded(job, watch)), name="cnnlib exercise", daemon=True)
    thread.start()
    give_up = math.inf
    wait = _TICK
    while thread.is_alive():
        thread.join(wait if watch.why else min(wait, watch.left))
        if not thread.is_alive():
            break
        if watch.reason() and watch.armed:
            watch.fired += 1
            give_up = min(give_up, _now() + _GRACE)
            wait = 0.02
            _raise_in(thread, watch.error)
        if _now() > give_up:
            return None, _LeftBehind()
    return box[0] if box else (None, TimeLimit())


def _end_threads(before: set[threading.Thread]) -> int:
    """Stop the learner's threads that were not there before; how many go on all the same."""
    end = _now() + 0.5
    while True:
        new = [each for each in threading.enumerate() if each not in before and each.is_alive()]
        frames = sys._current_frames()
        theirs = [each for each in new if each.ident in frames and _runs_learners_code(frames[each.ident])]
        frames = None
        if not theirs or _now() > end:
            return len(theirs)
        for thread in theirs:
            _raise_in(thread, TimeLimit)
            thread.join(0.01)


def _runs_learners_code(frame: FrameType | None) -> bool:
    while frame is not None:
        if is_learners(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def _raise_in(thread: threading.Thread, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(error))


# --- memory ----------------------------------------------------------------------------------------------------------


def _memory_in_use() -> int:
    """Bytes of memory that this process holds; 0 where that cannot be found cheaply."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ImportError, OSError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return 0


def _affordable(memory: int) -> int:
    """That many bytes, or less where the machine has less."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/meminfo", encoding="ascii") as file:
        available = next(line for line in file if line.startswith("MemAvailable"))
        return max(512 * 1024**2, min(memory, int(available.split()[1]) * 1024 * 7 // 10))
    return memory


@contextlib.contextmanager
def _address_space_limit() -> Iterator[None]:
    """Let one huge allocation fail at once with a MemoryError, where Linux would grant it and then end the process.

    Generous, because thread pools reserve addresses that they never use; not beside a GPU, whose driver reserves more.
    """
    if not sys.platform.startswith("linux") or any(map(os.path.exists, ("/dev/nvidiactl", "/dev/kfd"))):
        yield
        return
    import resource

    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        before = resource.getrlimit(resource.RLIMIT_AS)
        limit = now + 8 * 1024**3 + 256 * 1024**2 * (os.cpu_count() or 1)
        if before[0] != resource.RLIM_INFINITY:
            limit = min(limit, before[0])
        resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, before)


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
def _redirected(output: BoundedText) -> Iterator[None]:
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
def _forbidden() -> Iterator[None]:
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
    shell = _shell()
    if shell is not None:
        replaced.append((shell, "ask_exit", leave))  # what exit() calls in a notebook
        replaced.append((shell.display_pub, "publish", lambda *args, **kwargs: None))  # without a bound on its amount
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


def _shell() -> Any:
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

_ENGINE = tuple(f"cnnlib.exercises.{name}" for name in ("compare", "sandbox", "kinds", "outcome"))


@contextlib.contextmanager
def _restored_world() -> Iterator[None]:
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
    names = [*_RESTORED_MODULES, *(name for name in sys.modules if name.split(".")[0] == "cnnlib")]
    return [sys.modules[name] for name in names if isinstance(sys.modules.get(name), ModuleType)]


def _mender(still: Callable[[], bool]) -> Callable[[], None]:
    """What puts back, between two calls, the engine itself and what it works with; needs none of it to do so.

    ``still`` says whether the sandbox is open: code that was left behind may end much later.
    """
    owners = [sys.modules[name] for name in _ENGINE if name in sys.modules]
    owners += [value for owner in owners for value in vars(owner).values() if _is_engine_class(value)]
    kept = [(owner, vars(owner), {**vars(owner)}) for owner in owners]
    for owner in (builtins, os, signal, sys, threading, time):
        kept.append((owner, vars(owner), {name: value for name, value in vars(owner).items() if callable(value)}))

    def mend(setattr: Callable[..., None] = setattr) -> None:
        if still():
            for owner, now, before in kept:
                for name, value in before.items():
                    if now.get(name) is not value:
                        setattr(owner, name, value)

    return mend


def _is_engine_class(value: Any) -> bool:
    return isinstance(value, type) and value.__module__ in _ENGINE


def _put_back(owner: ModuleType, before: dict[str, Any]) -> None:
    """Restore the functions and classes of a module; its other values may change for good reasons."""
    now = vars(owner)
    for name, value in before.items():
        if callable(value) and now.get(name) is not value:
            setattr(owner, name, value)


def _folder() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


# --- the learner's line ----------------------------------------------------------------------------------------------

_LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(__file__).resolve().parents[1]), str(Path(__file__).parents[1])}
)


def learners_line(trace: Any, besides: CodeType | None = None) -> Line | None:
    """The innermost line of a traceback that the learner wrote; None if it only passes through libraries.

    The lines of ``besides`` are not the learner's.
    """
    found = None
    steps = 0
    while trace is not None and steps < 100_000:
        code = trace.tb_frame.f_code
        if code is not besides and is_learners(code.co_filename):
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            found = Line(code.co_name, trace.tb_lineno, text, code.co_filename)
        trace = trace.tb_next
        steps += 1
    return found


def is_learners(file: str) -> bool:
    """Whether a file (or a cell) is neither of this package nor of a library."""
    if file.startswith("<frozen") or "<__array_function__" in file:
        return False
    return not file.startswith(_LIBRARIES)


def _forget_frames(error: BaseException) -> bool:
    """Drop the frames of an error, which hold large arrays and the engine's own objects; True when it is done."""
    with contextlib.suppress(Exception):
        traceback.clear_frames(error.__traceback__)
    with contextlib.suppress(Exception):
        error.__traceback__ = None
        error.__context__ = None
    return True


# --- arguments -------------------------------------------------------------------------------------------------------


def copied(value: Any) -> Any:
    """A copy of an argument that shares nothing mutable with it; functions and models are handed on as they are."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, (list, tuple, set, frozenset)) and type(value) in (list, tuple, set, frozenset):
        return type(value)(copied(item) for item in value)
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (int, float, complex, str, bytes, type(None))) or callable(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:
        return value
