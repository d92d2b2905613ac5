"""The sections of a classifier's report."""

from collections.abc import Iterator, Sequence

import torch

from glimpse.evaluation.confusion import confused_pairs
from glimpse.evaluation.diagnosis_figure import diagnosis_plot
from glimpse.evaluation.evaluate import Evaluation
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.evaluation.published import PublishedResult
from glimpse.listener import Listener
from glimpse.models.catalog import open_model
from glimpse.models.weights import read_facts
from glimpse.reporting.figures import confusion_matrix, error_by_glimpse, reliability_diagram, worst_images
from glimpse.reporting.page import Section, Table, picture, sheet
from glimpse.reporting.recorded import settings_section, training_section
from glimpse.reporting.seen import Seen
from glimpse.settings.requests import ImageSelection, ReportRequest, TrajectoryFilter, TrajectoryRequest
from glimpse.trajectories.looking import opened_gaze
from glimpse.trajectories.pictures import sheet_png
from glimpse.trajectories.summary import summarize_trajectories
from glimpse.trajectories.summary_figure import summary_plot
from glimpse.trajectories.views import Trajectories

__all__ = ["classifier_facts", "classifier_sections"]

_LOOKED = 1000  # number of images whose windows are summarized
_SHOWN = 8  # images on the sheet of windows
_PAIRS = 10  # pairs of classes in the table


def classifier_facts(found: Evaluation, result: ClassificationResult) -> dict[str, str]:
    """Returns the headline results by name."""
    low, high = result.interval
    return {
        "error": f"{result.error:.2f} %",
        "95 % interval": f"{low:.2f} to {high:.2f} %",
        "images": f"{result.n:,}",
        "negative log-likelihood": f"{result.nll:.4f} nats",
        "calibration error": f"{result.calibration_error:.4f}",
        "images per second": f"{found.images_per_second:,.0f} ({found.device}, threads: {found.threads})",
    }


def classifier_sections(request: ReportRequest, found: Evaluation, seen: Seen, listener: Listener) -> Iterator[Section]:
    """Yields the sections of a report on a classifier.

    Args:
        request: The request.
        found: The evaluation with its diagnosis.
        seen: Predictions of that evaluation.
        listener: Receives progress, notes and warnings.
    """
    result, diagnosis, names = found.result, found.diagnosis, found.class_names or ()
    assert isinstance(result, ClassificationResult)
    windows = open_model(request.model).shows_windows
    trained = training_section(request.model)
    if trained is not None:
        yield trained
    if len(result.error_by_glimpse) > 1:
        curve = picture(error_by_glimpse(result.error_by_glimpse, result.n), _listed_errors(result.error_by_glimpse))
        yield Section("Error by glimpse", "The error after each glimpse, with 95 % intervals.", pictures=(curve,))
    yield _confusion(result, names)
    drawn = picture(reliability_diagram(seen.bins), f"Share of correct predictions by probability, in {len(seen.bins)} bins")
    text = (
        "The share of correct predictions by their probability; on the diagonal they are equal. "
        f"Expected calibration error: {result.calibration_error:.4f}."
    )
    yield Section("Reliability", text, pictures=(drawn,))
    if windows:
        yield _looks(request, listener)
    if diagnosis is not None:
        shown = picture(diagnosis_plot(diagnosis, class_names=names), "Error by glimpse, class, ink and clutter")
        yield Section("Errors by cause", pictures=(shown,))
    yield _worst(request, seen, names, listener, windows=windows)
    if found.published:
        yield _published(found, result)
    yield settings_section(request.model, read_facts(request.model))
    yield Section("Commands", commands=tuple(_commands(request.model, windows=windows)))


def _listed_errors(errors: Sequence[float]) -> str:
    """Returns the error after each glimpse in words."""
    return "Error by glimpse: " + ", ".join(f"{error:.2f} % after {step}" for step, error in enumerate(errors, start=1))


def _confusion(result: ClassificationResult, names: Sequence[str]) -> Section:
    """Returns the section of the confusion matrix and the pairs confused most often."""
    shown = picture(confusion_matrix(result.confusion, names), f"Confusion matrix of {len(names)} classes")
    rows = tuple(
        (names[pair.label], names[pair.predicted], f"{pair.images:,}", f"{pair.share:.2f}")
        for pair in confused_pairs(result.confusion)[:_PAIRS]
    )
    columns = ("true", "predicted", "images", "% of class")
    tables = (Table(columns, rows, caption="Confused most often"),) if rows else ()
    return Section("Confusion", "Number of images by true and predicted class.", pictures=(shown,), tables=tables)


def _request(request: ReportRequest, indices: str | None = None, count: int | None = None) -> TrajectoryRequest:
    """Returns the request for trajectories of images of the report."""
    selection = ImageSelection(split=request.split, indices=indices)
    return TrajectoryRequest(request.model, count, selection=selection, images=request.images, machine=request.machine)


def _looks(request: ReportRequest, listener: Listener) -> Section:
    """Returns the section on where the model looks: a summary of many images, and a sheet of a few."""
    gaze = opened_gaze(_request(request), TrajectoryFilter(), listener)
    parts = [*gaze.found(_LOOKED, TrajectoryFilter(), patches=False)]
    summary = summarize_trajectories(parts, gaze.frame)
    first = parts[0].rows(torch.arange(min(_SHOWN, len(parts[0]))))
    pictures = (
        picture(summary_plot(summary), "Distance from the digit, shares and width by step, and maps of the windows' centers"),
        sheet(sheet_png(first), f"The windows on the first {len(first)} images", "The windows of every step on the first images."),
    )
    return Section("Where it looks", f"Windows on the first {summary.images:,} images.", pictures=pictures)


def _worst(request: ReportRequest, seen: Seen, names: Sequence[str], listener: Listener, *, windows: bool) -> Section:
    """Returns the section of the images with the most probable wrong classes."""
    worst = seen.worst
    if worst is None:
        return Section("Worst images", "No image is misclassified.")
    text = f"Misclassified images whose wrong class has the highest probability ({len(worst.labels)}): true class, predicted class."
    if not windows:
        return Section("Worst images", text, pictures=(sheet(worst_images(worst, names), "Misclassified images"),))
    gaze = opened_gaze(_request(request, ",".join(map(str, worst.positions.tolist()))), TrajectoryFilter(), listener)
    shown = Trajectories.joined([*gaze.found(None, TrajectoryFilter(), patches=False)])
    return Section("Worst images", text, pictures=(sheet(sheet_png(shown, columns=6), "Misclassified images with their windows"),))


def _published(found: Evaluation, result: ClassificationResult) -> Section:
    """Returns the section of published results on the same task."""
    here = (found.model, f"{result.error:.2f}", "measured here")
    others = [(row.model, f"{row.error_percent:.2f}", row.source) for row in found.published if isinstance(row, PublishedResult)]
    return Section("Published results", tables=(Table(("model", "error %", "source"), (here, *others)),))


def _commands(model: str, *, windows: bool) -> Iterator[tuple[str, str]]:
    """Yields commands for the model, each with its description."""
    yield "The numbers of this report", f"glimpse evaluate {model} --diagnose"
    if windows:
        yield "Where it looks, as a page", f"glimpse trajectories {model} --out glimpses.html"
        yield "Its errors, step by step", f"glimpse trajectories {model} --only wrong --out wrong.png"
    yield "Other models on the same images", f"glimpse compare {model} pretrained:convnet"
    yield "Your own pictures", f"glimpse predict {model} PICTURE"
    yield "The model in other tools", f"glimpse export {model} --out model.onnx"
