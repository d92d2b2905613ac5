"""What was measured of trained models, kept in a folder under the digests of their weights, so that nothing is measured twice."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from glimpse.atomic import write_atomically
from glimpse.digest import sha256_of_bytes
from glimpse.environment import package_version
from glimpse.settings.base import Count, Positive
from glimpse.settings.schema import checked_fields

__all__ = ["KeptMeasurements", "Measured", "Speeds"]


@dataclass(frozen=True)
class Measured:
    """What was measured of a model but its speed.

    Attributes:
        predicted: Class of every test image, integers, shape (N,).
        labels: True classes, integers, shape (N,).
        parameters: Learned numbers.
        multiply_adds: Of one image.
        size: Height and width of the images.
        part: Which part of the data the images are: `test`, or `valid` or `train` where there is no such part.
    """

    predicted: NDArray[Any]
    labels: NDArray[Any]
    parameters: int
    multiply_adds: int
    size: tuple[int, int]
    part: str


@dataclass(frozen=True)
class Speeds:
    """How fast several models classify.

    Attributes:
        images_per_second: Of each model.
        device: Name of the device.
        threads: Threads of the CPU.
    """

    images_per_second: list[float]
    device: str
    threads: int


class _Speeds(TypedDict):
    images_per_second: list[Positive]
    device: str
    threads: Count


class KeptMeasurements:
    """Measurements in a folder, which another version of this package or another device does not see.

    Args:
        folder: Made when something is kept; None keeps nothing.
        device: Where models are measured.
    """

    def __init__(self, folder: Path | None, device: torch.device) -> None:
        self.folder, self.device = folder, device

    def read(self, digest: str) -> Measured | None:
        """Returns what was measured of the model with this digest, None if there is no whole file of it."""
        content = self._read(self._measured_name(digest))
        if content is None:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                height, width = arrays["size"].tolist()
                counts = {name: int(arrays[name]) for name in ("parameters", "multiply_adds")}
                predicted, labels = arrays["predicted"], arrays["labels"]
                if labels.ndim != 1 or labels.shape != predicted.shape or not labels.dtype.kind == predicted.dtype.kind == "i":
                    return None
                return Measured(predicted, labels, size=(height, width), part=str(arrays["part"]), **counts)
        except Exception:  # a damaged byte can make the reader raise almost anything; it is measured again
            return None

    def keep(self, digest: str, measured: Measured) -> None:
        """Writes what was measured of the model with this digest."""
        content = io.BytesIO()
        np.savez_compressed(
            content,
            predicted=measured.predicted,
            labels=measured.labels,
            parameters=measured.parameters,
            multiply_adds=measured.multiply_adds,
            size=np.asarray(measured.size),
            part=np.asarray(measured.part),
        )
        self._write(self._measured_name(digest), content.getvalue())

    def read_speeds(self, digests: Sequence[str], threads: int | None) -> Speeds | None:
        """Returns how fast exactly these models were together, None if that was not measured.

        Args:
            digests: Of the models, in their order.
            threads: That must have been used; None takes any.
        """
        content = self._read(self._speeds_name(digests))
        try:
            fields = None if content is None else checked_fields(_Speeds, json.loads(content), "speeds")
        except (ValueError, RecursionError):  # damaged; it is measured again
            return None
        found = None if fields is None or len(fields["images_per_second"]) != len(digests) else Speeds(**fields)
        return found if found is not None and threads in (None, found.threads) else None

    def keep_speeds(self, digests: Sequence[str], speeds: Speeds) -> None:
        """Writes how fast models are together."""
        self._write(self._speeds_name(digests), json.dumps(asdict(speeds)).encode())

    def _measured_name(self, digest: str) -> str:
        return f"{_key(digest, str(package_version()), self.device.type)}.npz"

    def _speeds_name(self, digests: Sequence[str]) -> str:
        return f"rates-{_key(*digests, str(package_version()), str(self.device))}.json"

    def _read(self, name: str) -> bytes | None:
        """Returns a file's content, None if there is none."""
        if self.folder is None or not (self.folder / name).is_file():
            return None
        return (self.folder / name).read_bytes()

    def _write(self, name: str, content: bytes) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / name, content)


def _key(*parts: str) -> str:
    """Returns a name for a file that stands for these texts."""
    return sha256_of_bytes("\n".join(parts).encode())[:24]
