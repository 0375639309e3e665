"""How a lesson is cut into slides; no browser."""

import pytest
from slides import blocks, cut
from slides.cut import Part

PICTURE = '<img alt="Two curves" src="data:image/png;base64,iVBORw0KGgo=">'


def text(source, *tags):
    return {"cell_type": "markdown", "metadata": {"tags": list(tags)} if tags else {}, "source": source}


def code(source, printed="", picture=False, tags=()):
    outputs = [{"output_type": "stream", "text": printed}] if printed else []
    outputs += [{"output_type": "display_data", "data": {"text/html": PICTURE}}] if picture else []
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": outputs}


OPENING = text(
    "# 01 · Fences\n\n**How many posts?**\n\nYou can\n- count\n- build\n\n**Before this**: nothing\n\n"
    "| part | question | minutes |\n|---|---|--:|\n| 1 Posts | How many? | 9 |"
)


def slides(*cells, **told):
    found = {n: blocks.shown_code(c["source"]) for n, c in enumerate((OPENING, *cells), 1) if c["cell_type"] == "code"}
    return cut.Cutter("01", (OPENING, *cells), told, {"01.1": "●○○ · 10 min"}, found).slides()[3:]


def kinds(slide):
    return [part.kind for part in slide.parts]


def test_the_opening_is_question_goals_and_plan():
    made = cut.Cutter("01", [OPENING], {"title": ["bring wood"]}, {}, {}).slides()
    assert [(each.kind, kinds(each)) for each in made] == [
        ("title", ["ask"]),
        ("plain", ["list"]),
        ("plain", ["table"]),
    ]
    assert made[0].parts[0].text == "How many posts?"
    assert made[0].notes == ["bring wood"]
    assert made[1].parts[0].text == "- count\n- build"


def test_a_part_is_its_question_and_what_the_speaker_is_told_of_it():
    part, *_ = slides(text("## Part 1 · Posts\n\n**How many?**\n\nSome."), **{"Part 1 · Posts": ["**Minutes**: 9"]})
    assert (part.kind, part.title, part.parts, part.notes) == (
        "part", "Part 1 · Posts", [Part("ask", "How many?")], ["**Minutes**: 9"],
    )  # fmt: skip


def test_a_prediction_and_what_came_out_are_two_slides():
    predict, answer = slides(
        text("### Rails\n\nA fence has rails between posts.\n\n**Predict**: how many rails?"),
        code('predict("01.a", "Rails of 5 posts?", choices=["four", "six"])', "01.a · No prediction yet: write"),
        code('n = 4\nclaim("one less", True)\nreveal("01.a", n)', "✔ one less\n01.a · It is ≈ 4.00.\n"),
        text("So it is."),
    )
    assert predict.kind == "predict"
    assert predict.parts == [
        Part("text", "A fence has rails between posts."), Part("ask", "How many rails?"),
        Part("choices", "- four\n- six"),
    ]  # fmt: skip
    assert "commits" in predict.notes[0]
    assert (answer.kind, answer.title) == ("answer", "Rails")
    assert answer.parts[0] == Part("answer", "Rails of 5 posts?\n≈ 4.00")
    assert answer.parts[1:3] == [Part("code", "n = 4"), Part("claims", "- one less")]


def test_what_comes_out_of_a_cell_is_not_on_the_slide_that_asks():
    predict, answer = slides(
        text("### Rails\n\n**Predict**: how many?"), code('reveal("01.a", 4)', "01.a · It is 4.\n")
    )
    assert "4" not in "".join(part.text for part in predict.parts)
    assert answer.parts == [Part("answer", "\n4")]


def test_prose_is_in_the_notes_and_its_first_sentence_leads():
    (slide,) = slides(
        text("### Rails\n\nA wooden fence has rails between its posts, always. Then more is said that no slide needs."),
        code("plot(x)", picture=True),
        text("The rails are one less than the posts. And this is why."),
    )
    assert kinds(slide) == ["lead", "figure", "text"]
    assert slide.parts[0].text == "A wooden fence has rails between its posts, always."
    assert slide.parts[2].text.startswith("The rails are one less than the posts.")
    assert any("no slide needs" in note for note in slide.notes)
    assert any("this is why" in note for note in slide.notes)


def test_a_section_of_prose_only_shows_the_first_sentence_of_each_paragraph():
    (slide,) = slides(
        text("### Why\n\nWood rots where it is wet, and posts are. More."),
        text("Iron does not rot, but it rusts where it was cut. More."),
    )
    assert slide.parts == [
        Part("list", "- Wood rots where it is wet, and posts are.\n- Iron does not rot, but it rusts where it was cut.")
    ]
    assert len(slide.notes) == 2


