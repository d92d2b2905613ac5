"""Parts of sheets and animations: an image's glimpses and canvases in frames of time's color, and its beliefs as bars.

Dimensions: N images, C channels, T steps, K classes, windows of n x n.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from glimpse.attention.track import Track, WindowKind
from glimpse.figures.style import MUTED, OTHER, RIGHT, time_colors
from glimpse.figures.windows import as_array, class_name
from glimpse.trajectories.views import Trajectories

__all__ = [
    "MOST_CLASSES",
    "assembled",
    "classes_shown",
    "draw_belief",
    "letters",
    "prepare_belief",
    "strips",
    "with_patches",
]

MOST_CLASSES = 10
"""Maximum number of classes shown for an image."""

_FAINT = 0.02  # of the largest number of all glimpses: what is fainter stays dark
_BAND = "#dff3e4"  # the true class's row


def strips(trajectories: Trajectories, row: int) -> list[NDArray[Any]]:
    """Returns an image's glimpses, and then its canvases, as squares in frames of their time's color.

    Each glimpse has a gray scale of its own, so that one through a wide window can be read, too: black is 0, or its smallest number
    if that is less, white is its largest number, or a fiftieth of the largest one of all steps if that is more. Canvases are drawn
    from 0 to 1.

    Args:
        trajectories: All images.
        row: Index of the image.

    Returns:
        Squares of shape (T, S, S, 3), 0 to 1, S at least 40, for each track of `with_patches` and of `assembled`. Those before
        anything is on a canvas are white.
    """
    found = [
        _framed(_stretched(as_array(track.patches[row])), track.kind) for track in trajectories.tracks if track.patches is not None
    ]
    for track in assembled(trajectories):
        assert track.canvases is not None
        canvases = as_array(track.canvases[row])  # (T, C, G, G)
        squares = _framed(canvases, track.kind)
        squares[np.cumsum(np.abs(canvases).sum(axis=(1, 2, 3))) == 0] = 1.0
        found.append(squares)
    return found


def _stretched(seen: NDArray[Any]) -> NDArray[Any]:
    """Returns glimpses (T, C, n, n), each on its gray scale from 0 to 1."""
    low = seen.min(axis=(1, 2, 3), keepdims=True).clip(max=0.0)
    high = seen.max(axis=(1, 2, 3), keepdims=True).clip(min=max(_FAINT * float(seen.max()), 1e-6))
    return np.asarray((seen - low) / (high - low))


def _framed(seen: NDArray[Any], kind: WindowKind) -> NDArray[Any]:
    """Returns squares of numbers (T, C, n, n) as pixels in frames of their time's color, shape (T, S, S, 3)."""
    seen = seen.transpose(0, 2, 3, 1).clip(0, 1)  # (T, n, n, C)
    times = -(-40 // seen.shape[1])
    seen = np.broadcast_to(seen, (*seen.shape[:3], 3)).repeat(times, axis=1).repeat(times, axis=2)
    side, edge = seen.shape[1], max(2, seen.shape[1] // 16)
    squares = np.empty((len(seen), side + 2 * edge, side + 2 * edge, 3))
    squares[:] = time_colors(len(seen), kind)[:, None, None]
    squares[:, edge:-edge, edge:-edge] = seen
    return squares


def with_patches(trajectories: Trajectories) -> list[Track]:
    """Returns the tracks that hold what was seen through their windows."""
    return [track for track in trajectories.tracks if track.patches is not None]


def assembled(trajectories: Trajectories) -> list[Track]:
    """Returns the tracks of a classifier that hold the canvas on which it assembles its glimpses."""
    return [track for track in trajectories.tracks if track.kind == "glimpse" and track.canvases is not None]


def classes_shown(belief: NDArray[Any], label: int) -> list[int]:
    """Returns the classes to show of beliefs (T, K): all if they are few, else the most probable ones and the true one."""
    if belief.shape[1] <= MOST_CLASSES:
        return list(range(belief.shape[1]))
    shown = set(np.argsort(-belief.max(axis=0), kind="stable")[:MOST_CLASSES].tolist())
    if label >= 0 and label not in shown:
        shown = {label, *np.argsort(-belief.max(axis=0), kind="stable")[: MOST_CLASSES - 1].tolist()}
    return sorted(shown)


def letters(trajectories: Trajectories) -> int:
    """Returns the number of letters of the longest name of a class, at least 1."""
    names = trajectories.class_names or ()
    return max((len(class_name(label, names)) for label in range(len(names))), default=1)


def prepare_belief(axes: Axes, classes: Mapping[int, str], label: int, steps: int, size: float) -> None:
    """Names the classes of axes that are one class high and one step wide for each, and marks the true one.

    Args:
        axes: Empty.
        classes: Names of the classes shown, by class.
        label: True class; below 0 where unknown.
        steps: Number of steps.
        size: Font size in points.
    """
    axes.set(xlim=(0, steps), ylim=(len(classes), 0), xticks=[], facecolor="none")
    axes.set_yticks(np.arange(len(classes)) + 0.5, list(classes.values()), fontsize=size, color=MUTED)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    if label in classes:
        place = [*classes].index(label)
        axes.axhspan(place, place + 1, color=_BAND, linewidth=0, zorder=0)
        axes.get_yticklabels()[place].set(color=RIGHT, fontweight="bold")


def draw_belief(axes: Axes, belief: NDArray[Any], classes: Sequence[int], colors: NDArray[Any]) -> Artist:
    """Draws beliefs (T, K) as bars, T side by side for each class shown: the predicted class's in time's color."""
    t, place = np.divmod(np.arange(len(belief) * len(classes)), len(classes))
    chances = belief[:, classes].ravel()
    left, right = t + 0.06, t + 0.06 + 0.88 * chances
    bars = np.stack(
        [np.stack([x, place + y], axis=-1) for x, y in ((left, 0.12), (right, 0.12), (right, 0.88), (left, 0.88))], axis=1
    )
    predicted = np.asarray(classes)[place] == belief.argmax(axis=1)[t]
    faces = np.where(predicted[:, None], colors[t], np.array(to_rgb(OTHER)))
    return axes.add_collection(PolyCollection(list(bars), facecolors=faces, linewidths=0), autolim=False)
