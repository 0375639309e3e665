"""The check of exercise 10.7: a picture that fools EfficientNet-Lite0, judged by what the network says to it."""

from __future__ import annotations

import functools

import numpy as np
from keras import ops

from cnnlib import datasets, explain
from cnnlib.exercises.kinds import CheckExercise, Wrong

LOW, HIGH = -127 / 128, 1.0
SIDE, CALLS = 64, 10
WISHES = (("coffee", 892), ("cat", 207), ("camera", 340))  # a photograph, and what it shall be called


@functools.cache
def network():
    """EfficientNet-Lite0 for small pictures."""
    from cnnlib.models import efficientnet_lite

    lite = efficientnet_lite.EfficientNetLite0(weights="imagenet", input_shape=(SIDE, SIDE, 3))
    lite.trainable = False
    return lite


class Gradient:
    """The gradient of a score, which counts its calls and notes what it was asked for."""

    def __init__(self):
        self.calls, self.labels, self.first = 0, set(), None

    def __call__(self, image, label):
        image = np.asarray(image)
        if image.shape != (SIDE, SIDE, 3):
            raise Wrong(f"`gradient` takes one image, {(SIDE, SIDE, 3)}.", came=f"an array of shape {image.shape}")
        self.calls += 1
        self.labels.add(int(label))
        found = explain.image_gradient(network(), image[None].astype("float32"), int(label), batch_size=1)[0]
        self.first = found.copy() if self.first is None else self.first
        return found


def _check(answer, rng: np.random.Generator) -> None:
    if not callable(answer):
        raise Wrong("The check needs the function itself: `.check(fool)`, without brackets.")
    name, label = WISHES[int(rng.integers(len(WISHES)))]
    image = (datasets.photograph(name, size=SIDE).astype("float32") - 127) / 128
    _one(answer, name, image, label, most=0.06)  # not the default, which an answer may have written into itself


def _one(answer, name: str, image: np.ndarray, label: int, most: float) -> None:
    given, gradient = image.copy(), Gradient()
    tried = f"the {name}, to be called class {label}, with `most={most}`"
    came = answer(gradient, given, label, most=most)
    try:
        found = np.asarray(came, float)
    except (TypeError, ValueError):
        raise Wrong("Return the image, an array of numbers.", tried=tried, came=came) from None
    if found.shape != image.shape:
        raise Wrong(
            f"Return one image of the same shape, {image.shape}.", tried=tried, came=f"an array of shape {found.shape}"
        )
    if not np.isfinite(found).all():
        raise Wrong("The image holds NaN or infinity.", tried=tried)
    if not np.array_equal(given, image):
        raise Wrong("The caller's image is not as it was. Work on a copy.", tried=tried)
    far = float(np.abs(found - image).max())
    if far > most + 1e-4:
        raise Wrong(
            f"The image differs by up to {far:.3f} at a pixel; {most} is the most. Each step may be small and all of "
            "them together not: after each, clip to the given image plus and minus `most`.",
            tried=tried,
        )
    if found.min() < LOW - 1e-4 or found.max() > HIGH + 1e-4:
        raise Wrong(
            f"Values from {found.min():.3f} to {found.max():.3f}: no photograph has them. Clip to `low` and `high` as "
            "well.",
            tried=tried,
        )
    if gradient.calls > CALLS:
        raise Wrong(f"`gradient` was called {gradient.calls} times; ten is the most.", tried=tried)
    if far == 0:
        raise Wrong("The image is the given one.", tried=tried)
    _is_fooled(found, image, label, gradient, far, most, tried)


def _is_fooled(found, image, label: int, gradient: Gradient, far: float, most: float, tried: str) -> None:
    both = ops.convert_to_tensor(np.stack([image, found]).astype("float32"))
    before, after = ops.convert_to_numpy(ops.softmax(network()(both, training=False)))[:, label]  # it ends in scores
    if after >= 0.5:
        return
    came = f"a probability of {after:.3g}, before {before:.3g}"
    if gradient.labels and gradient.labels != {label}:
        raise Wrong("The gradient of another class was asked for. Climb the score of `label`.", tried=tried, came=came)
    if gradient.first is not None and np.sum((found - image) * gradient.first) < 0:
        raise Wrong(
            "The image has gone against the gradient. Add it: you climb, where training descends.",
            tried=tried,
            came=came,
        )
    if far < most / 2:
        raise Wrong(
            f"That is the right way, and too short: the largest change of a pixel is {far:.2g}, and {most} is allowed. "
            "Only the direction of a gradient tells, not its length: take its signs, or divide by its largest value.",
            tried=tried,
            came=came,
        )
    if gradient.calls <= 2:
        raise Wrong(
            f"After {gradient.calls} calls it is not there yet. The gradient turns on the way: take smaller steps, and "
            "ask anew after each.",
            tried=tried,
            came=came,
        )
    raise Wrong(
        "The image is not called `label` with a probability of one half. Do all pixels use what `most` allows? Signs "
        "move every pixel, the gradient itself hardly any. And is the step large enough to come that far in ten?",
        tried=tried,
        came=came,
    )


FOOL = CheckExercise(
    "10.7",
    "A picture that fools it",
    check=_check,
    time_limit=60.0,
    hints=(
        "Climb: image plus a small step along the gradient of the score of `label`, ten times.",
        "`np.sign` of the gradient moves every pixel by the same amount, so you know how far ten steps can come.",
        "After each step two clips: to the given image plus and minus `most`, and to `low` and `high`.",
    ),
    remark="0.05 of 2 is six of 255 levels of grey: you would not see it. Lesson 15 has more of it, and what helps.",
)
