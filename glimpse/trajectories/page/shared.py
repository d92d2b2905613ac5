"""What all pages have in common: the beginning of the head, and the colors and the font."""

from importlib.resources import files

__all__ = ["page_head", "page_style"]


def page_head() -> str:
    """Returns the first elements of the head: encoding, viewport, color schemes and icon."""
    return _part("head.html")


def page_style() -> str:
    """Returns the first rules of the style sheet: the colors of both color schemes by name, the font, and the mark of the focus."""
    return _part("shared.css")


def _part(name: str) -> str:
    return (files("glimpse.trajectories.page") / name).read_text("utf-8")
