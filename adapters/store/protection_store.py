"""The protected list in the database: imported, changed, asked about endpoints."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, or_, select, update
from twisted.internet.defer import Deferred

from adapters.store import command_tables, schema
from adapters.store.bulk import fetch, rows_of
from adapters.store.database import Database
from adapters.store.instants import from_day, from_us, to_day, to_us
from headend.model.endpoint import EndpointId
from headend.model.protection import ListedProtection, Protection, ProtectionId, ProtectionKind

_P = command_tables.protection.c

_OF_METERS = "SELECT e.endpoint_id, p.* FROM {ids} JOIN endpoint AS e ON e.endpoint_id = k.endpoint_id JOIN protection AS p ON "
_BY_METER = _OF_METERS + "p.meter_no = e.meter_no AND p.meter_no <> '' AND p.removed_us IS NULL"
_BY_ACCOUNT = (
    "SELECT k.endpoint_id, p.* FROM {ids} JOIN installation AS i ON i.endpoint_id = k.endpoint_id AND i.ended_us IS NULL"
    " JOIN service_point AS s ON s.service_point_no = i.service_point_no"
    " JOIN protection AS p ON p.account_no = s.account_no AND p.account_no <> '' AND p.removed_us IS NULL"
)
_OF_ALL = "SELECT 0, p.* FROM protection AS p WHERE p.meter_no = '' AND p.account_no = '' AND p.removed_us IS NULL"
_IDS = {
    "sqlite": "(SELECT value AS endpoint_id FROM json_each(?)) AS k",
    "postgresql": "unnest(?::integer[]) AS k(endpoint_id)",
}


def protections_of(connection: Connection, endpoint_ids: Sequence[int]) -> dict[int, tuple[Protection, ...]]:
    """What protects endpoints: entries about the meter, about the account of where it is installed, about everyone."""
    everyone = tuple(_protection(row[1:]) for row in rows_of(connection, _OF_ALL, ()))
    found: dict[int, tuple[Protection, ...]] = dict.fromkeys(endpoint_ids, everyone) if everyone else {}
    dialect = connection.dialect.name
    listed = ",".join(str(int(one)) for one in endpoint_ids)
    ids = f"[{listed}]" if dialect == "sqlite" else f"{{{listed}}}"
    for statement in (_BY_METER, _BY_ACCOUNT):
        for row in rows_of(connection, statement.format(ids=_IDS[dialect]), (ids,)):
            found[row[0]] = (*found.get(row[0], ()), _protection(row[1:]))
    return found


def keep(connection: Connection, wanted: Sequence[Protection], who: str, now: datetime) -> int:
    """Add entries, or change the last day and note of those that are there (same subject, kind and first day); how many changed."""
    columns = (_P.meter_no, _P.account_no, _P.kind, _P.first_day, _P.protection_id, _P.last_day, _P.note)
    rows = connection.execute(select(*columns).where(_P.removed_us.is_(None)))
    there = {tuple(row[:4]): tuple(row[4:]) for row in rows}
    said = {"entered_us": to_us(now), "entered_by": who}
    new, changed = [], []
    for one in wanted:
        last_day = None if one.last_day is None else to_day(one.last_day)
        subject = (one.meter_no, one.account_no, one.kind.value, to_day(one.first_day))
        before = there.get(subject)
        values = {"last_day": last_day, "note": one.note, **said}
        if before is None:
            named = dict(zip(("meter_no", "account_no", "kind", "first_day"), subject, strict=True))
            new.append({**named, **values, "removed_us": None, "removed_by": ""})
        elif before[1:] != (last_day, one.note):
            changed.append({"of": before[0], **values})
    if new:
        connection.execute(insert(command_tables.protection), new)
    if changed:
        names = ("last_day", "note", *said)
        these = update(command_tables.protection).where(_P.protection_id == bindparam("of"))
        connection.execute(these.values({name: bindparam(name) for name in names}), changed)
    return len(new) + len(changed)


def unknown(connection: Connection, wanted: Sequence[Protection]) -> set[tuple[str, str]]:
    """(meter_no, account_no) of entries whose meter or account is not known."""
    meters = sorted({one.meter_no for one in wanted if one.meter_no})
    accounts = sorted({one.account_no for one in wanted if one.account_no})
    known_meters = {row[1] for row in fetch(connection, schema.endpoint, ("meter_no",), [(one,) for one in meters])}
    known_accounts = {row[0] for row in fetch(connection, schema.account, ("account_no",), [(one,) for one in accounts])}
    return {(one, "") for one in meters if one not in known_meters} | {("", one) for one in accounts if one not in known_accounts}


def listed(
    connection: Connection, day: date | None, meter_no: str | None, account_no: str | None, limit: int, *, removed: bool
) -> list[ListedProtection]:
    """Entries that hold on a day, or all; of one meter (its account's too) or account."""
    conditions: list[ColumnElement[bool]] = [] if removed else [_P.removed_us.is_(None)]
    if day is not None:
        conditions += [_P.first_day <= to_day(day), or_(_P.last_day.is_(None), _P.last_day >= to_day(day))]
    if meter_no is not None:
        i, s, e = schema.installation.c, schema.service_point.c, schema.endpoint.c
        joined = schema.endpoint.join(schema.installation, (i.endpoint_id == e.endpoint_id) & i.ended_us.is_(None))
        accounts = select(s.account_no).select_from(joined.join(schema.service_point, s.service_point_no == i.service_point_no))
        of_account = _P.account_no.in_(accounts.where(e.meter_no == meter_no)) & (_P.account_no != "")
        everyone = (_P.meter_no == "") & (_P.account_no == "")
        conditions.append(or_(_P.meter_no == meter_no, of_account, everyone))
    if account_no is not None:
        conditions.append(_P.account_no == account_no)
    statement = select(command_tables.protection).where(*conditions).order_by(_P.protection_id.desc()).limit(limit)
    return [_listed(tuple(row)) for row in connection.execute(statement)]


def end_on(connection: Connection, protection_id: int, last_day: date | None, who: str, now: datetime) -> bool:
    """Give an entry another last day; whether there is such an entry."""
    values = {"last_day": None if last_day is None else to_day(last_day), "entered_us": to_us(now), "entered_by": who}
    mine = (_P.protection_id == protection_id) & _P.removed_us.is_(None)
    return connection.execute(update(command_tables.protection).where(mine).values(**values)).rowcount > 0


def remove(connection: Connection, protection_id: int, who: str, now: datetime) -> bool:
    """Take an entry out of the list; whether it was in it."""
    mine = (_P.protection_id == protection_id) & _P.removed_us.is_(None)
    return connection.execute(update(command_tables.protection).where(mine).values(removed_us=to_us(now), removed_by=who)).rowcount > 0


def _protection(row: Sequence[Any]) -> Protection:
    _, meter_no, account_no, kind, first_day, last_day, note, *_ = row
    last = None if last_day is None else from_day(last_day)
    return Protection(meter_no, account_no, ProtectionKind(kind), from_day(first_day), last, note)


def _listed(row: Sequence[Any]) -> ListedProtection:
    entered_us, entered_by, removed_us, removed_by = row[7:]
    removed = None if removed_us is None else from_us(removed_us)
    return ListedProtection(ProtectionId(row[0]), _protection(row), from_us(entered_us), entered_by, removed, removed_by)


class ProtectionPart:
    """The protected list of a store."""

    _database: Database

    def keep_protections(self, wanted: Sequence[Protection], who: str, now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: keep(c, list(wanted), who, now))

    def unknown_protected(self, wanted: Sequence[Protection]) -> Deferred[set[tuple[str, str]]]:
        return self._database.read(lambda c: unknown(c, list(wanted)))

    def protections(
        self, limit: int, *, day: date | None = None, meter_no: str | None = None, account_no: str | None = None, removed: bool = False
    ) -> Deferred[list[ListedProtection]]:
        return self._database.read(lambda c: listed(c, day, meter_no, account_no, limit, removed=removed))

    def end_protection(self, protection_id: ProtectionId, last_day: date | None, who: str, now: datetime) -> Deferred[bool]:
        return self._database.run(lambda c: end_on(c, protection_id, last_day, who, now))

    def remove_protection(self, protection_id: ProtectionId, who: str, now: datetime) -> Deferred[bool]:
        return self._database.run(lambda c: remove(c, protection_id, who, now))

    def protections_of(self, endpoint_ids: Sequence[EndpointId]) -> Deferred[dict[int, tuple[Protection, ...]]]:
        return self._database.read(lambda c: protections_of(c, list(endpoint_ids)))
