"""The result of a comparison: a row for each model, a test for each pair, and all of it as plain values.

Errors are in percent, times in seconds. Dimension: N test images.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from glimpse.evaluation.published import PublishedResult
from glimpse.settings.classifier import Reading

__all__ = ["Comparison", "Conditions", "Pair", "Row"]


@dataclass(frozen=True)
class Conditions:
    """What models were measured on and with.

    Attributes:
        data: The task in a few words.
        part: Part of the data that the images are: `test`, or `valid` or `train` where there is no such part.
        device: Name of the device.
        threads: Threads of the CPU.
        left_out: Runs of a suite that could not be trained, None if there are none.
    """

    data: str
    part: str
    device: str
    threads: int
    left_out: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns them by name, `left_out` only where something was."""
        found = {"data": self.data, "part": self.part, "device": self.device, "threads": self.threads}
        return found | ({} if self.left_out is None else {"left_out": self.left_out})


@dataclass(frozen=True)
class Row:
    """Models that differ only in their seed.

    Attributes:
        model: Name, unlike the other rows'.
        kind: Kind of classifier.
        error: Test error in percent, the mean over seeds.
        interval: 95 % interval of the error in percent: low, high.
        deviation: Standard deviation of the error over seeds in percentage points, None of one seed.
        errors: Test error of every seed in percent.
        seeds: Seeds in that order, the lowest first; None where unknown.
        sources: The models' folders, files or names, in that order.
        parameters: Learned numbers.
        multiply_adds: Of one image.
        reading: What it takes in of an image, by all sampled sequences of locations together.
        test_samples: Sequences of locations sampled for every test image; None of a model that samples none in training either.
        inference_rate: Images a second, the median over seeds.
        training_rate: Images a second, the median over seeds; None where unknown.
        trained_on: Device, threads, precision and compilation of the training, None where unknown.
        images: Seen in training by every seed, None where unknown.
        published: Published row of a model like this one.
        reached: For every seed the images and the seconds when the validation error was first at or below the published error,
            None where it never was; empty where nothing is known of that.
    """

    model: str
    kind: str
    error: float
    interval: tuple[float, float]
    deviation: float | None
    errors: tuple[float, ...]
    seeds: tuple[int | None, ...]
    sources: tuple[str, ...]
    parameters: int
    multiply_adds: int
    reading: Reading
    test_samples: int | None
    inference_rate: float
    training_rate: float | None
    trained_on: str | None
    images: tuple[int | None, ...]
    published: PublishedResult | None
    reached: tuple[tuple[int, float] | None, ...]

    @property
    def when_reached(self) -> tuple[float, float] | None:
        """Images and seconds until the published error, each the median over seeds; None unless every seed reached it."""
        known = [point for point in self.reached if point is not None]
        if not known or len(known) < len(self.reached):
            return None
        return statistics.median(images for images, _ in known), statistics.median(seconds for _, seconds in known)

    def as_dict(self, shared: Mapping[str, Any]) -> dict[str, Any]:
        """Returns it as a dictionary of plain values.

        Args:
            shared: What is the same in all rows of its comparison, by name.
        """
        reached = self.when_reached or (None, None)
        return {
            "row": "measured",
            "model": self.model,
            "kind": self.kind,
            "error_percent": self.error,
            "low": self.interval[0],
            "high": self.interval[1],
            "interval": "t over seeds" if self.deviation is not None else "Wilson over images",
            "deviation_over_seeds": self.deviation,
            "errors_by_seed": list(self.errors),
            "seeds": list(self.seeds),
            **shared,
            "test_samples": self.test_samples,
            **_published_values(self.published),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "values_read": self.reading.values,
            "whole_canvas": self.reading.whole,
            "images_trained": list(self.images),
            "training_images_per_second": self.training_rate,
            "trained_on": self.trained_on,
            "inference_images_per_second": self.inference_rate,
            "images_to_published_error_on_validation": reached[0],
            "seconds_to_published_error_on_validation": reached[1],
            "seeds_that_reached_it": sum(point is not None for point in self.reached) if self.reached else None,
            "sources": list(self.sources),
        }


class Pair(NamedTuple):
    """McNemar's test of two rows, each by its first seed.

    Attributes:
        first: Name of a row.
        second: Name of another.
        only_first: Test images that only the first gets wrong.
        only_second: Test images that only the second gets wrong.
        p: Probability of counts as far apart or farther, were the two errors the same.
        p_holm: The same after Holm's correction over all pairs.
    """

    first: str
    second: str
    only_first: int
    only_second: int
    p: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """Trained models of one task next to published numbers.

    Attributes:
        rows: What was measured.
        pairs: Tests of every row against every later one.
        published_only: Published rows that match none of the measured ones.
        n: Test images.
        conditions: What was measured on and with.
        suite: Name of the suite whose models they are, None of other models.
    """

    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    published_only: tuple[PublishedResult, ...]
    n: int
    conditions: Conditions
    suite: str | None = None

    @property
    def part_name(self) -> str:
        """Name of the images of the measurement, such as `test images`; the weights may have been selected on validation images."""
        return {"test": "test images", "valid": "validation images", "train": "training images"}[self.conditions.part]

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        rows, pairs = self.flat(), [pair._asdict() for pair in self.pairs]
        return {"n": self.n, **self.conditions.as_dict(), "suite": self.suite, "rows": rows, "pairs": pairs}

    def flat(self) -> list[dict[str, Any]]:
        """Returns every row as a dictionary of plain values, all with the same names, rows that are only published included."""
        shared = {"measured_on": self.part_name, "n": self.n}
        measured = [row.as_dict(shared) for row in self.rows]
        names = dict.fromkeys(measured[0]) if measured else {}
        for result in self.published_only:
            own = {"row": "published", "model": result.model, "kind": result.kind or None} | _published_values(result)
            measured.append(names | own | {"values_read": result.values_read})
        return measured


def _published_values(result: PublishedResult | None) -> dict[str, Any]:
    """Returns what is published of a model as plain values."""
    return {
        "published_error_percent": result.error_percent if result else None,
        "published_as": result.model if result else None,
        "published_in": result.source if result else None,
        "published_note": result.note or None if result else None,
    }
