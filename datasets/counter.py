"""Random numbers by counting: every number is a pure function of a key and a counter, the same bytes everywhere.

Philox4x32-10 in 64-bit integer arithmetic of torch: no state, so that any image of a data set can be drawn, in any order, on
any device, and by any version of torch and numpy.

References:
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
"""

import torch
from torch import Tensor

__all__ = ["bounded", "permutation", "philox", "words"]

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int], rounds: int = 10) -> tuple[Tensor, ...]:
    """Returns four random words for every counter: Philox4x32 of Salmon et al. (2011).

    Args:
        counter: Four int64 tensors that broadcast together, values in 0 to 2^32 - 1.
        key: Two words, each in 0 to 2^32 - 1.
        rounds: Rounds of mixing; 10 is the published generator.

    Returns:
        Four int64 tensors of the broadcast shape, values in 0 to 2^32 - 1.
    """
    a, b, c, d = counter
    low, high = key
    for _ in range(rounds):
        # The product wraps around 2^63; its bits are right all the same, and the mask takes off the sign that the shift drags in.
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = ((second >> 32) & _MASK) ^ b ^ low, second & _MASK, ((first >> 32) & _MASK) ^ d ^ high, first & _MASK
        low, high = (low + _WEYL[0]) & _MASK, (high + _WEYL[1]) & _MASK
    return a, b, c, d


def words(seed: int, stream: int, epoch: Tensor | int, index: Tensor, n_words: int) -> Tensor:
    """Returns random words for every index, each row a function of (seed, stream, epoch, index).

    Args:
        seed: Key, 0 to 2^64 - 1.
        stream: Which of several independent sequences, 0 to 2^32 - 1.
        epoch: One for all, or one for each index, 0 to 2^32 - 1.
        index: Shape (B,), int64, 0 to 2^32 - 1.
        n_words: Number of words for each index.

    Returns:
        Shape (B, n_words), int64, values in 0 to 2^32 - 1.

    Raises:
        ValueError: If the seed is outside its range.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be in 0 to 2^64 - 1, got {seed}")
    block = torch.arange((n_words + 3) // 4, device=index.device)
    epochs = torch.as_tensor(epoch, dtype=torch.int64, device=index.device).reshape(-1, 1)
    counter = (block[None, :], index[:, None], epochs, torch.full_like(block[None, :], stream))
    shape = (len(index), len(block))
    drawn = torch.stack([word.expand(shape) for word in philox(counter, (seed & _MASK, seed >> 32))], dim=-1)  # (B, blocks, 4)
    return drawn.flatten(1)[:, :n_words]


def bounded(word: Tensor, bound: int | Tensor) -> Tensor:
    """Returns integers in 0 to bound - 1, uniform but for a bias of at most bound / 2^32; a bound is 1 to 2^31."""
    return (word * bound) >> 32


def permutation(seed: int, stream: int, epoch: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Returns a random order of 0 to count - 1, shape (count,), int64, a function of (seed, stream, epoch, count)."""
    drawn = words(seed, stream, epoch, torch.arange(count, device=device), 2)
    keys = (drawn[:, 0] << 31) | (drawn[:, 1] >> 1)  # 63 bits, so that ties practically never happen; a stable sort settles them
    return torch.sort(keys, stable=True).indices
