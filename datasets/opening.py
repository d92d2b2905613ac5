"""Opens your own images, digits and generative sets, and tells a listener about substitutes and long downloads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glimpse.datasets.digits import DigitSource, open_digits
from glimpse.datasets.fetch import Progress
from glimpse.datasets.generative import GenerativeData, open_generative
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.datasets.split_rule import SplitRule
from glimpse.listener import Listener
from glimpse.settings.requests import FormChoice, from_options

__all__ = ["open_digit_source", "open_generative_data", "open_images"]


def open_images(
    source: Any, *, seed: int | None = None, split_seed: int = 0, listener: Listener | None = None, **form: Any
) -> DataParts:
    """Returns your own labeled images in any form, as training, validation and test parts: `glimpse.datasets.open`.

    Args:
        source: Path of a folder of class folders, a CSV of files and labels or of labels and pixels, a `.npz`, `.npy`, HDF5, `.mat`
            or IDX file, a zip or tar archive of these, or a set that `glimpse dataset build` wrote; or a frame of pandas or polars,
            a data set of Hugging Face or torch, a pair of images and labels, a dictionary of arrays, or one of parts of these.
        seed: Seed of the random order of the training images, another one in each epoch; in one order if None.
        split_seed: Seed of the split of images without parts, 80 / 10 / 10 of each class.
        listener: Hears notes and progress.
        form: Fields of `FormChoice`: `size`, `fit`, `images_key`, `labels_key`.

    Raises:
        TypeError: If there is no such field.
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the form is not recognized or leaves a question open, or the images cannot be read.
    """
    choice = from_options(FormChoice, form)
    return open_data(source, form=choice, shuffle_seed=seed, split=SplitRule(seed=split_seed), listener=listener)


def open_digit_source(
    digits: str,
    data_dir: Path | None,
    split: SplitRule | None = None,
    listener: Listener | None = None,
    class_names: Sequence[str] | None = None,
) -> DigitSource:
    """Returns `open_digits` of these arguments; warns if `auto` fell back to scikit-learn's digits.

    Args:
        digits: Name of a source, `auto`, or the path of a `.npz` file.
        data_dir: Folder to search first.
        split: Rule that divides a file without parts; by class, with a fixed seed, if None.
        listener: Receives the warning and the progress of a download.
        class_names: Classes of a trained model, to which the labels of a file are mapped by name; None for the file's own classes.
    """
    listener, (kind, seed) = listener or Listener(), split or SplitRule()
    show = _tenths("Downloading", 1_000_000, "MB", listener)
    source = open_digits(digits, data_dir=data_dir, seed=seed, split=kind, class_names=class_names, progress=show)
    if source.reason is not None:
        listener.warn(
            f"these are scikit-learn's digits, NOT MNIST, and errors on them are not comparable with papers: {source.reason}"
        )
    if source.note is not None:
        listener.note(source.note)
    return source


def open_generative_data(source: str, data_dir: Path | None, listener: Listener | None = None, **wanted: Any) -> GenerativeData:
    """Returns `open_generative` of these arguments; warns if `auto` fell back to another set, or only a part of the set was found.

    Args:
        source: Name or path of a set, or `auto`.
        data_dir: Folder to search first.
        listener: Receives the warnings and the progress of a download or a preparation.
        wanted: Further arguments of `open_generative`.
    """
    listener = listener or Listener()
    data = open_generative(source, data_dir=data_dir, progress=_tenths("Fetching or preparing", 1, "", listener), **wanted)
    if data.reason is not None:
        listener.warn(f"this is {data.name}, and bounds on it are not comparable with those on another set: {data.reason}")
    if data.note is not None:
        listener.warn(data.note)
    return data


def _tenths(doing: str, unit: int, name: str, listener: Listener) -> Progress:
    """Returns a function that notes the progress at every tenth of a long job."""
    last = -1

    def show(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // total if total > min(1_000 * unit, 1_000_000) else last
        if tenth != last:
            last = tenth
            listener.note(f"{doing}: {done / unit:,.1f} of {total / unit:,.1f} {name}".rstrip())

    return show
