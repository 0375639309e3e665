"""The exercises 18.1 to 18.4: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def listened(
    reach: str = "d * (k - 1)",
    field: str = "field + reach * jump",
    jump: str = "jump * s",
    start: str = "1",
    unit: str = "{} / rate",
    count: str = "max(0, (samples - field) // jump + 1)",
) -> cell:
    """An answer to 18.1 from its parts."""
    return cell(f"""
def listens(layers, rate, samples):
    field, jump = {start}, 1
    for k, s, d in layers:
        reach = {reach}
        field = {field}
        jump = {jump}
    return {unit.format("field")}, {unit.format("jump")}, {count}
""")


def stacked(
    size: str = "-(-n // s)",
    taps: str = "kernel[0] * kernel[1] * kernel[2]",
    parameters: str = "taps * channels * filters + filters",
    macs: str = "np.prod(sides) * taps * channels * filters",
    channels: str = "filters",
    kept: str = "[np.prod(shape)]",
    result: str = "4 * sum(kept)",
    strides: str = "strides",
) -> cell:
    """An answer to 18.2 from its parts."""
    return cell(f"""
def stack(shape, layers):
    *sides, channels = shape
    total, work, kept = 0, 0, {kept}
    for kernel, strides, filters in layers:
        taps = {taps}
        old = sides
        sides = [{size} for n, s in zip(sides, {strides})]
        total += {parameters}
        work += {macs}
        channels = {channels}
        kept.append(np.prod(sides) * filters)
    return (*sides, channels), total, work, {result}
""")


def averaged(
    edges: str = "np.maximum(adjacency, np.eye(len(x)))",
    mean: str = "edges @ x / edges.sum(1, keepdims=True)",
    result: str = "mean @ weights",
) -> cell:
    """An answer to 18.3 from its parts."""
    return cell(f"""
def graph_mean(adjacency, x, weights):
    edges = {edges}
    mean = {mean}
    return {result}
""")


def read(
    decay: str = "(1 - kernel.sum()) / dt",
    place: str = "n - size // 2",
    v: str = "-first * h / dt",
    d: str = "second * h**2 / (2 * dt)",
    rows: str = "kernel.sum(1)",
    columns: str = "kernel.sum(0)",
    hs: str = "(dy, dx)",
    result: str = "tuple(vs), tuple(ds)",
) -> cell:
    """An answer to 18.4 from its parts."""
    return cell(f"""
def equation(kernel, dt, dy, dx):
    size = len(kernel)
    vs, ds = [], []
    for line, h in zip(({rows}, {columns}), {hs}):
        first = sum(line[n] * ({place}) for n in range(size))
        second = sum(line[n] * ({place}) ** 2 for n in range(size))
        vs.append({v})
        ds.append({d})
    return {decay}, {result}
