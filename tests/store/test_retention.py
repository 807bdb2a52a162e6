"""Retention on both databases: what is past its time goes, nothing else does, and nobody who collects waits for it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from adapters.store import outbox_store
from adapters.store.change_packing import unpack_changes
from headend.housekeeping import PURGE, Housekeeping
from headend.model.channels import ChannelId
from headend.model.collection import Collected, OutgoingMessage
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, ExceptionKind, ExceptionRecord
from headend.model.interval_runs import IntervalRuns
from headend.model.readings import day_start
from headend.model.retention import DataClass, Retention
from headend.model.work_item import WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from tests.contract.commands import request
from tests.store.world import DAY, NOW, OpenStore, block, endpoint_day, opened, register, shipment

KEPT = dict.fromkeys(DataClass, 400) | {DataClass.VOLTAGE: 60, DataClass.CHANGES: 60, DataClass.NOTIFICATIONS: 60}
LATER = NOW + timedelta(days=61)
MUCH_LATER = NOW + timedelta(days=402)


class Clock:
    """What time it is for a housekeeping."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def house(store: OpenStore, now: datetime, days: dict[DataClass, int] | None = None, owner: str = "one") -> Housekeeping:
    return Housekeeping("demo", store.store, store.running.reactor, Clock(now), owner, Retention(days or KEPT))


def purge(store: OpenStore, now: datetime, days: dict[DataClass, int] | None = None) -> dict[DataClass, int]:
    forgotten: dict[DataClass, int] = store.running.wait(house(store, now, days).purge)
    return forgotten


def fill(store: OpenStore, endpoints: int = 5) -> None:
    """A day of some endpoints, an event and an exception of each."""
    store.call("import_shipment", shipment(endpoints), NOW)
    store.call("make_room", NOW)
    store.call("record", [endpoint_day(n) for n in range(1, endpoints + 1)], NOW)
    happened = day_start(DAY) + timedelta(hours=3)
    extra = [
        Collected(
            EndpointId(n),
            NOW,
            events=(DeviceEvent(EndpointId(n), 7, happened, n),),
            exception=ExceptionRecord(EndpointId(n), ExceptionKind.NO_ANSWER, happened, "nothing came"),
        )
        for n in range(1, endpoints + 1)
    ]
    store.call("record", extra, NOW)


def channels_of(store: OpenStore, meter_no: str = "M000001") -> dict[int, int]:
    """Values known of each channel on the day."""
    blocks = store.call("interval_blocks", meter_no, day_start(DAY), day_start(DAY) + timedelta(days=1))
    return {b.channel_id: sum(value is not None for value in b.values) for b in blocks}


def test_voltage_goes_before_energy(store: OpenStore) -> None:
    fill(store)
    assert purge(store, NOW + timedelta(days=59)) == {}
    assert channels_of(store) == {1: 24, 11: 96, 12: 96, 13: 96}
    before = store.sql("SELECT endpoint_id, change_seq FROM interval_day ORDER BY endpoint_id")
    assert {one.data_class: one.rows for one in store.call("overdue", Retention(KEPT), LATER)}[DataClass.VOLTAGE] == 5
    step = store.call("purge_step", Retention(KEPT), DataClass.VOLTAGE, LATER, (), 2)
    step = store.call("purge_step", Retention(KEPT), DataClass.VOLTAGE, LATER, step.position, 2)
    assert step.rows == 2, "and then the process was killed"
    assert purge(store, LATER) == {DataClass.VOLTAGE: 3}
    assert channels_of(store) == channels_of(store, "M000005") == {1: 24}
    assert store.sql("SELECT endpoint_id, change_seq FROM interval_day ORDER BY endpoint_id") == before, "thinning is no change of values"
    assert {one.data_class: one.rows for one in store.call("overdue", Retention(KEPT), LATER)}[DataClass.VOLTAGE] == 0
    assert purge(store, LATER) == {}
    assert store.registers("M000001") == 1


def test_what_reaches_into_a_day_that_is_kept_stays(store: OpenStore) -> None:
    """A local day stands with the UTC day on which it begins; its last hours are of the next."""
    store.call("import_shipment", shipment(1), NOW)
    number = (DAY - datetime(1970, 1, 1, tzinfo=UTC).date()).days
    volts = IntervalRuns([EndpointId(1)], [number], 5, 3_600, ((ChannelId(11), -1),), np.arange(2_400, 2_424).reshape(1, 1, 24), None)
    store.call("record", [Collected(EndpointId(1), NOW)], NOW, [volts])
    in_time = day_start(DAY) + timedelta(days=61, hours=1)
    assert purge(store, in_time) == {}
    (_, last) = store.call("interval_blocks", "M000001", day_start(DAY), day_start(DAY) + timedelta(days=2))
    assert last.values[:6] == [2_419, 2_420, 2_421, 2_422, 2_423, None]
    assert purge(store, in_time + timedelta(days=1)) == {DataClass.VOLTAGE: 1}


