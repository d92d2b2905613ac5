"""An interrupted Python call saves its state, and the resumed run equals an uninterrupted one."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from glimpse.training.calls import train_classifier
from glimpse.training.engine import Record
from tests.helpers.runs import assert_same

pytestmark = pytest.mark.usefixtures("without_pictures")

TINY: dict[str, Any] = {"digits": "sklearn", "canvas": 40, "pieces": 2, "window": 4, "hidden": 8, "features": 8, "glimpses": 2}
TINY |= {"model": "glimpse"}
TINY |= {"images": 640, "batch_size": 16, "validate_every": 160, "log_every": 160, "threads": 1, "checkpoint_every": 1e9}


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_an_interrupted_call_continues_where_it_stopped(tmp_path: Path, number: int, raised: type[BaseException]) -> None:
    seen: list[int] = []

    def interrupt(record: Record) -> None:
        seen.append(record.images)
        if record.images == 240:
            os.kill(os.getpid(), number)

    with pytest.raises(raised):
        train_classifier(out=tmp_path / "stopped", progress=interrupt, **TINY)
    assert seen[-1] <= 256  # the step after the signal is the last one
    resumed: list[int] = []
    result = train_classifier(
        out=tmp_path / "stopped", resume=True, progress=lambda record: resumed.append(record.images), checkpoint_every=1e9
    )
    assert resumed[0] == seen[-1] + 16
    assert (result.images, result.finished) == (640, True)
    train_classifier(out=tmp_path / "whole", **TINY)
    assert_same(tmp_path / "stopped", tmp_path / "whole")


def test_handlers_of_signals_are_given_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    train_classifier(out=tmp_path / "run", **TINY)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_call_in_another_thread_trains_too(tmp_path: Path) -> None:
    thread = threading.Thread(target=lambda: train_classifier(out=tmp_path / "run", **TINY))
    thread.start()
    thread.join()
    assert (tmp_path / "run" / "model.safetensors").is_file()
