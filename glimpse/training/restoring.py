"""Checks of a trainer's state that was read from a checkpoint: nothing is loaded that a trainer of these settings cannot have.

A moment of the optimizer with another shape than its parameter would let the fused optimizer write past its end.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from glimpse.models.tensors import check_tensor, check_tensors, check_values
from glimpse.settings.base import shown

__all__ = ["checked_state"]

_MOMENTS = ("exp_avg", "exp_avg_sq")
_NEW = ("stale",)  # counters that checkpoints of older versions do not have
_TUNED = {"lr": (0.0, math.inf), "betas": (0.0, 1.0), "eps": (0.0, 1.0), "weight_decay": (0.0, math.inf)}  # ranges of its settings


def checked_state(
    state: Mapping[str, Any], own: Mapping[str, Any], optimizer: torch.optim.Optimizer, *, steps: int, sums: Iterable[str]
) -> dict[str, Any]:
    """Returns the state of a trainer, checked and ready to be loaded.

    Args:
        state: The state, as read from a checkpoint.
        own: The state of a new trainer with the same settings.
        optimizer: The optimizer of that trainer.
        steps: Number of steps in the budget.
        sums: Names of the sums that a trainer keeps.

    Returns:
        The state, with the moments of the optimizer in memory of their own that is laid out as the parameters are.

    Raises:
        ValueError: If a name is missing or unknown, or something has the wrong type or shape or an impossible value.
    """
    try:
        _named(state, own, "the state")
        check_tensors(state["model"], own["model"])
        if (state["averaged"] is None) != (own["averaged"] is None):
            raise ValueError("its weights are averaged and those of the settings are not, or the other way round")
        for name in ("averaged", "muon"):
            if own.get(name) is not None:
                check_tensors(state[name], own[name])
        counters = _checked_counters(state["counters"], own["counters"], steps)
        kept = _checked_sums(state["sums"], frozenset(sums))
        moments = _checked_optimizer(state["optimizer"], own["optimizer"], optimizer, counters["step"])
    except (TypeError, KeyError, AttributeError, RuntimeError, OverflowError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    return {**state, "counters": counters, "sums": kept, "optimizer": moments}


def _named(found: object, expected: Iterable[str], name: str) -> dict[str, Any]:
    """Returns a value that is a dictionary with exactly these names."""
    if not isinstance(found, dict) or set(found) != set(expected):
        got = list(found) if isinstance(found, dict) else found
        raise ValueError(f"{name} must hold {', '.join(expected)}, got {shown(got)}")
    return found


def _checked_counters(found: object, own: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Returns the counters of a trainer; those that older versions did not have start at 0."""
    new = dict.fromkeys((name for name in _NEW if name in own), 0)
    counters = _named(new | found if isinstance(found, dict) else found, own, "counters")
    most = {"step": steps}
    for name in ("step", *(name for name in counters if name != "step")):
        value = counters[name]
        if name == "best":
            if type(value) not in (int, float) or math.isnan(value) or value == -math.inf:
                raise ValueError(f"the best validation must be a number, got {shown(value)}")
        elif type(value) is not int or not 0 <= value <= most.get(name, counters["step"]):
            raise ValueError(f"{name} must be an integer of 0 to {most.get(name, counters['step'])}, got {shown(value)}")
    return counters


def _checked_sums(found: object, names: frozenset[str]) -> dict[str, float]:
    """Returns the sums of metrics since the last row of metrics.csv; only a task's own metrics may be NaN or infinite."""
    if not isinstance(found, dict) or not names.issuperset(found):
        raise ValueError(f"sums must hold some of {', '.join(sorted(names))}, got {shown(found)}")
    for name, value in found.items():
        if type(value) is not float or (name in ("taken", "loss", "grad_norm") and not math.isfinite(value)):
            raise ValueError(f"the sum of {name} must be a finite number, got {shown(value)}")
    return found


def _checked_optimizer(found: object, own: Mapping[str, Any], optimizer: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    """Returns the state of the optimizer: settings and moments that fit a new optimizer of the same parameters."""
    parts = _named(found, ("state", "param_groups"), "the optimizer")
    groups = _checked_groups(parts["param_groups"], own["param_groups"])
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    places = [place for group in groups for place in group["params"]]
    if not isinstance(parts["state"], dict) or not set(parts["state"]) <= set(places):
        raise ValueError("the optimizer has moments of unknown parameters")
    state = {
        place: _checked_moments(parts["state"][place], parameter, f"of parameter {place}", step)
        for place, parameter in zip(places, parameters, strict=True)
        if place in parts["state"]
    }
    return {"state": state, "param_groups": groups}


def _checked_moments(found: object, parameter: Tensor, name: str, step: int) -> dict[str, Tensor]:
    """Returns the number of updates and the moments of a parameter, the moments in new memory laid out as the parameter is."""
    tensors = _named(found, ("step", *_MOMENTS), f"the optimizer's state {name}")
    check_tensor(tensors["step"], torch.zeros(()), f"step {name}")
    if not 0 <= float(tensors["step"]) <= step:
        raise ValueError(f"step {name} is {float(tensors['step']):g}, expected 0 to {step}")
    kept = {"step": tensors["step"].clone()}
    for moment in _MOMENTS:
        check_tensor(tensors[moment], parameter, f"{moment} {name}")
        check_values({f"{moment} {name}": tensors[moment]})
        kept[moment] = torch.empty_like(parameter, requires_grad=False).copy_(tensors[moment])
    if bool((kept["exp_avg_sq"] < 0).any()):
        raise ValueError(f"exp_avg_sq {name} has negative values")
    return kept


def _checked_groups(found: object, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the groups of parameters of a new optimizer with the learning rate, betas, epsilon and decay that were found."""
    if not isinstance(found, list) or len(found) != len(own):
        raise ValueError(f"the optimizer must have {len(own)} groups of parameters")
    groups = []
    for group, mine in zip(found, own, strict=True):
        if not isinstance(group, dict) or group.get("params") != mine["params"]:
            raise ValueError("the optimizer's groups hold other parameters")
        for name, (low, high) in _TUNED.items():
            values = group.get(name)
            numbers = values if isinstance(values, tuple | list) and len(values) == 2 and name == "betas" else (values,)
            if not all(type(each) is float and low <= each <= high for each in numbers):
                raise ValueError(f"the optimizer's {name} must be in {low:g} to {high:g}, got {shown(values)}")
        groups.append(mine | {name: group[name] for name in _TUNED})
    return groups
