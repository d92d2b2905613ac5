"""Trajectories as Python calls, with the names and defaults of `glimpse trajectories`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glimpse.listener import Listener
from glimpse.settings.requests import ExportRequest, LearningRequest, LookRequest, SummaryRequest, from_options
from glimpse.trajectories.exporting import Export, export_request
from glimpse.trajectories.looking import look_request
from glimpse.trajectories.summarizing import Learning, ModelSummary, learning_request, summary_request
from glimpse.trajectories.views import Trajectories

__all__ = ["export", "learning", "look", "summarize"]


def look(model: str | Path, *, listener: Listener | None = None, **options: Any) -> Iterator[Trajectories]:
    """Yields where a trained model looks and what it predicts, a few hundred images at a time; nothing is written.

    The model and the images are opened by the call. `Trajectories.joined` makes one of images of the same size.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        listener: Receives progress, notes and warnings.
        options: Those of `glimpse trajectories` by their names, with `_` for `-`: `split`, `indices`, `count`, `only`, `margin`,
            `pixels`, `glimpses`, `data`, `data_dir`, `digits`, `canvas`, `pieces`, `piece_size`, `border`, `device`, `threads`;
            `pictures` for `--image`, with `stretch`, `invert`, `resize`, `pad`.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, it has no windows, or the images or an option do not fit it.
        FileNotFoundError: If the images are not available.
    """
    return look_request(from_options(LookRequest, {"model": str(model), **options}), listener)


def export(model: str | Path, out: str | Path, *, listener: Listener | None = None, **options: Any) -> Export:
    """Writes where a trained model looks and what it predicts to a file: data, a sheet, an animation or a page.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        out: File to write: `.jsonl`, `.csv`, `.parquet`, `.npz`, `.png`, `.gif` or `.html`; its folder is made.
        listener: Receives progress, notes and warnings.
        options: Those of `look`, and `format`, which names the format of data where the file's ending does not.

    Returns:
        What is in the file; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, it has no windows, or the images, the format or an option do not fit.
        FileNotFoundError: If the images are not available.
        OSError: If a file cannot be read or written.
    """
    return export_request(from_options(ExportRequest, {"model": str(model), "out": Path(out), **options}), listener)


def summarize(model: str | Path, *, listener: Listener | None = None, **options: Any) -> ModelSummary:
    """Returns what the trajectories of a trained model have in common: distance from the digit, width and error by step.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        listener: Receives progress, notes and warnings.
        options: Those of `look` without `pixels`, and `out`, a `.png` to draw it in.

    Returns:
        The summary; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, it has no windows, or the images or an option do not fit it.
        FileNotFoundError: If the images are not available.
        OSError: If a file cannot be read or written.
    """
    return summary_request(from_options(SummaryRequest, {"model": str(model), **options}), listener)


def learning(model: str | Path, out: str | Path, *, listener: Listener | None = None, **options: Any) -> Learning:
    """Writes an animation of the same images with the weights that a run kept along its way.

    Args:
        model: The run's folder.
        out: File to write, a `.gif`; its folder is made.
        listener: Receives progress, notes and warnings.
        options: Those of `look` without `only`, `margin` and `pixels`.

    Returns:
        What is in the file; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If the model is no run's folder, it kept no weights, or the images or an option do not fit it.
        FileNotFoundError: If the images are not available.
        OSError: If a file cannot be read or written.
    """
    return learning_request(from_options(LearningRequest, {"model": str(model), "out": Path(out), **options}), listener)
