"""Draws the curves of this report and writes the numbers behind them.

    python reports/generation/figures.py RUNS

RUNS holds the folders of the runs, and for each evaluated run the output of `glimpse evaluate --json` as NAME.json. The commands in
the report draw the samples. The data sets are searched for where every command searches for them.
"""

import csv
import json
import sys
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glimpse.datasets.generative import open_generative
from glimpse.figures.files import save
from glimpse.models.draw import DRAW
from glimpse.training.folder import RunFolder

HERE = Path(__file__).parent
PUBLISHED = {"DRAW (paper)": 80.97, "DRAW without attention (paper)": 87.40}
COLUMNS = ("run", "images", "seconds", "loss", "reconstruction", "kl", "grad_norm", "skipped", "valid_bound", "valid_kl")


def main(runs: Path) -> None:
    """Draws everything."""
    folders = sorted(path for path in runs.iterdir() if (path / "model.safetensors").is_file())
    rows = [{"run": folder.name} | row for folder in folders for row in RunFolder(folder).rows()]
    with (HERE / "curves.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if row["valid_bound"])
    results = {path.stem: json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))}
    (HERE / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n")
    curves([row for row in rows if row["run"].startswith("mnist")])
    divergence({name: result for name, result in results.items() if name.startswith("mnist")})
    stability(folders, rows)


def curves(rows: list[dict[str, str]]) -> None:
    """Draws the validation bound against images seen."""
    figure, axes = plot("training images seen", "validation bound (nats)")
    for name in dict.fromkeys(row["run"] for row in rows):
        chosen = [row for row in rows if row["run"] == name and row["valid_bound"]]
        if len(chosen) > 1:
            axes.plot([int(row["images"]) for row in chosen], [float(row["valid_bound"]) for row in chosen], label=name)
    for name, bound in PUBLISHED.items():
        axes.axhline(bound, color="#777777", linewidth=0.9, linestyle=(0, (5, 3)))
        axes.annotate(f"{name}: {bound:.2f}", (0, bound), (4, 2), textcoords="offset points", fontsize=7.5, color="#777777")
    axes.set_ylim(78, 120)
    axes.legend(frameon=False)
    save(HERE / "curves.png", figure)


def divergence(results: dict[str, dict[str, list[float]]]) -> None:
    """Draws the KL divergence of each step."""
    figure, axes = plot("step", "KL divergence on the test set (nats)")
    for name, result in results.items():
        kl = result["kl_by_step"]
        axes.plot(range(1, len(kl) + 1), kl, marker="o", markersize=3, label=name)
    axes.legend(frameon=False)
    save(HERE / "kl.png", figure)


def stability(folders: list[Path], rows: list[dict[str, str]]) -> None:
    """Draws gradient norms over training, intensities and canvases over steps, and writes their extremes."""
    figure = Figure(figsize=(11.0, 3.2), dpi=130, layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    extremes = {}
    for number, folder in enumerate(folders):
        color = f"C{number}"
        own = [row for row in rows if row["run"] == folder.name]
        norms = [float(row["grad_norm"]) for row in own if row["grad_norm"]]
        left.plot([int(row["images"]) for row in own if row["grad_norm"]], norms, label=folder.name, linewidth=1, color=color)
        model = DRAW.from_pretrained(folder)
        record = RunFolder(folder).config["data"]
        images = open_generative(record["source"], crop=tuple(record["crop"] or ()) or None, download=False).test
        drawing, _ = model.reconstruct(
            images.batch(torch.arange(200)).images, torch.zeros(200, *model.noise(1, torch.Generator()).shape[1:])
        )
        steps = range(1, model.config.glimpses + 1)
        canvas = drawing.canvases[:, 1:].detach().flatten(2).abs().amax(dim=2)  # (200, T)
        right.plot(steps, canvas.median(dim=0).values, color=color)
        facts = {
            "largest_gradient_norm": max(norms),
            "skipped_steps": int(own[-1]["skipped"]),
            "largest_canvas_logit": float(canvas.max()),
            "all_finite": bool(drawing.canvases.isfinite().all()),
        }
        if drawing.write is not None and drawing.read is not None:
            middle.plot(steps, drawing.read.intensity.detach().median(dim=0).values, color=color)
            middle.plot(steps, drawing.write.intensity.detach().median(dim=0).values, color=color, linestyle="--")
            facts |= {
                f"{kind}_intensity": [window.intensity.min().item(), window.intensity.max().item()]
                for kind, window in (("read", drawing.read), ("write", drawing.write))
            }
        extremes[folder.name] = facts
    for axes, text in (
        (left, "gradient norm before clipping"),
        (middle, "median intensity: read, write (dashed)"),
        (right, "median largest canvas logit"),
    ):
        axes.set_yscale("log")
        axes.set_ylabel(text)
        axes.set_xlabel("training images seen" if axes is left else "step")
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=7)
    save(HERE / "stability.png", figure)
    (HERE / "stability.json").write_text(json.dumps(extremes, indent=1) + "\n")


def plot(x: str, y: str) -> tuple[Figure, Axes]:
    """Returns a figure and its axes, labeled."""
    figure = Figure(figsize=(6.4, 4.0), dpi=130, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.7)
    return figure, axes


if __name__ == "__main__":
    main(Path(sys.argv[1]))
