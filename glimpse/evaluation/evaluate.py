"""Evaluating a trained model, of a classifier its error, of a generator its bound, on the images of its task or others."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glimpse import environment
from glimpse.evaluation.classifier import measure_classifier
from glimpse.evaluation.generator import GenerationResult, measure_generator
from glimpse.evaluation.images import ImageQuery, TaskImages, check_images, open_task_images
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.evaluation.published import PublishedBound, PublishedResult, published_bounds_on, published_on
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_model
from glimpse.models.draw import DRAW
from glimpse.models.weights import load_weights
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.requests import EvaluationRequest, from_options

__all__ = ["Evaluation", "evaluate", "evaluate_request"]


@dataclass(frozen=True)
class Evaluation:
    """What a trained model was measured to be.

    Attributes:
        model: Its run's folder, weights file or `pretrained:NAME`.
        config: Its settings.
        glimpses: Glimpses or steps that it took.
        result: Everything it is judged by.
        data: What it was measured on.
        images_per_second: How fast it was.
        device: Where.
        threads: On how many threads of the CPU.
        test_samples: Sequences of sampled locations that an answer averaged over; None of a model that never samples.
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

    @property
    def published(self) -> tuple[PublishedResult, ...] | tuple[PublishedBound, ...]:
        """Published numbers on the same test set, in the same unit; none for other images."""
        if isinstance(self.config, ClassifierSettings):
            return published_on(self.data)
        return published_bounds_on(self.data, self.config.observation)

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        sampled = {} if self.test_samples is None else {"test_samples": self.test_samples}
        facts = {"model": self.model} | self.result.as_dict() | {"glimpses": self.glimpses} | sampled | {"data": self.data}
        return facts | {"images_per_second": self.images_per_second, "device": self.device, "threads": self.threads}


def evaluate(model: str | Path, *, listener: Listener | None = None, **options: Any) -> Evaluation:
    """Measures a trained model: the error of a classifier, the bound of a generator.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        listener: Hears of progress, notes and warnings.
        options: Those of `glimpse evaluate` by their names, with `_` for `-`: `split`, `glimpses`, `test_samples`,
            `importance_samples`, `data`, `data_dir`, `digits`, `canvas`, `pieces`, `piece_size`, `border`, `device`, `threads`.

    Returns:
        What it was measured to be; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, or the images or an option do not fit it.
        FileNotFoundError: If the digits it was trained on are not at hand.
    """
    return evaluate_request(from_options(EvaluationRequest, {"model": str(model), **options}), listener)


def evaluate_request(request: EvaluationRequest, listener: Listener | None = None) -> Evaluation:
    """Returns what a trained model is measured to be.

    Args:
        request: Which model, on which images.
        listener: Hears of progress, notes and warnings.

    Raises:
        ValueError: If there is no such model, or the images or a setting do not fit it.
        FileNotFoundError: If the digits it was trained on are not at hand.
    """
    listener = listener or Listener()
    _, facts = load_weights(request.model)
    threads = environment.use_threads(request.machine.threads)
    device = environment.choose_device(request.machine.device)
    model = open_model(request.model).to(device)
    images = open_task_images(ImageQuery(request.model, facts["task"], request.images, request.split, device, listener))
    result: ClassificationResult | GenerationResult
    if isinstance(model, DRAW):
        result, seconds = _generator(model, images, request, listener)
        glimpses = model.config.glimpses
    else:
        result, seconds = _classifier(model, images, request, listener)
        glimpses = request.glimpses or model.glimpses
    return Evaluation(
        model=request.model,
        config=model.config,
        glimpses=glimpses,
        result=result,
        data=images.description,
        images_per_second=round(result.n / seconds, 1),
        device=str(device),
        threads=threads,
        test_samples=model.config.samples,
    )


def _classifier(
    model: ImageClassifier, images: TaskImages, request: EvaluationRequest, listener: Listener
) -> tuple[ClassificationResult, float]:
    """Returns what a classifier is judged by, and the seconds it took; sets the number of samples that was asked for."""
    if request.importance_samples is not None:
        raise ValueError("--importance-samples is for a generator: a classifier has no bound")
    if request.test_samples is not None:
        if model.config.samples is None:
            raise ValueError("--test-samples is for a recurrent attention model (ram): no other samples where it looks")
        model.config = dataclasses.replace(model.config, test_samples=request.test_samples)  # type: ignore[call-arg]
    check_images(images, model.config.channels, model.config.image_size)
    return measure_classifier(model, images.data, request.glimpses, listener)


def _generator(model: DRAW, images: TaskImages, request: EvaluationRequest, listener: Listener) -> tuple[GenerationResult, float]:
    """Returns what a generator is judged by, and the seconds it took."""
    config = model.config
    if request.glimpses is not None:
        raise ValueError(f"a generator takes as many steps as it was trained with, {config.glimpses}: leave out --glimpses")
    check_images(images, config.channels, config.image_size)
    began = time.monotonic()
    with listener.progress("Evaluating", len(images.data)) as advance:
        for step in measure_generator(model, images.data, importance_samples=request.importance_samples or 0):
            if isinstance(step, GenerationResult):
                result = step
            else:
                advance(step)
    return result, time.monotonic() - began
