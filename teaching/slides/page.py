"""Slides as a page of reveal.js. All that it loads lies beside it."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import typeset
from website import pages

from .cut import Part, Slide

TALL = 1.35  # width over height of a figure; below that text stands beside it
TOP = "assets"  # of a page: the folder with reveal.js, MathJax, fonts, styles and pictures


def page(title: str, slides: Sequence[Slide], pictures: Path) -> str:
    """The page of a lesson.

    Args:
        title: of the window.
        slides: in order.
        pictures: the folder to which figures are written; it must be ``assets/figures`` beside the page.

    Raises:
        website.pages.PageError: a figure has no alternative text.
    """
    body = "\n".join(_slide(slide, pictures, f"{title}, slide {n}") for n, slide in enumerate(slides, 1))
    sheets = ("reveal/reset.css", "reveal/reveal.css", "fonts/source-sans-pro.css", "code.css", "slides.css")
    styles = "".join(f'<link rel="stylesheet" href="{TOP}/{name}">' for name in sheets)
    scripts = "".join(
        f'<script src="{TOP}/{name}"></script>'
        for name in ("setup.js", "mathjax/tex-chtml.js", "reveal/reveal.js", "reveal/notes.js", "slides.js")
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{styles}</head>\n'
        f'<body><div class="reveal"><div class="slides">\n{body}\n</div></div>\n{scripts}</body></html>\n'
    )


def contents(decks: Sequence[tuple[str, str, int]]) -> str:
    """The page that lists the lessons: of each the title, the file, and how many slides it has."""
    rows = "".join(
        f'<li><a href="{html.escape(file)}">{html.escape(title)}</a> <span>{count} slides</span></li>'
        for title, file, count in decks
    )
    keys = "".join(
        f"<dt><kbd>{key}</kbd></dt><dd>{what}</dd>"
        for key, what in (
            ("→ ←", "next, back"),
            ("s", "notes for the speaker, in a window of their own"),
            ("f", "the whole screen"),
            ("o", "all slides"),
            ("b", "black"),
            ("g", "go to the slide whose number you type"),
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Slides</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="{TOP}/fonts/source-sans-pro.css"><link rel="stylesheet" href="{TOP}/slides.css">'
        f'</head>\n<body class="contents"><main><h1>Slides</h1><ol>{rows}</ol><h2>Keys</h2><dl>{keys}</dl>'
        "</main></body></html>\n"
    )


def _slide(slide: Slide, pictures: Path, name: str) -> str:
    level = "h1" if slide.kind == "title" else "h2"
    above = f'<p class="above">{_inline(slide.above)}</p>' if slide.above else ""
    label = {"predict": "Predict", "answer": "What came out", "discuss": ""}.get(slide.kind, "")
    tag = f'<p class="label">{label}</p>' if label else ""
    notes = "".join(f"<div>{_markdown()(note)}</div>" for note in slide.notes if note.strip())
    figures = [_part(part, pictures, name) for part in slide.parts if part.kind == "figure"]
    beside = any(_tall(figure) for figure in figures)
    body = "".join(_part(part, pictures, name) for part in slide.parts if not (beside and part.kind == "figure"))
    body = f"{tag}<{level}>{_inline(slide.title)}</{level}>{body}"
    if beside:  # a high figure gets the whole height, and the text stands at its left
        body = f'<div class="left">{body}</div>{"".join(figures)}'
    return (
        f'<section class="{slide.kind}"><div class="sheet{" beside" if beside else ""}">{body}</div>'
        f'{above}<aside class="notes">{notes}</aside></section>'
    )


def _tall(figure: str) -> bool:
    """Whether a figure would become small in the width of a slide."""
    size = re.search(r'width="(\d+)" height="(\d+)"', figure)
    return bool(size) and int(size[1]) / int(size[2]) < TALL


def _part(part: Part, pictures: Path, name: str) -> str:
    if part.kind == "figure":
        return f"<figure>{pages.pictures_out(part.text, pictures, f'{TOP}/figures', name)}</figure>"
    if part.kind == "code":
        return f'<div class="code">{highlighted(part.text)}</div>'
    if part.kind == "printed":
        return f'<pre class="printed">{html.escape(part.text)}</pre>'
    if part.kind == "rows":
        plain = re.sub(r"<caption.*?</caption>", "", part.text, flags=re.DOTALL)
        return f'<div class="rows">{plain}</div>'
    if part.kind == "answer":
        question, _, answer = part.text.partition("\n")
        asked = f"<p>{_inline(question)}</p>" if question else ""
        return f'<div class="answered">{asked}<p class="big">{_inline(answer)}</p></div>'
    if part.kind == "tasks":
        head, _, said = part.text.removeprefix("- ").partition("<br>")
        return f'<div class="task"><p>{_inline(head)}</p>' + (f"<p>{_inline(said)}</p>" if said else "") + "</div>"
    return f'<div class="{part.kind}">{_markdown()(part.text)}</div>'


@functools.cache
def _markdown() -> Callable[[str], str]:
    return typeset.markdown(typeset.for_anki)  # MathJax sets \( \) and \[ \]


def _inline(text: str) -> str:
    return re.sub(r"^<p>(.*)</p>$", r"\1", _markdown()(text), flags=re.DOTALL) if text.strip() else ""


@functools.cache
def _formatter():
    return typeset.needed("pygments.formatters").HtmlFormatter(style="xcode")


def highlighted(code: str) -> str:
    """Python as HTML."""
    lexer = typeset.needed("pygments.lexers").PythonLexer()
    return typeset.needed("pygments").highlight(code, lexer, _formatter())


def code_style() -> str:
    """The style sheet of `highlighted`."""
    return _formatter().get_style_defs(".highlight")
