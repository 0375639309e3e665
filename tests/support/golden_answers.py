"""Stored answers of the bundled pipelines to bundled pictures: which, and how they were recorded.

    PYTHONPATH=. python tests/support/golden_answers.py

Record anew only when a pipeline is *meant* to answer otherwise, and look at the difference in the commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "data"
DATA = Path(__file__).resolve().parents[2] / "data"
PICTURES = {
    "classify": ("photographs/cat.webp", "photographs/coffee.webp", "photographs/shuttle.webp"),
    "detect": ("photographs/coffee.webp", "photographs/astronaut.webp", "photographs/rocket.webp"),
    "segment": ("pets/pug.webp", "pets/siamese.webp", "photographs/brick.webp"),
    "lenet5_fashion_mnist": ("photographs/clock.webp",),
    "crowns_resnet18": ("trees/site.webp",),
}


def file_of(name: str) -> Path:
    return FOLDER / f"golden_{name}.json"


def sources(name: str) -> list[Path]:
    return [DATA / path for path in PICTURES[name]]


if __name__ == "__main__":
    from cnnlib import pipeline, runtime

    print(runtime.backend())
    for each in sys.argv[1:] or PICTURES:
        answers = pipeline.record_golden(pipeline.ready(each), sources(each), file_of(each))
        for name, answer in answers.items():
            print(each, name, [(found["label"], found["score"]) for found in answer["results"]], answer["nearest_miss"])
