"""What the lessons define, where, and in which order their words come.

A term is set in bold where it is defined, and nowhere else. `terms_of` finds these places, `formulas_of` the displayed
formulas, and other functions say what is amiss: bold that defines nothing (`bold_complaints`), a term that is defined
`twice`, or is used in a lesson `early`, before the one that defines it. `tools/reference_pages.py` makes two pages of
what is found.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from _lessons import ROOT, Lesson, lessons

SETTINGS = Path(__file__).with_name("glossary.toml")

# Bold that is no term: the labels of the frame, the questions, and the traps of appendix A.
LABELS = {"Predict", "So far", "Before this", "Reading", "Exercises"}
TRAP = re.compile(r"Trap \d+, \S.*\.", re.DOTALL)
LONGEST = 5  # words of a term

# A sentence that begins like this one reads on its own only with the one before it.
LEANS = re.compile(
    r"(?:That|This|These|Those|It|She|Its|They|Their|Such|So|Both|Here|There|Then|Thus|Hence|But|And|Or|Again|Instead)\b"
)
CARRIES_ON = re.compile(r"(?:It|Its|They|Their)\b")
SKIPPED = ("References", "What comes next")  # titles of others; what is announced is defined where the link leads

FENCE = re.compile(r"^( *)```.*?^\1```[^\n]*$", re.MULTILINE | re.DOTALL)
DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", re.DOTALL)
LINK = re.compile(r"(\[[^\]\n]*(?:\n[^\]\n]*)?\]\()([^)\s]+)(\))")
# What holds no prose: code, formulas, the targets of links, tags of HTML, addresses.
NO_PROSE = re.compile(r"`[^`]+`|\$[^$]+\$|(?<=\]\()[^)\s]+(?=\))|</?\w+[^>]*>|https?://\S+")
END = re.compile(
    r"(?<![\s(][A-Za-z])(?<!et al)(?<!e\.g)(?<!i\.e)(?<!vs)[.?!][\"”')*_]*(?=\s+(?:[\"“(*_]*[A-Z0-9\x00✔≈]|\*\*))"
)
WORD = re.compile(r"[A-Za-z0-9]+(?:['’][a-z]+)?(?:\+\+)?")
POINTER = re.compile(r"\b[Ll]essons?\s+((?:\d\d|[A-Z])\b(?:(?:,\s*|\s+(?:and|or|to)\s+)(?:\d\d\b|[A-Z]\b))*)")
IRREGULAR = {
    "bias": "bias",
    "biases": "bias",
    "lens": "lens",
    "lenses": "lens",
    "axes": "axis",
    "matrices": "matrix",
    "indices": "index",
    "bases": "basis",
}


# --- a page, taken apart ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A piece of a page: a heading, a paragraph ("text"), an item of a list, a row of a table or a formula."""

    kind: str
    text: str
    heading: str = ""  # the nearest one above, or the heading itself
    section: str = ""  # the nearest of level 2
    cell: int = 0  # number of the cell, from 1
    head: tuple[str, ...] = ()  # of a table: what its columns are called

    @cached_property
    def masked(self) -> str:
        """The text with all that is no prose replaced, character for character."""
        return NO_PROSE.sub(lambda match: "\0" * len(match.group(0)), self.text)

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Where each sentence of the text begins and ends."""
        if self.kind in ("row", "heading", "formula"):
            return [(0, len(self.text))]
        found, start = [], 0
        for match in END.finditer(self.masked):
            found.append((start, match.end()))
            start = match.end() + len(self.masked[match.end() :]) - len(self.masked[match.end() :].lstrip())
        return [*found, (start, len(self.text))]

    def sentence(self, number: int) -> str:
        start, end = self.sentences[number]
        return self.text[start:end].strip()

    def sentence_at(self, position: int) -> int:
        """The number of the sentence in which a character stands."""
        return next(n for n, (_, end) in enumerate(self.sentences) if position < end)


def blocks(source: str, heading: str = "", section: str = "", cell: int = 0) -> list[Block]:
    """A markdown cell in pieces; fenced code is left out, and what lies in `<details>` is text like any other."""
    text = FENCE.sub("", source)
    text = re.sub(r"</?(?:details|summary)>", "\n\n", text.replace("<summary>Model answer</summary>", "\n\n"))
    text = DISPLAY.sub(lambda match: f"\n\n$${' '.join(match.group(1).split())}$$\n\n", text)
    found: list[Block] = []
    kind, lines, head = "", [], ()

    def close() -> None:
        nonlocal kind, lines
        if lines:
            found.append(Block(kind, " ".join(line.strip() for line in lines), heading, section, cell))
        kind, lines = "", []

    for line in text.split("\n"):
        mark = re.match(r"(#+) +(.+?) *$", line)
        item = re.match(r" *(?:[-*]|\d+\.) +(.*)$", line)
        if not line.strip() or mark or item or line.startswith(("|", "$$")):
            close()
        if not line.startswith("|"):
            head = ()
        if mark:
            heading = mark.group(2)
            section = heading if len(mark.group(1)) <= 2 else section
            found.append(Block("heading", heading, heading, section, cell))
        elif line.startswith("|"):
            cells = tuple(each.strip() for each in _columns(line))
            if not head:
                head = cells
            if not re.fullmatch(r"[|:\- ]+", line):
                found.append(Block("row", " | ".join(cells), heading, section, cell, head))
        elif line.startswith("$$"):
            found.append(Block("formula", line.strip(), heading, section, cell))
        elif line.strip():
            if not kind:
                kind = "item" if item else "text"
            lines.append(item.group(1) if item else line)
    close()
    return found


def _columns(line: str) -> list[str]:
    """The cells of a row; a bar in code or in a formula divides nothing."""
    masked = NO_PROSE.sub(lambda match: "\0" * len(match.group(0)), line)
    bars = [position for position, each in enumerate(masked) if each == "|" and masked[position - 1 : position] != "\\"]
    return [line[a + 1 : b] for a, b in zip(bars[:-1], bars[1:], strict=True)]


@dataclass(frozen=True)
class Page:
    """A lesson in pieces; `path` is its built notebook as the pages in docs/ see it."""

    number: str
    title: str
    path: str
    blocks: tuple[Block, ...]


def page(lesson: Lesson) -> Page:
    """The prose of a lesson, as its notebook will have it."""
    cells = [(n, each.source) for n, each in enumerate(lesson.notebook().cells, 1) if each.cell_type == "markdown"]
    return page_of(cells, lesson.number, f"../notebooks/{lesson.path.name}")


def page_of(cells: Iterable[tuple[int, str]], number: str = "", path: str = "") -> Page:
    """A page from the numbers (from 1) and texts of its markdown cells."""
    found: list[Block] = []
    heading = section = ""
    for position, source in cells:
        found += blocks(source, heading, section, position)
        if found:
            heading, section = found[-1].heading, found[-1].section
    title = found[0].text if found else ""
    number = number or title.partition(" ")[0]
    return Page(number, title, path, tuple(found))


def pages(root: Path = ROOT) -> list[Page]:
    """All lessons in order, appendices last."""
    return [page(lesson) for lesson in lessons(root)]


def anchor(heading: str) -> str:
    """The name that JupyterLab and nbconvert give to a heading of a notebook."""
    text = re.sub(r"[`*$]", "", LINK.sub(lambda match: match.group(1)[1:-2], heading))
    return quote(text.replace(" ", "-"), safe="?/:@!$&'()*+,;=")


def link_to(one: Page, block: Block) -> str:
    """The link from a page in docs/ to the place of a piece: its heading, or its cell.

    A name with other letters than those of ASCII is one thing to nbconvert and another to JupyterLab; cells have the
    same name in both.
    """
    name = anchor(block.heading)
    cell = f"cell-id={one.number}-{block.cell:03d}"
    return f"{one.path}#{name if block.heading.isascii() and '%' not in name else cell}"


# --- words ------------------------------------------------------------------------------------------------------------


def stem(word: str) -> str:
    """A word without what number and case do to it; abbreviations keep their capitals."""
    word = re.sub(r"['’]s?$|['’]s(?=$)", "", word)
    if re.search(r"[A-Z]", word[1:]):
        return re.sub(r"(?<=[A-Z])s$", "", word)
    word = word.lower()
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stems(text: str) -> tuple[str, ...]:
    return tuple(stem(match.group(0)) for match in WORD.finditer(text))


@dataclass(frozen=True)
class Settings:
    """What no lesson can say: which words have two forms, which are names, which are everyday language."""

    names: frozenset[str] = frozenset()
    aliases: dict[str, list[str]] = field(default_factory=dict)
    everyday: dict[str, str] = field(default_factory=dict)
    homonyms: dict[str, str] = field(default_factory=dict)


def settings(path: Path = SETTINGS) -> Settings:
    """Read `tools/glossary.toml`."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    return Settings(
        frozenset(raw.get("names", [])), raw.get("aliases", {}), raw.get("everyday", {}), raw.get("homonyms", {})
    )


