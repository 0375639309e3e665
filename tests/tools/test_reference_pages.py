"""tools/reference_pages.py and tools/_terms.py: the pages of the course, the parser, and faults planted on purpose."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import _terms
import nbformat
import pytest
import reference_pages
from _lessons import ROOT
from _terms import Settings, blocks, early, formulas_of, page_of, stem, stems, terms_of, twice
from sample_lesson import sample

PAGES = [reference_pages.GLOSSARY, reference_pages.FORMULAS]


@pytest.fixture(scope="module")
def made():
    """The two pages as the lessons make them now, and what is amiss: it takes seconds, so once."""
    return reference_pages.make()


# --- the pages of the course ------------------------------------------------------------------------------------------


def test_the_pages_are_in_step_with_the_lessons(made):
    assert reference_pages.out_of_step(made[0]) == []


def test_every_term_is_defined_once_and_in_time(made):
    assert made[1] == []


def test_the_course_has_the_terms_that_it_should(made):
    """Landmarks: a parser that lost half of them would still be in step with itself."""
    for term in ("convolution", "receptive field", "softmax", "batch normalisation", "average precision", "U-Net"):
        assert f"**{term}**" in made[0][reference_pages.GLOSSARY]
    assert made[0][reference_pages.GLOSSARY].count("<br>") > 250
    assert made[0][reference_pages.FORMULAS].count("\n$$") > 40


LINKED = re.compile(r"\]\(((?:[^()\s]|\([^()\s]*\))+)\)")


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(made, name):
    text = made[0][name]
    here = set(re.findall(r'<a id="([^"]+)">', text))
    assert len(here) == len(re.findall(r"<a id=", text)), "two entries have the same name"
    places = {}
    for link in LINKED.findall(text):
        file, _, place = link.partition("#")
        if not file:
            assert place in here, f"{link} is not on the page"
            continue
        target = ((ROOT / name).parent / file).resolve()
        assert target.exists(), link
        if place:
            known = places.setdefault(target, places_of(target))
            assert unquote(place) in known, f"{link}: no heading or cell of that name"


def places_of(path: Path) -> set[str]:
    """The headings and cells of a notebook, by the names that JupyterLab and nbconvert give them."""
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = re.findall(r"^#+ +(.+?) *$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[`*]", "", each).replace(" ", "-") for each in headings} | {
        f"cell-id={cell.id}" for cell in notebook.cells
    }


def test_the_place_of_a_link_is_unique_on_its_page():
    """Of two headings with the same name only the first can be reached."""
    for one in _terms.pages():
        headings = [block.heading for block in one.blocks if block.kind == "heading"]
        wanted = {one.blocks[term.block].heading for term in terms_of(one, _terms.settings())}
        wanted |= {formula.place.heading for formula in formulas_of(one)}
        assert [each for each in wanted if headings.count(each) > 1] == [], one.title


class Ids(HTMLParser):
    """The ids of a page of HTML."""

    def __init__(self, text: str):
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found |= {value for name, value in attributes if name == "id"}


HEADINGS = [
    "What a layer costs",
    "Does the cat move?",
    "It says *bubble*",
    "What `same` means",
    "Part 1 · One (20 min)",
]


@pytest.mark.parametrize("heading", HEADINGS)
def test_nbconvert_gives_a_heading_the_name_that_we_link_to(heading):
    exporter = pytest.importorskip("nbconvert").HTMLExporter()
    cell = nbformat.v4.new_markdown_cell(f"# 07 · X\n\n## {heading}\n\nWords.", id="07-001")
    html, _ = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    (block,) = [block for block in blocks(cell.source, cell=1) if block.heading == heading and block.kind == "text"]
    link = _terms.link_to(page_of([(1, cell.source)], "07", "x.ipynb"), block)
    assert link.partition("#")[2] in Ids(html).found


# --- the parser -------------------------------------------------------------------------------------------------------


def course(*texts: str):
    """Pages 00, 01, ... of one cell each."""
    return [page_of([(1, f"# {n:02d} · Page {n}\n\n{text}")]) for n, text in enumerate(texts)]


def names(text: str, settings: Settings | None = None) -> list[str]:
    return [term.name for term in terms_of(course(text)[0], settings or Settings())]


def definition(text: str) -> str:
    return terms_of(course(text)[0], Settings())[0].definition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A **kernel** is small.", ["kernel"]),
        ("The **receptive\nfield** is large.", ["receptive field"]),
        ("**Softmax** sums to one. So does a **mean**.", ["softmax", "mean"]),
        ("**Adam** and **NaN** and **He initialisation**.", ["Adam", "NaN", "He initialisation"]),
        ("- **first**: one\n  more\n- a **second** one\n1. **third**", ["first", "second", "third"]),
        ("| a | b |\n|---|---|\n| **left** | $x | y$ |\n| `a|b` | **right** |", ["left", "right"]),
        ("<details><summary>Model answer</summary>\n\nA **hidden** one.\n\n</details>", ["hidden"]),
        ("```python\na = '**code**'\n```\nand `**span**` and `a ** b ** c`", []),
        ("**Predict**: 2 or 3? **So far**: a word. **Reading** 3 min", []),
        ("**What is it?**", []),
        ("**Is it? Say why,\nin a line?**", []),
        ("## Explain it\n\n**It fails. Name two reasons.**", []),
        ("**Trap 3, momentum.** It is another.", []),
        ("2 ** 3 ** 4", []),
        ("A **stride**.\n\n$$a **b** c$$", ["stride"]),
    ],
)
def test_terms_are_told_from_other_bold_text(text, expected):
    assert names(text, Settings(names=frozenset(["Adam", "He"]))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. A **kernel** is $a. B$ small (see al. et al. Two). Three.", None),
        ("A window. That is a **kernel**.", "A window. That is a **kernel**."),
        ("Much. A window. That is a **kernel**. It is small. More.", "A window. That is a **kernel**. It is small."),
        ("- **kernel**: a window;\n- other", "**Kernel**: a window."),
        ("A **kernel** is\n\n$$x\n+ y$$\n\nwhere $x$ is 1. More.", "A **kernel** is $$x + y$$ where $x$ is 1."),
        ("A **ladder** has rungs:\n\n1. one.\n2. two", "A **ladder** has rungs: one; two."),
        ("| you see | means |\n|---|---|\n| flat | **dead** |", "**Dead**: *you see* flat."),
        ("(A **nat** is a unit. It is not a bit.)", "A **nat** is a unit. It is not a bit."),
        ("It is\n\n$$y$$\n\nwith the **weight** $w$.", "It is $$y$$ with the **weight** $w$."),
        ("- **bfloat16** has 8 bits", "**bfloat16** has 8 bits."),
        ("A sum.\n\n**Predict**: 2 or 3?\n\nThis is a **mean**.", "A sum. This is a **mean**."),
    ],
)
def test_a_definition_is_a_sentence_with_what_it_leans_on(text, expected):
    expected = expected or "A **kernel** is $a. B$ small (see al. et al. Two)."
    assert definition(text) == expected


def test_an_abbreviation_in_brackets_is_another_form():
    (term,) = terms_of(course("**Average precision** (AP) is an area, **not** (this).")[0], Settings())[:1]
    assert term.aliases == ("AP",)
    assert terms_of(course("A **word** (Girshick 2015) and a **thing** (a).")[0], Settings())[0].aliases == ()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Convolutions", "convolution"),
        ("batches boxes losses passes", "batch box loss pass"),
        ("biases axes matrices", "bias axis matrix"),
        ("classes policies", "class policy"),
        ("MACs RoIs ReLUs mAP", "MAC RoI ReLU mAP"),
        ("bias focus analysis", "bias focus analysis"),
        ("Amdahl's networks’", "amdahl network"),
    ],
)
def test_plurals_have_one_stem(words, expected):
    assert " ".join(stem(word) for word in words.split()) == expected
    assert stems("fine-tuning") == stems("fine tuning")
    assert stem("mAP") != stem("map"), "an abbreviation is no word"
    assert stem("GAP") != stem("gap")


@pytest.mark.parametrize(
    "text",
    [
        "$$a + b$$",
        "$$a\n+ b$$",
        "$$\na + b\n$$",
        "<details><summary>Model answer</summary>\n\nSo\n\n$$a + b$$\n\n</details>",
        "- an item with $$a + b$$ inside",
    ],
)
def test_formulas_are_found_across_lines_and_in_answers(text):
    (formula,) = formulas_of(course(f"The sum of $a$ and $b$ is\n\n{text}")[0])
    assert formula.text == "$$a + b$$"


def test_a_formula_has_the_sentences_that_name_its_symbols():
    text = "No. Let $a$ be 1. It is\n\n$$a + b$$\n\nwith $b$. Let $c$. More. Then\n\n$$c$$"
    first, second = formulas_of(course(text)[0])
    assert (first.before, first.after) == ("Let $a$ be 1. It is", "with $b$. Let $c$.")
    assert second.before == "Let $c$. More. Then"
    code = page_of([(1, "# 00 · A\n\nSome words."), (3, "$$a$$\n\nmore words")])
    assert formulas_of(code)[0].before == "", "what stands above a cell of code does not lead to it"
    code = page_of([(1, "# 00 · A\n\nIt is\n\n$$a$$"), (3, "where $a$ is something else.")])
    assert formulas_of(code)[0].after == "", "nor does what stands below one name its symbols"


# --- planted faults ---------------------------------------------------------------------------------------------------


def early_in(*texts: str, settings: Settings | None = None) -> list[str]:
    chosen = settings or Settings()
    found = course(*texts)
    return early(found, [term for one in found for term in terms_of(one, chosen)], chosen)


DEFINED = "A **feature map** (FM) is what a filter returns."


@pytest.mark.parametrize(
    "use",
    [
        "Two feature maps.",
        "Feature-maps!",
        "A feature\nmap.",
        "### A feature map",
        "- an item: feature maps",
        "| feature map |\n|---|\n| x |",
        "<details><summary>Model answer</summary>\n\nA feature map.\n\n</details>",
        "**Is it a feature map?**",
        "An FM.",
        "A feature map (lesson 02).",
        "A word (lesson 01). A feature map.",
        "What [it is](https://example.org/feature) is a feature map.",
    ],
)
def test_a_term_used_before_its_lesson_is_seen(use):
    (complaint,) = early_in(use, DEFINED)
    assert complaint.startswith("lesson 00, cell 1: 'feature map' is used, and defined only in lesson 01")
    assert 'point to it "(lesson 01)"' in complaint


@pytest.mark.parametrize(
    "use",
    [
        "A feature map (lesson 01).",
        "Feature maps (lesson 01) here. And feature maps there.",
        "A feature map (lessons 03 and 01).",
        "A [feature map](../notebooks/01_maps.ipynb).",
        "`feature_map` and `feature map` and $feature map$",
        "```\na feature map\n```",
        "A feature. Map it.",
        "A feature, map and all.",
        "Features map.\n\n## References\n\n- On feature maps (2015).",
        "## What comes next\n\nFeature maps.",
        "A fm radio.",
    ],
)
def test_what_is_no_use_or_points_to_its_lesson_is_left_alone(use):
    if "Features map." in use:
        use = use.replace("Features map.", "Words.")
    assert early_in(use, DEFINED) == []


def test_a_use_in_its_own_lesson_or_later_is_no_fault():
    assert early_in("Words.", f"A feature map.\n\n{DEFINED}", "Feature maps.") == []


def test_each_lesson_is_told_once_of_each_term():
    complaints = early_in("A feature map. A feature map.", "A feature map.", DEFINED)
    assert [text[:9] for text in complaints] == ["lesson 00", "lesson 01"]


def test_other_forms_and_everyday_words_are_listed():
    aliases = Settings(aliases={"feature map": ["response image"]})
    assert "'feature map' is used" in early_in("A response image.", DEFINED, settings=aliases)[0]
    assert early_in("A feature map.", DEFINED, settings=Settings(everyday={"feature map": "why"})) == []


def test_the_longest_term_counts():
    assert early_in("A receptive field.", "A **field** and a **receptive field** of a unit.")[0].count("'field'") == 0


def double(*texts: str, settings: Settings | None = None) -> list[str]:
    chosen = settings or Settings()
    return twice([term for one in course(*texts) for term in terms_of(one, chosen)], chosen)


def test_a_term_that_is_defined_twice_is_seen():
    (complaint,) = double(DEFINED, "**Feature maps** are many.")
    assert "'feature map' is defined twice: in lesson 00, cell 1, and in lesson 01, cell 1" in complaint
    assert "(lesson 00)" in complaint
    assert "'FM' is defined twice" in double(DEFINED, "**FM** is radio.")[0]
    assert "is defined twice" in double("A **word** and a **word**.")[0], "in one lesson, too"
    assert double(DEFINED, "A **feature** and a **map**.") == []


def test_settings_that_lead_nowhere_are_seen():
    chosen = Settings(aliases={"feature": ["x"]}, everyday={"map": "why"}, homonyms={"jump": "why"})
    assert [text.split(";")[0] for text in double(DEFINED, settings=chosen)] == [
        "glossary.toml gives other forms of 'feature', which no lesson defines",
        "glossary.toml lists 'map' as everyday language",
        "glossary.toml lists 'jump' as a homonym",
    ]


def test_a_formula_that_nobody_names_is_seen():
    assert "without a sentence" in _terms.formula_complaints(course("$$a$$")[0])[0]
    assert "stands in no lesson" in _terms.formula_complaints(page_of([(1, "A sum is\n\n$$a$$")]))[0]
    assert _terms.formula_complaints(course("A sum is\n\n$$a$$")[0]) == []


# --- the tool ---------------------------------------------------------------------------------------------------------

TERM = (
    "# Adding is the first thing",
    "# A **sum** is\n#\n# $$a + b$$\n#\n# and $a$ a number. Adding is the first thing",
)


@pytest.fixture
def small(tmp_path):
    """A course of the sample lesson with a term and a formula, its pages written."""
    lesson = sample(tmp_path, TERM)
    texts, complaints = reference_pages.make(tmp_path, Settings())
    assert complaints == []
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8", newline="\n")
    return lesson


def test_the_pages_of_a_small_course(small):
    glossary = (small.root / reference_pages.GLOSSARY).read_text(encoding="utf-8")
    place = "[90 Two numbers](../notebooks/90_sums.ipynb#Two-numbers)"
    assert f'<a id="sum"></a>**sum** · {place}<br>\nA **sum** is\n\n$$a + b$$\n\nand $a$ a number.\n' in glossary
    sheet = (small.root / reference_pages.FORMULAS).read_text(encoding="utf-8")
    assert "## 90 · Sums\n\n### [Two numbers](../notebooks/90_sums.ipynb#Two-numbers)\n\nA sum is\n\n$$a + b$$" in sheet


@pytest.mark.parametrize(
    ("change", "page"),
    [
        ((TERM[0], TERM[1].replace("a number", "one number")), PAGES[0]),
        ((TERM[0], TERM[1].replace("a + b", "b + a")), PAGES[1]),
        ((TERM[0], TERM[1].replace("**sum**", "sum")), PAGES[0]),
    ],
)
def test_a_page_out_of_step_is_seen(small, change, page):
    sample(small.root, change)
    texts, _ = reference_pages.make(small.root, Settings())
    complaints = reference_pages.out_of_step(texts, small.root)
    assert any(re.match(rf"{page} is out of step .* line \d+ on: {reference_pages.MEND}", each) for each in complaints)


def test_a_missing_or_edited_page_is_seen(small):
    texts, _ = reference_pages.make(small.root, Settings())
    path = small.root / reference_pages.GLOSSARY
    path.write_text(path.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    (small.root / reference_pages.FORMULAS).unlink()
    assert len(reference_pages.out_of_step(texts, small.root)) == 2


def test_terms_are_linked_once_and_homonyms_only_in_bold():
    (one,) = course(
        "A **sum** of **parts**; parts, a step, [a sum](x.md), `step` and steps. A **step** is a **sum** too."
    )
    found = terms_of(one, Settings())[:3]
    text = reference_pages.glossary(found, ["step"])
    assert "A **sum** of [parts](#parts); parts, a step, [a sum](x.md), `step` and steps." in text
    assert "A **step** is a [sum](#sum) too." in text


def test_an_abbreviation_leads_to_its_term():
    (one,) = course("**Average precision** (AP) is an area.")
    text = reference_pages.glossary(terms_of(one, Settings()))
    assert '<a id="ap"></a>**AP**: see [average precision](#average-precision)' in text
    assert '<a id="average-precision"></a>**average precision** (AP) · ' in text


def test_the_command_checks_and_writes(small, monkeypatch, capsys):
    monkeypatch.setattr(reference_pages, "settings", Settings)
    assert reference_pages.main(["--check"], small.root) == 0
    sample(small.root, TERM, ("# and $a$ a number.", "# and $a$ a number. A **sum** is a sum."))
    assert reference_pages.main(["--check"], small.root) == 1
    said = capsys.readouterr().out
    assert "docs/glossary.md is out of step" in said or "is defined twice" in said
    assert reference_pages.main([], small.root) == 1, "what is amiss in the lessons is told when it writes, too"
    sample(small.root, TERM)
    assert reference_pages.main([], small.root) == 0
    assert reference_pages.main(["--check"], small.root) == 0


def test_a_lesson_that_comes_later_is_told_what_to_do():
    """A lesson between others that defines what earlier ones use, or what others define."""
    old = page_of([(1, "# 17 · A\n\nA **shard** is a part. An assistant helps.")])
    new = page_of([(1, "# 18 · B\n\nAn **assistant** is a program. A **shard** is a piece.")])
    found = [term for one in (old, new) for term in terms_of(one, Settings())]
    assert "defined only in lesson 18" in early([old, new], found, Settings())[0]
    assert "in lesson 17, cell 1, and in lesson 18, cell 1. Leave the first in bold" in twice(found, Settings())[0]
