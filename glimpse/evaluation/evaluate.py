"""Evaluation of a trained model on the images of its task or on others: error of a classifier, bound of a generator."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from glimpse import environment
from glimpse.evaluation.classifier import Answers, measure_classifier
from glimpse.evaluation.confusion import write_confusion
from glimpse.evaluation.diagnosis import Diagnosis, Evidence
from glimpse.evaluation.generator import GenerationResult, measure_generator
from glimpse.evaluation.images import ImageQuery, TaskImages, check_images, open_task_images
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.evaluation.published import PublishedBound, PublishedResult, published_bounds_on, published_on
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier, Model
from glimpse.models.catalog import open_model
from glimpse.models.draw import DRAW
from glimpse.models.weights import class_names, read_facts
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.record import check_output
from glimpse.settings.requests import EvaluationRequest, from_options

__all__ = ["Evaluation", "evaluate", "evaluate_request"]


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation.

    Attributes:
        model: Folder of the run, weights file or `pretrained:NAME`.
        config: Settings of the model.
        glimpses: Number of glimpses or steps.
        result: Metrics of the model.
        data: Description of the images.
        images_per_second: Throughput in images per second.
        device: Device of the model.
        threads: Number of CPU threads.
        test_samples: Number of sampled sequences of locations that a prediction averages over; None for a model that does not
            sample locations.
        diagnosis: Errors by their cause; None if it was not requested.
        figure: File of the diagnosis's figure; None if there is none.
        class_names: Name of each class; None for a generator.
        csv: File of the whole confusion matrix; None if there is none.
    """

    model: str
    config: ClassifierSettings | GeneratorConfig
    glimpses: int
    result: ClassificationResult | GenerationResult
    data: dict[str, Any]
    images_per_second: float
    device: str
    threads: int
    test_samples: int | None = None
    diagnosis: Diagnosis | None = None
    figure: Path | None = None
    class_names: tuple[str, ...] | None = None
    csv: Path | None = None

    @property
    def published(self) -> tuple[PublishedResult, ...] | tuple[PublishedBound, ...]:
        """Published numbers on the same test set, in the same unit; empty if there are none."""
        if isinstance(self.config, ClassifierSettings):
            return published_on(self.data)
        return published_bounds_on(self.data, self.config.observation)

    def as_dict(self) -> dict[str, Any]:
        """Returns the evaluation in JSON's types."""
        sampled = {} if self.test_samples is None else {"test_samples": self.test_samples}
        facts = {"model": self.model} | self.result.as_dict() | {"glimpses": self.glimpses} | sampled | {"data": self.data}
        if self.class_names is not None:
            facts |= {"class_names": list(self.class_names)}
        facts |= {"images_per_second": self.images_per_second, "device": self.device, "threads": self.threads}
        return facts if self.diagnosis is None else facts | {"diagnosis": self.diagnosis.as_dict()}


def evaluate(model: str | Path, *, listener: Listener | None = None, **options: Any) -> Evaluation:
    """Evaluates a trained model: the error of a classifier, the bound of a generator.

    Args:
        model: Folder of a run, weights file or `pretrained:NAME`.
        listener: Receives progress, notes and warnings.
        options: Options of `glimpse evaluate` by name, with `_` for `-`: `split`, `glimpses`, `test_samples`, `importance_samples`,
            `diagnose`, `figure`, `csv`, `data`, `data_dir`, `digits`, `canvas`, `pieces`, `piece_size`, `border`, `device`,
            `threads`.

    Returns:
        The evaluation; `--json` prints its `as_dict()`.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, or the images or an option do not fit it.
        FileNotFoundError: If the data that it was trained on are not available.
    """
    return evaluate_request(from_options(EvaluationRequest, {"model": str(model), **options}), listener)


