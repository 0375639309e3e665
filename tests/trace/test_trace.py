"""trace: against Keras's own counts, published costs, published and measured receptive fields."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from versions import needs_keras

from cnnlib import arithmetic
from cnnlib.trace import count_text, effective_receptive_field, effective_size, trace

POSITIVE = "ones"


# Measuring what units see: in a network of positive weights without biases, zero input gives zero output, and a line of
# ones reaches exactly the units that see some of it.


def measured(model, names):
    """For each layer: first and last (rows, columns) of the image that each of its rows and columns responds to."""
    height, width, channels = model.input_shape[1:]
    lines = np.zeros((height + width, height, width, channels), "float32")
    for row in range(height):
        lines[row, row] = 1
    for column in range(width):
        lines[height + column, :, column] = 1
    symbols = {operation.name: operation.output for operation in model.operations}
    outputs = keras.tree.flatten(keras.Model(model.inputs, [symbols[n] for n in names])([lines], training=False))
    return {name: ends(keras.ops.convert_to_numpy(y), height) for name, y in zip(names, outputs)}


def ends(outputs, height):
    by_row = (outputs[:height] > 0).any(axis=(2, 3))  # (image row, map row)
    by_column = (outputs[height:] > 0).any(axis=(1, 3))
    return [first_and_last(by_row), first_and_last(by_column)]


def first_and_last(responds):
    """(pixel, position) -> for each position (first pixel, last pixel), or (0, -1) if it responds to none."""
    positions = responds.T
    return [(int(np.argmax(p)), int(len(p) - 1 - np.argmax(p[::-1]))) if p.any() else (0, -1) for p in positions]


def assert_sees_what_is_measured(model):
    """Every position of every map, borders included; and the textbook's numbers wherever no border interferes."""
    traced = trace(model)
    names = [row.name for row in traced if len(row.output_shape) == 3 and row.type != "InputLayer"]
    image = model.input_shape[1:3]
    # Behind resizing a jump is an average, and behind a crop the map has a border inside the image.
    resizing = ("Up", "Transpose", "Resiz", "Adaptive", "DepthToSpace")
    irregular = any(kind in row.type for row in traced for kind in resizing) or any(crops(traced, r) for r in traced)
    checked = 0
    for name, axes in measured(model, names).items():
        row = traced[name]
        rows, columns = row.output_shape[:2]
        by_row = first_that_sees([traced.seen(name, r, c)[0] for r in range(rows)] for c in range(columns))
        by_column = first_that_sees([traced.seen(name, r, c)[1] for c in range(columns)] for r in range(rows))
        assert [by_row, by_column] == axes, f"{name}\n{traced}"
        for axis, (size, jump, start) in enumerate(zip(*map(per_axis, (row.receptive_field, row.jump, row.start)))):
            if jump is None or start is None or row.note:
                continue  # more than one number: seen() has been checked
            for position, (first, last) in enumerate(axes[axis]):
                centre = start + position * jump
                whole = centre - (size - 1) / 2 >= 0 and centre + (size - 1) / 2 < image[axis]
                if whole and not irregular:
                    assert (first + last) / 2 == centre, f"axis {axis} of {name} at {position}\n{traced}"
                    assert last - first + 1 == size, f"axis {axis} of {name} at {position}\n{traced}"
                    checked += 1
                assert last - first + 1 <= size, f"axis {axis} of {name} at {position}\n{traced}"
    return checked


def first_that_sees(lines):
    """Between the taps of a transposed convolution there are units that see nothing, sometimes a whole line of them."""
    for line in lines:
        if any(pair != (0, -1) for pair in line):
            break
    return line


def crops(traced, row):
    return row.type in ("Cropping2D", "GetItem") and row.output_shape != traced[row.inputs[0]].output_shape


def per_axis(value):
    return value if isinstance(value, tuple) else (value, value)


# Random networks with branches


def convolution(draw, x, stride=None):
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = stride or draw(st.sampled_from([1, 1, 2, (2, 1), 3]))
    dilation = draw(st.sampled_from([1, 1, 2, 3])) if stride == 1 else 1
    arguments = {"strides": stride, "dilation_rate": dilation, "padding": draw(st.sampled_from(["same", "valid"]))}
    kind = draw(st.sampled_from(["plain", "depthwise", "separable"]))
    if kind in ("depthwise", "separable") and isinstance(stride, tuple):
        arguments["strides"] = stride[0]
    if kind == "depthwise":
        return layers.DepthwiseConv2D(kernel, depthwise_initializer=POSITIVE, **arguments)(x)
    if kind == "separable":
        arguments |= {"depthwise_initializer": POSITIVE, "pointwise_initializer": POSITIVE}
        return layers.SeparableConv2D(2, kernel, **arguments)(x)
    return layers.Conv2D(2, kernel, kernel_initializer=POSITIVE, **arguments)(x)


