"""Every cell of docs/conventions.md is what the library says, and every name in it is one that the library has."""

import importlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conventions.md"
LIBRARIES = {"keras": "Keras 3", "torch": "PyTorch", "jax": "JAX, Flax, Optax"}
NEEDED = {"keras": ["keras"], "torch": ["torch"], "jax": ["jax", "flax", "optax"]}
MODES = "Modes"  # what no program can look up


def tables(text: str) -> dict[str, dict[str, dict[str, str]]]:
    """Heading -> first cell of a row -> {title of a column: cell}."""
    found = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        head, rows = cells[0], cells[2:]
        assert all(len(row) == len(head) for row in rows), section.splitlines()[0]
        found[section.splitlines()[0]] = {row[0]: dict(zip(head[1:], row[1:])) for row in rows}
    return found


TABLES = tables(PAGE.read_text(encoding="utf-8"))
FACTS = {
    row: cells for heading, rows in TABLES.items() if heading not in ("Names", MODES) for row, cells in rows.items()
}


def child(*arguments: str) -> str:
    """What a program prints in a process of its own: the libraries do not all get along in one."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()[-1]


def skip_without(library: str) -> None:
    missing = [name for name in NEEDED[library] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_cell_is_what_the_library_says(library):
    skip_without(library)
    facts = json.loads(child("tests/support/convention_facts.py", library))
    assert {row: cells[LIBRARIES[library]] for row, cells in FACTS.items()} == facts


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_name_is_one_of_the_library(library):
    skip_without(library)
    cells = [cells[LIBRARIES[library]] for cells in TABLES["Names"].values()]
    names = [name.strip("`") for name in cells if name != "–"]
    assert len(names) >= 15
    before = {"keras": "keras.", "torch": "torch.", "jax": ""}[library]
    names = [f"flax.{name}" if name.startswith("linen.") else before + name for name in names]
    program = (
        "import importlib, json, sys\n"
        "def find(name):\n"
        "    parts = name.split('.')\n"
        "    for n in range(len(parts), 0, -1):\n"
        "        try:\n"
        "            value = importlib.import_module('.'.join(parts[:n]))\n"
        "        except ImportError:\n"
        "            continue\n"
        "        for part in parts[n:]:\n"
        "            value = getattr(value, part, None)\n"
        "        return value is not None\n"
        "print(json.dumps([name for name in json.loads(sys.argv[1]) if not find(name)]))\n"
    )
    assert json.loads(child("-c", program, json.dumps(names))) == []


def test_the_page_is_found():
    assert len(FACTS) >= 25
    assert "docs/conventions.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](../docs/conventions.md)" in (ROOT / "solutions" / "A_from_pytorch.py").read_text(encoding="utf-8")
