"""trace: attention, recurrence, cuts and reshapes, layers made of layers; by hand, and by spoiling pixels with NaN."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from cnnlib.trace import trace


def of(shape, *parts):
    x = image = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(image, x)


# Attention, by hand ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(["query", "value", "key"])))
def test_attention_by_keyword_in_any_order(order):
    """10 queries of 14 features, 12 values of 4 and keys of 16; 2 heads of 3."""
    given = {"query": keras.Input((10, 14)), "value": keras.Input((12, 4)), "key": keras.Input((12, 16))}
    out = layers.MultiHeadAttention(2, 3)(**{name: given[name] for name in order})
    right = 2 * (10 * 14 * 3 + 12 * (16 + 4) * 3 + 10 * 12 * (3 + 3) + 10 * 3 * 14)
    assert right == 4560
    assert trace(keras.Model([given[name] for name in order], out)).total_macs == right


def test_a_mask_is_no_key():
    x, mask = keras.Input((10, 8)), keras.Input((10, 10), dtype="bool")
    out = layers.MultiHeadAttention(2, 3)(x, x, attention_mask=mask)
    right = 2 * (3 * 10 * 8 * 3 + 2 * 10 * 10 * 3 + 10 * 3 * 8)
    assert right == 3120
    assert trace(keras.Model([x, mask], out)).total_macs == right


def test_attention_along_one_axis_costs_and_sees_less():
    x = keras.Input((6, 5, 4))
    out = layers.MultiHeadAttention(2, 3, attention_axes=(2,), name="along")(x, x)
    traced = trace(keras.Model(x, out))
    projections, products = 4 * 30 * 4 * 3, 2 * 6 * 5 * 5 * 3
    assert traced.total_macs == 2 * (projections + products)
    assert traced["along"].receptive_field == (1, 5)
    assert not traced["along"].whole_image
    assert traced.seen("along", 2, 3) == ((2, 2), (0, 4))
    both = trace(keras.Model(x, layers.MultiHeadAttention(2, 3, name="both")(x, x)))
    assert both.total_macs == 2 * (projections + 2 * 30 * 30 * 3)
    assert both["both"].whole_image


@pytest.mark.skipif(not hasattr(layers, "GroupQueryAttention"), reason="Keras calls it otherwise")
def test_grouped_queries():
    """4 heads of queries share 2 of keys and values, of 3 each; by name, with lengths 10 and 12."""
    q, v = keras.Input((10, 8)), keras.Input((12, 8))
    out = layers.GroupQueryAttention(3, 4, 2)(value=v, query=q)
    right = 10 * 8 * 12 + 2 * 12 * 8 * 6 + 2 * 10 * 12 * 12 + 10 * 12 * 8
    assert trace(keras.Model([q, v], out)).total_macs == right


def test_learned_queries_see_all_of_the_image():
    image, queries = keras.Input((8, 8, 3), name="image"), keras.Input((5, 4), name="queries")
    tokens = layers.Reshape((64, 3))(image)
    out = layers.MultiHeadAttention(1, 2, name="cross")(query=queries, value=tokens)
    assert trace(keras.Model([image, queries], out))["cross"].whole_image


# Einsum, recurrence, cells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equation", "output", "macs"),
    [
        ("abcd,de->abce", (None, None, 5), 6 * 7 * 3 * 5),
        ("abcd,de->abce", (6, None, 5), 6 * 7 * 3 * 5),
        ("...d,de->...e", 5, 6 * 7 * 3 * 5),
    ],
)
def test_einsum_with_open_sizes_on_an_image_of_fixed_size(equation, output, macs):
    model = of((6, 7, 3), layers.EinsumDense(equation, output, name="mix"), layers.Dense(2, name="after"))
    traced = trace(model)
    assert traced["mix"].macs == macs
    assert None not in traced["after"].output_shape
    assert traced["after"].receptive_field is not None
    assert traced["after"].output_shape == tuple(model(np.zeros((1, 6, 7, 3))).shape[1:])


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (lambda: layers.LSTM(5), 9 * 4 * (3 * 5 + 5 * 5)),
        (lambda: layers.GRU(5, return_sequences=True), 9 * 3 * (3 * 5 + 5 * 5)),
        (lambda: layers.SimpleRNN(5), 9 * (3 * 5 + 5 * 5)),
        (lambda: layers.Bidirectional(layers.LSTM(5)), 2 * 9 * 4 * (3 * 5 + 5 * 5)),
        (lambda: layers.RNN(layers.GRUCell(5)), 9 * 3 * (3 * 5 + 5 * 5)),
        (lambda: layers.RNN([layers.LSTMCell(5), layers.SimpleRNNCell(4)]), 9 * (4 * 8 * 5 + 9 * 4)),
        (lambda: layers.TimeDistributed(layers.Dense(4)), 9 * 3 * 4),
    ],
)
def test_recurrent_layers_by_hand(layer, macs):
    model = of((9, 3), layer())
    traced = trace(model)
    assert traced.total_macs == macs
    assert traced.total_parameters == model.count_params()
    assert not traced.uncounted


def test_an_lstm_sees_the_past():
    traced = trace(of((9, 3), layers.LSTM(5, return_sequences=True, name="forward"), layers.GRU(2, name="last")))
    assert [traced.seen("forward", t) for t in (0, 4, 8)] == [((0, 0),), ((0, 4),), ((0, 8),)]
    assert traced["last"].whole_image
    both = trace(of((9, 3), layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")))
    assert both.seen("both", 4) == ((0, 8),)


def test_states_have_no_positions():
    x = keras.Input((9, 3))
    sequence, state = layers.GRU(5, return_sequences=True, return_state=True)(x)
    traced = trace(keras.Model(x, [layers.Dense(2, name="steps")(sequence), layers.Dense(2, name="end")(state)]))
    assert traced.seen("steps", 1) == ((0, 1),)
    assert traced["end"].whole_image


def test_a_model_for_each_step():
    frame = of((8, 8, 3), layers.Conv2D(4, 3, name="conv"), layers.GlobalAveragePooling2D())
    model = of((5, 8, 8, 3), layers.TimeDistributed(frame, name="each"), layers.LSTM(6, name="lstm"))
    traced = trace(model)
    assert traced["each"].macs == 5 * 36 * 27 * 4
    assert traced["each"].output_shape == (5, 4)
    assert traced.seen("each", 3) == ((3, 3), (0, 7), (0, 7))
    assert traced["lstm"].macs == 5 * 4 * 6 * (4 + 6)
    assert traced.total_parameters == model.count_params()


# Positions ------------------------------------------------------------------------------------------------------------


def test_a_unit_is_named_by_its_place_in_the_output():
    traced = trace(of((4, 7, 2), layers.Conv2D(2, (1, 3), name="conv"), layers.Permute((2, 1, 3), name="turned")))
    assert traced.seen("conv", 3, 1) == ((3, 3), (1, 3))
    assert traced.seen("turned", 1, 3) == ((3, 3), (1, 3))
    with pytest.raises(IndexError, match="turned has 5 x 4 positions"):
        traced.seen("turned", 3, 4)


def test_a_pixel_shuffle_of_reshapes_names_the_right_windows():
    """As depth_to_space, made of Reshape and Permute: unit (r, c) comes from (r // 2, c // 2)."""
    shuffle = (layers.Reshape((4, 5, 2, 2, 3)), layers.Permute((1, 3, 2, 4, 5)), layers.Reshape((8, 10, 3), name="out"))
    traced = trace(of((4, 5, 12), *shuffle))
    assert traced.seen("out", 7, 3) == ((3, 3), (1, 1))
    assert traced["out"].jump == 0.5
    after = trace(of((4, 5, 12), *shuffle, layers.Conv2D(1, 3, name="conv")))
    assert after.seen("conv", 1, 0) == ((0, 1), (0, 1))


def test_flattened_positions_are_counted_through():
    traced = trace(of((4, 5, 3), layers.Flatten(name="flat"), layers.Reshape((4, 5, 3), name="back")))
    assert traced.seen("flat", 3 * (5 * 2 + 4) + 1) == ((2, 2), (4, 4))
    with pytest.raises(IndexError, match="flat has 60 positions"):
        traced.seen("flat", 2, 4)
    assert traced.seen("back", 2, 4) == ((2, 2), (4, 4))
    assert (traced["back"].jump, traced["back"].receptive_field) == (1, 1)


def spoilt(model, shape):
    """For each axis of the image and each of its lines: which outputs turn NaN if the line is NaN."""
    found = []
    for axis in range(len(shape) - 1):
        lines = np.random.default_rng(0).normal(size=(shape[axis], *shape)).astype("float32")
        for line in range(shape[axis]):
            lines[(line, *[slice(None)] * axis, line)] = np.nan
        found.append(np.isnan(keras.ops.convert_to_numpy(model(lines, training=False))))
    return found


def assert_sees_what_is_spoilt(model):
    """The windows of every position of the output are those that NaN reaches; or the trace says it does not know."""
    shape = model.input_shape[1:]
    traced = trace(model)
    row = traced[-1]
    axes = traced._seen[row.name]
    if not axes:
        assert "unknown" in " ".join(traced.notes)
        return False
    places = sorted({where for where, *_ in axes if where is not None})
    found = [lines.any(axis=tuple(a for a in range(1, lines.ndim) if a - lines.ndim not in places))
             for lines in spoilt(model, shape)]  # fmt: skip
    for position in itertools.product(*(range(row.output_shape[where]) for where in places)):
        told = traced.seen(row.name, *position) if position else traced.seen(row.name)
        reached = [np.flatnonzero(lines[(slice(None), *position)]) for lines in found]
        real = tuple((int(r[0]), int(r[-1])) for r in reached) if all(map(len, reached)) else ((0, -1),) * len(reached)
        assert told == real, f"position {position}\n{traced}"
    return True


@pytest.mark.parametrize(
    "part",
    [
        lambda x: ops.pad(x, ((0, 0), (2, 1), (0, 3), (0, 0))),
        lambda x: ops.pad(x, ((0, 0), (2, 1), (1, 3), (0, 0)), mode="reflect"),
        lambda x: ops.pad(x, ((0, 0), (0, 1), (1, 0), (0, 0)), mode="symmetric"),
        lambda x: ops.split(x, 3, axis=1)[1],
        lambda x: ops.split(x, [2, 5], axis=2)[2],
        lambda x: ops.stack(ops.split(x, 2, axis=1), axis=1),
        lambda x: ops.stack([x, 2 * x], axis=2),
        lambda x: ops.stack([x, x], axis=-1),
        lambda x: ops.unstack(x, axis=1)[2],
        lambda x: ops.concatenate(ops.split(x, 2, axis=1)[::-1], axis=1),
        lambda x: layers.MultiHeadAttention(1, 2, attention_axes=1)(x, x),
        lambda x: layers.MultiHeadAttention(1, 2, attention_axes=(2,))(x, x[:, :, :3]),
        lambda x: layers.MultiHeadAttention(1, 2)(x, x),
        lambda x: layers.EinsumDense("abcd,de->acbe", (None, None, 2))(x),
        lambda x: layers.EinsumDense("abcd,bde->ace", (None, 2))(x),
        lambda x: layers.TimeDistributed(layers.LSTM(2, return_sequences=True))(x),
        lambda x: layers.TimeDistributed(layers.Conv1D(2, 3, strides=2))(x),
        lambda x: layers.GRU(2, return_sequences=True, go_backwards=True)(layers.Reshape((6, -1))(x)),
        lambda x: layers.Reshape((48, 3))(x)[:, 5:40:3],
        lambda x: layers.Dense(2)(layers.Permute((2, 1, 3))(x)),
    ],
)  # fmt: skip
def test_single_parts_see_what_nan_spoils(part):
    assert assert_sees_what_is_spoilt(of((6, 8, 3), part, layers.Identity()))


@pytest.mark.parametrize(
    "part",
    [
        lambda x: ops.concatenate(ops.split(x, 2, axis=2)[::-1], axis=1),  # what columns a unit sees depends on its row
        lambda x: layers.Reshape((3, 2, 8, 3))(x),
        lambda x: ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))),
        lambda x: x[:, ::-1],
        lambda x: ops.pad(x, ((0, 0), (0, 2), (0, 0), (0, 0)), mode="symmetric"),
    ],
)
def test_what_cannot_be_said_axis_by_axis_is_called_unknown(part):
    assert not assert_sees_what_is_spoilt(of((6, 8, 3), part, layers.Identity()))


