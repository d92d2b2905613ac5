"""The catalogs of sources: a toy source is one line; names and help come from them; reading them needs no torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from glimpse.cli import glimpse
from glimpse.datasets.catalog import (
    AUTO_DIGITS,
    AUTO_SETS,
    DIGIT_SOURCES,
    GENERATIVE_SETS,
    Deferred,
    Entry,
    GenerativeEntry,
    Request,
    choices,
    described,
    looked_up,
    opens_again,
)
from glimpse.datasets.digits import Digits, DigitSource, digit_source, open_digits
from glimpse.datasets.folders import NotAtHand, first_at_hand
from glimpse.datasets.generative import open_generative
from glimpse.datasets.pixel_sets import Images, Opened
from glimpse.training.folder import RunFolder


def open_toy_digits(request: Request) -> DigitSource:
    """Returns images of 8 x 8 pixels with a bar, whose row is the class."""
    labels = torch.arange(20) % 4
    bars = torch.zeros(20, 8, 8, dtype=torch.uint8)
    bars[torch.arange(20), 2 * labels] = 255
    return digit_source(request.name, (Digits(bars, labels, request.name),) * 3)


def open_toy_images(request: Request) -> Opened:
    """Returns half-bright images of 6 x 7 pixels."""
    images = Images.unlabeled(torch.full((20, 1, 6, 7), 128, dtype=torch.uint8))
    return Opened(images, images, images, path=None, sha256="toy")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds a source to each catalog in one line."""
    monkeypatch.setitem(DIGIT_SOURCES, "toy", Entry("bars", open_toy_digits))
    monkeypatch.setitem(GENERATIVE_SETS, "toy", GenerativeEntry("half-bright", open_toy_images, binarization="dynamic"))


@pytest.mark.usefixtures("toys")
def test_a_line_in_the_catalog_makes_a_digit_source() -> None:
    source = open_digits("toy")
    assert (source.name, source.digits, source.n_classes, source.path) == ("toy", "toy", 4, None)
    assert source.train.images.shape == (20, 8, 8)
    with pytest.raises(ValueError, match=r"no digits called 'nmist': choose auto, mnist, .*, sklearn, toy or the path of your own"):
        open_digits("nmist")


@pytest.mark.usefixtures("toys")
def test_a_line_in_the_catalog_makes_a_generative_set_with_its_own_binarization() -> None:
    data = open_generative("toy", seed=3)
    assert (data.name, data.source, data.binarization, data.seed) == ("toy", "toy", "dynamic", 3)
    assert set(data.train.batch(torch.arange(20)).images.flatten().tolist()) == {0, 1}
    assert open_generative("toy", binarization="none").binarization == "none"
    with pytest.raises(ValueError, match=r"no set called 'nmist', .*: choose auto, binarized-mnist, .*, cifar10, toy, or a path"):
        open_generative("nmist")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train-classifier", ["--digits=toy", "--canvas=12", "--pieces=1", "--piece-size=3", "--features=8"]),
        ("train-generator", ["--data=toy", "--latent=3", "--read=2", "--write=2"]),
    ],
)
def test_a_command_trains_on_what_a_line_in_the_catalog_added(command: str, options: list[str], tmp_path: Path) -> None:
    small = ["--glimpses=2", "--hidden=8", "--images=256", "--batch-size=32", "--warmup=64", "--log-every=128", "--threads=1"]
    more = ["--window=4"] if command == "train-classifier" else []
    result = CliRunner().invoke(glimpse, [command, *options, *more, *small, "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    data = RunFolder(tmp_path / "run").config["data"]
    assert data.get("digits", data)["name"] == "toy"


@pytest.mark.usefixtures("toys")
def test_a_description_has_every_name_with_its_summary() -> None:
    text = described(DIGIT_SOURCES, AUTO_DIGITS)
    assert text == (
        "auto (the first of mnist, sklearn that is found or can be downloaded), mnist (MNIST's handwritten digits), "
        "fashion-mnist (articles of clothing in MNIST's format), emnist-digits (280,000 handwritten digits), "
        "sklearn (scikit-learn's 1,797 small digits), toy (bars), or the path of your own, in any form that --data takes. "
        "Downloaded if need be: mnist, fashion-mnist, emnist-digits."
    )
    assert "toy (half-bright)" in described(GENERATIVE_SETS, AUTO_SETS)


@pytest.mark.parametrize("command", ["train-classifier", "train-generator"])
def test_the_help_lists_every_source(command: str) -> None:
    catalog, auto = (DIGIT_SOURCES, AUTO_DIGITS) if command == "train-classifier" else (GENERATIVE_SETS, AUTO_SETS)
    text = CliRunner().invoke(glimpse, [command, "--help"], terminal_width=10_000, max_content_width=10_000).output
    assert described(catalog, auto) in " ".join(text.split())


@pytest.mark.parametrize("command", [[], ["train-generator"], ["train-classifier"]])
def test_help_loads_neither_torch_nor_numpy(command: list[str]) -> None:
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('loaded', *sorted({'torch', 'numpy', 'PIL', 'sklearn'} & sys.modules.keys())))\n"
        f"sys.argv = {['glimpse', *command, '--help']!r}\n"
        "from glimpse.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded"


def test_every_line_names_a_function_that_is_there() -> None:
    functions = [entry.open for entry in (*DIGIT_SOURCES.values(), *GENERATIVE_SETS.values())]
    functions += [entry.takes_path for entry in GENERATIVE_SETS.values() if entry.takes_path is not None]  # type: ignore[misc]
    for function in functions:
        assert isinstance(function, Deferred)
        assert callable(function.resolved())


def test_a_source_that_only_a_path_opens_has_no_name_to_choose(tmp_path: Path) -> None:
    assert "file" not in choices(DIGIT_SOURCES)
    assert looked_up(DIGIT_SOURCES, "file") is None
    assert looked_up(DIGIT_SOURCES, "some/own.npz") == Request("file", Path("some/own.npz"))
    assert looked_up(GENERATIVE_SETS, "pictures") is None
    assert looked_up(GENERATIVE_SETS, str(tmp_path)) == Request("pictures", tmp_path)
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "digitStruct.mat").touch()
    assert looked_up(GENERATIVE_SETS, str(tmp_path)) == Request("svhn", tmp_path)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [("mnist", "data", "mnist"), ("sklearn", None, "sklearn"), ("file", "own.npz", "own.npz"), ("unknown", "data", "unknown")],
)
def test_a_source_is_opened_again_by_its_path_only_where_a_path_opens_it(name: str, path: str | None, expected: str) -> None:
    assert opens_again(DIGIT_SOURCES, name, path) == expected


def test_the_first_available_source_is_returned_with_the_reasons_against_those_before_it() -> None:
    def opened(name: str) -> str:
        if name in ("a", "b"):
            raise NotAtHand(f"{name} is away", "take c")
        return name.upper()

    assert first_at_hand(("a", "b", "c", "d"), opened) == ("C", "a is away; b is away")
    assert first_at_hand(("c", "a"), opened) == ("C", None)
    with pytest.raises(FileNotFoundError, match="b is away; take c"):
        first_at_hand(("a", "b"), opened)


def test_the_digits_of_a_seed_do_not_depend_on_how_they_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=np.arange(20 * 16, dtype=np.uint8).reshape(20, 4, 4), labels=np.arange(20) % 2)
    source = open_digits(str(tmp_path / "own.npz"), seed=5)
    assert open_digits(source.digits, seed=5).record() == source.record()
