"""The web page, driven in a real browser: what a person does with a mouse, a keyboard, a phone, a screen reader."""

import json
import re
import time
from pathlib import Path

import browser as browsers
import jsonschema
import numpy as np
import odd_images
import pytest
from PIL import Image
from pipeline_case import served_pipelines

from cnnlib import datasets
from cnnlib.pipeline import answer_schema
from cnnlib.segmentation import rle_decode

for package in ("starlette", "uvicorn", "httpx"):
    pytest.importorskip(package, reason="the web page is an extra: pip install -e '.[web]'")
if browsers.programs() is None:
    pytest.skip("no Chromium with chromedriver is installed", allow_module_level=True)

from cnnlib.pipeline.web import Limits, running  # noqa: E402
from cnnlib.pipeline.web.application import PAGE  # noqa: E402

pytestmark = pytest.mark.slow
LIMITS = Limits(bytes=300_000, pixels=1_000_000)


@pytest.fixture(scope="module")
def pipelines():
    return served_pipelines()


@pytest.fixture(scope="module")
def address(pipelines):
    with running(pipelines.values(), LIMITS) as address:
        yield address


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    folder = tmp_path_factory.mktemp("downloads")
    with browsers.browser(folder) as window:
        window.downloads = folder
        yield window


@pytest.fixture
def page(window, address):
    """The page, freshly opened, on a desktop's screen. It may complain of nothing but answers that were errors."""
    window.size(1280, 900)
    window.open(address)
    window.wait_for_text("#status", "Choose a picture.")
    window.console()
    yield window
    assert [line for line in window.console() if "Failed to load resource" not in line] == []


@pytest.fixture
def file(picture, tmp_path):
    path = tmp_path / "red and blue.png"
    Image.fromarray(picture).save(path)
    return path


def asked(page, task: str, file: Path) -> None:
    page.click(f"input[value={task}]")
    page.choose("#file", file)
    answered(page)


def answered(page) -> None:
    page.wait(lambda: not page.run("return document.body.classList.contains('working')"), "it is still working")


def shown(page) -> dict:
    """The raw JSON on the page."""
    return json.loads(page.run("return document.querySelector('#raw pre').textContent"))


def rows(page) -> list[list[str]]:
    script = "return [...document.querySelectorAll('#results tbody tr')].map(r => [...r.cells].map(c => c.innerText))"
    return page.run(script)


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classify", "detect", "segment"])
def test_the_page_shows_the_answer_of_the_function(page, pipelines, file, task):
    asked(page, task, file)
    answer = pipelines[task](file)
    jsonschema.validate(shown(page), answer_schema())
    assert shown(page) == answer
    table = rows(page)
    assert len(table) == len(answer["results"])
    for number, (row, result) in enumerate(zip(table, answer["results"]), start=1):
        assert row[0] == (result["label"] if task == "classify" else f"{number} {result['label']}")
        assert row[1].startswith(f"{result['score']:.2f}")
    assert answer["results"][0]["label"] in page.text("#status")
    assert page.text("#caption") == "red and blue.png · PNG · 60 × 40 pixels"
    boxes = page.run("return [...document.querySelectorAll('#boxes rect.halo')].map(r => r.dataset.number).sort()")
    assert len(boxes) == (0 if task == "classify" else len(answer["results"]))


def test_boxes_lie_where_the_answer_says(page, file):
    asked(page, "detect", file)
    script = """
    const image = document.querySelector('#picture').getBoundingClientRect();
    return [...document.querySelectorAll('#boxes rect.halo')].map(r => {
      const b = r.getBBox(), m = r.getScreenCTM();
      const [x, y] = [b.x * m.a + m.e - image.x, b.y * m.d + m.f - image.y];
      return [r.dataset.number, x / image.width, y / image.height, (x + b.width * m.a) / image.width,
              (y + b.height * m.d) / image.height];
    })"""
    results = shown(page)["results"]
    for number, *box in page.run(script):
        wanted = np.array(results[int(number)]["box"]) / (60, 40, 60, 40)
        np.testing.assert_allclose(box, wanted, atol=0.002)