def pooling(draw, x, stride=None):
    size = draw(st.integers(1, 3))
    kind = draw(st.sampled_from([layers.MaxPooling2D, layers.AveragePooling2D]))
    return kind(size, strides=stride or draw(st.integers(1, 3)), padding=draw(st.sampled_from(["same", "valid"])))(x)


def pixels(draw, x, stride=None):
    amounts = draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
    return draw(st.sampled_from([layers.ZeroPadding2D, layers.Cropping2D]))(amounts)(x)


def upsampling(draw, x, stride=None):
    kind = draw(st.sampled_from(["nearest", "bilinear", "transposed"]))
    if kind == "transposed":
        kernel, steps = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        padding = draw(st.sampled_from(["same", "valid"]))
        return layers.Conv2DTranspose(2, kernel, strides=steps, padding=padding, kernel_initializer=POSITIVE)(x)
    return layers.UpSampling2D(draw(st.integers(2, 3)) if kind == "nearest" else 2, interpolation=kind)(x)


def pointwise(draw, x, stride=None):
    return draw(st.sampled_from([layers.ReLU, layers.BatchNormalization, layers.LeakyReLU]))()(x)


def branches(draw, x, stride=None):
    stride = draw(st.integers(1, 2))
    parts = [
        step(draw, x, stride)
        for step in draw(st.lists(st.sampled_from([convolution, pooling]), min_size=2, max_size=3))
    ]
    if stride == 1 and draw(st.booleans()):
        parts.append(x)  # a skip connection
    height, width = (min(part.shape[axis] for part in parts) for axis in (1, 2))
    cut = [layers.Cropping2D(((0, p.shape[1] - height), (0, p.shape[2] - width)))(p) for p in parts]
    join = draw(st.sampled_from([layers.Add, layers.Concatenate, layers.Maximum, layers.Average]))()(cut)
    return layers.Conv2D(2, 1, kernel_initializer=POSITIVE)(join) if join.shape[-1] != 2 else join


@st.composite
def networks(draw):
    keras.utils.clear_session(free_memory=False)
    x = image = keras.Input((draw(st.integers(22, 28)), draw(st.integers(22, 28)), 2))
    steps = [convolution, convolution, pooling, pixels, upsampling, pointwise, branches, branches]
    for step in draw(st.lists(st.sampled_from(steps), min_size=2, max_size=5)):
        small, large = min(x.shape[1:3]) < 10, max(x.shape[1:3]) > 40
        if (small and step is not upsampling) or (large and step is upsampling):
            continue
        x = step(draw, x)
    return keras.Model(image, layers.Identity()(x))


tallies = {"networks": 0, "maps": 0, "positions": 0}


@settings(max_examples=120, deadline=None, derandomize=True, report_multiple_bugs=False)
@given(networks())
def test_receptive_fields_equal_measured_ones_on_random_networks(model):
    tallies["positions"] += assert_sees_what_is_measured(model)
    tallies["networks"] += 1
    tallies["maps"] += len(model.layers) - 1


def test_the_random_networks_were_worth_it():
    assert tallies["networks"] >= 100
    assert tallies["maps"] >= 500
    assert tallies["positions"] >= 5000  # away from the borders, against receptive field, jump and start


# One kind of layer at a time, with all its options


def stack(*parts, size=(17, 20), channels=2):
    x = image = keras.Input((*size, channels))
    for part in parts:
        x = part(x)
    return keras.Model(image, x)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [12, 15])
def test_transposed_convolutions(padding, size):
    options = [(kernel, stride) for kernel in (1, 2, 3, 4, 5) for stride in (1, 2, 3)]
    for (kernel, stride), (width, along) in zip(options, reversed(options)):
        arguments = {"strides": (stride, along), "padding": padding, "kernel_initializer": POSITIVE}
        transposed = layers.Conv2DTranspose(2, (kernel, width), **arguments)
        assert_sees_what_is_measured(
            stack(layers.Conv2D(2, 3, kernel_initializer=POSITIVE), transposed, size=(size, 10))
        )


