"""Training: the data order, the progress line, range test, schedules, checks, and runs that survive being killed."""

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlib import training

SHAPE = (6, 6, 1)


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("CNNLIB_STATIC", "1")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, *SHAPE)).astype("float32")
    y = (x[:, :3].mean((1, 2, 3)) > 0).astype("int32")
    return x, y


def make(seed=1, optimizer=None, compiled=True):
    """Everything that has a state: momenta, moving statistics, a random layer without a seed of its own."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(8, activation="relu", name="hidden"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dropout(0.3, name="dropout"),
            keras.layers.Dense(2, name="scores"),
        ]
    )
    if compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer or keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    return model


def difference(a, b):
    return max(float(np.abs(u - v).max()) for u, v in zip(a.get_weights(), b.get_weights()))


def state(model):
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in [*model.variables, *model.optimizer.variables]]


# --- data order ---


def test_the_order_depends_on_seed_and_epoch_alone():
    x = np.arange(20.0)
    first, second = training.Batches(x, x, seed=3), training.Batches(x, x, batch_size=7, seed=3)
    assert (first.order(4) == second.order(4)).all()
    assert (first.order(4) != first.order(5)).any()
    assert (first.order(4) != training.Batches(x, x, seed=4).order(4)).any()
    assert sorted(first.order(9)) == list(range(20))
    # The same on every machine and backend; a change would make stored runs incomparable.
    assert training.Batches(x[:8], x[:8], seed=0).order(0).tolist() == [2, 4, 3, 6, 5, 0, 1, 7]


def test_batches_cover_every_example_once_and_keep_pairs_together():
    x = np.arange(23)
    batches = training.Batches(x, -x, batch_size=5, seed=0)
    assert len(batches) == 5
    pairs = [batches[i] for i in range(5)]
    assert [len(inputs) for inputs, _ in pairs] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate([inputs for inputs, _ in pairs])) == list(range(23))
    assert all((inputs == -targets).all() for inputs, targets in pairs)


def test_batches_refuse_what_cannot_be_trained_on():
    with pytest.raises(ValueError, match="cut differently"):
        training.Batches(np.zeros((4, 2)), np.zeros(3))
    with pytest.raises(ValueError, match="empty"):
        training.Batches(np.zeros((0, 2)), np.zeros(0))
    with pytest.raises(ValueError, match="batch_size"):
        training.Batches(np.zeros((4, 2)), np.zeros(4), batch_size=0)
    with pytest.raises(ValueError, match="passes must be 1 or more"):
        training.Batches(np.zeros((4, 2)), np.zeros(4), passes=0)


def test_passes_are_epochs_in_one():
    """Batch for batch what as many epochs would have been, where a pass ends with a whole batch."""
    x = np.arange(12, dtype="float32")[:, None]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), loss="mae")
    single = [training.Batches(x, x, seed=7).order(epoch).tolist() for epoch in range(6)]
    seen = Visited()
    history = training.fit(model, x, x, epochs=2, passes=3, batch_size=1, seed=7, callbacks=[seen], quiet=True)
    assert seen.epochs == [sum(single[:3], []), sum(single[3:], [])]
    assert len(history.history["loss"]) == 2
    batches = training.Batches(x, x, batch_size=5, passes=2, shuffle=False)
    assert len(batches) == 5, "24 examples"
    assert batches[2][0].ravel().tolist() == [10, 11, 0, 1, 2], "a batch may hold the end of a pass and the next one"


class Visited(keras.callbacks.Callback):
    """With a model that always says 0 and the mean absolute error, the running loss tells which example came."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append([])

    def on_train_batch_end(self, batch, logs=None):
        total = logs["loss"] * (batch + 1)
        self.epochs[-1].append(round(total - sum(self.epochs[-1])))


