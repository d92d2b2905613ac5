"""Output of `glimpse export`."""

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.exporting.calls import ExportedModel, export_request
from glimpse.settings.requests import ModelExportRequest

__all__ = ["export"]


def export(request: ModelExportRequest, *, as_json: bool) -> None:
    """Exports a trained model and prints its inputs and outputs, the largest difference from the model, size and speed."""
    found = export_request(request, ConsoleListener())
    if as_json:
        console.print_json(found.as_dict())
    else:
        _show(found)
    console.note(f"Wrote {found.out}")


def _show(found: ExportedModel) -> None:
    """Prints the tables of an exported model."""
    rows: list[tuple[str | None, ...]] = [(name, "input", _shape(shape), None) for name, shape in found.inputs.items()]
    rows += [(name, "output", _shape(shape), f"{found.differences[name]:.1e}") for name, shape in found.outputs.items()]
    console.print_rows(("tensor", "kind", "shape", "largest difference"), rows)
    runtime = "onnxruntime" if found.format == "onnx" else "torch"
    facts = [
        ("largest difference from the model", f"{found.largest_difference:.1e}"),
        ("rounding error of the model in float32", f"{found.rounding:.1e}"),
        ("size, MB", f"{found.bytes / 1e6:.2f}"),
        (f"images per second in {runtime}, threads: {found.threads}", f"{found.images_per_second:,.0f}"),
        ("images per second of the model", f"{found.model_images_per_second:,.0f}"),
    ]
    console.print_rows((found.model, found.format), facts)


def _shape(shape: tuple[str | int, ...]) -> str:
    """Returns a shape as text."""
    return " x ".join(map(str, shape))