@pytest.mark.parametrize(
    "layer",
    [
        layers.UpSampling2D((3, 2)),
        layers.UpSampling2D((2, 4), interpolation="bilinear"),
        layers.Resizing(32, 36, interpolation="bilinear"),
        layers.Resizing(32, 54, interpolation="nearest"),
        pytest.param(lambda x: layers.AdaptiveAveragePooling2D((5, 6))(x), marks=needs_keras("3.13")),
        pytest.param(lambda x: layers.AdaptiveMaxPooling2D((4, 7))(x), marks=needs_keras("3.13")),
        layers.ZeroPadding2D(((3, 0), (1, 2))),
        layers.Cropping2D(((3, 0), (1, 2))),
        layers.Conv2D(4, 3, groups=2, kernel_initializer=POSITIVE),
        layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=3, depthwise_initializer=POSITIVE),
        layers.SpatialDropout2D(0.5),
        layers.RandomTranslation(0.5, 0.5),
        lambda x: x[:, 2:-1, ::2],
        lambda x: x[..., :1],
        lambda x: layers.Reshape((x.shape[1], x.shape[2], 1, 2))(x)[..., 0, :],
        lambda x: keras.ops.max_pool(x, 3, strides=2, padding="same"),
        lambda x: keras.ops.average_pool(x, (2, 3), strides=(2, 3)),
        lambda x: keras.ops.conv(x, np.ones((3, 5, 2, 4), "float32"), strides=2, padding="same"),
        lambda x: keras.ops.depthwise_conv(x, np.ones((3, 3, 2, 1), "float32"), strides=2, padding="same"),
        lambda x: keras.ops.relu(x) + 2 * x,
        pytest.param(
            lambda x: keras.ops.depth_to_space(layers.Conv2D(8, 1, kernel_initializer=POSITIVE)(x), 2),
            marks=needs_keras("3.14"),
        ),
        pytest.param(lambda x: keras.ops.space_to_depth(x, 2), marks=needs_keras("3.14")),
        lambda x: keras.ops.image.resize(x, (32, 36)),
        lambda x: keras.ops.concatenate([x, layers.AveragePooling2D(3, strides=1, padding="same")(x)], axis=-1),
        lambda x: keras.ops.squeeze(keras.ops.expand_dims(x, 1), 1),
    ],
)
def test_what_single_layers_read(layer):
    before = layers.Conv2D(2, 3, strides=2, padding="same", kernel_initializer=POSITIVE)
    after = layers.Conv2D(2, 3, padding="same", kernel_initializer=POSITIVE)
    model = stack(before, layer, after, size=(32, 36))
    assert all(row.receptive_field for row in trace(model)), trace(model)
    assert_sees_what_is_measured(model)


def test_output_padding_and_dilation_of_transposed_convolutions():
    for kernel, stride, dilation, extra in [(3, 2, 1, 1), (3, 2, 1, 0), (4, 2, 1, 1), (3, 1, 2, None), (3, 3, 1, 2)]:
        for padding in ("same", "valid"):
            arguments = {"output_padding": extra, "dilation_rate": dilation, "kernel_initializer": POSITIVE}
            layer = layers.Conv2DTranspose(2, kernel, strides=stride, padding=padding, **arguments)
            assert_sees_what_is_measured(stack(layer, size=(9, 8)))


def test_permuted_axes_keep_their_pixels():
    traced = trace(stack(layers.Conv2D(2, (3, 1)), layers.Permute((2, 1, 3)), layers.Conv2D(2, (5, 1), strides=2)))
    assert traced[-1].receptive_field == (3, 5)  # the second convolution runs along the columns of the image
    assert traced[-1].jump == (2, 2) or traced[-1].jump == 2


@pytest.mark.parametrize(
    ("normalisation", "whole"),
    [
        (layers.BatchNormalization(), False),
        (layers.LayerNormalization(), False),
        (layers.LayerNormalization(axis=(1, 2, 3)), True),
        (layers.GroupNormalization(groups=1), True),
        (layers.UnitNormalization(axis=(1, 2)), True),
        (layers.Softmax(axis=(1, 2)), True),
        (layers.Activation("softmax"), False),
    ],
)
def test_normalisation_over_positions_makes_every_unit_see_the_image(normalisation, whole):
    traced = trace(stack(layers.Conv2D(4, 3, padding="same"), normalisation, layers.Conv2D(4, 3), size=(12, 12)))
    assert [row.whole_image for row in traced] == [False, False, whole, whole]
    assert traced[-1].receptive_field == (12 if whole else 5)


# Networks that everybody knows


PUBLISHED = {
    # name: (multiply-accumulates in G, by whom; receptive field and jump before the global pooling, or None)
    "VGG16": (15.5, (212, 32)),  # 15.3 for the convolutions alone: He et al. (2016)
    "ResNet50": (3.86, (483, 32)),  # "3.8 billion", He et al. (2016), table 1: stride in the first 1x1 of a block
    "InceptionV3": (5.7, (1311, 32)),  # Szegedy et al. (2016) and the model cards since; at 299 pixels
    "DenseNet121": (2.83, None),  # 2.87 with normalisation, as often quoted
    "MobileNetV2": (0.300, None),  # "300 M multiply-adds", Sandler et al. (2018), table 4
    "EfficientNetB0": (0.39, "image"),  # Tan and Le (2019), table 2
    "MobileNet": (0.569, (315, 32)),  # Howard et al. (2017), table 4
}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_costs_and_receptive_fields(name):
    """Receptive fields: Araujo, Norris and Sim (2019), table of modern networks."""
    keras.utils.clear_session(free_memory=False)
    model = getattr(keras.applications, name)(weights=None)
    traced = trace(model)
    macs, field = PUBLISHED[name]
    assert traced.total_parameters == model.count_params()
    assert traced.total_macs == pytest.approx(macs * 1e9, rel=0.012)
    assert all(row.receptive_field is not None for row in traced)
    assert not traced.notes
    if field == "image":  # squeeze and excitation
        assert traced["top_conv"].whole_image
    elif field:
        last = [row for row in traced if row.jump][-1]
        assert (last.receptive_field, last.jump) == field
    assert traced[-1].whole_image


