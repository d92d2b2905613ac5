"""Benchmark cases: the filterbank, the clutter, and a training step of each model.

The filterbank's cases are batches of 128 images of 100 x 100 pixels with windows of 12 x 12 filters at random positions: forward
without gradients, and forward and backward with gradients of the image or patch and of the window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from glimpse.attention.filterbank import gaussian_filters
from glimpse.attention.window import Window, read, write
from glimpse.benchmarking.operations import Operations, clutter_operations, filter_operations, read_operations, write_operations
from glimpse.benchmarking.trainers import ClassifierSteps, GeneratorSteps, Steps, digits
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.evaluation.timing import Work
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import BenchRequest, Part
from glimpse.settings.requests.benchmark import GROWTH
from glimpse.settings.training import Precision

__all__ = ["BenchPlan", "Case", "Growth", "bench_plan", "steps_for_threads"]

_IMAGES, _SIDE, _FILTERS = 128, 100, 12

_SMALL = {"glimpses": 16, "latent": 32, "read": 5}  # in place of the 64 steps, 100 latents and 2x2 windows of `mnist`

_TRAININGS: dict[Part, dict[str, Steps]] = {
    "classifier": {"classifier": ClassifierSteps("tuned")},
    "ram": {"ram": ClassifierSteps("ram")},
    "generator": {"draw T 64": GeneratorSteps("mnist"), "draw small": GeneratorSteps("mnist", settings=_SMALL)},
}
"""Trainings by part and name of the case; the growth of the last one is measured. `mnist` has the sizes of DRAW's Table 3."""


@dataclass(frozen=True)
class Case:
    """One benchmark case.

    Attributes:
        part: Part of the package.
        name: Unique short name.
        count: Number of images or filters per call.
        operations: Cost per image or filter.
        build: Prepares the case on a device and returns the function to time.
        unit: What `count` counts.
        memory_bound: Whether memory traffic limits the speed, not multiply-adds.
        precision: Precision of the matrix products.
        steps: Training whose step is timed; None if the case is no training.
    """

    part: Part
    name: str
    count: int
    operations: Operations
    build: Callable[[torch.device], Work]
    unit: Literal["images", "filters"] = "images"
    memory_bound: bool = False
    precision: Precision = "fp32"
    steps: Steps | None = None


@dataclass(frozen=True)
class Growth:
    """A training step with one setting changed.

    Attributes:
        part: Part of the package.
        setting: Name of the setting, see `glimpse.settings.requests.benchmark.GROWTH`.
        value: Value of the setting.
        case: The case; a usual one if this is the preset's value.
    """

    part: Part
    setting: str
    value: int
    case: Case


@dataclass(frozen=True)
class BenchPlan:
    """Cases of a benchmark.

    Attributes:
        usual: Cases of the parts.
        growths: Training steps with one setting changed.
    """

    usual: tuple[Case, ...]
    growths: tuple[Growth, ...]

    @property
    def cases(self) -> list[Case]:
        """All cases, each once."""
        return list({case.name: case for case in (*self.usual, *(growth.case for growth in self.growths))}.values())


def bench_plan(request: BenchRequest) -> BenchPlan:
    """Returns the cases of a request."""
    usual = tuple(case for part in request.parts for case in _CASES[part]())
    growing = [part for part in request.parts if request.growth and part in GROWTH]
    return BenchPlan(usual, tuple(growth for part in growing for growth in _growths(part, usual)))


def steps_for_threads(request: BenchRequest) -> Steps:
    """Returns the training whose steps determine the number of threads: of the first part with one, else the classifier's."""
    training = [part for part in request.parts if part in _TRAININGS]
    return _last_steps(training[0] if training else "classifier")


def _last_steps(part: Part) -> Steps:
    """Returns the part's last training."""
    return [*_TRAININGS[part].values()][-1]


def _growths(part: Part, usual: Sequence[Case]) -> Iterator[Growth]:
    """Yields the training steps of a part with one setting changed, each a usual case if that has the same training."""
    for setting, values in GROWTH[part].items():
        for value in values:
            steps = _last_steps(part).changed(setting, value)
            same = (case for case in usual if case.steps == steps)
            yield Growth(part, setting, value, next(same, None) or _step_case(part, f"{part} {setting} {value}", steps))


