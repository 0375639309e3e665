"""Stop code that runs too long, sleeps too long, or takes too much memory.

How running code is stopped. In the main thread of Linux and macOS a timer signal raises :class:`TimeLimit` inside it:
in the learner's own line, if need be a little later, since a library is not made to be left at any place (its C++ part
may have called the Python that the error comes from); where no such line comes, in the library. Code that catches it
(``except: pass`` in a loop) gets it again: when the handler lets go of the exception, its finalizer sees to it that the
learner's next line raises it anew, and that line is further out. Signals at irregular moments do the rest. Libraries
on the way out may put their own state in order first: TensorFlow leaves its graph in the ``__exit__`` of a context
manager, and an error raised in *that* would leave every later call in the graph. On Windows, which has no timer signal,
a thread raises an interrupt instead. Outside the main thread the code runs in a thread of its own, which is left behind
if it does not stop.

How time is counted: as what the code would take on a machine with nothing else to do. That is the processor time of
its thread, or, where native threads work for it, the processor time of the process shared out over the cores; and never
more than the clock says. Where the system tells it (Linux), the clock stands still while the thread would work and gets
no processor. At each look the time since the last one is the learner's if one of the learner's lines is
being run, and the check's own otherwise.
"""

import contextlib
import ctypes
import dis
import functools
import itertools
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from . import limits, lines, memory

# The engine's own: while the learner's code runs, these are replaced, and it may have replaced others before.
_now = time.monotonic
_open = open
_process_time = time.process_time
_thread_time = time.thread_time
_set_signal = signal.signal
_set_timer = getattr(signal, "setitimer", None)
_set_trace = sys.settrace
_raise_signal = signal.raise_signal
_kill_thread = getattr(signal, "pthread_kill", None)
_clock_id = getattr(time, "pthread_getcpuclockid", None)
_read_clock = getattr(time, "clock_gettime", None)
_OWN = frozenset({__file__, lines.__file__, limits.__file__, memory.__file__})
_TIDYING = frozenset({"__enter__", "__exit__", "__aenter__", "__aexit__", "__del__"})
_CORES = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class TimeLimit(BaseException):
    """Raised inside the learner's code when its time is up; no ``Exception``, so that fewer handlers catch it."""


class LeftBehind(TimeLimit):
    """The code did not stop, so its thread was left running."""


