"""Export of a trained model to a file, which is read back and compared with the model."""

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glimpse import environment
from glimpse.atomic import write_atomically
from glimpse.evaluation.own_pictures import training_images
from glimpse.evaluation.timing import interleaved
from glimpse.exporting.formats import Runner, check_format, load_program, write_program
from glimpse.exporting.program import Program, classifier_program, generator_program
from glimpse.listener import Listener
from glimpse.models.catalog import open_model
from glimpse.models.draw import DRAW
from glimpse.models.weights import read_facts
from glimpse.settings.requests import ModelExportRequest, from_options

__all__ = ["TOLERANCE", "Comparison", "ExportedModel", "compared", "export", "export_request"]

TOLERANCE = 1e-5
"""Tolerated difference between an output of the file and of the model, relative to values above 1 in magnitude."""

_ROUNDING = 4  # times the rounding error of the model in float32, which is tolerated if it is larger than `TOLERANCE`,
_MOST = 1e-3  # and the most that is
_BATCHES = (1, 5)  # numbers of images in the comparisons; neither is that of the traced batch
_TIMED = 32  # images in the timed batch
_SECONDS = 0.5  # per timed case


class Comparison(NamedTuple):
    """Comparison of a file with its model.

    Attributes:
        outputs: Outputs of the model for one batch.
        differences: Largest difference of each output, relative to values above 1 in magnitude.
        rounding: Largest difference between the model in float32 and in float64.
    """

    outputs: dict[str, Tensor]
    differences: dict[str, float]
    rounding: float


@dataclass(frozen=True)
class ExportedModel:
    """An exported model. Shapes start with the number of images, `batch`.

    Attributes:
        model: Run's folder, weights file or `pretrained:NAME`.
        out: File that was written.
        format: `onnx` or `pt2`.
        inputs: Shape of each input by name.
        outputs: Shape of each output by name.
        differences: Largest difference between the file and the model by output, relative to values above 1 in magnitude.
        rounding: Largest difference between the model in float32 and in float64, on the same inputs.
        bytes: Size of the file.
        images_per_second: Throughput of the file on batches of 32 images: in onnxruntime, or in torch.
        model_images_per_second: Throughput of the model in Python on the same batches.
        threads: Number of CPU threads.
    """

    model: str
    out: Path
    format: str
    inputs: Mapping[str, tuple[str | int, ...]]
    outputs: Mapping[str, tuple[str | int, ...]]
    differences: Mapping[str, float]
    rounding: float
    bytes: int
    images_per_second: float
    model_images_per_second: float
    threads: int

    @property
    def largest_difference(self) -> float:
        """Largest of the differences."""
        return max(self.differences.values())

    def as_dict(self) -> dict[str, Any]:
        """Returns the result in JSON's types."""
        shapes = {name: {key: list(shape) for key, shape in getattr(self, name).items()} for name in ("inputs", "outputs")}
        differences = {"differences": dict(self.differences), "largest_difference": self.largest_difference}
        own = {"model": self.model, "out": str(self.out)}
        return vars(self) | own | shapes | differences


def export(model: str | Path, *, out: str | Path, listener: Listener | None = None, **options: Any) -> ExportedModel:
    """Exports a trained model as a program for other tools, and compares the file with the model.

    Args:
        model: Folder of a run, weights file or `pretrained:NAME`.
        out: File to write: `.onnx`, or `.pt2` for `torch.export.load`.
        listener: Receives progress and notes.
        options: Options of `glimpse export` by name: `format`, `part`, `glimpses`, `size`, `threads`.

    Returns:
        Names and shapes, the largest difference, the size and the speed; `--json` prints its `as_dict()`.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, an option does not fit it, a package is missing, or the outputs of the file differ
            from those of the model by more than 1e-5, or four times its rounding error if that is more; then no file is left.
        OSError: If a file cannot be read or written.
    """
    return export_request(from_options(ModelExportRequest, {"model": str(model), "out": out, **options}), listener)


