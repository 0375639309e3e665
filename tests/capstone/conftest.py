"""A small finished project, made once, of which tests damage copies."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlib import capstone, datasets, runtime

COUNTS = {"airplane": 60, "frog": 36, "автомобиль": 54}  # names in any script
OF = {"airplane": 0, "автомобиль": 1, "frog": 6}
STAGES = """
# %%
from cnnlib import capstone

project = capstone.Project()

# %% stage: card
capstone.card(project)

# %% stage: audit
capstone.audit(project)

# %% stage: split
capstone.split(project)

# %% stage: baseline
capstone.baseline(project)

# %% stage: training
capstone.training(
    project,
    [
        capstone.Candidate("frozen features", rates=(0.001, 0.003), epochs=6),
        capstone.Candidate("from scratch", rates=(0.003, 0.01), epochs=3),
    ],
)

# %% stage: calibration
capstone.calibration(project)

# %% stage: threshold
capstone.threshold(project)

# %% stage: explanation
capstone.explanation(project)

# %% stage: robustness
capstone.robustness(project, {"noise": (1, 3, 5), "exposure": (1, 3, 5), "contrast": (1, 3, 5)}, count=36)

# %% stage: test
capstone.test(project)

# %% stage: serving
capstone.serving(project, rounds=2)

# %% stage: watch
capstone.watch(project, windows=100)

# %% stage: report
capstone.report(project)
"""
FILLED = {
    'title = "..."': 'title = "Frogs <on> the runway"',
    'question = "..."': 'question = "Does the tower stop the take-off?"',
    'source = "..."': 'source = "CIFAR-10"',
    'licence = "..."': 'licence = "none stated"',
    'collected = "..."': 'collected = "from the web, before 2009"',
    "flaws = []": 'flaws = ["32 pixels", "thumbnails", "no night"]',
    'unfit = "..."': 'unfit = "anything real"',
    "positive = []": 'positive = ["frog"]',
    "miss = 1.0": "miss = 4.0",
    'why = "..."': 'why = "a guess"',
    "prevalence = 0.0": "prevalence = 0.1",
    'seen = "..."': 'seen = "the animal"',
    'calls = "..."': 'calls = "the tower"',
    "size = 96": "size = 64",
    "milliseconds = 100.0": "milliseconds = 10000.0",
    "window = 25": "window = 9",
    "false_alarm_rate = 0.02": "false_alarm_rate = 0.05",
}


def fill(folder: Path, changes: dict[str, str]) -> None:
    file = folder / "project.toml"
    text = file.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in project.toml"
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def images(folder: Path, counts: dict[str, int] = COUNTS) -> None:
    data = datasets.cifar10(size=1500, test_size=10, dtype="uint8")
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for place, image in enumerate(data.x_train[data.y_train == OF[name]][:count]):
            Image.fromarray(image).save(folder / name / f"{place:03}.png")


def decide_all(project: capstone.Project, what: str = "keep") -> None:
    file = project.folder / "review.csv"
    rows = file.read_text(encoding="utf-8").splitlines()
    kept = [row + what if row.endswith(",") else row for row in rows]
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def finished():
    """The folder of a project that has gone through all stages. Not to be changed: take `project`."""
    runtime.setup(0)
    with tempfile.TemporaryDirectory() as home:
        folder = capstone.new(Path(home) / "frogs")
        fill(folder, FILLED)
        images(folder / "images")
        # the same picture twice, under two names: duplicates stay on one side
        shutil.copy(folder / "images/frog/000.png", folder / "images/frog/copy of 000.png")
        (folder / "images/frog/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
        (folder / "images/frog/.DS_Store").write_bytes(b"of the system")
        (folder / "stages.py").write_text(STAGES, encoding="utf-8")
        capstone.run(folder, only=["card", "audit"], quiet=True)
        decide_all(capstone.Project(folder))
        capstone.run(folder, start="split", quiet=True)
        yield folder


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project."""
    shutil.copytree(finished, tmp_path / "frogs")
    return capstone.Project(tmp_path / "frogs")


@pytest.fixture
def pictures(tmp_path):
    """Writes class folders of small noise pictures: name -> how many."""

    def write(counts: dict[str, int], side: int = 8) -> Path:
        rng = np.random.default_rng(0)
        for name, count in counts.items():
            os.makedirs(tmp_path / "images" / name, exist_ok=True)
            for place in range(count):
                image = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype="uint8"))
                image.save(tmp_path / "images" / name / f"{place:05}.png")
        return tmp_path / "images"

    return write
