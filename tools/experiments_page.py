"""Make the table of experiments from what is stored of them and from what is said about them.

    python tools/experiments_page.py            # write docs/experiments.md
    python tools/experiments_page.py --check    # say what is out of step or missing

What was measured stands in `data/results/*.json`, what it is for in `tools/experiments/NN.toml`, one entry for each:

    [03_schedules]
    question = "Does a falling rate end lower than a constant one?"
    changes = "the schedule of the rate"
    held = "network, images, batches, first weights, 12 epochs"
    chosen = "each schedule with the rate of five that was best for it on validation images"
    controls = "the constant rate at the mean of the falling one"
    effect = [
      { says = "accuracy, cosine minus constant, points", value = "100 * (stored['cosine'] - stored['constant'])" },
    ]

A value is an expression of Python over `stored`, the stored runs (`cnnlib.results.Runs`: a name gives an array with a
run a row), and has a number for each run. `np` is NumPy, and `at_best(validation, test)` of two that hold rate ->
values are the values of the second at the rate that is best, on the mean, in the first. Truth values are counted. What
is no experiment with seeds says why: `exempt = "a measurement of time: a seed is a repetition"`.
"""

import argparse
import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from _checks import WANTS_PREDICTIONS, is_revised
from _lessons import ROOT, Lesson, lessons

from cnnlib.results import Runs

PAGE = "docs/experiments.md"
MEND = "python tools/experiments_page.py"
NOTE = (
    "<!-- Made by tools/experiments_page.py from tools/experiments/ and data/results/: change these, not this page. -->"
)
WORDS = ("question", "changes", "held", "chosen", "controls")
HEAD = ("experiment", "changes", "held equal", "each side's setting", "controls", "effect: mean (lowest to highest), n")
ALLOWED = {"np": np, "abs": abs, "len": len, "max": max, "min": min, "range": range, "sum": sum, "zip": zip}


@dataclass(frozen=True)
class Result:
    """What is stored of one experiment."""

    name: str
    lesson: str  # "03"
    content: dict[str, Any]

    @property
    def runs(self) -> Runs:
        return Runs(sorted(self.content["runs"], key=lambda run: run["seed"]))


def at_best(validation: Runs, test: Runs) -> np.ndarray:
    """The test values, one a run, at the rate whose mean over the runs is highest on validation data."""
    tried = validation.columns()
    return test[max(tried, key=lambda rate: tried[rate].mean())]


