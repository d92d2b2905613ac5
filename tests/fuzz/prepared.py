"""An intact folder of a reader, and copies of it whose file is damaged."""

import random
import shutil
from pathlib import Path

from tests.fuzz.readers import Outcome, Reader, outcome

__all__ = ["Prepared"]


class Prepared:
    """A reader with its intact folder.

    Args:
        reader: The reader.
        place: Folder for the intact folder and for mutants.
    """

    def __init__(self, reader: Reader, place: Path) -> None:
        self.reader, self._whole, self._mutant = reader, place / "whole", place / "mutant"
        self._whole.mkdir()
        file = reader.write(self._whole)
        self._file, self._content = file.relative_to(self._whole), file.read_bytes()
        self._intact = reader.read(self._copy())

    def outcome(self, draw: random.Random) -> Outcome:
        """Returns the outcome of a mutant; raises if it is a failure."""
        folder = self._copy()
        return outcome(self.reader, folder, self._intact, folder / self._file, self._content, draw)

    def _copy(self) -> Path:
        shutil.rmtree(self._mutant, ignore_errors=True)
        shutil.copytree(self._whole, self._mutant)
        return self._mutant
