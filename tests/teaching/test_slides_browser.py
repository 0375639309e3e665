"""The slides that `make slides` made, each of them in a browser without a network: `make slidestest`."""

from pathlib import Path

import pytest
from browser import browser, programs

ROOT = Path(__file__).resolve().parents[2]
SLIDES = ROOT / "build" / "slides"
DECKS = sorted(path.name for path in SLIDES.glob("*.html") if path.name != "index.html")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
SMALLEST = 18  # points of a slide that is 720 high

# Slide after slide, one sentence for each thing that is wrong.
FAULTS = r"""
const [smallest, first, last] = arguments, said = [];
for (let number = first; number < Math.min(last, Reveal.getTotalSlides()); number++) {
Reveal.slide(number);
await new Promise(requestAnimationFrame);
const section = Reveal.getCurrentSlide(), sheet = section.querySelector('.sheet');
const box = section.getBoundingClientRect();
await Promise.all([...section.querySelectorAll('img')].map(e => e.decode().catch(() => {})));
const say = (what, e) =>
  said.push(`slide ${number + 1} ${what}: ${e.className || e.tagName} ${e.textContent.trim().slice(0, 60)}`);
if (Math.abs(box.width - 1280) > 1 || Math.abs(box.height - 720) > 1) say(`is ${box.width} by ${box.height}`, section);
for (const each of [sheet, ...sheet.querySelectorAll('.left, pre, figure')])
  if (each.scrollHeight > each.clientHeight + 1 || each.scrollWidth > each.clientWidth + 1) say('runs over', each);
for (const each of section.querySelectorAll('.sheet *, .above')) {
  if (each.closest('mjx-assistive-mml')) continue;
  const own = each.getBoundingClientRect();
  if (own.width && (own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1
      || own.bottom > box.bottom + 1)) say('lies beyond the slide', each);
  const speaks = [...each.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (speaks && !each.closest('mjx-container') && parseFloat(getComputedStyle(each).fontSize) < smallest - 0.05)
    say('is too small', each);
  if (each.tagName === 'MJX-CONTAINER' && parseFloat(getComputedStyle(each).fontSize) < smallest - 0.05)
    say('is a formula too small', each);
  if (speaks && !each.closest('code, pre, mjx-container')
      && /\\[(\[]|\$[^$\s]*\\|FORMULA\d/.test(each.textContent)) say('is a formula that was not set', each);
  if (each.tagName === 'MJX-MERROR') say('is a formula with an error', each);
}
for (const each of section.querySelectorAll('img')) {
  if (!each.naturalWidth) say('does not load', each.parentNode);
  if (!each.alt.trim()) say('has no alternative text', each.parentNode);
  const {width, height} = each.parentNode.getBoundingClientRect();
  if (height < 240 || width < 400) say(`is a picture of ${width} by ${height}`, each.parentNode);
}
if (!section.querySelector('h1, h2').textContent.trim()) say('has no title', section);
}
return said"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DECKS, reason="there are no slides in build/slides: make slides"),
    pytest.mark.skipif(programs() is None, reason="needs chromedriver and a browser that it drives"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("downloads"), OFFLINE, watch=True) as window:
        window.size(1280, 720)
        yield window


def opened(page, name, more=""):
    page.requests(), page.console()  # what was before
    page.open((SLIDES / name).as_uri() + more)
    page.wait(lambda: page.run("return document.documentElement.dataset.ready"), f"{name} does not begin")


@pytest.mark.parametrize("name", DECKS)
def test_every_slide(page, name):
    opened(page, name)
    count = page.run("return Reveal.getTotalSlides()")
    assert count > 10
    script = f"return (async () => {{ {FAULTS} }})()"
    # A few at a time: the driver waits half a minute for a script.
    found = [page.run(script, SMALLEST, first, first + 5) for first in range(0, count, 5)]
    assert sum(found, []) == []
    asked, failed = page.requests()
    assert failed == []
    assert page.console() == []
    folder = SLIDES.as_uri() + "/"
    assert [each for each in asked if not each.startswith((folder, "data:", "blob:"))] == []


@pytest.mark.parametrize("name", DECKS[1:2])
def test_the_speakers_window_shows_the_notes(page, name):
    opened(page, name)
    first = page.windows()
    page.press("s")
    page.wait(lambda: len(page.windows()) > len(first), "no window opens")
    (speaker,) = set(page.windows()) - set(first)
    page.turn_to(speaker)
    try:
        notes = "return document.querySelector('.speaker-controls-notes .value')?.textContent ?? ''"
        page.wait(lambda: "Prepare" in page.run(notes), "the speaker is not told what to prepare")
        assert "The common trouble" in page.run(notes)
    finally:
        page.close()
        page.turn_to(first[0])


def test_the_contents_lead_to_every_lesson(page):
    page.requests(), page.console()
    page.open((SLIDES / "index.html").as_uri())
    hrefs = page.run("return [...document.querySelectorAll('li a')].map(e => e.getAttribute('href'))")
    assert sorted(hrefs) == DECKS
    assert page.console() == []


@pytest.mark.parametrize("name", DECKS[:1])
def test_on_paper_each_slide_is_a_page(page, name):
    opened(page, name, "?print-pdf")
    count = page.run("return Reveal.getTotalSlides()")
    page.wait(lambda: page.run("return document.querySelectorAll('.pdf-page').length") == count, "pages are missing")
