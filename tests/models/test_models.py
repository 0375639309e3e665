"""Model families: published sizes, layers as in keras.applications, training, saving, errors that say what to do.

Sizes are compared without random numbers (``without_drawing``), which is what makes large networks quick to build.
"""

import functools
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import datasets, models
from cnnlib.models import common, efficientnet, mobilenet
from cnnlib.trace import trace

# --- sizes -----------------------------------------------------------------------------------------------------------

# Trained parameters (statistics of batch normalisation are not) and, at 224 pixels, multiply-accumulates in 10^9.
# Source: torchvision, `num_params` and `GFLOPS` at docs.pytorch.org/vision/stable/models/generated/ (`meta` of weights
# in torchvision/models/*.py). Its VGG with batch normalisation has biases before it, ours has none: they are taken off.
TORCHVISION = {
    "alexnet": (61_100_840, 0.714),
    "vgg11": (132_863_336, 7.609),
    "vgg13": (133_047_848, None),
    "vgg16": (138_357_544, 15.47),
    "vgg19": (143_667_240, None),
    "vgg11_bn": (132_868_840 - 2_752, None),
    "vgg13_bn": (133_053_736 - 2_944, None),
    "vgg16_bn": (138_365_992 - 4_224, None),
    "vgg19_bn": (143_678_248 - 5_504, None),
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, None),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, None),
    "resnet152": (60_192_808, None),
    "mobilenet_v2": (3_504_872, 0.301),
    "efficientnet_b0": (5_288_548, 0.386),
    "efficientnet_b1": (7_794_184, None),
    "efficientnet_b2": (9_109_994, None),
    "efficientnet_b3": (12_233_232, None),
    "efficientnet_b4": (19_341_616, None),
    "efficientnet_b5": (30_389_784, None),
    "efficientnet_b6": (43_040_704, None),
    "efficientnet_b7": (66_347_960, None),
    "convnext_tiny": (28_589_128, 4.456),
}
BUILD = {
    "alexnet": models.AlexNet,
    **{f"vgg{d}": functools.partial(models.VGG, d) for d in (11, 13, 16, 19)},
    **{f"vgg{d}_bn": functools.partial(models.VGG, d, norm="batch") for d in (11, 13, 16, 19)},
    **{f"resnet{d}": functools.partial(models.ResNet, d) for d in (18, 34, 50, 101, 152)},
    "mobilenet_v2": models.MobileNetV2,
    **{f"efficientnet_b{i}": functools.partial(models.EfficientNet, f"B{i}") for i in range(8)},
    "convnext_tiny": models.ConvNeXt,
}

ONLY_RECKONED = [f"efficientnet_b{i}" for i in (1, 3, 4, 5, 6, 7)]  # building takes up to 5 s each


def parameters(model: keras.Model) -> int:
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def weight_shapes(model: keras.Model) -> list[tuple]:
    """Shapes of all weights, layer by layer; ConvNeXt in Keras writes depthwise convolutions as grouped ones."""
    shapes = []
    for layer in model.layers:
        for weight in layer.weights:
            shape = tuple(weight.shape)
            if isinstance(layer, layers.DepthwiseConv2D) and len(shape) == 4:
                shape = (*shape[:2], 1, shape[2])
            shapes.append(shape)
    return shapes


@functools.cache
def facts(name: str) -> tuple[int, list[tuple], float, int]:
    """Parameters, weight shapes, multiply-accumulates in 10^9 and layers with a kernel; the network is not kept."""
    with common.without_drawing():
        model = BUILD[name]()
    kernels = sum(hasattr(layer, "kernel") and "_proj" not in layer.name for layer in model.layers)
    macs = trace(model).total_macs / 1e9 if TORCHVISION[name][1] else None
    return parameters(model), weight_shapes(model), macs, kernels


