"""Gas days: takes, adjustments of closed ones, and the changes of data that may lead to some."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Connection, select
from twisted.internet.defer import Deferred

from adapters.store import plan_tables, schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.change_packing import unpack_changes
from adapters.store.database import Database
from adapters.store.instants import from_day, from_us, to_day, to_us
from adapters.store.recording import lock_states
from headend.gas_day import GasAdjustment, GasDayState, GasTake, GasVolume, taken
from headend.gas_days import GasChange, GasMark
from headend.model.channels import ChannelId
from headend.model.endpoint import CONFIGURATIONS, Commodity, EndpointId

_GAS = tuple(name for name, configuration in CONFIGURATIONS.items() if configuration.commodity is Commodity.GAS)
_T, _A, _E = plan_tables.gas_day.c, plan_tables.gas_day_adjustment.c, schema.endpoint.c
_C = schema.endpoint_change.c


def mark(connection: Connection) -> tuple[GasMark | None, int]:
    """How far gas days have been seen to, and the present change of data."""
    present = connection.execute(select(schema.tally.c.change_seq)).scalar_one()
    row = connection.execute(select(plan_tables.gas_day_mark)).first()
    return None if row is None else GasMark(from_day(row.taken_day), from_day(row.closed_day), row.change_seq), present


def keep_mark(connection: Connection, reached: GasMark) -> None:
    """So far they have been seen to."""
    put(connection, plan_tables.gas_day_mark, [(1, to_day(reached.taken), to_day(reached.closed), reached.change_seq)], OnConflict.REPLACE)


def endpoints(connection: Connection, after: int, limit: int) -> list[EndpointId]:
    """Active gas endpoints."""
    wanted = select(_E.endpoint_id).where(_E.active == 1, _E.configuration.in_(_GAS), _E.endpoint_id > after)
    return [EndpointId(one) for one in connection.execute(wanted.order_by(_E.endpoint_id).limit(limit)).scalars()]


def changes(connection: Connection, after_seq: int, until_seq: int) -> list[GasChange]:
    """What changed of gas endpoints."""
    gas = frozenset(connection.execute(select(_E.endpoint_id).where(_E.configuration.in_(_GAS))).scalars())
    spans: dict[int, tuple[int, int]] = {}
    changed = select(_C.packed).where(_C.change_seq > after_seq, _C.change_seq <= until_seq)
    for octets in connection.execute(changed).scalars():
        for endpoint_id, (first, last) in unpack_changes(octets).items():
            if endpoint_id in gas:
                before = spans.get(endpoint_id, (first, last))
                spans[endpoint_id] = (min(before[0], first), max(before[1], last))
    return [GasChange(EndpointId(one), from_day(first), from_day(last)) for one, (first, last) in sorted(spans.items())]


def take(connection: Connection, day: date, volumes: Sequence[GasVolume], now: datetime, *, closing: bool) -> int:
    """Keep volumes, under the locks of their endpoints' states: two processes that look follow one another."""
    known = lock_states(connection, sorted(one.endpoint_id for one in volumes))
    number = to_day(day)
    rows = fetch(connection, plan_tables.gas_day, ("day", "endpoint_id"), [(number, one.endpoint_id) for one in volumes])
    before = {row[1]: _take(row) for row in rows}
    takes, adjustments = [], []
    for volume in volumes:
        if volume.endpoint_id not in known:
            continue
        kept = before.get(volume.endpoint_id)
        after, adjustment = taken(kept, day, volume, now, closing=closing)
        if after != kept:
            takes.append(_row(after))
        if adjustment is not None:
            adjustments.append(_adjustment_row(adjustment))
    put(connection, plan_tables.gas_day, takes, OnConflict.REPLACE)
    put(connection, plan_tables.gas_day_adjustment, adjustments, OnConflict.REPLACE)
    return len(adjustments)


def takes(connection: Connection, day: date, after: int, limit: int) -> list[tuple[str, GasTake]]:
    """A day's takes."""
    wanted = select(_E.meter_no, plan_tables.gas_day).join(schema.endpoint, _E.endpoint_id == _T.endpoint_id)
    wanted = wanted.where(_T.day == to_day(day), _T.endpoint_id > after).order_by(_T.endpoint_id).limit(limit)
    return [(row[0], _take(tuple(row)[1:])) for row in connection.execute(wanted)]


def adjustments(connection: Connection, day: date) -> list[tuple[str, GasAdjustment]]:
    """A day's adjustments."""
    wanted = select(_E.meter_no, plan_tables.gas_day_adjustment).join(schema.endpoint, _E.endpoint_id == _A.endpoint_id)
    found = []
    for row in connection.execute(wanted.where(_A.day == to_day(day)).order_by(_A.at_us, _A.endpoint_id)):
        channel, one = None if row.channel_id is None else ChannelId(row.channel_id), EndpointId(row.endpoint_id)
        before = GasVolume(one, channel, row.volume_before, row.exponent_before, row.present_before, row.expected_before)
        after = GasVolume(one, channel, row.volume, row.exponent, row.present, row.expected)
        found.append((row.meter_no, GasAdjustment(from_day(row.day), from_us(row.at_us), before, after)))
    return found


def _take(row: Sequence[int]) -> GasTake:
    day, endpoint_id, state, channel, volume, exponent, present, expected, register_us, value, register_exponent, taken_us = row
    register = None if register_us is None else (register_us, value, register_exponent)
    channel_id = None if channel is None else ChannelId(channel)
    gas = GasVolume(EndpointId(endpoint_id), channel_id, volume, exponent, present, expected, register)
    return GasTake(from_day(day), GasDayState(state), gas, from_us(taken_us))


def _row(one: GasTake) -> tuple[int | None, ...]:
    gas = one.volume
    register = gas.register or (None, None, None)
    counted = (gas.volume, gas.exponent, gas.present, gas.expected)
    return (to_day(one.day), gas.endpoint_id, one.state.value, gas.channel_id, *counted, *register, to_us(one.taken))


def _adjustment_row(one: GasAdjustment) -> tuple[int | None, ...]:
    sides = [number for gas in (one.before, one.after) for number in (gas.volume, gas.exponent, gas.present, gas.expected)]
    return (to_day(one.day), one.after.endpoint_id, to_us(one.at), one.after.channel_id or one.before.channel_id, *sides)


class GasDayPart:
    """GasDays of a store, beside its readings."""

    _database: Database

    def gas_mark(self) -> Deferred[tuple[GasMark | None, int]]:
        return self._database.read(mark)

    def keep_gas_mark(self, mark: GasMark) -> Deferred[None]:
        return self._database.run(lambda c: keep_mark(c, mark))

    def gas_endpoints(self, after: EndpointId, limit: int) -> Deferred[Sequence[EndpointId]]:
        return self._database.read(lambda c: endpoints(c, after, limit))

    def gas_changes(self, after_seq: int, until_seq: int) -> Deferred[Sequence[GasChange]]:
        return self._database.read(lambda c: changes(c, after_seq, until_seq))

    def take_gas(self, day: date, volumes: Sequence[GasVolume], now: datetime, *, closing: bool) -> Deferred[int]:
        return self._database.run(lambda c: take(c, day, volumes, now, closing=closing))

    def gas_takes(self, day: date, after: EndpointId, limit: int) -> Deferred[Sequence[tuple[str, GasTake]]]:
        return self._database.read(lambda c: takes(c, day, after, limit))

    def gas_adjustments(self, day: date) -> Deferred[Sequence[tuple[str, GasAdjustment]]]:
        return self._database.read(lambda c: adjustments(c, day))
