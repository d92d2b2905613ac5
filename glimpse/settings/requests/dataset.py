"""Request to build a data set."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from glimpse.settings.requests.choices import ClutterChoice

__all__ = ["BuildRequest"]


@dataclass(frozen=True)
class BuildRequest:
    """A request to render a set of cluttered digits into a folder.

    Attributes:
        out: The set's folder.
        split: Split of the digits.
        count: Number of images; None for one per digit of the split.
        seed: Seed of the clutter; None for the recipe's fixed seed, or 0 for the training split.
        digits: Name or path of the source of the digits.
        data_dir: Folder searched first for MNIST and other downloads.
        clutter: Parameters of the clutter recipe.
        threads: Number of CPU threads; None for the number of idle cores.
    """

    out: Path
    split: Literal["train", "valid", "test"] = "test"
    count: int | None = None
    seed: int | None = None
    digits: str = "auto"
    data_dir: Path | None = None
    clutter: ClutterChoice = field(default_factory=ClutterChoice)
    threads: int | None = None
