"""Parameters of a request as text by their names: what is kept of one for later, and held against what calendars hold. Pure."""

import json
from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import PARAMETER_CHARACTERS_MAX, YEAR_MAX, YEAR_MIN
from multispeak.records import Record
from multispeak.unheld_values import require_held


def simple_values(record: Record, without: Collection[str]) -> dict[str, str]:
    """The slots of a record that hold one value or a list of texts; deeper objects are left out.

    Raises  RefusedCallError for a text too long to be kept or a date far from any meter's life
    """
    found: dict[str, str] = {}
    for slot in type(record).__slots__:
        text = None if slot in without else _text(slot, getattr(record, slot))
        if text is not None:
            found[slot] = text
    return found


def _text(name: str, value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            text = value
        case datetime():
            return require_year(name, value).isoformat()
        case date() | int() | float() | Decimal():
            return str(value)
        case Record() if "text" in type(value).__slots__:
            # Simple content with attributes, such as an amount with its unit.
            return json.dumps({k: t for k in type(value).__slots__ if (t := _text(k, getattr(value, k))) is not None})
        case Record() if len(type(value).__slots__) == 1:
            items = getattr(value, type(value).__slots__[0]) or []
            if not all(isinstance(item, str) for item in items):
                return None
            text = json.dumps(items)
        case _:
            require_held(value)
            return None
    if len(text) > PARAMETER_CHARACTERS_MAX:
        sentence = f"{name} has {len(text)} characters; {PARAMETER_CHARACTERS_MAX} are taken"
        raise RefusedCallError(FaultCode.INVALID_MESSAGE, sentence)
    return text


def require_year(name: str, value: datetime) -> datetime:
    """A date near some meter's life.

    Raises  RefusedCallError
    """
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        sentence = f"{name} is {value.isoformat()}; years {YEAR_MIN} to {YEAR_MAX} are taken"
        raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
    return value
