"""The tool that writes the specifications of the bundled networks."""

import keras
import numpy as np
import pytest
import write_specifications
from scipy.special import log_softmax

from cnnlib.pipeline import READY


def test_every_bundled_network_has_settings():
    assert set(write_specifications.SETTINGS) == set(READY)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the third digit of a temperature is TensorFlow's")
def test_what_is_bundled_is_what_it_writes(capsys):
    assert write_specifications.main(["--check", "--only", "lenet5_fashion_mnist", "crowns_resnet18"]) == 0
    assert "lenet5_fashion_mnist: as it was" in capsys.readouterr().out


def test_a_change_is_noticed_and_nothing_is_written(capsys, monkeypatch):
    from cnnlib.pipeline import Preprocessing

    changed = write_specifications.SETTINGS["crowns_resnet18"] | {"preprocessing": Preprocessing(128)}
    monkeypatch.setitem(write_specifications.SETTINGS, "crowns_resnet18", changed)
    assert write_specifications.main(["--check", "--only", "crowns_resnet18"]) == 1
    monkeypatch.undo()
    assert write_specifications.main(["--check", "--only", "crowns_resnet18"]) == 0


def test_a_temperature_is_that_of_the_least_loss():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 400)
    logits = 3.0 * (2 * np.eye(4)[labels] + rng.gumbel(size=(400, 4)))
    found = write_specifications.temperature(logits, labels)

    def loss(value):
        return -log_softmax(logits / value, -1)[np.arange(400), labels].mean()

    assert 1.5 < found < 5
    assert loss(found) <= min(loss(found * 0.98), loss(found * 1.02))
