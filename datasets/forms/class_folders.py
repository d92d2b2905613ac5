"""Folders of pictures, one folder for each class, possibly in folders `train`, `valid` and `test`.

    photos/cat/1.jpg  photos/dog/2.jpg                                  one folder for each class
    photos/train/cat/1.jpg  photos/val/cat/2.jpg  photos/test/cat/3.jpg     with parts

A class has the pictures in its folder and all folders below it. Hidden files and folders are ignored.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from glimpse.datasets.forms.array_names import part_named
from glimpse.datasets.forms.found import Found, PartName
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.forms.picture_files import Picture, digest_of_files, stored_pictures
from glimpse.datasets.picture_files import OTHER_PICTURES, PICTURE_ENDINGS, is_hidden
from glimpse.settings.requests import FormChoice

__all__ = ["FORM"]

_TABLES = (".csv", ".tsv")


def _takes(given: Given) -> bool:
    return given.path is not None and given.is_folder and bool(_layout(given.path))


def _open(given: Given) -> Found:
    """Returns the pictures of each class, in alphabetical order of their names.

    Raises:
        ValueError: If pictures cannot be read, or differ in size and the choice has none.
    """
    root: Path = given.source
    parts: dict[PartName, list[Picture]] = {}
    empty: list[str] = []
    others: list[Path] = []
    for part, classes in _layout(root).items():
        for name, folder in classes.items():
            files = _files_in(folder, PICTURE_ENDINGS)
            parts.setdefault(part, []).extend(Picture(file, name) for file in files)
            empty += [] if files else [folder.relative_to(root).as_posix()]
            others += _files_in(folder, OTHER_PICTURES)
    stored = stored_pictures(parts, given, str(root))
    files = [picture.file for pictures in parts.values() for picture in pictures]
    notes = [f"No pictures in {', '.join(sorted(empty)[:5])}: left out."] if empty else []
    if others:
        notes.append(f"{len(others):,} pictures such as {others[0].relative_to(root)} are not read: save them as JPEG or PNG.")
    choice = FormChoice(given.choice.size, given.choice.fit)
    return Found("class folders", str(root), digest_of_files(root, files), stored, choice=choice, notes=tuple(notes))


FORM = Form("a folder of class folders", _takes, _open)


def _layout(root: Path) -> Mapping[PartName, Mapping[str, Path]]:
    """Returns the folder of each class by part; empty if there are none."""
    folders = _folders(root)
    parts = {part: folder for folder in folders if (part := part_named(folder.name)) is not None}
    if parts and len(parts) == len(folders) and any(_folders(folder) for folder in folders):
        split = {part: _classes(folder) for part, folder in parts.items()}
        return {part: classes for part, classes in split.items() if classes}
    if len(folders) == 1 and _folders(folders[0]) and not _has_pictures(root):
        return _layout(folders[0])  # an archive that was unpacked into a folder of its own
    classes = _classes(root)
    if all(part_named(name) is not None for name in classes):  # parts without class folders
        return {}
    if len(classes) == 1 and any(
        path.suffix.lower() in _TABLES for path in root.iterdir()
    ):  # pictures, and a table of their labels
        return {}
    return {"all": classes}


def _classes(root: Path) -> dict[str, Path]:
    """Returns the folders in a folder by name, if at least one of them has a picture."""
    folders = {folder.name: folder for folder in _folders(root)}
    return folders if any(_has_pictures(folder, deep=True) for folder in folders.values()) else {}


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path.name))


def _has_pictures(folder: Path, *, deep: bool = False) -> bool:
    walk = _walk(folder) if deep else [(str(folder), [path.name for path in folder.iterdir()])]
    return any(_ends_in(name, PICTURE_ENDINGS) for _, names in walk for name in names)


def _files_in(folder: Path, endings: Collection[str]) -> list[Path]:
    """Returns the files with these endings in a folder and all folders below it, sorted by their path, without hidden ones."""
    return sorted(Path(root, name) for root, names in _walk(folder) for name in names if _ends_in(name, endings))


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields a folder and those below it that are not hidden, each once however links lead to it, with the names of their files."""
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not is_hidden(name)]
        real = os.path.realpath(root)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        yield root, names


def _ends_in(name: str, endings: Collection[str]) -> bool:
    return Path(name).suffix.lower() in endings and not is_hidden(name)
