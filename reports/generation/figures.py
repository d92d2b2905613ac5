"""Draws the curves of this report and writes the numbers behind them.

    python reports/generation/figures.py RUNS

RUNS holds the folders of the runs, and for each evaluated run the output of `glimpse evaluate --json` as NAME.json. The commands in
the report draw the samples. The data sets are searched for where every command searches for them.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glimpse.datasets.generative import open_generative
from glimpse.figures.files import save
from glimpse.figures.style import MUTED, PALETTE, line_style, make_logarithmic, tidy
from glimpse.models.draw import DRAW
from glimpse.training.folder import RunFolder

HERE = Path(__file__).parent
PUBLISHED = {"DRAW (paper)": 80.97, "DRAW without attention (paper)": 87.40}
COLUMNS = ("run", "images", "seconds", "loss", "reconstruction", "kl", "grad_norm", "skipped", "valid_bound", "valid_kl")


def main(runs: Path) -> None:
    """Draws everything."""
    folders = sorted(path for path in runs.iterdir() if (path / "model.safetensors").is_file())
    rows = {folder.name: RunFolder(folder).rows() for folder in folders}
    with (HERE / "curves.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({"run": name} | row for name, own in rows.items() for row in own if row["valid_bound"])
    results = {path.stem: json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))}
    (HERE / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n")
    curves({name: own for name, own in rows.items() if name.startswith("mnist")})
    divergence({name: result for name, result in results.items() if name.startswith("mnist")})
    stability(folders, rows)


def curves(rows: dict[str, list[dict[str, str]]]) -> None:
    """Draws the validation bound against images seen."""
    figure, (axes,) = panels({"validation bound (nats)": "training images seen"})
    for i, (name, own) in enumerate(rows.items()):
        images, bounds = column(own, "valid_bound")
        if len(bounds) > 1:
            axes.plot(images, bounds, label=name, **line(i))
    for name, bound in PUBLISHED.items():
        axes.axhline(bound, color=MUTED, linewidth=0.9, linestyle=(0, (5, 3)))
        axes.annotate(f"{name}: {bound:.2f}", (0, bound), (4, 2), textcoords="offset points", fontsize=7.5, color=MUTED)
    axes.set_ylim(78, 120)
    tidy(axes)
    save(HERE / "curves.png", figure)


def divergence(results: dict[str, dict[str, list[float]]]) -> None:
    """Draws the KL divergence of each step."""
    figure, (axes,) = panels({"KL divergence on the test set (nats)": "step"})
    for i, (name, result) in enumerate(results.items()):
        kl = result["kl_by_step"]
        axes.plot(range(1, len(kl) + 1), kl, marker="o", markersize=3, label=name, **line(i))
    tidy(axes)
    save(HERE / "kl.png", figure)


def stability(folders: list[Path], rows: dict[str, list[dict[str, str]]]) -> None:
    """Draws gradient norms over training, intensities and canvases over steps, and writes their extremes."""
    figure, axes = panels(
        {
            "gradient norm before clipping": "training images seen",
            "median intensity: read, write (dashed)": "step",
            "median largest canvas logit": "step",
        }
    )
    extremes = {}
    for i, folder in enumerate(folders):
        images, norms = column(rows[folder.name], "grad_norm")
        axes[0].plot(images, norms, label=folder.name, **line(i))
        facts = {"largest_gradient_norm": max(norms), "skipped_steps": int(rows[folder.name][-1]["skipped"])}
        extremes[folder.name] = facts | draw_steps(folder, axes[1], axes[2], line(i))
    for each in axes:
        make_logarithmic(each.yaxis, (1, 2, 5))
        tidy(each, legend=each is axes[0])
    save(HERE / "stability.png", figure)
    (HERE / "stability.json").write_text(json.dumps(extremes, indent=1) + "\n")


def draw_steps(folder: Path, intensities: Axes, canvases: Axes, style: dict[str, Any]) -> dict[str, Any]:
    """Draws intensities and canvases of a model over steps, and returns their extremes."""
    model, record = DRAW.from_pretrained(folder), RunFolder(folder).config["data"]
    images = open_generative(record["source"], crop=tuple(record["crop"] or ()) or None, download=False).test
    noise = torch.zeros(200, model.config.glimpses, model.config.latent)
    with torch.no_grad():
        drawing, _ = model.reconstruct(images.batch(torch.arange(200)).images, noise)
    steps = range(1, model.config.glimpses + 1)
    canvas = drawing.canvases[:, 1:].flatten(2).abs().amax(dim=2)  # (200, T)
    canvases.plot(steps, canvas.median(dim=0).values, **style)
    facts: dict[str, Any] = {
        "largest_canvas_logit": float(canvas.max()),
        "all_finite": bool(drawing.canvases.isfinite().all()),
    }
    for kind, window, dashes in (("read", drawing.read, "-"), ("write", drawing.write, "--")):
        if window is not None:
            intensities.plot(steps, window.intensity.median(dim=0).values, **(style | {"linestyle": dashes}))
            facts[f"{kind}_intensity"] = [window.intensity.min().item(), window.intensity.max().item()]
    return facts


def column(rows: list[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    """Returns the images seen and the values of a column of a metrics.csv, without empty cells."""
    known = [row for row in rows if row[name]]
    return [int(row["images"]) for row in known], [float(row[name]) for row in known]


def line(i: int) -> dict[str, Any]:
    """Returns the style of the curve of a run."""
    return {"color": PALETTE[i % len(PALETTE)], "linestyle": line_style(i), "linewidth": 1.2}


def panels(labels: dict[str, str]) -> tuple[Figure, list[Axes]]:
    """Returns a figure with axes next to each other, by the labels y of x."""
    figure = Figure(figsize=(6.4, 4.0) if len(labels) == 1 else (11.0, 3.2), dpi=130, layout="constrained")
    row = [*figure.subplots(1, len(labels), squeeze=False)[0]]
    for axes, (y, x) in zip(row, labels.items(), strict=True):
        axes.set(xlabel=x, ylabel=y)
    return figure, row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draws the curves of this report and writes the numbers behind them.")
    parser.add_argument("runs", type=Path, help="folder of the runs")
    main(parser.parse_args().runs)
