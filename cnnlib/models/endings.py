"""How a model ends: whether its output has passed a softmax or a sigmoid, and what it was before.

The last layer need not tell: a softmax may be an operation (``ops.softmax``), lie in a model within the model or in a
class with a ``call`` of its own, and be followed by what changes no value (a cast, ``Identity``, ``Reshape``). `ending`
goes back from the output, through all of these, to the softmax or to the layer that computed the scores. What it cannot
read, it does not guess.
"""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import keras
from keras import layers, tree

from cnnlib.trace.symbols import untouched
from cnnlib.trace.walk import is_graph

__all__ = ["Ending", "ending", "output_names", "pick", "replaced_call"]

SQUASHES = {"softmax": "softmax", "Softmax": "softmax", "sigmoid": "sigmoid", "Sigmoid": "sigmoid"}
SQUASHES |= {"log_softmax": "log_softmax", "LogSoftmax": "log_softmax"}
# These change no value, at test time.
_PASSING_LAYERS = (layers.Identity, layers.Reshape, layers.Flatten, layers.ActivityRegularization, layers.Dropout)
_PASSING_OPERATIONS = ("Identity", "Reshape", "Squeeze", "ExpandDims", "Cast", "Copy", "StopGradient")
_OPAQUE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")  # code that is not Keras


class WhichOutput(ValueError):
    """A model has several outputs, and which one is meant is not said, or there is none of that name."""


class NotReadable(Exception):
    """How the model ends cannot be read from it; the message says why."""


@dataclass(frozen=True)
class Ending:
    """What was found at the end of a model.

    Attributes:
        squash: "softmax", "sigmoid" or "log_softmax" if the output has passed one, else None.
        without: a context in which the model returns what it has before; None if that cannot be had.
        reason: why it is not known, else "".
    """

    squash: str | None = None
    without: Callable | None = None
    reason: str = ""


def output_names(model: keras.Model) -> list[str]:
    """Names of the outputs of a model with a graph: the keys of a dict, or the layers; [] if there is no graph."""
    if not is_graph(model):
        return []
    structure = model.output if not isinstance(model, keras.Sequential) else model.outputs
    if isinstance(structure, dict):
        return list(structure)
    return [tensor._keras_history.operation.name for tensor in model.outputs]


def pick(model: keras.Model, result, output: str | int | None):
    """The one output of all that a model has returned: a tensor, a list or a dict of them.

    Raises:
        WhichOutput: there are several and none is named, or there is none of that name.
    """
    if isinstance(result, dict):
        known = dict(result)
    elif isinstance(result, (list, tuple)):
        names = output_names(model)
        known = dict(zip(names if len(set(names)) == len(result) else range(len(result)), result))
    else:
        known = dict(zip(output_names(model) or ["the only one"], [result]))
    if output is None and len(known) == 1:
        return next(iter(known.values()))
    if output in known:
        return known[output]
    if type(output) is int and 0 <= output < len(known) and not isinstance(result, dict):  # the order of a dict varies
        return list(known.values())[output]
    names = ", ".join(map(repr, known))
    if output is None:
        raise WhichOutput(
            f"model {model.name!r} has {len(known)} outputs: {names}. Which one is to be explained? Say so: "
            f"output={next(iter(known))!r}."
        )
    raise WhichOutput(f"model {model.name!r} has no output {output!r}; it has: {names}.")


@contextlib.contextmanager
def replaced_call(layer: keras.Operation, make: Callable[[Callable], Callable]):
    """Within it, the layer runs ``make(its own call)``. For functions that trace a model, not for shared models."""
    own = layer.call
    before = layer.__dict__.get("call")
    layer.__dict__["call"] = make(own)
    try:
        yield
    finally:
        if before is None:
            del layer.__dict__["call"]
        else:
            layer.__dict__["call"] = before


