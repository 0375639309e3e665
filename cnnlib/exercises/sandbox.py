"""Run a learner's code so that whatever it does, the notebook goes on.

Inside ``with Sandbox(seconds) as sandbox:`` each ``sandbox.call(function, *args)`` gives an :class:`Attempt`: the value
as plain data, or the error with the learner's own line. Code that runs too long or takes too much memory is stopped
(:mod:`.stopping`), what it prints is kept up to a bound, exits do not exit, figures that it opens are closed, and what
it changed of the world (random state, warning filters, functions of NumPy, the working folder, ...) is put back at the
end (:mod:`.world`).
"""

import contextlib
import copy
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import compare, figures, limits, lines, memory, stopping, world
from .lines import Line, is_learners, learners_line
from .stopping import TimeLimit, Watch

__all__ = ["Attempt", "Line", "Sandbox", "TimeLimit", "copied", "is_learners", "learners_line"]

KEPT_CHARACTERS = 4000
MEMORY = 2 * 1024**3

_now = time.monotonic


@dataclass(frozen=True)
class Attempt:
    """What came of one call.

    ``value`` is plain data. ``error`` is what the code raised, ``line`` where; both None if it returned.
    """

    value: Any = None
    error: BaseException | None = None
    line: Line | None = None
    message: str = ""  # the error's own text
    stopped: str = ""  # why it was stopped: see STOPPED
    seconds: float = 0.0  # of the learner's work

    @property
    def failed(self) -> bool:
        """Whether there is no value."""
        return self.error is not None


STOPPED = {
    "time": "it worked for longer than one call may",
    "together": "all calls together worked for longer than they may",
    "waiting": "it slept or waited",
    "own work": "the check's own work with the answer did not end",
    "memory": "it took too much memory",
    "left behind": "it could not be stopped, and runs on in its thread",
}


class Sandbox:
    """Where the learner's code runs; see the module's text.

    Args:
        seconds: of work that one call may take; what all may take together, and the rest of the limits, follows.
        most_memory: how many bytes they may take beyond what was in use before.
        together: seconds that all calls may take at least, if that is more than what follows from one.
    """

    def __init__(self, seconds: float, most_memory: int = MEMORY, together: float = 0.0):
        self.limits = limits.Limits.of(seconds, together)
        self.memory = memory.affordable(most_memory)
        self.output = world.BoundedText(KEPT_CHARACTERS)
        self.left_behind = 0  # threads that still run
        self.worked = 0.0  # seconds
        self.calls = 0
        self._waited = 0.0
        self._open = False
        self._looks = limits.LOOKS
        self._stack = contextlib.ExitStack()
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Sandbox":
        self._threads = set(threading.enumerate())
        with contextlib.ExitStack() as stack:
            stack.enter_context(world.restored())
            stack.enter_context(world.forbidden())
            stack.enter_context(world.redirected(self.output))
            stack.enter_context(memory.address_space_limit())
            stack.enter_context(figures.kept_apart())
            self._mend = world.mender(lambda: self._open)
            self._open = True
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._open = False
        self._stack.close()
        self.left_behind = _end_threads(self._threads)

    @property
    def seconds(self) -> float:
        """Of work that one call may take."""
        return self.limits.call

    @property
    def remaining(self) -> float:
        """Seconds of work that are left to all calls together."""
        return self.limits.together - self.worked

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Attempt:
        """Call the learner's function and turn its result into plain data."""
        self.calls += 1
        return self.run(lambda: compare.plain(function(*args, **kwargs)))

    def run(
        self,
        job: Callable[[], Any],
        besides: Callable[..., Any] | None = None,
        at_least: float = 0.0,
        own_work: bool = False,
    ) -> Attempt:
        """Call ``job``, which calls the learner's code; the attempt's value is what it returns, untouched.

        Args:
            job: what is called.
            besides: a function whose lines are not the learner's.
            at_least: so many seconds are given, even if the time is over: for the engine's own look at an object of
                the learner's.
            own_work: the job is the check's own, and calls the learner's code in between: only that is timed.
        """
        left = max(self.remaining, at_least)
        waiting = 2 * self.limits.waiting - self._waited  # whoever sleeps in each call does not do so for long
        if left <= 0 or waiting <= 0 and not at_least:
            return Attempt(error=TimeLimit(), stopped="together" if left <= 0 else "waiting")
        skipped = getattr(besides, "__code__", None)
        watch = Watch(
            seconds=max(min(self.limits.call, left), at_least),
            waiting=min(self.limits.waiting, max(waiting, at_least)),
            own_work=self.limits.own_work,
            most_memory=memory.in_use() + self.memory,
            theirs=_frames_of_the_learner(skipped) if own_work else None,
            mend=self._mend,
        )
        value, error = stopping.stoppable(job, watch, self._main)
        self.worked += watch.worked
        self._waited += max(0.0, watch.waited - watch.worked)
        if watch.why and error is None:  # it swallowed the interrupt and returned something
            error = TimeLimit()
        if figures.any_open():
            self._look(figures.close)  # which tells the figures' listeners, the learner's too
        if error is None:
            return Attempt(value, seconds=watch.worked)
        line = learners_line(error.__traceback__, skipped)
        stopped = "left behind" if isinstance(error, stopping.LeftBehind) else watch.why
        if stopped == "time" and watch.seconds < self.limits.call:
            stopped = "together"
        message = "" if stopped else self._text_of(error)
        if not self._look(lambda: _forget_frames(error)):  # which runs finalizers, the learner's too
            stopped = stopped or "time"
        return Attempt(error=error, line=line, message=message, stopped=stopped, seconds=watch.worked)

    def _text_of(self, error: BaseException) -> str:
        """What an error says; its class may be the learner's, with a ``__str__`` that fails or does not end."""
        return self._look(lambda: str.__str__(str(error))[:2000]) or ""

    def _look(self, job: Callable[[], Any]) -> Any:
        """A short look at something of the learner's; None if it fails or the time for all looks is over."""
        if self._looks <= 0:
            return None
        seconds = min(limits.LOOK, self._looks)
        watch = Watch(seconds=seconds, waiting=2 * seconds, mend=self._mend)
        value, error = stopping.stoppable(job, watch, self._main)
        self._looks -= watch.waited
        return None if error is not None or watch.why else value


def _frames_of_the_learner(besides: Any) -> Callable[[Any], bool]:
    until = stopping.guarded.__code__
    return lambda frame: lines.runs_learners_code(frame, besides, until)


def _end_threads(before: set[threading.Thread]) -> int:
    """Stop the learner's threads that were not there before; how many go on all the same."""
    end = _now() + 0.5
    while True:
        new = [each for each in threading.enumerate() if each not in before and each.is_alive()]
        frames = sys._current_frames() if new else {}
        theirs = [each for each in new if each.ident in frames and lines.runs_learners_code(frames[each.ident])]
        frames = None
        if not theirs or _now() > end:
            return len(theirs)
        for thread in theirs:
            stopping.raise_in(thread, TimeLimit)
            thread.join(0.01)


def _forget_frames(error: BaseException) -> bool:
    """Drop the frames of an error, which hold large arrays and the engine's own objects; True when it is done."""
    with contextlib.suppress(Exception):
        traceback.clear_frames(error.__traceback__)
    with contextlib.suppress(Exception):
        error.__traceback__ = None
        error.__context__ = None
    return True


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
