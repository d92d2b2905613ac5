"""Draws the figures of this report from its csv and json files and from the shipped models.

    python reports/generation/figures.py
    python reports/generation/figures.py --runs RUNS

RUNS holds folders of runs, and for each evaluated run the output of `glimpse evaluate --json` as NAME.json: their rows in
curves.csv and their entries in evaluation.json are replaced first; those of other runs stay. The data sets are searched for where
every command searches for them.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from glimpse import interpolate, reconstruct, sample, trajectories
from glimpse.datasets.generative import open_generative
from glimpse.figures.files import save
from glimpse.figures.style import MUTED, PALETTE, make_logarithmic, tidy
from glimpse.models.draw import DRAW
from glimpse.training.folder import RunFolder

HERE = Path(__file__).parent
PUBLISHED = {"DRAW (paper)": 80.97, "DRAW without attention (paper)": 87.40}
SHIPPED = {"mnist-long-64": ("draw-mnist", "binarized-mnist"), "two-digit": ("draw-two-digit", "two-digit")}  # by run: name, data
BEFORE = {"mnist-long-48": 4_079_616, "mnist-long-64": 5_529_856}  # images that the models were trained on that these started from
COLUMNS = ("run", "images", "seconds", "loss", "reconstruction", "kl", "grad_norm", "skipped", "valid_bound", "valid_kl")


def main(runs: Path | None) -> None:
    """Draws everything."""
    if runs is not None:
        collect(runs)
    read = read_curves()
    rows = {name: [row for row in read if row["run"] == name] for name in dict.fromkeys(row["run"] for row in read)}
    drawn = [name for name in sorted(rows) if len(rows[name]) > 2]
    colors = dict(zip(drawn, PALETTE, strict=False))  # the same in every figure
    results = json.loads((HERE / "evaluation.json").read_text())
    curves({name: own for name, own in rows.items() if name.startswith("mnist")}, colors)
    divergence({name: result for name, result in results.items() if name.startswith("mnist")}, colors)
    stability(rows, colors)
    pictures()


def collect(runs: Path) -> None:
    """Replaces the validated rows of the runs and their evaluations."""
    folders = sorted(path for path in runs.iterdir() if (path / "model.safetensors").is_file())
    new = [{"run": folder.name} | row for folder in folders for row in RunFolder(folder).rows() if row["valid_bound"]]
    kept = [row for row in read_curves() if row["run"] not in {folder.name for folder in folders}]
    with (HERE / "curves.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted([*kept, *new], key=lambda row: str(row["run"])))
    results = json.loads((HERE / "evaluation.json").read_text())
    results |= {path.stem: json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))}
    (HERE / "evaluation.json").write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def read_curves() -> list[dict[str, str]]:
    """Returns the rows of curves.csv."""
    with (HERE / "curves.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def curves(rows: dict[str, list[dict[str, str]]], colors: dict[str, str]) -> None:
    """Draws the validation bound against images seen."""
    figure, (axes,) = panels({"validation bound (nats)": "training images seen"})
    for name, own in rows.items():
        images, bounds = column(own, "valid_bound")
        if name in colors:
            axes.plot([BEFORE.get(name, 0) + count for count in images], bounds, label=name, color=colors[name], linewidth=1.2)
    for (name, bound), (x, offset, side) in zip(PUBLISHED.items(), ((0, (4, -10), "left"), (1, (-4, 3), "right")), strict=True):
        axes.axhline(bound, color=MUTED, linewidth=0.9, linestyle=(0, (5, 3)))
        place = {"xy": (x, bound), "xycoords": ("axes fraction", "data"), "xytext": offset, "textcoords": "offset points"}
        axes.annotate(f"{name}: {bound:.2f}", **place, ha=side, fontsize=7.5, color=MUTED)  # type: ignore[arg-type]
    axes.set_ylim(79, 105)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    tidy(axes)
    save(HERE / "curves.png", figure)


def divergence(results: dict[str, dict[str, list[float]]], colors: dict[str, str]) -> None:
    """Draws the KL divergence of each step."""
    figure, (axes,) = panels({"KL divergence on the test set (nats)": "step"})
    for name, result in results.items():
        if name in colors:
            kl = result["kl_by_step"]
            axes.plot(range(1, len(kl) + 1), kl, marker="o", markersize=3, label=name, color=colors[name], linewidth=1.2)
    tidy(axes)
    save(HERE / "kl.png", figure)


def stability(rows: dict[str, list[dict[str, str]]], colors: dict[str, str]) -> None:
    """Draws gradient norms over training, and of the shipped models intensities and canvases over steps, and writes extremes."""
    figure, axes = panels(
        {
            "gradient norm before clipping": "training images seen",
            "median intensity: read, write (dashed)": "step",
            "median largest canvas logit": "step",
        }
    )
    extremes = {}
    for name, own in rows.items():
        images, norms = column(own, "grad_norm")
        if name in colors:
            axes[0].plot(images, norms, label=name, color=colors[name], linewidth=1.2)
        extremes[name] = {"largest_gradient_norm": max(norms), "skipped_steps": int(own[-1]["skipped"])}
        if name in SHIPPED:
            extremes[name] |= draw_steps(*SHIPPED[name], axes[1], axes[2], colors[name])
    for each in axes:
        make_logarithmic(each.yaxis, (1, 2, 5))
        tidy(each, legend=False)
    axes[0].xaxis.set_major_formatter(EngFormatter(sep=""))
    axes[0].legend(frameon=False, fontsize=8.5, loc="upper right")
    for each in axes[1:]:
        each.xaxis.set_major_locator(MaxNLocator(integer=True))
    save(HERE / "stability.png", figure)
    (HERE / "stability.json").write_text(json.dumps(extremes, indent=1) + "\n")


def draw_steps(shipped: str, data: str, intensities: Axes, canvases: Axes, color: str) -> dict[str, Any]:
    """Draws intensities and canvases of a shipped model over steps, and returns their extremes on 200 test images."""
    model, images = DRAW.from_pretrained(f"pretrained:{shipped}"), open_generative(data, download=False).test
    noise = torch.zeros(200, model.config.glimpses, model.config.latent)
    with torch.no_grad():
        drawing, _ = model.reconstruct(images.batch(torch.arange(200)).images, noise)
    steps = range(1, model.config.glimpses + 1)
    canvas = drawing.canvases[:, 1:].flatten(2).abs().amax(dim=2)  # (200, T)
    canvases.plot(steps, canvas.median(dim=0).values, color=color, linewidth=1.2)
    facts: dict[str, Any] = {
        "largest_canvas_logit": float(canvas.max()),
        "all_finite": bool(drawing.canvases.isfinite().all()),
    }
    for kind, window, dashes in (("read", drawing.read, "-"), ("write", drawing.write, "--")):
        if window is not None:
            intensities.plot(steps, window.intensity.median(dim=0).values, color=color, linestyle=dashes, linewidth=1.2)
            facts[f"{kind}_intensity"] = [window.intensity.min().item(), window.intensity.max().item()]
    return facts


def column(rows: list[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    """Returns the images seen and the values of a column of a metrics.csv, without empty cells."""
    known = [row for row in rows if row[name]]
    return [int(row["images"]) for row in known], [float(row[name]) for row in known]


def pictures() -> None:
    """Draws what the shipped models draw."""
    mnist, two = "pretrained:draw-mnist", "pretrained:draw-two-digit"
    sample(mnist, count=100, out=HERE / "gallery.png")
    sample(mnist, count=10, out=HERE / "samples.png")
    sample(mnist, count=16, out=HERE / "samples.gif")
    trajectories.export(mnist, HERE / "drawing.png", count=2)
    reconstruct(mnist, count=5, out=HERE / "reconstructions.png")
    interpolate(mnist, indices="3,8", out=HERE / "between.png")
    interpolate(mnist, latent=True, count=5, out=HERE / "latents.png")
    sample(two, count=10, seed=1, out=HERE / "two-digit.png")
    trajectories.export(two, HERE / "two-digit-drawing.png", count=3)


def panels(labels: dict[str, str]) -> tuple[Figure, list[Axes]]:
    """Returns a figure with axes next to each other, by the labels y of x."""
    figure = Figure(figsize=(6.4, 4.0) if len(labels) == 1 else (11.0, 3.2), dpi=130, layout="constrained")
    row = [*figure.subplots(1, len(labels), squeeze=False)[0]]
    for axes, (y, x) in zip(row, labels.items(), strict=True):
        axes.set(xlabel=x, ylabel=y)
    return figure, row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draws the figures of this report from its data and from the shipped models.")
    parser.add_argument("--runs", type=Path, help="folder of runs that curves.csv and evaluation.json are written from first")
    main(parser.parse_args().runs)
