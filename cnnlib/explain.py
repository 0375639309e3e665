"""What a network looks at: gradients of a score by pixels and by maps, occlusion, maximal inputs (lesson 10).

Everything takes ``(model, images, ...)``: any Keras model with one image input and scores (n, classes) as its output,
and images (n, height, width, channels) **as the model wants them**, preprocessed. ``classes`` says which score is
explained: one class for all images, one for each, or None for the class that the model itself answers. A layer is named
by its name, by a path such as ``"backbone/block7a_project_conv"``, or is given itself; it may lie in a model within
the model.

Where the model ends in a softmax or a sigmoid, the scores before it are explained, and a warning says so: a softmax
that is sure has no gradient, and the score of a class also rises when another one falls. It is found wherever it is: as
a layer, an activation or an operation, in a model within the model, in a class, before casts and reshapes. Where the
end of a model cannot be read (a class that computes by other means than Keras, a mean of probabilities), an error asks
for ``from_logits``: True if the outputs are scores, False if they are probabilities. Of a model with several outputs,
``output`` names the one to explain.
"""

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from keras import layers, ops
from scipy import stats

from cnnlib import gradients
from cnnlib.models import endings
from cnnlib.models.parts import CONVOLUTIONS, find_layer, last_convolution, walk

# Layers ---------------------------------------------------------------------------------------------------------------


# Scores ---------------------------------------------------------------------------------------------------------------


def _ending(model: keras.Model, images: np.ndarray, output, from_logits: bool | None) -> endings.Ending:
    """How the output that is explained ends: what was found, or what the caller says.

    Raises:
        ValueError: it cannot be known and was not said, or the model has several outputs and none is named.
    """
    if from_logits not in (None, True, False):
        raise ValueError(f"from_logits={from_logits!r}; expected True, False, or None to look at the model.")

    def find(reference) -> endings.Ending:
        model = reference()
        if not model.built:
            model(ops.convert_to_tensor(images[:1]))
        found = endings.ending(model, output, images.shape[1:])
        if from_logits:
            return _AS_IT_IS
        if from_logits is False:
            return found if found.squash else endings.Ending("activation that cannot be taken away")
        if found.reason:
            raise ValueError(
                f"whether model {model.name!r} returns scores or probabilities cannot be known: {found.reason}. Say "
                "so: from_logits=True if no softmax or sigmoid has been taken, from_logits=False if one has. (The "
                "scores before it are explained best: if you can, give a model that ends there.)"
            )
        return found

    shape = None if endings.output_names(model) else images.shape[1:]  # a class is read at one size
    return _compiled(model, ("ending", output, from_logits, shape), find)


def _outputs(model: keras.Model, images: np.ndarray, output) -> np.ndarray:
    """What the model answers, as it is, (n, classes)."""
    return endings.pick(model, model.predict_on_batch(images), output)


# Looking into a run ---------------------------------------------------------------------------------------------------


def _tap(layer: keras.Layer, delta, seen: list, at_input: bool):
    """Within it, ``delta`` is added to what the layer returns (or gets), and the sum is noted in ``seen``."""

    def make(own):
        def call(*args, **kwargs):
            if seen:
                raise ValueError(f"layer {layer.name!r} runs more than once in this model: its maps are not one thing.")
            value = args[0] if at_input else own(*args, **kwargs)
            if not ops.is_tensor(value):
                raise ValueError(f"layer {layer.name!r} does not return one tensor; choose another.")
            value = value if delta is None else value + ops.cast(delta, value.dtype)
            seen.append(value)
            return own(value, *args[1:], **kwargs) if at_input else value

        return call

    return endings.replaced_call(layer, make)


_COMPILED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # model -> what was compiled for it
_AS_IT_IS, _WHATEVER = endings.Ending(), object()  # for a look into a layer: the score plays no part
_SAID: weakref.WeakSet = weakref.WeakSet()  # models whose softmax was mentioned


def _compiled(model: keras.Model, key, make: Callable[[Callable[[], keras.Model]], Callable]):
    """``make(reference to the model)``, made once for each model and key. The reference does not keep the model."""
    made = _COMPILED.setdefault(model, {})
    if key not in made:
        made[key] = make(weakref.ref(model))
    return made[key]


