"""What a network's numbers mean, in one object that training writes and serving reads. Lesson 14.

A file of weights does not say what its input should look like, nor what its outputs stand for. `Specification` does,
and it is saved beside the weights with the sha256 of both the weights and the label map. So a label map that belongs
to other weights is an error, not a wrong answer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from cnnlib.pipeline.preprocessing import Preprocessing

__all__ = ["TASKS", "Calibration", "Specification", "SpecificationError", "labels_sha256", "weights_sha256"]

TASKS = ("classify", "detect", "segment")
FORMAT = 1  # of the file
FILE, LABELS = "specification.json", "labels.txt"
UNUSED = "-"  # a number that stands for no class, as ten of COCO's


class SpecificationError(ValueError):
    """Weights, label map and specification do not belong together, or the file is no specification."""


@dataclass(frozen=True)
class Calibration:
    """What makes scores probabilities (Guo et al. 2017, "On calibration of modern neural networks"; lesson 15).

    Args:
        temperature: logits are divided by it; 1 leaves them as they are.
        fitted_on: the data that it was fitted on, which is neither training nor test data. None: not fitted, and
            answers say that their scores are not calibrated.
    """

    temperature: float = 1.0
    fitted_on: str | None = None

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"temperature={self.temperature}: it divides the logits; expected more than 0.")


@dataclass(frozen=True)
class Specification:
    """Everything about a network that its weights do not say.

    Args:
        name, version: of the model, as they stand in every answer.
        task: "classify", "detect" or "segment".
        labels: the name of each class, in the order of the outputs. "-" is a number without a class.
        preprocessing: what is done to a picture.
        outputs: "logits" or "probabilities".
        threshold: what scores less is not reported: of a picture, a box, or a pixel (0: the best class wins).
        top: classes in the answer of "classify".
        background: number of the class that is no object, in "detect" and "segment"; None if there is none.
        overlap: of "detect": of two boxes of one class with a greater IoU the better one stays.
        most: of "detect", objects at most.
        smallest: of "segment", the least share of the image's pixels that is reported.
        aligned: of "segment": whether the grid of logits has its corner points on the corner pixels of the input, as
            DeepLab's has, or its cells divide the input evenly.
        decoder: of "detect": how outputs become boxes, a name of `box_decoders.DECODERS`, or a name of your own.
        calibration: of the scores.
        weights_sha256, labels_sha256: of what it belongs to; `for_model` fills them in.

    Raises:
        ValueError: a setting has no meaning.
        SpecificationError: ``labels`` are not those whose sha256 is given.
    """

    name: str
    task: str
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    version: str = "1"
    outputs: str = "logits"
    threshold: float = 0.0
    top: int = 5
    background: int | None = None
    overlap: float = 0.5
    most: int = 100
    smallest: float = 0.001
    aligned: bool = False
    decoder: str | None = None
    calibration: Calibration = Calibration()
    weights_sha256: str | None = None
    labels_sha256: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "labels", tuple(self.labels))
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r}: choose one of {', '.join(map(repr, TASKS))}.")
        if self.outputs not in ("logits", "probabilities"):
            raise ValueError(f"outputs={self.outputs!r}: choose 'logits' or 'probabilities'.")
        if not self.labels or not all(isinstance(label, str) and label and "\n" not in label for label in self.labels):
            raise ValueError("labels: expected a name for each class, without line breaks.")
        if not (0 <= self.threshold <= 1 and 0 <= self.overlap <= 1 and 0 <= self.smallest <= 1):
            raise ValueError(
                f"threshold={self.threshold}, overlap={self.overlap}, smallest={self.smallest}: expected numbers in "
                "[0, 1]."
            )
        if self.top < 1 or self.most < 1:
            raise ValueError(f"top={self.top}, most={self.most}: expected 1 or more.")
        if self.background is not None and not 0 <= self.background < len(self.labels):
            raise ValueError(f"background={self.background}: expected one of the {len(self.labels)} class numbers.")
        if self.task == "segment" and self.preprocessing.policy == "shortest_side":
            raise ValueError(
                "task='segment' with policy='shortest_side': what is cropped would have no answer. Take 'letterbox' or "
                "'stretch'."
            )
        if self.labels_sha256 is not None and self.labels_sha256 != labels_sha256(self.labels):
            raise SpecificationError(
                f"{self.name}: the label map is stale: {len(self.labels)} labels with a sha256 that begins with "
                f"{labels_sha256(self.labels)[:12]}, and the specification was written for {self.labels_sha256[:12]}. "
                "Was a class added, dropped, renamed or moved since the network was trained?"
            )

    def preprocess(self, images) -> np.ndarray:
        """Images as a batch (n, height, width, channels), float32: what to train on, and what is served."""
        return self.preprocessing(images)

    def for_model(self, model: keras.Model) -> Specification:
        """The same with the sha256 of the model's weights and of the labels.

        Raises:
            SpecificationError: the weights are others than it was written for, or the model's shapes do not fit it.
        """
        given = tuple(model.inputs[0].shape[1:]) if len(model.inputs) == 1 else None
        wanted = self.preprocessing.input_shape
        if given is None or any(have not in (None, want) for have, want in zip(given, wanted)) or len(given) != 3:
            raise SpecificationError(f"{self.name}: the model takes {given}, and its preprocessing gives {wanted}.")
        classes = _classes(model)
        if classes is not None and self.task != "detect" and len(self.labels) != (2 if classes == 1 else classes):
            raise SpecificationError(
                f"{self.name}: the model has {classes} outputs and the label map {len(self.labels)} labels. Which of "
                "the two is the older one?"
            )
        found = weights_sha256(model)
        if self.weights_sha256 not in (None, found):
            raise SpecificationError(
                f"{self.name}: the specification was written for weights whose sha256 begins with "
                f"{self.weights_sha256[:12]}; these begin with {found[:12]}. Was the network trained on since? Then "
                "its calibration, threshold and version need a new look: write a new specification."
            )
        return dataclasses.replace(self, weights_sha256=found, labels_sha256=labels_sha256(self.labels))

    # --- files -------------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict:
        """Everything but the labels, for JSON."""
        settings = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del settings["labels"]
        settings["preprocessing"] = self.preprocessing.as_dict()
        settings["calibration"] = dataclasses.asdict(self.calibration)
        settings["labels_sha256"] = labels_sha256(self.labels)
        return {"format": FORMAT, **settings}

    @classmethod
    def from_dict(cls, settings: dict, labels: Sequence[str]) -> Specification:
        """The inverse of `as_dict`, with the label map.

        Raises:
            SpecificationError: the labels are not those that it was written for, or it is no specification.
        """
        settings = dict(settings)
        if settings.pop("format", None) != FORMAT:
            raise SpecificationError("this is no specification of a pipeline, or one of another version of cnnlib.")
        try:
            settings["preprocessing"] = Preprocessing.from_dict(settings["preprocessing"])
            settings["calibration"] = Calibration(**settings["calibration"])
            return cls(labels=tuple(labels), **settings)
        except (TypeError, KeyError) as error:
            raise SpecificationError(f"the specification has other entries than expected: {error}.") from error

    def save(self, folder: str | Path) -> None:
        """Write ``specification.json`` and ``labels.txt`` into a folder, beside the weights."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8", newline="\n")
        (folder / LABELS).write_text("\n".join(self.labels) + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, folder: str | Path) -> Specification:
        """Read what `save` has written.

        Raises:
            SpecificationError: a file is missing or damaged, or the label map is not the one of the specification.
        """
        folder = Path(folder)
        try:
            settings = json.loads((folder / FILE).read_text(encoding="utf-8"))
            labels = (folder / LABELS).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise SpecificationError(f"{Path(error.filename).name} cannot be read ({error.strerror}).") from error
        except ValueError as error:
            raise SpecificationError(f"{FILE} is no JSON ({error}).") from error
        return cls.from_dict(settings, labels)


def labels_sha256(labels: Sequence[str]) -> str:
    """The sha256 of the names, one a line, in UTF-8: of names, their order and their number."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()


def weights_sha256(model: keras.Model) -> str:
    """The sha256 of all weights of a model, by their shapes and float32 values, in the order of ``model.weights``.

    It is the same on every backend, and whatever file the weights came from; names of layers do not count.
    """
    digest = hashlib.sha256()
    for variable in model.weights:
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable.value), "<f4")
        digest.update(str(tuple(array.shape)).encode())
        digest.update(array.data)
    return digest.hexdigest()


def _classes(model: keras.Model) -> int | None:
    output = model.output if not isinstance(model, keras.Sequential) else model.outputs[0]
    return output.shape[-1] if hasattr(output, "shape") else None
