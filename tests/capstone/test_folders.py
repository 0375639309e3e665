"""Folders as people have them: what cannot be made a project is refused with a reason, all else works."""

import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from cnnlib import capstone
from cnnlib.capstone import folder as folders


@pytest.fixture
def made(tmp_path):
    capstone.new(tmp_path / "made", None)
    shutil.rmtree(tmp_path / "made" / "images")
    return tmp_path / "made"


def carded(made, images, **settings):
    """The card of a folder of images."""
    text = (made / "project.toml").read_text(encoding="utf-8")
    text = text.replace('images = "images"', f'images = "{images.as_posix()}"')
    for name, value in settings.items():
        text = "\n".join(f"{name} = {value}" if row.startswith(f"{name} =") else row for row in text.splitlines())
    (made / "project.toml").write_text(text, encoding="utf-8")
    return capstone.card(capstone.Project(made))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "no class folder with images"),
        ({"cat": 40}, "one class, 'cat'"),
        ({"cat": 1, "dog": 1}, "too few images: 'cat' has 1, 'dog' has 1; expected at least 16"),
        ({"cat": 40, "dog": 15}, "'dog' has 15"),
    ],
)
def test_too_little(made, pictures, counts, said):
    images = pictures(counts)
    images.mkdir(exist_ok=True)
    with pytest.raises(capstone.FolderError, match=said):
        carded(made, images)


def test_two_loose_images(made, tmp_path):
    (tmp_path / "loose").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / "loose" / name)
    with pytest.raises(capstone.FolderError, match="2 files lie loose in it: sort them into one folder for each class"):
        carded(made, tmp_path / "loose")


