"""Suites: settings that their presets have, and tasks with published results."""

import subprocess
import sys
from dataclasses import replace

import pytest

from glimpse.evaluation.published import published_classification
from glimpse.settings.suites import SUITES
from tests.helpers.presets import CLASSIFIER_PRESETS


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_sets_only_settings_that_its_presets_have(name: str) -> None:
    suite = SUITES[name]
    for entry in suite.entries:
        config = replace(CLASSIFIER_PRESETS[entry.preset], **entry.settings)  # type: ignore[arg-type]
        assert entry.images > 0
        assert getattr(config, "window", 0) <= suite.canvas
    names = [entry.name for entry in suite.entries]
    assert len(set(names)) == len(names)
    assert {CLASSIFIER_PRESETS[entry.preset].kind for entry in suite.entries} >= {"glimpse", "ram", "conv", "convnet"}
    canvas, pieces = (
        int(number)
        for number in {"cluttered-100": "100 8", "distorted-100": "100 8", "cluttered-60": "60 4"}.get(name, "0 0").split()
    )
    if canvas:
        assert (suite.canvas, suite.pieces) == (canvas, pieces)
        assert published_classification(canvas, pieces, suite.digits)
    else:
        assert not published_classification(suite.canvas, suite.pieces, suite.digits)


def test_the_large_suite_has_three_seeds_the_others_one() -> None:
    assert {name: len(suite.seeds) for name, suite in SUITES.items()} == {
        "cluttered-100": 3,
        "distorted-100": 1,
        "cluttered-60": 1,
        "translated-60": 1,
        "plain-28": 1,
    }


def test_suites_are_listed_without_loading_torch() -> None:
    code = "import sys, glimpse.settings.suites; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
