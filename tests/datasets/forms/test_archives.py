"""Archives against the folders that they were made from; hostile ones, of which nothing is written outside or beyond the limit."""

import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.datasets import limits
from glimpse.datasets.forms import archives
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.listener import Listener
from tests.datasets.forms.conftest import COLOR, GRAY, LABELS
from tests.datasets.forms.test_class_folders import BY_CLASS, TEXTS, drawn

Opens = Callable[..., DataParts]
KINDS = pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])


@pytest.fixture(autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the folder of temporary files, which is the test's own."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(archives, "_unpacked", {})
    return folder


def packed(folder: Path, kind: str, prefix: str = "") -> Path:
    """Returns an archive of all files in a folder, hidden ones too."""
    path = folder.with_name(f"{folder.name}.{kind}")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    else:
        with tarfile.open(path, f"w:{kind[4:]}") as tar:  # type: ignore[call-overload]
            for file in files:
                tar.add(file, prefix + file.relative_to(folder).as_posix())
    return path


def zipped(path: Path, **files: bytes) -> Path:
    """Returns a zip archive of files by their names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def refused(path: Path, temporary_files: Path) -> str:
    """Returns the message of the error of an archive that must be refused; nothing may be left."""
    with pytest.raises(ValueError) as error:
        open_data(path)
    assert not [*temporary_files.iterdir()]
    message = str(error.value)
    assert message.startswith(f"{path}")
    assert "\n" not in message
    return message


@KINDS
@pytest.mark.parametrize("prefix", ["", "photos/"])
def test_an_archive_of_class_folders_is_read_like_the_folder(tmp_path: Path, opens_as: Opens, kind: str, prefix: str) -> None:
    folder = drawn(tmp_path / "photos")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._000.png").write_bytes(b"no picture")
    (folder / "ant" / ".ipynb_checkpoints").mkdir()
    (folder / "ant" / ".ipynb_checkpoints" / "000-checkpoint.png").write_bytes(b"no picture")
    path = packed(folder, kind, prefix)
    data = opens_as(path, COLOR[BY_CLASS], TEXTS[BY_CLASS], form="class folders in an archive")
    assert (data.path, data.class_names) == (str(path), ("ant", "bee", "cat", "dog"))


@KINDS
def test_parts_in_an_archive_are_parts(tmp_path: Path, kind: str) -> None:
    drawn(tmp_path / "set" / "train", COLOR[:24], TEXTS[:24])
    drawn(tmp_path / "set" / "valid", COLOR[24:32], TEXTS[24:32])
    drawn(tmp_path / "set" / "test", COLOR[32:], TEXTS[32:])
    parts = open_data(packed(tmp_path / "set", kind, "set/")).parts
    assert {name: len(part) for name, part in parts.items()} == {"train": 24, "valid": 8, "test": 8}


@KINDS
def test_an_archive_of_another_form_is_that_form(tmp_path: Path, opens_as: Opens, kind: str) -> None:
    (tmp_path / "arrays").mkdir()
    np.savez(tmp_path / "arrays" / "own.npz", images=GRAY, labels=LABELS)
    assert opens_as(packed(tmp_path / "arrays", kind)).form == ".npz in an archive"
    (tmp_path / "table" / "pictures").mkdir(parents=True)
    for number, image in enumerate(GRAY):
        Image.fromarray(image).save(tmp_path / "table" / "pictures" / f"{number}.png")
    lines = ["file,label", *(f"{number}.png,{label}" for number, label in enumerate(LABELS))]
    (tmp_path / "table" / "labels.csv").write_text("\n".join(lines))
    assert opens_as(packed(tmp_path / "table", kind)).form == "CSV in an archive"


def test_an_archive_is_unpacked_once_and_anew_if_it_changes(tmp_path: Path, temporary_files: Path) -> None:
    path = packed(drawn(tmp_path / "photos"), "zip")
    first = open_data(path)
    assert open_data(path).sha256 == first.sha256
    assert len([*temporary_files.iterdir()]) == 1
    drawn(tmp_path / "photos", COLOR[:1], TEXTS[:1], start=100)
    packed(tmp_path / "photos", "zip")
    again = open_data(path)
    assert len(again.evaluation[1]) == 41
    assert again.sha256 != first.sha256


def test_the_files_are_removed_when_the_program_ends(tmp_path: Path) -> None:
    path, temporary = packed(drawn(tmp_path / "photos"), "tar.gz"), tmp_path / "temporary"
    temporary.mkdir()
    program = "import sys, glimpse.datasets as d; print(d.open(sys.argv[1]).evaluation[1].images[:9].shape)"
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={"TMPDIR": str(temporary), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (ended.stdout.strip(), ended.returncode) == ("(9, 9, 7, 3)", 0), ended.stderr
    assert not [*temporary.iterdir()]


# Hostile archives


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/tmp/x.png", "..\\x.png", "C:\\x.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_that_leads_out_of_the_archive_is_refused(tmp_path: Path, temporary_files: Path, kind: str, name: str) -> None:
    path = tmp_path / f"some.{kind}"
    if kind == "zip":
        zipped(path, **{"a/1.png": b"1", name: b"2"})
    else:
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    before = {*tmp_path.rglob("*")}
    assert "leads out of the archive" in refused(path, temporary_files)
    assert {*tmp_path.rglob("*")} == before


def test_links_and_devices_are_left_out_with_a_note(tmp_path: Path, temporary_files: Path) -> None:
    path = packed(drawn(tmp_path / "photos"), "tar")
    with tarfile.open(path, "a") as archive:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)):
            member = tarfile.TarInfo(f"ant/x{number}.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    notes: list[str] = []

    class Heard(Listener):
        def note(self, message: str) -> None:
            notes.append(message)

    assert len(open_data(path, listener=Heard()).evaluation[1]) == 40
    assert notes == [f"{path}: 4 links and devices: left out."]
    link = zipfile.ZipInfo("ant/link.png")
    link.external_attr = 0o120777 << 16
    path = packed(tmp_path / "photos", "zip")
    with zipfile.ZipFile(path, "a") as zip_archive:
        zip_archive.writestr(link, "/etc/passwd")
    assert len(open_data(path).evaluation[1]) == 40
    assert not any(file.is_symlink() for file in temporary_files.rglob("*"))


@KINDS
def test_no_more_than_the_limit_is_unpacked(
    tmp_path: Path, temporary_files: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "bomb" / "a").mkdir(parents=True)
    (tmp_path / "bomb" / "a" / "1.png").write_bytes(b"\0" * 3_000_000)
    (tmp_path / "bomb" / "a" / "2.png").write_bytes(b"\0" * 3_000_000)
    monkeypatch.setattr(limits, "MOST_BYTES", 5_000_000)
    assert "takes more than 0.005 GB, the limit; if you trust the file, lift the limit" in refused(
        packed(tmp_path / "bomb", kind), temporary_files
    )


def test_many_empty_files_count_too(tmp_path: Path, temporary_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 1_000_000)
    path = zipped(tmp_path / "many.zip", **{f"a/{number}.png": b"" for number in range(1_000)})
    assert "the limit" in refused(path, temporary_files)


def test_a_header_of_a_tar_that_asks_for_much_memory_is_refused(tmp_path: Path, temporary_files: Path) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    path = tmp_path / "some.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + b"a" * 10_000))
    assert "a header in it has 8,589,934,592 bytes" in refused(path, temporary_files)


def test_an_encrypted_archive_is_named(tmp_path: Path, temporary_files: Path) -> None:
    path = zipped(tmp_path / "some.zip", **{"a/1.png": b"1"})
    content = bytearray(path.read_bytes())
    for mark in (b"PK\3\4", b"PK\1\2"):
        content[content.index(mark) + (6 if mark == b"PK\3\4" else 8)] |= 1
    path.write_bytes(content)
    assert "is encrypted: unpack it" in refused(path, temporary_files)


def test_a_zip_of_an_unknown_version_is_refused_in_one_line(tmp_path: Path, temporary_files: Path) -> None:
    path = zipped(tmp_path / "some.zip", **{"a/1.png": b"1"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 6] = 84  # version that is needed to unpack it
    path.write_bytes(content)
    assert "is no archive that can be read (zip file version 8.4)" in refused(path, temporary_files)


@KINDS
def test_a_damaged_archive_is_refused_in_one_line(tmp_path: Path, temporary_files: Path, kind: str) -> None:
    path = packed(drawn(tmp_path / "photos"), kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "is no archive that can be read" in refused(path, temporary_files)


def test_a_damaged_gzip_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "images-idx3-ubyte.gz"
    header = gzip.compress(b"", mtime=0)[:10]
    path.write_bytes(header + b"\1" + bytes((9, 0, 9, 0)) + bytes(9))  # a stored block whose two lengths contradict each other
    with pytest.raises(ValueError, match=r"^[^\n]*images-idx3-ubyte\.gz[^\n]*$"):
        open_data(path)


def test_a_wrong_header_in_the_middle_of_a_tar_is_no_end(tmp_path: Path, temporary_files: Path) -> None:
    path = packed(drawn(tmp_path / "photos"), "tar")
    content = bytearray(path.read_bytes())
    place = content.index(b"ustar", len(content) // 2) - 257
    content[place] ^= 255  # the checksum of this header is wrong
    path.write_bytes(content)
    assert "is no archive that can be read" in refused(path, temporary_files)


def test_two_tars_in_one_file_are_not_read_as_the_first(tmp_path: Path, temporary_files: Path) -> None:
    path = packed(drawn(tmp_path / "photos"), "tar")
    path.write_bytes(2 * path.read_bytes())
    assert "it continues after its end" in refused(path, temporary_files)


def test_a_broken_picture_is_named_by_its_place_in_the_archive(tmp_path: Path) -> None:
    folder = drawn(tmp_path / "photos")
    (folder / "ant" / "broken.png").write_bytes(b"no picture")
    path = packed(folder, "zip")
    with pytest.raises(ValueError, match=f"one picture of 41 cannot be read: {path}/ant/broken.png"):
        open_data(path)


def test_archives_of_several_forms_and_archives_in_archives_are_no_form(tmp_path: Path) -> None:
    inner = packed(drawn(tmp_path / "photos"), "zip")
    path = zipped(tmp_path / "outer.zip", **{"photos.zip": inner.read_bytes()})
    with pytest.raises(ValueError, match=r"outer\.zip holds no images in a form that is recognized; it holds 1 file \.zip"):
        open_data(path)
    path = zipped(tmp_path / "two.zip", **{"train.csv": b"label,a,b\n1,2,3\n", "test.csv": b"label,a,b\n1,2,3\n"})
    with pytest.raises(ValueError, match=r"give one of its files: test\.csv, train\.csv"):
        open_data(path)


def test_pictures_are_decoded_after_the_archive_was_removed(tmp_path: Path) -> None:
    path = packed(drawn(tmp_path / "photos"), "zip")
    data = open_data(path)
    path.unlink()
    assert data.evaluation[1].batch(torch.arange(40)).images.shape == (40, 3, 9, 7)
