"""Output of `glimpse evaluate --diagnose`: tables of errors by cause, glimpse, class, ink and clutter, 80 columns wide at most."""

from collections.abc import Sequence

from glimpse.commands import console
from glimpse.commands.confusion import short_name
from glimpse.evaluation.diagnosis import NEAR, Diagnosis, ErrorCount, range_text

__all__ = ["show_diagnosis"]

_COUNTS = ("images", "errors", "error %")
_CLASSES = 20  # maximum number of classes in a table
_SPLIT = ("by search", "by reading")


def show_diagnosis(diagnosis: Diagnosis, class_names: Sequence[str]) -> None:
    """Prints the tables of a diagnosis; of more than 20 classes the 20 with the highest error."""
    if diagnosis.search is not None:
        rows = [
            ("by reading: the last window is on the digit", *_counts(diagnosis.search.on_digit)),
            ("by search: only an earlier window is", *_counts(diagnosis.search.left)),
            ("by search: no window is", *_counts(diagnosis.search.never)),
        ]
        title = f"Lost by search or by reading (on the digit: within {NEAR:g} px of its center)"
        console.print_rows(("lost", *_COUNTS), rows, title=title)
    split = _SPLIT if diagnosis.total.by_search is not None else ()
    if diagnosis.by_glimpse is not None:
        steps = [
            (step, f"{100 * glimpse.on_digit / glimpse.count.images:.2f}", *_counts(glimpse.count)[1:], *_parts(glimpse.count))
            for step, glimpse in enumerate(diagnosis.by_glimpse, start=1)
        ]
        console.print_rows(("glimpse", "on the digit %", *_COUNTS[1:], *split), steps)
    counts = [*enumerate(diagnosis.by_class)]
    if len(counts) > _CLASSES:
        counts.sort(key=lambda each: (each[1].images == 0, -each[1].errors / max(each[1].images, 1)))
    classes = [(short_name(class_names[label]), *_counts(count), *_parts(count)) for label, count in counts[:_CLASSES]]
    of_all = f"Highest error, {_CLASSES} of {len(counts):,} classes" if len(counts) > _CLASSES else None
    console.print_rows(("class", *_COUNTS, *split), classes, title=of_all)
    for name, groups, title in (
        ("ink", diagnosis.by_ink, "By the ink of the digit (1 for a white pixel)"),
        ("clutter %", diagnosis.by_clutter, "By the ink of the clutter on the digit, in % of the digit's ink"),
    ):
        if groups is not None:
            rows = [(range_text(group), *_counts(group.count), *_parts(group.count)) for group in groups]
            console.print_rows((name, *_COUNTS, *split), rows, title=title)


def _counts(count: ErrorCount) -> tuple[object, ...]:
    """Returns the cells of the columns in `_COUNTS`."""
    return f"{count.images:,}", f"{count.errors:,}", f"{count.error:.2f}" if count.images else None


def _parts(count: ErrorCount) -> tuple[object, ...]:
    """Returns the cells of the columns in `_SPLIT`; none if the parts are not known."""
    return () if count.by_search is None else (f"{count.by_search:,}", f"{count.by_reading:,}")
