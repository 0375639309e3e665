"""Sizes and costs against Keras, brute force and published numbers."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from cnnlib import arithmetic
from cnnlib.arithmetic import ReceptiveField

small = st.integers(1, 6)
check = settings(max_examples=300, deadline=None, derandomize=True)


def places(size, kernel, stride, padding, dilation):
    """The positions of the first tap, found by moving the window until its last tap falls off the padded input."""
    before, after = padding
    return [start for start in range(-before, size + after, stride) if start + dilation * (kernel - 1) < size + after]


# Sizes


def test_the_cases_that_lesson_01_shows():
    assert arithmetic.output_size(5, 3, padding=0, stride=1) == 3
    assert arithmetic.output_size(5, 3, padding=1, stride=1) == 5
    assert arithmetic.output_size(7, 3, padding=0, stride=2) == 3
    assert [arithmetic.covered(w, kernel=7, stride=2) for w in (223, 224, 225)] == [223, 223, 225]
    assert arithmetic.covered(224, kernel=7, stride=2, padding=3) == 224
    assert [arithmetic.effective_kernel(3, d) for d in (1, 2, 4)] == [3, 5, 9]
    assert arithmetic.same_padding(224, 3, stride=2) == (0, 1)
    assert arithmetic.same_padding(225, 3, stride=2) == (1, 1)


@check
@given(st.integers(1, 40), small, small, st.tuples(st.integers(0, 5), st.integers(0, 5)), small)
def test_output_size_counts_the_places_of_the_window(size, kernel, stride, padding, dilation):
    expected = len(places(size, kernel, stride, padding, dilation))
    if expected:
        assert arithmetic.output_size(size, kernel, stride, padding, dilation) == expected
    else:
        with pytest.raises(ValueError, match="does not fit"):
            arithmetic.output_size(size, kernel, stride, padding, dilation)


@check
@given(st.integers(1, 40), small, small, st.integers(0, 5), small)
def test_output_size_with_a_number_is_the_formula(size, kernel, stride, padding, dilation):
    numerator = size + 2 * padding - dilation * (kernel - 1) - 1
    if numerator >= 0:
        assert arithmetic.output_size(size, kernel, stride, padding, dilation) == numerator // stride + 1


@check
@given(st.integers(1, 40), small, small, small)
def test_same_padding_is_the_least_that_gives_the_size_divided_by_the_stride(size, kernel, stride, dilation):
    before, after = arithmetic.same_padding(size, kernel, stride, dilation)
    wanted = math.ceil(size / stride)
    assert after - before in (0, 1)
    assert arithmetic.output_size(size, kernel, stride, "same", dilation) == wanted
    assert len(places(size, kernel, stride, (before, after), dilation)) == wanted
    if before + after:
        fewer = (before, after - 1) if after > before else (before - 1, after)
        assert len(places(size, kernel, stride, fewer, dilation)) < wanted


@check
@given(st.integers(1, 40), small, small, st.integers(0, 5), small)
def test_covered_counts_the_pixels_that_some_window_reads(size, kernel, stride, padding, dilation):
    starts = places(size, kernel, stride, (padding, padding), dilation)
    if not starts:
        return
    seen = np.zeros(size, bool)
    for start, tap in itertools.product(starts, range(kernel)):
        if 0 <= start + tap * dilation < size:
            seen[start + tap * dilation] = True
    assert arithmetic.covered(size, kernel, stride, padding, dilation) == seen.sum()


def test_what_the_stride_and_the_dilation_leave_out():
    assert arithmetic.covered(10, kernel=1, stride=2) == 5
    assert arithmetic.covered(11, kernel=3, stride=2, dilation=2) == 6  # only the even pixels: gridding
    assert arithmetic.covered(10, kernel=3, stride=3, padding="same") == 10


@check
@given(st.integers(12, 40), small, small, st.sampled_from(["same", "valid"]), st.integers(1, 2))
def test_sizes_equal_those_of_keras_layers(size, kernel, stride, padding, dilation):
    if stride > 1:
        dilation = 1  # Keras takes one or the other
    layer = layers.Conv1D(1, kernel, stride, padding, dilation_rate=dilation)
    assert layer.compute_output_shape((1, size, 1))[1] == arithmetic.output_size(
        size, kernel, stride, padding, dilation
    )
    pool = layers.MaxPooling1D(kernel, stride, padding)
    assert pool.compute_output_shape((1, size, 1))[1] == arithmetic.output_size(size, kernel, stride, padding)


@check
@given(
    st.integers(1, 20),
    small,
    st.integers(1, 4),
    st.sampled_from(["same", "valid"]),
    st.none() | st.integers(0, 3),
    st.integers(1, 2),
)
def test_transposed_sizes_equal_those_of_keras_layers(size, kernel, stride, padding, output_padding, dilation):
    if stride > 1:
        dilation = 1
    if output_padding is not None and output_padding >= stride:
        with pytest.raises(ValueError, match="smaller than the stride"):
            arithmetic.transposed_output_size(size, kernel, stride, padding, output_padding, dilation)
        return
    layer = layers.Conv1DTranspose(1, kernel, stride, padding, output_padding=output_padding, dilation_rate=dilation)
    expected = layer.compute_output_shape((1, size, 1))[1]
    assert arithmetic.transposed_output_size(size, kernel, stride, padding, output_padding, dilation) == expected


@check
@given(st.integers(1, 20), small, st.integers(1, 4), st.integers(0, 2), st.integers(0, 3), small)
def test_a_convolution_takes_the_transposed_size_back(size, kernel, stride, padding, output_padding, dilation):
    span = arithmetic.effective_kernel(kernel, dilation)
    if output_padding >= stride or (size - 1) * stride + span + output_padding <= 2 * padding:
        return
    there = arithmetic.transposed_output_size(size, kernel, stride, padding, output_padding, dilation)
    assert arithmetic.output_size(there, kernel, stride, padding, dilation) == size


def test_transposed_sizes_by_hand():
    assert arithmetic.transposed_output_size(4, 3) == 6
    assert arithmetic.transposed_output_size(4, 3, stride=2, padding="same") == 8
    assert arithmetic.transposed_output_size(4, 3, stride=2) == 9
    assert arithmetic.transposed_output_size(4, 2, stride=3) == 12
    assert arithmetic.transposed_output_size(7, 4, stride=2, padding=1) == 14
    assert arithmetic.transposed_output_size(112, 3, stride=2, padding=1, output_padding=1) == 224


# Costs


def test_published_and_quoted_counts():
    assert arithmetic.dense_parameters(224 * 224 * 3, 64) == 9_633_856
    assert arithmetic.dense_parameters(224 * 224, 1000, bias=False) == 50_176_000
    assert arithmetic.conv_parameters(3, 3, 64) == 1_792
    assert arithmetic.conv_parameters(3, 3, 16) == 448
    assert arithmetic.conv_parameters(5, 1, 6) == 156  # LeNet-5, C1
    assert arithmetic.conv_macs((224, 224), 3, 3, 64) == 86_704_128  # VGG-16, first layer
    assert arithmetic.conv_macs((112, 112), 7, 3, 64) == 118_013_952  # ResNet-50, first layer
    ratio = arithmetic.separable_parameters(3, 256, 256, bias=False) / arithmetic.conv_parameters(
        3, 256, 256, bias=False
    )
    assert ratio == pytest.approx(1 / 256 + 1 / 9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.tuples(st.integers(1, 3), st.integers(1, 4)), small, small, st.integers(1, 3), st.booleans())
def test_costs_equal_the_weights_of_keras_layers(kernel, in_channels, out_channels, groups, bias):
    in_channels, out_channels = in_channels * groups, out_channels * groups

    def weights(layer, *shape):
        layer.build((None, *shape))
        return layer.count_params()

    images = (8, 8, in_channels)
    conv = layers.Conv2D(out_channels, kernel, groups=groups, use_bias=bias)
    assert weights(conv, *images) == arithmetic.conv_parameters(kernel, in_channels, out_channels, bias, groups)
    depthwise = layers.DepthwiseConv2D(kernel, depth_multiplier=groups, use_bias=bias)
    assert weights(depthwise, *images) == arithmetic.depthwise_parameters(kernel, in_channels, groups, bias)
    separable = layers.SeparableConv2D(out_channels, kernel, depth_multiplier=groups, use_bias=bias)
    expected = arithmetic.separable_parameters(kernel, in_channels, out_channels, groups, bias)
    assert weights(separable, *images) == expected
    dense = layers.Dense(out_channels, use_bias=bias)
    assert weights(dense, in_channels) == arithmetic.dense_parameters(in_channels, out_channels, bias)
    pixels = 5 * 7
    assert arithmetic.conv_macs((5, 7), kernel, in_channels, out_channels, groups) == pixels * (
        arithmetic.conv_parameters(kernel, in_channels, out_channels, False, groups)
    )
    assert arithmetic.separable_macs((5, 7), kernel, in_channels, out_channels, groups) == pixels * (
        arithmetic.separable_parameters(kernel, in_channels, out_channels, groups, False)
    )


# Receptive field


def test_receptive_fields_by_hand():
    assert arithmetic.receptive_field([]) == ReceptiveField(1, 1, 0.0)
    assert arithmetic.receptive_field([3, 3, 3]) == ReceptiveField(7, 1, 3.0)
    assert arithmetic.receptive_field([(3, 1, 1), (2, 2), (3, 1, 1)]) == ReceptiveField(8, 2, 3.5)
    assert arithmetic.receptive_field([(3, 1, 2**n) for n in range(4)]).size == 31  # doubles with each dilated layer
    assert arithmetic.receptive_field([(7, 2, 1, 3), (3, 2, 1, 1)]) == ReceptiveField(11, 4, 0.0)  # stem of ResNet
    convs = [(3, 1, 1, 1)]
    vgg16 = sum(([*convs * n, (2, 2)] for n in (2, 2, 3, 3, 3)), [])
    assert arithmetic.receptive_field(vgg16)[:2] == (212, 32)


stacks = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2)), max_size=4)


@check
@given(stacks, st.integers(0, 2))
def test_receptive_field_is_what_a_unit_reaches(stack, unit):
    """Walk back from one unit through every tap of every layer."""
    reached = {unit}
    for kernel, stride, dilation, padding in reversed(stack):
        reached = {n * stride + tap * dilation - padding for n in reached for tap in range(kernel)}
    field = arithmetic.receptive_field(stack)
    assert field.size == max(reached) - min(reached) + 1
    assert field.start + unit * field.jump == (max(reached) + min(reached)) / 2


# Errors


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: arithmetic.output_size(5, 7), ValueError, "spans 7 pixels and does not fit into 5"),
        (lambda: arithmetic.output_size(5, 3, dilation=3), ValueError, "spans 7 pixels"),
        (lambda: arithmetic.output_size(5.0, 3), TypeError, "size must be a whole number, got 5.0"),
        (lambda: arithmetic.output_size((5, 5), 3), TypeError, "one axis at a time"),
        (lambda: arithmetic.output_size(True, 3), TypeError, "size must be a whole number"),
        (lambda: arithmetic.output_size(5, 0), ValueError, "kernel must be at least 1"),
        (lambda: arithmetic.output_size(5, 3, stride=0), ValueError, "stride must be at least 1"),
        (lambda: arithmetic.output_size(5, 3, dilation=0), ValueError, "dilation must be at least 1"),
        (lambda: arithmetic.output_size(5, 3, padding=-1), ValueError, "padding must be at least 0"),
        (lambda: arithmetic.output_size(5, 3, padding="SAME"), ValueError, "'same', 'valid'"),
        (lambda: arithmetic.output_size(5, 3, padding=(1, 2, 3)), ValueError, r"\(before, after\)"),
        (lambda: arithmetic.transposed_output_size(5, 3, padding="full"), ValueError, "'same', 'valid'"),
        (lambda: arithmetic.transposed_output_size(1, 3, padding=2), ValueError, "cuts off every pixel"),
        (lambda: arithmetic.conv_parameters(3, 4, 6, groups=4), ValueError, "groups=4 must divide both"),
        (lambda: arithmetic.conv_parameters(3, 0, 6), ValueError, "in_channels must be at least 1"),
        (lambda: arithmetic.receptive_field([(3, 1, 1, "same")]), ValueError, "depends on the size of the image"),
        (lambda: arithmetic.receptive_field([(3, 1, 1, 0, 0)]), ValueError, "a layer is"),
    ],
)
def test_errors_say_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_numpy_integers_are_welcome():
    assert arithmetic.output_size(np.int64(5), np.int32(3)) == 3
    assert type(arithmetic.conv_parameters(np.int64(3), np.int64(3), 16)) is int
