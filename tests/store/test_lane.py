"""The lane of small reads: what fails in it is done the usual way, and it goes on afterwards."""

from dataclasses import replace
from threading import Event, current_thread
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from adapters.store.lane import Rows
from headend.errors import StoreError
from headend.meter_groups import GroupKind, MeterGroup
from headend.model.endpoint import EndpointId
from headend.model.partner import MeterIdentifier, MeterScope
from tests.store.world import NOW, OpenStore, endpoint_day, shipment

BY_NUMBER = MeterIdentifier.METER_NO

on_sqlite = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
"""What is asked on the spot is SQLite: of PostgreSQL nothing is known before it answers."""


@pytest.fixture
def read(store: OpenStore) -> OpenStore:
    store.call("import_shipment", shipment(3), NOW)
    store.call("record", [endpoint_day(1), endpoint_day(2)], NOW)
    return store


def newest(store: OpenStore, name: str) -> list[tuple[str, int]]:
    return [(meter.meter_no, len(rows)) for meter, rows in store.call("newest_registers", BY_NUMBER, name)]


def test_a_connection_that_breaks_costs_no_answer(read: OpenStore) -> None:
    assert newest(read, "M000001") == [("M000001", 1)]
    database = read.store._database
    reader = database._here or database._lane._reader
    broken = reader._connection
    broken.close()
    assert newest(read, "M000001") == [("M000001", 1)]
    assert newest(read, "M000002") == [("M000002", 1)]
    assert reader._connection not in {None, broken}, "another one is open by now"


@on_sqlite
def test_sqlite_is_asked_on_the_spot_but_for_while_it_writes(read: OpenStore) -> None:
    database = read.store._database

    def thread_of(rows: Rows) -> str:
        assert rows("SELECT 1", ()) == [(1,)]
        return current_thread().name

    async def on_reactor() -> str:
        return current_thread().name

    def both() -> list[Deferred[str]]:
        idle = database.look_up(thread_of)
        assert idle.called, "answered before anybody could wait"
        written = database.run(lambda c: asked.wait(5))
        beside = database.look_up(thread_of)
        return [idle, beside.addBoth(lambda name: asked.set() or name), written.addCallback(str)]

    asked = Event()
    idle, beside, written = read.running.wait(lambda: gatherResults(both()))
    assert (idle, beside, written) == (read.running.wait(on_reactor), "store-look-up", "True")
    assert read.running.wait(database.look_up, thread_of) == idle, "and again when it has written"


@on_sqlite
def test_what_another_holds_is_not_waited_for_on_the_spot(read: OpenStore) -> None:
    database = read.store._database
    assert newest(read, "M000001") == [("M000001", 1)]
    assert read.running.wait(database.look_up, lambda rows: rows("PRAGMA busy_timeout", ())) == [(0,)]


def test_what_a_read_raises_comes_through(read: OpenStore) -> None:
    def find(rows: Rows) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read.running.wait(read.store._database.look_up, find)
    with pytest.raises(StoreError):
        read.running.wait(read.store._database.look_up, lambda rows: rows("SELECT no_such_column FROM endpoint", ()))
    assert newest(read, "M000003") == [("M000003", 0)]


def test_it_reads_and_never_writes(read: OpenStore) -> None:
    read.running.wait(read.store._database.look_up, lambda rows: rows("SELECT 1", ()))
    with pytest.raises(StoreError):
        read.running.wait(read.store._database.look_up, lambda rows: rows("DELETE FROM endpoint RETURNING 1", ()))
    assert newest(read, "M000001") == [("M000001", 1)]


def test_what_was_committed_is_seen_at_once(read: OpenStore) -> None:
    before = read.call("newest_registers", BY_NUMBER, "M000003")
    read.call("record", [endpoint_day(3)], NOW)
    after = read.call("newest_registers", BY_NUMBER, "M000003")
    assert (len(before[0][1]), len(after[0][1])) == (0, 1)
    (changed,) = (replace(one, value=one.value + 1) for one in endpoint_day(3).register_reads)
    read.call("record", [replace(endpoint_day(3), register_reads=(changed,))], NOW)
    ((_, (row,)),) = read.call("newest_registers", BY_NUMBER, "M000003")
    assert row.value == changed.value


def test_a_partner_that_knows_few_meters_is_told_of_no_other(read: OpenStore) -> None:
    group = "50% of 'east'?"
    read.call("establish_group", MeterGroup(GroupKind.METERS, group, "", ("M000001",)), None, NOW)
    scoped = read.store.seen_by(MeterScope(group=group))
    assert scoped is read.store.seen_by(MeterScope(group=group)), "one for each scope"
    found = [read.running.wait(scoped.newest_registers, BY_NUMBER, name) for name in ("M000001", "M000002")]
    assert [[meter.meter_no for meter, _ in one] for one in found] == [["M000001"], []]
    page = read.running.wait(scoped.latest_page, EndpointId(0), 10)
    assert (page.last.endpoint_id, page.remaining) == (1, 0)