# --- terms ------------------------------------------------------------------------------------------------------------


class Placed:
    """What stands in a block of a page."""

    page: Page
    block: int  # number of the block in the page

    @property
    def place(self) -> Block:
        return self.page.blocks[self.block]

    @property
    def link(self) -> str:
        return link_to(self.page, self.place)


@dataclass(frozen=True)
class Term(Placed):
    """A term at the place that defines it."""

    name: str
    page: Page
    block: int
    definition: str  # markdown, the term still in bold
    aliases: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        return stems(self.name)

    @property
    def id(self) -> str:
        return "-".join(WORD.findall(self.name.replace("'", "").lower()))


def is_frame(bold: str, block: Block) -> bool:
    """Whether what is set in bold belongs to the frame of a lesson: a label, a question, a trap."""
    whole = block.text.strip() == f"**{bold}**" and (block.section == "Explain it" or bold.endswith("?"))
    return bold in LABELS or whole or bool(TRAP.fullmatch(bold))


def bold(block: Block) -> Iterator[re.Match[str]]:
    """What is set in bold in a piece of a page, code, formulas and the frame left out."""
    if block.kind == "formula":
        return
    masked = re.sub(r"`[^`]+`", lambda match: "\0" * len(match.group(0)), block.text)
    for match in BOLD.finditer(masked):
        if not is_frame(block.text[match.start(1) : match.end(1)], block):
            yield match


