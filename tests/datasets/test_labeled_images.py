"""Your own labeled images: every format of file against its arrays."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glimpse.datasets.batches import EpochOrders
from glimpse.datasets.counter import permutation
from glimpse.datasets.labeled_images import ImageSet, open_data
from glimpse.datasets.split_rule import SplitRule

DRAW = np.random.default_rng(0)
GRAY = DRAW.integers(0, 256, (40, 6, 6), dtype=np.uint8)
COLOR = DRAW.integers(0, 256, (40, 5, 7, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (GRAY, GRAY[:, None] / 255),
        (GRAY.reshape(40, 36), GRAY[:, None] / 255),
        (GRAY[..., None], GRAY[:, None] / 255),
        (COLOR, np.stack([COLOR[..., channel] for channel in range(3)], axis=1) / 255),
        (GRAY / 255, GRAY[:, None] / 255),
        ((GRAY / 255).astype(np.float16), (GRAY / 255).astype(np.float16)[:, None]),
        (COLOR[:, :, ::-1] / 255, np.stack([COLOR[:, :, ::-1, channel] for channel in range(3)], axis=1) / 255),
    ],
)
@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None].astype(np.uint8)])
def test_every_form_of_array_becomes_the_same_batch(
    tmp_path: Path, images: NDArray[Any], expected: NDArray[Any], labels: NDArray[Any]
) -> None:
    data = open_data(saved(tmp_path, images=images, labels=labels))
    assert data.whole is not None
    batch = data.whole.batch(torch.arange(40))
    assert (batch.images.dtype, batch.labels.dtype, batch.centers.dtype) == (torch.float32, torch.int64, torch.float32)
    assert batch.images.is_contiguous()
    assert np.allclose(batch.images, expected, rtol=0, atol=1e-7)
    assert batch.labels.tolist() == LABELS.tolist()
    assert batch.centers.shape == (40, 2)
    assert batch.centers.isnan().all()
    assert (data.n_classes, data.shape) == (4, expected.shape[1:])


def firsts(part: ImageSet | None) -> list[int] | None:
    """Returns the first pixel of every image, its number."""
    return None if part is None else (part.batch(torch.arange(len(part))).images[:, 0, 0, 0] * 255).round().int().tolist()


def numbered(start: int, stop: int) -> NDArray[np.uint8]:
    return np.repeat(np.arange(start, stop, dtype=np.uint8), 9).reshape(-1, 3, 3)


def named(**sizes: int) -> dict[str, NDArray[Any]]:
    """Returns the arrays of parts of these sizes, with their images numbered consecutively."""
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for part, size in sizes.items():
        arrays |= {f"X_{part}": numbered(start, start + size), f"y_{part}": np.zeros(size, dtype=np.int64)}
        start += size
    return arrays


@pytest.mark.parametrize(
    ("sizes", "train", "valid", "test"),
    [
        ({"train": 30, "valid": 5, "test": 7}, range(30), range(30, 35), range(35, 42)),
        ({"train": 30, "valid": 5}, range(30), range(30, 35), None),
        ({"test": 7}, None, None, range(7)),
        ({"valid": 5, "test": 7}, None, range(5), range(5, 12)),
    ],
)
def test_a_file_has_the_parts_it_names(
    tmp_path: Path, sizes: dict[str, int], train: range | None, valid: range | None, test: range | None
) -> None:
    data = open_data(saved(tmp_path, **named(**sizes)))
    for part, expected in ((data.train, train), (data.valid, valid), (data.test, test)):
        assert firsts(part) == (None if expected is None else list(expected))
    assert (data.is_whole, data.split) == (False, None)
    name, chosen = data.evaluation
    assert (name, chosen) == (("test", data.test) if test else ("valid", data.valid))


def sorted_numbers(*parts: ImageSet | None) -> list[int]:
    """Returns the numbers of the images of several parts, in ascending order."""
    return sorted(number for part in parts for number in firsts(part) or [])


def test_a_set_without_parts_is_divided_by_class_and_serves_another_model_as_a_whole(tmp_path: Path) -> None:
    for name in ("images", "X_train"):  # a file with nothing but training images is not split either
        label = "labels" if name == "images" else "y_train"
        data = open_data(saved(tmp_path, **{name: numbered(0, 60), label: np.repeat([0, 1, 2], 20)}))
        assert data.is_whole
        assert [len(part) for part in data.parts.values()] == [48, 6, 6]
        assert [part.counts(3).tolist() for part in data.parts.values()] == [[16] * 3, [2] * 3, [2] * 3]
        assert sorted_numbers(data.train, data.valid, data.test) == [*range(60)]
        assert (data.evaluation[0], firsts(data.evaluation[1])) == ("test", [*range(60)])
    one = open_data(saved(tmp_path, images=numbered(0, 1), labels=np.zeros(1, dtype=int)))
    assert (firsts(one.train), one.valid, one.test, firsts(one.evaluation[1])) == ([0], None, None, [0])


def test_another_seed_of_the_split_holds_out_other_images(tmp_path: Path) -> None:
    file = saved(tmp_path, images=numbered(0, 200), labels=np.repeat([0, 1], 100))
    parts = [open_data(file, split=SplitRule(seed=seed)) for seed in (0, 0, 1)]
    assert firsts(parts[0].test) == firsts(parts[1].test) != firsts(parts[2].test)
    assert (
        len({tuple(part.labels.tolist()) for part in (parts[0].valid, parts[0].test) if part is not None}) == 2
    )  # in random order


def test_earlier_runs_keep_the_last_tenth_for_validation(tmp_path: Path) -> None:
    rule = SplitRule("legacy")
    data = open_data(saved(tmp_path, images=numbered(0, 45), labels=np.zeros(45, dtype=int)), split=rule)
    assert (firsts(data.train), firsts(data.valid), data.test) == ([*range(41)], [*range(41, 45)], None)
    both = open_data(saved(tmp_path, **named(train=30, test=7)), split=rule)
    assert (firsts(both.train), firsts(both.valid), firsts(both.test)) == ([*range(27)], [*range(27, 30)], [*range(30, 37)])


def test_images_next_to_a_test_part_are_for_training(tmp_path: Path) -> None:
    whole = {"images": numbered(0, 30), "labels": np.repeat([0, 1], 15)}
    test = {"X_test": numbered(30, 37), "y_test": np.zeros(7, dtype=int)}
    data = open_data(saved(tmp_path, **whole, **test))
    assert (sorted_numbers(data.train, data.valid), firsts(data.test)) == ([*range(30)], [*range(30, 37)])
    assert data.valid is not None
    assert data.valid.counts(2).tolist() == [2, 2]
    assert not data.is_whole
    both = open_data(saved(tmp_path, images=GRAY, labels=LABELS, **named(train=20, test=5)))
    assert (sorted_numbers(both.train, both.valid), firsts(both.test)) == ([*range(20)], [*range(20, 25)])


def test_labels_are_mapped_to_the_classes_of_a_model_by_name(tmp_path: Path) -> None:
    file = saved(tmp_path, images=GRAY[:3], labels=np.array(["dog", "cat", "dog"]))
    assert open_data(file).class_names == ("cat", "dog")
    data = open_data(file, class_names=["frog", "dog", "cat"])
    assert data.evaluation[1].labels.tolist() == [1, 2, 1]
    with pytest.raises(ValueError, match="the model has classes ant, dog, the images have cat"):
        open_data(file, class_names=["ant", "dog"])


def with_header(folder: Path, header: str) -> Path:
    """Returns a `.npz` whose images have this header, as an array of version 1.0, and no bytes after it."""
    path = saved(folder, labels=LABELS)
    with zipfile.ZipFile(path, "a") as members:
        members.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    return path


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (40, 6", "not a .npz file"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (40, 100000, 10000), }\n", "images takes 40.0 GB, the limit is 8 GB"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }\n", "not a .npz file"),
        ("{'descr': 7, 'fortran_order': False, 'shape': (40,), }\n", "not a .npz file"),
    ],
)
def test_a_damaged_header_is_one_line_with_the_file(tmp_path: Path, header: str, message: str) -> None:
    path = with_header(tmp_path, header)
    with pytest.raises(ValueError, match=message) as caught:
        open_data(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_record_is_json_and_changes_with_the_file(tmp_path: Path) -> None:
    data = open_data(saved(tmp_path, images=GRAY, labels=LABELS))
    record = json.loads(json.dumps(data.record()))
    assert record["sizes"] == {"train": 32, "valid": 4, "test": 4}
    assert (record["split"], record["seed"], record["class_names"]) == ("stratified", 0, ["0", "1", "2", "3"])
    assert (record["shape"], record["n_classes"], record["path"]) == ([1, 6, 6], 4, str(tmp_path / "own.npz"))
    assert open_data(saved(tmp_path, images=GRAY, labels=LABELS[::-1])).sha256 != data.sha256


def test_training_uses_every_epoch_in_its_own_order(tmp_path: Path) -> None:
    data = open_data(saved(tmp_path, **named(train=40, valid=5)), shuffle_seed=6)
    assert data.train is not None
    seen = torch.cat([batch.images[:, 0, 0, 0] for batch in data.train.batches(7, stop=120)])
    epochs = (seen * 255).round().int().view(3, 40)
    assert all(sorted(epoch.tolist()) == list(range(40)) for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3
    again = data.train.batch(torch.tensor([119, 3, 50])).images[:, 0, 0, 0]
    assert torch.equal(again, seen[[119, 3, 50]])
    data.train.set_epoch(2)
    assert float(data.train[5][0][0, 0, 0]) == float(seen[85])
    other = open_data(saved(tmp_path, **named(train=40, valid=5)), shuffle_seed=7).train
    assert firsts(other) != epochs[0].tolist()
    assert firsts(data.valid) == list(range(40, 45))


def test_without_a_seed_epochs_repeat_the_order_of_the_file() -> None:
    images = ImageSet(numbered(0, 5), np.arange(5))
    assert images.batch(torch.arange(12)).labels.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_images_and_labels_must_have_the_same_length() -> None:
    for images, labels in ((numbered(0, 5), np.arange(4)), (numbered(0, 0), np.arange(0))):
        with pytest.raises(ValueError, match=f"got {len(images)} images, {len(labels)} labels"):
            ImageSet(images, labels)


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no images in a form that is recognized; it holds nothing"):
        open_data(tmp_path)
    with pytest.raises(FileNotFoundError, match="no file"):
        open_data(tmp_path / "nothing.npz")
    with pytest.raises(ValueError, match=r"labels must be classes, got fractions such as 0\.5"):
        open_data(saved(tmp_path, images=GRAY, labels=LABELS / 2))


def test_orders_of_several_epochs_are_those_of_each() -> None:
    orders = EpochOrders(3, 80, 20)
    epochs, index = torch.tensor([4, 1, 1, 9, 4]), torch.tensor([0, 19, 3, 7, 0])
    expected = [int(permutation(3, 80, int(epoch), 20)[int(i)]) for epoch, i in zip(epochs, index, strict=True)]
    assert orders.at(epochs, index).tolist() == expected
    assert orders.at(epochs[:1], index[:1]).tolist() == expected[:1]


@pytest.mark.gpu
def test_batches_go_to_the_device(tmp_path: Path) -> None:
    path = saved(tmp_path, images=COLOR, labels=LABELS)
    positions = torch.arange(100)
    on_cpu, on_gpu = (open_data(path, device=device, shuffle_seed=1).train for device in ("cpu", "cuda"))
    assert on_cpu is not None
    assert on_gpu is not None
    for cpu, gpu in zip(on_cpu.batch(positions)[:2], on_gpu.batch(positions)[:2], strict=True):
        assert gpu.is_cuda
        assert torch.equal(cpu, gpu.cpu())
