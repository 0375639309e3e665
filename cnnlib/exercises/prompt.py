"""The widget that takes a prediction: a row of buttons for choices, a field and a button for a number.

Everything is reached with Tab and used with Enter or Space. The output has the text beside the widget, so a notebook
that is read where no kernel answers shows that instead.
"""

import asyncio
import html
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from .judging import Question

_PATIENCE = 0.5  # seconds from Enter to what was written


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
        _on_enter(field, take)
    row = widgets.HBox(list(controls), layout={"flex_flow": "row wrap"})
    return widgets.VBox([question, row, answer])


def _on_enter(field: Any, take: Callable[[Any], None]) -> None:
    """Take what stands in the field when Enter is pressed.

    The page sends Enter first and what was written after it, unless that is known here already.
    """
    entered = False

    def finish(_: Any = None) -> None:
        nonlocal entered
        if entered:
            entered = False
            take(field.value)

    def pressed(_: Any, content: dict[str, Any], __: Any) -> None:
        nonlocal entered
        if content.get("event") != "submit":
            return
        entered = True
        try:
            asyncio.get_running_loop().call_later(_PATIENCE, finish)
        except RuntimeError:  # nothing else can arrive
            finish()

    field.on_msg(pressed)
    field.observe(finish, names="value")


def _buttons(widgets: Any, asked: Question) -> list[Any]:
    return [widgets.Button(description=each, tooltip=each, layout={"width": "auto"}) for each in asked.choices]


def _field(widgets: Any, asked: Question) -> list[Any]:
    unit = f" in {asked.unit}" if asked.unit else ""
    look = {"style": {"description_width": "initial"}, "layout": {"width": "16em"}}
    field = widgets.Text(description="Your guess", placeholder=f"a number{unit}", continuous_update=False, **look)
    return [field, widgets.Button(description="Commit", tooltip="Commit to this guess", layout={"width": "auto"})]


def _line(text: str) -> str:
    return f'<span role="status">{html.escape(text)}</span>'
