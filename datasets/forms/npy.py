"""Arrays of numpy in files of their own: `.npy` images next to a file of labels, or a folder of both, possibly in parts.

x_train.npy y_train.npy     images.npy labels.txt       labels as an array, or as a text of one label a line
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.array_files import ArrayFile, Header, read_array, read_header
from glimpse.datasets.forms.array_names import Vocabulary
from glimpse.datasets.forms.arrays import KEPT_IN_FILE, keys_of, stored_parts
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.forms.picture_files import digest_of_files
from glimpse.datasets.limits import check_bytes

__all__ = ["FORM"]

_MAGIC = b"\x93NUMPY"
_ENDING = ".npy"
_TEXTS = (".txt", ".csv")


class _Files:
    """Arrays in the files of a folder, by the names of the files without their endings.

    Args:
        path: The folder or the file that was given, for messages.
        files: The files.
    """

    def __init__(self, path: Path, files: list[Path]) -> None:
        self.path, self.files = path, {file.stem: file for file in files}

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return sorted(self.files)

    def header(self, name: str) -> Header:
        """Returns the type and shape of an array."""
        file = self.files[name]
        if file.suffix.lower() in _TEXTS:
            return Header(np.dtype("U1"), self.read(name).shape)
        with file.open("rb") as opened:
            return read_header(opened, str(file))

    def read(self, name: str, most: int | None = None) -> Any:
        """Returns an array, or at most its first rows; a large one of uint8 stays in its file."""
        file = self.files[name]
        if file.suffix.lower() in _TEXTS:
            return _lines(file)[:most]
        header = self.header(name)
        if header.dtype == np.uint8 and not header.is_fortran and len(header.shape) > 2 and header.size > KEPT_IN_FILE:
            return ArrayFile(file)
        return read_array(file)[:most]


def _takes(given: Given) -> bool:
    if given.path is None:
        return False
    if given.is_folder:
        return any(path.suffix.lower() == _ENDING for path in given.path.iterdir())
    return given.head.startswith(_MAGIC)


def _open(given: Given) -> Found:
    """Returns the arrays of a folder, or the images in a file with the labels next to it.

    Raises:
        ValueError: If there are no labels, an array has a wrong shape, type or range, or is too large.
    """
    path: Path = given.source
    folder = path if given.is_folder else path.parent
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in (_ENDING, *_TEXTS) and file.is_file()]
    if not given.is_folder:
        files = [path, *_labels_next_to(path, files, given.choice.labels_key)]
    arrays = _Files(path, files)
    parts = stored_parts(arrays, given)
    return Found(".npy", str(path), digest_of_files(folder, files), parts, choice=keys_of(given))


FORM = Form("a .npy file next to a file of labels", _takes, _open)


def _labels_next_to(images: Path, files: list[Path], key: str | None) -> list[Path]:
    """Returns the files that may hold the labels of a file of images: those of its part, or that with a given name."""
    words = Vocabulary(labels_key=key)
    part = words.understood(images.stem).part
    others = [file for file in files if file != images]
    named = [file for file in others if file.stem == key or file.name == key] if key is not None else []
    return (
        named
        or [file for file in others if words.understood(file.stem) == (part, "labels")]
        or [file for file in others if words.understood(file.stem).holds == "labels"]
        or others
    )


def _lines(file: Path) -> NDArray[np.str_]:
    """Returns the lines of a text, without empty ones."""
    check_bytes(file.stat().st_size, str(file))
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    return np.array([line.strip() for line in text.splitlines() if line.strip()], dtype=np.str_)
