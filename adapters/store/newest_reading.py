"""The newest registers of meters that are named: two statements whose texts are made once, for whoever runs them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect

from adapters.store.lane import Rows
from adapters.store.meter_store import Conditions, also, meter_of
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.readings import RegisterRow
from headend.model.selections import EVERYTHING

MetersRead = list[tuple[Meter, list[RegisterRow]]]
"""Meters, each with the registers of its newest instant that has any."""

_METERS = (
    "SELECT endpoint.endpoint_id, endpoint.meter_no, endpoint.serial_no, coalesce(endpoint.ap_title, ''), endpoint.configuration,"
    " endpoint.active, endpoint_state.last_read_us FROM {names} CROSS JOIN endpoint CROSS JOIN endpoint_state"
    " WHERE endpoint.{column} = k.value AND endpoint_state.endpoint_id = endpoint.endpoint_id{only} ORDER BY endpoint.endpoint_id"
)
_REGISTERS = "SELECT r.endpoint_id, r.instant_us, r.channel_id, r.source, r.exponent, r.flags, r.value FROM"
_REGISTERS_SQLITE = (
    f"{_REGISTERS} json_each(?) AS k CROSS JOIN register_read AS r"
    " WHERE r.endpoint_id = json_extract(k.value, '$[0]') AND r.instant_us = json_extract(k.value, '$[1]') ORDER BY 1, 2, 3, 4"
)
_REGISTERS_POSTGRESQL = (
    f"{_REGISTERS} unnest(%s::integer[], %s::bigint[]) AS k(endpoint_id, instant_us) JOIN register_read AS r"
    " ON r.endpoint_id = k.endpoint_id AND r.instant_us = k.instant_us AND r.instant_us BETWEEN {first} AND {last} ORDER BY 1, 2, 3, 4"
)


class NewestReading:
    """The look-up by one kind of identifier, among meters that fulfil `only`."""

    def __init__(self, dialect: Dialect, identifier: MeterIdentifier, only: Conditions = ()) -> None:
        self._identifier = identifier
        self._is_sqlite = dialect.name == "sqlite"
        names = "json_each(?) AS k" if self._is_sqlite else "unnest(%s::text[]) AS k(value)"
        self._meters = _METERS.format(names=names, column=identifier.value, only=also(dialect, only))

    def __call__(self, rows: Rows, names: Sequence[str]) -> Mapping[str, MetersRead]:
        """By each name the meters that have it."""
        asked: Any = json.dumps(names) if self._is_sqlite else list(names)
        meters = [meter_of(row) for row in rows(self._meters, (asked,))]
        keys = [(meter.endpoint_id, meter.newest_us) for meter in meters if meter.newest_us is not None]
        registers: dict[int, list[RegisterRow]] = {}
        for row in self._registers(rows, keys) if keys else ():
            if row[2] in EVERYTHING.registers:
                registers.setdefault(row[0], []).append(RegisterRow._make(row))
        found: dict[str, MetersRead] = {}
        for meter in meters:
            found.setdefault(meter.called(self._identifier), []).append((meter, registers.get(meter.endpoint_id, [])))
        return found

    def _registers(self, rows: Rows, keys: Sequence[tuple[int, int]]) -> list[Any]:
        if self._is_sqlite:
            return rows(_REGISTERS_SQLITE, (json.dumps(keys),))
        endpoints, instants = zip(*keys, strict=True)
        # Constants, so that the partitions of other days are left aside when the statement is planned.
        statement = _REGISTERS_POSTGRESQL.format(first=min(instants), last=max(instants))
        return rows(statement, (_array(endpoints), _array(instants)))


def _array(numbers: Sequence[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"
