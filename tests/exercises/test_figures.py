"""Figures that an answer opens are closed and never drawn; those that were open before stay."""

import subprocess
import sys
import time

import matplotlib
import pytest
from engine_case import CRASHED, RIGHT, WRONG, answer_of, output_size, sizes

from cnnlib.exercises import figures

matplotlib.use("agg")
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _no_figures():
    plt.close("all")
    yield
    plt.close("all")


def drawing(size, kernel, stride=1, padding=0):
    figure, axes = plt.subplots()
    axes.plot([size, kernel])
    plt.show()
    return output_size(size, kernel, stride, padding)


def test_a_right_answer_that_draws_is_right_and_leaves_no_figure():
    assert sizes(time_limit=5).check(drawing).outcome == RIGHT
    assert plt.get_fignums() == []


def test_figures_that_were_open_stay_and_are_not_drawn_into():
    before = plt.figure(1)
    other = plt.figure(7)
    before.gca().plot([1, 2])
    plt.figure(1)

    def answer(size, kernel, stride=1, padding=0):
        assert plt.get_fignums() == []
        plt.figure(1)
        plt.plot([3, 4])
        plt.close("all")
        plt.figure(2)
        return output_size(size, kernel, stride, padding)

    assert sizes(time_limit=5).check(answer).outcome == RIGHT
    assert plt.get_fignums() == [1, 7]
    assert plt.figure(7) is other
    assert plt.figure(1) is before
    assert len(before.gca().lines) == 1


def test_figures_are_closed_after_each_call():
    most = []

    def answer(size, kernel, stride=1, padding=0):
        plt.figure()
        most.append(len(plt.get_fignums()))
        return 0

    assert sizes(time_limit=5).check(answer).outcome == WRONG
    assert set(most) == {1}


def test_show_does_nothing_and_is_put_back(monkeypatch):
    shown = []
    show = lambda *args, **kwargs: shown.append(1)  # noqa: E731
    monkeypatch.setattr(plt, "show", show)
    assert sizes(time_limit=5).check(drawing).outcome == RIGHT
    assert shown == []
    assert plt.show is show


def test_figures_of_an_answer_that_fails_are_closed_too():
    assert sizes(time_limit=5).check(answer_of("plt.figure()\nreturn 1 / 0", plt=plt)).outcome == CRASHED
    assert plt.get_fignums() == []


def test_a_listener_that_does_not_end_does_no_harm():
    def answer(size, kernel, stride=1, padding=0):
        plt.figure().canvas.mpl_connect("close_event", lambda event: time.sleep(100))
        return output_size(size, kernel, stride, padding)

    started = time.monotonic()
    assert sizes(time_limit=5).check(answer).outcome == RIGHT
    assert time.monotonic() - started < 30
    assert plt.get_fignums() == []


def test_the_plotting_library_is_not_imported():
    code = """
import sys
from cnnlib.exercises import Case, FunctionExercise
twice = FunctionExercise("01.1", "Twice", reference=lambda x: 2 * x, cases=lambda rng: [Case((3,))])
print(twice.check(lambda x: x + x).outcome, "matplotlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["RIGHT", "False"]


def test_an_answer_that_imports_the_plotting_library_itself_leaves_no_figure_either():
    code = """
import sys
from cnnlib.exercises import Case, FunctionExercise
twice = FunctionExercise("01.1", "Twice", reference=lambda x: 2 * x, cases=lambda rng: [Case((3,))], time_limit=30)
def answer(x):
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot
    pyplot.figure()
    return x + x
print(twice.check(answer).outcome, sys.modules["matplotlib.pyplot"].get_fignums())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["RIGHT", "[]"]


def test_nothing_is_open_where_nothing_is_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib._pylab_helpers")
    assert not figures.any_open()
    assert figures.close()
