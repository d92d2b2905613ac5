"""Schemas of files: types, ranges, names, and messages that name the field and are short."""

from typing import Any, Literal, NotRequired, TypedDict

import pytest

from glimpse.settings.base import Count, Whole
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.record import check_facts, check_record
from glimpse.settings.schema import check_value, checked_fields


class Part(TypedDict):
    count: Count


class Everything(TypedDict):
    kind: Literal["a", "b"]
    part: Part
    recipe: ClutterRecipe
    pair: tuple[Count, Count] | None
    names: NotRequired[list[str]]
    rates: NotRequired[dict[str, float]]
    seed: NotRequired[Whole | None]


GOOD: dict[str, Any] = {"kind": "a", "part": {"count": 1}, "recipe": {"canvas": 40}, "pair": [1, 2]}


@pytest.mark.parametrize(
    "more",
    [{}, {"pair": None}, {"names": []}, {"names": ["x"], "rates": {"1": 2, "2": 2.5}}, {"seed": None}, {"seed": 0}],
)
def test_values_of_the_right_types_are_accepted(more: dict[str, Any]) -> None:
    assert checked_fields(Everything, GOOD | more, "the whole") == GOOD | more


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "c"}, "the whole's kind must be one of a, b, got 'c'"),
        ({"kind": ["a"]}, "kind must be one of"),
        ({"part": {"count": 0}}, "the whole's part's count must be at least 1, got 0"),
        ({"part": {"count": True}}, "count must be of type int, got True"),
        ({"part": {"count": 10**400}}, "count must be smaller than 2\\^64"),
        ({"part": {"count": 1.0}}, "count must be of type int"),
        ({"part": {}}, "the whole's part has no count"),
        ({"part": []}, "the whole's part must be an object"),
        ({"recipe": {"canvas": "wide"}}, "canvas must be of type int"),
        ({"recipe": 5}, "recipe must be an object"),
        ({"pair": [1]}, "pair must be a list of 2"),
        ({"pair": [1, "2"]}, "pair's item 1 must be of type int"),
        ({"names": [1]}, "names's item 0 must be of type str"),
        ({"names": "x"}, "names must be a list"),
        ({"rates": {"1": None}}, "rates's '1' must be of type float"),
        ({"rates": {"1": float("nan")}}, "rates's '1' must be a finite number"),
        ({"seed": -1}, "seed must be of type int or null, got -1"),
        ({"other": 1}, "the whole has no field 'other'"),
        ({"\x1b[2J": 1}, r"has no field '\\x1b\[2J'"),
    ],
)
def test_a_wrong_value_is_named_in_one_short_line(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        checked_fields(Everything, GOOD | more, "the whole")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 200


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(ValueError, match=r"x\.\.\.$"):
        check_value(int, "x" * 10_000, "count")


RECORD: dict[str, Any] = {
    "command": "train-classifier",
    "preset": "tuned",
    "model": {"glimpses": 3},
    "training": {"images": 64, "batch_size": 8, "seed": 1},
    "data": {"kind": "file", "path": "images.npz", "sha256": "", "shape": [1, 2, 2], "sizes": {"train": 5}},
    "environment": {"threads": 1, "device": "cpu"},
}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": {"glimpses": 10**9}}, "glimpses must be in 1 to 10000, got 1000000000"),
        ({"training": {"learning_rate": 10**400}}, "learning_rate must be smaller than 2"),
        ({"command": "9" * 5000}, "command must be one of train-classifier, train-generator, got '9{56}[.]{3}$"),
        ({"training": {"seed": 1}}, "training has no images, batch_size$"),
        ({"environment": {"threads": 9999, "device": "cpu"}}, "threads must be in 1 to 1024, got 9999"),
        ({"data": {"kind": ["file"]}}, "data's kind must be one of cluttered, file, generative"),
        ({"data": {"kind": "file"}}, "data has no path, sha256, shape, sizes"),
        ({"data": RECORD["data"] | {"sizes": {"test": 5}}}, "data's sizes has no train"),
        ({"data": RECORD["data"] | {"sha256": "9" * 5000}}, "data's sha256 must have at most 4096 characters, got 5000"),
        ({"preset": "best"}, "there is no preset 'best'"),
        ({"sha257": ""}, "the record has no field 'sha257'"),
    ],
)
def test_a_record_is_checked(more: dict[str, Any], said: str) -> None:
    check_record(RECORD)
    with pytest.raises(ValueError, match=said):
        check_record(RECORD | more)


FACTS: dict[str, Any] = {"model": "GlimpseClassifier", "config": {"classes": 2}, "task": {"kind": "file", "sha256": ""}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"task": 5}, "task must be an object, got 5"),
        ({"model": []}, r"model must be of type str, got \[\]"),
        ({"config": {"glimpses": 10**9}}, "glimpses must be in 1 to 10000"),
        ({"task": {"kind": "file", "sha256": "", "class_names": ["a"]}}, "there are 1 names of classes"),
        ({"task": {"kind": "cluttered", "digits": "mnist", "recipe": {"pieces": -1}}}, "pieces must be in 0 to 10000"),
    ],
)
def test_the_facts_of_weights_are_checked(more: dict[str, Any], said: str) -> None:
    check_facts(FACTS)
    check_facts(FACTS | {"model": "OfAnotherVersion", "config": {"anything": []}})
    with pytest.raises(ValueError, match=said):
        check_facts(FACTS | more)
