"""BillingStore of a store: requests are received item by item, answered batch by batch, told response by response."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.billing_packing import pack_defaults, pack_item, unpack_defaults, unpack_item
from adapters.store.billing_places import places
from adapters.store.billing_tables import (
    billing_answer,
    billing_item,
    billing_item_meter,
    billing_mark,
    billing_request,
    billing_response,
)
from adapters.store.bulk import OnConflict, key_source, put, rows_of
from adapters.store.change_packing import unpack_changes
from adapters.store.database import Database
from adapters.store.instants import DAY_US, from_us, to_us
from adapters.store.work_item_store import change_work_items, open_subjects
from headend.billing_requests import RequestReusedError, response_parts
from headend.model.billing_export import (
    BillingItem,
    BillingRequest,
    Confirmed,
    ItemStatus,
    KeptAnswer,
    OpenRequest,
    Place,
    Recorded,
    RequestNo,
    ResponseHead,
)
from headend.model.partner import MeterScope
from headend.model.work_item import HEAD_END, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState

_Q, _I, _A, _R, _M = billing_request.c, billing_item.c, billing_answer.c, billing_response.c, billing_item_meter.c
_RECEIVING, _RECEIVED = "receiving", "received"


def begin(connection: Connection, request: BillingRequest) -> tuple[OpenRequest, bool]:
    """Keep a request, and whether it is new."""
    row = connection.execute(
        select(billing_request).where(_Q.partner == request.partner, _Q.request_id == request.request_id)
    ).first()
    if row is not None and row.state == _RECEIVED:
        if bytes(row.digest) != request.digest:
            raise RequestReusedError(request.request_id)
        return _open(row), False
    if row is not None:
        # Whoever sent it broke off, or this process was killed.
        connection.execute(delete(billing_item).where(_I.request_no == row.request_no))
        connection.execute(delete(billing_request).where(_Q.request_no == row.request_no))
    values: dict[str, Any] = {
        name: getattr(request, name)
        for name in ("request_id", "correlation_id", "source", "partner", "origin", "digest", "cycle", "bill_date")
    }
    values |= {"received_us": to_us(request.received), "deadline_us": to_us(request.deadline), "state": _RECEIVING}
    values |= {"defaults": pack_defaults(request.defaults), "items": 0, "open_items": 0}
    return _open(connection.execute(billing_request.insert().values(values).returning(*billing_request.columns)).one()), True


def add(connection: Connection, request_no: RequestNo, items: Sequence[BillingItem]) -> None:
    """Items of a request."""
    rows = [(request_no, one.position, one.item_id, pack_item(one), 1, None) for one in items]
    put(connection, billing_item, rows, OnConflict.FAIL)


def received(connection: Connection, request_no: RequestNo) -> OpenRequest:
    """The request is whole."""
    count = connection.execute(select(func.count()).select_from(billing_item).where(_I.request_no == request_no)).scalar_one()
    whole = update(billing_request).where(_Q.request_no == request_no).values(state=_RECEIVED, items=count, open_items=count)
    return _open(connection.execute(whole.returning(*billing_request.columns)).one())


def numbered(connection: Connection, request_no: RequestNo) -> OpenRequest | None:
    """One that was received."""
    row = connection.execute(select(billing_request).where(_Q.request_no == request_no, _Q.state == _RECEIVED)).first()
    return None if row is None else _open(row)


def open_requests(connection: Connection) -> list[OpenRequest]:
    """Requests with items that wait."""
    wanted = select(billing_request).where(_Q.state == _RECEIVED, _Q.open_items > 0).order_by(_Q.request_no)
    return [_open(row) for row in connection.execute(wanted)]


def open_items(connection: Connection, request_no: RequestNo, after: int, limit: int) -> list[BillingItem]:
    """Items that wait."""
    wanted = select(_I.position, _I.item_id, _I.payload).where(_I.request_no == request_no, _I.is_open == 1, _I.position > after)
    return [unpack_item(*row) for row in connection.execute(wanted.order_by(_I.position).limit(limit))]


def items_at(connection: Connection, request_no: RequestNo, positions: Sequence[int]) -> list[BillingItem]:
    """Items by position."""
    wanted = select(_I.position, _I.item_id, _I.payload).where(_I.request_no == request_no, _I.position.in_(positions))
    return [unpack_item(*row) for row in connection.execute(wanted.order_by(_I.position))]


def cycle_points(connection: Connection, cycle: str, after: str, limit: int) -> list[tuple[str, str]]:
    """Service points of a bill cycle with their accounts."""
    p = schema.service_point.c
    wanted = select(p.service_point_no, func.coalesce(p.account_no, "")).where(p.bill_cycle == cycle, p.service_point_no > after)
    return [(row[0], row[1]) for row in connection.execute(wanted.order_by(p.service_point_no).limit(limit))]


def record(
    connection: Connection, request_no: RequestNo, number: int, recorded: Recorded, now: datetime, *, unsolicited: bool
) -> None:
    """Answers, which meters they are about, and work items."""
    answers = recorded.answers if unsolicited else _closed(connection, request_no, recorded.answers)
    rows = [(request_no, number, one.position, one.status.value, one.text) for one in answers]
    put(connection, billing_answer, rows, OnConflict.REPLACE)
    meters = [(endpoint_id, request_no, one.position) for one in answers for endpoint_id in one.endpoint_ids]
    put(connection, billing_item_meter, meters, OnConflict.IGNORE)
    changes = [_exception(one.meter_no, one.reason, one.since) for one in recorded.wanting]
    open_ones = {subject for _, subject in open_subjects(connection, {WorkItemKind.BILLING_EXCEPTION})} if recorded.settled else set()
    change_work_items(connection, changes + [_over(one, now) for one in recorded.settled if one in open_ones])


def finish(connection: Connection, request_no: RequestNo, number: int, now: datetime, *, unsolicited: bool) -> ResponseHead | None:
    """The response is whole; the first is one whatever is in it."""
    told = connection.execute(
        select(_A.status, func.count()).where(_A.request_no == request_no, _A.number == number).group_by(_A.status)
    ).all()
    if not told and number > 1:
        return None
    seq = connection.execute(select(schema.tally.c.change_seq)).scalar_one()
    row = (request_no, number, int(unsolicited), to_us(now), seq, json.dumps({one[0]: one[1] for one in told}, sort_keys=True))
    put(connection, billing_response, [row], OnConflict.IGNORE)
    return response(connection, request_no, number)


def response(connection: Connection, request_no: RequestNo, number: int) -> ResponseHead | None:
    """A response that is whole."""
    found = [one for one in responses(connection, request_no) if one.number == number]
    return found[0] if found else None


def responses(connection: Connection, request_no: RequestNo) -> list[ResponseHead]:
    """All of a request."""
    request = numbered(connection, request_no)
    if request is None:
        return []
    rows = connection.execute(select(billing_response).where(_R.request_no == request_no).order_by(_R.number)).all()
    return [_response(request, row) for row in rows]


def texts(connection: Connection, request_no: RequestNo, number: int, after: int, limit: int) -> list[tuple[int, str]]:
    """Answers by position."""
    statement = "SELECT position, answer FROM billing_answer WHERE request_no = ? AND number = ? AND position > ? ORDER BY position LIMIT ?"
    return [(row[0], row[1]) for row in rows_of(connection, statement, (request_no, number, after, limit))]


def confirm(connection: Connection, partner: str, confirmed: Sequence[Confirmed]) -> list[str]:
    """Keep what was billed; what of it is about no answer of ours."""
    strange = []
    for one in confirmed:
        parts = response_parts(one.response_id)
        mine = select(_Q.request_no).where(_Q.request_no == (parts[0] if parts else 0), _Q.partner == partner)
        billed = update(billing_item).where(_I.request_no == mine.scalar_subquery(), _I.item_id == one.item_id)
        if not parts or connection.execute(billed.values(billed_us=to_us(one.billed))).rowcount == 0:
            strange.append(f"{one.response_id} {one.item_id}")
    return strange


def stale(connection: Connection, after_seq: int, until_seq: int, since: datetime) -> list[tuple[RequestNo, int, str]]:
    """Answers whose meters' data changed, with what was told last."""
    changes = schema.endpoint_change.c
    changed: dict[int, tuple[int, int]] = {}
    for octets in connection.execute(
        select(changes.packed).where(changes.change_seq > after_seq, changes.change_seq <= until_seq)
    ).scalars():
        for endpoint_id, (first, last) in unpack_changes(octets).items():
            before = changed.get(endpoint_id, (first, last))
            changed[endpoint_id] = (min(before[0], first), max(before[1], last))
    if not changed:
        return []
    source, parameters = key_source(connection, [_M.endpoint_id], [(one,) for one in sorted(changed)])
    statement = (
        f"SELECT m.request_no, m.position, i.item_id, i.payload, m.endpoint_id FROM {source}"  # noqa: S608
        " JOIN billing_item_meter AS m ON m.endpoint_id = k.endpoint_id"
        " JOIN billing_request AS q ON q.request_no = m.request_no JOIN billing_item AS i ON i.request_no = m.request_no"
        " AND i.position = m.position WHERE q.received_us >= ? AND i.is_open = 0 ORDER BY m.request_no, m.position"
    )
    last_said = "SELECT answer FROM billing_answer WHERE request_no = ? AND position = ? ORDER BY number DESC LIMIT 1"
    found = rows_of(connection, statement, (*parameters, to_us(since)))
    touched = dict.fromkeys(
        (row[0], row[1]) for row in found if _is_about(unpack_item(*row[1:4]), *changed[row[4]])
    )
    return [(RequestNo(key[0]), key[1], rows_of(connection, last_said, key)[0][0]) for key in touched]


