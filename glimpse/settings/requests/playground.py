"""Request to write the playground, a page on which models run in the browser."""

from dataclasses import dataclass
from pathlib import Path

from glimpse.settings.base import Range
from glimpse.settings.record import check_output

__all__ = ["PLAYGROUND_MODELS", "PlaygroundRequest"]

PLAYGROUND_MODELS = ("pretrained:classifier-8", "pretrained:draw-mnist")
"""Models of the playground if none are given: the best classifier with glimpses, and the generator of digits."""


@dataclass(frozen=True)
class PlaygroundRequest:
    """A request to write the playground.

    Attributes:
        models: Runs' folders, weights files or `pretrained:NAME`: classifiers of images of one size, and generators.
        out: File (`.html`) or folder to write.
        digits: Source of the example digits; None or `auto` for MNIST if it is found.
        data_dir: Folder searched first for MNIST and other downloads.
        runtime: Folder with the files of onnxruntime-web; None for the user's cache, to which they are downloaded once.
        threads: Number of CPU threads; None for the number of idle cores.

    Raises:
        ValueError: If there are no models, a number is below 1, or the file cannot be written.
        OSError: If the folder of the file cannot be created.
    """

    out: Path
    models: tuple[str, ...] = PLAYGROUND_MODELS
    digits: str | None = None
    data_dir: Path | None = None
    runtime: Path | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("expected at least one model, got none")
        if self.threads is not None:
            Range(1).check("threads", self.threads)
        if self.is_file:
            check_output("--out", self.out, ".html")

    @property
    def is_file(self) -> bool:
        """Whether the output is one file, in place of a folder."""
        return self.out.suffix.lower() == ".html"
