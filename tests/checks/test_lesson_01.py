"""The exercises of lesson 01: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def input_sizes(
    smallest: str = "(outputs - 1) * stride + span - 2 * padding",
    refusal: str = "outputs < 1 or largest < 1",
    span: str = "dilation * (kernel - 1) + 1",
    largest: str = "smallest + stride - 1",
    result: str = "max(smallest, 1), largest",
) -> cell:
    """An answer to 01.1 from its parts."""
    return cell(f"""
def input_sizes(outputs, kernel, stride=1, padding=0, dilation=1):
    span = {span}
    smallest = {smallest}
    largest = {largest}
    if {refusal}:
        raise ValueError("none")
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


def input_gradient(
    step: str = "dx[top : top + kh, left : left + kw] += w @ dy[i, j]",
    refusal: str = "dy.shape[:2] != (oh, ow)",
    array: str = "np.zeros((*size, w.shape[2]))",
    places: str = "i * stride, j * stride",
    result: str = "dx",
) -> cell:
    """An answer to 01.7 in loops, from its parts."""
    return cell(f"""
def input_gradient(dy, w, size, stride=1):
    kh, kw = w.shape[:2]
    oh, ow = (arithmetic.output_size(n, k, stride) for n, k in zip(size, (kh, kw)))
    if {refusal}:
        raise ValueError("dy")
    dx = {array}
    for i in range(min(oh, dy.shape[0])):
        for j in range(min(ow, dy.shape[1])):
            top, left = {places}
            {step}
    return {result}
""")


PADDED = "size + 2 * padding"
RIGHT_COUNT = "kh * kw * c * filters"
PADDED_SIZE = "(padded.shape[0] - kh) // stride + 1, (padded.shape[1] - kw) // stride + 1"
ADD = "dw += window[:, :, :, None] * dy[i, j]"

