"""Models on the Hub, in a local folder: weights, model cards, and the entry points of torch.hub."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi

from glimpse.hub import HubModel, model_card
from tests.helpers.weights import written_generator, written_on_sklearn

ROOT = Path(__file__).parents[1]


def test_a_classifier_is_saved_and_read_back_with_the_same_bytes(tmp_path: Path) -> None:
    weights = written_on_sklearn(tmp_path)
    HubModel.open(weights).save_pretrained(tmp_path / "shared")
    assert (tmp_path / "shared" / "model.safetensors").read_bytes() == weights.read_bytes()
    images, found = torch.rand(2, 1, 40, 40), HubModel.from_pretrained(str(tmp_path / "shared"))
    torch.testing.assert_close(found.network(images)[0], HubModel.open(weights).network(images)[0])


def test_a_generator_is_saved_and_read_back(tmp_path: Path) -> None:
    weights = written_generator(tmp_path / "draw.safetensors")
    HubModel.open(weights).save_pretrained(tmp_path / "shared")
    assert type(HubModel.from_pretrained(tmp_path / "shared").network).__name__ == "DRAW"


def test_the_card_has_the_settings_and_the_best_validation_of_the_run(tmp_path: Path) -> None:
    weights = written_on_sklearn(tmp_path)
    record = {
        "preset": "tuned",
        "command": "train-classifier",
        "model": {},
        "training": {"images": 400, "batch_size": 4, "seed": 3},
    }
    digits = {"name": "sklearn", "digits": "sklearn", "sha256": "", "sizes": {"train": 1437}}
    data = {"kind": "cluttered", "digits": digits, "recipe": {}}
    environment = {"commit": "abc", "device": "cpu", "threads": 1}
    (tmp_path / "config.json").write_text(json.dumps(record | {"data": data, "environment": environment}))
    (tmp_path / "metrics.csv").write_text(
        "images,seconds,images_per_second,valid_error\n100,1,9,20.5\n200,2,9,10.25\n300,3,9,\n400,4,9,12.5\n"
    )
    HubModel.open(tmp_path).save_pretrained(tmp_path / "shared")
    card = (tmp_path / "shared" / "README.md").read_text(encoding="utf-8")
    assert re.match(r"---\n.*?library_name: glimpse\n.*?---\n", card, flags=re.DOTALL)
    assert "validation: 10.25 % error after 200 images" in card
    assert "seed 3" in card
    assert str(weights.parent) not in card


def test_a_model_keeps_its_card_when_it_is_read_and_saved_again(tmp_path: Path) -> None:
    HubModel.open("pretrained:conv").save_pretrained(tmp_path / "first")
    HubModel.from_pretrained(str(tmp_path / "first")).save_pretrained(tmp_path / "second")
    first, second = ((tmp_path / name / "README.md").read_text(encoding="utf-8") for name in ("first", "second"))
    assert "12.78" in first
    assert second == first


def test_a_readme_of_something_else_is_no_card(tmp_path: Path) -> None:
    weights = written_on_sklearn(tmp_path)
    (tmp_path / "README.md").write_text("# Notes\n")
    assert HubModel.from_pretrained(str(tmp_path)).card == model_card(weights)


def test_a_shipped_model_has_its_own_card() -> None:
    assert model_card("pretrained:conv") == (ROOT / "glimpse" / "pretrained" / "conv.md").read_text(encoding="utf-8")


def test_a_push_uploads_the_weights_and_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded: list[set[str]] = []
    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **_: SimpleNamespace(repo_id=repo_id))

    def upload(self: HfApi, *, folder_path: Path, **_: Any) -> None:
        uploaded.append({path.name for path in Path(folder_path).iterdir()})

    monkeypatch.setattr(HfApi, "upload_folder", upload)
    HubModel.open(written_on_sklearn(tmp_path)).push_to_hub("user/name")
    assert uploaded == [{"model.safetensors", "README.md"}]


def test_torch_hub_opens_a_shipped_model() -> None:
    model = torch.hub.load(str(ROOT), "pretrained", "conv", source="local")  # type: ignore[no-untyped-call]
    assert type(model).__name__ == "TwoLayerConv"
