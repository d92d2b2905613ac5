"""Checkpoints with damaged content: nothing is loaded that a trainer of the run's settings cannot have written."""

import copy
import io
import json
import math
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from glimpse.models.weights import save_weights
from glimpse.settings.record import read_config
from glimpse.training.checkpoint import digest_of, packed, unpacked
from glimpse.training.loop import latest_state, train_in
from tests.helpers.lines import CONFIG, FACTS, started, trainer

Edit = Callable[[dict[str, Any]], None]


def moments(state: dict[str, Any]) -> dict[str, Any]:
    """Returns the optimizer's state of the first parameter."""
    found: dict[str, Any] = state["optimizer"]["state"][0]
    return found


EDITS: dict[str, tuple[Edit, str]] = {
    "a moment is too long": (lambda state: moments(state).update(exp_avg=torch.zeros(7)), r"exp_avg .* shape \(7,\)"),
    "a moment is too short": (lambda state: moments(state).update(exp_avg_sq=torch.zeros(0)), r"exp_avg_sq .* shape \(0,\)"),
    "a moment is a number": (lambda state: moments(state).update(exp_avg=1.0), "no dense tensor"),
    "a moment is sparse": (lambda state: moments(state).update(exp_avg=torch.zeros(1, 1).to_sparse()), "no dense tensor"),
    "a moment is of integers": (lambda state: moments(state).update(exp_avg=torch.zeros(1, 1, dtype=torch.int64)), "has type"),
    "a moment is NaN": (lambda state: moments(state).update(exp_avg=torch.full((1, 1), math.nan)), "NaN or infinite"),
    "a second moment is negative": (lambda state: moments(state).update(exp_avg_sq=-torch.ones(1, 1)), "negative"),
    "a moment is missing": (lambda state: moments(state).pop("exp_avg"), "must hold step, exp_avg"),
    "a moment is unknown": (lambda state: moments(state).update(max_exp_avg_sq=torch.zeros(1, 1)), "must hold step, exp_avg"),
    "updates are many": (lambda state: moments(state).update(step=torch.tensor(1e9)), "expected 0 to 40"),
    "updates are negative": (lambda state: moments(state).update(step=torch.tensor(-1.0)), "expected 0 to 40"),
    "updates are NaN": (lambda state: moments(state).update(step=torch.tensor(math.nan)), "expected 0 to 40"),
    "a parameter is unknown": (lambda state: state["optimizer"]["state"].update({9: moments(state)}), "unknown parameters"),
    "a group is missing": (lambda state: state["optimizer"]["param_groups"].pop(), "must have 2 groups"),
    "groups are swapped": (lambda state: state["optimizer"]["param_groups"].reverse(), "other parameters"),
    "betas are three": (lambda state: state["optimizer"]["param_groups"][0].update(betas=(0.9, 0.9, 0.9)), "betas must be"),
    "a beta is above 1": (lambda state: state["optimizer"]["param_groups"][0].update(betas=(0.9, 1.5)), "betas must be"),
    "a rate is negative": (lambda state: state["optimizer"]["param_groups"][1].update(lr=-0.1), "lr must be"),
    "a rate is NaN": (lambda state: state["optimizer"]["param_groups"][0].update(lr=math.nan), "lr must be"),
    "a weight is missing": (lambda state: state["model"].pop("bias"), "missing, such as 'bias'"),
    "a weight is unknown": (lambda state: state["model"].update(scale=torch.ones(1)), "unknown, such as 'scale'"),
    "a weight is infinite": (lambda state: state["model"].update(bias=torch.full((1,), math.inf)), "NaN or infinite"),
    "an average is too long": (lambda state: state["averaged"].update({"module.bias": torch.ones(2)}), "has shape"),
    "a count is negative": (lambda state: state["averaged"].update(n_averaged=torch.tensor(-10)), "expected at least 0"),
    "no average": (lambda state: state.update(averaged=None), "averaged"),
    "a step is a text": (lambda state: state["counters"].update(step="40"), "step must be an integer"),
    "a step is true": (lambda state: state["counters"].update(step=True), "step must be an integer"),
    "more steps than the budget": (lambda state: state["counters"].update(step=41), "0 to 40, got 41"),
    "a counter is a method": (lambda state: state["counters"].update(fit=3), "counters must hold"),
    "the best is impossible": (lambda state: state["counters"].update(best=-math.inf), "best validation must be"),
    "the best is a text": (lambda state: state["counters"].update(best="1"), "best validation must be"),
    "the step is negative": (lambda state: state["counters"].update(step=-1), "0 to 40, got -1"),
    "the best is NaN": (lambda state: state["counters"].update(best=math.nan), "best validation must be"),
    "sums of texts": (lambda state: state["sums"].update(loss="1"), "sum of loss must be"),
    "a sum of losses is NaN": (lambda state: state["sums"].update(loss=math.nan), "sum of loss must be"),
    "a sum is whole": (lambda state: state["sums"].update(slope=1), "sum of slope must be"),
    "an unknown sum": (lambda state: state["sums"].update(other=1.0), "sums must hold some of"),
    "sums are a list": (lambda state: state.update(sums=[1.0]), "sums must hold some of"),
    "a part is missing": (lambda state: state.pop("sums"), "the state must hold"),
    "the optimizer is a list": (lambda state: state.update(optimizer=[]), "the optimizer must hold"),
}