@pytest.mark.usefixtures("undrawn")
def test_resnet_50_with_the_stride_in_the_3x3_costs_4_1_g():
    """The variant that PyTorch calls ResNet-50, and most tables since: 4.089 G."""
    config = keras.applications.ResNet50(weights=None).get_config()
    for layer in config["layers"]:
        block, _, part = layer["config"]["name"].partition("_block1_")
        if block in ("conv3", "conv4", "conv5") and part in ("1_conv", "2_conv"):
            layer["config"]["strides"] = (1, 1) if part == "1_conv" else (2, 2)
    traced = trace(keras.Model.from_config(config))
    assert traced.total_macs == 4_089_184_256
    assert traced["conv5_block3_out"].receptive_field == 427  # its 3x3 kernels work before the stride, not behind it


def test_costs_equal_the_formulas_of_arithmetic():
    model = stack(layers.Conv2D(8, 3, strides=2, groups=2), layers.DepthwiseConv2D(5), layers.SeparableConv2D(16, 3))
    _, conv, depthwise, separable = trace(model)
    assert conv.macs == arithmetic.conv_macs(conv.output_shape[:2], 3, 2, 8, groups=2)
    assert conv.parameters == arithmetic.conv_parameters(3, 2, 8, groups=2)
    assert depthwise.macs == arithmetic.conv_macs(depthwise.output_shape[:2], 5, 8, 8, groups=8)
    assert separable.parameters == arithmetic.separable_parameters(3, 8, 16)
    assert separable.macs == 2 * 3 * (8 * 9 + 8 * 16)


@pytest.mark.parametrize(
    ("shape", "layer", "macs"),
    [
        ((20, 3), lambda: layers.Conv1D(4, 5), 16 * 5 * 3 * 4),
        ((8, 9, 10, 2), lambda: layers.Conv3D(4, 3), 6 * 7 * 8 * 27 * 2 * 4),
        ((8, 9, 2), lambda: layers.Conv2DTranspose(4, 3, strides=2), 8 * 9 * 9 * 2 * 4),
        ((7, 6), lambda: layers.Dense(5), 7 * 6 * 5),
        ((8, 9, 2), lambda: lambda x: keras.ops.conv(x, np.ones((3, 3, 2, 4), "float32")), 6 * 7 * 9 * 2 * 4),
        ((8, 9, 2), lambda: lambda x: keras.ops.depthwise_conv(x, np.ones((3, 3, 2, 1), "float32")), 6 * 7 * 9 * 2),
        ((7, 6), lambda: layers.EinsumDense("abc,cd->abd", (7, 5)), 7 * 6 * 5),
        ((7, 6), lambda: lambda x: layers.MultiHeadAttention(2, 3)(x, x), 2 * (3 * 7 * 6 * 3 + 2 * 49 * 3 + 7 * 3 * 6)),
        ((7, 6), lambda: lambda x: keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1))), 7 * 7 * 6),
    ],
)
def test_multiply_accumulates_counted_by_hand(shape, layer, macs):
    x = keras.Input(shape)
    traced = trace(keras.Model(x, layer()(x)))
    assert traced.total_macs == macs


def test_one_and_three_dimensions():
    x = keras.Input((64, 3))
    traced = trace(keras.Model(x, layers.MaxPooling1D(2)(layers.Conv1D(4, 5, padding="causal")(x))))
    assert [(row.receptive_field, row.jump, row.start) for row in traced] == [(1, 1, 0), (5, 1, -2), (6, 2, -1.5)]
    x = keras.Input((8, 16, 16, 1))
    traced = trace(keras.Model(x, layers.AveragePooling3D((1, 2, 2))(layers.Conv3D(4, 3)(x))))
    assert (traced[-1].receptive_field, traced[-1].jump) == ((3, 4, 4), (1, 2, 2))


def test_channels_first():
    x = keras.Input((3, 32, 40))
    y = layers.Conv2D(4, (3, 5), strides=2, padding="same", data_format="channels_first")(x)
    y = layers.MaxPooling2D(2, data_format="channels_first")(y)
    traced = trace(keras.Model(x, layers.GlobalAveragePooling2D(data_format="channels_first")(y)))
    assert traced[2].receptive_field == (5, 7)
    assert traced[2].jump == 4
    assert traced[1].macs == 16 * 20 * 15 * 3 * 4
    assert traced[3].whole_image


# Models in models, shared layers, several inputs and outputs


