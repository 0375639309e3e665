"""Pages of HTML, looked at by their tags."""

import html.parser
from collections import Counter

ALONE = ("meta", "br", "hr", "img", "link", "mspace")


class _Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], Counter()

    def handle_starttag(self, tag, attrs):
        self.seen[tag] += 1
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] += 1


def tags_of(text):
    """How often each tag comes; fails if they are not closed in order."""
    page = _Tags()
    page.feed(text)
    assert page.open == []
    return page.seen
