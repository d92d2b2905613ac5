"""MNIST, Fashion-MNIST and EMNIST digits against the raw files, with a local server in place of the mirrors."""

import gzip
import hashlib
import io
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision import datasets as torchvision_datasets

from glimpse.datasets import fetch, folders
from glimpse.datasets.digits import open_digits
from glimpse.datasets.mnist import LAYOUTS
from glimpse.datasets.opening import open_digit_source
from glimpse.listener import Listener

LayOut = Callable[..., dict[str, NDArray[np.uint8]]]

# In a folder


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


@pytest.mark.usefixtures("small_mnist")
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_is_read_and_not_changed(tmp_path: Path, lay_out: LayOut, name: str) -> None:
    arrays = lay_out(tmp_path / "given", name)
    before = {file: (file.stat().st_mtime_ns, file.is_file() and file.read_bytes()) for file in (tmp_path / "given").rglob("*")}
    source = open_digits(name, data_dir=tmp_path / "given")
    after = {file: (file.stat().st_mtime_ns, file.is_file() and file.read_bytes()) for file in (tmp_path / "given").rglob("*")}
    assert before == after
    assert (source.name, source.path, source.n_classes) == (name, str(tmp_path / "given"), 10)
    train_images, train_labels, test_images, test_labels = arrays.values()
    axes = (0, 2, 1) if name == "emnist-digits" else (0, 1, 2)  # EMNIST digits are transposed
    held = 25
    for part, images, labels in (
        (source.train, train_images[:held], train_labels[:held]),
        (source.valid, train_images[held:], train_labels[held:]),
        (source.test, test_images, test_labels),
    ):
        assert np.array_equal(part.images, images.transpose(axes))
        assert np.array_equal(part.labels, labels)
        assert (part.images.dtype, part.labels.dtype) == (torch.uint8, torch.int64)


@pytest.mark.usefixtures("small_mnist")
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("damage", [lambda content: content[:-5], lambda content: b"", lambda content: b"\x1f\x8b" + content])
def test_a_damaged_file_is_named(tmp_path: Path, lay_out: LayOut, file: str, damage: Callable[[bytes], bytes]) -> None:
    lay_out(tmp_path / "given", "mnist")
    path = tmp_path / "given" / "MNIST" / "raw" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"mnist in .*given is damaged"):
        open_digits("mnist", data_dir=tmp_path / "given")


def test_files_of_other_sizes_are_refused(tmp_path: Path, lay_out: LayOut) -> None:
    lay_out(tmp_path / "given", "mnist")
    with pytest.raises(ValueError, match=r"hold \(30, 28, 28\) images, expected 60000 of 28 x 28"):
        open_digits("mnist", data_dir=tmp_path / "given")


@pytest.mark.usefixtures("small_mnist")
@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "t10k-labels-idx1-ubyte",
            bytes([0, 0, 8, 1, 0, 0, 0, 12]) + bytes(11) + b"\x0a",
            "holds labels up to 10, expected 0 to 9",
        ),
        ("t10k-labels-idx1-ubyte", bytes([0, 0, 9, 1, 0, 0, 0, 12]) + bytes(12), r"hold \(12, 28, 28\) images, expected 12"),
        ("t10k-images-idx3-ubyte", b"no header", "starts with 6e 6f 20 68, which is no header of an IDX file"),
        ("t10k-images-idx3-ubyte", bytes([0, 0, 8, 3, 0, 0, 0, 12, 255, 255, 255, 255, 0, 0, 0, 28]), "the limit is 8 GB"),
    ],
)
def test_files_that_are_no_glyphs_or_labels_are_refused(
    tmp_path: Path, lay_out: LayOut, file: str, content: bytes, message: str
) -> None:
    lay_out(tmp_path / "given", "mnist")
    (tmp_path / "given" / "MNIST" / "raw" / file).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        open_digits("mnist", data_dir=tmp_path / "given")
    assert "\n" not in str(caught.value)