def test_no_such_folder_and_a_file(made, tmp_path):
    with pytest.raises(capstone.FolderError, match="there is no such folder"):
        carded(made, tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    capstone.new(tmp_path / "other")
    with pytest.raises(capstone.FolderError, match="is a file"):
        carded(tmp_path / "other", tmp_path / "file")


def test_types_are_mixed_and_some_files_are_broken(made, pictures):
    images = pictures({"cat": 20, "dog": 20})
    grey = Image.fromarray(np.arange(400, dtype="uint8").reshape(20, 20) % 255)
    grey.save(images / "cat" / "grey.jpg")
    grey.convert("RGBA").save(images / "cat" / "alpha.webp")
    grey.convert("CMYK").save(images / "cat" / "print.JPEG")
    Image.fromarray(np.full((9, 7), 40_000, "uint16")).save(images / "cat" / "sixteen bits.png")
    grey.save(images / "cat" / "no suffix", "PNG")
    grey.save(images / "cat" / "moves.gif", save_all=True, append_images=[grey.rotate(90)])
    (images / "cat" / "cut.png").write_bytes((images / "cat" / "00000.png").read_bytes()[:60])
    (images / "cat" / "empty.jpg").write_bytes(b"")
    (images / "dog" / "page.jpg").write_bytes(b"<!DOCTYPE html><title>404</title>")
    for name in ("Thumbs.db", ".DS_Store", "notes.txt", "00001.ogg", "drawing.svg"):
        (images / "dog" / name).write_bytes(b"x")
    (images / "empty class").mkdir()
    card = carded(made, images)
    assert card["counts"] == {"cat": 26, "dog": 20}
    assert {f["file"]: f["code"] for f in card["unreadable"]} == {
        "cat/cut.png": "truncated",
        "cat/empty.jpg": "empty",
        "dog/page.jpg": "not_an_image",
    }
    assert {f["file"] for f in card["ignored"]} == {
        *("dog/Thumbs.db", "dog/.DS_Store", "dog/notes.txt", "dog/00001.ogg", "dog/drawing.svg", "empty class/")
    }
    assert "3 cannot be read" in str(card)


def test_a_class_of_broken_files(made, pictures):
    images = pictures({"cat": 20, "dog": 20})
    for file in sorted((images / "dog").iterdir())[:10]:
        file.write_bytes(b"no image")
    with pytest.raises(capstone.FolderError, match="'dog': 10 of 20 files can be read, and 16 are needed. The first"):
        carded(made, images)


NAMES = ["хлеб", "麵包", "خبز", "ψωμί", "रोटी", "Brötchen & Co", "'quoted' \"name\"", "a" * 80, "<b>", "%s", "-rf"]


def test_names_in_any_script(made, pictures):
    images = pictures(dict.fromkeys(NAMES, 16))
    odd = "図 é 🙂.png"
    shutil.copy(images / NAMES[0] / "00000.png", images / NAMES[0] / odd)
    card = carded(made, images)
    assert card["classes"] == sorted(NAMES)
    assert f"{NAMES[0]}/{odd}" in [f["file"] for f in card["files"]]
    assert capstone.Project(made).load("card")["classes"] == sorted(NAMES)


def test_names_that_look_the_same_are_refused(made, pictures):
    one, two = "café", unicodedata.normalize("NFD", "café")
    images = pictures({one: 16, two: 16, "tea": 16})
    if len(list(images.iterdir())) < 3:
        pytest.skip("this file system takes them for one")
    with pytest.raises(capstone.FolderError, match="two class folders look alike"):
        carded(made, images)


def test_a_folder_of_another_form_of_unicode(made, pictures):
    images = pictures({unicodedata.normalize("NFD", "café"): 16, "tea": 16})
    assert carded(made, images)["classes"] == ["café", "tea"]


def test_deeper_folders_belong_to_their_class(made, pictures):
    images = pictures({"cat/monday": 16, "cat/tuesday": 16, "dog": 16})
    card = carded(made, images)
    assert card["counts"] == {"cat": 32, "dog": 16}
    assert card["files"][0]["file"].startswith("cat/monday/")


def test_ten_thousand_images_are_sampled(made, pictures):
    images = pictures({"many": 9_900, "few": 100}, side=4)
    card = carded(made, images, most=300)
    assert card["counts"] == {"few": 16, "many": 297}
    assert len(card["left_out"]) == 10_000 - 16 - 297
    assert "left out by `most = 300`" in str(card)
    again = carded(made, images, most=300)
    assert again["files"] == card["files"]
    assert all("on the card" not in text for text in capstone.check(made, "card")["card"].missing)


def test_a_sample_needs_room_for_every_class():
    with pytest.raises(capstone.FolderError, match="expected 32 or more"):
        folders.sampled({"a": ["1"] * 50, "b": ["2"] * 50}, 30, 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "..."', 'title = "', "cannot be read"),
        ('title = "..."', "title = 3", "expected text"),
        ("miss = 1.0", "miss = -1", "expected more than 0"),
        ("miss = 1.0", 'miss = "much"', "expected a number"),
        ("size = 96", "size = 100", "multiple of 32"),
        ("flaws = []", "flaws = [1]", "list of texts"),
        ('together = "file"', 'together = "day"', "expected one of file, folder, prefix"),
        ("most = 1500", "mots = 1500", "mots is no setting"),
        ("[card]", "[cards]", "is no setting"),
        ("most = 1500", "most = 5", "24 images or more"),
    ],
)
def test_settings_without_a_meaning(made, old, new, said):
    file = made / "project.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(capstone.ProjectError, match=said):
        capstone.Project(made)


def test_an_unknown_positive_class(made, pictures):
    images = pictures({"cat": 16, "dog": 16})
    carded(made, images, positive='["cow"]')
    missing = capstone.check(made, "question")["question"].missing
    assert any("the classes are cat, dog" in text for text in missing)


def test_new_writes_over_nothing(tmp_path):
    capstone.new(tmp_path / "one")
    with pytest.raises(FileExistsError, match="nothing was written"):
        capstone.new(tmp_path / "one")
    with pytest.raises(ValueError, match="neither a folder nor one of crowns, photographs"):
        capstone.new(tmp_path / "two", "cats")
    assert not (tmp_path / "two").exists()


def test_a_project_is_found_from_within_and_missed_elsewhere(made, tmp_path):
    (made / "deeper").mkdir()
    assert capstone.Project(made / "deeper").folder == made.resolve()
    with pytest.raises(capstone.ProjectError, match="no project.toml here or above"):
        capstone.Project(tmp_path)