def ending(model: keras.Model, output: str | int | None = None, shape: Sequence[int] | None = None) -> Ending:
    """How an output of a model ends.

    Args:
        model: built.
        output: name or number of one of several outputs.
        shape: of one image, for a model that does not tell.

    Raises:
        WhichOutput: as `pick`.
    """
    with untouched(model):
        try:
            if is_graph(model):
                structure = model.outputs[0] if isinstance(model, keras.Sequential) else model.output
                return _Search().from_tensor(pick(model, structure, output), [])
            return _Search().from_class(model, [keras.Input(shape)], [], lambda result: pick(model, result, output))
        except NotReadable as reason:
            return Ending(reason=str(reason))


@dataclass
class _Class:
    """A class with a ``call`` of its own, read by calling it with symbols."""

    layer: weakref.ref
    symbols: list
    result: object  # what it returned for them: a tensor, or a structure of tensors
    chosen: keras.KerasTensor  # the one of them that is followed
    passed: list = field(default_factory=list)  # operations between the softmax and the output, the last one first


class _Search:
    def from_class(self, layer, symbols: list, owners: list, choose: Callable) -> Ending:
        options = {"training": False} if "training" in inspect.signature(layer.call).parameters else {}
        try:
            result = layer.call(*symbols, **options)
            tensor = choose(result)
            if not isinstance(tensor, keras.KerasTensor):
                raise TypeError(f"it returns {type(tensor).__name__}")
        except (NotReadable, WhichOutput):
            raise
        except Exception:  # whatever a stranger's code raises
            raise NotReadable(
                f"{layer.name!r} ({type(layer).__name__}) computes in a call() of its own, which Keras cannot follow"
            ) from None
        return self.from_tensor(tensor, [*owners, _Class(weakref.ref(layer), symbols, result, tensor)])

    def from_tensor(self, tensor: keras.KerasTensor, owners: list) -> Ending:
        """Go back from a tensor. ``owners`` are the models and classes that it lies in, outermost first."""
        while True:
            operation, node, index = tensor._keras_history
            inside = operation.layer if isinstance(operation, layers.Wrapper) else operation
            if isinstance(operation, layers.InputLayer):
                return self.into_the_input(tensor, owners)
            if is_graph(operation):
                return self.from_tensor(operation.outputs[index], [*owners, (operation, tensor)])
            if squash := _squash(inside):
                if _runs(operation, tensor) > 1:
                    raise NotReadable(f"layer {operation.name!r}, a {squash}, runs more than once in it")
                return Ending(squash, self.without(inside, tensor, owners))
            if _computes_scores(inside):
                return Ending()
            inputs = _inputs(tensor)
            if _passes(operation) and len(inputs) == 1:
                if owners and isinstance(owners[-1], _Class):
                    owners[-1].passed.append(operation)
                tensor = inputs[0]
            elif not _from_keras(operation):
                symbols = [keras.Input(batch_shape=each.shape, dtype=each.dtype) for each in inputs]
                return self.from_class(
                    operation, symbols, owners, lambda result, index=index: tree.flatten(result)[index]
                )
            else:
                self.refuse_squashes_behind(operation, inputs)
                return Ending()

    def into_the_input(self, tensor: keras.KerasTensor, owners: list) -> Ending:
        """The output is what the model has been given: look at what that was."""
        if not owners:
            return Ending()
        *outer, owner = owners
        if isinstance(owner, _Class):
            raise NotReadable(f"{owner.layer().name!r} passes on what it gets")
        model, result = owner
        place = next(i for i, own in enumerate(model.inputs) if own is tensor)
        return self.from_tensor(_inputs(result)[place], outer)

    def without(self, operation, tensor, owners: list) -> Callable | None:
        """A context in which the squash does nothing."""
        owner = owners[-1] if owners else None
        if isinstance(operation, (layers.Softmax, layers.Activation)) or (
            not isinstance(operation, keras.Layer) and not isinstance(owner, _Class)
        ):
            return lambda: replaced_call(operation, lambda own: lambda inputs, *args, **kwargs: inputs)
        if isinstance(operation, keras.Layer):
            return lambda: _linear(operation)
        # An operation in a call(): the class computes by the graph that its call() has shown, up to the softmax.
        scores = _inputs(tensor)[0]
        for passing in reversed(owner.passed):
            scores = passing(scores)
        result = tree.map_structure(lambda each: scores if each is owner.chosen else each, owner.result)
        short = keras.Model(owner.symbols, result)

        def make(own):
            return lambda *inputs, **kwargs: short(list(inputs[: len(owner.symbols)]), training=False)

        return lambda: replaced_call(owner.layer(), make)

    def refuse_squashes_behind(self, operation, inputs: Sequence) -> None:
        """A sum or a mean of probabilities is none of scores."""
        todo, seen = [(tensor, ()) for tensor in inputs], set()
        while todo:
            tensor, outer = todo.pop()
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            source, _, index = tensor._keras_history
            inside = source.layer if isinstance(source, layers.Wrapper) else source
            if squash := _squash(inside):
                raise NotReadable(f"between its {squash} and its output lies {operation.name!r}")
            if isinstance(source, layers.InputLayer):
                if outer:
                    place = next(i for i, own in enumerate(outer[0].inputs) if own is tensor)
                    todo.append((_inputs(outer[1])[place], outer[2]))
            elif is_graph(source):
                todo.append((source.outputs[index], (source, tensor, outer)))
            elif not _computes_scores(inside):
                if not _from_keras(source):
                    raise NotReadable(f"what {source.name!r} ({type(source).__name__}) computes is not known")
                todo += [(each, outer) for each in _inputs(tensor)]


