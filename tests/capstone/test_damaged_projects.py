"""Projects damaged as projects are in practice: the check that should notice does, and says what to look for."""

import json
import re
import shutil
from collections.abc import Callable

import numpy as np
import pytest

from cnnlib import capstone
from cnnlib.capstone import judging, rubric


def edit(project: capstone.Project, stage: str, change: Callable[[dict], None]) -> None:
    facts = dict(project.load(stage))
    change(facts)
    (project.artefacts / f"{stage}.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")


def rewrite(project: capstone.Project, name: str, old: str, new: str) -> None:
    file = project.folder / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def move(facts: dict, file: str, part: str) -> None:
    """A file to another part of a split, as if it were a group of its own."""
    for files in facts["parts"].values():
        if file in files:
            files.remove(file)
    facts["parts"][part].append(file)
    facts["groups"][file] = file


# --- the damages -----------------------------------------------------------------------------------------------------


def duplicates_in_two_parts(project):
    split = project.load("split")
    twin = next(name for name, files in split["parts"].items() if "frog/000.png" in files)
    other = "training" if twin != "training" else "test"
    edit(project, "split", lambda facts: move(facts, "frog/copy of 000.png", other))


def labels_exchanged(project):
    def change(facts):
        for number, (file, label) in enumerate(facts["labels"].items()):
            if label != "frog" and number % 9 == 0:
                facts["labels"][file] = "frog"

    edit(project, "split", change)


def images_in_the_wrong_folder(project):
    for place in range(8):
        one, two = (project.images / name / f"{place:03}.png" for name in ("airplane", "автомобиль"))
        data = one.read_bytes(), two.read_bytes()
        one.write_bytes(data[1])
        two.write_bytes(data[0])
    capstone.card(project)
    capstone.audit(project)


def threshold_from_the_test(project):
    from cnnlib.reliability import threshold_for_cost

    kept, temperature = project.arrays("test"), project.load("calibration")["temperature"]
    scores = judging.positive_scores(project, kept["logits"], temperature)
    tuned = threshold_for_cost(judging.is_positive(project, kept["truth"]), scores, **judging.cost_settings(project))
    edit(project, "threshold", lambda facts: facts.update(threshold=tuned.threshold))


def threshold_by_habit(project):
    edit(project, "threshold", lambda facts: facts.update(threshold=0.95))


def overconfident(project):
    edit(project, "calibration", lambda facts: facts.update(temperature=facts["temperature"] / 4))


def temperature_from_the_test(project):
    edit(project, "calibration", lambda facts: facts.update(fitted_on="test"))


def stale_label_map(project):
    rewrite(project, "artefacts/served/labels.txt", "airplane\nfrog\n", "frog\nairplane\n")


def label_map_of_another_order(project):
    from cnnlib.pipeline import Specification, labels_sha256

    stale_label_map(project)
    folder = project.artefacts / "served"
    settings = json.loads((folder / "specification.json").read_text(encoding="utf-8"))
    labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
    settings["labels_sha256"] = labels_sha256(labels)
    (folder / "specification.json").write_text(json.dumps(settings), encoding="utf-8")
    Specification.load(folder)  # nobody would complain


def test_image_in_training(project):
    edit(project, "training", lambda facts: facts["trained_on"].append(project.load("test")["files"][0]))


def other_preprocessing(project):
    rewrite(project, "artefacts/served/specification.json", '"channels": "rgb"', '"channels": "bgr"')


def other_weights(project):
    import keras

    model = keras.saving.load_model(project.artefacts / "model.keras", compile=False)
    model.get_layer("scores").bias.assign(np.ones(3, "float32"))
    model.save(project.artefacts / "served/model.keras")


def accuracy_on_uneven_classes(project):
    rewrite(project, "project.toml", 'metric = "balanced accuracy"', 'metric = "accuracy"')


def costs_changed_afterwards(project):
    rewrite(project, "project.toml", "miss = 4.0", "miss = 40.0")