def _score(model: keras.Model, images, classes, ending: endings.Ending, output):
    """(the sum of the scores asked for, all scores). A class of -1 stands for the highest."""
    with ending.without() if ending.without else contextlib.nullcontext():
        result = model(images, training=False)
    if output is _WHATEVER:
        scores = keras.tree.flatten(result)[0]
        return ops.sum(scores), scores
    scores = endings.pick(model, result, output)
    if len(scores.shape) != 2:
        raise ValueError(
            f"model {model.name!r} returns {tuple(scores.shape)}; expected one score per class, (n, classes). "
            "A detector or a segmenter has no single score to explain."
        )
    chosen = ops.where(classes < 0, ops.cast(ops.argmax(scores, axis=-1), "int32"), classes)
    return ops.sum(ops.one_hot(chosen, scores.shape[-1], dtype=scores.dtype) * scores), scores


def _image_gradient(model: keras.Model, ending: endings.Ending, output) -> Callable:
    """Compiled: (images, classes) -> (value, gradient by the images, scores)."""

    def make(reference):
        def run(images, classes):
            return _score(reference(), images, classes, ending, output)

        return gradients.value_and_grad(run, has_aux=True)

    return _compiled(model, ("images", output, id(ending)), make)


def _head_gradient(
    model: keras.Model, layer: keras.Layer, ending: endings.Ending, output, at_input: bool = False
) -> Callable:
    """Compiled: (zeros, images, classes) -> (value, gradient by the layer's output, (its output, scores)).

    The gradient is taken by zeros that are added to the output, so that no derivative goes back beyond the layer:
    this costs one forward pass and the gradient of what follows the layer.
    """

    def make(reference):
        def run(delta, images, classes):
            seen = []
            with _tap(layer, delta, seen, at_input):
                value, scores = _score(reference(), images, classes, ending, output)
            if not seen:
                raise ValueError(f"layer {layer.name!r} did not run: no way leads from the images through it.")
            return value, (seen[0], scores)

        return gradients.value_and_grad(run, has_aux=True)

    return _compiled(model, (id(layer), at_input, output, id(ending)), make)


def _shape_at(model: keras.Model, layer: keras.Layer, images: np.ndarray, at_input: bool = False) -> tuple[int, ...]:
    """Shape of what the layer returns (or gets) for one image."""

    def find(reference):
        with contextlib.suppress(AttributeError, ValueError):  # a layer outside a graph, or in several places
            shape = (layer.input if at_input else layer.output).shape[1:]
            if all(size is not None for size in shape):
                return tuple(shape)
        seen, image = [], ops.convert_to_tensor(images[:1])
        if not reference().built:
            reference()(image)
        with _tap(layer, None, seen, at_input):
            reference()(image, training=False)
        if not seen:
            raise ValueError(f"layer {layer.name!r} did not run: no way leads from the images through it.")
        return tuple(seen[0].shape[1:])

    return _compiled(model, ("shape", id(layer), at_input, images.shape[1:]), find)


# Arguments ------------------------------------------------------------------------------------------------------------


def _checked(model: keras.Model, images, classes, value_range=None, output=None) -> tuple[np.ndarray, np.ndarray]:
    """Images as float32 (n, h, w, c), and one class for each, -1 for the highest score."""
    images = np.asarray(images)
    if images.ndim == 3:
        raise ValueError(
            f"images have shape {images.shape}; expected (n, height, width, channels). One image: x[None]."
        )
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images have shape {images.shape}; expected (n, height, width, channels), n of 1 or more.")
    if images.dtype.kind != "f":
        raise TypeError(
            f"images hold {images.dtype}; expected floats, preprocessed as the model wants them. "
            "A file's pixels (uint8, 0 to 255) are not that yet."
        )
    if not np.isfinite(images).all():
        raise ValueError("images hold NaN or infinity.")
    if value_range is not None:
        low, high = value_range
        slack = 1e-3 * (high - low)
        if images.min() < low - slack or images.max() > high + slack:
            raise ValueError(
                f"images lie in [{images.min():.3g}, {images.max():.3g}]; expected [{low}, {high}]. "
                "Were they preprocessed for another model, twice, or not at all?"
            )
    wanted = getattr(model, "input_shape", None)
    wanted = wanted if isinstance(wanted, tuple) and len(wanted) == 4 else (None,) * 4
    if any(w is not None and w != g for w, g in zip(wanted[1:], images.shape[1:])):
        raise ValueError(f"images have shape {images.shape[1:]}; model {model.name!r} takes {wanted[1:]}.")
    return images.astype("float32"), _classes(model, len(images), classes, output)


