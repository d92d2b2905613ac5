"""The sections of a generator's report."""

from collections.abc import Iterator

from glimpse.evaluation.evaluate import Evaluation
from glimpse.evaluation.generator import GenerationResult
from glimpse.evaluation.published import PublishedBound
from glimpse.generation.calls import reconstruct_request, sample_request
from glimpse.generation.figures import reconstruction_sheet, sample_gallery, sample_sheet
from glimpse.listener import Listener
from glimpse.models.weights import read_facts
from glimpse.reporting.figures import by_step
from glimpse.reporting.page import Section, Table, picture, sheet
from glimpse.reporting.recorded import settings_section, training_section
from glimpse.settings.requests import ImageSelection, ReconstructRequest, ReportRequest, SampleRequest, SetChoice, from_options

__all__ = ["generator_facts", "generator_sections"]

_STEP_BY_STEP = 6  # samples and reconstructions that are shown as they are drawn


def generator_facts(found: Evaluation, result: GenerationResult) -> dict[str, str]:
    """Returns the headline results by name."""
    error = f", standard error {result.standard_error:.2f}" if result.n > 1 else ""
    bits = {} if result.bits_per_dimension is None else {"bits per dimension": f"{result.bits_per_dimension:.4f}"}
    return {
        "bound": f"{result.bound_nats:.2f} nats{error}",
        **bits,
        "reconstruction": f"{result.reconstruction_nats:.2f} nats",
        "KL divergence": f"{result.kl_nats:.2f} nats",
        "images": f"{result.n:,}",
        "images per second": f"{found.images_per_second:,.0f} ({found.device}, threads: {found.threads})",
    }


def generator_sections(request: ReportRequest, found: Evaluation, listener: Listener) -> Iterator[Section]:
    """Yields the sections of a report on a generator.

    Args:
        request: The request.
        found: The evaluation.
        listener: Receives progress, notes and warnings.
    """
    result = found.result
    assert isinstance(result, GenerationResult)
    trained = training_section(request.model)
    if trained is not None:
        yield trained
    text = "The KL divergence of each step is the share of the bound that its latents cost."
    yield Section("Bound by step", text, pictures=(picture(by_step(result.kl_by_step), "KL divergence by step in nats"),))
    choice = from_options(SetChoice, {"data": request.images.data, "data_dir": request.images.data_dir})
    if read_facts(request.model)["config"]["channels"] in (1, 3):
        yield _samples(request, listener)
        yield _reconstructions(request, choice, listener)
    if found.published:
        yield _published(found, result)
    yield settings_section(request.model, read_facts(request.model))
    yield Section("Commands", commands=tuple(_commands(request.model)))


def _samples(request: ReportRequest, listener: Listener) -> Section:
    """Returns the section of samples: a gallery, and how the first ones are drawn."""
    samples = sample_request(SampleRequest(request.model, count=request.count, machine=request.machine), listener)
    pictures = (
        sheet(sample_gallery(samples.images), f"{len(samples.images)} samples"),
        sheet(sample_sheet(samples.drawn.part(slice(0, _STEP_BY_STEP))), "The canvas after each step of some samples"),
    )
    return Section("Samples", f"{len(samples.images)} samples at temperature 1, seed 0.", pictures=pictures)


def _reconstructions(request: ReportRequest, choice: SetChoice, listener: Listener) -> Section:
    """Returns the section of reconstructions, step by step."""
    asked = ReconstructRequest(
        request.model, count=_STEP_BY_STEP, selection=ImageSelection(split=request.split), images=choice, machine=request.machine
    )
    found = reconstruct_request(asked, listener)
    drawn = sheet(reconstruction_sheet(found.drawn, found.originals), "Images and their reconstructions after each step")
    return Section("Reconstructions", "From the means of the posterior.", pictures=(drawn,))


def _published(found: Evaluation, result: GenerationResult) -> Section:
    """Returns the section of published bounds on the same set."""
    value = result.bound_nats if result.bits_per_dimension is None else result.bits_per_dimension
    unit = "nats" if result.bits_per_dimension is None else "bits per dimension"
    here = (found.model, f"<= {value:.2f}", "measured here")
    others = [
        (row.model, f"{row.relation} {row.value:.2f}", row.source) for row in found.published if isinstance(row, PublishedBound)
    ]
    return Section("Published results", tables=(Table(("model", unit, "source"), (here, *others)),))


def _commands(model: str) -> Iterator[tuple[str, str]]:
    """Yields commands for the model, each with its description."""
    yield "The numbers of this report", f"glimpse evaluate {model}"
    yield "A tighter bound", f"glimpse evaluate {model} --importance-samples 10"
    yield "New images", f"glimpse sample {model} --out samples.png"
    yield "Images drawn again", f"glimpse reconstruct {model} --out reconstructions.gif"
    yield "Between two images", f"glimpse interpolate {model} --indices 3,8 --out between.png"
    yield "How it draws, as a page", f"glimpse trajectories {model} --out drawing.html"
    yield "The model in other tools", f"glimpse export {model} --out model.onnx"