def name_of(written: str, start: bool, names: frozenset[str]) -> str:
    """A term as it stands in a list: without the capital of a sentence's first word, unless it is a name."""
    first = written.split()[0]
    plain = first[:1].isupper() and first[1:] == first[1:].lower() and len(first) > 1
    return written[0].lower() + written[1:] if start and plain and first not in names else written


def terms_of(one: Page, chosen: Settings) -> list[Term]:
    """The terms that a lesson defines, in order."""
    found = []
    for number, block in enumerate(one.blocks):
        for match in bold(block):
            written = " ".join(block.text[match.start(1) : match.end(1)].split())
            sentence = block.sentence_at(match.start())
            first = not re.sub(r"[*(\"“]", "", block.text[block.sentences[sentence][0] : match.start()]).strip()
            name = name_of(written, first or block.kind in ("row", "item"), chosen.names)
            short = re.match(r"\s*\(([A-Z][A-Za-z+]*)s?\)", block.text[match.end() :])
            more = chosen.aliases.get(name, [])
            aliases = (*([short.group(1)] if short and sum(map(str.isupper, short.group(1))) > 1 else []), *more)
            found.append(Term(name, one, number, _definition(one, number, match.start()), aliases))
    return found


def _definition(one: Page, number: int, position: int) -> str:
    """The sentence around a place, with the one before if it leans on it, and with the formula or list it announces."""
    block = one.blocks[number]
    if block.kind == "row":
        return _row(block)
    first = last = block.sentence_at(position)
    before = ""
    for _ in range(2):
        if not _leans(block.sentence(first)):
            break
        if first == 0:
            before = _last_sentence(one, number)
            break
        first -= 1
    if first == 0 and re.match(r"[a-z]", block.text) and block.kind == "text":
        before = _led_here(one, number)
    if last + 1 < len(block.sentences) and CARRIES_ON.match(block.sentence(last + 1)):
        last += 1
    parts = [before, *(block.sentence(each) for each in range(first, last + 1))]
    if last == len(block.sentences) - 1 and not block.text.rstrip().endswith((".", "?", "!", ")", ";")):
        parts += _announced(one, number)
    return tidy(" ".join(part for part in parts if part).replace(" ; ", "; "))


def tidy(text: str) -> str:
    """A definition that was cut out of its surroundings: with a capital, a full stop, and brackets in pairs."""
    if text.startswith("(") and text.count("(") > text.count(")"):
        text = text[1:]
    elif re.fullmatch(r"\([^()]*\)", text):
        text = text[1:-1]
    if text.endswith((";", ":", ",")):
        text = text[:-1]
    if not text.endswith((".", "?", "!", "$$")) and not re.search(r"[.?!][)\"”*]+$", text):
        text += "."
    return re.sub(
        r"^((?:\*\*)?)([a-z])(?=[a-z-]*\b(?!-?[A-Z]))", lambda match: match.group(1) + match.group(2).upper(), text
    )


def _row(block: Block) -> str:
    """A row of a table as a sentence: what each column is called, and what it says here."""
    cells = block.text.split(" | ")
    named = next((each for each in cells if BOLD.search(each)), cells[0])
    rest = [f"*{head}* {each}".strip("* ") for head, each in zip(block.head, cells, strict=False) if each != named]
    rest = [f"*{each}" if "*" in each else each for each in rest]
    return tidy(f"{named}: {'; '.join(rest)}")