def test_energy_may_go_before_voltage(store: OpenStore) -> None:
    fill(store)
    purge(store, LATER, KEPT | {DataClass.VOLTAGE: 400, DataClass.INTERVALS: 60})
    assert channels_of(store) == {11: 96, 12: 96, 13: 96}


def test_what_arrives_for_a_thinned_day_is_thinned_the_next_time(store: OpenStore) -> None:
    fill(store)
    purge(store, LATER)
    volts = [2_400] * 96
    late = block(1, volts, channel=11), block(1, [7] * 24, channel=2)
    store.call("record", [Collected(EndpointId(1), LATER, interval_blocks=late)], LATER)
    assert channels_of(store) == {1: 24, 2: 24, 11: 96}
    assert purge(store, LATER + timedelta(days=1))[DataClass.VOLTAGE] == 1
    assert channels_of(store) == {1: 24, 2: 24}


def test_mixed_segments_keep_the_other_channels_and_their_flags(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1), NOW)
    flags = [3] * 10 + [0] * 86
    blocks = (
        block(1, [n if n % 7 else None for n in range(96)], channel=1, flags=flags),
        block(1, [2_400 + n if n % 7 else None for n in range(96)], channel=11, flags=flags, exponent=-1),
    )
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=blocks)], NOW)
    purge(store, LATER)
    (only,) = store.call("interval_blocks", "M000001", day_start(DAY), day_start(DAY) + timedelta(days=1))
    assert only.channel_id == 1
    assert list(only.values) == list(blocks[0].values)
    assert list(only.flags) == flags


def test_a_day_that_holds_voltage_alone_goes_whole(store: OpenStore) -> None:
    store.call("import_shipment", shipment(2), NOW)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, [2_400] * 96, channel=11),)), endpoint_day(2)], NOW)
    purge(store, LATER)
    assert store.sql("SELECT endpoint_id FROM interval_day") == [(2,)]


def test_everything_goes_when_its_time_is_over(store: OpenStore) -> None:
    fill(store)
    store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=(block(1, [1] * 24),), register_reads=(register(1, 5),))], NOW)
    store.call("record", [Collected(EndpointId(1), NOW, register_reads=(register(1, 6),))], NOW)
    store.call("make_room", LATER)
    recent = MUCH_LATER - timedelta(days=3)
    store.call("make_room", recent)
    store.call("record", [endpoint_day(2, recent.date())], recent)
    counts = {one.data_class: one.rows for one in store.call("overdue", Retention(KEPT), MUCH_LATER)}
    forgotten = purge(store, MUCH_LATER)
    assert {c: n for c, n in counts.items() if n and c is not DataClass.VOLTAGE} == forgotten
    assert forgotten[DataClass.INTERVALS] == 6, "five days and the predecessor of one"
    assert forgotten[DataClass.REGISTERS] == 7, "five reads, a sixth and its predecessor"
    assert (forgotten[DataClass.EVENTS], forgotten[DataClass.EXCEPTIONS]) == (5, 5)
    for table in ("interval_day_history", "register_read_history", "device_event", "exception_record"):
        assert store.sql(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert store.sql("SELECT endpoint_id FROM interval_day") == [(2,)]
    assert store.registers("M000002") == 1
    ((packed,),) = store.sql("SELECT packed FROM endpoint_change")
    assert set(unpack_changes(packed)) == {2}


def test_notifications_go_once_they_are_settled(store: OpenStore) -> None:
    fill(store, 1)
    messages = tuple(OutgoingMessage("oms", "event", bytes([n])) for n in range(3))
    store.call("record", [Collected(EndpointId(1), NOW, messages=messages)], NOW)
    run = store.store._database.run
    claimed = store.running.wait(run, lambda c: outbox_store.claim(c, "oms", 2, NOW, NOW + timedelta(minutes=5)))
    store.running.wait(run, lambda c: outbox_store.mark(c, [one.message_id for one in claimed], "acknowledged"))
    store.call("make_room", NOW + timedelta(days=1))
    assert purge(store, NOW + timedelta(days=30)) == {}
    assert purge(store, LATER + timedelta(days=1))[DataClass.NOTIFICATIONS] == 2
    assert store.sql("SELECT state FROM outbox") == [("queued",)]


def test_requests_go_once_every_target_is_done_and_the_newest_stays(store: OpenStore) -> None:
    store.call("import_shipment", shipment(4), NOW)
    for transaction, endpoints in (("settled", (1, 2)), ("open", (3,)), ("newest", (4,))):
        store.call("accept_deferred", request(*endpoints, transaction=transaction))
    store.sql("UPDATE deferred_target SET state = 'succeeded', due_us = NULL WHERE endpoint_id <> 3")
    assert purge(store, NOW + timedelta(days=399)) == {}
    assert purge(store, MUCH_LATER) == {DataClass.COMMANDS: 3}
    assert store.sql("SELECT transaction_id FROM deferred_request ORDER BY request_id") == [("open",), ("newest",)]
    assert store.sql("SELECT endpoint_id FROM deferred_target ORDER BY 1") == [(3,), (4,)]


def test_gas_days_and_closed_work_items_go(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1), NOW)
    for offset in (0, 300):
        row = f"{day(offset) - 402}, 1, 1, NULL, 5, 0, 24, 24, NULL, NULL, NULL, 0"
        store.sql(f"INSERT INTO gas_day VALUES ({row})")
    for subject in ("r1", "r2"):
        for at, state in ((NOW, WorkItemState.OPEN), (NOW + timedelta(hours=1), WorkItemState.CLOSED)):
            change = WorkItemChange(WorkItemKind.ROUTER_DOWN, subject, at, state, (WorkItemEntry(at, "head-end", state.value),))
            store.call("change_work_item", change)
    assert purge(store, MUCH_LATER) == {DataClass.GAS_DAYS: 1, DataClass.WORK_ITEMS: 1}
    assert store.sql("SELECT subject FROM work_item") == [("r2",)], "the newest stays: the next is numbered after it"


