"""A comparison as tables of short cells, with a legend."""

import string

from glimpse.comparison.rows import Comparison, Row
from glimpse.evaluation.published import PublishedResult
from glimpse.quantities import short_number

__all__ = ["headline", "legend", "pair_table", "pair_title", "published_table", "table"]

_COLUMNS = (
    "model",
    "run",
    "seeds",
    "error %",
    "95 % interval",
    "samples",
    "published",
    "parameters",
    "multiply-adds",
    "values read",
    "train/s",
    "infer/s",
    "to published",
)

_LEGEND = {
    "error %": "share of the {part_name} that is wrong after the last glimpse; averaged over the seeds.",
    "samples": "number of sampled sequences of locations that the error is averaged over; mean: at the policy's mean locations, "
    "except the first one where it is random.",
    "95 % interval, one seed": "over the {part_name} (Wilson); what another seed would change is not in it.",
    "95 % interval, several seeds": "of the mean, over the seeds (Student's t).",
    "published": "test error of the same kind of model with as many glimpses and values read.",
    "published in": "{sources}. Second-hand: as others quote it.",
    "multiply-adds": "for one image, in matrix products and convolutions only.",
    "values read": "numbers taken in of one image, through all windows; *: the whole image.",
    "train/s": "images a second in training, as recorded by each run (median).",
    "infer/s": "images a second when classifying, measured by this command: the models take turns, the fastest of each counts.",
    "to published": "training images and time until the VALIDATION error first was as low as the published test error (median over "
    "seeds); -: not known, or not every seed got there.",
}
"""What each column means; a line is left out where it says nothing of the table."""

_Cells = dict[str, object]