def _last_sentence(one: Page, number: int) -> str:
    """The sentence before a piece, if it stands in the same cell and section."""
    for other in reversed(one.blocks[:number]):
        if other.kind == "heading" or other.cell != one.blocks[number].cell:
            return ""
        if other.kind == "text" and not other.text.startswith("**Predict"):
            return other.sentence(len(other.sentences) - 1)
    return ""


def _led_here(one: Page, number: int) -> str:
    """The formula before a paragraph that goes on with its sentence, and what leads to the formula."""
    if number < 2 or one.blocks[number - 1].kind != "formula":
        return ""
    return f"{_before(one, number - 1)} {one.blocks[number - 1].text}".strip()


def _announced(one: Page, number: int) -> Iterator[str]:
    """What a piece that ends in a colon or in the middle of a sentence leads to: formulas, what goes on, a list."""
    listed = False
    for other in one.blocks[number + 1 :]:
        if other.kind == "formula" and not listed:
            yield other.text
        elif other.kind == "item":
            yield ("; " if listed else "") + other.text.rstrip(".;")
            listed = True
        elif other.kind == "text" and not listed and re.match(r"[a-z]", other.text):
            yield other.sentence(0)
            return
        else:
            return


# --- formulas ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Formula(Placed):
    """A displayed formula, with the sentence that leads to it and the one that names its symbols, where there are."""

    text: str
    page: Page
    block: int
    before: str
    after: str


def formulas_of(one: Page) -> list[Formula]:
    """The displayed formulas of a lesson, in order."""
    found = []
    for number, block in enumerate(one.blocks):
        if block.kind == "formula":
            found.append(Formula(block.text, one, number, _before(one, number), _after(one, number)))
    return found


def _before(one: Page, number: int) -> str:
    """What leads to a formula: the sentence before it, and those before that until one names a symbol."""
    other = one.blocks[number - 1] if number else None
    if other is None or other.kind not in ("text", "item") or other.cell != one.blocks[number].cell:
        return ""
    first = len(other.sentences) - 1
    while first and (_leans(other.sentence(first)) or "$" not in other.text[other.sentences[first][0] :]):
        first -= 1
    return " ".join(other.sentence(each) for each in range(first, len(other.sentences)))


def _leans(sentence: str) -> bool:
    return bool(LEANS.match(re.sub(r"^[*(\"“]+", "", sentence)))


def _after(one: Page, number: int) -> str:
    """What follows, as far as it goes on with the sentence or names symbols."""
    other = one.blocks[number + 1] if number + 1 < len(one.blocks) else None
    if other is None or other.kind != "text" or other.cell != one.blocks[number].cell:
        return ""
    taken = []
    for each in range(len(other.sentences)):
        sentence = other.sentence(each)
        if sentence.startswith("**Predict") or ("$" not in sentence and not re.match(r"[a-z]", sentence)):
            break
        taken.append(sentence)
    leads = number + 2 < len(one.blocks) and one.blocks[number + 2].kind == "formula"
    if leads and len(taken) == len(other.sentences) > 1:
        taken.pop()  # it leads to the next formula
    return " ".join(taken)


def formula_complaints(one: Page) -> list[str]:
    """Formulas that stand alone: under no heading of a lesson, or beside no sentence that says what they are."""
    complaints = []
    for formula in formulas_of(one):
        where = f"cell {formula.place.cell}: {formula.text[:60]}"
        if not formula.place.heading or not re.match(r"(?:\d\d|[A-Z]) ", one.title):
            complaints.append(f"{where} stands in no lesson: the page has no title '# 01 · Name' above it")
        elif not re.search(r"[A-Za-z]{2}", NO_PROSE.sub("", formula.before + formula.after)):
            complaints.append(f"{where} stands without a sentence before or after it that names what it is")
    return complaints


# --- what is amiss ----------------------------------------------------------------------------------------------------


def bold_complaints(one: Page) -> list[str]:
    """Bold that is neither a term nor of the frame."""
    complaints = []
    for block in one.blocks:
        for match in bold(block):
            text = " ".join(block.text[match.start(1) : match.end(1)].split())
            where = f"cell {block.cell}: **{text}**"
            mend = "bold is for a term at its definition (CONTRIBUTING.md); emphasis is set in italics"
            if block.kind == "heading":
                complaints.append(f"{where} stands in a heading; {mend}")
            elif text[-1] in ".:,;?!":
                complaints.append(f"{where} ends in {text[-1]!r}; {mend}")
            elif len(text.split()) > LONGEST or not re.search(r"[A-Za-z]{2}", text) or "`" in text or "$" in text:
                complaints.append(f"{where} is no term; {mend}")
            elif block.section in SKIPPED or block.section in ("Recap", "Explain it"):
                complaints.append(f"{where} stands under {block.section!r}, where nothing new is defined; {mend}")
    return complaints


