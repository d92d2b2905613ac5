"""Tiny sweeps on scikit-learn's digits."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from glimpse.settings.catalog import setting_names
from glimpse.settings.requests import ClassifierSweepRequest, from_options
from glimpse.settings.variation import parse_variation

COMMON: dict[str, Any] = {
    "model": "conv",
    "filters": 2,
    "hidden": 4,
    "images": 64,
    "batch_size": 16,
    "validate_every": 16,
    "log_every": 16,
    "digits": "sklearn",
    "canvas": 40,
    "pieces": 2,
    "threads": 1,
    "compile": False,
}
"""Options of a training of four steps, with a validation after each."""

OPTIONS = [f"--{name.replace('_', '-')}={value}" for name, value in COMMON.items() if name != "compile"] + ["--no-compile"]
"""The same for the command line."""


def request(out: Path, *vary: str, **options: Any) -> ClassifierSweepRequest:
    """Returns a request for a tiny sweep of two trials; what is varied is not fixed, and an option that is None is left out."""
    texts: Iterable[str] = vary or ("learning_rate=1e-4:1e-2:log",)
    variations = tuple(parse_variation(text, "classifier") for text in texts)
    fixed = {name: value for name, value in COMMON.items() if name not in [each.name for each in variations]}
    asked = {"vary": variations, "out": out, "trials": 2, **fixed, **options}
    return from_options(ClassifierSweepRequest, asked, setting_names())