def report_without_a_number(project):
    text = (project.folder / "report.html").read_text(encoding="utf-8")
    cut = re.sub(r'<data id="test-n".*?</data>', "many", text)
    assert cut != text
    (project.folder / "report.html").write_text(cut, encoding="utf-8")


def report_made_prettier(project):
    text = (project.folder / "report.html").read_text(encoding="utf-8")
    cut = re.sub(r'<data id="accuracy" value="[\d.]+">[^<]*', '<data id="accuracy" value="0.995">99.5 %', text)
    assert cut != text
    (project.folder / "report.html").write_text(cut, encoding="utf-8")


def report_that_needs_a_server(project):
    rewrite(project, "report.html", "</head>", '<link rel="stylesheet" href="style.css"></head>')


def accuracy_rounded_up(project):
    edit(project, "test", lambda facts: facts.update(accuracy=facts["accuracy"] + 0.02))


def tested_on_a_part_of_the_test(project):
    edit(project, "test", lambda facts: facts.update(files=facts["files"][:-5]))


def opened_twice(project):
    file = project.artefacts / judging.OPENINGS
    known = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps([{"weights": "before", "threshold": 0.5}, *known]), encoding="utf-8")


def unreadable_files_hidden(project):
    edit(project, "card", lambda facts: facts.update(unreadable=[]))


def an_image_was_replaced(project):
    shutil.copy(project.images / "airplane/001.png", project.images / "airplane/002.png")


def groups_torn(project):
    def change(facts):
        files = facts["parts"]["training"][:1] + facts["parts"]["test"][:1]
        facts["groups"].update(dict.fromkeys(files, "one afternoon"))

    edit(project, "split", change)


def one_image_in_two_parts(project):
    edit(project, "split", lambda facts: facts["parts"]["test"].append(facts["parts"]["training"][0]))


def no_rival(project):
    edit(
        project,
        "baseline",
        lambda facts: facts["rules"].pop("16 patches") and facts["rules"].pop("colour and contrast"),
    )


def weak_rival(project):
    edit(project, "baseline", lambda facts: facts.update(score=0.2))


def no_better_than_the_rival(project):
    edit(project, "baseline", lambda facts: facts.update(score=0.999))


def wired_wrong(project):
    edit(project, "training", lambda facts: facts["wiring"].update(first_loss=2.9))


def shuffled_labels_are_learnt(project):
    edit(project, "training", lambda facts: facts["wiring"].update(shuffled=0.9))


def the_luckiest_seed(project):
    edit(project, "training", lambda facts: facts.update(score=min(1.0, facts["score"] + 0.03)))


def maps_of_the_picture(project):
    edit(project, "explanation", lambda facts: facts.update(agreement_with_shuffled=0.97))


def nothing_was_corrupted(project):
    def change(facts):
        facts["corruptions"] = {kind: dict.fromkeys(row, 0.9) for kind, row in facts["corruptions"].items()}

    edit(project, "robustness", change)


def lost_elsewhere(project):
    found = {"n": 60, "score": 0.3, "recalls": {"airplane": 0.3, "frog": 0.3, "автомобиль": 0.3}}
    edit(project, "robustness", lambda facts: facts.update(elsewhere=found, clean=0.5))


def watched_by_training_images(project):
    edit(project, "watch", lambda facts: facts.update(reference="training"))


def alarms_all_day(project):
    edit(project, "watch", lambda facts: facts.update(measured=0.8))


def nobody_is_called(project):
    rewrite(project, "project.toml", 'calls = "the tower"', 'calls = "..."')


