"""The checks of lesson 01, convolution arithmetic.

The reference answers are `cnnlib.arithmetic` and `cnnlib.reference`. A misconception is a wrong model of the answer: a
function that is wrong in one way that learners are known for. Outside its own error it does as the reference does, so
it refuses what the reference refuses, unless not refusing is the error.
"""

from __future__ import annotations

import numpy as np

from cnnlib import arithmetic
from cnnlib.checks.back_01 import (
    INPUT_PARTS,
    INPUT_PROBES,
    WRONG_INPUTS,
    add,
    averaged,
    back_model,
    back_of,
    back_refusing_small,
    input_cases,
    input_gradient,
    input_gradient_cases,
    input_sizes,
    inputs_exchanged,
    inputs_refusing,
    inputs_refusing_small,
    reached,
    replace,
    sized,
    stamps,
)
from cnnlib.checks.layers_01 import (
    ONLY_A_FEW,
    conv2d,
    conv2d_cases,
    conv2d_in_type_of,
    conv2d_model,
    find_anything,
    find_by_correlating,
    find_cases,
    find_from_a_few,
    find_kernel,
    find_model,
    find_refusing_equality,
    full_conv2d,
    gradient_cases,
    gradient_dense_windows,
    gradient_in_type_of,
    gradient_model,
    gradient_of_anything,
    gradient_one_place,
    gradient_refusing_large,
    kernel_gradient,
    padded_conv2d,
    padded_other_conv2d,
    permissive_conv2d,
    refusing,
    wrong_window_conv2d,
)
from cnnlib.checks.sizes_01 import (
    COST_PARTS,
    conv_cost,
    cost_cases,
    cost_cut_towards_zero,
    counts_model,
    refusing_counts,
    returning,
    same_cases,
    same_refusing,
    same_total,
    same_without_refusal,
    shared_model,
    two_errors,
    wrong_formulas,
)
from cnnlib.exercises.kinds import FunctionExercise, Misconception

# 01.1 Output size -----------------------------------------------------------------------------------------------------


INPUT_SIZES = FunctionExercise(
    "01.1",
    "Output size",
    reference=input_sizes,
    cases=input_cases,
    misconceptions=[
        Misconception(
            inputs_exchanged,
            "The two sizes are exchanged: the smallest comes first.",
        ),
        Misconception(
            inputs_refusing_small,
            "You refuse inputs that exist. Where the formula begins below 1, the smallest input is one pixel.",
        ),
        Misconception(
            inputs_refusing(nothing=False, padding_alone=True),
            "Your sizes are right. But a layer without outputs has no place for its window, and you return sizes for "
            "it: raise a ValueError where `outputs` is smaller than 1.",
        ),
        Misconception(
            inputs_refusing(nothing=True, padding_alone=False),
            "Your sizes are right. But with much padding even an input of one pixel has more outputs than asked for, "
            "and you return sizes below 1: raise a ValueError there.",
        ),
        Misconception(
            inputs_refusing(nothing=False, padding_alone=False),
            "Your sizes are right where there are some. Where there are none, your function returns numbers: raise a "
            "ValueError where `outputs` is smaller than 1, and where even one pixel has more outputs.",
        ),
        *wrong_formulas(input_sizes, WRONG_INPUTS),
        *two_errors(input_sizes, sized, INPUT_PARTS, INPUT_PROBES),
    ],
    hints=(
        "Draw it: a window of 3 that stops 3 times in steps of 2. How many pixels lie from the first that it reads to "
        "the last? How many more may follow before it can take another step?",
        "O stops are O - 1 steps of S pixels, and the dilated kernel spans its own. Of these pixels 2P are padding.",
        "The largest is S - 1 more than the smallest. Then the border: sizes below 1 are none.",
    ),
    remark="These sizes are S in number, which is why the way back needs output padding (part 5).",
)


# 01.2 The padding of same ---------------------------------------------------------------------------------------------


