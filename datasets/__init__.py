"""Digit sources, the cluttered-digit generator, generative sets, built sets and your own files."""

if __name__ != "glimpse.datasets":
    raise ImportError("import it as glimpse.datasets: the bare name 'datasets' belongs to other packages")

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glimpse.datasets.opening import open_images as open  # noqa: A004

__all__ = ["open"]


def __getattr__(name: str) -> Any:
    if name != "open":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from glimpse.datasets.opening import open_images  # torch is not needed before

    return open_images