""")


WRONG = {
    "18.1": [
        (listened(reach="k - 1"), "The dilation is not used"),
        (listened(reach="d * k - 1"), "Between k taps there are k - 1 gaps"),
        (listened(start="0", reach="d * k"), "Kernels are added up whole"),
        (listened(field="field + reach"), "Strides are not used for the field"),
        (listened(field="field + reach * jump * s"), "A layer's own stride"),
        (listened(jump="s"), "Strides multiply through the layers"),
        (listened(jump="jump + s - 1"), "yours are added"),
        (listened(unit="{}"), "These are samples"),
        (listened(unit="{} * rate"), "A second has `rate` samples"),
        (listened(unit="1000 * {} / rate"), "These are milliseconds"),
        (listened(count="samples // jump"), "needs its whole field"),
        (listened(count="-(-samples // jump)"), "with padding"),
        (listened(count="max(0, (samples - field) // jump)"), "One is missing"),
        (listened(count="max(1, (samples - field) // jump + 1)"), "gives no output: 0"),
        (listened(count="(samples - field) // jump + 1"), "none below it"),
        (listened(count="max(0, (samples - field) / jump + 1)"), "round down"),
    ],
    "18.2": [
        (stacked(size="n // s"), "rounds *up*"),
        (stacked(strides="(1, *strides[1:])"), "along the first axis"),
        (stacked(strides="(1, 1, 1)"), "The strides are left out"),
        (stacked(taps="kernel[1] * kernel[2]"), "27 weights for each channel, not 9"),
        (stacked(taps="sum(kernel)"), "The taps of a kernel multiply"),
        (stacked(parameters="taps * channels * filters"), "Each filter has a bias"),
        (stacked(macs="np.prod(old) * taps * channels * filters"), "at the places of the *output*"),
        (stacked(macs="np.prod(sides) * (taps * channels + 1) * filters"), "A bias is added, not multiplied"),
        (stacked(macs="np.prod(sides) * taps * filters"), "multiplies all *channels*"),
        (stacked(channels="channels"), "are this layer's filters"),
        (stacked(kept="[]"), "The input is missing"),
        (stacked(result="4 * (sum(kept) + sum(kept[1:-1]))"), "it is kept once"),
        (stacked(result="4 * max(kept)"), "That is the largest array"),
        (stacked(result="4 * kept[-1]"), "the last array only"),
        (stacked(result="sum(kept)"), "Each takes 4 bytes"),
    ],
    "18.3": [
        (
            averaged(
                edges="adjacency * (1 - np.eye(len(x)))", mean="edges @ x / np.maximum(edges.sum(1, keepdims=True), 1)"
            ),
            "The node itself is missing",
        ),
        (
            averaged(edges="adjacency", mean="edges @ x / np.maximum(edges.sum(1, keepdims=True), 1)"),
            "unless it happens",
        ),
        (averaged(edges="adjacency + np.eye(len(x))"), "is counted twice"),
        (averaged(edges="np.maximum(adjacency, np.eye(len(x))).T"), "the wrong way"),
        (averaged(edges="np.maximum(np.maximum(adjacency, adjacency.T), np.eye(len(x)))"), "go both ways"),
        (averaged(mean="edges @ x"), "That is a sum"),
        (averaged(mean="edges @ x / np.maximum(edges.sum(1, keepdims=True) - 1, 1)"), "count it too"),
        (averaged(mean="edges @ x / len(x)"), "not over all"),
        (averaged(mean="(edges / edges.sum(0)) @ x"), "divided by its own sum"),
        (
            averaged(mean="np.diag(edges.sum(1) ** -0.5) @ edges @ np.diag(edges.sum(1) ** -0.5) @ x"),
            "Kipf and Welling",
        ),
        (averaged(result="mean"), "The weights are not used"),
    ],
    "18.4": [
        (read(decay="1 - kernel.sum()"), "The decay is a rate"),
        (read(decay="(kernel.sum() - 1) / dt"), "The sign of the decay"),
        (read(decay="kernel.sum() / dt"), "What stays, 1, is no decay"),
        (read(v="first * h / dt"), "The sign of the velocity"),
        (read(v="-first / dt"), "A velocity is in metres"),
        (read(v="-first * h"), "The velocity: divide by dt"),
        (read(v="-first * h / (2 * dt)"), "has no half"),
        (read(d="second * h**2 / dt"), "has a half"),
        (read(d="second * h / (2 * dt)"), "the *square* of the distance"),
        (read(d="second / (2 * dt)"), "in square metres"),
        (read(d="(second - first**2) * h**2 / (2 * dt)"), "as for a variance"),
        (read(d="second * h**2 / 2"), "The diffusivity: divide by dt"),
        (read(place="n"), "count from the *middle*"),
        (read(hs="(dx, dy)"), "yours are exchanged"),
        (read(result="tuple(vs[::-1]), tuple(ds[::-1])"), "The pairs are (y, x)"),
        (read(rows="kernel[:, size // 2]", columns="kernel[size // 2]"), "Only the middle row and column"),
    ],
}

EQUIVALENT = {
    "18.1": [
        listened(),
        cell("""
def listens(layers, rate, samples):
    left = samples
    sees, step = [0], 1
    for kernel, stride, dilation in layers:
        span = (kernel - 1) * dilation + 1
        sees = sees + [(span - 1) * step]
        step = step * stride
        left = (left - span) // stride + 1 if left >= span else 0
    return (1 + sum(sees)) * (1 / rate), step / rate, left
"""),
    ],
    "18.2": [
        stacked(),
        cell("""
def stack(shape, layers):
    d, h, w, c = shape
    params, macs, memory = 0, 0, d * h * w * c
    for (kd, kh, kw), (sd, sh, sw), f in layers:
        d, h, w = int(np.ceil(d / sd)), int(np.ceil(h / sh)), int(np.ceil(w / sw))
        kernel = kd * kh * kw * c * f
        params += kernel + f
        macs += d * h * w * kernel
        c = f
        memory += d * h * w * c
    return [d, h, w, c], params, macs, memory * 4
"""),
    ],
    "18.3": [
        averaged(),
        averaged(mean="edges @ (x @ weights) / edges.sum(1)[:, None]", result="mean"),
        cell("""
def graph_mean(adjacency, x, weights):
    rows = []
    for i in range(len(x)):
        heard = {i} | {j for j in range(len(x)) if adjacency[i][j]}
        rows.append(np.mean([x[j] @ weights for j in heard], axis=0))
    return rows
"""),
    ],
    "18.4": [
        read(),
        cell("""
def equation(kernel, dt, dy, dx):
    n = len(kernel) // 2
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    y, x = y * dy, x * dx
    return (
        float(1 / dt - kernel.sum() / dt),
        [-(kernel * y).sum() / dt, -(kernel * x).sum() / dt],
        [(kernel * y * y).sum() / 2 / dt, (kernel * x * x).sum() / 2 / dt],
    )
"""),
    ],
}

globals().update(standard_tests("18", WRONG, EQUIVALENT, only=tuple(WRONG)))
