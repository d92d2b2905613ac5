"""Archives of numpy's arrays: `.npz`, by the names of the arrays in it."""

import zipfile

from glimpse.datasets.array_files import ArrayArchive
from glimpse.datasets.forms.arrays import keys_of, stored_parts
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Form, Given
from glimpse.digest import sha256_of_file

__all__ = ["FORM"]

_ZIP = b"PK\x03\x04"
_ENDING = ".npz"


def _takes(given: Given) -> bool:
    if given.path is None or not given.is_file:
        return False
    if given.path.suffix.lower() == _ENDING:
        return True
    if not given.head.startswith(_ZIP):
        return False
    try:
        with zipfile.ZipFile(given.path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError):  # the last of a version that is unknown
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _open(given: Given) -> Found:
    """Returns the images and labels in an archive.

    Raises:
        ValueError: If the file is not a readable `.npz`, or an array has a wrong name, shape, type or range, or is too large.
    """
    with ArrayArchive(given.source) as arrays:
        parts = stored_parts(arrays, given)
    return Found(".npz", str(given.path), sha256_of_file(given.source), parts, choice=keys_of(given))


FORM = Form("a .npz file", _takes, _open)
