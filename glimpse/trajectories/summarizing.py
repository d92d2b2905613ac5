"""Summaries of a trained model's trajectories, and animations of how a run learned where to look."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glimpse.listener import Listener
from glimpse.models.catalog import open_looking
from glimpse.models.weights import kept_weights
from glimpse.settings.requests import LearningRequest, SummaryRequest, TrajectoryFilter
from glimpse.trajectories.looking import opened_gaze
from glimpse.trajectories.pictures import learning_gif
from glimpse.trajectories.summary import Summary, summarize_trajectories
from glimpse.trajectories.summary_figure import summary_figure
from glimpse.trajectories.views import Trajectories

__all__ = ["Learning", "ModelSummary", "learning_request", "summary_request"]

_FEW = 8  # images in an animation of the learning where no count is given


@dataclass(frozen=True)
class ModelSummary:
    """What the trajectories of a trained model have in common.

    Attributes:
        model: Its run's folder, weights file or `pretrained:NAME`.
        data: What the images are, in a few words.
        summary: All steps, and where the windows were.
        out: File of the figure; None where none was drawn.
    """

    model: str
    data: str
    summary: Summary
    out: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns what `--json` prints."""
        return {"model": self.model, "data": self.data} | self.summary.as_dict()


@dataclass(frozen=True)
class Learning:
    """An animation of how a run learned where to look.

    Attributes:
        model: The run's folder.
        data: What the images are, in a few words.
        out: The file.
        images: Images in it.
        frames: Moments of the training.
    """

    model: str
    data: str
    out: Path
    images: int
    frames: int

    def as_dict(self) -> dict[str, Any]:
        """Returns what `--json` prints."""
        facts = {"out": str(self.out), "format": "gif", "images": self.images, "frames": self.frames}
        return {"model": self.model, "data": self.data} | facts


def summary_request(request: SummaryRequest, listener: Listener | None = None) -> ModelSummary:
    """Returns what trajectories have in common, and draws it where a file is named.

    Args:
        request: Which model, which images.
        listener: Receives progress, notes and warnings.

    Raises:
        ValueError: If there is no such model or image, or the figure's file does not end in `.png`.
        FileNotFoundError: If the images are not available.
        OSError: If a file cannot be read or written.
    """
    looked, out = request.looked, request.out
    if out is not None and out.suffix.lower() != ".png":
        raise ValueError(f"the summary is drawn as .png, got {out}; its numbers are printed, with --json as one line")
    gaze = opened_gaze(looked, request.filter, listener)
    summary = summarize_trajectories(gaze.found(looked.count, request.filter, patches=False), gaze.frame)
    if out is not None:
        summary_figure(summary, out)
    return ModelSummary(looked.model, gaze.name, summary, out)


def learning_request(request: LearningRequest, listener: Listener | None = None) -> Learning:
    """Draws where the same images were looked at with the weights that a run kept along its way.

    Args:
        request: Which run, which images, which file.
        listener: Receives progress, notes and warnings.

    Raises:
        ValueError: If the model is no run's folder, it kept no weights, or the file does not end in `.gif`.
        FileNotFoundError: If the images are not available.
        OSError: If a file cannot be read or written.
    """
    looked, out = request.looked, request.out
    if out.suffix.lower() != ".gif":
        raise ValueError(f"--learning writes a .gif, got {out}")
    kept = kept_weights(Path(looked.model))
    if not kept:
        raise ValueError(
            f"{looked.model} holds no weights kept along the way: --learning needs the folder of a run on this machine"
        )
    first = replace(looked, model=str(next(iter(kept.values()))))
    gaze = opened_gaze(first, TrajectoryFilter(), listener, task_of=looked.model).first(looked.count or _FEW)
    frames: list[tuple[int, Trajectories]] = []
    with gaze.listener.progress("Looking", len(kept), unit="weights") as advance:
        for images, path in kept.items():
            then = replace(gaze, model=open_looking(path).to(gaze.device))
            parts = list(then.parts(patches=True))
            if not frames:
                gaze.conclude()  # the pictures are the same in every frame
            frames.append((images, Trajectories.joined(parts)))
            advance(len(frames))
    learning_gif(frames, out)
    return Learning(looked.model, gaze.name, out, len(gaze.positions), len(frames))
