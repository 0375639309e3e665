"""The NumPy layers against Keras on random shapes, against SciPy, finite differences and automatic differentiation.

What Keras does not offer is reached another way: number padding by padding first, a stride together with a dilation by
dropping outputs of the result with stride 1.
"""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import ops
from scipy import signal

from cnnlib import arithmetic, gradients, reference

BACKEND = keras.config.backend()
# JAX compiles an operation for every new shape, some 0.05 to 0.4 s each: fewer shapes there.
EXAMPLES = 40 if BACKEND == "jax" else 100
on_keras = settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
on_numpy = settings(max_examples=200, deadline=None, derandomize=True)

seeds = st.integers(0, 2**32 - 1)
paddings = st.sampled_from(["valid", "same", 0, 1, 2, ((1, 0), (0, 2))])


@st.composite
def layers_2d(draw, max_stride=3, max_dilation=3, most=5, paddings=paddings, grouped=True):
    """A dict of the shapes and options of a convolution that fits: sizes differ along the two axes."""
    pairs = lambda most: st.tuples(st.integers(1, most), st.integers(1, most))  # noqa: E731
    kernel, stride, dilation = draw(pairs(4)), draw(pairs(max_stride)), draw(pairs(max_dilation))
    padding = draw(paddings)
    groups = draw(st.integers(1, 3)) if grouped else 1
    spans = [arithmetic.effective_kernel(k, d) for k, d in zip(kernel, dilation)]
    least = [1, 1] if padding == "same" else spans
    size = [draw(st.integers(n, n + most)) for n in least]
    return {
        "x": (draw(st.integers(1, 2)), *size, groups * draw(st.integers(1, 2))),
        "kernel": kernel,
        "filters": groups * draw(st.integers(1, 2)),
        "options": {"stride": stride, "padding": padding, "dilation": dilation},
        "groups": groups,
    }