def _inputs(tensor: keras.KerasTensor) -> list:
    operation, node, _ = tensor._keras_history
    return list(operation._inbound_nodes[node].input_tensors)


def _runs(operation, tensor: keras.KerasTensor) -> int:
    """How often an operation runs on the way to a tensor."""
    todo, nodes, seen = [tensor], set(), set()
    while todo:
        each = todo.pop()
        source, node, _ = each._keras_history
        if (id(source), node) not in seen:
            seen.add((id(source), node))
            todo += _inputs(each)
            if source is operation:
                nodes.add(node)
    return len(nodes)


def _from_keras(operation) -> bool:
    kind = type(operation)
    return kind.__module__.split(".")[0] == "keras" and kind.__name__ not in _OPAQUE


def _keras_call(operation) -> bool:
    """Does it compute as a class of Keras does? A subclass may have more attributes, but no call() of its own."""
    base = next(kind for kind in type(operation).__mro__ if kind.__module__.split(".")[0] == "keras")
    return type(operation).call is base.call and base is not keras.Layer


def _squash(operation) -> str | None:
    """The name of the squashing function that it ends in. NotReadable if its activation is a function of one's own."""
    if not isinstance(operation, keras.Layer):
        return SQUASHES.get(type(operation).__name__) if _from_keras(operation) else None
    if not _keras_call(operation):
        return None
    if isinstance(operation, layers.Softmax):
        return "softmax"
    activation = getattr(operation, "activation", None)
    if activation is None or not callable(activation) or isinstance(operation, layers.RNN):
        return None
    name = getattr(activation, "__name__", type(activation).__name__)
    if name in SQUASHES:
        return SQUASHES[name]
    if isinstance(activation, keras.Layer):
        return _squash(activation)
    home = (getattr(activation, "__module__", None) or "").split(".")[0]
    if home != "keras":
        raise NotReadable(f"layer {operation.name!r} has an activation of its own, {name!r}")
    return None


def _computes_scores(operation) -> bool:
    """A layer that multiplies by weights and sums: what it returns are scores, whatever came before."""
    if not isinstance(operation, keras.Layer) or not _keras_call(operation):
        return False
    kinds = (layers.MultiHeadAttention, layers.RNN, layers.Embedding)
    return hasattr(operation, "kernel") or hasattr(operation, "depthwise_kernel") or isinstance(operation, kinds)


def _passes(operation) -> bool:
    if isinstance(operation, layers.Activation):
        return operation.activation is keras.activations.linear
    if isinstance(operation, keras.Layer):
        return isinstance(operation, _PASSING_LAYERS) and _keras_call(operation)
    return _from_keras(operation) and type(operation).__name__ in _PASSING_OPERATIONS


@contextlib.contextmanager
def _linear(layer: keras.Layer) -> Iterator[None]:
    activation = layer.activation
    layer.activation = keras.activations.linear
    try:
        yield
    finally:
        layer.activation = activation
