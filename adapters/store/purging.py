"""Forgets what is past its time, some at a time: whole day partitions on PostgreSQL, ranges of keys elsewhere.

Positions: (stage, endpoint walked to). A stage is a table whose rows have an instant, a day or a change by which they grow old.
"""

from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, func, select, text, true, tuple_

from adapters.store import event_tables, house_tables, partner_tables, plan_tables, schema
from adapters.store.billing_tables import billing_answer, billing_item, billing_item_meter, billing_request, billing_response
from adapters.store.change_sequence import next_change
from adapters.store.delivery_tables import delivery
from adapters.store.export_tables import export_gap, export_run
from adapters.store.instants import DAY_US, to_day
from adapters.store.partitions import partition_days, partition_name
from headend.housekeeping import Position, PurgeStep
from headend.model.channels import CHANNELS
from headend.model.deferred import TargetState
from headend.model.retention import VOLTAGE_CHANNELS, DataClass, Retention

_Q, _T, _W = partner_tables.deferred_request.c, partner_tables.deferred_target.c, schema.work_item.c.work_item_id
_OPEN = [state.value for state in TargetState if not state.terminal]


class Age(Enum):
    """What a table's age column holds."""

    DAY = auto()
    INSTANT = auto()
    CHANGE = auto()
    REQUEST = auto()
    BILLING = auto()


class Stage(NamedTuple):
    """One table of a class. `walked`: SQLite finds old rows by endpoint, as the table is kept by it. Rows go `only` where that holds."""

    table: Table
    column: str
    age: Age
    partitioned: bool = False
    walked: bool = False
    only: ColumnElement[bool] = true()


STAGES: dict[DataClass, tuple[Stage, ...]] = {
    DataClass.REGISTERS: (
        Stage(schema.register_read, "instant_us", Age.INSTANT, partitioned=True, walked=True),
        Stage(schema.register_read_history, "instant_us", Age.INSTANT),
    ),
    DataClass.INTERVALS: (
        Stage(schema.interval_day, "day", Age.DAY, partitioned=True),
        Stage(schema.interval_day_history, "day", Age.DAY),
    ),
    DataClass.EVENTS: (
        Stage(schema.device_event, "occurred_us", Age.INSTANT, partitioned=True, walked=True),
        Stage(event_tables.event_case, "change_seq", Age.CHANGE),
        Stage(event_tables.early_event, "received_us", Age.INSTANT),
    ),
    DataClass.EXCEPTIONS: (Stage(schema.exception_record, "occurred_us", Age.INSTANT),),
    DataClass.NOTIFICATIONS: (Stage(schema.outbox, "change_seq", Age.CHANGE, only=schema.outbox.c.state != "queued"),),
    DataClass.WORK_ITEMS: (Stage(schema.work_item, "closed_us", Age.INSTANT, only=select(func.max(_W)).scalar_subquery() > _W),),
    DataClass.COMMANDS: (
        Stage(partner_tables.deferred_target, "request_id", Age.REQUEST),
        Stage(partner_tables.deferred_request, "request_id", Age.REQUEST),
    ),
    DataClass.GAS_DAYS: (Stage(plan_tables.gas_day_adjustment, "day", Age.DAY), Stage(plan_tables.gas_day, "day", Age.DAY)),
    DataClass.CHANGES: (Stage(schema.endpoint_change, "change_seq", Age.CHANGE),),
    DataClass.DELIVERIES: (
        Stage(delivery, "settled_us", Age.INSTANT),
        Stage(export_run, "ended_us", Age.INSTANT),
        Stage(export_gap, "day", Age.DAY),
        Stage(event_tables.event_file, "made_us", Age.INSTANT, only=event_tables.event_file.c.queued == 1),
    ),
    DataClass.BILLING: tuple(
        Stage(table, "request_no", Age.BILLING)
        for table in (billing_item_meter, billing_answer, billing_response, billing_item, billing_request)
    ),
}
"""By class; voltage shares rows with other intervals and is thinned out (`thinning`)."""


def first_day(retention: Retention, data_class: DataClass, now: datetime) -> int:
    """The first day whose rows are kept of a class; of INTERVALS, the first whose row may hold any interval that is kept."""
    if data_class is DataClass.INTERVALS:
        return min(_first_row(retention, one, now) for one in (DataClass.INTERVALS, DataClass.VOLTAGE))
    return to_day(retention.before(data_class, now).date())


def _first_row(retention: Retention, data_class: DataClass, now: datetime) -> int:
    """The first day whose row of intervals is kept: it may reach into the day after it."""
    return to_day(retention.before(data_class, now).date()) - 1


