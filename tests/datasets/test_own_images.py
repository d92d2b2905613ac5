"""Your own images: folders of pictures and `.npz` files against their arrays."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glimpse.datasets.generative import GenerativeData, open_generative
from glimpse.datasets.own_images import split_by_hash

DRAW = np.random.default_rng(0)
GRAY = DRAW.integers(0, 256, (40, 6, 7), dtype=np.uint8)
COLOR = DRAW.integers(0, 256, (40, 6, 7, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


def write(folder: Path, images: NDArray[np.uint8], ending: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03d}{ending}")
    return folder


def contents(data: GenerativeData, split: str) -> set[bytes]:
    """Returns the bytes of all images of a part, (C, H, W) each."""
    part = getattr(data, split)
    images = (part.batch(torch.arange(len(part))).images * 255).round().byte()
    return {image.numpy().tobytes() for image in images}


def everything(data: GenerativeData) -> set[bytes]:
    return contents(data, "train") | contents(data, "valid") | contents(data, "test")


# Folders


@pytest.mark.parametrize(("images", "channels"), [(GRAY, 1), (COLOR, 3), (np.repeat(GRAY[..., None], 3, axis=3), 1)])
def test_a_folders_pictures_are_gray_if_none_has_a_color(tmp_path: Path, images: NDArray[np.uint8], channels: int) -> None:
    seen: list[tuple[int, int]] = []
    data = open_generative(str(write(tmp_path / "own", images)), progress=lambda done, total: seen.append((done, total)))
    assert (data.name, data.channels, data.height, data.width, data.binarization) == ("pictures", channels, 6, 7, "none")
    expected = images.reshape(40, 6, 7, -1)[..., :channels].transpose(0, 3, 1, 2)
    assert everything(data) == {image.tobytes() for image in expected}
    assert seen == [(done, 40) for done in range(1, 41)]
    assert data.train.batch(torch.arange(3)).labels.tolist() == [-1] * 3


def test_the_hash_of_a_pictures_name_determines_its_part(tmp_path: Path) -> None:
    write(tmp_path / "own" / "one", GRAY[:20])
    write(tmp_path / "own" / "two", GRAY[20:])
    data = open_generative(str(tmp_path / "own"))
    expected: dict[str, set[bytes]] = {"train": set(), "valid": set(), "test": set()}
    for number, image in enumerate(GRAY):
        name = f"{'one' if number < 20 else 'two'}/{number % 20:03d}.png"
        tenth = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) * 10 >> 64
        expected["train" if tenth < 8 else "valid" if tenth == 8 else "test"].add(image.tobytes())
    assert {split: contents(data, split) for split in expected} == expected


def test_added_pictures_do_not_move_others(tmp_path: Path) -> None:
    own = write(tmp_path / "own", GRAY[:20])
    before = open_generative(str(own))
    for number in range(20, 40):
        Image.fromarray(GRAY[number]).save(own / f"{number:03d}.png")
    after = open_generative(str(own))
    assert all(contents(before, split) < contents(after, split) for split in ("train", "valid", "test"))
    assert before.sha256 != after.sha256


def test_a_split_has_the_shares_it_names_and_no_empty_part() -> None:
    sizes = [len(part) for part in split_by_hash([str(number).encode() for number in range(10_000)])]
    assert all(abs(size - mean) < 4 * (mean * 0.9) ** 0.5 for size, mean in zip(sizes, (8000, 1000, 1000), strict=True))
    for start in range(30):
        parts = split_by_hash([str(number).encode() for number in range(start, start + 3)])
        assert [len(part) for part in parts] == [1, 1, 1]
        assert sorted(np.concatenate(parts).tolist()) == [0, 1, 2]


def test_pictures_are_scaled_to_cover_the_size_and_cropped_evenly(tmp_path: Path) -> None:
    blocks = np.zeros((40, 80), dtype=np.uint8)
    blocks[:, 20:60] = np.kron(np.array([[50, 100], [150, 200]]), np.ones((20, 20))).astype(
        np.uint8
    )  # the middle of a wide picture
    own = write(tmp_path / "own", np.stack([blocks] * 3))
    Image.fromarray(blocks.T).save(own / "tall.png")
    data = open_generative(str(own), size=(10, 10))
    found = everything(data)
    assert data.record()["size"] == [10, 10]
    assert len(found) == 2
    for image in (np.frombuffer(content, dtype=np.uint8).reshape(10, 10) for content in found):
        middles = image[[2, 7]][:, [2, 7]].tolist()
        assert middles in ([[50, 100], [150, 200]], [[50, 150], [100, 200]])


def test_black_and_white_pictures_are_already_binarized(tmp_path: Path) -> None:
    bits = np.where(GRAY > 127, 255, 0).astype(np.uint8)
    data = open_generative(str(write(tmp_path / "own", bits)))
    assert data.binarization == "fixed"
    with pytest.raises(ValueError, match="pictures is binarized already"):
        open_generative(str(tmp_path / "own"), binarization="dynamic")


def test_gray_pictures_are_binarized_on_request(tmp_path: Path) -> None:
    data = open_generative(str(write(tmp_path / "own", GRAY)), binarization="dynamic", seed=3)
    assert set(data.train.batch(torch.arange(20)).images.flatten().tolist()) == {0, 1}
    assert (data.binarization, data.record()["seed"]) == ("dynamic", 3)


def test_sixteen_bits_transparency_and_rotation_are_read_correctly(tmp_path: Path) -> None:
    deep = np.array([[0, 257 * 7], [257 * 100 - 1, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    clear = np.zeros((2, 2, 4), dtype=np.uint8)
    clear[..., :3], clear[1, :, 3] = 190, 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    clear[..., :3] = 90
    Image.fromarray(clear).save(tmp_path / "clear-dark.png")
    turned = Image.fromarray(np.array([[10, 20], [30, 40]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    turned.save(tmp_path / "turned.png", exif=exif)
    found = everything(open_generative(str(tmp_path)))
    assert found == {bytes([0, 7, 100, 255]), bytes([0, 0, 190, 190]), bytes([255, 255, 90, 90]), bytes([30, 10, 40, 20])}


def unequal(folder: Path) -> None:
    write(folder, GRAY[:3])
    Image.fromarray(GRAY[0, :5]).save(folder / "other.png")


def damaged(folder: Path) -> None:
    write(folder, GRAY[:3])
    (folder / "002.png").write_bytes((folder / "002.png").read_bytes()[:50])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.mkdir(), r"own holds no pictures; expected files ending in \.bmp"),
        (lambda folder: write(folder, GRAY[:2]), "at least 3 images are needed, .* got 2"),
        (unequal, r"differ in size, 000\.png is 6 x 7, other\.png is 5 x 7; resize them with --size"),
        (damaged, r"002\.png is no picture that can be read"),
    ],
)
def test_an_unusable_folder_is_one_line(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "own")
    with pytest.raises(ValueError, match=message) as caught:
        open_generative(str(tmp_path / "own"))
    assert "\n" not in str(caught.value)


def test_hidden_pictures_and_other_files_are_left_out(tmp_path: Path) -> None:
    own = write(tmp_path / ".hidden" / "own", GRAY[:5])
    write(own / ".thumbnails", GRAY[5:8])
    (own / "._000.png").write_bytes(b"what macOS leaves behind")
    (own / "notes.txt").write_text("none", encoding="utf-8")
    assert everything(open_generative(str(own))) == {image.tobytes() for image in GRAY[:5]}


# .npz files


@pytest.mark.parametrize("images", [GRAY, GRAY[..., None], GRAY / 255, (GRAY / 255).astype(np.float32)])
def test_images_need_no_labels(save_npz: Callable[..., str], images: NDArray[Any]) -> None:
    data = open_generative(save_npz(images=images))
    assert everything(data) == {image.tobytes() for image in GRAY}
    assert (data.channels, data.binarization) == (1, "none")
    assert data.valid.batch(torch.arange(2)).labels.tolist() == [-1, -1]


def test_labels_stay_with_their_images_and_copies_in_one_part(save_npz: Callable[..., str]) -> None:
    data = open_generative(save_npz(images=np.concatenate([COLOR, COLOR]), labels=np.concatenate([LABELS, LABELS])))
    expected = {image.transpose(2, 0, 1).tobytes(): label for image, label in zip(COLOR, LABELS.tolist(), strict=True)}
    for part in (data.train, data.valid, data.test):
        batch = part.batch(torch.arange(len(part)))
        for image, label in zip((batch.images * 255).round().byte(), batch.labels.tolist(), strict=True):
            assert expected[image.numpy().tobytes()] == label
    contained = [contents(data, split) for split in ("train", "valid", "test")]
    assert sum(map(len, contained)) == 40
    assert sum(data.record()["sizes"].values()) == 80


@pytest.mark.parametrize(
    ("arrays", "sizes"),
    [
        ({"X_train": GRAY[:20], "X_valid": GRAY[20:25], "X_test": GRAY[25:]}, (20, 5, 15)),
        ({"X_train": GRAY[:30], "X_test": GRAY[30:]}, (27, 3, 10)),
        ({"images": GRAY[:30], "labels": LABELS[:30], "X_test": GRAY[30:]}, (26, 4, 10)),  # one of each class
    ],
)
def test_parts_with_names_stay_and_validation_is_a_tenth_of_each_class(
    save_npz: Callable[..., str], arrays: dict[str, Any], sizes: tuple[int, ...]
) -> None:
    data = open_generative(save_npz(**arrays))
    assert tuple(data.record()["sizes"].values()) == sizes
    assert contents(data, "test") == {image.tobytes() for image in GRAY[40 - sizes[2] :]}
    assert contents(data, "train") | contents(data, "valid") == {image.tobytes() for image in GRAY[: 40 - sizes[2]]}
    if "labels" in arrays:
        assert sorted(data.valid.batch(torch.arange(4)).labels.tolist()) == [0, 1, 2, 3]


def test_earlier_runs_keep_the_last_tenth(save_npz: Callable[..., str]) -> None:
    data = open_generative(save_npz(X_train=GRAY[:30], X_test=GRAY[30:]), split="legacy")
    assert contents(data, "valid") == {image.tobytes() for image in GRAY[27:30]}
    assert data.record()["split"] == "legacy"


def test_dark_integers_in_one_part_are_not_bits(save_npz: Callable[..., str]) -> None:
    dark = GRAY % 2
    data = open_generative(save_npz(X_train=GRAY[:20], X_test=dark[20:]))
    assert data.binarization == "none"
    assert contents(data, "test") == {image.tobytes() for image in dark[20:]}


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_zeros_and_ones_are_already_binarized(save_npz: Callable[..., str], dtype: type) -> None:
    bits: NDArray[Any] = (GRAY > 127).astype(dtype)
    data = open_generative(save_npz(images=bits))
    assert data.binarization == "fixed"
    assert everything(data) == {(image * 255).astype(np.uint8).tobytes() for image in bits}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": LABELS}, "which array holds the images is not clear; found labels"),
        ({"X_train": GRAY, "X_valid": GRAY}, "a validation part needs a test part too"),
        ({"X_test": GRAY}, "a test part needs a training part"),
        ({"X_train": GRAY, "X_test": COLOR}, r"different shapes .*\(6, 7, 1\).*\(6, 7, 3\)"),
        ({"images": GRAY, "labels": LABELS[:9]}, "40 images in images but 9 labels in labels"),
        ({"images": GRAY.astype(int) * 9}, "images must be in 0 to 255 if it is integers"),
        ({"images": GRAY[:2]}, "at least 3 images are needed"),
    ],
)
def test_an_unusable_file_is_one_line(save_npz: Callable[..., str], arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_generative(save_npz(**arrays))


def test_only_a_folders_pictures_are_resized_and_a_missing_file_is_named(tmp_path: Path, save_npz: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match="only the pictures of a folder"):
        open_generative(save_npz(images=GRAY), size=(5, 5))
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npz"):
        open_generative(str(tmp_path / "none.npz"))
