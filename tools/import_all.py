"""Import every module of cnnlib, with whatever is installed; an error names the module that needs more.

python tools/import_all.py
"""

import importlib
import pkgutil
import sys

import cnnlib


def main() -> int:
    names = [module.name for module in pkgutil.walk_packages(cnnlib.__path__, "cnnlib.")]
    for name in names:
        if not name.endswith(".__main__"):
            try:
                importlib.import_module(name)
            except ImportError as error:
                print(f"{name}: {error}")
                return 1
    print(f"{len(names)} modules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
