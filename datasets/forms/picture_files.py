"""Picture files with labels as images of one size.

Dimensions: N pictures of H x W pixels in C channels.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.forms.found import PartName, Stored
from glimpse.datasets.forms.given import Given
from glimpse.datasets.labels import Labels, listed
from glimpse.datasets.picture_files import PictureHeader, picture_header, read_picture, to_eight_bits
from glimpse.datasets.picture_rows import PictureRows, fitted, refuse_broken
from glimpse.digest import sha256_of_bytes, sha256_of_file
from glimpse.environment import usable_cores
from glimpse.settings.requests import Fit

__all__ = ["Picture", "digest_of_files", "stored_pictures"]

A = TypeVar("A")
B = TypeVar("B")

_READ_WHOLE = 2_000_000_000  # bytes of all files up to which their digest covers their content


class Picture(NamedTuple):
    """A picture file and the label of its picture."""

    file: Path
    label: str


def stored_pictures(parts: Mapping[PartName, Sequence[Picture]], given: Given, where: str) -> dict[PartName, Stored]:
    """Returns the pictures of each part, to be decoded when they are asked for; only their headers are read now.

    They are gray if all of them are. They have the size that is chosen, else the size that all of them have.

    Args:
        parts: Files and labels.
        given: What they were found in, with the choice of a size.
        where: Name of it, for messages.

    Raises:
        ValueError: If a header cannot be read, or the sizes differ and none is chosen.
    """
    files = [picture.file for pictures in parts.values() for picture in pictures]
    found = _in_parallel(_header, files)
    refuse_broken([each for each in found if isinstance(each, str)], len(files))
    headers = [each for each in found if not isinstance(each, str)]
    several = [file.name for file, header in zip(files, headers, strict=True) if header.is_sequence]
    if several:
        given.listener.note(f"{where}: {listed(several)} hold several pictures: the first of each is read")
    channels = 1 if all(header.is_gray for header in headers) else 3
    size = given.choice.size or _only_size(files, [header.size for header in headers], where)
    decode = partial(_decoded, channels=channels, size=size, fit=given.choice.fit or "pad")
    stored: dict[PartName, Stored] = {}
    for part, pictures in parts.items():
        labels = Labels.of(np.array([picture.label for picture in pictures]), f"{where}: labels")
        stored[part] = Stored(PictureRows([picture.file for picture in pictures], decode, (*size, channels)), labels)
    return stored


def digest_of_files(root: Path, files: Sequence[Path]) -> str:
    """Returns the SHA-256 of the names and sizes of files, and of their content if they have at most 2 GB together.

    Args:
        root: Folder that names are relative to.
        files: The files, in any order.
    """
    names = [file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix() for file in files]
    sizes = [file.stat().st_size for file in files]
    contents = _in_parallel(sha256_of_file, files) if sum(sizes) <= _READ_WHOLE else [""] * len(files)
    lines = sorted(f"{name}\0{size}\0{content}\n" for name, size, content in zip(names, sizes, contents, strict=True))
    return sha256_of_bytes("".join(lines).encode())


def _header(file: Path) -> PictureHeader | str:
    """Returns the header of a picture, or the message of the error if it cannot be read."""
    try:
        return picture_header(file)
    except (ValueError, OSError) as error:
        return str(error)


def _decoded(file: Path, *, channels: int, size: tuple[int, int], fit: Fit) -> NDArray[np.uint8]:
    return fitted(to_eight_bits(read_picture(file, channels)), size, fit)


def _only_size(files: Sequence[Path], sizes: Sequence[tuple[int, int]], where: str) -> tuple[int, int]:
    """Returns the height and width that all pictures have.

    Raises:
        ValueError: If they differ.
    """
    if len(set(sizes)) == 1:
        return sizes[0]
    order = sorted(range(len(files)), key=lambda i: sizes[i][0] * sizes[i][1])
    examples = " and ".join(f"{files[i].name} {sizes[i][0]} x {sizes[i][1]}" for i in (order[0], order[-1]))
    raise ValueError(
        f"{where}: the pictures differ in size, such as {examples} (height x width); choose one with --size H,W, and how they are"
        " brought to it with --fit pad, resize or crop"
    )


def _in_parallel(function: Callable[[A], B], items: Sequence[A]) -> list[B]:
    with ThreadPoolExecutor(usable_cores()) as threads:
        return [*threads.map(function, items)]
