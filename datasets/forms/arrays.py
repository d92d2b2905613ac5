"""Named arrays, as files of several formats hold them, as labeled images.

Dimensions: N images of H x W pixels in C channels, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from glimpse.datasets.array_files import Header
from glimpse.datasets.forms.array_names import Vocabulary
from glimpse.datasets.forms.found import PartName, Stored, Undecided
from glimpse.datasets.forms.given import Given
from glimpse.datasets.forms.pixels import arranged, in_range
from glimpse.datasets.labels import Labels
from glimpse.settings.requests import FormChoice

__all__ = ["KEPT_IN_FILE", "ArrayKeys", "ArraySource", "Pair", "keys_of", "paired", "stored_parts"]

KEPT_IN_FILE = 1_000_000_000
"""Bytes from which images stay in their file and are read batch by batch, where the format allows it."""


class ArraySource(Protocol):
    """Arrays by name; a name may have folders, separated by `/` or `.`."""

    @property
    def path(self) -> Any:
        """Name of the source, for messages."""
        ...

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        ...

    def header(self, name: str) -> Header:
        """Returns the type and shape of an array."""
        ...

    def read(self, name: str, most: int | None = None) -> Any:
        """Returns an array, or at most its first rows; or a large array of rows that stays in its file."""
        ...


class ArrayKeys(NamedTuple):
    """Names that the user gives to images and labels; None for those in `array_names`."""

    images: str | None = None
    labels: str | None = None


class Pair(NamedTuple):
    """Names of the arrays of one part: images, and labels if there are any."""

    images: str
    labels: str | None


def stored_parts(source: ArraySource, given: Given) -> dict[PartName, Stored]:
    """Returns the parts of the images in a source.

    Args:
        source: The arrays.
        given: What they were found in, with the names of images and labels.

    Raises:
        Undecided: If it cannot be decided which arrays are the images or the labels.
        ValueError: If an array has a wrong shape, type or range, or there are not as many labels as images.
    """
    keys = ArrayKeys(given.choice.images_key, given.choice.labels_key)
    pairs = paired(source, keys, needs_labels=given.needs_labels)
    names = _class_names(source, Vocabulary(*keys))
    images: dict[PartName, Any] = {}
    labels: dict[PartName, Labels] = {}
    for part, pair in pairs.items():
        most = _most(source, pair, given.most)
        read = source.read(pair.images, most)
        if pair.labels is None:
            images[part] = arranged(read, f"{source.path}: {pair.images}")
            labels[part] = Labels.unknown(len(images[part]))
        else:
            labels[part] = _labels(source.read(pair.labels, most), f"{source.path}: {pair.labels}", names)
            images[part] = arranged(read, f"{source.path}: {pair.images}", len(labels[part]))
    _check_shapes(source, images, given.choice.size)
    where_images = [f"{source.path}: {pair.images}" for pair in pairs.values()]
    converted = dict(zip(pairs, in_range([*images.values()], where_images, as_stored=given.as_stored), strict=True))
    return {part: Stored(converted[part], labels[part]) for part in pairs}


def keys_of(given: Given) -> FormChoice:
    """Returns the choices that arrays depend on: the names of images and labels."""
    return FormChoice(images_key=given.choice.images_key, labels_key=given.choice.labels_key)


def paired(source: ArraySource, keys: ArrayKeys, *, needs_labels: bool = True) -> dict[PartName, Pair]:
    """Returns the names of the images and labels of each part, decided by their names, and by their shapes if these do not do.

    In a source with a validation or a test part but no training part, images and labels without a part are the training part.

    Args:
        source: The arrays; only their headers are read.
        keys: Names of images and labels.
        needs_labels: Whether images without labels are refused.

    Raises:
        Undecided: If several arrays may be the images or the labels of a part, or none.
    """
    finder = _Finder(source, keys, {name: source.header(name) for name in source.names}, needs_labels=needs_labels)
    by_part = finder.images_by_part()
    if "all" in by_part and len(by_part) > 1:
        whole = by_part.pop("all")
        by_part.setdefault("train", whole)
    order: Sequence[PartName] = ("all", "train", "valid", "test")
    return {part: Pair(by_part[part], finder.labels_of(part, by_part[part])) for part in order if part in by_part}


@dataclass(frozen=True)
class _Finder:
    """Finds the images and the labels among arrays.

    Attributes:
        source: The arrays.
        keys: Names of images and labels.
        headers: Type and shape of each array.
        needs_labels: Whether images without labels are refused.
    """

    source: ArraySource
    keys: ArrayKeys
    headers: Mapping[str, Header]
    needs_labels: bool

    def images_by_part(self) -> dict[PartName, str]:
        """Returns the name of the images of each part."""
        if self.keys.images is not None and not self._holding("images"):
            raise Undecided(self.source.path, f"no array {self.keys.images!r}", self.found)
        named: dict[PartName, list[str]] = {}
        for name in self._holding("images"):
            named.setdefault(self._understood(name).part, []).append(name)
        if named:
            return {part: self._only("images", names, self.keys.images) for part, names in named.items()}
        shaped = [name for name, header in self.headers.items() if _may_be_images(header) and len(header.shape) > 2]
        labels = [name for name, header in self.headers.items() if name not in shaped and _may_be_labels(header)]
        if len(shaped) == 1 and (len(labels) == 1 or self._holding("labels") or not self.needs_labels):
            return {"all": shaped[0]}
        if shaped and len(self.headers) == 1:
            raise self._without_labels(shaped[0])
        raise Undecided(self.source.path, "which array holds the images is not clear", self.found)

    def labels_of(self, part: PartName, images: str) -> str | None:
        """Returns the name of the labels of a part, None if it has none and needs none."""
        counts = {self.headers[images].shape[0], self.headers[images].shape[-1]}
        of_images = [name for name in self._holding("labels") if self._understood(name).part in (part, "all")]
        own = [name for name in of_images if self._understood(name).part == part or part == "train"]
        if own:
            fitting = [name for name in own if _count(self.headers[name], counts)]
            return self._only("labels", fitting or own, self.keys.labels)
        if self.keys.labels is not None and self.needs_labels:
            raise Undecided(self.source.path, f"no array {self.keys.labels!r} of labels for {images}", self.found)
        shaped = [
            name
            for name, header in self.headers.items()
            if name != images
            and not self._understood(name).holds
            and _may_be_labels(header)
            and header.shape[0] == self.headers[images].shape[0]
        ]
        if len(shaped) == 1 or (shaped and self.needs_labels):
            return self._only("labels", shaped, None)
        if self.needs_labels and len(self.headers) == 1:
            raise self._without_labels(images)
        if self.needs_labels:
            raise Undecided(self.source.path, f"no labels for {images}", self.found)
        return None

    def _without_labels(self, images: str) -> Undecided:
        remedy = "give an array of labels with it, one label for each image"
        return Undecided(self.source.path, f"no labels for {images}", self.found, remedy)

    @property
    def found(self) -> list[str]:
        """Each array with its type and shape."""
        return [f"{name} ({_described(header)})" for name, header in self.headers.items()]

    def _holding(self, what: str) -> list[str]:
        fits: Callable[[Header], bool] = _may_be_images if what == "images" else _may_be_labels
        named = (name for name in self.headers if self._understood(name).holds == what)
        return [name for name in named if fits(self.headers[name])]

    def _only(self, what: str, names: Sequence[str], key: str | None) -> str:
        """Returns the only name; of several the given one, or the only array that has the shape of images."""
        if key in names:
            return str(key)
        if what == "images" and len(names) > 1:
            names = [name for name in names if len(self.headers[name].shape) > 2] or names
        if len(names) == 1:
            return names[0]
        each = "both" if len(names) == 2 else "all"
        raise Undecided(self.source.path, f"{' and '.join(names)} may {each} be the {what}", self.found)

    def _understood(self, name: str) -> Any:
        return Vocabulary(*self.keys).understood(name)


def _most(source: ArraySource, pair: Pair, most: int | None) -> int | None:
    """Returns the largest number of rows to read, None if images are not rows.

    Raises:
        ValueError: If there are not as many labels as images.
    """
    shape = source.header(pair.images).shape
    if pair.labels is None:
        return most
    of_labels = source.header(pair.labels).shape
    if not {*of_labels} & {shape[0], shape[-1]}:
        raise ValueError(f"{source.path}: {shape[0]} images in {pair.images} but {of_labels[0]} labels in {pair.labels}")
    return most if shape[0] == of_labels[0] else None


def _labels(array: NDArray[Any], where: str, names: Sequence[str] | None) -> Labels:
    """Returns labels; one-hot columns, as MATLAB has them, count as rows."""
    if array.ndim == 2 and 1 not in array.shape and array.shape[0] < array.shape[1] and bool((array.sum(axis=0) == 1).all()):
        array = array.T
    return Labels.of(array, where, names)


def _class_names(source: ArraySource, vocabulary: Vocabulary) -> list[str] | None:
    """Returns the names of the classes that the source holds besides the labels, None if there are none."""
    for name in source.names:
        header = source.header(name)
        if vocabulary.understood(name).holds == "class names" and header.dtype.kind in "SU" and len(header.shape) == 1:
            return [str(each.decode() if isinstance(each, bytes) else each) for each in source.read(name).tolist()]
    return None


def _check_shapes(source: ArraySource, images: Mapping[PartName, Any], size: tuple[int, int] | None) -> None:
    shapes = {part: each.shape[1:] for part, each in images.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"{source.path}: the parts have images of different shapes (height, width, channels): {shapes}")
    found = next(iter(shapes.values()))[:2]
    if size not in (None, found):
        wanted = "the size {} x {}".format(*size or found)
        raise ValueError(f"{source.path} holds images of {found[0]} x {found[1]}: only pictures are brought to {wanted}")


def _may_be_images(header: Header) -> bool:
    """Returns whether an array has the type and at least the two dimensions of images."""
    return header.dtype.kind in "biuf" and len(header.shape) > 1


def _may_be_labels(header: Header) -> bool:
    """Returns whether an array has the type and a shape of labels."""
    return header.dtype.kind in "biufSU" and 1 <= len(header.shape) <= 2


def _count(header: Header, counts: set[int]) -> bool:
    """Returns whether an array has one label for each of one of these numbers of images."""
    return bool({header.shape[0], header.shape[-1]} & counts)


def _described(header: Header) -> str:
    if header.dtype.hasobject:
        return "Python objects, which are not read; store strings with .astype(str)"
    kinds = {"U": "strings", "S": "strings"}
    shape = " x ".join(map(str, header.shape)) or "single value"
    return f"{kinds.get(header.dtype.kind, str(header.dtype))} {shape}"