def test_fit_visits_the_examples_in_that_order_also_from_the_middle():
    x = np.arange(12, dtype="float32")[:, None]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.0), loss="mae")
    expected = [training.Batches(x, x, seed=7).order(epoch).tolist() for epoch in range(4)]
    seen = Visited()
    training.fit(model, x, x, epochs=4, batch_size=1, seed=7, callbacks=[seen], quiet=True)
    assert seen.epochs == expected
    seen = Visited()
    training.fit(model, x, x, epochs=4, initial_epoch=2, batch_size=1, seed=7, callbacks=[seen], quiet=True)
    assert seen.epochs == expected[2:]
    seen = Visited()
    training.fit(model, x, x, epochs=2, batch_size=1, shuffle=False, callbacks=[seen], quiet=True)
    assert seen.epochs == [list(range(12))] * 2


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="what is traced, TensorFlow traces")
def test_a_step_is_traced_once():
    calls = []

    class Traced(keras.layers.Layer):
        def call(self, x):
            calls.append(keras.ops.shape(x)[0])
            return x

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), Traced()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    calls.clear()
    x, y = np.ones((12, 3), "float32"), np.zeros(12, int)
    history = training.fit(model, x, y, epochs=2, batch_size=5, quiet=True).history
    assert len(calls) == 1, calls
    assert history["accuracy"][1] in (0, 1)  # all examples are alike: nothing was counted beforehand


def test_fit_takes_a_model_that_is_written_as_a_class():
    class Written(keras.Model):
        def __init__(self):
            super().__init__()
            self.last = keras.layers.Dense(2)

        def build(self, shape):
            self.last.build(shape)
            self.built = True

        def call(self, x):
            return self.last(x)

    model = Written()
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.ones((12, 3), "float32"), np.zeros((12, 2), "float32")
    training.fit(model, x, y, quiet=True)  # not built yet
    model.compile("adam", "mse", metrics=["mae"])
    assert training.fit(model, x, y, epochs=2, quiet=True).history["mae"][1] > 0


def test_fit_takes_what_keras_takes(data, capsys):
    model = make()
    history = training.fit(model, training.Batches(*data, seed=0), epochs=2, label="run")
    assert len(history.history["loss"]) == 2
    assert re.fullmatch(r"run · 2 epochs · loss ≈ \d\.\d+ · accuracy ≈ 0\.\d+\n", capsys.readouterr().out)


# --- progress ---


def test_stored_progress_is_one_line(data, capsys):
    training.fit(make(), *data, epochs=3, validation_data=data)
    number = r"≈ \d\.\d+"
    assert re.fullmatch(
        rf"3 epochs · loss {number} · accuracy {number} · val_loss {number} · val_accuracy {number}\n",
        capsys.readouterr().out,
    )


def test_progress_says_when_a_run_stopped_early_or_diverged(data, capsys):
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, mode="max")
    training.fit(make(), *data, epochs=9, callbacks=[stop])
    assert capsys.readouterr().out.startswith("stopped after epoch ≈ 2 of 9 · ")
    training.fit(make(optimizer=keras.optimizers.SGD(1e30)), *data, epochs=1)
    assert re.search(r"^1 epoch · .*loss ≈ nan", capsys.readouterr().out)


def test_live_progress_redraws_one_line(data, capsys, monkeypatch):
    monkeypatch.delenv("CNNLIB_STATIC")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    model, progress = make(), training.Progress("demo", interval=0.0)
    model.fit(training.Batches(*data, batch_size=20, seed=0), epochs=2, verbose=0, callbacks=[progress])
    drawn = capsys.readouterr().out
    assert drawn.count("\n") == 1
    assert "compiling" in drawn.split("\r")[1]
    assert re.search(
        r"demo · epoch 2/2 ━+─+ +\d+% · 0:0\d left · [\d.e+]+ batches/s · loss \d\.\d+ · accuracy 0\.\d+", drawn
    )
    assert drawn.split("\r")[-1].strip() == progress.summary()


def test_live_progress_in_a_notebook_updates_one_display(data, monkeypatch):
    monkeypatch.delenv("CNNLIB_STATIC")
    monkeypatch.setattr("cnnlib.runtime.in_notebook", lambda: True)
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle["text/plain"])

    def display(bundle, raw, display_id):
        shown.append(bundle["text/plain"])
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    training.fit(make(), *data, epochs=2)
    assert "compiling" in shown[0]
    assert shown[-1].startswith("2 epochs · ")