def thinning(retention: Retention, now: datetime) -> tuple[frozenset[int], int]:
    """Which channels are taken out of days that stay, and the first day whose row keeps them."""
    first = {one: _first_row(retention, one, now) for one in (DataClass.VOLTAGE, DataClass.INTERVALS)}
    if first[DataClass.VOLTAGE] >= first[DataClass.INTERVALS]:
        return frozenset(VOLTAGE_CHANNELS), first[DataClass.VOLTAGE]
    return frozenset(CHANNELS.keys() - VOLTAGE_CHANNELS), first[DataClass.INTERVALS]


def is_dropped(connection: Connection, stage: Stage) -> bool:
    """Whether the stage's old rows go with their partitions."""
    return stage.partitioned and connection.dialect.name == "postgresql"


def purge_some(connection: Connection, data_class: DataClass, before: int, position: Position, work: int) -> PurgeStep:
    """Forget some `work` rows (walked tables: rows of so many endpoints) of days before `before`; partitions are another's."""
    number, endpoint_id = position or (0, 0)
    stages = STAGES[data_class]
    stage = stages[number]
    following = (number + 1, 0) if number + 1 < len(stages) else None
    if is_dropped(connection, stage):
        return PurgeStep(0, following)
    old = _is_old(connection, stage, before)
    if stage.walked:
        step = _walk(connection, stage.table, old, (number, endpoint_id), work, following)
        if step.rows and stage.table is schema.register_read:
            next_change(connection)  # what was counted of lists of reads holds no longer
        return step
    key = tuple_(*stage.table.primary_key)
    some = select(*stage.table.primary_key).where(old).order_by(stage.table.c[stage.column]).limit(work)
    rows = connection.execute(delete(stage.table).where(key.in_(some))).rowcount
    if rows >= work:
        return PurgeStep(rows, (number, 0))
    if stage.table is schema.endpoint_change:
        connection.execute(delete(house_tables.change_day).where(house_tables.change_day.c.day < before))
    return PurgeStep(rows, following)


def note_change(connection: Connection, now: datetime) -> None:
    """Note up to which change today's begin after, once a day."""
    statement = "INSERT INTO change_day (day, change_seq) SELECT :day, change_seq FROM tally WHERE one = 1 ON CONFLICT (day) DO NOTHING"
    connection.execute(text(statement), {"day": to_day(now.date())})


def overdue_rows(connection: Connection, data_class: DataClass, before: int) -> int:
    """How many rows are past their time."""
    return sum(_count(connection, stage, before) for stage in STAGES[data_class])


def _count(connection: Connection, stage: Stage, before: int) -> int:
    if is_dropped(connection, stage):
        names = [partition_name(stage.table.name, day) for day in partition_days(connection, stage.table.name, before)]
        return sum(int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()) for name in names)  # noqa: S608
    return int(connection.execute(select(func.count()).select_from(stage.table).where(_is_old(connection, stage, before))).scalar_one())


def _walk(
    connection: Connection, table: Table, old: ColumnElement[bool], position: tuple[int, int], work: int, following: Position | None
) -> PurgeStep:
    number, endpoint_id = position
    e = schema.endpoint.c.endpoint_id
    walked = list(connection.execute(select(e).where(e > endpoint_id).order_by(e).limit(work)).scalars())
    rows = connection.execute(delete(table).where(table.c.endpoint_id.in_(walked), old)).rowcount if walked else 0
    return PurgeStep(rows, (number, walked[-1]) if len(walked) == work else following)


def _is_old(connection: Connection, stage: Stage, before: int) -> ColumnElement[bool]:
    return and_(_is_past(connection, stage, before), stage.only)


def _is_past(connection: Connection, stage: Stage, before: int) -> ColumnElement[bool]:
    column = stage.table.c[stage.column]
    match stage.age:
        case Age.DAY:
            return column < before
        case Age.REQUEST:
            return column.in_(_settled_requests(before))
        case Age.BILLING:
            return column.in_(_billed(before))
        case Age.INSTANT:
            return column < before * DAY_US
    marks = select(func.max(house_tables.change_day.c.change_seq)).where(house_tables.change_day.c.day <= before)
    return column <= (connection.execute(marks).scalar() or 0)


def _billed(before: int) -> Select[tuple[int]]:
    """Billing requests whose deadline was before a day; never the newest, by which the next is numbered."""
    b = billing_request.c
    newest = select(func.max(b.request_no)).scalar_subquery()
    return select(b.request_no).where(b.deadline_us < before * DAY_US, b.request_no < newest)


def _settled_requests(before: int) -> Select[tuple[int]]:
    """Requests that expired before a day and have no target that is open; never the newest, by which the next is numbered."""
    is_open = select(_T.request_id).where(_T.request_id == _Q.request_id, _T.state.in_(_OPEN)).exists()
    newest = select(func.max(_Q.request_id)).scalar_subquery()
    return select(_Q.request_id).where(_Q.expires_us < before * DAY_US, _Q.request_id < newest, ~is_open)
