"""What ails each of the small projects. Stop reading here if you have not mended them yet: lesson 15 asks you.

The names are those of the boxes of `cnnlib.reliability.diagnosis`, the flowchart of the lesson.
"""

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
