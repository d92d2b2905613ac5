"""Formats of exported programs: capturing a program, writing it to a file, and running the file."""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from glimpse.environment import require_packages
from glimpse.exporting.program import Program

__all__ = ["Runner", "check_format", "load_program", "write_program"]

Runner = Callable[..., dict[str, Tensor]]
"""Runs an exported program: takes its inputs in their order, and returns its outputs by name."""

_EXAMPLE = 3  # images in the batch that is traced: torch specializes sizes of 0 and 1
_NEAR = 1e-4  # onnxscript's optimizer takes constants for equal that differ by less than 1e-5 of their value, or by 1e-8
_FACTS = "glimpse"  # key of the facts in the file's metadata, as in weights files


def check_format(form: str) -> None:
    """Raises ValueError if a package is missing that a format needs."""
    if form == "onnx":
        require_packages("export to ONNX", "export", "onnx", "onnxruntime", "onnxscript")


def write_program(program: Program, form: str, path: Path, facts: Mapping[str, Any]) -> None:
    """Writes a program to a file.

    Args:
        program: Model with named inputs.
        form: `onnx` or `pt2`.
        path: File to write.
        facts: Description of the model in JSON's types, stored in the file's metadata.
    """
    example = program.example(_EXAMPLE)
    shapes = tuple({0: Dim("batch", min=1)} for _ in example)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch's exporters warn of their own deprecated parts
        captured = torch.export.export(program.module, example, dynamic_shapes=shapes)
        if form == "pt2":
            torch.export.save(captured, path, extra_files={_FACTS: json.dumps(facts)})
        else:
            _write_onnx(program, captured, path, facts)


def load_program(program: Program, form: str, path: Path, threads: int) -> Runner:
    """Returns the runner of a file that `write_program` wrote: onnxruntime for ONNX, else torch.

    Args:
        program: The program in the file.
        form: `onnx` or `pt2`.
        path: File to read.
        threads: Number of CPU threads of onnxruntime; torch uses its own setting.
    """
    if form == "pt2":
        loaded: Runner = torch.export.load(path).module()
        return loaded
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(*inputs: Tensor) -> dict[str, Tensor]:
        arrays = {name: tensor.numpy() for name, tensor in zip(program.inputs, inputs, strict=True)}
        return dict(zip(names, map(torch.from_numpy, session.run(names, arrays)), strict=True))

    return run


def _stable_sort(values: Any, stable: bool = True, dim: int = -1, descending: bool = False) -> Any:
    """Returns sorted values and their indices in ONNX: TopK puts the lower index first among equal values."""
    from onnxscript import opset18 as op

    size: Any = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]))  # type: ignore[type-var]
    return op.TopK(values, size, axis=dim, largest=int(descending), sorted=1)


def _keep_constants(model: Any) -> None:
    """Gives scalar constants near 0 or 1 an axis of length 1, so that the optimizer, which drops `+ 1e-12` as `+ 0`, keeps them.

    Args:
        model: Model of onnxscript before it is optimized.
    """
    from onnxscript import ir

    for node in model.graph:
        if node.op_type != "Constant" or "value" not in node.attributes:
            continue
        value = node.attributes["value"].as_tensor().numpy()
        if value.ndim == 0 and value.dtype.kind == "f" and any(0 < abs(value - neutral) < _NEAR for neutral in (0, 1)):
            node.attributes["value"] = ir.AttrTensor("value", ir.tensor(value.reshape(1)))


def _optimize(model: Any) -> None:
    """Folds constants and removes duplicates.

    The rewrite rules of onnxscript's optimizer, whose time grows with the square of the number of steps, are left out: onnxruntime
    has its own.

    Args:
        model: Model of onnxscript.
    """
    from onnx_ir.passes import Sequential, common
    from onnxscript.optimizer import fold_constants

    _keep_constants(model)
    common.InlinePass()(model)
    fold_constants(model)
    Sequential(
        common.RemoveUnusedNodesPass(),
        common.RemoveUnusedOpsetsPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.LiftSubgraphInitializersToMainGraphPass(),
        common.DeduplicateInitializersPass(),
        common.CommonSubexpressionEliminationPass(),
        common.OutputFixPass(),
        common.NameFixPass(),
    )(model)


def _write_onnx(program: Program, captured: ExportedProgram, path: Path, facts: Mapping[str, Any]) -> None:
    """Writes a captured program as ONNX, whose axis of images is called `batch`."""
    outputs = captured.module()(*program.example(_EXAMPLE))
    converted = torch.onnx.export(
        captured,
        dynamo=True,
        input_names=[*program.inputs],
        output_names=[*outputs],
        dynamic_shapes=tuple({0: "batch"} for _ in program.inputs),
        custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
        verbose=False,
        optimize=False,
    )
    if converted is None:
        raise ValueError("torch.onnx.export returned no program")
    _optimize(converted.model)
    converted.model.metadata_props[_FACTS] = json.dumps(facts)
    converted.save(path)