def reckoned(variant: str) -> int:
    """Parameters of an EfficientNet from the paper's table alone, without building it."""
    width, depth, *_ = efficientnet.VARIANTS[variant]
    channels, total = common.scaled(32, width, 8), 0
    total += 27 * channels + 2 * channels  # the stem: 3x3 of 3 colours, and two numbers a channel to normalise
    for expansion, filters, repeats, _, kernel in efficientnet.TABLE:
        for _ in range(math.ceil(repeats * depth)):
            wide, squeezed = expansion * channels, channels // 4
            total += (channels + 2) * wide if expansion > 1 else 0
            total += (kernel**2 + 2) * wide
            total += (wide + 1) * squeezed + (squeezed + 1) * wide
            channels = common.scaled(filters, width, 8)
            total += (wide + 2) * channels
    head = common.scaled(1280, width, 8)
    return total + (channels + 2) * head + (head + 1) * 1000


@pytest.mark.parametrize("name", TORCHVISION)
def test_as_many_parameters_as_published(name):
    if name.startswith("efficientnet"):
        assert reckoned(f"B{name[-1]}") == TORCHVISION[name][0]
    if name not in ONLY_RECKONED:
        assert facts(name)[0] == TORCHVISION[name][0]


@pytest.mark.parametrize("name", [name for name, (_, macs) in TORCHVISION.items() if macs])
def test_as_many_multiply_accumulates_as_published(name):
    assert facts(name)[2] == pytest.approx(TORCHVISION[name][1], abs=0.00051)


@pytest.mark.parametrize("depth", [11, 13, 16, 19, 18, 34, 50, 101, 152])
def test_the_depth_in_a_name_counts_the_layers_with_weights(depth):
    name = f"vgg{depth}" if depth in (11, 13, 16, 19) else f"resnet{depth}"
    assert facts(name)[3] == depth


def keras_shapes(name: str) -> tuple[list[tuple], list[tuple]]:
    """Weight shapes of a network of keras.applications without, and those of, biases before a normalisation."""
    build = getattr(keras.applications, name)
    settings = {"include_preprocessing": False} if "ConvNeXt" in name else {}
    with common.without_drawing():
        network = build(weights=None, **settings)
    needless = [
        tuple(layer.bias.shape)
        for layer in network.layers
        if name.startswith("ResNet") and isinstance(layer, layers.Conv2D) and layer.bias is not None
    ]
    shapes = []
    for layer in network.layers:
        drop = name.startswith("ResNet") and isinstance(layer, layers.Conv2D)
        kept = [] if isinstance(layer, layers.Normalization) else [tuple(w.shape) for w in layer.weights]
        if isinstance(layer, layers.DepthwiseConv2D):
            kept = [(*shape[:2], 1, shape[2]) if len(shape) == 4 else shape for shape in kept]
        shapes += kept[:1] if drop else kept
    return shapes, needless


KERAS = {
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "ResNet50": "resnet50",
    "ResNet101": "resnet101",
    "ResNet152": "resnet152",
    "MobileNetV2": "mobilenet_v2",
    "EfficientNetB0": "efficientnet_b0",
    "EfficientNetB2": "efficientnet_b2",
    "ConvNeXtTiny": "convnext_tiny",
}


@pytest.mark.parametrize("name", KERAS)
def test_layer_by_layer_as_in_keras_applications(name):
    """In order. Keras's ResNets have biases that a normalisation takes away again, 26,560 of them in ResNet-50."""
    theirs, needless = keras_shapes(name)
    assert facts(KERAS[name])[1] == theirs
    if name == "ResNet50":
        assert sum(map(math.prod, needless)) == 26_560
        assert sum(map(math.prod, theirs)) == 25_636_712 - 26_560  # Keras documents 25.6 M