def small_backbone(name="backbone", size=(32, 32)):
    x = keras.Input((*size, 3))
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    y = layers.Add(name="add")([y, layers.Conv2D(4, 1, name="shortcut")(x)])
    return keras.Model(x, layers.MaxPooling2D(2, name="pool")(y), name=name)


def test_models_inside_models_are_walked_through():
    inner = keras.Sequential([small_backbone(), layers.Conv2D(8, 3, name="conv")], name="inner")
    x = keras.Input((32, 32, 3), name="photo")
    model = keras.Model(x, layers.GlobalAveragePooling2D(name="gap")(inner(layers.Rescaling(1 / 255, name="scale")(x))))
    traced = trace(model)
    assert [row.name for row in traced] == [
        "photo", "scale", "inner/backbone/conv", "inner/backbone/shortcut", "inner/backbone/add", "inner/backbone/pool",
        "inner/conv", "gap",
    ]  # fmt: skip
    assert traced["inner/backbone/conv"].inputs == ("scale",)
    assert traced["inner/backbone/add"].inputs == ("inner/backbone/conv", "inner/backbone/shortcut")
    assert traced["inner/conv"].inputs == ("inner/backbone/pool",)
    assert traced["shortcut"].receptive_field == 1  # found by the last part of its name
    assert (traced["pool"].receptive_field, traced["inner/conv"].receptive_field) == (4, 8)
    assert traced.total_parameters == model.count_params()
    with pytest.raises(KeyError, match="2 rows are called 'conv'"):
        traced["conv"]


def test_a_nested_model_sees_the_size_it_is_called_on():
    """Built for one size, called on another: what counts is the call."""
    backbone = small_backbone(size=(None, None))
    x = keras.Input((48, 64, 3))
    assert trace(keras.Model(x, backbone(x)))["pool"].output_shape == (24, 32, 4)


def test_a_layer_called_twice_counts_its_weights_once_and_its_work_twice():
    conv = layers.Conv2D(3, 3, padding="same", name="conv")
    x = keras.Input((16, 16, 3))
    model = keras.Model(x, conv(conv(x)))
    first, second = trace(model).rows[1:]
    assert (second.name, second.parameters, second.receptive_field) == ("conv (call 2)", 0, 5)
    assert first.macs == second.macs == 16 * 16 * 9 * 9
    assert trace(model).total_parameters == model.count_params() == 84


def test_a_model_called_twice():
    """A siamese network: two photographs, one set of weights."""
    backbone = small_backbone()
    left, right = keras.Input((32, 32, 3), name="left"), keras.Input((32, 32, 3), name="right")
    model = keras.Model([left, right], layers.Concatenate(name="both")([backbone(left), backbone(right)]))
    traced = trace(model)
    assert traced.total_parameters == model.count_params() == backbone.count_params()
    assert traced.total_macs == 2 * trace(backbone).total_macs
    assert (traced.source, traced["both"].receptive_field) == ("left", 4)
    assert traced["backbone/pool (call 2)"].receptive_field is None  # it sees the other photograph
    assert trace(model, source="right")["backbone/pool (call 2)"].receptive_field == 4


def test_image_and_features_as_inputs_and_several_outputs():
    image, features = keras.Input((24, 24, 3), name="image"), keras.Input((5,), name="features")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    y = layers.Dense(3, name="class")(layers.Concatenate(name="join")([x, layers.Dense(7, name="embed")(features)]))
    model = keras.Model({"image": image, "features": features}, {"class": y, "box": layers.Dense(4, name="box")(x)})
    traced = trace(model)
    assert traced.source == "image"
    assert traced["embed"].receptive_field is None
    assert not traced["embed"].note
    assert traced["join"].whole_image
    assert traced["class"].whole_image
    assert traced.total_macs == 22 * 22 * 27 * 4 + 5 * 7 + 11 * 3 + 4 * 4


def test_squeeze_and_excitation_sees_the_whole_image():
    x = keras.Input((20, 20, 3))
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    gate = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D()(y)))
    y = layers.Conv2D(4, 3, strides=2, name="after")(layers.ZeroPadding2D()(layers.Multiply(name="gated")([y, gate])))
    traced = trace(keras.Model(x, y))
    assert (traced["conv"].receptive_field, traced["conv"].whole_image) == (3, False)
    assert (traced["gated"].receptive_field, traced["gated"].whole_image, traced["gated"].jump) == (20, True, None)
    assert traced["after"].whole_image
    response = effective_receptive_field(keras.Model(x, y), images=np.random.default_rng(0).random((2, 20, 20, 3)))
    assert (response > 0).all()


def test_a_global_unit_does_not_see_the_pixels_that_a_stride_has_dropped():
    traced = trace(stack(layers.Conv2D(2, 7, strides=2), layers.GlobalMaxPooling2D(), size=(224, 224)))
    assert (traced[2].receptive_field, traced[2].whole_image) == (223, False)


