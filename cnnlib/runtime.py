"""What a lesson runs on: backend, device, budget, seed, and the report to paste into a bug report.

``runtime.setup()`` is the first code cell of every lesson. Environment variables change its choices:

=================== ===================================================================================
``KERAS_BACKEND``   ``tensorflow`` (the default), ``jax`` or ``torch``
``CNNLIB_PROFILE``  ``smoke``, ``cpu`` or ``gpu``; otherwise found from the device
``CNNLIB_SEED``     the seed, 0 unless given
``CNNLIB_STATIC``   ``1``: explorers show one fixed figure, progress is printed at the end only
``CNNLIB_OFFLINE``  ``1``: every connection beyond this machine is refused
``CNNLIB_DATA``     the folder of the bundled data, if it is not ``data/`` of the checkout
=================== ===================================================================================

Keras is imported when first needed, never by importing this module.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from cnnlib import speed
from cnnlib.network import NetworkBlocked  # noqa: F401
from cnnlib.network import block as block_network
from cnnlib.network import unblock as unblock_network  # noqa: F401

T = TypeVar("T")

BACKENDS = ("tensorflow", "jax", "torch")
PROFILES = ("smoke", "cpu", "gpu")

# Read by the backends while they are imported, so they must be set before. A value that is already set is kept.
_BEFORE_THE_IMPORT = {
    # TensorFlow turns oneDNN on by itself only on processors with instructions for neural networks (AVX512_VNNI,
    # AVX512_BF16, AMX: release notes of 2.9). Those of most laptops have none and gain as much: lessons take half the
    # time with it, and the gradient of a dilated convolution has no other kernel on a CPU.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # JAX compiles its random numbers anew for every shape, in 2 s in the form that can be spread over devices and in
    # 0.3 s without.
    "JAX_THREEFRY_PARTITIONABLE": "0",
    # PyTorch's threads wait for each other by spinning. Where something else runs too (a browser, a second notebook,
    # the other workers of a test run) that costs 2.5 times the processor time of a training step, and twice the wait;
    # on a machine that does nothing else, sleeping is as fast.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
    # A lesson shares the GPU with the learner's other notebooks: take memory as it is needed, not all of it at once.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
_DEPENDENCIES = r"(keras|tensorflow|jax|jaxlib|torch|numpy|ml_dtypes|google|matplotlib|IPython|ipykernel|h5py)(\.|$)"

_seed: int | None = None


# --- set-up ----------------------------------------------------------------------------------------------------------


def setup(seed: int | None = None, *, lesson: str | None = None) -> None:
    """Prepare a lesson: import Keras without noise, seed every generator, print one line that says what is in use.

    Args:
        seed: what all random generators start from; ``CNNLIB_SEED`` or 0 if not given.
        lesson: the number of the lesson that this opens, ``"04"``.

    Raises:
        ValueError: a setting (see the table at the top of this module) has no meaning.
        ModuleNotFoundError: the chosen backend is not installed; the message has the command that installs it.
    """
    global _seed
    chosen = _checked_seed(seed, "seed") if seed is not None else _seed_from_environment()
    if _flag("CNNLIB_OFFLINE"):
        block_network()
    _forgive_narrow_consoles()
    wanted = _backend_from_environment()
    keras = _keras()
    if wanted and wanted != keras.backend.backend():
        warnings.warn(
            f"Keras already runs on {keras.backend.backend()}, so KERAS_BACKEND={wanted} has no effect. "
            "Restart the kernel and call runtime.setup() before anything imports Keras.",
            UserWarning,
            stacklevel=2,
        )
    _follow_the_conventions(keras)
    _import_tensorflow_only_for_its_users()
    with _silenced_stderr():
        keras.utils.set_random_seed(chosen)
    _seed = chosen
    print(f"Keras {keras.__version__} · {backend()} · {profile()} profile · seed {chosen}")
    if lesson is not None and (line := _what_it_takes(lesson)):
        print(line)


def _what_it_takes(lesson: str) -> str:
    """How long the lesson's cells will take here, measured in half a second; empty where that is not known.

    Stored outputs and tests do without: they depend on no measurement. The course map holds the seconds of TensorFlow
    in the cpu profile.
    """
    if is_static() or backend() != "tensorflow" or profile() != "cpu":
        return ""
    try:
        timings = speed.load(data_dir() / "timings.json")
    except FileNotFoundError:
        return ""
    seconds = speed.expected(lesson, speed.measure(0.5), timings) if timings else None
    return "" if seconds is None else f"All cells of this lesson take about {_rounded(seconds)} on this machine."


def _rounded(seconds: float) -> str:
    return f"{max(5, 5 * round(seconds / 5))} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _keras() -> ModuleType:
    """Keras, imported without the noise that backends write on their way up."""
    if "keras" in sys.modules:
        return sys.modules["keras"]
    wanted = _backend_from_environment()
    if wanted and importlib.util.find_spec(wanted) is None:
        raise ModuleNotFoundError(_how_to_install(wanted), name=wanted)
    for name, value in _BEFORE_THE_IMPORT.items():
        os.environ.setdefault(name, value)
    # JAX says so when it sees a GPU that it has no driver for; the report says which device is used.
    logging.getLogger("jax._src.xla_bridge").setLevel(logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module=_DEPENDENCIES)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=_DEPENDENCIES)
    try:
        with _silenced_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            keras = importlib.import_module("keras")
            keras.ops.zeros((1,))  # the first array starts the device, which is when drivers write to stderr
        if "tensorflow" in sys.modules:  # in a notebook its logger begins with a level, and a place, of its own
            sys.modules["tensorflow"].get_logger().setLevel(logging.ERROR)
    except ModuleNotFoundError as error:
        if error.name in BACKENDS:  # named in the learner's own keras.json
            raise ModuleNotFoundError(_how_to_install(error.name), name=error.name) from error
        raise
    return keras


def _import_tensorflow_only_for_its_users() -> None:
    """For Keras on JAX and PyTorch, TensorFlow is there if somebody has imported it, not if it is installed.

    Keras asks at many places whether TensorFlow is available, to seed it or because something might be one of its
    tensors, and to ask is to import it: 0.4 GB and some seconds on backends that do not need it. What does need it, as
    ``tf.data``, still imports it. Should the inside of Keras change, this has no effect.
    """
    lazy = getattr(sys.modules.get("keras.src.utils.module_utils"), "tensorflow", None)
    if backend() == "tensorflow" or not isinstance(getattr(type(lazy), "available", None), property):
        return
    imported = property(lambda module: "tensorflow" in sys.modules)
    lazy.__class__ = type("LazyTensorFlow", (type(lazy),), {"available": imported})


def _follow_the_conventions(keras: ModuleType) -> None:
    """Channels last, float32: what the course assumes, whatever the learner's own keras.json says."""
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    if keras.backend.backend() not in BACKENDS:
        raise ValueError(
            f"Keras runs on {keras.backend.backend()!r}, which cannot train. The course runs on {', '.join(BACKENDS)}: "
            "set KERAS_BACKEND to one of them, or mend the 'backend' entry of your keras.json."
        )


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Keep what is written to file descriptor 2; write it out only if the block fails.

    The C++ part of a backend writes there directly, which ``sys.stderr`` knows nothing of.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr at all, as under pythonw
        yield
        return
    with tempfile.TemporaryFile() as caught:
        try:
            os.dup2(caught.fileno(), 2)
            yield
        except BaseException:
            os.dup2(saved, 2)
            caught.seek(0)
            sys.stderr.write(caught.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _forgive_narrow_consoles() -> None:
    """Let a console that cannot show "≈" print "?" instead of failing (Windows, output sent to a file)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _how_to_install(name: str) -> str:
    locked = " -r requirements.txt" if name == "tensorflow" else " -r requirements-backends.txt"
    return (
        f"The backend {name!r} is chosen (by KERAS_BACKEND or your keras.json) but is not installed. "
        f"Install it with\n    python -m pip install{locked}\n"
        f"in the folder of the course, or choose another one, for example KERAS_BACKEND={_installed_backend(name)}, "
        "then restart the kernel."
    )


def _installed_backend(other_than: str) -> str:
    found = (name for name in BACKENDS if name != other_than and importlib.util.find_spec(name) is not None)
    return next(found, "tensorflow")


# --- settings --------------------------------------------------------------------------------------------------------


def _flag(name: str) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in ("", "0", "false", "no", "off"):
        return False
    if value in ("1", "true", "yes", "on"):
        return True
    raise ValueError(f"{name}={os.environ[name]!r} is neither yes nor no: set it to 1 or 0, or unset it.")


def _backend_from_environment() -> str | None:
    name = os.environ.get("KERAS_BACKEND", "").strip()
    if not name:
        return None
    if name not in BACKENDS:
        likely = {"tf": "tensorflow", "pytorch": "torch"}.get(name.lower(), name.lower())
        hint = f" Did you mean {likely!r}?" if likely in BACKENDS else ""
        raise ValueError(f"KERAS_BACKEND={name!r}: the course runs on {', '.join(BACKENDS)}.{hint}")
    return name


def _checked_seed(value: object, name: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < 2**32 or isinstance(value, float):
        raise ValueError(f"{name}={value!r}: a seed is a whole number from 0 to 4294967295.")
    return number


def _seed_from_environment() -> int:
    return _checked_seed(os.environ.get("CNNLIB_SEED", "").strip() or "0", "CNNLIB_SEED")


def seed() -> int:
    """The seed in force: that of the last :func:`setup`, or the one the next will use."""
    return _seed_from_environment() if _seed is None else _seed


def backend() -> str:
    """The name of the backend that Keras runs on: ``"tensorflow"``, ``"jax"`` or ``"torch"``."""
    return _keras().backend.backend()


def devices() -> list[str]:
    """The devices that the backend computes on, as ``["cpu:0"]`` or ``["gpu:0", "gpu:1"]``."""
    keras = _keras()
    if keras.backend.backend() != "torch":
        with _silenced_stderr():
            return list(keras.distribution.list_devices())
    # Keras has no list of devices for PyTorch: ask a new tensor where it lives.
    placed = str(keras.ops.zeros((1,)).device)
    kind, _, index = placed.partition(":")
    return [f"{'gpu' if kind == 'cuda' else kind}:{index or 0}"]


def device() -> str:
    """The kind of device in use: ``"cpu"``, ``"gpu"``, ``"tpu"``, or ``"mps"`` (PyTorch on an Apple GPU)."""
    return devices()[0].partition(":")[0]


def profile() -> str:
    """The budget that sizes are chosen for: ``"smoke"`` (does it run at all), ``"cpu"`` or ``"gpu"``.

    Raises:
        ValueError: ``CNNLIB_PROFILE`` names none of them.
    """
    forced = os.environ.get("CNNLIB_PROFILE", "").strip().lower()
    if forced and forced not in PROFILES:
        raise ValueError(
            f"CNNLIB_PROFILE={forced!r}: choose one of {', '.join(PROFILES)}, or unset it to have it found from the "
            "device."
        )
    return forced or ("gpu" if device() in ("gpu", "tpu") else "cpu")


def pick(*, smoke: T, cpu: T, gpu: T) -> T:
    """The value for the profile in use, as in ``epochs = runtime.pick(smoke=1, cpu=5, gpu=30)``."""
    return {"smoke": smoke, "cpu": cpu, "gpu": gpu}[profile()]


def is_static() -> bool:
    """Whether outputs are to be stored (``CNNLIB_STATIC=1``): no widgets, no moving progress displays."""
    return _flag("CNNLIB_STATIC")


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, where rich output can be displayed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def root() -> Path:
    """The folder of the checkout.

    Raises:
        FileNotFoundError: cnnlib was installed without the course around it, and the working folder is not inside one.
    """
    here = Path(__file__).resolve().parents[1]
    for folder in (here, Path.cwd(), *Path.cwd().parents):
        if (folder / "solutions").is_dir() and (folder / "cnnlib").is_dir():
            return folder
    raise FileNotFoundError(
        "The folder of the course was not found: cnnlib is installed apart from it. Start Python or JupyterLab inside "
        "the checkout, or install cnnlib from there with `python -m pip install -e .`"
    )


def data_dir() -> Path:
    """The folder of the bundled data: ``CNNLIB_DATA`` if set, else ``data/`` of the checkout."""
    chosen = os.environ.get("CNNLIB_DATA", "").strip()
    return Path(chosen).expanduser() if chosen else root() / "data"


# --- report ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """The environment, as names and values in the order in which they are printed."""

    entries: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.entries[name]

    def __str__(self) -> str:
        width = max(map(len, self.entries))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.entries.items())

    __repr__ = __str__


def report(measure: bool = True) -> Report:
    """What a maintainer needs to know about a bug: systems and versions, device and settings, speed.

    It holds no user name and no path, so it can be pasted anywhere.

    Args:
        measure: whether to measure the speed of this machine, which takes two seconds (:func:`cnnlib.speed.measure`).
    """
    index = {"speed": f"{speed.measure():.2f} (1 on a fast processor, 0.3 on a slow one)"} if measure else {}
    return Report(
        {
            "cnnlib": _course_version(),
            "Keras": _version("keras"),
            "backend": f"{backend()} {_version(backend())}{_onednn()}",
            "NumPy": _version("numpy"),
            "Python": f"{platform.python_version()} ({platform.python_implementation()})",
            "system": _system(),
            "device": f"{device()} (x{len(devices())})" if len(devices()) > 1 else device(),
            "processor": " · ".join(filter(None, [speed.processor(), speed.instructions()])),
            "CPU cores": str(_cores()),
            **index,
            "memory": _memory(),
            "profile": f"{profile()} ({'set' if os.environ.get('CNNLIB_PROFILE') else 'found'})",
            "seed": str(seed()),
            "JupyterLab": _version("jupyterlab"),
            "settings": _settings(),
        }
    )


def _onednn() -> str:
    """Whether TensorFlow was told to use oneDNN, without which training on a CPU takes about twice as long."""
    if backend() != "tensorflow":
        return ""
    chosen = os.environ.get("TF_ENABLE_ONEDNN_OPTS")
    return f", oneDNN {'as TensorFlow chose' if chosen is None else 'off' if chosen.strip() in ('0', '') else 'on'}"


def _version(package: str) -> str:
    """The installed version, from the package's metadata: importing it could cost seconds."""
    for name in (package, f"{package}-cpu", f"{package}-intel", f"{package}-macos"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return "not installed"


def _course_version() -> str:
    import cnnlib

    commit = "" if is_static() else _commit()  # a stored report must not change with every commit
    return f"{cnnlib.__version__} ({commit})" if commit else cnnlib.__version__


def _commit() -> str:
    """The commit of the checkout, with ``-dirty`` if a tracked file was changed; empty without git."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
        done = subprocess.run(command, cwd=root(), capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"commit {done.stdout.strip()}" if done.returncode == 0 and done.stdout.strip() else ""


def _system() -> str:
    names = {"Darwin": "macOS"}
    name = names.get(platform.system(), platform.system() or "unknown")
    release = platform.mac_ver()[0] or platform.release()
    return f"{name} {release} {platform.machine()}".strip()


def _cores() -> int:
    """The cores that this process may use, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> str:
    limits = [size for size in (_physical_memory(), _container_memory()) if size]
    return f"{min(limits) / 2**30:.0f} GiB" if limits else "unknown"


def _physical_memory() -> int | None:
    """Bytes of memory, by what each system offers without a further package."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def _windows_memory() -> int | None:
    import ctypes

    sizes = ("ullTotalPhys", "ullAvailPhys", "ullTotalPageFile", "ullAvailPageFile", "ullTotalVirtual")
    more = ("ullAvailVirtual", "ullAvailExtendedVirtual")

    class MemoryStatus(ctypes.Structure):  # MEMORYSTATUSEX of the Windows API
        _fields_ = [
            ("dwLength", ctypes.c_ulong),
            ("dwMemoryLoad", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in (*sizes, *more)),
        ]

    status = MemoryStatus(dwLength=ctypes.sizeof(MemoryStatus))
    found = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return status.ullTotalPhys if found else None


def _container_memory() -> int | None:
    """The limit that a container sets, as hosted notebook services do."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return int(Path(path).read_text())
    return None


def _settings() -> str:
    """The course's own variables, and the backend's. A folder is named only as "set": it may hold a user name."""
    names = ("KERAS_BACKEND", "CNNLIB_PROFILE", "CNNLIB_SEED", "CNNLIB_STATIC", "CNNLIB_OFFLINE")
    found = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]
    if os.environ.get("CNNLIB_DATA"):
        found.append("CNNLIB_DATA set")
    return " ".join(found) or "defaults"
