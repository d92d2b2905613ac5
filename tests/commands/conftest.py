"""Tiny runs shared, unchanged, by the tests of several commands."""

from pathlib import Path

import pytest

from tests.helpers import classifier_runs, generator_runs
from tests.helpers.classifier_runs import DATA, MODEL, TINY
from tests.helpers.generator_runs import FEW, LEARNING


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a classifier's finished run on scikit-learn's digits."""
    return classifier_runs.trained(tmp_path_factory.mktemp("runs") / "run", *TINY, *DATA)


@pytest.fixture(scope="session")
def classifier_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a classifier's run of two steps."""
    return classifier_runs.trained(tmp_path_factory.mktemp("runs") / "classifier", *MODEL, *DATA, *FEW, "--threads=1")


@pytest.fixture(scope="session")
def generator_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a generator's finished run on scikit-learn's digits, in which it has learned."""
    return generator_runs.train(*LEARNING, "--out", tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="session")
def color(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of images in color, wider than high, of three classes."""
    return classifier_runs.color_file(tmp_path_factory.mktemp("data"))
