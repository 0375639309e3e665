"""Gradients against known ones, finite differences in float64, ``fit``, and from backend to backend."""

import ast
import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from gradients_case import batch, small_model
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

import cnnlib
from cnnlib import arithmetic, gradients, reference

BACKENDS = ("tensorflow", "jax", "torch")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
both = pytest.mark.parametrize("jit", [True, False], ids=["jit", "eager"])


# Functions of arrays


@both
def test_known_gradients(jit):
    value, gradient = gradients.value_and_grad(lambda x: ops.sum(x**3), jit=jit)(np.array([1.0, -2.0]))
    assert type(value) is float
    assert value == -7.0
    assert isinstance(gradient, np.ndarray)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, [3.0, 12.0])

    value, gradient = gradients.value_and_grad(lambda x: ops.sin(x), jit=jit)(0.5)  # a number is an array of shape ()
    assert gradient.shape == ()
    np.testing.assert_allclose([value, gradient], [np.sin(0.5), np.cos(0.5)], rtol=1e-6)


@both
def test_arguments_can_be_nested_chosen_and_unused(jit):
    def fn(x, parameters, labels, unused):
        return ops.sum(ops.cast(labels, "float32") * (parameters["w"][0] * x + parameters["w"][1]))

    x, labels = np.array([1.0, 2.0]), np.array([3, 5])
    parameters = {"w": [np.array(2.0), np.array(7.0)]}
    compute = gradients.value_and_grad(fn, argnums=(3, 1), jit=jit)
    value, (unused, slope) = compute(x, parameters, labels, np.ones((2, 2)))
    assert value == 2 * 13 + 7 * 8
    assert [float(g) for g in slope["w"]] == [13.0, 8.0]
    np.testing.assert_array_equal(unused, np.zeros((2, 2)))
    _, gradient = gradients.value_and_grad(fn, jit=jit)(x, parameters, labels, 1.0)
    np.testing.assert_array_equal(gradient, [6.0, 10.0])
    value, gradient = gradients.value_and_grad(lambda x: ops.convert_to_tensor(3.0), jit=jit)(x)
    assert value == 3.0
    np.testing.assert_array_equal(gradient, [0.0, 0.0])


def network(x, w1, b1, w2, labels):
    y = ops.relu(ops.conv(x, w1, padding="same") + b1)
    y = ops.average_pool(y, 2, 2)  # strides written out: Keras 3.15 on JAX cannot do without
    logits = ops.matmul(ops.reshape(y, (y.shape[0], -1)), w2)
    return ops.mean(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))


def network_in_float64(x, w1, b1, w2, labels):
    y = reference.avg_pool2d(reference.relu(reference.conv2d(x, w1, b1, padding="same")), 2)
    return reference.cross_entropy(reference.dense(y.reshape(len(y), -1), w2), labels)


