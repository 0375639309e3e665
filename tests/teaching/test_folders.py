"""A folder that is made anew: what somebody else put there stays."""

import folders
import pytest


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(FileExistsError, match="not of the site"):
            folders.make_empty(place, ".stamp", "the site")
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_what_an_earlier_call_made_is_made_anew(tmp_path):
    for _ in range(2):
        folders.make_empty(tmp_path / "new", ".stamp", "the site")
        assert [path.name for path in (tmp_path / "new").iterdir()] == [".stamp"]
        (tmp_path / "new" / "deep").mkdir()
        (tmp_path / "new" / "deep" / "old.html").write_text("")


def test_what_a_link_leads_to_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    folders.make_empty(tmp_path / "new", ".stamp", "the site")
    (tmp_path / "new" / "link").symlink_to(tmp_path / "mine", target_is_directory=True)
    folders.make_empty(tmp_path / "new", ".stamp", "the site")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"
