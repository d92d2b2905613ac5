"""Digit sources against the raw files, another resampling, a local server in the place of the mirrors, and hand-made files."""

import gzip
import hashlib
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torchvision import datasets as torchvision_datasets

from glimpse.datasets import digits as digits_module
from glimpse.datasets import fetch
from glimpse.datasets.digits import DigitSource, open_digits

N_TRAIN, N_TEST, N_HELD = 30, 12, 5  # in the place of 60,000, 10,000 and 10,000
PREFIXES = {
    "mnist": ("train", "t10k"),
    "fashion-mnist": ("train", "t10k"),
    "emnist-digits": ("emnist-digits-train", "emnist-digits-test"),
}
FOLDERS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "emnist-digits": "EMNIST"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets MNIST and its kin be a few glyphs."""
    monkeypatch.setattr(fetch, "_EXPECTED", dict.fromkeys(FOLDERS, (N_TRAIN, N_TEST)))
    monkeypatch.setattr(digits_module, "_HELD_OUT", N_HELD)


def idx(array: NDArray[np.uint8]) -> bytes:
    """Returns an array in the format of MNIST's files."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def made_up(name: str, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Returns the arrays of a source by the names of their files."""
    draw = np.random.default_rng(seed)
    arrays = {}
    for prefix, count in zip(PREFIXES[name], (N_TRAIN, N_TEST), strict=True):
        arrays[f"{prefix}-images-idx3-ubyte"] = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    return arrays


def lay_out(folder: Path, name: str, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Writes a source's files as torchvision has them."""
    arrays, raw = made_up(name, seed), folder / FOLDERS[name] / "raw"
    raw.mkdir(parents=True)
    for file, array in arrays.items():
        (raw / file).write_bytes(idx(array))
    return arrays


# scikit-learn's digits


def test_sklearn_digits_are_bilinearly_enlarged_into_the_middle_of_the_frame() -> None:
    source = open_digits("sklearn")
    original = torch.from_numpy(load_digits().images)[:, None] * 255 / 16
    enlarged = torch.nn.functional.interpolate(original, size=(20, 20), mode="bilinear", align_corners=False)
    expected = torch.nn.functional.pad(enlarged, (4, 4, 4, 4))[:, 0]
    images = torch.cat([source.train.images, source.valid.images, source.test.images]).double()
    nearest = torch.cdist(images.flatten(1), expected.flatten(1)).argmin(dim=1)
    assert sorted(nearest.tolist()) == list(range(1797))
    assert float((images - expected[nearest]).abs().max()) <= 0.5 + 1e-6


def test_sklearn_split_is_stratified_and_takes_every_digit_once() -> None:
    source, labels = open_digits("sklearn"), torch.from_numpy(load_digits().target)
    parts = [source.train, source.valid, source.test]
    assert [len(part.labels) for part in parts] == [1197, 300, 300]
    glyphs = [tuple(image.flatten().tolist()) for part in parts for image in part.images]
    assert len(set(glyphs)) == 1797  # all of its digits differ
    for part in parts:
        expected = torch.bincount(labels) * len(part.labels) / 1797
        assert (torch.bincount(part.labels) - expected).abs().max() <= 1


def test_sklearn_digits_never_change() -> None:
    source = open_digits("sklearn")
    assert source.sha256 == "30d5a3b903c8b8ff1acb8712d108d46978f57486cf3c51109531095ab225ce44"
    assert (source.name, source.path, source.reason, source.n_classes) == ("sklearn", None, None, 10)


# MNIST and its kin in a folder


def test_mnist_is_split_in_the_files_order(mnist_folder: Path) -> None:
    source, raw = open_digits("mnist", data_dir=mnist_folder), mnist_folder / "MNIST" / "raw"
    images = np.fromfile(raw / "train-images-idx3-ubyte", dtype=np.uint8)[16:].reshape(-1, 28, 28)
    labels = np.fromfile(raw / "train-labels-idx1-ubyte", dtype=np.uint8)[8:]
    tests = np.fromfile(raw / "t10k-images-idx3-ubyte", dtype=np.uint8)[16:].reshape(-1, 28, 28)
    assert np.array_equal(source.train.images, images[:50_000])
    assert np.array_equal(source.valid.images, images[50_000:])
    assert np.array_equal(source.valid.labels, labels[50_000:])
    assert np.array_equal(source.test.images, tests)
    assert source.sha256 == "92b2f5977d5d9bde7b9ecec9c06ca7e087e27e57093b29457be07bdd55ab49fd"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_read_and_left_as_it_was(tmp_path: Path, name: str) -> None:
    arrays = lay_out(tmp_path / "given", name)
    before = {file: (file.stat().st_mtime_ns, file.is_file() and file.read_bytes()) for file in (tmp_path / "given").rglob("*")}
    source = open_digits(name, data_dir=tmp_path / "given")
    after = {file: (file.stat().st_mtime_ns, file.is_file() and file.read_bytes()) for file in (tmp_path / "given").rglob("*")}
    assert before == after
    assert (source.name, source.path, source.n_classes) == (name, str(tmp_path / "given"), 10)
    train_images, train_labels, test_images, test_labels = arrays.values()
    axes = (0, 2, 1) if name == "emnist-digits" else (0, 1, 2)  # EMNIST's lie on their side
    held = N_TRAIN - N_HELD
    for part, images, labels in (
        (source.train, train_images[:held], train_labels[:held]),
        (source.valid, train_images[held:], train_labels[held:]),
        (source.test, test_images, test_labels),
    ):
        assert np.array_equal(part.images, images.transpose(axes))
        assert np.array_equal(part.labels, labels)
        assert (part.images.dtype, part.labels.dtype) == (torch.uint8, torch.int64)


@pytest.mark.usefixtures("small")
def test_places_are_searched_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, variable, cache = tmp_path / "given", tmp_path / "variable", fetch.cache_folder()
    for seed, folder in enumerate((given, variable, cache)):
        lay_out(folder, "mnist", seed)
    monkeypatch.setenv("GLIMPSE_DATA", str(variable))
    assert open_digits("auto", data_dir=given).path == str(given)
    assert open_digits("auto").path == str(variable)
    monkeypatch.delenv("GLIMPSE_DATA")
    assert open_digits("auto").path == str(cache)
    (tmp_path / "empty").mkdir()
    assert open_digits("mnist", data_dir=tmp_path / "empty").path == str(cache)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("damage", [lambda content: content[:-5], lambda content: b"", lambda content: b"\x1f\x8b" + content])
def test_a_damaged_file_is_named(tmp_path: Path, file: str, damage: Callable[[bytes], bytes]) -> None:
    lay_out(tmp_path / "given", "mnist")
    path = tmp_path / "given" / "MNIST" / "raw" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"mnist in .*given is damaged"):
        open_digits("mnist", data_dir=tmp_path / "given")


