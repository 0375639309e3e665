"""The checklist of 16 lines, and what each grade asks for. Lesson 19.

What engineers go through before training, during it, before a model is deployed and after. A line is *open* until all
that *pass* asks for is there; *good* and *excellent* ask for more, each on top of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["GRADES", "PHASES", "RUBRIC", "Finding", "Line", "Verdict"]

GRADES = ("open", "pass", "good", "excellent")
PHASES = ("before training", "during training", "before deployment", "after deployment")


@dataclass(frozen=True)
class Line:
    """One line of the checklist: its number, name, phase, the stage whose artefact it looks at, and three grades."""

    number: int
    name: str
    phase: str
    stage: str
    passes: str
    good: str
    excellent: str


RUBRIC = tuple(
    Line(number, *rest)
    for number, rest in enumerate(
        (
            (
                "question",
                PHASES[0],
                "card",
                "One sentence says who decides what. What must not be missed is named, and what mistakes cost. "
                "The metric "
                "fits the balance of the classes.",
                "It says where the costs come from.",
                "The share in use is stated, and what the model must not be used for.",
            ),
            (
                "card",
                PHASES[0],
                "card",
                "Source and licence are stated, every file of the folder is accounted for, at most 5 % cannot be read.",
                "By whom, when and where the images were made; at least one flaw; 50 images of each class.",
                "Three flaws or more.",
            ),
            (
                "duplicates",
                PHASES[0],
                "audit",
                "Every image was compared with every other. No picture has two labels without a decision, and no "
                "duplicates lie in two parts.",
                "Size, kind of file and brightness give the class away by no more than 15 points over the "
                "largest class.",
                "By no more than 5 points.",
            ),
            (
                "labels",
                PHASES[0],
                "audit",
                "Every doubtful label has a decision, and the labels in use are those of the folders and of "
                "these decisions.",
                "Doubtful labels are at most 5 % of the images.",
                "The parts were made after the last decision.",
            ),
            (
                "split",
                PHASES[0],
                "split",
                "Three parts without a common image or group, every class in each, together all images that were kept.",
                "100 images or more in the test part.",
                "What was taken together (a burst, a place) stays together; 20 images of each class to test on.",
            ),
            (
                "baseline",
                PHASES[1],
                "baseline",
                "A constant answer and a rule without a network, priced on the validation part.",
                "The rule has its own best strength.",
                "Two or more such rules, and the strongest is the one to beat.",
            ),
            (
                "wiring",
                PHASES[1],
                "training",
                "The first loss is near log(classes), and a tiny set is learnt by heart.",
                "Trained on shuffled labels, it falls to chance on the validation part.",
                "And the right labels are learnt from the same numbers: at least 10 points more than the shuffled.",
            ),
            (
                "choice",
                PHASES[1],
                "training",
                "Chosen on the validation part alone, which nothing was trained on; it beats the baseline "
                "there. The model "
                "that is kept gives the score that was written down.",
                "Two kinds or more, each at the best of its own rates; three seeds or more.",
                "No best rate lies at the edge of those tried; the gain is larger than the spread over seeds.",
            ),
            (
                "calibration",
                PHASES[2],
                "calibration",
                "The temperature is the one of the validation part.",
                "The calibration error on the test part is below 0.08, or what chance alone may give.",
                "It is what chance alone may give.",
            ),
            (
                "threshold",
                PHASES[2],
                "threshold",
                "The threshold is the cheapest of the validation part at the costs of the project, and cheaper "
                "there than "
                "never and always an alarm.",
                "On the test part, too, it is cheaper than both.",
                "And the whole interval of its cost is.",
            ),
            (
                "explanation",
                PHASES[2],
                "explanation",
                "Maps of 8 images or more that were not trained on, and they change when the weights are shuffled.",
                "Hiding what a map marks costs more than hiding as much elsewhere, and you say what you saw.",
                "The interval of that difference lies above 0, and the surest mistakes are kept.",
            ),
            (
                "robustness",
                PHASES[2],
                "robustness",
                "Three corruptions or more at three severities, on 30 images or more that are not the test part.",
                "At the mildest severity no more than 10 points are lost.",
                "Images from elsewhere were asked, 20 or more, and it does better there than chance.",
            ),
            (
                "test",
                PHASES[2],
                "test",
                "The whole test part and nothing else; every number can be computed again, stands with how many "
                "images it "
                "is from and with an interval; the recall of each class.",
                "Opened once. Better than the baseline on the same images, by more than chance (p below 0.05).",
                "The interval of the accuracy is at most 12 points wide.",
            ),
            (
                "serving",
                PHASES[2],
                "serving",
                "The served folder loads, has the weights, classes, preprocessing and temperature of training, "
                "and gives "
                "the probabilities that training stored.",
                "The golden file passes; p95 is within the budget.",
                "What is no image is refused with a code.",
            ),
            (
                "watch",
                PHASES[3],
                "watch",
                "A monitor on images that were not trained on, whose false alarms come at the stated rate; when "
                "to go back, "
                "in numbers; who is called.",
                "It notices at least one of the corruptions.",
                "It notices two or more.",
            ),
            (
                "report",
                PHASES[3],
                "report",
                "One file that needs no other, with the number of test images, the interval, the version and "
                "this list; its "
                "numbers are those of the artefacts; every picture has a text.",
                "It names the flaws of the images and what the model must not be used for.",
                "No line above is open.",
            ),
        ),
        start=1,
    )
)


@dataclass(frozen=True)
class Finding:
    """What the check of one line found: a grade, and what is missing for the next one."""

    line: Line
    grade: str
    missing: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        sign = {"open": "○", "pass": "●", "good": "●●", "excellent": "●●●"}[self.grade]
        head = f"{sign:3} {self.line.number:2} {self.line.name:12} {self.grade}"
        return "\n".join([head, *(f"       {text}" for text in self.missing)])


class Verdict(tuple):
    """Findings, one a line, shown as a list."""

    def __repr__(self) -> str:
        counts = {grade: sum(f.grade == grade for f in self) for grade in GRADES}
        foot = ", ".join(f"{count} {grade}" for grade, count in counts.items() if count)
        return "\n".join([*map(str, self), foot])

    __str__ = __repr__

    def __getitem__(self, which):
        """A finding by its place, or by the name of its line."""
        if isinstance(which, str):
            return next(finding for finding in self if finding.line.name == which)
        return tuple.__getitem__(self, which)

    @property
    def open(self) -> list[str]:
        """The names of the lines that are open."""
        return [finding.line.name for finding in self if finding.grade == "open"]


def table() -> str:
    """The rubric as a table in Markdown."""
    rows = ["| | line | pass | good | excellent |", "|--:|---|---|---|---|"]
    for phase in PHASES:
        rows.append(f"| | **{phase}** | | | |")
        rows += [
            f"| {line.number} | {line.name} | {line.passes} | {line.good} | {line.excellent} |"
            for line in RUBRIC
            if line.phase == phase
        ]
    return "\n".join(rows)
