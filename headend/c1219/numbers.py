"""Number formats of C12.19: the NI_FMAT codes and plain integers, as struct codes with a conversion where one is needed.

A number is (mantissa, exponent): mantissa × 10^exponent, exact. Floats give the shortest decimal that reads back as the same float,
rounded half-even at 10^-6 where it has more digits. What is no number at all (NaN, letters in a BCD field) reads as None.
"""

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any, Literal

from headend.errors import WireError

Number = tuple[int, int]

FRACTION_EXPONENT = -6
"""Finest power of ten kept of numbers that have no fixed scale (floats, character fields)."""

MAGNITUDE_MAX = 2**63 - 1
"""Largest mantissa that is taken: what the store keeps in one signed 64-bit integer."""

INTERVAL_CODES = {1: (1, False), 2: (2, False), 4: (4, False), 8: (1, True), 16: (2, True), 32: (4, True)}
"""ST62 INT_FMT_CDE → octets, signed; 64 and 128 are NI_FMAT1 and NI_FMAT2."""

_CHARACTERS = re.compile(rb" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+) *\0*")
_STRUCT_CODES = {(1, False): "B", (2, False): "H", (4, False): "I", (8, False): "Q"} | {
    (1, True): "b",
    (2, True): "h",
    (4, True): "i",
    (8, True): "q",
}


class NumberRangeError(WireError):
    """A number that its field cannot hold, or a number format that does not exist."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How one number stands in a table.

    `code` is its struct code (`"i"`, `"6s"`); `size` its octets. `exponent` is the power of ten of an interval value, which is always an
    integer: 0, -4 (implied decimals), or -6 for floats and characters. `read` and `write` convert between the struct item and that
    integer, None where the item is the integer. `fixed` is False where a register number carries its own power of ten.
    """

    code: str
    size: int
    exponent: int = 0
    read: Callable[[Any], int | None] | None = None
    write: Callable[[int], Any] | None = None
    number: Callable[[Any], Number | None] | None = None
    item: Callable[[int, int], Any] | None = None

    def to_number(self, item: Any) -> Number | None:
        """The struct item as (mantissa, exponent)."""
        if self.number is not None:
            return self.number(item)
        mantissa = item if self.read is None else self.read(item)
        return None if mantissa is None else (mantissa, self.exponent)

    def to_item(self, mantissa: int, exponent: int) -> Any:
        """The struct item of a number. Raises NumberRangeError where digits would be lost in an integer field."""
        if self.item is not None:
            return self.item(mantissa, exponent)
        value = shift(mantissa, exponent - self.exponent)
        return value if self.write is None else self.write(value)


def shift(mantissa: int, places: int) -> int:
    """mantissa × 10^places, exactly. Raises NumberRangeError."""
    if places >= 0:
        power: int = 10**places
        return mantissa * power
    divisor: int = 10**-places
    quotient, rest = divmod(mantissa, divisor)
    if rest:
        raise NumberRangeError(f"{mantissa} has digits below 10^{-places}")
    return quotient


def reduced(value: Decimal) -> Number | None:
    """A finite decimal as (mantissa, exponent) without trailing zeros, at least 10^-6; None when it is too large."""
    if value.adjusted() > 18:
        return None
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < FRACTION_EXPONENT:
        value = value.quantize(Decimal((0, (1,), FRACTION_EXPONENT)), ROUND_HALF_EVEN)
    sign, digits, power = value.as_tuple()
    mantissa = int("".join(map(str, digits)))
    if not isinstance(power, int) or mantissa == 0:
        return 0, 0
    mantissa, power = _without_zeros(mantissa, power)
    return None if mantissa > MAGNITUDE_MAX else ((-mantissa if sign else mantissa), power)


def _without_zeros(mantissa: int, power: int) -> Number:
    """The same number, mantissa not 0, without zeros at its end."""
    while mantissa % 10 == 0:
        mantissa //= 10
        power += 1
    return mantissa, power


def interval_integer(number: Number | None) -> int | None:
    """A number without fixed scale, in millionths."""
    if number is None:
        return None
    value = shift(number[0], number[1] - FRACTION_EXPONENT)
    return value if abs(value) <= MAGNITUDE_MAX else None


def float64_number(item: float) -> Number | None:
    if not math.isfinite(item):
        return None
    text = repr(item)
    whole, _, fraction = text.partition(".")
    if len(fraction) > -FRACTION_EXPONENT or "e" in text:
        return reduced(Decimal(text))
    fraction = fraction.rstrip("0")
    mantissa = int(whole + fraction)
    return _without_zeros(mantissa, 0) if mantissa and not fraction else (mantissa, -len(fraction))


def float32_number(item: float) -> Number | None:
    if not math.isfinite(item):
        return None
    for digits in range(6, 9):
        text = f"{item:.{digits}g}"
        if _is_float32(float(text), item):
            return reduced(Decimal(text))
    return reduced(Decimal(f"{item:.9g}"))


def _is_float32(candidate: float, item: float) -> bool:
    try:
        (back,) = struct.unpack("<f", struct.pack("<f", candidate))
    except OverflowError:
        return False
    return bool(back == item)


