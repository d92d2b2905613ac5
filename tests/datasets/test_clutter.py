"""Cluttered digits against a plain loop over the authors' recipe, pinned digests and the statistics of the authors' program."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from glimpse.datasets.batches import EVALUATION_SEED, Batch, Split
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import Digits, DigitSource, open_digits
from glimpse.settings.clutter import ClutterRecipe

PINNED = {  # SHA-256 of the uint8 images of a whole split, 100 x 100 with 8 pieces
    ("sklearn", "valid"): "1e2a88d2ba3c934fa920ade989499d1dbd6fa2c2f754fcda907b0a5a288f922b",
    ("sklearn", "test"): "349ee66661ce4e38f5a35652240cd8d73aeb8812dd166eb23a23b0a60956c55d",
    ("mnist", "valid"): "ec9019706b607e43f448982a56980773c0ffa470b24ef42fa9290948a38f6176",
    ("mnist", "test"): "a757d301ae9652e256aa0dff1a23e8ad970e64c5ebd987790c5fd2a6bba67d96",
}


@pytest.fixture(scope="module")
def source() -> DigitSource:
    return open_digits("sklearn")


def glyphs(*values: list[list[int]] | Tensor) -> Digits:
    """Returns glyphs from their pixels, labeled by their index."""
    images = torch.stack([torch.as_tensor(value) for value in values]).to(torch.uint8)
    return Digits(images, torch.arange(len(images)), "test")


def plain_words(seed: int, stream: int, epoch: int, index: int, n_words: int) -> list[int]:
    """Returns words of Philox4x32-10, computed with Python integers."""
    drawn: list[int] = []
    for block in range((n_words + 3) // 4):
        a, b, c, d = block, index, epoch, stream
        low, high = seed % 2**32, seed // 2**32
        for _ in range(10):
            first, second = a * 0xD2511F53, c * 0xCD9E8D57
            a, b, c, d = (second >> 32) ^ b ^ low, second % 2**32, (first >> 32) ^ d ^ high, first % 2**32
            low, high = (low + 0x9E3779B9) % 2**32, (high + 0xBB67AE85) % 2**32
        drawn += [a, b, c, d]
    return drawn[:n_words]


def plain_order(seed: int, stream: int, epoch: int, count: int) -> list[int]:
    """Returns the order of the digits in an epoch."""
    drawn = [plain_words(seed, 16 + stream, epoch, i, 2) for i in range(count)]
    return sorted(range(count), key=lambda i: (drawn[i][0], drawn[i][1] // 2))


def plain_render(
    digits: Digits, stream: int, seed: int, recipe: ClutterRecipe, position: int
) -> tuple[list[list[int]], int, tuple[float, float]]:
    """Returns image, label and center at a position, drawn pixel by pixel in the order of the authors' program."""
    images, side = digits.images.tolist(), recipe.canvas
    epoch, index = divmod(position, len(images))
    height, width = len(images[0]), len(images[0][0])
    drawn = iter(plain_words(seed, stream, epoch, index, 2 + 5 * recipe.pieces))

    def below(bound: int) -> int:
        return next(drawn) * bound // 2**32

    left = recipe.border + below(side - width - 2 * recipe.border + 1)
    top = recipe.border + below(side - height - 2 * recipe.border + 1)
    canvas = [[0] * side for _ in range(side)]
    for _ in range(recipe.pieces):
        piece, crop_x, crop_y = (
            images[below(len(images))],
            below(width - recipe.piece_size + 1),
            below(height - recipe.piece_size + 1),
        )
        x, y = below(side - recipe.piece_size + 1), below(side - recipe.piece_size + 1)
        for row in range(recipe.piece_size):
            for column in range(recipe.piece_size):
                canvas[y + row][x + column] += piece[crop_y + row][crop_x + column]
    canvas = [[min(value, 255) for value in row] for row in canvas]
    digit = plain_order(seed, stream, epoch, len(images))[index]
    for row in range(height):
        for column in range(width):
            canvas[top + row][left + column] = min(canvas[top + row][left + column] + images[digit][row][column], 255)
    return canvas, int(digits.labels[digit]), (left + (width - 1) / 2, top + (height - 1) / 2)


