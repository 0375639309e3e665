"""Set-up clears nothing that it did not make, heeds no settings of other environments, and explains its failures."""

import os
import platform
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import environment
import pytest

WORDS = "my own work"


@pytest.fixture
def env(tmp_path, monkeypatch):
    """A folder for the environment under a path with a space and an umlaut; nothing is installed."""
    path = tmp_path / "My Documents" / "Kurs für Anfänger" / "env"
    monkeypatch.setenv("VENV", str(path))
    monkeypatch.setattr(environment, "pip", lambda *args: None)
    monkeypatch.setattr(environment, "check_installed", lambda env: None)
    monkeypatch.setattr(environment, "run", lambda command, **variables: 0)
    monkeypatch.setattr(environment, "check_python", lambda: None)
    return path


def quick(self, env):
    """Stand in for venv.EnvBuilder.create: only the folders."""
    environment.interpreter(Path(env)).parent.mkdir(parents=True)
    environment.interpreter(Path(env)).write_text("")
    (Path(env) / "pyvenv.cfg").write_text("")


def refused(text: str) -> pytest.RaisesExc:
    return pytest.raises(SystemExit, match=text)


# --- which folder -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["", "  ", None])
def test_an_empty_venv_is_an_unset_one(monkeypatch, named):
    monkeypatch.delenv("VENV", raising=False)
    if named is not None:
        monkeypatch.setenv("VENV", named)
    assert environment.folder() == environment.ROOT / ".venv"


def test_a_tilde_that_the_shell_left_is_refused(monkeypatch):
    monkeypatch.setenv("VENV", "~/env")
    with refused("shell has left"):
        environment.folder()


@pytest.mark.parametrize("kind", ["files", "environment", "hidden", "folders"])
def test_a_folder_with_other_things_in_it_is_left_as_it_is(env, monkeypatch, kind):
    monkeypatch.setattr(venv.EnvBuilder, "create", quick)
    mine = env / {"files": "thesis.txt", "environment": "bin/python", "hidden": ".x", "folders": "lib/mine.py"}[kind]
    mine.parent.mkdir(parents=True)
    mine.write_text(WORDS)
    if kind == "environment":
        (env / "pyvenv.cfg").write_text("version = 3.9.1")
    before = sorted(env.rglob("*"))
    for action in (environment.ensure, environment.remove):
        with refused("an environment that the course did not make" if kind == "environment" else "other things in it"):
            action()
    assert sorted(env.rglob("*")) == before
    assert mine.read_text() == WORDS


def test_a_file_in_place_of_the_folder_is_refused(env):
    env.parent.mkdir(parents=True)
    env.write_text(WORDS)
    with refused("not a folder"):
        environment.ensure()
    assert env.read_text() == WORDS


@pytest.mark.parametrize("above", [0, 1])
def test_the_checkout_itself_is_refused_even_with_a_stamp(env, monkeypatch, above):
    root = env / "course"
    root.mkdir(parents=True)
    for name in (*environment.LOCKS.values(), "pyproject.toml"):
        (root / name).write_text(WORDS)
    named = [root, env][above]
    (named / environment.STAMP).write_text("core x")
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setenv("VENV", str(named))
    for action in (environment.ensure, environment.remove):
        with refused("holds the course itself"):
            action()
    assert (root / "pyproject.toml").read_text() == WORDS


@pytest.mark.parametrize("there", [False, True])
def test_a_new_or_empty_folder_is_used(env, monkeypatch, there):
    monkeypatch.setattr(venv.EnvBuilder, "create", quick)
    if there:
        env.mkdir(parents=True)
    assert environment.ensure() == environment.interpreter(env)
    assert environment.installed(env)


def test_an_environment_of_the_course_is_made_anew_and_what_else_lies_there_stays(env, monkeypatch):
    monkeypatch.setattr(venv.EnvBuilder, "create", quick)
    environment.ensure()
    old = env / "lib" / "old.py"
    old.parent.mkdir()
    old.write_text("")
    (env / "notes.txt").write_text(WORDS)
    outside = env.parent / "outside"
    outside.mkdir()
    (outside / "mine.txt").write_text(WORDS)
    if os.name != "nt":
        (env / "lib64").symlink_to(outside)
    (env / environment.STAMP).write_text("core of another version")
    environment.ensure()
    assert not old.exists()
    assert (env / "notes.txt").read_text() == WORDS
    assert (outside / "mine.txt").read_text() == WORDS


