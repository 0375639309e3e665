"""Predictions in a lesson: committing or not, what counts, what is kept, what is shown, and that nothing stops."""

import asyncio
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from engine_case import seen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cnnlib
from cnnlib.exercises import catalogue, journal, outline, predict, predictions, progress, prompt, reveal

SHARE = "What share is still active?"
WHICH = "Which ends lower?"
CHOICES = ["constant", "cosine"]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(journal, "_events", {})
    monkeypatch.setattr(journal, "_warned", set())
    monkeypatch.setattr(predictions, "_questions", {})
    monkeypatch.delenv("CNNLIB_STATIC")


@pytest.fixture
def said(capsys):
    """What was printed since the last call."""
    return lambda: capsys.readouterr().out


def kept(file) -> dict:
    return json.loads(file.read_text())["predictions"]


# --- what is said -----------------------------------------------------------------------------------------------------


def test_without_a_commitment_the_result_is_said_and_nothing_else(said):
    predict("03.a", SHARE, unit="%")
    assert said() == (
        '03.a · No prediction yet: write your number in % behind the question, predict("03.a", "...", HERE, ...).\n'
    )
    reveal("03.a", 0.3)
    assert said() == "03.a · It is ≈ 0.300 %.\n"
    predict("03.b", WHICH, choices=CHOICES)
    assert 'write "constant" or "cosine" behind' in said()
    reveal("03.b", "cosine")
    assert said() == "03.b · It is cosine.\n"


def test_a_commitment_is_told_how_far_off_it_was(said):
    predict("03.a", SHARE, 40, unit="%")
    assert said() == "03.a · You predicted 40 %.\n"
    reveal("03.a", 0.3)
    assert said() == "03.a · You predicted 40 %. It is ≈ 0.300 %: far off, 40 points too high.\n"
    predict("03.b", WHICH, "cosine", choices=CHOICES)
    reveal("03.b", "constant")
    assert said().endswith("You predicted cosine. It is constant: not what you predicted.\n")


def test_the_lesson_s_names_are_those_of_the_package():
    assert (cnnlib.predict, cnnlib.reveal) == (predict, reveal)


@pytest.mark.parametrize(
    ("value", "exact", "shown"),
    [(np.float32(0.25), False, "≈ 0.250"), (np.int64(9_633_792), True, "9,633,792"), (np.int64(576), False, "≈ 576"),
     (keras.ops.convert_to_tensor(0.5), False, "≈ 0.500"), (25.0, True, "25"), (12.5, True, "12.5"),
     (float("nan"), False, "≈ nan"), (float("inf"), False, "≈ inf"), (-3, False, "≈ -3")],
)  # fmt: skip
def test_numbers_of_every_kind_are_revealed(said, value, exact, shown):
    predict("03.a", SHARE)
    said()
    reveal("03.a", value, exact=exact)
    assert said() == f"03.a · It is {shown}.\n"
    json.dumps(journal.events(), allow_nan=False)


def test_a_truth_value_is_yes_or_no(said):
    predict("03.a", "Is it?", "no", choices=["yes", "no"])
    reveal("03.a", np.bool_(True))
    assert "You predicted no. It is yes: not" in said()
    predict("03.b", "Is it?", "no", choices=["yes", "no"])
    reveal("03.b", 1 > 2)
    assert "You predicted no. It is no: right." in said()


def test_choices_may_be_numbers(said):
    predict("03.a", "How often?", 3, choices=[1, 3, 9])
    reveal("03.a", np.int64(9))
    assert "You predicted 3. It is 9: not what you predicted." in said()


def test_a_result_that_is_no_number_is_not_judged(said):
    predict("03.a", SHARE, 40, unit="%")
    reveal("03.a", float("nan"))
    assert said().endswith("You predicted 40 %. It is ≈ nan %.\n")


def test_a_reveal_whose_question_did_not_run_here_says_what_came_out(said):
    reveal("03.a", 0.3)
    reveal("03.b", "cosine")
    assert said() == "03.a · It is ≈ 0.300.\n03.b · It is cosine.\n"


