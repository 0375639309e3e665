"""An exercise whose answer is anything else that a check can examine."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import errors
from .base import Exercise, Wrong
from .compare import as_numeric, describe, plain
from .outcome import Outcome, Result, code
from .sandbox import Sandbox, copied


class CheckExercise(Exercise):
    """Anything else: a model, a kernel, several functions.

    Args:
        check: ``check(answer, rng)`` returns nothing if the answer is right and raises :class:`Wrong` if it is not. It
            may call the learner's code: an error in there is reported with the learner's line. The time limit is for
            the learner's lines; the check's own work may take longer. It uses public attributes only, and hands the
            learner's code copies of its own data. If ``.check(a, b)`` is given several things, the answer is a tuple.
    """

    def __init__(
        self,
        id: str,
        title: str,
        *,
        check: Callable[[Any, np.random.Generator], None],
        hints: tuple[str, ...] = (),
        time_limit: float = 20.0,
        remark: str = "",
    ):
        super().__init__(id, title, hints=hints, time_limit=time_limit, remark=remark)
        self._examine = check

    def _check(self, answer: Any, rng: np.random.Generator) -> Result:
        with Sandbox(self.time_limit) as sandbox:
            attempt = sandbox.run(lambda: self._examine(copied(answer), rng), besides=self._examine, own_work=True)
            error = attempt.error
            what = sandbox.run(lambda: describe(answer), at_least=1.0).value if attempt.failed else ""
        notes = errors.notes(sandbox)
        if isinstance(error, Wrong):
            return self._result(Outcome.WRONG, error.message, [*error.rows(), *errors.printed(sandbox)], notes=notes)
        if attempt.failed and (attempt.line is not None or attempt.stopped or not isinstance(error, Exception)):
            return self._crashed(attempt, sandbox)
        if attempt.failed:
            says = f"The check cannot work with your answer: {what or 'something of an unknown kind'}."
            rows = [("Error", code(errors.error_text(attempt))), *errors.printed(sandbox)]
            return self._result(Outcome.WRONG, says, rows, notes=notes)
        if attempt.value is not None:
            raise RuntimeError(f"exercise {self.id} is broken: its check returned something instead of raising Wrong")
        return self._result(Outcome.RIGHT, notes=notes)


def as_array(answer: Any, shape: tuple[int | None, ...] | None = None, name: str = "the answer") -> np.ndarray:
    """The learner's answer as an array of numbers, for the check of a :class:`CheckExercise`.

    Args:
        answer: an array, a tensor of any backend, or nested lists.
        shape: the shape it must have; None stands for any length.
        name: what it is called in the message.

    Raises:
        Wrong: it is no array of numbers, has another shape, or holds NaN or infinity.
    """
    value = plain(answer)
    array = as_numeric(value)
    array = array if array is not None and array.dtype.kind in "iuf" else None
    if array is None:
        raise Wrong(f"{name[:1].upper()}{name[1:]} should be an array of numbers.", came=describe(value))
    if shape is not None:
        fits = len(shape) == array.ndim and all(n is None or n == m for n, m in zip(shape, array.shape))
        if not fits:
            wanted = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
            raise Wrong(f"The shape of {name} is not right.", came=str(array.shape), expected=wanted)
    if not np.isfinite(array).all():
        raise Wrong(f"{name[:1].upper()}{name[1:]} holds NaN or infinity.", came=describe(value))
    return array
