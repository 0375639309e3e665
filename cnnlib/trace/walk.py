"""The walk over a model's graph, and the checks of what it is given."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import keras
import numpy as np
from keras import tree

from cnnlib.trace import sequences
from cnnlib.trace.call import Call, Tensor
from cnnlib.trace.layers import GIVEN, LAYERS, NO_RULES, Rule, Rules, rules_for
from cnnlib.trace.result import Number, PerAxis, Row, Trace, shape_text
from cnnlib.trace.symbols import untouched
from cnnlib.trace.windows import PIXELS, Axis, Field, NotKnown, Unknown

# What a user calls ----------------------------------------------------------------------------------------------------


def trace(
    model: keras.Model,
    input_shape: Sequence | Mapping | None = None,
    source: str | None = None,
    rules: Mapping[str | type, str | type | tuple] | None = None,
) -> Trace:
    """Shapes, parameters, multiply-accumulates and receptive field of every layer of a model (lesson 02).

    Args:
        model: a functional or built Sequential model. Models inside it are walked through, at any depth, and so are
            layers whose ``call`` is made of Keras layers and ``keras.ops``.
        input_shape: shape of one image, such as ``(224, 224, 3)``, where the model leaves it open, or to try another
            size. For several inputs a list, or a dict by name.
        source: for several inputs, the name of the one whose pixels are counted; if not given, the first image.
        rules: what you know of layers of your own, by class or by name: ``"pointwise"`` (each position by itself),
            ``"global"`` (each output depends on all positions), or the Keras layer class that it reads and costs like.
            A pair adds the multiply-accumulates for one example, as a number or as a formula ``f(layer, input_shapes,
            output_shape)``: ``rules={"mixer": ("global", lambda layer, inputs, output: ...)}``. Without it they are
            not counted, and the total says that it is partial.

    Returns:
        A `Trace`, which prints as a table. ``.rows``, ``.records()`` and ``.total_macs`` give the same as objects, as
        plain data and as a sum; `cnnlib.plotting.architecture` draws it.

    Raises:
        TypeError: not a Keras model.
        ValueError: a subclassed model without a graph, a model that is not built, or a size that is left open.
    """
    require_graph(model)
    _check_rules(rules or {})
    names = _input_names(model)
    shapes = _input_shapes(model, names, input_shape)
    source = _source(names, shapes, source)
    walk = _Walk(rules or {})
    data_format = next((f for f in (getattr(o, "data_format", None) for o in _operations(model)) if f), None)
    tensors = []
    for name, shape in zip(names, shapes):
        seen = _pixel_axes(shape, data_format) if name == source else None
        size, jump, start, *_ = _summary(seen)
        walk.rows.append(Row(name, "InputLayer", shape, 0, 0, size, jump, start, ()))
        walk.seen[name] = seen
        tensors.append(Tensor(shape, name, seen))
    walk.model(model, tensors, path="")
    known = {name: seen for name, seen in walk.seen.items() if isinstance(seen, tuple)}
    ends = {name: [(axis.where, axis.first, axis.last) for axis in known.get(name, ())] for name in walk.seen}
    return Trace(model.name, source, dict(zip(names, shapes))[source], walk.rows, ends)


def is_graph(layer: object) -> bool:
    """Is it a model whose graph of layers is known: functional, or Sequential and built?"""
    if not isinstance(layer, (keras.Function, keras.Sequential)):
        return False
    keras_class = next(kind for kind in type(layer).__mro__ if kind.__module__.split(".")[0] == "keras")
    return type(layer).call is keras_class.call and hasattr(layer, "inputs")


def require_graph(model: object) -> None:
    """TypeError or ValueError that says why a model cannot be traced, and what to do."""
    if not isinstance(model, keras.Model):
        hint = " Build one first: keras.applications.VGG16(weights=None)." if callable(model) else ""
        raise TypeError(f"model must be a Keras model, got {type(model).__name__}.{hint}")
    if is_graph(model):
        return
    if isinstance(model, keras.Sequential):
        raise ValueError(
            f"model {model.name!r} is not built: its layers have no shapes yet. Begin it with keras.Input((height, "
            "width, channels)), or call model.build((None, height, width, channels)) before tracing."
        )
    raise ValueError(
        f"model {model.name!r} ({type(model).__name__}) computes in its own call(), so Keras knows no graph of layers "
        "for it. Trace the models inside it. Or make a functional model of it, if call() uses only Keras layers and "
        "keras.ops: x = keras.Input((height, width, channels)), then trace(keras.Model(x, model.call(x)))."
    )


# What it is given -----------------------------------------------------------------------------------------------------


def _check_rules(rules: Mapping) -> None:
    for key, rule in rules.items():
        reach, *costs = rule if isinstance(rule, tuple) and rule else (rule,)
        if not (reach in GIVEN if isinstance(reach, str) else reach in LAYERS):
            raise ValueError(
                f"the rule for {key!r} must be 'pointwise', 'global' or a Keras layer class whose reach is known, such "
                f"as keras.layers.Conv2D, got {reach!r}."
            )
        count = len(costs) == 1 and isinstance(costs[0], int) and not isinstance(costs[0], bool) and costs[0] >= 0
        if costs and not (count or (len(costs) == 1 and callable(costs[0]))):
            raise ValueError(
                f"the rule for {key!r} must be a reach, or (reach, multiply-accumulates) with a whole number or a "
                f"formula f(layer, input_shapes, output_shape), got {rule!r}."
            )


def _input_names(model: keras.Model) -> list[str]:
    """Names of the input layers, in the order of ``model.inputs``."""
    if isinstance(model, keras.Sequential):
        return ["input"]
    layers = {id(layer.output): layer.name for layer in model.layers if isinstance(layer, keras.layers.InputLayer)}
    return [layers.get(id(symbol), symbol.name) for symbol in model.inputs]


def _input_shapes(model: keras.Model, names: Sequence[str], given: Sequence | Mapping | None) -> list[tuple[int, ...]]:
    """One shape for each input, without the batch axis."""
    own = [tuple(symbol.shape[1:]) for symbol in model.inputs]
    if given is None:
        wanted = own
    elif isinstance(given, Mapping):
        strange = sorted(set(given) - set(names))
        if strange:
            raise ValueError(f"input_shape names {', '.join(strange)}, but the inputs are {', '.join(names)}.")
        wanted = [given.get(name, shape) for name, shape in zip(names, own)]
    else:
        wanted = list(given) if isinstance(given[0], (tuple, list)) else [given]
    if len(wanted) != len(own):
        raise ValueError(f"the model has {len(own)} inputs ({', '.join(names)}), got {len(wanted)} shapes.")
    return [_input_shape(name, tuple(want), shape) for name, want, shape in zip(names, wanted, own)]


def _input_shape(name: str, wanted: tuple, own: tuple) -> tuple[int, ...]:
    if len(wanted) == len(own) + 1 and wanted[0] is None:
        wanted = wanted[1:]  # given with the batch axis
    if len(wanted) != len(own):
        raise ValueError(f"input {name!r} has the shape {own} without the batch axis, got input_shape={wanted}.")
    return _concrete([o if w is None else w for o, w in zip(own, wanted)], f"input {name!r}")


def _concrete(shape: Sequence[int | None], what: str) -> tuple[int, ...]:
    if any(n is None for n in shape):
        raise ValueError(
            f"{what} has the open shape {tuple(shape)}. Sizes, costs and borders depend on the size of the image, so "
            "give one: trace(model, input_shape=(224, 224, 3))."
        )
    return tuple(int(n) for n in shape)


def _source(names: Sequence[str], shapes: Sequence[tuple], source: str | None) -> str:
    if source is None:
        return next((name for name, shape in zip(names, shapes) if len(shape) > 1), names[0])
    if source not in names:
        raise ValueError(f"source={source!r} is not an input of the model; its inputs are {', '.join(names)}.")
    return source


def _operations(model: keras.Model) -> Iterator[keras.Operation]:
    """All layers and operations of a model, those of models inside it included."""
    for operation in getattr(model, "operations", None) or model.layers:
        if is_graph(operation):
            yield from _operations(operation)
        else:
            yield operation


def _pixel_axes(shape: tuple[int, ...], data_format: str | None) -> Field:
    """The image as it sees itself, each pixel one pixel. A vector of features has no axes."""
    channels_first = (data_format or keras.config.image_data_format()) == "channels_first"
    places = range(1 - len(shape), 0) if channels_first else range(-len(shape), -1)
    pixels = [(where, np.arange(shape[where])) for where in places]
    return tuple(Axis(where, each, each, PIXELS, len(each)) for where, each in pixels)


# The walk -------------------------------------------------------------------------------------------------------------


class _Recorder(keras.Operation):
    """Stands for a layer in the cloned model and reports its calls."""

    def __init__(self, layer: keras.Operation, report: Callable):
        super().__init__(name=layer.name)
        self.layer = layer
        self.report = report

    def compute_output_spec(self, *args, **kwargs):
        return self.report(self.layer, args, kwargs)


@dataclass
class _Walk:
    """Follows the tensors of a model from recorder to recorder and writes a row for each call."""

    rules: Mapping
    rows: list[Row] = field(default_factory=list)
    seen: dict[str, Field | Unknown | None] = field(default_factory=dict)  # by row name
    tensors: dict[int, Tensor] = field(default_factory=dict)  # by the id of the KerasTensor that stands for it
    alive: list = field(default_factory=list)  # what is known by its id must not be freed
    counted: set[int] = field(default_factory=set)  # ids of weights
    calls: dict[int, int] = field(default_factory=dict)  # by the id of the layer
    refusal: ValueError | None = None

    def know(self, symbol: keras.KerasTensor, tensor: Tensor) -> keras.KerasTensor:
        self.alive.append(symbol)
        self.tensors[id(symbol)] = tensor
        return symbol

    def model(self, model: keras.Model, inputs: Sequence[Tensor], path: str) -> list[Tensor]:
        """Walk through a model on these inputs, and give its outputs."""
        symbols = [
            self.know(keras.Input(batch_shape=(None, *tensor.shape), dtype=own.dtype, name=own.name), tensor)
            for tensor, own in zip(inputs, model.inputs)
        ]

        def record(layer: keras.Operation) -> _Recorder:
            return _Recorder(layer, lambda *call: self.call(*call, path))

        # A plain copy of the graph: the model's own class and its losses need not survive being cloned.
        plain = keras.Model(list(model.inputs), list(model.outputs), name=model.name)
        try:
            recorded = keras.models.clone_model(plain, input_tensors=symbols, clone_function=record)
        except ValueError as error:
            raise (self.refusal or error) from None  # Keras wraps what a recorder raises
        return [self.tensors[id(output)] for output in recorded.outputs]

    def call(self, layer: keras.Operation, args: tuple, kwargs: dict, path: str):
        """A recorder's report: one call of a layer. The answer is what the layer would return, as symbols."""
        symbols = [x for x in tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
        inputs = [self.tensors[id(x)] for x in symbols]
        if is_graph(layer):
            return self.nested(layer, inputs, f"{path}{layer.name}/")
        try:
            _require_fit(layer, inputs)
            rules = rules_for(layer, self.rules)
            if rules is NO_RULES and isinstance(layer, keras.layers.TimeDistributed):
                return self.each_step(layer, inputs[0], path)
            if rules is NO_RULES and isinstance(layer, keras.Layer):
                with untouched(layer):
                    composed = _composed(layer, args, kwargs, inputs)
                    if composed is not None:
                        return self.composite(layer, *composed, inputs, path)
            call = Call(layer, inputs, self.named(layer, args, kwargs), args, kwargs, ())
            outputs = layer.compute_output_spec(*args, **kwargs)
            if isinstance(layer, keras.layers.EinsumDense):  # its own answer may have holes
                outputs = keras.KerasTensor((None, *sequences.einsum_shape(call)), dtype=outputs.dtype)
            symbols = [x for x in tree.flatten(outputs) if isinstance(x, keras.KerasTensor)]
            shapes = [_concrete(symbol.shape[1:], f"the output of {layer.name!r}") for symbol in symbols]
        except ValueError as error:
            self.refusal = error
            raise
        call = replace(call, output_shape=shapes[0])
        name = self.row(call, rules, path)
        for index, (symbol, shape) in enumerate(zip(symbols, shapes)):
            other = replace(call, output_shape=shape, output_index=index)
            seen = _follow(rules[0], other) if index else self.seen[name]
            self.know(symbol, Tensor(shape, name, seen))
        return outputs

    def named(self, layer: keras.Operation, args: tuple, kwargs: dict) -> dict[str, Tensor]:
        """Tensors by the names of the parameters that they are given for."""
        try:
            given = inspect.signature(layer.call).bind(*args, **kwargs).arguments
        except TypeError:
            return {}
        return {n: self.tensors[id(x)] for n, x in given.items() if isinstance(x, keras.KerasTensor)}

    def inside(self) -> _Walk:
        """A walk whose rows are not shown, only summed up."""
        return _Walk(self.rules, alive=self.alive, counted=self.counted)

    def composite(self, layer: keras.Layer, model: keras.Model, result, inputs: Sequence[Tensor], path: str):
        """A layer made of layers is walked through like a model; one made of operations alone is one row."""
        if any(isinstance(o, keras.Layer) and not isinstance(o, keras.layers.InputLayer) for o in model.operations):
            outputs = self.model(model, inputs, f"{path}{layer.name}/")
            rest = self.count(layer)
            if rest:
                row = tuple(dict.fromkeys(tensor.row for tensor in outputs))
                note = ["weights of its own, beside those of its layers"]
                self.write(self.name(layer, path), layer, outputs[0], rest, 0, row, note)
        else:
            parameters, walk = self.count(layer), self.inside()
            outputs = walk.model(model, inputs, "")
            notes = [row.note for row in walk.rows if row.note.startswith("receptive field unknown")][:1]
            notes += ["multiply-accumulates not counted"] * (walk.macs() is None)
            read = tuple(dict.fromkeys(tensor.row for tensor in inputs))
            name = self.write(self.name(layer, path), layer, outputs[0], parameters, walk.macs(), read, notes)
            outputs = [replace(tensor, row=name) for tensor in outputs]
        symbols = [
            self.know(keras.KerasTensor((None, *tensor.shape), dtype=own.dtype), tensor)
            for tensor, own in zip(outputs, model.outputs)
        ]
        return tree.pack_sequence_as(result, symbols)

    def each_step(self, layer: keras.layers.TimeDistributed, tensor: Tensor, path: str):
        """TimeDistributed: one row, with the work of all steps; what a step sees, its layer tells."""
        steps, rank, walk = tensor.shape[0], len(tensor.shape), self.inside()
        one = keras.KerasTensor((None, *tensor.shape[1:]))
        walk.know(one, Tensor(tensor.shape[1:], tensor.row, sequences.without_time(tensor.field, rank)))
        parameters = self.count(layer)
        result = walk.call(layer.layer, (one,), {}, "")
        out = walk.tensors[id(result)]
        seen = out.field
        if isinstance(seen, tuple):
            seen = sequences.with_time(tensor.field, seen, rank, len(out.shape) + 1)
        notes = [row.note for row in walk.rows if row.note.startswith("receptive field unknown")][:1]
        notes += ["multiply-accumulates not counted"] * (walk.macs() is None)
        macs = None if walk.macs() is None else steps * walk.macs()
        after = Tensor((steps, *out.shape), "", seen)
        name = self.write(self.name(layer, path), layer, after, parameters, macs, (tensor.row,), notes)
        return self.know(keras.KerasTensor((None, *after.shape), dtype=result.dtype), replace(after, row=name))

    def macs(self) -> int | None:
        """Of all rows together; None if those of one are not known."""
        counts = [row.macs for row in self.rows]
        return None if None in counts else sum(counts)

    def nested(self, model: keras.Model, inputs: Sequence[Tensor], path: str):
        symbols = [
            self.know(keras.KerasTensor((None, *tensor.shape), dtype=own.dtype), tensor)
            for tensor, own in zip(self.model(model, inputs, path), model.outputs)
        ]
        if isinstance(model, keras.Sequential):
            return symbols[0]
        return tree.pack_sequence_as(model.output, symbols)

    def row(self, call: Call, rules: Rules, path: str) -> str:
        """Add the row of a call, and give its name."""
        layer, notes = call.layer, []
        seen = _follow(rules[0], call)
        if isinstance(seen, Unknown) and not any(isinstance(tensor.field, Unknown) for tensor in call.inputs):
            notes.append(f"receptive field unknown from here on: {seen.reason}")
        macs = rules[1](call)
        if macs is None:
            notes.append("multiply-accumulates not counted")
        inputs = tuple(dict.fromkeys(tensor.row for tensor in call.inputs))
        tensor = Tensor(call.output_shape, "", seen)
        return self.write(self.name(layer, path), layer, tensor, self.count(layer), macs, inputs, notes)

    def name(self, layer: keras.Operation, path: str) -> str:
        """The name of the next row of a layer."""
        self.alive.append(layer)
        self.calls[id(layer)] = self.calls.get(id(layer), 0) + 1
        times = self.calls[id(layer)]
        return path + layer.name + (f" (call {times})" if times > 1 else "")

    def write(
        self,
        name: str,
        layer: keras.Operation,
        tensor: Tensor,
        parameters: int,
        macs: int | None,
        inputs: tuple[str, ...],
        notes: Sequence[str],
    ) -> str:
        """Add a row for what a layer returns."""
        self.seen[name] = tensor.field
        size, jump, start, whole, remark = _summary(tensor.field)
        note = "; ".join([*notes, *remark])
        numbers = (parameters, macs, size, jump, start)
        self.rows.append(Row(name, type(layer).__name__, tensor.shape, *numbers, inputs, whole, note))
        return name

    def count(self, layer: keras.Operation) -> int:
        """Weights of a layer that have not been counted yet."""
        new = [weight for weight in getattr(layer, "weights", ()) if id(weight) not in self.counted]
        self.counted.update(map(id, new))
        return sum(math.prod(weight.shape) for weight in new)


def _composed(layer: keras.Layer, args: tuple, kwargs: dict, inputs: Sequence[Tensor]):
    """(model of what the layer's call() does, the structure it returns), or None where Keras cannot follow it."""
    fresh = iter([keras.Input(batch_shape=(None, *t.shape), name=f"{layer.name}_{i}") for i, t in enumerate(inputs)])
    made = []

    def swap(value):
        if not isinstance(value, keras.KerasTensor):
            return value
        made.append(next(fresh))
        return made[-1]

    try:
        new_args, new_kwargs = tree.map_structure(swap, (args, kwargs))
        if "training" in inspect.signature(layer.call).parameters:
            new_kwargs = {"training": False, **new_kwargs}
        result = layer.call(*new_args, **new_kwargs)
        return keras.Model(made, tree.flatten(result), name=layer.name), result
    except Exception:  # whatever a stranger's code raises when it meets a symbol
        return None


def _require_fit(layer: keras.Operation, inputs: Sequence[Tensor]) -> None:
    """Refuse a tensor that the layer was not built for: at another image size a dense head does not fit."""
    spec = getattr(layer, "input_spec", None)
    if len(inputs) != 1 or not getattr(spec, "axes", None):
        return
    shape = (None, *inputs[0].shape)
    for axis, expected in spec.axes.items():
        if -len(shape) <= axis < len(shape) and expected is not None and shape[axis] not in (None, expected):
            raise ValueError(
                f"layer {layer.name!r} was built for {expected} values on axis {axis} and gets {shape[axis]}, in an "
                f"input of {shape_text(inputs[0].shape)}. Is it the right number of channels? A dense layer behind a "
                "Flatten fixes the size of the image: trace the model at its own size, or without its top."
            )


def _follow(rule: Rule, call: Call) -> Field | Unknown | None:
    """What the output of a call sees: nothing of the image, something unknown, or what the rule says."""
    fields = [tensor.field for tensor in call.inputs]
    if all(each is None for each in fields):
        return None
    unknown = next((each for each in fields if isinstance(each, Unknown)), None)
    if unknown:
        return unknown
    try:
        return rule(call)
    except NotKnown as reason:
        return Unknown(str(reason))


def _summary(seen: Field | Unknown | None) -> tuple[PerAxis, PerAxis, PerAxis, bool, list[str]]:
    """Receptive field, jump, start, whole image, and remarks where one number does not say it all."""
    if not isinstance(seen, tuple) or not seen:
        return None, None, None, False, []
    sizes, jumps, starts, remarks = [], [], [], []
    for axis in seen:
        first, last = (axis.endless.first, axis.endless.last) if axis.endless else (axis.first, axis.last)
        widths = (last - first + 1)[first <= last]
        smallest, largest = (int(widths.min()), int(widths.max())) if len(widths) else (0, 0)
        sizes.append(largest)
        if smallest != largest:
            remarks.append(f"units see {smallest} to {largest} pixels, depending on their position")
        regular = axis.endless and axis.where is not None and not axis.tangled
        jumps.append(_plain(axis.endless.jump) if regular else None)
        starts.append(_plain(Fraction(int(first[0] + last[0]), 2)) if regular and first[0] <= last[0] else None)
    whole = all(axis.sees_everything for axis in seen)
    return _joined(sizes), _joined(jumps), _joined(starts), whole, list(dict.fromkeys(remarks))


def _plain(value: Fraction) -> Number:
    return int(value) if value.denominator == 1 else float(value)


def _joined(values: Sequence) -> PerAxis:
    """One number where the axes agree, otherwise one for each axis."""
    return values[0] if len(set(values)) == 1 else tuple(values)