def test_one_process_purges_once_a_day(store: OpenStore) -> None:
    fill(store)
    assert store.call("claim_work", PURGE, "other", LATER, LATER + timedelta(minutes=10), LATER)
    assert store.running.wait(house(store, LATER).look) == {}, "another process does it"
    after = LATER + timedelta(minutes=11)
    assert store.running.wait(house(store, after).look), "the other was killed, its claim has ended"
    assert store.running.wait(house(store, after + timedelta(hours=23), owner="two").look) == {}
    store.call("finish_work", PURGE, "other", after + timedelta(days=9))
    assert store.call("claim_work", PURGE, "two", after + timedelta(hours=25), after + timedelta(hours=26), after + timedelta(hours=1))


def test_collection_goes_on_while_a_purge_waits_for_a_reader(store: OpenStore) -> None:
    fill(store)
    store.call("make_room", MUCH_LATER)
    store.call("record", [endpoint_day(n, MUCH_LATER.date() - timedelta(days=2)) for n in range(1, 6)], MUCH_LATER)
    order: list[str] = []

    async def together() -> None:
        reading, hold = held_open(store)
        await reading
        purging = Deferred.fromCoroutine(house(store, MUCH_LATER).purge()).addCallback(lambda _: order.append("purged"))
        for n in range(1, 6):
            await store.store.record([endpoint_day(n, MUCH_LATER.date() - timedelta(days=1))], MUCH_LATER)
            order.append("recorded")
        hold()
        await purging

    store.running.wait(together)
    assert order.count("recorded") == 5
    if store.sql("SELECT 1 FROM interval_day_history") == [] and "postgresql" in str(store.store._database.url):
        assert order[-1] == "purged", "the reader held the purge up, and the purge nobody"
    assert {row[0] for row in store.sql("SELECT day FROM interval_day")} == {day(-2), day(-1)}


def day(offset: int) -> int:
    return (MUCH_LATER.date() + timedelta(days=offset) - datetime(1970, 1, 1, tzinfo=UTC).date()).days


def held_open(store: OpenStore) -> tuple[Deferred[None], Callable[[], None]]:
    """A reader that has looked at everything and stays: (fires when it has looked, lets it end)."""
    looked: Deferred[None] = Deferred()
    end = threading.Event()

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT count(*) FROM interval_day").all()
        connection.exec_driver_sql("SELECT count(*) FROM register_read").all()
        store.running.reactor.callFromThread(looked.callback, None)
        end.wait(60)

    store.store._database.read(work).addErrback(lambda failure: failure.printTraceback())
    return looked, end.set


@pytest.mark.postgresql
def test_partitions_are_made_ahead_and_dropped_behind(running: Any, postgresql_url: str, tmp_path: Any) -> None:
    store = opened(running, postgresql_url, tmp_path / "keys")
    store.call("make_room", NOW)
    names = {row[0] for row in store.sql("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")}
    assert {f"{table}_202607{d:02}" for table in ("interval_day", "register_read", "device_event") for d in (2, 3, 4, 5)} == names
    fill(store)
    store.sql("ALTER TABLE interval_day DETACH PARTITION interval_day_20260702")  # as by one that was killed before it dropped it
    purge(store, MUCH_LATER + timedelta(days=1))
    assert store.sql("SELECT relname FROM pg_class WHERE relname ~ '_2026070[1-3]$' AND relkind = 'r'") == []
    store.call("close")

