"""The exercises of lesson 16: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def tile(
    kernel: str = "G @ kernel @ G.T",
    pixels: str = "B_t @ tile @ B_t.T",
    products: str = "u * v",
    output: str = "A_t @ m @ A_t.T",
    result: str = "m, y",
) -> cell:
    """An answer to 16.1 from its parts."""
    return cell(f"""
def winograd_tile(tile, kernel):
    u = {kernel}
    v = {pixels}
    m = {products}
    y = {output}
    return {result}
""")


def intensity(
    weights: str = "kernel * kernel * (channels_in // groups) * channels_out",
    operations: str = "2 * batch * height * width * weights",
    maps: str = "batch * height * width * (channels_in + channels_out)",
    moved: str = "maps + weights",
    result: str = "operations / (bytes_each * moved)",
) -> cell:
    """An answer to 16.2 from its parts."""
    return cell(f"""
def intensity(height, width, kernel, channels_in, channels_out, groups=1, batch=1, bytes_each=4):
    weights = {weights}
    operations = {operations}
    maps = {maps}
    moved = {moved}
    return {result}
""")


def slower(tiles: str = "memory", split: str = "calls", sparse: str = "arithmetic") -> cell:
    return cell(f"tiles, split, sparse = {tiles!r}, {split!r}, {sparse!r}")


def fold(
    factor: str = "gamma / np.sqrt(variance + epsilon)",
    bias: str = "beta + (bias - mean) * factor",
    kernel: str = "kernel * factor",
) -> cell:
    """An answer to 16.4 from its parts."""
    return cell(f"""
def fold(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3):
    factor = {factor}
    shift = {bias}
    return {kernel}, shift
""")


FINITE = "if not np.isfinite(x).all(): raise ValueError('not finite')"


def quantise(
    before: str = FINITE,
    ends: str = "min(x.min(), 0), max(x.max(), 0)",
    scale: str = "(high - low) / 255 if high > low else 1.0",
    point: str = "int(np.round(-128 - low / scale))",
    q: str = "np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)",
    result: str = "q, scale, zero_point",
) -> cell:
    """An answer to 16.5 from its parts."""
    return cell(f"""
def quantise(x):
    {before}
    low, high = {ends}
    scale = {scale}
    zero_point = {point}
    q = {q}
    return {result}
""")


NONE = "if not chosen: raise ValueError('no such layer')"


def speed_up(
    rows: str = "[ms for name, type_, ms in profile if type_ == kind]",
    refuse: str = NONE,
    part: str = "sum(chosen)",
    result: str = "total / (total - part + part / factor)",
) -> cell:
    """An answer to 16.6 from its parts."""
    return cell(f"""
def speed_up(profile, kind, factor):
    chosen = {rows}
    {refuse}
    total = sum(ms for _, _, ms in profile)
    part = {part}
    return {result}
""")


def choose(
    wait: str = "1000 * (o['batch'] - 1) / rate + o['p95']",
    fits: str = "wait <= budget",
    keeps_up: str = "o['p95'] <= 1000 * o['batch'] / rate",
    key: str = "(-o['accuracy'], wait)",
    result: str = "best[1]['name']",
    none: str = "None",
) -> cell:
    """An answer to 16.7 from its parts."""
    return cell(f"""
def choose(options, rate, budget):
    best = None
    for o in options:
        wait = {wait}
        if {fits} and {keeps_up}:
            key = {key}
            if best is None or key < best[0]:
                best = (key, o)
    return {none} if best is None else {result}
""")


WRONG = {
    "16.1": [
        (tile(products="u @ v"), "multiplied one by one, 16 of them"),
        (tile(kernel="G @ kernel[::-1, ::-1] @ G.T"), "You flip the kernel"),
        (tile(kernel="G @ kernel.T @ G.T"), "The kernel is transposed"),
        (tile(pixels="B_t.T @ tile @ B_t"), "is B *transposed* already"),
        (tile(pixels="B_t @ tile @ B_t"), "On the right of the tile stands"),
        (tile(pixels="B_t @ tile"), "from the left only"),
        (tile(output="m[:2, :2]"), "The output is not a corner of the products"),
        (tile(result="y"), "The 16 products are asked for, too"),
        (tile(result="y, m"), "The pair is the other way round"),
        (
            cell("""
def winograd_tile(tile, kernel):
    output = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            output[i, j] = (tile[i:i + 3, j:j + 3] * kernel).sum()
    return G @ kernel @ G.T, output