def test_progress_costs_next_to_nothing():
    progress = training.Progress()
    progress.set_params({"epochs": 1, "steps": 10_000})
    progress.on_train_begin()
    progress.on_epoch_begin(0)
    begun = time.perf_counter()
    for batch in range(10_000):
        progress.on_train_batch_begin(batch)
        progress.on_train_batch_end(batch, {"loss": 1.0})
    assert (time.perf_counter() - begun) / 10_000 < 50e-6  # a step of the smallest network takes 300e-6


# --- learning rate ---


def test_range_test_finds_where_gradient_descent_diverges():
    # The loss w^2 / 2 has curvature 1: below a rate of 2 a step brings w nearer to 0, above it takes it away.
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1), loss=lambda y, prediction: keras.ops.mean((prediction - y) ** 2) / 2)
    x, y = np.ones((8, 1), "float32"), np.zeros((8, 1), "float32")
    found = training.range_test(model, x, y, lowest=1e-3, highest=100, steps=120, batch_size=4)
    assert 1 < found.minimum < 3
    assert found.steepest < found.minimum
    assert found.suggestion == pytest.approx(found.minimum / 10)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 120
    assert found.rates[-1] < 10  # it ended early
    assert np.isfinite(found.losses).all()


def test_range_test_leaves_no_trace(data):
    model = make()
    for _ in range(2):
        model.train_on_batch(data[0][:32], data[1][:32])
    before = state(model)
    training.range_test(model, *data, steps=15, highest=1e3)
    assert all((a == b).all() for a, b in zip(before, state(model)))


def test_range_test_of_data_without_a_loss_says_whose_fault_it_is(data):
    x, y = data
    nothing = np.full_like(x, np.nan)
    with pytest.raises(ValueError, match=rf"x holds NaN or infinity in {len(x)} of {len(x)} examples: no learning"):
        training.range_test(make(), nothing, y)
    nothing[1:] = 0
    with pytest.raises(ValueError, match=f"x holds NaN or infinity in 1 of {len(x)}"):
        training.overfit_tiny(make(), nothing, y)
    model = make()
    model.layers[-1].bias.assign([np.nan, np.nan])
    with pytest.raises(ValueError, match="before any step was taken. The data are finite"):
        training.range_test(model, x, y)
    with pytest.raises(ValueError, match=r"three finite losses or more.*losses \(0,\)"):
        training.RangeTest(np.array([]), np.array([]))


def test_range_test_that_begins_beyond_the_edge_says_so():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(), "mse")
    with pytest.raises(ValueError, match="the loss had become .* Begin at a lower rate: lowest=1"):
        training.range_test(model, np.ones((8, 1)), np.zeros((8, 1)), lowest=100, highest=1e4)


def test_range_test_says_what_is_wrong(data):
    with pytest.raises(ValueError, match="compile"):
        training.range_test(make(compiled=False), *data)
    with pytest.raises(ValueError, match="schedule"):
        training.range_test(make(optimizer=keras.optimizers.Adam(training.warmup_cosine(1.0, 10, 2))), *data)
    with pytest.raises(ValueError, match="grow"):
        training.range_test(make(), *data, lowest=1, highest=1)
    with pytest.raises(ValueError, match="10 steps"):
        training.range_test(make(), *data, steps=3)


@pytest.mark.parametrize(("steps", "warmup"), [(100, 10), (50, 0), (50, 1), (7, 2), (3, 2)])
def test_warmup_cosine_is_what_its_formula_says(steps, warmup):
    schedule = training.warmup_cosine(0.4, steps, warmup)
    warm = max(warmup, 1)  # with no warm-up, and with one step of it, step 0 is at the peak
    for step in range(steps):
        if step < warmup:
            expected = 0.4 * (step + 1) / warmup
        else:
            expected = 0.2 * (1 + math.cos(math.pi * (step - warm + 1) / (steps - warm + 1)))
        assert float(schedule(step)) == pytest.approx(expected, abs=1e-6)
    assert float(schedule(steps)) == pytest.approx(0, abs=1e-6)