def test_files_of_other_sizes_are_refused(tmp_path: Path) -> None:
    lay_out(tmp_path / "given", "mnist")
    with pytest.raises(ValueError, match=r"hold \(30, 28, 28\) images, 60000 of 28 x 28 expected"):
        open_digits("mnist", data_dir=tmp_path / "given")


# Without MNIST


def test_auto_takes_sklearn_with_the_reason_where_there_is_no_mnist() -> None:
    source = open_digits("auto")
    assert source.name == "sklearn"
    assert source.reason is not None
    assert "mnist is not in" in source.reason
    assert "cannot be downloaded" in source.reason
    assert not fetch.cache_folder().exists()


def test_a_source_that_is_not_there_says_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"fashion-mnist is not in .*; name a folder that has it with --data-dir, or use --digits"
    ):
        open_digits("fashion-mnist", data_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        open_digits("mnist", data_dir=tmp_path / "nowhere")
    with pytest.raises(
        ValueError, match="no digits called 'nmist': choose auto, mnist, fashion-mnist, emnist-digits, sklearn or a"
    ):
        open_digits("nmist")


def test_nothing_is_downloaded_where_that_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "download", lambda *_: pytest.fail("downloaded"))
    assert open_digits("auto", download=False).name == "sklearn"
    with pytest.raises(FileNotFoundError, match="emnist-digits is not in"):
        open_digits("emnist-digits", download=False)


# Downloads, from a server on this machine