def _is_about(item: BillingItem, first_day: int, last_day: int) -> bool:
    """Whether data of these UTC days can make a part of an item's answer."""
    begin, end = to_us(item.start - item.lag) // DAY_US, to_us(item.stop + item.lead) // DAY_US
    return first_day <= end + 1 and last_day >= begin - 1


def mark(connection: Connection) -> tuple[int, int]:
    """(how far, the present change)."""
    present = connection.execute(select(schema.tally.c.change_seq)).scalar_one()
    kept = connection.execute(select(billing_mark.c.change_seq)).scalar()
    return (present if kept is None else kept), present


def _exception(meter_no: str, reason: str, since: datetime) -> WorkItemChange:
    # The instant is that of the request, so that it is told once however often it is looked.
    entry = WorkItemEntry(since, HEAD_END, f"no complete billing read: {reason}")
    return WorkItemChange(WorkItemKind.BILLING_EXCEPTION, meter_no, since, WorkItemState.OPEN, (entry,), reason)


def _over(meter_no: str, now: datetime) -> WorkItemChange:
    entry = WorkItemEntry(now, HEAD_END, "the billing read is complete")
    return WorkItemChange(WorkItemKind.BILLING_EXCEPTION, meter_no, now, WorkItemState.CLOSED, (entry,))


