"""Importing the package costs next to nothing, and loads no library that a lesson may not need."""

import json
import statistics
import subprocess
import sys

LIMIT = 0.2  # seconds beyond `import keras`
HEAVY = ("matplotlib", "ipywidgets", "IPython", "scipy", "PIL", "pandas")


def measured(first: str, then: str) -> tuple[float, list[str]]:
    """Seconds that ``then`` takes after ``first``, and the heavy modules that are loaded by it."""
    code = f"""
import json, sys, time
{first}
before = set(sys.modules)
start = time.perf_counter()
{then}
seconds = time.perf_counter() - start
print(json.dumps([seconds, [name for name in {HEAVY!r} if name in set(sys.modules) - before]]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, heavy = json.loads(done.stdout.splitlines()[-1])
    return seconds, heavy


def test_importing_the_package_is_quick():
    """Without Keras loaded first this measures at least what comes on top of it, and far sooner."""
    runs = [measured("", "import cnnlib") for _ in range(5)]
    assert statistics.median(seconds for seconds, _ in runs) < LIMIT
    assert all(heavy == [] for _, heavy in runs)


def test_a_lesson_s_first_imports_are_quick_and_draw_nothing():
    seconds, heavy = measured("import keras", "import cnnlib\nfrom cnnlib import plotting, runtime")
    assert heavy == []
    # One run on a busy machine: a generous guard. The median above is the measurement.
    assert seconds < 5 * LIMIT


def test_importing_the_package_does_not_import_keras():
    """``runtime.setup()`` must come first: it silences the backends, which write while they are imported."""
    code = "import sys; from cnnlib import plotting, runtime; print('keras' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
