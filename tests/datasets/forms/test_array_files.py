"""`.npy`, HDF5, MATLAB and IDX files against the arrays in them."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from glimpse.datasets.forms import arrays as forms_of_arrays
from glimpse.datasets.forms import hdf5, npy
from glimpse.datasets.forms.found import Undecided
from glimpse.datasets.labeled_images import DataParts, open_data
from tests.datasets.forms.conftest import COLOR, GRAY, LABELS

Opens = Callable[..., DataParts]
NAMES = np.array(["ant", "bee", "cat", "dog"])
ONE_HOT = np.eye(4)[LABELS]


def test_an_npy_file_is_read_with_the_labels_next_to_it(tmp_path: Path, opens_as: Opens) -> None:
    np.save(tmp_path / "x_train.npy", GRAY)
    with pytest.raises(Undecided, match="no labels for x_train"):
        open_data(tmp_path / "x_train.npy")
    (tmp_path / "y_train.txt").write_text("\n".join(NAMES[LABELS]))
    opens_as(tmp_path / "x_train.npy", labels=NAMES[LABELS], form=".npy")
    (tmp_path / "y_train.txt").unlink()
    np.save(tmp_path / "who.npy", LABELS)
    np.save(tmp_path / "mood.npy", LABELS // 2)
    with pytest.raises(Undecided, match="mood and who may both be the labels"):
        open_data(tmp_path / "x_train.npy")
    opens_as(tmp_path / "x_train.npy", labels_key="who")


def test_a_folder_of_npy_files_has_the_parts_they_name(tmp_path: Path, opens_as: Opens) -> None:
    for name, rows in (("train", slice(30)), ("test", slice(30, None))):
        np.save(tmp_path / f"{name}_images.npy", GRAY[rows])
        np.save(tmp_path / f"{name}_labels.npy", LABELS[rows])
    opens_as(tmp_path, form=".npy")


def written(path: Path, **values: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            file[name.replace("__", "/")] = value
    return path


def test_hdf5_is_read_by_the_names_of_groups_and_arrays(tmp_path: Path, opens_as: Opens) -> None:
    parts = {"train__x": GRAY[:30], "train__y": LABELS[:30], "test__x": GRAY[30:], "test__y": LABELS[30:]}
    opens_as(written(tmp_path / "a.h5", **parts), form="HDF5")
    names = np.array([name.encode() for name in NAMES])
    opens_as(written(tmp_path / "b.hdf5", train_set_x=COLOR, train_set_y=LABELS, list_classes=names), COLOR, NAMES[LABELS])
    opens_as(written(tmp_path / "c", images=GRAY, labels=NAMES[LABELS].astype(object)), labels=NAMES[LABELS])


def test_weights_in_hdf5_are_no_images(tmp_path: Path) -> None:
    path = written(tmp_path / "w.h5", kernel=np.zeros((3, 3, 4, 8), np.float32), bias=np.zeros(8))
    with pytest.raises(Undecided, match=r"found bias \(float64 8\), kernel \(float32 3 x 3 x 4 x 8\)"):
        open_data(path)


@pytest.mark.parametrize("bytes_in_memory", [0, 1_000_000])
def test_large_arrays_stay_in_their_file(
    tmp_path: Path, opens_as: Opens, monkeypatch: pytest.MonkeyPatch, bytes_in_memory: int
) -> None:
    for module in (npy, hdf5, forms_of_arrays):
        monkeypatch.setattr(module, "KEPT_IN_FILE", bytes_in_memory)
    np.save(tmp_path / "images.npy", COLOR)
    np.save(tmp_path / "labels.npy", LABELS)
    for path in (tmp_path / "images.npy", written(tmp_path / "a.h5", images=COLOR, labels=LABELS)):
        data = opens_as(path, COLOR)
        assert isinstance(data.evaluation[1].images, np.ndarray) == (bytes_in_memory > 0)


@pytest.mark.parametrize(
    "variables",
    [
        {"X": np.moveaxis(GRAY, 0, -1), "y": LABELS[:, None]},
        {"data": GRAY.reshape(40, 81).T, "label": LABELS[None].astype(float)},
        {
            "trainX": GRAY[:30].reshape(30, 81),
            "trainY": LABELS[None, :30],
            "testX": GRAY[30:].reshape(10, 81),
            "testY": LABELS[None, 30:],
        },
        {
            "affNISTdata": {
                "vec": np.zeros((2, 40)),
                "image": GRAY.reshape(40, 81).T,
                "label_int": LABELS,
                "label_one_of_n": ONE_HOT.T,
            }
        },
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_matlab_files_are_read_with_images_last(tmp_path: Path, opens_as: Opens, variables: dict[str, Any], packed: bool) -> None:
    scipy.io.savemat(tmp_path / "a.mat", variables, do_compression=packed)
    opens_as(tmp_path / "a.mat", form=".mat")


def test_cells_of_strings_are_labels(tmp_path: Path, opens_as: Opens) -> None:
    labels = NAMES[LABELS].astype(object)
    scipy.io.savemat(tmp_path / "a.mat", {"images": np.moveaxis(COLOR, 0, -1), "labels": labels})
    opens_as(tmp_path / "a.mat", COLOR, NAMES[LABELS])


def test_matlab_7_3_is_hdf5_with_its_axes_reversed(tmp_path: Path, opens_as: Opens) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        matlab = {"images": np.moveaxis(COLOR, 0, -1), "labels": LABELS[:, None].astype(float)}  # H x W x C x N, and N x 1
        for name, values in matlab.items():
            file[name] = values.T
            file[name].attrs["MATLAB_class"] = np.bytes_("uint8" if name == "images" else "double")
    content = bytearray(path.read_bytes())
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64"
    content[: len(header)] = header
    path.write_bytes(content)
    opens_as(path, COLOR, form=".mat")


@pytest.mark.parametrize("ending", [".h5", ".mat"])
def test_damaged_files_are_one_line(tmp_path: Path, ending: str) -> None:
    whole = tmp_path / f"whole{ending}"
    if ending == ".mat":
        scipy.io.savemat(whole, {"images": GRAY, "labels": LABELS}, do_compression=True)
    else:
        written(whole, images=GRAY, labels=LABELS)
    (tmp_path / f"cut{ending}").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(ValueError, match=r"is no (HDF5|\.mat) file that can be read") as caught:
        open_data(tmp_path / f"cut{ending}")
    assert "\n" not in str(caught.value)


def idx(path: Path, array: NDArray[np.uint8]) -> Path:
    content = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["{}-{}-idx{}-ubyte", "{}-{}-idx{}-ubyte.gz", "{}-{}.idx{}-ubyte", "{}-{}.idx{}-ubyte.gz"])
def test_idx_files_are_read_by_themselves(tmp_path: Path, opens_as: Opens, name: str) -> None:
    images = idx(tmp_path / name.format("train", "images", 3), GRAY[:30])
    with pytest.raises(ValueError, match="with its file of labels next to it"):
        open_data(images)
    idx(tmp_path / name.format("train", "labels", 1), LABELS[:30].astype(np.uint8))
    opens_as(images, GRAY[:30], LABELS[:30], form="IDX")
    idx(tmp_path / name.format("t10k", "images", 3), GRAY[30:])
    with pytest.raises(ValueError, match="no file of labels"):
        open_data(tmp_path)
    idx(tmp_path / name.format("t10k", "labels", 1), LABELS[30:].astype(np.uint8))
    opens_as(tmp_path)


def test_several_sets_of_idx_files_are_a_question(tmp_path: Path, opens_as: Opens) -> None:
    for kind in ("letters", "digits"):
        idx(tmp_path / f"emnist-{kind}-train-images-idx3-ubyte.gz", GRAY.swapaxes(1, 2))
        idx(tmp_path / f"emnist-{kind}-train-labels-idx1-ubyte.gz", LABELS.astype(np.uint8))
    with pytest.raises(Undecided, match=r"the files of 2 sets; found emnist-digits-train-images-idx3-ubyte\.gz"):
        open_data(tmp_path)
    opens_as(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz")  # EMNIST stores columns before rows


def test_a_damaged_object_of_hdf5_is_one_line_with_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = GRAY, LABELS
    content = (tmp_path / "a.h5").read_bytes()
    for signature in (b"HEAP", b"SNOD", b"TREE"):
        (tmp_path / "a.h5").write_bytes(content.replace(signature, b"none"))
        with pytest.raises(ValueError, match=r"a\.h5 is no HDF5 file that can be read \(.*\)") as caught:
            open_data(tmp_path / "a.h5")
        assert "\n" not in str(caught.value)


def test_the_name_of_an_array_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", images=COLOR, labels=LABELS)
    path.write_bytes(path.read_bytes().replace(b"labels\0", b"label\xff\0"))
    with pytest.raises(ValueError, match="the name of an array in it is no text"):
        open_data(path)