class Mirror(ThreadingHTTPServer):
    """Serves files from memory, each in 40 pieces with `drip` seconds between them."""

    daemon_threads = True
    files: dict[str, bytes]
    drip = 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_HEAD(self) -> None:
        self.begin()

    def do_GET(self) -> None:
        content = self.begin()
        step = len(content) // 40 + 1
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            time.sleep(self.server.drip)

    def begin(self) -> bytes:
        content = self.server.files.get(self.path.lstrip("/"))
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        return content or b""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, small: None) -> Iterator[Mirror]:
    """Returns a server that has MNIST and EMNIST's digits, made up, and that torchvision's classes name as theirs."""
    with Mirror() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        packed = {f"{file}.gz": gzip.compress(idx(array)) for file, array in made_up("mnist").items()}
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as members:
            members.writestr("gzip/emnist-letters-train-images-idx3-ubyte.gz", b"not wanted")
            for file, array in made_up("emnist-digits").items():
                members.writestr(f"gzip/{file}.gz", gzip.compress(idx(array)))
        server.files = packed | {"gzip.zip": archive.getvalue()}
        md5 = {file: hashlib.md5(content, usedforsecurity=False).hexdigest() for file, content in server.files.items()}
        monkeypatch.setattr(torchvision_datasets.MNIST, "mirrors", [server.url + "gone/", server.url])
        monkeypatch.setattr(torchvision_datasets.MNIST, "resources", [(file, md5[file]) for file in packed])
        monkeypatch.setattr(torchvision_datasets.EMNIST, "url", server.url + "gzip.zip")
        monkeypatch.setattr(torchvision_datasets.EMNIST, "md5", md5["gzip.zip"])
        yield server
        server.shutdown()


@pytest.mark.parametrize(("source", "name"), [("auto", "mnist"), ("mnist", "mnist"), ("emnist-digits", "emnist-digits")])
def test_a_source_is_downloaded_into_the_cache_alone(tmp_path: Path, mirror: Mirror, source: str, name: str) -> None:
    (tmp_path / "given").mkdir()
    lay_out(tmp_path / "same", name)
    seen: list[tuple[int, int]] = []
    opened = open_digits(source, data_dir=tmp_path / "given", progress=lambda done, total: seen.append((done, total)))
    assert opened.path == str(fetch.cache_folder())
    assert opened.sha256 == open_digits(name, data_dir=tmp_path / "same").sha256
    assert not list((tmp_path / "given").iterdir())
    raw = fetch.cache_folder() / FOLDERS[name] / "raw"
    assert {file.name for file in raw.iterdir()} == set(made_up(name))
    assert seen[-1][0] == seen[-1][1] > 0
    mirror.files = {}
    assert open_digits(name).path == opened.path


