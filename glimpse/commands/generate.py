"""Output of `glimpse sample`, `reconstruct` and `interpolate`."""

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.generation.calls import interpolate_request, reconstruct_request, sample_request
from glimpse.generation.results import Generated
from glimpse.settings.requests import InterpolateRequest, ReconstructRequest, SampleRequest

__all__ = ["interpolate", "reconstruct", "sample"]


def sample(request: SampleRequest, *, as_json: bool) -> None:
    """Samples images from a generator and reports the files written."""
    _show(sample_request(request, ConsoleListener()), as_json=as_json)


def reconstruct(request: ReconstructRequest, *, as_json: bool) -> None:
    """Reconstructs images with a generator and reports the files written."""
    _show(reconstruct_request(request, ConsoleListener()), as_json=as_json)


def interpolate(request: InterpolateRequest, *, as_json: bool) -> None:
    """Interpolates between images or varies single latents, and reports the files written."""
    _show(interpolate_request(request, ConsoleListener()), as_json=as_json)


def _show(found: Generated, *, as_json: bool) -> None:
    """Reports the files written, with `as_json` as a single line of JSON."""
    if as_json:
        console.print_json(found.as_dict())
    else:
        console.note(f"Wrote {found.out}" + ("" if found.frames is None else f" and the frames in {found.frames}"))
