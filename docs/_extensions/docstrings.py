"""What the docstrings need before napoleon reads them, and what is left out."""

from typing import Any

from sphinx.application import Sphinx

BEFORE_NAPOLEON = 100


def is_alias(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Returns True for the fields of named tuples, which the docstring of the class describes."""
    return True if type(member).__name__ == "_tuplegetter" else None


def keep_sentence(app: Sphinx, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Breaks the line after the first colon of a value's docstring: napoleon takes what precedes a colon for a type."""
    if what in ("data", "attribute", "property") and lines and ": " in lines[0]:
        before, after = lines[0].split(": ", 1)
        lines[:1] = [f"{before}:", after]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects both to autodoc."""
    app.connect("autodoc-skip-member", is_alias)
    app.connect("autodoc-process-docstring", keep_sentence, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
