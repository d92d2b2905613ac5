"""Built sets that were damaged, cut short or filled by others: every one is refused in a sentence."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glimpse.datasets.build import Verdict, build, verify
from glimpse.datasets.built_set import read_set
from glimpse.datasets.digits import DigitSource, open_digits
from glimpse.datasets.labeled_images import open_data
from glimpse.digest import sha256_of_file
from glimpse.settings.clutter import ClutterRecipe
from tests.helpers.refusals import refusal

RECIPE = ClutterRecipe(canvas=40, pieces=3, piece_size=6, border=2)


@pytest.fixture(scope="module")
def source() -> DigitSource:
    return open_digits("sklearn")


@pytest.fixture
def folder(tmp_path: Path, source: DigitSource) -> Path:
    """Returns the folder of a new set of 60 images."""
    list(build(tmp_path / "set", source, count=60, recipe=RECIPE))
    return tmp_path / "set"


def change(folder: Path, edit: Callable[[dict[str, Any]], object], *, is_sealed: bool = True) -> None:
    """Edits the manifest, without its own digest if it is not to be sealed."""
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    if not is_sealed:
        del manifest["manifest_sha256"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def replace(folder: Path, name: str, array: Any) -> None:
    """Replaces an array and its digest in a manifest without a seal."""
    np.save(folder / name, array)
    change(folder, lambda manifest: manifest["sha256"].update({name: sha256_of_file(folder / name)}), is_sealed=False)


@pytest.mark.parametrize(("label", "found"), [(10, r"\d to 10"), (-1, "-1 to 9"), (10**12, r"\d to 1000000000000")])
def test_labels_out_of_range_are_refused_even_with_their_digest(folder: Path, label: int, found: str) -> None:
    labels = np.load(folder / "labels.npy")
    labels[0] = label
    replace(folder, "labels.npy", labels)
    for refused in (verify, read_set, open_data):
        with pytest.raises(ValueError, match=rf"labels\.npy is damaged: it holds labels of {found}, expected 0 to 9; build"):
            refused(folder)


@pytest.mark.parametrize("position", [np.nan, np.inf, -0.5, 39.5])
def test_positions_outside_the_image_are_refused(folder: Path, position: float) -> None:
    centers = np.load(folder / "centers.npy")
    centers[7, 1] = position
    replace(folder, "centers.npy", centers)
    with pytest.raises(ValueError, match=r"centers\.npy is damaged: it holds positions outside 0 to 39; build the set again"):
        open_data(folder)


def test_a_file_that_shrinks_in_use_ends_in_a_sentence_and_not_in_a_signal(folder: Path) -> None:
    data = open_data(folder).test
    assert data is not None
    data.batch(torch.arange(60))
    os.truncate(folder / "images.npy", 5000)
    with pytest.raises(ValueError, match=r"images\.npy ends after [\d,]+ of [\d,]+ bytes"):
        data.batch(torch.arange(60))  # a memory map would end the process by SIGBUS


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "centers.npy"])
def test_a_flipped_bit_of_a_header_is_refused_or_changes_nothing(folder: Path, name: str) -> None:
    whole, content = read_set(folder), (folder / name).read_bytes()
    for bit in range(0, 8 * 128, 13):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        (folder / name).write_bytes(damaged)
        message = refusal(lambda: read_set(folder))
        if message is None:
            found = read_set(folder)
            assert np.array_equal(found.images, whole.images)
            assert np.array_equal(found.labels, whole.labels)
            assert np.array_equal(found.centers, whole.centers)
        else:
            assert message.startswith(str(folder / name))


@pytest.mark.parametrize("shape", ["(-1, 40, 40)", "(60, -40, -40)", "(60, 40, 40000000000)", "(60, 40)", "()"])
def test_a_shape_that_is_none_is_refused(folder: Path, shape: str) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    content = (folder / "images.npy").read_bytes()
    (folder / "images.npy").write_bytes(b"\x93NUMPY\x01\x00\x76\x00" + header + content[128:])
    with pytest.raises(ValueError, match=r"images\.npy cannot be read \(.*\); build the set again"):
        read_set(folder)


@pytest.mark.parametrize("path", ["count", "split", "seed", "frame", "recipe.border", "source.name", "source.n_classes"])
def test_a_changed_field_of_the_manifest_is_found(folder: Path, path: str) -> None:
    *outer, last = path.split(".")

    def edit(manifest: dict[str, Any]) -> None:
        fields = manifest[outer[0]] if outer else manifest
        others = {"split": "train", "frame": [27, 28], "name": "mnist", "count": 61, "n_classes": 11}
        fields[last] = others.get(last, 1)

    change(folder, edit)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged: a field was changed"):
        verify(folder)


def test_a_field_that_no_build_writes_is_refused(folder: Path) -> None:
    change(folder, lambda manifest: manifest.update({"manifest_sha257": manifest.pop("manifest_sha256")}))
    with pytest.raises(ValueError, match=r"manifest\.json is damaged: manifest_sha257 is missing or not what"):
        verify(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda manifest: manifest.update(frame=[27, 28]), r"frame is not \[28, 28\], as of its digits"),
        (lambda manifest: manifest["source"].update(n_classes=11), "n_classes is not 10, as of its digits"),
        (lambda manifest: manifest["source"]["sizes"].update(test=7), r"sizes is not {'train': 1197, 'valid': 300, 'test': 300}"),
    ],
)
def test_a_manifest_of_an_earlier_version_is_compared_with_its_digits(
    folder: Path, source: DigitSource, edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    change(folder, lambda manifest: None, is_sealed=False)
    assert verify(folder, source) == Verdict(60, 60)
    change(folder, lambda manifest: manifest.update(manifest_sha256=""))
    change(folder, edit, is_sealed=False)
    with pytest.raises(ValueError, match=message):
        verify(folder, source)


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"[]", b'{"format": 1e999}'])
def test_a_manifest_that_is_no_object_is_refused(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"manifest\.json|is not a built set") as caught:
        verify(folder)
    assert "\n" not in str(caught.value)


def test_a_finished_set_on_a_read_only_disk_is_in_order(folder: Path, source: DigitSource, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("unlink", "mkdir", "replace", "rename"):
        monkeypatch.setattr(os, name, refuse)
    assert list(build(folder, source, count=60, recipe=RECIPE)) == [(60, 60)]
    assert verify(folder, source) == Verdict(60, 60)
    data = open_data(folder).test
    assert data is not None
    assert data.batch(torch.arange(60)).images.shape == (60, 1, 40, 40)
