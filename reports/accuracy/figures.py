"""Draws the curves of this report and writes the numbers behind them.

    python reports/accuracy/figures.py [RUNS]

RUNS holds the folders seed-0, seed-1 ... of the trainings; without it the curves are drawn from curves.csv.
"""

import argparse
import csv
from pathlib import Path

from glimpse.figures.curves import error_curves
from glimpse.training.folder import RunFolder

HERE = Path(__file__).parent
COLUMNS = ("run", "images", "seconds", "loss", "valid_error", "valid_nll")


def collect(runs: Path) -> None:
    """Writes curves.csv: the validations of every run."""
    folders = sorted(runs.glob("seed-*"))
    rows = [{"run": path.name} | row for path in folders for row in RunFolder(path).rows() if row["valid_error"]]
    with (HERE / "curves.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Draws everything."""
    parser = argparse.ArgumentParser(description="Draws the curves of this report and writes the numbers behind them.")
    parser.add_argument("runs", nargs="?", type=Path, help="folder of the runs; from curves.csv if left out")
    runs = parser.parse_args().runs
    if runs is not None:
        collect(runs)
    series: dict[str, tuple[list[float], list[float]]] = {}
    with (HERE / "curves.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            images, errors = series.setdefault(row["run"].replace("-", " "), ([], []))
            images.append(float(row["images"]))
            errors.append(float(row["valid_error"]))
    error_curves(series, HERE / "curves.png", log_images=True)


if __name__ == "__main__":
    main()
