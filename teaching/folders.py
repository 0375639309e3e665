"""Folders that a command of this folder makes anew each time it is called."""

import shutil
from pathlib import Path


def make_empty(folder: Path, stamp: str, of: str) -> None:
    """An empty folder with a stamp in it, by which a later call knows it.

    Args:
        folder: new, empty, or made by an earlier call with this stamp.
        stamp: name of the empty file that marks it.
        of: what the folder is for, as in "the site".

    Raises:
        FileExistsError: the folder holds something else, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / stamp).exists())):
        raise FileExistsError(f"{folder} holds something that is not of {of}; name a new or empty folder (--out)")
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():  # the folder itself stays: it may be a link, or be served just now
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (folder / stamp).touch()
