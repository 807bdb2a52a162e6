"""Collection plans, and the endpoints whose turn it is by them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, text, update
from twisted.internet.defer import Deferred

from adapters.store import group_store, plan_tables, schema
from adapters.store.bulk import OnConflict, put
from adapters.store.database import Database
from adapters.store.endpoint_state import Outcome
from adapters.store.instants import from_us, to_us
from adapters.store.limits import KEYS_PER_QUERY_MAX
from adapters.store.master_lock import lock_master_data
from headend.collection_plan import PLACE_STEP, PLACES, CollectionPlan, GroupPlan, PlanKind
from headend.collection_plans import FollowedPlan, UnknownPlanError
from headend.errors import RequestError, UnknownMeterError
from headend.limits import PLANS_MAX
from headend.meter_groups import GroupKey, GroupKind, UnknownGroupError
from headend.model.endpoint import EndpointId

_P = plan_tables.collection_plan.c
_PLACE = {
    "sqlite": f"e.endpoint_id * {PLACE_STEP} % {PLACES}",
    "postgresql": f"e.endpoint_id::bigint * {PLACE_STEP} % {PLACES}",
}
_COLLECTED = (
    " e.active = 1 AND e.polled = 1 AND (s.host IS NOT NULL OR e.host IS NOT NULL)"
)
_IN_GROUP = (
    " AND EXISTS (SELECT 1 FROM meter_group_member AS m"
    " WHERE m.group_kind = :group_kind AND m.group_id = :group_id AND m.endpoint_id = e.endpoint_id)"
)
# Of several groups with a plan the first counts; of the common plan none may be there at all.
_IN_NO_GROUP_BEFORE = (
    " AND NOT EXISTS (SELECT 1 FROM meter_group_member AS m JOIN collection_plan AS p ON p.group_id = m.group_id"
    " WHERE m.group_kind = :group_kind AND m.endpoint_id = e.endpoint_id AND p.kind = :kind AND p.group_id <> ''{before})"
)
_FOUND = "SELECT s.endpoint_id, s.outcome FROM endpoint AS e JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id WHERE"
_DUE = (
    "UPDATE endpoint_state SET outcome = :outcome, scheduled_us = :due, collect_from_us = :collect_from, attempts = 0,"
    " due_us = CASE WHEN lease_owner IS NOT NULL OR due_us < :due THEN due_us ELSE :due END WHERE endpoint_id IN ({ids})"
)
_COUNTED = "UPDATE tally SET due = due + :due, done = done - :done, failed = failed - :failed"


def plans(connection: Connection) -> list[GroupPlan]:
    """All of them."""
    return [_plan(row) for row in connection.execute(select(plan_tables.collection_plan).order_by(_P.kind, _P.group_id))]


def of_meter(connection: Connection, meter_no: str) -> tuple[int, list[GroupPlan]]:
    """A meter's endpoint, and the plans it follows: of each kind its first group's, else the common one. Raises UnknownMeterError."""
    endpoint = schema.endpoint.c
    endpoint_id = connection.execute(select(endpoint.endpoint_id).where(endpoint.meter_no == meter_no)).scalar()
    if endpoint_id is None:
        raise UnknownMeterError(meter_no)
    member = schema.meter_group_member.c
    inside = select(member.group_id).where(member.group_kind == GroupKind.METERS.value, member.endpoint_id == endpoint_id)
    groups = set(connection.execute(inside).scalars())
    known = plans(connection)
    chosen = [
        next((p for p in known if p.kind is kind and p.group_id in groups), None)
        or next((p for p in known if p.kind is kind and not p.group_id), None)
        for kind in PlanKind
    ]
    return endpoint_id, [plan for plan in chosen if plan is not None]


def keep(connection: Connection, plan: GroupPlan, now: datetime) -> None:
    """Keep a plan in place of its group's present one."""
    lock_master_data(connection)
    if plan.group_id and group_store.group(connection, GroupKey(GroupKind.METERS, plan.group_id)) is None:
        raise UnknownGroupError(GroupKey(GroupKind.METERS, plan.group_id))
    said = {"begins": json.dumps(plan.plan.begins), "window_minutes": plan.plan.window_minutes}
    is_it = (_P.kind == plan.kind.value, _P.group_id == plan.group_id)
    if connection.execute(update(plan_tables.collection_plan).where(*is_it).values(said)).rowcount:
        return
    if connection.execute(select(func.count()).select_from(plan_tables.collection_plan)).scalar_one() >= PLANS_MAX:
        raise RequestError(f"there are {PLANS_MAX} plans, which is the most; drop one first")
    row = (plan.kind.value, plan.group_id, said["begins"], said["window_minutes"], to_us(now))
    put(connection, plan_tables.collection_plan, [row], OnConflict.FAIL)


def drop(connection: Connection, kind: PlanKind, group_id: str) -> None:
    """Forget a plan."""
    if not connection.execute(delete(plan_tables.collection_plan).where(_P.kind == kind.value, _P.group_id == group_id)).rowcount:
        raise UnknownPlanError(kind, group_id)


def followed(connection: Connection) -> list[FollowedPlan]:
    """Plans of interrogations with how far they have been followed."""
    wanted = select(plan_tables.collection_plan).where(_P.kind == PlanKind.INTERROGATIONS.value).order_by(_P.group_id)
    return [FollowedPlan(_plan(row), from_us(row.followed_us)) for row in connection.execute(wanted)]