@both
def test_a_network_equals_finite_differences_in_float64(jit):
    rng = np.random.default_rng(3)
    x, w1, b1 = rng.standard_normal((2, 4, 6, 2)), rng.standard_normal((3, 3, 2, 3)), rng.standard_normal(3)
    w2, labels = rng.standard_normal((2 * 3 * 3, 4)), np.array([1, 3])
    values = (x, w1, b1, w2)
    value, results = gradients.value_and_grad(network, argnums=(0, 1, 2, 3), jit=jit)(*values, labels)
    assert value == pytest.approx(network_in_float64(*values, labels), abs=1e-5)
    for position, result in enumerate(results):
        expected = reference.numerical_gradient(
            lambda v, p=position: network_in_float64(*values[:p], v, *values[p + 1 :], labels), values[position]
        )
        np.testing.assert_allclose(result, expected, atol=1e-5)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_any_batch_size_and_shape_with_one_function(batch_size, inputs, units, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((batch_size, inputs)), rng.standard_normal((inputs, units))
    value, (dx, dw) = ANY_SHAPE(x, w)
    y = np.tanh(x @ w)
    assert value == pytest.approx(np.sum(y) / batch_size, abs=1e-5)
    dy = (1 - y**2) / batch_size
    np.testing.assert_allclose(dx, dy @ w.T, atol=1e-5)
    np.testing.assert_allclose(dw, x.T @ dy, atol=1e-5)


# Python arithmetic on the shape: it must be known, also in a graph
ANY_SHAPE = gradients.value_and_grad(lambda x, w: ops.sum(ops.tanh(ops.matmul(x, w))) / int(x.shape[0]), argnums=(0, 1))


def test_python_runs_only_for_new_shapes():
    runs = []

    def fn(x, scale):
        runs.append(x.shape)
        return scale * ops.sum(x**2)

    compute = gradients.value_and_grad(fn)
    for n in range(5):
        value, gradient = compute(np.full(3, float(n)), float(n))
        assert value == 3 * n**3
        np.testing.assert_array_equal(gradient, np.full(3, 2 * n * n))
    once = len(runs)
    compute(np.ones(4), 1.0)
    twice = len(runs)
    for n in (3, 4, 3, 4):
        compute(np.ones(n), 2.0)
    if keras.config.backend() == "torch":  # never compiled
        assert (once, twice, len(runs)) == (5, 6, 10)
    else:  # JAX traces a second time to differentiate, after it has seen which variables are read
        assert once <= 3
        assert len(runs) == twice == 2 * once


@both
def test_variables_of_the_surroundings_are_read_anew_and_what_is_written_is_kept(jit):
    factor = keras.Variable(2.0)
    calls = keras.Variable(0.0)

    def fn(x):
        calls.assign_add(1.0)
        return factor * ops.sum(x)

    compute = gradients.value_and_grad(fn, jit=jit)
    assert compute(np.ones(3))[0] == 6.0
    factor.assign(5.0)
    value, gradient = compute(np.ones(3))
    assert value == 15.0
    np.testing.assert_array_equal(gradient, [5.0, 5.0, 5.0])
    assert float(calls) == 2.0


@both
def test_tensors_of_the_backend_are_welcome_and_left_alone(jit):
    x = ops.convert_to_tensor([1.0, 2.0])
    _, gradient = gradients.value_and_grad(lambda x: ops.sum(x**2), jit=jit)(x)
    np.testing.assert_array_equal(gradient, [2.0, 4.0])
    assert not getattr(x, "requires_grad", False)  # PyTorch marks what is to be differentiated: never the caller's own
    weight = keras.Variable([3.0, 4.0])
    _, gradient = gradients.value_and_grad(lambda x: ops.sum(x**2), jit=jit)(weight)
    np.testing.assert_array_equal(gradient, [6.0, 8.0])


def test_integers_beside_the_differentiated_argument_stay_integers():
    seen = []

    def fn(x, n):
        seen.append(keras.utils.standardize_dtype(n.dtype))
        return ops.sum(x[ops.cast(n, "int32")])

    _, gradient = gradients.value_and_grad(fn)(np.ones(3), np.int64(1))
    np.testing.assert_array_equal(gradient, [0, 1, 0])
    assert all(dtype.startswith("int") for dtype in seen)


# Models


@both
def test_gradients_of_a_model_are_those_of_fit(jit):
    images, labels = batch()
    ours, theirs = small_model(), small_model()
    before = [ops.convert_to_numpy(v.value) for v in ours.trainable_variables]
    loss, grads = gradients.model_value_and_grad(ours, CROSS_ENTROPY, jit=jit)(images, labels)
    theirs.compile(keras.optimizers.SGD(1.0), CROSS_ENTROPY)
    history = theirs.fit(images, labels, batch_size=len(images), verbose=0)
    assert type(loss) is float
    assert loss == pytest.approx(history.history["loss"][0], abs=1e-5)
    assert len(grads) == len(ours.trainable_variables)
    for old, gradient, variable in zip(before, grads, theirs.trainable_variables):
        np.testing.assert_allclose(old - ops.convert_to_numpy(gradient), variable.numpy(), atol=1e-5)
    for mine, other in zip(ours.non_trainable_variables, theirs.non_trainable_variables):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=1e-5)


@both
def test_moving_statistics_are_written_at_each_call(jit):
    model = keras.Sequential([layers.Input((4, 4, 2)), layers.BatchNormalization(momentum=0.9), layers.Flatten()])
    step = gradients.model_value_and_grad(model, "mse", jit=jit)
    rng = np.random.default_rng(0)
    mean = np.zeros(2)
    for _ in range(3):
        x = rng.standard_normal((5, 4, 4, 2)).astype("float32") + 3
        step(x, np.zeros((5, 32), "float32"))
        mean = reference.moving_average(mean, reference.moments(x)[0], 0.9)
        np.testing.assert_allclose(model.layers[0].moving_mean.numpy(), mean, rtol=1e-5)


