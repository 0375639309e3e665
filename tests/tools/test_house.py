"""The figure of modules and arrows: what counts as an arrow, where rooms stand, and that the picture says it."""

import subprocess
import sys
from xml.etree import ElementTree

import house
import pytest

TOWN = {
    "cnnlib/__init__.py": "from cnnlib import low\n",
    "cnnlib/low.py": "import numpy\n",
    "cnnlib/middle.py": "from . import low\nfrom cnnlib.low import thing\n",
    "cnnlib/high/__init__.py": "from .part import x\nfrom .. import middle\n",
    "cnnlib/high/part.py": "def f():\n    import cnnlib.low\n",
}
RING = TOWN | {"cnnlib/low.py": "def late():\n    from cnnlib import high\n"}


def test_modules_and_rooms():
    assert house.module("cnnlib/high/__init__.py") == "cnnlib.high"
    assert house.room("cnnlib.high.part") == "high"
    assert house.room("cnnlib") == "cnnlib"


def test_every_kind_of_import_is_an_arrow():
    assert house.imports(TOWN) == {
        "cnnlib": {"cnnlib.low"},
        "cnnlib.low": set(),
        "cnnlib.middle": {"cnnlib.low"},
        "cnnlib.high": {"cnnlib.high.part", "cnnlib.middle"},
        "cnnlib.high.part": {"cnnlib.low"},
    }


def test_imports_inside_functions_can_be_told_apart():
    assert house.imports(TOWN, top_level_only=True)["cnnlib.high.part"] == set()


def test_a_room_stands_above_all_that_it_needs():
    between = house.rooms(house.imports(TOWN))
    assert house.cycles(between) == []
    floors = house.floors(between)
    assert floors["low"] < floors["middle"] < floors["high"]


def test_a_cycle_is_found_and_shares_a_floor():
    between = house.rooms(house.imports(RING))
    assert house.cycles(between) == [["high", "low", "middle"]]
    assert len({house.floors(between)[name] for name in ("high", "low", "middle")}) == 1


@pytest.mark.parametrize(("files", "told", "red"), [(TOWN, "no cycle", False), (RING, "cycles: ", True)])
def test_the_picture_names_rooms_lines_and_cycles(tmp_path, files, told, red):
    house.draw(files, "a town", tmp_path / "new" / "town.svg")
    text = (tmp_path / "new" / "town.svg").read_text(encoding="utf-8")
    words = " ".join(ElementTree.fromstring(text).itertext())
    assert all(name in words for name in ("low", "middle", "high", "a town: 3 rooms", told))
    assert "2 files" in words
    assert (house.RED in text) is red


def test_the_picture_is_the_same_each_time(tmp_path):
    for name in ("one.svg", "two.svg"):
        house.draw(TOWN, "a town", tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_a_revision_that_is_not_there_is_named():
    with pytest.raises(SystemExit, match="no revision 'nowhere'"):
        house.sources("nowhere")


def test_the_command_lists_the_arrows():
    command = [sys.executable, house.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=house.ROOT)
    assert "cycles between rooms: none" in done.stdout
    assert "detection: " in done.stdout
