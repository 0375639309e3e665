"""The folder of a project: its settings, its artefacts, its images. Lesson 19."""

from __future__ import annotations

import hashlib
import json
import os
import time
import tomllib
from pathlib import Path

import numpy as np

__all__ = ["OPEN", "Artefact", "Project", "ProjectError"]

FILE, ARTEFACTS, REVIEW = "project.toml", "artefacts", "review.csv"
OPEN = "..."  # what a setting holds until it is filled in
TOGETHER = ("file", "folder", "prefix")
METRICS = ("balanced accuracy", "accuracy")
# Every setting, and what it is without an entry. The type of the default is the type that is expected.
SETTINGS: dict[str, dict] = {
    "": {"title": OPEN, "question": OPEN, "images": "images", "elsewhere": "", "most": 1500, "seed": 0},
    "card": {"source": OPEN, "licence": OPEN, "collected": OPEN, "flaws": [], "unfit": OPEN},
    "cost": {
        **{"positive": [], "miss": 1.0, "false_alarm": 1.0, "prevalence": 0.0, "why": OPEN},
        "metric": "balanced accuracy",
    },
    "split": {"together": "file", "validation": 0.25, "test": 0.25},
    "network": {"size": 96, "fit": "stretch"},
    "explanation": {"seen": OPEN},
    "serving": {"milliseconds": 100.0},
    "watch": {"window": 25, "false_alarm_rate": 0.02, "least_labelled": 100, "tolerated_loss": 0.03, "calls": OPEN},
}


class ProjectError(ValueError):
    """The project cannot go on: a setting is wrong, or an artefact is missing. The message says what to do."""


class Artefact(dict):
    """What a stage has written, shown in a few lines."""

    def __repr__(self) -> str:
        return self.get("says", "") or f"{self.get('stage')}: {', '.join(map(str, self))}"

    __str__ = __repr__


