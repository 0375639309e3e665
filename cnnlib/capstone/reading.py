"""What a report says, as a program reads it: `checks` hold it against the artefacts. Lesson 19."""

from __future__ import annotations

from html.parser import HTMLParser

__all__ = ["FILE", "read"]

FILE = "report.html"


class _Seen(HTMLParser):
    """What `read` finds in a report."""

    def __init__(self):
        super().__init__()
        self.values: dict[str, str] = {}
        self.outside: list[str] = []
        self.sections: set[str] = set()
        self.without_alt = self.lines = 0

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "data" and "id" in given:
            self.values[given["id"]] = given.get("value") or ""
        if tag == "section" and "id" in given:
            self.sections.add(given["id"])
        if tag == "img" and not given.get("alt"):
            self.without_alt += 1
        if tag == "tr" and "data-line" in given:
            self.lines += 1
        where = given.get("src") or (given.get("href") if tag == "link" else None)
        if where and not where.startswith(("data:", "#")):
            self.outside.append(where)


def read(text: str) -> _Seen:
    """The numbers (``<data id=... value=...>``), sections, pictures and checklist lines of a report."""
    seen = _Seen()
    seen.feed(text)
    return seen
