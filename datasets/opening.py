"""Opening digits and generative sets, with a warning where they are not what was hoped for and progress of long downloads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from glimpse.datasets.digits import DigitSource, open_digits
from glimpse.datasets.generative import GenerativeData, open_generative
from glimpse.listener import Listener

__all__ = ["open_digit_source", "open_generative_data"]


def open_digit_source(digits: str, data_dir: Path | None, seed: int = 0, listener: Listener | None = None) -> DigitSource:
    """Returns the glyphs asked for; warns where `auto` had to take scikit-learn's.

    Args:
        digits: Name of a source, `auto`, or the path of a `.npz`.
        data_dir: Folder to look in first.
        seed: Of the split of your own digits.
        listener: What hears of it.
    """
    listener = listener or Listener()
    source = open_digits(digits, data_dir=data_dir, seed=seed, progress=_tenths("Downloading", 1_000_000, "MB", listener))
    if source.reason is not None:
        listener.warn(f"these are scikit-learn's digits, NOT MNIST, and their errors compare with no paper's: {source.reason}")
    return source


def open_generative_data(source: str, data_dir: Path | None, listener: Listener | None = None, **wanted: Any) -> GenerativeData:
    """Returns the images that a generator learns from; warns where they are not the whole set, or another one.

    Args:
        source: Name or path of a set.
        data_dir: Folder to look in first.
        listener: What hears of it.
        wanted: Further arguments of `open_generative`.
    """
    listener = listener or Listener()
    data = open_generative(source, data_dir=data_dir, progress=_tenths("Fetching or preparing", 1, "", listener), **wanted)
    if data.reason is not None:
        listener.warn(f"this is {data.name}, and its bounds compare with none on another set: {data.reason}")
    if data.note is not None:
        listener.warn(data.note)
    return data


def _tenths(doing: str, unit: int, name: str, listener: Listener) -> Callable[[int, int], None]:
    """Returns a function of what is done and what there is, which notes every tenth of a longer job."""
    last = -1

    def show(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // total if total > 1_000 * unit or total > 1_000_000 else last
        if tenth != last:
            last = tenth
            listener.note(f"{doing}: {done / unit:,.1f} of {total / unit:,.1f} {name}".rstrip())

    return show
