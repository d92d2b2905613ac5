"""A counter-based random number generator: every number is a pure function of a key and a counter.

Philox4x32-10 in torch's 64-bit integer arithmetic. It has no state: the images of a data set can be generated in any order, with
the same bytes on every device and under every version of torch and numpy.

References:
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
"""

import torch
from torch import Tensor

__all__ = ["STREAMS", "bounded", "permutation", "philox", "words"]

STREAMS = {
    "clutter": 0,
    "clutter order": 16,
    "split": 64,
    "order of own images": 80,
    "order": 96,
    "binarize": 100,
    "crop": 104,
    "two-digit": 108,
    "hold out": 112,
    "distortion": 116,
    "stratified split": 120,
    "test locations": 1024,
}
"""First stream for each purpose. Where the splits differ, their offset, 0 to 2, is added."""

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int], rounds: int = 10) -> tuple[Tensor, ...]:
    """Returns four random words for every counter, by Philox4x32 of Salmon et al. (2011).

    Args:
        counter: Four int64 tensors that broadcast together, values in 0 to 2^32 - 1.
        key: Two words, each in 0 to 2^32 - 1.
        rounds: Number of mixing rounds; 10 in the published generator.

    Returns:
        Four int64 tensors of the broadcast shape, values in 0 to 2^32 - 1.
    """
    a, b, c, d = counter
    low, high = key
    for _ in range(rounds):
        # The product wraps around at 2^63; its bits are still correct, and the mask removes the sign that the shift extends.
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = ((second >> 32) & _MASK) ^ b ^ low, second & _MASK, ((first >> 32) & _MASK) ^ d ^ high, first & _MASK
        low, high = (low + _WEYL[0]) & _MASK, (high + _WEYL[1]) & _MASK
    return a, b, c, d


def words(seed: int, stream: int, epoch: Tensor | int, index: Tensor, n_words: int) -> Tensor:
    """Returns random words for every index, each row a function of (seed, stream, epoch, index).

    Args:
        seed: Key, 0 to 2^64 - 1.
        stream: Number of an independent sequence, 0 to 2^32 - 1; see `STREAMS`.
        epoch: Epoch of all indices, or of each, shape (B,); 0 to 2^32 - 1.
        index: Shape (B,), int64, 0 to 2^32 - 1.
        n_words: Number of words per index.

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
    """Returns integers in 0 to bound - 1, uniform up to a bias of at most bound / 2^32.

    Args:
        word: Random words, any shape, int64 in 0 to 2^32 - 1.
        bound: Exclusive upper bound, 1 to 2^31; a tensor broadcasts with `word`.
    """
    return (word * bound) >> 32


def permutation(seed: int, stream: int, epoch: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Returns a random order of 0 to count - 1, shape (count,), int64, a function of (seed, stream, epoch, count)."""
    drawn = words(seed, stream, epoch, torch.arange(count, device=device), 2)
    keys = (drawn[:, 0] << 31) | (drawn[:, 1] >> 1)  # 63 bits, so that ties are very unlikely; a stable sort resolves them
    return torch.sort(keys, stable=True).indices
