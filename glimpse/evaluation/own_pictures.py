"""Your own pictures read for a trained model, with warnings where they are unlike its training images.

Intensities are in 0 to 1. Dimensions: pictures of H x W pixels in C channels.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from glimpse.datasets.picture_files import load_picture, picture_header
from glimpse.datasets.pictures import Ground, PictureFacts, facts_of, fitted, ink_extent, resized_to_fit
from glimpse.listener import Listener, error_line
from glimpse.settings.requests import PictureHandling

__all__ = ["FailedPicture", "FailedPictures", "PictureReader", "TrainingImages", "training_images"]

_FACTOR = 1.5  # a picture with more or less than this times the pixels along its longer side has another scale
_RANGE = 0.25  # a picture that uses less than this share of all intensities is nearly uniform
_OFF = 0.1  # a ground that differs more than this from black or white is gray
_DIGIT = 28  # side of the digits of every source except your own files
_DIGIT_SETS = frozenset({"binarized-mnist", "digits", "dynamic-mnist", "two-digit"})  # generative sets with a dark ground
_GROUNDS = {"dark": "light on a dark ground", "light": "dark on a light ground"}
_INK = 20 / 28  # share of a digit's side that its ink takes, as in MNIST
_CLOSE = 0.25  # relative difference of scales that does not matter
_NAMED = 5  # failed pictures that a message names


class TrainingImages(NamedTuple):
    """What is known of the images that a model was trained on.

    Attributes:
        size: Height and width in pixels; None if unknown.
        digit: Side in pixels of the digits on them; None if unknown.
        ground: Their ground; None if unknown, or if it is not the same in all of them.
        is_even: Whether the ground is black or white throughout.
    """

    size: tuple[int, int] | None = None
    digit: int | None = None
    ground: Ground | None = None
    is_even: bool = False

    @property
    def scale(self) -> str:
        """The size in words.

        >>> TrainingImages((100, 100), 28, "dark").scale
        'digits of 28 pixels on 100 x 100'
        """
        height, width = self.size or (0, 0)
        return f"digits of {self.digit} pixels on {width} x {height}" if self.digit else f"images of {width} x {height} pixels"


class FailedPicture(NamedTuple):
    """A picture that cannot be used.

    Attributes:
        picture: Path of the picture.
        reason: One line that names it.
    """

    picture: Path
    reason: str


class FailedPictures(ValueError):
    """Raised after all other pictures have been used, if one or several of them cannot be.

    Args:
        failures: The pictures with the reasons.
        results: Results for the other pictures.
    """

    def __init__(self, failures: Sequence[FailedPicture], results: Sequence[Any] = ()) -> None:
        more = [f"and {len(failures) - _NAMED:,} more pictures"] if len(failures) > _NAMED else []
        super().__init__("; ".join([failure.reason for failure in failures[:_NAMED]] + more))
        self.failures, self.results = tuple(failures), list(results)


class PictureReader:
    """Reads pictures for a model, and collects what is unlike the images that it was trained on.

    Args:
        channels: Number of channels of the model, 1 or 3.
        trained: The images that it was trained on.
        handling: Changes of the pictures.
        required: Height and width that the model requires; None if it takes any.
        refuses_blank: Whether a picture whose pixels are all the same is refused: a classifier answers with any class.

    Raises:
        ValueError: If the model has another number of channels.
    """

    def __init__(
        self,
        channels: int,
        trained: TrainingImages,
        handling: PictureHandling,
        required: tuple[int, int] | None = None,
        *,
        refuses_blank: bool = True,
    ) -> None:
        if channels not in (1, 3):
            raise ValueError(f"pictures have 1 or 3 channels, the model was trained on {channels}")
        self.channels, self.trained, self.handling, self.required = channels, trained, handling, required
        self.refuses_blank = refuses_blank
        self.failures: list[FailedPicture] = []
        self._unlike: dict[str, list[str]] = {}  # by kind of difference: what to tell of each picture

    def read(self, path: Path) -> Tensor:
        """Returns a picture as the model is to see it, shape (1, C, H, W).

        Raises:
            OSError: If the file cannot be read.
            ValueError: If it is not a picture, is blank, or does not have the size that the model requires.
        """
        image = load_picture(path, self.channels)[0]
        is_blank, is_sequence = image.amin(dim=(1, 2)).equal(image.amax(dim=(1, 2))), picture_header(path).is_sequence
        if is_blank and self.refuses_blank:
            which = f"the first picture in {path}" if is_sequence else path
            raise ValueError(f"{which} is blank: all its pixels are the same")
        if is_sequence:
            self._note("sequence", f"{path} holds several pictures: the first one is read")
        image = fitted(image, self.handling, self.trained.size)
        size = (int(image.shape[1]), int(image.shape[2]))
        if self.required not in (None, size):
            wanted, found = (f"{width} x {height}" for height, width in (self.required, size))
            way = f"--resize {resized_to_fit(*size, self.required)} --pad"
            raise ValueError(f"{path} has {found} pixels, the model requires {wanted}: {way} fits it")
        if not is_blank:
            self._compare(path, image, size)
        return image[None]

    def try_read(self, path: Path) -> Tensor | None:
        """Returns a picture as `read` does, or None after noting in `failures` why it cannot be used."""
        try:
            return self.read(path)
        except (OSError, ValueError) as error:
            self.failures.append(FailedPicture(path, error_line(error)))
            return None

    def warn(self, listener: Listener) -> None:
        """Warns once of each kind of difference from the training images, and forgets them."""
        for first, *others in self._unlike.values():
            alike = f" ({len(others):,} more pictures are alike)" if len(others) > 1 else " (1 more is alike)" if others else ""
            listener.warn(first + alike)
        self._unlike.clear()

    def raise_failures(self, results: Iterable[Any] = ()) -> None:
        """Raises FailedPictures if there are failures.

        Args:
            results: Results for the other pictures, which the error carries.
        """
        if self.failures:
            raise FailedPictures(self.failures, [*results])

    def _compare(self, path: Path, image: Tensor, size: tuple[int, int]) -> None:
        """Notes how a picture differs from the training images."""
        facts, trained = facts_of(image), self.trained
        if facts.ground is not None and trained.ground is not None and facts.ground != trained.ground:
            way = "leave out --invert" if self.handling.invert else "--invert swaps dark and light"
            images = f"the model was trained on images {_GROUNDS[trained.ground]}"
            self._note("ground", f"{path} is {_GROUNDS[facts.ground]}, {images}: {way}")
        if not self.handling.stretch:
            self._compare_range(path, facts)
        if trained.size is not None and not 1 / _FACTOR <= max(size) / max(trained.size) <= _FACTOR:
            kind, found = f"larger {max(size) > max(trained.size)}", f"{path} has {size[1]} x {size[0]} pixels"
            way = self._way_to_fit(image, size, trained.size)
            self._note(kind, f"{found}, the model was trained on {trained.scale}: {way}")

    def _compare_range(self, path: Path, facts: PictureFacts) -> None:
        """Notes that a picture uses few intensities, or that its ground is gray."""
        if facts.high - facts.low < _RANGE:
            used = f"intensities from {facts.low:.2f} to {facts.high:.2f} only"
            self._note("range", f"{path} uses {used}: --stretch scales them to 0 to 1")
        elif self.trained.is_even and facts.off > _OFF:
            even = "black" if facts.ground == "dark" else "white"
            self._note("gray", f"{path} has a ground of {facts.level:.2f} instead of {even}: --stretch makes it {even}")

    def _note(self, kind: str, difference: str) -> None:
        self._unlike.setdefault(kind, []).append(difference)

    def _way_to_fit(self, image: Tensor, size: tuple[int, int], expected: tuple[int, int]) -> str:
        """Returns the options that give a picture the scale of the training images."""
        scaled, extent = f"--resize {resized_to_fit(*size, expected)} scales it", ink_extent(image)
        if self.trained.digit is None and self.trained.is_even and max(size) < max(expected):
            return f"--pad puts it on such a canvas, {scaled}"
        if self.trained.digit is None or extent == 0:
            return scaled
        side = round(_INK * self.trained.digit / extent)  # gives the ink of a single digit the size of the training digits
        if max(size) < max(expected):
            is_close = abs(side - max(size)) <= _CLOSE * max(size)
            return f"{'' if is_close else f'--resize {side} '}--pad puts it on such a canvas"
        return f"{scaled}, or --resize {side} --pad if it shows a single digit"


def training_images(facts: Mapping[str, Any], image_size: tuple[int, int] | None) -> TrainingImages:
    """Returns what is known of the images that a model was trained on.

    Args:
        facts: Those stored with the weights: `task`, and `images` with the size and ground of your own images, if they are known.
        image_size: Height and width that the model requires; None if it takes any.
    """
    task, images = facts["task"], facts.get("images", {})
    if task["kind"] == "cluttered":
        canvas = task["recipe"]["canvas"]
        return TrainingImages((canvas, canvas), None if task["digits"] == "file" else _DIGIT, "dark", is_even=True)
    if task["kind"] == "generative":
        is_digits = task["name"] in _DIGIT_SETS
        return TrainingImages(image_size, None, "dark" if is_digits else None, is_digits)
    size = images.get("size") or image_size
    return TrainingImages(None if size is None else (size[0], size[1]), None, images.get("ground"))
