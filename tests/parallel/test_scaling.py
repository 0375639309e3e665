"""The arithmetic of many devices: averages, laws, the ring, memory, money."""

import numpy as np
import pytest

from cnnlib import parallel


def test_shards_are_neighbours_and_even():
    assert [s.stop - s.start for s in parallel.shards(10, 4)] == [3, 3, 2, 2]
    assert parallel.shards(10, 4)[0] == slice(0, 3)
    assert parallel.shards(10, 4)[-1] == slice(8, 10)
    with pytest.raises(ValueError, match="3 examples for 4 devices"):
        parallel.shards(3, 4)


def test_an_average_is_weighted_by_examples():
    one, two = [np.array([1.0, 2.0]), np.array(4.0)], [np.array([4.0, 8.0]), np.array(0.0)]
    assert [a.tolist() for a in parallel.average([one, two], [1, 3])] == [[3.25, 6.5], 1.0]
    assert [a.tolist() for a in parallel.average([one, two])] == [[2.5, 5.0], 2.0]
    with pytest.raises(ValueError, match=r"2 devices and examples \[1\]"):
        parallel.average([one, two], [1])
    with pytest.raises(ValueError, match=r"devices give \[2, 1\] arrays"):
        parallel.average([one, two[:1]])


def test_a_difference_is_relative_to_what_was_expected():
    assert parallel.relative_difference([np.array([3.0, 0.0])], [np.array([3.0, 4.0])]) == pytest.approx(0.8)
    with pytest.raises(ValueError, match="gradients of the same network"):
        parallel.relative_difference([np.zeros(2)], [np.ones(3)])


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_states_of_a_ring_end_in_the_sum(n):
    values = np.random.default_rng(n).integers(0, 9, (n, n))
    states = parallel.ring_states(values)
    assert len(states) == 2 * n - 1
    assert (states[-1] == values.sum(0)).all()
    assert all(np.count_nonzero(b != a) <= n for a, b in zip(states, states[1:])), "one chunk a device in each step"
    with pytest.raises(ValueError, match="as many chunks as devices"):
        parallel.ring_states(np.ones((2, 3)))


def test_the_laws_and_their_inverse():
    assert parallel.amdahl(1, 0.3) == parallel.gustafson(1, 0.3) == 1
    assert parallel.amdahl(4, 0.0) == parallel.gustafson(4, 0.0) == 4
    assert parallel.amdahl(10**9, 0.25) == pytest.approx(4)
    for n in (2, 8, 100):
        assert parallel.serial_share(1.0, 1 / parallel.amdahl(n, 0.07), n) == pytest.approx(0.07)
    assert parallel.amdahl(np.array([1, 2]), 0.5).tolist() == pytest.approx([1, 4 / 3])
    with pytest.raises(ValueError, match="Is it in percent"):
        parallel.amdahl(2, 5)
    with pytest.raises(ValueError, match="expected 1 or more"):
        parallel.gustafson(0, 0.5)
    with pytest.raises(ValueError, match="two devices"):
        parallel.serial_share(1.0, 1.0, 1)


def test_a_ring_sends_less_than_twice_the_array():
    assert parallel.ring_bytes(100, 1) == 0
    assert parallel.ring_bytes(100, 2) == 100
    assert 199 < parallel.ring_bytes(100, 1000) < 200
    assert parallel.ring_seconds(100, 4, bandwidth=50, latency=1) == 3 + 6
    with pytest.raises(ValueError, match="Divide by 8"):
        parallel.ring_seconds(100, 4, bandwidth=0)


def test_seconds_of_a_step_and_where_it_stops_paying():
    assert parallel.step_seconds(1, 2.0, 1e6, 1e6) == 2.0
    assert parallel.step_seconds(2, 2.0, 1e6, 1e6) == 1.0 + 1.0
    assert parallel.step_seconds(2, 2.0, 1e6, 1e6, overlap=1.0) == 1.0
    seconds = parallel.step_seconds(np.arange(1, 30), 2.0, 1e6, 1e7)
    best = parallel.worth_it(seconds)
    assert seconds[0] / (best * seconds[best - 1]) >= 0.5 > seconds[0] / ((best + 1) * seconds[best])
    assert parallel.worth_it([1.0, 2.0, 3.0]) == 1
    with pytest.raises(ValueError, match="positive times"):
        parallel.worth_it([])


def test_the_rate_climbs_from_the_base_and_stays():
    rates = [parallel.linear_rate(step, 0.1, 4, warmup=3) for step in range(6)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert parallel.linear_rate(0, 0.1, 4) == pytest.approx(0.4)
    assert parallel.linear_rate(1, 0.1, 0.5, warmup=2) == pytest.approx(0.075)
    with pytest.raises(ValueError, match="none may be negative"):
        parallel.linear_rate(-1, 0.1, 2)


@pytest.mark.parametrize(("stage", "bytes_each"), [(0, 16), (1, 4 + 12 / 8), (2, 2 + 14 / 8), (3, 16 / 8)])
def test_memory_of_the_stages_is_that_of_the_paper(stage, bytes_each):
    assert parallel.memory(1e9, 8, stage, "mixed").total == pytest.approx(bytes_each * 1e9)


def test_memory_by_precision_optimizer_and_activations():
    assert parallel.memory(10, optimizer="sgd").total == 80
    assert parallel.memory(10, optimizer="momentum", activations=5).total == 125
    with pytest.raises(ValueError, match="expected one of"):
        parallel.memory(10, precision="float8")
    with pytest.raises(ValueError, match="sharded=4"):
        parallel.memory(10, sharded=4)


def test_bubble_flops_and_bill():
    assert parallel.pipeline_bubble(1, 1) == 0
    assert parallel.pipeline_bubble(4, 1) == 0.75
    with pytest.raises(ValueError, match="1 or more of each"):
        parallel.pipeline_bubble(4, 0)
    assert parallel.training_flops(10, 5, 2) == 600
    hours, price = parallel.cost(3600 * 1e12, 1e12, 0.5, price=3.0, devices=2)
    assert (hours, price) == (1.0, 6.0)
    with pytest.raises(ValueError, match="Is it in percent"):
        parallel.cost(1, 1, 35)
    with pytest.raises(ValueError, match="must be positive"):
        parallel.training_flops(1, 0)