def test_masks_are_those_of_the_answer(page, file):
    asked(page, "segment", file)
    canvas = page.run("""
    const c = document.querySelector('#masks');
    return [c.width, c.height, [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]""")
    width, height, values = canvas
    pixels = np.array(values, np.uint8).reshape(height, width, 4)
    results = shown(page)["results"]
    assert len(results) >= 2
    np.testing.assert_array_equal(pixels[..., 3] > 0, np.any([rle_decode(r["mask"]) for r in results], axis=0))
    # One colour for each label.
    colours = {tuple(np.unique(pixels[rle_decode(r["mask"])][:, :3], axis=0)[0]) for r in results}
    assert len(colours) == len({r["label"] for r in results})


def test_run_lengths_are_read_as_the_package_reads_them(page):
    """Masks of any shape, not only those of a small network."""
    from cnnlib.segmentation import rle_encode

    rng = np.random.default_rng(0)
    for height, width, share in [(1, 1, 1.0), (7, 5, 0.5), (64, 90, 0.02), (300, 200, 0.5), (400, 300, 0.0)]:
        mask = rng.random((height, width)) < share
        if height == 300:
            mask = np.add.outer(np.arange(height), np.arange(width)) % 170 < 120  # long runs: several characters each
        read = page.run("return [...maskOn(arguments[0], arguments[1], arguments[2])]", rle_encode(mask), width, height)
        np.testing.assert_array_equal(np.array(read, bool).reshape(height, width), mask)


