"""What given endpoints read: in a period, or last; each answer from one state of the database."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from adapters.store import schema
from adapters.store.bulk import fetch, key_source, rows_of
from adapters.store.day_packing import unpack_days
from adapters.store.instants import DAY_US, from_day, to_us
from adapters.store.meter_store import Conditions
from headend.limits import LATEST_LOOK_BACK_DAYS
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import Period, Quantities
from headend.reading_queries import Values

_E = schema.endpoint.c

def values_of(connection: Connection, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Values:
    """What endpoints read in a period."""
    registers = _registers(connection, endpoint_ids, period, wanted.registers) if wanted.registers else []
    blocks = _blocks(connection, endpoint_ids, *_days(period), wanted) if wanted.intervals else []
    return Values(registers, blocks)


def latest_of(connection: Connection, meters: Sequence[Meter], wanted: Quantities, period: Period | None, now: datetime) -> Values:
    """Registers of each meter's newest instant that has any, blocks of its newest day that has any."""
    registers: list[RegisterRow] = []
    if wanted.registers:
        registers = _newest_registers(connection, meters, wanted.registers, period)
    blocks: list[IntervalBlock] = []
    if wanted.intervals:
        looked_at = period or Period(now - timedelta(days=LATEST_LOOK_BACK_DAYS), now + timedelta(days=1))
        blocks = _newest_blocks(connection, [meter.endpoint_id for meter in meters], looked_at, wanted)
    return Values(registers, blocks)


def interval_blocks(
    connection: Connection,
    meter_no: str,
    start: datetime,
    end: datetime,
    channels: Collection[ChannelId] | None = None,
    only: Conditions = (),
) -> list[IntervalBlock]:
    """Stored blocks of a meter that touch (start, end], of `channels` or of all; [] for an unknown meter."""
    endpoint_id = connection.execute(select(_E.endpoint_id).where(_E.meter_no == meter_no, *only)).scalar()
    if endpoint_id is None:
        return []
    first_day, last_day = _days(Period(start, end))
    return _sorted(_unpacked(connection, [EndpointId(endpoint_id)], first_day, last_day, channels))


def _registers(
    connection: Connection, endpoint_ids: Sequence[EndpointId], period: Period, channels: Collection[ChannelId]
) -> list[RegisterRow]:
    keys, parameters = _endpoint_keys(connection, endpoint_ids)
    statement = (
        f"SELECT r.endpoint_id, r.instant_us, r.channel_id, r.source, r.exponent, r.flags, r.value FROM {keys}"  # noqa: S608
        " CROSS JOIN register_read AS r WHERE r.endpoint_id = k.endpoint_id AND r.instant_us BETWEEN ? AND ?"
    )
    rows = rows_of(connection, statement, (*parameters, to_us(period.start), to_us(period.end)))
    rows.sort()
    return [RegisterRow._make(row) for row in rows if row[2] in channels]


def _newest_registers(
    connection: Connection, meters: Sequence[Meter], channels: Collection[ChannelId], period: Period | None
) -> list[RegisterRow]:
    keys: list[tuple[int, int]]
    if period is None:
        keys = [(meter.endpoint_id, meter.newest_us) for meter in meters if meter.newest_us is not None]
    else:
        keys = _newest_instants(connection, [meter.endpoint_id for meter in meters], period, channels)
    if not keys:
        return []
    instants = [key[1] for key in keys]
    rows = fetch(connection, schema.register_read, ("endpoint_id", "instant_us"), keys, ("instant_us", min(instants), max(instants)))
    rows.sort()
    return [RegisterRow._make(row[:7]) for row in rows if row[2] in channels]


def _newest_instants(
    connection: Connection, endpoint_ids: Sequence[EndpointId], period: Period, channels: Collection[ChannelId]
) -> list[tuple[int, int]]:
    keys, parameters = _endpoint_keys(connection, endpoint_ids)
    statement = (
        f"SELECT r.endpoint_id, max(r.instant_us) FROM {keys} CROSS JOIN register_read AS r WHERE r.endpoint_id = k.endpoint_id"  # noqa: S608
        f" AND r.instant_us BETWEEN ? AND ? AND r.channel_id IN ({', '.join(str(int(one)) for one in sorted(channels))})"
        " GROUP BY r.endpoint_id"
    )
    rows = rows_of(connection, statement, (*parameters, to_us(period.start), to_us(period.end)))
    return [(row[0], row[1]) for row in rows]