def results(root: Path = ROOT) -> list[Result]:
    """All that is stored, by name."""
    found = []
    for path in sorted((root / "data" / "results").glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found.append(Result(path.stem, content["lesson"].split("_")[0], content))
    return found


def entries(root: Path = ROOT) -> dict[str, tuple[str, dict[str, Any]]]:
    """What is said of each experiment: name -> its file's number and its entry.

    Raises:
        ValueError: a file is no TOML, or two of them speak of the same experiment.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for path in sorted((root / "tools" / "experiments").glob("*.toml")):
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path.name}: {error}") from None
        for name, entry in content.items():
            if name in found:
                raise ValueError(f"{path.name} speaks of {name}, and {found[name][0]}.toml does, too")
            found[name] = (path.stem, entry)
    return found


def effect(result: Result, value: str) -> str:
    """An effect over the stored runs: its mean, its spread, and of how many runs.

    Raises:
        ValueError: the expression fails, or is not one number for each run.
    """
    runs = result.runs
    try:
        names = {"__builtins__": {}, **ALLOWED, "at_best": at_best, "stored": runs}
        found = np.asarray(eval(value, names))
    except Exception as error:
        raise ValueError(f"{value}: {type(error).__name__}: {error}") from None
    if found.shape != (len(runs),) or found.dtype.kind not in "iufb":
        raise ValueError(f"{value}: an array of shape {found.shape} is not one number for each of {len(runs)} runs")
    if found.dtype.kind == "b":
        return f"in {found.sum()} of {len(found)} runs"
    if not np.isfinite(found).all():
        raise ValueError(f"{value}: holds NaN or infinity")
    mean, low, high = (_shown(each, found) for each in (found.mean(), found.min(), found.max()))
    return f"{mean} ({low} to {high}), n = {len(found)}" if len(found) > 1 else f"{mean}, one run"


def _shown(number: float, among: np.ndarray) -> str:
    """A number with as many decimals as give the largest of all three significant digits."""
    largest = float(np.abs(among).max())
    if 0 < largest < 1e-3:
        text = f"{number:.1e}"
    else:
        decimals = 0 if largest == 0 else int(np.clip(2 - np.floor(np.log10(largest)), 0, 6))
        text = f"{number:,.{decimals}f}"
    return text.replace("-", "\u2212")


def amiss(found: list[Result], said: dict[str, tuple[str, dict[str, Any]]], later: set[str]) -> list[str]:
    """What is missing or wrong, `later` being the lessons that are not described yet."""
    names = {each.name: each for each in found}
    complaints = [f"{file}.toml speaks of {name}, and nothing is stored of it" for name, (file, _) in said.items()
                  if name not in names]  # fmt: skip
    for each in found:
        if each.name not in said:
            if each.lesson not in later:
                complaints.append(f"data/results/{each.name}.json has no entry in tools/experiments/{each.lesson}.toml")
            continue
        file, entry = said[each.name]
        where = f"{file}.toml, {each.name}"
        if file != each.lesson:
            complaints.append(f"{where}: it belongs to lesson {each.lesson}")
        if set(entry) == {"exempt"}:
            continue
        complaints += [f"{where}: no {word}" for word in WORDS if not str(entry.get(word, "")).strip()]
        complaints += [f"{where}: {word!r} is no word of an entry" for word in entry if word not in (*WORDS, "effect")]
        if not entry.get("effect"):
            complaints.append(f"{where}: no effect")
        for line in entry.get("effect", []):
            if set(line) != {"says", "value"}:
                complaints.append(f"{where}: an effect has 'says' and 'value', not {', '.join(line)}")
                continue
            try:
                effect(each, line["value"])
            except ValueError as error:
                complaints.append(f"{where}: {error}")
    return complaints


def not_described(root: Path = ROOT) -> set[str]:
    """The lessons whose experiments may go without entries: of 01 to 13, not revised, without a file of their own."""
    return {
        each.number
        for each in lessons(root)
        if each.number in WANTS_PREDICTIONS
        and not (root / "tools" / "experiments" / f"{each.number}.toml").exists()
        and not _revised(each)
    }


def _revised(lesson: Lesson) -> bool:
    return lesson.path.exists() and is_revised(nbformat.read(lesson.path, as_version=4))


def page(found: list[Result], said: dict[str, tuple[str, dict[str, Any]]], titles: dict[str, str]) -> str:
    """The text of the page."""
    parts = [
        "# Experiments",
        NOTE,
        "What the lessons say about networks was measured. Each row is one experiment: the one thing that differs "
        "between its sides, what is equal, how each side got its setting, what speaks against other explanations, and "
        "the effect over the stored runs, as its mean, its lowest and its highest value. Runs are paired: the same "
        "seeds on both sides. The rules are those of [CONTRIBUTING](../CONTRIBUTING.md#rules-of-evidence), the numbers "
        "those of `data/results/`.",
    ]
    for number, title in titles.items():
        own = [each for each in found if each.lesson == number and each.name in said]
        if not own:
            continue
        parts.append(f"## {title}")
        rows = [each for each in own if "exempt" not in said[each.name][1]]
        if rows:
            lines = [_row(HEAD), _row("---" for _ in HEAD), *(_described(each, said[each.name][1]) for each in rows)]
            parts.append("\n".join(lines))
            parts.append("\n".join(f"- {_made(each)}" for each in rows))
        others = [f"- `{each.name}`: {said[each.name][1]['exempt']}." for each in own if each not in rows]
        if others:
            parts.append("Stored as well, and no experiment over seeds:\n\n" + "\n".join(others))
    left = sorted({each.lesson for each in found if each.name not in said})
    if left:
        parts.append(f"Not described yet: the experiments of the lessons {', '.join(left)}.")
    return "\n\n".join(parts) + "\n"


def _described(result: Result, entry: dict[str, Any]) -> str:
    effects = "<br>".join(f"{line['says']}: {effect(result, line['value'])}" for line in entry["effect"])
    first = f"`{result.name}`<br>{entry['question']}"
    return _row([first, *(entry[word] for word in WORDS[1:]), effects])


def _row(cells: Any) -> str:
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"


def _made(result: Result) -> str:
    """How to make it again, and on what it was made."""
    setting = result.content.get("setting", {})
    seeds = [run["seed"] for run in result.runs]
    on = [setting.get(key, "") for key in ("backend", "device", "processor")]
    keras = f"Keras {setting['Keras']}" if "Keras" in setting else ""
    counted = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    facts = ", ".join(filter(None, [counted, keras, *on, result.content.get("date", "")]))
    return f"`{result.name}`: {facts}; `{result.content.get('command', 'made by hand')}`"


def make(root: Path = ROOT) -> tuple[str, list[str]]:
    """The page, and what is amiss; without a page where something is."""
    found, said = results(root), entries(root)
    complaints = amiss(found, said, not_described(root))
    wrong = [text for text in complaints if "has no entry" not in text]
    titles = {each.number: f"{each.number} · {each.opening().title}" for each in lessons(root)}
    return ("" if wrong else page(found, said, titles)), complaints


def out_of_step(text: str, root: Path = ROOT) -> list[str]:
    """Whether the stored page is what the results and the entries make of it."""
    path = root / PAGE
    stored = path.read_text(encoding="utf-8") if path.exists() else ""
    return [] if stored == text else [f"{PAGE} is out of step with the results and what is said of them: {MEND}"]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; say what is out of step or missing")
    options = parser.parse_args(arguments)
    try:
        text, complaints = make(root)
    except ValueError as error:
        print(error)
        return 1
    if options.check:
        complaints = complaints + (out_of_step(text, root) if text else [])
    elif text:
        (root / PAGE).write_text(text, encoding="utf-8", newline="\n")
    print("\n".join(complaints) or f"{PAGE} is in step with the results, and each has its entry")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
