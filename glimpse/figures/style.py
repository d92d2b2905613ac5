"""Style of every picture: one palette, colors of the windows, one look of axes.

Dimensions: T steps.
"""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from glimpse.attention.track import WindowKind

__all__ = [
    "DIGIT",
    "FRAME",
    "INK",
    "MUTED",
    "OTHER",
    "PALETTE",
    "RIGHT",
    "WRONG",
    "dashes",
    "fill_ticks",
    "kind_color",
    "line_style",
    "make_logarithmic",
    "tidy",
    "time_colors",
]

INK, MUTED, FRAME = "#222222", "#777777", "#262626"
RIGHT, WRONG, OTHER = "#1a7f37", "#c81e1e", "#8a8a8a"
"""The true class, a wrong prediction, and classes that are neither."""
DIGIT = "#7df0a8"
"""Marks where a digit is known to be."""
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222")
"""Colors of curves and points, which the color-blind tell apart, too (M. Okabe and K. Ito)."""

_plasma = colormaps["plasma"](np.linspace(0.36, 0.97, 62))[:, :3]
_light = (
    0.3 * np.linspace(1, -1.2, 62).clip(0)[:, None]
)  # the first colors, lighter: at least 3:1 on black, on the frame and on white
_WARM: tuple[Colormap, float, float] = (
    LinearSegmentedColormap.from_list("warm", _plasma + _light * (1 - _plasma), N=1024),
    0.0,
    1.0,
)
_COOL: tuple[Colormap, float, float] = (LinearSegmentedColormap.from_list("cool", ["#306bee", "#56b4e9", "#bff0ff"]), 0.0, 1.0)
_FAMILIES = {"glimpse": _WARM, "read": _WARM, "write": _COOL}
_KINDS = {"glimpse": 0.6885, "read": 0.6885, "write": 0.5}  # where each family has the color that stands for all steps
_GRID = "#e4e4e4"


def time_colors(steps: int, kind: WindowKind = "glimpse") -> NDArray[Any]:
    """Returns a color for each step, all visible on black: violet to yellow, of writing blue to pale blue.

    Returns:
        RGB in 0 to 1, shape (T, 3).
    """
    colors, first, last = _FAMILIES[kind]
    return np.asarray(colors(np.linspace(first, last, steps)))[:, :3]


def kind_color(kind: WindowKind) -> str:
    """Returns the color of a kind of windows at any step, such as `#56b4e9`: orange, of writing light blue."""
    return to_hex(_FAMILIES[kind][0](_KINDS[kind]))


def dashes(kind: WindowKind) -> tuple[float, tuple[float, ...]]:
    """Returns matplotlib's line style of a kind of windows: dashed for writing, solid for reading."""
    return (0, (3.5, 1.6)) if kind == "write" else (0, ())


def line_style(i: int) -> str:
    """Returns how the curve of an index is drawn; the style changes where the palette begins again."""
    return ("-", "--", ":", "-.")[i // len(PALETTE) % 4]


def make_logarithmic(axis: Axis, subs: tuple[int, ...]) -> None:
    """Makes an axis logarithmic, with plain numbers at multiples of powers of ten.

    Args:
        axis: `axes.xaxis` or `axes.yaxis`.
        subs: The multiples, such as 1, 2 and 5.
    """
    {"x": axis.axes.set_xscale, "y": axis.axes.set_yscale}[axis.axis_name]("log")  # type: ignore[attr-defined]
    axis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def fill_ticks(axis: Axis) -> None:
    """Gives a logarithmic axis evenly spaced ticks if it spans a factor of 4 or less, where multiples of powers of ten are few.

    Args:
        axis: After everything is drawn, since the ticks do not follow later changes of the range.
    """
    low, high = sorted(axis.get_view_interval())
    if high <= 4 * low:
        axis.set_major_locator(FixedLocator(MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(low, high)))
        axis.set_view_interval(low, high, ignore=True)


def tidy(axes: Axes, *, legend: bool = True) -> None:
    """Removes the frame's upper and right side, adds a light grid and, where there are names, a legend."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8.5)
    if legend:
        axes.legend(frameon=False, fontsize=8.5)