def float_item(mantissa: int, exponent: int) -> float:
    value = float(f"{mantissa}e{exponent}")
    if math.isinf(value):
        raise NumberRangeError(f"{mantissa}e{exponent} is beyond a float")
    return value


def characters_number(item: bytes) -> Number | None:
    if _CHARACTERS.fullmatch(item) is None:
        return None
    return reduced(Decimal(item.strip(b" \0").decode("ascii")))


def _characters_item(width: int) -> Callable[[int, int], bytes]:
    def item(mantissa: int, exponent: int) -> bytes:
        text = f"{Decimal(mantissa).scaleb(exponent):f}"
        if len(text) > width:
            raise NumberRangeError(f"{text} needs more than {width} characters")
        return text.rjust(width).encode("ascii")

    return item


def bcd_integer(item: bytes) -> int | None:
    """Packed decimal digits, most significant first, whatever the data order."""
    digits = item.hex()
    return int(digits) if digits.isdecimal() else None


def _bcd_item(octets: int) -> Callable[[int], bytes]:
    def item(value: int) -> bytes:
        if not 0 <= value < 100**octets:
            raise NumberRangeError(f"{value} does not fit {2 * octets} BCD digits")
        return bytes.fromhex(f"{value:0{2 * octets}d}")

    return item


def _reader(order: Literal["little", "big"], octets: int, int_format: int) -> Callable[[Any], int]:
    """From an unsigned integer, or from octets where struct has no code of that size, by INT_FORMAT."""
    top = 1 << (8 * octets - 1)
    span = {0: 2 * top, 1: 2 * top - 1}.get(int_format, 0)

    def negative(value: int) -> int:
        return value - span if span else top - value

    def of_integer(value: int) -> int:
        return value if value < top else negative(value)

    def of_octets(item: bytes) -> int:
        value = int.from_bytes(item, order)
        return value if value < top else negative(value)

    return of_integer if (octets, False) in _STRUCT_CODES else of_octets


def _writer(order: Literal["little", "big"], octets: int, int_format: int) -> Callable[[int], Any]:
    top = 1 << (8 * octets - 1)
    lowest = -top if int_format == 0 else 1 - top
    span = {0: 2 * top, 1: 2 * top - 1}.get(int_format, 0)
    has_code = (octets, False) in _STRUCT_CODES

    def write(value: int) -> Any:
        if not lowest <= value < top:
            raise NumberRangeError(f"{value} does not fit {octets} octets")
        bits = value if value >= 0 else (value + span if span else top - value)
        return bits if has_code else bits.to_bytes(octets, order)

    return write


@cache
def integer_format(octets: int, signed: bool, little: bool, int_format: int, exponent: int = 0) -> NumberFormat:
    """A plain integer; `int_format` is ST0's INT_FORMAT (0 two's complement, 1 one's complement, 2 sign and magnitude)."""
    code = _STRUCT_CODES.get((octets, signed))
    if code is not None and (not signed or int_format == 0):
        return NumberFormat(code, octets, exponent)
    order: Literal["little", "big"] = "little" if little else "big"
    code = _STRUCT_CODES.get((octets, False), f"{octets}s")
    return NumberFormat(code, octets, exponent, _reader(order, octets, int_format), _writer(order, octets, int_format))


def _float_format(code: str, octets: int, number: Callable[[Any], Number | None]) -> NumberFormat:
    return NumberFormat(
        code,
        octets,
        FRACTION_EXPONENT,
        lambda item: interval_integer(number(item)),
        lambda value: float_item(value, FRACTION_EXPONENT),
        number,
        float_item,
    )


def _characters_format(width: int) -> NumberFormat:
    item = _characters_item(width)
    return NumberFormat(
        f"{width}s",
        width,
        FRACTION_EXPONENT,
        lambda octets: interval_integer(characters_number(octets)),
        lambda value: item(*(reduced(Decimal(value).scaleb(FRACTION_EXPONENT)) or (value, FRACTION_EXPONENT))),
        characters_number,
        item,
    )


_NI_INTEGERS = {4: (4, -4), 7: (3, 0), 8: (4, 0), 9: (5, 0), 10: (6, 0), 11: (8, 0)}
_NI_CHARACTERS = {2: 12, 3: 6, 13: 21}
_NI_BCD = {5: 6, 6: 4, 12: 8}


@cache
def ni_format(code: int, little: bool, int_format: int) -> NumberFormat:
    """The format of an NI_FMAT code, 0-13. Raises NumberRangeError.

    Source  reference/field-protocol-c1222.md 3, NI_FMAT codes
    """
    if code in _NI_INTEGERS:
        octets, exponent = _NI_INTEGERS[code]
        return integer_format(octets, True, little, int_format, exponent)
    if code in _NI_CHARACTERS:
        return _characters_format(_NI_CHARACTERS[code])
    if code in _NI_BCD:
        octets = _NI_BCD[code]
        return NumberFormat(f"{octets}s", octets, 0, bcd_integer, _bcd_item(octets))
    if code in (0, 1):
        return _float_format("df"[code], 8 - 4 * code, float32_number if code else float64_number)
    raise NumberRangeError(f"number format code {code} does not exist")
