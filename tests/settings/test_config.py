"""Validation of settings."""

import math
from typing import Any

import pytest

from glimpse.settings.base import from_mapping
from glimpse.settings.training import TrainingConfig

# Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"weight_decay": math.inf},
        {"clip_norm": -1.0},
        {"warmup": -1},
        {"schedule": "linear"},
        {"precision": "fp16"},
        {"seed": -1},
        {"seed": 2**64},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainingConfig(**wrong)


def test_a_config_from_a_file_refuses_unknown_names_and_wrong_types() -> None:
    with pytest.raises(ValueError, match="has no field momentum; its fields are averaging"):
        from_mapping(TrainingConfig, {"momentum": 0.9})
    with pytest.raises(ValueError, match="images"):
        from_mapping(TrainingConfig, {"images": "many"})
    assert from_mapping(TrainingConfig, {"images": 7}).images == 7