def evaluate_request(
    request: EvaluationRequest, listener: Listener | None = None, *, observe: Callable[[Answers], None] | None = None
) -> Evaluation:
    """Evaluates a trained model as requested; see `evaluate`.

    Args:
        request: Model, images and settings of the evaluation.
        listener: Receives progress, notes and warnings.
        observe: Called with a classifier's answers for every batch, of a request with a diagnosis.

    Raises:
        ValueError: If there is no such model, or the images or a setting do not fit it.
        FileNotFoundError: If the data that it was trained on are not available.
        OSError: If a file cannot be read or written.
    """
    listener = listener or Listener()
    for option, path, ending in (("--figure", request.figure, ".png"), ("--csv", request.csv, ".csv")):
        if path is not None:
            check_output(option, path, ending)
    facts = read_facts(request.model)
    threads = environment.use_threads(request.machine.threads)
    device = environment.choose_device(request.machine.device)
    model = open_model(request.model).to(device)
    _refuse_options(request, model)
    names = class_names(facts)
    query = ImageQuery(request.model, facts["task"], request.images, request.split, device, listener, class_names=names)
    images = open_task_images(query)
    check_images(images, model.config.channels, model.config.image_size)
    if isinstance(model, DRAW):
        found = _measured_generator(model, images, request, listener)
    else:
        found = _measured_classifier(model, images, request, listener, observe)
    if found.diagnosis is not None:
        _note_gaps(model, found.diagnosis, listener)
        _draw_diagnosis(found.diagnosis, request, names)
    if request.csv is not None and isinstance(found.result, ClassificationResult):
        write_confusion(request.csv, found.result.confusion, names or ())
    return Evaluation(
        model=request.model,
        config=model.config,
        glimpses=found.glimpses,
        result=found.result,
        data=images.description,
        images_per_second=round(found.result.n / max(found.seconds, 1e-9), 1),
        device=str(device),
        threads=threads,
        test_samples=model.config.samples,
        diagnosis=found.diagnosis,
        figure=request.figure,
        csv=request.csv,
        class_names=names,
    )


class _Measured(NamedTuple):
    """What is measured of a model.

    Attributes:
        result: Metrics of the model.
        glimpses: Number of glimpses or steps.
        seconds: Duration in seconds.
        diagnosis: Errors by their cause; None if it was not requested.
    """

    result: ClassificationResult | GenerationResult
    glimpses: int
    seconds: float
    diagnosis: Diagnosis | None = None


def _draw_diagnosis(diagnosis: Diagnosis, request: EvaluationRequest, names: Sequence[str] | None) -> None:
    """Draws the figure of a diagnosis if the request names its file."""
    if request.figure is not None:
        from glimpse.evaluation.diagnosis_figure import diagnosis_figure  # matplotlib is not needed before

        diagnosis_figure(diagnosis, request.figure, title=request.model, class_names=names)


def _note_gaps(model: Model, diagnosis: Diagnosis, listener: Listener) -> None:
    """Tells a listener which parts of a diagnosis are left out, and which windows it is based on."""
    gaps = []
    if diagnosis.search is None:
        why = "the positions of the digits are not known" if model.shows_windows else "the model has no windows"
        gaps.append(f"search and reading, since {why}")
    if diagnosis.by_ink is None:
        gaps.append("ink and clutter, since the images are not generated here")
    if gaps:
        listener.note(f"Left out of the diagnosis: {'; '.join(gaps)}")
    if diagnosis.search is not None and (model.config.samples or 0) > 1:
        listener.note(f"The windows of the diagnosis are those of the first of {model.config.samples} sampled sequences")


def _refuse_options(request: EvaluationRequest, model: ImageClassifier | DRAW) -> None:
    """Raises ValueError if a setting does not fit the model; the images need not be opened for that."""
    if isinstance(model, DRAW):
        if request.diagnose or request.csv is not None:
            option = "--diagnose" if request.diagnose else "--csv"
            raise ValueError(f"{option} is for a classifier: a generator makes no errors")
        if request.glimpses is not None:
            steps = model.config.glimpses
            raise ValueError(f"a generator always takes the {steps} steps that it was trained with: leave out --glimpses")
    else:
        model.inputs(request.glimpses)
        if request.importance_samples is not None:
            raise ValueError("--importance-samples is for a generator: a classifier has no bound")
    if request.test_samples is not None and model.config.samples is None:
        raise ValueError("--test-samples is for a recurrent attention model (ram): no other model samples its locations")


def _measured_classifier(
    model: ImageClassifier,
    images: TaskImages,
    request: EvaluationRequest,
    listener: Listener,
    observe: Callable[[Answers], None] | None,
) -> _Measured:
    """Returns what is measured of a classifier; sets its number of samples if the request has one."""
    if request.test_samples is not None:
        model.config = dataclasses.replace(model.config, test_samples=request.test_samples)  # type: ignore[call-arg]
    evidence = Evidence(images.data, model.config.classes) if request.diagnose else None

    def observed(found: Answers) -> None:
        for add in (evidence and evidence.add, observe):
            if add:
                add(found)

    every = observed if evidence is not None else None
    result, seconds = measure_classifier(model, images.data, request.glimpses, listener, every)
    diagnosis = None if evidence is None else evidence.diagnosis()
    return _Measured(result, request.glimpses or model.glimpses, seconds, diagnosis)


def _measured_generator(model: DRAW, images: TaskImages, request: EvaluationRequest, listener: Listener) -> _Measured:
    """Returns what is measured of a generator."""
    began, samples = time.monotonic(), request.importance_samples or 0
    result = measure_generator(model, images.data, importance_samples=samples, listener=listener)
    return _Measured(result, model.config.glimpses, time.monotonic() - began)
