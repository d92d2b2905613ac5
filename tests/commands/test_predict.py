"""`glimpse predict` and `glimpse trajectories --image`: folders, pictures that fail, and warnings on the terminal."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import glimpse
from glimpse.evaluation.own_pictures import FailedPictures
from glimpse.trajectories import load
from tests.helpers.commands import invoked, printed_json, refused, succeeded
from tests.helpers.weights import ON_SKLEARN, untrained, written


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Returns the file of an untrained model of scikit-learn's digits on 40x40."""
    return written(tmp_path / "model.safetensors", untrained(), ON_SKLEARN)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder with two pictures, one of them in a subfolder."""
    for name in ("b.png", "a/a.png"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((40, 50), dtype=np.uint8)
        pixels[10:30, 20:25] = 255
        Image.fromarray(pixels).save(path)
    (tmp_path / "folder" / "notes.txt").write_text("no picture")
    return tmp_path / "folder"


def test_a_folder_means_its_pictures(weights: Path, folder: Path) -> None:
    pictures = [folder / "a" / "a.png", folder / "b.png"]
    assert printed_json("predict", weights, folder) == printed_json("predict", weights, *pictures)
    assert glimpse.predict(weights, folder) == glimpse.predict(weights, *pictures)


def test_a_folder_without_pictures_is_one_line(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert refused("predict", weights, tmp_path / "none").startswith(f"{tmp_path / 'none'} holds no pictures")


def test_the_other_pictures_are_answered_and_the_bad_one_is_named(weights: Path, folder: Path) -> None:
    expected = printed_json("predict", weights, folder)["predictions"]
    (folder / "aa.png").write_bytes(b"no picture")
    result = invoked("predict", weights, folder)
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == [str(folder / "a" / "a.png"), str(folder / "b.png")]
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"Error: {folder / 'aa.png'} is no picture that can be read")
    found = invoked("predict", weights, folder, "--json")
    assert found.exit_code == 1
    (line,) = found.stdout.splitlines()
    printed = json.loads(line)
    assert printed["predictions"] == expected
    assert [failure["picture"] for failure in printed["failed"]] == [str(folder / "aa.png")]


def test_from_python_the_error_at_the_end_carries_the_predictions(weights: Path, folder: Path) -> None:
    expected = glimpse.predict(weights, folder)
    Image.new("L", (40, 40), 7).save(folder / "blank.png")
    with pytest.raises(FailedPictures, match=r"blank\.png is blank") as raised:
        glimpse.predict(weights, folder)
    assert raised.value.results == expected


def test_classes_are_called_by_their_names(folder: Path, tmp_path: Path) -> None:
    names = [f"animal {label}" for label in range(10)]
    weights = written(tmp_path / "named.safetensors", untrained(), {"kind": "file", "sha256": "", "class_names": names})
    found = printed_json("predict", weights, folder)["predictions"]
    assert [each["name"] for each in found] == [names[each["label"]] for each in found]
    assert found[0]["name"] in succeeded("predict", weights, folder).stdout
    for kind in ("png", "gif", "html"):
        succeeded("trajectories", weights, "--image", folder, "--out", tmp_path / f"named.{kind}")
    assert f'"classNames":{json.dumps(names, separators=(",", ":"))}' in (tmp_path / "named.html").read_text("utf-8")


def test_a_warning_names_the_option_and_the_option_ends_it(weights: Path, tmp_path: Path) -> None:
    pixels = np.full((40, 40), 255, dtype=np.uint8)
    pixels[10:30, 18:22] = 0
    Image.fromarray(pixels).save(tmp_path / "dark.png")
    Image.fromarray(255 - pixels).save(tmp_path / "light.png")
    dark = invoked("predict", weights, tmp_path / "dark.png", "--json")
    assert "Warning: " in dark.stderr
    assert "--invert" in dark.stderr
    assert dark.stderr.count("\n") == 1
    inverted = succeeded("predict", weights, tmp_path / "dark.png", "--invert", "--json")
    assert inverted.stderr == ""
    light = printed_json("predict", weights, tmp_path / "light.png")["predictions"][0]
    assert json.loads(inverted.stdout)["predictions"][0]["probabilities"] == light["probabilities"]


@pytest.mark.parametrize("kind", ["csv", "png", "gif", "html"])
def test_trajectories_of_a_folder_leave_out_and_name_the_bad_picture(
    weights: Path, folder: Path, tmp_path: Path, kind: str
) -> None:
    (folder / "aa.png").write_bytes(b"no picture")
    result = invoked("trajectories", weights, "--image", folder, "--out", tmp_path / f"out.{kind}", "--json")
    assert result.exit_code == 1
    assert f"Error: {folder / 'aa.png'} is no picture" in result.stderr
    printed = json.loads(result.stdout)
    assert (printed["images"], printed["pictures"]) == (2, ["a.png", "aa.png", "b.png"])
    assert (tmp_path / f"out.{kind}").stat().st_size > 100
    if kind == "csv":
        assert load(tmp_path / "out.csv")["index"].tolist() == [0, 0, 0, 2, 2, 2]


def test_pictures_that_all_fail_leave_no_file(weights: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    pictures = ["--image", tmp_path / "a.png", "--image", tmp_path / "b.png"]
    line = refused("trajectories", weights, *pictures, "--out", tmp_path / "out.png", after=("Looking",))
    assert "a.png is no picture" in line
    assert "b.png is no picture" in line
    assert not (tmp_path / "out.png").exists()


def test_trajectories_take_the_options_for_pictures(weights: Path, tmp_path: Path) -> None:
    pixels = np.full((400, 300), 200, dtype=np.uint16)
    pixels[100:300, 140:180] = 20
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    options = ["--image", tmp_path / "deep.png", "--out", tmp_path / "out.csv"]
    warned = succeeded("trajectories", weights, *options).stderr
    for option in ("--stretch", "--invert", "--resize 40", "--resize 40 --pad if"):
        assert option in warned
    assert warned.count("Warning: ") == 3
    assert "Warning: " not in succeeded("trajectories", weights, *options, "--stretch", "--invert", "--resize", 28, "--pad").stderr