def _classes(model: keras.Model, count: int, classes, output=None) -> np.ndarray:
    if classes is None:
        return np.full(count, -1, "int32")
    given = np.asarray(classes)
    if given.dtype.kind not in "iu" or given.shape not in ((), (count,)):
        raise ValueError(
            f"classes={classes!r}; expected a whole number, or {count} of them, one for each image. "
            "Names and one-hot rows are not class numbers."
        )
    scores = getattr(model, "output_shape", None)
    if isinstance(scores, (dict, list)):
        scores = tuple(endings.pick(model, model.output, output).shape)
    scores = scores[-1] if isinstance(scores, tuple) and len(scores) == 2 else None
    if given.min() < 0 or (scores is not None and given.max() >= scores):
        worst = int(given.min() if given.min() < 0 else given.max())
        raise ValueError(f"class {worst} is out of range: the model has {scores or 'no negative'} classes, from 0.")
    return np.broadcast_to(given, (count,)).astype("int32")


def _mention_softmax(model: keras.Model, ending: endings.Ending) -> None:
    if ending.squash and model not in _SAID:
        _SAID.add(model)
        what = "the scores before it are explained" if ending.without else "the probabilities themselves are explained"
        warnings.warn(f"model {model.name!r} ends in a {ending.squash}; {what}.", UserWarning, stacklevel=3)


def _batches(count: int, batch_size: int) -> Iterator[slice]:
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}; expected 1 or more.")
    return (slice(start, start + batch_size) for start in range(0, count, batch_size))


# By the pixels --------------------------------------------------------------------------------------------------------


def image_gradient(
    model, images, classes=None, batch_size: int = 32, value_range=None, output=None, from_logits: bool | None = None
) -> np.ndarray:
    """Gradient of each image's score by its pixels, (n, height, width, channels)."""
    images, classes = _checked(model, images, classes, value_range, output)
    ending = _ending(model, images, output, from_logits)
    _mention_softmax(model, ending)
    run = _image_gradient(model, ending, output)
    return np.concatenate([run(images[part], classes[part])[1] for part in _batches(len(images), batch_size)])


def saliency(
    model, images, classes=None, batch_size: int = 32, value_range=None, output=None, from_logits: bool | None = None
) -> np.ndarray:
    """How much each pixel could change the score: the largest absolute gradient of its channels, (n, height, width).

    Simonyan, Vedaldi and Zisserman (2014). ``value_range``: if given, images outside it are refused.
    """
    gradient = image_gradient(model, images, classes, batch_size, value_range, output, from_logits)
    return np.abs(gradient).max(axis=-1)


def smooth_grad(
    model,
    images,
    classes=None,
    samples: int = 16,
    noise: float = 0.15,
    seed: int = 0,
    batch_size: int = 32,
    output=None,
    from_logits: bool | None = None,
) -> np.ndarray:
    """Saliency of the gradient averaged over noisy copies, (n, height, width). Smilkov and others (2017).

    ``noise`` is the standard deviation as a share of each image's own range (a constant image gets none). The class is
    that of the image without noise.
    """
    if samples < 1 or noise < 0:
        raise ValueError(f"samples={samples}, noise={noise}; expected 1 or more, and no negative noise.")
    images, _ = _checked(model, images, None)
    classes = answers(model, images, classes, batch_size, output)
    deviation = noise * np.ptp(images, axis=(1, 2, 3), keepdims=True)
    rng = np.random.default_rng(seed)
    total = np.zeros_like(images)
    for _ in range(samples):
        noisy = images + (deviation * rng.standard_normal(images.shape)).astype("float32")
        total += image_gradient(model, noisy, classes, batch_size, None, output, from_logits)
    return np.abs(total / samples).max(axis=-1)