@pytest.mark.parametrize(
    ("split", "stream", "seed", "recipe"),
    [
        ("train", 0, 2**63 + 12345, ClutterRecipe()),
        ("valid", 1, None, ClutterRecipe(canvas=60, pieces=4, border=3)),
        ("test", 2, None, ClutterRecipe(canvas=28, pieces=40, piece_size=5)),
        ("test", 2, 5, ClutterRecipe(canvas=40, pieces=0)),
    ],
)
def test_images_are_those_of_a_plain_loop(
    source: DigitSource, split: Split, stream: int, seed: int | None, recipe: ClutterRecipe
) -> None:
    whole: Digits = getattr(source, split)
    digits = Digits(whole.images[:50], whole.labels[:50], "test")
    positions = [0, 1, 49, 50, 77, 120, 50 * 3000 + 7]
    images, labels, centers = ClutteredMNIST(digits, split, recipe, seed=seed).render(torch.tensor(positions))
    for i, position in enumerate(positions):
        canvas, label, center = plain_render(digits, stream, EVALUATION_SEED if seed is None else seed, recipe, position)
        assert images[i].tolist() == canvas
        assert (int(labels[i]), tuple(centers[i].tolist())) == (label, center)


@pytest.mark.parametrize("count", [1, 128, 129, 300])
def test_a_batch_of_any_size_holds_the_images_of_single_ones(source: DigitSource, count: int) -> None:
    digits = Digits(source.test.images[:70], source.test.labels[:70], "test")
    data = ClutteredMNIST(digits, "test", ClutterRecipe(canvas=40, pieces=3))
    positions = 3 * torch.arange(count) + 50  # several epochs, none whole
    batch = data.batch(positions)
    assert [part.dtype for part in batch] == [torch.float32, torch.int64, torch.float32]
    assert batch.images.shape == (count, 1, 40, 40)
    singles = [data.batch(position[None]) for position in positions]
    for together, parts in zip(batch, zip(*singles, strict=True), strict=False):
        assert torch.equal(together, torch.cat(parts))


def test_glyphs_need_not_be_square() -> None:
    digits = glyphs(*torch.randint(0, 256, (7, 9, 14), generator=torch.Generator().manual_seed(0)))
    recipe = ClutterRecipe(canvas=20, pieces=3, piece_size=4, border=2)
    images, _, centers = ClutteredMNIST(digits, "train", recipe, seed=1).render(torch.arange(20))
    for position in range(20):
        canvas, _, center = plain_render(digits, 0, 1, recipe, position)
        assert images[position].tolist() == canvas
        assert tuple(centers[position].tolist()) == center


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_images_that_errors_on_sklearn_are_measured_on_never_change(source: DigitSource, split: Split) -> None:
    assert digest(getattr(source, split), split) == PINNED["sklearn", split]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_images_that_errors_on_mnist_are_measured_on_never_change(mnist_folder: Path, split: Split) -> None:
    digits: Digits = getattr(open_digits("mnist", data_dir=mnist_folder), split)
    assert len(digits.labels) == 10_000
    assert digest(digits, split) == PINNED["mnist", split]


def digest(digits: Digits, split: Split) -> str:
    clutter, hashed = ClutteredMNIST(digits, split), hashlib.sha256()
    for positions in torch.arange(len(clutter)).split(1000):  # type: ignore[no-untyped-call]
        hashed.update(clutter.render(positions)[0].numpy().tobytes())
    return hashed.hexdigest()


def test_batches_of_any_size_and_order_contain_the_same_images(source: DigitSource) -> None:
    clutter = ClutteredMNIST(source.test, "test")
    together = clutter.batch(torch.arange(290, 330))  # past the end of the first epoch
    backwards = clutter.batch(torch.arange(290, 330).flip(0))
    for whole, reversed_ in zip(together, backwards, strict=True):
        assert torch.equal(whole, reversed_.flip(0))
    for size in (1, 7, 40):
        parts = list(clutter.batches(size, start=290, stop=330))
        assert [len(part.labels) for part in parts[:-1]] == [size] * (len(parts) - 1)
        for whole, *pieces in zip(together, *parts, strict=True):
            assert torch.equal(whole, torch.cat(pieces))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # workers start by the default method of the system
@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a single core
@pytest.mark.parametrize("workers", [0, 2])
def test_workers_give_the_same_images(source: DigitSource, workers: int) -> None:
    clutter = ClutteredMNIST(source.test, "test", epoch=2)
    loaded = list(DataLoader(clutter, batch_size=90, num_workers=workers))
    expected = clutter.batch(torch.arange(600, 900))
    for whole, *pieces in zip(expected, *loaded, strict=True):
        assert torch.equal(whole, torch.cat(pieces))