# --- a learner's mistakes stop nothing --------------------------------------------------------------------------------


@pytest.mark.parametrize("guess", ["forty", "", True, [1, 2], float("nan"), np.zeros(3)])
def test_what_is_no_number_is_said_and_not_kept(said, guess):
    predict("03.a", SHARE, guess, unit="%")
    assert "is no number; write digits, as in 12, 0.5 or 3e6. Nothing was kept." in said()
    predict("03.a", SHARE, 40, unit="%")
    reveal("03.a", 40)
    assert said().endswith("You predicted 40 %. It is ≈ 40 %: right.\n")


def test_what_is_no_choice_is_said(said):
    predict("03.b", WHICH, "step", choices=CHOICES)
    assert "'step' is none of the choices: constant, cosine. Nothing was kept." in said()


def test_a_place_that_was_left_open_is_no_guess(said):
    predict("03.a", SHARE, ..., unit="%")
    assert "No prediction yet" in said()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text() | st.floats() | st.integers() | st.lists(st.text()) | st.binary() | st.booleans())
def test_nothing_that_a_learner_writes_raises(said, guess):
    journal._events.clear()
    for more in ({"unit": "%"}, {"within": 2}, {"choices": CHOICES}):
        predict("03.a", SHARE, guess, **more)
        reveal("03.a", "cosine" if "choices" in more else 3)
        assert said().count("\n") == 2


# --- an author's mistakes do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["3.a", "03.1", "03a", "03.aa", "", None, 3, "03.A"])
def test_an_id_that_is_none(id):
    for call in (lambda: predict(id, SHARE), lambda: reveal(id, 3)):
        with pytest.raises(ValueError, match="named by lesson and letter"):
            call()


@pytest.mark.parametrize(
    ("more", "match"),
    [({"choices": ["one"]}, "two or more"), ({"choices": "ab"}, "two or more"), ({"within": -1}, "not negative"),
     ({"choices": ["a", "A"]}, "another text"), ({"choices": ["", "a"]}, "none empty"),
     ({"choices": CHOICES, "unit": "%"}, "give choices alone"), ({"choices": CHOICES, "within": 1}, "choices alone"),
     ({"within": "1"}, "not negative"), ({"question": " "}, "needs a question"), ({"question": None}, "a question")],
)  # fmt: skip
def test_a_question_that_is_not_well_formed(more, match):
    with pytest.raises(ValueError, match=match):
        predict("03.a", **{"question": SHARE, **more})


def test_a_result_that_cannot_be_the_answer():
    predict("03.a", SHARE)
    with pytest.raises(TypeError, match=r"reveal\('03.a', ...\): a number was asked for; the result is 'cosine'"):
        reveal("03.a", "cosine")
    with pytest.raises(TypeError, match="a number was asked for"):
        reveal("03.a", np.zeros(2))
    predict("03.b", WHICH, choices=CHOICES)
    with pytest.raises(ValueError, match="'step' is none of the choices constant, cosine"):
        reveal("03.b", "step")


# --- what counts ------------------------------------------------------------------------------------------------------


def test_the_first_guess_counts(said, file):
    predict("03.a", SHARE, 40, unit="%")
    predict("03.a", SHARE, 1, unit="%")
    assert said().endswith("03.a · Your first guess counts: 40 %.\n")
    reveal("03.a", 0.3)
    assert "You predicted 40 %" in said()
    assert [event.get("guess") for event in kept(file)["03.a"]] == [40, 1, None]


def test_a_guess_after_the_reveal_is_kept_and_does_not_count(said, file):
    reveal("03.a", 0.3)
    predict("03.a", SHARE, 0.3, unit="%")
    assert said().endswith("03.a · 0.3 %, after the result was shown: kept, and not counted.\n")
    reveal("03.a", 0.3)
    assert said() == "03.a · It is ≈ 0.300 %. Your 0.3 % came after the result and does not count.\n"
    assert [event["event"] for event in kept(file)["03.a"]] == ["reveal", "guess", "reveal"]
    assert predictions.committed() == []


