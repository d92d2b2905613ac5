"""Pictures that are unlike the images that a model was trained on: warnings that name the option that helps, and refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.evaluation.own_pictures import FailedPictures, PictureReader, TrainingImages, training_images
from glimpse.listener import Listener
from glimpse.settings.requests import PictureHandling

CLUTTERED = {"kind": "cluttered", "digits": "mnist", "recipe": {"border": 0, "canvas": 100, "piece_size": 8, "pieces": 8}}
SHIPPED = {"task": CLUTTERED}
OWN = {"kind": "file", "sha256": ""}


class Warnings(Listener):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, message: str) -> None:
        self.heard.append(message)


def bar(ground: int = 0, ink: int = 255, side: int = 100, dtype: Any = np.uint8) -> Image.Image:
    """Returns a picture of a vertical bar."""
    pixels = np.full((side, side), ground, dtype=dtype)
    pixels[side // 5 : -side // 5, side // 2 : side // 2 + max(1, side // 10)] = ink
    return Image.fromarray(pixels)


def warned(path: Path, picture: Image.Image, facts: dict[str, Any] = SHIPPED, **handling: Any) -> list[str]:
    """Returns the warnings for a picture, without its name."""
    picture.save(path)
    reader, warnings = PictureReader(1, training_images(facts, None), PictureHandling(**handling)), Warnings()
    reader.read(path)
    reader.warn(warnings)
    return [line.removeprefix(f"{path} ") for line in warnings.heard]


def test_a_picture_like_the_training_images_gives_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path / "a.png", bar()) == []
    assert warned(tmp_path / "a.png", bar(side=80)) == []


def test_a_dark_digit_on_a_light_ground_needs_invert(tmp_path: Path) -> None:
    said = "is dark on a light ground, the model was trained on images light on a dark ground: "
    assert warned(tmp_path / "a.png", bar(255, 0)) == [said + "--invert swaps dark and light"]
    assert warned(tmp_path / "a.png", bar(255, 0), invert=True) == []
    assert warned(tmp_path / "a.png", bar(), invert=True) == [said + "leave out --invert"]


def test_black_ink_in_the_alpha_channel_needs_invert_and_is_then_a_light_bar(tmp_path: Path) -> None:
    pixels = np.zeros((100, 100, 4), dtype=np.uint8)
    pixels[20:80, 50:60, 3] = 255
    (line,) = warned(tmp_path / "a.png", Image.fromarray(pixels))
    assert "--invert" in line
    reader = PictureReader(1, training_images(SHIPPED, None), PictureHandling(invert=True))
    np.testing.assert_allclose(reader.read(tmp_path / "a.png")[0, 0].numpy(), np.asarray(bar()) / 255)


def test_of_several_pictures_in_a_file_the_first_is_read_and_named(tmp_path: Path) -> None:
    frames = [bar(), bar(side=50).resize((100, 100)), bar()]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    reader, warnings = PictureReader(1, training_images(SHIPPED, None), PictureHandling()), Warnings()
    np.testing.assert_allclose(reader.read(tmp_path / "a.gif")[0, 0].numpy(), np.asarray(bar()) / 255)
    reader.warn(warnings)
    assert warnings.heard == [f"{tmp_path / 'a.gif'} holds several pictures: the first one is read"]
    bar(0, 0).save(tmp_path / "b.gif", save_all=True, append_images=frames[:1])
    with pytest.raises(ValueError, match=r"the first picture in .*b\.gif is blank"):
        reader.read(tmp_path / "b.gif")


def test_twelve_bits_in_sixteen_need_stretch(tmp_path: Path) -> None:
    deep = bar(0, 4095, dtype=np.uint16)
    assert warned(tmp_path / "a.png", deep) == ["uses intensities from 0.00 to 0.06 only: --stretch scales them to 0 to 1"]
    assert warned(tmp_path / "a.png", deep, stretch=True) == []
    reader = PictureReader(1, training_images(SHIPPED, None), PictureHandling(stretch=True))
    assert set(reader.read(tmp_path / "a.png").flatten().tolist()) == {0, 1}


def test_a_mask_of_zeros_and_ones_needs_stretch_and_is_not_blank(tmp_path: Path) -> None:
    (line,) = warned(tmp_path / "a.png", bar(0, 1))
    assert "--stretch" in line


@pytest.mark.parametrize(("ground", "ink", "even"), [(64, 220, "black"), (190, 30, "white")])
def test_gray_paper_needs_stretch(tmp_path: Path, ground: int, ink: int, even: str) -> None:
    lines = warned(tmp_path / "a.png", bar(ground, ink))
    assert lines[-1] == f"has a ground of {ground / 255:.2f} instead of {even}: --stretch makes it {even}"
    assert len(warned(tmp_path / "a.png", bar(ground, ink), stretch=True)) == len(lines) - 1
    assert (
        warned(tmp_path / "a.png", bar(ground, ink), {"task": OWN, "images": {"size": [100, 100], "ground": "dark"}})[:-1]
        == lines[:-2]
    )


@pytest.mark.parametrize(
    ("size", "way"),
    [
        ((28, 28), "--pad puts it on such a canvas"),
        ((10, 10), "--resize 33 --pad puts it on such a canvas"),  # the bar takes 60 %: 20 of 33 pixels
        ((4000, 4000), "--resize 100 scales it, or --resize 33 --pad if it shows a single digit"),
        ((100, 200), "--resize 100 scales it, or --resize 33 --pad if it shows a single digit"),
    ],
)
def test_another_scale_names_the_size_of_the_digits_and_the_options(tmp_path: Path, size: tuple[int, int], way: str) -> None:
    picture = bar().resize(size, Image.Resampling.NEAREST)
    said = f"has {size[0]} x {size[1]} pixels, the model was trained on digits of 28 pixels on 100 x 100: {way}"
    assert warned(tmp_path / "a.png", picture) == [said]


def test_a_small_picture_belongs_on_the_canvas_of_your_own_digits(tmp_path: Path) -> None:
    facts = {"task": CLUTTERED | {"digits": "file"}}
    (line,) = warned(tmp_path / "a.png", bar().resize((28, 28)), facts)
    way = "--pad puts it on such a canvas, --resize 100 scales it"
    assert line == f"has 28 x 28 pixels, the model was trained on images of 100 x 100 pixels: {way}"


@pytest.mark.parametrize("handling", [{"resize": 100}, {"resize": 28, "pad": True}, {"resize": 100, "pad": True}])
def test_the_options_of_a_warning_end_it(tmp_path: Path, handling: dict[str, Any]) -> None:
    assert warned(tmp_path / "a.png", bar(side=400).resize((400, 300)), **handling) == []


def test_a_model_of_own_images_is_compared_with_their_size_and_ground(tmp_path: Path) -> None:
    facts = {"task": OWN, "images": {"size": [60, 90], "ground": "light"}}
    lines = warned(tmp_path / "a.png", bar(side=300), facts)
    assert lines == [
        "is light on a dark ground, the model was trained on images dark on a light ground: --invert swaps dark and light",
        "has 300 x 300 pixels, the model was trained on images of 90 x 60 pixels: --resize 60 scales it",
    ]


@pytest.mark.parametrize(
    "task",
    [
        OWN,  # of a version that did not note the size
        {"kind": "generative", "name": "cifar10"},
    ],
)
def test_nothing_is_said_where_nothing_is_known(tmp_path: Path, task: dict[str, Any]) -> None:
    assert warned(tmp_path / "a.png", bar(255, 0, 400), {"task": task}) == []


def test_what_is_known_of_the_training_images() -> None:
    assert training_images(SHIPPED, None) == TrainingImages((100, 100), 28, "dark", is_even=True)
    assert training_images({"task": CLUTTERED | {"digits": "file"}}, None) == TrainingImages((100, 100), None, "dark", is_even=True)
    digits = training_images({"task": {"kind": "generative", "name": "binarized-mnist"}}, (28, 28))
    assert digits == TrainingImages((28, 28), None, "dark", is_even=True)
    assert training_images({"task": OWN}, (18, 27)) == TrainingImages((18, 27), None, None)


def test_many_pictures_of_a_kind_are_one_warning(tmp_path: Path) -> None:
    reader, warnings = PictureReader(1, training_images(SHIPPED, None), PictureHandling()), Warnings()
    for number in range(4):
        bar(255, 0).save(tmp_path / f"{number}.png")
        reader.read(tmp_path / f"{number}.png")
    reader.warn(warnings)
    (line,) = warnings.heard
    assert line.startswith(f"{tmp_path / '0.png'} is dark on a light ground")
    assert line.endswith("--invert swaps dark and light (3 more pictures are alike)")
    reader.warn(warnings)
    assert len(warnings.heard) == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_blank_picture_is_refused(tmp_path: Path, mode: str, level: int) -> None:
    Image.new(mode, (100, 100), level if mode == "L" else (level,) * len(mode)).save(tmp_path / "a.png")
    for channels in (1, 3):
        with pytest.raises(ValueError, match=r"a\.png is blank"):
            PictureReader(channels, TrainingImages(), PictureHandling()).read(tmp_path / "a.png")


def test_a_picture_whose_channels_differ_is_not_blank_in_color(tmp_path: Path) -> None:
    pixels = np.zeros((10, 10, 3), dtype=np.uint8)
    pixels[:5, :, 0], pixels[5:, :, 1] = 200, 200  # the mean of the channels is the same everywhere
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert PictureReader(3, TrainingImages(), PictureHandling()).read(tmp_path / "a.png").shape == (1, 3, 10, 10)


def test_pictures_that_failed_are_named_with_the_results_of_the_others(tmp_path: Path) -> None:
    reader = PictureReader(1, TrainingImages(), PictureHandling())
    reader.raise_failures()
    bar().save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert reader.try_read(tmp_path / "good.png") is not None
    assert reader.try_read(tmp_path / "bad.png") is None
    assert reader.try_read(tmp_path / "none.png") is None
    with pytest.raises(FailedPictures, match=r"bad\.png is no picture .*; .*none\.png: No such file or directory$") as raised:
        reader.raise_failures(["seven"])
    assert [failure.picture.name for failure in raised.value.failures] == ["bad.png", "none.png"]
    assert raised.value.results == ["seven"]


def test_of_many_failures_the_first_five_are_in_the_message(tmp_path: Path) -> None:
    reader = PictureReader(1, TrainingImages(), PictureHandling())
    for number in range(9):
        reader.try_read(tmp_path / f"{number}.png")
    with pytest.raises(FailedPictures, match=r"0\.png.*4\.png: No such file or directory; and 4 more pictures$"):
        reader.raise_failures()


def test_a_model_of_two_channels_takes_no_pictures() -> None:
    with pytest.raises(ValueError, match="pictures have 1 or 3 channels, the model was trained on 2"):
        PictureReader(2, TrainingImages(), PictureHandling())


def test_padding_to_a_required_size_gives_that_size(tmp_path: Path) -> None:
    bar(side=40).save(tmp_path / "a.png")
    trained = training_images({"task": OWN}, (48, 64))
    with pytest.raises(ValueError, match="has 40 x 40 pixels, the model requires 64 x 48: --resize 48 --pad fits it"):
        PictureReader(1, trained, PictureHandling(), (48, 64)).read(tmp_path / "a.png")
    assert PictureReader(1, trained, PictureHandling(pad=True), (48, 64)).read(tmp_path / "a.png").shape == (1, 1, 48, 64)
    assert torch.equal(
        PictureReader(1, trained, PictureHandling(pad=True), (48, 64)).read(tmp_path / "a.png")[0, 0, 4:44, 12:52],
        torch.from_numpy(np.array(bar(side=40)) / np.float32(255)),
    )
