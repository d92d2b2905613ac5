"""Training images nearest to samples of a generator, and the distance of its reconstructions of test images, for comparison."""

from dataclasses import dataclass

import torch
from torch import Tensor

from glimpse.generation.images import open_set
from glimpse.generation.opened import OpenGenerator
from glimpse.generation.sampling import Nearest, nearest_images, reconstruct_images
from glimpse.settings.requests import SetChoice

__all__ = ["Neighbors", "find_neighbors"]

_COMPARED = 250  # number of test images whose reconstructions give the distance for comparison


@dataclass(frozen=True)
class Neighbors:
    """Training images nearest to samples. Distances are Euclidean, over all pixel values of an image, 0 to 1.

    Attributes:
        nearest: Training image nearest to the means of each sample.
        usual: Median distance of reconstructed test images to their nearest training images, for comparison.
        compared: Number of training images.
    """

    nearest: Nearest
    usual: float
    compared: int

    @property
    def note(self) -> str:
        """Explanation of the distances, a sentence."""
        return (
            f"Nearest: the closest of {self.compared:,} training images, by the Euclidean distance of pixel values, 0 to 1, from"
            f" the sample's means; the median for reconstructed test images is {self.usual:.2f}."
        )


def find_neighbors(generator: OpenGenerator, images: Tensor, choice: SetChoice) -> Neighbors | None:
    """Returns the training images nearest to images (N, C, H, W); None, with a note, if the training images are not available.

    A set that is binarized at each visit is compared by its intensities.

    Raises:
        ValueError: If the set that the choice names does not fit the generator.
        OSError: If the set that the choice names cannot be read.
    """
    try:
        data = open_set(generator, choice)
    except (OSError, ValueError) as error:
        if choice.data is not None:
            raise
        generator.listener.note(f"Nearest training images are left out: {error}")
        generator.listener.note("Name the set that the model was trained on by --data NAME or PATH, or its folder by --data-dir.")
        return None
    data.train.binarized = data.test.binarized = False
    tested = data.test.batch(torch.arange(min(_COMPARED, len(data.test)))).images
    others = reconstruct_images(generator.model, tested)[0].images
    with generator.listener.progress("Comparing", len(data.train)) as advance:
        for step in nearest_images(torch.cat([images, others]).to(generator.device), data.train):
            if isinstance(step, Nearest):
                found = step
            else:
                advance(step)
    nearest = Nearest(*(field[: len(images)] for field in found))
    return Neighbors(nearest, float(found.distances[len(images) :].median()), len(data.train))