@both
def test_dropout_draws_anew_at_each_call(jit):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((50,)), layers.Dropout(0.5), layers.Dense(1, kernel_initializer="ones")])
    step = gradients.model_value_and_grad(model, "mse", jit=jit)
    x, y = np.ones((2, 50), "float32"), np.zeros((2, 1), "float32")
    assert len({step(x, y)[0] for _ in range(5)}) > 1


@both
def test_training_with_an_optimizer_learns(jit):
    model, (images, labels) = small_model(), batch()
    step = gradients.model_value_and_grad(model, CROSS_ENTROPY, jit=jit)
    optimizer = keras.optimizers.Adam(0.02)
    losses = []
    for _ in range(12):
        loss, grads = step(images, labels)
        optimizer.apply(grads, model.trainable_variables)
        losses.append(loss)
    assert losses[-1] < 0.7 * losses[0]


def test_frozen_layers_get_no_gradient_and_count_at_once():
    model, (images, labels) = small_model(), batch()
    step = gradients.model_value_and_grad(model, CROSS_ENTROPY)
    _, grads = step(images, labels)
    assert len(grads) == 8
    model.layers[0].trainable = False
    _, fewer = step(images, labels)
    assert len(fewer) == len(model.trainable_variables) == 6
    for gradient, variable in zip(fewer, model.trainable_variables):
        assert tuple(gradient.shape) == variable.shape
    model.trainable = False
    with pytest.raises(ValueError, match="no trainable weights"):
        step(images, labels)


def test_a_model_that_is_not_built_yet_and_a_loss_by_name():
    model = keras.Sequential([layers.Flatten(), layers.Dense(3)])
    step = gradients.model_value_and_grad(model, "mean_squared_error")
    x, y = np.ones((4, 2, 2, 1), "float32"), np.zeros((4, 3), "float32")
    loss, grads = step(x, y)
    assert loss == pytest.approx(np.mean(ops.convert_to_numpy(model(x)) ** 2), rel=1e-5)
    expected = reference.dense_backward(2 * ops.convert_to_numpy(model(x)) / 12, x.reshape(4, 4), np.zeros((4, 3)))
    np.testing.assert_allclose(ops.convert_to_numpy(grads[0]), expected[1], rtol=1e-5)


def test_a_model_without_a_training_argument():
    class Line(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    loss, grads = gradients.model_value_and_grad(Line(), "mse")(np.ones((2, 3)), np.ones((2, 1)))
    assert loss >= 0
    assert [tuple(g.shape) for g in grads] == [(3, 1), (1,)]


def test_gradients_by_layer():
    model, (images, labels) = small_model(), batch()
    _, grads = gradients.model_value_and_grad(model, CROSS_ENTROPY)(images, labels)
    named = gradients.by_layer(model, grads)
    with_weights = [layer.name for layer in model.layers if layer.trainable_weights]
    assert list(named) == with_weights
    assert list(named[with_weights[1]]) == ["gamma", "beta"]
    assert named[with_weights[0]]["kernel"].shape == (3, 3, 3, 4)
    flat = [gradient for layer in named.values() for gradient in layer.values()]
    for gradient, tensor in zip(flat, grads):
        np.testing.assert_array_equal(gradient, ops.convert_to_numpy(tensor))
    with pytest.raises(ValueError, match="7 gradients do not fit 8"):
        gradients.by_layer(model, grads[1:])


# Gradients by the input


@both
def test_input_gradient_of_a_convolution_is_the_transposed_one(jit):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 9, 8, 2)).astype("float32"), rng.standard_normal((3, 4, 2, 3)).astype("float32")
    respond = gradients.input_gradient(lambda images: ops.conv(images, w, strides=2, padding="same"), jit=jit)
    dy = rng.standard_normal((2, 5, 4, 3)).astype("float32")
    expected, _, _ = reference.conv2d_backward(dy, x, w, stride=2, padding="same")
    np.testing.assert_allclose(respond(x, dy), expected, atol=1e-5)
    expected, _, _ = reference.conv2d_backward(np.ones_like(dy), x, w, stride=2, padding="same")
    np.testing.assert_allclose(respond(x), expected, atol=1e-5)
    one_place = np.zeros((1, 5, 4, 1))  # all images and channels alike
    one_place[0, 2, 1, 0] = 1
    expected, _, _ = reference.conv2d_backward(np.broadcast_to(one_place, dy.shape), x, w, stride=2, padding="same")
    np.testing.assert_allclose(respond(x, one_place), expected, atol=1e-5)


