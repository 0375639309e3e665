"""MobileNetV2 with weights from PyTorch: every tensor in its place, features equal to a second implementation."""

import importlib.util
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlib import datasets
from cnnlib.models import mobilenet

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
# (expansion, channels, repeats, stride) of table 2 of the paper, written down a second time
ROWS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]


@pytest.fixture(scope="module")
def arrays():
    return datasets.weights("mobilenetv2_imagenet")


def torch_features(arrays: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Features (n, 1280) by plain PyTorch functions, in PyTorch's conventions, of the stored arrays."""
    import torch
    import torch.nn.functional as F

    t = {name: torch.tensor(array) for name, array in arrays.items()}

    def layer(x, conv, norm, stride=1, groups=1):
        kernel = t[f"{conv}/kernel"]
        kernel = kernel.permute((2, 3, 0, 1) if groups > 1 else (3, 2, 0, 1))
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2, groups=groups)
        mean, variance, gamma, beta = (
            t[f"{norm}/{kind}"] for kind in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return F.batch_norm(x, mean, variance, gamma, beta, eps=1e-5)

    with torch.no_grad():
        x = F.relu6(layer(torch.tensor(images).permute(0, 3, 1, 2), "Conv1", "bn_Conv1", stride=2))
        number = 0
        for expansion, channels, repeats, first_stride in ROWS:
            for i in range(repeats):
                name = f"block_{number}_" if number else "expanded_conv_"
                shortcut, stride = x, first_stride if i == 0 else 1
                if expansion > 1:
                    x = F.relu6(layer(x, f"{name}expand", f"{name}expand_BN"))
                x = F.relu6(layer(x, f"{name}depthwise", f"{name}depthwise_BN", stride, groups=x.shape[1]))
                x = layer(x, f"{name}project", f"{name}project_BN")
                x = x + shortcut if stride == 1 and shortcut.shape[1] == channels else x
                number += 1
        return F.relu6(layer(x, "Conv_1", "Conv_1_bn")).mean((2, 3)).numpy()


def test_every_tensor_is_used_and_none_is_missing(arrays):
    model = keras.applications.MobileNetV2((32, 32, 3), include_top=False, weights=None)
    assert {weight.path: tuple(weight.shape) for weight in model.weights} == {
        path: array.shape for path, array in arrays.items()
    }
    assert sum(array.size for array in arrays.values()) == model.count_params() == 2_257_984


@needs_torch
@pytest.mark.parametrize("size", [(64, 96), (65, 97), (96, 65)])
def test_features_equal_pytorch(arrays, size):
    images = np.random.default_rng(0).normal(size=(3, *size, 3)).astype("float32")
    expected = torch_features(arrays, images)
    model = mobilenet.imagenet_backbone((*size, 3))
    np.testing.assert_allclose(model.predict_on_batch(images), expected, atol=2e-3)
    plain = mobilenet.imagenet_backbone((*size, 3), as_trained=False)
    assert np.corrcoef(plain.predict_on_batch(images).ravel(), expected.ravel())[0, 1] < 0.9


def test_the_copy_shares_no_weight_and_has_the_same_values():
    model = mobilenet.imagenet_backbone((32, 32, 3), as_trained=False)
    copy = mobilenet.with_torch_conventions(model)
    for mine, theirs in zip(copy.weights, model.weights):
        assert mine is not theirs
        assert mine.path == theirs.path
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(mine), keras.ops.convert_to_numpy(theirs))
    norms = [layer for layer in copy.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 52
    assert {layer.epsilon for layer in norms} == {1e-5}
    assert model.get_layer("bn_Conv1").epsilon == 1e-3, "the original keeps its conventions"


def test_a_free_size_is_refused():
    with pytest.raises(ValueError, match="must be known"):
        mobilenet.imagenet_backbone((None, None, 3))


def test_preprocessing_takes_off_the_mean_of_each_channel():
    pixels = np.zeros((1, 1, 2, 3), "uint8")
    pixels[0, 0, 1] = 255
    found = mobilenet.torch_preprocess(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)
    np.testing.assert_allclose(found[0, 0, 1], [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225], rtol=1e-6)


@pytest.mark.skipif("CNNLIB_PACKAGES" not in os.environ, reason="CNNLIB_PACKAGES names no folder of packages")
def test_the_stored_values_are_those_of_the_package_but_for_rounding(arrays, monkeypatch):
    from _packages import open_package
    from _torch_file import read_tensors
    from prepare_data import MOBILENETV2_FILE, mobilenetv2_from_torch

    package = open_package("mobilenetv2", Path(os.environ["CNNLIB_PACKAGES"]))
    original = mobilenetv2_from_torch(read_tensors(package.read(MOBILENETV2_FILE)))
    assert list(original) == list(arrays)
    for path, array in original.items():
        # half a unit of the last of 10 bits; kernels are rounded once more, to 9
        relative = 2.0**-11 + (2.0**-10 if array.ndim > 1 else 0)
        np.testing.assert_allclose(arrays[path], array, rtol=relative * 1.001, atol=6e-8 * 2)
