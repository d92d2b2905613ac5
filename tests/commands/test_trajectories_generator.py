"""`glimpse trajectories` of generators: read and write windows."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.datasets.generative import open_generative
from glimpse.models.draw import DRAW
from glimpse.trajectories import load
from tests.helpers.commands import invoked
from tests.helpers.generator_runs import refused

# Trajectories


def test_trajectories_have_a_row_for_reading_and_one_for_writing(generator_run: Path, tmp_path: Path) -> None:
    assert invoked("trajectories", generator_run, "--out", tmp_path / "x.csv", "--indices=4,7").exit_code == 0
    table, images = load(tmp_path / "x.csv"), open_generative("digits").test.batch(torch.tensor([4, 7])).images
    assert np.isnan(table["probabilities"]).all()
    with torch.no_grad():
        _, tracks = DRAW.from_pretrained(generator_run).look(images)
    assert [track.kind for track in tracks] == ["read", "write"]
    for track in tracks:
        rows_of_kind = np.asarray(table["window"]) == track.kind
        assert table["index"][rows_of_kind].tolist() == [4, 4, 7, 7]
        for name, field in track.window._asdict().items():
            np.testing.assert_allclose(table[name][rows_of_kind], field.flatten(), rtol=1e-4)


@pytest.mark.parametrize(("name", "head"), [("x.png", b"\x89PNG"), ("x.html", b"<!doctype html>")])
def test_trajectories_are_drawn(generator_run: Path, tmp_path: Path, name: str, head: bytes) -> None:
    assert invoked("trajectories", generator_run, "--out", tmp_path / name, "--count=2").exit_code == 0
    assert (tmp_path / name).read_bytes()[: len(head)].lower() == head.lower()


def test_the_summary_tells_reading_from_writing(generator_run: Path) -> None:
    result = invoked("trajectories", generator_run, "--summary", "--count=20", "--json")
    steps = json.loads(result.stdout)["steps"]
    assert [(step["window"], step["step"], step["error"]) for step in steps] == [
        ("read", 1, None),
        ("read", 2, None),
        ("write", 1, None),
        ("write", 2, None),
    ]


def test_a_generator_has_neither_predictions_nor_errors(generator_run: Path, tmp_path: Path) -> None:
    assert "only a model that classifies" in refused("trajectories", generator_run, "--only=wrong", "--out", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()
    Image.new("L", (28, 28)).save(tmp_path / "picture.png")
    assert "has no classes" in refused("predict", generator_run, tmp_path / "picture.png")
