"""Reads as clients ask for them: by meter, by date, the latest; each answer from one state of the database."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select

from adapters.store import schema
from adapters.store.bulk import fetch
from adapters.store.day_packing import unpack_day
from adapters.store.directory import ENTRIES, entries_by_id, entry_by_meter, entry_of
from adapters.store.instants import DAY_US, from_day, from_us, to_us
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId, MeterEntry
from headend.model.readings import IntervalBlock, IntervalValue, ReadSource, RegisterRead, day_start
from headend.ports import MeterReadings, Page, PageEnd, ReadingKey

_E, _S = schema.endpoint.c, schema.endpoint_state.c
_R = schema.register_read.c

_READ_KEY = ("endpoint_id", "instant_us")


def meters(connection: Connection, after: str | None, limit: int) -> Page[MeterEntry]:
    """Active endpoints in order of meter number."""
    wanted = and_(_E.active == 1, _E.meter_no > (after or ""))
    rows = connection.execute(ENTRIES.where(wanted).order_by(_E.meter_no).limit(limit)).all()
    if len(rows) < limit or not rows:
        return Page([entry_of(row) for row in rows], 0 if limit else _count(connection, wanted))
    return Page([entry_of(row) for row in rows], _count(connection, and_(_E.active == 1, _E.meter_no > rows[-1].meter_no)))


def latest(connection: Connection, meter_no: str) -> MeterReadings | None:
    """Register reads of a meter's newest instant that has any."""
    entry = entry_by_meter(connection, meter_no)
    if entry is None:
        return None
    endpoint_id = entry.endpoint.endpoint_id
    last_us = connection.execute(select(_S.last_read_us).where(_S.endpoint_id == endpoint_id)).scalar()
    return MeterReadings(entry, [] if last_us is None else _reads(connection, endpoint_id, last_us, last_us, 1_000))


def readings(connection: Connection, meter_no: str, start: datetime, end: datetime, limit: int) -> MeterReadings | None:
    """Register reads and interval values of a meter whose instants lie in [start, end]."""
    entry = entry_by_meter(connection, meter_no)
    if entry is None:
        return None
    endpoint_id = entry.endpoint.endpoint_id
    registers = _reads(connection, endpoint_id, to_us(start), to_us(end), limit)
    blocks = stored_blocks(connection, endpoint_id, start - _MICROSECOND, end)
    return MeterReadings(entry, registers, interval_values(blocks, start, end)[: limit - len(registers)])


def latest_page(connection: Connection, after: str | None, limit: int) -> Page[MeterReadings]:
    """Latest register reads of meters that have any, in order of meter number."""

    def having_reads(above: str) -> Select[Any]:
        joined = schema.endpoint.join(schema.endpoint_state, _S.endpoint_id == _E.endpoint_id)
        columns = select(_E.endpoint_id, _S.last_read_us, _E.meter_no).select_from(joined)
        return columns.where(_S.last_read_us.is_not(None), _E.meter_no > above)

    rows = connection.execute(having_reads(after or "").order_by(_E.meter_no).limit(limit)).all()
    remaining = 0
    if rows and len(rows) == limit:
        remaining = connection.execute(select(func.count()).select_from(having_reads(rows[-1].meter_no).subquery())).scalar_one()
    return Page(_readings_of(connection, [(row[0], row[1]) for row in rows]), remaining)


def readings_page(
    connection: Connection, start: datetime, end: datetime, after: ReadingKey | None, limit: int, *, counted: bool = True
) -> Page[MeterReadings]:
    """Register reads in [start, end] by meter number and instant; not `counted`, `remaining` is 1 where more follow."""
    keys = connection.execute(_ordered_instants(start, end, after).limit(limit + 1)).all()
    remaining = len(keys) - limit
    if counted and remaining > 0:
        remaining = _count_after(connection, start, end, keys[limit - 1])
    return Page(_readings_of(connection, [(row.endpoint_id, row.instant_us) for row in keys[:limit]]), max(0, remaining))


def readings_page_end(connection: Connection, start: datetime, end: datetime, after: ReadingKey | None, limit: int) -> PageEnd:
    """Where the page that `readings_page` would answer ends."""
    keys = connection.execute(_ordered_instants(start, end, after).limit(limit + 1)).all()
    if not keys[:limit]:
        return PageEnd(None, 0, _count_after(connection, start, end, None) if keys else 0)
    last = keys[:limit][-1]
    remaining = _count_after(connection, start, end, last) if len(keys) > limit else 0
    return PageEnd(ReadingKey(last.meter_no, from_us(last.instant_us)), len(keys[:limit]), remaining)


def interval_blocks(
    connection: Connection, meter_no: str, start: datetime, end: datetime, channels: Collection[ChannelId] | None = None
) -> list[IntervalBlock]:
    """Stored blocks of a meter that touch (start, end], of `channels` or of all; [] for an unknown meter."""
    endpoint_id = connection.execute(select(_E.endpoint_id).where(_E.meter_no == meter_no)).scalar()
    return [] if endpoint_id is None else stored_blocks(connection, EndpointId(endpoint_id), start, end, channels)


