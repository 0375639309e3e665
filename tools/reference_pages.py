"""Make the glossary and the formula sheet from the lessons.

    python tools/reference_pages.py            # write docs/glossary.md and docs/formulas.md
    python tools/reference_pages.py --check    # say what is out of step, and what is amiss in the lessons

Both pages are made of sentences of `solutions/*.py`; nothing in them is written twice. A term stands in the glossary
because a lesson sets it in bold, with the sentence that it stands in. To change an entry, change that sentence.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from _lessons import ROOT
from _terms import (
    BOLD,
    NO_PROSE,
    Formula,
    Page,
    Settings,
    Term,
    bold_complaints,
    early,
    forms,
    formula_complaints,
    formulas_of,
    pages,
    settings,
    stems,
    terms_of,
    twice,
    uses,
)

MEND = "python tools/reference_pages.py"
NOTE = "<!-- Made from the lessons by tools/reference_pages.py: change the lesson, not this page. -->"
GLOSSARY = "docs/glossary.md"
FORMULAS = "docs/formulas.md"
OPAQUE = re.compile(r"\$\$.+?\$\$|\[[^\]]*\]\([^)]*\)")  # in it nothing is linked


def glossary(found: list[Term], homonyms: Iterable[str] = ()) -> str:
    """The text of the glossary: an entry for each term, and one for each abbreviation that leads to its term.

    Homonyms are linked only where the sentence itself sets them in bold.
    """
    known = forms(found)
    plain = {stems(word) for word in homonyms}
    entries = [
        (term.name, _entry(term, known, plain)) for term in {each.key: each for each in reversed(found)}.values()
    ]
    entries += [
        (short, f'<a id="{_id(short)}"></a>**{short}**: see [{term.name}](#{term.id})')
        for term in found
        for short in term.aliases
        if short[:1].isupper() and _id(short) != term.id
    ]
    letters: dict[str, list[tuple[str, str]]] = {}
    for name, entry in sorted(entries, key=lambda pair: (_sorted(pair[0]), pair[0])):
        letters.setdefault(_letter(name), []).append((name, entry))
    parts = [
        "# Glossary",
        NOTE,
        f"{len(found)} terms, each as the lesson says it that defines it; the link leads there. Formulas are on "
        "[a sheet of their own](formulas.md).",
        " · ".join(f"[{letter}](#{letter.lower()})" for letter in letters),
    ]
    for letter, group in letters.items():
        parts += [f'<a id="{letter.lower()}"></a>\n\n## {letter}', *(entry for _, entry in group)]
    return "\n\n".join(parts) + "\n"


def _id(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _sorted(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _letter(name: str) -> str:
    first = _sorted(name)[:1]
    return "0-9" if first.isdigit() else first.upper()


def _entry(term: Term, known: dict[tuple[str, ...], Term], plain: set[tuple[str, ...]]) -> str:
    short = [each for each in term.aliases if each[:1].isupper()]
    name = f'<a id="{term.id}"></a>**{term.name}**' + (f" ({', '.join(short)})" if short else "")
    return f"{name} · {_place(term)}<br>\n{linked(term, known, plain)}"


def _place(item: Term | Formula) -> str:
    return f"[{item.page.number} {_plain(item.place.heading)}]({item.link})"


def _plain(heading: str) -> str:
    """A heading as the text of a link: without its lesson's number and without links of its own."""
    heading = re.sub(r" \(\d+ min\)$", "", heading)
    return re.sub(r"^(?:\d\d|[A-Z]) · ", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))


def linked(term: Term, known: dict[tuple[str, ...], Term], plain: set[tuple[str, ...]]) -> str:
    """The definition of a term with a link from each other term, at its first use, to that one's entry.

    `plain` are those that are linked only where they stand in bold.
    """
    text = re.sub(r" *(\$\$.+?\$\$) *", r"\n\n\1\n\n", term.definition).strip()
    masked = OPAQUE.sub(lambda match: "\0" * len(match.group(0)), text)
    masked = NO_PROSE.sub(lambda match: "\0" * len(match.group(0)), masked)
    done = {term.key}
    pieces, at = [], 0
    for use in uses(masked, known):
        is_bold = text[: use.start].endswith("**")
        if use.term.key in done or (use.term.key in plain and not is_bold):
            continue
        done.add(use.term.key)
        pieces += [text[at : use.start], f"[{text[use.start : use.end]}](#{use.term.id})"]
        at = use.end
    whole = "".join([*pieces, text[at:]])
    return BOLD.sub(lambda match: match.group(0) if stems(match.group(1)) == term.key else match.group(1), whole)


def formula_sheet(all_pages: list[Page]) -> str:
    """The text of the formula sheet: each displayed formula under its lesson, with the sentences beside it."""
    each = {one.number: formulas_of(one) for one in all_pages}
    count = sum(map(len, each.values()))
    parts = [
        "# Formulas",
        NOTE,
        f"{count} formulas in the order of the lessons, each with the sentences that stand beside it there. Terms are "
        "in the [glossary](glossary.md).",
    ]
    for one in all_pages:
        if not each[one.number]:
            continue
        parts.append(f"## {one.title}")
        last = None
        for formula in each[one.number]:
            if formula.place.heading != last:
                parts.append(f"### [{_plain(formula.place.heading)}]({formula.link})")
                last = formula.place.heading
            parts += [part for part in (_quoted(formula.before), formula.text, _quoted(formula.after)) if part]
    return "\n\n".join(parts) + "\n"


def _quoted(text: str) -> str:
    return BOLD.sub(lambda match: match.group(1), text)


def make(root: Path = ROOT, chosen: Settings | None = None) -> tuple[dict[str, str], list[str]]:
    """The two pages, by name, and what is amiss in the lessons that they are made of."""
    chosen = chosen or settings()
    all_pages = pages(root)
    found = [term for one in all_pages for term in terms_of(one, chosen)]
    texts = {GLOSSARY: glossary(found, chosen.homonyms), FORMULAS: formula_sheet(all_pages)}
    return texts, list(amiss(all_pages, found, chosen))


def amiss(all_pages: list[Page], found: list[Term], chosen: Settings) -> Iterable[str]:
    """All that the lessons do against the rules of terms and formulas."""
    for one in all_pages:
        yield from (f"lesson {one.number}, {text}" for text in (*bold_complaints(one), *formula_complaints(one)))
    yield from twice(found, chosen)
    yield from early(all_pages, found, chosen)


def out_of_step(texts: dict[str, str], root: Path = ROOT) -> list[str]:
    """Which of the pages are not what the lessons make of them."""
    complaints = []
    for name, text in texts.items():
        path = root / name
        stored = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if stored != text.splitlines():
            pairs = zip(stored, text.splitlines(), strict=False)
            line = next(
                (n for n, (a, b) in enumerate(pairs, start=1) if a != b), min(len(stored), text.count("\n")) + 1
            )
            complaints.append(f"{name} is out of step with the lessons from line {line} on: {MEND}")
    return complaints


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; say what is out of step or amiss")
    options = parser.parse_args(arguments)
    texts, complaints = make(root)
    if options.check:
        complaints = out_of_step(texts, root) + complaints
    else:
        for name, text in texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8", newline="\n")
    print("\n".join(complaints) or f"{GLOSSARY} and {FORMULAS} are in step with the lessons, and all terms in order")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
