"""A run's folder: what is written, what is dropped after a kill, and errors of damaged files."""

import csv
import functools
import hashlib
import itertools
import os
import pickle
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from glimpse.atomic import leftovers, write_atomically
from glimpse.models.weights import load_weights
from glimpse.settings.record import read_config, refuse_record
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Record, Trainer
from glimpse.training.folder import RunFolder
from glimpse.training.loop import SNAPSHOTS, StoppedError, train_in
from tests.helpers.bomb import Bomb
from tests.helpers.lines import FACTS, SETTINGS, started, trainer


def images_in_rows(folder: RunFolder) -> list[int]:
    with (folder.path / "metrics.csv").open(newline="") as file:
        return [int(row["images"]) for row in csv.DictReader(file)]


def reached(run: Trainer, images: int) -> int | None:
    return 143 if run.images >= images else None


def read_until(records: Iterator[Record], images: int) -> None:
    """Reads records until this number of images has been seen, then abandons the training as a kill would."""
    for record in records:
        if record.images >= images:
            return


# What is written


def test_metrics_are_in_columns_and_empty_if_no_validation_was_due(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    list(train_in(folder, trainer(4, 3, 2, 1), FACTS))
    rows = folder.rows()
    assert [int(row["images"]) for row in rows] == list(range(50, 401, 50))
    assert [row["valid_error"] for row in rows] == ["", "4", "", "3", "", "2", "", "1"]
    assert list(rows[0])[:4] == ["images", "seconds", "images_per_second", "loss"]
    assert all(float(row["slope"]) for row in rows)


def test_tensorboard_reads_the_metrics_of_the_file(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    read_until(train_in(folder, trainer(4, 3), FACTS), 270)
    list(train_in(folder, trainer(2, 1), FACTS))
    events = EventAccumulator(str(folder.path))
    events.Reload()
    for tag, column in (("loss", "loss"), ("valid/error", "valid_error"), ("learning_rate", "learning_rate")):
        points = {event.step: event.value for event in events.Scalars(tag)}
        assert points == pytest.approx({int(row["images"]): float(row[column]) for row in folder.rows() if row[column]})


def test_the_weights_are_those_that_validated_best(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    state: dict[str, Tensor] = {}
    run = trainer(4, 2, 3, 2.5)
    for record in train_in(folder, run, FACTS):
        if record.images == 200:
            state = {name: value.clone() for name, value in run.model.state_dict().items()}
    weights, facts = load_weights(folder.path)
    assert facts == FACTS
    torch.testing.assert_close(weights, state, rtol=0, atol=0)
    best = torch.load(folder.checkpoints / "best.pt", weights_only=True)
    assert best["trainer"]["counters"]["step"] == 20
    averaged = {name.removeprefix("module."): value for name, value in best["trainer"]["averaged"].items() if "module" in name}
    torch.testing.assert_close(averaged, state, rtol=0, atol=0)


def test_only_weights_are_kept_at_some_thirty_counts_from_the_first_step_to_the_last(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    config = TrainingConfig(images=2_000, batch_size=1, validate_every=2_000, log_every=2_000, averaging=0)
    list(train_in(folder, trainer(1, config=config), FACTS))
    counts = sorted(int(path.stem.removeprefix("weights-")) for path in folder.checkpoints.glob("weights-*.safetensors"))
    assert (counts[0], counts[-1]) == (1, 2_000)
    assert SNAPSHOTS - 8 <= len(counts) <= SNAPSHOTS
    ratios = [after / before for before, after in itertools.pairwise(counts) if before > 20]
    assert max(ratios) / min(ratios) < 1.1


def test_checkpoints_are_saved_by_the_clock_and_at_the_best(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    steps = []
    for _ in train_in(folder, trainer(1, 2, 3, 4), FACTS, checkpoint_every=1e9):
        state = folder.load()
        steps.append(state["trainer"]["counters"]["step"] if state else 0)
    assert steps == [0] * 9 + [10] * 30 + [40]
    folder = started(tmp_path / "often")
    for record in train_in(folder, trainer(1, 2, 3, 4), FACTS, checkpoint_every=0):
        state = folder.load()
        assert state is not None
        assert 10 * state["trainer"]["counters"]["step"] == record.images


# Resuming


@pytest.mark.parametrize("images", [10, 40, 50, 60, 100, 310, 390])
def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path, images: int) -> None:
    folder = started(tmp_path / "run")
    read_until(train_in(folder, trainer(4, 3, 2, 1), FACTS, checkpoint_every=1e9), images)
    list(train_in(folder, trainer(*[4, 3, 2, 1][images // 100 :]), FACTS))
    assert images_in_rows(folder) == list(range(50, 401, 50))


def test_half_a_row_is_dropped(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    read_until(train_in(folder, trainer(4, 3, 2, 1), FACTS, checkpoint_every=1e9), 150)
    file = folder.path / "metrics.csv"
    for cut in range(1, 40):
        text = file.read_text()
        file.write_text(text[:-cut])
        assert [int(row["images"]) for row in folder.rows() if int(row["images"]) <= 100] == [50, 100]
        file.write_text(text)
    file.write_text(file.read_text()[:-9])
    list(train_in(folder, trainer(3, 2, 1), FACTS))
    assert images_in_rows(folder) == list(range(50, 401, 50))


def test_a_stop_is_saved_at_once_whatever_the_record(tmp_path: Path) -> None:
    for images in (10, 50, 60, 100, 200, 210, 400):
        folder = started(tmp_path / f"run-{images}")
        run = trainer(1, 50, 90, 99)  # the second is told as a warning
        with pytest.raises(StoppedError) as stopped:
            list(train_in(folder, run, FACTS, stop=functools.partial(reached, run, images)))
        assert stopped.value.code == 143
        state = folder.load()
        assert state is not None
        assert 10 * state["trainer"]["counters"]["step"] == images
        assert images_in_rows(folder) == list(range(50, images + 1, 50))


def test_files_half_written_at_a_kill_are_removed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / ".config.json.4711.tmp").write_bytes(b"{")
    folder.start(SETTINGS)
    folder.checkpoints.mkdir()
    parts = [folder.path / ".model.safetensors.12.tmp", folder.checkpoints / ".latest.pt.7.tmp"]
    mine = [folder.path / ".hidden.tmp", folder.path / "notes.tmp"]
    for path in parts + mine:
        path.write_bytes(b"half")
    list(train_in(folder, trainer(4, 3, 2, 1), FACTS))
    assert not any(path.exists() for path in parts)
    assert all(path.exists() for path in mine)


# Damaged and foreign files


def test_a_damaged_checkpoint_is_a_value_error_wherever_the_damage_is(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    list(train_in(folder, trainer(4, 3, 2, 1), FACTS))
    file, draw = folder.checkpoints / "latest.pt", random.Random(0)
    whole, kept = file.read_bytes(), torch.load(file, weights_only=True)["trainer"]["averaged"]
    damaged: list[bytes] = [whole[:cut] for cut in (0, 1, 100, len(whole) // 2, len(whole) - 1)]
    damaged += [bytes(len(whole)), b"not a checkpoint", pickle.dumps({"trainer": 1})]
    for _ in range(200):
        flipped = bytearray(whole)
        for _ in range(draw.choice((1, 20))):
            flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        damaged.append(bytes(flipped))
    refused = 0
    for content in damaged:
        file.write_bytes(content)
        try:
            state = folder.load()
            assert state is not None
            torch.testing.assert_close(state["trainer"]["averaged"], kept, rtol=0, atol=0)
        except ValueError as error:
            refused += 1
            assert str(file) in str(error)  # noqa: PT017 (not every damage is to be refused: some bytes are not used)
    assert refused >= len(damaged) / 2


def test_a_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = started(tmp_path / "run")
    folder.prepare()
    for content in (Bomb(), {"trainer": Bomb(), "seconds": 0.0}):
        torch.save(content, folder.checkpoints / "latest.pt")
        with pytest.raises(ValueError, match="is damaged"):
            folder.load()
    (folder.checkpoints / "latest.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="is damaged"):
        folder.load()
    assert not (tmp_path / "exploded").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert not folder.started
    assert folder.rows() == []
    assert folder.load() is None
    for path in (tmp_path, tmp_path / "none", tmp_path / "none" / "config.json"):
        with pytest.raises(ValueError, match=r"config\.json"):
            read_config(path)


def test_a_run_starts_only_where_nothing_else_is(tmp_path: Path) -> None:
    for free in (tmp_path / "none", tmp_path):
        RunFolder(free).refuse_occupied()
    (tmp_path / ".lock").touch()
    RunFolder(tmp_path).refuse_occupied()
    (tmp_path / "notes").touch()
    for occupied in (tmp_path, tmp_path / "notes"):
        with pytest.raises(ValueError, match="is not empty; choose another --out, or empty it"):
            RunFolder(occupied).refuse_occupied()


def test_the_digest_of_the_metrics_is_that_of_the_lines_until_a_checkpoint(tmp_path: Path) -> None:
    folder, file = RunFolder(tmp_path), tmp_path / "metrics.csv"
    assert folder.metrics_digest(100) is None
    for content, until, counted in (
        (b"", 100, b""),
        (b"images,loss\n50,1\n100,2\n150,3\n", 100, b"images,loss\n50,1\n100,2\n"),
        (b"images,loss\r\n50,1\r\n100,2", 100, b"images,loss\r\n50,1\r\n100,2"),
    ):
        file.write_bytes(content)
        assert folder.metrics_digest(until) == hashlib.sha256(counted).hexdigest()


OTHERS = {  # files called metrics.csv that no run wrote
    "another table": b"model,error %\nram,3.83\n",
    "bytes": bytes(range(128, 256)),
    "half of the header": b"images,sec",
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_a_record_that_is_no_runs_is_refused_and_not_changed(tmp_path: Path, content: bytes) -> None:
    folder = started(tmp_path / "run")
    read_until(train_in(folder, trainer(4, 3, 2, 1), FACTS), 200)
    file = folder.path / "metrics.csv"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"metrics\.csv is not the record of a run .*put back an intact copy, or remove it"):
        list(train_in(folder, trainer(2, 1), FACTS))
    assert file.read_bytes() == content
    file.unlink()
    list(train_in(folder, trainer(2, 1), FACTS))
    assert images_in_rows(folder) == list(range(250, 401, 50))


@pytest.mark.parametrize("cell", ["abc", "1e", "-"])
def test_a_row_with_a_word_in_place_of_a_number_is_incomplete(tmp_path: Path, cell: str) -> None:
    folder = started(tmp_path / "run")
    list(train_in(folder, trainer(4, 3, 2, 1), FACTS))
    file = folder.path / "metrics.csv"
    whole = folder.rows()
    header, *lines = file.read_text().splitlines()
    for column in range(len(header.split(","))):
        cells = lines[1].split(",")
        cells[column] = cell
        file.write_text("\n".join([header, lines[0], ",".join(cells), *lines[2:]]) + "\n")
        assert folder.rows() == [whole[0], *whole[2:]]
    for name in ("images", "seconds", "images_per_second"):  # which every row has
        cells = lines[1].split(",")
        cells[header.split(",").index(name)] = ""
        file.write_text("\n".join([header, lines[0], ",".join(cells), *lines[2:]]) + "\n")
        assert folder.rows() == [whole[0], *whole[2:]]


def test_only_what_a_run_recorded_is_refused_as_a_target(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    (tmp_path / "link.csv").symlink_to(folder.path / "metrics.csv")
    for path in (folder.path / "metrics.csv", folder.path / "sub" / ".." / "METRICS.csv", tmp_path / "link.csv"):
        with pytest.raises(ValueError, match="holds the metrics of a run: choose another name or folder"):
            refuse_record(path)
    for path in (folder.path / "other.csv", tmp_path / "metrics.csv"):
        refuse_record(path)


# One file at a time


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state.pt"
    write_atomically(file, b"old")
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    for call in ("fsync", "replace"):

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(f"glimpse.atomic.os.{call}", fail)
            with pytest.raises(OSError, match="No space left") as error:
                write_atomically(file, b"newest")
        assert error.value.filename == str(file)
        assert file.read_bytes() == b"new"
        assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_only_temporary_files_are_leftovers(tmp_path: Path) -> None:
    for name in (".latest.pt.12.tmp", ".a.tmp", "b.12.tmp", ".c.x.tmp", ".d.12", "metrics.csv"):
        (tmp_path / name).write_bytes(struct.pack("<I", 0))
    assert [path.name for path in leftovers(tmp_path)] == [".latest.pt.12.tmp"]


def test_leftovers_of_a_dead_process_are_removed_when_the_file_is_written_again(tmp_path: Path) -> None:
    for name in (".a.csv.4194399.tmp", f".a.csv.{os.getppid()}.tmp", ".b.csv.4194399.tmp", ".a.csv.x.tmp"):
        (tmp_path / name).touch()
    write_atomically(tmp_path / "a.csv", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.csv",
        f".a.csv.{os.getppid()}.tmp",
        ".b.csv.4194399.tmp",
        ".a.csv.x.tmp",
    }


def test_a_link_is_followed_and_special_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    write_atomically(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(OSError, match="no ordinary file"):
        write_atomically(tmp_path / "pipe.csv", b"new")
    assert (tmp_path / "pipe.csv").is_fifo()
