"""Names of classifiers: models that differ are named by their differences."""

from glimpse.comparison.names import distinct_names
from glimpse.settings.catalog import classifier_presets
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig


def test_kinds_and_names_distinguish_models() -> None:
    configs = {name: preset.model for name, preset in classifier_presets().items()}
    kinds = {name: config.kind for name, config in configs.items()}
    assert kinds == {name: "glimpse" if name in ("tuned", "paper") else name for name in configs}
    assert len({config.title for config in configs.values()}) == len(configs)


def test_only_models_of_one_name_are_distinguished_by_up_to_three_settings_else_by_folder() -> None:
    configs: list[ClassifierSettings] = [ConvConfig(), ConvConfig(), RAMConfig()]
    found = distinct_names(configs, [{"a": 1, "b": 2, "c": 4}, {"a": 1, "b": 3}, {"a": 9}], ["x", "y", "z"])
    assert found == ["conv, b=2, c=4", "conv, b=3", RAMConfig().title]
    many = [dict.fromkeys("abcd", value) for value in (1, 2)]
    assert distinct_names(configs[:2], many, ["x", "y"]) == ["conv, x", "conv, y"]
    assert distinct_names([ClassifierConfig()] * 2, [{"a": 1}] * 2, ["x", "y"]) == [
        f"{ClassifierConfig().title}, {s}" for s in "xy"
    ]
