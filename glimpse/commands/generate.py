"""What `glimpse sample`, `reconstruct` and `interpolate` show."""

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.generation.calls import interpolate_request, reconstruct_request, sample_request
from glimpse.generation.results import Generated
from glimpse.settings.requests import InterpolateRequest, ReconstructRequest, SampleRequest

__all__ = ["interpolate", "reconstruct", "sample"]


def sample(request: SampleRequest, *, as_json: bool) -> None:
    """Draws samples of a generator, and says what was written."""
    _show(sample_request(request, ConsoleListener()), as_json=as_json)


def reconstruct(request: ReconstructRequest, *, as_json: bool) -> None:
    """Draws images again, and says what was written."""
    _show(reconstruct_request(request, ConsoleListener()), as_json=as_json)


def interpolate(request: InterpolateRequest, *, as_json: bool) -> None:
    """Draws the way from one image to another, or what single latents do, and says what was written."""
    _show(interpolate_request(request, ConsoleListener()), as_json=as_json)


def _show(found: Generated, *, as_json: bool) -> None:
    """Says what was written."""
    if as_json:
        console.print_json(found.as_dict())
    else:
        console.note(f"Wrote {found.out}" + ("" if found.frames is None else f" and the frames in {found.frames}"))
