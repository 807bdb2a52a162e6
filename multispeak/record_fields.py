"""Records of the contract ⇄ plain values that JSON holds: how an object is kept that is only kept, and given back as it was said.

Layout  {slot: value}; instants as UTC in ISO 8601; nested records likewise, lists of them as lists; what was not said is left out
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from multispeak.calls import Call
from multispeak.mapping import local_time
from multispeak.records import Record, fields_of
from multispeak.unheld_values import require_held
from multispeak.xml_values import READERS, read_date_time


def fields_said(call: Call, record: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What a record says, but for the slots in `without`.

    Raises  RequestError for an instant that no calendar holds
    """
    said = {slot: _plain(call, getattr(record, slot)) for slot in type(record).__slots__ if slot not in without}
    return {slot: value for slot, value in said.items() if value is not None}


def record_said(call: Call, type_name: str, fields: Mapping[str, Any]) -> Any:
    """A record that says again what `fields_said` kept of one of the same type; instants in the utility's zone."""
    contract = call.binding.contract
    values: dict[str, Any] = {}
    for field in fields_of(contract, type_name):
        kept = fields.get(field.slot)
        if kept is not None:
            one = _reader(call, field.type_name)
            values[field.slot] = [one(item) for item in kept] if field.many else one(kept)
    return call.records[type_name](**values)


def _plain(call: Call, value: Any) -> Any:
    match value:
        case Record():
            return fields_said(call, value)
        case list():
            return [_plain(call, item) for item in value]
        case datetime():
            return call.instant(value).isoformat()
        case date() | Decimal():
            return str(value)
        case _:
            require_held(value)
    return value


def _reader(call: Call, type_name: str) -> Callable[[Any], Any]:
    contract = call.binding.contract
    kind = contract.types.get(type_name)
    if kind is not None and not kind.simple:
        return lambda kept: record_said(call, type_name, kept)
    built_in = contract.built_in(type_name)
    if built_in == "dateTime":
        return lambda kept: local_time(read_date_time(kept), call.utility.time_zone)
    convert = READERS.get(built_in)
    return lambda kept: convert(kept) if convert is not None and isinstance(kept, str) else kept