def test_warmup_cosine_refuses_what_is_no_schedule():
    with pytest.raises(ValueError, match="epochs"):
        training.warmup_cosine(0.1, 10, 10)
    with pytest.raises(ValueError, match="peak"):
        training.warmup_cosine(0.0, 10, 1)


# --- checks ---


def test_a_network_that_works_learns_a_few_examples_by_heart(data):
    model = make()
    training.overfit_tiny(model, *data, n=16, steps=1)  # builds the optimizer
    before = state(model)
    found = training.overfit_tiny(model, *data, n=16, steps=60)
    assert found.passed
    assert found.losses.shape == (60,)
    assert all((a == b).all() for a, b in zip(before, state(model)))


def test_one_that_cannot_learn_does_not(data):
    model = make()
    model.get_layer("hidden").trainable = False
    model.get_layer("norm").trainable = False
    model.get_layer("scores").trainable = False
    model.compile("adam", model.loss)
    assert not training.overfit_tiny(model, *data, n=8, steps=20).passed
    with pytest.raises(ValueError, match="number of examples"):
        training.overfit_tiny(make(), *data, n=1000)


def test_activation_statistics_are_those_of_the_outputs(data):
    model = make()
    found = training.activation_statistics(model, data[0][:32])
    assert [layer.name for layer in found] == ["flatten", "hidden", "norm", "dropout", "scores"]
    direct = keras.ops.convert_to_numpy(model.get_layer("hidden")(data[0][:32].reshape(32, -1)))
    assert found[1].mean == pytest.approx(direct.mean(), rel=1e-4)
    assert found[1].std == pytest.approx(direct.std(), rel=1e-4)
    assert found[1].zeros == pytest.approx((direct == 0).mean())
    assert 0.2 < found[1].zeros < 0.8
    only = training.activation_statistics(model, data[0][:32], layers=["scores"])
    assert only == found[-1:]


def test_activation_statistics_say_what_is_wrong(data):
    with pytest.raises(ValueError, match="'convolution'"):
        training.activation_statistics(make(), data[0], layers=["convolution"])
    with pytest.raises(ValueError, match=r"keras\.Input"):
        training.activation_statistics(keras.Sequential([keras.layers.Dense(1)]), data[0])


# --- resuming ---

EPOCHS = 4


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    model = make()
    history = training.train_resumable(model, *data, tmp_path_factory.mktemp("whole"), epochs=EPOCHS, seed=2)
    return model, history.history