def test_running_everything_again_adds_no_events(file):
    for _ in range(4):
        predict("03.a", SHARE, 40, unit="%")
        reveal("03.a", 0.3)
    assert [event["event"] for event in kept(file)["03.a"]] == ["guess", "reveal"]
    (made,) = predictions.committed()
    assert (made.guess, made.value, made.verdict.right) == ("40 %", "0.3 %", False)


def test_the_first_result_counts(file):
    """What is trained anew comes out a little differently; progress does not change with it."""
    predict("03.a", SHARE, 40, unit="%")
    reveal("03.a", 0.3)
    predict("03.a", SHARE, 41, unit="%")
    reveal("03.a", 40)
    assert predictions.committed()[0].value == "0.3 %"


def test_a_new_kernel_knows_what_was_committed(file):
    code = "from cnnlib import predict, reveal\nimport sys\n"
    ask = f'predict("03.a", "{SHARE}"%s, unit="%%")\n'
    env = {name: value for name, value in os.environ.items() if name != "CNNLIB_STATIC"}

    def python(text):
        return subprocess.run(
            [sys.executable, "-c", code + text], env=env, capture_output=True, encoding="utf-8", timeout=120, check=True
        ).stdout

    assert "You predicted 40 %." in python(ask % ", 40")
    assert python(ask % "" + 'reveal("03.a", 40.0)') == (
        "03.a · You predicted 40 %.\n03.a · You predicted 40 %. It is ≈ 40.0 %: right.\n"
    )
    assert "after" not in python(ask % "" + 'reveal("03.a", 40.0)')
    assert "You predicted 40 %. It is ≈ 0.300 %" in python('reveal("03.a", 0.3)'), "the question is kept with the guess"


def test_of_two_kernels_at_once_one_is_first(file):
    code = "import sys; from cnnlib import predict\npredict('03.a', 'How many?', int(sys.argv[1]))"
    env = {name: value for name, value in os.environ.items() if name != "CNNLIB_STATIC"}
    quiet = {"env": env, "stdout": subprocess.DEVNULL}
    runs = [subprocess.Popen([sys.executable, "-c", code, str(n)], **quiet) for n in (1, 2, 3)]
    assert [run.wait(120) for run in runs] == [0] * 3
    assert sorted(event["guess"] for event in kept(file)["03.a"]) == [1, 2, 3]
    assert predictions.committed()[0].guess == str(kept(file)["03.a"][0]["guess"])


# --- the file ---------------------------------------------------------------------------------------------------------


def test_an_older_file_is_read_and_its_exercises_stay(file):
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "exercises": {"01.2": {"attempts": 4}}}))
    assert journal.events() == {}
    predict("03.a", SHARE, 40, unit="%")
    journal.note_attempt("01.2", False)
    assert journal.entries()["01.2"]["attempts"] == 5
    assert [event["guess"] for event in kept(file)["03.a"]] == [40]


@pytest.mark.parametrize("damage", [[], {"03.a": 3}, {"03.a": [3]}, {"03.a": {}}, None])
def test_damaged_predictions_are_damage(file, damage):
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "exercises": {}, "predictions": damage}))
    with pytest.warns(UserWarning, match=r"it is now progress\.damaged-1\.json"):
        assert journal.events() == {}


@pytest.mark.parametrize(
    "event", [{}, {"event": "guess"}, {"event": "later"}, {"event": "reveal"}, {"event": "guess", "guess": None}]
)
def test_events_of_another_version_stop_nothing(file, said, event):
    file.parent.mkdir()
    file.write_text(json.dumps({"exercises": {}, "predictions": {"03.a": [event]}}))
    predict("03.a", SHARE, unit="%")
    reveal("03.a", 0.3)
    assert "It is ≈ 0.300 %" in said()
    progress()


def test_what_cannot_be_written_lasts_until_python_ends(tmp_path, monkeypatch, said):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("CNNLIB_PROGRESS", str(tmp_path / "a file" / "progress.json"))
    with pytest.warns(UserWarning, match="cannot be written"):
        predict("03.a", SHARE, 40, unit="%")
    predict("03.a", SHARE, 3, unit="%")
    reveal("03.a", 0.3)
    assert "You predicted 40 %. It is" in said()


