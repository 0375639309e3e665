"""Create or update the course's environment, then stop (or run one of its commands).

    python tools/environment.py                 # create .venv, or update it if the lock file changed
    python tools/environment.py --backends      # also JAX and PyTorch
    python tools/environment.py lab             # ... and open the course in JupyterLab
    python tools/environment.py test [...]      # ... and run all tests

Needs nothing but a Python of a supported version. `make` calls it on Linux and macOS; on Windows it is called directly.
A second call with an unchanged lock file does nothing and needs no network.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = (3, 11), (3, 13)
LOCKS = {"core": "requirements.txt", "backends": "requirements-backends.txt"}


def fail(message: str) -> None:
    sys.exit(f"environment: {message}")


def folder() -> Path:
    return Path(os.environ.get("VENV", ROOT / ".venv")).absolute()


def interpreter(env: Path) -> Path:
    return env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint(kind: str) -> str:
    """What the environment was made from: the lock, the package's settings, and the Python version."""
    digest = hashlib.sha256(f"{kind} {sys.version_info[:2]} {ROOT}".encode())
    for name in (LOCKS[kind], "pyproject.toml"):
        # Line endings differ between systems and are not a reason to install again.
        digest.update((ROOT / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def check_python() -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail(
            f"this is Python {sys.version_info.major}.{sys.version_info.minor} ({sys.executable}); the course needs "
            f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}, the versions that TensorFlow supports. "
            "Name another one: make PYTHON=python3.12 lab (Windows: py -3.12 tools\\environment.py lab)"
        )


def installed(env: Path, backends: bool) -> bool:
    stamp = env / "course.stamp"
    if not (interpreter(env).exists() and stamp.exists()):
        return False
    kind, _, made_from = stamp.read_text(encoding="utf-8").partition(" ")
    if backends and kind != "backends":
        return False
    return made_from == fingerprint(kind)


def pip(env: Path, *arguments: str) -> None:
    command = [str(interpreter(env)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode:
        fail(
            "the packages could not be installed; pip's own message stands above. Is this machine online? The first "
            "set-up needs the network once, later calls do not. Nothing is half done: run the same command again."
        )


def ensure(backends: bool = False) -> Path:
    """Return the environment's Python; create or update the environment if it is missing or out of date."""
    env = folder()
    stamp = env / "course.stamp"
    if installed(env, backends):
        return interpreter(env)
    check_python()
    if stamp.exists() and stamp.read_text(encoding="utf-8").startswith("backends"):
        backends = True
    kind = "backends" if backends else "core"
    print(f"Setting up {env.name} from {LOCKS[kind]}: some minutes, once.", flush=True)
    stamp.unlink(missing_ok=True)
    if not works(interpreter(env)):
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=os.name != "nt").create(env)
    pip(env, "--require-hashes", "--only-binary", ":all:", "-r", LOCKS[kind])
    pip(env, "--no-deps", "--no-build-isolation", "--editable", ".")
    stamp.write_text(f"{kind} {fingerprint(kind)}", encoding="utf-8")
    return interpreter(env)


def works(python: Path) -> bool:
    """Whether an environment is there and its Python is the one that runs this (a moved or older one is not)."""
    if not python.exists():
        return False
    probe = [str(python), "-c", "import sys, pip; print(*sys.version_info[:2])"]
    answer = subprocess.run(probe, capture_output=True, text=True)
    return answer.returncode == 0 and answer.stdout.split() == [str(n) for n in sys.version_info[:2]]


def lab(python: Path, arguments: list[str]) -> int:
    run([python, "tools/configure_lab.py"])
    # JupyterLab refuses to run as root unless told; in a container root is the usual user.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return run([python, "-m", "jupyterlab", *root, *(arguments or ["notebooks/00_start_here.ipynb"])])


def run(command: list) -> int:
    return subprocess.run([str(part) for part in command], cwd=ROOT).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", action="store_true", help="install JAX and PyTorch as well")
    parser.add_argument("command", nargs="?", choices=["lab", "test", "progress"])
    options, arguments = parser.parse_known_args()
    python = ensure(options.backends)
    if options.command == "lab":
        return lab(python, arguments)
    if options.command == "test":
        return run([python, "-m", "pytest", *arguments])
    if options.command == "progress":
        return run([python, "-m", "cnnlib.exercises", *arguments])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
