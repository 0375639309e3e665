"""The benchmark of the pipeline: it runs, compares the answers first, and reports ratios."""

import keras
import pytest

from cnnlib.pipeline import Pipeline

pytestmark = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="one backend is enough to see it run")


@pytest.fixture
def benchmark(load_benchmark):
    return load_benchmark("pipeline")


def test_it_runs_and_prints_a_ratio_for_each(benchmark, capsys):
    assert benchmark.main(["--quick", "--tasks", "classify", "detect"]) == 0
    lines = capsys.readouterr().out.splitlines()
    ratios = [float(line.split()[0]) for line in lines if benchmark.OURS in line]
    assert len(ratios) == 4
    assert min(ratios) > 0


def test_answers_that_differ_end_it(benchmark, capsys, monkeypatch):
    right = Pipeline.answers

    def other(self, *given, **options):
        answers = right(self, *given, **options)
        for answer in answers:
            for result in answer["results"]:
                result["number"] += 1
        return answers

    monkeypatch.setattr(Pipeline, "answers", other)
    assert benchmark.main(["--quick", "--tasks", "detect"]) == 1
    assert "not the same" in capsys.readouterr().out