class Stopwatch:
    """Counts the time that code takes; see the module's text."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._clock: int | None = None
        self.start()

    def start(self) -> None:
        """Count the thread that calls this, from now on."""
        self._thread = threading.get_ident()
        self._schedule = f"/proc/self/task/{threading.get_native_id()}/schedstat"
        try:
            self._clock = _clock_id(self._thread) if _clock_id is not None else None
        except OSError:
            self._clock = None
        self._last = self._read()

    def lap(self) -> tuple[float, float]:
        """Seconds since the last call: of work, and by the clock."""
        last, self._last = self._last, self._read()
        clock, process = self._last[0] - last[0], self._last[1] - last[1]
        clock = max(0.0, clock - max(0.0, self._last[3] - last[3]))
        if self._last[2] is None or last[2] is None:
            work = process
        else:
            work = max(self._last[2] - last[2], process / _CORES)
        return min(work, clock), clock

    def _read(self) -> tuple[float, float, float | None, float]:
        return _now(), _process_time(), self._thread_seconds(), self._held_up()

    def _thread_seconds(self) -> float | None:
        """Processor time of the counted thread; None where another thread's cannot be asked for."""
        if threading.get_ident() == self._thread:
            return _thread_time()
        try:
            return _read_clock(self._clock) if self._clock is not None else None
        except OSError:  # it has ended
            return None

    def _held_up(self) -> float:
        """Seconds that the counted thread was ready to work and got no processor; 0 where the system does not tell."""
        try:
            with _open(self._schedule, "rb") as file:
                return int(file.read().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0


@dataclass
class Watch:
    """What the interrupting side and the interrupted side share.

    A laptop that sleeps, or a process that is held up, is not the learner's endless loop: of the time between two looks
    no more than ``limits.PAUSE`` counts.
    """

    seconds: float  # of the learner's work
    waiting: float  # by the clock, while the learner's code runs
    own_work: float = math.inf  # by the clock, while the check's own does
    most_memory: int = sys.maxsize  # bytes of the process
    theirs: Callable[[FrameType | None], bool] | None = None  # whether a frame runs the learner's code; None: always
    mend: Callable[[], None] = lambda: None  # called as soon as the code has ended
    armed: bool = False
    fired: int = 0
    why: str = ""
    worked: float = 0.0
    waited: float = 0.0
    own: float = 0.0
    patience: float = math.inf  # until this time of its own a line of the learner's is waited for; infinite: not begun
    tidied: float = math.inf  # ... and a library may put its state in order
    learners: Callable[[str], bool] = field(default_factory=lines.files_of_learners)  # whether a file is the learner's
    clock: Stopwatch = field(init=False)  # from the start of the code on
    delays: Iterator[float] = field(default_factory=lambda: itertools.cycle((1e-4, 3e-4, 1.7e-4, 7e-4, 2.3e-3)))

    def __post_init__(self) -> None:
        def caught(error: BaseException) -> None:
            if self.armed:
                _raise_at_next_line(sys._getframe(1), self)

        # A class of its own, since an asynchronous exception is raised by its class.
        self.error = type("TimeLimit", (TimeLimit,), {"__del__": caught})

    def reason(self, frame: FrameType | None) -> str:
        """Why the code, which is at that frame, has to stop now; empty if it may go on."""
        self.count(frame)
        if self.why:
            return self.why
        if self.worked >= self.seconds:
            self.why = "time"
        elif self.waited >= self.waiting:
            self.why = "waiting"
        elif self.own >= self.own_work:
            self.why = "own work"
        elif memory.in_use() > self.most_memory:
            self.why = "memory"
        return self.why

    def waits(self, frame: FrameType | None) -> bool:
        """Whether the next line of the learner's is waited for, since a library is at work now."""
        if self.fired or self.why == "memory" or frame is None or self.learners(frame.f_code.co_filename):
            return False
        if self.patience == math.inf:
            self.patience = self.waited + self.own + limits.PATIENCE
        return self.waited + self.own < self.patience

    def tidies(self, frame: FrameType | None, handled: BaseException | None) -> bool:
        """Whether a library is just entering or leaving a context, or handles the interrupt, and still may.

        ``handled`` is the error that the thread of that frame is handling. The learner's own handlers may not.
        """
        if not self._puts_in_order(frame, handled):
            return False
        if self.tidied == math.inf:
            self.tidied = self.waited + self.own + limits.GRACE
        return self.waited + self.own < self.tidied

    def _puts_in_order(self, frame: FrameType | None, handled: BaseException | None) -> bool:
        inner = frame is not None and not self.learners(frame.f_code.co_filename)
        for _ in range(20):
            if inner and isinstance(handled, self.error):
                return True
            handled = getattr(handled, "__context__", None)
        while frame is not None and frame.f_code is not guarded.__code__:
            code = frame.f_code
            tidying = code.co_name in _TIDYING or code.co_filename == contextlib.__file__
            if tidying and not self.learners(code.co_filename):
                return True
            frame = frame.f_back
        return False

    def count(self, frame: FrameType | None = None) -> None:
        """Add the time since the last look to what is run at that frame."""
        work, clock = (min(each, limits.PAUSE) for each in self.clock.lap())
        if self.theirs is None or self.theirs(frame):
            self.worked += work
            self.waited += clock
        else:
            self.own += clock

    @property
    def left(self) -> float:
        """Seconds to the end of the time at the soonest, but a little more than none."""
        return max(1e-3, min(self.seconds - self.worked, self.waiting - self.waited))


def stoppable(job: Callable[[], Any], watch: Watch, main: bool) -> tuple[Any, BaseException | None]:
    """Call ``job`` under the watch; its value and the error that it ended with. ``main``: in the main thread."""
    watch.clock = Stopwatch()
    if not main:
        return _in_thread(job, watch)
    return _with_timer_signal(job, watch) if _set_timer is not None else _with_interrupt(job, watch)


def guarded(job: Callable[[], Any], watch: Watch) -> tuple[Any, BaseException | None]:
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
    watch.count()
    return value, error


# --- in the main thread ----------------------------------------------------------------------------------------------


def _with_timer_signal(job: Callable[[], Any], watch: Watch) -> tuple[Any, BaseException | None]:
    """In the main thread of Linux and macOS."""

    def on_alarm(signum: int, frame: FrameType | None) -> None:
        if not watch.armed or _is_own(frame) or not watch.reason(frame):
            return
        if watch.waits(frame):
            _raise_at_next_line(frame, watch)
            return
        if watch.tidies(frame, sys.exc_info()[1]):
            _set_timer(signal.ITIMER_REAL, limits.AGAIN, limits.AGAIN)
            return
        watch.fired += 1
        _set_trace(None)
        if watch.fired > 2:  # it catches the interrupt: repeat fast, and within its handlers too
            _set_timer(signal.ITIMER_REAL, next(watch.delays))
            _raise_at_next_line(frame, watch)
        raise watch.error()

    previous = signal.getsignal(signal.SIGALRM)
    trace = sys.gettrace()
    _set_signal(signal.SIGALRM, on_alarm)
    first = min(limits.TICK, watch.left)
    before, interval = _set_timer(signal.ITIMER_REAL, first, min(first, limits.AGAIN))
    try:
        return guarded(job, watch)
    finally:
        watch.armed = False
        _set_timer(signal.ITIMER_REAL, 0)
        _set_trace(trace)
        _set_signal(signal.SIGALRM, previous if previous is not None else signal.SIG_DFL)
        if before:
            _set_timer(signal.ITIMER_REAL, before, interval)


def _raise_at_next_line(frame: FrameType | None, watch: Watch) -> None:
    """Make the next line that runs in any frame of the learner's raise: that line may belong to its handler."""
    frames = []
    while frame is not None and frame.f_code is not guarded.__code__:
        if watch.learners(frame.f_code.co_filename):
            frames.append(frame)
        frame = frame.f_back
    if frame is None or frame.f_locals.get("watch") is not watch:
        return  # the interpreter collects garbage while something else runs

    def trace(traced: FrameType, event: str, argument: Any) -> Any:
        if not watch.armed or not watch.learners(traced.f_code.co_filename):
            return None
        if event in ("line", "call") and (watch.fired > 2 or not _leaves_context(traced)):
            watch.fired = max(watch.fired, 1)
            raise watch.error()
        return trace

    for each in frames:
        each.f_trace = trace
    _set_trace(trace)


def _is_own(frame: FrameType | None) -> bool:
    """Whether this module is at work, which is over in a moment."""
    return frame is not None and frame.f_code.co_filename in _OWN and frame.f_code is not guarded.__code__


def _leaves_context(frame: FrameType) -> bool:
    """Whether the call of an ``__exit__`` is what comes next in a frame: left out, it would leave the context open."""
    return frame.f_lasti in _exits(frame.f_code)


@functools.lru_cache(maxsize=64)
def _exits(code: CodeType) -> frozenset[int]:
    """Where a ``with`` ends: on the usual way ``__exit__(None, None, None)``, and where an error arrives."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "NOP")]
    found = {step.offset for step in steps if step.opname in ("PUSH_EXC_INFO", "WITH_EXCEPT_START")}
    for three in zip(steps, steps[1:], steps[2:]):
        if all(step.opname == "LOAD_CONST" and step.argval is None for step in three):
            found.add(three[0].offset)
    return frozenset(found)


def _with_interrupt(job: Callable[[], Any], watch: Watch) -> tuple[Any, BaseException | None]:
    """In the main thread of Windows: a thread sends the interrupt that the stop button sends."""

    def on_interrupt(signum: int, frame: FrameType | None) -> None:
        if watch.why and (not watch.armed or _is_own(frame)):
            return
        if watch.why:
            if watch.waits(frame):
                _raise_at_next_line(frame, watch)
                return
            if watch.tidies(frame, sys.exc_info()[1]):
                return
            watch.fired += 1
            _set_trace(None)
            if watch.fired > 2:
                _raise_at_next_line(frame, watch)
            raise watch.error()
        raise KeyboardInterrupt

    done = threading.Event()
    main = threading.main_thread().ident

    def watcher() -> None:
        wait = limits.TICK
        while not done.wait(wait if watch.why else min(wait, max(watch.left, limits.AGAIN))):
            if watch.armed and watch.reason(sys._current_frames().get(main)):
                wait = limits.AGAIN if watch.fired < 3 else next(watch.delays)
                _interrupt_main()

    previous = signal.getsignal(signal.SIGINT)
    trace = sys.gettrace()
    thread = threading.Thread(target=watcher, name="time limit of a check", daemon=True)
    _set_signal(signal.SIGINT, on_interrupt)
    thread.start()
    try:
        return guarded(job, watch)
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


# --- in other threads ------------------------------------------------------------------------------------------------


def _in_thread(job: Callable[[], Any], watch: Watch) -> tuple[Any, BaseException | None]:
    """Outside the main thread: in a thread of its own, which is left behind if it does not stop."""
    box: list[tuple[Any, BaseException | None]] = []

    def work() -> None:
        watch.clock.start()
        box.append(guarded(job, watch))

    thread = threading.Thread(target=work, name="check of an exercise", daemon=True)
    thread.start()
    give_up = math.inf
    wait = limits.TICK
    while thread.is_alive():
        thread.join(wait if watch.why else min(wait, max(watch.left, limits.AGAIN)))
        if not thread.is_alive():
            break
        frame = sys._current_frames().get(thread.ident)
        if watch.armed and watch.reason(frame):
            if watch.waits(frame) or watch.tidies(frame, _handled_by(thread)):
                wait = limits.AGAIN
                continue
            watch.fired += 1
            give_up = min(give_up, _now() + limits.GRACE)
            wait = 0.02
            raise_in(thread, watch.error)
        if _now() > give_up:
            return None, LeftBehind()
    return box[0] if box else (None, TimeLimit())


def _handled_by(thread: threading.Thread) -> BaseException | None:
    """The error that a thread is just handling."""
    error = sys._current_exceptions().get(thread.ident)
    return error[1] if isinstance(error, tuple) else error  # of Python 3.11, and of later ones


def raise_in(thread: threading.Thread, error: type[BaseException]) -> None:
    """Raise an error in another thread, at its next line."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(error))
