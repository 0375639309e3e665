"""Value and gradient of a function of arrays, the same on TensorFlow, JAX and PyTorch (lessons 01, 02 and 03).

Keras 3 has no public function that differentiates, because its three backends do it in three ways: TensorFlow records
operations on a tape, JAX transforms the function, PyTorch lets the result remember where it came from. This module is
the only one of the course that knows the backend. What is to be differentiated is written with ``keras.ops``.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops, tree

# What the lessons call ------------------------------------------------------------------------------------------------


def value_and_grad(
    fn: Callable, argnums: int | tuple[int, ...] = 0, jit: bool = True, has_aux: bool = False
) -> Callable:
    """A function that computes ``fn`` and its gradient in one go.

    Args:
        fn: a function of arrays, written with ``keras.ops``, that returns one number (shape ``()``). An argument may
            also be a list, tuple or dict of arrays. Models and variables that ``fn`` uses are read anew at every call,
            and what it changes in them (moving statistics, random state) is kept.
        argnums: which positional argument to differentiate; a tuple for several.
        jit: compile where the backend can (TensorFlow: a graph, without XLA; JAX: XLA; PyTorch: never). A compiled
            ``fn`` runs as Python only when it meets new shapes, so that ``print`` and the like happen only then.
        has_aux: ``fn`` returns ``(number, more)``, where ``more`` is a tensor, or a nest of them, that is not
            differentiated: what was computed on the way.

    Returns:
        A function of the same arguments that returns ``(value, gradient)``, or ``(value, gradient, more)``: a float, a
        NumPy array in the shape of the argument (a tuple of them if ``argnums`` is one), and ``more`` as NumPy arrays.
        Floating-point arguments are computed in ``keras.config.floatx()``. Make it once and call it often: compiling
        takes longer than most calls.

    Raises:
        TypeError: at the call, if a differentiated argument does not hold floats, or if ``fn`` leaves the tensors of
            the backend (by NumPy, ``float()`` or ``if``) for where no gradient can follow.
        ValueError: at the call, if ``fn`` does not return one number, or an argument is missing.

    >>> value_and_grad(lambda x: ops.sum(x**2))(np.array([1.0, 2.0]))
    (5.0, array([2., 4.], dtype=float32))
    """
    if not callable(fn):
        raise TypeError(f"fn must be a function of arrays, got {type(fn).__name__}. Pass f itself, not f(x).")
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not chosen or len(set(chosen)) < len(chosen) or not all(isinstance(n, int) and n >= 0 for n in chosen):
        raise ValueError(f"argnums must be different positions counted from 0, got {argnums!r}.")
    step = _step((_with_aux if has_aux else _without_aux)(fn), chosen, variables=[], jit=jit)

    def compute(*arrays):
        if max(chosen) >= len(arrays):
            raise ValueError(f"argnums={argnums!r} needs at least {max(chosen) + 1} arguments, got {len(arrays)}.")
        arguments = [_tensors(array, f"argument {n}") for n, array in enumerate(arrays)]
        for n in chosen:
            _require_floats(arguments[n], f"argument {n}")
        value, gradients, _, more = step(arguments)
        gradients = tuple(tree.map_structure(ops.convert_to_numpy, g) for g in gradients)
        result = float(value), gradients[0] if isinstance(argnums, int) else gradients
        return (*result, tree.map_structure(ops.convert_to_numpy, more)) if has_aux else result

    return compute


def model_value_and_grad(model: keras.Model, loss: str | Callable, jit: bool = True) -> Callable:
    """A function of a batch that computes a model's loss and its gradient: the inside of a training step (lesson 03).

    The model runs with ``training=True``: dropout drops, and moving statistics of batch normalisation are updated. As
    in ``model.fit``, a loss given per example is averaged, and the model's own losses (regularisers) are added. The
    weights that count as trainable are looked up at each call, so that freezing a layer takes effect at once.

    Args:
        model: a Keras model. One without weights yet is built on the first batch.
        loss: a function or Keras loss of ``(y_true, y_pred)``, or the name of one, such as ``"mse"``.
        jit: as in `value_and_grad`.

    Returns:
        A function ``(x, y) -> (loss, gradients)``: a float, and a list with one tensor of the backend for each of
        ``model.trainable_variables``, as ``optimizer.apply(gradients, model.trainable_variables)`` wants it.

    Raises:
        TypeError: if ``model`` is not a Keras model; at the call, if the loss leaves the tensors of the backend.
        ValueError: at the call, if the model has nothing to train.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a Keras model, got {type(model).__name__}.")
    loss_function = keras.losses.get(loss)
    if loss_function is None:
        raise TypeError("loss must be a function of (y_true, y_pred), a Keras loss or its name, got None.")
    training = _training_argument(model, True)
    steps: dict[tuple[int, ...], Callable] = {}

    def objective(x, y):
        data_loss = ops.mean(_tensor_result(loss_function(y, model(x, **training)), "the loss"))
        return sum(model.losses, start=data_loss)

    def compute(x, y):
        x, y = _tensors(x, "x"), _tensors(y, "y")
        if not model.built:
            model(tree.map_structure(lambda a: a[:1], x))
        variables = list(model.trainable_variables)
        if not variables:
            raise ValueError(f"model {model.name!r} has no trainable weights: is every layer frozen (trainable=False)?")
        key = tuple(id(variable) for variable in variables)
        if key not in steps:
            steps[key] = _step(_without_aux(objective), (), variables, jit)
        value, _, gradients, _ = steps[key]([x, y])
        return float(value), list(gradients)

    return compute


