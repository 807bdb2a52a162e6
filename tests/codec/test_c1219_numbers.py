"""Number formats: every NI code and integer both ways, and what is no number."""

import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1219.numbers import INTERVAL_CODES, NumberFormat, NumberRangeError, integer_format, ni_format
from headend.c1219.values import Scaling, round_half_even

NI_CODES = range(14)
FORMATS = st.builds(ni_format, st.sampled_from(NI_CODES), st.booleans(), st.integers(0, 2))
BOUNDS = {4: 10**9, 7: 10**6, 8: 10**9, 9: 10**11, 10: 10**14, 11: 10**18, 5: 10**12, 6: 10**8, 12: 10**16}


def item_of(form: NumberFormat, octets: bytes, little: bool = False) -> object:
    return struct.unpack(("<" if little else ">") + form.code, octets)[0]


def octets_of(form: NumberFormat, item: object, little: bool = False) -> bytes:
    return struct.pack(("<" if little else ">") + form.code, item)


@given(st.sampled_from(sorted(BOUNDS)), st.booleans(), st.integers(0, 2), st.data())
def test_integer_codes_keep_every_value(code: int, little: bool, int_format: int, data: st.DataObject) -> None:
    form = ni_format(code, little, int_format)
    bcd = code in {5, 6, 12}
    value = data.draw(st.integers(0 if bcd else 1 - BOUNDS[code], BOUNDS[code] - 1))
    octets = octets_of(form, form.to_item(value, form.exponent), little)
    assert len(octets) == form.size
    assert form.to_number(item_of(form, octets, little)) == (value, form.exponent)


@given(st.sampled_from((0, 2, 13)), st.booleans(), st.integers(-(10**8), 10**8), st.integers(-3, 0))
def test_free_codes_keep_the_decimal(code: int, little: bool, mantissa: int, exponent: int) -> None:
    form = ni_format(code, little, 0)
    octets = octets_of(form, form.to_item(mantissa, exponent), little)
    number = form.to_number(item_of(form, octets, little))
    assert number is not None
    assert Decimal(number[0]).scaleb(number[1]) == Decimal(mantissa).scaleb(exponent)


@given(st.integers(-(10**6) + 1, 10**6 - 1), st.sampled_from((-3, -1, 0, 2)))
def test_a_short_float_keeps_six_digits(mantissa: int, exponent: int) -> None:
    form = ni_format(1, True, 0)
    number = form.to_number(item_of(form, octets_of(form, form.to_item(mantissa, exponent))))
    assert number is not None
    assert Decimal(number[0]).scaleb(number[1]) == Decimal(mantissa).scaleb(exponent)


@given(FORMATS, st.data())
def test_any_octets_are_a_number_or_none(form: NumberFormat, data: st.DataObject) -> None:
    item = item_of(form, data.draw(st.binary(min_size=form.size, max_size=form.size)))
    number = form.to_number(item)
    assert number is None or abs(number[0]) < 2**63 + 1
    if form.read is not None:
        value = form.read(item)
        assert value is None or abs(value) <= 2**63


@pytest.mark.parametrize(
    ("code", "octets", "number"),
    [
        (0, "40c81cd6c8b43958", (12345678, -3)),
        (0, "7ff8000000000000", None),
        (0, "7ff0000000000000", None),
        (0, "7e37e43c8800759c", None),
        (0, "3e112e0be826d695", (0, 0)),
        (1, "4640e6b6", (12345678, -3)),
        (1, "3dcccccd", (1, -1)),
        (1, "7f7fffff", None),
        (3, "312e35202020", (15, -1)),
        (3, "2d3030372e30", (-7, 0)),
        (3, "1e352e303132", None),
        (3, "202020202020", None),
        (5, "000000012345", (12345, 0)),
        (6, "0000001a", None),
        (4, "00003039", (12345, -4)),
        (7, "ffffff", (-1, 0)),
    ],
)
def test_numbers_as_they_stand(code: int, octets: str, number: tuple[int, int] | None) -> None:
    form = ni_format(code, False, 0)
    assert form.to_number(item_of(form, bytes.fromhex(octets))) == number


@pytest.mark.parametrize(
    ("int_format", "octets", "value"), [(0, "fffe", -2), (1, "fffe", -1), (2, "8002", -2), (1, "ffff", 0), (2, "8000", 0)]
)
def test_integer_formats(int_format: int, octets: str, value: int) -> None:
    form = integer_format(2, True, False, int_format)
    item = item_of(form, bytes.fromhex(octets))
    assert (item if form.read is None else form.read(item)) == value
    if value:
        assert octets_of(form, value if form.write is None else form.write(value)).hex() == octets


@given(st.sampled_from(sorted(INTERVAL_CODES)), st.booleans(), st.integers(0, 2), st.data())
def test_plain_integers(code: int, little: bool, int_format: int, data: st.DataObject) -> None:
    octets, signed = INTERVAL_CODES[code]
    form = integer_format(octets, signed, little, int_format)
    top = 1 << (8 * octets - signed)
    value = data.draw(st.integers((1 - top) if signed else 0, top - 1))
    item = item_of(form, octets_of(form, value if form.write is None else form.write(value), little), little)
    assert (item if form.read is None else form.read(item)) == value


@pytest.mark.parametrize(
    ("code", "value", "exponent"),
    [(7, 2**23, 0), (6, 10**8, 0), (6, -1, 0), (3, 1234567, 0), (8, 5, -1), (1, 1, 400)],
)
def test_a_number_that_does_not_fit(code: int, value: int, exponent: int) -> None:
    with pytest.raises(NumberRangeError):
        ni_format(code, True, 1).to_item(value, exponent)


@pytest.mark.parametrize("code", [14, 15])
def test_unknown_code(code: int) -> None:
    with pytest.raises(NumberRangeError, match=f"code {code} does not exist"):
        ni_format(code, True, 0)


FACTORS = st.builds(Fraction, st.integers(1, 65535), st.integers(1, 65535))


@given(
    FACTORS,
    st.integers(-6, 9),
    st.builds(Fraction, st.integers(-1000, 1000), st.integers(1, 1000)),
    st.lists(st.integers(-(2**31), 2**32)),
)
def test_scaling_is_exact_or_rounded_at_a_millionth(factor: Fraction, exponent: int, offset: Fraction, raws: list[int]) -> None:
    scaling = Scaling.of(factor, exponent, offset)
    values, power = scaling.apply(raws)
    assert power == scaling.value_exponent
    for raw, value in zip(raws, values, strict=True):
        exact = (raw * factor + offset) * Fraction(10) ** exponent
        got = value * Fraction(10) ** power
        assert got == exact if scaling.divisor == 1 else abs(got - exact) <= Fraction(1, 2 * 10**6)
        mantissa, places = scaling.number((raw, 0))
        assert mantissa * Fraction(10) ** places == got


@given(FACTORS, st.integers(-6, 3), st.integers(-(2**31), 2**31))
def test_raw_of_inverts_an_exact_scaling(factor: Fraction, exponent: int, raw: int) -> None:
    scaling = Scaling.of(factor, exponent)
    if scaling.divisor == 1:
        values, power = scaling.apply([raw])
        assert scaling.raw_of(values[0], power) == raw


def test_nothing_to_do_gives_the_same_list() -> None:
    raws = [1, 2, 3]
    assert Scaling.of(Fraction(1, 1000), 3).apply(raws) == (raws, 0)
    assert Scaling.of(Fraction(1), 0).apply(raws)[0] is raws


@given(st.integers(), st.integers(min_value=1))
def test_rounding(numerator: int, denominator: int) -> None:
    assert round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))
