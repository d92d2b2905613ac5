"""Options by name become requests, and a misspelled one is answered with the nearest names."""

import pytest

from glimpse.settings.catalog import setting_names
from glimpse.settings.requests import ClassifierTrainingRequest, EvaluationRequest, FormChoice, from_options


def test_a_misspelled_option_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(TypeError, match="unexpected option 'glimpss': did you mean glimpses"):
        from_options(ClassifierTrainingRequest, {"glimpss": 3}, setting_names())


def test_an_option_like_no_other_is_answered_with_all_names() -> None:
    with pytest.raises(TypeError, match="unexpected option 'zzz': there are model, split, glimpses"):
        from_options(EvaluationRequest, {"model": "runs/tuned-8", "zzz": 1})


@pytest.mark.parametrize("size", ["9,9", (9,), (9, 0), [9, 9], 9])
def test_a_size_that_is_no_height_and_width_is_refused(size: object) -> None:
    with pytest.raises(ValueError, match=r"size must be a height and a width in pixels, such as \(96, 96\), got "):
        FormChoice(size=size)  # type: ignore[arg-type]


def test_an_unknown_fit_is_refused_with_the_known_ones() -> None:
    assert FormChoice(fit="crop").fit == "crop"
    with pytest.raises(ValueError, match="fit must be one of pad, resize, crop, got 'stretch'"):
        FormChoice(fit="stretch")  # type: ignore[arg-type]
