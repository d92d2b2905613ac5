"""The noise of models with random locations: uniform, independent, and a function only of position and sample."""

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.datasets.counter import philox
from glimpse.evaluation.classifier import uniforms

COUNT = 100_000


def plain(position: int, glimpses: int, sample: int) -> Tensor:
    """Returns the noise of one image from blocks of four words of the published generator, shape (glimpses, 2)."""
    words: list[int] = []
    while len(words) < 2 * glimpses:
        block = [torch.tensor(number) for number in (len(words) // 4, position, sample, 1024)]
        words += [int(word) for word in philox((block[0], block[1], block[2], block[3]), (0, 0))]
    numbers = [((word // 512) + 0.5) / 2**23 for word in words[: 2 * glimpses]]
    return torch.tensor(numbers).view(glimpses, 2)


def test_the_noise_is_that_of_the_published_generator() -> None:
    for position, glimpses, sample in ((0, 1, 0), (17, 3, 0), (2**32 - 1, 8, 5), (123_456, 5, 1)):
        assert torch.equal(uniforms(torch.tensor([position]), glimpses, sample)[0], plain(position, glimpses, sample))


@pytest.mark.parametrize("sample", [0, 3])
def test_the_noise_is_uniform_and_excludes_0_and_1(sample: int) -> None:
    drawn = uniforms(torch.arange(COUNT), 4, sample)
    assert (drawn.shape, drawn.dtype) == ((COUNT, 4, 2), torch.float32)
    assert 0 < drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    numbers = drawn.double().flatten(1)
    assert (numbers.mean(dim=0) - 1 / 2).abs().max() < 4.5 * (1 / 12 / COUNT) ** 0.5
    assert (numbers.var(dim=0) - 1 / 12).abs().max() < 4.5 * (1 / 180 / COUNT) ** 0.5
    for column in numbers.T:
        counts = np.histogram(column.numpy(), bins=50, range=(0, 1))[0]
        chi_squared = ((counts - COUNT / 50) ** 2 / (COUNT / 50)).sum()
        assert chi_squared < 49 + 5 * (2 * 49) ** 0.5


def test_no_word_of_the_generator_gives_0_or_1(monkeypatch: pytest.MonkeyPatch) -> None:
    for word, expected in ((0, 2.0**-24), (2**32 - 1, 1 - 2.0**-24)):
        monkeypatch.setattr("glimpse.evaluation.classifier.words", lambda *_, word=word: torch.full((1, 2), word))
        drawn = uniforms(torch.tensor([0]), 1)
        assert drawn.flatten().tolist() == [expected, expected]
        assert torch.special.ndtri(drawn).isfinite().all()


def test_glimpses_samples_and_neighbors_do_not_correlate() -> None:
    drawn = torch.cat([uniforms(torch.arange(COUNT), 3, sample).flatten(1) for sample in range(3)], dim=1).double()  # (COUNT, 18)
    columns = torch.cat([drawn[:-1], drawn[1:]], dim=1)  # those of a position and of the next one
    away = torch.corrcoef(columns.T) - torch.eye(36, dtype=torch.float64)
    assert away.abs().max() < 5 / COUNT**0.5


def test_no_two_samples_or_positions_share_their_noise() -> None:
    drawn = torch.cat([uniforms(torch.arange(2000), 2, sample).flatten(1) for sample in range(4)])
    assert len({tuple(row) for row in drawn.tolist()}) == 8000


def test_the_noise_depends_only_on_position_and_sample() -> None:
    positions = torch.tensor([5, 2**32 - 1, 0, 5, 77, 10_000])
    for sample in (0, 2):
        together = uniforms(positions, 6, sample)
        assert torch.equal(together[0], together[3])
        for row, position in enumerate(positions.tolist()):
            assert torch.equal(uniforms(torch.tensor([position]), 6, sample)[0], together[row])
        order = torch.tensor([3, 1, 5, 0, 2, 4])
        assert torch.equal(uniforms(positions[order], 6, sample), together[order])


def test_global_seeds_do_not_matter() -> None:
    torch.manual_seed(0)
    first = uniforms(torch.arange(5), 3)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(uniforms(torch.arange(5), 3), first)
    torch.manual_seed(0)
    assert torch.equal(torch.get_rng_state(), state)  # no number was drawn from it


def test_fewer_glimpses_are_the_beginning_of_more() -> None:
    longest = uniforms(torch.arange(50), 9, 1)
    for glimpses in range(1, 9):
        assert torch.equal(uniforms(torch.arange(50), glimpses, 1), longest[:, :glimpses])


def test_the_noise_never_changes() -> None:
    drawn = uniforms(torch.tensor([0, 1]), 1, 1).flatten() * 2**24  # the measured error of a trained model depends on it
    assert drawn.tolist() == [9423581, 8101691, 8977857, 5507857]
