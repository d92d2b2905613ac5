"""`glimpse train-classifier --model search --distort`: a run that resumes, is evaluated and shows where it looked."""

import json
from pathlib import Path
from typing import Any

import pytest

from glimpse.training.calls import train_classifier
from glimpse.training.engine import Record
from glimpse.trajectories.files import load
from tests.helpers import commands
from tests.helpers.classifier_runs import DATA, OTHERS, TINY, refused, trained
from tests.helpers.runs import settings_of

pytestmark = pytest.mark.usefixtures("without_pictures")

SEARCH = ["--model=search", "--distort=1", *OTHERS["search"], "--glimpses=5", *DATA]
BUDGET = ["--images=192", "--batch-size=32", "--validate-every=96", "--log-every=96", "--threads=1"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a tiny search trained on distorted digits."""
    return trained(tmp_path_factory.mktemp("search") / "run", *SEARCH, *BUDGET)


def test_a_search_on_distorted_digits_resumes_to_the_same_bytes(searched: Path, tmp_path: Path) -> None:
    options = {flag[2:].replace("-", "_"): value for flag, value in (option.split("=") for option in [*SEARCH, *BUDGET])}
    numbers: dict[str, Any] = {name: int(value) if value.isdigit() else value for name, value in options.items()}
    last = Path("checkpoints") / "weights-0000000192.safetensors"

    def stop(record: Record) -> None:
        if record.images >= 128:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train_classifier(out=tmp_path, checkpoint_every=0.0, progress=stop, **numbers)
    assert not (tmp_path / last).exists()
    commands.succeeded("train-classifier", "--resume", *SEARCH, *BUDGET, "--out", tmp_path)
    for name in (last, Path("model.safetensors")):
        assert (tmp_path / name).read_bytes() == (searched / name).read_bytes()


def test_a_run_keeps_its_number_of_distorted_copies(searched: Path) -> None:
    assert settings_of(searched)["data"]["distort"] == 1
    assert "with --distort 1, not 2" in refused("--resume", "--model=search", "--out", searched, "--distort=2")
    commands.succeeded("train-classifier", "--resume", "--model=search", "--out", searched, "--distort=1")


def test_another_run_starts_from_its_settings_with_as_many_copies(searched: Path, tmp_path: Path) -> None:
    other = trained(tmp_path / "other", "--config", searched, "--seed=1", "--images=32", "--threads=1")
    assert settings_of(other)["data"] == settings_of(searched)["data"]


def test_an_epoch_holds_the_copies(searched: Path, tmp_path: Path) -> None:
    count = 2 * settings_of(searched)["data"]["digits"]["sizes"]["train"]
    epochs = f"--epochs={32 / count}"
    run = trained(tmp_path / "run", "--config", searched, epochs, "--threads=1")
    assert settings_of(run)["training"]["images"] == 32
    commands.succeeded("train-classifier", "--resume", "--out", run, epochs)


def test_distorted_digits_go_with_generated_images_only(color: Path, tmp_path: Path) -> None:
    said = refused("--data", color, "--distort=1", *TINY, "--out", tmp_path / "run")
    assert said == "--data brings its own images: leave out --distort"


def test_a_search_is_evaluated_and_compared(searched: Path) -> None:
    for glimpses in (1, 4):
        assert 0 <= commands.printed_json("evaluate", searched, "--glimpses", glimpses)["error"] <= 100
    result = commands.succeeded("compare", searched, "--json")
    assert "search 5 of 4x4" in json.dumps(json.loads(result.stdout))


def test_the_trajectories_of_a_search_hold_every_window(searched: Path, tmp_path: Path) -> None:
    for name in ("seen.npz", "seen.html", "seen.png"):
        commands.succeeded("trajectories", searched, "--out", tmp_path / name, "--count=3", "--threads=1")
    table = load(tmp_path / "seen.npz")
    assert table["step"].tolist() == [1, 2, 3, 4, 5] * 3
    assert (table["center_x"][::5] == 19.5).all(), "the first glimpse is of the whole image"
    assert (table["stride"][::5] > table["stride"][4::5]).all(), "a read is finer"