def input_gradient(target: Callable, jit: bool = True) -> Callable:
    """A function that computes how an output responds to each input pixel (effective receptive fields: lesson 02).

    Args:
        target: a Keras model or layer (run with ``training=False``), or any function of one array of images, written
            with ``keras.ops``, with one tensor as its output.
        jit: as in `value_and_grad`.

    Returns:
        A function ``(images, weights=1.0) -> gradient``, a NumPy array in the shape of ``images``: the gradient of
        ``sum(weights * target(images))``. ``weights`` has the shape of the output, or lengths of 1 where it does not
        matter. To ask about one unit, put a 1 in its place among zeros: other places need no new compilation.

    Raises:
        TypeError: at the call, if the images are not floats, or the target leaves the tensors of the backend.
        ValueError: at the call, if ``weights`` do not fit the output.

    >>> total = input_gradient(lambda images: images**2)
    >>> total(np.array([[1.0, 3.0]]), weights=np.array([[0.0, 1.0]]))
    array([[0., 6.]], dtype=float32)
    """
    inference = _training_argument(target, False) if isinstance(target, keras.Layer) else {}

    def weighted_sum(images, weights):
        output = _tensor_result(target(images, **inference), "the target")
        expected, given = tuple(output.shape), tuple(weights.shape)
        if given and (len(given) != len(expected) or any(w not in (1, o) for w, o in zip(given, expected))):
            raise ValueError(
                f"weights of shape {given} do not fit the output of shape {expected}: give the same shape, "
                "with 1 where all positions count alike."
            )
        return ops.sum(ops.cast(weights, output.dtype) * output)

    differentiate = value_and_grad(weighted_sum, jit=jit)

    def gradient(images, weights=1.0) -> np.ndarray:
        return differentiate(images, np.asarray(weights, keras.config.floatx()))[1]

    return gradient


