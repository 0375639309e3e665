"""The site that `make site` built, in a browser without a network: `make sitetest`.

It is served from a sub-path, as hosts of pages do, and some of it is opened as files.
"""

import functools
import http.server
import threading
from pathlib import Path

import pytest
from browser import browser, programs
from website import check

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
PREFIX = "/some/course"
PAGES = check.pages_of(SITE) if SITE.exists() else []
LESSONS = [page for page in PAGES if page.startswith("notebooks/")]
# What somebody may look for, and a page that must be among the results.
SEARCHED = {
    "receptive field": "notebooks/02_feature_maps_and_receptive_fields.html",
    "dilation": "notebooks/01_convolution_arithmetic.html",
    "checkerboard": "notebooks/12_semantic_segmentation.html",
    "Fashion-MNIST": "data/README.html",
    "grad_cam": "api/explain.html",
}
EXPLORERS = {"01": 1, "02": 2, "03": 1, "11": 1, "12": 1}
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
AXE = """return axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(each => ['serious', 'critical'].includes(each.impact))
  .map(each => `${each.impact} ${each.id} x${each.nodes.length}: ` +
    each.nodes.slice(0, 3).map(node => node.target).join(' | ')))"""
UNSET = """return [...document.querySelectorAll('.bd-article .math')].filter(e => !e.querySelector('mjx-container'))
  .concat([...document.querySelectorAll('mjx-merror')]).map(e => e.textContent.slice(0, 80))"""
RAW = r"""const text = [...document.querySelectorAll('.bd-article p, .bd-article li, .bd-article td')]
  .filter(e => !e.closest('.cell_output, .cell_input, pre')).map(e => {
    const copy = e.cloneNode(true); copy.querySelectorAll('code, .math, script').forEach(x => x.remove());
    return copy.textContent; });
return text.filter(t => /\$[^$\s]*\\|\\(frac|sum|times|cdot)\b/.test(t)).map(t => t.slice(0, 80))"""
FIELDS = ".explorer input, .explorer select"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PAGES, reason="there is no site in build/site: make site"),
    pytest.mark.skipif(programs() is None, reason="needs chromedriver and a browser that it drives"),
]


class Handler(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        return super().translate_path(path.removeprefix(PREFIX) if path.startswith(PREFIX + "/") else "/not/there")

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def axe():
    return pytest.importorskip("axe_core_python", reason="axe-core-python is in the extra site: make sitetest")


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}{PREFIX}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("downloads"), OFFLINE, watch=True) as window:
        yield window


def opened(page, address, name, width=1280, dark=False):
    page.size(width, 900, dark)
    page.requests(), page.console()  # what was before
    page.open(address + name)
    page.run("return (window.MathJax?.startup?.promise ?? Promise.resolve()).then(() => true)")
    # Pictures that are loaded when they come into view are loaded, too.
    page.run("document.querySelectorAll('img[loading=lazy]').forEach(e => { e.loading = 'eager'; })")
    page.wait(lambda: page.run("return [...document.images].every(e => e.complete)"), f"{name}: pictures are missing")


@pytest.mark.parametrize("name", PAGES)
def test_every_page(page, address, axe, name):
    opened(page, address, name)
    asked, failed = page.requests()
    assert [each for each in failed if "favicon" not in each] == []
    assert page.console() == []
    assert [each for each in asked if not each.startswith((address, "data:", "blob:"))] == []
    assert page.run("return [...document.images].filter(e => !e.naturalWidth).map(e => e.src)") == []
    assert page.run("return [...document.querySelectorAll('.bd-article img')].filter(e => !e.alt).length") == 0
    assert page.run(UNSET) == []
    assert page.run(RAW) == []
    page.run((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    assert page.run(AXE) == []
    page.size(390, 900)
    assert page.run("return document.documentElement.scrollWidth") <= 390, "the page is wider than a phone"


@pytest.mark.parametrize("name", ["index.html", *LESSONS[:3], "exercises.html", "docs/glossary.html", "api/trace.html"])
@pytest.mark.parametrize("width", [390, 1280])
def test_dark_and_narrow(page, address, axe, name, width):
    opened(page, address, name, width, dark=True)
    page.run("document.documentElement.dataset.mode = 'auto'")
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    page.run((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    assert page.run(AXE) == []


@pytest.mark.parametrize("words", SEARCHED)
@pytest.mark.parametrize("place", ["served", "file"])
def test_search_finds(page, address, words, place):
    start = address if place == "served" else SITE.as_uri() + "/"
    page.open(f"{start}search.html?q={words.replace(' ', '+')}")
    hrefs = "return [...document.querySelectorAll('#search-results li a')].map(e => e.getAttribute('href'))"
    page.wait(lambda: any(each.startswith(SEARCHED[words]) for each in page.run(hrefs)), f"{words} is not found")


@pytest.mark.parametrize("place", ["served", "file"])
@pytest.mark.parametrize("number", EXPLORERS)
def test_explorers_answer_to_the_keyboard(page, address, number, place):
    (name,) = [each for each in LESSONS if each.startswith(f"notebooks/{number}_")]
    opened(page, address if place == "served" else SITE.as_uri() + "/", name)
    boxes = page.run("return [...document.querySelectorAll('.explorer')].map(e => e.querySelectorAll('img').length)")
    assert boxes == [1] * EXPLORERS[number]
    for at in range(page.run(f"return document.querySelectorAll('{FIELDS}').length")):
        before = state(page, at)
        assert before["label"]
        assert before["width"] > 100
        assert before["alt"] == before["told"]
        kind = before["kind"]
        page.press("space" if kind == "checkbox" else "down" if kind == "select-one" else "right")
        page.wait(lambda at=at: state(page, at)["width"] > 100, "the next picture does not load")
        after = state(page, at)
        if after == before:  # at its end: the other way
            page.press("left")
            after = state(page, at)
        assert (after["src"], after["alt"], after["value"]) != (before["src"], before["alt"], before["value"])
        assert after["alt"] == after["told"]
    assert page.console() == []


def state(page, at):
    """What one control of the explorers on a page says, and what is seen."""
    return page.run(
        """const field = document.querySelectorAll(arguments[0])[arguments[1]], box = field.closest('.explorer');
        const picture = box.querySelector('img'); field.focus();
        return {label: field.labels[0]?.textContent, kind: field.type, src: picture.src, alt: picture.alt,
          value: field.type === 'checkbox' ? field.checked : field.value, width: picture.naturalWidth,
          told: box.querySelector('[role=status]').textContent}""",
        FIELDS,
        at,
    )


def test_links_between_lessons_are_followed(page, address):
    opened(page, address, "docs/glossary.html")
    page.run("document.querySelector('a[href*=\"01_convolution_arithmetic.html#at-\"]').click()")
    page.wait(lambda: "#at-" in page.run("return location.href"), "the link does not lead to the lesson")
    assert page.run("return !!document.getElementById(decodeURIComponent(location.hash.slice(1)))")


def test_a_lesson_is_downloaded_as_the_notebook_that_it_is():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        assert (SITE / "_sources" / "notebooks" / path.name).read_bytes() == path.read_bytes()
