"""`glimpse train-classifier` in failures: full disks, damaged files, exhausted memory, diverging trainings."""

import errno
import os
from pathlib import Path

import pytest

from glimpse.training.folder import RunFolder
from tests.helpers.classifier_runs import DATA, MODEL, TINY, refused, train

pytestmark = pytest.mark.usefixtures("without_pictures")


def test_a_run_that_diverges_saves_no_state_that_steps_are_being_skipped_in(tmp_path: Path) -> None:
    options = [*MODEL, "--digits=sklearn", "--canvas=40", "--pieces=2", "--images=20000", "--batch-size=16", "--threads=1"]
    out = tmp_path / "run"
    said = refused(*dict.fromkeys(options), "--learning-rate=1e30", "--warmup=0", "--checkpoint-every=0", "--out", out)
    assert "steps in a row had no finite loss or gradient" in said.splitlines()[-1]
    state = RunFolder(out).load()
    assert state is None or state["trainer"]["counters"]["skipped_in_row"] == 0


def test_a_training_that_diverges_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    line = refused(
        *MODEL, *DATA, "--images=3200", "--batch-size=16", "--learning-rate=1e38", "--warmup=0", "--out", tmp_path / "run"
    )
    assert "50 steps in a row" in line
    assert "--learning-rate" in line


@pytest.mark.parametrize("sizes", [["hidden"], ["hidden", "features", "window"]])  # more bytes than memory, and than 64 bits count
def test_a_start_that_fails_leaves_no_folder_behind(tmp_path: Path, sizes: list[str]) -> None:
    huge = [f"--{name}=1000000" for name in sizes]
    said = refused("--digits=sklearn", "--canvas=40", "--model=glimpse", *huge, "--out", tmp_path / "run")
    assert "out of memory" in said
    assert not (tmp_path / "run").exists()


# Failures of the machine


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "run"
    monkeypatch.setattr("glimpse.atomic.os.fsync", full)
    assert refused(*TINY, *DATA, "--out", out) == f"{out / 'config.json'}: No space left on device"
    assert not list(out.iterdir())


def test_a_disk_that_fills_up_while_training_leaves_the_last_checkpoint(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, fsync, calls = tmp_path / "run", os.fsync, 0

    def filling(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 60:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("glimpse.atomic.os.fsync", filling)
        assert refused(*TINY, *DATA, "--checkpoint-every=0", "--out", out).endswith(": No space left on device")
    assert not list(out.rglob("*.tmp"))
    assert train(*TINY, *DATA, "--resume", "--out", out).exit_code == 0
    assert (out / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert refused(*TINY, *DATA, "--out", tmp_path / "run") == f"{tmp_path / 'run'}: Permission denied"


def test_a_file_where_a_folder_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused(*TINY, *DATA, "--out", tmp_path / "file" / "run")


def test_a_damaged_checkpoint_is_one_line(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert train(*TINY, *DATA, "--out", out).exit_code == 0
    checkpoint = out / "checkpoints" / "latest.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert f"{checkpoint} is damaged" in refused("--resume", "--out", out)