def forward(model: keras.Model, jit: bool = True) -> Callable:
    """A function that computes a model's outputs for a batch, compiled where the backend can: lessons 14 and 16.

    It does what ``model.predict_on_batch`` does, without what that does around it: for small networks and single images
    the surroundings take longer than the network. Layers run with ``training=False``. New weights are seen at the next
    call. Each new shape of the batch is compiled anew (PyTorch: never).

    Args:
        model: built, of one input.
        jit: False leaves every operation to be called from Python, one after the other, as PyTorch does anyway.

    Returns:
        A function of an array (n, ...) that returns the outputs as NumPy arrays, nested as the model's.

    >>> compute = forward(model)
    >>> compute(np.zeros((1, 32, 32, 3), "float32")).shape
    (1, 10)
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a Keras model, got {type(model).__name__}.")
    makers = {"tensorflow": _tensorflow_forward, "jax": _jax_forward, "torch": _torch_forward}
    backend, inference = keras.config.backend(), _training_argument(model, False)
    if jit or backend == "torch":
        run = makers[backend](model, inference)
    else:
        run = functools.partial(model, **inference)
    return lambda batch: tree.map_structure(ops.convert_to_numpy, run(ops.convert_to_tensor(batch)))


def by_layer(model: keras.Model, gradients: Sequence) -> dict[str, dict[str, np.ndarray]]:
    """Gradients from `model_value_and_grad`, as NumPy arrays by layer and weight: ``{"conv2d": {"kernel": ...}}``.

    Layers stand in the order of the model, named by their path without the model's own name. Raises ValueError if the
    number of gradients is not that of the trainable weights.
    """
    variables = model.trainable_variables
    if len(variables) != len(gradients):
        raise ValueError(
            f"{len(gradients)} gradients do not fit {len(variables)} trainable weights. "
            "Was a layer frozen or added after they were computed?"
        )
    layers: dict[str, dict[str, np.ndarray]] = {}
    for variable, gradient in zip(variables, gradients):
        layer, _, weight = variable.path.removeprefix(f"{model.name}/").rpartition("/")
        layers.setdefault(layer, {})[weight] = ops.convert_to_numpy(gradient)
    return layers


def is_traced(x) -> bool:
    """Whether ``x`` stands for an array in a function that JAX is about to compile or differentiate, and is none yet.

    On the other backends never.
    """
    if keras.backend.backend() != "jax":
        return False
    import jax

    return isinstance(x, jax.core.Tracer)


# Arguments and results ------------------------------------------------------------------------------------------------


def _tensors(value, name: str):
    """``value``, an array or a nest of them, as tensors: floats in floatx, whole numbers and booleans as they are."""

    def convert(leaf):
        if isinstance(leaf, keras.Variable):
            leaf = ops.convert_to_numpy(leaf)  # its value: on TensorFlow the tensor of a variable is a variable again
        if ops.is_tensor(leaf):
            return ops.convert_to_tensor(leaf)
        array = np.asarray(leaf)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} must hold numbers, got {type(leaf).__name__} of dtype {array.dtype}.")
        return ops.convert_to_tensor(array, dtype=keras.config.floatx() if array.dtype.kind == "f" else None)

    return tree.map_structure(convert, value)


def _is_float(tensor) -> bool:
    return "float" in keras.utils.standardize_dtype(tensor.dtype)


def _require_floats(tensors, name: str) -> None:
    for tensor in tree.flatten(tensors):
        if not _is_float(tensor):
            raise TypeError(
                f"{name} holds {keras.utils.standardize_dtype(tensor.dtype)}, and only floats can be differentiated: "
                "a gradient asks what a small change does. Write 2.0 for 2, or x.astype('float32')."
            )


def _tensor_result(value, name: str):
    if not ops.is_tensor(value):
        raise TypeError(
            f"{name} returned {type(value).__name__}, not a tensor, so that no gradient can be followed. "
            "Compute with keras.ops from the argument to the result, and return one tensor."
        )
    return value


def _one_number(value):
    """``value`` if it is a float tensor of shape (); else an error that says what to do."""
    shape = tuple(_tensor_result(value, "the function").shape)
    if shape:
        raise ValueError(
            f"the function must return one number, got a tensor of shape {shape}. "
            "Reduce it with keras.ops.sum or keras.ops.mean."
        )
    if not _is_float(value):
        raise TypeError(f"the function must return a float, got {keras.utils.standardize_dtype(value.dtype)}.")
    return value


def _with_aux(fn: Callable) -> Callable:
    """``fn``, whose result must be a pair."""

    def pair(*arguments):
        result = fn(*arguments)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError("with has_aux=True the function returns (number, more), a tuple of two. It did not.")
        return result

    return pair


def _without_aux(fn: Callable) -> Callable:
    """``fn`` as `_step` wants it: (number, what else it computed)."""
    return lambda *arguments: (fn(*arguments), ())


def _training_argument(layer: keras.Layer, value: bool) -> dict[str, bool]:
    """``{"training": value}`` if the layer's call takes it."""
    parameters = inspect.signature(layer.call).parameters.values()
    takes = any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
    return {"training": value} if takes else {}