def test_an_item_is_an_image_with_label_and_center(source: DigitSource) -> None:
    clutter = ClutteredMNIST(source.valid, "valid", ClutterRecipe(pieces=0))
    image, label, center = clutter[17]
    assert image.shape == (1, 100, 100)
    assert (image.dtype, float(image.min()), float(image.max())) == (torch.float32, 0.0, 1.0)
    left, top = (int(value - 13.5) for value in center)
    frame = (image[0, top : top + 28, left : left + 28] * 255).to(torch.uint8)
    found = (source.valid.images == frame).all(dim=(1, 2)).nonzero().flatten()
    assert int(label) in source.valid.labels[found]
    clutter.set_epoch(1)
    assert torch.equal(clutter[17][0], clutter.batch(torch.tensor([317])).images[0])
    for index in (-1, 300):
        with pytest.raises(IndexError, match=f"index {index} is not in 0 to 299"):
            clutter[index]


def test_a_loader_renders_its_batches_at_once_in_any_order(source: DigitSource, monkeypatch: pytest.MonkeyPatch) -> None:
    clutter = ClutteredMNIST(source.test, "test", epoch=1)
    expected = [clutter[index] for index in (7, 0, 299, 7)]
    rendered: list[int] = []

    def batch(positions: torch.Tensor) -> Batch:
        rendered.append(len(positions))
        return ClutteredMNIST.batch(clutter, positions)

    monkeypatch.setattr(clutter, "batch", batch)
    ((images, labels, centers),) = DataLoader(clutter, batch_sampler=[[7, 0, 299, 7]])
    assert rendered == [4]
    for found, whole in zip(zip(images, labels, centers, strict=True), expected, strict=True):
        assert all(torch.equal(*pair) for pair in zip(found, whole, strict=True))
    for index in (-1, 300):
        with pytest.raises(IndexError, match=f"index {index} is not in 0 to 299"):
            clutter.__getitems__([3, index])


def test_the_border_keeps_out_the_digit_but_not_the_pieces() -> None:
    digits = glyphs(torch.full((28, 28), 90))
    repeated = Digits(digits.images.repeat(500, 1, 1), digits.labels.repeat(500), "test")
    recipe = ClutterRecipe(canvas=60, pieces=6, border=9)
    images, _, centers = ClutteredMNIST(repeated, "train", recipe, seed=0).render(torch.arange(4000))
    assert centers.amin(dim=0).tolist() == [9 + 13.5] * 2
    assert centers.amax(dim=0).tolist() == [60 - 1 - 9 - 13.5] * 2
    lit = (images > 0).any(dim=0)
    for edge in (lit[0], lit[-1], lit[:, 0], lit[:, -1]):
        assert edge.all()


def test_every_crop_and_every_place_are_equally_frequent() -> None:
    glyph = torch.randint(1, 101, (28, 28), generator=torch.Generator().manual_seed(1))
    digits = Digits(glyph.to(torch.uint8).repeat(2000, 1, 1), torch.zeros(2000, dtype=torch.int64), "test")
    offsets = {glyph[y : y + 8, x : x + 8].flatten().numpy().tobytes(): (x, y) for x in range(21) for y in range(21)}
    crops, places = torch.zeros(21, 21), torch.zeros(93, 93)
    for positions in torch.arange(8000).split(2000):  # type: ignore[no-untyped-call]
        with_piece = ClutteredMNIST(digits, "train", ClutterRecipe(pieces=1), seed=3).render(positions)[0].int()
        without = ClutteredMNIST(digits, "train", ClutterRecipe(pieces=0), seed=3).render(positions)[0].int()
        for piece in with_piece - without:
            rows, columns = piece.any(dim=1).nonzero(), piece.any(dim=0).nonzero()
            top, left = int(rows[0]), int(columns[0])
            patch = piece[top : top + 8, left : left + 8].long()
            x, y = offsets[patch.flatten().numpy().tobytes()]
            crops[y, x] += 1
            places[top, left] += 1
    assert (crops > 0).all()
    assert chi_square(crops) < 440 + 5 * 880**0.5
    assert (places.sum(dim=0) > 0).all()
    assert (places.sum(dim=1) > 0).all()
    assert chi_square(places.sum(dim=0)) < 92 + 5 * 184**0.5
    assert chi_square(places.sum(dim=1)) < 92 + 5 * 184**0.5


def chi_square(counts: Tensor) -> float:
    expected = counts.mean()
    return float(((counts - expected) ** 2 / expected).sum())


def test_the_digit_reaches_every_place(source: DigitSource) -> None:
    clutter = ClutteredMNIST(source.train, "train", ClutterRecipe(canvas=34, pieces=0), seed=0)
    counts = torch.zeros(7, 7)
    for batch in clutter.batches(1000, stop=6000):
        x, y = (batch.centers - 13.5).long().T
        counts.index_put_((y, x), torch.ones(len(x)), accumulate=True)
    assert (counts > 0).all()
    assert chi_square(counts) < 48 + 5 * 96**0.5