def _closed(connection: Connection, request_no: RequestNo, answers: Sequence[KeptAnswer]) -> list[KeptAnswer]:
    """Those answers whose items were open until now: an item is answered once, whoever else is about it."""
    if not answers:
        return []
    source, parameters = key_source(connection, [_I.position], [(one.position,) for one in answers])
    statement = (
        "UPDATE billing_item SET is_open = 0 WHERE request_no = ? AND is_open = 1"  # noqa: S608
        f" AND position IN (SELECT position FROM {source}) RETURNING position"
    )
    closed = {row[0] for row in rows_of(connection, statement, (request_no, *parameters))}
    left = update(billing_request).where(_Q.request_no == request_no).values(open_items=_Q.open_items - len(closed))
    connection.execute(left)
    return [one for one in answers if one.position in closed]


def _open(row: Any) -> OpenRequest:
    request = BillingRequest(
        request_id=row.request_id,
        correlation_id=row.correlation_id,
        source=row.source,
        partner=row.partner,
        origin=row.origin,
        digest=bytes(row.digest),
        cycle=row.cycle,
        bill_date=row.bill_date,
        received=from_us(row.received_us),
        deadline=from_us(row.deadline_us),
        defaults=unpack_defaults(row.defaults),
    )
    return OpenRequest(RequestNo(row.request_no), request, row.items, row.open_items)


