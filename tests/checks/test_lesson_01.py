"""The exercises of lesson 01: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def output_size(
    result: str, refusal: str = "span > size + 2 * padding", span: str = "dilation * (kernel - 1) + 1"
) -> cell:
    """An answer to 01.1 from its three parts."""
    return cell(f"""
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    span = {span}
    if {refusal}:
        raise ValueError("too wide")
    return {result}
""")


def conv_cost(
    parameters: str = "kh * kw * c * filters + (filters if bias else 0)",
    macs: str = "oh * ow * kh * kw * c * filters",
    size: str = "arithmetic.output_size(h, kh, stride, padding), arithmetic.output_size(w, kw, stride, padding)",
) -> cell:
    """An answer to 01.3 from its three parts."""
    return cell(f"""
def conv_cost(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
    h, w, c = input_shape
    kh, kw = kernel_size
    arithmetic.output_size(h, kh, stride, padding), arithmetic.output_size(w, kw, stride, padding)
    oh, ow = {size}
    return {parameters}, {macs}
""")


def conv2d(
    window: str = "padded[i * stride : i * stride + kh, j * stride : j * stride + kw]",
    value: str = "np.sum(window * w[:, :, :, f]) + (0 if b is None else b[f])",
    size: str = "(arithmetic.output_size(n, k, stride, padding) for n, k in zip(x.shape, (kh, kw)))",
    pad: str = "np.pad(x, ((padding, padding), (padding, padding), (0, 0)))",
    array: str = "np.zeros((oh, ow, cout))",
    stride: str = "stride",
) -> cell:
    """An answer to 01.4 in loops, from its parts."""
    return cell(f"""
def conv2d(x, w, b=None, stride=1, padding=0):
    stride = {stride}
    kh, kw, cin, cout = w.shape
    if x.shape[2] != cin:
        raise ValueError("channels")
    padded = {pad}
    oh, ow = {size}
    y = {array}
    for i in range(oh):
        for j in range(ow):
            for f in range(cout):
                window = {window}
                y[i, j, f] = {value}
    return y
""")


def same_refusing(what: str) -> cell:
    """An answer to 01.2 that refuses more than it should."""
    return cell(f"""
def same_padding(size, kernel, stride=1, dilation=1):
    if min(size, kernel, stride, dilation) < 1 or {what}:
        raise ValueError
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2
""")


def kernel_gradient(step: str, refusal: str = "dy.shape[:2] != (oh, ow)", result: str = "dw") -> cell:
    """An answer to 01.6 in loops, from its parts."""
    return cell(f"""
def kernel_gradient(x, dy, kernel_size, stride=1):
    kh, kw = kernel_size
    oh = arithmetic.output_size(x.shape[0], kh, stride)
    ow = arithmetic.output_size(x.shape[1], kw, stride)
    if {refusal}:
        raise ValueError("dy")
    dw = np.zeros((kh, kw, x.shape[2], dy.shape[2]))
    for i in range(min(oh, dy.shape[0])):
        for j in range(min(ow, dy.shape[1])):
            window = x[i * stride : i * stride + kh, j * stride : j * stride + kw]
            {step}
    return {result}
""")


def transposed_size(result: str, refusal: str = "output_padding >= stride or result < 1") -> cell:
    """An answer to 01.7 from its parts."""
    return cell(f"""
def transposed_size(size, kernel, stride=1, padding=0, output_padding=0):
    result = {result}
    if {refusal}:
        raise ValueError("no")
    return result
""")


PADDED = "size + 2 * padding"
RIGHT_COUNT = "kh * kw * c * filters"
PADDED_SIZE = "(padded.shape[0] - kh) // stride + 1, (padded.shape[1] - kw) // stride + 1"
ADD = "dw += window[:, :, :, None] * dy[i, j]"

WRONG = {
    "01.1": [
        (output_size(f"({PADDED} - span) // stride"), "One output is missing"),
        (output_size("(size + padding - span) // stride + 1"), "It is added at both ends"),
        (output_size(f"({PADDED} - kernel * dilation) // stride + 1"), "there is nothing behind the last tap"),
        (output_size(f"({PADDED} - kernel) // stride + 1"), "does not change with the dilation"),
        (output_size(f"({PADDED} - span) / stride + 1"), "A window cannot stop two and a half times"),
        (output_size(f"int(np.ceil(({PADDED} - span) / stride)) + 1"), "You round up"),
        (output_size(f"round(({PADDED} - span) / stride) + 1"), "You round to the nearest"),
        (output_size(f"({PADDED} - span + 1) // stride"), "The first place of the window costs no step"),
        (output_size("(size - span) // stride + 1", refusal="span > size"), "does not change with the padding"),
        (output_size(f"{PADDED} - span + 1"), "does not change with the stride"),
        # who computes a wrong span refuses by it too
        (output_size(f"({PADDED} - span) // stride + 1", span="kernel * dilation"), "there is nothing behind"),
        (output_size(f"({PADDED} - span) // stride + 1", span="kernel + dilation - 1"), "*every* gap"),
        (output_size(f"({PADDED} - span) // stride + 1", span="dilation * (kernel - 1)"), "one pixel too narrow"),
        (output_size(f"({PADDED} - span) // stride + 1", span="kernel * dilation + 1"), "K taps have K - 1 gaps"),
        (output_size(f"({PADDED} - span) // stride + 1", span="kernel"), "does not change with the dilation"),
        (output_size("-(-size // stride)"), 'This is the size for padding="same"'),
        (
            output_size(f"({PADDED} - span) // stride + 1", refusal="False"),
            "Where it does not, your function returns a number",
        ),
        (output_size(f"max(0, ({PADDED} - span) // stride + 1)", refusal="False"), "it raises ValueError"),
        (output_size(f"({PADDED} - span) // stride + 1", refusal=f"span >= {PADDED}"), "It has one place to stand"),
        (output_size(f"({PADDED} - span) // stride + 1", refusal=f"kernel > {PADDED}"), "the number of taps"),
        (output_size(f"({PADDED} - span) // stride + 1", refusal="span > size"), "You refuse a kernel that fits"),
        (
            output_size("(size + padding - kernel) // stride + 1", refusal="False"),
            "Two things. The padding counts once",
        ),
        (output_size(f"({PADDED} - kernel) // stride", refusal="False"), "And: One output is missing"),
        (cell("def output_size(size, kernel, stride, padding, dilation):\n    return size"), "Keep the def line"),
        (
            cell("def output_size(size, kernel, stride=1, padding=0, dilation=1):\n    (size - kernel) // stride"),
            "`return` missing",
        ),
    ],
    "01.2": [
        (same_refusing("kernel > size"), "wider than the image"),
        (same_refusing("dilation * (kernel - 1) + 1 > size"), "spans more than the image"),
        (same_refusing("stride > size"), "a stride longer than the image"),
        (lambda size, kernel, stride=1, dilation=1: ((kernel - 1) // 2,) * 2, "Half a kernel on each side"),
        (
            cell("""
def same_padding(size, kernel, stride=1, dilation=1):
    if min(size, kernel, stride, dilation) < 1:
        raise ValueError
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total - total // 2, total // 2
"""),
            "stands at the wrong end",
        ),
        (
            cell("""
def same_padding(size, kernel, stride=1, dilation=1):
    if min(size, kernel, stride, dilation) < 1:
        raise ValueError
    total = (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size
    return total // 2, total - total // 2
"""),
            "a negative number of zeros",
        ),
        (
            cell("""
def same_padding(size, kernel, stride=1, dilation=1):
    if min(size, kernel, stride, dilation) < 1:
        raise ValueError
    total = max((size // stride - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2
"""),
            "You round the number of outputs down",
        ),
        (
            cell("""
def same_padding(size, kernel, stride=1, dilation=1):
    if size < 1 or kernel < 1 or stride < 1 or dilation < 1:
        raise ValueError
    total = max(dilation * (kernel - 1) + 1 - stride, 0)
    return total // 2, total - total // 2
"""),
            "right where the stride divides the size",
        ),
        (
            cell("""
def same_padding(size, kernel, stride=1, dilation=1):
    if min(size, kernel, stride, dilation) < 1:
        raise ValueError
    total = dilation * (kernel - 1)
    return total // 2, total - total // 2
"""),
            "does not change with the stride",
        ),
        (
            cell("""
def same_padding(size, kernel, stride=1, dilation=1):
    outputs = (size + stride - 1) // stride
    total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2
"""),
            "is no layer: raise a ValueError",
        ),
        (
            cell("""
def same_padding(size, kernel, stride=1, dilation=1):
    if min(size, kernel, stride, dilation) < 1:
        raise ValueError
    return max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
"""),
            "Came",
        ),
    ],
    "01.3": [
        (
            cell("""
def conv_cost(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
    oh, ow = (int((n + 2 * padding - k) / stride) + 1 for n, k in zip(input_shape, kernel_size))
    if min(oh, ow) < 1:
        raise ValueError
    weights = kernel_size[0] * kernel_size[1] * input_shape[2] * filters
    return weights + bias * filters, oh * ow * weights
"""),
            "which looks like one place",
        ),
        (conv_cost(RIGHT_COUNT), "Your parameters never include biases"),
        (conv_cost(f"{RIGHT_COUNT} + filters"), "even for a layer without them"),
        (conv_cost(f"{RIGHT_COUNT} + (1 if bias else 0)"), "one bias for the whole layer"),
        (conv_cost(f"{RIGHT_COUNT} * (2 if bias else 1)"), "a bias for each weight"),
        (conv_cost("(kh * kw + (1 if bias else 0)) * c * filters"), "a bias for each slice"),
        (conv_cost(f"{RIGHT_COUNT} + (c if bias else 0)"), "a bias for each *input* channel"),
        (
            conv_cost("(kh * kw + (1 if bias else 0)) * filters"),
            "Your parameters do not change with the input channels",
        ),
        (conv_cost("(kh * kw + bias) * filters", "oh * ow * kh * kw * filters"), "Neither of your numbers"),
        (conv_cost("kh * kw * c + (1 if bias else 0)"), "the parameters of one filter"),
        (conv_cost(f"oh * ow * ({RIGHT_COUNT} + (filters if bias else 0))"), "Your parameters grow with the image"),
        (
            conv_cost("(kh * kh * c + bias) * filters", "oh * ow * kh * kh * c * filters"),
            "You take the kernel as square",
        ),
        (conv_cost(size="h, w"), "count the pixels of the input"),
        (conv_cost(size="h + 2 * padding - kh + 1, w + 2 * padding - kw + 1"), "do not change with the stride"),
        (conv_cost(size="(h - kh) // stride + 1, (w - kw) // stride + 1"), "do not change with the padding"),
        (
            conv_cost(size="(h + 2 * padding - kw) // stride + 1, (w + 2 * padding - kh) // stride + 1"),
            "kernel_size is (height, width), as is the image",
        ),
        (conv_cost(size="[(h + 2 * padding - kh) // stride + 1] * 2"), "You take the output as square"),
        (conv_cost(macs=f"oh * ow * ({RIGHT_COUNT} + filters)"), "include the biases"),
        (conv_cost(macs=f"oh * ow * ({RIGHT_COUNT} + filters * bias)"), "include the biases of a layer that has them"),
        (conv_cost(macs=f"2 * oh * ow * {RIGHT_COUNT}"), "these are floating-point operations"),
        (conv_cost(macs="oh * ow * kh * kw * filters"), "A window is a cube"),
        (conv_cost(macs="oh * ow * kh * kw * c"), "the multiply-accumulates of one filter"),
        (conv_cost(macs="oh * ow * filters"), "You count the numbers that come out"),
        (
            conv_cost(RIGHT_COUNT, f"h * w * {RIGHT_COUNT}"),
            "Your parameters never include biases",
        ),  # two errors at once
        (
            cell("""
def conv_cost(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
    (h, w, c), (kh, kw) = input_shape, kernel_size
    oh = (h + 2 * padding - kh) // stride + 1
    ow = (w + 2 * padding - kw) // stride + 1
    return (kh * kw * c + bias) * filters, oh * ow * kh * kw * c * filters
"""),
            "there is no layer to count",
        ),
    ],
    "01.4": [
        (conv2d(value="np.sum(window * w[::-1, ::-1, :, f]) + (0 if b is None else b[f])"), "You flip the kernel"),
        (conv2d(value="np.sum(window * w[:, :, :, f])"), "The bias is missing"),
        (
            conv2d(value="np.sum(window * w[:, :, :, f] + (0 if b is None else b[f]))"),
            "You add the bias for every product",
        ),
        (conv2d(value="np.mean(window * w[:, :, :, f]) + (0 if b is None else b[f])"), "You average over the window"),
        (conv2d(window="padded[i : i + kh, j : j + kw]"), "the windows lie one pixel apart"),
        (conv2d(pad="np.pad(x, ((0, 2 * padding), (0, 2 * padding), (0, 0)))"), "below and to the right"),
        (
            conv2d(pad="np.pad(x, ((padding, padding), (padding, padding), (0, 0)), mode='edge')"),
            "You repeat the pixels",
        ),
        (conv2d(array="np.zeros((oh, ow, cout), dtype=int)"), "Your output lost its fractions"),
        (
            conv2d(value="max(np.sum(window * w[:, :, :, f]) + (0 if b is None else b[f]), 0)"),
            "An activation such as ReLU",
        ),
        (
            conv2d(value="window[..., 0].ravel() @ w[:, :, 0, f].ravel() + (0 if b is None else b[f])"),
            "Only the first input",
        ),
        (
            cell("""
def conv2d(x, w, b=None, stride=1, padding=0):
    padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[:2], axis=(0, 1))[::stride, ::stride]
    y = (windows[..., None] * w.transpose(2, 0, 1, 3)).sum(axis=(2, 3, 4))
    return y if b is None else y + b
"""),
            "even where NumPy would stretch one to fit the other",
        ),
        (
            cell("""
def conv2d(x, w, b=None, stride=1, padding=0):
    kh, kw, cin, cout = w.shape
    if x.shape[2] != cin:
        raise ValueError
    padded = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    oh = max((padded.shape[0] - kh) // stride + 1, 0)
    ow = max((padded.shape[1] - kw) // stride + 1, 0)
    y = np.zeros((oh, ow, cout))
    for i in range(oh):
        for j in range(ow):
            y[i, j] = np.tensordot(padded[i * stride : i * stride + kh, j * stride : j * stride + kw], w, 3)
    return y if b is None else y + b
"""),
            "A kernel that does not fit into the padded image has no output",
        ),
        (conv2d(pad="np.pad(x, padding)"), "Error"),
        (conv2d(array="np.zeros((oh, ow, cout), dtype=x.dtype)"), "Your output has the type of `x`"),
        (conv2d(array="np.zeros((oh, ow, cout), dtype=w.dtype)"), "Your output has the type of `w`"),
        (
            conv2d(value="np.sum(window * w[:, :, :, f]) + (b[f] if b is not None and all(b) else 0)"),
            "A bias of 0 is a number like any other",
        ),
        (conv2d(pad="np.pad(x, ((padding, 0), (padding, 0), (0, 0)))", size=PADDED_SIZE), "above and to the left"),
        (conv2d(pad="x", size=PADDED_SIZE), "does not change with the padding"),
        (
            conv2d(value="np.mean(window * w[..., f], axis=2).sum() + (0 if b is None else b[f])"),
            "You average over the input",
        ),
        (
            conv2d(value="np.sum(window * w[:, :, :, f]) + (0 if b is None else b[f])", stride=1),
            "stands on every pixel",
        ),
    ],
    "01.5": [
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(shape) < 1 or output.size < shape[0] * shape[1]:
        raise ValueError
    return np.linalg.lstsq(unroll(image, shape), output.ravel())[0]
"""),
            "stand in one row",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(shape) < 1 or output.size < shape[0] * shape[1]:
        raise ValueError
    return np.flip(np.linalg.lstsq(unroll(image, shape), output.ravel())[0].reshape(shape))
"""),
            "turned by 180 degrees",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(shape) < 1 or output.size < shape[0] * shape[1]:
        raise ValueError
    return np.linalg.lstsq(unroll(image, shape), output.ravel())[0].reshape(shape).round(6).astype(output.dtype)
"""),
            "has lost its fractions",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(shape) < 1:
        raise ValueError
    return np.linalg.lstsq(unroll(image, shape), output.ravel())[0].reshape(shape)
"""),
            "many kernels fit",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(shape) < 1 or output.size < shape[0] * shape[1]:
        raise ValueError
    return slide(image, output)
"""),
            "it does not solve for it",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    n = shape[0] * shape[1]
    if min(shape) < 1 or output.size < n:
        raise ValueError
    return np.linalg.solve(unroll(image, shape)[:n], output.ravel()[:n]).reshape(shape)
"""),
            "only as many output pixels as there are weights",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    n = shape[0] * shape[1]
    if min(shape) < 1 or output.size < n:
        raise ValueError
    return np.linalg.lstsq(unroll(image, shape)[:n], output.ravel()[:n])[0].reshape(shape)
"""),
            "only as many output pixels as there are weights",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(shape) < 1 or output.size < shape[0] * shape[1]:
        raise ValueError
    kernel = np.zeros(shape, image.dtype)
    kernel[:] = np.linalg.lstsq(unroll(image, shape), output.ravel())[0].reshape(shape)
    return kernel
"""),
            "the type of the image",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0] + 1, image.shape[1] - output.shape[1] + 1)
    if min(shape) < 1 or output.size < shape[0] * shape[1]:
        raise ValueError
    return np.linalg.lstsq(unroll(image, shape), output.ravel())[0].reshape(shape).round(2)
"""),
            "any number of digits",
        ),
        (
            cell("""
def find_kernel(image, output):
    if image.shape < output.shape or output.size < 9:
        raise ValueError
    return np.linalg.lstsq(unroll(image, (3, 3)), output.ravel())[0].reshape(3, 3)
"""),
            "LinAlgError",
        ),
        (
            cell("""
def find_kernel(image, output):
    shape = (image.shape[0] - output.shape[0], image.shape[1] - output.shape[1])
    if min(shape) < 1:
        raise ValueError
    return np.linalg.lstsq(unroll(image, shape)[: output.size], output.ravel())[0].reshape(shape)
"""),
            "Difference",
        ),
    ],
    "01.6": [
        (kernel_gradient("dw = window[:, :, :, None] * dy[i, j]"), "Only the last position is left"),
        (kernel_gradient(ADD, result="dw / (oh * ow)"), "You average over the positions"),
        (kernel_gradient(ADD, result="dw[::-1, ::-1]"), "turned by 180 degrees"),
        (kernel_gradient(ADD, result="dw.transpose(0, 1, 3, 2)"), "The two channel axes are exchanged"),
        (
            kernel_gradient("dw = dw.astype(x.dtype) + (window[:, :, :, None] * dy[i, j]).astype(x.dtype)"),
            "Difference",
        ),
        (kernel_gradient(ADD, result="dw.astype(x.dtype)"), "has the type of `x`"),
        (kernel_gradient(ADD, result="dw.astype(dy.dtype)"), "has the type of `dy`"),
        (kernel_gradient(ADD, result="-dw"), "The gradient points uphill"),
        (kernel_gradient("dw += x[i : i + kh, j : j + kw][:, :, :, None] * dy[i, j]"), "begins at i * stride"),
        (kernel_gradient("dw += window.sum(2)[:, :, None, None] * dy[i, j]"), "each slice meets its own channel only"),
        (kernel_gradient(ADD, refusal="dy.shape[0] < oh or dy.shape[1] < ow"), "One that is too large fits no better"),
        (kernel_gradient(ADD, refusal="False"), "it raises ValueError"),
        (
            cell("""
def kernel_gradient(x, dy, kernel_size, stride=1):
    kh, kw = kernel_size
    dw = np.zeros((kh, kw, x.shape[2], dy.shape[2]))
    for i, j in np.ndindex(dy.shape[:2]):
        dw += x[i * stride : i * stride + kh, j * stride : j * stride + kw, :, None] * dy[i, j]
    return dw
"""),
            "it raises ValueError",
        ),
    ],
    "01.7": [
        (transposed_size("(size - 1) * stride - 2 * padding + output_padding"), "You count where the stamps begin"),
        (transposed_size("size * stride - 2 * padding + kernel + output_padding"), "W stamps are W - 1 steps apart"),
        (transposed_size("(size - 1) * stride + 2 * padding + kernel + output_padding"), "it cuts pixels off"),
        (transposed_size("(size - 1) * stride - padding + kernel + output_padding"), "It comes off both"),
        (transposed_size("(size - 1) * stride - 2 * padding + kernel"), "does not change with the output padding"),
        (transposed_size("(size + 2 * padding - kernel) // stride + 1"), "This is the size of a convolution"),
        (transposed_size("size * stride - 2 * padding + output_padding"), "The kernel does not take part"),
        (transposed_size("(size - 1) * stride - 2 * padding + kernel - 1 + output_padding"), "One pixel is missing"),
        (transposed_size("(size - 1) * stride + kernel + output_padding"), "does not change with the padding"),
        (transposed_size("(size - 1) * stride - 2 * padding + kernel + 2 * output_padding"), "at the end only"),
        (transposed_size("(size - 1) - 2 * padding + kernel + output_padding"), "does not change with the stride"),
        (
            transposed_size("(size - 1) * stride - 2 * padding + max(kernel, stride) + output_padding"),
            'Keras\'s "valid"',
        ),
        (
            transposed_size("size * stride + kernel - padding + output_padding"),
            "Two things. You count one step too many",
        ),
        (transposed_size("size * stride"), 'what Keras returns for "same"'),
        (
            transposed_size("(size - 1) * stride - 2 * padding + kernel + output_padding", "result < 1"),
            "output padding only tells sizes apart",
        ),
        (
            transposed_size("(size - 1) * stride - 2 * padding + kernel + output_padding", "output_padding >= stride"),
            "cuts off every pixel leaves no output",
        ),
    ],
}