SMALL_SIZES = [
    # LeCun et al. 1998 as usually counted: 156 + 2,416 + 48,120 + 10,164 + 850.
    (models.LeNet5, {}, 61_706),
    # Krizhevsky et al. 2012, section 3: "60 million"; exactly, with its two groups, as in Caffe's bvlc_alexnet.
    (models.AlexNet, {"variant": "2012"}, 60_965_224),
    # He et al. 2016, table 6: 0.27, 0.46, 0.66 and 0.85 M; to the unit by the summaries of other implementations.
    (models.CifarResNet, {"depth": 20}, 269_722),
    (models.CifarResNet, {"depth": 32}, 464_154),
    (models.CifarResNet, {"depth": 44}, 658_586),
    (models.CifarResNet, {"depth": 56}, 853_018),
    # Huang et al. 2017, table 2: 1.0 M, and 0.8 M for DenseNet-BC of depth 100.
    (models.DenseNet, {"depth": 40}, 1_019_722),
    (models.DenseNet, {"depth": 100, "bottleneck": True}, 769_162),
    # Ours: what lessons 05 and 07 state.
    (models.SmallVGG, {}, 288_746),
]


@pytest.mark.parametrize(("build", "settings", "expected"), SMALL_SIZES)
def test_small_networks_have_the_parameters_of_their_papers(build, settings, expected):
    with common.without_drawing():
        assert parameters(build(**settings)) == expected


def test_inception_3a_has_the_parameters_of_the_paper():
    """Szegedy et al. 2015, table 1: 159 K, where K is 1,024. By hand: 163,696 with the biases."""
    x = keras.Input((28, 28, 192))
    block = keras.Model(x, models.inception_block(x, 64, (96, 128), (16, 32), 32, "3a"))
    with_biases = keras.Model(x, models.inception_block(x, 64, (96, 128), (16, 32), 32, "3a", norm=None))
    assert with_biases.count_params() == 163_696
    assert with_biases.count_params() // 1024 == 159
    assert block.output_shape == (None, 28, 28, 256)


@pytest.mark.parametrize("depth", [8, 20, 44])
def test_a_plain_network_has_the_layers_of_the_residual_one(depth):
    with common.without_drawing():
        plain, residual = (models.CifarResNet(depth, residual=r) for r in (False, True))
    assert sum(hasattr(layer, "kernel") for layer in plain.layers) == depth
    assert weight_shapes(plain) == weight_shapes(residual)  # the shortcut is an identity: it has no weights
    assert not any(isinstance(layer, layers.Add) for layer in plain.layers)


# --- behaviour equal to keras.applications ---------------------------------------------------------------------------


def outputs(model: keras.Model, images: np.ndarray) -> np.ndarray:
    if keras.backend.backend() == "jax":  # compiles once, where eager calls compile every operation
        return model.predict_on_batch(images)
    return keras.ops.convert_to_numpy(model(images, training=False))


def randomised(network: keras.Model, rng: np.random.Generator) -> None:
    """Random values everywhere, also where a network starts with zeros and ones."""
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            for weight, (low, high) in zip(layer.weights, ((0.8, 1.2), (-0.1, 0.1), (-0.1, 0.1), (0.5, 1.5))):
                weight.assign(rng.uniform(low, high, weight.shape))
        elif not isinstance(layer, layers.Normalization):
            for weight in layer.weights:
                fan_in = math.prod(weight.shape[:-1]) if not isinstance(layer, layers.DepthwiseConv2D) else 9
                scale = math.sqrt(2 / fan_in) if len(weight.shape) > 1 else 0.1
                weight.assign(scale * rng.standard_normal(weight.shape))


