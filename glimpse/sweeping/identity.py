"""What all trials of a sweep have in common, for comparison with a later call that continues it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glimpse.settings.requests import ClassifierSweepRequest, SweepRequest, flag

__all__ = ["refuse_other_request", "request_identity"]

_OF_THE_MACHINE = ("data_dir",)


def request_identity(request: SweepRequest) -> dict[str, Any]:
    """Returns the settings that all trials share and the ranges of those that vary, by option, in JSON's types."""
    training = request.training
    chosen: dict[str, Any] = {"preset": training.preset, "init": training.init, "epochs": training.run.epochs, **training.settings}
    if isinstance(request, ClassifierSweepRequest):
        chosen["model"] = request.training.model
    if training.run.config is not None:
        chosen["config"] = str(training.run.config.resolve())
    chosen |= _flat(asdict(training.images))
    identity = {"kind": request.kind, "vary": sorted(map(str, request.sweep.vary))}
    return identity | {name: value for name, value in chosen.items() if value is not None and name not in _OF_THE_MACHINE}


def refuse_other_request(before: Mapping[str, Any], now: Mapping[str, Any], study: Path) -> None:
    """Checks that a call continues a study with the settings that it was started with.

    Args:
        before: What the study's trials have in common.
        now: What the call asks for.
        study: File of the study, for the message.

    Raises:
        ValueError: If they differ.
    """
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            started = f"with {flag(name)} {_text(before[name])}" if name in before else f"without {flag(name)}"
            asked = f"now {_text(now[name])}" if name in now else "now without it"
            raise ValueError(f"{study} was started {started}, {asked}: repeat the first call's options, or choose another --out")


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested options by name, with paths as texts and tuples as lists."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value)
        else:
            flat[name] = str(value.resolve()) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    return flat


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else str(value)
