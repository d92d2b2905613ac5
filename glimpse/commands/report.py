"""Output of `glimpse report`."""

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.reporting.calls import report_request
from glimpse.settings.requests import ReportRequest

__all__ = ["report"]


def report(request: ReportRequest, *, as_json: bool) -> None:
    """Writes a report on a trained model and prints its sections and the headline result."""
    found = report_request(request, ConsoleListener())
    if as_json:
        console.print_json(found.as_dict())
        return
    result = found.evaluation.result
    console.note(f"Wrote {found.out}, {found.bytes / 1e6:.1f} MB: {', '.join(found.sections)}")
    if isinstance(result, ClassificationResult):
        console.print_line(f"{found.model}: error {result.error:.2f} % on {result.n:,} images")
    else:
        console.print_line(f"{found.model}: bound {result.bound_nats:.2f} nats on {result.n:,} images")
