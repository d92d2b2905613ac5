"""MNIST placed by hand: every layout against torchvision's, and no other digits in place of files that are there but unusable."""

import gzip
import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glimpse.datasets import folders
from glimpse.datasets.digits import DigitSource, open_digits
from glimpse.datasets.mnist import LAYOUTS

pytestmark = pytest.mark.usefixtures("small_mnist")
LayOut = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves only the folder that is given to be searched."""
    monkeypatch.delenv("GLIMPSE_DATA", raising=False)
    monkeypatch.setattr(folders, "cache_folder", lambda: tmp_path / "cache")


def opened(place: Path, digits: str = "mnist") -> DigitSource:
    return open_digits(digits, data_dir=place, download=False)


def moved(raw: Path, folder: Path, rename: Callable[[str], str] = str, *, pack: bool = False) -> Path:
    """Moves the files of a set to another folder, under other names, packed by gzip if wanted; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(raw.iterdir()):
        content = file.read_bytes()
        name = rename(file.name) + (".gz" if pack else "")
        file.unlink()
        (folder / name).write_bytes(gzip.compress(content) if pack else content)
    return folder


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("layout", ["{set}/raw", "{set}", "raw", "."])
def test_a_set_is_found_however_it_was_placed(tmp_path: Path, lay_out: LayOut, name: str, layout: str, pack: bool) -> None:
    lay_out(tmp_path / "given", name)
    place, folder = tmp_path / "given", LAYOUTS[name].folder
    expected = opened(place, name).sha256
    moved(place / folder / "raw", tmp_path / "hand" / layout.format(set=folder), pack=pack)
    assert opened(tmp_path / "hand", name).sha256 == expected


def test_dotted_names_are_read(tmp_path: Path, lay_out: LayOut) -> None:
    lay_out(tmp_path / "given", "mnist")
    expected = opened(tmp_path / "given").sha256
    moved(tmp_path / "given" / "MNIST" / "raw", tmp_path / "hand", lambda name: name.replace("-idx", ".idx"))
    assert opened(tmp_path / "hand").sha256 == expected


@pytest.mark.parametrize("inside", ["MNIST", "MNIST/raw"])
def test_the_folder_of_the_set_itself_may_be_named(tmp_path: Path, lay_out: LayOut, inside: str) -> None:
    lay_out(tmp_path, "mnist")
    assert opened(tmp_path / inside, "auto").name == "mnist"


def test_files_of_another_set_with_the_same_names_are_passed_over(
    tmp_path: Path, lay_out: LayOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path / "given", "fashion-mnist")
    flat = moved(tmp_path / "given" / "FashionMNIST" / "raw", tmp_path / "flat")
    known = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in flat.iterdir()}
    monkeypatch.setitem(LAYOUTS, "fashion-mnist", replace(LAYOUTS["fashion-mnist"], md5=known))
    assert opened(flat, "fashion-mnist").name == "fashion-mnist"
    assert opened(flat, "auto").name == "sklearn"


def refused(place: Path) -> str:
    """Returns the one line with which `auto` refuses to fall back to other digits."""
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        opened(place, "auto")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_other_digits_take_the_place_of_files_that_are_there(tmp_path: Path, lay_out: LayOut) -> None:
    lay_out(tmp_path, "mnist")
    raw = tmp_path / "MNIST" / "raw"
    (raw / "t10k-labels-idx1-ubyte").unlink()
    line = refused(tmp_path)
    assert "holds files of mnist that cannot be used as they are: MNIST/raw/t10k-images-idx3-ubyte" in line
    assert "wanted are MNIST/raw with train-images-idx3-ubyte" in line
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(100))[:20])
    assert "mnist in" in refused(tmp_path)
    assert "is damaged" in refused(tmp_path)


def test_an_archive_is_named_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "MNIST").mkdir()
    with zipfile.ZipFile(tmp_path / "MNIST" / "archive.zip", "w") as archive:
        archive.writestr("train-images-idx3-ubyte", b"")
    assert "MNIST/archive.zip; unpack archives" in refused(tmp_path)


def test_an_archive_is_known_by_the_files_in_it(tmp_path: Path) -> None:
    for name in ("archive.zip", "fashion-mnist.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for prefix in ("train", "t10k"):
                archive.writestr(f"archive/{prefix}-images-idx3-ubyte/{prefix}-images-idx3-ubyte", b"")
    line = refused(tmp_path)
    assert "holds files of mnist that cannot be used as they are: archive.zip; unpack" in line
    (tmp_path / "archive.zip").unlink()
    assert opened(tmp_path, "auto").name == "sklearn"  # the other one is Fashion-MNIST's by its name
    with pytest.raises(
        FileNotFoundError, match=r"holds files of fashion-mnist that cannot be used as they are: fashion-mnist\.zip"
    ):
        opened(tmp_path, "fashion-mnist")


@pytest.mark.parametrize("name", ["mnist.npz", "mnist_train.csv", "MNIST-original.mat", "mnist.pkl.gz"])
def test_a_set_in_another_form_is_named_to_be_given_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    line = refused(tmp_path)
    assert f"cannot be used as they are: {name};" in line
    assert line.endswith("or name a single file with --digits")


@pytest.mark.parametrize("folder", ["mnist", "Mnist/raw", "fashion_mnist", "Fashion-MNIST/raw"])
def test_the_folder_may_be_spelled_in_any_way(tmp_path: Path, lay_out: LayOut, folder: str) -> None:
    name = "fashion-mnist" if folder.lower().startswith("fashion") else "mnist"
    lay_out(tmp_path / "given", name)
    expected = opened(tmp_path / "given", name).sha256
    moved(tmp_path / "given" / LAYOUTS[name].folder / "raw", tmp_path / "hand" / folder)
    assert opened(tmp_path / "hand", name).sha256 == expected


def test_without_a_trace_auto_takes_other_digits_and_says_why(tmp_path: Path) -> None:
    source = opened(tmp_path, "auto")
    assert source.name == "sklearn"
    assert source.reason is not None
    assert "mnist is not in" in source.reason
