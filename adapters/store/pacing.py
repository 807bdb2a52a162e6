"""The pace of batches in the database: what is planned by minute and router, who may begin now, and new turns for what is late."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from adapters.store import command_tables, partner_tables
from adapters.store.bulk import OnConflict, key_source, put
from adapters.store.instants import from_us, to_us
from headend.commands.arranging import is_held_back
from headend.commands.staggering import (
    CATCH_UP_SECONDS,
    MINUTE_SECONDS,
    NO_ROUTER,
    Booked,
    Waiting,
    admitted,
    latest_turn,
    minute_of,
    stagger,
    start_of,
)
from headend.model.command import OVERRIDE
from headend.model.command_rules import CommandRules
from headend.model.deferred import UNSPOKEN, SwitchAction
from headend.model.endpoint import CONFIGURATIONS

Key = tuple[int, int]
"""Request and endpoint."""

_T = partner_tables.deferred_target.c
_MINUTE_US = MINUTE_SECONDS * 1_000_000

_UNPACED_KINDS = ", ".join(f"'{kind.value}'" for kind in sorted(UNSPOKEN))
_ASLEEP = ", ".join(f"'{name}'" for name, configuration in CONFIGURATIONS.items() if configuration.battery) or "''"
_BATCHED = (
    " FROM deferred_target AS t JOIN deferred_request AS q ON q.request_id = t.request_id"
    " JOIN endpoint AS e ON e.endpoint_id = t.endpoint_id"
    f" WHERE t.priority = 1 AND t.lease_owner IS NULL AND t.told IS NULL AND q.kind NOT IN ({_UNPACED_KINDS})"
    f" AND e.configuration NOT IN ({_ASLEEP})"
)
_BOOKED = (
    f"SELECT t.due_us / {_MINUTE_US}, COALESCE(e.router_id, {NO_ROUTER}), count(*){_BATCHED} AND t.due_us >= :first GROUP BY 1, 2"
)
_LATE = (
    f"SELECT t.request_id, t.endpoint_id, COALESCE(e.router_id, {NO_ROUTER}), t.action, q.expires_us, q.parameters{_BATCHED}"
    " AND t.due_us <= :now AND q.cancelled = '' AND q.expires_us > :now ORDER BY t.due_us, t.request_id, t.position"
)
_PUT_OFF = (
    "UPDATE deferred_target SET due_us = k.due_us FROM {keys}"
    " WHERE deferred_target.request_id = k.request_id AND deferred_target.endpoint_id = k.endpoint_id"
)


def booked(connection: Connection, begins: datetime) -> Booked:
    """How many commands of batches are planned from the minute of `begins` on."""
    first_us = to_us(start_of(minute_of(begins)))
    rows = connection.execute(text(_BOOKED), {"first": first_us})
    return {(row[0], row[1]): row[2] for row in rows}


def admit(connection: Connection, routers: Mapping[Key, int], now: datetime, rules: CommandRules) -> set[Key]:
    """Which commands, each with its router, may be begun now; they are counted as begun."""
    if not routers:
        return set()
    wanted = sorted({NO_ROUTER, *routers.values()})
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    ids = ", ".join(str(int(one)) for one in wanted)
    rows = connection.execute(text(f"SELECT router_id, free_us FROM command_pace WHERE router_id IN ({ids}) ORDER BY router_id{lock}"))  # noqa: S608
    free = {row[0]: from_us(row[1]) for row in rows}
    found = admitted(routers.values(), free, now, rules)
    put(connection, command_tables.command_pace, [(router, to_us(at)) for router, at in free.items()], OnConflict.REPLACE)
    return {key for key, may in zip(routers, found, strict=True) if may}


def put_off(connection: Connection, now: datetime, rules: CommandRules) -> None:
    """New turns for all commands of batches that are due and not under way: there are more than may be begun now."""
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE OF t SKIP LOCKED"
    late = [tuple(row) for row in connection.execute(text(_LATE + lock), {"now": to_us(now)})]
    waiting = _waiting(late, now)
    # Whoever has just caught up is ahead of the pace by that much; from then on turns and pace agree.
    begins = now + timedelta(seconds=CATCH_UP_SECONDS)
    turns = stagger(waiting, booked(connection, begins), begins, rules)
    # One that has no turn any more expires when it does.
    keys = [(row[0], row[1], row[4] if due is None else to_us(due)) for row, due in zip(late, turns, strict=True)]
    if keys:
        source, parameters = key_source(connection, (_T.request_id, _T.endpoint_id, _T.due_us), keys)
        connection.exec_driver_sql(_PUT_OFF.format(keys=source), parameters)


def _waiting(rows: Sequence[tuple[Any, ...]], now: datetime) -> list[Waiting]:
    overrides: dict[int, bool] = {}
    found = []
    for request_id, _, router, action, expires_us, parameters in rows:
        if request_id not in overrides:
            overrides[request_id] = bool(json.loads(parameters).get(OVERRIDE))
        told = None if action is None else SwitchAction(action)
        until = latest_turn(now, from_us(expires_us))
        found.append(Waiting(router, until, is_held_back(told, override=overrides[request_id])))
    return found
