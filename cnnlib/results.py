"""Results of experiments: a lesson runs one seed live and draws it among the stored runs of other seeds.

The lesson's own code is the experiment. It calls `record` with what it measured; `tools/run_experiments.py` executes
the lesson once for each seed and keeps what was recorded in `data/results/<experiment>.json`, together with the
command, the device, the versions and the date; `stored` reads it back.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

RECORD = "CNNLIB_RECORD"
DIGITS = 6


def record(experiment: str, **values) -> dict:
    """Note what this run measured, and return it.

    `values` are numbers, strings, arrays, or lists and dicts of them. In a lesson nothing is written; only while
    `tools/run_experiments.py` runs (it names a file in the environment variable CNNLIB_RECORD) a line is added to
    that file. Numbers are written with six significant digits.
    """
    _check_name(experiment)
    if not values:
        raise ValueError(f"record({experiment!r}) was given nothing to record; name each value: loss=0.3")
    if recording():
        from cnnlib import runtime

        line = {
            "experiment": experiment,
            "seed": runtime.seed(),
            "setting": setting(),
            "values": {name: _plain(value, name) for name, value in values.items()},
        }
        with open(os.environ[RECORD], "a", encoding="utf-8", newline="\n") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return values


def stored(experiment: str) -> list[dict[str, Any]]:
    """The stored runs of an experiment, one `{"seed": 0, ...}` for each seed, in order of the seeds.

    While the experiment is being recorded there are none yet: the list is empty. Otherwise a missing or damaged file
    is an error that says how to make it again.
    """
    _check_name(experiment)
    if recording():
        return []
    runs = load(path(experiment))["runs"]
    return sorted(runs, key=lambda run: run["seed"])


def recording() -> bool:
    """Whether `tools/run_experiments.py` is collecting runs now.

    A lesson whose full experiment is too long to wait for runs a part of it live and all of it while recording::

        sizes = (100, 500, 2000) if results.recording() else (500,)
    """
    return bool(os.environ.get(RECORD))


def path(experiment: str) -> Path:
    """The file that holds an experiment's runs."""
    from cnnlib import runtime

    return runtime.data_dir() / "results" / f"{experiment}.json"


def load(file: Path) -> dict[str, Any]:
    """Read a file of results: experiment, command, date, setting (device, versions) and runs."""
    number = file.stem[:2] if file.stem[:2].isdigit() else "NN"  # experiments are named after their lesson: 03_rates
    mend = f"It is made by: python tools/run_experiments.py --lesson {number}"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not all(isinstance(run["seed"], int) for run in content["runs"]):
            raise TypeError("a seed that is no integer")
    except FileNotFoundError:
        known = ", ".join(sorted(other.stem for other in file.parent.glob("*.json"))) or "none"
        raise FileNotFoundError(
            f"there are no stored results {file.stem!r}: {file.name} is not in {file.parent.name}/. "
            f"Stored are: {known}. Is the name spelt right? {mend}"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file.name} in {file.parent.name}/ is damaged ({type(error).__name__}: {error}). "
            f"Restore it (git checkout data/results/{file.name}). {mend}"
        ) from error
    return content


def setting() -> dict[str, str]:
    """What the numbers depend on beside the seed: backend, device, profile and versions."""
    from cnnlib import runtime

    report = runtime.report(measure=False)
    names = ("backend", "Keras", "NumPy", "Python", "device", "processor", "CPU cores")
    return {**{name: report[name] for name in names}, "profile": runtime.profile()}


def _check_name(experiment: str) -> None:
    if not isinstance(experiment, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", experiment):
        raise ValueError(
            f"{experiment!r} cannot name an experiment: it becomes a file's name, so use lower-case letters, digits, "
            "_ and -, as in '03_learning_rates'"
        )


def _plain(value: Any, name: str) -> Any:
    """`value` as JSON has it: arrays as lists, numbers with six significant digits."""
    if isinstance(value, dict):
        return {str(key): _plain(item, name) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, name) for item in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if hasattr(value, "tolist"):  # a NumPy number or array
        return _plain(value.tolist(), name)
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")  # NaN and infinity too: a diverged run is worth keeping
    try:
        import numpy

        return _plain(numpy.asarray(value, dtype="float64").tolist(), name)
    except (TypeError, ValueError):
        raise TypeError(
            f"record cannot store {name}={value!r}, a {type(value).__name__}; give numbers, strings, arrays, or lists "
            "and dicts of them"
        ) from None
