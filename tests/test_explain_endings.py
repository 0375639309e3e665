"""The softmax is found wherever a model ends, and what cannot be known is asked for."""

import warnings

import keras
import numpy as np
import pytest
from explain_case import images
from keras import layers, ops

from cnnlib import explain
from cnnlib.models import endings

METHODS = {
    "saliency": explain.saliency,
    "grad_cam": explain.grad_cam,
    "occlusion": lambda model, x, *a, **k: explain.occlusion(model, x, *a, window=4, stride=4, **k),
    "integrated": lambda model, x, *a, **k: explain.integrated_gradients(model, x, *a, steps=2, **k),
    "smooth": lambda model, x, *a, **k: explain.smooth_grad(model, x, *a, samples=2, **k),
}


def drawn(model):
    rng = np.random.default_rng(4)
    model.set_weights([rng.normal(0, 0.9, w.shape) for w in model.get_weights()])
    return model


def scores_of(x, units=3, **options):
    y = layers.Conv2D(4, 3, activation="tanh", name="conv")(x)
    return layers.Dense(units, name="scores", **options)(layers.GlobalAveragePooling2D()(y))


class Probable(keras.Model):
    """What many write: a class whose call() ends in a function of Keras."""

    def __init__(self, end, **options):
        super().__init__(**options)
        self.conv, self.pool = layers.Conv2D(4, 3, activation="tanh", name="conv"), layers.GlobalAveragePooling2D()
        self.scores, self.end = layers.Dense(3, name="scores"), end

    def call(self, x):
        return self.end(self.scores(self.pool(self.conv(x))))


class Temperature(layers.Layer):
    def call(self, x):
        return ops.softmax(x / 2)


def graph(end, **options):
    x = keras.Input((12, 12, 3))
    return drawn(keras.Model(x, end(scores_of(x, **options))))


def nested(end):
    inner = graph(end)
    x = keras.Input((12, 12, 3))
    return keras.Model(x, layers.Identity()(inner(x)))


def beheaded(end):
    """A head of its own, in a model of its own, that only squashes."""
    z = keras.Input((3,))
    return graph(keras.Model(z, end(z), name="head"))


def in_class(end):
    model = Probable(end)
    model(images())
    return drawn(model)


def class_inside(end):
    inner = in_class(end)
    x = keras.Input((12, 12, 3))
    return keras.Model(x, ops.reshape(inner(x), (-1, 3)))


def sequential(end):
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(4, 3, activation="tanh"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
            end,
        ]
    )
    return drawn(model)


LOGITS = {"functional": lambda: graph(lambda z: z), "class": lambda: in_class(lambda z: z)}
ENDINGS = {
    "operation": lambda: graph(ops.softmax),
    "activation": lambda: graph(lambda z: z, activation="softmax"),
    "layer": lambda: graph(layers.Softmax()),
    "mixed precision": lambda: graph(lambda z: layers.Activation("linear", dtype="float32")(ops.softmax(z))),
    "mixed precision, a layer": lambda: graph(
        lambda z: layers.Activation("linear", dtype="float32")(layers.Activation("softmax")(z))
    ),
    "identity": lambda: graph(lambda z: layers.Identity()(ops.softmax(z))),
    "reshape": lambda: graph(lambda z: layers.Reshape((3,))(layers.Softmax()(layers.Reshape((1, 3))(z)))),
    "operations": lambda: graph(lambda z: ops.squeeze(ops.softmax(ops.expand_dims(z, 1)), 1)),
    "cast": lambda: graph(lambda z: ops.cast(ops.softmax(z), "float32")),
    "log": lambda: graph(ops.log_softmax),
    "nested": lambda: nested(ops.softmax),
    "head": lambda: beheaded(ops.softmax),
    "head, then nothing": lambda: beheaded(lambda z: layers.Identity()(layers.Softmax()(z))),
    "softmax before an empty head": lambda: graph(
        lambda z: keras.Sequential([keras.Input((3,)), layers.Identity()])(ops.softmax(z))
    ),
    "class": lambda: in_class(ops.softmax),
    "class, a layer": lambda: in_class(layers.Softmax()),
    "class, more": lambda: in_class(lambda p: ops.reshape(ops.softmax(ops.expand_dims(p, 1)), (-1, 3))),
    "class inside": lambda: class_inside(ops.softmax),
    "sequential": lambda: sequential(layers.Softmax()),
    "lambda": lambda: graph(layers.Lambda(ops.softmax)),
    "dropout": lambda: sequential(keras.Sequential([layers.Dropout(0.5), layers.Softmax(), layers.Dropout(0.5)])),
}


