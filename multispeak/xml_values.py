"""XML Schema built-in values ⇄ Python values."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import inf, isinf, isnan, nan
from typing import Any

from headend.errors import RequestError

_SPECIAL_FLOATS = {"INF": inf, "-INF": -inf, "NaN": nan}


class UnreadableValueError(RequestError):
    """A value that the schema allows and that cannot be kept, such as the year 12026."""

    def __init__(self, text: str, type_name: str) -> None:
        self.text = text
        self.type_name = type_name
        super().__init__(f"{text[:80]!r} is not an {type_name} this server can hold")


def read_date_time(text: str) -> datetime:
    """An xs:dateTime; naive where it has no offset, because only the caller's utility knows what that means.

    Raises  UnreadableValueError
    """
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return _end_of_day(text)


def _end_of_day(text: str) -> datetime:
    """24:00:00, which XML Schema allows for the midnight that ends a day and Python does not know."""
    day, end, offset = text.strip().partition("T24:00:00")
    if not end:
        raise UnreadableValueError(text, "xs:dateTime")
    try:
        return datetime.fromisoformat(f"{day}T00:00:00{offset}") + timedelta(days=1)
    except (ValueError, OverflowError):
        raise UnreadableValueError(text, "xs:dateTime") from None


def read_date(text: str) -> date:
    """An xs:date; its offset, if any, is dropped.

    Raises  UnreadableValueError
    """
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise UnreadableValueError(text, "xs:date") from None


def read_boolean(text: str) -> bool:
    """An xs:boolean that the schema has passed."""
    return text.strip() in {"true", "1"}


def read_float(text: str) -> float:
    """An xs:float or xs:double that the schema has passed."""
    text = text.strip()
    return _SPECIAL_FLOATS[text] if text in _SPECIAL_FLOATS else float(text)


def write_date_time(value: datetime | str) -> str:
    """An xs:dateTime with its offset; text passes as already written."""
    if isinstance(value, str):
        return value
    assert value.tzinfo is not None, "only aware datetimes are sent"
    return value.isoformat()


def write_boolean(value: bool) -> str:
    """An xs:boolean."""
    return "true" if value else "false"


def write_float(value: float) -> str:
    """An xs:float or xs:double."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "INF" if value > 0 else "-INF"
    return repr(value)


def write_decimal(value: Decimal | int) -> str:
    """An xs:decimal, never in exponent notation."""
    return format(value, "f")


INTEGERS = {"integer", "int", "long", "unsignedInt", "unsignedByte"}
"""Built-ins of the contracts that are Python integers."""

READERS: dict[str, Callable[[str], Any]] = {
    "dateTime": read_date_time,
    "date": read_date,
    "boolean": read_boolean,
    "float": read_float,
    "double": read_float,
    "decimal": Decimal,
    **dict.fromkeys(INTEGERS, int),
}
"""Built-in → reader; those not named are text."""

WRITERS: dict[str, Callable[[Any], str]] = {
    "dateTime": write_date_time,
    "date": str,
    "boolean": write_boolean,
    "float": write_float,
    "double": write_float,
    "decimal": write_decimal,
    **dict.fromkeys(INTEGERS, str),
}
"""Built-in → writer of values that need no escape; those not named are text."""
