"""Weights files: their bytes, reading them back, and foreign, damaged or malicious files."""

import hashlib
import json
import pickle
import random
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.weights import find_weights, load_weights, save_weights
from glimpse.settings.glimpse_classifier import ClassifierConfig
from tests.helpers.bomb import Bomb

CONFIG = ClassifierConfig(glimpses=2, window=4, hidden=6, features=5, channels=3, classes=4)
FACTS: dict[str, Any] = {
    "model": "GlimpseClassifier",
    "config": vars(CONFIG),
    "task": {"kind": "cluttered", "digits": "sklearn", "recipe": {"canvas": 40}},
}


def model() -> GlimpseClassifier:
    torch.manual_seed(0)
    return GlimpseClassifier(CONFIG)


def write(path: Path, **changed: Any) -> Path:
    """Writes the model's weights with its facts, some of which are changed."""
    save_weights(path, model().state_dict(), FACTS | changed)
    return path


def header(path: Path) -> dict[str, Any]:
    """Returns the header of a safetensors file, read by the format's specification."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    found: dict[str, Any] = json.loads(content[8 : 8 + length])
    return found


@pytest.mark.parametrize("as_text", [False, True])
def test_from_pretrained_restores_the_model(tmp_path: Path, as_text: bool) -> None:
    write(tmp_path / "model.safetensors")
    images = torch.rand(3, 3, 20, 30)
    for source in (tmp_path, tmp_path / "model.safetensors"):
        found = GlimpseClassifier.from_pretrained(str(source) if as_text else source)
        assert found.config == CONFIG
        assert not found.training
        assert torch.equal(found(images)[0], model()(images)[0])


def test_a_file_has_one_key_of_metadata_and_its_bytes_follow_from_the_weights(tmp_path: Path) -> None:
    first, again = write(tmp_path / "a"), tmp_path / "b"
    state = model().state_dict()
    turned = {name: state[name] for name in reversed(state)}
    save_weights(again, turned, dict(reversed(FACTS.items())))
    assert first.read_bytes() == again.read_bytes()
    assert header(first)["__metadata__"].keys() == {"glimpse"}
    stored = json.loads(header(first)["__metadata__"]["glimpse"])
    digest = stored.pop("sha256")
    assert stored == FACTS
    assert digest == hashlib.sha256(first.read_bytes().replace(digest.encode(), b"0" * 64)).hexdigest()
    assert write(tmp_path / "c", task={"kind": "file"}).read_bytes() != first.read_bytes()


def test_the_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    code = f"""
import torch
from glimpse.models.glimpse_classifier import GlimpseClassifier, ClassifierConfig
from glimpse.models.weights import save_weights
from pathlib import Path
torch.manual_seed(0)
save_weights(Path("other"), GlimpseClassifier(ClassifierConfig(**{vars(CONFIG)!r})).state_dict(), {FACTS!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert (tmp_path / "other").read_bytes() == write(tmp_path / "mine").read_bytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 100, b"\x08" + bytes(7) + b"{}      "])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="does not contain weights written by glimpse"):
        load_weights(tmp_path)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"glimpse": "{"}, {"glimpse": "[]"}, {"glimpse": '{"model": "x"}'}])
def test_weights_of_other_programs_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors", metadata=metadata)
    with pytest.raises(ValueError, match="does not contain weights written by glimpse"):
        load_weights(tmp_path / "foreign.safetensors")


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole").read_bytes()
    cut = tmp_path / "cut"
    for length in [*range(0, 64, 7), *random.Random(0).sample(range(len(whole)), 40), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"does not contain weights written by glimpse|is damaged"):
            GlimpseClassifier.from_pretrained(cut)


def test_no_file_of_weights_can_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Bomb()}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="does not contain"):
        GlimpseClassifier.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="does not contain"):
        GlimpseClassifier.from_pretrained(tmp_path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "Draw"}, "holds the weights of Draw, not of GlimpseClassifier"),
        ({"config": vars(CONFIG) | {"hidden": 7}}, "do not fit its config"),
        ({"config": vars(CONFIG) | {"encoder": "none"}}, "do not fit its config"),
        ({"config": vars(CONFIG) | {"encoder": "cnn"}}, "encoder must be one of"),
        ({"config": vars(CONFIG) | {"future": 1}}, "has no field future"),
        ({"config": vars(CONFIG) | {"hidden": "many"}}, "hidden must be of type int"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        GlimpseClassifier.from_pretrained(write(tmp_path / "weights", **changed))
    assert "\n" not in str(error.value)


def test_missing_weights_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no model\.safetensors"):
        find_weights(tmp_path)
    with pytest.raises(ValueError, match="no run, weights file or pretrained model at"):
        find_weights(tmp_path / "nothing")
    with pytest.raises(ValueError, match="no pretrained model is called 'nothing'"):
        find_weights("pretrained:nothing")


def without_digest(path: Path, tensors: dict[str, torch.Tensor] | None = None, **changed: Any) -> Path:
    """Writes weights as older versions did, some facts of which are changed."""
    save_file(tensors or model().state_dict(), path, metadata={"glimpse": json.dumps(FACTS | changed)})
    return path


def test_weights_of_older_versions_without_a_digest_open(tmp_path: Path) -> None:
    images = torch.rand(3, 3, 20, 30)
    found = GlimpseClassifier.from_pretrained(without_digest(tmp_path / "old"))
    assert torch.equal(found(images)[0], model()(images)[0])


def test_every_byte_of_damage_is_noticed(tmp_path: Path) -> None:
    whole, draw = write(tmp_path / "whole").read_bytes(), random.Random(0)
    damaged = tmp_path / "damaged"
    for place in [*range(16), *draw.sample(range(len(whole)), 60)]:
        content = bytearray(whole)
        content[place] ^= 1 << draw.randrange(8)
        damaged.write_bytes(content)
        with pytest.raises(ValueError, match=r"does not contain weights written by glimpse|is damaged"):
            load_weights(damaged)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e30, -2e9])
def test_weights_that_no_training_gives_are_refused(tmp_path: Path, value: float) -> None:
    tensors = model().state_dict()
    first = next(iter(tensors))
    tensors[first].flatten()[0] = value
    with pytest.raises(ValueError, match=f"holds weights that cannot be used .{re.escape(first)} holds"):
        load_weights(without_digest(tmp_path / "old", tensors))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": 5}, "task must be an object"),
        ({"model": []}, "model must be of type str"),
        ({"config": vars(CONFIG) | {"glimpses": 10**9}}, "glimpses must be in 1 to 10000"),
        ({"config": vars(CONFIG) | {"classes": 2**63}}, "classes must be in 1 to 1000000, got 9223372036854775808"),
        ({"config": vars(CONFIG) | {"hidden": 10**6}}, "do not fit its config"),
        ({"config": vars(CONFIG) | {"window": 10**6, "features": 10**6}}, "do not fit its config"),
        ({"other": 1}, "has no field 'other'"),
    ],
)
def test_a_foreign_description_is_one_line_and_requests_no_memory(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        GlimpseClassifier.from_pretrained(without_digest(tmp_path / "old", **changed))
    assert "\n" not in str(error.value)
