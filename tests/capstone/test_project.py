"""A whole project: its stages, its command line, what is served, and the report."""

import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from cnnlib import capstone, pipeline, runtime
from cnnlib.capstone import __main__ as command
from cnnlib.capstone import bundled, data, judging, reading, rubric, service, skeleton


def test_no_stage_and_no_grade_is_missing(finished):
    text = (finished / "stages.py").read_text(encoding="utf-8")
    assert tuple(skeleton.stages_of(text)[1]) == skeleton.STAGES
    own = (runtime.root() / "cnnlib/capstone/skeleton/stages.txt").read_text(encoding="utf-8")
    assert tuple(skeleton.stages_of(own)[1]) == skeleton.STAGES
    assert len(rubric.RUBRIC) == 16
    assert [line.number for line in rubric.RUBRIC] == list(range(1, 17))
    assert {line.stage for line in rubric.RUBRIC} == set(skeleton.STAGES)
    assert [p for p in rubric.PHASES if not any(line.phase == p for line in rubric.RUBRIC)] == []


def test_duplicates_stay_together_and_files_are_accounted_for(finished):
    project = capstone.Project(finished)
    split, card, audit = (project.load(name) for name in ("split", "card", "audit"))
    assert ["frog/000.png", "frog/copy of 000.png"] in audit["duplicates"]
    homes = {name for name, files in split["parts"].items() if {"frog/000.png", "frog/copy of 000.png"} & set(files)}
    assert len(homes) == 1
    assert [f["file"] for f in card["unreadable"]] == ["frog/broken.png"]
    assert sum(map(len, split["parts"].values())) == len(card["files"])


def test_what_is_served_decides(finished):
    project = capstone.Project(finished)
    served = pipeline.Pipeline.load(project.artefacts / "served")
    rule = project.artefacts / "served" / "rule.json"
    files, truth = data.part(project, "test")
    answers = served.answers([str(project.images / file) for file in files[:12]])
    temperature = project.load("calibration")["temperature"]
    scores = judging.positive_scores(project, project.arrays("test")["logits"][:12], temperature)
    wanted = scores >= project.load("threshold")["threshold"]
    near = np.abs(scores - project.load("threshold")["threshold"]) < 0.01
    decided = np.array([capstone.decide(answer, rule) for answer in answers])
    assert (decided == wanted)[~near].all()
    with pytest.raises(ValueError, match="Send it to a person"):
        capstone.decide(next(served.stream([b""])), rule)


def test_the_report_is_one_file_that_says_its_numbers(finished):
    text = (finished / "report.html").read_text(encoding="utf-8")
    seen = reading.read(text)
    test = capstone.Project(finished).load("test")
    assert float(seen.values["test-n"]) == test["n"]
    assert float(seen.values["accuracy"]) == pytest.approx(test["accuracy"])
    assert seen.outside == []
    assert seen.without_alt == 0
    assert seen.lines == 16
    assert "Frogs &lt;on&gt; the runway" in text
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert len(text) < 600_000


def test_its_tags_are_closed(finished):
    class Tags(HTMLParser):
        stack: list[str] = []

        def handle_starttag(self, tag, attributes):
            if tag not in ("meta", "img", "br", "link"):
                self.stack.append(tag)

        def handle_endtag(self, tag):
            assert self.stack.pop() == tag

    tags = Tags()
    tags.feed((finished / "report.html").read_text(encoding="utf-8"))
    assert tags.stack == []


def test_running_again_changes_nothing(project):
    before = {name: project.load(name) for name in ("split", "calibration", "threshold", "test")}
    for stage in (capstone.split, capstone.calibration, capstone.threshold, capstone.test):
        stage(project)
    for name, facts in before.items():
        now = {k: v for k, v in project.load(name).items() if k != "seconds"}
        assert now == {k: v for k, v in facts.items() if k != "seconds"}, name
    assert len(project.load("test")["openings"]) == 1


def test_another_threshold_opens_the_test_again(project):
    facts = dict(project.load("threshold"), threshold=0.9)
    (project.artefacts / "threshold.json").write_text(json.dumps(facts), encoding="utf-8")
    assert len(capstone.test(project)["openings"]) == 2


def test_decisions_are_followed(project):
    rows = "file,why,decision\nfrog/001.png,,drop\nfrog/002.png,,airplane\nairplane/003.png,,keep\n"
    (project.folder / "review.csv").write_text(rows, encoding="utf-8")
    made = capstone.split(project)
    assert "frog/001.png" not in made["labels"]
    assert made["labels"]["frog/002.png"] == "airplane"
    (project.folder / "review.csv").write_text(rows.replace("drop", "dorp"), encoding="utf-8")
    with pytest.raises(capstone.ProjectError, match="'dorp'; expected keep, drop"):
        capstone.split(project)