SAME_PADDING = FunctionExercise(
    "01.2",
    "The padding of same",
    reference=arithmetic.same_padding,
    cases=same_cases,
    misconceptions=[
        Misconception(
            shared_model(lambda w, k, s, d: (k - 1) // 2, lambda n: (n, n)),
            "Half a kernel on each side is right for an odd kernel without stride and dilation. Start from what "
            '"same" promises, the size of the output, and work back to the zeros that it takes.',
        ),
        Misconception(
            shared_model(lambda w, k, s, d: d * (k - 1) // 2, lambda n: (n, n)),
            "Half the span on each side is right only for an odd kernel without a stride. Start from what "
            '"same" promises, the size of the output, and work back to the zeros that it takes.',
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(same_total(w, k, s, d), 0), lambda n: (n - n // 2, n // 2)),
            "The total is right, and the odd zero stands at the wrong end. Keras puts it behind the last pixel.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(same_total(w, k, s, d), 0), lambda n: (n, n)),
            "You put the total on each side. It is the sum of both sides.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(same_total(w, k, s, d), 0), lambda n: ((n + 1) // 2, (n + 1) // 2)),
            "Your two sides are always equal. An odd total cannot be: one side gets a zero more than the other.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(same_total(w, k, s, d), 0), lambda n: (n // 2, n // 2)),
            "Your two sides are always equal, so a zero is missing where the total is odd.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(same_total(w, k, s, d), 0), lambda n: (0, n)),
            "All your zeros stand at the end. Only the odd one does; the others are shared.",
        ),
        Misconception(
            shared_model(same_total),
            "You return a negative number of zeros. A kernel that is shorter than the stride needs none: padding "
            "never takes pixels away.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(same_total(w, k, s, d, floor=True), 0)),
            'You round the number of outputs down. "same" promises one output for every S pixels *begun*: round up.',
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(same_total(w, k, s, 1), 0)),
            "Your answer does not change with the dilation. It is the dilated kernel that has to fit.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max((-(-w // s) - 1) * s + d * k - w, 0)),
            "Your dilated kernel is too wide: K taps have K - 1 gaps between them, and D pixels lie from tap to tap.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: d * (k - 1)),
            "Your answer does not change with the stride. With a stride the window need not stand on every pixel, so "
            "fewer zeros do.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(d * (k - 1) + 1 - s, 0)),
            "This is right where the stride divides the size. Where it does not, the last window reaches further or "
            "less far: the size of the image takes part.",
        ),
        Misconception(
            shared_model(lambda w, k, s, d: max(-(-w // s) * s + d * (k - 1) + 1 - w, 0)),
            "You count one step too many: a window that stops O times takes O - 1 steps.",
        ),
        Misconception(
            same_refusing(lambda w, k, s, d: k > w),
            "You refuse a kernel that is wider than the image. With zeros around it the image has room for it: "
            '"same" adds as many as it takes.',
        ),
        Misconception(
            same_refusing(lambda w, k, s, d: d * (k - 1) + 1 > w),
            "You refuse a kernel that spans more than the image. With zeros around it the image has room for it: "
            '"same" adds as many as it takes.',
        ),
        Misconception(
            same_refusing(lambda w, k, s, d: s > w),
            "You refuse a stride longer than the image. The window then stands in one place, and that is an output.",
        ),
        Misconception(
            same_without_refusal,
            "Your paddings are right. But 0 pixels, or a kernel, stride or dilation below 1, is no layer: raise a "
            "ValueError.",
        ),
    ],
    hints=(
        "How many outputs are promised? Where does the last of them begin?",
        "The last window begins (O - 1) * S pixels after the first and spans D * (K - 1) + 1. What is missing at the "
        "end is padding.",
        "Nothing may be missing at all. And the two sides differ by one where the total is odd.",
    ),
    remark="Note that the size of the image takes part: a network trained at 224 pixels pads otherwise at 225.",
)


# 01.3 Parameters and multiply-accumulates -----------------------------------------------------------------------------


CONV_COST = FunctionExercise(
    "01.3",
    "Parameters and multiply-accumulates",
    reference=conv_cost,
    cases=cost_cases,
    misconceptions=[
        Misconception(
            counts_model(),
            "Your counts are right where the kernel fits. Where it does not, there is no layer to count: raise a "
            "ValueError.",
        ),
        Misconception(
            cost_cut_towards_zero,
            "You refuse a kernel that does not fit, but not where there is a stride: `int(-2 / 3)` is 0, "
            "which looks like one place. `//` rounds down.",
        ),
        Misconception(
            refusing_counts(
                parameters=lambda kh, kw, cout, bias, **_: (kh * kw + (1 if bias else 0)) * cout,
                macs=lambda oh, ow, kh, kw, cout, **_: oh * ow * kh * kw * cout,
            ),
            "Neither of your numbers changes with the input channels. A filter is a cube: it has a slice for each of "
            "them.",
        ),
        Misconception(
            refusing_counts(
                parameters=lambda kh, cin, cout, bias, **_: (kh * kh * cin + (1 if bias else 0)) * cout,
                macs=lambda oh, ow, kh, cin, cout, **_: oh * ow * kh * kh * cin * cout,
            ),
            "You take the kernel as square. Its height and its width may differ.",
        ),
        Misconception(
            lambda *args, **kwargs: conv_cost(*args, **kwargs)[::-1],
            "Both numbers are right and stand in the wrong order: parameters first.",
        ),
        *(alone for alone, _ in COST_PARTS),
        *(among_others for _, among_others in COST_PARTS),
    ],
    hints=(
        "Take one filter first. How many numbers does it hold if the image has three channels? And its bias?",
        "The multiply-accumulates are a product: the places where a window stands, times the products at one place.",
        "At one place each weight of each filter is used once. Biases are added, not multiplied.",
    ),
    remark="Called thirteen times, this function gives all the convolutions in the figure of VGG-16 above.",
)


# 01.4 A convolution layer from scratch --------------------------------------------------------------------------------


CONV2D = FunctionExercise(
    "01.4",
    "A convolution layer from scratch",
    reference=conv2d,
    cases=conv2d_cases,
    misconceptions=[
        Misconception(
            permissive_conv2d(channels=True),
            "Your outputs are right. A kernel that does not fit into the padded image has no output, though: raise a "
            "ValueError.",
        ),
        Misconception(
            permissive_conv2d(channels=False),
            "Your outputs are right. But an image and filters with different numbers of channels do not go together, "
            "even where NumPy would stretch one to fit the other: raise a ValueError.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w[::-1, ::-1], b, s, p)),
            "You flip the kernel. That is the convolution of mathematics; a layer does not flip.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x[:, :, :1], w[:, :, :1], b, s, p)),
            "Only the first input channel takes part. Each channel has its own slice of the filter, and all are "
            "summed.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w / w.shape[2], b, s, p)),
            "You average over the input channels. They are summed.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w / w[..., 0].size, b, s, p)),
            "You average over the window. A layer sums.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w.mean(axis=2, keepdims=True).repeat(w.shape[2], 2), b, s, p)),
            "You use one slice for all input channels. Each channel has its own.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w, b if b is not None and np.all(b) else None, s, p)),
            "All biases are lost where one of them is 0. A bias of 0 is a number like any other: ask `b is None`.",
        ),
        Misconception(
            conv2d_in_type_of(0),
            "Your output has the type of `x`: for an image of whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            conv2d_in_type_of(1),
            "Your output has the type of `w`: for weights that are whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w, None, s, p)),
            "The bias is missing. One number for each filter is added to all its outputs.",
        ),
        Misconception(
            conv2d_model(
                lambda x, w, b, s, p: conv2d(x, w, None if b is None else np.asarray(b) * w[..., 0].size, s, p)
            ),
            "You add the bias for every product. It is added once, after the sum over the window.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w, b, 1, p)),
            "Your output does not change with the stride: the window stands on every pixel.",
        ),
        Misconception(
            conv2d_model(wrong_window_conv2d),
            "The output has the right size, and the windows lie one pixel apart. Where does window number i begin if "
            "the stride is S?",
        ),
        returning(
            padded_other_conv2d(0, 0),
            "Your output does not change with the padding. Put zeros around the image first, then slide.",
        ),
        returning(
            padded_other_conv2d(0, 2),
            "All your zeros stand below and to the right of the image. They go on every side.",
        ),
        returning(
            padded_other_conv2d(1, 0),
            "Your zeros stand above and to the left of the image only. They go on every side.",
        ),
        Misconception(
            padded_conv2d(mode="edge"),
            "You repeat the pixels of the border. This layer pads with zeros.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: full_conv2d(x, w, b, s)),
            'Your output is larger than it should be: this is the "full" convolution, where the window hangs over the '
            "edge. Here it stays inside the padded image.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w, b, s, p).transpose(1, 0, 2)),
            "Height and width are exchanged in your output.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: np.moveaxis(conv2d(x, w, b, s, p), -1, 0)),
            "Your output has its channels first. Keras, and this course, keep them last: (height, width, channels).",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: conv2d(x, w, b, s, p).sum(axis=-1)),
            "You sum over the filters as well. Each filter gives a feature map of its own; sum over the *input* "
            "channels.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: np.trunc(conv2d(x, w, b, s, p))),
            "Your output lost its fractions. Is it an array of whole numbers? np.zeros makes one of floats.",
        ),
        Misconception(
            conv2d_model(lambda x, w, b, s, p: np.maximum(conv2d(x, w, b, s, p), 0)),
            "Your output has no negative numbers. An activation such as ReLU comes after the layer, it is not part of "
            "it.",
        ),
    ],
    hints=(
        "Begin with the size of the output: `arithmetic.output_size` for the height and for the width. Then pad, then "
        "two loops over the places.",
        "At place (i, j) the window is `padded[i * stride : i * stride + kh, j * stride : j * stride + kw]`, a block "
        "(kh, kw, channels in). For one filter, multiply it by the filter and sum over everything.",
        "All filters at once: `np.tensordot(window, w, axes=3)` sums over height, width and channels.",
    ),
    remark="Keras's Conv2D computes the same. `cnnlib/reference.py` adds batches, dilation and groups.",
)


# 01.5 Find the kernel -------------------------------------------------------------------------------------------------


FIND_KERNEL = FunctionExercise(
    "01.5",
    "Find the kernel",
    reference=find_kernel,
    cases=find_cases,
    misconceptions=[
        Misconception(
            find_model(lambda kernel: kernel[::-1, ::-1]),
            "This is the kernel turned by 180 degrees. `slide` does not flip.",
        ),
        Misconception(find_model(lambda kernel: kernel.T), "Rows and columns are exchanged in your kernel."),
        Misconception(
            find_model(np.ravel),
            "Your weights are right and stand in one row. A kernel has a height and a width.",
        ),
        Misconception(
            find_model(lambda kernel: kernel / kernel.sum() if abs(kernel.sum()) > 1e-9 else kernel),
            "Your kernel is scaled to a sum of 1. That keeps the brightness of a picture, and not every kernel does.",
        ),
        Misconception(find_from_a_few(lambda n: slice(0, n), np.linalg.solve), ONLY_A_FEW),
        Misconception(find_from_a_few(lambda n: slice(0, n), lambda a, b: np.linalg.lstsq(a, b)[0]), ONLY_A_FEW),
        Misconception(find_from_a_few(lambda n: slice(-n, None), np.linalg.solve), ONLY_A_FEW),
        Misconception(
            lambda image, output: find_kernel(image, output).astype(np.asarray(image).dtype),
            "Your kernel has the type of the image: for an image of whole numbers the fractions of the weights are "
            "cut off.",
        ),
        Misconception(
            find_model(np.round),
            "You round the weights. They need not be whole numbers.",
        ),
        Misconception(
            find_model(lambda kernel: np.round(kernel, 2)),
            "You round the weights. They may have any number of digits.",
        ),
        Misconception(
            find_by_correlating,
            "You slide the output over the image. This tells which way to change a kernel; it does not solve for it. "
            "Each output pixel is an equation in the weights: put them into one matrix and solve.",
        ),
        Misconception(
            find_anything,
            "Your kernels are right. But where there are fewer outputs than weights many kernels fit, and you return "
            "one of them as if it were the one: raise a ValueError.",
        ),
        Misconception(
            find_refusing_equality,
            "You refuse a problem that can be solved: as many equations as unknowns are enough.",
        ),
    ],
    hints=(
        "First the size. A window of K on W pixels stops W - K + 1 times. Which K belongs to this image and this "
        "output?",
        "`unroll(image, kernel_shape)` has one row for each output pixel. That row times the weights is that pixel.",
        "`np.linalg.lstsq(matrix, right_hand_side)` solves such a system. Its first result is the weights.",
    ),
    remark="With noise in the output no kernel is exact, and least squares gives the one that fits best.",
    rtol=1e-4,
    atol=1e-5,
)


# 01.6 The gradient of a kernel ----------------------------------------------------------------------------------------


KERNEL_GRADIENT = FunctionExercise(
    "01.6",
    "The gradient of a kernel",
    reference=kernel_gradient,
    cases=gradient_cases,
    misconceptions=[
        Misconception(
            gradient_model(lambda dw, dy: dw[::-1, ::-1]),
            "This is the gradient turned by 180 degrees. The forward pass does not flip the kernel, so its gradient "
            "is not flipped either. The flip belongs to the gradient of the *input*.",
        ),
        Misconception(
            gradient_model(lambda dw, dy: dw / (dy.shape[0] * dy.shape[1])),
            "You average over the positions. The weight takes part in every one of them, and its effects add up: sum.",
        ),
        Misconception(
            gradient_in_type_of(0),
            "Your gradient has the type of `x`: for an image of whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            gradient_in_type_of(1),
            "Your gradient has the type of `dy`: where that holds whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            gradient_one_place(last=True),
            "Only the last position is left in your gradient. Add each position to what is there (+=).",
        ),
        Misconception(
            gradient_one_place(last=False),
            "Only the first position takes part. The weight is used at every one.",
        ),
        Misconception(
            gradient_model(lambda dw, dy: dw.swapaxes(2, 3)),
            "The two channel axes are exchanged: the shape is (kh, kw, channels in, channels out).",
        ),
        Misconception(
            gradient_model(lambda dw, dy: dw.transpose(3, 2, 0, 1)),
            "This is PyTorch's order of axes. Keras's is (kh, kw, channels in, channels out).",
        ),
        Misconception(
            gradient_model(lambda dw, dy: dw.transpose(1, 0, 2, 3)),
            "Rows and columns of the kernel are exchanged.",
        ),
        Misconception(
            gradient_model(lambda dw, dy: np.broadcast_to(dw.sum(axis=2, keepdims=True), dw.shape)),
            "You sum over the input channels. The forward pass does; going back, each slice meets its own channel "
            "only.",
        ),
        Misconception(
            gradient_model(lambda dw, dy: np.broadcast_to(dw.sum(axis=3, keepdims=True), dw.shape)),
            "You sum over the filters. Each filter has its own outputs, so its own gradient.",
        ),
        Misconception(
            gradient_dense_windows,
            "Right without a stride. With one, position i of the output looked at the window that begins at i * "
            "stride.",
        ),
        Misconception(
            gradient_model(lambda dw, dy: -dw),
            "The sign is turned. This is the *step*, downhill. The gradient points uphill.",
        ),
        Misconception(
            gradient_of_anything,
            "Your gradients are right. But a dy that does not have the size of the layer's output belongs to another "
            "layer, and you return numbers for it: raise a ValueError.",
        ),
        Misconception(
            gradient_refusing_large,
            "Your gradients are right, and a dy that is too small is refused. One that is too large fits no better.",
        ),
    ],
    hints=(
        "Loop over the positions (i, j) of dy. Which window of x was multiplied by the kernel there?",
        "Each position adds its window times dy[i, j] to the gradient. Start with zeros of the shape of w.",
        "Window (kh, kw, channels in) and dy[i, j] (channels out): every number of the one meets every number of the "
        "other. `window[:, :, :, None] * dy[i, j]` does that.",
    ),
    remark="Lesson 03 trains a network with nothing but such gradients.",
)


# 01.7 The gradient of an input ----------------------------------------------------------------------------------------


INPUT_GRADIENT = FunctionExercise(
    "01.7",
    "The gradient of an input",
    reference=input_gradient,
    cases=input_gradient_cases,
    misconceptions=[
        Misconception(
            back_of(lambda dy, w: (dy, w[::-1, ::-1])),
            "Your stamps are turned by 180 degrees. An output was made of pixel (u, v) of its window times `w[u, v]`: "
            "that is what it hands back. The flip comes about by itself.",
        ),
        Misconception(
            refusing(input_gradient, stamps(replace)),
            "Where stamps overlap only the last one is left. A pixel has its effect through every window that read it: "
            "add (+=).",
        ),
        Misconception(
            averaged,
            "You average where stamps overlap. The effects of a pixel through several windows add up.",
        ),
        Misconception(
            refusing(input_gradient, stamps(add, step=False)),
            "Right without a stride. With one, the window of output i began at i * stride.",
        ),
        Misconception(
            back_model(reached),
            "The pixels that no window read are missing in your gradient. They have no influence on the loss: their "
            "gradient is 0.",
        ),
        Misconception(
            back_of(lambda dy, w: (dy[:, :, :1], w[..., :1])),
            "Only the first filter takes part. The effects through all filters add up.",
        ),
        Misconception(
            back_model(lambda dx, dy, w, stride: dx / w.shape[3]),
            "You average over the filters. The effects through all of them add up.",
        ),
        Misconception(
            back_model(lambda dx, dy, w, stride: np.broadcast_to(dx.sum(-1, keepdims=True), dx.shape)),
            "You sum over the input channels. The forward pass does; going back, each channel meets its own slice "
            "only.",
        ),
        Misconception(
            back_model(lambda dx, dy, w, stride: np.trunc(dx) if dy.dtype.kind in "iu" else dx),
            "Your gradient has the type of `dy`: where that holds whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            back_model(lambda dx, dy, w, stride: np.trunc(dx) if w.dtype.kind in "iu" else dx),
            "Your gradient has the type of `w`: for weights of whole numbers all fractions are cut off. `np.zeros` "
            "without a `dtype` makes an array of floats.",
        ),
        Misconception(
            back_model(lambda dx, dy, w, stride: dx.transpose(1, 0, 2)),
            "Rows and columns of the image are exchanged.",
        ),
        Misconception(
            back_model(lambda dx, dy, w, stride: np.moveaxis(dx, -1, 0)),
            "Your gradient has its channels first. Keras, and this course, keep them last: (height, width, channels).",
        ),
        Misconception(
            back_model(lambda dx, dy, w, stride: -dx),
            "The sign is turned. This is the *step*, downhill. The gradient points uphill.",
        ),
        Misconception(
            stamps(add),
            "Your gradients are right. But a dy that does not have the size of the layer's output belongs to another "
            "layer, and you return numbers for it: raise a ValueError.",
        ),
        Misconception(
            back_refusing_small,
            "Your gradients are right, and a dy that is too small is refused. One that is too large fits no better.",
        ),
    ],
    hints=(
        "Begin with zeros of the size of the input, and loop over the positions (i, j) of dy. To which pixels does "
        "output (i, j) owe its value?",
        "For one channel and one filter: the block of dx where the window stood gets `w * dy[i, j]` more.",
        "With channels the stamp is `w @ dy[i, j]`, (kh, kw, channels in): it sums over the filters.",
    ),
    remark="With `kernel_gradient` this is all that a convolution layer has to do on the way back.",
)


EXERCISES = [INPUT_SIZES, SAME_PADDING, CONV_COST, CONV2D, FIND_KERNEL, KERNEL_GRADIENT, INPUT_GRADIENT]
