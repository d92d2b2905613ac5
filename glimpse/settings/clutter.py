"""Constants of cluttered digits.

References:
    github.com/google-deepmind/mnist-cluttered, the program of DRAW's authors.
"""

from dataclasses import dataclass
from typing import Annotated

from glimpse.settings.base import Config, Range

__all__ = ["ClutterRecipe"]


@dataclass(frozen=True)
class ClutterRecipe(Config):
    """Constants of cluttered digits; the defaults are those of the authors' program.

    Attributes:
        canvas: Side S of the square image in pixels.
        pieces: Number P of distractors.
        piece_size: Side of each square distractor in pixels.
        border: Width of the margin that is kept free of the digit, but not of distractors, in pixels.
    """

    canvas: Annotated[int, Range(1, 10_000)] = 100
    pieces: Annotated[int, Range(0, 10_000)] = 8
    piece_size: Annotated[int, Range(1, 10_000)] = 8
    border: Annotated[int, Range(0, 10_000)] = 0

    def check_glyphs(self, height: int, width: int) -> None:
        """Checks that glyphs fit on the canvas and that pieces can be cut from them.

        Args:
            height: Height of the glyphs in pixels.
            width: Width of the glyphs in pixels.

        Raises:
            ValueError: If the canvas is too small for them, or they are smaller than a piece.
        """
        if self.canvas < max(height, width) + 2 * self.border:
            raise ValueError(f"a canvas of {self.canvas} px cannot hold a {height} x {width} digit with a border of {self.border}")
        if self.pieces and self.piece_size > min(height, width, self.canvas):
            raise ValueError(f"pieces of {self.piece_size} px cannot be cut from {height} x {width} digits")
