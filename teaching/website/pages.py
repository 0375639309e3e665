"""The pages of the site as Sphinx reads them: lessons with their stored outputs, what can be looked up, and the API.

The folder that `write` fills has the layout of the checkout (``notebooks/``, ``docs/``, ``data/`` ...), so that a link
from one page to another means on the site what it means in the checkout.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import html
import json
import os
import posixpath
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from _lessons import Lesson, lessons, read_opening

from cnnlib.exercises import source

TITLE = "Convolutional networks, computed"
# The parts of the course: title, and the lessons that are in it.
PARTS = (
    ("Convolution from the arithmetic up", ("00", "01", "02", "03")),
    ("Architectures", ("04", "05", "06", "07", "08")),
    ("Reuse and understand", ("09", "10")),
    ("Heads", ("11", "12", "13")),
    ("Engineering", ("14", "15", "16", "17", "18", "19")),
    ("Appendix", ("A",)),
)
# Pages that are in the checkout: title in the sidebar, file. Made here: exercises.md and api/.
LOOK_UP = (
    ("Glossary", "docs/glossary.md"),
    ("Formulas", "docs/formulas.md"),
    ("Exercises", "exercises.md"),
    ("Conventions of Keras, PyTorch and Flax", "docs/conventions.md"),
    ("Experiments", "docs/experiments.md"),
    ("Data cards", "data/README.md"),
    ("Cards of the weights", "data/weights/README.md"),
    ("Benchmarks", "benchmarks/README.md"),
    ("A project of your own", "docs/capstone.md"),
    ("Odd image files", "docs/odd_images.md"),
    ("cnnlib", "api/index.md"),
)
MADE = ("exercises.md", "api/index.md")
# Packages of which only the package's own page is shown: reference answers, and what an exercise asks to find.
NO_MODULES = ("broken",)
WIDGETS = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")
_IMAGE = re.compile(r'<img\b[^>]*?\bsrc="data:image/(?P<kind>png|jpeg|webp|gif);base64,(?P<data>[^"]+)"[^>]*>')
_FENCE = re.compile(r"^( {0,3})(```+|~~~+).*?(?:^ {0,3}\2[`~]* *$|\Z)|(`+)(?!`).+?(?<!`)\3(?!`)", re.M | re.S)
_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)"
)
_HEADING = re.compile(r"^(#{2,6})[ \t]+(.+?)[ \t]*$", re.M)
_ID = re.compile(r'<a id="([^"]+)"></a>')


class PageError(ValueError):
    """What the pages are made of is not as it should be; the message says where."""


def key(title: str) -> str:
    """What a heading and the fragment of a link to it have in common, whoever made the fragment.

    JupyterLab and GitHub make ``Part-1-·-A-window`` and ``part-1--a-window`` of the same heading.
    """
    title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", unquote(title))
    return re.sub(r"[\W_]+", "", html.unescape(title).lower())


def anchor(fragment: str) -> str:
    """The id on the site that a fragment of the checkout leads to."""
    return "at-" + key(fragment.removeprefix("cell-id="))


# --- links ------------------------------------------------------------------------------------------------------------


@dataclass
class Links:
    """Turns links of the checkout into links of the site, and knows what is linked to.

    Attributes:
        root: the checkout.
        pages: file of the checkout -> file of the site that shows it.
        address: of the repository; files that the site does not show are linked there, or not at all if it is empty.
        branch: that is linked to.
        wanted: page -> the anchors that something links to, and who.
        pictures: files of the checkout that pages show.
        ids: page -> the ids that it gives itself.
    """

    root: Path
    pages: Mapping[str, str]
    address: str = ""
    branch: str = "main"
    wanted: dict[str, dict[str, str]] = field(default_factory=dict)
    pictures: set[str] = field(default_factory=set)
    ids: dict[str, set[str]] = field(default_factory=dict)

    def mend(self, text: str, page: str) -> str:
        """Markdown of a page of the checkout with its links turned; code is left as it is.

        Raises:
            PageError: a link to a file that is not there.
        """
        parts, at = [], 0
        for match in _FENCE.finditer(text):
            parts += [_LINK.sub(lambda link: self._turn(link, page), text[at : match.start()]), match[0]]
            at = match.end()
        # Code in the text of a link, [`a`](b), was cut apart: links whose text is code are turned on their own.
        whole = "".join(parts) + _LINK.sub(lambda link: self._turn(link, page), text[at:])
        return _CODE_LINK.sub(lambda link: self._turn(link, page), whole)

    def _turn(self, link: re.Match, page: str) -> str:
        target = link["target"]
        if re.match(r"[a-z]+:", target) or target.startswith(DONE):
            return link[0]
        file, _, fragment = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(file))) if file else page
        path = path + "/README.md" if (self.root / path / "README.md").exists() and path != "." else path
        if link["image"]:
            if not (self.root / path).is_file():
                raise PageError(f"{page}: there is no picture {target}")
            self.pictures.add(path)
            return link[0]
        if path in self.pages:
            href = DONE + self.href(page, path, fragment)
        elif not (self.root / path).exists():
            raise PageError(f"{page}: the link {target} leads to no file of the checkout")
        elif self.address:
            href = f"{self.address}/blob/{self.branch}/{path}"
        else:
            return link["text"]
        return f"[{link['text']}]({href})"

    def _own(self, path: str) -> set[str]:
        """The ids that a page of the checkout gives itself."""
        if path not in self.ids:
            file = self.root / path
            text = file.read_text(encoding="utf-8") if path.endswith(".md") and file.exists() else ""
            self.ids[path] = set(_ID.findall(text))
        return self.ids[path]

    def href(self, page: str, path: str, fragment: str = "") -> str:
        """The address of a page of the site as another one has to write it."""
        target, here = self.pages[path], self.pages[page]
        relative = posixpath.relpath(target, posixpath.dirname(here) or ".")
        if not fragment or target == "index.md":
            return relative.rpartition(".")[0] + ".html"
        found = f"id-{unquote(fragment)}" if unquote(fragment) in self._own(path) else anchor(fragment)
        self.wanted.setdefault(target, {}).setdefault(found, page)
        return relative.rpartition(".")[0] + ".html#" + found


DONE = "./"  # before a link that has been turned
_CODE_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\[\]\n]*`[^\[\]\n]*)\]\((?P<target>[^()\s]+)\)")


def with_anchors(text: str, wanted: Mapping[str, str], first: str = "") -> tuple[str, set[str]]:
    """Markdown with an id before each heading that is linked to, and those of the text's own; the ids that it has.

    Args:
        text: of a page or cell.
        wanted: the anchors that something links to.
        first: the anchor of the cell itself; it is placed only if it is wanted.
    """
    there: set[str] = set()

    def own(match: re.Match) -> str:
        there.add(f"id-{match[1]}")
        return f'<span id="id-{match[1]}"></span>'

    def heading(match: re.Match) -> str:
        found = anchor(match[2])
        if found not in wanted or found in there:
            return match[0]
        there.add(found)
        return f'<span id="{found}"></span>\n\n{match[0]}'

    parts, at = [], 0
    for match in _FENCE.finditer(text):
        if match[3]:  # code within a line is part of a heading
            continue
        parts += [_HEADING.sub(heading, _ID.sub(own, text[at : match.start()])), match[0]]
        at = match.end()
    text = "".join(parts) + _HEADING.sub(heading, _ID.sub(own, text[at:]))
    if first in wanted:
        there.add(first)
        title = re.match(r"# .*\n", text)  # the title of a page stays its first line
        cut = title.end() if title else 0
        text = f'{text[:cut]}\n<span id="{first}"></span>\n\n{text[cut:]}'
    return text, there


# --- lessons ----------------------------------------------------------------------------------------------------------


def learner_notebook(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """The notebook, if it has no answers.

    Raises:
        PageError: a cell has the marks of an answer.
    """
    for number, cell in enumerate(notebook["cells"], start=1):
        if source.has_answer("".join(cell["source"])):
            raise PageError(f"{name}, cell {number}: an answer. The site takes the notebooks that learners get.")
    return notebook


def pictures_out(markup: str, folder: Path, address: str, name: str) -> str:
    """HTML whose pictures were written to files and are loaded when they come into view.

    Args:
        markup: the HTML of an output.
        folder: where the files go, each named by its content.
        address: of the folder, as the page writes it.
        name: of the page and cell, for messages.

    Raises:
        PageError: a picture has no alternative text.
    """

    def out(match: re.Match) -> str:
        if not re.search(r'\balt="[^"]', match[0]):
            raise PageError(f"{name}: a picture without an alternative text")
        data = base64.b64decode(match["data"])
        file = f"{hashlib.sha256(data).hexdigest()[:16]}.{match['kind']}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
        tag = match[0].replace(f"data:image/{match['kind']};base64,{match['data']}", f"{address}/{file}")
        size = dimensions(data)
        return tag[:4] + (f' width="{size[0]}" height="{size[1]}"' if size else "") + ' loading="lazy"' + tag[4:]

    return _IMAGE.sub(out, markup)


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, so that the page keeps its place while pictures load; None for another file."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def explorer_markup(markup: str, name: str, explorer: Mapping[str, Any]) -> str:
    """The picture of an explorer with a place for its controls, which `static/site.js` makes."""
    head = json.dumps({"controls": explorer["controls"]}, ensure_ascii=False)
    return (
        f'<div class="explorer" data-name="{html.escape(name)}" data-explorer="{html.escape(head)}">\n'
        f'{markup}\n</div>\n<script src="../_static/explorers/{html.escape(name)}.js" defer></script>'
    )


def start_text(explorer: Mapping[str, Any]) -> str:
    """The alternative text of an explorer's first picture."""
    place = 0
    for control in explorer["controls"]:
        place = place * len(control["labels"]) + control["start"]
    return explorer["texts"][explorer["frames"][place][1]]