def stored_blocks(
    connection: Connection, endpoint_id: EndpointId, start: datetime, end: datetime, channels: Collection[ChannelId] | None = None
) -> list[IntervalBlock]:
    """Blocks of an endpoint that touch (start, end], by channel, day and interval length."""
    first_day, last_day = to_us(start) // DAY_US, (to_us(end) - 1) // DAY_US
    if last_day < first_day:
        return []
    blocks = []
    for day, packed in _day_rows(connection, endpoint_id, first_day, last_day):
        for (channel_id, interval_seconds), (values, flags, exponent) in unpack_day(packed, channels).items():
            channel = ChannelId(channel_id)
            blocks.append(IntervalBlock(endpoint_id, channel, from_day(day), interval_seconds, exponent, values, flags))
    blocks.sort(key=lambda block: (block.channel_id, block.day, block.interval_seconds))
    return blocks


def interval_values(blocks: Sequence[IntervalBlock], start: datetime, end: datetime) -> list[IntervalValue]:
    """Values of `blocks` whose ends lie in [start, end], in order of their ends; where nothing is known there is none."""
    found = []
    for block in blocks:
        length = timedelta(seconds=block.interval_seconds)
        instant, exponent = day_start(block.day), block.exponent
        for value, flags in zip(block.values, block.flags, strict=True):
            instant += length
            if start <= instant <= end and (value is not None or flags):
                quantity = None if value is None else Decimal(value).scaleb(exponent)
                found.append(IntervalValue(block.channel_id, instant, block.interval_seconds, quantity, flags))
    found.sort(key=lambda value: value.end)
    return found


_MICROSECOND = timedelta(microseconds=1)


def _count(connection: Connection, wanted: Any) -> int:
    return connection.execute(select(func.count()).select_from(schema.endpoint).where(wanted)).scalar_one()


def _day_rows(connection: Connection, endpoint_id: int, first_day: int, last_day: int) -> list[tuple[int, bytes]]:
    if connection.dialect.name == "sqlite":
        # SQLite keeps these rows by day: one look-up for each day of the period.
        days = "WITH RECURSIVE days(d) AS (SELECT ? UNION ALL SELECT d + 1 FROM days WHERE d < ?)"
        statement = f"{days} SELECT day, packed FROM days CROSS JOIN interval_day WHERE day = d AND endpoint_id = ?"  # noqa: S608
        return [(row[0], row[1]) for row in connection.exec_driver_sql(statement, (first_day, last_day, endpoint_id))]
    statement = "SELECT day, packed FROM interval_day WHERE endpoint_id = %s AND day BETWEEN %s AND %s"
    return [(row[0], row[1]) for row in connection.exec_driver_sql(statement, (endpoint_id, first_day, last_day))]


def _reads(connection: Connection, endpoint_id: int, start_us: int, end_us: int, limit: int) -> list[RegisterRead]:
    statement = (
        select(schema.register_read)
        .where(_R.endpoint_id == endpoint_id, _R.instant_us.between(start_us, end_us))
        .order_by(_R.instant_us, _R.channel_id, _R.source)
        .limit(limit)
    )
    return [_read(tuple(row)) for row in connection.execute(statement)]


def _read(row: tuple[Any, ...]) -> RegisterRead:
    endpoint_id, instant_us, channel_id, source, exponent, flags, value, *_ = row
    return RegisterRead(EndpointId(endpoint_id), ChannelId(channel_id), from_us(instant_us), ReadSource(source), value, exponent, flags)


def _instants(start: datetime, end: datetime, after: ReadingKey | None) -> Select[Any]:
    """Distinct (meter number, endpoint, instant) with reads in [start, end], after `after`."""
    statement = (
        select(_E.meter_no, _R.endpoint_id, _R.instant_us)
        .select_from(schema.endpoint.join(schema.register_read, _R.endpoint_id == _E.endpoint_id))
        .where(_R.instant_us.between(to_us(start), to_us(end)))
        .distinct()
    )
    if after is None:
        return statement
    later = or_(_E.meter_no > after.meter_no, _R.instant_us > to_us(after.instant))
    return statement.where(_E.meter_no >= after.meter_no, later)


def _ordered_instants(start: datetime, end: datetime, after: ReadingKey | None) -> Select[Any]:
    return _instants(start, end, after).order_by(_E.meter_no, _R.instant_us)


def _count_after(connection: Connection, start: datetime, end: datetime, last: Any) -> int:
    after = None if last is None else ReadingKey(last.meter_no, from_us(last.instant_us))
    return connection.execute(select(func.count()).select_from(_instants(start, end, after).subquery())).scalar_one()


def _readings_of(connection: Connection, keys: list[tuple[int, int]]) -> list[MeterReadings]:
    """Reads of (endpoint, instant) pairs in their order, one MeterReadings each."""
    if not keys:
        return []
    instants = [instant for _, instant in keys]
    rows = fetch(connection, schema.register_read, _READ_KEY, keys, ("instant_us", min(instants), max(instants)))
    by_key: dict[tuple[int, int], list[RegisterRead]] = {}
    for row in sorted(rows, key=lambda row: row[:4]):
        by_key.setdefault(row[:2], []).append(_read(row))
    entries = entries_by_id(connection, (endpoint_id for endpoint_id, _ in keys))
    return [MeterReadings(entries[endpoint_id], by_key[endpoint_id, instant]) for endpoint_id, instant in keys]
