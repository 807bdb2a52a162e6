"""Register reads of many meters as one list: ordered by endpoint and instant, cut into pieces that are whole instants.

PostgreSQL joins bounded ranges of endpoint ids, so that no partition is searched beyond them; SQLite goes from endpoint to endpoint, as
its reads are not kept by day.
"""

from collections.abc import Collection

from sqlalchemy import Connection

from adapters.store import schema
from adapters.store.bulk import fetch, rows_of
from adapters.store.counted_lists import CountedLists
from adapters.store.instants import to_us
from adapters.store.limits import ENDPOINTS_PER_SEARCH_MAX
from adapters.store.meter_store import Conditions, also
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.readings import ReadSource
from headend.model.selections import REGISTERS, Period
from headend.reading_queries import ListedRow, Position, RegisterPage

Channels = Collection[ChannelId] | None

ROWS_PER_INSTANT_MAX = len(REGISTERS.registers) * len(ReadSource)
"""Reads that one meter can have at one instant."""

_ROWS = (
    "SELECT endpoint.endpoint_id, instant_us, channel_id, source, exponent, flags, value, meter_no, serial_no, coalesce(ap_title, ''),"
    " configuration FROM endpoint CROSS JOIN register_read AS r WHERE r.endpoint_id = endpoint.endpoint_id"
    " AND endpoint.endpoint_id BETWEEN ? AND ? AND r.endpoint_id BETWEEN ? AND ? AND instant_us BETWEEN ? AND ?"
    " AND (r.endpoint_id > ? OR instant_us > ?) AND (r.endpoint_id < ? OR instant_us <= ?)"
    "{also} ORDER BY endpoint.endpoint_id, instant_us, channel_id, source LIMIT ?"
)
_INSTANTS = (
    "SELECT DISTINCT {id}, instant_us FROM {source} AND instant_us BETWEEN ? AND ? AND (r.endpoint_id > ? OR instant_us > ?){also}"
)
_JOINED = "endpoint CROSS JOIN register_read AS r WHERE r.endpoint_id = endpoint.endpoint_id AND endpoint.endpoint_id >= ?"
_ALONE = "register_read AS r WHERE r.endpoint_id >= ?"
_LATEST = (
    "SELECT endpoint.endpoint_id, last_read_us, meter_no, serial_no, coalesce(ap_title, ''), configuration FROM endpoint"
    " JOIN endpoint_state AS s ON s.endpoint_id = endpoint.endpoint_id WHERE last_read_us IS NOT NULL AND endpoint.endpoint_id > ?{also}"
)


def register_page(
    connection: Connection,
    period: Period,
    channels: Channels,
    after: Position | None,
    limit: int,
    counted: CountedLists,
    only: Conditions = (),
) -> RegisterPage:
    """Where a page of the instants of a period ends, and how many follow it; those that are `counted` are not counted again.

    Conditions may come to mean other meters while no reads are recorded: nothing may be counted under them before.
    """
    begin = after or Position(EndpointId(0), 0)
    joined = bool(only) or connection.dialect.name == "sqlite"
    instants = _INSTANTS.format(
        id="endpoint.endpoint_id" if joined else "r.endpoint_id",
        source=_JOINED if joined else _ALONE,
        also=_channels(channels) + also(connection.dialect, only),
    )
    parameters = _following(begin, period)
    change_seq = _change_seq(connection)
    total = counted.count(change_seq, (instants, parameters))
    if total is None:
        ((total,),) = rows_of(connection, f"SELECT count(*) FROM ({instants}) AS k", parameters)  # noqa: S608
    order = "ORDER BY 1 DESC, 2 DESC LIMIT 1" if total <= limit else f"ORDER BY 1, 2 LIMIT 1 OFFSET {limit - 1}"
    last = [Position(*row) for row in rows_of(connection, f"{instants} {order}", parameters)] if limit else []
    ends = {(instants, _following(one, period)): max(0, total - limit) for one in last}
    counted.keep(change_seq, {(instants, parameters): total} | ends)
    return _page(connection, last[0] if last else None, total - limit)


