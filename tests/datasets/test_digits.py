"""Digit sources: scikit-learn's digits against another resampling, and the choice of a source by name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from glimpse.datasets import folders, mnist
from glimpse.datasets.digits import open_digits

# scikit-learn's digits


def test_sklearn_digits_are_enlarged_bilinearly_into_the_middle_of_the_frame() -> None:
    source = open_digits("sklearn")
    original = torch.from_numpy(load_digits().images)[:, None] * 255 / 16
    enlarged = torch.nn.functional.interpolate(original, size=(20, 20), mode="bilinear", align_corners=False)
    expected = torch.nn.functional.pad(enlarged, (4, 4, 4, 4))[:, 0]
    images = torch.cat([source.train.images, source.valid.images, source.test.images]).double()
    nearest = torch.cdist(images.flatten(1), expected.flatten(1)).argmin(dim=1)
    assert sorted(nearest.tolist()) == list(range(1797))
    assert float((images - expected[nearest]).abs().max()) <= 0.5 + 1e-6


def test_sklearn_split_is_stratified_and_uses_every_digit_once() -> None:
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


# By name


@pytest.mark.usefixtures("small_mnist")
def test_places_are_searched_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay_out: Callable[..., object]
) -> None:
    given, variable, cache = tmp_path / "given", tmp_path / "variable", folders.cache_folder()
    for seed, folder in enumerate((given, variable, cache)):
        lay_out(folder, "mnist", seed)
    monkeypatch.setenv("GLIMPSE_DATA", str(variable))
    assert open_digits("auto", data_dir=given).path == str(given)
    assert open_digits("auto").path == str(variable)
    monkeypatch.delenv("GLIMPSE_DATA")
    assert open_digits("auto").path == str(cache)
    (tmp_path / "empty").mkdir()
    assert open_digits("mnist", data_dir=tmp_path / "empty").path == str(cache)


def test_without_mnist_auto_selects_sklearn_and_states_why() -> None:
    source = open_digits("auto")
    assert source.name == "sklearn"
    assert source.reason is not None
    assert "mnist is not in" in source.reason
    assert "cannot be downloaded" in source.reason
    assert not folders.cache_folder().exists()


def test_the_error_of_a_source_that_is_not_found_has_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"fashion-mnist is not in .*; name a folder that has it with --data-dir, or use --digits"
    ):
        open_digits("fashion-mnist", data_dir=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        open_digits("mnist", data_dir=tmp_path / "nowhere")
    with pytest.raises(
        ValueError, match="no digits called 'nmist': choose auto, mnist, fashion-mnist, emnist-digits, sklearn or the path"
    ):
        open_digits("nmist")


def test_nothing_is_downloaded_unless_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "download", lambda *_: pytest.fail("downloaded"))
    assert open_digits("auto", download=False).name == "sklearn"
    with pytest.raises(FileNotFoundError, match="emnist-digits is not in"):
        open_digits("emnist-digits", download=False)
