"""Python call of `glimpse report`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glimpse.atomic import write_atomically
from glimpse.evaluation.evaluate import Evaluation, evaluate_request
from glimpse.evaluation.generator import GenerationResult
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.listener import Listener
from glimpse.models.weights import read_facts
from glimpse.reporting.classifier import classifier_facts, classifier_sections
from glimpse.reporting.generator import generator_facts, generator_sections
from glimpse.reporting.page import report_page
from glimpse.reporting.seen import Seen
from glimpse.settings.requests import EvaluationRequest, ReportRequest, from_options

__all__ = ["Report", "report", "report_request"]


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        model: Folder of the run, weights file or `pretrained:NAME`.
        out: The file.
        sections: Titles of the sections, in order.
        evaluation: The evaluation that it shows.
        bytes: Size of the file.
        seconds: Duration of the evaluation and the writing.
    """

    model: str
    out: Path
    sections: tuple[str, ...]
    evaluation: Evaluation
    bytes: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Returns the report's facts and its evaluation in JSON's types."""
        facts = {"model": self.model, "out": str(self.out), "sections": list(self.sections)}
        return facts | {"bytes": self.bytes, "seconds": self.seconds, "evaluation": self.evaluation.as_dict()}


def report(model: str | Path, out: str | Path = "report.html", *, listener: Listener | None = None, **options: Any) -> Report:
    """Evaluates a trained model and writes a report on it, one HTML file that needs no other.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        out: File to write, an `.html`; its folder is created.
        listener: Receives progress, notes and warnings.
        options: Those of `glimpse report` by their names, with `_` for `-`: `split`, `worst`, `count`, `data`, `data_dir`,
            `digits`, `canvas`, `pieces`, `piece_size`, `border`, `size`, `fit`, `images_key`, `labels_key`, `device`, `threads`.

    Returns:
        What was written; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, or the images or an option do not fit it.
        FileNotFoundError: If the images are not available.
        OSError: If a file cannot be read or written.
    """
    return report_request(from_options(ReportRequest, {"model": str(model), "out": Path(out), **options}), listener)


def report_request(request: ReportRequest, listener: Listener | None = None) -> Report:
    """Writes the requested report; see `report`."""
    began, listener = time.monotonic(), listener or Listener()
    classifies = "classes" in read_facts(request.model)["config"]
    seen = Seen(request.worst)
    asked = EvaluationRequest(
        request.model, split=request.split, diagnose=classifies, images=request.images, machine=request.machine
    )
    found = evaluate_request(asked, listener, observe=seen.add)
    if isinstance(found.result, ClassificationResult):
        facts = classifier_facts(found, found.result)
        sections = [*classifier_sections(request, found, seen, listener)]
    else:
        assert isinstance(found.result, GenerationResult)
        facts = generator_facts(found, found.result)
        sections = [*generator_sections(request, found, listener)]
    page = report_page(f"Report on {request.model}", facts | {"evaluated on": _images(found.data)}, sections).encode()
    request.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(request.out, page)
    titles = tuple(section.title for section in sections)
    return Report(request.model, request.out, titles, found, len(page), round(time.monotonic() - began, 2))


def _images(data: Mapping[str, Any]) -> str:
    """Returns a description of images in a few words.

    >>> _images({"kind": "file", "path": "/data/photos", "part": "test"})
    'photos, test'
    """
    words = {name: str(data[name]) for name in ("path", "name", "digits", "part", "split") if data.get(name) is not None}
    if "path" in words:
        words["path"] = Path(words["path"]).name
    recipe = data.get("recipe")
    if recipe is not None:
        words["digits"] = f"cluttered {words['digits']}, {recipe['canvas']}x{recipe['canvas']}, {recipe['pieces']} pieces"
    return ", ".join(words.values())