def _response(request: OpenRequest, row: Any) -> ResponseHead:
    counts = Counter({ItemStatus(status): count for status, count in json.loads(row.counts).items()})
    return ResponseHead(request, row.number, bool(row.unsolicited), from_us(row.created_us), row.data_seq, counts)


class BillingPart:
    """BillingStore of a store."""

    _database: Database

    def begin_request(self, request: BillingRequest) -> Deferred[tuple[OpenRequest, bool]]:
        return self._database.run(lambda c: begin(c, request))

    def add_items(self, request_no: RequestNo, items: Sequence[BillingItem]) -> Deferred[None]:
        return self._database.run(lambda c: add(c, request_no, items))

    def cycle_points(self, cycle: str, after: str, limit: int) -> Deferred[list[tuple[str, str]]]:
        return self._database.read(lambda c: cycle_points(c, cycle, after, limit))

    def received(self, request_no: RequestNo) -> Deferred[OpenRequest]:
        return self._database.run(lambda c: received(c, request_no))

    def request_numbered(self, request_no: RequestNo) -> Deferred[OpenRequest | None]:
        return self._database.read(lambda c: numbered(c, request_no))

    def open_requests(self) -> Deferred[list[OpenRequest]]:
        return self._database.read(open_requests)

    def open_items(self, request_no: RequestNo, after: int, limit: int) -> Deferred[list[BillingItem]]:
        return self._database.read(lambda c: open_items(c, request_no, after, limit))

    def items_at(self, request_no: RequestNo, positions: Sequence[int]) -> Deferred[list[BillingItem]]:
        return self._database.read(lambda c: items_at(c, request_no, positions))

    def places(
        self, service_points: Sequence[str], meters: Sequence[str], accounts: Sequence[str], scope: MeterScope | None
    ) -> Deferred[list[Place]]:
        return self._database.read(lambda c: places(c, service_points, meters, accounts, scope))

    def record_answers(
        self, request_no: RequestNo, number: int, recorded: Recorded, now: datetime, *, unsolicited: bool = False
    ) -> Deferred[None]:
        return self._database.run(lambda c: record(c, request_no, number, recorded, now, unsolicited=unsolicited))

    def finish_response(
        self, request_no: RequestNo, number: int, now: datetime, *, unsolicited: bool = False
    ) -> Deferred[ResponseHead | None]:
        return self._database.run(lambda c: finish(c, request_no, number, now, unsolicited=unsolicited))

    def response(self, request_no: RequestNo, number: int) -> Deferred[ResponseHead | None]:
        return self._database.read(lambda c: response(c, request_no, number))

    def responses(self, request_no: RequestNo) -> Deferred[list[ResponseHead]]:
        return self._database.read(lambda c: responses(c, request_no))

    def answer_texts(self, request_no: RequestNo, number: int, after: int, limit: int) -> Deferred[list[tuple[int, str]]]:
        return self._database.read(lambda c: texts(c, request_no, number, after, limit))

    def confirm_items(self, partner: str, confirmed: Sequence[Confirmed]) -> Deferred[list[str]]:
        return self._database.run(lambda c: confirm(c, partner, confirmed))

    def stale_answers(self, after_seq: int, until_seq: int, since: datetime) -> Deferred[list[tuple[RequestNo, int, str]]]:
        return self._database.read(lambda c: stale(c, after_seq, until_seq, since))

    def billing_mark(self) -> Deferred[tuple[int, int]]:
        return self._database.read(mark)

    def keep_billing_mark(self, change_seq: int) -> Deferred[None]:
        return self._database.run(lambda c: put(c, billing_mark, [(1, change_seq)], OnConflict.REPLACE))


