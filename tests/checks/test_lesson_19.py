"""The exercises of lesson 19: wrong answers as learners write them, and right ones in other styles."""

from exercise_harness import cell, standard_tests


def leaks(body: str) -> cell:
    """An answer to 19.1; `home` is there."""
    return cell(f"""
def leaks(parts, pairs):
    home = {{}}
    for name, files in parts.items():
        for file in files:
            home[file] = name
    found = []
    for a, b in pairs:
        {body}
    return found
""")


def interval(
    refuse: str = "if n < 1 or right < 0 or right > n: raise ValueError('no such count')",
    z: str = "1.96",
    middle: str = "p + z * z / (2 * n)",
    half: str = "z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5",
    scale: str = "1 + z * z / n",
    result: str = "(middle - half) / scale, (middle + half) / scale",
) -> cell:
    """An answer to 19.2 from its parts."""
    return cell(f"""
def interval(right, n):
    {refuse}
    p, z = right / n, {z}
    middle = {middle}
    half = {half}
    scale = {scale}
    return {result}
""")


NO_REFUSAL = "if n < 1: return 0.0, 1.0\n    right = min(max(right, 0), n)"

WRONG = {
    "19.1": [
        (leaks("if home.get(a) != home.get(b): found.append((a, b))"), "was dropped"),
        (leaks("if a in home and b in home and home[a] == home[b]: found.append((a, b))"), "do no harm"),
        (
            leaks("if a in parts['training'] and b in home and home[b] != 'training': found.append((a, b))"),
            "A pair has no order",
        ),
        (
            leaks("if {home.get(a), home.get(b)} == {'training', 'test'}: found.append((a, b))"),
            "must not share images either",
        ),
        (
            cell("""
def leaks(parts, pairs):
    home = {file: name for name, files in parts.items() for file in files}
    found = set()
    for a, b in pairs:
        if a in home and b in home and home[a] != home[b]:
            found |= {a, b}
    return sorted(found)
"""),
            "Return the pairs, not their files",
        ),
        (
            cell("""
def leaks(parts, pairs):
    home = {file: name for name, files in parts.items() for file in files}
    return sum(a in home and b in home and home[a] != home[b] for a, b in pairs)
"""),
            "not how many there are",
        ),
        (
            cell("""
def leaks(parts, pairs):
    home = {file: name for name, files in parts.items() for file in files}
    return sorted({(a, b) for a, b in pairs if a in home and b in home and home[a] != home[b]})
"""),
            "in the order they were given",
        ),
        (leaks("if a in home and b in home and home[a] != home[b]: found.append((b, a))"), "stays as it was given"),
    ],
    "19.2": [
        (interval(middle="p", half="z * (p * (1 - p) / n) ** 0.5", scale="1"), "as if ten images proved everything"),
        (interval(scale="1"), "division of both ends"),
        (interval(middle="p"), "The middle is not p"),
        (interval(half="z * (p * (1 - p) / n) ** 0.5"), "Under the root"),
        (interval(z="1.0"), "for 68 %"),
        (interval(z="1.645"), "for 90 %"),
        (interval(result="(middle - half) / scale, half / scale"), "not an end and a half width"),
        (interval(result="100 * (middle - half) / scale, 100 * (middle + half) / scale"), "not per cent"),
        (interval(result="(middle + half) / scale, (middle - half) / scale"), "The lower end comes first"),
        (interval(result="1 - (middle + half) / scale, 1 - (middle - half) / scale"), "of the error rate"),
        (interval(refuse=NO_REFUSAL), "Counts that cannot be are answered"),
    ],
}
EQUIVALENT = {
    "19.1": [
        leaks("if a in home and b in home and home[a] != home[b]: found.append((a, b))"),
        cell("""
def leaks(parts, pairs):
    sides = [set(files) for files in parts.values()]
    def apart(a, b):
        return any(a in one and b in two for one in sides for two in sides if one is not two)
    return [pair for pair in pairs if apart(*pair)]
"""),
    ],
    "19.2": [
        interval(),
        cell("""
def interval(right, n):
    if n < 1 or not 0 <= right <= n:
        raise ValueError
    z2 = 1.96 ** 2
    wrong = n - right
    root = 1.96 * np.sqrt(right * wrong / n + z2 / 4)
    return np.array([right + z2 / 2 - root, right + z2 / 2 + root]) / (n + z2)
"""),
    ],
}

globals().update(standard_tests("19", WRONG, EQUIVALENT))