def splits(draw, n):
    return draw(st.sampled_from([(n // d, d) for d in range(2, n) if n % d == 0] or [(n,)]))


@st.composite
def shuffled(draw):
    """Random chains of reshapes, permutations, cuts, convolutions and attention."""
    keras.utils.clear_session(free_memory=False)
    x = image = keras.Input((draw(st.sampled_from([2, 3, 4, 6])), draw(st.sampled_from([3, 4, 6])), 2))
    for _ in range(draw(st.integers(2, 5))):
        shape = x.shape[1:]
        kind = draw(st.sampled_from(["permute", "merge", "split", "cut", "conv", "attention", "lstm", "pad", "stack"]))
        if kind == "permute" and len(shape) > 1:
            x = layers.Permute(draw(st.permutations(range(1, len(shape) + 1))))(x)
        elif kind == "merge" and len(shape) > 1:
            at = draw(st.integers(0, len(shape) - 2))
            x = layers.Reshape((*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]))(x)
        elif kind == "split" and len(shape) < 5:
            at = draw(st.integers(0, len(shape) - 1))
            x = layers.Reshape((*shape[:at], *splits(draw, shape[at]), *shape[at + 1 :]))(x)
        elif kind == "cut":
            at = draw(st.integers(0, len(shape) - 1))
            start, step = draw(st.integers(0, min(1, shape[at] - 1))), draw(st.integers(1, 2))
            x = x[(slice(None), *[slice(None)] * at, slice(start, None, step))]
        elif kind == "conv" and len(shape) == 3 and min(shape[:2]) > 1:
            x = layers.Conv2D(2, 2, padding=draw(st.sampled_from(["same", "valid"])))(x)
        elif kind == "attention" and 2 <= len(shape) <= 4:
            axes = draw(st.sets(st.integers(1, len(shape) - 1), min_size=1))
            x = layers.MultiHeadAttention(1, 2, attention_axes=tuple(axes))(x, x)
        elif kind == "lstm" and len(shape) == 2:
            x = layers.LSTM(2, return_sequences=draw(st.booleans()))(x)
        elif kind == "pad":
            at = draw(st.integers(1, len(shape)))
            widths = [(0, 0)] * (len(shape) + 1)
            widths[at] = (1, draw(st.integers(0, 2)))
            x = ops.pad(
                x, widths, mode="constant" if shape[at - 1] < 4 else draw(st.sampled_from(["reflect", "constant"]))
            )
        elif kind == "stack" and len(shape) < 4:
            x = ops.stack([x, 2 * x], axis=draw(st.integers(1, len(shape) + 1)))
    return keras.Model(image, layers.Identity()(x))


known = []


@settings(max_examples=60, deadline=None, derandomize=True, report_multiple_bugs=False)
@given(shuffled())
def test_random_chains_see_what_nan_spoils(model):
    known.append(assert_sees_what_is_spoilt(model))


def test_most_of_the_random_chains_were_known():
    assert len(known) >= 50
    assert np.mean(known) > 0.6


# Layers made of layers, and what the user says ------------------------------------------------------------------------


class Block(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = layers.Conv2D(2, 3, padding="same", name="first"), layers.Conv2D(2, 1, name="second")

    def build(self, shape):
        self.first.build(shape)
        self.second.build(self.first.compute_output_shape(shape))
        self.scale = self.add_weight(shape=(2,), name="scale")

    def call(self, x, training=False):
        return x + self.second(ops.relu(self.first(x))) * self.scale


class Mine(layers.Layer):
    """Code that Keras cannot follow."""

    def call(self, x):
        if isinstance(x, keras.KerasTensor):
            raise TypeError("not for symbols")
        return x

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def test_a_layer_made_of_layers_is_walked_through():
    model = of((9, 8, 2), Block(name="one"), Block(name="two"), layers.Conv2D(1, 3, name="top"))
    names = {layer: layer.output for layer in model.layers}
    traced = trace(model)
    assert traced["one/first"].macs == traced["two/first"].macs == 72 * 9 * 4
    assert traced["top"].receptive_field == 7
    assert traced.total_macs == 2 * (72 * 36 + 72 * 4) + 42 * 18
    assert traced.total_parameters == model.count_params()
    assert traced["one"].parameters == 2  # the scale
    assert assert_sees_what_is_spoilt(model)
    assert all(layer.output is symbol for layer, symbol in names.items())  # and nothing of it stays
    with pytest.raises(AttributeError):
        model.get_layer("one").first.output  # noqa: B018


def test_a_layer_of_operations_is_one_row():
    class Scaled(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 5))

        def call(self, x):
            return ops.relu(ops.matmul(ops.average_pool(x, 2), self.kernel))

    traced = trace(of((8, 8, 3), Scaled(name="mine")))
    assert [row.name for row in traced][1:] == ["mine"]
    assert (traced["mine"].macs, traced["mine"].parameters, traced["mine"].receptive_field) == (16 * 15, 15, 2)
    assert traced["mine"].jump == 2


def test_a_total_that_is_partial_says_so():
    model = of((9, 8, 2), Mine(name="a"), layers.Conv2D(1, 3, name="top"))
    for rules in ({"a": "global"}, {"a": "pointwise"}, {}):
        traced = trace(model, rules=rules)
        assert traced["a"].macs is None
        assert traced.uncounted == ["a"]
        assert "≥ 756" in traced.table()
        assert any(note.startswith("total: without a (if you know") for note in traced.notes)
    assert trace(model, rules={"a": "global"})["top"].whole_image


def test_rules_take_a_cost():
    model = of((9, 8, 2), Mine(name="a"), layers.Conv2D(1, 3, name="top"))
    seen = []

    def cost(layer, inputs, output):
        seen.append((layer.name, inputs, output))
        return np.prod(output) * inputs[0][-1]

    for rule, macs in ((("global", cost), 288), (("pointwise", 10), 10), ((layers.Identity, 7), 7)):
        traced = trace(model, rules={Mine: rule})
        assert (traced["a"].macs, traced.total_macs, traced.uncounted) == (macs, macs + 756, [])
        assert "≥" not in traced.table()
    assert seen[0] == ("a", [(9, 8, 2)], (9, 8, 2))
    for wrong in (("global", -1), ("global", "many"), ("global", 1, 2), ("near", 3), (), ("global", True)):
        with pytest.raises(ValueError, match="the rule for 'a' must be"):
            trace(model, rules={"a": wrong})
    with pytest.raises(ValueError, match="'a' is to be read like Conv2D, but .*Mine.* has no attribute 'strides'"):
        trace(model, rules={"a": layers.Conv2D})


def test_the_title_of_a_figure_says_at_least():
    from cnnlib.plotting import receptive

    model = of((9, 8, 2), Mine(name="a"), layers.Conv2D(1, 3, name="top"))
    assert receptive._total(trace(model)) == "19 parameters, at least 756 multiply-accumulates"
