"""Output of a confusion matrix: the whole of a few classes, otherwise its worst classes and pairs; 80 columns wide at most."""

from collections.abc import Sequence

from glimpse.commands import console
from glimpse.evaluation.confusion import confused_pairs, errors_by_class

__all__ = ["short_name", "show_confusion"]

_WIDTH = 80
_SHOWN = 10  # classes or pairs
_NAME = 22  # letters of a class's name


def show_confusion(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> bool:
    """Prints a confusion matrix if it fits into 80 columns, else its worst classes and pairs.

    Args:
        confusion: Number of images by true and predicted class, K x K.
        class_names: K names.

    Returns:
        Whether the whole matrix is printed.
    """
    columns, rows = ("true", *class_names), [(name, *row) for name, row in zip(class_names, confusion, strict=True)]
    widths = [max(len(str(cell)) for cell in column) for column in zip(columns, *rows, strict=True)]
    if sum(widths) + 3 * len(widths) + 1 <= _WIDTH:  # with the frame that a terminal shows
        console.print_rows(columns, rows, title="Images by true class (rows) and predicted class (columns)")
        return True
    names, classes, pairs = [short_name(name) for name in class_names], errors_by_class(confusion), confused_pairs(confusion)
    worst = [
        (
            names[each.label],
            f"{each.images:,}",
            f"{each.errors:,}",
            None if each.error is None else f"{each.error:.2f}",
            None if each.predicted is None else names[each.predicted],
        )
        for each in classes[:_SHOWN]
    ]
    title = "Error by class" if len(classes) <= _SHOWN else f"Highest error, {_SHOWN} of {len(classes):,} classes"
    console.print_rows(("class", "images", "errors", "error %", "mostly predicted"), worst, title=title)
    if pairs:
        frequent = [(names[pair.label], names[pair.predicted], f"{pair.images:,}", f"{pair.share:.2f}") for pair in pairs[:_SHOWN]]
        of_all = f", {_SHOWN} of {len(pairs):,} pairs" if len(pairs) > _SHOWN else ""
        console.print_rows(("true", "predicted", "images", "% of class"), frequent, title=f"Confused most often{of_all}")
    return False


def short_name(name: str) -> str:
    """Returns the name of a class for a table: the beginning of a long one.

    >>> short_name("7"), short_name("great white shark, white shark")
    ('7', 'great white shark, ...')
    """
    return name if len(name) <= _NAME else f"{name[: _NAME - 3]}..."
