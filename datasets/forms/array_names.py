"""Names of arrays in files as people give them: which part of a set an array belongs to, and what it holds.

`X_train`, `trainImages`, `train/x`, `train_set_x_orig` and `images/train` are all training images.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from glimpse.datasets.forms.found import PartName, Undecided

__all__ = ["ArrayName", "Vocabulary", "labels_column", "only_column", "part_named"]

_PARTS: dict[str, PartName] = {
    "training": "train",
    "train": "train",
    "tr": "train",
    "validation": "valid",
    "valid": "valid",
    "val": "valid",
    "va": "valid",
    "dev": "valid",
    "testing": "test",
    "test": "test",
    "te": "test",
}
_FILLERS = ("dataset", "set", "array", "arr", "orig", "raw", "np")
_IMAGES = frozenset(
    {"x", "xs", "v", "image", "images", "img", "imgs", "imagedata", "data", "input", "inputs", "feature", "features"}
)
_IMAGES |= {"pixel", "pixels", "picture", "pictures", "pic", "pics", "photo", "photos", "sample", "samples", "frame", "frames"}
_IMAGES |= {"pixelvalue", "pixelvalues"}
_LABELS = frozenset({"y", "ys", "label", "labels", "lab", "labs", "lbl", "lbls", "target", "targets", "class", "classes", "gt"})
_LABELS |= {"category", "categories", "labelint", "labelid", "labelids", "labelindex", "classid", "classids", "classlabels"}
_CLASS_NAMES = frozenset(["labelnames", "classnames", "targetnames", "categorynames", "listclasses", "names"])


class ArrayName(NamedTuple):
    """What the name of an array says.

    Attributes:
        part: Part of the set; `all` if the name has none.
        holds: `images`, `labels`, `class names`, or empty if the name says neither.
    """

    part: PartName
    holds: str


class Vocabulary:
    """Words for images and for labels, by which names are understood.

    Args:
        images_key: Name that stands for images, in place of the usual words; of one array, or of one in each part.
        labels_key: Name that stands for labels likewise.
    """

    def __init__(self, images_key: str | None = None, labels_key: str | None = None) -> None:
        self._words = {
            "images": _IMAGES if images_key is None else {_key(images_key)},
            "labels": _LABELS if labels_key is None else {_key(labels_key)},
            "class names": _CLASS_NAMES,
        }

    def understood(self, name: str) -> ArrayName:
        """Returns what a name says; folders in it are separated by `/` or `.`.

        >>> Vocabulary().understood("train_set_x_orig"), Vocabulary().understood("labels")
        (ArrayName(part='train', holds='images'), ArrayName(part='all', holds='labels'))
        """
        part: PartName = "all"
        words: list[str] = []
        for component in re.split(r"[/.]", name):
            here, word = self._without_part(_plain(component))
            part, words = here or part, [*words, word]
        word = next((each for each in reversed(words) if each), "images" if part != "all" else "")
        holds = next((what for what, known in self._words.items() if word in known), "")
        return ArrayName(part, holds)

    def _without_part(self, word: str) -> tuple[PartName | None, str]:
        """Returns the part that a word names, and the rest of the word; a part counts only if the rest is known or empty."""
        known = frozenset().union(*self._words.values())
        for name, part in _PARTS.items():
            rests = [word.removeprefix(name)] if word.startswith(name) else []
            rests += [word.removesuffix(name)] if word.endswith(name) else []
            for rest in map(_without_fillers, rests):
                if rest in known or not rest:
                    return part, rest
        return None, _without_fillers(word) if _without_fillers(word) in known else word


def only_column(where: str, what: str, key: str | None, candidates: Sequence[str], names: Sequence[str] = ()) -> str:
    """Returns the column of images or labels: the given one, else the only candidate or the only one with a usual name.

    Args:
        where: Name of the table or the data set, for messages.
        what: `images` or `labels`.
        key: Name that the user gives; None if it is to be found.
        candidates: Names of the columns that may hold them by their content.
        names: Names among which the user may choose; the candidates if empty.

    Raises:
        Undecided: If there is no column of the given name, or not exactly one that fits.
    """
    names = names or candidates
    if key is not None:
        if key not in names:
            raise Undecided(where, f"no column {key!r}", names)
        return key
    words = Vocabulary()
    known = [name for name in candidates if words.understood(name).holds == what]
    for chosen in (known, candidates):
        if len(chosen) == 1:
            return chosen[0]
    raise Undecided(where, f"which column holds the {what} is not clear", names)


def labels_column(where: str, key: str | None, plain: Sequence[str], names: Sequence[str]) -> str:
    """Returns the column of labels: the given one, else the one with a usual name, else the only one of plain values.

    Args:
        where: Name of the table or the data set, for messages.
        key: Name that the user gives; None if it is to be found.
        plain: Names of the columns of numbers or strings; labels as one-hot rows are none of these.
        names: Names of all columns besides that of the images.

    Raises:
        Undecided: If there is no column of the given name, or not exactly one that fits.
    """
    words = Vocabulary()
    known = [name for name in names if words.understood(name).holds == "labels"]
    return only_column(where, "labels", key, known or plain or names, names)


def part_named(name: str) -> PartName | None:
    """Returns the part of a set that a folder or a value is named after, None if it is none.

    >>> part_named("Validation"), part_named("trains")
    ('valid', None)
    """
    return _PARTS.get(_plain(name))


def _key(key: str) -> str:
    """Returns the word in a name without the part in it: `x` for `x_train`."""
    *_, leaf = re.split(r"[/.]", key)
    word = _plain(leaf)
    tokens: Sequence[str] = [token for token in re.split(r"[^a-z0-9]+", leaf.lower()) if token and token not in _PARTS]
    return "".join(tokens) or word


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _without_fillers(word: str) -> str:
    for filler in _FILLERS:
        word = word.removeprefix(filler).removesuffix(filler)
    return word
