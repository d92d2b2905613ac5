"""Options by name become requests, and a misspelled one is answered with the nearest names."""

import pytest

from glimpse.settings.catalog import setting_names
from glimpse.settings.requests import ClassifierTrainingRequest, EvaluationRequest, from_options


def test_a_misspelled_option_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(TypeError, match="unexpected option 'glimpss': did you mean glimpses"):
        from_options(ClassifierTrainingRequest, {"glimpss": 3}, setting_names())


def test_an_option_like_no_other_is_answered_with_all_names() -> None:
    with pytest.raises(TypeError, match="unexpected option 'zzz': there are model, split, glimpses"):
        from_options(EvaluationRequest, {"model": "runs/tuned-8", "zzz": 1})
