"""How long an answer may take: every limit of time, in one place.

What is counted is the processor time of the learner's own code, so that a busy machine makes no answer too slow, and
the check's own work (drawing cases, comparing, training what the learner built) is not the learner's time. Code that
does not work but sleeps or waits is ended by the clock, generously.

An exercise states one number, ``time_limit``; the rest follows from it.
"""

from dataclasses import dataclass

SLOWER = 20  # a learner's function may take this many times what the reference takes
TOGETHER = 6  # all calls of one check together, in limits of one call
WAITING = 8  # by the clock, in limits of processor time ...
WAITING_MOST = 60.0  # ... but no more seconds than that beyond it
OWN_WORK = 10  # the check's own work, in limits of one call ...
OWN_WORK_LEAST = 300.0  # ... and at least that many seconds

TICK = 0.25  # seconds to the first look at the clocks and at the memory
AGAIN = 0.05  # and from one to the next
PAUSE = 0.5  # longer than that between two looks, and something else than the learner's loop held it up
LOOK = 0.3  # seconds for one look of the engine at an object of the learner's making ...
LOOKS = 1.0  # ... and for all of them in one check
PATIENCE = 2.0  # until the library that the learner called comes back to a line of the learner's
GRACE = 1.5  # seconds that a thread gets to stop before it is left behind


@dataclass(frozen=True)
class Limits:
    """The limits of one check, in seconds.

    Attributes:
        call: processor time of the learner's code in one call.
        together: processor time of the learner's code in all calls.
        waiting: by the clock, for one call.
        own_work: by the clock, for what the check itself does between the learner's lines.
    """

    call: float
    together: float
    waiting: float
    own_work: float

    @classmethod
    def of(cls, call: float, together: float = 0.0) -> "Limits":
        """What follows from the limit of one call; ``together`` is raised to at least so much."""
        return cls(
            call=call,
            together=max(TOGETHER * call, together),
            waiting=min(WAITING * call, call + WAITING_MOST),
            own_work=max(OWN_WORK * call, OWN_WORK_LEAST),
        )