EQUIVALENT = {
    "01.1": [
        cell("""
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    places = range(0, size + 2 * padding - dilation * (kernel - 1), stride)
    if not places:
        raise ValueError("no place")
    return len(places)
"""),
        cell("""
import math
def output_size(size, kernel, stride=1, padding=0, dilation=1):
    result = math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1
    if result < 1:
        raise ValueError
    return float(result)
"""),
    ],
    "01.2": [
        cell("""
import math
def same_padding(size, kernel, stride=1, dilation=1):
    for value in (size, kernel, stride, dilation):
        if value <= 0:
            raise ValueError("too small")
    last = (math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1)
    missing = max(0, last - (size - 1))
    return [math.floor(missing / 2), math.ceil(missing / 2)]
"""),
    ],
    "01.3": [
        cell("""
def conv_cost(input_shape, filters, kernel_size, stride=1, padding=0, bias=True):
    *image, channels = input_shape
    one_filter = channels * np.prod(kernel_size)
    places = [len(range(0, n + 2 * padding - k + 1, stride)) for n, k in zip(image, kernel_size)]
    if 0 in places:
        raise ValueError
    return filters * (one_filter + bias), np.prod(places) * filters * one_filter
"""),
    ],
    "01.4": [
        cell("""
def conv2d(x, w, b=None, stride=1, padding=0):
    if x.shape[-1] != w.shape[2]:
        raise ValueError("channels")
    padded = np.pad(x, [(padding, padding), (padding, padding), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[:2], axis=(0, 1))
    y = np.einsum("ijcuv,uvcf->ijf", windows[::stride, ::stride], w)
    return y + (0 if b is None else b)
"""),
        cell("""
def conv2d(x, w, b=None, stride=1, padding=0):
    if x.shape[2] != w.shape[2] or x.shape[0] + 2 * padding < w.shape[0] or x.shape[1] + 2 * padding < w.shape[1]:
        raise ValueError
    padded = np.pad(x, [(padding, padding), (padding, padding), (0, 0)])[None]
    y = keras.ops.conv(padded.astype("float32"), w.astype("float32"), strides=stride)[0]
    return y if b is None else y + keras.ops.convert_to_tensor(b.astype("float32"))
"""),
    ],
    "01.5": [
        cell("""
def find_kernel(image, output):
    kh, kw = np.subtract(image.shape, output.shape) + 1
    if kh < 1 or kw < 1 or output.size < kh * kw:
        raise ValueError
    rows = [image[i : i + kh, j : j + kw].ravel() for i in range(output.shape[0]) for j in range(output.shape[1])]
    return (np.linalg.pinv(np.array(rows)) @ output.ravel()).reshape(kh, kw)
"""),
    ],
    "01.6": [
        cell("""
def kernel_gradient(x, dy, kernel_size, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel_size, axis=(0, 1))[::stride, ::stride]
    if windows.shape[:2] != dy.shape[:2]:
        raise ValueError
    return np.einsum("ijcuv,ijf->uvcf", windows, dy)
"""),
        cell("""
def kernel_gradient(x, dy, kernel_size, stride=1):
    (oh, ow), (kh, kw) = dy.shape[:2], kernel_size
    if oh != (x.shape[0] - kh) // stride + 1 or ow != (x.shape[1] - kw) // stride + 1:
        raise ValueError
    dw = np.empty((kh, kw, x.shape[2], dy.shape[2]))
    for u in range(kh):
        for v in range(kw):
            met = x[u : u + (oh - 1) * stride + 1 : stride, v : v + (ow - 1) * stride + 1 : stride]
            dw[u, v] = np.tensordot(met, dy, axes=((0, 1), (0, 1)))
    return dw
"""),
    ],
    "01.7": [
        cell("""
def transposed_size(size, kernel, stride=1, padding=0, output_padding=0):
    if output_padding not in range(stride):
        raise ValueError
    end = 0
    for stamp in range(size):
        end = stamp * stride + kernel
    if end + output_padding <= 2 * padding:
        raise ValueError
    return end - padding - padding + output_padding
"""),
    ],
}

globals().update(standard_tests("01", WRONG, EQUIVALENT))
