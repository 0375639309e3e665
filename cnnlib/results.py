"""Results of experiments: a lesson runs one seed live and draws it among the stored runs of several seeds.

The lesson's own code is the experiment, and an `Experiment` is all that it needs::

    depth = Experiment("06_depth")
    layers = depth.pick(stored=["8", "20", "44"], live=["20"])  # the whole is too long to wait for
    depth.keep(plain={n: accuracy_by_epoch(int(n)) for n in layers})

    plotting.live_over_stored(depth.live, depth.stored, ...)
    ends = depth.stored["plain"]["20"][:, -1]  # of each stored run, the last epoch

`tools/run_experiments.py` executes the lesson once for each seed, and then the whole experiment is run. What is kept
goes to `data/results/<experiment>.json`, together with the command, the device, the versions and the date.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

RECORD = "CNNLIB_RECORD"
ONLY = "CNNLIB_RECORD_ONLY"
DIGITS = 6


class Runs(list):
    """Runs of several seeds: a list with one dictionary a run, in order of the seeds, and a table of their values.

    `runs[0]` is the first run, as in any list. A name gives what all runs measured under it: an array with the runs
    along its first axis, or `Runs` again where each run has a dictionary there, so that names can follow one another::

        >>> runs = Runs([{"right": {"plain": 52.0, "deep": 55.0}}, {"right": {"plain": 53.0, "deep": 57.0}}])
        >>> runs["right"]["deep"] - runs["right"]["plain"]
        array([3., 4.])

    Values of different lengths, as of runs that stop early, are given as a list.
    """

    def __getitem__(self, key):
        if isinstance(key, slice):
            return Runs(super().__getitem__(key))
        if not isinstance(key, str):
            return super().__getitem__(key)
        for run in self:
            if key not in run:
                raise KeyError(f"there is no {key!r} in {_which(run)}; it has {', '.join(run) or 'nothing'}")
        values = [run[key] for run in self]
        if values and all(isinstance(value, Mapping) for value in values):
            return Runs(values)
        try:
            return np.array(values)
        except ValueError:  # of different lengths
            return values

    def columns(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """`{name: runs[name]}` for these names, or for all that the first run has, except its seed."""
        if names is None:
            names = [name for name in (self[0] if self else ()) if name != "seed"]
        return {name: self[name] for name in names}


def _which(run: Mapping) -> str:
    return f"the run of seed {run['seed']}" if "seed" in run else "one of the runs"


class Experiment:
    """One experiment of a lesson: what it runs live, what is stored, and both together.

    While `tools/run_experiments.py` records the experiment, there are no stored runs yet: this run, with all its
    parts, takes their place in `stored` and `all`.

    Args:
        name: that of its file in `data/results`, the number of the lesson first: `"06_depth"`.

    Raises:
        ValueError: the name cannot be that of a file.
    """

    def __init__(self, name: str):
        _check_name(name)
        self.name = name
        #: what this run has measured so far, by name, as it was given to `keep`
        self.live: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Experiment({self.name!r}): this run has {', '.join(self.live) or 'measured nothing yet'}"

    def pick(self, *, stored: T, live: T) -> T:
        """The part of the experiment to run now: that of the stored runs while they are made, else the live one."""
        return stored if recording(self.name) else live

    def keep(self, **values) -> None:
        """Keep what this run measured: numbers, strings, arrays, or lists and dictionaries of them.

        May be called in several cells, with another name for each value.

        Raises:
            ValueError: there is no value.
            TypeError: a value is none that can be stored. Both only tell what was given; nothing is kept.
        """
        self.live.update(record(self.name, **values))

    @property
    def stored(self) -> Runs:
        """The stored runs, all seeds.

        Raises:
            FileNotFoundError: there are none.
            ValueError: their file is damaged.
        """
        if recording(self.name) and self.live:
            return Runs([self._this_run()])
        return Runs(_sorted(load(path(self.name))["runs"]))

    @property
    def others(self) -> Runs:
        """The stored runs of other seeds than this run's."""
        from cnnlib import runtime

        return Runs(run for run in self.stored if run["seed"] != runtime.seed())

    @property
    def all(self) -> Runs:
        """This run and the stored runs of other seeds: each seed once.

        It has what this run measured; of what this run left out, or ran shorter, the stored runs alone tell.
        """
        return Runs(_sorted([*self.others, self._this_run()]))

    def _this_run(self) -> dict[str, Any]:
        from cnnlib import runtime

        return {"seed": runtime.seed(), **{name: _plain(value, name) for name, value in self.live.items()}}


def _sorted(runs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(runs, key=lambda run: run["seed"])


def record(experiment: str, **values) -> dict:
    """Note what this run measured, and return it.

    `values` are numbers, strings, arrays, or lists and dicts of them. In a lesson nothing is written; only while
    `tools/run_experiments.py` runs (it names a file in the environment variable CNNLIB_RECORD) a line is added to
    that file. Numbers are written with six significant digits.
    """
    _check_name(experiment)
    if not values:
        raise ValueError(f"record({experiment!r}) was given nothing to record; name each value: loss=0.3")
    if recording(experiment):
        from cnnlib import runtime

        with open(os.environ[RECORD], "a", encoding="utf-8", newline="\n") as out:
            out.write(json.dumps(line(experiment, runtime.seed(), values), ensure_ascii=False) + "\n")
    return values


def line(experiment: str, seed: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is written down of one run: experiment, seed, setting, and values with six significant digits."""
    _check_name(experiment)
    plain = {name: _plain(value, name) for name, value in values.items()}
    return {"experiment": experiment, "seed": int(seed), "setting": setting(), "values": plain}


def stored(experiment: str) -> list[dict[str, Any]]:
    """The stored runs of an experiment, one `{"seed": 0, ...}` for each seed, in order of the seeds.

    While the experiment is being recorded there are none yet: the list is empty. Otherwise a missing or damaged file
    is an error that says how to make it again.
    """
    _check_name(experiment)
    if recording(experiment):
        return []
    runs = load(path(experiment))["runs"]
    return sorted(runs, key=lambda run: run["seed"])


def recording(experiment: str | None = None) -> bool:
    """Whether `tools/run_experiments.py` is collecting runs now: of any experiment, or of this one.

    It may have been asked for some experiments only (it names them in CNNLIB_RECORD_ONLY); the others are then as in a
    lesson.

    A lesson whose full experiment is too long to wait for runs a part of it live and all of it while recording::

        sizes = (100, 500, 2000) if results.recording() else (500,)
    """
    only = os.environ.get(ONLY, "").split()
    return bool(os.environ.get(RECORD)) and (experiment is None or not only or experiment in only)


def path(experiment: str) -> Path:
    """The file that holds an experiment's runs."""
    from cnnlib import runtime

    return runtime.data_dir() / "results" / f"{experiment}.json"


def load(file: Path) -> dict[str, Any]:
    """Read a file of results: experiment, command, date, setting (device, versions) and runs."""
    # Experiments are named after their lesson (03_rates), or after the tool that makes them without one.
    kind, _, name = file.stem.partition("_")
    if kind in ("beyond", "deploy", "grids", "parallel", "reliability"):
        mend = f"It is made by: python tools/measure_{kind}.py {name}"
    else:
        first = file.stem.partition("_")[0]
        number = first.upper() if re.fullmatch(r"\d\d|[a-z]", first) else "NN"
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