def test_a_guess_in_a_write_protected_file_stays_the_first(file, monkeypatch, said):
    predict("03.a", SHARE, 40, unit="%")
    before = file.read_text()
    writable = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and writable(path, mode))
    with pytest.warns(UserWarning, match="write-protected"):
        predict("03.a", SHARE, 1, unit="%")
    assert said().endswith("Your first guess counts: 40 %.\n")
    reveal("03.a", 0.3)
    predict("03.b", SHARE, 7, unit="%")
    reveal("03.b", 7)
    assert "03.b · You predicted 7 %. It is ≈ 7 %: right." in said()
    assert file.read_text() == before
    assert [each.id for each in predictions.committed()] == ["03.a", "03.b"]


def test_in_static_mode_the_file_is_left_alone(file, monkeypatch, said):
    predict("03.a", SHARE, 40, unit="%")
    before = file.read_text()
    monkeypatch.setenv("CNNLIB_STATIC", "1")
    said()
    predict("03.a", SHARE, unit="%")
    reveal("03.a", 0.3)
    assert said().splitlines()[1] == "03.a · It is ≈ 0.300 %.", "a stored page holds nothing of who made it"
    assert file.read_text() == before
    predict("03.b", SHARE, 3, unit="%")
    reveal("03.b", 3)
    assert "You predicted 3 %" in said()
    assert file.read_text() == before


# --- the widget -------------------------------------------------------------------------------------------------------


class Shell:
    kernel = object()


@pytest.fixture
def displayed(monkeypatch):
    """The bundles that were displayed, as if this were a kernel."""
    import IPython.display

    shown = []
    monkeypatch.setattr(predictions, "running_shell", Shell)
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: shown.append(bundle))
    return shown


@pytest.fixture
def built(displayed, monkeypatch):
    """The widgets that were built: question, row of controls, answer."""
    made, build = [], prompt.build
    monkeypatch.setattr(prompt, "build", lambda *arguments: made.append(build(*arguments)) or made[-1])
    return made


def test_a_notebook_shows_a_widget_and_keeps_the_text_beside_it(displayed, said):
    predict("03.a", SHARE, unit="%")
    (bundle,) = displayed
    assert any("widget-view" in kind for kind in bundle)
    assert bundle["text/plain"].startswith("03.a · No prediction yet")
    assert said() == ""


@pytest.mark.parametrize("why", ["static", "no ipywidgets", "no kernel"])
def test_elsewhere_there_is_no_widget(displayed, monkeypatch, said, why):
    if why == "static":
        monkeypatch.setenv("CNNLIB_STATIC", "1")
    elif why == "no ipywidgets":
        monkeypatch.setattr(prompt.importlib.util, "find_spec", lambda name: None)
    else:
        monkeypatch.setattr(predictions, "running_shell", lambda: None)
    predict("03.a", SHARE, unit="%")
    assert displayed == []
    assert "No prediction yet" in said()


def test_buttons_commit_to_a_choice_once(built, said, file):
    predict("03.b", WHICH, choices=CHOICES)
    question, row, answer = built[0].children
    assert WHICH in question.value
    assert [button.description for button in row.children] == CHOICES
    row.children[1].click()
    assert "You predicted cosine." in answer.value
    assert all(button.disabled for button in row.children)
    reveal("03.b", "cosine")
    assert said() == "03.b · You predicted cosine. It is cosine: right.\n"
    predict("03.b", WHICH, choices=CHOICES)
    assert len(built) == 1, "there is nothing left to choose"
    assert said() == "03.b · You predicted cosine.\n"


def test_a_field_takes_a_number_by_its_button_or_by_enter(built, said, file):
    predict("03.a", SHARE, unit="%")
    field, button = built[0].children[1].children
    answer = built[0].children[2]
    button.click()
    assert "Write a number first." in answer.value
    field.value = "forty <b>"
    button.click()
    assert "is no number" in answer.value
    assert "&lt;b&gt;" in answer.value
    assert not field.disabled
    assert not file.exists()
    field.value = "40 %"
    field._handle_custom_msg({"event": "submit"}, [])  # what the page sends for Enter
    assert "You predicted 40 %." in answer.value
    assert field.disabled
    assert button.disabled
    reveal("03.a", 0.3)
    assert "far off" in said()


