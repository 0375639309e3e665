"""What must hold for the files of the site: links inside it lead somewhere, and nothing is loaded from afar."""

from __future__ import annotations

import html.parser
import posixpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}


class Page(html.parser.HTMLParser):
    """The ids of a page, where it leads, what it loads, and its pictures without text."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.twice: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.silent: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if given.get("id"):
            (self.twice if given["id"] in self.ids else self.ids).add(given["id"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        for name in ("src", "href"):
            if (tag, name) in LOADED and given.get(name) and given.get("rel") not in ("canonical", "next", "prev"):
                self.loads.append(given[name])
        if tag == "img" and given.get("alt") is None:
            self.silent.append((given.get("src") or "")[:60])


def pages_of(site: Path) -> list[str]:
    """The pages of a built site; the theme keeps templates among its own files."""
    found = (path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return sorted(name for name in found if not name.startswith("_static/"))


def faults(site: Path) -> list[str]:
    """What is wrong with a built site, one sentence each; empty if nothing is."""
    names = pages_of(site)
    found = {name: Page((site / name).read_text(encoding="utf-8")) for name in names}
    said = []
    for name, page in sorted(found.items()):
        said += [f"{name}: the id {each} is there twice" for each in sorted(page.twice)]
        said += [f"{name}: a picture without alt: {each}" for each in page.silent]
        for address in page.loads:
            if address.startswith("#"):
                continue
            if urlsplit(address).scheme not in ("", "data") or address.startswith("//"):
                said.append(f"{name}: loads from afar: {address[:80]}")
            elif not urlsplit(address).scheme and not (site / _path(name, address)).is_file():
                said.append(f"{name}: loads what is not there: {address[:80]}")
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = _path(name, address) if parts.path else name
            if parts.path.startswith("/"):
                said.append(f"{name}: {address} holds only where the site is at the root of its host")
            elif not (site / target).exists():
                said.append(f"{name}: {address} leads to no file")
            elif parts.fragment and target in found and unquote(parts.fragment) not in found[target].ids:
                said.append(f"{name}: {address} leads to no place on that page")
    return said


def _path(page: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(urlsplit(address).path)))
