"""The notation of ranges of settings, its check against the settings, and files of ranges."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from glimpse.settings.requests import SweepChoice
from glimpse.settings.variation import ModelKind, Variation, parse_variation, read_variations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rate=1e-4:1e-2:log", Variation("learning_rate", 1e-4, 1e-2, log=True)),
        ("--learning-rate = 0.001 : 0.1", Variation("learning_rate", 0.001, 0.1)),
        ("dropout=0:0.5:0.1", Variation("dropout", 0.0, 0.5, step=0.1)),
        ("hidden=64:256", Variation("hidden", 64, 256)),
        ("hidden=64:256:64", Variation("hidden", 64, 256, step=64)),
        ("hidden=16:256:log", Variation("hidden", 16, 256, log=True)),
        ("window=8,10,12", Variation("window", choices=(8, 10, 12))),
        ("parametrization=paper,pointing", Variation("parametrization", choices=("paper", "pointing"))),
        ("deterministic=true,no", Variation("deterministic", choices=(True, False))),
        ("distort=0,6,12", Variation("distort", choices=(0, 6, 12))),
    ],
)
def test_a_notation_is_read_and_written_again(text: str, expected: Variation) -> None:
    found = parse_variation(text, "classifier")
    assert found == expected
    assert [type(value) for value in (found.low, found.high)] == [type(value) for value in (expected.low, expected.high)]
    assert parse_variation(str(found), "classifier") == expected


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("learning_rate", "classifier", "gives no values: write NAME=LOW:HIGH"),
        ("dropout=", "classifier", "gives no values"),
        ("learnin_rate=1:2", "classifier", "there is no setting 'learnin_rate' to vary: did you mean learning_rate"),
        ("channels=1:3", "classifier", "there is no setting 'channels' to vary"),
        ("distort=0:6", "generator", "there is no setting 'distort' to vary"),
        ("window=4:8", "generator", "there is no setting 'window' to vary"),
        ("dropout=0:1.5", "classifier", "dropout must be in 0 to 0.95, got 1.5"),
        ("dropout=0:a", "classifier", "dropout must be a number, got 'a'"),
        ("hidden=8:16.5", "classifier", "hidden must be an integer, got '16.5'"),
        ("hidden=0,8", "classifier", "hidden must be in 1 to 1000000, got 0"),
        ("hidden=16:8", "classifier", "'hidden=16:8' is empty"),
        ("hidden=8:16:32", "classifier", "needs a step greater than 0 and at most 8"),
        ("hidden=8:16:2:2", "classifier", "too many parts"),
        ("dropout=0:0.5:log", "classifier", "has no logarithm at 0.0"),
        ("parametrization=paper:pointing", "classifier", "parametrization is no number"),
        ("parametrization=paper,other", "classifier", "parametrization must be one of"),
        ("compile=true,maybe", "classifier", "compile must be true or false, got 'maybe'"),
        ("hidden=8,8", "classifier", "leaves nothing to vary"),
    ],
)
def test_a_notation_that_says_nothing_is_refused_in_words(text: str, kind: ModelKind, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_variation(text, kind)


def test_a_file_of_ranges_holds_the_same(tmp_path: Path) -> None:
    expected = [
        Variation("learning_rate", 1e-4, 1e-2, log=True),
        Variation("read", choices=(2, 5)),
        Variation("hidden", 8, 64, step=8),
    ]
    toml, other = tmp_path / "space.toml", tmp_path / "space.json"
    toml.write_text('learning_rate = "1e-4:1e-2:log"\nread = [2, 5]\nhidden = "8:64:8"\n')
    other.write_text(json.dumps({"learning_rate": "1e-4:1e-2:log", "read": [2, 5], "hidden": "8:64:8"}))
    assert read_variations(toml, "generator") == expected
    assert read_variations(other, "generator") == expected


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("space.toml", "learning_rate = 1e-4:1e-2", "cannot be read"),
        ("space.json", "[1, 2]", "must hold a table of settings"),
        ("space.json", "{}", "must hold a table of settings"),
        ("space.toml", b"\xff", "cannot be read"),
        ("space.toml", "dropout = 0.5", "leaves nothing to vary"),
    ],
)
def test_another_file_is_refused_in_words(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=said):
        read_variations(tmp_path / name, "classifier")


def test_a_sweep_varies_something_once() -> None:
    dropout = Variation("dropout", 0.0, 0.5)
    wrong: list[tuple[tuple[Variation, ...], dict[str, Any], str]] = [
        ((), {}, "nothing is varied"),
        ((dropout, dropout), {}, "dropout is varied twice"),
        ((dropout,), {"trials": 0}, "trials must be at least 1"),
        ((dropout,), {"workers": 0}, "workers must be at least 1"),
        ((dropout,), {"sampler_seed": -1}, "sampler_seed must be at least 0"),
    ]
    for vary, changes, said in wrong:
        with pytest.raises(ValueError, match=said):
            SweepChoice(vary, Path("out"), **changes)
    assert SweepChoice((dropout,), Path("out")).study_file == Path("out") / "study.db"
    assert SweepChoice((dropout,), Path("out"), study=Path("a.db")).study_file == Path("a.db")