def test_too_few_groups_are_refused(project):
    file = project.folder / "project.toml"
    for name in ("airplane", "frog", "автомобиль"):
        (project.images / name / "one").mkdir()
        for image in sorted((project.images / name).glob("*.png")):
            if image.name != "broken.png":
                shutil.move(image, project.images / name / "one" / image.name)
    file.write_text(
        file.read_text(encoding="utf-8").replace('together = "file"', 'together = "folder"'), encoding="utf-8"
    )
    moved = capstone.Project(project.folder)
    capstone.card(moved)
    facts = dict(moved.load("audit"), duplicates=[], exact=[])
    (moved.artefacts / "audit.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(capstone.ProjectError, match="makes 1 groups; at least 8"):
        capstone.split(moved)


def test_the_command_line(tmp_path, capsys, finished):
    assert command.main(["new", str(tmp_path / "mine")]) == 0
    assert command.main(["new", str(tmp_path / "mine")]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert command.main(["check", str(tmp_path / "mine"), "card"]) == 1
    assert "run the stage 'card' first" in capsys.readouterr().out
    assert command.main(["run", str(tmp_path / "mine"), "--only", "card"]) == 2
    assert "no class folder" in capsys.readouterr().err
    assert command.main(["run", str(tmp_path / "mine"), "--only", "cart"]) == 2
    assert "'cart' is no stage" in capsys.readouterr().err
    assert command.main(["check", str(finished), "split", "test"]) == 0
    assert command.main(["rubric"]) == 0
    assert "| 16 | report |" in capsys.readouterr().out


def test_an_unknown_line_is_refused(finished):
    with pytest.raises(ValueError, match="'labls' is no stage and no line"):
        capstone.check(finished, "labls")


def test_an_error_in_a_stage_names_its_line(tmp_path):
    folder = capstone.new(tmp_path / "mine")
    text = (
        (folder / "stages.py").read_text(encoding="utf-8").replace("capstone.card(project)", "capstone.cart(project)")
    )
    (folder / "stages.py").write_text(text, encoding="utf-8")
    line = next(i for i, row in enumerate(text.splitlines(), start=1) if "capstone.cart" in row)
    with pytest.raises(AttributeError) as caught:
        capstone.run(folder, only=["card"], quiet=True)
    trace = caught.tb
    while trace.tb_next and not trace.tb_frame.f_code.co_filename.endswith("stages.py"):
        trace = trace.tb_next
    assert trace.tb_lineno == line


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(81, 100, 0.7222, 0.8749), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)]
)
def test_the_interval_is_that_of_wilson(right, n, low, high):
    assert judging.interval(right, n) == pytest.approx((low, high), abs=1e-4)
    stats = pytest.importorskip("scipy.stats")
    exact = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert judging.interval(right, n) == pytest.approx((exact.low, exact.high), abs=1e-4)


def test_near_duplicates_of_nearly_black_pictures_are_not_taken_for_one():
    rng = np.random.default_rng(0)
    thumbs = np.zeros((30, 16, 16, 3), "uint8")
    for thumb in thumbs:  # one light spot each, somewhere on black
        y, x = rng.integers(0, 13, 2)
        thumb[y : y + 3, x : x + 3] = 200
    thumbs[7] = np.clip(thumbs[3].astype(int) + 3, 0, 255)
    assert data.near_pairs(thumbs).tolist() == [[3, 7]]


def test_the_audit_finds_planted_label_errors():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    features = rng.normal(0, 1, (300, 40)) + 5 * np.eye(40)[y]
    wrong = y.copy()
    wrong[:12] = (wrong[:12] + 1) % 3
    doubt, says = data._doubts(features.astype("float32"), wrong)
    assert set(np.argsort(-doubt)[:12]) == set(range(12))
    assert (says[:12] == y[:12]).all()
    assert doubt[:12].max() >= data.DOUBT > doubt[12:].max()


def test_what_gives_a_class_away_is_found():
    files = [{"width": 32 + 8 * (i % 2), "height": 32, "format": "PNG"} for i in range(80)]
    y = np.arange(80) % 2
    found = data._given_away(files, y, np.random.default_rng(0).random(80))
    assert found["the size"] == 1.0
    assert found["the kind of file"] <= 0.6
    assert found["majority"] == 0.5


def test_bundled_images(tmp_path):
    bundled.write_images("crowns", tmp_path / "a")
    counts = {p.name: len(list(p.iterdir())) for p in (tmp_path / "a" / "images").iterdir()}
    assert counts["crown"] == counts["ground"] >= 250
    assert (tmp_path / "a" / "elsewhere" / "crown").is_dir()
    bundled.write_images("photographs", tmp_path / "b")
    counts = {p.name: len(list(p.iterdir())) for p in (tmp_path / "b" / "images").iterdir()}
    assert counts == bundled.PHOTOGRAPHS
    with pytest.raises(FileExistsError, match="nothing was written"):
        bundled.write_images("crowns", tmp_path / "a")
    with pytest.raises(ValueError, match="there are no images 'cats'"):
        bundled.write_images("cats", tmp_path / "c")


@pytest.mark.parametrize("kind", ["frozen", "last stage"])
def test_a_candidate_without_a_meaning(kind):
    with pytest.raises(ValueError, match="choose one of 'frozen features', 'last blocks', 'from scratch'"):
        capstone.Candidate(kind)
    with pytest.raises(ValueError, match="rates above 0"):
        capstone.Candidate("frozen features", rates=())


def test_what_is_served_is_loaded_once_and_again_when_a_byte_of_it_is_another(project, finished):
    held = service.loaded(finished / "artefacts" / "served")
    copy = project.path("served")
    assert service.loaded(copy) is held
    labels = copy / "labels.txt"
    labels.write_text("\n".join(labels.read_text(encoding="utf-8").split()[::-1]) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="label"):
        service.loaded(copy)
    assert service.loaded(finished / "artefacts" / "served") is held


def test_serving_refuses_what_is_no_image(finished):
    assert set(capstone.Project(finished).load("serving")["refused"].values()) == {"empty", "not_an_image", "damaged"}


def test_the_page_of_the_documentation_has_the_rubric():
    text = (runtime.root() / "docs" / "capstone.md").read_text(encoding="utf-8")
    assert text.endswith("\n\n" + rubric.table() + "\n")
    assert [row.split("|")[1].strip() for row in text.splitlines() if row.startswith("| ") and "`" in row] == list(
        skeleton.STAGES
    )
