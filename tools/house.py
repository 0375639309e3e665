"""The house in a figure: modules of cnnlib as boxes, imports as arrows, cycles in red, for any revision.

    python tools/house.py --output docs/house_after.svg
    python tools/house.py --revision d77302a --output docs/house_before.svg

A room is a module or a package of ``cnnlib``. A room stands above all that it imports; an arrow points from importer to
imported, dashed if the import stands inside a function or serves type checkers only. Rooms that reach each other
in both directions share a row, and their arrows are red. Imports are read from the text, so nothing is executed.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = "cnnlib"
ROOT = Path(__file__).resolve().parent.parent
PLAIN, RED = "#8a8a8a", "#d55e00"

# Reading --------------------------------------------------------------------------------------------------------------


def sources(revision: str | None = None, root: Path = ROOT) -> dict[str, str]:
    """Path -> text of every Python file of the package, in the folder as it is or at a revision of git."""
    if revision is None:
        files = sorted((root / PACKAGE).rglob("*.py"))
        return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in files}
    command = ["git", "archive", "--format=tar", revision, PACKAGE]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"git knows no revision {revision!r} with a folder {PACKAGE}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        files = [member for member in archive.getmembers() if member.name.endswith(".py")]
        return {member.name: archive.extractfile(member).read().decode("utf-8") for member in files}


def module(path: str) -> str:
    """``cnnlib/trace/walk.py`` -> ``cnnlib.trace.walk``; a package has the name of its folder."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room(name: str) -> str:
    """``cnnlib.trace.walk`` -> ``trace``. The package's own ``__init__`` is ``cnnlib``."""
    return (name.split(".") + [PACKAGE])[1] if "." in name else PACKAGE


def imports(files: Mapping[str, str], top_level_only: bool = False) -> dict[str, set[str]]:
    """For each module, the modules of the package that it imports, those inside functions included."""
    known = {module(path) for path in files}
    found = {}
    for path, text in files.items():
        name = module(path)
        package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
        tree = ast.parse(text)
        nodes = tree.body if top_level_only else ast.walk(tree)
        found[name] = {target for node in nodes for target in _targets(node, package, known)} - {name}
    return found


def _targets(node: ast.AST, package: str, known: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name in known:
                yield alias.name
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            folder = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*folder, base]).rstrip(".")
        for alias in node.names:
            whole = f"{base}.{alias.name}"
            if whole in known or base in known:
                yield whole if whole in known else base


def cycles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other, each sorted; none if all arrows go one way."""
    reach = {node: _reachable(node, arrows) for node in arrows}
    groups = {tuple(sorted(n for n in reach if n in reach[node] and node in reach[n])) for node in arrows}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def _reachable(node: str, arrows: Mapping[str, set[str]]) -> set[str]:
    seen, todo = set(), list(arrows.get(node, ()))
    while todo:
        if (each := todo.pop()) not in seen:
            seen.add(each)
            todo += arrows.get(each, ())
    return seen


def rooms(found: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same between rooms."""
    between: dict[str, set[str]] = {room(name): set() for name in found}
    for name, targets in found.items():
        between[room(name)] |= {room(target) for target in targets} - {room(name)}
    return between


def floors(between: Mapping[str, set[str]]) -> dict[str, int]:
    """0 for a room that needs no other, else one more than the highest room it needs; a cycle shares a floor."""
    group = {node: node for node in between} | {node: ring[0] for ring in cycles(between) for node in ring}
    below = {each: set() for each in group.values()}
    for node, targets in between.items():
        below[group[node]] |= {group[target] for target in targets} - {group[node]}
    height: dict[str, int] = {}

    def floor(node: str) -> int:
        if node not in height:
            height[node] = 1 + max((floor(other) for other in below[node]), default=-1)
        return height[node]

    return {node: floor(group[node]) for node in between}


# Drawing --------------------------------------------------------------------------------------------------------------