def test_flatten_and_dense():
    traced = trace(stack(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(5), layers.Dense(2), size=(9, 9)))
    assert [row.receptive_field for row in traced] == [1, 3, 3, 9, 9]
    assert [row.jump for row in traced] == [1, 1, None, None, None]
    assert [row.whole_image for row in traced] == [False, False, False, True, True]


def test_branches_that_drift_apart_are_followed_position_by_position():
    """Equal sizes by accident, strides 2 and 3: no common jump, but still right."""
    x = keras.Input((24, 24, 1))
    a = layers.Conv2D(1, 3, strides=3, kernel_initializer=POSITIVE, name="a")(x)
    b = layers.Cropping2D(((0, 3), (0, 3)))(layers.Conv2D(1, 3, strides=2, kernel_initializer=POSITIVE, name="b")(x))
    model = keras.Model(x, layers.Add(name="add")([a, b]))
    row = trace(model)["add"]
    assert (row.receptive_field, row.jump) == (10, None)
    assert row.note == "units see 3 to 10 pixels, depending on their position"
    assert_sees_what_is_measured(model)


# What cannot be known


class Doubling(layers.Layer):
    def call(self, x):
        return 2 * x


class Foreign(layers.Layer):
    """Code that Keras cannot follow."""

    def call(self, x):
        if isinstance(x, keras.KerasTensor):
            raise TypeError("not for symbols")
        return 2 * x

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


class Dilating(layers.Conv2D):
    def call(self, x):
        return super().call(super().call(x))


def test_an_unknown_layer_makes_the_receptive_field_unknown_not_wrong():
    traced = trace(stack(layers.Conv2D(2, 3), Foreign(name="mine"), layers.Conv2D(2, 3, name="after")))
    assert traced["mine"].receptive_field is None
    assert traced["mine"].macs is None
    assert "rules={'mine': 'pointwise'}" in traced["mine"].note
    assert traced["after"].receptive_field is None
    assert traced["after"].macs == 13 * 16 * 9 * 4
    assert traced["after"].note == ""  # said once
    assert "?" in traced.table()
    with pytest.raises(ValueError, match="no known receptive field"):
        traced.seen("after")


def test_rules_for_layers_of_ones_own():
    followed = stack(layers.Conv2D(2, 3), Doubling(name="mine"), layers.Conv2D(2, 3, name="after"))
    assert trace(followed)["after"].receptive_field == 5  # its call() is made of operations of Keras
    assert trace(followed, rules={Doubling: "global"})["after"].whole_image
    model = stack(layers.Conv2D(2, 3), Foreign(name="mine"), layers.Conv2D(2, 3, name="after"))
    for rules in ({"mine": "pointwise"}, {Foreign: "pointwise"}, {Foreign: layers.Identity}):
        assert trace(model, rules=rules)["after"].receptive_field == 5
    assert trace(model, rules={Foreign: "global"})["after"].whole_image
    with pytest.raises(ValueError, match="must be 'pointwise', 'global' or a Keras layer class"):
        trace(model, rules={Foreign: "nothing"})


def test_a_subclass_with_a_call_of_its_own_is_not_taken_for_its_parent():
    model = stack(Dilating(2, 3, padding="same", name="mine"))
    own = trace(model)["mine"]
    assert (own.receptive_field, own.parameters) == (5, model.count_params())  # it convolves twice
    assert own.macs == 2 * 17 * 20 * 9 * 4
    assert trace(model, rules={Dilating: layers.Conv2D})["mine"].receptive_field == 3


def test_lambda_layers_are_followed_as_far_as_they_are_keras():
    known = trace(stack(lambda x: keras.ops.relu(x) / 2 + 1, layers.Conv2D(2, 3)))
    assert [row.type for row in known] == ["InputLayer", "Relu", "TrueDivide", "Add", "Conv2D"] or known[-1]
    assert known[-1].receptive_field == 3
    assert trace(stack(layers.Lambda(lambda x: x / 2), layers.Conv2D(2, 3)))[-1].receptive_field == 3
    strange = layers.Lambda(Foreign().call, output_shape=lambda shape: shape)
    assert trace(stack(strange, layers.Conv2D(2, 3)))[-1].receptive_field is None


# What it refuses


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.pool = layers.Conv2D(4, 3, name="conv"), layers.GlobalAveragePooling2D()

    def call(self, x):
        return self.pool(self.conv(x) + 1)


def test_a_subclassed_model_is_refused_and_the_advice_works():
    model = Subclassed()
    model.build((None, 16, 16, 3))
    with pytest.raises(ValueError, match=r"trace\(keras.Model\(x, model.call\(x\)\)\)"):
        trace(model)
    x = keras.Input((16, 16, 3))
    traced = trace(keras.Model(x, model.call(x)))
    assert traced["conv"].receptive_field == 3
    assert traced.total_parameters == model.count_params()


