"""The package needs what it imports, and nothing more."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTION = {"IPython": "ipython", "PIL": "pillow"}
# Imported only where they are there: another backend, sliders in JupyterLab, the page of the pipeline, a cluster.
OPTIONAL = {"cloudpickle", "distributed", "jax", "torch", "ipywidgets", "starlette", "uvicorn"}


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in requirements}


def imported() -> set[str]:
    """The distributions that modules of the package import, anywhere in them."""
    modules = set()
    for path in (ROOT / "cnnlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    return {DISTRIBUTION.get(name, name) for name in modules - sys.stdlib_module_names - {"cnnlib"}}


def test_the_dependencies_are_what_the_package_imports():
    assert names(PROJECT["dependencies"]) == imported() - OPTIONAL


def test_what_is_imported_where_it_is_there_is_an_extra():
    extras = PROJECT["optional-dependencies"]
    assert {"lab", "dev", "cluster", "jax", "torch", "web"} <= set(extras)
    assert set().union(*map(names, extras.values())) >= OPTIONAL & imported()


def test_every_dependency_states_the_oldest_release_that_passes():
    for requirement in PROJECT["dependencies"]:
        assert re.match(r"[a-z0-9-]+>=\d", requirement), requirement


def test_the_locks_hold_every_dependency():
    extras = PROJECT["optional-dependencies"]
    core = names(PROJECT["dependencies"]) | names(extras["lab"]) | names(extras["dev"]) - {"cnnlib"}
    site = core | names(extras["site"]) - {"cnnlib"}
    nbgrader = core | names(extras["nbgrader"]) - {"cnnlib"}
    locks = {
        "requirements.txt": core,
        "requirements-backends.txt": core | {"jax", "torch"},
        "requirements-site.txt": site,
        "requirements-hub.txt": core | names(extras["hub"]) - {"cnnlib"},
        "requirements-nbgrader.txt": nbgrader,
    }
    for lock, needed in locks.items():
        locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(encoding="utf-8"), re.M))
        assert needed <= locked, lock
