"""The counter-based generator against its published test vectors and against Python's own big integers."""

import itertools
import random
from collections import Counter

import pytest
import torch

from glimpse.datasets.batches import SPLIT_OFFSETS
from glimpse.datasets.counter import STREAMS, bounded, permutation, philox, words

FULL = 2**32 - 1
KNOWN_ANSWERS = [  # counter, key and words of Random123's kat_vectors for philox4x32 with 10 rounds
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL,) * 4, (FULL,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def plain_philox(counter: tuple[int, ...], key: tuple[int, int], rounds: int = 10) -> tuple[int, ...]:
    """Returns the words of Philox4x32 with Python's unbounded integers, round by round as in the paper."""
    left0, right0, left1, right1 = counter[1], counter[0], counter[3], counter[2]
    for turn in range(rounds):
        keys = [(key[0] + turn * 0x9E3779B9) % 2**32, (key[1] + turn * 0xBB67AE85) % 2**32]
        high0, low0 = divmod(right0 * 0xD2511F53, 2**32)
        high1, low1 = divmod(right1 * 0xCD9E8D57, 2**32)
        right0, left0, right1, left1 = high1 ^ left0 ^ keys[0], low1, high0 ^ left1 ^ keys[1], low0
    return right0, left0, right1, left1


def torch_philox(counter: tuple[int, ...], key: tuple[int, int], rounds: int = 10) -> tuple[int, ...]:
    a, b, c, d = (torch.tensor([word]) for word in counter)
    return tuple(int(word) for word in philox((a, b, c, d), key, rounds))


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_the_published_vectors_are_reproduced(counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]) -> None:
    assert torch_philox(counter, key) == expected
    assert plain_philox(counter, key) == expected


def test_every_counter_and_key_agrees_with_plain_integers() -> None:
    draw = random.Random(7)
    some = [0, 1, 2**31 - 1, 2**31, FULL]
    for _ in range(300):
        counter = tuple(draw.choice([*some, draw.randrange(2**32)]) for _ in range(4))
        key = (draw.choice([*some, draw.randrange(2**32)]), draw.choice([*some, draw.randrange(2**32)]))
        rounds = draw.choice([1, 7, 10])
        assert torch_philox(counter, key, rounds) == plain_philox(counter, key, rounds)


def test_words_are_the_blocks_of_index_epoch_and_stream_in_order() -> None:
    seed, stream, index = 0x0123456789ABCDEF, 17, [5, FULL, 0]
    key = (0x89ABCDEF, 0x01234567)
    epochs = torch.tensor([9, 0, FULL])
    drawn = words(seed, stream, epochs, torch.tensor(index), 10)
    for row, i, epoch in zip(drawn.tolist(), index, epochs.tolist(), strict=True):
        assert row == [word for block in range(3) for word in plain_philox((block, i, epoch, stream), key)][:10]


def test_words_of_an_index_do_not_depend_on_other_indices() -> None:
    index = torch.arange(50)
    together = words(3, 1, 4, index, 7)
    assert torch.equal(words(3, 1, 4, index[13:14], 7), together[13:14])
    assert torch.equal(words(3, 1, 4, index.flip(0), 7), together.flip(0))
    assert torch.equal(words(3, 1, 4, index, 2), together[:, :2])
    for other in (words(4, 1, 4, index, 7), words(3, 2, 4, index, 7), words(3, 1, 5, index, 7), words(3 + 2**32, 1, 4, index, 7)):
        assert not (other == together).all(dim=1).any()


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"0 to 2\^64 - 1, got {seed}"):
        words(seed, 0, 0, torch.arange(3), 4)


def test_no_two_purposes_share_a_stream_in_any_split() -> None:
    streams = [first + offset for first in STREAMS.values() for offset in SPLIT_OFFSETS.values()]
    assert len(set(streams)) == len(streams) == 3 * len(STREAMS)


def test_bounded_reaches_both_ends_and_is_uniform() -> None:
    ends = torch.tensor([0, FULL])
    for bound in (1, 21, 93, 60_000, 2**31):
        assert bounded(ends, bound).tolist() == [0, bound - 1]
    counts = bounded(words(1, 2, 3, torch.arange(21_000), 1)[:, 0], 21).bincount(minlength=21).double()
    assert ((counts - 1000) ** 2 / 1000).sum() < 20 + 5 * 40**0.5  # chi-square with 20 degrees of freedom


def test_a_permutation_is_valid_and_sorts_by_its_first_63_bits() -> None:
    seed, stream, epoch, count = 12, 18, 6, 257
    drawn = [plain_philox((0, i, epoch, stream), (seed, 0)) for i in range(count)]
    expected = sorted(range(count), key=lambda i: (drawn[i][0], drawn[i][1] // 2))
    assert permutation(seed, stream, epoch, count).tolist() == expected
    assert sorted(expected) == list(range(count))


def test_ties_of_the_first_word_are_settled_by_the_second() -> None:
    count, epoch = 60_000, 5
    drawn = words(0, 16, epoch, torch.arange(count), 2).tolist()
    assert len({first for first, _ in drawn}) < count  # this epoch has a tie
    assert permutation(0, 16, epoch, count).tolist() == sorted(range(count), key=lambda i: (drawn[i][0], drawn[i][1] // 2))


def test_every_order_of_four_is_as_frequent_as_any_other() -> None:
    seen = Counter(tuple(permutation(0, 16, epoch, 4).tolist()) for epoch in range(2400))
    assert set(seen) == set(itertools.permutations(range(4)))
    assert sum((count - 100) ** 2 / 100 for count in seen.values()) < 23 + 5 * 46**0.5  # chi-square with 23 degrees of freedom
