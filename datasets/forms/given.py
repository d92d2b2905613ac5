"""What is to be recognized: a path or an object of Python, and the choices that its form leaves open."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from glimpse.datasets.forms.found import Found
from glimpse.listener import Listener
from glimpse.settings.requests import FormChoice

__all__ = ["Form", "Given"]

_GZIP = b"\x1f\x8b"
_HEAD = 4096  # bytes by which a file is recognized


@dataclass(frozen=True)
class Given:
    """A source of images, and how it is to be read.

    Attributes:
        source: Absolute path of a folder or a file that exists, or an object of Python.
        choice: Choices of the user.
        needs_labels: Whether images without labels are refused; else their labels are unknown.
        as_stored: Whether 0 and 1 in uint8 are kept, as in runs that were started with an earlier version.
        most: Largest number of images of each part to read, the first ones; all if None.
        listener: Hears the progress.
    """

    source: Any
    choice: FormChoice = field(default_factory=FormChoice)
    needs_labels: bool = True
    as_stored: bool = False
    most: int | None = None
    listener: Listener = field(default_factory=Listener)

    @property
    def path(self) -> Path | None:
        """The path; None for an object of Python."""
        return self.source if isinstance(self.source, Path) else None

    @property
    def is_folder(self) -> bool:
        """Whether the source is a folder."""
        return self.path is not None and self.path.is_dir()

    @property
    def is_file(self) -> bool:
        """Whether the source is a file."""
        return self.path is not None and not self.path.is_dir()

    @cached_property
    def head(self) -> bytes:
        """First bytes of a file, unpacked if it is compressed by gzip; empty for any other source."""
        if not self.is_file:
            return b""
        with self.source.open("rb") as file:
            head: bytes = file.read(_HEAD)
        if not head.startswith(_GZIP):
            return head
        try:
            with gzip.open(self.source) as file:
                return file.read(_HEAD)
        except (OSError, EOFError, zlib.error):  # a damaged file is still gzip
            return head


@dataclass(frozen=True)
class Form:
    """A form of labeled images.

    Attributes:
        name: Name of the form, for messages.
        takes: Returns whether a source has this form, by its content; does not read images.
        open: Returns the images of such a source.
    """

    name: str
    takes: Callable[[Given], bool]
    open: Callable[[Given], Found]
