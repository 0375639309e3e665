"""The listings of appendix A: what runs is what stands on the page, and stored answers are those of PyTorch."""

import importlib.util
import json

import numpy as np
import pytest

from cnnlib import results
from cnnlib.claims import ClaimFailed
from cnnlib.porting import listings
from cnnlib.porting.numbers import difference, numbers, pack, state

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
STORED = results.load(results.path(listings.EXPERIMENT))["runs"][0]


@pytest.fixture(scope="module")
def live():
    """All listings, run now in a process of their own."""
    return listings.run({number: each.text for number, each in listings.read().items()})["listings"]


@pytest.fixture
def side():
    return listings.TorchSide(listings.read(), STORED["listings"], STORED["version"], "2026-11-29")


def keras_layers():
    from keras import layers

    return layers


def test_the_stored_answers_belong_to_the_page():
    found = listings.read()
    assert list(STORED["listings"]) == list(found)
    assert len(found) >= 35
    for number, listing in found.items():
        assert STORED["listings"][number]["fingerprint"] == listing.fingerprint, (
            f"listing {number} was changed: python tools/run_experiments.py --lesson A --seeds 0"
        )


@needs_torch
@pytest.mark.slow
def test_pytorch_still_gives_what_is_stored(live):
    drawn = {("16", "in_training"), ("28", "spread"), ("28", "kaiming"), ("28", "largest"), ("28", "bias")}
    for number, kept in STORED["listings"].items():
        assert "error" not in live[number], live[number]
        assert live[number]["layouts"] == kept["layouts"]
        assert set(live[number]["values"]) == set(kept["values"])
        for name, packed in kept["values"].items():
            if (number, name) in drawn:  # of PyTorch's own generator, which versions may change
                continue
            again = live[number]["values"][name]
            assert again["shape"] == packed["shape"], (number, name)
            largest = max(1.0, np.abs(packed["values"]).max())
            assert np.allclose(again["values"], packed["values"], atol=1e-4 * largest), (number, name)


@needs_torch
@pytest.mark.slow
def test_a_listing_that_fails_is_named_by_its_line(live):
    found = listings.run({"01": "x = 1\nmodel = nn.Conv2d(3)\n", "02": "y = torch.randn(2)\n"})["listings"]
    assert found["01"]["error"].startswith("line 2: TypeError")
    assert found["02"]["values"]["y"]["values"] == pytest.approx(numbers(2).tolist())
    (_, listing), *_ = listings.read().items()
    failed = listings.TorchSide({"01": listing}, {"01": {"fingerprint": listing.fingerprint, **found["01"]}}, "2.0")
    with pytest.raises(listings.TorchError, match="listing 01 .* fails in PyTorch 2.0, line 2"):
        failed.values("01")


def test_a_process_that_dies_is_no_answer(monkeypatch):
    monkeypatch.setattr(listings.sys, "executable", listings.sys.executable + "-that-is-not-there")
    with pytest.raises(listings.TorchError, match="did not answer: FileNotFoundError"):
        listings.run({"01": "x = 1"})


def test_without_pytorch_the_page_says_what_was_skipped(monkeypatch):
    monkeypatch.setattr(listings, "available", lambda: False)
    side = listings.start()
    assert not side.live
    assert f"running the {len(listings.read())} PyTorch listings was skipped" in side.report()
    assert "make backends" in side.report()


def test_a_pytorch_that_does_not_start_is_told(monkeypatch):
    def run(texts, timeout=0):
        raise listings.TorchError("the process with PyTorch ended with -11: it said nothing")

    monkeypatch.setattr(listings, "available", lambda: True)
    monkeypatch.setattr(listings, "run", run)
    side = listings.start()
    assert "is installed and does not run (the process with PyTorch ended with -11" in side.report()
    assert side.values("01")["shape"].tolist() == [2, 16, 30, 30]


