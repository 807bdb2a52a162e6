"""From raw numbers to exact values: raw × scalar / divisor × 10^multiplier as an integer with a power of ten."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from headend.c1219.numbers import FRACTION_EXPONENT, Number


@dataclass(frozen=True, slots=True)
class Scaling:
    """value = (raw × multiplier + offset) / divisor × 10^exponent.

    `divisor` is 1 wherever the decimal ends: then values are exact. Else they are rounded half-even at 10^-6.
    """

    multiplier: int = 1
    exponent: int = 0
    divisor: int = 1
    offset: int = 0

    @classmethod
    def of(cls, factor: Fraction, exponent: int, offset: Fraction = Fraction(0)) -> "Scaling":
        """In lowest terms: value = (raw × factor + offset) × 10^exponent."""
        divisor = lcm(factor.denominator, offset.denominator)
        tens = _tens_for(divisor)
        if tens is not None:
            factor, offset, exponent, divisor = factor * 10**tens, offset * 10**tens, exponent - tens, 1
        multiplier, added = int(factor * divisor), int(offset * divisor)
        while multiplier and multiplier % 10 == 0 and added % 10 == 0:
            multiplier, added, exponent = multiplier // 10, added // 10, exponent + 1
        return cls(multiplier, exponent, divisor, added)

    @property
    def value_exponent(self) -> int:
        """The power of ten of what `apply` returns."""
        return self.exponent if self.divisor == 1 else FRACTION_EXPONENT

    def apply(self, raws: Sequence[int]) -> tuple[Sequence[int], int]:
        """Whole lists at once: integers and their common power of ten; the same list where there is nothing to do."""
        multiplier, offset, divisor = self.multiplier, self.offset, self.divisor
        if divisor == 1:
            if offset:
                return [raw * multiplier + offset for raw in raws], self.exponent
            return (raws if multiplier == 1 else [raw * multiplier for raw in raws]), self.exponent
        finer, coarser = self._parts()
        return [round_half_even((raw * multiplier + offset) * finer, divisor * coarser) for raw in raws], FRACTION_EXPONENT

    def number(self, number: Number) -> Number:
        """One register number, which brings its own power of ten."""
        mantissa, places = number
        value = mantissa * self.multiplier
        if self.offset:
            value, places = _add(value, places, self.offset)
        if self.divisor == 1:
            return value, places + self.exponent
        shifted = places + self.exponent - FRACTION_EXPONENT
        return round_half_even(value * 10 ** max(shifted, 0), self.divisor * 10 ** max(-shifted, 0)), FRACTION_EXPONENT

    def raw_of(self, value: int, exponent: int) -> int:
        """The raw integer whose value comes nearest: what a meter would have stored."""
        shifted = exponent - self.exponent
        numerator = value * self.divisor * 10 ** max(shifted, 0)
        power = 10 ** max(-shifted, 0)
        return round_half_even(numerator - self.offset * power, self.multiplier * power)

    def _parts(self) -> tuple[int, int]:
        shifted = self.exponent - FRACTION_EXPONENT
        return 10 ** max(shifted, 0), 10 ** max(-shifted, 0)


def _add(value: int, places: int, offset: int) -> Number:
    if places < 0:
        return value + offset * 10**-places, places
    return value * 10**places + offset, 0


def _tens_for(divisor: int) -> int | None:
    """The smallest n with 10^n a multiple of divisor; None where there is none."""
    twos = fives = 0
    while divisor % 2 == 0:
        divisor, twos = divisor // 2, twos + 1
    while divisor % 5 == 0:
        divisor, fives = divisor // 5, fives + 1
    return max(twos, fives) if divisor == 1 else None


def round_half_even(numerator: int, denominator: int) -> int:
    """numerator / denominator to the nearest integer, ties to the even one; denominator > 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def fraction(number: Number) -> Fraction:
    mantissa, exponent = number
    return Fraction(mantissa) * Fraction(10) ** exponent
