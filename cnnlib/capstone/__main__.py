"""``python -m cnnlib.capstone new FOLDER``, then ``run FOLDER`` and ``check FOLDER``.

Exit status: 0 done, and of ``check``: no line is open; 1 a line is open; 2 it could not be done, and the message says
why.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    from cnnlib import runtime

    if options.command == "rubric":
        from cnnlib.capstone.rubric import table

        print(table())
        return 0
    if options.command == "run":
        runtime.backend()  # imports Keras without the noise that backends write
    from cnnlib import capstone
    from cnnlib.datasets import DataError

    try:
        if options.command == "new":
            folder = capstone.new(options.folder, options.images)
            print(f"{folder}: fill in project.toml, put your class folders into images/ unless you gave some, then")
            print(f"    python -m cnnlib.capstone run {folder}")
            return 0
        if options.command == "run":
            taken = capstone.run(options.folder, options.only, options.start)
            print(f"all: {sum(taken.values()):.0f} s\n")
        verdict = capstone.check(options.folder, *(options.stages if options.command == "check" else ()))
    except (ValueError, FileExistsError, DataError) as error:
        print(error, file=sys.stderr)
        return 2
    print(verdict)
    return int(bool(verdict.open)) if options.command == "check" else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cnnlib.capstone", description="One project over the whole course.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("new", help="make a project folder")
    one.add_argument("folder")
    one.add_argument("--images", help="bundled images (crowns, photographs), or a folder of class folders")
    one = commands.add_parser("run", help="run the stages, then check")
    one.add_argument("folder", nargs="?", default=".")
    one.add_argument("--only", nargs="+", default=[], metavar="STAGE", help="these stages")
    one.add_argument("--start", metavar="STAGE", help="from this stage on")
    one = commands.add_parser("check", help="what the rubric says of the artefacts")
    one.add_argument("folder", nargs="?", default=".")
    one.add_argument("stages", nargs="*", metavar="STAGE", help="these stages or lines; all if none is given")
    commands.add_parser("rubric", help="print the 16 lines and their grades")
    return parser


if __name__ == "__main__":
    sys.exit(main())
