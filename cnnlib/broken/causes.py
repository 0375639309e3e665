"""What ails each of the small projects. Stop reading here if you have not mended them yet: lesson 15 asks you.

The names are those of the boxes of `cnnlib.reliability.diagnosis`, the flowchart of the lesson.
"""

from __future__ import annotations

__all__ = ["CAUSES", "by_eye", "cause"]

CAUSES = {
    "shoes": "augmentation changes the label",
    "wardrobe": "labels do not belong to their pictures",
    "toys": "learning rate",
    "microscope": "a bad picture",
    "catalogue": "the loss expects another output",
    "studio": "frozen layers move",
    "sorter": "more is frozen than was meant, or less",
    "forest": "leakage",
    "gate": "a shortcut",
    "meadow": "serving prepares images otherwise",
    "inspection": "a class hidden by accuracy",
}

# What takes a person to see, or a test that is not run here: labels that belong to their pictures (a share), before
# and after augmentation; accuracy without the mark in the corner; the learning rate that a range test advises.
_AS_IT_SHOULD_BE = {"label_agreement": 1.0, "augmented_agreement": 1.0, "wanted_accuracy": 0.9}
_SEEN = {
    "shoes": {"augmented_agreement": 0.5},
    "wardrobe": {"label_agreement": 0.1},
    "toys": {"rate": 0.3, "best_rate": 0.003},
    "gate": {"accuracy_without_cue": 0.5},
}


def cause(name: str) -> str:
    """What ails the project of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in CAUSES:
        raise ValueError(f"there is no project {name!r}; there are: {', '.join(CAUSES)}.")
    return CAUSES[name]


def by_eye(name: str) -> dict[str, float]:
    """Symptoms of a project that a person finds: see `cnnlib.reliability.Symptoms`.

    Raises:
        ValueError: there is none.
    """
    cause(name)
    return {**_AS_IT_SHOULD_BE, **_SEEN.get(name, {})}
