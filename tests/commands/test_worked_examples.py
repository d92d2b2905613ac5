"""Worked examples from pictures to predictions: CIFAR-10's images in class folders, and large photographs with a small sign."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glimpse.trajectories.files import load
from tests.helpers.commands import printed_json, succeeded

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FEW = ("--threads", 1, "--images", 96, "--batch-size", 16, "--no-compile")
SMALL = ("--glimpses", 3, "--window", 6, "--hidden", 16, "--features", 16)
SCRIPT = Path(__file__).parents[2] / "reports" / "own-images" / "photographs.py"

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def folders(cifar_subset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of training and test pictures, in color, in a folder for each class; one has a hidden file too."""
    root = tmp_path_factory.mktemp("cifar")
    with np.load(cifar_subset) as file:
        for part, count in (("train", 12), ("test", 3)):
            images, labels = file[f"{part}_images"], file[f"{part}_labels"]
            for label, name in enumerate(NAMES):
                (root / part / name).mkdir(parents=True)
                for number, image in enumerate(images[labels == label][:count]):
                    Image.fromarray(image).save(root / part / name / f"{number:03d}.png")
    (root / "train" / "cat" / ".DS_Store").write_bytes(b"no picture")
    return root


def test_class_folders_are_trained_on_evaluated_and_their_pictures_classified_by_name(folders: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    succeeded("train-classifier", "--data", folders, "--out", run, *SMALL, *FEW)
    found = printed_json("evaluate", run, "--threads", 1)
    assert (found["n"], found["data"]["part"], tuple(found["class_names"])) == (30, "test", NAMES)
    shown = succeeded("evaluate", run, "--threads", 1, "--csv", tmp_path / "confusion.csv").stdout
    assert "mostly predicted" in shown  # the names of ten classes take more than 80 columns as a matrix
    lines = shown.splitlines()
    assert max(map(len, lines[lines.index("Error by class") : -1])) <= 80  # the last line names the run
    assert (tmp_path / "confusion.csv").read_text().splitlines()[0] == ",".join(["true", *NAMES])
    predictions = printed_json("predict", run, folders / "test" / "ship")["predictions"]
    assert len(predictions) == 3
    assert {each["name"] for each in predictions} <= set(NAMES)
    succeeded("trajectories", run, "--image", folders / "test" / "ship", "--out", tmp_path / "ships.png")
    succeeded("trajectories", run, "--count", 5, "--out", tmp_path / "some.csv", "--threads", 1)
    assert set(load(tmp_path / "some.csv")["label_name"].tolist()) <= set(NAMES)
    wrong = found["errors"] - sum(
        each["name"] != name for name in NAMES for each in printed_json("predict", run, folders / "test" / name)["predictions"]
    )
    assert wrong == 0  # one picture at a time is classified like the set


def test_a_picture_unlike_the_training_pictures_is_named_with_its_remedy(folders: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    succeeded("train-classifier", "--data", folders, "--out", run, *SMALL, *FEW)
    with Image.open(folders / "test" / "cat" / "000.png") as picture:
        picture.resize((640, 480)).save(tmp_path / "large.jpg")
    result = succeeded("predict", run, tmp_path / "large.jpg")
    assert "has 640 x 480 pixels, the model was trained on images of 32 x 32 pixels: --resize 32 scales it" in result.stderr
    assert "Warning" not in succeeded("predict", run, tmp_path / "large.jpg", "--resize", 32).stderr


@pytest.mark.slow
def test_large_photographs_are_made_and_trained_on_whole_and_downsized(
    mnist_folder: Path, cifar_subset: Path, tmp_path: Path
) -> None:
    made = tmp_path / "photographs"
    environment = {**os.environ, "GLIMPSE_DATA": str(cifar_subset.parents[1])}
    command = [sys.executable, str(SCRIPT), str(made), "--train", "60", "--valid", "40", "--test", "40"]
    subprocess.run(command, env=environment, check=True)
    with Image.open(next(made.glob("train/*/*.jpg"))) as picture:
        assert picture.size == (1000, 1000)
    for name, options in (
        ("glimpses", ("--model", "search", "--extent", 80)),
        ("small", ("--model", "convnet", "--size", "34,34")),
    ):
        succeeded("train-classifier", "--data", made, "--out", tmp_path / name, *options, *FEW)
        assert printed_json("evaluate", tmp_path / name, "--threads", 1)["n"] == 40
    again = tmp_path / "again"
    subprocess.run([*command[:2], str(again), *command[3:]], env=environment, check=True)
    assert all(path.read_bytes() == (again / path.relative_to(made)).read_bytes() for path in made.rglob("*.jpg"))
    record = json.loads((tmp_path / "small" / "config.json").read_text())
    assert record["data"]["shape"][1:] == [34, 34]
