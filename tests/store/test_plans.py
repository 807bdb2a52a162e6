"""Queries that must stay quick use indexes, and on PostgreSQL touch the partitions they need only."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from adapters.store import reading_store
from adapters.store.directory import entry_by_meter
from adapters.store.master_loading import load
from headend.master_data.naming import Named
from headend.model.readings import day_start
from tests import postgresql
from tests.conftest import RunningReactor
from tests.store.world import DAY, NOW, OpenStore, endpoint_day, opened, shipment

ENDPOINTS = 1_000
START, END = day_start(DAY), day_start(DAY) + timedelta(days=1)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def busy(request: pytest.FixtureRequest, running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    directory = tmp_path_factory.mktemp("plans")
    if request.param == "sqlite":
        yield from _busy(running, f"sqlite:///{directory}/store.sqlite", directory)
        return
    with postgresql.database(request.getfixturevalue("postgresql_server")) as url:
        yield from _busy(running, url.render_as_string(hide_password=False), directory)


def _busy(running: RunningReactor, url: str, directory: Path) -> Iterator[OpenStore]:
    store = opened(running, url, directory / "keys")
    store.call("import_shipment", shipment(ENDPOINTS), NOW)
    for day in (DAY - timedelta(days=1), DAY):
        store.call("record", [endpoint_day(endpoint, day) for endpoint in range(1, ENDPOINTS + 1)], NOW)
    store.call("schedule", NOW, NOW)
    store.sql("ANALYZE")
    yield store
    store.call("close")


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


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (reading_store.latest, ("M000777",)),
        (reading_store.readings, ("M000777", START, END, 1_000)),
        (reading_store.interval_blocks, ("M000777", START, END)),
        (entry_by_meter, ("M000777",)),
        (load, (Named(meters={"M000777"}, ap_titles={".100.7"}),)),
    ],
    ids=["latest", "readings", "interval_blocks", "meter", "master data"],
)
def test_reads_of_one_meter_scan_nothing_large(busy: OpenStore, function: object, arguments: tuple[object, ...]) -> None:
    plan = plans(busy, function, *arguments)
    for table in ("register_read", "interval_day", "endpoint", "endpoint_state"):
        assert f"SCAN {table}" not in plan.replace(f"SCAN {table}_", ""), plan
        assert f"Seq Scan on {table}" not in plan, plan


def test_a_period_leaves_other_days_aside(busy: OpenStore) -> None:
    plan = plans(busy, reading_store.interval_blocks, "M000777", START, END)
    if busy.store._database.is_sqlite:
        assert "SEARCH interval_day USING PRIMARY KEY (day=? AND endpoint_id=?)" in plan, plan
        return
    assert "interval_day_20260701" in plan
    assert "interval_day_20260630" not in plan
    plan = plans(busy, reading_store.readings_page, END, END, None, 100)
    assert "register_read_20260702" in plan
    assert "register_read_20260701" not in plan


def test_reads_by_date_stop_where_the_page_ends(busy: OpenStore) -> None:
    plan = plans(busy, reading_store.readings_page, START, END, None, 50)
    if busy.store._database.is_sqlite:
        assert "SCAN endpoint USING COVERING INDEX" in plan, plan
        assert "SEARCH register_read USING PRIMARY KEY (endpoint_id=? AND instant_us>? AND instant_us<?)" in plan, plan
        assert "ORDER BY" not in plan, plan
    else:
        assert "register_read_20260630" not in plan, plan
