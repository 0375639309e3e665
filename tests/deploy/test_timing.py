"""Times: percentiles of known calls, in turns, and what the clock can tell."""

import time

import numpy as np
import pytest

from cnnlib import deploy
from cnnlib.deploy import timing


def a_timing(wall, **more):
    return deploy.Timing(np.array(wall, float), np.array(wall, float), 1.0, 1, 1e-4, **more)


def test_percentiles_need_enough_repetitions():
    few, many = a_timing(range(19)), a_timing([10.0] * 98 + [500.0] * 2)
    assert np.isnan(few.p95)
    assert few.p50 == 9
    assert np.isnan(a_timing(range(99)).p99)
    assert (many.p50, many.p95, many.p99) == (10, 10, 500)
    assert a_timing([3.0, 2.0, 9.0]).shortest == 2
    assert "p99" not in str(few)
    assert "p50 10, p95 10, p99 500 ms" in str(many)


def test_a_call_that_sleeps_takes_the_clock_but_no_processor():
    took = deploy.latency(time.sleep, 0.005, repetitions=5)
    assert took.p50 >= 5
    assert took.cpu < took.p50 / 2
    assert took.calls == 1


def test_calls_are_counted_and_made_in_turns():
    order = []
    calls = {name: lambda pause, name=name: order.append(name) or time.sleep(pause) for name in "ab"}
    deploy.compare(calls, 0.001, repetitions=3, warm_up=2)
    assert order == ["a", "a", "b", "b", *"ab" * 3]


def test_a_call_too_short_for_the_clock_is_made_many_times(monkeypatch):
    monkeypatch.setattr(timing, "resolution", lambda: 1.0)  # a clock of whole milliseconds
    took = deploy.latency(lambda: time.sleep(0.0005), repetitions=2)
    assert took.calls > 50
    assert "means of" in str(took)
    assert 0.3 < took.p50 < 20


def test_the_first_call_is_kept_apart():
    slow = iter([0.03])
    took = deploy.latency(lambda: time.sleep(next(slow, 0.001)), repetitions=5)
    assert took.first > 25
    assert took.p50 < 25


def test_the_clock_has_a_step():
    assert 0 < timing.resolution() < 20


@pytest.mark.parametrize(("options", "says"), [({"repetitions": 0}, "repetitions=0"), ({"warm_up": 0}, "warm_up=0")])
def test_too_few_calls_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        deploy.latency(time.time, **options)


def test_nothing_to_time():
    with pytest.raises(ValueError, match="nothing to time"):
        deploy.compare({})
