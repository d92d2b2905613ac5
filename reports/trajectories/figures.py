"""Draws the figures of this report and writes the numbers behind them.

    python reports/trajectories/figures.py [RUN]

The figures show `pretrained:glimpse-8` on the 10,000 test images. With RUN, the folder of the run that trained it, the script
also draws how attention was learned. MNIST is searched for where every command searches for it.
"""

import argparse
import itertools
import json
from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.figures.files import save
from glimpse.figures.style import PALETTE, tidy
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.settings.clutter import ClutterRecipe
from glimpse.trajectories.calls import learning
from glimpse.trajectories.collecting import collect, matches
from glimpse.trajectories.pictures import trajectory_gif, trajectory_sheet
from glimpse.trajectories.summary import FAR, digit_distances, summarize_trajectories
from glimpse.trajectories.summary_figure import summary_figure
from glimpse.trajectories.views import Trajectories

HERE = Path(__file__).parent
FIELD = 10  # half of the side of the square that contains an MNIST digit
FOREIGN = (0, 5, 10, 15, 20, 30, 40, 100)
INK = (0, 50, 70, 90, 110, 200)

matplotlib.rcParams["font.size"] = 9


def main() -> None:
    """Draws everything."""
    parser = argparse.ArgumentParser(description="Draws the figures of this report and writes the numbers behind them.")
    parser.add_argument("run", nargs="?", type=Path, help="folder of the run that trained the model, for learning.gif")
    run = parser.parse_args().run
    model = GlimpseClassifier.from_pretrained("pretrained:glimpse-8")
    digits = open_digits("mnist").test
    data = ClutteredMNIST(digits, "test")
    parts = list(collect(model, data, torch.arange(len(data)), patches=True))
    summary = summarize_trajectories(parts, (28, 28))
    summary_figure(summary, HERE / "summary.png")
    views = Trajectories.joined(parts)
    wrong = matches(views, "wrong", 0.0)
    trajectory_sheet(views.rows(~wrong).rows(torch.arange(5)), HERE / "right.png")
    missed = is_missed(views)
    trajectory_sheet(views.rows(wrong & missed).rows(torch.arange(5)), HERE / "wrong-missed.png")
    trajectory_sheet(views.rows(wrong & ~missed).rows(torch.arange(5)), HERE / "wrong-found.png")
    trajectory_gif(views.rows(torch.arange(9)), HERE / "glimpses.gif")
    clean = ClutteredMNIST(digits, "test", ClutterRecipe(pieces=0))  # the same digits in the same places
    numbers = error_statistics(views, wrong, torch.cat([batch.images for batch in clean.batches(500, stop=len(clean))]))
    (HERE / "summary.json").write_text(json.dumps(summary.as_dict(), indent=1) + "\n")
    (HERE / "errors.json").write_text(json.dumps(numbers, indent=1) + "\n")
    if run is not None:
        learning(run, HERE / "learning.gif", count=8)


def is_missed(views: Trajectories) -> torch.Tensor:
    """Returns whether the last window's center is far from the digit's, shape (N,)."""
    return digit_distances(views.tracks[0], views.digits)[:, -1] > FAR


def error_statistics(views: Trajectories, wrong: torch.Tensor, clean: torch.Tensor) -> dict[str, object]:
    """Returns how errors depend on the clutter over the digit and on the digit's own ink, and draws both.

    Ink is the sum of the pixels' intensities. Foreign ink is what the clutter adds in the 21 x 21 pixels around the digit's center.
    """
    side = torch.arange(views.images.shape[-1])
    near_x = (side - views.digits[:, :1]).abs() <= FIELD  # (N, W)
    near_y = (side - views.digits[:, 1:]).abs() <= FIELD  # (N, H)
    added = (views.images - clean)[:, 0]
    foreign = (added * near_y[:, :, None] * near_x[:, None]).sum(dim=(1, 2))
    own, clutter = clean.sum(dim=(1, 2, 3)), added.sum(dim=(1, 2))
    missed = is_missed(views)
    predictions = views.predictions
    assert predictions is not None
    groups = {"right": ~wrong, "wrong, window on the digit": wrong & ~missed, "wrong, window elsewhere": wrong & missed}
    pairs = zip(views.labels[wrong & ~missed].tolist(), predictions[wrong & ~missed, -1].tolist(), strict=True)
    curves = {"foreign": by_bin(foreign, FOREIGN, wrong, missed), "own": by_bin(own, INK, wrong, missed)}
    draw(curves)
    return {
        "groups": {
            name: {
                "images": int(group.sum()),
                "median_own_ink": float(own[group].median()),
                "median_foreign_ink": float(foreign[group].median()),
                "median_clutter_ink": float(clutter[group].median()),
                "median_probability_of_prediction": float(views.probabilities[group, -1].amax(dim=1).median()),  # type: ignore[index]
            }
            for name, group in groups.items()
        },
        "wrong_but_right_at_an_earlier_step": int(((predictions == views.labels[:, None]).any(dim=1) & wrong).sum()),
        "missed_percent_by_class": [100 * float(missed[views.labels == k].float().mean()) for k in range(10)],
        "error_percent_by_class": [100 * float(wrong[views.labels == k].float().mean()) for k in range(10)],
        "most_frequent_confusions_on_the_digit": [[*pair, count] for pair, count in Counter(pairs).most_common(6)],
        "by_foreign_ink": curves["foreign"],
        "by_own_ink": curves["own"],
    }


def by_bin(ink: torch.Tensor, edges: tuple[int, ...], wrong: torch.Tensor, missed: torch.Tensor) -> list[dict[str, float]]:
    """Returns the number of images in each range of ink, their error and the share of missed digits, both in percent."""
    rows = []
    for low, high in itertools.pairwise(edges):
        chosen = (ink >= low) & (ink < high)
        if chosen.any():
            share = {"error_percent": wrong, "missed_percent": missed}
            rows.append(
                {"from": low, "to": high, "images": int(chosen.sum())}
                | {name: 100 * float(values[chosen].float().mean()) for name, values in share.items()}
            )
    return rows


def draw(curves: dict[str, list[dict[str, float]]]) -> None:
    """Draws the error against the clutter's ink over the digit and against the digit's own ink."""
    figure = Figure(figsize=(9.0, 3.0), dpi=130, layout="constrained")
    titles = {"foreign": "clutter's ink over the digit", "own": "the digit's own ink"}
    for axes, (name, rows) in zip(figure.subplots(1, 2), curves.items(), strict=True):
        at: NDArray[np.int64] = np.arange(len(rows))
        axes.bar(at, [row["error_percent"] for row in rows], color="#d9d9d9", label="wrong")
        axes.plot(at, [row["missed_percent"] for row in rows], color=PALETTE[0], marker="o", label=f"window over {FAR:g} px away")
        axes.set_xticks(at, [f"{row['from']}-{row['to']}\n{row['images']:,}" for row in rows])
        axes.set_xlabel(f"{titles[name]}: range, and images in it")
        axes.set_ylabel("% of the images")
        tidy(axes)
    save(HERE / "errors.png", figure)


if __name__ == "__main__":
    main()
