"""What meters have of a period, many at a time: rows in the order of endpoints, as the drivers make them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from adapters.store import schema
from adapters.store.bulk import key_source, rows_of
from adapters.store.change_packing import unpack_changes
from adapters.store.export_days import PeriodDays, expected_keys
from adapters.store.instants import DAY_US, from_day, to_us
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.export import MeterData, MeterRow, Spans, Wanted
from headend.model.readings import RegisterRow
from headend.model.selections import Period

_C, _E = schema.endpoint_change.c, schema.endpoint.c

_SELECTED = (
    "SELECT e.endpoint_id, e.meter_no, e.serial_no, e.configuration, coalesce(p.service_point_no, ''), coalesce(p.account_no, '')"
    " FROM endpoint AS e LEFT JOIN installation AS i ON i.endpoint_id = e.endpoint_id AND i.started_us < ?"
    " AND (i.ended_us IS NULL OR i.ended_us > ?) LEFT JOIN service_point AS p ON p.service_point_no = i.service_point_no"
    " WHERE e.endpoint_id > ? AND e.endpoint_id <= ? AND (i.endpoint_id IS NOT NULL OR (e.active = 1 AND e.created_us < ?))"
    " AND e.configuration IN ({configurations}) ORDER BY e.endpoint_id, i.started_us LIMIT ?"
)
_LAST = 2**31 - 1


def meters_after(connection: Connection, wanted: Wanted, period: Period, after: int, limit: int) -> list[MeterData]:
    """The next meters after an endpoint with what they have of a period."""
    meters = _meters(connection, wanted, period, after, limit)
    if not meters:
        return []
    bounds = (meters[0].endpoint_id, meters[-1].endpoint_id)
    registers = _registers(connection, wanted, period, "BETWEEN ? AND ?", bounds) if wanted.registers else {}
    rows = _day_rows(connection, period, "BETWEEN ? AND ?", bounds) if wanted.intervals else {}
    return _data(meters, wanted, period, registers, rows)


def these_meters(connection: Connection, wanted: Wanted, period: Period, endpoint_ids: Sequence[EndpointId]) -> list[MeterData]:
    """The same of given endpoints."""
    meters: list[MeterRow] = []
    for one in sorted(set(endpoint_ids)):
        meters += _meters(connection, wanted, period, one - 1, 100, one)
    if not meters:
        return []
    source, parameters = key_source(connection, [_E.endpoint_id], [(meter.endpoint_id,) for meter in meters])
    condition = f"IN (SELECT endpoint_id FROM {source})"  # noqa: S608
    registers = _registers(connection, wanted, period, condition, parameters) if wanted.registers else {}
    rows = _day_rows(connection, period, condition, parameters) if wanted.intervals else {}
    return _data(meters, wanted, period, registers, rows)


def count_meters(connection: Connection, wanted: Wanted, period: Period) -> int:
    """How many there are."""
    statement = f"SELECT count(DISTINCT endpoint_id) FROM ({_selection(wanted)}) AS k"  # noqa: S608
    return int(rows_of(connection, statement, (*_selection_of(period), 0, _LAST, to_us(period.end), _LAST))[0][0])


def changed(connection: Connection, from_seq: int, to_seq: int, among: Collection[EndpointId]) -> Spans:
    """Which of these endpoints have data that changed, with the days of it."""
    found: dict[int, tuple[int, int]] = {}
    if among:
        for octets in connection.execute(select(_C.packed).where(_C.change_seq > from_seq, _C.change_seq <= to_seq)).scalars():
            for one, span in unpack_changes(octets).items():
                if one in among:
                    _widen(found, one, *span)
    return _spans(found)


def superseded(connection: Connection, wanted: Wanted, from_seq: int, to_seq: int) -> Spans:
    """Endpoints of which values that were known were replaced, with the days of those."""
    measuring = select(_E.endpoint_id).where(_E.configuration.in_(_configurations(wanted)))
    found: dict[int, tuple[int, int]] = {}
    days, reads = schema.interval_day_history.c, schema.register_read_history.c
    if wanted.intervals:
        rows = select(days.endpoint_id, days.day).where(days.superseded_seq > from_seq, days.superseded_seq <= to_seq)
        for endpoint_id, day in connection.execute(rows.where(days.endpoint_id.in_(measuring))):
            _widen(found, endpoint_id, day, day)
    if wanted.registers:
        instants = select(reads.endpoint_id, reads.instant_us).where(reads.superseded_seq > from_seq, reads.superseded_seq <= to_seq)
        for endpoint_id, instant_us in connection.execute(instants.where(reads.endpoint_id.in_(measuring))):
            _widen(found, endpoint_id, instant_us // DAY_US, instant_us // DAY_US)
    return _spans(found)


def _widen(spans: dict[int, tuple[int, int]], endpoint_id: int, first: int, last: int) -> None:
    before = spans.get(endpoint_id, (first, last))
    spans[endpoint_id] = (min(before[0], first), max(before[1], last))


def _spans(found: Mapping[int, tuple[int, int]]) -> Spans:
    return {EndpointId(one): (from_day(first), from_day(last)) for one, (first, last) in sorted(found.items())}


def _meters(connection: Connection, wanted: Wanted, period: Period, after: int, limit: int, last: int = _LAST) -> list[MeterRow]:
    """Of a meter that was exchanged from place to place within the period, the last place."""
    parameters = (*_selection_of(period), after, last, to_us(period.end), limit + 1)
    rows = [MeterRow._make(row) for row in rows_of(connection, _selection(wanted), parameters)]
    meters = {row.endpoint_id: row for row in rows}
    if len(rows) > limit and len(meters) > 1:
        # Other places of the last one may not be among these rows.
        del meters[rows[-1].endpoint_id]
    return list(meters.values())


def _selection(wanted: Wanted) -> str:
    names = ", ".join(f"'{name}'" for name in _configurations(wanted))
    return _SELECTED.format(configurations=names or "''")


def _selection_of(period: Period) -> tuple[int, int]:
    return to_us(period.end), to_us(period.start)


def _configurations(wanted: Wanted) -> list[str]:
    return sorted(c.name for c in CONFIGURATIONS.values() if c.commodity in wanted.commodities)


def _registers(
    connection: Connection, wanted: Wanted, period: Period, condition: str, parameters: tuple[Any, ...]
) -> dict[int, list[RegisterRow]]:
    statement = (
        "SELECT endpoint_id, instant_us, channel_id, source, exponent, flags, value FROM register_read"  # noqa: S608
        f" WHERE endpoint_id {condition} AND instant_us > ? AND instant_us <= ? ORDER BY endpoint_id, instant_us, channel_id, source"
    )
    found: dict[int, list[RegisterRow]] = {}
    channels = wanted.registers
    for row in rows_of(connection, statement, (*parameters, to_us(period.start), to_us(period.end))):
        if row[2] in channels:
            found.setdefault(row[0], []).append(RegisterRow._make(row))
    return found


def _day_rows(
    connection: Connection, period: Period, condition: str, parameters: tuple[Any, ...]
) -> dict[int, list[tuple[int, bytes]]]:
    # What is known of a day may stand with the day before.
    first, last = to_us(period.start) // DAY_US - 1, (to_us(period.end) - 1) // DAY_US
    statement = f"SELECT endpoint_id, day, packed FROM interval_day WHERE endpoint_id {condition} AND day = ?"  # noqa: S608
    found: dict[int, list[tuple[int, bytes]]] = {}
    for day in range(first, last + 1):
        for endpoint_id, number, packed in rows_of(connection, statement, (*parameters, day)):
            found.setdefault(endpoint_id, []).append((number, packed))
    return found


def _data(
    meters: Sequence[MeterRow],
    wanted: Wanted,
    period: Period,
    registers: Mapping[int, list[RegisterRow]],
    rows: Mapping[int, list[tuple[int, bytes]]],
) -> list[MeterData]:
    start, end = to_us(period.start) // 1_000_000, to_us(period.end) // 1_000_000
    channels = wanted.intervals
    if not channels:
        return [MeterData(meter, registers.get(meter.endpoint_id, ()), ()) for meter in meters]
    days = PeriodDays(start, end, channels)
    return [
        MeterData(
            meter,
            registers.get(meter.endpoint_id, ()),
            days.of(rows.get(meter.endpoint_id, ()), expected_keys(meter.configuration, channels)),
        )
        for meter in meters
    ]