def integrated_gradients(
    model,
    images,
    classes=None,
    baseline: float | np.ndarray = 0.0,
    steps: int = 32,
    batch_size: int = 32,
    output=None,
    from_logits: bool | None = None,
) -> np.ndarray:
    """Shares of the score's rise from ``baseline`` to the image, (n, height, width, channels).

    The mean gradient along the straight line between the two, at the midpoints of ``steps`` pieces, times their
    difference. The shares of an image sum to the difference of the two scores, up to the error of the midpoint rule
    (completeness: Sundararajan, Taly and Yan 2017). ``baseline``: a number, an image, or one for each image.
    """
    if steps < 1:
        raise ValueError(f"steps={steps}; expected 1 or more.")
    images, _ = _checked(model, images, None)
    try:
        start = np.broadcast_to(np.asarray(baseline, "float32"), images.shape)
    except ValueError:
        raise ValueError(
            f"baseline of shape {np.shape(baseline)} does not fit images of shape {images.shape}: "
            "give a number, one image, or one for each."
        ) from None
    classes = answers(model, images, classes, batch_size, output)
    total = np.zeros(images.shape)
    for step in range(steps):
        share = np.float32((step + 0.5) / steps)
        at = start + share * (images - start)
        total += image_gradient(model, at, classes, batch_size, None, output, from_logits)
    return (images - start) * (total / steps).astype("float32")


def answers(model, images, classes=None, batch_size: int = 32, output=None) -> np.ndarray:
    """The classes that are explained, (n,): as given, or those of the highest scores."""
    images, chosen = _checked(model, images, classes, None, output)
    if classes is not None:
        return chosen
    scores = [_outputs(model, images[part], output) for part in _batches(len(images), batch_size)]
    return np.concatenate(scores).argmax(axis=-1).astype("int32")


# By the maps of a layer -----------------------------------------------------------------------------------------------


def grad_cam(
    model,
    images,
    classes=None,
    layer: str | keras.Layer | None = None,
    plus_plus: bool = False,
    batch_size: int = 32,
    value_range=None,
    output=None,
    from_logits: bool | None = None,
) -> np.ndarray:
    """Where the evidence for a class lies, (n, map height, map width), nowhere negative: Grad-CAM.

    The maps of a layer, weighted by how much each raises the score on average over its places, summed, and cut off
    below zero (Selvaraju and others 2017). It costs one forward pass and the gradient of the layers behind that one.

    Args:
        layer: whose output is taken; None for the last convolution.
        plus_plus: weights by Grad-CAM++ (Chattopadhay and others 2018), which count places where a map raises the
            score, and count each of several objects. Equal to theirs up to a factor for each image.
        value_range: if given, images outside it are refused.

    Raises:
        ValueError: there is no such layer, it has no height and width, or a class is out of range.
    """
    images, classes = _checked(model, images, classes, value_range, output)
    ending = _ending(model, images, output, from_logits)
    _mention_softmax(model, ending)
    layer = last_convolution(model) if layer is None else find_layer(model, layer)
    shape = _shape_at(model, layer, images)
    if len(shape) != 3:
        raise ValueError(
            f"layer {layer.name!r} returns {shape} for an image, without height and width, so there is no map. "
            f"Take one before the pooling, such as {last_convolution(model).name!r}."
        )
    run = _head_gradient(model, layer, ending, output)
    found = []
    for part in _batches(len(images), batch_size):
        batch = images[part]
        _, gradient, (maps, _) = run(np.zeros((len(batch), *shape), "float32"), batch, classes[part])
        weights = _plus_plus(maps, gradient) if plus_plus else gradient.mean(axis=(1, 2))
        found.append(np.maximum(np.einsum("nhwc,nc->nhw", maps, weights), 0))
    return np.concatenate(found)