def test_a_set_up_that_broke_off_is_known_as_ours_and_goes_on(env, monkeypatch):
    def breaks(self, folder):
        quick(self, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(venv.EnvBuilder, "create", breaks)
    with pytest.raises(KeyboardInterrupt):
        environment.ensure("backends")
    assert not environment.installed(env)
    monkeypatch.setattr(venv.EnvBuilder, "create", quick)
    environment.ensure()
    assert environment.installed(env, "backends"), "what was asked for first is kept"


@pytest.mark.parametrize("kind", ["site", "hub", "nbgrader"])
def test_what_a_class_needs_has_locks_of_its_own(kind, env, monkeypatch):
    installed = []
    monkeypatch.setattr(venv.EnvBuilder, "create", quick)
    monkeypatch.setattr(environment, "pip", lambda env, *arguments: installed.append(arguments[-1]))
    environment.ensure(kind)
    assert installed == [f"requirements-{kind}.txt", "."]
    assert environment.installed(env, kind)
    assert not environment.installed(env, "backends")
    assert not any(environment.installed(env, other) for other in {"site", "hub", "nbgrader"} - {kind})


def test_removing_takes_the_environment_and_nothing_else(env, monkeypatch, capsys):
    assert environment.remove() == 0
    monkeypatch.setattr(venv.EnvBuilder, "create", quick)
    environment.ensure()
    (env / "notes.txt").write_text(WORDS)
    assert environment.remove() == 0
    assert [each.name for each in env.iterdir()] == ["notes.txt"]
    assert "the rest is left" in capsys.readouterr().out
    (env / "notes.txt").unlink()
    environment.ensure()
    assert environment.remove() == 0
    assert not env.exists()


# --- what other settings do -------------------------------------------------------------------------------------------


def test_settings_of_other_environments_reach_no_process(monkeypatch):
    for name in ("PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    look = (
        "import os, sys; sys.exit(any(v == 'elsewhere' for v in os.environ.values()) or os.environ['PIP_USER'] != '0')"
    )
    assert environment.run([sys.executable, "-c", look]) == 0
    monkeypatch.setattr(environment.sys, "executable", "unused")
    assert environment.works(Path(sys.prefix) / "nowhere") is False


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """An environment with pip, and a package to install without a network."""
    folder = tmp_path_factory.mktemp("Kurs für Anfänger")
    venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder / "my env")
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return folder / "my env", wheel


@pytest.mark.parametrize("setting", ["PIP_USER", "pip.conf", "PIP_TARGET", "PYTHONPATH"])
def test_packages_arrive_in_the_environment_whatever_the_person_has_set(real, tmp_path, monkeypatch, setting):
    env, wheel = real
    for left in environment.interpreter(env).parents[1].rglob("tiny.py"):
        left.unlink()
    if setting == "pip.conf":
        (tmp_path / "pip.conf").write_text("[global]\nuser = true\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    elif setting == "PYTHONPATH":  # a broken pip, as from an environment of another version
        (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    else:
        monkeypatch.setenv(setting, {"PIP_USER": "1", "PIP_TARGET": str(tmp_path / "target")}[setting])
    environment.pip(env, "--no-index", "--no-deps", "--force-reinstall", str(wheel))
    where = "import tiny, sys; print(tiny.__file__.startswith(sys.prefix))"
    done = subprocess.run(
        [environment.interpreter(env), "-c", where], capture_output=True, text=True, env=environment.settings()
    )
    assert done.stdout.strip() == "True", done.stderr


def test_packages_that_went_elsewhere_are_noticed(real):
    with refused("not in the environment"):
        environment.check_installed(real[0])


def test_pip_says_what_it_says_and_the_cause_follows(real, monkeypatch, capfd):
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with refused("cannot be reached"):
        environment.pip(real[0], "--index-url", "http://127.0.0.1:9/simple", "--no-deps", "nothing-of-this-name")
    assert "Retrying" in capfd.readouterr().err


# --- what failures mean -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "no space left"),
        ("OSError: [WinError 112] There is not enough space on the disk", "no space left"),
        ("OSError: [Errno 122] Disk quota exceeded", "no space left"),
        ("OSError: [Errno 30] Read-only file system: '/opt/course/.venv'", "folder is read-only"),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'", "not be written"),
        ("PermissionError: [WinError 5] Access is denied: 'C:\\\\course\\\\.venv'", "not be written"),
        (
            "WARNING: Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL: "
            "CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate",
            "certificate",
        ),
        (
            "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel "
            "connection failed: 407 Proxy Authentication Required'))'",
            "the proxy",
        ),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError('Failed to establish a new connection: "
            "[Errno -2] Name or service not known')'\nERROR: No matching distribution found for keras==3.15.1",
            "Is this machine online",
        ),
        ("socket.gaierror: [Errno 11001] getaddrinfo failed", "Is this machine online"),
        ("ReadTimeoutError: HTTPSConnectionPool: Read timed out. (read timeout=15)", "Is this machine online"),
        ("ERROR: Could not find a version that satisfies the requirement tensorflow (from versions: none)", "system"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "cache purge"),
        ("ERROR: Can not perform a '--user' install.", "for the user"),
        ("HINT: This error might have occurred since this system does not have Windows Long Path support", "too long"),
    ],
)
def test_the_causes_of_failures(said, meaning):
    assert meaning in environment.cause(said)


