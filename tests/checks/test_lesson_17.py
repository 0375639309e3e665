"""The exercises of lesson 17: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def averaged(
    used: str = "[k for k in range(len(parts)) if images[k]]",
    share: str = "images[k] / sum(images)",
    array: str = "parts[k][w]",
) -> cell:
    """An answer to 17.1 from its parts."""
    return cell(f"""
def average_gradients(parts, images):
    result = []
    for w in range(len(parts[0])):
        total = np.zeros(parts[0][w].shape)
        used = {used}
        for k in used:
            total += {share} * {array}
        result.append(total)
    return result
""")


def ring(
    before: str = "values.copy()",
    chunk: str = "(d - step) % n",
    right: str = "(d + 1) % n",
    adds: str = "step < n - 1",
    after: str = "pass",
    result: str = "values",
) -> cell:
    """An answer to 17.2 from its parts."""
    return cell(f"""
def ring_after(values, steps):
    values = np.array(values)
    n = len(values)
    for step in range(steps):
        before = {before}
        for d in range(n):
            c, right = {chunk}, {right}
            values[right, c] = before[d, c] + (before[right, c] if {adds} else 0)
            {after}
    return {result}
""")


def scaled(
    s: str = "seconds[1] / t",
    e: str = "s / n",
    f: str = "(1 / s - 1 / n) / (1 - 1 / n)",
    start: str = "{}",
) -> cell:
    """An answer to 17.3 from its parts."""
    return cell(f"""
def scaling(seconds):
    result = {start}
    for n, t in seconds.items():
        if n == 1:
            continue
        s = {s}
        result[n] = (s, {e}, {f})
    return result
""")


def planned(
    batch: str = "each * devices * turns",
    steps: str = "-(-images // batch)",
    factor: str = "batch / base_batch",
    climbing: str = "step < climb",
    rate: str = "base_rate + (k - 1) * base_rate * step / climb",
    end: str = "base_rate * k",
) -> cell:
    """An answer to 17.4 from its parts."""
    return cell(f"""
def plan(each, devices, turns, images, base_batch, base_rate, warmup, step):
    batch = {batch}
    steps = {steps}
    k = {factor}
    climb = warmup * steps
    rate = {rate} if {climbing} else {end}
    return batch, steps, rate
""")


def left(
    torn: str = "if i + 1 < len(lines): raise",
    done: str = "'done' in said[unit]",
    given_up: str = "said[unit].count('failed') >= attempts",
    order: str = "result",
) -> cell:
    """An answer to 17.5 from its parts."""
    return cell(f"""
def to_run(units, lines, attempts):
    said = {{unit: [] for unit in units}}
    for i, line in enumerate(lines):
        try:
            record = json.loads(line)
        except ValueError:
            {torn}
            continue
        said.setdefault(record["unit"], []).append(record["status"])
    result = [unit for unit in units if not ({done}) and not ({given_up})]
    return {order}
""")


def billed(
    each: str = "6",
    speed: str = "peak * utilisation * devices",
    runs: str = "1 + tries / 10",
    unit: str = "3600",
    paid: str = "hours * devices * price",
) -> cell:
    """An answer to 17.6 from its parts."""
    return cell(f"""
def bill(macs, images, epochs, peak, utilisation, devices, price, tries=0):
    operations = {each} * macs * images * epochs * ({runs})
    hours = operations / ({speed}) / {unit}
    return hours, {paid}
""")


WRONG = {
    "17.1": [
        (averaged(share="1 / len(used)"), "All devices count alike"),
        (averaged(share="images[k]"), "not divided by the number of all images"),
        (averaged(share="1"), "Gradients are added"),
        (averaged(share="images[k] / len(used)"), "divide by the number of devices"),
        (averaged(share="1 / images[k] / sum(1 / n for n in images if n)"), "the *more* it counts"),
        (averaged(used="range(len(parts))"), "0 times NaN is NaN"),
        (
            cell("""
def average_gradients(parts, images):
    return [np.mean([np.nan_to_num(p[w]) for p in parts], axis=0) for w in range(len(parts[0]))]