"""),
            "it is the kernel alone",
        ),
    ],
    "16.2": [
        (intensity(operations="batch * height * width * weights"), "is *two* operations"),
        (intensity(moved="maps"), "The weights are read from memory, too"),
        (intensity(moved="maps + batch * weights"), "once for the whole batch"),
        (intensity(maps="height * width * (channels_in + channels_out)"), "The maps of *all* images"),
        (intensity(maps="batch * height * width * channels_in"), "The output is written to memory"),
        (intensity(maps="batch * height * width * channels_out"), "The input is read from memory"),
        (intensity(result="operations / moved"), "operations for each *number*"),
        (intensity(result="operations / (4 * moved)"), "and not always four"),
        (intensity(weights="kernel ** 2 * channels_in * channels_out"), "reads only its own group"),
        (
            intensity(weights="kernel ** 2 * (channels_in // groups) * channels_out // groups"),
            "Each *output* channel still has its filter",
        ),
        (intensity(result="bytes_each * moved / operations"), "not bytes for each operation"),
    ],
    "16.3": [
        (slower(tiles="bandwidth"), "There are three limits"),
        (slower(tiles="arithmetic"), "a quarter of what was measured"),
        (slower(tiles="calls"), "Two calls take 0.04 ms"),
        (slower(split="memory"), "What does `split` have most of?"),
        (slower(split="arithmetic"), "40 of something"),
        (slower(sparse="memory"), "memory does not explain `sparse`"),
        (slower(sparse="calls"), "One call takes 0.02 ms"),
    ],
    "16.4": [
        (fold(factor="gamma / (variance + epsilon)"), "The root is missing"),
        (fold(factor="gamma / np.sqrt(variance + 1e-30)"), "Epsilon is missing"),
        (fold(factor="gamma / (np.sqrt(variance) + epsilon)"), "Epsilon is added under the root"),
        (fold(factor="gamma / np.sqrt(variance + 1e-3)"), "and not always 0.001"),
        (fold(factor="1 / np.sqrt(variance + epsilon)"), "Gamma is missing"),
        (fold(bias="beta - mean * factor"), "The old bias is lost"),
        (fold(bias="beta + bias - mean * factor"), "is added after the normalisation"),
        (fold(bias="beta + bias - mean"), "The mean and the old bias get the factor"),
        (fold(bias="beta + (bias + mean) * factor"), "The mean is taken off"),
        (fold(bias="(bias - mean) * factor"), "Beta is missing"),
        (fold(kernel="kernel"), "The kernel is as it was"),
    ],
    "16.5": [
        (quantise(q="np.clip(np.round(x / scale) + zero_point, -128, 127)"), "what int8 saves is saved by"),
        (quantise(q="np.clip(np.round(x / scale) + zero_point, -128, 127).astype(int)"), "an array of int64"),
        (quantise(q="np.clip(np.round(x / scale) + zero_point, -128, 127).astype(int).tolist()"), "is a list"),
        (quantise(ends="x.min(), x.max()"), "0 must lie within the range"),
        (quantise(ends="-np.abs(x).max(), np.abs(x).max()"), "yours is the same on both sides of 0"),
        (quantise(scale="(high - low) / 256 if high > low else 1.0"), "have 255 steps between them"),
        (quantise(scale="(high - low) / 127 if high > low else 1.0"), "there are 255 steps, not 127"),
        (
            quantise(
                point="int(np.round(-low / scale))",
                q="np.clip(np.round(x / scale) + zero_point, 0, 255).astype(np.uint8)",
            ),
            "That is uint8",
        ),
        (
            quantise(q="np.clip((x / scale).astype(int) + zero_point, -128, 127).astype(np.int8)"),
            "is cut off, not rounded: that moves",
        ),
        (
            quantise(q="np.clip(np.floor(x / scale) + zero_point, -128, 127).astype(np.int8)"),
            "is rounded down",
        ),
        (quantise(point="int(-128 - low / scale)"), "The zero point is rounded, not cut off"),
        (quantise(point="-128 - low / scale"), "The zero point is a whole number"),
        (
            quantise(q="(np.round(x / scale) + zero_point + 1).astype(np.int64).astype(np.int8)"),
            "comes out at the other",
        ),
        (quantise(q="(np.round(x / scale) + zero_point).astype(np.int64).astype(np.int8)"), "may both round up"),
        (quantise(before="pass"), "have no place among 256 numbers"),
        (quantise(scale="(high - low) / 255 if high > low else float('nan')"), "and you divide by it"),
        (quantise(result="q, zero_point, scale"), "The scale comes before the zero point"),
        (quantise(result="q"), "are asked for, too"),
    ],
    "16.6": [
        (cell("def speed_up(profile, kind, factor):\n    return float(factor)"), "how much faster *these layers* get"),
        (speed_up(result="(total - part + part / factor) / total"), "is old over new"),
        (speed_up(result="total / (total - part)"), "You leave the layers out"),
        (speed_up(result="total - part + part / factor"), "Those are the milliseconds that are left"),
        (speed_up(result="1 + part / total * (factor - 1)"), "Speed-ups cannot be averaged"),
        (speed_up(part="max(chosen)"), "you take the slowest alone"),
        (speed_up(part="chosen[0]"), "you take the first alone"),
        (
            speed_up(result="1 / (1 - len(chosen) / len(profile) + len(chosen) / len(profile) / factor)"),
            "You count layers",
        ),
        (
            speed_up(rows="[ms for name, type_, ms in profile if name == kind]", refuse="pass"),
            "You compare it with the name",
        ),
        (speed_up(refuse="pass"), "so the question has no meaning"),
    ],
    "16.7": [
        (choose(wait="o['p95']"), "also waits until the batch is full"),
        (choose(wait="o['p95'] / o['batch']"), "Nobody waits for a *share* of a batch"),
        (choose(wait="1000 * o['batch'] / rate + o['p95']"), "The first picture is there already"),
        (choose(wait="(o['batch'] - 1) / rate + o['p95']"), "p95 and the budget are in milliseconds"),
        (choose(keeps_up="True"), "It must keep up"),
        (choose(keeps_up="o['p95'] <= 1000 / rate"), "not as long as one"),
        (choose(fits="wait < budget"), "A wait of exactly the budget is allowed"),
        (choose(keeps_up="o['p95'] < 1000 * o['batch'] / rate"), "is still in time"),
        (choose(key="wait"), "The *most accurate* one that fits"),
        (choose(key="-o['accuracy']"), "take the one with the shorter wait"),
        (choose(key="(-o['accuracy'], o['p95'])"), "the filling of the batch is part of it"),
        (choose(result="best[1]"), "The name is asked for"),
        (choose(none="''"), "return None"),
    ],
}

EQUIVALENT = {
    "16.1": [
        tile(),
        cell("""