def test_the_picture_is_the_decoded_one(page, pipelines, tmp_path, picture):
    """Turned, and of a format that the browser does not know."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in ("jpg", "tif"):
        path = tmp_path / f"turned.{suffix}"
        Image.fromarray(picture).save(path, exif=exif)
        asked(page, "detect", path)
        assert "40 × 60 pixels" in page.text("#caption")
        assert "EXIF orientation 6 undone" in page.text("#caption") or suffix == "tif"  # there Pillow itself turns it
        size = page.run("const i = document.querySelector('#picture'); return [i.naturalWidth, i.naturalHeight]")
        assert size == [40, 60]


def test_a_photograph_of_the_course(page, pipelines):
    for name in ("cat", "coffee"):
        page.click(f"button[value={name}]")
        page.wait_for_text("#caption", f"{name}.webp")
        answered(page)
        answer = pipelines["classify"](datasets.read(f"photographs/{name}.webp"))
        assert shown(page) == {**answer, "image": {**answer["image"], "name": f"{name}.webp"}}
    pressed = page.run("return [...document.querySelectorAll('#photographs [aria-pressed=true]')].map(b => b.value)")
    assert pressed == ["coffee"]


def test_times_and_versions(page, pipelines, file):
    asked(page, "detect", file)
    page.click("#times summary")
    stages = page.text("#times table")
    assert all(stage in stages for stage in ("decode", "resize", "forward", "post-processing", "upload"))
    page.click("#versions summary")
    specification = pipelines["detect"].specification
    versions = page.text("#versions dl")
    for part in ("cells 1", specification.weights_sha256[:12], specification.preprocessing.version, "keras"):
        assert part in versions


def test_what_is_in_doubt_is_said(page, tmp_path):
    path = tmp_path / "purple.png"
    Image.new("RGB", (60, 40), (122, 10, 120)).save(path)
    asked(page, "classify", path)
    assert page.text("#doubt").startswith("A close call. The best class leads by 0.0")
    assert "not calibrated" in page.text("#doubt")
    asked(page, "detect", path)
    page.run("const t = document.querySelector('#threshold'); t.value = 0; t.dispatchEvent(new Event('input'))")
    page.wait(lambda: rows(page), "nothing is found")
    answered(page)
    assert "close call: another class is" in rows(page)[0][1]


# --- nothing, and nothing to be had ----------------------------------------------------------------------------------


def test_nothing_found_and_the_closest(page, file):
    asked(page, "detect", file)
    page.run("const t = document.querySelector('#threshold'); t.value = 1; t.dispatchEvent(new Event('input'))")
    page.wait_for_text("#status", "Nothing found that reaches the threshold of 1.00. The closest:")
    answered(page)
    assert rows(page) == []
    assert page.text("#threshold-value") == "1.00"
    page.click("#closest button")
    page.wait_for_text("#status", "found: ")
    assert shown(page)["found"]
    page.click("#as-specified")
    page.wait(lambda: shown(page)["threshold"] == 0.5, "the threshold is not the specified one")
    assert page.text("#threshold-value") == "0.50"


def test_an_error_is_told_in_words_and_the_next_picture_is_answered(page, file, tmp_path):
    bad = tmp_path / "page.png"
    bad.write_bytes(odd_images.PAGE)
    asked(page, "detect", file)
    page.choose("#file", bad)
    page.wait(lambda: page.visible("#problem"), "no error is shown")
    assert "page.png: no image that is read here" in page.text("#problem")
    assert "not_an_image: the bytes are no image of a kind" in page.text("#problem")
    assert page.text("#status") == "No answer."
    assert not page.visible("#shown")
    assert not page.visible("#answer")
    page.choose("#file", file)
    page.wait_for_text("#status", "found: ")
    assert not page.visible("#problem")


def test_a_file_that_is_too_large_is_not_even_sent(page, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(bytes(LIMITS.bytes + 1))
    page.choose("#file", path)
    page.wait_for_text("#problem", "large.png: 0.3 MB; at most 0.3 MB are taken here.")
    sent = page.run("return performance.getEntriesByType('resource').filter(e => e.name.includes('large')).length")
    assert sent == 0


def test_a_server_that_was_stopped(page, window, pipelines, file):
    own = [pipelines["classify"]]
    with running(own) as address:
        port = int(re.search(r":(\d+)/", address)[1])
        window.open(address)
        window.wait_for_text("#status", "Choose a picture.")
    window.choose("#file", file)
    window.wait_for_text("#problem", "The server does not answer. Was it stopped?")
    with running(own, port=port):
        window.click("#problem button")
        window.wait_for_text("#status", "Most probable: red")
    window.console()


def test_names_and_labels_are_text_not_markup(page, pipelines, picture, tmp_path, window):
    import dataclasses

    from cnnlib.pipeline import Pipeline

    nasty = "<img src=x onerror=document.title='hit'>"
    path = tmp_path / f"{nasty}.png"
    Image.fromarray(picture).save(path)
    own = pipelines["detect"]
    labels = ("background", f"{nasty}red", "blue</pre><script>document.title='hit'</script>")
    specification = dataclasses.replace(own.specification, labels=labels, labels_sha256=None)
    with running([Pipeline(own.model, specification, boxes=own._boxes)]) as address:
        window.open(address)
        window.wait_for_text("#status", "Choose a picture.")
        window.choose("#file", path)
        window.wait_for_text("#status", nasty)
        answered(window)
        assert nasty in window.text("#results")
        assert nasty in window.text("#caption")
        assert window.run("return document.title") == "What is in this picture?"
        assert window.run("return document.querySelectorAll('main img[src=x], main script').length") == 0


# --- files -----------------------------------------------------------------------------------------------------------


def downloaded(window, name: str) -> Path:
    path = window.downloads / name
    window.wait(lambda: path.is_file() and path.stat().st_size, f"{name} was not downloaded")
    time.sleep(0.1)
    return path


def test_downloads(page, pipelines, file):
    asked(page, "segment", file)
    page.click("#save-json")
    assert json.loads(downloaded(page, "red and blue.json").read_text(encoding="utf-8")) == pipelines["segment"](file)
    page.click("#save-overlay")
    with Image.open(downloaded(page, "red and blue-answer.jpg")) as drawn:
        assert drawn.size == (60, 40)


def test_a_dropped_file(page, pipelines, file):
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        page.cdp("Input.dispatchDragEvent", type=kind, x=900, y=300, data=data)
        if kind == "dragOver":
            assert page.run("return document.body.classList.contains('dropping')")
    page.wait_for_text("#status", "Most probable: red")
    assert shown(page) == pipelines["classify"](file)
    assert not page.run("return document.body.classList.contains('dropping')")


# --- without a mouse, without eyes, on a phone, at night -------------------------------------------------------------


def focused(page) -> str:
    return page.run("const e = document.activeElement; return e.id || e.value || e.textContent.trim()")


def test_the_keyboard_alone(page):
    for _ in range(4):
        page.press("tab")
    assert focused(page) == "cat"  # past the link to the answer, the file, the summary
    page.press("enter")
    page.wait_for_text("#status", "Most probable")
    for _ in range(len(datasets.photograph_names())):
        page.press("tab")
    assert focused(page) == "classify"
    page.press("down")
    page.wait_for_text("#threshold-value", "0.50")
    page.press("tab", "right")
    page.wait_for_text("#threshold-value", "0.51")
    page.wait(lambda: shown(page)["threshold"] == 0.51, "it was not asked again")
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_row_shows_its_box_alone(page, file):
    asked(page, "detect", file)
    assert len(shown(page)["results"]) >= 2
    dim = "return [...document.querySelectorAll('#boxes rect.dim')].map(r => r.dataset.number)"
    page.run("document.querySelector('#results tbody button').focus()")
    assert "0" not in page.run(dim)
    assert page.run(dim)
    page.press("enter")
    page.run("document.querySelector('#save-json').focus()")
    assert page.run(dim)  # it stays, since it was pressed
    page.run("document.querySelector('#results tbody button').click(); document.activeElement.blur()")
    assert page.run(dim) == []


def test_a_screen_reader_hears_it(page, file):
    asked(page, "detect", file)
    controls = page.controls()
    assert [role for role, name in controls if not name.strip()] == []
    assert {"slider", "radio", "button", "link"} <= {role for role, _ in controls}
    assert ("slider", "Threshold") in controls
    live = "return [...document.querySelectorAll('[aria-live], [role=alert]')].map(e => e.id)"
    assert page.run(live) == ["status", "problem"]
    assert page.run("return [...document.querySelectorAll('img')].every(i => i.alt)")
    assert page.run("return document.documentElement.lang") == "en"
    roles = [each["role"]["value"] for each in page.cdp("Accessibility.getFullAXTree")["nodes"] if not each["ignored"]]
    assert roles.count("rowheader") == len(shown(page)["results"])


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_has_to_be_scrolled_sideways(page, file, width):
    for task in ("detect", "classify", "segment"):
        page.size(width, 800)
        asked(page, task, file)
        for each in ("raw", "times", "versions"):
            page.run("document.getElementById(arguments[0]).open = true", each)
        assert page.run("return document.documentElement.scrollWidth") <= width, task
        assert page.run("const s = document.querySelector('.scroll'); return s.scrollWidth <= s.clientWidth")


def test_on_a_phone_the_answer_comes_into_view(page, file):
    page.size(390, 800)
    page.choose("#file", file)
    page.wait_for_text("#status", "Most probable")
    assert page.run("return document.querySelector('#status').getBoundingClientRect().top < innerHeight / 2")


def test_at_night_it_is_dark(page, file):
    light = page.picture().convert("L")
    page.size(1280, 900, dark=True)
    dark = page.picture().convert("L")
    assert np.asarray(light).mean() > 180
    assert np.asarray(dark).mean() < 80


def test_text_can_be_read_in_both_schemes():
    """WCAG 2.2, 1.4.3: a contrast of 4.5 for text."""
    css = (PAGE / "page.css").read_text(encoding="utf-8")
    schemes = [
        dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        for text, ground in [
            *((text, ground) for text in ("text", "muted", "accent", "problem") for ground in ("ground", "card")),
            *(("accent-text", "accent"), ("problem", "problem-ground"), ("muted", "problem-ground")),
        ]:
            assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)


def contrast(one: str, two: str) -> float:
    bright, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    values = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_nothing_is_asked_of_other_machines(page, address, file):
    asked(page, "segment", file)
    names = page.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert len(names) > 5
    assert {name for name in names if not name.startswith((address, "blob:" + address))} == set()


def test_a_script_of_a_stranger_does_not_run(page):
    """The content security policy holds: no inline script, no other origin."""
    page.run("""
    const own = document.createElement("script");
    try { own.text = "document.title = 'hit'"; } catch { own.append("document.title = 'hit'"); }
    try { document.body.append(own); } catch {}
    try { document.body.setAttribute("onclick", "document.title = 'hit'"); } catch {}
    document.body.click()""")
    assert page.run("return document.title") == "What is in this picture?"
    blocked = page.run("return fetch('http://127.0.0.1:1/').then(() => 'sent', e => e.name)")
    assert blocked == "TypeError"
    assert any("Content Security Policy" in line for line in page.console())
