"""Set-up, settings, network block and environment report."""

import getpass
import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from cnnlib import network, runtime, speed

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ("KERAS_BACKEND", "CNNLIB_PROFILE", "CNNLIB_SEED", "CNNLIB_STATIC", "CNNLIB_OFFLINE", "CNNLIB_DATA")


@pytest.fixture
def clean(monkeypatch):
    """No setting but the backend, and no seed from an earlier set-up."""
    for name in SETTINGS[1:]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(runtime, "_seed", None)
    blocked = network.blocked()
    runtime.unblock_network()
    yield monkeypatch
    runtime.unblock_network()
    if blocked:
        runtime.block_network()


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a fresh interpreter with these settings only."""
    settings = {name: value for name, value in os.environ.items() if name not in SETTINGS[1:]}
    settings = {**settings, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, encoding="utf-8", env=settings, cwd=ROOT
    )


# --- set-up ----------------------------------------------------------------------------------------------------------


def test_setup_prints_one_line_and_nothing_else_is_heard(tmp_path):
    """Not by import, training, saving or loading, and whatever keras.json says against the conventions."""
    keras_home = tmp_path / "keras"
    keras_home.mkdir()
    configuration = {"floatx": "float16", "epsilon": 1e-7, "backend": "none", "image_data_format": "channels_first"}
    (keras_home / "keras.json").write_text(json.dumps(configuration))
    code = f"""
        from cnnlib import network, runtime, speed
        runtime.setup(7)
        import keras, numpy as np, sys, warnings
        assert keras.config.image_data_format() == "channels_last"
        assert keras.config.floatx() == "float32"
        model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.RandomFlip(), keras.layers.Conv2D(4, 3),
                                  keras.layers.Flatten(), keras.layers.Dense(2)])
        model.compile("sgd", "mse")
        model.fit(np.zeros((8, 8, 8, 3)), np.zeros((8, 2)), verbose=0)
        model.save({str(tmp_path / "model.keras")!r})
        keras.saving.load_model({str(tmp_path / "model.keras")!r})
        warnings.warn("heard", UserWarning)
        warnings.warn("heard too", FutureWarning)
        runtime.setup()
    """
    done = python(code, KERAS_HOME=str(keras_home), KERAS_BACKEND=runtime.backend())
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert len(lines) == 2, done.stderr
    assert lines[0].endswith("UserWarning: heard")
    assert lines[1].endswith("FutureWarning: heard too")
    first, second = done.stdout.splitlines()
    assert first.startswith("Keras 3.")
    assert first.endswith(f" · {runtime.backend()} · {runtime.profile()} profile · seed 7")
    assert second.endswith(" · seed 0")


def test_tensorflow_does_not_warn_of_retracing_in_a_notebook():
    """Whether it does depends on what was called before; where Python is interactive its logger has its own level."""
    done = python(
        """
        import logging, sys
        sys.ps1 = ">>> "
        from cnnlib import runtime
        runtime.setup()
        import tensorflow
        tensorflow.get_logger().warning("5 out of the last 7 calls triggered retracing")
        """,
        KERAS_BACKEND="tensorflow",
    )
    assert done.returncode == 0, done.stderr
    assert "retracing" not in done.stdout + done.stderr


def test_a_console_that_knows_few_letters_is_forgiven():
    code = "from cnnlib import runtime; runtime._forgive_narrow_consoles(); print('accuracy ≈ 0.9')"
    done = python(code, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert "accuracy ? 0.9" in done.stdout


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_tensorflow_is_imported_only_by_what_needs_it(name):
    """Keras would import it to seed it, and to compare with its types: 0.4 GB."""
    if not importlib.util.find_spec(name) or not importlib.util.find_spec("tensorflow"):
        pytest.skip(f"{name} or TensorFlow is not installed")
    code = """
        from cnnlib import network, runtime, speed
        runtime.setup(1)
        import keras, numpy as np, sys
        first = float(keras.random.uniform(()))
        model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.RandomFlip(), keras.layers.Resizing(4, 4),
                                  keras.layers.Flatten(), keras.layers.Dense(2)])
        model.compile("sgd", "mse", metrics=["accuracy"])
        model.fit(np.zeros((8, 8, 8, 3)), np.zeros((8, 2)), verbose=0)
        keras.models.clone_model(model)
        assert "tensorflow" not in sys.modules
        runtime.setup(1)
        assert float(keras.random.uniform(())) == first
        batches = keras.utils.timeseries_dataset_from_array(np.arange(20.0), None, sequence_length=4, batch_size=2)
        assert "tensorflow" in sys.modules and len(list(batches)) == 9
        import tensorflow as tf
        drawn = []
        for _ in range(2):
            runtime.setup(2)
            drawn.append(float(tf.random.uniform(())))
        assert drawn[0] == drawn[1]
        model.fit(tf.data.Dataset.from_tensors((np.zeros((8, 8, 8, 3)), np.zeros((8, 2)))), verbose=0)
    """
    done = python(code, KERAS_BACKEND=name)
    assert done.returncode == 0, done.stderr


def test_setup_seeds_every_generator(clean, capsys):
    import keras

    drawn = []
    for _ in range(2):
        runtime.setup(3)
        drawn.append((random.random(), np.random.random(), float(keras.random.uniform(()))))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert runtime.seed() == 3
    runtime.setup(4)
    assert random.random() != drawn[0][0]
    assert capsys.readouterr().out.count("\n") == 3


def test_the_seed_comes_from_the_argument_then_the_environment_then_is_zero(clean, capsys):
    assert runtime.seed() == 0
    clean.setenv("CNNLIB_SEED", "5")
    assert runtime.seed() == 5
    runtime.setup()
    assert runtime.seed() == 5
    runtime.setup(6)
    assert runtime.seed() == 6


@pytest.mark.parametrize("bad", [-1, 2**32, 1.5, "two", None])
def test_a_seed_that_is_none_is_refused(clean, bad):
    if bad is None:
        clean.setenv("CNNLIB_SEED", "x")
    with pytest.raises(ValueError, match="whole number from 0 to 4294967295"):
        runtime.setup(bad)


def test_setup_after_keras_says_that_the_backend_stays(clean):
    other = next(name for name in runtime.BACKENDS if name != runtime.backend())
    clean.setenv("KERAS_BACKEND", other)
    with pytest.warns(UserWarning, match=f"KERAS_BACKEND={other} has no effect.*Restart the kernel") as warned:
        runtime.setup()
    assert [Path(each.filename).name for each in warned] == ["test_runtime.py"]  # once, at the learner's own line


@pytest.mark.parametrize(
    ("given", "likely"), [("tf", "tensorflow"), ("pytorch", "torch"), ("JAX", "jax"), ("numpy", None)]
)
def test_an_unknown_backend_is_refused_by_name(clean, given, likely):
    clean.setenv("KERAS_BACKEND", given)
    with pytest.raises(ValueError, match="the course runs on tensorflow, jax, torch") as caught:
        runtime.setup()
    assert ("Did you mean" in str(caught.value)) == (likely is not None)
    if likely:
        assert f"Did you mean {likely!r}?" in str(caught.value)


@pytest.mark.parametrize(("name", "lock"), [("jax", "requirements-backends.txt"), ("tensorflow", "requirements.txt")])
def test_a_backend_that_is_not_installed_comes_with_the_command_that_installs_it(name, lock):
    code = """
        import importlib.util, os
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == os.environ["KERAS_BACKEND"] else find(name)
        from cnnlib import network, runtime, speed
        runtime.setup()
    """
    done = python(code, KERAS_BACKEND=name)
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
    assert f"python -m pip install -r {lock}" in done.stderr


def test_what_a_backend_wrote_comes_out_when_its_import_fails(capfd):
    def fail():
        with runtime._silenced_stderr():
            os.write(2, b"the driver says why\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert "the driver says why" in capfd.readouterr().err
    with runtime._silenced_stderr():
        os.write(2, b"chatter\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


# --- profile, device, settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("devices", "profile"), [(["cpu:0"], "cpu"), (["gpu:0", "gpu:1"], "gpu"), (["tpu:0"], "gpu"), (["mps:0"], "cpu")]
)
def test_the_profile_is_found_from_the_device(clean, devices, profile):
    clean.setattr(runtime, "devices", lambda: devices)
    assert runtime.device() == devices[0][:3]
    assert runtime.profile() == profile
    assert runtime.pick(smoke=1, cpu=2, gpu=3) == {"cpu": 2, "gpu": 3}[profile]


@pytest.mark.parametrize(("forced", "picked"), [("smoke", 1), ("cpu", 2), ("gpu", 3), (" CPU ", 2)])
def test_the_profile_can_be_forced(clean, forced, picked):
    clean.setenv("CNNLIB_PROFILE", forced)
    assert runtime.pick(smoke=1, cpu=2, gpu=3) == picked


def test_an_unknown_profile_is_refused(clean):
    clean.setenv("CNNLIB_PROFILE", "fast")
    with pytest.raises(ValueError, match="CNNLIB_PROFILE='fast': choose one of smoke, cpu, gpu"):
        runtime.profile()


def test_devices_have_a_kind_and_a_number():
    for name in runtime.devices():
        kind, _, number = name.partition(":")
        assert kind in ("cpu", "gpu", "tpu", "mps")
        assert number.isdigit()


@pytest.mark.parametrize(("value", "static"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_static(clean, value, static):
    clean.setenv("CNNLIB_STATIC", value)
    assert runtime.is_static() is static


def test_a_switch_that_is_neither_on_nor_off_is_refused(clean):
    clean.setenv("CNNLIB_STATIC", "maybe")
    with pytest.raises(ValueError, match="CNNLIB_STATIC='maybe' is neither yes nor no"):
        runtime.is_static()


def test_the_data_lie_in_the_checkout_unless_said_otherwise(clean, tmp_path):
    assert runtime.root() == ROOT
    assert runtime.data_dir() == ROOT / "data"
    clean.setenv("CNNLIB_DATA", str(tmp_path))
    assert runtime.data_dir() == tmp_path


def test_without_a_checkout_the_error_says_where_to_start(clean, tmp_path):
    clean.setattr(runtime, "__file__", str(tmp_path / "site" / "cnnlib" / "runtime.py"))
    clean.chdir(ROOT / "tests")
    assert runtime.root() == ROOT
    clean.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="inside the checkout"):
        runtime.root()


def test_setup_blocks_the_network_when_asked_and_it_can_be_undone(clean, capsys):
    connect, lookup = socket.socket.connect, socket.getaddrinfo
    clean.setenv("CNNLIB_OFFLINE", "1")
    runtime.setup()
    assert socket.socket.connect is not connect
    runtime.unblock_network()
    runtime.unblock_network()
    assert (socket.socket.connect, socket.getaddrinfo) == (connect, lookup)


# --- report ----------------------------------------------------------------------------------------------------------


def test_the_report_names_what_a_bug_report_needs(clean):
    import keras

    report = runtime.report()
    assert report["Keras"] == keras.__version__
    assert report["backend"].split()[0] == runtime.backend()
    assert report["backend"].split()[1][0].isdigit()
    assert report["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert report["device"].startswith(runtime.device())
    assert int(report["CPU cores"]) >= 1
    assert report["processor"].split(" · ")[0] == speed.processor()
    assert 0.01 < float(report["speed"].split()[0]) < 20
    assert "speed" not in runtime.report(measure=False).entries
    assert report["memory"].endswith(" GiB")
    assert float(report["memory"].split()[0]) >= 1
    assert len(str(report).splitlines()) == len(report.entries)
    assert repr(report) == str(report)


def test_the_report_holds_no_user_name_and_no_path(clean, tmp_path):
    clean.setenv("CNNLIB_DATA", str(tmp_path))
    clean.setenv("CNNLIB_SEED", "11")
    report = runtime.report()
    assert report["settings"].endswith("CNNLIB_SEED=11 CNNLIB_DATA set")
    assert "/" not in str(report)
    assert "\\" not in str(report)
    assert getpass.getuser() not in str(report).split()


def test_the_report_names_the_commit_unless_it_is_to_be_stored(clean):
    clean.setattr(runtime, "_commit", lambda: "commit abc1234")
    assert runtime.report()["cnnlib"].endswith(" (commit abc1234)")
    clean.setenv("CNNLIB_STATIC", "1")
    assert "commit" not in runtime.report()["cnnlib"]


def test_without_git_the_report_has_no_commit(clean, tmp_path):
    clean.setenv("PATH", "")
    assert runtime._commit() == ""
    clean.undo()
    clean.setattr(runtime, "root", lambda: tmp_path)
    assert runtime._commit() == ""


@pytest.mark.skipif(runtime.backend() != "tensorflow", reason="oneDNN is switched for TensorFlow")
@pytest.mark.parametrize(("value", "said"), [("1", "on"), ("0", "off"), (None, "as TensorFlow chose")])
def test_the_report_says_whether_onednn_is_on(clean, value, said):
    clean.setenv("TF_ENABLE_ONEDNN_OPTS", value) if value else clean.delenv("TF_ENABLE_ONEDNN_OPTS")
    assert runtime.report(measure=False)["backend"].endswith(f", oneDNN {said}")


@pytest.mark.skipif(runtime.backend() != "tensorflow", reason="oneDNN is switched for TensorFlow")
def test_setup_turns_onednn_on_before_tensorflow_is_imported_and_keeps_a_choice_that_was_made():
    code = """
        import os, sys
        os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None) if sys.argv[1:] else None
        from cnnlib import runtime
        assert "tensorflow" not in sys.modules
        runtime.setup()
        print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
    """
    assert python(code.replace("if sys.argv[1:] else None", "")).stdout.split()[-1] == "1"
    assert python(code, TF_ENABLE_ONEDNN_OPTS="0").stdout.split()[-1] == "0"


def test_the_opening_says_what_the_lesson_will_take_here(clean, tmp_path, capsys):
    (tmp_path / "timings.json").write_text(
        json.dumps({"processors": {"fast": {"index": 1.0, "lessons": {"04": {"seconds": 20.0}}}}})
    )
    clean.setenv("CNNLIB_DATA", str(tmp_path))
    clean.setenv("CNNLIB_PROFILE", "cpu")
    clean.setattr(speed, "measure", lambda seconds: 0.25)
    runtime.setup(lesson="04")
    said = capsys.readouterr().out.splitlines()
    expected = ["All cells of this lesson take about 80 s on this machine."]
    assert said[1:] == (expected if runtime.backend() == "tensorflow" else [])
    clean.setenv("CNNLIB_STATIC", "1")
    runtime.setup(lesson="04")
    clean.setenv("CNNLIB_STATIC", "0")
    runtime.setup(lesson="05")
    runtime.setup()
    (tmp_path / "timings.json").write_text("{")
    runtime.setup(lesson="04")
    assert len(capsys.readouterr().out.splitlines()) == 4, "no line where nothing is known or nothing may be measured"


def test_a_container_s_limit_counts_as_the_memory(clean):
    clean.setattr(runtime, "_container_memory", lambda: 2 * 2**30)
    assert runtime._memory() == "2 GiB"
    clean.setattr(runtime, "_physical_memory", lambda: None)
    clean.setattr(runtime, "_container_memory", lambda: None)
    assert runtime._memory() == "unknown"
