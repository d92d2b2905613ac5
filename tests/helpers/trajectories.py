"""Random trajectories."""

import torch

from glimpse.attention.track import Track
from glimpse.attention.window import Window
from glimpse.trajectories.views import Trajectories


def random_trajectories(
    count: int = 3,
    steps: int = 4,
    *,
    n: int = 3,
    height: int = 20,
    width: int = 30,
    channels: int = 1,
    classes: int = 10,
    scales: int = 1,
    patches: bool = True,
    blur: bool = True,
    first: int = 0,
) -> Trajectories:
    """Returns random trajectories of any size."""
    random = torch.Generator().manual_seed(count + steps + first)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(shape, generator=random)

    tracks = []
    for scale in range(scales):
        sigma = uniform(0.2, 2.0, count, steps) if blur else torch.full((count, steps), torch.nan)
        window = Window(
            center_x=uniform(0, width - 1, count, steps),
            center_y=uniform(0, height - 1, count, steps),
            stride=uniform(0.3, 2.0, count, steps) * 2**scale,
            sigma=sigma,
            intensity=uniform(0.5, 2.0, count, steps),
        )
        seen = uniform(0, 1, count, steps, channels, n, n) if patches else None
        tracks.append(Track("glimpse", scale, n, window, seen))
    return Trajectories(
        index=torch.arange(first, first + count),
        images=uniform(0, 1, count, channels, height, width),
        labels=torch.randint(classes or 10, (count,), generator=random),
        digits=uniform(0, height - 1, count, 2),
        tracks=tuple(tracks),
        probabilities=torch.softmax(2 * torch.randn(count, steps, classes, generator=random), dim=-1) if classes else None,
    )
