"""Predictions for pictures: how they are read, and `glimpse predict`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.datasets.picture_files import load_picture
from glimpse.evaluation.classifier import uniforms
from glimpse.evaluation.own_pictures import PictureReader, TrainingImages
from glimpse.evaluation.prediction import predict_pictures
from glimpse.models.catalog import build_classifier
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.requests import PictureHandling
from glimpse.settings.spatial_transformer import SpatialTransformerConfig
from tests.helpers.commands import invoked, printed_json, refused, succeeded
from tests.helpers.weights import untrained, written

GRAY = np.random.default_rng(0).integers(0, 256, (18, 27), dtype=np.uint8)  # (H, W)
COLOR = np.random.default_rng(1).integers(0, 256, (18, 27, 3), dtype=np.uint8)


def model(channels: int = 1) -> GlimpseClassifier:
    torch.manual_seed(0)
    return GlimpseClassifier(ClassifierConfig(glimpses=2, window=4, hidden=6, features=5, channels=channels, classes=4))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Returns a file of an untrained model's weights."""
    return written(tmp_path / "weights.safetensors", model(), {"kind": "file", "sha256": ""})


def gray_alpha() -> Image.Image:
    return Image.fromarray(np.dstack([GRAY, np.full_like(GRAY, 255)]), "LA")


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    "picture",
    [
        lambda: Image.fromarray(GRAY),
        lambda: Image.fromarray(np.dstack([GRAY] * 3)),
        lambda: Image.fromarray(np.dstack([GRAY] * 3 + [np.full_like(GRAY, 255)])),
        gray_alpha,
        lambda: Image.fromarray(GRAY.astype(np.uint16) * 257),
        lambda: Image.fromarray(GRAY).convert("P"),
    ],
    ids=["gray", "color", "color with alpha", "gray with alpha", "16 bits", "palette"],
)
def test_every_kind_of_gray_picture_is_read_alike(tmp_path: Path, picture: Callable[[], Image.Image]) -> None:
    picture().save(tmp_path / "picture.png")
    for channels in (1, 3):
        read = load_picture(tmp_path / "picture.png", channels)
        assert read.shape == (1, channels, 18, 27)
        for channel in read[0]:
            np.testing.assert_allclose(channel.numpy(), GRAY / np.float32(255), atol=1e-6)


def test_colors_stay_in_their_order_or_become_gray(tmp_path: Path) -> None:
    Image.fromarray(COLOR).save(tmp_path / "picture.png")
    np.testing.assert_allclose(load_picture(tmp_path / "picture.png", 3)[0].permute(1, 2, 0).numpy(), COLOR / 255, atol=1e-6)
    gray = load_picture(tmp_path / "picture.png", 1)[0, 0].numpy()
    np.testing.assert_allclose(gray, COLOR @ np.array([0.299, 0.587, 0.114]) / 255, atol=1 / 255)


