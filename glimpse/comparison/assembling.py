"""Trained models put together as the rows of a comparison, with a test of every pair.

Nothing here reads, writes or measures. Errors are in percent, times in seconds. Dimension: N test images.
"""

import itertools
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.comparison.names import distinct_names
from glimpse.comparison.rows import Comparison, Conditions, Pair, Row
from glimpse.evaluation.published import PublishedResult, counterpart
from glimpse.evaluation.statistics import holm, mcnemar, t_interval, wilson_interval
from glimpse.settings.classifier import ClassifierSettings

__all__ = ["Trained", "assembled", "first_at_or_below"]


@dataclass(frozen=True)
class Trained:
    """One trained model and what was measured of it.

    Attributes:
        source: Its run's folder, weights file or `pretrained:NAME`.
        config: Settings of the model.
        predicted: Class of every test image, integers, shape (N,).
        labels: True classes, integers, shape (N,).
        parameters: Learned numbers.
        multiply_adds: Of one image.
        images_per_second: At inference.
        size: Height and width of the images in pixels.
        seed: Of its training, None where unknown.
        images: Seen in training, None where unknown.
        run: What its config.json holds, None where there is none.
        progress: Rows of its metrics.csv, empty where there is none.
    """

    source: str
    config: ClassifierSettings
    predicted: NDArray[Any]
    labels: NDArray[Any]
    parameters: int
    multiply_adds: int
    images_per_second: float
    size: tuple[int, int]
    seed: int | None = None
    images: int | None = None
    run: Mapping[str, Any] | None = None
    progress: Sequence[Mapping[str, str]] = ()

    @property
    def wrong(self) -> NDArray[Any]:
        """Which test images are classified wrongly, shape (N,)."""
        found: NDArray[Any] = self.predicted != self.labels
        return found

    @property
    def error(self) -> float:
        """Test error in percent."""
        return 100 * int(self.wrong.sum()) / len(self.labels)


def assembled(
    trained: Sequence[Trained],
    published: tuple[PublishedResult, ...] = (),
    *,
    conditions: Conditions,
) -> Comparison:
    """Returns trained models of one task as rows, in the order given, with a test of every pair.

    Models with the same settings but for the seed are one row; a second model with the same settings and seed begins another.

    Args:
        trained: All measured on the same test images in the same order.
        published: Published rows of the task.
        conditions: What the measurements were made on and with.

    Raises:
        ValueError: If there is no model, or two were measured on other images.
    """
    if not trained:
        raise ValueError("expected at least one model to compare, got none")
    for other in trained[1:]:
        if not np.array_equal(other.labels, trained[0].labels):
            raise ValueError(f"{trained[0].source} and {other.source} were measured on other test images")
    groups = _grouped(trained)
    firsts = [group[0] for group in groups]
    names = distinct_names([one.config for one in firsts], [_settings(one) for one in firsts], [one.source for one in firsts])
    rows = tuple(_row(name, group, published) for name, group in zip(names, groups, strict=True))
    published_only = tuple(result for result in published if result not in [row.published for row in rows])
    return Comparison(rows, _pairs(names, firsts), published_only, len(trained[0].labels), conditions)


def first_at_or_below(progress: Iterable[Mapping[str, str]], error: float) -> tuple[int, float] | None:
    """Returns the images and the seconds at the first validation with an error of at most this, None if there is none.

    Args:
        progress: Rows of a metrics.csv, in their order.
        error: In percent.
    """
    for row in progress:
        if row.get("valid_error") and float(row["valid_error"]) <= error:
            return int(row["images"]), float(row["seconds"])
    return None


def _grouped(trained: Sequence[Trained]) -> list[list[Trained]]:
    """Returns the models in groups that differ only in the seed, each ordered by seed; one without a run is its own group."""
    groups: dict[tuple[str, int], list[Trained]] = {}
    for model in trained:
        key = json.dumps([_settings(model), model.source if model.run is None else None], sort_keys=True)
        turn = next(i for i in itertools.count() if model.seed not in [other.seed for other in groups.get((key, i), [])])
        groups.setdefault((key, turn), []).append(model)
    return [sorted(group, key=lambda model: -1 if model.seed is None else model.seed) for group in groups.values()]


