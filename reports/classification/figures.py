"""Draws the figures of this report and writes the numbers behind them.

    python reports/classification/figures.py [RUNS]

The test images with their windows need only the shipped weights. The curves and the errors by glimpse need RUNS: the folders
glimpse-8, glimpse-4, paper-8 and seed-0 to seed-4, and for each of the first three the output of `glimpse evaluate --json` as
NAME.json. MNIST is searched for where every command searches for it.
"""

import argparse
import csv
import json
from pathlib import Path

import torch

from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.figures.curves import error_by_glimpse_figure, error_curves
from glimpse.figures.files import save
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.training.folder import RunFolder
from glimpse.trajectories.collecting import collect, matches
from glimpse.trajectories.pictures import sheet_png
from glimpse.trajectories.summary import FAR, digit_distances, summarize_trajectories
from glimpse.trajectories.views import Trajectories

HERE = Path(__file__).parent
PUBLISHED = {"DRAW, 4 glimpses": 4.18, "DRAW, 8 glimpses": 3.36}


def curves(runs: Path) -> None:
    """Writes curves.png and curves.csv: validation error against images seen, for every run."""
    rows = []
    for folder in sorted(path for path in runs.iterdir() if (path / "metrics.csv").is_file()):
        rows += [{"run": folder.name} | row for row in RunFolder(folder).rows() if row["valid_error"]]
    columns = ("run", "images", "seconds", "loss", "train_error", "grad_norm", "skipped", "valid_error", "valid_nll")
    with (HERE / "curves.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

    def series(*names: str) -> dict[str, tuple[list[float], list[float]]]:
        found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
        for row in rows:
            if row["run"] in found:
                found[row["run"]][0].append(float(row["images"]))
                found[row["run"]][1].append(float(row["valid_error"]))
        return found

    error_curves(series("glimpse-8", "glimpse-4", "paper-8"), HERE / "curves.png", references=PUBLISHED)
    error_curves(series(*(f"seed-{seed}" for seed in range(5))), HERE / "seeds.png")


def by_glimpse(runs: Path) -> None:
    """Writes error_by_glimpse.png from the output of `glimpse evaluate --json`, and all outputs to evaluation.json."""
    results = {name: json.loads((runs / f"{name}.json").read_text()) for name in ("glimpse-8", "glimpse-4", "paper-8")}
    (HERE / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n")
    error_by_glimpse_figure({name: result["error_by_glimpse"] for name, result in results.items()}, HERE / "error_by_glimpse.png")


def sheets(name: str, columns: int = 6, rows: int = 3) -> dict[str, list[float]]:
    """Writes sheets of the first test images and the first misclassified ones with their windows; returns medians over the set."""
    model = GlimpseClassifier.from_pretrained(f"pretrained:{name}")
    data = ClutteredMNIST(open_digits("mnist").test, "test")
    views = Trajectories.joined(list(collect(model, data, torch.arange(len(data)))))
    wrong = matches(views, "wrong", 0.0)
    for file, chosen in ((f"windows-{name}.png", views), (f"windows-{name}-wrong.png", views.rows(wrong))):
        save(HERE / file, sheet_png(chosen.rows(torch.arange(columns * rows)), columns=columns))
    steps = summarize_trajectories([views]).steps
    missed = digit_distances(views.tracks[0], views.digits)[wrong, -1] > FAR
    medians: dict[str, list[float | None]] = {
        "distance": [step.distance for step in steps],
        "share_over_20_px": [step.far and step.far / 100 for step in steps],
        "stride": [step.stride for step in steps],
        "sigma": [step.sigma for step in steps],
        "share_of_errors_over_20_px_at_the_end": [float(missed.float().mean())],
    }
    return {key: [round(value, 3) for value in values if value is not None] for key, values in medians.items()}


def main() -> None:
    """Draws everything."""
    parser = argparse.ArgumentParser(description="Draws the figures of this report and writes the numbers behind them.")
    parser.add_argument("runs", nargs="?", type=Path, help="folder of the runs, for the curves and the errors by glimpse")
    runs = parser.parse_args().runs
    if runs is not None:
        curves(runs)
        by_glimpse(runs)
    medians = {name: sheets(name) for name in ("glimpse-8", "glimpse-4")}
    (HERE / "windows.json").write_text(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()