def test_a_subclass_of_a_functional_model_is_traced_unless_it_computes_otherwise():
    class Named(keras.Model):
        def __init__(self):
            x = keras.Input((16, 16, 3))
            super().__init__(x, layers.Conv2D(4, 3, name="conv")(x))

    class Computing(Named):
        def call(self, x):
            return super().call(x) + 1

    assert trace(Named())["conv"].macs == 14 * 14 * 27 * 4
    with pytest.raises(ValueError, match="computes in its own call"):
        trace(Computing())


def test_refusals_say_what_to_do():
    with pytest.raises(ValueError, match=r"not built.*keras.Input"):
        trace(keras.Sequential([layers.Conv2D(4, 3)]))
    with pytest.raises(TypeError, match="Build one first"):
        trace(keras.applications.VGG16)
    with pytest.raises(TypeError, match="got str"):
        trace("VGG16")
    open_model = stack(layers.Conv2D(2, 3), size=(None, None))
    with pytest.raises(ValueError, match=r"give one: trace\(model, input_shape=\(224, 224, 3\)\)"):
        trace(open_model)
    with pytest.raises(ValueError, match="was built for 2 values on axis -1 and gets 3"):
        trace(open_model, input_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="without the batch axis"):
        trace(open_model, input_shape=(32, 32))
    with pytest.raises(ValueError, match="has 1 inputs"):
        trace(open_model, input_shape=[(32, 32, 2), (32, 32, 2)])
    with pytest.raises(ValueError, match="names photo, but the inputs are"):
        trace(open_model, input_shape={"photo": (32, 32, 2)})
    with pytest.raises(ValueError, match="source='photo' is not an input"):
        trace(open_model, input_shape=(32, 32, 2), source="photo")
    with pytest.raises(ValueError, match="A dense layer behind a Flatten fixes the size"):
        trace(stack(layers.Flatten(), layers.Dense(3), size=(8, 8)), input_shape=(9, 9, 2))


def test_open_sizes_are_filled_in():
    model = stack(layers.Conv2D(2, 3, strides=2), layers.GlobalMaxPooling2D(), size=(None, None))
    assert trace(model, input_shape=(33, 17, 2))[1].output_shape == (16, 8, 2)
    assert trace(model, input_shape=(None, 33, 17, 2))[1].output_shape == (16, 8, 2)
    assert trace(model, input_shape=[(33, 17, None)])[1].output_shape == (16, 8, 2)


# What comes out


@pytest.fixture(scope="module")
def example():
    x = keras.Input((32, 24, 3), name="photo")
    y = layers.Conv2D(8, (3, 5), padding="same", name="conv")(x)
    y = layers.MaxPooling2D(2, name="pool")(y)
    return keras.Model(x, layers.Dense(10, name="scores")(layers.Flatten(name="flat")(y)), name="example")


def test_table(example):
    assert trace(example).table().splitlines() == [
        "example · input 32x24x3",
        "layer   type          output   parameters     MACs   sees  jump  start",
        "──────────────────────────────────────────────────────────────────────",
        "photo   InputLayer    32x24x3           ·        ·      1     1      0",
        "conv    Conv2D        32x24x8         368  276.5 k    3x5     1      0",
        "pool    MaxPooling2D  16x12x8           ·        ·    4x6     2    0.5",
        "flat    Flatten       1536              ·        ·    4x6     ·      ·",
        "scores  Dense         10           15,370   15.4 k  image     ·      ·",
        "──────────────────────────────────────────────────────────────────────",
        "total                              15,738  291.8 k",
    ]
    assert str(trace(example)) == trace(example).table()


def test_html_has_every_cell_and_escapes_names(example):
    page = trace(example)._repr_html_()
    assert page.count("<tr>") == len(trace(example)) + 2
    assert "276.5 k" in page
    assert "&lt;b&gt;" in trace(stack(layers.Conv2D(2, 3, name="<b>")))._repr_html_()


def test_records_are_plain_data(example):
    records = json.loads(json.dumps(trace(example).records()))
    assert records[1] == {
        "name": "conv", "type": "Conv2D", "output_shape": [32, 24, 8], "parameters": 368, "macs": 276480,
        "receptive_field": [3, 5], "jump": 1, "start": 0, "inputs": ["photo"], "whole_image": False, "note": "",
    }  # fmt: skip


def test_rows_can_be_picked(example):
    traced = trace(example)
    assert [row.name for row in traced.only("Conv2D", "Dense")] == ["conv", "scores"]
    assert traced.only("Dense").total_macs == traced["scores"].macs
    assert traced[-1] is traced["scores"]
    with pytest.raises(ValueError, match="no row is of type Conv3D; the types here are Conv2D, Dense"):
        traced.only("Conv3D")
    with pytest.raises(KeyError, match="no rows are called 'fc'"):
        traced["fc"]
    with pytest.raises(IndexError, match="pool has 16 x 12 positions"):
        traced.seen("pool", 16, 0)
    assert traced.seen("pool", 0, 11) == ((0, 2), (20, 23))


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10.0 k"), (15_470_264_320, "15.5 G"), (1_849_688_064, "1.85 G")],
)
def test_counts_for_people(count, text):
    assert count_text(count) == text


