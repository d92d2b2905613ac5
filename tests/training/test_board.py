"""What TensorBoard gets of a classifier's validation besides the columns of metrics.csv."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from glimpse.evaluation.evaluate import evaluate
from glimpse.training.calls import train_classifier
from glimpse.trajectories.calls import look

TINY = {"digits": "sklearn", "canvas": 40, "pieces": 2, "threads": 1, "device": "cpu", "window": 4, "hidden": 8, "features": 8}
BUDGET = {"images": 96, "batch_size": 16, "validate_every": 96, "log_every": 48, "warmup": 16, "averaging": 0}


def test_tensorboard_gets_the_error_and_the_distance_by_glimpse_which_the_file_of_metrics_leaves_out(tmp_path: Path) -> None:
    run = train_classifier(**TINY, **BUDGET, glimpses=3, out=tmp_path / "run")  # type: ignore[arg-type]
    events = EventAccumulator(str(run.folder))
    events.Reload()
    found = evaluate(run.folder, split="valid", threads=1, device="cpu").result
    shown = [events.Scalars(f"valid/error_by_glimpse/{step:02d}")[-1].value for step in (1, 2, 3)]
    assert shown == pytest.approx(found.error_by_glimpse)  # type: ignore[union-attr]
    parts = list(look(run.folder, split="valid", threads=1, device="cpu"))
    window = [torch.cat([part.tracks[0].window[axis] - part.digits[:, axis, None] for part in parts]) for axis in (0, 1)]
    distances = torch.hypot(*window)  # (N, T)
    for step in range(3):
        value = events.Scalars(f"valid/distance_px/{step + 1:02d}")[-1].value
        assert value == pytest.approx(float(distances[:, step].double().quantile(0.5)), rel=1e-4)
        far = events.Scalars(f"valid/far_percent/{step + 1:02d}")[-1].value
        assert far == pytest.approx(100 * float((distances[:, step] > 20).double().mean()))
    header = (run.folder / "metrics.csv").read_text().splitlines()[0]
    assert header.endswith("valid_error,valid_nll")