@pytest.mark.parametrize(("colors", "ground"), [(COLOR // 2 + 128, 0), (COLOR // 2, 1)], ids=["light", "dark"])
def test_transparent_pixels_are_black_behind_light_ink_and_white_behind_dark_ink(
    tmp_path: Path, colors: np.ndarray, ground: int
) -> None:
    alpha = np.where(np.arange(27) < 13, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([colors, np.broadcast_to(alpha, (18, 27))])).save(tmp_path / "picture.png")
    read = load_picture(tmp_path / "picture.png", 3)[0]
    assert set(read[:, :, 13:].flatten().tolist()) == {ground}
    np.testing.assert_allclose(read[:, :, :13].permute(1, 2, 0).numpy(), colors[:, :13] / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_black_ink_in_the_alpha_channel_is_seen_at_every_strength(tmp_path: Path, mode: str) -> None:
    ink = np.zeros((100, 100, 4), dtype=np.uint8)
    ink[20:80, 45:55, 3], ink[20:80, 55:58, 3] = 255, 128  # a bar with an antialiased edge
    ending = "tif" if mode == "PA" else "png"
    Image.fromarray(ink).convert(mode).save(tmp_path / f"bar.{ending}")
    read = load_picture(tmp_path / f"bar.{ending}", 1)[0, 0].numpy()
    np.testing.assert_allclose(read, 1 - ink[..., 3] / 255, atol=1 / 255)


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: to be turned by a quarter clockwise
    Image.fromarray(GRAY).save(tmp_path / "photo.png", exif=exif)
    np.testing.assert_allclose(load_picture(tmp_path / "photo.png", 1)[0, 0].numpy(), np.rot90(GRAY, -1) / 255, atol=1e-6)


def test_a_picture_is_classified_like_its_pixels(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    Image.fromarray(255 - GRAY[:9]).save(tmp_path / "b.png")  # of a different size
    for invert in (False, True):
        reader = PictureReader(1, TrainingImages(), PictureHandling(invert=invert))
        found = predict_pictures(model(), [tmp_path / "a.png", tmp_path / "b.png"], reader)
        for prediction, pixels in zip(found, (GRAY, 255 - GRAY[:9]), strict=True):
            image = torch.from_numpy((255 - pixels if invert else pixels) / np.float32(255))[None, None]
            with torch.no_grad():
                probabilities = torch.softmax(model()(image)[0][0, -1], dim=0)
            assert prediction.probabilities == pytest.approx(probabilities.tolist(), abs=1e-6)
            assert prediction.label == int(probabilities.argmax())
            assert prediction.probability == max(prediction.probabilities)


@pytest.mark.parametrize("test_samples", [0, 3])
def test_a_model_that_looks_at_random_looks_the_same_way_whatever_other_pictures_there_are(
    tmp_path: Path, test_samples: int
) -> None:
    torch.manual_seed(0)
    ram = build_classifier(RAMConfig(glimpses=2, window=4, hidden=6, features=5, classes=4, test_samples=test_samples)).eval()
    with torch.no_grad():
        for parameter in ram.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape))
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    found = predict_pictures(ram, [tmp_path / "a.png"] * 3)
    image = torch.from_numpy(GRAY / np.float32(255))[None, None]
    for prediction in found:
        expected = torch.zeros(4)
        for sample in range(max(1, test_samples)):
            with torch.no_grad():
                logits = ram(image, 2, uniforms(torch.tensor([0]), 2, sample), None if test_samples else 0.0)[0]
            expected += torch.softmax(logits[0, -1], dim=0) / max(1, test_samples)
        assert prediction.probabilities == pytest.approx(expected.tolist(), rel=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        ConvConfig(filters=2, kernel=4, hidden=6, classes=4, height=18, width=27),
        ConvNetConfig(filters=2, classes=4),
        SpatialTransformerConfig(window=4, filters=2, features=5, classes=4),
    ],
    ids=lambda config: type(config).__name__,
)
def test_a_model_of_the_whole_image_classifies_pictures_too(tmp_path: Path, config: ClassifierSettings) -> None:
    whole = untrained(config)
    file = written(tmp_path / "whole.safetensors", whole, {"kind": "file", "sha256": ""})
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    Image.fromarray(GRAY[:12]).save(tmp_path / "b.png")
    found = printed_json("predict", file, tmp_path / "a.png")
    with torch.no_grad():
        expected = torch.softmax(whole(torch.from_numpy(GRAY / np.float32(255))[None, None])[0][0, -1], dim=0)
    assert found["predictions"][0]["probabilities"] == pytest.approx(expected.tolist(), rel=1e-4)
    other = invoked("predict", file, tmp_path / "b.png")
    if isinstance(config, ConvConfig):
        line = "b.png has 27 x 12 pixels, the model requires 27 x 18: --resize 27 --pad fits it\n"
        assert (other.exit_code, other.stderr) == (1, f"Error: {tmp_path}/{line}")
        assert invoked("predict", file, tmp_path / "b.png", "--resize", 27, "--pad").exit_code == 0
    else:
        assert other.exit_code == 0


def test_predict_prints_a_row_for_every_picture(weights: Path, tmp_path: Path) -> None:
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in pictures:
        Image.fromarray(GRAY).save(path)
    found = predict_pictures(model(), pictures)
    assert printed_json("predict", weights, *pictures) == {
        "model": str(weights),
        "predictions": [prediction._asdict() for prediction in found],
    }
    shown = succeeded("predict", weights, *pictures).stdout
    assert [line.split()[:2] for line in shown.splitlines()[1:]] == [[str(path), str(found[0].label)] for path in pictures]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(40), b"GIF89a"])
def test_a_file_that_is_not_a_picture_is_one_line_that_names_it(weights: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "letter.png").write_bytes(content)
    line = refused("predict", weights, tmp_path / "letter.png")
    assert line.startswith(f"{tmp_path / 'letter.png'} is no picture that can be read")


def test_damaged_pictures_never_show_a_traceback(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "whole.png")
    whole, draw, refused = (tmp_path / "whole.png").read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[draw.integers(len(whole))] ^= 1 << int(draw.integers(8))
        (tmp_path / "picture.png").write_bytes(damaged[: draw.integers(1, len(whole) + 1)])
        try:
            load_picture(tmp_path / "picture.png", 1)
        except ValueError as error:
            refused += 1
            assert "picture.png" in str(error)  # noqa: PT017 (some damage has no effect)
    assert refused > 200


def test_pictures_of_numbers_without_a_range_are_refused(tmp_path: Path) -> None:
    Image.fromarray(GRAY.astype(np.float32)).save(tmp_path / "numbers.tif")
    Image.fromarray(GRAY.astype(np.int32) - 1000).save(tmp_path / "negative.tif")
    for name in ("numbers.tif", "negative.tif"):
        with pytest.raises(ValueError, match="8 or 16 bits"):
            load_picture(tmp_path / name, 1)


def test_a_model_of_two_channels_refuses_pictures(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "picture.png")
    with pytest.raises(ValueError, match="trained on 2"):
        predict_pictures(model(2), [tmp_path / "picture.png"])
