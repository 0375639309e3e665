"""The checks of lesson 00: two small exercises that teach how exercises go, on the convention of the course."""

from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception, ValueExercise

# 00.1 The shape of a batch --------------------------------------------------------------------------------------------

BATCH_SHAPE = ValueExercise(
    "00.1",
    "The shape of a batch",
    expected=(32, 240, 320, 3),
    misconceptions=(
        Misconception(
            (32, 320, 240, 3),
            "Width and height have changed places. People say width by height, arrays say rows first: the number of "
            "rows of pixels is the height.",
        ),
        Misconception(
            (32, 3, 240, 320),
            "That is NCHW, the order of PyTorch. Here the channels come last.",
        ),
        Misconception(
            (32, 3, 320, 240),
            "The channels come last here, and height comes before width.",
        ),
        Misconception(
            (240, 320, 3),
            "That is one photograph. A batch of them has one more axis.",
        ),
        Misconception(
            (240, 320, 3, 32),
            "The number of images is the last axis in your answer. Which letter does NHWC begin with?",
        ),
        Misconception(
            (32, 240, 320),
            "The channels are missing. Even a grey picture has an axis for them, of length 1; a coloured one has more.",
        ),
        Misconception(
            (32, 240, 320, 1),
            "One channel is a grey picture. How many numbers does a pixel need to say a colour?",
        ),
        Misconception(
            lambda came: np.size(came) == 1 and int(np.ravel(came)[0]) == 32 * 240 * 320 * 3,
            "That is how many numbers the batch holds. The shape says how they are arranged, one entry per axis.",
        ),
    ),
    hints=(
        "NHWC: number of images, height, width, channels. Fill in the four, one by one.",
        "A colour photograph has a red, a green and a blue value at each pixel. And mind that the width is told first "
        "in the question, as one does when speaking.",
    ),
    remark="Lesson 01 builds on this order: a convolution slides over the two axes in the middle.",
)

# 00.2 An image from elsewhere -----------------------------------------------------------------------------------------


def _to_convention(image: np.ndarray) -> np.ndarray:
    if image.ndim != 3:
        raise ValueError(f"an image has 3 axes, this array has {image.ndim}")
    return np.moveaxis(image, 0, -1).astype("float32") / 255


def _model(convert: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A wrong conversion that refuses, as the reference does, what is no image."""

    def to_convention(image: np.ndarray) -> np.ndarray:
        if image.ndim != 3:
            raise ValueError
        return convert(image)

    return to_convention


def _without_refusal(image: np.ndarray) -> np.ndarray:
    return np.moveaxis(image, 0, -1) / 255


def _image_cases(rng: np.random.Generator) -> Iterator[Case]:
    def image(*shape: int, high: int = 256) -> np.ndarray:
        return rng.integers(0, high, shape).astype("uint8")

    yield Case((np.full((3, 2, 4), 255, "uint8"),), about="the example: all 255")
    height, width = (int(n) for n in rng.permutation(np.arange(4, 12))[:2])
    yield Case((image(3, height, width),), about="a random colour image")
    yield Case((image(1, width, height),), about="a grey image")
    yield Case((image(3, 5, 5),), about="a square image")
    yield Case((image(3, 3, 3),), about="an image of 3 by 3 pixels")
    yield Case((image(3, height, width, high=90),), about="a dark image")
    yield Case((np.resize(np.array([0, 1], "uint8"), (3, 3, 5)),), about="a nearly black image, of 0 and 1")
    yield Case((image(4, 6, 2),), about="an image with four channels")
    yield Case((np.zeros((3, 1, 7), "uint8"),), about="a black image")
    yield Case((image(height, width),), raises=ValueError, about="an array with two axes")
    yield Case((image(2, 3, height, width),), raises=ValueError, about="a batch of images")


_ABOUT_TYPE = (
    "Whole numbers divided by a whole number become float64, twice the memory of float32 for digits that no camera "
    'has. `.astype("float32")` sets the type of an array, and the course keeps its images in it.'
)

TO_CONVENTION = FunctionExercise(
    "00.2",
    "An image from elsewhere",
    reference=_to_convention,
    cases=_image_cases,
    result_type="float32",
    about_type=_ABOUT_TYPE,
    misconceptions=(
        Misconception(
            _model(lambda image: image.reshape(*image.shape[1:], image.shape[0]) / 255),
            "`reshape` leaves the numbers in their order and cuts the row anew, so the colours of different pixels get "
            "mixed. The axes have to change places: see `np.moveaxis` or `np.transpose`.",
        ),
        Misconception(
            _model(lambda image: image.T / 255),
            "The channels are last, but height and width have changed places too: the image lies on its side. `.T` "
            "reverses all axes.",
        ),
        Misconception(
            _model(lambda image: np.moveaxis(image, 0, -1).astype("float32")),
            "The axes are right. The values still go up to 255.",
        ),
        Misconception(
            _model(lambda image: image / 255),
            "The values are right. The channels are still the first axis.",
        ),
        Misconception(
            _model(lambda image: np.moveaxis(image, 0, -1) // 255),
            "`//` divides and drops the rest: all that is not fully white becomes black. A plain `/` keeps the rest.",
        ),
        Misconception(
            _model(lambda image: np.moveaxis(image, 0, -1) / 256),
            "There are 256 values from 0 to 255, but the highest of them should become 1.",
        ),
        Misconception(
            _model(lambda image: np.moveaxis(image, 0, -1) / max(int(image.max()), 1)),
            "You divide by the brightest value of each image, so a dark photograph becomes a bright one. The divisor "
            "should be the same for all.",
        ),
        Misconception(
            _model(lambda image: np.moveaxis(image, 0, -1) / (255 if image.max() > 1 else 1)),
            "You divide only where a value is above 1, to spare images that are scaled already. But these are whole "
            "numbers from a file: one that is nearly black would come out nearly white.",
        ),
        Misconception(
            _model(lambda image: np.moveaxis(image, 0, -1) / 127.5 - 1),
            "Your values go from -1 to 1. Some networks want that; the convention here is 0 to 1.",
        ),
        Misconception(
            _model(lambda image: (np.moveaxis(image, 0, -1) - 127.0) / 128),
            "That is what the network of this page wants, not how the course keeps its images: 0 to 1.",
        ),
        Misconception(
            _model(lambda image: np.moveaxis(image, 0, -1)[..., ::-1] / 255),
            "The order of the colours is reversed: red and blue have changed places. Only the axis should move.",
        ),
        Misconception(
            _without_refusal,
            "A good image comes out right. An array that does not have three axes should be refused: compare "
            "`image.ndim` with 3, and `raise ValueError(...)` if it differs.",
        ),
    ),
    hints=(
        "Three small steps: refuse what does not have three axes, move an axis, change the range.",
        "`image.ndim` is the number of axes. `np.moveaxis(array, source, destination)` moves one axis and keeps the "
        "order of the others; -1 is the last place.",
        'White is 255 and should become 1. By what do you divide? Use `/`, and `.astype("float32")` for the type.',
    ),
)

EXERCISES = [BATCH_SHAPE, TO_CONVENTION]
