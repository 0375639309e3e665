"""The rate of each choice is chosen on validation data alone."""

import numpy as np

from cnnlib import results
from cnnlib.beyond import stored


def test_the_best_rate_on_validation_gives_the_test_values(monkeypatch):
    runs = results.Runs(
        [
            {"seed": 0, "validation": {"a": {"0.1": 0.5, "1": 0.6}}, "test": {"a": {"0.1": 0.9, "1": 0.4}}},
            {"seed": 1, "validation": {"a": {"0.1": 0.7, "1": 0.7}}, "test": {"a": {"0.1": 0.9, "1": 0.3}}},
        ]
    )
    monkeypatch.setattr(results.Experiment, "stored", property(lambda self: runs))
    best, test = stored.chosen("grids_voices")
    assert best == {"a": "1"}
    assert np.array_equal(test["a"], [0.4, 0.3])