def twice(found: list[Term], chosen: Settings) -> list[str]:
    """Terms that are defined in two places, and aliases that are the name of another term."""
    seen: dict[tuple[str, ...], Term] = {}
    complaints = []
    for term in found:
        for form in {term.key, *map(stems, term.aliases)}:
            other = seen.setdefault(form, term)
            if other is not term:
                complaints.append(
                    f"{' '.join(form)!r} is defined twice: in lesson {other.page.number}, cell {other.place.cell}, and "
                    f"in lesson {term.page.number}, cell {term.place.cell}. Leave the first in bold; at the other, use "
                    f"the term without bold, with a pointer (lesson {other.page.number})"
                )
    known = {term.name for term in found}
    complaints += [
        f"glossary.toml gives other forms of {name!r}, which no lesson defines"
        for name in chosen.aliases
        if name not in known
    ]
    keys = {term.key for term in found}
    complaints += [
        f"glossary.toml lists {word!r} as {what}; no lesson defines it, so the line can go"
        for what, listed in (("everyday language", chosen.everyday), ("a homonym", chosen.homonyms))
        for word in listed
        if stems(word) not in keys
    ]
    return complaints


def forms(found: Iterable[Term]) -> dict[tuple[str, ...], Term]:
    """Each form of each term, as stems."""
    return {form: term for term in reversed(list(found)) for form in (*map(stems, term.aliases), term.key) if form}


@dataclass(frozen=True)
class Use:
    """A term in the prose: where in the text it begins and ends."""

    term: Term
    start: int
    end: int


def uses(text: str, known: dict[tuple[str, ...], Term]) -> list[Use]:
    """The terms in a text whose code and formulas are masked, the longest first, none inside another."""
    words = [(stem(match.group(0)), match.start(), match.end()) for match in WORD.finditer(text)]
    longest = max(map(len, known), default=0)
    found, at = [], 0
    while at < len(words):
        for size in range(min(longest, len(words) - at), 0, -1):
            key = tuple(each[0] for each in words[at : at + size])
            between = text[words[at][1] : words[at + size - 1][2]]
            if key in known and not re.search(r"[.;:,?!()]\s|\0", between):
                found.append(Use(known[key], words[at][1], words[at + size - 1][2]))
                at += size
                break
        else:
            at += 1
    return found


def pointed(text: str) -> set[str]:
    """The lessons that a sentence points to: "(lesson 03)", "lessons 03 and 05", or a link to a notebook."""
    numbers = {each for match in POINTER.finditer(text) for each in re.findall(r"\d\d|[A-Z]\b", match.group(1))}
    return numbers | set(re.findall(r"/(\d\d|[A-Z])_\w+\.ipynb", text))


def early(all_pages: list[Page], found: list[Term], chosen: Settings) -> list[str]:
    """Terms that a lesson uses before the lesson that defines them, without a pointer to it.

    A pointer in the sentence of the first use serves the rest of the lesson.
    """
    order = {one.number: position for position, one in enumerate(all_pages)}
    known = forms(found)
    plain = {stems(word) for word in chosen.everyday}
    complaints = []
    for one in all_pages:
        settled: set[str] = set()
        told: set[str] = set()
        for block in one.blocks:
            if block.kind == "formula" or block.section in SKIPPED:
                continue
            for number, (start, end) in enumerate(block.sentences):
                points = pointed(block.sentence(number))
                for use in uses(block.masked[start:end], known):
                    name, home = use.term.name, use.term.page.number
                    if use.term.key in plain or order[home] <= order[one.number] or name in settled | told:
                        continue
                    if home in points:
                        settled.add(name)
                        continue
                    told.add(name)
                    complaints.append(
                        f"lesson {one.number}, cell {block.cell}: {name!r} is used, and defined only in lesson {home}: "
                        f'"{_around(block.text[start:end], use)}". Use another word, point to it "(lesson {home})", or '
                        "move the definition; if it is everyday language, say why in tools/glossary.toml"
                    )
    return complaints


def _around(text: str, use: Use) -> str:
    return " ".join(text[max(0, use.start - 50) : use.end + 30].split())
