"""Chance that can be asked again: 64-bit mixing of a seed with what it is for, one number or a numpy row at a time."""

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

MASK: Final = (1 << 64) - 1
_M1: Final = 0xBF58476D1CE4E5B9
_M2: Final = 0x94D049BB133111EB
_GOLDEN: Final = 0x9E3779B97F4A7C15
_NP_M1 = np.uint64(_M1)
_NP_M2 = np.uint64(_M2)
_NP_GOLDEN = np.uint64(_GOLDEN)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)


def mix(*parts: int) -> int:
    """One 64-bit number that depends on every part and their order (splitmix64's finalizer, chained)."""
    state = 0
    for part in parts:
        state = (state + part + _GOLDEN) & MASK
        state = ((state ^ (state >> 30)) * _M1) & MASK
        state = ((state ^ (state >> 27)) * _M2) & MASK
        state ^= state >> 31
    return state


def mix_row(seed: int, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A 64-bit number for each of `numbers`, all depending on `seed`."""
    state = numbers.astype(np.uint64) + np.uint64(seed & MASK)
    state *= _NP_GOLDEN
    state ^= state >> _S30
    state *= _NP_M1
    state ^= state >> _S27
    state *= _NP_M2
    state ^= state >> _S31
    return state


def mix_one(seed: int, number: int) -> int:
    """What `mix_row` gives for one number, without an array."""
    state = ((number + seed) * _GOLDEN) & MASK
    state ^= state >> 30
    state = (state * _M1) & MASK
    state ^= state >> 27
    state = (state * _M2) & MASK
    return state ^ (state >> 31)


def between(number: int, low: int, high: int) -> int:
    """An integer of [low, high] picked by `number`."""
    return low + number % (high - low + 1)


def derive_key(seed: int, purpose: str, index: int) -> bytes:
    """Sixteen octets for one endpoint: nobody has to store 100,000 keys to know them."""
    return hashlib.sha256(f"{purpose}/{seed}/{index}".encode()).digest()[:16]
