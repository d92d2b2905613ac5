"""Files in MNIST's format, IDX, compressed by gzip or not: a file of images next to its labels, or a folder of both.

    train-images-idx3-ubyte train-labels-idx1-ubyte         train-images.idx3-ubyte.gz train-labels.idx1-ubyte.gz

Files whose names hold `emnist` store columns before rows, as EMNIST does.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.array_files import read_idx
from glimpse.datasets.forms.array_names import part_named
from glimpse.datasets.forms.found import Found, PartName, Stored, Undecided
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.forms.picture_files import digest_of_files
from glimpse.datasets.forms.pixels import arranged, in_range
from glimpse.datasets.labels import Labels

__all__ = ["FORM", "IdxName", "idx_name"]

_HEAD = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x04]")
_NAME = re.compile(r"(?P<prefix>.*?)[-_.]?(?P<holds>images|labels)[-_.]?idx(?P<dimensions>\d)[-_.]ubyte(\.gz)?", re.IGNORECASE)
_T10K = "t10k"  # MNIST's name of the test part


class IdxName(NamedTuple):
    """What the name of an IDX file says.

    Attributes:
        prefix: Beginning of the name, such as `train` or `emnist-letters-test`, in lower case.
        holds: `images` or `labels`.
    """

    prefix: str
    holds: str

    @property
    def part(self) -> PartName:
        """Part of the set; `all` if the name has none."""
        words = re.split(r"[-_.]", self.prefix)
        return next((part for word in words if (part := _part(word)) is not None), "all")

    @property
    def set_name(self) -> str:
        """Beginning of the name without the part: the name of the set, empty for MNIST's own names."""
        return "-".join(word for word in re.split(r"[-_.]", self.prefix) if _part(word) is None)


def idx_name(name: str) -> IdxName | None:
    """Returns what the name of a file says, None if it is not one of an IDX file.

    >>> idx_name("train-images.idx3-ubyte.gz")
    IdxName(prefix='train', holds='images')
    """
    match = _NAME.fullmatch(name)
    return match and IdxName(match["prefix"].lower(), match["holds"].lower())


def _takes(given: Given) -> bool:
    if given.path is None:
        return False
    if given.is_folder:
        return any(idx_name(path.name) is not None for path in given.path.iterdir())
    return _HEAD.match(given.head) is not None


def _open(given: Given) -> Found:
    """Returns the images and labels in a folder of IDX files, or in a file of images and the file of labels next to it.

    Raises:
        Undecided: If the folder holds several sets.
        ValueError: If a file is missing or damaged, or there are not as many labels as images.
    """
    path: Path = given.source
    pairs: Mapping[PartName, Mapping[str, Path]] = _pairs_in(path) if given.is_folder else {"all": _pair_of(path)}
    images = {part: _images(pair["images"]) for part, pair in pairs.items()}
    names = [str(pair["images"]) for pair in pairs.values()]
    converted = dict(zip(pairs, in_range([*images.values()], names, as_stored=given.as_stored), strict=True))
    parts: dict[PartName, Stored] = {}
    for part, pair in pairs.items():
        labels = Labels.of(read_idx(pair["labels"]), str(pair["labels"]))
        if len(labels) != len(converted[part]):
            raise ValueError(f"{pair['images']} holds {len(converted[part])} images, {pair['labels'].name} {len(labels)} labels")
        parts[part] = Stored(converted[part], labels)
    files = [file for pair in pairs.values() for file in pair.values()]
    return Found("IDX", str(path), digest_of_files(path if given.is_folder else path.parent, files), parts)


FORM = Form("IDX files, as MNIST's", _takes, _open)


def _images(file: Path) -> NDArray[Any]:
    images = arranged(read_idx(file), str(file))
    return np.ascontiguousarray(images.swapaxes(1, 2)) if "emnist" in file.name.lower() else images


def _pairs_in(folder: Path) -> Mapping[PartName, Mapping[str, Path]]:
    """Returns the files of images and labels of each part of the only set in a folder."""
    named = [(name, path) for path in sorted(folder.iterdir()) if (name := idx_name(path.name)) is not None]
    sets = sorted({name.set_name for name, _ in named})
    if len(sets) > 1:
        found = [path.name for _, path in named]
        raise Undecided(folder, f"the files of {len(sets)} sets", found, "give one of the files of images instead of the folder")
    pairs: dict[PartName, dict[str, Path]] = {}
    for name, path in named:
        pairs.setdefault(name.part, {}).setdefault(name.holds, path)
    for pair in pairs.values():
        for missing in {"images", "labels"} - pair.keys():
            (there,) = pair.values()
            raise ValueError(f"{folder} holds {there.name}, but no file of {missing} with such a name")
    return pairs


def _pair_of(path: Path) -> Mapping[str, Path]:
    """Returns a file of images, and the file of labels next to it."""
    name = idx_name(path.name)
    others = [(idx_name(other.name), other) for other in sorted(path.parent.iterdir()) if other != path]
    labels = next((other for known, other in others if name is not None and known == (name.prefix, "labels")), None)
    if name is not None and name.holds == "images" and labels is not None:
        return {"images": path, "labels": labels}
    wanted = "train-images-idx3-ubyte next to train-labels-idx1-ubyte"
    raise ValueError(f"{path}: give a file of images with its file of labels next to it, named like {wanted}, possibly with .gz")


def _part(word: str) -> PartName | None:
    return "test" if word == _T10K else part_named(word)
