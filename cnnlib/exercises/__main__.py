"""``python -m`` and the name of this package: progress, and what to look at again."""

import argparse
import sys
from pathlib import Path

from . import page, progress, review


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description="Your progress in the course.")
    commands = parser.add_subparsers(dest="command", metavar="progress | review")
    show = commands.add_parser("progress", help="print the table of progress (also without a command)")
    show.add_argument("--page", type=Path, metavar="FILE", help="write it as a page (HTML), too")
    again = commands.add_parser("review", help="ask exercises and questions again, spaced over days")
    again.add_argument("--most", type=int, default=10, metavar="N", help="how many at most (10)")
    again.add_argument("--lesson", metavar="NN", help="of one lesson only")
    again.add_argument("--list", action="store_true", help="only name what is due")
    given = parser.parse_args(arguments)
    if given.command == "review":
        return _review(given.most, given.lesson, given.list)
    print(progress())
    if given.command == "progress" and given.page is not None:
        try:
            print(f"\nAs a page: {page.write_page(given.page)}")
        except OSError as error:
            print(f"The page was not written: {error}", file=sys.stderr)
            return 1
    return 0


def _review(most: int, lesson: str | None, only_list: bool) -> int:
    drawn = review.due(most, lesson)
    if not drawn:
        later = min((card.due for card in review.cards()), default=None)
        print("Nothing is due" + (f" before {later}." if later else ": no lesson was begun yet."))
    elif only_list:
        print("\n".join(f"{card.id:<8}{card.front}" for card in drawn))
    else:
        print(f"{review.ask(drawn)} of {len(drawn)} answered.")
    return 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console whose code page lacks the signs
    sys.exit(main())
