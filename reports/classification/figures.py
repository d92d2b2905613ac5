"""Draws the figures of this report and writes the numbers behind them.

    python reports/classification/figures.py [RUNS]

The test images with their windows need only the shipped weights. The curves and the errors by glimpse need RUNS: the folders
classifier-8, classifier-4, paper-8 and seed-0 to seed-4, and for each of the first three the output of `glimpse evaluate --json` as
NAME.json. MNIST is searched for where every command searches for it.
"""

import csv
import json
import sys
from pathlib import Path

import torch

from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.figures.curves import error_by_glimpse_figure, error_curves
from glimpse.figures.files import save
from glimpse.figures.sheets import Looked, window_sheet
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.training.folder import RunFolder

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
    series = {}
    for name in ("classifier-8", "classifier-4", "paper-8"):
        chosen = [row for row in rows if row["run"] == name]
        series[name] = ([float(row["images"]) for row in chosen], [float(row["valid_error"]) for row in chosen])
    error_curves(series, HERE / "curves.png", references=PUBLISHED)
    seeds = {}
    for name in (f"seed-{seed}" for seed in range(5)):
        chosen = [row for row in rows if row["run"] == name]
        seeds[name] = ([float(row["images"]) for row in chosen], [float(row["valid_error"]) for row in chosen])
    error_curves(seeds, HERE / "seeds.png")


def by_glimpse(runs: Path) -> None:
    """Writes error_by_glimpse.png from the output of `glimpse evaluate --json`, and all outputs to evaluation.json."""
    results = {name: json.loads((runs / f"{name}.json").read_text()) for name in ("classifier-8", "classifier-4", "paper-8")}
    (HERE / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n")
    error_by_glimpse_figure({name: result["error_by_glimpse"] for name, result in results.items()}, HERE / "error_by_glimpse.png")


def sheets(name: str, columns: int = 6, rows: int = 3) -> dict[str, list[float]]:
    """Writes sheets of the first test images and the first misclassified ones with their windows; returns medians over the set."""
    model = GlimpseClassifier.from_pretrained(f"pretrained:{name}")
    data = ClutteredMNIST(open_digits("mnist").test, "test")
    kept: dict[bool, list[torch.Tensor]] = {False: [], True: []}
    distances, strides, sigmas, missed = [], [], [], []
    for start in range(0, len(data), 500):
        batch = data.batch(torch.arange(start, start + 500))
        with torch.no_grad():
            logits, window = model(batch.images)
        wrong = logits[:, -1].argmax(dim=-1) != batch.labels
        offset = torch.stack([window.center_x, window.center_y], dim=-1) - batch.centers[:, None]
        distances.append(offset.norm(dim=-1))
        strides.append(window.stride)
        sigmas.append(window.sigma)
        missed.append(distances[-1][wrong, -1] > 20)
        kept[True].append(torch.arange(start, start + 500)[wrong])
        kept[False].append(torch.arange(start, start + 500))
    for which, file in ((False, f"windows-{name}.png"), (True, f"windows-{name}-wrong.png")):
        batch = data.batch(torch.cat(kept[which])[: columns * rows])
        with torch.no_grad():
            logits, tracks = model.look(batch.images)
        best = logits.softmax(dim=-1).max(dim=-1)
        looked = Looked(batch.images, tracks, batch.labels, best.indices, best.values)
        save(HERE / file, window_sheet(looked, columns=columns))
    distance = torch.cat(distances)
    medians = {
        "distance": distance.median(dim=0).values,
        "share_over_20_px": (distance > 20).float().mean(dim=0),
        "stride": torch.cat(strides).median(dim=0).values,
        "sigma": torch.cat(sigmas).median(dim=0).values,
    }
    rounded = {key: [round(value, 3) for value in values.tolist()] for key, values in medians.items()}
    return rounded | {"share_of_errors_over_20_px_at_the_end": [round(float(torch.cat(missed).float().mean()), 3)]}


def main() -> None:
    """Draws everything."""
    if len(sys.argv) > 1:
        runs = Path(sys.argv[1])
        curves(runs)
        by_glimpse(runs)
    medians = {name: sheets(name) for name in ("classifier-8", "classifier-4")}
    (HERE / "windows.json").write_text(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()
