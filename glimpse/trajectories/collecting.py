"""Trajectories of a model over a data set, batch after batch, so that any number of images can be gone through."""

from collections.abc import Iterator

import torch
from torch import Tensor

from glimpse.attention.products import fast_products
from glimpse.datasets.batches import EVALUATION_BATCH, Batch, PositionalDataset
from glimpse.evaluation.classifier import call_inputs
from glimpse.models.base import Model
from glimpse.settings.requests import Verdict
from glimpse.trajectories.views import Trajectories

__all__ = ["collect", "look_at", "matches"]


def collect(
    model: Model, data: PositionalDataset, positions: Tensor, *, glimpses: int | None = None, patches: bool = False
) -> Iterator[Trajectories]:
    """Yields the trajectories of the images at these positions of a data set, in their order, a few hundred at a time.

    Args:
        model: In evaluation mode, on the data's device.
        data: The source of the images.
        positions: Shape (N,), int64.
        glimpses: Number of steps; the model's own if None.
        patches: Whether to keep what was seen through the windows.
    """
    for chosen in torch.split(positions, EVALUATION_BATCH):
        yield look_at(model, data.batch(chosen), chosen, glimpses=glimpses, patches=patches)


@fast_products()
def look_at(model: Model, batch: Batch, index: Tensor, *, glimpses: int | None = None, patches: bool = False) -> Trajectories:
    """Returns the trajectories of one batch of images.

    Args:
        model: In evaluation mode, on the batch's device.
        batch: The images.
        index: Their positions in their source, shape (B,).
        glimpses: Number of steps; the model's own if None.
        patches: Whether to keep what was seen through the windows.
    """
    with torch.no_grad():
        positions = index.to(batch.images.device)
        logits, tracks = model.look(batch.images, patches=patches, **call_inputs(model, positions, glimpses))
    return Trajectories(
        index=index,
        images=batch.images.cpu(),
        labels=batch.labels.cpu(),
        digits=batch.centers.cpu(),
        tracks=tuple(track.cpu() for track in tracks),
        probabilities=None if logits is None else torch.softmax(logits.float(), dim=-1).cpu(),
    )


def matches(trajectories: Trajectories, choice: Verdict, margin: float) -> Tensor:
    """Returns which images match a choice, by the prediction after the last step.

    Args:
        trajectories: Of a model that classifies.
        choice: `wrong` and `right` compare with the label; `unsure` has its two best classes closer than the margin.
        margin: Difference of two probabilities, 0 to 1.

    Returns:
        Mask of shape (N,), boolean.

    Raises:
        ValueError: If the model does not classify.
    """
    if trajectories.probabilities is None:
        raise ValueError("only a model that classifies is right, wrong or unsure")
    last = trajectories.probabilities[:, -1]
    if choice == "unsure":
        best = last.topk(2, dim=-1).values
        return best[:, 0] - best[:, 1] < margin
    right = last.argmax(dim=-1) == trajectories.labels
    return right if choice == "right" else ~right