def test_values_add_up_and_are_clipped() -> None:
    digits = glyphs(torch.full((28, 28), 100))
    digits = Digits(digits.images.repeat(200, 1, 1), digits.labels.repeat(200), "test")
    images, *_ = ClutteredMNIST(digits, "train", ClutterRecipe(canvas=50, pieces=20), seed=0).render(torch.arange(200))
    assert set(images.flatten().tolist()) == {0, 100, 200, 255}


def test_the_target_may_be_a_distractor_as_often_as_any_other() -> None:
    digits = glyphs(*(torch.full((28, 28), 10 * (i + 1)) for i in range(5)))
    recipe, positions = ClutterRecipe(canvas=60, pieces=1), torch.arange(4000)
    with_piece, labels, _ = ClutteredMNIST(digits, "train", recipe, seed=8).render(positions)
    without = ClutteredMNIST(digits, "train", ClutterRecipe(canvas=60, pieces=0), seed=8).render(positions)[0]
    piece = (with_piece.int() - without.int()).amax(dim=(1, 2)) // 10 - 1
    hits = int((piece == labels).sum())
    assert abs(hits - 800) < 4 * (4000 * 0.2 * 0.8) ** 0.5
    assert set(piece.tolist()) == {0, 1, 2, 3, 4}


def test_an_epoch_uses_every_digit_once_in_its_own_order(source: DigitSource) -> None:
    digits = Digits(source.test.images, torch.arange(300), "test")
    epochs = [ClutteredMNIST(digits, "train", seed=4).render(torch.arange(300) + 300 * epoch) for epoch in range(3)]
    for _, labels, _ in epochs:
        assert sorted(labels.tolist()) == list(range(300))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (epochs[one][1] == epochs[other][1]).sum() < 10
        by_digit = [images[labels.argsort()] for images, labels, _ in (epochs[one], epochs[other])]
        assert not (by_digit[0] == by_digit[1]).all(dim=(1, 2)).any()


def test_splits_and_seeds_have_different_clutter(source: DigitSource) -> None:
    def centers(split: Split, seed: int | None) -> Tensor:
        return ClutteredMNIST(source.test, split, seed=seed).render(torch.arange(100))[2]

    assert torch.equal(centers("test", None), centers("test", EVALUATION_SEED))
    for other in (centers("valid", None), centers("train", EVALUATION_SEED), centers("test", 0)):
        assert (other == centers("test", None)).all(dim=1).sum() < 3


def test_training_needs_a_seed(source: DigitSource) -> None:
    with pytest.raises(ValueError, match="training clutter needs a seed"):
        ClutteredMNIST(source.train, "train")


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"canvas": 27}, "a canvas of 27 px cannot hold a 28 x 28 digit"),
        ({"canvas": 40, "border": 7}, "with a border of 7"),
        ({"piece_size": 29}, "pieces of 29 px cannot be cut"),
        ({"canvas": 0}, "canvas must be in 1 to 10000, got 0"),
        ({"piece_size": 0}, "piece_size must be in 1 to 10000, got 0"),
        ({"pieces": -1}, "pieces must be in 0 to 10000, got -1"),
        ({"border": -1}, "border must be in 0 to 10000, got -1"),
    ],
)
def test_an_impossible_recipe_is_refused(source: DigitSource, recipe: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClutteredMNIST(source.test, "test", ClutterRecipe(**recipe))


def test_statistics_agree_with_the_authors_program(mnist_folder: Path) -> None:
    clutter = ClutteredMNIST(open_digits("mnist", data_dir=mnist_folder).test, "test")
    batches = [batch.images.flatten(1) for batch in clutter.batches(1000, stop=20_000)]
    sums = torch.cat([images.double().sum(dim=1) for images in batches])
    lit = torch.cat([(images > 0).sum(dim=1).double() for images in batches])
    # The authors' program gave 212.6, 46.9 and 306.8 over 20,000 images.
    assert abs(float(sums.mean()) - 212.6) < 1.5
    assert abs(float(sums.std()) - 46.9) < 1.5
    assert abs(float(lit.mean()) - 306.8) < 2


@pytest.mark.gpu
def test_the_gpu_renders_the_bytes_of_the_cpu(source: DigitSource) -> None:
    for recipe in (ClutterRecipe(), ClutterRecipe(canvas=60, pieces=30, border=2)):
        positions = torch.arange(1100, 3100)
        on_cpu = ClutteredMNIST(source.train, "train", recipe, seed=2**64 - 1).batch(positions)
        on_gpu = ClutteredMNIST(source.train.to("cuda"), "train", recipe, seed=2**64 - 1).batch(positions)
        for cpu, gpu in zip(on_cpu, on_gpu, strict=True):
            assert gpu.is_cuda
            assert torch.equal(cpu, gpu.cpu())