WRONG = {
    "01.1": [
        (input_sizes("outputs * stride + span - 2 * padding"), "takes O - 1 steps"),
        (input_sizes("(outputs - 1) + span - 2 * padding"), "Your smallest size does not change with the stride"),
        (input_sizes("(outputs - 1) * stride + span - padding"), "It is added at both ends"),
        (input_sizes("(outputs - 1) * stride + span"), "does not change with the padding"),
        (input_sizes("(outputs - 1) * stride + span + 2 * padding"), "With padding your input grows"),
        (input_sizes("(outputs - 1) * stride + kernel - 2 * padding"), "does not change with the dilation"),
        (input_sizes(span="kernel * dilation"), "nothing behind the last tap"),
        (input_sizes(span="dilation * (kernel - 1)"), "One pixel is missing"),
        (input_sizes(largest="smallest"), "You return one size twice"),
        (input_sizes(largest="smallest + stride"), "Your largest size is one too large"),
        (input_sizes(largest="smallest + 1"), "Yours are always two"),
        (input_sizes(result="(smallest, largest)"), "Your smallest size is below 1"),
        (input_sizes(result="(largest, max(smallest, 1))"), "The two sizes are exchanged"),
        (input_sizes(refusal="outputs < 1"), "with much padding even an input of one pixel"),
        (input_sizes(refusal="largest < 1"), "a layer without outputs has no place"),
        (input_sizes(refusal="False"), "Where there are none, your function returns numbers"),
        (input_sizes(refusal="outputs < 1 or smallest < 1"), "You refuse inputs that exist"),
        (
            input_sizes("outputs * stride + span - padding", refusal="outputs < 1"),
            "Two things. A window that stops O times takes O - 1 steps",
        ),
        (cell("def input_sizes(outputs, kernel, stride, padding, dilation):\n    return outputs"), "Keep the def line"),
        (
            cell("def input_sizes(outputs, kernel, stride=1, padding=0, dilation=1):\n    (outputs, outputs)"),
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
        (input_gradient("dx[top : top + kh, left : left + kw] += w[::-1, ::-1] @ dy[i, j]"), "turned by 180 degrees"),
        (input_gradient("dx[top : top + kh, left : left + kw] = w @ dy[i, j]"), "only the last one is left"),
        (input_gradient(places="i, j"), "Right without a stride"),
        (
            input_gradient(result="dx[: (oh - 1) * stride + kh, : (ow - 1) * stride + kw]"),
            "that no window read are missing",
        ),
        (input_gradient("dx[top : top + kh, left : left + kw] += w[..., 0] * dy[i, j, 0]"), "Only the first filter"),
        (
            input_gradient("dx[top : top + kh, left : left + kw] += (w * dy[i, j]).mean(-1)"),
            "You average over the filters",
        ),
        (
            input_gradient("dx[top : top + kh, left : left + kw] += (w @ dy[i, j]).sum(-1, keepdims=True)"),
            "You sum over the input channels",
        ),
        (
            input_gradient(array="np.zeros((*size, w.shape[2]))", result="dx.astype(dy.dtype)"),
            "Your gradient has the type of `dy`",
        ),
        (input_gradient(result="dx.astype(w.dtype)"), "Your gradient has the type of `w`"),
        (input_gradient(result="dx.transpose(1, 0, 2)"), "Rows and columns of the image"),
        (input_gradient(result="np.moveaxis(dx, -1, 0)"), "channels first"),
        (input_gradient(result="-dx"), "The sign is turned"),
        (input_gradient(refusal="dy.shape[0] < oh or dy.shape[1] < ow"), "One that is too large fits no better"),
        (
            cell("""
def input_gradient(dy, w, size, stride=1):
    dx = np.zeros((*size, w.shape[2]))
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            for u in range(w.shape[0]):
                for v in range(w.shape[1]):
                    if i * stride + u < size[0] and j * stride + v < size[1]:
                        dx[i * stride + u, j * stride + v] += w[u, v] @ dy[i, j]
    return dx
"""),
            "you return numbers for it",
        ),
        (
            cell("""
def input_gradient(dy, w, size, stride=1):
    if dy.shape[:2] != tuple(arithmetic.output_size(n, k, stride) for n, k in zip(size, w.shape)):
        raise ValueError
    dx, count = np.zeros((*size, w.shape[2])), np.zeros((*size, 1))
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            place = np.s_[i * stride : i * stride + w.shape[0], j * stride : j * stride + w.shape[1]]
            dx[place] += w @ dy[i, j]
            count[place] += 1
    return dx / np.maximum(count, 1)
"""),
            "You average where stamps overlap",
        ),
    ],
}

EQUIVALENT = {
    "01.1": [
        cell("""
def input_sizes(outputs, kernel, stride=1, padding=0, dilation=1):
    found = []
    for size in range(1, outputs * stride + dilation * kernel + 1):
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        if room >= 0 and room // stride + 1 == outputs:
            found.append(size)
    if not found:
        raise ValueError("none")
    return min(found), max(found)
"""),
        cell("""
def input_sizes(outputs, kernel, stride=1, padding=0, dilation=1):
    if outputs < 1:
        raise ValueError
    largest = outputs * stride + dilation * (kernel - 1) - 2 * padding
    if largest <= 0:
        raise ValueError
    return np.array([max(1, largest - stride + 1), largest])
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
def input_gradient(dy, w, size, stride=1):
    (oh, ow), (kh, kw) = dy.shape[:2], w.shape[:2]
    if oh != (size[0] - kh) // stride + 1 or ow != (size[1] - kw) // stride + 1:
        raise ValueError
    spread = np.zeros((size[0] + kh - 1, size[1] + kw - 1, dy.shape[2]))
    spread[kh - 1 : kh - 1 + (oh - 1) * stride + 1 : stride, kw - 1 : kw - 1 + (ow - 1) * stride + 1 : stride] = dy
    windows = np.lib.stride_tricks.sliding_window_view(spread, (kh, kw), axis=(0, 1))
    return np.einsum("hwouv,uvio->hwi", windows, w[::-1, ::-1])
"""),
        cell("""
def input_gradient(dy, w, size, stride=1):
    if dy.shape[:2] != tuple(arithmetic.output_size(n, k, stride) for n, k in zip(size, w.shape)):
        raise ValueError
    dx = np.zeros((*size, w.shape[2]))
    for u in range(w.shape[0]):
        for v in range(w.shape[1]):
            rows = slice(u, u + stride * (dy.shape[0] - 1) + 1, stride)
            columns = slice(v, v + stride * (dy.shape[1] - 1) + 1, stride)
            dx[rows, columns] += dy @ w[u, v].T
    return dx
"""),
    ],
}

globals().update(standard_tests("01", WRONG, EQUIVALENT))
