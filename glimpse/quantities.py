"""Quantities as short text."""

__all__ = ["short_number"]


def short_number(number: float) -> str:
    """Returns a number, at least 0, in three digits, with k, M or G for thousands, millions or billions.

    >>> short_number(43.21), short_number(640), short_number(775_072), short_number(2_217_301), short_number(999_999)
    ('43.2', '640', '775k', '2.22M', '1M')
    """
    for letter in ("", "k", "M"):
        text = f"{number:.3g}"
        if float(text) < 1000:
            return f"{text}{letter}"
        number /= 1000
    return f"{number:.3g}G"