def copy(theirs: keras.Model, ours: keras.Model) -> None:
    """All weights in order. A bias before batch normalisation goes into its mean: (x + b) - m = x - (m - b)."""
    targets, bias = iter(ours.weights), None
    for layer in theirs.layers:
        values = [keras.ops.convert_to_numpy(weight) for weight in layer.weights]
        if isinstance(layer, layers.Normalization):
            continue
        if theirs.name.startswith("resnet") and isinstance(layer, layers.Conv2D):
            values, bias = values[:1], {**(bias or {}), layer.name.removesuffix("_conv"): values[1]}
        if bias and isinstance(layer, layers.BatchNormalization):
            values[2] = values[2] - bias[layer.name.removesuffix("_bn")]
        for value in values:
            next(targets).assign(value)
    assert next(targets, None) is None


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("MobileNetV2", models.MobileNetV2),
        ("EfficientNetB0", models.EfficientNet),
        ("ResNet50", functools.partial(models.ResNet, 50, stride_in="1x1")),
    ],
)
def test_the_same_weights_give_the_logits_of_keras_applications(name, build):
    """Order of operations, padding, epsilon and activations: all of it, on an even and an odd side."""
    rng, shape = np.random.default_rng(0), (64, 47, 3)
    with common.without_drawing():
        theirs = getattr(keras.applications, name)(
            weights=None, input_shape=shape, classes=10, classifier_activation=None
        )
        ours = build(input_shape=shape, num_classes=10)
    randomised(theirs, rng)
    copy(theirs, ours)
    images = rng.random((2, *shape), dtype="float32")
    expected = outputs(theirs, 255 * images if "Efficient" in name else images)  # that one scales inside
    assert expected.std() > 1e-3
    np.testing.assert_allclose(outputs(ours, images), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("block", "first"), [(common.padded_conv_norm_act, 0), (common.conv_norm_act, 1)])
def test_the_two_paddings_look_at_other_pixels(block, first):
    """A kernel that copies its centre shows where a stride of 2 puts it: on pixels 0, 2, 4 or on 1, 3, 5."""
    x = keras.Input((6, 6, 1))
    model = keras.Model(x, block(x, 1, 3, 2, name="c", activation=None, norm=None))
    model.get_layer("c_conv").kernel.assign(np.reshape(np.eye(9)[4], (3, 3, 1, 1)))
    image = np.arange(36, dtype="float32").reshape(1, 6, 6, 1)
    np.testing.assert_array_equal(outputs(model, image), image[:, first::2, first::2])


# --- every family ----------------------------------------------------------------------------------------------------

# A small network of each family, its input channels, the stride of its last map, and how that rounds: padded windows
# keep the last pixel of an odd size, pooling without padding drops it. None: a dense layer reads a map of fixed size.
FAMILIES = {
    "lenet_1998": (functools.partial(models.LeNet5), 1, None, None),
    "lenet_modern": (functools.partial(models.LeNet5, variant="modern", dropout=0), 1, None, None),
    "alexnet": (functools.partial(models.AlexNet, width=0.05, dropout=0), 3, None, None),
    "vgg_dense": (functools.partial(models.VGG, 11, width=0.06, dropout=0), 3, None, None),
    "vgg_gap": (functools.partial(models.VGG, 11, width=0.06, norm="group", head="gap"), 3, 32, math.floor),
    "small_vgg": (functools.partial(models.SmallVGG, blocks=(1, 1), filters=(8, 8), dropout=0), 3, 4, math.floor),
    "stride_vgg": (
        functools.partial(models.SmallVGG, filters=(8, 8, 8), downsampling="stride", dropout=0),
        3,
        8,
        math.ceil,
    ),
    "resnet": (functools.partial(models.ResNet, 18, width=0.1, zero_init=True), 3, 32, math.ceil),
    "cifar_resnet": (functools.partial(models.CifarResNet, 8), 3, 4, math.ceil),
    "cifar_bottleneck": (
        functools.partial(models.CifarResNet, 11, block="bottleneck", shortcut="projection"),
        3,
        4,
        math.ceil,
    ),
    "plain": (functools.partial(models.CifarResNet, 8, residual=False), 3, 4, math.ceil),
    "inception": (functools.partial(models.SmallInception, width=0.1), 3, 4, math.floor),
    "densenet": (functools.partial(models.DenseNet, 10, growth=4, bottleneck=True), 3, 4, math.floor),
    "mobilenet": (functools.partial(models.MobileNetV2, width=0.25, dropout=0), 3, 32, math.ceil),
    "mobilenet_small": (
        functools.partial(models.MobileNetV2, width=0.25, dropout=0, small_images=True),
        3,
        8,
        math.ceil,
    ),
    "efficientnet": (functools.partial(models.EfficientNet, drop_path=0), 3, 32, math.ceil),
    "convnext": (functools.partial(models.ConvNeXt, "small_images", width=0.25), 3, 8, math.floor),
}
SIZES = ((32, 32), (40, 48), (65, 33))


