"""Request to export a trained model as a program for other tools."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from glimpse.settings.base import Range
from glimpse.settings.record import check_output

__all__ = ["GeneratorPart", "ModelExportRequest", "ProgramFormat"]

ProgramFormat = Literal["onnx", "pt2"]
"""Formats of exported programs: ONNX, and PyTorch's own."""

GeneratorPart = Literal["draw", "reconstruct"]
"""Part of a generator that is exported: latents to canvases, or images to canvases and latents."""


@dataclass(frozen=True)
class ModelExportRequest:
    """A request to export a trained model.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        out: File to write, a `.onnx` or `.pt2`.
        format: Format of the file; None for the one that its extension names.
        part: Part of a generator; None for `draw`.
        glimpses: Number of glimpses of a classifier, if other than in training.
        size: Height and width of the images in pixels; None for those of the training images.
        threads: Number of CPU threads; None for the number of idle cores.

    Raises:
        ValueError: If the format or the part is unknown, the file has another extension or cannot be written, or a number is
            below 1.
        OSError: If the folder of the file cannot be created.
    """

    model: str
    out: Path
    format: ProgramFormat | None = None
    part: GeneratorPart | None = None
    glimpses: int | None = None
    size: tuple[int, int] | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, value, known in (("format", self.format, get_args(ProgramFormat)), ("part", self.part, get_args(GeneratorPart))):
            if value is not None and value not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}, got {value!r}")
        for name, number in (("glimpses", self.glimpses), *(("size", side) for side in self.size or ())):
            if number is not None:
                Range(1).check(name, number)
        if self.format is None and self.out.suffix.lower().removeprefix(".") not in get_args(ProgramFormat):
            raise ValueError(f"--out writes a .onnx or a .pt2 file, got {self.out}")
        check_output("--out", self.out, f".{self.chosen_format}")

    @property
    def chosen_format(self) -> str:
        """The format: the requested one, else the one that the extension of the file names."""
        return self.format or self.out.suffix.lower().removeprefix(".")