@pytest.fixture(scope="module")
def expected():
    model = graph(lambda z: z)
    return {name: run(model, images()) for name, run in METHODS.items()}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_softmax_is_found_wherever_it_is(name, expected):
    """The maps are those of the same network without it, and no softmax is taken twice."""
    model = ENDINGS[name]()
    before = model.predict_on_batch(images())
    for method, run in METHODS.items() if name in ("operation", "class", "log") else list(METHODS.items())[:3]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = run(model, images())
        np.testing.assert_allclose(found, expected[method], rtol=2e-3, atol=2e-5, err_msg=method)
    np.testing.assert_array_equal(model.predict_on_batch(images()), before)  # nothing stays changed


@pytest.mark.parametrize("name", LOGITS)
def test_scores_stay_scores(name, expected):
    model = LOGITS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for method, run in METHODS.items():
            np.testing.assert_allclose(run(model, images()), expected[method], rtol=2e-3, atol=2e-5)


def test_a_class_with_layers_of_its_own_is_read(expected):
    x = keras.Input((12, 12, 3))
    model = drawn(keras.Model(x, Temperature()(scores_of(x))))
    with pytest.warns(UserWarning, match="ends in a softmax; the scores before it"):
        found = explain.saliency(model, images())
    np.testing.assert_allclose(found, expected["saliency"] / 2, rtol=2e-3, atol=2e-5)


def test_the_size_of_the_mistake():
    """A sure network: through the softmax the gradient all but vanishes, and a second softmax evens all out."""
    model = graph(ops.softmax)
    model.get_layer("scores").kernel.assign(model.get_layer("scores").kernel * 8)
    with pytest.warns(UserWarning, match="softmax"):
        right = explain.saliency(model, images()).max()
    wrong = explain.saliency(model, images(), from_logits=True).max()  # what was answered for such a model before
    assert wrong < right / 2
    fall = explain.occlusion(model, images(), window=4, stride=4)
    twice = explain.occlusion(model, images(), window=4, stride=4, from_logits=True)
    assert np.abs(twice).max() < np.abs(fall).max() / 2


@keras.saving.register_keras_serializable()
def mine(x):
    return ops.softmax(x)


class Foreign(layers.Layer):
    def call(self, x):
        x = x if ops.is_tensor(x) and not isinstance(x, keras.KerasTensor) else np.asarray(x)  # not for symbols
        return ops.softmax(x)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def twice(z):
    squash = layers.Softmax(name="twice")
    return squash(squash(z))


UNKNOWN = {
    "activation of its own, 'mine'": lambda: graph(layers.Activation(mine)),
    "computes in a call\\(\\) of its own": lambda: graph(Foreign()),
    "between its softmax and its output lies 'mean'": lambda: graph(
        lambda z: layers.Average(name="mean")([ops.softmax(z), ops.softmax(2 * z)])
    ),
    "between its softmax and its output lies 'add": lambda: graph(lambda z: ops.softmax(z) + 1e-7),
    "runs more than once": lambda: graph(twice),
}