def numbers(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def arrays(layer, seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    x = numbers(rng, *layer["x"], dtype=dtype)
    w = numbers(rng, *layer["kernel"], layer["x"][3] // layer["groups"], layer["filters"], dtype=dtype)
    return x, w, numbers(rng, layer["filters"], dtype=dtype)


def equal(result, expected, tolerance=1e-4):
    expected = ops.convert_to_numpy(expected)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


def keras_conv(operation, x, w, options):
    """A convolution by ``keras.ops`` with any padding, and with stride and dilation at once."""
    stride, padding, dilation = options["stride"], options["padding"], options["dilation"]
    if max(stride) > 1 and max(dilation) > 1 and padding == "same":
        spans = [arithmetic.effective_kernel(k, d) for k, d in zip(w.shape, dilation)]
        outputs = [-(-n // s) for n, s in zip(x.shape[1:3], stride)]
        totals = [max((o - 1) * s + k - n, 0) for o, s, k, n in zip(outputs, stride, spans, x.shape[1:3])]
        padding = [(total // 2, total - total // 2) for total in totals]
    if not isinstance(padding, str):
        sides = [(padding, padding)] * 2 if isinstance(padding, int) else list(padding)
        x, padding = ops.pad(x, [(0, 0), *sides, (0, 0)]), "valid"
    if max(dilation) == 1:
        return operation(x, w, strides=stride, padding=padding)
    y = operation(x, w, padding=padding, dilation_rate=dilation)
    return y[:, :: stride[0], :: stride[1]]


# Windows


@on_numpy
@given(layers_2d(), seeds)
def test_windows_and_im2col_are_one_another_and_col2im_is_the_transpose(layer, seed):
    x, _, _ = arrays(layer, seed, np.float64)
    arguments = layer["kernel"], *layer["options"].values()
    columns = reference.im2col(x, *arguments)
    view = reference.windows(x, *arguments)
    np.testing.assert_array_equal(columns.reshape(view.shape), view)
    # the definition, at one place drawn at random
    rng = np.random.default_rng(seed)
    where = reference.plan(x.shape, *arguments)
    place = tuple(rng.integers(0, n) for n in view.shape)
    n, row, column, i, j, k = place
    pixel = (
        row * where.stride[0] + i * where.dilation[0] - where.padding[0][0],
        column * where.stride[1] + j * where.dilation[1] - where.padding[1][0],
    )
    inside = all(0 <= p < size for p, size in zip(pixel, x.shape[1:3]))
    assert view[place] == (x[n, *pixel, k] if inside else 0)
    # <im2col(x), c> = <x, col2im(c)> defines the transpose
    c = rng.standard_normal(columns.shape)
    assert np.sum(columns * c) == pytest.approx(np.sum(x * reference.col2im(c, x.shape, *arguments)))


@on_numpy
@given(st.integers(3, 8), st.integers(3, 8), *[st.integers(0, 2)] * 4, seeds)
def test_padding_modes(height, width, top, bottom, left, right, seed):
    x = numbers(np.random.default_rng(seed), 2, height, width, 3)
    padding = ((top, bottom), (left, right))
    sides = ((0, 0), *padding, (0, 0))
    np.testing.assert_array_equal(reference.pad(x, padding), np.pad(x, sides))
    np.testing.assert_array_equal(reference.pad(x, padding, value=-1), np.pad(x, sides, constant_values=-1))
    reflected = reference.pad(x, padding, mode="reflect")
    np.testing.assert_array_equal(reflected, np.pad(x, sides, mode="reflect"))  # Keras on PyTorch has not all sizes
    rows = np.clip(np.arange(-top, height + bottom), 0, height - 1)
    columns = np.clip(np.arange(-left, width + right), 0, width - 1)
    np.testing.assert_array_equal(reference.pad(x, padding, mode="replicate"), x[:, rows][:, :, columns])
    assert reference.pad(x, "valid").shape == x.shape
    assert reference.pad(x, top).shape == (2, height + 2 * top, width + 2 * top, 3)


# Convolution


def test_the_example_of_lesson_01():
    image = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
    kernel = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    expected = [[4, 3, 4], [2, 4, 3], [2, 3, 4]]
    np.testing.assert_array_equal(reference.cross_correlate2d(image, kernel), expected)
    for convolve in (reference.conv2d_loops, reference.conv2d, reference.conv2d_flat):
        np.testing.assert_array_equal(convolve(image[None, :, :, None], kernel[:, :, None, None])[0, :, :, 0], expected)


@on_numpy
@given(*[st.integers(1, 4)] * 2, *[st.integers(0, 5)] * 2, seeds)
def test_one_channel_equals_scipy(kernel_height, kernel_width, more_rows, more_columns, seed):
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal((kernel_height, kernel_width))
    image = rng.standard_normal((kernel_height + more_rows, kernel_width + more_columns))
    equal(reference.cross_correlate2d(image, kernel), signal.correlate2d(image, kernel, mode="valid"), 1e-10)
    equal(reference.convolve2d(image, kernel), signal.convolve2d(image, kernel, mode="valid"), 1e-10)


@on_keras
@given(layers_2d(), seeds)
def test_convolution_equals_keras(layer, seed):
    x, w, b = arrays(layer, seed)
    expected = keras_conv(ops.conv, x, w, layer["options"]) + b
    for convolve in (reference.conv2d_loops, reference.conv2d, reference.conv2d_flat):
        result = convolve(x, w, b, **layer["options"], groups=layer["groups"])
        equal(result, expected)
        assert result.dtype == np.float32
    without = reference.conv2d(x, w, **layer["options"], groups=layer["groups"])
    equal(without + b, expected)


@on_keras
@given(layers_2d(grouped=False), seeds)
def test_depthwise_convolution_equals_keras_and_the_grouped_one(layer, seed):
    rng = np.random.default_rng(seed)
    x, channels = numbers(rng, *layer["x"]), layer["x"][3]
    w, b = numbers(rng, *layer["kernel"], channels, layer["filters"]), numbers(rng, channels * layer["filters"])
    options = layer["options"]
    # keras.ops has equal strides only here: drop outputs instead
    rows, columns = options["stride"]
    one_by_one = keras_conv(ops.depthwise_conv, x, w, {**explicit_padding(x, w, options), "stride": (1, 1)})
    expected = one_by_one[:, ::rows, ::columns] + b
    result = reference.depthwise_conv2d(x, w, b, **options)
    equal(result, expected)
    equal(reference.conv2d(x, w.reshape(*layer["kernel"], 1, -1), b, **options, groups=channels), result)
    if rows == columns and max(options["dilation"]) == 1:
        equal(result, keras_conv(ops.depthwise_conv, x, w, options) + b)


def explicit_padding(x, w, options):
    """The options with "same" written out, so that a result with stride 1 holds the strided one."""
    return {**options, "padding": reference.plan(x.shape, w.shape[:2], *options.values()).padding}


@on_keras
@given(
    layers_2d(paddings=st.sampled_from(["valid", "same"]), grouped=False),
    st.none() | st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seeds,
)
def test_transposed_convolution_equals_keras(layer, output_padding, seed):
    rng = np.random.default_rng(seed)
    options = layer["options"]
    stride, padding = options["stride"], options["padding"]
    if max(stride) > 1:
        options["dilation"] = (1, 1)
    x, w = numbers(rng, *layer["x"]), numbers(rng, *layer["kernel"], layer["filters"], layer["x"][3])
    if output_padding is not None:
        assume(all(extra < s for extra, s in zip(output_padding, stride)))
        even = [k % 2 == 0 for k in layer["kernel"]]
        spans_even = [e and d % 2 == 1 for e, d in zip(even, options["dilation"])]
        assume(padding == "valid" or not any(e and o == 0 for e, o in zip(spans_even, output_padding)))
    b = numbers(rng, layer["filters"])
    expected = ops.conv_transpose(
        x, w, stride, padding, output_padding=output_padding, dilation_rate=options["dilation"]
    )
    equal(reference.conv2d_transpose(x, w, b, **options, output_padding=output_padding), expected + b)


@on_numpy
@given(layers_2d(grouped=False, paddings=st.sampled_from(["valid", "same", 0, 1, 2])), seeds)
def test_transposed_convolution_is_the_gradient_of_convolution_by_its_input(layer, seed):
    rng = np.random.default_rng(seed)
    small, w = (
        numbers(rng, *layer["x"], dtype=np.float64),
        numbers(rng, *layer["kernel"], 2, layer["x"][3], dtype=np.float64),
    )
    padding = layer["options"]["padding"]
    assume(isinstance(padding, str) or all(k > 2 * padding for k in layer["kernel"]))
    large = reference.conv2d_transpose(small, w, **layer["options"])
    dx, _, _ = reference.conv2d_backward(small, np.zeros(large.shape), w, **layer["options"])
    equal(large, dx, 1e-10)


# Gradients of convolution


def numerically(fn, *values):
    """The gradient of sum(fn) by each value, by finite differences."""
    for position, value in enumerate(values):
        others = list(values)

        def total(v, others=others, position=position):
            others[position] = v
            return np.sum(fn(*others))

        yield reference.numerical_gradient(total, value)


@on_numpy
@given(layers_2d(most=1, max_stride=2, max_dilation=2), seeds)
def test_gradients_of_convolution_equal_finite_differences(layer, seed):
    x, w, b = arrays({**layer, "x": (1, *layer["x"][1:])}, seed, np.float64)
    options = {**layer["options"], "groups": layer["groups"]}
    dy = np.random.default_rng(seed).standard_normal(reference.conv2d(x, w, **options).shape)
    results = reference.conv2d_backward(dy, x, w, **options)
    expected = numerically(lambda x, w, b: dy * reference.conv2d(x, w, b, **options), x, w, b)
    for result, gradient in zip(results, expected):
        equal(result, gradient, 1e-7)


def compare_with_automatic_gradients(layer, seed):
    x, w, b = arrays(layer, seed)
    options = {**layer["options"], "groups": layer["groups"]}
    dy = numbers(np.random.default_rng(seed), *reference.conv2d(x, w, **options).shape)

    def total(x, w, b):
        return ops.sum(ops.multiply(dy, keras_conv(ops.conv, x, w, layer["options"]) + b))

    try:
        _, expected = gradients.value_and_grad(total, argnums=(0, 1, 2), jit=False)(x, w, b)
    except RuntimeError as error:
        assume("grad_weight must be contiguous" not in str(error))  # PyTorch 2.13 fails on some kernels of one row
        raise
    for result, gradient in zip(reference.conv2d_backward(dy, x, w, **options), expected):
        equal(result, gradient)
        assert result.dtype == np.float32


@on_keras
@given(layers_2d(grouped=False), seeds)
def test_gradients_of_convolution_equal_automatic_ones(layer, seed):
    compare_with_automatic_gradients(layer, seed)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(layers_2d(), seeds)
def test_gradients_of_grouped_convolution_equal_automatic_ones(layer, seed):
    assume(layer["groups"] > 1)  # few, because TensorFlow compiles each of them
    compare_with_automatic_gradients(layer, seed)


# Pooling


@st.composite
def pools(draw):
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.none() | st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.sampled_from(["valid", "same"]))
    least = (1, 1) if padding == "same" else size
    height, width = (draw(st.integers(n, n + 4)) for n in least)
    return (draw(st.integers(1, 2)), height, width, draw(st.integers(1, 3))), size, stride, padding


def test_the_pooling_example_of_lesson_02():
    x = np.array([[1, 2, 0, 1], [3, 4, 2, 1], [0, 1, 5, 0], [1, 2, -1, 0]])
    expected = [[4, 2], [2, 5]]
    np.testing.assert_array_equal(reference.max_pool2d(x[None, :, :, None])[0, :, :, 0], expected)
    np.testing.assert_array_equal(reference.avg_pool2d(x[None, :, :, None])[0, :, :, 0], [[2.5, 1], [1, 1]])


@on_keras
@given(pools(), seeds)
def test_max_pooling_equals_keras(pool, seed):
    shape, size, stride, padding = pool
    x = numbers(np.random.default_rng(seed), *shape) - 5  # all negative: a zero from the padding would win
    expected = ops.max_pool(x, size, stride or size, padding)  # Keras 3.15 on JAX wants the strides
    equal(reference.max_pool2d(x, size, stride, padding), expected, 0)


@on_keras
@given(pools(), seeds)
def test_average_pooling_equals_keras(pool, seed):
    shape, size, stride, padding = pool
    if BACKEND == "torch":  # Keras 3.15 on PyTorch counts copies of border pixels where the padding is uneven
        assume(all(before == after for before, after in reference.plan(shape, size, stride or size, padding).padding))
    x = numbers(np.random.default_rng(seed), *shape)
    equal(reference.avg_pool2d(x, size, stride, padding), ops.average_pool(x, size, stride or size, padding), 1e-5)


@on_numpy
@given(pools(), seeds)
def test_average_pooling_is_the_mean_of_the_pixels_in_the_window(pool, seed):
    shape, size, stride, padding = pool
    x = numbers(np.random.default_rng(seed), *shape, dtype=np.float64)
    with_gaps = reference.pad(x, padding, size, stride or size, value=np.nan)
    expected = np.nanmean(reference.windows(with_gaps, size, stride or size), axis=(3, 4))
    equal(reference.avg_pool2d(x, size, stride, padding), expected, 1e-12)


@on_numpy
@given(pools(), st.sampled_from([0, 1]), seeds)
def test_gradients_of_pooling_equal_finite_differences(pool, number_padding, seed):
    shape, size, stride, padding = pool
    if padding == "valid" and min(size) > 1:
        padding = number_padding
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.prod(shape)).reshape(shape) * 0.1  # no two values near each other: the winner is clear
    dy = rng.standard_normal(reference.max_pool2d(x, size, stride, padding).shape)
    for forward, backward in (
        (reference.max_pool2d, reference.max_pool2d_backward),
        (reference.avg_pool2d, reference.avg_pool2d_backward),
    ):
        (expected,) = numerically(lambda x, f=forward: dy * f(x, size, stride, padding), x)
        equal(backward(dy, x, size, stride, padding), expected, 1e-7)
    dy = rng.standard_normal((shape[0], shape[3]))
    for forward, backward in (
        (reference.global_avg_pool, reference.global_avg_pool_backward),
        (reference.global_max_pool, reference.global_max_pool_backward),
    ):
        (expected,) = numerically(lambda x, f=forward: dy * f(x), x)
        equal(backward(dy, x), expected, 1e-7)


def test_pooling_of_ties_and_of_whole_numbers():
    x = np.zeros((1, 2, 2, 1))
    np.testing.assert_array_equal(reference.max_pool2d_backward(np.ones((1, 1, 1, 1)), x)[0, :, :, 0], [[1, 0], [0, 0]])
    x = np.full((1, 3, 3, 1), 250, np.uint8)
    assert reference.max_pool2d(x, padding="same").tolist() == [[[[250], [250]], [[250], [250]]]]
    assert reference.max_pool2d(-x.astype(np.int32), padding="same").max() == -250
    assert reference.avg_pool2d(x, padding="same").tolist() == [[[[250], [250]], [[250], [250]]]]
    x = numbers(np.random.default_rng(0), 2, 5, 4, 3)
    equal(reference.global_avg_pool(x), ops.mean(x, axis=(1, 2)), 1e-6)
    equal(reference.global_max_pool(x), ops.max(x, axis=(1, 2)), 0)


# Normalisation

feature_maps = st.tuples(st.integers(2, 4), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))


@on_keras
@given(feature_maps, st.sampled_from([1e-3, 1e-5]), seeds)
def test_batch_normalisation_equals_keras(shape, eps, seed):
    rng = np.random.default_rng(seed)
    x = 3 * numbers(rng, *shape) + 2
    gamma, beta = numbers(rng, shape[3]), numbers(rng, shape[3])
    mean, var = reference.moments(x)
    moments = ops.moments(x, axes=(0, 1, 2))
    equal(mean, moments[0])
    equal(var, moments[1], 1e-3)
    expected = ops.batch_normalization(x, mean, var, axis=-1, offset=beta, scale=gamma, epsilon=eps)
    equal(reference.batch_norm(x, gamma, beta, eps), expected, 1e-3)
    other = numbers(rng, shape[3]), np.abs(numbers(rng, shape[3])) + 0.1
    expected = ops.batch_normalization(x, *other, axis=-1, offset=beta, scale=gamma, epsilon=eps)
    equal(reference.batch_norm(x, gamma, beta, eps, *other), expected, 1e-3)


def test_batch_normalisation_equals_the_keras_layer_in_training_and_inference():
    rng = np.random.default_rng(0)
    layer = keras.layers.BatchNormalization(momentum=0.8)
    layer.build((None, 4, 5, 3))
    gamma, beta, mean, var = numbers(rng, 3), numbers(rng, 3), np.zeros(3, np.float32), np.ones(3, np.float32)
    layer.set_weights([gamma, beta, mean, var])
    for _ in range(3):
        x = 2 * numbers(rng, 2, 4, 5, 3) + 1
        equal(reference.batch_norm(x, gamma, beta), layer(x, training=True))
        batch_mean, batch_var = reference.moments(x)
        mean = reference.moving_average(mean, batch_mean, 0.8)
        var = reference.moving_average(var, batch_var, 0.8)
        equal(mean, layer.moving_mean + 0.0, 1e-5)
        equal(var, layer.moving_variance + 0.0, 1e-5)
        equal(reference.batch_norm(x, gamma, beta, mean=mean, var=var), layer(x, training=False))


@on_numpy
@given(feature_maps, seeds)
def test_gradients_of_batch_normalisation_equal_finite_differences(shape, seed):
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma, beta = rng.standard_normal(shape[3]), rng.standard_normal(shape[3])
    expected = numerically(lambda x, gamma, beta: dy * reference.batch_norm(x, gamma, beta, 0.1), x, gamma, beta)
    for result, gradient in zip(reference.batch_norm_backward(dy, x, gamma, 0.1), expected):
        equal(result, gradient, 1e-6)


# Dense layers and the loss


@on_numpy
@given(*[st.integers(1, 5)] * 3, seeds)
def test_dense_and_relu_with_their_gradients(batch, inputs, units, seed):
    rng = np.random.default_rng(seed)
    x, w, b = rng.standard_normal((batch, inputs)), rng.standard_normal((inputs, units)), rng.standard_normal(units)
    dy = rng.standard_normal((batch, units))
    equal(reference.dense(x, w, b), ops.add(ops.matmul(x, w), b), 1e-5)
    equal(reference.dense(x, w), ops.matmul(x, w), 1e-5)
    equal(reference.relu(x), ops.relu(x), 1e-6)
    expected = numerically(lambda x, w, b: dy * reference.dense(x, w, b), x, w, b)
    for result, gradient in zip(reference.dense_backward(dy, x, w), expected):
        equal(result, gradient, 1e-7)
    x[np.abs(x) < 1e-3] = 0.5  # away from the kink
    d_relu = rng.standard_normal(x.shape)
    (expected,) = numerically(lambda x: d_relu * reference.relu(x), x)
    equal(reference.relu_backward(d_relu, x), expected, 1e-7)
    assert reference.relu_backward(np.ones((1, 1)), np.zeros((1, 1))) == 0


@on_keras
@given(st.integers(1, 6), st.integers(2, 5), st.sampled_from([1.0, 30.0, 1e4]), seeds)
def test_softmax_and_cross_entropy_equal_keras(batch, classes, scale, seed):
    rng = np.random.default_rng(seed)
    logits = scale * numbers(rng, batch, classes)
    labels = rng.integers(0, classes, batch)
    soft = rng.dirichlet(np.ones(classes), batch).astype(np.float32)
    equal(reference.softmax(logits), ops.softmax(logits), 1e-5)
    equal(reference.log_softmax(logits), ops.log_softmax(logits), 1e-5)
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    for target in (one_hot, soft):
        expected = float(ops.mean(ops.categorical_crossentropy(target, logits, from_logits=True)))
        assert reference.cross_entropy(logits, target) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert reference.cross_entropy(logits, labels) == reference.cross_entropy(logits, one_hot)

    for target in (labels, soft):
        targets = one_hot if target is labels else soft

        def loss(logits, targets=targets):
            return ops.mean(ops.categorical_crossentropy(targets, logits, from_logits=True))

        _, expected = gradients.value_and_grad(loss, jit=False)(logits)
        equal(reference.softmax_cross_entropy_grad(logits, target), expected, 1e-5)


@on_numpy
@given(st.integers(1, 4), st.integers(2, 5), seeds)
def test_gradient_of_cross_entropy_equals_finite_differences(batch, classes, seed):
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((batch, 2, classes))
    for labels in (rng.integers(0, classes, (batch, 2)), rng.dirichlet(np.ones(classes), (batch, 2))):
        expected = reference.numerical_gradient(lambda z, labels=labels: reference.cross_entropy(z, labels), logits)
        equal(reference.softmax_cross_entropy_grad(logits, labels), expected, 1e-8)


def test_cross_entropy_of_extreme_logits_is_finite():
    logits = np.array([[1e4, -1e4], [-1e30, 1e30]], np.float32)
    assert reference.cross_entropy(logits, np.array([0, 1])) == 0
    assert reference.cross_entropy(logits[:1], np.array([1])) == pytest.approx(2e4)
    assert np.isfinite(reference.softmax(logits)).all()
    assert reference.cross_entropy(np.zeros((3, 10)), np.array([0, 5, 9])) == pytest.approx(np.log(10))


def test_numerical_gradient_of_a_known_function():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    equal(reference.numerical_gradient(lambda x: np.sum(x**3), x), 3 * x**2, 1e-8)
    whole = np.array([1, 2])
    equal(reference.numerical_gradient(lambda x: np.sum(x**2), whole), np.array([2.0, 4.0]), 1e-8)
    assert whole.tolist() == [1, 2]


# The benchmark


@pytest.fixture
def benchmark(monkeypatch):
    path = Path(__file__).parents[1] / "benchmarks" / "convolution.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_convolution", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PEERS", {})  # the course's own versions only: no second backend in this process
    return module


def test_the_benchmark_prints_a_ratio_for_each_version(benchmark, capsys):
    assert benchmark.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    ratios = {line.split("  ")[-1]: float(line.split()[0]) for line in lines[2:]}
    assert ratios[benchmark.FLOOR] == 1.0
    assert {benchmark.IM2COL, benchmark.FLAT, "einsum over windows"} < set(ratios)
    assert any(name.startswith("four loops") for name in ratios)


def test_the_benchmark_fails_on_a_disagreement(benchmark, capsys, monkeypatch):
    right = reference.conv2d_flat
    monkeypatch.setattr(reference, "conv2d_flat", lambda *a, **k: right(*a, **k) + 0.01)
    assert benchmark.main(["--quick"]) == 1
    output = capsys.readouterr().out
    assert "disagree" in output
    assert benchmark.FLAT in output
    assert benchmark.IM2COL not in output


# Errors

IMAGES, KERNEL = np.zeros((1, 6, 6, 3), np.float32), np.zeros((3, 3, 3, 4), np.float32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: reference.conv2d(IMAGES[0], KERNEL), r"\(batch, height, width, channels\), got \(6, 6, 3\)"),
        (lambda: reference.conv2d(IMAGES, KERNEL[0]), r"w must have shape .* got \(3, 3, 4\)"),
        (
            lambda: reference.conv2d(IMAGES, np.zeros((4, 3, 5, 5))),
            r"From PyTorch, take w.transpose\(2, 3, 1, 0\)",
        ),
        (lambda: reference.conv2d(IMAGES, KERNEL, groups=2), "groups=2 must divide both"),
        (lambda: reference.conv2d(IMAGES, KERNEL, padding="full"), "'same', 'valid'"),
        (lambda: reference.conv2d(IMAGES, KERNEL, padding=(1, 1)), r"\(\(top, bottom\), \(left, right\)\)"),
        (lambda: reference.conv2d(IMAGES, KERNEL, stride=(1, 1, 1)), "a pair"),
        (lambda: reference.conv2d(IMAGES[:, :2], KERNEL), "spans 3 pixels and does not fit into 2"),
        (lambda: reference.conv2d_backward(IMAGES, IMAGES, KERNEL), r"shape of the output, \(1, 4, 4, 4\)"),
        (lambda: reference.conv2d_transpose(IMAGES, KERNEL), "Output channels come before input channels"),
        (
            lambda: reference.conv2d_transpose(
                IMAGES, KERNEL[:2].swapaxes(2, 3), stride=2, padding="same", output_padding=0
            ),
            "no convolution",
        ),
        (lambda: reference.conv2d(IMAGES, KERNEL, np.zeros(3)), "one number for each of the 4 outputs"),
        (lambda: reference.dense(np.zeros((2, 3)), np.zeros((3, 4)), np.zeros((4, 1))), "each of the 4 outputs"),
        (lambda: reference.depthwise_conv2d(IMAGES, KERNEL[:, :, :2]), "multiplier"),
        (lambda: reference.col2im(np.zeros((3, 3)), (1, 6, 6, 3), 3), "do not come from"),
        (lambda: reference.cross_correlate2d(IMAGES[0], KERNEL[:, :, 0, 0]), "two axes"),
        (lambda: reference.pad(IMAGES, 1, mode="mirror"), "zeros, reflect, replicate"),
        (lambda: reference.pad(IMAGES, 6, mode="reflect"), "cannot fill"),
        (lambda: reference.max_pool2d(IMAGES, 2, padding=2), "nothing but padding"),
        (lambda: reference.batch_norm(IMAGES, 1, 0, mean=np.zeros(3)), "both mean and var"),
        (lambda: reference.dense(IMAGES, np.zeros((3, 2))), "Flatten"),
        (lambda: reference.cross_entropy(np.zeros((2, 3)), np.array([1, 3])), "between 0 and 2"),
        (lambda: reference.cross_entropy(np.zeros((2, 3)), np.array([1, -1])), "between 0 and 2"),
        (lambda: reference.cross_entropy(np.zeros((2, 3)), np.array([1.0, 2.0])), "whole"),
        (lambda: reference.cross_entropy(np.zeros((2, 3)), np.zeros((3, 2))), "class numbers of shape"),
    ],
)
def test_errors_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()