"""),
            "still counts in the mean",
        ),
    ],
    "17.2": [
        (ring(right="(d - 1) % n"), "Chunks go to the left"),
        (ring(adds="True"), "they *replace* what is there"),
        (ring(adds="False"), "what comes is *added*"),
        (ring(adds="step < n"), "You add for n steps"),
        (ring(chunk="(d + step) % n"), "it has just added to"),
        (ring(chunk="d"), "`s` is not used"),
        (ring(after="values[d, c] = 0"), "keeps it, too"),
        (cell("def ring_after(values, steps):\n    return values * 0 + values.sum(0)"), "the end of it all"),
    ],
    "17.3": [
        (scaled(s="t / seconds[1]", f="(s - 1 / n) / (1 - 1 / n)"), "greater than 1 if it got faster"),
        (scaled(s="n * seconds[1] / t"), "Gustafson's question"),
        (scaled(e="100 * s / n"), "not per cent"),
        (scaled(e="s"), "*for each device*"),
        (scaled(f="1 - s / n"), "not what efficiency lacks"),
        (scaled(f="1 / s - 1 / n"), "is missing"),
        (scaled(f="1 - (1 / s - 1 / n) / (1 - 1 / n)"), "that *can* be divided"),
        (scaled(start="{1: (1.0, 1.0, 0.0)}"), "has no serial share"),
        (scaled(start="{1: (1.0, 1.0, 1.0)}"), "has none of the three"),
    ],
    "17.4": [
        (planned(batch="each * devices"), "The turns are not counted"),
        (planned(batch="each * turns"), "The devices are not counted"),
        (planned(batch="each"), "of one device in one turn"),
        (planned(steps="images // batch"), "and a step too: round up"),
        (planned(steps="images / batch"), "Steps are whole numbers"),
        (planned(steps="images // batch + 1"), "come out even"),
        (planned(steps="turns * -(-images // batch)"), "not in each"),
        (planned(factor="devices"), "not with the devices"),
        (planned(factor="(batch / base_batch) ** 0.5"), "rule of the square root"),
        (planned(factor="1"), "The rate stays what it was"),
        (planned(rate="base_rate * k * step / climb"), "not from 0"),
        (planned(climbing="False"), "The warm-up is missing"),
        (planned(rate="base_rate + (k - 1) * base_rate * (step + 1) / climb"), "Steps count from 0"),
        (planned(climbing="climb"), "the rate climbs on"),
    ],
    "17.5": [
        (left(torn="raise"), "a last line that is no JSON is no line"),
        (left(torn="pass"), "in the *middle* is passed over"),
        (left(done="len(said[unit]) > 0"), "It may have failed"),
        (left(done="said[unit] and said[unit][-1] == 'done'"), "Only the last line"),
        (left(done="said[unit] and said[unit][0] == 'done'"), "Only the first line"),
        (left(given_up="False"), "are tried for ever"),
        (left(given_up="said[unit].count('failed') > attempts"), "*or more*"),
        (left(given_up="'failed' in said[unit]"), "It may have failed"),
        (left(given_up="said[unit].count('failed') == attempts"), "Difference"),
        (left(order="sorted(result)"), "The order is that of"),
    ],
    "17.6": [
        (billed(each="3"), "is two operations"),
        (billed(each="2"), "The backward pass is missing"),
        (billed(each="4"), "takes *twice* the forward pass"),
        (billed(each="1"), "a forward pass in multiply-accumulates"),
        (billed(speed="peak * devices"), "the utilisation is missing"),
        (billed(speed="peak * devices / utilisation"), "makes it *longer*"),
        (billed(speed="peak * utilisation"), "they share the work"),
        (billed(speed="peak * utilisation", paid="hours * price"), "and each of them is paid"),
        (billed(paid="hours * price"), "Each device is paid"),
        (billed(unit="1"), "That is in seconds"),
        (billed(unit="60"), "That is in minutes"),
        (billed(runs="1"), "are not paid"),
        (billed(runs="1 + tries"), "after a *tenth*"),
        (billed(runs="max(1, tries) / 10 if tries else 1"), "is not counted"),
    ],
}

EQUIVALENT = {
    "17.1": [
        averaged(),
        cell("""
def average_gradients(parts, images):
    rows = [(n, p) for n, p in zip(images, parts) if n]
    return [np.average([p[w] for _, p in rows], axis=0, weights=[n for n, _ in rows]) for w in range(len(parts[0]))]
"""),
    ],
    "17.2": [
        ring(),
        ring(before="values"),  # no device sends in a step what it receives in it
        cell("""
def ring_after(values, steps):
    n = len(values)
    d = np.arange(n)
    for s in range(steps):
        moved = values.copy()
        moved[(d + 1) % n, (d - s) % n] = values[d, (d - s) % n]
        if s + 1 < n:
            moved[(d + 1) % n, (d - s) % n] += values[(d + 1) % n, (d - s) % n]
        values = moved
    return values.tolist()
"""),
    ],
    "17.3": [
        scaled(),
        cell("""
def scaling(seconds):
    others = [n for n in seconds if n > 1]
    speed_ups = {n: seconds[1] / seconds[n] for n in others}
    return {n: [s, s / n, (n / s - 1) / (n - 1)] for n, s in speed_ups.items()}
"""),
    ],
    "17.4": [
        planned(),
        cell("""
def plan(each, devices, turns, images, base_batch, base_rate, warmup, step):
    batch = each * devices * turns
    steps = int(np.ceil(images / batch))
    peak = base_rate * batch / base_batch
    done = 1.0 if warmup == 0 else min(1.0, step / (warmup * steps))
    return batch, steps, (1 - done) * base_rate + done * peak
"""),
    ],
    "17.5": [
        left(),
        cell("""
def to_run(units, lines, attempts):
    whole = list(lines)
    try:
        whole and json.loads(whole[-1])
    except ValueError:
        whole.pop()
    records = [json.loads(line) for line in whole]
    done = {r["unit"] for r in records if r["status"] == "done"}
    failures = {u: sum(r["unit"] == u and r["status"] == "failed" for r in records) for u in units}
    return tuple(u for u in units if u not in done and failures[u] < attempts)
"""),
    ],
    "17.6": [
        billed(),
        cell("""
def bill(macs, images, epochs, peak, utilisation, devices, price, tries=0):
    device_hours = 6 * macs * images * (epochs + tries * epochs / 10) / (peak * utilisation) / 3600
    return device_hours / devices, device_hours * price
"""),
    ],
}

globals().update(standard_tests("17", WRONG, EQUIVALENT))