@pytest.mark.parametrize("reason", UNKNOWN)
def test_what_cannot_be_known_is_asked_for(reason):
    model = UNKNOWN[reason]()
    for run in METHODS.values():
        with pytest.raises(ValueError, match=rf"cannot be known: .*{reason}.*from_logits=True if no softmax"):
            run(model, images())
    with pytest.raises(ValueError, match="from_logits='yes'"):
        explain.saliency(model, images(), from_logits="yes")
    scores = explain.saliency(model, images(), from_logits=True)
    assert scores.shape == (5, 12, 12)
    with pytest.warns(UserWarning, match="the probabilities themselves are explained|the scores before it"):
        explain.saliency(model, images(), from_logits=False)
    assert explain.occlusion(model, images(), window=4, stride=4, from_logits=False).shape == (5, 12, 12)


def test_what_the_caller_says_is_believed(expected):
    model = graph(Foreign())
    told = explain.occlusion(model, images(), window=4, stride=4, from_logits=False)
    np.testing.assert_allclose(told, expected["occlusion"], atol=1e-6)


# Several outputs ------------------------------------------------------------------------------------------------------


def two(form):
    x = keras.Input((12, 12, 3))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="tanh", name="conv")(x))
    kind, age = layers.Dense(3, activation="softmax", name="kind")(y), layers.Dense(2, name="age")(y)
    return drawn(keras.Model(x, {"kind": kind, "age": age} if form == "dict" else [kind, age], name="two"))


@pytest.mark.parametrize("form", ["list", "dict"])
def test_one_of_two_outputs_is_named(form):
    model = two(form)
    for run in METHODS.values():
        with pytest.raises(ValueError, match="'two' has 2 outputs: '(kind', 'age|age', 'kind)'.*Say so: output='"):
            run(model, images())
    with pytest.raises(ValueError, match="has no output 'sort'; it has: '"):
        explain.grad_cam(model, images(), output="sort")
    kind = keras.Model(model.inputs, model.get_layer("kind").output)
    age = keras.Model(model.inputs, model.get_layer("age").output)
    with pytest.warns(UserWarning, match="ends in a softmax"):
        explain.saliency(model, images(), output="kind")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, run in METHODS.items():
            for alone, output in ((kind, "kind"), (age, "age"), (age, 1 if form == "list" else "age")):
                told, wanted = run(model, images(), output=output), run(alone, images())
                np.testing.assert_allclose(told, wanted, rtol=1e-4, atol=1e-6, err_msg=name)
    with pytest.raises(ValueError, match="class 2 is out of range: the model has 2"):
        explain.saliency(model, images(), 2, output="age")
    assert explain.answers(model, images(), output="age").max() <= 1
    assert explain.maximise(model, 1, steps=2, output="age").shape == (12, 12, 3)
    assert explain.activations(model, images(), "conv").shape == (5, 10, 10, 4)
    with pytest.raises(ValueError, match=r"2 outputs \((kind, age|age, kind)\), so there is no one last layer"):
        explain.penultimate(model, images())


def test_one_output_of_a_class_that_returns_a_dict():
    class Both(Probable):
        def call(self, x):
            return {"p": super().call(x), "z": self.scores(self.pool(self.conv(x)))}

    model = Both(ops.softmax)
    model(images())
    with pytest.raises(ValueError, match="2 outputs: '[pz]', '[pz]'"):
        explain.saliency(model, images())
    with pytest.warns(UserWarning, match="softmax"):
        through = explain.saliency(model, images(), 1, output="p")
    np.testing.assert_allclose(through, explain.saliency(model, images(), 1, output="z"), rtol=1e-4, atol=1e-6)


def test_endings_say_what_they_found():
    assert endings.ending(graph(ops.softmax)).squash == "softmax"
    assert endings.ending(graph(ops.sigmoid)).squash == "sigmoid"
    assert endings.ending(graph(lambda z: z / 3 + 1)).squash is None
    assert endings.ending(graph(lambda z: z / 3 + 1)).reason == ""
    assert "lies" in endings.ending(graph(lambda z: 2 * ops.sigmoid(z))).reason