def test_nothing_of_the_model_changes(example):
    before, weights = json.dumps(example.get_config()), [w.path for w in example.weights]
    trace(example)
    assert json.dumps(example.get_config()) == before
    assert [w.path for w in example.weights] == weights


def test_the_names_of_later_layers_do_not_change(example):
    """Keras numbers layers as they are made; tracing makes none."""
    before = number_of(keras.Input((3,))), number_of(layers.Conv2D(2, 3))
    trace(example)
    assert (number_of(keras.Input((3,))), number_of(layers.Conv2D(2, 3))) == (before[0] + 1, before[1] + 1)


def number_of(made):
    name = keras.Model(made, made).layers[0].name if isinstance(made, keras.KerasTensor) else made.name
    return int(name.rpartition("_")[2])


# Effective receptive field


@pytest.fixture(scope="module")
def deep():
    x = y = keras.Input((41, 41, 3))
    for index in range(8):
        y = layers.Conv2D(8, 3, padding="same", name=f"conv{index + 1}", kernel_initializer=POSITIVE)(y)
    return keras.Model(x, y)


def test_effective_field_lies_inside_the_theoretical_one(deep):
    traced = trace(deep)
    images = np.ones((1, 41, 41, 3), "float32")
    for name in ("conv1", "conv4", "conv8"):
        response = effective_receptive_field(deep, name, images)
        (top, bottom), (left, right) = traced.seen(name)
        assert (response[top : bottom + 1, left : right + 1] > 0).all()
        assert (
            np.count_nonzero(response) == (bottom - top + 1) * (right - left + 1) == traced[name].receptive_field ** 2
        )
        assert response.max() == response[20, 20] == 1


def test_effective_field_is_near_gaussian_and_smaller(deep):
    """Repeated averaging: the central limit theorem, Luo et al. (2016)."""
    response = effective_receptive_field(deep, images=np.ones((1, 41, 41, 3), "float32"))
    profile = response[20] / response[20].sum()
    offsets = np.arange(41) - 20
    variance = 8 * (3**2 - 1) / 12  # of eight uniform windows of three
    assert (profile * offsets**2).sum() == pytest.approx(variance, rel=1e-3)
    gaussian = np.exp(-(offsets**2) / (2 * variance))
    assert np.abs(profile - gaussian / gaussian.sum()).max() < 0.01
    assert effective_size(response) < 0.75 * trace(deep)["conv8"].receptive_field


def test_position_of_the_unit(deep):
    response = effective_receptive_field(deep, "conv2", np.ones((1, 41, 41, 3), "float32"), position=(0, 40))
    assert np.argwhere(response > 0).min(axis=0).tolist() == [0, 38]
    assert np.argwhere(response > 0).max(axis=0).tolist() == [2, 40]


def test_gradients_agree_with_the_trace_through_pooling_and_branches():
    """Average over many random images: a maximum lets one pixel through at a time."""
    x = keras.Input((24, 24, 2))
    y = layers.Conv2D(4, 3, padding="same", kernel_initializer=POSITIVE)(x)
    y = layers.MaxPooling2D(2)(y)
    branch = layers.Conv2D(4, 3, dilation_rate=2, padding="same", kernel_initializer=POSITIVE)(y)
    y = layers.Concatenate(name="join")([branch, layers.MaxPooling2D(3, strides=1, padding="same")(y)])
    model = keras.Model(x, layers.Conv2D(4, 3, padding="same", kernel_initializer=POSITIVE, name="last")(y))
    images = np.random.default_rng(0).random((300, 24, 24, 2)).astype("float32")
    (top, bottom), (left, right) = trace(model).seen("last")
    rows, columns = np.nonzero(effective_receptive_field(model, images=images))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (top, bottom, left, right)


def test_refusals_of_the_effective_field(deep):
    with pytest.raises(ValueError, match="no layer is called 'conv9'"):
        effective_receptive_field(deep, "conv9")
    with pytest.raises(ValueError, match=r"images must have the shape"):
        effective_receptive_field(deep, images=np.ones((41, 41, 3)))
    with pytest.raises(ValueError, match="41 x 41 positions"):
        effective_receptive_field(deep, position=(41, 0))
    with pytest.raises(ValueError, match="'centre' or"):
        effective_receptive_field(deep, position="center")
    with pytest.raises(ValueError, match="leaves the size of its images open"):
        effective_receptive_field(stack(layers.Conv2D(2, 3), size=(None, None)))
    with pytest.raises(ValueError, match="has no positions"):
        effective_receptive_field(stack(layers.GlobalMaxPooling2D()), position=(0, 0))
    with pytest.raises(ValueError, match="must be a map"):
        effective_size(np.ones(3))
