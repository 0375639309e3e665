"""Of the checks of lesson 15 those on broken projects: the cause is named, and the mended project runs and is judged.

Each mended project runs once, on pictures, split and first weights that the learner has not seen, and what counts is
what comes out: accuracy on what comes in use, which weights moved, whether a loss is the loss of its network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnnlib.broken.causes import CAUSES
from cnnlib.exercises.compare import describe
from cnnlib.exercises.kinds import CheckExercise, Wrong

TOLD = "broken.project({name!r}).replace(...)"


def _exercise(number: str, title: str, names: tuple[str, ...], hints: tuple[str, ...], remark: str) -> CheckExercise:
    """The exercise of these projects: `{name: (cause, mended project)}`, which may be filled in one after the other."""

    def check(answer: Any, rng: np.random.Generator) -> None:
        if not isinstance(answer, Mapping):
            raise Wrong(
                f"The answer is a dictionary with the entries {' and '.join(map(repr, names))}.", came=describe(answer)
            )
        unknown = [name for name in answer if name not in names]
        if unknown:
            raise Wrong(f"This exercise has no project {unknown[0]!r}.", expected=" and ".join(map(repr, names)))
        right = []
        for name in names:
            seed = int(rng.integers(1000))
            if answer.get(name) not in (None, ...):
                _judge(name, answer[name], seed)
                right.append(name)
        left = [name for name in names if name not in right]
        if left:
            done = f"{right[0]!r} is right: cause and repair. " if right else ""
            raise Wrong(f"{done}{left[0]!r} is still to be mended.")

    return CheckExercise(number, title, check=check, hints=hints, remark=remark, time_limit=30.0)


def _judge(name: str, answer: Any, seed: int) -> None:
    from cnnlib import broken
    from cnnlib.reliability import diagnosis

    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong(
            f"For {name!r} two things are asked for: the cause and the mended project, in parentheses.",
            came=describe(answer),
            expected=f"(cause, {TOLD.format(name=name)})",
        )
    cause, mended = answer
    original = broken.project(name)
    causes = {_folded(each.name): each for each in diagnosis.CAUSES}
    if not isinstance(cause, str) or _folded(cause) not in causes:
        raise Wrong(
            f"The cause of {name!r} is none of the flowchart's.", came=describe(cause), likely="Compare the spelling."
        )
    if isinstance(mended, broken.Run):
        raise Wrong(f"For {name!r} the check wants the project, which it runs itself; a run was given.")
    if not isinstance(mended, broken.Project) or mended.name != name:
        raise Wrong(f"The second entry of {name!r} is no mended {name}.", expected=TOLD.format(name=name))
    if mended.field is not original.field:
        raise Wrong(f"What comes in use is not yours to choose: leave the step `field` of {name!r} alone.")
    if mended == original:
        raise Wrong(f"{name!r} is as it was: no step was exchanged.")
    refuted, judge = PROJECTS[name]
    if _folded(cause) != _folded(CAUSES[name]):
        named = causes[_folded(cause)]
        observed = refuted.get(named.name, f"Do its check first: {named.check}.")
        raise Wrong(f"That is not what ails {name!r}.", came=named.name, likely=observed)
    with np.errstate(all="ignore"):
        judge(mended.run(seed), original)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _in_use(run: Any, least: float, why: str) -> None:
    """Wrong unless so much is right of what comes in use.

    The least lies between what a guess gets and the worst of 40 runs of the reference answer (in percent: wardrobe 60,
    toys 70, microscope 71, catalogue 72, studio 73, sorter 69, gate 67, meadow 56), well below the latter.
    """
    served, labels = run.in_field()
    share = float(np.mean(served == labels))
    if share < least:
        raise Wrong(
            f"The cause of {run.project.name!r} is right. The repair is not: in use too little is right.",
            came=f"{share:.0%}",
            expected=f"{least:.0%} or more",
            likely=why,
        )


def _wrong(run: Any, likely: str, **rows: str) -> Wrong:
    message = f"The cause of {run.project.name!r} is right. The repair is not yet."
    return Wrong(message, likely=likely, **rows)


def _percent(share: float) -> str:
    return f"{share:.0%}"


# --- at chance --------------------------------------------------------------------------------------------------------


def _wardrobe(run: Any, original: Any) -> None:
    from cnnlib.broken import wardrobe

    pictures, text = wardrobe.delivered(original.generator(run.seed, "load"))
    kinds = [wardrobe.CLASSES.index(line.split(",")[1]) for line in text.splitlines()]
    place = {picture.tobytes(): number for number, picture in enumerate(pictures)}
    places = np.array([place.get(picture.tobytes(), -1) for picture in run.data.pictures])
    if (places < 0).any():
        raise _wrong(run, "Some of your pictures are none of those that the shop sent.")
    if len(np.unique(places)) < 0.9 * len(pictures):
        raise _wrong(
            run, "Too few of the shop's pictures are left.", came=f"{len(np.unique(places))} of {len(pictures)}"
        )
    true = np.array(kinds)
    agree = {
        shift: float(np.mean(run.data.labels == true[(places + shift) % len(true)])) for shift in (0, -2, -1, 1, 2)
    }
    best = max(agree, key=agree.get)
    if best and agree[best] > 0.9:
        raise _wrong(
            run,
            f"A picture has the label of the one {abs(best)} {'below' if best > 0 else 'above'} it in the list.",
            came=f"{agree[0]:.0%} of the labels belong to their pictures",
        )
    if agree[0] < 0.9:
        raise _wrong(
            run,
            "Labels and pictures are not in one order. Whatever moves one of them must move the other.",
            came=f"{agree[0]:.0%} of the labels belong to their pictures",
        )
    _in_use(run, 0.45, "The labels belong to their pictures now. Something else has been changed for the worse.")


def _toys(run: Any, original: Any) -> None:
    loss, chance = np.array(run.history["loss"]), np.log(3)
    rate = float(_numbers(run.project.optimizer().learning_rate))
    if not np.isfinite(loss).all():
        raise _wrong(run, "The loss is not finite: the steps are still far too large.")
    if min(loss) > 0.95 * chance and rate >= 0.02:
        why = "Adam moves each weight by about the rate, whatever the gradient: compare the rate with weights of 0.1."
        raise _wrong(run, why, came=f"a loss of {loss[-1]:.2f}; knowing nothing costs {chance:.2f}")
    if min(loss) > 0.85 * chance and rate < 3e-4:
        raise _wrong(run, "Now the steps are so small that little is learnt in the epochs there are.")
    _in_use(
        run, 0.55, "It learns, and not as well as it could. Try rates of 0.0003 to 0.01, each three times as large."
    )


def _numbers(value: Any) -> np.ndarray:
    from keras import ops

    return ops.convert_to_numpy(value)


# --- the loss looks wrong ---------------------------------------------------------------------------------------------


def _microscope(run: Any, original: Any) -> None:
    x, _ = run.sets["train"]
    bad = int((~np.isfinite(x).all(axis=(1, 2, 3))).sum())
    if bad:
        raise _wrong(
            run, "A step that divides needs to know what to do with a picture of one grey.", came=f"{bad} picture"
        )
    if not all(np.isfinite(weight).all() for weight in run.model.get_weights()):
        raise _wrong(run, "The pictures are finite, and yet weights are not. Look at what follows on the pictures.")
    used = sum(len(part) for part in run.split)
    if used < 650:
        raise _wrong(run, "One picture is bad, and you have thrown away many.", came=f"{used} of 700 pictures are used")
    why = "Nothing is NaN any more. But a picture must still come out with mean 0 and spread 1, or nearly."
    grey = float(np.mean(x.std(axis=(1, 2, 3)) < 0.1))
    if grey > 0.1:
        raise _wrong(run, why, came=f"{grey:.0%} of the pictures come out in one grey")
    _in_use(run, 0.62, why)


def _catalogue(run: Any, original: Any) -> None:
    x, labels = run.sets["validation"]
    from cnnlib import broken

    outputs = run.outputs_of(x)
    from keras import ops

    said = float(np.mean(_numbers(run.project.loss(labels, ops.convert_to_tensor(outputs)))))
    true = broken.cross_entropy(labels, outputs)
    if not np.isfinite(said) or abs(said - true) > 0.03 * max(true, 1):
        raise _wrong(
            run,
            "A softmax belongs between scores and loss once, be it in the network or in the loss.",
            came=f"the loss says {said:.2f}; of the network's probabilities it is {true:.2f}",
        )
    _in_use(run, 0.65, "Loss and network fit. Something else has been changed for the worse.")


# --- frozen -----------------------------------------------------------------------------------------------------------


def _stays(run: Any, original: Any) -> tuple[dict[str, float], dict[str, float]]:
    """By how much weights moved: of the layers that must stay, and of the others."""
    moved = run.moved()
    fixed = {path: change for path, change in moved.items() if path.split("/")[0] in original.fixed}
    return fixed, {path: change for path, change in moved.items() if path not in fixed}


def _studio(run: Any, original: Any) -> None:
    fixed, others = _stays(run, original)
    if not fixed or len(fixed) < 10:
        raise _wrong(run, "The layers c1, c1_norm, c3 and c3_norm of the first shop are no longer there.")
    moving = [path for path, change in fixed.items() if change > 0]
    if any("kernel" in path for path in moving):
        raise _wrong(run, "Now the convolutions of the backbone move.", came=", ".join(moving))
    if moving:
        why = "A normalisation has four arrays: two learn, two follow the batches. A frozen one does neither."
        raise _wrong(run, why, came=f"{', '.join(moving)} moved")
    if max(others.values(), default=0) == 0:
        raise _wrong(run, "Now nothing learns at all. The head must.")
    _in_use(run, 0.66, "The backbone stays as it was, and the head learns badly. Has anything else been changed?")


def _sorter(run: Any, original: Any) -> None:
    fixed, others = _stays(run, original)
    if any(change > 0 for change in fixed.values()) or not fixed:
        raise _wrong(run, "conv1 is on a chip, and has moved.")
    still = [path for path, change in others.items() if change == 0 and "kernel" in path]
    if still:
        why = "Print what `freeze` returns. A piece of a name may stand in many names."
        raise _wrong(run, why, came=f"{', '.join(still)} did not move")
    _in_use(run, 0.6, "The right layers learn. Has anything else been changed?")


# --- too good ---------------------------------------------------------------------------------------------------------


def _forest(run: Any, original: Any) -> None:
    from cnnlib import broken

    train, validation = run.split
    if len(run.data.names) != len(run.data.labels):
        raise _wrong(run, "The check needs the names of the files. Keep them as the third entry of `Data`.")
    both = broken.by_scene(run)
    if both > 0.02:
        raise _wrong(
            run,
            "Pictures of one burst belong on one side. Which part of a file's name tells the burst?",
            came=f"{both:.0%} of the validation pictures have a sister in training",
        )
    if len(np.unique(validation)) < 0.1 * len(run.data.labels) or len(train) < 0.4 * len(run.data.labels):
        raise _wrong(
            run,
            "One side is too small to say or to learn anything.",
            came=f"{len(train)} pictures to train on, {len(validation)} to validate",
        )
    if set(np.unique(run.data.labels[validation])) != set(range(5)):
        raise _wrong(run, "Not every animal is among the validation pictures.")
    promised, kept = (run.accuracies()[name] for name in ("validation", "field"))
    if promised - kept > 0.2:
        raise _wrong(run, "Validation still promises more than is kept.", came=f"{promised:.0%} and {kept:.0%}")


def _gate(run: Any, original: Any) -> None:
    pictures, labels = original.field(original.generator(run.seed, "field"))
    stamped = pictures.copy()
    stamped[:, 27:31, 20:31] = 20
    stamped[:, 28:30, 21:30:2] = (250, 160, 30)
    plain, printed = (run.serve(each) for each in (pictures, stamped))
    changed = float(np.mean(plain != printed))
    if np.mean(plain == labels) < 0.65 and changed > 0.25:
        raise _wrong(
            run,
            "It still looks at the corner. What is printed there must tell it nothing: in training, and in use.",
            came=f"with the hour printed on it, {changed:.0%} of the pictures get another answer",
        )
    _in_use(run, 0.58, "It no longer needs the corner, and has learnt too little of ships and lorries.")


# --- good numbers -----------------------------------------------------------------------------------------------------


def _meadow(run: Any, original: Any) -> None:
    from cnnlib import broken

    same = broken.served_as_validated(run)
    if same < 0.97:
        raise _wrong(
            run,
            "Send one file through `prepare` and through `serve`, and subtract.",
            came=f"{same:.0%} of the validation pictures get in use the answer that they had in validation",
        )
    _in_use(run, 0.45, "Both ways are the same now. But the network learns less than it did.")


def _inspection(run: Any, original: Any) -> None:
    from cnnlib.broken import inspection
    from cnnlib.broken.sources import clothes, drawn

    rng = original.generator(run.seed, "judge")
    pictures, labels = drawn(*clothes("test"), classes=inspection.NUMBERS, counts=200, rng=rng)
    served = run.serve(pictures)
    found, false = float(np.mean(served[labels == 1] == 1)), float(np.mean(served[labels == 0] == 1))
    rows = f"{found:.0%} of the shirts are taken out, and {false:.0%} of the dresses"
    if found >= 0.9 and false > 0.5:
        raise _wrong(
            run, "Whoever takes out nearly everything finds every shirt, and nobody needs the network.", came=rows
        )
    if false > 0.3:
        raise _wrong(run, "Too many dresses are taken out.", came=rows, expected="most shirts, few dresses")
    if found < 0.5:
        why = "Each shirt weighs as much as each dress, and there are 28 times as many dresses. Make shirts weigh more."
        raise _wrong(run, why, came=rows, expected="most shirts, few dresses")


# project -> what speaks against other causes than its own, how a mended run is judged
PROJECTS: dict[str, tuple[dict[str, str], Callable]] = {
    "wardrobe": (
        {
            "learning rate": "It learns twenty pictures by heart with this very rate.",
            "the loss expects another output": "It learns twenty pictures by heart with this very loss.",
            "underfitting": "It has enough weights for twenty pictures, and its training accuracy rises. Validation "
            "does not rise at all.",
            "overfitting": "Overfitting leaves validation behind, but not at chance: something of clothes is learnt.",
            "augmentation changes the label": "Read the step `augment`: nothing is changed.",
            "leakage": "Leakage makes validation better.",
        },
        _wardrobe,
    ),
    "toys": (
        {
            "labels do not belong to their pictures": "Then twenty pictures would be learnt by heart, right or wrong. "
            "Here they are not.",
            "augmentation changes the label": "A mirrored frog is a frog. Look at the batch.",
            "the loss expects another output": "Read both: the network gives logits, and the loss wants logits.",
            "underfitting": "Not even twenty pictures are learnt. A larger network would not learn them either.",
            "a bad picture": "The loss is finite in every epoch.",
        },
        _toys,
    ),
    "microscope": (
        {
            "learning rate": "Train for one step only, at a rate of a millionth: it is NaN as well.",
            "the loss expects another output": "The loss of most pictures is finite. Compute it picture by picture.",
            "overfitting": "NaN is not a matter of new pictures: look at the loss in training.",
        },
        _microscope,
    ),
    "catalogue": (
        {
            "learning rate": "Read what the loss is of outputs that are perfect. It is far from 0, at any rate.",
            "underfitting": "On twenty pictures nearly all is right, and the loss stays high. No larger network would "
            "lower it.",
            "labels do not belong to their pictures": "Most of its answers are right, also on new pictures.",
            "sure of itself and wrong": "A temperature mends probabilities after training. Here training is amiss.",
        },
        _catalogue,
    ),
    "studio": (
        {
            "overfitting": "The *training* pictures are worse, too, as soon as they are scored in inference.",
            "training and inference compute differently": "They do, and that is the symptom. What moves, so that they "
            "can?",
            "more is frozen than was meant, or less": "Count what is trainable: it is nearly what was meant. But what "
            "is not trained can still move.",
            "the inputs have changed": "The network was trained on pictures on white, as those in use.",
            "learning rate": "The head learns well at this rate: look at the accuracy during training.",
        },
        _studio,
    ),
    "sorter": (
        {
            "frozen layers move": "conv1 has not moved. Look at what else has not.",
            "underfitting": "The network is large enough. Count how much of it learns.",
            "learning rate": "A rate moves all layers that learn. Some do not move at all.",
        },
        _sorter,
    ),
    "forest": (
        {
            "overfitting": "That is what is there, and validation hides it. Why does validation not show it?",
            "the inputs have changed": "The pictures in use are of the same kind. They are of other scenes.",
            "serving prepares images otherwise": "Compare `prepare` and `serve`: they are the same.",
            "a shortcut": "There is no mark that goes with a class. What goes with a *picture*?",
        },
        _forest,
    ),
    "gate": (
        {
            "leakage": "No picture of the validation set has a sister in training.",
            "the inputs have changed": "They have, in one respect. Why does so much depend on that?",
            "serving prepares images otherwise": "Compare `prepare` and `serve`: they are the same.",
            "overfitting": "New pictures of the same collection are all right.",
        },
        _gate,
    ),
    "meadow": (
        {
            "the inputs have changed": "The camera's pictures are like those of the collection: compare statistics.",
            "leakage": "No picture has a sister. And even validation pictures get other answers in use.",
            "a shortcut": "Even validation pictures get other answers in use than in validation.",
            "overfitting": "Validation pictures are new, too, and do better than those in use.",
        },
        _meadow,
    ),
    "inspection": (
        {
            "leakage": "Use and validation agree. Both numbers are true, and say little.",
            "underfitting": "It is right in 96 of 100 cases. Which are the four?",
            "overfitting": "Validation is as good as training.",
            "sure of itself and wrong": "Its confidence is not asked for here. Look at each class by itself.",
        },
        _inspection,
    ),
}

AT_CHANCE = _exercise(
    "15.1",
    "At chance",
    ("wardrobe", "toys"),
    (
        "Only one of the two learns twenty pictures by heart. `broken.tiny(project)` tries it.",
        "If twenty pictures are learnt by heart, network, loss and rate can learn. Then look at the data: draw ten "
        "pictures with their labels, and read `load` with a list of three lines in mind.",
        "If they are not, `training.range_test` says where the loss falls. Which step of the project is a number?",
    ),
    "Keras would have told you neither: both ran to the end without a warning.",
)
LOSS = _exercise(
    "15.2",
    "The loss looks wrong",
    ("microscope", "catalogue"),
    (
        "For the microscope: which pictures are not finite after `prepare`? Then look at them before `prepare`.",
        "For the catalogue: what is `loss` of a perfect answer, a probability of 1 for the true class?",
        "Something divides by the spread of a picture. And something is turned into probabilities twice.",
    ),
    "A picture of one grey is nothing rare: a lens cap, a lamp, a file cut short.",
)
FROZEN = _exercise(
    "15.3",
    "Frozen, or not",
    ("studio", "sorter"),
    (
        "`run.moved()` says by how much each weight has moved. Compare it with what the story wants.",
        "`freeze` returns names of layers. Print what it returns.",
        "Batch normalisation is a layer as well, with moving statistics. And `in` finds a piece of a name anywhere.",
    ),
    "In ResNet-18 the same piece of a name freezes 42 % of the backbone.",
)
TOO_GOOD = _exercise(
    "15.4",
    "Too good",
    ("forest", "gate"),
    (
        "Both are well in validation and poor in use. What has validation in common with training, and use has not?",
        "For the forest, read the names of the files. For the gate, look at ten lorries, and at ten ships.",
        "`splits.grouped_split` keeps groups apart. A part of every picture can be made the same for all in `prepare`.",
    ),
    "The mended forest has a *lower* validation accuracy. That was the aim.",
)
GOOD_NUMBERS = _exercise(
    "15.5",
    "Good numbers, poor results",
    ("meadow", "inspection"),
    (
        "For the meadow: does a *validation* picture get the same answer by `serve` as in validation?",
        "For the inspection: how many of the shirts are found? `reliability.class_scores` tells it class by class.",
        "One function for training and serving is the cure of the first. For the second, let shirts be seen more often "
        "in `augment`, or weigh more in the loss.",
    ),
    "Each of the ten ran without an error. What found them was a number that somebody thought of computing.",
)
