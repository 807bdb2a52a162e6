"""Queries that must stay quick use indexes, and on PostgreSQL touch the partitions they need only."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from adapters.store import event_store, meter_store, reading_store, register_list
from adapters.store.counted_lists import CountedLists
from adapters.store.directory import entry_by_meter
from adapters.store.master_loading import load
from headend.master_data.naming import Named
from headend.model.endpoint import Commodity, Customer, EndpointId, Installation, ServicePoint
from headend.model.events import DeviceEvent
from headend.model.instants import to_us
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.readings import day_start
from headend.model.selections import EVERYTHING, Period
from headend.ports import CustomerItem
from headend.reading_queries import Position
from tests.conftest import RunningReactor
from tests.store.world import DAY, NOW, OpenStore, endpoint_day, one_store, shipment

ENDPOINTS = 1_000
START, END = day_start(DAY), day_start(DAY) + timedelta(days=1)


POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def busy(request: pytest.FixtureRequest, running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    yield from one_store(request, running, tmp_path_factory, _fill)


def _fill(store: OpenStore) -> None:
    store.call("import_shipment", shipment(ENDPOINTS), NOW)
    for day in (DAY - timedelta(days=1), DAY):
        items = [endpoint_day(endpoint, day) for endpoint in range(1, ENDPOINTS + 1)]
        events = [(DeviceEvent(item.endpoint_id, 1, day_start(day) + timedelta(hours=12), 1),) for item in items]
        store.call("record", [replace(item, events=one) for item, one in zip(items, events, strict=True)], NOW)
    # So many that reading the whole partition would cost more than looking them up.
    store.call("record", [endpoint_day(endpoint, DAY - timedelta(days=2)) for endpoint in range(1, ENDPOINTS // 2)], NOW)
    store.call("import_customers", [_customer(endpoint) for endpoint in range(1, ENDPOINTS + 1)], NOW)
    store.call("schedule", NOW, NOW)
    store.sql("ANALYZE")


def _customer(endpoint: int) -> CustomerItem:
    point = ServicePoint(f"SP{endpoint}", Commodity.ELECTRIC, "1 Main St", "Ames", "IA", "50010", f"AC{endpoint}", f"{endpoint % 20:02}")
    installation = Installation(f"M{endpoint:06}", point.service_point_no, START - timedelta(days=400))
    return CustomerItem(Customer(point.account_no, "Ann"), point, installation)


def plans(store: OpenStore, function: object, *arguments: object) -> str:
    """The plans of all statements a query function runs."""

    def work(connection: Connection) -> str:
        statements: list[tuple[str, Any]] = []

        def noted(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
            statements.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", noted)
        function(connection, *arguments)  # type: ignore[operator]
        event.remove(connection, "before_cursor_execute", noted)
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        rows = [row for one, given in statements for row in connection.exec_driver_sql(f"{explain} {one}", given).all()]
        return "\n".join(str(row[-1]) for row in rows)

    plan = store.running.wait(store.store._database.read, work)
    assert plan
    return str(plan)


DAY_OF_ALL = Period(START, END)
ONE = [EndpointId(777)]
METER = Meter(EndpointId(777), "M000777", "S777", ".100.777", "residential", True, to_us(END))
EARLIER = "register_read_20260630", "interval_day_20260629", "device_event_20260630"
"""Intervals of a day may stand with the day before."""


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (reading_store.values_of, (ONE, DAY_OF_ALL, EVERYTHING)),
        (reading_store.latest_of, ([METER], EVERYTHING, None, END)),
        (reading_store.latest_of, ([METER], EVERYTHING, DAY_OF_ALL, END)),
        (reading_store.interval_blocks, ("M000777", START, END)),
        (event_store.log_of, (METER, DAY_OF_ALL, None, 100)),
        (entry_by_meter, ("M000777",)),
        (meter_store.meters_named, (MeterIdentifier.METER_NO, ["M000777"])),
        (meter_store.meters_named, (MeterIdentifier.SERIAL_NO, ["S777"])),
        (meter_store.meters_named, (MeterIdentifier.AP_TITLE, [".100.777"])),
        (meter_store.terms, ("07", DAY_OF_ALL, ONE)),
        (meter_store.knows_bill_cycle, ("none such",)),
        (load, (Named(meters={"M000777"}, ap_titles={".100.7"}),)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_reads_of_one_meter_scan_nothing_large(busy: OpenStore, function: object, arguments: tuple[object, ...]) -> None:
    plan = plans(busy, function, *arguments)
    for table in ("register_read", "interval_day", "device_event", "endpoint", "endpoint_state", "installation", "service_point"):
        assert f"SCAN {table}" not in plan.replace(f"SCAN {table}_", ""), plan
        assert f"Seq Scan on {table}" not in plan, plan


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (reading_store.values_of, (ONE, DAY_OF_ALL, EVERYTHING)),
        (reading_store.interval_blocks, ("M000777", START, END)),
        (register_list.register_page, (DAY_OF_ALL, None, None, 100, CountedLists())),
        (register_list.register_rows, (DAY_OF_ALL, None, None, Position(EndpointId(1_000), to_us(END)), 100)),
        (register_list.latest_rows, (EndpointId(0), EndpointId(1_000), 100)),
        (event_store.log_page, (DAY_OF_ALL, None, EndpointId(0), 100)),
        (event_store.logs, (DAY_OF_ALL, None, EndpointId(0), EndpointId(1_000), 100)),
        (event_store.log_of, (METER, DAY_OF_ALL, None, 100)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("busy", [POSTGRESQL], indirect=True)
def test_a_period_leaves_other_days_aside(busy: OpenStore, function: object, arguments: tuple[object, ...]) -> None:
    plan = plans(busy, function, *arguments)
    assert "_2026070" in plan, plan
    assert not any(partition in plan for partition in EARLIER), plan


@pytest.mark.parametrize("busy", ["sqlite"], indirect=True)
def test_sqlite_looks_up_days_and_endpoints_by_key(busy: OpenStore) -> None:
    plan = plans(busy, reading_store.values_of, ONE, DAY_OF_ALL, EVERYTHING)
    assert "SEARCH i USING PRIMARY KEY (day=? AND endpoint_id=?)" in plan, plan
    assert "SEARCH r USING PRIMARY KEY (endpoint_id=? AND instant_us>? AND instant_us<?)" in plan, plan


def test_reads_by_date_stop_where_the_page_ends(busy: OpenStore) -> None:
    """A piece of the list costs what it holds: a range of endpoints, and of each its reads of the period."""
    plan = plans(busy, register_list.register_rows, DAY_OF_ALL, None, None, Position(EndpointId(1_000), to_us(END)), 60)
    if busy.store._database.is_sqlite:
        assert "SEARCH endpoint USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan, plan
        assert "SEARCH r USING PRIMARY KEY (endpoint_id=? AND instant_us>? AND instant_us<?)" in plan, plan
        assert "ORDER BY" not in plan, plan
    else:
        bounds = "Index Cond: ((endpoint_id >= '0'::smallint) AND (endpoint_id <= '30'::smallint)"
        assert plan.count(bounds) == plan.count("Index Cond"), plan
        assert "Seq Scan" not in plan, plan
