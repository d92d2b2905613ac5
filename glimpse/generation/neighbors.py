"""The training images nearest to what a generator draws, and how near its reconstructions of test images come to them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from glimpse.generation.images import open_set
from glimpse.generation.opened import OpenGenerator
from glimpse.generation.sampling import Nearest, nearest_images, reconstruct_images
from glimpse.settings.requests import SetChoice

__all__ = ["Neighbors", "find_neighbors"]

_COMPARED = 250  # test images whose reconstructions give the usual distance


@dataclass(frozen=True)
class Neighbors:
    """The training images nearest to samples. Distances are Euclidean, over all pixel values of an image, 0 to 1.

    Attributes:
        nearest: The nearest image to each sample's means.
        usual: Median distance of reconstructed test images to their nearest training images, for comparison.
        compared: How many training images there are.
    """

    nearest: Nearest
    usual: float
    compared: int

    @property
    def note(self) -> str:
        """What the distances are, in a sentence."""
        return (
            f"Nearest: the closest of {self.compared:,} training images, by the Euclidean distance of pixel values, 0 to 1, from"
            f" the sample's means; of test images that the model draws again the median is {self.usual:.2f}."
        )


def find_neighbors(generator: OpenGenerator, images: Tensor, choice: SetChoice) -> Neighbors | None:
    """Returns the training images nearest to images (N, C, H, W); None, with a note, where the training images are not available.

    A set that is binarized afresh at each visit is compared by its intensities.

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
        generator.listener.note("Say where the images are that it was trained on with --data NAME or PATH, or --data-dir FOLDER.")
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
