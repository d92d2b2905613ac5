"""Evaluates the models of this report, and draws its figures.

    python reports/own-images/figures.py PHOTOGRAPHS RUNS

PHOTOGRAPHS is the folder that `photographs.py` made, RUNS the folder of the trainings in `report.md`. The class that each model
predicts for each test photograph is written to `predictions.csv`, all other numbers to `evaluation.json`. A model that has a column
in `predictions.csv` is not evaluated again.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import glimpse
from glimpse.evaluation.classifier import predictions
from glimpse.evaluation.images import ImageQuery, open_task_images
from glimpse.evaluation.statistics import holm, mcnemar, wilson_interval
from glimpse.figures.files import save
from glimpse.figures.style import tidy
from glimpse.figures.windows import draw_image, draw_tracks
from glimpse.models.catalog import open_classifier
from glimpse.models.weights import class_names, read_facts
from glimpse.settings.record import read_config
from glimpse.settings.requests import ImageChoice
from glimpse.trajectories.pictures import trajectory_sheet
from glimpse.trajectories.views import Trajectories

HERE = Path(__file__).parent
PREDICTIONS = HERE / "predictions.csv"
GLIMPSES = "search-8"
SIDES = {
    GLIMPSES: 1000,
    "search-8-seed1": 1000,
    "convnet-34-long": 34,
    "convnet-34-slow": 34,
    "convnet-100-long": 100,
    "convnet-100-seed1": 100,
    "convnet-100-slow": 100,
    "convnet-200-long": 200,
    "convnet-200-slow": 200,
}
matplotlib.rcParams["font.size"] = 9


def main() -> None:
    """Writes all files."""
    photographs, runs = Path(sys.argv[1]), Path(sys.argv[2])
    columns = kept_predictions()
    for name in SIDES:
        if name not in columns and (runs / name / "model.safetensors").is_file():
            columns |= predicted(runs / name, photographs)
            write_predictions(columns)
    names = [name for name in SIDES if name in columns]
    numbers = {name: measured(runs / name, columns[name] != columns["label"], SIDES[name]) for name in names}
    ours = columns[GLIMPSES] != columns["label"]
    add_tests(numbers, ours, {name: columns[name] != columns["label"] for name in names if name != GLIMPSES})
    (HERE / "evaluation.json").write_text(json.dumps(numbers, indent=1) + "\n")
    save(HERE / "errors.png", errors_figure(numbers))
    if "--numbers" in sys.argv:
        return
    found = Trajectories.joined(
        list(glimpse.trajectories.look(runs / GLIMPSES, data=photographs, indices=range(0, 600, 10), pixels=True, threads=1))
    )
    assert found.predictions is not None
    right = found.predictions[:, -1] == found.labels
    for name, rows in (("right", right.nonzero()[5::20, 0]), ("wrong", (~right).nonzero()[:3, 0])):
        trajectory_sheet(found.rows(rows[:3]), HERE / f"{name}.png")
    save(HERE / "seen.png", what_is_seen(found.rows(right.nonzero()[25:26, 0])))


def kept_predictions() -> dict[str, NDArray[np.int64]]:
    """Returns the columns of `predictions.csv`."""
    if not PREDICTIONS.exists():
        return {}
    with PREDICTIONS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([int(row[name]) for row in rows]) for name in rows[0]}


def write_predictions(columns: dict[str, NDArray[np.int64]]) -> None:
    """Writes `predictions.csv`: a row for each test photograph, in the order of the files."""
    with PREDICTIONS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))


def predicted(run: Path, photographs: Path) -> dict[str, NDArray[np.int64]]:
    """Returns the labels of the test photographs, and the classes that a model predicts after the last step, by its name."""
    facts, model = read_facts(run), open_classifier(run)
    query = ImageQuery(str(run), facts["task"], ImageChoice(data=photographs), class_names=class_names(facts))
    found = [(logits[:, -1].argmax(dim=1), labels) for logits, labels in predictions(model, open_task_images(query).data)]
    classes, labels = (torch.cat(each).numpy() for each in zip(*found, strict=True))
    return {"label": labels, run.name: classes}


def measured(run: Path, wrong: NDArray[np.bool_], side: int) -> dict[str, Any]:
    """Returns the test error of a model with its interval, what it reads of an image, and how it was trained."""
    record, config = read_config(run), open_classifier(run).config
    rows = np.genfromtxt(run / "metrics.csv", delimiter=",", names=True)
    errors = int(wrong.sum())
    return {
        "error": 100 * errors / len(wrong),
        "interval": [100 * limit for limit in wilson_interval(errors, len(wrong))],
        "errors": errors,
        "n": len(wrong),
        "validation_error": float(np.nanmin(rows["valid_error"])),
        "training_error": float(rows["train_error"][-1]),
        "values_read": config.reading(side, side).values,
        "side": side,
        "learning_rate": record["training"]["learning_rate"],
        "training_images": int(rows["images"][-1]),
        "seed": record["training"]["seed"],
        "commit": record["environment"]["commit"],
    }


def add_tests(numbers: dict[str, dict[str, Any]], ours: NDArray[np.bool_], others: dict[str, NDArray[np.bool_]]) -> None:
    """Adds McNemar's test of the glimpses against each other model, with Holm's correction."""
    counts = [(int((ours & ~wrong).sum()), int((wrong & ~ours).sum())) for wrong in others.values()]
    values = [mcnemar(*each) for each in counts]
    for name, (only_ours, only_other), p, corrected in zip(others, counts, values, holm(values), strict=True):
        numbers[name] |= {"wrong_only_by_glimpses": only_ours, "wrong_only_by_this": only_other, "p": p, "p_holm": corrected}


def errors_figure(numbers: dict[str, dict[str, Any]]) -> Figure:
    """Returns a figure of test error against values read, with 95 % intervals."""
    figure = Figure(figsize=(7.0, 3.6), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    best: dict[int, dict[str, Any]] = {}  # by the side of the downsized photographs: the run with the lowest validation error
    for row in sorted(
        (row for name, row in numbers.items() if name.startswith("convnet")), key=lambda row: row["validation_error"]
    ):
        best.setdefault(row["side"], row)
    shown = {f"whole image, {side} x {side}": row for side, row in best.items()}
    for label, row in {"8 glimpses of 12 x 12": numbers[GLIMPSES], **shown}.items():
        is_ours = row is numbers[GLIMPSES]
        bars = [[abs(limit - row["error"])] for limit in row["interval"]]
        axes.errorbar(row["values_read"], row["error"], bars, marker="o", color="#7e2482" if is_ours else "#666666", capsize=3)
        text = f"{label}\n{row['error']:.1f} %"
        axes.annotate(text, (row["values_read"], row["error"]), (9, 0), textcoords="offset points", va="center")
    axes.set(xscale="log", xlim=(800, 200_000), ylim=(0, 100), xlabel="values read of a photograph", ylabel="test error, %")
    axes.set_xticks([1000, 10_000, 100_000], ["1,000", "10,000", "100,000"])
    tidy(axes, legend=False)
    return figure


def what_is_seen(found: Trajectories) -> Figure:
    """Returns a figure of one photograph: with the windows, downsized, and through the windows."""
    figure = Figure(figsize=(10.5, 5.0), dpi=130, layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=(2.0, 1))
    picture = np.asarray(found.images[0, 0])
    axes = figure.add_subplot(grid[0, 0])
    draw_image(axes, np.repeat(picture[..., None], 3, axis=2))
    draw_tracks(axes, found.tracks, 0)
    axes.set_title("1,000 x 1,000, with the windows")
    for column, side in enumerate((34, 100, 200), start=1):
        axes = figure.add_subplot(grid[0, column])
        small = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
        draw_image(axes, np.repeat(np.asarray(small)[..., None], 3, axis=2).clip(0, 1))
        axes.set_title(f"{side} x {side}: {side**2:,} values")
    patches = found.tracks[0].patches
    assert patches is not None
    strip = np.concatenate([np.pad(np.asarray(patch[0]), 1, constant_values=np.nan) for patch in patches[0]], axis=1)
    axes = figure.add_subplot(grid[1, :])
    axes.imshow(strip, cmap="gray", interpolation="nearest")
    axes.set_axis_off()
    count, n = patches.shape[1], patches.shape[-1]
    axes.set_title(f"{count} glimpses of {n} x {n}: {count * n * n:,} values")
    return figure


if __name__ == "__main__":
    main()
