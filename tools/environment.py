"""Create or update the course's environment, then stop (or run one of its commands).

    python tools/environment.py                 # create .venv, or update it if the lock file changed
    python tools/environment.py --backends      # also JAX and PyTorch
    python tools/environment.py --site          # also what builds the web site; give it a folder of its own: VENV
    python tools/environment.py --hub           # also what serves a class; likewise
    python tools/environment.py --nbgrader      # also nbgrader; likewise
    python tools/environment.py lab             # ... and open the course in JupyterLab
    python tools/environment.py test [...]      # ... and run all tests
    python tools/environment.py remove          # delete the environment

Needs nothing but a Python of a supported version. `make` calls it on Linux and macOS; on Windows it is called directly.
A second call with an unchanged lock file does nothing and needs no network.

The environment is .venv in the checkout, or the folder that VENV names. A folder is only ever written to or cleared if
it is new, empty, or made by this script, which puts a stamp into it before anything else.
"""

import argparse
import errno
import hashlib
import importlib.util
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = (3, 11), (3, 13)
# Kinds of environments. Each but the first holds what that one holds, and more.
LOCKS = {
    "core": "requirements.txt",
    "backends": "requirements-backends.txt",
    "site": "requirements-site.txt",
    "hub": "requirements-hub.txt",
    "nbgrader": "requirements-nbgrader.txt",
}
STAMP = "course.stamp"
# What an environment consists of. Whatever else lies in its folder is not ours to delete.
PARTS = (
    "bin",
    "Scripts",
    "lib",
    "Lib",
    "lib64",
    "include",
    "Include",
    "share",
    "etc",
    "man",
    "pyvenv.cfg",
    ".gitignore",
)
# Settings of the person, or of another environment that is active, that would lead packages elsewhere or others in.
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")

# Signs in what pip, venv or the system said, and what they mean. The first that is found is told.
CAUSES = (
    (
        ("no space left on device", "errno 28", "not enough space on the disk", "winerror 112", "quota exceeded"),
        "there is no space left. The course needs about 3 GB where the environment lies (VENV names another folder) "
        "and 1 GB for temporary files (TMPDIR; TEMP on Windows).",
    ),
    (
        ("windows long path", "filename or extension is too long", "file name too long"),
        "a path became too long. Move the checkout to a folder with a short path, or let Windows have long ones.",
    ),
    (
        ("read-only file system", "errno 30"),
        "the folder is read-only. Copy the checkout to a folder that you can write to, or name one for the "
        "environment: VENV=folder.",
    ),
    (
        ("permission denied", "errno 13", "operation not permitted", "winerror 5]", "access is denied"),
        "a folder may not be written to. Copy the checkout to a folder of your own, or name one for the environment: "
        "VENV=folder. On Windows, close programs that use the environment first.",
    ),
    (
        ("certificate_verify_failed", "certificate verify failed", "sslcertverificationerror", "self-signed cert"),
        "the certificate of the package index is not trusted here. Often a company's or school's network puts its own "
        "in place: ask for its certificate file and set PIP_CERT to it. With a Python from python.org on macOS, run "
        "'Install Certificates.command' of its folder once. A wrong clock does it too.",
    ),
    (
        ("proxyerror", "cannot connect to proxy", "proxy authentication required", "tunnel connection failed"),
        "the proxy does not let pip through. HTTPS_PROXY, or 'proxy' in pip's settings, names it "
        "(http://name:password@host:port); unset it if there is none any more.",
    ),
    (
        ("do not match the hashes", "hash mismatch"),
        "a package is not the one that the lock file names: a download broke off, or a mirror changes files. Run "
        "'python -m pip cache purge' and the same command again.",
    ),
    (
        (
            "name or service not known", "name resolution", "getaddrinfo failed", "nodename nor servname",
            "network is unreachable", "no route to host", "failed to establish a new connection", "newconnectionerror",
            "connection refused", "timed out", "timeouterror", "remotedisconnected", "connection reset",
            "max retries exceeded", "connection broken", "incompleteread",
        ),
        "the package index cannot be reached. Is this machine online? The first set-up needs the network once; later "
        "calls do not.",
    ),
    (
        ("no matching distribution found", "could not find a version that satisfies"),
        "a package of the lock file is not to be had for this system and Python. If pip's settings name an index of "
        "your own (PIP_INDEX_URL), it may lack it or be out of reach; otherwise see the table of systems in README.md.",
    ),
    (
        ("can not perform a '--user' install", "can not combine '--user'"),
        "pip is told to install for the user instead of into the environment. Take 'user', 'target' and 'prefix' out "
        "of its settings ('python -m pip config list' shows them).",
    ),
)  # fmt: skip


def fail(message: str) -> None:
    sys.exit(f"environment: {message}")