def _settings(model: Trained) -> dict[str, Any]:
    """Returns all known settings of a model and its training but the seed."""
    training = {} if model.run is None else dict(model.run["training"])
    of_training = {name: training[name] for name in training if name != "seed"}
    return {"size": "{}x{}".format(*model.size), "kind": model.config.kind} | asdict(model.config) | of_training


def _row(name: str, group: Sequence[Trained], published: tuple[PublishedResult, ...]) -> Row:
    """Returns the row of models that differ only in their seed."""
    first, errors = group[0], tuple(model.error for model in group)
    like = _counterpart(first.config, published, first.size)
    known = all(model.progress for model in group)
    rates = [rate for model in group if (rate := _training_rate(model.progress)) is not None]
    return Row(
        model=name,
        kind=first.config.kind,
        error=statistics.fmean(errors),
        interval=_interval(group),
        deviation=statistics.stdev(errors) if len(group) > 1 else None,
        errors=errors,
        seeds=tuple(model.seed for model in group),
        sources=tuple(model.source for model in group),
        parameters=first.parameters,
        multiply_adds=first.multiply_adds,
        reading=first.config.reading(*first.size),
        test_samples=first.config.samples,
        inference_rate=statistics.median(model.images_per_second for model in group),
        training_rate=statistics.median(rates) if rates else None,
        trained_on=" / ".join(dict.fromkeys(_conditions(model.run) for model in group if model.run is not None)) or None,
        images=tuple(model.images for model in group),
        published=like,
        reached=tuple(first_at_or_below(model.progress, like.error_percent) for model in group) if like and known else (),
    )


def _interval(group: Sequence[Trained]) -> tuple[float, float]:
    """Returns the 95 % interval of an error in percent: of several seeds Student's over them, of one Wilson's over the images."""
    if len(group) > 1:
        return t_interval([model.error for model in group])
    low, high = wilson_interval(int(group[0].wrong.sum()), len(group[0].labels))
    return 100 * low, 100 * high


def _counterpart(
    config: ClassifierSettings, published: tuple[PublishedResult, ...], size: tuple[int, int]
) -> PublishedResult | None:
    """Returns the published row of a model like this one; what a published one reads is counted over one sequence of locations."""
    values = config.reading(*size).values // max(1, config.samples or 0)
    return counterpart(published, config.kind, glimpses=config.glimpses, values_read=values)


def _training_rate(progress: Sequence[Mapping[str, str]]) -> float | None:
    """Returns the median of the images a second in a metrics.csv, None where there is none."""
    rates = [float(row["images_per_second"]) for row in progress if row.get("images_per_second")]
    return statistics.median(rates) if rates else None


def _conditions(run: Mapping[str, Any]) -> str:
    """Returns what a run's speed depends on besides the model."""
    environment, training = run["environment"], run["training"]
    threads, processes = environment.get("threads"), environment.get("processes", 1)
    said = [str(environment.get("device")), f"{threads} thread{'s' if threads != 1 else ''}", str(training.get("precision"))]
    said += [f"{processes} processes"] if processes > 1 else []
    said += [word for name, word in (("compile", "compiled"), ("cuda_graph", "CUDA graph")) if training.get(name)]
    return ", ".join(said)


def _pairs(names: Sequence[str], models: Sequence[Trained]) -> tuple[Pair, ...]:
    """Returns the test of every model against every later one."""
    counts = [(one, two, *_discordant(models[one], models[two])) for one, two in itertools.combinations(range(len(models)), 2)]
    p = [mcnemar(only_first, only_second) for _, _, only_first, only_second in counts]
    return tuple(
        Pair(names[one], names[two], only_first, only_second, value, corrected)
        for (one, two, only_first, only_second), value, corrected in zip(counts, p, holm(p), strict=True)
    )


def _discordant(one: Trained, two: Trained) -> tuple[int, int]:
    """Returns how many images only the first model gets wrong, and how many only the second."""
    return int((one.wrong & ~two.wrong).sum()), int((two.wrong & ~one.wrong).sum())