class Project:
    """A project folder.

    Args:
        folder: the folder of ``project.toml``, or one within; the current one if not given.

    Raises:
        ProjectError: there is no project here, or a setting has no meaning.
    """

    def __init__(self, folder: str | Path = "."):
        start = Path(folder).resolve()
        here = next((path for path in (start, *start.parents) if (path / FILE).is_file()), None)
        if here is None:
            raise ProjectError(
                f"{start.name}: no {FILE} here or above. Make a project with `python -m cnnlib.capstone new FOLDER`."
            )
        self.folder = here
        self.settings = _settings(here / FILE)
        _check_settings(self.settings)

    def __repr__(self) -> str:
        there = [path.stem for path in sorted(self.artefacts.glob("*.json"))] if self.artefacts.is_dir() else []
        return f"Project({self.folder.name}: {', '.join(there) or 'nothing done yet'})"

    # --- settings ----------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str):
        """A setting: "title", or "cost.miss"."""
        part, _, key = name.rpartition(".")
        return self.settings[part][key]

    def is_open(self, name: str) -> bool:
        """Whether a setting has not been filled in."""
        value = self[name]
        return value == [] or (isinstance(value, str) and value.strip() in ("", OPEN))

    @property
    def artefacts(self) -> Path:
        """Where stages write."""
        return self.folder / ARTEFACTS

    @property
    def images(self) -> Path:
        """The folder of class folders."""
        return self.folder / self["images"]

    def positive(self, classes: list[str], counts: dict[str, int] | None = None) -> list[str]:
        """The classes that must not be missed: those named in the settings, or else the rarest one.

        Raises:
            ProjectError: a name is none of the classes, or all of them are named.
        """
        named = list(self["cost.positive"])
        unknown = [name for name in named if name not in classes]
        if unknown or len(named) >= len(classes):
            told = f"{unknown} is not among them" if unknown else "they cannot all be"
            raise ProjectError(f"cost.positive = {named}: the classes are {', '.join(classes)}; {told}.")
        if named:
            return named
        return [min(classes, key=lambda name: ((counts or {}).get(name, 0), name))]

    # --- artefacts ---------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """A file among the artefacts; their folder is made."""
        self.artefacts.mkdir(exist_ok=True)
        return self.artefacts / name

    def save(self, stage: str, facts: dict, started: float | None = None, **arrays) -> Artefact:
        """Write ``stage.json``, and ``stage.npz`` if there are arrays. A file is replaced as a whole."""
        from cnnlib import __version__

        made = {"stage": stage, **facts, "cnnlib": __version__}
        if started is not None:
            made["seconds"] = round(time.perf_counter() - started, 2)
        if arrays:
            temporary = self.path(f"{stage}.part.npz")
            np.savez_compressed(temporary, **arrays)
            os.replace(temporary, self.path(f"{stage}.npz"))
        temporary = self.path(f"{stage}.part")
        text = json.dumps(made, indent=1, ensure_ascii=False, default=_plain)
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, self.path(f"{stage}.json"))
        return Artefact(json.loads(text))

    def load(self, stage: str) -> Artefact:
        """What a stage has written.

        Raises:
            ProjectError: the stage has not run, or its file is damaged.
        """
        try:
            return Artefact(json.loads((self.artefacts / f"{stage}.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ProjectError(f"{ARTEFACTS}/{stage}.json is not there: run the stage {stage!r} first.") from None
        except ValueError as error:
            raise ProjectError(
                f"{ARTEFACTS}/{stage}.json is damaged ({error}): run the stage {stage!r} again."
            ) from None

    def arrays(self, stage: str) -> dict[str, np.ndarray]:
        """The arrays that a stage has written."""
        try:
            with np.load(self.artefacts / f"{stage}.npz", allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except FileNotFoundError:
            raise ProjectError(f"{ARTEFACTS}/{stage}.npz is not there: run the stage {stage!r} first.") from None
        except (ValueError, OSError, KeyError) as error:
            raise ProjectError(f"{ARTEFACTS}/{stage}.npz is damaged ({error}): run the stage again.") from None

    def has(self, stage: str) -> bool:
        """Whether a stage has written its artefact."""
        return (self.artefacts / f"{stage}.json").is_file()

    # --- images ------------------------------------------------------------------------------------------------------

    def preprocessing(self):
        """What is done to an image before the network sees it: the object that training and serving share."""
        from cnnlib.pipeline import Preprocessing

        size = self["network.size"]
        return Preprocessing((size, size), self["network.fit"], kernel="bicubic", mean=(127.0,), spread=(128.0,))

    def pixels(self, files: list[str], folder: Path | None = None) -> np.ndarray:
        """Images as the network's input, (n, size, size, 3), float32."""
        return self.preprocessing()([str((folder or self.images) / file) for file in files])


def weights_of(model) -> str:
    """The sha256 of a model's weights, shortened."""
    from cnnlib.pipeline import weights_sha256

    return weights_sha256(model)


def sha256_of(names: list[str]) -> str:
    """Of a list of names: whether two lists are the same."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON.")


def _settings(path: Path) -> dict[str, dict]:
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{FILE} cannot be read: {error}. Is a quotation mark or a comma missing?") from None
    tables = {"": {key: value for key, value in given.items() if not isinstance(value, dict)}}
    tables |= {key: value for key, value in given.items() if isinstance(value, dict)}
    settings = {}
    for part in [*SETTINGS, *tables]:
        known = SETTINGS.get(part, {})
        odd = [f"{part}.{key}".lstrip(".") for key in tables.get(part, {}) if key not in known]
        if odd or part not in SETTINGS:
            raise ProjectError(f"{FILE}: {', '.join(odd) or part} is no setting. Misspelt? See `capstone new`.")
        settings[part] = {
            key: _of_type(f"{part}.{key}".lstrip("."), tables.get(part, {}).get(key, default), default)
            for key, default in known.items()
        }
    return settings


def _of_type(name: str, value, default):
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default) or (isinstance(value, list) and not all(isinstance(v, str) for v in value)):
        wanted = {str: "text", int: "a whole number", float: "a number", list: "a list of texts"}[type(default)]
        raise ProjectError(f"{FILE}: {name} = {value!r}; expected {wanted}.")
    return value


def _check_settings(settings: dict) -> None:
    split, cost, network, watch = (settings[part] for part in ("split", "cost", "network", "watch"))
    for name, good, wanted in (
        ("split.together", split["together"] in TOGETHER, f"one of {', '.join(TOGETHER)}"),
        ("split.validation", 0.05 <= split["validation"] <= 0.5, "a share from 0.05 to 0.5"),
        ("split.test", 0.05 <= split["test"] <= 0.5, "a share from 0.05 to 0.5"),
        ("cost.miss", 0 < cost["miss"] < np.inf, "more than 0"),
        ("cost.false_alarm", 0 < cost["false_alarm"] < np.inf, "more than 0"),
        ("cost.prevalence", 0 <= cost["prevalence"] < 1, "the share where it is used, or 0 for that of the images"),
        ("cost.metric", cost["metric"] in METRICS, f"one of {', '.join(METRICS)}"),
        (
            "network.size",
            32 <= network["size"] <= 320 and network["size"] % 32 == 0,
            "a multiple of 32, from 32 to 320",
        ),
        ("network.fit", network["fit"] in ("stretch", "letterbox"), "stretch or letterbox"),
        ("watch.window", watch["window"] >= 5, "5 images or more"),
        ("watch.false_alarm_rate", 0.005 <= watch["false_alarm_rate"] <= 0.2, "a share from 0.005 to 0.2"),
        ("watch.least_labelled", watch["least_labelled"] >= 1, "1 or more"),
        ("watch.tolerated_loss", 0 <= watch["tolerated_loss"] < 1, "a share"),
    ):
        if not good:
            part, _, key = name.partition(".")
            raise ProjectError(f"{FILE}: {name} = {settings[part][key]!r}; expected {wanted}.")
    if settings[""]["most"] < 24:
        raise ProjectError(f"{FILE}: most = {settings['']['most']}; expected 24 images or more.")