def follow(connection: Connection, plan: FollowedPlan, places: Sequence[range], until: datetime, collect_from: datetime) -> int:
    """Make the endpoints at some places due, unless another process has done so."""
    kind, group_id = plan.plan.kind.value, plan.plan.group_id
    unseen = (_P.kind == kind, _P.group_id == group_id, _P.followed_us == to_us(plan.followed))
    if not connection.execute(update(plan_tables.collection_plan).where(*unseen).values(followed_us=to_us(until))).rowcount:
        return 0
    place = _PLACE[connection.dialect.name]
    condition = f"{_COLLECTED} AND {place} BETWEEN :first AND :last" + (_IN_GROUP if group_id else "")
    condition += _IN_NO_GROUP_BEFORE.format(before=" AND p.group_id < :group_id" if group_id else "")
    named = {"group_kind": GroupKind.METERS.value, "kind": kind} | ({"group_id": group_id} if group_id else {})
    found: list[tuple[int, int]] = []
    for one in places:
        found += _locked(connection, condition, named | {"first": one.start, "last": one.stop - 1})
    return _make_due(connection, found, until, collect_from)


def collect_new(connection: Connection, due: datetime, collect_from: datetime) -> int:
    """Make endpoints due that never were."""
    found = _locked(connection, f" s.outcome = {Outcome.NONE.value} AND{_COLLECTED}", {})
    return _make_due(connection, found, due, collect_from)


def make_due(connection: Connection, meter_nos: Sequence[str], due: datetime, collect_from: datetime) -> int:
    """Make those of some meters due that are collected; one that is due already keeps its time."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(meter_nos), KEYS_PER_QUERY_MAX):
        chunk = list(meter_nos[start : start + KEYS_PER_QUERY_MAX])
        found += _locked(connection, f"{_COLLECTED} AND e.meter_no IN :meter_nos", {"meter_nos": chunk})
    return _make_due(connection, found, due, collect_from)


def _locked(connection: Connection, condition: str, parameters: dict[str, Any]) -> list[tuple[int, int]]:
    """Endpoints with their outcomes, nobody else's until the transaction ends."""
    last = "" if connection.dialect.name == "sqlite" else " FOR UPDATE OF s"
    statement = text(f"{_FOUND}{condition} ORDER BY s.endpoint_id{last}")
    if "meter_nos" in parameters:
        statement = statement.bindparams(bindparam("meter_nos", expanding=True))
    return [(row[0], row[1]) for row in connection.execute(statement, parameters)]


def _make_due(connection: Connection, found: Sequence[tuple[int, int]], due: datetime, collect_from: datetime) -> int:
    if not found:
        return 0
    is_sqlite = connection.dialect.name == "sqlite"
    statement = text(_DUE.format(ids="SELECT value FROM json_each(:ids)" if is_sqlite else "SELECT unnest(CAST(:ids AS int[]))"))
    times = {"outcome": Outcome.DUE.value, "due": to_us(due), "collect_from": to_us(collect_from)}
    for start in range(0, len(found), KEYS_PER_QUERY_MAX):
        ids = [endpoint_id for endpoint_id, _ in found[start : start + KEYS_PER_QUERY_MAX]]
        connection.execute(statement, times | {"ids": json.dumps(ids) if is_sqlite else ids})
    outcomes = [outcome for _, outcome in found]
    done, failed = outcomes.count(Outcome.DONE), outcomes.count(Outcome.FAILED)
    connection.execute(text(_COUNTED), {"due": len(found) - outcomes.count(Outcome.DUE), "done": done, "failed": failed})
    return len(found)


def _plan(row: Any) -> GroupPlan:
    return GroupPlan(PlanKind(row.kind), row.group_id, CollectionPlan(tuple(json.loads(row.begins)), row.window_minutes))


def wake_up_plans(connection: Connection) -> list[tuple[CollectionPlan, frozenset[EndpointId] | None]]:
    """Plans of wake-ups with their groups' members, the common one last."""
    found = [plan for plan in plans(connection) if plan.kind is PlanKind.WAKE_UPS]
    member = schema.meter_group_member.c
    told: list[tuple[CollectionPlan, frozenset[EndpointId] | None]] = []
    for plan in sorted(found, key=lambda one: (not one.group_id, one.group_id)):
        members = None
        if plan.group_id:
            inside = select(member.endpoint_id).where(member.group_kind == GroupKind.METERS.value, member.group_id == plan.group_id)
            members = frozenset(map(EndpointId, connection.execute(inside).scalars()))
        told.append((plan.plan, members))
    return told


class PlanPart:
    """CollectionPlans and FollowedPlans of a store."""

    _database: Database

    def plans(self) -> Deferred[Sequence[GroupPlan]]:
        return self._database.read(plans)

    def plans_of(self, meter_no: str) -> Deferred[tuple[int, Sequence[GroupPlan]]]:
        return self._database.read(lambda c: of_meter(c, meter_no))

    def wake_up_plans(self) -> Deferred[Sequence[tuple[CollectionPlan, frozenset[EndpointId] | None]]]:
        return self._database.read(wake_up_plans)

    def keep_plan(self, plan: GroupPlan, now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: keep(c, plan, now))

    def drop_plan(self, kind: PlanKind, group_id: str) -> Deferred[None]:
        return self._database.run(lambda c: drop(c, kind, group_id))

    def followed_plans(self) -> Deferred[Sequence[FollowedPlan]]:
        return self._database.read(followed)

    def follow_plan(
        self, plan: FollowedPlan, places: Sequence[range], until: datetime, collect_from: datetime
    ) -> Deferred[int]:
        return self._database.run(lambda c: follow(c, plan, places, until, collect_from))

    def collect_new(self, due: datetime, collect_from: datetime) -> Deferred[int]:
        return self._database.run(lambda c: collect_new(c, due, collect_from))
