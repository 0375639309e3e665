"""What the learner's code prints, must not do, and changes."""

import builtins
import os
import random
import signal
import sys
import threading
import time
import warnings

import keras
import numpy as np
import pytest
from engine_case import (
    CRASHED,
    RIGHT,
    WRONG,
    answer_of,
    output_size,
    sizes,
    without_padding,
)

from cnnlib.exercises import (
    function,
    sandbox,
    stopping,
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit()", "asks Python to exit"),
        ("sys.exit('bye')", "SystemExit: bye"),
        ("exit()", "asks Python to exit"),
        ("quit()", "asks Python to exit"),
        ("os._exit(1)", "asks Python to exit"),
        ("os.abort()", "asks Python to exit"),
        ("os.kill(os.getpid(), 9)", "not available during a check"),
        ("signal.raise_signal(signal.SIGTERM)", "not available during a check"),
        ("signal.setitimer(signal.ITIMER_REAL, 0)", "not available during a check"),
        ("signal.signal(signal.SIGALRM, signal.SIG_IGN)", "the time limit of a check uses this signal"),
        ("os.fork()", "not available during a check"),
        ("raise SystemExit", "asks Python to exit"),
        ("raise KeyboardInterrupt", "was interrupted"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("class Odd(BaseException): pass\nraise Odd('hm')", "Odd: hm"),
        ("raise BaseException('all')", "BaseException: all"),
        ("breakpoint()", "a debugger cannot be opened"),
        ("return input()", "EOFError"),
        ("return sys.stdin.read(1)[0]", "IndexError"),
        ("class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad", "Bad"),
        ("class Slow(Exception):\n    def __str__(self): time.sleep(100)\nraise Slow", "Slow"),
        ("class Long(Exception):\n    def __str__(self): return 'x' * 10**7\nraise Long", "xxx …"),
        ("class Odd(Exception):\n    __str__ = lambda self: 3\nraise Odd", "Odd"),
        ("raise ValueError('\\ud800 \\x1b[31m <b>bold</b> `code`')", "<b>bold</b>"),
        ("raise ExceptionGroup('several', [ValueError('one')])", "several"),
        ("sys.setrecursionlimit(10**9)\nreturn answer(*args)", "calls itself without an end"),
        ("raise StopIteration", "StopIteration"),
        ("return ''.join('x' for _ in args)[5]", "IndexError"),
    ],
)
def test_what_ends_a_program_does_not_end_the_notebook(body, words):
    if "SIGALRM" in body and not hasattr(signal, "SIGALRM"):
        pytest.skip("no such signal here")
    result = sizes(time_limit=10).check(answer_of(body))  # a recursion without an end takes its time on a busy machine
    assert result.outcome == CRASHED
    assert words in result.message
    repr(result).encode("utf-8")
    result._repr_html_().encode("utf-8")
    assert "\x1b" not in repr(result)
    assert "<b>" not in result._repr_html_()
    assert sizes().check(output_size).outcome == RIGHT
    assert not sys.stdin.closed


def test_printing_is_kept_in_bounds(capsys):
    result = sizes(time_limit=5).check(
        answer_of("for _ in range(20_000):\n    print('a line')\nprint('x' * 10**7)\nsys.stderr.write('y' * 10**7)")
    )
    assert result.outcome == WRONG
    assert len(result.row("Printed")) < 1500
    assert result.row("Printed").count("a line") == 8
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


def test_the_output_of_the_learner_is_kept_from_a_right_answer(capsys):
    def answer(size, kernel, stride=1, padding=0):
        print("debugging")
        sys.stdout.close()
        sys.stdout.flush()
        return output_size(size, kernel, stride, padding)

    assert sizes().check(answer).outcome == RIGHT
    assert capsys.readouterr().out == ""
    print("still there")
    assert capsys.readouterr().out == "still there\n"


CHANGES = {
    "the random state": "np.random.seed(3)\nrandom.seed(3)",
    "error handling": "np.seterr(all='raise')",
    "warnings": "warnings.simplefilter('error')\nwarnings.warn('hm') if False else None",
    "printing": "np.set_printoptions(precision=1)",
    "the recursion limit": "sys.setrecursionlimit(5000)",
    "the folder": "os.chdir('/')",
    "the environment": "os.environ['CNNLIB_X'] = '1'\nos.environ.pop('PATH', None)",
    "the path": "sys.path.clear()",
    "numpy's functions": "np.allclose = np.array_equal = np.abs = np.isnan = np.asarray = lambda *a, **k: True",
    "numpy's modules": "np.linalg.norm = np.random.default_rng = lambda *a, **k: 0",
    "built-in functions": "builtins.len = builtins.isinstance = builtins.print = builtins.abs = lambda *a, **k: 0",
    "deleted functions": "del builtins.sorted, np.sum, time.time",
    "the engine": "import cnnlib.exercises.compare as c, cnnlib.exercises.function as k\n"
    "c.difference = k.difference = c._differ = c._close = c.plain = lambda *a, **k: None",
    "the sandbox": "import cnnlib.exercises.sandbox as s\n"
    "s.Sandbox.call = s.Sandbox.run\ns.learners_line = s.stopping.guarded = None\n"
    "s.stopping.Watch.reason = s.limits.Limits.of = s.figures.close = None",
    "keras": "keras.config.set_floatx('float64')\nkeras.config.set_image_data_format('channels_first')\n"
    "keras.config.set_epsilon(1)\nkeras.config.set_dtype_policy('float16')\nkeras.ops.sum = None",
    "loaded modules": "sys.modules.pop('numpy')\nsys.modules['json'] = None",
    "the streams": "sys.stdout = sys.stderr = sys.stdin = None",
    "the trace function": "sys.settrace(lambda *a: None)",
}


def state():
    """What a learner's code must not change for others."""
    return {
        "random": (random.getstate(), repr(np.random.get_state())),  # noqa: NPY002
        "settings": (np.geterr(), repr(np.get_printoptions()), sys.getrecursionlimit(), os.getcwd(), list(sys.path)),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "environment": {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"},
        "functions": [dict(vars(each)) for each in (np, np.linalg, np.random, time, keras.ops)],
        "builtins": {key: value for key, value in vars(builtins).items() if key != "_"},
        "engine": [dict(vars(each)) for each in (sandbox, stopping, function)],
        "keras": (keras.config.floatx(), keras.config.image_data_format(), keras.config.epsilon()),
        "policy": keras.config.dtype_policy().name,
        "modules": {name: sys.modules[name] for name in ("numpy", "json", "keras")},
        "streams": (sys.stdout, sys.stderr, sys.stdin, sys.gettrace(), sys.unraisablehook, sys.breakpointhook),
        "signals": [signal.getsignal(getattr(signal, name, signal.SIGINT)) for name in ("SIGALRM", "SIGINT")],
        "exits": (os._exit, os.kill, os.abort, builtins.input, signal.signal, threading.excepthook),
    }


@pytest.mark.parametrize("change", list(CHANGES))
def test_the_world_is_put_back(change):
    wrong = answer_of(CHANGES[change] + "\nreturn 0")
    before = state()
    first = sizes(time_limit=2).check(wrong)
    after = state()
    for name, value in before.items():
        assert after[name] == value, name
    assert first.outcome in (WRONG, CRASHED)
    assert sizes().check(output_size).outcome == RIGHT
    assert sizes().check(without_padding).outcome == WRONG
