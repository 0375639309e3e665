"""The cheap checks of files before a commit: seconds for all of them, and no network.

    python tools/check_files.py                      # every file that git knows
    python tools/check_files.py README.md notebooks/00_start_here.ipynb

A notebook is valid, JSON, TOML and Python files can be read, text ends in one newline and has no trailing blanks
(Markdown may), no file holds the marks of a merge, and no file that is no data is over 1 MB.
"""

import argparse
import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1_000_000
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".cfg", ".txt", ".cff", ".ipynb"}
BUILT = {".ipynb", ".md", ".json"}  # blanks at the end of a line are meant, or come from a tool
MERGE = ("<<<<<<< ", ">>>>>>> ", "||||||| ")


def complaints(path: Path, root: Path = ROOT) -> Iterator[str]:
    """What is wrong with one file."""
    inside = path.resolve().relative_to(root.resolve())
    if inside.parts[0] != "data" and path.stat().st_size > LIMIT:
        yield f"is {path.stat().st_size / 1e6:.1f} MB; the limit is {LIMIT / 1e6:.0f} MB outside data/"
    if path.suffix not in TEXT and path.name != "Makefile":
        return
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        yield f"is not UTF-8 text (byte {error.start})"
        return
    if inside.parts[0] == "data":
        return
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if line.startswith(MERGE):
            yield f"line {number}: the mark of a merge"
        if line.endswith("\r"):
            yield f"line {number}: ends as on Windows; the files of the course end their lines in LF"
            break
        if path.suffix not in BUILT and line != line.rstrip():
            yield f"line {number}: blanks at its end"
    if text and (not text.endswith("\n") or (len(lines) > 2 and not lines[-2])):
        yield "does not end in exactly one newline"
    try:
        READ.get(path.suffix, lambda text: None)(text)
    except (ValueError, SyntaxError, TypeError, AttributeError, KeyError, nbformat.ValidationError) as error:
        yield f"cannot be read: {str(error).splitlines()[0]}"


def notebook(text: str) -> None:
    nbformat.validate(nbformat.reads(text, as_version=4))


READ = {".json": json.loads, ".toml": tomllib.loads, ".py": ast.parse, ".ipynb": notebook}


def known(root: Path = ROOT) -> list[Path]:
    """Every file that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode()
    return [root / name for name in listed.split("\0") if name]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    found = 0
    for path in parser.parse_args(arguments).files or known():
        if not path.is_file():  # deleted, or a link to nowhere
            continue
        for complaint in complaints(path):
            print(f"{path.resolve().relative_to(ROOT)}: {complaint}")
            found += 1
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