@pytest.mark.parametrize("known", [False, True], ids=["Enter comes first", "the value was known before"])
def test_enter_takes_what_stands_in_the_field_when_it_is_pressed(built, file, known):
    """The page sends the key before the text that it ends; a text that was sent when the field was left comes alone."""

    async def typed():
        predict("03.a", SHARE, unit="%")
        field = built[0].children[1].children[0]
        field.value = "40" if known else "4"  # as somebody left it, who then came back
        assert not file.exists(), "to leave the field is not to commit"
        field._handle_custom_msg({"event": "submit"}, [])
        if not known:
            field.value = "40"
        else:
            await asyncio.sleep(2 * prompt._PATIENCE)

    asyncio.run(typed())
    assert [event["guess"] for event in kept(file)["03.a"]] == [40]


def test_a_widget_says_when_it_is_too_late(built, said):
    reveal("03.a", 0.3)
    predict("03.a", SHARE, unit="%")
    field, button = built[0].children[1].children
    assert "does not count" in built[0].children[2].value
    field.value = "1"
    button.click()
    assert "after the result was shown: kept, and not counted." in built[0].children[2].value


def test_of_two_widgets_the_first_that_was_used_counts(built, file):
    """The same lesson is open twice, or its cell ran twice."""
    for _ in range(2):
        predict("03.b", WHICH, choices=CHOICES)
    built[1].children[1].children[0].click()
    built[0].children[1].children[1].click()
    assert "Your first guess counts: constant." in built[0].children[2].value


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A lesson that asks for three predictions and has one exercise."""
    text = "# %% [markdown]\n# # 03 · Training\n"
    text += "".join(f'\n# %%\npredict("03.{letter}", "How many?")\n' for letter in "abc")
    (tmp_path / "03_training.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(outline, "lessons", lambda: {"03": tmp_path / "03_training.py"})
    monkeypatch.setattr(catalogue, "listed", lambda: {"03.1": "One"})


def test_progress_says_how_many_were_right_and_the_most_surprising_misses(lesson, file):
    assert "Predictions: 0 of 3 committed, 0 right" in repr(progress())
    for id, guess, value in (("03.a", 10, 10), ("03.b", 1, 1000), ("03.c", 10, 20)):
        predict(id, "How many <i>?", guess)
        if id != "03.c":
            reveal(id, value)
    assert "Predictions: 3 of 3 committed, 1 right, 1 without a result yet" in repr(progress())
    reveal("03.c", 20)
    text = repr(progress("03"))
    assert "predictions: 3 of 3 committed, 1 right\n" in text
    misses = [line.strip() for line in text.splitlines() if "it was" in line]
    assert misses == [
        "03.b How many <i>? You predicted 1, it was 1,000: far off, 1,000 times too low",
        "03.c How many <i>? You predicted 10, it was 20: near, 2 times too low",
    ]
    assert sum("it was" in line for line in repr(progress()).splitlines()) == 1, "of each lesson one"
    card = seen(progress("03"))
    assert "1,000 times too low" in card
    assert "How many <i>?" in card


def test_a_course_without_predictions_has_no_word_of_them(monkeypatch, file):
    monkeypatch.setattr(catalogue, "listed", lambda: {"98.1": "One"})
    assert "redict" not in repr(progress())
    assert "redict" not in progress()._repr_html_()


def test_progress_of_predictions_in_a_terminal(file):
    predict("03.a", SHARE, 40, unit="%")
    reveal("03.a", 0.3)
    env = {name: value for name, value in os.environ.items() if name != "CNNLIB_STATIC"}
    run = subprocess.run(
        [sys.executable, "-m", "cnnlib.exercises"], capture_output=True, encoding="utf-8", timeout=120, env=env
    )
    assert run.returncode == 0, run.stderr
    assert f"03.a {SHARE} You predicted 40 %, it was 0.3 %: far off, 40 points too high" in run.stdout