class Kill(keras.callbacks.Callback):
    """Fails in the middle of an epoch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.where = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.where:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("kill", "seed"), [((0, 3), 1), ((2, 5), 99)])  # with a save, a start elsewhere is no matter
def test_a_killed_run_ends_where_it_would_have_ended(data, uninterrupted, tmp_path, kill, seed):
    with pytest.raises(KeyboardInterrupt):
        training.train_resumable(make(), *data, tmp_path, epochs=EPOCHS, seed=2, callbacks=[Kill(*kill)])
    model = make(seed)
    history = training.train_resumable(model, *data, tmp_path, epochs=EPOCHS, seed=2)
    assert difference(model, uninterrupted[0]) <= 1e-6
    assert history.history["loss"] == pytest.approx(uninterrupted[1]["loss"], abs=1e-6)
    assert history.epoch == list(range(EPOCHS))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="its dropout draws from the generator of the process")
def test_random_layers_go_on_where_they_were(data, uninterrupted, tmp_path):
    """The test above would notice if their state were lost: here it is changed."""
    training.train_resumable(make(), *data, tmp_path, epochs=2, seed=2)
    saved = next(tmp_path.glob("epoch-*")) / "random.npz"
    with np.load(saved) as file:
        states = {name: file[name] + 1 for name in file.files}
    assert len(states) == 1
    np.savez(saved, **states)
    model = make()
    training.train_resumable(model, *data, tmp_path, epochs=EPOCHS, seed=2)
    assert difference(model, uninterrupted[0]) > 1e-5


def test_a_save_that_was_cut_short_does_not_count(data, uninterrupted, tmp_path, monkeypatch):
    training.train_resumable(make(), *data, tmp_path, epochs=1, seed=2)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", killed)  # the weights of epoch 2 are already written
        with pytest.raises(KeyboardInterrupt):
            training.train_resumable(make(), *data, tmp_path, epochs=EPOCHS, seed=2)
    assert (tmp_path / "next" / "backup").exists()
    model = make()
    training.train_resumable(model, *data, tmp_path, epochs=EPOCHS, seed=2)
    assert difference(model, uninterrupted[0]) <= 1e-6


def test_other_folders_of_the_same_names_are_not_deleted(tmp_path, data):
    mine = tmp_path / "next" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("my own work")
    with pytest.raises(ValueError, match="next.*other files than a save"):
        training.train_resumable(make(), *data, tmp_path, epochs=1)
    assert mine.read_text() == "my own work"
    mine = mine.parent.rename(tmp_path / "epoch-plots") / "thesis.txt"
    training.train_resumable(make(), *data, tmp_path, epochs=2)
    assert mine.read_text() == "my own work"


def test_a_process_that_dies_loses_nothing(data, uninterrupted, tmp_path):
    """As `kill -9`: no exception, no cleaning up, nothing flushed."""
    script = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import keras, numpy as np
from cnnlib import training
from test_training import make
class Die(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == (2, 4):
            os._exit(9)
with np.load({str(tmp_path / "data.npz")!r}) as file:
    x, y = file["x"], file["y"]
training.train_resumable(make(), x, y, {str(tmp_path / "run")!r}, epochs={EPOCHS}, seed=2, callbacks=[Die()])
"""
    np.savez(tmp_path / "data.npz", x=data[0], y=data[1])
    environment = {**os.environ, "CNNLIB_STATIC": "1", "PYTHONPATH": str(Path(training.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, timeout=300, text=True)
    assert done.returncode == 9, done.stderr[-2000:]
    model = make()
    training.train_resumable(model, *data, tmp_path / "run", epochs=EPOCHS, seed=2)
    assert difference(model, uninterrupted[0]) <= 1e-6


def test_a_finished_run_gives_its_result_again_and_can_be_continued(data, uninterrupted, tmp_path, capsys):
    training.train_resumable(make(), *data, tmp_path, epochs=2, seed=2)
    capsys.readouterr()
    model = make()
    history = training.train_resumable(model, *data, tmp_path, epochs=2, seed=2)
    assert capsys.readouterr().out == ""  # nothing was left to do
    assert len(history.history["loss"]) == 2
    assert [folder.name for folder in tmp_path.glob("epoch-*")] in (["epoch-000002"], [])
    history = training.train_resumable(model, *data, tmp_path, epochs=EPOCHS, seed=2)
    assert len(history.history["loss"]) == EPOCHS
    assert difference(model, uninterrupted[0]) <= 1e-6
    # BackupAndRestore alone would make this start at the fourth epoch, and do nothing.
    assert len(training.fit(model, *data, epochs=1, quiet=True).history["loss"]) == 1


def test_a_folder_of_another_run_is_refused(data, tmp_path):
    x, y = data
    model = make()
    training.train_resumable(model, x, y, tmp_path, epochs=1, seed=2)
    for change, name in [
        ({"seed": 3}, "seed"),
        ({"batch_size": 16}, "batch size"),
        ({"x": x + 1}, "data"),
        ({"model": make(optimizer="sgd")}, "optimizer"),
    ]:
        arguments = {"model": model, "x": x, "y": y, "seed": 2, **change}
        with pytest.raises(ValueError, match=f"differs in: {name}"):
            training.train_resumable(**arguments, directory=tmp_path, epochs=2)
    saved = json.loads(next(tmp_path.glob("epoch-*/run.json")).read_text(encoding="utf-8"))
    assert saved["identity"]["seed"] == 2
