"""The checks of lesson 17, more than one device."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import numpy as np

from cnnlib.exercises.kinds import Case, FunctionExercise, Misconception

# 17.1 Average the gradients -------------------------------------------------------------------------------------------


def average_gradients(parts, images):
    """The reference answer."""
    total = sum(images)
    used = [(n / total, arrays) for n, arrays in zip(images, parts) if n > 0]
    return [sum(share * arrays[k] for share, arrays in used) for k in range(len(parts[0]))]


def _weighted(parts, shares):
    return [sum(share * arrays[k] for share, arrays in zip(shares, parts)) for k in range(len(parts[0]))]


def _used(parts, images):
    pairs = [(arrays, n) for arrays, n in zip(parts, images) if n > 0]
    return [arrays for arrays, _ in pairs], [n for _, n in pairs]


def _shares_of(parts, images, share: Callable) -> list[np.ndarray]:
    parts, images = _used(parts, images)
    return _weighted(parts, [share(n, images) for n in images])


def _gradient_cases(rng: np.random.Generator) -> Iterator[Case]:
    def draw(devices: int, shapes: tuple = ((2, 3), (3,))) -> list:
        return [[np.round(rng.normal(size=shape), 2) for shape in shapes] for _ in range(devices)]

    def nothing(shapes: tuple = ((2, 3), (3,))) -> list:
        return [np.full(shape, np.nan) for shape in shapes]

    yield Case(([[np.array([1.0])], [np.array([4.0])]], [1, 3]), about="one image and three")
    yield Case((draw(2), [32, 32]), about="equal shards")
    yield Case((draw(4), [16, 16, 16, 2]), about="the last batch of an epoch")
    yield Case((draw(1), [7]), about="one device")
    for _ in range(2):
        images = [int(n) for n in rng.integers(1, 40, 3)]
        images[0] = images[1] + 5
        yield Case((draw(3, ((3, 3, 1, 2), (2,), (2, 4))), images), about="random shards")
    yield Case(([*draw(2), nothing()], [5, 3, 0]), about="a device without images")
    yield Case(([nothing(), *draw(3)], [0, 8, 4, 9]), about="the first device is without images")


AVERAGE = FunctionExercise(
    "17.1",
    "Average the gradients",
    reference=average_gradients,
    cases=_gradient_cases,
    misconceptions=(
        Misconception(
            lambda parts, images: _shares_of(parts, images, lambda n, own: 1 / len(own)),
            "All devices count alike. A shard of 2 images must count less than one of 16: weigh by the images.",
        ),
        Misconception(
            lambda parts, images: _shares_of(parts, images, lambda n, own: n),
            "The weighted sum is not divided by the number of all images.",
        ),
        Misconception(
            lambda parts, images: _shares_of(parts, images, lambda n, own: 1),
            "Gradients are added. Each is a *mean* over its images already, so their sum grows with the devices.",
        ),
        Misconception(
            lambda parts, images: _shares_of(parts, images, lambda n, own: n / len(own)),
            "You weigh by the images, and divide by the number of devices. Divide by the number of all images.",
        ),
        Misconception(
            lambda parts, images: _shares_of(parts, images, lambda n, own: 1 / n / sum(1 / m for m in own)),
            "The more images a shard has, the *more* it counts.",
        ),
        Misconception(
            lambda parts, images: _weighted(parts, [n / sum(images) for n in images]),
            "NaN comes through: 0 times NaN is NaN. Leave a device without images out.",
        ),
        Misconception(
            lambda parts, images: _weighted(
                [[np.nan_to_num(a) for a in p] for p in parts], [1 / len(parts)] * len(parts)
            ),
            "NaN becomes 0, and the device still counts in the mean.",
        ),
    ),
    hints=(
        "What would one device compute from all images? Each image counts once.",
        "The share of device k is `images[k] / sum(images)`. A device without images has no share: skip it.",
        "For each weight k: the sum over the devices that have images, of share times its array k.",
    ),
    remark="parallel.average(parts, images) does it. Most frameworks want equal shards, and drop what is left.",
)


# 17.2 The ring, step by step ------------------------------------------------------------------------------------------


def ring_after(values, steps):
    """The reference answer."""
    return _ring(values, steps)


def _ring(
    values,
    steps,
    chunk: Callable = lambda d, s, n: (d - s) % n,
    right: Callable = lambda d, n: (d + 1) % n,
    adds: Callable = lambda s, n: s < n - 1,
    moves: bool = False,
):
    values = np.array(values)
    n = len(values)
    for step in range(steps):
        before = values.copy()
        for device in range(n):
            c, to = chunk(device, step, n), right(device, n)
            values[to, c] = before[device, c] + (before[to, c] if adds(step, n) else 0)
            if moves:
                values[device, c] = 0
    return values


def _ring_cases(rng: np.random.Generator) -> Iterator[Case]:
    ones = np.ones((3, 3), int)
    yield Case((np.array([[1, 2], [10, 20]]), 1), about="two devices, one step")
    yield Case((ones, 1), about="three devices, one step")
    yield Case((ones, 2), about="three devices, two steps")
    for n in (3, 4):
        values = rng.integers(1, 50, (n, n))
        for steps in (0, 1, n - 1, n, 2 * (n - 1)):
            yield Case((values, steps), about=f"{n} devices, {steps} steps")
    values = np.round(rng.normal(size=(5, 5)), 2)
    yield Case((values, int(rng.integers(5, 8))), about="five devices, fractions")


def _ring_with(**change) -> Callable:
    return lambda values, steps: _ring(values, steps, **change)


RING = FunctionExercise(
    "17.2",
    "The ring, step by step",
    reference=ring_after,
    cases=_ring_cases,
    misconceptions=(
        Misconception(
            _ring_with(right=lambda d, n: (d - 1) % n), "Chunks go to the left. Device d sends to device d + 1."
        ),
        Misconception(
            _ring_with(adds=lambda s, n: True),
            "After n - 1 steps totals go round: they *replace* what is there. Added, some count twice.",
        ),
        Misconception(
            _ring_with(adds=lambda s, n: False), "In the first n - 1 steps what comes is *added* to what is there."
        ),
        Misconception(
            _ring_with(adds=lambda s, n: s < n), "You add for n steps. n devices have the sum after n - 1 steps."
        ),
        Misconception(
            _ring_with(chunk=lambda d, s, n: (d + s) % n),
            "The chunk that a device sends in step s is (d - s) mod n: the one that it has just added to.",
        ),
        Misconception(
            _ring_with(chunk=lambda d, s, n: d), "Each device sends the same chunk in every step: `s` is not used."
        ),
        Misconception(_ring_with(moves=True), "A device that sends a chunk keeps it, too. Yours has 0 there."),
        Misconception(
            lambda values, steps: np.tile(np.sum(values, 0), (len(values), 1)),
            "That is the end of it all. Asked is what they hold after `steps` steps.",
        ),
    ),
    hints=(
        "Do it on paper for two devices. One step: device 0 sends chunk 0, device 1 sends chunk 1. Who holds what?",
        "In each step copy the array first. Read from the old one, write into the new one.",
        "`chunk = (device - step) % n` goes to row `(device + 1) % n`, in the same column; it is added while "
        "`step < n - 1`.",
    ),
    remark="parallel.Ring does it with sockets, each device in a process of its own.",
)


# 17.3 Efficiency ------------------------------------------------------------------------------------------------------


def scaling(seconds):
    """The reference answer."""
    return _scaled(seconds)


def _karp_flatt(s: float, n: int) -> float:
    return (1 / s - 1 / n) / (1 - 1 / n)


def _scaled(
    seconds,
    speed_up: Callable = lambda one, t, n: one / t,
    efficiency: Callable = lambda s, n: s / n,
    serial: Callable = _karp_flatt,
):
    found = {}
    for n, time in seconds.items():
        if n != 1:
            s = speed_up(seconds[1], time, n)
            found[n] = (s, efficiency(s, n), serial(s, n))
    return found


def _scaling_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(({1: 100.0, 2: 60.0},), about="two devices")
    yield Case(({1: 100.0, 4: 25.0},), about="a perfect division: the serial share is 0")
    yield Case(({1: 8.0, 2: 10.0},), about="two devices are slower than one")
    yield Case(({2: 35.0, 8: 14.0, 1: 64.0},), about="in another order")
    for _ in range(2):
        one, share = float(np.round(rng.uniform(20, 90), 1)), rng.uniform(0.02, 0.2)
        times = {n: float(np.round(one * (share + (1 - share) / n) * rng.uniform(1.0, 1.1), 2)) for n in (2, 4, 16)}
        yield Case(({1: one, **times},), about="random times")


def _scaled_with(**change) -> Callable:
    return lambda seconds: _scaled(seconds, **change)


SCALING = FunctionExercise(
    "17.3",
    "Efficiency",
    reference=scaling,
    cases=_scaling_cases,
    misconceptions=(
        Misconception(
            _scaled_with(speed_up=lambda one, t, n: t / one, serial=lambda s, n: (s - 1 / n) / (1 - 1 / n)),
            "The speed-up is the time of one over the time of n: greater than 1 if it got faster.",
        ),
        Misconception(
            _scaled_with(speed_up=lambda one, t, n: n * one / t),
            "That is Gustafson's question, n times the work. Here the *same* job is measured.",
        ),
        Misconception(
            _scaled_with(efficiency=lambda s, n: 100 * s / n), "The efficiency is a share, not per cent: 0.9, not 90."
        ),
        Misconception(
            _scaled_with(efficiency=lambda s, n: s), "The efficiency is the speed-up *for each device*: divide by n."
        ),
        Misconception(
            _scaled_with(serial=lambda s, n: 1 - s / n),
            "The serial share is not what efficiency lacks. Solve Amdahl's law, 1/S = s + (1 - s)/n, for s.",
        ),
        Misconception(
            _scaled_with(serial=lambda s, n: 1 / s - 1 / n),
            "Solved for s the law is s (1 - 1/n) = 1/S - 1/n. The division by (1 - 1/n) is missing.",
        ),
        Misconception(
            _scaled_with(serial=lambda s, n: 1 - _karp_flatt(s, n)), "That is the share that *can* be divided."
        ),
        Misconception(
            lambda seconds: {**_scaled(seconds), 1: (1.0, 1.0, 0.0)},
            "One device alone has no serial share: leave it out.",
        ),
        Misconception(
            lambda seconds: {**_scaled(seconds), 1: (1.0, 1.0, 1.0)},
            "One device alone has none of the three: leave it out.",
        ),
    ),
    hints=(
        "With 100 s on one device and 60 s on two: how many times as fast, and what is that for each device?",
        "Write Amdahl's law as 1/S = s + (1 - s)/n, and bring s to one side.",
        "1/S - 1/n = s (1 - 1/n).",
    ),
    remark="Karp and Flatt's share: if it grows with n, look for what each device adds.",
)


# 17.4 Batch, steps and rate -------------------------------------------------------------------------------------------


def plan(each, devices, turns, images, base_batch, base_rate, warmup, step):
    """The reference answer."""
    return _planned(each, devices, turns, images, base_batch, base_rate, warmup, step)


def _planned(
    each,
    devices,
    turns,
    images,
    base_batch,
    base_rate,
    warmup,
    step,
    batch: Callable = lambda each, devices, turns: each * devices * turns,
    steps: Callable = lambda images, batch, turns: math.ceil(images / batch),
    factor: Callable = lambda batch, base, devices: batch / base,
    rate: Callable = lambda base, factor, step, climb: (
        base * (factor if step >= climb else 1 + (factor - 1) * step / climb)
    ),
):
    size = batch(each, devices, turns)
    epoch = steps(images, size, turns)
    return size, epoch, rate(base_rate, factor(size, base_batch, devices), step, warmup * epoch)


def _plan_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((32, 8, 1, 50_000, 256, 0.1, 5, 10_000), about="a batch as before, on eight devices")
    yield Case((32, 4, 4, 50_000, 128, 0.1, 0, 0), about="no warm-up, four turns")
    yield Case((32, 8, 1, 51_200, 128, 0.1, 2, 900), about="a whole number of batches")
    yield Case((64, 16, 1, 1_281_167, 256, 0.1, 5, 0), about="the first step")
    yield Case((64, 16, 2, 1_281_167, 256, 0.1, 5, 1000), about="in the middle of the warm-up")
    yield Case((64, 16, 1, 100_000, 256, 0.1, 2, 196), about="the first step after the warm-up")
    yield Case((64, 16, 1, 100_000, 256, 0.1, 2, 195), about="the last step of the warm-up")
    yield Case((64, 16, 1, 100_000, 256, 0.1, 2, 400), about="long after the warm-up")
    yield Case((8, 2, 2, 1_000, 64, 0.1, 1, 3), about="half of the batch, and of the rate")
    for _ in range(2):
        each, devices, turns = (int(rng.choice(sizes)) for sizes in ((16, 32), (2, 4, 8), (2, 4)))
        batch = each * devices * turns
        images, warmup = int(rng.integers(20, 40)) * batch + int(rng.integers(1, batch)), int(rng.integers(2, 6))
        step = int(rng.integers(3, warmup * 20))
        yield Case((each, devices, turns, images, batch // 8, 0.05, warmup, step), about="random numbers")


def _plan_with(**change) -> Callable:
    return lambda *given: _planned(*given, **change)


PLAN = FunctionExercise(
    "17.4",
    "Batch, steps and rate",
    reference=plan,
    cases=_plan_cases,
    misconceptions=(
        Misconception(
            _plan_with(batch=lambda each, devices, turns: each * devices),
            "The turns are not counted: a step sees the images of all of them.",
        ),
        Misconception(
            _plan_with(batch=lambda each, devices, turns: each * turns),
            "The devices are not counted: a step sees the images of all of them.",
        ),
        Misconception(
            _plan_with(batch=lambda each, devices, turns: each), "That is the batch of one device in one turn."
        ),
        Misconception(
            _plan_with(steps=lambda images, batch, turns: images // batch),
            "The last batch of an epoch is smaller, and a step too: round up.",
        ),
        Misconception(
            _plan_with(steps=lambda images, batch, turns: images / batch), "Steps are whole numbers: round up."
        ),
        Misconception(
            _plan_with(steps=lambda images, batch, turns: images // batch + 1),
            "Where the batches come out even, there is no further step.",
        ),
        Misconception(
            _plan_with(steps=lambda images, batch, turns: turns * math.ceil(images / batch)),
            "A step is taken once after all turns, not in each.",
        ),
        Misconception(
            _plan_with(factor=lambda batch, base, devices: devices),
            "The rate grows with the *batch*, over that for which the base rate was chosen, not with the devices.",
        ),
        Misconception(
            _plan_with(factor=lambda batch, base, devices: math.sqrt(batch / base)),
            "That is the rule of the square root. The linear rule is asked for.",
        ),
        Misconception(
            _plan_with(factor=lambda batch, base, devices: 1.0), "The rate stays what it was for the base batch."
        ),
        Misconception(
            _plan_with(rate=lambda base, factor, step, climb: base * factor * (1 if step >= climb else step / climb)),
            "The warm-up climbs from the base rate, not from 0.",
        ),
        Misconception(_plan_with(rate=lambda base, factor, step, climb: base * factor), "The warm-up is missing."),
        Misconception(
            _plan_with(
                rate=lambda base, factor, step, climb: (
                    base * (factor if step >= climb else 1 + (factor - 1) * (step + 1) / climb)
                )
            ),
            "Steps count from 0: step 0 has the base rate.",
        ),
        Misconception(
            _plan_with(
                rate=lambda base, factor, step, climb: base * (1 + (factor - 1) * step / climb if climb else factor)
            ),
            "After the warm-up the rate climbs on. It ends at the rate of the linear rule.",
        ),
    ),
    hints=(
        "How many images does one *step of the optimizer* see, from all devices and all turns?",
        "The rate after the warm-up is `base_rate * batch / base_batch`. The warm-up has `warmup * steps` steps.",
        "In the warm-up: `base_rate * (1 + (k - 1) * step / length)`, with k = batch / base_batch. Without a warm-up "
        "there is nothing to divide by.",
    ),
    remark="parallel.linear_rate(step, rate, factor, warmup) gives the rate.",
)


# 17.5 What is missing? ------------------------------------------------------------------------------------------------


def to_run(units, lines, attempts):
    """The reference answer."""
    return _missing(units, lines, attempts)


def _missing(
    units,
    lines,
    attempts,
    torn: Callable = lambda number, last: number == last,
    done: Callable = lambda said: "done" in said,
    given_up: Callable = lambda said, attempts: said.count("failed") >= attempts,
    order: Callable = lambda units, left: [u for u in units if u in left],
):
    said: dict[str, list[str]] = {}
    for number, line in enumerate(lines):
        try:
            record = json.loads(line)
        except ValueError:
            if not torn(number, len(lines) - 1):
                raise
            continue
        said.setdefault(record["unit"], []).append(record["status"])
    own = {u: said.get(u, []) for u in {**dict.fromkeys(units)}}
    left = [u for u in own if not done(own[u]) and not given_up(own[u], attempts)]
    return order(units, left)


def _line(unit: str, status: str = "done") -> str:
    return json.dumps({"unit": unit, "status": status})


def _ledger_cases(rng: np.random.Generator) -> Iterator[Case]:
    units = ["b 0", "b 1", "a 0", "a 1"]
    yield Case((units, [], 3), about="an empty ledger")
    yield Case((units, [_line("a 0"), _line("b 1")], 3), about="two are done")
    yield Case((units, [_line("a 0", "failed"), _line("b 1")], 3), about="one failed once")
    yield Case((units, [_line("a 0"), _line("a 0", "failed")], 3), about="done, and later failed")
    yield Case(
        (units, [_line("a 0", "failed"), _line("a 0", "failed"), _line("b 0", "failed")], 2), about="failed twice"
    )
    yield Case(
        (units, [_line("a 0", "failed"), _line("a 0", "failed"), _line("a 0")], 3), about="done after two failures"
    )
    yield Case((units, [_line("b 0", "failed")] * 3, 2), about="failed more often than allowed")
    yield Case((units, [_line("c 7"), _line("b 0")], 3), about="a unit of another campaign")
    yield Case((units, [_line("b 0"), _line("a 1")[:-9]], 3), about="the last line is torn")
    yield Case((units, [_line("b 0"), ""], 3), about="the last line is empty")
    names = [f"rate {r}, seed {s}" for r in rng.permutation(4) for s in range(2)]
    lines = [_line(str(name), str(rng.choice(["done", "failed"]))) for name in rng.choice(names, 9)]
    yield Case((names, [*lines, lines[0]], 2), about="a random ledger")
    yield Case((units, [_line("b 0")[:-5], _line("a 1")], 3), raises=ValueError, about="a line in the middle is torn")
    yield Case((units, [_line("b 0"), "", _line("a 1"), ""], 3), raises=ValueError, about="an empty line in the middle")


def _missing_with(**change) -> Callable:
    return lambda units, lines, attempts: _missing(units, lines, attempts, **change)


TO_RUN = FunctionExercise(
    "17.5",
    "What is missing?",
    reference=to_run,
    cases=_ledger_cases,
    misconceptions=(
        Misconception(
            _missing_with(torn=lambda number, last: False),
            "The machine may die while it writes: a last line that is no JSON is no line.",
        ),
        Misconception(
            _missing_with(torn=lambda number, last: True),
            "A damaged line in the *middle* is passed over. Nothing that only breaks off can make one: raise.",
        ),
        Misconception(
            _missing_with(done=lambda said: bool(said)), "A unit with any line counts as done. It may have failed."
        ),
        Misconception(
            _missing_with(done=lambda said: said[-1:] == ["done"]),
            "Only the last line of a unit counts. It is done if *any* of its lines says so.",
        ),
        Misconception(
            _missing_with(done=lambda said: said[:1] == ["done"]),
            "Only the first line of a unit counts. It is done if *any* of its lines says so.",
        ),
        Misconception(
            _missing_with(given_up=lambda said, attempts: False),
            "Units that have failed as often as they may are tried for ever.",
        ),
        Misconception(
            _missing_with(given_up=lambda said, attempts: said.count("failed") > attempts),
            "`attempts` failures are enough: *or more*.",
        ),
        Misconception(_missing_with(order=lambda units, left: sorted(left)), "The order is that of `units`."),
    ),
    hints=(
        "Read first, judge then: a list of pairs (unit, status) of all lines that are JSON.",
        "`json.loads` raises a ValueError (JSONDecodeError is one). Only in the last line is that to be expected.",
        "A unit is to be run if it has no pair with done, and fewer than `attempts` with failed.",
    ),
    remark="parallel.Campaign reads its ledger so, but tries failed units again in the next start.",
)


# 17.6 The bill --------------------------------------------------------------------------------------------------------


def bill(macs, images, epochs, peak, utilisation, devices, price, tries=0):
    """The reference answer."""
    return _billed(macs, images, epochs, peak, utilisation, devices, price, tries)


def _billed(
    macs,
    images,
    epochs,
    peak,
    utilisation,
    devices,
    price,
    tries=0,
    each: Callable = lambda: 6.0,
    speed: Callable = lambda peak, utilisation, devices: peak * utilisation * devices,
    runs: Callable = lambda tries: 1 + tries / 10,
    unit: float = 3600.0,
    paid: Callable = lambda hours, devices, price: hours * devices * price,
):
    hours = each() * macs * images * epochs * runs(tries) / speed(peak, utilisation, devices) / unit
    return hours, paid(hours, devices, price)


def _bill_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((1e9, 1_000_000, 6, 1e13, 0.5, 1, 2.0), about="one device")
    yield Case((1e9, 1_000_000, 6, 1e13, 0.5, 4, 2.0), about="four devices")
    yield Case((3.9e9, 1_281_167, 90, 3.12e14, 0.35, 8, 1.5), about="ResNet-50")
    yield Case((3.9e9, 1_281_167, 90, 3.12e14, 0.35, 8, 1.5, 12), about="twelve tries before")
    for _ in range(2):
        macs, share = float(np.round(rng.uniform(1, 9), 1)) * 1e8, float(np.round(rng.uniform(0.2, 0.6), 2))
        devices, tries = int(rng.integers(2, 20)), int(rng.integers(1, 30))
        yield Case((macs, 50_000, 200, 2e13, share, devices, 0.75, tries), about="random numbers")


def _bill_with(**change) -> Callable:
    return lambda *given: _billed(*given, **change)


BILL = FunctionExercise(
    "17.6",
    "The bill",
    reference=bill,
    cases=_bill_cases,
    misconceptions=(
        Misconception(_bill_with(each=lambda: 3.0), "A multiply-accumulate is two operations."),
        Misconception(
            _bill_with(each=lambda: 2.0), "The backward pass is missing: it takes twice the forward pass, three in all."
        ),
        Misconception(
            _bill_with(each=lambda: 4.0), "The backward pass takes *twice* the forward pass: three in all, not two."
        ),
        Misconception(
            _bill_with(each=lambda: 1.0), "That is a forward pass in multiply-accumulates. Twice, and three times."
        ),
        Misconception(
            _bill_with(speed=lambda peak, utilisation, devices: peak * devices),
            "No training reaches the data sheet: the utilisation is missing.",
        ),
        Misconception(
            _bill_with(speed=lambda peak, utilisation, devices: peak * devices / utilisation),
            "A lower utilisation makes it *longer*.",
        ),
        Misconception(
            _bill_with(speed=lambda peak, utilisation, devices: peak * utilisation),
            "The clock stops earlier on more devices: they share the work.",
        ),
        Misconception(
            _bill_with(speed=lambda p, u, d: p * u, paid=lambda h, d, price: h * price),
            "The clock stops earlier on more devices, and each of them is paid.",
        ),
        Misconception(
            _bill_with(paid=lambda hours, devices, price: hours * price), "Each device is paid: hours, times devices."
        ),
        Misconception(_bill_with(unit=1.0), "That is in seconds; hours are asked for."),
        Misconception(_bill_with(unit=60.0), "That is in minutes; hours are asked for."),
        Misconception(_bill_with(runs=lambda tries: 1), "The tries before it are not paid."),
        Misconception(_bill_with(runs=lambda tries: 1 + tries), "A try is cut short after a *tenth* of its epochs."),
        Misconception(
            _bill_with(runs=lambda tries: max(tries, 1) / 10 if tries else 1), "The run that counts is not counted."
        ),
    ),
    hints=(
        "First the FLOPs of all runs together, then how many are done in a second, then divide.",
        "FLOPs: 3 * 2 * macs for each image. FLOP/s: peak * utilisation * devices.",
        "Hours by the clock are seconds / 3600. All devices are paid for each of them.",
    ),
    remark="parallel.training_flops and parallel.cost do it.",
)

EXERCISES = [AVERAGE, RING, SCALING, PLAN, TO_RUN, BILL]
