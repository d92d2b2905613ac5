"""MATLAB files of version 5 to 7, by the names of the variables in them and of the fields of structures, such as affNIST's.

References:
    T. Tieleman, "affNIST", www.cs.toronto.edu/~tijmen/affNIST, 2013.
"""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from glimpse.datasets.array_files import Header
from glimpse.datasets.damage import as_one_line
from glimpse.datasets.forms.arrays import keys_of, stored_parts
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.forms.mat5 import read_arrays
from glimpse.digest import sha256_of_file

__all__ = ["FORM"]

_MAGIC = b"MATLAB 5.0 MAT-file"


class _Variables:
    """Variables of a file, with the fields of structures by names such as `affNISTdata.image`.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with as_one_line(path, " is no .mat file that can be read"):
            self._values = read_arrays(path)

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return sorted(self._values)

    def header(self, name: str) -> Header:
        """Returns the type and shape of an array."""
        return Header(self._values[name].dtype, self._values[name].shape)

    def read(self, name: str, most: int | None = None) -> NDArray[Any]:
        """Returns an array, or at most its first rows."""
        return self._values[name][:most]


def _open(given: Given) -> Found:
    """Returns the images and labels in a MATLAB file.

    Raises:
        ValueError: If the file is damaged, or an array has a wrong name, shape, type or range, or is too large.
    """
    parts = stored_parts(_Variables(given.source), given)
    return Found(".mat", str(given.path), sha256_of_file(given.source), parts, choice=keys_of(given))


FORM = Form("a .mat file", lambda given: given.head.startswith(_MAGIC), _open)