DAMAGES = [  # damage, line of the rubric, a part of what is said, and the grade that is left
    (duplicates_in_two_parts, "duplicates", "duplicates lie in two parts", "open"),
    (labels_exchanged, "labels", "another label than their folder", "open"),
    (images_in_the_wrong_folder, "labels", "doubtful labels have no decision", "open"),
    (threshold_from_the_test, "threshold", "cheapest one of the test part", "open"),
    (threshold_by_habit, "threshold", "on the validation part", "open"),
    (overconfident, "calibration", "confidences are too high", "open"),
    (temperature_from_the_test, "calibration", "expected validation", "open"),
    (stale_label_map, "serving", "stale", "open"),
    (label_map_of_another_order, "serving", "every name would be another's", "open"),
    (test_image_in_training, "choice", "test images were trained on", "open"),
    (test_image_in_training, "test", "trained on", "open"),
    (other_preprocessing, "serving", "channels bgr in place of rgb", "open"),
    (other_weights, "serving", "does not load", "open"),
    (accuracy_on_uneven_classes, "question", "times as many images as the rarest", "open"),
    (costs_changed_afterwards, "threshold", "the project says 40.0", "open"),
    (report_without_a_number, "report", "does not say test n", "open"),
    (report_made_prettier, "report", "in the artefacts", "open"),
    (report_that_needs_a_server, "report", "style.css", "open"),
    (accuracy_rounded_up, "test", "the stored logits give", "open"),
    (tested_on_a_part_of_the_test, "test", "other images than the test part", "open"),
    (opened_twice, "test", "opened 2 times", "pass"),
    (unreadable_files_hidden, "card", "not on the card", "open"),
    (an_image_was_replaced, "card", "not what they were", "open"),
    (groups_torn, "split", "torn apart", "open"),
    (one_image_in_two_parts, "split", "in two parts", "open"),
    (no_rival, "baseline", "one other rule", "open"),
    (weak_rival, "baseline", "is told", "open"),
    (no_better_than_the_rival, "choice", "does not beat the baseline", "open"),
    (wired_wrong, "wiring", "look at the loss", "open"),
    (shuffled_labels_are_learnt, "wiring", "does the validation part leak", "pass"),
    (the_luckiest_seed, "choice", "the stored logits give", "open"),
    (maps_of_the_picture, "explanation", "not what was learnt", "open"),
    (nothing_was_corrupted, "robustness", "corrupted at all", "open"),
    (lost_elsewhere, "robustness", "holds where it was made", "good"),
    (watched_by_training_images, "watch", "held out", "open"),
    (alarms_all_day, "watch", "same world", "open"),
    (nobody_is_called, "watch", "watch.calls is not filled in", "open"),
]


def test_the_sound_project_has_no_open_line(finished):
    verdict = capstone.check(finished)
    assert verdict.open == [], verdict
    assert len(verdict) == 16
    assert {finding.line.name for finding in verdict} == {line.name for line in rubric.RUBRIC}


@pytest.mark.parametrize(
    ("damage", "line", "said", "grade"), DAMAGES, ids=[f"{d.__name__}-{n}" for d, n, *_ in DAMAGES]
)
def test_a_damage_is_noticed(project, damage, line, said, grade):
    before = capstone.check(project, line)[line]
    assert before.grade != "open"
    assert not any(said in text for text in before.missing)
    damage(project)
    after = capstone.check(project, line)[line]
    assert after.grade == grade
    assert any(said in text for text in after.missing), after


def test_every_line_meets_a_damage():
    assert {line for _, line, *_ in DAMAGES} == {line.name for line in rubric.RUBRIC}


@pytest.mark.parametrize("stage", ["split", "training", "test", "watch"])
def test_a_lost_or_broken_artefact_is_named(project, stage):
    names = [line.name for line in rubric.RUBRIC if line.stage == stage]
    (project.artefacts / f"{stage}.json").write_text('{"stage": ', encoding="utf-8")
    assert all(f.grade == "open" and "damaged" in f.missing[0] for f in capstone.check(project, *names))
    (project.artefacts / f"{stage}.json").write_text("{}", encoding="utf-8")
    assert all("does not hold what the stage writes" in f.missing[0] for f in capstone.check(project, *names))
    (project.artefacts / f"{stage}.json").unlink()
    assert all("run the stage" in f.missing[0] for f in capstone.check(project, *names))