def export_request(request: ModelExportRequest, listener: Listener | None = None) -> ExportedModel:
    """Exports a trained model as requested; see `export`.

    Args:
        request: Model, file and format.
        listener: Receives progress and notes.

    Raises:
        ValueError: As `export`.
        OSError: If a file cannot be read or written.
    """
    listener, form = listener or Listener(), request.chosen_format
    check_format(form)
    threads = environment.use_threads(request.threads)
    facts = read_facts(request.model)
    program = _program(request, facts)
    listener.note(f"Exporting {request.model}: this takes seconds for each glimpse")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"program.{form}"
        write_program(program, form, file, facts)
        runner = load_program(program, form, file, threads)
        comparison = compared(program, runner)
        speeds = _speeds(program, runner, listener)
        content = file.read_bytes()
        write_atomically(request.out, content)
    return ExportedModel(
        model=request.model,
        out=request.out,
        format=form,
        inputs={name: ("batch", *shape) for name, shape in program.inputs.items()},
        outputs={name: ("batch", *values.shape[1:]) for name, values in comparison.outputs.items()},
        differences=comparison.differences,
        rounding=comparison.rounding,
        bytes=len(content),
        images_per_second=speeds["file"],
        model_images_per_second=speeds["model"],
        threads=threads,
    )


@torch.no_grad()
def compared(program: Program, runner: Runner) -> Comparison:
    """Compares the outputs of a file with those of its model over several batches.

    Args:
        program: The model.
        runner: The file.

    Raises:
        ValueError: If the outputs have other names or shapes, or differ by more than `TOLERANCE` and the model's rounding errors.
    """
    differences: dict[str, float] = {}
    rounding, exact = 0.0, copy.deepcopy(program.module).double()
    for batch in _BATCHES:
        inputs = program.example(batch, seed=batch)
        expected, found = program.module(*inputs), runner(*inputs)
        if {name: values.shape for name, values in expected.items()} != {name: values.shape for name, values in found.items()}:
            raise ValueError(f"the exported program returns {', '.join(found)}, the model {', '.join(expected)}")
        for name, values in exact(*(values.double() for values in inputs)).items():
            differences[name] = max(differences.get(name, 0.0), _difference(found[name], expected[name]))
            rounding = max(rounding, _difference(expected[name], values))
    tolerated = max(TOLERANCE, min(_ROUNDING * rounding, _MOST))
    wrong = {name: value for name, value in differences.items() if not value <= tolerated}
    if wrong:
        listed = ", ".join(f"{name} by {value:.1e}" for name, value in wrong.items())
        raise ValueError(f"the exported program differs from the model in {listed}, more than {tolerated:.1e}: nothing was written")
    return Comparison(expected, differences, rounding)


def _difference(found: Tensor, expected: Tensor) -> float:
    """Returns the largest difference relative to values above 1; infinite if only one of two values is NaN."""
    found, expected = found.double(), expected.double()
    same = found.isnan() & expected.isnan()
    difference = ((found - expected).abs() / expected.abs().clamp(min=1)).masked_fill(same, 0.0).nan_to_num(nan=torch.inf)
    return float(difference.max())


def _program(request: ModelExportRequest, facts: Mapping[str, Any]) -> Program:
    """Returns the requested program, after checking that the options fit the model."""
    model = open_model(request.model)
    if isinstance(model, DRAW):
        if request.glimpses is not None or request.size is not None:
            raise ValueError("a generator has a fixed number of steps and size of images: leave out --glimpses and --size")
        return generator_program(model, request.part or "draw")
    if request.part is not None:
        raise ValueError("--part is for a generator: a classifier is exported as a whole")
    required = model.config.image_size
    size = request.size or training_images(facts, required).size
    if size is None:
        raise ValueError("the weights do not hold the size of the training images: give --size HEIGHT WIDTH")
    if required is not None and size != required:
        raise ValueError(f"the model requires images of {required[0]} x {required[1]} pixels, got --size {size[0]} {size[1]}")
    return classifier_program(model, size, request.glimpses)


@torch.no_grad()
def _speeds(program: Program, runner: Runner, listener: Listener) -> dict[str, float]:
    """Returns the images per second of the file and of the model."""
    inputs = program.example(_TIMED)
    works = {"file": lambda: runner(*inputs), "model": lambda: program.module(*inputs)}
    times = interleaved(works, _SECONDS, listener=listener)
    return {name: round(_TIMED / timing.best, 1) for name, timing in times.items()}