def test_what_runs_is_what_stands_below_a_heading(tmp_path):
    page = tmp_path / "A_page.py"
    text = "# %% [markdown]\n# ### 01 · One\n# Words.\n#\n# ```python\n# x = 1\n#\n# if x:\n#     y = 2\n# ```\n"
    page.write_text(text + "# ### Exercise A.1 · No listing\n#\n# ```python\n# z = 3\n# ```\n", encoding="utf-8")
    (found,) = listings.read(page).values()
    assert (found.number, found.title, found.text) == ("01", "One", "x = 1\n\nif x:\n    y = 2\n")
    page.write_text(text + text, encoding="utf-8")
    with pytest.raises(ValueError, match="01, 01"):
        listings.read(page)
    page.write_text("# words\n", encoding="utf-8")
    with pytest.raises(ValueError, match="none"):
        listings.read(page)


def test_a_layer_that_agrees_is_said_to(side, capsys):
    side.compare("01", keras_layers().Conv2D(16, 3))
    said = capsys.readouterr().out
    assert said.startswith("✔ 01 A convolution layer: 448 parameters, output 2 x 16 x 30 x 30, equal before and after")


@pytest.mark.parametrize(
    ("number", "make", "said"),
    [
        ("01", lambda layers: layers.Conv2D(8, 3), "parameters are 224, not 448"),
        ("01", lambda layers: layers.Conv2D(16, 3, trainable=False), "trainable ones are 0, not 448"),
        ("01", lambda layers: layers.Conv2D(16, 3, padding="same"), "the output is"),
        ("03", lambda layers: layers.Conv2D(16, 3, strides=2, padding="same"), "the outputs are 1.* apart"),
        ("14", lambda layers: layers.BatchNormalization(momentum=0.9), "the outputs are"),
        ("14", lambda layers: layers.BatchNormalization(epsilon=1e-5), "after a step running_mean is .* off"),
    ],
)
def test_a_layer_that_differs_is_told_in_what(side, number, make, said):
    with pytest.raises(ClaimFailed, match=said):
        side.compare(number, make(keras_layers()))


def test_how_far_apart(side):
    layers = keras_layers()
    assert side.apart("01", layers.Conv2D(16, 3)) < 1e-5
    assert side.apart("01", layers.Conv2D(16, 3, padding="same")) == np.inf


def test_names_that_are_not_there(side):
    with pytest.raises(KeyError, match="no listing '99'"):
        side.values("99")
    with pytest.raises(KeyError, match="no network 'net'"):
        side.fill("01", keras_layers().Conv2D(16, 3), "net")
    changed = listings.Listing("01", "A", "x = 2\n")
    with pytest.raises(listings.TorchError, match="has changed since"):
        listings.TorchSide({"01": changed}, STORED["listings"], "2.0", "2026-11-29").values("01")


def test_numbers_are_those_of_the_shape():
    drawn = numbers(4, 50, 50)
    assert abs(drawn.mean()) < 0.02
    assert abs(drawn.std() - 1) < 0.01
    assert drawn.dtype == np.float32
    assert np.array_equal(drawn, numbers(4, 50, 50))
    assert not np.array_equal(drawn, numbers(4, 50, 50, seed=1))
    # As they were when the answers were stored.
    assert numbers(2).tolist() == pytest.approx([-1.4520681, -0.3379654], abs=1e-6)


def test_weights_are_drawn_by_kind():
    drawn = state([("conv.weight", (8, 4, 3, 3)), ("bn.weight", (50,)), ("bn.bias", (50,)), ("bn.running_var", (50,))])
    assert abs(drawn["conv.weight"].std() * 6 - 1) < 0.1
    assert abs(drawn["bn.weight"].mean() - 1) < 0.1
    assert abs(drawn["bn.bias"].mean()) < 0.1
    assert drawn["bn.running_var"].min() > 0.5


def test_a_large_array_is_sampled_always_alike():
    array = numbers(50, 50)
    packed = json.loads(json.dumps(pack(array)))
    assert len(packed["values"]) == 200
    assert difference(array, packed) < 1e-6
    assert difference(array + 0.5, packed) == pytest.approx(0.5, abs=1e-5)
    assert difference(array.ravel(), packed) == np.inf
    assert difference(np.where(array > 1, np.nan, array), packed) == np.inf