def register_rows(
    connection: Connection,
    period: Period,
    channels: Channels,
    after: Position | None,
    last: Position,
    limit: int,
    only: Conditions = (),
) -> list[ListedRow]:
    """About `limit` reads after `after`, up to and with `last`; whole instants."""
    assert limit >= ROWS_PER_INSTANT_MAX, "one instant must fit"
    begin = after or Position(EndpointId(0), 0)
    start, end = to_us(period.start), to_us(period.end)
    statement = _ROWS.format(also=_channels(channels) + also(connection.dialect, only))
    # As many endpoints at first as have so many midnights; where there is less, the search widens.
    span = max(1, min(ENDPOINTS_PER_SEARCH_MAX, limit // (int(period.days) + 1)))
    found: list[ListedRow] = []
    first = int(begin.endpoint_id)
    while first <= last.endpoint_id and len(found) < limit:
        until = min(first + span, int(last.endpoint_id))
        bounds = (first, until, first, until, start, end, *begin, *last)
        wanted = limit + 1 - len(found)
        rows: list[ListedRow] = rows_of(connection, statement, (*bounds, wanted))
        if len(rows) == wanted:
            return _whole_instants(found + rows)
        found += rows
        first, span = until + 1, min(span * 4, ENDPOINTS_PER_SEARCH_MAX)
    return found


def latest_page(connection: Connection, after: EndpointId, limit: int, only: Conditions = ()) -> RegisterPage:
    """Where a page of newest instants ends, one a meter, and how many follow it."""
    newest = _LATEST.format(also=also(connection.dialect, only))
    ((total,),) = rows_of(connection, f"SELECT count(*) FROM ({newest}) AS k", (after,))  # noqa: S608
    order = "1 DESC LIMIT 1" if total <= limit else f"1 LIMIT 1 OFFSET {limit - 1}"
    last = rows_of(connection, f"{newest} ORDER BY {order}", (after,)) if limit else []
    return _page(connection, Position(*last[0][:2]) if last else None, total - limit)


def latest_rows(
    connection: Connection, after: EndpointId, last: EndpointId, limit: int, only: Conditions = ()
) -> list[ListedRow]:
    """Reads of the newest instants of up to `limit` meters after an endpoint, up to and with `last`."""
    statement = f"{_LATEST.format(also=also(connection.dialect, only))} AND endpoint.endpoint_id <= ? ORDER BY 1 LIMIT ?"
    newest = rows_of(connection, statement, (after, last, limit))
    if not newest:
        return []
    names = {row[0]: row[2:] for row in newest}
    instants = [row[1] for row in newest]
    within = ("instant_us", min(instants), max(instants))
    reads = fetch(connection, schema.register_read, ("endpoint_id", "instant_us"), [row[:2] for row in newest], within)
    return [(*row[:7], *names[row[0]]) for row in sorted(reads)]


def _following(place: Position, period: Period) -> tuple[int, ...]:
    return (place.endpoint_id, to_us(period.start), to_us(period.end), *place)


def _change_seq(connection: Connection) -> int:
    ((change_seq,),) = rows_of(connection, "SELECT change_seq FROM tally", ())
    return int(change_seq)


def _page(connection: Connection, last: Position | None, remaining: int) -> RegisterPage:
    if last is None:
        return RegisterPage(None, "", max(0, remaining))
    ((meter_no,),) = rows_of(connection, "SELECT meter_no FROM endpoint WHERE endpoint_id = ?", (last.endpoint_id,))
    return RegisterPage(last, meter_no, max(0, remaining))


def _whole_instants(rows: list[ListedRow]) -> list[ListedRow]:
    """Rows without those of the last instant, which may go on behind them."""
    last = rows[-1][:2]
    count = len(rows)
    while rows[count - 1][:2] == last:
        count -= 1
    return rows[:count]


def _channels(channels: Channels) -> str:
    return "" if channels is None else f" AND channel_id IN ({', '.join(str(int(one)) for one in sorted(channels))})"
