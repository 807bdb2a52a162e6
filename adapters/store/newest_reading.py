"""The newest registers of meters that are named: one statement or two whose texts are made once, for whoever runs them."""

import json
from collections.abc import Iterator, Mapping, Sequence
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

_METER = (
    "endpoint.endpoint_id, endpoint.meter_no, endpoint.serial_no, coalesce(endpoint.ap_title, ''), endpoint.configuration,"
    " endpoint.active, endpoint_state.last_read_us"
)
_NAMED = (
    " CROSS JOIN endpoint CROSS JOIN endpoint_state"
    " WHERE endpoint.{column} = k.value AND endpoint_state.endpoint_id = endpoint.endpoint_id{only}"
)
_READ = "r.endpoint_id, r.instant_us, r.channel_id, r.source, r.exponent, r.flags, r.value"
_READS_SQLITE = (
    f"SELECT json_group_array(json_array({_READ})) FROM register_read AS r"  # noqa: S608 - constants
    " WHERE r.endpoint_id = endpoint.endpoint_id AND r.instant_us = endpoint_state.last_read_us"
)
_SQLITE = f"SELECT json_group_array(json_array({_METER}, json(({_READS_SQLITE})))) FROM json_each(?) AS k{_NAMED}"  # noqa: S608 - constants
_METERS_POSTGRESQL = f"SELECT {_METER} FROM unnest(%s::text[]) AS k(value){_NAMED} ORDER BY endpoint.endpoint_id"  # noqa: S608 - constants
_REGISTERS_POSTGRESQL = (
    f"SELECT {_READ} FROM unnest(%s::integer[], %s::bigint[]) AS k(endpoint_id, instant_us) JOIN register_read AS r"  # noqa: S608 - constants
    " ON r.endpoint_id = k.endpoint_id AND r.instant_us = k.instant_us AND r.instant_us BETWEEN {first} AND {last} ORDER BY 1, 2, 3, 4"
)


class NewestReading:
    """The look-up by one kind of identifier, among meters that fulfil `only`."""

    def __init__(self, dialect: Dialect, identifier: MeterIdentifier, only: Conditions = ()) -> None:
        self._identifier = identifier
        self._is_sqlite = dialect.name == "sqlite"
        statement = _SQLITE if self._is_sqlite else _METERS_POSTGRESQL
        self._statement = statement.format(column=identifier.value, only=also(dialect, only))

    def __call__(self, rows: Rows, names: Sequence[str]) -> Mapping[str, MetersRead]:
        """By each name the meters that have it."""
        found: dict[str, MetersRead] = {}
        for meter, read in self._of_sqlite(rows, names) if self._is_sqlite else self._of_postgresql(rows, names):
            told = [RegisterRow._make(row) for row in read if row[2] in EVERYTHING.registers]
            found.setdefault(meter.called(self._identifier), []).append((meter, told))
        return found

    def _of_sqlite(self, rows: Rows, names: Sequence[str]) -> Iterator[tuple[Meter, Sequence[Any]]]:
        """All in one row: SQLite's driver lets other threads have their turn at each, and waits to get its own back."""
        ((listed,),) = rows(self._statement, (json.dumps(names),))
        # By endpoint, its reads by channel and source, whatever the order in which they were put together.
        for *meter, read in sorted(json.loads(listed)):
            yield meter_of(meter), sorted(read)

    def _of_postgresql(self, rows: Rows, names: Sequence[str]) -> Iterator[tuple[Meter, Sequence[Any]]]:
        meters = [meter_of(row) for row in rows(self._statement, (list(names),))]
        keys = [(meter.endpoint_id, meter.newest_us) for meter in meters if meter.newest_us is not None]
        registers: dict[int, list[Any]] = {}
        for row in _registers(rows, keys) if keys else ():
            registers.setdefault(row[0], []).append(row)
        for meter in meters:
            yield meter, registers.get(meter.endpoint_id, [])


def _registers(rows: Rows, keys: Sequence[tuple[int, int]]) -> list[Any]:
    endpoints, instants = zip(*keys, strict=True)
    # Constants, so that the partitions of other days are left aside when the statement is planned.
    statement = _REGISTERS_POSTGRESQL.format(first=min(instants), last=max(instants))
    return rows(statement, (_array(endpoints), _array(instants)))


def _array(numbers: Sequence[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"
