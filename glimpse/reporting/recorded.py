"""What a run has recorded, for a report: its settings as tables, and the curves of its training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glimpse.reporting.figures import Curve, curves
from glimpse.reporting.page import Section, Table, picture
from glimpse.settings.record import METRICS, read_config
from glimpse.training.folder import RunFolder

__all__ = ["settings_section", "training_section"]

_PANELS: dict[str, dict[str, str]] = {
    "error (%)": {"train_error": "training", "valid_error": "validation"},
    "bound (nats)": {"train_bound": "training", "valid_bound": "validation"},
    "loss (nats)": {"loss": "training", "valid_nll": "validation"},
}
"""Columns of metrics.csv by their name in the legend, by the label of their axis."""


def settings_section(model: str, facts: Mapping[str, Any]) -> Section:
    """Returns the settings of a model: those of its run if the folder is at hand, else those stored with its weights.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        facts: Facts stored with the weights.
    """
    if Path(model).is_dir():
        record = read_config(Path(model))
        groups = {name: record[name] for name in ("model", "training", "data", "environment")}
    else:
        groups = {"model": facts["config"], "data": facts["task"]}
    tables = tuple(Table((), tuple(_rows(values)), caption=name.capitalize()) for name, values in groups.items())
    return Section("Settings", tables=tables)


def _rows(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Returns nested settings as rows of names joined by dots and values, without those that are unknown."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _rows(value, f"{prefix}{name}.")
        elif value is not None:
            text = ", ".join(map(str, value)) if isinstance(value, list) else f"{value:,}" if type(value) is int else str(value)
            rows.append((prefix + name, text if len(text) <= 200 else f"{text[:197]}..."))
    return rows


def training_section(model: str) -> Section | None:
    """Returns the curves of a training from its metrics.csv; None if there is no such file, or it has no row.

    Raises:
        ValueError: If the file is not the record of a run.
    """
    rows = [{name: float(text) for name, text in row.items() if text} for row in RunFolder(Path(model)).rows()]
    for row in rows:
        if {"reconstruction", "kl"} <= row.keys():
            row["train_bound"] = row["reconstruction"] + row["kl"]
    panels = {}
    for label, columns in _PANELS.items():
        lines_of = {name: _curve(rows, column) for column, name in columns.items()}
        known = {name: curve for name, curve in lines_of.items() if curve.images}
        if known and not (label.startswith("loss") and "bound (nats)" in panels):
            panels[label] = known
    if not panels:
        return None
    seen = max(row["images"] for row in rows)
    shown = picture(curves(panels), f"Curves of {', '.join(panels)} over {seen:,.0f} training images")
    return Section("Training", f"{seen:,.0f} images seen, as recorded in {METRICS}.", pictures=(shown,))


def _curve(rows: list[dict[str, float]], column: str) -> Curve:
    """Returns a column over the images seen."""
    points = [(row["images"], row[column]) for row in rows if column in row]
    return Curve([images for images, _ in points], [value for _, value in points])