def test_noise_in_the_test_images_is_found(mnist_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(mnist_folder / "MNIST" / "raw", tmp_path / "MNIST" / "raw")
    file = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[5_000_000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte is damaged: its MD5 is not that of mnist, 2646ac6"):
        open_digits("mnist", data_dir=tmp_path)


@pytest.mark.usefixtures("small_mnist")
def test_a_set_without_a_known_digest_is_opened_with_a_note(tmp_path: Path, lay_out: LayOut) -> None:
    lay_out(tmp_path / "given", "emnist-digits")
    notes: list[str] = []

    class Notes(Listener):
        def note(self, message: str) -> None:
            notes.append(message)

    open_digit_source("emnist-digits", tmp_path / "given", listener=Notes())
    assert notes == [
        f"The content of emnist-digits in {tmp_path / 'given'} is not checked: no digest of its unpacked files is known."
    ]
    assert not LAYOUTS["emnist-digits"].md5


@pytest.mark.usefixtures("small_mnist")
def test_a_pickle_of_an_old_torchvision_next_to_the_files_is_not_opened(tmp_path: Path, lay_out: LayOut) -> None:
    lay_out(tmp_path / "given", "mnist")
    (tmp_path / "given" / "MNIST" / "processed").mkdir()
    for name in ("training.pt", "test.pt"):
        (tmp_path / "given" / "MNIST" / "processed" / name).write_bytes(b"not a tensor")
    assert len(open_digits("mnist", data_dir=tmp_path / "given").test.labels) == 12


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
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_mnist: None, lay_out: LayOut) -> Iterator[Mirror]:
    """Returns a server with synthetic MNIST and EMNIST digits, entered as the mirror of torchvision's classes."""
    for name in ("mnist", "emnist-digits"):
        lay_out(tmp_path / "same", name)
    packed, emnist = (
        {f"{file.name}.gz": gzip.compress(file.read_bytes()) for file in (tmp_path / "same" / name / "raw").iterdir()}
        for name in ("MNIST", "EMNIST")
    )
    with Mirror() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as members:
            members.writestr("gzip/emnist-letters-train-images-idx3-ubyte.gz", b"not wanted")
            for file, content in emnist.items():
                members.writestr(f"gzip/{file}", content)
        server.files = packed | {"gzip.zip": archive.getvalue()}
        md5 = {file: hashlib.md5(content, usedforsecurity=False).hexdigest() for file, content in server.files.items()}
        monkeypatch.setattr(torchvision_datasets.MNIST, "mirrors", [server.url + "gone/", server.url])
        monkeypatch.setattr(torchvision_datasets.MNIST, "resources", [(file, md5[file]) for file in packed])
        monkeypatch.setattr(torchvision_datasets.EMNIST, "url", server.url + "gzip.zip")
        monkeypatch.setattr(torchvision_datasets.EMNIST, "md5", md5["gzip.zip"])
        yield server
        server.shutdown()


@pytest.mark.parametrize(("source", "name"), [("auto", "mnist"), ("mnist", "mnist"), ("emnist-digits", "emnist-digits")])
def test_a_source_is_downloaded_to_the_cache_only(tmp_path: Path, mirror: Mirror, source: str, name: str) -> None:
    (tmp_path / "given").mkdir()
    seen: list[tuple[int, int]] = []
    opened = open_digits(source, data_dir=tmp_path / "given", progress=lambda done, total: seen.append((done, total)))
    assert opened.path == str(folders.cache_folder())
    assert opened.sha256 == open_digits(name, data_dir=tmp_path / "same").sha256
    assert not list((tmp_path / "given").iterdir())
    raw = folders.cache_folder() / LAYOUTS[name].folder / "raw"
    assert {file.name for file in raw.iterdir()} == {
        file.name for file in (tmp_path / "same").rglob("*ubyte") if file.parent.parent.name == raw.parent.name
    }
    assert seen[-1][0] == seen[-1][1] > 0
    mirror.files = {}
    assert open_digits(name).path == opened.path


def test_a_download_with_another_checksum_is_refused(mirror: Mirror) -> None:
    mirror.files["train-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(FileNotFoundError, match="another checksum"):
        open_digits("mnist")
    reason = open_digits("auto").reason
    assert reason is not None
    assert "another checksum" in reason
    assert not [file for file in folders.cache_folder().rglob("*") if "download" in file.name]


def test_a_download_ends_at_its_time_limit(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAYOUTS, "mnist", replace(LAYOUTS["mnist"], time_limit=0.2))
    mirror.drip = 0.05
    with pytest.raises(FileNotFoundError, match="the time limit is over"):
        open_digits("mnist")


def test_a_server_that_hangs_times_out(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PROBE_SECONDS", 0.2)
    released = threading.Event()

    def hang(*_: Any, **__: Any) -> None:
        released.wait(60)
        raise OSError("released")

    monkeypatch.setattr(fetch, "open_url", hang)
    assert open_digits("auto").name == "sklearn"
    assert not released.is_set()
    released.set()
