"""Workers that train together: equal bits, counted bytes, a worker that is killed; and simulated devices."""

import importlib.util
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from cnnlib import parallel, runtime
from cnnlib.parallel import study
from cnnlib.parallel.ring import Ring


@pytest.fixture(scope="module")
def group():
    runtime.setup(0)
    with parallel.Group(2, batch=32, seed=0) as started:
        yield started


@pytest.fixture(scope="module")
def together(group):
    return group.train(8)


@pytest.mark.parametrize("members", [2, 3, 4])
def test_a_ring_gives_all_members_the_mean_bit_for_bit(members):
    key = b"secret"
    listeners = [Ring.listener(key) for _ in range(members)]
    values = np.random.default_rng(0).normal(size=(members, 13)).astype("float32")
    found, sent = [None] * members, [0] * members

    def take_part(rank):
        right = listeners[(rank + 1) % members].address[1]
        ring = Ring(rank, members, listeners[rank], right, key)
        found[rank] = ring.average(values[rank])
        sent[rank] = ring.sent
        ring.close()

    threads = [threading.Thread(target=take_part, args=(rank,)) for rank in range(members)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert np.allclose(found[0], values.mean(0), atol=1e-6)
    assert all(each.tobytes() == found[0].tobytes() for each in found)
    assert sum(sent) == 2 * (members - 1) * values[0].nbytes
    for listener in listeners:
        listener.close()


def test_a_ring_refuses_a_rank_that_is_none():
    with pytest.raises(ValueError, match="rank 2 of 2"):
        Ring(2, 2, None, 0, b"")


def test_batches_depend_on_seed_and_step_alone():
    assert (study.batch(5, 64, 16, seed=1) == study.batch(5, 64, 16, seed=1)).all()
    epoch = np.concatenate([study.batch(step, 64, 16) for step in range(4)])
    assert sorted(epoch) == list(range(64))
    assert not (study.batch(0, 64, 16) == study.batch(4, 64, 16)).all(), "another order in the next epoch"
    with pytest.raises(ValueError, match="a batch of 65 of 64"):
        study.batch(0, 64, 65)


def test_a_network_of_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="expected one of group, batch, none"):
        study.network("layer")


def test_two_workers_are_one_to_rounding(group, together):
    alone = group.train(8, workers=1)
    assert together.weights[0].tobytes() == together.weights[1].tobytes()
    assert len(alone.weights) == 1
    assert len(together.losses) == 8
    assert np.abs(alone.losses[:2] - together.losses[:2]).max() < 1e-5
    assert parallel.relative_difference(alone.weights, together.weights[:1]) < 1e-3
    assert alone.sent == 0
    assert together.sent == pytest.approx(8 * parallel.ring_bytes(together.weights[0].nbytes, 2), rel=1e-3)
    assert together.seconds > 0


def test_a_killed_worker_comes_back_and_the_end_is_the_same(group, together, tmp_path):
    before = group.processes
    disturbed = group.train(8, save=3, kill=(1, 5), folder=tmp_path)
    assert disturbed.log == [
        "worker 1 is killed after step 5",
        "worker 0 has lost its neighbour",
        "a new worker 1 has started",
        "go on from step 3",
    ]
    assert group.processes[0] == before[0], "the other one lives on"
    assert group.processes[1] != before[1]
    assert parallel.relative_difference(disturbed.weights, together.weights) < 1e-6
    without = group.train(8, resume=3, forget=["momentum"], folder=tmp_path)
    assert parallel.relative_difference(without.weights, together.weights) > 1e-3


def test_the_first_worker_may_die_too_and_without_a_save_all_begins_anew(group, together):
    disturbed = group.train(8, kill=(0, 2))
    assert "go on from step 0" in disturbed.log
    assert parallel.relative_difference(disturbed.weights, together.weights) < 1e-6


def test_no_restart_is_left(tmp_path):
    runtime.setup(0)
    with (
        parallel.Group(1, batch=8, seed=0, restarts=0) as group,
        pytest.raises(parallel.WorkerError, match="no restart"),
    ):
        group.train(4, kill=(0, 2), folder=tmp_path)


def test_the_gradient_of_the_network_is_that_of_differences():
    x, y = study.images(6)
    weights = [w.astype("float64") for w in study.first_weights(1)]
    _, gradient = study.loss_and_gradient(weights, x.astype("float64"), y)
    for k, place in ((0, (1, 2, 0, 3)), (1, (5,)), (2, (0, 1, 4, 7)), (3, (2,)), (4, (9, 3)), (5, (4,))):
        up, down = ([w.copy() for w in weights] for _ in range(2))
        up[k][place] += 1e-7
        down[k][place] -= 1e-7
        change = study.loss_and_gradient(up, x, y)[0] - study.loss_and_gradient(down, x, y)[0]
        assert gradient[k][place] == pytest.approx(change / 2e-7, rel=1e-4, abs=1e-7)


def test_a_group_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="0 workers"):
        parallel.Group(0)
    with pytest.raises(parallel.WorkerError, match="start it first"):
        parallel.Group(2).train(3)


def test_a_worker_that_does_not_start_says_why(monkeypatch):
    runtime.setup(0)
    monkeypatch.setenv("CNNLIB_DATA", "nowhere")
    with pytest.raises(parallel.WorkerError, match="worker 0 does not start. Its last words: .*nowhere"):
        parallel.Group(1).start()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_simulated_devices_agree_where_they_should(backend, monkeypatch):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    monkeypatch.setattr(runtime, "backend", lambda: backend)
    found = parallel.on_devices(steps=1, batch=32, seed=0)
    assert found["group"].means == parallel.simulated.MEANS[backend]
    assert found["group"].differences.shape == (1,)
    assert found["group"].differences[0] < 1e-4
    assert (found["batch"].differences[0] < 1e-3) == (backend == "jax")
    assert found["batch"].differences[0] < 1.0


@pytest.mark.slow
def test_a_process_of_pytorch_holds_no_library_that_it_does_not_need():
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    code = (
        "import sys; from cnnlib.parallel import simulated, study\n"
        "def stop(count): raise KeyboardInterrupt\n"
        "study.images = stop\n"
        "try: simulated.main({'devices': 2, 'batch': 64, 'seed': 0})\n"
        "except KeyboardInterrupt: print('keras' in sys.modules, [n for n in simulated.NOT_NEEDED if sys.modules[n]])"
    )
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["True []"], done.stderr[-500:]


def test_simulated_devices_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="a batch that they can divide"):
        parallel.on_devices(devices=3, batch=64)


@pytest.mark.slow
def test_a_trial_gives_its_accuracy():
    from cnnlib.parallel import trial

    assert 0.6 < trial.train(0.03, seed=0) < 0.95
    assert trial.train(0.03, seed=0) == trial.train(0.03, seed=0)
