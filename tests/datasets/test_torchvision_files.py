"""CIFAR-10 and SVHN's single digits: synthetic files in the original formats, downloaded from disk, and parts of the sets."""

import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from torchvision.datasets import CIFAR10, SVHN

from glimpse.datasets import folders
from glimpse.datasets.generative import GenerativeData, open_generative

N_TRAIN, N_TEST = 40, 12
DRAW = np.random.default_rng(0)
IMAGES = {
    "train": DRAW.integers(0, 256, (N_TRAIN, 32, 32, 3), dtype=np.uint8),
    "test": DRAW.integers(0, 256, (N_TEST, 32, 32, 3), dtype=np.uint8),
}
LABELS = {"train": np.arange(N_TRAIN) % 10, "test": np.arange(N_TEST) % 10}


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Returns a server's synthetic files of each set, with their digests entered into torchvision."""
    server = tmp_path / "server"
    server.mkdir()
    return {"cifar10": cifar(server, monkeypatch), "svhn-32": svhn(server, monkeypatch)}


def cifar(server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = {split: images.transpose(0, 3, 1, 2).reshape(len(images), -1) for split, images in IMAGES.items()}
    batches = {
        f"data_batch_{i + 1}": {"data": rows["train"][8 * i : 8 * i + 8], "labels": LABELS["train"][8 * i : 8 * i + 8].tolist()}
        for i in range(5)
    }
    batches["test_batch"] = {"data": rows["test"], "labels": LABELS["test"].tolist()}
    files = {name: pickle.dumps(batch) for name, batch in batches.items()}
    files["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
    with tarfile.open(server / "cifar-10-python.tar.gz", "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    packed = server / "cifar-10-python.tar.gz"
    monkeypatch.setattr(CIFAR10, "url", packed.as_uri())
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(packed.read_bytes()))
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", md5(files[f"data_batch_{i}"])] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(files["test_batch"])]])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": md5(files["batches.meta"])})
    return packed


def svhn(server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    known = {}
    for split, images in IMAGES.items():
        file = server / f"{split}_32x32.mat"
        savemat(file, {"X": images.transpose(1, 2, 3, 0), "y": np.where(LABELS[split] == 0, 10, LABELS[split])[:, None]})
        known[split] = [file.as_uri(), file.name, md5(file.read_bytes())]
    monkeypatch.setattr(SVHN, "split_list", known)
    return server / "train_32x32.mat"


def found(data: GenerativeData, split: str) -> dict[bytes, int]:
    """Returns the class of every image of a part by its bytes, (32, 32, 3)."""
    part = getattr(data, split)
    batch = part.batch(torch.arange(len(part)))
    images = (batch.images * 255).round().byte().permute(0, 2, 3, 1)
    return {image.numpy().tobytes(): label for image, label in zip(images, batch.labels.tolist(), strict=True)}


def by_bytes(images: NDArray[np.uint8], labels: Any) -> dict[bytes, int]:
    return {image.tobytes(): int(label) for image, label in zip(images, labels, strict=True)}


@pytest.mark.parametrize("name", ["cifar10", "svhn-32"])
def test_a_set_is_downloaded_and_its_last_tenth_held_out(name: str, originals: dict[str, Path]) -> None:
    seen: list[tuple[int, int]] = []
    data = open_generative(name, progress=lambda done, total: seen.append((done, total)))
    held = N_TRAIN - N_TRAIN // 10
    assert found(data, "train") == by_bytes(IMAGES["train"][:held], LABELS["train"][:held])
    assert found(data, "valid") == by_bytes(IMAGES["train"][held:], LABELS["train"][held:])
    assert found(data, "test") == by_bytes(IMAGES["test"], LABELS["test"])
    assert (data.is_subset, data.note, data.reason, data.binarization) == (False, None, None, "none")
    assert (originals[name].stat().st_size,) * 2 in seen
    assert data.path is not None
    assert Path(data.path).is_relative_to(folders.cache_folder())
    assert not list(folders.cache_folder().rglob("download-*"))
    assert open_generative(name, download=False).record() == data.record()


@pytest.mark.parametrize("name", ["cifar10", "svhn-32"])
def test_a_download_with_another_digest_leaves_nothing(name: str, originals: dict[str, Path]) -> None:
    content = bytearray(originals[name].read_bytes())
    content[len(content) // 2] ^= 1
    originals[name].write_bytes(content)
    with pytest.raises(
        FileNotFoundError, match=r"cannot be downloaded \(.* another checksum\); name a folder .* use the set digits"
    ):
        open_generative(name)
    assert not [path for path in folders.cache_folder().rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["cifar10", "svhn-32"])
@pytest.mark.usefixtures("originals")
def test_a_damaged_local_file_is_named(name: str) -> None:
    open_generative(name)
    (file,) = folders.cache_folder().rglob("data_batch_3" if name == "cifar10" else "train_32x32.mat")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{name} in .* is damaged .*; remove its files") as caught:
        open_generative(name)
    assert "\n" not in str(caught.value)


def test_part_of_cifar_is_used_with_a_warning_if_the_set_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "cifar10_subset").mkdir()
    arrays: dict[str, Any] = {f"{split}_images": images for split, images in IMAGES.items()}
    arrays |= {f"{split}_labels": labels for split, labels in LABELS.items()}
    np.savez(tmp_path / "cifar10_subset" / "cifar10_subset.npz", **arrays)
    data = open_generative("cifar10", data_dir=tmp_path)  # tests have no network
    assert found(data, "train") | found(data, "valid") == by_bytes(IMAGES["train"], LABELS["train"])
    assert found(data, "test") == by_bytes(IMAGES["test"], LABELS["test"])
    assert data.is_subset
    assert data.note == "only a part of cifar10: no number from it is a result on the set"
    assert data.reason is not None
    assert "cannot be downloaded" in data.reason
    assert data.record()["sizes"] == {"train": 36, "valid": 4, "test": 12}


def test_a_part_of_svhn_is_split_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "svhn_subset").mkdir()
    np.save(tmp_path / "svhn_subset" / "svhn_train_first1083_images.npy", IMAGES["train"])
    data = open_generative("svhn-32", data_dir=tmp_path, download=False)
    for split, rows in (("train", slice(33)), ("valid", slice(33, 36)), ("test", slice(36, 40))):
        expected = IMAGES["train"][rows]
        assert found(data, split) == by_bytes(expected, [-1] * len(expected))
    assert data.is_subset


@pytest.mark.parametrize("content", [b"", b"no archive", np.zeros((5, 8, 8), dtype=np.uint8)])
def test_a_damaged_part_is_named(tmp_path: Path, content: Any) -> None:
    (tmp_path / "svhn_subset").mkdir()
    file = tmp_path / "svhn_subset" / "svhn_train_first1083_images.npy"
    file.write_bytes(content) if isinstance(content, bytes) else np.save(file, content)
    with pytest.raises(ValueError, match=r"images\.npy is damaged \(.*\); get it again"):
        open_generative("svhn-32", data_dir=tmp_path, download=False)