def draw(files: Mapping[str, str], title: str, output: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "house", "font.family": "sans-serif"})
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyArrowPatch

    between, direct = rooms(imports(files)), rooms(imports(files, top_level_only=True))
    lines, count = dict.fromkeys(between, 0), dict.fromkeys(between, 0)
    for path, text in files.items():
        lines[room(module(path))] += text.count("\n")
        count[room(module(path))] += 1
    shown = {name for name in between if lines[name] > 0 and name not in (PACKAGE, "_lazy")}
    between = {name: targets & shown for name, targets in between.items() if name in shown}
    rings = cycles(between)
    place = _places(between)
    fig, ax = plt.subplots(figsize=(10.5, 1.2 + 1.15 * (1 + max(y for _, y in place.values()))))
    for name, targets in between.items():
        for target in sorted(targets):
            red = any(name in ring and target in ring for ring in rings)
            (x1, y1), (x2, y2) = place[name], place[target]
            level = y1 == y2
            start, end = ((x1, y1 + 0.27), (x2, y2 + 0.27)) if level else ((x1, y1 - 0.27), (x2, y2 + 0.29))
            bend = -0.45 if level else 0.12 * (1 if x1 < x2 else -1) * (abs(y1 - y2) > 1)
            style = {"color": RED if red else PLAIN, "linewidth": 2.0 if red else 0.8, "zorder": 3 if red else 1}
            dash = "-" if target in direct[name] else (0, (4, 3))
            arrow = FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, linestyle=dash, **style)
            arrow.set_connectionstyle("arc3", rad=bend)
            ax.add_patch(arrow)
    most = max(lines.values())
    for name, (x, y) in place.items():
        ringed = any(name in ring for ring in rings)
        shade = 0.08 + 0.5 * lines[name] / most
        box = {
            "boxstyle": "round,pad=0.35",
            "facecolor": (0, 0.447, 0.698, shade),
            "edgecolor": RED if ringed else "#333",
        }
        size = f"{lines[name]:,} lines" + (f", {count[name]} files" if count[name] > 1 else "")
        centred = {"ha": "center", "va": "center", "fontsize": 9.5, "linespacing": 1.4}
        ax.text(x, y, f"{name}\n{size}", bbox={**box, "facecolor": "white"}, **centred, zorder=4)  # hides arrows behind
        ax.text(x, y, f"{name}\n{size}", bbox=box, **centred, zorder=5)
    told = "no cycle" if not rings else "cycles: " + "; ".join(" <-> ".join(ring) for ring in rings)
    ax.set_title(
        f"{title}: {len(shown)} rooms, {sum(map(len, between.values()))} arrows, {told}", fontsize=12, loc="left"
    )
    xs, ys = zip(*place.values())
    ax.set(xlim=(min(xs) - 0.8, max(xs) + 0.8), ylim=(min(ys) - 0.5, max(ys) + 0.75))
    ax.set_axis_off()
    output.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(output, bbox_inches="tight", metadata={"Date": None, "Creator": None})
    plt.close(fig)
    text = (
        "\n".join(line.rstrip() for line in output.read_text(encoding="utf-8").splitlines())
        if output.suffix == ".svg"
        else None
    )
    if text is not None:
        output.write_text(text + "\n", encoding="utf-8")


def _places(between: Mapping[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Floors from the ground up; on each, rooms stand near what they need and what needs them."""
    height = floors(between)
    rows = [sorted(n for n in height if height[n] == level) for level in range(1 + max(height.values()))]
    widest = max(map(len, rows))
    x = {name: (i + 0.5) * widest / len(row) for row in rows for i, name in enumerate(row)}
    users = {name: {other for other, targets in between.items() if name in targets} for name in between}
    for _ in range(8):
        for row in rows:
            near = {n: [x[o] for o in (between[n] | users[n])] or [x[n]] for n in row}
            row.sort(key=lambda n: (sum(near[n]) / len(near[n]), n))
            x |= {name: (i + 0.5) * widest / len(row) for i, name in enumerate(row)}
    return {name: (1.5 * x[name] + 0.22 * (height[name] % 2), float(height[name])) for name in height}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revision", help="commit, branch or tag; the files as they are if not given")
    parser.add_argument("--output", type=Path, help="a picture, .svg or .png; only the list of arrows if not given")
    given = parser.parse_args(arguments)
    files = sources(given.revision)
    between = rooms(imports(files))
    for name, targets in sorted(between.items(), key=lambda item: (floors(between)[item[0]], item[0])):
        print(f"{name}: {', '.join(sorted(targets)) or '-'}")
    rings = cycles(between)
    print("cycles between rooms:", "; ".join(" <-> ".join(ring) for ring in rings) or "none")
    if given.output:
        draw(files, f"{PACKAGE} at {given.revision}" if given.revision else f"{PACKAGE} now", given.output)


if __name__ == "__main__":
    main()