def _blocks(
    connection: Connection, endpoint_ids: Sequence[EndpointId], first_day: int, last_day: int, wanted: Quantities
) -> list[IntervalBlock]:
    return _sorted(_unpacked(connection, endpoint_ids, first_day, last_day, wanted.intervals, wanted.interval_seconds))


def _newest_blocks(
    connection: Connection, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities
) -> list[IntervalBlock]:
    """Blocks of the newest days that have any, in windows that widen: most meters sent something yesterday or today."""
    first_day, last_day = _days(period)
    found: list[IntervalBlock] = []
    missing, window = list(endpoint_ids), 3
    while missing and last_day >= first_day:
        low = max(first_day, last_day - window + 1)
        newest = _newest_days(_blocks(connection, missing, low, last_day, wanted))
        found += newest
        having = {block.endpoint_id for block in newest}
        missing = [one for one in missing if one not in having]
        last_day, window = low - 1, window * 4
    return found


def _newest_days(blocks: Iterable[IntervalBlock]) -> list[IntervalBlock]:
    """Of each endpoint and channel the block of its newest day with a value."""
    newest: dict[tuple[EndpointId, ChannelId, int], IntervalBlock] = {}
    for block in blocks:
        if any(value is not None for value in block.values):
            newest[block.endpoint_id, block.channel_id, block.interval_seconds] = block
    return list(newest.values())


def _days(period: Period) -> tuple[int, int]:
    """First and last UTC day with intervals whose end is in the period."""
    return to_us(period.start) // DAY_US, (to_us(period.end) - 1) // DAY_US


def _endpoint_keys(connection: Connection, endpoint_ids: Sequence[EndpointId]) -> tuple[str, tuple[str, ...]]:
    return key_source(connection, [_E.endpoint_id], [(one,) for one in endpoint_ids])


def _day_rows(
    connection: Connection, endpoint_ids: Sequence[EndpointId], first_day: int, last_day: int
) -> list[tuple[EndpointId, int, bytes]]:
    if last_day < first_day or not endpoint_ids:
        return []
    keys, parameters = _endpoint_keys(connection, endpoint_ids)
    if connection.dialect.name == "sqlite":
        # SQLite keeps these rows by day: one look-up for each endpoint and day of the period.
        statement = (
            f"WITH RECURSIVE days(d) AS (SELECT ? UNION ALL SELECT d + 1 FROM days WHERE d < ?)"  # noqa: S608
            f" SELECT i.endpoint_id, i.day, i.packed FROM days CROSS JOIN {keys} CROSS JOIN interval_day AS i"
            " WHERE i.day = d AND i.endpoint_id = k.endpoint_id"
        )
        rows = rows_of(connection, statement, (first_day, last_day, *parameters))
    else:
        statement = (
            f"SELECT i.endpoint_id, i.day, i.packed FROM {keys} CROSS JOIN interval_day AS i"  # noqa: S608
            " WHERE i.endpoint_id = k.endpoint_id AND i.day BETWEEN ? AND ?"
        )
        rows = rows_of(connection, statement, (*parameters, first_day, last_day))
    return [(EndpointId(row[0]), row[1], row[2]) for row in rows]


def _unpacked(
    connection: Connection,
    endpoint_ids: Sequence[EndpointId],
    first_day: int,
    last_day: int,
    channels: Collection[ChannelId] | None,
    interval_seconds: int | None = None,
) -> list[IntervalBlock]:
    """Blocks of `channels` and of one interval length, or of all where they are None."""
    rows: dict[EndpointId, list[tuple[int, bytes]]] = {}
    # What is known of a day may stand with the day before.
    for endpoint_id, day, packed in _day_rows(connection, endpoint_ids, first_day - 1, last_day):
        rows.setdefault(endpoint_id, []).append((day, packed))
    return [
        IntervalBlock(endpoint_id, ChannelId(channel), from_day(day), seconds, exponent, values, flags)
        for endpoint_id, own in rows.items()
        for day, blocks in unpack_days(own, channels).items()
        if first_day <= day <= last_day
        for (channel, seconds), (values, flags, exponent) in blocks.items()
        if interval_seconds in {None, seconds}
    ]


def _sorted(blocks: list[IntervalBlock]) -> list[IntervalBlock]:
    blocks.sort(key=lambda block: (block.endpoint_id, block.channel_id, block.day, block.interval_seconds))
    return blocks
