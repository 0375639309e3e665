"""The widget that takes a prediction: a row of buttons for choices, a field and a button for a number.

Everything is reached with Tab and used with Enter or Space. The output has the text beside the widget, so a notebook
that is read where no kernel answers shows that instead.
"""

import html
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from .judging import Question


def is_possible() -> bool:
    """Whether widgets can be made here."""
    return importlib.util.find_spec("ipywidgets") is not None


def show(id: str, asked: Question, commit: Callable[[Any], tuple[bool, str]], note: str, text: str) -> None:
    """Show the widget.

    Args:
        id: of the prediction.
        asked: the question.
        commit: called with what the learner chose or wrote; says whether it was understood, and what to answer.
        note: what to say before anything was committed.
        text: what a page says that shows no widgets.
    """
    display = importlib.import_module("IPython.display").display
    views = dict(build(id, asked, commit, note)._repr_mimebundle_())
    display({**views, "text/plain": text}, raw=True)


def build(id: str, asked: Question, commit: Callable[[Any], tuple[bool, str]], note: str = "") -> Any:
    """The widget itself: question, controls and the line that answers."""
    widgets = importlib.import_module("ipywidgets")
    question = widgets.HTML(f"<span>{html.escape(id)} · {html.escape(asked.text)}</span>")
    answer = widgets.HTML(_line(note))
    controls = _buttons(widgets, asked) if asked.choices else _field(widgets, asked)

    def take(said: Any) -> None:
        if not asked.choices and not str(said).strip():
            answer.value = _line("Write a number first.")
            return
        understood, text = commit(said)
        answer.value = _line(text)
        for each in controls if understood else ():
            each.disabled = True

    if asked.choices:
        for button in controls:
            button.on_click(lambda pressed: take(pressed.description))
    else:
        field, button = controls
        button.on_click(lambda _: take(field.value))
        field.on_msg(lambda _, content, __: take(field.value) if content.get("event") == "submit" else None)  # Enter
    row = widgets.HBox(list(controls), layout={"flex_flow": "row wrap"})
    return widgets.VBox([question, row, answer])


def _buttons(widgets: Any, asked: Question) -> list[Any]:
    return [widgets.Button(description=each, tooltip=each, layout={"width": "auto"}) for each in asked.choices]


def _field(widgets: Any, asked: Question) -> list[Any]:
    unit = f" in {asked.unit}" if asked.unit else ""
    field = widgets.Text(
        description="Your guess", placeholder=f"a number{unit}", style={"description_width": "initial"},
        layout={"width": "16em"},
    )  # fmt: skip
    return [field, widgets.Button(description="Commit", tooltip="Commit to this guess", layout={"width": "auto"})]


def _line(text: str) -> str:
    return f'<span role="status">{html.escape(text)}</span>'
