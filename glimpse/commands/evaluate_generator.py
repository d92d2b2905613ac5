"""What `glimpse evaluate` does for a generator between parsing and printing."""

import time
from typing import Any

from glimpse.commands import console
from glimpse.commands.task_images import TaskImages, check_images
from glimpse.evaluation.generator import GenerationResult, measure_generator
from glimpse.evaluation.published import PublishedBound, published_generation
from glimpse.models.draw import DRAW

__all__ = ["evaluate_generator"]


def evaluate_generator(
    source: str, model: DRAW, images: TaskImages, options: dict[str, Any], rate: dict[str, Any], *, as_json: bool
) -> None:
    """Measures a trained generator's bound and prints it.

    Args:
        source: A run's folder or `pretrained:NAME`.
        model: Its model, in evaluation mode.
        images: What to measure on.
        options: All options by name.
        rate: Facts on the device, for the result.
        as_json: Whether to print one line with one JSON object.

    Raises:
        ValueError: If an option is for classifiers, or the images have another size than the model's.
    """
    if options["glimpses"] is not None:
        raise ValueError(f"a generator takes as many steps as it was trained with, {model.config.glimpses}: leave out --glimpses")
    count, described = len(images.data), images.description
    check_images(images, model.config)
    began = time.monotonic()
    with console.ProgressView("Evaluating", count) as view:
        for step in measure_generator(model, images.data, importance_samples=options["importance_samples"] or 0):
            if isinstance(step, GenerationResult):
                result = step
            else:
                view.update(step)
    rate = {"images_per_second": round(count / (time.monotonic() - began), 1)} | rate
    if as_json:
        facts = {"model": source, "glimpses": model.config.glimpses, "data": described}
        console.print_json(facts | result.as_dict() | rate)
    else:
        _show(source, model, result, described, rate)


def _show(source: str, model: DRAW, result: GenerationResult, described: dict[str, Any], rate: dict[str, Any]) -> None:
    """Prints the result for a person."""
    likelihood = model.config.observation != "bernoulli" or described["binarization"] != "none"
    subset = ", a subset" if described["note"] is not None else ""
    facts = [
        ("bound, nats" if likelihood else "cost, nats (grey under Bernoulli: no likelihood)", f"{result.bound_nats:.2f}"),
        ("standard error", f"{result.standard_error:.2f}" if result.n > 1 else "-"),
        ("images", f"{result.n:,}"),
        ("reconstruction, nats", f"{result.reconstruction_nats:.2f}"),
        ("KL divergence, nats", f"{result.kl_nats:.2f}"),
        ("binarization", described["binarization"]),
    ]
    if result.bits_per_dimension is not None:
        facts.insert(1, ("bits per dimension", f"{result.bits_per_dimension:.4f}"))
    if result.importance_nats is not None:
        error = result.importance_standard_error or 0.0
        facts.append((f"with {result.importance_samples} importance samples", f"{result.importance_nats:.2f} (s.e. {error:.2f})"))
    facts.append(("images per second", f"{rate['images_per_second']:,.0f} ({rate['device']}, threads: {rate['threads']})"))
    console.print_rows((source, f"{described['name']}{subset}, {described['split']}"), facts)
    console.print_rows(("step", "KL, nats"), [(step, f"{kl:.3f}") for step, kl in enumerate(result.kl_by_step, start=1)])
    published = _published(described, model.config.observation)
    if published:
        _show_published(source, model, result, published)


def _published(described: dict[str, Any], observation: str) -> tuple[PublishedBound, ...]:
    """Returns the published rows to set beside a result: none unless it is on all images of a published test set, in its unit."""
    if described["split"] != "test" or described["crop"] is not None or described["note"] is not None:
        return ()
    return published_generation(described["name"], described["binarization"], observation)


def _show_published(source: str, model: DRAW, result: GenerationResult, published: tuple[PublishedBound, ...]) -> None:
    """Prints the published numbers with the measured one above them."""
    value = result.bound_nats if result.bits_per_dimension is None else result.bits_per_dimension
    unit = "nats" if result.bits_per_dimension is None else "bits per dimension"
    here = (f"{source}, {model.config.glimpses} glimpses", f"<= {value:.2f}", "measured here, one sample", "")
    rows = [(row.model, f"{row.relation} {row.value:.2f}", row.source, row.note) for row in published]
    console.print_rows(("model", unit, "where", "note"), [here, *rows], title="The same test set, published")