def table(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Returns the column names and the cells of the measured rows, without columns that are empty."""
    letters = {source: letter for letter, source in _sources(comparison).items()}
    rows = [_measured_cells(row, letters) for row in comparison.rows]
    columns = tuple(column for column in _COLUMNS if any(column in row for row in rows))
    return columns, [tuple(row.get(column) for column in columns) for row in rows]


def published_table(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Returns the column names and the cells of the published results that match no measured row."""
    rows: list[tuple[object, ...]] = [
        (result.model, f"{result.error_percent:.2f}", _values_read(result), _source(result)) for result in comparison.published_only
    ]
    return ("model", "error %", "values read", "published in"), rows


def headline(comparison: Comparison) -> str:
    """Returns the lowest error with its model and interval, as one line."""
    best = min(comparison.rows, key=lambda row: row.error)
    low, high = best.interval
    of_all = f" of {len(comparison.rows)} models" if len(comparison.rows) > 1 else ""
    run = best.sources[0] if len(best.sources) == 1 else f"{len(best.sources)} runs"
    return f"Lowest error{of_all}: {best.error:.2f} % (95 % interval {low:.2f} to {high:.2f}), {best.model}, {run}"


def _measured_cells(row: Row, letters: dict[str, str]) -> _Cells:
    """Returns the cells of a measured row by column, without those that are empty."""
    cells: _Cells = {
        "model": row.model,
        "seeds": len(row.seeds),
        "error %": f"{row.error:.2f}",
        "95 % interval": f"{row.interval[0]:.2f}-{row.interval[1]:.2f}",
        "parameters": short_number(row.parameters),
        "multiply-adds": short_number(row.multiply_adds),
        "values read": f"{row.reading.values:,}" + ("*" if row.reading.whole else ""),
        "infer/s": f"{row.inference_rate:,.0f}",
    }
    if len(row.sources) == 1:
        cells["run"] = row.sources[0]
    if row.test_samples is not None:
        cells["samples"] = row.test_samples or "mean"
    if row.published is not None:
        cells["published"] = _published_error(row.published, letters)
    if row.training_rate is not None:
        cells["train/s"] = f"{row.training_rate:,.0f}"
    if row.when_reached is not None:
        images, seconds = row.when_reached
        cells["to published"] = f"{short_number(images)}, {_time(seconds)}"
    return cells


def _values_read(result: PublishedResult) -> str | None:
    """Returns the number of values that a published model reads, with a star if it is the whole image."""
    return None if result.values_read is None else f"{result.values_read:,}" + ("" if result.glimpses else "*")


def _published_error(result: PublishedResult, letters: dict[str, str]) -> str:
    """Returns a published error with the letter that says where it stands."""
    return f"{result.error_percent:.2f} {letters[_source(result)]}"


def legend(comparison: Comparison) -> list[str]:
    """Returns what the table's columns and letters mean, on how many images each model was trained, and on what."""
    sources = "; ".join(f"{letter} {source}" for letter, source in _sources(comparison).items())
    unneeded = _unneeded(comparison)
    lines = [
        f"{name}: {text.format(sources=sources, part_name=comparison.part_name)}"
        for name, text in _LEGEND.items()
        if name not in unneeded
    ]
    facts: dict[str, list[str]] = {}
    for row in comparison.rows:
        if images := dict.fromkeys(short_number(images) for images in row.images if images is not None):
            facts.setdefault(f"trained with {' / '.join(images)} images", []).append(row.model)
    for row in comparison.rows:
        if row.trained_on:
            facts.setdefault(f"trained on {row.trained_on}", []).append(row.model)
    if not sources and not comparison.published_only:
        lines.append("published: no number for this task is known here.")
    return lines + [f"{fact}: {'; '.join(names)}" for fact, names in facts.items()]


def _unneeded(comparison: Comparison) -> set[str]:
    """Returns the names of the legend's lines that say nothing of this table."""
    rows = comparison.rows
    needed = {
        "samples": any(row.test_samples is not None for row in rows),
        "95 % interval, one seed": any(len(row.seeds) == 1 for row in rows),
        "95 % interval, several seeds": any(len(row.seeds) > 1 for row in rows),
        "train/s": any(row.training_rate is not None for row in rows),
    }
    needed |= dict.fromkeys(("published", "published in", "to published"), bool(_sources(comparison)))
    return {name for name, is_needed in needed.items() if not is_needed}


def _sources(comparison: Comparison) -> dict[str, str]:
    """Returns where the published numbers stand, by the letter that says so in the table."""
    matched = [row.published for row in comparison.rows if row.published is not None]
    return dict(zip(string.ascii_lowercase, dict.fromkeys(map(_source, matched)), strict=False))


def _source(result: PublishedResult) -> str:
    """Returns where a published number stands, and what to know of it apart from what it sees."""
    notes = [note.strip() for note in result.note.split(";") if note and "whole image" not in note]
    return ", ".join([result.source, *notes])


def pair_table(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Returns the column names and the cells of the tests between models."""
    columns = ("first", "second", "only first wrong", "only second wrong", "p", "p, Holm")
    return columns, [(*pair[:4], _probability(pair.p), _probability(pair.p_holm)) for pair in comparison.pairs]


def pair_title(comparison: Comparison) -> str:
    """Returns what stands over the tests between models."""
    seeds = ", the lowest seed of each" if any(len(row.seeds) > 1 for row in comparison.rows) else ""
    pairs = len(comparison.pairs)
    corrected = f"; p, Holm: corrected for {pairs} tests" if pairs > 1 else ""
    images = f"{comparison.n:,} {comparison.part_name}"
    return f"Do two models differ? McNemar's exact test on {images}{seeds}; a small p says so{corrected}"


def _probability(p: float) -> str:
    """Returns a p value in two digits.

    >>> _probability(0.0312), _probability(1e-40)
    ('0.031', '<1e-9')
    """
    return f"{p:.2g}" if p >= 1e-9 else "<1e-9"


def _time(seconds: float) -> str:
    """Returns a time in two digits.

    >>> _time(40), _time(119), _time(750), _time(9000)
    ('40 s', '2 min', '12 min', '2.5 h')
    """
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.2g} h"
