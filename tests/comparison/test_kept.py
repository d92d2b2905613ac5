"""Kept measurements: they are returned unchanged or not at all."""

from pathlib import Path

import numpy as np
import pytest
import torch

from glimpse.comparison import kept
from glimpse.comparison.kept import KeptMeasurements, Measured, Speeds

CPU = torch.device("cpu")
MEASURED = Measured(np.arange(300) % 7, np.arange(300) % 10, parameters=12, multiply_adds=34, size=(40, 50), part="valid")


def same(found: Measured | None) -> bool:
    """Returns whether the measurement that was read equals the one that was kept."""
    return (
        found is not None
        and np.array_equal(found.predicted, MEASURED.predicted)
        and np.array_equal(found.labels, MEASURED.labels)
        and (found.parameters, found.multiply_adds, found.size, found.part) == (12, 34, (40, 50), "valid")
    )


def test_a_kept_measurement_is_returned_only_for_the_same_weights_device_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KeptMeasurements(tmp_path / "new", CPU).keep("a", MEASURED)
    assert same(KeptMeasurements(tmp_path / "new", CPU).read("a"))
    assert KeptMeasurements(tmp_path / "new", CPU).read("b") is None
    assert KeptMeasurements(tmp_path / "new", torch.device("cuda")).read("a") is None
    monkeypatch.setattr(kept, "package_version", lambda: "another")
    assert KeptMeasurements(tmp_path / "new", CPU).read("a") is None


@pytest.mark.parametrize("end", [-30, None])
def test_a_damaged_file_is_ignored(tmp_path: Path, end: int | None) -> None:
    kept = KeptMeasurements(tmp_path, CPU)
    kept.keep("a", MEASURED)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + bytes([whole[100] ^ 255]) + whole[101:end])
    assert kept.read("a") is None
    kept.keep("a", MEASURED)
    assert same(kept.read("a"))


def test_speeds_are_kept_for_exactly_these_models_and_this_number_of_threads(tmp_path: Path) -> None:
    kept, speeds = KeptMeasurements(tmp_path, CPU), Speeds([10.5, 20.0], "cpu", 2)
    kept.keep_speeds(["a", "b"], speeds)
    assert kept.read_speeds(["a", "b"], None) == kept.read_speeds(["a", "b"], 2) == speeds
    assert kept.read_speeds(["a", "b"], 1) is None
    assert kept.read_speeds(["b", "a"], None) is None
    assert kept.read_speeds(["a"], None) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"images_per_second": [1.0]}', b"\xff"])
def test_damaged_speeds_are_ignored(tmp_path: Path, content: bytes) -> None:
    kept = KeptMeasurements(tmp_path, CPU)
    kept.keep_speeds(["a"], Speeds([1.0], "cpu", 1))
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert kept.read_speeds(["a"], None) is None


def test_without_a_folder_nothing_is_kept() -> None:
    kept = KeptMeasurements(None, CPU)
    kept.keep("a", MEASURED)
    kept.keep_speeds(["a"], Speeds([1.0], "cpu", 1))
    assert kept.read("a") is None
    assert kept.read_speeds(["a"], None) is None