def _plus_plus(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Weights of Grad-CAM++ (n, channels) for the score's exponential, whose own value is left out as a factor."""
    below = 2 * gradient**2 + gradient**3 * maps.sum(axis=(1, 2), keepdims=True)
    share = np.divide(gradient**2, below, out=np.zeros_like(below), where=below != 0)
    return (share * np.maximum(gradient, 0)).sum(axis=(1, 2))


def activations(model, images, layer: str | keras.Layer, batch_size: int = 32) -> np.ndarray:
    """What a layer returns for the images, (n, ...), in use (``training=False``)."""
    images, classes = _checked(model, images, None)
    layer = find_layer(model, layer)
    return _seen(model, layer, images, classes, batch_size, at_input=False)


def penultimate(model, images, batch_size: int = 32) -> np.ndarray:
    """What the last layer with weights gets, (n, features): the network's own description of each image.

    Raises:
        ValueError: there is no such layer, or the model has several outputs, each with a last layer of its own.
    """
    images, classes = _checked(model, images, None)
    if len(names := endings.output_names(model)) > 1:
        raise ValueError(
            f"model {model.name!r} has {len(names)} outputs ({', '.join(names)}), so there is no one last layer. Name "
            "the layer that is meant: activations(model, images, layer)."
        )
    found = [layer for _, layer in walk(model) if isinstance(layer, (layers.Dense, *CONVOLUTIONS))]
    if not found:
        raise ValueError(f"model {model.name!r} has neither a dense layer nor a convolution.")
    seen = _seen(model, found[-1], images, classes, batch_size, at_input=True)
    return seen.reshape(len(seen), -1)


def _seen(model, layer, images, classes, batch_size: int, at_input: bool) -> np.ndarray:
    shape = _shape_at(model, layer, images, at_input)
    run = _head_gradient(model, layer, _AS_IT_IS, _WHATEVER, at_input)
    parts = [
        run(np.zeros((len(images[part]), *shape), "float32"), images[part], classes[part])[2][0]
        for part in _batches(len(images), batch_size)
    ]
    return np.concatenate(parts)


def filters(model, layer: str | keras.Layer | None = None) -> np.ndarray:
    """Kernels of a convolution as pictures (filters, height, width, channels), each from 0 to 1; a flat one is 0.5.

    None takes the first convolution, whose kernels read the image itself.
    """
    if layer is None:
        found = [inner for _, inner in walk(model) if isinstance(inner, CONVOLUTIONS)]
        if not found:
            raise ValueError(f"model {model.name!r} has no convolution.")
        layer = found[0]
    else:
        layer = find_layer(model, layer)
    kernels = [w for w in layer.get_weights() if w.ndim == 4]
    if not kernels:
        raise ValueError(f"layer {layer.name!r} has no kernel of height and width.")
    kernel = kernels[0].astype("float32")
    if isinstance(layer, layers.DepthwiseConv2D):
        pictures = kernel.reshape(*kernel.shape[:2], 1, -1).transpose(3, 0, 1, 2)
    else:
        pictures = kernel.transpose(3, 0, 1, 2)
    return scaled(pictures)


def scaled(maps: np.ndarray) -> np.ndarray:
    """Each of the maps (n, ...) stretched to 0 ... 1. One that is constant becomes 0.5, or 0 where it is 0."""
    maps = np.asarray(maps, "float32")
    axes = tuple(range(1, maps.ndim))
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    flat = np.where(high == 0, 0.0, 0.5).astype("float32")
    return np.where(high > low, (maps - low) / np.where(high > low, high - low, 1), flat)


def enlarged(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps (n, h, w) at the size (height, width) of the images, bilinearly."""
    resized = ops.image.resize(np.asarray(maps, "float32")[..., None], size, interpolation="bilinear")
    return ops.convert_to_numpy(resized)[..., 0]


# By trying ------------------------------------------------------------------------------------------------------------


def occlusion(
    model,
    images,
    classes=None,
    window: int = 32,
    stride: int = 16,
    fill: float | None = None,
    batch_size: int = 32,
    output=None,
    from_logits: bool | None = None,
) -> np.ndarray:
    """How far the probability of the class falls when a square is hidden, (n, height, width). Zeiler and Fergus (2014).

    Each pixel gets the mean fall over all squares that hide it. No gradient is needed.

    Args:
        window: side of the square, in pixels.
        stride: pixels from one square to the next, at most ``window``, so that each pixel is hidden at least once.
        fill: value of the hidden pixels; None for the mean colour of the image.
    """
    images, _ = _checked(model, images, None)
    height, width = images.shape[1:3]
    if not 1 <= stride <= window <= min(height, width):
        raise ValueError(
            f"window={window}, stride={stride} for {height}x{width} images: expected 1 <= stride <= window <= "
            f"{min(height, width)}, or pixels would never be hidden."
        )
    classes = answers(model, images, classes, batch_size, output)
    probability = _probabilities(model, _ending(model, images, output, from_logits), output)
    corners = [(top, left) for top in _starts(height, window, stride) for left in _starts(width, window, stride)]
    size = min(batch_size, len(corners) + 1)
    found = np.zeros(images.shape[:3], "float32")
    for n, (image, label) in enumerate(zip(images, classes)):
        hidden = np.full(image.shape[-1], fill) if fill is not None else image.mean(axis=(0, 1))
        chances = []
        for part in _batches(len(corners) + 1, size):
            chosen = [None, *corners][part]  # at first nothing is hidden
            copies = np.repeat(image[None], size, axis=0)  # always as many: a rest would be compiled anew
            for copy, corner in zip(copies, chosen):
                if corner is not None:
                    copy[corner[0] : corner[0] + window, corner[1] : corner[1] + window] = hidden
            chances.append(probability(copies)[: len(chosen), label])
        whole, *others = np.concatenate(chances)
        count = np.zeros((height, width), "float32")
        for chance, (top, left) in zip(others, corners):
            found[n, top : top + window, left : left + window] += whole - chance
            count[top : top + window, left : left + window] += 1
        found[n] /= count
    return found


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Where squares begin: every ``stride`` pixels, and one that ends at the border."""
    starts = list(range(0, length - window + 1, stride))
    return starts if starts[-1] == length - window else [*starts, length - window]


def _probabilities(model: keras.Model, ending: endings.Ending, output) -> Callable[[np.ndarray], np.ndarray]:
    def run(images: np.ndarray) -> np.ndarray:
        scores = _outputs(model, images, output)
        if ending.squash and ending.squash != "log_softmax":
            return scores
        one = scores.shape[-1] == 1
        return ops.convert_to_numpy(ops.sigmoid(scores) if one else ops.softmax(scores, axis=-1))

    return run


def maximise(
    model,
    channel: int | Sequence[int],
    layer: str | keras.Layer | None = None,
    size: tuple[int, int] | None = None,
    steps: int = 128,
    rate: float = 0.02,
    jitter: int = 4,
    blur: float = 0.5,
    blur_every: int = 4,
    value_range: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
    output=None,
    from_logits: bool | None = None,
    centre: bool = False,
) -> np.ndarray:
    """An image (height, width, channels) that one channel of a layer, or one class, answers to strongly.

    Gradient ascent from grey with a little noise (Erhan and others 2009). Left alone it ends in noise that no eye can
    read. Two regularisers keep the image smooth: each step sees it moved by up to ``jitter`` pixels, and every
    ``blur_every`` steps it is blurred by a Gaussian of ``blur`` pixels (Yosinski and others 2015).

    Args:
        channel: of the layer's output, averaged over its places; without a layer, a class. Of several, (n,), an image
            each, (n, height, width, channels).
        size: (height, width), for models that take any.
        centre: ask for the channel's value at the middle of its map, in the place of its average.
        rate: mean change of a pixel in a step, as a share of ``value_range``, within which the image stays.
    """
    shape = list(model.input_shape[1:])
    shape[:2] = size if size is not None else shape[:2]
    if None in shape:
        raise ValueError(f"model {model.name!r} takes images of any size: say which, size=(height, width).")
    low, high = value_range
    rng = np.random.default_rng(seed)
    chosen = np.atleast_1d(channel)
    image = (low + high) / 2 + 0.1 * (high - low) * rng.standard_normal((len(chosen), *shape))
    image = image.clip(low, high).astype("float32")
    target = None if layer is None else find_layer(model, layer)
    score = _channel_gradient(model, target, chosen, image, output, from_logits, centre)
    for step in range(1, steps + 1):
        move = tuple(rng.integers(-jitter, jitter + 1, size=2))
        gradient = np.roll(score(np.roll(image, move, axis=(1, 2))), (-move[0], -move[1]), axis=(1, 2))
        length = np.abs(gradient).mean(axis=(1, 2, 3), keepdims=True)
        image = image + rate * (high - low) * gradient / np.where(length > 0, length, 1)
        if blur > 0 and step % blur_every == 0:
            image = _blurred(image, blur)
        image = image.clip(low, high).astype("float32")
    return image[0] if np.ndim(channel) == 0 else image


def _channel_gradient(
    model, layer, channels: np.ndarray, images: np.ndarray, output, from_logits, centre: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Gradient by each image of its channel's mean, or of its value at the middle, or of its class."""
    if layer is None:
        _checked(model, images, channels, None, output)
        return lambda images: image_gradient(model, images, channels, output=output, from_logits=from_logits)
    shape = _shape_at(model, layer, images)
    if channels.min() < 0 or channels.max() >= shape[-1]:
        worst = channels.min() if channels.min() < 0 else channels.max()
        raise ValueError(f"channel {worst} is out of range: layer {layer.name!r} has {shape[-1]}, from 0.")

    def make(reference):
        def value_of(images, chosen):
            seen = []
            with _tap(layer, None, seen, at_input=False):
                reference()(images, training=False)
            places = ops.reshape(seen[0], (images.shape[0], -1, shape[-1]))
            values = places[:, middle] if centre else ops.mean(places, axis=1)
            return ops.sum(values * chosen)

        return gradients.value_and_grad(value_of)

    middle = shape[0] // 2 * shape[1] + shape[1] // 2 if len(shape) == 3 else 0
    run = _compiled(model, ("channel", id(layer), centre), make)
    chosen = np.eye(shape[-1], dtype="float32")[channels]
    return lambda images: run(images, chosen)[1]


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """Images (n, h, w, c) behind a Gaussian, one axis after the other, the border repeated."""
    reach = max(1, round(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (1, 2):
        padding = [(reach, reach) if a == axis else (0, 0) for a in range(4)]
        padded, length = np.pad(images, padding, mode="edge"), images.shape[axis]
        images = sum(w * padded.take(range(k, k + length), axis=axis) for k, w in enumerate(weights))
    return images.astype("float32")


# Is it to be believed? ------------------------------------------------------------------------------------------------


def randomised(model: keras.Model, layers_to_shuffle: Sequence[str] | None = None, seed: int = 0) -> keras.Model:
    """A copy whose kernels have their own values in random order: what it shows cannot be about what was learnt.

    The sanity check of Adebayo and others (2018): an explanation that looks the same for both networks explains
    nothing. None shuffles every dense layer and convolution; otherwise those named.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    _shuffle(copy, layers_to_shuffle, seed)
    return copy


@contextlib.contextmanager
def shuffled(model: keras.Model, layers_to_shuffle: Sequence[str] | None = None, seed: int = 0) -> Iterator[None]:
    """Within it, the model itself has the weights of its `randomised` copy: nothing need be compiled again.

    >>> with explain.shuffled(model):
    ...     control = explain.grad_cam(model, images)
    """
    learnt = model.get_weights()
    try:
        _shuffle(model, layers_to_shuffle, seed)
        yield
    finally:
        model.set_weights(learnt)


def _shuffle(model: keras.Model, chosen: Sequence[str] | None, seed: int) -> None:
    names = None if chosen is None else [find_layer(model, name).name for name in chosen]
    rng = np.random.default_rng(seed)
    for _, layer in walk(model):
        if isinstance(layer, (layers.Dense, *CONVOLUTIONS)) and (names is None or layer.name in names):
            layer.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in layer.get_weights()])


def shuffled_from_the_top(
    model: keras.Model, stages: Sequence[str], seed: int = 0, normalisation: bool = False
) -> Iterator[str]:
    """Shuffle the kernels of the model itself, stage by stage, and give the name of each stage once it is done.

    The cascading randomisation of Adebayo and others (2018), in place, so that nothing need be compiled again. When
    the loop ends, in whatever way, the weights are put back.

    Args:
        stages: beginnings of the names of layers, from the scores down, as ``("logits", "head", "block7")``. Dense
            layers and convolutions of a stage are shuffled.
        normalisation: whether the channels of batch normalisation are shuffled, too (its four numbers of a channel stay
            together); else it stays.

    Raises:
        ValueError: a stage has no layer with a kernel.
    """
    kernels = {path: layer for path, layer in walk(model) if isinstance(layer, (layers.Dense, *CONVOLUTIONS))}
    norms = {path: layer for path, layer in walk(model) if isinstance(layer, layers.BatchNormalization)}
    chosen = [[layer for path, layer in kernels.items() if path.startswith(stage)] for stage in stages]
    if not all(chosen):
        missing = [stage for stage, found in zip(stages, chosen) if not found]
        raise ValueError(f"no dense layer or convolution of model {model.name!r} begins with {missing[0]!r}.")
    learnt, rng = model.get_weights(), np.random.default_rng(seed)
    try:
        for stage, found in zip(stages, chosen):
            for layer in found:
                layer.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in layer.get_weights()])
            for layer in [layer for path, layer in norms.items() if normalisation and path.startswith(stage)]:
                order = rng.permutation(layer.get_weights()[0].size)
                layer.set_weights([w[order] for w in layer.get_weights()])
            yield stage
    finally:
        model.set_weights(learnt)


def rank_correlation(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each map with its counterpart, (n,): 1 for the same order of places, 0 for none.

    Equal values share their mean rank. A map that is constant has no order: 0.
    """
    maps, others = np.asarray(maps), np.asarray(others)
    if maps.shape != others.shape or maps.ndim < 2:
        raise ValueError(f"maps {maps.shape} and {others.shape}; expected the same shape, (n, height, width).")
    ranks = [stats.rankdata(given.reshape(len(given), -1), axis=1) for given in (maps, others)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    lengths = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide((first * second).sum(axis=1), lengths, out=np.zeros(len(maps)), where=lengths > 0)


def pointing_game(
    maps: np.ndarray, boxes: Sequence[Sequence[float]], size: tuple[int, int] | None = None
) -> np.ndarray:
    """Whether the highest place of each map lies in that image's box, (n,) booleans. Zhang and others (2018).

    Args:
        maps: (n, height, width).
        boxes: (n, 4), x1, y1, x2, y2 in pixels of images of the ``size`` (height, width); None: of the maps.
    """
    maps, boxes = np.asarray(maps), np.asarray(boxes, float)
    if maps.ndim != 3 or boxes.shape != (len(maps), 4):
        raise ValueError(f"maps {maps.shape} and boxes {boxes.shape}; expected (n, height, width) and (n, 4).")
    if (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError("a box has no area; expected x1, y1, x2, y2 with x1 < x2 and y1 < y2.")
    height, width = maps.shape[1:]
    rows, columns = np.unravel_index(maps.reshape(len(maps), -1).argmax(axis=1), (height, width))
    high, wide = size or (height, width)
    x, y = (columns + 0.5) * wide / width, (rows + 0.5) * high / height
    inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
    return inside & (maps.max(axis=(1, 2)) > maps.min(axis=(1, 2)))


def project(features: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Features (n, d) in the plane, (n, 2): where a network puts images near each other.

    "pca": the two directions of largest variance. "tsne": neighbourhoods kept, distances not (van der Maaten and Hinton
    2008), with a perplexity of 30, for up to some thousand images; ``seed`` matters for it alone.
    """
    features = np.asarray(features, float)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features have shape {features.shape}; expected (n, d) with n of 2 or more.")
    if method == "pca":
        centred = features - features.mean(axis=0)
        left, singular, _ = np.linalg.svd(centred, full_matrices=False)
        plane = (left * singular)[:, :2]
        plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
        signs = np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
        return plane * np.where(signs == 0, 1, signs)
    if method == "tsne":
        return _tsne(features, min(30.0, (len(features) - 1) / 3), seed)
    raise ValueError(f"method={method!r}; choose 'pca' or 'tsne'.")


def _tsne(features: np.ndarray, perplexity: float, seed: int, steps: int = 350, early: int = 100) -> np.ndarray:
    """t-SNE with all pairs, (n, 2). For the first ``early`` steps attraction counts twelvefold, so that groups form."""
    count = len(features)
    shares = _neighbour_shares(features, perplexity).astype("float32")
    plane = project(features)
    plane = plane / max(plane.std(), 1e-12) * 1e-2 + 1e-4 * np.random.default_rng(seed).standard_normal((count, 2))
    plane, velocity = plane.astype("float32"), np.zeros((count, 2), "float32")
    rate = max(count / 12, 20.0)
    for step in range(steps):
        closeness = 1 / (1 + _squared_distances(plane))  # Student's t: moderate distances may become large
        np.fill_diagonal(closeness, 0)
        pull = (12 if step < early else 1) * shares - closeness / closeness.sum()
        weights = pull * closeness
        gradient = 4 * (weights.sum(axis=1)[:, None] * plane - weights @ plane)
        velocity = (0.5 if step < early else 0.8) * velocity - rate * gradient
        plane = plane + velocity
    return plane - plane.mean(axis=0)


def _neighbour_shares(features: np.ndarray, perplexity: float) -> np.ndarray:
    """How much of a neighbour each is to each, (n, n), summing to 1: Gaussians of ``perplexity`` neighbours each."""
    distances = _squared_distances(features)
    np.fill_diagonal(distances, np.inf)
    distances -= distances.min(axis=1, keepdims=True)
    low, high = np.full(len(features), -60.0), np.full(len(features), 60.0)  # of the logarithm of the precision
    for _ in range(60):
        middle = (low + high) / 2
        chance = np.exp(-distances * np.exp(middle)[:, None])
        chance /= chance.sum(axis=1, keepdims=True)
        entropy = -np.sum(chance * np.log(np.maximum(chance, 1e-300)), axis=1)
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    return (chance + chance.T) / (2 * len(features))


def _squared_distances(points: np.ndarray) -> np.ndarray:
    lengths = (points**2).sum(axis=1)
    return np.maximum(lengths[:, None] + lengths[None] - 2 * points @ points.T, 0)