def test_the_pixels_that_a_unit_sees_are_its_receptive_field():
    model = keras.Sequential(
        [
            layers.Input((31, 31, 1)),
            layers.Conv2D(2, 3, kernel_initializer="ones"),
            layers.MaxPooling2D(2),
            layers.Conv2D(1, 3, dilation_rate=2, kernel_initializer="ones"),
        ]
    )
    respond = gradients.input_gradient(model)
    field = arithmetic.receptive_field([3, (2, 2), (3, 1, 2)])
    images = np.arange(31.0 * 31).reshape(1, 31, 31, 1)  # increasing: the last pixel of each pool wins
    for place in ((0, 0), (4, 7)):
        weights = np.zeros((1, 10, 10, 1))
        weights[0, *place, 0] = 1
        rows = np.nonzero(respond(images, weights)[0].any(axis=(1, 2)))[0]
        centre = field.start + place[0] * field.jump
        assert rows.max() == centre + (field.size - 1) / 2
        assert rows.min() == centre - (field.size - 1) / 2 + 1  # the first pixel of the first pool loses


def test_input_gradient_of_a_model_runs_it_in_inference():
    model = keras.Sequential([layers.Input((4, 4, 1)), layers.BatchNormalization(), layers.Dropout(0.9)])
    gradient = gradients.input_gradient(model)(np.ones((2, 4, 4, 1)))
    np.testing.assert_allclose(gradient, np.full((2, 4, 4, 1), 1 / np.sqrt(1.001)), rtol=1e-5)
    np.testing.assert_array_equal(model.layers[0].moving_mean.numpy(), [0.0])


# Errors


def go(fn, *arrays, **options):
    return gradients.value_and_grad(fn, **options)(*(arrays or (np.ones(2),)))


def unfinished(x):
    raise NotImplementedError("my own words")


def wrong_shapes(x):
    return ops.sum(ops.matmul(x, ops.ones((3, 3))))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: gradients.value_and_grad(3.0), TypeError, "Pass f itself"),
        (lambda: gradients.value_and_grad(ops.sum, argnums=-1), ValueError, "counted from 0"),
        (lambda: gradients.value_and_grad(ops.sum, argnums=(0, 0)), ValueError, "different positions"),
        (lambda: go(lambda x: ops.sum(x), argnums=1), ValueError, "needs at least 2 arguments, got 1"),
        (lambda: go(lambda x: 2 * x), ValueError, r"one number, got a tensor of shape \(2,\).*keras.ops.sum"),
        (lambda: go(lambda x: ops.sum(x), np.array([1, 2])), TypeError, r"argument 0 holds int.*Write 2.0 for 2"),
        (lambda: go(lambda x, y: ops.sum(x), 1.0, ["a"]), TypeError, "argument 1 must hold numbers, got str"),
        (lambda: go(lambda x: ops.sum(x), None), TypeError, "argument 0 must hold numbers"),
        (lambda: go(lambda x: 3.0), TypeError, "returned float, not a tensor"),
        (lambda: go(lambda x: np.float32(3)), TypeError, "returned float32, not a tensor"),
        (lambda: go(lambda x: None), TypeError, "returned NoneType"),
        (lambda: go(lambda x: ops.argmax(x)), TypeError, "must return a float, got int"),
        (lambda: go(lambda x: np.sum(np.asarray(x))), TypeError, "keras.ops instead of NumPy|returned float32"),
        (
            lambda: go(lambda x: ops.convert_to_tensor(np.exp(x)).sum(), jit=True),
            TypeError,
            "keras.ops instead of NumPy",
        ),
        (lambda: go(unfinished), NotImplementedError, "my own words"),
        (lambda: gradients.model_value_and_grad(ops.sum, "mse"), TypeError, "must be a Keras model"),
        (lambda: gradients.model_value_and_grad(small_model(), None), TypeError, "loss must be"),
        (
            lambda: gradients.model_value_and_grad(small_model(), lambda y, p: 1.0)(*batch()),
            TypeError,
            "the loss returned float",
        ),
        (
            lambda: gradients.input_gradient(small_model())(batch()[0], np.ones((6, 4))),
            ValueError,
            r"weights of shape \(6, 4\) do not fit the output of shape \(6, 3\)",
        ),
        (lambda: gradients.input_gradient(small_model())(np.ones((1, 8, 8, 3), int)), TypeError, "astype"),
    ],
)
def test_errors_say_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_decisions_by_value_need_jit_off_or_keras_ops():
    def fn(x):
        return ops.sum(x) if ops.sum(x) > 0 else -ops.sum(x)

    if keras.config.backend() == "torch":
        assert go(fn)[0] == 2.0
    else:
        with pytest.raises(TypeError, match="keras.ops.where instead of if"):
            go(fn)
    if keras.config.backend() != "jax":
        assert go(fn, jit=False)[0] == 2.0