def _filterbank() -> list[Case]:
    cases = []
    for gradients in (False, True):
        filters = _filterbank_case("filters", _filters, filter_operations(_SIDE), gradients)
        cases += [
            replace(filters, count=_IMAGES * _FILTERS, unit="filters"),
            _filterbank_case("read", _read, read_operations(1, _FILTERS, _SIDE, _SIDE), gradients),
            _filterbank_case("write", _write, write_operations(1, _FILTERS, _SIDE, _SIDE), gradients),
        ]
    return cases


def _clutter() -> list[Case]:
    recipe = ClutterRecipe()
    operations = clutter_operations(recipe.canvas, recipe.pieces, recipe.piece_size, (28, 28))
    return [
        Case("clutter", f"clutter {count}", count, operations, partial(_rendering, count), memory_bound=True)
        for count in (128, 1024)
    ]


def _steps(part: Part) -> list[Case]:
    return [_step_case(part, name, steps) for name, steps in _TRAININGS[part].items()]


_CASES: dict[Part, Callable[[], list[Case]]] = {
    "filterbank": _filterbank,
    "clutter": _clutter,
    **{part: partial(_steps, part) for part in _TRAININGS},
}


def _step_case(part: Part, name: str, steps: Steps) -> Case:
    precision = steps.training.precision
    return Case(part, name, steps.batch_size, steps.operations, steps.work, precision=precision, steps=steps)


def _rendering(count: int, device: torch.device) -> Work:
    """Returns a function that renders the next batch of cluttered digits at every call."""
    images = ClutteredMNIST(digits().train.to(device), "train", ClutterRecipe(), seed=0)
    return images.batches(count).__next__


_Operation = Callable[[Tensor, Tensor, Window], Tensor]
"""Function of an image, a patch and a window."""


def _filters(image: Tensor, patch: Tensor, window: Window) -> Tensor:
    return gaussian_filters(window.center_x, window.stride, window.sigma, n_filters=_FILTERS, n_pixels=_SIDE)


def _read(image: Tensor, patch: Tensor, window: Window) -> Tensor:
    return read(image, window, _FILTERS)


def _write(image: Tensor, patch: Tensor, window: Window) -> Tensor:
    return write(patch, window, _SIDE, _SIDE)


def _filterbank_case(name: str, operation: _Operation, operations: Operations, gradients: bool) -> Case:
    """Returns a case of the filterbank, forward, or forward and backward."""
    return Case(
        part="filterbank",
        name=f"{name}+grads" if gradients else name,
        count=_IMAGES,
        operations=operations.step if gradients else operations,
        build=partial(_forward_and_backward if gradients else _forward, operation),
        memory_bound=True,
    )


def _forward(operation: _Operation, device: torch.device) -> Work:
    """Returns a function that runs an operation without gradients."""
    image, patch, window = _inputs(device)

    @torch.no_grad()
    def work() -> Tensor:
        return operation(image, patch, window)

    return work


def _forward_and_backward(operation: _Operation, device: torch.device) -> Work:
    """Returns a function that runs an operation and computes the gradients of all its inputs."""
    image, patch, window = _inputs(device)
    inputs = [tensor.requires_grad_() for tensor in (image, patch, *window)]
    grad_outputs = torch.ones_like(operation(image, patch, window))

    def work() -> Sequence[Tensor | None]:
        return torch.autograd.grad(operation(image, patch, window), inputs, grad_outputs, allow_unused=True)

    return work


def _inputs(device: torch.device) -> tuple[Tensor, Tensor, Window]:
    """Returns images, patches and windows at random positions, with strides of 1 to 8 pixels and sigma half the stride."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(_IMAGES, 1, _SIDE, _SIDE, generator=generator)
    patch = torch.rand(_IMAGES, 1, _FILTERS, _FILTERS, generator=generator)
    x, y, spread = torch.rand(3, _IMAGES, generator=generator)
    stride = 8**spread
    window = Window((_SIDE - 1) * x, (_SIDE - 1) * y, stride, stride / 2, torch.ones(_IMAGES))
    return image.to(device), patch.to(device), Window(*(each.to(device) for each in window))
