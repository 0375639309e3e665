"""Cutting, freezing, rates by depth and cached features, each against doing it by hand."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnlib import gradients, results, training, transfer

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def backbone(name="backbone") -> keras.Model:
    """Three resolutions, a shortcut in the second, batch normalisations; features (8,)."""
    keras.utils.set_random_seed(1)
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", name="a1")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="a1_norm")(x))
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="b1")(x)
    y = layers.BatchNormalization(name="b1_norm")(x)
    y = layers.Conv2D(8, 3, padding="same", name="b2")(layers.ReLU()(y))
    x = layers.Add(name="b_add")([x, y])
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="c1")(x)
    x = layers.ReLU(name="c_relu")(layers.BatchNormalization(name="c1_norm")(x))
    return keras.Model(image, layers.GlobalAveragePooling2D(name="pool")(x), name=name)


def classifier(body: keras.Model) -> keras.Model:
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.Input((16, 16, 3)), body, layers.Dense(3, name="scores")], name="classifier")


@pytest.fixture
def body():
    return backbone()


@pytest.fixture
def model(body):
    return classifier(body)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(24, 16, 16, 3)).astype("float32"), rng.integers(0, 3, 24)


# Cutting


@pytest.mark.parametrize("layer", [None, "a1_norm", "b1", "b_add", "c1"])
def test_the_two_parts_are_the_whole(body, data, layer):
    first, second = transfer.split(body, layer)
    assert first.layers[-1].name == (layer or "c_relu")
    found = second.predict_on_batch(first.predict_on_batch(data[0]))
    np.testing.assert_allclose(found, body.predict_on_batch(data[0]), atol=1e-6)
    assert len(first.weights) + len(second.weights) == len(body.weights)
    body.get_layer("c1").bias.assign(np.ones(8))
    assert any(np.array_equal(w, np.ones(8)) for w in [*first.get_weights(), *second.get_weights()])


def test_the_parts_are_layers_of_further_models(body, data):
    first, second = transfer.split(body, "b_add")
    image = keras.Input((16, 16, 3))
    joined = keras.Model(image, layers.Dense(3)(second(first(image))))
    assert joined.output_shape == (None, 3)
    joined.compile(keras.optimizers.SGD(0.1), LOSS)
    assert np.isfinite(joined.train_on_batch(*data))


@pytest.mark.parametrize("layer", ["b1_norm", "b2"])
def test_a_cut_that_a_shortcut_leads_around_is_refused(body, layer):
    with pytest.raises(ValueError, match=f"cannot be cut behind '{layer}': a shortcut leads around it"):
        transfer.split(body, layer)


def test_other_cuts_that_cannot_be(model):
    with pytest.raises(ValueError, match="lies in a model within 'classifier'"):
        transfer.split(model, "b1")
    with pytest.raises(ValueError, match="has no layer 'b9'"):
        transfer.split(model, "b9")
    with pytest.raises(ValueError, match="no layer that returns maps"):
        transfer.split(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
    with pytest.raises(ValueError, match="not functional, or was never built"):
        transfer.split(keras.Sequential([layers.Dense(2)]))


# Freezing


def names(groups):
    return [[layer.name for layer in group] for group in groups]


def test_stages_are_resolutions(body):
    assert names(transfer.stages(body)) == [["a1", "a1_norm"], ["b1", "b1_norm", "b2"], ["c1", "c1_norm"]]


def test_branches_do_not_split_a_stage():
    image = keras.Input((8, 8, 1))
    left = layers.Conv2D(2, 3, strides=2, padding="same", name="left")(image)
    right = layers.Conv2D(2, 1, name="right_1")(image)
    right = layers.Conv2D(2, 3, strides=2, padding="same", name="right_2")(right)
    x = layers.Flatten()(layers.Concatenate()([left, right]))
    groups = names(transfer.stages(keras.Model(image, layers.Dense(2, name="dense")(x))))
    assert sorted(map(sorted, groups)) == [["dense", "left", "right_2"], ["right_1"]]


def test_a_backbone_without_stages_is_refused():
    anysize = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 3), layers.GlobalAveragePooling2D()])
    with pytest.raises(ValueError, match="Build it with a fixed input_shape"):
        transfer.stages(anysize)
    with pytest.raises(ValueError, match="no layer with weights"):
        transfer.stages(keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten()]))


@pytest.mark.parametrize(("last", "learning"), [(0, []), (1, ["c1"]), (2, ["b1", "b2", "c1"]), (3, None)])
def test_unfreeze_leaves_the_normalisations_frozen(body, last, learning):
    moved = [layer.name for layer in transfer.unfreeze(body, last)]
    assert moved == (["a1", "b1", "b2", "c1"] if learning is None else learning)
    assert {variable.path.split("/")[-2] for variable in body.trainable_variables} == set(moved)


def test_what_is_frozen_stays_to_the_bit_and_what_is_not_moves(body, model, data):
    transfer.unfreeze(body, 1)
    before = {v.path: np.array(ops.convert_to_numpy(v)) for v in model.weights}
    model.compile(keras.optimizers.SGD(0.1), LOSS)
    training.fit(model, *data, epochs=1, batch_size=8, quiet=True)
    moved = {
        v.path.split("/")[-2] for v in model.weights if not np.array_equal(before[v.path], ops.convert_to_numpy(v))
    }
    assert moved == {"c1", "scores"}


def test_normalisations_learn_if_asked(body, model, data):
    transfer.unfreeze(body, 1, normalisations=True)
    statistics = body.get_layer("c1_norm").moving_mean
    before = np.array(ops.convert_to_numpy(statistics))
    model.compile(keras.optimizers.SGD(0.1), LOSS)
    training.fit(model, *data, epochs=1, batch_size=8, quiet=True)
    assert np.abs(ops.convert_to_numpy(statistics) - before).max() > 1e-3


def test_freeze_and_unfreeze_again(body):
    transfer.freeze(body)
    assert not body.trainable_variables
    assert [layer.name for layer in transfer.unfreeze(body, 1)] == ["c1"]
    with pytest.raises(ValueError, match="last=4; 'backbone' has 3 stages, so expected 0 to 3"):
        transfer.unfreeze(body, 4)


def test_report(body, model):
    transfer.unfreeze(body, 1)
    found = transfer.report(model)
    assert found.rows == [("backbone", 1_656, 584, "frozen"), ("scores", 27, 27, "")]
    assert (found.total, found.trainable) == (model.count_params(), 584 + 27)
    assert "1,656        584  frozen" in str(found)
    transfer.unfreeze(body, 1, normalisations=True)
    assert transfer.report(model).rows[0][3] == "mixed"
    transfer.freeze(body)
    assert transfer.report(model).rows[0][2:] == (0, "frozen")


# Rates by depth


def by_hand(model, data, rates, steps):
    """Plain gradient descent, each layer at its own rate, without an optimizer."""
    step = gradients.model_value_and_grad(model, LOSS)
    for _ in range(steps):
        _, found = step(*data)
        for variable, gradient in zip(model.trainable_variables, found):
            layer = variable.path.split("/")[-2]
            rate = next(rate for name, rate in rates.items() if layer.startswith(name))
            variable.assign(variable.value - rate * gradient)


def test_by_depth_is_gradient_descent_with_two_rates(data):
    rates = {"scores": 0.3, "c1": 0.05, "b": 0.01, "a1": 0.002}
    expected, model = classifier(backbone()), classifier(backbone())
    for one in (expected, model):
        transfer.unfreeze(one.layers[0], 3)
    optimizer = transfer.ByDepth({name: keras.optimizers.SGD(rate) for name, rate in rates.items()})
    model.compile(optimizer, LOSS)
    for _ in range(3):
        model.train_on_batch(*data)
    by_hand(expected, data, rates, 3)
    for ours, theirs in zip(model.get_weights(), expected.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert int(optimizer.iterations) == 3


@pytest.mark.parametrize("make", [keras.optimizers.Adam, keras.optimizers.AdamW, keras.optimizers.RMSprop])
def test_equal_rates_are_one_optimizer(data, make):
    plain, parts = classifier(backbone()), classifier(backbone())
    plain.compile(make(0.01), LOSS)
    parts.compile(transfer.ByDepth({"scores": make(0.01), "": make(0.01)}), LOSS)
    for one in (plain, parts):
        training.fit(one, *data, epochs=2, batch_size=8, seed=0, quiet=True)
    for ours, theirs in zip(parts.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_a_restart_is_a_fresh_optimizer_without_compiling_again(data):
    fresh, again = classifier(backbone()), classifier(backbone())
    start = fresh.get_weights()
    rates = {"scores": 0.01, "c1": 0.003, "": 0.0}
    fresh.compile(transfer.ByDepth({part: keras.optimizers.Adam(rate) for part, rate in rates.items()}), LOSS)
    again.compile(transfer.ByDepth({part: keras.optimizers.Adam(0.5) for part in rates}), LOSS)
    again.optimizer.restart(dict.fromkeys(rates, 0.2))  # before it is built
    training.fit(again, *data, epochs=1, batch_size=8, quiet=True)
    again.set_weights(start)
    again.optimizer.restart(rates)
    assert int(again.optimizer.iterations) == 0
    for model in (fresh, again):
        training.fit(model, *data, epochs=2, batch_size=8, seed=0, quiet=True)
    for variable, ours, theirs, was in zip(again.weights, again.get_weights(), fresh.get_weights(), start):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        layer, weight = variable.path.split("/")[-2:]
        if not weight.startswith("moving"):
            assert np.array_equal(ours, was) == (not layer.startswith(("scores", "c1"))), "a rate of 0 moves nothing"


def test_a_restart_with_other_parts_is_refused():
    optimizer = transfer.ByDepth({"a": keras.optimizers.SGD(0.1), "": keras.optimizers.SGD(0.1)})
    with pytest.raises(ValueError, match="rates are given for 'a'; the parts are 'a', ''"):
        optimizer.restart({"a": 0.1})


def test_a_model_with_it_is_saved_and_goes_on(tmp_path, data):
    def fresh():
        model = classifier(backbone())
        parts = {"scores": keras.optimizers.Adam(0.01), "": keras.optimizers.SGD(0.001, momentum=0.9)}
        model.compile(transfer.ByDepth(parts), LOSS)
        return model

    whole, half = fresh(), fresh()
    for _ in range(4):
        whole.train_on_batch(*data)
    for _ in range(2):
        half.train_on_batch(*data)
    half.save(tmp_path / "half.keras")
    again = keras.models.load_model(tmp_path / "half.keras", custom_objects={"ByDepth": transfer.ByDepth})
    for _ in range(2):
        again.train_on_batch(*data)
    for ours, theirs in zip(again.get_weights(), whole.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_parts_that_do_not_fit_are_refused(model):
    sgd = keras.optimizers.SGD
    with pytest.raises(ValueError, match="belongs to none of the parts 'scores'"):
        transfer.ByDepth({"scores": sgd()}).build(model.trainable_variables)
    with pytest.raises(ValueError, match="no trainable weight belongs to 'head'"):
        transfer.ByDepth({"head": sgd(), "": sgd()}).build(model.trainable_variables)
    with pytest.raises(ValueError, match="parts is empty"):
        transfer.ByDepth({})
    one = sgd()
    with pytest.raises(ValueError, match="share one optimizer"):
        transfer.ByDepth({"a": one, "b": one})


# Phases


def test_phases_unfreeze_step_by_step(body, model, data):
    phases = [transfer.Phase(0, 2, 0.1), transfer.Phase(1, 1, 0.01), transfer.Phase(3, 1, 0.001)]
    seen = []

    def optimizer(rate):
        seen.append((rate, sorted({v.path.split("/")[-2] for v in model.trainable_variables})))
        return keras.optimizers.SGD(rate)

    history = transfer.fit_in_phases(model, body, phases, *data, LOSS, optimizer, batch_size=8, quiet=True)
    assert seen == [
        (0.1, ["scores"]),
        (0.01, ["c1", "scores"]),
        (0.001, ["a1", "b1", "b2", "c1", "scores"]),
    ]
    assert history["phase"] == [0, 0, 1, 2]
    assert len(history["loss"]) == len(history["accuracy"]) == 4


def test_phases_that_make_no_sense(body, model, data):
    with pytest.raises(ValueError, match="phases is empty"):
        transfer.fit_in_phases(model, body, [], *data, LOSS)
    with pytest.raises(ValueError, match="'other' is not a layer of model 'classifier'"):
        transfer.fit_in_phases(model, backbone("other"), [transfer.Phase(0, 1, 0.1)], *data, LOSS)


# Features, once


def test_cached_features_train_the_head_as_the_frozen_model_would(body, model, data):
    transfer.freeze(body)
    model.compile(keras.optimizers.SGD(0.1), LOSS)
    slow = training.fit(model, training.Batches(*data, 8, seed=3), epochs=3, quiet=True).history["loss"]

    body = backbone()
    keras.utils.set_random_seed(2)
    head = classifier(body).layers[-1]
    cached = transfer.CachedFeatures(body, *data, batch_size=8, seed=3)
    np.testing.assert_allclose(cached.features, body.predict_on_batch(data[0]), atol=1e-6)
    small = keras.Sequential([keras.Input((8,)), head])
    small.compile(keras.optimizers.SGD(0.1), LOSS)
    quick = training.fit(small, cached, epochs=3, quiet=True).history["loss"]
    np.testing.assert_allclose(quick, slow, atol=1e-5)
    assert slow[-1] < slow[0]


def test_cached_features_need_a_label_for_each_image(body, data):
    with pytest.raises(ValueError, match="24 images and 23 labels"):
        transfer.CachedFeatures(body, data[0], data[1][:-1])
    with pytest.raises(ValueError, match="0 images and 0 labels"):
        transfer.CachedFeatures(body, data[0][:0], data[1][:0])


# A linear probe


def test_the_probe_is_ridge_regression():
    rng = np.random.default_rng(0)
    y, new_y = rng.integers(0, 3, 40), rng.integers(0, 3, 30)
    centres = rng.normal(size=(3, 60))
    x, new_x = centres[y] + rng.normal(size=(40, 60)), centres[new_y] + 2 * rng.normal(size=(30, 60))
    mean, spread = x.mean(0), x.std(0)
    # the same penalty as further examples: least squares of [x; sqrt(strength) 1] against [targets; 0]
    targets = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    rows = np.vstack([(x - mean) / spread, np.sqrt(50.0) * np.eye(60)])
    weights = np.linalg.lstsq(rows, np.vstack([targets - targets.mean(0), np.zeros((60, 3))]), rcond=None)[0]
    scores = (new_x - mean) / spread @ weights + targets.mean(0)
    expected = np.mean(scores.argmax(1) == new_y)
    assert 0.4 < expected < 1
    assert transfer.probe(x, y, new_x, new_y, strength=50.0) == pytest.approx(expected)
    assert transfer.probe(x, y, x, y) > 0.95


def test_a_probe_of_features_that_do_not_fit_is_refused():
    x, y = np.zeros((4, 3)), np.zeros(4, int)
    for arguments in ((x, y[:3], x, y), (x, y, x[:, :2], y), (np.zeros((4, 2, 2, 3)), y, x, y), (x, y, x, y[:1])):
        with pytest.raises(ValueError, match="expected"):
            transfer.probe(*arguments)


# To compare with


def test_the_baseline_learns_what_is_easy_and_guesses_what_is_noise():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    easy = rng.integers(0, 100, (120, 12, 10, 1)) + 60 * y[:, None, None, None]
    assert transfer.baseline(easy[:60], y[:60], easy[60:], y[60:], steps=60) > 0.9
    assert transfer.baseline(easy[:60], rng.permutation(y[:60]), easy[60:], y[60:], steps=10) < 0.7


def test_steps_a_second(monkeypatch):
    clock, calls = [0.0], []

    def step():
        calls.append(clock[0])
        clock[0] += 5.0 if len(calls) == 1 else 0.1  # the first call compiles

    monkeypatch.setattr(transfer.time, "perf_counter", lambda: clock[0])
    assert transfer.per_second(step, seconds=0.95) == pytest.approx(10)
    assert len(calls) == 11
    assert transfer.per_second(step, seconds=0) == pytest.approx(10), "at least one step is measured"


# What to do

GRID = [
    {
        "images_per_class": images,
        "similar": similar,
        "classes_known": known,
        "may_leave": leave,
        "deadline_ms": deadline,
        "fits": fits,
    }
    for images in (0, 1, 5, 19, 20, 100, 999, 1000, 9_999, 10_000, 10**6)
    for similar in (True, False)
    for known in (True, False)
    for leave in (True, False)
    for deadline in (None, 0, 50, 300, 1000)
    for fits in (True, False)
]


def test_every_advice_is_a_choice_with_reasons_and_every_choice_is_given():
    given = [transfer.strategy(**case) for case in GRID]
    assert {advice.choice for advice in given} == set(transfer.CHOICES)
    for advice in given:
        assert len(advice.reasons) == 2
        assert str(advice).startswith(f"{advice.choice}: ")


def test_what_is_forbidden_is_never_advised():
    for case in GRID:
        choice = transfer.strategy(**case).choice
        too_soon = case["deadline_ms"] is not None and case["deadline_ms"] < 300
        if not case["may_leave"] or not case["classes_known"] or too_soon:
            assert choice != "hosted API", case
        if not case["classes_known"]:
            assert choice not in ("hosted API", "ready model"), case
        if case["images_per_class"] == 0:
            assert choice in ("hosted API", "ready model", "label first"), case
        if not case["fits"]:
            assert choice not in transfer.CHOICES[3:6], case
        if case["similar"] and case["fits"]:
            assert choice != "from scratch", case


def test_a_deadline_of_nothing_at_all_is_a_deadline():
    assert transfer.strategy(0, True, classes_known=True, deadline_ms=0).choice == "ready model"
    assert transfer.strategy(0, True, classes_known=True, deadline_ms=300).choice == "hosted API"
    assert transfer.strategy(0, True, classes_known=True, deadline_ms=300, request_ms=301).choice == "ready model"


def test_more_images_never_mean_that_less_is_learnt():
    rank = transfer.CHOICES.index
    for case in GRID:
        more = {**case, "images_per_class": case["images_per_class"] * 2 + 1}
        assert rank(transfer.strategy(**case).choice) <= rank(transfer.strategy(**more).choice), case


def test_the_advice_is_what_the_stored_runs_of_lesson_09_found():
    """The advised way is behind the best of that size by no more than the standard error of an accuracy."""
    error = (0.5 * 0.5 / 500) ** 0.5  # on the 500 test pictures: 2.2 points
    runs = results.stored("09_images_per_class")
    ways = {"frozen features": "frozen", "fine-tune the last stages": "fine-tuned", "from scratch": "from scratch"}
    for images in (5, 20, 100):
        advised = ways[transfer.strategy(images, similar=True).choice]
        mean = {way: np.mean([run[f"{way} {10 * images} test"] for run in runs]) for way in ways.values()}
        assert mean[advised] > max(mean.values()) - error, (images, mean)


@pytest.mark.parametrize("bad", [{"images_per_class": -1}, {"deadline_ms": -1}, {"request_ms": -1}])
def test_negative_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="none may be negative"):
        transfer.strategy(**{"images_per_class": 5, "similar": True, **bad})
