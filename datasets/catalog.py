"""The catalog of digit sources and generative sets, one entry each; torch is not imported.

To add one, write a module with a function that opens it, and add an entry to `DIGIT_SOURCES` or `GENERATIVE_SETS`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from glimpse.datasets.folders import search_places
from glimpse.datasets.split_rule import SplitRule

if TYPE_CHECKING:
    from glimpse.datasets.digits import DigitSource
    from glimpse.datasets.fetch import Progress
    from glimpse.datasets.pixel_sets import Opened

__all__ = [
    "AUTO",
    "AUTO_DIGITS",
    "AUTO_SETS",
    "DIGIT_SOURCES",
    "GENERATIVE_SETS",
    "Binarization",
    "Deferred",
    "Entry",
    "GenerativeEntry",
    "Request",
    "choices",
    "described",
    "looked_up",
    "opens_again",
]

Binarization = Literal["fixed", "dynamic", "none"]
T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Request:
    """Argument of the function that opens a source.

    Attributes:
        name: Name of the source in its catalog.
        path: Path that was given; None if the source was given by its name.
        data_dir: Folder to search first; never written to.
        split: Rule that divides digits without parts.
        class_names: Classes of a trained model, to which the labels of your own digits are mapped; None for their own classes.
        size: Height and width in pixels to resize your own pictures to; not resized if None.
        progress: Called during a download or a preparation.
        download: Whether to download a source that is not found.

    Raises:
        FileNotFoundError: If `data_dir` is not a folder.
    """

    name: str
    path: Path | None = None
    data_dir: Path | None = None
    split: SplitRule = field(default_factory=SplitRule)
    class_names: Sequence[str] | None = None
    size: tuple[int, int] | None = None
    progress: "Progress | None" = None
    download: bool = True

    def __post_init__(self) -> None:
        if self.data_dir is not None and not self.data_dir.is_dir():
            raise FileNotFoundError(f"no folder {self.data_dir} to look for data in")

    @property
    def places(self) -> list[Path]:
        """Folders to search, in order."""
        return search_places(self.data_dir)


@dataclass(frozen=True)
class Deferred:
    """A function of a module in `glimpse.datasets`, imported at the first call.

    Attributes:
        file: Name of the module.
        function: Name of the function.
    """

    file: str
    function: str

    def resolved(self) -> Callable[..., Any]:
        """Returns the function."""
        function: Callable[..., Any] = getattr(import_module(f"glimpse.datasets.{self.file}"), self.function)
        return function

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function."""
        return self.resolved()(*arguments)


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A source in a catalog.

    Attributes:
        summary: Short description for the help.
        open: Function that opens the source.
        is_fetched: Whether the source is downloaded to the user's cache if it is not found.
        is_named: Whether the source is opened by its name; else only by a path.
        takes_path: Function that returns whether a path is such a source; None if no path is.
    """

    summary: str
    open: Callable[[Request], T]
    is_fetched: bool = False
    is_named: bool = True
    takes_path: Callable[[Path], bool] | None = None


@dataclass(frozen=True)
class GenerativeEntry(Entry[T]):
    """A generative set in the catalog.

    Attributes:
        binarization: Default binarization: `fixed` for a set of bits, `dynamic` for bits sampled with the values as probabilities,
            `none` for values in 0 to 1. None for `fixed` if all pixels are black or white, else `none`.
    """

    binarization: Binarization | None = "none"


def _is_own(path: Path) -> bool:
    return path.name.endswith(".npz") or path.exists()


AUTO = "auto"
"""Name of the first source that is available."""

DIGIT_SOURCES: dict[str, "Entry[DigitSource]"] = {
    "mnist": Entry("MNIST's handwritten digits", Deferred("mnist", "open_mnist"), is_fetched=True),
    "fashion-mnist": Entry("articles of clothing in MNIST's format", Deferred("mnist", "open_mnist"), is_fetched=True),
    "emnist-digits": Entry("280,000 handwritten digits", Deferred("mnist", "open_mnist"), is_fetched=True),
    "sklearn": Entry("scikit-learn's 1,797 small digits", Deferred("sklearn_digits", "open_sklearn_digits")),
    "file": Entry(
        "the path of your own, in any form that --data takes",
        Deferred("own_digits", "open_own_digits"),
        is_named=False,
        takes_path=_is_own,
    ),
}
"""Digit sources by name."""

AUTO_DIGITS = ("mnist", "sklearn")
"""Digit sources that `auto` tries, in order."""

GENERATIVE_SETS: dict[str, "GenerativeEntry[Opened]"] = {
    "binarized-mnist": GenerativeEntry(
        "MNIST's fixed binarization", Deferred("binarized_mnist", "open_binarized_mnist"), binarization="fixed"
    ),
    "dynamic-mnist": GenerativeEntry(
        "MNIST, binarized by intensity", Deferred("digit_images", "open_dynamic_mnist"), is_fetched=True, binarization="dynamic"
    ),
    "digits": GenerativeEntry(
        "scikit-learn's digits, binarized likewise", Deferred("digit_images", "open_digit_images"), binarization="dynamic"
    ),
    "two-digit": GenerativeEntry(
        "two of MNIST's digits on 60 x 60 pixels", Deferred("two_digit", "open_two_digit"), is_fetched=True, binarization="dynamic"
    ),
    "svhn": GenerativeEntry(
        "house numbers in full, crops of 54 x 54", Deferred("svhn", "open_svhn"), takes_path=Deferred("svhn", "is_svhn")
    ),
    "svhn-32": GenerativeEntry("single digits of house numbers", Deferred("svhn_32", "open_svhn_32"), is_fetched=True),
    "cifar10": GenerativeEntry("small color photographs", Deferred("cifar10", "open_cifar10"), is_fetched=True),
    "pictures": GenerativeEntry(
        "the path of your own folder of pictures or FILE.npz",
        Deferred("own_images", "open_own_images"),
        is_named=False,
        takes_path=Deferred("own_images", "is_own_images"),
        binarization=None,
    ),
}
"""Generative sets by name. A path is opened as the first set whose `takes_path` accepts it."""

AUTO_SETS = ("binarized-mnist", "dynamic-mnist", "digits")
"""Generative sets that `auto` tries, in order."""


def choices(catalog: Mapping[str, Entry[Any]]) -> list[str]:
    """Returns the names to choose from: `auto` and the sources opened by name."""
    return [AUTO, *(name for name, entry in catalog.items() if entry.is_named)]


def looked_up(catalog: Mapping[str, Entry[Any]], name_or_path: str) -> Request | None:
    """Returns a request for the source with this name or path, None if there is none."""
    if name_or_path in catalog and catalog[name_or_path].is_named:
        return Request(name_or_path)
    path = Path(name_or_path)
    taking = (name for name, entry in catalog.items() if entry.takes_path is not None and entry.takes_path(path))
    return next((Request(name, path) for name in taking), None)


def opens_again(catalog: Mapping[str, Entry[Any]], name: str, path: str | None) -> str:
    """Returns the name or path that opens a source again: its path if it is opened by one, else its name."""
    takes_path = name in catalog and catalog[name].takes_path is not None
    return path if takes_path and path is not None else name


def described(catalog: Mapping[str, Entry[Any]], auto: tuple[str, ...]) -> str:
    """Returns the sources with their summaries, for the help of an option.

    Args:
        catalog: Sources by name.
        auto: Sources that `auto` tries, in order.
    """
    listed = [f"{AUTO} (the first of {', '.join(auto)} that is found or can be downloaded)"]
    listed += [f"{name} ({entry.summary})" for name, entry in catalog.items() if entry.is_named]
    paths = [entry.summary for entry in catalog.values() if not entry.is_named]
    fetched = [name for name, entry in catalog.items() if entry.is_fetched]
    return f"{', '.join(listed)}, or {', '.join(paths)}. Downloaded if need be: {', '.join(fetched)}."
