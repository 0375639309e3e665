"""The exercises of lesson 08: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def split(
    names: str = "np.unique(groups)",
    count: str = "int(np.ceil(share * len(names)))",
    refusal: str = "count >= len(names)",
    held_out: str = "rng.permutation(names)[:count]",
    is_test: str = "np.isin(groups, held_out)",
    result: str = "np.flatnonzero(~is_test), np.flatnonzero(is_test)",
) -> cell:
    """An answer to 08.1 from its parts."""
    return cell(f"""
def group_split(groups, share, rng):
    names = {names}
    count = {count}
    if {refusal}:
        raise ValueError("nothing to train on")
    held_out = {held_out}
    is_test = {is_test}
    return {result}
""")


def walk(
    near: str = "np.sum(code != hashes[other]) <= distance",
    against: str = "kept",
    result: str = "kept",
    refusal: str = "distance < 0",
    order: str = "enumerate(hashes)",
) -> cell:
    """An answer to 08.2 from its parts."""
    return cell(f"""
def keep(hashes, distance):
    if {refusal}:
        raise ValueError("distance")
    kept = []
    for number, code in {order}:
        if not any({near} for other in {against}):
            kept.append(number)
    return {result}
""")


def sampler(
    drawn: str = "np.concatenate([rng.permutation(members) for _ in range(per_class)])[:per_class]",
    result: str = "rng.permutation(np.concatenate(parts))",
    refusal: str = "per_class < 1",
    members: str = "np.flatnonzero(labels == label)",
) -> cell:
    """An answer to 08.3 from its parts."""
    return cell(f"""
def balanced(labels, per_class, rng):
    if {refusal}:
        raise ValueError("per_class")
    parts = []
    for label in np.unique(labels):
        members = {members}
        parts.append({drawn})
    return {result}
""")


def scaled(
    mean: str = "train.mean(axis=(0, 1, 2))",
    spread: str = "train.std(axis=(0, 1, 2))",
    flat: str = "np.where(spread == 0, 1, spread)",
    result: str = "(train - mean) / spread, (test - mean) / spread",
) -> cell:
    """An answer to 08.4 from its parts."""
    return cell(f"""
def standardise(train, test):
    mean, spread = {mean}, {spread}
    with np.errstate(all="ignore"):
        spread = {flat}
        return {result}
""")


def mixed(
    images: str = "s * images + (1 - s) * images[partner]",
    labels: str = "t * labels + (1 - t) * labels[partner]",
    s: str = "share[:, None, None, None]",
    t: str = "share[:, None]",
    refusal: str = "(share < 0).any() or (share > 1).any()",
) -> cell:
    """An answer to 08.5 from its parts."""
    return cell(f"""
def mixup(images, labels, partner, share):
    if {refusal}:
        raise ValueError("share")
    s, t = {s}, {t}
    return {images}, {labels}
""")


def turned(
    which: str = "chosen & (partner[labels] >= 0)",
    image: str = "images[:, :, ::-1]",
    label: str = "np.where(which, partner[labels], labels)",
    result: str = "np.where(which[:, None, None, None], flipped, images), named",
) -> cell:
    """An answer to 08.6 from its parts."""
    return cell(f"""
def mirror(images, labels, partner, chosen):
    which = {which}
    flipped = {image}
    named = {label}
    return {result}
""")


def audited(
    top: str = "x_train.max(axis=(1, 2, 3)) < 0.1",
    mended: str = "np.where(out[:, None, None, None], 255 * x_train, x_train)",
    leaked: str = "np.flatnonzero((rows(x_test) @ rows(m).T).max(axis=1) > 0.999)",
    wrong: str = "np.flatnonzero(vote != y_train)",
    own: str = "- 2 * np.eye(300)",
    faulty: str = "np.flatnonzero(out)",
    neighbours: int = 5,
    alike: str = "rows(m) @ rows(m).T",
    result: str = '{"faulty": faulty, "leaked": leaked, "wrong": wrong}',
) -> cell:
    """An answer to 08.7 from its parts."""
    return cell(f"""