def test_errors_of_the_function_itself_come_through():
    with pytest.raises(Exception, match=r"(?i)shape|size|dimension|incompatible"):
        go(wrong_shapes)


# More than a number


@pytest.mark.parametrize("jit", [True, False])
def test_what_was_computed_on_the_way_comes_along(jit):
    def fn(x, y):
        return ops.sum(x**2 * y), {"triple": 3 * x, "as given": [y]}

    value, gradient, more = gradients.value_and_grad(fn, jit=jit, has_aux=True)(
        np.array([1.0, 2.0]), np.array([1.0, 3])
    )
    assert value == 13
    np.testing.assert_array_equal(gradient, [2, 12])
    np.testing.assert_array_equal(more["triple"], [3, 6])
    np.testing.assert_array_equal(more["as given"][0], [1, 3])


def test_has_aux_wants_a_pair():
    with pytest.raises(TypeError, match=r"returns \(number, more\)"):
        gradients.value_and_grad(lambda x: ops.sum(x), has_aux=True)(np.array([1.0]))


# Backends


@pytest.fixture(scope="module")
def results_by_backend(tmp_path_factory):
    """The fixed case of gradients_case.py, each installed backend in a process of its own."""
    folder, processes = tmp_path_factory.mktemp("backends"), {}
    for backend in BACKENDS:
        if importlib.util.find_spec(backend):
            command = [
                sys.executable,
                str(Path(__file__).parent / "support" / "gradients_case.py"),
                str(folder / backend),
            ]
            environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
            processes[backend] = subprocess.run(command, env=environment, capture_output=True, text=True)
    return folder, processes


@pytest.mark.parametrize("pair", list(itertools.combinations(BACKENDS, 2)), ids="-".join)
def test_backends_agree(results_by_backend, pair):
    folder, processes = results_by_backend
    for backend in pair:
        if backend not in processes:
            pytest.skip(f"{backend} is not installed")
        assert processes[backend].returncode == 0, processes[backend].stderr
    first, second = (np.load(folder / f"{backend}.npz") for backend in pair)
    assert set(first.files) == set(second.files)
    assert len(first.files) > 50
    for name in first.files:
        np.testing.assert_allclose(first[name], second[name], atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_and_eager_agree(results_by_backend, backend):
    folder, processes = results_by_backend
    if backend not in processes:
        pytest.skip(f"{backend} is not installed")
    results = np.load(folder / f"{backend}.npz")
    for name in results.files:
        if name.endswith(" jit"):
            eager = results[name.replace(" jit", " eager")]
            np.testing.assert_allclose(results[name], eager, atol=1e-5, rtol=1e-5, err_msg=name)


def test_no_other_module_imports_a_backend():
    folder = Path(cnnlib.__file__).parent
    imported = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.split(".")[0] for name in names} & set(BACKENDS):
                imported.setdefault(path.relative_to(folder).as_posix(), []).extend(names)
    # what shows the own means of a backend, or PyTorch beside Keras, runs in a process of its own
    assert list(imported) == ["gradients.py", "parallel/simulated.py", "porting/torch_process.py"]