def lesson_page(
    notebook: dict[str, Any], lesson: Lesson, links: Links, folder: Path, explorers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The notebook of a lesson as its page needs it, its anchors not yet set.

    Raises:
        PageError: which stored picture is that of an explorer cannot be told.
    """
    page = f"notebooks/{lesson.name}.ipynb"
    by_cell = {each["cell"]: (n, each) for n, each in enumerate(explorers, start=1)}
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "markdown":
            cell["source"] = links.mend("".join(cell["source"]), page)
            continue
        if cell["metadata"].pop("jupyter", None):
            cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "hide-input"]
        drawn = []
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in WIDGETS:
                data.pop(kind, None)
            if "text/html" in data:
                data.pop("text/plain", None)
                markup = pictures_out(
                    "".join(data["text/html"]), folder, "../_static/figures", f"{page}, cell {number}"
                )
                data["text/html"] = markup
                if "<img" in markup:
                    drawn.append(data)
        if number in by_cell:
            count, explorer = by_cell[number]
            text = f'alt="{html.escape(start_text(explorer))}"'
            # What a cell draws before it opens an explorer may be the same figure: the last one is meant.
            own = [each for each in drawn if text in each["text/html"]][-1:] or drawn
            if len(own) != 1:
                raise PageError(
                    f"{page}, cell {number}: {len(own)} stored pictures may be the explorer's; expected one"
                )
            own[0]["text/html"] = explorer_markup(own[0]["text/html"], f"{lesson.number}-{count}", explorer)
    return notebook


# --- pages that are made here -----------------------------------------------------------------------------------------


def exercises_page(found: Sequence[Lesson], links: Links) -> str:
    """The index of exercises: id and title, difficulty and minutes, from the lessons."""
    lines = ["# Exercises", "", ""]
    count = minutes = 0
    for lesson in found:
        rows = list(exercises_of(lesson))
        if not rows:
            continue
        page = f"notebooks/{lesson.name}.ipynb"
        lines += [f"## {read_opening(opening_text(lesson), lesson.name).title}", ""]
        lines += ["| exercise | difficulty | minutes |", "|---|---|--:|"]
        for id, title, dots, spent in rows:
            href = links.href("exercises.md", page, f"Exercise {id} · {title}")
            level = f"{dots} <span class='visually-hidden'>{dots.count('●')} of 3</span>" if dots else ""
            lines.append(f"| [{id} {title}]({DONE}{href}) | {level} | {spent or ''} |")
            count += 1
        minutes += read_opening(opening_text(lesson), lesson.name).exercises
        lines.append("")
    lines[2] = (
        f"{count} exercises, about {round(minutes / 60)} hours. Each is checked where you solve it: open the lesson's "
        "notebook, replace the `...`, run the cell, then the check below it. Difficulty: ●○○ to ●●●.\n"
    )
    return "\n".join(lines)


def exercises_of(lesson: Lesson) -> Iterator[tuple[str, str, str, int | None]]:
    """Of each exercise id, title, dots and minutes; the last two are empty where the lesson does not say them."""
    text = "\n\n".join(each.source for each in source.cells(lesson.source) if each.kind == "markdown")
    for id, title in source.titles(lesson.source).items():
        _, _, rest = text.partition(f"Exercise {id} · ")
        said = re.search(r"^([●○]{3}) · (\d+) min", rest.partition("\n### ")[0], re.M)
        yield id, title, said[1] if said else "", int(said[2]) if said else None


def opening_text(lesson: Lesson) -> str:
    return next(each.source for each in source.cells(lesson.source) if each.kind == "markdown")


def index_page(found: Sequence[Lesson], links: Links, readme: str) -> str:
    """The first page: what the README says first, the lessons by part, and the way to everything else.

    Raises:
        PageError: a lesson is in no part.
    """
    by_number = {lesson.number: lesson for lesson in found}
    missing = set(by_number) - {number for _, numbers in PARTS for number in numbers}
    if missing:
        raise PageError(f"lessons {', '.join(sorted(missing))} are in no part: name them in PARTS (website/pages.py)")
    opening = links.mend(readme.partition("\n## ")[0].partition("\n")[2].strip(), "README.md")
    lines = [f"# {TITLE}", "", opening, ""]
    trees = []
    for title, numbers in PARTS:
        chosen = [by_number[number] for number in numbers if number in by_number]
        if not chosen:
            continue
        lines += [f"## {title}", "", "| lesson | question | reading | exercises |", "|---|---|--:|--:|"]
        for lesson in chosen:
            head = read_opening(opening_text(lesson), lesson.name)
            href = DONE + links.href("README.md", f"notebooks/{lesson.name}.ipynb")
            told = f"{head.number} {head.title}"
            lines.append(f"| [{told}]({href}) | {head.question} | {head.reading} min | {head.exercises} min |")
        lines.append("")
        trees.append(toctree(title, [f"notebooks/{lesson.name}" for lesson in chosen]))
    lines += ["## To look something up", ""]
    shown = [(title, path) for title, path in LOOK_UP if path in links.pages]
    lines += [f"- [{title}]({DONE}{links.href('README.md', path)})" for title, path in shown]
    lines += ["", _TO_RUN, ""]
    trees.append(toctree("Look up", [f"{title} <{path.rpartition('.')[0]}>" for title, path in shown]))
    return "\n".join([*lines, *trees])


_TO_RUN = """## To run a lesson

These pages show what the notebooks of the course show, with the outputs that are stored in them. Sliders answer here,
too; checks, hints and predictions need the notebook. Each lesson has a button at its top to download it. It runs
inside a copy of the course, in its folder `notebooks/`, after `make lab`. Where the site knows the address of that
copy, further buttons open the lesson on a hosted service.
"""


def toctree(caption: str, entries: Sequence[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", ":maxdepth: 1", "", *entries, "```", ""])


def api_pages(package: Path) -> dict[str, str]:
    """Pages of the API: of each public module of the package, and of the modules inside it."""
    names = module_names((package / "__init__.py").read_text(encoding="utf-8"))
    pages = {}
    for name in names:
        inside = package / name
        modules = [f"{package.name}.{name}"]
        if inside.is_dir() and name not in NO_MODULES:
            modules += [f"{modules[0]}.{path.stem}" for path in sorted(inside.glob("[!_]*.py"))]
            modules += [f"{modules[0]}.{path.parent.name}" for path in sorted(inside.glob("[!_]*/__init__.py"))]
        lines = [modules[0], "=" * len(modules[0]), ""]
        for module in modules:
            if module != modules[0]:
                lines += [module, "-" * len(module), ""]
            lines += [f".. automodule:: {module}"]
            lines += ["   :members:"] * (module != modules[0] or not inside.is_dir() or name in NO_MODULES) + [""]
        pages[f"api/{name}.rst"] = "\n".join(lines)
    head = (
        f"# {package.name}\n\nThe helper package of the course: one module for each idea, made to be read. What its "
        "functions and classes say of themselves.\n\n"
    )
    entries = "\n".join(f"- [`{package.name}.{name}`]({DONE}{name}.html)" for name in names)
    pages["api/index.md"] = head + entries + "\n\n" + toctree("Modules", names)
    return pages


def module_names(text: str) -> list[str]:
    """The public modules that a package's ``_MODULES`` names."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_MODULES":
            return list(ast.literal_eval(node.value))
    raise PageError("the package has no _MODULES")


# --- all of it --------------------------------------------------------------------------------------------------------


def write(
    root: Path,
    target: Path,
    explorers: Callable[[str], Sequence[Mapping[str, Any]]],
    address: str = "",
    branch: str = "main",
) -> list[str]:
    """Fill an empty folder with the pages.

    Args:
        root: the checkout.
        target: the folder.
        explorers: gives those of a lesson, by its number, as `explorers.record` does.
        address, branch: of the repository, for files that are no page; may be empty.

    Returns:
        The files of the pages.

    Raises:
        PageError: a link leads nowhere, a lesson has an answer in it, a picture has no text.
    """
    found = lessons(root)
    files = [f"notebooks/{lesson.name}.ipynb" for lesson in found]
    api = api_pages(root / "cnnlib")
    others = [path for _, path in LOOK_UP if path not in MADE and (root / path).exists()]
    pages = {path: path for path in [*files, *others, *MADE]} | {"README.md": "index.md"}
    links = Links(root, pages, address, branch)
    notebooks, texts = {}, {}
    for lesson in found:
        stored = learner_notebook(json.loads(lesson.path.read_text(encoding="utf-8")), lesson.name)
        made = explorers(lesson.number)
        notebooks[lesson.name] = lesson_page(stored, lesson, links, target / "_static" / "figures", made)
        for number, each in enumerate(made, start=1):
            write_explorer(target / "_static" / "explorers", f"{lesson.number}-{number}", each)
    for path in others:
        texts[path] = links.mend((root / path).read_text(encoding="utf-8"), path)
    texts["exercises.md"] = exercises_page(found, links)
    texts["index.md"] = index_page(found, links, (root / "README.md").read_text(encoding="utf-8"))
    for lesson in found:
        page = f"notebooks/{lesson.name}.ipynb"
        wanted, there = links.wanted.get(page, {}), set()
        for cell in notebooks[lesson.name]["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"], more = with_anchors(cell["source"], wanted, "at-" + key(cell["id"]))
                there |= more
        _complain(page, wanted, there)
        _put(target / page, json.dumps(notebooks[lesson.name], ensure_ascii=False))
    for path, text in texts.items():
        wanted = links.wanted.get(path, {})
        text, there = with_anchors(text, wanted)
        _complain(path, wanted, there)
        _put(target / path, text)
    for path, text in api.items():
        _put(target / path, text)
    for path in links.pictures:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, target / path)
    return [*files, *texts, *api]


def _complain(page: str, wanted: Mapping[str, str], there: set[str]) -> None:
    lost = [f"{name} (from {who})" for name, who in wanted.items() if name not in there]
    if lost:
        raise PageError(f"{page} has no place for these links: {', '.join(sorted(lost))}")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def write_explorer(folder: Path, name: str, explorer: Mapping[str, Any]) -> None:
    """The frames of an explorer beside the pages; a script names them, since a page of a file may read nothing else."""
    pictures = folder / name
    pictures.mkdir(parents=True, exist_ok=True)
    for each in explorer["pictures"]:
        copy(Path(explorer["folder"]) / each, pictures / each)
    content = {part: explorer[part] for part in ("pictures", "texts", "frames")}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    _put(folder / f"{name}.js", f"(window.explorers ??= {{}})[{json.dumps(name)}] = {text};\n")


def copy(path: Path, target: Path) -> None:
    """A second name for the same bytes where the system has that, else a copy."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copy(path, target)
