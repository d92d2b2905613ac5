"""The cases: what each makes, how often each is there, and what a training step is."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glimpse.benchmarking.cases import bench_plan, steps_for_threads
from glimpse.benchmarking.operations import classifier_operations
from glimpse.benchmarking.trainers import ClassifierSteps, GeneratorSteps
from glimpse.settings.base import from_mapping
from glimpse.settings.catalog import classifier_preset
from glimpse.settings.draw import GENERATOR_PRESETS
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.requests import BenchRequest, What
from glimpse.training.engine import Record

CPU = torch.device("cpu")
SMALL = {"glimpses": 2, "window": 4, "hidden": 8}


def test_the_filterbanks_cases_give_filters_images_and_gradients() -> None:
    made = {case.name: (case.count, case.build(CPU)()) for case in bench_plan(BenchRequest("filterbank")).cases}
    shapes = {"filters": (128, 12, 100), "read": (128, 1, 12, 12), "write": (128, 1, 100, 100)}
    for name, shape in shapes.items():
        count, result = made[name]
        assert isinstance(result, Tensor)
        assert result.shape == shape
        assert not result.requires_grad
        _, gradients = made[f"{name}+grads"]
        assert isinstance(gradients, tuple)
        wanted = {"filters": (2, 4, 5), "read": (0, 2, 3, 4, 5, 6), "write": (1, 2, 3, 4, 5, 6)}[name]  # of image, patch, window
        assert [i for i, gradient in enumerate(gradients) if gradient is not None] == list(wanted)
        assert all(bool(gradients[i].isfinite().all()) and bool(gradients[i].any()) for i in wanted)
        assert count == (128 * 12 if name == "filters" else 128)


def test_clutter_is_drawn_afresh_in_each_call() -> None:
    work = bench_plan(BenchRequest("clutter")).cases[0].build(CPU)
    first, second = work(), work()
    assert first.images.shape == (128, 1, 100, 100)  # type: ignore[attr-defined]
    assert not torch.equal(first.images, second.images)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "steps",
    [
        ClassifierSteps("tuned", 4, {**SMALL, "features": 8}, canvas=40),
        ClassifierSteps("ram", 4, {**SMALL, "features": 8}, canvas=40),
        GeneratorSteps("mnist-small", 4, {"glimpses": 2, "hidden": 8}),
    ],
)
def test_a_step_trains_on_one_batch_more_and_never_validates(steps: ClassifierSteps | GeneratorSteps) -> None:
    trainer = steps.trainer(CPU)
    weights = [parameter.clone() for parameter in trainer.task.model.parameters()]
    records = [record for record, _ in zip(trainer.fit(), range(3), strict=False)]
    assert [record.images for record in records] == [4, 8, 12]
    assert not any(name.startswith("valid") for record in records for name in record.values)
    assert any(not torch.equal(old, new) for old, new in zip(weights, trainer.task.model.parameters(), strict=True))
    work = steps.work(CPU)
    assert isinstance(work(), Record)


@pytest.mark.parametrize("preset", ["tuned", "ram"])
def test_a_training_is_the_presets_but_for_its_end(preset: str) -> None:
    steps = ClassifierSteps(preset)
    changed = {"images", "validate_every"}
    trained, usual = vars(steps.training), vars(classifier_preset(preset).training)
    assert {name for name in trained if trained[name] != usual[name]} == changed
    assert steps.config == classifier_preset(preset).model
    generator = GENERATOR_PRESETS["mnist"].training
    assert GeneratorSteps("mnist").training == replace(generator, images=10**12, validate_every=10**12)


def test_a_kind_without_counted_operations_is_refused() -> None:
    with pytest.raises(ValueError, match="not for preset conv"):
        _ = ClassifierSteps("conv").operations


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("clutter", ["clutter 128", "clutter 1024"]),
        ("classifier", ["classifier"]),
        ("ram", ["ram"]),
        ("generator", ["draw T 64", "draw small"]),
    ],
)
def test_a_part_has_its_cases(what: What, names: list[str]) -> None:
    assert [case.name for case in bench_plan(BenchRequest(what)).cases] == names


def test_all_parts_together_have_each_case_once() -> None:
    names = [case.name for case in bench_plan(BenchRequest(growth=True)).cases]
    assert len(names) == len(set(names)) == 12 + 8 + 2  # the presets' own values are among the usual cases


def test_one_setting_grows_at_a_time() -> None:
    growths = {(each.setting, each.value): each.case for each in bench_plan(BenchRequest("classifier", growth=True)).growths}
    assert len(growths) == 12
    assert [growths["batch", value].count for value in (32, 128, 512)] == [32, 128, 512]
    for setting, value in (("window", 24), ("glimpses", 32), ("window", 12), ("glimpses", 8)):
        expected = classifier_operations(from_mapping(ClassifierConfig, {setting: value}), 100, 100).step
        assert growths[setting, value].operations == expected
    assert growths["canvas", 200].operations == classifier_operations(ClassifierConfig(), 200, 200).step
    usual = [case for (setting, _), case in growths.items() if case.name == "classifier"]
    assert len(usual) == 4
    works = growths["batch", 32].build(CPU)
    assert works().images == 32  # type: ignore[attr-defined]


def test_operations_of_a_longer_drawing_grow_with_its_steps() -> None:
    cases = {each.value: each.case for each in bench_plan(BenchRequest("generator", growth=True)).growths}
    assert cases[64].operations.multiply_adds == 4 * cases[16].operations.multiply_adds == 16 * cases[4].operations.multiply_adds
    assert cases[16].name == "draw small"


def test_threads_are_chosen_by_what_is_trained() -> None:
    assert steps_for_threads(BenchRequest("ram")).preset == "ram"
    assert steps_for_threads(BenchRequest("clutter")).preset == steps_for_threads(BenchRequest()).preset == "tuned"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"what": "everything"}, "--what must be one of filterbank, clutter, .*, got 'everything'"),
        ({"seconds": 0.0}, "--seconds must be a finite number greater than 0, got 0"),
        ({"seconds": math.inf}, "got inf"),
        ({"what": "ram", "growth": True}, "--growth is for --what classifier, generator or all, not for ram"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BenchRequest(**options)  # type: ignore[arg-type]
