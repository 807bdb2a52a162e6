"""Register reads of a list → XML texts, one for each meter and instant: rows in, text out, in one pass."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from headend.model.channels import ChannelId
from headend.model.endpoint import CONFIGURATIONS
from headend.model.instants import from_us
from headend.model.partner import EnergyUnit, MeterIdentifier
from headend.model.utility import Utility
from headend.reading_queries import ListedRow
from multispeak.binding import ListShape
from multispeak.calls import Call
from multispeak.field_names import FIELD_NAMES
from multispeak.filling import MARKS, Fill, decimal_fragment, filler, whole_fragment
from multispeak.mapping import WHOLE_KWH, Shape, ToldMeter, ToldValue, local_time, told_reading
from multispeak.paging import object_id, utc_text
from multispeak.writers import escape, search_special

ReadKind = tuple[ChannelId, int, int, bool]
"""Channel, exponent, flags, and whether the value is below zero."""
Kind = tuple[str, tuple[ReadKind, ...]]
"""What instants have in common that are written alike: the meter's configuration, and what was read."""

_KINDS_MAX = 1_000
"""Kinds remembered, and instants: some dozens occur; a damaged meter could make more."""

_METER_NO, _NAME, _DEVICE, _UTC, _LOCAL, *_VALUES = MARKS
_PARAMETERS = ("meter_no", "name", "device", "utc", "local")
_FRAGMENTS = dict(zip(MARKS, (f"{{{one}}}" for one in _PARAMETERS), strict=False))
_NAME_AT = {MeterIdentifier.METER_NO: 7, MeterIdentifier.SERIAL_NO: 8, MeterIdentifier.AP_TITLE: 9}
"""Places in a `ListedRow`."""


class RegisterTexts:
    """Writes for partners of a utility who are told alike. What is remembered is bounded, so that one may be kept for long."""

    def __init__(self, element: ListShape, shape: Shape, utility: Utility, energy_unit: EnergyUnit, identifier: MeterIdentifier) -> None:
        self._element = element
        self._shape = shape
        self._utility = utility
        self._names = FIELD_NAMES[energy_unit]
        self._name_at = _NAME_AT[identifier]
        self._fills: dict[Kind, Fill] = {}
        self._instants: dict[int, tuple[str, str]] = {}

    def texts(self, rows: Sequence[ListedRow]) -> list[str]:
        """Rows of whole instants in their order, as objects in theirs."""
        if search_special("".join([f"{row[7]}{row[8]}{row[9]}" for row in rows])):
            rows = [(*row[:7], escape(row[7]), escape(row[8]), escape(row[9]), row[10]) for row in rows]
        texts = []
        begin, count = 0, len(rows)
        name_at, fills, instants = self._name_at, self._fills, self._instants
        while begin < count:
            row = rows[begin]
            endpoint_id, instant_us, channel, _, exponent, flags, value, meter_no, serial_no, _, configuration = row
            end = begin + 1
            utc, local = instants.get(instant_us) or self._instant(instant_us)
            if end == count or rows[end][0] != endpoint_id or rows[end][1] != instant_us:
                # One read at an instant, as most are: the same as below with fewer steps.
                kind: Kind = (configuration, ((channel, exponent, flags, value < 0),))
                fill = fills.get(kind) or self._fill(kind)
                texts.append(fill(meter_no, row[name_at], serial_no, utc, local, value))
            else:
                while end < count and rows[end][0] == endpoint_id and rows[end][1] == instant_us:
                    end += 1
                reads = _told(rows[begin:end])
                kind = (configuration, tuple([(read[2], read[4], read[5], read[6] < 0) for read in reads]))
                fill = fills.get(kind) or self._fill(kind)
                texts.append(fill(meter_no, row[name_at], serial_no, utc, local, *[read[6] for read in reads]))
            begin = end
        return texts

    def _instant(self, instant_us: int) -> tuple[str, str]:
        instant = from_us(instant_us)
        if len(self._instants) >= _KINDS_MAX:
            self._instants.clear()
        found = self._instants[instant_us] = (utc_text(instant), local_time(instant, self._utility.time_zone))
        return found

    def _fill(self, kind: Kind) -> Fill:
        configuration, reads = kind
        meter = ToldMeter(_METER_NO, _NAME, _DEVICE, CONFIGURATIONS[configuration].commodity)
        marks, parameters, fragments = iter(_VALUES), list(_PARAMETERS), dict(_FRAGMENTS)
        values, whole = [], {}
        for number, (channel, exponent, flags, negative) in enumerate(reads):
            name, parameter, mark = self._names[channel], f"value_{number}", next(marks)
            parameters.append(parameter)
            fragments[mark] = decimal_fragment(parameter, exponent + name.power, negative=negative)
            values.append(ToldValue(name, mark, _LOCAL, flags))
            if channel in WHOLE_KWH:
                whole[channel] = next(marks)
                fragments[whole[channel]] = whole_fragment(parameter, exponent - 3, negative=negative)
        reading = told_reading(object_id(_METER_NO, _UTC), _LOCAL, values, whole)
        written = self._element.write(self._shape.reading(self._utility, meter, reading), self._element.item_name)
        if len(self._fills) >= _KINDS_MAX:
            self._fills.clear()
        fill = self._fills[kind] = filler(written, parameters, fragments)
        return fill


def register_texts(call: Call, shape: Any, *, listed: bool) -> RegisterTexts:
    """For the partner who called, elements of a list or the one that is the result."""
    operation = call.binding.operations[call.operation]
    element = operation.list_shape if listed else operation.result_shape
    return _kept(element, shape, call.utility, call.partner.energy_unit, call.partner.identifier)


@lru_cache(maxsize=128)
def _kept(element: ListShape, shape: Any, utility: Utility, energy_unit: EnergyUnit, identifier: MeterIdentifier) -> RegisterTexts:
    """One for each operation and way of telling: to compile a text costs as much as to fill a thousand."""
    return RegisterTexts(element, shape, utility, energy_unit, identifier)


def _told(rows: Sequence[ListedRow]) -> list[ListedRow]:
    """One read a channel: of several sources the first in `ReadSource`, which is how they are ordered."""
    told: dict[ChannelId, ListedRow] = {}
    for row in rows:
        told.setdefault(row[2], row)
    return list(told.values())