def test_another_checksum_is_no_download(mirror: Mirror) -> None:
    mirror.files["train-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(FileNotFoundError, match="another checksum"):
        open_digits("mnist")
    reason = open_digits("auto").reason
    assert reason is not None
    assert "another checksum" in reason
    assert not [file for file in fetch.cache_folder().rglob("*") if "download" in file.name]


def test_a_download_ends_at_its_time_limit(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIME_LIMITS", {"mnist": 0.2})
    mirror.drip = 0.05
    with pytest.raises(FileNotFoundError, match="the time limit is over"):
        open_digits("mnist")


def test_a_server_that_hangs_is_given_up(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PROBE_SECONDS", 0.2)
    released = threading.Event()

    def hang(*_: Any, **__: Any) -> None:
        released.wait(60)
        raise OSError("released")

    monkeypatch.setattr(fetch, "_open", hang)
    assert open_digits("auto").name == "sklearn"
    assert not released.is_set()
    released.set()


# A person's own file


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path / "own.npz", **arrays)
    return str(path / "own.npz")


def own_glyphs(count: int, *, side: int = 9) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns glyphs whose first pixel is their number."""
    images = np.random.default_rng(count).integers(0, 256, (count, side, side), dtype=np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images, np.arange(count) % 3


def numbers(source: DigitSource) -> list[list[int]]:
    return [part.images[:, 0, 0].tolist() for part in (source.train, source.valid, source.test)]


def test_a_file_is_split_by_seed(tmp_path: Path) -> None:
    images, labels = own_glyphs(107)
    file = saved(tmp_path, images=images, labels=labels)
    source = open_digits(file, seed=1)
    train, valid, test = numbers(source)
    assert [len(part) for part in (train, valid, test)] == [87, 10, 10]
    assert sorted(train + valid + test) == list(range(107))
    for part in (source.train, source.valid, source.test):
        for image, label in zip(part.images, part.labels, strict=True):
            assert np.array_equal(image, images[int(image[0, 0])])
            assert int(label) == labels[int(image[0, 0])]
    assert open_digits(file, seed=1).sha256 == source.sha256
    assert numbers(open_digits(file, seed=2))[2] != test
    assert (source.name, source.n_classes, source.seed, source.path) == ("file", 3, 1, str(tmp_path / "own.npz"))


def test_a_file_keeps_its_own_splits(tmp_path: Path) -> None:
    x, y = own_glyphs(60)
    three = {
        "X_train": x[:30],
        "y_train": y[:30],
        "X_valid": x[30:40],
        "y_valid": y[30:40],
        "X_test": x[40:],
        "y_test": y[40:, None],
    }
    assert numbers(open_digits(saved(tmp_path, **three))) == [list(range(30)), list(range(30, 40)), list(range(40, 60))]
    two = {name: array for name, array in three.items() if "valid" not in name}
    assert numbers(open_digits(saved(tmp_path, **two))) == [list(range(27)), [27, 28, 29], list(range(40, 60))]
    one = {name: array for name, array in two.items() if "test" not in name}
    assert [len(part) for part in numbers(open_digits(saved(tmp_path, **one)))] == [24, 3, 3]
    plain = {"images": x[:30], "labels": y[:30], "X_test": x[40:], "y_test": y[40:]}
    assert numbers(open_digits(saved(tmp_path, **plain))) == [list(range(27)), [27, 28, 29], list(range(40, 60))]


def test_float_glyphs_are_rounded_to_eight_bits(tmp_path: Path) -> None:
    images, labels = own_glyphs(20)
    as_float = open_digits(saved(tmp_path, images=images.reshape(20, -1) / 255, labels=labels))
    assert as_float.sha256 == open_digits(saved(tmp_path, images=images, labels=labels)).sha256


X, Y = own_glyphs(20)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": X, "labels": Y}, "no array 'images'; .* found labels, pictures"),
        ({"X_train": X}, "no array 'y_train'"),
        ({"images": X, "labels": Y[:-1]}, "20 images in images but 19 labels in labels"),
        ({"images": X[:, :, :4, None, None], "labels": Y}, r"must be \(N, H, W\)"),
        ({"images": X[:, :3, :1].reshape(20, 3), "labels": Y}, r"square rows \(N, S \* S\), got \(20, 3\)"),
        ({"images": np.zeros((20, 3, 9, 9), np.uint8), "labels": Y}, "move the channels last"),
        ({"images": np.stack([X] * 3, axis=-1), "labels": Y}, "digits must be grey, got 3 channels"),
        ({"images": X[:0], "labels": Y[:0]}, "is empty"),
        ({"images": X.astype(np.int64), "labels": Y}, r"must be uint8, or float in 0 to 1, got int64; .*astype\('uint8'\)"),
        ({"images": X.astype(float), "labels": Y}, "must be in 0 to 1 where it is float, got 0 to 255; divide"),
        ({"images": np.where(X > 250, np.nan, 0.5), "labels": Y}, "must be in 0 to 1 where it is float, got nan"),
        ({"images": X / 255 - 0.1, "labels": Y}, "got -0.1 to 0.9"),
        ({"images": X, "labels": Y.astype(float)}, "labels must be integers, got float64"),
        ({"images": X, "labels": np.eye(20)[:, :10].astype(int)}, r"labels must be \(N,\) or \(N, 1\), got \(20, 10\)"),
        ({"images": X, "labels": Y - 1}, "labels must be in 0 to 65535, got -1 to 1"),
        ({"images": X[:9], "labels": Y[:9]}, "at least 10 glyphs are needed for a split of 80/10/10, got 9"),
        ({"X_test": X, "y_test": Y}, "need a training part"),
        ({"X_train": X, "y_train": Y, "X_valid": X, "y_valid": Y}, "need a test part too"),
        ({"X_train": X, "y_train": Y, "X_test": X[:, 1:], "y_test": Y}, "images of different shapes"),
        ({"images": np.array([{}] * 20), "labels": Y}, "not a .npz file of plain arrays"),
    ],
)
def test_a_file_that_does_not_fit_says_why(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_digits(saved(tmp_path, **arrays))


def test_a_file_that_is_none_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npz"):
        open_digits(str(tmp_path / "none.npz"))
    for content in (b"", b"PK\x03\x04 broken", b"text"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.npz: not a \.npz file"):
            open_digits(str(tmp_path / "bad.npz"))
    np.save(tmp_path / "one.npy", X)
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(ValueError, match=r"one\.npz: not a \.npz file"):
        open_digits(str(tmp_path / "one.npz"))


def test_a_record_is_json_and_opens_the_same_again(tmp_path: Path) -> None:
    images, labels = own_glyphs(50)
    for opened in (open_digits("sklearn"), open_digits(saved(tmp_path, images=images, labels=labels), seed=9)):
        record: dict[str, Any] = json.loads(json.dumps(opened.record()))
        again = open_digits(record["digits"], seed=record["seed"] or 0)
        assert again.record() == record
        assert record["sizes"] == {
            "train": len(opened.train.labels),
            "valid": len(opened.valid.labels),
            "test": len(opened.test.labels),
        }
