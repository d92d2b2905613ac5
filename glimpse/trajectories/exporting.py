"""Trajectories written to a file of any format: data, a sheet, an animation or a page."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from glimpse.evaluation.own_pictures import FailedPicture, FailedPictures
from glimpse.listener import Listener
from glimpse.settings.record import refuse_record
from glimpse.settings.requests import ExportRequest, TrajectoryFormat
from glimpse.trajectories.files import open_writer
from glimpse.trajectories.looking import Gaze, opened_gaze
from glimpse.trajectories.page.page import write_page
from glimpse.trajectories.pictures import MOST_ANIMATED, trajectory_gif, trajectory_sheet
from glimpse.trajectories.table import Table
from glimpse.trajectories.views import Trajectories

__all__ = ["Export", "export_request"]

_FEW = {"png": 8, "gif": 9, "html": 300}  # images where no count is given
_MOST = {"png": 100, "gif": MOST_ANIMATED}


@dataclass(frozen=True)
class Export:
    """A file of trajectories that was written.

    Attributes:
        model: Its run's folder, weights file or `pretrained:NAME`.
        data: What the images are, in a few words.
        out: The file.
        format: Its format.
        images: Images in it.
        steps: Steps of each.
        available: Images that there were to choose from.
        seconds: How long it took.
        pictures: Names of your own image files, in the order of the images' index; empty for images of a set.
    """

    model: str
    data: str
    out: Path
    format: TrajectoryFormat
    images: int
    steps: int
    available: int
    seconds: float
    pictures: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns what `--json` prints."""
        facts = {"out": str(self.out), "format": self.format, "images": self.images, "steps": self.steps}
        pictures = {"pictures": list(self.pictures)} if self.pictures else {}
        return {"model": self.model, "data": self.data} | facts | {"seconds": self.seconds} | pictures


def export_request(request: ExportRequest, listener: Listener | None = None) -> Export:
    """Writes trajectories to a file and returns what is in it.

    Args:
        request: Which model, which images, which file.
        listener: Receives progress, notes and warnings.

    Raises:
        ValueError: If there is no such model or image, or the format is unknown or does not fit.
        FailedPictures: If pictures cannot be used; after the file of the others is written, with its `Export` as the result.
        FileNotFoundError: If the images are not available.
        OSError: If a file cannot be read or written.
    """
    kind = _format(request)
    refuse_record(request.out)
    gaze = opened_gaze(request.looked, request.filter, listener)
    count = _count(request, kind, gaze)
    if kind in _FEW and gaze.model.config.channels not in (1, 3):
        raise ValueError(
            f"pictures have 1 or 3 channels, {request.looked.model} looks at {gaze.model.config.channels}: choose a format of data"
        )
    began = time.monotonic()
    parts = _Counted(gaze.found(count, request.filter, patches=kind in _FEW or request.pixels))
    _write(parts, request, kind, gaze.name)
    written = Export(
        model=request.looked.model,
        data=gaze.name,
        out=request.out,
        format=kind,
        images=parts.images,
        steps=parts.steps,
        available=len(gaze.positions),
        seconds=round(time.monotonic() - began, 2),
        pictures=tuple(path.name for path in gaze.pictures),
    )
    if parts.failures:
        raise FailedPictures(parts.failures, [written])
    return written


def _format(request: ExportRequest) -> TrajectoryFormat:
    """Returns the requested format: by name, else by the file's ending."""
    known: tuple[TrajectoryFormat, ...] = get_args(TrajectoryFormat)
    ending = request.out.suffix.lower().removeprefix(".")
    kind = request.format or next((name for name in known if name == ending), None)
    if kind is None:
        raise ValueError(f"{request.out}: choose an ending or a --format among {', '.join(known)}")
    if kind != ending and (ending in known or kind in _FEW):
        raise ValueError(f"--format {kind} does not go with {request.out}: let it end in .{kind}")
    return kind


def _count(request: ExportRequest, kind: TrajectoryFormat, gaze: Gaze) -> int:
    """Returns how many images are written at most.

    Raises:
        ValueError: If there are more than the format can show.
    """
    available, most = len(gaze.positions), _MOST.get(kind)
    default = _FEW.get(kind, available) if request.looked.selection.indices is None else available
    count = request.looked.count or default
    if most is not None and min(count, available) > most:
        raise ValueError(f"a .{kind} shows at most {most} images, not {min(count, available):,}: choose fewer, or make a .html")
    return count


class _Counted:
    """Trajectories passing through, counted; pictures that failed are kept until the file of the others is written."""

    def __init__(self, parts: Iterable[Trajectories]) -> None:
        self.parts, self.images, self.steps = parts, 0, 0
        self.failures: tuple[FailedPicture, ...] = ()

    def __iter__(self) -> Iterator[Trajectories]:
        try:
            for part in self.parts:
                self.images, self.steps = self.images + len(part), part.steps
                yield part
        except FailedPictures as error:
            if not self.images:
                raise
            self.failures = error.failures
        if not self.images:
            raise ValueError("no images match: choose other --indices, another --only or --margin")


def _write(parts: Iterable[Trajectories], request: ExportRequest, kind: TrajectoryFormat, name: str) -> None:
    """Writes trajectories in a format."""
    out, model = request.out, request.looked.model
    if kind == "html":
        write_page(parts, out, title=f"Glimpses of {model}", facts={"model": model, "images": name})
    elif kind == "png" or kind == "gif":
        draw = trajectory_sheet if kind == "png" else trajectory_gif
        draw([*parts], out)
    else:
        with open_writer(out, kind) as writer:
            for part in parts:
                writer.write(Table.from_trajectories(part, pixels=request.pixels))