def test_an_unknown_failure_is_not_explained():
    assert environment.cause("ERROR: something else") is None


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (OSError(28, "No space left on device"), "no space left"),
        (OSError(30, "Read-only file system"), "folder is read-only"),
        (PermissionError(13, "Permission denied"), "not be written"),
        (subprocess.CalledProcessError(1, "ensurepip", output=b"[Errno 28] No space left on device"), "no space left"),
        (subprocess.CalledProcessError(1, "ensurepip", output=b"odd"), "stands above"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_an_environment_that_cannot_be_made_is_explained(env, monkeypatch, error, meaning):
    def fails(self, folder):
        raise error

    monkeypatch.setattr(venv.EnvBuilder, "create", fails)
    with refused(meaning):
        environment.ensure()


@pytest.mark.parametrize(
    ("system", "machine", "maxsize", "meaning"),
    [
        ("darwin", "x86_64", 2**63 - 1, "Intel.*TensorFlow stopped at 2.16.*hosted"),
        ("win32", "ARM64", 2**63 - 1, "Windows on ARM"),
        ("linux", "i686", 2**31 - 1, "32-bit"),
        ("darwin", "arm64", 2**63 - 1, None),
        ("linux", "aarch64", 2**63 - 1, None),
        ("win32", "AMD64", 2**63 - 1, None),
    ],
)
def test_systems_that_cannot_run_the_course(monkeypatch, system, machine, maxsize, meaning):
    monkeypatch.setattr(environment.sys, "platform", system)
    monkeypatch.setattr(environment.sys, "maxsize", maxsize)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    if meaning is None:
        environment.check_python()
    else:
        with refused(meaning):
            environment.check_python()


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_another_version_of_python_is_refused(monkeypatch, version):
    monkeypatch.setattr(environment, "OLDEST", (4, 0))
    with refused(r"PYTHON=python3\.12"):
        environment.check_python()


@pytest.mark.parametrize("name", ["venv", "ensurepip"])
def test_a_python_without_venv_says_how_to_get_it(monkeypatch, name):
    find = environment.importlib.util.find_spec
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda each: None if each == name else find(each))
    with refused(rf"comes without {name}.*apt install python3\.\d+-venv"):
        environment.check_python()


# --- JupyterLab in WSL ------------------------------------------------------------------------------------------------


def test_in_wsl_the_address_to_open_is_printed(monkeypatch, capsys):
    started = []
    monkeypatch.setattr(environment, "run", lambda command, **variables: started.append((command, variables)) or 0)
    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(platform, "release", lambda: "5.15.167.4-microsoft-standard-WSL2")
    environment.lab(Path("python"), [])
    (command, variables), said = started[0], capsys.readouterr().out
    port = next(part.partition("=")[2] for part in command if str(part).startswith("--ServerApp.port="))
    address = f"http://localhost:{port}/lab/tree/notebooks/00_start_here.ipynb?token={variables['JUPYTER_TOKEN']}"
    assert address in said
    assert "--no-browser" in command
    monkeypatch.setattr(platform, "release", lambda: "6.8.0-45-generic")
    environment.lab(Path("python"), [])
    assert "--no-browser" not in started[1][0]
    assert not started[1][1]
    assert capsys.readouterr().out == ""


def test_a_port_that_is_taken_is_passed_over():
    first = environment.free_port()
    with environment.socket.socket() as taken:
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert environment.free_port(first) not in (first, 0)


def test_tests_run_in_parallel_unless_told_otherwise(monkeypatch):
    ran = []
    monkeypatch.setattr(environment, "ensure", lambda backends: "python")
    monkeypatch.setattr(environment, "run", lambda command: ran.append(command) or 0)
    monkeypatch.setattr(sys, "argv", ["environment.py", "test", "-n", "0"])
    assert environment.main() == 0
    assert ran == [["python", "-m", "pytest", "-n", "auto", "-n", "0"]]  # the last one counts
