"""The benchmark of runtimes: it runs, compares outputs first, and reports ratios."""

import json

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="it measures Keras on TensorFlow")


@pytest.fixture
def benchmark(load_benchmark, monkeypatch):
    program = load_benchmark("deploy")

    def tiny():
        keras.utils.set_random_seed(0)
        image = keras.Input((8, 8, 3))
        maps = keras.layers.Conv2D(4, 3, activation="relu")(image)
        model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(maps)), name="tiny")
        images = np.random.default_rng(0).normal(size=(10, 8, 8, 3)).astype("float32")
        return model, images, images

    monkeypatch.setattr(program, "networks", lambda: {"tiny": tiny})
    return program


def test_it_runs_and_prints_a_ratio_for_each(benchmark, capsys):
    assert benchmark.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if ", processor" in line and "1.00 =" not in line]
    ratios = {line.split("  ")[-2].strip(): float(line.split()[0]) for line in told}
    assert {benchmark.FLOOR, "Keras, predict", "LiteRT", "LiteRT, int8"} <= set(ratios)
    assert ratios[benchmark.FLOOR] == 1
    assert min(ratios.values()) > 0


def test_the_numbers_are_kept_where_they_are_asked_for(benchmark, tmp_path):
    file = tmp_path / "numbers.json"
    assert benchmark.main(["--quick", "--json", str(file)]) == 0
    kept = json.loads(file.read_text(encoding="utf-8"))
    own = kept["networks"]["tiny"]
    floor = own["batch 1"][benchmark.FLOOR]
    assert floor["wall"] == floor["low"] == floor["high"] == floor["processor"] == 1
    for name, told in own["batch 1"].items():
        assert told["ms"] == pytest.approx(told["wall"] * floor["ms"])
        assert own["agreement"][name][1] >= (benchmark.SAME if "int8" in name else 0.99)
    assert kept["versions"]["keras"] == keras.__version__
    assert len(kept["load"]) == 2


def test_outputs_that_differ_end_it(benchmark, capsys, monkeypatch):
    from cnnlib import deploy

    right = deploy.Runner.__call__

    def other(self, images):
        return right(self, images) + (0.01 if self.name in ("litert", "tf.lite") else 0)

    monkeypatch.setattr(deploy.Runner, "__call__", other)
    assert benchmark.main(["--quick"]) == 1
    out = capsys.readouterr().out
    assert "not the same as Keras, compiled" in out
    assert "LiteRT: logits up to 1.0e-02 apart" in out


def test_what_is_not_installed_is_left_out_with_its_command(benchmark, capsys, monkeypatch):
    from cnnlib import deploy

    monkeypatch.setattr(deploy, "installed", lambda name: False, raising=False)
    assert benchmark.main(["--quick"]) == 0
    assert (
        'left out: ONNX Runtime, ONNX Runtime, int8, OpenVINO, OpenVINO, int8; python -m pip install -e ".[deploy]"'
        in (capsys.readouterr().out)
    )


def test_an_unknown_network_is_named(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--networks", "alexnet"])
    assert "unknown alexnet; there is tiny" in capsys.readouterr().err
