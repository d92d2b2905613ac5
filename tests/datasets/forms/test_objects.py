"""Objects of Python against the images in them: frames, data sets of Hugging Face and torch, arrays."""

import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from glimpse.datasets.forms.found import Undecided
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.settings.requests import FormChoice
from tests.datasets.forms.conftest import COLOR, GRAY, LABELS

Opens = Callable[..., DataParts]
NAMES = ["ant", "bee", "cat", "dog"]
TEXTS = np.array(NAMES)[LABELS]
PICTURES = [Image.fromarray(image) for image in COLOR]


@pytest.fixture(scope="module")
def hugging_face() -> Any:
    """Returns Hugging Face's package `datasets`, which has the name of a folder of this checkout."""
    here = Path(__file__).resolve().parents[3]
    outside = [path for path in sys.path if Path(path or ".").resolve() != here]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", outside)
        return importlib.import_module("datasets")


def test_frames_of_pixels_are_read(opens_as: Opens) -> None:
    columns: dict[str, Any] = {"label": LABELS} | {f"pixel{number}": GRAY.reshape(40, 81)[:, number] for number in range(81)}
    opens_as(pd.DataFrame(columns), form="a frame of pandas")
    opens_as(pl.DataFrame(columns), form="a frame of polars")
    opens_as(pd.DataFrame(columns | {"label": pd.Categorical(TEXTS)}), labels=TEXTS)


def test_frames_of_files_are_read(tmp_path: Path, opens_as: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [f"{number}.png" for number in range(40)]
    for file, picture in zip(files, PICTURES, strict=True):
        picture.save(file)
    for frame in (pd.DataFrame({"path": files, "label": TEXTS}), pl.DataFrame({"path": files, "label": TEXTS})):
        opens_as(frame, COLOR, TEXTS)


def test_frames_of_images_are_read(opens_as: Opens) -> None:
    encoded = []
    for picture in PICTURES:
        content = io.BytesIO()
        picture.save(content, "PNG")
        encoded.append({"bytes": content.getvalue(), "path": None})
    for images in (PICTURES, [*COLOR], encoded):
        frame = pd.DataFrame({"what": pd.Series(images, dtype=object), "label": TEXTS})
        opens_as(frame, COLOR, TEXTS)
    with pytest.raises(Undecided, match="which column holds the labels is not clear; found mood, kind"):
        open_data(pd.DataFrame({"image": pd.Series(PICTURES, dtype=object), "mood": LABELS, "kind": TEXTS}))


def test_data_sets_of_hugging_face_are_read_with_the_names_of_their_classes(hugging_face: Any, opens_as: Opens) -> None:
    features = hugging_face.Features({"image": hugging_face.Image(), "label": hugging_face.ClassLabel(names=NAMES[::-1])})
    reverse = (3 - LABELS).tolist()
    data = hugging_face.Dataset.from_dict({"image": PICTURES, "label": reverse}, features=features)
    assert opens_as(data, COLOR, TEXTS, form="a data set of Hugging Face").class_names == tuple(NAMES[::-1])
    both = hugging_face.DatasetDict({"train": data.select(range(30)), "test": data.select(range(30, 40))})
    opens_as(both, COLOR, TEXTS)


class Items(Dataset[tuple[Any, int]]):
    """Pictures with their labels and the names of the classes."""

    classes = NAMES

    def __len__(self) -> int:
        return len(PICTURES)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return PICTURES[index], int(LABELS[index])


def test_data_sets_of_torch_are_read(opens_as: Opens) -> None:
    opens_as(Items(), COLOR, TEXTS, form="a data set of torch")
    tensors = TensorDataset(torch.from_numpy(COLOR).permute(0, 3, 1, 2) / 255, torch.from_numpy(LABELS))
    opens_as(tensors, COLOR)
    parts = {"train": torch.utils.data.Subset(tensors, range(30)), "test": torch.utils.data.Subset(tensors, range(30, 40))}
    opens_as(parts, COLOR)


def test_a_data_set_with_standardized_images_is_refused_with_the_reason() -> None:
    tensors = TensorDataset((torch.from_numpy(GRAY)[:, None] / 255 - 0.5) / 0.29, torch.from_numpy(LABELS))
    with pytest.raises(ValueError, match="the data set TensorDataset is standardized"):
        open_data(tensors)


def test_pairs_of_arrays_are_read(opens_as: Opens) -> None:
    opens_as((GRAY, LABELS), form="arrays")
    opens_as((torch.from_numpy(COLOR).permute(0, 3, 1, 2), TEXTS.tolist()), COLOR, TEXTS)
    opens_as({"train": (GRAY[:30], LABELS[:30]), "test": (GRAY[30:], LABELS[30:])})
    with pytest.raises(ValueError, match="40 images but 39 labels"):
        open_data((GRAY, LABELS[:-1]))


def test_images_of_different_sizes_need_a_size() -> None:
    frame = pd.DataFrame({"image": pd.Series([COLOR[0], *COLOR[1:, :5]], dtype=object), "label": LABELS})
    with pytest.raises(ValueError, match="the images differ in size, such as 5 x 7 x 3 and 9 x 7 x 3; choose one with size"):
        open_data(frame)
    assert open_data(frame, form=FormChoice(size=(6, 8))).shape == (3, 6, 8)


def test_gray_and_color_pictures_together_are_in_color() -> None:
    frame = pd.DataFrame(
        {"image": pd.Series([Image.fromarray(COLOR[0]).convert("L"), *PICTURES[1:]], dtype=object), "label": LABELS}
    )
    assert open_data(frame).shape == (3, 9, 7)


def test_the_digest_follows_images_labels_and_names() -> None:
    sources: list[Any] = [(GRAY, LABELS), (255 - GRAY, LABELS), (GRAY, LABELS[::-1]), (GRAY, TEXTS)]
    digests = [open_data(source).sha256 for source in sources]
    assert len({*digests}) == 4
    assert open_data((GRAY.copy(), LABELS)).sha256 == digests[0]


@pytest.mark.parametrize("source", [5, None, {}, {"cat": (GRAY, LABELS)}, iter([1]), GRAY, {1, 2}])
def test_other_objects_are_named_with_their_type(source: Any) -> None:
    with pytest.raises(ValueError, match=f"images cannot be read from .*{type(source).__name__}.*; from Python glimpse reads"):
        open_data(source)


def test_the_keys_of_a_dictionary_are_named() -> None:
    with pytest.raises(ValueError, match=r'dict with the keys train, unsupervised; from Python .* with the keys "train", "valid"'):
        open_data({"train": (GRAY, LABELS), "unsupervised": (GRAY, LABELS)})


def test_images_as_lists_in_a_frame_of_polars_are_read(opens_as: Opens) -> None:
    opens_as(pl.DataFrame({"image": [image.tolist() for image in GRAY], "label": LABELS}), form="a frame of polars")