@pytest.fixture(scope="module")
def finished() -> dict[str, Any]:
    """Returns the state of a finished training."""
    run = trainer(4, 3, 2, 1)
    list(run.fit())
    return run.state()


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=EDITS)
def test_a_state_that_no_trainer_wrote_is_refused_and_changes_nothing(finished: dict[str, Any], edit: Edit, said: str) -> None:
    state, new = copy.deepcopy(finished), trainer(1)
    edit(state)
    before = {name: value.clone() for name, value in new.task.model.state_dict().items()}
    with pytest.raises(ValueError, match=said):
        new.restore(state)
    torch.testing.assert_close(new.task.model.state_dict(), before, rtol=0, atol=0)
    assert (new.step, new.optimizer.state_dict()["state"]) == (0, {})


def test_a_moment_gets_memory_of_its_own(finished: dict[str, Any]) -> None:
    state, new = copy.deepcopy(finished), trainer(1)
    one = torch.zeros(1)
    for place in (0, 1):  # overlapping memory, as a crafted file may ask for: the fused optimizer would write past its end
        state["optimizer"]["state"][place] |= {
            name: one.expand(1, 1)[:, :1] if place == 0 else one for name in ("exp_avg", "exp_avg_sq")
        }
    new.restore(state)
    tensors = [value for each in new.optimizer.state.values() for name, value in each.items() if name != "step"]
    assert len({value.data_ptr() for value in tensors}) == 4


def test_a_parameter_that_was_never_updated_has_no_moments(finished: dict[str, Any]) -> None:
    state, new = copy.deepcopy(finished), trainer(1)
    del state["optimizer"]["state"][1]
    new.restore(state)
    assert len(new.optimizer.state) == 1


