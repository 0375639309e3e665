"""Weights and channels taken out, and what is left of the network."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnlib import deploy, models
from cnnlib.trace import trace

IMAGES = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")


def vgg():
    return models.SmallVGG(filters=(8, 8, 16))


def zeros(model):
    kernels = np.concatenate([w.ravel() for w in model.get_weights() if w.ndim > 1])
    return np.mean(kernels == 0), kernels


@pytest.mark.parametrize("share", [0, 0.3, 0.8])
def test_the_smallest_weights_go_and_the_others_stay(share):
    model = vgg()
    _, before = zeros(model)
    found, after = zeros(deploy.without_weights(model, share))
    assert found == pytest.approx(share, abs=1e-3)
    gone = after == 0
    np.testing.assert_array_equal(after[~gone], before[~gone])
    if share:
        assert np.abs(before[gone]).max() <= np.abs(before[~gone]).min()
    assert zeros(model)[0] == 0, "the model itself is as it was"


def test_zeros_are_compressed_away():
    model = vgg()
    assert deploy.zipped_bytes(deploy.without_weights(model, 0.8)) < 0.5 * deploy.zipped_bytes(model)


def test_channels_that_do_nothing_can_go_without_a_trace():
    """Filters of zeros, whose normalisation gives nothing: the smaller network says exactly the same."""
    model = vgg()
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            dead = rng.permutation(layer.filters)[: layer.filters // 2]
            kernel = layer.get_weights()[0]
            kernel[..., dead] = 0
            layer.set_weights([kernel])
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = (rng.uniform(0.5, 2, v.shape) for v in layer.get_weights())
            beta[dead], mean[dead] = -1, 0
            layer.set_weights([gamma, beta, mean, variance])
    small = deploy.without_channels(model, 0.5)
    np.testing.assert_allclose(small.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-4)
    assert [layer.filters for layer in small.layers if isinstance(layer, layers.Conv2D)] == [4, 4, 4, 4, 8, 8]


def test_half_of_the_channels_is_about_a_quarter_of_the_work():
    model = models.SmallVGG()
    share = trace(deploy.without_channels(model, 0.5)).total_macs / trace(model).total_macs
    assert 0.24 < share < 0.28


def test_one_channel_stays():
    small = deploy.without_channels(vgg(), 0.99)
    assert {layer.filters for layer in small.layers if isinstance(layer, layers.Conv2D)} == {1}


@pytest.mark.parametrize(
    "model",
    [
        lambda: models.CifarResNet(8),
        lambda: models.MobileNetV2((32, 32, 3), num_classes=10, width=0.25, small_images=True),
        lambda: models.LeNet5(),
    ],
)
def test_what_is_no_chain_is_refused(model):
    with pytest.raises(ValueError, match="is no chain"):
        deploy.without_channels(model(), 0.5)


@pytest.mark.parametrize("share", [-0.1, 1, 1.5])
@pytest.mark.parametrize("prune", [deploy.without_weights, deploy.without_channels])
def test_shares_outside_are_refused(share, prune):
    with pytest.raises(ValueError, match="share="):
        prune(vgg(), share)


def test_a_model_without_kernels_is_refused():
    image = keras.Input((4,))
    with pytest.raises(ValueError, match="no kernels"):
        deploy.without_weights(keras.Model(image, layers.ReLU()(image)), 0.5)