def cause(text: str) -> str | None:
    """What the output of a failed set-up says in plain words; None if it is not known."""
    text = text.lower()
    return next((meaning for signs, meaning in CAUSES if any(sign in text for sign in signs)), None)


def folder() -> Path:
    """The environment's folder; an empty VENV is an unset one."""
    named = os.environ.get("VENV", "").strip()
    if named.startswith("~"):
        fail(f"VENV={named}: the shell has left '~' as it is. Write the folder out, or $HOME instead of '~'.")
    return Path(named).absolute() if named else ROOT / ".venv"


def interpreter(env: Path) -> Path:
    return env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def settings() -> dict[str, str]:
    """The variables for every process that is started here, without what would mix this environment with others."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def fingerprint(kind: str) -> str:
    """What the environment was made from: the lock, the package's settings, and the Python version."""
    digest = hashlib.sha256(f"{kind} {sys.version_info[:2]} {ROOT}".encode())
    for name in (LOCKS[kind], "pyproject.toml"):
        # Line endings differ between systems and are not a reason to install again.
        digest.update((ROOT / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def check_python() -> None:
    """Stop where the course cannot run: this Python's version, this system, or what this Python lacks."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail(
            f"this is Python {version} ({sys.executable}); the course needs "
            f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}, the versions that TensorFlow supports. "
            "Name another one: make PYTHON=python3.12 lab (Windows: py -3.12 tools\\environment.py lab)"
        )
    machine = platform.machine().lower()
    if sys.platform == "darwin" and machine == "x86_64":
        fail(
            "this is a Python for Macs with Intel processors. TensorFlow stopped at 2.16 there, so the course cannot "
            "run. Is it a Mac with an M processor? Then install a Python for it (arm64) and name it: make PYTHON=... "
            "lab. On an Intel Mac, use a hosted notebook service: README.md says how."
        )
    if sys.platform == "win32" and "arm" in machine:
        fail("TensorFlow has no packages for Windows on ARM. Install a Python for x64, or use WSL.")
    if sys.maxsize < 2**32:
        fail(f"this is a 32-bit Python ({sys.executable}); TensorFlow needs a 64-bit one.")
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        fail(
            f"this Python ({sys.executable}) comes without {' and '.join(missing)}, so it cannot make an environment. "
            f"On Debian or Ubuntu: sudo apt install python{version}-venv. Elsewhere install Python from python.org, or "
            "name another one: make PYTHON=python3.12 lab"
        )


def check_folder(env: Path) -> None:
    """Stop if the folder holds what this script did not make."""
    if env.resolve() == ROOT or env.resolve() in ROOT.parents:
        fail(
            f"VENV names {env}, which holds the course itself. Name a new folder for the environment, or leave VENV "
            "out: it is then .venv in the checkout."
        )
    if not os.path.lexists(env) or (env.is_dir() and ((env / STAMP).is_file() or not any(env.iterdir()))):
        return
    what = "a folder with other things in it" if env.is_dir() else "not a folder"
    if (env / "pyvenv.cfg").exists():
        what = "an environment that the course did not make"
    fail(
        f"{env} is {what}, and is left as it is. Move it away, or name a new or an empty folder for the course's "
        "environment: VENV=folder make lab (PowerShell: $env:VENV = 'folder')."
    )


def clear(env: Path) -> None:
    """Delete the parts of an environment from its folder; the stamp, and whatever is not such a part, stay."""
    check_folder(env)
    for name in PARTS:
        part = env / name
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def remove() -> int:
    """Delete the environment, if it is one that was made here."""
    env = folder()
    if not env.exists():
        return 0
    clear(env)
    (env / STAMP).unlink(missing_ok=True)
    if any(env.iterdir()):
        print(f"{env} holds more than an environment; the rest is left there.")
    elif env.is_symlink():
        env.unlink()
    else:
        env.rmdir()
    return 0


def installed(env: Path, wanted: str = "core") -> bool:
    """Whether an environment is there that holds what this kind does, as its lock says."""
    stamp = env / STAMP
    if not (interpreter(env).exists() and stamp.exists()):
        return False
    kind, _, made_from = stamp.read_text(encoding="utf-8").partition(" ")
    return kind in LOCKS and wanted in ("core", kind) and made_from == fingerprint(kind)


def pip(env: Path, *arguments: str) -> None:
    """Install with the environment's pip. Its messages appear as they come; a failure is explained."""
    command = [str(interpreter(env)), "-m", "pip", "install", "--quiet", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=settings(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    said = []
    for line in process.stdout:
        print(line, end="", file=sys.stderr, flush=True)
        said.append(line)
    if process.wait():
        fail(
            f"the packages could not be installed: {cause(''.join(said)) or 'pip says why above.'} "
            "Then run the same command again; what was downloaded is kept."
        )


def create(env: Path, kind: str) -> None:
    """Make an empty environment with pip; the stamp comes first, so that a broken-off one is known as ours."""
    import venv

    try:
        env.mkdir(parents=True, exist_ok=True)
        (env / STAMP).write_text(f"{kind} begun", encoding="utf-8")
        if not works(interpreter(env)):
            clear(env)
            venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(env)
    except subprocess.CalledProcessError as error:
        said = error.output or b""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        print(said, file=sys.stderr)
        fail(f"no environment could be made in {env}: {cause(said) or 'the reason stands above.'}")
    except OSError as error:
        codes = {errno.ENOSPC: "errno 28", errno.EROFS: "errno 30", errno.EACCES: "errno 13", errno.EPERM: "errno 13"}
        meaning = cause(f"{error} {codes.get(error.errno, '')}") or str(error)
        fail(f"no environment could be made in {env}: {meaning} ({error})")


def ensure(kind: str = "core") -> Path:
    """Return the environment's Python; create or update the environment if it is missing or out of date.

    The backends stay where they are once asked for.
    """
    env = folder()
    stamp = env / STAMP
    if installed(env, kind):
        return interpreter(env)
    check_python()
    check_folder(env)
    if kind == "core" and stamp.exists() and stamp.read_text(encoding="utf-8").startswith("backends"):
        kind = "backends"
    print(f"Setting up {env.name} from {LOCKS[kind]}: some minutes, once.", flush=True)
    create(env, kind)
    pip(env, "--require-hashes", "--only-binary", ":all:", "-r", LOCKS[kind])
    pip(env, "--no-deps", "--no-build-isolation", "--editable", ".")
    check_installed(env)
    run([interpreter(env), "tools/configure_lab.py"])
    stamp.write_text(f"{kind} {fingerprint(kind)}", encoding="utf-8")
    return interpreter(env)


def check_installed(env: Path) -> None:
    """Stop if pip put the packages elsewhere (its settings can name a target)."""
    look = "import importlib.util as i, sys; sys.exit(not all(map(i.find_spec, ('keras', 'cnnlib'))))"
    if run([interpreter(env), "-c", look]):
        fail(
            "pip ended well, but the packages are not in the environment. Does one of its settings ('python -m pip "
            "config list') lead elsewhere: target, prefix, root? Take it out and run the same command again."
        )


def works(python: Path) -> bool:
    """Whether an environment is there and its Python is the one that runs this (a moved or older one is not)."""
    if not python.exists():
        return False
    probe = [str(python), "-c", "import sys, pip; print(*sys.version_info[:2])"]
    try:
        answer = subprocess.run(probe, capture_output=True, text=True, env=settings())
    except OSError:  # not a program of this system
        return False
    return answer.returncode == 0 and answer.stdout.split() == [str(n) for n in sys.version_info[:2]]


def lab(python: Path, arguments: list[str]) -> int:
    # JupyterLab refuses to run as root unless told; in a container root is the usual user.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    start = "notebooks/00_start_here.ipynb"
    extra = {}
    if in_wsl() and not arguments:
        port, extra = free_port(), {"JUPYTER_TOKEN": os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)}
        root += ["--no-browser", f"--ServerApp.port={port}"]
        address = f"http://localhost:{port}/lab/tree/{start}?token={extra['JUPYTER_TOKEN']}"
        print(f"This is WSL. Open this address in the browser of Windows:\n\n    {address}\n", flush=True)
    return run([python, "-m", "jupyterlab", *root, *(arguments or [start])], **extra)


def in_wsl() -> bool:
    """Whether this is Linux inside Windows, from which no browser opens by itself."""
    return sys.platform == "linux" and "microsoft" in platform.release().lower()


def free_port(first: int = 8888) -> int:
    """The first port from `first` on at which nobody listens; any free one if there is none within 50."""
    for port in [*range(first, first + 50), 0]:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    return first


def run(command: list, **variables: str) -> int:
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=settings() | variables).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = {"backends": "JAX and PyTorch", "site": "what builds the web site", "hub": "what serves a class"}
    group = parser.add_mutually_exclusive_group()
    for kind, what in (kinds | {"nbgrader": "nbgrader"}).items():
        group.add_argument(
            f"--{kind}", dest="kind", action="store_const", const=kind, default="core", help=f"install {what} as well"
        )
    parser.add_argument("command", nargs="?", choices=["lab", "test", "progress", "remove"])
    options, arguments = parser.parse_known_args()
    if options.command == "remove":
        return remove()
    python = ensure(options.kind)
    if options.command == "lab":
        return lab(python, arguments)
    if options.command == "test":
        return run([python, "-m", "pytest", "-n", "auto", *arguments])
    if options.command == "progress":
        return run([python, "-m", "cnnlib.exercises", *arguments])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
