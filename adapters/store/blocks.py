"""One channel's whole UTC day as lists, the form in which stored and arriving intervals are merged and read."""

from collections.abc import Sequence

BlockKey = tuple[int, int]
"""Channel, interval length in seconds."""

Values = Sequence[int | None]

Block = tuple[Values, Sequence[int], int]
"""A value (None where none is known) and flags for every interval of the day; values are integers × 10^exponent, the third."""


def at_scale(block: Block, exponent: int) -> Block:
    """The same values × 10^`exponent`, which is no larger than its own."""
    values, flags, own = block
    factor = 10 ** (own - exponent)
    return ([None if value is None else value * factor for value in values], flags, exponent) if factor != 1 else block
