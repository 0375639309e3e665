"""What corruptions do to the bundled network: the more severe, the worse, judged in ways that few pictures allow."""

import numpy as np
import pytest

from cnnlib import datasets, models, reliability


@pytest.fixture(scope="module")
def network():
    return models.CifarResNet(20, weights="cifar10")


@pytest.mark.parametrize("kind", reliability.CORRUPTIONS)
def test_the_loss_of_the_bundled_network_grows_with_severity(network, kind):
    """On 100 test pictures, with the same noise at each severity; the loss is finer than the accuracy of so few."""
    data = datasets.cifar10(size=10, test_size=100)
    severities = (1, 3, 5)
    losses = []
    for images in [data.x_test, *(reliability.corrupt(data.x_test, kind, severity) for severity in severities)]:
        chances = reliability.softmax(network.predict(images, batch_size=100, verbose=0))
        losses.append(reliability.negative_log_likelihood(chances, data.y_test))
    assert all(a < b for a, b in zip(losses[1:], losses[2:])), np.round(losses, 3)
    assert losses[-1] > 1.2 * losses[0]
