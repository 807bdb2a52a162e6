"""Accounts of storage and cellular traffic on both databases."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from adapters.store import usage_store
from headend.cli.usage import usage_table
from headend.housekeeping import ACCOUNT, Housekeeping
from headend.model.collection import Collected, MeterProgramRecord
from headend.model.endpoint import EndpointId
from headend.model.retention import DataClass, Retention
from headend.usage import Accounting, StorageUse, TrafficUse, Usage, interval_seconds_of, usages
from tests.simulation.emulated import make_world, meters
from tests.store.world import DAY, NOW, OpenStore, block, endpoint_day, shipment

PROGRAM = (0, 1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802)
"""Tables that make a program."""

NEXT = NOW.date()


def account(store: OpenStore, now: Any = NOW) -> None:
    store.running.wait(Accounting(store.store).account, now)


def test_what_is_stored_is_counted_by_interval_length(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_store, "ENDPOINTS_PER_ACCOUNT", 2)
    store.call("import_shipment", shipment(5), NOW)
    store.call("record", [endpoint_day(n) for n in range(1, 5)], NOW)
    account(store)
    storage, _ = store.call("usage", DAY, DAY)
    counted = {one.interval_seconds: (one.endpoints, one.intervals) for one in storage}
    assert counted == {3_600: (4, 4 * 24), 900: (4, 4 * 3 * 96)}
    (octets,) = store.sql("SELECT sum(length(packed)) FROM interval_day")[0]
    assert sum(one.octets for one in storage) == octets - 4, "all but the version in each row"

    late = Collected(EndpointId(5), NOW, interval_blocks=(block(5, [1] * 24),))
    store.call("record", [late], NOW)
    account(store)
    assert store.call("usage", DAY, DAY)[0] == storage, "counted once"
    account(store, NOW + timedelta(days=3))
    again = {one.interval_seconds: one.endpoints for one in store.call("usage", DAY, DAY)[0]}
    assert again == {3_600: 5, 900: 4}, "and once more when what is late has come"


def test_traffic_of_cellular_endpoints_is_counted_once(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_store, "ENDPOINTS_PER_ACCOUNT", 2)
    items = shipment(6)
    store.call("import_shipment", items[:3] + [replace(item, router=None) for item in items[3:]], NOW)
    store.call("record", [endpoint_day(n) for n in range(1, 7)], NOW)
    account(store)
    account(store)
    assert store.call("usage", NEXT, NEXT)[1] == [TrafficUse(NEXT, b"", 3 * 300, 3 * 1_500)], "of three behind no router"
    later = replace(endpoint_day(4, NEXT), octets_sent=7, octets_received=11)
    store.call("record", [later], NOW + timedelta(days=1))
    account(store, NOW + timedelta(days=1))
    tomorrow = NEXT + timedelta(days=1)
    assert store.call("usage", tomorrow, tomorrow)[1] == [TrafficUse(tomorrow, b"", 7, 11)]
    assert sum(row[0] for row in store.sql("SELECT sum(sent) FROM traffic_day")) == 3 * 300 + 7


def test_one_process_keeps_the_accounts(store: OpenStore) -> None:
    store.call("import_shipment", [replace(item, router=None) for item in shipment(1)], NOW)
    store.call("record", [endpoint_day(1)], NOW)
    retention = Retention(dict.fromkeys(DataClass, 400))
    house = Housekeeping("demo", store.store, store.running.reactor, lambda: NOW, "one", retention)
    assert store.call("claim_work", ACCOUNT, "other", NOW, NOW + timedelta(minutes=9), NOW)
    store.running.wait(house.look)
    assert store.call("usage", DAY, NEXT) == ([], [])
    store.call("release_work", "other")
    store.running.wait(house.look)
    storage, traffic = store.call("usage", DAY, NEXT)
    assert len(storage) == 2
    assert traffic == [TrafficUse(NEXT, b"", 300, 1_500)]


def test_accounts_add_up_by_month_and_length() -> None:
    storage = [StorageUse(date(2026, 10, day), 900, 2, 192, 100) for day in (30, 31)] + [StorageUse(date(2026, 11, 1), 900, 2, 192, 100)]
    traffic = [TrafficUse(date(2026, 10, 31), b"a", 5, 6), TrafficUse(date(2026, 10, 31), b"", 1, 2)]
    by_month = usages(storage, traffic, {b"a": 900}, by_month=True)
    assert by_month == [
        Usage("2026-10", 0, 0, 0, 0, 1, 2),
        Usage("2026-10", 900, 4, 384, 200, 5, 6),
        Usage("2026-11", 900, 2, 192, 100, 0, 0),
    ]
    assert [one.period for one in usages(storage, [], {}, by_month=False)] == ["2026-10-30", "2026-10-31", "2026-11-01"]
    assert len(usage_table(by_month, "Demo", "month").rows) == 3


def test_the_length_of_a_meter_is_that_of_what_is_billed() -> None:
    lengths = {
        meter.kind.form.name: interval_seconds_of(MeterProgramRecord(b"x", tuple((table, meter.table(table)) for table in PROGRAM)))
        for meter in meters(make_world())
    }
    expected = {"HE-R100": 3_600, "HE-G20": 3_600, "HE-GM7": 3_600, "HE-WM9": 3_600, "HE-C300": 900, "HE-C500": 900}
    assert expected.items() <= lengths.items(), "hourly energy beside voltage by quarters of an hour is hourly"


def test_a_program_that_is_not_readable_has_no_length() -> None:
    assert interval_seconds_of(None) == interval_seconds_of(MeterProgramRecord(b"x", ((0, b"?"),))) == 0