@pytest.mark.parametrize("family", FAMILIES)
def test_output_has_the_right_shape_at_three_sizes(family):
    build, channels, stride, rounded = FAMILIES[family]
    with common.without_drawing():
        if stride is None:  # a dense layer fixes the size
            grow = 63 / 32 if family == "alexnet" else 1
            for height, width in SIZES:
                shape = (math.ceil(height * grow), math.ceil(width * grow), channels)
                assert build(input_shape=shape, num_classes=7).output_shape == (None, 7)
            return
        model = build(input_shape=(None, None, channels), num_classes=7)
    maps = keras.Model(model.input, model.get_layer("gap").input)
    for height, width in SIZES:
        assert model.compute_output_shape((2, height, width, channels)) == (2, 7)
        size = (rounded(height / stride), rounded(width / stride))
        assert maps.compute_output_shape((2, height, width, channels))[1:3] == size


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each family once, for the next two tests: two losses around one step, logits before saving and after loading."""

    @functools.cache
    def run(family: str):
        keras.utils.set_random_seed(0)
        patch.setattr(mobilenet, "TABLE", [(e, c, 1, s) for e, c, _, s in mobilenet.TABLE])
        patch.setattr(efficientnet, "TABLE", [(e, c, 1, s, k) for e, c, _, s, k in efficientnet.TABLE])
        build, channels, *_ = FAMILIES[family]
        side = 63 if family == "alexnet" else 32
        model = build(input_shape=(side, side, channels), num_classes=4)
        rng = np.random.default_rng(0)
        x, y = rng.random((8, side, side, channels), dtype="float32"), np.arange(8) % 4
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        eager = keras.backend.backend() == "tensorflow"  # building a graph takes longer than two steps
        model.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=eager, jit_compile=False if eager else "auto")
        before, after = (float(model.train_on_batch(x, y)) for _ in range(2))
        path = tmp_path_factory.mktemp("saved") / f"{family}.keras"
        model.save(path)
        return before, after, outputs(model, x), outputs(keras.saving.load_model(path), x)

    with pytest.MonkeyPatch.context() as patch:  # one block instead of up to four in each row of the two long tables
        yield run


TRAINED = [family for family in FAMILIES if family != "mobilenet"]  # the same blocks as mobilenet_small


@pytest.mark.parametrize("family", TRAINED)
def test_one_step_lowers_the_loss(family, trained):
    before, after, *_ = trained(family)
    assert before == pytest.approx(math.log(4), abs=1.5)
    assert after < before


@pytest.mark.parametrize("family", TRAINED)
def test_saving_and_loading_give_the_same_logits(family, trained):
    *_, saved, loaded = trained(family)
    assert saved.shape == (8, 4)
    assert np.ptp(saved) > 0
    np.testing.assert_allclose(loaded, saved, rtol=0, atol=1e-6)


# --- options ---------------------------------------------------------------------------------------------------------


def test_each_layer_draws_its_own_values_and_a_seed_repeats_them():
    keras.utils.set_random_seed(1)
    first = models.CifarResNet(20)
    a, b = (np.array(first.get_layer(f"stage1_{i}_a_conv").get_weights()[0]) for i in (1, 2))
    assert np.abs(a - b).max() > 0.01
    assert a.std() == pytest.approx(math.sqrt(2 / (9 * 16)), rel=0.1)  # He, fan-out
    keras.utils.set_random_seed(1)
    again = models.CifarResNet(20)
    for one, other in zip(first.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_without_drawing_gives_zeros_and_ends_with_it():
    with pytest.raises(RuntimeError), common.without_drawing():  # noqa: PT012 - the error must leave the block
        inside = models.LeNet5()
        raise RuntimeError
    assert all(not np.any(w) for w in inside.get_weights())
    assert np.all([np.any(w) for w in models.LeNet5().get_weights() if w.ndim > 1])


def test_lenet_can_be_ablated_one_choice_at_a_time():
    def choices(**settings):
        with common.without_drawing():
            model = models.LeNet5(**settings)
        kinds = [type(layer).__name__ for layer in model.layers]
        pooling = "max" if "MaxPooling2D" in kinds else "average"
        activation = model.get_layer("f6").activation.__name__
        return activation, pooling, "BatchNormalization" in kinds, "Dropout" in kinds

    assert choices() == ("tanh", "average", False, False)
    assert choices(variant="modern") == ("relu", "max", True, True)
    assert choices(activation="relu") == ("relu", "average", False, False)
    assert choices(pooling="max") == ("tanh", "max", False, False)
    assert choices(batch_norm=True) == ("tanh", "average", True, False)
    assert choices(variant="modern", dropout=0, batch_norm=False) == ("relu", "max", False, False)


def test_images_of_28_pixels_are_padded_to_32():
    with common.without_drawing():
        assert models.LeNet5(input_shape=(28, 28, 1)).count_params() == 61_706


def test_stochastic_depth_grows_with_depth():
    with common.without_drawing():
        model = models.CifarResNet(20, drop_path=0.4)
    rates = [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)]
    np.testing.assert_allclose(rates, np.linspace(0, 0.4, 9)[1:])


def test_a_dropped_path_is_dropped_for_a_whole_image():
    x = keras.Input((4, 4, 2))
    model = keras.Model(x, common.drop_path(x, 0.5, "x"))
    y = keras.ops.convert_to_numpy(model(np.ones((64, 4, 4, 2), "float32"), training=True)).reshape(64, -1)
    assert np.all(y == y[:, :1])
    assert 10 < np.sum(y[:, 0] == 0) < 54


def test_zero_init_makes_blocks_start_as_identities():
    x = keras.Input((8, 8, 4))
    for kind in ("basic", "bottleneck"):
        filters = 4 if kind == "basic" else 1
        block = keras.Model(x, models.residual_block(x, filters, name=kind, kind=kind, zero_init=True))
        images = np.random.default_rng(0).random((2, 8, 8, 4), dtype="float32")
        np.testing.assert_array_equal(outputs(block, images), images)  # positive, so that ReLU changes nothing


def test_the_identity_shortcut_subsamples_and_adds_empty_channels():
    x = keras.Input((6, 6, 2))
    block = keras.Model(x, models.residual_block(x, 4, 2, name="b", shortcut="identity", zero_init=True))
    images = np.random.default_rng(0).random((2, 6, 6, 2), dtype="float32")
    expected = np.pad(images[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (1, 1)))
    np.testing.assert_array_equal(outputs(block, images), expected)


def test_width_scales_channels_by_at_most_a_tenth_downwards():
    assert [common.scaled(32, w, 8) for w in (0.35, 0.5, 1.0, 1.1, 1.4)] == [16, 16, 32, 32, 48]
    assert [common.scaled(6, w) for w in (0.01, 0.5, 1.0, 2.0)] == [1, 3, 6, 12]


def test_group_normalisation_fits_its_groups_to_the_channels():
    for channels, groups in ((4, 1), (16, 4), (24, 6), (64, 16), (256, 32)):
        layer = common.normalisation("group", "n")
        layer.build((None, 4, 4, channels))
        assert layer.groups == groups


# --- bundled weights -------------------------------------------------------------------------------------------------

WITH_WEIGHTS = [
    (models.LeNet5, "fashion_mnist", {"input_shape": (28, 28, 1), "variant": "modern"}, "lenet5_fashion_mnist"),
    (models.SmallVGG, "cifar10", {"dropout": 0.1}, "small_vgg_cifar10"),
    (models.CifarResNet, "cifar10", {"depth": 20, "input_shape": (None, None, 3)}, "resnet20_cifar10"),
    (
        models.MobileNetV2,
        "cifar10",
        {"input_shape": (32, 32, 3), "num_classes": 10, "width": 0.5, "small_images": True},
        "mobilenetv2_cifar10",
    ),
]


@pytest.mark.parametrize(("build", "weights", "settings", "file"), WITH_WEIGHTS)
def test_weights_are_loaded_into_the_network_that_was_trained(build, weights, settings, file, monkeypatch):
    loaded = []
    monkeypatch.setattr(datasets, "load_weights", lambda model, name: loaded.append(name))
    build(weights=weights, **settings)
    assert loaded == [file]


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        (lambda: models.SmallVGG(weights="cifar10", num_classes=7), ("trained with num_classes=10", "Dense(7)")),
        (
            lambda: models.SmallVGG(weights="cifar10", input_shape=(32, 32, 1)),
            ("input_shape=(None, None, 3)", "np.repeat(images, 3"),
        ),
        (lambda: models.SmallVGG(weights="cifar10", filters=(64, 128, 256)), ("filters=(32, 64, 128)", "weights=None")),
        (lambda: models.SmallVGG(weights="imagenet"), ("no weights 'imagenet'", "there is: 'cifar10'")),
        (lambda: models.CifarResNet(56, weights="cifar10"), ("trained with depth=20", "ask for depth=56")),
        (lambda: models.CifarResNet(residual=False, weights="cifar10"), ("residual=True",)),
        (lambda: models.CifarResNet(width=2.0, weights="cifar10"), ("trained with width=1.0",)),
        (
            lambda: models.MobileNetV2(weights="cifar10"),
            ("num_classes=10, width=0.5, small_images=True", "num_classes=1000"),
        ),
        (lambda: models.LeNet5(weights="fashion_mnist"), ("input_shape=(28, 28, 1), variant='modern'",)),
        (
            lambda: models.LeNet5((28, 28, 1), 10, "modern", activation="tanh", weights="fashion_mnist"),
            ("activation=None", "ask for activation='tanh'"),
        ),
        (lambda: models.ResNet(weights="imagenet"), ("there is: none yet", "weights=None")),
        (lambda: models.EfficientNetLite1(weights="imagenet"), ("EfficientNetLite0 only",)),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_what_to_do(call, fragments):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the fragments are the match
        call()
    for fragment in fragments:
        assert fragment in str(error.value)


# --- errors ----------------------------------------------------------------------------------------------------------

CHANNELS_FIRST = "channels last"
BAD_CALLS = [
    (lambda: models.VGG(12), "VGG: depth=12 is unknown; choose one of 11, 13, 16, 19"),
    (lambda: models.ResNet(20), "ResNet: depth=20 is unknown; choose one of 18, 34, 50, 101, 152"),
    (lambda: models.CifarResNet(21), "6n + 2: [8, 20, 32, 44, 56]"),
    (lambda: models.CifarResNet(21, block="bottleneck"), "9n + 2: [11, 29, 47, 65, 83]"),
    (lambda: models.DenseNet(41), "3n + 4"),
    (lambda: models.EfficientNet("B8"), "choose one of 'B0', 'B1'"),
    (lambda: models.ConvNeXt("large"), "choose one of 'tiny', 'small_images'"),
    (lambda: models.AlexNet(variant="2015"), "choose one of '2012', '2014'"),
    (lambda: models.LeNet5(variant="new"), "choose one of '1998', 'modern'"),
    (lambda: models.LeNet5(pooling="min"), "choose one of 'max', 'average'"),
    (lambda: models.SmallVGG(blocks=(2, 2)), "2 blocks but 3 numbers of filters"),
    (lambda: models.SmallVGG(norm="instance"), "choose one of 'batch', 'group', 'layer'"),
    (lambda: models.DenseNet(compression=0), "0 < share <= 1"),
    (lambda: models.CifarResNet(width=0), "expected more than 0"),
    (lambda: models.CifarResNet(classes=10), "unexpected keyword argument 'classes'"),
    (lambda: models.VGG(input_shape=(16, 224, 3)), "height is 16; the strides of this network need at least 32"),
    (lambda: models.VGG(input_shape=(None, None, 3)), "dense layers need a fixed height and width"),
    (lambda: models.LeNet5(input_shape=(None, 28, 1)), "dense layers need a fixed height and width"),
    (lambda: models.LeNet5(input_shape=(24, 24, 1)), "need at least 28"),
    (lambda: models.AlexNet(input_shape=(32, 32, 3)), "need at least 63"),
    (lambda: models.MobileNetV2(input_shape=(16, 16, 3)), "or take a family or variant for small images"),
    (lambda: models.ResNet(input_shape=(None, 224, 224, 3)), "The batch axis is not part of it"),
    (lambda: models.ResNet(input_shape=224), "expected (height, width, channels)"),
    (lambda: models.ResNet(input_shape=(224.0, 224, 3)), "whole numbers of pixels"),
    (lambda: models.CifarResNet(input_shape=(3, 32, 32)), CHANNELS_FIRST),
    (lambda: models.CifarResNet(input_shape=(32, 32, 0)), "0 channels; expected 1 (grey) or 3 (colour)"),
    (lambda: models.CifarResNet(input_shape=(32, 32, None)), "expected 1 (grey) or 3 (colour)"),
    (lambda: models.CifarResNet(num_classes=0), "num_classes=0; expected a whole number of 1 or more"),
    (lambda: models.CifarResNet(num_classes=2.5), "num_classes=2.5"),
    (lambda: models.residual_block(keras.Input((8, 8, 8)), 4, name="b", shortcut="identity"), "cannot drop channels"),
]


@pytest.mark.parametrize(("call", "fragment"), BAD_CALLS)
def test_bad_calls_are_told_what_to_do(call, fragment):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert fragment in str(error.value)


@pytest.mark.parametrize("name", [n for n in models.__all__ if n[0].isupper() and "Lite" not in n])
def test_every_family_checks_what_all_share(name):
    """Same order of the first arguments behind depth or variant, same checks, no weights that are not there."""
    build = getattr(models, name)
    for settings, fragment in (
        ({"input_shape": (1, 32, 32, 3)}, "batch axis"),
        ({"input_shape": (3, 32, 32)}, CHANNELS_FIRST),
        ({"input_shape": (2, 2, 3)}, "Enlarge the images"),
        ({"num_classes": -1}, "num_classes=-1"),
        ({"weights": "nothing"}, "no weights 'nothing'"),
    ):
        with pytest.raises(ValueError, match=name) as error:
            build(**settings)
        assert fragment in str(error.value)


# --- the listing -----------------------------------------------------------------------------------------------------


def test_every_name_is_there_and_told_in_the_table():
    for name in models.__all__:
        assert getattr(models, name) is not None
        if name[0].isupper() and not name.startswith("EfficientNetLite"):
            assert name in models.__doc__
    with pytest.raises(AttributeError, match="no attribute 'ResNet51'; it has: AlexNet"):
        _ = models.ResNet51


def test_listing_families_imports_no_keras():
    code = "import sys; from cnnlib import models; dir(models); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
