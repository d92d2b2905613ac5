"""`glimpse trajectories` of classifiers: choice of images, files and errors."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.evaluation.classifier import uniforms
from glimpse.models.catalog import build_classifier
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.ram import RAM
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.trajectories import load
from tests.helpers.classifier_runs import MODEL, trained
from tests.helpers.commands import invoked
from tests.helpers.weights import OF_WHOLE_IMAGES, RECIPE, written_on_sklearn


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Returns the file of an untrained model of scikit-learn's digits."""
    return written_on_sklearn(tmp_path)


def trajectories(*arguments: str | Path) -> Result:
    return invoked("trajectories", *arguments, "--threads=1")


def made(*arguments: str | Path) -> Result:
    result = trajectories(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: str | Path) -> str:
    """Returns the one line of an error."""
    result = trajectories(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert "Traceback" not in result.output
    return result.stderr.splitlines()[-1]


def by_hand(weights: Path, indices: list[int]) -> tuple[Any, Any, Any]:
    """Returns probabilities, windows and labels of test images, straight from the model."""
    data = ClutteredMNIST(open_digits("sklearn").test, "test", ClutterRecipe(**RECIPE))
    batch = data.batch(torch.tensor(indices))
    with torch.no_grad():
        logits, window = GlimpseClassifier.from_pretrained(weights)(batch.images)
    return torch.softmax(logits, dim=-1), window, batch.labels


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "npz"])
def test_every_data_format_holds_the_predictions_of_the_model(weights: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"out.{kind}"
    made(weights, "--out", out, "--indices", "7,2,4-5")
    table = load(out)
    probabilities, window, labels = by_hand(weights, [7, 2, 4, 5])
    assert table["index"].tolist() == [i for i in (7, 2, 4, 5) for _ in range(3)]
    assert table["step"].tolist() == [1, 2, 3] * 4
    assert np.array_equal(table["label"].reshape(4, 3)[:, 0], labels.numpy())
    np.testing.assert_allclose(table["probabilities"].reshape(4, 3, 10), probabilities, rtol=1e-5)
    for name, field in window._asdict().items():
        np.testing.assert_allclose(table[name].reshape(4, 3), field, rtol=1e-5)


@pytest.mark.parametrize("first_glimpse", ["random", "centered"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "npz"])
def test_every_scale_of_a_retina_is_a_track(tmp_path: Path, kind: str, first_glimpse: Any) -> None:
    config = RAMConfig(glimpses=3, window=4, hidden=6, features=5, scales=3, first_glimpse=first_glimpse)
    weights, out, indices = (
        written_on_sklearn(tmp_path, config),
        tmp_path / f"out.{kind}",
        torch.tensor([7, 2, 4, 5]),
    )
    made(weights, "--out", out, "--indices", "7,2,4-5", "--pixels")
    table = load(out)
    batch = ClutteredMNIST(open_digits("sklearn").test, "test", ClutterRecipe(**RECIPE)).batch(indices)
    noise = uniforms(indices, 3) if first_glimpse == "random" else None
    with torch.no_grad():
        logits, tracks = RAM.from_pretrained(weights).look(batch.images, None, noise, 0.0, patches=True)
    for scale, track in enumerate(tracks):
        rows = table["scale"] == scale
        assert table["index"][rows].tolist() == [i for i in (7, 2, 4, 5) for _ in range(3)]
        assert table["step"][rows].tolist() == [1, 2, 3] * 4
        assert set(table["window"][rows]) == {"glimpse"}
        assert set(table["stride"][rows]) == {2.0**scale}
        assert np.isnan(table["sigma"][rows]).all()
        for name in ("center_x", "center_y"):
            np.testing.assert_allclose(table[name][rows].reshape(4, 3), getattr(track.window, name))
        np.testing.assert_allclose(table["right"][rows] - table["left"][rows], 3 * 2**scale)
        assert track.patches is not None
        np.testing.assert_allclose(table["pixels"][rows].reshape(4, 3, 1, 4, 4), track.patches, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(
            table["probabilities"][rows].reshape(4, 3, 10), torch.softmax(logits, dim=-1), rtol=1e-4, atol=1e-6
        )
    assert len(table) == 3 * 4 * 3


@pytest.mark.parametrize(
    "config",
    [
        RAMConfig(glimpses=3, window=4, hidden=6, features=5, scales=3, test_samples=2),
        ClassifierConfig(glimpses=3, window=4, hidden=6, features=5, scales=2, parametrization="random"),
    ],
    ids=["ram", "random-glimpses"],
)
def test_pictures_the_page_and_the_summary_are_made_of_windows_at_random(tmp_path: Path, config: ClassifierSettings) -> None:
    weights = written_on_sklearn(tmp_path, config)
    for kind in ("png", "gif", "html"):
        made(weights, "--out", tmp_path / f"out.{kind}", "--count", "2")
        assert (tmp_path / f"out.{kind}").stat().st_size > 1000
    shown = [made(weights, "--summary", "--count", "50", "--json") for _ in range(2)]
    first, again = (result.stdout for result in shown)
    assert first == again
    assert ("One of 2 sampled sequences is shown" in shown[0].stderr) == isinstance(config, RAMConfig)
    summary = json.loads(first)
    assert [step["step"] for step in summary["steps"]] == [1, 2, 3]
    assert ("sigma px" in made(weights, "--summary", "--count", "50").stdout) == isinstance(config, ClassifierConfig)


@pytest.mark.parametrize(
    "config",
    OF_WHOLE_IMAGES,
    ids=lambda config: type(config).__name__,
)
@pytest.mark.parametrize("asked", [["--out", "x.csv"], ["--summary"], ["--out", "x.png"]])
def test_a_model_of_the_whole_image_has_no_windows_to_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: ClassifierSettings, asked: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = written_on_sklearn(tmp_path, config)
    result = trajectories(weights, *asked)
    kind = type(build_classifier(config)).__name__
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr == f"Error: {weights} is a {kind}, which sees the whole image at once: it has no windows to show\n"
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_without_a_count_all_images_are_written(weights: Path, tmp_path: Path) -> None:
    made(weights, "--out", tmp_path / "all.npz")
    count = len(open_digits("sklearn").test.labels)
    assert load(tmp_path / "all.npz")["index"].tolist() == [i for i in range(count) for _ in range(3)]


@pytest.mark.parametrize("kind", ["wrong", "right", "unsure"])
def test_only_takes_the_first_of_its_kind(weights: Path, tmp_path: Path, kind: str) -> None:
    made(
        weights, "--out", tmp_path / "some.csv", "--only", kind, "--count", "3", *(["--margin", "0.03"] if kind == "unsure" else [])
    )
    probabilities, _, labels = by_hand(weights, list(range(200)))
    last = probabilities[:, -1]
    best = last.sort(dim=1, descending=True).values
    of_kind = {
        "wrong": last.argmax(dim=1) != labels,
        "right": last.argmax(dim=1) == labels,
        "unsure": best[:, 0] - best[:, 1] < 0.03,
    }
    expected = of_kind[kind].nonzero()[:3, 0].tolist()
    assert len(expected) == 3
    with (tmp_path / "some.csv").open(newline="") as stream:
        assert [int(row["index"]) for row in csv.DictReader(stream) if row["step"] == "1"] == expected


def test_random_windows_do_not_depend_on_the_other_images(tmp_path: Path) -> None:
    weights = written_on_sklearn(tmp_path, RAMConfig(glimpses=3, window=4, hidden=6, features=5))
    shades = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    for name in ("a", "b"):
        Image.fromarray(shades).save(tmp_path / f"{name}.png")
    made(weights, "--image", tmp_path / "a.png", "--image", tmp_path / "b.png", "--out", tmp_path / "own.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text().splitlines()]
    first, second = ([line | {"index": 0} for line in lines if line["index"] == index] for index in (0, 1))
    assert first == second != []


def test_own_pictures_of_different_sizes_go_into_one_file(weights: Path, tmp_path: Path) -> None:
    for name, size in (("wide.png", (50, 30)), ("tall.png", (28, 40))):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, size[::-1], dtype=np.uint8)).save(tmp_path / name)
    pictures: list[str | Path] = ["--image", tmp_path / "wide.png", "--image", tmp_path / "tall.png"]
    made(weights, *pictures, "--out", tmp_path / "own.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text().splitlines()]
    assert [row["index"] for row in rows] == [0, 0, 0, 1, 1, 1]
    assert {row["label"] for row in rows} == {None}
    assert rows[0]["center_x"] != rows[3]["center_x"]
    made(weights, *pictures, "--out", tmp_path / "own.html")
    heights = []
    for name in ("own.png", "own.gif"):
        made(weights, *pictures, "--out", tmp_path / name)
        with Image.open(tmp_path / name) as sheet:
            heights.append(sheet.height)
    made(weights, *pictures[:2], "--out", tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as sheet:
        assert heights[0] > 1.5 * sheet.height
    assert "class is unknown" in refused(weights, *pictures, "--only", "wrong", "--out", tmp_path / "own.csv")


@pytest.mark.parametrize(("kind", "head"), [("png", b"\x89PNG"), ("gif", b"GIF8"), ("html", b"<!doctype html>")])
def test_pictures_and_the_page_are_made(weights: Path, tmp_path: Path, kind: str, head: bytes) -> None:
    out = tmp_path / "new folder" / f"out.{kind}"
    result = made(weights, "--out", out, "--count", "2", "--json")
    assert out.read_bytes()[: len(head)].lower() == head.lower()
    assert json.loads(result.stdout)["images"] == 2


def test_the_format_may_be_named(weights: Path, tmp_path: Path) -> None:
    made(weights, "--out", tmp_path / "data.txt", "--format", "csv", "--count", "1", "--pixels")
    table = load(tmp_path / "data.txt", "csv")
    assert len(table) == 3
    assert table["pixels"].shape == (3, 16)


def test_the_summary_is_a_table_json_and_a_figure(weights: Path, tmp_path: Path) -> None:
    printed = made(weights, "--summary", "--count", "50").stdout
    result = made(weights, "--summary", "--count", "50", "--json", "--out", tmp_path / "summary.png")
    summary = json.loads(result.stdout)
    probabilities, window, labels = by_hand(weights, list(range(50)))
    wrong = 100 * (probabilities.argmax(dim=-1) != labels[:, None]).double().mean(dim=0)
    assert [step["error"] for step in summary["steps"]] == pytest.approx(wrong.tolist())
    assert summary["steps"][2]["stride"] == pytest.approx(float(np.median(window.stride[:, 2])), rel=1e-5)
    assert f"{wrong[2]:.2f}" in printed
    assert (tmp_path / "summary.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_shows_how_attention_was_learned(tmp_path: Path) -> None:
    few = ["--images=160", "--batch-size=16", "--threads=1"]
    run = trained(tmp_path / "run", "--digits=sklearn", "--canvas=40", *MODEL, *few)
    kept = sorted((run / "checkpoints").glob("weights-*"))
    result = made(run, "--learning", tmp_path / "learning.gif", "--count", "3", "--json")
    assert json.loads(result.stdout)["frames"] == len(kept)
    with Image.open(tmp_path / "learning.gif") as animation:
        assert animation.n_frames == len(kept)  # type: ignore[attr-defined]
    (events,) = run.glob("events*")
    pictures = [
        (event.step, value.image)
        for event in EventFileLoader(str(events)).Load()
        for value in event.summary.value
        if value.tag == "trajectories"
    ]
    assert [step for step, _ in pictures] == [int(path.stem.partition("-")[2]) for path in (kept[0], kept[-1])]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "x.doc"], "choose an ending"),
        (["--out", "x.png", "--count", "1000"], "at most 100 images"),
        (["--out", "x.csv", "--indices", "3,a"], "--indices takes positions"),
        (["--out", "x.csv", "--indices", "100000"], "is not in 0 to"),
        (["--out", "x.csv", "--only", "unsure", "--margin", "0"], "no images match: choose other --indices"),
        (["--out", "x.csv", "--data", "nothing.npz"], "nothing.npz"),
        (["--out", "x.csv", "--image", "broken.png"], "broken.png is no picture"),
        (["--out", "x.csv", "--invert"], "--invert is for --image"),
        (["--out", "x.csv", "--indices", "5-2"], "is reversed"),
        (["--out", "x.csv", "--data", "colored.npz"], "have 3 channels of 30 x 50 pixels"),
        (["--out", "x.png", "--only", "wrong", "--count", "500"], "at most 100 images"),
        (["--out", "x.csv", "--format", "png"], "does not go with x.csv"),
        (["--out", "x.png", "--format", "csv"], "does not go with x.png"),
        (["--out", "x.csv", "--margin", "0.5"], "--margin requires --only unsure"),
        (["--summary", "--pixels", "--format", "csv"], "--summary does not go with --format, --pixels"),
        (["--learning", "x.gif", "--only", "wrong", "--out", "x.png"], "--learning does not go with --only, --out"),
        (["--out", "x.csv", "--image", "broken.png", "--split", "test"], "--image does not go with --split"),
        (["--out", "taken/x.csv"], "taken"),
        (["--summary", "--out", "x.csv"], "drawn as .png"),
        (["--learning", "x.gif"], "no weights kept"),
        ([], "--out FILE, --summary or --learning"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.png").write_bytes(b"\x89PNG no more")
    np.savez("colored.npz", images=np.zeros((3, 30, 50, 3), np.uint8), labels=np.zeros(3, int))
    Path("taken").write_text("a file where a folder is wanted")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert said in refused(weights, *arguments)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_runs_record_is_not_written_over(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    record = tmp_path / "metrics.csv"
    assert f"{record} holds the metrics of a run" in refused(weights, "--out", record)
    assert not record.exists()


def test_a_missing_run_is_refused(tmp_path: Path) -> None:
    assert "no run, weights file or pretrained model" in refused(tmp_path / "nowhere", "--out", tmp_path / "x.csv")
