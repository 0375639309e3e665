"""The benchmark of detection: it runs, compares the results first, and reports ratios."""

import keras
import pytest

from cnnlib import detection

pytestmark = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="its floor for NMS is TensorFlow's")
pytest.importorskip("pycocotools", reason="its floor for average precision")


@pytest.fixture
def benchmark(load_benchmark):
    return load_benchmark("detection")


def test_it_runs_and_prints_a_ratio_for_each(benchmark, capsys):
    assert benchmark.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    ratios = [line.split("   (")[0].split(maxsplit=1) for line in lines if line.strip()[:1].isdigit()]
    counts = {name: [float(ratio) > 0 for ratio, own in ratios if own == name] for _, name in ratios}
    assert counts[benchmark.OURS["nms"]] == counts["NumPy loop"] == [True] * 4
    assert counts["tf.image.non_max_suppression"] == [True] * 4
    assert counts[benchmark.OURS["iou"]] == [True]
    assert counts[benchmark.OURS["ap"]] == [True]
    assert counts["pycocotools"] == [True] * 2


def test_boxes_that_differ_end_it(benchmark, capsys, monkeypatch):
    right = detection.nms
    monkeypatch.setattr(detection, "nms", lambda *given: right(*given)[1:], raising=False)
    assert benchmark.main(["--quick"]) == 1
    assert "not the same" in capsys.readouterr().out


def test_numbers_that_differ_end_it(benchmark, capsys, monkeypatch):
    right = detection.coco_evaluation

    class Off:
        def __init__(self, *given):
            self.stats = right(*given).stats + 1e-5

    monkeypatch.setattr(detection, "coco_evaluation", Off, raising=False)
    assert benchmark.main(["--quick"]) == 1
    assert "differs from pycocotools by 1.0e-05" in capsys.readouterr().out