def test_the_sentence_that_defines_is_shown_and_a_formula_with_the_one_before():
    (slide,) = slides(
        text("### Rails\n\nFirst this. A **rail** joins posts. Last.\n\n$$r = p - 1$$\n\n$p$ is the number of posts.")
    )
    assert [part.text for part in slide.parts] == [
        "A **rail** joins posts.", "Last.", "$$r = p - 1$$", "$p$ is the number of posts.",
    ]  # fmt: skip


def test_code_is_shown_if_it_is_short_and_the_tags_decide_otherwise():
    short, long = code("x = 1\ny = 2", "3"), code("\n".join(f"x{n} = {n}" for n in range(20)), "3")
    heading = text("### Rails")
    assert kinds(slides(heading, short)[0]) == ["code", "printed"]
    assert kinds(slides(heading, long)[0]) == ["printed"]
    assert "cell 3" in slides(heading, long)[0].notes[-1]
    assert "code" in [
        kind for each in slides(heading, {**long, "metadata": {"tags": ["slide-code"]}}) for kind in kinds(each)
    ]
    assert kinds(slides(heading, {**short, "metadata": {"tags": ["slide-no-code"]}})[0]) == ["printed"]
    assert slides(heading, {**short, "metadata": {"tags": ["slide-skip"]}}) == []


def test_exercises_are_named_on_the_slide_that_closes_the_part():
    stub, check = code("posts = ..."), code('exercise("01.1").check(posts)', "○ Not attempted yet")
    _, slide = slides(
        text("## Part 1 · Posts\n\n**How many?**"),
        text("### Exercise 01.1 · Count\n\n●○○ · 10 min\n\nCount the posts of the fence in front of the house."),
        stub, check, text("**So far**: posts stand. Rails lie."),
        **{"01.1": ["**Common mistakes**: one too few"]},
    )  # fmt: skip
    assert (slide.kind, kinds(slide)) == ("recap", ["list", "tasks"])
    assert slide.parts[0].text == "- Posts stand.\n- Rails lie."
    assert slide.parts[1].text.startswith("- **01.1 Count** · ●○○ · 10 min<br>Count the posts")
    assert "**Common mistakes**: one too few" in slide.notes


def test_what_is_too_long_is_cut_and_nothing_of_it_is_lost():
    rows = "\n".join(f"| {n} | a row |" for n in range(30))
    made = slides(text(f"### Table\n\n| n | what |\n|---|---|\n{rows}"))
    assert len(made) > 1
    assert all(part.text.startswith("| n | what |\n|---|---|\n") for each in made for part in each.parts)
    assert sum(part.text.count("a row") for each in made for part in each.parts) == 30
    assert all(each.lines <= cut.LINES for each in made)


def test_marks_of_the_text():
    lines = "### Rails\n\n{}\nA long story begins. It has a second sentence, too."
    assert slides(text(lines.format("<!-- slide: show -->")))[0].parts[0].text.endswith("too.")
    assert slides(text(lines.format("<!-- slide: skip -->"))) == []
    assert (
        slides(
            text("<!-- slide: skip -->\n### Rails\n\nGone."),
            text("### Posts\n\nThey stay where they are, in the ground."),
        )[0].title
        == "Posts"
    )
    one, two = slides(text("### Rails\n\n- a\n- b\n\n<!-- slide: new -->\n\n- c"))
    assert (one.parts[0].text, two.parts[0].text) == ("- a\n- b", "- c")


def test_a_mark_that_means_nothing_is_told_with_those_that_do():
    with pytest.raises(blocks.MarkError, match="cell 2: the mark '<!-- slide: hide -->' means nothing; there are skip"):
        slides(text("<!-- slide: hide -->\n\nText."))
    with pytest.raises(blocks.MarkError, match="stands nothing"):
        slides(text("Text.\n\n<!-- slide: skip -->"))
    with pytest.raises(blocks.MarkError, match="cell 2: the tag slide-cod means nothing"):
        slides(code("x", tags=["slide-cod"]))


def test_code_without_what_only_says():
    source = 'import keras\n\n# how many\nx = f(3)\nclaim("three", x == 3)\nfor a in x:\n    measured("a", a)\nx'
    assert blocks.shown_code(source) == "# how many\nx = f(3)"
    assert blocks.shown_code("%pip list") == ""


def test_sentences_leave_formulas_and_code_whole():
    assert blocks.sentences("One $a. B$ and `c. D`. $x$ is two (see. This). Three?") == [
        "One $a. B$ and `c. D`.", "$x$ is two (see. This).", "Three?",
    ]  # fmt: skip


def test_questions_to_discuss_have_their_answers_in_the_notes():
    made = cut.discussed([(f"Why {n}?", f"Because {n}.") for n in range(4)])
    assert [len(each.parts) for each in made] == [3, 1]
    assert made[1].notes == ["**Why 3?** Because 3."]
    assert "Because" not in made[0].parts[0].text