def find(x_train, y_train, x_test):
    def rows(pictures):
        flat = pictures.reshape(len(pictures), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    def apart(p, q):
        return ((p.reshape(len(p), 1, -1) - q.reshape(1, len(q), -1)) ** 2).mean(axis=-1) ** 0.5

    out = {top}
    m = {mended}
    alike = {alike} {own}
    vote = np.array([np.bincount(y_train[n], minlength=3).argmax() for n in np.argsort(-alike)[:, :{neighbours}]])
    faulty, leaked = {faulty}, {leaked}
    wrong = {wrong}
    return {result}
""")


WRONG = {
    "08.1": [
        (
            split(names="np.arange(len(groups))", is_test="np.isin(np.arange(len(groups)), held_out)"),
            "Draw among the *names* of the groups",
        ),
        (split(count="int(share * len(names))"), "is rounded up"),
        (split(count="int(np.ceil(share * len(groups)))", refusal="False"), "however many examples"),
        (split(held_out="rng.choice(names, count)"), "each at most once"),
        (split(held_out="names[rng.random(len(names)) < share]"), "each at most once"),
        (split(count="int(share * len(names)) + 1"), "up changes nothing"),
        (split(held_out="names[:count]"), "The same group is held out each time"),
        (split(held_out="names[rng.integers(0, 2) :][:count]"), "some group is never held out"),
        (split(held_out="np.random.permutation(names)[:count]"), "All draws should come from `rng`"),
        (split(result="np.flatnonzero(is_test), np.flatnonzero(~is_test)"), "have changed places"),
        (split(result="groups[~is_test], groups[is_test]"), "Hand back positions"),
        (split(result="np.flatnonzero(~is_test)[1:], np.flatnonzero(is_test)"), "and all of them"),
        (split(result="np.arange(len(groups)), np.flatnonzero(is_test)"), "in both sets"),
        (split(result="np.flatnonzero(is_test)"), "should be a pair"),
        (split(refusal="False"), "Nothing is left to train on"),
        (split(refusal="False", result="None"), "Is a `return` missing?"),
        (split(result="~is_test, is_test"), "positions are asked for"),
        (split(result="np.flatnonzero(~is_test), np.flatnonzero(is_test) + 0.5"), "whole numbers"),
        (3, "needs the function itself"),
        (
            split(
                names="list(dict.fromkeys(rng.permutation(groups).tolist()))",
                held_out="names[:count]",
            ),
            "a large group comes more often",
        ),
        (split(result="np.flatnonzero(~is_test).astype(float), np.flatnonzero(is_test).astype(float)"), "holds floats"),
    ],
    "08.2": [
        (walk(near="np.sum(code != hashes[other]) < distance"), "*at most*"),
        (walk(against="range(number)"), "compare with those that were kept"),
        (walk(against="kept[-1:]"), "with the last one kept only"),
        (walk(against="range(max(number - 1, 0), number)"), "with the picture before only"),
        (walk(near="np.mean(code != hashes[other]) <= distance"), "Count them"),
        (walk(near="abs(int(code.sum()) - int(hashes[other].sum())) <= distance"), "in other places"),
        (walk(result="np.isin(np.arange(len(hashes)), kept)"), "The *indices* of those kept"),
        (walk(result="[n in kept for n in range(len(hashes))]"), "The *indices* of those kept"),
        (walk(result="[n for n in range(len(hashes)) if n not in kept]"), "Those are the ones that go"),
        (walk(order="list(enumerate(hashes))[::-1]", result="kept[::-1]"), "Walk in their order"),
        (
            walk(against="[o for o in range(len(hashes)) if o != number]"),
            "throw out both",
        ),
        (walk(against="kept[:1]"), "with the first picture only"),
        (
            walk(against="(kept[:1] if all(np.sum(code != hashes[o]) <= distance for o in kept) else [])"),
            "differs from *one*",
        ),
        (walk(result="hashes[kept]"), "Those are fingerprints"),
        (
            cell("""
def keep(hashes, distance):
    if distance < 0:
        raise ValueError("distance")
    groups = splits.duplicate_groups(splits.near_duplicates(hashes, distance), len(hashes))
    return sorted(np.unique(groups, return_index=True)[1].tolist())
"""),
            "each chain of doubles",
        ),
        (walk(refusal="False"), "for a negative distance"),
        (walk(result="kept or [0]"), "picture 0 is kept all the same"),
    ],
    "08.3": [
        (sampler(drawn="rng.choice(members, per_class)"), "Drawing with replacement"),
        (
            sampler(drawn="rng.permutation(np.repeat(members, -(-per_class // len(members))))[:per_class]"),
            "Go through the whole class, then through it again",
        ),
        (sampler(drawn="rng.permutation(members)[:per_class]"), "must use some of them again"),
        (sampler(drawn="np.resize(members, per_class)"), "Draw with `rng` which ones are used again"),
        (
            sampler(drawn="np.resize(rng.permutation(members), per_class)", result="np.concatenate(parts)"),
            "one after the other",
        ),
        (sampler(result="rng.permutation(np.concatenate(parts))[:per_class]"), "not of all together"),
        (sampler(result="np.stack(parts, axis=1).ravel()"), "in the same order"),
        (sampler(result="labels[np.concatenate(parts)]"), "Hand back positions"),
        (sampler(result="np.random.permutation(np.concatenate(parts))"), "All draws should come from `rng`"),
        (
            sampler(drawn="np.resize(members if per_class <= len(members) else rng.permutation(members), per_class)"),
            "Shuffle the members of a class",
        ),
        (
            sampler(
                refusal="False",
                drawn="np.concatenate([rng.permutation(members) for _ in range(9)])[:max(per_class, 0)]",
            ),
            "Fewer than one example",
        ),
        (
            sampler(refusal="per_class < 0", drawn="np.resize(rng.permutation(members), per_class)"),
            "Fewer than one example",
        ),
        (sampler(result="None"), "Is a `return` missing?"),
        (sampler(result="np.concatenate(parts) + 100"), "Hand back positions"),
        ("balanced", "needs the function itself"),
        (
            cell("""
def balanced(labels, per_class, rng):
    if per_class < 1:
        raise ValueError("per_class")
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    pools = [np.concatenate([rng.permutation(c) for _ in range(per_class)])[:per_class] for c in classes]
    return np.concatenate([rng.permutation(one_of_each) for one_of_each in np.stack(pools, axis=1)])
"""),
            "Shuffle the whole result once",
        ),
        (
            cell("""
def balanced(labels, per_class, rng):
    if per_class < 1:
        raise ValueError("per_class")
    left = {label: per_class for label in np.unique(labels)}
    rounds = []
    while any(left.values()):
        now = []
        for label in left:
            members = rng.permutation(np.flatnonzero(labels == label))[: left[label]]
            left[label] -= len(members)
            now.extend(members)
        rounds.append(rng.permutation(np.array(now, int)))
    return np.concatenate(rounds)
"""),
            "Shuffle the whole result once",
        ),
    ],
    "08.4": [
        (
            scaled(result="(train - mean) / spread, (test - test.mean(axis=(0, 1, 2))) / test.std(axis=(0, 1, 2))"),
            "which the product does not have. Use those",
        ),
        (
            scaled(
                mean="train.mean(axis=0)",
                spread="train.std(axis=0)",
                result="(train - mean) / spread, (test - test.mean(axis=0)) / (test.std(axis=0) + (len(test) == 1))",
            ),
            "And each pixel has its own",
        ),
        (scaled(mean="train.mean(axis=0)", spread="train.std(axis=0)"), "You take a mean for each pixel"),
        (
            scaled(
                mean="np.concatenate([train, test]).mean(axis=(0, 1, 2))",
                spread="np.concatenate([train, test]).std(axis=(0, 1, 2))",
            ),
            "that leaks",
        ),
        (scaled(mean="train.mean()", spread="train.std()"), "Each channel has its own"),
        (scaled(spread="train.var(axis=(0, 1, 2))"), "divide by the variance"),
        (scaled(mean="0"), "do not take off the mean"),
        (scaled(flat="spread"), "division by 0"),
        (scaled(flat="spread + 1"), "You add 1"),
        (scaled(spread="train.std(axis=(0, 1, 2), ddof=1)"), "the number of values less one"),
        (scaled(flat="spread + 1e-7"), "You add a small number"),
        (scaled(flat="np.maximum(spread, 1)"), "wherever the standard deviation is below 1"),
        (
            scaled(mean="train.min(axis=(0, 1, 2))", spread="np.ptp(train, axis=(0, 1, 2))"),
            "the smallest and the largest value",
        ),
        (scaled(result="(train - mean) / spread, test"), "come back as they went in"),
        (
            cell("""
def standardise(train, test):
    both = []
    for pictures in (train, test):
        mean, spread = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
        both.append((pictures - mean) / np.where(spread == 0, 1, spread))
        train = both[0]
    return tuple(both)
"""),
            "standardised already",
        ),
        (scaled(result="(test - mean) / spread, (train - mean) / spread"), "have changed places"),
        (
            scaled(result="((train - mean) / spread).astype(train.dtype), ((test - mean) / spread).astype(test.dtype)"),
            "have the type of the pictures",
        ),
        (scaled(result="(train - mean) / spread"), "Only one array came back"),
    ],
    "08.5": [
        (mixed(labels="(t * labels + (1 - t) * labels[partner]).astype(labels.dtype)"), "has lost its fractions"),
        (mixed(labels="labels"), "the labels are not"),
        (
            mixed(images="s * images[partner] + (1 - s) * images", labels="t * labels[partner] + (1 - t) * labels"),
            "changed places",
        ),
        (mixed(labels="t * labels[partner] + (1 - t) * labels"), "opposite shares"),
        (mixed(s="share[0]", t="share[0]"), "used for the whole batch"),
        (
            mixed(images="s * images + (1 - s) * images[::-1]", labels="t * labels + (1 - t) * labels[::-1]"),
            "in reverse",
        ),
        (mixed(labels="np.round(t) * labels + (1 - np.round(t)) * labels[partner]"), "divided as the picture is"),
        (mixed(images="images + images[partner]", labels="labels + labels[partner]"), "add up to 1"),
        (mixed(labels="np.where(t >= 0.5, labels, labels[partner])"), "divided as the picture is"),
        (mixed(s="0.5", t="0.5"), "whatever `share` is"),
        (mixed(images="s * (images + images[partner])", labels="t * (labels + labels[partner])"), "the same share"),
        (
            cell("""
def mixup(images, labels, partner, share):
    if (share < 0).any() or (share > 1).any():
        raise ValueError("share")
    return share.reshape(-1, 1, 1, 1) * (images - images[partner]) + images[partner]
"""),
            "Only the images",
        ),
        (
            mixed(s="np.clip(share, 0, 1)[:, None, None, None]", t="np.clip(share, 0, 1)[:, None]", refusal="False"),
            "You bring a share",
        ),
        (mixed(refusal="(share > 1).any()"), "below 0"),
        (mixed(refusal="(share < 0).any()"), "above 1"),
    ],
    "08.6": [
        (turned(label="labels"), "The pictures are mirrored and the labels are not"),
        (turned(which="chosen"), "gets the label -1"),
        (
            turned(which="chosen", label="np.where(which & (partner[labels] >= 0), partner[labels], labels)"),
            "keeps its la",
        ),
        (turned(which="partner[labels] >= 0"), "every picture that has a mirrored class"),
        (turned(which="np.ones(len(labels), bool)"), "You mirror every picture. Only"),
        (turned(label="np.where(partner[labels] >= 0, partner[labels], labels)"), "where the picture does not"),
        (turned(label="partner[labels]"), "All labels are exchanged"),
        (turned(image="images[:, ::-1]"), "upside down"),
        (turned(image="np.rot90(images, 2, axes=(1, 2))"), "half a turn"),
        (turned(image="images[..., ::-1]"), "reverse the channels"),
        (turned(result="images, named"), "Only the labels change"),
        (turned(which="chosen & (partner[labels] > 0)"), "Class 0 is a class"),
        (turned(which="chosen & (partner[labels] >= 0) & (partner[labels] != labels)"), "that keeps its class"),
        (turned(result="np.where(which[:, None, None, None], flipped, images)"), "Only the images came back"),
    ],
    "08.7": [
        (audited(top="x_train.max(axis=(1, 2, 3)) > 1"), "A range has two ends"),
        (audited(faulty="out"), "truth value for each picture"),
        (audited(faulty="np.flatnonzero(~out)"), "as they should be"),
        (audited(faulty="np.flatnonzero(x_train.max(axis=(1, 2, 3)) < 1)"), "are in order"),
        (audited(faulty="np.flatnonzero(out)[:9]"), "are not in"),
        (audited(leaked="np.flatnonzero((rows(x_test) @ rows(m).T).max(axis=0) > 0.999)"), "numbers of test pictures"),
        (audited(leaked="np.flatnonzero(apart(x_test, m).min(axis=1) == 0)"), "You found no leaked picture"),
        (audited(leaked="np.flatnonzero(apart(x_test, m).min(axis=1) < 0.1)"), "to the same brightness: divide"),
        (
            audited(leaked="np.flatnonzero((rows(x_test) @ rows(m[~out]).T).max(axis=1) > 0.999)"),
            "Mend the range first",
        ),
        (
            audited(leaked="np.flatnonzero((rows(x_test) @ rows(m).T).max(axis=1) > 0.95)"),
            "more that are only alike",
        ),
        (audited(neighbours=1), "several neighbours, not by one"),
        (audited(own="", neighbours=1), "must not judge its own label"),
        (audited(alike="-apart(x_train, x_train)"), "whose range is mended"),
        (audited(wrong="np.flatnonzero((vote != y_train) & ~out)"), "those of pictures whose range is wrong"),
        (audited(wrong="leaked[:12]"), "leaked test pictures"),
        (audited(wrong="np.array([0.5])"), "not whole"),
        (audited(result="faulty, leaked, wrong"), "three lists by name"),
        (audited(result="None"), "Is a `return` missing?"),
        ({"faulty": [1]}, "needs the function itself"),
    ],
}

EQUIVALENT = {
    "08.1": [
        split(
            held_out="set(rng.choice(names, count, replace=False).tolist())",
            is_test="np.array([g in held_out for g in groups])",
        ),
        cell("""
def group_split(groups, share, rng):
    names = sorted(set(groups.tolist()))
    rng.shuffle(names)
    count = -int(-share * len(names) // 1)
    if len(names) - count < 1:
        raise ValueError("too few groups")
    train = [i for i, g in enumerate(groups) if g in names[count:]]
    return train, [i for i in range(len(groups)) if i not in train]
"""),
    ],
    "08.2": [
        cell("""
def keep(hashes, distance):
    if distance < 0:
        raise ValueError("negative")
    unlike = (hashes[:, None] != hashes[None]).sum(-1)
    gone = np.zeros(len(hashes), dtype=bool)
    for i in range(len(hashes)):
        if not gone[i]:
            gone[i + 1 :] |= unlike[i, i + 1 :] <= distance
    return np.flatnonzero(~gone)
"""),
    ],
    "08.3": [
        cell("""
def balanced(labels, per_class, rng):
    if per_class <= 0:
        raise ValueError("at least one")
    chosen = []
    for label in set(labels.tolist()):
        pool = []
        for _ in range(per_class):
            if not pool:
                pool = list(np.flatnonzero(labels == label))
                rng.shuffle(pool)
            chosen.append(pool.pop())
    rng.shuffle(chosen)
    return chosen
"""),
        sampler(drawn="np.resize(rng.permutation(members), per_class)"),
    ],
    "08.4": [
        cell("""
def standardise(train, test):
    channels = train.shape[-1]
    flat = train.reshape(-1, channels)
    mean, spread = flat.mean(0), flat.std(0)
    spread[flat.max(0) == flat.min(0)] = 1
    return tuple((x - mean) / spread for x in (train, test))
"""),
    ],
    "08.5": [
        cell("""
def mixup(images, labels, partner, share):
    if not all(0 <= s <= 1 for s in share):
        raise ValueError("no share")
    pictures = [s * images[i] + (1 - s) * images[j] for i, (j, s) in enumerate(zip(partner, share))]
    names = [s * labels[i] + (1 - s) * labels[j] for i, (j, s) in enumerate(zip(partner, share))]
    return np.array(pictures), np.array(names)
"""),
    ],
    "08.6": [
        cell("""
def mirror(images, labels, partner, chosen):
    images, labels = images.copy(), labels.copy()
    for number in np.flatnonzero(chosen):
        if partner[labels[number]] != -1:
            images[number] = np.fliplr(images[number])
            labels[number] = partner[labels[number]]
    return images, labels
"""),
    ],
    "08.7": [
        audited(
            top="np.median(x_train, axis=(1, 2, 3)) + x_train.std(axis=(1, 2, 3)) < 0.01",
            mended="x_train / x_train.max(axis=(1, 2, 3), keepdims=True)",
            faulty="np.flatnonzero(out).tolist()",
            leaked="np.flatnonzero(apart(x_test / x_test.max(axis=(1, 2, 3), keepdims=True), m).min(axis=1) < 0.02)",
            wrong="[int(n) for n in np.flatnonzero(vote != y_train)]",
            neighbours=9,
        ),
    ],
}

globals().update(standard_tests("08", WRONG, EQUIVALENT))
