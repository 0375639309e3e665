"""Which tool for which project: eight kinds of networks, seven projects, and what a choice breaks (lesson 18).

A project is a few facts. `review` gives back objections to a tool, each with the fact that it breaks. No objection does
not mean that the tool is good: it means that none of these facts speaks against it. Projects and their numbers are
invented; operations and sizes of tools are rounded from lessons 07 to 13 and from the papers named there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["PROJECTS", "TOOLS", "Objection", "Project", "Tool", "review"]


class Tool(NamedTuple):
    """A kind of network, or none: what it answers, and what it asks for.

    Attributes:
        answers: "class" or "picture".
        labels: labelled examples for each class below which it is not worth a try; 0 if it needs none.
        gmacs: billions of multiply-accumulates for an answer; 0 if it is a matter of microseconds.
        neighbours: whether it takes for granted that neighbouring inputs belong together.
        photographs: whether it was pretrained on photographs, and so wants pictures like them.
        words: whether its classes are given in words, and may change without training.
        invents: whether it draws what is likely where nothing is known.
        about: one line.
    """

    answers: str
    labels: int
    gmacs: float
    neighbours: bool = True
    photographs: bool = False
    words: bool = False
    invents: bool = False
    about: str = ""


TOOLS: dict[str, Tool] = {
    "boosted trees": Tool("class", 50, 0, neighbours=False, about="on a table of numbers, columns in any order"),
    "CNN from random weights": Tool("class", 500, 0.3, about="a MobileNetV2, trained on your pictures alone"),
    "pretrained CNN": Tool("class", 20, 0.3, photographs=True, about="a MobileNetV2, its last layers trained anew"),
    "pretrained ViT": Tool("class", 20, 17.6, photographs=True, about="a ViT-B/16, its last layers trained anew"),
    "self-supervised CNN": Tool("class", 50, 4.1, about="a ResNet-50 that has seen your own unlabelled pictures"),
    "image-text model": Tool("class", 0, 17.6, photographs=True, words=True, about="CLIP with a ViT-B/16, by words"),
    "trained restoration": Tool("picture", 0, 10, about="a U-Net from pairs, least squared error"),
    "diffusion": Tool("picture", 0, 2000, invents=True, about="a conditional diffusion model, 50 steps"),
}


@dataclass(frozen=True)
class Project:
    """Where a tool is wanted.

    Attributes:
        name, story: what it is about.
        answers: "class" or "picture".
        labels: labelled examples of each class.
        unlabelled: further examples without labels.
        max_gmacs: what there is room for, for one answer.
        table: the inputs are columns of a table, not places.
        photographs: the pictures are like photographs of the web.
        classes_change: new classes come every week, known by their names only.
        measured: somebody measures in the pictures that come out, or relies on each detail.
        several_right: many pictures would do, and one that is the mean of all would not.
    """

    name: str
    story: str
    answers: str = "class"
    labels: int = 0
    unlabelled: int = 0
    max_gmacs: float = float("inf")
    table: bool = False
    photographs: bool = True
    classes_change: bool = False
    measured: bool = False
    several_right: bool = False


PROJECTS: dict[str, Project] = {
    project.name: project
    for project in (
        Project(
            "churn",
            "Forty columns about each of 20,000 customers: age, tariff, calls of each month. Who leaves?",
            labels=2000,
            table=True,
            photographs=False,
        ),
        Project(
            "orchard",
            "A battery-driven camera tells five kinds of moths apart; 60 labelled photographs of each.",
            labels=60,
            max_gmacs=0.5,
        ),
        Project(
            "wafers",
            "Maps of electrical tests of chips: 300,000 without labels, 80 of each of nine faults with. Nothing on the "
            "web looks like them.",
            labels=80,
            unlabelled=300_000,
            max_gmacs=20,
            photographs=False,
        ),
        Project(
            "archive",
            "A newspaper searches its photographs. Every week editors add subjects that nobody has labelled.",
            classes_change=True,
            max_gmacs=50,
        ),
        Project(
            "sonar",
            "Four kinds of wrecks in pictures of a sonar, 5,000 of each, told apart on a small boat.",
            labels=5000,
            max_gmacs=0.5,
            photographs=False,
        ),
        Project(
            "tomography",
            "Scans with a quarter of the dose are noisy. A doctor measures the size of nodules in what comes out.",
            answers="picture",
            max_gmacs=100,
            photographs=False,
            measured=True,
        ),
        Project(
            "stage sets",
            "A theatre wants twenty different skies in the style of its own, to choose from overnight.",
            answers="picture",
            photographs=True,
            several_right=True,
        ),
    )
}


class Objection(NamedTuple):
    """A fact of the project that a tool breaks, and why."""

    constraint: str
    why: str


def review(project: Project | str, tool: str) -> list[Objection]:
    """What speaks against a tool in a project; [] if nothing does.

    Raises:
        ValueError: an unknown project or tool.
    """
    if isinstance(project, str):
        if project not in PROJECTS:
            raise ValueError(f"unknown project {project!r}; expected one of {', '.join(map(repr, PROJECTS))}.")
        project = PROJECTS[project]
    if tool not in TOOLS:
        raise ValueError(f"unknown tool {tool!r}; expected one of {', '.join(map(repr, TOOLS))}.")
    return [Objection(*found) for found in _objections(project, tool, TOOLS[tool])]


def _objections(project: Project, name: str, tool: Tool) -> Iterator[tuple[str, str]]:
    if tool.answers != project.answers:
        yield f"a {project.answers} is asked for", f"{name} answers with a {tool.answers}"
        return
    if project.table and tool.neighbours:
        yield (
            "the inputs are columns of a table",
            "it takes neighbours for related, and columns have none: another order would be another input",
        )
    if not project.table and not tool.neighbours:
        yield (
            "the inputs are pictures",
            "on pixels, a column for each, what moves by a pixel is another input; make a table of features first",
        )
    if project.classes_change and not tool.words:
        yield "new classes come every week, by name only", "each would need labels and a training"
    elif project.labels < tool.labels:
        yield (
            f"there are {project.labels} labels of each class",
            f"{name} is worth a try from about {tool.labels} on; start from weights that have seen more",
        )
    if name == "self-supervised CNN" and not project.unlabelled:
        yield "there are no further pictures", "nothing to learn from without labels"
    if tool.photographs and not project.photographs:
        yield (
            "the pictures are like none on the web",
            "what it has learned of photographs is the only reason to take it, and carries over least here",
        )
    if tool.invents and project.measured:
        yield "somebody measures in what comes out", "it draws what is likely where the data say nothing"
    if not tool.invents and project.several_right and tool.answers == "picture":
        yield "many pictures would do", "least squared error gives their mean, which is none of them"
    if tool.gmacs > project.max_gmacs:
        yield (
            f"{project.max_gmacs:g} billion operations for an answer",
            f"{name} takes {tool.gmacs:g} billion",
        )