def test_a_checkpoint_of_an_older_version_resumes(finished: dict[str, Any], tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    folder.prepare()
    state = copy.deepcopy(finished)
    del state["counters"]["stale"]
    torch.save({"trainer": state, "seconds": 1.5}, folder.checkpoints / "latest.pt")
    restored = trainer(1)
    assert list(train_in(folder, restored, FACTS)) == []
    assert (restored.step, restored.stale) == (40, 0)


def test_what_a_trainer_can_have_is_restored(finished: dict[str, Any]) -> None:
    state, new = copy.deepcopy(finished), trainer(1)
    state["sums"] = {"slope": math.nan}  # a task's own metric
    state["counters"] |= {"best": math.inf, "stale": 40}
    new.restore(state)
    assert (new.best, new.stale) == (math.inf, 40)


def test_averages_are_refused_if_the_settings_have_none(finished: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its weights are averaged and those of the settings are not"):
        trainer(1, config=replace(CONFIG, averaging=0)).restore(copy.deepcopy(finished))


# The digest


@pytest.mark.parametrize(
    ("step", "seconds", "is_possible"),
    [
        (0, 0.0, True),
        (4, 1.5, True),
        (-1, 1.0, False),
        (True, 1.0, False),
        ("4", 1.0, False),
        (4, 1, False),
        (4, -1.0, False),
        (4, math.inf, False),
        (4, math.nan, False),
    ],
)
def test_an_older_checkpoint_has_a_possible_step_and_time(step: Any, seconds: Any, is_possible: bool) -> None:
    buffer = io.BytesIO()
    torch.save({"trainer": {"counters": {"step": step}}, "seconds": seconds}, buffer)
    with nullcontext() if is_possible else pytest.raises(ValueError, match="it cannot be at step"):
        assert unpacked(buffer.getvalue())["seconds"] == seconds


def test_a_checkpoint_that_was_packed_again_or_has_another_byte_is_refused(finished: dict[str, Any]) -> None:
    content, again = packed({"trainer": finished, "seconds": 1.0}), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as other:
        for name in whole.namelist():
            other.writestr(name, whole.read(name))
    with pytest.raises(ValueError, match="it is compressed"):
        unpacked(again.getvalue())
    place = content.index(finished["model"]["weight"].numpy().tobytes())
    with pytest.raises(ValueError, match="a checksum differs"):
        unpacked(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])


def test_values_that_differ_in_type_alone_have_different_digests() -> None:
    values = [1, 1.0, True, "1", None, [1], (1,), {1: 1}, {"1": 1}, {}, [], torch.ones(1), torch.ones(1, 1), torch.ones(1).int()]
    assert len({digest_of(value) for value in values}) == len(values)
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    with pytest.raises(TypeError, match="a checkpoint cannot hold a set"):
        digest_of({1})


def test_any_other_value_has_another_digest(finished: dict[str, Any]) -> None:
    content = {"trainer": copy.deepcopy(finished), "seconds": 1.0}
    whole = torch.load(io.BytesIO(packed(content)), weights_only=True)
    assert unpacked(packed(content)).keys() == content.keys()

    def changed(edit: Edit) -> bytes:
        buffer, other = io.BytesIO(), copy.deepcopy(whole)
        edit(other)
        torch.save(other, buffer)
        return buffer.getvalue()

    edits: list[Edit] = [
        lambda whole: whole.update(seconds=2.0),
        lambda whole: whole["trainer"]["counters"].update(step=39),
        lambda whole: whole["trainer"]["model"]["bias"].add_(1e-7),
        lambda whole: whole["trainer"]["model"].update(bias=whole["trainer"]["model"]["bias"].double()),
        lambda whole: whole["trainer"]["sums"].update(loss=0.0),
        lambda whole: whole.update(more=None),
        lambda whole: whole.update(sha256="0" * 64),
    ]
    assert unpacked(changed(lambda whole: None))["seconds"] == 1.0
    for edit in edits:
        with pytest.raises(ValueError, match="differs from its digest"):
            unpacked(changed(edit))


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    first, second = started(tmp_path / "first"), started(tmp_path / "second")
    list(train_in(first, trainer(4, 3, 2, 1), FACTS))
    config = second.config
    config["training"] |= {"learning_rate": 0.5}
    second.write_config(config)
    second.prepare()
    (second.checkpoints / "latest.pt").write_bytes((first.checkpoints / "latest.pt").read_bytes())
    with pytest.raises(ValueError, match="of a run with other settings"):
        second.load()


def test_metrics_that_were_changed_after_the_checkpoint_are_noticed(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    list(train_in(folder, trainer(4, 3, 2, 1), FACTS))
    file = folder.path / "metrics.csv"
    text = file.read_text()
    file.write_text(text[:-2] + "2\n")  # the last validation was 1
    with pytest.raises(ValueError, match=r"metrics\.csv was damaged or changed after the checkpoint"):
        list(train_in(folder, trainer(1), FACTS))
    file.unlink()
    assert list(train_in(folder, trainer(1), FACTS)) == []


def test_settings_that_were_edited_are_refused_in_a_run_but_not_as_a_file(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    file = folder.path / "config.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps(dict(reversed(record.items()))))  # another layout of the same content
    assert folder.config == record
    file.write_text(json.dumps(record | {"model": {"hidden": 255}}))
    with pytest.raises(ValueError, match="its digest differs"):
        _ = folder.config
    assert read_config(file)["model"] == {"hidden": 255}


def test_the_best_weights_of_a_run_are_checked(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    list(train_in(folder, trainer(4, 3, 2, 1), FACTS))
    folder.check_weights(1.0)
    file = folder.path / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="is damaged"):
        folder.check_weights(1.0)
    save_weights(file, nn.Linear(1, 1).state_dict(), FACTS | {"config": {"hidden": 3}})
    with pytest.raises(ValueError, match="of another config"):
        folder.check_weights(1.0)
    file.unlink()
    with pytest.raises(ValueError, match="is missing"):
        folder.check_weights(1.0)
    folder.check_weights(math.inf)


def test_a_kill_between_the_two_checkpoints_resumes_from_the_best(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    list(train_in(folder, trainer(4, 3, 2, 1), FACTS))
    (folder.checkpoints / "latest.pt").unlink()
    state = latest_state(folder, trainer(1))
    assert state is not None
    assert state["trainer"]["counters"]["step"] == 40
