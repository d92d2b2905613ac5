"""What is timed: the filterbank, the clutter, and a training step of each model.

The filterbank's cases are batches of 128 images of 100 x 100 pixels with windows of 12 x 12 filters at random places, forward
without gradients, and forward and backward with gradients to the image or patch and to the window.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from glimpse.attention.filterbank import gaussian_filters
from glimpse.attention.window import Window, read, write
from glimpse.benchmarking.operations import Operations, clutter_operations, filter_operations, read_operations, write_operations
from glimpse.benchmarking.timing import Work
from glimpse.benchmarking.trainers import ClassifierSteps, GeneratorSteps, Steps, digits
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import BenchRequest, Part, Setting
from glimpse.settings.training import Precision

__all__ = ["Case", "Growth", "cases_of", "growths_of", "steps_for_threads"]

_IMAGES, _SIDE, _FILTERS = 128, 100, 12

_CLASSIFIER = ClassifierSteps("tuned")
_RAM = ClassifierSteps("ram")
_GENERATOR = GeneratorSteps("mnist-small")
_GENERATOR_PAPER = GeneratorSteps("mnist")  # T 64, windows of 2 and 5, 256 units, 100 latents: DRAW's Table 3

_VALUES: dict[Part, dict[str, tuple[int, ...]]] = {
    "classifier": {"batch": (32, 128, 512), "canvas": (60, 100, 200), "window": (6, 12, 24), "glimpses": (2, 8, 32)},
    "generator": {"glimpses": (4, 16, 64)},
}


@dataclass(frozen=True)
class Case:
    """Something to be timed.

    Attributes:
        part: What it belongs to.
        name: A short name, unlike all others.
        count: Images, or filters, that a call makes or takes.
        operations: What one of them takes.
        build: Prepares it on a device and returns what is called.
        unit: What is counted.
        moves: Whether moving bytes limits it, not multiplying.
        precision: Of its products.
    """

    part: Part
    name: str
    count: int
    operations: Operations
    build: Callable[[torch.device], Work]
    unit: Literal["images", "filters"] = "images"
    moves: bool = False
    precision: Precision = "fp32"


@dataclass(frozen=True)
class Growth:
    """A value of a setting that a training step grows with, the others at the preset's.

    Attributes:
        part: Whose training step.
        setting: Name of the setting, `batch` for the images a step and `canvas` for the side of the images.
        value: Its value.
        case: What is timed; with the preset's own value the part's usual case.
    """

    part: Part
    setting: str
    value: int
    case: Case


def cases_of(request: BenchRequest) -> list[Case]:
    """Returns everything that a request wants timed, each case once."""
    usual = [case for part in request.parts for case in _PARTS[part]()]
    return list({case.name: case for case in (*usual, *(growth.case for growth in growths_of(request)))}.values())


def growths_of(request: BenchRequest) -> list[Growth]:
    """Returns the values of the settings that training steps are timed for."""
    if not request.growth:
        return []
    return [
        Growth(part, setting, value, _grown(part, setting, value))
        for part in request.growing
        for setting, values in _VALUES[part].items()
        for value in values
    ]


def steps_for_threads(request: BenchRequest) -> Steps:
    """Returns the training whose steps choose the number of threads: the first part's that trains, else the classifier's."""
    trained: dict[Part, Steps] = {"classifier": _CLASSIFIER, "ram": _RAM, "generator": _GENERATOR}
    return next((trained[part] for part in request.parts if part in trained), _CLASSIFIER)


def _filterbank() -> list[Case]:
    reading = read_operations(1, _FILTERS, _SIDE, _SIDE)
    writing = write_operations(1, _FILTERS, _SIDE, _SIDE)
    filters = filter_operations(_SIDE)
    return [
        _filterbank_case("filters", _filters, filters),
        _filterbank_case("read", _read, reading),
        _filterbank_case("write", _write, writing),
        _filterbank_case("filters+grads", _filters, filters.step),
        _filterbank_case("read+grads", _read, reading.step),
        _filterbank_case("write+grads", _write, writing.step),
    ]


def _clutter() -> list[Case]:
    recipe = ClutterRecipe()
    operations = clutter_operations(recipe.canvas, recipe.pieces, recipe.piece_size, (28, 28))

    def case(count: int) -> Case:
        return Case("clutter", f"clutter {count}", count, operations, lambda device: _drawing(count, device), moves=True)

    return [case(128), case(1024)]


_PARTS: dict[Part, Callable[[], list[Case]]] = {
    "filterbank": _filterbank,
    "clutter": _clutter,
    "classifier": lambda: [_step_case("classifier", "classifier", _CLASSIFIER)],
    "ram": lambda: [_step_case("ram", "ram", _RAM)],
    "generator": lambda: [
        _step_case("generator", "draw T 64", _GENERATOR_PAPER),
        _step_case("generator", "draw small", _GENERATOR),
    ],
}


def _step_case(part: Part, name: str, steps: Steps) -> Case:
    return Case(part, name, steps.batch_size, steps.operations, steps.work, precision=steps.training.precision)


def _grown(part: Part, setting: str, value: int) -> Case:
    """Returns the training step with one setting changed; the part's usual case if it is as it was."""
    usual: Steps = _CLASSIFIER if part == "classifier" else _GENERATOR
    if setting == "batch":
        steps = replace(usual, batch_size=value)
    elif setting == "canvas":
        steps = replace(_CLASSIFIER, canvas=value)
    else:
        steps = replace(usual, settings={setting: value})
    changed: dict[str, Setting] = {setting: value}
    same = steps == usual or (steps.settings == changed and steps.operations == usual.operations)
    return _PARTS[part]()[-1] if same else _step_case(part, f"{part} {setting} {value}", steps)