# The backends ---------------------------------------------------------------------------------------------------------


def _step(fn: Callable, chosen: tuple[int, ...], variables: list, jit: bool) -> Callable:
    """The backend's function: arguments -> (value, gradients of the chosen arguments, gradients of the variables, aux).

    ``fn`` returns (value, aux).
    """
    makers = {"tensorflow": _tensorflow_step, "jax": _jax_step, "torch": _torch_step}
    backend = keras.config.backend()
    if backend not in makers:
        raise RuntimeError(f"the Keras backend {backend!r} cannot differentiate; use one of {', '.join(makers)}.")
    return makers[backend](fn, chosen, variables, jit)


_LEFT_THE_TENSORS = (
    "the function turned a tensor into a NumPy array, a Python number or a truth value, where no gradient can follow. "
    "Use keras.ops instead of NumPy and float(), and keras.ops.where instead of if. "
    "With jit=False, TensorFlow and PyTorch let Python code look at values."
)


def _raised_in_numpy(error: TypeError | RuntimeError) -> bool:
    """Whether the innermost Python code was NumPy's, as when ``np.sum`` meets a tensor with other argument names."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, TypeError) and frames[-1].f_globals.get("__name__", "").startswith("numpy")


def _tensorflow_step(fn: Callable, chosen: tuple[int, ...], variables: list, jit: bool) -> Callable:
    """Operations inside the tape are recorded, then walked backwards. Variables are TensorFlow's own."""
    import tensorflow as tf

    def run(arguments: list):
        wrt, weights = [arguments[n] for n in chosen], [variable.value for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tf.nest.flatten([wrt, weights]))
            value, aux = fn(*arguments)
            _one_number(value)
        gradients, weight_gradients = tape.gradient(
            value, [wrt, weights], unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return value, gradients, weight_gradients, aux

    # A partial, because TensorFlow counts retracing per code object and would warn of a loop after a few functions.
    compiled = tf.function(functools.partial(run), autograph=False, jit_compile=False) if jit else run

    def step(arguments: list):
        try:
            return compiled(arguments)
        except (NotImplementedError, TypeError) as error:
            forbidden = isinstance(error, tf.errors.OperatorNotAllowedInGraphError)
            if forbidden or "to a numpy array" in str(error) or "SymbolicTensor" in str(error):
                raise TypeError(_LEFT_THE_TENSORS) from error
            raise

    return step


def _torch_step(fn: Callable, chosen: tuple[int, ...], variables: list, jit: bool) -> Callable:
    """Each result remembers what it was computed from. PyTorch runs eagerly; ``jit`` is not used."""
    import torch

    def step(arguments: list):
        arguments = list(arguments)
        for n in chosen:  # fresh leaves, so that nothing reaches back into the caller's tensors
            arguments[n] = tree.map_structure(lambda t: t.detach().requires_grad_(), arguments[n])
        wrt, weights = [arguments[n] for n in chosen], [variable.value for variable in variables]
        try:
            with torch.enable_grad():
                value, aux = fn(*arguments)
                _one_number(value)
        except (RuntimeError, TypeError) as error:
            if "numpy()" in str(error) or _raised_in_numpy(error):
                raise TypeError(_LEFT_THE_TENSORS) from error
            raise
        sources = tree.flatten([wrt, weights])
        if value.requires_grad:
            gradients = torch.autograd.grad(value, sources, allow_unused=True, materialize_grads=True)
        else:  # a constant
            gradients = [torch.zeros_like(source) for source in sources]
        gradients, weight_gradients = tree.pack_sequence_as([wrt, weights], list(gradients))
        return value.detach(), gradients, weight_gradients, tree.map_structure(lambda t: t.detach(), aux)

    return step


def _tensorflow_forward(model: keras.Model, inference: dict) -> Callable:
    import tensorflow as tf

    return tf.function(functools.partial(model, **inference), autograph=False, jit_compile=False)


def _torch_forward(model: keras.Model, inference: dict) -> Callable:
    import torch

    def run(batch):
        with torch.inference_mode():
            return model(batch, **inference)

    return run


def _jax_forward(model: keras.Model, inference: dict) -> Callable:
    """The weights are arguments: as constants they would be compiled in, and new ones never seen."""
    import jax

    @jax.jit
    def pure(trainable, other, batch):
        return model.stateless_call(trainable, other, batch, **inference)[0]

    def run(batch):
        values = [[v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables)]
        return pure(*values, batch)

    return run


class _Recorder(keras.StatelessScope):
    """A stateless scope that also notes which variables were read and which were written inside it."""

    def __init__(self, state_mapping: list[tuple]):
        super().__init__(state_mapping, collect_losses=True)
        self.read: dict[int, keras.Variable] = {}
        self.written: dict[int, keras.Variable] = {}
        self._looking_up = False

    def get_current_value(self, variable):
        self.read[id(variable)] = variable
        value = super().get_current_value(variable)
        if value is None and not self._looking_up:  # not mapped: its own value, for which the variable asks us again
            self._looking_up = True
            value = variable.value
            self._looking_up = False
        return value

    def add_update(self, update):
        self.written[id(update[0])] = update[0]
        super().add_update(update)


def _jax_step(fn: Callable, chosen: tuple[int, ...], variables: list, jit: bool) -> Callable:
    """JAX wants a pure function: variables go in as arguments, and what was written to them comes out as results.

    A variable that is not an argument would be compiled in as a constant and never change again. So a first, abstract
    run for each set of shapes finds out which variables the function reads.
    """
    import jax

    def forward(arguments: list, wrt: list, mapping: list) -> tuple:
        arguments = list(arguments)
        for n, argument in zip(chosen, wrt):
            arguments[n] = argument
        with _Recorder(mapping) as scope:
            value, aux = fn(*arguments)
            return _one_number(value), aux, scope

    def variables_read(arguments: list) -> list:
        scopes = []

        def abstract(arguments):
            value, _, scope = forward(arguments, [arguments[n] for n in chosen], [])
            scopes.append(scope)
            return value

        jax.eval_shape(abstract, arguments)
        known = {id(variable) for variable in variables}
        return [variable for key, variable in scopes[0].read.items() if key not in known]

    def prepare(arguments: list) -> tuple:
        """The differentiated function for these shapes, the further variables it reads, and those it writes."""
        others = variables_read(arguments) if jit else []
        written: list = []

        def objective(wrt, weights, state, arguments):
            value, aux, scope = forward(arguments, wrt, [*zip(variables, weights), *zip(others, state)])
            written[:] = scope.written.values()
            return value, ([scope.get_current_value(variable) for variable in written], aux)

        differentiate = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True)
        return jax.jit(differentiate) if jit else differentiate, others, written

    prepared: dict[tuple, tuple] = {}

    def step(arguments: list):
        leaves, structure = jax.tree.flatten(arguments)
        key = (structure, *((leaf.shape, leaf.dtype) for leaf in leaves))
        wrt, weights = [arguments[n] for n in chosen], [variable.value for variable in variables]
        try:
            if key not in prepared:
                prepared[key] = prepare(arguments)
            differentiate, others, written = prepared[key]
            state = [variable.value for variable in others]
            (value, (updates, aux)), (gradients, weight_gradients) = differentiate(wrt, weights, state, arguments)
        except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
            raise TypeError(_LEFT_THE_TENSORS) from error
        for variable, update in zip(written, updates):
            variable.assign(update)
        return value, gradients, weight_gradients, aux

    return step
