"""The lessons' markdown as HTML for pages without a script: cards and the instructor's guide."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Callable
from typing import Any

FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")


def markdown(formula: Callable[[str, bool], str]) -> Callable[[str], str]:
    """A function from the lessons' markdown to HTML; ``formula`` says what becomes of LaTeX, displayed or not.

    Links are taken off: on a card they lead nowhere.
    """
    parser = needed("markdown_it").MarkdownIt("commonmark", {"html": False}).enable("table")

    def convert(text: str) -> str:
        kept: list[str] = []

        def keep(match: re.Match[str]) -> str:
            shown = match[0].startswith("$$")
            kept.append(formula(match[0].strip("$").strip(), shown))
            return f"FORMULA{len(kept) - 1}ENDS"

        done = parser.render(LINK.sub(r"\1", FORMULA.sub(keep, text)))
        return re.sub(r"FORMULA(\d+)ENDS", lambda match: kept[int(match[1])], done).strip()

    return convert


def for_anki(latex: str, shown: bool) -> str:
    """Anki sets formulas by MathJax of its own."""
    text = html.escape(latex, quote=False)
    return rf"\[{text}\]" if shown else rf"\({text}\)"


def for_print(latex: str, shown: bool) -> str:
    """MathML, which browsers set by themselves."""
    convert = needed("latex2mathml.converter").convert
    return convert(latex, display="block" if shown else "inline")


def needed(module: str) -> Any:
    """A package of the extra ``cards``.

    Raises:
        ImportError: it is not installed; the message has the command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.split(".")[0]
        how = '`make cards` has it, or: python -m pip install -e ".[cards]"'
        raise ImportError(f"{name} is not installed: {how}") from error