def _drawing(count: int, device: torch.device) -> Work:
    """Returns what draws the next batch of cluttered digits each time it is called."""
    images = ClutteredMNIST(digits().train.to(device), "train", ClutterRecipe(), seed=0)
    return images.batches(count).__next__


_Operation = Callable[[Tensor, Tensor, Window], Tensor]


def _filters(image: Tensor, patch: Tensor, window: Window) -> Tensor:
    return gaussian_filters(window.center_x, window.stride, window.sigma, n_filters=_FILTERS, n_pixels=_SIDE)


def _read(image: Tensor, patch: Tensor, window: Window) -> Tensor:
    return read(image, window, _FILTERS)


def _write(image: Tensor, patch: Tensor, window: Window) -> Tensor:
    return write(patch, window, _SIDE, _SIDE)


def _filterbank_case(name: str, operation: _Operation, operations: Operations) -> Case:
    """Returns a case of the filterbank, with gradients if its name says so."""
    gradients, filters = name.endswith("+grads"), operation is _filters
    return Case(
        part="filterbank",
        name=name,
        count=_IMAGES * (_FILTERS if filters else 1),
        operations=operations,
        build=lambda device: _with_gradients(operation, device) if gradients else _forward(operation, device),
        unit="filters" if filters else "images",
        moves=True,
    )


def _forward(operation: _Operation, device: torch.device) -> Work:
    """Returns what runs an operation without gradients."""
    image, patch, window = _inputs(device)

    @torch.no_grad()
    def work() -> Tensor:
        return operation(image, patch, window)

    return work


def _with_gradients(operation: _Operation, device: torch.device) -> Work:
    """Returns what runs an operation and computes the gradients of everything that it depends on."""
    image, patch, window = _inputs(device)
    inputs = [tensor.requires_grad_() for tensor in (image, patch, *window)]
    given = torch.ones_like(operation(image, patch, window))

    def work() -> Sequence[Tensor | None]:
        return torch.autograd.grad(operation(image, patch, window), inputs, given, allow_unused=True)

    return work


def _inputs(device: torch.device) -> tuple[Tensor, Tensor, Window]:
    """Returns images, patches and windows at random places: strides of 1 to 8 pixels, sigma half of that."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(_IMAGES, 1, _SIDE, _SIDE, generator=generator)
    patch = torch.rand(_IMAGES, 1, _FILTERS, _FILTERS, generator=generator)
    x, y, spread = torch.rand(3, _IMAGES, generator=generator)
    stride = 8**spread
    window = Window((_SIDE - 1) * x, (_SIDE - 1) * y, stride, stride / 2, torch.ones(_IMAGES))
    return image.to(device), patch.to(device), Window(*(each.to(device) for each in window))