def winograd_tile(tile, kernel):
    products = np.einsum("ai,ij,bj->ab", G, kernel, G) * np.einsum("ai,ij,bj->ab", B_t, tile, B_t)
    return products, np.einsum("ai,ij,bj->ab", A_t, products, A_t)
"""),
    ],
    "16.2": [
        intensity(),
        cell("""
def intensity(height, width, kernel, channels_in, channels_out, groups=1, batch=1, bytes_each=4):
    each = channels_in / groups
    flops = 0
    for _ in range(batch):
        flops += 2 * kernel ** 2 * each * channels_out * height * width
    traffic = sum([batch * height * width * c for c in (channels_in, channels_out)])
    return flops / bytes_each / (traffic + kernel ** 2 * each * channels_out)
"""),
    ],
    "16.3": [slower(tiles="Memory ", split="CALLS")],
    "16.4": [
        fold(),
        cell("""
def fold(kernel, bias, gamma, beta, mean, variance, epsilon=1e-3):
    root = (variance + epsilon) ** 0.5
    new = np.stack([kernel[..., i] * gamma[i] / root[i] for i in range(len(gamma))], axis=-1)
    return new, gamma * bias / root + beta - gamma * mean / root
"""),
    ],
    "16.5": [
        quantise(),
        cell("""
def quantise(x):
    x = np.asarray(x, dtype="float64")
    if np.isnan(x).any() or np.isinf(x).any():
        raise ValueError("no numbers")
    low, high = np.minimum(x.min(), 0), np.maximum(x.max(), 0)
    scale = (high - low) / 255 if np.any(x) else 1
    zero = np.rint(-128 - low / scale)
    whole = np.rint(x / scale) + zero
    whole[whole > 127] = 127
    whole[whole < -128] = -128
    return [whole.astype("int8"), scale, int(zero)]
"""),
    ],
    "16.6": [
        speed_up(),
        cell("""
def speed_up(profile, kind, factor):
    if kind not in {row[1] for row in profile}:
        raise ValueError(kind)
    before = [ms for *_, ms in profile]
    after = [ms / factor if type_ == kind else ms for _, type_, ms in profile]
    return sum(before) / sum(after)
"""),
    ],
    "16.7": [
        choose(),
        cell("""
def choose(options, rate, budget):
    gap = 1000 / rate
    def wait(option):
        return (option["batch"] - 1) * gap + option["p95"]
    good = [o for o in options if wait(o) <= budget and o["p95"] <= o["batch"] * gap]
    good.sort(key=wait)
    good.sort(key=lambda option: option["accuracy"], reverse=True)
    return good[0]["name"] if good else None
"""),
    ],
}

globals().update(standard_tests("16", WRONG, EQUIVALENT))
